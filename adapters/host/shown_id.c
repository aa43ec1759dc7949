#include "shown_id.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "identifier.h"

enum { SSIN_DIGITS = 11 };

/* Reads 11 digits from `at` on, single punctuation between them; where they end, or NULL. */
static char *read_digits(char *at, char digits[SSIN_DIGITS + 1])
{
    int n = 0;
    for (; n < SSIN_DIGITS && *at; at++) {
        if (isdigit((unsigned char)*at))
            digits[n++] = *at;
        else if (n == 0 || !strchr(" .-/", *at))
            return NULL;
    }
    digits[n] = '\0';
    return n == SSIN_DIGITS ? at : NULL;
}

void shown_blot(char *text)
{
    char digits[SSIN_DIGITS + 1];
    struct identifier checked;
    for (char *at = text; *at; at++) {
        char *end = read_digits(at, digits);
        if (!end || identifier_check_ssin(digits, &checked) != IDENTIFIER_VALID)
            continue;
        for (; at < end; at++)
            if (isdigit((unsigned char)*at))
                *at = '*';
        at--;
    }
}

void shown_id(const char *id, char out[CAREHUB_NATIVE_ID_BYTES])
{
    snprintf(out, CAREHUB_NATIVE_ID_BYTES, "%s", id);
    shown_blot(out);
}
