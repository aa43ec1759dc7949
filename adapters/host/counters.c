#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "shown_id.h"

static const char *const names[COUNTERS] = {
    [COUNT_RECEIVED] = "received",
    [COUNT_EVENTS] = "events",
    [COUNT_FACTS] = "facts",
    [COUNT_REPEATS] = "repeats",
    [COUNT_HELD] = "held",
    [COUNT_REFUSED] = "refused",
    [COUNT_HUB_REFUSED] = "refused-by-hub",
    [COUNT_UNCONFIRMED] = "unconfirmed",
    [COUNT_CONNECTIONS] = "connections",
    [COUNT_BROKEN_FRAMES] = "broken-frames",
};

void counters_add(struct counters *self, enum counter counter, uint64_t n)
{
    self->values[counter] += n;
    self->changed = true;
}

void counters_add_kind(struct counters *self, const char *kind, uint64_t n_events)
{
    size_t i = 0;
    while (i < COUNTERS_KINDS_MAX - 1 && self->kinds[i].received > 0 && strcmp(self->kinds[i].name, kind) != 0)
        i++;
    if (self->kinds[i].received == 0)
        snprintf(self->kinds[i].name, sizeof self->kinds[i].name, "%s", i < COUNTERS_KINDS_MAX - 1 ? kind : "other");
    self->kinds[i].received++;
    self->kinds[i].events += n_events;
    self->changed = true;
}

void counters_add_reason(struct counters *self, const char *why)
{
    size_t i = 0;
    while (i < COUNTERS_REASONS_MAX - 1 && self->reasons[i].name && strcmp(self->reasons[i].name, why) != 0)
        i++;
    if (!self->reasons[i].name)
        self->reasons[i].name = i < COUNTERS_REASONS_MAX - 1 ? why : "other";
    self->reasons[i].count++;
    self->changed = true;
}

void counters_add_unkept(struct counters *self, const struct carehub_message *message, const char *why, int64_t now_ms)
{
    size_t i = self->n_unkept++ % COUNTERS_UNKEPT_MAX;
    self->unkept[i].at_ms = now_ms;
    snprintf(self->unkept[i].sender, sizeof self->unkept[i].sender, "%s", message->sender);
    shown_id(message->native_id, self->unkept[i].native_id);
    snprintf(self->unkept[i].kind, sizeof self->unkept[i].kind, "%s", message->kind);
    snprintf(self->unkept[i].why, sizeof self->unkept[i].why, "%s", why);
    self->changed = true;
}

void counters_print_kinds(const struct counters *self, FILE *out)
{
    for (size_t i = 0; i < COUNTERS_REASONS_MAX && self->reasons[i].name; i++)
        fprintf(out, "no event: %-14s %10llu\n", self->reasons[i].name, (unsigned long long)self->reasons[i].count);
    for (size_t i = 0; i < COUNTERS_KINDS_MAX && self->kinds[i].received > 0; i++)
        fprintf(out, "%-24s %10llu received, %llu events\n", self->kinds[i].name[0] ? self->kinds[i].name : "(unknown)",
                (unsigned long long)self->kinds[i].received, (unsigned long long)self->kinds[i].events);
    fflush(out);
}

void counters_print(const struct counters *self, FILE *out)
{
    for (size_t i = 0; i < COUNTERS; i++)
        fprintf(out, "%-24s %10llu\n", names[i], (unsigned long long)self->values[i]);
    counters_print_kinds(self, out);
}

/* ---- The status file -------------------------------------------------------------------------------------------- */

static void put_number(struct json_object *object, const char *name, uint64_t value)
{
    json_object_object_add(object, name, json_object_new_int64((int64_t)value));
}

static struct json_object *unkept_json(const struct counters *self)
{
    struct json_object *list = json_object_new_array();
    uint64_t first = self->n_unkept > COUNTERS_UNKEPT_MAX ? self->n_unkept - COUNTERS_UNKEPT_MAX : 0;
    for (uint64_t n = first; n < self->n_unkept; n++) {
        size_t i = n % COUNTERS_UNKEPT_MAX;
        struct json_object *one = json_object_new_object();
        put_number(one, "atMs", (uint64_t)self->unkept[i].at_ms);
        json_object_object_add(one, "sender", json_object_new_string(self->unkept[i].sender));
        json_object_object_add(one, "id", json_object_new_string(self->unkept[i].native_id));
        json_object_object_add(one, "kind", json_object_new_string(self->unkept[i].kind));
        json_object_object_add(one, "why", json_object_new_string(self->unkept[i].why));
        json_object_array_add(list, one);
    }
    return list;
}

static struct json_object *status_json(const struct counters *self, int64_t now_ms, int64_t held, bool connected)
{
    struct json_object *root = json_object_new_object(), *counts = json_object_new_object(),
                       *reasons = json_object_new_object(), *kinds = json_object_new_object();
    put_number(root, "atMs", (uint64_t)now_ms);
    put_number(root, "startedMs", (uint64_t)self->started_ms);
    json_object_object_add(root, "hubConnected", json_object_new_boolean(connected));
    put_number(root, "heldNow", (uint64_t)held);
    for (size_t i = 0; i < COUNTERS; i++)
        put_number(counts, names[i], self->values[i]);
    for (size_t i = 0; i < COUNTERS_REASONS_MAX && self->reasons[i].name; i++)
        put_number(reasons, self->reasons[i].name, self->reasons[i].count);
    for (size_t i = 0; i < COUNTERS_KINDS_MAX && self->kinds[i].received > 0; i++) {
        struct json_object *kind = json_object_new_object();
        put_number(kind, "received", self->kinds[i].received);
        put_number(kind, "events", self->kinds[i].events);
        json_object_object_add(kinds, self->kinds[i].name, kind);
    }
    json_object_object_add(root, "counters", counts);
    json_object_object_add(root, "noEvent", reasons);
    json_object_object_add(root, "kinds", kinds);
    json_object_object_add(root, "notKept", unkept_json(self));
    return root;
}

static void add_all(struct json_object *root, struct json_object *more)
{
    struct json_object_iterator at, end;
    if (!more)
        return;
    at = json_object_iter_begin(more);
    end = json_object_iter_end(more);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at))
        json_object_object_add(root, json_object_iter_peek_name(&at),
                               json_object_get(json_object_iter_peek_value(&at)));
    json_object_put(more);
}

bool counters_save(struct counters *self, const char *path, int64_t now_ms, int64_t held, bool connected,
                   struct json_object *more)
{
    char temporary[PATH_MAX];
    bool fits = (size_t)snprintf(temporary, sizeof temporary, "%s.new", path) < sizeof temporary;
    int fd = fits ? open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600) : -1;
    if (fd < 0) {
        json_object_put(more);
        errno = fits ? errno : ENAMETOOLONG;
        return false;
    }
    struct json_object *root = status_json(self, now_ms, held, connected);
    add_all(root, more);
    bool ok =
        dprintf(fd, "%s\n",
                json_object_to_json_string_ext(root, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE)) > 0;
    json_object_put(root);
    ok = close(fd) == 0 && ok && rename(temporary, path) == 0;
    self->changed = self->changed && !ok;
    return ok;
}
