#include "intake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake_internal.h"
#include "log_line.h"

/* ---- Arrivals --------------------------------------------------------------------------------------------------- */

void reception_enqueue(struct reception *r)
{
    struct intake *self = r->intake;
    if (r->is_fresh)
        return;
    if (!self->fresh)
        uv_async_send(&self->wake);
    r->is_fresh = true;
    r->next_fresh = NULL;
    *self->fresh_end = r;
    self->fresh_end = &r->next_fresh;
}

static struct reception *reception_new(struct intake *self, const struct carehub_native *native)
{
    struct reception *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->intake = self;
    r->native = *native;
    r->end = &r->first;
    r->next = self->all;
    r->link = &self->all;
    if (r->next)
        r->next->link = &r->next;
    self->all = r;
    return r;
}

static void exchange_free(struct exchange *x)
{
    if (!x)
        return;
    translation_close(&x->translation);
    free(x);
}

static void reception_free(struct reception *r)
{
    *r->link = r->next;
    if (r->next)
        r->next->link = r->link;
    for (struct exchange *x = r->first, *next; x; x = next) {
        next = x->next;
        exchange_free(x);
    }
    exchange_free(r->worst);
    if (r->held)
        free(r->held->own);
    free(r->held);
    free(r);
}

/* Sending again helps most of all that can become of a message, so it counts most: what was taken is recognised. */
static int badness(enum carehub_fault fault)
{
    return fault == CAREHUB_FAULT_NONE ? 0 : fault == CAREHUB_FAULT_UNAVAILABLE ? 2 : 1;
}

static void answer(struct reception *r)
{
    static const char cut_short[] = "the adapter could not handle it to its end; send it again";
    struct arrival *arrival = r->arrival;
    if (arrival && r->worst && !r->cut_short) {
        struct carehub_outcome outcome = intake_outcome(r->worst, 0);
        arrival->unread = r->worst->translation.unread;
        arrival->n_messages = r->n_messages;
        arrival->n_refused = r->n_refused;
        arrival->transport->answered(arrival, &r->worst->translation.message, &outcome);
    } else if (arrival) {
        const struct carehub_message none = {.native = &r->native, .why = ""};
        const struct carehub_outcome outcome = {
            .fault = CAREHUB_FAULT_UNAVAILABLE, .text = cut_short, .now_ms = wall_clock_ms()};
        arrival->transport->answered(arrival, &none, &outcome);
    }
    reception_free(r);
}

void reception_settle(struct reception *r)
{
    while (r->first && r->first->done) {
        struct exchange *x = r->first;
        r->first = x->next;
        if (!r->first)
            r->end = &r->first;
        r->n_open--;
        r->n_refused += badness(x->fault) == 1;
        if (r->arrival) {
            struct journal *journal = r->intake->options.journal;
            struct carehub_outcome outcome = intake_outcome(x, journal_number(journal, wall_clock_ms()));
            intake_reply(x, &outcome);
        }
        if (!r->worst || badness(x->fault) > badness(r->worst->fault)) {
            exchange_free(r->worst);
            r->worst = x;
        } else {
            exchange_free(x);
        }
    }
    if (!r->split_done)
        reception_enqueue(r);
    else if (r->n_open == 0)
        answer(r);
}

/* ---- Their messages --------------------------------------------------------------------------------------------- */

/* An HTTP request is one message, and so is what was held. A file in which the format finds none is given to it whole,
 * so that it says what is wrong with it. */
static bool next_message(struct reception *r, struct carehub_native *native)
{
    const struct carehub_format *format = r->intake->options.format;
    bool splits = r->arrival && strcmp(r->native.transport, "http") != 0;
    const void *bytes;
    size_t len;
    *native = r->native;
    if (splits && translation_split(format, r->intake->options.format_self, r->native.bytes, r->native.len,
                                    &r->position, &bytes, &len)) {
        native->bytes = bytes;
        native->len = len;
        return true;
    }
    r->split_done = true;
    return r->n_messages == 0;
}

static struct exchange *exchange_new(struct reception *r, const struct carehub_native *native)
{
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) {
        r->split_done = r->cut_short = true;
        return NULL;
    }
    x->reception = r;
    *r->end = x;
    r->end = &x->next;
    r->n_open++;
    r->n_messages++;
    translation_open(&x->translation, r->intake->options.format, r->intake->options.format_self, native);
    return x;
}

/* The next messages of all arrivals that have some, translated in one transaction. */
static struct exchange *translate_all(struct intake *self, struct reception *list, bool *stored)
{
    struct exchange *batch = NULL, **end = &batch;
    struct journal *journal = self->options.journal;
    struct carehub_native native;
    *stored = journal_begin(journal);
    for (struct reception *r = list; r; r = r->next_fresh) {
        while (!r->split_done && r->n_open < INTAKE_WINDOW && next_message(r, &native)) {
            struct exchange *x = exchange_new(r, &native);
            if (!x)
                break;
            x->deadline_ms = uv_now(self->check.loop) + (uint64_t)self->options.confirm_timeout_ms;
            *end = x;
            end = &x->next_fresh;
            if (*stored)
                *stored = translation_run(&x->translation, journal, r->held != NULL);
        }
    }
    if (*stored)
        *stored = journal_commit(journal);
    else
        journal_rollback(journal);
    return batch;
}

/* Bytes that nobody needs any more go before the wait for the hub, which may be long. */
static void drop_bytes(struct reception *r)
{
    if (!r->arrival || !r->split_done || r->needs_bytes)
        return;
    free(r->arrival->bytes);
    r->arrival->bytes = NULL;
    r->arrival->native.bytes = NULL;
    r->native.bytes = NULL;
}

static void process(struct intake *self, struct reception *list)
{
    bool stored;
    struct exchange *batch = translate_all(self, list, &stored);
    if (!stored)
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(self->options.journal));
    for (struct exchange *x = batch; x; x = x->next_fresh) {
        x->stored = stored;
        x->reception->needs_bytes |= !translation_slim(&x->translation);
    }
    for (struct reception *r = list, *next; r; r = next) {
        next = r->next_fresh;
        r->is_fresh = false;
        drop_bytes(r);
        if (r->split_done && r->n_open == 0)
            answer(r);
    }
    for (struct exchange *x = batch, *next; x; x = next) {
        next = x->next_fresh;
        exchange_proceed(x);
    }
}

static void on_check(uv_check_t *check)
{
    struct intake *self = check->data;
    struct reception *list = self->fresh;
    if (!list)
        return;
    self->fresh = NULL;
    self->fresh_end = &self->fresh;
    process(self, list);
}

static void on_wake(uv_async_t *wake)
{
    (void)wake; /* on_check follows */
}

/* ---- What comes in ---------------------------------------------------------------------------------------------- */

void intake_take(void *arg, struct arrival *arrival)
{
    struct intake *self = arg;
    struct reception *r = reception_new(self, &arrival->native);
    if (r) {
        r->arrival = arrival;
        reception_enqueue(r);
        return;
    }
    const struct carehub_message none = {.native = &arrival->native, .why = ""};
    const struct carehub_outcome outcome = {.fault = CAREHUB_FAULT_UNAVAILABLE,
                                            .text = "the adapter is out of memory; send it again"};
    arrival->transport->answered(arrival, &none, &outcome); /* no reply: the sender sends it again */
}

void intake_notice(void *arg, bool broken)
{
    struct intake *self = arg;
    counters_add(self->options.counters, broken ? COUNT_BROKEN_FRAMES : COUNT_CONNECTIONS, 1);
}

bool intake_get(void *arg, const char *path, carehub_reply_fn *fn, void *reply_arg)
{
    const struct intake *self = arg;
    const struct carehub_format *format = self->options.format;
    return format->get && format->get(self->options.format_self, path, fn, reply_arg);
}

static bool is_under_way(const struct intake *self, int64_t number)
{
    for (const struct reception *r = self->all; r; r = r->next)
        if (r->held && r->held->number == number)
            return true;
    return false;
}

static void retry_held(struct intake *self)
{
    struct journal_held held = {0};
    if (!journal_held_due(self->options.journal, &held))
        return;
    if (!held.native.bytes) {
        LOG_LINE(LOG_LEVEL_ERROR, "held message %s from %s is damaged and cannot be tried again", held.native_id,
                 held.sender);
        journal_held_waits(self->options.journal, held.number);
        return;
    }
    struct reception *r = is_under_way(self, held.number) ? NULL : reception_new(self, &held.native);
    if (r && (r->held = malloc(sizeof *r->held))) {
        *r->held = held;
        reception_enqueue(r);
        return;
    }
    free(held.own);
    if (r)
        reception_free(r);
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static bool is_late(const struct exchange *x, uint64_t now_ms)
{
    return !x->done && x->waiting > 0 && now_ms >= x->deadline_ms;
}

/* Gives up what was not confirmed in time. With the last of them the reception may be gone. */
static void expire(struct reception *r, uint64_t now_ms, const char *text)
{
    size_t n = 0;
    for (const struct exchange *x = r->first; x; x = x->next)
        n += is_late(x, now_ms);
    for (; n > 0; n--) {
        struct exchange *x = r->first;
        while (!is_late(x, now_ms))
            x = x->next;
        exchange_finish(x, CAREHUB_FAULT_UNAVAILABLE, text);
    }
}

void intake_tick(struct intake *self, bool with_more)
{
    uint64_t now_ms = uv_now(self->check.loop);
    char text[128];
    snprintf(text, sizeof text,
             "not confirmed within %lld ms, the outcome is unknown; send it again, it will be recognised",
             (long long)self->options.confirm_timeout_ms);
    for (struct reception *r = self->all, *next; r; r = next) {
        next = r->next;
        expire(r, now_ms, text);
    }
    if (with_more && now_ms >= self->retry_due_ms)
        retry_held(self);
    outbox_tick(self->outbox, now_ms, with_more);
}

bool intake_is_idle(const struct intake *self)
{
    return !self->all;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

struct intake *intake_new(uv_loop_t *loop, const struct intake_options *options)
{
    struct intake *self = calloc(1, sizeof *self);
    if (self)
        self->outbox = outbox_new(options->journal, options->publisher);
    if (!self || !self->outbox || uv_async_init(loop, &self->wake, on_wake) != 0) {
        if (self)
            outbox_close(&self->outbox);
        free(self);
        return NULL;
    }
    uv_check_init(loop, &self->check);
    uv_check_start(&self->check, on_check);
    self->check.data = self->wake.data = self;
    self->handles = 2;
    self->options = *options;
    self->fresh_end = &self->fresh;
    return self;
}

static void on_closed(uv_handle_t *handle)
{
    struct intake *self = handle->data;
    if (--self->handles == 0)
        free(self);
}

void intake_close(struct intake **closing)
{
    struct intake *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    for (struct reception *r = self->all, *next; r; r = next) { /* those who waited for the publisher were told by it */
        next = r->next;
        r->cut_short = true;
        answer(r);
    }
    outbox_close(&self->outbox);
    uv_close((uv_handle_t *)&self->check, on_closed);
    uv_close((uv_handle_t *)&self->wake, on_closed);
}
