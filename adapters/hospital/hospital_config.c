#include "hospital_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"
#include "settings.h"

#define WHERE_BYTES 320
#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

static const char *const no_yes[] = {"no", "yes", NULL};

// ---- Single settings

static bool check_length(const char *text, const char *name, const char *where, char *error)
{
    return text == NULL || strlen(text) < ADT_SETTING_MAX_BYTES ||
           settings_complain(error, where, "setting '%s' is longer than %u bytes", name, ADT_SETTING_MAX_BYTES - 1);
}

static bool take_list(struct adt_list *to, const struct setting_list *from, const char *name, const char *where,
                      char *error)
{
    for (size_t i = 0; i < from->count; i++) {
        if (!check_length(from->items[i], name, where, error))
            return false;
        if (!adt_list_add(to, from->items[i]))
            return settings_complain(error, where, "setting '%s' can be given at most %u times", name, ADT_LIST_MAX);
    }
    return true;
}

static void clear_list(struct adt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

// A number with check digits: in normal form, or not at all.
static bool check_number(char **number, const char *system, const char *where, char *error)
{
    struct identifier checked;
    if (*number == NULL)
        return true;
    enum identifier_status status = identifier_check(system, *number, &checked);
    if (!identifier_usable(status))
        return settings_complain(error, where, "setting '%s': %s", system, identifier_status_text(status));
    free(*number);
    *number = strdup(checked.value);
    return *number != NULL || settings_complain(error, where, "out of memory");
}

static bool load_zone(struct hl7v2_zone **zone, const char *name, const char *where, char *error)
{
    *zone = hl7v2_zone_load(name != NULL ? name : HL7V2_ZONE_DEFAULT);
    if (*zone != NULL)
        return true;
    if (name != NULL)
        return settings_complain(error, where, "setting 'zone': there is no time zone '%.64s' in " HL7V2_ZONE_DIRECTORY,
                                 name);
    return settings_complain(
        error, where, "the time zone " HL7V2_ZONE_DEFAULT " is missing in " HL7V2_ZONE_DIRECTORY "; install tzdata");
}

// ---- Sections of a sender

struct rule_section {
    char *system;
    struct setting_list authority, type;
};

static bool read_rule(const struct carehub_setting *section, struct adt_sender *adt, const char *sender, char *error)
{
    static const struct setting_rule rules[] = {
        {.name = "system",
         .kind = SETTING_TEXT,
         .offset = offsetof(struct rule_section, system),
         .required = true,
         .example = "urn:az-example:patient"},
        {.name = "authority", .kind = SETTING_LIST, .offset = offsetof(struct rule_section, authority)},
        {.name = "type", .kind = SETTING_LIST, .offset = offsetof(struct rule_section, type)},
    };
    struct rule_section read = {0};
    char where[2 * WHERE_BYTES];
    snprintf(where, sizeof where, "%s/identifiers/%.64s", sender, section->name);
    if (adt->rule_count == ADT_RULES_MAX)
        return settings_complain(error, where, "at most %u systems of identifiers", ADT_RULES_MAX);
    struct adt_rule *rule = &adt->rules[adt->rule_count++];
    bool ok = settings_read(section, where, NULL, rules, COUNT_OF(rules), &read, error) &&
              check_length(read.system, "system", where, error) &&
              take_list(&rule->authorities, &read.authority, "authority", where, error) &&
              take_list(&rule->types, &read.type, "type", where, error);
    rule->system = read.system;
    read.system = NULL;
    settings_clear(rules, COUNT_OF(rules), &read);
    return ok;
}

// Lines of "code = other code, and a text": the code of a table of the sender's, and what it stands for.
static bool read_codes(const struct carehub_setting *section, struct adt_code *codes, size_t *count, size_t max,
                       bool texts, const char *where, char *error)
{
    const struct carehub_setting *item = section != NULL ? section->first : NULL;
    for (; item != NULL; item = item->next) {
        size_t len = texts ? strcspn(item->value, " ") : strlen(item->value);
        if (len == 0 || item->first != NULL || *count == max)
            return settings_complain(error, where, "%s: lines of 'code = what it stands for', at most %zu",
                                     section->name, max);
        struct adt_code *code = &codes[(*count)++];
        code->from = strdup(item->name);
        code->to = strndup(item->value, len);
        code->display = item->value[len] == ' ' ? strdup(item->value + len + 1) : NULL;
        if (code->from == NULL || code->to == NULL)
            return settings_complain(error, where, "out of memory");
    }
    return true;
}

static bool read_sections(const struct carehub_setting *section, struct adt_sender *adt, const char *where, char *error)
{
    const struct carehub_setting *identifiers = setting_named(section, "identifiers");
    const struct carehub_setting *item = identifiers != NULL ? identifiers->first : NULL;
    for (; item != NULL; item = item->next)
        if (!read_rule(item, adt, where, error))
            return false;
    return read_codes(setting_named(section, "disposition"), adt->dispositions, &adt->disposition_count, ADT_CODES_MAX,
                      true, where, error) &&
           read_codes(setting_named(section, "coding-systems"), adt->code_systems, &adt->code_system_count,
                      ADT_SYSTEMS_MAX, false, where, error);
}

// ---- A sender

struct sender_section {
    struct setting_list application, facility, processing, letter_type;
    char *actor, *hospital, *nihdi, *cbe, *zone, *document_system;
    int unidentified, unsupported, confirm, ssin_by_shape, inpatient_orders, merges;
};

#define IN_SENDER(member) .offset = offsetof(struct sender_section, member)

static const char *const policies[] = {"skip", "refuse", "hold", NULL},
                         *const unsupported[] = {"accept", "reject", NULL}, *const confirms[] = {"hub", "spool", NULL},
                         *const take_skip[] = {"take", "skip", NULL}, *const publish_skip[] = {"publish", "skip", NULL};
static const struct setting_rule sender_rules[] = {
    {.name = "application", .kind = SETTING_LIST, IN_SENDER(application)},
    {.name = "facility", .kind = SETTING_LIST, IN_SENDER(facility)},
    {.name = "actor", .kind = SETTING_TEXT, IN_SENDER(actor)},
    {.name = "hospital", .kind = SETTING_TEXT, IN_SENDER(hospital)},
    {.name = "nihdi", .kind = SETTING_TEXT, IN_SENDER(nihdi)},
    {.name = "cbe", .kind = SETTING_TEXT, IN_SENDER(cbe)},
    {.name = "zone", .kind = SETTING_TEXT, IN_SENDER(zone)},
    {.name = "confirm", .kind = SETTING_CHOICE, .choices = confirms, IN_SENDER(confirm)},
    {.name = "unidentified", .kind = SETTING_CHOICE, .choices = policies, IN_SENDER(unidentified)},
    {.name = "unsupported", .kind = SETTING_CHOICE, .choices = unsupported, IN_SENDER(unsupported)},
    {.name = "processing", .kind = SETTING_LIST, IN_SENDER(processing)},
    {.name = "ssin-by-shape", .kind = SETTING_CHOICE, .choices = no_yes, IN_SENDER(ssin_by_shape)},
    {.name = "identifiers", .kind = SETTING_SECTION},
    {.name = "disposition", .kind = SETTING_SECTION},
    {.name = "merges", .kind = SETTING_CHOICE, .choices = publish_skip, IN_SENDER(merges)},
    {.name = "inpatient-orders", .kind = SETTING_CHOICE, .choices = take_skip, IN_SENDER(inpatient_orders)},
    {.name = "coding-systems", .kind = SETTING_SECTION},
    {.name = "letter-type", .kind = SETTING_LIST, IN_SENDER(letter_type)},
    {.name = "document-system", .kind = SETTING_TEXT, IN_SENDER(document_system)},
};

static bool take_texts(struct adt_sender *adt, struct sender_section *read, const char *where, char *error)
{
    const struct {
        const char *name;
        char **from, **to;
    } texts[] = {
        {"actor", &read->actor, &adt->actor},   {"hospital", &read->hospital, &adt->hospital},
        {"nihdi", &read->nihdi, &adt->nihdi},   {"cbe", &read->cbe, &adt->cbe},
        {"zone", &read->zone, &adt->zone_name}, {"document-system", &read->document_system, &adt->document_system},
    };
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        if (!check_length(*texts[i].from, texts[i].name, where, error))
            return false;
        *texts[i].to = *texts[i].from;
        *texts[i].from = NULL;
    }
    return check_number(&adt->nihdi, "nihdi", where, error) && check_number(&adt->cbe, "cbe", where, error);
}

static bool take_sender(struct hospital_sender *sender, struct sender_section *read, const char *where, char *error)
{
    struct adt_sender *adt = sender->adt;
    sender->unidentified = (enum hospital_unidentified)read->unidentified;
    sender->reject_unsupported = read->unsupported == 1;
    sender->confirm_by_spool = read->confirm == 1;
    sender->skip_merges = read->merges == 1;
    adt->ssin_by_shape = read->ssin_by_shape == 1;
    adt->skip_inpatient_orders = read->inpatient_orders == 1;
    return take_texts(adt, read, where, error) &&
           take_list(&adt->application, &read->application, "application", where, error) &&
           take_list(&adt->facility, &read->facility, "facility", where, error) &&
           take_list(&sender->processing, &read->processing, "processing", where, error) &&
           take_list(&adt->letter_types, &read->letter_type, "letter-type", where, error) &&
           load_zone(&adt->zone, adt->zone_name, where, error);
}

static bool read_sender(const struct carehub_setting *section, struct hospital *self, char *error)
{
    char where[WHERE_BYTES];
    struct sender_section read = {0};
    snprintf(where, sizeof where, "format/senders/%.64s", section->name);
    if (self->sender_count == HOSPITAL_SENDERS_MAX)
        return settings_complain(error, where, "at most %d senders", HOSPITAL_SENDERS_MAX);
    struct hospital_sender *sender = &self->senders[self->sender_count];
    sender->adt = adt_sender_new(section->name);
    if (sender->adt == NULL)
        return settings_complain(error, where, "out of memory");
    self->sender_count++;
    bool ok = settings_read(section, where, NULL, sender_rules, COUNT_OF(sender_rules), &read, error) &&
              take_sender(sender, &read, where, error) && read_sections(section, sender->adt, where, error);
    settings_clear(sender_rules, COUNT_OF(sender_rules), &read);
    if (!ok)
        return false;
    return sender->adt->application.count > 0 || sender->adt->facility.count > 0 ||
           settings_complain(error, where,
                             "needs 'application' (MSH-3) or 'facility' (MSH-4) to know its messages by; * is any");
}

static bool read_senders(const struct carehub_setting *section, struct hospital *self, char *error)
{
    const struct carehub_setting *senders = setting_named(section, "senders");
    if (senders == NULL)
        return true;
    for (const struct carehub_setting *item = senders->first; item != NULL; item = item->next)
        if (!read_sender(item, self, error))
            return false;
    return self->sender_count > 0 ||
           settings_complain(error, "format/senders",
                             "names no sender; without one no message is taken. Leave the section out if this adapter "
                             "only sends");
}

// ---- The whole

struct receiver_section {
    struct setting_list application, facility;
};

static bool read_receiver(const struct carehub_setting *section, struct hospital *self, char *error)
{
    static const char where[] = "format/receiver";
    static const struct setting_rule rules[] = {
        {.name = "application", .kind = SETTING_LIST, .offset = offsetof(struct receiver_section, application)},
        {.name = "facility", .kind = SETTING_LIST, .offset = offsetof(struct receiver_section, facility)},
    };
    struct receiver_section read = {0};
    bool ok = settings_read(setting_named(section, "receiver"), where, NULL, rules, COUNT_OF(rules), &read, error) &&
              take_list(&self->receiving_application, &read.application, "application", where, error) &&
              take_list(&self->receiving_facility, &read.facility, "facility", where, error);
    settings_clear(rules, COUNT_OF(rules), &read);
    return ok;
}

struct format_section {
    char *plugin, *zone;
};

struct hospital *hospital_config_read(const struct carehub_setting *section, char error[CAREHUB_ERROR_BYTES])
{
    static const struct setting_rule rules[] = {
        {.name = "plugin", .kind = SETTING_TEXT, .offset = offsetof(struct format_section, plugin)}, // the host's
        {.name = "zone", .kind = SETTING_TEXT, .offset = offsetof(struct format_section, zone)},
        {.name = "receiver", .kind = SETTING_SECTION},
        {.name = "senders", .kind = SETTING_SECTION},
    };
    struct format_section read = {0};
    struct hospital *self = calloc(1, sizeof *self);
    snprintf(error, CAREHUB_ERROR_BYTES, "out of memory");
    bool ok = self != NULL && settings_read(section, "format", NULL, rules, COUNT_OF(rules), &read, error) &&
              load_zone(&self->zone, read.zone, "format", error) && read_receiver(section, self, error) &&
              read_senders(section, self, error);
    settings_clear(rules, COUNT_OF(rules), &read);
    if (!ok)
        hospital_config_destroy(&self);
    return self;
}

void hospital_config_destroy(struct hospital **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->sender_count; i++) {
        clear_list(&(*self)->senders[i].processing);
        adt_sender_destroy(&(*self)->senders[i].adt);
    }
    clear_list(&(*self)->receiving_application);
    clear_list(&(*self)->receiving_facility);
    hl7v2_zone_destroy(&(*self)->zone);
    free(*self);
    *self = NULL;
}
