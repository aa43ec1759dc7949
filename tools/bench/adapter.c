/* adapter.c - carehub-bench adapter: software that sends → a carehub-adapter → a carehub, real processes, each answer
 * given when the hub has the event on disk. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "native.h"

enum { EXIT_USAGE = 2, PATIENTS = 1000, INBOXES = 5 };

static const char usage[] =
    "usage: carehub-bench adapter [--senders N] [--seconds S] [--only TEXT] [--hubd PATH] [--policy FILE] [--dir DIR]\n"
    "\n"
    "How many messages a second go the whole way: from N senders, each waiting for its answer before it sends the "
    "next,\n"
    "through an adapter to a hub that has them on disk when the answer is given. HL7 by MLLP, FHIR by HTTP on "
    "connections\n"
    "that are kept, KMEHR from a folder (16 files of each sender at a time; answered: taken out of it). The events go "
    "to\n"
    "five inboxes each, which nobody empties. All on this machine, over loopback. Exit status: 0 all were taken; 1 "
    "some\n"
    "were not, or it could not run; 2 wrong usage.\n"
    "\n"
    "  --senders N    (16; of the folder one in four)\n"
    "  --seconds S    for how long each (5)\n"
    "  --only TEXT    only those with this in their names\n"
    "  --hubd PATH    the daemon (the one built with this)\n"
    "  --policy FILE  its access policy (the default one)\n"
    "  --dir DIR      where to make the temporary directories ($TMPDIR, or /tmp)\n";

struct arguments {
    uint32_t senders;
    double seconds;
    const char *only;
};

static int read_options(struct arguments *arguments, struct bench_options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"senders", required_argument, NULL, 'n'}, {"seconds", required_argument, NULL, 's'},
        {"only", required_argument, NULL, 'o'},    {"hubd", required_argument, NULL, 'H'},
        {"policy", required_argument, NULL, 'P'},  {"dir", required_argument, NULL, 'D'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout), EXIT_SUCCESS;
        else if (option == 'n')
            arguments->senders = (uint32_t)strtoul(optarg, NULL, 10);
        else if (option == 's')
            arguments->seconds = strtod(optarg, NULL);
        else if (option == 'o')
            arguments->only = optarg;
        else if (option == 'H')
            o->hubd = optarg;
        else if (option == 'P')
            o->policy = optarg;
        else if (option == 'D')
            o->dir = optarg;
        else
            return fputs(usage, stderr), EXIT_USAGE;
    }
    bool sound = optind == argc && arguments->senders >= 1 && arguments->senders <= 256 && arguments->seconds > 0 &&
                 arguments->seconds <= 3600;
    return sound ? -1 : (fputs(usage, stderr), EXIT_USAGE);
}

static double ms_at(const struct load *load, double fraction)
{
    return (double)histogram_at(&load->latency, fraction) / 1e6;
}

/* Adds what was answered to *answered. */
static bool measure_one(struct run *run, const struct arguments *arguments, const struct sending *how, uint32_t senders,
                        uint64_t *answered)
{
    struct adapter_process adapter = {0};
    struct load load = {.how = how,
                        .adapter = &adapter,
                        .senders = senders,
                        .patients = run->options->patients,
                        .now_s = (int64_t)time(NULL)};
    char name[BENCH_NAME_BYTES];
    snprintf(name, sizeof name, "adapter-%td", how - sendings);
    bool ok = adapter_start(&adapter, run, name, how->in, how->format);
    double hub_s = ok ? process_cpu_s(run->hub.pid) : 0, adapter_s = ok ? process_cpu_s(adapter.pid) : 0;
    load.until_ns = now_ns() + (uint64_t)(arguments->seconds * 1e9);
    ok = ok && load_run(&load);
    if (ok && load.answered > 0) {
        double n = (double)load.answered;
        printf("%-32s %8u %9.0f %12.0f %8.2f %8.2f %8.2f %10.0f %10.0f\n", how->name, senders, n,
               n / (double)load.elapsed_ns * 1e9, ms_at(&load, 0.5), ms_at(&load, 0.99), ms_at(&load, 1),
               (process_cpu_s(adapter.pid) - adapter_s) / n * 1e6, (process_cpu_s(run->hub.pid) - hub_s) / n * 1e6);
        fflush(stdout);
    }
    adapter_stop(&adapter);
    *answered += load.answered;
    return ok && load.answered > 0 && load.refused == 0;
}

/* Each message that was answered is an event of the hub. */
static bool check_events(struct run *run, uint64_t least)
{
    if (!hub_sample(run, &run->after))
        return false;
    if (run->after.events - run->before.events >= least)
        return true;
    fprintf(stderr, "carehub-bench: %llu messages were answered, and the hub has %llu events\n",
            (unsigned long long)least, (unsigned long long)(run->after.events - run->before.events));
    return false;
}

int adapter_main(int argc, char **argv)
{
    static struct run run;
    const char *tmp = getenv("TMPDIR");
    struct arguments arguments = {.senders = 16, .seconds = 5, .only = ""};
    struct bench_options options = {.hubd = BENCH_HUBD,
                                    .policy = BENCH_POLICY,
                                    .dir = tmp && *tmp ? tmp : "/tmp",
                                    .patients = PATIENTS,
                                    .inboxes = INBOXES,
                                    .members = INBOXES,
                                    .national = true};
    uint64_t answered = 0;
    int status = read_options(&arguments, &options, argc, argv);
    if (status >= 0)
        return status;
    if (sodium_init() < 0)
        return complain("the cryptographic library cannot be started"), EXIT_FAILURE;
    run.options = &options;
    bool ok = hub_start(&run.hub, &options) && region_register(&run) && hub_sample(&run, &run.before);
    if (ok)
        printf("%-32s %8s %9s %12s %8s %8s %8s %10s %10s\n%-32s %8s %9s %12s %26s %21s\n", "end to end", "senders",
               "messages", "messages/s", "p50", "p99", "max", "adapter", "hub", "", "", "", "", "ms to the answer",
               "CPU, us/message");
    for (size_t i = 0; ok && i < SENDINGS; i++)
        ok = !strstr(sendings[i].name, arguments.only) ||
             measure_one(&run, &arguments, &sendings[i],
                         sendings[i].sample == sample_kmehr_scheme ? (arguments.senders + 3) / 4 : arguments.senders,
                         &answered);
    ok = ok && check_events(&run, answered);
    carehub_close(&run.operator_client);
    hub_stop(&run.hub);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
