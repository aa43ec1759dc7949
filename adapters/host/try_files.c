#include "try_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "catalogue.h"
#include "counters.h"
#include "journal.h"
#include "pbjson.h"

enum { FILE_MAX_BYTES = 256 << 20 };

struct trial {
    const struct format *format;
    const void *settings;
    struct journal *journal; /* in memory: corrections find their originals among the files */
    struct counters counters;
    uint64_t types[EVENT_TYPE_MAX + 1], amendments, retractions;
    uint64_t files, empty_files;
};

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    uint8_t *bytes = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0 && size <= FILE_MAX_BYTES) {
        rewind(file);
        bytes = malloc((size_t)size + 1);
        *len = bytes ? fread(bytes, 1, (size_t)size, file) : 0;
    }
    if (!bytes)
        fprintf(stderr, "%s: cannot be read: %s\n", path, size > FILE_MAX_BYTES ? "too large" : strerror(errno));
    if (file)
        fclose(file);
    return bytes;
}

static void print_events(struct trial *trial, const struct format_message *m)
{
    for (size_t i = 0; i < m->n_events; i++) {
        const Carehub__V1__Event *event = m->events[i];
        char *json = pbjson_from(&event->base, PBJSON_UUID);
        puts(json ? json : "{}");
        free(json);
        trial->types[(int)event->type <= EVENT_TYPE_MAX ? (int)event->type : 0]++;
        trial->amendments += event->amends.len > 0;
        trial->retractions += event->retracts.len > 0;
        counters_add(&trial->counters, COUNT_EVENTS, 1);
    }
}

static void say(const char *path, const struct format_message *m, const char *what, const char *detail)
{
    fprintf(stderr, "%s: message %s (%s): %s%s%s\n", path, m->native_id[0] ? m->native_id : "without id",
            m->kind[0] ? m->kind : "unknown", what, detail[0] ? ": " : "", detail);
}

static void conclude(struct trial *trial, const char *path, const struct format_message *m)
{
    counters_add(&trial->counters, COUNT_RECEIVED, 1);
    counters_add_kind(&trial->counters, m->kind, m->n_events);
    if (m->verdict == FORMAT_EVENTS) {
        print_events(trial, m);
    } else if (m->verdict == FORMAT_ERROR || m->verdict == FORMAT_REJECTED) {
        say(path, m, m->verdict == FORMAT_ERROR ? "refused" : "rejected", m->problem);
        counters_add(&trial->counters, COUNT_REFUSED, 1);
    } else {
        say(path, m, m->verdict == FORMAT_HOLD ? "held" : "no event", m->why);
        counters_add(&trial->counters, COUNT_HELD, m->verdict == FORMAT_HOLD);
        counters_add_reason(&trial->counters, m->why);
    }
}

static bool try_message(struct trial *trial, const char *path, const void *bytes, size_t len)
{
    struct timespec now;
    struct format_past past = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000;
    struct format_message *m = trial->format->open(trial->settings, bytes, len, now_ms);
    if (!m)
        return false;
    enum journal_found found = m->verdict == FORMAT_OPENED ? journal_recall(trial->journal, m) : JOURNAL_NEW;
    if (found == JOURNAL_REPEAT) {
        counters_add(&trial->counters, COUNT_REPEATS, 1);
        m->verdict = FORMAT_EVENTS;
    } else if (m->verdict == FORMAT_OPENED) {
        m->key_reused = found == JOURNAL_REUSED;
        journal_past(trial->journal, m->episode, &past);
        trial->format->translate(m, &past);
        journal_past_clear(&past);
        journal_add(trial->journal, m, now_ms);
    }
    conclude(trial, path, m);
    trial->format->close(&m);
    return true;
}

static bool try_file(struct trial *trial, const char *path)
{
    const void *message;
    size_t len = 0, message_len, position = 0, count = 0;
    uint8_t *bytes = read_file(path, &len);
    bool ok = bytes != NULL;
    while (ok && trial->format->next(bytes, len, &position, &message, &message_len)) {
        ok = try_message(trial, path, message, message_len);
        count++;
    }
    trial->files++;
    trial->empty_files += count == 0;
    free(bytes);
    return ok;
}

static void print_table(const struct trial *trial)
{
    fprintf(stderr, "\n%-24s %10llu (%llu without a message)\n", "files", (unsigned long long)trial->files,
            (unsigned long long)trial->empty_files);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        if (trial->types[type] > 0)
            fprintf(stderr, "%-24s %10llu\n", event_type_name((Carehub__V1__EventType)type),
                    (unsigned long long)trial->types[type]);
    fprintf(stderr, "%-24s %10llu\n%-24s %10llu\n", "of these amendments", (unsigned long long)trial->amendments,
            "and retractions", (unsigned long long)trial->retractions);
    counters_print(&trial->counters, stderr);
}

bool try_files(const struct format *format, const void *settings, char *const *paths, int n)
{
    char error[JOURNAL_ERROR_BYTES];
    struct trial *trial = calloc(1, sizeof *trial);
    bool ok = true;
    if (!trial || !(trial->journal = journal_open(NULL, false, error))) {
        fprintf(stderr, "carehub-adapter: %s\n", trial ? error : "out of memory");
        free(trial);
        return false;
    }
    trial->format = format;
    trial->settings = settings;
    for (int i = 0; i < n; i++)
        ok = try_file(trial, paths[i]) && ok;
    print_table(trial);
    journal_close(&trial->journal);
    free(trial);
    return ok;
}
