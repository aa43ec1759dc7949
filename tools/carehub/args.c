#include "args.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MAX_S = 86400 };

__attribute__((format(printf, 2, 3))) static enum args_status wrong(char error[ARGS_ERROR_BYTES], const char *format,
                                                                    ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(error, ARGS_ERROR_BYTES, format, list);
    va_end(list);
    return ARGS_WRONG;
}

/* Is `word` one of the space-separated `words`? */
static bool among(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = words; *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        if (n == length && memcmp(at, word, n) == 0)
            return true;
        at += n;
    }
    return false;
}

/* How many of the words are the command's verb: 0 if they are not. */
static size_t verb_words(const char *verb, int n, char *const words[])
{
    size_t count = 0;
    for (const char *at = verb; *at; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if ((int)count >= n || strlen(words[count]) != length || memcmp(words[count], at, length) != 0)
            return 0;
        at += length;
        count++;
    }
    return count;
}

/* Finds the command with the longest verb that the words begin with. Returns the words it took. */
static size_t find_command(struct args *args, int n, char *const words[])
{
    size_t taken = 0;
    for (const struct command *c = args->noun->commands; c->run; c++) {
        size_t count = c->verb ? verb_words(c->verb, n, words) : 0;
        if (count > taken || (!c->verb && !args->command)) {
            args->command = c;
            taken = count;
        }
    }
    return taken;
}

static const struct option *option_in(const struct option *options, const char *name, size_t length)
{
    for (const struct option *o = options; o->name; o++)
        if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
            return o;
    return NULL;
}

static enum args_status take_option(struct args *args, int *i, int argc, char *const argv[], char *error)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    const struct option *o = args->command ? option_in(args->command->options, name, length) : NULL;
    if (!o)
        o = option_in(common_options, name, length);
    if (!o)
        return wrong(error, "there is no option --%.*s here", (int)length, name);
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    if (!o->value && value)
        return wrong(error, "--%s takes no value", o->name);
    if (o->value && !value) {
        if (*i + 1 >= argc)
            return wrong(error, "--%s needs a value: --%s %s", o->name, o->name, o->value);
        value = argv[++*i];
    }
    if (value && o->words && !among(o->words, value))
        return wrong(error, "--%s cannot be '%.64s': it is one of: %s", o->name, value, o->words);
    if (!o->repeats && (args_option(args, o->name) || args_flag(args, o->name)))
        return wrong(error, "--%s is given twice", o->name);
    if (args->n_given == ARGS_GIVEN_MAX)
        return wrong(error, "more than %d options", ARGS_GIVEN_MAX);
    args->given[args->n_given++] = (struct args_given){o, value};
    return strcmp(o->name, "help") == 0 ? ARGS_HELP : ARGS_OK;
}

static enum args_status take_value(struct args *args, const char *value, char *error)
{
    const struct argument *a = args->command->arguments;
    for (size_t i = 0; i < args->n_values && a->name && !a->repeats; i++)
        a++;
    if (!a->name)
        return wrong(error, "'%.64s' is one argument too many", value);
    if (a->words && !among(a->words, value))
        return wrong(error, "%s cannot be '%.64s': it is one of: %s", a->name, value, a->words);
    if (args->n_values == ARGS_VALUES_MAX)
        return wrong(error, "more than %d arguments", ARGS_VALUES_MAX);
    args->values[args->n_values++] = value;
    return ARGS_OK;
}

static enum args_status take_words(struct args *args, int i, int argc, char *const argv[], char *error)
{
    enum args_status status = ARGS_OK;
    bool options = true;
    for (; i < argc && status == ARGS_OK; i++) {
        if (options && strcmp(argv[i], "--") == 0)
            options = false;
        else if (options && strcmp(argv[i], "-h") == 0)
            status = ARGS_HELP;
        else if (options && strncmp(argv[i], "--", 2) == 0)
            status = take_option(args, &i, argc, argv, error);
        else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
            status = wrong(error, "there is no option %.64s: options have two dashes and a whole word", argv[i]);
        else
            status = take_value(args, argv[i], error);
    }
    return status;
}

static enum args_status check_complete(const struct args *args, char *error)
{
    size_t i = 0;
    for (const struct argument *a = args->command->arguments; a->name; a++, i++)
        if (!a->optional && i >= args->n_values)
            return wrong(error, "%s is missing: %s", a->name, a->help);
    for (const struct option *o = args->command->options; o->name; o++)
        if (o->required && !args_option(args, o->name))
            return wrong(error, "--%s %s is missing: %s", o->name, o->value, o->help);
    const char *timeout = args_option(args, "timeout");
    char *end = NULL;
    double seconds = timeout ? strtod(timeout, &end) : 1;
    if (timeout && (end == timeout || *end || !(seconds > 0 && seconds <= TIMEOUT_MAX_S)))
        return wrong(error, "--timeout '%.32s' is not a number of seconds, 0.001 to %d", timeout, TIMEOUT_MAX_S);
    return ARGS_OK;
}

static bool asks_for_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

enum args_status args_parse(struct args *args, int argc, char *const argv[], char error[ARGS_ERROR_BYTES])
{
    *args = (struct args){0};
    error[0] = '\0';
    if (argc < 2)
        return wrong(error, "say what to do");
    if (asks_for_help(argv[1]))
        return ARGS_HELP;
    args->noun = noun_find(argv[1]);
    if (!args->noun)
        return wrong(error, "there is no command '%.64s'", argv[1]);
    int taken = (int)find_command(args, argc - 2, argv + 2);
    if (!args->command) {
        if (argc > 2 && asks_for_help(argv[2]))
            return ARGS_HELP;
        return argc > 2 ? wrong(error, "there is no '%s %.64s'", args->noun->name, argv[2])
                        : wrong(error, "say what to do with '%s'", args->noun->name);
    }
    enum args_status status = take_words(args, 2 + taken, argc, argv, error);
    return status == ARGS_OK ? check_complete(args, error) : status;
}

const char *args_option(const struct args *args, const char *name)
{
    for (size_t i = args->n_given; i > 0; i--)
        if (strcmp(args->given[i - 1].option->name, name) == 0)
            return args->given[i - 1].value;
    return NULL;
}

bool args_flag(const struct args *args, const char *name)
{
    for (size_t i = 0; i < args->n_given; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            return true;
    return false;
}

size_t args_all(const struct args *args, const char *name, const char **values, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < args->n_given && n < max; i++)
        if (strcmp(args->given[i].option->name, name) == 0)
            values[n++] = args->given[i].value;
    return n;
}

const char *args_value(const struct args *args, size_t place)
{
    return place < args->n_values ? args->values[place] : NULL;
}

int args_timeout_ms(const struct args *args)
{
    const char *timeout = args_option(args, "timeout");
    int ms = timeout ? (int)(strtod(timeout, NULL) * 1000) : ARGS_TIMEOUT_DEFAULT_MS;
    return ms > 0 ? ms : 1;
}
