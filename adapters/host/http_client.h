/* http_client.h - the outgoing transport "http": posts each message to one URL. Settings of its section "out":
 *
 *     url                 https://…; http:// only within loopback, or with beyond-loopback = "yes, in clear"
 *     timeout-ms          for connecting, sending and the whole answer: 30000
 *     connect-timeout-ms  10000
 *     tls-ca              PEM; instead of the system's authorities
 *     tls-certificate, tls-key   PEM; shown to the receiver
 *     bearer-token-file   sent as Authorization: Bearer. This and the next are read anew for each message
 *     hmac-key-file       signs each message; 16 bytes or more, a line end at the end does not count
 *     hmac-header         where the signature goes: X-Carehub-Signature
 *     header              "Name: value"; may be repeated
 *
 * X-Carehub-Delivery and Idempotency-Key are the message's native id: equal when it is sent again.
 *
 * THE SIGNATURE is t=SECONDS,v1=HEX, where SECONDS is the time of sending (since 1970, UTC) and HEX the HMAC-SHA256
 * (RFC 2104), under the key, of SECONDS, a full stop and the body as it is on the wire. To verify: take t and v1 off
 * the header, compute it over t "." body, compare in constant time, and refuse when t is more than five minutes away
 * from the own clock, which stops replays. With OpenSSL:
 *
 *     { printf '%s.' "$t"; cat body; } | openssl dgst -sha256 -hmac "$(cat key)"
 *
 * What answers mean is in http_engine.h: http_result_of. */
#ifndef CAREHUB_HTTP_CLIENT_H
#define CAREHUB_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_SIGNATURE_HEADER "X-Carehub-Signature"

enum { HTTP_SIGNATURE_BYTES = 96 };

/* The value of the signature's header. False when libsodium does not start. */
bool http_sign(const void *key, size_t key_len, int64_t now_s, const void *body, size_t len,
               char signature[HTTP_SIGNATURE_BYTES]);

#endif
