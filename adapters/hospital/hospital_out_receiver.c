#include "hospital_out_receiver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define WHERE_BYTES 128
#define SENDING_APPLICATION "CAREHUB"

static const char *const processings[] = {"P", "T", "D", NULL};
static const char *const versions[] = {"2.5.1", "2.5", "2.6", NULL};
static const char *const charsets[] = {"utf-8", "8859/1", NULL};
static const char *const no_yes[] = {"no", "yes", NULL};

#define IN_RECEIVER(member) .offset = offsetof(struct out_receiver, member)
static const struct setting_rule rules[] = {
    {.name = "application", .kind = SETTING_TEXT, IN_RECEIVER(application)},
    {.name = "facility", .kind = SETTING_TEXT, IN_RECEIVER(facility)},
    {.name = "sending-application", .kind = SETTING_TEXT, IN_RECEIVER(sending_application)},
    {.name = "sending-facility", .kind = SETTING_TEXT, IN_RECEIVER(sending_facility)},
    {.name = "processing", .kind = SETTING_CHOICE, .choices = processings, IN_RECEIVER(processing)},
    {.name = "version", .kind = SETTING_CHOICE, .choices = versions, IN_RECEIVER(version)},
    {.name = "charset", .kind = SETTING_CHOICE, .choices = charsets, IN_RECEIVER(latin1)},
    {.name = "care-organisation", .kind = SETTING_CHOICE, .choices = no_yes, IN_RECEIVER(organisation)},
    {.name = "identifiers", .kind = SETTING_SECTION},
    {.name = "disposition", .kind = SETTING_SECTION},
};

#define IN_SYSTEM(member) .offset = offsetof(struct out_system, member)
static const struct setting_rule system_rules[] = {
    {.name = "system", .kind = SETTING_TEXT, IN_SYSTEM(system), .required = true, .example = "ssin"},
    {.name = "authority", .kind = SETTING_TEXT, IN_SYSTEM(authority)},
    {.name = "universal-id", .kind = SETTING_TEXT, IN_SYSTEM(universal_id)},
    {.name = "type", .kind = SETTING_TEXT, IN_SYSTEM(type)},
};

static bool read_systems(struct out_receiver *self, const struct carehub_setting *section, char *error)
{
    const struct carehub_setting *item = section != NULL ? section->first : NULL;
    for (; item != NULL; item = item->next) {
        char where[WHERE_BYTES];
        snprintf(where, sizeof where, "receiver/identifiers/%.64s", item->name);
        if (self->system_count == OUT_SYSTEMS_MAX)
            return settings_complain(error, where, "at most %u systems of identifiers", OUT_SYSTEMS_MAX);
        if (!settings_read(item, where, NULL, system_rules, COUNT_OF(system_rules),
                           &self->systems[self->system_count++], error))
            return false;
    }
    return true;
}

static bool read_dispositions(struct out_receiver *self, const struct carehub_setting *section, char *error)
{
    const struct carehub_setting *item = section != NULL ? section->first : NULL;
    for (; item != NULL; item = item->next) {
        if (self->disposition_count == OUT_CODES_MAX || item->value[0] == '\0')
            return settings_complain(error, "receiver/disposition",
                                     "lines of 'code of FHIR's discharge-disposition = the receiver's code', at most "
                                     "%u",
                                     OUT_CODES_MAX);
        struct out_code *code = &self->dispositions[self->disposition_count++];
        code->from = strdup(item->name);
        code->to = strdup(item->value);
        if (code->from == NULL || code->to == NULL)
            return settings_complain(error, "receiver/disposition", "out of memory");
    }
    return true;
}

bool out_receiver_read(struct out_receiver *self, const struct carehub_setting *section,
                       char error[CAREHUB_ERROR_BYTES])
{
    *self = (struct out_receiver){0};
    if (!settings_read(section, "receiver", NULL, rules, COUNT_OF(rules), self, error) ||
        !read_systems(self, setting_named(section, "identifiers"), error) ||
        !read_dispositions(self, setting_named(section, "disposition"), error))
        return false;
    if (self->sending_application == NULL)
        self->sending_application = strdup(SENDING_APPLICATION);
    return self->sending_application != NULL || settings_complain(error, "receiver", "out of memory");
}

void out_receiver_clear(struct out_receiver *self)
{
    settings_clear(rules, COUNT_OF(rules), self);
    for (size_t i = 0; i < self->system_count; i++)
        settings_clear(system_rules, COUNT_OF(system_rules), &self->systems[i]);
    for (size_t i = 0; i < self->disposition_count; i++) {
        free(self->dispositions[i].from);
        free(self->dispositions[i].to);
    }
    self->system_count = self->disposition_count = 0;
}

const char *out_receiver_processing(const struct out_receiver *self)
{
    return processings[self->processing];
}

const char *out_receiver_version(const struct out_receiver *self)
{
    return versions[self->version];
}

const struct out_system *out_receiver_system(const struct out_receiver *self, const char *system)
{
    // NNBEL: national person identifier, of Belgium (table 0203).
    static const struct out_system known[] = {
        {(char *)"ssin", (char *)"SSIN", (char *)"2.16.840.1.113883.3.6777.5.1", (char *)"NNBEL"},
        {(char *)"nihdi", (char *)"NIHDI", (char *)"2.16.840.1.113883.3.6777.5.2", NULL},
        {(char *)"cbe", (char *)"CBE", (char *)"2.16.840.1.113883.3.6777.5.5", NULL},
        {(char *)"ehp", (char *)"EHP", (char *)"2.16.840.1.113883.3.6777.5.6", NULL},
    };
    for (size_t i = 0; i < self->system_count; i++)
        if (strcmp(self->systems[i].system, system) == 0)
            return &self->systems[i];
    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strcmp(known[i].system, system) == 0)
            return &known[i];
    return NULL;
}

const char *out_receiver_disposition(const struct out_receiver *self, const char *code)
{
    for (size_t i = 0; i < self->disposition_count; i++)
        if (strcmp(self->dispositions[i].from, code) == 0)
            return self->dispositions[i].to;
    return code;
}
