// Any value of any event as OBX segments, read off the schema: what a type gains later is written as well.
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "hospital_out_internal.h"

#define CODE_BYTES 96u
#define TEXT_MAX_BYTES 200u // of OBX-5 as ST, 2.A.75; longer ones are FT
#define SUB_ID_BYTES 64u
#define DEPTH_MAX 4u // of messages in messages; the schema has no more

// The columns of one OBX.
struct observation {
    const char *type;               // OBX-2
    const Carehub__V1__Coded *what; // OBX-3, if it has a code of its own
    const char *code;               // of ours: the field's path in its event
    const char *sub_id;             // OBX-4: tells repetitions apart
    const char *unit;               // OBX-6
    const Carehub__V1__Time *time;  // OBX-14
};

// "falls_past_year" → "Falls past year"; of a path, its last part.
static void label_of(const char *code, char *out, size_t size)
{
    const char *last = strrchr(code, '.');
    snprintf(out, size, "%s", last != NULL ? last + 1 : code);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    out[0] = (char)toupper((unsigned char)out[0]);
}

static void put_local_code(struct out_job *job, unsigned field, unsigned component, const char *code)
{
    char label[CODE_BYTES];
    label_of(code, label, sizeof label);
    out_text(job, field, component, code);
    out_text(job, field, component + 1, label);
    out_text(job, field, component + 2, OUT_LOCAL_CODES);
}

// OBX-1 to -4; the value comes next, and then out_end.
static void begin(struct out_job *job, const struct observation *o)
{
    hl7v2_write_segment(job->writer, "OBX");
    hl7v2_write_number(job->writer, hl7v2_at(1, 1, 1, 1), ++job->observations);
    out_text(job, 2, 1, o->type);
    bool coded = o->what != NULL && (o->what->code[0] != '\0' || o->what->display[0] != '\0');
    if (coded)
        out_coded(job, 3, o->what);
    put_local_code(job, 3, coded ? 4 : 1, o->code);
    out_text(job, 4, 1, o->sub_id);
}

static void end(struct out_job *job, const struct observation *o)
{
    static const char *const statuses[] = {[OUT_IS_NEW] = "F", [OUT_AMENDS] = "C", [OUT_RETRACTS] = "W"};
    const Carehub__V1__Author *author = job->event->author;
    out_text(job, 6, 1, o->unit);
    if (o->unit != NULL && o->unit[0] != '\0')
        out_text(job, 6, 3, "UCUM");
    out_text(job, 11, 1, out_is_unverified(job) ? "R" : statuses[job->correction]);
    out_time(job, 14, o->time);
    if (!job->observations_only || author == NULL)
        return;
    if (author->organisation != NULL)
        out_text(job, 15, 2, author->organisation->name);
    out_person(job, 16, author->professional);
}

static bool is_number(const char *text)
{
    size_t sign = text[0] == '-' || text[0] == '+', digits = strspn(text + sign, "0123456789");
    const char *rest = text + sign + digits;
    if (*rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    return digits > 0 && *rest == '\0' && rest[-1] != '.' && strlen(text) <= 16;
}

// ---- One function for each kind of value. An empty one makes no segment

static void put_text(struct out_job *job, struct observation o, const char *text)
{
    if (text[0] == '\0')
        return;
    bool plain = strpbrk(text, "\r\n") == NULL && strlen(text) < TEXT_MAX_BYTES;
    o.type = plain ? "ST" : "FT";
    begin(job, &o);
    if (plain)
        out_text(job, 5, 1, text);
    else
        hl7v2_write_formatted(job->writer, hl7v2_at(5, 1, 1, 1), text);
    end(job, &o);
}

static void put_value(struct out_job *job, struct observation o, const char *value)
{
    if (!is_number(value)) {
        put_text(job, o, value);
        return;
    }
    o.type = "NM";
    begin(job, &o);
    out_text(job, 5, 1, value);
    end(job, &o);
}

static void put_coded(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Coded *coded = value;
    if (coded->code[0] == '\0' && coded->display[0] == '\0')
        return;
    o.type = "CE";
    begin(job, &o);
    out_coded(job, 5, coded);
    end(job, &o);
}

static void put_time(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Time *time = value;
    o.type = time->precision == CAREHUB__V1__PRECISION__PRECISION_DAY ? "DT" : "TS";
    begin(job, &o);
    out_time(job, 5, time);
    end(job, &o);
}

// Of a person XCN, of an organisation XON: a CBE or EHP number, or an NIHDI number of eight digits, is one's.
static void put_party(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Party *party = value;
    const Carehub__V1__Identifier *number = party->n_identifiers > 0 ? party->identifiers[0] : NULL;
    bool organisation = number != NULL && (strcmp(number->system, "cbe") == 0 || strcmp(number->system, "ehp") == 0 ||
                                           (strcmp(number->system, "nihdi") == 0 && strlen(number->value) == 8));
    if (party->name[0] == '\0' && number == NULL)
        return;
    o.type = organisation ? "XON" : "XCN";
    begin(job, &o);
    if (organisation)
        out_organisation(job, 5, party);
    else
        out_person(job, 5, party);
    end(job, &o);
}

static void put_quantity(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Quantity *quantity = value;
    o.unit = quantity->unit;
    put_value(job, o, quantity->value);
}

static void put_measurement(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Measurement *measurement = value;
    o.what = measurement->what;
    o.time = measurement->at;
    if (measurement->value != NULL)
        put_quantity(job, o, measurement->value);
}

static void put_score(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Score *score = value;
    o.what = score->item;
    put_value(job, o, score->value);
}

// RP: the document's id, where it is, and what it is (2.A.65).
static void put_reference(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Reference *reference = value;
    char type[32];
    const char *slash = strchr(reference->media_type, '/');
    if (reference->id[0] == '\0')
        return;
    o.type = "RP";
    begin(job, &o);
    out_text(job, 5, 1, reference->id);
    if (reference->system[0] != '\0') {
        hl7v2_write(job->writer, hl7v2_at(5, 1, 2, 2), reference->system);
        hl7v2_write(job->writer, hl7v2_at(5, 1, 2, 3), "L");
    }
    if (slash != NULL) {
        snprintf(type, sizeof type, "%.*s", (int)(slash - reference->media_type), reference->media_type);
        out_text(job, 5, 3, type);
        out_text(job, 5, 4, slash + 1);
    }
    end(job, &o);
}

static void put_medicine(struct out_job *job, struct observation o, const void *value)
{
    const Carehub__V1__Medicine *medicine = value;
    if (medicine->n_codes == 0 && medicine->name[0] == '\0')
        return;
    o.type = "CE";
    begin(job, &o);
    out_medicine(job, 5, medicine);
    end(job, &o);
}

// ---- The walk over a message

// Values that are one OBX. Others are messages of their own: an OBX for each field in them.
static const struct {
    const ProtobufCMessageDescriptor *is;
    void (*put)(struct out_job *job, struct observation o, const void *value);
} single_values[] = {
    {&carehub__v1__coded__descriptor, put_coded},
    {&carehub__v1__time__descriptor, put_time},
    {&carehub__v1__party__descriptor, put_party},
    {&carehub__v1__quantity__descriptor, put_quantity},
    {&carehub__v1__measurement__descriptor, put_measurement},
    {&carehub__v1__score__descriptor, put_score},
    {&carehub__v1__reference__descriptor, put_reference},
    {&carehub__v1__medicine__descriptor, put_medicine},
};

static void walk(struct out_job *job, const ProtobufCMessage *message, const char *const *placed, struct observation o,
                 unsigned depth);

static void put_message(struct out_job *job, struct observation o, const ProtobufCMessage *value, unsigned depth)
{
    for (size_t i = 0; i < sizeof single_values / sizeof single_values[0]; i++)
        if (single_values[i].is == value->descriptor) {
            single_values[i].put(job, o, value);
            return;
        }
    if (depth < DEPTH_MAX)
        walk(job, value, NULL, o, depth + 1);
}

static void put_number(struct out_job *job, struct observation o, uint32_t number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    if (number != 0)
        put_value(job, o, text);
}

static void put_choice(struct out_job *job, struct observation o, const ProtobufCEnumDescriptor *choices, int chosen)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(choices, chosen);
    if (chosen == 0 || value == NULL)
        return;
    o.type = "CE";
    begin(job, &o);
    put_local_code(job, 5, 1, value->name);
    end(job, &o);
}

static void put_yes(struct out_job *job, struct observation o)
{
    o.type = "CE";
    begin(job, &o);
    out_text(job, 5, 1, "Y");
    out_text(job, 5, 2, "Yes");
    out_text(job, 5, 3, "HL70136");
    end(job, &o);
}

// One value of a field; `at` is where it lies.
static void put_field(struct out_job *job, const ProtobufCFieldDescriptor *field, const void *at, struct observation o,
                      unsigned depth)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        if (*(ProtobufCMessage *const *)at != NULL)
            put_message(job, o, *(ProtobufCMessage *const *)at, depth);
        break;
    case PROTOBUF_C_TYPE_STRING:
        // Of all texts only scores are amounts; numbers that are names ("007") have to stay what they are.
        if (strcmp(field->name, "score") == 0)
            put_value(job, o, *(char *const *)at);
        else
            put_text(job, o, *(char *const *)at);
        break;
    case PROTOBUF_C_TYPE_BOOL:
        if (*(const protobuf_c_boolean *)at)
            put_yes(job, o);
        break;
    case PROTOBUF_C_TYPE_ENUM:
        put_choice(job, o, field->descriptor, *(const int *)at);
        break;
    case PROTOBUF_C_TYPE_UINT32:
        put_number(job, o, *(const uint32_t *)at);
        break;
    default: // no other kinds are in bodies; digests of documents and the like are no observations
        break;
    }
}

static void walk_field(struct out_job *job, const ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                       struct observation o, unsigned depth)
{
    const char *base = (const char *)message;
    char code[CODE_BYTES], sub_id[SUB_ID_BYTES];
    const char *outer = o.sub_id;
    snprintf(code, sizeof code, "%s%s%s", o.code, o.code[0] != '\0' ? "." : "", field->name);
    o.code = code;
    if (field->label != PROTOBUF_C_LABEL_REPEATED) {
        put_field(job, field, base + field->offset, o, depth);
        return;
    }
    // All repeated fields are of messages or texts: arrays of pointers.
    size_t count = *(const size_t *)(base + field->quantifier_offset);
    const void *const *items = *(const void *const *const *)(base + field->offset);
    for (size_t i = 0; i < count; i++) {
        snprintf(sub_id, sizeof sub_id, "%s%s%zu", outer != NULL ? outer : "", outer != NULL ? "." : "", i + 1);
        o.sub_id = sub_id;
        put_field(job, field, &items[i], o, depth);
    }
}

static bool is_in(const char *const *names, const char *name)
{
    for (; names != NULL && *names != NULL; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static void walk(struct out_job *job, const ProtobufCMessage *message, const char *const *placed, struct observation o,
                 unsigned depth)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    for (unsigned i = 0; i < descriptor->n_fields; i++)
        if (!is_in(placed, descriptor->fields[i].name))
            walk_field(job, message, &descriptor->fields[i], o, depth);
}

void out_observe(struct out_job *job, const ProtobufCMessage *body, const char *const *placed)
{
    walk(job, body, placed, (struct observation){.code = ""}, 0);
}

void out_observe_field(struct out_job *job, const ProtobufCMessage *body, const char *field)
{
    const ProtobufCFieldDescriptor *found = protobuf_c_message_descriptor_get_field_by_name(body->descriptor, field);
    if (found != NULL)
        walk_field(job, body, found, (struct observation){.code = ""}, 0);
}

void out_observe_references(struct out_job *job)
{
    out_observe_field(job, &job->event->base, "references");
}
