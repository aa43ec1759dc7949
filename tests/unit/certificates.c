#include "certificates.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct pair {
    X509 *certificate;
    EVP_PKEY *key;
};

static void add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* `by` NULL: signed by itself. */
static struct pair make(const char *name, const struct pair *by, const char *purpose)
{
    static int serial = 1;
    struct pair made = {X509_new(), EVP_EC_gen("P-256")};
    const struct pair *issuer = by ? by : &made;
    X509_set_version(made.certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), 24 * 3600);
    X509_set_pubkey(made.certificate, made.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made.certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(made.certificate, X509_get_subject_name(issuer->certificate));
    add(made.certificate, issuer->certificate, NID_basic_constraints, by ? "CA:FALSE" : "critical,CA:TRUE");
    if (purpose)
        add(made.certificate, issuer->certificate, NID_ext_key_usage, purpose);
    if (purpose && strcmp(purpose, "serverAuth") == 0)
        add(made.certificate, issuer->certificate, NID_subject_alt_name, "IP:127.0.0.1");
    assert_true(X509_sign(made.certificate, issuer->key, EVP_sha256()) > 0);
    return made;
}

static void save(const struct certificates *self, struct pair *pair, const char *name, char certificate[PATH_MAX],
                 char *key)
{
    snprintf(certificate, PATH_MAX, "%s/%s.pem", self->folder, name);
    FILE *file = fopen(certificate, "we");
    assert_non_null(file);
    PEM_write_X509(file, pair->certificate);
    fclose(file);
    if (!key)
        return;
    snprintf(key, PATH_MAX, "%s/%s.key", self->folder, name);
    file = fopen(key, "we");
    assert_non_null(file);
    fchmod(fileno(file), 0600);
    PEM_write_PrivateKey(file, pair->key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
}

static void discard(struct pair *pair)
{
    X509_free(pair->certificate);
    EVP_PKEY_free(pair->key);
}

void certificates_make(struct certificates *self)
{
    snprintf(self->folder, sizeof self->folder, "/tmp/carehub-certificates-XXXXXX");
    assert_non_null(mkdtemp(self->folder));
    struct pair ca = make("an authority", NULL, NULL), other = make("another authority", NULL, NULL);
    struct pair server = make("a server", &ca, "serverAuth"),
                client = make(CERTIFICATES_CLIENT_NAME, &ca, "clientAuth"),
                stranger = make(CERTIFICATES_CLIENT_NAME, &other, "clientAuth");
    save(self, &ca, "ca", self->ca, NULL);
    save(self, &server, "server", self->server, self->server_key);
    save(self, &client, "client", self->client, self->client_key);
    save(self, &stranger, "stranger", self->stranger, self->stranger_key);
    discard(&ca);
    discard(&other);
    discard(&server);
    discard(&client);
    discard(&stranger);
}

void certificates_remove(struct certificates *self)
{
    const char *const files[] = {self->ca,         self->server,   self->server_key,  self->client,
                                 self->client_key, self->stranger, self->stranger_key};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        unlink(files[i]);
    rmdir(self->folder);
}
