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

/* erasure_actor.c: the actor's card says nothing of the person any more; then what is left of earlier ones, a little at
 * a time. */
void actor_erase(struct core *core, uint32_t number, uint64_t place);
size_t actor_erase_rest(struct core *core, Carehub__V1__ErasureCard *card, size_t max);

static inline bool actor_is_natural(const Carehub__V1__ActorCard *card)
{
    return card->kind != CAREHUB__V1__ACTOR_KIND__ORGANISATION;
}

/* ---- key_changes.c ---------------------------------------------------------------------------------------------- */

/* A change of keys that is an entry now is made right behind it (keys_work), and again after a crash. */
void keys_change_later(struct core *core, uint64_t place, const Carehub__V1__KeysRotated *change);
bool keys_may_change_master(struct core *core, Error **error);
bool keys_rewrapping(const struct core *core);

#endif
