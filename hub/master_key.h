/* master_key.h - the master key when it is not simply in its file: made from a passphrase, or being changed. */
#ifndef CAREHUB_MASTER_KEY_H
#define CAREHUB_MASTER_KEY_H

#include "config.h"
#include "core/core.h"
#include "secrets.h"

/* Completes secrets->master_key. If what the configuration names as the next master key (a key or a passphrase in a
 * file) is what the keyring has been sealed with since, takes that, and warns. Else asks for the passphrase if the
 * configuration says so (argon2id; its parameters and salt are in the keyring, or chosen for a new one, and put into
 * *kdf). False with the reason in `error`. *passphrase: *kdf is to be used. */
bool master_key_complete(struct secrets *secrets, const struct config *config, struct keyring_kdf *kdf,
                         bool *passphrase, char error[CONFIG_ERROR_BYTES]);

/* What the master key is to be changed to while the hub runs. A passphrase becomes a key on a thread of its own.
 * Borrows the configuration. */
struct master_key_next;
struct master_key_next *master_key_next_new(const struct config *config);
void master_key_next_free(struct master_key_next **next);

/* A core_next_key (core.h); ctx is the struct master_key_next. */
enum core_next master_key_next(void *ctx, uint8_t *key, struct keyring_kdf *kdf, char error[CORE_ERROR_BYTES]);

#endif
