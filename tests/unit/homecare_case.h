// What the tests of the home-care plug-in share: a host in miniature, which remembers what a real one would (keys,
// episodes, ids) and catches the reply. Persons and numbers are invented.
#ifndef CAREHUB_TEST_HOMECARE_CASE_H
#define CAREHUB_TEST_HOMECARE_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "carehub_adapter.h"
#include "eventid.h"
#include "settings.h"

#define NOW_MS INT64_C(1772400000000) // 1 March 2026, 21:20 UTC
#define SSIN "38041200177"
#define SSIN_SYSTEM "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
#define SUBJECT "\"subject\":{\"identifier\":{\"system\":\"" SSIN_SYSTEM "\",\"value\":\"" SSIN "\"}}"
#define MESSAGES_MAX 600
#define IN_FORCE_MAX 1200

extern const struct carehub_format carehub_format;

// Remembered of a message.
static struct {
    uint8_t key[CAREHUB_DIGEST_BYTES], digest[CAREHUB_DIGEST_BYTES];
    size_t n_ids;
    uint8_t ids[CAREHUB_ITEMS_MAX][EVENTID_BYTES];
} messages[MESSAGES_MAX];
static size_t n_messages;

static struct {
    Carehub__V1__Event *event;
    char episode[CAREHUB_EPISODE_BYTES];
} in_force[IN_FORCE_MAX];
static size_t n_in_force;

// Of the last message.
static struct {
    enum carehub_verdict verdict;
    char why[64];
    struct carehub_problem problem;
    char sender[CAREHUB_NAME_BYTES], native_id[CAREHUB_NATIVE_ID_BYTES], kind[CAREHUB_KIND_BYTES];
    bool repeat, by_spool;
    size_t n_events;
    Carehub__V1__Event *events[CAREHUB_ITEMS_MAX]; // as they were emitted
    char episodes[CAREHUB_ITEMS_MAX][CAREHUB_EPISODE_BYTES];
    int status; // of the reply; 0: there was none
    char *text, location[256], content_type[64];
} last;

static Carehub__V1__Event *found_past[CAREHUB_PAST_MAX];
static const struct carehub_outcome no_fault = {.fault = CAREHUB_FAULT_NONE, .text = "", .now_ms = NOW_MS};

// ---- The host's memory

static inline Carehub__V1__Event *copy_of(const Carehub__V1__Event *event)
{
    size_t size = carehub__v1__event__get_packed_size(event);
    uint8_t *bytes = malloc(size + 1);
    carehub__v1__event__pack(event, bytes);
    Carehub__V1__Event *copy = carehub__v1__event__unpack(NULL, size, bytes);
    free(bytes);
    assert_non_null(copy);
    return copy;
}

static inline size_t host_past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    size_t count = 0;
    (void)memory;
    for (size_t i = 0; i < n_in_force && count < CAREHUB_PAST_MAX; i++)
        if (strcmp(in_force[i].episode, episode) == 0)
            found_past[count++] = in_force[i].event;
    *events = found_past;
    return count;
}

static inline bool host_emit(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    (void)memory;
    assert_true(last.n_events < CAREHUB_ITEMS_MAX);
    assert_true(event->patient != NULL && event->patient->n_identifiers > 0);
    assert_int_equal(event->id.len, EVENTID_BYTES);
    snprintf(last.episodes[last.n_events], CAREHUB_EPISODE_BYTES, "%s", episode != NULL ? episode : "");
    last.events[last.n_events++] = copy_of(event);
    return true;
}

static struct carehub_memory host_memory = {.past = host_past, .emit = host_emit};

// An amendment takes its original's place and id, a retraction takes it away.
static inline void put_in_force(const Carehub__V1__Event *event, const char *episode)
{
    const ProtobufCBinaryData *corrects = event->amends.len > 0 ? &event->amends : &event->retracts;
    size_t at = 0;
    while (at < n_in_force && (corrects->len != in_force[at].event->id.len ||
                               memcmp(corrects->data, in_force[at].event->id.data, corrects->len) != 0))
        at++;
    if (corrects->len == 0 || (event->amends.len > 0 && at == n_in_force)) {
        assert_true(n_in_force < IN_FORCE_MAX);
        in_force[n_in_force].event = copy_of(event);
        snprintf(in_force[n_in_force++].episode, CAREHUB_EPISODE_BYTES, "%s", episode);
    } else if (at < n_in_force && event->amends.len > 0) {
        Carehub__V1__Event *amended = copy_of(event);
        memcpy(amended->id.data, event->amends.data, EVENTID_BYTES);
        carehub__v1__event__free_unpacked(in_force[at].event, NULL);
        in_force[at].event = amended;
    } else if (at < n_in_force) {
        carehub__v1__event__free_unpacked(in_force[at].event, NULL);
        memmove(&in_force[at], &in_force[at + 1], (--n_in_force - at) * sizeof in_force[0]);
    }
}

static inline void forget_last(void)
{
    for (size_t i = 0; i < last.n_events; i++)
        carehub__v1__event__free_unpacked(last.events[i], NULL);
    free(last.text);
    memset(&last, 0, sizeof last);
}

static inline int forget_all(void **state)
{
    (void)state;
    forget_last();
    while (n_in_force > 0)
        carehub__v1__event__free_unpacked(in_force[--n_in_force].event, NULL);
    n_messages = 0;
    return 0;
}

// ---- A message's way

static inline void catch_reply(void *arg, const struct carehub_reply *reply)
{
    (void)arg;
    assert_int_equal(last.status, 0);
    last.status = reply->status;
    last.text = malloc(reply->len + 1);
    memcpy(last.text, reply->bytes, reply->len);
    last.text[reply->len] = '\0';
    snprintf(last.location, sizeof last.location, "%s", reply->location != NULL ? reply->location : "");
    snprintf(last.content_type, sizeof last.content_type, "%s", reply->content_type != NULL ? reply->content_type : "");
}

// Its key and digest as the host fills them in. Gives where it was remembered, or MESSAGES_MAX.
static inline size_t recall(struct carehub_message *m)
{
    static const uint8_t zero[CAREHUB_DIGEST_BYTES];
    assert_memory_not_equal(m->key, zero, sizeof zero);
    if (memcmp(m->digest, zero, sizeof zero) == 0)
        crypto_hash_sha256(m->digest, m->native->bytes, m->native->len);
    for (size_t i = 0; i < n_messages; i++)
        if (memcmp(messages[i].key, m->key, sizeof m->key) == 0) {
            m->key_reused = memcmp(messages[i].digest, m->digest, sizeof m->digest) != 0;
            return i;
        }
    return MESSAGES_MAX;
}

static inline void remember(const struct carehub_message *m)
{
    assert_true(n_messages < MESSAGES_MAX);
    memcpy(messages[n_messages].key, m->key, sizeof m->key);
    memcpy(messages[n_messages].digest, m->digest, sizeof m->digest);
    messages[n_messages].n_ids = last.n_events;
    for (size_t i = 0; i < last.n_events; i++) {
        memcpy(messages[n_messages].ids[i], last.events[i]->id.data, EVENTID_BYTES);
        put_in_force(last.events[i], last.episodes[i]);
    }
    n_messages++;
}

static inline void process(const void *self, struct carehub_message *m, struct carehub_outcome *outcome)
{
    size_t at = m->verdict == CAREHUB_MESSAGE_OPENED ? recall(m) : MESSAGES_MAX;
    bool opened = m->verdict == CAREHUB_MESSAGE_OPENED;
    if (opened && at < n_messages && !m->key_reused) {
        m->verdict = CAREHUB_MESSAGE_EVENTS;
        outcome->repeat = true;
    } else if (opened) {
        carehub_format.translate(self, m, &host_memory);
        at = n_messages;
        if (m->verdict == CAREHUB_MESSAGE_EVENTS)
            remember(m);
    }
    if (m->verdict == CAREHUB_MESSAGE_EVENTS) {
        carehub_format.slim(m);
        outcome->n_ids = messages[at].n_ids;
        outcome->ids = messages[at].ids;
    } else if (m->verdict != CAREHUB_MESSAGE_NOTHING) {
        outcome->fault = CAREHUB_FAULT_NATIVE;
        outcome->text = m->problem.what;
    }
}

// Hands a message over, as a host would; what came of it is in `last`. `hub` is how the hub takes it.
static inline void hand_over(const void *self, const struct carehub_native *native, const struct carehub_outcome *hub)
{
    struct carehub_message m = {.native = native};
    struct carehub_outcome outcome = *hub;
    forget_last();
    assert_true(carehub_format.open(self, &m));
    process(self, &m, &outcome);
    last.verdict = m.verdict;
    snprintf(last.why, sizeof last.why, "%s", m.why != NULL ? m.why : "");
    last.problem = m.problem;
    snprintf(last.sender, sizeof last.sender, "%s", m.sender);
    snprintf(last.native_id, sizeof last.native_id, "%s", m.native_id);
    snprintf(last.kind, sizeof last.kind, "%s", m.kind);
    last.repeat = outcome.repeat;
    last.by_spool = m.confirm_by_spool;
    if (outcome.fault != CAREHUB_FAULT_NONE)
        outcome.n_ids = 0;
    carehub_format.reply(self, &m, &outcome, catch_reply, NULL);
    carehub_format.close(&m);
    assert_true(last.text == NULL || strstr(last.text, SSIN) == NULL); // an answer quotes nothing
    assert_null(strstr(last.problem.what, SSIN));
}

static inline struct carehub_native native_of(const char *text, size_t len)
{
    return (struct carehub_native){.bytes = text,
                                   .len = len,
                                   .received_ms = NOW_MS,
                                   .transport = "folder",
                                   .peer = "",
                                   .name = "",
                                   .method = "",
                                   .content_type = "",
                                   .idempotency_key = ""};
}

#endif
