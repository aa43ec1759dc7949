/* tlog_disk.h - the disk under an audit log's directory, whose power can fail. The directory's files are changed as
 * usual; beside it this keeps what is durable of them: what was there at the last syncfs, what was written into a file
 * before its fsync, and names that were changed before their directory's. Linked with --wrap: openat, write, mkdir,
 * mkdirat, renameat, unlinkat, fsync, syncfs. One thread, a process that may die.
 *
 * What is not durable may be there all the same, or not: nothing of it, the first changes of names, or any of them; and
 * of a file whose name is there and whose bytes are not durable nothing, a part, zeroes, or all. */
#ifndef CAREHUB_TLOG_DISK_H
#define CAREHUB_TLOG_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_loss { DISK_LOSES_ALL, DISK_KEEPS_FIRST, DISK_KEEPS_ANY, DISK_LOSSES };

struct disk_plan {
    const char *directory; /* the log's; need not be there yet */
    enum disk_loss loss;
    uint64_t seed;
    bool deaf; /* syncfs does nothing: the control, which shows that losses are noticed */
    /* A file took this name, whole: somebody may have read it since. */
    void (*named)(const char *name, const void *bytes, size_t size);
};

/* Takes what is in the directory for durable. */
void disk_watch(const struct disk_plan *plan);
/* The power fails: leaves in the directory what a disk would have. */
void disk_power_fails(void);

#endif
