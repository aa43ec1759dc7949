/* carehub status: how the hub is doing. */
#include <unistd.h>

#include "nouns.h"
#include "session.h"
#include "wait.h"

enum { WATCH_EVERY_MS = 2000, COSIGNED_AGO_MAX_MS = 24 * 60 * 60 * 1000 };

static int ask_status(struct session *session, Carehub__V1__Answer **answer)
{
    Carehub__V1__StatusQuery status = CAREHUB__V1__STATUS_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
    query.status = &status;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_STATUS, answer);
}

struct figure {
    uint64_t count;
    const char *of;
};

/* Up to three figures in a row, in columns. */
static void row(const char *name, struct figure a, struct figure b, struct figure c)
{
    const struct figure figures[] = {a, b, c};
    char text[COUNT_CHARS];
    printf("  %-12s", name);
    for (size_t i = 0; i < 3 && figures[i].of; i++)
        printf("%12s %-*s", count_text(figures[i].count, text), i < 2 && figures[i + 1].of ? 14 : 0, figures[i].of);
    putchar('\n');
}

/* There is more to cosign than was, and has been for long. */
static bool cosignatures_stopped(const Carehub__V1__StatusAnswer *s)
{
    int64_t since_ms = s->witnessed_ms ? s->witnessed_ms : s->started_ms;
    return s->witnesses && s->checkpoint_size > s->witnessed_size && s->now_ms - since_ms > COSIGNED_AGO_MAX_MS;
}

static bool is_well(const Carehub__V1__StatusAnswer *s)
{
    return !s->damaged && !s->dead && !s->held && !s->unread && !s->clock_suspect && !s->not_signing[0] &&
           !s->witness_refuses[0] && !cosignatures_stopped(s);
}

/* What needs a human, first. */
static void needs(const Carehub__V1__StatusAnswer *s, struct style style)
{
    char text[COUNT_CHARS];
    const char *on = tone_on(style, TONE_BAD), *off = tone_off(style, TONE_BAD);
    if (s->clock_suspect)
        printf("%sThe clock jumped%s: deliveries that depend on dates wait. Check the time, then restart the "
               "hub.\n",
               on, off);
    if (s->damaged)
        printf(
            "%s%s damaged%s: rows of the database that do not open any more. The hub's own log says which; restore it "
            "from a backup.\n",
            on, count_text(s->damaged, text), off);
    if (s->not_signing[0])
        printf("%sNo checkpoint of the audit log is signed%s: %s.\n", on, off, s->not_signing);
    if (s->witness_refuses[0])
        printf("%sA witness refuses the audit log%s: %s.\n", on, off, s->witness_refuses);
    if (cosignatures_stopped(s))
        printf("%sNo witness has cosigned the audit log%s for a day: does `carehub audit witness` run, from a timer?\n",
               on, off);
    if (s->erasures_asked)
        printf("%s%s%s to be confirmed%s by an auditor: see `carehub erase --list`.\n", on,
               count_text(s->erasures_asked, text), s->erasures_asked == 1 ? " erasure" : " erasures", off);
    if (s->dead)
        printf("%s%s dead%s: see `carehub inbox dead`.\n", on, count_text(s->dead, text), off);
    if (s->unread)
        printf("%s%s not read in time%s, with nobody left in line to be told instead.\n", on,
               count_text(s->unread, text), off);
    if (s->held)
        printf("%s%s held%s: see `carehub inbox held`.\n", on, count_text(s->held, text), off);
}

/* Is all that is stored sound, and could it be put back? */
static void show_safety(const Carehub__V1__StatusAnswer *s)
{
    char text[LASTED_CHARS];
    uint64_t done = s->last_place ? 100 * s->checked_place / s->last_place : 100;
    printf("  %-12s", "checked");
    if (s->checking)
        printf("%11llu%% of what is stored, in the pass under way\n", (unsigned long long)(done < 100 ? done : 99));
    else
        printf("%12s ago, all that is stored\n", lasted_text(s->now_ms - s->checked_ms, text));
    if (s->backed_up_ms)
        printf("  %-12s%12s old\n", "last backup", lasted_text(s->now_ms - s->backed_up_ms, text));
    else
        printf("  %-12s%12s: see `carehub backup`\n", "last backup", "none");
    snprintf(text, sizeof text, "epoch %u", s->epoch);
    printf("  %-12s%12s%s\n", "keys", text, s->rewrapping ? ", wrapping persons' keys anew" : "");
    if (s->erasures)
        printf("  %-12s%12s under way\n", "erasures", count_text(s->erasures, text));
}

static void show_log(const Carehub__V1__StatusAnswer *s)
{
    char size[COUNT_CHARS], witnessed[COUNT_CHARS], ago[LASTED_CHARS];
    if (!s->checkpoint_size)
        return;
    printf("  %-12s%12s entries under a signed checkpoint", "audit log", count_text(s->checkpoint_size, size));
    if (s->witnessed_size)
        printf(", %s under a witnessed one", count_text(s->witnessed_size, witnessed));
    if (s->witnessed_size && s->witnessed_ms)
        printf(", cosigned %s ago", lasted_text(s->now_ms - s->witnessed_ms, ago));
    putchar('\n');
    if (s->mended_files)
        printf("  %-12s%12s damaged files written anew from the database: is the disk sound?\n", "",
               count_text(s->mended_files, size));
}

static void show(const Carehub__V1__StatusAnswer *s, struct style style)
{
    char up[LASTED_CHARS], now[WHEN_CHARS], size[SIZE_CHARS], wal[SIZE_CHARS], place[COUNT_CHARS];
    bool well = is_well(s);
    printf("%s%s%s %s, up %s, at #%s (%.19s)\n", tone_on(style, well ? TONE_GOOD : TONE_WAIT), s->hub,
           tone_off(style, TONE_GOOD), well ? "is well" : "needs attention", lasted_text(s->now_ms - s->started_ms, up),
           count_text(s->last_place, place), when_text(s->now_ms, now));
    needs(s, style);
    putchar('\n');
    const struct figure none = {0, NULL};
    row("events", (struct figure){s->events, "taken"}, (struct figure){s->repeats, "repeated"},
        (struct figure){s->not_kept, "not kept"});
    row("", (struct figure){s->rejects, "rejected"}, (struct figure){s->facts, "facts"},
        (struct figure){s->commits, "commits"});
    row("deliveries", (struct figure){s->deliveries, "sent"}, (struct figure){s->acks, "acknowledged"},
        (struct figure){s->undelivered, "waiting"});
    row("", (struct figure){s->held, "held"}, (struct figure){s->dead, "dead"},
        (struct figure){s->replays, "replays going on"});
    row("connected", (struct figure){s->sessions, "clients"}, (struct figure){s->attachments, "inboxes"}, none);
    row("registered", (struct figure){s->actors, "actors"}, (struct figure){s->clients, "clients"},
        (struct figure){s->inboxes, "inboxes"});
    row("", (struct figure){s->patients, "patients"}, none, none);
    printf("  %-12s%12s '%s' since #%llu\n", "rules", "policy", s->policy_name, (unsigned long long)s->policy_place);
    printf("  %-12s%12s database, %s write-ahead log\n", "disk", size_text(s->database_bytes, size),
           size_text(s->wal_bytes, wal));
    show_safety(s);
    show_log(s);
    printf("  %-12s%12s\n", "version", s->version);
}

static int once(struct session *session, bool clear, bool check)
{
    Carehub__V1__Answer *answer;
    int code = ask_status(session, &answer);
    if (code)
        return code;
    if (clear && !session->json && isatty(STDOUT_FILENO))
        fputs("\033[H\033[J", stdout);
    if (session->json && clear)
        print_json_line(&answer->status->base);
    else if (session->json)
        print_json(&answer->status->base);
    else
        show(answer->status, session->style);
    bool well = !check || is_well(answer->status);
    answer_free(&answer);
    return fflush(stdout) == 0 && well ? EXIT_OK : EXIT_NO;
}

static int run_status(const struct args *args)
{
    struct session session = {0};
    struct wait wait;
    bool watch = args_flag(args, "watch");
    int code = session_open(&session, args);
    wait_start(&wait);
    do
        code = code ? code : once(&session, watch, args_flag(args, "check"));
    while (code == EXIT_OK && watch && wait_for(&wait, monotonic_ms() + WATCH_EVERY_MS) == WAIT_TIMED_OUT);
    session_close(&session);
    wait_end(&wait);
    return code;
}

const struct command status_commands[] = {
    {
        .summary = "show how the hub is doing",
        .options = {{"watch", NULL, "show it again every two seconds, until Ctrl-C"},
                    {"check", NULL, "end with exit status 1 if anything needs attention: for a monitor"}},
        .detail = "Counters of events, deliveries and commits are since the hub's start.",
        .example = "carehub status --watch",
        .run = run_status,
    },
    {0},
};
