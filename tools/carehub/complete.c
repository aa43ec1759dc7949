/* What may come next on a command line, for completion in the shell. */
#include <string.h>

#include "args.h"
#include "help.h"

static void offer(FILE *out, const char *word, size_t length, const char *typed)
{
    size_t n = strlen(typed);
    if (length >= n && memcmp(word, typed, n) == 0)
        fprintf(out, "%.*s\n", (int)length, word);
}

static void offer_words(FILE *out, const char *words, const char *typed)
{
    for (const char *at = words; at && *at; at += strspn(at, " ")) {
        size_t n = strcspn(at, " ");
        offer(out, at, n, typed);
        at += n;
    }
}

/* The verb's word after `n` words that it shares with what was typed; NULL if it goes another way. */
static const char *next_verb_word(const char *verb, int n, char *const words[])
{
    for (int i = 0; i < n; i++) {
        size_t length = strcspn(verb, " ");
        if (strlen(words[i]) != length || memcmp(words[i], verb, length) != 0)
            return NULL;
        verb += length + strspn(verb + length, " ");
    }
    return *verb ? verb : NULL;
}

static void offer_verbs(const struct noun *noun, int n, char *const words[], const char *typed, FILE *out)
{
    const char *last = "";
    for (const struct command *c = noun->commands; c->run; c++) {
        const char *word = c->verb ? next_verb_word(c->verb, n, words) : NULL;
        size_t length = word ? strcspn(word, " ") : 0;
        if (word && !(strlen(last) >= length && strncmp(last, word, length) == 0))
            offer(out, word, length, typed);
        last = word ? word : last;
    }
}

static void offer_options(const struct option *options, const char *typed, FILE *out)
{
    for (const struct option *o = options; o->name; o++) {
        char word[64];
        int n = snprintf(word, sizeof word, "--%s", o->name);
        offer(out, word, (size_t)n, typed);
    }
}

static const struct option *option_named(const struct command *command, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return NULL;
    for (const struct option *o = command->options; o->name; o++)
        if (strcmp(o->name, word + 2) == 0)
            return o;
    return NULL;
}

void complete_print(int n, char *const words[], FILE *out)
{
    char *line[ARGS_VALUES_MAX] = {"carehub"};
    const char *typed = n > 0 ? words[n - 1] : "";
    struct args args;
    char error[ARGS_ERROR_BYTES];
    if (n <= 1) {
        for (const struct noun *noun = nouns; noun->name; noun++)
            offer(out, noun->name, strlen(noun->name), typed);
        return;
    }
    if (n >= ARGS_VALUES_MAX)
        return;
    memcpy(line + 1, words, (size_t)(n - 1) * sizeof *words);
    args_parse(&args, n, line, error); /* all but the last word; that something is missing does not matter */
    if (!args.noun)
        return;
    offer_verbs(args.noun, n - 2, words + 1, typed, out);
    if (!args.command)
        return;
    const struct option *before = option_named(args.command, words[n - 2]);
    if (before && before->value) {
        offer_words(out, before->words, typed);
    } else if (*typed == '-') {
        offer_options(args.command->options, typed, out);
        offer_options(common_options, typed, out);
    } else if (args.n_values < COMMAND_ARGUMENTS_MAX) {
        offer_words(out, args.command->arguments[args.n_values].words, typed);
    }
}
