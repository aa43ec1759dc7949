/* test_sdk.c - what libcarehub promises of its connection, its publications and its subscriptions, against a scripted
 * peer. */
#include "sdk_peer.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SEEN_MAX = 64 };
#define STORED CAREHUB__V1__ACK_KIND__STORED
#define ORDINARY CAREHUB__V1__LANE__LANE_ORDINARY
#define HEAR(kind) peer_hear(&f->peer, CAREHUB__V1__TO_HUB__MESSAGE_##kind)

/* What callbacks saw, in order. */
struct seen {
    pthread_mutex_t lock;
    int n;
    struct {
        intptr_t what;
        int64_t value;
    } items[SEEN_MAX];
};

struct fixture {
    struct peer peer;
    struct carehub_options options;
    carehub_client *client;
    carehub_subscription *subscription;
    struct seen states, confirms, deliveries, skips, attachments;
    char spool[64];
    bool ack_at_once;
};

static void note(struct seen *s, intptr_t what, int64_t value)
{
    pthread_mutex_lock(&s->lock);
    if (s->n < SEEN_MAX) {
        s->items[s->n].what = what;
        s->items[s->n++].value = value;
    }
    pthread_mutex_unlock(&s->lock);
}

/* Waits until item i has been seen, and checks it. */
static void expect(struct seen *s, int i, intptr_t what, int64_t value)
{
    for (int waited_ms = 0; waited_ms < PATIENCE_MS; waited_ms += 2) {
        pthread_mutex_lock(&s->lock);
        bool is_there = s->n > i;
        intptr_t seen_what = is_there ? s->items[i].what : 0;
        int64_t seen_value = is_there ? s->items[i].value : 0;
        pthread_mutex_unlock(&s->lock);
        if (is_there) {
            assert_int_equal(seen_what, what);
            assert_int_equal(seen_value, value);
            return;
        }
        usleep(2000);
    }
    fail_msg("item %d was not seen in time", i);
}

static void on_state(void *arg, enum carehub_state state, const char *error)
{
    struct fixture *f = arg;
    note(&f->states, state, error != NULL);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct seen *all[] = {&f->states, &f->confirms, &f->deliveries, &f->skips, &f->attachments};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        pthread_mutex_init(&all[i]->lock, NULL);
    peer_start(&f->peer);
    f->options.endpoint = f->peer.endpoint;
    memcpy(f->options.hub_key, f->peer.key.public_key, CAREHUB_KEY_BYTES);
    assert_int_equal(carehub_keygen(&f->options.key), CAREHUB_OK);
    f->options.on_state = on_state;
    f->options.arg = f;
    *state = f;
    return 0;
}

static int setup_with_spool(void **state)
{
    setup(state);
    struct fixture *f = *state;
    strcpy(f->spool, "/tmp/carehub-sdk-XXXXXX");
    assert_non_null(mkdtemp(f->spool));
    f->options.spool_dir = f->spool;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    carehub_close(&f->client);
    peer_free(&f->peer);
    DIR *folder = f->spool[0] ? opendir(f->spool) : NULL;
    for (struct dirent *e; folder && (e = readdir(folder));)
        if (e->d_name[0] != '.')
            unlinkat(dirfd(folder), e->d_name, 0);
    if (folder)
        closedir(folder);
    if (f->spool[0])
        rmdir(f->spool);
    free(f);
    return 0;
}

static void open_client(struct fixture *f)
{
    if (carehub_open(&f->client, &f->options) != CAREHUB_OK)
        fail_msg("carehub_open: %s", carehub_error());
}

static void connect_client(struct fixture *f)
{
    open_client(f);
    peer_welcome(&f->peer);
    assert_int_equal(carehub_wait_connected(f->client, PATIENCE_MS), CAREHUB_OK);
}

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

struct sent {
    struct fixture *fixture;
    int number;
};

static void on_confirm(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct sent *sent = arg;
    (void)confirmation;
    note(&sent->fixture->confirms, sent->number, status);
    free(sent);
}

/* Publishes an event whose correlation id is its number. */
static void publish(struct fixture *f, int number)
{
    char text[16];
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    struct sent *sent = malloc(sizeof *sent);
    *sent = (struct sent){f, number};
    snprintf(text, sizeof text, "%d", number);
    event.type = CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE;
    event.correlation_id = text;
    assert_int_equal(carehub_publish(f->client, &event, on_confirm, sent), CAREHUB_OK);
}

/* Hears publications until n have come, in frames of any size; checks that they are the events first, first + 1, …
 * Fills in their refs. */
static void hear_events(struct fixture *f, int first, int n, uint64_t *refs)
{
    for (int heard = 0; heard < n;) {
        Carehub__V1__ToHub *m = HEAR(PUBLISH);
        for (size_t i = 0; i < m->publish->n_publications; i++, heard++) {
            const Carehub__V1__Publication *p = m->publish->publications[i];
            Carehub__V1__Event *event =
                carehub__v1__event__unpack(NULL, p->items[0]->event.len, p->items[0]->event.data);
            assert_int_equal(event->id.len, CAREHUB_ID_BYTES);
            assert_int_equal(atoi(event->correlation_id), first + heard);
            carehub__v1__event__free_unpacked(event, NULL);
            assert_true(heard < n);
            refs[heard] = p->ref;
        }
        peer_forget(m);
    }
}

static void confirmed_events_are_reported_once_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t refs[10];
    connect_client(f);
    assert_string_equal(carehub_welcome(f->client)->client, "tester");
    for (int i = 0; i < 10; i++)
        publish(f, i);
    hear_events(f, 0, 10, refs);
    for (int i = 0; i < 10; i++) {
        peer_confirm(&f->peer, refs[i],
                     i % 2 ? CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED
                           : CAREHUB__V1__CONFIRMATION__STATUS__REPEATED);
        peer_confirm(&f->peer, refs[i], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED); /* once is enough */
    }
    for (int i = 0; i < 10; i++)
        expect(&f->confirms, i, i, CAREHUB_OK);
    peer_hear_nothing(&f->peer);
    assert_int_equal(f->confirms.n, 10);
}

static void refused_event_is_reported_and_not_sent_again(void **state)
{
    struct fixture *f = *state;
    uint64_t ref;
    connect_client(f);
    publish(f, 1);
    hear_events(f, 1, 1, &ref);
    peer_reject(&f->peer, ref, CAREHUB__V1__ERROR_CODE__INVALID, false);
    expect(&f->confirms, 0, 1, CAREHUB_REFUSED);
    peer_hear_nothing(&f->peer);
}

static void busy_hub_gets_them_again_in_order(void **state)
{
    struct fixture *f = *state;
    uint64_t refs[5], again[5];
    connect_client(f);
    for (int i = 0; i < 5; i++)
        publish(f, i);
    hear_events(f, 0, 5, refs);
    peer_confirm(&f->peer, refs[0], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    peer_reject(&f->peer, refs[1], CAREHUB__V1__ERROR_CODE__BUSY, true);
    peer_hear_nothing(&f->peer); /* not before the others are answered */
    publish(f, 5);               /* comes behind those that were put off */
    for (int i = 2; i < 5; i++)
        peer_reject(&f->peer, refs[i], CAREHUB__V1__ERROR_CODE__BUSY, true);
    hear_events(f, 1, 5, again);
    assert_true(again[0] > refs[4]);
    for (int i = 0; i < 5; i++)
        peer_confirm(&f->peer, again[i], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    for (int i = 0; i < 6; i++)
        expect(&f->confirms, i, i, CAREHUB_OK);
}

static void hub_that_was_killed_gets_what_it_did_not_confirm(void **state)
{
    struct fixture *f = *state;
    uint64_t refs[4];
    connect_client(f);
    for (int i = 0; i < 4; i++)
        publish(f, i);
    hear_events(f, 0, 4, refs);
    peer_confirm(&f->peer, refs[0], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    expect(&f->confirms, 0, 0, CAREHUB_OK);
    peer_kill(&f->peer);
    expect(&f->states, 1, CAREHUB_DISCONNECTED, true);
    publish(f, 4);
    peer_start(&f->peer);
    peer_welcome(&f->peer);
    hear_events(f, 1, 4, refs);
    for (int i = 0; i < 4; i++)
        peer_confirm(&f->peer, refs[i], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    for (int i = 0; i < 5; i++)
        expect(&f->confirms, i, i, CAREHUB_OK);
    expect(&f->states, 2, CAREHUB_CONNECTED, false);
}

static void no_hello_is_answered_on_the_same_connection(void **state)
{
    struct fixture *f = *state;
    uint64_t refs[2];
    connect_client(f);
    publish(f, 0);
    hear_events(f, 0, 1, refs);
    uint8_t before = f->peer.identity[f->peer.identity_size - 1];
    peer_say_error(&f->peer, CAREHUB__V1__ERROR_CODE__NO_HELLO, true);
    peer_say_error(&f->peer, CAREHUB__V1__ERROR_CODE__NO_HELLO, true); /* to a second frame under way */
    peer_welcome(&f->peer);
    assert_int_equal(f->peer.identity[f->peer.identity_size - 1], before);
    hear_events(f, 0, 1, refs);
    peer_confirm(&f->peer, refs[0], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    expect(&f->confirms, 0, 0, CAREHUB_OK);
    peer_hear_nothing(&f->peer);
}

static void publishing_window_is_respected(void **state)
{
    struct fixture *f = *state;
    uint64_t refs[10];
    f->peer.limits.publish_max_unconfirmed = 4;
    f->peer.limits.batch_max_items = 3;
    connect_client(f);
    for (int i = 0; i < 10; i++)
        publish(f, i);
    hear_events(f, 0, 4, refs);
    peer_hear_nothing(&f->peer);
    for (int i = 4; i < 10; i++) { /* each confirm makes room for one */
        peer_confirm(&f->peer, refs[i - 4], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
        hear_events(f, i, 1, &refs[i]);
        if (i == 4)
            peer_hear_nothing(&f->peer);
    }
}

static void wrong_events_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    static uint8_t large[(64 << 10) + 1];
    open_client(f);
    assert_int_equal(carehub_publish_bytes(f->client, large, sizeof large, NULL, NULL), CAREHUB_INVALID_ARGUMENT);
    assert_int_equal(carehub_publish_bytes(f->client, large, 100, NULL, NULL), CAREHUB_INVALID_ARGUMENT);
    assert_int_equal(carehub_publish_group(f->client, NULL, 0, NULL, NULL), CAREHUB_INVALID_ARGUMENT);
}

static void unsent_events_are_reported_when_it_is_closed(void **state)
{
    struct fixture *f = *state;
    uint64_t ref;
    connect_client(f);
    publish(f, 0);
    hear_events(f, 0, 1, &ref);
    publish(f, 1);
    carehub_close(&f->client);
    expect(&f->confirms, 0, 0, CAREHUB_CLOSED);
    expect(&f->confirms, 1, 1, CAREHUB_CLOSED);
}

/* ---- The session ------------------------------------------------------------------------------------------------ */

static void silent_hub_gets_a_new_connection(void **state)
{
    struct fixture *f = *state;
    f->peer.limits.heartbeat_ms = 100;
    connect_client(f);
    peer_hear_nothing(&f->peer); /* heartbeats are answered: it stays */
    assert_int_equal(f->states.n, 1);
    f->peer.mute = true;
    peer_welcome(&f->peer);
    expect(&f->states, 1, CAREHUB_DISCONNECTED, true);
    expect(&f->states, 2, CAREHUB_CONNECTED, false);
}

static void revoked_client_is_told_and_tries_again(void **state)
{
    struct fixture *f = *state;
    open_client(f);
    peer_forget(HEAR(HELLO));
    peer_say_error(&f->peer, CAREHUB__V1__ERROR_CODE__REVOKED, false);
    assert_int_equal(carehub_wait_connected(f->client, PATIENCE_MS), CAREHUB_REFUSED);
    assert_string_equal(carehub_error(), "the peer says so");
    expect(&f->states, 0, CAREHUB_NOT_ADMITTED, true);
    peer_welcome(&f->peer);
    expect(&f->states, 1, CAREHUB_CONNECTED, false);
}

static void unreachable_hub_is_reported(void **state)
{
    struct fixture *f = *state;
    peer_kill(&f->peer);
    open_client(f);
    assert_int_equal(carehub_wait_connected(f->client, 500), CAREHUB_CONNECT);
    assert_non_null(strstr(carehub_error(), f->peer.endpoint));
    peer_start(&f->peer);
    peer_welcome(&f->peer);
    assert_int_equal(carehub_wait_connected(f->client, PATIENCE_MS), CAREHUB_OK);
}

static void blocking_in_a_callback(void *arg, enum carehub_state state, const char *error)
{
    struct fixture *f = arg;
    (void)error;
    if (state == CAREHUB_CONNECTED)
        note(&f->confirms, carehub_wait_connected(f->client, 10), 0);
}

static void blocking_function_in_a_callback_is_refused(void **state)
{
    struct fixture *f = *state;
    f->options.on_state = blocking_in_a_callback;
    open_client(f);
    peer_welcome(&f->peer);
    expect(&f->confirms, 0, CAREHUB_WOULD_DEADLOCK, 0);
}

/* ---- The spool -------------------------------------------------------------------------------------------------- */

static void on_settled(void *arg, const uint8_t id[CAREHUB_ID_BYTES], int status, const Carehub__V1__Confirmation *c)
{
    struct fixture *f = arg;
    (void)id;
    (void)c;
    note(&f->skips, status, 0);
}

static void spooled_events_outlive_the_client(void **state)
{
    struct fixture *f = *state;
    struct carehub_spool_status status;
    uint64_t refs[3];
    peer_kill(&f->peer);
    open_client(f);
    for (int i = 0; i < 3; i++)
        publish(f, i);
    carehub_close(&f->client);
    for (int i = 0; i < 3; i++)
        expect(&f->confirms, i, i, CAREHUB_CLOSED);

    open_client(f);
    carehub_spool_on_settled(f->client, on_settled, f);
    peer_start(&f->peer);
    peer_welcome(&f->peer);
    hear_events(f, 0, 3, refs);
    peer_confirm(&f->peer, refs[0], CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    peer_reject(&f->peer, refs[1], CAREHUB__V1__ERROR_CODE__INVALID, false);
    peer_confirm(&f->peer, refs[2], CAREHUB__V1__CONFIRMATION__STATUS__REPEATED);
    expect(&f->skips, 0, CAREHUB_OK, 0);
    expect(&f->skips, 1, CAREHUB_REFUSED, 0);
    expect(&f->skips, 2, CAREHUB_OK, 0);
    assert_int_equal(carehub_spool_status(f->client, &status), CAREHUB_OK);
    assert_int_equal(status.waiting, 0);
    assert_int_equal(status.refused, 1);
}

static void group_keeps_its_place_among_spooled_events(void **state)
{
    struct fixture *f = *state;
    Carehub__V1__Fact fact = CAREHUB__V1__FACT__INIT;
    Carehub__V1__ActorStanding standing = CAREHUB__V1__ACTOR_STANDING__INIT;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    const Carehub__V1__Item *items[] = {&item};
    uint8_t id[CAREHUB_ID_BYTES] = {1};
    fact.id = (ProtobufCBinaryData){sizeof id, id};
    fact.fact_case = CAREHUB__V1__FACT__FACT_ACTOR_STANDING;
    fact.actor_standing = &standing;
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = &fact;
    open_client(f);
    publish(f, 0);
    assert_int_equal(carehub_publish_group(f->client, items, 1, NULL, NULL), CAREHUB_OK);
    publish(f, 1);
    peer_welcome(&f->peer);
    Carehub__V1__ToHub *m = HEAR(PUBLISH);
    assert_int_equal(m->publish->n_publications, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m->publish->publications[i]->items[0]->item_case,
                         i == 1 ? CAREHUB__V1__ITEM__ITEM_FACT : CAREHUB__V1__ITEM__ITEM_EVENT);
    peer_forget(m);
}

/* ---- Receiving -------------------------------------------------------------------------------------------------- */

static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *delivery)
{
    struct fixture *f = arg;
    if (f->ack_at_once)
        carehub_ack(subscription, delivery->lane, delivery->number, STORED);
    note(&f->deliveries, (intptr_t)delivery->number, (int64_t)delivery->epoch);
}

static void on_skip(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct fixture *f = arg;
    (void)subscription;
    (void)lane;
    note(&f->skips, (intptr_t)from, (int64_t)to);
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    struct fixture *f = arg;
    (void)subscription;
    note(&f->attachments, status, error != NULL);
}

static void subscribe(struct fixture *f, uint32_t credit_events)
{
    struct carehub_subscribe_options options = {
        .inbox = "inbox-a",
        .credit_events = credit_events,
        .on_delivery = on_delivery,
        .on_skip = on_skip,
        .on_attached = on_attached,
        .arg = f,
    };
    assert_int_equal(carehub_subscribe(f->client, &options, &f->subscription), CAREHUB_OK);
}

static void hear_ack(struct fixture *f, uint64_t epoch, uint64_t from, uint64_t to)
{
    Carehub__V1__ToHub *m = HEAR(ACK);
    assert_int_equal(m->ack->epoch, epoch);
    assert_int_equal(m->ack->n_ranges, 1);
    assert_int_equal(m->ack->ranges[0]->from, from);
    assert_int_equal(m->ack->ranges[0]->to, to);
    peer_forget(m);
}

static void hear_credit(struct fixture *f, uint32_t events)
{
    Carehub__V1__ToHub *m = HEAR(CREDIT);
    assert_int_equal(m->credit->events, events);
    assert_true(m->credit->bytes > 0);
    peer_forget(m);
}

static void attach(struct fixture *f, uint32_t credit_events, uint64_t settled)
{
    connect_client(f);
    subscribe(f, credit_events);
    peer_attach(&f->peer, 7, 1, settled);
    expect(&f->attachments, 0, CAREHUB_OK, false);
}

static void deliver_through(struct fixture *f, uint64_t from, uint64_t to)
{
    for (uint64_t number = from; number <= to; number++)
        peer_deliver(&f->peer, 7, 1, number);
    int last = (int)(to - from);
    expect(&f->deliveries, f->deliveries.n > last ? f->deliveries.n - 1 : last, (intptr_t)to, 1);
}

static void deliveries_are_acknowledged_and_credit_comes_at_half(void **state)
{
    struct fixture *f = *state;
    f->ack_at_once = true;
    attach(f, 4, 10);
    peer_deliver(&f->peer, 7, 1, 11);
    hear_ack(f, 1, 11, 11);
    peer_deliver(&f->peer, 7, 1, 12);
    hear_ack(f, 1, 12, 12);
    hear_credit(f, 2);
    peer_hear_nothing(&f->peer);
}

static void rare_acknowledgements_do_not_starve_it(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 4);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 2, STORED), CAREHUB_OK);
    hear_ack(f, 1, 2, 2); /* a quarter: but the hub has nothing left */
    hear_credit(f, 1);
    assert_int_equal(carehub_ack_through(f->subscription, ORDINARY, 4, STORED), CAREHUB_OK);
    hear_ack(f, 1, 0, 4);
    hear_credit(f, 3);
}

static void unacknowledged_deliveries_hold_the_credit(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 4);
    peer_hear_nothing(&f->peer);
}

static void skipped_delivery_frees_its_credit(void **state)
{
    struct fixture *f = *state;
    attach(f, 2, 0);
    deliver_through(f, 1, 2);
    Carehub__V1__Skip skip = CAREHUB__V1__SKIP__INIT;
    skip.handle = 7;
    skip.epoch = 1;
    skip.from = 2;
    skip.to = 5;
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP, &skip);
    expect(&f->skips, 0, 2, 5);
    hear_credit(f, 1);
    assert_int_equal(carehub_ack_through(f->subscription, ORDINARY, 5, STORED), CAREHUB_OK);
    hear_ack(f, 1, 0, 5);
    peer_forget(HEAR(CREDIT));
}

static void displaced_subscription_stays_away(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 1);
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    Carehub__V1__Detached detached = CAREHUB__V1__DETACHED__INIT;
    error.code = CAREHUB__V1__ERROR_CODE__STALE_EPOCH;
    error.text = "another one attached";
    detached.handle = 7;
    detached.inbox = "inbox-a";
    detached.error = &error;
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED, &detached);
    expect(&f->attachments, 1, CAREHUB_STALE, true);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 1, STORED), CAREHUB_STALE);
    peer_hear_nothing(&f->peer);
    peer_say_error(&f->peer, CAREHUB__V1__ERROR_CODE__NO_HELLO, true);
    peer_welcome(&f->peer);
    peer_hear_nothing(&f->peer); /* not on a new session either */
}

static void after_a_restart_it_attaches_again_and_acknowledges_with_the_new_epoch(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 2);
    peer_kill(&f->peer);
    expect(&f->attachments, 1, CAREHUB_CONNECT, true);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 1, STORED), CAREHUB_STALE);
    peer_start(&f->peer);
    peer_welcome(&f->peer);
    peer_attach(&f->peer, 7, 2, 0);
    peer_deliver(&f->peer, 7, 1, 9); /* of the old epoch, late: dropped */
    peer_deliver(&f->peer, 7, 2, 1);
    expect(&f->deliveries, 2, 1, 2);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 2, STORED), CAREHUB_STALE); /* not yet again */
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 9, STORED), CAREHUB_INVALID_ARGUMENT);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 1, STORED), CAREHUB_OK);
    hear_ack(f, 2, 1, 1);
    peer_hear_nothing(&f->peer);
}

static void refused_attachment_is_told_and_tried_again(void **state)
{
    struct fixture *f = *state;
    connect_client(f);
    subscribe(f, 4);
    peer_forget(HEAR(ATTACH));
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    error.code = CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME;
    error.text = "no such inbox";
    error.field = "inbox";
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR, &error);
    expect(&f->attachments, 0, CAREHUB_REFUSED, true);
    assert_int_equal(f->states.n, 1); /* the session goes on */
    peer_attach(&f->peer, 7, 1, 0);
    expect(&f->attachments, 1, CAREHUB_OK, false);
}

static void answer_about_an_old_attachment_does_not_end_the_new_one(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    Carehub__V1__Detached detached = CAREHUB__V1__DETACHED__INIT;
    error.code = CAREHUB__V1__ERROR_CODE__STALE_EPOCH;
    detached.handle = 7;
    detached.error = &error;
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED, &detached);
    deliver_through(f, 1, 1);
    assert_int_equal(f->attachments.n, 1);
}

static void settled_before_the_attachment_is_stale(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 10);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 10, STORED), CAREHUB_STALE);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 11, STORED), CAREHUB_INVALID_ARGUMENT);
    assert_int_equal(carehub_ack(f->subscription, ORDINARY, 10, CAREHUB__V1__ACK_KIND__READ), CAREHUB_OK);
    hear_ack(f, 1, 10, 10); /* read, later than stored */
}

static void refused_delivery_carries_its_code(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 2);
    assert_int_equal(carehub_nack(f->subscription, ORDINARY, 1, "no-such-patient", true), CAREHUB_OK);
    Carehub__V1__ToHub *m = HEAR(NACK);
    assert_int_equal(m->nack->number, 1);
    assert_true(m->nack->final);
    assert_string_equal(m->nack->code, "no-such-patient");
    peer_forget(m);
}

static void unsubscribing_detaches(void **state)
{
    struct fixture *f = *state;
    attach(f, 4, 0);
    deliver_through(f, 1, 1);
    carehub_ack(f->subscription, ORDINARY, 1, STORED);
    carehub_unsubscribe(&f->subscription);
    assert_null(f->subscription);
    hear_ack(f, 1, 1, 1);
    Carehub__V1__ToHub *m = peer_hear(&f->peer, CAREHUB__V1__TO_HUB__MESSAGE_DETACH);
    assert_int_equal(m->detach->handle, 7);
    peer_forget(m);
}

static void acknowledgements_are_told_before_it_is_closed(void **state)
{
    struct fixture *f = *state;
    attach(f, 100, 0);
    deliver_through(f, 1, 3);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(carehub_ack(f->subscription, ORDINARY, i, STORED), CAREHUB_OK);
    carehub_close(&f->client);
    for (uint64_t next = 1; next <= 3;) { /* in one range, or as they were given */
        Carehub__V1__ToHub *m = HEAR(ACK);
        assert_int_equal(m->ack->ranges[0]->from, next);
        next = m->ack->ranges[0]->to + 1;
        peer_forget(m);
    }
    peer_forget(HEAR(BYE));
}

/* ---- Questions, enrolment --------------------------------------------------------------------------------------- */

static void *ask(void *arg)
{
    struct fixture *f = arg;
    Carehub__V1__StatusQuery status = CAREHUB__V1__STATUS_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer;
    query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
    query.status = &status;
    int result = carehub_ask(f->client, &query, PATIENCE_MS, &answer);
    note(&f->confirms, result, answer && answer->status ? (int64_t)answer->status->last_place : -1);
    if (answer)
        carehub__v1__answer__free_unpacked(answer, NULL);
    return NULL;
}

static void questions_are_answered(void **state)
{
    struct fixture *f = *state;
    pthread_t thread;
    connect_client(f);
    pthread_create(&thread, NULL, ask, f);
    Carehub__V1__ToHub *m = HEAR(QUERY);
    Carehub__V1__StatusAnswer status = CAREHUB__V1__STATUS_ANSWER__INIT;
    Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
    status.last_place = 42;
    answer.ref = m->query->ref;
    answer.answer_case = CAREHUB__V1__ANSWER__ANSWER_STATUS;
    answer.status = &status;
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER, &answer);
    peer_forget(m);
    pthread_join(thread, NULL);
    expect(&f->confirms, 0, CAREHUB_OK, 42);

    pthread_create(&thread, NULL, ask, f);
    peer_forget(HEAR(QUERY));
    peer_kill(&f->peer);
    pthread_join(thread, NULL);
    expect(&f->confirms, 1, CAREHUB_CONNECT, -1);
}

struct enrolment {
    struct fixture *fixture;
    char ticket[512], endpoint[128], client[64];
    uint8_t hub_key[CAREHUB_KEY_BYTES];
    int result;
};

static void *enrol(void *arg)
{
    struct enrolment *e = arg;
    e->result = carehub_enrol(e->ticket, &e->fixture->options.key, PATIENCE_MS, e->endpoint, sizeof e->endpoint,
                              e->hub_key, e->client, sizeof e->client);
    return NULL;
}

static void ticket_enrols(void **state)
{
    struct fixture *f = *state;
    struct enrolment e = {.fixture = f};
    uint8_t token[CAREHUB_KEY_BYTES] = {1, 2, 3}, hub_key[CAREHUB_KEY_BYTES];
    char endpoint[128];
    pthread_t thread;
    carehub_ticket(e.ticket, sizeof e.ticket, f->peer.endpoint, f->peer.key.public_key, token);
    pthread_create(&thread, NULL, enrol, &e);
    Carehub__V1__ToHub *m = HEAR(ENROL);
    assert_memory_equal(m->enrol->token.data, token, sizeof token);
    Carehub__V1__Enrolled enrolled = CAREHUB__V1__ENROLLED__INIT;
    enrolled.client = "tester";
    peer_say(&f->peer, CAREHUB__V1__TO_CLIENT__MESSAGE_ENROLLED, &enrolled);
    peer_forget(m);
    pthread_join(thread, NULL);
    assert_int_equal(e.result, CAREHUB_OK);
    assert_string_equal(e.endpoint, f->peer.endpoint);
    assert_string_equal(e.client, "tester");
    assert_memory_equal(e.hub_key, f->peer.key.public_key, CAREHUB_KEY_BYTES);

    static const char *const wrong[] = {"", "carehub-ticket:v1:", "carehub-ticket:v2:tcp://h:1:00:11", "nonsense"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(carehub_enrol(wrong[i], &f->options.key, 10, endpoint, sizeof endpoint, hub_key, NULL, 0),
                         CAREHUB_INVALID_ARGUMENT);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void configuration_is_read_strictly(void **state)
{
    struct fixture *f = *state;
    struct carehub_options options;
    char path[256], text[512];
    static const struct {
        const char *line;
        int result;
    } cases[] = {
        {"spool-dir = spool\nspool-max-bytes = 1000000\nsoftware = pharmis", CAREHUB_OK},
        {"listen\n    port = 2575", CAREHUB_OK}, /* a section of the program's own */
        {"spool-max-bytes = lots", CAREHUB_CONFIG},
        {"spool-maxbytes = 1", CAREHUB_CONFIG},
        {"hub-key = 12", CAREHUB_CONFIG},
        {"key-file = gone", CAREHUB_CONFIG},
    };
    snprintf(path, sizeof path, "%s/client.key", f->spool);
    assert_int_equal(carehub_key_save(&f->options.key, path), CAREHUB_OK);
    assert_int_equal(carehub_key_save(&f->options.key, path), CAREHUB_IO); /* never overwritten */
    snprintf(path, sizeof path, "%s/client.cfg", f->spool);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(text, sizeof text, "endpoint = \"tcp://127.0.0.1:7460\"\nhub-key = %064d\nkey-file = client.key\n%s\n",
                 1, cases[i].line);
        write_file(f->spool, "client.cfg", text);
        int result = carehub_options_load(&options, path);
        if (cases[i].result == CAREHUB_OK) {
            assert_int_equal(result, CAREHUB_OK);
            assert_string_equal(options.endpoint, "tcp://127.0.0.1:7460");
            assert_memory_equal(&options.key, &f->options.key, sizeof options.key);
            carehub_options_free(&options);
        } else {
            assert_true(result == CAREHUB_CONFIG || result == CAREHUB_IO);
        }
    }
    snprintf(path, sizeof path, "%s/client.key", f->spool);
    chmod(path, 0644);
    assert_int_equal(carehub_key_load(&options.key, path), CAREHUB_CONFIG);
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PROMISE_WITH_SPOOL(name) cmocka_unit_test_setup_teardown(name, setup_with_spool, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(confirmed_events_are_reported_once_in_order),
        PROMISE(refused_event_is_reported_and_not_sent_again),
        PROMISE(busy_hub_gets_them_again_in_order),
        PROMISE(hub_that_was_killed_gets_what_it_did_not_confirm),
        PROMISE(no_hello_is_answered_on_the_same_connection),
        PROMISE(publishing_window_is_respected),
        PROMISE(wrong_events_are_refused_at_once),
        PROMISE(unsent_events_are_reported_when_it_is_closed),
        PROMISE(silent_hub_gets_a_new_connection),
        PROMISE(revoked_client_is_told_and_tries_again),
        PROMISE(unreachable_hub_is_reported),
        PROMISE(blocking_function_in_a_callback_is_refused),
        PROMISE_WITH_SPOOL(confirmed_events_are_reported_once_in_order),
        PROMISE_WITH_SPOOL(busy_hub_gets_them_again_in_order),
        PROMISE_WITH_SPOOL(hub_that_was_killed_gets_what_it_did_not_confirm),
        PROMISE_WITH_SPOOL(spooled_events_outlive_the_client),
        PROMISE_WITH_SPOOL(group_keeps_its_place_among_spooled_events),
        PROMISE(deliveries_are_acknowledged_and_credit_comes_at_half),
        PROMISE(rare_acknowledgements_do_not_starve_it),
        PROMISE(unacknowledged_deliveries_hold_the_credit),
        PROMISE(skipped_delivery_frees_its_credit),
        PROMISE(displaced_subscription_stays_away),
        PROMISE(after_a_restart_it_attaches_again_and_acknowledges_with_the_new_epoch),
        PROMISE(refused_attachment_is_told_and_tried_again),
        PROMISE(answer_about_an_old_attachment_does_not_end_the_new_one),
        PROMISE(settled_before_the_attachment_is_stale),
        PROMISE(refused_delivery_carries_its_code),
        PROMISE(unsubscribing_detaches),
        PROMISE(acknowledgements_are_told_before_it_is_closed),
        PROMISE(questions_are_answered),
        PROMISE(ticket_enrols),
        PROMISE_WITH_SPOOL(configuration_is_read_strictly),
    };
    return cmocka_run_group_tests_name("sdk", tests, NULL, NULL);
}
