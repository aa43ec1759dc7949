// The plug-in: medication schemes of pharmacies, as KMEHR and as FHIR R4, in and out.
#include <stdlib.h>
#include <string.h>

#include <libxml/parser.h>
#include <sodium.h>

#include "pharmacy_follow.h"
#include "pharmacy_message.h"

enum { EVENT_REMARKS_MAX = 16 };

typedef Carehub__V1__Event Event;

static void *configure(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    xmlInitParser();
    return pharmacy_config_read(section, folder, error);
}

static void destroy(void *self)
{
    struct pharmacy *pharmacy = self;
    pharmacy_config_destroy(&pharmacy);
}

static bool needs_spool(const void *self)
{
    const struct pharmacy *pharmacy = self;
    for (size_t i = 0; i < pharmacy->n_senders; i++)
        if (pharmacy->senders[i].confirm_by_spool)
            return true;
    return false;
}

static bool open_message(const void *self, struct carehub_message *message)
{
    return pharmacy_open(self, message);
}

static void slim(struct carehub_message *message)
{
    struct pharmacy_message *own = message->own;
    if (own == NULL || own->scheme == NULL)
        return;
    carehub__pharmacy__v1__scheme__free_unpacked(own->scheme, NULL);
    own->scheme = NULL;
}

static void close_message(struct carehub_message *message)
{
    slim(message);
    free(message->own);
    message->own = NULL;
}

// ---- The event

// The rules that were broken without harm, each once.
static size_t list_remarks(const struct medication_remarks *from, char *list[EVENT_REMARKS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < from->count && n < EVENT_REMARKS_MAX; i++) {
        size_t j = 0;
        while (j < n && strcmp(list[j], from->at[i].rule) != 0)
            j++;
        if (j == n)
            list[n++] = (char *)from->at[i].rule;
    }
    return n;
}

// The scheme stays with its sender: the event says which message it is in.
static void refer(const struct carehub_message *message, const Carehub__V1__MedicationChanged *body,
                  uint8_t digest[crypto_hash_sha256_BYTES], Carehub__V1__Reference *reference)
{
    const struct pharmacy_message *own = message->own;
    *reference = (Carehub__V1__Reference)CAREHUB__V1__REFERENCE__INIT;
    reference->system = (char *)own->sender->name;
    reference->id = message->native_id[0] != '\0' ? (char *)message->native_id : body->scheme_id;
    crypto_hash_sha256(digest, message->native->bytes, message->native->len);
    reference->sha256 = (ProtobufCBinaryData){crypto_hash_sha256_BYTES, digest};
    reference->size_bytes = message->native->len;
    reference->media_type = (char *)own->media_type;
}

static void emit(struct carehub_message *message, struct carehub_memory *memory, Carehub__V1__MedicationChanged *body)
{
    const struct pharmacy_message *own = message->own;
    Event event = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__Source source = CAREHUB__V1__SOURCE__INIT;
    Carehub__V1__Time received = CAREHUB__V1__TIME__INIT;
    Carehub__V1__Reference reference;
    char *remarks[EVENT_REMARKS_MAX];
    uint8_t digest[crypto_hash_sha256_BYTES];
    patient.n_identifiers = own->scheme->n_patient;
    patient.identifiers = own->scheme->patient;
    author.actor = own->sender->actor != NULL ? own->sender->actor : author.actor;
    author.role = own->sender->role;
    source.system = (char *)own->sender->name;
    source.native_format = (char *)(own->fhir ? "FHIR R4" : "KMEHR");
    source.native_version = (char *)(own->fhir ? "4.0.1" : "");
    source.adapter_version = (char *)CAREHUB_VERSION;
    source.n_remarks = list_remarks(&own->remarks, remarks);
    source.remarks = remarks;
    received.unix_ms = message->native->received_ms;
    received.offset_minutes = pharmacy_offset(own->sender->zone, received.unix_ms / 1000);
    received.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    event.type = CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED;
    event.patient = &patient;
    event.author = &author;
    event.source = &source;
    event.occurred_at = body->at != NULL ? body->at : &received;
    event.body_case = CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED;
    event.medication_changed = body;
    refer(message, body, digest, &reference);
    body->scheme = &reference;
    memory->emit(memory, &event, NULL);
    body->scheme = NULL;
}

// ---- Translating

static void nothing(struct carehub_message *message, const char *why, bool notable)
{
    message->verdict = CAREHUB_MESSAGE_NOTHING;
    message->why = why;
    message->notable = notable;
}

static void unidentified(struct carehub_message *message)
{
    const struct pharmacy_message *own = message->own;
    nothing(message, "unidentified", true);
    if (own->sender->unidentified == PHARMACY_HOLD)
        message->verdict = CAREHUB_MESSAGE_HOLD;
    if (own->sender->unidentified == PHARMACY_REFUSE)
        pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, own->fhir ? "subject" : "/kmehrmessage/folder/patient/id",
                        own->fhir ? "FHIR R4 MedicationStatement.subject" : "KMEHR 1.43, ID-PATIENT",
                        "the patient has no identifier that may be used: no valid national number, and no other that "
                        "has a system");
}

static void conclude(struct carehub_message *message, struct carehub_memory *memory, struct followed followed)
{
    const struct pharmacy_message *own = message->own;
    switch (followed.as) {
    case FOLLOWED_CHANGED:
        message->verdict = CAREHUB_MESSAGE_EVENTS;
        emit(message, memory, followed.body);
        carehub__v1__medication_changed__free_unpacked(followed.body, NULL);
        break;
    case FOLLOWED_NOTHING:
        nothing(message, followed.why, followed.notable);
        break;
    case FOLLOWED_REFUSED:
        pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, own->fhir ? "meta.versionId" : "transaction/version",
                        own->fhir ? "FHIR R4 Resource.meta" : "Vitalink medication scheme, version", "%s",
                        followed.text);
        break;
    case FOLLOWED_FAILED:
        if (message->verdict == CAREHUB_MESSAGE_OPENED) // else the host has said why
            pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, "", "", "%s", followed.text);
        break;
    }
}

static void translate(const void *self, struct carehub_message *message, struct carehub_memory *memory)
{
    struct pharmacy_message *own = message->own;
    (void)self;
    if (message->key_reused)
        pharmacy_refuse(message, CAREHUB_MESSAGE_ERROR, "Idempotency-Key", "",
                        "this Idempotency-Key came before with another content; each message needs its own");
    else if (own->scheme->n_lines == 0 && !own->scheme->complete)
        nothing(message, "nothing-taken", false);
    else if (own->scheme->n_patient == 0)
        unidentified(message);
    else
        conclude(message, memory, pharmacy_follow(own->sender, own->scheme, memory));
}

CAREHUB_FORMAT_EXPORT extern const struct carehub_format carehub_format;
const struct carehub_format carehub_format = {
    .abi = CAREHUB_FORMAT_ABI,
    .name = "medication",
    .version = CAREHUB_VERSION,
    .summary = "medication schemes: KMEHR and FHIR R4 in, changes of medication out as either",
    .configure = configure,
    .destroy = destroy,
    .needs_spool = needs_spool,
    .open = open_message,
    .translate = translate,
    .slim = slim,
    .reply = pharmacy_reply,
    .close = close_message,
    .get = pharmacy_get,
    .write = pharmacy_write,
    .check_receiver = pharmacy_check_receiver,
};
