/* subscription_settings.h - the section "subscriptions" of an adapter's configuration. */
#ifndef CAREHUB_SUBSCRIPTION_SETTINGS_H
#define CAREHUB_SUBSCRIPTION_SETTINGS_H

#include "settings.h"
#include "subscription_store.h"

enum {
    SUBSCRIBERS_MAX = 64,
    /* A session at the hub has 64 attachments, some of which are for the adapter's other receivers. */
    SUBSCRIPTIONS_MAX = 56,
};

struct subscriber {
    const char *peer, *actor; /* of the section's tree */
};

struct subscription_settings {
    struct subscriber subscribers[SUBSCRIBERS_MAX];
    size_t n_subscribers;
    char *base_url;                /* of the FHIR server; NULL: of the endpoint */
    struct setting_list endpoints; /* what may be notified begins with one of these */
    int in_clear;                  /* 1: http beyond loopback, as the operator said in so many words */
    int64_t subscriptions_max, keep_days, keep_events;
    int64_t retry_ms;    /* the first wait after a failure; it doubles */
    int64_t patience_ms; /* how long a failing notification is tried here, before it goes back to the hub */
    char *tls_ca, *tls_certificate, *tls_key;
    const struct carehub_setting *receiver; /* for the format; or NULL */
};

/* Reads and checks the section. False with `error`. What was read is cleared by the caller in any case. */
bool subscription_settings_read(struct subscription_settings *self, const struct carehub_setting *section,
                                const char *folder, char error[CAREHUB_ERROR_BYTES]);
void subscription_settings_clear(struct subscription_settings *self);

/* The actor that a peer speaks for, or NULL. */
const char *subscription_settings_actor(const struct subscription_settings *self, const char *peer);

/* Whether notifications may be sent to a URL: it has the scheme, host and port of one of the configured endpoints, and
 * a path that is that endpoint's or below it. Else false, with what is wrong; no part of the URL is quoted. */
bool subscription_settings_allow(const struct subscription_settings *self, const char *url,
                                 char error[CAREHUB_ERROR_BYTES]);

#endif
