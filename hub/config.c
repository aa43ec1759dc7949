#include "config.h"

#include <czmq.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/names.h"
#include "audit/note.h"
#include "gate/memory.h"
#include "hub_limits.h"

#define DEFAULT_LISTEN "tcp://127.0.0.1:7460"

/* ---- Reading one value of each kind ----------------------------------------------------------------------------- */

/* A value on its way into the struct. */
struct reading {
    struct config *config;
    const char *path; /* of the configuration file */
    const char *value;
    const char *complaint; /* what is wrong with the value */
};

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(memory_get(size), text, size);
}

static bool read_text(struct reading *reading, void *field)
{
    *(char **)field = copy(reading->value);
    return true;
}

/* Relative to the directory of the configuration file, wherever the daemon was started. */
static bool read_path(struct reading *reading, void *field)
{
    const char *slash = strrchr(reading->path, '/');
    int directory = slash && reading->value[0] != '/' ? (int)(slash - reading->path) + 1 : 0;
    size_t size = (size_t)directory + strlen(reading->value) + 1;
    char *path = memory_get(size);

    snprintf(path, size, "%.*s%s", directory, reading->path, reading->value);
    *(char **)field = path;
    return true;
}

static bool read_name(struct reading *reading, void *field)
{
    reading->complaint = "has to be " HUB_NAME_RULE;
    return hub_name_usable(reading->value) && read_text(reading, field);
}

static bool read_listen(struct reading *reading, void *field)
{
    struct config *config = reading->config;

    (void)field;
    reading->complaint = "has to be tcp://ADDRESS:PORT, at most 8 times; ADDRESS is one of this machine, PORT may be *";
    if (strncmp(reading->value, "tcp://", 6) != 0 || !strchr(reading->value + 6, ':') || config->n_listen == LISTEN_MAX)
        return false;
    return read_text(reading, &config->listen[config->n_listen++]);
}

bool config_parse_key(const char *hex, uint8_t key[CONFIG_KEY_BYTES])
{
    size_t size;

    return strlen(hex) == 2 * CONFIG_KEY_BYTES &&
           sodium_hex2bin(key, CONFIG_KEY_BYTES, hex, strlen(hex), NULL, &size, NULL) == 0 && size == CONFIG_KEY_BYTES;
}

static bool read_key(struct reading *reading, void *field)
{
    reading->complaint = "has to be a public key of 64 hexadecimal digits";
    return config_parse_key(reading->value, field);
}

static bool read_next_key(struct reading *reading, void *field)
{
    return reading->config->has_next_key = read_key(reading, field);
}

static bool read_first_operator(struct reading *reading, void *field)
{
    return reading->config->has_first_operator = read_key(reading, field);
}

static bool read_number(struct reading *reading, int64_t min, int64_t max, int64_t *number)
{
    char *end;

    errno = 0;
    *number = strtoll(reading->value, &end, 10);
    return errno == 0 && end != reading->value && *end == '\0' && *number >= min && *number <= max;
}

static bool read_io_threads(struct reading *reading, void *field)
{
    reading->complaint = "has to be a number from 1 to 16";
    return read_number(reading, 1, IO_THREADS_MAX, field);
}

static bool read_days(struct reading *reading, void *field)
{
    reading->complaint = "has to be a number of days from 1 to 36500; 0: for ever";
    return read_number(reading, 0, 36500, field);
}

static bool read_passphrase(struct reading *reading, void *field)
{
    int64_t fd;

    reading->complaint = "has to be terminal, credential, or the number of a file descriptor from 0 to 1023";
    if (strcmp(reading->value, "terminal") != 0 && strcmp(reading->value, "credential") != 0 &&
        !read_number(reading, 0, 1023, &fd))
        return false;
    return read_text(reading, field);
}

static bool read_commit_delay(struct reading *reading, void *field)
{
    reading->complaint = "has to be a number of microseconds from 0 to 10000000";
    return read_number(reading, 0, 10000000, field);
}

static bool read_checkpoint_seconds(struct reading *reading, void *field)
{
    reading->complaint = "has to be a number of seconds from 1 to 86400";
    return read_number(reading, 1, 86400, field);
}

static bool read_checkpoint_entries(struct reading *reading, void *field)
{
    reading->complaint = "has to be a number of entries from 1 to 1000000000";
    return read_number(reading, 1, 1000000000, field);
}

static bool read_yes_or_no(struct reading *reading, void *field)
{
    bool yes = strcmp(reading->value, "yes") == 0;

    reading->complaint = "has to be yes or no";
    *(bool *)field = yes;
    return yes || strcmp(reading->value, "no") == 0;
}

static bool read_origin(struct reading *reading, void *field)
{
    reading->complaint = "has to be " LOG_ORIGIN_RULE;
    return log_origin_usable(reading->value) && read_text(reading, field);
}

/* "KEY URL": both in one block of memory, cut apart. */
static bool read_witness(struct reading *reading, void *field)
{
    struct config *config = reading->config;
    struct vkey key;

    (void)field;
    reading->complaint = "has to be the witness's verifier key (an Ed25519 one, type 0x04: no other is known here), a "
                         "space, and its URL (http:// or https://), all in one pair of quotes; at most 16";
    if (config->n_witnesses == WITNESSES_MAX)
        return false;
    char *text = copy(reading->value), *space = strchr(text, ' ');
    bool good = space != NULL;
    if (good) {
        *space++ = '\0';
        space += strspn(space, " ");
        good = vkey_parse(text, &key) && key.type == NOTE_COSIGNATURE &&
               (strncmp(space, "https://", 8) == 0 || strncmp(space, "http://", 7) == 0) && !strpbrk(space, " \t");
    }
    if (good)
        config->witnesses[config->n_witnesses++] = (struct core_witness){text, space};
    else
        free(text);
    return good;
}

static bool read_level(struct reading *reading, void *field)
{
    reading->complaint = "has to be error, warning, info or debug";
    return log_level_by_name(reading->value, field);
}

/* ---- The settings ----------------------------------------------------------------------------------------------- */

#define FIELD(member) offsetof(struct config, member)

static const struct setting {
    const char *name;
    bool (*read)(struct reading *reading, void *field);
    size_t field;
    bool required, repeats;
} settings[] = {
    {"name", read_name, FIELD(name), true, false},
    {"listen", read_listen, FIELD(listen), false, true},
    {"database", read_path, FIELD(database), true, false},
    {"key-file", read_path, FIELD(key_file), true, false},
    {"master-key-file", read_path, FIELD(master_key_file), false, false},
    {"master-key-passphrase", read_passphrase, FIELD(master_key_passphrase), false, false},
    {"next-master-key-file", read_path, FIELD(next_master_key_file), false, false},
    {"next-master-key-passphrase-file", read_path, FIELD(next_master_key_passphrase_file), false, false},
    {"payload-retention-days", read_days, FIELD(payload_retention_days), false, false},
    {"entry-retention-days", read_days, FIELD(entry_retention_days), false, false},
    {"policy-file", read_path, FIELD(policy_file), true, false},
    {"tlog-directory", read_path, FIELD(tlog_directory), false, false},
    {"log-origin", read_origin, FIELD(log_origin), false, false},
    {"checkpoint-every-seconds", read_checkpoint_seconds, FIELD(checkpoint_every_s), false, false},
    {"checkpoint-every-entries", read_checkpoint_entries, FIELD(checkpoint_every_entries), false, false},
    {"prune-tiles", read_yes_or_no, FIELD(prune_tiles), false, false},
    {"witness", read_witness, FIELD(witnesses), false, true},
    {"next-key", read_next_key, FIELD(next_key), false, false},
    {"first-operator", read_first_operator, FIELD(first_operator), false, false},
    {"endpoint-file", read_path, FIELD(endpoint_file), false, false},
    {"user", read_text, FIELD(user), false, false},
    {"io-threads", read_io_threads, FIELD(io_threads), false, false},
    {"log-level", read_level, FIELD(log_level), false, false},
    {"commit-delay-us", read_commit_delay, FIELD(commit_delay_us), false, false},
};

enum { SETTINGS = sizeof settings / sizeof settings[0] };

static bool read_setting(struct reading *reading, zconfig_t *item, bool seen[SETTINGS], char error[CONFIG_ERROR_BYTES])
{
    const char *name = zconfig_name(item);

    reading->value = zconfig_value(item);
    for (size_t i = 0; i < SETTINGS; i++) {
        if (strcmp(settings[i].name, name) != 0)
            continue;
        if (seen[i] && !settings[i].repeats)
            reading->complaint = "is set twice; keep one of them";
        else if (zconfig_child(item))
            reading->complaint = "has no settings of its own; is a line below it indented by mistake?";
        else if (!reading->value || !*reading->value)
            reading->complaint = "has no value; give it one or remove the line";
        else if (settings[i].read(reading, (char *)reading->config + settings[i].field))
            return seen[i] = true;
        snprintf(error, CONFIG_ERROR_BYTES, "%s: setting '%s' %s", reading->path, name, reading->complaint);
        return false;
    }
    snprintf(error, CONFIG_ERROR_BYTES, "%s: there is no setting '%s'; hub.conf.example lists those that there are",
             reading->path, name);
    return false;
}

static bool read_settings(struct reading *reading, zconfig_t *root, char error[CONFIG_ERROR_BYTES])
{
    bool seen[SETTINGS] = {false};

    for (zconfig_t *item = zconfig_child(root); item; item = zconfig_next(item)) {
        if (!read_setting(reading, item, seen, error))
            return false;
    }
    for (size_t i = 0; i < SETTINGS; i++) {
        if (settings[i].required && !seen[i]) {
            snprintf(error, CONFIG_ERROR_BYTES, "%s: setting '%s' is missing", reading->path, settings[i].name);
            return false;
        }
    }
    if (!reading->config->next_master_key_file || !reading->config->next_master_key_passphrase_file)
        return true;
    snprintf(error, CONFIG_ERROR_BYTES,
             "%s: set next-master-key-file or next-master-key-passphrase-file, not both: there is one next master key",
             reading->path);
    return false;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

char *config_read_file(const char *path, size_t max, char error[CONFIG_ERROR_BYTES])
{
    FILE *file = fopen(path, "re");
    char *text = file ? memory_get(max + 2) : NULL;

    if (!file) {
        snprintf(error, CONFIG_ERROR_BYTES, "cannot open %s: %s", path, strerror(errno));
        return NULL;
    }
    size_t size = fread(text, 1, max + 1, file);
    int failed = ferror(file) ? errno : 0;
    fclose(file);
    text[size] = '\0';
    if (!failed && size <= max && strlen(text) == size)
        return text;
    snprintf(error, CONFIG_ERROR_BYTES, "cannot read %s: %s", path,
             failed       ? strerror(failed)
             : size > max ? "it is too large to be the right file"
                          : "it is not a text file");
    sodium_memzero(text, size);
    free(text);
    return NULL;
}

bool config_load(struct config *config, const char *path, char error[CONFIG_ERROR_BYTES])
{
    struct reading reading = {.config = config, .path = path};
    char *text = config_read_file(path, CONFIG_FILE_MAX_BYTES, error);

    *config = (struct config){.io_threads = 1,
                              .checkpoint_every_s = CHECKPOINT_EVERY_S,
                              .checkpoint_every_entries = CHECKPOINT_EVERY_ENTRIES,
                              .payload_retention_days = PAYLOAD_RETENTION_DAYS,
                              .entry_retention_days = ENTRY_RETENTION_DAYS,
                              .log_level = LOG_LEVEL_INFO};
    if (!text)
        return false;
    zconfig_t *root = zconfig_str_load(text); /* tells on stderr which line it does not understand */
    free(text);
    if (!root) {
        snprintf(error, CONFIG_ERROR_BYTES,
                 "%s: not in the form 'setting = value'; the line in brackets above is the first that is wrong", path);
        return false;
    }
    bool ok = read_settings(&reading, root, error);
    zconfig_destroy(&root);
    if (ok && !config->tlog_directory && asprintf(&config->tlog_directory, "%s.tlog", config->database) < 0)
        abort();
    if (ok && !config->log_origin)
        config->log_origin = copy(config->name);
    if (ok && config->n_listen == 0)
        config->listen[config->n_listen++] = copy(DEFAULT_LISTEN);
    if (!ok)
        config_free(config);
    return ok;
}

void config_free(struct config *config)
{
    for (size_t i = 0; i < config->n_listen; i++)
        free(config->listen[i]);
    free(config->name);
    free(config->database);
    free(config->key_file);
    free(config->master_key_file);
    free(config->master_key_passphrase);
    free(config->next_master_key_file);
    free(config->next_master_key_passphrase_file);
    free(config->policy_file);
    free(config->endpoint_file);
    free(config->tlog_directory);
    free(config->log_origin);
    for (size_t i = 0; i < config->n_witnesses; i++)
        free((char *)config->witnesses[i].key);
    free(config->user);
    *config = (struct config){0};
}
