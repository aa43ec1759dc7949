/* The man pages, in man(7), from the table of commands. */
#include <stdlib.h>
#include <string.h>

#include "help.h"

enum { SYNOPSIS_BYTES = 256 };

/* Text in running lines: what roff would take for its own is escaped. */
static void put(FILE *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        fputs("\\&", out);
    for (const char *c = text; *c; c++) {
        if (*c == '\\')
            fputs("\\e", out);
        else if (*c == '-')
            fputs("\\-", out);
        else if (*c == '`' || *c == '\'')
            fputs(*c == '`' ? "\\(ga" : "\\(aq", out);
        else if (*c == '|')
            fputs("\\(ba", out);
        else if (strncmp(c, "…", 3) == 0) {
            fputs("...", out);
            c += 2;
        } else
            fputc(*c, out);
    }
}

static void paragraphs(FILE *out, const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    for (char *rest = copy, *one; (one = strsep(&rest, "\n"));) {
        fputs(".PP\n", out);
        put(out, one);
        fputc('\n', out);
    }
    free(copy);
}

static void tagged(FILE *out, const char *tag, const char *value, const char *text, const char *words)
{
    fputs(".TP\n\\fB", out);
    put(out, tag);
    fputs("\\fR", out);
    if (value) {
        fputs(" \\fI", out);
        put(out, value);
        fputs("\\fR", out);
    }
    fputc('\n', out);
    put(out, text);
    if (words) {
        fputs(": ", out);
        put(out, words);
    }
    fputc('\n', out);
}

static void print_options(const struct option *options, FILE *out)
{
    for (const struct option *o = options; o->name; o++) {
        char tag[64];
        snprintf(tag, sizeof tag, "--%s", o->name);
        tagged(out, tag, o->value, o->help, o->value ? o->words : NULL);
    }
}

static void print_command(const struct noun *noun, const struct command *command, FILE *out)
{
    char synopsis[SYNOPSIS_BYTES];
    command_synopsis(noun, command, synopsis, sizeof synopsis);
    fputs(".SS ", out);
    put(out, synopsis);
    fprintf(out, "\n%c", command->summary[0] & ~0x20);
    put(out, command->summary + 1);
    fputs(".\n", out);
    if (command->detail)
        paragraphs(out, command->detail);
    for (const struct argument *a = command->arguments; a->name; a++)
        tagged(out, a->name, NULL, a->help, a->words);
    print_options(command->options, out);
    fputs(".PP\nExample:\n.PP\n.in +4n\n.nf\n", out);
    put(out, command->example);
    fputs("\n.fi\n.in\n", out);
}

static void print_head(const char *page, const char *name, const char *summary, FILE *out)
{
    fprintf(out, ".\\\" Made by `carehub __man`; change the table of commands instead.\n");
    fprintf(out, ".TH %s 1 \"\" \"carehub 1\" \"carehub manual\"\n.SH NAME\n", page);
    put(out, name);
    fputs(" \\- ", out);
    put(out, summary);
    fputc('\n', out);
}

static void print_noun(const struct noun *noun, FILE *out)
{
    char name[64], page[64];
    snprintf(name, sizeof name, "carehub-%s", noun->name);
    snprintf(page, sizeof page, "%s", name);
    for (char *c = page; *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c & ~0x20) : *c;
    print_head(page, name, noun->summary, out);
    fputs(".SH SYNOPSIS\n.nf\n", out);
    for (const struct command *c = noun->commands; c->run; c++) {
        char synopsis[SYNOPSIS_BYTES];
        command_synopsis(noun, c, synopsis, sizeof synopsis);
        put(out, synopsis);
        fputc('\n', out);
    }
    fputs(".fi\n.SH DESCRIPTION\n", out);
    paragraphs(out, noun->detail);
    fputs(".SH COMMANDS\n", out);
    for (const struct command *c = noun->commands; c->run; c++)
        print_command(noun, c, out);
    fputs(".SH NOTES\nOptions that all commands have, files, environment and exit status are in\n.BR carehub "
          "(1).\n"
          ".SH SEE ALSO\n.BR carehub (1)\n",
          out);
}

static const char *const exit_codes[][2] = {
    {"0", "Done, or the answer is yes."},
    {"1", "The answer is no (nothing of that name, a policy that is not sound), or a step on this machine "
          "failed."},
    {"2", "The command line is wrong. Nothing was done."},
    {"3", "The hub cannot be reached. What was sent may or may not have arrived; repeating is safe."},
    {"4", "The hub refused it, or does not admit this client."},
    {"5", "No answer in time. What was sent may or may not be in the log; repeating is safe."},
    {"6", "`policy diff`: the policies differ."},
};

static void print_environment(FILE *out)
{
    fputs(".SH FILES\n.TP\n\\fB./carehub.conf\\fR, \\fB~/.config/carehub/carehub.conf\\fR\n"
          "Where the hub is and which key to use, if neither \\fB\\-\\-config\\fR nor \\fBCAREHUB_CONFIG\\fR "
          "names "
          "another file. Lines of the form\n.IR \"name = value\" :\n"
          ".RS\n.TP\n\\fBendpoint\\fR\nwhere the hub is, as tcp://host:port\n"
          ".TP\n\\fBhub\\-key\\fR\nthe hub\\(aqs public key, 64 hexadecimal digits\n"
          ".TP\n\\fBkey\\-file\\fR\nthe key file of the client; paths start at the file\\(aqs own "
          "directory\n.RE\n"
          ".SH ENVIRONMENT\n.TP\n\\fBCAREHUB_CONFIG\\fR\nthe configuration file\n"
          ".TP\n\\fBNO_COLOR\\fR\nif set and not empty: no colours. Without a terminal there are none "
          "either.\n",
          out);
}

static void print_general(FILE *out)
{
    print_head("CAREHUB", "carehub", "shows and steers a hub for care events", out);
    fputs(".SH SYNOPSIS\n.B carehub\n.I command\n.RI [ verb ]\n.RI [ arguments ]\n.RI [ options ]\n"
          ".SH DESCRIPTION\n.PP\nA hub takes care events (a discharge, a fall, a change of medication), "
          "decides who of "
          "the person\\(aqs care team may know what of them, and delivers them. \\fBcarehub\\fR talks to it "
          "with an "
          "operator\\(aqs key; what it may do depends on the roles of that client.\n"
          ".PP\nPatients are named by \\fBssin:\\fINUMBER\\fR, by \\fISYSTEM\\fB\\(ba\\fIVALUE\\fR, or by "
          "the pseudonym "
          "\\fBP\\fINUMBER\\fR, and always shown as the pseudonym. An event is named by its id (a UUID) or "
          "by its place "
          "in the log (123). Times are 2026\\-12\\-31, 2026\\-12\\-31T18:00 (local), or +30d from now.\n"
          ".PP\nIn the tables and traces, + or a tick means yes, x or a cross means no, and ~ or three dots "
          "that "
          "something still waits.\n.SH COMMANDS\n",
          out);
    for (const struct noun *n = nouns; n->name; n++) {
        fprintf(out, ".TP\n.BR carehub\\-%s (1)\n", n->name);
        put(out, n->summary);
        fputc('\n', out);
    }
    fputs(".SH OPTIONS\nEvery command has these.\n", out);
    print_options(common_options, out);
    fputs(".SH EXIT STATUS\n", out);
    for (size_t i = 0; i < sizeof exit_codes / sizeof exit_codes[0]; i++)
        tagged(out, exit_codes[i][0], NULL, exit_codes[i][1], NULL);
    print_environment(out);
    fputs(".SH OUTPUT AS JSON\nWith \\fB\\-\\-json\\fR the answer is the JSON form (ProtoJSON) of the "
          "protocol\\(aqs "
          "messages, in proto/carehub/v1/wire.proto, with every key present: one document, or one line for "
          "each item "
          "of a list or feed. 64\\-bit numbers are strings. Ids are UUIDs.\n"
          ".SH SEE ALSO\n.BR carehubd (8)\n",
          out);
}

void man_print(const struct noun *noun, FILE *out)
{
    if (noun)
        print_noun(noun, out);
    else
        print_general(out);
}
