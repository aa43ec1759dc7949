/* audit_files.h - checkpoints, keys and tiles, as the verbs of `carehub audit` read them: from files, or from the hub.
 * The functions return an exit code, and have said what is wrong. */
#ifndef CAREHUB_CLI_AUDIT_FILES_H
#define CAREHUB_CLI_AUDIT_FILES_H

#include "audit/check.h"
#include "audit/minimum.h"
#include "audit/proof.h"
#include "session.h"

/* In a log's directory, beside minimum-index (audit/minimum.h). */
#define CHECKPOINT_FILE "checkpoint"
#define WITNESSED_FILE "checkpoint.witnessed" /* the last one that witnesses have cosigned */

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

/* The witnesses that --witness names. */
enum { WITNESS_KEYS_MAX = 16 };
struct witness_keys {
    struct vkey keys[WITNESS_KEYS_MAX];
    size_t n;
};
int witness_keys_read(const struct args *args, struct witness_keys *witnesses);
/* How many of them have cosigned a checkpoint. */
size_t witnesses_cosigned(const struct witness_keys *witnesses, const struct note *note);
/* All of them have to have done so, and soundly. */
int witnesses_check(const struct witness_keys *witnesses, const struct note *note);

/* How far the log of a checkpoint was pruned: by the note that says so ("": not at all), or by the file in a directory,
 * if there is one. It has to be of the same log, and signed with its key (NULL: that is not looked at). */
int minimum_take(const char *text, const struct checkpoint *of, const struct vkey *key, const char *whence,
                 uint64_t *minimum);
int minimum_read(const char *directory, const struct checkpoint *of, const struct vkey *key, uint64_t *minimum);
/* Was a tile pruned, rather than lost? */
bool tile_was_pruned(const struct tile *tile, uint64_t minimum);

/* A number in decimal digits alone, for JSON. Returns `text`. */
const char *digits_text(uint64_t number, char text[COUNT_CHARS]);

/* ---- The hub's -------------------------------------------------------------------------------------------------- */

/* The checkpoint of a log, and what goes with it: the first one, the second… 0: the one that grows. */
int audit_ask_checkpoint(struct session *session, uint64_t generation, Carehub__V1__Answer **answer);
/* Which of a hub's logs an origin is; 0: none of that key's. */
uint64_t audit_generation(const char *origin, const struct vkey *key);

/* Tells somebody at a terminal, once and after two seconds, what is waited for. */
void audit_waiting(int64_t since_ms, bool *said);

/* Its tiles. One that it has not, or a question that failed, is a tile that is not there; `code` then says that it has
 * been said why. */
struct hub_tiles {
    struct session *session;
    uint64_t generation, minimum;
    int code;
};
struct tile_source hub_tiles_source(struct hub_tiles *tiles);
/* Several at a time, at most HUB_TILES_MAX; bytes[i] has room for TILE_MAX_BYTES. */
enum { HUB_TILES_MAX = 32 };
int hub_tiles_read(const struct hub_tiles *tiles, const struct tile *tile, size_t n, uint8_t (*bytes)[TILE_MAX_BYTES]);

#endif
