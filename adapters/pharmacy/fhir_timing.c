// The Timing of a Dosage: when, how often, from when and until when.
#include "fhir_dosage.h"

#include <stdio.h>
#include <string.h>

#include "medication_codes.h"

// ---- When

static bool read_list(struct dosage *d, struct json_object *within, const char *name, const char **list, size_t *count)
{
    struct json_object *array;
    size_t n;
    if (!fhir_array(d->r, within, name, &array, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct json_object *value = json_object_array_get_idx(array, i);
        if (!json_object_is_type(value, json_type_string))
            return fhir_fail(d->r, name, "type", "FHIR has an array of strings here");
        if (*count == DOSAGE_TIMES_MAX)
            return fhir_fail(d->r, name, "timing-size", "a timing has at most 64 moments, days or dates");
        list[(*count)++] = json_object_get_string(value);
    }
    return true;
}

static bool check_times(struct dosage *d)
{
    Carehub__V1__Time unused;
    char iso[64];
    for (size_t i = d->n_when; i < d->n_moments; i++) {
        snprintf(iso, sizeof iso, "2000-01-01T%.40s", d->moments[i]);
        if (!scheme_time(iso, NULL, NULL, &unused))
            return fhir_fail(d->r, "repeat.timeOfDay", "time", "this is not a time of day; write it as HH:MM:SS");
    }
    for (size_t i = 0; i < d->n_days; i++)
        if (medication_weekday(d->days[i]) == NULL)
            return fhir_fail(d->r, "repeat.dayOfWeek", "day-of-week",
                             "this is not one of mon, tue, wed, thu, fri, sat, sun");
    for (size_t i = 0; i < d->n_dates; i++)
        if (!scheme_time(d->dates[i], NULL, NULL, &unused))
            return fhir_fail(d->r, "event", "date", "this is not a date or time as FHIR writes it");
    return true;
}

// "Once, at begin" is how a line without a frequency is understood anyway.
static void drop_begin(struct dosage *d)
{
    if (d->n_dates == 1 && strlen(d->dates[0]) == 10 && strncmp(d->line->begin, d->dates[0], 10) == 0)
        d->n_dates = 0;
}

static bool read_cycle_extension(struct dosage *d)
{
    size_t from = 0, inner = 0;
    struct json_object *cycle = fhir_extension(d->timing, "timing-daysOfCycle", &from);
    struct json_object *day = cycle != NULL ? fhir_look(fhir_extension(cycle, "day", &inner), "valueInteger") : NULL;
    if (day == NULL)
        return true;
    int64_t number = json_object_is_type(day, json_type_int) ? json_object_get_int64(day) : 0;
    if (number < 1 || number > 36600)
        return fhir_fail(d->r, "extension", "days-of-cycle", "a day of a cycle is a number from 1");
    d->day_number = (uint32_t)number;
    return true;
}

bool dosage_read_timing(struct dosage *d)
{
    if (!fhir_object(d->r, d->json, "timing", &d->timing))
        return false;
    if (d->timing == NULL)
        return true;
    size_t before = fhir_enter(d->r, "timing", FHIR_WHOLE);
    if (!fhir_object(d->r, d->timing, "repeat", &d->repeat) || !read_cycle_extension(d) ||
        !read_list(d, d->timing, "event", d->dates, &d->n_dates) ||
        !read_list(d, d->repeat, "when", d->moments, &d->n_moments))
        return false;
    d->n_when = d->n_moments;
    if (!read_list(d, d->repeat, "timeOfDay", d->moments, &d->n_moments) ||
        !read_list(d, d->repeat, "dayOfWeek", d->days, &d->n_days) || !check_times(d))
        return false;
    drop_begin(d);
    fhir_leave(d->r, before);
    return true;
}

// ---- How often

bool dosage_read_frequency(struct dosage *d, Carehub__V1__Coded **made)
{
    const char *times, *times_max, *period, *period_max, *unit;
    char code[MEDICATION_CODE_BYTES], ranged[256];
    struct json_object *concept;
    *made = NULL;
    if (!fhir_number(d->r, d->repeat, "frequency", &times) || !fhir_number(d->r, d->repeat, "period", &period) ||
        !fhir_number(d->r, d->repeat, "frequencyMax", &times_max) ||
        !fhir_number(d->r, d->repeat, "periodMax", &period_max) || !fhir_string(d->r, d->repeat, "periodUnit", &unit) ||
        !fhir_object(d->r, d->timing, "code", &concept))
        return false;
    if (times[0] == '\0')
        times = "1";
    if (period[0] == '\0' && concept != NULL)
        return fhir_read_concept(d->r, concept, made);
    if (period[0] == '\0')
        return true;
    if (times_max[0] == '\0' && period_max[0] == '\0' && medication_frequency(times, period, unit, code)) {
        *made = scheme_coded(MEDICATION_SYSTEM_UCUM, code, "");
    } else { // a range is no unit
        snprintf(ranged, sizeof ranged, "%.40s%s%.40s per %.40s%s%.40s %.20s", times, times_max[0] != '\0' ? "-" : "",
                 times_max, period, period_max[0] != '\0' ? "-" : "", period_max, unit);
        *made = scheme_coded("", "", ranged);
    }
    return *made != NULL || fhir_no_memory(d->r);
}

bool dosage_same_frequency(const Carehub__V1__Coded *a, const Carehub__V1__Coded *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return strcmp(a->system, b->system) == 0 && strcmp(a->code, b->code) == 0 && strcmp(a->display, b->display) == 0;
}

// ---- From when, and until when

bool dosage_read_bounds(struct dosage *d)
{
    struct json_object *period, *duration;
    const char *begin = "", *end = "", *value = "", *code = "";
    char last[11];
    int64_t day;
    if (!d->only || d->repeat == NULL)
        return true;
    size_t before = fhir_enter(d->r, "timing.repeat", FHIR_WHOLE);
    if (!fhir_object(d->r, d->repeat, "boundsPeriod", &period) ||
        !fhir_object(d->r, d->repeat, "boundsDuration", &duration) || !fhir_string(d->r, period, "start", &begin) ||
        !fhir_string(d->r, period, "end", &end) || !fhir_number(d->r, duration, "value", &value) ||
        !fhir_string(d->r, duration, "code", &code))
        return false;
    if ((begin[0] != '\0' && !scheme_day(begin, &day)) || (end[0] != '\0' && !scheme_day(end, &day)))
        return fhir_fail(d->r, "boundsPeriod", "date", "this is not a date or time as FHIR writes it");
    fhir_leave(d->r, before);
    if (d->line->begin[0] == '\0' && begin[0] != '\0' && !scheme_set(&d->line->begin, begin))
        return fhir_no_memory(d->r);
    if (end[0] == '\0' && scheme_last_day(d->line->begin, value, code, last))
        end = last;
    return d->line->end[0] != '\0' || end[0] == '\0' || scheme_set(&d->line->end, end) || fhir_no_memory(d->r);
}
