/* query.h - operators' questions and their answers. */
#ifndef SDK_QUERY_H
#define SDK_QUERY_H

#include "carehub.h"

struct question;

/* What API threads leave; under the client's lock. */
struct query_inbox {
    struct question *added;
    struct question **added_end;
    uint64_t last_ref;
    unsigned open; /* not answered for good */
};

/* The thread's own. */
struct asker {
    struct question *waiting; /* for a session */
    struct question **waiting_end;
    struct question *asked;
};

void query_init(struct carehub_client *c);
void query_step(struct carehub_client *c);
void query_answer(struct carehub_client *c, const Carehub__V1__Answer *answer);
/* The session is lost: what was asked will not be answered. */
void query_lost(struct carehub_client *c);
void query_closed(struct carehub_client *c);

#endif
