#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>

#include "http_internal.h"
#include "log_line.h"

static gnutls_session_t session_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info ? info->tls_session : NULL;
}

/* In the handshake: a certificate that is not in order ends it. */
static int verify(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (void *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;
    int result = gnutls_certificate_verify_peers(session, &purpose, 1, &status);
    if (result == GNUTLS_E_SUCCESS && status == 0)
        return 0;
    LOG_LINE(LOG_LEVEL_WARNING, "refused a connection: the client's certificate is %s",
             result != GNUTLS_E_SUCCESS ? gnutls_strerror(result) : "not of tls-client-ca, or not in force");
    return GNUTLS_E_CERTIFICATE_ERROR;
}

bool http_peer_prepare(struct http_connection *c)
{
    if (!c->server->tls)
        return true;
    gnutls_session_t session = session_of(c->mhd);
    if (!session || !http_tls_use(c->server->tls, session))
        return false;
    c->tls = c->server->tls;
    if (!c->server->pem.client_ca)
        return true;
    /* libmicrohttpd asks for a certificate, but takes a client that shows none. */
    gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_function(session, verify);
    return true;
}

/* The common name of the certificate that was verified; one with control bytes counts as none. */
static void read_certificate(struct http_connection *c)
{
    gnutls_session_t session = session_of(c->mhd);
    unsigned count = 0;
    const gnutls_datum_t *chain = session ? gnutls_certificate_get_peers(session, &count) : NULL;
    gnutls_x509_crt_t certificate;
    size_t size = sizeof c->certificate;
    c->certificate_read = true;
    if (!chain || count == 0 || gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS)
        return;
    bool ok = gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) == GNUTLS_E_SUCCESS &&
              gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, c->certificate, &size) ==
                  GNUTLS_E_SUCCESS;
    for (const char *at = c->certificate; ok && *at; at++)
        ok = (unsigned char)*at >= 0x20 && *at != 0x7f;
    if (!ok)
        c->certificate[0] = '\0';
    gnutls_x509_crt_deinit(certificate);
}

static void refresh(struct http_server *server)
{
    char error[CAREHUB_ERROR_BYTES];
    if (!credentials_refresh(server->credentials, uv_now(server->due.loop), error, sizeof error))
        LOG_LINE(LOG_LEVEL_ERROR, "%s; what was read from it before stays in force", error);
}

bool http_peer_check(struct http_connection *c, char name[LISTEN_PEER_BYTES])
{
    struct http_server *server = c->server;
    char who[CREDENTIALS_NAME_BYTES];
    name[0] = '\0';
    if (server->pem.client_ca) {
        if (!c->certificate_read)
            read_certificate(c);
        if (!c->certificate[0])
            return false;
        snprintf(name, LISTEN_PEER_BYTES, "%s", c->certificate);
    }
    if (!server->credentials)
        return true;
    refresh(server);
    if (!credentials_check(server->credentials, http_header_of(c->mhd, MHD_HTTP_HEADER_AUTHORIZATION), who))
        return false;
    snprintf(name, LISTEN_PEER_BYTES, "%s", who);
    return true;
}
