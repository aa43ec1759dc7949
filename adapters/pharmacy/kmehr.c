// From a KMEHR message to a scheme: its transactions and how they hang together.
#include "kmehr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kmehr_internal.h"

// An element of the scheme, under the number by which suspensions point at it; unique in a good message.
struct element {
    char number[KMEHR_VALUE_BYTES];
    KmehrLine *line; // the scheme's
};

struct folder {
    struct kmehr_reader r;
    const xmlNode *node;
    KmehrScheme *scheme;
    struct element *elements; // n_lines of them
};

static bool is_transaction(const xmlNode *transaction, const char *kind)
{
    return kmehr_has_code(transaction, "CD-TRANSACTION", kind);
}

// ---- Finding the message

// The next element of the document in its order, without recursion.
static xmlNode *following(xmlNode *node)
{
    if (node->type == XML_ELEMENT_NODE && node->children != NULL)
        return node->children;
    while (node != NULL && node->next == NULL)
        node = node->parent != NULL && node->parent->type == XML_ELEMENT_NODE ? node->parent : NULL;
    return node != NULL ? node->next : NULL;
}

static xmlNode *find_message(xmlDoc *doc, struct kmehr_reader *r)
{
    xmlNode *root = xmlDocGetRootElement(doc);
    for (xmlNode *node = root; node != NULL; node = following(node))
        if (kmehr_is(node, "kmehrmessage"))
            return node;
    bool named = root != NULL && strcmp((const char *)root->name, "kmehrmessage") == 0;
    kmehr_describe(root, MEDICATION_FAULT_KIND, named ? "namespace" : "kmehrmessage",
                   named ? "its kmehrmessage is not in the namespace " KMEHR_NAMESPACE
                         : "it has no kmehrmessage in it; only KMEHR is read here",
                   r->error);
    return NULL;
}

// ---- Scheme

// "/subject/<number>/medication-scheme/<id>/<version>" without whose it is; id and version as far as they are there.
static void split_uri(const char *uri, char id[KMEHR_VALUE_BYTES], char version[KMEHR_VALUE_BYTES])
{
    if (strncmp(uri, "/subject/", 9) == 0) {
        const char *rest = strchr(uri + 9, '/');
        uri = rest != NULL ? rest + 1 : "";
    }
    static const char collection[] = "medication-scheme/";
    if (strncmp(uri, collection, sizeof collection - 1) == 0)
        uri += sizeof collection - 1;
    snprintf(id, KMEHR_VALUE_BYTES, "%s", uri);
    char *slash = strrchr(id, '/');
    snprintf(version, KMEHR_VALUE_BYTES, "%s", slash != NULL ? slash + 1 : "");
    if (slash != NULL)
        *slash = '\0';
}

// The id that a vault or hub gave: those of Vitalink, of the Walloon and of the Brussels network.
static void read_uri(const xmlNode *transaction, char uri[KMEHR_VALUE_BYTES])
{
    static const char *const lists[] = {"vitalinkuri", "RSWID", "RSBID"};
    uri[0] = '\0';
    for (const xmlNode *id = kmehr_child(transaction, "id"); id != NULL && uri[0] == '\0'; id = kmehr_next(id, "id"))
        for (size_t i = 0; i < sizeof lists / sizeof lists[0] && kmehr_attribute_is(id, "S", "LOCAL"); i++)
            if (kmehr_attribute_is(id, "SL", lists[i]))
                kmehr_value(id, uri, KMEHR_VALUE_BYTES);
}

static bool read_version(struct folder *f, const xmlNode *transaction)
{
    char version[KMEHR_VALUE_BYTES];
    const xmlNode *node = kmehr_child(transaction, "version");
    kmehr_value(node, version, sizeof version);
    if (kmehr_count(transaction, "version") != 1 || version[0] == '\0' ||
        version[strspn(version, "0123456789")] != '\0')
        return kmehr_fail(&f->r, node != NULL ? node : transaction, "scheme-version",
                          "the medicationscheme has one version, a number; without it versions cannot be compared");
    return scheme_set(&f->scheme->version, version) || kmehr_no_memory(&f->r);
}

static bool read_recorded(struct folder *f, const xmlNode *transaction, char **field)
{
    char date[64], time[64], recorded[132];
    int64_t day;
    kmehr_value(kmehr_child(transaction, "date"), date, sizeof date);
    kmehr_value(kmehr_child(transaction, "time"), time, sizeof time);
    snprintf(recorded, sizeof recorded, "%s%s%s", date, time[0] != '\0' ? "T" : "", time);
    if (!scheme_day(recorded, &day))
        return kmehr_remark(&f->r, transaction, "transaction-date", "its date and time are none");
    return scheme_set(field, recorded) || kmehr_no_memory(&f->r);
}

static bool read_scheme(struct folder *f, const xmlNode *transaction)
{
    char uri[KMEHR_VALUE_BYTES], id[KMEHR_VALUE_BYTES], version[KMEHR_VALUE_BYTES];
    read_uri(transaction, uri);
    split_uri(uri, id, version);
    return read_version(f, transaction) && read_recorded(f, transaction, &f->scheme->recorded) &&
           (scheme_set(&f->scheme->id, id[0] != '\0' ? id : "medication-scheme") || kmehr_no_memory(&f->r));
}

static bool has_element(const struct folder *f)
{
    for (const xmlNode *t = kmehr_child(f->node, "transaction"); t != NULL; t = kmehr_next(t, "transaction"))
        if (is_transaction(t, "medicationschemeelement"))
            return true;
    return false;
}

static bool find_scheme(struct folder *f)
{
    const xmlNode *found = NULL;
    for (const xmlNode *t = kmehr_child(f->node, "transaction"); t != NULL; t = kmehr_next(t, "transaction")) {
        if (!is_transaction(t, "medicationscheme"))
            continue;
        if (found != NULL)
            return kmehr_fail(&f->r, t, "one-scheme", "a folder has one medicationscheme transaction; this is another");
        found = t;
    }
    if (found != NULL)
        return read_scheme(f, found);
    if (has_element(f)) { // single lines: nothing is known of the rest
        f->scheme->complete = false;
        return true;
    }
    kmehr_describe(f->node, MEDICATION_FAULT_KIND, "one-scheme",
                   "there is no medicationscheme transaction in it; only medication schemes are read here", f->r.error);
    return false;
}

static bool read_patient(struct folder *f)
{
    const xmlNode *patient = kmehr_child(f->node, "patient");
    for (const xmlNode *id = kmehr_child(patient, "id"); id != NULL; id = kmehr_next(id, "id")) {
        char system[KMEHR_VALUE_BYTES], value[KMEHR_VALUE_BYTES];
        bool usable;
        kmehr_attribute(id, "S", system);
        if (strcmp(system, "LOCAL") == 0)
            kmehr_attribute(id, "SL", system);
        bool national = strcmp(system, "ID-PATIENT") == 0 || strcmp(system, "INSS") == 0;
        if (!kmehr_value(id, value, sizeof value) || value[0] == '\0')
            continue;
        if (!scheme_add_patient(f->scheme, national ? "ssin" : system, value, &usable))
            return kmehr_no_memory(&f->r);
        if (!usable && !kmehr_remark(&f->r, id, "patient-id", "this identifier cannot be used to find a patient"))
            return false;
    }
    return true;
}

// ---- Elements

// The one medication item of a transaction.
static const xmlNode *find_medication(struct folder *f, const xmlNode *transaction)
{
    const xmlNode *found = NULL;
    size_t count = 0;
    for (const xmlNode *item = kmehr_child(transaction, "item"); item != NULL; item = kmehr_next(item, "item"))
        if (kmehr_has_code(item, "CD-ITEM", "medication")) {
            found = item;
            count++;
        }
    if (count == 1)
        return found;
    kmehr_fail(&f->r, transaction, "one-medication",
               "this transaction has one item of CD-ITEM medication, no more or less");
    return NULL;
}

static KmehrLine *add_line(struct folder *f, const xmlNode *transaction)
{
    KmehrLine *line = scheme_line();
    if (!scheme_append(&f->scheme->lines, &f->scheme->n_lines, line)) {
        if (line != NULL)
            carehub__pharmacy__v1__line__free_unpacked(line, NULL);
        kmehr_no_memory(&f->r);
        return NULL;
    }
    struct element *element = &f->elements[f->scheme->n_lines - 1];
    kmehr_value(kmehr_coded(transaction, "id", "ID-KMEHR"), element->number, sizeof element->number);
    element->line = line;
    return line;
}

static bool read_element(struct folder *f, const xmlNode *transaction)
{
    char uri[KMEHR_VALUE_BYTES], id[KMEHR_VALUE_BYTES], version[KMEHR_VALUE_BYTES];
    if (f->scheme->n_lines == SCHEME_LINES_MAX)
        return kmehr_fail(&f->r, transaction, "scheme-size", "a scheme has at most 512 elements");
    const xmlNode *item = find_medication(f, transaction);
    KmehrLine *line = item != NULL ? add_line(f, transaction) : NULL;
    if (line == NULL)
        return false;
    read_uri(transaction, uri);
    split_uri(uri, id, version);
    if (!scheme_set(&line->id, id) || !scheme_set(&line->version, version))
        return kmehr_no_memory(&f->r);
    for (size_t i = 0; id[0] != '\0' && i + 1 < f->scheme->n_lines; i++)
        if (strcmp(f->scheme->lines[i]->id, id) == 0) {
            if (!kmehr_remark(&f->r, transaction, "element-id", "another element of the scheme has the same id"))
                return false;
            break;
        }
    if (!f->scheme->complete && !read_recorded(f, transaction, &line->recorded))
        return false;
    return kmehr_read_medication(&f->r, item, line);
}

// ---- Suspensions

// Reads "//transaction[id[@S='ID-KMEHR']='7']", with either kind of quotes. False when it is something else.
static bool read_link(const char *url, char number[KMEHR_VALUE_BYTES])
{
    const char *at = strstr(url, "ID-KMEHR");
    number[0] = '\0';
    if (strncmp(url, "//transaction[", 14) != 0 || at == NULL)
        return false;
    at = strchr(at, '=');
    if (at == NULL)
        return false;
    at++;
    at += strspn(at, " ");
    if (*at != '\'' && *at != '"')
        return false;
    const char *end = strchr(at + 1, *at);
    if (end == NULL || end == at + 1)
        return false;
    snprintf(number, KMEHR_VALUE_BYTES, "%.*s", (int)(end - at - 1), at + 1);
    return true;
}

// The element that a suspension is planned for. NULL with an error.
static KmehrLine *find_target(struct folder *f, const xmlNode *transaction, const xmlNode *item)
{
    char url[KMEHR_VALUE_BYTES] = "", number[KMEHR_VALUE_BYTES];
    const xmlNode *link = kmehr_child(item, "lnk");
    if (link == NULL)
        link = kmehr_child(transaction, "lnk");
    if (link != NULL)
        kmehr_attribute(link, "URL", url);
    if (link == NULL || !kmehr_attribute_is(link, "TYPE", "isplannedfor") || !read_link(url, number)) {
        kmehr_fail(&f->r, link != NULL ? link : item, "suspension-link",
                   "a suspension has a lnk of TYPE isplannedfor with URL //transaction[id[@S='ID-KMEHR']='number']");
        return NULL;
    }
    KmehrLine *line = NULL;
    for (size_t i = 0; i < f->scheme->n_lines; i++) {
        if (strcmp(f->elements[i].number, number) != 0)
            continue;
        if (line != NULL) {
            kmehr_fail(&f->r, link, "suspension-link",
                       "the lnk fits several elements; an ID-KMEHR is unique in a message");
            return NULL;
        }
        line = f->elements[i].line;
    }
    if (line == NULL)
        kmehr_fail(&f->r, link, "suspension-link", "the lnk points at no element of this scheme");
    return line;
}

static bool read_reason(struct folder *f, const xmlNode *transaction, char **reason)
{
    for (const xmlNode *item = kmehr_child(transaction, "item"); item != NULL; item = kmehr_next(item, "item")) {
        const xmlNode *text = kmehr_child(kmehr_child(item, "content"), "text");
        if (!kmehr_has_code(item, "CD-ITEM", "transactionreason") || text == NULL)
            continue;
        char *copy = kmehr_text(text);
        bool done = copy != NULL && scheme_set(reason, copy);
        xmlFree(copy);
        return done || kmehr_no_memory(&f->r);
    }
    return true;
}

static bool read_suspension(struct folder *f, const xmlNode *transaction)
{
    const xmlNode *item = find_medication(f, transaction);
    const xmlNode *lifecycle = kmehr_child(item, "lifecycle");
    if (item == NULL)
        return false;
    bool stopped = kmehr_has_code(lifecycle, "CD-LIFECYCLE", "stopped");
    if (!stopped && !kmehr_has_code(lifecycle, "CD-LIFECYCLE", "suspended"))
        return kmehr_fail(&f->r, lifecycle != NULL ? lifecycle : item, "suspension-lifecycle",
                          "a suspension has a lifecycle of suspended or stopped");
    KmehrLine *line = find_target(f, transaction, item);
    if (line == NULL)
        return false;
    if (line->n_suspensions == SCHEME_SUSPENSIONS_MAX)
        return kmehr_fail(&f->r, transaction, "suspension-size", "an element has at most 64 suspensions");
    Carehub__Pharmacy__V1__Suspension *suspension = scheme_add_suspension(line);
    if (suspension == NULL)
        return kmehr_no_memory(&f->r);
    suspension->definitive = stopped;
    if (!kmehr_read_period(&f->r, item, &suspension->begin, &suspension->end) ||
        !read_reason(f, transaction, &suspension->reason))
        return false;
    return !stopped || suspension->end[0] == '\0' ||
           kmehr_remark(&f->r, item, "suspension-stopped", "what is stopped for good has a begin only");
}

// ---- The whole

static bool read_kind(struct folder *f, const char *kind, bool (*read)(struct folder *, const xmlNode *))
{
    for (const xmlNode *t = kmehr_child(f->node, "transaction"); t != NULL; t = kmehr_next(t, "transaction"))
        if (is_transaction(t, kind) && !read(f, t))
            return false;
    return true;
}

static bool check_kinds(struct folder *f)
{
    for (const xmlNode *t = kmehr_child(f->node, "transaction"); t != NULL; t = kmehr_next(t, "transaction"))
        if (!is_transaction(t, "medicationscheme") && !is_transaction(t, "medicationschemeelement") &&
            !is_transaction(t, "treatmentsuspension") &&
            !kmehr_remark(&f->r, t, "transaction-kind",
                          "this transaction is no part of a medication scheme; it is left out"))
            return false;
    return true;
}

// Suspensions come after the elements that they are planned for, wherever they stand in the message.
static bool read_folder(struct folder *f)
{
    f->elements = calloc(SCHEME_LINES_MAX, sizeof *f->elements);
    f->scheme = malloc(sizeof *f->scheme);
    if (f->scheme != NULL)
        carehub__pharmacy__v1__scheme__init(f->scheme);
    if (f->elements == NULL || f->scheme == NULL)
        return kmehr_no_memory(&f->r);
    f->scheme->seen_ms = f->r.options->seen_ms;
    f->scheme->complete = true;
    return find_scheme(f) && check_kinds(f) && read_patient(f) &&
           read_kind(f, "medicationschemeelement", read_element) &&
           read_kind(f, "treatmentsuspension", read_suspension);
}

static void note_head(struct kmehr_reader *r, const xmlNode *message)
{
    char id[KMEHR_VALUE_BYTES];
    if (r->remarks == NULL || message == NULL)
        return;
    kmehr_value(kmehr_coded(kmehr_child(message, "header"), "id", "ID-KMEHR"), id, sizeof id);
    medication_name(r->remarks, id);
    r->remarks->kind = "kmehrmessage";
}

static KmehrScheme *read_message(xmlDoc *doc, struct kmehr_reader *r)
{
    xmlNode *message = find_message(doc, r);
    note_head(r, message);
    if (message == NULL || (r->options->schema != NULL && !kmehr_validate(r->options->schema, message, r->error)))
        return NULL;
    struct folder f = {.r = *r, .node = kmehr_child(message, "folder")};
    bool one = kmehr_count(message, "folder") == 1;
    if (!one)
        kmehr_fail(&f.r, message, "one-folder", "a message with a medication scheme has one folder, for one patient");
    bool done = one && read_folder(&f);
    free(f.elements);
    if (!done && f.scheme != NULL) {
        carehub__pharmacy__v1__scheme__free_unpacked(f.scheme, NULL);
        f.scheme = NULL;
    }
    return f.scheme;
}

KmehrScheme *kmehr_read(const void *bytes, size_t len, const struct kmehr_options *options,
                        struct medication_error *error, struct medication_remarks *remarks)
{
    static const struct kmehr_options usual;
    struct kmehr_reader r = {options != NULL ? options : &usual, error, remarks};
    *error = (struct medication_error){.rule = ""};
    if (remarks != NULL)
        *remarks = (struct medication_remarks){.kind = ""};
    xmlDoc *doc = kmehr_parse(bytes, len, error);
    if (doc == NULL)
        return NULL;
    KmehrScheme *scheme = read_message(doc, &r);
    xmlFreeDoc(doc);
    return scheme;
}
