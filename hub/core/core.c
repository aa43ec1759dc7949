/* The core itself: opening, sessions, the batch. A batch is a transaction: it opens with the first message that changes
 * anything, takes the hub's own due work first, and is made durable by core_commit. Only then is anything said. */
#include "core_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/sha.h>
#include <sodium.h>

#include "eventid.h"
#include "identifier.h"

enum { TAIL_VERIFIED_ENTRIES = 1000, SWEEP_EVERY_MS = 1000 };

void say(int level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "<%d>carehubd: ", level); /* the journal's priority prefix */
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- Errors --------------------------------------------------------------------------------------------------------- */

bool error_retries(Carehub__V1__ErrorCode code)
{
    return code == ERROR_CODE(BUSY) || code == ERROR_CODE(DISK_FULL) || code == ERROR_CODE(SHUTTING_DOWN) ||
           code == ERROR_CODE(NO_HELLO) || code == ERROR_CODE(INTERNAL);
}

bool refuse(struct core *core, Error **error, Carehub__V1__ErrorCode code, const char *field, const char *format, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *error = arena_alloc(&core->batch, sizeof **error);
    carehub__v1__error__init(*error);
    (*error)->code = code;
    (*error)->text = arena_strdup(&core->batch, text);
    (*error)->field = arena_strdup(&core->batch, field);
    (*error)->retry = error_retries(code);
    return false;
}

/* ---- What is sent after the commit ------------------------------------------------------------------------------------ */

void send_later(struct core *core, session_id to, Carehub__V1__ToClient *message)
{
    GROW(core->outbox, core->n_outbox, core->outbox_capacity);
    core->outbox[core->n_outbox++] = (struct output_message){to, message};
}

void send_error(struct core *core, session_id to, const Error *error)
{
    Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
    carehub__v1__to_client__init(message);
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR;
    message->error = (Error *)error;
    send_later(core, to, message);
}

void mark_ready(struct core *core, struct inbox *inbox)
{
    if (inbox->ready || inbox->session == 0)
        return;
    GROW(core->ready, core->n_ready, core->ready_capacity);
    core->ready[core->n_ready++] = inbox;
    inbox->ready = true;
}

void mark_touched(struct core *core, struct inbox *inbox)
{
    if (inbox->touched)
        return;
    GROW(core->touched, core->n_touched, core->touched_capacity);
    core->touched[core->n_touched++] = inbox;
    inbox->touched = true;
}

/* ---- The batch ---------------------------------------------------------------------------------------------------------- */

void batch_open(struct core *core)
{
    if (core->open)
        return;
    core->log->functions->begin(core->log);
    core->open = true;
    core->opened_ms = core->real_ms;
    if (core->commit_time_place) {
        store_commit_time_put(core->store, core->commit_time_place, core->commit_time_ms);
        core->commit_time_place = 0;
    }
    endings_take(core);
}

uint64_t batch_append(struct core *core, Entry *entry, const struct person *person, const void *payload,
                      size_t payload_size)
{
    assert(core->open);
    entry->format = 1;
    entry->place = ++core->last_place;
    entry->at_ms = core->now_ms;
    size_t size = carehub__v1__entry__get_packed_size(entry);
    uint8_t *packed = arena_alloc(&core->scratch, size);
    carehub__v1__entry__pack(entry, packed);
    struct log_record record = {.place = entry->place,
                                .at_ms = entry->at_ms,
                                .entry = packed,
                                .entry_size = size,
                                .subject = person ? person->number : 0,
                                .payload = payload,
                                .payload_size = payload_size};
    core->log->functions->append(core->log, &record, person ? person->key : core->hub_key);
    return entry->place;
}

Entry *entry_read(struct core *core, uint64_t place, struct arena *arena)
{
    struct log_record record;
    enum store_result result = core->log->functions->read(core->log, place, arena, &record);
    Entry *entry = result == STORE_OK ? carehub__v1__entry__unpack(&arena->protobuf, record.entry_size, record.entry) : NULL;
    if (result == STORE_DAMAGED)
        say(2, "entry %llu of the log is damaged or was altered; it is not used", (unsigned long long)place);
    return entry;
}

Entry *entry_read_payload(struct core *core, uint64_t place, struct arena *arena, const uint8_t **payload, size_t *size)
{
    struct log_record record;
    uint8_t key[VAULT_KEY_BYTES];
    if (core->log->functions->read(core->log, place, arena, &record) != STORE_OK)
        return NULL;
    Entry *entry = carehub__v1__entry__unpack(&arena->protobuf, record.entry_size, record.entry);
    if (!entry)
        return NULL;
    struct person *person = person_get(core, entry->patient);
    if (entry->patient && !person)
        return NULL;
    memcpy(key, person ? person->key : core->hub_key, sizeof key);
    enum store_result opened = core->log->functions->payload(core->log, key, arena, &record);
    sodium_memzero(key, sizeof key);
    if (opened == STORE_DAMAGED)
        say(2, "the payload of entry %llu is damaged or was altered; it is not used", (unsigned long long)place);
    *payload = record.payload;
    *size = record.payload_size;
    return opened == STORE_OK ? entry : NULL;
}

struct person *person_get(struct core *core, uint64_t number)
{
    bool damaged;
    struct person *person = persons_get(&core->persons, number, core->now_ms, &damaged);
    if (damaged)
        say(2, "the card of P%llu is damaged or was altered; nothing is delivered of this person",
            (unsigned long long)number);
    return person;
}

uint64_t patient_resolve(struct core *core, const Carehub__V1__PatientRef *ref)
{
    if (!ref->identifier)
        return ref->number;
    struct identifier checked;
    char system[IDENTIFIER_SYSTEM_CHARS];
    enum identifier_status status = identifier_check(ref->identifier->system, ref->identifier->value, &checked);
    if (!identifier_usable(status) || !identifier_system_normalise(ref->identifier->system, system))
        return 0;
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    identifier.system = system;
    identifier.value = checked.value;
    uint64_t number = persons_find(&core->persons, &identifier);
    return ref->number && ref->number != number ? 0 : number;
}

/* ---- Opening -------------------------------------------------------------------------------------------------------------- */

static bool own_fact(struct core *core, Fact *fact, char *error)
{
    uint8_t id[EVENTID_BYTES];
    struct taken taken = {0};
    Error *why = NULL;
    if (eventid_new(id) != EVENTID_OK)
        abort();
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    bool good = take_own_fact(core, fact, &taken, &why);
    if (!good)
        snprintf(error, CORE_ERROR_BYTES, "%s", why->text);
    return good;
}

/* What an empty log starts with: the rules, and somebody who may register the rest. */
static bool first_entries(struct core *core, const struct core_config *config, char *error)
{
    Carehub__V1__PolicyAdopted policy = CAREHUB__V1__POLICY_ADOPTED__INIT;
    Fact fact = CAREHUB__V1__FACT__INIT;
    policy.text = (char *)config->policy_text;
    fact.fact_case = CAREHUB__V1__FACT__FACT_POLICY_ADOPTED;
    fact.policy_adopted = &policy;
    batch_open(core);
    if (!own_fact(core, &fact, error))
        return false;
    if (!config->first_operator)
        return true;

    Carehub__V1__OperatorRole roles[] = {
        CAREHUB__V1__OPERATOR_ROLE__VIEWER, CAREHUB__V1__OPERATOR_ROLE__OPERATOR, CAREHUB__V1__OPERATOR_ROLE__AUDITOR,
        CAREHUB__V1__OPERATOR_ROLE__REGISTRAR};
    Carehub__V1__ClientSet client = CAREHUB__V1__CLIENT_SET__INIT;
    client.name = (char *)"first-operator";
    client.n_roles = sizeof roles / sizeof *roles;
    client.roles = roles;
    fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_SET;
    fact.client_set = &client;
    if (!own_fact(core, &fact, error))
        return false;
    Carehub__V1__ClientKeyAdded key = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    key.client = client.name;
    key.public_key = (ProtobufCBinaryData){KEY_BYTES, (uint8_t *)config->first_operator};
    fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED;
    fact.client_key_added = &key;
    return own_fact(core, &fact, error);
}

/* The end of the log is where a crash or a damaged disk shows. */
static bool tail_verify(struct core *core, char *error)
{
    uint64_t first = core->last_place > TAIL_VERIFIED_ENTRIES ? core->last_place - TAIL_VERIFIED_ENTRIES + 1 : 1;
    for (uint64_t place = first; place <= core->last_place; place++) {
        struct log_record record;
        if (core->log->functions->read(core->log, place, &core->scratch, &record) != STORE_OK) {
            snprintf(error, CORE_ERROR_BYTES,
                     "entry %llu of the log is missing, damaged or altered. Restore the database from its last backup",
                     (unsigned long long)place);
            return false;
        }
        arena_reset(&core->scratch);
    }
    return true;
}

static bool count_held(void *ctx, uint32_t actor, const struct card *card)
{
    (void)actor;
    (void)card;
    ((struct core *)ctx)->n_held++;
    return true;
}

static bool state_load(struct core *core, struct core_time now, char *error)
{
    int64_t last_at_ms;
    core->last_place = core->committed_place = core->log->functions->last(core->log, &last_at_ms);
    core->now_ms = now.real_ms > last_at_ms ? now.real_ms : last_at_ms;
    core->started_ms = now.real_ms;
    core->clock_offset_ms = now.real_ms - now.boot_ms;
    core->clock_suspect = last_at_ms > now.real_ms + CLOCK_JUMP_MAX_MS;
    core->ids_known_from_ms = store_number_get(core->store, "ids-known-from-ms", 0);
    if (store_subject_key(core->store, 0, core->hub_key) != STORE_OK) {
        snprintf(error, CORE_ERROR_BYTES, "the hub's own payload key is damaged");
        return false;
    }
    persons_open(&core->persons, core->store);
    if (!registry_open(&core->registry, core->store, error, CORE_ERROR_BYTES) || !tail_verify(core, error))
        return false;
    if (store_held_each(core->store, &core->batch, count_held, core) != STORE_OK) {
        snprintf(error, CORE_ERROR_BYTES, "a held delivery's row is damaged. Restore the database from its last backup");
        return false;
    }
    return true;
}

static bool open_all(struct core *core, const struct core_config *config, struct core_time now, char *error)
{
    core->vault = vault_new(config->master_key);
    core->store = store_open(config->database_path, core->vault, error);
    if (!core->store)
        return false;
    core->log = log_sqlite_open(core->store);
    if (!state_load(core, now, error))
        return false;
    core->registry.standings_changed = true;
    if (core->last_place == 0 && !first_entries(core, config, error))
        return false;
    core_commit(core, now);
    if (core->clock_suspect)
        say(3, "the clock is before the log's last entry: what depends on dates waits. Set the clock and start again");
    return true;
}

struct core *core_open(const struct core_config *config, const struct core_output *output, struct core_time now,
                       char error[CORE_ERROR_BYTES])
{
    struct core *core = xcalloc(1, sizeof *core);
    arena_init(&core->scratch);
    arena_init(&core->batch);
    core->output = *output;
    core->commit_delay_us = config->commit_delay_us;
    core->ack_delay_ms = config->ack_delay_ms;
    core->hub_name = strdup(config->hub_name);
    core->next_retry_ms = INT64_MAX;
    core->disk_reserve_bytes = config->disk_reserve_bytes ? config->disk_reserve_bytes : DISK_RESERVE_BYTES;
    if (config->next_hub_key) {
        memcpy(core->next_hub_key, config->next_hub_key, KEY_BYTES);
        core->has_next_hub_key = true;
    }
    if (!core->hub_name || !open_all(core, config, now, error))
        core_close(&core);
    return core;
}

static void session_free(struct session *session)
{
    sodium_memzero(session->key, sizeof session->key);
    free(session);
}

void core_close(struct core **core_p)
{
    struct core *core = *core_p;
    if (!core)
        return;
    uint64_t key;
    void *session;
    for (size_t at = 0; u64map_next(&core->sessions, &at, &key, &session);)
        session_free(session);
    u64map_fini(&core->sessions);
    events_forget(core);
    u64map_fini(&core->events);
    persons_close(&core->persons);
    if (core->registry.actor_names)
        registry_close(&core->registry);
    if (core->log)
        core->log->functions->close(&core->log);
    store_close(&core->store);
    vault_destroy(&core->vault);
    arena_fini(&core->scratch);
    arena_fini(&core->batch);
    free(core->hub_name);
    free(core->confirming);
    free(core->outbox);
    free(core->ready);
    free(core->touched);
    free(core->added);
    free(core->endings);
    free(core->tail_lines);
    sodium_memzero(core, sizeof *core);
    free(core);
    *core_p = NULL;
}

/* ---- Messages --------------------------------------------------------------------------------------------------------------- */

/* The hub's time: the real one, never decreasing within the log. A jump against the clock since boot is noticed. */
static void time_take(struct core *core, struct core_time now)
{
    int64_t jump = now.real_ms - now.boot_ms - core->clock_offset_ms;
    if ((jump > CLOCK_JUMP_MAX_MS || jump < -CLOCK_JUMP_MAX_MS) && !core->clock_suspect) {
        core->clock_suspect = true;
        say(3, "the clock jumped by %lld s: what depends on dates waits. Set the clock and start again",
            (long long)jump / 1000);
    }
    core->real_ms = now.real_ms;
    if (!core->open && now.real_ms > core->now_ms)
        core->now_ms = now.real_ms;
}

static void hello(struct core *core, struct session *session, const Carehub__V1__Hello *hello)
{
    Error *error;
    const struct client *client = registry_client_by_key(&core->registry, session->key);
    if (!client) {
        refuse(core, &error, ERROR_CODE(NOT_ENROLLED), "", "this key belongs to no client in standing; enrol it, or ask the registrar");
        send_error(core, session->id, error);
        return;
    }
    if (hello->min_version > PROTOCOL_VERSION_MAX || hello->max_version < PROTOCOL_VERSION_MIN) {
        refuse(core, &error, ERROR_CODE(VERSION_UNSUPPORTED), "maxVersion", "this hub speaks versions %d to %d of the protocol",
               PROTOCOL_VERSION_MIN, PROTOCOL_VERSION_MAX);
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

/* ---- Committing ------------------------------------------------------------------------------------------------------------- */

static void send_confirmations(struct core *core)
{
    for (size_t i = 0; i < core->n_confirming; i++) {
        struct session *session = core->confirming[i];
        for (size_t at = 0; at < session->n_confirmations; at += BATCH_MAX_ITEMS) {
            size_t n = session->n_confirmations - at;
            Carehub__V1__Confirm confirm = CAREHUB__V1__CONFIRM__INIT;
            Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
            confirm.n_confirmations = n < BATCH_MAX_ITEMS ? n : BATCH_MAX_ITEMS;
            confirm.confirmations = session->confirmations + at;
            message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM;
            message.confirm = &confirm;
            core->output.send(core->output.ctx, session->id, &message);
        }
        core->output.settled(core->output.ctx, session->id, session->settled_items, session->settled_bytes);
        session->n_confirmations = session->confirmations_capacity = 0;
        session->settled_items = session->settled_bytes = 0;
        session->listed = false;
    }
    core->n_confirming = 0;
}

static int compare_standings(const void *a, const void *b)
{
    return memcmp(((const struct standing *)a)->key, ((const struct standing *)b)->key, KEY_BYTES);
}

static void send_standings(struct core *core)
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
    qsort(standings->keys, standings->n, sizeof standings->keys[0],
          compare_standings);
    core->output.standings(core->output.ctx, standings);
    core->registry.standings_changed = false;
}

static void attachment_drop(struct core *core, struct inbox *inbox, bool standing)
{
    Error *error = NULL;
    if (standing)
        refuse(core, &error, ERROR_CODE(NOT_ALLOWED), "inbox", "the client no longer speaks for the actor of inbox %s",
               inbox->card->name);
    attachment_end(core, inbox, error);
}

/* What cannot be in standing any more must not receive either, nor listen; nor may a client go on with what it has no
 * right to any more. */
static void drop_revoked(struct core *core)
{
    uint64_t id;
    void *value;
    for (size_t at = 0; u64map_next(&core->sessions, &at, &id, &value);) {
        struct session *session = value;
        const struct client *client = registry_client(&core->registry, session->client);
        bool standing = client && client_in_standing(client, session->key);
        for (int i = 0; client && i < ATTACHMENTS_MAX; i++)
            if (session->attachments[i] && !(standing && client_speaks_for(client, session->attachments[i]->card->actor)))
                attachment_drop(core, session->attachments[i], standing);
        if (session->tailing && !(standing && may_ask(client, CAREHUB__V1__QUERY__QUERY_TAIL)))
            tail_end(core, session);
    }
}

/* Acknowledgements are the only thing in a batch that is not an entry yet. Nobody waits for them: they wait a moment, for
 * company, and cost no commit of their own. */
static bool only_acknowledgements(const struct core *core)
{
    return core->last_place == core->committed_place && core->n_confirming == 0 && core->n_outbox == 0;
}

static int64_t commit_due_ms(const struct core *core)
{
    return only_acknowledgements(core) ? core->opened_ms + core->ack_delay_ms : 0;
}

static void commit_batch(struct core *core, struct core_time now)
{
    acks_flush(core);
    for (size_t i = 0; i < core->n_touched; i++) {
        inbox_flush(core->touched[i], core->store);
        core->touched[i]->touched = false;
    }
    core->n_touched = 0;
    if (core->commit_delay_us)
        usleep(core->commit_delay_us);
    core->log->functions->commit(core->log);
    core->open = false;
    time_take(core, core->output.clock ? core->output.clock(core->output.ctx) : now);
    if (core->last_place > core->committed_place) {
        core->commit_time_place = core->last_place;
        core->commit_time_ms = core->now_ms;
    }
    core->committed_place = core->last_place;
    core->counters.commits++;
}

/* Says what waited for the commit. */
static void speak(struct core *core)
{
    if (core->registry.standings_changed)
        send_standings(core);
    send_confirmations(core);
    for (size_t i = 0; i < core->n_outbox; i++)
        core->output.send(core->output.ctx, core->outbox[i].to, core->outbox[i].message);
    core->n_outbox = 0;
    if (core->n_tail_lines > 0)
        tail_flush(core);
    arena_reset(&core->batch);
    arena_reset(&core->scratch);
}

void core_commit(struct core *core, struct core_time now)
{
    time_take(core, now);
    if (core->n_endings > 0) {
        batch_open(core);
        endings_take(core);
    }
    if (core->now_ms >= core->next_sweep_ms) {
        sweep(core);
        core->next_sweep_ms = core->now_ms + SWEEP_EVERY_MS;
    }
    if (core->registry.standings_changed)
        drop_revoked(core);
    if (core->open && (now.real_ms >= commit_due_ms(core) || now.real_ms < core->opened_ms))
        commit_batch(core, now);
    speak(core);
    push_all(core);
    arena_reset(&core->scratch);
}

void core_finish(struct core *core, struct core_time now)
{
    core->ack_delay_ms = 0;
    core_commit(core, now);
}

int64_t core_next_due_ms(const struct core *core)
{
    if ((core->open && commit_due_ms(core) == 0) || core->n_endings > 0 ||
        (core->n_ready > 0 && core->output.room(core->output.ctx) > DELIVER_FRAME_MAX_BYTES))
        return 0;
    int64_t due = core->next_retry_ms < core->next_sweep_ms ? core->next_retry_ms : core->next_sweep_ms;
    return core->open && commit_due_ms(core) < due ? commit_due_ms(core) : due;
}
