/* drill_core.h - the core of the drill's hub, without sockets: what is said to it. For drill_core.c and drill.c only.
 */
#ifndef CAREHUB_BENCH_DRILL_CORE_H
#define CAREHUB_BENCH_DRILL_CORE_H

#include "drill.h"
#include "eventid.h"

#define DRILL_BEGIN_MS 1735689600000LL /* 2025-01-01 */

/* Opens an empty database in the drill's directory, on the drill's clock. False: it has said why. */
bool drill_open(struct drill *drill);
void drill_say(struct drill *drill, session_id session, Carehub__V1__ToHub *message);
/* Commits, and sends what is due. */
void drill_commit(struct drill *drill);
void drill_hello(struct drill *drill, session_id session);
/* The key of a session. */
void drill_key(session_id session, uint8_t key[KEY_BYTES]);
/* An id of the drill's own time: version 8, since it is no UUIDv7 of the clock's. */
void drill_id(struct drill *drill, uint8_t id[EVENTID_BYTES]);
void drill_publish(struct drill *drill, session_id session, Carehub__V1__Item *item);
/* Of the operator. */
void drill_publish_fact(struct drill *drill, Carehub__V1__Fact *fact);

/* FACT(drill, MEMBER_ADDED, member_added, &body). */
#define FACT(drill, KIND, member, body)                                                                                \
    do {                                                                                                               \
        Carehub__V1__Fact fact_ = CAREHUB__V1__FACT__INIT;                                                             \
        fact_.fact_case = CAREHUB__V1__FACT__FACT_##KIND;                                                              \
        fact_.member = (body);                                                                                         \
        drill_publish_fact(drill, &fact_);                                                                             \
    } while (0)

#endif
