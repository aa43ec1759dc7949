/* publish.c - sending publications, and settling them. Runs on the client's thread. */
#include "publication.h"
#include "client.h"

#include <stdlib.h>

#include "clock.h"

enum { FRAME_FRAMING_BYTES = 32 };

/* Room for the parts of one Publish message. */
struct publish_frame {
    Carehub__V1__Publication publications[FRAME_PUBLICATIONS];
    Carehub__V1__Publication *publication_list[FRAME_PUBLICATIONS];
    Carehub__V1__Item items[FRAME_PUBLICATIONS];
    Carehub__V1__Item *item_list[FRAME_PUBLICATIONS];
    size_t n;
    uint32_t n_items;
    uint32_t bytes;
};

/* ---- Queues ----------------------------------------------------------------------------------------------------- */

static void queue_init(struct publish_queue *q)
{
    q->first = NULL;
    q->end = &q->first;
}

static void queue_add(struct publish_queue *q, struct publication *p)
{
    p->next = NULL;
    *q->end = p;
    q->end = &p->next;
}

static struct publication *queue_take(struct publish_queue *q)
{
    struct publication *p = q->first;
    if (p && !(q->first = p->next))
        q->end = &q->first;
    return p;
}

/* Moves all of `from` to the end of `to`. */
static void queue_move(struct publish_queue *to, struct publish_queue *from)
{
    if (!from->first)
        return;
    *to->end = from->first;
    to->end = from->end;
    queue_init(from);
}

int publish_init(struct carehub_client *c)
{
    struct publisher *pub = &c->publisher;
    queue_init(&c->publish_inbox.queue);
    queue_init(&pub->ready);
    queue_init(&pub->again);
    pub->first_ref = pub->next_ref = 1;
    pub->unconfirmed = calloc(PUBLISH_SPAN, sizeof(struct publication *));
    pub->frame = calloc(1, sizeof *pub->frame);
    if (pub->unconfirmed && pub->frame)
        return CAREHUB_OK;
    publish_fini(c);
    return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
}

void publish_fini(struct carehub_client *c)
{
    free(c->publisher.unconfirmed);
    free(c->publisher.frame);
    c->publisher.unconfirmed = NULL;
    c->publisher.frame = NULL;
}

int publish_enqueue(struct carehub_client *c, struct publication *p)
{
    struct publish_inbox *inbox = &c->publish_inbox;
    p->after = c->spool ? spool_last(c->spool) : 0;
    pthread_mutex_lock(&c->lock);
    bool full = atomic_load(&inbox->items) + p->n_items > QUEUE_MAX_ITEMS ||
                atomic_load(&inbox->bytes) + p->wire_bytes > QUEUE_MAX_BYTES;
    bool closed = c->closing;
    if (!full && !closed) {
        atomic_fetch_add(&inbox->items, p->n_items);
        atomic_fetch_add(&inbox->bytes, p->wire_bytes);
        queue_add(&inbox->queue, p);
    }
    pthread_mutex_unlock(&c->lock);
    if (!full && !closed) {
        client_wake(c);
        return CAREHUB_OK;
    }
    publication_free(p);
    if (closed)
        return error_set(CAREHUB_CLOSED, "the client is being closed");
    return error_set(CAREHUB_SPOOL_FULL, "%d publications or %d MiB wait in memory; try again later, or use a spool",
                     QUEUE_MAX_ITEMS, QUEUE_MAX_BYTES >> 20);
}

/* ---- Settling --------------------------------------------------------------------------------------------------- */

static void tell_settled(struct carehub_client *c, const struct publication *p, int status,
                         const Carehub__V1__Confirmation *confirmation)
{
    uint8_t id[CAREHUB_ID_BYTES];
    pthread_mutex_lock(&c->lock);
    carehub_settled_fn *fn = c->publish_inbox.on_settled;
    void *arg = c->publish_inbox.on_settled_arg;
    pthread_mutex_unlock(&c->lock);
    if (fn && event_find_id(p->event, p->size, id))
        fn(arg, id, status, confirmation);
}

/* Ends a publication: tells its callbacks, and the spool. status CAREHUB_CLOSED leaves it in the spool. */
static void settle(struct carehub_client *c, struct publication *p, int status,
                   const Carehub__V1__Confirmation *confirmation)
{
    if (p->ticket == 0) {
        atomic_fetch_sub(&c->publish_inbox.items, p->n_items);
        atomic_fetch_sub(&c->publish_inbox.bytes, p->wire_bytes);
    } else if (status != CAREHUB_CLOSED) {
        if (status == CAREHUB_REFUSED && !spool_refuse(c->spool, confirmation->error, p->event, p->size))
            client_warn(c, "an event that the hub refused could not be kept: %s", carehub_error());
        spool_settle(c->spool, p->ticket);
        for (const char *text; (text = spool_remark(c->spool));)
            client_warn(c, "%s", text);
    }
    if (status == CAREHUB_REFUSED)
        error_set(status, "%s", confirmation->error ? confirmation->error->text : "the hub refused it");
    if (p->fn)
        p->fn(p->arg, status, confirmation);
    if (p->ticket != 0 && status != CAREHUB_CLOSED)
        tell_settled(c, p, status, confirmation);
    publication_free(p);
}

static struct publication **unconfirmed_slot(struct publisher *pub, uint64_t ref)
{
    return &pub->unconfirmed[ref & (PUBLISH_SPAN - 1)];
}

static void hold(struct carehub_client *c, const char *why)
{
    struct publisher *pub = &c->publisher;
    if (pub->holding)
        return;
    pub->holding = true;
    pub->hold_until_ms = clock_ms() + backoff_ms(pub->holds++, RETRY_FIRST_MS, RETRY_LONGEST_MS);
    if (pub->holds == HOLDS_TO_WARN)
        client_warn(c, "the hub goes on putting publications off: %s", why);
}

static void confirm_one(struct carehub_client *c, const Carehub__V1__Confirmation *confirmation)
{
    struct publisher *pub = &c->publisher;
    uint64_t ref = confirmation->ref;
    if (ref < pub->first_ref || ref >= pub->next_ref)
        return;
    struct publication **slot = unconfirmed_slot(pub, ref), *p = *slot;
    if (!p || p->rejected)
        return;
    pub->unanswered--;
    pub->window_items -= p->n_items;
    pub->window_bytes -= p->wire_bytes;
    bool refused = confirmation->status == CAREHUB__V1__CONFIRMATION__STATUS__REJECTED;
    if (refused && confirmation->error && confirmation->error->retry) {
        p->rejected = true;
        hold(c, confirmation->error->text);
        return;
    }
    *slot = NULL;
    while (pub->first_ref < pub->next_ref && !*unconfirmed_slot(pub, pub->first_ref))
        pub->first_ref++;
    if (!pub->holding)
        pub->holds = 0;
    settle(c, p, refused ? CAREHUB_REFUSED : CAREHUB_OK, confirmation);
}

void publish_confirm(struct carehub_client *c, const Carehub__V1__Confirm *confirm)
{
    for (size_t i = 0; i < confirm->n_confirmations; i++)
        confirm_one(c, confirm->confirmations[i]);
}

/* Puts everything unconfirmed before what was not yet sent. Refs go on counting: a late answer to an old one finds
 * nothing. */
static void take_back(struct publisher *pub)
{
    struct publish_queue first;
    queue_init(&first);
    for (; pub->first_ref < pub->next_ref; pub->first_ref++) {
        struct publication **slot = unconfirmed_slot(pub, pub->first_ref);
        if (*slot) {
            (*slot)->rejected = false;
            queue_add(&first, *slot);
        }
        *slot = NULL;
    }
    queue_move(&first, &pub->again);
    if (pub->next)
        queue_add(&first, pub->next);
    pub->next = NULL;
    queue_init(&pub->again);
    queue_move(&pub->again, &first);
    pub->unanswered = pub->window_items = 0;
    pub->window_bytes = 0;
    pub->holding = false;
}

void publish_lost(struct carehub_client *c)
{
    take_back(&c->publisher);
}

void publish_closed(struct carehub_client *c)
{
    struct publisher *pub = &c->publisher;
    take_back(pub);
    pthread_mutex_lock(&c->lock);
    queue_move(&pub->ready, &c->publish_inbox.queue);
    pthread_mutex_unlock(&c->lock);
    queue_move(&pub->again, &pub->ready);
    for (struct publication *p; (p = queue_take(&pub->again));)
        settle(c, p, CAREHUB_CLOSED, NULL);
    if (c->spool)
        spool_abandon(c->spool);
}

/* ---- Sending ---------------------------------------------------------------------------------------------------- */

static struct publication *from_spool(struct carehub_client *c)
{
    struct spool_record record;
    if (!spool_peek(c->spool, &record))
        return NULL;
    struct publication *p = publication_of_event(record.event, record.size);
    if (!p)
        return NULL; /* it stays where it is */
    spool_take(c->spool, &record);
    p->ticket = record.ticket;
    p->fn = record.fn;
    p->arg = record.arg;
    return p;
}

/* The next publication in the order in which they were handed to us, or NULL. */
static struct publication *take_next(struct carehub_client *c)
{
    struct publisher *pub = &c->publisher;
    if (pub->again.first)
        return queue_take(&pub->again);
    if (c->spool && (!pub->ready.first || pub->ready.first->after > spool_read_through(c->spool))) {
        struct publication *p = from_spool(c);
        if (p || !spool_drained(c->spool))
            return p;
    }
    return queue_take(&pub->ready);
}

static bool fits(const struct carehub_client *c, const struct publication *p)
{
    const struct publisher *pub = &c->publisher;
    const struct session *s = &c->session;
    bool window = pub->unanswered == 0 || (pub->window_items + p->n_items <= s->window_items &&
                                           pub->window_bytes + p->wire_bytes <= s->window_bytes);
    bool frame = pub->frame->n == 0 || (pub->frame->n_items + p->n_items <= s->batch_max_items &&
                                        pub->frame->bytes + p->wire_bytes <= s->frame_max_bytes);
    return window && frame && pub->frame->n < FRAME_PUBLICATIONS && pub->next_ref - pub->first_ref < PUBLISH_SPAN;
}

static void add_to_frame(struct publisher *pub, struct publication *p)
{
    struct publish_frame *f = pub->frame;
    Carehub__V1__Publication *wire = &f->publications[f->n];
    carehub__v1__publication__init(wire);
    if (p->group) {
        wire->n_items = p->group->n_items;
        wire->items = p->group->items;
    } else {
        Carehub__V1__Item *item = &f->items[f->n];
        carehub__v1__item__init(item);
        item->item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
        item->event = (ProtobufCBinaryData){p->size, p->event};
        f->item_list[f->n] = item;
        wire->n_items = 1;
        wire->items = &f->item_list[f->n];
    }
    wire->ref = pub->next_ref++;
    f->publication_list[f->n++] = wire;
    f->n_items += p->n_items;
    f->bytes += p->wire_bytes;
    *unconfirmed_slot(pub, wire->ref) = p;
    pub->unanswered++;
    pub->window_items += p->n_items;
    pub->window_bytes += p->wire_bytes;
}

/* Puts one frame together and sends it; false if there is nothing to send, or no room in the window. */
static bool send_frame(struct carehub_client *c)
{
    struct publisher *pub = &c->publisher;
    struct publish_frame *f = pub->frame;
    f->n = f->n_items = 0;
    f->bytes = FRAME_FRAMING_BYTES;
    while ((pub->next || (pub->next = take_next(c))) && fits(c, pub->next)) {
        add_to_frame(pub, pub->next);
        pub->next = NULL;
    }
    if (f->n == 0)
        return false;
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    publish.n_publications = f->n;
    publish.publications = f->publication_list;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    return session_send(c, &message); /* false: they stay unconfirmed until the session is given up */
}

void publish_step(struct carehub_client *c)
{
    struct publisher *pub = &c->publisher;
    if (c->session.phase != SESSION_OPEN)
        return;
    pthread_mutex_lock(&c->lock);
    queue_move(&pub->ready, &c->publish_inbox.queue);
    pthread_mutex_unlock(&c->lock);
    if (pub->holding && pub->unanswered == 0 && clock_ms() >= pub->hold_until_ms)
        take_back(pub);
    while (!pub->holding && send_frame(c))
        ;
}

int64_t publish_due_ms(const struct carehub_client *c)
{
    const struct publisher *pub = &c->publisher;
    bool waits = c->session.phase == SESSION_OPEN && pub->holding && pub->unanswered == 0;
    return waits ? pub->hold_until_ms : INT64_MAX;
}
