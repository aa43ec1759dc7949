/* minimum.h - how far a log was pruned. C2SP tlog-tiles ("Pruning") says what a minimum index is: files that hold
 * nothing at or behind it may be gone. How it is made known it leaves open. Here it is a file beside the checkpoint,
 * "minimum-index", a note signed with the log's key:
 *
 *     carehub minimum index 1
 *     <origin of the log>
 *     <minimum index>
 *
 * Signed, so that nobody but the hub can take files away and call that pruning. No file: nothing was pruned. It only
 * ever grows; an older one asks for more files than there have to be. */
#ifndef CAREHUB_MINIMUM_H
#define CAREHUB_MINIMUM_H

#include "note.h"

#define MINIMUM_FILE "minimum-index"

enum { MINIMUM_BYTES = NOTE_NAME_BYTES + 64 };

struct minimum {
    char origin[NOTE_NAME_BYTES];
    uint64_t index;
};

/* The text that is signed: three lines. Returns its size. */
size_t minimum_text(const struct minimum *minimum, char text[MINIMUM_BYTES]);
/* A note of that text, its signatures not yet verified. False: it is none. */
bool minimum_note_parse(const char *bytes, size_t size, struct note *note, struct minimum *minimum);

#endif
