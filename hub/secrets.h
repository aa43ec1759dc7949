/* secrets.h - the hub's keys, in memory that is locked, guarded and never in a core dump. */
#ifndef CAREHUB_SECRETS_H
#define CAREHUB_SECRETS_H

#include "config.h"

struct secrets {
    uint8_t public_key[CONFIG_KEY_BYTES]; /* CURVE */
    uint8_t secret_key[CONFIG_KEY_BYTES];
    uint8_t master_key[CONFIG_KEY_BYTES]; /* wraps the keys of what is stored */
};

/* Reads the CURVE pair and the master key from their files (a passphrase: see master_key.h); without a master-key-file
 * from "master-key" in the directory of systemd's credentials ($CREDENTIALS_DIRECTORY). Files that others could read
 * are refused. NULL with the reason in `error`. */
struct secrets *secrets_load(const struct config *config, char error[CONFIG_ERROR_BYTES]);

/* Reads a master key of 64 hexadecimal digits. Files that others could read are refused. */
bool secrets_read_master(const char *path, uint8_t key[CONFIG_KEY_BYTES], char error[CONFIG_ERROR_BYTES]);

/* Wipes and frees. Sets *secrets to NULL; a NULL is ignored. */
void secrets_free(struct secrets **secrets);

#endif
