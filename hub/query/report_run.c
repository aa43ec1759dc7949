/* The pages of a report that are sent one after another, in answer to one question: a page after each commit, behind
 * everything else, as the comparison of policies. One at a time: who asks beside it goes on page by page.
 *
 * Each page is answered as if it had been asked for by itself, so that whoever may not ask any more gets no more. */
#include "query.h"

#include <stdlib.h>

typedef Carehub__V1__AccessReportQuery Asked;

struct report_run {
    session_id session;
    uint64_t ref;
    uint32_t pages; /* still to be sent, at most */
    Asked *asked;   /* the next page; owned */
};

void report_run_end(struct core *core)
{
    if (!core->report_run)
        return;
    carehub__v1__access_report_query__free_unpacked(core->report_run->asked, NULL);
    free(core->report_run);
    core->report_run = NULL;
}

static Asked *copy_of(const Asked *asked)
{
    size_t size = carehub__v1__access_report_query__get_packed_size(asked);
    uint8_t *packed = xcalloc(1, size);
    carehub__v1__access_report_query__pack(asked, packed);
    Asked *copy = carehub__v1__access_report_query__unpack(NULL, size, packed);
    free(packed);
    return copy;
}

/* Where the next page begins. */
static void go_on(struct report_run *run, const Carehub__V1__AccessReportAnswer *page)
{
    run->asked->reading = page->reading;
    run->asked->from_place = page->next_place;
    run->asked->from_access = page->next_access;
    run->pages--;
}

static bool has_more(const Carehub__V1__Answer *answer)
{
    return !answer->error && answer->access_report->next_place && !answer->access_report->waiting;
}

void report_run_begin(struct core *core, const struct session *session, const Carehub__V1__Query *query,
                      Carehub__V1__Answer *answer)
{
    uint32_t pages = query->access_report->pages;
    if (pages < 2 || core->report_run || !has_more(answer))
        return;
    struct report_run *run = xcalloc(1, sizeof *run);
    run->session = session->id;
    run->ref = query->ref;
    run->pages = pages < REPORT_PAGES_MAX ? pages : REPORT_PAGES_MAX;
    run->asked = copy_of(query->access_report);
    if (!run->asked) {
        free(run);
        return;
    }
    run->asked->pages = 0;
    go_on(run, answer->access_report);
    core->report_run = run;
    answer->more = true;
}

void report_run_step(struct core *core)
{
    struct report_run *run = core->report_run;
    if (!run)
        return;
    if (!session_may_ask(core, run->session, CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT)) {
        report_run_end(core);
        return;
    }
    if (core->output.room(core->output.ctx) <= DELIVER_FRAME_MAX_BYTES)
        return; /* it goes on when there is some */
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = run->asked;
    access_report_query(core, u64map_get(&core->sessions, run->session), &query, &answer);
    answer.ref = run->ref;
    answer.more = has_more(&answer) && run->pages > 1;
    answer_at_once(core, run->session, &answer);
    if (answer.more)
        go_on(run, answer.access_report);
    else
        report_run_end(core);
}
