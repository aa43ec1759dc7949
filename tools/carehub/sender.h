/* sender.h - sends many publications one after the other without waiting for each: at most a window of them
 * is on its way; their outcomes come in order, in the client library's thread, and are counted here. */
#ifndef CAREHUB_CLI_SENDER_H
#define CAREHUB_CLI_SENDER_H

#include <pthread.h>

#include "json_input.h"
#include "session.h"

enum { SENDER_WINDOW = 256, SENDER_LABEL_BYTES = 64 };

struct sender;

/* Told of each outcome, with the lock held; one at a time. `label` is what the publication was called. */
typedef void sender_outcome_fn(struct sender *sender, const char *label, int status,
                               const Carehub__V1__Confirmation *confirmation);

struct sender {
    struct session *session;
    sender_outcome_fn *outcome; /* may be NULL */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t in_flight;
    uint64_t sent;
    uint64_t confirmed;
    uint64_t repeated;
    uint64_t not_kept;
    uint64_t refused;
    uint64_t lost; /* outcome unknown */
    char first_error[512];
    char first_label[SENDER_LABEL_BYTES];
    struct progress progress;
};

void sender_start(struct sender *sender, struct session *session, const char *doing, sender_outcome_fn *outcome);
void sender_end(struct sender *sender);

/* Sends one item (as a group of one, when it is a fact) when there is room in the window; waits for that up
 * to the session's timeout. Returns an exit code. */
int sender_send(struct sender *sender, Carehub__V1__Item *item, const char *label);

/* Waits until every outcome is known, up to the session's timeout without a new one. Returns an exit code. */
int sender_drain(struct sender *sender);

/* Runs a command that sends what is in the file of its first argument: opens that and a session, lets `send` do it, and
 * closes both. Returns an exit code. */
int sender_run(const struct args *args, const char *doing, sender_outcome_fn *outcome,
               int (*send)(struct sender *sender, struct json_input *in));

/* Was anything refused so far? */
bool sender_refused(struct sender *sender);

#endif
