#include "policy_diff.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "input.h"
#include "policy_file.h"
#include "session.h"
#include "texts.h"
#include "wait.h"

/* ---- For people ------------------------------------------------------------------------------------------------- */

static const char *gets_text(Carehub__V1__Gets gets, struct style style)
{
    return text_enum(style, "gets", &carehub__v1__gets__descriptor, (int)gets);
}

static const char *patients_text(const Carehub__V1__PatientRange *patients, struct style style, char text[TEXT_BYTES])
{
    char least[COUNT_CHARS], most[COUNT_CHARS];
    if (!patients || patients->at_least < 5)
        return text_find(style, patients ? "diff.few" : "diff.none");
    return text_fill(style, text, "diff.range", "least", count_text(patients->at_least, least), "most",
                     count_text(patients->at_most, most), NULL);
}

static const char *who(const Carehub__V1__PolicyChange *change, struct style style)
{
    if (*change->actor)
        return change->actor;
    return text_find(style,
                     change->kind == CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER ? "diff.informal-carers" : "diff.persons");
}

static struct table *table_of_changes(const Carehub__V1__PolicyDiffAnswer *diff, bool gains, struct style style,
                                      const char *headings[7])
{
    static const char *const codes[] = {"who", "type", "now", "new", "patients"};
    headings[0] = "";
    headings[6] = NULL;
    for (size_t i = 0; i < 5; i++)
        headings[i + 1] = text_named(style, "diff.column", codes[i]);
    struct table *table = table_new(headings);
    for (size_t i = 0; i < diff->n_changes; i++) {
        const Carehub__V1__PolicyChange *c = diff->changes[i];
        char patients[TEXT_BYTES];
        if ((c->after > c->before) != gains)
            continue;
        table_cell(table, gains ? TONE_GOOD : TONE_BAD, "  %s", gains ? "+" : "-");
        table_cell(table, TONE_STRONG, "%s", who(c, style));
        table_cell(table, TONE_PLAIN, "%s", type_text(c->type));
        table_cell(table, TONE_PLAIN, "%s", gets_text(c->before, style));
        table_cell(table, TONE_PLAIN, "%s", gets_text(c->after, style));
        table_cell(table, TONE_PLAIN, "%s", patients_text(c->patients, style, patients));
    }
    return table;
}

static void print_changes(const Carehub__V1__PolicyDiffAnswer *diff, bool gains, FILE *out, struct style style)
{
    const char *headings[7];
    char patients[TEXT_BYTES], text[TEXT_BYTES];
    struct table *table = table_of_changes(diff, gains, style, headings);
    const Carehub__V1__PatientRange *all = gains ? diff->gaining : diff->losing;
    if (table_rows(table)) {
        fprintf(out, "\n%s\n", text_find(style, gains ? "diff.more" : "diff.less"));
        table_print(table, out, style);
        if (all)
            fprintf(out, "  %s\n",
                    text_fill(style, text, "diff.total", "patients", patients_text(all, style, patients), NULL));
    }
    table_destroy(&table);
}

bool policy_diff_differs(const Carehub__V1__PolicyDiffAnswer *diff)
{
    return diff->n_changes > 0 || diff->n_sections > 0;
}

static void print_conclusion(const Carehub__V1__PolicyDiffAnswer *diff, FILE *out, struct style style)
{
    char text[TEXT_BYTES], n[COUNT_CHARS], when[WHEN_CHARS], from[24], to[24];
    fprintf(out, "%s%s%s: ", tone_on(style, TONE_STRONG),
            text_find(style, diff->n_changes ? "diff.changes" : "diff.no-change"), tone_off(style, TONE_STRONG));
    put_safe(out, text_fill(style, text, "diff.instead", "new", diff->other_policy, "old", diff->policy, NULL));
    when_text(diff->since_ms, when);
    when[strlen("2026-03-01")] = '\0';
    snprintf(from, sizeof from, "%llu", (unsigned long long)diff->from_place);
    snprintf(to, sizeof to, "%llu", (unsigned long long)diff->to_place);
    fprintf(out, "\n  %s\n",
            text_fill(style, text, "diff.events", "n", count_text(diff->events, n), "date", when, "from", from, "to",
                      to, NULL));
    if (diff->not_kept)
        fprintf(out, "  %s\n", text_fill(style, text, "diff.not-kept", "n", count_text(diff->not_kept, n), NULL));
}

void policy_diff_print(const Carehub__V1__PolicyDiffAnswer *diff, FILE *out, struct style style)
{
    print_conclusion(diff, out, style);
    print_changes(diff, true, out, style);
    print_changes(diff, false, out, style);
    for (size_t i = 0; i < diff->n_sections; i++) {
        if (i == 0)
            fprintf(out, "\n%s ", text_find(style, "diff.sections"));
        fputs(i ? ", " : "", out);
        put_safe(out, diff->sections[i]);
    }
    if (diff->n_sections)
        fputc('\n', out);
}

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

/* Answers come in the client library's thread; the main thread waits. */
struct comparison {
    struct session *session;
    struct wait wait;
    struct progress progress;
    Carehub__V1__PolicyDiffAnswer *whole; /* changes of all answers so far, the rest of the last */
    atomic_int code;                      /* -1 while it goes on */
    _Atomic int64_t heard_ms;
};

/* Adds the changes so far to those of the next answer, which takes their place. */
static void take(struct comparison *comparison, const Carehub__V1__PolicyDiffAnswer *answer)
{
    size_t size = carehub__v1__policy_diff_answer__get_packed_size(answer);
    uint8_t *packed = malloc(size + 1);
    if (!packed)
        abort();
    carehub__v1__policy_diff_answer__pack(answer, packed);
    Carehub__V1__PolicyDiffAnswer *next = carehub__v1__policy_diff_answer__unpack(NULL, size, packed);
    free(packed);
    Carehub__V1__PolicyDiffAnswer *before = comparison->whole;
    if (!next)
        abort();
    if (before && before->n_changes) {
        size_t n = before->n_changes + next->n_changes;
        Carehub__V1__PolicyChange **all = reallocarray(before->changes, n, sizeof(void *));
        if (!all)
            abort();
        if (next->n_changes)
            memcpy(all + before->n_changes, next->changes, next->n_changes * sizeof(void *));
        free(next->changes);
        next->changes = all;
        next->n_changes = n;
        before->changes = NULL;
        before->n_changes = 0;
    }
    if (before)
        carehub__v1__policy_diff_answer__free_unpacked(before, NULL);
    comparison->whole = next;
}

static bool done(struct comparison *comparison, int code)
{
    atomic_store(&comparison->code, code);
    wait_wake(&comparison->wait);
    return false;
}

static bool on_answer(void *arg, int status, const Carehub__V1__Answer *answer)
{
    struct comparison *comparison = arg;
    if (atomic_load(&comparison->code) >= 0)
        return false;
    if (answer && answer->error)
        return done(comparison, session_refused(comparison->session, answer->error));
    if (status != CAREHUB_OK || !answer || answer->answer_case != CAREHUB__V1__ANSWER__ANSWER_POLICY_DIFF)
        return done(comparison, session_failed(comparison->session, status, "comparing policies"));
    atomic_store(&comparison->heard_ms, monotonic_ms());
    take(comparison, answer->policy_diff);
    comparison->progress.total = answer->policy_diff->total;
    progress_step(&comparison->progress, answer->policy_diff->done);
    return answer->more || done(comparison, EXIT_OK);
}

static int ask(struct comparison *comparison, Carehub__V1__PolicyDiffQuery *asked)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_POLICY_DIFF;
    query.policy_diff = asked;
    progress_start(&comparison->progress, "deciding again", 0);
    atomic_store(&comparison->heard_ms, monotonic_ms());
    int result = carehub_query(comparison->session->client, &query, on_answer, comparison);
    if (result != CAREHUB_OK)
        return session_failed(comparison->session, result, "comparing policies");
    while (atomic_load(&comparison->code) < 0) {
        int64_t until_ms = atomic_load(&comparison->heard_ms) + comparison->session->timeout_ms;
        enum wait_result why = wait_for(&comparison->wait, until_ms);
        if (why == WAIT_INTERRUPTED)
            return fail(EXIT_NO, "Nothing was changed.", "interrupted");
        if (why == WAIT_TIMED_OUT && atomic_load(&comparison->heard_ms) + comparison->session->timeout_ms == until_ms)
            return session_failed(comparison->session, CAREHUB_TIMEOUT, "comparing policies");
    }
    return atomic_load(&comparison->code);
}

static int compare(const struct args *args, char *text, int64_t age_ms)
{
    struct session session = {0};
    struct comparison comparison = {.session = &session, .code = -1};
    Carehub__V1__PolicyDiffQuery asked = CAREHUB__V1__POLICY_DIFF_QUERY__INIT;
    asked.text = text;
    asked.since_ms = (int64_t)time(NULL) * 1000 - age_ms;
    int code = session_open(&session, args);
    wait_start(&comparison.wait);
    if (code == EXIT_OK)
        code = ask(&comparison, &asked);
    progress_end(&comparison.progress);
    struct style style = session.style;
    bool json = session.json;
    session_close(&session); /* from here on nothing is added */
    wait_end(&comparison.wait);
    if (code == EXIT_OK && json)
        print_json(&comparison.whole->base);
    else if (code == EXIT_OK)
        policy_diff_print(comparison.whole, stdout, style);
    if (code == EXIT_OK && policy_diff_differs(comparison.whole))
        code = EXIT_DIFFERS;
    if (comparison.whole)
        carehub__v1__policy_diff_answer__free_unpacked(comparison.whole, NULL);
    return code;
}

int run_policy_diff(const struct args *args)
{
    char *text;
    int64_t age_ms;
    int code = input_duration(args_option(args, "since") ? args_option(args, "since") : "7d", &age_ms);
    if (code == EXIT_OK)
        code = policy_file_read(args_value(args, 0), &text, NULL);
    if (code)
        return code;
    code = compare(args, text, age_ms);
    free(text);
    return code;
}
