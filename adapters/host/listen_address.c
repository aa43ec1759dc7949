#include "listen_address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "credentials.h"
#include "settings.h"
#include "tls_stream.h"

/* ---- Addresses -------------------------------------------------------------------------------------------------- */

bool listen_address_parse(const char *text, struct sockaddr_storage *address)
{
    const char *colon = strrchr(text, ':');
    char host[64], *end;
    bool six = text[0] == '[';
    if (!colon || (six && (colon < text + 2 || colon[-1] != ']')))
        return false;
    size_t len = (size_t)(colon - text) - (six ? 2 : 0);
    if (len >= sizeof host || colon[1] < '0' || colon[1] > '9')
        return false;
    unsigned long port = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || port > 65535)
        return false;
    memcpy(host, text + (six ? 1 : 0), len);
    host[len] = '\0';
    return (six ? uv_ip6_addr(host, (int)port, (struct sockaddr_in6 *)address)
                : uv_ip4_addr(host, (int)port, (struct sockaddr_in *)address)) == 0;
}

void listen_address_text(const struct sockaddr_storage *address, char *out, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool six = address->ss_family == AF_INET6;
    uint16_t port =
        six ? ((const struct sockaddr_in6 *)address)->sin6_port : ((const struct sockaddr_in *)address)->sin_port;
    if (six)
        uv_ip6_name((const struct sockaddr_in6 *)address, host, sizeof host);
    else
        uv_ip4_name((const struct sockaddr_in *)address, host, sizeof host);
    snprintf(out, size, six ? "[%s]:%u" : "%s:%u", host, ntohs(port));
}

bool listen_address_is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return (ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24) == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static const char *const transport_choices[] = {"mllp", "http", NULL};
static const char *const consent_choices[] = {"yes, in clear", "yes, from anybody", NULL};

struct reading {
    int transport;
    struct listen_settings settings;
};

#define PLACE(field) offsetof(struct reading, settings.field)

/* clang-format off */
#define COMMON_RULES(example_)                                                                                         \
    {.name = "transport", .kind = SETTING_CHOICE, .offset = offsetof(struct reading, transport),                       \
     .choices = transport_choices},                                                                                    \
    {.name = "endpoint", .kind = SETTING_TEXT, .offset = PLACE(endpoint), .required = true, .example = example_},      \
    {.name = "beyond-loopback", .kind = SETTING_CHOICE, .offset = PLACE(beyond_loopback),                              \
     .choices = consent_choices},                                                                                      \
    {.name = "tls-certificate", .kind = SETTING_PATH, .offset = PLACE(tls_certificate)},                               \
    {.name = "tls-key", .kind = SETTING_PATH, .offset = PLACE(tls_key)},                                               \
    {.name = "tls-client-ca", .kind = SETTING_PATH, .offset = PLACE(tls_client_ca)},                                   \
    {.name = "connections-max", .kind = SETTING_NUMBER, .offset = PLACE(connections_max), .min = 1, .max = 1000},      \
    {.name = "message-max-bytes", .kind = SETTING_NUMBER, .offset = PLACE(message_max_bytes), .min = 1024,             \
     .max = 16 << 20}

static const struct setting_rule mllp_rules[] = {
    COMMON_RULES("127.0.0.1:2575"),
    {.name = "idle-timeout-ms", .kind = SETTING_NUMBER, .offset = PLACE(idle_ms), .min = 0, .max = 7LL * 86400 * 1000},
    {.name = "frame-timeout-ms", .kind = SETTING_NUMBER, .offset = PLACE(message_ms), .min = 100, .max = 3600 * 1000},
};

static const struct setting_rule http_rules[] = {
    COMMON_RULES("127.0.0.1:8080"),
    {.name = "credentials", .kind = SETTING_PATH, .offset = PLACE(credentials)},
    {.name = "idle-timeout-ms", .kind = SETTING_NUMBER, .offset = PLACE(idle_ms), .min = 1000, .max = 3600 * 1000},
    {.name = "request-timeout-ms", .kind = SETTING_NUMBER, .offset = PLACE(message_ms), .min = 1000,
     .max = 3600 * 1000},
};
/* clang-format on */

static const struct listen_settings defaults[] = {
    [LISTEN_MLLP] = {.beyond_loopback = LISTEN_CONSENT_NONE,
                     .connections_max = 64,
                     .message_max_bytes = 4 << 20,
                     .idle_ms = 3600 * 1000,
                     .message_ms = 60 * 1000},
    [LISTEN_HTTP] = {.beyond_loopback = LISTEN_CONSENT_NONE,
                     .connections_max = 128,
                     .message_max_bytes = 4 << 20,
                     .idle_ms = 60 * 1000,
                     .message_ms = 60 * 1000},
};

/* ---- Safety ----------------------------------------------------------------------------------------------------- */

/* Whatever other machines can reach is encrypted and knows whom it talks to, unless the operator said otherwise. */
static bool check_reach(const struct listen_settings *s, enum listen_kind kind, const char *where, char *error)
{
    if (listen_address_is_loopback(&s->address))
        return true;
    if (!s->tls_certificate && s->beyond_loopback != LISTEN_CONSENT_IN_CLEAR)
        return settings_complain(error, where,
                                 "%s can be reached from other machines, and nothing would be encrypted: give "
                                 "tls-certificate and tls-key, or listen on 127.0.0.1 behind a tunnel, or add: "
                                 "beyond-loopback = \"%s\"",
                                 s->endpoint, consent_choices[LISTEN_CONSENT_IN_CLEAR]);
    if (kind == LISTEN_HTTP && !s->credentials && !s->tls_client_ca)
        return settings_complain(
            error, where,
            "%s can be reached from other machines, and anybody could send to it: give credentials "
            "(carehub-adapter --new-credential makes one) or tls-client-ca",
            s->endpoint);
    if (kind == LISTEN_MLLP && s->tls_certificate && !s->tls_client_ca && s->beyond_loopback == LISTEN_CONSENT_NONE)
        return settings_complain(error, where,
                                 "%s can be reached from other machines, and anybody could send to it: give "
                                 "tls-client-ca, or add: beyond-loopback = \"%s\"",
                                 s->endpoint, consent_choices[LISTEN_CONSENT_ANYBODY]);
    return true;
}

static bool check_files(const struct listen_settings *s, const char *where, char *error)
{
    char text[CAREHUB_ERROR_BYTES / 2];
    if (!s->tls_certificate && (s->tls_key || s->tls_client_ca))
        return settings_complain(error, where, "tls-key and tls-client-ca need tls-certificate");
    if (s->tls_certificate) {
        struct tls_context *trial =
            tls_context_new(true, s->tls_certificate, s->tls_key, s->tls_client_ca, text, sizeof text);
        if (!trial)
            return settings_complain(error, where, "%s", text);
        tls_context_destroy(&trial);
    }
    if (s->credentials) {
        struct credentials *trial = credentials_new(s->credentials, text, sizeof text);
        if (!trial)
            return settings_complain(error, where, "%s", text);
        credentials_destroy(&trial);
    }
    return true;
}

bool listen_settings_read(struct listen_settings *self, enum listen_kind kind, const struct carehub_setting *section,
                          const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    const char *where = kind == LISTEN_MLLP ? "in/mllp" : "in/http";
    const struct setting_rule *rules = kind == LISTEN_MLLP ? mllp_rules : http_rules;
    size_t n_rules = kind == LISTEN_MLLP ? sizeof mllp_rules / sizeof *rules : sizeof http_rules / sizeof *rules;
    struct reading reading = {.settings = defaults[kind]};
    bool ok = settings_read(section, where, folder, rules, n_rules, &reading, error);
    *self = reading.settings;
    if (!ok)
        return false;
    if (!listen_address_parse(self->endpoint, &self->address))
        return settings_complain(error, where, "setting 'endpoint' has to be ADDRESS:PORT, such as %s",
                                 kind == LISTEN_MLLP ? "127.0.0.1:2575 or [::1]:2575" : "127.0.0.1:8080 or [::1]:8080");
    return check_files(self, where, error) && check_reach(self, kind, where, error);
}

void listen_settings_free(struct listen_settings *self)
{
    free(self->endpoint);
    free(self->tls_certificate);
    free(self->tls_key);
    free(self->tls_client_ca);
    free(self->credentials);
    *self = (struct listen_settings){0};
}
