#include "bench.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, QUEUE_BYTES_MAX = 32 << 20 };

static const char usage[] =
    "usage: carehub-bench [--scenario NAME] [OPTIONS]\n"
    "       carehub-bench formats | adapter [--help]\n"
    "       carehub-bench-decide [--help]\n"
    "\n"
    "Measures a hub: starts a carehubd of its own in a temporary directory, registers a region, lets "
    "publishers and\n"
    "acknowledging receivers loose on it, and checks that each receiver got each event exactly once, with "
    "numbers that\n"
    "have no gap. Exit status: 0 all there; 1 something is missing or doubled, or it could not run; 2 wrong "
    "usage.\n"
    "\n"
    "Everything that a hub in service does is in the figures: CURVE on every connection, authorisation of "
    "the client,\n"
    "the routing decision with its reasons, encryption at rest, the audit log, fsync before "
    "each\n"
    "confirm, and acknowledgements that are entries of the log. Publishers and receivers use libcarehub, in "
    "this\n"
    "process, on the same cores: the library's own work (unpacking each event included) is in the figures as "
    "well.\n"
    "Not in them: networks other than loopback. On tmpfs an fsync costs nothing; it says "
    "so.\n"
    "\n"
    "Scenarios (each sets the options below; those given as well win):\n"
    "  one-team   one patient; five inboxes receive everything (the default)\n"
    "  uniform    10,000 patients, 1,000 inboxes, five to an event\n"
    "  latency    one patient, five inboxes, 1,000 events a second for 10 s\n"
    "  idle       1,000 connections, each with its inbox, and an event a second to five of them for 30 s\n"
    "\n"
    "Options:\n"
    "  --patients N      patients, each with a care team and consent\n"
    "  --inboxes N       actors with one inbox each (at most 4096)\n"
    "  --members N       members of each care team: so many inboxes get each event (at most 8)\n"
    "  --publishers N    connections that publish (2)\n"
    "  --receivers N     connections that receive and acknowledge; the inboxes are shared out among them\n"
    "                    (as many as inboxes, at most 5; more where they need it: 64 inboxes to a "
    "connection)\n"
    "  --rate R          events a second of all publishers; 0: as fast as possible (0)\n"
    "  --payload BYTES   size of a serialised event (512)\n"
    "  --events N        how many events (100,000), or\n"
    "  --duration S      for how long\n"
    "  --batch MODE      frames: as many events in a frame as are waiting (the default);\n"
    "                    single: a publisher sends an event when the one before it is confirmed\n"
    "  --window N        events of one publisher on their way, for frames (1024)\n"
    "  --credit N        deliveries of one inbox on their way (1024)\n"
    "  --hubd PATH       the daemon to measure (the one built with this)\n"
    "  --policy FILE     its access policy (the default one)\n"
    "  --dir DIR         where to make the temporary directory ($TMPDIR, or /tmp)\n"
    "  --json            print the figures as one JSON object\n"
    "  --help            print this\n"
    "\n"
    "Latency: from the call that publishes (with --rate: from when it was due) to the confirmation, or to "
    "the\n"
    "delivery at a receiver. Without --rate it shows how long the queue is that the window allows, no "
    "more.\n";

struct scenario {
    const char *name;
    uint32_t patients, inboxes, receivers; /* 0: as many as inboxes need */
    double rate, duration_s;
};

static const struct scenario scenarios[] = {
    {"one-team", 1, 5, 0, 0, 0},
    {"uniform", 10000, 1000, 0, 0, 0},
    {"latency", 1, 5, 0, 1000, 10},
    {"idle", 1000, 1000, 1000, 1, 30},
};

static const struct option long_options[] = {
    {"scenario", required_argument, NULL, 's'},
    {"patients", required_argument, NULL, 'p'},
    {"inboxes", required_argument, NULL, 'i'},
    {"members", required_argument, NULL, 'm'},
    {"publishers", required_argument, NULL, 'u'},
    {"receivers", required_argument, NULL, 'v'},
    {"rate", required_argument, NULL, 'r'},
    {"payload", required_argument, NULL, 'b'},
    {"events", required_argument, NULL, 'e'},
    {"duration", required_argument, NULL, 'd'},
    {"batch", required_argument, NULL, 'B'},
    {"window", required_argument, NULL, 'w'},
    {"credit", required_argument, NULL, 'c'},
    {"hubd", required_argument, NULL, 'H'},
    {"policy", required_argument, NULL, 'P'},
    {"dir", required_argument, NULL, 'D'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static bool apply_scenario(struct bench_options *o, const char *name)
{
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        const struct scenario *s = &scenarios[i];
        if (strcmp(s->name, name) != 0)
            continue;
        o->scenario = s->name;
        o->patients = s->patients;
        o->inboxes = s->inboxes;
        o->receivers = s->receivers;
        o->rate = s->rate;
        o->duration_s = s->duration_s;
        return true;
    }
    fprintf(stderr, "carehub-bench: there is no scenario '%s'; there are one-team, uniform, latency and idle\n", name);
    return false;
}

static bool number(const char *name, const char *text, double min, double max, double *value)
{
    char *end;
    errno = 0;
    *value = strtod(text, &end);
    if (errno == 0 && end != text && *end == '\0' && *value >= min && *value <= max)
        return true;
    fprintf(stderr, "carehub-bench: --%s has to be a number from %.0f to %.0f\n", name, min, max);
    return false;
}

static bool whole(const char *name, const char *text, uint32_t min, uint32_t max, uint32_t *value)
{
    double read;
    if (!number(name, text, min, max, &read))
        return false;
    *value = (uint32_t)read;
    return true;
}

static bool read_batch(struct bench_options *o, const char *text)
{
    if (strcmp(text, "single") == 0)
        o->window = 1;
    else if (strcmp(text, "frames") != 0)
        return fprintf(stderr, "carehub-bench: --batch is single or frames\n"), false;
    return true;
}

static bool read_one(struct bench_options *o, int option, const char *text)
{
    double value;
    switch (option) {
    case 's':
        return true; /* was applied first */
    case 'p':
        return whole("patients", text, 1, BENCH_PATIENTS_MAX, &o->patients);
    case 'i':
        return whole("inboxes", text, 1, BENCH_INBOXES_MAX, &o->inboxes);
    case 'm':
        return whole("members", text, 1, BENCH_MEMBERS_MAX, &o->members);
    case 'u':
        return whole("publishers", text, 1, BENCH_PUBLISHERS_MAX, &o->publishers);
    case 'v':
        return whole("receivers", text, 1, BENCH_RECEIVERS_MAX, &o->receivers);
    case 'r':
        return number("rate", text, 0, 10000000, &o->rate);
    case 'b':
        return whole("payload", text, 128, 65536, &o->payload);
    case 'e':
        o->events = number("events", text, 1, BENCH_EVENTS_MAX, &value) ? (uint64_t)value : 0;
        return o->events > 0;
    case 'd':
        return number("duration", text, 0.1, 86400, &o->duration_s);
    case 'B':
        return read_batch(o, text);
    case 'w':
        return whole("window", text, 1, 4096, &o->window);
    case 'c':
        return whole("credit", text, 1, 65536, &o->credit);
    case 'H':
        o->hubd = text;
        return true;
    case 'P':
        o->policy = text;
        return true;
    case 'D':
        o->dir = text;
        return true;
    case 'j':
        return o->json = true;
    default:
        return fputs("try carehub-bench --help\n", stderr), false;
    }
}

static bool sound(struct bench_options *o)
{
    uint32_t needed = (o->inboxes + BENCH_ATTACHMENTS_MAX - 1) / BENCH_ATTACHMENTS_MAX;
    if (o->receivers == 0)
        o->receivers = o->inboxes < 5 ? o->inboxes : needed > 5 ? needed : 5;
    if (o->events == 0 && o->duration_s == 0)
        o->events = 100000;
    const char *wrong = NULL;
    if (o->members > o->inboxes)
        wrong = "--members cannot be more than --inboxes";
    else if (o->receivers < needed || o->receivers > o->inboxes)
        wrong = "--receivers has to be at least one for each 64 inboxes, and at most one for each";
    else if ((uint64_t)o->window * o->payload > QUEUE_BYTES_MAX)
        wrong = "--window times --payload is more than 32 MiB";
    if (wrong)
        fprintf(stderr, "carehub-bench: %s\n", wrong);
    return !wrong;
}

int options_read(struct bench_options *o, int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR"), *scenario = "one-team";
    int option;
    opterr = 1;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout), EXIT_SUCCESS;
        if (option == 's')
            scenario = optarg;
    }
    *o = (struct bench_options){.hubd = BENCH_HUBD,
                                .policy = BENCH_POLICY,
                                .dir = tmp && *tmp ? tmp : "/tmp",
                                .members = 5,
                                .publishers = 2,
                                .window = 1024,
                                .credit = 1024,
                                .payload = 512};
    if (!apply_scenario(o, scenario))
        return EXIT_USAGE;
    optind = 1;
    opterr = 0; /* it has complained above */
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1)
        if (!read_one(o, option, optarg))
            return EXIT_USAGE;
    if (optind != argc)
        return fputs(usage, stderr), EXIT_USAGE;
    return sound(o) ? -1 : EXIT_USAGE;
}
