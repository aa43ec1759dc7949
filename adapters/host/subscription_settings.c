#include "subscription_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#define WHERE "subscriptions"

enum { ACTOR_MAX_BYTES = STORE_NAME_BYTES - 1 - 14 /* ".fhir-0a1b2c3d" */ };

static const char *const in_clear[] = {"no", "yes, in clear", NULL};

#define AT(member) offsetof(struct subscription_settings, member)
static const struct setting_rule rules[] = {
    {.name = "subscribers", .kind = SETTING_SECTION},
    {.name = "receiver", .kind = SETTING_SECTION},
    {.name = "base-url", .kind = SETTING_TEXT, .offset = AT(base_url)},
    {.name = "endpoint",
     .kind = SETTING_LIST,
     .offset = AT(endpoints),
     .required = true,
     .example = "https://ehr.example/carehub/"},
    {.name = "endpoints-beyond-loopback", .kind = SETTING_CHOICE, .offset = AT(in_clear), .choices = in_clear},
    {.name = "subscriptions-max",
     .kind = SETTING_NUMBER,
     .offset = AT(subscriptions_max),
     .min = 1,
     .max = SUBSCRIPTIONS_MAX},
    /* The hub sends again for a week; by then what is here must still be known. */
    {.name = "keep-days", .kind = SETTING_NUMBER, .offset = AT(keep_days), .min = 10, .max = 3660},
    {.name = "keep-events", .kind = SETTING_NUMBER, .offset = AT(keep_events), .min = 100, .max = 1000000},
    {.name = "retry-ms", .kind = SETTING_NUMBER, .offset = AT(retry_ms), .min = 10, .max = 60000},
    {.name = "patience-ms", .kind = SETTING_NUMBER, .offset = AT(patience_ms), .min = 0, .max = 600000},
    {.name = "tls-ca", .kind = SETTING_PATH, .offset = AT(tls_ca)},
    {.name = "tls-certificate", .kind = SETTING_PATH, .offset = AT(tls_certificate)},
    {.name = "tls-key", .kind = SETTING_PATH, .offset = AT(tls_key)},
};
#undef AT
enum { RULES = sizeof rules / sizeof rules[0] };

/* ---- Subscribers ------------------------------------------------------------------------------------------------ */

static bool is_actor(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= ACTOR_MAX_BYTES && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len;
}

static bool read_subscribers(struct subscription_settings *self, const struct carehub_setting *section,
                             char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_setting *list = setting_named(section, "subscribers");
    for (const struct carehub_setting *item = list ? list->first : NULL; item; item = item->next) {
        if (self->n_subscribers == SUBSCRIBERS_MAX)
            return settings_complain(error, WHERE "/subscribers", "there can be %d at most", SUBSCRIBERS_MAX);
        if (item->first || !is_actor(item->value))
            return settings_complain(error, WHERE "/subscribers",
                                     "'%s' has to be followed by the name of an actor: lower-case letters, digits, "
                                     "'-' and '.', at most %d",
                                     item->name, ACTOR_MAX_BYTES);
        self->subscribers[self->n_subscribers++] = (struct subscriber){item->name, item->value};
    }
    return self->n_subscribers > 0 ||
           settings_complain(error, WHERE,
                             "a section 'subscribers' is needed: lines 'NAME = ACTOR', NAME being the name of a "
                             "credential or the common name of a certificate");
}

const char *subscription_settings_actor(const struct subscription_settings *self, const char *peer)
{
    for (size_t i = 0; i < self->n_subscribers && peer[0] != '\0'; i++)
        if (strcmp(self->subscribers[i].peer, peer) == 0)
            return self->subscribers[i].actor;
    return NULL;
}

/* ---- Where to --------------------------------------------------------------------------------------------------- */

struct url {
    CURLU *handle;
    char *scheme, *host, *port, *path;
};

static void url_clear(struct url *url)
{
    curl_free(url->scheme);
    curl_free(url->host);
    curl_free(url->port);
    curl_free(url->path);
    curl_url_cleanup(url->handle);
}

/* Takes a URL apart, with a path without "." and ".." segments, as the sender would. */
static bool url_read(struct url *url, const char *text)
{
    *url = (struct url){.handle = curl_url()};
    return url->handle && curl_url_set(url->handle, CURLUPART_URL, text, 0) == CURLUE_OK &&
           curl_url_get(url->handle, CURLUPART_SCHEME, &url->scheme, 0) == CURLUE_OK &&
           curl_url_get(url->handle, CURLUPART_HOST, &url->host, 0) == CURLUE_OK &&
           curl_url_get(url->handle, CURLUPART_PORT, &url->port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
           curl_url_get(url->handle, CURLUPART_PATH, &url->path, 0) == CURLUE_OK;
}

/* Receivers may take escaped dots and slashes for what they stand for: such a path could lead elsewhere. */
static bool is_plain_path(const char *path)
{
    for (const char *at = path; (at = strchr(at, '%')) != NULL; at++)
        if (strncasecmp(at, "%2e", 3) == 0 || strncasecmp(at, "%2f", 3) == 0 || strncasecmp(at, "%5c", 3) == 0)
            return false;
    return strchr(path, '\\') == NULL && strstr(path, "/../") == NULL && strstr(path, "/./") == NULL;
}

static bool path_is_within(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    while (len > 0 && folder[len - 1] == '/')
        len--;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_within(const struct url *url, const char *endpoint)
{
    struct url allowed;
    bool within = url_read(&allowed, endpoint) && strcasecmp(url->scheme, allowed.scheme) == 0 &&
                  strcasecmp(url->host, allowed.host) == 0 && strcmp(url->port, allowed.port) == 0 &&
                  path_is_within(url->path, allowed.path);
    url_clear(&allowed);
    return within;
}

bool subscription_settings_allow(const struct subscription_settings *self, const char *url,
                                 char error[CAREHUB_ERROR_BYTES])
{
    struct url parts;
    bool allowed = false;
    if (!http_url_check(url, self->in_clear != 0, error))
        return false;
    if (url_read(&parts, url) && is_plain_path(parts.path))
        for (size_t i = 0; i < self->endpoints.count && !allowed; i++)
            allowed = is_within(&parts, self->endpoints.items[i]);
    url_clear(&parts);
    if (!allowed)
        snprintf(error, CAREHUB_ERROR_BYTES,
                 "this server may not send there; its operator adds the URL to the endpoints of its configuration");
    return allowed;
}

static bool check_urls(const struct subscription_settings *self, char error[CAREHUB_ERROR_BYTES])
{
    char why[CAREHUB_ERROR_BYTES];
    for (size_t i = 0; i < self->endpoints.count; i++)
        if (!http_url_check(self->endpoints.items[i], self->in_clear != 0, why))
            return settings_complain(error, WHERE,
                                     "endpoint '%s': %s; to send in clear beyond this machine, say"
                                     " endpoints-beyond-loopback = \"yes, in clear\"",
                                     self->endpoints.items[i], why);
    if (self->base_url && !http_url_check(self->base_url, true, why))
        return settings_complain(error, WHERE, "base-url: %s", why);
    if ((self->tls_certificate == NULL) != (self->tls_key == NULL))
        return settings_complain(error, WHERE, "tls-certificate and tls-key go together");
    return true;
}

/* ---- The section ------------------------------------------------------------------------------------------------ */

bool subscription_settings_read(struct subscription_settings *self, const struct carehub_setting *section,
                                const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    *self = (struct subscription_settings){
        .subscriptions_max = 32,
        .keep_days = 14,
        .keep_events = 10000,
        .retry_ms = 1000,
        .patience_ms = 60000,
    };
    if (!settings_read(section, WHERE, folder, rules, RULES, self, error) || !read_subscribers(self, section, error) ||
        !check_urls(self, error))
        return false;
    self->receiver = setting_named(section, "receiver");
    size_t len = self->base_url ? strlen(self->base_url) : 0;
    while (len > 0 && self->base_url[len - 1] == '/')
        self->base_url[--len] = '\0';
    return true;
}

void subscription_settings_clear(struct subscription_settings *self)
{
    settings_clear(rules, RULES, self);
}
