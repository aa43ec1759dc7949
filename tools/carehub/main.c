/* carehub - the command line of the hub. What it can do is in the table of commands (commands.c); this file
 * finds the command and runs it. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "carehub.h"
#include "help.h"
#include "term.h"

/* For the shell's completion and the build; not for people. */
static bool run_hidden(int argc, char *argv[])
{
    if (argc >= 2 && strcmp(argv[1], "__complete") == 0) {
        complete_print(argc - 2, argv + 2, stdout);
        return true;
    }
    if (argc >= 2 && strcmp(argv[1], "__man") == 0) {
        man_print(argc > 2 ? noun_find(argv[2]) : NULL, stdout);
        return true;
    }
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("carehub %s\n", carehub_version());
        return true;
    }
    return false;
}

static int wrong_usage(const struct args *args, const char *error)
{
    char advice[160];
    snprintf(advice, sizeof advice, "See: carehub %s%s%s%s--help", args->noun ? args->noun->name : "",
             args->command && args->command->verb ? " " : "",
             args->command && args->command->verb ? args->command->verb : "", args->noun ? " " : "");
    return fail(EXIT_USAGE, advice, "%s", error);
}

int main(int argc, char *argv[])
{
    static struct args args;
    char error[ARGS_ERROR_BYTES];
    setlocale(LC_CTYPE, ""); /* which characters the terminal shows; numbers and texts stay those of "C" */
    if (run_hidden(argc, argv))
        return EXIT_OK;
    switch (args_parse(&args, argc, argv, error)) {
    case ARGS_HELP:
        help_print(args.noun, args.command, stdout);
        return EXIT_OK;
    case ARGS_WRONG:
        return wrong_usage(&args, error);
    default:
        return args.command->run(&args);
    }
}
