// Sources: CD-DAYPERIOD, CD-WEEKDAY, CD-PERIODICITY and CD-ADMINISTRATIONUNIT of KMEHR; event-timing and days-of-week
// of FHIR R4; UCUM; SNOMED CT units of product usage and of presentation.
#include "medication_codes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "identifier.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

struct pair {
    const char *from, *to;
};

static const char *find(const struct pair *table, size_t count, const char *from)
{
    for (size_t i = 0; i < count; i++)
        if (table[i].from != NULL && strcasecmp(table[i].from, from) == 0)
            return table[i].to;
    return NULL;
}

static const char *find_back(const struct pair *table, size_t count, const char *to)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].to, to) == 0)
            return table[i].from;
    return NULL;
}

// "Between breakfast and lunch" and its like have no code of their own in FHIR.
static const struct pair moments[] = {
    {"beforebreakfast", "ACM"}, {"duringbreakfast", "CM"}, {"afterbreakfast", "PCM"}, {"beforelunch", "ACD"},
    {"duringlunch", "CD"},      {"afterlunch", "PCD"},     {"beforedinner", "ACV"},   {"duringdinner", "CV"},
    {"afterdinner", "PCV"},     {"aftermeal", "PC"},       {"thehourofsleep", "HS"},  {"morning", "MORN"},
    {"afternoon", "AFT"},       {"evening", "EVE"},        {"night", "NIGHT"},
};

// Of each day, KMEHR's name comes first.
static const struct pair days[] = {
    {"monday", "mon"},   {"tuesday", "tue"}, {"wednesday", "wed"}, {"thursday", "thu"}, {"friday", "fri"},
    {"saturday", "sat"}, {"sunday", "sun"},  {"mon", "mon"},       {"tue", "tue"},      {"wed", "wed"},
    {"thu", "thu"},      {"fri", "fri"},     {"sat", "sat"},       {"sun", "sun"},
};

const char *medication_moment(const char *dayperiod)
{
    return find(moments, COUNT(moments), dayperiod);
}

const char *medication_dayperiod(const char *moment)
{
    return find_back(moments, COUNT(moments), moment);
}

bool medication_is_moment(const char *code)
{
    static const char *const codes[] = {"MORN", "MORN.early", "MORN.late", "NOON",  "AFT", "AFT.early", "AFT.late",
                                        "EVE",  "EVE.early",  "EVE.late",  "NIGHT", "PHS", "HS",        "WAKE",
                                        "C",    "CM",         "CD",        "CV",    "AC",  "ACM",       "ACD",
                                        "ACV",  "PC",         "PCM",       "PCD",   "PCV"};
    for (size_t i = 0; i < COUNT(codes); i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

const char *medication_weekday(const char *weekday)
{
    return find(days, COUNT(days), weekday);
}

const char *medication_weekday_kmehr(const char *code)
{
    return find_back(days, COUNT(days), code);
}

// ---- Frequencies

static bool whole(const char *text, unsigned long *number)
{
    char *end;
    if (!isdigit((unsigned char)text[0]) || strlen(text) > 9)
        return false;
    *number = strtoul(text, &end, 10);
    return strspn(end, ".0") == strlen(end) && *number > 0;
}

bool medication_frequency(const char *times, const char *period, const char *unit, char out[MEDICATION_CODE_BYTES])
{
    static const char *const units[] = {"s", "min", "h", "d", "wk", "mo", "a"};
    unsigned long n, p;
    bool known = false;
    for (size_t i = 0; i < COUNT(units); i++)
        known = known || strcmp(units[i], unit) == 0;
    if (!known || !whole(times, &n))
        return false;
    if (strcmp(period, "0.5") == 0 || strcmp(period, ".5") == 0) {
        p = 1;
        n *= 2;
    } else if (!whole(period, &p)) {
        return false;
    }
    if (p == 1)
        snprintf(out, MEDICATION_CODE_BYTES, "%lu/%s", n, unit);
    else
        snprintf(out, MEDICATION_CODE_BYTES, "%lu/(%lu.%s)", n, p, unit);
    return true;
}

bool medication_frequency_parts(const char *ucum, unsigned *times, unsigned *period, char unit[4])
{
    int end = 0;
    *period = 1;
    if (sscanf(ucum, "%9u/(%9u.%3[a-z])%n", times, period, unit, &end) == 3 && end > 0 && ucum[end] == '\0')
        return *times > 0 && *period > 0;
    *period = 1;
    end = 0;
    return sscanf(ucum, "%9u/%3[a-z]%n", times, unit, &end) == 2 && end > 0 && ucum[end] == '\0' && *times > 0;
}

static const struct {
    const char *code, *period, *unit;
} periodicities[] = {
    {"D", "1", "d"},    {"DT", "2", "d"},   {"DD", "3", "d"},   {"DV", "4", "d"},    {"DQ", "5", "d"},
    {"DZ", "6", "d"},   {"DA", "8", "d"},   {"DN", "9", "d"},   {"DX", "10", "d"},   {"DE", "11", "d"},
    {"DW", "12", "d"},  {"O1", "2", "d"},   {"W", "1", "wk"},   {"WT", "2", "wk"},   {"WD", "3", "wk"},
    {"WV", "4", "wk"},  {"WQ", "5", "wk"},  {"WZ", "6", "wk"},  {"WS", "7", "wk"},   {"WA", "8", "wk"},
    {"WN", "9", "wk"},  {"WX", "10", "wk"}, {"WE", "11", "wk"}, {"WW", "12", "wk"},  {"WP", "24", "wk"},
    {"M", "1", "mo"},   {"MT", "2", "mo"},  {"MD", "3", "mo"},  {"MV", "4", "mo"},   {"MQ", "5", "mo"},
    {"MZ2", "6", "mo"}, {"MS", "7", "mo"},  {"MA", "8", "mo"},  {"MN", "9", "mo"},   {"MX", "10", "mo"},
    {"ME", "11", "mo"}, {"MC", "18", "mo"}, {"J", "1", "a"},    {"JH2", "0.5", "a"}, {"JT", "2", "a"},
    {"JD", "3", "a"},   {"JV", "4", "a"},   {"JQ", "5", "a"},   {"JZ", "6", "a"},    {"U", "1", "h"},
    {"UH", "0.5", "h"}, {"UT", "2", "h"},   {"UD", "3", "h"},   {"UV", "4", "h"},    {"UQ", "5", "h"},
    {"UZ", "6", "h"},   {"US", "7", "h"},   {"UA", "8", "h"},   {"UN", "9", "h"},    {"UX", "10", "h"},
    {"UE", "11", "h"},  {"UW", "12", "h"},
};

bool medication_periodicity(const char *code, char out[MEDICATION_CODE_BYTES])
{
    for (size_t i = 0; i < COUNT(periodicities); i++)
        if (strcasecmp(periodicities[i].code, code) == 0)
            return medication_frequency("1", periodicities[i].period, periodicities[i].unit, out);
    return false;
}

const char *medication_periodicity_kmehr(const char *ucum)
{
    char code[MEDICATION_CODE_BYTES];
    for (size_t i = 0; i < COUNT(periodicities); i++)
        if (medication_frequency("1", periodicities[i].period, periodicities[i].unit, code) && strcmp(code, ucum) == 0)
            return periodicities[i].code;
    return NULL;
}

// ---- Units

// What one unit is called in each vocabulary. Where ours is NULL it is "system|code" of SNOMED CT.
static const struct {
    const char *kmehr, *snomed, *ours;
} units[] = {
    {"00001", NULL, "5.mL"},
    {"00002", "732978007", "{ampule}"},
    {"00003", "413568008", "{application}"},
    {"00004", "428641000", "{capsule}"},
    {"00005", "336624003", "{tablet}"},
    {"00006", "408102007", "{dose}"},
    {"00007", NULL, "[drp]"},
    {"00008", "419672006", NULL},
    {"00009", "732996003", NULL},
    {"00010", "129331004", NULL},
    {"00011", "422237004", NULL},
    {"00012", "257867005", NULL},
    {"00013", "732989000", NULL},
    {"00014", "336624003", "{tablet}"},
    {"00015", "337087003", NULL},
    {"00016", NULL, "mL"},
    {"00017", "73153001", NULL},
    {"00018", "34258004", NULL},
    {"00019", "429587008", NULL},
    {"00020", "419702001", "{patch}"},
    {"00021", "732988008", NULL},
    {"00022", "733006000", NULL},
    {"00023", "415215001", "{puff}"},
    {"00024", "429671000", NULL},
    {"00025", "733006000", NULL},
    {"00026", "430293001", "{suppository}"},
    {"00027", "418530008", NULL},
    {"00028", "116251003", NULL},
    {"00029", "428672001", "{sachet}"},
    {"00030", "426148002", NULL},
    {"measure", "767524001", NULL},
    {"cm", NULL, "cm"},
    {"dropsperminute", NULL, "[drp]/min"},
    {"gm", NULL, "g"},
    {"internationalunits", NULL, "[IU]"},
    {"iu", NULL, "[IU]"},
    {"liter", NULL, "L"},
    {"meq", NULL, "meq"},
    {"mg", NULL, "mg"},
    {"mg/ml", NULL, "mg/mL"},
    {"mck/h", NULL, "ug/h"},
    {"mck/kg/minute", NULL, "ug/kg/min"},
    {"mg/h", NULL, "mg/h"},
    {"ml/h", NULL, "mL/h"},
    {"micrograms", NULL, "ug"},
    {"mmol", NULL, "mmol"},
    {"tsp", NULL, "[tsp_m]"},
    {"unt/h", NULL, "[IU]/h"},
    {"tbl", NULL, "{TBL}"},
    {"ampoule", NULL, "{ampule}"},
};

void medication_unit_kmehr(const char *code, char out[MEDICATION_UNIT_BYTES])
{
    for (size_t i = 0; i < COUNT(units); i++) {
        if (strcasecmp(units[i].kmehr, code) != 0)
            continue;
        if (units[i].ours != NULL)
            snprintf(out, MEDICATION_UNIT_BYTES, "%s", units[i].ours);
        else
            snprintf(out, MEDICATION_UNIT_BYTES, MEDICATION_SYSTEM_SNOMED "|%s", units[i].snomed);
        return;
    }
    snprintf(out, MEDICATION_UNIT_BYTES, "CD-ADMINISTRATIONUNIT|%s", code);
}

void medication_unit_fhir(const char *system, const char *code, const char *text, char out[MEDICATION_UNIT_BYTES])
{
    bool snomed = strcmp(system, MEDICATION_SYSTEM_SNOMED) == 0;
    if (code[0] == '\0' || system[0] == '\0') {
        snprintf(out, MEDICATION_UNIT_BYTES, "%s", text[0] != '\0' ? text : code);
        return;
    }
    for (size_t i = 0; snomed && i < COUNT(units); i++)
        if (units[i].snomed != NULL && units[i].ours != NULL && strcmp(units[i].snomed, code) == 0) {
            snprintf(out, MEDICATION_UNIT_BYTES, "%s", units[i].ours);
            return;
        }
    if (strcmp(system, MEDICATION_SYSTEM_UCUM) == 0)
        snprintf(out, MEDICATION_UNIT_BYTES, "%s", strcmp(code, "ml/h") == 0 ? "mL/h" : code);
    else
        snprintf(out, MEDICATION_UNIT_BYTES, "%s|%s", system, code);
}

const char *medication_unit_to_kmehr(const char *unit)
{
    static const char prefix[] = "CD-ADMINISTRATIONUNIT|", snomed[] = MEDICATION_SYSTEM_SNOMED "|";
    static const char *const others[] = {"miu",    "effervescent-tablet", "bandage", "piece", "box", "syringe",
                                         "bottle", "syringe-ampoule"};
    bool coded = strncmp(unit, snomed, sizeof snomed - 1) == 0;
    for (size_t i = 0; i < COUNT(units); i++)
        if (coded ? units[i].snomed != NULL && units[i].ours == NULL &&
                        strcmp(units[i].snomed, unit + sizeof snomed - 1) == 0
                  : units[i].ours != NULL && strcmp(units[i].ours, unit) == 0)
            return units[i].kmehr;
    for (size_t i = 0; i < COUNT(others) && strncmp(unit, prefix, sizeof prefix - 1) == 0; i++)
        if (strcmp(others[i], unit + sizeof prefix - 1) == 0)
            return others[i];
    return NULL;
}

bool medication_unit_is_ucum(const char *unit)
{
    for (size_t i = 0; i < COUNT(units); i++)
        if (units[i].ours != NULL && strcmp(units[i].ours, unit) == 0)
            return true;
    return false;
}

// ---- Products

bool medication_is_cnk_system(const char *system)
{
    static const char *const systems[] = {
        "https://www.ehealth.fgov.be/standards/fhir/medication/NamingSystem/cnk-codes",
        "https://www.ehealth.fgov.be/standards/fhir/medication/NamingSystem/be-ns-cnk-codes",
        "https://www.ehealth.fgov.be/standards/fhir/NamingSystem/cnk-codes",
        "https://cnk.apb.be/codings/cnk_product_codes",
    };
    for (size_t i = 0; i < COUNT(systems); i++)
        if (strcasecmp(systems[i], system) == 0)
            return true;
    return identifier_system_find(system) == IDENTIFIER_CNK;
}

bool medication_product_code(const char *system, const char *code, const char **out_system,
                             char out_code[MEDICATION_CODE_BYTES])
{
    struct identifier checked;
    bool cnk = medication_is_cnk_system(system) || strcmp(system, "CD-DRUG-CNK") == 0;
    *out_system = strcmp(system, "CD-ATC") == 0 ? MEDICATION_SYSTEM_ATC : system;
    snprintf(out_code, MEDICATION_CODE_BYTES, "%s", code);
    if (!cnk)
        return true;
    // Shorter ones are codes of INN clusters and the like that somebody put under the wrong system.
    if (strlen(code) < 6 || identifier_check("cnk", code, &checked) != IDENTIFIER_VALID)
        return false;
    *out_system = "cnk";
    snprintf(out_code, MEDICATION_CODE_BYTES, "%.*s", MEDICATION_CODE_BYTES - 1, checked.value);
    return true;
}
