/* receipt_file.h - a receipt as a file: JSON, of which the hub's format is
 *
 *     {"receipt": "carehub receipt 1",
 *      "entry": …, "salt": …, "content": …,        base64: the entry as it is in the log, and what opens its leaf
 *      "payloadSalt": …, "payload": …,             base64; not there if the content has gone, or was left out
 *      "proof": "c2sp.org/tlog-proof@v1\n…",       C2SP tlog-proof: index, inclusion proof, signed checkpoint
 *      "key": …,                                   the verifier key, for convenience: the one to trust comes otherwise
 *      "readable": {"entry": {…}, "event": {…}}}   the same for people; nothing checks it
 *
 * No other members, and none twice; payload and payloadSalt only together. Pure: prints nothing, opens nothing. */
#ifndef CAREHUB_CLI_RECEIPT_FILE_H
#define CAREHUB_CLI_RECEIPT_FILE_H

#include <json-c/json.h>

#include "audit/proof.h"
#include "carehub/v1/wire.pb-c.h"

enum { RECEIPT_FILE_MAX_BYTES = 1 << 20 };

/* A receipt, and the memory that it points into. Zeroed, or ended by receipt_file_end. */
struct receipt_file {
    struct receipt receipt;
    struct json_object *json;
    void *blocks[5];
    size_t n_blocks;
};

/* NULL: it is one; else what is wrong with it. */
const char *receipt_file_read(struct receipt_file *file, const char *text, size_t size);
void receipt_file_end(struct receipt_file *file);

/* The place that the entry says it has; 0: it cannot be read. */
uint64_t receipt_place(const struct receipt *receipt);
/* Does everything in it hold, by that verifier key? */
bool receipt_file_holds(const char *text, const char *key);

/* What the hub has proved, as such a file. The caller puts the object. */
struct json_object *receipt_file_json(const Carehub__V1__ProveAnswer *proved);

/* The entry and its payload for people: {"entry": …, "event": …} or "fact". Only what can be read is in it. */
struct json_object *receipt_readable(const uint8_t *entry, size_t entry_size, const uint8_t *payload,
                                     size_t payload_size);

#endif
