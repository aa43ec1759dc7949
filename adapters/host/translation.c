#include "translation.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "log_line.h"
#include "memory.h"
#include "shown_id.h"
#include "utf8.h"

void problem_text(const struct carehub_problem *problem, char *out, size_t size)
{
    snprintf(out, size, "%s%s%s%s%s%s", problem->where, problem->where[0] != '\0' ? ": " : "", problem->what,
             problem->rule[0] != '\0' ? " (" : "", problem->rule, problem->rule[0] != '\0' ? ")" : "");
}

/* ---- Opening ---------------------------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t digest[CAREHUB_DIGEST_BYTES])
{
    return sodium_is_zero(digest, CAREHUB_DIGEST_BYTES) == 1;
}

/* The sender and, behind a zero, its own name for the message; or the content, if it has none. */
static void make_key(struct translation *self)
{
    struct carehub_message *m = &self->message;
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const uint8_t *)m->sender, strlen(m->sender) + 1);
    if (m->native_id[0] != '\0')
        crypto_hash_sha256_update(&state, (const uint8_t *)m->native_id, strlen(m->native_id));
    else
        crypto_hash_sha256_update(&state, self->sha256, sizeof self->sha256);
    crypto_hash_sha256_final(&state, m->key);
}

bool translation_split(const struct carehub_format *format, const void *format_self, const void *bytes, size_t len,
                       size_t *position, const void **message, size_t *message_len)
{
    size_t before = *position;
    if (!format->split || !format->split(format_self, bytes, len, position, message, message_len))
        return false;
    uintptr_t start = (uintptr_t)bytes, at = (uintptr_t)*message;
    if (*position > before && at >= start && at - start <= len && *message_len <= len - (at - start))
        return true;
    LOG_LINE(LOG_LEVEL_ERROR,
             "the format %s gives messages that are not in the file, or the same again; what follows in "
             "there is not read",
             format->name);
    return false;
}

/* Ends a text where it stops being UTF-8, such as inside a character that was cut off where its room ended: it goes
 * into events and JSON. */
static void end_text(char *text, size_t size)
{
    text[utf8_valid_prefix(text, strnlen(text, size - 1))] = '\0';
}

/* What a plug-in may have filled to the brim. */
static void terminate(struct carehub_message *m)
{
    end_text(m->sender, sizeof m->sender);
    end_text(m->native_id, sizeof m->native_id);
    end_text(m->kind, sizeof m->kind);
    end_text(m->problem.where, sizeof m->problem.where);
    end_text(m->problem.what, sizeof m->problem.what);
    end_text(m->problem.rule, sizeof m->problem.rule);
    /* These are shown; that they quote nothing is the format's to see to, and this in case it does. */
    shown_blot(m->kind);
    shown_blot(m->problem.where);
    shown_blot(m->problem.what);
}

static void name_reason(struct carehub_message *m)
{
    if (!m->why)
        m->why = m->verdict == CAREHUB_MESSAGE_HOLD ? "held" : "no-event";
}

void translation_open(struct translation *self, const struct carehub_format *format, const void *format_self,
                      const struct carehub_native *native)
{
    struct carehub_message *m = &self->message;
    self->format = format;
    self->self = format_self;
    self->native = *native;
    m->native = &self->native;
    crypto_hash_sha256(self->sha256, native->bytes, native->len);
    self->is_open = true;
    if (!format->translate) {
        m->verdict = CAREHUB_MESSAGE_REJECTED;
        snprintf(m->problem.what, sizeof m->problem.what, "this adapter's format takes nothing in");
    } else if (format->open && !format->open(format_self, m)) {
        snprintf(self->failure, sizeof self->failure, "the adapter is out of memory");
        translation_close(self);
    }
    terminate(m);
    self->unread = m->verdict == CAREHUB_MESSAGE_ERROR || m->verdict == CAREHUB_MESSAGE_REJECTED;
    if (is_zero(m->key))
        make_key(self);
    if (is_zero(m->digest))
        memcpy(m->digest, self->sha256, sizeof m->digest);
    name_reason(m);
}

/* ---- Translating ------------------------------------------------------------------------------------------------ */

/* This message cannot be handled now; others can, if the transaction is still there. */
static bool postpone(struct translation *self, const struct journal *journal, const char *why)
{
    snprintf(self->failure, sizeof self->failure, "%s", why);
    items_clear(&self->items);
    return journal_goes_on(journal);
}

/* What the format said and what it did, brought into line. */
static void conclude(struct translation *self)
{
    struct carehub_message *m = &self->message;
    bool may_emit = m->verdict == CAREHUB_MESSAGE_OPENED || m->verdict == CAREHUB_MESSAGE_EVENTS ||
                    m->verdict == CAREHUB_MESSAGE_NOTHING;
    if (!may_emit) {
        items_clear(&self->items);
    } else if (self->items.count > 0) {
        m->verdict = CAREHUB_MESSAGE_EVENTS;
    } else if (m->verdict != CAREHUB_MESSAGE_NOTHING) {
        m->verdict = CAREHUB_MESSAGE_NOTHING;
    }
    name_reason(m);
}

static bool hold(struct translation *self, struct journal *journal, bool held)
{
    self->kept = true;
    return held || journal_hold(journal, &self->message, &self->native) ||
           postpone(self, journal, journal_error(journal));
}

/* Writes what came of it. False when the journal cannot be written. */
static bool keep(struct translation *self, struct journal *journal, struct memory *memory, bool held)
{
    const struct carehub_message *m = &self->message;
    if (m->verdict == CAREHUB_MESSAGE_HOLD)
        return hold(self, journal, held);
    if (m->verdict != CAREHUB_MESSAGE_EVENTS && m->verdict != CAREHUB_MESSAGE_NOTHING)
        return true;
    self->kept = m->verdict == CAREHUB_MESSAGE_EVENTS || memory_has_new_states(memory);
    return journal_add(journal, m, &self->items, self->native.received_ms) && memory_save_states(memory);
}

bool translation_run(struct translation *self, struct journal *journal, bool held)
{
    struct memory memory;
    if (self->failure[0] == '\0' && self->message.verdict == CAREHUB_MESSAGE_HOLD)
        return hold(self, journal, held);
    if (self->failure[0] != '\0' || self->message.verdict != CAREHUB_MESSAGE_OPENED)
        return true;
    enum journal_found found = journal_recall(journal, &self->message, &self->items);
    if (found == JOURNAL_FAILED)
        return postpone(self, journal, journal_error(journal));
    if (found == JOURNAL_REPEAT) {
        self->message.verdict = CAREHUB_MESSAGE_EVENTS;
        self->repeat = true;
        self->kept = true; /* the first may have come in this very transaction */
        return true;
    }
    self->message.key_reused = found == JOURNAL_REUSED;
    memory_init(&memory, self->format, journal, &self->message, self->sha256, &self->items);
    self->format->translate(self->self, &self->message, &memory.base);
    terminate(&self->message);
    if (memory.refused)
        self->message.verdict = CAREHUB_MESSAGE_ERROR;
    bool ok;
    if (memory.failure) {
        ok = postpone(self, journal, memory.failure);
    } else {
        conclude(self);
        ok = keep(self, journal, &memory, held);
    }
    memory_clear(&memory);
    return ok;
}

/* ---- The end ---------------------------------------------------------------------------------------------------- */

bool translation_slim(struct translation *self)
{
    if (self->is_open && !self->format->slim)
        return false;
    if (self->is_open)
        self->format->slim(&self->message);
    self->native.bytes = NULL;
    self->native.len = 0;
    return true;
}

void translation_close(struct translation *self)
{
    items_clear(&self->items);
    if (self->is_open && self->format->close)
        self->format->close(&self->message);
    self->is_open = false;
}
