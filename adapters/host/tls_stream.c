#include "tls_stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { HELD_MAX_BYTES = 16 << 20, PEER_BYTES = 256, ERROR_BYTES = 256 };

struct tls_context {
    SSL_CTX *ctx;
    bool server;
};

struct tls_stream {
    SSL *ssl;
    BIO *in, *out; /* ciphertext; the SSL owns them */
    uint8_t *held; /* plain text that waits for the handshake */
    size_t held_len;
    bool ready, ended, finishing;
    char peer[PEER_BYTES];
    char error[ERROR_BYTES];
};

/* ---- Contexts --------------------------------------------------------------------------------------------------- */

/* The oldest error of OpenSSL's queue, which is emptied. */
static const char *reason(void)
{
    unsigned long code = ERR_get_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    if (!text && code != 0 && ERR_SYSTEM_ERROR(code))
        text = strerror(ERR_GET_REASON(code));
    ERR_clear_error();
    return text ? text : "it is not in PEM form";
}

/* A key with a passphrase would have OpenSSL ask the terminal. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
    (void)out, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool is_private(const char *path, char *error, size_t error_size)
{
    struct stat status;
    if (stat(path, &status) != 0)
        snprintf(error, error_size, "the key file %s cannot be read: %s", path, strerror(errno));
    else if (status.st_mode & 07)
        snprintf(error, error_size, "the key file %s is open to all users of this machine: chmod 600 it (or 640)",
                 path);
    else
        return true;
    return false;
}

static bool load_own(SSL_CTX *ctx, const char *certificate, const char *key, char *error, size_t error_size)
{
    if (!certificate != !key) {
        snprintf(error, error_size, "a certificate needs its key, and a key its certificate");
        return false;
    }
    if (!certificate)
        return true;
    if (!is_private(key, error, error_size))
        return false;
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        snprintf(error, error_size, "the certificate %s cannot be used: %s", certificate, reason());
    else if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        snprintf(error, error_size,
                 "the key %s cannot be used with the certificate %s: %s (one with a passphrase never can)", key,
                 certificate, reason());
    else
        return true;
    return false;
}

static bool load_authorities(SSL_CTX *ctx, bool server, const char *ca, char *error, size_t error_size)
{
    if (server && !ca)
        return true;
    int verify = SSL_VERIFY_PEER | (server ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
    SSL_CTX_set_verify(ctx, verify, NULL);
    if (!ca && SSL_CTX_set_default_verify_paths(ctx) != 1)
        snprintf(error, error_size, "the system's certificate authorities cannot be read: %s", reason());
    else if (ca && SSL_CTX_load_verify_file(ctx, ca) != 1)
        snprintf(error, error_size, "the certificate authority %s cannot be used: %s", ca, reason());
    else {
        if (server)
            SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(ca));
        return true;
    }
    return false;
}

struct tls_context *tls_context_new(bool server, const char *certificate, const char *key, const char *ca, char *error,
                                    size_t error_size)
{
    struct tls_context *self = calloc(1, sizeof *self);
    if (self)
        self->ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (!self || !self->ctx) {
        snprintf(error, error_size, "out of memory");
        tls_context_destroy(&self);
        return NULL;
    }
    self->server = server;
    SSL_CTX_set_min_proto_version(self->ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(self->ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(self->ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_default_passwd_cb(self->ctx, no_passphrase);
    bool ok = !server || (certificate && key);
    if (!ok)
        snprintf(error, error_size, "a server needs a certificate and its key");
    if (!ok || !load_own(self->ctx, certificate, key, error, error_size) ||
        !load_authorities(self->ctx, server, ca, error, error_size))
        tls_context_destroy(&self);
    return self;
}

void tls_context_destroy(struct tls_context **self)
{
    if (!*self)
        return;
    SSL_CTX_free((*self)->ctx);
    free(*self);
    *self = NULL;
}

struct tls_context *tls_context_share(const struct tls_context *self)
{
    struct tls_context *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    *shared = *self;
    SSL_CTX_up_ref(shared->ctx);
    return shared;
}

bool tls_context_renew(struct tls_context **self, const char *certificate, const char *key, const char *ca, char *error,
                       size_t error_size)
{
    struct tls_context *renewed = tls_context_new((*self)->server, certificate, key, ca, error, error_size);
    if (!renewed)
        return false;
    tls_context_destroy(self); /* streams hold on to OpenSSL's part of it */
    *self = renewed;
    return true;
}

/* ---- Streams ---------------------------------------------------------------------------------------------------- */

/* Whom a client expects: a name, which the server is also told, or an address. */
static bool expect_host(SSL *ssl, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool set_up(struct tls_stream *self, const struct tls_context *context, const char *host)
{
    self->ssl = SSL_new(context->ctx);
    self->in = BIO_new(BIO_s_mem());
    self->out = BIO_new(BIO_s_mem());
    if (!self->ssl || !self->in || !self->out) {
        BIO_free(self->in);
        BIO_free(self->out);
        return false;
    }
    SSL_set_bio(self->ssl, self->in, self->out);
    if (context->server) {
        SSL_set_accept_state(self->ssl);
        return true;
    }
    SSL_set_connect_state(self->ssl);
    return host && host[0] && expect_host(self->ssl, host);
}

static bool advance(struct tls_stream *self);

struct tls_stream *tls_stream_new(struct tls_context *context, const char *host)
{
    struct tls_stream *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    if (!set_up(self, context, host) || (!context->server && !advance(self)))
        tls_stream_destroy(&self);
    return self;
}

void tls_stream_destroy(struct tls_stream **self)
{
    if (!*self)
        return;
    SSL_free((*self)->ssl);
    free((*self)->held);
    free(*self);
    *self = NULL;
}

static bool broken(struct tls_stream *self, const char *doing)
{
    long verdict = SSL_get_verify_result(self->ssl);
    self->ended = true;
    if (!self->ready && verdict != X509_V_OK)
        snprintf(self->error, sizeof self->error, "TLS: %s failed, the peer's certificate is not accepted: %s", doing,
                 X509_verify_cert_error_string(verdict));
    else {
        unsigned long code = ERR_peek_error();
        const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
        snprintf(self->error, sizeof self->error, "TLS: %s failed: %s", doing, text ? text : "protocol error");
    }
    ERR_clear_error();
    return false;
}

/* The common name of the certificate that was verified. One with control bytes in it counts as none. */
static void learn_peer(struct tls_stream *self)
{
    X509 *certificate = SSL_get0_peer_certificate(self->ssl);
    if (!certificate || SSL_get_verify_result(self->ssl) != X509_V_OK)
        return;
    X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    unsigned char *text = NULL;
    int len = at < 0 ? -1 : ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    bool fit = len > 0 && len < PEER_BYTES;
    for (int i = 0; fit && i < len; i++)
        fit = text[i] >= 0x20 && text[i] != 0x7f;
    if (fit)
        memcpy(self->peer, text, (size_t)len);
    OPENSSL_free(text);
}

static bool put(struct tls_stream *self, const void *bytes, size_t len)
{
    /* The output grows as needed, so a write is taken whole or not at all. */
    while (len > 0) {
        int part = len > INT_MAX ? INT_MAX : (int)len;
        if (SSL_write(self->ssl, bytes, part) != part)
            return broken(self, "writing");
        bytes = (const uint8_t *)bytes + part;
        len -= (size_t)part;
    }
    return true;
}

/* Goes on with the handshake; once it is done, what was held goes out. */
static bool advance(struct tls_stream *self)
{
    if (self->ready)
        return true;
    ERR_clear_error();
    int result = SSL_do_handshake(self->ssl);
    if (result != 1)
        return SSL_get_error(self->ssl, result) == SSL_ERROR_WANT_READ || broken(self, "the handshake");
    self->ready = true;
    learn_peer(self);
    bool ok = self->held_len == 0 || put(self, self->held, self->held_len);
    free(self->held);
    self->held = NULL;
    self->held_len = 0;
    if (ok && self->finishing)
        SSL_shutdown(self->ssl);
    return ok;
}

bool tls_stream_feed(struct tls_stream *self, const void *bytes, size_t len)
{
    if (self->ended)
        return false;
    if (len > INT_MAX || (len > 0 && BIO_write(self->in, bytes, (int)len) != (int)len))
        return broken(self, "taking input");
    return advance(self);
}

ssize_t tls_stream_read(struct tls_stream *self, void *out, size_t size)
{
    if (self->ended)
        return -1;
    if (!self->ready)
        return 0;
    ERR_clear_error();
    int result = SSL_read(self->ssl, out, size > INT_MAX ? INT_MAX : (int)size);
    if (result > 0)
        return result;
    switch (SSL_get_error(self->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return 0;
    case SSL_ERROR_ZERO_RETURN:
        self->ended = true;
        snprintf(self->error, sizeof self->error, "TLS: the peer has closed");
        return -1;
    default:
        broken(self, "reading");
        return -1;
    }
}

bool tls_stream_write(struct tls_stream *self, const void *bytes, size_t len)
{
    if (self->finishing)
        return false;
    ERR_clear_error();
    if (self->ready)
        return put(self, bytes, len); /* also after the peer's close_notify: it may still listen */
    if (self->ended)
        return false;
    uint8_t *held = len <= HELD_MAX_BYTES - self->held_len ? realloc(self->held, self->held_len + len + 1) : NULL;
    if (!held)
        return false;
    memcpy(held + self->held_len, bytes, len);
    self->held = held;
    self->held_len += len;
    return true;
}

void *tls_stream_output(struct tls_stream *self, size_t *len)
{
    size_t pending = BIO_ctrl_pending(self->out);
    void *bytes = pending > 0 && pending <= INT_MAX ? malloc(pending) : NULL;
    int taken = bytes ? BIO_read(self->out, bytes, (int)pending) : 0;
    *len = taken > 0 ? (size_t)taken : 0;
    if (*len == 0) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

void tls_stream_finish(struct tls_stream *self)
{
    if (self->finishing)
        return;
    self->finishing = true;
    if (self->ready)
        SSL_shutdown(self->ssl);
    ERR_clear_error();
}

bool tls_stream_is_ready(const struct tls_stream *self)
{
    return self->ready;
}

const char *tls_stream_peer(const struct tls_stream *self)
{
    return self->peer;
}

const char *tls_stream_error(const struct tls_stream *self)
{
    return self->error;
}
