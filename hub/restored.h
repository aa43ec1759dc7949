/* restored.h - what an operator has to know, and to do, after a backup was put back. */
#ifndef CAREHUB_RESTORED_H
#define CAREHUB_RESTORED_H

#include "keeping/restore.h"

/* Says it on standard output. `tlog_directory`: of the audit log; NULL: the hub keeps none. */
void restored_tell(const struct restore *restore, const char *tlog_directory);

#endif
