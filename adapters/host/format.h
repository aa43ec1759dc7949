/* format.h - what the adapter host asks of a format: to turn native messages into care events, and outcomes into native
 * replies. A format does no I/O (reading zone files and the like while it is configured aside), keeps no state between
 * messages, and has no clock: it is told the time. What it must remember of earlier messages the host remembers for it,
 * encrypted, by episode.
 *
 * The way of a message: open, then, unless the host knows it for a repeat, translate, then reply, then close. Formats
 * are called on the host's loop thread, one call at a time. */
#ifndef CAREHUB_FORMAT_H
#define CAREHUB_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"

typedef struct _zconfig_t zconfig_t;

enum {
    FORMAT_EVENTS_MAX = 16, /* of one message */
    FORMAT_PAST_MAX = 256,  /* events in force of one episode that a format is shown: the newest */
    FORMAT_KEY_BYTES = 32,
    FORMAT_EPISODE_BYTES = 320, /* with its terminating zero, as the next ones */
    FORMAT_NATIVE_ID_BYTES = 200,
    FORMAT_KIND_BYTES = 24,
    FORMAT_TEXT_BYTES = 512,
    FORMAT_ERROR_BYTES = 1024,
};

/* What a message came to. */
enum format_verdict {
    FORMAT_OPENED,   /* not translated yet */
    FORMAT_EVENTS,   /* n_events events to publish */
    FORMAT_NOTHING,  /* accepted, and nothing comes of it: `why` says why */
    FORMAT_HOLD,     /* accepted, to be kept as it is until an operator has solved `why` */
    FORMAT_ERROR,    /* something in it is wrong: `problem` */
    FORMAT_REJECTED, /* it is not for this receiver, or of a kind that is not taken: `problem` */
};

/* Why something was not taken, or not now. */
enum format_fault {
    FORMAT_FAULT_NONE,
    FORMAT_FAULT_NATIVE,      /* the format found it itself */
    FORMAT_FAULT_IDENTITY,    /* the hub: the patient's identifiers */
    FORMAT_FAULT_ORIGINAL,    /* the hub: what it corrects is unknown */
    FORMAT_FAULT_DUPLICATE,   /* the hub: the id stands for something else */
    FORMAT_FAULT_CONTENT,     /* the hub: anything else in the event */
    FORMAT_FAULT_NOT_ALLOWED, /* the hub does not take this from this adapter */
    FORMAT_FAULT_UNAVAILABLE, /* the hub or the disk; sending again helps */
};

/* The head of a message; a format's own struct begins with it. The format fills it in and owns it. */
struct format_message {
    uint8_t key[FORMAT_KEY_BYTES];    /* names the native message: equal for a resent one */
    uint8_t digest[FORMAT_KEY_BYTES]; /* of its content: differs when a sender uses a name twice */
    const char *sender;               /* the sender's section in the configuration, "" if unknown */
    char native_id[FORMAT_NATIVE_ID_BYTES];
    char kind[FORMAT_KIND_BYTES];       /* "ADT^A03"; for counters */
    char episode[FORMAT_EPISODE_BYTES]; /* may be empty; known once it is opened */
    bool confirm_by_spool;              /* reply when the spool has it, not when the hub has */
    bool key_reused;                    /* the host's: the key came before, with another digest */
    enum format_verdict verdict;
    const char *why;                 /* static, stable, short: "unidentified"; with NOTHING and HOLD */
    bool notable;                    /* with NOTHING: worth an operator's look, so it is listed by its native id */
    char problem[FORMAT_TEXT_BYTES]; /* what is wrong and what to do; never quotes patient data */
    size_t n_events;
    Carehub__V1__Event *events[FORMAT_EVENTS_MAX];
};

/* What the host tells about an episode: events in force, oldest first; each as last amended, under its original's id.
 */
struct format_past {
    size_t count;
    Carehub__V1__Event *events[FORMAT_PAST_MAX];
};

/* How the handling of a message ended. */
struct format_outcome {
    enum format_fault fault; /* NONE: it is safe */
    const char *text;        /* with a fault, what is wrong and what to do */
    int64_t now_ms;
    uint64_t number; /* of this reply: no two replies of a host have the same, also after a restart */
};

/* Takes one native reply. */
typedef void format_reply_fn(void *arg, const void *bytes, size_t len);

struct format {
    const char *name;
    /* Reads the format's part of the configuration, which begins at the root's children. NULL with `error` set. */
    void *(*configure)(zconfig_t *root, char error[FORMAT_ERROR_BYTES]);
    void (*destroy)(void **self);
    /* Whether any sender is to be answered when the spool has its event. */
    bool (*needs_spool)(const void *self);
    /* Splits a file into messages: true with the next one, false at the end. *position is 0 at first. */
    bool (*next)(const void *bytes, size_t len, size_t *position, const void **message, size_t *message_len);
    /* Reads enough to know whose message it is. What is wrong shows in the verdict. NULL without memory. */
    struct format_message *(*open)(const void *self, const void *bytes, size_t len, int64_t received_ms);
    /* Fills in verdict and events of an opened message. */
    void (*translate)(struct format_message *message, const struct format_past *past);
    /* Gives the replies that the sender wants, if any. */
    void (*reply)(const struct format_message *message, const struct format_outcome *outcome, format_reply_fn *fn,
                  void *arg);
    /* Lets go of everything but what a reply needs. */
    void (*slim)(struct format_message *message);
    void (*close)(struct format_message **message);
};

#endif
