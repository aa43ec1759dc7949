/* subscribe.h - attachments to inboxes: deliveries in, acknowledgements and credit out. */
#ifndef SDK_SUBSCRIBE_H
#define SDK_SUBSCRIBE_H

#include "frame.h"
#include "carehub.h"
#include "sdk_limits.h"

enum { LANES = 2 };

/* What API threads leave; under the client's lock. */
struct subscribe_inbox {
    carehub_subscription *added; /* linked by next */
    bool acks;                   /* some subscription has some waiting */
    bool endings;                /* some subscription is to end */
};

/* The thread's own. */
struct subscriber {
    carehub_subscription *all;
    uint64_t attach_order; /* given out last */
    struct arena arena;    /* of the event that is being delivered */
    struct ack_frame {
        Carehub__V1__AckRange ranges[ACK_FRAME_RANGES];
        Carehub__V1__AckRange *list[ACK_FRAME_RANGES];
        size_t n;
    } ack_frame;
};

void subscribe_init(struct carehub_client *c);

/* Tells the hub what there is to tell: attachments, acknowledgements, refusals, credit. */
void subscribe_step(struct carehub_client *c);
int64_t subscribe_due_ms(const struct carehub_client *c);
/* Takes Attached, Detached, Deliver, Skip; leaves others alone. */
void subscribe_take(struct carehub_client *c, const Carehub__V1__ToClient *m);
/* An Error: true if it is the answer to an Attach. */
bool subscribe_refused(struct carehub_client *c, const Carehub__V1__Error *error);
/* The session is lost: all attach again on the next one. */
void subscribe_lost(struct carehub_client *c);
/* The client ends: frees all. */
void subscribe_closed(struct carehub_client *c);

#endif
