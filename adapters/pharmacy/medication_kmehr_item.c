// The medication of an item: the product, and how it is taken.
#include <stdio.h>
#include <string.h>

#include "medication_codes.h"
#include "medication_kmehr_internal.h"
#include "medication_words.h"

typedef Carehub__V1__Medicine Medicine;
typedef Carehub__V1__Posology Posology;
typedef Carehub__V1__Intake Intake;

// ---- Product

static const Carehub__V1__Coded *code_in(const Medicine *medicine, const char *system)
{
    for (size_t i = 0; i < medicine->n_codes; i++)
        if (strcmp(medicine->codes[i]->system, system) == 0)
            return medicine->codes[i];
    return NULL;
}

static void put_cluster(struct kmehr_writer *w, xmlNode *item, const Carehub__V1__Coded *code, const char *name)
{
    xmlNode *content = kmehr_put(w, item, "content", NULL), *product = kmehr_put(w, content, "substanceproduct", NULL);
    kmehr_put_coded(w, product, "intendedcd", code->system, "2011-03", code->code);
    kmehr_put(w, product, "intendedname", name);
}

static void put_product(struct kmehr_writer *w, xmlNode *item, const Medicine *medicine, const char *name)
{
    xmlNode *content = kmehr_put(w, item, "content", NULL), *product = kmehr_put(w, content, "medicinalproduct", NULL);
    for (size_t i = 0; i < medicine->n_codes; i++)
        if (strcmp(medicine->codes[i]->system, "cnk") == 0)
            kmehr_put_coded(w, product, "intendedcd", "CD-DRUG-CNK", "2013-09", medicine->codes[i]->code);
    kmehr_put(w, product, "intendedname", name);
}

// By its CNK, else by its cluster, else by its name alone, as schemes have preparations and what has no code.
void kmehr_put_medicine(struct kmehr_writer *w, xmlNode *item, const Medicine *medicine)
{
    static const char *const clusters[] = {"CD-INNCLUSTER", "CD-VMPGROUP"};
    const char *name = medicine->name[0] != '\0' ? medicine->name
                       : medicine->n_codes > 0   ? medicine->codes[0]->code
                                                 : "not named";
    const Carehub__V1__Coded *cluster = NULL;
    for (size_t i = 0; i < 2 && cluster == NULL; i++)
        cluster = code_in(medicine, clusters[i]);
    if (code_in(medicine, "cnk") != NULL)
        put_product(w, item, medicine, name);
    else if (cluster != NULL)
        put_cluster(w, item, cluster, name);
    else
        kmehr_put_text(w, kmehr_put(w, item, "content", NULL), "compoundprescription", name);
    const Carehub__V1__Coded *atc = code_in(medicine, MEDICATION_SYSTEM_ATC);
    if (atc != NULL)
        kmehr_put_coded(w, kmehr_put(w, item, "content", NULL), "cd", "CD-ATC", "1.0", atc->code);
}

// ---- What a regimen can say

static const char *dayperiod_of(const Carehub__V1__Coded *moment)
{
    return strcmp(moment->system, "CD-DAYPERIOD") == 0 ? moment->code : medication_dayperiod(moment->code);
}

static const char *periodicity_of(const Carehub__V1__Coded *frequency)
{
    if (strcmp(frequency->system, MEDICATION_SYSTEM_UCUM) == 0)
        return medication_periodicity_kmehr(frequency->code);
    return strcmp(frequency->system, "CD-PERIODICITY") == 0 ? frequency->code : NULL;
}

// xsd:decimal has no exponent.
static bool is_decimal(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t digits = strspn(text, "0123456789");
    text += digits;
    if (*text == '.') {
        size_t fraction = strspn(text + 1, "0123456789");
        digits += fraction;
        text += 1 + fraction;
    }
    return digits > 0 && *text == '\0';
}

static bool fits_regimen(const Intake *intake)
{
    const Carehub__V1__Quantity *quantity = intake->quantity;
    unsigned days = (intake->day_number > 0) + (intake->date[0] != '\0') + (intake->weekday != NULL);
    return quantity != NULL && is_decimal(quantity->value) &&
           (quantity->unit[0] == '\0' || medication_unit_to_kmehr(quantity->unit) != NULL) && days <= 1 &&
           (intake->weekday == NULL || medication_weekday_kmehr(intake->weekday->code) != NULL) &&
           (intake->date[0] == '\0' || strcmp(intake->date, "1901") > 0) &&
           (intake->moment == NULL || (intake->time_of_day[0] == '\0' && dayperiod_of(intake->moment) != NULL));
}

// All of it, or it is told in words: half a regimen would be a wrong one.
static bool has_regimen(const Posology *posology)
{
    bool fits = posology->n_regimen > 0 && (posology->frequency == NULL || periodicity_of(posology->frequency) != NULL);
    for (size_t i = 0; i < posology->n_regimen && fits; i++)
        fits = fits_regimen(posology->regimen[i]);
    return fits;
}

// ---- Posology

static void put_day(struct kmehr_writer *w, xmlNode *regimen, const Intake *intake)
{
    char number[16];
    snprintf(number, sizeof number, "%u", intake->day_number);
    if (intake->day_number > 0)
        kmehr_put(w, regimen, "daynumber", number);
    if (intake->date[0] != '\0')
        kmehr_put(w, regimen, "date", intake->date);
    if (intake->weekday != NULL)
        kmehr_put_coded(w, kmehr_put(w, regimen, "weekday", NULL), "cd", "CD-WEEKDAY", "1.0",
                        medication_weekday_kmehr(intake->weekday->code));
}

static void put_intake(struct kmehr_writer *w, xmlNode *regimen, const Intake *intake)
{
    char time[16];
    put_day(w, regimen, intake);
    if (intake->time_of_day[0] != '\0') {
        snprintf(time, sizeof time, "%.8s%s", intake->time_of_day, strlen(intake->time_of_day) == 5 ? ":00" : "");
        kmehr_put(w, kmehr_put(w, regimen, "daytime", NULL), "time", time);
    } else if (intake->moment != NULL) {
        xmlNode *period = kmehr_put(w, kmehr_put(w, regimen, "daytime", NULL), "dayperiod", NULL);
        kmehr_put_coded(w, period, "cd", "CD-DAYPERIOD", "1.1", dayperiod_of(intake->moment));
    }
    xmlNode *quantity = kmehr_put(w, regimen, "quantity", NULL);
    kmehr_put(w, quantity, "decimal", intake->quantity->value);
    if (intake->quantity->unit[0] != '\0')
        kmehr_put_coded(w, kmehr_put(w, quantity, "unit", NULL), "cd", "CD-ADMINISTRATIONUNIT", "1.4",
                        medication_unit_to_kmehr(intake->quantity->unit));
}

static void put_frequency(struct kmehr_writer *w, xmlNode *item, const char *periodicity)
{
    xmlNode *node = kmehr_put(w, kmehr_put(w, item, "frequency", NULL), "periodicity", NULL);
    kmehr_put_coded(w, node, "cd", "CD-PERIODICITY", "1.0", periodicity);
}

static void put_words(struct kmehr_writer *w, xmlNode *item, const Posology *posology, bool with_frequency)
{
    char words[MEDICATION_WORDS_BYTES];
    Posology told = *posology;
    told.route = NULL; // it has an element
    if (!with_frequency)
        told.frequency = NULL;
    medication_words(&told, words);
    kmehr_put_text(w, kmehr_put(w, item, "posology", NULL), "text", words);
}

void kmehr_put_posology(struct kmehr_writer *w, xmlNode *item, const Posology *posology)
{
    bool regimen = has_regimen(posology);
    const char *periodicity = posology->frequency != NULL ? periodicity_of(posology->frequency) : NULL;
    bool coded = periodicity != NULL && (regimen || posology->n_regimen == 0);
    if (coded)
        put_frequency(w, item, periodicity);
    if (regimen) {
        xmlNode *node = kmehr_put(w, item, "regimen", NULL);
        for (size_t i = 0; i < posology->n_regimen; i++)
            put_intake(w, node, posology->regimen[i]);
    } else {
        put_words(w, item, posology, !coded);
    }
    if (posology->route != NULL && posology->route->code[0] != '\0')
        kmehr_put_coded(w, kmehr_put(w, item, "route", NULL), "cd", "CD-DRUG-ROUTE", "2.0", posology->route->code);
    if (regimen && posology->text[0] != '\0')
        kmehr_put_text(w, item, "instructionforpatient", posology->text);
}
