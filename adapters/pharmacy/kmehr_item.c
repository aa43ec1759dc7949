// An item with a medication: the product, when and how it is taken.
#include "kmehr_internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "medication_codes.h"

// Takes a text over whole. extend: adds it to what is there.
static bool take_text(struct kmehr_reader *r, const xmlNode *node, char **field, bool extend)
{
    char *text = node != NULL ? kmehr_text(node) : NULL;
    if (node == NULL)
        return true;
    bool done = text != NULL && (extend ? scheme_add_text(field, text) : scheme_set(field, text));
    xmlFree(text);
    return done || kmehr_no_memory(r);
}

// ---- Product

static bool take_code(struct kmehr_reader *r, const xmlNode *cd, const char *name, Carehub__V1__Medicine *medicine)
{
    char scheme[KMEHR_VALUE_BYTES], code[KMEHR_VALUE_BYTES], kept[MEDICATION_CODE_BYTES];
    const char *system;
    kmehr_attribute(cd, "S", scheme);
    if (strcmp(scheme, "LOCAL") == 0)
        kmehr_attribute(cd, "SL", scheme);
    if (!kmehr_value(cd, code, sizeof code) || strlen(code) >= sizeof kept)
        return kmehr_fail(r, cd, "product-code", "a product code is at most 63 bytes long");
    if (code[0] == '\0')
        return kmehr_remark(r, cd, "product-code", "the product code is empty");
    if (medicine->n_codes == SCHEME_CODES_MAX)
        return kmehr_fail(r, cd, "product-code", "a product has at most 16 codes");
    if (!medication_product_code(scheme, code, &system, kept) &&
        !kmehr_remark(r, cd, "cnk", "this is not a CNK by its check digit; it is kept as the source's own code"))
        return false;
    return scheme_add_code(medicine, system, kept, name) || kmehr_no_memory(r);
}

// The name is that of what was delivered, where something was.
static bool take_names(struct kmehr_reader *r, const xmlNode *product, const char *codes, const char *names,
                       Carehub__V1__Medicine *medicine)
{
    const xmlNode *name = kmehr_child(product, names);
    char display[KMEHR_VALUE_BYTES];
    kmehr_value(name, display, sizeof display);
    for (const xmlNode *cd = kmehr_child(product, codes); cd != NULL; cd = kmehr_next(cd, codes))
        if (!take_code(r, cd, display, medicine))
            return false;
    return take_text(r, display[0] != '\0' ? name : NULL, &medicine->name, false);
}

static bool take_product(struct kmehr_reader *r, const xmlNode *product, Carehub__V1__Medicine *medicine)
{
    if (kmehr_count(product, "intendedcd") != 1 &&
        !kmehr_remark(r, product, "product-intendedcd", "a product has one intendedcd"))
        return false;
    if (kmehr_child(product, "intendedname") == NULL &&
        !kmehr_remark(r, product, "product-intendedname", "a product has an intendedname"))
        return false;
    return take_names(r, product, "intendedcd", "intendedname", medicine) &&
           take_names(r, product, "deliveredcd", "deliveredname", medicine);
}

// A preparation of the pharmacist's own is known by its text alone.
static bool take_compound(struct kmehr_reader *r, const xmlNode *compound, Carehub__V1__Medicine *medicine)
{
    return take_text(r, compound, &medicine->name, false) &&
           (scheme_add_code(medicine, MEDICATION_SYSTEM_TYPE, MEDICATION_TYPE_MAGISTRAL, "") || kmehr_no_memory(r));
}

static bool take_ean(struct kmehr_reader *r, const xmlNode *item, const xmlNode *cd, Carehub__V1__Medicine *medicine)
{
    return take_code(r, cd, "", medicine) && take_text(r, kmehr_child(item, "text"), &medicine->name, false);
}

static bool read_content(struct kmehr_reader *r, const xmlNode *item, const xmlNode *content, size_t *products,
                         Carehub__V1__Medicine *medicine)
{
    for (const xmlNode *node = content->children; node != NULL; node = node->next) {
        bool product = kmehr_is(node, "medicinalproduct") || kmehr_is(node, "substanceproduct");
        bool compound = kmehr_is(node, "compoundprescription");
        bool ean = kmehr_is(node, "cd") && kmehr_attribute_is(node, "S", "CD-EAN");
        if (!product && !compound && !ean)
            continue;
        if (++*products > 1)
            return kmehr_fail(r, node, "one-product", "a medication item names one product; this one names more");
        if ((product && !take_product(r, node, medicine)) || (compound && !take_compound(r, node, medicine)) ||
            (ean && !take_ean(r, item, node, medicine)))
            return false;
    }
    return true;
}

static bool read_product(struct kmehr_reader *r, const xmlNode *item, Carehub__V1__Medicine *medicine)
{
    size_t products = 0;
    for (const xmlNode *content = kmehr_child(item, "content"); content != NULL;
         content = kmehr_next(content, "content"))
        if (!read_content(r, item, content, &products, medicine))
            return false;
    if (products == 0)
        return kmehr_fail(r, item, "one-product",
                          "a medication item names one product: medicinalproduct, substanceproduct, "
                          "compoundprescription or a cd of CD-EAN");
    bool named = medicine->name[0] != '\0';
    for (size_t i = 0; i < medicine->n_codes && !named; i++)
        named = strcmp(medicine->codes[i]->system, MEDICATION_SYSTEM_TYPE) != 0;
    return named || kmehr_fail(r, item, "product-name", "the product has neither a code nor a name");
}

// ---- Period

static bool read_moment(struct kmehr_reader *r, const xmlNode *moment, char **field)
{
    char date[KMEHR_VALUE_BYTES], time[KMEHR_VALUE_BYTES], iso[2 * KMEHR_VALUE_BYTES + 2];
    static const char *const names[] = {"date", "yearmonth", "year"};
    const xmlNode *stated = NULL;
    int64_t day;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && stated == NULL; i++)
        stated = kmehr_child(moment, names[i]);
    if (stated == NULL)
        return kmehr_remark(r, moment, "moment-date", "there is no date in it");
    kmehr_value(stated, date, sizeof date);
    kmehr_value(kmehr_child(moment, "time"), time, sizeof time);
    snprintf(iso, sizeof iso, "%s%s%s", date, time[0] != '\0' ? "T" : "", time);
    if (!scheme_day(iso, &day))
        return kmehr_fail(r, stated, "moment-date", "this is not a date; write it as YYYY-MM-DD");
    return scheme_set(field, iso) || kmehr_no_memory(r);
}

static bool read_duration(struct kmehr_reader *r, const xmlNode *duration, const char *begin, char **end)
{
    char decimal[KMEHR_VALUE_BYTES], unit[KMEHR_VALUE_BYTES], last[11];
    kmehr_value(kmehr_child(duration, "decimal"), decimal, sizeof decimal);
    kmehr_value(kmehr_coded(kmehr_child(duration, "unit"), "cd", "CD-TIMEUNIT"), unit, sizeof unit);
    if ((*end)[0] != '\0')
        return kmehr_remark(r, duration, "one-end", "there is an endmoment as well, which counts");
    if (!scheme_last_day(begin, decimal, unit, last))
        return kmehr_remark(
            r, duration, "duration",
            "the duration is not a number of days, weeks, months or years from a begin; it is left out");
    return scheme_set(end, last) || kmehr_no_memory(r);
}

bool kmehr_read_period(struct kmehr_reader *r, const xmlNode *item, char **begin, char **end)
{
    const xmlNode *from = kmehr_child(item, "beginmoment"), *until = kmehr_child(item, "endmoment");
    const xmlNode *duration = kmehr_child(item, "duration");
    int64_t first, last;
    if (kmehr_count(item, "beginmoment") != 1 &&
        !kmehr_remark(r, item, "beginmoment", "a medication item has one beginmoment"))
        return false;
    if (kmehr_count(item, "endmoment") > 1)
        return kmehr_fail(r, item, "one-end", "a medication item has at most one endmoment");
    if ((from != NULL && !read_moment(r, from, begin)) || (until != NULL && !read_moment(r, until, end)) ||
        (duration != NULL && !read_duration(r, duration, *begin, end)))
        return false;
    if (scheme_day(*begin, &first) && scheme_day(*end, &last) && last < first)
        return kmehr_remark(r, until != NULL ? until : item, "period", "it ends before it begins");
    return true;
}

// ---- Posology

static bool read_frequency(struct kmehr_reader *r, const xmlNode *frequency, Carehub__V1__Posology *posology)
{
    char code[MEDICATION_CODE_BYTES], ucum[MEDICATION_CODE_BYTES];
    const xmlNode *cd = kmehr_coded(kmehr_child(frequency, "periodicity"), "cd", "CD-PERIODICITY");
    if (cd == NULL)
        return kmehr_remark(r, frequency, "frequency-periodicity", "a frequency has a periodicity of CD-PERIODICITY");
    if (!kmehr_value(cd, code, sizeof code) || code[0] == '\0')
        return kmehr_remark(r, cd, "frequency-periodicity", "this is not a code of CD-PERIODICITY");
    posology->frequency = medication_periodicity(code, ucum) ? scheme_coded(MEDICATION_SYSTEM_UCUM, ucum, code)
                                                             : scheme_coded("CD-PERIODICITY", code, "");
    return posology->frequency != NULL || kmehr_no_memory(r);
}

// Older messages give a posology in parts: low, high, unit, takes.
static bool read_parts(struct kmehr_reader *r, const xmlNode *node, Carehub__V1__Posology *posology)
{
    char low[64], high[64], unit[64], takes[64], text[320];
    kmehr_value(kmehr_child(node, "low"), low, sizeof low);
    kmehr_value(kmehr_child(node, "high"), high, sizeof high);
    kmehr_value(kmehr_child(kmehr_child(node, "unit"), "cd"), unit, sizeof unit);
    kmehr_value(kmehr_child(kmehr_child(node, "takes"), "low"), takes, sizeof takes);
    if (low[0] == '\0')
        return kmehr_remark(r, node, "posology-text", "a posology has a text");
    snprintf(text, sizeof text, "%s%s%s %s%s%s", low, high[0] != '\0' ? "-" : "", high, unit,
             takes[0] != '\0' ? " x " : "", takes);
    return scheme_add_text(&posology->text, text) || kmehr_no_memory(r);
}

static bool read_route(struct kmehr_reader *r, const xmlNode *route, Carehub__V1__Posology *posology)
{
    char system[KMEHR_VALUE_BYTES], code[KMEHR_VALUE_BYTES];
    const xmlNode *cd = kmehr_child(route, "cd");
    if (cd == NULL)
        return kmehr_remark(r, route, "route", "a route has a code");
    kmehr_attribute(cd, "S", system);
    kmehr_value(cd, code, sizeof code);
    posology->route = scheme_coded(system, code, "");
    return posology->route != NULL || kmehr_no_memory(r);
}

bool kmehr_read_posology(struct kmehr_reader *r, const xmlNode *item, Carehub__V1__Posology *posology)
{
    const xmlNode *text = kmehr_child(item, "posology"), *regimen = kmehr_child(item, "regimen");
    const xmlNode *frequency = kmehr_child(item, "frequency"), *route = kmehr_child(item, "route");
    if (kmehr_count(item, "posology") + kmehr_count(item, "regimen") != 1 &&
        !kmehr_remark(r, item, "one-posology", "an item has either a posology or a regimen"))
        return false;
    if (frequency != NULL && !read_frequency(r, frequency, posology))
        return false;
    if (text != NULL && kmehr_child(text, "text") == NULL && !read_parts(r, text, posology))
        return false;
    if (!take_text(r, kmehr_child(text, "text"), &posology->text, true))
        return false;
    for (; regimen != NULL; regimen = kmehr_next(regimen, "regimen"))
        if (!kmehr_read_regimen(r, regimen, posology))
            return false;
    if (route != NULL && !read_route(r, route, posology))
        return false;
    return take_text(r, kmehr_child(item, "instructionforpatient"), &posology->text, true);
}

// ---- The whole item

static Carehub__Pharmacy__V1__Line__State state_of(const xmlNode *item)
{
    static const char *const stopped[] = {"stopped",  "cancelled", "completed", "aborted",
                                          "inactive", "excluded",  "retracted", "refused"};
    const xmlNode *lifecycle = kmehr_child(item, "lifecycle");
    for (size_t i = 0; i < sizeof stopped / sizeof stopped[0]; i++)
        if (kmehr_has_code(lifecycle, "CD-LIFECYCLE", stopped[i]))
            return CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED;
    if (kmehr_has_code(lifecycle, "CD-LIFECYCLE", "suspended") ||
        kmehr_has_code(lifecycle, "CD-LIFECYCLE", "postponed"))
        return CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED;
    return CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE;
}

bool kmehr_read_medication(struct kmehr_reader *r, const xmlNode *item, KmehrLine *line)
{
    line->state = state_of(item);
    if (!read_product(r, item, line->medicine) || !kmehr_read_period(r, item, &line->begin, &line->end) ||
        !kmehr_read_posology(r, item, line->posology))
        return false;
    // The text of an item repeats the name of a preparation; with a product that ends it is how the reason is given.
    if (!take_text(r, kmehr_child(item, "text"), &line->reason, false))
        return false;
    return strcmp(line->reason, line->medicine->name) != 0 || scheme_set(&line->reason, "") || kmehr_no_memory(r);
}
