/* term.h - what people read: style, text that is safe to show, times, numbers, tables, progress. */
#ifndef CAREHUB_CLI_TERM_H
#define CAREHUB_CLI_TERM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "args.h"
#include "carehub/v1/log.pb-c.h"

struct texts; /* texts.h */

/* How to write: decided once from the terminal, handed to what renders. */
struct style {
    bool colour;               /* on a terminal, and NO_COLOR (no-color.org) is not set */
    bool utf8;                 /* the locale's character set is UTF-8; else plain ASCII */
    const struct texts *texts; /* the reader's language; NULL: English */
};

struct style style_of(FILE *out);

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WAIT, TONE_DIM, TONE_STRONG };

/* The escape sequence that starts a tone, and the one that ends it; "" without colour. Static. */
const char *tone_on(struct style style, enum tone tone);
const char *tone_off(struct style style, enum tone tone);

/* Marks: ✓ ✗ … or plain + - . */
enum mark { MARK_YES, MARK_NO, MARK_WAIT, MARK_ARROW, MARK_DASH };
const char *mark_text(struct style style, enum mark mark);

/* Writes text that came from elsewhere: control characters become '?', so that it cannot steer the terminal.
 */
void put_safe(FILE *out, const char *text);

enum { WHEN_CHARS = 32, COUNT_CHARS = 32, SIZE_CHARS = 32, LASTED_CHARS = 32 };

/* "2026-03-01 21:04:05.123", "21:04:05.123" (local time) and "-" for 0. They return their buffer. */
const char *when_text(int64_t unix_ms, char text[WHEN_CHARS]);
const char *clock_text(int64_t unix_ms, char text[WHEN_CHARS]);
/* "1,234,567" */
const char *count_text(uint64_t count, char text[COUNT_CHARS]);
/* "1.5 MB" (decimal units) */
const char *size_text(uint64_t bytes, char text[SIZE_CHARS]);
/* "3 d 4 h", "12 min", "5 s" */
const char *lasted_text(int64_t ms, char text[LASTED_CHARS]);

/* An enum value's name in lower case with spaces: "same day"; a number if it has no name. Returns `text`. */
enum { ENUM_CHARS = 64 };
const char *enum_text(const ProtobufCEnumDescriptor *type, int value, char text[ENUM_CHARS]);
/* "administrative", "care", "clinical", "none". Static. */
const char *level_text(Carehub__V1__Level level);
/* An event type as people write it, or "event". Static. */
const char *type_text(Carehub__V1__EventType type);

/* ---- Failing ---------------------------------------------------------------------------------------------------- */

/* Says on stderr what happened and, on the next line, what to do (may be NULL). Returns `code`. */
int fail(enum exit_code code, const char *advice, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* ---- Tables ----------------------------------------------------------------------------------------------------- */

enum { TABLE_COLUMNS_MAX = 10 };

struct table;

/* A table with these headings (ends with NULL). Aborts when memory runs out, as do the others. */
struct table *table_new(const char *const *headings);
/* The next cell, left to right, row by row; what is printed is made safe. */
void table_cell(struct table *table, enum tone tone, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *table);
void table_print(const struct table *table, FILE *out, struct style style);
void table_destroy(struct table **table);

/* ---- Progress: on stderr, only on a terminal, only after two seconds -------------------------------------------- */

struct progress {
    const char *doing; /* "loading facts" */
    uint64_t total;    /* 0: not known */
    int64_t started_ms;
    int64_t shown_ms;
};

void progress_start(struct progress *progress, const char *doing, uint64_t total);
void progress_step(struct progress *progress, uint64_t done);
void progress_end(struct progress *progress);

int64_t monotonic_ms(void);

#endif
