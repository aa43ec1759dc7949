/* mllp_link.h - one connection to an MLLP receiver, in clear or over TLS: resolves the name, tries its addresses in
 * turn, and then carries frames both ways. Loop thread only. */
#ifndef CAREHUB_MLLP_LINK_H
#define CAREHUB_MLLP_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "tls_stream.h"

enum { MLLP_LINK_ANSWER_MAX_BYTES = 256 << 10 }; /* of one frame that comes back */

struct mllp_link;

/* None is called from within a function of the link, nor after mllp_link_close. */
struct mllp_link_options {
    const char *host, *port;  /* copied */
    struct tls_context *tls;  /* NULL: in clear; shared */
    uint64_t connect_ms;      /* until it is ready, TLS included */
    void (*ready)(void *arg); /* once */
    /* A frame's content; lasts for the call. */
    void (*frame)(void *arg, const void *bytes, size_t len);
    /* Once, and nothing after it but mllp_link_close. `code` is static: "unreachable", "timeout", "tls",
     * "connection-lost", "broken-answer". */
    void (*ended)(void *arg, const char *code, const char *text);
    void *arg;
};

/* Starts connecting. NULL without memory. */
struct mllp_link *mllp_link_new(uv_loop_t *loop, const struct mllp_link_options *options);
/* Closes it, and frees it in the loop's next turns. NULL is fine. */
void mllp_link_close(struct mllp_link **self);

/* Sends a frame around a message, on a link that is ready. False without memory, or when the connection has
 * gone. */
bool mllp_link_send(struct mllp_link *self, const void *message, size_t len);

#endif
