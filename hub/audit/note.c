#include "note.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#define DASH "\xe2\x80\x94 " /* an em dash and a space begin a signature line */

enum {
    KEY_ID_BYTES = 4,
    TYPE_BYTES = 1,
    SIGNATURE_MAX_BYTES = 8192, /* of unknown types; post-quantum ones are nearly 5 kB */
    COSIGNED_MAX_BYTES = 64,    /* the lines before the text */
};

/* ---- Base64 and numbers ----------------------------------------------------------------------------------------- */

size_t base64_write(const void *bytes, size_t size, char *text)
{
    size_t room = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    sodium_bin2base64(text, room, bytes, size, sodium_base64_VARIANT_ORIGINAL);
    return room - 1;
}

bool base64_read(const char *text, size_t length, void *bytes, size_t max, size_t *size)
{
    /* Bits that are left over must be 0, and padding complete: libsodium sees to both. But it takes bytes above 127 for
     * characters of the alphabet. */
    const char *end;
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] > 127)
            return false;
    return sodium_base642bin(bytes, max, text, length, NULL, size, &end, sodium_base64_VARIANT_ORIGINAL) == 0 &&
           end == text + length;
}

bool decimal_read(const char *text, size_t length, uint64_t *number)
{
    uint64_t value = 0;
    if (length == 0 || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
            return false;
    }
    *number = value;
    return true;
}

static uint32_t big_endian(const uint8_t bytes[KEY_ID_BYTES])
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

/* The length of the Unicode space (White_Space property) that the text begins with; 0: of none. */
static size_t unicode_space(const unsigned char *s, size_t left)
{
    if (s[0] == ' ' || (s[0] >= '\t' && s[0] <= '\r'))
        return 1;
    if (left >= 2 && s[0] == 0xc2 && (s[1] == 0x85 || s[1] == 0xa0))
        return 2;
    if (left < 3)
        return 0;
    bool space =
        (s[0] == 0xe1 && s[1] == 0x9a && s[2] == 0x80) ||
        (s[0] == 0xe2 && s[1] == 0x80 && ((s[2] >= 0x80 && s[2] <= 0x8a) || (s[2] & 0xfe) == 0xa8 || s[2] == 0xaf)) ||
        (s[0] == 0xe2 && s[1] == 0x81 && s[2] == 0x9f) || (s[0] == 0xe3 && s[1] == 0x80 && s[2] == 0x80);
    return space ? 3 : 0;
}

static bool name_usable(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)name[i] <= ' ' || name[i] == '+' || unicode_space((const unsigned char *)name + i, size - i))
            return false;
    return size > 0 && size < NOTE_NAME_BYTES;
}

bool vkey_name_usable(const char *name)
{
    return name_usable(name, strlen(name));
}

bool vkey_make(struct vkey *vkey, const char *name, enum note_key_type type,
               const uint8_t public_key[NOTE_PUBLIC_KEY_BYTES])
{
    uint8_t hash[MERKLE_HASH_BYTES], head[2] = {'\n', (uint8_t)type};
    if (!vkey_name_usable(name))
        return false;
    *vkey = (struct vkey){.type = type};
    memcpy(vkey->name, name, strlen(name));
    memcpy(vkey->public_key, public_key, NOTE_PUBLIC_KEY_BYTES);
    audit_sha256(name, strlen(name), head, sizeof head, public_key, NOTE_PUBLIC_KEY_BYTES, hash);
    vkey->id = big_endian(hash);
    return true;
}

bool vkey_parse(const char *text, struct vkey *vkey)
{
    uint8_t id[KEY_ID_BYTES], key[TYPE_BYTES + NOTE_PUBLIC_KEY_BYTES];
    char name[NOTE_NAME_BYTES];
    size_t size;
    const char *hex = strchr(text, '+'), *base64 = hex ? strchr(hex + 1, '+') : NULL;
    if (!base64 || (size_t)(hex - text) >= sizeof name || base64 - hex - 1 != 2 * KEY_ID_BYTES)
        return false;
    snprintf(name, sizeof name, "%.*s", (int)(hex - text), text);
    for (const char *c = hex + 1; c < base64; c++)
        if (!strchr("0123456789abcdef", *c))
            return false;
    if (sodium_hex2bin(id, sizeof id, hex + 1, 2 * KEY_ID_BYTES, NULL, &size, NULL) != 0 ||
        !base64_read(base64 + 1, strlen(base64 + 1), key, sizeof key, &size) || size != sizeof key ||
        (key[0] != NOTE_ED25519 && key[0] != NOTE_COSIGNATURE))
        return false;
    return vkey_make(vkey, name, (enum note_key_type)key[0], key + TYPE_BYTES) && vkey->id == big_endian(id);
}

const char *vkey_text(const struct vkey *vkey, char text[VKEY_BYTES])
{
    uint8_t key[TYPE_BYTES + NOTE_PUBLIC_KEY_BYTES] = {(uint8_t)vkey->type};
    memcpy(key + TYPE_BYTES, vkey->public_key, NOTE_PUBLIC_KEY_BYTES);
    int used = snprintf(text, VKEY_BYTES, "%s+%08" PRIx32 "+", vkey->name, vkey->id);
    base64_write(key, sizeof key, text + used);
    return text;
}

/* ---- Parsing ---------------------------------------------------------------------------------------------------- */

/* UTF-8 (RFC 3629) without control characters other than newline. */
static bool text_sound(const char *bytes, size_t size)
{
    const unsigned char *s = (const unsigned char *)bytes;
    for (size_t i = 0, more; i < size; i += 1 + more) {
        uint32_t point = s[i];
        more = point < 0x80 ? 0 : point >> 5 == 0x6 ? 1 : point >> 4 == 0xe ? 2 : point >> 3 == 0x1e ? 3 : size;
        if (more >= size - i || (point < 0x20 && point != '\n'))
            return false;
        if (more > 0)
            point &= 0x3fU >> more;
        for (size_t k = 1; k <= more; k++) {
            if (s[i + k] >> 6 != 0x2)
                return false;
            point = point << 6 | (s[i + k] & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    return true;
}

/* Takes a signature line apart; `size` with its newline. */
static bool parse_line(const char *line, size_t size, struct note_signature *signature)
{
    size_t dash = sizeof DASH - 1, decoded;
    uint8_t bytes[KEY_ID_BYTES + SIGNATURE_MAX_BYTES];
    if (size < dash + 1 || memcmp(line, DASH, dash) != 0)
        return false;
    *signature = (struct note_signature){.line = line, .line_size = size, .name = line + dash};
    const char *space = memchr(signature->name, ' ', size - dash);
    if (!space)
        return false;
    signature->name_size = (size_t)(space - signature->name);
    if (!name_usable(signature->name, signature->name_size) ||
        !base64_read(space + 1, (size_t)(line + size - 1 - (space + 1)), bytes, sizeof bytes, &decoded) ||
        decoded <= KEY_ID_BYTES)
        return false;
    signature->key_id = big_endian(bytes);
    signature->size = decoded - KEY_ID_BYTES;
    if (signature->size <= sizeof signature->bytes)
        memcpy(signature->bytes, bytes + KEY_ID_BYTES, signature->size);
    return true;
}

static bool parse_lines(const char *at, const char *end, struct note *note)
{
    note->n_signatures = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        if (!newline || note->n_signatures == NOTE_SIGNATURES_MAX ||
            !parse_line(at, (size_t)(newline + 1 - at), &note->signatures[note->n_signatures]))
            return false;
        note->n_signatures++;
        at = newline + 1;
    }
    return note->n_signatures > 0;
}

bool note_parse(const char *bytes, size_t size, struct note *note)
{
    if (size == 0 || size > NOTE_MAX_BYTES || bytes[size - 1] != '\n' || !text_sound(bytes, size))
        return false;
    size_t blank = size; /* where the last empty line begins */
    for (size_t i = 1; i < size; i++)
        if (bytes[i] == '\n' && bytes[i - 1] == '\n')
            blank = i;
    if (blank == size)
        return false;
    note->text = bytes;
    note->text_size = blank;
    return parse_lines(bytes + blank + 1, bytes + size, note);
}

bool note_parse_signatures(const char *bytes, size_t size, struct note *note)
{
    note->text = bytes;
    note->text_size = 0;
    return size > 0 && size <= NOTE_MAX_BYTES && bytes[size - 1] == '\n' && text_sound(bytes, size) &&
           parse_lines(bytes, bytes + size, note);
}

/* ---- Signatures ------------------------------------------------------------------------------------------------- */

static bool verify_ed25519(const struct vkey *vkey, const uint8_t *signature, const char *message, size_t size)
{
    return crypto_sign_verify_detached(signature, (const unsigned char *)message, size, vkey->public_key) == 0;
}

/* tlog-cosignature, "Ed25519 signed message": two lines before the text. */
static bool verify_cosignature(const struct vkey *vkey, const struct note *note, const struct note_signature *signature,
                               int64_t *cosigned_s)
{
    char head[COSIGNED_MAX_BYTES];
    uint64_t time = 0;
    for (int i = 0; i < NOTE_TIME_BYTES; i++)
        time = time << 8 | signature->bytes[i];
    if (time == 0 || time > INT64_MAX) /* tlog-witness: a cosignature of a checkpoint has a time */
        return false;
    size_t used = (size_t)snprintf(head, sizeof head, "cosignature/v1\ntime %" PRIu64 "\n", time);
    char *message = malloc(used + note->text_size);
    if (!message)
        abort();
    memcpy(message, head, used);
    memcpy(message + used, note->text, note->text_size);
    bool good = verify_ed25519(vkey, signature->bytes + NOTE_TIME_BYTES, message, used + note->text_size);
    free(message);
    if (cosigned_s)
        *cosigned_s = (int64_t)time;
    return good;
}

static bool verify_one(const struct note *note, const struct note_signature *signature, const struct vkey *vkey,
                       int64_t *cosigned_s)
{
    if (vkey->type == NOTE_COSIGNATURE)
        return signature->size == NOTE_TIME_BYTES + NOTE_SIGNATURE_BYTES &&
               verify_cosignature(vkey, note, signature, cosigned_s);
    return signature->size == NOTE_SIGNATURE_BYTES &&
           verify_ed25519(vkey, signature->bytes, note->text, note->text_size);
}

enum note_verdict note_verify(const struct note *note, const struct vkey *vkey, int64_t *cosigned_s)
{
    enum note_verdict verdict = NOTE_UNSIGNED;
    for (size_t i = 0; i < note->n_signatures; i++) {
        const struct note_signature *signature = &note->signatures[i];
        if (signature->key_id != vkey->id || signature->name_size != strlen(vkey->name) ||
            memcmp(signature->name, vkey->name, signature->name_size) != 0)
            continue;
        if (!verify_one(note, signature, vkey, cosigned_s))
            return NOTE_FORGED;
        verdict = NOTE_GOOD;
    }
    return verdict;
}

size_t note_signature_line(const struct vkey *vkey, const uint8_t signature[NOTE_SIGNATURE_BYTES],
                           char line[NOTE_LINE_BYTES])
{
    uint8_t bytes[KEY_ID_BYTES + NOTE_SIGNATURE_BYTES];
    for (int i = 0; i < KEY_ID_BYTES; i++)
        bytes[i] = (uint8_t)(vkey->id >> (24 - 8 * i));
    memcpy(bytes + KEY_ID_BYTES, signature, NOTE_SIGNATURE_BYTES);
    size_t used = (size_t)snprintf(line, NOTE_LINE_BYTES, DASH "%s ", vkey->name);
    used += base64_write(bytes, sizeof bytes, line + used);
    line[used++] = '\n';
    line[used] = '\0';
    return used;
}

/* ---- Checkpoints ------------------------------------------------------------------------------------------------ */

size_t checkpoint_text(const struct checkpoint *checkpoint, char text[CHECKPOINT_BYTES])
{
    size_t used = (size_t)snprintf(text, CHECKPOINT_BYTES, "%s\n%" PRIu64 "\n", checkpoint->origin, checkpoint->size);
    used += base64_write(checkpoint->root.bytes, MERKLE_HASH_BYTES, text + used);
    text[used++] = '\n';
    text[used] = '\0';
    return used;
}

/* The next line without its newline; NULL: there is none. */
static const char *next_line(const char **at, const char *end, size_t *size)
{
    const char *line = *at, *newline = line < end ? memchr(line, '\n', (size_t)(end - line)) : NULL;
    if (!newline)
        return NULL;
    *size = (size_t)(newline - line);
    *at = newline + 1;
    return line;
}

bool checkpoint_parse(const char *text, size_t size, struct checkpoint *checkpoint)
{
    const char *at = text, *end = text + size, *line;
    size_t length, decoded;
    line = next_line(&at, end, &length);
    if (!line || length == 0 || length >= sizeof checkpoint->origin || memchr(line, '\0', length))
        return false;
    memcpy(checkpoint->origin, line, length);
    checkpoint->origin[length] = '\0';
    line = next_line(&at, end, &length);
    if (!line || !decimal_read(line, length, &checkpoint->size) || checkpoint->size > MERKLE_SIZE_MAX)
        return false;
    line = next_line(&at, end, &length);
    if (!line || !base64_read(line, length, checkpoint->root.bytes, MERKLE_HASH_BYTES, &decoded) ||
        decoded != MERKLE_HASH_BYTES)
        return false;
    while (at < end)
        if (!next_line(&at, end, &length) || length == 0)
            return false;
    return true;
}

bool checkpoint_note_parse(const char *bytes, size_t size, struct note *note, struct checkpoint *checkpoint)
{
    return note_parse(bytes, size, note) && checkpoint_parse(note->text, note->text_size, checkpoint);
}
