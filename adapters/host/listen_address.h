/* listen_address.h - where a transport listens, and what it must have in order to: the settings that MLLP and HTTP have
 * in common. */
#ifndef CAREHUB_LISTEN_ADDRESS_H
#define CAREHUB_LISTEN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "carehub_adapter.h"

enum {
    LISTEN_TEXT_BYTES = 80,
    LISTEN_BACKLOG = 64,
    LISTEN_PEER_BYTES = 256, /* the name of an authenticated peer */
};

/* "127.0.0.1:2575" or "[::1]:2575"; port 0: any free one. False if it is neither. */
bool listen_address_parse(const char *text, struct sockaddr_storage *address);
void listen_address_text(const struct sockaddr_storage *address, char *out, size_t size);
bool listen_address_is_loopback(const struct sockaddr_storage *address);

enum listen_kind { LISTEN_MLLP, LISTEN_HTTP };

struct listen_settings {
    char *endpoint; /* as written */
    struct sockaddr_storage address;
    int beyond_loopback;                             /* what the operator said in so many words: enum listen_consent */
    char *tls_certificate, *tls_key, *tls_client_ca; /* or NULL */
    char *credentials;                               /* of HTTP, or NULL */
    int64_t connections_max;
    int64_t message_max_bytes;
    int64_t idle_ms;    /* 0: for ever (MLLP) */
    int64_t message_ms; /* MLLP: the longest pause inside a frame; HTTP: the longest time for a request to come in */
};

enum listen_consent { LISTEN_CONSENT_NONE = -1, LISTEN_CONSENT_IN_CLEAR, LISTEN_CONSENT_ANYBODY };

/* Reads and checks a section "in". Certificates, keys and credentials are read for trial. False with the reason; free
 * it in any case. */
bool listen_settings_read(struct listen_settings *self, enum listen_kind kind, const struct carehub_setting *section,
                          const char *folder, char error[CAREHUB_ERROR_BYTES]);
void listen_settings_free(struct listen_settings *self);

#endif
