/* http_tls.h - with which certificate, key and authority the HTTP server meets its clients. libmicrohttpd reads them
 * once; here each connection is given those that are in force when it begins, so that they can be renewed while it
 * runs. Loop thread only. */
#ifndef CAREHUB_HTTP_TLS_H
#define CAREHUB_HTTP_TLS_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

#include "carehub_adapter.h"

struct http_tls;

struct http_pem {
    char *certificate, *key, *client_ca; /* texts, or NULL */
};

/* Reads PEM files: as texts, and ready for use, with one user. client_ca NULL: clients show nothing. False with error:
 * neither was changed. */
bool http_tls_read(const char *certificate, const char *key, const char *client_ca, struct http_pem *pem,
                   struct http_tls **tls, char error[CAREHUB_ERROR_BYTES]);
void http_pem_clear(struct http_pem *pem);

/* Has a session that has not begun its handshake use it: one user more. False: it cannot. */
bool http_tls_use(struct http_tls *self, gnutls_session_t session);
/* One user less. With the last it is gone. */
void http_tls_leave(struct http_tls **self);

#endif
