/* session.c - the session with the hub. */
#include "client.h"

#include <stdio.h>

#include "clock.h"
#include "sdk_limits.h"

void session_init(struct carehub_client *c)
{
    c->session = (struct session){.phase = SESSION_AWAY, .heartbeat_ms = HEARTBEAT_DEFAULT_MS};
    arena_init(&c->session.arena);
}

bool session_send(struct carehub_client *c, const Carehub__V1__ToHub *message)
{
    if (link_send(&c->session.link, message) != CAREHUB_OK)
        return false;
    c->session.sent_ms = clock_ms();
    return true;
}

/* What was under way on the session is to be done again on the next one. */
static void suspend_parts(struct carehub_client *c)
{
    if (c->session.phase != SESSION_OPEN)
        return;
    publish_lost(c);
    subscribe_lost(c);
    query_lost(c);
}

/* Leaves the connection; the next try is after a back-off. */
static void leave(struct carehub_client *c, enum carehub_state state, int64_t delay_ms, const char *why)
{
    struct session *s = &c->session;
    suspend_parts(c);
    link_close(&s->link, 0);
    s->phase = SESSION_AWAY;
    s->due_ms = clock_ms() + delay_ms;
    client_set_state(c, state, why);
}

static void lost(struct carehub_client *c, const char *why)
{
    leave(c, CAREHUB_DISCONNECTED, backoff_ms(c->session.failures++, RECONNECT_FIRST_MS, RECONNECT_LONGEST_MS), why);
}

static void not_admitted(struct carehub_client *c, const char *why)
{
    leave(c, CAREHUB_NOT_ADMITTED, backoff_ms(c->session.refusals++, REFUSED_FIRST_MS, REFUSED_LONGEST_MS), why);
}

static void connect_now(struct carehub_client *c)
{
    struct session *s = &c->session;
    if (link_open(&s->link, c->context, c->options.endpoint, c->options.hub_key, &c->options.key) != CAREHUB_OK) {
        lost(c, carehub_error());
        return;
    }
    s->phase = SESSION_KNOCKING;
}

static void say_hello(struct carehub_client *c)
{
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    hello.min_version = PROTOCOL_MIN;
    hello.max_version = PROTOCOL_MAX;
    hello.software = (char *)c->options.software;
    hello.software_version = (char *)c->options.software_version;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    c->session.phase = SESSION_GREETING;
    c->session.due_ms = clock_ms() + WELCOME_MS;
    session_send(c, &message);
}

static void beat(struct carehub_client *c, int64_t now_ms)
{
    Carehub__V1__ToHub empty = CAREHUB__V1__TO_HUB__INIT;
    c->session.beat_ms = now_ms;
    session_send(c, &empty);
}

/* A heartbeat is due when either side was silent: to be heard, or to hear whether the hub is there. */
static int64_t beat_due_ms(const struct session *s)
{
    int64_t since_ms = s->heard_ms < s->sent_ms ? s->heard_ms : s->sent_ms;
    if (s->beat_ms > since_ms)
        since_ms = s->beat_ms;
    return since_ms + s->heartbeat_ms;
}

static int64_t silence_due_ms(const struct session *s)
{
    return s->heard_ms + (int64_t)HEARTBEATS_MISSED_MAX * s->heartbeat_ms;
}

void session_step(struct carehub_client *c, int64_t now_ms)
{
    struct session *s = &c->session;
    switch (s->phase) {
    case SESSION_AWAY:
        if (now_ms >= s->due_ms)
            connect_now(c);
        break;
    case SESSION_KNOCKING:
        break;
    case SESSION_GREETING:
        if (now_ms >= s->due_ms)
            lost(c, "the hub accepted the connection but does not answer");
        break;
    case SESSION_OPEN:
        if (now_ms >= silence_due_ms(s))
            lost(c, "the hub has fallen silent");
        else if (now_ms >= beat_due_ms(s))
            beat(c, now_ms);
        break;
    }
}

int64_t session_due_ms(const struct carehub_client *c)
{
    const struct session *s = &c->session;
    if (s->phase == SESSION_KNOCKING)
        return INT64_MAX;
    if (s->phase != SESSION_OPEN)
        return s->due_ms;
    int64_t beat_ms = beat_due_ms(s), silence_ms = silence_due_ms(s);
    return beat_ms < silence_ms ? beat_ms : silence_ms;
}

static uint32_t limit(uint32_t value, uint32_t most)
{
    return value == 0 || value > most ? most : value;
}

static void take_welcome(struct carehub_client *c, const Carehub__V1__Welcome *welcome)
{
    struct session *s = &c->session;
    const Carehub__V1__Limits none = CAREHUB__V1__LIMITS__INIT;
    const Carehub__V1__Limits *limits = welcome->limits ? welcome->limits : &none;
    if (s->phase != SESSION_GREETING)
        return;
    s->frame_max_bytes = limit(limits->frame_max_bytes, FRAME_MAX_BYTES);
    s->batch_max_items = limit(limits->batch_max_items, FRAME_PUBLICATIONS);
    s->window_items = limit(limits->publish_max_unconfirmed, PUBLISH_SPAN);
    s->window_bytes = limit(limits->publish_max_unconfirmed_bytes, INT32_MAX);
    s->heartbeat_ms = limits->heartbeat_ms ? limits->heartbeat_ms : HEARTBEAT_DEFAULT_MS;
    if (s->heartbeat_ms < HEARTBEAT_LEAST_MS)
        s->heartbeat_ms = HEARTBEAT_LEAST_MS;
    s->failures = s->refusals = 0;
    s->beat_ms = 0;
    s->phase = SESSION_OPEN;
    client_set_welcome(c, welcome);
    client_set_state(c, CAREHUB_CONNECTED, NULL);
}

static void take_error(struct carehub_client *c, const Carehub__V1__Error *error)
{
    switch ((int)error->code) {
    case CAREHUB__V1__ERROR_CODE__NO_HELLO:
        if (c->session.phase == SESSION_GREETING)
            return; /* the answer to something sent before that Hello */
        suspend_parts(c);
        client_set_state(c, CAREHUB_DISCONNECTED, "the hub has lost the session; saying Hello again");
        say_hello(c);
        return;
    case CAREHUB__V1__ERROR_CODE__REVOKED:
    case CAREHUB__V1__ERROR_CODE__NOT_ENROLLED:
    case CAREHUB__V1__ERROR_CODE__VERSION_UNSUPPORTED:
        not_admitted(c, error->text);
        return;
    }
    if (c->session.phase != SESSION_OPEN) {
        if (error->retry)
            lost(c, error->text);
        else
            not_admitted(c, error->text);
        return;
    }
    if (subscribe_refused(c, error))
        return;
    /* It belongs to no publication, inbox or question: whatever it was about would never be answered. */
    client_warn(c, "the hub refused a frame: %s", error->text);
    lost(c, error->text);
}

static void take_message(struct carehub_client *c, const Carehub__V1__ToClient *m)
{
    bool open = c->session.phase == SESSION_OPEN;
    switch (m->message_case) {
    case CAREHUB__V1__TO_CLIENT__MESSAGE_WELCOME:
        take_welcome(c, m->welcome);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR:
        take_error(c, m->error);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_BYE:
        lost(c, "the hub is shutting down");
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM:
        if (open)
            publish_confirm(c, m->confirm);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER:
        if (open)
            query_answer(c, m->answer);
        break;
    default:
        if (open)
            subscribe_take(c, m);
    }
}

static void take_frame(struct carehub_client *c, zmq_msg_t *frame)
{
    c->session.heard_ms = clock_ms();
    if (zmq_msg_size(frame) == 0)
        return; /* a heartbeat's answer */
    const Carehub__V1__ToClient *m =
        frame_unpack(&c->session.arena, &carehub__v1__to_client__descriptor, zmq_msg_data(frame), zmq_msg_size(frame));
    if (m)
        take_message(c, m);
    else
        lost(c, "the hub sent something that is not of this protocol");
    arena_reset(&c->session.arena);
}

static void take_event(struct carehub_client *c, enum link_event event)
{
    char text[ERROR_TEXT_BYTES];
    switch (event) {
    case LINK_READY:
        c->session.heard_ms = clock_ms();
        say_hello(c);
        break;
    case LINK_UNREACHABLE:
        snprintf(text, sizeof text, "the hub at %s cannot be reached; trying again", c->options.endpoint);
        client_set_state(c, CAREHUB_DISCONNECTED, text);
        break;
    case LINK_SHUT_OUT:
        not_admitted(c, "the hub does not know this client's key, or it was revoked: enrol it, or ask the registrar");
        break;
    case LINK_LOST:
        lost(c, c->session.phase == SESSION_KNOCKING ? "the connection was not accepted: is hub-key the hub's own?"
                                                     : "the connection to the hub was lost");
        break;
    case LINK_NOTHING:
        break;
    }
}

/* Frames first: what came before the connection broke is taken before it is given up. */
bool session_receive(struct carehub_client *c)
{
    struct session *s = &c->session;
    zmq_msg_t frame;
    int n = 0;
    zmq_msg_init(&frame);
    while (n < FRAMES_AT_A_TIME && link_receive(&s->link, &frame)) {
        take_frame(c, &frame);
        n++;
    }
    zmq_msg_close(&frame);
    if (n == FRAMES_AT_A_TIME)
        return true;
    for (enum link_event event; (event = link_event(&s->link)) != LINK_NOTHING;)
        take_event(c, event);
    return false;
}

void session_fini(struct carehub_client *c)
{
    struct session *s = &c->session;
    if (s->phase == SESSION_OPEN) {
        Carehub__V1__Bye bye = CAREHUB__V1__BYE__INIT;
        Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
        message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_BYE;
        message.bye = &bye;
        session_send(c, &message);
    }
    link_close(&s->link, s->phase == SESSION_OPEN ? LINGER_MS : 0);
    arena_fini(&s->arena);
}
