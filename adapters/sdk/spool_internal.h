/* spool_internal.h - the spool's parts, for its own files only. */
#ifndef SDK_SPOOL_INTERNAL_H
#define SDK_SPOOL_INTERNAL_H

#include <pthread.h>

#include "error.h"
#include "sdk_limits.h"
#include "spool.h"
#include "spool_record.h"

enum {
    SEGMENT_MOST_BYTES = 16 << 20,
    SEGMENT_LEAST_BYTES = 256 << 10,
    OUTSTANDING_MAX = 2 * PUBLISH_SPAN, /* taken and not settled; a power of 2 */
    PROGRESS_EVERY = 256,               /* settled records, or when nothing is outstanding */
    REMARKS_MAX = 16,
    SEGMENT_NAME_CHARS = 32,
};

struct segment {
    uint64_t first;        /* in its name: no record in it has a lower number */
    uint64_t last;         /* number of its last record */
    uint64_t end;          /* offset behind it */
    uint64_t unread;       /* records not yet taken … */
    uint64_t unread_bytes; /* … and their bytes */
    bool damaged;          /* kept for people when it is done with */
};

/* What is handed back to a publisher of this process. */
struct spool_tag {
    uint64_t number;
    carehub_confirm_fn *fn; /* NULL: its record was not written after all */
    void *arg;
};

struct batch;

struct spool {
    /* Constant once open. */
    uint64_t max_bytes;
    uint64_t segment_bytes;
    uint8_t key[SPOOL_KEY_BYTES];
    int dir_fd;
    int lock_fd;

    pthread_mutex_t lock;
    pthread_cond_t written; /* a batch is on disk, or failed */
    /* Under the lock. */
    struct segment *segments; /* oldest first */
    size_t n_segments;
    size_t segments_room;
    uint64_t last;    /* number given out last */
    uint64_t durable; /* number of the last record on disk */
    uint64_t waiting;
    uint64_t waiting_bytes;
    uint64_t refused;
    uint64_t refused_bytes;
    struct batch *gathering;
    bool writing;           /* some appender is writing a batch */
    bool failed;            /* nothing is appended any more */
    struct spool_tag *tags; /* a ring of tags_room, a power of 2 */
    size_t tags_room;
    uint64_t tags_head;
    uint64_t tags_end;

    /* Of whoever set `writing`. */
    int write_fd; /* -1: the next batch starts a segment */
    uint64_t write_first;
    uint64_t write_offset;

    /* Of the sending thread. */
    struct record_reader reader;
    int read_fd;
    uint64_t read_first; /* the segment's */
    uint64_t read_through;
    bool peeked;
    bool drained;
    struct outstanding_record {
        uint64_t number;
        uint32_t bytes;
        bool settled;
    } * outstanding; /* a ring of OUTSTANDING_MAX, by ticket */
    uint64_t outstanding_head;
    uint64_t outstanding_end;
    uint64_t settled_through; /* every number up to here is settled */
    uint32_t unsaved;         /* settled since progress was noted */
    int progress_fd;
    int refused_fd;
    uint64_t refused_next; /* number of the next record in the refused file */
    char remarks[REMARKS_MAX][ERROR_TEXT_BYTES];
    unsigned n_remarks;
    unsigned remarks_told;
};

/* spool_files.c */
void segment_name(char name[SEGMENT_NAME_CHARS], const char *kind, uint64_t first);
/* Opens the folder and takes its lock. CAREHUB_OK or CAREHUB_IO. */
int spool_take_folder(struct spool *s, const char *dir);
/* Loads the key, or makes it where there is nothing yet to read with it. */
int spool_load_key(struct spool *s, const struct spool_config *config, bool in_use);
/* Makes a file with its header, whole or not at all, and durable with its name; its fd, or -1 with errno. */
int spool_make_file(struct spool *s, const char *name, const char *magic, uint64_t first, uint64_t room_bytes);
/* Writes all of it; false with errno. */
bool write_all(int fd, const uint8_t *data, size_t size, uint64_t offset);
void spool_note(struct spool *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void progress_load(struct spool *s);
void progress_save(struct spool *s);

/* spool_scan.c: finds the segments and what waits in them. */
int spool_scan(struct spool *s);
/* Is there anything that was written with a key? */
bool spool_holds_data(struct spool *s);
/* Appends to the list; false: out of memory. */
bool segment_add(struct spool *s, const struct segment *segment);

/* spool_tags.c: what to hand back with which record; under the lock. */
bool tag_room(struct spool *s);
void tag_add(struct spool *s, uint64_t number, carehub_confirm_fn *fn, void *arg);
void tag_cancel(struct spool *s, uint64_t first, uint64_t last);
void tag_take(struct spool *s, uint64_t number, carehub_confirm_fn **fn, void **arg);

/* spool_read.c: deletes the segments in which everything is settled (but not the one that is being written). */
void spool_release(struct spool *s);

/* spool_refused.c: opens the file if there is one. */
int refused_open(struct spool *s);

#endif
