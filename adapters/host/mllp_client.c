#include "mllp_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "mllp.h"
#include "mllp_link.h"
#include "outlet_settings.h"
#include "transport.h"

enum { TIMEOUT_MAX_MS = 600000 };

struct settings {
    struct outlet_common common;
    char *endpoint;
    char host[OUTLET_HOST_BYTES], port[OUTLET_PORT_BYTES];
    int64_t timeout_ms, connect_timeout_ms;
    struct outlet_tls tls;
    int use_tls, in_clear;
};

struct client {
    uv_timer_t timer; /* first; for the answer, and for what is known at once and may not be told at once */
    struct settings settings;
    struct tls_context *tls; /* NULL: in clear */
    struct mllp_link *link;  /* NULL: none */
    const struct carehub_parcel *parcel;
    sending_judge_fn *judge;
    sending_done_fn *done; /* NULL: nothing is being sent */
    void *arg;
    unsigned others;            /* answers to other messages */
    bool kept, heard;           /* of the link: it was there before this message; something came since */
    enum sending_result result; /* to be told later */
    const char *code, *text;
};

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static const char *const no_yes[] = {"no", "yes", NULL};

static const struct setting_rule rules[] = {
    OUTLET_COMMON_RULES(struct settings),
    {.name = "endpoint",
     .kind = SETTING_TEXT,
     .offset = offsetof(struct settings, endpoint),
     .required = true,
     .example = "endpoint = receiver.example:2575"},
    {.name = "timeout-ms",
     .kind = SETTING_NUMBER,
     .offset = offsetof(struct settings, timeout_ms),
     .min = 1,
     .max = TIMEOUT_MAX_MS},
    {.name = "connect-timeout-ms",
     .kind = SETTING_NUMBER,
     .offset = offsetof(struct settings, connect_timeout_ms),
     .min = 1,
     .max = TIMEOUT_MAX_MS},
    {.name = "tls", .kind = SETTING_CHOICE, .offset = offsetof(struct settings, use_tls), .choices = no_yes},
    OUTLET_TLS_RULES(struct settings),
};

enum { RULES = sizeof rules / sizeof rules[0] };

static bool check_settings(struct settings *settings, char error[CAREHUB_ERROR_BYTES])
{
    if (!endpoint_split(settings->endpoint, settings->host, settings->port))
        return settings_complain(error, "out/mllp",
                                 "endpoint has to be host:port, such as receiver.example:2575 or "
                                 "[2001:db8::7]:2575");
    if (!settings->use_tls && !settings->in_clear && !host_is_loopback(settings->host))
        return settings_complain(error, "out/mllp",
                                 "would send care data in clear to %s: set tls = yes, or beyond-loopback = \"" IN_CLEAR
                                 "\" if the way there is protected otherwise",
                                 settings->host);
    return outlet_tls_check(&settings->tls, settings->use_tls, "out/mllp", error);
}

static bool read_settings(const struct carehub_setting *section, const char *folder, struct settings *settings,
                          char error[CAREHUB_ERROR_BYTES])
{
    *settings = (struct settings){.timeout_ms = MLLP_CLIENT_TIMEOUT_MS, .connect_timeout_ms = MLLP_CLIENT_CONNECT_MS};
    if (settings_read(section, "out/mllp", folder, rules, RULES, settings, error) && check_settings(settings, error))
        return true;
    settings_clear(rules, RULES, settings);
    return false;
}

/* With certificates and keys, which are read. */
static bool set_up(const struct carehub_setting *section, const char *folder, struct settings *settings,
                   struct tls_context **tls, char error[CAREHUB_ERROR_BYTES])
{
    char why[CAREHUB_ERROR_BYTES / 2];
    if (!read_settings(section, folder, settings, error))
        return false;
    if (!settings->use_tls)
        return true;
    *tls = tls_context_new(false, settings->tls.certificate, settings->tls.key, settings->tls.ca, why, sizeof why);
    if (*tls)
        return true;
    settings_clear(rules, RULES, settings);
    return settings_complain(error, "out/mllp", "%s", why);
}

static bool client_check(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    struct settings settings;
    struct tls_context *tls = NULL;
    if (!set_up(section, folder, &settings, &tls, error))
        return false;
    tls_context_destroy(&tls);
    settings_clear(rules, RULES, &settings);
    return true;
}

/* ---- Results ---------------------------------------------------------------------------------------------------- */

/* What was being sent has its result. */
static sending_done_fn *finish(struct client *self)
{
    sending_done_fn *done = self->done;
    uv_timer_stop(&self->timer);
    self->done = NULL;
    self->parcel = NULL;
    return done;
}

static void tell(struct client *self, enum sending_result result, const char *code, const char *text)
{
    finish(self)(self->arg, result, code, text);
}

static void on_later(uv_timer_t *timer)
{
    struct client *self = (struct client *)timer;
    tell(self, self->result, self->code, self->text);
}

static void tell_later(struct client *self, enum sending_result result, const char *code, const char *text)
{
    self->result = result;
    self->code = code;
    self->text = text;
    uv_timer_start(&self->timer, on_later, 0, 0);
}

static void on_timeout(uv_timer_t *timer)
{
    struct client *self = (struct client *)timer;
    mllp_link_close(&self->link);
    tell(self, SENDING_DOWN, "timeout", "no acknowledgement came in time (timeout-ms)");
}

/* ---- The connection --------------------------------------------------------------------------------------------- */

static void transmit(struct client *self)
{
    self->heard = false;
    if (mllp_link_send(self->link, self->parcel->bytes, self->parcel->len)) {
        uv_timer_start(&self->timer, on_timeout, (uint64_t)self->settings.timeout_ms, 0);
        return;
    }
    mllp_link_close(&self->link);
    tell_later(self, SENDING_DOWN, "connection-lost", "the connection has gone, or this program is out of memory");
}

static void on_ready(void *arg)
{
    struct client *self = arg;
    if (self->done)
        transmit(self);
}

/* An answer to another message. */
static void note_other(struct client *self, const struct carehub_problem *problem)
{
    char text[CAREHUB_ERROR_BYTES];
    problem_print(problem, text, sizeof text);
    LOG_LINE(LOG_LEVEL_WARNING, "%s: an answer came that is not to the message that was sent last: %s",
             self->settings.endpoint, text);
    if (++self->others < MLLP_CLIENT_OTHERS_MAX)
        return;
    mllp_link_close(&self->link);
    tell(self, SENDING_DOWN, "answers-another", "only answers to other messages came; the connection is given up");
}

static void on_frame(void *arg, const void *bytes, size_t len)
{
    struct client *self = arg;
    struct carehub_problem problem = {0};
    self->heard = true;
    if (!self->done) {
        LOG_LINE(LOG_LEVEL_INFO, "%s: an answer came that nothing waits for; left unread", self->settings.endpoint);
        return;
    }
    enum carehub_judgement judgement =
        self->judge ? self->judge(self->arg, bytes, len, &problem) : CAREHUB_JUDGED_TAKEN;
    if (judgement == CAREHUB_JUDGED_OTHER)
        note_other(self, &problem);
    else
        sending_judged(judgement, &problem, finish(self), self->arg);
}

static void connect_anew(struct client *self);

/* A kept connection that has gone before anything came of this message: the receiver had closed it, as it may. */
static void on_ended(void *arg, const char *code, const char *text)
{
    struct client *self = arg;
    bool anew = self->done && self->kept && !self->heard && strcmp(code, "connection-lost") == 0;
    mllp_link_close(&self->link); /* it frees itself later, and text with it */
    if (anew) {
        uv_timer_stop(&self->timer);
        connect_anew(self);
    } else if (self->done) {
        tell(self, SENDING_DOWN, code, text);
    } else {
        LOG_LINE(LOG_LEVEL_DEBUG, "%s: %s", self->settings.endpoint, text);
    }
}

static void connect_anew(struct client *self)
{
    const struct mllp_link_options options = {.host = self->settings.host,
                                              .port = self->settings.port,
                                              .tls = self->tls,
                                              .connect_ms = (uint64_t)self->settings.connect_timeout_ms,
                                              .ready = on_ready,
                                              .frame = on_frame,
                                              .ended = on_ended,
                                              .arg = self};
    self->kept = false;
    self->link = mllp_link_new(self->timer.loop, &options);
    if (!self->link)
        tell_later(self, SENDING_DOWN, "out-of-memory", "this program is out of memory");
}

/* ---- The transport ---------------------------------------------------------------------------------------------- */

static void client_send(void *arg, const struct carehub_parcel *parcel, sending_judge_fn *judge, sending_done_fn *done,
                        void *done_arg)
{
    struct client *self = arg;
    self->parcel = parcel;
    self->judge = judge;
    self->done = done;
    self->arg = done_arg;
    self->others = 0;
    if (mllp_encode(parcel->bytes, parcel->len, NULL, 0) == 0) {
        tell_later(self, SENDING_REFUSED, "not-framable",
                   "the message has a byte in it (VT or FS) that MLLP cannot carry");
        return;
    }
    if (!self->link) {
        connect_anew(self);
        return;
    }
    self->kept = true;
    transmit(self);
}

static void client_endpoint(const void *arg, char *out, size_t size)
{
    const struct client *self = arg;
    snprintf(out, size, "%s", self->settings.endpoint);
}

static void *client_open(uv_loop_t *loop, const struct carehub_setting *section, const char *folder,
                         char error[CAREHUB_ERROR_BYTES])
{
    struct client *self = calloc(1, sizeof *self);
    if (!self) {
        settings_complain(error, "out/mllp", "out of memory");
        return NULL;
    }
    if (!set_up(section, folder, &self->settings, &self->tls, error)) {
        free(self);
        return NULL;
    }
    uv_timer_init(loop, &self->timer);
    return self;
}

static void on_closed(uv_handle_t *handle)
{
    struct client *self = (struct client *)handle;
    tls_context_destroy(&self->tls);
    settings_clear(rules, RULES, &self->settings);
    free(self);
}

static void client_close(void *arg)
{
    struct client *self = arg;
    mllp_link_close(&self->link);
    uv_close((uv_handle_t *)&self->timer, on_closed);
}

static bool client_renew(void *arg, char error[CAREHUB_ERROR_BYTES])
{
    struct client *self = arg;
    const struct outlet_tls *tls = &self->settings.tls;
    char why[CAREHUB_ERROR_BYTES / 2];
    return !self->tls || tls_context_renew(&self->tls, tls->certificate, tls->key, tls->ca, why, sizeof why) ||
           settings_complain(error, "out/mllp", "%s", why);
}

const struct transport_out transport_out_mllp = {
    .name = "mllp",
    .check = client_check,
    .open = client_open,
    .endpoint = client_endpoint,
    .send = client_send,
    .close = client_close,
    .renew = client_renew,
};
