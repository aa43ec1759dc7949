#include "client_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "conf.h"
#include "facts.h"

enum { TICKET_BYTES = 512, TICKET_VALID_MS = 24 * 60 * 60 * 1000 };

static void hex(const uint8_t *bytes, size_t n, char *text)
{
    sodium_bin2hex(text, 2 * n + 1, bytes, n);
}

/* The pair of a key file, which is made if it does not exist. */
static int load_or_make(const char *path, struct carehub_keypair *pair)
{
    bool there = access(path, F_OK) == 0;
    int result = there ? carehub_key_load(pair, path) : carehub_keygen(pair);
    if (result == CAREHUB_OK && !there)
        result = carehub_key_save(pair, path);
    return result == CAREHUB_OK ? EXIT_OK : fail(EXIT_NO, NULL, "no key: %s", carehub_error());
}

/* ---- Tickets ---------------------------------------------------------------------------------------------------- */

static int offer_ticket(struct session *session, const struct args *args, int64_t valid_ms)
{
    uint8_t token[CAREHUB_KEY_BYTES], hash[crypto_hash_sha256_BYTES];
    randombytes_buf(token, sizeof token);
    crypto_hash_sha256(hash, token, sizeof token);
    Carehub__V1__EnrolmentOffered offer = CAREHUB__V1__ENROLMENT_OFFERED__INIT;
    offer.client = field(args_value(args, 0));
    offer.token_hash = (ProtobufCBinaryData){sizeof hash, hash};
    offer.expires_ms = (int64_t)time(NULL) * 1000 + valid_ms;
    Carehub__V1__Fact fact = FACT(ENROLMENT_OFFERED, enrolment_offered, &offer);

    char ticket[TICKET_BYTES];
    const char *endpoint = args_option(args, "endpoint");
    int result = carehub_ticket(ticket, sizeof ticket, endpoint ? endpoint : session->options.endpoint,
                                session->options.hub_key, token);
    sodium_memzero(token, sizeof token);
    if (result != CAREHUB_OK)
        return session_failed(session, result, "making the ticket");
    Carehub__V1__Confirmation *confirmation;
    int code = session_submit(session, &fact, &confirmation);
    if (code)
        return code;
    if (session->json) {
        char expires[24], place[24];
        snprintf(expires, sizeof expires, "%lld", (long long)offer.expires_ms);
        snprintf(place, sizeof place, "%llu", (unsigned long long)confirmation->place);
        print_json_pairs("client", offer.client, "ticket", ticket, "expiresMs", expires, "place", place, NULL);
    } else {
        char when[WHEN_CHARS];
        puts(ticket);
        fprintf(stderr, "  For %s, once, until %.19s. It enrols with: carehub client enrol TICKET DIR\n", offer.client,
                when_text(offer.expires_ms, when));
    }
    sodium_memzero(ticket, sizeof ticket);
    confirmation_free(&confirmation);
    return EXIT_OK;
}

int client_ticket(const struct args *args)
{
    int64_t valid_ms = TICKET_VALID_MS;
    if (args_option(args, "valid") && input_duration(args_option(args, "valid"), &valid_ms) != EXIT_OK)
        return EXIT_USAGE;
    if (sodium_init() < 0)
        return fail(EXIT_NO, NULL, "the random source of this system does not work");
    struct session session = {0};
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = offer_ticket(&session, args, valid_ms);
    session_close(&session);
    return code;
}

/* ---- Enrolment -------------------------------------------------------------------------------------------------- */

static int read_ticket(const char *given, char ticket[TICKET_BYTES])
{
    if (strcmp(given, "-") != 0)
        snprintf(ticket, TICKET_BYTES, "%s", given);
    else if (!fgets(ticket, TICKET_BYTES, stdin))
        return fail(EXIT_NO, NULL, "there is no ticket on standard input");
    ticket[strcspn(ticket, " \t\r\n")] = '\0';
    return EXIT_OK;
}

/* The key is on disk before the hub knows it: a crash in between costs a ticket, never a client's only key.
 */
static int enrol_into(const char *ticket, const char *dir, int timeout_ms, struct conf *conf)
{
    struct carehub_keypair pair;
    char key_path[SESSION_PATH_BYTES];
    snprintf(key_path, sizeof key_path, "%s/client.key", dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return fail(EXIT_NO, errno == ENOENT ? "Make the directory above it first." : NULL, "cannot make %s: %s", dir,
                    strerror(errno));
    int code = load_or_make(key_path, &pair);
    if (code)
        return code;
    int result = carehub_enrol(ticket, &pair, timeout_ms, conf->endpoint, sizeof conf->endpoint, conf->hub_key,
                               conf->client, sizeof conf->client);
    sodium_memzero(&pair, sizeof pair);
    switch (result) {
    case CAREHUB_OK:
        return EXIT_OK;
    case CAREHUB_REFUSED:
        return fail(EXIT_REFUSED, "A ticket is for one use and expires: ask a registrar for a new one.",
                    "the hub did not enrol this key: %s", carehub_error());
    case CAREHUB_CONNECT:
    case CAREHUB_TIMEOUT:
        return fail(EXIT_NO_HUB, "Can this machine reach the hub? The ticket stays good until it is used.",
                    "cannot reach the hub: %s", carehub_error());
    default:
        return fail(EXIT_NO, "Was the whole line copied?", "this ticket does not work: %s", carehub_error());
    }
}

int client_enrol(const struct args *args)
{
    char ticket[TICKET_BYTES], path[SESSION_PATH_BYTES];
    const char *dir = args_value(args, 1);
    struct conf conf = {.key_file = "client.key"};
    if (sodium_init() < 0)
        return fail(EXIT_NO, NULL, "the random source of this system does not work");
    snprintf(path, sizeof path, "%s/carehub.conf", dir);
    if (access(path, F_OK) == 0)
        return fail(EXIT_NO, "Choose another directory, or move that file away.", "%s exists already", path);
    int code = read_ticket(args_value(args, 0), ticket);
    if (code == EXIT_OK)
        code = enrol_into(ticket, dir, args_timeout_ms(args), &conf);
    sodium_memzero(ticket, sizeof ticket);
    if (code == EXIT_OK)
        code = conf_write(&conf, path);
    if (code)
        return code;
    if (args_flag(args, "json"))
        print_json_pairs("client", conf.client, "config", path, NULL);
    else
        printf("enrolled as %s\n  Its configuration is %s; the key beside it must not be copied.\n", conf.client, path);
    return EXIT_OK;
}

/* ---- Keys ------------------------------------------------------------------------------------------------------- */

static int known_client(struct session *session, const struct args *args, Carehub__V1__Answer **answer,
                        const Carehub__V1__ListedClient **client)
{
    int code = session_open(session, args);
    if (code == EXIT_OK)
        code = look_up(session, CAREHUB__V1__LIST_KIND__LIST_CLIENTS, args, answer);
    if (code == EXIT_OK)
        *client = (*answer)->list->clients[0];
    return code;
}

static void print_keys(const struct session *session, const Carehub__V1__ListedClient *client)
{
    char text[2 * CAREHUB_KEY_BYTES + 1];
    if (session->json)
        printf("{\"client\":\"%s\",\"keys\":[", client->name);
    for (size_t i = 0; i < client->n_keys; i++) {
        hex(client->keys[i].data, client->keys[i].len == CAREHUB_KEY_BYTES ? CAREHUB_KEY_BYTES : 0, text);
        if (session->json)
            printf("%s\"%s\"", i ? "," : "", text);
        else
            puts(text);
    }
    if (session->json)
        puts("]}");
    else if (client->n_keys == 0)
        printf("%s has no key yet\n  `carehub client ticket %s` lets it enrol one.\n", client->name, client->name);
}

int client_keys(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    const Carehub__V1__ListedClient *client;
    int code = known_client(&session, args, &answer, &client);
    if (code == EXIT_OK)
        print_keys(&session, client);
    answer_free(&answer);
    session_close(&session);
    return code;
}

/* The public key that is to be added; makes the key file if it does not exist. */
static int key_to_add(const struct args *args, uint8_t key[CAREHUB_KEY_BYTES])
{
    const char *path = args_option(args, "key"), *text = args_option(args, "public-key");
    if (!path == !text)
        return fail(EXIT_USAGE, "Give --key FILE, or --public-key HEX where the key file is elsewhere.",
                    "say which key to add");
    if (text)
        return input_key(text, key);
    struct carehub_keypair pair;
    int code = load_or_make(path, &pair);
    if (code)
        return code;
    memcpy(key, pair.public_key, CAREHUB_KEY_BYTES);
    sodium_memzero(&pair, sizeof pair);
    return EXIT_OK;
}

int client_keys_add(const struct args *args)
{
    uint8_t key[CAREHUB_KEY_BYTES];
    int code = key_to_add(args, key);
    if (code)
        return code;
    Carehub__V1__ClientKeyAdded added = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    added.client = field(args_value(args, 0));
    added.public_key = (ProtobufCBinaryData){sizeof key, key};
    Carehub__V1__Fact fact = FACT(CLIENT_KEY_ADDED, client_key_added, &added);
    return submit_fact(args, &fact, "%s has one key more", added.client);
}

/* A client may rotate its own key without the right to list: all 64 digits need no look-up. */
static int key_by_prefix(const struct args *args, uint8_t key[CAREHUB_KEY_BYTES])
{
    const char *prefix = args_value(args, 1);
    if (strlen(prefix) == 2 * CAREHUB_KEY_BYTES)
        return input_key(prefix, key);
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    const Carehub__V1__ListedClient *client;
    int code = known_client(&session, args, &answer, &client);
    size_t found = 0;
    for (size_t i = 0; code == EXIT_OK && i < client->n_keys; i++) {
        char text[2 * CAREHUB_KEY_BYTES + 1];
        if (client->keys[i].len != CAREHUB_KEY_BYTES)
            continue;
        hex(client->keys[i].data, CAREHUB_KEY_BYTES, text);
        if (strncasecmp(text, prefix, strlen(prefix)) == 0) {
            memcpy(key, client->keys[i].data, CAREHUB_KEY_BYTES);
            found++;
        }
    }
    if (code == EXIT_OK && found != 1)
        code = fail(EXIT_NO, "`carehub client keys CLIENT` lists them.", "%s of %s begins with that",
                    found ? "more than one key" : "no key", args_value(args, 0));
    answer_free(&answer);
    session_close(&session);
    return code;
}

int client_keys_revoke(const struct args *args)
{
    uint8_t key[CAREHUB_KEY_BYTES];
    int code = key_by_prefix(args, key);
    if (code)
        return code;
    Carehub__V1__ClientKeyRevoked revoked = CAREHUB__V1__CLIENT_KEY_REVOKED__INIT;
    revoked.client = field(args_value(args, 0));
    revoked.public_key = (ProtobufCBinaryData){sizeof key, key};
    revoked.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(CLIENT_KEY_REVOKED, client_key_revoked, &revoked);
    return submit_fact(args, &fact, "that key of %s is revoked", revoked.client);
}
