/* erasure.h - what goes for good: a person in care, what names an actor, keys. Core thread only.
 *
 * A person who is erased is unreachable with the commit of the auditor's confirmation: the key that opens what is
 * sealed with it and the identifiers that lead to it go with that transaction. What is left of the person (entries,
 * versions of the card, what is held or dead, ids) goes behind the hot path, a little at a time, each entry once; after
 * a crash it goes on where it was. At the end an ErasedEntry says what was erased, when, and who asked for and
 * confirmed it; and the write-ahead log is emptied.
 *
 * An entry that has been erased keeps its place, time and leaf: every proof of other entries stays as it was. Its
 * deliveries that still wait end with END_ERASED when their turn comes. */
#ifndef CAREHUB_ERASURE_H
#define CAREHUB_ERASURE_H

#include "core/core_private.h"

enum { ERASURE_LAPSES_DAYS = 30 };

/* An erasure has been asked for (card->requested). */
void erasure_asked(struct core *core, const Carehub__V1__ErasureCard *card);
/* The one asked for at a place that waits to be confirmed, and when it lapses; NULL: there is none. In the scratch
 * arena. */
Carehub__V1__ErasureCard *erasure_find(struct core *core, uint64_t request, int64_t *lapses_ms);
/* It is confirmed. The batch is open. */
void erasure_begin(struct core *core, uint64_t request, uint64_t confirmed, uint32_t confirmed_by);

/* Erases an entry; it counts on the card unless that has been done before. Ends with an empty scratch arena. */
void erase_entry(struct core *core, Carehub__V1__ErasureCard *card, uint64_t place);

/* erasure_merged.c: what a person's identifiers were used for while its record was merged into another's, that of
 * somebody who stays. Notes the identifiers, before they go; notes a host, from an entry of the person that is about to
 * be erased (the card is unpacked with the default allocator); and erases what is of the person among the hosts'
 * entries: returns how many it looked at, less than max when it is done. */
void merged_note_identifiers(struct core *core, Carehub__V1__ErasureCard *card);
void merged_note_host(Carehub__V1__ErasureCard *card, const Entry *entry);
size_t merged_erase(struct core *core, Carehub__V1__ErasureCard *card, size_t max);

/* erasure_actor.c: the actor's card says nothing of the person any more; then what is left of earlier ones, a little at
 * a time. */
void actor_erase(struct core *core, uint32_t number, uint64_t place);
size_t actor_erase_rest(struct core *core, Carehub__V1__ErasureCard *card, size_t max);

static inline bool actor_is_natural(const Carehub__V1__ActorCard *card)
{
    return card->kind != CAREHUB__V1__ACTOR_KIND__ORGANISATION;
}

/* The actor, as a subject, whom an entry names: a natural person whose display name, identifiers and the like are in
 * it. Such an entry is sealed with that actor's key, and so are the actor's cards. 0: it names none. */
uint64_t actor_named(const Entry *entry);
/* That key; made if the actor has none yet. */
void actor_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES]);
bool actor_erased(struct core *core, uint32_t number);

/* ---- convert.c -------------------------------------------------------------------------------------------------- */

/* Brings what a database of schema 5 holds into the form of this version: at its first start, with progress; after a
 * crash it goes on. The log is open, nothing is loaded yet. */
void convert_stored(struct store *store, struct log *log);

/* ---- key_changes.c ---------------------------------------------------------------------------------------------- */

/* A change of keys that is an entry now is made right behind it (keys_work), and again after a crash. */
void keys_change_later(struct core *core, uint64_t place, const Carehub__V1__KeysRotated *change);
bool keys_may_change_master(struct core *core, Error **error);
bool keys_rewrapping(const struct core *core);

#endif
