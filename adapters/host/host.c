#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eventid.h"
#include "host_internal.h"
#include "intake_internal.h"
#include "journal.h"
#include "log_line.h"
#include "publisher.h"
#include "service.h"

enum { ENDPOINT_BYTES = 512 };

/* ---- What the hub refuses for good ------------------------------------------------------------------------------ */

static void on_refused(void *arg, const uint8_t id[CAREHUB_ID_BYTES], const char *code, const char *text)
{
    struct host *host = arg;
    char name[EVENTID_TEXT_CHARS];
    eventid_format(id, name);
    counters_add(&host->counters, COUNT_HUB_REFUSED, 1);
    LOG_LINE(LOG_LEVEL_WARNING, "event %s: %s (%s)", name, text, code);
    /* With a conflict the hub has another event of that id, and that may be the one that is remembered. */
    if (strcmp(code, "ID_CONFLICT") != 0 && !journal_forget(host->journal, id))
        LOG_LINE(LOG_LEVEL_ERROR, "%s", journal_error(host->journal));
}

/* ---- Time ------------------------------------------------------------------------------------------------------- */

static int64_t boot_clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000 + 1;
}

/* By which it is judged what is old. */
static int64_t believed_time_ms(void *arg)
{
    struct host *host = arg;
    return journal_time(host->journal, wall_clock_ms(), boot_clock_ms());
}

static void prune(struct host *host)
{
    int held = 0;
    int64_t before_ms = believed_time_ms(host) - host->config->remember_days * 24 * 3600 * 1000;
    int forgotten = journal_prune(host->journal, before_ms, &held);
    if (forgotten < 0)
        LOG_LINE(LOG_LEVEL_WARNING, "%s", journal_error(host->journal));
    if (forgotten > 0)
        LOG_LINE(LOG_LEVEL_INFO, "forgot %d entries of the journal older than %lld days", forgotten,
                 (long long)host->config->remember_days);
    if (held > 0)
        LOG_LINE(LOG_LEVEL_WARNING, "%d of them were messages that were held and never tried again with success", held);
}

static bool is_idle(const struct host *host)
{
    for (size_t i = 0; i < host->config->n_out; i++)
        if (host->outlets[i] && !outlet_is_idle(host->outlets[i]))
            return false;
    return intake_is_idle(host->intake);
}

static void on_tick(uv_timer_t *timer)
{
    struct host *host = timer->data;
    uint64_t now_ms = uv_now(timer->loop);
    intake_tick(host->intake, !host->stopped);
    if (now_ms >= host->status_due_ms) {
        host->status_due_ms = now_ms + HOST_STATUS_MS;
        host_save_status(host, publisher_connected(host->publisher));
    }
    if (now_ms >= host->prune_due_ms) {
        host->prune_due_ms = now_ms + HOST_PRUNE_MS;
        prune(host);
    }
    if (host->stopped && (is_idle(host) || now_ms >= host->stop_due_ms)) {
        uv_timer_stop(timer);
        host->stopped(host->stopped_arg);
    }
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static bool open_in(struct host *host, size_t i, char error[CAREHUB_ERROR_BYTES])
{
    const struct host_in *in = &host->config->in[i];
    const struct transport_in_options options = {
        .section = in->section,
        .folder = host->config->folder,
        .take = intake_take,
        .notice = intake_notice,
        .get = intake_get,
        .arg = host->intake,
        .time_ms = believed_time_ms,
        .time_arg = host,
    };
    char endpoint[ENDPOINT_BYTES];
    host->ins[i] = in->transport->open(host->tick.loop, &options, error);
    if (!host->ins[i])
        return false;
    in->transport->endpoint(host->ins[i], endpoint, sizeof endpoint);
    fprintf(stderr, "carehub-adapter: ready on %s\n", endpoint);
    return i > 0 || !host->config->endpoint_file || service_write_file(host->config->endpoint_file, endpoint, error);
}

static bool open_out(struct host *host, size_t i, char error[CAREHUB_ERROR_BYTES])
{
    const struct outlet_options options = {
        .client = publisher_client(host->publisher),
        .journal = host->journal,
        .format = host->config->plugin.format,
        .format_self = host->config->plugin.self,
        .section = host->config->out[i],
        .folder = host->config->folder,
        .counters = &host->counters,
    };
    host->outlets[i] = outlet_new(host->tick.loop, &options, error);
    return host->outlets[i] != NULL;
}

static bool open_subscriptions(struct host *host, char error[CAREHUB_ERROR_BYTES])
{
    char endpoint[ENDPOINT_BYTES];
    size_t i = 0;
    if (!host->config->subscriptions)
        return true;
    while (host->config->in[i].transport != &transport_in_http) /* there is one: host_config has looked */
        i++;
    transport_in_http.endpoint(host->ins[i], endpoint, sizeof endpoint);
    const struct subscriptions_options options = {
        .section = host->config->subscriptions,
        .folder = host->config->folder,
        .state_dir = host->config->state_dir,
        .client = publisher_client(host->publisher),
        .format = host->config->plugin.format,
        .format_self = host->config->plugin.self,
        .http = host->ins[i],
        .endpoint = endpoint,
        .time_ms = believed_time_ms,
        .time_arg = host,
    };
    host->subscriptions = subscriptions_new(host->tick.loop, &options, error);
    return host->subscriptions != NULL;
}

static bool open_core(struct host *host, char error[CAREHUB_ERROR_BYTES])
{
    const struct host_config *config = host->config;
    char why[JOURNAL_ERROR_BYTES];
    host->journal = journal_open(config->state_dir, true, why);
    if (!host->journal) {
        snprintf(error, CAREHUB_ERROR_BYTES, "%s", why);
        return false;
    }
    host->publisher = publisher_new(host->tick.loop, &config->hub, on_refused, host);
    if (!host->publisher) {
        snprintf(error, CAREHUB_ERROR_BYTES, "%s", carehub_error());
        return false;
    }
    const struct intake_options options = {
        .format = config->plugin.format,
        .format_self = config->plugin.self,
        .journal = host->journal,
        .publisher = host->publisher,
        .counters = &host->counters,
        .confirm_timeout_ms = config->confirm_timeout_ms,
    };
    host->intake = intake_new(host->tick.loop, &options);
    if (!host->intake)
        snprintf(error, CAREHUB_ERROR_BYTES, "out of memory");
    return host->intake != NULL;
}

static bool start(struct host *host, char error[CAREHUB_ERROR_BYTES])
{
    if (!open_core(host, error))
        return false;
    for (size_t i = 0; i < host->config->n_in; i++)
        if (!open_in(host, i, error))
            return false;
    if (!open_subscriptions(host, error))
        return false;
    for (size_t i = 0; i < host->config->n_out; i++)
        if (!open_out(host, i, error))
            return false;
    return true;
}

struct host *host_new(uv_loop_t *loop, const struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    struct host *self = calloc(1, sizeof *self);
    if (!self) {
        snprintf(error, CAREHUB_ERROR_BYTES, "out of memory");
        return NULL;
    }
    self->config = config;
    self->counters.started_ms = wall_clock_ms();
    uv_timer_init(loop, &self->tick);
    self->tick.data = self;
    if (start(self, error))
        uv_timer_start(&self->tick, on_tick, HOST_TICK_MS, HOST_TICK_MS);
    else
        host_close(&self);
    return self;
}

/* ---- Ending ----------------------------------------------------------------------------------------------------- */

void host_stop(struct host *self, void (*stopped)(void *arg), void *arg)
{
    if (self->stopped)
        return;
    for (size_t i = 0; i < self->config->n_in; i++)
        self->config->in[i].transport->quiesce(self->ins[i]);
    for (size_t i = 0; i < self->config->n_out; i++)
        outlet_quiesce(self->outlets[i]);
    self->stop_due_ms = uv_now(self->tick.loop) + HOST_STOP_MS;
    self->stopped_arg = arg;
    self->stopped = stopped;
}

void host_renew(struct host *self)
{
    char error[CAREHUB_ERROR_BYTES];
    bool ok = true;
    for (size_t i = 0; i < self->config->n_in; i++) {
        const struct transport_in *transport = self->config->in[i].transport;
        if (!transport->renew || transport->renew(self->ins[i], error))
            continue;
        LOG_LINE(LOG_LEVEL_ERROR, "certificates: %s; what was read before stays in force", error);
        ok = false;
    }
    for (size_t i = 0; i < self->config->n_out; i++)
        ok = outlet_renew(self->outlets[i]) && ok;
    if (ok)
        LOG_LINE(LOG_LEVEL_INFO, "certificates were read anew, for connections that begin from now on");
}

void host_print_counters(struct host *self)
{
    counters_print(&self->counters, stdout);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Against the stream: who uses the client before the client, who waits for the publisher after it, and the transports,
 * which owe answers, after those who give them. */
void host_close(struct host **closing)
{
    struct host *host = *closing;
    *closing = NULL;
    if (!host)
        return;
    if (host->intake)
        host_save_status(host, false);
    for (size_t i = 0; i < host->config->n_out; i++)
        if (host->outlets[i])
            outlet_close(&host->outlets[i]);
    if (host->subscriptions)
        subscriptions_close(&host->subscriptions);
    publisher_close(&host->publisher); /* answers all who wait */
    intake_close(&host->intake);
    for (size_t i = 0; i < host->config->n_in; i++)
        if (host->ins[i])
            host->config->in[i].transport->close(host->ins[i]);
    journal_close(&host->journal);
    uv_close((uv_handle_t *)&host->tick, on_closed);
}
