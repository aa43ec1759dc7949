/* subscription_store.h - the subscriptions, and the last events of each under their numbers: "subscriptions.db" in the
 * state directory. Every change is on disk when its function (or store_commit) has returned. What subscribers wrote and
 * what events hold is sealed (seal.h) with the key in "subscriptions.key" beside it; ids, actors, inboxes, numbers and
 * times are not. The journal's lock on the directory keeps a second process out. Loop thread only. */
#ifndef CAREHUB_SUBSCRIPTION_STORE_H
#define CAREHUB_SUBSCRIPTION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub.h"
#include "eventid.h"
#include "subscription_resource.h"

enum {
    STORE_ERROR_BYTES = 512,
    STORE_NAME_BYTES = 65, /* of an actor or inbox, with its terminating zero */
    STORE_TYPE_BYTES = 64, /* of a resource's type */
};

struct subscription_store;

/* How far the inbox at the hub is. */
enum store_inbox {
    STORE_INBOX_WANTED, /* the hub has not confirmed that it is there with these types */
    STORE_INBOX_THERE,
    STORE_INBOX_CLOSING, /* it is to go: the subscription has ended */
    STORE_INBOX_GONE,
};

struct store_record {
    int64_t key; /* the store's own */
    char id[SUBSCRIPTION_ID_BYTES];
    char actor[STORE_NAME_BYTES];
    char inbox[STORE_NAME_BYTES];
    enum subscription_status status;
    enum store_inbox inbox_is;
    bool shaken;     /* the receiver has answered the handshake */
    bool deleted;    /* by the subscriber; it goes when its inbox is closed */
    uint64_t events; /* the last event number that was given */
    int64_t version, updated_ms;
    char error[SUBSCRIPTION_ERROR_BYTES];
    struct subscription_resource *resource; /* owned by whoever has the record */
};

/* `dir` NULL: in memory only, for tests. NULL with `error` set. */
struct subscription_store *store_open(const char *dir, char error[STORE_ERROR_BYTES]);
void store_close(struct subscription_store **self);
const char *store_error(const struct subscription_store *self);

/* What is between them is kept together or not at all. Not nested. */
bool store_begin(struct subscription_store *self);
bool store_commit(struct subscription_store *self);
void store_rollback(struct subscription_store *self);

/* ---- Subscriptions ---------------------------------------------------------------------------------------------- */

/* Adds one; sets its key. */
bool store_add(struct subscription_store *self, struct store_record *record);
/* Replaces what may change: not id, actor, inbox and events. */
bool store_update(struct subscription_store *self, const struct store_record *record);
/* Forgets one with its events. */
bool store_remove(struct subscription_store *self, int64_t key);
/* The first with a key above `after`. False at the end, and when it cannot be read: then *damaged is set. */
bool store_next(struct subscription_store *self, int64_t after, struct store_record *record, bool *damaged);

/* ---- Events ----------------------------------------------------------------------------------------------------- */

struct store_event {
    uint64_t number; /* in its subscription, from 1 */
    uint8_t id[EVENTID_BYTES];
    int lane;
    uint64_t delivery;           /* its number in the inbox's lane */
    int64_t made_ms;             /* when it came here first: what is old by this is forgotten */
    char type[STORE_TYPE_BYTES]; /* of the document: "Bundle" */
    uint8_t *event;              /* serialised; malloc'd, as the next; NULL when it has been withdrawn */
    size_t event_len;
    char *document; /* FHIR, JSON */
    size_t document_len;
};

void store_event_clear(struct store_event *event);

enum store_put {
    STORE_NEW,   /* it has been given the next number */
    STORE_AGAIN, /* it came before and waits under its number; the content is now this one */
    STORE_DELIVERED /* it came before and was delivered; nothing was changed */,
    STORE_FAILED,
};

/* Keeps an event, recognising it by its id; sets its number and, for a new one, record->events. If it is in a
 * transaction that fails, record->events must be set back by the caller. */
enum store_put store_put_event(struct subscription_store *self, struct store_record *record, struct store_event *event);
/* The receiver has it. */
bool store_delivered(struct subscription_store *self, int64_t key, uint64_t number);
/* Takes the content of what waits under these deliveries away: the hub has withdrawn it. */
bool store_withdraw(struct subscription_store *self, int64_t key, int lane, uint64_t from, uint64_t to);

/* The first event with a number from `from` on; or that with an id. The caller clears it. False if there is none, or
 * when it cannot be read. */
bool store_event_from(struct subscription_store *self, int64_t key, uint64_t from, struct store_event *event);
bool store_event_of_id(struct subscription_store *self, int64_t key, const uint8_t id[EVENTID_BYTES],
                       struct store_event *event);

/* Forgets events that are older, and of those that were delivered all but the last `keep` of each subscription.
 * Returns how many, or -1. */
int store_prune(struct subscription_store *self, int64_t before_ms, uint64_t keep);

struct person;
/* Takes the content of all events that are about a person away, and writes the file anew, so that nothing of it is left
 * there. `only_count`: nothing is changed. False: not all of it was done; doing it again is right. */
bool store_person_forget(struct subscription_store *self, const struct person *person, bool only_count,
                         uint64_t *count);

#endif
