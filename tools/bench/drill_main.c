/* carehub-bench-drill: makes the region of drill.h, asks, checks the answers against what was delivered, and says how
 * long it took. */
#include <ftw.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drill.h"

enum { POLICY_BYTES = 256 << 10, ASKED_MAX = 1000, PROVED_MAX = 200 };

typedef Carehub__V1__AccessReportQuery Asked;

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* ---- One report --------------------------------------------------------------------------------------------------- */

struct taken {
    double all_ms;     /* of the report, as somebody who waits for it has it */
    double longest_ms; /* of processor time, for its longest page: so long the hub does nothing else */
    uint64_t pages, items, accesses, handed_over;
    uint64_t last_event; /* the place of the last one in it */
};

static bool ask_report(struct drill *drill, uint64_t number, bool discharges, struct taken *taken)
{
    Carehub__V1__PatientRef ref = CAREHUB__V1__PATIENT_REF__INIT;
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    char *types[] = {(char *)"HospitalDischarge"};
    ref.number = number;
    asked.patient = &ref;
    asked.purpose = (char *)"drill";
    asked.n_types = discharges;
    asked.types = types;
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = &asked;
    *taken = (struct taken){0};
    do {
        double began = clock_ms(CLOCK_MONOTONIC), worked = clock_ms(CLOCK_THREAD_CPUTIME_ID);
        const Carehub__V1__Answer *answer = drill_ask(drill, &query);
        worked = clock_ms(CLOCK_THREAD_CPUTIME_ID) - worked;
        if (!answer || answer->error || !answer->access_report) {
            fprintf(stderr, "carehub-bench-drill: %s\n", answer && answer->error ? answer->error->text : "no answer");
            return false;
        }
        const Carehub__V1__AccessReportAnswer *page = answer->access_report;
        taken->all_ms += clock_ms(CLOCK_MONOTONIC) - began;
        taken->longest_ms = worked > taken->longest_ms ? worked : taken->longest_ms;
        taken->pages++;
        taken->items += page->n_items;
        for (size_t i = 0; i < page->n_items; i++)
            if (page->items[i]->kind == CAREHUB__V1__REPORT_KIND__REPORT_EVENT)
                taken->last_event = page->items[i]->place;
        for (size_t i = 0; i < page->n_items; i++)
            for (size_t a = 0; a < page->items[i]->n_accesses; a++, taken->accesses++)
                taken->handed_over += page->items[i]->accesses[a]->handed_over;
        asked.reading = page->reading;
        asked.from_place = page->next_place;
        asked.from_access = page->next_access;
        drill->now_ms += page->waiting ? 10 : 0;
    } while (asked.from_place);
    return true;
}

/* ---- Many --------------------------------------------------------------------------------------------------------- */

static int by_time(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool ask_many(struct drill *drill, bool discharges, const char *what)
{
    double times[ASKED_MAX], longest = 0;
    uint64_t n = 0, accesses = 0;
    uint32_t first = drill->size.heavy ? 1 : 0; /* the heavy one is asked for by itself */
    for (uint32_t patient = first; patient < drill->size.patients && n < ASKED_MAX; patient++) {
        struct taken taken;
        if (!ask_report(drill, patient + 1, discharges, &taken))
            return false;
        if (discharges && taken.handed_over != drill->discharges[patient]) {
            fprintf(stderr, "carehub-bench-drill: of P%u %llu accesses are reported, but %u were delivered\n",
                    patient + 1, (unsigned long long)taken.handed_over, drill->discharges[patient]);
            return false;
        }
        times[n++] = taken.all_ms;
        accesses += taken.accesses;
        longest = taken.longest_ms > longest ? taken.longest_ms : longest;
    }
    qsort(times, n, sizeof *times, by_time);
    printf("%s: %llu persons, %llu accesses in all; p50 %.2f ms, p99 %.2f ms, longest %.2f ms; longest page %.2f ms of "
           "processor time\n",
           what, (unsigned long long)n, (unsigned long long)accesses, times[n / 2], times[n * 99 / 100], times[n - 1],
           longest);
    return true;
}

/* The last discharge of a person; 0: there is none. */
static uint64_t last_discharge(struct drill *drill, uint64_t number)
{
    struct taken taken;
    return ask_report(drill, number, true, &taken) ? taken.last_event : 0;
}

static bool prove_many(struct drill *drill)
{
    double times[ASKED_MAX];
    uint64_t n = 0, lines = 0, receipts = 0;
    for (uint32_t patient = drill->size.heavy ? 1 : 0; patient < drill->size.patients && n < PROVED_MAX; patient++) {
        struct drill_who who;
        uint64_t event = last_discharge(drill, patient + 1);
        double began = clock_ms(CLOCK_MONOTONIC);
        if (!event)
            continue;
        if (!drill_who(drill, event, &who))
            return false;
        times[n++] = clock_ms(CLOCK_MONOTONIC) - began;
        lines += who.lines;
        receipts += who.receipts;
    }
    if (n == 0)
        return true;
    qsort(times, n, sizeof *times, by_time);
    printf("who learned of one discharge, with a receipt for each line: %llu discharges, %llu lines and %llu receipts "
           "in all; p50 %.2f ms, p99 %.2f ms, longest %.2f ms\n",
           (unsigned long long)n, (unsigned long long)lines, (unsigned long long)receipts, times[n / 2],
           times[n * 99 / 100], times[n - 1]);
    return true;
}

static bool measure(struct drill *drill)
{
    struct taken heavy;
    if (!ask_many(drill, true, "who learned of the discharges") || !ask_many(drill, false, "whole report") ||
        !prove_many(drill))
        return false;
    if (drill->size.heavy == 0)
        return true;
    if (!ask_report(drill, 1, false, &heavy))
        return false;
    printf(
        "whole report of one person with %llu entries, %llu accesses: %.0f ms in %llu pages; longest page %.2f ms of "
        "processor time\n",
        (unsigned long long)heavy.items, (unsigned long long)heavy.accesses, heavy.all_ms,
        (unsigned long long)heavy.pages, heavy.longest_ms);
    return true;
}

/* ---- The command -------------------------------------------------------------------------------------------------- */

static const char usage[] =
    "usage: carehub-bench-drill [--patients N] [--events N] [--heavy N] [--days N] [--dir DIR]\n\n"
    "Makes a region whose hub has run for DAYS days (730), by the hub's core in this process on a clock of its own: N\n"
    "patients (2000), N events (300000), and N events more of one patient (20000). Then asks who learned of each\n"
    "person's discharges, checks the answers against what was delivered, and says how long they took; and for the "
    "last\n"
    "one of each person, with a receipt for each line.\n\n"
    "The database is made in a new directory below DIR (/tmp), and removed.\n";

static bool number(const char *text, uint32_t *value)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    *value = (uint32_t)n;
    return *text && !*end && n <= 100000000;
}

static bool options(int argc, char **argv, struct drill_size *size)
{
    static const struct option known[] = {
        {"patients", required_argument, NULL, 'p'}, {"events", required_argument, NULL, 'e'},
        {"heavy", required_argument, NULL, 'h'},    {"days", required_argument, NULL, 'd'},
        {"dir", required_argument, NULL, 'D'},      {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;) {
        uint32_t *value = c == 'p'   ? &size->patients
                          : c == 'e' ? &size->events
                          : c == 'h' ? &size->heavy
                          : c == 'd' ? &size->days
                                     : NULL;
        if (c == 'D')
            size->dir = optarg;
        else if (!value || !number(optarg, value))
            return false;
    }
    return optind == argc && size->patients > 1 && size->days > 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    struct drill drill = {.size = {2000, 300000, 20000, 730, "/tmp", NULL}};
    static char policy[POLICY_BYTES];
    char dir[512];
    if (!options(argc, argv, &drill.size)) {
        fputs(usage, stderr);
        return 2;
    }
    FILE *file = fopen(BENCH_POLICY, "r");
    if (!file || fread(policy, 1, sizeof policy - 1, file) == 0) {
        fprintf(stderr, "carehub-bench-drill: %s cannot be read\n", BENCH_POLICY);
        return 1;
    }
    fclose(file);
    snprintf(dir, sizeof dir, "%s/carehub-drill-XXXXXX", drill.size.dir);
    if (!mkdtemp(dir)) {
        perror(dir);
        return 1;
    }
    drill.size.dir = dir;
    drill.size.policy = policy;
    double began = clock_ms(CLOCK_MONOTONIC);
    bool good = drill_make(&drill);
    if (good)
        printf("made in %.0f s: %u patients, %u events in %u days, %llu deliveries\n",
               (clock_ms(CLOCK_MONOTONIC) - began) / 1e3, drill.size.patients, drill.size.events + drill.size.heavy,
               drill.size.days, (unsigned long long)drill.delivered);
    fflush(stdout);
    good = good && measure(&drill);
    drill_close(&drill);
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return good ? 0 : 1;
}
