// What the tests of the mapping from FHIR share: sending a text, and remembering what came of it as a host would.
// Persons and numbers are invented.
#ifndef CAREHUB_TEST_FHIR_CASE_H
#define CAREHUB_TEST_FHIR_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "fhir_read.h"

#define RECEIVED_MS INT64_C(1772400000000) // 1 March 2026, 21:20 UTC
#define SSIN "38041200177"
#define SSIN_SYSTEM "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
#define SUBJECT "\"subject\":{\"identifier\":{\"system\":\"" SSIN_SYSTEM "\",\"value\":\"" SSIN "\"}}"
#define PAST_MAX 16

static struct problems problems;
static struct fhir_result result;
static Carehub__V1__Event *past[PAST_MAX]; // in force, oldest first
static size_t past_count;
static struct fhir_intake intake;

static inline int reset(void **state)
{
    (void)state;
    intake = (struct fhir_intake){.sender = "zorg",
                                  .actor = "thuiszorg",
                                  .role = "home-nurse",
                                  .adapter_version = "test",
                                  .received_ms = RECEIVED_MS};
    problems = (struct problems){0};
    return 0;
}

static inline int forget(void **state)
{
    (void)state;
    fhir_result_clear(&result);
    while (past_count > 0)
        carehub__v1__event__free_unpacked(past[--past_count], NULL);
    return 0;
}

static inline size_t find_past(void *arg, const char *episode, const Carehub__V1__Event *const **events)
{
    (void)arg;
    assert_true(episode[0] != '\0');
    *events = (const Carehub__V1__Event *const *)past;
    return past_count;
}

// Sends a text. What was wrong is in problems, what came of it in result.
static inline bool send_text(const char *text)
{
    fhir_result_clear(&result);
    problems = (struct problems){0};
    struct fhir_document *document = fhir_document_new(text, strlen(text), &intake, &problems);
    assert_true((document == NULL) == (problems.errors > 0) || document != NULL);
    if (document == NULL)
        return false;
    bool ok = fhir_translate(document, find_past, NULL, &result, &problems);
    fhir_document_destroy(&document);
    for (size_t i = 0; i < problems.count; i++)
        assert_true(strstr(problems.list[i].diagnostics, SSIN) == NULL);
    return ok;
}

// The one event of a text that is right.
static inline const Carehub__V1__Event *one(const char *text)
{
    if (!send_text(text))
        fail_msg("%s: %s", problems.list[0].expression, problems.list[0].diagnostics);
    assert_int_equal(result.n_events, 1);
    return result.events[0];
}

static inline bool id_is(const ProtobufCBinaryData *a, const ProtobufCBinaryData *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

// Puts the events of the last text in force: an amendment takes its original's place and id, a retraction takes it
// away.
static inline void confirm(void)
{
    for (size_t i = 0; i < result.n_events; i++) {
        Carehub__V1__Event *event = result.events[i];
        const ProtobufCBinaryData *corrects = event->amends.len > 0 ? &event->amends : &event->retracts;
        size_t at = 0;
        while (at < past_count && !id_is(&past[at]->id, corrects))
            at++;
        result.events[i] = NULL;
        if (corrects->len == 0) {
            assert_true(past_count < PAST_MAX);
            past[past_count++] = event;
            continue;
        }
        assert_true(at < past_count);
        if (event->amends.len > 0) {
            memcpy(event->id.data, event->amends.data, event->id.len);
            free(event->amends.data);
            event->amends = (ProtobufCBinaryData){0};
            carehub__v1__event__free_unpacked(past[at], NULL);
            past[at] = event;
        } else {
            carehub__v1__event__free_unpacked(event, NULL);
            carehub__v1__event__free_unpacked(past[at], NULL);
            memmove(&past[at], &past[at + 1], (--past_count - at) * sizeof past[0]);
        }
    }
    result.n_events = 0;
}

#endif
