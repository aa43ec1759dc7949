#include "pharmacy_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"
#include "settings.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *const no_yes[] = {"no", "yes", NULL}, *const confirms[] = {"hub", "spool", NULL},
                         *const firsts[] = {"remember", "tell", NULL},
                         *const policies[] = {"skip", "refuse", "hold", NULL}, *const forms[] = {"fhir", "kmehr", NULL};

static const struct setting_rule format_rules[] = {
    {.name = "plugin", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, plugin)},
    {.name = "default-sender", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, default_sender)},
    {.name = "zone", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, zone_name)},
    {.name = "name", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, name)},
    {.name = "endpoint", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, endpoint)},
    {.name = "nihdi", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, nihdi)},
    {.name = "cbe", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy, cbe)},
    {.name = "senders", .kind = SETTING_SECTION},
};

static const struct setting_rule sender_rules[] = {
    {.name = "peer", .kind = SETTING_LIST, .offset = offsetof(struct pharmacy_sender, peers)},
    {.name = "actor", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_sender, actor)},
    {.name = "role", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_sender, role)},
    {.name = "zone", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_sender, zone_name)},
    {.name = "xsd", .kind = SETTING_PATH, .offset = offsetof(struct pharmacy_sender, xsd)},
    {.name = "strict", .kind = SETTING_CHOICE, .offset = offsetof(struct pharmacy_sender, strict), .choices = no_yes},
    {.name = "confirm",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct pharmacy_sender, confirm_by_spool),
     .choices = confirms},
    {.name = "first",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct pharmacy_sender, tell_first),
     .choices = firsts},
    {.name = "unidentified",
     .kind = SETTING_CHOICE,
     .offset = offsetof(struct pharmacy_sender, unidentified),
     .choices = policies},
};

static const struct setting_rule receiver_rules[] = {
    {.name = "form", .kind = SETTING_CHOICE, .offset = offsetof(struct pharmacy_receiver, form), .choices = forms},
    {.name = "name", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_receiver, name)},
    {.name = "endpoint", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_receiver, endpoint)},
    {.name = "nihdi", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_receiver, nihdi)},
    {.name = "hcparty", .kind = SETTING_TEXT, .offset = offsetof(struct pharmacy_receiver, hcparty)},
};

int32_t pharmacy_offset(const void *zone, int64_t unix_s)
{
    return hl7v2_zone_offset(zone, unix_s) / 60;
}

// ---- Checks

// Replaces a number by its normal form. NULL stays.
static bool check_number(const char *where, const char *system, char **value, char error[CAREHUB_ERROR_BYTES])
{
    struct identifier checked;
    if (*value == NULL)
        return true;
    enum identifier_status status = identifier_check(system, *value, &checked);
    if (!identifier_usable(status))
        return settings_complain(error, where, "setting '%s': %s", system, identifier_status_text(status));
    free(*value);
    *value = strdup(checked.value);
    return *value != NULL || settings_complain(error, where, "out of memory");
}

static bool load_zone(const char *where, const char *name, struct hl7v2_zone **zone, char error[CAREHUB_ERROR_BYTES])
{
    *zone = hl7v2_zone_load(name);
    return *zone != NULL ||
           settings_complain(error, where, "setting 'zone': there is no time zone '%s' in " HL7V2_ZONE_DIRECTORY, name);
}

static bool set_default(char **text, const char *value, char error[CAREHUB_ERROR_BYTES])
{
    if (*text == NULL)
        *text = strdup(value);
    return *text != NULL || settings_complain(error, "format", "out of memory");
}

// ---- Senders

static bool load_schema(const char *where, struct pharmacy_sender *sender, char error[CAREHUB_ERROR_BYTES])
{
    struct medication_error found;
    if (sender->xsd == NULL)
        return true;
    sender->schema = kmehr_schema_new(sender->xsd, &found);
    return sender->schema != NULL || settings_complain(error, where, "setting 'xsd': %s", found.text);
}

static const struct pharmacy_sender *sender_named(const struct pharmacy *self, const char *name)
{
    for (size_t i = 0; i < self->n_senders; i++)
        if (strcmp(self->senders[i].name, name) == 0)
            return &self->senders[i];
    return NULL;
}

// Two senders of one peer would leave it to chance whose name goes into its ids.
static bool peers_are_its_own(const struct pharmacy *self, const struct pharmacy_sender *sender, const char *where,
                              char error[CAREHUB_ERROR_BYTES])
{
    for (size_t i = 0; i < sender->peers.count; i++) {
        const struct pharmacy_sender *other = pharmacy_sender_find(self, sender->peers.items[i]);
        if (other != NULL && other != sender)
            return settings_complain(error, where, "peer '%.64s' is sender %.64s already", sender->peers.items[i],
                                     other->name);
    }
    return true;
}

static bool read_sender(struct pharmacy *self, const struct carehub_setting *section, const char *folder,
                        char error[CAREHUB_ERROR_BYTES])
{
    char where[CAREHUB_NAME_BYTES + 24];
    snprintf(where, sizeof where, "format/senders/%.*s", CAREHUB_NAME_BYTES, section->name);
    if (self->n_senders == PHARMACY_SENDERS_MAX)
        return settings_complain(error, "format/senders", "at most %d", PHARMACY_SENDERS_MAX);
    if (strlen(section->name) >= CAREHUB_NAME_BYTES)
        return settings_complain(error, where, "a sender's name is at most %d bytes long", CAREHUB_NAME_BYTES - 1);
    if (section->value[0] != '\0')
        return settings_complain(error, where, "is a section: its settings stand on lines of their own below it");
    if (sender_named(self, section->name) != NULL)
        return settings_complain(error, where, "is there twice");
    struct pharmacy_sender *sender = &self->senders[self->n_senders++];
    snprintf(sender->name, sizeof sender->name, "%s", section->name);
    if (!settings_read(section, where, folder, sender_rules, COUNT(sender_rules), sender, error))
        return false;
    if (sender->zone_name != NULL && !load_zone(where, sender->zone_name, &sender->own_zone, error))
        return false;
    sender->zone = sender->own_zone != NULL ? sender->own_zone : self->zone;
    return peers_are_its_own(self, sender, where, error) && set_default(&sender->role, "pharmacist", error) &&
           load_schema(where, sender, error);
}

static bool read_senders(struct pharmacy *self, const struct carehub_setting *senders, const char *folder,
                         char error[CAREHUB_ERROR_BYTES])
{
    for (const struct carehub_setting *item = senders != NULL ? senders->first : NULL; item != NULL; item = item->next)
        if (!read_sender(self, item, folder, error))
            return false;
    if (self->default_sender != NULL && pharmacy_sender_find(self, "") == NULL)
        return settings_complain(error, "format", "setting 'default-sender': there is no section '%.64s' in senders",
                                 self->default_sender);
    return true;
}

static bool lists(const struct setting_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], text) == 0)
            return true;
    return false;
}

const struct pharmacy_sender *pharmacy_sender_find(const struct pharmacy *self, const char *peer)
{
    if (peer[0] == '\0')
        return self->default_sender != NULL ? sender_named(self, self->default_sender) : NULL;
    for (size_t i = 0; i < self->n_senders; i++)
        if (lists(&self->senders[i].peers, peer) ||
            (self->senders[i].peers.count == 0 && strcmp(self->senders[i].name, peer) == 0))
            return &self->senders[i];
    return NULL;
}

// ---- The whole

struct pharmacy *pharmacy_config_read(const struct carehub_setting *section, const char *folder,
                                      char error[CAREHUB_ERROR_BYTES])
{
    struct pharmacy *self = calloc(1, sizeof *self);
    if (self != NULL)
        self->senders = calloc(PHARMACY_SENDERS_MAX, sizeof *self->senders);
    bool done = self != NULL && self->senders != NULL;
    if (!done)
        settings_complain(error, "format", "out of memory");
    done = done && settings_read(section, "format", folder, format_rules, COUNT(format_rules), self, error) &&
           set_default(&self->zone_name, HL7V2_ZONE_DEFAULT, error) && set_default(&self->name, "carehub", error) &&
           set_default(&self->endpoint, "urn:carehub", error) && check_number("format", "nihdi", &self->nihdi, error) &&
           check_number("format", "cbe", &self->cbe, error) &&
           load_zone("format", self->zone_name, &self->zone, error) &&
           read_senders(self, setting_named(section, "senders"), folder, error);
    if (!done)
        pharmacy_config_destroy(&self);
    return self;
}

void pharmacy_config_destroy(struct pharmacy **self)
{
    if (*self == NULL)
        return;
    for (size_t i = 0; i < (*self)->n_senders; i++) {
        struct pharmacy_sender *sender = &(*self)->senders[i];
        settings_clear(sender_rules, COUNT(sender_rules), sender);
        hl7v2_zone_destroy(&sender->own_zone);
        kmehr_schema_destroy(&sender->schema);
    }
    settings_clear(format_rules, COUNT(format_rules), *self);
    hl7v2_zone_destroy(&(*self)->zone);
    free((*self)->senders);
    free(*self);
    *self = NULL;
}

bool pharmacy_receiver_read(const struct carehub_setting *section, struct pharmacy_receiver *receiver,
                            char error[CAREHUB_ERROR_BYTES])
{
    *receiver = (struct pharmacy_receiver){0};
    return settings_read(section, "receiver", "", receiver_rules, COUNT(receiver_rules), receiver, error) &&
           check_number("receiver", "nihdi", &receiver->nihdi, error) &&
           set_default(&receiver->hcparty, "orgpharmacy", error);
}

void pharmacy_receiver_clear(struct pharmacy_receiver *receiver)
{
    settings_clear(receiver_rules, COUNT(receiver_rules), receiver);
}
