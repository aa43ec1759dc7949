#include "core_fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/core_private.h"
#include "eventid.h"
#include "pbjson.h"

const char DISCHARGE[] =
    "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]},"
    "\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"hospitalDischarge\":{\"encounterId\":\"E1\","
    "\"location\":{\"ward\":\"PSY2\"},\"note\":\"CLINICALNOTE\"}}";

/* ---- What the core calls ---------------------------------------------------------------------------------------- */

static void on_send(void *ctx, session_id to, const Carehub__V1__ToClient *message)
{
    struct hub *hub = ctx;
    size_t size = carehub__v1__to_client__get_packed_size(message);
    uint8_t *packed = malloc(size + 1);
    assert_true(hub->n_sent < SENT_MAX);
    carehub__v1__to_client__pack(message, packed);
    hub->sent[hub->n_sent].to = to;
    hub->sent[hub->n_sent].message = carehub__v1__to_client__unpack(NULL, size, packed);
    assert_non_null(hub->sent[hub->n_sent++].message);
    free(packed);
}

static void on_session(void *ctx, session_id session, uint32_t client)
{
    (void)ctx, (void)session, (void)client;
}

static void on_settled(void *ctx, session_id session, uint32_t items, uint32_t bytes)
{
    (void)ctx, (void)session, (void)items, (void)bytes;
}

static void on_standings(void *ctx, struct standings *standings)
{
    (void)ctx;
    free(standings);
}

static size_t on_room(void *ctx)
{
    (void)ctx;
    return SIZE_MAX;
}

/* ---- Life ------------------------------------------------------------------------------------------------------- */

static struct core_time now(const struct hub *hub)
{
    return (struct core_time){hub->now_ms, hub->now_ms - 1000000};
}

static void key_of(session_id session, uint8_t key[32])
{
    memset(key, (int)session, 32);
}

void hub_open(struct hub *hub)
{
    uint8_t operator_key[32];
    char error[CORE_ERROR_BYTES] = "";
    key_of(OPERATOR, operator_key);
    struct core_config config = {.hub_name = "test",
                                 .database_path = hub->database,
                                 .master_key = hub->master_key,
                                 .policy_text = hub->policy,
                                 .first_operator = operator_key,
                                 .disk_reserve_bytes = 1,
                                 .payload_kept_ms = hub->payload_kept_ms,
                                 .entry_kept_ms = hub->entry_kept_ms,
                                 .tlog = {.directory = hub->tlog[0] ? hub->tlog : NULL,
                                          .origin = hub->origin ? hub->origin : "test.example/log",
                                          .every_s = 1,
                                          .every_entries = 1000,
                                          .prune = hub->prune_tiles,
                                          .witnesses = &hub->witness,
                                          .n_witnesses = hub->witness.key ? 1 : 0}};
    struct core_output output = {.send = on_send,
                                 .session = on_session,
                                 .settled = on_settled,
                                 .standings = on_standings,
                                 .room = on_room,
                                 .ctx = hub};
    hub->core = core_open(&config, &output, now(hub), error);
    if (!hub->core)
        fail_msg("core_open: %s", error);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    char *text = calloc(1, 1 << 18);
    assert_true(fread(text, 1, (1 << 18) - 1, file) > 0);
    fclose(file);
    return text;
}

int hub_setup(void **state)
{
    struct hub *hub = calloc(1, sizeof *hub);
    /* In memory if there is such a place: what a sync costs is not what these tests are about. */
    strcpy(hub->directory, access("/dev/shm", W_OK) == 0 ? "/dev/shm/carehub-core-XXXXXX" : "/tmp/carehub-core-XXXXXX");
    assert_non_null(mkdtemp(hub->directory));
    snprintf(hub->database, sizeof hub->database, "%s/hub.db", hub->directory);
    memset(hub->master_key, 7, sizeof hub->master_key);
    hub->policy = read_file(CAREHUB_DEFAULT_POLICY);
    hub->now_ms = 1795300000000;
    hub_open(hub);
    *state = hub;
    return 0;
}

void hub_clear(struct hub *hub)
{
    for (size_t i = 0; i < hub->n_sent; i++)
        carehub__v1__to_client__free_unpacked(hub->sent[i].message, NULL);
    hub->n_sent = 0;
}

void hub_crash(struct hub *hub)
{
    core_close(&hub->core);
    hub_clear(hub);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
}

static int forget_file(const char *path, const struct stat *about, int what, struct FTW *at)
{
    (void)about, (void)what, (void)at;
    return remove(path);
}

/* A whole pass over all that is stored. */
static void check_stored(struct core *core)
{
    core->scrub = (struct scrub){.pruned = core->pruned_place,
                                 .found = core->scrub.found,
                                 .follows = core->scrub.follows,
                                 .person = core->scrub.person,
                                 .rest = core->scrub.rest,
                                 .ctx = core};
    core->index_walk = (struct index_walk){.begun = false};
    while (scrub_some(&core->scrub, core->store, core->log, core->committed_place, 1000))
        ;
    if (core->scrub.damaged > 0)
        fail_msg("%llu of what is stored is damaged at the end", (unsigned long long)core->scrub.damaged);
}

int hub_teardown(void **state)
{
    struct hub *hub = *state;
    if (hub->core && !hub->damaged)
        check_stored(hub->core);
    core_close(&hub->core);
    hub_clear(hub);
    nftw(hub->directory, forget_file, 8, FTW_DEPTH | FTW_PHYS);
    free(hub->policy);
    free(hub);
    return 0;
}

/* ---- Messages --------------------------------------------------------------------------------------------------- */

void hub_handle(struct hub *hub, session_id session, Carehub__V1__ToHub *message)
{
    uint8_t key[32];
    key_of(session, key);
    core_handle(hub->core, session, key, message, carehub__v1__to_hub__get_packed_size(message), now(hub));
}

void hub_commit(struct hub *hub)
{
    do
        core_commit(hub->core, now(hub));
    while (core_next_due_ms(hub->core) == 0);
}

void hub_hello(struct hub *hub, session_id session)
{
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    hello.min_version = hello.max_version = 1;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    hub_handle(hub, session, &message);
    hub_commit(hub);
}

static const Carehub__V1__Confirmation *publish_item(struct hub *hub, session_id session, Carehub__V1__Item *item)
{
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item *items[] = {item};
    publication.ref = ++hub->ref;
    publication.n_items = 1;
    publication.items = items;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    hub_handle(hub, session, &message);
    hub_commit(hub);
    for (size_t i = hub->n_sent; i-- > 0;) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (hub->sent[i].to == session && sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM &&
            sent->confirm->confirmations[0]->ref == hub->ref)
            return sent->confirm->confirmations[0];
    }
    fail_msg("no confirmation");
    return NULL;
}

static void *parse(const ProtobufCMessageDescriptor *descriptor, const char *json)
{
    struct pbjson_error error;
    void *message = pbjson_parse(descriptor, json, strlen(json), PBJSON_UUID, &error);
    if (!message) {
        char text[400];
        pbjson_error_format(&error, text, sizeof text);
        fail_msg("%s: %s", text, json);
    }
    return message;
}

const Carehub__V1__Confirmation *hub_fact_as(struct hub *hub, session_id session, const char *json)
{
    Carehub__V1__Fact *fact = parse(&carehub__v1__fact__descriptor, json);
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    uint8_t id[16];
    assert_int_equal(eventid_new_at(id, (uint64_t)hub->now_ms), EVENTID_OK);
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = fact;
    const Carehub__V1__Confirmation *confirmation = publish_item(hub, session, &item);
    fact->id = (ProtobufCBinaryData){0, NULL};
    carehub__v1__fact__free_unpacked(fact, NULL);
    return confirmation;
}

const Carehub__V1__Confirmation *hub_fact(struct hub *hub, const char *json)
{
    return hub_fact_as(hub, OPERATOR, json);
}

void hub_fact_good(struct hub *hub, const char *json)
{
    const Carehub__V1__Confirmation *confirmation = hub_fact(hub, json);
    if (confirmation->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
        fail_msg("%s: %s", json, confirmation->error ? confirmation->error->text : "?");
}

void event_id(const struct hub *hub, uint8_t id, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(1795300000000 >> (40 - 8 * i));
    (void)hub;
    bytes[6] = 0x80;
    bytes[8] = 0x80;
    bytes[15] = id;
}

const Carehub__V1__Confirmation *hub_publish(struct hub *hub, session_id session, uint8_t id, const char *json)
{
    Carehub__V1__Event *event = parse(&carehub__v1__event__descriptor, json);
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    uint8_t bytes[16];
    event_id(hub, id, bytes);
    ProtobufCBinaryData own = event->id;
    event->id = (ProtobufCBinaryData){sizeof bytes, bytes};
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event.len = carehub__v1__event__get_packed_size(event);
    item.event.data = malloc(item.event.len);
    carehub__v1__event__pack(event, item.event.data);
    const Carehub__V1__Confirmation *confirmation = publish_item(hub, session, &item);
    event->id = own;
    free(item.event.data);
    carehub__v1__event__free_unpacked(event, NULL);
    return confirmation;
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

uint64_t hub_attach(struct hub *hub, session_id session, const char *inbox, uint32_t credit)
{
    Carehub__V1__Attach attach = CAREHUB__V1__ATTACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    attach.inbox = (char *)inbox;
    attach.credit_events = credit ? credit : 60000;
    attach.credit_bytes = 60 << 20;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ATTACH;
    message.attach = &attach;
    size_t before = hub->n_sent;
    hub_handle(hub, session, &message);
    hub_commit(hub);
    for (size_t i = before; i < hub->n_sent; i++)
        if (hub->sent[i].to == session &&
            hub->sent[i].message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED)
            return hub->sent[i].message->attached->epoch;
    fail_msg("not attached to %s", inbox);
    return 0;
}

void hub_ack_as(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t from, uint64_t to,
                Carehub__V1__AckKind kind)
{
    Carehub__V1__AckRange range = CAREHUB__V1__ACK_RANGE__INIT, *ranges[] = {&range};
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    range.lane = lane;
    range.from = from;
    range.to = to;
    range.kind = kind;
    ack.handle = 1;
    ack.epoch = epoch;
    ack.n_ranges = 1;
    ack.ranges = ranges;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    hub_handle(hub, session, &message);
    hub_commit(hub);
}

void hub_ack(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    hub_ack_as(hub, session, epoch, lane, from, to, CAREHUB__V1__ACK_KIND__STORED);
}

void hub_nack(struct hub *hub, session_id session, uint64_t epoch, Carehub__V1__Lane lane, uint64_t number, bool final)
{
    Carehub__V1__Nack nack = CAREHUB__V1__NACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    nack.handle = 1;
    nack.epoch = epoch;
    nack.lane = lane;
    nack.number = number;
    nack.final = final;
    nack.code = (char *)"no-room";
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_NACK;
    message.nack = &nack;
    hub_handle(hub, session, &message);
    hub_commit(hub);
}

const Carehub__V1__Delivery *hub_delivery(const struct hub *hub, session_id session, size_t n)
{
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (hub->sent[i].to != session || sent->message_case != CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER)
            continue;
        if (n < sent->deliver->n_deliveries)
            return sent->deliver->deliveries[n];
        n -= sent->deliver->n_deliveries;
    }
    return NULL;
}

size_t hub_deliveries(const struct hub *hub, session_id session)
{
    size_t n = 0;
    for (size_t i = 0; i < hub->n_sent; i++)
        if (hub->sent[i].to == session && hub->sent[i].message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER)
            n += hub->sent[i].message->deliver->n_deliveries;
    return n;
}

const Carehub__V1__Skip *hub_skip(const struct hub *hub, session_id session, size_t n)
{
    for (size_t i = 0; i < hub->n_sent; i++)
        if (hub->sent[i].to == session && hub->sent[i].message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP &&
            n-- == 0)
            return hub->sent[i].message->skip;
    return NULL;
}

const Carehub__V1__Error *hub_error(const struct hub *hub, session_id session)
{
    const Carehub__V1__Error *error = NULL;
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        if (hub->sent[i].to != session)
            continue;
        if (sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR)
            error = sent->error;
        if (sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED && sent->detached->error)
            error = sent->detached->error;
    }
    return error;
}

const Carehub__V1__Answer *hub_ask(struct hub *hub, const char *json)
{
    Carehub__V1__Query *query = parse(&carehub__v1__query__descriptor, json);
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    query->ref = ++hub->ref;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = query;
    hub_handle(hub, OPERATOR, &message);
    hub_commit(hub);
    carehub__v1__query__free_unpacked(query, NULL);
    for (size_t i = hub->n_sent; i-- > 0;)
        if (hub->sent[i].message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER &&
            hub->sent[i].message->answer->ref == hub->ref)
            return hub->sent[i].message->answer;
    fail_msg("no answer");
    return NULL;
}

/* ---- The region ------------------------------------------------------------------------------------------------- */

static void add_party(struct hub *hub, const char *actor, session_id session, const char *publishes)
{
    char json[400], key[65];
    snprintf(json, sizeof json, "{\"actorSet\":{\"name\":\"%s\",\"kind\":\"ORGANISATION\"}}", actor);
    hub_fact_good(hub, json);
    snprintf(json, sizeof json, "{\"inboxSet\":{\"name\":\"%s\",\"actor\":\"%s\",\"types\":[\"*\"]}}", actor, actor);
    hub_fact_good(hub, json);
    snprintf(json, sizeof json, "{\"clientSet\":{\"name\":\"%s\",\"actors\":[\"%s\"],\"publishes\":[%s]}}", actor,
             actor, publishes);
    hub_fact_good(hub, json);

    /* 32 equal bytes in base64 */
    uint8_t bytes[32];
    key_of(session, bytes);
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = 0;
    for (size_t i = 0; i < 32; i += 3) {
        uint32_t three =
            (uint32_t)bytes[i] << 16 | (uint32_t)(i + 1 < 32 ? bytes[i + 1] : 0) << 8 | (i + 2 < 32 ? bytes[i + 2] : 0);
        for (int shift = 18; shift >= 0; shift -= 6)
            key[n++] = digits[three >> shift & 63];
    }
    key[n - 1] = '=';
    key[n] = '\0';
    snprintf(json, sizeof json, "{\"clientKeyAdded\":{\"client\":\"%s\",\"publicKey\":\"%s\"}}", actor, key);
    hub_fact_good(hub, json);
    hub_hello(hub, session);
}

void hub_region(struct hub *hub)
{
    static const char *const facts[] = {
        "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"38041299949\"}]}}",
        "{\"consentGiven\":{\"patient\":{\"number\":\"1\"},\"purposes\":[\"continuity-of-care\"]}}",
        "{\"memberAdded\":{\"patient\":{\"number\":\"1\"},\"actor\":\"gp\",\"role\":\"gp\"}}",
        "{\"memberAdded\":{\"patient\":{\"number\":\"1\"},\"actor\":\"apo\",\"role\":\"pharmacist\"}}",
        "{\"memberAdded\":{\"patient\":{\"number\":\"1\"},\"actor\":\"nurse\",\"role\":\"coordinator\"}}",
        ("{\"grantGiven\":{\"patient\":{\"number\":\"1\"},\"actor\":\"kas\",\"role\":\"insurer\",\"kind\":"
         "\"INSURANCE\"}"
         "}"),
    };
    hub_hello(hub, OPERATOR);
    add_party(hub, "az", HOSPITAL, "\"*\"");
    add_party(hub, "gp", GP, "\"*\"");
    add_party(hub, "apo", PHARMACY, "\"MedicationChanged\"");
    add_party(hub, "nurse", NURSE, "\"FallReported\"");
    add_party(hub, "kas", INSURER, "");
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        hub_fact_good(hub, facts[i]);
    hub_clear(hub);
}
