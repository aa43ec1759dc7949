#include "master_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "log_line.h"

enum { PASSPHRASE_MAX_BYTES = 1024, PATH_BYTES = 512 };

/* ---- Reading a passphrase ----------------------------------------------------------------------------------------- */

/* One line, without its end. */
static bool read_line(int fd, char line[PASSPHRASE_MAX_BYTES])
{
    size_t size = 0;
    char byte = 0;

    while (size < PASSPHRASE_MAX_BYTES - 1 && read(fd, &byte, 1) == 1 && byte != '\n')
        line[size++] = byte;
    line[size] = '\0';
    return size > 0 && size < PASSPHRASE_MAX_BYTES - 1;
}

static bool ask_terminal(char line[PASSPHRASE_MAX_BYTES], char error[CONFIG_ERROR_BYTES])
{
    static const char question[] = "Passphrase of the hub's master key: ";
    struct termios before, silent;
    int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 || tcgetattr(fd, &before) != 0) {
        snprintf(error, CONFIG_ERROR_BYTES, "there is no terminal to ask for the passphrase on: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return false;
    }
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    tcsetattr(fd, TCSAFLUSH, &silent);
    bool good = write(fd, question, sizeof question - 1) > 0 && read_line(fd, line);
    tcsetattr(fd, TCSAFLUSH, &before);
    if (write(fd, "\n", 1) < 0)
        good = false;
    close(fd);
    if (!good)
        snprintf(error, CONFIG_ERROR_BYTES, "no passphrase was given");
    return good;
}

static bool read_credential(char line[PASSPHRASE_MAX_BYTES], char error[CONFIG_ERROR_BYTES])
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[PATH_BYTES];

    snprintf(path, sizeof path, "%s/master-key-passphrase", directory ? directory : "");
    int fd = directory ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    bool good = fd >= 0 && read_line(fd, line);
    if (fd >= 0)
        close(fd);
    if (!good)
        snprintf(error, CONFIG_ERROR_BYTES,
                 "there is no passphrase: give systemd the credential 'master-key-passphrase' (LoadCredential=)");
    return good;
}

static bool read_passphrase(const char *from, char line[PASSPHRASE_MAX_BYTES], char error[CONFIG_ERROR_BYTES])
{
    if (strcmp(from, "terminal") == 0)
        return ask_terminal(line, error);
    if (strcmp(from, "credential") == 0)
        return read_credential(line, error);
    if (read_line(atoi(from), line))
        return true;
    snprintf(error, CONFIG_ERROR_BYTES, "no passphrase could be read from file descriptor %s", from);
    return false;
}

static bool derive(const struct config *config, struct keyring_kdf *kdf, uint8_t key[CONFIG_KEY_BYTES],
                   char error[CONFIG_ERROR_BYTES])
{
    char why[KEYRING_ERROR_BYTES], *line = sodium_malloc(PASSPHRASE_MAX_BYTES);
    bool good = false;

    if (!line)
        snprintf(error, CONFIG_ERROR_BYTES, "no locked memory for the passphrase");
    else if (keyring_kdf_read(config->database, kdf, why) == KEYRING_BAD)
        snprintf(error, CONFIG_ERROR_BYTES, "%s", why);
    else if (read_passphrase(config->master_key_passphrase, line, error)) {
        good = keyring_kdf_derive(kdf, line, key);
        if (!good)
            snprintf(error, CONFIG_ERROR_BYTES, "not enough memory to make the key from the passphrase: %llu MB",
                     (unsigned long long)kdf->memory_bytes >> 20);
    }
    sodium_free(line);
    return good;
}

/* ---- While it is being changed ------------------------------------------------------------------------------------ */

static bool opens(const struct config *config, const uint8_t key[CONFIG_KEY_BYTES])
{
    char why[KEYRING_ERROR_BYTES];
    struct keyring keyring;
    struct vault *vault = vault_new(key);
    bool good = keyring_init(&keyring, config->database, NULL, vault) && keyring_load(&keyring, why) == KEYRING_OK;

    vault_destroy(&vault);
    return good;
}

/* The change is made by the hub while it runs; the configuration follows when somebody gets to it. */
static void take_next(struct secrets *secrets, const struct config *config)
{
    uint8_t next[CONFIG_KEY_BYTES];
    char why[CONFIG_ERROR_BYTES];

    if (!opens(config, secrets->master_key) && secrets_read_master(config->next_master_key_file, next, why) &&
        opens(config, next)) {
        memcpy(secrets->master_key, next, sizeof next);
        LOG_LINE(LOG_LEVEL_WARNING, "the master key has been changed to the one in %s: make that the master-key-file",
                 config->next_master_key_file);
    }
    sodium_memzero(next, sizeof next);
}

bool master_key_complete(struct secrets *secrets, const struct config *config, struct keyring_kdf *kdf,
                         bool *passphrase, char error[CONFIG_ERROR_BYTES])
{
    *passphrase = config->master_key_passphrase != NULL;
    sodium_mprotect_readwrite(secrets);
    bool good = !*passphrase || derive(config, kdf, secrets->master_key, error);
    if (good && config->next_master_key_file)
        take_next(secrets, config);
    sodium_mprotect_readonly(secrets);
    return good;
}

bool master_key_next(void *ctx, uint8_t key[KEY_BYTES], char error[CORE_ERROR_BYTES])
{
    const struct config *config = ctx;
    char why[CONFIG_ERROR_BYTES];

    if (!config->next_master_key_file) {
        snprintf(error, CORE_ERROR_BYTES, "next-master-key-file is not set in the hub's configuration");
        return false;
    }
    if (secrets_read_master(config->next_master_key_file, key, why))
        return true;
    snprintf(error, CORE_ERROR_BYTES, "%.500s", why);
    return false;
}
