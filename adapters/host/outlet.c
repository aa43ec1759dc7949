#include "outlet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "journal.h"
#include "log_line.h"
#include "outlet_inbox.h"
#include "outlet_settings.h"
#include "transport.h"

/* In units of back_off_ms: before each try in place, and, when those are used up, before each next delivery. */
static const uint32_t back_offs[] = {1, 2, 4, 8, 16, 30};
static const uint32_t pauses[] = {60, 120, 240, 300};

enum { BACK_OFFS = sizeof back_offs / sizeof back_offs[0], PAUSES = sizeof pauses / sizeof pauses[0] };

struct outlet {
    uv_timer_t pause; /* first; active: nothing is tried */
    uv_timer_t stop;
    struct outlet_options options;
    const char *inbox_name;
    const struct carehub_setting *receiver;
    const struct transport_out *transport;
    void *transport_self; /* NULL: closed */
    struct outlet_inbox *inbox;
    struct outlet_delivery *sending;
    unsigned downs, refusals; /* in a row */
    bool quiet;
    int handles;
    struct outlet_status status;
};

static void changed(struct outlet *self)
{
    if (self->options.counters)
        self->options.counters->changed = true;
}

static void note_error(struct outlet *self, const char *code)
{
    snprintf(self->status.last_error, sizeof self->status.last_error, "%s", code);
    self->status.last_error_ms = wall_clock_ms();
}

/* Neither has the text anything of the content in it. */
static void log_failure(const struct outlet *self, const struct outlet_delivery *delivery, const char *what,
                        const char *code, const char *text)
{
    const char *kind = delivery->parcel.kind[0] != '\0' ? delivery->parcel.kind : "message";
    LOG_LINE(LOG_LEVEL_WARNING, "inbox %s: %s %s to %s %s: %s: %s", self->inbox_name, kind, delivery->parcel.native_id,
             self->status.endpoint, what, code, text);
}

/* ---- Pauses ----------------------------------------------------------------------------------------------------- */

static void go_on(struct outlet *self);

static void on_pause_over(uv_timer_t *timer)
{
    go_on((struct outlet *)timer);
}

static void wait_for(struct outlet *self, uint32_t units)
{
    uv_timer_start(&self->pause, on_pause_over, (uint64_t)units * self->options.back_off_ms, 0);
}

/* Nor before the receiver wants to be asked again. */
static void wait_as_asked(struct outlet *self)
{
    uint64_t asked_ms = self->transport->asked_wait_ms ? self->transport->asked_wait_ms(self->transport_self) : 0;
    if (asked_ms > uv_timer_get_due_in(&self->pause))
        uv_timer_start(&self->pause, on_pause_over, asked_ms, 0);
}

/* The n-th pause, from 0. */
static void pause_for(struct outlet *self, unsigned n)
{
    wait_for(self, pauses[n < PAUSES ? n : PAUSES - 1]);
}

/* The receiver answers, whatever it says. */
static void is_up(struct outlet *self)
{
    if (self->status.down_since_ms != 0)
        LOG_LINE(LOG_LEVEL_INFO, "inbox %s: %s answers again", self->inbox_name, self->status.endpoint);
    self->status.down_since_ms = 0;
    self->downs = 0;
}

/* Another that was not taken. */
static void count_refusal(struct outlet *self)
{
    if (++self->refusals < OUTLET_REFUSED_MAX)
        return;
    LOG_LINE(LOG_LEVEL_ERROR, "inbox %s: %u in a row were not taken by %s; going on slowly until one is",
             self->inbox_name, self->refusals, self->status.endpoint);
    pause_for(self, self->refusals - OUTLET_REFUSED_MAX);
}

/* ---- What became of it ------------------------------------------------------------------------------------------ */

static void taken(struct outlet *self, struct outlet_delivery *delivery)
{
    const Carehub__V1__Event *event = delivery->event;
    if (event->id.len == CAREHUB_ID_BYTES && !journal_sent_put(self->options.journal, self->inbox_name, event->id.data,
                                                               delivery->bytes, delivery->size, wall_clock_ms()))
        LOG_LINE(LOG_LEVEL_ERROR, "inbox %s: what was sent cannot be remembered, so its correction will lack it: %s",
                 self->inbox_name, journal_error(self->options.journal));
    is_up(self);
    self->refusals = 0;
    self->status.sent++;
    inbox_taken(self->inbox, delivery);
}

static void not_taken_now(struct outlet *self, struct outlet_delivery *delivery, const char *code, const char *text)
{
    log_failure(self, delivery, "was not taken now; it is sent again later", code, text);
    is_up(self);
    self->status.again++;
    inbox_refused(self->inbox, delivery, code, false);
    count_refusal(self);
}

static void refused(struct outlet *self, struct outlet_delivery *delivery, const char *code, const char *text)
{
    log_failure(self, delivery, "was refused; it is a dead letter now (carehub inbox retry sends it again)", code,
                text);
    is_up(self);
    self->status.failed++;
    inbox_refused(self->inbox, delivery, code, true);
    count_refusal(self);
}

static void is_down(struct outlet *self, struct outlet_delivery *delivery, const char *code, const char *text)
{
    if (self->downs == 0 || self->downs >= BACK_OFFS)
        log_failure(self, delivery, "does not go; it is tried again", code, text);
    if (self->status.down_since_ms == 0)
        self->status.down_since_ms = wall_clock_ms();
    if (self->downs < BACK_OFFS) {
        wait_for(self, back_offs[self->downs]);
        inbox_put_back(self->inbox, delivery);
    } else {
        self->status.again++;
        pause_for(self, self->downs - BACK_OFFS);
        inbox_refused(self->inbox, delivery, code, false);
    }
    wait_as_asked(self);
    self->downs++;
}

static void on_sent(void *arg, enum sending_result result, const char *code, const char *text)
{
    struct outlet *self = arg;
    struct outlet_delivery *delivery = self->sending;
    self->sending = NULL;
    if (result != SENDING_TAKEN)
        note_error(self, code);
    switch (result) {
    case SENDING_TAKEN:
        taken(self, delivery);
        break;
    case SENDING_AGAIN:
        not_taken_now(self, delivery, code, text);
        break;
    case SENDING_REFUSED:
        refused(self, delivery, code, text);
        break;
    case SENDING_DOWN:
        is_down(self, delivery, code, text);
        break;
    }
    changed(self);
    go_on(self);
}

static enum carehub_judgement on_judge(void *arg, const void *answer, size_t len, struct carehub_problem *problem)
{
    const struct outlet *self = arg;
    return self->options.format->judge(self->options.format_self, &self->sending->parcel, answer, len, problem);
}

/* ---- Writing and sending ---------------------------------------------------------------------------------------- */

/* What it corrects, as it went out then; NULL if that is not known. */
static Carehub__V1__Event *original_of(struct outlet *self, const Carehub__V1__Event *event)
{
    const ProtobufCBinaryData *id = event->amends.len ? &event->amends : &event->retracts;
    Carehub__V1__Event *original = NULL;
    void *packed = NULL;
    size_t len = 0;
    if (id->len != CAREHUB_ID_BYTES)
        return NULL;
    if (!journal_sent_get(self->options.journal, self->inbox_name, id->data, &packed, &len))
        LOG_LINE(LOG_LEVEL_ERROR, "inbox %s: what was sent before cannot be read: %s", self->inbox_name,
                 journal_error(self->options.journal));
    else if (packed)
        original = carehub__v1__event__unpack(NULL, len, packed);
    free(packed);
    return original;
}

static enum carehub_written write_parcel(struct outlet *self, struct outlet_delivery *delivery)
{
    int64_t now = wall_clock_ms();
    Carehub__V1__Event *original = original_of(self, delivery->event);
    const struct carehub_departure departure = {.event = delivery->event,
                                                .notice = delivery->notice,
                                                .original = original,
                                                .receiver = self->receiver,
                                                .number = journal_number(self->options.journal, now),
                                                .attempt = delivery->attempt,
                                                .now_ms = now,
                                                .verified_by = delivery->verified_by};
    enum carehub_written written =
        self->options.format->write(self->options.format_self, &departure, &delivery->parcel);
    if (original)
        carehub__v1__event__free_unpacked(original, NULL);
    return written;
}

static void cannot_be_written(struct outlet *self, struct outlet_delivery *delivery)
{
    char text[CAREHUB_ERROR_BYTES];
    problem_print(&delivery->parcel.problem, text, sizeof text);
    log_failure(self, delivery, "cannot be written; it is a dead letter now (see carehub inbox dead)",
                "cannot-be-written", text);
    note_error(self, "cannot-be-written");
    self->status.failed++;
    inbox_refused(self->inbox, delivery, "cannot-be-written", true);
}

static void handle(struct outlet *self, struct outlet_delivery *delivery)
{
    enum carehub_written written = delivery->written ? CAREHUB_WRITTEN : CAREHUB_WRITTEN_ERROR;
    if (!delivery->event)
        snprintf(delivery->parcel.problem.what, CAREHUB_WHAT_BYTES, "the event cannot be read");
    else if (!delivery->written)
        written = write_parcel(self, delivery);
    switch (written) {
    case CAREHUB_WRITTEN:
        delivery->written = true;
        self->sending = delivery;
        self->transport->send(self->transport_self, &delivery->parcel, self->options.format->judge ? on_judge : NULL,
                              on_sent, self);
        return;
    case CAREHUB_WRITTEN_NOTHING:
        self->status.nothing++;
        inbox_taken(self->inbox, delivery);
        break;
    case CAREHUB_WRITTEN_ERROR:
        cannot_be_written(self, delivery);
        break;
    }
    changed(self);
}

static void go_on(struct outlet *self)
{
    while (!self->quiet && !self->sending && !uv_is_active((const uv_handle_t *)&self->pause)) {
        struct outlet_delivery *delivery = inbox_next(self->inbox);
        if (!delivery)
            return;
        handle(self, delivery);
    }
}

static void on_inbox(void *arg)
{
    struct outlet *self = arg;
    changed(self);
    go_on(self);
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static const char *text_of(const struct carehub_setting *section, const char *name)
{
    const struct carehub_setting *setting = setting_named(section, name);
    return setting ? setting->value : "";
}

bool outlet_check(const struct carehub_format *format, const struct carehub_setting *section, const char *folder,
                  char error[CAREHUB_ERROR_BYTES])
{
    const struct transport_out *transport = transport_out_named(text_of(section, "transport"));
    if (!format->write)
        return settings_complain(error, "out", "format %s sends nothing out", format->name);
    if (!transport)
        return settings_complain(error, "out", "transport has to be mllp, http or folder");
    if (text_of(section, "inbox")[0] == '\0')
        return settings_complain(error, "out", "needs 'inbox', whose deliveries go out here");
    return transport->check(section, folder, error) &&
           (!format->check_receiver || format->check_receiver(setting_named(section, "receiver"), error));
}

static void on_closed(uv_handle_t *handle)
{
    struct outlet *self = handle->data;
    if (--self->handles == 0)
        free(self);
}

struct outlet *outlet_new(uv_loop_t *loop, const struct outlet_options *options, char error[CAREHUB_ERROR_BYTES])
{
    struct outlet *self =
        outlet_check(options->format, options->section, options->folder, error) ? calloc(1, sizeof *self) : NULL;
    if (!self)
        return NULL;
    self->options = *options;
    if (self->options.back_off_ms == 0)
        self->options.back_off_ms = OUTLET_BACK_OFF_MS;
    self->inbox_name = text_of(options->section, "inbox");
    self->receiver = setting_named(options->section, "receiver");
    self->transport = transport_out_named(text_of(options->section, "transport"));
    self->status.inbox = self->inbox_name;
    self->status.transport = self->transport->name;
    uv_timer_init(loop, &self->pause);
    uv_timer_init(loop, &self->stop);
    self->pause.data = self->stop.data = self;
    self->handles = 2;
    const struct outlet_inbox_options inbox = {.client = options->client,
                                               .inbox = self->inbox_name,
                                               .credit = OUTLET_CREDIT,
                                               .changed = on_inbox,
                                               .arg = self};
    self->transport_self = self->transport->open(loop, options->section, options->folder, error);
    if (self->transport_self)
        self->transport->endpoint(self->transport_self, self->status.endpoint, sizeof self->status.endpoint);
    if (!self->transport_self || !(self->inbox = inbox_new(loop, &inbox, error)))
        outlet_close(&self);
    return self;
}

/* Gives up what is being sent; the hub sends it again. */
static void close_transport(struct outlet *self)
{
    if (self->transport_self)
        self->transport->close(self->transport_self);
    self->transport_self = NULL;
    if (self->sending)
        inbox_put_back(self->inbox, self->sending);
    self->sending = NULL;
}

static void on_stop(uv_timer_t *timer)
{
    close_transport(timer->data);
}

bool outlet_renew(struct outlet *self)
{
    char error[CAREHUB_ERROR_BYTES];
    if (!self->transport_self || !self->transport->renew || self->transport->renew(self->transport_self, error))
        return true;
    LOG_LINE(LOG_LEVEL_ERROR, "certificates: inbox %s: %s; what was read before stays in force", self->inbox_name,
             error);
    return false;
}

void outlet_quiesce(struct outlet *self)
{
    self->quiet = true;
    uv_timer_stop(&self->pause);
    uv_timer_start(&self->stop, on_stop, OUTLET_STOP_MS, 0);
}

bool outlet_is_idle(const struct outlet *self)
{
    return !self->sending;
}

void outlet_close(struct outlet **closing)
{
    struct outlet *self = *closing;
    *closing = NULL;
    if (!self)
        return;
    self->quiet = true;
    close_transport(self);
    inbox_close(&self->inbox);
    uv_close((uv_handle_t *)&self->pause, on_closed);
    uv_close((uv_handle_t *)&self->stop, on_closed);
}

void outlet_status(const struct outlet *self, struct outlet_status *status)
{
    *status = self->status;
    status->attached = inbox_is_attached(self->inbox);
    status->waiting = inbox_waiting(self->inbox) + (self->sending ? 1 : 0);
}
