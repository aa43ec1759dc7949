/* What comes from others in the audit log, by the first byte: a note with its checkpoint, a witness's answer, a
 * verifier key, a proof, a receipt, the name of a tile. What is parsed has to be what it says when it is written again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "audit/minimum.h"
#include "audit/proof.h"
#include "audit/tiles.h"
#include "receipt_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t some_key[NOTE_PUBLIC_KEY_BYTES] = {1};

static void fuzz_note(const char *text, size_t size)
{
    struct note note;
    struct vkey key;
    if (!note_parse(text, size, &note))
        return;
    assert(note.text_size < size && note.text[note.text_size - 1] == '\n' && note.n_signatures > 0);
    for (size_t i = 0; i < note.n_signatures; i++) {
        const struct note_signature *signature = &note.signatures[i];
        assert(signature->line >= text && signature->line + signature->line_size <= text + size);
        char *name = strndup(signature->name, signature->name_size);
        for (int type = NOTE_ED25519; type <= NOTE_COSIGNATURE; type += NOTE_COSIGNATURE - NOTE_ED25519)
            if (vkey_make(&key, name, (enum note_key_type)type, some_key)) {
                key.id = signature->key_id; /* so that the signature is looked at */
                assert(note_verify(&note, &key, NULL) != NOTE_UNSIGNED);
            }
        free(name);
    }
    struct checkpoint checkpoint, again;
    char written[CHECKPOINT_BYTES];
    if (checkpoint_parse(note.text, note.text_size, &checkpoint)) {
        size_t n = checkpoint_text(&checkpoint, written);
        assert(n <= note.text_size && memcmp(written, note.text, n) == 0);
        assert(checkpoint_parse(written, n, &again) && again.size == checkpoint.size);
    }
    struct minimum minimum;
    char said[MINIMUM_BYTES];
    if (minimum_note_parse(text, size, &note, &minimum)) {
        size_t n = minimum_text(&minimum, said);
        assert(n == note.text_size && memcmp(said, note.text, n) == 0);
        assert(!checkpoint_parse(note.text, note.text_size, &checkpoint)); /* never both */
    }
}

static void fuzz_key(const char *text)
{
    struct vkey key;
    char written[VKEY_BYTES];
    if (vkey_parse(text, &key))
        assert(strcmp(vkey_text(&key, written), text) == 0);
}

static void fuzz_proof(const char *text, size_t size)
{
    struct tlog_proof proof, again;
    static char written[TLOG_PROOF_MAX_BYTES];
    if (!tlog_proof_parse(text, size, &proof))
        return;
    size_t n = tlog_proof_text(&proof, written, sizeof written);
    assert(n > 0 && n <= size && tlog_proof_parse(written, n, &again) && again.index == proof.index);
}

static void fuzz_receipt(const char *text, size_t size)
{
    struct receipt_file file = {0};
    struct checkpoint checkpoint;
    struct vkey key;
    vkey_make(&key, "log.example", NOTE_ED25519, some_key);
    if (!receipt_file_read(&file, text, size)) {
        receipt_check(&file.receipt, &key, &checkpoint);
        json_object_put(receipt_readable(file.receipt.entry, file.receipt.entry_size,
                                         file.receipt.has_payload ? file.receipt.payload : NULL,
                                         file.receipt.payload_size));
    }
    receipt_file_end(&file);
}

static void fuzz_tile(const char *text)
{
    struct tile tile;
    char written[TILE_PATH_BYTES];
    if (tile_parse(text, &tile)) {
        assert(tile.level >= TILE_ENTRIES && tile.level < TILE_LEVELS && tile.width > 0 && tile.width <= TILE_WIDTH);
        assert(strcmp(tile_path(&tile, written), text) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct note lines;
    if (size == 0)
        return 0;
    char *text = malloc(size); /* exactly as long, with a final 0 for keys alone */
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    switch (data[0] % 6) {
    case 0:
        fuzz_note(text, size - 1);
        break;
    case 1:
        note_parse_signatures(text, size - 1, &lines);
        break;
    case 2:
        fuzz_key(text);
        break;
    case 3:
        fuzz_proof(text, size - 1);
        break;
    case 4:
        fuzz_tile(text);
        break;
    default:
        fuzz_receipt(text, size - 1);
    }
    free(text);
    return 0;
}
