/* store.h - the hub's local database: one SQLite file, for the embedded log and for the state that follows from it, so
 * that an entry and its effects commit in one transaction.
 *
 * Every row that matters is sealed (vault.h); it opens only where it was put. One connection, on the core's thread,
 * in exclusive locking mode: no other process can open the file.
 *
 * Errors. A write that fails ends the process at once (store_fail): a commit that returned an error may yet be found
 * after a restart, so nothing may be confirmed or denied after one; repeats are recognised by their ids. A row that
 * does not open is reported as STORE_DAMAGED and never passed on. */
#ifndef CAREHUB_STORE_H
#define CAREHUB_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

#include "arena.h"
#include "keyring.h"
#include "vault.h"

enum { STORE_SCHEMA_VERSION = 6, STORE_ERROR_BYTES = 512 };

/* ERASED: what was there has been erased with its subject, a person in care or an actor. Of an entry place, time and
 * leaf stay; of a subject that there was one. */
enum store_result { STORE_OK = 0, STORE_NONE = 1, STORE_DAMAGED = 2, STORE_ERASED = 3 };

/* The statements, each prepared once; the rows' tables are described in store.c. */
struct store;

/* Opens or creates the database, and its keyring into the vault. Sets and reads back what durability rests on; refuses
 * a newer schema, another master key, a database whose keyring is missing. kdf: as for keyring_init. */
struct store *store_open(const char *path, struct vault *vault, const struct keyring_kdf *kdf,
                         char error[STORE_ERROR_BYTES]);
void store_close(struct store **store);
/* Is it a database of this version, one that opening does not rewrite? */
bool store_is_current(const char *path);

sqlite3 *store_database(struct store *store);
const char *store_path(const struct store *store);
struct vault *store_vault(struct store *store);
struct keyring *store_keyring(struct store *store);

/* Transactions. One mark at a time. */
void store_begin(struct store *store);
void store_commit(struct store *store);
void store_mark(struct store *store);
void store_release(struct store *store);
void store_rollback_to_mark(struct store *store);

/* Says what failed, and ends the process without running anything more. */
_Noreturn void store_fail(struct store *store, const char *what);

/* ---- Cards: versioned state rows --------------------------------------------------------------------------------- */

enum card_kind { CARD_ACTOR = 1, CARD_CLIENT = 2, CARD_INBOX = 3, CARD_PATIENT = 4, CARD_POLICY = 5 };

#define PLACE_LATEST INT64_MAX

struct card {
    uint64_t number;
    uint64_t from_place;
    uint8_t *body; /* in the arena */
    size_t size;
};

/* The version of a card from `from_place` on. Written twice at one place, the last one counts. The card of an actor who
 * has a key is sealed with it, any other with the hub's own. */
void store_card_put(struct store *store, enum card_kind kind, uint64_t number, uint64_t from_place, const void *body,
                    size_t size);
/* The version in force at a place, that place's own included. */
enum store_result store_card_get(struct store *store, enum card_kind kind, uint64_t number, uint64_t at_place,
                                 struct arena *arena, struct card *card);
/* Removes the versions before the one that was in force at a place. */
void store_cards_forget(struct store *store, enum card_kind kind, uint64_t number, uint64_t at_place);
void store_card_remove(struct store *store, enum card_kind kind, uint64_t number, uint64_t from_place);
/* The place of its first version, or 0. */
uint64_t store_card_first(struct store *store, enum card_kind kind, uint64_t number);
/* Calls `each` with the latest version of every card of a kind, by number. */
enum store_result store_card_each(struct store *store, enum card_kind kind, struct arena *arena,
                                  void (*each)(void *ctx, const struct card *card), void *ctx);

/* ---- Persons ----------------------------------------------------------------------------------------------------- */

/* Subjects from here on are actors who are natural persons: this plus their number. */
#define STORE_ACTOR_SUBJECTS (1ULL << 62)

/* Subject 0 is the hub itself: it seals the payloads of entries that concern no person. */
void store_subject_create(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES]);
enum store_result store_subject_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES]);
uint64_t store_subject_last(struct store *store);

/* A person's row, which a decision about that person needs: the key and the card in force, in one look-up. */
enum store_result store_person_get(struct store *store, uint64_t number, uint8_t key[VAULT_KEY_BYTES],
                                   struct arena *arena, struct card *card);
/* The version of a person's card from `from_place` on, which is the latest: in its row, and among the versions. */
void store_person_put(struct store *store, uint64_t number, const uint8_t key[VAULT_KEY_BYTES], uint64_t from_place,
                      const void *body, size_t size);

void store_identifier_put(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t subject);
void store_identifier_remove(struct store *store, const uint8_t hash[DIGEST_BYTES]);
/* DAMAGED: the row does not prove that it leads to this person; *subject is 0 then, and if there is none. */
enum store_result store_identifier_find(struct store *store, const uint8_t hash[DIGEST_BYTES], uint64_t *subject);
/* The identifiers that lead to a person, by their hashes: at most max. Returns their count. */
size_t store_identifiers_of(struct store *store, uint64_t subject, uint8_t (*hashes)[DIGEST_BYTES], size_t max);
/* Gives rows of schema 5 their proof, at most `max` of those behind `after`, which goes on with them. Returns how many
 * it looked at. */
size_t store_identifiers_prove(struct store *store, uint8_t after[DIGEST_BYTES], size_t max);

/* Removes a subject's key, for good, and all identifiers that lead to it. What stays says that it has been erased; its
 * number is not used again. A subject that never had a key is erased, too. */
void store_subject_erase(struct store *store, uint64_t subject);

/* Wraps the keys of the subjects behind `after` with the current epoch's key, at most max of them. Returns how many it
 * looked at, and in *last the last of them. A key that does not open is left as it is. */
size_t store_subjects_rewrap(struct store *store, int64_t after, size_t max, int64_t *last);

/* When something of a person ends or begins by its date. Put again with another date, both stand; a person that is
 * looked at in vain costs nothing. */
void store_due_put(struct store *store, uint64_t subject, int64_t at_ms);
/* The first that is due; false: none before or at that time. */
bool store_due_next(struct store *store, int64_t now_ms, uint64_t *subject, int64_t *at_ms);
void store_due_remove(struct store *store, uint64_t subject, int64_t at_ms);
bool store_due_has(struct store *store, uint64_t subject, int64_t at_ms);

/* ---- Ids of events and facts ------------------------------------------------------------------------------------- */

void store_id_put(struct store *store, const uint8_t id[16], uint64_t place);
/* The place of the entry with that id, or 0. */
uint64_t store_id_find(struct store *store, const uint8_t id[16]);
void store_id_remove(struct store *store, const uint8_t id[16]);
/* Forgets at most `limit` ids that are older than before_ms and came before before_place. Returns how many. */
int store_ids_forget(struct store *store, int64_t before_ms, uint64_t before_place, int limit);

/* ---- Entries that name an actor ---------------------------------------------------------------------------------- */

/* The entry at a place is sealed with that subject's key. */
void store_named_put(struct store *store, uint64_t place, uint64_t subject);
enum store_result store_named_find(struct store *store, uint64_t place, uint64_t *subject);
void store_named_remove(struct store *store, uint64_t place);
/* Entries behind `after` and up to `through` of which schema 5 left nothing at all: at most max. Returns their count.
 */
int store_entries_empty(struct store *store, uint64_t after, uint64_t through, uint64_t *places, int max);

/* Named numbers ("ids-known-from-ms"…). */
void store_number_put(struct store *store, const char *name, int64_t number);
int64_t store_number_get(struct store *store, const char *name, int64_t otherwise);

/* ---- Inboxes ----------------------------------------------------------------------------------------------------- */

void store_lane_put(struct store *store, uint32_t inbox, int lane, const void *body, size_t size);
enum store_result store_lane_get(struct store *store, uint32_t inbox, int lane, struct arena *arena, struct card *card);

/* A segment: the deliveries that one commit added to a lane, packed; last_number is that of its last one. */
void store_segment_put(struct store *store, uint32_t inbox, int lane, uint64_t last_number, const void *body,
                       size_t size);
/* The segment that holds `number` (the first that ends at or behind it); card->number is its last number. */
enum store_result store_segment_get(struct store *store, uint32_t inbox, int lane, uint64_t number, struct arena *arena,
                                    struct card *card);
void store_segments_drop(struct store *store, uint32_t inbox, int lane, uint64_t through_number);

void store_exception_put(struct store *store, uint32_t inbox, int lane, uint64_t number, const void *body, size_t size);
void store_exception_remove(struct store *store, uint32_t inbox, int lane, uint64_t number);
enum store_result store_exception_each(struct store *store, uint32_t inbox, struct arena *arena,
                                       void (*each)(void *ctx, int lane, const struct card *card), void *ctx);

/* What is held: by the place of its event and the actor (card->from_place is the actor here). */
void store_held_put(struct store *store, uint64_t place, uint32_t actor, const void *body, size_t size);
bool store_held_any(struct store *store, uint64_t place);
/* All that is held of the event at a place. Returns how many. */
int store_held_remove_all(struct store *store, uint64_t place);
void store_held_remove(struct store *store, uint64_t place, uint32_t actor);
enum store_result store_held_get(struct store *store, uint64_t place, uint32_t actor, struct arena *arena,
                                 struct card *card);
enum store_result store_held_each(struct store *store, struct arena *arena,
                                  bool (*each)(void *ctx, uint32_t actor, const struct card *card), void *ctx);

/* ---- Where to look for what became of a delivery (for traces; each a place of the log) --------------------------- */

/* The acknowledgement entry that covers the numbers up to `to`. */
void store_acked_put(struct store *store, uint32_t inbox, int lane, int kind, uint64_t to, uint64_t place);
uint64_t store_acked_find(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after);

/* An entry about one delivery, or about a range that ends with `number`. Inbox 0: an entry about the event at place
 * `number`, with one of these instead of a lane. */
enum {
    STEP_LANE_HELD = 0,
    STEP_LANE_CORRECTED = 1,
    STEP_LANE_LATER = 2,
    STEP_LANE_REPLAY_END = 3,
    STEP_LANE_VERIFIED = 4,
    STEP_LANE_EMERGENCY = 5, /* of number 0: every emergency access that was given */
    STEP_LANE_EMERGENCY_ENDED = 6
}; /* what ended one, given at place `number`, before its time */
enum { STEP_LANE_LAST = STEP_LANE_EMERGENCY_ENDED };
void store_step_put(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t place);
/* The places of steps from `number` on, in order, at most max. Returns their count. */
int store_steps_find(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t *places, int max);

/* Removes the steps of exactly that number. */
void store_steps_remove(struct store *store, uint32_t inbox, int lane, uint64_t number);
/* The places of steps of exactly that number behind `after`, in order, at most max. Returns their count. */
int store_steps_of(struct store *store, uint32_t inbox, int lane, uint64_t number, uint64_t after, uint64_t *places,
                   int max);
/* The acknowledgement entries whose ranges may cover a number, at most max. Returns their count. */
int store_acked_places(struct store *store, uint32_t inbox, int lane, int kind, uint64_t number, uint64_t after,
                       uint64_t *places, int max);

/* Removes the steps of a number, and the acknowledgements up to it. */
void store_number_forget(struct store *store, uint32_t inbox, int lane, uint64_t number);

/* When the commit that ended with last_place was on disk. */
void store_commit_time_put(struct store *store, uint64_t last_place, int64_t at_ms);
void store_commit_times_forget(struct store *store, uint64_t through_place);
int64_t store_commit_time_find(struct store *store, uint64_t place);

/* ---- What is made behind the hot path (behind.c), and worked off later (store_behind.c) -------------------------- */

/* Entries by the person that they concern. Like `due` only numbers, not sealed: what is found is checked. */
void store_of_person_put(struct store *store, uint64_t person, uint64_t place);
/* The first of a person's from a place on; the last before a place. 0: none. */
uint64_t store_of_person_next(struct store *store, uint64_t person, uint64_t from_place);
uint64_t store_of_person_last(struct store *store, uint64_t person, uint64_t before_place);

void store_of_person_remove(struct store *store, uint64_t person, uint64_t place);

/* ---- The index as a whole (store_index.c): the rows by which entries are found ----------------------------------- */

enum index_table { INDEX_OF_PERSON, INDEX_ID, INDEX_STEP, INDEX_ACKED, INDEX_TABLES };

struct index_row {
    enum index_table table;
    int64_t key[4]; /* of_person: person; step: inbox, lane, number; acked: inbox, lane, kind, last number */
    uint8_t id[16]; /* id */
    uint64_t place;
};

bool store_index_has(struct store *store, const struct index_row *row);
/* The first number up to which acknowledgements of a lane are still indexed; UINT64_MAX: none. */
uint64_t store_acked_first(struct store *store, uint32_t inbox, int lane, int kind);

/* How far a walk through all of it has come; all zero: it has not begun. */
struct index_walk {
    bool begun;
    int table;
    int64_t after[5];
    uint8_t after_id[16];
};
/* NULL: a row that cannot be read. */
typedef void store_index_each(void *ctx, const struct index_row *row);
/* Calls `each` with the next rows, at most max, and returns how many they were. Less than max: that was the end, and
 * the next call begins anew. */
size_t store_index_walk(struct store *store, struct index_walk *walk, size_t max, store_index_each *each, void *ctx);

/* ---- Work -------------------------------------------------------------------------------------------------------- */

/* What is to be done for the fact at a place, from at_ms on; those of one kind in order of time. Of erasures that wait
 * for their confirmation, at_ms is when they lapse. */
enum work_kind {
    WORK_LATE_JOINER = 0,
    WORK_REPLAY = 1,
    WORK_ERASURE_ASKED = 2,
    WORK_ERASURE = 3,
    WORK_KEYS = 4,
    WORK_RETAIN = 5
};
void store_work_put(struct store *store, enum work_kind kind, int64_t at_ms, uint64_t place, const void *body,
                    size_t size);
/* The first that is due behind (after_ms, after_place), which it sets to what it found. */
enum store_result store_work_next(struct store *store, enum work_kind kind, int64_t now_ms, int64_t *after_ms,
                                  uint64_t *after_place, struct arena *arena, struct card *card);
void store_work_remove(struct store *store, enum work_kind kind, int64_t at_ms, uint64_t place);
uint64_t store_work_count(struct store *store, enum work_kind kind);

/* Deliveries to be read by a time: the decision's place and its actor. `told_nobody`: it was not, and nobody was left
 * to be told instead; such are looked at again. */
struct unread {
    bool told_nobody;
    int64_t due_ms;
    uint64_t place;
    uint32_t actor;
};
void store_unread_put(struct store *store, const struct unread *unread);
void store_unread_remove(struct store *store, const struct unread *unread);
bool store_unread_has(struct store *store, const struct unread *unread);
/* Those that are due, first those that are told nobody of yet; at most max. Returns their count. */
int store_unread_due(struct store *store, int64_t now_ms, struct unread *due, int max);
uint64_t store_unread_count(struct store *store); /* of which nobody was told */

/* After the next commit nothing stays in the write-ahead log: what was erased is in none of its pages any more. */
void store_truncate_wal(struct store *store);

uint64_t store_size_bytes(struct store *store);
uint64_t store_wal_bytes(struct store *store);
/* Free on the database's disk, for this user; UINT64_MAX if it cannot be told. */
uint64_t store_free_bytes(struct store *store);

/* ---- For the log's implementation over the same file ------------------------------------------------------------- */

enum store_statement_entry {
    STORE_ENTRY_PUT,
    STORE_ENTRY_GET,
    STORE_ENTRY_LAST,
    STORE_ENTRY_LEAVES,
    STORE_ENTRY_ERASE,
    STORE_ENTRY_DROP_PAYLOAD,
    STORE_ENTRY_PRUNE,
    STORE_ENTRY_CONVERT
};
sqlite3_stmt *store_entry_statement(struct store *store, enum store_statement_entry which);
/* Steps a statement that returns nothing, resets it; ends the process on an error. */
void store_run(struct store *store, sqlite3_stmt *statement);

#endif
