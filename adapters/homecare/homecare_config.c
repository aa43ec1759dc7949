#include "homecare_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"

#define SOURCE_DEFAULT "urn:carehub" // FHIR wants a URL of every message's source
#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static const struct setting_rule format_rules[] = {
    {.name = "plugin", .kind = SETTING_TEXT, .offset = offsetof(struct homecare, plugin)},
    {.name = "endpoint", .kind = SETTING_TEXT, .offset = offsetof(struct homecare, endpoint)},
    {.name = "name", .kind = SETTING_TEXT, .offset = offsetof(struct homecare, name)},
    {.name = "default-sender", .kind = SETTING_TEXT, .offset = offsetof(struct homecare, default_sender)},
    {.name = "senders", .kind = SETTING_SECTION},
};

static const char *const confirms[] = {"hub", "spool", NULL};
static const struct setting_rule sender_rules[] = {
    {.name = "peer", .kind = SETTING_LIST, .offset = offsetof(struct homecare_sender, peers)},
    {.name = "actor", .kind = SETTING_TEXT, .offset = offsetof(struct homecare_sender, actor)},
    {.name = "role",
     .kind = SETTING_TEXT,
     .offset = offsetof(struct homecare_sender, role),
     .required = true,
     .example = "home-nurse"},
    {.name = "confirm",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct homecare_sender, confirm_by_spool),
     .choices = confirms},
    {.name = "rules", .kind = SETTING_SECTION},
};

// ---- Rules

struct rule_texts {
    char *system, *code, *event;
};

static const struct setting_rule rule_rules[] = {
    {.name = "system",
     .kind = SETTING_TEXT,
     .offset = offsetof(struct rule_texts, system),
     .required = true,
     .example = "http://snomed.info/sct"},
    {.name = "code", .kind = SETTING_TEXT, .offset = offsetof(struct rule_texts, code), .required = true},
    {.name = "event",
     .kind = SETTING_TEXT,
     .offset = offsetof(struct rule_texts, event),
     .required = true,
     .example = "CarerStrain"},
};

static bool may_be_made(Carehub__V1__EventType type)
{
    return type == CAREHUB__V1__EVENT_TYPE__FALL_REPORTED || type == CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED ||
           type == CAREHUB__V1__EVENT_TYPE__ASSESSMENT_COMPLETED || type == CAREHUB__V1__EVENT_TYPE__CARER_STRAIN ||
           type == CAREHUB__V1__EVENT_TYPE__PATIENT_REPORTED;
}

static bool read_rule(const struct carehub_setting *section, const char *where, struct homecare_sender *sender,
                      char error[CAREHUB_ERROR_BYTES])
{
    struct rule_texts texts = {0};
    bool ok = settings_read(section, where, "", rule_rules, COUNT(rule_rules), &texts, error);
    Carehub__V1__EventType type =
        ok ? event_type_by_name(texts.event) : CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
    if (ok && sender->n_rules == HOMECARE_RULES_MAX)
        ok = settings_complain(error, where, "a sender has at most %d rules", HOMECARE_RULES_MAX);
    if (ok && !may_be_made(type))
        ok = settings_complain(error, where,
                               "setting 'event' has to be FallReported, ConditionChanged, AssessmentCompleted, "
                               "CarerStrain or PatientReported");
    if (ok) {
        sender->rules[sender->n_rules++] = (struct fhir_rule){texts.system, texts.code, type};
        texts.system = texts.code = NULL;
    }
    settings_clear(rule_rules, COUNT(rule_rules), &texts);
    return ok;
}

static bool read_rules(const struct carehub_setting *section, const char *where, struct homecare_sender *sender,
                       char error[CAREHUB_ERROR_BYTES])
{
    char place[4 * CAREHUB_NAME_BYTES];
    for (const struct carehub_setting *rule = section != NULL ? section->first : NULL; rule != NULL;
         rule = rule->next) {
        snprintf(place, sizeof place, "%s/rules/%.*s", where, CAREHUB_NAME_BYTES, rule->name);
        if (!read_rule(rule, place, sender, error))
            return false;
    }
    return true;
}

// ---- Senders

static const struct homecare_sender *sender_named(const struct homecare *self, const char *name)
{
    for (size_t i = 0; i < self->n_senders; i++)
        if (strcmp(self->senders[i]->name, name) == 0)
            return self->senders[i];
    return NULL;
}

static bool lists(const struct setting_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

// Two senders of one peer would leave it to chance whose name goes into its ids.
static bool peers_are_its_own(const struct homecare *self, const struct homecare_sender *sender, const char *where,
                              char error[CAREHUB_ERROR_BYTES])
{
    for (size_t i = 0; i < sender->peers.count; i++) {
        const struct homecare_sender *other = homecare_sender_of(self, sender->peers.items[i]);
        if (other != NULL && other != sender)
            return settings_complain(error, where, "peer '%.64s' is sender %.64s already", sender->peers.items[i],
                                     other->name);
    }
    return true;
}

static bool read_sender(const struct carehub_setting *section, struct homecare *self, char error[CAREHUB_ERROR_BYTES])
{
    char where[2 * CAREHUB_NAME_BYTES];
    snprintf(where, sizeof where, "format/senders/%.*s", CAREHUB_NAME_BYTES, section->name);
    if (strlen(section->name) >= CAREHUB_NAME_BYTES)
        return settings_complain(error, where, "a sender's name has at most %d characters", CAREHUB_NAME_BYTES - 1);
    if (self->n_senders == HOMECARE_SENDERS_MAX)
        return settings_complain(error, where, "there are at most %d senders", HOMECARE_SENDERS_MAX);
    if (sender_named(self, section->name) != NULL)
        return settings_complain(error, where, "is there twice");
    struct homecare_sender *sender = calloc(1, sizeof *sender);
    char *name = strdup(section->name);
    if (sender == NULL || name == NULL) {
        free(sender);
        free(name);
        return settings_complain(error, where, "out of memory");
    }
    sender->name = name;
    self->senders[self->n_senders++] = sender;
    return settings_read(section, where, "", sender_rules, COUNT(sender_rules), sender, error) &&
           read_rules(setting_named(section, "rules"), where, sender, error) &&
           peers_are_its_own(self, sender, where, error);
}

const struct homecare_sender *homecare_sender_of(const struct homecare *self, const char *peer)
{
    if (peer[0] == '\0')
        return self->fallback;
    for (size_t i = 0; i < self->n_senders; i++)
        if (lists(&self->senders[i]->peers, peer) ||
            (self->senders[i]->peers.count == 0 && strcmp(self->senders[i]->name, peer) == 0))
            return self->senders[i];
    return NULL;
}

// ---- The whole

static bool read_all(const struct carehub_setting *section, const char *folder, struct homecare *self,
                     char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_setting *senders = setting_named(section, "senders");
    if (!settings_read(section, "format", folder, format_rules, COUNT(format_rules), self, error))
        return false;
    for (const struct carehub_setting *one = senders != NULL ? senders->first : NULL; one != NULL; one = one->next)
        if (!read_sender(one, self, error))
            return false;
    if (self->default_sender != NULL && (self->fallback = sender_named(self, self->default_sender)) == NULL)
        return settings_complain(error, "format", "setting 'default-sender' has to name one of the senders");
    if (self->endpoint == NULL && (self->endpoint = strdup(SOURCE_DEFAULT)) == NULL)
        return settings_complain(error, "format", "out of memory");
    return true;
}

struct homecare *homecare_config_read(const struct carehub_setting *section, const char *folder,
                                      char error[CAREHUB_ERROR_BYTES])
{
    struct homecare *self = calloc(1, sizeof *self);
    if (self == NULL)
        settings_complain(error, "format", "out of memory");
    else if (!read_all(section, folder, self, error))
        homecare_config_destroy(&self);
    return self;
}

void homecare_config_destroy(struct homecare **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->n_senders; i++) {
        struct homecare_sender *sender = (*self)->senders[i];
        for (size_t k = 0; k < sender->n_rules; k++) {
            free((char *)sender->rules[k].system);
            free((char *)sender->rules[k].code);
        }
        settings_clear(sender_rules, COUNT(sender_rules), sender);
        free((char *)sender->name);
        free(sender);
    }
    settings_clear(format_rules, COUNT(format_rules), *self);
    free(*self);
    *self = NULL;
}
