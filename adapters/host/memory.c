#include "memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory_internal.h"

struct memory_past {
    struct memory_past *next;
    char *episode;
    struct journal_past past;
};

bool memory_fail(struct memory *self, const char *why)
{
    if (!self->failure)
        self->failure = why;
    return false;
}

bool memory_refuse(struct memory *self, const char *where, const char *rule, const char *format, ...)
{
    struct carehub_problem *problem = &self->message->problem;
    va_list arguments;
    self->refused = true;
    self->message->verdict = CAREHUB_MESSAGE_ERROR;
    snprintf(problem->where, sizeof problem->where, "%s", where);
    snprintf(problem->rule, sizeof problem->rule, "%s", rule);
    va_start(arguments, format);
    vsnprintf(problem->what, sizeof problem->what, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- The past of episodes --------------------------------------------------------------------------------------- */

static struct memory_past *read_past(struct memory *self, const char *episode)
{
    struct memory_past *past = calloc(1, sizeof *past);
    if (past)
        past->episode = strdup(episode);
    if (past && past->episode && journal_past(self->journal, episode, &past->past)) {
        past->next = self->pasts;
        self->pasts = past;
        return past;
    }
    memory_fail(self, past && past->episode ? journal_error(self->journal) : "the adapter is out of memory");
    if (past)
        free(past->episode);
    free(past);
    return NULL;
}

static size_t on_past(struct carehub_memory *base, const char *episode, Carehub__V1__Event *const **events)
{
    struct memory *self = (struct memory *)base;
    *events = NULL;
    if (!episode || episode[0] == '\0')
        return 0;
    struct memory_past *past = self->pasts;
    while (past && strcmp(past->episode, episode) != 0)
        past = past->next;
    if (!past)
        past = read_past(self, episode);
    if (!past)
        return 0;
    *events = past->past.events;
    return past->past.count;
}

/* ---- States ----------------------------------------------------------------------------------------------------- */

/* A new entry, which hides earlier ones of that name; they stay, for what load gave is valid until translate returns.
 * NULL: failed or refused. */
static struct memory_state *state_new(struct memory *self, const char *name)
{
    if (self->n_states == MEMORY_STATES_MAX) {
        memory_refuse(self, "", "carehub-formats(7)", "it loads and stores more than %d remembered states",
                      MEMORY_STATES_MAX);
        return NULL;
    }
    struct memory_state *state = &self->states[self->n_states];
    *state = (struct memory_state){.name = strdup(name)};
    if (!state->name) {
        memory_fail(self, "the adapter is out of memory");
        return NULL;
    }
    self->n_states++;
    return state;
}

static const void *on_load(struct carehub_memory *base, const char *name, size_t *len)
{
    struct memory *self = (struct memory *)base;
    struct memory_state *state = NULL;
    *len = 0;
    for (size_t i = self->n_states; i > 0 && !state; i--)
        if (strcmp(self->states[i - 1].name, name) == 0)
            state = &self->states[i - 1];
    if (!state) {
        state = state_new(self, name);
        if (!state)
            return NULL;
        if (!journal_state_load(self->journal, name, &state->bytes, &state->len))
            memory_fail(self, journal_error(self->journal));
    }
    *len = state->len;
    return state->bytes;
}

static bool on_store(struct carehub_memory *base, const char *name, const void *bytes, size_t len)
{
    struct memory *self = (struct memory *)base;
    if (self->refused || self->failure)
        return false;
    if (len > CAREHUB_STATE_MAX_BYTES)
        return memory_refuse(self, "", "carehub-formats(7)",
                             "what the adapter would have to remember of it has %zu bytes; at most %d are kept", len,
                             CAREHUB_STATE_MAX_BYTES);
    struct memory_state *state = state_new(self, name);
    if (!state)
        return false;
    state->bytes = malloc(len + 1);
    if (!state->bytes)
        return memory_fail(self, "the adapter is out of memory");
    if (len > 0)
        memcpy(state->bytes, bytes, len);
    state->len = len;
    state->is_new = true;
    return true;
}

bool memory_save_states(struct memory *self)
{
    for (size_t i = 0; i < self->n_states; i++) {
        const struct memory_state *state = &self->states[i];
        int64_t now_ms = self->message->native->received_ms;
        bool ok = state->is_new
                      ? journal_state_store(self->journal, self->message, state->name, state->bytes, state->len, now_ms)
                      : !state->bytes || journal_state_seen(self->journal, state->name, now_ms);
        if (!ok)
            return false;
    }
    return true;
}

bool memory_has_new_states(const struct memory *self)
{
    for (size_t i = 0; i < self->n_states; i++)
        if (self->states[i].is_new)
            return true;
    return false;
}

/* ---- Beginning and end ------------------------------------------------------------------------------------------ */

void memory_init(struct memory *self, const struct carehub_format *format, struct journal *journal,
                 struct carehub_message *message, const uint8_t sha256[CAREHUB_DIGEST_BYTES], struct items *items)
{
    *self = (struct memory){
        .base =
            {.past = on_past, .load = on_load, .store = on_store, .emit = memory_emit, .emit_fact = memory_emit_fact},
        .format = format,
        .journal = journal,
        .message = message,
        .sha256 = sha256,
        .items = items,
    };
}

void memory_clear(struct memory *self)
{
    for (struct memory_past *past = self->pasts, *next; past; past = next) {
        next = past->next;
        journal_past_clear(&past->past);
        free(past->episode);
        free(past);
    }
    for (size_t i = 0; i < self->n_states; i++) {
        free(self->states[i].name);
        free(self->states[i].bytes);
    }
    self->pasts = NULL;
    self->n_states = 0;
}
