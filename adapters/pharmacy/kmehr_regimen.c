// A regimen is a flat sequence: ((daynumber | date | weekday)?, daytime, quantity)*. What comes before a quantity,
// since the last one, is when it is taken.
#include "kmehr_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "medication_codes.h"

enum { MOMENTS_MAX = 16 };

struct intakes {
    struct kmehr_reader *r;
    Carehub__V1__Posology *posology;
    const xmlNode *day;     // daynumber, date or weekday; NULL: none
    const xmlNode *daytime; // NULL: none yet
};

static bool set_day_number(struct intakes *self, Carehub__V1__Intake *intake)
{
    char text[KMEHR_VALUE_BYTES], *end;
    kmehr_value(self->day, text, sizeof text);
    unsigned long number = strtoul(text, &end, 10);
    if (*end != '\0' || text[0] == '-' || number < 1 || number > 36600)
        return kmehr_fail(self->r, self->day, "regimen-day", "a daynumber is a number from 1");
    intake->day_number = (uint32_t)number;
    return true;
}

static bool set_date(struct intakes *self, Carehub__V1__Intake *intake)
{
    char text[KMEHR_VALUE_BYTES];
    int64_t day;
    kmehr_value(self->day, text, sizeof text);
    if (!scheme_day(text, &day))
        return kmehr_fail(self->r, self->day, "regimen-day", "this is not a date; write it as YYYY-MM-DD");
    text[strnlen(text, 10)] = '\0'; // without an offset
    return scheme_set(&intake->date, text) || kmehr_no_memory(self->r);
}

static bool set_weekday(struct intakes *self, Carehub__V1__Intake *intake)
{
    char text[KMEHR_VALUE_BYTES];
    kmehr_value(kmehr_child(self->day, "cd"), text, sizeof text);
    const char *code = medication_weekday(text);
    if (code == NULL)
        return kmehr_fail(self->r, self->day, "regimen-day", "this is not a day of CD-WEEKDAY");
    intake->weekday = scheme_coded(MEDICATION_SYSTEM_WEEKDAY, code, text);
    return intake->weekday != NULL || kmehr_no_memory(self->r);
}

static bool set_day(struct intakes *self, Carehub__V1__Intake *intake)
{
    if (self->day == NULL)
        return true;
    if (kmehr_is(self->day, "daynumber"))
        return set_day_number(self, intake);
    return kmehr_is(self->day, "date") ? set_date(self, intake) : set_weekday(self, intake);
}

// moment is a dayperiod, a time, or NULL.
static bool set_moment(struct intakes *self, const xmlNode *moment, Carehub__V1__Intake *intake)
{
    char text[KMEHR_VALUE_BYTES], time[16];
    Carehub__V1__Time unused;
    if (moment == NULL)
        return true;
    if (kmehr_is(moment, "time")) {
        char iso[KMEHR_VALUE_BYTES + 16];
        kmehr_value(moment, text, sizeof text);
        snprintf(iso, sizeof iso, "2000-01-01T%s", text);
        if (!scheme_time(iso, NULL, NULL, &unused))
            return kmehr_fail(self->r, moment, "regimen-time", "this is not a time of day; write it as HH:MM:SS");
        scheme_time_of_day(text, time);
        return scheme_set(&intake->time_of_day, time) || kmehr_no_memory(self->r);
    }
    kmehr_value(kmehr_child(moment, "cd"), text, sizeof text);
    if (text[0] == '\0')
        return kmehr_fail(self->r, moment, "regimen-dayperiod", "a dayperiod has a cd of CD-DAYPERIOD");
    const char *code = medication_moment(text);
    intake->moment =
        code != NULL ? scheme_coded(MEDICATION_SYSTEM_MOMENT, code, text) : scheme_coded("CD-DAYPERIOD", text, "");
    return intake->moment != NULL || kmehr_no_memory(self->r);
}

static bool set_quantity(struct intakes *self, const xmlNode *quantity, Carehub__V1__Intake *intake)
{
    char value[KMEHR_VALUE_BYTES], code[MEDICATION_CODE_BYTES], unit[MEDICATION_UNIT_BYTES] = "";
    if (quantity == NULL)
        return true;
    const xmlNode *decimal = kmehr_child(quantity, "decimal");
    if (!kmehr_value(decimal, value, sizeof value) || !scheme_is_decimal(value))
        return kmehr_fail(self->r, decimal != NULL ? decimal : quantity, "regimen-quantity",
                          "a quantity has a decimal number");
    kmehr_value(kmehr_child(kmehr_child(quantity, "unit"), "cd"), code, sizeof code);
    if (code[0] != '\0')
        medication_unit_kmehr(code, unit);
    else if (!kmehr_remark(self->r, quantity, "regimen-unit", "a quantity has a unit of CD-ADMINISTRATIONUNIT"))
        return false;
    if ((value[0] == '-' || strspn(value, "0.") == strlen(value)) &&
        !kmehr_remark(self->r, decimal, "regimen-quantity", "a quantity is more than 0"))
        return false;
    intake->quantity = scheme_quantity(value, unit);
    return intake->quantity != NULL || kmehr_no_memory(self->r);
}

// One intake for each moment of the daytime.
static bool finish(struct intakes *self, const xmlNode *quantity)
{
    const xmlNode *moment = self->daytime != NULL ? self->daytime->children : NULL;
    size_t made = 0;
    for (bool more = true; more; moment = moment->next) {
        while (moment != NULL && !kmehr_is(moment, "dayperiod") && !kmehr_is(moment, "time"))
            moment = moment->next;
        more = moment != NULL;
        if (!more && made > 0)
            break;
        if (self->posology->n_regimen == SCHEME_INTAKES_MAX || made == MOMENTS_MAX)
            return kmehr_fail(self->r, self->daytime, "regimen-size", "a regimen has at most 256 intakes");
        Carehub__V1__Intake *intake = scheme_add_intake(self->posology);
        if (intake == NULL)
            return kmehr_no_memory(self->r);
        if (!set_day(self, intake) || !set_moment(self, moment, intake) || !set_quantity(self, quantity, intake))
            return false;
        made++;
        if (!more)
            break;
    }
    self->day = self->daytime = NULL;
    return true;
}

static bool missing_quantity(struct intakes *self)
{
    const xmlNode *node = self->daytime != NULL ? self->daytime : self->day;
    return kmehr_remark(self->r, node, "regimen-quantity", "each moment of a regimen has a quantity") &&
           finish(self, NULL);
}

static bool step(struct intakes *self, const xmlNode *node)
{
    if (kmehr_is(node, "quantity"))
        return finish(self, node);
    if (kmehr_is(node, "daytime")) {
        if (self->daytime != NULL && !missing_quantity(self))
            return false;
        self->daytime = node;
    } else if (kmehr_is(node, "daynumber") || kmehr_is(node, "date") || kmehr_is(node, "weekday")) {
        if ((self->day != NULL || self->daytime != NULL) && !missing_quantity(self))
            return false;
        self->day = node;
    }
    return true;
}

bool kmehr_read_regimen(struct kmehr_reader *r, const xmlNode *regimen, Carehub__V1__Posology *posology)
{
    struct intakes self = {.r = r, .posology = posology};
    for (const xmlNode *node = regimen->children; node != NULL; node = node->next)
        if (!step(&self, node))
            return false;
    return (self.day == NULL && self.daytime == NULL) || missing_quantity(&self);
}
