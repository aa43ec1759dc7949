#include "medication_words.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "medication_codes.h"
#include "utf8.h"

#define ELLIPSIS "\xE2\x80\xA6"

struct words {
    char *out;
    size_t used;
};

static void add(struct words *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct words *w, const char *format, ...)
{
    size_t room = MEDICATION_WORDS_BYTES - sizeof ELLIPSIS - w->used;
    va_list arguments;
    if (room == 0)
        return;
    va_start(arguments, format);
    int len = vsnprintf(w->out + w->used, room, format, arguments);
    va_end(arguments);
    if (len >= 0 && (size_t)len < room) {
        w->used += (size_t)len;
        return;
    }
    size_t whole = utf8_valid_prefix(w->out, strlen(w->out));
    memcpy(w->out + whole, ELLIPSIS, sizeof ELLIPSIS);
    w->used = MEDICATION_WORDS_BYTES - sizeof ELLIPSIS;
}

// A separator before everything but the first.
static void add_part(struct words *w, size_t begin, const char *separator)
{
    if (w->used > begin)
        add(w, "%s", separator);
}

static const char *named(const Carehub__V1__Coded *coded)
{
    return coded->display[0] != '\0' ? coded->display : coded->code;
}

// ---- Parts

static void add_frequency(struct words *w, const Carehub__V1__Coded *frequency)
{
    static const char *const units[][2] = {{"s", "second"}, {"min", "minute"}, {"h", "hour"}, {"d", "day"},
                                           {"wk", "week"},  {"mo", "month"},   {"a", "year"}};
    unsigned times, period;
    char unit[4];
    if (strcmp(frequency->system, MEDICATION_SYSTEM_UCUM) != 0 ||
        !medication_frequency_parts(frequency->code, &times, &period, unit)) {
        add(w, "%s", named(frequency));
        return;
    }
    const char *word = unit;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(units[i][0], unit) == 0)
            word = units[i][1];
    if (times > 1)
        add(w, "%u times ", times);
    if (period > 1)
        add(w, "every %u %ss", period, word);
    else
        add(w, "%s %s", times > 1 ? "a" : "every", word);
}

static void add_moment(struct words *w, const Carehub__V1__Coded *moment)
{
    static const char *const words[][2] = {{"MORN", "in the morning"},
                                           {"NOON", "at noon"},
                                           {"AFT", "in the afternoon"},
                                           {"EVE", "in the evening"},
                                           {"NIGHT", "at night"},
                                           {"HS", "before sleep"},
                                           {"WAKE", "after waking"},
                                           {"C", "with a meal"},
                                           {"CM", "with breakfast"},
                                           {"CD", "with lunch"},
                                           {"CV", "with dinner"},
                                           {"AC", "before a meal"},
                                           {"ACM", "before breakfast"},
                                           {"ACD", "before lunch"},
                                           {"ACV", "before dinner"},
                                           {"PC", "after a meal"},
                                           {"PCM", "after breakfast"},
                                           {"PCD", "after lunch"},
                                           {"PCV", "after dinner"},
                                           {"betweenmeals", "between meals"},
                                           {"betweenbreakfastandlunch", "between breakfast and lunch"},
                                           {"betweenlunchanddinner", "between lunch and dinner"},
                                           {"betweendinnerandsleep", "between dinner and sleep"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i][0], moment->code) == 0) {
            add(w, " %s", words[i][1]);
            return;
        }
    add(w, " (%s)", named(moment));
}

// "{tablet}" as "tablet", a code without its system.
static void add_unit(struct words *w, const char *unit)
{
    const char *bar = strrchr(unit, '|');
    size_t len = strlen(unit);
    if (bar != NULL)
        add(w, " %s", bar + 1);
    else if (len > 2 && unit[0] == '{' && unit[len - 1] == '}')
        add(w, " %.*s", (int)len - 2, unit + 1);
    else if (len > 0)
        add(w, " %s", unit);
}

static void add_intake(struct words *w, const Carehub__V1__Intake *intake)
{
    size_t begin = w->used;
    if (intake->quantity != NULL) {
        add(w, "%s", intake->quantity->value);
        add_unit(w, intake->quantity->unit);
    }
    if (intake->moment != NULL)
        add_moment(w, intake->moment);
    if (intake->time_of_day[0] != '\0')
        add(w, " at %s", intake->time_of_day);
    if (intake->weekday != NULL) {
        const char *day = medication_weekday_kmehr(intake->weekday->code);
        add(w, " on %s", day != NULL ? day : named(intake->weekday));
    }
    if (intake->date[0] != '\0')
        add(w, " on %s", intake->date);
    if (intake->day_number > 0)
        add(w, " on day %u", intake->day_number);
    if (w->used > begin && w->out[begin] == ' ') // nothing before it
        memmove(w->out + begin, w->out + begin + 1, w->used-- - begin);
}

static void add_posology(struct words *w, const Carehub__V1__Posology *posology)
{
    size_t begin = w->used;
    if (posology->frequency != NULL)
        add_frequency(w, posology->frequency);
    for (size_t i = 0; i < posology->n_regimen; i++) {
        add_part(w, begin, i == 0 ? ": " : "; ");
        add_intake(w, posology->regimen[i]);
    }
    if (posology->text[0] != '\0') {
        add_part(w, begin, "; ");
        add(w, "%s", posology->text);
    }
    if (posology->route != NULL && named(posology->route)[0] != '\0') {
        add_part(w, begin, "; ");
        add(w, "route: %s", named(posology->route));
    }
}

void medication_words(const Carehub__V1__Posology *posology, char out[MEDICATION_WORDS_BYTES])
{
    struct words w = {.out = out};
    out[0] = '\0';
    if (posology != NULL)
        add_posology(&w, posology);
}

// ---- Changes

static const struct {
    const char *words, *code;
} kinds[] = {
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED] = {"Changed", "changed"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED] = {"Added", "added"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED] = {"Stopped", "stopped"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED] = {"Suspended", "suspended"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED] = {"Resumed", "resumed"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED] = {"Product changed", "product-changed"},
    [CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED] = {"Posology changed", "posology-changed"},
};

const char *medication_kind_words(Carehub__V1__MedicationChange__Kind kind)
{
    return kinds[(size_t)kind < sizeof kinds / sizeof kinds[0] ? kind : 0].words;
}

const char *medication_kind_code(Carehub__V1__MedicationChange__Kind kind)
{
    return kinds[(size_t)kind < sizeof kinds / sizeof kinds[0] ? kind : 0].code;
}

static void add_medicine(struct words *w, const Carehub__V1__Medicine *medicine)
{
    if (medicine->name[0] != '\0')
        add(w, "%s", medicine->name);
    for (size_t i = 0; i < medicine->n_codes; i++)
        if (medicine->codes[i]->code[0] != '\0' && strcmp(medicine->codes[i]->system, MEDICATION_SYSTEM_TYPE) != 0)
            add(w, " (%s %s)", medicine->codes[i]->system, medicine->codes[i]->code);
}

void medication_change_words(const Carehub__V1__MedicationChange *change, char out[MEDICATION_WORDS_BYTES])
{
    struct words w = {.out = out};
    out[0] = '\0';
    add(&w, "%s.", medication_kind_words(change->kind));
    if (change->reason[0] != '\0')
        add(&w, " Reason: %s.", change->reason);
    if (change->previous_medicine != NULL) {
        add(&w, " Before: ");
        add_medicine(&w, change->previous_medicine);
        add(&w, ".");
    }
    if (change->previous_posology != NULL) {
        add(&w, " Before: ");
        size_t begin = w.used;
        add_posology(&w, change->previous_posology);
        add(&w, w.used > begin ? "." : "no posology.");
    }
}
