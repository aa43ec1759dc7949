/* What a report says of a change of the person's own data, of what ended by its date, and of what was erased. */
#include "report_parts.h"

#include <string.h>

typedef Carehub__V1__ReportItem Item;

/* ---- A change of the person's own data ---------------------------------------------------------------------------- */

/* The parts that a fact may have: whatever its kind, they have the same names. */
struct change {
    const char *actor, *role, *type, *reason, *purpose, *given_by;
    int64_t until_ms;
    int level, grant, basis;
    bool mistaken, relaxes, nothing;
};

static const void *part(const ProtobufCMessage *message, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED
               ? (const uint8_t *)message + field->offset
               : NULL;
}

static const char *part_text(const ProtobufCMessage *message, const char *name)
{
    const char *const *text = part(message, name, PROTOBUF_C_TYPE_STRING);
    return text && *text ? *text : "";
}

static int part_enum(const ProtobufCMessage *message, const char *name)
{
    const int *value = part(message, name, PROTOBUF_C_TYPE_ENUM);
    return value ? *value : 0;
}

static bool part_bool(const ProtobufCMessage *message, const char *name)
{
    const protobuf_c_boolean *value = part(message, name, PROTOBUF_C_TYPE_BOOL);
    return value && *value;
}

static struct change change_of(const ProtobufCMessage *message)
{
    const int64_t *until_ms = part(message, "until_ms", PROTOBUF_C_TYPE_SINT64);
    struct change change = {.actor = part_text(message, "actor"),
                            .role = part_text(message, "role"),
                            .type = part_text(message, "type"),
                            .reason = part_text(message, "reason"),
                            .purpose = part_text(message, "purpose"),
                            .given_by = part_text(message, "given_by"),
                            .until_ms = until_ms ? *until_ms : 0,
                            .level = part_enum(message, "level"),
                            .basis = part_enum(message, "basis"),
                            .mistaken = part_bool(message, "mistaken"),
                            .relaxes = part_bool(message, "relaxes")};
    if (!*change.actor)
        change.actor = part_text(message, "actor_name");
    change.nothing = message->descriptor == &carehub__v1__access_set__descriptor && change.level == 0;
    if (message->descriptor == &carehub__v1__grant_given__descriptor)
        change.grant = part_enum(message, "kind");
    return change;
}

/* The text of a kind of change: by the fact's name, and what it is a special case of. */
static void change_code(const char *name, const struct change *change, bool emergency, struct style style,
                        char code[TEXT_CODE_BYTES])
{
    const char *special = emergency                                                      ? ".emergency"
                          : change->mistaken                                             ? ".mistaken"
                          : change->relaxes                                              ? ".relaxes"
                          : change->nothing                                              ? ".nothing"
                          : *change->given_by && strcmp(change->given_by, "person") != 0 ? ".other"
                                                                                         : "";
    snprintf(code, TEXT_CODE_BYTES, "report.change.%s%s", name, special);
    if (!text_find(style, code))
        snprintf(code, TEXT_CODE_BYTES, "report.change.%s", name);
    if (!text_find(style, code))
        snprintf(code, TEXT_CODE_BYTES, "report.change");
}

void report_say_change(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Item *item = row->item;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)item->change->fact_case);
    if (!field)
        return;
    const ProtobufCMessage *message = *(const ProtobufCMessage *const *)((const uint8_t *)item->change + field->offset);
    struct change change = change_of(message);
    char code[TEXT_CODE_BYTES], until[DATE_CHARS], type[TEXT_BYTES];
    bool emergency = report_is_emergency(report, row);
    words->what = emergency ? REPORT_EMERGENCY : REPORT_CHANGED;
    text_fill(style, words->who, *item->client ? "report.operator" : "report.hub", "client", item->client, NULL);
    change_code(field->name, &change, emergency, style, code);
    if (emergency) /* which is a matter of hours */
        date_text(style, change.until_ms, until);
    else
        report_day(style, change.until_ms, until);
    snprintf(type, sizeof type, "%s",
             *change.type ? text_named(style, "type", change.type) : text_find(style, "report.everything"));
    SAY(words->happened, code, "actor", report_actor_text(report, change.actor, change.role, style), "role",
        report_role(change.role, style), "type", type, "level", story_level((Carehub__V1__Level)change.level, style),
        "grant", text_enum(style, "grant", &carehub__v1__grant_kind__descriptor, change.grant), "basis",
        report_basis(change.basis, style), "until", until, "name", field->name);
    if (*change.purpose)
        SAY(words->happened, "report.purpose", "purpose", text_named(style, "purpose", change.purpose));
    if (*change.reason)
        SAY(words->happened, "report.reason", "reason", change.reason);
    if (*item->client)
        SAY(words->after, "report.recorded-by", "client", item->client);
}

/* ---- What ended, what was erased ---------------------------------------------------------------------------------- */

void report_say_expiry(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Carehub__V1__ReportEnd *end = row->end;
    char code[TEXT_CODE_BYTES];
    const ProtobufCEnumValue *kind =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__expiry_entry__ended__kind__descriptor, (int)end->kind);
    words->what = REPORT_CHANGED;
    snprintf(words->who, sizeof words->who, "%s", text_find(style, "report.hub"));
    snprintf(code, sizeof code, "report.expiry.%s", kind ? kind->name : "SETTING");
    SAY(words->happened, code, "actor", report_actor_text(report, end->actor, end->role, style), "role",
        report_role(end->role, style));
}

void report_say_erased(const Item *item, struct style style, struct report_words *words)
{
    char n[24], date[DATE_CHARS];
    words->what = REPORT_CHANGED;
    snprintf(words->who, sizeof words->who, "%s", text_find(style, "report.hub"));
    report_number(item->erased, n);
    SAY(words->happened, "report.erased", "n", n, "requested", item->requested_by, "date",
        date_text(style, item->requested_ms, date), "confirmed", item->confirmed_by);
    report_number(item->taken_back, n);
    if (item->taken_back)
        SAY(words->after, "report.erased.told", "n", n);
}
