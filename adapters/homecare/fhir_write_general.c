// Types that FHIR has no resource for, or none that would say it all: a Communication for people to read. Its category
// is the event's type (urn:carehub:event-type), each field of the body that the view has is a payload of one line,
// "Target group: frail at home", and each document that is referred to is an attachment.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "fhir_job.h"
#include "fhir_time.h"
#include "fhir_write_internal.h"

#define NESTING_MAX 8u // of messages in a body; the schema has five

// ---- Fields of any message

// The elements that a field has; none of one that has its default.
static size_t count_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field)
{
    const char *base = (const char *)m;
    if (field->label == PROTOBUF_C_LABEL_REPEATED)
        return *(const size_t *)(base + field->quantifier_offset);
    const void *place = base + field->offset;
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        return **(const char *const *)place != '\0';
    case PROTOBUF_C_TYPE_MESSAGE:
        return *(const ProtobufCMessage *const *)place != NULL;
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_UINT32:
        return *(const uint32_t *)place != 0;
    case PROTOBUF_C_TYPE_BOOL:
        return *(const protobuf_c_boolean *)place != 0;
    default:
        return 0; // digests and sizes of documents: not for people
    }
}

static const void *element_of(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field, size_t i)
{
    const char *place = (const char *)m + field->offset;
    if (field->label != PROTOBUF_C_LABEL_REPEATED)
        return place;
    bool pointers = field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE;
    return *(const char *const *)place + i * (pointers ? sizeof(void *) : sizeof(uint32_t));
}

// "target_group" as "target group", "POSOLOGY_CHANGED" as "posology changed".
static void put_words(FILE *out, const char *name, bool capital)
{
    for (size_t i = 0; name[i] != '\0'; i++) {
        char c = name[i];
        bool upper = c >= 'A' && c <= 'Z', lower = c >= 'a' && c <= 'z';
        if (i == 0 && capital && lower)
            c = (char)(c - 'a' + 'A');
        else if (upper && !(i == 0 && capital))
            c = (char)(c - 'A' + 'a');
        fputc(c == '_' ? ' ' : c, out);
    }
}

// ---- Values in words

static void put_coded(FILE *out, const Carehub__V1__Coded *coded)
{
    fputs(coded->display[0] != '\0' ? coded->display : coded->code, out);
}

static void put_party(FILE *out, const Carehub__V1__Party *party)
{
    if (party->name[0] != '\0')
        fputs(party->name, out);
    else if (party->n_identifiers > 0)
        fprintf(out, "%s %s", party->identifiers[0]->system, party->identifiers[0]->value);
}

// Messages that people know as one word. False: its fields are to be listed.
static bool put_known(FILE *out, const ProtobufCMessage *m)
{
    char time[FHIR_TIME_CHARS];
    if (m->descriptor == &carehub__v1__coded__descriptor) {
        put_coded(out, (const Carehub__V1__Coded *)m);
    } else if (m->descriptor == &carehub__v1__party__descriptor) {
        put_party(out, (const Carehub__V1__Party *)m);
    } else if (m->descriptor == &carehub__v1__time__descriptor) {
        fhir_time_format((const Carehub__V1__Time *)m, time);
        fputs(time, out);
    } else if (m->descriptor == &carehub__v1__quantity__descriptor) {
        const Carehub__V1__Quantity *quantity = (const Carehub__V1__Quantity *)m;
        fprintf(out, "%s%s%s", quantity->value, quantity->unit[0] != '\0' ? " " : "", quantity->unit);
    } else if (m->descriptor == &carehub__v1__reference__descriptor) {
        fputs(((const Carehub__V1__Reference *)m)->id, out);
    } else if (m->descriptor == &carehub__v1__medicine__descriptor) {
        const Carehub__V1__Medicine *medicine = (const Carehub__V1__Medicine *)m;
        if (medicine->name[0] != '\0')
            fputs(medicine->name, out);
        else if (medicine->n_codes > 0)
            put_coded(out, medicine->codes[0]);
    } else {
        return false;
    }
    return true;
}

static void put_fields(FILE *out, const ProtobufCMessage *m, unsigned depth);

static void put_element(FILE *out, const ProtobufCFieldDescriptor *field, const void *element, unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_STRING:
        fputs(*(const char *const *)element, out);
        break;
    case PROTOBUF_C_TYPE_UINT32:
        fprintf(out, "%u", *(const uint32_t *)element);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        fputs("yes", out);
        break;
    case PROTOBUF_C_TYPE_ENUM: {
        const ProtobufCEnumValue *value =
            protobuf_c_enum_descriptor_get_value(field->descriptor, *(const int *)element);
        put_words(out, value != NULL ? value->name : "other", false);
        break;
    }
    case PROTOBUF_C_TYPE_MESSAGE: {
        const ProtobufCMessage *m = *(const ProtobufCMessage *const *)element;
        if (!put_known(out, m))
            put_fields(out, m, depth + 1);
        break;
    }
    default:
        break;
    }
}

static void put_value(FILE *out, const ProtobufCMessage *m, const ProtobufCFieldDescriptor *field, unsigned depth)
{
    size_t count = count_of(m, field);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            fputs("; ", out);
        put_element(out, field, element_of(m, field, i), depth);
    }
}

static void put_fields(FILE *out, const ProtobufCMessage *m, unsigned depth)
{
    bool first = true;
    for (unsigned i = 0; i < m->descriptor->n_fields && depth < NESTING_MAX; i++) {
        const ProtobufCFieldDescriptor *field = &m->descriptor->fields[i];
        if (count_of(m, field) == 0)
            continue;
        fputs(first ? "" : ", ", out);
        put_words(out, field->name, false);
        fputs(": ", out);
        put_value(out, m, field, depth);
        first = false;
    }
}

// ---- Payloads

static void push_attachments(struct writer *w, struct json_object *payloads, const ProtobufCMessage *m,
                             const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < count_of(m, field); i++) {
        const Carehub__V1__Reference *const *reference = element_of(m, field, i);
        struct json_object *payload = make_object(&w->m);
        make_put(&w->m, payload, "contentAttachment", write_attachment(w, *reference));
        make_push(&w->m, payloads, payload);
    }
}

static void push_line(struct writer *w, struct json_object *payloads, const ProtobufCMessage *m,
                      const ProtobufCFieldDescriptor *field)
{
    char *line = NULL;
    size_t len;
    FILE *out = open_memstream(&line, &len);
    if (out != NULL) {
        put_words(out, field->name, true);
        fputs(": ", out);
        put_value(out, m, field, 0);
    }
    if (out == NULL || fclose(out) != 0 || line == NULL) {
        w->m.no_memory = true;
    } else {
        struct json_object *payload = make_object(&w->m);
        make_text(&w->m, payload, "contentString", line);
        make_push(&w->m, payloads, payload);
    }
    free(line);
}

void write_general(struct writer *w, struct json_object *communication)
{
    const Carehub__V1__Event *event = w->content;
    // The members of the oneof are pointers in one union.
    const ProtobufCMessage *body = event->body_case != CAREHUB__V1__EVENT__BODY__NOT_SET
                                       ? (const ProtobufCMessage *)event->hospital_discharge
                                       : NULL;
    write_begin_communication(w, communication);
    write_put_one(w, communication, "category", write_fixed(w, SYSTEM_EVENT_TYPE, event_type_name(w->event->type), ""));
    struct json_object *payloads = make_array(&w->m);
    for (unsigned i = 0; body != NULL && i < body->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &body->descriptor->fields[i];
        if (count_of(body, field) == 0)
            continue;
        if (field->descriptor == &carehub__v1__reference__descriptor)
            push_attachments(w, payloads, body, field);
        else
            push_line(w, payloads, body, field);
    }
    if (payloads != NULL && json_object_array_length(payloads) > 0)
        make_put(&w->m, communication, "payload", payloads);
    else
        json_object_put(payloads);
}
