#include "sender.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* One publication on its way. */
struct ticket {
    struct sender *sender;
    char label[SENDER_LABEL_BYTES];
};

void sender_start(struct sender *sender, struct session *session, const char *doing, sender_outcome_fn *outcome)
{
    *sender = (struct sender){.session = session, .outcome = outcome};
    pthread_mutex_init(&sender->lock, NULL);
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&sender->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    progress_start(&sender->progress, doing, 0);
}

void sender_end(struct sender *sender)
{
    progress_end(&sender->progress);
    pthread_mutex_destroy(&sender->lock);
    pthread_cond_destroy(&sender->changed);
}

static void count_outcome(struct sender *s, int status, const Carehub__V1__Confirmation *c)
{
    if (status == CAREHUB_OK && c) {
        s->confirmed += c->status == CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED;
        s->repeated += c->status == CAREHUB__V1__CONFIRMATION__STATUS__REPEATED;
        s->not_kept += c->status == CAREHUB__V1__CONFIRMATION__STATUS__NOT_KEPT;
    } else if (status == CAREHUB_REFUSED) {
        s->refused++;
    } else {
        s->lost++;
    }
}

/* In the client library's thread. */
static void on_confirm(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct ticket *ticket = arg;
    struct sender *s = ticket->sender;
    pthread_mutex_lock(&s->lock);
    count_outcome(s, status, confirmation);
    if (status != CAREHUB_OK && !*s->first_error) {
        const Carehub__V1__Error *error = confirmation ? confirmation->error : NULL;
        snprintf(s->first_error, sizeof s->first_error, "%s", error ? error->text : carehub_strerror(status));
        memcpy(s->first_label, ticket->label, sizeof s->first_label);
    }
    if (s->outcome)
        s->outcome(s, ticket->label, status, confirmation);
    s->in_flight--;
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
    free(ticket);
}

/* Waits, locked, until at most `most` are on their way. Returns false when nothing has changed for the
 * timeout. */
static bool wait_down_to(struct sender *s, size_t most)
{
    while (s->in_flight > most) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += s->session->timeout_ms / 1000;
        until.tv_nsec += s->session->timeout_ms % 1000 * 1000000L;
        if (until.tv_nsec >= 1000000000L) {
            until.tv_sec++;
            until.tv_nsec -= 1000000000L;
        }
        if (pthread_cond_timedwait(&s->changed, &s->lock, &until) == ETIMEDOUT)
            return false;
        progress_step(&s->progress, s->sent - s->in_flight);
    }
    return true;
}

static int give_to_library(struct sender *s, Carehub__V1__Item *item, struct ticket *ticket)
{
    if (item->item_case == CAREHUB__V1__ITEM__ITEM_EVENT)
        return carehub_publish_bytes(s->session->client, item->event.data, item->event.len, on_confirm, ticket);
    const Carehub__V1__Item *const items[] = {item};
    return carehub_publish_group(s->session->client, items, 1, on_confirm, ticket);
}

int sender_send(struct sender *sender, Carehub__V1__Item *item, const char *label)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket)
        abort();
    ticket->sender = sender;
    snprintf(ticket->label, sizeof ticket->label, "%s", label);
    pthread_mutex_lock(&sender->lock);
    bool room = wait_down_to(sender, SENDER_WINDOW - 1);
    sender->in_flight += room;
    sender->sent += room;
    pthread_mutex_unlock(&sender->lock);
    int result = room ? give_to_library(sender, item, ticket) : CAREHUB_TIMEOUT;
    if (result == CAREHUB_OK)
        return EXIT_OK;
    pthread_mutex_lock(&sender->lock);
    sender->in_flight -= room;
    sender->sent -= room;
    pthread_mutex_unlock(&sender->lock);
    free(ticket);
    progress_end(&sender->progress);
    return session_failed(sender->session, result, "sending");
}

int sender_drain(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool done = wait_down_to(sender, 0);
    pthread_mutex_unlock(&sender->lock);
    progress_end(&sender->progress);
    return done ? EXIT_OK : session_failed(sender->session, CAREHUB_TIMEOUT, "waiting for confirmation");
}

bool sender_refused(struct sender *sender)
{
    pthread_mutex_lock(&sender->lock);
    bool refused = sender->refused > 0;
    pthread_mutex_unlock(&sender->lock);
    return refused;
}

int sender_run(const struct args *args, const char *doing, sender_outcome_fn *outcome,
               int (*send)(struct sender *sender, struct json_input *in))
{
    struct session session = {0};
    struct json_input in;
    struct sender sender;
    int code = json_input_open(&in, args_value(args, 0));
    if (code == EXIT_OK)
        code = session_open(&session, args);
    sender_start(&sender, &session, doing, outcome);
    if (code == EXIT_OK)
        code = send(&sender, &in);
    session_close(&session); /* before the sender goes: it reports what is on its way */
    sender_end(&sender);
    json_input_close(&in);
    return code;
}
