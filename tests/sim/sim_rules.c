/* Random scenarios on a hub's core, compared with the reference model of the rules; see rules.h. A scenario that fails
 * is made as small as it gets and printed: as it stands, it can be played again.
 *
 *     sim_rules [--seed N] [--seeds N] [--ops N] [--verbose] [--counts]
 *               without --seeds: the scenarios that found something once, then 40
 *     sim_rules --play FILE     one scenario, as it was printed; - is the standard input
 *     sim_rules --print         the scenario of a seed, as text */
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rules.h"

enum { MESSAGE_BYTES = 2000, SHRINK_S = 60 };

struct outcome {
    bool failed;
    struct counts counts;
    char message[MESSAGE_BYTES];
};

/* ---- One scenario, in a process of its own: whatever breaks there is found -------------------------------------- */

static _Noreturn void play_and_tell(const struct op *ops, size_t n, int to, int message_to)
{
    struct counts counts = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(message_to, STDERR_FILENO);
    dup2(message_to, STDOUT_FILENO);
    play(ops, n, &counts);
    _exit(write(to, &counts, sizeof counts) == (ssize_t)sizeof counts ? 0 : 1);
}

static void try(const struct op *ops, size_t n, struct outcome *outcome)
{
    int counts[2], message[2], status = 0;
    size_t got = 0;
    ssize_t more;
    memset(outcome, 0, sizeof *outcome);
    fflush(NULL);
    if (pipe2(counts, O_CLOEXEC) != 0 || pipe2(message, O_CLOEXEC) != 0)
        abort();
    pid_t pid = fork();
    if (pid < 0)
        abort();
    if (pid == 0)
        play_and_tell(ops, n, counts[1], message[1]);
    close(counts[1]);
    close(message[1]);
    while ((more = read(message[0], outcome->message + got, MESSAGE_BYTES - 1 - got)) > 0)
        if ((got += (size_t)more) == MESSAGE_BYTES - 1)
            got = MESSAGE_BYTES / 2; /* of what is too long, its end */
    outcome->failed = read(counts[0], &outcome->counts, sizeof outcome->counts) != (ssize_t)sizeof outcome->counts;
    close(counts[0]);
    close(message[0]);
    waitpid(pid, &status, 0);
    outcome->failed |= status != 0;
    if (outcome->failed && WIFSIGNALED(status))
        snprintf(outcome->message + got, MESSAGE_BYTES - got, "ended by signal %d\n", WTERMSIG(status));
}

/* ---- Making it small -------------------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static bool still_fails(const struct op *ops, size_t n, double until, struct outcome *outcome)
{
    struct outcome one;
    if (seconds() > until)
        return false;
    try(ops, n, &one);
    if (one.failed)
        *outcome = one;
    return one.failed;
}

/* Leaves out stretches, the longest first, as long as what is left fails too (delta debugging). */
static size_t leave_out(struct op *ops, size_t n, double until, struct outcome *outcome)
{
    static struct op rest[OPS];
    for (size_t length = n / 2; length >= 1; length /= 2)
        for (size_t at = 0; at < n;) {
            size_t out = length < n - at ? length : n - at;
            memcpy(rest, ops, at * sizeof *ops);
            memcpy(rest + at, ops + at + out, (n - at - out) * sizeof *ops);
            if (still_fails(rest, n - out, until, outcome)) {
                n -= out;
                memcpy(ops, rest, n * sizeof *ops);
            } else {
                at += out;
            }
        }
    return n;
}

/* What an operation need not say is not said. */
static void say_less(struct op *ops, size_t n, double until, struct outcome *outcome)
{
    for (size_t i = 0; i < n; i++)
        for (int field = 0; field < FIELDS; field++) {
            long long said = ops[i].v[field];
            bool needed = field == ID || field == ACTOR || field == TYPE || field == MS ||
                          (field == ROLE && (ops[i].kind == MEMBER || ops[i].kind == GRANT));
            if (!said || needed)
                continue;
            ops[i].v[field] = 0;
            if (!still_fails(ops, n, until, outcome))
                ops[i].v[field] = said;
        }
}

static size_t shrink(struct op *ops, size_t n, struct outcome *outcome)
{
    double until = seconds() + SHRINK_S;
    n = leave_out(ops, n, until, outcome);
    say_less(ops, n, until, outcome);
    return leave_out(ops, n, until, outcome);
}

/* ---- The run ---------------------------------------------------------------------------------------------------- */

static void print(const struct op *ops, size_t n)
{
    char line[512];
    for (size_t i = 0; i < n; i++) {
        op_write(&ops[i], line, sizeof line);
        puts(line);
    }
}

static void report(struct op *ops, size_t n, bool small, struct outcome *outcome)
{
    printf("# %s", outcome->message);
    if (small) {
        size_t before = n;
        n = shrink(ops, n, outcome);
        printf("# of %zu operations these %zu are enough; sim_rules --play FILE plays them again:\n", before, n);
        print(ops, n);
        printf("# %s", outcome->message);
    }
}

static size_t read_scenario(const char *path, struct op *ops)
{
    char line[512];
    size_t n = 0, at = 0;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    while (file && n < OPS && fgets(line, sizeof line, file)) {
        at++;
        if (line[0] != '#' && line[0] != '\n' && !op_read(line, &ops[n++])) {
            fprintf(stderr, "sim_rules: %s: line %zu says nothing that can be played\n", path, at);
            exit(2);
        }
    }
    if (!file) {
        fprintf(stderr, "sim_rules: there is no file %s\n", path);
        exit(2);
    }
    if (file != stdin)
        fclose(file);
    return n;
}

static int run(uint64_t seed, uint64_t seeds, size_t n_ops, bool verbose, bool small, bool table)
{
    static struct op ops[OPS];
    struct counts all = {0};
    struct outcome outcome;
    for (uint64_t i = 0; i < seeds; i++) {
        size_t n = scenario_random(seed + i, n_ops, ops);
        try(ops, n, &outcome);
        if (outcome.failed) {
            printf("# seed %llu, %zu operations:\n", (unsigned long long)(seed + i), n);
            report(ops, n, small, &outcome);
            return 1;
        }
        if (verbose) {
            printf("seed %llu: ", (unsigned long long)(seed + i));
            counts_say(&outcome.counts);
        }
        counts_add(&all, &outcome.counts);
    }
    counts_say(&all);
    if (table)
        counts_table(&all);
    printf("%llu seeds from %llu, %zu operations each: the hub does what the rules say\n", (unsigned long long)seeds,
           (unsigned long long)seed, n_ops);
    return 0;
}

static bool play_file(const char *path, struct outcome *outcome)
{
    static struct op ops[OPS];
    size_t n = read_scenario(path, ops);
    try(ops, n, outcome);
    if (outcome->failed)
        report(ops, n, false, outcome);
    return !outcome->failed;
}

static int play_one(const char *path)
{
    struct outcome outcome;
    if (!play_file(path, &outcome))
        return 1;
    counts_say(&outcome.counts);
    return 0;
}

/* What has found something once is played first, each time. */
static int play_found(void)
{
    glob_t found = {0};
    struct outcome outcome;
    int failed = 0;
    if (glob(CAREHUB_FOUND "/*.txt", 0, NULL, &found) != 0) {
        fprintf(stderr, "sim_rules: there are no scenarios in %s\n", CAREHUB_FOUND);
        return 1;
    }
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (!play_file(found.gl_pathv[i], &outcome)) {
            printf("# %s\n", found.gl_pathv[i]);
            failed = 1;
        }
    printf("%zu scenarios that found something once were played again\n", found.gl_pathc);
    globfree(&found);
    return failed;
}

int main(int argc, char **argv)
{
    static struct op ops[OPS];
    uint64_t seed = 1, seeds = 0, n = 300;
    bool verbose = false, small = true, show = false, table = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (strcmp(argv[i], "--no-shrink") == 0)
            small = false;
        else if (strcmp(argv[i], "--counts") == 0)
            table = true;
        else if (strcmp(argv[i], "--print") == 0)
            show = true;
        else if (i + 1 < argc && strcmp(argv[i], "--play") == 0)
            return play_one(argv[i + 1]);
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--ops") == 0)
            n = strtoull(argv[++i], NULL, 10);
        else
            n = 0;
    }
    if (n < 1 || n > OPS) {
        fprintf(stderr,
                "usage: sim_rules [--seed N] [--seeds N] [--ops N (at most %d)] [--verbose] [--counts] "
                "[--no-shrink]\n"
                "       sim_rules [--seed N] [--ops N] --print\n"
                "       sim_rules --play FILE\n",
                OPS);
        return 2;
    }
    if (!show)
        return (seeds == 0 && play_found()) || run(seed, seeds ? seeds : 40, n, verbose, small, table);
    print(ops, scenario_random(seed, n, ops));
    return 0;
}
