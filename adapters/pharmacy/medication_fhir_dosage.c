// A posology as FHIR's Dosage: one for each intake, for a Timing says when but not how much of each time.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_write_internal.h"
#include "medication_codes.h"
#include "medication_fhir.h"

#define URL_CYCLE "http://hl7.org/fhir/StructureDefinition/timing-daysOfCycle"

typedef Carehub__V1__Posology Posology;
typedef Carehub__V1__Intake Intake;

// ---- Numbers

// JSON has no "+1", ".5" and "01". False when it is no number.
static bool as_number(const char *text, size_t len, char out[40])
{
    char copy[32];
    const char *sign = "", *at = copy;
    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    if (*at == '-')
        sign = "-";
    at += *at == '-' || *at == '+';
    while (at[0] == '0' && at[1] >= '0' && at[1] <= '9')
        at++;
    snprintf(out, 40, "%s%s%s", sign, *at == '.' ? "0" : "", at);
    if (out[strlen(out) - 1] == '.')
        out[strlen(out) - 1] = '\0';
    return write_is_number(out);
}

static struct json_object *quantity(struct writer *w, const char *number, const char *unit)
{
    struct json_object *made = make_object(&w->m), *value = json_object_new_double_s(strtod(number, NULL), number);
    const char *bar = strrchr(unit, '|');
    size_t len = strlen(unit);
    if (value == NULL)
        w->m.no_memory = true;
    else
        make_put(&w->m, made, "value", value);
    char text[MEDICATION_UNIT_BYTES];
    if (bar != NULL) {
        snprintf(text, sizeof text, "%.*s", (int)(bar - unit), unit);
        make_text(&w->m, made, "unit", bar + 1);
        write_uri(w, made, "system", text);
        write_code(w, made, "code", bar + 1);
    } else if (medication_unit_is_ucum(unit)) {
        bool annotation = unit[0] == '{';
        snprintf(text, sizeof text, "%.*s", (int)(len - 2 * annotation), unit + annotation);
        make_text(&w->m, made, "unit", text);
        make_text(&w->m, made, "system", MEDICATION_SYSTEM_UCUM);
        make_text(&w->m, made, "code", unit);
    } else {
        make_text(&w->m, made, "unit", unit);
    }
    return made;
}

// "1", or a range: "1-2". False when it is neither.
static bool put_dose(struct writer *w, struct json_object *dosage, const Carehub__V1__Quantity *from)
{
    char low[40], high[40];
    const char *dash = from->value[0] != '\0' ? strchr(from->value + 1, '-') : NULL;
    struct json_object *dose = make_object(&w->m);
    if (as_number(from->value, strlen(from->value), low)) {
        make_put(&w->m, dose, "doseQuantity", quantity(w, low, from->unit));
    } else if (dash != NULL && as_number(from->value, (size_t)(dash - from->value), low) &&
               as_number(dash + 1, strlen(dash + 1), high)) {
        struct json_object *range = make_object(&w->m);
        make_put(&w->m, range, "low", quantity(w, low, from->unit));
        make_put(&w->m, range, "high", quantity(w, high, from->unit));
        make_put(&w->m, dose, "doseRange", range);
    } else {
        json_object_put(dose);
        return false;
    }
    write_put_one(w, dosage, "doseAndRate", dose);
    return true;
}

// ---- Timing

static void put_text_array(struct writer *w, struct json_object *object, const char *name, const char *text)
{
    write_put_one(w, object, name, make_string(&w->m, text));
}

static void put_frequency(struct writer *w, struct json_object *timing, struct json_object *repeat,
                          const Carehub__V1__Coded *frequency)
{
    unsigned times, period;
    char unit[4];
    if (strcmp(frequency->system, MEDICATION_SYSTEM_UCUM) != 0 ||
        !medication_frequency_parts(frequency->code, &times, &period, unit)) {
        write_put_concept(w, timing, "code", frequency);
        return;
    }
    make_put(&w->m, repeat, "frequency", json_object_new_int64(times));
    make_put(&w->m, repeat, "period", json_object_new_int64(period));
    make_text(&w->m, repeat, "periodUnit", unit);
}

static void put_cycle(struct writer *w, struct json_object *timing, uint32_t number)
{
    struct json_object *cycle = make_object(&w->m), *day = make_object(&w->m);
    make_text(&w->m, cycle, "url", URL_CYCLE);
    make_text(&w->m, day, "url", "day");
    make_put(&w->m, day, "valueInteger", json_object_new_int64(number));
    write_put_one(w, cycle, "extension", day);
    write_put_one(w, timing, "extension", cycle);
}

// FHIR has a time of day or a moment, not both; the time says more.
static void put_intake_times(struct writer *w, struct json_object *timing, struct json_object *repeat,
                             const Intake *intake)
{
    char time[16];
    if (intake->date[0] != '\0')
        put_text_array(w, timing, "event", intake->date);
    if (intake->weekday != NULL && medication_weekday_kmehr(intake->weekday->code) != NULL)
        put_text_array(w, repeat, "dayOfWeek", intake->weekday->code);
    snprintf(time, sizeof time, "%.8s%s", intake->time_of_day, strlen(intake->time_of_day) == 5 ? ":00" : "");
    if (intake->time_of_day[0] != '\0')
        put_text_array(w, repeat, "timeOfDay", time);
    else if (intake->moment != NULL && medication_is_moment(intake->moment->code))
        put_text_array(w, repeat, "when", intake->moment->code);
    if (intake->day_number > 0)
        put_cycle(w, timing, intake->day_number);
}

static bool is_empty(struct json_object *object)
{
    return object == NULL || json_object_object_length(object) == 0;
}

static void put_timing(struct writer *w, struct json_object *dosage, const Posology *posology, const Intake *intake)
{
    struct json_object *timing = make_object(&w->m), *repeat = make_object(&w->m);
    if (intake != NULL)
        put_intake_times(w, timing, repeat, intake);
    if (posology->frequency != NULL)
        put_frequency(w, timing, repeat, posology->frequency);
    if (is_empty(repeat))
        json_object_put(repeat);
    else
        make_put(&w->m, timing, "repeat", repeat);
    if (is_empty(timing))
        json_object_put(timing);
    else
        make_put(&w->m, dosage, "timing", timing);
}

// ---- Dosage

// In words what FHIR has no code for.
static void put_instructions(struct writer *w, struct json_object *dosage, const Intake *intake, bool dose_written)
{
    struct json_object *instructions = make_array(&w->m);
    if (intake->moment != NULL && !medication_is_moment(intake->moment->code)) {
        struct json_object *concept = write_concept(w, intake->moment);
        if (concept != NULL)
            make_push(&w->m, instructions, concept);
    }
    if (intake->quantity != NULL && !dose_written) {
        char text[256];
        snprintf(text, sizeof text, "%.80s %.80s", intake->quantity->value, intake->quantity->unit);
        make_push(&w->m, instructions, write_words(w, text));
    }
    if (instructions != NULL && json_object_array_length(instructions) > 0)
        make_put(&w->m, dosage, "additionalInstruction", instructions);
    else
        json_object_put(instructions);
}

static struct json_object *dosage_of(struct writer *w, const Posology *posology, const Intake *intake, bool first)
{
    struct json_object *dosage = make_object(&w->m);
    bool dose_written = false;
    if (first)
        make_text(&w->m, dosage, "text", posology->text);
    put_timing(w, dosage, posology, intake);
    write_put_concept(w, dosage, "route", posology->route);
    if (intake != NULL && intake->quantity != NULL)
        dose_written = put_dose(w, dosage, intake->quantity);
    if (intake != NULL)
        put_instructions(w, dosage, intake, dose_written);
    return dosage;
}

struct json_object *medication_fhir_dosage(struct writer *w, const Posology *posology)
{
    struct json_object *all = make_array(&w->m);
    for (size_t i = 0; i < posology->n_regimen || i == 0; i++) {
        const Intake *intake = i < posology->n_regimen ? posology->regimen[i] : NULL;
        struct json_object *dosage = dosage_of(w, posology, intake, i == 0);
        if (is_empty(dosage))
            json_object_put(dosage);
        else
            make_push(&w->m, all, dosage);
    }
    if (all != NULL && json_object_array_length(all) > 0)
        return all;
    json_object_put(all);
    return NULL;
}
