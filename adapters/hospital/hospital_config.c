#include "hospital_config.h"

#include <czmq.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"

// A section on its way into a struct.
struct reading {
    const char *where; // the section's path, for complaints
    char *error;
};

static bool complain(const struct reading *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool complain(const struct reading *r, const char *format, ...)
{
    int used = snprintf(r->error, FORMAT_ERROR_BYTES, "%s: ", r->where);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(r->error + used, FORMAT_ERROR_BYTES - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

// ---- Single settings

static const char *value_of(zconfig_t *item)
{
    const char *value = zconfig_value(item);
    return value != NULL ? value : "";
}

static bool read_text(const struct reading *r, zconfig_t *item, char **place)
{
    const char *value = value_of(item);
    if (value[0] == '\0' || strlen(value) >= ADT_SETTING_MAX_BYTES || *place != NULL)
        return complain(r, "setting '%s' needs one text of at most %u bytes", zconfig_name(item),
                        ADT_SETTING_MAX_BYTES - 1);
    *place = strdup(value);
    return *place != NULL || complain(r, "out of memory");
}

// One item; the setting is repeated for more.
static bool read_item(const struct reading *r, zconfig_t *item, struct adt_list *list)
{
    const char *value = value_of(item);
    if (strlen(value) >= ADT_SETTING_MAX_BYTES || !adt_list_add(list, value))
        return complain(r, "setting '%s': at most %u times, each of at most %u bytes", zconfig_name(item), ADT_LIST_MAX,
                        ADT_SETTING_MAX_BYTES - 1);
    return true;
}

static bool read_choice(const struct reading *r, zconfig_t *item, const char *const *choices, int *chosen)
{
    char all[128] = "";
    for (int i = 0; choices[i] != NULL; i++) {
        if (strcmp(choices[i], value_of(item)) == 0) {
            *chosen = i;
            return true;
        }
        size_t used = strlen(all);
        snprintf(all + used, sizeof all - used, "%s%s", i > 0 ? " or " : "", choices[i]);
    }
    return complain(r, "setting '%s' has to be %s", zconfig_name(item), all);
}

static bool read_checked(const struct reading *r, zconfig_t *item, const char *system, char **place)
{
    struct identifier checked;
    enum identifier_status status = identifier_check(system, value_of(item), &checked);
    if (!identifier_usable(status))
        return complain(r, "setting '%s': %s", zconfig_name(item), identifier_status_text(status));
    free(*place);
    *place = strdup(checked.value);
    return *place != NULL || complain(r, "out of memory");
}

static bool read_zone(const struct reading *r, zconfig_t *item, struct adt_sender *adt)
{
    if (!read_text(r, item, &adt->zone_name))
        return false;
    adt->zone = hl7v2_zone_load(adt->zone_name);
    return adt->zone != NULL ||
           complain(r, "setting 'zone': there is no time zone '%s' in " HL7V2_ZONE_DIRECTORY, adt->zone_name);
}

// ---- Sections of a sender

static bool read_rule(const struct reading *r, zconfig_t *section, struct adt_sender *adt)
{
    if (adt->rule_count == ADT_RULES_MAX)
        return complain(r, "identifiers: at most %u systems", ADT_RULES_MAX);
    struct adt_rule *rule = &adt->rules[adt->rule_count++];
    for (zconfig_t *item = zconfig_child(section); item != NULL; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        bool ok = strcmp(name, "system") == 0      ? read_text(r, item, &rule->system)
                  : strcmp(name, "authority") == 0 ? read_item(r, item, &rule->authorities)
                  : strcmp(name, "type") == 0      ? read_item(r, item, &rule->types)
                                                   : complain(r,
                                                              "identifiers/%s: there is no setting '%s'; there are "
                                                                   "system, authority and type",
                                                              zconfig_name(section), name);
        if (!ok)
            return false;
    }
    return rule->system != NULL ||
           complain(r, "identifiers/%s: needs 'system', such as urn:az-example:patient", zconfig_name(section));
}

static bool read_rules(const struct reading *r, zconfig_t *section, struct adt_sender *adt)
{
    for (zconfig_t *child = zconfig_child(section); child != NULL; child = zconfig_next(child))
        if (!read_rule(r, child, adt))
            return false;
    return true;
}

// "01 = home": FHIR's code; what people read is in a text behind it: "01 = home Discharged home".
static bool read_dispositions(const struct reading *r, zconfig_t *section, struct adt_sender *adt)
{
    for (zconfig_t *item = zconfig_child(section); item != NULL; item = zconfig_next(item)) {
        const char *value = value_of(item);
        size_t len = strcspn(value, " ");
        if (len == 0 || adt->disposition_count == ADT_CODES_MAX)
            return complain(r, "disposition: lines of 'code = code of FHIR's discharge-disposition', at most %u",
                            ADT_CODES_MAX);
        struct adt_code *code = &adt->dispositions[adt->disposition_count++];
        code->from = strdup(zconfig_name(item));
        code->to = strndup(value, len);
        code->display = value[len] == ' ' ? strdup(value + len + 1) : NULL;
        if (code->from == NULL || code->to == NULL)
            return complain(r, "out of memory");
    }
    return true;
}

static bool read_setting(const struct reading *r, zconfig_t *item, struct hospital_sender *sender)
{
    static const char *const no_yes[] = {"no", "yes", NULL}, *const confirms[] = {"hub", "spool", NULL},
                             *const policies[] = {"skip", "refuse", "hold", NULL},
                             *const unsupported[] = {"accept", "reject", NULL};
    struct adt_sender *adt = sender->adt;
    const char *name = zconfig_name(item);
    int chosen = 0;
    struct {
        const char *name;
        char **text;
    } texts[] = {{"actor", &adt->actor}, {"hospital", &adt->hospital}};
    struct {
        const char *name;
        struct adt_list *list;
    } lists[] = {{"application", &adt->application}, {"facility", &adt->facility}, {"processing", &sender->processing}};
    struct {
        const char *name;
        bool (*read)(const struct reading *r, zconfig_t *section, struct adt_sender *adt);
    } others[] = {{"identifiers", read_rules}, {"disposition", read_dispositions}, {"zone", read_zone}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(name, texts[i].name) == 0)
            return read_text(r, item, texts[i].text);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        if (strcmp(name, lists[i].name) == 0)
            return read_item(r, item, lists[i].list);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (strcmp(name, others[i].name) == 0)
            return others[i].read(r, item, adt);
    if (strcmp(name, "nihdi") == 0)
        return read_checked(r, item, "nihdi", &adt->nihdi);
    if (strcmp(name, "cbe") == 0)
        return read_checked(r, item, "cbe", &adt->cbe);
    bool ok = strcmp(name, "unidentified") == 0    ? read_choice(r, item, policies, &chosen)
              : strcmp(name, "unsupported") == 0   ? read_choice(r, item, unsupported, &chosen)
              : strcmp(name, "confirm") == 0       ? read_choice(r, item, confirms, &chosen)
              : strcmp(name, "ssin-by-shape") == 0 ? read_choice(r, item, no_yes, &chosen)
                                                   : complain(r, "there is no setting '%s'", name);
    if (!ok)
        return false;
    if (strcmp(name, "unidentified") == 0)
        sender->unidentified = (enum hospital_unidentified)chosen;
    else if (strcmp(name, "unsupported") == 0)
        sender->reject_unsupported = chosen == 1;
    else if (strcmp(name, "confirm") == 0)
        sender->confirm_by_spool = chosen == 1;
    else
        adt->ssin_by_shape = chosen == 1;
    return true;
}

static bool read_sender(zconfig_t *section, struct hospital *self, char *error)
{
    char where[ADT_SETTING_MAX_BYTES + 16];
    snprintf(where, sizeof where, "senders/%.*s", (int)ADT_SETTING_MAX_BYTES, zconfig_name(section));
    const struct reading r = {.where = where, .error = error};
    if (self->sender_count == HOSPITAL_SENDERS_MAX)
        return complain(&r, "at most %d senders", HOSPITAL_SENDERS_MAX);
    struct hospital_sender *sender = &self->senders[self->sender_count];
    sender->adt = adt_sender_new(zconfig_name(section));
    if (sender->adt == NULL)
        return complain(&r, "out of memory");
    self->sender_count++;
    for (zconfig_t *item = zconfig_child(section); item != NULL; item = zconfig_next(item))
        if (!read_setting(&r, item, sender))
            return false;
    if (sender->adt->application.count == 0 && sender->adt->facility.count == 0)
        return complain(&r, "needs 'application' (MSH-3) or 'facility' (MSH-4) to know its messages by; * is any");
    if (sender->adt->zone == NULL && (sender->adt->zone = hl7v2_zone_load(HL7V2_ZONE_DEFAULT)) == NULL)
        return complain(&r,
                        "the time zone " HL7V2_ZONE_DEFAULT " is missing in " HL7V2_ZONE_DIRECTORY "; install tzdata");
    return true;
}

static bool read_receiver(zconfig_t *section, struct hospital *self, char *error)
{
    const struct reading r = {.where = "receiver", .error = error};
    for (zconfig_t *item = zconfig_child(section); item != NULL; item = zconfig_next(item)) {
        const char *name = zconfig_name(item);
        bool ok = strcmp(name, "application") == 0 ? read_item(&r, item, &self->receiving_application)
                  : strcmp(name, "facility") == 0  ? read_item(&r, item, &self->receiving_facility)
                                                   : complain(&r, "there is no setting '%s'", name);
        if (!ok)
            return false;
    }
    return true;
}

struct hospital *hospital_config_read(zconfig_t *root, char error[FORMAT_ERROR_BYTES])
{
    struct hospital *self = calloc(1, sizeof *self);
    bool ok = self != NULL;
    snprintf(error, FORMAT_ERROR_BYTES, "out of memory");
    for (zconfig_t *item = zconfig_child(root); item != NULL && ok; item = zconfig_next(item)) {
        if (strcmp(zconfig_name(item), "receiver") == 0)
            ok = read_receiver(item, self, error);
        if (strcmp(zconfig_name(item), "senders") == 0)
            for (zconfig_t *sender = zconfig_child(item); sender != NULL && ok; sender = zconfig_next(sender))
                ok = read_sender(sender, self, error);
    }
    if (ok && self->sender_count == 0) {
        snprintf(error, FORMAT_ERROR_BYTES, "senders: names no sender; without one no message is taken");
        ok = false;
    }
    if (!ok && self != NULL)
        hospital_config_destroy(&self);
    return self;
}

static void clear(struct adt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

void hospital_config_destroy(struct hospital **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->sender_count; i++) {
        clear(&(*self)->senders[i].processing);
        adt_sender_destroy(&(*self)->senders[i].adt);
    }
    clear(&(*self)->receiving_application);
    clear(&(*self)->receiving_facility);
    free(*self);
    *self = NULL;
}
