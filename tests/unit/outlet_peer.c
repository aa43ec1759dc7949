#include "outlet_peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 5000 };

struct peer_connection {
    struct peer *peer;
    int fd;
    SSL *ssl; /* NULL: in clear */
};

struct peer {
    int listening;
    int port;
    peer_fn *serve;
    void *arg;
    SSL_CTX *tls;
    pthread_t thread;
    atomic_int current; /* the socket that is being served; -1: none */
    atomic_int connections;
    atomic_bool ending;
};

/* ---- Connections ------------------------------------------------------------------------------------------------ */

ssize_t peer_read(struct peer_connection *connection, void *bytes, size_t size)
{
    return connection->ssl ? SSL_read(connection->ssl, bytes, (int)size) : recv(connection->fd, bytes, size, 0);
}

void peer_write(struct peer_connection *connection, const void *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = connection->ssl ? SSL_write(connection->ssl, bytes, (int)len)
                                    : send(connection->fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        bytes = (const char *)bytes + n;
        len -= (size_t)n;
    }
}

void peer_say(struct peer_connection *connection, const char *text)
{
    peer_write(connection, text, strlen(text));
}

void peer_sleep(struct peer_connection *connection, int ms)
{
    for (int slept = 0; slept < ms && !atomic_load(&connection->peer->ending); slept += 5)
        usleep(5000);
}

static void serve(struct peer *self, int fd)
{
    struct peer_connection connection = {.peer = self, .fd = fd};
    if (self->tls) {
        connection.ssl = SSL_new(self->tls);
        SSL_set_fd(connection.ssl, fd);
    }
    if (!self->tls || SSL_accept(connection.ssl) == 1)
        self->serve(self->arg, &connection);
    SSL_free(connection.ssl);
}

static void *listen_and_serve(void *arg)
{
    struct peer *self = arg;
    int fd;
    while (!atomic_load(&self->ending) && (fd = accept(self->listening, NULL, NULL)) >= 0) {
        atomic_fetch_add(&self->connections, 1);
        atomic_store(&self->current, fd);
        if (!atomic_load(&self->ending))
            serve(self, fd);
        atomic_store(&self->current, -1);
        close(fd);
    }
    return NULL;
}

/* ---- Peers ------------------------------------------------------------------------------------------------------ */

static SSL_CTX *tls_of(const char *folder)
{
    char certificate[512], key[512], ca[512];
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    snprintf(certificate, sizeof certificate, "%s/server.pem", folder);
    snprintf(key, sizeof key, "%s/server.key", folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    assert_int_equal(SSL_CTX_use_certificate_file(tls, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_load_verify_file(tls, ca), 1);
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return tls;
}

struct peer *peer_new(peer_fn *fn, void *arg, const char *certificates)
{
    struct peer *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    assert_non_null(self);
    signal(SIGPIPE, SIG_IGN);
    self->serve = fn;
    self->arg = arg;
    self->tls = certificates ? tls_of(certificates) : NULL;
    atomic_store(&self->current, -1);
    self->listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(self->listening, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(self->listening, 16), 0);
    assert_int_equal(getsockname(self->listening, (struct sockaddr *)&address, &len), 0);
    self->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&self->thread, NULL, listen_and_serve, self), 0);
    return self;
}

void peer_destroy(struct peer **self)
{
    struct peer *peer = *self;
    *self = NULL;
    if (!peer)
        return;
    atomic_store(&peer->ending, true);
    int fd = atomic_load(&peer->current);
    if (fd >= 0)
        shutdown(fd, SHUT_RDWR);
    shutdown(peer->listening, SHUT_RDWR);
    pthread_join(peer->thread, NULL);
    close(peer->listening);
    SSL_CTX_free(peer->tls);
    free(peer);
}

int peer_port(const struct peer *self)
{
    return self->port;
}

int peer_connections(const struct peer *self)
{
    return atomic_load(&self->connections);
}

/* ---- Certificates ----------------------------------------------------------------------------------------------- */

static void add_extension(X509 *certificate, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, certificate, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

/* Issued by itself when issuer is NULL. */
static X509 *certify(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    static long serial;
    X509 *certificate = X509_new();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(certificate, issuer ? X509_get_subject_name(issuer) : subject);
    add_extension(certificate, NID_basic_constraints, issuer ? "CA:FALSE" : "critical,CA:TRUE");
    if (issuer)
        add_extension(certificate, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    assert_true(X509_sign(certificate, issuer ? issuer_key : key, EVP_sha256()) > 0);
    return certificate;
}

static void save(const char *folder, const char *name, X509 *certificate, EVP_PKEY *key)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.pem", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    PEM_write_X509(file, certificate);
    fclose(file);
    snprintf(path, sizeof path, "%s/%s.key", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

void peer_certificates(const char *folder)
{
    static const char *const names[] = {"ca", "other", "server", "client"};
    EVP_PKEY *keys[4];
    X509 *certificates[4];
    for (int i = 0; i < 4; i++) {
        bool authority = i < 2;
        keys[i] = EVP_EC_gen("P-256");
        certificates[i] = certify(names[i], keys[i], authority ? NULL : certificates[0], keys[0]);
        save(folder, names[i], certificates[i], keys[i]);
    }
    for (int i = 0; i < 4; i++) {
        X509_free(certificates[i]);
        EVP_PKEY_free(keys[i]);
    }
}

/* ---- The loop --------------------------------------------------------------------------------------------------- */

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
}

static void on_closed(uv_handle_t *handle)
{
    *(bool *)handle->data = true;
}

/* The tick repeats, for uv_run may wait once more after a timer that was due when it began. */
static void run(uv_loop_t *loop, const bool *done, uint64_t ms)
{
    uint64_t end_ms = uv_hrtime() / 1000000 + ms;
    bool closed = false;
    uv_timer_t tick;
    uv_timer_init(loop, &tick);
    uv_timer_start(&tick, on_tick, 1, 1);
    while (!*done && uv_hrtime() / 1000000 < end_ms)
        uv_run(loop, UV_RUN_ONCE);
    tick.data = &closed;
    uv_close((uv_handle_t *)&tick, on_closed);
    while (!closed)
        uv_run(loop, UV_RUN_NOWAIT);
}

bool run_until(uv_loop_t *loop, const bool *done)
{
    run(loop, done, PATIENCE_MS);
    return *done;
}

void run_for(uv_loop_t *loop, uint64_t ms)
{
    const bool never = false;
    run(loop, &never, ms);
}

void run_out(uv_loop_t *loop)
{
    uv_run(loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(loop), 0);
}

/* ---- Settings and folders --------------------------------------------------------------------------------------- */

struct carehub_setting *make_section(const char *const *pairs)
{
    static struct carehub_setting pool[1024];
    static size_t used;
    struct carehub_setting *section = &pool[used++];
    const struct carehub_setting **end = &section->first;
    *section = (struct carehub_setting){.name = "out", .value = ""};
    for (; pairs[0]; pairs += 2) {
        assert_true(used < sizeof pool / sizeof pool[0]);
        struct carehub_setting *item = &pool[used++];
        *item = (struct carehub_setting){.name = pairs[0], .value = strdup(pairs[1])};
        *end = item;
        end = &item->next;
    }
    return section;
}

void make_folder(char *path, size_t size)
{
    snprintf(path, size, "/tmp/carehub-outlet-XXXXXX");
    assert_non_null(mkdtemp(path));
}

void remove_folder(const char *path)
{
    char name[1024];
    DIR *dir = opendir(path);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        unlink(name);
    }
    if (dir)
        closedir(dir);
    rmdir(path);
}
