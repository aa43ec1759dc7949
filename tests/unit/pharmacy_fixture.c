#include "pharmacy_fixture.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct carehub_format carehub_format;

// ---- Configuration

enum { SETTINGS_MAX = 64 };

void *fixture_configure(const char *const settings[][2], char error[CAREHUB_ERROR_BYTES])
{
    static struct carehub_setting tree[SETTINGS_MAX];
    struct carehub_setting root = {.name = "format", .value = ""};
    const struct carehub_setting **next[8] = {&root.first};
    size_t depth = 0;
    for (size_t i = 0; settings[i][0] != NULL || depth > 0; i++) {
        if (settings[i][0] == NULL) {
            depth--;
            continue;
        }
        assert(i < SETTINGS_MAX && depth + 2 < sizeof next / sizeof next[0]);
        tree[i] =
            (struct carehub_setting){.name = settings[i][0], .value = settings[i][1] != NULL ? settings[i][1] : ""};
        *next[depth] = &tree[i];
        next[depth] = &tree[i].next;
        if (settings[i][1] == NULL)
            next[++depth] = &tree[i].first;
    }
    return carehub_format.configure(&root, "", error);
}

// ---- Memory

static struct fixture_state *find(struct fixture_state *states, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(states[i].name, name) == 0)
            return &states[i];
    return NULL;
}

static size_t past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    (void)memory;
    (void)episode;
    *events = NULL;
    return 0;
}

static const void *load(struct carehub_memory *memory, const char *name, size_t *len)
{
    struct fixture *self = (struct fixture *)memory;
    struct fixture_state *state = find(self->staged, self->n_staged, name);
    if (state == NULL)
        state = find(self->kept, self->n_kept, name);
    *len = state != NULL ? state->len : 0;
    return state != NULL ? state->bytes : NULL;
}

static void put(struct fixture_state *states, size_t *n, const char *name, uint8_t *bytes, size_t len)
{
    struct fixture_state *state = find(states, *n, name);
    if (state == NULL) {
        assert(*n < FIXTURE_STATES_MAX);
        state = &states[(*n)++];
        *state = (struct fixture_state){0};
        assert((size_t)snprintf(state->name, sizeof state->name, "%s", name) < sizeof state->name);
    }
    free(state->bytes);
    state->bytes = bytes;
    state->len = len;
}

static bool store(struct carehub_memory *memory, const char *name, const void *bytes, size_t len)
{
    struct fixture *self = (struct fixture *)memory;
    assert(len <= CAREHUB_STATE_MAX_BYTES);
    if (self->disk_full)
        return false;
    uint8_t *copy = malloc(len + 1);
    assert(copy != NULL);
    memcpy(copy, bytes, len);
    put(self->staged, &self->n_staged, name, copy, len);
    return true;
}

static bool emit(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    struct fixture *self = (struct fixture *)memory;
    size_t len = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(len + 1);
    (void)episode;
    assert(bytes != NULL && self->n_events < FIXTURE_EVENTS_MAX);
    carehub__v1__event__pack(event, bytes);
    self->events[self->n_events] = carehub__v1__event__unpack(NULL, len, bytes);
    assert(self->events[self->n_events] != NULL);
    self->n_events++;
    free(bytes);
    return true;
}

static void end_message(struct fixture *self, bool taken)
{
    for (size_t i = 0; i < self->n_staged; i++) {
        if (taken)
            put(self->kept, &self->n_kept, self->staged[i].name, self->staged[i].bytes, self->staged[i].len);
        else
            free(self->staged[i].bytes);
    }
    self->n_staged = 0;
}

// ---- Messages

void fixture_close(struct fixture *self)
{
    if (self->message.native != NULL)
        carehub_format.close(&self->message);
    self->message.native = NULL;
    for (size_t i = 0; i < self->n_events; i++)
        carehub__v1__event__free_unpacked(self->events[i], NULL);
    self->n_events = 0;
}

void fixture_send(struct fixture *self, const void *bytes, size_t len)
{
    fixture_close(self);
    self->memory = (struct carehub_memory){.past = past, .load = load, .store = store, .emit = emit};
    const char **texts[] = {&self->native.transport, &self->native.peer,         &self->native.name,
                            &self->native.method,    &self->native.content_type, &self->native.idempotency_key};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (*texts[i] == NULL)
            *texts[i] = "";
    self->native.bytes = bytes;
    self->native.len = len;
    self->message = (struct carehub_message){.native = &self->native, .why = ""};
    bool opened = carehub_format.open(self->format, &self->message);
    assert(opened);
    if (self->message.verdict == CAREHUB_MESSAGE_OPENED)
        carehub_format.translate(self->format, &self->message, &self->memory);
    assert(self->message.verdict != CAREHUB_MESSAGE_OPENED);
    end_message(self,
                self->message.verdict == CAREHUB_MESSAGE_EVENTS || self->message.verdict == CAREHUB_MESSAGE_NOTHING);
}

void fixture_forget(struct fixture *self)
{
    fixture_close(self);
    for (size_t i = 0; i < self->n_kept; i++)
        free(self->kept[i].bytes);
    self->n_kept = 0;
}

void fixture_finish(struct fixture *self)
{
    fixture_forget(self);
    carehub_format.destroy(self->format);
    self->format = NULL;
}
