// What counts as the same: order, spelling of numbers, blanks and displays do not matter.
#include "scheme.h"

#include <string.h>

#include "medication_codes.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool same_text(const char *a, const char *b)
{
    for (;;) {
        while (is_blank(*a) && (is_blank(a[1]) || a[1] == '\0'))
            a++;
        while (is_blank(*b) && (is_blank(b[1]) || b[1] == '\0'))
            b++;
        if (*a != *b && !(is_blank(*a) && is_blank(*b)))
            return false;
        if (*a == '\0')
            return true;
        a++;
        b++;
    }
}

// Without sign, leading zeros of the whole part and trailing ones of the fraction.
static size_t significant(const char **text)
{
    *text += **text == '+';
    while (**text == '0' && (*text)[1] != '\0' && (*text)[1] != '.')
        (*text)++;
    size_t len = strlen(*text);
    if (strchr(*text, '.') == NULL || strpbrk(*text, "eE") != NULL)
        return len;
    while (len > 0 && (*text)[len - 1] == '0')
        len--;
    return len > 0 && (*text)[len - 1] == '.' ? len - 1 : len;
}

static bool same_quantity(const Carehub__V1__Quantity *a, const Carehub__V1__Quantity *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    const char *x = a->value, *y = b->value;
    size_t x_len = significant(&x), y_len = significant(&y);
    return x_len == y_len && memcmp(x, y, x_len) == 0 && strcmp(a->unit, b->unit) == 0;
}

static bool same_coded(const Carehub__V1__Coded *a, const Carehub__V1__Coded *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    if (a->code[0] == '\0' && b->code[0] == '\0') // a text without a code
        return same_text(a->display, b->display);
    return strcmp(a->system, b->system) == 0 && strcmp(a->code, b->code) == 0;
}

static bool same_intake(const Carehub__V1__Intake *a, const Carehub__V1__Intake *b)
{
    return a->day_number == b->day_number && strcmp(a->date, b->date) == 0 &&
           strcmp(a->time_of_day, b->time_of_day) == 0 && same_coded(a->moment, b->moment) &&
           same_coded(a->weekday, b->weekday) && same_quantity(a->quantity, b->quantity);
}

// As sets in which each may occur several times.
static bool same_regimen(const Carehub__V1__Posology *a, const Carehub__V1__Posology *b)
{
    bool used[SCHEME_INTAKES_MAX] = {false};
    if (a->n_regimen != b->n_regimen || a->n_regimen > SCHEME_INTAKES_MAX)
        return false;
    for (size_t i = 0; i < a->n_regimen; i++) {
        size_t j = 0;
        while (j < b->n_regimen && (used[j] || !same_intake(a->regimen[i], b->regimen[j])))
            j++;
        if (j == b->n_regimen)
            return false;
        used[j] = true;
    }
    return true;
}

bool scheme_same_posology(const Carehub__V1__Posology *a, const Carehub__V1__Posology *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return same_text(a->text, b->text) && same_coded(a->frequency, b->frequency) && same_coded(a->route, b->route) &&
           same_regimen(a, b);
}

// ---- Products

// That a pharmacist makes it does not say what it is.
static bool names_product(const Carehub__V1__Coded *code)
{
    return code->code[0] != '\0' && strcmp(code->system, MEDICATION_SYSTEM_TYPE) != 0;
}

static bool holds(const Carehub__V1__Medicine *medicine, const Carehub__V1__Coded *code, bool *has_system)
{
    bool found = false;
    for (size_t i = 0; i < medicine->n_codes; i++) {
        if (!names_product(medicine->codes[i]) || strcmp(medicine->codes[i]->system, code->system) != 0)
            continue;
        *has_system = true;
        found = found || strcmp(medicine->codes[i]->code, code->code) == 0;
    }
    return found;
}

// Whether a's codes are in b, as far as b has codes of their system at all. *shared: whether it has for any.
static bool covered(const Carehub__V1__Medicine *a, const Carehub__V1__Medicine *b, bool *shared, bool *coded)
{
    for (size_t i = 0; i < a->n_codes; i++) {
        bool has_system = false;
        if (!names_product(a->codes[i]))
            continue;
        *coded = true;
        if (!holds(b, a->codes[i], &has_system) && has_system)
            return false;
        *shared = *shared || has_system;
    }
    return true;
}

bool scheme_same_medicine(const Carehub__V1__Medicine *a, const Carehub__V1__Medicine *b)
{
    bool shared = false, a_coded = false, b_coded = false;
    if (a == NULL || b == NULL)
        return a == b;
    if (!covered(a, b, &shared, &a_coded) || !covered(b, a, &shared, &b_coded))
        return false;
    return shared || (!(a_coded && b_coded) && same_text(a->name, b->name));
}

bool scheme_same_key(const Carehub__Pharmacy__V1__Line *a, const Carehub__Pharmacy__V1__Line *b)
{
    if (a->id[0] != '\0' && b->id[0] != '\0')
        return strcmp(a->id, b->id) == 0;
    return strncmp(a->begin, b->begin, 10) == 0 && scheme_same_medicine(a->medicine, b->medicine);
}
