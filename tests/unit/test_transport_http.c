/* The HTTP transport: what is asked, what is answered, and who may ask. */
#include "http_asking.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "certificates.h"
#include "credentials.h"

static struct certificates certificates;
static char credentials_path[PATH_MAX], token[CREDENTIALS_TOKEN_BYTES];

static const struct stub_setting plain[] = {{"transport", "http"}, {"endpoint", "127.0.0.1:0"}, {NULL, NULL}};

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

static void the_status_says_what_became_of_it(void **state)
{
    static const struct {
        const char *body;
        long status;
        const char *answer;
    } cases[] = {
        {"published", 201, "{\"outcome\":\"confirmed\",\"events\":[\"01000000-0000-0000-0000-000000000000\"]}"},
        {"published at once", 201, "\"outcome\":\"confirmed\""},
        {"spooled", 202, "\"outcome\":\"stored\""},
        {"repeat", 200, "\"outcome\":\"confirmed\""},
        {"nothing", 200, "{\"outcome\":\"nothing\",\"why\":\"not-of-interest\"}"},
        {"unreadable", 400, "\"outcome\":\"refused\""},
        {"wrong", 422, "\"problems\":[{\"where\":\"PID-3\",\"what\":\"it is missing\",\"rule\":\"a rule\"}]"},
        {"unknown", 422, "\"problems\":[{\"what\":\"no such patient\"}]"},
        {"duplicate", 409, "\"outcome\":\"refused\""},
        {"forbidden", 403, "\"outcome\":\"refused\""},
        {"unavailable", 503, "{\"outcome\":\"unavailable\",\"problems\":[{\"what\":\"not now\"}]}"},
        {"reply of the format", 299, "reply of the format"},
        {"reply at once", 299, "reply at once"},
        {"", 201, "confirmed"},
    };
    struct stub *stub = stub_start(&transport_in_http, plain);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct got got = ask(stub, "POST", "x", NULL, cases[i].body);
        if (got.status != cases[i].status || !strstr(got.body, cases[i].answer))
            fail_msg("%s: %ld %s", cases[i].body, got.status, got.body);
        assert_int_equal(strstr(got.headers, "Retry-After: ") != NULL, got.status == 503);
        assert_null(strstr(got.headers, "Server:"));
        bool of_format = got.status == 299;
        assert_int_equal(strstr(got.headers, "Content-Type: application/fhir+json\r\n") != NULL, of_format);
        assert_int_equal(strstr(got.headers, "Location: /fhir/Observation/17\r\n") != NULL, of_format);
    }
    stub_stop(&stub);
}

static void an_arrival_has_path_method_type_and_key(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: Application/FHIR+json; charset=utf-8");
    struct got got;
    CURL *curl = client_new();
    (void)state;
    headers = curl_slist_append(headers, "idempotency-key: k-1");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "hello");
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "PUT");
    assert_int_equal(perform(curl, stub, "fhir/Observation/a%20b?x=1", &got), CURLE_OK);
    assert_int_equal(got.status, 201);
    const struct stub_taken *t = &stub->taken[0];
    assert_string_equal(t->name, "fhir/Observation/a b");
    assert_string_equal(t->method, "PUT");
    assert_string_equal(t->content_type, "application/fhir+json");
    assert_string_equal(t->idempotency_key, "k-1");
    assert_string_equal(t->peer, "");
    assert_string_equal(t->text, "hello");
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    stub_stop(&stub);
}

static void documents_are_got_and_other_methods_are_told_which_there_are(void **state)
{
    static const struct {
        const char *method, *path;
        long status;
        const char *body, *header;
    } cases[] = {
        {"GET", "fhir/metadata", 200, "{\"a\":1}", "X-Content-Type-Options: nosniff"},
        {"HEAD", "fhir/metadata", 200, "", "Content-Length: 7"},
        {"GET", "fhir/metadata?_format=json", 200, "{\"a\":1}", "application/json"},
        {"GET", "elsewhere", 404, "no such document", "application/json"},
        {"DELETE", "fhir/Observation/1", 405, "cannot be used", "Allow: GET, HEAD, POST, PUT, OPTIONS"},
        {"PATCH", "fhir/Observation/1", 405, "cannot be used", "Allow: "},
        {"BREW", "pot", 405, "no such method", "Allow: "},
        {"OPTIONS", "fhir", 204, "", "Allow: GET, HEAD, POST, PUT, OPTIONS"},
    };
    struct stub *stub = stub_start(&transport_in_http, plain);
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct got got = ask(stub, cases[i].method, cases[i].path, NULL, NULL);
        if (got.status != cases[i].status || !strstr(got.body, cases[i].body) || !strstr(got.headers, cases[i].header))
            fail_msg("%s %s: %ld %s%s", cases[i].method, cases[i].path, got.status, got.headers, got.body);
    }
    assert_int_equal(stub_taken_count(stub), 0);
    stub_stop(&stub);
}

static void a_route_takes_its_paths_before_the_format(void **state)
{
    struct stub *stub = stub_start(&transport_in_http, plain);
    char expected[512];
    (void)state;
    struct got got = ask(stub, "POST", "fhir/Subscription/7/$status?m=1&n=a+b%26c", "X-Question: why", "a body");
    snprintf(expected, sizeof expected, "POST fhir/Subscription/7/$status n=a b&c x=why body=a body base=%s",
             stub->endpoint);
    assert_string_equal(got.body, expected);
    assert_int_equal(got.status, 200);
    assert_non_null(strstr(got.headers, "ETag: W/\"1\""));
    got = ask(stub, "DELETE", "fhir/Subscription?n", NULL, NULL);
    assert_non_null(strstr(got.body, "DELETE fhir/Subscription n= x=- body= "));
    got = ask(stub, "GET", "fhir/Subscription", "Host: evil.example/<script>", NULL);
    assert_non_null(strstr(got.body, stub->endpoint));
    assert_int_equal(ask(stub, "GET", "fhir/Subscriptions", NULL, NULL).status, 404);
    assert_int_equal(ask(stub, "POST", "fhir/Subscription/not-mine", NULL, "x").status, 201);
    assert_int_equal(stub_taken_count(stub), 1);
    stub_stop(&stub);
}

static void *ask_later(void *stub)
{
    static struct got got;
    got = ask(stub, "GET", "fhir/Subscription/later", NULL, NULL);
    return &got;
}

struct asking {
    struct stub *stub;
    struct got *got;
};

static void run_asking(void *arg)
{
    struct asking *asking = arg;
    asking->got = ask_later(asking->stub);
}

static void a_route_may_answer_later_and_what_it_never_answers_ends_as_503(void **state)
{
    (void)state;
    for (int answered = 0; answered < 2; answered++) {
        struct asking asking = {.stub = stub_start(&transport_in_http, plain)};
        uv_thread_t thread;
        uv_thread_create(&thread, run_asking, &asking);
        stub_wait(stub_has_routed(asking.stub));
        if (answered) {
            stub_answer_routed(asking.stub);
            uv_thread_join(&thread);
            stub_stop(&asking.stub);
        } else {
            stub_stop(&asking.stub);
            uv_thread_join(&thread);
        }
        assert_int_equal(asking.got->status, answered ? 200 : 503);
    }
}

/* ---- Who may ---------------------------------------------------------------------------------------------------- */

static void only_those_with_credentials_are_heard(void **state)
{
    const struct stub_setting settings[] = {
        {"transport", "http"}, {"endpoint", "127.0.0.1:0"}, {"credentials", credentials_path}, {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_http, settings);
    char bearer[128], wrong[128], error[256];
    (void)state;
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", token);
    snprintf(wrong, sizeof wrong, "Authorization: Bearer %.42sX", token);
    assert_int_equal(ask(stub, "POST", "x", bearer, "x").status, 201);
    assert_string_equal(stub->taken[0].peer, "district-nurse");
    const char *const refused[] = {NULL, wrong, "Authorization: Bearer ", "Authorization: Basic !", "Authorization: X"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        struct got got = ask(stub, "POST", "x", refused[i], "x");
        assert_int_equal(got.status, 401);
        assert_non_null(strstr(got.headers, "WWW-Authenticate: Bearer realm=\"carehub\""));
        assert_int_equal(ask(stub, "GET", "fhir/metadata", refused[i], NULL).status, 401);
        assert_int_equal(ask(stub, "GET", "fhir/Subscription", refused[i], NULL).status, 401);
    }
    CURL *curl = client_new();
    const char *const names[] = {"district-nurse", "somebody-else"};
    for (size_t i = 0; i < 2; i++) {
        struct got got;
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "x");
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(curl, CURLOPT_USERNAME, names[i]);
        curl_easy_setopt(curl, CURLOPT_PASSWORD, token);
        assert_int_equal(perform(curl, stub, "x", &got), CURLE_OK);
        assert_int_equal(got.status, i == 0 ? 201 : 401);
    }
    curl_easy_cleanup(curl);
    /* A new one is known within seconds, without a restart. */
    char second[CREDENTIALS_TOKEN_BYTES];
    assert_true(credentials_add(credentials_path, "night-nurse", second, error, sizeof error));
    snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", second);
    uv_sleep(CREDENTIALS_RECHECK_MS + 200);
    assert_int_equal(ask(stub, "POST", "x", bearer, "x").status, 201);
    assert_int_equal(stub_taken_count(stub), 3);
    stub_stop(&stub);
}

static struct got ask_secure(const struct stub *stub, const char *certificate, const char *key, CURLcode *code)
{
    CURL *curl = client_new();
    struct got got;
    curl_easy_setopt(curl, CURLOPT_CAINFO, certificates.ca);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "hold");
    if (certificate) {
        curl_easy_setopt(curl, CURLOPT_SSLCERT, certificate);
        curl_easy_setopt(curl, CURLOPT_SSLKEY, key);
    }
    *code = perform(curl, stub, "x", &got);
    curl_easy_cleanup(curl);
    return got;
}

static void over_tls_only_clients_with_a_certificate_of_ours_are_heard(void **state)
{
    const struct stub_setting settings[] = {{"transport", "http"},
                                            {"endpoint", "127.0.0.1:0"},
                                            {"tls-certificate", certificates.server},
                                            {"tls-key", certificates.server_key},
                                            {"tls-client-ca", certificates.ca},
                                            {NULL, NULL}};
    struct stub *stub = stub_start(&transport_in_http, settings);
    CURLcode code;
    (void)state;
    stub_release(stub);
    assert_int_equal(strncmp(stub->endpoint, "https://127.0.0.1:", 18), 0);
    assert_int_equal(ask_secure(stub, certificates.client, certificates.client_key, &code).status, 201);
    assert_string_equal(stub->taken[0].peer, CERTIFICATES_CLIENT_NAME);
    assert_int_equal(ask_secure(stub, NULL, NULL, &code).status, 0);
    assert_int_not_equal(code, CURLE_OK);
    assert_int_equal(ask_secure(stub, certificates.stranger, certificates.stranger_key, &code).status, 0);
    assert_int_not_equal(code, CURLE_OK);
    assert_int_equal(ask_secure(stub, certificates.server, certificates.server_key, &code).status, 0);
    assert_int_equal(stub_taken_count(stub), 1);
    stub_stop(&stub);
}

static void what_waits_when_it_ends_is_answered(void **state)
{
    const struct stub_setting settings[] = {{"transport", "http"},
                                            {"endpoint", "127.0.0.1:0"},
                                            {"tls-certificate", certificates.server},
                                            {"tls-key", certificates.server_key},
                                            {NULL, NULL}};
    (void)state;
    for (int secure = 0; secure < 2; secure++) {
        struct stub *stub = stub_start(&transport_in_http, secure ? settings : plain);
        int fd = stub_connect(stub);
        char got[1024] = "";
        if (!secure)
            send_text(fd, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nhold");
        else
            send_text(fd, "\x16\x03\x01"); /* a handshake that goes nowhere */
        if (!secure)
            stub_wait(stub_held_count(stub) == 1);
        stub_stop(&stub);
        read_to_end(fd, got, sizeof got);
        assert_int_equal(strncmp(got, "HTTP/1.1 201", 12) == 0, !secure);
        assert_int_equal(strstr(got, "Connection: close") != NULL, !secure);
        close(fd);
    }
}

/* ---- All of it ------------------------------------------------------------------------------------------------- */

static int set_up(void **state)
{
    char error[256];
    (void)state;
    curl_global_init(CURL_GLOBAL_ALL);
    certificates_make(&certificates);
    snprintf(credentials_path, sizeof credentials_path, "%s/credentials", certificates.folder);
    return credentials_add(credentials_path, "district-nurse", token, error, sizeof error) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(credentials_path);
    certificates_remove(&certificates);
    curl_global_cleanup();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_status_says_what_became_of_it),
        cmocka_unit_test(an_arrival_has_path_method_type_and_key),
        cmocka_unit_test(documents_are_got_and_other_methods_are_told_which_there_are),
        cmocka_unit_test(a_route_takes_its_paths_before_the_format),
        cmocka_unit_test(a_route_may_answer_later_and_what_it_never_answers_ends_as_503),
        cmocka_unit_test(only_those_with_credentials_are_heard),
        cmocka_unit_test(over_tls_only_clients_with_a_certificate_of_ours_are_heard),
        cmocka_unit_test(what_waits_when_it_ends_is_answered),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
