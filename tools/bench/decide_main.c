/* carehub-bench-decide: its options, and its table. */
#include "decide.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: carehub-bench-decide [--patients N,N…] [--actors N,N…] [OPTIONS]\n"
    "\n"
    "Does one decision cost more where there are more patients, or more actors? For each size it puts the patients\n"
    "into a new database (each with a key, an identifier, a consent and a care team), then publishes events of\n"
    "uniformly random patients: authorised, decided, sealed, logged and committed with an fsync, delivered to the\n"
    "inboxes of the team, looked at once more before each is sent, and acknowledged. It is the hub's core in one\n"
    "thread, without sockets: the figures are that thread's processor time, in µs, and as ratios to the first size.\n"
    "\n"
    "  decision    of which: identifier to person, team, consent and key (look up); the rules for each member (route)\n"
    "  event       all of the core's work for an event: take it (the decision included), acknowledgements, and\n"
    "              commit with the deliveries (push)\n"
    "  memory      of this process; of which SQLite's page cache. What more the system keeps of the database in its\n"
    "              own cache is not in it: without room there for the persons' rows, a look-up waits for the disk\n"
    "              (reads: blocks of 512 bytes an event)\n"
    "\n"
    "Options:\n"
    "  --patients N,N…   10000,1000000 (at most 20,000,000 each; below DIR about 1.5 kB each)\n"
    "  --actors N,N…     60 (at most 99,000), each with an inbox\n"
    "  --members N       members of each care team (6; at most 8)\n"
    "  --versions N      keep so many versions of each card (all: one for each fact about the patient). Decisions "
    "look\n"
    "                    at the last one only: with 1, ten million take minutes, and 0.6 kB each\n"
    "  --events N        of each measurement (100,000); before the first, as many to warm up\n"
    "  --repeat N        measure so often, and print the lowest of each figure (3): other work on the machine only\n"
    "                    adds\n"
    "  --detached        no inbox is attached: nothing is delivered or acknowledged\n"
    "  --audit-log       each size twice, without the audit log's tree and with it, and the ratio of the two. (A hub\n"
    "                    always has it.) Its files are made by another thread there; that time is shown apart. The "
    "leaf\n"
    "                    of an entry, which is in every figure, is shown as well\n"
    "  --policy FILE     the access policy (the default one)\n"
    "  --dir DIR         where to make the temporary directory ($TMPDIR, or /tmp)\n"
    "  --help            print this\n";

struct options {
    struct decide_size size;
    uint32_t patients[DECIDE_SIZES_MAX], actors[DECIDE_SIZES_MAX];
    size_t n_patients, n_actors;
    bool audit_log;
};

static bool list(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *numbers, size_t *n)
{
    *n = 0;
    for (const char *at = text;; at++) {
        char *end;
        errno = 0;
        unsigned long number = strtoul(at, &end, 10);
        if (errno != 0 || end == at || number < min || number > max || *n == DECIDE_SIZES_MAX)
            break;
        numbers[(*n)++] = (uint32_t)number;
        if (*end == '\0')
            return true;
        if (*end != ',')
            break;
        at = end;
    }
    fprintf(stderr, "carehub-bench-decide: --%s has to be numbers from %u to %u, at most %d, with commas\n", name, min,
            max, DECIDE_SIZES_MAX);
    return false;
}

static bool one(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *number)
{
    uint32_t numbers[DECIDE_SIZES_MAX];
    size_t n;
    if (!list(name, text, min, max, numbers, &n))
        return false;
    *number = numbers[0];
    return n == 1 || (fprintf(stderr, "carehub-bench-decide: --%s takes one number\n", name), false);
}

static bool read_one(struct options *o, int option, const char *text)
{
    switch (option) {
    case 'p':
        return list("patients", text, 1, DECIDE_PATIENTS_MAX, o->patients, &o->n_patients);
    case 'a':
        return list("actors", text, 1, DECIDE_ACTORS_MAX, o->actors, &o->n_actors);
    case 'm':
        return one("members", text, 1, DECIDE_MEMBERS_MAX, &o->size.members);
    case 'e':
        return one("events", text, 1, 100000000, &o->size.events);
    case 'r':
        return one("repeat", text, 1, 1000, &o->size.repeats);
    case 'v':
        return one("versions", text, 1, UINT32_MAX, &o->size.versions);
    case 'd':
        o->size.receivers = false;
        return true;
    case 'l':
        o->audit_log = true;
        return true;
    case 'P':
        o->size.policy = text;
        return true;
    case 'D':
        o->size.dir = text;
        return true;
    default:
        return fputs("try carehub-bench-decide --help\n", stderr), false;
    }
}

static int read_options(struct options *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"patients", required_argument, NULL, 'p'}, {"actors", required_argument, NULL, 'a'},
        {"members", required_argument, NULL, 'm'},  {"events", required_argument, NULL, 'e'},
        {"repeat", required_argument, NULL, 'r'},   {"versions", required_argument, NULL, 'v'},
        {"detached", no_argument, NULL, 'd'},       {"audit-log", no_argument, NULL, 'l'},
        {"policy", required_argument, NULL, 'P'},   {"dir", required_argument, NULL, 'D'},
        {"help", no_argument, NULL, 'h'},           {0},
    };
    const char *tmp = getenv("TMPDIR");
    int option;
    *o = (struct options){.size = {.members = 6,
                                   .events = 100000,
                                   .repeats = 3,
                                   .versions = UINT32_MAX,
                                   .receivers = true,
                                   .policy = BENCH_POLICY,
                                   .dir = tmp && *tmp ? tmp : "/tmp"},
                          .patients = {10000, 1000000},
                          .n_patients = 2,
                          .actors = {60},
                          .n_actors = 1};
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout), EXIT_SUCCESS;
        if (!read_one(o, option, optarg))
            return EXIT_USAGE;
    }
    for (size_t i = 0; i < o->n_actors; i++)
        if (o->actors[i] < o->size.members)
            return fputs("carehub-bench-decide: --members cannot be more than --actors\n", stderr), EXIT_USAGE;
    o->size.warm_up = o->size.events;
    return optind == argc ? -1 : (fputs(usage, stderr), EXIT_USAGE);
}

/* ---- The table ---------------------------------------------------------------------------------------------------- */

static void print_head(const struct options *o)
{
    printf(
        "Teams of %u; %u events, the lowest of %u measurements; %s; an fsync for 256 events.\n"
        "µs of the core's thread; in brackets the ratio to the first size.\n\n"
        "                     one decision                   one event                                          memory "
        "MB    database     disk\n"
        "   patients actors   look up  route     all          take   acks   push     all       instructions      all "
        "cache  B/patient   reads\n",
        o->size.members, o->size.events, o->size.repeats, o->size.receivers ? "receivers attached" : "no receivers");
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0;
}

static void print_row(const struct decide_size *size, const struct decided *d, const struct decided *first)
{
    double decision = d->looked_up + d->routed;
    printf(
        "%11u %6u   %7.2f %6.2f %7.2f (%.2f)  %7.2f %6.2f %6.2f %7.2f (%.2f) %7.0f (%.2f)  %6.0f %5.0f %10.0f %7.2f\n",
        size->patients, size->actors, d->looked_up, d->routed, decision,
        ratio(decision, first->looked_up + first->routed), d->taken, d->acknowledged, d->pushed, d->event,
        ratio(d->event, first->event), d->instructions, ratio(d->instructions, first->instructions),
        (double)d->resident_bytes / 1e6, (double)d->page_cache_bytes / 1e6, (double)d->database_bytes / size->patients,
        d->disk_reads);
    fflush(stdout);
}

/* The same once more, with the audit log. */
static bool compare_audit_log(struct decide_size *size, const struct decided *without, const struct decided *first)
{
    struct decided with;
    size->audit_log = true;
    bool measured = decide_measure(size, &with);
    size->audit_log = false;
    if (!measured)
        return false;
    print_row(size, &with, first);
    printf("    audit log: the second row is with it: %.2f times the first for one event; %.2f µs more of another "
           "thread.\n"
           "    In both: %.2f µs for the leaf.\n",
           ratio(with.event, without->event), with.apart, with.leaf);
    fflush(stdout);
    return true;
}

int main(int argc, char **argv)
{
    struct options o;
    struct decided first = {0};
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    print_head(&o);
    for (size_t p = 0; p < o.n_patients; p++) {
        for (size_t a = 0; a < o.n_actors; a++) {
            struct decided decided;
            o.size.patients = o.patients[p];
            o.size.actors = o.actors[a];
            if (!decide_measure(&o.size, &decided))
                return EXIT_FAILURE;
            if (p == 0 && a == 0)
                first = decided;
            print_row(&o.size, &decided, &first);
            if (o.audit_log && !compare_audit_log(&o.size, &decided, &first))
                return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}
