/* carehub_adapter.h - the interface between the adapter host (the program carehub-adapter) and formats, its plug-ins.
 *
 * A format turns native messages into care events, and care events into native messages, and does nothing else: no
 * network, no files, no clock, no state of its own between messages. What it must remember the host remembers for it,
 * encrypted. The host moves the bytes (MLLP, HTTP, folders), answers only what is safe on disk, recognises repeats,
 * publishes, counts and logs.
 *
 * A plug-in is a shared object that defines one symbol:
 *
 *     const struct carehub_format carehub_format = {.abi = CAREHUB_FORMAT_ABI, .name = "falls-csv", .translate = …};
 *
 * Functions that a format does not need are NULL. adapters/sdk/examples/falls_csv.c is a complete one;
 * carehub-formats(7) explains how to build, try and install it.
 *
 * THE WAY IN, for each message:  split (of a file) → open → [a repeat? then the events made of it before]
 *                                → translate, which emits events → on disk → published → reply → close
 * THE WAY OUT, for each event:   write → sent → judge (of the answer)
 *
 * THREADS. All functions are called on the host's one thread, one at a time, and must not wait for anything.
 * OWNERSHIP. What is passed in is borrowed for the call, unless it says otherwise.
 * ERRORS. Bad input is never an error of the program: say where, what and which rule in the message's problem. Problems
 * go into logs and answers: they name elements and rules, and never quote values, which may be about a patient.
 * VERSIONS. The host refuses a plug-in of another CAREHUB_FORMAT_ABI. */
#ifndef CAREHUB_ADAPTER_H
#define CAREHUB_ADAPTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <carehub/v1/event.pb-c.h>
#include <carehub/v1/registry.pb-c.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAREHUB_FORMAT_ABI 1
#define CAREHUB_FORMAT_EXPORT __attribute__((visibility("default")))

enum {
    CAREHUB_ITEMS_MAX = 16,            /* events and facts of one message */
    CAREHUB_PAST_MAX = 256,            /* events in force of one episode that a format is shown: the newest */
    CAREHUB_STATE_MAX_BYTES = 4 << 20, /* of one remembered state */
    CAREHUB_NAME_BYTES = 64,           /* with its terminating zero, as all that follow */
    CAREHUB_DIGEST_BYTES = 32,
    CAREHUB_EPISODE_BYTES = 320,
    CAREHUB_NATIVE_ID_BYTES = 200,
    CAREHUB_KIND_BYTES = 48,
    CAREHUB_WHERE_BYTES = 160,
    CAREHUB_WHAT_BYTES = 512,
    CAREHUB_RULE_BYTES = 96,
    CAREHUB_ERROR_BYTES = 1024,
};

/* ---- Configuration ---------------------------------------------------------------------------------------------- */

/* One setting, or a section of settings: the "format" section of the configuration as a tree, in its order. */
struct carehub_setting {
    const char *name;
    const char *value;                   /* "" for a section */
    const struct carehub_setting *first; /* of its own settings, or NULL */
    const struct carehub_setting *next;  /* of the same section, or NULL */
};

/* ---- A message on its way in ------------------------------------------------------------------------------------ */

/* What came in. Texts are never NULL. */
struct carehub_native {
    const void *bytes;
    size_t len;
    int64_t received_ms;         /* since 1970, UTC */
    const char *transport;       /* "mllp", "http", "folder" */
    const char *peer;            /* who sent it, as the transport has authenticated it; "" when it has not */
    const char *name;            /* of the file; or the HTTP path below the endpoint's, such as "fhir/Observation/17" */
    const char *method;          /* of HTTP: "POST", "PUT"; else "" */
    const char *content_type;    /* of HTTP, without parameters, in lower case */
    const char *idempotency_key; /* of HTTP */
};

/* What a message came to. */
enum carehub_verdict {
    CAREHUB_MESSAGE_OPENED,   /* it can be read; not translated yet */
    CAREHUB_MESSAGE_EVENTS,   /* events or facts were emitted */
    CAREHUB_MESSAGE_NOTHING,  /* accepted, and nothing comes of it: `why` says why */
    CAREHUB_MESSAGE_HOLD,     /* accepted, to be kept as it is until an operator has solved `why` */
    CAREHUB_MESSAGE_ERROR,    /* something in it is wrong: `problem` */
    CAREHUB_MESSAGE_REJECTED, /* it is not for this receiver, or of a kind that is not taken: `problem` */
};

struct carehub_problem {
    char where[CAREHUB_WHERE_BYTES]; /* "PID-3", "Bundle.entry[3].resource.code", "line 4, column 2" */
    char what[CAREHUB_WHAT_BYTES];   /* what is wrong and what to do */
    char rule[CAREHUB_RULE_BYTES];   /* the rule that it breaks: "HL7 v2.5.1, 2.15.9.9"; may be "" */
};

/* A message. The host makes it, zeroed but for `native`; the format fills in the rest. */
struct carehub_message {
    const struct carehub_native *native; /* bytes until `slim` (or until close, for a format without slim) */
    void *own;                           /* the format's; `close` frees it */

    /* By open. */
    char sender[CAREHUB_NAME_BYTES];         /* short name, of the configuration; "" if unknown. Part of every id */
    char native_id[CAREHUB_NATIVE_ID_BYTES]; /* as people would look for it: MSH-10, a resource's id */
    char kind[CAREHUB_KIND_BYTES];           /* "ADT^A03"; for counters */
    uint8_t key[CAREHUB_DIGEST_BYTES];       /* names the native message: equal for a resent one. Left zero: SHA-256 of
                                                sender and native_id, or if that is empty, of sender and content */
    uint8_t digest[CAREHUB_DIGEST_BYTES];    /* differs when a sender uses a name twice. Left zero: of the bytes */
    bool confirm_by_spool;                   /* answer when the spool has its events, not when the hub has */

    bool key_reused; /* the host's, before translate: the key came before, with another digest */

    /* By open and translate. */
    enum carehub_verdict verdict;
    const char *why;                /* static, stable, short: "unidentified"; with NOTHING and HOLD */
    bool notable;                   /* with NOTHING: worth an operator's look, so it is listed by its native id */
    struct carehub_problem problem; /* with ERROR and REJECTED */
};

/* What the host does for a format while it translates. `memory` is only valid during translate. */
struct carehub_memory {
    /* The events in force of an episode, oldest first; each as last amended, under its original's id. Valid until
     * translate returns. 0 also when there are none. */
    size_t (*past)(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events);
    /* What was stored last under a name, or NULL. Valid until translate returns. */
    const void *(*load)(struct carehub_memory *memory, const char *name, size_t *len);
    /* Stores a state under a name, in place of what was there; kept together with the message's events, or not at
     * all. Names and contents are encrypted at rest. */
    bool (*store)(struct carehub_memory *memory, const char *name, const void *bytes, size_t len);
    /* Adds an event, of which the host makes a copy: it may stand on the caller's stack. What is left empty is filled
     * in: id (from the message's key and the event's position), type (from the body), recorded_at (when the message
     * came in), and in source the native id, the digest and the adapter's format. `episode` is what a later message
     * finds it by (past); NULL or "": by none. False: it cannot be taken (no patient, too large, too many), the
     * message's verdict and problem say so, and translate should return. */
    bool (*emit)(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode);
    /* Adds a registry fact. The message's events and facts are then published together or not at all. */
    bool (*emit_fact)(struct carehub_memory *memory, const Carehub__V1__Fact *fact);
};

/* Why something was not taken, or not now. */
enum carehub_fault {
    CAREHUB_FAULT_NONE,        /* it is safe */
    CAREHUB_FAULT_NATIVE,      /* the format found it itself: the message's verdict and problem */
    CAREHUB_FAULT_IDENTITY,    /* the hub: the patient's identifiers */
    CAREHUB_FAULT_ORIGINAL,    /* the hub: what it corrects is unknown */
    CAREHUB_FAULT_DUPLICATE,   /* the hub: the id stands for something else */
    CAREHUB_FAULT_CONTENT,     /* the hub: anything else in the event */
    CAREHUB_FAULT_NOT_ALLOWED, /* the hub does not take this from this adapter */
    CAREHUB_FAULT_UNAVAILABLE, /* the hub or the disk; sending again helps */
};

/* How the handling of a message ended. */
struct carehub_outcome {
    enum carehub_fault fault;
    const char *text; /* with a fault, what is wrong and what to do */
    bool repeat;      /* it had come before */
    bool spooled;     /* safe in the adapter's own spool; the hub has not spoken yet */
    int64_t now_ms;
    uint64_t number; /* of this reply: no two replies of a host have the same, also after a restart */
    size_t n_ids;    /* of its events */
    const uint8_t (*ids)[16];
};

/* One native reply. */
struct carehub_reply {
    int status;               /* of HTTP; 0: as the host sees fit (201, 202, 200, 400, 422, 503…) */
    const char *content_type; /* of HTTP; NULL: application/json */
    const char *location;     /* of HTTP; or NULL */
    const void *bytes;
    size_t len;
};

/* Takes one reply, of which the host makes a copy. MLLP senders may be given two (an accept and an application
 * acknowledgement), HTTP clients one. */
typedef void carehub_reply_fn(void *arg, const struct carehub_reply *reply);

/* ---- An event on its way out ------------------------------------------------------------------------------------ */

/* An event that a receiver is to get. */
struct carehub_departure {
    const Carehub__V1__Event *event;        /* the receiver's view of it */
    bool notice;                            /* a correction's notice, without content */
    const Carehub__V1__Event *original;     /* what it corrects, as it was sent then; NULL if that is not known */
    const struct carehub_setting *receiver; /* section "receiver" of the outgoing transport, or NULL */
    uint64_t number;                        /* of this departure, unique and growing */
    uint32_t attempt;                       /* 1 for the first */
    int64_t now_ms;
    const char *verified_by; /* the actor that stands for what its author entered unverified; NULL or "": nobody */
};

/* A native message. The same event, sent again, should give the same native_id. */
struct carehub_parcel {
    void *bytes; /* malloc'd; the host frees it */
    size_t len;
    const char *content_type; /* static */
    char native_id[CAREHUB_NATIVE_ID_BYTES];
    char kind[CAREHUB_KIND_BYTES];
    char file_name[CAREHUB_NATIVE_ID_BYTES]; /* a proposal, for folders: letters, digits, '-', '_', '.' */
    struct carehub_problem problem;          /* with WRITTEN_ERROR */
};

enum carehub_written {
    CAREHUB_WRITTEN,
    CAREHUB_WRITTEN_NOTHING, /* this format has no message for such an event: it is acknowledged and counted */
    CAREHUB_WRITTEN_ERROR,   /* it should have, and cannot be written: the delivery becomes a dead letter */
};

/* What an answer says of the message that it answers. */
enum carehub_judgement {
    CAREHUB_JUDGED_TAKEN,   /* the receiver has it */
    CAREHUB_JUDGED_AGAIN,   /* not now: it is sent again, later */
    CAREHUB_JUDGED_REFUSED, /* never: a dead letter */
    CAREHUB_JUDGED_OTHER,   /* it answers another message: `problem` says which rule shows that; the wait goes on */
};

/* ---- The format ------------------------------------------------------------------------------------------------- */

struct carehub_format {
    uint32_t abi;        /* CAREHUB_FORMAT_ABI */
    const char *name;    /* "hl7v2"; becomes source.format */
    const char *version; /* of the plug-in */
    const char *summary; /* one line for people: what it takes and what it writes */

    /* Reads the format's section (whose children are its settings; `plugin` is the host's). Relative paths in it start
     * at `folder`. NULL with `error` set. Without this function `self` is NULL throughout. */
    void *(*configure)(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES]);
    void (*destroy)(void *self);
    /* Whether any sender is to be answered when the spool has its event. NULL: no. */
    bool (*needs_spool)(const void *self);

    /* In. NULL translate: it takes nothing in. */

    /* Splits a file into messages: true with the next one, false at the end. *position is 0 at first. NULL: a file is
     * one message. */
    bool (*split)(const void *self, const void *bytes, size_t len, size_t *position, const void **message,
                  size_t *message_len);
    /* Reads enough to know which message it is: its key, native id, kind and sender. What is wrong shows in the
     * verdict. False without memory. NULL: verdict is OPENED. */
    bool (*open)(const void *self, struct carehub_message *message);
    /* Makes events of an opened message, and sets the verdict; one that emitted something has EVENTS by itself. */
    void (*translate)(const void *self, struct carehub_message *message, struct carehub_memory *memory);
    /* Lets go of everything but what a reply needs. Afterwards native->bytes is NULL. */
    void (*slim)(struct carehub_message *message);
    /* Gives the replies that the sender wants, if any. NULL: none, or for HTTP one in plain JSON. */
    void (*reply)(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                  carehub_reply_fn *fn, void *arg);
    void (*close)(struct carehub_message *message);
    /* Answers an HTTP GET of a document of the format's own ("fhir/metadata"). False: there is none. */
    bool (*get)(const void *self, const char *path, carehub_reply_fn *fn, void *arg);

    /* Out. NULL write: it writes nothing. */

    enum carehub_written (*write)(const void *self, const struct carehub_departure *departure,
                                  struct carehub_parcel *parcel);
    /* Judges the answer to a parcel; NULL: any answer of the transport that means success will do. */
    enum carehub_judgement (*judge)(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                    size_t len, struct carehub_problem *problem);
    /* Checks a section "receiver" (NULL: there is none) when the configuration is read, so that a mistake in it does
     * not make dead letters. False with `error` set. NULL: any will do. */
    bool (*check_receiver)(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES]);
};

#ifdef __cplusplus
}
#endif
#endif
