/* A hub's core in a temporary directory, driven message by message: no sockets, no threads, and the test's own clock.
 */
#ifndef CAREHUB_CORE_FIXTURE_H
#define CAREHUB_CORE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "carehub/v1/wire.pb-c.h"
#include "core/core.h"

enum { SENT_MAX = 20000 };

struct hub {
    struct core *core;
    char directory[64], database[96];
    uint8_t master_key[32];
    char tlog[96];      /* the audit log's directory; "": none is kept */
    const char *origin; /* its name; NULL: test.example/log */
    bool prune_tiles;
    struct core_witness witness; /* key NULL: there is none */
    char *policy;
    int64_t now_ms;
    int64_t payload_kept_ms, entry_kept_ms; /* for hub_open; 0: for ever */
    struct {
        session_id to;
        Carehub__V1__ToClient *message;
    } sent[SENT_MAX]; /* since hub_clear */
    size_t n_sent;
    uint64_t ref;
    bool damaged; /* by the test: else whatever a test has made of the database must be sound at its end */
};

int hub_setup(void **state);
int hub_teardown(void **state);
void hub_open(struct hub *hub);
/* As after a crash: what was handled but not committed is gone. */
void hub_crash(struct hub *hub);
void hub_clear(struct hub *hub);

/* Sessions of the first operator and of the clients below; keys are made of their numbers. */
enum { OPERATOR = 1, HOSPITAL, GP, PHARMACY, NURSE, INSURER, SESSIONS };

/* Registers the region that the tests play in: actors az, gp, apo, nurse, kas, an inbox each (named as the actor), a
 * client for each, and the patient P1 (ssin 38041299949) with gp, apo, nurse as members, kas by grant, and consent. */
void hub_region(struct hub *hub);
void hub_hello(struct hub *hub, session_id session);

void hub_handle(struct hub *hub, session_id session, Carehub__V1__ToHub *message);
void hub_commit(struct hub *hub);

/* Submits a fact as JSON ({"consentWithdrawn":{…}}), commits, and returns its confirmation (borrowed until hub_clear).
 */
const Carehub__V1__Confirmation *hub_fact(struct hub *hub, const char *json);
const Carehub__V1__Confirmation *hub_fact_as(struct hub *hub, session_id session, const char *json);
void hub_fact_good(struct hub *hub, const char *json);

/* Publishes an event as JSON; the id is filled in from `id` (1 to 255) and the hub's time. */
const Carehub__V1__Confirmation *hub_publish(struct hub *hub, session_id session, uint8_t id, const char *json);
extern const char DISCHARGE[];
void event_id(const struct hub *hub, uint8_t id, uint8_t bytes[16]);

/* Attaches, and returns the handle's epoch; credit is ample unless given. */
uint64_t hub_attach(struct hub *hub, session_id session, const char *inbox, uint32_t credit);
void hub_ack(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t from, uint64_t to);
void hub_ack_as(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t from, uint64_t to,
                Carehub__V1__AckKind kind);
void hub_nack(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t number, bool final);

/* What a session was sent since hub_clear: its n-th delivery, or NULL; how many; skips. */
const Carehub__V1__Delivery *hub_delivery(const struct hub *hub, session_id session, size_t n);
size_t hub_deliveries(const struct hub *hub, session_id session);
const Carehub__V1__Skip *hub_skip(const struct hub *hub, session_id session, size_t n);
const Carehub__V1__Error *hub_error(const struct hub *hub, session_id session);
const Carehub__V1__Answer *hub_ask(struct hub *hub, const char *json);

#endif
