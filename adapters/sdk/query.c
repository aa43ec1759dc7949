/* query.c - see query.h. */
#include "client.h"

#include <stdlib.h>

#include "frame.h"
#include "sdk_limits.h"
#include "waiter.h"

struct question {
    struct question *next;
    Carehub__V1__Query *query; /* owned */
    carehub_answer_fn *fn;
    void *arg;
};

void query_init(struct carehub_client *c)
{
    c->query_inbox.added_end = &c->query_inbox.added;
    c->asker.waiting_end = &c->asker.waiting;
}

static void end(struct carehub_client *c, struct question *q)
{
    carehub__v1__query__free_unpacked(q->query, NULL);
    free(q);
    pthread_mutex_lock(&c->lock);
    c->query_inbox.open--;
    pthread_mutex_unlock(&c->lock);
}

static bool send_query(struct carehub_client *c, Carehub__V1__Query *query)
{
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_QUERY;
    message.query = query;
    return session_send(c, &message);
}

static void take_added(struct carehub_client *c)
{
    struct query_inbox *inbox = &c->query_inbox;
    pthread_mutex_lock(&c->lock);
    if (inbox->added) {
        *c->asker.waiting_end = inbox->added;
        c->asker.waiting_end = inbox->added_end;
        inbox->added = NULL;
        inbox->added_end = &inbox->added;
    }
    pthread_mutex_unlock(&c->lock);
}

void query_step(struct carehub_client *c)
{
    struct asker *asker = &c->asker;
    if (c->session.phase != SESSION_OPEN)
        return;
    take_added(c);
    while (asker->waiting && send_query(c, asker->waiting->query)) {
        struct question *q = asker->waiting;
        if (!(asker->waiting = q->next))
            asker->waiting_end = &asker->waiting;
        q->next = asker->asked;
        asker->asked = q;
    }
}

/* Nobody wants the rest of an answer. A feed goes on until it is told to stop. */
static void stop(struct carehub_client *c, const struct question *q)
{
    if (q->query->query_case != CAREHUB__V1__QUERY__QUERY_TAIL)
        return;
    Carehub__V1__TailQuery tail = CAREHUB__V1__TAIL_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    tail.stop = true;
    query.ref = q->query->ref;
    query.query_case = CAREHUB__V1__QUERY__QUERY_TAIL;
    query.tail = &tail;
    send_query(c, &query);
}

void query_answer(struct carehub_client *c, const Carehub__V1__Answer *answer)
{
    struct question **at = &c->asker.asked;
    while (*at && (*at)->query->ref != answer->ref)
        at = &(*at)->next;
    struct question *q = *at;
    if (!q)
        return;
    int status = answer->error ? CAREHUB_REFUSED : CAREHUB_OK;
    if (answer->error)
        error_set(status, "%s", answer->error->text);
    bool wanted = q->fn(q->arg, status, answer);
    if (wanted && answer->more)
        return;
    *at = q->next;
    if (answer->more)
        stop(c, q);
    end(c, q);
}

static void fail_all(struct carehub_client *c, struct question *questions, int status, const char *why)
{
    while (questions) {
        struct question *q = questions;
        questions = q->next;
        error_set(status, "%s", why);
        q->fn(q->arg, status, NULL);
        end(c, q);
    }
}

void query_lost(struct carehub_client *c)
{
    struct question *asked = c->asker.asked;
    c->asker.asked = NULL;
    fail_all(c, asked, CAREHUB_CONNECT, "the session with the hub was lost before the answer came; ask again");
}

void query_closed(struct carehub_client *c)
{
    take_added(c);
    struct question *waiting = c->asker.waiting;
    c->asker.waiting = NULL;
    fail_all(c, waiting, CAREHUB_CLOSED, "the client was closed");
    struct question *asked = c->asker.asked;
    c->asker.asked = NULL;
    fail_all(c, asked, CAREHUB_CLOSED, "the client was closed");
}

/* ---- The API ---------------------------------------------------------------------------------------------------- */

/* Hands a question over; returns its ref. 0: too many are open, or the client is being closed. */
static uint64_t enqueue(struct carehub_client *c, struct question *q)
{
    struct query_inbox *inbox = &c->query_inbox;
    uint64_t ref = 0;
    pthread_mutex_lock(&c->lock);
    if (!c->closing && inbox->open < QUESTIONS_MAX) {
        q->query->ref = ref = ++inbox->last_ref;
        inbox->open++;
        *inbox->added_end = q;
        inbox->added_end = &q->next;
    }
    pthread_mutex_unlock(&c->lock);
    return ref;
}

int carehub_query(carehub_client *c, Carehub__V1__Query *query, carehub_answer_fn *fn, void *arg)
{
    if (!c || !query || !fn)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_query: client, query and fn are needed");
    struct question *q = calloc(1, sizeof *q);
    Carehub__V1__Query *copy = message_copy(&query->base);
    if (!q || !copy) {
        free(q);
        if (copy)
            carehub__v1__query__free_unpacked(copy, NULL);
        return error_set(CAREHUB_OUT_OF_MEMORY, "out of memory");
    }
    *q = (struct question){.query = copy, .fn = fn, .arg = arg};
    query->ref = enqueue(c, q);
    if (query->ref == 0) {
        carehub__v1__query__free_unpacked(copy, NULL);
        free(q);
        return error_set(CAREHUB_INVALID_ARGUMENT, "%d questions are open already, or the client is being closed",
                         QUESTIONS_MAX);
    }
    client_wake(c);
    return CAREHUB_OK;
}

static bool answer_waiter(void *arg, int status, const Carehub__V1__Answer *answer)
{
    waiter_answer(arg, status, answer ? &answer->base : NULL);
    return false;
}

int carehub_ask(carehub_client *c, Carehub__V1__Query *query, int timeout_ms, Carehub__V1__Answer **answer)
{
    if (!answer)
        return error_set(CAREHUB_INVALID_ARGUMENT, "carehub_ask: answer is NULL");
    *answer = NULL;
    if (c && client_on_own_thread(c))
        return error_set(CAREHUB_WOULD_DEADLOCK, "carehub_ask was called from a callback");
    struct waiter *waiter = waiter_new();
    if (!waiter)
        return CAREHUB_OUT_OF_MEMORY;
    int result = carehub_query(c, query, answer_waiter, waiter);
    if (result != CAREHUB_OK) {
        waiter_drop(waiter);
        waiter_drop(waiter);
        return result;
    }
    ProtobufCMessage *message = NULL;
    result = waiter_wait(waiter, timeout_ms, &message);
    *answer = (Carehub__V1__Answer *)message;
    return result;
}
