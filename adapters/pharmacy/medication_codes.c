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

// "Between breakfast and lunch" and its like have no code of their own in FHIR.
const char *medication_moment(const char *dayperiod)
{
    static const struct pair moments[] = {
        {"beforebreakfast", "ACM"}, {"duringbreakfast", "CM"}, {"afterbreakfast", "PCM"}, {"beforelunch", "ACD"},
        {"duringlunch", "CD"},      {"afterlunch", "PCD"},     {"beforedinner", "ACV"},   {"duringdinner", "CV"},
        {"afterdinner", "PCV"},     {"aftermeal", "PC"},       {"thehourofsleep", "HS"},  {"morning", "MORN"},
        {"afternoon", "AFT"},       {"evening", "EVE"},        {"night", "NIGHT"},
    };
    return find(moments, COUNT(moments), dayperiod);
}

const char *medication_weekday(const char *weekday)
{
    static const struct pair days[] = {
        {"monday", "mon"}, {"tuesday", "tue"},  {"wednesday", "wed"}, {"thursday", "thu"}, {"friday", "fri"},
        {"mon", "mon"},    {"saturday", "sat"}, {"sunday", "sun"},    {"tue", "tue"},      {"wed", "wed"},
        {"thu", "thu"},    {"fri", "fri"},      {"sat", "sat"},       {"sun", "sun"},
    };
    return find(days, COUNT(days), weekday);
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

bool medication_periodicity(const char *code, char out[MEDICATION_CODE_BYTES])
{
    static const struct {
        const char *code, *period, *unit;
    } table[] = {
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
    for (size_t i = 0; i < COUNT(table); i++)
        if (strcasecmp(table[i].code, code) == 0)
            return medication_frequency("1", table[i].period, table[i].unit, out);
    return false;
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
