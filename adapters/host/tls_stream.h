/* tls_stream.h - TLS for a byte stream that somebody else moves: ciphertext in and out on one side, plain text on the
 * other. TLS 1.2 and later, OpenSSL. Does no I/O except for reading certificates and keys. */
#ifndef CAREHUB_TLS_STREAM_H
#define CAREHUB_TLS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_context;
struct tls_stream;

/* PEM files. A server needs certificate and key; `ca` makes it demand a certificate of every client. A client verifies
 * the server by `ca` (NULL: the system's authorities), and shows a certificate if it has one. NULL with error. */
struct tls_context *tls_context_new(bool server, const char *certificate, const char *key, const char *ca, char *error,
                                    size_t error_size);
void tls_context_destroy(struct tls_context **self);
/* The same once more, to be destroyed by itself: it stays when the first is replaced. NULL without memory. */
struct tls_context *tls_context_share(const struct tls_context *self);
/* Reads the files anew, for streams that begin from now on; those that there are keep what they began with. False with
 * error: nothing has changed. */
bool tls_context_renew(struct tls_context **self, const char *certificate, const char *key, const char *ca, char *error,
                       size_t error_size);

/* `host`: of a client, the name or address that the server's certificate must be for. NULL without memory. */
struct tls_stream *tls_stream_new(struct tls_context *context, const char *host);
void tls_stream_destroy(struct tls_stream **self);

/* Takes what came from the socket. False: the stream is broken; tls_stream_error says why. */
bool tls_stream_feed(struct tls_stream *self, const void *bytes, size_t len);
/* Plain text that is there: its length, 0 for none now, -1 when the peer has closed or the stream is broken. */
ssize_t tls_stream_read(struct tls_stream *self, void *out, size_t size);
/* Takes plain text to send; what cannot go yet (handshake) is kept, up to 16 MiB. */
bool tls_stream_write(struct tls_stream *self, const void *bytes, size_t len);
/* What is to be put on the socket: a malloc'd copy, NULL and 0 for nothing. Call after each of the others. */
void *tls_stream_output(struct tls_stream *self, size_t *len);
/* Announces the end (close_notify), for the next output. */
void tls_stream_finish(struct tls_stream *self);

bool tls_stream_is_ready(const struct tls_stream *self); /* the handshake is done */
/* The common name of the peer's verified certificate; "" if it has shown none. */
const char *tls_stream_peer(const struct tls_stream *self);
const char *tls_stream_error(const struct tls_stream *self);

#endif
