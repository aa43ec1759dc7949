#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pharmacy_message.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

void pharmacy_refuse(struct carehub_message *message, enum carehub_verdict verdict, const char *where, const char *rule,
                     const char *format, ...)
{
    struct carehub_problem *problem = &message->problem;
    va_list arguments;
    message->verdict = verdict;
    snprintf(problem->where, sizeof problem->where, "%s", where);
    snprintf(problem->rule, sizeof problem->rule, "%s", rule);
    va_start(arguments, format);
    vsnprintf(problem->what, sizeof problem->what, format, arguments);
    va_end(arguments);
}

// ---- Rules, as their standards name them

// The short names of rules that Vitalink has beyond the XSD of KMEHR.
static bool is_of_the_scheme(const char *rule)
{
    static const char *const rules[] = {"one-scheme",       "one-folder",           "scheme-version",    "element-id",
                                        "one-medication",   "one-product",          "one-end",           "beginmoment",
                                        "one-posology",     "suspension-link",      "suspension-size",   "period",
                                        "transaction-kind", "suspension-lifecycle", "suspension-stopped"};
    for (size_t i = 0; i < COUNT(rules); i++)
        if (strcmp(rules[i], rule) == 0)
            return true;
    return false;
}

static void kmehr_rule(const struct medication_error *error, char rule[CAREHUB_RULE_BYTES])
{
    switch (error->fault) {
    case MEDICATION_FAULT_SCHEMA:
        snprintf(rule, CAREHUB_RULE_BYTES, "KMEHR 1.43 XSD");
        return;
    case MEDICATION_FAULT_SYNTAX:
        snprintf(rule, CAREHUB_RULE_BYTES, "XML 1.0");
        return;
    case MEDICATION_FAULT_SIZE:
    case MEDICATION_FAULT_FORBIDDEN:
    case MEDICATION_FAULT_MEMORY:
        snprintf(rule, CAREHUB_RULE_BYTES, "limits of the adapter, %s", error->rule);
        return;
    default:
        snprintf(rule, CAREHUB_RULE_BYTES, "%s, %s",
                 is_of_the_scheme(error->rule) ? "Vitalink medication scheme" : "KMEHR 1.43", error->rule);
    }
}

// The element that a path leads to, within its resource: "Bundle.entry[3].resource.dosage[0].text" is "dosage.text".
static void element_of(const char *path, char element[CAREHUB_RULE_BYTES])
{
    static const char entry[] = "Bundle.entry[", resource[] = "resource";
    size_t len = 0;
    if (strncmp(path, entry, sizeof entry - 1) == 0) {
        path += strcspn(path, "]");
        path += strspn(path, "].");
        if (strncmp(path, resource, sizeof resource - 1) == 0)
            path += sizeof resource - 1;
    } else {
        path += strcspn(path, ".");
    }
    path += *path == '.';
    for (; *path != '\0' && len + 1 < CAREHUB_RULE_BYTES; path++) {
        if (*path == '[' && strchr(path, ']') != NULL && path[1] >= '0' && path[1] <= '9')
            path = strchr(path, ']');
        else
            element[len++] = *path;
    }
    element[len] = '\0';
}

static void fhir_rule(const struct medication_error *error, char rule[CAREHUB_RULE_BYTES])
{
    char element[CAREHUB_RULE_BYTES];
    switch (error->fault) {
    case MEDICATION_FAULT_SYNTAX:
        snprintf(rule, CAREHUB_RULE_BYTES, "RFC 8259 (JSON)");
        return;
    case MEDICATION_FAULT_SIZE:
    case MEDICATION_FAULT_FORBIDDEN:
    case MEDICATION_FAULT_MEMORY:
        snprintf(rule, CAREHUB_RULE_BYTES, "limits of the adapter, %s", error->rule);
        return;
    default:
        if (error->resource != NULL)
            element_of(error->path, element);
        else
            snprintf(element, sizeof element, "%.*s", (int)strcspn(error->path, "["), error->path);
        snprintf(rule, CAREHUB_RULE_BYTES, "FHIR R4 %s%s%.60s", error->resource != NULL ? error->resource : "",
                 error->resource != NULL && element[0] != '\0' ? "." : "", element);
    }
}

void pharmacy_rule(bool fhir, const struct medication_error *error, char rule[CAREHUB_RULE_BYTES])
{
    if (fhir)
        fhir_rule(error, rule);
    else
        kmehr_rule(error, rule);
}

// The end of a path says more than its beginning.
static void write_where(const struct medication_error *error, char where[CAREHUB_WHERE_BYTES])
{
    size_t used = 0, len = strlen(error->path);
    if (error->line > 0)
        used = (size_t)snprintf(where, CAREHUB_WHERE_BYTES, "line %zu%s", error->line, len > 0 ? ", " : "");
    size_t room = CAREHUB_WHERE_BYTES - used - 1;
    if (len > room)
        snprintf(where + used, room + 1, "...%s", error->path + len - (room - 3));
    else
        snprintf(where + used, room + 1, "%s", error->path);
}

// Another kind of message is none for this receiver; anything else is an error in one that is.
void pharmacy_refuse_content(struct carehub_message *message, const struct medication_error *error)
{
    struct pharmacy_message *own = message->own;
    char where[CAREHUB_WHERE_BYTES], rule[CAREHUB_RULE_BYTES];
    write_where(error, where);
    pharmacy_rule(own->fhir, error, rule);
    pharmacy_refuse(message, error->fault == MEDICATION_FAULT_KIND ? CAREHUB_MESSAGE_REJECTED : CAREHUB_MESSAGE_ERROR,
                    where, rule, "%s", error->text);
}
