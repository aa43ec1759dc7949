/* Between the files of the publisher; no part of its interface. */
#ifndef CAREHUB_PUBLISHER_INTERNAL_H
#define CAREHUB_PUBLISHER_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "publisher.h"

/* One event or group on its way. */
struct ticket {
    struct ticket *next;      /* in its bucket, by the id of its first item */
    struct ticket *next_lane; /* waiting for its lane's worker */
    struct publisher *publisher;
    struct publisher_wait *waits;
    int result;   /* of handing it over */
    bool group;   /* never in the spool */
    bool in_lane; /* a worker may use it */
    bool settled; /* the hub has spoken before the worker was done */
    char text[PUBLISHER_TEXT_BYTES];
    size_t n_parts;
    struct part {
        uint8_t id[EVENTID_BYTES];
        bool is_fact;
        uint8_t *bytes; /* until it was handed over */
        size_t len;
    } parts[];
};

/* What the library's thread has to say. */
struct news {
    struct news *next;
    uint8_t id[EVENTID_BYTES]; /* of the first item */
    bool group;
    enum carehub_fault fault;
    bool final; /* refused for good */
    char code[32];
    char text[PUBLISHER_TEXT_BYTES];
};

struct lane {
    uv_work_t work; /* first */
    struct publisher *publisher;
    struct ticket *waiting, **end;
    struct ticket *working;
    bool busy;
};

struct publisher {
    uv_async_t async; /* first */
    carehub_client *client;
    bool spool;
    atomic_int state; /* enum carehub_state */
    struct lane lanes[PUBLISHER_LANES];
    struct ticket *buckets[PUBLISHER_BUCKETS];
    publisher_refused_fn *refused;
    void *arg;
    pthread_mutex_t lock; /* of the news */
    struct news *news, **news_end;
};

struct ticket *ticket_find(struct publisher *self, const uint8_t id[EVENTID_BYTES]);
void ticket_drop(struct ticket *t);
/* Tells those who wait: all, or only those for whom the spool is enough. */
void ticket_tell(struct ticket *t, bool only_for_spool, enum carehub_fault fault, const char *text);
/* None of its items will ever be taken. */
void ticket_refused(struct ticket *t, const char *code, const char *text);

/* The library's callbacks (its thread). */
void publisher_on_settled(void *arg, const uint8_t id[CAREHUB_ID_BYTES], int status,
                          const Carehub__V1__Confirmation *confirmation);
void publisher_on_confirm(void *arg, int status, const Carehub__V1__Confirmation *confirmation);
void publisher_on_state(void *arg, enum carehub_state state, const char *error);
void publisher_on_warning(void *arg, const char *text);
/* Hears the news (the loop). */
void publisher_on_async(uv_async_t *async);

#endif
