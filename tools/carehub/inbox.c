/* carehub inbox: inboxes themselves. What is in them is in inbox_items.c. */
#include <stdlib.h>
#include <string.h>

#include "facts.h"
#include "inbox_items.h"
#include "nouns.h"

enum { TYPES_MAX = 32 };

static int fill_inbox(const struct args *args, const Carehub__V1__ListedInbox *old, Carehub__V1__InboxSet *set,
                      char **types)
{
    const char *actor = args_option(args, "actor"), *max = args_option(args, "max");
    const char *keep = args_option(args, "keep");
    int64_t keep_ms = 0;
    set->name = field(args_value(args, 0));
    set->actor = actor ? field(actor) : old ? old->actor : field(NULL);
    set->n_types = args_all(args, "type", (const char **)types, TYPES_MAX);
    set->types = types;
    if (set->n_types == 0 && old) {
        set->n_types = old->n_types;
        set->types = old->types;
    }
    int code = input_number(max, "--max", UINT32_MAX, &set->max_undelivered);
    if (code == EXIT_OK)
        code = input_duration(keep, &keep_ms);
    set->time_to_live_ms = (uint64_t)keep_ms;
    if (!max && old)
        set->max_undelivered = old->max_undelivered;
    if (!keep && old)
        set->time_to_live_ms = old->time_to_live_ms;
    return code;
}

static int add_or_set(struct session *session, const struct args *args, const Carehub__V1__ListedInbox *old)
{
    Carehub__V1__InboxSet set = CAREHUB__V1__INBOX_SET__INIT;
    char *types[TYPES_MAX];
    int code = fill_inbox(args, old, &set, types);
    if (code)
        return code;
    Carehub__V1__Fact fact = FACT(INBOX_SET, inbox_set, &set);
    return session_fact(session, &fact, old ? "inbox %s is changed" : "inbox %s is open for %s", set.name, set.actor);
}

static int run_add_or_set(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *known = NULL;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = look_up(&session, CAREHUB__V1__LIST_KIND__LIST_INBOXES, args, &known);
    if (code == EXIT_OK)
        code = add_or_set(&session, args, known ? known->list->inboxes[0] : NULL);
    answer_free(&known);
    session_close(&session);
    return code;
}

static int run_close(const struct args *args)
{
    Carehub__V1__InboxClosed closed = CAREHUB__V1__INBOX_CLOSED__INIT;
    closed.name = field(args_value(args, 0));
    closed.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(INBOX_CLOSED, inbox_closed, &closed);
    return submit_fact(args, &fact, "inbox %s is closed", closed.name);
}

struct listing {
    struct table *table;
    bool json;
};

static void count_cell(struct table *table, uint64_t count, enum tone tone)
{
    char text[COUNT_CHARS];
    table_cell(table, count ? tone : TONE_DIM, "%9s", count_text(count, text));
}

static void list_page(void *ctx, const Carehub__V1__ListAnswer *page)
{
    struct listing *l = ctx;
    for (size_t i = 0; i < page->n_inboxes; i++) {
        const Carehub__V1__ListedInbox *inbox = page->inboxes[i];
        if (l->json) {
            print_json_line(&inbox->base);
            continue;
        }
        bool attached = *inbox->attached_client != '\0';
        table_cell(l->table, TONE_STRONG, "%s", inbox->name);
        table_cell(l->table, TONE_PLAIN, "%s", inbox->actor);
        table_cell(l->table,
                   attached        ? TONE_GOOD
                   : inbox->closed ? TONE_BAD
                                   : TONE_DIM,
                   "%s",
                   inbox->closed ? "closed"
                   : attached    ? inbox->attached_client
                                 : "nobody");
        count_cell(l->table, inbox->undelivered, TONE_PLAIN);
        count_cell(l->table, inbox->in_flight, TONE_PLAIN);
        count_cell(l->table, inbox->retrying, TONE_WAIT);
        count_cell(l->table, inbox->held, TONE_WAIT);
        count_cell(l->table, inbox->dead, TONE_BAD);
        table_cell(l->table, TONE_PLAIN, "%s%s", inbox->n_types ? inbox->types[0] : "-",
                   inbox->n_types > 1 ? ", ..." : "");
    }
}

static int run_list(const struct args *args)
{
    static const char *const headings[] = {"inbox",     "actor",     "attached",  "  waiting", " in flight",
                                           " retrying", "     held", "     dead", "takes",     NULL};
    struct session session = {0};
    int code = session_open(&session, args);
    if (code == EXIT_OK) {
        struct listing listing = {table_new(headings), session.json};
        code = list_all(&session, CAREHUB__V1__LIST_KIND__LIST_INBOXES, args_value(args, 0), list_page, &listing);
        if (code == EXIT_OK && !session.json)
            table_print(listing.table, stdout, session.style);
        table_destroy(&listing.table);
    }
    session_close(&session);
    return code;
}

#define INBOX_ARGUMENT                                                                                                 \
    {                                                                                                                  \
        "INBOX", "the inbox's registered name"                                                                         \
    }
#define ITEMS_OPTION                                                                                                   \
    {                                                                                                                  \
        "max", "N", "at most so many lines (100)"                                                                      \
    }
#define INBOX_OPTIONS                                                                                                  \
    {"type", "TYPE", "a type of event that it takes, '*' for all; several times", .repeats = true},                    \
        {"max", "N", "undelivered at most (the hub's default: 1,000,000)"},                                            \
    {                                                                                                                  \
        "keep", "DURATION", "how long an undelivered event waits before it expires (90d)"                              \
    }

const struct command inbox_commands[] = {
    {
        .verb = "add",
        .summary = "open an inbox for an actor",
        .arguments = {{"INBOX", "its name: a to z, 0 to 9, '-' and '.'"}},
        .options = {{"actor", "ACTOR", "whose it is", .required = true}, INBOX_OPTIONS},
        .example = "carehub inbox add apotheek-peeters --actor apotheek-peeters --type '*'",
        .run = run_add_or_set,
    },
    {
        .verb = "set",
        .summary = "change an inbox's subscription or limits",
        .arguments = {INBOX_ARGUMENT},
        .options = {{"actor", "ACTOR", "whose it is"}, INBOX_OPTIONS},
        .detail = "What is not given stays as it is; types that are given replace those before.",
        .example = "carehub inbox set apotheek-peeters --type HospitalDischarge --type MedicationChanged",
        .run = run_add_or_set,
    },
    {
        .verb = "close",
        .summary = "close an inbox: what waits in it ends",
        .arguments = {INBOX_ARGUMENT},
        .options = {REASON_REQUIRED},
        .example = "carehub inbox close apotheek-peeters --reason 'moved to another system'",
        .run = run_close,
    },
    {
        .verb = "list",
        .summary = "list inboxes, and how much waits in each",
        .arguments = {{"INBOX", "this one only", .optional = true}},
        .example = "carehub inbox list",
        .run = run_list,
    },
    {
        .verb = "show",
        .summary = "what waits in an inbox",
        .arguments = {INBOX_ARGUMENT},
        .options = {ITEMS_OPTION},
        .example = "carehub inbox show apotheek-peeters",
        .run = inbox_show,
    },
    {
        .verb = "dead",
        .summary = "deliveries that were refused for good or too often",
        .arguments = {INBOX_ARGUMENT},
        .options = {ITEMS_OPTION},
        .example = "carehub inbox dead apotheek-peeters",
        .run = inbox_dead,
    },
    {
        .verb = "held",
        .summary = "deliveries that cannot be decided for now",
        .arguments = {{"INBOX", "of this inbox only", .optional = true}},
        .options = {ITEMS_OPTION},
        .example = "carehub inbox held",
        .run = inbox_held,
    },
    {
        .verb = "retry",
        .summary = "put dead deliveries back into their inbox",
        .arguments = {INBOX_ARGUMENT,
                      {"PLACE", "the event's place in the log; without one: all", .optional = true, .repeats = true}},
        .options = {REASON_REQUIRED},
        .example = "carehub inbox retry apotheek-peeters 1042 --reason 'disk was full'",
        .run = inbox_retry,
    },
    {
        .verb = "release",
        .summary = "decide a held delivery again, now",
        .arguments = {{"PLACE", "the event's place in the log"}, ACTOR_ARGUMENT},
        .options = {REASON_REQUIRED},
        .example = "carehub inbox release 1042 apotheek-peeters --reason 'its owner is registered again'",
        .run = inbox_release,
    },
    {
        .verb = "refuse",
        .summary = "end a held delivery: the actor will not be told",
        .arguments = {{"PLACE", "the event's place in the log"}, ACTOR_ARGUMENT},
        .options = {REASON_REQUIRED},
        .example = "carehub inbox refuse 1042 apotheek-peeters --reason 'told by telephone'",
        .run = inbox_refuse,
    },
    {0},
};
