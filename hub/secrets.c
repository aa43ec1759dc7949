#include "secrets.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { KEY_FILE_MAX_BYTES = 4096, PATH_BYTES = 512 };

/* A key that somebody else could have read is not a secret. */
static bool is_private(const char *path, mode_t allowed, char error[CONFIG_ERROR_BYTES])
{
    struct stat about;

    if (stat(path, &about) != 0) {
        snprintf(error, CONFIG_ERROR_BYTES, "cannot open %s: %s", path, strerror(errno));
        return false;
    }
    if (S_ISREG(about.st_mode) && (about.st_mode & 07777 & ~allowed) == 0)
        return true;
    snprintf(error, CONFIG_ERROR_BYTES,
             "%s may be read by others: chmod 0600 it; if others have access to this machine, make a new key", path);
    return false;
}

static void wipe(char *text)
{
    if (!text)
        return;
    sodium_memzero(text, strlen(text));
    free(text);
}

static char *skip_spaces(char *at)
{
    while (isspace((unsigned char)*at))
        at++;
    return at;
}

/* Finds `name = <64 hex digits>`, the digits with or without double quotes, on a line of its own. */
static bool find_key(char *text, const char *name, uint8_t key[CONFIG_KEY_BYTES])
{
    size_t size = strlen(name);

    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        char *at = skip_spaces(line);
        bool found = false;
        if (strncmp(at, name, size) == 0 && *(at = skip_spaces(at + size)) == '=') {
            char digits[2 * CONFIG_KEY_BYTES + 1] = "", rest = '\0';
            at = skip_spaces(at + 1);
            at += *at == '"';
            snprintf(digits, sizeof digits, "%s", at);
            at += strlen(digits);
            rest = *skip_spaces(at + (*at == '"'));
            found = (rest == '\0' || rest == '#') && config_parse_key(digits, key);
            sodium_memzero(digits, sizeof digits);
        }
        if (next)
            next[-1] = '\n';
        if (found)
            return true;
    }
    return false;
}

static bool load_pair(struct secrets *secrets, const char *path, char error[CONFIG_ERROR_BYTES])
{
    uint8_t derived[CONFIG_KEY_BYTES];
    char *text = is_private(path, 0600, error) ? config_read_file(path, KEY_FILE_MAX_BYTES, error) : NULL;
    const char *wrong = NULL;

    if (!text)
        return false;
    if (!find_key(text, "public-key", secrets->public_key) || !find_key(text, "secret-key", secrets->secret_key))
        wrong = "needs two lines, public-key = and secret-key =, each with 64 hexadecimal digits";
    else if (crypto_scalarmult_base(derived, secrets->secret_key) != 0 ||
             memcmp(derived, secrets->public_key, sizeof derived) != 0)
        wrong = "holds a public key that does not belong to its secret key; make a new pair";
    wipe(text);
    if (wrong)
        snprintf(error, CONFIG_ERROR_BYTES, "%s %s", path, wrong);
    return !wrong;
}

static bool read_master(const char *path, mode_t allowed, uint8_t key[CONFIG_KEY_BYTES], char error[CONFIG_ERROR_BYTES])
{
    char *text = is_private(path, allowed, error) ? config_read_file(path, KEY_FILE_MAX_BYTES, error) : NULL;
    if (!text)
        return false;
    text[strcspn(text, " \t\r\n")] = '\0';
    bool ok = config_parse_key(text, key);
    wipe(text);
    if (!ok)
        snprintf(error, CONFIG_ERROR_BYTES, "%s has to hold 64 hexadecimal digits and nothing else", path);
    return ok;
}

bool secrets_read_master(const char *path, uint8_t key[CONFIG_KEY_BYTES], char error[CONFIG_ERROR_BYTES])
{
    return read_master(path, 0600, key, error);
}

static bool load_master(struct secrets *secrets, const struct config *config, char error[CONFIG_ERROR_BYTES])
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    char in_credentials[PATH_BYTES] = "";
    const char *path = config->master_key_file;
    mode_t allowed = 0600;

    if (config->master_key_passphrase) {
        sodium_memzero(secrets->master_key, sizeof secrets->master_key);
        return true;
    }

    if (!path && credentials) {
        snprintf(in_credentials, sizeof in_credentials, "%s/master-key", credentials);
        path = in_credentials;
        allowed = 0640; /* systemd shows its access list as group bits */
    }
    if (!path) {
        snprintf(error, CONFIG_ERROR_BYTES,
                 "there is no master key: set master-key-file, or give systemd the "
                 "credential 'master-key' (LoadCredential=)");
        return false;
    }
    return read_master(path, allowed, secrets->master_key, error);
}

struct secrets *secrets_load(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
    struct secrets *secrets = sodium_malloc(sizeof *secrets);

    if (!secrets) {
        snprintf(error, CONFIG_ERROR_BYTES, "no locked memory for the keys: %s", strerror(errno));
        return NULL;
    }
    if (load_pair(secrets, config->key_file, error) && load_master(secrets, config, error)) {
        sodium_mprotect_readonly(secrets);
        return secrets;
    }
    secrets_free(&secrets);
    return NULL;
}

void secrets_free(struct secrets **secrets)
{
    sodium_free(*secrets);
    *secrets = NULL;
}
