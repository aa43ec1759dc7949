/* core_private.h - what the parts of the core share. The way of an event through them:
 *
 *     core/session.c     a message comes in, from whom, and is handed on
 *     core/core.c        the batch opens, commits, confirms
 *     core/publish.c     a publication: one item, or several as one
 *     core/admit.c       is the event well-formed, authentic, allowed?
 *     core/care_event.c  a repeat? kept at all? → route/ decides → an entry with its decisions → into the inboxes
 *     facts/             the same for registry facts
 *     core/attach.c      who receives an inbox; acknowledgements, refusals
 *     core/push.c        deliveries go out, each looked at once more (reconsider.c)
 *     core/endings.c     withdrawals, expiries, what is dead; held.c: what cannot be decided yet
 *     core/sweep.c       what is due by the clock
 *     core/behind.c      what is worked out from the log behind the hot path:
 *     later/             an event is delivered after its own decision: replays, what was not read, late joiners
 *     keeping/           what is kept and how it proves itself: audit log, retention, erasure, backups
 *     query/             questions of operators; the state as it was
 *
 * Beneath them, each known through its header only: route/ (rules and decisions: pure functions), registry/ (actors,
 * clients, inboxes, persons), store/ (the database, the log in it, keys), audit/ (the Merkle log as files). */
#ifndef CAREHUB_CORE_PRIVATE_H
#define CAREHUB_CORE_PRIVATE_H

#include <stdarg.h>
#include <string.h>

#include "carehub/v1/wire.pb-c.h"
#include "core.h"
#include "registry/inbox.h"
#include "store/log.h"
#include "registry/persons.h"
#include "registry/registry.h"
#include "store/scrub.h"
#include "store/u64map.h"
#include "hub_limits.h"

/* protobuf-c's names are long; these occur everywhere. */
typedef Carehub__V1__Entry Entry;
typedef Carehub__V1__Decision Decision;
typedef Carehub__V1__Error Error;
typedef Carehub__V1__Fact Fact;

#define REASON(name) CAREHUB__V1__REASON__##name
#define ERROR_CODE(name) CAREHUB__V1__ERROR_CODE__##name
#define OUTCOME(name) CAREHUB__V1__OUTCOME__##name

struct session {
    session_id id;
    uint8_t key[KEY_BYTES];
    uint32_t client;                            /* 0: no Hello yet */
    struct inbox *attachments[ATTACHMENTS_MAX]; /* [handle - 1] */
    uint64_t tail_ref;                          /* of its TailQuery; 0: none */
    bool tailing;
    uint64_t tail_missed;
    Carehub__V1__Confirmation **confirmations; /* of the open batch, in its arena */
    size_t n_confirmations, confirmations_capacity;
    uint32_t settled_items, settled_bytes;
    bool listed; /* is on the core's list of sessions with confirmations */
};

/* An event as it was received or read back, for pushing: what deliveries of it need, and its bytes. */
struct event_memory {
    uint64_t place;
    uint64_t patient;
    uint32_t publisher;
    int64_t received_ms;
    Carehub__V1__EventEntry facets; /* what decides; without id, digest and old decisions. Addressees are owned */
    uint8_t *bytes;
    size_t size;
    struct {
        uint8_t *bytes;
        size_t size;
    } views[4]; /* by level; made when first needed. [0] is the notice */
    struct event_memory *newer;
};

struct output_message {
    session_id to;
    Carehub__V1__ToClient *message;
};

/* A delivery that is to be ended in the next batch: it was found out when it was about to be sent. */
struct ending {
    struct inbox *inbox;
    int lane;
    uint64_t number;
    uint64_t place;
    uint64_t patient;
    Carehub__V1__Reason end, why;
    bool was_sent;
};

struct counters {
    uint64_t events, not_kept, repeats, rejects, facts, deliveries, acks, commits;
};

struct core {
    char *hub_name;
    uint8_t next_hub_key[KEY_BYTES];
    bool has_next_hub_key;
    uint32_t commit_delay_us, ack_delay_ms;
    struct core_output output;
    struct vault *vault;
    struct store *store;
    struct log *log;
    struct registry registry;
    struct persons persons;
    uint8_t hub_key[VAULT_KEY_BYTES]; /* subject 0's */

    struct arena scratch; /* until the end of one publication or message */
    struct arena batch;   /* until the commit is done and said */

    uint64_t last_place, committed_place;
    int64_t now_ms;             /* the open batch's time; never decreasing */
    bool open;                  /* a transaction is open */
    int64_t real_ms, opened_ms; /* the clock when it was last told, and when the batch was opened */
    int64_t commit_time_ms;     /* when committed_place was on disk; goes into the next batch */
    uint64_t commit_time_place;
    int64_t started_ms, clock_offset_ms;
    bool clock_suspect;
    int64_t ids_known_from_ms;
    int64_t next_sweep_ms, next_forget_ms, next_behind_ms;
    uint64_t indexed_place;  /* entries up to here can be found by their person */
    uint64_t pruned_place;   /* of those up to here some are no longer kept */
    uint64_t retained_place; /* the payloads of events up to here have gone, but for those that are noted */
    int64_t payload_kept_ms, entry_kept_ms, next_retention_ms;
    uint64_t unread_from_place;
    uint64_t disk_reserve_bytes;
    bool keys_asked;             /* there may be changes of keys to be made … */
    uint64_t keys_changed_place; /* … behind this one */
    core_next_key *next_master_key;
    void *next_master_key_ctx;
    bool disk_low;
    struct scrub scrub;
    struct index_walk index_walk;       /* its last part (keeping/index.c) */
    int64_t scrubbed_ms, next_scrub_ms; /* when the last pass over all that is stored ended; when the next one is due */

    struct u64map sessions;
    struct session **confirming; /* sessions with confirmations in this batch */
    size_t n_confirming, confirming_capacity;
    struct output_message *outbox; /* sent after the commit, in order */
    size_t n_outbox, outbox_capacity;

    struct inbox **ready; /* may have something to send */
    size_t n_ready, ready_capacity;
    bool any_blocked;       /* a lane waits for a change of the state */
    struct inbox **touched; /* to be flushed with the batch */
    size_t n_touched, touched_capacity;
    struct {
        struct inbox *inbox;
        int lane;
        uint64_t number;
    } * added; /* deliveries of the open publication, to take back if it fails */
    size_t n_added, added_capacity;
    bool remember_added;
    struct ending *endings;
    size_t n_endings, endings_capacity;
    int64_t next_retry_ms;
    size_t n_attachments, n_tails;
    Carehub__V1__TraceLine **tail_lines; /* of this batch, in its arena */
    size_t n_tail_lines, tail_lines_capacity;

    struct tlog *tlog;               /* the audit log; NULL: none is kept */
    struct verify *verify;           /* of the whole store, if one is under way */
    struct policy_diff *policy_diff; /* the one that is being worked on; NULL: none */
    struct report_run *report_run;   /* pages of an access report that are still to be sent; NULL: none */
    struct backup *backup;           /* the one that is being made or fetched; NULL: none */
    int64_t backed_up_ms;

    struct u64map events; /* place → event_memory */
    struct event_memory *oldest_event, *newest_event;
    size_t events_bytes;

    uint64_t n_held;
    uint64_t held_looked_place; /* what is held was last looked at for changes up to here */
    struct counters counters;
};

/* Grows an array so that it has room for one more; for the arrays above. */
#define GROW(array, n, capacity)                                                                                       \
    do {                                                                                                               \
        if ((n) == (capacity)) {                                                                                       \
            (capacity) = (capacity) ? (capacity)*2 : 16;                                                               \
            (array) = xreallocarray((array), (capacity), sizeof *(array));                                             \
        }                                                                                                              \
    } while (0)

/* ---- core.c ----------------------------------------------------------------------------------------------------- */

/* Opens the batch's transaction if it is not open. Everything that changes state calls it first. */
void batch_open(struct core *core);
/* Appends an entry at the next place, and returns the place. Fills in format, place and time. The payload is sealed
 * with the key of `person`; if that is NULL, of the entry's patient; if there is none, with the hub's own. */
uint64_t batch_append(struct core *core, Entry *entry, const struct person *person, const void *payload,
                      size_t payload_size);
/* Reads an entry; NULL: there is none, or it is damaged (said in the daemon's log). In the arena. */
Entry *entry_read(struct core *core, uint64_t place, struct arena *arena);
/* Reads an entry and opens its payload. *entry is NULL unless the entry itself is sound; the result then says whether
 * it has a payload (STORE_OK), has none or no longer (STORE_NONE), or that is damaged. */
enum store_result entry_open(struct core *core, uint64_t place, struct arena *arena, struct log_record *record,
                             Entry **entry);
/* Reads an entry with its payload. NULL also if the payload has been erased. */
Entry *entry_read_payload(struct core *core, uint64_t place, struct arena *arena, const uint8_t **payload,
                          size_t *size);

/* The place of the first entry that is not before a time; the one behind the last entry if there is none. */
uint64_t place_from(struct core *core, int64_t at_ms);

struct person *person_get(struct core *core, uint64_t number);
/* Ends by an entry what has ended of a person by its date; and of all who are due, a batch's share of them. */
void expire_person(struct core *core, struct person *person);
void expire_due(struct core *core);
/* The person whose team and consent decide for `number`: itself, unless it was merged into another. */
struct person *person_deciding(struct core *core, uint64_t number);
/* For a given batch time: who an identifier or a number stands for; 0: nobody. */
uint64_t patient_resolve(struct core *core, const Carehub__V1__PatientRef *ref);
/* The same, but the record that the identifier was given to, whatever it was merged into since. */
uint64_t patient_find(struct core *core, const Carehub__V1__PatientRef *ref);

/* Sends after the commit. The message and all in it live in core->batch. */
void send_later(struct core *core, session_id to, Carehub__V1__ToClient *message);
void send_error(struct core *core, session_id to, const Error *error);
void mark_ready(struct core *core, struct inbox *inbox);
void mark_touched(struct core *core, struct inbox *inbox);

/* An error in the batch arena. Always returns false. */
bool refuse(struct core *core, Error **error, Carehub__V1__ErrorCode code, const char *field, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
bool error_retries(Carehub__V1__ErrorCode code);

void say(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Takes the time that the core is told. */
void time_take(struct core *core, struct core_time now);

/* ---- session.c -------------------------------------------------------------------------------------------------- */

void core_sessions_close(struct core *core);
/* Tells the gate which keys may come in. */
void send_standings(struct core *core);
/* What is no longer in standing must not receive either, nor listen; nor may a client go on with what it has no right
 * to any more. */
void drop_revoked(struct core *core);

/* ---- publish.c, admit.c, care_event.c, facts.c ------------------------------------------------------------------ */

void publish(struct core *core, struct session *session, const Carehub__V1__Publish *publish, size_t bytes);

/* An event that may enter. In the scratch arena. */
struct admitted {
    Carehub__V1__Event *event;
    uint8_t *bytes; /* its one serialised form */
    size_t size;
    uint8_t digest[DIGEST_BYTES];
    struct actor *author;
    uint64_t patient; /* 0: not known here */
};

bool admit_event(struct core *core, const struct client *client, const ProtobufCBinaryData *bytes,
                 struct admitted *admitted, Error **error);

/* What became of an item. */
struct taken {
    Carehub__V1__Confirmation__Status status;
    uint64_t place;
    uint64_t number;
    uint32_t in_flight;
};

bool take_event(struct core *core, const struct client *client, const ProtobufCBinaryData *bytes, struct taken *taken,
                Error **error);
bool take_fact(struct core *core, const struct client *client, const Fact *fact, struct taken *taken, Error **error);
/* The same without asking for rights: the hub's own facts. */
bool take_own_fact(struct core *core, const Fact *fact, struct taken *taken, Error **error);

/* A repeat of an id: REPEATED, or refused as a conflict. *found is false if the id is new. */
bool take_repeat(struct core *core, const ProtobufCBinaryData *id, const uint8_t digest[DIGEST_BYTES], bool *found,
                 struct taken *taken, Error **error);

/* Where and why a later decision was taken. */
struct later_mark {
    uint64_t place; /* of its LaterEntry; 0: it is the event's own decision */
    Carehub__V1__Cause cause;
};
static const struct later_mark NOT_LATER = {0, CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED};

/* Puts a decision about the event at a place into the inboxes it names: assigns the slots. In the scratch arena. */
Decision *decision_entry(struct core *core, const struct route_decision *decision, uint64_t place,
                         Carehub__V1__Lane lane, const struct later_mark *mark);
/* What routing needs to know of an event that is in the log. `original` is filled in for a correction. */
void route_input_of(struct core *core, const Entry *entry, struct route_input *input, struct route_original *original);
Carehub__V1__Lane lane_of(Carehub__V1__Urgency urgency);

/* ---- attach.c --------------------------------------------------------------------------------------------------- */

void attach(struct core *core, struct session *session, const Carehub__V1__Attach *message);
void detach(struct core *core, struct session *session, const Carehub__V1__Detach *message);
void acknowledge(struct core *core, struct session *session, const Carehub__V1__Ack *message);
void refuse_delivery(struct core *core, struct session *session, const Carehub__V1__Nack *message);
void add_credit(struct core *core, struct session *session, const Carehub__V1__Credit *message);
/* Ends an attachment; tells its session why, if there is an error. */
void attachment_end(struct core *core, struct inbox *inbox, const Error *error);
void session_detach_all(struct core *core, struct session *session, const Error *error);
/* Writes this batch's acknowledgement entries. */
void acks_flush(struct core *core);

/* ---- push.c ----------------------------------------------------------------------------------------------------- */

void push_all(struct core *core);
/* The event at a place, from memory or the log; NULL: damaged or erased. */
struct event_memory *event_get(struct core *core, uint64_t place);
void event_remember(struct core *core, const Entry *entry, const uint8_t *bytes, size_t size);
void events_forget(struct core *core);
/* Forgets those behind a place: they were rolled back, and the places will be others'. */
void events_forget_after(struct core *core, uint64_t place);
void events_trim(struct core *core);
/* A correction's notice: the event with its id, type, author's actor and what it corrects, and nothing else. */
size_t event_notice(const Carehub__V1__Event *event, uint8_t *out, size_t size);

/* ---- reconsider.c ----------------------------------------------------------------------------------------------- */

enum verdict { SEND, END, WAIT };

/* Is the actor still entitled, at this place of the log, to a delivery that waits? Its view may have become smaller,
 * never larger, or the delivery a notice: the item is changed. *why is the rule that denies. */
enum verdict reconsider(struct core *core, const struct inbox *inbox, struct event_memory *event, struct item *item,
                        Carehub__V1__Reason *why);
/* Would it be sent? If not: the rule that denies. */
bool still_entitled(struct core *core, const struct inbox *inbox, const struct item *item, Carehub__V1__Reason *why);

/* ---- endings.c -------------------------------------------------------------------------------------------------- */

/* Ends what push found must end; takes what is due. Called as a batch's first effects. */
void endings_take(struct core *core);
void end_later(struct core *core, const struct ending *ending);
/* Ends what has waited longer than the inbox's time to live: in a lane's order; refused, to be sent again. */
void expire_lane(struct core *core, struct inbox *inbox, int lane);
void expire_retries(struct core *core, struct inbox *inbox);
void dead_retry(struct core *core, const Carehub__V1__DeadRetried *fact);
/* Ends everything in it. */
void inbox_close(struct core *core, struct inbox *inbox);
/* Deliveries about a person, or who was merged into it, that have been sent and not been acknowledged. */
uint32_t in_flight_of(struct core *core, uint64_t patient);

/* ---- held.c ----------------------------------------------------------------------------------------------------- */

void held_add(struct core *core, uint64_t place, const Decision *decision, const struct later_mark *mark);
/* Can a held delivery be released or refused now? */
bool held_may_settle(struct core *core, uint64_t place, uint32_t actor, bool release, Error **error);
/* Settles it: decides again, or ends it with the reason given. */
bool held_settle(struct core *core, uint64_t place, uint32_t actor, bool release, Carehub__V1__Reason end);
/* Settles what is past its deadline, or can be decided now. */
void held_take_due(struct core *core);

/* ---- sweep.c ---------------------------------------------------------------------------------------------------- */

void sweep(struct core *core);

/* ---- behind.c --------------------------------------------------------------------------------------------------- */

enum { PERSON_NUMBERS_MAX = 64 };

/* Indexes entries by their person, and works later deliveries off: a little at a time. */
void behind(struct core *core);
/* The numbers of a person and of all who were merged into it. */
size_t person_numbers(struct core *core, uint64_t number, uint64_t numbers[PERSON_NUMBERS_MAX]);

#endif
