#include "adt_sender.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct adt_sender *adt_sender_new(const char *name)
{
    struct adt_sender *self = calloc(1, sizeof *self);
    if (self != NULL && (self->name = strdup(name)) == NULL)
        adt_sender_destroy(&self);
    return self;
}

static void list_clear(struct adt_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    list->count = 0;
}

static void codes_clear(struct adt_code *codes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(codes[i].from);
        free(codes[i].to);
        free(codes[i].display);
    }
}

void adt_sender_destroy(struct adt_sender **self)
{
    struct adt_sender *sender = *self;
    if (sender == NULL)
        return;
    for (size_t i = 0; i < sender->rule_count; i++) {
        free(sender->rules[i].system);
        list_clear(&sender->rules[i].authorities);
        list_clear(&sender->rules[i].types);
    }
    codes_clear(sender->dispositions, sender->disposition_count);
    codes_clear(sender->code_systems, sender->code_system_count);
    list_clear(&sender->letter_types);
    list_clear(&sender->application);
    list_clear(&sender->facility);
    hl7v2_zone_destroy(&sender->zone);
    free(sender->name);
    free(sender->actor);
    free(sender->hospital);
    free(sender->nihdi);
    free(sender->cbe);
    free(sender->zone_name);
    free(sender->document_system);
    free(sender);
    *self = NULL;
}

bool adt_list_add(struct adt_list *list, const char *text)
{
    if (list->count == ADT_LIST_MAX || (list->items[list->count] = strdup(text)) == NULL)
        return false;
    list->count++;
    return true;
}

static bool matches(const char *pattern, const char *text)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return strncasecmp(pattern, text, len - 1) == 0;
    return strcasecmp(pattern, text) == 0;
}

bool adt_list_has(const struct adt_list *list, const char *text)
{
    for (size_t i = 0; i < list->count; i++)
        if (matches(list->items[i], text))
            return true;
    return list->count == 0;
}

// How Belgian systems name the authority of the SSIN (INSZ in Dutch, NISS in French, the National Register's number
// and the Crossroads Bank's BIS), and how the type says it alone: NN is "national person identifier" of table 0203, BE
// and BEL the country.
static const struct adt_rule builtin_rules[] = {
    {.system = (char *)"ssin",
     .authorities = {12,
                     {(char *)"SSIN", (char *)"INSZ", (char *)"INSS", (char *)"NISS", (char *)"NISS_*", (char *)"RRN",
                      (char *)"RNN", (char *)"BIS", (char *)"NRN", (char *)"RIJKSREGISTER*",
                      (char *)"2.16.840.1.113883.3.6777.5.1",
                      (char *)"https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"}},
     .types = {1, {(char *)"*"}}},
    {.system = (char *)"ssin",
     .types = {7,
               {(char *)"NN", (char *)"NNBE", (char *)"NNBEL", (char *)"NISS", (char *)"INSZ", (char *)"SSIN",
                (char *)"RRN"}}},
};
static const struct adt_list patient_types = {5, {(char *)"", (char *)"PI", (char *)"MR", (char *)"MRN", (char *)"PT"}};

static bool falls_under(const struct adt_rule *rule, const char *space, const char *universal, const char *type)
{
    bool authority = adt_list_has(&rule->authorities, space) ||
                     (universal[0] != '\0' && adt_list_has(&rule->authorities, universal));
    return authority && adt_list_has(rule->types.count > 0 ? &rule->types : &patient_types, type);
}

static const struct adt_rule *find(const struct adt_rule *rules, size_t count, const char *space, const char *universal,
                                   const char *type)
{
    for (size_t i = 0; i < count; i++)
        if (falls_under(&rules[i], space, universal, type))
            return &rules[i];
    return NULL;
}

const struct adt_rule *adt_sender_rule(const struct adt_sender *self, const char *space, const char *universal,
                                       const char *type)
{
    const struct adt_rule *rule = find(self->rules, self->rule_count, space, universal, type);
    const struct adt_rule *builtin =
        find(builtin_rules, sizeof builtin_rules / sizeof builtin_rules[0], space, universal, type);
    // A sender's rule for any authority must not take what says by name that it is an SSIN.
    return rule != NULL && (builtin == NULL || rule->authorities.count > 0) ? rule : builtin;
}

bool adt_is_nihdi(const char *authority)
{
    static const struct adt_list names = {
        6,
        {(char *)"RIZIV*", (char *)"INAMI*", (char *)"NIHDI*", (char *)"2.16.840.1.113883.3.6777.5.2",
         (char *)"https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/nihdi",
         (char *)"https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/nihdi-professional"}};
    return authority[0] != '\0' && adt_list_has(&names, authority);
}

static const struct adt_code *find_code(const struct adt_code *codes, size_t count, const char *from)
{
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(codes[i].from, from) == 0)
            return &codes[i];
    return NULL;
}

const struct adt_code *adt_sender_disposition(const struct adt_sender *self, const char *code)
{
    return find_code(self->dispositions, self->disposition_count, code);
}

// Names of table 0396, and what Belgian systems write for it.
static const struct adt_code builtin_systems[] = {
    {(char *)"I10", (char *)"http://hl7.org/fhir/sid/icd-10", NULL},
    {(char *)"ICD10", (char *)"http://hl7.org/fhir/sid/icd-10", NULL},
    {(char *)"I10C", (char *)"http://hl7.org/fhir/sid/icd-10-cm", NULL},
    {(char *)"I9", (char *)"http://hl7.org/fhir/sid/icd-9-cm", NULL},
    {(char *)"I9C", (char *)"http://hl7.org/fhir/sid/icd-9-cm", NULL},
    {(char *)"SCT", (char *)"http://snomed.info/sct", NULL},
    {(char *)"SNOMED-CT", (char *)"http://snomed.info/sct", NULL},
    {(char *)"ICPC2", (char *)"http://hl7.org/fhir/sid/icpc-2", NULL},
    {(char *)"CNK", (char *)"cnk", NULL},
    {(char *)"CD-DRUG-CNK", (char *)"cnk", NULL},
    {(char *)"ATC", (char *)"http://www.whocc.no/atc", NULL},
    {(char *)"CD-ATC", (char *)"http://www.whocc.no/atc", NULL},
    {(char *)"NDC", (char *)"http://hl7.org/fhir/sid/ndc", NULL},
    {(char *)"RXNORM", (char *)"http://www.nlm.nih.gov/research/umls/rxnorm", NULL},
    {(char *)"LN", (char *)"http://loinc.org", NULL},
    {(char *)"HL70162", (char *)"http://terminology.hl7.org/CodeSystem/v2-0162", NULL},
    {(char *)"HL70335", (char *)"http://terminology.hl7.org/CodeSystem/v2-0335", NULL},
};

const char *adt_sender_code_system(const struct adt_sender *self, const char *name)
{
    const struct adt_code *code = find_code(self->code_systems, self->code_system_count, name);
    if (code == NULL)
        code = find_code(builtin_systems, sizeof builtin_systems / sizeof builtin_systems[0], name);
    return code != NULL ? code->to : name;
}

bool adt_sender_is_letter(const struct adt_sender *self, const char *type)
{
    if (self->letter_types.count > 0)
        return adt_list_has(&self->letter_types, type);
    return strcasecmp(type, "DS") == 0; // table 0270: discharge summary
}
