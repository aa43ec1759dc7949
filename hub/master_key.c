#include "master_key.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "log_line.h"
#include "worker.h"

enum { PASSPHRASE_MAX_BYTES = 1024, PATH_BYTES = 512 };

/* ---- Reading a passphrase ---------------------------------------------------------------------------------------- */

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

static bool read_file(const char *path, char line[PASSPHRASE_MAX_BYTES], char error[CONFIG_ERROR_BYTES])
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool shut = fd >= 0 && fstat(fd, &about) == 0 && (about.st_mode & 077) == 0;
    bool good = shut && read_line(fd, line);

    if (!good)
        snprintf(error, CONFIG_ERROR_BYTES, "%s %s", path,
                 fd < 0  ? strerror(errno)
                 : !shut ? "can be read by others: set its mode to 0600 (chmod 600)"
                         : "has no passphrase in its first line");
    if (fd >= 0)
        close(fd);
    return good;
}

static bool derive(const struct keyring_kdf *kdf, const char *line, uint8_t key[CONFIG_KEY_BYTES],
                   char error[CONFIG_ERROR_BYTES])
{
    bool good = keyring_kdf_derive(kdf, line, key);

    if (!good)
        snprintf(error, CONFIG_ERROR_BYTES, "not enough memory to make the key from the passphrase: %llu MB",
                 (unsigned long long)kdf->memory_bytes >> 20);
    return good;
}

/* ---- At the start ------------------------------------------------------------------------------------------------ */

static bool ask(const struct config *config, struct keyring_kdf *kdf, uint8_t key[CONFIG_KEY_BYTES],
                char error[CONFIG_ERROR_BYTES])
{
    char why[KEYRING_ERROR_BYTES], *line = sodium_malloc(PASSPHRASE_MAX_BYTES);
    bool good = false;

    if (!line)
        snprintf(error, CONFIG_ERROR_BYTES, "no locked memory for the passphrase");
    else if (keyring_kdf_read(config->database, kdf, why) == KEYRING_BAD)
        snprintf(error, CONFIG_ERROR_BYTES, "%s", why);
    else
        good = read_passphrase(config->master_key_passphrase, line, error) && derive(kdf, line, key, error);
    sodium_free(line);
    return good;
}

static bool opens(const struct config *config, const uint8_t key[CONFIG_KEY_BYTES])
{
    char why[KEYRING_ERROR_BYTES];
    struct keyring keyring;
    struct vault *vault = vault_new(key);
    bool good = keyring_init(&keyring, config->database, NULL, vault) && keyring_load(&keyring, why) == KEYRING_OK;

    vault_destroy(&vault);
    return good;
}

/* The next key, if there is one, as the keyring there would have been sealed with it. */
static bool read_next(const struct config *config, uint8_t key[CONFIG_KEY_BYTES])
{
    char why[CONFIG_ERROR_BYTES], *line;
    struct keyring_kdf kdf;
    bool good;

    if (config->next_master_key_file)
        return secrets_read_master(config->next_master_key_file, key, why);
    if (!config->next_master_key_passphrase_file || keyring_kdf_read(config->database, &kdf, why) != KEYRING_OK)
        return false;
    line = sodium_malloc(PASSPHRASE_MAX_BYTES);
    good = line && read_file(config->next_master_key_passphrase_file, line, why) && derive(&kdf, line, key, why);
    sodium_free(line);
    return good;
}

/* The change is made by the hub while it runs; the configuration follows when somebody gets to it. */
static bool take_next(struct secrets *secrets, const struct config *config)
{
    uint8_t next[CONFIG_KEY_BYTES];
    bool changed = read_next(config, next) && opens(config, next);

    if (changed) {
        memcpy(secrets->master_key, next, sizeof next);
        if (config->next_master_key_file)
            LOG_LINE(LOG_LEVEL_WARNING,
                     "the master key has been changed to the one in %s: make that the master-key-file",
                     config->next_master_key_file);
        else
            LOG_LINE(LOG_LEVEL_WARNING,
                     "the master key has been changed to the passphrase in %s: set master-key-passphrase, and remove "
                     "that file",
                     config->next_master_key_passphrase_file);
    }
    sodium_memzero(next, sizeof next);
    return changed;
}

bool master_key_complete(struct secrets *secrets, const struct config *config, struct keyring_kdf *kdf,
                         bool *passphrase, char error[CONFIG_ERROR_BYTES])
{
    sodium_mprotect_readwrite(secrets);
    bool taken = take_next(secrets, config);
    *passphrase = !taken && config->master_key_passphrase;
    bool good = !*passphrase || ask(config, kdf, secrets->master_key, error);
    sodium_mprotect_readonly(secrets);
    return good;
}

/* ---- While it is being changed ----------------------------------------------------------------------------------- */

enum deriving { NOTHING, UNDER_WAY, DONE, FAILED };

/* In locked memory. While UNDER_WAY it is the worker's, else the core's. */
struct master_key_next {
    const struct config *config;
    struct worker *worker;
    _Atomic int state; /* an enum deriving */
    struct keyring_kdf kdf;
    uint8_t key[CONFIG_KEY_BYTES];
    char line[PASSPHRASE_MAX_BYTES], error[CONFIG_ERROR_BYTES];
};

struct master_key_next *master_key_next_new(const struct config *config)
{
    struct master_key_next *next = sodium_malloc(sizeof *next);

    if (!next)
        abort();
    sodium_memzero(next, sizeof *next);
    next->config = config;
    return next;
}

void master_key_next_free(struct master_key_next **next)
{
    if (!*next)
        return;
    worker_stop(&(*next)->worker);
    sodium_free(*next);
    *next = NULL;
}

static void make_key(void *ctx)
{
    struct master_key_next *next = ctx;

    keyring_kdf_choose(&next->kdf);
    next->state = derive(&next->kdf, next->line, next->key, next->error) ? DONE : FAILED;
}

/* From the file's passphrase, on a thread: argon2id is meant to take long. */
static void begin(struct master_key_next *next)
{
    next->state = FAILED;
    if (!read_file(next->config->next_master_key_passphrase_file, next->line, next->error))
        return;
    next->worker = worker_start();
    if (!next->worker) {
        snprintf(next->error, CONFIG_ERROR_BYTES, "no thread to make the key from the passphrase: %s", strerror(errno));
        return;
    }
    next->state = UNDER_WAY;
    worker_run(next->worker, make_key, next);
}

static enum core_next from_passphrase(struct master_key_next *next, uint8_t *key, struct keyring_kdf *kdf,
                                      char error[CORE_ERROR_BYTES])
{
    if (next->state == NOTHING)
        begin(next);
    if (next->state == UNDER_WAY)
        return CORE_NEXT_LATER;
    bool good = next->state == DONE;
    if (good) {
        memcpy(key, next->key, sizeof next->key);
        *kdf = next->kdf;
    } else {
        snprintf(error, CORE_ERROR_BYTES, "%.500s", next->error);
    }
    worker_stop(&next->worker);
    sodium_memzero(next->key, sizeof next->key);
    sodium_memzero(next->line, sizeof next->line);
    next->state = NOTHING;
    return good ? CORE_NEXT_THERE : CORE_NEXT_NONE;
}

enum core_next master_key_next(void *ctx, uint8_t *key, struct keyring_kdf *kdf, char error[CORE_ERROR_BYTES])
{
    struct master_key_next *next = ctx;
    uint8_t unused[CONFIG_KEY_BYTES];
    char why[CONFIG_ERROR_BYTES] =
        "neither next-master-key-file nor next-master-key-passphrase-file is set in the hub's "
        "configuration";
    bool good = false;

    if (next->config->next_master_key_passphrase_file && key)
        return from_passphrase(next, key, kdf, error);
    if (next->config->next_master_key_passphrase_file) {
        char *line = sodium_malloc(PASSPHRASE_MAX_BYTES);
        good = line && read_file(next->config->next_master_key_passphrase_file, line, why);
        sodium_free(line);
    } else if (next->config->next_master_key_file) {
        good = secrets_read_master(next->config->next_master_key_file, key ? key : unused, why);
    }
    if (good && kdf)
        *kdf = (struct keyring_kdf){.operations = 0};
    if (!good)
        snprintf(error, CORE_ERROR_BYTES, "%.500s", why);
    sodium_memzero(unused, sizeof unused);
    return good ? CORE_NEXT_THERE : CORE_NEXT_NONE;
}
