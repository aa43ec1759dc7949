#include "publisher.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"

/* An event on its way. */
struct ticket {
    struct ticket *next;      /* in its bucket */
    struct ticket *next_lane; /* waiting for the spool */
    struct publisher *publisher;
    uint8_t id[CAREHUB_ID_BYTES];
    uint8_t *bytes;
    size_t size;
    struct publisher_wait *waits;
    int result;   /* of carehub_publish_bytes */
    bool in_lane; /* a worker may use it */
    bool settled; /* the hub has spoken before the worker was done */
    char text[PUBLISHER_TEXT_BYTES];
};

/* What the library's thread has to say. */
struct news {
    struct news *next;
    uint8_t id[CAREHUB_ID_BYTES];
    enum format_fault fault;
    bool final; /* refused for good */
    char code[32];
    char text[PUBLISHER_TEXT_BYTES];
};

struct lane {
    uv_work_t work; /* first */
    struct publisher *publisher;
    struct ticket *waiting, **end;
    struct ticket *working;
    bool busy;
};

struct publisher {
    uv_async_t async; /* first */
    carehub_client *client;
    bool spool;
    atomic_int state; /* enum carehub_state */
    struct lane lanes[PUBLISHER_LANES];
    struct ticket *buckets[PUBLISHER_BUCKETS];
    publisher_refused_fn *refused;
    void *arg;
    pthread_mutex_t lock; /* of the news */
    struct news *news, **news_end;
    bool closing;
};

/* ---- Tickets ---------------------------------------------------------------------------------------------------- */

static struct ticket **bucket(struct publisher *self, const uint8_t id[CAREHUB_ID_BYTES])
{
    return &self->buckets[(id[14] << 8 | id[15]) % PUBLISHER_BUCKETS];
}

static struct ticket *find(struct publisher *self, const uint8_t id[CAREHUB_ID_BYTES])
{
    struct ticket *t = *bucket(self, id);
    while (t && memcmp(t->id, id, CAREHUB_ID_BYTES) != 0)
        t = t->next;
    return t;
}

static void drop(struct ticket *t)
{
    struct ticket **at = bucket(t->publisher, t->id);
    while (*at && *at != t)
        at = &(*at)->next;
    if (*at)
        *at = t->next;
    free(t->bytes);
    free(t);
}

/* Tells those who wait: all, or only those for whom the spool is enough. */
static void tell(struct ticket *t, bool only_for_spool, enum format_fault fault, const char *text)
{
    struct publisher_wait *left = NULL;
    for (struct publisher_wait *wait = t->waits, *next; wait; wait = next) {
        next = wait->next;
        if (only_for_spool && !wait->for_spool) {
            wait->next = left;
            left = wait;
            continue;
        }
        wait->ticket = NULL;
        t->waits = next;
        wait->done(wait, fault, text);
    }
    t->waits = left;
}

/* ---- What the library says (its thread) ------------------------------------------------------------------------- */

static enum format_fault fault_of(const Carehub__V1__Error *error)
{
    switch (error->code) {
    case CAREHUB__V1__ERROR_CODE__ID_CONFLICT:
        return FORMAT_FAULT_DUPLICATE;
    case CAREHUB__V1__ERROR_CODE__CORRECTION_UNKNOWN:
        return FORMAT_FAULT_ORIGINAL;
    case CAREHUB__V1__ERROR_CODE__NOT_ALLOWED:
    case CAREHUB__V1__ERROR_CODE__NOT_ENROLLED:
    case CAREHUB__V1__ERROR_CODE__REVOKED:
        return FORMAT_FAULT_NOT_ALLOWED;
    default:
        if (error->retry)
            return FORMAT_FAULT_UNAVAILABLE;
        return strncmp(error->field, "patient", 7) == 0 ? FORMAT_FAULT_IDENTITY : FORMAT_FAULT_CONTENT;
    }
}

static void describe(struct news *news, int status, const Carehub__V1__Confirmation *confirmation)
{
    const Carehub__V1__Error *error = confirmation ? confirmation->error : NULL;
    if (status == CAREHUB_OK)
        return;
    news->fault = FORMAT_FAULT_UNAVAILABLE;
    snprintf(news->text, sizeof news->text, "the hub could not be asked: %s; send it again", carehub_strerror(status));
    if (status != CAREHUB_REFUSED || !error)
        return;
    const ProtobufCEnumValue *code =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__error_code__descriptor, (int)error->code);
    news->fault = fault_of(error);
    news->final = !error->retry;
    snprintf(news->code, sizeof news->code, "%s", code ? code->name : "refused");
    snprintf(news->text, sizeof news->text, "the hub refuses it: %s%s%s", error->field, error->field[0] ? ": " : "",
             error->text);
}

static void bring(struct publisher *self, const uint8_t id[CAREHUB_ID_BYTES], int status,
                  const Carehub__V1__Confirmation *confirmation)
{
    struct news *news = calloc(1, sizeof *news);
    if (!news)
        abort(); /* an outcome must not get lost, and nobody can be told here */
    memcpy(news->id, id, CAREHUB_ID_BYTES);
    describe(news, status, confirmation);
    pthread_mutex_lock(&self->lock);
    *self->news_end = news;
    self->news_end = &news->next;
    pthread_mutex_unlock(&self->lock);
    uv_async_send(&self->async);
}

/* With a spool the library tells of every event by its id, those of an earlier process included. */
static void on_settled(void *arg, const uint8_t id[CAREHUB_ID_BYTES], int status,
                       const Carehub__V1__Confirmation *confirmation)
{
    bring(arg, id, status, confirmation);
}

/* Without one, each publication has its callback. The ticket stays until the news of it has been heard. */
static void on_confirm(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct ticket *t = arg;
    bring(t->publisher, t->id, status, confirmation);
}

static void on_state(void *arg, enum carehub_state state, const char *error)
{
    struct publisher *self = arg;
    atomic_store(&self->state, (int)state);
    if (state == CAREHUB_CONNECTED)
        LOG_LINE(LOG_LEVEL_INFO, "connected to the hub");
    else if (state != CAREHUB_CONNECTING)
        LOG_LINE(LOG_LEVEL_WARNING, "%s: %s",
                 state == CAREHUB_NOT_ADMITTED ? "the hub does not admit this adapter" : "the hub cannot be reached",
                 error ? error : "no reason was given");
}

static void on_warning(void *arg, const char *text)
{
    (void)arg;
    LOG_LINE(LOG_LEVEL_WARNING, "%s", text);
}

/* ---- Hearing of it (the loop) ----------------------------------------------------------------------------------- */

static void hear(struct publisher *self, const struct news *news)
{
    struct ticket *t = find(self, news->id);
    if (news->final)
        self->refused(self->arg, news->id, news->code, news->text);
    if (!t)
        return;
    tell(t, false, news->fault, news->text);
    if (t->in_lane)
        t->settled = true;
    else
        drop(t);
}

static void on_async(uv_async_t *async)
{
    struct publisher *self = (struct publisher *)async;
    pthread_mutex_lock(&self->lock);
    struct news *news = self->news;
    self->news = NULL;
    self->news_end = &self->news;
    pthread_mutex_unlock(&self->lock);
    for (struct news *next; news; news = next) {
        next = news->next;
        hear(self, news);
        free(news);
    }
}

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

static void hand_over(struct ticket *t)
{
    struct publisher *self = t->publisher;
    t->result =
        carehub_publish_bytes(self->client, t->bytes, t->size, self->spool ? NULL : on_confirm, self->spool ? NULL : t);
    if (t->result != CAREHUB_OK)
        snprintf(t->text, sizeof t->text, "%s: %s", carehub_strerror(t->result), carehub_error());
    free(t->bytes);
    t->bytes = NULL;
}

/* Handed over, or not taken. */
static void handed_over(struct ticket *t)
{
    bool lasting = t->result == CAREHUB_INVALID_ARGUMENT;
    t->in_lane = false;
    if (lasting)
        t->publisher->refused(t->publisher->arg, t->id, "INVALID", t->text);
    if (t->result != CAREHUB_OK)
        tell(t, false, lasting ? FORMAT_FAULT_CONTENT : FORMAT_FAULT_UNAVAILABLE, t->text);
    else if (t->publisher->spool)
        tell(t, true, FORMAT_FAULT_NONE, "");
    /* Who only wanted it in the spool is content; the hub's word, should it refuse, comes by the event's id. */
    if (t->result != CAREHUB_OK || t->settled || (t->publisher->spool && !t->waits))
        drop(t);
}

static void lane_work(uv_work_t *work)
{
    struct lane *lane = (struct lane *)work;
    for (struct ticket *t = lane->working; t; t = t->next_lane)
        hand_over(t);
}

static void lane_start(struct lane *lane);

static void lane_done(uv_work_t *work, int status)
{
    struct lane *lane = (struct lane *)work;
    struct ticket *t = lane->working;
    (void)status;
    lane->working = NULL;
    lane->busy = false;
    for (struct ticket *next; t; t = next) {
        next = t->next_lane;
        handed_over(t);
    }
    lane_start(lane);
}

static void lane_start(struct lane *lane)
{
    if (lane->busy || !lane->waiting)
        return;
    lane->working = lane->waiting;
    lane->waiting = NULL;
    lane->end = &lane->waiting;
    lane->busy = uv_queue_work(lane->publisher->async.loop, &lane->work, lane_work, lane_done) == 0;
}

/* NULL without memory. */
static struct ticket *ticket_new(struct publisher *self, const Carehub__V1__Event *event)
{
    struct ticket *t = calloc(1, sizeof *t);
    size_t size = carehub__v1__event__get_packed_size(event);
    if (!t || event->id.len != CAREHUB_ID_BYTES || !(t->bytes = malloc(size))) {
        free(t);
        return NULL;
    }
    t->publisher = self;
    t->size = carehub__v1__event__pack(event, t->bytes);
    memcpy(t->id, event->id.data, CAREHUB_ID_BYTES);
    t->next = *bucket(self, t->id);
    *bucket(self, t->id) = t;
    return t;
}

void publisher_publish(struct publisher *self, const Carehub__V1__Event *event, uint64_t lane_number,
                       struct publisher_wait *wait)
{
    struct ticket *t = event->id.len == CAREHUB_ID_BYTES ? find(self, event->id.data) : NULL;
    bool is_new = !t;
    if (is_new)
        t = ticket_new(self, event);
    if (!t) {
        wait->done(wait, FORMAT_FAULT_UNAVAILABLE, "the adapter is out of memory; send it again");
        return;
    }
    if (!is_new && wait->for_spool && self->spool && !t->in_lane) {
        wait->done(wait, FORMAT_FAULT_NONE, ""); /* it is in the spool since */
        return;
    }
    wait->ticket = t;
    wait->next = t->waits;
    t->waits = wait;
    if (!is_new)
        return;
    if (!self->spool) {
        hand_over(t);
        handed_over(t);
        return;
    }
    struct lane *lane = &self->lanes[lane_number % PUBLISHER_LANES];
    t->in_lane = true;
    *lane->end = t;
    lane->end = &t->next_lane;
    lane_start(lane);
}

void publisher_leave(struct publisher_wait *wait)
{
    if (!wait->ticket)
        return;
    struct publisher_wait **at = &wait->ticket->waits;
    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    wait->ticket = NULL;
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

bool publisher_has_spool(const struct publisher *self)
{
    return self->spool;
}

bool publisher_connected(const struct publisher *self)
{
    return atomic_load(&self->state) == CAREHUB_CONNECTED;
}

static void on_async_closed(uv_handle_t *handle)
{
    struct publisher *self = (struct publisher *)handle;
    pthread_mutex_destroy(&self->lock);
    free(self);
}

struct publisher *publisher_new(uv_loop_t *loop, const struct carehub_options *given, publisher_refused_fn *refused,
                                void *arg)
{
    struct publisher *self = calloc(1, sizeof *self);
    struct carehub_options options = *given;
    if (!self || uv_async_init(loop, &self->async, on_async) != 0) {
        free(self);
        return NULL;
    }
    self->spool = options.spool_dir != NULL;
    self->refused = refused;
    self->arg = arg;
    self->news_end = &self->news;
    pthread_mutex_init(&self->lock, NULL);
    for (int i = 0; i < PUBLISHER_LANES; i++) {
        self->lanes[i].publisher = self;
        self->lanes[i].end = &self->lanes[i].waiting;
    }
    options.on_state = on_state;
    options.on_warning = on_warning;
    options.arg = self;
    if (carehub_open(&self->client, &options) != CAREHUB_OK) {
        uv_close((uv_handle_t *)&self->async, on_async_closed);
        return NULL;
    }
    if (self->spool)
        carehub_spool_on_settled(self->client, on_settled, self);
    return self;
}

static bool any_busy(const struct publisher *self)
{
    for (int i = 0; i < PUBLISHER_LANES; i++)
        if (self->lanes[i].busy)
            return true;
    return false;
}

void publisher_close(struct publisher **closing)
{
    struct publisher *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    while (any_busy(self)) /* workers use the client; they wait for the disk only */
        uv_run(self->async.loop, UV_RUN_ONCE);
    carehub_close(&self->client);
    on_async(&self->async);
    for (size_t i = 0; i < PUBLISHER_BUCKETS; i++)
        while (self->buckets[i]) {
            tell(self->buckets[i], false, FORMAT_FAULT_UNAVAILABLE, "the adapter is being stopped; send it again");
            drop(self->buckets[i]);
        }
    uv_close((uv_handle_t *)&self->async, on_async_closed);
}
