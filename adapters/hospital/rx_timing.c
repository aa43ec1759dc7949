// When a medicine is taken: TQ1 segments, and the TQ of ORC-7 and RXE-1 that was there before v2.5.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rx_internal.h"
#include "rx_pattern.h"

#define UCUM "http://unitsofmeasure.org"
#define EVENT_TIMING "http://hl7.org/fhir/event-timing"
#define TIMES_MAX 16u // of a day

// One timing, whichever way it was written.
struct timing {
    struct rx_dose dose;
    char code[ADT_CODE_MAX_BYTES + 1], code_text[ADT_CODE_MAX_BYTES + 1], code_system[ADT_CODE_MAX_BYTES + 1];
    bool as_needed;
    char period[RX_AMOUNT_BYTES], period_unit[RX_UNIT_BYTES];
    char event[ADT_CODE_MAX_BYTES + 1];
    char times[TIMES_MAX][6]; // "08:00"
    size_t time_count;
    char duration[RX_AMOUNT_BYTES], duration_unit[RX_UNIT_BYTES];
    struct hl7v2_value start, end;
    char text[ADT_TEXT_MAX_BYTES / 2 + 1], condition[ADT_TEXT_MAX_BYTES / 2 + 1];
};

void rx_unit(const struct adt_job *job, struct hl7v2_value code, struct hl7v2_value text, char out[RX_UNIT_BYTES])
{
    char name[RX_UNIT_BYTES];
    adt_copy(job, code, out, RX_UNIT_BYTES);
    adt_copy(job, text, name, sizeof name);
    if (name[0] != '\0' && out[strspn(out, "0123456789")] == '\0')
        memcpy(out, name, sizeof name);
}

// ---- Reading

// "0800", "080000", "08:00:00" as "08:00". False when it is no time of a day.
static bool read_clock(const char *text, char out[6])
{
    char digits[5] = "";
    size_t count = 0;
    for (; *text != '\0' && count < 4; text++) {
        if (*text >= '0' && *text <= '9')
            digits[count++] = *text;
        else if (*text != ':')
            return false;
    }
    if (count != 4 || atoi(digits) >= 2400 || digits[2] >= '6')
        return false;
    snprintf(out, 6, "%.2s:%.2s", digits, digits + 2);
    return true;
}

static void add_time(struct timing *timing, const char *text)
{
    if (timing->time_count < TIMES_MAX && read_clock(text, timing->times[timing->time_count]))
        timing->time_count++;
}

static void read_tq1(const struct adt_job *job, ptrdiff_t segment, struct timing *t)
{
    const struct hl7v2_message *m = job->message;
    size_t at = (size_t)segment;
    char text[ADT_CODE_MAX_BYTES + 1];
    *t = (struct timing){0};
    adt_copy(job, adt_at(job, segment, 2, 1), t->dose.amount, sizeof t->dose.amount);
    rx_unit(job, hl7v2_segment_get(m, at, 2, 1, 2, 1), hl7v2_segment_get(m, at, 2, 1, 2, 2), t->dose.unit);
    adt_copy(job, adt_at(job, segment, 3, 1), t->code, sizeof t->code);
    adt_copy(job, hl7v2_segment_get(m, at, 3, 1, 1, 2), t->code_text, sizeof t->code_text);
    adt_copy(job, hl7v2_segment_get(m, at, 3, 1, 1, 3), t->code_system, sizeof t->code_system);
    adt_copy(job, adt_at(job, segment, 3, 5), t->period, sizeof t->period);
    adt_copy(job, adt_at(job, segment, 3, 6), t->period_unit, sizeof t->period_unit);
    adt_copy(job, adt_at(job, segment, 3, 8), t->event, sizeof t->event);
    for (unsigned i = 2; i <= hl7v2_repetition_count(m, at, 3); i++) {
        adt_copy(job, hl7v2_segment_get(m, at, 3, i, 1, 1), text, sizeof text);
        t->as_needed = t->as_needed || strncmp(text, "PRN", 3) == 0;
    }
    for (unsigned i = 1; i <= hl7v2_repetition_count(m, at, 4); i++) {
        adt_copy(job, hl7v2_segment_get(m, at, 4, i, 1, 1), text, sizeof text);
        add_time(t, text);
    }
    adt_copy(job, adt_at(job, segment, 6, 1), t->duration, sizeof t->duration);
    rx_unit(job, hl7v2_segment_get(m, at, 6, 1, 2, 1), hl7v2_segment_get(m, at, 6, 1, 2, 2), t->duration_unit);
    t->start = adt_at(job, segment, 7, 1);
    t->end = adt_at(job, segment, 8, 1);
    adt_copy(job, adt_at(job, segment, 10, 1), t->condition, sizeof t->condition);
    adt_copy(job, adt_at(job, segment, 11, 1), t->text, sizeof t->text);
}

// TQ: quantity, interval (pattern & times, by commas), duration ("D4": a unit and a number), start, end, priority,
// condition, text (v2.3, 4.4).
static void read_tq(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned repetition, struct timing *t)
{
    const struct hl7v2_message *m = job->message;
    size_t at = (size_t)segment;
    char times[256], duration[RX_AMOUNT_BYTES], *rest = NULL;
    *t = (struct timing){0};
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 1, 1), t->dose.amount, sizeof t->dose.amount);
    rx_unit(job, hl7v2_segment_get(m, at, field, repetition, 1, 2), (struct hl7v2_value){0}, t->dose.unit);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 2, 1), t->code, sizeof t->code);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 2, 2), times, sizeof times);
    for (char *one = strtok_r(times, ",", &rest); one != NULL; one = strtok_r(NULL, ",", &rest))
        add_time(t, one);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 3, 1), duration, sizeof duration);
    if (duration[0] != '\0') {
        snprintf(t->duration_unit, sizeof t->duration_unit, "%.1s", duration);
        snprintf(t->duration, sizeof t->duration, "%s", duration + 1);
    }
    t->start = hl7v2_segment_get(m, at, field, repetition, 4, 1);
    t->end = hl7v2_segment_get(m, at, field, repetition, 5, 1);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 7, 1), t->condition, sizeof t->condition);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 8, 1), t->text, sizeof t->text);
}

static bool read_older(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned n, struct timing *t)
{
    if (adt_at(job, segment, field, 0).presence != HL7V2_VALUED || n >= RX_TIMINGS_MAX ||
        n >= hl7v2_repetition_count(job->message, (size_t)segment, field))
        return false;
    read_tq(job, segment, field, n + 1, t);
    return true;
}

// The n-th timing of an order: of its TQ1 segments, else of RXE-1, else of ORC-7. An RXE-1 may say from when and until
// when only; how often is then in ORC-7. False when there is none.
static bool read_timing(const struct adt_job *job, const struct rx_group *group, unsigned n, struct timing *t)
{
    struct timing pharmacy;
    if (group->timing_count > 0) {
        if (n < group->timing_count)
            read_tq1(job, group->timings[n], t);
        return n < group->timing_count;
    }
    if (!read_older(job, group->rxe, 1, n, &pharmacy))
        return adt_at(job, group->rxe, 1, 0).presence != HL7V2_VALUED && read_older(job, group->orc, 7, n, t);
    bool bare = pharmacy.code[0] == '\0' && pharmacy.time_count == 0 && pharmacy.text[0] == '\0';
    if (!bare || !read_older(job, group->orc, 7, n, t)) {
        *t = pharmacy;
        return true;
    }
    if (pharmacy.start.presence == HL7V2_VALUED)
        t->start = pharmacy.start;
    if (pharmacy.end.presence == HL7V2_VALUED)
        t->end = pharmacy.end;
    return true;
}

// ---- Posology

static void add_intake(struct adt_job *job, Carehub__V1__Posology *posology, const struct rx_dose *dose,
                       const char *moment, const char *time)
{
    Carehub__V1__Intake *intake = NULL;
    if (posology->regimen == NULL)
        posology->regimen = calloc(RX_INTAKES_MAX, sizeof(Carehub__V1__Intake *));
    if (posology->regimen == NULL) {
        job->no_memory = true;
        return;
    }
    if (posology->n_regimen == RX_INTAKES_MAX) {
        adt_remark(job, "intakes-cut");
        return;
    }
    intake = adt_message_new(job, &carehub__v1__intake__descriptor);
    if (intake == NULL)
        return;
    posology->regimen[posology->n_regimen++] = intake;
    if (moment[0] != '\0')
        intake->moment = adt_coded(job, EVENT_TIMING, moment, "");
    adt_set_text(job, &intake->time_of_day, time);
    if (dose->amount[0] != '\0')
        intake->quantity = adt_message_new(job, &carehub__v1__quantity__descriptor);
    if (intake->quantity != NULL) {
        adt_set_text(job, &intake->quantity->value, dose->amount);
        adt_set_text(job, &intake->quantity->unit, dose->unit);
    }
}

static void add_intakes(struct adt_job *job, const struct timing *t, const struct rx_dose *dose,
                        const struct rx_pattern *pattern, Carehub__V1__Posology *posology)
{
    static const char *const meals[] = {"AC", "ACM", "ACD", "ACV", "PC",  "PCM", "PCD", "PCV", "C", "CM",
                                        "CD", "CV",  "HS",  "IC",  "ICM", "ICD", "ICV", "WAKE"}; // in 0528 and FHIR
    const char *moment = pattern->moment;
    for (size_t i = 0; i < sizeof meals / sizeof meals[0]; i++)
        if (strcmp(meals[i], t->event) == 0)
            moment = meals[i];
    for (size_t i = 0; i < t->time_count; i++)
        add_intake(job, posology, dose, moment, t->times[i]);
    if (t->time_count == 0 && (dose->amount[0] != '\0' || moment[0] != '\0'))
        add_intake(job, posology, dose, moment, "");
}

static Carehub__V1__Coded *frequency(struct adt_job *job, const struct timing *t, const struct rx_pattern *pattern)
{
    char period[32];
    if (pattern->frequency[0] != '\0')
        return adt_coded(job, UCUM, pattern->frequency, t->code_text[0] != '\0' ? t->code_text : t->code);
    if (rx_period_read(t->period, t->period_unit, period))
        return adt_coded(job, UCUM, period, t->code_text);
    if (t->code[0] == '\0' || strchr(t->code, ' ') != NULL || pattern->moment[0] != '\0' || pattern->as_needed)
        return NULL;
    const char *system = t->code_system[0] != '\0' ? t->code_system : "HL70335";
    return adt_coded(job, adt_sender_code_system(job->in->sender, system), t->code, t->code_text);
}

static void date_text(const struct adt_job *job, struct hl7v2_value value, char out[16])
{
    struct hl7v2_time time;
    out[0] = '\0';
    if (adt_read_time(job, value, &time) && time.precision >= HL7V2_PRECISION_DAY)
        snprintf(out, 16, "%04u-%02u-%02u", (unsigned)time.year % 10000, (unsigned)time.month % 100,
                 (unsigned)time.day % 100);
}

// Of an order with several timings each is told in words: a structure that shows one of them would mislead.
static void tell(struct adt_job *job, const struct timing *t, const struct rx_dose *dose, struct rx_text *text)
{
    char from[16], until[16], piece[ADT_TEXT_MAX_BYTES / 2 + 1];
    date_text(job, t->start, from);
    date_text(job, t->end, until);
    const char *code = t->code_text[0] != '\0' ? t->code_text : t->code;
    int len = snprintf(piece, sizeof piece, "%s%s%s%s%s", dose->amount, dose->unit[0] != '\0' ? " " : "", dose->unit,
                       code[0] != '\0' ? " " : "", code);
    if (from[0] != '\0' || until[0] != '\0')
        snprintf(piece + len, sizeof piece - (size_t)len, " [%s - %s]", from, until);
    rx_text_add(job, text, piece);
}

void rx_timing(struct adt_job *job, const struct rx_group *group, const struct rx_dose *dose,
               Carehub__V1__Posology *posology, struct rx_text *text)
{
    struct timing t, next;
    bool any = read_timing(job, group, 0, &t), several = any && read_timing(job, group, 1, &next);
    if (!any && dose->amount[0] != '\0')
        add_intake(job, posology, dose, "", "");
    for (unsigned n = 0; n < RX_TIMINGS_MAX && read_timing(job, group, n, &t); n++) {
        struct rx_pattern pattern;
        bool known = rx_pattern_read(t.code, &pattern);
        bool own = t.dose.amount[0] != '\0' && (several || dose->amount[0] == '\0');
        const struct rx_dose *taken = own ? &t.dose : dose;
        rx_text_add(job, text, t.text);
        rx_text_add(job, text, t.condition);
        if (pattern.as_needed || t.as_needed)
            rx_text_add(job, text, "PRN");
        if (several) {
            tell(job, &t, taken, text);
            adt_remark(job, "several-timings");
            continue;
        }
        add_intakes(job, &t, taken, &pattern, posology);
        posology->frequency = frequency(job, &t, &pattern);
        if (!known && strchr(t.code, ' ') != NULL)
            rx_text_add(job, text, t.code); // words, where a code should be
    }
}

// ---- From, until

// A number of units after a time; NULL when it cannot be said exactly.
static Carehub__V1__Time *after(struct adt_job *job, const Carehub__V1__Time *start, const struct timing *t)
{
    char *end;
    long count = strtol(t->duration, &end, 10);
    long long unit_ms = rx_unit_ms(t->duration_unit);
    if (start == NULL || end == t->duration || *end != '\0' || count < 1 || count > 10000 || unit_ms == 0)
        return NULL;
    Carehub__V1__Time *until = adt_time_copy(job, start);
    if (until != NULL)
        until->unix_ms += count * unit_ms;
    return until;
}

// The first timing's start and the last one's end.
void rx_period(struct adt_job *job, const struct rx_group *group, Carehub__V1__Time **from, Carehub__V1__Time **until)
{
    struct timing t;
    Carehub__V1__Time *start = NULL;
    *from = *until = NULL;
    for (unsigned n = 0; n < RX_TIMINGS_MAX && read_timing(job, group, n, &t); n++) {
        if (adt_take_time(job, &start, t.start) && *from == NULL)
            *from = adt_time_copy(job, start);
        if (*until != NULL)
            carehub__v1__time__free_unpacked(*until, NULL);
        *until = NULL;
        if (!adt_take_time(job, until, t.end))
            *until = after(job, start, &t);
    }
    if (start != NULL)
        carehub__v1__time__free_unpacked(start, NULL);
}
