/* keys_answer.h - the hub's answer about its keys and erasures, for the two commands that show it. */
#ifndef CAREHUB_CLI_KEYS_ANSWER_H
#define CAREHUB_CLI_KEYS_ANSWER_H

#include "session.h"

/* Asks, prints (or prints as JSON), and closes. Returns an exit code. */
int show_keys(const struct args *args, void (*print)(const Carehub__V1__KeysAnswer *keys));

#endif
