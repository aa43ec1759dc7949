/* carehub audit report: asks for a person's access report page by page, and writes it down. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "facts.h"
#include "report.h"
#include "wait.h"

enum { TYPES_MAX = 32, PAGES = 32, FIRST_WAIT_MS = 20, LONGEST_WAIT_MS = 500 };

typedef Carehub__V1__AccessReportQuery Asked;

/* ---- Asking ------------------------------------------------------------------------------------------------------- */

/* Pages come in the client library's thread, several to a question; the main thread waits. */
struct asking {
    struct session *session;
    struct report *report;
    Asked *asked;
    struct wait wait;
    struct progress progress;
    bool waiting;    /* the last page was the last that there is yet */
    atomic_int code; /* -1 while pages come */
    _Atomic int64_t heard_ms;
};

static bool stop(struct asking *asking, int code)
{
    atomic_store(&asking->code, code);
    wait_wake(&asking->wait);
    return false;
}

static bool take(struct asking *asking, const Carehub__V1__Answer *answer)
{
    const Carehub__V1__AccessReportAnswer *page = answer->access_report;
    asking->asked->reading = page->reading;
    asking->asked->from_place = page->next_place;
    asking->asked->from_access = page->next_access;
    asking->waiting = page->waiting;
    asking->progress.total = page->reading;
    progress_step(&asking->progress, page->complete_place);
    return report_add(asking->report, answer);
}

static bool on_answer(void *arg, int status, const Carehub__V1__Answer *answer)
{
    struct asking *asking = arg;
    if (atomic_load(&asking->code) >= 0)
        return false; /* it was ended here */
    if (answer && answer->error)
        return stop(asking, session_refused(asking->session, answer->error));
    if (status != CAREHUB_OK || !answer || answer->answer_case != CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT)
        return stop(asking, session_failed(asking->session, status, "reading the report"));
    atomic_store(&asking->heard_ms, monotonic_ms());
    if (!take(asking, answer))
        return stop(asking, fail(EXIT_NO, "Ask for a shorter period, with --from and --to.",
                                 "the report has more than %d items", REPORT_ITEMS_MAX));
    return answer->more || stop(asking, EXIT_OK);
}

/* The next pages. */
static int ask_pages(struct asking *asking)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = asking->asked;
    atomic_store(&asking->code, -1);
    atomic_store(&asking->heard_ms, monotonic_ms());
    int result = carehub_query(asking->session->client, &query, on_answer, asking);
    if (result != CAREHUB_OK)
        return session_failed(asking->session, result, "reading the report");
    while (atomic_load(&asking->code) < 0) {
        int64_t until_ms = atomic_load(&asking->heard_ms) + asking->session->timeout_ms;
        enum wait_result why = wait_for(&asking->wait, until_ms);
        if (why == WAIT_INTERRUPTED)
            return fail(EXIT_NO, "Nothing was written.", "interrupted");
        if (why == WAIT_TIMED_OUT && atomic_load(&asking->heard_ms) + asking->session->timeout_ms == until_ms)
            return session_failed(asking->session, CAREHUB_TIMEOUT, "reading the report");
    }
    return atomic_load(&asking->code);
}

/* All pages. What cannot be found by the person yet is waited for until the deadline; then the report says how far it
 * goes. */
static int ask_all(struct asking *asking)
{
    int64_t deadline_ms = monotonic_ms() + asking->session->timeout_ms;
    int pause_ms = FIRST_WAIT_MS, code;
    bool more;
    asking->asked->pages = PAGES;
    progress_start(&asking->progress, "reading the report", 0);
    do {
        code = ask_pages(asking);
        more = code == EXIT_OK && asking->asked->from_place && (!asking->waiting || monotonic_ms() < deadline_ms);
        if (more && asking->waiting) {
            more = wait_for(&asking->wait, monotonic_ms() + pause_ms) != WAIT_INTERRUPTED;
            pause_ms = pause_ms < LONGEST_WAIT_MS ? 2 * pause_ms : LONGEST_WAIT_MS;
        }
    } while (more);
    progress_end(&asking->progress);
    return code;
}

/* ---- Writing ------------------------------------------------------------------------------------------------------ */

static void write_json(const struct report *report)
{
    for (size_t i = 0; i < report->n_pages; i++)
        print_json_line(&report_page(report, i)->base);
}

/* The named file, for its owner alone; stdout without a name. */
static FILE *out_open(const char *path)
{
    if (!path)
        return stdout;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fchmod(fd, 0600) != 0) {
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    FILE *out = fdopen(fd, "w");
    if (!out)
        close(fd);
    return out;
}

static int out_close(FILE *out)
{
    bool good = fflush(out) == 0 && !ferror(out);
    if (out != stdout)
        good = fclose(out) == 0 && good;
    return good ? 0 : -1;
}

static int write_report(const struct report *report, struct style style, const char *format, const char *path)
{
    static const struct {
        const char *name;
        void (*write)(const struct report *, FILE *, struct style);
    } forms[] = {{"text", report_text}, {"html", report_html}, {"csv", report_csv}, {"fhir", report_fhir}};
    FILE *out = out_open(path);
    if (!out)
        return fail(EXIT_NO, "Name a file that can be written.", "%s: %s", path, strerror(errno));
    if (path) /* a file is for no terminal in particular */
        style = (struct style){.utf8 = true, .texts = style.texts};
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(forms[i].name, format) == 0)
            forms[i].write(report, out, style);
    if (out_close(out) != 0)
        return fail(EXIT_NO, "Is the disk full?", "the report could not be written: %s", strerror(errno));
    return EXIT_OK;
}

/* What is not all of it must not pass for all of it. */
static int say_extent(const struct report *report)
{
    const Carehub__V1__AccessReportAnswer *last = report_last(report);
    if (!last->waiting)
        return EXIT_OK;
    return fail(EXIT_TIMED_OUT, "Ask again later, or with a longer --timeout.",
                "the report is complete up to entry #%llu only: the hub has not sorted what came later by person yet",
                (unsigned long long)last->complete_place);
}

/* ---- The command -------------------------------------------------------------------------------------------------- */

/* Connects, and has all pages when it has closed the connection again. */
static int fetch(const struct args *args, Asked *asked, struct report *report, struct style *style, bool *json)
{
    struct session session = {0};
    struct asking asking = {.session = &session, .report = report, .asked = asked};
    wait_start(&asking.wait);
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_all(&asking);
    if (code == EXIT_OK && args_option(args, "proof"))
        code = report_prove(&session, report, asked->purpose, args_option(args, "proof"));
    *style = session.style;
    *json = session.json;
    session_close(&session); /* from here on nothing is added */
    wait_end(&asking.wait);
    return code;
}

static int report(const struct args *args, Asked *asked)
{
    const char *format = args_option(args, "format");
    struct style style;
    bool json;
    struct report made = {.from_ms = asked->from_ms,
                          .to_ms = asked->to_ms,
                          .made_ms = (int64_t)time(NULL) * 1000,
                          .denials = asked->denials};
    report_begin(&made);
    int code = fetch(args, asked, &made, &style, &json);
    if (code == EXIT_OK) {
        report_end(&made);
        if (json)
            write_json(&made);
        else
            code = write_report(&made, style, format ? format : "text", args_option(args, "out"));
    }
    if (code == EXIT_OK)
        code = say_extent(&made);
    report_clear(&made);
    return code;
}

int run_audit_report(const struct args *args)
{
    struct patient_input who;
    struct event_input event;
    const char *types[TYPES_MAX], *patient = args_option(args, "patient"), *of = args_option(args, "event");
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    if (!patient && !of)
        return fail(EXIT_USAGE, "Give --patient or --event, or both.", "about whom, or about which event?");
    int code = patient ? input_patient(patient, &who) : EXIT_OK;
    if (code == EXIT_OK && of)
        code = input_event(of, &event);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &asked.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "to"), &asked.to_ms);
    if (code)
        return code;
    asked.patient = patient ? &who.ref : NULL;
    asked.event_place = of ? event.place : 0;
    if (of && !event.place)
        asked.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, event.id};
    asked.purpose = field(args_option(args, "purpose"));
    asked.denials = args_flag(args, "denials");
    asked.all_names = args_flag(args, "all-names");
    asked.types = (char **)types;
    asked.n_types = args_all(args, "type", types, TYPES_MAX);
    return report(args, &asked);
}
