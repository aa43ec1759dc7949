// Fields of a message as values of an event.
#include "adt_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"

#define NAME_PARTS 4

void adt_remark(struct adt_job *job, const char *remark)
{
    for (size_t i = 0; i < job->remark_count; i++)
        if (strcmp(job->remarks[i], remark) == 0)
            return;
    if (job->remark_count < ADT_REMARKS_MAX)
        job->remarks[job->remark_count++] = remark;
}

// ---- Text

struct hl7v2_value adt_get(const struct adt_job *job, const char *segment, unsigned field, unsigned component)
{
    return hl7v2_get(job->message, segment, 0, field, 1, component, component > 0 ? 1 : 0);
}

struct hl7v2_value adt_at(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned component)
{
    if (segment < 0)
        return (struct hl7v2_value){.presence = HL7V2_ABSENT};
    return hl7v2_segment_get(job->message, (size_t)segment, field, 1, component, component > 0 ? 1 : 0);
}

void adt_copy(const struct adt_job *job, struct hl7v2_value value, char *out, size_t size)
{
    out[0] = '\0';
    if (value.presence != HL7V2_VALUED)
        return;
    hl7v2_unescape(job->message, value, out, size);
    size_t start = strspn(out, " \t\r\n"), len = strlen(out + start);
    while (len > 0 && strchr(" \t\r\n", out[start + len - 1]) != NULL)
        len--;
    memmove(out, out + start, len);
    out[len] = '\0';
}

void adt_set_text(struct adt_job *job, char **text, const char *value)
{
    char *copy = value[0] != '\0' ? strdup(value) : (char *)protobuf_c_empty_string;
    if (copy == NULL) {
        job->no_memory = true;
        return;
    }
    if (*text != protobuf_c_empty_string)
        free(*text);
    *text = copy;
}

void adt_take_text(struct adt_job *job, char **text, struct hl7v2_value value)
{
    char copy[ADT_TEXT_MAX_BYTES + 1];
    adt_copy(job, value, copy, sizeof copy);
    if (copy[0] != '\0' || value.presence == HL7V2_NULL)
        adt_set_text(job, text, copy);
}

// ---- Messages. All are owned by the event, and freed with it by protobuf-c.

void *adt_message_new(struct adt_job *job, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = malloc(descriptor->sizeof_message);
    if (message == NULL)
        job->no_memory = true;
    else
        protobuf_c_message_init(descriptor, message);
    return message;
}

void *adt_message_copy(struct adt_job *job, const ProtobufCMessage *message)
{
    size_t size = message != NULL ? protobuf_c_message_get_packed_size(message) : 0;
    uint8_t *bytes = malloc(size + 1);
    ProtobufCMessage *copy = NULL;
    if (message != NULL && bytes != NULL) {
        protobuf_c_message_pack(message, bytes);
        copy = protobuf_c_message_unpack(message->descriptor, NULL, size, bytes);
    }
    free(bytes);
    job->no_memory = job->no_memory || (message != NULL && copy == NULL);
    return copy;
}

bool adt_message_same(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    size_t size = protobuf_c_message_get_packed_size(a);
    bool same = false;
    uint8_t *bytes = size == protobuf_c_message_get_packed_size(b) ? malloc(2 * size + 1) : NULL;
    if (bytes != NULL) {
        protobuf_c_message_pack(a, bytes);
        protobuf_c_message_pack(b, bytes + size);
        same = memcmp(bytes, bytes + size, size) == 0;
    }
    free(bytes);
    return same;
}

static void replace(ProtobufCMessage **place, ProtobufCMessage *by)
{
    if (*place != NULL)
        protobuf_c_message_free_unpacked(*place, NULL);
    *place = by;
}

Carehub__V1__Coded *adt_coded(struct adt_job *job, const char *system, const char *code, const char *display)
{
    Carehub__V1__Coded *coded = adt_message_new(job, &carehub__v1__coded__descriptor);
    if (coded == NULL)
        return NULL;
    adt_set_text(job, &coded->system, system);
    adt_set_text(job, &coded->code, code);
    adt_set_text(job, &coded->display, display);
    return coded;
}

void adt_take_coded(struct adt_job *job, Carehub__V1__Coded **coded, const char *segment, unsigned field,
                    const char *system)
{
    struct hl7v2_value whole = adt_get(job, segment, field, 0);
    char code[ADT_CODE_MAX_BYTES + 1], display[ADT_TEXT_MAX_BYTES + 1];
    adt_copy(job, adt_get(job, segment, field, 1), code, sizeof code);
    adt_copy(job, adt_get(job, segment, field, 2), display, sizeof display);
    if (code[0] != '\0' || display[0] != '\0')
        replace((ProtobufCMessage **)coded, (ProtobufCMessage *)adt_coded(job, system, code, display));
    else if (whole.presence == HL7V2_NULL)
        replace((ProtobufCMessage **)coded, NULL);
}

// PL: point of care, room, bed, facility (2.A.53).
void adt_take_location(struct adt_job *job, Carehub__V1__Location **location, unsigned pv1_field)
{
    struct hl7v2_value whole = adt_get(job, "PV1", pv1_field, 0);
    if (whole.presence == HL7V2_NULL)
        replace((ProtobufCMessage **)location, NULL);
    if (whole.presence != HL7V2_VALUED)
        return;
    Carehub__V1__Location *taken = adt_message_new(job, &carehub__v1__location__descriptor);
    if (taken == NULL)
        return;
    char **parts[] = {&taken->ward, &taken->room, &taken->bed, &taken->facility};
    bool any = false;
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        adt_take_text(job, parts[i], adt_get(job, "PV1", pv1_field, i + 1));
        any = any || parts[i][0][0] != '\0';
    }
    if (any)
        replace((ProtobufCMessage **)location, &taken->base);
    else
        carehub__v1__location__free_unpacked(taken, NULL);
}

Carehub__V1__Identifier *adt_identifier(struct adt_job *job, const char *system, const char *value)
{
    Carehub__V1__Identifier *identifier = adt_message_new(job, &carehub__v1__identifier__descriptor);
    if (identifier == NULL)
        return NULL;
    adt_set_text(job, &identifier->system, system);
    adt_set_text(job, &identifier->value, value);
    return identifier;
}

static void add_identifier(struct adt_job *job, Carehub__V1__Party *party, const char *system, const char *value)
{
    Carehub__V1__Identifier **grown =
        realloc(party->identifiers, (party->n_identifiers + 1) * sizeof *party->identifiers);
    Carehub__V1__Identifier *identifier = grown != NULL ? adt_identifier(job, system, value) : NULL;
    if (grown != NULL)
        party->identifiers = grown;
    if (identifier != NULL)
        party->identifiers[party->n_identifiers++] = identifier;
    else
        job->no_memory = true;
}

// XCN: id, family, given, further names, suffix, prefix; assigning authority in 9, in older versions and many systems
// in 8 or 13 (2.A.88).
Carehub__V1__Party *adt_doctor(struct adt_job *job, ptrdiff_t segment, unsigned field)
{
    static const unsigned name_parts[NAME_PARTS] = {6, 3, 2, 5}, authorities[] = {9, 8, 13};
    char part[ADT_CODE_MAX_BYTES + 1], name[NAME_PARTS * (ADT_CODE_MAX_BYTES + 1) + 1] = "", number[64];
    bool is_nihdi = false;
    for (size_t i = 0, used = 0; i < NAME_PARTS; i++) {
        adt_copy(job, adt_at(job, segment, field, name_parts[i]), part, sizeof part);
        if (part[0] != '\0')
            used += (size_t)snprintf(name + used, sizeof name - used, "%s%s", used > 0 ? " " : "", part);
    }
    for (size_t i = 0; i < sizeof authorities / sizeof authorities[0]; i++) {
        adt_copy(job, adt_at(job, segment, field, authorities[i]), part, sizeof part);
        is_nihdi = is_nihdi || adt_is_nihdi(part);
    }
    adt_copy(job, adt_at(job, segment, field, 1), number, sizeof number);
    struct identifier checked;
    bool usable = is_nihdi && identifier_usable(identifier_check("nihdi", number, &checked));
    if (is_nihdi && !usable)
        adt_remark(job, "professional-number-invalid");
    if (name[0] == '\0' && !usable)
        return NULL;
    Carehub__V1__Party *party = adt_message_new(job, &carehub__v1__party__descriptor);
    if (party == NULL)
        return NULL;
    adt_set_text(job, &party->name, name);
    if (usable)
        add_identifier(job, party, "nihdi", checked.value);
    return party;
}

void adt_take_doctor(struct adt_job *job, Carehub__V1__Party **party, unsigned pv1_field)
{
    Carehub__V1__Party *taken = adt_doctor(job, hl7v2_segment_find(job->message, "PV1", 0), pv1_field);
    if (taken != NULL || adt_get(job, "PV1", pv1_field, 0).presence == HL7V2_NULL)
        replace((ProtobufCMessage **)party, (ProtobufCMessage *)taken);
}

Carehub__V1__Party *adt_hospital(struct adt_job *job)
{
    const struct adt_sender *sender = job->in->sender;
    Carehub__V1__Party *party = adt_message_new(job, &carehub__v1__party__descriptor);
    if (party == NULL)
        return NULL;
    if (sender->hospital != NULL)
        adt_set_text(job, &party->name, sender->hospital);
    else
        adt_take_text(job, &party->name, adt_get(job, "MSH", 4, 1));
    if (sender->nihdi != NULL)
        add_identifier(job, party, "nihdi", sender->nihdi);
    if (sender->cbe != NULL)
        add_identifier(job, party, "cbe", sender->cbe);
    return party;
}

// ---- Diagnoses

// DG1-3, and for its text DG1-4 where senders of before 2.4 put it. NULL when the segment says nothing.
static Carehub__V1__Coded *diagnosis(struct adt_job *job, unsigned occurrence)
{
    char system[ADT_CODE_MAX_BYTES + 1], code[ADT_CODE_MAX_BYTES + 1], display[ADT_TEXT_MAX_BYTES / 2 + 1];
    adt_copy(job, hl7v2_get(job->message, "DG1", occurrence, 3, 1, 1, 1), code, sizeof code);
    adt_copy(job, hl7v2_get(job->message, "DG1", occurrence, 3, 1, 2, 1), display, sizeof display);
    adt_copy(job, hl7v2_get(job->message, "DG1", occurrence, 3, 1, 3, 1), system, sizeof system);
    if (system[0] == '\0' && code[0] != '\0')
        adt_copy(job, hl7v2_get(job->message, "DG1", occurrence, 2, 1, 1, 1), system, sizeof system);
    if (display[0] == '\0')
        adt_copy(job, hl7v2_get(job->message, "DG1", occurrence, 4, 1, 1, 1), display, sizeof display);
    if (code[0] == '\0' && display[0] == '\0')
        return NULL;
    return adt_coded(job, adt_sender_code_system(job->in->sender, system), code, display);
}

static void clear_diagnoses(Carehub__V1__Coded ***diagnoses, size_t *count)
{
    for (size_t i = 0; i < *count; i++)
        carehub__v1__coded__free_unpacked((*diagnoses)[i], NULL);
    free(*diagnoses);
    *diagnoses = NULL;
    *count = 0;
}

// DG1 segments are a snapshot: those of the message replace those known, and none at all changes nothing.
void adt_take_diagnoses(struct adt_job *job, Carehub__V1__Coded ***diagnoses, size_t *count)
{
    if (hl7v2_segment_find(job->message, "DG1", 0) < 0)
        return;
    clear_diagnoses(diagnoses, count);
    *diagnoses = calloc(ADT_DIAGNOSES_MAX, sizeof **diagnoses);
    if (*diagnoses == NULL) {
        job->no_memory = true;
        return;
    }
    for (unsigned i = 0; hl7v2_segment_find(job->message, "DG1", i) >= 0; i++) {
        if (*count == ADT_DIAGNOSES_MAX) {
            adt_remark(job, "diagnoses-cut");
            break;
        }
        Carehub__V1__Coded *one = diagnosis(job, i);
        if (one != NULL)
            (*diagnoses)[(*count)++] = one;
    }
    if (*count == 0)
        clear_diagnoses(diagnoses, count);
}
