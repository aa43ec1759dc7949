/* enrol.c - enrolment tickets, and the one exchange in which a new client makes its key known. */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "carehub.h"
#include "clock.h"
#include "error.h"
#include "frame.h"
#include "keyfile.h"
#include "link.h"

#define TICKET_PREFIX "carehub-ticket:v1:"
enum { TICKET_MAX_CHARS = 512, TICKET_TAIL_CHARS = 2 * (1 + KEY_HEX_CHARS) };

int carehub_ticket(char *ticket, size_t size, const char *endpoint, const uint8_t hub_key[CAREHUB_KEY_BYTES],
                   const uint8_t token[CAREHUB_KEY_BYTES])
{
    char hub_hex[KEY_HEX_CHARS + 1], token_hex[KEY_HEX_CHARS + 1];
    if (!ticket || !endpoint || !hub_key || !token)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_ticket: an argument is NULL");
    key_to_hex(hub_key, hub_hex);
    key_to_hex(token, token_hex);
    int n = snprintf(ticket, size, TICKET_PREFIX "%s:%s:%s", endpoint, hub_hex, token_hex);
    sodium_memzero(token_hex, sizeof token_hex);
    if (n < 0 || (size_t)n >= size || n > TICKET_MAX_CHARS)
        return error_set(CAREHUB_INVALID_ARGUMENT, "the ticket needs %d characters", n + 1);
    return CAREHUB_OK;
}

struct ticket {
    char endpoint[TICKET_MAX_CHARS];
    uint8_t hub_key[CAREHUB_KEY_BYTES];
    uint8_t token[CAREHUB_KEY_BYTES];
};

/* Read from the right: an endpoint has colons of its own. White space around it is forgiven, it is often pasted. */
static bool ticket_parse(struct ticket *ticket, const char *text)
{
    text += strspn(text, " \t\r\n");
    size_t len = strcspn(text, " \t\r\n"), prefix = strlen(TICKET_PREFIX);
    if (len > TICKET_MAX_CHARS || len <= prefix + TICKET_TAIL_CHARS || strncmp(text, TICKET_PREFIX, prefix) != 0)
        return false;
    const char *tail = text + len - TICKET_TAIL_CHARS;
    if (tail[0] != ':' || !key_from_hex(tail + 1, ticket->hub_key) || tail[1 + KEY_HEX_CHARS] != ':' ||
        !key_from_hex(tail + 2 + KEY_HEX_CHARS, ticket->token))
        return false;
    snprintf(ticket->endpoint, sizeof ticket->endpoint, "%.*s", (int)(tail - text - (ptrdiff_t)prefix), text + prefix);
    return true;
}

static int send_token(struct link *link, struct ticket *ticket)
{
    Carehub__V1__Enrol enrol = CAREHUB__V1__ENROL__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    enrol.token = (ProtobufCBinaryData){CAREHUB_KEY_BYTES, ticket->token};
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ENROL;
    message.enrol = &enrol;
    int result = link_send(link, &message);
    return result == CAREHUB_OK ? result : error_set(result, "the enrolment token could not be sent");
}

/* 1: not the answer yet. */
static int read_answer(struct link *link, struct arena *arena, char *name, size_t name_size)
{
    int result = 1;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    while (result == 1 && link_receive(link, &frame)) {
        const Carehub__V1__ToClient *m =
            frame_unpack(arena, &carehub__v1__to_client__descriptor, zmq_msg_data(&frame), zmq_msg_size(&frame));
        if (m && m->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR)
            result = error_set(CAREHUB_REFUSED, "%s", m->error->text);
        else if (m && m->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ENROLLED) {
            if (name)
                snprintf(name, name_size, "%s", m->enrolled->client);
            result = CAREHUB_OK;
        }
    }
    zmq_msg_close(&frame);
    return result;
}

static int take_events(struct link *link, struct ticket *ticket)
{
    for (enum link_event event; (event = link_event(link)) != LINK_NOTHING;) {
        if (event == LINK_READY) {
            int result = send_token(link, ticket);
            if (result != CAREHUB_OK)
                return result;
        } else if (event == LINK_SHUT_OUT)
            return error_set(CAREHUB_REFUSED, "the hub has no open enrolment: the ticket was used or has expired; "
                                              "ask the registrar for a new one");
    }
    return CAREHUB_OK;
}

static int converse(struct link *link, struct ticket *ticket, int timeout_ms, char *name, size_t name_size)
{
    struct arena arena;
    arena_init(&arena);
    int64_t deadline_ms = clock_ms() + timeout_ms, left_ms;
    int result = 1;
    while (result == 1 && (left_ms = deadline_ms - clock_ms()) > 0) {
        zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
                                  {.socket = link->monitor, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, (long)left_ms);
        result = take_events(link, ticket);
        if (result == CAREHUB_OK)
            result = read_answer(link, &arena, name, name_size);
    }
    arena_fini(&arena);
    if (result == 1)
        result = error_set(CAREHUB_TIMEOUT, "no answer from the hub at %s within %d ms", ticket->endpoint, timeout_ms);
    return result;
}

int carehub_enrol(const char *ticket_text, const struct carehub_keypair *pair, int timeout_ms, char *endpoint,
                  size_t endpoint_size, uint8_t hub_key[CAREHUB_KEY_BYTES], char *client_name, size_t client_name_size)
{
    struct ticket ticket;
    if (!ticket_text || !pair || !endpoint || !hub_key)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_enrol: an argument is NULL");
    if (!ticket_parse(&ticket, ticket_text))
        return error_set(CAREHUB_INVALID_ARGUMENT,
                         "this is not an enrolment ticket: expected " TICKET_PREFIX "<endpoint>:<hub key>:<token>");
    if (strlen(ticket.endpoint) >= endpoint_size)
        return error_set(CAREHUB_INVALID_ARGUMENT, "no room for the endpoint: %zu bytes", strlen(ticket.endpoint) + 1);

    struct link link;
    void *context = zmq_ctx_new();
    int result = link_open(&link, context, ticket.endpoint, ticket.hub_key, pair);
    if (result == CAREHUB_OK)
        result = converse(&link, &ticket, timeout_ms, client_name, client_name_size);
    link_close(&link, 0);
    zmq_ctx_term(context);
    if (result == CAREHUB_OK) {
        snprintf(endpoint, endpoint_size, "%s", ticket.endpoint);
        memcpy(hub_key, ticket.hub_key, CAREHUB_KEY_BYTES);
    }
    sodium_memzero(&ticket, sizeof ticket);
    return result;
}
