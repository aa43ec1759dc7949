#include "outlet_inbox.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "settings.h"

enum { LANES = 2, ERROR_BYTES = 256 };

/* What the library's thread has to say, in its order. */
enum news_kind { NEWS_DELIVERY, NEWS_SKIP, NEWS_ATTACHED, NEWS_DETACHED };

struct news {
    struct news *next;
    enum news_kind kind;
    struct outlet_delivery *delivery;
    Carehub__V1__Lane lane; /* of a skip */
    uint64_t from, to;
    int status; /* of a detachment */
    char error[ERROR_BYTES];
};

/* One that was taken when its attachment was over. */
struct settled {
    Carehub__V1__Lane lane;
    uint64_t number;
    uint8_t id[CAREHUB_ID_BYTES];
};

struct outlet_inbox {
    uv_async_t async; /* first */
    uv_timer_t retake;
    struct outlet_inbox_options options;
    carehub_subscription *subscription;
    struct outlet_delivery *lanes[LANES], *out; /* out: the one that the caller has */
    uint32_t waiting;
    uint64_t turn;             /* counts attachments */
    bool attached, taken_back; /* taken_back: the one that is out */
    struct settled late[INBOX_SETTLED_MAX];
    uint64_t n_late;
    int handles;
    pthread_mutex_t lock; /* of the news */
    struct news *news, **news_end;
};

static void free_delivery(struct outlet_delivery *delivery)
{
    if (delivery->event)
        carehub__v1__event__free_unpacked(delivery->event, NULL);
    free(delivery->parcel.bytes);
    free(delivery->verified_by);
    free(delivery->bytes);
    free(delivery);
}

/* ---- What the library says (its thread) ------------------------------------------------------------------------- */

static void bring(struct outlet_inbox *self, struct news *news)
{
    pthread_mutex_lock(&self->lock);
    *self->news_end = news;
    self->news_end = &news->next;
    pthread_mutex_unlock(&self->lock);
    uv_async_send(&self->async);
}

static struct news *news_new(enum news_kind kind)
{
    struct news *news = calloc(1, sizeof *news);
    if (!news)
        abort(); /* without knowing of attachments nothing that follows would be right */
    news->kind = kind;
    return news;
}

static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *came)
{
    struct outlet_delivery *delivery = calloc(1, sizeof *delivery);
    uint8_t *bytes = malloc(came->size ? came->size : 1);
    (void)subscription;
    if (!delivery || !bytes || (unsigned)came->lane >= LANES) {
        free(delivery);
        free(bytes);
        LOG_LINE(LOG_LEVEL_ERROR, "out of memory: a delivery is left in the inbox; it comes again after a reconnect");
        return;
    }
    memcpy(bytes, came->bytes, came->size);
    *delivery = (struct outlet_delivery){.lane = came->lane,
                                         .number = came->number,
                                         .attempt = came->attempt ? came->attempt : 1,
                                         .notice = came->notice,
                                         .verified_by = strdup(came->verified_by ? came->verified_by : ""),
                                         .bytes = bytes,
                                         .size = came->size};
    struct news *news = news_new(NEWS_DELIVERY);
    news->delivery = delivery;
    bring(arg, news);
}

static void on_skip(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct news *news = news_new(NEWS_SKIP);
    (void)subscription;
    news->lane = lane;
    news->from = from;
    news->to = to;
    bring(arg, news);
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    struct news *news = news_new(status == CAREHUB_OK ? NEWS_ATTACHED : NEWS_DETACHED);
    (void)subscription;
    news->status = status;
    snprintf(news->error, sizeof news->error, "%s", error ? error : "no reason was given");
    bring(arg, news);
}

/* ---- Hearing of it (the loop) ----------------------------------------------------------------------------------- */

static bool is_event(const struct outlet_delivery *delivery, const uint8_t id[CAREHUB_ID_BYTES])
{
    return delivery->event && delivery->event->id.len == CAREHUB_ID_BYTES &&
           memcmp(delivery->event->id.data, id, CAREHUB_ID_BYTES) == 0;
}

static int tell_taken(struct outlet_inbox *self, const struct outlet_delivery *delivery)
{
    return carehub_ack(self->subscription, delivery->lane, delivery->number, CAREHUB__V1__ACK_KIND__STORED);
}

/* One that comes again although it was settled: says so once more. */
static bool settle_again(struct outlet_inbox *self, struct outlet_delivery *delivery)
{
    size_t n = self->n_late < INBOX_SETTLED_MAX ? (size_t)self->n_late : INBOX_SETTLED_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct settled *late = &self->late[i];
        if (late->lane == delivery->lane && late->number == delivery->number && is_event(delivery, late->id)) {
            tell_taken(self, delivery);
            free_delivery(delivery);
            return true;
        }
    }
    return false;
}

static void append(struct outlet_inbox *self, struct outlet_delivery *delivery)
{
    struct outlet_delivery **at = &self->lanes[delivery->lane];
    while (*at)
        at = &(*at)->next;
    *at = delivery;
    self->waiting++;
}

static void take_delivery(struct outlet_inbox *self, struct outlet_delivery *delivery)
{
    delivery->turn = self->turn;
    delivery->event = carehub__v1__event__unpack(NULL, delivery->size, delivery->bytes);
    if (settle_again(self, delivery))
        return;
    struct outlet_delivery *out = self->out;
    if (out && out->lane == delivery->lane && out->number == delivery->number) {
        /* The caller has it already, of an attachment before. */
        out->turn = self->turn;
        free_delivery(delivery);
        return;
    }
    append(self, delivery);
}

/* Forgets what a lane has of these numbers. */
static void forget(struct outlet_inbox *self, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct outlet_delivery **at = &self->lanes[lane], *delivery;
    while ((delivery = *at)) {
        if (delivery->number < from || delivery->number > to) {
            at = &delivery->next;
            continue;
        }
        *at = delivery->next;
        self->waiting--;
        free_delivery(delivery);
    }
}

static void forget_all(struct outlet_inbox *self)
{
    for (int lane = 0; lane < LANES; lane++)
        forget(self, (Carehub__V1__Lane)lane, 0, UINT64_MAX);
}

static void take_skip(struct outlet_inbox *self, const struct news *news)
{
    struct outlet_delivery *out = self->out;
    if ((unsigned)news->lane >= LANES)
        return;
    forget(self, news->lane, news->from, news->to);
    if (out && out->lane == news->lane && out->number >= news->from && out->number <= news->to)
        self->taken_back = true;
}

static void on_retake(uv_timer_t *timer);

static void take_detached(struct outlet_inbox *self, const struct news *news)
{
    self->attached = false;
    self->turn++;
    forget_all(self);
    if (news->status == CAREHUB_STALE) {
        LOG_LINE(LOG_LEVEL_ERROR,
                 "inbox %s: another client has taken it, and gets what should go out here: %s; it is asked for again "
                 "in %llu s",
                 self->options.inbox, news->error, (unsigned long long)(self->options.retake_ms / 1000));
        uv_timer_start(&self->retake, on_retake, self->options.retake_ms, 0);
    } else {
        LOG_LINE(LOG_LEVEL_WARNING, "inbox %s: %s", self->options.inbox, news->error);
    }
}

static void hear(struct outlet_inbox *self, struct news *news)
{
    switch (news->kind) {
    case NEWS_DELIVERY:
        take_delivery(self, news->delivery);
        break;
    case NEWS_SKIP:
        take_skip(self, news);
        break;
    case NEWS_ATTACHED:
        self->attached = true;
        self->turn++;
        forget_all(self);
        break;
    case NEWS_DETACHED:
        take_detached(self, news);
        break;
    }
}

static struct news *take_news(struct outlet_inbox *self)
{
    pthread_mutex_lock(&self->lock);
    struct news *news = self->news;
    self->news = NULL;
    self->news_end = &self->news;
    pthread_mutex_unlock(&self->lock);
    return news;
}

static void on_async(uv_async_t *async)
{
    struct outlet_inbox *self = (struct outlet_inbox *)async;
    if (uv_is_closing((uv_handle_t *)async))
        return;
    for (struct news *news = take_news(self), *next; news; news = next) {
        next = news->next;
        hear(self, news);
        free(news);
    }
    self->options.changed(self->options.arg);
}

/* ---- What the caller says --------------------------------------------------------------------------------------- */

struct outlet_delivery *inbox_next(struct outlet_inbox *self)
{
    int lane = self->lanes[CAREHUB__V1__LANE__LANE_IMMEDIATE] ? CAREHUB__V1__LANE__LANE_IMMEDIATE
                                                              : CAREHUB__V1__LANE__LANE_ORDINARY;
    struct outlet_delivery *delivery = self->lanes[lane];
    if (!delivery)
        return NULL;
    self->lanes[lane] = delivery->next;
    delivery->next = NULL;
    self->waiting--;
    self->out = delivery;
    self->taken_back = false;
    return delivery;
}

/* Of an attachment that is over, and not come again since. */
static bool is_stale(const struct outlet_inbox *self, const struct outlet_delivery *delivery)
{
    return delivery->turn != self->turn || self->taken_back;
}

void inbox_put_back(struct outlet_inbox *self, struct outlet_delivery *delivery)
{
    bool stale = is_stale(self, delivery);
    self->out = NULL;
    if (stale) {
        free_delivery(delivery);
        return;
    }
    delivery->next = self->lanes[delivery->lane];
    self->lanes[delivery->lane] = delivery;
    self->waiting++;
}

void inbox_taken(struct outlet_inbox *self, struct outlet_delivery *delivery)
{
    if (tell_taken(self, delivery) != CAREHUB_OK || is_stale(self, delivery)) {
        struct settled *late = &self->late[self->n_late++ % INBOX_SETTLED_MAX];
        late->lane = delivery->lane;
        late->number = delivery->number;
        if (delivery->event && delivery->event->id.len == CAREHUB_ID_BYTES)
            memcpy(late->id, delivery->event->id.data, CAREHUB_ID_BYTES);
    }
    self->out = NULL;
    free_delivery(delivery);
}

/* A refusal that comes too late is not kept: when it comes again, it may be taken. */
void inbox_refused(struct outlet_inbox *self, struct outlet_delivery *delivery, const char *code, bool final)
{
    carehub_nack(self->subscription, delivery->lane, delivery->number, code, final);
    self->out = NULL;
    free_delivery(delivery);
}

bool inbox_is_attached(const struct outlet_inbox *self)
{
    return self->attached;
}

uint32_t inbox_waiting(const struct outlet_inbox *self)
{
    return self->waiting;
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static int subscribe(struct outlet_inbox *self)
{
    const struct carehub_subscribe_options options = {.inbox = self->options.inbox,
                                                      .credit_events = self->options.credit,
                                                      .on_delivery = on_delivery,
                                                      .on_skip = on_skip,
                                                      .on_attached = on_attached,
                                                      .arg = self};
    return carehub_subscribe(self->options.client, &options, &self->subscription);
}

static void free_news(struct news *news)
{
    for (struct news *next; news; news = next) {
        next = news->next;
        if (news->delivery)
            free_delivery(news->delivery);
        free(news);
    }
}

static void on_retake(uv_timer_t *timer)
{
    struct outlet_inbox *self = timer->data;
    carehub_unsubscribe(&self->subscription);
    if (subscribe(self) != CAREHUB_OK) {
        LOG_LINE(LOG_LEVEL_ERROR, "inbox %s cannot be asked for: %s", self->options.inbox, carehub_error());
        uv_timer_start(timer, on_retake, self->options.retake_ms, 0);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct outlet_inbox *self = handle->data;
    if (--self->handles > 0)
        return;
    free_news(self->news);
    forget_all(self);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

void inbox_close(struct outlet_inbox **closing)
{
    struct outlet_inbox *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    carehub_unsubscribe(&self->subscription); /* from here on the library is silent */
    uv_close((uv_handle_t *)&self->async, on_closed);
    uv_close((uv_handle_t *)&self->retake, on_closed);
}

struct outlet_inbox *inbox_new(uv_loop_t *loop, const struct outlet_inbox_options *options,
                               char error[CAREHUB_ERROR_BYTES])
{
    struct outlet_inbox *self = calloc(1, sizeof *self);
    if (!self || uv_async_init(loop, &self->async, on_async) != 0) {
        settings_complain(error, "out", "out of memory, or of file descriptors");
        free(self);
        return NULL;
    }
    uv_timer_init(loop, &self->retake);
    self->async.data = self->retake.data = self;
    self->handles = 2;
    self->options = *options;
    if (self->options.retake_ms == 0)
        self->options.retake_ms = INBOX_RETAKE_MS;
    self->news_end = &self->news;
    pthread_mutex_init(&self->lock, NULL);
    if (subscribe(self) != CAREHUB_OK) {
        settings_complain(error, "out", "inbox %s: %s", options->inbox, carehub_error());
        inbox_close(&self);
    }
    return self;
}
