#include "http_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings.h"

enum { PEM_MAX_BYTES = 1 << 20 };

struct http_tls {
    gnutls_certificate_credentials_t credentials;
    unsigned users;
};

static gnutls_datum_t datum_of(const char *text)
{
    return (gnutls_datum_t){(unsigned char *)text, (unsigned)strlen(text)};
}

static int load(struct http_tls *self, const char *certificate, const char *key, const char *client_ca)
{
    const gnutls_datum_t own = datum_of(certificate), secret = datum_of(key);
    int result = gnutls_certificate_allocate_credentials(&self->credentials);
    if (result >= 0)
        result = gnutls_certificate_set_x509_key_mem2(self->credentials, &own, &secret, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (result >= 0 && client_ca) {
        const gnutls_datum_t authority = datum_of(client_ca);
        result = gnutls_certificate_set_x509_trust_mem(self->credentials, &authority, GNUTLS_X509_FMT_PEM);
        result = result == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : result; /* how many */
    }
    return result;
}

static struct http_tls *tls_new(const char *certificate, const char *key, const char *client_ca,
                                char error[CAREHUB_ERROR_BYTES])
{
    struct http_tls *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "in/http", "out of memory");
        return NULL;
    }
    self->users = 1;
    int result = load(self, certificate, key, client_ca);
    if (result < 0) {
        settings_complain(error, "in/http", "tls-certificate, tls-key or tls-client-ca cannot be used: %s",
                          gnutls_strerror(result));
        http_tls_leave(&self);
    }
    return self;
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

static char *read_pem(const char *path, char error[CAREHUB_ERROR_BYTES])
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, PEM_MAX_BYTES + 1) : NULL;
    size_t size = text ? fread(text, 1, PEM_MAX_BYTES + 1, file) : 0;
    bool ok = text && !ferror(file) && size <= PEM_MAX_BYTES;
    if (!ok) {
        settings_complain(error, "in/http", "%s cannot be read: %s", path,
                          size > PEM_MAX_BYTES ? "it is too large" : strerror(errno));
        free(text);
        text = NULL;
    }
    if (file)
        fclose(file);
    return text;
}

void http_pem_clear(struct http_pem *pem)
{
    free(pem->certificate);
    if (pem->key)
        explicit_bzero(pem->key, strlen(pem->key));
    free(pem->key);
    free(pem->client_ca);
    *pem = (struct http_pem){0};
}

bool http_tls_read(const char *certificate, const char *key, const char *client_ca, struct http_pem *pem,
                   struct http_tls **tls, char error[CAREHUB_ERROR_BYTES])
{
    struct http_pem read = {0};
    bool ok = (read.certificate = read_pem(certificate, error)) && (read.key = read_pem(key, error)) &&
              (!client_ca || (read.client_ca = read_pem(client_ca, error)));
    struct http_tls *made = ok ? tls_new(read.certificate, read.key, read.client_ca, error) : NULL;
    if (!made) {
        http_pem_clear(&read);
        return false;
    }
    *pem = read;
    *tls = made;
    return true;
}

/* ---- Use --------------------------------------------------------------------------------------------------------- */

bool http_tls_use(struct http_tls *self, gnutls_session_t session)
{
    if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, self->credentials) != GNUTLS_E_SUCCESS)
        return false;
    self->users++;
    return true;
}

void http_tls_leave(struct http_tls **self)
{
    struct http_tls *tls = *self;
    *self = NULL;
    if (!tls || --tls->users > 0)
        return;
    if (tls->credentials)
        gnutls_certificate_free_credentials(tls->credentials);
    free(tls);
}
