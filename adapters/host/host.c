#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "counters.h"
#include "eventid.h"
#include "journal.h"
#include "log_line.h"
#include "mllp_server.h"
#include "publisher.h"
#include "service.h"

/* One message on its way. */
struct exchange {
    struct exchange *next, **link; /* of all that wait for the hub */
    struct exchange *next_new;     /* of those that just came in */
    struct host *host;
    struct mllp_request *request; /* NULL: a held message that is tried again */
    struct format_message *message;
    struct journal_held *held; /* where it comes from, if it was held */
    int64_t received_ms;
    uint64_t deadline_ms; /* of the loop's clock */
    size_t waiting;       /* events not yet confirmed */
    enum format_fault fault;
    char text[PUBLISHER_TEXT_BYTES];
    struct publisher_wait waits[FORMAT_EVENTS_MAX];
};

struct host {
    uv_check_t check;
    uv_async_t wake; /* so that what was taken outside of the poll phase does not wait for it */
    uv_timer_t tick;
    int handles;
    const struct host_config *config;
    const struct format *format;
    struct journal *journal;
    struct publisher *publisher;
    struct mllp_server *servers[HOST_LISTEN_MAX];
    struct counters counters;
    struct exchange *fresh, **fresh_end;
    struct exchange *waiting;
    uint64_t next_reply;
    uint64_t status_due_ms, prune_due_ms, stop_due_ms;
    void (*stopped)(void *arg);
    void *stopped_arg;
};

static int64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- The end of an exchange ------------------------------------------------------------------------------------- */

static void on_reply(void *arg, const void *bytes, size_t len)
{
    mllp_reply(arg, bytes, len);
}

static void exchange_free(struct exchange *x)
{
    if (x->message)
        x->host->format->close(&x->message);
    if (x->held)
        free(x->held->bytes);
    free(x->held);
    free(x);
}

/* A held message that was tried again: done with, or to wait on. */
static void settle_held(struct exchange *x, enum format_fault fault)
{
    struct host *host = x->host;
    bool done = fault == FORMAT_FAULT_NONE && x->message && x->message->verdict != FORMAT_HOLD;
    bool ok =
        done ? journal_held_done(host->journal, x->held->number) : journal_held_waits(host->journal, x->held->number);
    if (!ok)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(host->journal));
    else
        LOG_LINE(LOG_LEVEL_INFO, "held message %s from %s: %s", x->held->native_id, x->held->sender,
                 done ? "tried again, with success" : "stays held");
}

/* What the log says of a refusal: who, which message, why; never what is in it. */
static void log_fault(const struct exchange *x, enum format_fault fault, const char *text)
{
    LOG_LINE(LOG_LEVEL_WARNING, "connection %llu, sender %s, message %s (%s): %s",
             (unsigned long long)(x->request ? x->request->connection : 0),
             x->message && x->message->sender[0] ? x->message->sender : "unknown",
             x->message && x->message->native_id[0] ? x->message->native_id : "without id",
             x->message ? x->message->kind : "", fault == FORMAT_FAULT_NATIVE ? x->message->problem : text);
}

static void finish(struct exchange *x, enum format_fault fault, const char *text)
{
    struct host *host = x->host;
    for (size_t i = 0; i < FORMAT_EVENTS_MAX; i++)
        publisher_leave(&x->waits[i]);
    if (x->link) {
        *x->link = x->next;
        if (x->next)
            x->next->link = x->link;
    }
    if (fault != FORMAT_FAULT_NONE)
        log_fault(x, fault, text);
    if (fault == FORMAT_FAULT_UNAVAILABLE)
        counters_add(&host->counters, COUNT_UNCONFIRMED, 1);
    else if (fault != FORMAT_FAULT_NONE)
        counters_add(&host->counters, COUNT_REFUSED, 1);
    if (x->held)
        settle_held(x, fault);
    if (x->request) {
        const struct format_outcome outcome = {
            .fault = fault, .text = text, .now_ms = wall_ms(), .number = host->next_reply++};
        if (x->message)
            host->format->reply(x->message, &outcome, on_reply, x->request);
        mllp_answered(&x->request);
    }
    exchange_free(x);
}

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

static void on_published(struct publisher_wait *wait, enum format_fault fault, const char *text)
{
    struct exchange *x = wait->arg;
    x->waiting--;
    if (fault != FORMAT_FAULT_NONE && x->fault == FORMAT_FAULT_NONE) {
        x->fault = fault;
        snprintf(x->text, sizeof x->text, "%s", text);
    }
    if (fault == FORMAT_FAULT_NONE)
        counters_add(&x->host->counters, COUNT_EVENTS, 1);
    if (x->waiting == 0)
        finish(x, x->fault, x->text);
}

static void publish(struct exchange *x)
{
    struct host *host = x->host;
    Carehub__V1__Event *events[FORMAT_EVENTS_MAX];
    size_t n = x->message->n_events;
    uint64_t lane = x->request ? x->request->connection : 0;
    x->next = host->waiting;
    x->link = &host->waiting;
    if (x->next)
        x->next->link = &x->next;
    host->waiting = x;
    x->deadline_ms = uv_now(host->check.loop) + (uint64_t)host->config->confirm_timeout_ms;
    /* The last answer may end the exchange; what is still needed of it here is taken out first. */
    memcpy(events, x->message->events, n * sizeof *events);
    x->message->n_events = 0;
    host->format->slim(x->message);
    x->waiting = n + 1;
    for (size_t i = 0; i < n; i++) {
        x->waits[i].done = on_published;
        x->waits[i].arg = x;
        x->waits[i].for_spool = x->message->confirm_by_spool;
        publisher_publish(host->publisher, events[i], lane, &x->waits[i]);
        carehub__v1__event__free_unpacked(events[i], NULL);
    }
    if (--x->waiting == 0)
        finish(x, x->fault, x->text);
}

static void on_refused(void *arg, const uint8_t id[CAREHUB_ID_BYTES], const char *code, const char *text)
{
    struct host *host = arg;
    char name[EVENTID_TEXT_CHARS];
    eventid_format(id, name);
    counters_add(&host->counters, COUNT_HUB_REFUSED, 1);
    LOG_LINE(LOG_LEVEL_WARNING, "event %s: %s (%s)", name, text, code);
    if (!journal_forget(host->journal, id, CAREHUB_ID_BYTES))
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(host->journal));
}

/* ---- Translating: all that came in, in one transaction of the journal ------------------------------------------- */

/* This message alone cannot be taken now. */
static bool postpone(struct exchange *x)
{
    x->fault = FORMAT_FAULT_UNAVAILABLE;
    snprintf(x->text, sizeof x->text, "%s", journal_error(x->host->journal));
    return true;
}

/* Makes events of a message, or finds those that were made of it before. False when the journal cannot be written. */
static bool translate(struct exchange *x)
{
    struct host *host = x->host;
    struct format_past past;
    enum journal_found found = journal_recall(host->journal, x->message);
    if (found == JOURNAL_REPEAT) {
        x->message->verdict = FORMAT_EVENTS;
        counters_add(&host->counters, COUNT_REPEATS, 1);
        return true;
    }
    x->message->key_reused = found == JOURNAL_REUSED;
    if (found == JOURNAL_FAILED || !journal_past(host->journal, x->message->episode, &past))
        return postpone(x);
    host->format->translate(x->message, &past);
    journal_past_clear(&past);
    if (x->message->verdict == FORMAT_EVENTS)
        return journal_add(host->journal, x->message, x->received_ms);
    if (x->message->verdict == FORMAT_HOLD && !x->held &&
        !journal_hold(host->journal, x->message, x->request->bytes, x->request->len, x->received_ms))
        return postpone(x);
    return true;
}

static void open_message(struct exchange *x)
{
    const void *bytes = x->request ? x->request->bytes : x->held->bytes;
    size_t len = x->request ? x->request->len : x->held->len;
    x->received_ms = x->request ? wall_ms() : x->held->received_ms;
    x->message = x->host->format->open(x->host->config->format_settings, bytes, len, x->received_ms);
}

static void drop_bytes(struct exchange *x)
{
    if (!x->request)
        return;
    free(x->request->bytes);
    x->request->bytes = NULL;
}

/* After the commit: goes on to the hub, or is answered. */
static void proceed(struct exchange *x, bool stored)
{
    struct host *host = x->host;
    struct format_message *m = x->message;
    drop_bytes(x);
    if (!m) {
        finish(x, FORMAT_FAULT_UNAVAILABLE, "the adapter is out of memory; send it again");
        return;
    }
    bool keeps = m->verdict == FORMAT_EVENTS || m->verdict == FORMAT_HOLD || m->verdict == FORMAT_OPENED;
    if (!x->held) {
        counters_add(&host->counters, COUNT_RECEIVED, 1);
        counters_add_kind(&host->counters, m->kind, m->n_events);
    }
    if (x->fault != FORMAT_FAULT_NONE) {
        finish(x, x->fault, x->text);
    } else if (keeps && !stored) {
        finish(x, FORMAT_FAULT_UNAVAILABLE, "the adapter cannot store it now; send it again later");
    } else if (m->verdict == FORMAT_EVENTS) {
        publish(x);
    } else if (m->verdict == FORMAT_ERROR || m->verdict == FORMAT_REJECTED) {
        finish(x, FORMAT_FAULT_NATIVE, m->problem);
    } else {
        if (m->verdict == FORMAT_HOLD)
            counters_add(&host->counters, COUNT_HELD, x->held ? 0 : 1);
        counters_add_reason(&host->counters, m->why);
        if (m->notable || m->verdict == FORMAT_HOLD)
            counters_add_unkept(&host->counters, m, m->why, x->received_ms);
        LOG_LINE(LOG_LEVEL_DEBUG, "connection %llu, sender %s, message %s (%s): %s",
                 (unsigned long long)(x->request ? x->request->connection : 0), m->sender, m->native_id, m->kind,
                 m->why);
        finish(x, FORMAT_FAULT_NONE, "");
    }
}

static void process(struct host *host, struct exchange *list)
{
    bool stored = journal_begin(host->journal);
    for (struct exchange *x = list; x; x = x->next_new) {
        open_message(x);
        if (stored && x->message && x->message->verdict == FORMAT_OPENED)
            stored = translate(x);
    }
    if (stored)
        stored = journal_commit(host->journal);
    else
        journal_rollback(host->journal);
    if (!stored)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(host->journal));
    for (struct exchange *x = list, *next; x; x = next) {
        next = x->next_new;
        proceed(x, stored);
    }
}

static void on_check(uv_check_t *check)
{
    struct host *host = check->data;
    struct exchange *list = host->fresh;
    if (!list)
        return;
    host->fresh = NULL;
    host->fresh_end = &host->fresh;
    process(host, list);
}

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* on_check follows */
}

/* ---- What comes in ---------------------------------------------------------------------------------------------- */

static struct exchange *exchange_new(struct host *host)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (x)
        x->host = host;
    return x;
}

static void enqueue(struct host *host, struct exchange *x)
{
    if (!host->fresh)
        uv_async_send(&host->wake);
    *host->fresh_end = x;
    host->fresh_end = &x->next_new;
}

static void on_take(void *arg, struct mllp_request *request)
{
    struct host *host = arg;
    struct exchange *x = exchange_new(host);
    if (!x) {
        mllp_answered(&request); /* no answer: the sender sends it again */
        return;
    }
    x->request = request;
    enqueue(host, x);
}

static void on_notice(void *arg, bool broken_frame)
{
    struct host *host = arg;
    counters_add(&host->counters, broken_frame ? COUNT_BROKEN_FRAMES : COUNT_CONNECTIONS, 1);
}

/* One at a time, in their order: the next is taken up by a later tick. */
static void retry_held(struct host *host)
{
    struct journal_held held;
    if (!journal_held_due(host->journal, &held))
        return;
    if (!held.bytes) {
        LOG_LINE(LOG_LEVEL_ERROR, "held message %s from %s is damaged and cannot be tried again", held.native_id,
                 held.sender);
        journal_held_waits(host->journal, held.number);
        return;
    }
    for (const struct exchange *x = host->waiting; x; x = x->next)
        if (x->held && x->held->number == held.number) {
            free(held.bytes);
            return;
        }
    struct exchange *x = exchange_new(host);
    struct journal_held *own = malloc(sizeof *own);
    if (!x || !own) {
        free(held.bytes);
        free(x);
        free(own);
        return;
    }
    *own = held;
    x->held = own;
    enqueue(host, x);
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static void expire(struct host *host, uint64_t now_ms)
{
    char text[128];
    snprintf(text, sizeof text,
             "not confirmed within %lld ms, the outcome is unknown; send it again, it will be recognised",
             (long long)host->config->confirm_timeout_ms);
    for (struct exchange *x = host->waiting, *next; x; x = next) {
        next = x->next;
        if (now_ms >= x->deadline_ms)
            finish(x, FORMAT_FAULT_UNAVAILABLE, text);
    }
}

static void save_status(struct host *host)
{
    const char *path = host->config->status_file;
    if (path && !counters_save(&host->counters, path, wall_ms(), journal_held_count(host->journal),
                               publisher_connected(host->publisher)))
        LOG_LINE(LOG_LEVEL_WARNING, "cannot write %s: %s", path, strerror(errno));
}

static void prune(struct host *host)
{
    int64_t before_ms = wall_ms() - host->config->remember_days * 24 * 3600 * 1000;
    int forgotten = journal_prune(host->journal, before_ms);
    if (forgotten < 0)
        LOG_LINE(LOG_LEVEL_WARNING, "%s", journal_error(host->journal));
    if (forgotten > 0)
        LOG_LINE(LOG_LEVEL_INFO, "forgot %d events older than %lld days", forgotten,
                 (long long)host->config->remember_days);
}

static void on_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    expire(host, now_ms);
    if (!host->stopped)
        retry_held(host);
    if (now_ms >= host->status_due_ms) {
        host->status_due_ms = now_ms + HOST_STATUS_MS;
        save_status(host);
    }
    if (now_ms >= host->prune_due_ms) {
        host->prune_due_ms = now_ms + HOST_PRUNE_MS;
        prune(host);
    }
    if (host->stopped && ((!host->waiting && !host->fresh) || now_ms >= host->stop_due_ms)) {
        uv_timer_stop(timer);
        host->stopped(host->stopped_arg);
    }
}

/* ---- Starting and ending ---------------------------------------------------------------------------------------- */

static bool open_listener(struct host *host, size_t i, char *error)
{
    const struct host_listen *listen = &host->config->listen[i];
    const struct mllp_server_options options = {
        .address = listen->address,
        .connections_max = (unsigned)listen->connections_max,
        .message_max_bytes = (size_t)listen->message_max_bytes,
        .idle_ms = (uint64_t)listen->idle_timeout_ms,
        .frame_ms = (uint64_t)listen->frame_timeout_ms,
        .take = on_take,
        .notice = on_notice,
        .arg = host,
    };
    char endpoint[MLLP_PEER_BYTES];
    host->servers[i] = mllp_server_new(host->check.loop, &options, error);
    if (!host->servers[i])
        return false;
    mllp_server_endpoint(host->servers[i], endpoint, sizeof endpoint);
    fprintf(stderr, "carehub-adapter: ready on %s\n", endpoint);
    return i > 0 || !host->config->endpoint_file || service_write_file(host->config->endpoint_file, endpoint, error);
}

static bool start(struct host *host, char *error)
{
    char journal_text[JOURNAL_ERROR_BYTES];
    uv_loop_t *loop = host->check.loop;
    host->journal = journal_open(host->config->state_dir, true, journal_text);
    if (!host->journal) {
        snprintf(error, FORMAT_ERROR_BYTES, "%s", journal_text);
        return false;
    }
    host->publisher = publisher_new(loop, &host->config->hub, on_refused, host);
    if (!host->publisher) {
        snprintf(error, FORMAT_ERROR_BYTES, "%s", carehub_error());
        return false;
    }
    for (size_t i = 0; i < host->config->n_listen; i++)
        if (!open_listener(host, i, error))
            return false;
    return true;
}

struct host *host_new(uv_loop_t *loop, const struct host_config *config, const struct format *format,
                      char error[FORMAT_ERROR_BYTES])
{
    struct host *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(error, FORMAT_ERROR_BYTES, "out of memory");
        return NULL;
    }
    self->config = config;
    self->format = format;
    self->fresh_end = &self->fresh;
    self->counters.started_ms = wall_ms();
    self->next_reply = (uint64_t)self->counters.started_ms
                       << 20; /* room for a million a millisecond until the next start */
    uv_check_init(loop, &self->check);
    uv_async_init(loop, &self->wake, on_wake);
    uv_timer_init(loop, &self->tick);
    self->check.data = self->wake.data = self->tick.data = self;
    self->handles = 3;
    uv_check_start(&self->check, on_check);
    uv_timer_start(&self->tick, on_tick, HOST_TICK_MS, HOST_TICK_MS);
    if (!start(self, error))
        host_close(&self);
    return self;
}

void host_stop(struct host *self, void (*stopped)(void *arg), void *arg)
{
    if (self->stopped)
        return;
    for (size_t i = 0; i < self->config->n_listen; i++)
        mllp_server_quiesce(self->servers[i]);
    self->stop_due_ms = uv_now(self->check.loop) + HOST_STOP_MS;
    self->stopped_arg = arg;
    self->stopped = stopped;
}

void host_print_counters(struct host *self)
{
    counters_print(&self->counters, stdout);
}

static void on_closed(uv_handle_t *handle)
{
    struct host *host = handle->data;
    if (--host->handles == 0)
        free(host);
}

void host_close(struct host **closing)
{
    struct host *host = *closing;
    *closing = NULL;
    if (!host)
        return;
    uv_check_stop(&host->check);
    publisher_close(&host->publisher); /* answers all who wait */
    for (struct exchange *x = host->fresh, *next; x; x = next) {
        next = x->next_new;
        finish(x, FORMAT_FAULT_UNAVAILABLE, "the adapter is being stopped; send it again");
    }
    for (size_t i = 0; i < HOST_LISTEN_MAX; i++)
        mllp_server_close(&host->servers[i]);
    if (host->journal && host->publisher == NULL && host->config->status_file)
        counters_save(&host->counters, host->config->status_file, wall_ms(), journal_held_count(host->journal), false);
    journal_close(&host->journal);
    uv_close((uv_handle_t *)&host->check, on_closed);
    uv_close((uv_handle_t *)&host->wake, on_closed);
    uv_close((uv_handle_t *)&host->tick, on_closed);
}
