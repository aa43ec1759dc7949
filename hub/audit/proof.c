#include "proof.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEADER "c2sp.org/tlog-proof@v1\n"
#define EXTRA "extra "
#define INDEX "index "

/* ---- tlog-proof, "Format" --------------------------------------------------------------------------------------- */

size_t tlog_proof_text(const struct tlog_proof *proof, char *text, size_t size)
{
    size_t needed = sizeof HEADER INDEX + 20 + 1 + proof->inclusion.n * (BASE64_HASH_CHARS + 1) + 1;
    if (needed + proof->checkpoint_size > size)
        return 0;
    size_t used = (size_t)snprintf(text, size, HEADER INDEX "%" PRIu64 "\n", proof->index);
    for (size_t i = 0; i < proof->inclusion.n; i++) {
        used += base64_write(proof->inclusion.hashes[i].bytes, MERKLE_HASH_BYTES, text + used);
        text[used++] = '\n';
    }
    text[used++] = '\n';
    memcpy(text + used, proof->checkpoint, proof->checkpoint_size);
    return used + proof->checkpoint_size;
}

/* The next line without its newline, if it begins with `prefix`, which is skipped; NULL: it does not. */
static const char *line_of(const char **at, const char *end, const char *prefix, size_t *size)
{
    size_t skip = strlen(prefix);
    const char *newline = memchr(*at, '\n', (size_t)(end - *at)), *line = *at;
    if (!newline || (size_t)(newline - line) < skip || memcmp(line, prefix, skip) != 0)
        return NULL;
    *at = newline + 1;
    *size = (size_t)(newline - line) - skip;
    return line + skip;
}

bool tlog_proof_parse(const char *text, size_t size, struct tlog_proof *proof)
{
    const char *at = text + sizeof HEADER - 1, *end = text + size, *line;
    size_t length, decoded;
    if (size < sizeof HEADER - 1 || size > TLOG_PROOF_MAX_BYTES || memcmp(text, HEADER, sizeof HEADER - 1) != 0)
        return false;
    line_of(&at, end, EXTRA, &length);
    line = line_of(&at, end, INDEX, &length);
    if (!line || !decimal_read(line, length, &proof->index))
        return false;
    proof->inclusion.n = 0;
    while ((line = line_of(&at, end, "", &length)) && length > 0) {
        if (proof->inclusion.n == MERKLE_PROOF_MAX ||
            !base64_read(line, length, proof->inclusion.hashes[proof->inclusion.n++].bytes, MERKLE_HASH_BYTES,
                         &decoded) ||
            decoded != MERKLE_HASH_BYTES)
            return false;
    }
    proof->checkpoint = at;
    proof->checkpoint_size = (size_t)(end - at);
    return line && at < end;
}

/* ---- Receipts --------------------------------------------------------------------------------------------------- */

bool origin_of_key(const char *origin, const struct vkey *vkey)
{
    size_t length = strlen(vkey->name);
    uint64_t generation;
    if (strncmp(origin, vkey->name, length) != 0)
        return false;
    return origin[length] == '\0' ||
           (origin[length] == '/' && decimal_read(origin + length + 1, strlen(origin + length + 1), &generation) &&
            generation >= 2);
}

/* False: the payload is not the one that the entry was logged with. */
static bool tree_leaf(const struct receipt *receipt, struct merkle_hash *hash)
{
    uint8_t content[LEAF_CONTENT_BYTES], leaf[LEAF_DATA_BYTES];
    if (receipt->has_payload)
        leaf_content(receipt->payload_salt, receipt->payload, receipt->payload_size, content);
    else
        memcpy(content, receipt->content, sizeof content);
    leaf_commitment(receipt->entry_salt, receipt->entry, receipt->entry_size, content, leaf);
    merkle_leaf(leaf, sizeof leaf, hash);
    return memcmp(content, receipt->content, sizeof content) == 0;
}

enum receipt_verdict receipt_check(const struct receipt *receipt, const struct vkey *vkey,
                                   struct checkpoint *checkpoint)
{
    const struct tlog_proof *proof = &receipt->proof;
    struct note note;
    struct merkle_hash leaf;
    if (!checkpoint_note_parse(proof->checkpoint, proof->checkpoint_size, &note, checkpoint))
        return RECEIPT_NO_CHECKPOINT;
    if (!origin_of_key(checkpoint->origin, vkey))
        return RECEIPT_OTHER_LOG;
    enum note_verdict verdict = note_verify(&note, vkey, NULL);
    if (verdict != NOTE_GOOD)
        return verdict == NOTE_FORGED ? RECEIPT_FORGED : RECEIPT_UNSIGNED;
    return tree_leaf(receipt, &leaf) &&
                   merkle_inclusion_holds(proof->index, checkpoint->size, &leaf, &proof->inclusion, &checkpoint->root)
               ? RECEIPT_GOOD
               : RECEIPT_NOT_INCLUDED;
}
