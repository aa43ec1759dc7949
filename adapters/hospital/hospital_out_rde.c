// Changes of medication as RDE^O11: one order for each.
#include <stdio.h>
#include <string.h>

#include "hospital_out_internal.h"

#define ORDER_ID_BYTES 200u

// Table 0119 for ORC-1, table 0038 for ORC-5.
static const struct {
    const char *control, *status;
} kinds[] = {
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED] = {"XO", ""},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED] = {"NW", "IP"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED] = {"DC", "DC"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED] = {"HD", "HD"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED] = {"RL", "IP"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED] = {"XO", "IP"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED] = {"XO", "IP"},
};

static void put_orc(struct out_job *job, const Carehub__V1__MedicationChanged *body,
                    const Carehub__V1__MedicationChange *change, size_t index)
{
    char id[ORDER_ID_BYTES];
    size_t kind = (size_t)change->kind < sizeof kinds / sizeof kinds[0] ? (size_t)change->kind : 0;
    const Carehub__V1__Author *author = job->event->author;
    if (change->line_id[0] != '\0') // the medicine's own id in its scheme: the same in all that is said of it
        snprintf(id, sizeof id, "%s", change->line_id);
    else
        snprintf(id, sizeof id, "%s-%zu", job->id, index + 1);
    hl7v2_write_segment(job->writer, "ORC");
    out_text(job, 1, 1, kinds[kind].control);
    out_text(job, 3, 1, id);
    out_text(job, 4, 1, body->scheme_id);
    out_text(job, 5, 1, kinds[kind].status);
    out_time(job, 9, body->at != NULL ? body->at : job->event->occurred_at);
    if (author != NULL)
        out_person(job, 12, author->professional);
    out_time(job, 15, change->from);
    out_text(job, 16, 2, change->reason);
}

// The amount of all intakes, if it is the same one; else NULL.
static const Carehub__V1__Quantity *amount_of(const Carehub__V1__Posology *posology)
{
    const Carehub__V1__Quantity *amount = NULL;
    for (size_t i = 0; posology != NULL && i < posology->n_regimen; i++) {
        const Carehub__V1__Quantity *next = posology->regimen[i]->quantity;
        if (next == NULL || next->value[0] == '\0' ||
            (amount != NULL && (strcmp(amount->value, next->value) != 0 || strcmp(amount->unit, next->unit) != 0)))
            return NULL;
        amount = next;
    }
    return amount;
}

// RXE-3 and -5 are required. An amount that is made up is dangerous, and one left out keeps what the receiver has from
// before; so what is not known is said to be none.
static void put_rxe(struct out_job *job, const Carehub__V1__MedicationChange *change)
{
    const Carehub__V1__Quantity *amount = amount_of(change->posology);
    hl7v2_write_segment(job->writer, "RXE");
    out_medicine(job, 2, change->medicine);
    if (amount != NULL)
        out_text(job, 3, 1, amount->value);
    else
        hl7v2_write_null(job->writer, hl7v2_at(3, 1, 1, 1));
    if (amount != NULL && amount->unit[0] != '\0')
        out_text(job, 5, 1, amount->unit);
    else
        hl7v2_write_null(job->writer, hl7v2_at(5, 1, 1, 1));
    if (change->posology != NULL)
        out_text(job, 7, 2, change->posology->text);
}

// RPT: its first component is a coded element, whose parts are subcomponents.
static void put_pattern(struct out_job *job, const Carehub__V1__Coded *pattern)
{
    if (pattern == NULL)
        return;
    hl7v2_write(job->writer, hl7v2_at(3, 1, 1, 1), pattern->code);
    hl7v2_write(job->writer, hl7v2_at(3, 1, 1, 2), pattern->display);
    if (pattern->code[0] != '\0')
        hl7v2_write(job->writer, hl7v2_at(3, 1, 1, 3), out_code_system(pattern->system));
}

// "08:00" as HL7's TM: 0800.
static void put_time_of_day(struct out_job *job, const char *text)
{
    char hhmm[8] = "";
    if (strlen(text) < 5 || text[2] != ':')
        return;
    snprintf(hhmm, sizeof hhmm, "%.2s%.2s", text, text + 3);
    out_text(job, 4, 1, hhmm);
}

// On which days, in words: repeat patterns have no code for each.
static void put_days(struct out_job *job, const Carehub__V1__Intake *intake, const char *text)
{
    char day[32] = "";
    if (intake != NULL && intake->day_number != 0)
        snprintf(day, sizeof day, "day %u", intake->day_number);
    if (intake != NULL && intake->weekday != NULL)
        text = intake->weekday->display[0] != '\0' ? intake->weekday->display : intake->weekday->code;
    else if (intake != NULL && intake->date[0] != '\0')
        text = intake->date;
    else if (day[0] != '\0')
        text = day;
    out_text(job, 11, 1, text);
}

static void put_tq1(struct out_job *job, const Carehub__V1__MedicationChange *change, unsigned long number,
                    const Carehub__V1__Intake *intake)
{
    const Carehub__V1__Posology *posology = change->posology;
    const Carehub__V1__Coded *pattern = posology != NULL ? posology->frequency : NULL;
    hl7v2_write_segment(job->writer, "TQ1");
    hl7v2_write_number(job->writer, hl7v2_at(1, 1, 1, 1), number);
    if (intake != NULL && intake->quantity != NULL) {
        out_text(job, 2, 1, intake->quantity->value);
        out_text(job, 2, 2, intake->quantity->unit);
    }
    put_pattern(job, intake != NULL && intake->moment != NULL ? intake->moment : pattern);
    if (intake != NULL)
        put_time_of_day(job, intake->time_of_day);
    out_time(job, 7, change->from);
    out_time(job, 8, change->until);
    put_days(job, intake, intake == NULL && posology != NULL ? posology->text : NULL);
}

// One TQ1 for each intake, at least one.
static void put_timing(struct out_job *job, const Carehub__V1__MedicationChange *change)
{
    size_t count = change->posology != NULL ? change->posology->n_regimen : 0;
    for (size_t i = 0; i < count; i++)
        put_tq1(job, change, i + 1, change->posology->regimen[i]);
    if (count == 0)
        put_tq1(job, change, 1, NULL);
}

static void put_route(struct out_job *job, const Carehub__V1__Posology *posology)
{
    const Carehub__V1__Coded *route = posology != NULL ? posology->route : NULL;
    hl7v2_write_segment(job->writer, "RXR");
    if (route != NULL && (route->code[0] != '\0' || route->display[0] != '\0'))
        out_coded(job, 1, route);
    else
        hl7v2_write_null(job->writer, hl7v2_at(1, 1, 1, 1));
}

bool out_rde(struct out_job *job)
{
    const Carehub__V1__MedicationChanged *body = job->event->medication_changed;
    out_header(job, "RDE", "O11", "RDE_O11");
    out_note(job, 1, body->note);
    out_patient(job);
    for (size_t i = 0; i < body->n_changes; i++) {
        const Carehub__V1__MedicationChange *change = body->changes[i];
        put_orc(job, body, change, i);
        put_rxe(job, change);
        put_timing(job, change);
        put_route(job, change->posology);
        job->observations = 0; // OBX are numbered in each order
        out_observe_field(job, &change->base, "kind");
        out_observe_field(job, &change->base, "previous_medicine");
        out_observe_field(job, &change->base, "previous_posology");
        if (i == 0) {
            out_observe_field(job, &body->base, "scheme_version");
            out_observe_field(job, &body->base, "scheme");
            out_observe_references(job);
        }
    }
    return true;
}
