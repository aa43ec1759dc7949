/* Plays a scenario on the hub's core, step by step. What it confirms, logs and delivers is compared with the model, in
 * the order of the log's places. */
#include "rules_game.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"

/* ---- Committing ------------------------------------------------------------------------------------------------- */

static void find_answers(void)
{
    for (size_t i = 0; i < game.hub->n_sent; i++) {
        const Carehub__V1__ToClient *message = game.hub->sent[i].message;
        for (size_t c = 0;
             message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM && c < message->confirm->n_confirmations;
             c++)
            for (size_t p = 0; p < game.n_pending; p++)
                if (game.pending[p].ref == message->confirm->confirmations[c]->ref)
                    game.pending[p].answer = message->confirm->confirmations[c];
    }
}

/* The answers to it are the hub's own until it is cleared. */
static void read_log(void)
{
    game.n_entries = game.at_entry = 0;
    for (uint64_t next = game.followed + 1; next;) {
        char json[80];
        snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\"}}", (unsigned long long)next);
        const Carehub__V1__Answer *answer = hub_ask(game.hub, json);
        if (answer->error)
            broken("the log: %s", answer->error->text);
        for (size_t i = 0; i < answer->export_log->n_entries; i++) {
            if (game.n_entries == TAKEN_MAX)
                broken("too many entries at a time");
            game.entries[game.n_entries++] = answer->export_log->entries[i];
        }
        next = answer->export_log->next_place;
    }
}

static void commit(void)
{
    hub_commit(game.hub);
    find_answers();
    size_t n = game.hub->n_sent;
    read_log();
    for (size_t i = 0; i < game.n_pending; i++) {
        const struct submitted *s = &game.pending[i];
        if (!s->answer)
            broken("a publication was not answered");
        if (s->op.kind <= CONFLICT)
            event_answered(s);
        else
            fact_answered(s);
    }
    game.n_pending = 0;
    while (game.at_entry < game.n_entries)
        follow_entry(game.entries[game.at_entry++]);
    for (size_t i = 0; i < n; i++)
        hear(game.hub->sent[i].to, game.hub->sent[i].message);
    for (size_t i = n; i < game.hub->n_sent; i++) /* the questions can have brought something on its way */
        hear(game.hub->sent[i].to, game.hub->sent[i].message);
    hub_clear(game.hub);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

static void attach(int actor)
{
    commit();
    if (latest()->closed[actor])
        return;
    game.receivers[actor].attached = false;
    hub_attach(game.hub, session_of(actor), actor_names[actor], 0);
    commit();
}

static void detach(int actor)
{
    Carehub__V1__Detach detach = CAREHUB__V1__DETACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    commit();
    if (!game.receivers[actor].attached)
        return;
    detach.handle = game.receivers[actor].handle;
    detach.epoch = game.receivers[actor].epoch;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_DETACH;
    message.detach = &detach;
    hub_handle(game.hub, session_of(actor), &message);
    game.receivers[actor].attached = false;
}

static void say_acked(int actor, int lane, bool read)
{
    struct receiver *receiver = &game.receivers[actor];
    Carehub__V1__AckRange range = CAREHUB__V1__ACK_RANGE__INIT, *ranges[] = {&range};
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    range.lane = (Carehub__V1__Lane)lane;
    range.kind = read ? CAREHUB__V1__ACK_KIND__READ : CAREHUB__V1__ACK_KIND__STORED;
    range.from = read ? 1 : 0; /* what was stored before is read now, too */
    range.to = receiver->lanes[lane].cursor;
    ack.handle = receiver->handle;
    ack.epoch = receiver->epoch;
    ack.n_ranges = 1;
    ack.ranges = ranges;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    for (uint64_t number = 1; number <= range.to; number++) {
        struct slot *slot = &receiver->lanes[lane].slots[number];
        receiver->waiting -= !slot->ended && !slot->acked;
        slot->acked |= !slot->ended;
    }
    hub_handle(game.hub, session_of(actor), &message);
}

/* Everything that has come, as stored or as read. */
static void acknowledge(int actor, bool read)
{
    commit();
    for (int lane = 0; game.receivers[actor].attached && lane < LANES_OF; lane++)
        if (game.receivers[actor].lanes[lane].cursor > 0)
            say_acked(actor, lane, read);
    commit();
}

static void crash(void)
{
    hub_crash(game.hub);
    hub_hello(game.hub, session_of(CARER_A));
    game.n_pending = 0;
    for (int actor = 1; actor <= ACTORS; actor++)
        game.receivers[actor].attached = false;
    game.counts->crashes++;
}

/* What is held has a deadline, and is not held after it. */
static void deadlines_kept(void)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        for (int actor = 1; actor <= ACTORS; actor++)
            if (game.events[i].held[actor] && game.events[i].held_until[actor] <= game.hub->now_ms)
                broken("event %zu is held for %s past its deadline", i, actor_names[actor]);
}

static void pass_time(int64_t ms)
{
    commit();
    game.hub->now_ms += ms;
    commit();
    deadlines_kept();
}

/* “Whichever there is” becomes the last event that something of the kind can be done about, and for whom. */
static void find_event(struct op *op)
{
    for (long long id = OPS; id > 0 && !op->v[ID]; id--)
        for (int actor = 1; actor <= ACTORS && !op->v[ID]; actor++) {
            const struct event *event = &game.events[id];
            bool fits = op->kind == SETTLE
                            ? event->held[actor]
                            : event->unverified && event->got[actor] && !(event->verified_by >> actor & 1);
            if (!event->kept || !fits || (op->v[ACTOR] && op->v[ACTOR] != actor))
                continue;
            op->v[ID] = id;
            op->v[ACTOR] = actor;
        }
    op->v[ID] += !op->v[ID];
}

static void step(const struct op *said)
{
    struct op found = *said, *op = &found;
    bool about_event = op->kind == SETTLE || op->kind == VERIFY;
    if (about_event && !op->v[ID]) {
        commit();
        find_event(op);
    }
    struct event *event = op->v[ID] > 0 && op->v[ID] <= OPS ? &game.events[op->v[ID]] : NULL;
    int actor = (int)op->v[ACTOR];
    if (game.n_pending == PENDING / 2)
        commit();
    switch (op->kind) {
    case EVENT:
        event->op = *op;
        event->id_ms = game.hub->now_ms;
        publish_event(op, event);
        break;
    case AGAIN:
    case CONFLICT:
        commit();
        if (event->id_ms && (event->known || op->kind == AGAIN))
            publish_event(op, event);
        break;
    case ATTACH:
        attach(actor);
        break;
    case DETACH:
        detach(actor);
        break;
    case ACK:
        acknowledge(actor, op->v[YES]);
        break;
    case WAIT_MS:
        pass_time(op->v[MS]);
        break;
    case COMMIT:
        commit();
        break;
    case CRASH:
        crash();
        break;
    default:
        if (about_event)
            commit();
        if (!about_event || event->kept)
            publish_fact(op);
        break;
    }
}

static void nothing_held(void)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        for (int actor = 1; actor <= ACTORS; actor++)
            if (game.events[i].held[actor] && !latest()->closed[actor])
                broken("event %zu is still held for %s, though nothing stands in its way", i, actor_names[actor]);
}

static bool anything_waits(void)
{
    for (int actor = 1; actor <= ACTORS; actor++)
        if (game.receivers[actor].waiting > 0)
            return true;
    return false;
}

static void everything_ended(void)
{
    for (int actor = 1; actor <= ACTORS; actor++)
        for (int lane = 0; lane < LANES_OF; lane++)
            for (uint64_t n = 1; n <= game.receivers[actor].lanes[lane].last; n++)
                if (!game.receivers[actor].lanes[lane].slots[n].ended)
                    broken("%s lane %d: %llu (event %lld) never came to an end", actor_names[actor], lane,
                           (unsigned long long)n, event_at(game.receivers[actor].lanes[lane].slots[n].place)->op.v[ID]);
}

/* Everybody is there, takes and acknowledges everything: in the end nothing may wait, be held, or have gone unread
 * without a word. Replays that were asked for last take a while, so it goes on as long as there is something new. */
static void drain(void)
{
    enum { ROUNDS_MIN = 4, ROUNDS_MAX = 200 };
    int64_t since = game.hub->now_ms;
    step(&(struct op){.kind = POLICY});
    for (int actor = 1; actor <= ACTORS; actor++) {
        step(&(struct op){.kind = STANDING, .v[ACTOR] = actor});
        step(&(struct op){.kind = SUBSCRIBE, .v[ACTOR] = actor});
    }
    commit();
    step(&(struct op){.kind = WAIT_MS, .v[MS] = 1000});
    nothing_held();
    for (int round = 0; round < ROUNDS_MIN || (anything_waits() && round < ROUNDS_MAX); round++) {
        for (int actor = 1; actor <= ACTORS; actor++)
            attach(actor);
        for (int actor = 1; actor <= ACTORS; actor++)
            acknowledge(actor, false);
        step(&(struct op){.kind = WAIT_MS, .v[MS] = 1000});
    }
    everything_ended();
    watches_kept(since);
}

/* The sixth actor is no organisation: what she enters is unverified. */
static void register_carer(void)
{
    uint8_t key[32];
    char json[200], text[BASE64_ENCODED_CHARS(sizeof key) + 1] = "";
    memset(key, (int)session_of(CARER_A), sizeof key);
    base64_encode(key, sizeof key, text);
    hub_fact_good(game.hub, "{\"actorSet\":{\"name\":\"mia\",\"kind\":\"INFORMAL_CARER\"}}");
    hub_fact_good(game.hub, "{\"inboxSet\":{\"name\":\"mia\",\"actor\":\"mia\",\"types\":[\"*\"]}}");
    hub_fact_good(game.hub, "{\"clientSet\":{\"name\":\"mia\",\"actors\":[\"mia\"],\"publishes\":[\"*\"]}}");
    snprintf(json, sizeof json, "{\"clientKeyAdded\":{\"client\":\"mia\",\"publicKey\":\"%s\"}}", text);
    hub_fact_good(game.hub, json);
    hub_hello(game.hub, session_of(CARER_A));
}

static void register_persons(void)
{
    char json[200];
    hub_fact_good(game.hub,
                  "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\"],\"publishes\":[\"*\"],\"toldNotKept\":true}}");
    for (int i = 0; i < PERSONS; i++) {
        snprintf(json, sizeof json,
                 "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:sim\",\"value\":\"person-%d\"}]}}", i);
        const Carehub__V1__Confirmation *answer = hub_fact(game.hub, json);
        if (answer->number != (uint64_t)i + FIRST_NUMBER)
            broken("person %d is P%llu", i, (unsigned long long)answer->number);
    }
    register_carer();
    game.followed = hub_ask(game.hub, "{\"status\":{}}")->status->last_place;
    hub_clear(game.hub);
}

void play(const struct op *ops, size_t n, struct counts *counts)
{
    void *state;
    game.counts = counts;
    game.versions = calloc(2 * n + 4096, sizeof *game.versions);
    hub_setup(&state);
    game.hub = state;
    hub_region(game.hub);
    register_persons();
    change(&(struct op){.kind = OP_KINDS}, 0, 0);
    for (game.step = 0; game.step < n; game.step++)
        step(&ops[game.step]);
    drain();
    hub_teardown(&state);
}
