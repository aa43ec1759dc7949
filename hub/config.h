/* config.h - the daemon's configuration file (see hub.conf.example). */
#ifndef CAREHUB_CONFIG_H
#define CAREHUB_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/core.h"
#include "log_line.h"

enum {
    CONFIG_ERROR_BYTES = 1024,
    CONFIG_FILE_MAX_BYTES = 64 << 10,
    CONFIG_KEY_BYTES = 32,
    LISTEN_MAX = 8,      /* endpoints */
    IO_THREADS_MAX = 16, /* of libzmq */
    WITNESSES_MAX = 16,
};

/* All texts are owned by the struct. Paths are absolute, or relative to the working directory as the
 * configuration file's path is. */
struct config {
    char *name; /* of the hub */
    char *listen[LISTEN_MAX];
    size_t n_listen;
    char *database;
    char *key_file;
    char *master_key_file;       /* NULL: from the credentials directory */
    char *master_key_passphrase; /* where from: "terminal", "credential", or a file descriptor's number; NULL: none */
    char *next_master_key_file;  /* or NULL */
    char *next_master_key_passphrase_file; /* or NULL; not both */
    char *policy_file;
    char *endpoint_file;  /* or NULL */
    char *user;           /* or NULL */
    char *tlog_directory; /* of the audit log: files are made there */
    char *log_origin;     /* its name */
    int64_t checkpoint_every_s, checkpoint_every_entries;
    bool prune_tiles;                             /* that hold only entries which are no longer kept */
    struct core_witness witnesses[WITNESSES_MAX]; /* both texts of each are in one block, the key's */
    size_t n_witnesses;
    uint8_t next_key[CONFIG_KEY_BYTES], first_operator[CONFIG_KEY_BYTES];
    bool has_next_key, has_first_operator;
    int64_t payload_retention_days, entry_retention_days; /* 0: for ever */
    int64_t io_threads;
    int64_t commit_delay_us;
    enum log_level log_level;
};

/* Reads and checks `path`. False with the reason in `error`, which names file and setting. */
bool config_load(struct config *config, const char *path, char error[CONFIG_ERROR_BYTES]);

void config_free(struct config *config);

/* Reads a whole text file of up to `max` bytes; free() it. NULL with the reason in `error`. */
char *config_read_file(const char *path, size_t max, char error[CONFIG_ERROR_BYTES]);

/* Exactly CONFIG_KEY_BYTES in hex. */
bool config_parse_key(const char *hex, uint8_t key[CONFIG_KEY_BYTES]);

#endif
