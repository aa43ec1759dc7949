/* note.h - signed notes (C2SP signed-note), checkpoints (C2SP tlog-checkpoint), and witnesses' cosignatures (C2SP
 * tlog-cosignature, Ed25519). Any thread; nothing is allocated: what is parsed points into what was handed in. */
#ifndef CAREHUB_NOTE_H
#define CAREHUB_NOTE_H

#include "merkle.h"

enum {
    NOTE_MAX_BYTES = 64 << 10,
    NOTE_SIGNATURES_MAX = 32,
    NOTE_NAME_BYTES = 256, /* of a key or log, with the final 0 */
    NOTE_PUBLIC_KEY_BYTES = 32,
    NOTE_SIGNATURE_BYTES = 64,
    NOTE_TIME_BYTES = 8, /* before a cosignature */
    NOTE_LINE_BYTES = NOTE_NAME_BYTES + 128,
    VKEY_BYTES = NOTE_NAME_BYTES + 64, /* as text */
    CHECKPOINT_BYTES = NOTE_NAME_BYTES + 128,
};

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

/* signed-note, "Signature types". */
enum note_key_type { NOTE_ED25519 = 0x01, NOTE_COSIGNATURE = 0x04 };

/* What verifies: signed-note, "Verifier keys". */
struct vkey {
    char name[NOTE_NAME_BYTES];
    uint32_t id; /* the first four bytes of SHA-256 over name, newline, type, key */
    enum note_key_type type;
    uint8_t public_key[NOTE_PUBLIC_KEY_BYTES];
};

/* False: no name for a key (empty, too long, or with a space or a plus). */
bool vkey_make(struct vkey *vkey, const char *name, enum note_key_type type,
               const uint8_t public_key[NOTE_PUBLIC_KEY_BYTES]);
/* False: not well-formed, not of these types, or its id is not that of its name and key. */
bool vkey_parse(const char *text, struct vkey *vkey);
const char *vkey_text(const struct vkey *vkey, char text[VKEY_BYTES]);
bool vkey_name_usable(const char *name);

/* ---- Notes ------------------------------------------------------------------------------------------------------ */

struct note_signature {
    const char *line; /* the whole line, newline included */
    size_t line_size;
    const char *name;
    size_t name_size;
    uint32_t key_id;
    uint8_t bytes[NOTE_TIME_BYTES + NOTE_SIGNATURE_BYTES];
    size_t size; /* larger than `bytes`: of a type that is not known here, and not copied */
};

struct note {
    const char *text; /* with its last newline */
    size_t text_size;
    size_t n_signatures;
    struct note_signature signatures[NOTE_SIGNATURES_MAX];
};

/* False: not a note. */
bool note_parse(const char *bytes, size_t size, struct note *note);
/* The signature lines alone, as a witness answers (tlog-witness, "add-checkpoint"). */
bool note_parse_signatures(const char *bytes, size_t size, struct note *note);

enum note_verdict {
    NOTE_UNSIGNED, /* not by this key */
    NOTE_GOOD,
    NOTE_FORGED, /* there is a signature of that name and id, and it is wrong: reject the whole note */
};

/* Verifies what a key has signed of the note. *cosigned_s (may be NULL) is a cosignature's time, in s since 1970. */
enum note_verdict note_verify(const struct note *note, const struct vkey *vkey, int64_t *cosigned_s);

/* A signature line of an Ed25519 key, newline included. Returns its size. */
size_t note_signature_line(const struct vkey *vkey, const uint8_t signature[NOTE_SIGNATURE_BYTES],
                           char line[NOTE_LINE_BYTES]);

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

struct checkpoint {
    char origin[NOTE_NAME_BYTES];
    uint64_t size;
    struct merkle_hash root;
};

/* The text that is signed: three lines. Returns its size. */
size_t checkpoint_text(const struct checkpoint *checkpoint, char text[CHECKPOINT_BYTES]);
/* Extension lines are allowed, and mean nothing here. */
bool checkpoint_parse(const char *text, size_t size, struct checkpoint *checkpoint);
/* Both at once: a note that is a checkpoint. */
bool checkpoint_note_parse(const char *bytes, size_t size, struct note *note, struct checkpoint *checkpoint);

/* ---- Base64 (RFC 4648, section 4: with padding), as all of these formats have it ---------------------------------- */

enum { BASE64_HASH_CHARS = 44 };

/* Writes `size` bytes as text with a final 0; returns its length. `text` has room for 4 * ((size + 2) / 3) + 1. */
size_t base64_write(const void *bytes, size_t size, char *text);
/* False: not the one way to write some bytes, or more than `max` of them. */
bool base64_read(const char *text, size_t length, void *bytes, size_t max, size_t *size);

/* A decimal number without leading zeroes. */
bool decimal_read(const char *text, size_t length, uint64_t *number);

#endif
