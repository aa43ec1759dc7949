/* The outgoing transport "http" and its engine, against a server that says just what the test wants, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/hmac.h>

#include "http_client.h"
#include "http_engine.h"
#include "outlet_peer.h"
#include "transport.h"

enum { REQUEST_MAX_BYTES = 256 << 10 };

/* ---- The server ------------------------------------------------------------------------------------------------- */

/* What it answers, over all connections: one entry for each request, the last one for all further. */
struct server {
    const char *const *answers; /* NULL at the end */
    atomic_int requests;
    char last[REQUEST_MAX_BYTES + 1]; /* the last request, whole */
    size_t last_len;
};

#define DRIP "\x01"  /* an answer that begins so comes slowly: 10 ms a byte */
#define HANG "\x02"  /* none comes */
#define FLOOD "\x03" /* after it a body without end */

/* Reads a request with Content-Length. */
static bool read_request(struct server *self, struct peer_connection *connection)
{
    size_t len = 0, whole = 0;
    while (len < REQUEST_MAX_BYTES && (whole == 0 || len < whole)) {
        ssize_t n = peer_read(connection, self->last + len, REQUEST_MAX_BYTES - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        self->last[len] = '\0';
        const char *end = strstr(self->last, "\r\n\r\n"), *length = strcasestr(self->last, "content-length:");
        if (end && whole == 0)
            whole = (size_t)(end + 4 - self->last) + (length ? strtoul(length + 15, NULL, 10) : 0);
    }
    self->last_len = len;
    return true;
}

static bool answer(struct peer_connection *connection, const char *text)
{
    static const char flood[4096] = "x";
    if (strncmp(text, HANG, 1) == 0) {
        peer_sleep(connection, 4000);
        return false;
    }
    if (strncmp(text, DRIP, 1) == 0) {
        for (const char *c = text + 1; *c; c++) {
            peer_write(connection, c, 1);
            peer_sleep(connection, 10);
        }
    } else if (strncmp(text, FLOOD, 1) == 0) {
        peer_say(connection, text + 1);
        for (int i = 0; i < 1024; i++) /* 4 MiB, but for the client's closing */
            peer_write(connection, flood, sizeof flood);
    } else {
        peer_say(connection, text);
    }
    return strstr(text, "Connection: close") == NULL;
}

static void serve(void *arg, struct peer_connection *connection)
{
    struct server *self = arg;
    bool open = true;
    while (open && read_request(self, connection)) {
        int n = 0, at = atomic_fetch_add(&self->requests, 1);
        while (n < at && self->answers[n + 1])
            n++;
        open = answer(connection, self->answers[n]);
    }
}

/* ---- The sender ------------------------------------------------------------------------------------------------- */

struct sender {
    uv_loop_t loop;
    void *transport;
    struct carehub_parcel parcel;
    bool done;
    enum sending_result result;
    char code[64], text[CAREHUB_ERROR_BYTES];
    char judged[256];
    enum carehub_judgement judgement;
};

static enum carehub_judgement judge(void *arg, const void *bytes, size_t len, struct carehub_problem *problem)
{
    struct sender *self = arg;
    snprintf(self->judged, sizeof self->judged, "%.*s", (int)len, (const char *)bytes);
    snprintf(problem->what, sizeof problem->what, "so the format says");
    return self->judgement;
}

static void on_done(void *arg, enum sending_result result, const char *code, const char *text)
{
    struct sender *self = arg;
    assert_false(self->done);
    self->done = true;
    self->result = result;
    snprintf(self->code, sizeof self->code, "%s", code);
    snprintf(self->text, sizeof self->text, "%s", text);
}

static char message[] = "{\"resourceType\":\"Bundle\"}";

static void sender_open(struct sender *self, const struct carehub_setting *section, const char *folder)
{
    char error[CAREHUB_ERROR_BYTES] = "";
    memset(self, 0, sizeof *self);
    uv_loop_init(&self->loop);
    self->transport = transport_out_http.open(&self->loop, section, folder, error);
    assert_string_equal(error, "");
    self->parcel.bytes = message;
    self->parcel.len = strlen(message);
    self->parcel.content_type = "application/fhir+json";
    snprintf(self->parcel.native_id, sizeof self->parcel.native_id, "N-17");
}

static void sender_send(struct sender *self, sending_judge_fn *by)
{
    self->done = false;
    transport_out_http.send(self->transport, &self->parcel, by, on_done, self);
    assert_false(self->done);
    assert_true(run_until(&self->loop, &self->done));
}

static void sender_close(struct sender *self)
{
    transport_out_http.close(self->transport);
    run_out(&self->loop);
}

/* `more`: pairs, NULL at the end; or NULL. */
static const struct carehub_setting *section_to(const char *scheme, int port, const char *const *more)
{
    char url[64];
    const char *pairs[32] = {"transport", "http", "inbox", "a", "url", url, "timeout-ms", "400"};
    snprintf(url, sizeof url, "%s://127.0.0.1:%d/messages?key=hidden", scheme, port);
    for (int i = 0; more && more[i]; i++)
        pairs[8 + i] = more[i];
    return make_section(pairs);
}

/* The value of a header of the last request; "" if there is none. */
static const char *header(const struct server *server, const char *name)
{
    static char value[512];
    char wanted[128];
    snprintf(wanted, sizeof wanted, "\r\n%s: ", name);
    const char *at = strcasestr(server->last, wanted);
    snprintf(value, sizeof value, "%.*s", at ? (int)strcspn(at + strlen(wanted), "\r") : 0,
             at ? at + strlen(wanted) : "");
    return value;
}

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

#define ANSWER(status) "HTTP/1.1 " status " Text\r\nContent-Length: 2\r\n\r\n{}"

static const struct answer_case {
    const char *what, *answer;
    enum sending_result result;
    const char *code;
} answer_cases[] = {
    {"200", ANSWER("200"), SENDING_TAKEN, "http-200"},
    {"201", ANSWER("201"), SENDING_TAKEN, "http-201"},
    {"202", ANSWER("202"), SENDING_TAKEN, "http-202"},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", SENDING_TAKEN, "http-204"},
    {"299", ANSWER("299"), SENDING_TAKEN, "http-2xx"},
    {"a redirect is not followed", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
     SENDING_DOWN, "http-302"},
    {"nor with the method kept", "HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
     SENDING_DOWN, "http-307"},
    {"400", ANSWER("400"), SENDING_AGAIN, "http-400"},
    {"401", ANSWER("401"), SENDING_DOWN, "http-401"},
    {"403", ANSWER("403"), SENDING_DOWN, "http-403"},
    {"404", ANSWER("404"), SENDING_DOWN, "http-404"},
    {"409", ANSWER("409"), SENDING_AGAIN, "http-409"},
    {"410", ANSWER("410"), SENDING_REFUSED, "http-410"},
    {"418", ANSWER("418"), SENDING_AGAIN, "http-4xx"},
    {"422", ANSWER("422"), SENDING_AGAIN, "http-422"},
    {"429", ANSWER("429"), SENDING_DOWN, "http-429"},
    {"500", ANSWER("500"), SENDING_DOWN, "http-500"},
    {"503", ANSWER("503"), SENDING_DOWN, "http-503"},
    {"599", ANSWER("599"), SENDING_DOWN, "http-5xx"},
    {"no status", "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", SENDING_DOWN, "broken-answer"},
    {"a slow answer in time", DRIP "HTTP/1.1 204 N\r\n\r\n", SENDING_TAKEN, "http-204"},
    {"a slow answer, too late",
     DRIP "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n............................................................",
     SENDING_DOWN, "timeout"},
    {"a body that does not come", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", SENDING_DOWN, "timeout"},
    {"no answer", HANG, SENDING_DOWN, "timeout"},
    {"closed without an answer", "Connection: close", SENDING_DOWN, "broken-answer"},
    {"closed inside the body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\n{}", SENDING_DOWN,
     "broken-answer"},
    {"closed inside the head", "HTTP/1.1 200 OK\r\nConnection: close", SENDING_DOWN, "broken-answer"},
    {"no HTTP", "SSH-2.0-OpenSSH\r\nConnection: close\r\n\r\n", SENDING_DOWN, "broken-answer"},
    {"a huge body of a success", FLOOD "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", SENDING_TAKEN,
     "http-200"},
    {"a huge body of a failure", FLOOD "HTTP/1.1 500 No\r\nContent-Length: 99999999\r\n\r\n", SENDING_DOWN, "http-500"},
};

static void each_answer_has_its_result(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof answer_cases / sizeof answer_cases[0]; i++) {
        const struct answer_case *c = &answer_cases[i];
        struct server server = {.answers = (const char *[]){c->answer, NULL}};
        struct peer *peer = peer_new(serve, &server, NULL);
        struct sender sender;
        sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
        sender_send(&sender, NULL);
        if (sender.result != c->result || strcmp(sender.code, c->code) != 0)
            fail_msg("%s: %d %s (%s)", c->what, sender.result, sender.code, sender.text);
        sender_close(&sender);
        peer_destroy(&peer);
    }
}

/* RFC 9110, 10.2.3. */
static void what_the_server_asks_us_to_wait_is_read_and_bounded(void **state)
{
    static const struct {
        const char *answer;
        uint64_t least_ms, most_ms;
    } cases[] = {
        {ANSWER("503"), 0, 0},
        {"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 7000, 7000},
        {"HTTP/1.1 429 No\r\nretry-after: 120\r\nContent-Length: 0\r\n\r\n", 120000, 120000},
        {"HTTP/1.1 503 No\r\nRetry-After: 99999999999\r\nContent-Length: 0\r\n\r\n", 3600000, 3600000},
        {"HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 3600000,
         3600000},
        {"HTTP/1.1 503 No\r\nRetry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\nContent-Length: 0\r\n\r\n", 0, 0},
        {"HTTP/1.1 503 No\r\nRetry-After: -5\r\nContent-Length: 0\r\n\r\n", 0, 0},
        {"HTTP/1.1 503 No\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n", 0, 0},
        {"HTTP/1.1 422 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", 0, 0}, /* it is about one message */
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = {.answers = (const char *[]){cases[i].answer, NULL}};
        struct peer *peer = peer_new(serve, &server, NULL);
        struct sender sender;
        sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
        sender_send(&sender, NULL);
        uint64_t asked_ms = transport_out_http.asked_wait_ms(sender.transport);
        if (asked_ms < cases[i].least_ms || asked_ms > cases[i].most_ms)
            fail_msg("%zu: %llu ms", i, (unsigned long long)asked_ms);
        sender_close(&sender);
        peer_destroy(&peer);
    }
}

static void an_unreachable_server_is_down(void **state)
{
    struct server server = {.answers = (const char *[]){"", NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    (void)state;
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    peer_destroy(&peer);
    sender_send(&sender, NULL);
    assert_int_equal(sender.result, SENDING_DOWN);
    assert_string_equal(sender.code, "unreachable");
    sender_close(&sender);
}

static void a_format_judges_what_succeeds(void **state)
{
    static const struct {
        enum carehub_judgement judgement;
        enum sending_result result;
        const char *code;
    } cases[] = {
        {CAREHUB_JUDGED_TAKEN, SENDING_TAKEN, "taken"},
        {CAREHUB_JUDGED_AGAIN, SENDING_DOWN, "not-now"},
        {CAREHUB_JUDGED_REFUSED, SENDING_REFUSED, "refused"},
        {CAREHUB_JUDGED_OTHER, SENDING_AGAIN, "answers-another"},
    };
    struct server server = {
        .answers = (const char *[]){ANSWER("200"), ANSWER("200"), ANSWER("200"), ANSWER("200"), ANSWER("503"), NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    (void)state;
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        sender.judgement = cases[i].judgement;
        sender_send(&sender, judge);
        assert_string_equal(sender.judged, "{}");
        assert_int_equal(sender.result, cases[i].result);
        assert_string_equal(sender.code, cases[i].code);
        if (sender.result != SENDING_TAKEN)
            assert_string_equal(sender.text, "so the format says");
    }
    sender.judged[0] = '\0';
    sender_send(&sender, judge);
    assert_string_equal(sender.judged, "");
    assert_string_equal(sender.code, "http-503");
    assert_int_equal(peer_connections(peer), 1); /* kept */
    sender_close(&sender);
    peer_destroy(&peer);
}

static void too_large_an_answer_is_not_judged(void **state)
{
    struct server server = {.answers =
                                (const char *[]){FLOOD "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    (void)state;
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    sender_send(&sender, judge);
    assert_int_equal(sender.result, SENDING_AGAIN);
    assert_string_equal(sender.code, "answer-too-large");
    assert_string_equal(sender.judged, "");
    sender_close(&sender);
    peer_destroy(&peer);
}

/* ---- Requests --------------------------------------------------------------------------------------------------- */

static void write_secret(const char *folder, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, 0600);
}

/* By another library than the one that signs. */
static void check_signature(const char *signature, const char *key, const char *body)
{
    char signed_text[1024], hex[2 * 32 + 1], wanted[256];
    unsigned char mac[32];
    unsigned mac_len = sizeof mac;
    long t = strtol(signature + 2, NULL, 10);
    assert_int_equal(strncmp(signature, "t=", 2), 0);
    assert_true(labs(t - (long)time(NULL)) <= 5);
    int len = snprintf(signed_text, sizeof signed_text, "%ld.%s", t, body);
    assert_non_null(
        HMAC(EVP_sha256(), key, (int)strlen(key), (const unsigned char *)signed_text, (size_t)len, mac, &mac_len));
    for (int i = 0; i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", mac[i]);
    snprintf(wanted, sizeof wanted, "t=%ld,v1=%s", t, hex);
    assert_string_equal(signature, wanted);
}

static void a_request_is_as_documented(void **state)
{
    struct server server = {.answers = (const char *[]){ANSWER("200"), NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    char folder[64], endpoint[128];
    (void)state;
    make_folder(folder, sizeof folder);
    write_secret(folder, "token", "abc.DEF-123\n");
    write_secret(folder, "key", "0123456789abcdef0123456789abcdef\n");
    sender_open(&sender,
                section_to("http", peer_port(peer),
                           (const char *[]){"bearer-token-file", "token", "hmac-key-file", "key", "header",
                                            "X-Tenant: north", "header", "Accept: application/json", NULL}),
                folder);
    sender_send(&sender, NULL);
    assert_string_equal(sender.code, "http-200");
    assert_int_equal(strncmp(server.last, "POST /messages?key=hidden HTTP/1.1\r\n", 36), 0);
    assert_string_equal(header(&server, "Content-Type"), "application/fhir+json");
    assert_string_equal(header(&server, "X-Carehub-Delivery"), "N-17");
    assert_string_equal(header(&server, "Idempotency-Key"), "N-17");
    assert_string_equal(header(&server, "Authorization"), "Bearer abc.DEF-123");
    assert_string_equal(header(&server, "X-Tenant"), "north");
    assert_string_equal(header(&server, "Accept"), "application/json");
    assert_string_equal(header(&server, "Expect"), "");
    assert_string_equal(strstr(server.last, "\r\n\r\n") + 4, message);
    check_signature(header(&server, HTTP_SIGNATURE_HEADER), "0123456789abcdef0123456789abcdef", message);
    write_secret(folder, "token", "changed");
    sender_send(&sender, NULL);
    assert_string_equal(header(&server, "Authorization"), "Bearer changed");
    transport_out_http.endpoint(sender.transport, endpoint, sizeof endpoint);
    assert_null(strstr(endpoint, "hidden"));
    assert_non_null(strstr(endpoint, "/messages"));
    sender_close(&sender);
    peer_destroy(&peer);
    remove_folder(folder);
}

static void a_signature_is_as_others_compute_it(void **state)
{
    /* printf '0.The quick brown fox' | openssl dgst -sha256 -hmac key */
    const char *body = "The quick brown fox";
    char signature[HTTP_SIGNATURE_BYTES];
    (void)state;
    assert_true(http_sign("key", 3, 0, body, strlen(body), signature));
    assert_string_equal(signature, "t=0,v1=10c3ae5bdd0fd5c9ad60a05ea4051bb529622def626c0d64295951b2039454ed");
}

static void a_lost_secret_is_down(void **state)
{
    struct server server = {.answers = (const char *[]){ANSWER("200"), NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    char folder[64], path[128];
    (void)state;
    make_folder(folder, sizeof folder);
    write_secret(folder, "token", "abc");
    sender_open(&sender, section_to("http", peer_port(peer), (const char *[]){"bearer-token-file", "token", NULL}),
                folder);
    snprintf(path, sizeof path, "%s/token", folder);
    unlink(path);
    sender_send(&sender, NULL);
    assert_int_equal(sender.result, SENDING_DOWN);
    assert_string_equal(sender.code, "credentials");
    write_secret(folder, "token", "two\nlines");
    sender_send(&sender, NULL);
    assert_string_equal(sender.code, "credentials");
    assert_int_equal(atomic_load(&server.requests), 0);
    sender_close(&sender);
    peer_destroy(&peer);
    remove_folder(folder);
}

static void a_kept_connection_that_closed_is_made_anew(void **state)
{
    struct server server = {
        .answers = (const char *[]){"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX: Connection: close\r\n\r\n", NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    (void)state;
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    for (int i = 0; i < 5; i++) {
        sender_send(&sender, NULL);
        assert_string_equal(sender.code, "http-200");
    }
    assert_int_equal(atomic_load(&server.requests), 5);
    sender_close(&sender);
    peer_destroy(&peer);
}

/* Takes one request whole; of the next it reads a byte and closes, which resets the connection. */
static void serve_one_and_break(void *arg, struct peer_connection *connection)
{
    struct server *self = arg;
    static char bytes[1 << 16];
    size_t len = 0, whole = sizeof bytes;
    for (ssize_t n = 1; n > 0 && len < whole; len += (size_t)(n > 0 ? n : 0)) {
        n = peer_read(connection, bytes, len == 0 ? sizeof bytes - 1 : 1 << 12);
        const char *end = len == 0 && n > 0 ? memmem(bytes, (size_t)n, "\r\n\r\n", 4) : NULL;
        if (end)
            whole = (size_t)(end + 4 - bytes) + strtoul(strcasestr(bytes, "content-length:") + 15, NULL, 10);
    }
    if (len < whole)
        return;
    atomic_fetch_add(&self->requests, 1);
    peer_say(connection, ANSWER("200"));
    peer_read(connection, bytes, 1);
}

static void a_kept_connection_that_breaks_while_it_is_sent_is_made_anew(void **state)
{
    enum { LARGE_BYTES = 8 << 20 };
    struct server server = {.answers = NULL};
    struct peer *peer = peer_new(serve_one_and_break, &server, NULL);
    struct sender sender;
    char *large = malloc(LARGE_BYTES);
    (void)state;
    memset(large, ' ', LARGE_BYTES);
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    sender.parcel.bytes = large;
    sender.parcel.len = LARGE_BYTES;
    for (int i = 0; i < 3; i++) {
        sender_send(&sender, NULL);
        assert_string_equal(sender.code, "http-200");
    }
    assert_int_equal(atomic_load(&server.requests), 3);
    sender_close(&sender);
    peer_destroy(&peer);
    free(large);
}

static void large_messages_go(void **state)
{
    struct server server = {.answers = (const char *[]){ANSWER("200"), NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct sender sender;
    size_t len = 200 << 10;
    char *large = malloc(len);
    (void)state;
    memset(large, 'a', len);
    sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
    sender.parcel.bytes = large;
    sender.parcel.len = len;
    sender_send(&sender, NULL);
    assert_string_equal(sender.code, "http-200");
    assert_true(server.last_len > len);
    sender_close(&sender);
    peer_destroy(&peer);
    free(large);
}

static void closing_gives_up_what_is_being_sent(void **state)
{
    (void)state;
    for (int turns = 0; turns < 6; turns++) {
        struct server server = {.answers = (const char *[]){HANG, NULL}};
        struct peer *peer = peer_new(serve, &server, NULL);
        struct sender sender;
        sender_open(&sender, section_to("http", peer_port(peer), NULL), "");
        transport_out_http.send(sender.transport, &sender.parcel, NULL, on_done, &sender);
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

static void tls_lets_through_only_who_is_known(void **state)
{
    static const struct {
        const char *what;
        const char *settings[10];
        const char *code; /* NULL: any of DOWN */
    } cases[] = {
        {"both sides verified",
         {"tls-ca", "ca.pem", "tls-certificate", "client.pem", "tls-key", "client.key", "timeout-ms", "4000"},
         "http-200"},
        {"a server of another authority",
         {"tls-ca", "other.pem", "tls-certificate", "client.pem", "tls-key", "client.key", "timeout-ms", "4000"},
         "tls"},
        {"a server that nobody knows",
         {"tls-certificate", "client.pem", "tls-key", "client.key", "timeout-ms", "4000"},
         "tls"},
        {"no certificate of ours", {"tls-ca", "ca.pem", "timeout-ms", "4000"}, NULL},
    };
    char folder[64];
    (void)state;
    make_folder(folder, sizeof folder);
    peer_certificates(folder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct server server = {.answers = (const char *[]){ANSWER("200"), NULL}};
        struct peer *peer = peer_new(serve, &server, folder);
        struct sender sender;
        sender_open(&sender, section_to("https", peer_port(peer), cases[i].settings), folder);
        sender_send(&sender, NULL);
        if (cases[i].code && strcmp(sender.code, cases[i].code) != 0)
            fail_msg("%s: %s: %s", cases[i].what, sender.code, sender.text);
        bool taken = cases[i].code && strcmp(cases[i].code, "http-200") == 0;
        assert_int_equal(sender.result, taken ? SENDING_TAKEN : SENDING_DOWN);
        assert_int_equal(atomic_load(&server.requests), taken ? 1 : 0);
        sender_close(&sender);
        peer_destroy(&peer);
    }
    remove_folder(folder);
}

/* ---- The engine ------------------------------------------------------------------------------------------------- */

struct posting {
    struct http_engine *engine;
    struct http_post *post;
    int *left;
    bool *all_done;
    int status;
    bool close_in_done;
};

static void on_posted(void *arg, const struct http_response *response)
{
    struct posting *self = arg;
    self->post = NULL;
    self->status = response->status;
    assert_int_equal(((const char *)response->body)[response->len], '\0');
    if (self->close_in_done)
        http_engine_close(&self->engine);
    if (--*self->left == 0)
        *self->all_done = true;
}

static void many_posts_go_at_a_time_and_can_be_cancelled(void **state)
{
    enum { POSTS = 20 };
    struct server server = {
        .answers = (const char *[]){"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    struct posting posts[POSTS];
    uv_loop_t loop;
    bool all_done = false;
    int left = POSTS / 2;
    char url[64];
    (void)state;
    uv_loop_init(&loop);
    struct http_engine *engine = http_engine_new(&loop);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer_port(peer));
    const struct http_post_options options = {.url = url, .content_type = "text/plain", .body = "x", .len = 1};
    for (int i = 0; i < POSTS; i++) {
        posts[i] = (struct posting){.left = &left, .all_done = &all_done};
        posts[i].post = http_post(engine, &options, on_posted, &posts[i]);
        assert_non_null(posts[i].post);
    }
    for (int i = 0; i < POSTS; i += 2)
        http_cancel(&posts[i].post);
    assert_true(run_until(&loop, &all_done));
    for (int i = 0; i < POSTS; i++)
        assert_int_equal(posts[i].status, i % 2 ? 200 : 0);
    http_engine_close(&engine);
    run_out(&loop);
    peer_destroy(&peer);
}

static void the_engine_may_be_closed_when_told(void **state)
{
    struct server server = {.answers = (const char *[]){ANSWER("200"), NULL}};
    struct peer *peer = peer_new(serve, &server, NULL);
    uv_loop_t loop;
    bool all_done = false;
    int left = 1;
    char url[64];
    (void)state;
    uv_loop_init(&loop);
    struct posting post = {
        .engine = http_engine_new(&loop), .left = &left, .all_done = &all_done, .close_in_done = true};
    struct posting other = {.left = &left, .all_done = &all_done};
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", peer_port(peer));
    const struct http_post_options options = {.url = url};
    struct http_engine *engine = post.engine;
    assert_non_null(http_post(engine, &options, on_posted, &post));
    assert_non_null(http_post(engine, &options, on_posted, &other)); /* the server serves one at a time */
    assert_true(run_until(&loop, &all_done));
    run_out(&loop);
    assert_int_equal(post.status, 200);
    assert_int_equal(other.status, 0);
    peer_destroy(&peer);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static void settings_are_checked(void **state)
{
    static const struct {
        const char *pairs[12];
        const char *error; /* part of it; NULL: fine */
    } cases[] = {
        {{"url", "http://127.0.0.1:8080/x"}, NULL},
        {{"url", "http://localhost/x"}, NULL},
        {{"url", "http://[::1]:8080/x"}, NULL},
        {{"url", "https://receiver.example/x"}, NULL},
        {{"url", "http://receiver.example/x"}, "in clear to receiver.example"},
        {{"url", "http://127.0.0.1.receiver.example/x"}, "in clear to"},
        {{"url", "http://receiver.example/x", "beyond-loopback", "yes, in clear"}, NULL},
        {{"url", "ftp://receiver.example/x"}, "has to begin with https://"},
        {{"url", "file:///etc/passwd"}, "URL"},
        {{"url", "receiver.example/x"}, "not a whole URL"},
        {{"url", "https://user:secret@receiver.example/x"}, "must not have a user"},
        {{"url", "https://r.example/", "header", "X-A: b"}, NULL},
        {{"url", "https://r.example/", "header", "X-A"}, "Name: value"},
        {{"url", "https://r.example/", "header", "X A: b"}, "Name: value"},
        {{"url", "https://r.example/", "header", "X-A: b\r\nX-B: c"}, "Name: value"},
        {{"url", "https://r.example/", "header", "content-type: text/plain"}, "set by this program"},
        {{"url", "https://r.example/", "header", "Idempotency-Key: 1"}, "set by this program"},
        {{"url", "https://r.example/", "hmac-header", "X-Sig"}, "needs hmac-key-file"},
        {{"url", "https://r.example/", "hmac-key-file", "key"}, NULL},
        {{"url", "https://r.example/", "hmac-key-file", "key", "hmac-header", "X-Sig"}, NULL},
        {{"url", "https://r.example/", "hmac-key-file", "key", "hmac-header", "X Sig"}, "hmac-header"},
        {{"url", "https://r.example/", "hmac-key-file", "short"}, "too short"},
        {{"url", "https://r.example/", "hmac-key-file", "open"}, "others may read"},
        {{"url", "https://r.example/", "bearer-token-file", "nowhere"}, "cannot be opened"},
        {{"url", "https://r.example/", "bearer-token-file", "empty"}, "is empty"},
        {{"url", "http://127.0.0.1/", "tls-ca", "key"}, "without TLS"},
        {{"url", "https://r.example/", "tls-certificate", "key"}, "belong together"},
        {{"timeout-ms", "5"}, "needs 'url'"},
        {{"url", "https://r.example/", "timeout-ms", "0"}, "whole number"},
    };
    char folder[64], path[128];
    (void)state;
    make_folder(folder, sizeof folder);
    write_secret(folder, "key", "0123456789abcdef");
    write_secret(folder, "short", "0123456789\n");
    write_secret(folder, "empty", "\n");
    write_secret(folder, "open", "0123456789abcdef");
    snprintf(path, sizeof path, "%s/open", folder);
    chmod(path, 0644);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[CAREHUB_ERROR_BYTES] = "";
        const char *pairs[20] = {"transport", "http", "inbox", "a"};
        memcpy(pairs + 4, cases[i].pairs, sizeof cases[i].pairs);
        bool ok = transport_out_http.check(make_section(pairs), folder, error);
        if (ok != !cases[i].error || (cases[i].error && !strstr(error, cases[i].error)))
            fail_msg("case %zu, %s: %s", i, cases[i].pairs[1], error);
    }
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_result),
        cmocka_unit_test(what_the_server_asks_us_to_wait_is_read_and_bounded),
        cmocka_unit_test(an_unreachable_server_is_down),
        cmocka_unit_test(a_format_judges_what_succeeds),
        cmocka_unit_test(too_large_an_answer_is_not_judged),
        cmocka_unit_test(a_request_is_as_documented),
        cmocka_unit_test(a_signature_is_as_others_compute_it),
        cmocka_unit_test(a_lost_secret_is_down),
        cmocka_unit_test(a_kept_connection_that_closed_is_made_anew),
        cmocka_unit_test(a_kept_connection_that_breaks_while_it_is_sent_is_made_anew),
        cmocka_unit_test(large_messages_go),
        cmocka_unit_test(closing_gives_up_what_is_being_sent),
        cmocka_unit_test(tls_lets_through_only_who_is_known),
        cmocka_unit_test(many_posts_go_at_a_time_and_can_be_cancelled),
        cmocka_unit_test(the_engine_may_be_closed_when_told),
        cmocka_unit_test(settings_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
