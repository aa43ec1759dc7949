/* carehub replay: events that are in the log, delivered once more. */
#include <string.h>
#include <time.h>

#include "facts.h"
#include "nouns.h"
#include "story.h"
#include "wait.h"

enum { TYPES_MAX = 32, LOOK_EVERY_MS = 100 };

static void print_counts(const Carehub__V1__ReplayCount *count, const char *how)
{
    char events[COUNT_CHARS], delivered[COUNT_CHARS], withheld[COUNT_CHARS], held[COUNT_CHARS];
    printf("%s events: %s %s, %s not told, %s held\n", count_text(count ? count->events : 0, events),
           count_text(count ? count->delivered : 0, delivered), how, count_text(count ? count->withheld : 0, withheld),
           count_text(count ? count->held : 0, held));
}

static int ask(struct session *session, Carehub__V1__ReplayQuery *asked, Carehub__V1__Answer **answer)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_REPLAY;
    query.replay = asked;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_REPLAY, answer);
}

/* Page by page, so that the hub is never long about it. */
static int dry_run(struct session *session, Carehub__V1__Replayed *replay, bool as_then)
{
    Carehub__V1__ReplayQuery asked = CAREHUB__V1__REPLAY_QUERY__INIT;
    Carehub__V1__ReplayCount all = CAREHUB__V1__REPLAY_COUNT__INIT;
    asked.replay = replay;
    asked.as_then = as_then;
    do {
        Carehub__V1__Answer *answer = NULL;
        int code = ask(session, &asked, &answer);
        if (code)
            return code;
        const Carehub__V1__ReplayAnswer *page = answer->replay;
        for (size_t i = 0; i < page->n_lines; i++) {
            if (session->json)
                print_json_line(&page->lines[i]->base);
            else
                story_line(page->lines[i], stdout, session->style);
        }
        all.events += page->count->events;
        all.delivered += page->count->delivered;
        all.withheld += page->count->withheld;
        all.held += page->count->held;
        asked.from_place = page->next_place;
        answer_free(&answer);
    } while (asked.from_place);
    if (session->json)
        print_json_line(&all.base);
    else
        print_counts(&all, as_then ? "were told then" : "would be told");
    return EXIT_OK;
}

/* Waits for its end as long as it gets on; it goes on in the hub without us. */
static int wait_for_end(struct session *session, uint64_t place)
{
    struct wait wait;
    enum wait_result woken = WAIT_TIMED_OUT;
    uint64_t looked_at = 0;
    int64_t heard_ms = monotonic_ms();
    int code = EXIT_OK;
    bool done = false;
    wait_start(&wait);
    while (code == EXIT_OK && !done && woken == WAIT_TIMED_OUT && monotonic_ms() < heard_ms + session->timeout_ms) {
        Carehub__V1__ReplayQuery asked = CAREHUB__V1__REPLAY_QUERY__INIT;
        Carehub__V1__Answer *answer = NULL;
        asked.place = place;
        code = ask(session, &asked, &answer);
        if (code)
            break;
        done = answer->replay->done;
        uint64_t events = answer->replay->count ? answer->replay->count->events : 0;
        heard_ms = events > looked_at ? monotonic_ms() : heard_ms;
        looked_at = events;
        if (done && session->json)
            print_json(&answer->replay->base);
        else if (done)
            print_counts(answer->replay->count, "put into inboxes");
        answer_free(&answer);
        woken = done ? woken : wait_for(&wait, monotonic_ms() + LOOK_EVERY_MS);
    }
    wait_end(&wait);
    if (code == EXIT_OK && !done)
        fprintf(stderr, "The replay at #%llu goes on in the hub; `carehub status` says how many are not done.\n",
                (unsigned long long)place);
    return code;
}

static int replay(struct session *session, Carehub__V1__Replayed *replayed)
{
    Carehub__V1__Fact fact = FACT(REPLAYED, replayed, replayed);
    Carehub__V1__Confirmation *confirmation = NULL;
    int code = session_submit(session, &fact, &confirmation);
    uint64_t place = code == EXIT_OK ? confirmation->place : 0;
    confirmation_free(&confirmation);
    return code == EXIT_OK ? wait_for_end(session, place) : code;
}

static int run_replay(const struct args *args)
{
    struct patient_input who;
    const char *types[TYPES_MAX], *patient = args_option(args, "patient");
    Carehub__V1__Replayed replayed = CAREHUB__V1__REPLAYED__INIT;
    bool as_then = args_flag(args, "as-then"), dry = as_then || args_flag(args, "dry-run");
    int code = patient ? input_patient(patient, &who) : EXIT_OK;
    if (code == EXIT_OK)
        code = input_moment(args_option(args, "since"), &replayed.since_ms);
    if (code == EXIT_OK)
        code = input_moment(args_option(args, "until"), &replayed.before_ms);
    if (code)
        return code;
    if (!patient && !args_option(args, "actor"))
        return fail(EXIT_USAGE, "Give --patient or --actor, or both.", "whose events, or to whom?");
    if (!dry && !args_option(args, "reason"))
        return fail(EXIT_USAGE, "Give --reason: it is kept in the log. Or try it first, with --dry-run.",
                    "a replay needs a reason");
    replayed.patient = patient ? &who.ref : NULL;
    replayed.actor_name = field(args_option(args, "actor"));
    replayed.types = (char **)types;
    replayed.n_types = args_all(args, "type", types, TYPES_MAX);
    replayed.reason = field(args_option(args, "reason"));
    struct session session = {0};
    code = session_open(&session, args);
    if (code == EXIT_OK)
        code = dry ? dry_run(&session, &replayed, as_then) : replay(&session, &replayed);
    session_close(&session);
    return code;
}

const struct command replay_commands[] = {
    {
        .summary = "deliver events that are in the log once more",
        .options = {{"patient", "PATIENT", "this person's: ssin:NUMBER, SYSTEM|VALUE, or the pseudonym P42"},
                    {"actor", "ACTOR", "to this actor; without it: to all of the person's team"},
                    {"type", "TYPE", "of this type: HospitalDischarge…; may be given several times", .repeats = true},
                    {"since", "TIME", "taken by the hub since then: 2026-12-31, 2026-12-31T18:00, or 7d ago"},
                    {"until", "TIME", "and before then"},
                    {"reason", "TEXT", "why; it is kept in the log (no names of patients)"},
                    {"dry-run", NULL, "only say what would be delivered"},
                    {"as-then", NULL, "only say what was decided at the time"}},
        .detail = "Whoever gets it must be entitled to it now; each delivery says that it is a replay. What was "
                  "corrected meanwhile is left out, what took its place goes.\nThe hub works on it beside its other "
                  "work, and goes on after a restart. Dry runs leave an entry in the log as well.",
        .example = "carehub replay --actor apotheek-peeters --since 7d --reason 'lost its database'",
        .run = run_replay,
    },
    {0},
};
