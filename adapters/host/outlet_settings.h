/* outlet_settings.h - what the sections "out" of all transports have in common, and what more than one of them needs:
 * TLS, endpoints, files with secrets, judgements. */
#ifndef CAREHUB_OUTLET_SETTINGS_H
#define CAREHUB_OUTLET_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "settings.h"
#include "transport.h"

#define IN_CLEAR "yes, in clear"

enum { OUTLET_HOST_BYTES = 256, OUTLET_PORT_BYTES = 8, SECRET_MAX_BYTES = 8192 };

/* Read by the outlet; a transport only lets them pass. */
struct outlet_common {
    char *transport, *inbox;
};

/* Settings for any section "out", of a struct with a member `common`. */
#define OUTLET_COMMON_RULES(type)                                                                                      \
    {.name = "transport",                                                                                              \
     .kind = SETTING_TEXT,                                                                                             \
     .offset = offsetof(type, common.transport),                                                                       \
     .required = true,                                                                                                 \
     .example = "http"},                                                                                               \
        {.name = "inbox",                                                                                              \
         .kind = SETTING_TEXT,                                                                                         \
         .offset = offsetof(type, common.inbox),                                                                       \
         .required = true,                                                                                             \
         .example = "home-care-north"},                                                                                \
    {                                                                                                                  \
        .name = "receiver", .kind = SETTING_SECTION                                                                    \
    }

/* PEM files; NULL where not set. */
struct outlet_tls {
    char *ca, *certificate, *key;
};

/* Settings for a transport that can speak TLS, of a struct with members `tls` and `in_clear` (int). */
#define OUTLET_TLS_RULES(type)                                                                                         \
    {.name = "tls-ca", .kind = SETTING_PATH, .offset = offsetof(type, tls.ca)},                                        \
        {.name = "tls-certificate", .kind = SETTING_PATH, .offset = offsetof(type, tls.certificate)},                  \
        {.name = "tls-key", .kind = SETTING_PATH, .offset = offsetof(type, tls.key)},                                  \
    {                                                                                                                  \
        .name = "beyond-loopback", .kind = SETTING_CHOICE, .offset = offsetof(type, in_clear),                         \
        .choices = outlet_clear_choices                                                                                \
    }

extern const char *const outlet_clear_choices[]; /* "no", IN_CLEAR */

/* Certificate and key belong together, and all files must be readable. None may be set where TLS is not used. */
bool outlet_tls_check(const struct outlet_tls *tls, bool used, const char *where, char error[CAREHUB_ERROR_BYTES]);

/* "localhost", or an address of this machine alone: 127.0.0.0/8, ::1 (also in brackets). */
bool host_is_loopback(const char *host);

/* Takes "host:port" apart; an IPv6 address stands in brackets, which host has not. */
bool endpoint_split(const char *endpoint, char host[OUTLET_HOST_BYTES], char port[OUTLET_PORT_BYTES]);

/* Reads a secret from a file that others cannot read: 1 to SECRET_MAX_BYTES, without the line end at its end;
 * zero-terminated. False with the reason. */
bool secret_read(const char *path, char secret[SECRET_MAX_BYTES + 1], size_t *len, char error[CAREHUB_ERROR_BYTES]);

/* Tells what a format's judgement of an answer comes to. OTHER, where nothing else is to be waited for, counts for
 * AGAIN. */
void sending_judged(enum carehub_judgement judgement, const struct carehub_problem *problem, sending_done_fn *done,
                    void *arg);

/* "MSA-1: what is wrong (rule)". */
void problem_print(const struct carehub_problem *problem, char *out, size_t size);

#endif
