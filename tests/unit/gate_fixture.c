#include "gate_fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zmq.h>

#include "hub_limits.h"

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_once(struct fixture *f)
{
    const struct timespec pause = {0, 1000000};

    if (f->gate)
        uv_run(&f->loop, UV_RUN_NOWAIT);
    nanosleep(&pause, NULL);
}

void run_for(struct fixture *f, int64_t ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until;)
        run_once(f);
}

struct pair pair_new(void)
{
    struct pair pair;

    crypto_box_keypair(pair.public_key, pair.secret_key);
    return pair;
}

struct fixture *fixture_new(const struct fixture_options *options)
{
    struct fixture *f = calloc(1, sizeof *f);
    char error[GATE_ERROR_BYTES];

    assert_int_not_equal(sodium_init(), -1);
    f->hub = pair_new();
    uv_loop_init(&f->loop);
    queue_init(&f->inbound, options->inbound_items_max ? options->inbound_items_max : INBOUND_MAX_ITEMS,
               INBOUND_MAX_BYTES);
    outbound_init(&f->outbound);
    const struct gate_options gate = {
        .public_key = f->hub.public_key,
        .secret_key = f->hub.secret_key,
        .session_silent_max_ms = options->silent_max_ms,
        .inbound = &f->inbound,
        .outbound = &f->outbound,
    };
    f->gate = gate_new(&f->loop, &gate, error);
    assert_non_null(f->gate);
    f->endpoint = gate_listen(f->gate, "tcp://127.0.0.1:*", error);
    assert_non_null(f->endpoint);
    f->context = zmq_ctx_new();
    return f;
}

void fixture_free(struct fixture *f)
{
    gate_free(&f->gate);
    for (int i = 0; i < f->n_peers; i++) {
        if (f->peers[i])
            zmq_close(f->peers[i]);
    }
    zmq_ctx_term(f->context);
    for (struct queue_node *node = queue_take(&f->inbound), *next; node; node = next) {
        next = node->next;
        frame_free((struct frame *)node);
    }
    queue_fini(&f->inbound);
    outbound_fini(&f->outbound);
    assert_int_equal(f->outbound.held_bytes, 0); /* every byte was given back */
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
}

static int compare_standing(const void *a, const void *b)
{
    return memcmp(a, b, KEY_BYTES);
}

void let_in(struct fixture *f, const struct pair *pairs, size_t n, bool enrolment_open)
{
    struct standings *standings = calloc(1, sizeof *standings + n * sizeof standings->keys[0]);

    standings->enrolment_open = enrolment_open;
    standings->n = n;
    for (size_t i = 0; i < n; i++) {
        memcpy(standings->keys[i].key, pairs[i].public_key, KEY_BYTES);
        standings->keys[i].client = (uint32_t)i + 1;
    }
    qsort(standings->keys, n, sizeof standings->keys[0], compare_standing);
    outbound_standings(&f->outbound, standings);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

void *connect_peer(struct fixture *f, const struct pair *pair, void (*setup)(void *socket))
{
    void *peer = zmq_socket(f->context, ZMQ_DEALER);
    const int linger_ms = 0;

    zmq_setsockopt(peer, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    zmq_setsockopt(peer, ZMQ_CURVE_SERVERKEY, f->hub.public_key, KEY_BYTES);
    zmq_setsockopt(peer, ZMQ_CURVE_PUBLICKEY, pair->public_key, KEY_BYTES);
    zmq_setsockopt(peer, ZMQ_CURVE_SECRETKEY, pair->secret_key, KEY_BYTES);
    if (setup)
        setup(peer);
    assert_int_equal(zmq_connect(peer, f->endpoint), 0);
    f->peers[f->n_peers++] = peer;
    return peer;
}

void disconnect_peer(struct fixture *f, void *peer)
{
    for (int i = 0; i < f->n_peers; i++) {
        if (f->peers[i] == peer)
            f->peers[i] = NULL;
    }
    zmq_close(peer);
}

void *watch_peer(struct fixture *f, void *peer)
{
    char name[32];
    void *monitor = zmq_socket(f->context, ZMQ_PAIR);

    snprintf(name, sizeof name, "inproc://events-%d", f->n_peers);
    assert_int_equal(zmq_socket_monitor(peer, name, ZMQ_EVENT_ALL), 0);
    assert_int_equal(zmq_connect(monitor, name), 0);
    f->peers[f->n_peers++] = monitor;
    return monitor;
}

bool event_comes(struct fixture *f, void *monitor, int event)
{
    for (int64_t until = now_ms() + PATIENCE_MS; now_ms() < until; run_once(f)) {
        uint8_t data[6];
        char address[256];
        while (zmq_recv(monitor, data, sizeof data, ZMQ_DONTWAIT) == sizeof data) {
            uint16_t what;
            zmq_recv(monitor, address, sizeof address, 0);
            memcpy(&what, data, sizeof what);
            if (what == event)
                return true;
        }
    }
    return false;
}

/* ---- What clients say and hear ---------------------------------------------------------------------------------- */

void say_bytes(void *peer, const void *data, size_t size)
{
    assert_int_equal(zmq_send(peer, data, size, 0), (int)size);
}

void say(void *peer, const Carehub__V1__ToHub *message)
{
    size_t size = carehub__v1__to_hub__get_packed_size(message);
    uint8_t *bytes = malloc(size + 1);

    carehub__v1__to_hub__pack(message, bytes);
    say_bytes(peer, bytes, size);
    free(bytes);
}

void say_hello(void *peer)
{
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;

    hello.min_version = hello.max_version = 1;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    say(peer, &message);
}

void say_publish(void *peer, uint64_t ref, size_t n, size_t event_bytes)
{
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
    Carehub__V1__Publication *all = calloc(n, sizeof *all), **list = calloc(n, sizeof *list);

    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event.data = calloc(1, event_bytes + 1);
    item.event.len = event_bytes;
    for (size_t i = 0; i < n; i++) {
        carehub__v1__publication__init(&all[i]);
        all[i].ref = ref + i;
        all[i].n_items = 1;
        all[i].items = items;
        list[i] = &all[i];
    }
    publish.n_publications = n;
    publish.publications = list;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    say(peer, &message);
    free(item.event.data);
    free(all);
    free(list);
}

static Carehub__V1__ToClient *hear_within(struct fixture *f, void *peer, int64_t ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; run_once(f)) {
        zmq_msg_t msg;
        zmq_msg_init(&msg);
        if (zmq_msg_recv(&msg, peer, ZMQ_DONTWAIT) >= 0) {
            Carehub__V1__ToClient *message =
                carehub__v1__to_client__unpack(NULL, zmq_msg_size(&msg), zmq_msg_data(&msg));
            zmq_msg_close(&msg);
            assert_non_null(message);
            return message;
        }
        zmq_msg_close(&msg);
    }
    return NULL;
}

Carehub__V1__ToClient *hear(struct fixture *f, void *peer)
{
    return hear_within(f, peer, PATIENCE_MS);
}

bool hears_nothing(struct fixture *f, void *peer)
{
    Carehub__V1__ToClient *message = hear_within(f, peer, QUIET_MS);

    carehub__v1__to_client__free_unpacked(message, NULL);
    return !message;
}

void hears_error(struct fixture *f, void *peer, Carehub__V1__ErrorCode code)
{
    Carehub__V1__ToClient *message = hear(f, peer);

    assert_non_null(message);
    assert_int_equal(message->message_case, CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR);
    assert_int_equal(message->error->code, code);
    assert_true(strlen(message->error->text) > 20); /* says what is wrong and what to do */
    carehub__v1__to_client__free_unpacked(message, NULL);
}

void hears_empty(struct fixture *f, void *peer)
{
    Carehub__V1__ToClient *message = hear(f, peer);

    assert_non_null(message);
    assert_int_equal(message->message_case, CAREHUB__V1__TO_CLIENT__MESSAGE__NOT_SET);
    carehub__v1__to_client__free_unpacked(message, NULL);
}

/* ---- What the core gets ----------------------------------------------------------------------------------------- */

static struct frame *core_within(struct fixture *f, int64_t ms)
{
    for (int64_t until = now_ms() + ms; now_ms() < until; run_once(f)) {
        pthread_mutex_lock(&f->inbound.lock);
        struct queue_node *node = f->inbound.first;
        if (node)
            f->inbound.first = node->next;
        pthread_mutex_unlock(&f->inbound.lock);
        if (!node)
            continue;
        if (queue_release(&f->inbound, 1, node->bytes))
            gate_wake(f->gate);
        return (struct frame *)node;
    }
    return NULL;
}

struct frame *reaches_core(struct fixture *f)
{
    return core_within(f, PATIENCE_MS);
}

bool nothing_reaches_core(struct fixture *f)
{
    struct frame *frame = core_within(f, QUIET_MS);

    frame_free(frame);
    return !frame;
}

session_id open_session_of(struct fixture *f, void *peer)
{
    Carehub__V1__Welcome welcome = CAREHUB__V1__WELCOME__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;

    say_hello(peer);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_non_null(frame->message);
    assert_int_equal(frame->message->message_case, CAREHUB__V1__TO_HUB__MESSAGE_HELLO);
    session_id session = frame->session;
    frame_free(frame);
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_WELCOME;
    message.welcome = &welcome;
    outbound_session(&f->outbound, session, 1);
    outbound_send(&f->outbound, session, &message);
    Carehub__V1__ToClient *answer = hear(f, peer);
    assert_non_null(answer);
    assert_int_equal(answer->message_case, CAREHUB__V1__TO_CLIENT__MESSAGE_WELCOME);
    carehub__v1__to_client__free_unpacked(answer, NULL);
    return session;
}
