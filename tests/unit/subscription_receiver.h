// A receiver of notifications, in a thread of its own: it keeps what it is sent, and answers as it is told.
#ifndef CAREHUB_SUBSCRIPTION_RECEIVER_H
#define CAREHUB_SUBSCRIPTION_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECEIVED_MAX = 4096, RECEIVED_EVENTS_MAX = 1024 };

struct receiver;

struct receiver *receiver_new(void);
void receiver_destroy(struct receiver **self);
unsigned receiver_port(const struct receiver *self);

// What it answers from now on; 200 at first.
void receiver_answer(struct receiver *self, int status);
void receiver_forget(struct receiver *self);

size_t receiver_count(struct receiver *self);
// How many of a type ("handshake") it has taken, answering 2xx.
size_t receiver_taken(struct receiver *self, const char *type);
// The text of the last one, and of the Authorization header it came with; until the next call.
const char *receiver_last(struct receiver *self);
const char *receiver_authorization(struct receiver *self);

// How many different event numbers it has taken. False if a number has stood for two different events (by their focus),
// or one event had two numbers.
bool receiver_numbers(struct receiver *self, size_t *count, uint64_t *highest);
// Whether numbers that were taken for the first time came in their order, without gaps.
bool receiver_in_order(struct receiver *self);

#endif
