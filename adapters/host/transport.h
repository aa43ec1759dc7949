/* transport.h - how native messages come into the adapter host and leave it. A transport moves bytes and knows nothing
 * of what is in them; what it needs to know of an answer (was that a success?) the host tells it.
 *
 * A transport is one file with one struct of functions; the configuration's sections "in" and "out" name it. All on the
 * loop thread. */
#ifndef CAREHUB_TRANSPORT_H
#define CAREHUB_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>

#include "carehub_adapter.h"

/* ---- In --------------------------------------------------------------------------------------------------------- */

/* A message that came in and waits for its answer. Whoever was given it answers it once; its transport keeps it till
 * then, also when the connection has gone. */
struct arrival {
    const struct transport_in *transport;
    struct carehub_native native; /* texts are the transport's, and last until it is answered */
    uint8_t *bytes;               /* native.bytes; free() and set both to NULL when no longer needed */
    uint64_t connection;          /* its number, for log lines; messages of one connection are kept in order */
    bool unread;                  /* set before `answered`: what is wrong with it showed as soon as it was opened */
    size_t n_messages, n_refused; /* set before `answered`: in it, and of these */
    void *arg;                    /* the owner's */
};

typedef void arrival_fn(void *arg, struct arrival *arrival);
/* For counting: a new connection, or something that was not even a message. */
typedef void transport_notice_fn(void *arg, bool broken);
/* Answers a GET; false: there is no such document. */
typedef bool transport_get_fn(void *arg, const char *path, carehub_reply_fn *fn, void *reply_arg);

struct transport_in_options {
    const struct carehub_setting *section;
    const char *folder; /* that relative paths start at */
    arrival_fn *take;
    transport_notice_fn *notice;
    transport_get_fn *get; /* HTTP only */
    void *arg;
    /* What time it is, for judging what is old (journal_time); NULL: nothing is ever old. */
    int64_t (*time_ms)(void *time_arg);
    void *time_arg;
};

struct transport_in {
    const char *name; /* "mllp" */
    /* Reads and checks the section alone, opening nothing (certificates and keys are read). */
    bool (*check)(const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES]);
    /* Starts. NULL with `error` set. */
    void *(*open)(uv_loop_t *loop, const struct transport_in_options *options, char error[CAREHUB_ERROR_BYTES]);
    /* What it listens to, for people and for endpoint-file: "127.0.0.1:2575", "http://127.0.0.1:8080/", a folder. */
    void (*endpoint)(const void *self, char *out, size_t size);
    /* Adds one reply to an arrival's answer. */
    void (*reply)(struct arrival *arrival, const struct carehub_reply *reply);
    /* The answer is complete (it may be empty). Frees the arrival. */
    void (*answered)(struct arrival *arrival, const struct carehub_message *message,
                     const struct carehub_outcome *outcome);
    /* Takes no more. */
    void (*quiesce)(void *self);
    /* Closes, in the course of the loop's next turns, then frees itself. All arrivals have been answered before. */
    void (*close)(void *self);
    /* Reads certificates, keys and authorities anew, for connections that begin from now on. False with error: what it
     * had stays in force. NULL: it has none. */
    bool (*renew)(void *self, char error[CAREHUB_ERROR_BYTES]);
};

/* ---- Out -------------------------------------------------------------------------------------------------------- */

/* What became of a parcel that was sent. */
enum sending_result {
    SENDING_TAKEN,
    SENDING_AGAIN,   /* this one was not taken now; another might be */
    SENDING_DOWN,    /* the receiver cannot be reached, or takes nothing now */
    SENDING_REFUSED, /* never will be taken */
};

/* Told once of every parcel. `code` is short and static ("http-503", "timeout", "ack-AE"), `text` says more, for a log.
 */
typedef void sending_done_fn(void *arg, enum sending_result result, const char *code, const char *text);
/* Judges an answer by the format. */
typedef enum carehub_judgement sending_judge_fn(void *arg, const void *answer, size_t len,
                                                struct carehub_problem *problem);

struct transport_out {
    const char *name;
    bool (*check)(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES]);
    void *(*open)(uv_loop_t *loop, const struct carehub_setting *section, const char *folder,
                  char error[CAREHUB_ERROR_BYTES]);
    void (*endpoint)(const void *self, char *out, size_t size);
    /* Sends one parcel; one at a time. The parcel stays the caller's, and lasts until done. judge NULL: the transport's
     * own success will do. done is never called from within send. */
    void (*send)(void *self, const struct carehub_parcel *parcel, sending_judge_fn *judge, sending_done_fn *done,
                 void *arg);
    /* Gives up what is being sent (done is not called any more) and closes, in the loop's next turns. */
    void (*close)(void *self);
    /* How long the receiver asked to be left alone when it answered DOWN last; 0: it did not say. NULL: it cannot say.
     */
    uint64_t (*asked_wait_ms)(const void *self);
    /* As of transport_in. */
    bool (*renew)(void *self, char error[CAREHUB_ERROR_BYTES]);
};

extern const struct transport_in transport_in_mllp, transport_in_http, transport_in_folder;
extern const struct transport_out transport_out_mllp, transport_out_http, transport_out_folder;

/* Now, as a message's received_ms: since 1970. */
static inline int64_t wall_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* By name, NULL if there is none. transports_text: "mllp, http or folder". */
const struct transport_in *transport_in_named(const char *name);
const struct transport_out *transport_out_named(const char *name);

#endif
