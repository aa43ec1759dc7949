#include "medication_fhir.h"

#include <stdio.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_write_internal.h"
#include "identifier.h"
#include "medication_codes.h"
#include "medication_words.h"

#define SYSTEM_LIST_USE "http://terminology.hl7.org/CodeSystem/list-example-use-codes"
#define SYSTEM_LIST_EMPTY "http://terminology.hl7.org/CodeSystem/list-empty-reason"
#define URL_SUSPENSION                                                                                                 \
    "https://www.ehealth.fgov.be/standards/fhir/medication/StructureDefinition/extension-MedicationSuspension"

#define DAY_MS (24LL * 60 * 60 * 1000)

typedef Carehub__V1__MedicationChange Change;
typedef Carehub__V1__MedicationChanged Changed;

static const Carehub__V1__MedicationChange__Kind stopped = CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED;
static const Carehub__V1__MedicationChange__Kind suspended = CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED;

// ---- The medicine

static struct json_object *concept_of(struct writer *w, const Carehub__V1__Medicine *medicine)
{
    struct json_object *concept = make_object(&w->m), *codings = make_array(&w->m);
    for (size_t i = 0; i < medicine->n_codes; i++) {
        const Carehub__V1__Coded *code = medicine->codes[i];
        const char *url = identifier_system_url(identifier_system_find(code->system));
        if (code->code[0] != '\0')
            make_push(&w->m, codings, write_coding(w, url != NULL ? url : code->system, code->code, code->display));
    }
    if (codings != NULL && json_object_array_length(codings) > 0)
        make_put(&w->m, concept, "coding", codings);
    else
        json_object_put(codings);
    make_text(&w->m, concept, "text", medicine->name[0] != '\0' ? medicine->name : "not named");
    return concept;
}

static void put_medicine(struct writer *w, struct json_object *statement, const Carehub__V1__Medicine *medicine)
{
    static const Carehub__V1__Medicine none = CAREHUB__V1__MEDICINE__INIT;
    make_put(&w->m, statement, "medicationCodeableConcept", concept_of(w, medicine != NULL ? medicine : &none));
}

// ---- When

static void put_period(struct writer *w, struct json_object *object, const char *name, const Carehub__V1__Time *start,
                       const Carehub__V1__Time *end)
{
    if (start == NULL && end == NULL)
        return;
    struct json_object *period = make_object(&w->m);
    write_time(w, period, "start", start);
    write_time(w, period, "end", end);
    make_put(&w->m, object, name, period);
}

// What is stopped from a day on was taken until the day before.
static void put_stop(struct writer *w, struct json_object *statement, const Carehub__V1__Time *from)
{
    if (from == NULL)
        return;
    Carehub__V1__Time last = *from;
    last.unix_ms -= last.precision == CAREHUB__V1__PRECISION__PRECISION_DAY ? DAY_MS : 0;
    put_period(w, statement, "effectivePeriod", NULL, &last);
}

// Its period is an extension: that of the statement is of taking it.
static void put_suspension(struct writer *w, struct json_object *statement, const Change *change)
{
    struct json_object *concept = make_object(&w->m);
    if (change->from != NULL || change->until != NULL) {
        struct json_object *extension = make_object(&w->m);
        make_text(&w->m, extension, "url", URL_SUSPENSION);
        put_period(w, extension, "valuePeriod", change->from, change->until);
        write_put_one(w, concept, "extension", extension);
    }
    make_text(&w->m, concept, "text", change->reason[0] != '\0' ? change->reason : "Temporary suspension");
    write_put_one(w, statement, "statusReason", concept);
}

static void put_when(struct writer *w, struct json_object *statement, const Change *change)
{
    if (change->kind == suspended) {
        put_suspension(w, statement, change);
        return;
    }
    if (change->kind == stopped)
        put_stop(w, statement, change->from);
    else
        put_period(w, statement, "effectivePeriod", change->from, change->until);
    if (change->reason[0] != '\0')
        write_put_one(w, statement, "statusReason", write_words(w, change->reason));
}

// ---- A change

static const char *status_of(const struct writer *w, const Change *change)
{
    if (w->correction == CORRECTION_RETRACTS)
        return "entered-in-error";
    return change->kind == stopped ? "stopped" : change->kind == suspended ? "on-hold" : "active";
}

static void put_statement(struct writer *w, const char *urn, const Change *change)
{
    const Changed *body = w->content->medication_changed;
    struct json_object *statement = write_entry(w, "MedicationStatement", urn), *dosage;
    char words[MEDICATION_WORDS_BYTES];
    write_own_identifier(w, statement, "", change->line_id);
    make_text(&w->m, statement, "status", status_of(w, change));
    put_medicine(w, statement, change->medicine);
    write_subject(w, statement, "subject");
    put_when(w, statement, change);
    write_time(w, statement, "dateAsserted", body->at != NULL ? body->at : w->content->occurred_at);
    write_reference(w, statement, "informationSource", w->organisation);
    dosage = change->posology != NULL ? medication_fhir_dosage(w, change->posology) : NULL;
    if (dosage != NULL)
        make_put(&w->m, statement, "dosage", dosage);
    medication_change_words(change, words);
    write_note(w, statement, words);
}

static struct json_object *list_entry(struct writer *w, const char *urn, const Change *change)
{
    struct json_object *entry = make_object(&w->m), *item = make_object(&w->m);
    struct json_object *flag = write_fixed(w, MEDICATION_SYSTEM_CHANGE, medication_kind_code(change->kind),
                                           medication_kind_words(change->kind));
    make_put(&w->m, entry, "flag", flag);
    if (change->kind == stopped)
        make_put(&w->m, entry, "deleted", json_object_new_boolean(true));
    make_text(&w->m, item, "reference", urn);
    make_put(&w->m, entry, "item", item);
    return entry;
}

// ---- The list

static void put_changes(struct writer *w, struct json_object *list, const Changed *body)
{
    char basis[FHIR_URN_CHARS + 24], urn[FHIR_URN_CHARS];
    if (body == NULL || body->n_changes == 0) {
        make_put(
            &w->m, list, "emptyReason",
            write_fixed(w, SYSTEM_LIST_EMPTY, w->correction == CORRECTION_RETRACTS ? "unavailable" : "withheld", ""));
        return;
    }
    struct json_object *entries = make_array(&w->m);
    for (size_t i = 0; i < body->n_changes; i++) {
        snprintf(basis, sizeof basis, "%s|%zu", w->focus, i);
        write_urn("MedicationStatement", basis, urn);
        make_push(&w->m, entries, list_entry(w, urn, body->changes[i]));
        put_statement(w, urn, body->changes[i]);
    }
    make_put(&w->m, list, "entry", entries);
}

static void put_notes(struct writer *w, struct json_object *list, const Changed *body)
{
    char text[512];
    struct json_object *notes = make_array(&w->m), *note = make_object(&w->m);
    snprintf(text, sizeof text, "Version %.64s of the medication scheme%s%.64s.", body->scheme_version,
             body->previous_version[0] != '\0' ? "; before: version " : "", body->previous_version);
    make_text(&w->m, note, "text", body->scheme_version[0] != '\0' ? text : "Single lines of medication.");
    make_push(&w->m, notes, note);
    if (body->note[0] != '\0') {
        note = make_object(&w->m);
        make_text(&w->m, note, "text", body->note);
        make_push(&w->m, notes, note);
    }
    make_put(&w->m, list, "note", notes);
}

static void write_changes(struct writer *w, struct json_object *list)
{
    const Changed *body =
        w->content->body_case == CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED ? w->content->medication_changed : NULL;
    if (body != NULL)
        write_own_identifier(w, list, "", body->scheme_id);
    make_text(&w->m, list, "status", w->correction == CORRECTION_RETRACTS ? "entered-in-error" : "current");
    make_text(&w->m, list, "mode", "changes");
    make_text(&w->m, list, "title", "Changes of medication");
    make_put(&w->m, list, "code", write_fixed(w, SYSTEM_LIST_USE, "medications", "Medication List"));
    write_subject(w, list, "subject");
    write_time(w, list, "date", body != NULL && body->at != NULL ? body->at : w->content->occurred_at);
    if (body != NULL)
        put_notes(w, list, body);
    put_changes(w, list, body);
    if (body != NULL)
        write_document(w, "Medication scheme", body->scheme);
}

struct json_object *medication_fhir_message(const Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                            const struct fhir_route *route, struct problems *problems)
{
    static const struct write_kind kind = {
        .type = CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED, .resource = "List", .write = write_changes};
    return write_message_of(event, original, route, &kind, problems);
}
