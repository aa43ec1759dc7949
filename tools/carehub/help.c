#include "help.h"

#include <string.h>

enum { SYNOPSIS_BYTES = 256, LABEL_WIDTH = 24 };

static void label(FILE *out, const char *text, const char *help)
{
    int width = (int)strlen(text);
    fprintf(out, "  %-*s%s%s\n", LABEL_WIDTH, text, width >= LABEL_WIDTH ? "  " : "", help);
}

static void print_options(const struct option *options, FILE *out)
{
    for (const struct option *o = options; o->name; o++) {
        char text[64], help[512];
        snprintf(text, sizeof text, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        snprintf(help, sizeof help, "%s%s%s%s", o->help, o->words && o->value ? ": " : "",
                 o->words && o->value ? o->words : "", o->required ? " (needed)" : "");
        label(out, text, help);
    }
}

static void print_command(const struct noun *noun, const struct command *command, FILE *out)
{
    char synopsis[SYNOPSIS_BYTES];
    command_synopsis(noun, command, synopsis, sizeof synopsis);
    fprintf(out, "%s\n\n", synopsis);
    fprintf(out, "  %c%s.\n", command->summary[0] & ~0x20, command->summary + 1);
    for (const char *at = command->detail; at && *at; at += strspn(at, "\n")) {
        int n = (int)strcspn(at, "\n");
        fprintf(out, "  %.*s\n", n, at);
        at += n;
    }
    fputc('\n', out);
    for (const struct argument *a = command->arguments; a->name; a++)
        label(out, a->name, a->help);
    print_options(command->options, out);
    print_options(common_options, out);
    fprintf(out, "\nExample:\n  %s\n", command->example);
}

static void print_noun(const struct noun *noun, FILE *out)
{
    fprintf(out, "carehub %s: %s\n\n", noun->name, noun->summary);
    for (const struct command *c = noun->commands; c->run; c++)
        label(out, c->verb ? c->verb : "", c->summary);
    fprintf(out, "\n`carehub %s VERB --help` says more, with an example.\n", noun->name);
}

void help_print(const struct noun *noun, const struct command *command, FILE *out)
{
    if (command) {
        print_command(noun, command, out);
    } else if (noun) {
        print_noun(noun, out);
    } else {
        fputs("carehub: shows and steers a hub for care events\n\n", out);
        for (const struct noun *n = nouns; n->name; n++)
            label(out, n->name, n->summary);
        fputs("\n`carehub COMMAND --help` says more, with an example; `man carehub` has it all.\n"
              "Example:\n  carehub status\n",
              out);
    }
}
