/* index.h - the index: rows that are not sealed, by which entries of the log are found: by their person, their id, the
 * delivery or the event that they are about. Each follows from one entry.
 *
 * Whoever finds an entry by such a row looks at the entry, and takes its word only. That no row has been taken away, so
 * that an access does not show any more, or been invented, is looked at by the check of all that is stored (scrub.h),
 * for each entry and for each row. So is what else follows and is not sealed, or can be taken away whole: what is still
 * to be read, when something of a person begins or ends, and the versions of cards that facts have made, without which
 * an older version would be in force again. Core thread only. */
#ifndef CAREHUB_INDEX_H
#define CAREHUB_INDEX_H

#include "core/core_private.h"

/* ---- entry_about.c: what an entry is about, for whoever has found it by a row ------------------------------------ */

/* The persons that it concerns: mostly one or none; two of a merging; of an erasure all numbers that the person had. At
 * most PERSON_NUMBERS_MAX. Returns their count. */
size_t entry_persons(const Entry *entry, uint64_t numbers[PERSON_NUMBERS_MAX]);
/* Is it one of these? */
bool entry_concerns(const Entry *entry, const uint64_t *numbers, size_t n);
/* The id of an event, kept or not, or of a fact; NULL: it is something else. */
const ProtobufCBinaryData *entry_id(const Entry *entry);
/* Has it this id (of 16 bytes)? */
bool entry_has_id(const Entry *entry, const ProtobufCBinaryData *id);
/* Is it a refusal or a new start of this delivery, or an end of it and perhaps of others? */
bool entry_of_slot(const Entry *entry, const Carehub__V1__Slot *slot);
/* The range with which it acknowledges the delivery; kind -1: in whatever way. NULL: it does not. */
const Carehub__V1__AckedRange *entry_acks(const Entry *entry, const Carehub__V1__Slot *slot, int kind);

/* For struct scrub, with the core: */
bool index_follows(void *core, const Entry *entry);
bool index_follows_person(void *core, const struct card *card);
bool index_check_some(void *core, size_t max);

#endif
