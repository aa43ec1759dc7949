// Dosage to posology: texts, dose, route, and one intake for each moment, day and date of its timing.
#include "fhir_dosage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "medication_codes.h"

enum { DOSAGES_MAX = SCHEME_INTAKES_MAX };

typedef Carehub__V1__Posology Posology;
typedef Carehub__V1__Intake Intake;

bool fhir_read_concept(struct fhir_reader *r, struct json_object *concept, Carehub__V1__Coded **coded)
{
    struct json_object *codings;
    const char *text, *system = "", *code = "", *display = "";
    size_t n;
    if (!fhir_array(r, concept, "coding", &codings, &n) || !fhir_string(r, concept, "text", &text))
        return false;
    if (n > 0) {
        struct json_object *coding = json_object_array_get_idx(codings, 0);
        size_t before = fhir_enter(r, "coding", 0);
        if (!fhir_string(r, coding, "system", &system) || !fhir_string(r, coding, "code", &code) ||
            !fhir_string(r, coding, "display", &display))
            return false;
        fhir_leave(r, before);
    }
    *coded = scheme_coded(system, code, display[0] != '\0' ? display : text);
    return *coded != NULL || fhir_no_memory(r);
}

// ---- Texts

static bool add_text(struct dosage *d, const char *text)
{
    return scheme_add_text(&d->line->posology->text, text) || fhir_no_memory(d->r);
}

// R4 has no element for the day of a cycle.
static bool read_cycle_day(const char *text, uint32_t *day)
{
    unsigned long number;
    char *end;
    if (strncmp(text, "Day ", 4) != 0 || strspn(text + 4, "0123456789") == 0)
        return false;
    number = strtoul(text + 4, &end, 10);
    if (strcmp(end, " of treatment cycle") != 0 || number < 1 || number > 36600)
        return false;
    *day = (uint32_t)number;
    return true;
}

// Nor one for all of KMEHR's moments.
static bool read_dayperiod(struct json_object *concept, const char **dayperiod)
{
    struct json_object *codings = fhir_look(concept, "coding"), *first = json_object_is_type(codings, json_type_array)
                                                                             ? json_object_array_get_idx(codings, 0)
                                                                             : NULL;
    if (strcmp(fhir_peek(first, "system"), "CD-DAYPERIOD") != 0 || fhir_peek(first, "code")[0] == '\0')
        return false;
    *dayperiod = fhir_peek(first, "code");
    return true;
}

static bool read_instructions(struct dosage *d)
{
    struct json_object *all;
    size_t n;
    if (!fhir_array(d->r, d->json, "additionalInstruction", &all, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        Carehub__V1__Coded *coded = NULL;
        struct json_object *concept = json_object_array_get_idx(all, i);
        const char *text = fhir_peek(concept, "text");
        size_t before = fhir_enter(d->r, "additionalInstruction", i);
        if (!read_cycle_day(text, &d->day_number) && !read_dayperiod(concept, &d->dayperiod)) {
            if (!fhir_read_concept(d->r, concept, &coded))
                return false;
            bool added = add_text(d, text[0] != '\0' ? text : coded->display);
            carehub__v1__coded__free_unpacked(coded, NULL);
            if (!added)
                return false;
        }
        fhir_leave(d->r, before);
    }
    return true;
}

static bool read_as_needed(struct dosage *d)
{
    struct json_object *needed = fhir_look(d->json, "asNeededBoolean"), *concept;
    Carehub__V1__Coded *coded = NULL;
    char text[SCHEME_TEXT_MAX_BYTES + 16];
    if (needed != NULL && !json_object_is_type(needed, json_type_boolean))
        return fhir_fail(d->r, "asNeededBoolean", "type", "FHIR has a JSON boolean here");
    if (!fhir_object(d->r, d->json, "asNeededCodeableConcept", &concept))
        return false;
    if (concept == NULL)
        return needed == NULL || !json_object_get_boolean(needed) || add_text(d, "as needed");
    size_t before = fhir_enter(d->r, "asNeededCodeableConcept", FHIR_WHOLE);
    if (!fhir_read_concept(d->r, concept, &coded))
        return false;
    fhir_leave(d->r, before);
    const char *words = fhir_peek(concept, "text");
    snprintf(text, sizeof text, "as needed: %s", words[0] != '\0' ? words : coded->display);
    carehub__v1__coded__free_unpacked(coded, NULL);
    return add_text(d, text);
}

static bool read_texts(struct dosage *d)
{
    const char *text, *patient;
    return fhir_string(d->r, d->json, "text", &text) && fhir_string(d->r, d->json, "patientInstruction", &patient) &&
           add_text(d, text) && add_text(d, patient) && read_instructions(d) && read_as_needed(d);
}

// ---- Dose

// Writes value and unit of a Quantity.
static bool read_quantity(struct fhir_reader *r, struct json_object *quantity, const char **value,
                          char unit[MEDICATION_UNIT_BYTES])
{
    const char *system, *code, *text;
    if (!fhir_number(r, quantity, "value", value) || !fhir_string(r, quantity, "system", &system) ||
        !fhir_string(r, quantity, "code", &code) || !fhir_string(r, quantity, "unit", &text))
        return false;
    medication_unit_fhir(system, code, text, unit);
    return true;
}

// NULL in *made when the dosage has no dose.
static bool read_dose(struct dosage *d, Carehub__V1__Quantity **made)
{
    struct json_object *all, *first, *quantity, *range, *low, *high;
    const char *value = "", *most = "";
    char unit[MEDICATION_UNIT_BYTES] = "", text[160];
    size_t n;
    *made = NULL;
    if (!fhir_array(d->r, d->json, "doseAndRate", &all, &n))
        return false;
    if (n == 0)
        return true;
    first = json_object_array_get_idx(all, 0);
    size_t before = fhir_enter(d->r, "doseAndRate", 0);
    if (!fhir_object(d->r, first, "doseQuantity", &quantity) || !fhir_object(d->r, first, "doseRange", &range) ||
        !fhir_object(d->r, range, "low", &low) || !fhir_object(d->r, range, "high", &high))
        return false;
    if (quantity == NULL)
        quantity = low;
    fhir_enter(d->r, range == NULL ? "doseQuantity" : "doseRange", FHIR_WHOLE);
    if (!read_quantity(d->r, high, &most, unit) || (quantity != NULL && !read_quantity(d->r, quantity, &value, unit)))
        return false;
    fhir_leave(d->r, before);
    if (value[0] == '\0' && most[0] == '\0')
        return true;
    snprintf(text, sizeof text, "%.70s%s%.70s", value, value[0] != '\0' && most[0] != '\0' ? "-" : "", most);
    if ((text[0] == '-' || strspn(text, "0.") == strlen(text)) &&
        !fhir_remark(d->r, "doseAndRate[0]", "dose", "a dose is more than 0"))
        return false;
    *made = scheme_quantity(text, unit);
    return *made != NULL || fhir_no_memory(d->r);
}

// ---- Intakes

static bool set_moment(struct dosage *d, Intake *intake, size_t moment)
{
    char time[16];
    if (moment >= d->n_moments && d->dayperiod != NULL) {
        intake->moment = scheme_coded("CD-DAYPERIOD", d->dayperiod, "");
        return intake->moment != NULL;
    }
    if (moment >= d->n_moments)
        return true;
    if (moment < d->n_when) {
        intake->moment = scheme_coded(MEDICATION_SYSTEM_MOMENT, d->moments[moment], "");
        return intake->moment != NULL;
    }
    scheme_time_of_day(d->moments[moment], time);
    return scheme_set(&intake->time_of_day, time);
}

static bool set_day(struct dosage *d, Intake *intake, size_t day, size_t date)
{
    if (day < d->n_days) {
        intake->weekday = scheme_coded(MEDICATION_SYSTEM_WEEKDAY, medication_weekday(d->days[day]), "");
        if (intake->weekday == NULL)
            return false;
    }
    if (date >= d->n_dates)
        return true;
    char iso[11], time[16];
    snprintf(iso, sizeof iso, "%s", d->dates[date]);
    if (strlen(d->dates[date]) > 11 && intake->time_of_day[0] == '\0' && intake->moment == NULL) {
        scheme_time_of_day(d->dates[date] + 11, time);
        if (!scheme_set(&intake->time_of_day, time))
            return false;
    }
    return scheme_set(&intake->date, iso);
}

static bool add_intake(struct dosage *d, size_t moment, size_t day, size_t date, const Carehub__V1__Quantity *dose)
{
    if (d->line->posology->n_regimen == SCHEME_INTAKES_MAX)
        return fhir_fail(d->r, NULL, "regimen-size", "a line has at most 256 intakes");
    Intake *intake = scheme_add_intake(d->line->posology);
    if (intake == NULL)
        return fhir_no_memory(d->r);
    intake->day_number = d->day_number;
    if (dose != NULL)
        intake->quantity = scheme_quantity(dose->value, dose->unit);
    if (!set_moment(d, intake, moment) || !set_day(d, intake, day, date) || (dose != NULL && intake->quantity == NULL))
        return fhir_no_memory(d->r);
    return true;
}

static size_t at_least_one(size_t n)
{
    return n > 0 ? n : 1;
}

static bool add_intakes(struct dosage *d, const Carehub__V1__Quantity *dose)
{
    if (d->n_moments == 0 && d->n_days == 0 && d->n_dates == 0 && d->day_number == 0 && d->dayperiod == NULL &&
        dose == NULL)
        return true;
    for (size_t day = 0; day < at_least_one(d->n_days); day++)
        for (size_t date = 0; date < at_least_one(d->n_dates); date++)
            for (size_t moment = 0; moment < at_least_one(d->n_moments); moment++)
                if (!add_intake(d, moment, day, date, dose))
                    return false;
    return true;
}

// ---- The whole

static bool read_route(struct dosage *d)
{
    struct json_object *route;
    if (!fhir_object(d->r, d->json, "route", &route))
        return false;
    if (route == NULL || d->line->posology->route != NULL)
        return true;
    size_t before = fhir_enter(d->r, "route", FHIR_WHOLE);
    if (!fhir_read_concept(d->r, route, &d->line->posology->route))
        return false;
    fhir_leave(d->r, before);
    return true;
}

// A posology has one frequency. Where dosages differ in it, each is told in words: leaving one out would be dangerous.
static bool tell_frequency(struct dosage *d, const Carehub__V1__Coded *frequency, const Carehub__V1__Quantity *dose,
                           size_t index)
{
    char text[512];
    snprintf(text, sizeof text, "%zu: %s %s %s", index + 1, dose != NULL ? dose->value : "",
             dose != NULL ? dose->unit : "",
             frequency == NULL ? "" : (frequency->code[0] != '\0' ? frequency->code : frequency->display));
    return add_text(d, text);
}

static bool read_one(struct dosage *d, size_t index, bool frequencies_differ)
{
    Carehub__V1__Coded *frequency = NULL;
    Carehub__V1__Quantity *dose = NULL;
    Posology *posology = d->line->posology;
    bool done = read_texts(d) && dosage_read_timing(d) && dosage_read_bounds(d) && read_route(d) &&
                dosage_read_frequency(d, &frequency) && read_dose(d, &dose) && add_intakes(d, dose) &&
                (!frequencies_differ || tell_frequency(d, frequency, dose, index));
    if (done && !frequencies_differ && posology->frequency == NULL) {
        posology->frequency = frequency;
        frequency = NULL;
    }
    if (frequency != NULL)
        carehub__v1__coded__free_unpacked(frequency, NULL);
    if (dose != NULL)
        carehub__v1__quantity__free_unpacked(dose, NULL);
    return done;
}

static bool compare_frequencies(struct fhir_reader *r, struct json_object *all, size_t n, bool *differ)
{
    Carehub__V1__Coded *first = NULL;
    bool done = true;
    *differ = false;
    for (size_t i = 0; i < n && done; i++) {
        struct dosage d = {.r = r, .timing = fhir_look(json_object_array_get_idx(all, i), "timing")};
        Carehub__V1__Coded *frequency = NULL;
        d.repeat = fhir_look(d.timing, "repeat");
        done = dosage_read_frequency(&d, &frequency);
        *differ = *differ || (i > 0 && !dosage_same_frequency(first, frequency));
        if (i == 0)
            first = frequency;
        else if (frequency != NULL)
            carehub__v1__coded__free_unpacked(frequency, NULL);
    }
    if (first != NULL)
        carehub__v1__coded__free_unpacked(first, NULL);
    return done;
}

bool fhir_read_dosage(struct fhir_reader *r, struct json_object *resource, const char *name,
                      Carehub__Pharmacy__V1__Line *line)
{
    struct json_object *all;
    size_t n;
    bool differ;
    if (!fhir_array(r, resource, name, &all, &n))
        return false;
    if (n > DOSAGES_MAX)
        return fhir_fail(r, name, "dosage-size", "a line has at most 256 dosages");
    if (!compare_frequencies(r, all, n, &differ))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct dosage d = {.r = r, .line = line, .json = json_object_array_get_idx(all, i), .only = n == 1};
        size_t before = fhir_enter(r, name, i);
        if (!json_object_is_type(d.json, json_type_object))
            return fhir_fail(r, NULL, "type", "FHIR has a JSON object here");
        if (!read_one(&d, i, differ))
            return false;
        fhir_leave(r, before);
    }
    return true;
}
