/* What the gate lets in, what it refuses and how, and what it does with slow, silent and vanished peers. */
#include "gate_fixture.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "gate/zap.h"
#include "hub_limits.h"

static const struct fixture_options usual = {0};

/* ---- The door --------------------------------------------------------------------------------------------------- */

static void zap_answers_only_what_is_in_order(void **state)
{
    (void)state;
    static const char key[KEY_BYTES] = "the key that is in standing.....";
    static const char other[KEY_BYTES] = "a key that nobody knows.........";
    static const struct {
        const char *version, *domain, *routing_id, *mechanism, *key, *status;
    } cases[] = {
        {"1.0", "carehub", "", "CURVE", key, "200"},   {"1.0", "carehub", "", "CURVE", other, "400"},
        {"1.0", "", "", "CURVE", key, "400"},          {"1.0", "global", "", "CURVE", key, "400"},
        {"1.0", "carehub2", "", "CURVE", key, "400"},  {"1.1", "carehub", "", "CURVE", key, "400"},
        {"1.0", "carehub", "me", "CURVE", key, "400"}, {"1.0", "carehub", "", "NULL", key, "400"},
        {"1.0", "carehub", "", "PLAIN", key, "400"},
    };
    struct door door = {.standings = calloc(1, sizeof(struct standings) + sizeof(struct standing))};
    void *context = zmq_ctx_new();
    struct zap *zap = zap_open(context, &door);
    void *asker = zmq_socket(context, ZMQ_REQ);

    memcpy(door.standings->keys[0].key, key, KEY_BYTES);
    door.standings->n = 1;
    assert_int_equal(zmq_connect(asker, "inproc://zeromq.zap.01"), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *parts[] = {cases[i].version,  "17", cases[i].domain, "127.0.0.1", cases[i].routing_id,
                               cases[i].mechanism};
        char answer[6][128];
        int sizes[6];
        for (int part = 0; part < 6; part++)
            zmq_send(asker, parts[part], strlen(parts[part]), ZMQ_SNDMORE);
        zmq_send(asker, cases[i].key, KEY_BYTES, 0);
        zap_answer(zap, 1000);
        for (int part = 0; part < 6; part++)
            sizes[part] = zmq_recv(asker, answer[part], sizeof answer[part], 0);
        assert_memory_equal(answer[1], "17", 2);
        assert_memory_equal(answer[2], cases[i].status, 3);
        assert_int_equal(sizes[4], cases[i].status[0] == '2' ? 2 * KEY_BYTES : 0);
    }
    zmq_close(asker);
    zap_close(&zap);
    zmq_ctx_term(context);
    door_fini(&door);
}

static void unknown_keys_that_knock_have_few_seats(void **state)
{
    (void)state;
    struct door door = {.standings = calloc(1, sizeof(struct standings))};
    uint8_t key[KEY_BYTES] = {0};

    assert_false(door_admit(&door, key, 0)); /* no token is outstanding */
    door.standings->enrolment_open = true;
    for (int i = 0; i < SESSIONS_UNENROLLED_MAX; i++) {
        key[0] = (uint8_t)i;
        assert_true(door_admit(&door, key, 1000));
    }
    key[0] = 255;
    assert_false(door_admit(&door, key, 1000));
    assert_false(door_may_enrol(&door, key, 1000));
    key[0] = 0;
    assert_true(door_may_enrol(&door, key, 1000));
    assert_true(door_admit(&door, key, 1000 + SESSION_SILENT_MAX_MS)); /* seats are given up again */
    door_fini(&door);
}

static void nobody_comes_in_before_the_first_standings(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    void *peer = connect_peer(f, &pair, NULL);

    assert_true(event_comes(f, watch_peer(f, peer), ZMQ_EVENT_HANDSHAKE_FAILED_AUTH));
    fixture_free(f);
}

static void unknown_key_is_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair known = pair_new(), unknown = pair_new();

    let_in(f, &known, 1, false);
    void *peer = connect_peer(f, &unknown, NULL);
    void *monitor = watch_peer(f, peer);
    say_hello(peer);
    assert_true(event_comes(f, monitor, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH));
    assert_true(nothing_reaches_core(f));
    fixture_free(f);
}

static void known_key_reaches_the_core_under_its_own_key(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pairs[] = {pair_new(), pair_new()};

    let_in(f, pairs, 2, false);
    void *peer = connect_peer(f, &pairs[1], NULL);
    say_hello(peer);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_memory_equal(frame->key, pairs[1].public_key, KEY_BYTES);
    assert_true(frame->session != 0);
    frame_free(frame);
    fixture_free(f);
}

static void with_own_routing_id(void *socket)
{
    zmq_setsockopt(socket, ZMQ_ROUTING_ID, "pharm", 5); /* as long as an automatic one */
}

static void own_routing_id_is_refused(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, with_own_routing_id);
    say_hello(peer);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED);
    assert_true(nothing_reaches_core(f));
    fixture_free(f);
}

static void unknown_key_may_enrol_and_nothing_else_while_a_token_is_out(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__Enrol enrol = CAREHUB__V1__ENROL__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;

    let_in(f, NULL, 0, true);
    void *peer = connect_peer(f, &pair, NULL);
    say_hello(peer);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NOT_ENROLLED);
    say_publish(peer, 1, 1, 1000);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NOT_ENROLLED);
    assert_true(nothing_reaches_core(f));
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ENROL;
    message.enrol = &enrol;
    say(peer, &message);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_int_equal(frame->message->message_case, CAREHUB__V1__TO_HUB__MESSAGE_ENROL);
    assert_memory_equal(frame->key, pair.public_key, KEY_BYTES);
    frame_free(frame);

    let_in(f, &pair, 1, false); /* enrolled, and the token is used up */
    open_session_of(f, peer);
    fixture_free(f);
}

/* ---- Frames ----------------------------------------------------------------------------------------------------- */

static void oversize_frame_ends_the_connection(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    char *large = calloc(1, FRAME_MAX_BYTES + 4096);

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    void *monitor = watch_peer(f, peer);
    say_bytes(peer, large, FRAME_MAX_BYTES + 4096);
    assert_true(event_comes(f, monitor, ZMQ_EVENT_DISCONNECTED));
    assert_true(nothing_reaches_core(f));
    free(large);
    fixture_free(f);
}

static void largest_frame_passes(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    open_session_of(f, peer);
    say_publish(peer, 1, 1, FRAME_MAX_BYTES - 18); /* what the rest of such a frame takes */
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_int_equal(frame->bytes, FRAME_MAX_BYTES);
    assert_int_equal(frame->items, 1);
    frame_free(frame);
    fixture_free(f);
}

static void only_a_publish_may_be_large(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    char *software = malloc(70001);

    memset(software, 'x', 70000);
    software[70000] = '\0';
    hello.software = software;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    say(peer, &message);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__TOO_LARGE);
    assert_true(nothing_reaches_core(f));
    free(software);
    fixture_free(f);
}

static void malformed_frames_are_refused_one_by_one(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
    } cases[] = {
        {"\xff\xff\xff\xff", 4},         /* no field number */
        {"\x0a\x10\x08", 3},             /* longer than the frame */
        {"\x0a\x02\x08\x01\x0a\x00", 6}, /* two messages */
        {"\x0b\x0c", 2},                 /* a group */
        {"\xa2\x06\x00", 3},             /* nothing that this hub knows */
    };
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    open_session_of(f, peer);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        say_bytes(peer, cases[i].bytes, cases[i].size);
        hears_error(f, peer, CAREHUB__V1__ERROR_CODE__MALFORMED);
    }
    zmq_send(peer, "", 0, ZMQ_SNDMORE); /* a message of two frames */
    zmq_send(peer, "", 0, 0);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__MALFORMED);
    assert_true(nothing_reaches_core(f));
    say_publish(peer, 1, 1, 100); /* the peer is not cut off */
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    frame_free(frame);
    fixture_free(f);
}

static void peer_that_only_sends_rubbish_is_muted(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id session = open_session_of(f, peer);
    for (int i = 0; i <= 16; i++) {
        say_bytes(peer, "\xff", 1);
        hears_error(f, peer, CAREHUB__V1__ERROR_CODE__MALFORMED);
    }
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_null(frame->message); /* the session has gone */
    assert_true(frame->session == session);
    frame_free(frame);
    say_hello(peer);
    assert_true(hears_nothing(f, peer));
    assert_true(nothing_reaches_core(f));
    void *again = connect_peer(f, &pair, NULL);
    open_session_of(f, again);
    fixture_free(f);
}

static void unknown_fields_are_dropped(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    /* Hello{min_version 1, field 100: "abc"}, and field 101: 5 behind it */
    static const char hello[] = "\x0a\x08\x08\x01\xa2\x06\x03"
                                "abc\xa8\x06\x05";

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    say_bytes(peer, hello, sizeof hello - 1);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_int_equal(frame->message->hello->min_version, 1);
    assert_int_equal(frame->message->base.n_unknown_fields, 0);
    assert_int_equal(frame->message->hello->base.n_unknown_fields, 0);
    frame_free(frame);
    fixture_free(f);
}

/* ---- Sessions --------------------------------------------------------------------------------------------------- */

static void without_hello_everything_is_answered_no_hello(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    say_publish(peer, 1, 1, 100);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NO_HELLO);
    say_bytes(peer, "", 0);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NO_HELLO);
    assert_true(nothing_reaches_core(f));
    fixture_free(f);
}

static void heartbeat_is_answered(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    open_session_of(f, peer);
    say_bytes(peer, "", 0);
    hears_empty(f, peer);
    assert_true(nothing_reaches_core(f));
    fixture_free(f);
}

/* ZMQ_FD speaks up only when something changes: what a turn of the loop leaves behind must not wait for that.
 */
static void burst_of_several_peers_is_answered_at_once(void **state)
{
    (void)state;
    enum { PEERS = 8, FRAMES = 400, FAST_MS = 900 }; /* less than the gate's sweep, which would hide it */
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    void *peers[PEERS];

    let_in(f, &pair, 1, false);
    for (int i = 0; i < PEERS; i++) {
        peers[i] = connect_peer(f, &pair, NULL);
        open_session_of(f, peers[i]);
    }
    run_for(f, 1100); /* past one sweep: the next one is far */
    for (int i = 0; i < PEERS * FRAMES; i++)
        say_bytes(peers[i % PEERS], "", 0);
    uint64_t start_ms = uv_hrtime() / 1000000;
    for (int i = 0; i < PEERS * FRAMES; i++)
        hears_empty(f, peers[i % PEERS]);
    assert_in_range(uv_hrtime() / 1000000 - start_ms, 0, FAST_MS);
    fixture_free(f);
}

static void revoked_key_is_told_so_on_its_open_connection(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pairs[] = {pair_new(), pair_new()};
    Carehub__V1__Deliver deliver = CAREHUB__V1__DELIVER__INIT;
    Carehub__V1__ToClient delivery = CAREHUB__V1__TO_CLIENT__INIT;

    delivery.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER;
    delivery.deliver = &deliver;
    let_in(f, pairs, 2, false);
    void *peer = connect_peer(f, &pairs[0], NULL);
    session_id session = open_session_of(f, peer);
    let_in(f, &pairs[1], 1, false);
    say_publish(peer, 1, 1, 100);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__REVOKED);
    say_bytes(peer, "", 0);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__REVOKED);
    assert_true(nothing_reaches_core(f));
    outbound_send(&f->outbound, session, &delivery);
    assert_true(hears_nothing(f, peer)); /* not one delivery after it */
    fixture_free(f);
}

static void silent_session_is_dropped_and_the_core_told(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&(struct fixture_options){.silent_max_ms = 300});
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id session = open_session_of(f, peer);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_null(frame->message);
    assert_true(frame->session == session);
    frame_free(frame);
    say_bytes(peer, "", 0);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NO_HELLO);
    fixture_free(f);
}

static void vanished_peer_is_noticed_when_something_is_sent(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__ToClient empty = CAREHUB__V1__TO_CLIENT__INIT;

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id session = open_session_of(f, peer);
    disconnect_peer(f, peer);
    run_for(f, QUIET_MS);
    outbound_send(&f->outbound, session, &empty);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    assert_null(frame->message);
    assert_true(frame->session == session);
    frame_free(frame);
    outbound_send(&f->outbound, session, &empty); /* a session that has gone is ignored */
    assert_true(nothing_reaches_core(f));
    fixture_free(f);
}

static void session_ends_with_bye_and_when_the_core_closes_it(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__Bye bye = CAREHUB__V1__BYE__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;

    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_BYE;
    message.bye = &bye;
    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id first = open_session_of(f, peer);
    say(peer, &message);
    for (int i = 0; i < 2; i++) {
        struct frame *frame = reaches_core(f);
        assert_non_null(frame);
        assert_null(frame->message);
        frame_free(frame);
        say_bytes(peer, "", 0);
        hears_error(f, peer, CAREHUB__V1__ERROR_CODE__NO_HELLO);
        if (i == 0) {
            session_id second = open_session_of(f, peer);
            assert_true(second != first);
            outbound_session(&f->outbound, second, 0);
        }
    }
    fixture_free(f);
}

static void what_the_core_says_after_closing_a_session_is_still_heard(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;

    error.code = CAREHUB__V1__ERROR_CODE__REVOKED;
    error.text = "this key is no longer in standing";
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR;
    message.error = &error;
    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id session = open_session_of(f, peer);
    outbound_session(&f->outbound, session, 0);
    outbound_send(&f->outbound, session, &message);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__REVOKED);
    let_in(f, NULL, 0, false);
    say_bytes(peer, "", 0);
    hears_error(f, peer, CAREHUB__V1__ERROR_CODE__REVOKED); /* it is remembered that the key once was */
    fixture_free(f);
}

static void farewell_says_bye_to_every_session(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peers[] = {connect_peer(f, &pair, NULL), connect_peer(f, &pair, NULL)};
    open_session_of(f, peers[0]);
    open_session_of(f, peers[1]);
    gate_stop_reading(f->gate);
    gate_farewell(f->gate, "the hub is shutting down");
    gate_free(&f->gate);
    for (int i = 0; i < 2; i++) {
        Carehub__V1__ToClient *message = hear(f, peers[i]);
        assert_non_null(message);
        assert_int_equal(message->message_case, CAREHUB__V1__TO_CLIENT__MESSAGE_BYE);
        carehub__v1__to_client__free_unpacked(message, NULL);
    }
    fixture_free(f);
}

/* ---- Bounds
 * ---------------------------------------------------------------------------------------------------------
 */

static void hears_busy(struct fixture *f, void *peer, uint64_t ref, size_t n)
{
    Carehub__V1__ToClient *message = hear(f, peer);

    assert_non_null(message);
    assert_int_equal(message->message_case, CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM);
    assert_int_equal(message->confirm->n_confirmations, n);
    for (size_t i = 0; i < n; i++) {
        const Carehub__V1__Confirmation *each = message->confirm->confirmations[i];
        assert_int_equal(each->ref, ref + i);
        assert_int_equal(each->status, CAREHUB__V1__CONFIRMATION__STATUS__REJECTED);
        assert_int_equal(each->error->code, CAREHUB__V1__ERROR_CODE__BUSY);
        assert_true(each->error->retry);
    }
    carehub__v1__to_client__free_unpacked(message, NULL);
}

static void publications_beyond_the_window_are_busy_until_it_opens(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    uint32_t bytes = 0;

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    session_id session = open_session_of(f, peer);
    for (uint64_t n = 0; n < PUBLISH_MAX_UNCONFIRMED; n += BATCH_MAX_ITEMS) {
        say_publish(peer, n, BATCH_MAX_ITEMS, 10);
        struct frame *frame = reaches_core(f);
        assert_non_null(frame);
        assert_int_equal(frame->publications, BATCH_MAX_ITEMS);
        bytes += (uint32_t)frame->bytes;
        frame_free(frame);
    }
    say_publish(peer, 9000, 3, 10);
    hears_busy(f, peer, 9000, 3);
    assert_true(nothing_reaches_core(f));
    outbound_settled(&f->outbound, session, 3, bytes);
    run_for(f, 10);
    say_publish(peer, 9000, 3, 10);
    struct frame *frame = reaches_core(f);
    assert_non_null(frame);
    frame_free(frame);
    fixture_free(f);
}

static void window_counts_bytes_too(void **state)
{
    (void)state;
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    open_session_of(f, peer);
    for (int i = 0; i < PUBLISH_MAX_UNCONFIRMED_BYTES / FRAME_MAX_BYTES; i++) {
        say_publish(peer, 1, 1, FRAME_MAX_BYTES - 100);
        struct frame *frame = reaches_core(f);
        assert_non_null(frame);
        frame_free(frame);
    }
    say_publish(peer, 77, 1, 100000);
    hears_busy(f, peer, 77, 1);
    fixture_free(f);
}

static void when_the_core_is_behind_publications_give_way_and_nothing_else_is_lost(void **state)
{
    (void)state;
    enum { ROOM = 8, HELLOS = 12 };
    struct fixture *f = fixture_new(&(struct fixture_options){.inbound_items_max = ROOM});
    struct pair pair = pair_new();

    let_in(f, &pair, 1, false);
    void *peer = connect_peer(f, &pair, NULL);
    open_session_of(f, peer);
    for (int i = 0; i < ROOM * 3 / 4; i++)
        say_publish(peer, (uint64_t)i, 1, 10);
    say_publish(peer, 50, 1, 10);
    hears_busy(f, peer, 50, 1);
    for (int i = 0; i < HELLOS; i++)
        say_hello(peer);
    run_for(f, QUIET_MS);
    assert_int_equal(f->inbound.items, ROOM);
    for (int i = 0; i < ROOM * 3 / 4 + HELLOS; i++) {
        struct frame *frame = reaches_core(f);
        assert_non_null(frame);
        assert_int_equal(frame->publications, i < ROOM * 3 / 4);
        frame_free(frame);
    }
    fixture_free(f);
}

static void with_a_small_buffer(void *socket)
{
    const int one = 1, small = 4096;

    zmq_setsockopt(socket, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(socket, ZMQ_RCVBUF, &small, sizeof small);
}

static void peer_that_reads_slowly_holds_up_nobody_and_loses_nothing(void **state)
{
    (void)state;
    enum { FRAMES = 600, EVENT_BYTES = 100000 };
    struct fixture *f = fixture_new(&usual);
    struct pair pair = pair_new();
    Carehub__V1__Delivery delivery = CAREHUB__V1__DELIVERY__INIT, *list[] = {&delivery};
    Carehub__V1__Deliver deliver = CAREHUB__V1__DELIVER__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
    uint8_t *event = calloc(1, EVENT_BYTES);

    delivery.event.data = event;
    delivery.event.len = EVENT_BYTES;
    deliver.n_deliveries = 1;
    deliver.deliveries = list;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER;
    message.deliver = &deliver;
    let_in(f, &pair, 1, false);
    void *slow = connect_peer(f, &pair, with_a_small_buffer), *quick = connect_peer(f, &pair, NULL);
    session_id slow_session = open_session_of(f, slow), quick_session = open_session_of(f, quick);
    size_t room = outbound_room(&f->outbound);
    for (int i = 0; i < FRAMES; i++) {
        delivery.number = (uint64_t)i;
        outbound_send(&f->outbound, slow_session, &message);
    }
    run_for(f, 50);
    assert_true(outbound_room(&f->outbound) < room - (size_t)FRAMES / 2 * EVENT_BYTES); /* it is all still held */
    outbound_send(&f->outbound, quick_session, &message);
    Carehub__V1__ToClient *heard = hear(f, quick);
    assert_non_null(heard);
    carehub__v1__to_client__free_unpacked(heard, NULL);
    for (int i = 0; i < FRAMES; i++) {
        heard = hear(f, slow);
        assert_non_null(heard);
        assert_int_equal(heard->deliver->deliveries[0]->number, i);
        carehub__v1__to_client__free_unpacked(heard, NULL);
    }
    run_for(f, 50);
    assert_int_equal(outbound_room(&f->outbound), room);
    free(event);
    fixture_free(f);
}

static int woken;

static void note_woken(void *arg)
{
    (void)arg;
    woken++;
}

static void core_is_woken_once_when_room_comes_back(void **state)
{
    (void)state;
    enum { FRAMES = 140 };
    struct outbound outbound;
    struct out *held[FRAMES];
    Carehub__V1__Bye bye = CAREHUB__V1__BYE__INIT;
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;

    outbound_init(&outbound);
    outbound.room_again = note_woken;
    bye.reason = malloc(1 << 20);
    memset(bye.reason, 'x', (1 << 20) - 1);
    bye.reason[(1 << 20) - 1] = '\0';
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_BYE;
    message.bye = &bye;
    for (int i = 0; i < FRAMES; i++)
        held[i] = out_pack(&outbound, 1, &message);
    assert_int_equal(outbound_room(&outbound), 0);
    for (int i = 0; i < FRAMES; i++)
        out_free(held[i]);
    assert_int_equal(woken, 1);
    assert_int_equal(outbound_room(&outbound), OUTBOUND_MAX_BYTES);
    free(bye.reason);
    outbound_fini(&outbound);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zap_answers_only_what_is_in_order),
        cmocka_unit_test(unknown_keys_that_knock_have_few_seats),
        cmocka_unit_test(nobody_comes_in_before_the_first_standings),
        cmocka_unit_test(unknown_key_is_refused),
        cmocka_unit_test(known_key_reaches_the_core_under_its_own_key),
        cmocka_unit_test(own_routing_id_is_refused),
        cmocka_unit_test(unknown_key_may_enrol_and_nothing_else_while_a_token_is_out),
        cmocka_unit_test(oversize_frame_ends_the_connection),
        cmocka_unit_test(largest_frame_passes),
        cmocka_unit_test(only_a_publish_may_be_large),
        cmocka_unit_test(malformed_frames_are_refused_one_by_one),
        cmocka_unit_test(peer_that_only_sends_rubbish_is_muted),
        cmocka_unit_test(unknown_fields_are_dropped),
        cmocka_unit_test(without_hello_everything_is_answered_no_hello),
        cmocka_unit_test(heartbeat_is_answered),
        cmocka_unit_test(burst_of_several_peers_is_answered_at_once),
        cmocka_unit_test(revoked_key_is_told_so_on_its_open_connection),
        cmocka_unit_test(silent_session_is_dropped_and_the_core_told),
        cmocka_unit_test(vanished_peer_is_noticed_when_something_is_sent),
        cmocka_unit_test(session_ends_with_bye_and_when_the_core_closes_it),
        cmocka_unit_test(what_the_core_says_after_closing_a_session_is_still_heard),
        cmocka_unit_test(farewell_says_bye_to_every_session),
        cmocka_unit_test(publications_beyond_the_window_are_busy_until_it_opens),
        cmocka_unit_test(window_counts_bytes_too),
        cmocka_unit_test(when_the_core_is_behind_publications_give_way_and_nothing_else_is_lost),
        cmocka_unit_test(peer_that_reads_slowly_holds_up_nobody_and_loses_nothing),
        cmocka_unit_test(core_is_woken_once_when_room_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
