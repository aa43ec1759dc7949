#include "receipt_file.h"

#include <stdlib.h>
#include <string.h>

#include "pbjson.h"

#define RECEIPT_NAME "carehub receipt 1"

enum { JSON_DEPTH = 32, READABLE_BYTES_MAX = 256 << 10 };

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static const char *text_of(struct json_object *json, const char *name)
{
    struct json_object *value;
    return json_object_object_get_ex(json, name, &value) && json_object_is_type(value, json_type_string)
               ? json_object_get_string(value)
               : NULL;
}

/* Bytes from base64; `exact` bytes unless that is 0. False: not there, or wrong. */
static bool bytes_of(struct receipt_file *file, const char *name, size_t exact, const uint8_t **bytes, size_t *size)
{
    const char *text = text_of(file->json, name);
    size_t length = text ? strlen(text) : 0;
    uint8_t *read = calloc(1, length + 1);
    if (!read)
        abort();
    file->blocks[file->n_blocks++] = read;
    *bytes = read;
    return text && base64_read(text, length, read, length, size) && (exact == 0 || *size == exact);
}

static struct json_object *parse(const char *text, size_t size)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_DEPTH);
    if (!tokener)
        abort();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *json = json_tokener_parse_ex(tokener, text, (int)size);
    if (json && !json_object_is_type(json, json_type_object)) {
        json_object_put(json);
        json = NULL;
    }
    json_tokener_free(tokener);
    return json;
}

const char *receipt_file_read(struct receipt_file *file, const char *text, size_t size)
{
    struct receipt *receipt = &file->receipt;
    size_t fixed;
    if (size > RECEIPT_FILE_MAX_BYTES || !(file->json = parse(text, size)))
        return "it is no JSON";
    const char *name = text_of(file->json, "receipt"), *proof = text_of(file->json, "proof");
    if (!name || strcmp(name, RECEIPT_NAME) != 0)
        return "it does not say that it is a \"" RECEIPT_NAME "\"";
    if (!bytes_of(file, "entry", 0, &receipt->entry, &receipt->entry_size))
        return "\"entry\" is missing or is not base64";
    if (!bytes_of(file, "salt", LEAF_SALT_BYTES, &receipt->entry_salt, &fixed))
        return "\"salt\" is missing or is not 32 bytes in base64";
    if (!bytes_of(file, "content", LEAF_CONTENT_BYTES, &receipt->content, &fixed))
        return "\"content\" is missing or is not 32 bytes in base64";
    receipt->has_payload = text_of(file->json, "payload") != NULL;
    if (receipt->has_payload && (!bytes_of(file, "payload", 0, &receipt->payload, &receipt->payload_size) ||
                                 !bytes_of(file, "payloadSalt", LEAF_SALT_BYTES, &receipt->payload_salt, &fixed)))
        return "\"payload\" or \"payloadSalt\" is not base64";
    if (!proof || !tlog_proof_parse(proof, strlen(proof), &receipt->proof))
        return "\"proof\" is missing or is not in the form of C2SP tlog-proof";
    return NULL;
}

void receipt_file_end(struct receipt_file *file)
{
    json_object_put(file->json);
    for (size_t i = 0; i < file->n_blocks; i++)
        free(file->blocks[i]);
    *file = (struct receipt_file){0};
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void add_bytes(struct json_object *json, const char *name, const ProtobufCBinaryData *bytes)
{
    char *text = malloc(4 * ((bytes->len + 2) / 3) + 1);
    if (!text)
        abort();
    base64_write(bytes->data, bytes->len, text);
    json_object_object_add(json, name, json_object_new_string(text));
    free(text);
}

/* Takes the message. */
static void add_message(struct json_object *json, const char *name, ProtobufCMessage *message)
{
    if (!message)
        return;
    json_object_object_add(json, name, pbjson_object(message, PBJSON_UUID));
    protobuf_c_message_free_unpacked(message, NULL);
}

struct json_object *receipt_readable(const uint8_t *entry, size_t entry_size, const uint8_t *payload,
                                     size_t payload_size)
{
    struct json_object *json = json_object_new_object();
    Carehub__V1__Entry *read =
        entry_size <= READABLE_BYTES_MAX ? carehub__v1__entry__unpack(NULL, entry_size, entry) : NULL;
    if (!json)
        abort();
    bool fact = read && read->what_case == CAREHUB__V1__ENTRY__WHAT_FACT;
    if (read)
        add_message(json, "entry", &read->base);
    if (payload && payload_size <= READABLE_BYTES_MAX)
        add_message(json, fact ? "fact" : "event",
                    fact ? (ProtobufCMessage *)carehub__v1__fact__unpack(NULL, payload_size, payload)
                         : (ProtobufCMessage *)carehub__v1__event__unpack(NULL, payload_size, payload));
    return json;
}

struct json_object *receipt_file_json(const Carehub__V1__ProveAnswer *proved)
{
    struct json_object *json = json_object_new_object();
    if (!json)
        abort();
    json_object_object_add(json, "receipt", json_object_new_string(RECEIPT_NAME));
    add_bytes(json, "entry", &proved->entry);
    add_bytes(json, "salt", &proved->salt);
    add_bytes(json, "content", &proved->content);
    if (proved->has_payload) {
        add_bytes(json, "payloadSalt", &proved->payload_salt);
        add_bytes(json, "payload", &proved->payload);
    }
    json_object_object_add(json, "proof", json_object_new_string(proved->proof));
    json_object_object_add(json, "key", json_object_new_string(proved->key));
    json_object_object_add(json, "readable",
                           receipt_readable(proved->entry.data, proved->entry.len,
                                            proved->has_payload ? proved->payload.data : NULL, proved->payload.len));
    return json;
}
