// Values of an event as data types of FHIR.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>
#include <sodium.h>

#include "catalogue.h"
#include "fhir_time.h"
#include "fhir_write_internal.h"
#include "identifier.h"

// ---- Entries

// A version 8 UUID: a digest that says it is one.
void write_urn(const char *kind, const char *basis, char urn[FHIR_URN_CHARS])
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)kind, strlen(kind) + 1);
    crypto_hash_sha256_update(&state, (const uint8_t *)basis, strlen(basis));
    crypto_hash_sha256_final(&state, digest);
    digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0F));
    digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3F));
    memcpy(urn, "urn:uuid:", 9);
    eventid_format(digest, urn + 9);
}

struct json_object *write_entry(struct writer *w, const char *type, const char *urn)
{
    struct json_object *entry = make_object(&w->m), *resource = make_object(&w->m);
    make_text(&w->m, entry, "fullUrl", urn);
    make_text(&w->m, resource, "resourceType", type);
    make_text(&w->m, resource, "id", urn + 9);
    make_put(&w->m, entry, "resource", resource);
    make_push(&w->m, w->entries, entry);
    return w->m.no_memory ? NULL : resource;
}

void write_put_one(struct writer *w, struct json_object *object, const char *name, struct json_object *value)
{
    if (value == NULL)
        return;
    struct json_object *array = make_array(&w->m);
    make_push(&w->m, array, value);
    make_put(&w->m, object, name, array);
}

// ---- Simple types

void write_reference(struct writer *w, struct json_object *object, const char *name, const char *urn)
{
    if (urn[0] == '\0')
        return;
    struct json_object *reference = make_object(&w->m);
    make_text(&w->m, reference, "reference", urn);
    make_put(&w->m, object, name, reference);
}

void write_time(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Time *time)
{
    char text[FHIR_TIME_CHARS];
    if (time == NULL)
        return;
    fhir_time_format(time, text);
    make_text(&w->m, object, name, text);
}

// A code has no blanks around it, nor two in a row (R4 2.24.0.1).
static bool is_code(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && text[0] != ' ' && text[len - 1] != ' ' && strpbrk(text, "\t\r\n") == NULL &&
           strstr(text, "  ") == NULL;
}

void write_code(struct writer *w, struct json_object *object, const char *name, const char *code)
{
    if (is_code(code))
        make_text(&w->m, object, name, code);
}

void write_uri(struct writer *w, struct json_object *object, const char *name, const char *uri)
{
    if (strpbrk(uri, " \t\r\n") == NULL)
        make_text(&w->m, object, name, uri);
}

bool write_is_number(const char *text)
{
    const char *at = text + (*text == '-');
    size_t digits = strspn(at, "0123456789");
    if (digits == 0 || digits > 15 || (at[0] == '0' && digits > 1))
        return false;
    at += digits;
    if (*at == '.') {
        digits = strspn(at + 1, "0123456789");
        if (digits == 0 || digits > 15)
            return false;
        at += 1 + digits;
    }
    return *at == '\0';
}

// Keeps the digits of the source: 1.50 stays 1.50.
static void put_number(struct writer *w, struct json_object *object, const char *name, const char *text)
{
    struct json_object *number = json_object_new_double_s(strtod(text, NULL), text);
    w->m.no_memory = w->m.no_memory || number == NULL;
    if (number != NULL)
        make_put(&w->m, object, name, number);
}

// ---- Identifiers

static struct json_object *identifier(struct writer *w, const Carehub__V1__Identifier *from)
{
    struct json_object *made = make_object(&w->m);
    const char *url = identifier_system_url(identifier_system_find(from->system));
    write_uri(w, made, "system", url != NULL ? url : from->system);
    make_text(&w->m, made, "value", from->value);
    return made;
}

void write_identifiers(struct writer *w, struct json_object *object, size_t count, Carehub__V1__Identifier **from)
{
    struct json_object *array = count > 0 ? make_array(&w->m) : NULL;
    for (size_t i = 0; i < count; i++)
        make_push(&w->m, array, identifier(w, from[i]));
    if (array != NULL)
        make_put(&w->m, object, "identifier", array);
}

// ---- Codes

struct json_object *write_coding(struct writer *w, const char *system, const char *code, const char *display)
{
    struct json_object *coding = make_object(&w->m);
    write_uri(w, coding, "system", system);
    write_code(w, coding, "code", code);
    make_text(&w->m, coding, "display", display);
    return coding;
}

struct json_object *write_fixed(struct writer *w, const char *system, const char *code, const char *display)
{
    struct json_object *concept = make_object(&w->m);
    write_put_one(w, concept, "coding", write_coding(w, system, code, display));
    return concept;
}

struct json_object *write_concept(struct writer *w, const Carehub__V1__Coded *coded)
{
    if (coded == NULL || (coded->code[0] == '\0' && coded->display[0] == '\0'))
        return NULL;
    struct json_object *concept = make_object(&w->m);
    if (is_code(coded->code))
        write_put_one(w, concept, "coding", write_coding(w, coded->system, coded->code, coded->display));
    make_text(&w->m, concept, "text", coded->display[0] != '\0' ? coded->display : coded->code);
    return concept;
}

void write_put_concept(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Coded *coded)
{
    struct json_object *concept = write_concept(w, coded);
    if (concept != NULL)
        make_put(&w->m, object, name, concept);
}

void write_put_concepts(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Coded *coded)
{
    write_put_one(w, object, name, write_concept(w, coded));
}

struct json_object *write_words(struct writer *w, const char *words)
{
    struct json_object *concept = make_object(&w->m);
    make_text(&w->m, concept, "text", words);
    return concept;
}

// ---- Values

void write_quantity(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Quantity *from)
{
    struct json_object *quantity = make_object(&w->m);
    put_number(w, quantity, "value", from->value);
    make_text(&w->m, quantity, "unit", from->unit);
    make_put(&w->m, object, name, quantity);
}

void write_priority(struct writer *w, struct json_object *object)
{
    static const char *const priorities[] = {[CAREHUB__V1__URGENCY__ROUTINE] = "routine",
                                             [CAREHUB__V1__URGENCY__SAME_DAY] = "urgent",
                                             [CAREHUB__V1__URGENCY__IMMEDIATE] = "stat"};
    Carehub__V1__Urgency urgency = event_urgency(w->content);
    if (urgency > 0 && urgency < sizeof priorities / sizeof priorities[0])
        make_text(&w->m, object, "priority", priorities[urgency]);
}

void write_subject(struct writer *w, struct json_object *object, const char *name)
{
    struct json_object *reference = make_object(&w->m);
    make_text(&w->m, reference, w->patient[0] != '\0' ? "reference" : "display",
              w->patient[0] != '\0' ? w->patient : "not disclosed");
    make_put(&w->m, object, name, reference);
}

void write_own_identifier(struct writer *w, struct json_object *object, const char *system, const char *value)
{
    if (value[0] == '\0')
        return;
    struct json_object *made = make_object(&w->m);
    make_text(&w->m, made, "system", system);
    make_text(&w->m, made, "value", value);
    write_put_one(w, object, "identifier", made);
}

void write_value(struct writer *w, struct json_object *object, const char *value)
{
    Carehub__V1__Quantity number = CAREHUB__V1__QUANTITY__INIT;
    number.value = (char *)value;
    if (write_is_number(value))
        write_quantity(w, object, "valueQuantity", &number);
    else
        make_text(&w->m, object, "valueString", value);
}

void write_note(struct writer *w, struct json_object *object, const char *text)
{
    if (text[0] == '\0')
        return;
    struct json_object *note = make_object(&w->m);
    make_text(&w->m, note, "text", text);
    write_put_one(w, object, "note", note);
}

struct json_object *write_party(struct writer *w, const char *type, const Carehub__V1__Party *party)
{
    if (party == NULL || (party->name[0] == '\0' && party->n_identifiers == 0))
        return NULL;
    struct json_object *reference = make_object(&w->m);
    make_text(&w->m, reference, "type", type);
    if (party->n_identifiers > 0)
        make_put(&w->m, reference, "identifier", identifier(w, party->identifiers[0]));
    make_text(&w->m, reference, "display", party->name);
    return reference;
}

// A document that is named by a URL is where that says; any other has its name in the title.
struct json_object *write_attachment(struct writer *w, const Carehub__V1__Reference *from)
{
    struct json_object *attachment = make_object(&w->m);
    bool url = strstr(from->id, ":") != NULL && strpbrk(from->id, " \t\r\n") == NULL;
    write_code(w, attachment, "contentType", from->media_type);
    if (url)
        write_uri(w, attachment, "url", from->id);
    if (from->size_bytes > 0 && from->size_bytes <= INT32_MAX)
        make_put(&w->m, attachment, "size", json_object_new_int64((int64_t)from->size_bytes));
    if (!url)
        make_text(&w->m, attachment, "title", from->id[0] != '\0' ? from->id : "document");
    return attachment;
}

void write_document(struct writer *w, const char *what, const Carehub__V1__Reference *from)
{
    char urn[FHIR_URN_CHARS], basis[640];
    if (from == NULL)
        return;
    snprintf(basis, sizeof basis, "%s|%s|%.500s", what, w->focus, from->id);
    write_urn("DocumentReference", basis, urn);
    struct json_object *document = write_entry(w, "DocumentReference", urn), *content = make_object(&w->m),
                       *type = make_object(&w->m);
    make_text(&w->m, document, "status", "current");
    make_text(&w->m, type, "text", what);
    make_put(&w->m, document, "type", type);
    write_reference(w, document, "subject", w->patient);
    make_put(&w->m, content, "attachment", write_attachment(w, from));
    write_put_one(w, document, "content", content);
}
