/* facts.h - what the commands that submit registry facts share. */
#ifndef CAREHUB_CLI_FACTS_H
#define CAREHUB_CLI_FACTS_H

#include "input.h"
#include "session.h"

/* A fact of that kind: FACT(MEMBER_ADDED, member_added, &body). */
#define FACT(KIND, member, body)                                                                                       \
    ((Carehub__V1__Fact){.base = PROTOBUF_C_MESSAGE_INIT(&carehub__v1__fact__descriptor),                              \
                         .fact_case = CAREHUB__V1__FACT__FACT_##KIND,                                                  \
                         .member = (body)})

/* An option's or argument's text for a message's field, which is not const in generated code but only read;
 * "" for NULL. */
static inline char *field(const char *text)
{
    return (char *)(text ? text : "");
}

/* Lists what is registered, page by page: calls `each` with every page. With a name, that one only: EXIT_NO,
 * said on stderr, if there is none. Returns an exit code. */
typedef void list_fn(void *ctx, const Carehub__V1__ListAnswer *page);
int list_all(struct session *session, Carehub__V1__ListKind kind, const char *name, list_fn *each, void *ctx);

/* Looks one name up: *answer has it in its list, or is NULL if there is none. Free with answer_free. For
 * `add`, which must not find it, and `set`, which must, it says what is wrong. */
int look_up(struct session *session, Carehub__V1__ListKind kind, const struct args *args, Carehub__V1__Answer **answer);
bool adding(const struct args *args);

/* Asks for one patient's card, as it is now or was at a place (0: now). Free with answer_free. */
int ask_patient(struct session *session, const char *patient, const char *at, Carehub__V1__Answer **answer);

/* ACTIVE, SUSPENDED or ENDED: what the verbs of actors and clients set. */
struct standing_verb {
    const char *verb;
    Carehub__V1__Standing standing;
    const char *done;
};
const struct standing_verb *standing_verb(const char *verb);

#define REASON_OPTION                                                                                                  \
    {                                                                                                                  \
        "reason", "TEXT", "why; it is kept in the log (no names of patients)"                                          \
    }
#define REASON_REQUIRED                                                                                                \
    {                                                                                                                  \
        "reason", "TEXT", "why; it is kept in the log (no names of patients)", .required = true                        \
    }
#define AT_OPTION                                                                                                      \
    {                                                                                                                  \
        "at", "WHEN", "as it was at that place in the log, or at that time"                                            \
    }
#define LANG_OPTION                                                                                                    \
    {                                                                                                                  \
        "lang", "LANGUAGE", "the reader's language; without it: that of the environment (LC_MESSAGES, LANG)",          \
            .words = "nl fr de en"                                                                                     \
    }
#define PATIENT_ARGUMENT                                                                                               \
    {                                                                                                                  \
        "PATIENT", "ssin:NUMBER, SYSTEM|VALUE, or the pseudonym P42"                                                   \
    }
#define ACTOR_ARGUMENT                                                                                                 \
    {                                                                                                                  \
        "ACTOR", "the actor's registered name"                                                                         \
    }

#endif
