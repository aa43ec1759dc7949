/* carehub client: software that may connect, and what it may do. Its keys are in client_keys.c. */
#include <stdlib.h>
#include <string.h>

#include "client_keys.h"
#include "facts.h"
#include "nouns.h"

enum { GIVEN_MAX = 100 };

/* The list given with an option, or else the one that is registered. */
static char **given_or(const struct args *args, const char *option, char **room, char **old, size_t n_old, size_t *n)
{
    *n = args_all(args, option, (const char **)room, GIVEN_MAX);
    if (*n)
        return room;
    *n = n_old;
    return old;
}

static void fill_roles(const struct args *args, const Carehub__V1__ListedClient *old, Carehub__V1__ClientSet *set,
                       Carehub__V1__OperatorRole *room)
{
    const char *names[GIVEN_MAX];
    set->n_roles = args_all(args, "role", names, GIVEN_MAX);
    set->roles = room;
    for (size_t i = 0; i < set->n_roles; i++)
        room[i] = (Carehub__V1__OperatorRole)input_enum(&carehub__v1__operator_role__descriptor, "", names[i]);
    if (set->n_roles == 0 && old) {
        set->n_roles = old->n_roles;
        set->roles = old->roles;
    }
}

static int add_or_set(struct session *session, const struct args *args, const Carehub__V1__ListedClient *old)
{
    Carehub__V1__ClientSet set = CAREHUB__V1__CLIENT_SET__INIT;
    char *actors[GIVEN_MAX], *publishes[GIVEN_MAX], *facts[GIVEN_MAX];
    Carehub__V1__OperatorRole roles[GIVEN_MAX];
    set.name = field(args_value(args, 0));
    set.actors = given_or(args, "actor", actors, old ? old->actors : NULL, old ? old->n_actors : 0, &set.n_actors);
    set.publishes = given_or(args, "publishes", publishes, old ? old->publishes : NULL, old ? old->n_publishes : 0,
                             &set.n_publishes);
    set.facts = given_or(args, "fact", facts, old ? old->facts : NULL, old ? old->n_facts : 0, &set.n_facts);
    fill_roles(args, old, &set, roles);
    const char *told = args_option(args, "told-not-kept");
    set.told_not_kept = told ? strcmp(told, "yes") == 0 : old && old->told_not_kept;
    Carehub__V1__Fact fact = FACT(CLIENT_SET, client_set, &set);
    return session_fact(session, &fact, old ? "client %s is changed" : "client %s is registered", set.name);
}

static int run_add_or_set(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *known = NULL;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = look_up(&session, CAREHUB__V1__LIST_KIND__LIST_CLIENTS, args, &known);
    if (code == EXIT_OK)
        code = add_or_set(&session, args, known ? known->list->clients[0] : NULL);
    if (code == EXIT_OK && adding(args) && !session.json)
        printf("  Next: `carehub client ticket %s` lets it enrol its own key.\n", args_value(args, 0));
    answer_free(&known);
    session_close(&session);
    return code;
}

static int run_standing(const struct args *args)
{
    const struct standing_verb *verb = standing_verb(args->command->verb);
    Carehub__V1__ClientStanding standing = CAREHUB__V1__CLIENT_STANDING__INIT;
    standing.name = field(args_value(args, 0));
    standing.standing = verb->standing;
    standing.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(CLIENT_STANDING, client_standing, &standing);
    return submit_fact(args, &fact, "client %s is %s", standing.name, verb->done);
}

struct listing {
    struct table *table;
    bool json;
};

/* "a, b, c, +4" of a list of names. */
static void names_cell(struct table *table, char *const *names, size_t n)
{
    enum { SHOWN_MAX = 3 };
    char text[3 * 68 + 32] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && i < SHOWN_MAX && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%.64s", i ? ", " : "", names[i]);
    if (n > SHOWN_MAX && used < sizeof text)
        snprintf(text + used, sizeof text - used, ", +%zu", n - SHOWN_MAX);
    table_cell(table, TONE_PLAIN, "%s", n ? text : "-");
}

static void roles_cell(struct table *table, const Carehub__V1__ListedClient *client)
{
    char text[128] = "", name[ENUM_CHARS];
    size_t used = 0;
    for (size_t i = 0; i < client->n_roles && used < sizeof text; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i ? ", " : "",
                                 enum_text(&carehub__v1__operator_role__descriptor, client->roles[i], name));
    table_cell(table, TONE_PLAIN, "%s", used ? text : "-");
}

static void list_page(void *ctx, const Carehub__V1__ListAnswer *page)
{
    struct listing *l = ctx;
    char text[ENUM_CHARS];
    for (size_t i = 0; i < page->n_clients; i++) {
        const Carehub__V1__ListedClient *c = page->clients[i];
        if (l->json) {
            print_json_line(&c->base);
            continue;
        }
        bool active = c->standing == CAREHUB__V1__STANDING__ACTIVE;
        table_cell(l->table, TONE_STRONG, "%s", c->name);
        table_cell(l->table, active ? TONE_GOOD : TONE_BAD, "%s",
                   enum_text(&carehub__v1__standing__descriptor, c->standing, text));
        table_cell(l->table, c->connected ? TONE_GOOD : TONE_DIM, "%s", c->connected ? "yes" : "no");
        table_cell(l->table, c->n_keys || c->offers ? TONE_PLAIN : TONE_WAIT, "%zu%s", c->n_keys,
                   c->offers ? " + ticket" : "");
        names_cell(l->table, c->actors, c->n_actors);
        names_cell(l->table, c->publishes, c->n_publishes);
        roles_cell(l->table, c);
    }
}

static int run_list(const struct args *args)
{
    static const char *const headings[] = {"client",     "standing",  "connected", "keys",
                                           "speaks for", "publishes", "roles",     NULL};
    struct session session = {0};
    int code = session_open(&session, args);
    if (code == EXIT_OK) {
        struct listing listing = {table_new(headings), session.json};
        code = list_all(&session, CAREHUB__V1__LIST_KIND__LIST_CLIENTS, args_value(args, 0), list_page, &listing);
        if (code == EXIT_OK && !session.json)
            table_print(listing.table, stdout, session.style);
        table_destroy(&listing.table);
    }
    session_close(&session);
    return code;
}

#define CLIENT_ARGUMENT                                                                                                \
    {                                                                                                                  \
        "CLIENT", "the client's registered name"                                                                       \
    }
#define CLIENT_RIGHTS                                                                                                  \
    {"actor", "ACTOR", "an actor that it speaks for; may be given several times", .repeats = true},                    \
        {"publishes", "TYPE", "a type of event that it may publish, '*' for all; several times", .repeats = true},     \
        {"role", "ROLE", "what its user may ask and do; several times", .repeats = true,                               \
         .words = "viewer operator auditor registrar"},                                                                \
        {"fact", "NAME", "a fact that it may submit without being a registrar (consent_given); several times",         \
         .repeats = true},                                                                                             \
    {                                                                                                                  \
        "told-not-kept", "yes|no", "whether it is told when an event was not kept", .words = "yes no"                  \
    }

const struct command client_commands[] = {
    {
        .verb = "add",
        .summary = "register a client",
        .arguments = {{"CLIENT", "its name in the hub: a to z, 0 to 9, '-' and '.'"}},
        .options = {CLIENT_RIGHTS},
        .example = "carehub client add pharmis --actor apotheek-peeters --publishes MedicationChanged",
        .run = run_add_or_set,
    },
    {
        .verb = "set",
        .summary = "change a client's rights",
        .arguments = {CLIENT_ARGUMENT},
        .options = {CLIENT_RIGHTS},
        .detail = "What is not given stays as it is; a list that is given replaces the one before.",
        .example = "carehub client set pharmis --actor apotheek-peeters --actor apotheek-claes",
        .run = run_add_or_set,
    },
    {
        .verb = "list",
        .summary = "list clients, their rights and whether they are connected",
        .arguments = {{"CLIENT", "this one only", .optional = true}},
        .example = "carehub client list",
        .run = run_list,
    },
    {
        .verb = "ticket",
        .summary = "issue a one-time ticket with which a client enrols its own key",
        .arguments = {CLIENT_ARGUMENT},
        .options = {{"valid", "DURATION", "how long it may be used: 45m, 12h, 7d (24h)"},
                    {"endpoint", "ENDPOINT", "where that client reaches the hub, if not as you do"}},
        .detail = "Whoever has the ticket can enrol: hand it over in confidence. The hub keeps only a hash of it.",
        .example = "carehub client ticket pharmis --valid 12h",
        .run = client_ticket,
    },
    {
        .verb = "enrol",
        .summary = "make a key, enrol it with a ticket, and write the client's configuration",
        .arguments = {{"TICKET", "what `carehub client ticket` printed; '-' reads it from standard input"},
                      {"DIR", "where client.key and carehub.conf are written; made if it does not exist"}},
        .example = "carehub client enrol - /etc/pharmis < ticket",
        .run = client_enrol,
    },
    {
        .verb = "keys",
        .summary = "list a client's public keys",
        .arguments = {CLIENT_ARGUMENT},
        .example = "carehub client keys pharmis",
        .run = client_keys,
    },
    {
        .verb = "keys add",
        .summary = "add a second key, so that the first can be replaced without a pause",
        .arguments = {CLIENT_ARGUMENT},
        .options = {{"key", "FILE", "the key file whose public key is added; made if it does not exist"},
                    {"public-key", "HEX", "the public key, where the key file is elsewhere"}},
        .detail = "Rotating a key: add the new one, let the client use it, then revoke the old one. A client "
                  "may do "
                  "this for itself.",
        .example = "carehub client keys add pharmis --key new.key",
        .run = client_keys_add,
    },
    {
        .verb = "keys revoke",
        .summary = "revoke one key: nothing more is sent to whoever uses it",
        .arguments = {CLIENT_ARGUMENT, {"KEY", "the public key, or enough of its first digits"}},
        .options = {REASON_OPTION},
        .example = "carehub client keys revoke pharmis 4f1c09 --reason 'laptop lost'",
        .run = client_keys_revoke,
    },
    {
        .verb = "suspend",
        .summary = "suspend a client: it may not connect until it is resumed",
        .arguments = {CLIENT_ARGUMENT},
        .options = {REASON_REQUIRED},
        .example = "carehub client suspend pharmis --reason 'floods the hub'",
        .run = run_standing,
    },
    {
        .verb = "resume",
        .summary = "end a suspension",
        .arguments = {CLIENT_ARGUMENT},
        .options = {REASON_OPTION},
        .example = "carehub client resume pharmis",
        .run = run_standing,
    },
    {
        .verb = "revoke",
        .summary = "end a client for good, with all its keys",
        .arguments = {CLIENT_ARGUMENT},
        .options = {REASON_REQUIRED},
        .example = "carehub client revoke pharmis --reason 'contract ended'",
        .run = run_standing,
    },
    {0},
};
