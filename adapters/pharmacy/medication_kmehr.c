#include "medication_kmehr.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventid.h"
#include "kmehr.h"
#include "medication_kmehr_internal.h"
#include "medication_words.h"

#define LANGUAGE "en" // of what is written here; that of other texts is not known

typedef Carehub__V1__Event Event;
typedef Carehub__V1__MedicationChange Change;
typedef Carehub__V1__MedicationChanged Changed;

struct message {
    struct kmehr_writer w;
    const Event *event;
    const struct kmehr_route *route;
    xmlNode *folder;
    unsigned transactions;
    Carehub__V1__Time made; // of the header
};

// ---- Elements

// XML 1.0 has no control characters but three.
static char *clean(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c != NULL && *c != '\0'; c++)
        if ((unsigned char)*c < 0x20 && *c != '\t' && *c != '\n' && *c != '\r')
            *c = ' ';
    return copy;
}

xmlNode *kmehr_put(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *text)
{
    char *copy = clean(text != NULL ? text : "");
    xmlNode *node = parent != NULL && copy != NULL ? xmlNewTextChild(parent, w->ns, (const xmlChar *)name,
                                                                     text != NULL ? (const xmlChar *)copy : NULL)
                                                   : NULL;
    free(copy);
    w->no_memory = w->no_memory || node == NULL;
    return node;
}

void kmehr_set(struct kmehr_writer *w, xmlNode *node, const char *name, const char *value)
{
    if (node == NULL || xmlNewProp(node, (const xmlChar *)name, (const xmlChar *)value) == NULL)
        w->no_memory = true;
}

void kmehr_put_coded(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *scheme, const char *version,
                     const char *value)
{
    xmlNode *node = kmehr_put(w, parent, name, value);
    kmehr_set(w, node, "S", scheme);
    kmehr_set(w, node, "SV", version);
}

void kmehr_put_number(struct kmehr_writer *w, xmlNode *parent, unsigned number)
{
    char text[16];
    snprintf(text, sizeof text, "%u", number);
    kmehr_put_coded(w, parent, "id", "ID-KMEHR", "1.0", text);
}

void kmehr_put_text(struct kmehr_writer *w, xmlNode *parent, const char *name, const char *text)
{
    kmehr_set(w, kmehr_put(w, parent, name, text), "L", LANGUAGE);
}

// Local, as KMEHR's times are.
void kmehr_put_time(struct kmehr_writer *w, xmlNode *parent, const Carehub__V1__Time *time)
{
    char text[32];
    struct tm parts;
    time_t local = (time_t)(time->unix_ms / 1000 - (time->unix_ms % 1000 < 0) + (int64_t)time->offset_minutes * 60);
    if (gmtime_r(&local, &parts) == NULL || parts.tm_year < -1899 || parts.tm_year > 8099)
        return;
    strftime(text, sizeof text, "%Y-%m-%d", &parts);
    kmehr_put(w, parent, "date", text);
    strftime(text, sizeof text, "%H:%M:%S", &parts);
    if (time->precision >= CAREHUB__V1__PRECISION__PRECISION_MINUTE)
        kmehr_put(w, parent, "time", text);
}

static void put_moment(struct kmehr_writer *w, xmlNode *item, const char *name, const Carehub__V1__Time *time)
{
    if (time != NULL)
        kmehr_put_time(w, kmehr_put(w, item, name, NULL), time);
}

// ---- Those involved

static void put_party(struct kmehr_writer *w, xmlNode *parent, const char *nihdi, const char *cbe, const char *kind,
                      const char *name)
{
    xmlNode *party = kmehr_put(w, parent, "hcparty", NULL);
    if (nihdi != NULL && nihdi[0] != '\0')
        kmehr_put_coded(w, party, "id", "ID-HCPARTY", "1.0", nihdi);
    if (cbe != NULL && cbe[0] != '\0')
        kmehr_put_coded(w, party, "id", "ID-CBE", "1.0", cbe);
    kmehr_put_coded(w, party, "cd", "CD-HCPARTY", "1.15", kind);
    if (name != NULL && name[0] != '\0')
        kmehr_put(w, party, "name", name);
}

static const char *identifier_of(const Carehub__V1__Party *party, const char *system)
{
    for (size_t i = 0; i < party->n_identifiers; i++)
        if (strcmp(party->identifiers[i]->system, system) == 0)
            return party->identifiers[i]->value;
    return "";
}

static const char *kind_of(const char *role)
{
    static const char *const kinds[][2] = {{"pharmacist", "perspharmacist"}, {"gp", "persphysician"},
                                           {"physician", "persphysician"},   {"specialist", "persphysician"},
                                           {"home-nurse", "persnurse"},      {"nurse", "persnurse"}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i][0], role) == 0)
            return kinds[i][1];
    return NULL;
}

// As far as the event says who it is; at least which actor of the hub answers for it.
static void put_author(struct message *m, xmlNode *transaction)
{
    xmlNode *author = kmehr_put(&m->w, transaction, "author", NULL);
    const Carehub__V1__Author *from = m->event->author;
    const Carehub__V1__Party *person = from != NULL ? from->professional : NULL;
    const Carehub__V1__Party *organisation = from != NULL ? from->organisation : NULL;
    const char *kind = from != NULL ? kind_of(from->role) : NULL;
    if (organisation != NULL)
        put_party(&m->w, author, identifier_of(organisation, "nihdi"), identifier_of(organisation, "cbe"),
                  kind != NULL && strcmp(kind, "perspharmacist") == 0 ? "orgpharmacy" : "application",
                  organisation->name);
    if (person != NULL)
        put_party(&m->w, author, identifier_of(person, "nihdi"), "", kind != NULL ? kind : "persparamedical",
                  person->name);
    if (organisation == NULL && person == NULL)
        put_party(&m->w, author, "", "", "application", from != NULL ? from->actor : "");
}

static void put_patient(struct message *m)
{
    xmlNode *patient = kmehr_put(&m->w, m->folder, "patient", NULL);
    const Carehub__V1__Patient *from = m->event->patient;
    for (size_t i = 0; from != NULL && i < from->n_identifiers; i++) {
        bool national = strcmp(from->identifiers[i]->system, "ssin") == 0;
        xmlNode *id = kmehr_put(&m->w, patient, "id", from->identifiers[i]->value);
        kmehr_set(&m->w, id, "S", national ? "ID-PATIENT" : "LOCAL");
        kmehr_set(&m->w, id, "SV", "1.0");
        if (!national)
            kmehr_set(&m->w, id, "SL", from->identifiers[i]->system);
    }
    kmehr_put(&m->w, patient, "firstname", "");
    kmehr_put(&m->w, patient, "familyname", "");
    kmehr_put_coded(&m->w, kmehr_put(&m->w, patient, "sex", NULL), "cd", "CD-SEX", "1.0", "unknown");
}

// ---- Transactions

static xmlNode *begin_transaction(struct message *m, const char *kind)
{
    const Carehub__V1__Time *at = m->event->occurred_at;
    Carehub__V1__Time when = at != NULL ? *at : m->made;
    xmlNode *transaction = kmehr_put(&m->w, m->folder, "transaction", NULL);
    when.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND; // the XSD demands a time
    kmehr_put_number(&m->w, transaction, ++m->transactions);
    kmehr_put_coded(&m->w, transaction, "cd", "CD-TRANSACTION", "1.4", kind);
    kmehr_put_time(&m->w, transaction, &when);
    put_author(m, transaction);
    kmehr_put(&m->w, transaction, "iscomplete", "true");
    kmehr_put(&m->w, transaction, "isvalidated", "true");
    return transaction;
}

static xmlNode *begin_item(struct message *m, xmlNode *transaction, unsigned number, const char *kind)
{
    xmlNode *item = kmehr_put(&m->w, transaction, "item", NULL);
    kmehr_put_number(&m->w, item, number);
    kmehr_put_coded(&m->w, item, "cd", "CD-ITEM", "1.14", kind);
    return item;
}

static void put_note(struct message *m, const char *text)
{
    kmehr_put_text(&m->w, begin_transaction(m, "note"), "text", text);
}

static const char *adaptation_of(const Change *change)
{
    switch (change->kind) {
    case CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED:
        return "medication";
    case CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED:
        return "posology";
    case CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED:
    case CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED:
    case CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED:
        return "treatmentsuspension";
    default:
        return NULL;
    }
}

static void put_adaptation(struct message *m, xmlNode *transaction, const Change *change)
{
    const char *adaptation = adaptation_of(change);
    if (adaptation == NULL)
        return;
    xmlNode *item = begin_item(m, transaction, 2, "healthcareelement");
    kmehr_put_coded(&m->w, kmehr_put(&m->w, item, "content", NULL), "cd", "CD-ITEM-MS", "1.0", "adaptationflag");
    kmehr_put_coded(&m->w, kmehr_put(&m->w, item, "content", NULL), "cd", "CD-MS-ADAPTATION", "1.0", adaptation);
}

static bool ends(const Change *change)
{
    return change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED ||
           change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED;
}

static void put_element(struct message *m, const Change *change)
{
    char words[MEDICATION_WORDS_BYTES];
    xmlNode *transaction = begin_transaction(m, "medicationschemeelement");
    xmlNode *item = begin_item(m, transaction, 1, "medication");
    if (change->medicine != NULL)
        kmehr_put_medicine(&m->w, item, change->medicine);
    if (!ends(change)) {
        put_moment(&m->w, item, "beginmoment", change->from);
        put_moment(&m->w, item, "endmoment", change->until);
    }
    if (change->posology != NULL)
        kmehr_put_posology(&m->w, item, change->posology);
    put_adaptation(m, transaction, change);
    medication_change_words(change, words);
    kmehr_put_text(&m->w, transaction, "text", words);
}

// Planned for the element that came before it.
static void put_suspension(struct message *m, const Change *change)
{
    char url[64];
    unsigned element = m->transactions, items = 0;
    bool definitive = change->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED;
    xmlNode *transaction = begin_transaction(m, "treatmentsuspension"), *item;
    if (change->reason[0] != '\0') {
        item = begin_item(m, transaction, ++items, "transactionreason");
        kmehr_put_text(&m->w, kmehr_put(&m->w, item, "content", NULL), "text", change->reason);
    }
    item = begin_item(m, transaction, ++items, "medication");
    if (change->medicine != NULL)
        kmehr_put_medicine(&m->w, item, change->medicine);
    put_moment(&m->w, item, "beginmoment", change->from);
    if (!definitive)
        put_moment(&m->w, item, "endmoment", change->until);
    kmehr_put_coded(&m->w, kmehr_put(&m->w, item, "lifecycle", NULL), "cd", "CD-LIFECYCLE", "1.3",
                    definitive ? "stopped" : "suspended");
    snprintf(url, sizeof url, "//transaction[id[@S='ID-KMEHR']='%u']", element);
    xmlNode *link = kmehr_put(&m->w, item, "lnk", NULL);
    kmehr_set(&m->w, link, "TYPE", "isplannedfor");
    kmehr_set(&m->w, link, "URL", url);
}

// ---- The folder

static void put_retraction(struct message *m, const Event *original)
{
    char text[2 * MEDICATION_WORDS_BYTES], id[EVENTID_TEXT_CHARS], words[MEDICATION_WORDS_BYTES];
    eventid_format(m->event->retracts.data, id);
    int used = snprintf(text, sizeof text,
                        "Retracted: what message %s said of changes of medication was an error. Do not act on it.", id);
    const Changed *body = original != NULL && original->body_case == CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED
                              ? original->medication_changed
                              : NULL;
    for (size_t i = 0; body != NULL && i < body->n_changes && (size_t)used < sizeof text; i++) {
        const Carehub__V1__Medicine *medicine = body->changes[i]->medicine;
        medication_change_words(body->changes[i], words);
        used += snprintf(text + used, sizeof text - (size_t)used, " It said of %.200s: %.200s",
                         medicine != NULL ? medicine->name : "", words);
    }
    put_note(m, text);
}

static void put_content(struct message *m, const Event *original)
{
    const Changed *body =
        m->event->body_case == CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED ? m->event->medication_changed : NULL;
    if (m->event->retracts.len == EVENTID_BYTES) {
        put_retraction(m, original);
        return;
    }
    for (size_t i = 0; body != NULL && i < body->n_changes; i++) {
        put_element(m, body->changes[i]);
        if (ends(body->changes[i]))
            put_suspension(m, body->changes[i]);
    }
    if (body == NULL || body->n_changes == 0)
        put_note(m, "The medication scheme has changed. What changed is not part of what this receiver may see.");
    else if (m->event->amends.len == EVENTID_BYTES)
        put_note(m, "This corrects what an earlier message said of these changes.");
    if (body != NULL && body->note[0] != '\0')
        put_note(m, body->note);
}

// ---- The message

// The sender's number, a dot, and what is unique with the sender.
static void name_message(const struct message *m, char id[MEDICATION_KMEHR_ID_BYTES])
{
    char event[EVENTID_TEXT_CHARS];
    const struct kmehr_route *route = m->route;
    eventid_format(m->event->id.data, event);
    const char *sender = route->nihdi != NULL ? route->nihdi : route->cbe != NULL ? route->cbe : "carehub";
    snprintf(id, MEDICATION_KMEHR_ID_BYTES, "%.32s.%s", sender, event);
}

static void put_header(struct message *m, xmlNode *root, const char *id)
{
    const struct kmehr_route *route = m->route;
    struct kmehr_writer *w = &m->w;
    xmlNode *header = kmehr_put(w, root, "header", NULL), *standard = kmehr_put(w, header, "standard", NULL);
    kmehr_put_coded(w, standard, "cd", "CD-STANDARD", "1.4", "20231110");
    kmehr_put_coded(w, header, "id", "ID-KMEHR", "1.0", id);
    kmehr_put_time(w, header, &m->made);
    put_party(w, kmehr_put(w, header, "sender", NULL), route->nihdi, route->cbe, "application", route->name);
    put_party(w, kmehr_put(w, header, "recipient", NULL), route->receiver_nihdi, "", route->receiver_kind,
              route->receiver_name);
}

static void *to_bytes(xmlDoc *doc, size_t *len)
{
    xmlChar *text = NULL;
    int size = 0;
    xmlDocDumpMemoryEnc(doc, &text, &size, "UTF-8");
    void *bytes = text != NULL && size > 0 ? malloc((size_t)size) : NULL;
    if (bytes != NULL)
        memcpy(bytes, text, (size_t)size);
    *len = bytes != NULL ? (size_t)size : 0;
    xmlFree(text);
    return bytes;
}

void *medication_kmehr_message(const Event *event, const Event *original, const struct kmehr_route *route, size_t *len,
                               char id[MEDICATION_KMEHR_ID_BYTES])
{
    struct message m = {.event = event, .route = route, .made = CAREHUB__V1__TIME__INIT};
    xmlDoc *doc = xmlNewDoc((const xmlChar *)"1.0");
    xmlNode *root = doc != NULL ? xmlNewDocNode(doc, NULL, (const xmlChar *)"kmehrmessage", NULL) : NULL;
    void *bytes = NULL;
    m.made.unix_ms = route->now_ms;
    m.made.offset_minutes = hl7v2_zone_offset(route->zone, route->now_ms / 1000) / 60;
    m.made.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    name_message(&m, id);
    if (root != NULL) {
        xmlDocSetRootElement(doc, root);
        m.w.ns = xmlNewNs(root, (const xmlChar *)KMEHR_NAMESPACE, NULL);
        xmlSetNs(root, m.w.ns);
        put_header(&m, root, id);
        m.folder = kmehr_put(&m.w, root, "folder", NULL);
        kmehr_put_number(&m.w, m.folder, 1);
        put_patient(&m);
        put_content(&m, original);
        if (m.w.ns != NULL && !m.w.no_memory)
            bytes = to_bytes(doc, len);
    }
    xmlFreeDoc(doc);
    return bytes;
}
