/* keeping.h - what the core asks of the parts that keep what is stored, and let it go: verify.c, backup.c, retention.c,
 * erasure.c, key_changes.c. The audit log has a header of its own (tlog.h). Core thread only. */
#ifndef CAREHUB_KEEPING_H
#define CAREHUB_KEEPING_H

#include "core/core_private.h"

/* What has become of an event that cannot be had any more: END_ERASED or END_EXPIRED (it is no longer kept); 0: it is
 * damaged. */
Carehub__V1__Reason event_gone(struct core *core, uint64_t place);
/* Is its payload still kept? */
bool event_kept(struct core *core, uint64_t place);

/* Each does a little of what is due, and returns how much it has looked at; at most `max` or a little more (behind.c).
 */
size_t erasures_work(struct core *core, size_t max);
size_t keys_work(struct core *core, size_t max);
size_t retention_work(struct core *core, size_t max);
/* Between a commit and what is said of it: changes the keyring as that batch's entries say. */
void keys_change_now(struct core *core);
void retention_open(struct core *core);

/* Goes on with the verification of the store. */
void verify_step(struct core *core);
void verify_end(struct core *core);

/* Goes on with the copying for a backup: a slice, between two transactions. */
void backup_step(struct core *core);
/* Is there anything left to copy? */
bool backup_copies(const struct core *core);
void backup_end(struct core *core);
/* Removes what a crash in the midst of copying left. */
void backup_tidy(struct core *core);

#endif
