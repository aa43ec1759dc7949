/* The MLLP transport: frames in, frames out, in order, in clear and over TLS. */
#include "transport_fixture.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificates.h"
#include "credentials.h"
#include "tls_stream.h"

#define START "\x0b"
#define END "\x1c\r"

static struct certificates certificates;

static const struct stub_setting plain[] = {{"transport", "mllp"}, {"endpoint", "127.0.0.1:0"}, {NULL, NULL}};

static void send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t part = send(fd, bytes, len, MSG_NOSIGNAL);
        assert_true(part > 0);
        bytes += part;
        len -= (size_t)part;
    }
}

static void say(int fd, const char *text)
{
    send_all(fd, text, strlen(text));
}

/* Exactly this comes next. */
static void expect(int fd, const char *text)
{
    char got[4096];
    size_t len = strlen(text), at = 0;
    assert_true(len < sizeof got);
    while (at < len) {
        ssize_t part = recv(fd, got + at, len - at, 0);
        assert_true(part > 0);
        at += (size_t)part;
    }
    got[at] = '\0';
    assert_string_equal(got, text);
}

static void expect_end(int fd)
{
    char byte;
    assert_true(recv(fd, &byte, 1, 0) <= 0);
}

/* ---- In clear --------------------------------------------------------------------------------------------------- */

static void answers_go_out_in_the_order_of_the_messages(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, plain);
    int fd = stub_connect(stub);
    (void)state;
    say(fd, START "hold 1" END START "at once 2" END START "3" END);
    stub_wait(stub_taken_count(stub) == 3);
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&readable, 1, 50), 0);
    stub_release(stub);
    expect(fd, START "hold 1" END START "at once 2" END START "3" END);
    assert_string_equal(stub->taken[0].peer, "");
    close(fd);
    stub_stop(&stub);
}

static void a_broken_frame_is_counted_and_what_came_before_is_answered(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, plain);
    int fd = stub_connect(stub);
    (void)state;
    say(fd, START "1" END "rubbish");
    expect(fd, START "1" END);
    expect_end(fd);
    assert_int_equal(stub_broken_count(stub), 1);
    assert_int_equal(stub_taken_count(stub), 1);
    close(fd);
    stub_stop(&stub);
}

static void a_message_that_is_too_large_ends_the_connection(void **state)
{
    static const struct stub_setting settings[] = {
        {"transport", "mllp"}, {"endpoint", "127.0.0.1:0"}, {"message-max-bytes", "1024"}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_mllp, settings);
    int fd = stub_connect(stub);
    char large[2000];
    (void)state;
    memset(large, 'x', sizeof large);
    say(fd, START);
    send_all(fd, large, sizeof large);
    expect_end(fd);
    assert_int_equal(stub_broken_count(stub), 1);
    assert_int_equal(stub_taken_count(stub), 0);
    close(fd);
    stub_stop(&stub);
}

static void more_connections_than_allowed_are_closed_at_once(void **state)
{
    static const struct stub_setting settings[] = {
        {"transport", "mllp"}, {"endpoint", "127.0.0.1:0"}, {"connections-max", "2"}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_mllp, settings);
    int fds[3];
    (void)state;
    for (int i = 0; i < 3; i++) {
        fds[i] = stub_connect(stub);
        if (i < 2) {
            say(fds[i], START "x" END);
            expect(fds[i], START "x" END);
        }
    }
    expect_end(fds[2]);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    stub_stop(&stub);
}

static void a_pause_inside_a_frame_ends_the_connection_and_one_between_frames_does_not(void **state)
{
    static const struct stub_setting settings[] = {
        {"transport", "mllp"}, {"endpoint", "127.0.0.1:0"}, {"frame-timeout-ms", "300"}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_mllp, settings);
    int inside = stub_connect(stub), between = stub_connect(stub);
    (void)state;
    say(inside, START "half");
    expect_end(inside);
    say(between, START "whole" END);
    expect(between, START "whole" END);
    close(inside);
    close(between);
    stub_stop(&stub);
}

static void a_sender_that_reads_no_answers_is_not_read_either(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, plain);
    int fd = stub_connect(stub);
    (void)state;
    for (int i = 0; i < 100; i++)
        say(fd, START "hold" END);
    stub_wait(stub_taken_count(stub) >= 32);
    uv_sleep(50);
    assert_int_equal(stub_taken_count(stub), 32);
    stub_release(stub);
    for (int i = 0; i < 100; i++)
        expect(fd, START "hold" END);
    close(fd);
    stub_stop(&stub);
}

static void an_answer_after_the_sender_has_gone_is_let_go_of(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, plain);
    int fd = stub_connect(stub);
    const struct linger hard = {.l_onoff = 1};
    (void)state;
    say(fd, START "hold 1" END START "hold 2" END START "3" END);
    stub_wait(stub_taken_count(stub) == 3);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd); /* a reset */
    uv_sleep(50);
    stub_release(stub);
    stub_wait(stub_held_count(stub) == 0);
    stub_stop(&stub);
}

/* ---- Over TLS --------------------------------------------------------------------------------------------------- */

struct tls_client {
    int fd;
    struct tls_context *context;
    struct tls_stream *stream;
};

static void client_output(struct tls_client *c)
{
    size_t len;
    char *bytes = tls_stream_output(c->stream, &len);
    if (len > 0)
        send(c->fd, bytes, len, MSG_NOSIGNAL);
    free(bytes);
}

static struct tls_client client_open(const struct stub *stub, const char *certificate, const char *key, const char *ca,
                                     const char *host)
{
    char error[512] = "";
    struct tls_client c = {.fd = stub_connect(stub)};
    c.context = tls_context_new(false, certificate, key, ca, error, sizeof error);
    assert_string_equal(error, "");
    assert_non_null(c.context);
    c.stream = tls_stream_new(c.context, host);
    assert_non_null(c.stream);
    client_output(&c);
    return c;
}

static void client_close(struct tls_client *c)
{
    tls_stream_destroy(&c->stream);
    tls_context_destroy(&c->context);
    close(c->fd);
}

/* What comes, until `len` bytes or the end. */
static size_t client_read(struct tls_client *c, char *out, size_t len)
{
    size_t at = 0;
    while (at < len) {
        ssize_t plain_len = tls_stream_read(c->stream, out + at, len - at);
        if (plain_len < 0)
            break;
        at += (size_t)plain_len;
        if (plain_len > 0)
            continue;
        char cipher[4096];
        ssize_t part = recv(c->fd, cipher, sizeof cipher, 0);
        if (part <= 0 || !tls_stream_feed(c->stream, cipher, (size_t)part))
            break;
        client_output(c);
    }
    return at;
}

static const struct stub_setting *secure(const char *ca)
{
    static struct stub_setting settings[8];
    size_t n = 0;
    settings[n++] = (struct stub_setting){"transport", "mllp"};
    settings[n++] = (struct stub_setting){"endpoint", "127.0.0.1:0"};
    settings[n++] = (struct stub_setting){"tls-certificate", certificates.server};
    settings[n++] = (struct stub_setting){"tls-key", certificates.server_key};
    if (ca)
        settings[n++] = (struct stub_setting){"tls-client-ca", ca};
    settings[n] = (struct stub_setting){NULL, NULL};
    return settings;
}

static void messages_pass_over_tls_and_the_peer_is_the_certificates_name(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, secure(certificates.ca));
    struct tls_client c = client_open(stub, certificates.client, certificates.client_key, certificates.ca, "127.0.0.1");
    char got[64] = "";
    (void)state;
    assert_true(tls_stream_write(c.stream, START "hello" END, 8)); /* held until the handshake is done */
    client_output(&c);
    assert_int_equal(client_read(&c, got, 8), 8);
    assert_memory_equal(got, START "hello" END, 8);
    assert_true(tls_stream_is_ready(c.stream));
    assert_string_equal(tls_stream_peer(c.stream), "a server");
    assert_string_equal(stub->taken[0].peer, CERTIFICATES_CLIENT_NAME);
    /* Half-closed: what was asked is still answered, then the server says goodbye too. */
    tls_stream_write(c.stream, START "2" END, 4);
    tls_stream_finish(c.stream);
    client_output(&c);
    shutdown(c.fd, SHUT_WR);
    assert_int_equal(client_read(&c, got, 64), 4);
    client_close(&c);
    stub_stop(&stub);
}

static void a_large_message_passes_over_tls(void **state)
{
    enum { LARGE = 3 << 20 };
    struct stub *stub = stub_start(&transport_in_mllp, secure(NULL));
    struct tls_client c = client_open(stub, NULL, NULL, certificates.ca, "127.0.0.1");
    char *large = malloc(LARGE), got[64];
    (void)state;
    memset(large, 'x', LARGE);
    memcpy(large, START "big ", 5);
    memcpy(large + LARGE - 2, END, 2);
    while (!tls_stream_is_ready(c.stream)) {
        char cipher[4096];
        ssize_t part = recv(c.fd, cipher, sizeof cipher, 0);
        assert_true(part > 0 && tls_stream_feed(c.stream, cipher, (size_t)part));
        client_output(&c);
    }
    assert_true(tls_stream_write(c.stream, large, LARGE));
    size_t len;
    char *bytes = tls_stream_output(c.stream, &len);
    send_all(c.fd, bytes, len);
    free(bytes);
    assert_int_equal(client_read(&c, got, 5), 5);
    assert_int_equal(stub->taken[0].len, LARGE - 3);
    assert_string_equal(stub->taken[0].peer, "");
    free(large);
    client_close(&c);
    stub_stop(&stub);
}

static void a_client_without_a_certificate_of_ours_is_refused(void **state)
{
    const char *const shown[][2] = {{NULL, NULL}, {certificates.stranger, certificates.stranger_key}};
    struct stub *stub = stub_start(&transport_in_mllp, secure(certificates.ca));
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct tls_client c = client_open(stub, shown[i][0], shown[i][1], certificates.ca, "127.0.0.1");
        char got[8];
        tls_stream_write(c.stream, START "hello" END, 8);
        client_output(&c);
        assert_int_equal(client_read(&c, got, sizeof got), 0);
        client_close(&c);
    }
    stub_wait(stub_broken_count(stub) == 2);
    assert_int_equal(stub_taken_count(stub), 0);
    stub_stop(&stub);
}

static void a_server_that_is_another_or_of_an_unknown_authority_is_not_talked_to(void **state)
{
    static const struct {
        const char *ca, *host, *why;
    } cases[] = {
        {certificates.ca, "127.0.0.2", "IP address mismatch"},
        {certificates.ca, "hub.example", "hostname mismatch"},
        {certificates.stranger, "127.0.0.1", "unable to get local issuer certificate"},
    };
    struct stub *stub = stub_start(&transport_in_mllp, secure(NULL));
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tls_client c = client_open(stub, NULL, NULL, cases[i].ca, cases[i].host);
        char got[8];
        tls_stream_write(c.stream, START "hello" END, 8);
        assert_int_equal(client_read(&c, got, sizeof got), 0);
        assert_non_null(strstr(tls_stream_error(c.stream), cases[i].why));
        client_close(&c);
    }
    assert_int_equal(stub_taken_count(stub), 0);
    stub_stop(&stub);
}

static void one_that_speaks_in_clear_to_a_tls_port_is_refused(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, secure(NULL));
    int fd = stub_connect(stub);
    char byte[64];
    (void)state;
    say(fd, START "hello" END);
    while (recv(fd, byte, sizeof byte, 0) > 0) /* perhaps an alert */
        ;
    stub_wait(stub_broken_count(stub) == 1);
    assert_int_equal(stub_taken_count(stub), 0);
    close(fd);
    stub_stop(&stub);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static void what_others_can_reach_is_refused_unless_it_is_safe_or_said_in_so_many_words(void **state)
{
    char open_key[PATH_MAX], credentials[PATH_MAX], token[CREDENTIALS_TOKEN_BYTES], error[CAREHUB_ERROR_BYTES];
    const char *certificate = certificates.server, *key = certificates.server_key;
    const struct {
        const struct transport_in *transport;
        const char *endpoint, *beyond, *certificate, *key, *ca, *credentials, *why;
    } cases[] = {
        {&transport_in_mllp, "0.0.0.0:0", NULL, NULL, NULL, NULL, NULL, "nothing would be encrypted"},
        {&transport_in_mllp, "[::]:0", NULL, NULL, NULL, NULL, NULL, "nothing would be encrypted"},
        {&transport_in_mllp, "0.0.0.0:0", "yes", NULL, NULL, NULL, NULL, "has to be yes, in clear"},
        {&transport_in_mllp, "0.0.0.0:0", "yes, in clear", NULL, NULL, NULL, NULL, NULL},
        {&transport_in_mllp, "0.0.0.0:0", NULL, certificate, key, NULL, NULL, "anybody could send"},
        {&transport_in_mllp, "0.0.0.0:0", "yes, from anybody", certificate, key, NULL, NULL, NULL},
        {&transport_in_mllp, "0.0.0.0:0", NULL, certificate, key, certificates.ca, NULL, NULL},
        {&transport_in_http, "0.0.0.0:0", NULL, NULL, NULL, NULL, credentials, "nothing would be encrypted"},
        {&transport_in_http, "0.0.0.0:0", "yes, in clear", NULL, NULL, NULL, NULL, "anybody could send"},
        {&transport_in_http, "0.0.0.0:0", "yes, from anybody", certificate, key, NULL, NULL, "anybody could send"},
        {&transport_in_http, "0.0.0.0:0", "yes, in clear", NULL, NULL, NULL, credentials, NULL},
        {&transport_in_http, "0.0.0.0:0", NULL, certificate, key, NULL, credentials, NULL},
        {&transport_in_http, "0.0.0.0:0", NULL, certificate, key, certificates.ca, NULL, NULL},
        {&transport_in_http, "127.0.0.1:0", NULL, NULL, NULL, NULL, NULL, NULL},
        {&transport_in_http, "[::1]:0", NULL, certificate, key, NULL, NULL, NULL},
        {&transport_in_mllp, "127.0.0.1:0", NULL, certificate, NULL, NULL, NULL, "a certificate and its key"},
        {&transport_in_mllp, "127.0.0.1:0", NULL, certificate, open_key, NULL, NULL, "open to all users"},
        {&transport_in_mllp, "127.0.0.1:0", NULL, certificate, certificates.client_key, NULL, NULL,
         "key values mismatch"},
        {&transport_in_mllp, "127.0.0.1:0", NULL, "/nowhere", key, NULL, NULL, "/nowhere cannot be used"},
        {&transport_in_mllp, "127.0.0.1:0", NULL, NULL, NULL, certificates.ca, NULL, "need tls-certificate"},
        {&transport_in_http, "127.0.0.1:0", NULL, NULL, NULL, NULL, "/nowhere", "cannot be read"},
        {&transport_in_mllp, "127.0.0.1", NULL, NULL, NULL, NULL, NULL, "ADDRESS:PORT"},
        {&transport_in_mllp, "127.0.0.1:65536", NULL, NULL, NULL, NULL, NULL, "ADDRESS:PORT"},
        {&transport_in_mllp, "[::1]", NULL, NULL, NULL, NULL, NULL, "ADDRESS:PORT"},
        {&transport_in_mllp, "localhost:1", NULL, NULL, NULL, NULL, NULL, "ADDRESS:PORT"},
        {&transport_in_mllp, NULL, NULL, NULL, NULL, NULL, NULL, "needs 'endpoint'"},
    };
    (void)state;
    snprintf(open_key, sizeof open_key, "%s/open.key", certificates.folder);
    snprintf(credentials, sizeof credentials, "%s/credentials", certificates.folder);
    fclose(fopen(open_key, "we"));
    chmod(open_key, 0644);
    assert_true(credentials_add(credentials, "x", token, error, sizeof error));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct stub_setting all[] = {
            {"endpoint", cases[i].endpoint},
            {"beyond-loopback", cases[i].beyond},
            {"tls-certificate", cases[i].certificate},
            {"tls-key", cases[i].key},
            {"tls-client-ca", cases[i].ca},
            {"credentials", cases[i].credentials},
        };
        struct stub_setting settings[sizeof all / sizeof *all + 1];
        size_t n = 0;
        for (size_t k = 0; k < sizeof all / sizeof *all; k++)
            if (all[k].value)
                settings[n++] = all[k];
        settings[n] = (struct stub_setting){NULL, NULL};
        struct stub *stub = stub_new(cases[i].transport, settings, error);
        if ((stub == NULL) != (cases[i].why != NULL) || (cases[i].why && !strstr(error, cases[i].why)))
            fail_msg("case %zu: %s", i, error);
        if (stub)
            stub_stop(&stub);
    }
    unlink(open_key);
    unlink(credentials);
}

static void a_port_that_is_taken_is_told(void **state)
{
    struct stub *stub = stub_start(&transport_in_mllp, plain);
    const struct stub_setting settings[] = {{"endpoint", stub->endpoint}, {NULL, NULL}};
    const struct transport_in *const both[] = {&transport_in_mllp, &transport_in_http};
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        assert_null(stub_new(both[i], settings, error));
        assert_non_null(strstr(error, "cannot listen on 127.0.0.1:"));
        assert_non_null(strstr(error, "address already in use") ?: strstr(error, "Address already in use"));
    }
    stub_stop(&stub);
}

static int make_certificates(void **state)
{
    (void)state;
    certificates_make(&certificates);
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    certificates_remove(&certificates);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_go_out_in_the_order_of_the_messages),
        cmocka_unit_test(a_broken_frame_is_counted_and_what_came_before_is_answered),
        cmocka_unit_test(a_message_that_is_too_large_ends_the_connection),
        cmocka_unit_test(more_connections_than_allowed_are_closed_at_once),
        cmocka_unit_test(a_pause_inside_a_frame_ends_the_connection_and_one_between_frames_does_not),
        cmocka_unit_test(a_sender_that_reads_no_answers_is_not_read_either),
        cmocka_unit_test(an_answer_after_the_sender_has_gone_is_let_go_of),
        cmocka_unit_test(messages_pass_over_tls_and_the_peer_is_the_certificates_name),
        cmocka_unit_test(a_large_message_passes_over_tls),
        cmocka_unit_test(a_client_without_a_certificate_of_ours_is_refused),
        cmocka_unit_test(a_server_that_is_another_or_of_an_unknown_authority_is_not_talked_to),
        cmocka_unit_test(one_that_speaks_in_clear_to_a_tls_port_is_refused),
        cmocka_unit_test(what_others_can_reach_is_refused_unless_it_is_safe_or_said_in_so_many_words),
        cmocka_unit_test(a_port_that_is_taken_is_told),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
