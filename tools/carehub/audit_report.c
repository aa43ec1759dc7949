/* carehub audit report: asks for a person's access report page by page, and writes it down. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit.h"
#include "facts.h"
#include "report.h"
#include "wait.h"

enum { TYPES_MAX = 32, FIRST_WAIT_MS = 20, LONGEST_WAIT_MS = 500 };

typedef Carehub__V1__AccessReportQuery Asked;

/* ---- Asking ------------------------------------------------------------------------------------------------------- */

static int ask_page(struct session *session, Asked *asked, Carehub__V1__Answer **answer)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = asked;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT, answer);
}

static void go_on_from(Asked *asked, const Carehub__V1__AccessReportAnswer *page)
{
    asked->reading = page->reading;
    asked->from_place = page->next_place;
    asked->from_access = page->next_access;
}

/* All pages. What cannot be found by the person yet is waited for until the deadline; then the report says how far it
 * goes. */
static int ask_all(struct session *session, Asked *asked, struct report *report)
{
    struct wait wait;
    int64_t deadline_ms = monotonic_ms() + session->timeout_ms;
    int pause_ms = FIRST_WAIT_MS, code;
    bool more;
    wait_start(&wait);
    do {
        Carehub__V1__Answer *answer = NULL;
        code = ask_page(session, asked, &answer);
        if (code)
            break;
        go_on_from(asked, answer->access_report);
        bool waiting = answer->access_report->waiting;
        more = asked->from_place && (!waiting || monotonic_ms() < deadline_ms);
        if (!report_add(report, answer)) {
            answer_free(&answer);
            code = fail(EXIT_NO, "Ask for a shorter period, with --from and --to.", "the report has more than %d items",
                        REPORT_ITEMS_MAX);
            break;
        }
        if (more && waiting && wait_for(&wait, monotonic_ms() + pause_ms) != WAIT_TIMED_OUT)
            more = false;
        if (waiting)
            pause_ms = pause_ms < LONGEST_WAIT_MS ? 2 * pause_ms : LONGEST_WAIT_MS;
    } while (more);
    wait_end(&wait);
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

static int write_report(const struct session *session, const struct report *report, const char *format,
                        const char *path)
{
    static const struct {
        const char *name;
        void (*write)(const struct report *, FILE *, struct style);
    } forms[] = {{"text", report_text}, {"html", report_html}, {"csv", report_csv}, {"fhir", report_fhir}};
    struct style style = session->style;
    FILE *out = out_open(path);
    if (!out)
        return fail(EXIT_NO, "Name a file that can be written.", "%s: %s", path, strerror(errno));
    if (path) /* a file is for no terminal in particular */
        style = (struct style){.utf8 = true, .texts = session->style.texts};
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

static int report(struct session *session, Asked *asked, const struct args *args)
{
    const char *format = args_option(args, "format");
    struct report made = {.from_ms = asked->from_ms,
                          .to_ms = asked->to_ms,
                          .made_ms = (int64_t)time(NULL) * 1000,
                          .denials = asked->denials};
    int code = ask_all(session, asked, &made);
    if (code == EXIT_OK) {
        report_end(&made);
        if (session->json)
            write_json(&made);
        else
            code = write_report(session, &made, format ? format : "text", args_option(args, "out"));
    }
    if (code == EXIT_OK)
        code = say_extent(&made);
    report_clear(&made);
    return code;
}

int run_audit_report(const struct args *args)
{
    struct patient_input who;
    const char *types[TYPES_MAX];
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    int code = input_patient(args_option(args, "patient"), &who);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &asked.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "to"), &asked.to_ms);
    if (code)
        return code;
    asked.patient = &who.ref;
    asked.purpose = field(args_option(args, "purpose"));
    asked.denials = args_flag(args, "denials");
    asked.all_names = args_flag(args, "all-names");
    asked.types = (char **)types;
    asked.n_types = args_all(args, "type", types, TYPES_MAX);
    struct session session = {0};
    code = session_open(&session, args);
    if (code == EXIT_OK)
        code = report(&session, &asked, args);
    session_close(&session);
    return code;
}
