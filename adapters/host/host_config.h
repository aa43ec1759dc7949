/* host_config.h - an adapter's configuration file (see adapters/hospital/hospital.conf.example). Here is what is the
 * host's own; the sections of the format, of transports and of subscriptions go to their owners as they are. */
#ifndef CAREHUB_HOST_CONFIG_H
#define CAREHUB_HOST_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub.h"
#include "plugin.h"
#include "transport.h"

enum { HOST_IN_MAX = 16, HOST_OUT_MAX = 64 };

/* What the configuration is read for. */
enum host_config_use {
    HOST_CONFIG_RUN,    /* everything, the client's key included */
    HOST_CONFIG_FORMAT, /* only the format, to try it on files */
    HOST_CONFIG_STATE,  /* only the host's own settings, to look at what is held; no format is loaded */
    HOST_CONFIG_KEPT,   /* the same, and where the client's spool is: all that the adapter keeps */
};

struct host_config {
    struct carehub_setting *tree;
    char *folder; /* of the file: relative paths start here */
    struct carehub_options hub;
    bool has_hub;
    struct plugin plugin; /* loaded and configured */
    struct host_in {
        const struct transport_in *transport;
        const struct carehub_setting *section;
    } in[HOST_IN_MAX];
    size_t n_in;
    const struct carehub_setting *out[HOST_OUT_MAX];
    size_t n_out;
    const struct carehub_setting *subscriptions; /* or NULL */
    char *state_dir;
    char *status_file;   /* or NULL */
    char *endpoint_file; /* or NULL: where the first `in` writes what it listens to */
    int64_t confirm_timeout_ms;
    int64_t remember_days;
    int log_level; /* enum log_level */
};

/* Reads and checks `path`. False with the reason in `error`, which names file and setting. */
bool host_config_load(struct host_config *config, const char *path, enum host_config_use use,
                      char error[CAREHUB_ERROR_BYTES]);
void host_config_free(struct host_config *config);

#endif
