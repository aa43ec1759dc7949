/* conf.h - a client's configuration file, as libcarehub reads it (carehub_options_load). */
#ifndef CAREHUB_CLI_CONF_H
#define CAREHUB_CLI_CONF_H

#include <stdint.h>

enum { CONF_ENDPOINT_BYTES = 256, CONF_NAME_BYTES = 80 };

struct conf {
    char endpoint[CONF_ENDPOINT_BYTES];
    uint8_t hub_key[32];
    const char *key_file; /* relative to the configuration file's directory */
    char client[CONF_NAME_BYTES];
    const char *spool; /* relative too; NULL: none */
};

/* Writes a new file (0600), on stable storage; refuses to overwrite. Returns an exit code. */
int conf_write(const struct conf *conf, const char *path);

/* Writes a whole new file with that mode, on stable storage; refuses to overwrite. Returns an exit code. */
int file_write(const char *path, unsigned mode, const void *bytes, unsigned long size);

#endif
