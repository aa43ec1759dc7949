#include "gate/zap.h"

#include <errno.h>
#include <string.h>
#include <sodium.h>
#include <zmq.h>

#include "gate/memory.h"
#include "log_line.h"

enum { PARTS = 7, PART_MAX_BYTES = 256, USER_ID_CHARS = 2 * KEY_BYTES };

/* The parts of a request, in their order. */
enum { VERSION, REQUEST_ID, DOMAIN, ADDRESS, ROUTING_ID, MECHANISM, CREDENTIALS };

struct zap {
    void *socket;
    struct door *door;
};

struct part {
    size_t size;
    char data[PART_MAX_BYTES];
};

struct zap *zap_open(void *context, struct door *door)
{
    struct zap *zap = memory_get(sizeof *zap);
    const int linger_ms = 0;

    *zap = (struct zap){zmq_socket(context, ZMQ_REP), door};
    if (zap->socket && zmq_setsockopt(zap->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms) == 0 &&
        zmq_bind(zap->socket, "inproc://zeromq.zap.01") == 0)
        return zap;
    int error = errno;
    zap_close(&zap);
    errno = error;
    return NULL;
}

void zap_close(struct zap **zap)
{
    if (!*zap)
        return;
    if ((*zap)->socket)
        zmq_close((*zap)->socket);
    free(*zap);
    *zap = NULL;
}

void *zap_socket(const struct zap *zap)
{
    return zap->socket;
}

/* Reads one request; parts that are too long or too many are remembered as an impossible size. False: none
 * waiting. */
static bool receive(void *socket, struct part parts[PARTS], size_t *n)
{
    int more = 1;
    size_t more_size = sizeof more;

    for (*n = 0; more; ++*n) {
        struct part surplus;
        struct part *part = *n < PARTS ? &parts[*n] : &surplus;
        int size = zmq_recv(socket, part->data, sizeof part->data, ZMQ_DONTWAIT);
        if (size < 0)
            return false;
        part->size = (size_t)size;
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &more_size) != 0)
            return false;
    }
    return true;
}

static bool is(const struct part *part, const char *text)
{
    return part->size == strlen(text) && memcmp(part->data, text, part->size) == 0;
}

/* Why the connection is refused, or NULL. */
static const char *refusal(const struct zap *zap, const struct part parts[PARTS], size_t n, int64_t now_ms)
{
    if (n != PARTS || !is(&parts[VERSION], "1.0"))
        return "not a ZAP 1.0 request";
    if (!is(&parts[DOMAIN], ZAP_DOMAIN))
        return "not the domain of this hub";
    if (!is(&parts[MECHANISM], "CURVE") || parts[CREDENTIALS].size != KEY_BYTES)
        return "only CURVE is accepted";
    if (parts[ROUTING_ID].size != 0)
        return "a routing id of one's own is not accepted";
    if (!door_admit(zap->door, (const uint8_t *)parts[CREDENTIALS].data, now_ms))
        return "the key is not in standing, or too many unknown keys want to enrol";
    return NULL;
}

static void reply(void *socket, const struct part *request_id, const char *refused, const char *user_id)
{
    size_t id_size = request_id->size <= sizeof request_id->data ? request_id->size : 0;

    /* The peer is only told that it was refused. A reply that cannot be sent ends in the handshake's time
     * limit. */
    zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(socket, request_id->data, id_size, ZMQ_SNDMORE);
    zmq_send(socket, refused ? "400" : "200", 3, ZMQ_SNDMORE);
    zmq_send(socket, "", 0, ZMQ_SNDMORE);
    zmq_send(socket, user_id, strlen(user_id), ZMQ_SNDMORE);
    zmq_send(socket, "", 0, 0);
}

void zap_answer(struct zap *zap, int64_t now_ms)
{
    struct part parts[PARTS];
    size_t n;

    while (receive(zap->socket, parts, &n)) {
        char user_id[USER_ID_CHARS + 1] = "";
        const char *refused = refusal(zap, parts, n, now_ms);
        if (refused)
            LOG_LINE(LOG_LEVEL_WARNING, "refused a connection from %.*s: %s",
                     n > ADDRESS && parts[ADDRESS].size < 64 ? (int)parts[ADDRESS].size : 0, parts[ADDRESS].data,
                     refused);
        else
            sodium_bin2hex(user_id, sizeof user_id, (const uint8_t *)parts[CREDENTIALS].data, KEY_BYTES);
        reply(zap->socket, n > REQUEST_ID ? &parts[REQUEST_ID] : &(struct part){0}, refused, user_id);
    }
}
