/* client_keys.h - the commands about a client's keys: tickets, enrolment, rotation. For client.c. */
#ifndef CAREHUB_CLI_CLIENT_KEYS_H
#define CAREHUB_CLI_CLIENT_KEYS_H

#include "args.h"

int client_ticket(const struct args *args);
int client_enrol(const struct args *args);
int client_keys(const struct args *args);
int client_keys_add(const struct args *args);
int client_keys_revoke(const struct args *args);

#endif
