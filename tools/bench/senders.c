/* senders.c - software that sends to an adapter: each sender on a thread of its own, each message waiting for its
 * answer.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

enum {
    SENDERS_MAX = 256,
    ANSWER_MAX_BYTES = 16 << 10,
    ANSWER_TIMEOUT_MS = 30000,
    FILES_AT_ONCE = 16, /* of each sender */
    FOLDER_POLL_NS = 500000,
};

static bool is_over(const struct load *load)
{
    return now_ns() >= load->until_ns;
}

/* The next message, of any patient. */
static size_t next_message(struct load *load, char *out)
{
    uint64_t number = atomic_fetch_add(&load->number, 1) + 1;
    struct sample_of of = {.number = number, .patient = (uint32_t)(number % load->patients), .now_s = load->now_s};
    return load->how->sample(out, &of);
}

/* ---- Connections ------------------------------------------------------------------------------------------------ */

/* "127.0.0.1:2575", also with a scheme before it and a path behind it. */
static int connect_to(const char *endpoint)
{
    const char *host = strstr(endpoint, "127.0.0.1:"), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (!host)
        return -1;
    address.sin_port = htons((uint16_t)strtoul(strchr(host, ':') + 1, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){on}, sizeof(int));
    return fd;
}

static bool send_all(int fd, const char *bytes, size_t len)
{
    for (ssize_t sent; len > 0; bytes += sent, len -= (size_t)sent) {
        sent = send(fd, bytes, len, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
    }
    return true;
}

/* Reads until `is_whole` says so. The answer is terminated by a zero. */
static bool receive(int fd, char answer[ANSWER_MAX_BYTES], bool (*is_whole)(const char *answer, size_t len))
{
    for (size_t len = 0; len < ANSWER_MAX_BYTES - 1;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        ssize_t got =
            poll(&wait, 1, ANSWER_TIMEOUT_MS) == 1 ? recv(fd, answer + len, ANSWER_MAX_BYTES - 1 - len, 0) : 0;
        if (got <= 0)
            return false;
        len += (size_t)got;
        answer[len] = '\0';
        if (is_whole(answer, len))
            return true;
    }
    return false;
}

struct protocol {
    size_t (*wrap)(const char *message, size_t len, char *out, size_t size);
    bool (*is_whole)(const char *answer, size_t len);
    const char *taken; /* is in every answer that says so */
};

static void converse(struct load *load, const struct protocol *protocol, struct histogram *latency, uint64_t *refused)
{
    static const size_t size = SAMPLE_MAX_BYTES + 1024;
    char *message = malloc(SAMPLE_MAX_BYTES), *wrapped = malloc(size), answer[ANSWER_MAX_BYTES];
    int fd = connect_to(load->adapter->endpoint);
    bool ok = message && wrapped && fd >= 0;
    while (ok && !is_over(load)) {
        size_t len = protocol->wrap(message, next_message(load, message), wrapped, size);
        uint64_t from = now_ns();
        ok = send_all(fd, wrapped, len) && receive(fd, answer, protocol->is_whole);
        histogram_add(latency, now_ns() - from);
        if (ok && !strstr(answer, protocol->taken) && (*refused)++ == 0)
            fprintf(stderr, "carehub-bench: %s: not taken: %.300s\n", load->how->name, answer);
    }
    if (!ok) {
        fprintf(stderr, "carehub-bench: %s: no answer\n", load->how->name);
        (*refused)++;
    }
    if (fd >= 0)
        close(fd);
    free(message);
    free(wrapped);
}

static size_t wrap_mllp(const char *message, size_t len, char *out, size_t size)
{
    return (size_t)snprintf(out, size, "\x0b%.*s\x1c\r", (int)len, message);
}

static bool is_whole_mllp(const char *answer, size_t len)
{
    return len >= 2 && answer[len - 2] == 0x1c && answer[len - 1] == '\r';
}

static void send_mllp(struct load *load, uint32_t sender, struct histogram *latency, uint64_t *refused)
{
    static const struct protocol mllp = {.wrap = wrap_mllp, .is_whole = is_whole_mllp, .taken = "MSA|AA|"};
    (void)sender;
    converse(load, &mllp, latency, refused);
}

static size_t wrap_http(const char *message, size_t len, char *out, size_t size)
{
    return (size_t)snprintf(out, size,
                            "POST /fhir/Observation HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                            "application/fhir+json\r\nContent-Length: %zu\r\n\r\n%.*s",
                            len, (int)len, message);
}

static bool is_whole_http(const char *answer, size_t len)
{
    const char *body = strstr(answer, "\r\n\r\n"), *field = strcasestr(answer, "\r\nContent-Length:");
    if (!body || !field || field > body)
        return false;
    body += 4;
    return len >= (size_t)(body - answer) + strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
}

static void send_http(struct load *load, uint32_t sender, struct histogram *latency, uint64_t *refused)
{
    static const struct protocol http = {.wrap = wrap_http, .is_whole = is_whole_http, .taken = "HTTP/1.1 201 "};
    (void)sender;
    converse(load, &http, latency, refused);
}

/* ---- Folder ----------------------------------------------------------------------------------------------------- */

struct drop {
    char path[2 * BENCH_PATH_BYTES];
    uint64_t since_ns; /* 0: it is gone */
};

static bool put_file(struct load *load, uint32_t sender, const char *bytes, size_t len, struct drop *drop)
{
    char hidden[2 * BENCH_PATH_BYTES];
    uint64_t number = atomic_fetch_add(&load->number, 1) + 1;
    snprintf(hidden, sizeof hidden, "%s/drop/.%u", load->adapter->dir, sender);
    snprintf(drop->path, sizeof drop->path, "%s/drop/%012llu.xml", load->adapter->dir, (unsigned long long)number);
    FILE *file = fopen(hidden, "we");
    bool written = file && fwrite(bytes, 1, len, file) == len;
    if (file)
        written = fclose(file) == 0 && written;
    drop->since_ns = now_ns();
    return written && rename(hidden, drop->path) == 0;
}

/* Waits until the adapter has taken them all. */
static bool await_gone(struct drop *drops, size_t n, struct histogram *latency)
{
    uint64_t from = now_ns();
    for (size_t gone = 0; gone < n;) {
        for (size_t i = 0; i < n; i++) {
            if (drops[i].since_ns == 0 || access(drops[i].path, F_OK) == 0)
                continue;
            histogram_add(latency, now_ns() - drops[i].since_ns);
            drops[i].since_ns = 0;
            gone++;
        }
        if (now_ns() - from > ANSWER_TIMEOUT_MS * 1000000ull)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = FOLDER_POLL_NS}, NULL);
    }
    return true;
}

/* Versions of the scheme of one patient, which is the sender's own. */
static void send_folder(struct load *load, uint32_t sender, struct histogram *latency, uint64_t *refused)
{
    struct drop drops[FILES_AT_ONCE];
    char *message = malloc(SAMPLE_MAX_BYTES);
    bool ok = message != NULL;
    for (uint32_t version = 1; ok && !is_over(load);) {
        for (size_t i = 0; ok && i < FILES_AT_ONCE; i++, version++) {
            struct sample_of of = {.number = ((uint64_t)sender << 32) + version,
                                   .patient = sender % load->patients,
                                   .version = version,
                                   .now_s = load->now_s};
            ok = put_file(load, sender, message, load->how->sample(message, &of), &drops[i]);
        }
        ok = ok && await_gone(drops, FILES_AT_ONCE, latency);
    }
    if (!ok) {
        fprintf(stderr, "carehub-bench: %s: files are not taken\n", load->how->name);
        (*refused)++;
    }
    free(message);
}

const struct sending sendings[] = {
    {"HL7 ADT^A03 by MLLP", "    transport = mllp\n    endpoint = 127.0.0.1:0\n    connections-max = 256\n",
     native_hospital_conf, sample_adt_a03, send_mllp},
    {"FHIR Observation by HTTP", "    transport = http\n    endpoint = 127.0.0.1:0\n", native_homecare_conf,
     sample_fhir_fall, send_http},
    {"KMEHR, 20 lines, from a folder", "    transport = folder\n    path = drop\n    keep = no\n    settle-ms = 0\n",
     native_pharmacy_conf, sample_kmehr_scheme, send_folder},
};

/* ---- All of them ------------------------------------------------------------------------------------------------ */

struct sender {
    struct load *load;
    uint32_t index;
    pthread_t thread;
    struct histogram latency;
    uint64_t refused;
};

static void *run_sender(void *arg)
{
    struct sender *self = arg;
    self->load->how->send(self->load, self->index, &self->latency, &self->refused);
    return NULL;
}

bool load_run(struct load *load)
{
    struct sender *senders = calloc(load->senders, sizeof *senders);
    uint32_t started = 0;
    uint64_t from = now_ns();
    if (!senders || load->senders > SENDERS_MAX)
        return free(senders), complain("too many senders");
    while (started < load->senders) {
        struct sender *sender = &senders[started];
        *sender = (struct sender){.load = load, .index = started};
        if (pthread_create(&sender->thread, NULL, run_sender, sender) != 0)
            break;
        started++;
    }
    for (uint32_t i = 0; i < started; i++) {
        pthread_join(senders[i].thread, NULL);
        histogram_merge(&load->latency, &senders[i].latency);
        load->refused += senders[i].refused;
    }
    load->elapsed_ns = now_ns() - from;
    load->answered = load->latency.n;
    free(senders);
    return started == load->senders || complain("cannot start a thread");
}
