// From a native message to a scheme: which form, which sender, which name.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "fhir_medication.h"
#include "pharmacy_message.h"

enum { HTTP_NOT_FOUND = 404, HTTP_UNSUPPORTED_MEDIA_TYPE = 415 };

static struct pharmacy_message *own_of(const struct carehub_message *message)
{
    return message->own;
}

static bool find_sender(const struct pharmacy *self, struct carehub_message *message)
{
    const struct pharmacy_sender *sender = pharmacy_sender_find(self, message->native->peer);
    own_of(message)->sender = sender;
    if (sender != NULL) {
        snprintf(message->sender, sizeof message->sender, "%s", sender->name);
        message->confirm_by_spool = sender->confirm_by_spool != 0;
        return true;
    }
    if (message->native->peer[0] != '\0')
        pharmacy_refuse(message, CAREHUB_MESSAGE_REJECTED, "credentials", "",
                        "no sender has the name of these credentials; add one to 'senders' in the adapter's "
                        "configuration");
    else
        pharmacy_refuse(
            message, CAREHUB_MESSAGE_REJECTED, "sender", "",
            "nothing says who sends it; set 'default-sender' in the adapter's configuration, or give the sender "
            "credentials");
    return false;
}

// ---- Form

// The first byte that is no blank and no byte order mark. 0: there is none.
static unsigned char first_byte(const struct carehub_native *native)
{
    const unsigned char *bytes = native->bytes;
    for (size_t i = 0; i < native->len; i++)
        if (strchr(" \t\r\n\xEF\xBB\xBF\xFE\xFF", bytes[i]) == NULL)
            return bytes[i];
    return 0;
}

static bool find_form(struct carehub_message *message)
{
    struct pharmacy_message *own = own_of(message);
    const char *type = message->native->content_type;
    unsigned char first = first_byte(message->native);
    bool json = strstr(type, "json") != NULL, xml = !json && strstr(type, "xml") != NULL;
    own->fhir = json || (!xml && first == '{');
    own->media_type = own->fhir ? "application/fhir+json" : "application/xml";
    if (json || xml || first == '{' || first == '<')
        return true;
    own->status = HTTP_UNSUPPORTED_MEDIA_TYPE;
    pharmacy_refuse(message, CAREHUB_MESSAGE_REJECTED, "", "",
                    "it is neither XML nor JSON; send KMEHR as XML, or FHIR R4 as JSON");
    return false;
}

// ---- Place

// Behind "fhir/": the type, and the id if there is one. False when the path is none where FHIR is taken.
static bool split_path(const char *path, char type[CAREHUB_KIND_BYTES], const char **id)
{
    if (strncmp(path, "fhir", 4) != 0 || (path[4] != '\0' && path[4] != '/'))
        return false;
    path += 4;
    path += *path == '/';
    size_t len = strcspn(path, "/");
    snprintf(type, CAREHUB_KIND_BYTES, "%.*s", (int)(len < CAREHUB_KIND_BYTES ? len : 0), path);
    *id = path[len] == '/' ? path + len + 1 : "";
    return len < CAREHUB_KIND_BYTES && strchr(*id, '/') == NULL;
}

static bool is_taken(const char *type)
{
    static const char *const taken[] = {"", "Bundle", "MedicationStatement", "MedicationRequest", "MedicationDispense"};
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcmp(taken[i], type) == 0)
            return true;
    return false;
}

// Where FHIR is sent to has to fit what is sent. KMEHR is taken anywhere.
static bool check_place(struct carehub_message *message)
{
    const struct carehub_native *native = message->native;
    char type[CAREHUB_KIND_BYTES];
    const char *id;
    if (strcmp(native->transport, "http") != 0 || !own_of(message)->fhir)
        return true;
    if (split_path(native->name, type, &id) && is_taken(type))
        return true;
    own_of(message)->status = HTTP_NOT_FOUND;
    pharmacy_refuse(message, CAREHUB_MESSAGE_REJECTED, "URL", "FHIR R4, 3.1.0 (http)",
                    "there is nothing here; post to fhir, fhir/MedicationStatement, fhir/MedicationRequest or "
                    "fhir/MedicationDispense, or KMEHR to kmehr");
    return false;
}

// Once it has been read: type and id are those that the URL says.
static bool check_resource(struct carehub_message *message)
{
    const struct carehub_native *native = message->native;
    const struct medication_remarks *remarks = &own_of(message)->remarks;
    char type[CAREHUB_KIND_BYTES];
    const char *id;
    if (strcmp(native->transport, "http") != 0 || !own_of(message)->fhir || !split_path(native->name, type, &id))
        return true;
    if (type[0] != '\0' && strcmp(type, remarks->kind) != 0)
        pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, "resourceType", "FHIR R4, 3.1.0.8 (create)",
                        "it is another type of resource than the URL says");
    else if (id[0] != '\0' && strcmp(id, remarks->id) != 0)
        pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, "id", "FHIR R4, 3.1.0.4 (update)",
                        "the resource's id is not the one in the URL");
    else
        return true;
    return false;
}

// ---- Name

static void digest_part(crypto_hash_sha256_state *state, const void *bytes, size_t len)
{
    const uint8_t size[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};
    crypto_hash_sha256_update(state, size, sizeof size);
    crypto_hash_sha256_update(state, bytes, len);
}

// A message is the same one again when its sender says so (Idempotency-Key), or when it says the same of the same
// version. Without a version the same bytes may tell something new: a line that was active, stopped, and is active
// again. There, what was seen last decides, and a repeat changes nothing.
static void set_key(struct carehub_message *message)
{
    const struct carehub_native *native = message->native;
    const struct pharmacy_message *own = own_of(message);
    const Carehub__Pharmacy__V1__Scheme *scheme = own->scheme;
    bool versioned =
        scheme == NULL || (scheme->complete && (scheme->version[0] != '\0' || scheme->recorded[0] != '\0'));
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    digest_part(&state, message->sender, strlen(message->sender));
    digest_part(&state, native->idempotency_key, strlen(native->idempotency_key));
    if (native->idempotency_key[0] == '\0')
        digest_part(&state, native->bytes, native->len);
    if (native->idempotency_key[0] == '\0' && !versioned)
        digest_part(&state, &native->received_ms, sizeof native->received_ms);
    crypto_hash_sha256_final(&state, message->key);
}

static void read_content(struct carehub_message *message)
{
    struct pharmacy_message *own = own_of(message);
    const struct carehub_native *native = message->native;
    const struct kmehr_options kmehr = {
        .schema = own->sender->schema, .strict = own->sender->strict, .seen_ms = native->received_ms};
    const struct fhir_medication_options fhir = {.strict = own->sender->strict, .seen_ms = native->received_ms};
    own->scheme = own->fhir ? fhir_medication_read(native->bytes, native->len, &fhir, &own->error, &own->remarks)
                            : kmehr_read(native->bytes, native->len, &kmehr, &own->error, &own->remarks);
    snprintf(message->native_id, sizeof message->native_id, "%s", own->remarks.id);
    snprintf(message->kind, sizeof message->kind, "%s", own->remarks.kind);
}

bool pharmacy_open(const struct pharmacy *self, struct carehub_message *message)
{
    struct pharmacy_message *own = calloc(1, sizeof *own);
    if (own == NULL)
        return false;
    message->own = own;
    message->verdict = CAREHUB_MESSAGE_OPENED;
    own->remarks.kind = "";
    own->media_type = "";
    bool known = find_form(message) && check_place(message) && find_sender(self, message);
    if (!known)
        return true;
    read_content(message);
    set_key(message);
    if (own->scheme == NULL)
        pharmacy_refuse_content(message, &own->error);
    else
        check_resource(message);
    if (own->error.fault != MEDICATION_FAULT_MEMORY)
        return true;
    free(own);
    message->own = NULL;
    return false;
}
