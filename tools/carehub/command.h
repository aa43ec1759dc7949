/* command.h - the table of commands. Parsing, --help, completion and the man pages all follow from it.
 *
 * A command is a noun and a verb ("actor add"); some nouns stand alone ("status"). Each noun is one file,
 * which holds its commands and what they do. All of it is constant data. */
#ifndef CAREHUB_CLI_COMMAND_H
#define CAREHUB_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

/* A row of the table names what applies to it, and leaves the rest at zero. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum {
    COMMAND_ARGUMENTS_MAX = 3,
    COMMAND_OPTIONS_MAX = 12,
    COMMAND_VERB_WORDS_MAX = 2, /* "keys add" */
};

/* How a command ends. Documented in carehub(1): scripts depend on these. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_NO = 1,      /* the answer is no, or a local step failed */
    EXIT_USAGE = 2,   /* the command line is wrong */
    EXIT_NO_HUB = 3,  /* the hub cannot be reached */
    EXIT_REFUSED = 4, /* the hub refused it */
    EXIT_TIMED_OUT = 5,
    EXIT_DIFFERS = 6, /* `policy diff`: something is different */
};

struct args;

/* An argument that stands by its place. Only the last may repeat; those after an optional one are optional.
 */
struct argument {
    const char *name; /* "PATIENT" */
    const char *help;
    bool optional;
    bool repeats;
    const char *words; /* the values that it may have, separated by spaces; NULL: any */
};

struct option {
    const char *name;  /* long form without dashes: "until" */
    const char *value; /* what stands for its value in help ("DATE"); NULL: a flag */
    const char *help;
    bool required;
    bool repeats;
    const char *words; /* as above */
};

struct command {
    const char *verb; /* "add", "keys add"; NULL: the noun stands alone */
    const char *summary;
    struct argument arguments[COMMAND_ARGUMENTS_MAX + 1]; /* ends with a NULL name, as options does */
    struct option options[COMMAND_OPTIONS_MAX + 1];
    const char *detail;                  /* more to know, in paragraphs separated by '\n'; or NULL */
    const char *example;                 /* one line to type */
    int (*run)(const struct args *args); /* returns an exit code; says itself what went wrong */
};

struct noun {
    const char *name;
    const char *summary;
    const char *detail;             /* for the man page, in paragraphs separated by '\n' */
    const struct command *commands; /* ends with a NULL run */
};

/* All nouns, in the order of the help; ends with a NULL name. */
extern const struct noun nouns[];

/* Options that every command has; ends with a NULL name. A command's own option of the same name goes first.
 */
extern const struct option common_options[];

const struct noun *noun_find(const char *name);

/* "carehub actor add NAME --kind KIND [OPTIONS]" into text, cut to size. */
void command_synopsis(const struct noun *noun, const struct command *command, char *text, size_t size);

#endif
