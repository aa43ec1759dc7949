/* Lists of what is registered: actors, clients, inboxes. A page at a time. */
#include "query.h"

enum { LIST_PAGE = 500 };

char **strings(struct arena *arena, size_t n)
{
    return arena_alloc(arena, n * sizeof(char *) + 1);
}

static void list_actors(struct core *core, const Carehub__V1__ListQuery *query, Carehub__V1__ListAnswer *list)
{
    const struct registry *registry = &core->registry;
    list->actors = arena_alloc(&core->batch, LIST_PAGE * sizeof *list->actors);
    for (size_t i = query->after; i < registry->n_actors && list->n_actors < LIST_PAGE; i++) {
        const struct actor *actor = registry->actors[i];
        if (query->name[0] && strcmp(query->name, actor->card->name) != 0)
            continue;
        NEW(core, ListedActor, listed);
        listed->number = actor->number;
        Carehub__V1__ActorCard *card = arena_copy(&core->batch, actor->card, sizeof *card);
        if (card->kind == CAREHUB__V1__ACTOR_KIND__PERSON || card->kind == CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER)
            card->n_identifiers = 0;
        listed->actor = card;
        listed->inboxes = strings(&core->batch, actor->n_inboxes);
        for (size_t b = 0; b < actor->n_inboxes; b++)
            listed->inboxes[listed->n_inboxes++] = registry_inbox(registry, actor->inboxes[b].inbox)->card->name;
        list->actors[list->n_actors++] = listed;
        list->next = actor->number;
    }
    if (list->next >= registry->n_actors || query->name[0])
        list->next = 0;
}

static char **type_names(struct arena *arena, size_t n, const uint32_t *types)
{
    char **names = strings(arena, n);
    for (size_t i = 0; i < n; i++)
        names[i] = (char *)(types[i] ? event_type_name((Carehub__V1__EventType)types[i]) : "*");
    return names;
}

static bool client_connected(const struct core *core, uint32_t number)
{
    uint64_t id;
    void *session;
    for (size_t at = 0; u64map_next(&core->sessions, &at, &id, &session);)
        if (((struct session *)session)->client == number)
            return true;
    return false;
}

static void list_clients(struct core *core, const Carehub__V1__ListQuery *query, Carehub__V1__ListAnswer *list)
{
    const struct registry *registry = &core->registry;
    list->clients = arena_alloc(&core->batch, LIST_PAGE * sizeof *list->clients);
    for (size_t i = query->after; i < registry->n_clients && list->n_clients < LIST_PAGE; i++) {
        const struct client *client = registry->clients[i];
        const Carehub__V1__ClientCard *card = client->card;
        if (query->name[0] && strcmp(query->name, card->name) != 0)
            continue;
        NEW(core, ListedClient, listed);
        listed->number = client->number;
        listed->name = card->name;
        listed->n_actors = card->n_actors;
        listed->actors = strings(&core->batch, card->n_actors);
        for (size_t a = 0; a < card->n_actors; a++)
            listed->actors[a] = registry_actor(registry, card->actors[a])->card->name;
        listed->n_publishes = card->n_publishes;
        listed->publishes = type_names(&core->batch, card->n_publishes, card->publishes);
        listed->n_roles = card->n_roles;
        listed->roles = card->roles;
        listed->standing = card->standing;
        listed->n_keys = card->n_keys;
        listed->keys = card->keys;
        for (size_t o = 0; o < card->n_offers; o++)
            listed->offers += card->offers[o]->expires_ms > core->now_ms;
        listed->connected = client_connected(core, client->number);
        listed->told_not_kept = card->told_not_kept;
        listed->n_facts = card->n_facts;
        listed->facts = card->facts;
        list->clients[list->n_clients++] = listed;
        list->next = client->number;
    }
    if (list->next >= registry->n_clients || query->name[0])
        list->next = 0;
}

static bool count_held_of(void *ctx, uint32_t actor, const struct card *card)
{
    struct {
        uint32_t actor;
        uint64_t n;
    } *count = ctx;
    (void)card;
    count->n += count->actor == actor;
    return true;
}

static void list_inboxes(struct core *core, const Carehub__V1__ListQuery *query, Carehub__V1__ListAnswer *list)
{
    const struct registry *registry = &core->registry;
    list->inboxes = arena_alloc(&core->batch, LIST_PAGE * sizeof *list->inboxes);
    for (size_t i = query->after; i < registry->n_inboxes && list->n_inboxes < LIST_PAGE; i++) {
        const struct inbox *inbox = registry->inboxes[i];
        if (query->name[0] && strcmp(query->name, inbox->card->name) != 0)
            continue;
        NEW(core, ListedInbox, listed);
        listed->number = inbox->number;
        listed->name = inbox->card->name;
        listed->actor = registry_actor(registry, inbox->card->actor)->card->name;
        listed->n_types = inbox->card->n_types;
        listed->types = type_names(&core->batch, inbox->card->n_types, inbox->card->types);
        listed->closed = inbox->card->closed;
        listed->undelivered = inbox_undelivered(inbox);
        listed->in_flight = inbox_in_flight(inbox);
        listed->retrying = inbox->n_retry;
        listed->dead = inbox->n_dead;
        listed->epoch = inbox->card->epoch;
        listed->max_undelivered = inbox->card->max_undelivered ? inbox->card->max_undelivered : INBOX_MAX_UNDELIVERED;
        listed->time_to_live_ms =
            inbox->card->time_to_live_ms ? inbox->card->time_to_live_ms : (uint64_t)DELIVERY_TIME_TO_LIVE_MS;
        const struct session *session = u64map_get(&core->sessions, inbox->session);
        const struct client *client = session ? registry_client(registry, session->client) : NULL;
        listed->attached_client = client ? client->card->name : (char *)"";
        listed->lanes = arena_alloc(&core->batch, LANES * sizeof *listed->lanes);
        for (int lane = 0; lane < LANES; lane++) {
            NEW(core, LanePosition, position);
            position->lane = (Carehub__V1__Lane)lane;
            position->settled = inbox->lanes[lane].settled;
            position->next = inbox->lanes[lane].next;
            listed->lanes[listed->n_lanes++] = position;
        }
        struct {
            uint32_t actor;
            uint64_t n;
        } held = {inbox->card->actor, 0};
        if (core->n_held > 0)
            store_held_each(core->store, &core->scratch, count_held_of, &held);
        listed->held = held.n;
        list->inboxes[list->n_inboxes++] = listed;
        list->next = inbox->number;
    }
    if (list->next >= registry->n_inboxes || query->name[0])
        list->next = 0;
}

void list_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                Carehub__V1__Answer *answer)
{
    (void)session;
    NEW(core, ListAnswer, list);
    if (query->list->kind == CAREHUB__V1__LIST_KIND__LIST_ACTORS)
        list_actors(core, query->list, list);
    else if (query->list->kind == CAREHUB__V1__LIST_KIND__LIST_CLIENTS)
        list_clients(core, query->list, list);
    else if (query->list->kind == CAREHUB__V1__LIST_KIND__LIST_INBOXES)
        list_inboxes(core, query->list, list);
    else
        refuse(core, &answer->error, ERROR_CODE(INVALID), "kind", "actors, clients or inboxes");
    if (query->list->name[0] && !answer->error && list->n_actors + list->n_clients + list->n_inboxes == 0)
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "name", "there is none of the name “%.*s”",
               NAME_MAX_BYTES, query->list->name);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_LIST;
    answer->list = list;
}
