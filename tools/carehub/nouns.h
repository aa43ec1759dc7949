/* nouns.h - the commands of each noun; each is in the file of that name. For commands.c only. */
#ifndef CAREHUB_CLI_NOUNS_H
#define CAREHUB_CLI_NOUNS_H

#include "command.h"

extern const struct command init_commands[];
extern const struct command keygen_commands[];
extern const struct command actor_commands[];
extern const struct command client_commands[];
extern const struct command patient_commands[];
extern const struct command team_commands[];
extern const struct command consent_commands[];
extern const struct command erase_commands[];
extern const struct command exclude_commands[];
extern const struct command access_commands[];
extern const struct command grant_commands[];
extern const struct command policy_commands[];
extern const struct command inbox_commands[];
extern const struct command replay_commands[];
extern const struct command publish_commands[];
extern const struct command subscribe_commands[];
extern const struct command status_commands[];
extern const struct command tail_commands[];
extern const struct command trace_commands[];
extern const struct command explain_commands[];
extern const struct command open_commands[];
extern const struct command verify_commands[];
extern const struct command keys_commands[];
extern const struct command log_commands[];
extern const struct command audit_commands[];
extern const struct command backup_commands[];
extern const struct command restore_commands[];
extern const struct command registry_commands[];
extern const struct command adapter_commands[];

#endif
