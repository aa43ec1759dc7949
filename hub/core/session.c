/* Sessions: who is connected, with which rights, and what each message is handed to. Standing counts at every message.
 */
#include "core_private.h"

#include <stdlib.h>

#include <openssl/sha.h>
#include <sodium.h>

#include "eventid.h"
#include "query/query.h"

static void session_free(struct session *session)
{
    sodium_memzero(session->key, sizeof session->key);
    free(session);
}

void core_sessions_close(struct core *core)
{
    uint64_t key;
    void *session;
    for (size_t at = 0; u64map_next(&core->sessions, &at, &key, &session);)
        session_free(session);
    u64map_fini(&core->sessions);
}

/* ---- Standing --------------------------------------------------------------------------------------------------- */

static int compare_standings(const void *a, const void *b)
{
    return memcmp(((const struct standing *)a)->key, ((const struct standing *)b)->key, KEY_BYTES);
}

void send_standings(struct core *core)
{
    const struct registry *registry = &core->registry;
    struct standings *standings =
        xcalloc(1, sizeof *standings + registry->n_clients * CLIENT_KEYS_MAX * sizeof standings->keys[0]);
    for (size_t i = 0; i < registry->n_clients; i++) {
        const Carehub__V1__ClientCard *card = registry->clients[i]->card;
        for (size_t o = 0; o < card->n_offers; o++)
            standings->enrolment_open |= card->offers[o]->expires_ms > core->now_ms;
        if (card->standing != CAREHUB__V1__STANDING__ACTIVE)
            continue;
        for (size_t k = 0; k < card->n_keys; k++) {
            memcpy(standings->keys[standings->n].key, card->keys[k].data, KEY_BYTES);
            standings->keys[standings->n++].client = registry->clients[i]->number;
        }
    }
    qsort(standings->keys, standings->n, sizeof standings->keys[0], compare_standings);
    core->output.standings(core->output.ctx, standings);
    core->registry.standings_changed = false;
}

static void attachment_drop(struct core *core, struct inbox *inbox, bool standing)
{
    Error *error;
    if (standing)
        refuse(core, &error, ERROR_CODE(NOT_ALLOWED), "inbox", "the client no longer speaks for the actor of inbox %s",
               inbox->card->name);
    else
        refuse(core, &error, ERROR_CODE(REVOKED), "",
               "this key or its client is no longer in standing; ask the registrar");
    attachment_end(core, inbox, error);
}

/* What cannot be in standing any more must not receive either, nor listen; nor may a client go on with what it has no
 * right to any more. */
void drop_revoked(struct core *core)
{
    uint64_t id;
    void *value;
    for (size_t at = 0; u64map_next(&core->sessions, &at, &id, &value);) {
        struct session *session = value;
        const struct client *client = registry_client(&core->registry, session->client);
        bool standing = client && client_in_standing(client, session->key);
        for (int i = 0; client && i < ATTACHMENTS_MAX; i++)
            if (session->attachments[i] &&
                !(standing && client_speaks_for(client, session->attachments[i]->card->actor)))
                attachment_drop(core, session->attachments[i], standing);
        if (session->tailing && !(standing && may_ask(client, CAREHUB__V1__QUERY__QUERY_TAIL)))
            tail_end(core, session);
    }
}

/* ---- Messages --------------------------------------------------------------------------------------------------- */

static void hello(struct core *core, struct session *session, const Carehub__V1__Hello *hello)
{
    Error *error;
    const struct client *client = registry_client_by_key(&core->registry, session->key);
    if (!client) {
        refuse(core, &error, ERROR_CODE(NOT_ENROLLED), "",
               "this key belongs to no client in standing; enrol it, or ask the registrar");
        send_error(core, session->id, error);
        return;
    }
    if (hello->min_version > PROTOCOL_VERSION_MAX || hello->max_version < PROTOCOL_VERSION_MIN) {
        refuse(core, &error, ERROR_CODE(VERSION_UNSUPPORTED), "maxVersion",
               "this hub speaks versions %d to %d of the protocol", PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
        send_error(core, session->id, error);
        return;
    }
    session->client = client->number;
    core->output.session(core->output.ctx, session->id, client->number);

    struct arena *arena = &core->batch;
    Carehub__V1__Welcome *welcome = arena_alloc(arena, sizeof *welcome);
    carehub__v1__welcome__init(welcome);
    welcome->version = PROTOCOL_VERSION_MAX;
    welcome->hub = core->hub_name;
    welcome->client = arena_strdup(arena, client->card->name);
    welcome->n_actors = client->card->n_actors;
    welcome->actors = arena_alloc(arena, client->card->n_actors * sizeof *welcome->actors);
    welcome->inboxes = arena_alloc(arena, client->card->n_actors * ROUTE_SLOTS_MAX * sizeof *welcome->inboxes);
    for (size_t i = 0; i < client->card->n_actors; i++) {
        const struct actor *actor = registry_actor(&core->registry, client->card->actors[i]);
        welcome->actors[i] = arena_strdup(arena, actor->card->name);
        for (size_t b = 0; b < actor->n_inboxes && b < ROUTE_SLOTS_MAX; b++)
            welcome->inboxes[welcome->n_inboxes++] =
                arena_strdup(arena, registry_inbox(&core->registry, actor->inboxes[b].inbox)->card->name);
    }
    welcome->n_roles = client->card->n_roles;
    welcome->roles = arena_copy(arena, client->card->roles, client->card->n_roles * sizeof *welcome->roles);
    Carehub__V1__Limits *limits = welcome->limits = arena_alloc(arena, sizeof *limits);
    carehub__v1__limits__init(limits);
    limits->frame_max_bytes = FRAME_MAX_BYTES;
    limits->event_max_bytes = EVENT_MAX_BYTES;
    limits->batch_max_items = BATCH_MAX_ITEMS;
    limits->publish_max_unconfirmed = PUBLISH_MAX_UNCONFIRMED;
    limits->publish_max_unconfirmed_bytes = PUBLISH_MAX_UNCONFIRMED_BYTES;
    limits->attachments_max = ATTACHMENTS_MAX;
    limits->heartbeat_ms = HEARTBEAT_MS;
    welcome->hub_time_ms = core->now_ms;
    if (core->has_next_hub_key)
        welcome->next_hub_key = (ProtobufCBinaryData){KEY_BYTES, core->next_hub_key};
    Carehub__V1__ToClient *message = arena_alloc(arena, sizeof *message);
    carehub__v1__to_client__init(message);
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_WELCOME;
    message->welcome = welcome;
    send_later(core, session->id, message);
}

/* The client to which an unexpired token was offered. */
static const struct client *client_offered(struct core *core, const uint8_t hash[SHA256_DIGEST_LENGTH])
{
    for (size_t i = 0; i < core->registry.n_clients; i++) {
        const struct client *client = core->registry.clients[i];
        for (size_t o = 0; o < client->card->n_offers; o++) {
            const Carehub__V1__ClientCard__Offer *offer = client->card->offers[o];
            if (offer->expires_ms > core->now_ms && offer->token_hash.len == SHA256_DIGEST_LENGTH &&
                sodium_memcmp(offer->token_hash.data, hash, SHA256_DIGEST_LENGTH) == 0)
                return client;
        }
    }
    return NULL;
}

static void enrol(struct core *core, struct session *session, const Carehub__V1__Enrol *enrol)
{
    uint8_t hash[SHA256_DIGEST_LENGTH], id[EVENTID_BYTES];
    struct taken taken = {0};
    Error *error = NULL;
    SHA256(enrol->token.data, enrol->token.len, hash);
    batch_open(core);
    const struct client *client = client_offered(core, hash);
    bool good = client && eventid_new(id) == EVENTID_OK;
    if (!good)
        refuse(core, &error, ERROR_CODE(TOKEN_INVALID), "token",
               "this token is unknown, used or expired; ask the registrar for a new ticket");
    if (good) {
        Carehub__V1__ClientKeyAdded added = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
        Fact fact = CAREHUB__V1__FACT__INIT;
        added.client = arena_strdup(&core->batch, client->card->name);
        added.public_key = (ProtobufCBinaryData){KEY_BYTES, session->key};
        added.token_hash = (ProtobufCBinaryData){sizeof hash, hash};
        fact.id = (ProtobufCBinaryData){sizeof id, id};
        fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED;
        fact.client_key_added = &added;
        good = take_own_fact(core, &fact, &taken, &error);
        if (good) {
            Carehub__V1__Enrolled *enrolled = arena_alloc(&core->batch, sizeof *enrolled);
            Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
            carehub__v1__enrolled__init(enrolled);
            carehub__v1__to_client__init(message);
            enrolled->client = added.client;
            message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ENROLLED;
            message->enrolled = enrolled;
            send_later(core, session->id, message);
        }
    }
    if (!good)
        send_error(core, session->id, error);
}

static struct session *session_get(struct core *core, session_id id, const uint8_t key[KEY_BYTES])
{
    struct session *session = u64map_get(&core->sessions, id);
    if (session)
        return session;
    session = xcalloc(1, sizeof *session);
    session->id = id;
    memcpy(session->key, key, KEY_BYTES);
    u64map_set(&core->sessions, id, session);
    return session;
}

/* A key may have been revoked since the session began: its standing counts, at every message. */
static bool session_in_standing(struct core *core, struct session *session)
{
    Error *error;
    if (session->client == 0) {
        refuse(core, &error, ERROR_CODE(NO_HELLO), "", "say Hello first");
        send_error(core, session->id, error);
        return false;
    }
    if (client_in_standing(registry_client(&core->registry, session->client), session->key))
        return true;
    refuse(core, &error, ERROR_CODE(REVOKED), "", "this key or its client is no longer in standing; ask the registrar");
    session_detach_all(core, session, NULL);
    send_error(core, session->id, error);
    session->client = 0;
    tail_end(core, session);
    core->output.session(core->output.ctx, session->id, 0);
    return false;
}

void core_handle(struct core *core, session_id from, const uint8_t key[KEY_BYTES], const Carehub__V1__ToHub *message,
                 size_t bytes, struct core_time now)
{
    time_take(core, now);
    struct session *session = session_get(core, from, key);
    if (message->message_case == CAREHUB__V1__TO_HUB__MESSAGE_HELLO) {
        hello(core, session, message->hello);
    } else if (message->message_case == CAREHUB__V1__TO_HUB__MESSAGE_ENROL) {
        enrol(core, session, message->enrol);
    } else if (message->message_case == CAREHUB__V1__TO_HUB__MESSAGE_BYE) {
        core_session_gone(core, from, now);
        core->output.session(core->output.ctx, from, 0);
    } else if (session_in_standing(core, session)) {
        switch (message->message_case) {
        case CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH:
            publish(core, session, message->publish, bytes);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_ATTACH:
            attach(core, session, message->attach);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_DETACH:
            detach(core, session, message->detach);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_ACK:
            acknowledge(core, session, message->ack);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_NACK:
            refuse_delivery(core, session, message->nack);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_CREDIT:
            add_credit(core, session, message->credit);
            break;
        case CAREHUB__V1__TO_HUB__MESSAGE_QUERY:
            query(core, session, message->query);
            break;
        default:
            break; /* an empty message only says that the client is there */
        }
    }
    arena_reset(&core->scratch);
}

void core_session_gone(struct core *core, session_id id, struct core_time now)
{
    time_take(core, now);
    struct session *session = u64map_get(&core->sessions, id);
    if (!session)
        return;
    session_detach_all(core, session, NULL);
    tail_end(core, session);
    for (size_t i = 0; i < core->n_confirming; i++)
        if (core->confirming[i] == session)
            core->confirming[i] = core->confirming[--core->n_confirming];
    u64map_remove(&core->sessions, id);
    session_free(session);
}
