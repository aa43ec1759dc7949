#include "http_client.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http_engine.h"
#include "outlet_settings.h"
#include "transport.h"

enum {
    TIMEOUT_MAX_MS = 600000,
    HEADERS_MAX = SETTING_LIST_MAX + 5, /* with ours, and NULL */
    HEADER_NAME_MAX_BYTES = 64,
    LINE_BYTES = SECRET_MAX_BYTES + 64,
    SIGNATURE_KEY_MIN_BYTES = 16,
};

#define DELIVERY_HEADER "X-Carehub-Delivery"
#define KEY_HEADER "Idempotency-Key"

struct settings {
    struct outlet_common common;
    char *url, *token_file, *signing_file, *signature_header;
    int64_t timeout_ms, connect_timeout_ms;
    struct outlet_tls tls;
    struct setting_list headers;
    int in_clear;
};

/* Headers of one post. */
struct header_lines {
    char *lines[HEADERS_MAX]; /* malloc'd, NULL at the end */
    size_t count;
};

struct client {
    uv_timer_t later; /* first: for what is known at once and may not be told at once */
    struct http_engine *engine;
    struct settings settings;
    struct http_post *post;
    sending_judge_fn *judge;
    sending_done_fn *done;
    void *arg;
    uint64_t asked_wait_ms; /* by the last answer */
    const char *code;       /* to be told later */
    char text[CAREHUB_ERROR_BYTES];
};

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static const struct setting_rule rules[] = {
    OUTLET_COMMON_RULES(struct settings),
    {.name = "url",
     .kind = SETTING_TEXT,
     .offset = offsetof(struct settings, url),
     .required = true,
     .example = "url = https://receiver.example/messages"},
    {.name = "timeout-ms",
     .kind = SETTING_NUMBER,
     .offset = offsetof(struct settings, timeout_ms),
     .min = 1,
     .max = TIMEOUT_MAX_MS},
    {.name = "connect-timeout-ms",
     .kind = SETTING_NUMBER,
     .offset = offsetof(struct settings, connect_timeout_ms),
     .min = 1,
     .max = TIMEOUT_MAX_MS},
    OUTLET_TLS_RULES(struct settings),
    {.name = "bearer-token-file", .kind = SETTING_PATH, .offset = offsetof(struct settings, token_file)},
    {.name = "hmac-key-file", .kind = SETTING_PATH, .offset = offsetof(struct settings, signing_file)},
    {.name = "hmac-header", .kind = SETTING_TEXT, .offset = offsetof(struct settings, signature_header)},
    {.name = "header", .kind = SETTING_LIST, .offset = offsetof(struct settings, headers)},
};

enum { RULES = sizeof rules / sizeof rules[0] };

/* RFC 9110, 5.6.2: a token. */
static size_t name_length(const char *line)
{
    return strspn(line, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

static bool is_ours(const char *line, size_t len)
{
    static const char *const ours[] = {"Content-Type", "Content-Length", "Transfer-Encoding", "Host",
                                       "Connection",   "Expect",         DELIVERY_HEADER,     KEY_HEADER};
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        if (strlen(ours[i]) == len && strncasecmp(line, ours[i], len) == 0)
            return true;
    return false;
}

static bool check_header(const char *line, char error[CAREHUB_ERROR_BYTES])
{
    size_t len = name_length(line);
    if (len == 0 || len > HEADER_NAME_MAX_BYTES || line[len] != ':' || line[len + 1] == '\0' || strpbrk(line, "\r\n"))
        return settings_complain(error, "out/http", "a header has to be in the form \"Name: value\"");
    return !is_ours(line, len) ||
           settings_complain(error, "out/http", "header %.*s is set by this program", (int)len, line);
}

static bool check_secrets(const struct settings *settings, char error[CAREHUB_ERROR_BYTES])
{
    char secret[SECRET_MAX_BYTES + 1];
    size_t len = SIGNATURE_KEY_MIN_BYTES;
    bool ok = (!settings->token_file || secret_read(settings->token_file, secret, &len, error)) &&
              (!settings->signing_file || secret_read(settings->signing_file, secret, &len, error));
    sodium_memzero(secret, sizeof secret);
    if (ok && settings->signing_file && len < SIGNATURE_KEY_MIN_BYTES)
        return settings_complain(error, settings->signing_file, "is too short for a key: use %d bytes or more",
                                 SIGNATURE_KEY_MIN_BYTES);
    return ok;
}

static bool check_settings(const struct settings *settings, char error[CAREHUB_ERROR_BYTES])
{
    char why[CAREHUB_ERROR_BYTES];
    const char *name = settings->signature_header;
    if (!http_url_check(settings->url, settings->in_clear, why))
        return settings_complain(error, "out/http", "%.900s", why);
    for (size_t i = 0; i < settings->headers.count; i++)
        if (!check_header(settings->headers.items[i], error))
            return false;
    if (name && (name_length(name) != strlen(name) || strlen(name) > HEADER_NAME_MAX_BYTES ||
                 is_ours(name, strlen(name)) || !settings->signing_file))
        return settings_complain(error, "out/http",
                                 "hmac-header names the header for the signature, and needs "
                                 "hmac-key-file; it cannot be one that is used otherwise");
    bool secure = strncasecmp(settings->url, "https:", 6) == 0;
    return outlet_tls_check(&settings->tls, secure, "out/http", error) && check_secrets(settings, error);
}

static bool read_settings(const struct carehub_setting *section, const char *folder, struct settings *settings,
                          char error[CAREHUB_ERROR_BYTES])
{
    *settings = (struct settings){.timeout_ms = HTTP_TIMEOUT_MS, .connect_timeout_ms = HTTP_CONNECT_TIMEOUT_MS};
    if (settings_read(section, "out/http", folder, rules, RULES, settings, error) && check_settings(settings, error))
        return true;
    settings_clear(rules, RULES, settings);
    return false;
}

static bool client_check(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    struct settings settings;
    if (!read_settings(section, folder, &settings, error))
        return false;
    settings_clear(rules, RULES, &settings);
    return true;
}

/* ---- Headers ---------------------------------------------------------------------------------------------------- */

static void header_lines_clear(struct header_lines *headers)
{
    while (headers->count > 0) {
        char *line = headers->lines[--headers->count];
        sodium_memzero(line, strlen(line)); /* it may be the token */
        free(line);
    }
}

static bool __attribute__((format(printf, 2, 3))) put_header(struct header_lines *headers, const char *format, ...)
{
    va_list arguments;
    char *line;
    va_start(arguments, format);
    int len = vasprintf(&line, format, arguments);
    va_end(arguments);
    if (len < 0)
        return false;
    headers->lines[headers->count++] = line;
    headers->lines[headers->count] = NULL;
    return true;
}

bool http_sign(const void *key, size_t key_len, int64_t now_s, const void *body, size_t len,
               char signature[HTTP_SIGNATURE_BYTES])
{
    crypto_auth_hmacsha256_state state;
    uint8_t mac[crypto_auth_hmacsha256_BYTES];
    char time_text[24], hex[2 * sizeof mac + 1];
    if (sodium_init() < 0)
        return false;
    snprintf(time_text, sizeof time_text, "%lld", (long long)now_s);
    crypto_auth_hmacsha256_init(&state, key, key_len);
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)time_text, strlen(time_text));
    crypto_auth_hmacsha256_update(&state, (const uint8_t *)".", 1);
    crypto_auth_hmacsha256_update(&state, body, len);
    crypto_auth_hmacsha256_final(&state, mac);
    sodium_memzero(&state, sizeof state);
    snprintf(signature, HTTP_SIGNATURE_BYTES, "t=%s,v1=%s", time_text,
             sodium_bin2hex(hex, sizeof hex, mac, sizeof mac));
    return true;
}

static bool put_token(const struct client *self, struct header_lines *headers, char *secret,
                      char error[CAREHUB_ERROR_BYTES])
{
    size_t len;
    if (!self->settings.token_file)
        return true;
    if (!secret_read(self->settings.token_file, secret, &len, error))
        return false;
    if (strlen(secret) != len || strpbrk(secret, "\r\n"))
        return settings_complain(error, self->settings.token_file, "has to be one line of text");
    return put_header(headers, "Authorization: Bearer %s", secret) || settings_complain(error, "", "out of memory");
}

static bool put_signature(const struct client *self, const struct carehub_parcel *parcel, struct header_lines *headers,
                          char *secret, char error[CAREHUB_ERROR_BYTES])
{
    char signature[HTTP_SIGNATURE_BYTES];
    const char *name = self->settings.signature_header ? self->settings.signature_header : HTTP_SIGNATURE_HEADER;
    size_t len;
    if (!self->settings.signing_file)
        return true;
    if (!secret_read(self->settings.signing_file, secret, &len, error))
        return false;
    return (http_sign(secret, len, time(NULL), parcel->bytes, parcel->len, signature) &&
            put_header(headers, "%s: %s", name, signature)) ||
           settings_complain(error, "", "out of memory");
}

/* Secrets are read anew each time, so that they can be changed while it runs. */
static bool put_headers(const struct client *self, const struct carehub_parcel *parcel, struct header_lines *headers,
                        char error[CAREHUB_ERROR_BYTES])
{
    char secret[SECRET_MAX_BYTES + 1];
    bool ok = put_token(self, headers, secret, error) && put_signature(self, parcel, headers, secret, error);
    sodium_memzero(secret, sizeof secret);
    if (!ok)
        return false;
    if (parcel->native_id[0] != '\0' && strpbrk(parcel->native_id, "\r\n") == NULL)
        ok = put_header(headers, DELIVERY_HEADER ": %s", parcel->native_id) &&
             put_header(headers, KEY_HEADER ": %s", parcel->native_id);
    for (size_t i = 0; ok && i < self->settings.headers.count; i++)
        ok = put_header(headers, "%s", self->settings.headers.items[i]);
    return ok || settings_complain(error, "", "out of memory");
}

/* ---- Sending ---------------------------------------------------------------------------------------------------- */

static void judge_answer(struct client *self, const struct http_response *response)
{
    struct carehub_problem problem = {0};
    if (response->truncated) {
        self->done(self->arg, SENDING_AGAIN, "answer-too-large", "its answer is too large to be read");
        return;
    }
    enum carehub_judgement judgement = self->judge(self->arg, response->body, response->len, &problem);
    sending_judged(judgement, &problem, self->done, self->arg);
}

static void on_response(void *arg, const struct http_response *response)
{
    struct client *self = arg;
    self->post = NULL;
    self->asked_wait_ms = response->retry_after_ms;
    if (response->result == SENDING_TAKEN && self->judge)
        judge_answer(self, response);
    else
        self->done(self->arg, response->result, response->code, response->text);
}

static void on_later(uv_timer_t *timer)
{
    struct client *self = (struct client *)timer;
    self->asked_wait_ms = 0;
    self->done(self->arg, SENDING_DOWN, self->code, self->text);
}

static void client_send(void *arg, const struct carehub_parcel *parcel, sending_judge_fn *judge, sending_done_fn *done,
                        void *done_arg)
{
    struct client *self = arg;
    struct header_lines headers = {0};
    self->judge = judge;
    self->done = done;
    self->arg = done_arg;
    self->code = "credentials";
    if (put_headers(self, parcel, &headers, self->text)) {
        const struct http_post_options options = {.url = self->settings.url,
                                                  .content_type = parcel->content_type,
                                                  .headers = (const char *const *)headers.lines,
                                                  .body = parcel->bytes,
                                                  .len = parcel->len,
                                                  .timeout_ms = (uint32_t)self->settings.timeout_ms,
                                                  .connect_timeout_ms = (uint32_t)self->settings.connect_timeout_ms,
                                                  .tls_ca = self->settings.tls.ca,
                                                  .tls_certificate = self->settings.tls.certificate,
                                                  .tls_key = self->settings.tls.key};
        self->post = http_post(self->engine, &options, on_response, self);
        self->code = "out-of-memory";
        settings_complain(self->text, "", "this program is out of memory");
    }
    header_lines_clear(&headers);
    if (!self->post)
        uv_timer_start(&self->later, on_later, 0, 0);
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static void on_closed(uv_handle_t *handle)
{
    struct client *self = (struct client *)handle;
    settings_clear(rules, RULES, &self->settings);
    free(self);
}

static void *client_open(uv_loop_t *loop, const struct carehub_setting *section, const char *folder,
                         char error[CAREHUB_ERROR_BYTES])
{
    struct client *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "out/http", "out of memory");
        return NULL;
    }
    if (!read_settings(section, folder, &self->settings, error)) {
        free(self);
        return NULL;
    }
    self->engine = http_engine_new(loop);
    if (!self->engine || uv_timer_init(loop, &self->later) != 0) {
        settings_complain(error, "out/http", "out of memory");
        http_engine_close(&self->engine);
        settings_clear(rules, RULES, &self->settings);
        free(self);
        return NULL;
    }
    return self;
}

/* Without what may follow a question mark: that can be a secret. */
static void client_endpoint(const void *arg, char *out, size_t size)
{
    const struct client *self = arg;
    snprintf(out, size, "%.*s", (int)strcspn(self->settings.url, "?#"), self->settings.url);
}

static uint64_t client_asked_wait_ms(const void *arg)
{
    const struct client *self = arg;
    return self->asked_wait_ms;
}

static void client_close(void *arg)
{
    struct client *self = arg;
    http_engine_close(&self->engine);
    uv_close((uv_handle_t *)&self->later, on_closed);
}

const struct transport_out transport_out_http = {
    .name = "http",
    .check = client_check,
    .open = client_open,
    .endpoint = client_endpoint,
    .send = client_send,
    .close = client_close,
    .asked_wait_ms = client_asked_wait_ms,
};
