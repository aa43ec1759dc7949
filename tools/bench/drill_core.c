/* The core of the drill's hub: what is said to it, and what it says. */
#include "drill_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub_limits.h"

enum { COMMITS_MAX = 100000, DRILL_CHECKPOINT_S = 24 * 3600, DRILL_CHECKPOINT_ENTRIES = 10000 };

static const uint8_t master_key[KEY_BYTES] = {7};

/* ---- What the core says ------------------------------------------------------------------------------------------- */

static struct drill_inbox *inbox_of(struct drill *drill, session_id session, uint32_t handle)
{
    uint32_t at = (uint32_t)(session - DRILL_FIRST_RECEIVER) * DRILL_INBOXES_MAX + handle - 1;
    return handle && at < DRILL_ACTORS ? &drill->inboxes[at] : NULL;
}

static void take_deliveries(struct drill *drill, session_id session, const Carehub__V1__Deliver *deliver)
{
    struct drill_inbox *inbox = inbox_of(drill, session, deliver->handle);
    for (size_t i = 0; inbox && i < deliver->n_deliveries; i++) {
        const Carehub__V1__Delivery *delivery = deliver->deliveries[i];
        inbox->last[delivery->lane] = delivery->number;
        drill->delivered++;
        Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
        if (event && event->type == CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE)
            drill->discharges[strtoul(event->patient->identifiers[0]->value, NULL, 10)]++;
        carehub__v1__event__free_unpacked(event, NULL);
    }
}

static void on_send(void *ctx, session_id to, const Carehub__V1__ToClient *message)
{
    struct drill *drill = ctx;
    if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM) {
        for (size_t i = 0; i < message->confirm->n_confirmations; i++) {
            const Carehub__V1__Confirmation *confirmation = message->confirm->confirmations[i];
            if (confirmation->error && drill->rejected++ == 0)
                fprintf(stderr, "carehub-bench-drill: refused: %s\n", confirmation->error->text);
        }
    } else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED) {
        struct drill_inbox *inbox = inbox_of(drill, to, message->attached->handle);
        if (inbox)
            *inbox = (struct drill_inbox){.handle = message->attached->handle, .epoch = message->attached->epoch};
    } else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER) {
        take_deliveries(drill, to, message->deliver);
    } else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER) {
        size_t size = carehub__v1__answer__get_packed_size(message->answer);
        uint8_t *packed = malloc(size + 1);
        carehub__v1__answer__pack(message->answer, packed);
        carehub__v1__answer__free_unpacked(drill->answer, NULL);
        drill->answer = carehub__v1__answer__unpack(NULL, size, packed);
        free(packed);
    } else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR && drill->rejected++ == 0) {
        fprintf(stderr, "carehub-bench-drill: refused: %s\n", message->error->text);
    }
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

/* ---- What is said to the core ------------------------------------------------------------------------------------- */

static struct core_time now(const struct drill *drill)
{
    return (struct core_time){drill->now_ms, drill->now_ms - DRILL_BEGIN_MS + DAY_MS};
}

void drill_key(session_id session, uint8_t key[KEY_BYTES])
{
    memset(key, 0, KEY_BYTES);
    key[0] = (uint8_t)session;
    key[KEY_BYTES - 1] = 1;
}

void drill_say(struct drill *drill, session_id session, Carehub__V1__ToHub *message)
{
    uint8_t key[KEY_BYTES];
    drill_key(session, key);
    core_handle(drill->core, session, key, message, carehub__v1__to_hub__get_packed_size(message), now(drill));
}

void drill_commit(struct drill *drill)
{
    for (int i = 0; i < COMMITS_MAX; i++) {
        core_commit(drill->core, now(drill));
        if (core_next_due_ms(drill->core) != 0)
            return;
    }
}

void drill_publish(struct drill *drill, session_id session, Carehub__V1__Item *item)
{
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish body = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item *items[] = {item};
    publication.ref = ++drill->ref;
    publication.n_items = 1;
    publication.items = items;
    body.n_publications = 1;
    body.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &body;
    drill_say(drill, session, &message);
}

void drill_id(struct drill *drill, uint8_t id[EVENTID_BYTES])
{
    memset(id, 0, EVENTID_BYTES);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(drill->now_ms >> (40 - 8 * i));
    id[6] = id[8] = 0x80;
    drill->ids++;
    memcpy(id + 9, &drill->ids, 4);
}

void drill_publish_fact(struct drill *drill, Carehub__V1__Fact *fact)
{
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    uint8_t id[EVENTID_BYTES];
    drill_id(drill, id);
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = fact;
    drill_publish(drill, DRILL_OPERATOR, &item);
}

void drill_hello(struct drill *drill, session_id session)
{
    Carehub__V1__Hello body = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    body.min_version = body.max_version = 1;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &body;
    drill_say(drill, session, &message);
    drill_commit(drill);
}

const Carehub__V1__Answer *drill_ask(struct drill *drill, Carehub__V1__Query *query)
{
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    carehub__v1__answer__free_unpacked(drill->answer, NULL);
    drill->answer = NULL;
    query->ref = ++drill->ref;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = query;
    drill_say(drill, DRILL_OPERATOR, &message);
    drill_commit(drill);
    return drill->answer;
}

/* ---- Life -------------------------------------------------------------------------------------------------------- */

bool drill_open(struct drill *drill)
{
    char error[CORE_ERROR_BYTES] = "", path[512], log[512];
    uint8_t operator_key[KEY_BYTES];
    drill_key(DRILL_OPERATOR, operator_key);
    snprintf(path, sizeof path, "%s/hub.db", drill->size.dir);
    snprintf(log, sizeof log, "%s/hub.db.tlog", drill->size.dir);
    struct core_config config = {.hub_name = "drill",
                                 .database_path = path,
                                 .master_key = master_key,
                                 .policy_text = drill->size.policy,
                                 .first_operator = operator_key,
                                 .disk_reserve_bytes = 1,
                                 .tlog = {.directory = log,
                                          .origin = "drill.example/log",
                                          .every_s = DRILL_CHECKPOINT_S,
                                          .every_entries = DRILL_CHECKPOINT_ENTRIES}};
    struct core_output output = {.send = on_send,
                                 .session = on_session,
                                 .settled = on_settled,
                                 .standings = on_standings,
                                 .room = on_room,
                                 .ctx = drill};
    drill->now_ms = DRILL_BEGIN_MS;
    drill->core = core_open(&config, &output, now(drill), error);
    if (!drill->core)
        fprintf(stderr, "carehub-bench-drill: %s\n", error);
    return drill->core != NULL;
}

static bool settle_once(struct drill *drill)
{
    uint64_t target = 0;
    drill->now_ms += DRILL_CHECKPOINT_S * 1000LL; /* then the next one is due */
    for (int i = 0; i < COMMITS_MAX; i++) {
        Carehub__V1__StatusQuery asked = CAREHUB__V1__STATUS_QUERY__INIT;
        Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
        drill->now_ms += 10;
        query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
        query.status = &asked;
        const Carehub__V1__Answer *answer = drill_ask(drill, &query);
        const Carehub__V1__StatusAnswer *status = answer ? answer->status : NULL;
        if (!status)
            break;
        target = target ? target : status->last_place;
        if (status->indexed_place >= target && status->checkpoint_size >= target)
            return true;
    }
    fprintf(stderr, "carehub-bench-drill: the hub did not come to rest\n");
    return false;
}

/* Twice: what falls due by the clock meanwhile, as of deliveries that nobody read, makes entries, too. */
bool drill_settle(struct drill *drill)
{
    return settle_once(drill) && settle_once(drill);
}

void drill_close(struct drill *drill)
{
    core_close(&drill->core);
    carehub__v1__answer__free_unpacked(drill->answer, NULL);
    free(drill->discharges);
}
