/* intake_exchange.c - one message, from the journal's commit to its end. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake_internal.h"
#include "log_line.h"
#include "shown_id.h"

static const struct intake_options *options_of(const struct exchange *x)
{
    return &x->reception->intake->options;
}

enum { ORIGIN_BYTES = 32 };

static uint64_t connection_of(const struct exchange *x)
{
    return x->reception->arrival ? x->reception->arrival->connection : 0;
}

/* How it came in, for the log. Not the name of a file: it can say whom the file is about. */
static const char *origin_of(const struct exchange *x, char text[ORIGIN_BYTES])
{
    const struct arrival *arrival = x->reception->arrival;
    if (!arrival)
        return "held";
    if (strcmp(arrival->transport->name, "folder") == 0)
        return "folder";
    snprintf(text, ORIGIN_BYTES, "connection %llu", (unsigned long long)arrival->connection);
    return text;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

/* A held message that was tried again: done with, or to wait on. What could only not be done now stays due. */
static void settle_held(const struct exchange *x)
{
    struct intake *intake = x->reception->intake;
    struct journal *journal = options_of(x)->journal;
    const struct journal_held *held = x->reception->held;
    if (x->fault == CAREHUB_FAULT_UNAVAILABLE) {
        intake->retry_due_ms = uv_now(intake->check.loop) + INTAKE_RETRY_MS;
        return;
    }
    bool done = x->fault == CAREHUB_FAULT_NONE && x->translation.message.verdict != CAREHUB_MESSAGE_HOLD;
    if (!(done ? journal_held_done(journal, held->number) : journal_held_waits(journal, held->number)))
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(journal));
    else
        LOG_LINE(LOG_LEVEL_INFO, "held message %s from %s: %s", held->native_id, held->sender,
                 done ? "tried again, with success" : "stays held");
}

/* What the log says of a refusal: who, which message, why; never what is in it. */
static void log_fault(const struct exchange *x)
{
    const struct carehub_message *m = &x->translation.message;
    char problem[CAREHUB_WHERE_BYTES + CAREHUB_WHAT_BYTES + CAREHUB_RULE_BYTES + 8];
    char origin[ORIGIN_BYTES], id[CAREHUB_NATIVE_ID_BYTES];
    shown_id(m->native_id, id);
    problem_text(&m->problem, problem, sizeof problem);
    LOG_LINE(LOG_LEVEL_WARNING, "%s, sender %s, message %s (%s): %s", origin_of(x, origin),
             m->sender[0] != '\0' ? m->sender : "unknown", id[0] != '\0' ? id : "without id",
             m->kind[0] != '\0' ? m->kind : "unknown", x->fault == CAREHUB_FAULT_NATIVE ? problem : x->text);
}

void exchange_finish(struct exchange *x, enum carehub_fault fault, const char *text)
{
    struct counters *counters = options_of(x)->counters;
    x->fault = fault;
    if (text != x->text)
        snprintf(x->text, sizeof x->text, "%s", text);
    for (size_t i = 0; i < x->n_waits; i++)
        publisher_leave(&x->waits[i]);
    if (fault != CAREHUB_FAULT_NONE) {
        log_fault(x);
        counters_add(counters, fault == CAREHUB_FAULT_UNAVAILABLE ? COUNT_UNCONFIRMED : COUNT_REFUSED, 1);
    }
    if (x->reception->held)
        settle_held(x);
    if (fault != CAREHUB_FAULT_UNAVAILABLE && x->translation.message.verdict == CAREHUB_MESSAGE_EVENTS)
        outbox_settled(x->reception->intake->outbox, &x->translation.message);
    x->done = true;
    reception_settle(x->reception);
}

/* ---- Publishing ------------------------------------------------------------------------------------------------- */

/* One of those that are waited for has come to its end. */
static void one_less(struct exchange *x)
{
    if (--x->waiting == 0)
        exchange_finish(x, x->fault, x->text);
}

static void on_published(struct publisher_wait *wait, enum carehub_fault fault, const char *text)
{
    struct exchange *x = wait->arg;
    struct counters *counters = options_of(x)->counters;
    if (fault == CAREHUB_FAULT_NONE) {
        counters_add(counters, COUNT_EVENTS, x->is_group ? x->n_ids : 1);
        counters_add(counters, COUNT_FACTS, x->n_facts);
    } else if (x->fault == CAREHUB_FAULT_NONE) {
        x->fault = fault;
        snprintf(x->text, sizeof x->text, "%s", text);
    }
    one_less(x);
}

static struct publisher_wait *wait_for(struct exchange *x, bool for_spool)
{
    struct publisher_wait *wait = &x->waits[x->n_waits++];
    wait->done = on_published;
    wait->arg = x;
    wait->for_spool = for_spool;
    x->waiting++;
    return wait;
}

static void note_ids(struct exchange *x, const struct items *items)
{
    for (size_t i = 0; i < items->count; i++)
        if (!items->list[i]->is_fact)
            memcpy(x->ids[x->n_ids++], items->list[i]->id, EVENTID_BYTES);
    x->n_facts = items->n_facts;
}

/* A repeat of what is safe in the spool, or with the hub, and would be put into the spool once more. */
static bool is_safe_already(const struct exchange *x)
{
    return x->translation.repeat && x->translation.message.confirm_by_spool &&
           outbox_is_settled(x->reception->intake->outbox, &x->translation.message);
}

/* Facts, or several items that are to be confirmed by the hub, are taken together or not at all; other events each by
 * itself. */
static void publish(struct exchange *x)
{
    struct publisher *publisher = options_of(x)->publisher;
    bool for_spool = x->translation.message.confirm_by_spool;
    struct items items = x->translation.items; /* the last answer may end the exchange: taken out first */
    uint64_t lane = connection_of(x);
    x->translation.items = (struct items){0};
    note_ids(x, &items);
    x->waiting = 1;
    x->is_group = items.n_facts > 0 || (items.count > 1 && !for_spool);
    if (x->is_group)
        publisher_publish_group(publisher, &items, lane, wait_for(x, false));
    else
        for (size_t i = 0; i < items.count; i++)
            publisher_publish(publisher, items.list[i], lane, wait_for(x, for_spool));
    items_clear(&items);
    one_less(x);
}

static void answer_again(struct exchange *x)
{
    note_ids(x, &x->translation.items);
    counters_add(options_of(x)->counters, COUNT_EVENTS, x->n_ids);
    exchange_finish(x, CAREHUB_FAULT_NONE, "");
}

/* ---- After the commit ------------------------------------------------------------------------------------------- */

/* Nothing comes of it, or it is held. */
static void set_aside(struct exchange *x)
{
    struct counters *counters = options_of(x)->counters;
    const struct carehub_message *m = &x->translation.message;
    bool is_held = m->verdict == CAREHUB_MESSAGE_HOLD;
    char origin[ORIGIN_BYTES], id[CAREHUB_NATIVE_ID_BYTES];
    shown_id(m->native_id, id);
    if (is_held)
        counters_add(counters, COUNT_HELD, x->reception->held ? 0 : 1);
    counters_add_reason(counters, m->why);
    if (m->notable || is_held)
        counters_add_unkept(counters, m, m->why, x->translation.native.received_ms);
    LOG_LINE(LOG_LEVEL_DEBUG, "%s, sender %s, message %s (%s): %s", origin_of(x, origin), m->sender, id, m->kind,
             m->why);
    exchange_finish(x, CAREHUB_FAULT_NONE, "");
}

void exchange_proceed(struct exchange *x)
{
    struct translation *t = &x->translation;
    struct counters *counters = options_of(x)->counters;
    if (!x->reception->held) {
        counters_add(counters, COUNT_RECEIVED, 1);
        counters_add_kind(counters, t->message.kind, t->items.count - t->items.n_facts);
    }
    counters_add(counters, COUNT_REPEATS, t->repeat);
    if (t->failure[0] != '\0')
        exchange_finish(x, CAREHUB_FAULT_UNAVAILABLE, t->failure);
    else if (!x->stored && (t->kept || t->message.verdict == CAREHUB_MESSAGE_OPENED))
        exchange_finish(x, CAREHUB_FAULT_UNAVAILABLE, "the adapter cannot store it now; send it again later");
    else if (t->message.verdict == CAREHUB_MESSAGE_EVENTS && !is_safe_already(x))
        publish(x);
    else if (t->message.verdict == CAREHUB_MESSAGE_ERROR || t->message.verdict == CAREHUB_MESSAGE_REJECTED)
        exchange_finish(x, CAREHUB_FAULT_NATIVE, "");
    else if (t->message.verdict == CAREHUB_MESSAGE_EVENTS)
        answer_again(x);
    else
        set_aside(x);
}
