/* texts.h - what the command line says, in its readers' languages: one table for each (texts/en.txt…), built in. A text
 * has a code, "table.NAME", and places to fill in, "{actor}". A test sees to it that each table is complete. */
#ifndef CAREHUB_CLI_TEXTS_H
#define CAREHUB_CLI_TEXTS_H

#include <stddef.h>
#include <stdint.h>

#include "term.h"

enum { TEXT_BYTES = 1024, TEXT_CODE_BYTES = 96 };

#define TEXTS_LANGUAGES "nl fr de en"

struct texts;

/* The table of a language: "nl", "fr", "de" or "en"; NULL for any other. It is read once and kept. Main thread only. */
const struct texts *texts_of(const char *language);

/* The language of the environment (LC_ALL, LC_MESSAGES, LANG), if there is a table of it; else "en". Static. */
const char *texts_language(void);

/* The texts of a table, in the order of their codes; for tests. */
size_t texts_count(const struct texts *texts);
const char *texts_code(const struct texts *texts, size_t i);
const char *texts_text(const struct texts *texts, size_t i);

/* A text as it stands in the style's language: by its code, or by table and name. Where the table has none, as of what
 * only a newer hub knows: NULL, or the name itself. */
const char *text_find(struct style style, const char *code);
const char *text_named(struct style style, const char *table, const char *name);
/* The same for a value of an enum: its name is the one in its .proto file. */
const char *text_enum(struct style style, const char *table, const ProtobufCEnumDescriptor *type, int value);

/* Fills in a text's places: name, value, …, NULL. Cut to size. Returns `out`. */
const char *text_fill(struct style style, char out[TEXT_BYTES], const char *code, ...) __attribute__((sentinel));

/* "1 maart 2026 om 22.04 uur": local time. Returns `out`. */
enum { DATE_CHARS = 96 };
const char *date_text(struct style style, int64_t unix_ms, char out[DATE_CHARS]);

#endif
