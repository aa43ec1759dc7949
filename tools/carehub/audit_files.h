/* audit_files.h - checkpoints, keys and tiles, as the verbs of `carehub audit` read them: from files, or from the hub.
 * The functions return an exit code, and have said what is wrong. */
#ifndef CAREHUB_CLI_AUDIT_FILES_H
#define CAREHUB_CLI_AUDIT_FILES_H

#include "audit/check.h"
#include "audit/proof.h"
#include "session.h"

/* Reads a text file of at most `max` bytes; the caller frees *text. */
int audit_read_file(const char *path, size_t max, char **text);

/* A checkpoint and the text that it was read from, which `note` points into. Zeroed, or ended by checkpoint_file_end.
 */
struct checkpoint_file {
    char *text;
    struct note note;
    struct checkpoint checkpoint;
};

int checkpoint_file_read(struct checkpoint_file *file, const char *path);
/* Takes over `text`; `whence` names it in what is said. */
int checkpoint_file_take(struct checkpoint_file *file, char *text, const char *whence);
void checkpoint_file_end(struct checkpoint_file *file);
/* Is it signed with the key of its log? */
int checkpoint_file_verify(const struct checkpoint_file *file, const struct vkey *key, const char *whence);

/* --key, if it was given; *given is false without it. */
int audit_key(const struct args *args, struct vkey *key, bool *given);

/* The hub's checkpoint and what goes with it. */
int audit_ask_checkpoint(struct session *session, Carehub__V1__Answer **answer);

/* The hub's tiles. A tile that it has not, or a question that failed, is a tile that is not there; `code` then says
 * more. */
struct hub_tiles {
    struct session *session;
    int code;
};
struct tile_source hub_tiles_source(struct hub_tiles *tiles);
/* Several at a time, at most HUB_TILES_MAX; bytes[i] has room for TILE_MAX_BYTES. */
enum { HUB_TILES_MAX = 32 };
int hub_tiles_read(struct session *session, const struct tile *tiles, size_t n, uint8_t (*bytes)[TILE_MAX_BYTES]);

#endif
