/* subscribe_api.c - what subscribers call. Any thread. */
#include "subscription.h"

#include <stdlib.h>
#include <string.h>

int carehub_subscribe(carehub_client *c, const struct carehub_subscribe_options *options, carehub_subscription **result)
{
    if (!c || !options || !result || !options->inbox || !options->on_delivery)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_subscribe: client, inbox and on_delivery are needed");
    size_t len = strlen(options->inbox);
    if (len == 0 || len > INBOX_NAME_MAX_BYTES)
        return error_set(CAREHUB_INVALID_ARGUMENT, "an inbox's name has 1 to %d bytes", INBOX_NAME_MAX_BYTES);
    if (options->credit_events > CREDIT_EVENTS_MAX || options->credit_bytes > CREDIT_BYTES_MAX)
        return error_set(CAREHUB_INVALID_ARGUMENT, "credit is at most %d events and %d MiB", CREDIT_EVENTS_MAX,
                         CREDIT_BYTES_MAX >> 20);
    carehub_subscription *sub = calloc(1, sizeof *sub);
    char *inbox = strdup(options->inbox);
    if (!sub || !inbox) {
        free(sub);
        free(inbox);
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    }
    sub->client = c;
    sub->options = *options;
    sub->options.inbox = inbox;
    if (sub->options.credit_events == 0)
        sub->options.credit_events = CREDIT_EVENTS_DEFAULT;
    if (sub->options.credit_bytes == 0)
        sub->options.credit_bytes = CREDIT_BYTES_DEFAULT;
    *result = sub;
    pthread_mutex_lock(&c->lock);
    sub->next = c->subscribe_inbox.added;
    c->subscribe_inbox.added = sub;
    pthread_mutex_unlock(&c->lock);
    client_wake(c);
    return CAREHUB_OK;
}

void carehub_unsubscribe(carehub_subscription **subscription)
{
    if (!subscription || !*subscription)
        return;
    carehub_subscription *sub = *subscription;
    carehub_client *c = sub->client;
    bool wait = !client_on_own_thread(c);
    *subscription = NULL;
    sub->ending = true;
    pthread_mutex_lock(&c->lock);
    sub->awaited = wait;
    c->subscribe_inbox.endings = true;
    pthread_mutex_unlock(&c->lock);
    client_wake(c);
    if (!wait)
        return;
    pthread_mutex_lock(&c->lock);
    while (!sub->ended)
        pthread_cond_wait(&c->changed, &c->lock);
    pthread_mutex_unlock(&c->lock);
    subscription_free(sub);
}

/* Can this number be meant, now? Under the lock. */
static int check_number(const carehub_subscription *sub, Carehub__V1__Lane lane, uint64_t number, bool needs_open)
{
    if ((unsigned)lane >= LANES || number == 0)
        return CAREHUB_INVALID_ARGUMENT;
    if (sub->attached && number <= sub->highest[lane] && !(needs_open && number <= sub->floor[lane]))
        return CAREHUB_OK;
    return number <= sub->known[lane] || number <= sub->floor[lane] ? CAREHUB_STALE : CAREHUB_INVALID_ARGUMENT;
}

/* needs_open: it only makes sense for a delivery that the hub has not settled. */
static int judge(carehub_subscription *sub, const struct verdict *verdict, bool needs_open)
{
    carehub_client *c = sub->client;
    pthread_mutex_lock(&c->lock);
    int result = check_number(sub, verdict->lane, verdict->to, needs_open);
    if (result == CAREHUB_OK)
        result = verdict_add(sub, verdict);
    c->subscribe_inbox.acks |= result == CAREHUB_OK;
    pthread_mutex_unlock(&c->lock);
    if (result == CAREHUB_OK)
        client_wake(c);
    else
        free(verdict->code);
    switch (result) {
    case CAREHUB_OK:
        return result;
    case CAREHUB_STALE:
        return error_set(result,
                         "inbox %s: it was settled before, or belongs to an attachment that is over; if it "
                         "is not settled it comes again",
                         sub->options.inbox);
    case CAREHUB_INVALID_ARGUMENT:
        return error_set(result, "inbox %s: no delivery of that lane and number has come", sub->options.inbox);
    }
    return error_set(result, "inbox %s: too many acknowledgements wait for the hub", sub->options.inbox);
}

static int acknowledge(carehub_subscription *sub, const struct verdict *verdict)
{
    if (!sub)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_ack: subscription is NULL");
    return judge(sub, verdict, verdict->kind == CAREHUB__V1__ACK_KIND__STORED);
}

int carehub_ack(carehub_subscription *sub, Carehub__V1__Lane lane, uint64_t number, Carehub__V1__AckKind kind)
{
    return acknowledge(sub, &(struct verdict){.lane = lane, .kind = kind, .from = number, .to = number});
}

int carehub_ack_through(carehub_subscription *sub, Carehub__V1__Lane lane, uint64_t number, Carehub__V1__AckKind kind)
{
    return acknowledge(sub, &(struct verdict){.lane = lane, .kind = kind, .from = 0, .to = number});
}

int carehub_nack(carehub_subscription *sub, Carehub__V1__Lane lane, uint64_t number, const char *code, bool final)
{
    if (!sub || (code && strlen(code) > NACK_CODE_MAX_BYTES))
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_nack: a subscription, and a code of at most %d bytes",
                         NACK_CODE_MAX_BYTES);
    char *copy = strdup(code ? code : "");
    if (!copy)
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    return judge(sub, &(struct verdict){.lane = lane, .from = number, .to = number, .code = copy, .final = final},
                 true);
}
