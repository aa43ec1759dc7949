// What the tests of the hospital's mappings share: a sender, messages from text, and a memory such as the host's.
// Messages are written with | ^ ~ \ & and "\r"; persons and numbers are invented.
#ifndef CAREHUB_HOSPITAL_CASE_H
#define CAREHUB_HOSPITAL_CASE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <carehub_adapter.h>

#include "adt.h"

#define HOSPITAL_STATES_MAX 64
#define HOSPITAL_RECEIVED_MS INT64_C(1772400000000)
#define HOSPITAL_SSIN "38041200177" // 12 April 1938, a man
#define HOSPITAL_PID "PID|1||4711^^^AZT^PI~" HOSPITAL_SSIN "^^^NISS_BE^NN||Voorbeeld^Jan\r"
#define HOSPITAL_MSH(type, id) "MSH|^~\\&|HIS|AZ-TEST|HUB|REGION|20260301120500||" type "|" id "|P|2.5.1\r"

static struct adt_sender *hospital_sender;

struct hospital_states {
    struct carehub_memory memory; // first
    struct {
        char *name;
        void *bytes;
        size_t len;
    } states[HOSPITAL_STATES_MAX];
    size_t count;
};

static inline size_t hospital_find_state(struct hospital_states *self, const char *name)
{
    size_t i = 0;
    while (i < self->count && strcmp(self->states[i].name, name) != 0)
        i++;
    return i;
}

static inline const void *hospital_load(struct carehub_memory *memory, const char *name, size_t *len)
{
    struct hospital_states *self = (struct hospital_states *)memory;
    size_t i = hospital_find_state(self, name);
    if (i == self->count)
        return NULL;
    *len = self->states[i].len;
    return self->states[i].bytes;
}

static inline bool hospital_store(struct carehub_memory *memory, const char *name, const void *bytes, size_t len)
{
    struct hospital_states *self = (struct hospital_states *)memory;
    size_t i = hospital_find_state(self, name);
    if (i == HOSPITAL_STATES_MAX)
        return false;
    if (i == self->count)
        self->states[self->count++].name = strdup(name);
    free(self->states[i].bytes);
    self->states[i].bytes = malloc(len + 1);
    self->states[i].len = len;
    memcpy(self->states[i].bytes, bytes, len);
    return true;
}

static struct hospital_states hospital_states = {.memory = {.load = hospital_load, .store = hospital_store}};

static inline int hospital_forget(void **state)
{
    (void)state;
    while (hospital_states.count > 0) {
        hospital_states.count--;
        free(hospital_states.states[hospital_states.count].name);
        free(hospital_states.states[hospital_states.count].bytes);
        hospital_states.states[hospital_states.count].bytes = NULL;
    }
    return 0;
}

static inline int hospital_set_up(void **state)
{
    (void)state;
    hospital_sender = adt_sender_new("az-test");
    hospital_sender->actor = strdup("az-test");
    hospital_sender->hospital = strdup("AZ Test");
    hospital_sender->zone = hl7v2_zone_load("Europe/Brussels");
    hospital_sender->rules[0].system = strdup("urn:az-test:patient");
    adt_list_add(&hospital_sender->rules[0].authorities, "AZT");
    hospital_sender->rule_count = 1;
    return hospital_sender->zone == NULL;
}

static inline int hospital_tear_down(void **state)
{
    adt_sender_destroy(&hospital_sender);
    return hospital_forget(state);
}

static inline struct adt_input hospital_input(const struct hl7v2_message *message)
{
    struct adt_input input = {
        .message = message, .sender = hospital_sender, .adapter_version = "test", .received_ms = HOSPITAL_RECEIVED_MS};
    memset(input.sha256, 7, sizeof input.sha256);
    return input;
}

static inline struct hl7v2_message *hospital_parse(const char *text)
{
    struct hl7v2_message *message = hl7v2_parse(text, strlen(text), NULL, NULL);
    if (message == NULL)
        fail_msg("it does not parse: %.80s", text);
    return message;
}

static inline bool hospital_has_remark(const Carehub__V1__Event *event, const char *remark)
{
    for (size_t i = 0; i < event->source->n_remarks; i++)
        if (strcmp(event->source->remarks[i], remark) == 0)
            return true;
    return false;
}

#endif
