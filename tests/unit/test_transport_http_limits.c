/* The HTTP transport: connections that are many, slow, idle, gone or too large. */
#include "http_asking.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const struct stub_setting plain[] = {{"transport", "http"}, {"endpoint", "127.0.0.1:0"}, {NULL, NULL}};

/* ---- Connections ------------------------------------------------------------------------------------------------ */

static void many_requests_go_over_one_connection(void **state)
{
    enum { REQUESTS = 500 };
    struct stub *stub = stub_start(&transport_in_http, plain);
    struct got got;
    CURL *curl = client_new();
    (void)state;
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "x");
    for (int i = 0; i < REQUESTS; i++) {
        assert_int_equal(perform(curl, stub, "x", &got), CURLE_OK);
        assert_int_equal(got.status, 201);
    }
    curl_easy_cleanup(curl);
    assert_int_equal(stub_taken_count(stub), REQUESTS);
    assert_int_equal(stub->n_connections, 1);
    assert_int_equal(stub->taken[REQUESTS - 1].connection, stub->taken[0].connection);
    stub_stop(&stub);
}

static void requests_sent_on_without_waiting_are_answered_in_order(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    int fd = stub_connect(stub);
    char got[65536];
    (void)state;
    for (int i = 0; i < 50; i++)
        send_text(fd, i % 2 ? "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\nspooled"
                            : "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nrepeat");
    send_text(fd, "GET /fhir/metadata HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    read_to_end(fd, got, sizeof got);
    const char *at = got;
    for (int i = 0; i < 50; i++) {
        at = strstr(at, "HTTP/1.1 2");
        assert_non_null(at);
        assert_int_equal(strncmp(at, i % 2 ? "HTTP/1.1 202" : "HTTP/1.1 200", 12), 0);
        at++;
    }
    assert_int_equal(stub_taken_count(stub), 50);
    close(fd);
    stub_stop(&stub);
}

static void more_connections_than_allowed_wait_their_turn(void **state)
{
    enum { CLIENTS = 200 };
    static const struct stub_setting settings[] = {
        {"transport", "http"}, {"endpoint", "127.0.0.1:0"}, {"connections-max", "20"}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_http, settings);
    static struct got got[CLIENTS];
    static char urls[CLIENTS][256];
    CURLM *multi = curl_multi_init();
    CURL *curls[CLIENTS];
    int running = 1;
    (void)state;
    for (int i = 0; i < CLIENTS; i++) {
        curls[i] = client_new();
        got[i] = (struct got){0};
        snprintf(urls[i], sizeof urls[i], "%s", stub->endpoint);
        curl_easy_setopt(curls[i], CURLOPT_URL, urls[i]);
        curl_easy_setopt(curls[i], CURLOPT_FORBID_REUSE, 1L);
        curl_easy_setopt(curls[i], CURLOPT_POSTFIELDS, "hold");
        curl_easy_setopt(curls[i], CURLOPT_WRITEDATA, &got[i]);
        curl_easy_setopt(curls[i], CURLOPT_HEADERDATA, &got[i]);
        curl_multi_add_handle(multi, curls[i]);
    }
    for (bool released = false; running > 0;) {
        curl_multi_perform(multi, &running);
        curl_multi_poll(multi, NULL, 0, 20, NULL);
        size_t held = stub_held_count(stub);
        assert_true(held <= 20);
        if (!released && held == 20) {
            uv_sleep(100);
            assert_int_equal(stub_taken_count(stub), 20);
            stub_release(stub);
            released = true;
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        long status = 0;
        curl_easy_getinfo(curls[i], CURLINFO_RESPONSE_CODE, &status);
        assert_int_equal(status, 201);
        curl_multi_remove_handle(multi, curls[i]);
        curl_easy_cleanup(curls[i]);
    }
    curl_multi_cleanup(multi);
    assert_int_equal(stub_taken_count(stub), CLIENTS);
    stub_stop(&stub);
}

static const struct stub_setting hasty[] = {{"transport", "http"},
                                            {"endpoint", "127.0.0.1:0"},
                                            {"request-timeout-ms", "1000"},
                                            {"idle-timeout-ms", "1000"},
                                            {NULL, NULL}};

/* Whether the server ends the connection within 5 s of its being fed a byte at a time. */
static bool is_cut_off(int fd, const char *byte, char *got, size_t size)
{
    size_t at = 0;
    for (int i = 0; i < 50; i++) {
        send(fd, byte, 1, MSG_NOSIGNAL);
        uv_sleep(100);
        ssize_t part = recv(fd, got + at, size - 1 - at, MSG_DONTWAIT);
        if (part > 0)
            at += (size_t)part;
        got[at] = '\0';
        if (part == 0 || (part < 0 && errno != EAGAIN))
            return true;
    }
    return false;
}

static void a_request_that_only_trickles_in_is_cut_off(void **state)
{
    static const struct {
        const char *begin, *answer;
    } cases[] = {
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n", "HTTP/1.1 408"},
        {"POST /x HTTP/1.1\r\nHost: a\r\nX: ", "HTTP/1.1 408"},
        {"GE", ""},
    };
    struct stub *stub = stub_start(&transport_in_http, hasty);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char got[1024];
        int fd = stub_connect(stub);
        send_text(fd, cases[i].begin);
        assert_true(is_cut_off(fd, "x", got, sizeof got));
        assert_non_null(strstr(got, cases[i].answer));
        close(fd);
    }
    assert_int_equal(stub_taken_count(stub), 0);
    assert_int_equal(stub_broken_count(stub), 2);
    stub_stop(&stub);
}

static void an_idle_connection_is_closed_but_not_one_that_waits_for_its_answer(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, hasty);
    int idle = stub_connect(stub), waiting = stub_connect(stub);
    char got[1024];
    (void)state;
    send_text(waiting, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhold");
    assert_int_equal(read_to_end(idle, got, sizeof got), 0);
    uv_sleep(1500);
    stub_release(stub);
    read_to_end(waiting, got, sizeof got);
    assert_int_equal(strncmp(got, "HTTP/1.1 201", 12), 0);
    close(idle);
    close(waiting);
    stub_stop(&stub);
}

static void a_client_that_goes_away_harms_nobody(void **state)
{
    static const char *const halves[] = {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhalf",
                                         "POST /x HTTP/1.1\r\nHost:", "P",
                                         "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"};
    const struct linger hard = {.l_onoff = 1};
    struct stub *stub = stub_start(&transport_in_http, plain);
    (void)state;
    for (size_t i = 0; i < 2 * sizeof halves / sizeof *halves; i++) {
        int fd = stub_connect(stub);
        send_text(fd, halves[i / 2]);
        uv_sleep(20);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
    }
    for (int i = 0; i < 2; i++) { /* gone while it waits for its answer */
        int fd = stub_connect(stub);
        send_text(fd, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhold");
        stub_wait(stub_held_count(stub) == (size_t)i + 1);
        if (i % 2)
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
        close(fd);
    }
    uv_sleep(50);
    stub_release(stub);
    stub_wait(stub_held_count(stub) == 0);
    assert_int_equal(ask(stub, "POST", "x", NULL, "x").status, 201);
    assert_int_equal(stub_taken_count(stub), 3);
    stub_stop(&stub);
}

static void a_connection_whose_client_said_half_a_request_and_goodbye_is_closed_soon(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    int fd = stub_connect(stub);
    char got[16];
    (void)state;
    send_text(fd, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Le");
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_to_end(fd, got, sizeof got), 0);
    close(fd);
    stub_stop(&stub);
}

static void requests_that_are_no_http_harm_nobody(void **state)
{
    enum { TRIES = 200 };
    const struct timeval short_time = {.tv_usec = 20000};
    static const char request[] = "POST /fhir/a%20b?x=1&y HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain; a=b\r\n"
                                  "Transfer-Encoding: chunked\r\nIdempotency-Key: k\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                                  "GET /fhir/Subscription?n=1 HTTP/1.1\r\nHost: a\r\n\r\n";
    struct stub *stub = stub_start(&transport_in_http, plain);
    (void)state;
    srand(11);
    for (int i = 0; i < TRIES; i++) {
        char bytes[sizeof request], got[8192];
        memcpy(bytes, request, sizeof request);
        for (int k = rand() % 6; k >= 0; k--)
            bytes[(size_t)rand() % (sizeof request - 1)] = (char)(rand() % 3 ? rand() : "\r\n :;%/\0"[rand() % 8]);
        int fd = stub_connect(stub);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &short_time, sizeof short_time);
        send(fd, bytes, sizeof request - 1, MSG_NOSIGNAL);
        shutdown(fd, SHUT_WR);
        read_to_end(fd, got, sizeof got);
        close(fd);
    }
    assert_int_equal(ask(stub, "POST", "x", NULL, "x").status, 201);
    stub_stop(&stub);
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

static struct got post_large(struct stub *stub, size_t size, const char *header, const char *second)
{
    CURL *curl = client_new();
    struct got got;
    char *large = malloc(size);
    struct curl_slist *headers = curl_slist_append(NULL, header);
    if (second)
        headers = curl_slist_append(headers, second);
    memset(large, 'x', size);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)size);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, large);
    perform(curl, stub, "x", &got);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    free(large);
    return got;
}

static void a_message_that_is_too_large_is_told_so(void **state)
{
    static const struct stub_setting settings[] = {
        {"transport", "http"}, {"endpoint", "127.0.0.1:0"}, {"message-max-bytes", "100000"}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_http, settings);
    (void)state;
    assert_int_equal(post_large(stub, 100000, "Expect:", NULL).status, 201);
    assert_int_equal(post_large(stub, 100001, "Expect:", NULL).status, 413);
    assert_int_equal(post_large(stub, 4 << 20, "Expect:", NULL).status, 413);
    assert_int_equal(post_large(stub, 4 << 20, "Expect: 100-continue", NULL).status, 413);
    assert_int_equal(post_large(stub, 100000, "Expect:", "Transfer-Encoding: chunked").status, 201);
    assert_int_equal(post_large(stub, 4 << 20, "Expect:", "Transfer-Encoding: chunked").status, 413);
    assert_int_equal(post_large(stub, 10, "Expect:", "Content-Encoding: gzip").status, 415);
    assert_int_equal(stub_taken_count(stub), 2);
    assert_int_equal(stub_broken_count(stub), 5);
    stub_stop(&stub);
}

static void a_large_message_is_asked_for_when_the_client_waits_to_be(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    (void)state;
    struct got got = post_large(stub, 3 << 20, "Expect: 100-continue", NULL);
    assert_int_equal(got.status, 201);
    assert_non_null(strstr(got.headers, "HTTP/1.1 100 Continue"));
    assert_int_equal(stub->taken[0].len, 3 << 20);
    stub_stop(&stub);
}

static void headers_and_paths_have_limits(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    char path[1024], *header = malloc(100000);
    (void)state;
    memset(path, 'p', sizeof path);
    path[600] = '\0';
    assert_int_equal(ask(stub, "POST", path, NULL, "x").status, 400);
    assert_int_equal(ask(stub, "POST", "a%0ab", NULL, "x").status, 400);
    memset(header, 'h', 100000);
    memcpy(header, "X: ", 3);
    header[99999] = '\0';
    assert_int_equal(ask(stub, "POST", "x", header, "x").status, 431);
    assert_int_equal(stub_taken_count(stub), 0);
    free(header);
    stub_stop(&stub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_requests_go_over_one_connection),
        cmocka_unit_test(requests_sent_on_without_waiting_are_answered_in_order),
        cmocka_unit_test(more_connections_than_allowed_wait_their_turn),
        cmocka_unit_test(a_request_that_only_trickles_in_is_cut_off),
        cmocka_unit_test(an_idle_connection_is_closed_but_not_one_that_waits_for_its_answer),
        cmocka_unit_test(a_client_that_goes_away_harms_nobody),
        cmocka_unit_test(a_connection_whose_client_said_half_a_request_and_goodbye_is_closed_soon),
        cmocka_unit_test(requests_that_are_no_http_harm_nobody),
        cmocka_unit_test(a_message_that_is_too_large_is_told_so),
        cmocka_unit_test(a_large_message_is_asked_for_when_the_client_waits_to_be),
        cmocka_unit_test(headers_and_paths_have_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
