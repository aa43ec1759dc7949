/* Facts about actors, clients, inboxes and the policy. */
#include "facts.h"
#include "keeping/erasure.h"

#include <stdlib.h>

#define REGISTRAR CAREHUB__V1__OPERATOR_ROLE__REGISTRAR
#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

/* ---- Actors ----------------------------------------------------------------------------------------------------- */

static bool check_actor_set(struct fact_context *context)
{
    const Carehub__V1__ActorSet *set = MESSAGE(context, ActorSet);
    struct registry *registry = &context->core->registry;
    if (!check_name(context, set->name) || !check_text(context, "display", set->display, TEXT_MAX_BYTES))
        return false;
    if (set->kind == CAREHUB__V1__ACTOR_KIND__ACTOR_KIND_UNSPECIFIED)
        return REFUSE(context, INVALID, "kind",
                      "say what the actor is: organisation, professional, person or informal carer");
    if (set->n_identifiers > IDENTIFIERS_MAX)
        return REFUSE(context, TOO_MANY, "identifiers", "at most %d identifiers", IDENTIFIERS_MAX);
    context->actor = registry_actor_named(registry, set->name);
    if (context->actor && actor_erased(context->core, context->actor->number))
        return REFUSE(context, INVALID, "name",
                      "the actor has been erased, and does not come back; register a new one");
    if (!context->actor && registry->n_actors >= ACTORS_MAX)
        return REFUSE(context, TOO_MANY, "name", "the hub has its most actors, %d", ACTORS_MAX);
    context->number = context->actor ? context->actor->number : (uint32_t)registry->n_actors + 1;
    return true;
}

static void apply_actor_set(struct fact_context *context)
{
    const Carehub__V1__ActorSet *set = MESSAGE(context, ActorSet);
    Carehub__V1__ActorCard card = CAREHUB__V1__ACTOR_CARD__INIT;
    card.name = set->name;
    card.kind = set->kind;
    card.display = set->display;
    card.n_identifiers = set->n_identifiers;
    card.identifiers = set->identifiers;
    card.language = set->language;
    card.region = set->region;
    card.standing = context->actor ? context->actor->card->standing : CAREHUB__V1__STANDING__ACTIVE;
    registry_put_actor(&context->core->registry, context->number, message_copy(&card), context->place);
}

static bool check_actor_standing(struct fact_context *context)
{
    const Carehub__V1__ActorStanding *set = MESSAGE(context, ActorStanding);
    context->actor = registry_actor_named(&context->core->registry, set->name);
    if (!context->actor)
        return REFUSE(context, UNKNOWN_NAME, "name", "there is no actor “%.*s”", NAME_MAX_BYTES, set->name);
    if (set->standing == CAREHUB__V1__STANDING__STANDING_UNSPECIFIED)
        return REFUSE(context, INVALID, "standing", "active, suspended or ended");
    if (context->actor->card->standing == CAREHUB__V1__STANDING__ENDED)
        return REFUSE(context, INVALID, "name", "the actor has ended, and does not come back; register a new one");
    return true;
}

static void apply_actor_standing(struct fact_context *context)
{
    Carehub__V1__ActorCard *card = message_copy(context->actor->card);
    card->standing = MESSAGE(context, ActorStanding)->standing;
    registry_put_actor(&context->core->registry, context->actor->number, card, context->place);
}

/* ---- Clients ---------------------------------------------------------------------------------------------------- */

static bool check_client_set(struct fact_context *context)
{
    const Carehub__V1__ClientSet *set = MESSAGE(context, ClientSet);
    struct registry *registry = &context->core->registry;
    if (!check_name(context, set->name))
        return false;
    if (set->n_actors > CLIENT_ACTORS_MAX)
        return REFUSE(context, TOO_MANY, "actors", "a client speaks for at most %d actors", CLIENT_ACTORS_MAX);
    for (size_t i = 0; i < set->n_actors; i++)
        if (!registry_actor_named(registry, set->actors[i]))
            return REFUSE(context, UNKNOWN_NAME, "actors", "there is no actor “%.*s”", NAME_MAX_BYTES, set->actors[i]);
    for (size_t i = 0; i < set->n_publishes; i++)
        if (strcmp(set->publishes[i], "*") != 0 && !event_type_by_name(set->publishes[i]))
            return REFUSE(context, INVALID, "publishes", "there is no event type “%.*s”", NAME_MAX_BYTES,
                          set->publishes[i]);
    for (size_t i = 0; i < set->n_facts; i++)
        if (!protobuf_c_message_descriptor_get_field_by_name(&carehub__v1__fact__descriptor, set->facts[i]))
            return REFUSE(context, INVALID, "facts", "there is no fact “%.*s”", NAME_MAX_BYTES, set->facts[i]);
    context->subject = registry_client_named(registry, set->name);
    if (!context->subject && registry->n_clients >= CLIENTS_MAX)
        return REFUSE(context, TOO_MANY, "name", "the hub has its most clients, %d", CLIENTS_MAX);
    context->number = context->subject ? context->subject->number : (uint32_t)registry->n_clients + 1;
    return true;
}

/* Numbers of types by their names; "*" is 0. */
static uint32_t *type_numbers(struct arena *arena, size_t n, char *const *names)
{
    uint32_t *numbers = arena_zalloc(arena, n * sizeof *numbers + 1);
    for (size_t i = 0; i < n; i++)
        numbers[i] = strcmp(names[i], "*") == 0 ? 0 : (uint32_t)event_type_by_name(names[i]);
    return numbers;
}

static void apply_client_set(struct fact_context *context)
{
    const Carehub__V1__ClientSet *set = MESSAGE(context, ClientSet);
    struct core *core = context->core;
    Carehub__V1__ClientCard card = CAREHUB__V1__CLIENT_CARD__INIT;
    card.name = set->name;
    card.n_actors = set->n_actors;
    card.actors = arena_alloc(&core->scratch, set->n_actors * sizeof *card.actors);
    for (size_t i = 0; i < set->n_actors; i++)
        card.actors[i] = registry_actor_named(&core->registry, set->actors[i])->number;
    card.n_publishes = set->n_publishes;
    card.publishes = type_numbers(&core->scratch, set->n_publishes, set->publishes);
    card.n_roles = set->n_roles;
    card.roles = set->roles;
    card.told_not_kept = set->told_not_kept;
    card.n_facts = set->n_facts;
    card.facts = set->facts;
    card.standing = CAREHUB__V1__STANDING__ACTIVE;
    if (context->subject) {
        const Carehub__V1__ClientCard *old = context->subject->card;
        card.standing = old->standing;
        card.n_keys = old->n_keys;
        card.keys = old->keys;
        card.n_offers = old->n_offers;
        card.offers = old->offers;
    }
    registry_put_client(&core->registry, context->number, message_copy(&card), context->place);
}

static bool check_client_standing(struct fact_context *context)
{
    const Carehub__V1__ClientStanding *set = MESSAGE(context, ClientStanding);
    context->subject = registry_client_named(&context->core->registry, set->name);
    if (!context->subject)
        return REFUSE(context, UNKNOWN_NAME, "name", "there is no client “%.*s”", NAME_MAX_BYTES, set->name);
    if (set->standing == CAREHUB__V1__STANDING__STANDING_UNSPECIFIED)
        return REFUSE(context, INVALID, "standing", "active, suspended or ended");
    if (context->subject->card->standing == CAREHUB__V1__STANDING__ENDED)
        return REFUSE(context, INVALID, "name", "the client has ended, and does not come back; register a new one");
    return true;
}

static void apply_client_standing(struct fact_context *context)
{
    Carehub__V1__ClientCard *card = message_copy(context->subject->card);
    card->standing = MESSAGE(context, ClientStanding)->standing;
    registry_put_client(&context->core->registry, context->subject->number, card, context->place);
}

static bool has_key(const Carehub__V1__ClientCard *card, const ProtobufCBinaryData *key)
{
    for (size_t i = 0; i < card->n_keys; i++)
        if (card->keys[i].len == key->len && memcmp(card->keys[i].data, key->data, key->len) == 0)
            return true;
    return false;
}

static bool check_key_added(struct fact_context *context)
{
    const Carehub__V1__ClientKeyAdded *added = MESSAGE(context, ClientKeyAdded);
    const struct registry *registry = &context->core->registry;
    if (added->public_key.len != KEY_BYTES)
        return REFUSE(context, INVALID, "publicKey", "a CURVE public key is %d bytes", KEY_BYTES);
    if (context->client && added->token_hash.len)
        return REFUSE(context, INVALID, "tokenHash", "only the hub itself sets this");
    for (size_t i = 0; i < registry->n_clients; i++)
        if (has_key(registry->clients[i]->card, &added->public_key))
            return REFUSE(context, INVALID, "publicKey",
                          "this key is already registered, for client %s; make a new pair",
                          registry->clients[i]->card->name);
    if (context->subject->card->n_keys >= CLIENT_KEYS_MAX)
        return REFUSE(context, TOO_MANY, "publicKey", "client %s has %d keys already: revoke one first",
                      context->subject->card->name, CLIENT_KEYS_MAX);
    return true;
}

static bool same_bytes(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static void apply_key_added(struct fact_context *context)
{
    const Carehub__V1__ClientKeyAdded *added = MESSAGE(context, ClientKeyAdded);
    Carehub__V1__ClientCard card = *context->subject->card;
    struct arena *arena = &context->core->scratch;
    card.keys = arena_alloc(arena, (card.n_keys + 1) * sizeof *card.keys);
    if (card.n_keys)
        memcpy(card.keys, context->subject->card->keys, card.n_keys * sizeof *card.keys);
    card.keys[card.n_keys++] = added->public_key;
    /* The token that brought it has done its work. */
    size_t kept = 0;
    card.offers = arena_alloc(arena, (card.n_offers + 1) * sizeof *card.offers);
    for (size_t i = 0; i < card.n_offers; i++)
        if (!same_bytes(&context->subject->card->offers[i]->token_hash, &added->token_hash))
            card.offers[kept++] = context->subject->card->offers[i];
    card.n_offers = kept;
    registry_put_client(&context->core->registry, context->subject->number, message_copy(&card), context->place);
}

static bool check_key_revoked(struct fact_context *context)
{
    const Carehub__V1__ClientKeyRevoked *revoked = MESSAGE(context, ClientKeyRevoked);
    return has_key(context->subject->card, &revoked->public_key)
               ? true
               : REFUSE(context, UNKNOWN_NAME, "publicKey", "client %s has no such key", context->subject->card->name);
}

static void apply_key_revoked(struct fact_context *context)
{
    const Carehub__V1__ClientKeyRevoked *revoked = MESSAGE(context, ClientKeyRevoked);
    Carehub__V1__ClientCard card = *context->subject->card;
    size_t kept = 0;
    card.keys = arena_alloc(&context->core->scratch, card.n_keys * sizeof *card.keys);
    for (size_t i = 0; i < card.n_keys; i++)
        if (!same_bytes(&context->subject->card->keys[i], &revoked->public_key))
            card.keys[kept++] = context->subject->card->keys[i];
    card.n_keys = kept;
    registry_put_client(&context->core->registry, context->subject->number, message_copy(&card), context->place);
}

static bool check_enrolment_offered(struct fact_context *context)
{
    const Carehub__V1__EnrolmentOffered *offer = MESSAGE(context, EnrolmentOffered);
    if (offer->token_hash.len != 32)
        return REFUSE(context, INVALID, "tokenHash", "the SHA-256 of the token, 32 bytes");
    if (offer->expires_ms <= context->core->now_ms)
        return REFUSE(context, INVALID, "expiresMs", "the offer has expired already");
    size_t outstanding = 0;
    for (size_t i = 0; i < context->subject->card->n_offers; i++)
        outstanding += context->subject->card->offers[i]->expires_ms > context->core->now_ms;
    if (outstanding >= CLIENT_OFFERS_MAX)
        return REFUSE(context, TOO_MANY, "client",
                      "client %s has %d tokens outstanding; wait until they are used or expire",
                      context->subject->card->name, CLIENT_OFFERS_MAX);
    return true;
}

static void apply_enrolment_offered(struct fact_context *context)
{
    const Carehub__V1__EnrolmentOffered *offered = MESSAGE(context, EnrolmentOffered);
    Carehub__V1__ClientCard card = *context->subject->card;
    Carehub__V1__ClientCard__Offer offer = CAREHUB__V1__CLIENT_CARD__OFFER__INIT;
    offer.token_hash = offered->token_hash;
    offer.expires_ms = offered->expires_ms;
    size_t kept = 0;
    card.offers = arena_alloc(&context->core->scratch, (card.n_offers + 1) * sizeof *card.offers);
    for (size_t i = 0; i < card.n_offers; i++)
        if (context->subject->card->offers[i]->expires_ms > context->core->now_ms)
            card.offers[kept++] = context->subject->card->offers[i];
    card.offers[kept++] = &offer;
    card.n_offers = kept;
    registry_put_client(&context->core->registry, context->subject->number, message_copy(&card), context->place);
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

/* Who is no registrar, but may open and close inboxes, does so for the actors that it speaks for. */
static bool check_own_actor(struct fact_context *context, uint32_t actor)
{
    return !context->client || client_has_role(context->client, REGISTRAR) || client_speaks_for(context->client, actor)
               ? true
               : REFUSE(context, NOT_ALLOWED, "actor", "client %s does not speak for this actor",
                        context->client->card->name);
}

static bool check_inbox_set(struct fact_context *context)
{
    const Carehub__V1__InboxSet *set = MESSAGE(context, InboxSet);
    struct registry *registry = &context->core->registry;
    if (!check_name(context, set->name) || !check_own_actor(context, context->actor->number))
        return false;
    for (size_t i = 0; i < set->n_types; i++)
        if (strcmp(set->types[i], "*") != 0 && !event_type_by_name(set->types[i]))
            return REFUSE(context, INVALID, "types", "there is no event type “%.*s”", NAME_MAX_BYTES, set->types[i]);
    const struct inbox *old = registry_inbox_named(registry, set->name);
    if (old && (old->card->closed || old->card->actor != context->actor->number))
        return REFUSE(context, INVALID, "name", "inbox %s is closed, or another actor's; names are not used again",
                      set->name);
    if (set->time_to_live_ms > DELIVERY_TIME_TO_LIVE_MAX_MS)
        return REFUSE(context, INVALID, "timeToLiveMs", "at most %lld ms, ten years", DELIVERY_TIME_TO_LIVE_MAX_MS);
    if (!old && registry->n_inboxes >= INBOXES_MAX)
        return REFUSE(context, TOO_MANY, "name", "the hub has its most inboxes, %d", INBOXES_MAX);
    size_t open = context->actor->n_inboxes;
    if (!old && open >= ROUTE_SLOTS_MAX)
        return REFUSE(context, TOO_MANY, "actor", "actor %s has %d inboxes, the most", context->actor->card->name,
                      ROUTE_SLOTS_MAX);
    context->number = old ? old->number : (uint32_t)registry->n_inboxes + 1;
    return true;
}

static void apply_inbox_set(struct fact_context *context)
{
    const Carehub__V1__InboxSet *set = MESSAGE(context, InboxSet);
    struct core *core = context->core;
    const struct inbox *old = registry_inbox(&core->registry, context->number);
    Carehub__V1__InboxCard card = CAREHUB__V1__INBOX_CARD__INIT;
    card.name = set->name;
    card.actor = context->actor->number;
    card.n_types = set->n_types;
    card.types = type_numbers(&core->scratch, set->n_types, set->types);
    card.max_undelivered = set->max_undelivered;
    card.time_to_live_ms = set->time_to_live_ms;
    card.epoch = old ? old->card->epoch : 0;
    registry_put_inbox(&core->registry, context->number, message_copy(&card), context->place);
    core->registry.changed_place = context->place;
}

static bool check_inbox_closed(struct fact_context *context)
{
    const Carehub__V1__InboxClosed *closed = MESSAGE(context, InboxClosed);
    const struct inbox *inbox = registry_inbox_named(&context->core->registry, closed->name);
    if (!inbox || inbox->card->closed)
        return REFUSE(context, UNKNOWN_NAME, "name", "there is no open inbox “%.*s”", NAME_MAX_BYTES, closed->name);
    context->number = inbox->number;
    return check_own_actor(context, inbox->card->actor);
}

static void apply_inbox_closed(struct fact_context *context)
{
    struct core *core = context->core;
    struct inbox *inbox = registry_inbox(&core->registry, context->number);
    Carehub__V1__InboxCard *card = message_copy(inbox->card);
    card->closed = true;
    registry_put_inbox(&core->registry, inbox->number, card, context->place);
    core->registry.changed_place = context->place;
    inbox_close(core, inbox);
}

/* ---- The policy ------------------------------------------------------------------------------------------------- */

static bool check_policy_adopted(struct fact_context *context)
{
    const Carehub__V1__PolicyAdopted *adopted = MESSAGE(context, PolicyAdopted);
    char why[POLICY_ERROR_BYTES];
    size_t size = strlen(adopted->text);
    if (size > POLICY_MAX_BYTES)
        return REFUSE(context, TOO_LARGE, "text", "a policy has at most %d bytes", POLICY_MAX_BYTES);
    context->policy = policy_read(adopted->text, size, why);
    return context->policy ? true : REFUSE(context, INVALID, "text", "the policy is not sound: %s", why);
}

static void apply_policy_adopted(struct fact_context *context)
{
    registry_put_policy(&context->core->registry, context->policy, MESSAGE(context, PolicyAdopted)->text,
                        context->place);
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name

const struct fact_kind registry_facts[] = {
    {KIND(ACTOR_SET), REGISTRAR, check_actor_set, apply_actor_set, false, false},
    {KIND(ACTOR_STANDING), REGISTRAR, check_actor_standing, apply_actor_standing, false, false},
    {KIND(CLIENT_SET), REGISTRAR, check_client_set, apply_client_set, false, false},
    {KIND(CLIENT_STANDING), REGISTRAR, check_client_standing, apply_client_standing, false, false},
    {KIND(CLIENT_KEY_ADDED), REGISTRAR, check_key_added, apply_key_added, false, false},
    {KIND(CLIENT_KEY_REVOKED), REGISTRAR, check_key_revoked, apply_key_revoked, false, false},
    {KIND(ENROLMENT_OFFERED), REGISTRAR, check_enrolment_offered, apply_enrolment_offered, false, false},
    {KIND(INBOX_SET), REGISTRAR, check_inbox_set, apply_inbox_set, false, false},
    {KIND(INBOX_CLOSED), REGISTRAR, check_inbox_closed, apply_inbox_closed, false, true},
    {KIND(POLICY_ADOPTED), REGISTRAR, check_policy_adopted, apply_policy_adopted, false, false},
};
const size_t n_registry_facts = sizeof registry_facts / sizeof *registry_facts;
