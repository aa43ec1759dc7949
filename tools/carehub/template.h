/* template.h - the files that `carehub init` writes: texts that are built into the program, with places to
 * fill in. */
#ifndef CAREHUB_CLI_TEMPLATE_H
#define CAREHUB_CLI_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

/* The texts; ends with a NULL name. Generated from files/ and the default policy. */
struct embedded_file {
    const char *name;
    const unsigned char *text; /* ends with NUL */
};
extern const struct embedded_file embedded_files[];

const char *embedded(const char *name); /* aborts if there is none: a fault of the build */

/* Gives the text for a place "@NAME argument@" (argument "" if there is none), or false if it does not know
 * it. */
enum { TEMPLATE_VALUE_BYTES = 512 };
typedef bool template_fn(void *ctx, const char *name, const char *argument, char value[TEMPLATE_VALUE_BYTES]);

/* Fills in all places: those of `fill`, which is asked first (may be NULL), and
 *   @ID@           a new UUIDv7
 *   @MS +365d@     ms since 1970, from now (units d, h, m)
 *   @HL7 -20m@     the same as an HL7 v2 time with its offset
 *   @DATE -1d@     the same as a date, YYYY-MM-DD
 *   @ISO -3h@      the same as a time of ISO 8601, in UTC
 *   @OFFSET@       the local offset from UTC in minutes
 *   @SSIN 380412@  an SSIN with that birth date (of the 20th century) and a sequence number that nobody gets,
 * 999
 *   @NUMBER@       a number that is another one every time
 * The result is malloc'd. Aborts on a place that nobody knows. */
char *template_fill(const char *text, template_fn *fill, void *ctx);

#endif
