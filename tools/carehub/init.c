/* carehub init: makes the files that a new hub needs. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "audit/names.h"
#include "route/policy.h"
#include "demo.h"
#include "nouns.h"
#include "policy_file.h"
#include "session.h"
#include "template.h"

struct making {
    const char *dir;
    const char *name;
    const char *listen;
    struct conf conf; /* how clients reach the hub */
    uint8_t operator_key[CAREHUB_KEY_BYTES];
};

static int path_in(const struct making *m, const char *name, char path[SESSION_PATH_BYTES])
{
    int n = snprintf(path, SESSION_PATH_BYTES, "%s/%s", m->dir, name);
    return n < SESSION_PATH_BYTES ? EXIT_OK : fail(EXIT_NO, NULL, "the path is too long");
}

static int make_directories(const struct making *m)
{
    char path[SESSION_PATH_BYTES];
    if (mkdir(m->dir, 0700) != 0 && errno != EEXIST)
        return fail(EXIT_NO, NULL, "cannot make %s: %s", m->dir, strerror(errno));
    if (chmod(m->dir, 0700) != 0)
        return fail(EXIT_NO, NULL, "cannot make %s private: %s", m->dir, strerror(errno));
    int code = path_in(m, "hub.conf", path);
    if (code == EXIT_OK && access(path, F_OK) == 0)
        code =
            fail(EXIT_NO, "Nothing is overwritten: choose another directory.", "there is a hub in %s already", m->dir);
    if (code == EXIT_OK)
        code = path_in(m, "data", path);
    if (code == EXIT_OK && mkdir(path, 0700) != 0 && errno != EEXIST)
        code = fail(EXIT_NO, NULL, "cannot make %s: %s", path, strerror(errno));
    return code;
}

static int make_pair(const struct making *m, const char *name, uint8_t public_key[CAREHUB_KEY_BYTES])
{
    char path[SESSION_PATH_BYTES];
    struct carehub_keypair pair;
    int code = path_in(m, name, path);
    if (code)
        return code;
    if (carehub_keygen(&pair) != CAREHUB_OK || carehub_key_save(&pair, path) != CAREHUB_OK)
        return fail(EXIT_NO, "Nothing is overwritten: choose another directory, or move that file away.", "%s",
                    carehub_error());
    memcpy(public_key, pair.public_key, CAREHUB_KEY_BYTES);
    sodium_memzero(&pair, sizeof pair);
    return EXIT_OK;
}

static int make_keys(struct making *m)
{
    char path[SESSION_PATH_BYTES], text[2 * CAREHUB_KEY_BYTES + 1];
    uint8_t master[CAREHUB_KEY_BYTES];
    int code = make_pair(m, "hub.key", m->conf.hub_key);
    if (code == EXIT_OK)
        code = make_pair(m, "operator.key", m->operator_key);
    if (code == EXIT_OK)
        code = path_in(m, "master.key", path);
    if (code)
        return code;
    randombytes_buf(master, sizeof master);
    sodium_bin2hex(text, sizeof text, master, sizeof master);
    code = file_write(path, 0600, text, strlen(text));
    sodium_memzero(master, sizeof master);
    sodium_memzero(text, sizeof text);
    return code;
}

static bool fill(void *ctx, const char *name, const char *argument, char value[TEMPLATE_VALUE_BYTES])
{
    (void)argument;
    const struct making *m = ctx;
    if (strcmp(name, "NAME") == 0)
        snprintf(value, TEMPLATE_VALUE_BYTES, "%s", m->name);
    else if (strcmp(name, "LISTEN") == 0)
        snprintf(value, TEMPLATE_VALUE_BYTES, "%s", m->listen);
    else if (strcmp(name, "OPERATOR") == 0)
        sodium_bin2hex(value, TEMPLATE_VALUE_BYTES, m->operator_key, sizeof m->operator_key);
    else
        return false;
    return true;
}

/* A policy of the operator's own is checked before it is taken over. */
static int make_policy(const struct making *m, const char *given)
{
    char path[SESSION_PATH_BYTES];
    char *text = NULL;
    int code = path_in(m, "access.policy", path);
    if (code == EXIT_OK && given)
        code = policy_file_read(given, &text, NULL);
    if (code == EXIT_OK) {
        const char *policy = text ? text : embedded("default.policy");
        code = file_write(path, 0600, policy, strlen(policy));
    }
    free(text);
    return code;
}

static int make_configurations(struct making *m)
{
    char path[SESSION_PATH_BYTES];
    int code = path_in(m, "carehub.conf", path);
    if (code == EXIT_OK)
        code = conf_write(&m->conf, path);
    if (code == EXIT_OK)
        code = path_in(m, "hub.conf", path);
    if (code)
        return code;
    char *text = template_fill(embedded("hub.conf"), fill, m);
    code = file_write(path, 0600, text, strlen(text));
    free(text);
    return code;
}

/* What clients connect to when the hub listens on all addresses of this machine. */
static void client_endpoint(struct making *m, const char *given)
{
    static const char *const everywhere[] = {"tcp://0.0.0.0:", "tcp://*:"};
    const char *endpoint = given ? given : m->listen;
    snprintf(m->conf.endpoint, sizeof m->conf.endpoint, "%s", endpoint);
    for (size_t i = 0; i < sizeof everywhere / sizeof everywhere[0] && !given; i++) {
        size_t n = strlen(everywhere[i]);
        if (strncmp(endpoint, everywhere[i], n) == 0)
            snprintf(m->conf.endpoint, sizeof m->conf.endpoint, "tcp://127.0.0.1:%s", endpoint + n);
    }
}

static void tell_next(const struct making *m, bool demo)
{
    printf("%s is ready for a hub\n\n", m->dir);
    printf("  Start it:     carehubd --config %s/hub.conf\n", m->dir);
    printf("  Look at it:   carehub status --config %s/carehub.conf\n", m->dir);
    if (demo)
        printf("  Its region:   carehub registry load %s/demo/region.jsonl --config %s/carehub.conf\n", m->dir, m->dir);
    printf("\n  Keep a copy of master.key in a safe, apart from the backups: without it nothing that is "
           "stored can be "
           "read.\n");
}

static int run_init(const struct args *args)
{
    const char *listen = args_option(args, "listen"), *name = args_option(args, "name");
    bool demo = args_flag(args, "demo");
    struct making m = {.dir = args_value(args, 0),
                       .name = name   ? name
                               : demo ? "demo"
                                      : "hub",
                       .listen = listen ? listen : "tcp://127.0.0.1:7460",
                       .conf = {.client = "the operator", .key_file = "operator.key"}};
    if (sodium_init() < 0)
        return fail(EXIT_NO, NULL, "the random source of this system does not work");
    if (!hub_name_usable(m.name))
        return fail(EXIT_USAGE, "The name of its audit log can be another one: setting log-origin in hub.conf.",
                    "a hub's name is " HUB_NAME_RULE);
    client_endpoint(&m, args_option(args, "endpoint"));
    int code = make_directories(&m);
    if (code == EXIT_OK)
        code = make_policy(&m, args_option(args, "policy"));
    if (code == EXIT_OK)
        code = make_keys(&m);
    if (code == EXIT_OK && demo)
        code = demo_make(m.dir, &m.conf);
    if (code == EXIT_OK)
        code = make_configurations(&m);
    if (code)
        return code;
    if (args_flag(args, "json"))
        print_json_pairs("directory", m.dir, "endpoint", m.conf.endpoint, NULL);
    else
        tell_next(&m, demo);
    return EXIT_OK;
}

const struct command init_commands[] = {
    {
        .summary = "make the directory of a new hub: configuration, keys, policy",
        .arguments = {{"DIR", "the directory to make; nothing in it is overwritten"}},
        .options = {{"demo", NULL, "also an invented region: actors, clients with keys, patients, teams, messages"},
                    {"policy", "FILE", "an access policy of your own, instead of the default"},
                    {"listen", "ENDPOINT", "where the hub listens (tcp://127.0.0.1:7460)"},
                    {"endpoint", "ENDPOINT", "where clients reach it, if that is another"},
                    {"name", "NAME", "the hub's name; also its audit log's, unless log-origin in hub.conf names that"}},
        .detail = "Makes hub.conf, hub.key and master.key for carehubd; operator.key and carehub.conf for "
                  "the first "
                  "operator, who may do everything; and access.policy.",
        .example = "carehub init /var/lib/carehub --listen tcp://0.0.0.0:7460 --endpoint tcp://hub.example:7460",
        .run = run_init,
    },
    {0},
};
