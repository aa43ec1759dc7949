/* help.h - what the table of commands says, in its three forms. */
#ifndef CAREHUB_CLI_HELP_H
#define CAREHUB_CLI_HELP_H

#include <stdio.h>

#include "command.h"

/* Help in general, of a noun, or of a command: as much as is named (the others NULL). */
void help_print(const struct noun *noun, const struct command *command, FILE *out);

/* The words that may come next after these, one on each line; the last word is the beginning that was typed.
 */
void complete_print(int n, char *const words[], FILE *out);

/* The man page of a noun, or carehub(1) for NULL, in man(7). */
void man_print(const struct noun *noun, FILE *out);

#endif
