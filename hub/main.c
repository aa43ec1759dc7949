/* carehubd - the hub's daemon. Reads its configuration, starts the core's thread and the gate, and ends them
 * in order. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "config.h"
#include "route/policy.h"
#include "keeping/restore.h"
#include "core_thread.h"
#include "gate/frame.h"
#include "gate/gate.h"
#include "hub_limits.h"
#include "log_line.h"
#include "master_key.h"
#include "restored.h"
#include "secrets.h"
#include "service.h"

enum { EXIT_CONFIG = 2 }; /* starting again does not help */

static const char usage[] =
    "usage: carehubd --config FILE [--check-config | --restore BACKUP]\n"
    "       carehubd --version | --help\n"
    "\n"
    "The hub for care events: takes them from clients, logs them, and delivers them to the care team.\n"
    "\n"
    "  -c, --config FILE    the configuration (hub.conf.example explains every setting)\n"
    "      --check-config   check configuration and keys, say what is wrong, and end\n"
    "      --restore BACKUP check a backup, put it in the place of the database, and end; the hub must not run\n"
    "      --version        print the version\n"
    "      --help           print this\n"
    "\n"
    "SIGTERM and SIGINT end it in order: what has been received is committed and confirmed first.\n"
    "Exit status: 0 ended in order; 1 cannot run; 2 the configuration or the command line is wrong.\n";

/* Everything that runs. */
struct daemon {
    struct config config;
    struct secrets *secrets;
    struct keyring_kdf kdf; /* if has_passphrase */
    bool has_passphrase;
    struct master_key_next *next_master_key;
    char *policy;
    uv_loop_t loop;
    uv_signal_t terminate, interrupt;
    struct queue inbound;
    struct outbound outbound;
    struct gate *gate;
    struct core_thread *core;
};

/* ---- The command line ------------------------------------------------------------------------------------------- */

struct arguments {
    const char *config, *restore;
    bool check;
};

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},  {"check-config", no_argument, NULL, 'k'},
        {"restore", required_argument, NULL, 'r'}, {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments->config = optarg;
            break;
        case 'k':
            arguments->check = true;
            break;
        case 'r':
            arguments->restore = optarg;
            break;
        case 'v':
            puts("carehubd " CAREHUB_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs("try carehubd --help\n", stderr);
            return EXIT_CONFIG;
        }
    }
    if (arguments->config && optind == argc)
        return -1;
    fputs(usage, stderr);
    return EXIT_CONFIG;
}

static bool policy_sound(const struct daemon *d, char error[CONFIG_ERROR_BYTES])
{
    char why[POLICY_ERROR_BYTES];
    struct policy *policy = policy_read(d->policy, strlen(d->policy), why);
    if (!policy)
        snprintf(error, CONFIG_ERROR_BYTES, "%s: %.400s", d->config.policy_file, why);
    bool sound = policy != NULL;
    policy_destroy(&policy);
    return sound;
}

/* Everything that can be checked without opening the database. */
static bool load(struct daemon *d, const char *path)
{
    char error[CONFIG_ERROR_BYTES];

    if (config_load(&d->config, path, error)) {
        log_line_set_level(d->config.log_level);
        d->secrets = secrets_load(&d->config, error);
        if (d->secrets)
            d->policy = config_read_file(d->config.policy_file, POLICY_MAX_BYTES, error);
        if (d->policy && policy_sound(d, error))
            return true;
    }
    LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
    return false;
}

/* What has to be asked for, or looked up beside the database. */
static bool complete_master_key(struct daemon *d)
{
    char error[CONFIG_ERROR_BYTES];
    bool good = master_key_complete(d->secrets, &d->config, &d->kdf, &d->has_passphrase, error);

    d->next_master_key = master_key_next_new(&d->config);
    if (!good)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
    return good;
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static bool start_gate(struct daemon *d)
{
    char error[GATE_ERROR_BYTES];
    struct gate_options options = {
        .public_key = d->secrets->public_key,
        .secret_key = d->secrets->secret_key,
        .io_threads = (int)d->config.io_threads,
        .inbound = &d->inbound,
        .outbound = &d->outbound,
    };

    for (size_t i = 0; i < d->config.n_listen; i++)
        options.ipv6 = options.ipv6 || strchr(d->config.listen[i], '[') != NULL;
    d->gate = gate_new(&d->loop, &options, error);
    if (!d->gate)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
    return d->gate != NULL;
}

static bool start_core(struct daemon *d)
{
    char error[CORE_ERROR_BYTES];
    const struct core_thread_options options = {
        .core =
            {
                .hub_name = d->config.name,
                .database_path = d->config.database,
                .master_key = d->secrets->master_key,
                .policy_text = d->policy,
                .first_operator = d->config.has_first_operator ? d->config.first_operator : NULL,
                .ack_delay_ms = ACK_DELAY_MS,
                .commit_delay_us = (uint32_t)d->config.commit_delay_us,
                .next_hub_key = d->config.has_next_key ? d->config.next_key : NULL,
                .kdf = d->has_passphrase ? &d->kdf : NULL,
                .next_master_key = master_key_next,
                .next_master_key_ctx = d->next_master_key,
                .payload_kept_ms = d->config.payload_retention_days * DAY_MS,
                .entry_kept_ms = d->config.entry_retention_days * DAY_MS,
                .tlog = {.directory = d->config.tlog_directory,
                         .origin = d->config.log_origin,
                         .every_s = (uint32_t)d->config.checkpoint_every_s,
                         .every_entries = (uint32_t)d->config.checkpoint_every_entries,
                         .prune = d->config.prune_tiles,
                         .witnesses = d->config.witnesses,
                         .n_witnesses = d->config.n_witnesses},
            },
        .inbound = &d->inbound,
        .outbound = &d->outbound,
        .room = gate_wake,
        .room_arg = d->gate,
    };

    d->core = core_thread_start(&options, error);
    if (!d->core)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
    return d->core != NULL;
}

static bool listen_on(struct daemon *d, const char *endpoint, bool first)
{
    char error[GATE_ERROR_BYTES], file_error[SERVICE_ERROR_BYTES];
    const char *bound = gate_listen(d->gate, endpoint, error);

    if (!bound) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
        return false;
    }
    if (first && d->config.endpoint_file && !service_write_file(d->config.endpoint_file, bound, file_error)) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", file_error);
        return false;
    }
    fprintf(stderr, "carehubd: ready on %s\n", bound);
    return true;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

static void on_closed(uv_handle_t *handle)
{
    (void)handle;
}

static bool start(struct daemon *d)
{
    char error[SERVICE_ERROR_BYTES];

    if (!service_become(d->config.user, error) || !service_lock(d->config.database, error)) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
        return false;
    }
    if (!start_gate(d) || !start_core(d))
        return false;
    for (size_t i = 0; i < d->config.n_listen; i++) {
        if (!listen_on(d, d->config.listen[i], i == 0))
            return false;
    }
    return true;
}

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

/* What was received is still committed and confirmed; what was not read yet stays with the clients. */
static void stop(struct daemon *d)
{
    if (d->gate)
        gate_stop_reading(d->gate);
    core_thread_stop(&d->core);
    if (d->gate)
        gate_farewell(d->gate, "the hub is shutting down; connect again later");
    gate_free(&d->gate);
}

static void free_inbound(struct queue *queue)
{
    for (struct queue_node *node = queue_take(queue), *next; node; node = next) {
        next = node->next;
        frame_free((struct frame *)node);
    }
    queue_fini(queue);
}

static int run(struct daemon *d)
{
    uv_loop_init(&d->loop);
    uv_signal_init(&d->loop, &d->terminate);
    uv_signal_init(&d->loop, &d->interrupt);
    uv_signal_start(&d->terminate, on_signal, SIGTERM);
    uv_signal_start(&d->interrupt, on_signal, SIGINT);
    queue_init(&d->inbound, INBOUND_MAX_ITEMS, INBOUND_MAX_BYTES);
    outbound_init(&d->outbound);

    bool started = start(d);
    if (started) {
        service_notify("READY=1");
        uv_run(&d->loop, UV_RUN_DEFAULT);
        service_notify("STOPPING=1");
    }
    stop(d);
    uv_close((uv_handle_t *)&d->terminate, on_closed);
    uv_close((uv_handle_t *)&d->interrupt, on_closed);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_loop_close(&d->loop);
    outbound_fini(&d->outbound);
    free_inbound(&d->inbound);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- Restoring -------------------------------------------------------------------------------------------------- */

/* A line that is written over, on a terminal; nothing elsewhere. */
static void show_progress(void *ctx, const char *doing, uint64_t done, uint64_t total)
{
    int *shown = ctx, percent = total ? (int)(100 * done / total) : 100;
    if (!isatty(STDERR_FILENO) || percent == *shown)
        return;
    fprintf(stderr, "\r%s the backup: %d%% ", doing, percent);
    *shown = percent;
}

static int restore(struct daemon *d, const char *backup)
{
    static struct restore restore;
    char error[CORE_ERROR_BYTES], service_error[SERVICE_ERROR_BYTES];
    int shown = -1;
    restore = (struct restore){.backup_path = backup,
                               .database_path = d->config.database,
                               .master_key = d->secrets->master_key,
                               .progress = show_progress,
                               .ctx = &shown};
    if (!service_become(d->config.user, service_error) || !service_lock(d->config.database, service_error)) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", service_error);
        return EXIT_FAILURE;
    }
    bool good = core_restore(&restore, error);
    if (shown >= 0)
        fputs("\r\033[K", stderr);
    if (!good) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
        return EXIT_FAILURE;
    }
    restored_tell(&restore, d->config.tlog_directory);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct daemon d;
    struct arguments arguments = {0};
    int status = parse_arguments(argc, argv, &arguments);

    if (status >= 0)
        return status;
    service_harden();
    if (sodium_init() < 0) {
        fputs("carehubd: the cryptographic library cannot be started\n", stderr);
        return EXIT_FAILURE;
    }
    if (!load(&d, arguments.config))
        status = EXIT_CONFIG;
    else if (arguments.check)
        status = EXIT_SUCCESS;
    else if (!complete_master_key(&d))
        status = EXIT_CONFIG;
    else if (arguments.restore)
        status = restore(&d, arguments.restore);
    else
        status = run(&d);
    master_key_next_free(&d.next_master_key);
    secrets_free(&d.secrets);
    free(d.policy);
    config_free(&d.config);
    return status;
}
