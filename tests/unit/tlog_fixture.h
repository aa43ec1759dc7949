/* What the tests of a hub's audit log share. Directories are those of one log: hub->tlog, or a generation's below it.
 */
#ifndef CAREHUB_TLOG_FIXTURE_H
#define CAREHUB_TLOG_FIXTURE_H

#include "core_fixture.h"

#include "audit/tiles.h"

struct checkpoint;

const Carehub__V1__StatusAnswer *tlog_status(struct hub *hub);
/* Time goes by, and the core does what is due. */
void tlog_pass(struct hub *hub, int64_t ms);

/* The published checkpoint; false: there is none. And the minimum index; 0: nothing was pruned. */
bool tlog_checkpoint(const char *directory, struct checkpoint *checkpoint);
uint64_t tlog_minimum(const char *directory);
/* The files are what the checkpoint says. */
void tlog_assert_sound(const char *directory);
/* The leaves in the files are those of the entries that the hub has, in order. */
void tlog_assert_leaves(struct hub *hub, const char *directory);

void tlog_copy_file(const char *from, const char *to);
/* Ends the hub and keeps a copy of its database; or puts the copy back. */
void tlog_keep_database(struct hub *hub, bool back);
/* Opens it again after that. */
void tlog_start(struct hub *hub);

/* Asks for a verification of the whole store; the last of its answers. */
const Carehub__V1__VerifyAnswer *tlog_verified(struct hub *hub);

#endif
