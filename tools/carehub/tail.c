/* carehub tail: decisions, live. */
#include <stdatomic.h>

#include "facts.h"
#include "nouns.h"
#include "session.h"
#include "story.h"
#include "texts.h"
#include "wait.h"

struct feed {
    struct session *session;
    struct wait wait;
    atomic_int code; /* -1 while it goes on */
};

static bool stop(struct feed *feed, int code)
{
    atomic_store(&feed->code, code);
    wait_wake(&feed->wait);
    return false;
}

static void say_missed(uint64_t lines, struct style style)
{
    char n[COUNT_CHARS], text[TEXT_BYTES];
    fprintf(stderr, "(%s)\n", text_fill(style, text, "tail.missed", "n", count_text(lines, n), NULL));
}

/* In the client library's thread. */
static bool on_answer(void *arg, int status, const Carehub__V1__Answer *answer)
{
    struct feed *feed = arg;
    const Carehub__V1__Error *error = answer ? answer->error : NULL;
    if (atomic_load(&feed->code) >= 0)
        return false; /* it was ended here */
    if (error)
        return stop(feed, session_refused(feed->session, error));
    if (status != CAREHUB_OK || !answer || answer->answer_case != CAREHUB__V1__ANSWER__ANSWER_TAIL)
        return stop(feed, session_failed(feed->session, status, "following"));
    for (size_t i = 0; i < answer->tail->n_lines; i++) {
        if (feed->session->json)
            print_json_line(&answer->tail->lines[i]->base);
        else
            story_line(answer->tail->lines[i], stdout, feed->session->style);
    }
    if (answer->tail->missed)
        say_missed(answer->tail->missed, feed->session->style);
    if (fflush(stdout) != 0)
        return stop(feed, EXIT_OK); /* whoever read it has gone */
    return true;
}

static int follow(struct feed *feed)
{
    Carehub__V1__TailQuery tail = CAREHUB__V1__TAIL_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_TAIL;
    query.tail = &tail;
    int result = carehub_query(feed->session->client, &query, on_answer, feed);
    if (result != CAREHUB_OK)
        return session_failed(feed->session, result, "following");
    enum wait_result why;
    do
        why = wait_for(&feed->wait, INT64_MAX);
    while (why == WAIT_WOKEN && atomic_load(&feed->code) < 0);
    if (why == WAIT_INTERRUPTED)
        atomic_store(&feed->code, EXIT_OK);
    return atomic_load(&feed->code);
}

static int run_tail(const struct args *args)
{
    struct session session = {0};
    struct feed feed = {.session = &session, .code = -1};
    int code = session_open(&session, args);
    wait_start(&feed.wait);
    if (code == EXIT_OK)
        code = follow(&feed);
    session_close(&session);
    wait_end(&feed.wait);
    return code;
}

const struct command tail_commands[] = {
    {
        .summary = "show decisions as they are taken, one a line, until Ctrl-C",
        .detail = "One line each: time, place in the log, type, person, what was decided or happened, for "
                  "whom, why.",
        .options = {LANG_OPTION},
        .example = "carehub tail",
        .run = run_tail,
    },
    {0},
};
