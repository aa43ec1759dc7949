// Data types of FHIR as values of an event.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_job.h"
#include "utf8.h"

#define NOTES_MAX_BYTES 16384u

void *fhir_new(struct fhir_job *job, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = malloc(descriptor->sizeof_message);
    if (message == NULL)
        job->no_memory = true;
    else
        protobuf_c_message_init(descriptor, message);
    return message;
}

void fhir_set_text(struct fhir_job *job, char **text, const char *value)
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

void fhir_set_bytes(struct fhir_job *job, ProtobufCBinaryData *place, const void *bytes, size_t len)
{
    free(place->data);
    place->data = malloc(len > 0 ? len : 1);
    place->len = place->data != NULL ? len : 0;
    if (place->data == NULL)
        job->no_memory = true;
    else if (len > 0)
        memcpy(place->data, bytes, len);
}

// `array` is the address of an array of pointers, as protobuf-c has them.
void fhir_append(struct fhir_job *job, void *array, size_t *count, void *element)
{
    void ***elements = array;
    if (element == NULL)
        return;
    void **grown = realloc(*elements, (*count + 1) * sizeof *grown);
    if (grown == NULL) { // what the element holds is lost, and with it the event, which no_memory ends
        job->no_memory = true;
        free(element);
        return;
    }
    grown[(*count)++] = element;
    *elements = grown;
}

// ---- Times

void fhir_set_time(struct fhir_job *job, Carehub__V1__Time **place, const struct fhir_time *time)
{
    if (*place == NULL)
        *place = fhir_new(job, &carehub__v1__time__descriptor);
    if (*place == NULL)
        return;
    (*place)->unix_ms = time->unix_ms;
    (*place)->offset_minutes = time->offset_minutes;
    (*place)->precision = time->precision;
}

bool fhir_take_time(struct fhir_job *job, Carehub__V1__Time **place, const struct fhir_node *from, const char *name)
{
    struct fhir_time time;
    struct fhir_node node = fhir_get(from, name);
    if (!fhir_time(job->problems, &node, &time))
        return false;
    fhir_set_time(job, place, &time);
    return true;
}

// ---- Codes

Carehub__V1__Coded *fhir_coded_new(struct fhir_job *job, const char *system, const char *code, const char *display)
{
    if (code[0] == '\0' && display[0] == '\0')
        return NULL;
    Carehub__V1__Coded *coded = fhir_new(job, &carehub__v1__coded__descriptor);
    if (coded == NULL)
        return NULL;
    fhir_set_text(job, &coded->system, system);
    fhir_set_text(job, &coded->code, code);
    fhir_set_text(job, &coded->display, display);
    return coded;
}

Carehub__V1__Coded *fhir_coding(struct fhir_job *job, const struct fhir_node *coding)
{
    return fhir_coded_new(job, fhir_text_max(job->problems, coding, "system", FHIR_CODE_MAX_BYTES),
                          fhir_text_max(job->problems, coding, "code", FHIR_CODE_MAX_BYTES),
                          fhir_text(job->problems, coding, "display"));
}

// The codings of a concept are translations of each other, and an event has room for one: the sender's own choice
// (userSelected), else the first. What the sender wrote in words goes with it where the coding has no display.
Carehub__V1__Coded *fhir_concept(struct fhir_job *job, const struct fhir_node *concept)
{
    if (!fhir_is_object(job->problems, concept))
        return NULL;
    struct fhir_node codings = fhir_get(concept, "coding"), chosen = {0};
    size_t count = fhir_count(job->problems, &codings, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&codings, i), selected = fhir_get(&one, "userSelected");
        if (chosen.json == NULL || json_object_get_boolean(selected.json))
            chosen = one;
        if (json_object_get_boolean(selected.json))
            break;
    }
    const char *text = fhir_text(job->problems, concept, "text");
    Carehub__V1__Coded *coded = chosen.json != NULL ? fhir_coding(job, &chosen) : NULL;
    if (coded == NULL)
        return fhir_coded_new(job, "", "", text);
    if (coded->display[0] == '\0')
        fhir_set_text(job, &coded->display, text);
    return coded;
}

Carehub__V1__Coded *fhir_take_concept(struct fhir_job *job, const struct fhir_node *from, const char *name)
{
    struct fhir_node concept = fhir_get(from, name);
    return fhir_concept(job, &concept);
}

Carehub__V1__Coded *fhir_first_concept(struct fhir_job *job, const struct fhir_node *from, const char *name)
{
    struct fhir_node concepts = fhir_get(from, name);
    if (fhir_count(job->problems, &concepts, FHIR_LIST_MAX) == 0)
        return NULL;
    struct fhir_node first = fhir_at(&concepts, 0);
    return fhir_concept(job, &first);
}

bool fhir_concept_has(struct fhir_job *job, const struct fhir_node *concept, const char *system, const char *code)
{
    struct fhir_node codings = fhir_get(concept, "coding");
    size_t count = fhir_count(job->problems, &codings, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&codings, i);
        if (strcmp(fhir_text(job->problems, &one, "system"), system) == 0 &&
            strcmp(fhir_text(job->problems, &one, "code"), code) == 0)
            return true;
    }
    return false;
}

// ---- Quantities. A number keeps the digits that it was written with: json-c has kept its text.

static bool number_text(const struct fhir_node *node, char *out, size_t size)
{
    if (!json_object_is_type(node->json, json_type_int) && !json_object_is_type(node->json, json_type_double))
        return false;
    const char *text = json_object_to_json_string_ext(node->json, JSON_C_TO_STRING_PLAIN);
    return text != NULL && snprintf(out, size, "%s", text) < (int)size;
}

Carehub__V1__Quantity *fhir_quantity(struct fhir_job *job, const struct fhir_node *quantity)
{
    char value[64];
    if (!fhir_is_object(job->problems, quantity))
        return NULL;
    struct fhir_node number = fhir_get(quantity, "value");
    if (!number_text(&number, value, sizeof value)) {
        if (number.json != NULL)
            FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_VALUE, &number, "this must be a number");
        return NULL;
    }
    Carehub__V1__Quantity *made = fhir_new(job, &carehub__v1__quantity__descriptor);
    if (made == NULL)
        return NULL;
    bool ucum = strcmp(fhir_text(job->problems, quantity, "system"), SYSTEM_UCUM) == 0;
    const char *code = fhir_text_max(job->problems, quantity, "code", FHIR_CODE_MAX_BYTES);
    fhir_set_text(job, &made->value, value);
    fhir_set_text(job, &made->unit,
                  ucum && code[0] != '\0' ? code : fhir_text_max(job->problems, quantity, "unit", FHIR_CODE_MAX_BYTES));
    return made;
}

// ---- Text

void fhir_take_notes(struct fhir_job *job, char **text, const struct fhir_node *from, const char *name)
{
    struct fhir_node notes = fhir_get(from, name);
    size_t count = fhir_count(job->problems, &notes, FHIR_LIST_MAX), used = 0;
    char *all = count > 0 ? malloc(NOTES_MAX_BYTES) : NULL;
    if (count == 0)
        return;
    if (all == NULL) {
        job->no_memory = true;
        return;
    }
    all[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        struct fhir_node note = fhir_at(&notes, i);
        const char *line = fhir_text_max(job->problems, &note, "text", NOTES_MAX_BYTES - 1);
        if (strlen(line) + used + 2 > NOTES_MAX_BYTES) {
            FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_TOO_LONG, &notes,
                         "longer than %u bytes in all, which is the most here", NOTES_MAX_BYTES);
            break;
        }
        if (line[0] != '\0')
            used += (size_t)sprintf(all + used, "%s%s", used > 0 ? "\n" : "", line);
    }
    fhir_set_text(job, text, all);
    free(all);
}

static bool concept_text(struct fhir_job *job, const struct fhir_node *concept, char *out, size_t size)
{
    Carehub__V1__Coded *coded = fhir_concept(job, concept);
    if (coded == NULL)
        return false;
    snprintf(out, size, "%s", coded->code[0] != '\0' ? coded->code : coded->display);
    out[utf8_valid_prefix(out, strlen(out))] = '\0'; // cut to size, but not within a character
    carehub__v1__coded__free_unpacked(coded, NULL);
    return true;
}

bool fhir_value_text(struct fhir_job *job, const struct fhir_node *from, char *out, size_t size)
{
    struct fhir_node quantity = fhir_choice(from, "value", "valueQuantity"),
                     number = fhir_choice(from, "value", "valueInteger"),
                     yes = fhir_choice(from, "value", "valueBoolean"),
                     concept = fhir_choice(from, "value", "valueCodeableConcept"), value = fhir_get(&quantity, "value");
    out[0] = '\0';
    if (concept.json != NULL)
        return concept_text(job, &concept, out, size);
    if (yes.json != NULL)
        return snprintf(out, size, "%s", json_object_get_boolean(yes.json) ? "true" : "false") > 0;
    if (number_text(&value, out, size) || number_text(&number, out, size))
        return true;
    const char *text = fhir_text_max(job->problems, from, "valueString", size - 1);
    snprintf(out, size, "%s", text);
    return text[0] != '\0';
}

// ---- Documents

// The hub carries references, not documents. FHIR's hash is SHA-1, which the event has no field for: a reader checks
// size and type.
Carehub__V1__Reference *fhir_attachment(struct fhir_job *job, const struct fhir_node *attachment)
{
    struct fhir_node data = fhir_get(attachment, "data"), size = fhir_get(attachment, "size");
    const char *url = fhir_text(job->problems, attachment, "url");
    if (!fhir_is_object(job->problems, attachment))
        return NULL;
    if (url[0] == '\0') {
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, data.json != NULL ? PROBLEM_NOT_SUPPORTED : PROBLEM_REQUIRED,
                     attachment, "the hub carries no documents; say in url where the document is to be had");
        return NULL;
    }
    Carehub__V1__Reference *made = fhir_new(job, &carehub__v1__reference__descriptor);
    if (made == NULL)
        return NULL;
    fhir_set_text(job, &made->id, url);
    fhir_set_text(job, &made->media_type, fhir_text_max(job->problems, attachment, "contentType", FHIR_CODE_MAX_BYTES));
    if (json_object_is_type(size.json, json_type_int) && json_object_get_int64(size.json) > 0)
        made->size_bytes = (uint64_t)json_object_get_int64(size.json);
    return made;
}
