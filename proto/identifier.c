#include "identifier.h"

#include <string.h>
#include <strings.h>

#include "utf8.h"

#define FHIR_BE "https://www.ehealth.fgov.be/standards/fhir/"
#define OID_EHEALTH "2.16.840.1.113883.3.6777.5."

#define SSIN_DIGITS 11
#define NIHDI_DIGITS 11
#define NIHDI_INSTITUTION_DIGITS 8
#define CBE_DIGITS 10
#define CNK_DIGITS 7

#define BIS_MONTH_SEX_UNKNOWN 20
#define BIS_MONTH_SEX_KNOWN 40

typedef enum identifier_status check_fn(struct identifier *id);
static check_fn check_ssin, check_nihdi, check_cbe, check_cnk;

static const struct {
    const char *name;
    const char *url;        // the one to write
    const char *aliases[2]; // others that are read
    const char *oid;
    check_fn *check; // of id->value, which holds digits only; NULL when no rule is published
} systems[IDENTIFIER_SYSTEM_COUNT] = {
    [IDENTIFIER_SSIN] = {.name = "ssin",
                         .url = FHIR_BE "core/NamingSystem/ssin",
                         .oid = OID_EHEALTH "1",
                         .check = check_ssin},
    [IDENTIFIER_NIHDI] = {.name = "nihdi",
                          .url = FHIR_BE "core/NamingSystem/nihdi",
                          .aliases = {FHIR_BE "core/NamingSystem/nihdi-professional",
                                      FHIR_BE "core/NamingSystem/nihdi-organization"},
                          .oid = OID_EHEALTH "2",
                          .check = check_nihdi},
    [IDENTIFIER_CBE] = {.name = "cbe",
                        .url = FHIR_BE "core/NamingSystem/cbe",
                        .oid = OID_EHEALTH "5",
                        .check = check_cbe},
    [IDENTIFIER_CNK] = {.name = "cnk",
                        .url = FHIR_BE "medication/NamingSystem/cnk-codes",
                        .aliases = {FHIR_BE "NamingSystem/cnk-codes"},
                        .check = check_cnk},
    [IDENTIFIER_EHP] = {.name = "ehp", .url = FHIR_BE "core/NamingSystem/ehp", .oid = OID_EHEALTH "6"},
};

static const struct {
    const char *name;
    const char *text;
} statuses[] = {
    [IDENTIFIER_VALID] = {"valid", "valid"},
    [IDENTIFIER_UNCHECKED] = {"unchecked", "accepted as it is: there is no rule for this system"},
    [IDENTIFIER_CHECK_DIGITS_WARNING] = {"check-digits-warning",
                                         "accepted, but the check digits fit none of the known formulas"},
    [IDENTIFIER_NO_SYSTEM] = {"no-system", "the system must be 1 to 255 bytes of printable UTF-8"},
    [IDENTIFIER_NO_VALUE] = {"no-value", "the value is empty"},
    [IDENTIFIER_BAD_VALUE] = {"bad-value", "the value must be 1 to 127 bytes of printable UTF-8"},
    [IDENTIFIER_NOT_DIGITS] = {"not-digits", "only digits, and dots, dashes and spaces between them, belong here"},
    [IDENTIFIER_LENGTH] = {"length", "wrong number of digits: SSIN has 11, NIHDI 11 or 8, CBE 10, CNK up to 7"},
    [IDENTIFIER_CHECK_DIGITS] = {"check-digits", "the check digits do not fit: probably a typing error or a dummy"},
    [IDENTIFIER_DATE] = {"date", "the birth date in the number does not exist"},
};

// The number that digits[0..n) make; n is at most 10.
static unsigned long long number(const char *digits, size_t n)
{
    unsigned long long value = 0;
    for (size_t i = 0; i < n; i++)
        value = value * 10 + (unsigned)(digits[i] - '0');
    return value;
}

static int days_in(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

// Month 00 is for an unknown date; the day is then only a counter. Day 00 is for an unknown day.
static bool date_exists(const struct identifier_ssin *s)
{
    if (s->birth_month > 12)
        return false;
    return s->birth_day <= (s->birth_month == 0 ? 31 : days_in(s->birth_year, s->birth_month));
}

// YYMMDD, a sequence number of three digits, and two check digits: 97 minus the first nine modulo 97, with a
// 2 put before them for who was born from 2000 on.
static enum identifier_status check_ssin(struct identifier *id)
{
    const char *v = id->value;
    struct identifier_ssin s = {0};

    if (strlen(v) != SSIN_DIGITS)
        return IDENTIFIER_LENGTH;
    unsigned long long first_nine = number(v, 9), check = number(v + 9, 2);
    if (check == 97 - first_nine % 97)
        s.birth_year = 1900;
    else if (check == 97 - (2000000000 + first_nine) % 97)
        s.birth_year = 2000;
    else
        return IDENTIFIER_CHECK_DIGITS;

    s.birth_year += (int)number(v, 2);
    s.birth_month = (int)number(v + 2, 2);
    s.birth_day = (int)number(v + 4, 2);
    int sequence = (int)number(v + 6, 3);
    s.sex = sequence % 2 ? IDENTIFIER_SEX_MALE : IDENTIFIER_SEX_FEMALE;
    s.bis = s.birth_month >= BIS_MONTH_SEX_UNKNOWN;
    if (s.birth_month >= BIS_MONTH_SEX_KNOWN) {
        s.birth_month -= BIS_MONTH_SEX_KNOWN;
    } else if (s.bis) {
        s.birth_month -= BIS_MONTH_SEX_UNKNOWN;
        s.sex = IDENTIFIER_SEX_UNKNOWN;
    }
    if (!date_exists(&s))
        return IDENTIFIER_DATE;
    if (s.birth_month == 0)
        s.birth_day = 0;
    id->ssin = s;
    return IDENTIFIER_VALID;
}

// Six digits, two check digits, and for professionals three of competence. 97 was the only modulus until
// numbers ran out; which others are in use is known from numbers that were seen, so a mismatch is no proof.
static enum identifier_status check_nihdi(struct identifier *id)
{
    static const unsigned moduli[] = {97, 89, 79};
    size_t len = strlen(id->value);

    if (len != NIHDI_DIGITS && len != NIHDI_INSTITUTION_DIGITS)
        return IDENTIFIER_LENGTH;
    unsigned long long first_six = number(id->value, 6), check = number(id->value + 6, 2);
    for (size_t i = 0; i < sizeof moduli / sizeof moduli[0]; i++) {
        if (check == moduli[i] - first_six % moduli[i])
            return IDENTIFIER_VALID;
    }
    return IDENTIFIER_CHECK_DIGITS_WARNING;
}

static enum identifier_status check_cbe(struct identifier *id)
{
    if (strlen(id->value) != CBE_DIGITS)
        return IDENTIFIER_LENGTH;
    return number(id->value + 8, 2) == 97 - number(id->value, 8) % 97 ? IDENTIFIER_VALID : IDENTIFIER_CHECK_DIGITS;
}

// Seven digits, of which leading zeros may be missing; the last one as Luhn has it.
static enum identifier_status check_cnk(struct identifier *id)
{
    size_t len = strlen(id->value);
    unsigned sum = 0;

    if (len > CNK_DIGITS)
        return IDENTIFIER_LENGTH;
    memmove(id->value + CNK_DIGITS - len, id->value, len + 1);
    memset(id->value, '0', CNK_DIGITS - len);
    if (number(id->value, CNK_DIGITS) == 0) // its check digit would fit
        return IDENTIFIER_CHECK_DIGITS;
    for (size_t i = 0; i < CNK_DIGITS - 1; i++) {
        unsigned weighted = (unsigned)(id->value[i] - '0') * (i % 2 + 1);
        sum += weighted / 10 + weighted % 10;
    }
    unsigned check = (10 - sum % 10) % 10;
    return (unsigned)(id->value[CNK_DIGITS - 1] - '0') == check ? IDENTIFIER_VALID : IDENTIFIER_CHECK_DIGITS;
}

// Whether text is 1 to size - 1 bytes of UTF-8 without control characters.
static bool printable(const char *text, size_t size)
{
    size_t len = strnlen(text, size);

    if (len == 0 || len == size || utf8_valid_prefix(text, len) != len)
        return false;
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F)
            return false;
    }
    return true;
}

// Copies the digits of value to out, without the separators that people write.
static enum identifier_status copy_digits(const char *value, char out[IDENTIFIER_VALUE_CHARS])
{
    size_t n = 0;
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '.' || *c == '-' || *c == ' ')
            continue;
        if (*c < '0' || *c > '9')
            return IDENTIFIER_NOT_DIGITS;
        out[n++] = *c;
    }
    out[n] = '\0';
    return n > 0 ? IDENTIFIER_VALID : IDENTIFIER_NO_VALUE;
}

static enum identifier_status check_value(enum identifier_system system, const char *value, struct identifier *out)
{
    memset(out, 0, sizeof *out);
    out->system = system;
    if (value[0] == '\0')
        return IDENTIFIER_NO_VALUE;
    if (!printable(value, IDENTIFIER_VALUE_CHARS))
        return IDENTIFIER_BAD_VALUE;
    if (!systems[system].check) {
        strcpy(out->value, value);
        return IDENTIFIER_UNCHECKED;
    }
    enum identifier_status status = copy_digits(value, out->value);
    if (status == IDENTIFIER_VALID)
        status = systems[system].check(out);
    else
        out->value[0] = '\0';
    return status;
}

enum identifier_system identifier_system_find(const char *system)
{
    static const char urn[] = "urn:oid:";
    const char *oid = strncasecmp(system, urn, strlen(urn)) == 0 ? system + strlen(urn) : system;

    for (int i = IDENTIFIER_OTHER + 1; i < IDENTIFIER_SYSTEM_COUNT; i++) {
        if (strcasecmp(system, systems[i].name) == 0 || strcmp(system, systems[i].url) == 0 ||
            (systems[i].oid && strcmp(oid, systems[i].oid) == 0))
            return (enum identifier_system)i;
        for (size_t a = 0; a < sizeof systems[i].aliases / sizeof systems[i].aliases[0]; a++) {
            if (systems[i].aliases[a] && strcmp(system, systems[i].aliases[a]) == 0)
                return (enum identifier_system)i;
        }
    }
    return IDENTIFIER_OTHER;
}

const char *identifier_system_name(enum identifier_system system)
{
    return systems[system].name;
}

const char *identifier_system_url(enum identifier_system system)
{
    return systems[system].url;
}

const char *identifier_system_oid(enum identifier_system system)
{
    return systems[system].oid;
}

bool identifier_system_normalise(const char *system, char out[IDENTIFIER_SYSTEM_CHARS])
{
    enum identifier_system ours = identifier_system_find(system);
    const char *kept = ours == IDENTIFIER_OTHER ? system : systems[ours].name;

    if (!printable(kept, IDENTIFIER_SYSTEM_CHARS))
        return false;
    strcpy(out, kept);
    return true;
}

enum identifier_status identifier_check(const char *system, const char *value, struct identifier *out)
{
    char kept[IDENTIFIER_SYSTEM_CHARS];

    if (!identifier_system_normalise(system, kept)) {
        memset(out, 0, sizeof *out);
        return IDENTIFIER_NO_SYSTEM;
    }
    return check_value(identifier_system_find(kept), value, out);
}

enum identifier_status identifier_check_ssin(const char *value, struct identifier *out)
{
    return check_value(IDENTIFIER_SSIN, value, out);
}

bool identifier_usable(enum identifier_status status)
{
    return status <= IDENTIFIER_CHECK_DIGITS_WARNING;
}

const char *identifier_status_name(enum identifier_status status)
{
    return statuses[status].name;
}

const char *identifier_status_text(enum identifier_status status)
{
    return statuses[status].text;
}
