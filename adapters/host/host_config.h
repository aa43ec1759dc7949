/* host_config.h - an adapter's configuration file (see adapters/hospital/hospital.conf.example): what is the host's
 * own. The sections of the format are read by the format. */
#ifndef CAREHUB_HOST_CONFIG_H
#define CAREHUB_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "carehub.h"
#include "format.h"
#include "log_line.h"

enum { HOST_LISTEN_MAX = 8, HOST_CONFIG_MAX_BYTES = 256 << 10 };

struct host_listen {
    char *endpoint; /* as written */
    struct sockaddr_storage address;
    bool beyond_loopback; /* the operator said so in so many words */
    int64_t connections_max;
    int64_t message_max_bytes;
    int64_t idle_timeout_ms; /* 0: never */
    int64_t frame_timeout_ms;
};

struct host_config {
    struct carehub_options hub;
    bool has_hub;
    struct host_listen listen[HOST_LISTEN_MAX];
    size_t n_listen;
    char *state_dir;
    char *status_file;   /* or NULL */
    char *endpoint_file; /* or NULL: where the first listener's address is written */
    int64_t confirm_timeout_ms;
    int64_t remember_days;
    enum log_level log_level;
    void *format_settings; /* the format's */
};

/* Reads and checks `path`, the format's part included. Relative paths start at the file's own folder. With `hub` false
 * the section of the hub is not read, and no key is needed. False with the reason in `error`, which names file and
 * setting. */
bool host_config_load(struct host_config *config, const char *path, const struct format *format, bool hub,
                      char error[FORMAT_ERROR_BYTES]);
void host_config_free(struct host_config *config, const struct format *format);

#endif
