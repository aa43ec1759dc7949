#include "subscription_case.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <curl/curl.h>

#include "credentials.h"
#include "settings.h"
#include "transport.h"

unsigned test_originals;
static char tokens[3][CREDENTIALS_TOKEN_BYTES];
static const char *const names[3] = {"ehr", "lab", "stranger"};

// ---- A format

static enum carehub_written write_document(const void *self, const struct carehub_departure *departure,
                                           struct carehub_parcel *parcel)
{
    (void)self;
    test_originals += departure->original != NULL;
    if (departure->event->type == CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE)
        return CAREHUB_WRITTEN_NOTHING;
    if (departure->event->type == CAREHUB__V1__EVENT_TYPE__CARER_STRAIN)
        return CAREHUB_WRITTEN_ERROR;
    parcel->bytes = strdup("{\"resourceType\":\"Bundle\",\"id\":\"replaced\",\"type\":\"collection\"}");
    parcel->len = strlen(parcel->bytes);
    parcel->content_type = "application/fhir+json";
    return CAREHUB_WRITTEN;
}

const struct carehub_format test_format = {
    .abi = CAREHUB_FORMAT_ABI, .name = "test", .version = "1", .summary = "", .write = write_document};

const uint8_t *event_id(unsigned number)
{
    static uint8_t id[16];
    memcpy(id, "\x01\x90\xd0\x00\x00\x00\x70\x00\x80\x00\x00\x00\x00\x00", 14);
    id[14] = (uint8_t)(number >> 8);
    id[15] = (uint8_t)number;
    return id;
}

// ---- The adapter's side

static void write_file(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    chmod(path, mode);
}

void adapter_prepare(const char *dir, unsigned receiver_port, const char *more)
{
    char text[2048], path[256], error[CAREHUB_ERROR_BYTES];
    snprintf(text, sizeof text,
             "in\n    transport = http\n    endpoint = 127.0.0.1:0\n    credentials = credentials\n"
             "subscriptions\n    endpoint = http://127.0.0.1:%u/hook\n    retry-ms = 20\n%s"
             "    subscribers\n        ehr = thuiszorg-noord\n        lab = lab-zuid\n",
             receiver_port, more);
    write_file(dir, "adapter.conf", text, 0600);
    snprintf(path, sizeof path, "%s/credentials", dir);
    for (size_t i = 0; i < 3; i++)
        assert_true(credentials_add(path, names[i], tokens[i], error, sizeof error));
}

const char *adapter_token(const char *name)
{
    for (size_t i = 0; i < 3; i++)
        if (strcmp(names[i], name) == 0)
            return tokens[i];
    return "";
}

static void take(void *arg, struct arrival *arrival)
{
    const struct carehub_reply reply = {.status = 404, .content_type = "text/plain"};
    (void)arg;
    transport_in_http.reply(arrival, &reply);
    struct carehub_message message = {.native = &arrival->native};
    struct carehub_outcome outcome = {0};
    transport_in_http.answered(arrival, &message, &outcome);
}

static void notice(void *arg, bool broken)
{
    (void)arg, (void)broken;
}

static bool get(void *arg, const char *path, carehub_reply_fn *fn, void *reply_arg)
{
    (void)arg, (void)path, (void)fn, (void)reply_arg;
    return false;
}

void adapter_start(struct adapter *self, const char *dir)
{
    char path[256], error[CAREHUB_ERROR_BYTES] = "";
    *self = (struct adapter){0};
    snprintf(path, sizeof path, "%s/adapter.conf", dir);
    assert_int_equal(uv_loop_init(&self->loop), 0);
    self->tree = settings_tree_load(path, error);
    const struct transport_in_options in = {
        .section = setting_named(self->tree, "in"), .folder = dir, .take = take, .notice = notice, .get = get};
    self->http = self->tree ? transport_in_http.open(&self->loop, &in, error) : NULL;
    if (!self->http)
        fail_msg("%s", error);
    transport_in_http.endpoint(self->http, self->endpoint, sizeof self->endpoint);
    const struct subscriptions_options options = {
        .section = setting_named(self->tree, "subscriptions"),
        .folder = dir,
        .state_dir = dir,
        .format = &test_format,
        .http = self->http,
        .endpoint = self->endpoint,
    };
    self->subscriptions = subscriptions_new(&self->loop, &options, error);
    if (!self->subscriptions)
        fail_msg("%s", error);
}

void adapter_stop(struct adapter *self)
{
    transport_in_http.quiesce(self->http);
    subscriptions_close(&self->subscriptions);
    transport_in_http.close(self->http);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&self->loop), 0);
    settings_tree_free(&self->tree);
}

void adapter_remove(const char *dir)
{
    static const char *const files[] = {
        "adapter.conf",         "credentials",       "subscriptions.db", "subscriptions.db-wal",
        "subscriptions.db-shm", "subscriptions.key", "endpoint",         "endpoint.new"};
    char path[256];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(dir), 0);
}

void run_for(struct adapter *adapter, int ms)
{
    uint64_t end = uv_hrtime() + (uint64_t)ms * 1000000;
    while (uv_hrtime() < end) {
        uv_run(&adapter->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
}

// ---- The client, in a thread while the loop runs

struct asking {
    const char *url, *method, *body, *who;
    struct asked got;
    size_t len;
    atomic_bool done;
};

static size_t on_body(char *bytes, size_t one, size_t size, void *arg)
{
    struct asking *a = arg;
    size_t part = one * size < ASKED_BYTES - 1 - a->len ? one * size : ASKED_BYTES - 1 - a->len;
    memcpy(a->got.body + a->len, bytes, part);
    a->len += part;
    a->got.body[a->len] = '\0';
    return one * size;
}

static size_t on_header(char *bytes, size_t one, size_t size, void *arg)
{
    struct asking *a = arg;
    char line[600];
    snprintf(line, sizeof line, "%.*s", (int)(one * size), bytes);
    line[strcspn(line, "\r\n")] = '\0';
    if (strncasecmp(line, "Location: ", 10) == 0)
        snprintf(a->got.location, sizeof a->got.location, "%.500s", line + 10);
    if (strncasecmp(line, "ETag: ", 6) == 0)
        snprintf(a->got.etag, sizeof a->got.etag, "%.60s", line + 6);
    return one * size;
}

static void *perform(void *arg)
{
    struct asking *a = arg;
    CURL *curl = curl_easy_init();
    char authorization[128];
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/fhir+json");
    snprintf(authorization, sizeof authorization, "Authorization: Bearer %s", a->who ? adapter_token(a->who) : "");
    if (a->who)
        headers = curl_slist_append(headers, authorization);
    curl_easy_setopt(curl, CURLOPT_URL, a->url);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, a->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, a);
    if (a->body)
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, a->body);
    curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a->got.status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    atomic_store(&a->done, true);
    return NULL;
}

const struct asked *ask(struct adapter *adapter, const char *endpoint, const char *who, const char *method,
                        const char *path, const char *body)
{
    static struct asking asking;
    char url[1024];
    pthread_t thread;
    snprintf(url, sizeof url, "%s%s", adapter ? adapter->endpoint : endpoint, path);
    memset(&asking, 0, sizeof asking);
    asking.url = url;
    asking.method = method;
    asking.body = body;
    asking.who = who;
    assert_int_equal(pthread_create(&thread, NULL, perform, &asking), 0);
    while (adapter && !atomic_load(&asking.done)) {
        uv_run(&adapter->loop, UV_RUN_NOWAIT);
        uv_sleep(1);
    }
    pthread_join(thread, NULL);
    return &asking.got;
}

const char *subscription_text(const char *id, const char *status, unsigned port, const char *content, const char *more)
{
    static char text[8192];
    snprintf(text, sizeof text,
             "{\"resourceType\":\"Subscription\",%s%s%s\"status\":\"%s\",\"reason\":\"test\","
             "\"criteria\":\"urn:carehub:topic:all\",\"channel\":{\"type\":\"rest-hook\","
             "\"endpoint\":\"http://127.0.0.1:%u/hook/a\",\"payload\":\"application/fhir+json\","
             "\"_payload\":{\"extension\":[{\"url\":\"" BACKPORT_DEFINITION
             "backport-payload-content\",\"valueCode\":\"%s\"}]}%s}}",
             id ? "\"id\":\"" : "", id ? id : "", id ? "\"," : "", status, port, content, more);
    return text;
}
