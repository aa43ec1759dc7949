#include "try_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "catalogue.h"
#include "counters.h"
#include "journal.h"
#include "pbjson.h"
#include "translation.h"

enum { FILE_MAX_BYTES = 256 << 20, REFUSALS_MAX = 64, REFUSAL_BYTES = 80, PROGRESS_AFTER_S = 2 };

struct trial {
    const struct plugin *plugin;
    struct journal *journal; /* in memory: corrections find their originals among the files */
    struct counters counters;
    uint64_t types[EVENT_TYPE_MAX + 1], amendments, retractions;
    uint64_t files, empty_files, accepted;
    time_t told;         /* how far it is: last told then */
    bool is_told;        /* and the line is still there */
    bool shows_progress; /* somebody looks, and does not see the events */
    struct {
        char text[REFUSAL_BYTES];
        uint64_t count;
    } refusals[REFUSALS_MAX]; /* by the rule that was broken; the last takes all that have no room */
};

static uint8_t *read_file(const char *path, size_t *len)
{
    FILE *file = fopen(path, "re");
    uint8_t *bytes = NULL;
    struct stat status;
    const char *why = file && fstat(fileno(file), &status) == 0 ? NULL : strerror(errno);
    if (!why && !S_ISREG(status.st_mode))
        why = "it is not a file; name the files in it";
    else if (!why && status.st_size > FILE_MAX_BYTES)
        why = "it is larger than 256 MB";
    else if (!why && !(bytes = malloc((size_t)status.st_size + 1)))
        why = "out of memory";
    if (bytes)
        *len = fread(bytes, 1, (size_t)status.st_size, file);
    else
        fprintf(stderr, "%s: cannot be read: %s\n", path, why);
    if (file)
        fclose(file);
    return bytes;
}

/* ---- How far it is ---------------------------------------------------------------------------------------------- */

static void wipe_progress(struct trial *trial)
{
    if (trial->is_told)
        fputs("\r\033[K", stderr);
    trial->is_told = false;
}

static void show_progress(struct trial *trial)
{
    time_t now = time(NULL);
    if (!trial->shows_progress || now < trial->told)
        return;
    fprintf(stderr, "\r\033[K%llu messages…", (unsigned long long)trial->counters.values[COUNT_RECEIVED]);
    trial->is_told = true;
    trial->told = now + 1;
}

/* ---- One message ------------------------------------------------------------------------------------------------ */

static void print_item(struct trial *trial, const struct item *item)
{
    ProtobufCMessage *message = protobuf_c_message_unpack(
        item->is_fact ? &carehub__v1__fact__descriptor : &carehub__v1__event__descriptor, NULL, item->len, item->bytes);
    char *json = message ? pbjson_from(message, PBJSON_UUID) : NULL;
    puts(json ? json : "{}");
    free(json);
    counters_add(&trial->counters, item->is_fact ? COUNT_FACTS : COUNT_EVENTS, 1);
    if (message && !item->is_fact) {
        const Carehub__V1__Event *event = (const Carehub__V1__Event *)message;
        trial->types[(int)event->type <= EVENT_TYPE_MAX ? (int)event->type : 0]++;
        trial->amendments += event->amends.len > 0;
        trial->retractions += event->retracts.len > 0;
    }
    if (message)
        protobuf_c_message_free_unpacked(message, NULL);
}

/* Which message: its file, and where there may be several, its number in there. */
struct place {
    const char *path;
    size_t number; /* from 1; 0: it is the whole file */
};

static void say(struct trial *trial, const struct place *at, const struct carehub_message *m, const char *what,
                const char *detail)
{
    char number[32] = "";
    wipe_progress(trial);
    if (at->number > 0)
        snprintf(number, sizeof number, "%zu: ", at->number);
    fprintf(stderr, "%s: message %s%s (%s): %s%s%s\n", at->path, number, m->native_id[0] ? m->native_id : "without id",
            m->kind[0] ? m->kind : "unknown", what, detail[0] ? ": " : "", detail);
}

static void count_refusal(struct trial *trial, const struct carehub_problem *problem)
{
    char text[REFUSAL_BYTES];
    size_t i = 0;
    snprintf(text, sizeof text, "%.*s", REFUSAL_BYTES - 1, problem->rule[0] != '\0' ? problem->rule : problem->what);
    while (i < REFUSALS_MAX - 1 && trial->refusals[i].count > 0 && strcmp(trial->refusals[i].text, text) != 0)
        i++;
    if (trial->refusals[i].count++ == 0)
        memcpy(trial->refusals[i].text, i < REFUSALS_MAX - 1 ? text : "other", i < REFUSALS_MAX - 1 ? sizeof text : 6);
}

static void refuse(struct trial *trial, const struct place *at, const struct carehub_message *m)
{
    char problem[CAREHUB_WHERE_BYTES + CAREHUB_WHAT_BYTES + CAREHUB_RULE_BYTES + 8];
    problem_text(&m->problem, problem, sizeof problem);
    say(trial, at, m, m->verdict == CAREHUB_MESSAGE_ERROR ? "refused" : "rejected", problem);
    count_refusal(trial, &m->problem);
    counters_add(&trial->counters, COUNT_REFUSED, 1);
}

static void conclude(struct trial *trial, const struct place *at, const struct translation *t)
{
    const struct carehub_message *m = &t->message;
    counters_add(&trial->counters, COUNT_RECEIVED, 1);
    counters_add(&trial->counters, COUNT_REPEATS, t->repeat);
    counters_add_kind(&trial->counters, m->kind, t->items.count - t->items.n_facts);
    show_progress(trial);
    if (t->failure[0] != '\0') {
        say(trial, at, m, "cannot be handled", t->failure);
    } else if (m->verdict == CAREHUB_MESSAGE_ERROR || m->verdict == CAREHUB_MESSAGE_REJECTED) {
        refuse(trial, at, m);
    } else {
        trial->accepted++;
        for (size_t i = 0; i < t->items.count; i++)
            print_item(trial, t->items.list[i]);
    }
    if (m->verdict == CAREHUB_MESSAGE_NOTHING || m->verdict == CAREHUB_MESSAGE_HOLD) {
        say(trial, at, m, m->verdict == CAREHUB_MESSAGE_HOLD ? "held" : "no event", m->why);
        counters_add(&trial->counters, COUNT_HELD, m->verdict == CAREHUB_MESSAGE_HOLD);
        counters_add_reason(&trial->counters, m->why);
    }
}

static bool try_message(struct trial *trial, const struct place *at, const struct carehub_native *native)
{
    struct translation *t = calloc(1, sizeof *t);
    if (!t)
        return false;
    translation_open(t, trial->plugin->format, trial->plugin->self, native);
    bool ok = journal_begin(trial->journal) && translation_run(t, trial->journal, false);
    ok = ok ? journal_commit(trial->journal) : (journal_rollback(trial->journal), false);
    if (!ok)
        fprintf(stderr, "carehub-adapter: %s\n", journal_error(trial->journal));
    conclude(trial, at, t);
    translation_close(t);
    free(t);
    return ok;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static struct carehub_native native_of(const char *path, const void *bytes, size_t len)
{
    const char *slash = strrchr(path, '/');
    return (struct carehub_native){
        .bytes = bytes,
        .len = len,
        .received_ms = (int64_t)time(NULL) * 1000,
        .transport = "folder",
        .peer = "",
        .name = slash ? slash + 1 : path,
        .method = "",
        .content_type = "",
        .idempotency_key = "",
    };
}

static bool try_file(struct trial *trial, const char *path)
{
    const struct carehub_format *format = trial->plugin->format;
    const void *message;
    size_t len = 0, message_len, position = 0, count = 0;
    uint8_t *bytes = read_file(path, &len);
    bool ok = bytes != NULL;
    trial->files++;
    while (ok && translation_split(format, trial->plugin->self, bytes, len, &position, &message, &message_len)) {
        const struct carehub_native native = native_of(path, message, message_len);
        ok = try_message(trial, &(struct place){path, ++count}, &native);
    }
    if (ok && count == 0) { /* whole, so that the format says what is wrong with it */
        const struct carehub_native native = native_of(path, bytes, len);
        ok = try_message(trial, &(struct place){path, 0}, &native);
        trial->empty_files += format->split != NULL;
    }
    free(bytes);
    return ok;
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static void print_row(const char *name, uint64_t count)
{
    fprintf(stderr, "%-24s %10llu\n", name, (unsigned long long)count);
}

static void print_if_any(const char *name, uint64_t count)
{
    if (count > 0)
        print_row(name, count);
}

static void print_table(const struct trial *trial)
{
    const uint64_t *values = trial->counters.values;
    fprintf(stderr, "\n%-24s %10llu", "files", (unsigned long long)trial->files);
    if (trial->empty_files > 0)
        fprintf(stderr, " (%llu without a message)", (unsigned long long)trial->empty_files);
    fputc('\n', stderr);
    print_row("received", values[COUNT_RECEIVED]);
    print_row("accepted", trial->accepted);
    for (int i = 0; i < REFUSALS_MAX && trial->refusals[i].count > 0; i++)
        fprintf(stderr, "%-24s %10llu  %s\n", "refused", (unsigned long long)trial->refusals[i].count,
                trial->refusals[i].text);
    print_if_any("repeats", values[COUNT_REPEATS]);
    print_if_any("held", values[COUNT_HELD]);
    print_row("events", values[COUNT_EVENTS]);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        print_if_any(event_type_name((Carehub__V1__EventType)type), trial->types[type]);
    print_if_any("of these amendments", trial->amendments);
    print_if_any("of these retractions", trial->retractions);
    print_if_any("facts", values[COUNT_FACTS]);
    counters_print_kinds(&trial->counters, stderr);
}

bool try_files(const struct plugin *plugin, char *const *paths, int n)
{
    char error[JOURNAL_ERROR_BYTES];
    struct trial *trial = calloc(1, sizeof *trial);
    bool ok = true;
    if (!trial || !(trial->journal = journal_open(NULL, false, error))) {
        fprintf(stderr, "carehub-adapter: %s\n", trial ? error : "out of memory");
        free(trial);
        return false;
    }
    trial->plugin = plugin;
    trial->told = time(NULL) + PROGRESS_AFTER_S;
    trial->shows_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    for (int i = 0; i < n; i++)
        ok = try_file(trial, paths[i]) && ok;
    wipe_progress(trial);
    print_table(trial);
    ok = ok && trial->counters.values[COUNT_REFUSED] == 0;
    journal_close(&trial->journal);
    free(trial);
    return ok;
}
