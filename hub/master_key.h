/* master_key.h - the master key when it is not simply in its file: made from a passphrase, or being changed. */
#ifndef CAREHUB_MASTER_KEY_H
#define CAREHUB_MASTER_KEY_H

#include "config.h"
#include "core/core.h"
#include "secrets.h"

/* Asks for the passphrase if the configuration says so (argon2id; its parameters and salt are in the keyring, or chosen
 * for a new one, and put into *kdf). If next-master-key-file is set and is what the keyring has been sealed with
 * since, takes that. False with the reason in `error`. *passphrase: *kdf is to be used. */
bool master_key_complete(struct secrets *secrets, const struct config *config, struct keyring_kdf *kdf,
                         bool *passphrase, char error[CONFIG_ERROR_BYTES]);

/* For core_config.next_master_key; ctx is the struct config. */
bool master_key_next(void *ctx, uint8_t key[KEY_BYTES], char error[CORE_ERROR_BYTES]);

#endif
