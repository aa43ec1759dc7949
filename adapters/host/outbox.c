#include "outbox.h"

#include <stdlib.h>
#include <string.h>

#include "intake_internal.h"
#include "log_line.h"

struct outbox {
    struct journal *journal;
    struct publisher *publisher;
    struct journal_name notes[OUTBOX_NOTES_MAX];
    size_t n_notes;
    struct publisher_wait wait;
    struct journal_name sending; /* while it waits */
    bool is_waiting, is_sending; /* is_sending: within send_on */
    int64_t before, last, until; /* numbers of the journal: before the one under way, its own; where this sweep ends */
    uint64_t now_ms, due_ms;
};

/* ---- What is settled -------------------------------------------------------------------------------------------- */

static void write_notes(struct outbox *self)
{
    if (self->n_notes > 0 && !journal_settle(self->journal, self->notes, self->n_notes))
        LOG_LINE(LOG_LEVEL_WARNING, "%s; what the hub has is told to it once more", journal_error(self->journal));
    self->n_notes = 0;
}

static void note(struct outbox *self, const struct journal_name *name)
{
    if (self->n_notes == OUTBOX_NOTES_MAX)
        write_notes(self);
    self->notes[self->n_notes++] = *name;
}

void outbox_settled(struct outbox *self, const struct carehub_message *message)
{
    struct journal_name name;
    journal_name_of(self->journal, message, &name);
    note(self, &name);
}

bool outbox_is_settled(const struct outbox *self, const struct carehub_message *message)
{
    struct journal_name name;
    journal_name_of(self->journal, message, &name);
    for (size_t i = 0; i < self->n_notes; i++)
        if (memcmp(&self->notes[i], &name, sizeof name) == 0)
            return true;
    return journal_is_settled(self->journal, &name);
}

/* ---- What is not settled ----------------------------------------------------------------------------------------------- */

static void on_published(struct publisher_wait *wait, enum carehub_fault fault, const char *text);

static void end_sweep(struct outbox *self)
{
    self->last = 0;
    self->until = journal_last(self->journal);
    self->due_ms = self->now_ms + OUTBOX_SWEEP_MS;
}

/* The next one; false when there is none, or none can be had. */
static bool send_next(struct outbox *self)
{
    struct items items = {0};
    self->before = self->last;
    if (!journal_unsettled_next(self->journal, wall_clock_ms(), &self->last, self->until, &self->sending, &items)) {
        end_sweep(self);
        return false;
    }
    if (items.count == 0) {
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(self->journal));
        return true;
    }
    self->is_waiting = true;
    self->wait =
        (struct publisher_wait){.for_spool = publisher_has_spool(self->publisher), .done = on_published, .arg = self};
    if (items.count > 1 || items.n_facts > 0)
        publisher_publish_group(self->publisher, &items, 0, &self->wait);
    else
        publisher_publish(self->publisher, items.list[0], 0, &self->wait);
    items_clear(&items);
    return true;
}

static void send_on(struct outbox *self)
{
    if (self->is_sending) /* the last was settled from within */
        return;
    self->is_sending = true;
    while (!self->is_waiting && self->now_ms >= self->due_ms && send_next(self))
        ;
    self->is_sending = false;
}

static void on_published(struct publisher_wait *wait, enum carehub_fault fault, const char *text)
{
    struct outbox *self = wait->arg;
    (void)text;
    self->is_waiting = false;
    if (fault == CAREHUB_FAULT_UNAVAILABLE) {
        self->last = self->before; /* this one again */
        self->due_ms = self->now_ms + OUTBOX_AGAIN_MS;
        return;
    }
    note(self, &self->sending);
    send_on(self);
}

void outbox_tick(struct outbox *self, uint64_t now_ms, bool sends)
{
    self->now_ms = now_ms;
    write_notes(self);
    if (sends)
        send_on(self);
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

struct outbox *outbox_new(struct journal *journal, struct publisher *publisher)
{
    struct outbox *self = calloc(1, sizeof *self);
    if (!self)
        return NULL;
    self->journal = journal;
    self->publisher = publisher;
    self->until = journal_last(journal); /* what earlier processes left, at once */
    return self;
}

void outbox_close(struct outbox **self)
{
    struct outbox *outbox = *self;
    *self = NULL;
    if (!outbox)
        return;
    write_notes(outbox);
    if (outbox->is_waiting)
        publisher_leave(&outbox->wait);
    free(outbox);
}
