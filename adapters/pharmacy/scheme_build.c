#include "scheme_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "identifier.h"

#define ELLIPSIS "\xE2\x80\xA6"

static void release(char *text)
{
    if (text != protobuf_c_empty_string)
        free(text);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

// The length to keep: whole characters of UTF-8.
static size_t cut(const char *text, size_t len, size_t max)
{
    if (len <= max)
        return len;
    while (max > 0 && ((unsigned char)text[max] & 0xC0) == 0x80)
        max--;
    return max;
}

static char *clean(const char *text)
{
    size_t len = strlen(text);
    while (len > 0 && is_blank(*text)) {
        text++;
        len--;
    }
    while (len > 0 && is_blank(text[len - 1]))
        len--;
    size_t kept = len <= SCHEME_TEXT_MAX_BYTES ? len : cut(text, len, SCHEME_TEXT_MAX_BYTES - strlen(ELLIPSIS));
    char *copy = malloc(kept + sizeof ELLIPSIS);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, kept);
    strcpy(copy + kept, kept < len ? ELLIPSIS : "");
    for (char *c = copy; *c != '\0'; c++)
        if (((unsigned char)*c < 0x20 && *c != '\n') || *c == 0x7F)
            *c = ' ';
    return copy;
}

bool scheme_set(char **field, const char *text)
{
    char *copy = clean(text);
    if (copy == NULL)
        return false;
    release(*field);
    *field = copy;
    return true;
}

static bool has_line(const char *text, const char *line)
{
    size_t len = strlen(line);
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += at != text;
        if (strncmp(at, line, len) == 0 && (at[len] == '\0' || at[len] == '\n'))
            return true;
    }
    return false;
}

bool scheme_add_text(char **field, const char *text)
{
    char *line = clean(text), *whole = NULL;
    bool done = line != NULL;
    if (line != NULL && line[0] != '\0' && !has_line(*field, line)) {
        done = asprintf(&whole, "%s%s%s", *field, (*field)[0] != '\0' ? "\n" : "", line) >= 0;
        done = done && scheme_set(field, whole);
        free(whole);
    }
    free(line);
    return done;
}

bool scheme_append(void *list, size_t *count, void *item)
{
    void ***items = list;
    if (item == NULL)
        return false;
    void **larger = realloc(*items, (*count + 1) * sizeof **items);
    if (larger == NULL)
        return false;
    larger[(*count)++] = item;
    *items = larger;
    return true;
}

Carehub__V1__Coded *scheme_coded(const char *system, const char *code, const char *display)
{
    Carehub__V1__Coded *coded = malloc(sizeof *coded);
    if (coded == NULL)
        return NULL;
    carehub__v1__coded__init(coded);
    if (scheme_set(&coded->system, system) && scheme_set(&coded->code, code) && scheme_set(&coded->display, display))
        return coded;
    carehub__v1__coded__free_unpacked(coded, NULL);
    return NULL;
}

Carehub__V1__Quantity *scheme_quantity(const char *value, const char *unit)
{
    Carehub__V1__Quantity *quantity = malloc(sizeof *quantity);
    if (quantity == NULL)
        return NULL;
    carehub__v1__quantity__init(quantity);
    if (scheme_set(&quantity->value, value) && scheme_set(&quantity->unit, unit))
        return quantity;
    carehub__v1__quantity__free_unpacked(quantity, NULL);
    return NULL;
}

Carehub__Pharmacy__V1__Line *scheme_line(void)
{
    Carehub__Pharmacy__V1__Line *line = malloc(sizeof *line);
    if (line == NULL)
        return NULL;
    carehub__pharmacy__v1__line__init(line);
    line->medicine = malloc(sizeof *line->medicine);
    if (line->medicine != NULL)
        carehub__v1__medicine__init(line->medicine);
    line->posology = malloc(sizeof *line->posology);
    if (line->posology != NULL)
        carehub__v1__posology__init(line->posology);
    if (line->medicine != NULL && line->posology != NULL)
        return line;
    carehub__pharmacy__v1__line__free_unpacked(line, NULL);
    return NULL;
}

bool scheme_add_code(Carehub__V1__Medicine *medicine, const char *system, const char *code, const char *display)
{
    Carehub__V1__Coded *coded = scheme_coded(system, code, display);
    if (scheme_append(&medicine->codes, &medicine->n_codes, coded))
        return true;
    if (coded != NULL)
        carehub__v1__coded__free_unpacked(coded, NULL);
    return false;
}

Carehub__V1__Intake *scheme_add_intake(Carehub__V1__Posology *posology)
{
    Carehub__V1__Intake *intake = malloc(sizeof *intake);
    if (intake == NULL)
        return NULL;
    carehub__v1__intake__init(intake);
    if (scheme_append(&posology->regimen, &posology->n_regimen, intake))
        return intake;
    free(intake);
    return NULL;
}

Carehub__Pharmacy__V1__Suspension *scheme_add_suspension(Carehub__Pharmacy__V1__Line *line)
{
    Carehub__Pharmacy__V1__Suspension *suspension = malloc(sizeof *suspension);
    if (suspension == NULL)
        return NULL;
    carehub__pharmacy__v1__suspension__init(suspension);
    if (scheme_append(&line->suspensions, &line->n_suspensions, suspension))
        return suspension;
    free(suspension);
    return NULL;
}

bool scheme_add_patient(Carehub__Pharmacy__V1__Scheme *scheme, const char *system, const char *value, bool *usable)
{
    char normal[IDENTIFIER_SYSTEM_CHARS];
    struct identifier checked;
    enum identifier_status status = identifier_check(system, value, &checked);
    *usable = identifier_usable(status) && identifier_system_normalise(system, normal);
    if (!*usable)
        return true;
    for (size_t i = 0; i < scheme->n_patient; i++)
        if (strcmp(scheme->patient[i]->system, normal) == 0 && strcmp(scheme->patient[i]->value, checked.value) == 0)
            return true;
    Carehub__V1__Identifier *identifier = malloc(sizeof *identifier);
    if (identifier == NULL)
        return false;
    carehub__v1__identifier__init(identifier);
    if (scheme_set(&identifier->system, normal) && scheme_set(&identifier->value, checked.value) &&
        scheme_append(&scheme->patient, &scheme->n_patient, identifier))
        return true;
    carehub__v1__identifier__free_unpacked(identifier, NULL);
    return false;
}

void scheme_time_of_day(const char *time, char out[16])
{
    size_t len = strlen(time) > 5 && strncmp(time + 5, ":00", 3) == 0 ? 5 : 8;
    snprintf(out, 16, "%.*s", (int)len, time);
}

bool scheme_is_decimal(const char *text)
{
    text += *text == '-' || *text == '+';
    size_t digits = strspn(text, "0123456789");
    text += digits;
    if (*text == '.') {
        size_t fraction = strspn(text + 1, "0123456789");
        digits += fraction;
        text += 1 + fraction;
    }
    if (digits > 0 && (*text == 'e' || *text == 'E')) {
        text += 1 + (text[1] == '-' || text[1] == '+');
        size_t exponent = strspn(text, "0123456789");
        return exponent > 0 && text[exponent] == '\0';
    }
    return digits > 0 && *text == '\0';
}
