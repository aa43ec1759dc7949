/* carehub actor: persons and organisations in care. */
#include "facts.h"
#include "nouns.h"

enum { IDENTIFIERS_GIVEN_MAX = 16 };

static const char KINDS[] = "organisation professional person informal-carer";

/* Options given go over what is registered. */
static int fill_actor(const struct args *args, const Carehub__V1__ActorCard *old, Carehub__V1__ActorSet *set,
                      struct patient_input *inputs, Carehub__V1__Identifier **identifiers)
{
    const char *kind = args_option(args, "kind"), *display = args_option(args, "display");
    const char *language = args_option(args, "language"), *region = args_option(args, "region");
    set->name = field(args_value(args, 0));
    set->kind = kind  ? (Carehub__V1__ActorKind)input_enum(&carehub__v1__actor_kind__descriptor, "", kind)
                : old ? old->kind
                      : CAREHUB__V1__ACTOR_KIND__ORGANISATION;
    set->display = display ? field(display) : old ? old->display : set->name;
    set->language = language ? field(language) : old ? old->language : field(NULL);
    set->region = region ? field(region) : old ? old->region : field(NULL);
    const char *given[IDENTIFIERS_GIVEN_MAX];
    size_t n = args_all(args, "identifier", given, IDENTIFIERS_GIVEN_MAX);
    if (n == 0 && old) {
        set->n_identifiers = old->n_identifiers;
        set->identifiers = old->identifiers;
        return EXIT_OK;
    }
    for (size_t i = 0; i < n; i++) {
        int code = input_identifier(given[i], &inputs[i]);
        if (code)
            return code;
        identifiers[i] = &inputs[i].identifier;
    }
    set->n_identifiers = n;
    set->identifiers = identifiers;
    return EXIT_OK;
}

static int add_or_set(struct session *session, const struct args *args, const Carehub__V1__ActorCard *old)
{
    Carehub__V1__ActorSet set = CAREHUB__V1__ACTOR_SET__INIT;
    struct patient_input inputs[IDENTIFIERS_GIVEN_MAX];
    Carehub__V1__Identifier *identifiers[IDENTIFIERS_GIVEN_MAX];
    int code = fill_actor(args, old, &set, inputs, identifiers);
    if (code)
        return code;
    Carehub__V1__Fact fact = FACT(ACTOR_SET, actor_set, &set);
    return session_fact(session, &fact, old ? "actor %s is changed" : "actor %s is registered", set.name);
}

static int run_add_or_set(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *known = NULL;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = look_up(&session, CAREHUB__V1__LIST_KIND__LIST_ACTORS, args, &known);
    if (code == EXIT_OK)
        code = add_or_set(&session, args, known ? known->list->actors[0]->actor : NULL);
    answer_free(&known);
    session_close(&session);
    return code;
}

static int run_standing(const struct args *args)
{
    const struct standing_verb *verb = standing_verb(args->command->verb);
    Carehub__V1__ActorStanding standing = CAREHUB__V1__ACTOR_STANDING__INIT;
    standing.name = field(args_value(args, 0));
    standing.standing = verb->standing;
    standing.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(ACTOR_STANDING, actor_standing, &standing);
    return submit_fact(args, &fact, "actor %s is %s", standing.name, verb->done);
}

struct listing {
    struct table *table;
    bool json;
};

static void list_page(void *ctx, const Carehub__V1__ListAnswer *page)
{
    struct listing *l = ctx;
    char text[ENUM_CHARS];
    for (size_t i = 0; i < page->n_actors; i++) {
        const Carehub__V1__ListedActor *listed = page->actors[i];
        const Carehub__V1__ActorCard *card = listed->actor;
        if (l->json)
            print_json_line(&listed->base);
        if (l->json || !card)
            continue;
        bool active = card->standing == CAREHUB__V1__STANDING__ACTIVE;
        table_cell(l->table, TONE_STRONG, "%s", card->name);
        table_cell(l->table, TONE_PLAIN, "%s", card->display);
        table_cell(l->table, TONE_PLAIN, "%s", enum_text(&carehub__v1__actor_kind__descriptor, card->kind, text));
        table_cell(l->table, active ? TONE_GOOD : TONE_BAD, "%s",
                   enum_text(&carehub__v1__standing__descriptor, card->standing, text));
        table_cell(l->table, TONE_PLAIN, "%s%s", listed->n_inboxes ? listed->inboxes[0] : "-",
                   listed->n_inboxes > 1 ? ", ..." : "");
    }
}

static int run_list(const struct args *args)
{
    static const char *const headings[] = {"actor", "name", "kind", "standing", "inbox", NULL};
    struct session session = {0};
    int code = session_open(&session, args);
    if (code == EXIT_OK) {
        struct listing listing = {table_new(headings), session.json};
        code = list_all(&session, CAREHUB__V1__LIST_KIND__LIST_ACTORS, args_value(args, 0), list_page, &listing);
        if (code == EXIT_OK && !session.json)
            table_print(listing.table, stdout, session.style);
        table_destroy(&listing.table);
    }
    session_close(&session);
    return code;
}

#define ACTOR_OPTIONS                                                                                                  \
    {"display", "TEXT", "the name that people know it by"},                                                            \
        {"identifier", "SYSTEM:VALUE", "nihdi:…, cbe:…, or SYSTEM|VALUE; may be given several times",                  \
         .repeats = true},                                                                                             \
        {"language", "CODE", "nl, fr, de or en", .words = "nl fr de en"},                                              \
    {                                                                                                                  \
        "region", "NAME", "the region it works in"                                                                     \
    }

const struct command actor_commands[] = {
    {
        .verb = "add",
        .summary = "register an actor",
        .arguments = {{"NAME", "its name in the hub: a to z, 0 to 9, '-' and '.'; never used again for another"}},
        .options = {{"kind", "KIND", "what it is", .required = true, .words = KINDS}, ACTOR_OPTIONS},
        .example = "carehub actor add apotheek-peeters --kind organisation --display 'Apotheek Peeters'",
        .run = run_add_or_set,
    },
    {
        .verb = "set",
        .summary = "change what is registered of an actor",
        .arguments = {{"NAME", "the actor's registered name"}},
        .options = {{"kind", "KIND", "what it is", .words = KINDS}, ACTOR_OPTIONS},
        .detail = "What is not given stays as it is; identifiers are replaced as a whole.",
        .example = "carehub actor set apotheek-peeters --display 'Apotheek Peeters & Zoon'",
        .run = run_add_or_set,
    },
    {
        .verb = "list",
        .summary = "list actors",
        .arguments = {{"NAME", "this one only", .optional = true}},
        .example = "carehub actor list",
        .run = run_list,
    },
    {
        .verb = "suspend",
        .summary = "suspend an actor: what is decided for it meanwhile is held",
        .arguments = {{"NAME", "the actor's registered name"}},
        .options = {REASON_REQUIRED},
        .example = "carehub actor suspend apotheek-peeters --reason 'change of owner'",
        .run = run_standing,
    },
    {
        .verb = "resume",
        .summary = "end a suspension",
        .arguments = {{"NAME", "the actor's registered name"}},
        .options = {REASON_OPTION},
        .example = "carehub actor resume apotheek-peeters",
        .run = run_standing,
    },
    {
        .verb = "end",
        .summary = "end an actor for good: it is told of nothing any more",
        .arguments = {{"NAME", "the actor's registered name"}},
        .options = {REASON_REQUIRED},
        .example = "carehub actor end apotheek-peeters --reason 'closed'",
        .run = run_standing,
    },
    {0},
};
