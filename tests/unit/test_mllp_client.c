/* The outgoing transport "mllp" against a receiver that answers in all the ways that receivers do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "outlet_peer.h"
#include "transport.h"

enum { MESSAGES_MAX = 4, HUGE_BYTES = 300 << 10 };

/* One letter for each message that comes in, over all connections. */
struct receiver {
    const char *acts;
    atomic_int received;
    char late_id[64];
};

struct frame_buffer {
    char bytes[8192];
    size_t len;
};

/* The next message, zero-terminated and without its frame; NULL at the end. */
static char *next_message(struct peer_connection *connection, struct frame_buffer *in)
{
    for (;;) {
        char *end = memchr(in->bytes, 0x1c, in->len);
        if (end && end + 1 < in->bytes + in->len) {
            char *message = strndup(in->bytes + 1, (size_t)(end - in->bytes - 1));
            in->len -= (size_t)(end + 2 - in->bytes);
            memmove(in->bytes, end + 2, in->len);
            return message;
        }
        ssize_t n = peer_read(connection, in->bytes + in->len, sizeof in->bytes - in->len);
        if (n <= 0)
            return NULL;
        in->len += (size_t)n;
    }
}

/* MSH-10, in a message without escapes. */
static void control_id(const char *message, char id[64])
{
    for (int field = 1; field < 10 && message; field++)
        message = strchr(message, '|') ? strchr(message, '|') + 1 : NULL;
    snprintf(id, 64, "%.*s", message ? (int)strcspn(message, "|\r") : 0, message ? message : "");
}

static void acknowledge(struct peer_connection *connection, const char *code, const char *id)
{
    char text[256];
    snprintf(text, sizeof text, "\x0bMSH|^~\\&|R|R|S|S|20260101||ACK|1|P|2.5\rMSA|%s|%s\r\x1c\r", code, id);
    peer_say(connection, text);
}

/* False: the connection is to be closed. */
static bool act(struct receiver *self, char letter, struct peer_connection *connection, const char *id)
{
    char *huge;
    switch (letter) {
    case 'A': /* takes it */
        acknowledge(connection, "AA", id);
        return true;
    case 'E':
        acknowledge(connection, "AE", id);
        return true;
    case 'R':
        acknowledge(connection, "AR", id);
        return true;
    case 'N': /* not now */
        acknowledge(connection, "CE", id);
        return true;
    case 'O': /* first answers another message */
        acknowledge(connection, "AE", "ANOTHER");
        peer_sleep(connection, 20);
        acknowledge(connection, "AA", id);
        return true;
    case 'W': /* only ever answers others */
        for (int i = 0; i < 40; i++)
            acknowledge(connection, "AA", "ANOTHER");
        return true;
    case 'D': /* says it twice, the second time with the next message's answer to come */
        acknowledge(connection, "AA", id);
        acknowledge(connection, "AA", id);
        return true;
    case 'S': /* silent */
        snprintf(self->late_id, sizeof self->late_id, "%s", id);
        return true;
    case 'L': /* answers the one before, late */
        acknowledge(connection, "AE", self->late_id);
        acknowledge(connection, "AA", id);
        return true;
    case 'M': /* closes inside its answer */
        peer_say(connection, "\x0bMSH|^~\\&|R|R|");
        return false;
    case 'C':
        return false;
    case 'X': /* closes after its answer */
        acknowledge(connection, "AA", id);
        return false;
    case 'G':
        peer_say(connection, "HTTP/1.1 400 Bad Request\r\n\r\n");
        return true;
    case 'H': /* an answer without end */
        huge = calloc(1, HUGE_BYTES);
        memset(huge, 'A', HUGE_BYTES);
        huge[0] = 0x0b;
        peer_write(connection, huge, HUGE_BYTES);
        free(huge);
        return true;
    case 'Z': /* byte by byte */
        for (const char *c = "\x0bMSA|AA|"; *c; c++) {
            peer_write(connection, c, 1);
            peer_sleep(connection, 5);
        }
        peer_say(connection, id);
        peer_say(connection, "\r\x1c");
        peer_sleep(connection, 5);
        peer_say(connection, "\r\r\n");
        return true;
    default:
        return false;
    }
}

static void serve(void *arg, struct peer_connection *connection)
{
    struct receiver *self = arg;
    struct frame_buffer in = {.len = 0};
    bool open = true;
    for (char *message; open && (message = next_message(connection, &in));) {
        char id[64], letter = self->acts[atomic_load(&self->received)];
        control_id(message, id);
        if (letter != '\0')
            atomic_fetch_add(&self->received, 1);
        open = act(self, letter, connection, id);
        free(message);
    }
}

/* ---- The sender ------------------------------------------------------------------------------------------------- */

struct sender {
    uv_loop_t loop;
    void *transport;
    struct carehub_parcel parcel;
    char bytes[512];
    bool done;
    enum sending_result result;
    char code[64];
};

static void write_message(struct sender *self, int number)
{
    snprintf(self->parcel.native_id, sizeof self->parcel.native_id, "M%d", number);
    int len =
        snprintf(self->bytes, sizeof self->bytes, "MSH|^~\\&|S|S|R|R|20260101||ADT^A03|M%d|P|2.5\rPID|1\r", number);
    self->parcel.bytes = self->bytes;
    self->parcel.len = (size_t)len;
}

/* As a format does it: by MSA-2 and MSA-1. */
static enum carehub_judgement judge(void *arg, const void *answer, size_t len, struct carehub_problem *problem)
{
    const struct sender *self = arg;
    char text[1024], wanted[CAREHUB_NATIVE_ID_BYTES + 2];
    snprintf(text, sizeof text, "%.*s", (int)len, (const char *)answer);
    const char *msa = strstr(text, "MSA|");
    snprintf(wanted, sizeof wanted, "|%s\r", self->parcel.native_id);
    snprintf(problem->where, sizeof problem->where, "MSA");
    if (!msa || !strstr(msa, wanted))
        return CAREHUB_JUDGED_OTHER;
    if (strncmp(msa + 4, "AA", 2) == 0)
        return CAREHUB_JUDGED_TAKEN;
    return strncmp(msa + 4, "CE", 2) == 0 ? CAREHUB_JUDGED_AGAIN : CAREHUB_JUDGED_REFUSED;
}

static void on_done(void *arg, enum sending_result result, const char *code, const char *text)
{
    struct sender *self = arg;
    assert_false(self->done);
    assert_non_null(text);
    self->done = true;
    self->result = result;
    snprintf(self->code, sizeof self->code, "%s", code);
}

static void sender_open(struct sender *self, const struct carehub_setting *section)
{
    char error[CAREHUB_ERROR_BYTES] = "";
    memset(self, 0, sizeof *self);
    uv_loop_init(&self->loop);
    self->transport = transport_out_mllp.open(&self->loop, section, "", error);
    assert_string_equal(error, "");
    assert_non_null(self->transport);
}

static void sender_close(struct sender *self)
{
    transport_out_mllp.close(self->transport);
    run_out(&self->loop);
}

static void sender_send(struct sender *self, int number)
{
    write_message(self, number);
    self->done = false;
    transport_out_mllp.send(self->transport, &self->parcel, judge, on_done, self);
    assert_false(self->done); /* never from within */
    assert_true(run_until(&self->loop, &self->done));
}

static const struct carehub_setting *section_to(int port, const char *timeout_ms)
{
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "127.0.0.1:%d", port);
    return make_section(
        (const char *[]){"transport", "mllp", "inbox", "a", "endpoint", endpoint, "timeout-ms", timeout_ms, NULL});
}

/* ---- Tests ------------------------------------------------------------------------------------------------------ */

static const struct answer_case {
    const char *what, *acts;
    int connections; /* that it takes */
    struct {
        enum sending_result result;
        const char *code;
    } expected[MESSAGES_MAX]; /* up to one without a code */
} answer_cases[] = {
    {"the connection is kept",
     "AAA",
     1,
     {{SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}}},
    {"AE is a refusal", "EA", 1, {{SENDING_REFUSED, "refused"}, {SENDING_TAKEN, "taken"}}},
    {"AR is a refusal", "R", 1, {{SENDING_REFUSED, "refused"}}},
    {"not now is down", "NA", 1, {{SENDING_DOWN, "not-now"}, {SENDING_TAKEN, "taken"}}},
    {"an answer to another is waited through", "O", 1, {{SENDING_TAKEN, "taken"}}},
    {"only answers to others end it", "WA", 2, {{SENDING_DOWN, "answers-another"}, {SENDING_TAKEN, "taken"}}},
    {"a second answer is not the next one's",
     "DEA",
     1,
     {{SENDING_TAKEN, "taken"}, {SENDING_REFUSED, "refused"}, {SENDING_TAKEN, "taken"}}},
    {"a timeout closes the connection", "SA", 2, {{SENDING_DOWN, "timeout"}, {SENDING_TAKEN, "taken"}}},
    {"a late answer is not the next one's", "SL", 2, {{SENDING_DOWN, "timeout"}, {SENDING_TAKEN, "taken"}}},
    {"closing inside an answer is down", "MA", 2, {{SENDING_DOWN, "connection-lost"}, {SENDING_TAKEN, "taken"}}},
    {"closing without an answer is down", "CA", 2, {{SENDING_DOWN, "connection-lost"}, {SENDING_TAKEN, "taken"}}},
    {"a kept connection that closes is made anew", "ACA", 2, {{SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}}},
    {"but once only",
     "ACCA",
     3,
     {{SENDING_TAKEN, "taken"}, {SENDING_DOWN, "connection-lost"}, {SENDING_TAKEN, "taken"}}},
    {"receivers may close after each",
     "XXX",
     3,
     {{SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}}},
    {"what is no frame is down", "GA", 2, {{SENDING_DOWN, "broken-answer"}, {SENDING_TAKEN, "taken"}}},
    {"a huge answer is cut off", "HA", 2, {{SENDING_DOWN, "broken-answer"}, {SENDING_TAKEN, "taken"}}},
    {"an answer may come in pieces", "ZA", 1, {{SENDING_TAKEN, "taken"}, {SENDING_TAKEN, "taken"}}},
};

static void check_answers(const struct answer_case *c)
{
    struct receiver receiver = {.acts = c->acts};
    struct peer *peer = peer_new(serve, &receiver, NULL);
    struct sender sender;
    sender_open(&sender, section_to(peer_port(peer), "300"));
    for (int i = 0; i < MESSAGES_MAX && c->expected[i].code; i++) {
        sender_send(&sender, i + 1);
        if (sender.result != c->expected[i].result || strcmp(sender.code, c->expected[i].code) != 0)
            fail_msg("%s: message %d: %d %s", c->what, i + 1, sender.result, sender.code);
    }
    if (peer_connections(peer) != c->connections)
        fail_msg("%s: %d connections", c->what, peer_connections(peer));
    sender_close(&sender);
    peer_destroy(&peer);
}

static void each_kind_of_answer_has_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answer_cases / sizeof answer_cases[0]; i++)
        check_answers(&answer_cases[i]);
}

static void nobody_there_is_down(void **state)
{
    struct receiver receiver = {.acts = ""};
    struct peer *peer = peer_new(serve, &receiver, NULL);
    struct sender sender;
    (void)state;
    int port = peer_port(peer);
    peer_destroy(&peer);
    sender_open(&sender, section_to(port, "300"));
    sender_send(&sender, 1);
    assert_int_equal(sender.result, SENDING_DOWN);
    assert_string_equal(sender.code, "unreachable");
    sender_close(&sender);
}

static void a_name_that_does_not_resolve_is_down(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender, make_section((const char *[]){"transport", "mllp", "inbox", "a", "endpoint",
                                                       "no-such-host.invalid:2575", "beyond-loopback", "yes, in clear",
                                                       "connect-timeout-ms", "4000", NULL}));
    sender_send(&sender, 1);
    assert_int_equal(sender.result, SENDING_DOWN);
    assert_true(strcmp(sender.code, "unreachable") == 0 || strcmp(sender.code, "timeout") == 0);
    sender_close(&sender);
}

static void what_no_frame_can_carry_is_refused(void **state)
{
    struct sender sender;
    (void)state;
    sender_open(&sender, section_to(1, "300"));
    sender.parcel.bytes = sender.bytes;
    sender.parcel.len = (size_t)snprintf(sender.bytes, sizeof sender.bytes, "MSH|\x1c|");
    transport_out_mllp.send(sender.transport, &sender.parcel, judge, on_done, &sender);
    assert_false(sender.done);
    assert_true(run_until(&sender.loop, &sender.done));
    assert_int_equal(sender.result, SENDING_REFUSED);
    assert_string_equal(sender.code, "not-framable");
    sender_close(&sender);
}

static void closing_gives_up_what_is_being_sent(void **state)
{
    (void)state;
    for (int turns = 0; turns < 6; turns++) {
        struct receiver receiver = {.acts = "S"};
        struct peer *peer = peer_new(serve, &receiver, NULL);
        struct sender sender;
        sender_open(&sender, section_to(peer_port(peer), "5000"));
        write_message(&sender, 1);
        transport_out_mllp.send(sender.transport, &sender.parcel, judge, on_done, &sender);
        for (int i = 0; i < turns; i++) {
            uv_run(&sender.loop, UV_RUN_NOWAIT);
            usleep(2000);
        }
        sender_close(&sender);
        assert_false(sender.done);
        peer_destroy(&peer);
    }
}

/* ---- TLS -------------------------------------------------------------------------------------------------------- */

static const struct tls_case {
    const char *what, *ca, *certificate, *key, *host;
    enum sending_result result;
    const char *code;
} tls_cases[] = {
    {"both sides verified", "ca.pem", "client.pem", "client.key", "127.0.0.1", SENDING_TAKEN, "taken"},
    {"by name too", "ca.pem", "client.pem", "client.key", "localhost", SENDING_TAKEN, "taken"},
    {"a server of another authority", "other.pem", "client.pem", "client.key", "127.0.0.1", SENDING_DOWN, "tls"},
    {"a server of another name", "ca.pem", "client.pem", "client.key", "127.0.0.2", SENDING_DOWN, NULL},
    {"no certificate of ours", "ca.pem", NULL, NULL, "127.0.0.1", SENDING_DOWN, NULL},
};

static const struct carehub_setting *tls_section(const struct tls_case *c, int port)
{
    char endpoint[64];
    const char *pairs[20] = {"transport", "mllp", "inbox",  "a",   "endpoint",   endpoint,
                             "tls",       "yes",  "tls-ca", c->ca, "timeout-ms", "2000"};
    snprintf(endpoint, sizeof endpoint, "%s:%d", c->host, port);
    if (c->certificate) {
        pairs[12] = "tls-certificate";
        pairs[13] = c->certificate;
        pairs[14] = "tls-key";
        pairs[15] = c->key;
    }
    return make_section(pairs);
}

static void tls_lets_through_only_who_is_known(void **state)
{
    char folder[64], error[CAREHUB_ERROR_BYTES];
    (void)state;
    make_folder(folder, sizeof folder);
    peer_certificates(folder);
    for (size_t i = 0; i < sizeof tls_cases / sizeof tls_cases[0]; i++) {
        struct receiver receiver = {.acts = "AA"};
        struct peer *peer = peer_new(serve, &receiver, folder);
        struct sender sender = {.done = false};
        uv_loop_init(&sender.loop);
        sender.transport =
            transport_out_mllp.open(&sender.loop, tls_section(&tls_cases[i], peer_port(peer)), folder, error);
        assert_non_null(sender.transport);
        sender_send(&sender, 1);
        if (sender.result != tls_cases[i].result || (tls_cases[i].code && strcmp(sender.code, tls_cases[i].code) != 0))
            fail_msg("%s: %d %s", tls_cases[i].what, sender.result, sender.code);
        assert_int_equal(atomic_load(&receiver.received), tls_cases[i].result == SENDING_TAKEN ? 1 : 0);
        if (sender.result == SENDING_TAKEN) {
            sender_send(&sender, 2);
            assert_int_equal(sender.result, SENDING_TAKEN);
            assert_int_equal(peer_connections(peer), 1);
        }
        sender_close(&sender);
        peer_destroy(&peer);
    }
    remove_folder(folder);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static void settings_are_checked(void **state)
{
    static const struct {
        const char *pairs[16];
        const char *error; /* part of it; NULL: fine */
    } cases[] = {
        {{"endpoint", "127.0.0.1:2575"}, NULL},
        {{"endpoint", "localhost:2575"}, NULL},
        {{"endpoint", "[::1]:2575"}, NULL},
        {{"endpoint", "receiver.example:2575"}, "in clear to receiver.example"},
        {{"endpoint", "10.0.0.7:2575"}, "in clear to 10.0.0.7"},
        {{"endpoint", "10.0.0.7:2575", "beyond-loopback", "yes, in clear"}, NULL},
        {{"endpoint", "10.0.0.7:2575", "beyond-loopback", "yes"}, "has to be no or yes, in clear"},
        {{"endpoint", "10.0.0.7:2575", "tls", "yes"}, NULL},
        {{"endpoint", "127.0.0.1:2575", "tls-ca", "/nowhere"}, "of no use without TLS"},
        {{"endpoint", "127.0.0.1:2575", "tls", "yes", "tls-ca", "/nowhere"}, "cannot read /nowhere"},
        {{"endpoint", "127.0.0.1:2575", "tls", "yes", "tls-key", "/nowhere"}, "belong together"},
        {{"endpoint", "2575"}, "has to be host:port"},
        {{"endpoint", "host:"}, "has to be host:port"},
        {{"endpoint", "host:0"}, "has to be host:port"},
        {{"endpoint", "host:70000"}, "has to be host:port"},
        {{"endpoint", "host:25 75"}, "has to be host:port"},
        {{"endpoint", "::1:2575"}, "has to be host:port"},
        {{"timeout-ms", "100"}, "needs 'endpoint'"},
        {{"endpoint", "127.0.0.1:2575", "url", "x"}, "no setting 'url'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CAREHUB_ERROR_BYTES] = "";
        const char *pairs[24] = {"transport", "mllp", "inbox", "a"};
        memcpy(pairs + 4, cases[i].pairs, sizeof cases[i].pairs);
        bool ok = transport_out_mllp.check(make_section(pairs), "", error);
        if (ok != !cases[i].error || (cases[i].error && !strstr(error, cases[i].error)))
            fail_msg("%s: %s", cases[i].pairs[1], error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_of_answer_has_its_result),
        cmocka_unit_test(nobody_there_is_down),
        cmocka_unit_test(a_name_that_does_not_resolve_is_down),
        cmocka_unit_test(what_no_frame_can_carry_is_refused),
        cmocka_unit_test(closing_gives_up_what_is_being_sent),
        cmocka_unit_test(tls_lets_through_only_who_is_known),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
