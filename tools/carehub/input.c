#include "input.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "eventid.h"
#include "term.h"

static const char PATIENT_ADVICE[] = "Write ssin:85073003328, SYSTEM|VALUE for any other system, or the pseudonym P42.";

static int input_identifier_parts(const char *system, size_t system_size, const char *value, struct patient_input *out)
{
    char given[IDENTIFIER_SYSTEM_CHARS];
    if (system_size >= sizeof given)
        return fail(EXIT_USAGE, PATIENT_ADVICE, "the identifier's system is too long");
    memcpy(given, system, system_size);
    given[system_size] = '\0';
    struct identifier checked;
    enum identifier_status status = identifier_check(given, value, &checked);
    if (!identifier_usable(status))
        return fail(EXIT_USAGE, PATIENT_ADVICE, "that identifier cannot be right: %s", identifier_status_text(status));
    if (!identifier_system_normalise(given, out->system))
        return fail(EXIT_USAGE, PATIENT_ADVICE, "that identifier's system cannot be right");
    memcpy(out->value, checked.value, sizeof out->value);
    out->identifier = (Carehub__V1__Identifier)CAREHUB__V1__IDENTIFIER__INIT;
    out->identifier.system = out->system;
    out->identifier.value = out->value;
    out->ref.identifier = &out->identifier;
    return EXIT_OK;
}

int input_identifier(const char *text, struct patient_input *out)
{
    out->ref = (Carehub__V1__PatientRef)CAREHUB__V1__PATIENT_REF__INIT;
    const char *bar = strchr(text, '|');
    if (bar)
        return input_identifier_parts(text, (size_t)(bar - text), bar + 1, out);
    const char *colon = strchr(text, ':');
    if (!colon || strncmp(text, "urn:", 4) == 0 || strstr(text, "://"))
        return fail(EXIT_USAGE, PATIENT_ADVICE, "that is not an identifier with its system");
    return input_identifier_parts(text, (size_t)(colon - text), colon + 1, out);
}

int input_patient(const char *text, struct patient_input *out)
{
    bool pseudonym = (text[0] == 'P' || text[0] == 'p') && isdigit((unsigned char)text[1]);
    if (!pseudonym)
        return input_identifier(text, out);
    out->ref = (Carehub__V1__PatientRef)CAREHUB__V1__PATIENT_REF__INIT;
    char *end;
    errno = 0;
    out->ref.number = strtoull(text + 1, &end, 10);
    if (*end || errno || out->ref.number == 0)
        return fail(EXIT_USAGE, PATIENT_ADVICE, "'%.32s' is not a pseudonym", text);
    return EXIT_OK;
}

int input_place(const char *text, uint64_t *place)
{
    const char *digits = text + (*text == '#');
    char *end;
    errno = 0;
    *place = strtoull(digits, &end, 10);
    if (!isdigit((unsigned char)*digits) || *end || errno || *place == 0)
        return fail(EXIT_USAGE, "A place is a number, 123 or '#123' (in quotes: a shell takes # for a comment).",
                    "'%.64s' is not a place in the log", text);
    return EXIT_OK;
}

int input_as_of(const char *text, uint64_t *place, int64_t *unix_ms)
{
    *place = 0;
    *unix_ms = 0;
    if (!text)
        return EXIT_OK;
    if (*text == '#' || text[strspn(text, "0123456789")] == '\0')
        return input_place(text, place);
    return input_time(text, unix_ms);
}

int input_event(const char *text, struct event_input *out)
{
    *out = (struct event_input){0};
    if (eventid_parse(text, strlen(text), out->id))
        return EXIT_OK;
    if (*text == '#' || isdigit((unsigned char)*text)) {
        bool digits = text[1 + strspn(text + 1, "0123456789")] == '\0';
        if (digits)
            return input_place(text, &out->place);
    }
    return fail(EXIT_USAGE, "An event is its id (a UUID), or its place in the log: 123. `carehub tail` shows both.",
                "'%.64s' is not an event", text);
}

int input_duration(const char *text, int64_t *ms)
{
    static const struct {
        char unit;
        int64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    *ms = 0;
    if (!text)
        return EXIT_OK;
    char *end;
    errno = 0;
    long long count = strtoll(text, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (end != text && !errno && count >= 0 && count < 1000000 && end[0] == units[i].unit && !end[1]) {
            *ms = count * units[i].ms;
            return EXIT_OK;
        }
    return fail(EXIT_USAGE, "Write a number and its unit: 30d, 12h, 45m or 10s.", "'%.32s' is not a duration", text);
}

int input_time(const char *text, int64_t *unix_ms)
{
    *unix_ms = 0;
    if (!text)
        return EXIT_OK;
    if (*text == '+') {
        int code = input_duration(text + 1, unix_ms);
        *unix_ms += (int64_t)time(NULL) * 1000;
        return code;
    }
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"};
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        struct tm parts = {.tm_isdst = -1};
        const char *end = strptime(text, formats[i], &parts);
        if (!end || *end)
            continue;
        struct tm given = parts; /* mktime would make 1 March of 29 February 2026 */
        time_t seconds = mktime(&parts);
        if (seconds == -1 || parts.tm_mday != given.tm_mday)
            break;
        *unix_ms = (int64_t)seconds * 1000;
        return EXIT_OK;
    }
    return fail(EXIT_USAGE, "Write 2026-12-31, 2026-12-31T18:00 (local time), or +30d for 30 days from now.",
                "'%.32s' is not a time", text);
}

int input_number(const char *text, const char *what, uint64_t max, uint64_t *number)
{
    *number = 0;
    if (!text)
        return EXIT_OK;
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || *number > max)
        return fail(EXIT_USAGE, NULL, "%s '%.32s' is not a number from 0 to %llu", what, text, (unsigned long long)max);
    return EXIT_OK;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int input_key(const char *text, uint8_t key[32])
{
    bool right = strlen(text) == 64;
    for (size_t i = 0; right && i < 32; i++) {
        int high = nibble(text[2 * i]), low = nibble(text[2 * i + 1]);
        right = high >= 0 && low >= 0;
        key[i] = right ? (uint8_t)(high << 4 | low) : 0;
    }
    return right ? EXIT_OK
                 : fail(EXIT_USAGE, "It is the 64 hexadecimal digits of the line public-key in the key file.",
                        "that is not a public key");
}

/* Compares without regard to case and to what stands between words. */
static bool same_words(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        bool gap_a = strchr("-_ ", *a) != NULL, gap_b = strchr("-_ ", *b) != NULL;
        if (gap_a != gap_b || (!gap_a && tolower((unsigned char)*a) != tolower((unsigned char)*b)))
            return false;
    }
    return !*a && !*b;
}

int input_enum(const ProtobufCEnumDescriptor *type, const char *prefix, const char *text)
{
    if (!text)
        return 0;
    size_t skip = strlen(prefix);
    for (unsigned i = 0; i < type->n_values; i++) {
        const char *name = type->values[i].name;
        name += strncmp(name, prefix, skip) == 0 ? skip : 0;
        if (same_words(name, text))
            return type->values[i].value;
    }
    return -1;
}

int input_moment(const char *text, int64_t *unix_ms)
{
    size_t digits = text ? strspn(text, "0123456789") : 0;
    if (digits == 0 || text[digits] == '\0' || text[digits + 1] != '\0')
        return input_time(text, unix_ms);
    int code = input_duration(text, unix_ms);
    *unix_ms = (int64_t)time(NULL) * 1000 - *unix_ms;
    return code;
}
