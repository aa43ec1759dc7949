/* carehub-adapter - pairs transports with a format: takes the messages of existing systems, publishes them as care
 * events, and brings care events to systems that speak their own language. */
#include <getopt.h>
#include <json-c/json.h>
#include <limits.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <uv.h>

#include "credentials.h"
#include "forget.h"
#include "host.h"
#include "journal.h"
#include "log_line.h"
#include "service.h"
#include "settings.h"
#include "try_files.h"

#ifndef CAREHUB_VERSION
#define CAREHUB_VERSION "0.1.0"
#endif

enum { EXIT_CONFIG = 2 }; /* starting again does not help */

static const char usage[] =
    "usage: carehub-adapter --config FILE [--check [--json] | --list-held | --retry-held | --test FILE...]\n"
    "       carehub-adapter --config FILE --forget PATIENT [--yes] [--json]\n"
    "       carehub-adapter --plugin NAME|PATH [--config FILE] --test FILE...\n"
    "       carehub-adapter --new-credential NAME --credentials FILE\n"
    "       carehub-adapter --list-plugins [--json] | --version | --help\n"
    "\n"
    "Takes messages in a format of their own (over MLLP, HTTP or folders) and publishes them to the hub as care "
    "events,\n"
    "and the other way round.\n"
    "\n"
    "  -c, --config FILE       the configuration (adapter.conf.example explains it, and for the formats of care\n"
    "                          hospital, pharmacy and homecare.conf.example)\n"
    "      --check             check the configuration and the client's key, say what is wrong, and end\n"
    "      --test              run the format on files, without hub or network: events as JSON on standard output,\n"
    "                          what became of other messages, and a table, on standard error\n"
    "  -p, --plugin NAME|PATH  the format for --test: a name, or a file with a slash in it; of the configuration, if\n"
    "                          there is one, it gets the section 'format'\n"
    "      --list-held         list the messages that are held, by their sender's message id\n"
    "      --retry-held        have them tried again: by the adapter that runs, or when it starts\n"
    "      --forget PATIENT    count what this adapter, which must not run, keeps of a person (ssin:NUMBER, or\n"
    "                          SYSTEM|VALUE); with --yes, take it away for good\n"
    "      --yes               of --forget: do it\n"
    "      --new-credential NAME\n"
    "                          make a token with which NAME may send over HTTP, add it to the credentials FILE (which\n"
    "                          keeps only its hash), and print it, this once\n"
    "      --list-plugins      list the formats that are there\n"
    "      --json              of --check, --forget and --list-plugins: answer as JSON\n"
    "      --version           print the version\n"
    "      --help              print this\n"
    "\n"
    "SIGUSR1 prints the counters. SIGHUP reads certificates, keys and authorities of TLS anew.\n"
    "SIGTERM and SIGINT end it in order: what was received is answered first.\n"
    "Exit status: 0 ended in order, or all is well; 1 cannot run, or --test saw a message refused; 2 the "
    "configuration\n"
    "or the command line is wrong.\n";

enum action {
    ACTION_RUN,
    ACTION_CHECK,
    ACTION_TEST,
    ACTION_LIST_HELD,
    ACTION_RETRY_HELD,
    ACTION_LIST_PLUGINS,
    ACTION_NEW_CREDENTIAL,
    ACTION_FORGET
};

struct arguments {
    const char *config, *plugin;
    const char *name, *credentials; /* of a new credential */
    const char *patient;            /* who is to be forgotten */
    int action;
    bool json, yes;
    char **files;
    int n_files;
};

static bool fit_together(const struct arguments *arguments)
{
    bool is_test = arguments->action == ACTION_TEST, is_new = arguments->action == ACTION_NEW_CREDENTIAL;
    if (is_new != (arguments->credentials != NULL))
        return false;
    if (is_test != (arguments->n_files > 0))
        return false;
    if (arguments->json && arguments->action != ACTION_CHECK && arguments->action != ACTION_LIST_PLUGINS &&
        arguments->action != ACTION_FORGET)
        return false;
    if (arguments->yes && arguments->action != ACTION_FORGET)
        return false;
    if (arguments->action == ACTION_LIST_PLUGINS || is_new)
        return !arguments->config && !arguments->plugin;
    return arguments->plugin ? is_test : arguments->config != NULL;
}

/* -1: go on; otherwise the exit status. */
static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"plugin", required_argument, NULL, 'p'},
        {"check", no_argument, NULL, 'k'},
        {"test", no_argument, NULL, 't'},
        {"list-held", no_argument, NULL, 'l'},
        {"retry-held", no_argument, NULL, 'r'},
        {"list-plugins", no_argument, NULL, 'f'},
        {"new-credential", required_argument, NULL, 'n'},
        {"credentials", required_argument, NULL, 'd'},
        {"forget", required_argument, NULL, 'g'},
        {"yes", no_argument, NULL, 'y'},
        {"json", no_argument, NULL, 'j'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    static const char letters[] = " ktlrfng"; /* the actions' */
    int option;
    while ((option = getopt_long(argc, argv, "c:p:h", options, NULL)) != -1) {
        if (option == 'c') {
            arguments->config = optarg;
        } else if (option == 'p') {
            arguments->plugin = optarg;
        } else if (option == 'd') {
            arguments->credentials = optarg;
        } else if (option == 'j') {
            arguments->json = true;
        } else if (option == 'y') {
            arguments->yes = true;
        } else if (option == 'v') {
            puts("carehub-adapter " CAREHUB_VERSION);
            return EXIT_SUCCESS;
        } else if (option == 'h') {
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        } else if (option == '?') {
            fputs("try carehub-adapter --help\n", stderr);
            return EXIT_CONFIG;
        } else {
            if (option == 'n')
                arguments->name = optarg;
            if (option == 'g')
                arguments->patient = optarg;
            arguments->action = (int)(strchr(letters, option) - letters);
        }
    }
    arguments->files = argv + optind;
    arguments->n_files = argc - optind;
    if (fit_together(arguments))
        return -1;
    fputs(usage, stderr);
    return EXIT_CONFIG;
}

/* ---- Held messages ---------------------------------------------------------------------------------------------- */

static void list_held(struct journal *journal)
{
    struct journal_held held = {0};
    int64_t count = 0;
    while (journal_held_next(journal, held.number, &held)) {
        char at[32];
        time_t seconds = (time_t)(held.received_ms / 1000);
        struct tm utc;
        strftime(at, sizeof at, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &utc));
        printf("%s  %-20s %-32s %s\n", at, held.sender, held.native_id, held.why);
        count++;
    }
    printf("%lld held\n", (long long)count);
}

static int handle_held(const struct host_config *config, bool retry)
{
    char error[JOURNAL_ERROR_BYTES];
    struct journal *journal = journal_open(config->state_dir, false, error);
    int n = 0;
    if (!journal) {
        fprintf(stderr, "carehub-adapter: %s\n", error);
        return EXIT_FAILURE;
    }
    if (!retry)
        list_held(journal);
    else if ((n = journal_retry_held(journal)) < 0)
        fprintf(stderr, "carehub-adapter: %s\n", journal_error(journal));
    else
        printf("%d held messages will be tried again, by the adapter that runs or when it starts\n", n);
    journal_close(&journal);
    return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- Running ---------------------------------------------------------------------------------------------------- */

struct program {
    uv_loop_t loop;
    uv_signal_t signals[4];
    struct host *host;
};

static void on_stopped(void *arg)
{
    struct program *program = arg;
    uv_stop(&program->loop);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct program *program = handle->data;
    if (number == SIGUSR1)
        host_print_counters(program->host);
    else if (number == SIGHUP)
        host_renew(program->host);
    else
        host_stop(program->host, on_stopped, program);
}

static int run(const struct host_config *config)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGUSR1, SIGHUP};
    static struct program program;
    char error[CAREHUB_ERROR_BYTES];
    uv_loop_init(&program.loop);
    program.host = host_new(&program.loop, config, error);
    bool started = program.host != NULL;
    if (started) {
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
            uv_signal_init(&program.loop, &program.signals[i]);
            program.signals[i].data = &program;
            uv_signal_start(&program.signals[i], on_signal, numbers[i]);
        }
        service_notify("READY=1");
        uv_run(&program.loop, UV_RUN_DEFAULT);
        service_notify("STOPPING=1");
        host_print_counters(program.host);
        host_close(&program.host);
        for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
            uv_close((uv_handle_t *)&program.signals[i], NULL);
    } else {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", error);
    }
    uv_run(&program.loop, UV_RUN_DEFAULT);
    uv_loop_close(&program.loop);
    return started ? EXIT_SUCCESS : EXIT_FAILURE;
}

static void print_check(const struct arguments *arguments, const struct host_config *config)
{
    const char *name = config->plugin.format->name;
    if (!arguments->json) {
        printf("%s is in order: format %s, %zu in, %zu out%s\n", arguments->config, name, config->n_in, config->n_out,
               config->subscriptions ? ", subscriptions" : "");
        return;
    }
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "format", json_object_new_string(name));
    json_object_object_add(answer, "in", json_object_new_int64((int64_t)config->n_in));
    json_object_object_add(answer, "out", json_object_new_int64((int64_t)config->n_out));
    json_object_object_add(answer, "subscriptions", json_object_new_boolean(config->subscriptions != NULL));
    puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(answer);
}

static int act(const struct arguments *arguments, const struct host_config *config)
{
    switch (arguments->action) {
    case ACTION_CHECK:
        print_check(arguments, config);
        return EXIT_SUCCESS;
    case ACTION_TEST:
        return try_files(&config->plugin, arguments->files, arguments->n_files) ? EXIT_SUCCESS : EXIT_FAILURE;
    case ACTION_LIST_HELD:
    case ACTION_RETRY_HELD:
        return handle_held(config, arguments->action == ACTION_RETRY_HELD);
    case ACTION_FORGET:
        return forget_command(config, arguments->patient, arguments->yes, arguments->json);
    default:
        return run(config);
    }
}

static int with_configuration(const struct arguments *arguments)
{
    static const enum host_config_use uses[] = {
        [ACTION_RUN] = HOST_CONFIG_RUN,          [ACTION_CHECK] = HOST_CONFIG_RUN,
        [ACTION_TEST] = HOST_CONFIG_FORMAT,      [ACTION_LIST_HELD] = HOST_CONFIG_STATE,
        [ACTION_RETRY_HELD] = HOST_CONFIG_STATE, [ACTION_FORGET] = HOST_CONFIG_KEPT,
    };
    struct host_config config;
    char error[CAREHUB_ERROR_BYTES];
    if (!host_config_load(&config, arguments->config, uses[arguments->action], error)) {
        fprintf(stderr, "carehub-adapter: %s\n", error);
        return EXIT_CONFIG;
    }
    log_line_set_level((enum log_level)config.log_level);
    int status = act(arguments, &config);
    host_config_free(&config);
    return status;
}

/* With the section 'format' of a configuration, if there is one. */
static bool configure(struct plugin *plugin, const char *config, char error[CAREHUB_ERROR_BYTES])
{
    struct carehub_setting *tree = NULL;
    char folder[PATH_MAX] = ".";
    if (config) {
        const char *slash = strrchr(config, '/');
        if (slash)
            snprintf(folder, sizeof folder, "%.*s", (int)(slash - config) + 1, config);
        tree = settings_tree_load(config, error);
        if (!tree)
            return false;
    }
    bool ok = plugin_configure(plugin, setting_named(tree, "format"), folder, error);
    settings_tree_free(&tree);
    return ok;
}

static int with_plugin(const struct arguments *arguments)
{
    struct plugin plugin;
    char error[CAREHUB_ERROR_BYTES];
    bool loaded = plugin_load(&plugin, arguments->plugin, "", error);
    if (!loaded || !configure(&plugin, arguments->config, error)) {
        fprintf(stderr, "carehub-adapter: %s\n", error);
        if (loaded && !arguments->config)
            fputs("carehub-adapter: if it needs settings, write them into a file's section 'format' and add --config "
                  "FILE\n",
                  stderr);
        plugin_unload(&plugin);
        return EXIT_CONFIG;
    }
    bool ok = try_files(&plugin, arguments->files, arguments->n_files);
    plugin_unload(&plugin);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int make_credential(const char *path, const char *name)
{
    char token[CREDENTIALS_TOKEN_BYTES], error[CAREHUB_ERROR_BYTES];
    if (!credentials_add(path, name, token, error, sizeof error)) {
        fprintf(stderr, "carehub-adapter: %s\n", error);
        return EXIT_FAILURE;
    }
    fprintf(stderr,
            "added %s to %s; an adapter that runs knows it within a second\n"
            "give it this token, which is kept nowhere, as 'Authorization: Bearer TOKEN' (or Basic, with its name):\n",
            name, path);
    puts(token);
    sodium_memzero(token, sizeof token);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    int status = parse_arguments(argc, argv, &arguments);
    if (status >= 0)
        return status;
    service_harden();
    if (sodium_init() < 0) {
        fputs("carehub-adapter: the cryptographic library cannot be started\n", stderr);
        return EXIT_FAILURE;
    }
    if (arguments.action == ACTION_LIST_PLUGINS) {
        plugin_list(arguments.json);
        return EXIT_SUCCESS;
    }
    if (arguments.action == ACTION_NEW_CREDENTIAL)
        return make_credential(arguments.credentials, arguments.name);
    return arguments.plugin ? with_plugin(&arguments) : with_configuration(&arguments);
}
