/* host_status.c - the status file: what operators and their monitoring see of an adapter. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "host_internal.h"
#include "intake_internal.h"
#include "log_line.h"

static void put_text(struct json_object *object, const char *name, const char *text)
{
    json_object_object_add(object, name, json_object_new_string(text));
}

static void put_number(struct json_object *object, const char *name, uint64_t value)
{
    json_object_object_add(object, name, json_object_new_int64((int64_t)value));
}

static struct json_object *in_json(const struct host *host)
{
    struct json_object *list = json_object_new_array();
    for (size_t i = 0; i < host->config->n_in; i++) {
        const struct transport_in *transport = host->config->in[i].transport;
        struct json_object *one = json_object_new_object();
        char endpoint[CAREHUB_ERROR_BYTES] = "";
        if (host->ins[i])
            transport->endpoint(host->ins[i], endpoint, sizeof endpoint);
        put_text(one, "transport", transport->name);
        put_text(one, "endpoint", endpoint);
        json_object_array_add(list, one);
    }
    return list;
}

static struct json_object *outlet_json(const struct outlet *outlet)
{
    struct outlet_status status;
    struct json_object *one = json_object_new_object();
    outlet_status(outlet, &status);
    put_text(one, "inbox", status.inbox);
    put_text(one, "transport", status.transport);
    put_text(one, "endpoint", status.endpoint);
    json_object_object_add(one, "attached", json_object_new_boolean(status.attached));
    put_number(one, "sent", status.sent);
    put_number(one, "nothing", status.nothing);
    put_number(one, "again", status.again);
    put_number(one, "failed", status.failed);
    put_number(one, "waiting", status.waiting);
    put_text(one, "lastError", status.last_error);
    put_number(one, "lastErrorMs", (uint64_t)status.last_error_ms);
    put_number(one, "downSinceMs", (uint64_t)status.down_since_ms);
    return one;
}

void host_save_status(struct host *host, bool connected)
{
    const char *path = host->config->status_file;
    struct json_object *more, *out;
    if (!path)
        return;
    more = json_object_new_object();
    out = json_object_new_array();
    for (size_t i = 0; i < host->config->n_out; i++)
        if (host->outlets[i])
            json_object_array_add(out, outlet_json(host->outlets[i]));
    put_text(more, "format", host->config->plugin.format->name);
    json_object_object_add(more, "in", in_json(host));
    json_object_object_add(more, "out", out);
    if (host->subscriptions)
        json_object_object_add(more, "subscriptions", subscriptions_status(host->subscriptions));
    if (!counters_save(&host->counters, path, wall_clock_ms(), journal_held_count(host->journal), connected, more))
        LOG_LINE(LOG_LEVEL_WARNING, "cannot write %s: %s", path, strerror(errno));
}
