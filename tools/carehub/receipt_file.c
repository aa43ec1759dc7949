#include "receipt_file.h"

#include <stdlib.h>
#include <string.h>

#include "jsonlex.h"
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

static const char *const MEMBERS[] = {"receipt", "entry", "salt", "content", "payloadSalt",
                                      "payload", "proof", "key",  "readable"};
enum { N_MEMBERS = sizeof MEMBERS / sizeof *MEMBERS };

/* Takes note of a name of the outermost object; false: it is none of a receipt's, or is there twice, of which others
 * might read the other one. A name that is written with an escape is none. */
static bool member_once(const char *name, size_t size, bool seen[N_MEMBERS])
{
    for (size_t i = 0; i < N_MEMBERS; i++)
        if (strlen(MEMBERS[i]) == size && memcmp(MEMBERS[i], name, size) == 0) {
            bool again = seen[i];
            seen[i] = true;
            return !again;
        }
    return false;
}

/* Looks at all names of the outermost object of a text that is JSON. */
static bool members_once(const char *text, size_t size)
{
    bool seen[N_MEMBERS] = {false};
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        depth += text[i] == '{' || text[i] == '[';
        depth -= text[i] == '}' || text[i] == ']';
        if (text[i] != '"')
            continue;
        size_t begin = ++i;
        while (i < size && text[i] != '"')
            i += text[i] == '\\' ? 2 : 1;
        size_t next = i + 1;
        while (next < size && strchr(" \t\r\n", text[next]))
            next++;
        if (depth == 1 && next < size && text[next] == ':' && !member_once(text + begin, i - begin, seen))
            return false;
    }
    return true;
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
    const char *expected;
    if (size > RECEIPT_FILE_MAX_BYTES || jsonlex_valid_prefix(text, size, &expected) != size ||
        !(file->json = parse(text, size)))
        return "it is no JSON";
    if (!members_once(text, size))
        return "a member is there twice, or is none of a receipt's";
    const char *name = text_of(file->json, "receipt"), *proof = text_of(file->json, "proof");
    if (!name || strcmp(name, RECEIPT_NAME) != 0)
        return "it does not say that it is a \"" RECEIPT_NAME "\"";
    if (!bytes_of(file, "entry", 0, &receipt->entry, &receipt->entry_size))
        return "\"entry\" is missing or is not base64";
    if (!bytes_of(file, "salt", LEAF_SALT_BYTES, &receipt->entry_salt, &fixed))
        return "\"salt\" is missing or is not 32 bytes in base64";
    if (!bytes_of(file, "content", LEAF_CONTENT_BYTES, &receipt->content, &fixed))
        return "\"content\" is missing or is not 32 bytes in base64";
    receipt->has_payload = json_object_object_get_ex(file->json, "payload", NULL);
    if (receipt->has_payload != json_object_object_get_ex(file->json, "payloadSalt", NULL))
        return "of \"payload\" and \"payloadSalt\" there is only one";
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

uint64_t receipt_place(const struct receipt *receipt)
{
    Carehub__V1__Entry *entry = carehub__v1__entry__unpack(NULL, receipt->entry_size, receipt->entry);
    uint64_t place = entry ? entry->place : 0;
    carehub__v1__entry__free_unpacked(entry, NULL);
    return place;
}

bool receipt_file_holds(const char *text, const char *key)
{
    struct receipt_file file = {0};
    struct checkpoint checkpoint;
    struct vkey vkey;
    bool holds = vkey_parse(key, &vkey) && !receipt_file_read(&file, text, strlen(text)) &&
                 receipt_check(&file.receipt, &vkey, &checkpoint) == RECEIPT_GOOD &&
                 receipt_place(&file.receipt) == file.receipt.proof.index + 1;
    receipt_file_end(&file);
    return holds;
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
