#include "registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "inbox.h"

void *message_copy(const void *message)
{
    const ProtobufCMessage *from = message;
    size_t size = protobuf_c_message_get_packed_size(from);
    uint8_t *packed = xcalloc(1, size);
    protobuf_c_message_pack(from, packed);
    void *copy = protobuf_c_message_unpack(from->descriptor, NULL, size, packed);
    free(packed);
    if (!copy)
        abort();
    return copy;
}

uint32_t type_bits(size_t n, const uint32_t *types)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < n; i++)
        if (types[i] <= EVENT_TYPE_MAX)
            bits |= 1u << types[i];
    return bits;
}

/* ---- Finding ---------------------------------------------------------------------------------------------------- */

struct actor *registry_actor(const struct registry *registry, uint32_t number)
{
    return number >= 1 && number <= registry->n_actors ? registry->actors[number - 1] : NULL;
}

struct client *registry_client(const struct registry *registry, uint32_t number)
{
    return number >= 1 && number <= registry->n_clients ? registry->clients[number - 1] : NULL;
}

struct inbox *registry_inbox(const struct registry *registry, uint32_t number)
{
    return number >= 1 && number <= registry->n_inboxes ? registry->inboxes[number - 1] : NULL;
}

struct actor *registry_actor_named(const struct registry *registry, const char *name)
{
    return zhashx_lookup(registry->actor_names, name);
}

struct client *registry_client_named(const struct registry *registry, const char *name)
{
    return zhashx_lookup(registry->client_names, name);
}

struct inbox *registry_inbox_named(const struct registry *registry, const char *name)
{
    return zhashx_lookup(registry->inbox_names, name);
}

bool client_in_standing(const struct client *client, const uint8_t key[32])
{
    if (!client || client->card->standing != CAREHUB__V1__STANDING__ACTIVE)
        return false;
    for (size_t i = 0; i < client->card->n_keys; i++)
        if (client->card->keys[i].len == KEY_BYTES && memcmp(client->card->keys[i].data, key, KEY_BYTES) == 0)
            return true;
    return false;
}

struct client *registry_client_by_key(const struct registry *registry, const uint8_t key[32])
{
    for (size_t i = 0; i < registry->n_clients; i++)
        if (client_in_standing(registry->clients[i], key))
            return registry->clients[i];
    return NULL;
}

bool client_has_role(const struct client *client, Carehub__V1__OperatorRole role)
{
    for (size_t i = 0; i < client->card->n_roles; i++)
        if (client->card->roles[i] == role)
            return true;
    return false;
}

bool actor_enters_unverified(const struct actor *actor)
{
    return actor->card->kind == CAREHUB__V1__ACTOR_KIND__PERSON ||
           actor->card->kind == CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER;
}

bool client_speaks_for(const struct client *client, uint32_t actor)
{
    for (size_t i = 0; i < client->card->n_actors; i++)
        if (client->card->actors[i] == actor)
            return true;
    return false;
}

/* ---- Routing's questions ---------------------------------------------------------------------------------------- */

bool registry_route_actor(void *ctx, uint32_t number, struct route_actor *found)
{
    if (!registry_route_queued(ctx, number, found))
        return false;
    struct registry *registry = ctx;
    struct actor *actor = registry_actor(registry, number);
    for (size_t i = 0; i < actor->n_inboxes; i++)
        actor->inboxes[i].full = inbox_full(registry_inbox(registry, actor->inboxes[i].inbox));
    return true;
}

bool registry_route_queued(void *ctx, uint32_t number, struct route_actor *found)
{
    struct registry *registry = ctx;
    struct actor *actor = registry_actor(registry, number);
    if (!actor)
        return false;
    for (size_t i = 0; i < actor->n_inboxes; i++)
        actor->inboxes[i].full = false;
    *found = (struct route_actor){.name = actor->card->name,
                                  .standing = actor->card->standing,
                                  .n_inboxes = actor->n_inboxes,
                                  .inboxes = actor->inboxes};
    return true;
}

/* Brings the list of the actor's open inboxes, which is in the order of their numbers, up to date with one of them. */
static void list_inbox(struct registry *registry, const struct inbox *inbox)
{
    struct actor *actor = registry_actor(registry, inbox->card->actor);
    size_t at = 0;
    while (actor && at < actor->n_inboxes && actor->inboxes[at].inbox < inbox->number)
        at++;
    bool listed = actor && at < actor->n_inboxes && actor->inboxes[at].inbox == inbox->number;
    if (!actor || (!listed && inbox->card->closed))
        return;
    if (!listed)
        actor->inboxes = xreallocarray(actor->inboxes, ++actor->n_inboxes, sizeof *actor->inboxes);
    struct route_inbox *here = &actor->inboxes[at];
    size_t behind = actor->n_inboxes - at - 1;
    if (inbox->card->closed) {
        memmove(here, here + 1, behind * sizeof *here);
        actor->n_inboxes--;
        return;
    }
    if (!listed)
        memmove(here + 1, here, behind * sizeof *here);
    *here = (struct route_inbox){.inbox = inbox->number, .types = inbox->types};
}

static void list_all_inboxes(struct registry *registry)
{
    for (size_t i = 0; i < registry->n_actors; i++)
        registry->actors[i]->n_inboxes = 0;
    for (size_t i = 0; i < registry->n_inboxes; i++)
        list_inbox(registry, registry->inboxes[i]);
}

/* ---- Changing --------------------------------------------------------------------------------------------------- */

static void store_card(struct registry *registry, enum card_kind kind, uint32_t number, const void *message,
                       uint64_t place)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *body = xcalloc(1, size);
    protobuf_c_message_pack(message, body);
    store_card_put(registry->store, kind, number, place, body, size);
    free(body);
}

/* Grows one of the arrays by one. */
static void *add(void *array, size_t *n)
{
    void *grown = xreallocarray(array, *n + 1, sizeof(void *));
    ++*n;
    return grown;
}

static struct actor *set_actor(struct registry *registry, uint32_t number, Carehub__V1__ActorCard *card, uint64_t place)
{
    struct actor *actor = registry_actor(registry, number);
    if (!actor) {
        registry->actors = add(registry->actors, &registry->n_actors);
        actor = registry->actors[number - 1] = xcalloc(1, sizeof *actor);
        actor->number = number;
    } else {
        carehub__v1__actor_card__free_unpacked(actor->card, NULL);
    }
    actor->card = card;
    actor->from_place = place;
    zhashx_update(registry->actor_names, card->name, actor);
    return actor;
}

static struct client *set_client(struct registry *registry, uint32_t number, Carehub__V1__ClientCard *card,
                                 uint64_t place)
{
    struct client *client = registry_client(registry, number);
    if (!client) {
        registry->clients = add(registry->clients, &registry->n_clients);
        client = registry->clients[number - 1] = xcalloc(1, sizeof *client);
        client->number = number;
    } else {
        carehub__v1__client_card__free_unpacked(client->card, NULL);
    }
    client->card = card;
    client->from_place = place;
    client->types = type_bits(card->n_publishes, card->publishes);
    zhashx_update(registry->client_names, card->name, client);
    registry->standings_changed = true;
    return client;
}

static struct inbox *set_inbox(struct registry *registry, uint32_t number, Carehub__V1__InboxCard *card, uint64_t place)
{
    struct inbox *inbox = registry_inbox(registry, number);
    if (!inbox) {
        registry->inboxes = add(registry->inboxes, &registry->n_inboxes);
        inbox = registry->inboxes[number - 1] = inbox_new(number);
    } else {
        carehub__v1__inbox_card__free_unpacked(inbox->card, NULL);
    }
    inbox->card = card;
    inbox->from_place = place;
    inbox->lanes[0].head = inbox->lanes[1].head = 0; /* the time to live may be another one */
    inbox->types = type_bits(card->n_types, card->types);
    zhashx_update(registry->inbox_names, card->name, inbox);
    return inbox;
}

struct actor *registry_put_actor(struct registry *registry, uint32_t number, Carehub__V1__ActorCard *card,
                                 uint64_t place)
{
    store_card(registry, CARD_ACTOR, number, card, place);
    registry->changed_place = place;
    return set_actor(registry, number, card, place);
}

struct client *registry_put_client(struct registry *registry, uint32_t number, Carehub__V1__ClientCard *card,
                                   uint64_t place)
{
    store_card(registry, CARD_CLIENT, number, card, place);
    return set_client(registry, number, card, place);
}

struct inbox *registry_put_inbox(struct registry *registry, uint32_t number, Carehub__V1__InboxCard *card,
                                 uint64_t place)
{
    store_card(registry, CARD_INBOX, number, card, place);
    struct inbox *inbox = set_inbox(registry, number, card, place);
    list_inbox(registry, inbox);
    return inbox;
}

void registry_put_policy(struct registry *registry, struct policy *policy, const char *text, uint64_t place)
{
    Carehub__V1__PolicyCard card = CAREHUB__V1__POLICY_CARD__INIT;
    card.text = (char *)text;
    store_card(registry, CARD_POLICY, 1, &card, place);
    policy_destroy(&registry->policy);
    registry->policy = policy;
    registry->policy_place = registry->changed_place = place;
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

struct loading {
    struct registry *registry;
    enum card_kind kind;
    bool again; /* the lanes are there already, with what the open batch did to them */
    bool damaged;
};

static void load_card(void *ctx, const struct card *card)
{
    struct loading *loading = ctx;
    struct registry *registry = loading->registry;
    uint32_t number = (uint32_t)card->number;
    void *message = NULL;
    if (loading->kind != CARD_CLIENT && card->from_place > registry->changed_place)
        registry->changed_place = card->from_place;
    switch (loading->kind) {
    case CARD_ACTOR:
        if ((message = carehub__v1__actor_card__unpack(NULL, card->size, card->body)))
            set_actor(registry, number, message, card->from_place);
        break;
    case CARD_CLIENT:
        if ((message = carehub__v1__client_card__unpack(NULL, card->size, card->body)))
            set_client(registry, number, message, card->from_place);
        break;
    case CARD_INBOX:
        if ((message = carehub__v1__inbox_card__unpack(NULL, card->size, card->body))) {
            struct inbox *inbox = set_inbox(registry, number, message, card->from_place);
            loading->damaged |= !loading->again && inbox_load(inbox, registry->store) != STORE_OK;
        }
        break;
    case CARD_PATIENT:
    case CARD_POLICY:
        break;
    }
    loading->damaged |= message == NULL;
}

static bool load_policy(struct registry *registry, struct arena *arena, char *error, size_t error_size)
{
    struct card card;
    enum store_result found = store_card_get(registry->store, CARD_POLICY, 1, PLACE_LATEST, arena, &card);
    if (found == STORE_NONE)
        return true; /* a new log: its first entry will be the policy */
    Carehub__V1__PolicyCard *message =
        found == STORE_OK ? carehub__v1__policy_card__unpack(NULL, card.size, card.body) : NULL;
    char why[POLICY_ERROR_BYTES] = "it is damaged";
    if (message)
        registry->policy = policy_read(message->text, strlen(message->text), why);
    registry->policy_place = card.from_place;
    if (card.from_place > registry->changed_place)
        registry->changed_place = card.from_place;
    if (message)
        carehub__v1__policy_card__free_unpacked(message, NULL);
    if (!registry->policy)
        snprintf(error, error_size, "the policy in force cannot be read: %s", why);
    return registry->policy != NULL;
}

bool registry_open(struct registry *registry, struct store *store, char *error, size_t error_size)
{
    *registry = (struct registry){
        .store = store, .actor_names = zhashx_new(), .client_names = zhashx_new(), .inbox_names = zhashx_new()};
    static const struct {
        enum card_kind kind;
        const char *name;
    } kinds[] = {{CARD_ACTOR, "actors"}, {CARD_CLIENT, "clients"}, {CARD_INBOX, "inboxes"}};
    struct arena arena;
    arena_init(&arena);
    bool good = true;
    for (size_t i = 0; good && i < sizeof kinds / sizeof *kinds; i++) {
        struct loading loading = {registry, kinds[i].kind, false, false};
        if (store_card_each(store, kinds[i].kind, &arena, load_card, &loading) != STORE_OK || loading.damaged) {
            snprintf(error, error_size,
                     "a row of the %s is damaged or was altered. Restore the database from its last backup",
                     kinds[i].name);
            good = false;
        }
    }
    good = good && load_policy(registry, &arena, error, error_size);
    arena_fini(&arena);
    list_all_inboxes(registry);
    return good;
}

/* Takes out what a rolled-back group had registered; there is nothing in its lanes any more. */
static void forget_beyond(struct registry *registry, size_t n_actors, size_t n_clients, size_t n_inboxes)
{
    for (; registry->n_actors > n_actors; registry->n_actors--) {
        struct actor *actor = registry->actors[registry->n_actors - 1];
        zhashx_delete(registry->actor_names, actor->card->name);
        carehub__v1__actor_card__free_unpacked(actor->card, NULL);
        free(actor->inboxes);
        free(actor);
    }
    for (; registry->n_clients > n_clients; registry->n_clients--) {
        struct client *client = registry->clients[registry->n_clients - 1];
        zhashx_delete(registry->client_names, client->card->name);
        carehub__v1__client_card__free_unpacked(client->card, NULL);
        free(client);
    }
    for (; registry->n_inboxes > n_inboxes; registry->n_inboxes--) {
        struct inbox *inbox = registry->inboxes[registry->n_inboxes - 1];
        zhashx_delete(registry->inbox_names, inbox->card->name);
        inbox_free(inbox);
    }
}

static void count_card(void *ctx, const struct card *card)
{
    (void)card;
    ++*(size_t *)ctx;
}

void registry_reload(struct registry *registry)
{
    size_t counts[3] = {0};
    static const enum card_kind kinds[] = {CARD_ACTOR, CARD_CLIENT, CARD_INBOX};
    char why[POLICY_ERROR_BYTES];
    struct arena arena;
    arena_init(&arena);
    for (int i = 0; i < 3; i++)
        if (store_card_each(registry->store, kinds[i], &arena, count_card, &counts[i]) != STORE_OK)
            store_fail(registry->store, "reading the registry again");
    forget_beyond(registry, counts[0], counts[1], counts[2]);
    for (int i = 0; i < 3; i++) {
        struct loading loading = {registry, kinds[i], true, false};
        if (store_card_each(registry->store, kinds[i], &arena, load_card, &loading) != STORE_OK || loading.damaged)
            store_fail(registry->store, "reading the registry again");
    }
    policy_destroy(&registry->policy);
    if (!load_policy(registry, &arena, why, sizeof why))
        store_fail(registry->store, "reading the policy again");
    list_all_inboxes(registry);
    registry->standings_changed = true;
    arena_fini(&arena);
}

void registry_close(struct registry *registry)
{
    for (size_t i = 0; i < registry->n_actors; i++) {
        carehub__v1__actor_card__free_unpacked(registry->actors[i]->card, NULL);
        free(registry->actors[i]->inboxes);
        free(registry->actors[i]);
    }
    for (size_t i = 0; i < registry->n_clients; i++) {
        carehub__v1__client_card__free_unpacked(registry->clients[i]->card, NULL);
        free(registry->clients[i]);
    }
    for (size_t i = 0; i < registry->n_inboxes; i++)
        inbox_free(registry->inboxes[i]);
    free(registry->actors);
    free(registry->clients);
    free(registry->inboxes);
    zhashx_destroy(&registry->actor_names);
    zhashx_destroy(&registry->client_names);
    zhashx_destroy(&registry->inbox_names);
    policy_destroy(&registry->policy);
    *registry = (struct registry){0};
}
