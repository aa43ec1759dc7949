/* args.h - a command line, parsed against the table of commands. Pure: prints nothing. */
#ifndef CAREHUB_CLI_ARGS_H
#define CAREHUB_CLI_ARGS_H

#include "command.h"

enum { ARGS_VALUES_MAX = 16384, ARGS_GIVEN_MAX = 128, ARGS_ERROR_BYTES = 256, ARGS_TIMEOUT_DEFAULT_MS = 10000 };

struct args_given {
    const struct option *option;
    const char *value; /* NULL: a flag */
};

/* Points into argv and the table; owns nothing. */
struct args {
    const struct noun *noun;       /* NULL: none was named */
    const struct command *command; /* NULL: none was named */
    size_t n_values;
    const char *values[ARGS_VALUES_MAX]; /* arguments, in order */
    size_t n_given;
    struct args_given given[ARGS_GIVEN_MAX]; /* options, in order */
};

enum args_status {
    ARGS_OK,
    ARGS_HELP,  /* --help, for the noun and command found so far */
    ARGS_WRONG, /* error says what is wrong */
};

/* Options may stand anywhere after the noun, as "--name value" or "--name=value"; "--" ends them. */
enum args_status args_parse(struct args *args, int argc, char *const argv[], char error[ARGS_ERROR_BYTES]);

/* The last value of an option; NULL if it was not given. */
const char *args_option(const struct args *args, const char *name);

bool args_flag(const struct args *args, const char *name);

/* All values of an option, in order, into values[0..max); returns their number. */
size_t args_all(const struct args *args, const char *name, const char **values, size_t max);

/* The argument at that place, or NULL. */
const char *args_value(const struct args *args, size_t place);

/* --timeout in ms, or its default. args_parse has checked it. */
int args_timeout_ms(const struct args *args);

#endif
