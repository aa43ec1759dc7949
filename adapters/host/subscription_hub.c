#include "subscription_hub.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum news_kind { NEWS_DELIVERY, NEWS_SKIP, NEWS_DETACHED, NEWS_FACT };

/* Something that the library's thread has to say on the loop. */
struct news {
    struct news *next;
    enum news_kind kind;
    struct hub_inbox *inbox; /* not of a fact */
    struct hub_ask *ask;     /* of a fact */
    struct hub_delivery delivery;
    Carehub__V1__Lane lane;
    uint64_t from, to;
    int status;
    enum hub_fact_result result;
    char text[HUB_TEXT_BYTES];
};

struct hub_link {
    carehub_client *client;
    uv_async_t async;
    hub_batch_fn *batch;
    void *arg;
    /* Under the lock. Facts that were sent hold the link: their answers may come when it is closed. */
    pthread_mutex_t lock;
    struct news *first, **end;
    size_t holders;
    bool closed;
};

struct hub_inbox {
    struct hub_link *link;
    carehub_subscription *subscription;
    const struct hub_inbox_events *events;
    void *arg;
};

/* A fact that was sent. */
struct hub_ask {
    struct hub_link *link;
    struct hub_fact *fact; /* loop thread; NULL: nobody waits */
    struct news *news;     /* for its answer: made beforehand, so that it cannot be lost for want of memory */
};

/* ---- In the library's thread ------------------------------------------------------------------------------------ */

static void news_free(struct news *news)
{
    if (news->delivery.event)
        carehub__v1__event__free_unpacked(news->delivery.event, NULL);
    free(news->delivery.bytes);
    free(news->delivery.verified_by);
    free(news->ask);
    free(news);
}

static void put_news(struct hub_link *link, struct news *news)
{
    pthread_mutex_lock(&link->lock);
    *link->end = news;
    link->end = &news->next;
    uv_async_send(&link->async);
    pthread_mutex_unlock(&link->lock);
}

/* Without memory a delivery is not told: it stays unacknowledged, and comes again with the next attachment. */
static void on_delivery(void *arg, carehub_subscription *subscription, const struct carehub_delivery *delivery)
{
    struct hub_inbox *inbox = arg;
    struct news *news = calloc(1, sizeof *news);
    (void)subscription;
    if (!news)
        return;
    news->kind = NEWS_DELIVERY;
    news->inbox = inbox;
    news->delivery = (struct hub_delivery){
        .lane = delivery->lane,
        .number = delivery->number,
        .attempt = delivery->attempt,
        .notice = delivery->notice,
        .event = carehub__v1__event__unpack(NULL, delivery->size, delivery->bytes),
        .bytes = malloc(delivery->size + 1),
        .len = delivery->size,
        .verified_by = strdup(delivery->verified_by ? delivery->verified_by : ""),
    };
    if (!news->delivery.event || !news->delivery.bytes || !news->delivery.verified_by) {
        news_free(news);
        return;
    }
    memcpy(news->delivery.bytes, delivery->bytes, delivery->size);
    put_news(inbox->link, news);
}

static void on_skip(void *arg, carehub_subscription *subscription, Carehub__V1__Lane lane, uint64_t from, uint64_t to)
{
    struct hub_inbox *inbox = arg;
    struct news *news = calloc(1, sizeof *news);
    (void)subscription;
    if (!news)
        return;
    *news = (struct news){.kind = NEWS_SKIP, .inbox = inbox, .lane = lane, .from = from, .to = to};
    put_news(inbox->link, news);
}

static void on_attached(void *arg, carehub_subscription *subscription, int status, const char *error)
{
    struct hub_inbox *inbox = arg;
    struct news *news = error ? calloc(1, sizeof *news) : NULL;
    (void)subscription;
    if (!news)
        return;
    *news = (struct news){.kind = NEWS_DETACHED, .inbox = inbox, .status = status};
    snprintf(news->text, sizeof news->text, "%s", error);
    put_news(inbox->link, news);
}

static enum hub_fact_result result_of(int status, const Carehub__V1__Confirmation *confirmation)
{
    const Carehub__V1__Error *error = confirmation ? confirmation->error : NULL;
    if (status == CAREHUB_OK)
        return HUB_FACT_TAKEN;
    if (status != CAREHUB_REFUSED || !error || error->retry)
        return HUB_FACT_AGAIN;
    return error->code == CAREHUB__V1__ERROR_CODE__UNKNOWN_NAME ? HUB_FACT_UNKNOWN : HUB_FACT_REFUSED;
}

/* Lets go of the link, under its lock; true when nobody holds it any more. */
static bool release(struct hub_link *link)
{
    bool last = --link->holders == 0;
    pthread_mutex_unlock(&link->lock);
    return last;
}

static void link_free(struct hub_link *link)
{
    pthread_mutex_destroy(&link->lock);
    free(link);
}

static void on_confirmed(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct hub_ask *ask = arg;
    struct hub_link *link = ask->link;
    const Carehub__V1__Error *error = confirmation ? confirmation->error : NULL;
    struct news *news = ask->news;
    pthread_mutex_lock(&link->lock);
    if (link->closed) {
        free(news);
        free(ask);
        if (release(link))
            link_free(link);
        return;
    }
    *news = (struct news){.kind = NEWS_FACT, .ask = ask, .result = result_of(status, confirmation)};
    snprintf(news->text, sizeof news->text, "%s", error && error->text[0] ? error->text : carehub_strerror(status));
    *link->end = news;
    link->end = &news->next;
    uv_async_send(&link->async);
    release(link);
}

/* ---- On the loop ------------------------------------------------------------------------------------------------ */

static void tell(struct news *news)
{
    struct hub_inbox *inbox = news->inbox;
    struct hub_fact *fact = news->ask ? news->ask->fact : NULL;
    switch (news->kind) {
    case NEWS_DELIVERY:
        inbox->events->delivered(inbox->arg, &news->delivery);
        break;
    case NEWS_SKIP:
        inbox->events->skipped(inbox->arg, news->lane, news->from, news->to);
        break;
    case NEWS_DETACHED:
        inbox->events->detached(inbox->arg, news->status == CAREHUB_STALE, news->text);
        break;
    case NEWS_FACT:
        if (fact) {
            fact->ask = NULL;
            fact->done(fact->arg, news->result, news->text);
        }
        break;
    }
}

static struct news *take_news(struct hub_link *self)
{
    pthread_mutex_lock(&self->lock);
    struct news *news = self->first;
    if (news) {
        self->first = news->next;
        if (!self->first)
            self->end = &self->first;
    }
    pthread_mutex_unlock(&self->lock);
    return news;
}

static void on_async(uv_async_t *async)
{
    enum { AT_ONCE = 1024 }; /* then others have their turn */
    struct hub_link *self = async->data;
    struct news *news;
    int told = 0;
    self->batch(self->arg, true);
    while (told++ < AT_ONCE && (news = take_news(self)) != NULL) {
        tell(news);
        news_free(news);
    }
    self->batch(self->arg, false);
    if (told > AT_ONCE)
        uv_async_send(&self->async);
}

struct hub_link *hub_link_new(uv_loop_t *loop, carehub_client *client, hub_batch_fn *batch, void *arg)
{
    struct hub_link *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    *self = (struct hub_link){.client = client, .batch = batch, .arg = arg, .holders = 1};
    self->end = &self->first;
    pthread_mutex_init(&self->lock, NULL);
    if (uv_async_init(loop, &self->async, on_async) != 0) {
        link_free(self);
        return NULL;
    }
    self->async.data = self;
    return self;
}

static void on_async_closed(uv_handle_t *handle)
{
    struct hub_link *self = handle->data;
    pthread_mutex_lock(&self->lock);
    if (release(self))
        link_free(self);
}

void hub_link_close(struct hub_link **self)
{
    struct hub_link *link = *self;
    struct news *news;
    if (!link)
        return;
    pthread_mutex_lock(&link->lock);
    link->closed = true;
    pthread_mutex_unlock(&link->lock);
    while ((news = take_news(link)) != NULL)
        news_free(news);
    uv_close((uv_handle_t *)&link->async, on_async_closed);
    *self = NULL;
}

/* ---- Inboxes ---------------------------------------------------------------------------------------------------- */

struct hub_inbox *hub_inbox_open(struct hub_link *self, const char *name, const struct hub_inbox_events *events,
                                 void *arg)
{
    struct hub_inbox *inbox = calloc(1, sizeof *inbox);
    struct carehub_subscribe_options options = {
        .inbox = name,
        .credit_events = HUB_CREDIT_EVENTS,
        .credit_bytes = HUB_CREDIT_BYTES,
        .on_delivery = on_delivery,
        .on_skip = on_skip,
        .on_attached = on_attached,
        .arg = inbox,
    };
    if (!inbox)
        return NULL;
    *inbox = (struct hub_inbox){.link = self, .events = events, .arg = arg};
    if (carehub_subscribe(self->client, &options, &inbox->subscription) != CAREHUB_OK) {
        free(inbox);
        return NULL;
    }
    return inbox;
}

/* Drops what is queued of an inbox whose callbacks have ended. */
static void drop_news(struct hub_link *link, const struct hub_inbox *inbox)
{
    struct news *dropped = NULL;
    pthread_mutex_lock(&link->lock);
    for (struct news **at = &link->first; *at;) {
        struct news *news = *at;
        if (news->inbox != inbox) {
            at = &news->next;
            continue;
        }
        *at = news->next;
        news->next = dropped;
        dropped = news;
    }
    link->end = &link->first;
    while (*link->end)
        link->end = &(*link->end)->next;
    pthread_mutex_unlock(&link->lock);
    while (dropped) {
        struct news *next = dropped->next;
        news_free(dropped);
        dropped = next;
    }
}

void hub_inbox_close(struct hub_inbox **self)
{
    struct hub_inbox *inbox = *self;
    if (!inbox)
        return;
    carehub_unsubscribe(&inbox->subscription);
    drop_news(inbox->link, inbox);
    free(inbox);
    *self = NULL;
}

/* What an acknowledgement comes to need not be known: one that is stale, or lost, shows by the delivery coming again.
 */
void hub_inbox_stored(struct hub_inbox *self, Carehub__V1__Lane lane, uint64_t number)
{
    (void)carehub_ack(self->subscription, lane, number, CAREHUB__V1__ACK_KIND__STORED);
}

void hub_inbox_refuse(struct hub_inbox *self, Carehub__V1__Lane lane, uint64_t number, const char *code, bool final)
{
    (void)carehub_nack(self->subscription, lane, number, code, final);
}

/* ---- Facts ------------------------------------------------------------------------------------------------------ */

static bool send_fact(struct hub_link *self, struct hub_fact *waiting, Carehub__V1__Fact *fact)
{
    uint8_t id[CAREHUB_ID_BYTES];
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    const Carehub__V1__Item *items[] = {&item};
    struct hub_ask *ask = calloc(1, sizeof *ask);
    struct news *news = calloc(1, sizeof *news);
    if (!ask || !news) {
        free(ask);
        free(news);
        return false;
    }
    *ask = (struct hub_ask){.link = self, .fact = waiting, .news = news};
    carehub_new_id(id);
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = fact;
    waiting->ask = ask;
    pthread_mutex_lock(&self->lock);
    self->holders++;
    pthread_mutex_unlock(&self->lock);
    if (carehub_publish_group(self->client, items, 1, on_confirmed, ask) == CAREHUB_OK)
        return true;
    pthread_mutex_lock(&self->lock);
    release(self); /* never the last: the caller is one */
    free(news);
    free(ask);
    waiting->ask = NULL;
    return false;
}

bool hub_set_inbox(struct hub_link *self, struct hub_fact *fact, const char *name, const char *actor, topic_types types)
{
    const char *names[EVENT_TYPE_MAX];
    Carehub__V1__Fact whole = CAREHUB__V1__FACT__INIT;
    Carehub__V1__InboxSet set = CAREHUB__V1__INBOX_SET__INIT;
    set.name = (char *)name;
    set.actor = (char *)actor;
    set.n_types = topic_type_names(types, names);
    set.types = (char **)names;
    whole.fact_case = CAREHUB__V1__FACT__FACT_INBOX_SET;
    whole.inbox_set = &set;
    return send_fact(self, fact, &whole);
}

bool hub_close_inbox(struct hub_link *self, struct hub_fact *fact, const char *name)
{
    Carehub__V1__Fact whole = CAREHUB__V1__FACT__INIT;
    Carehub__V1__InboxClosed closed = CAREHUB__V1__INBOX_CLOSED__INIT;
    closed.name = (char *)name;
    closed.reason = (char *)"the FHIR subscription has ended";
    whole.fact_case = CAREHUB__V1__FACT__FACT_INBOX_CLOSED;
    whole.inbox_closed = &closed;
    return send_fact(self, fact, &whole);
}

void hub_fact_leave(struct hub_link *self, struct hub_fact *fact)
{
    (void)self;
    if (fact->ask)
        fact->ask->fact = NULL;
    fact->ask = NULL;
}
