/* session.h - one command's connection to the hub: finds the configuration, connects, asks, submits, and says
 * what went wrong in a way that a tired operator can act on. */
#ifndef CAREHUB_CLI_SESSION_H
#define CAREHUB_CLI_SESSION_H

#include "args.h"
#include "carehub.h"
#include "term.h"

enum { SESSION_PATH_BYTES = 1024, SESSION_NOTE_BYTES = 512 };

struct session_state; /* what the connection's thread has last said; with its lock */

struct session {
    const struct args *args;
    struct carehub_options options;
    carehub_client *client;
    struct session_state *state;
    char config[SESSION_PATH_BYTES];
    int timeout_ms;
    bool json;
    struct style style; /* of stdout */
};

/* The configuration file to use: --config, $CAREHUB_CONFIG, ./carehub.conf, or carehub/carehub.conf in
 * $XDG_CONFIG_HOME (~/.config). Returns an exit code. */
int session_config_path(const struct args *args, char path[SESSION_PATH_BYTES]);

/* Reads the configuration without connecting, or reads it and connects. They return an exit code and have
 * said what is wrong. session_close is right in any case, on a session that was zeroed or opened. */
int session_configure(struct session *session, const struct args *args);
int session_open(struct session *session, const struct args *args);
void session_close(struct session *session);

/* Asks and waits for one answer, which must be of that kind. The caller frees it with answer_free. */
int session_ask(struct session *session, Carehub__V1__Query *query, Carehub__V1__Answer__AnswerCase kind,
                Carehub__V1__Answer **answer);
/* Its second half: what carehub_ask returned is checked, and if it is no such answer it is freed. */
int session_asked(struct session *session, int result, Carehub__V1__Answer__AnswerCase kind,
                  Carehub__V1__Answer **answer);
void answer_free(Carehub__V1__Answer **answer);

/* Submits a fact, waits until it is on stable storage, and says so: `done` on a terminal, the confirmation as
 * JSON. Its id is made here. */
int session_fact(struct session *session, Carehub__V1__Fact *fact, const char *done, ...)
    __attribute__((format(printf, 3, 4)));
/* The same without saying so. The caller frees *confirmation with confirmation_free. */
int session_submit(struct session *session, Carehub__V1__Fact *fact, Carehub__V1__Confirmation **confirmation);
void confirmation_free(Carehub__V1__Confirmation **confirmation);

/* Connects, submits one fact, says `done`, closes: what most commands that change something do. */
int submit_fact(const struct args *args, Carehub__V1__Fact *fact, const char *done, ...)
    __attribute__((format(printf, 3, 4)));

/* Says why a call of the library failed; returns the exit code. `what` is what was being done ("publishing").
 */
int session_failed(struct session *session, int result, const char *what);
/* Says why the hub refused; returns EXIT_REFUSED, or EXIT_NO if there is nothing of that name. `error` may be
 * NULL. */
int session_refused(struct session *session, const Carehub__V1__Error *error);

/* Writes a message as JSON: a document (in several lines on a terminal), or one line of several. Ids are
 * UUIDs, and every key is there, whatever its value. */
void print_json(const ProtobufCMessage *message);
void print_json_line(const ProtobufCMessage *message);

/* One JSON object of texts, for answers that are not the hub's: key, value, …, NULL. */
void print_json_pairs(const char *key, ...) __attribute__((sentinel));

#endif
