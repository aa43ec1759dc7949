/* hub_process.c - a carehubd of our own: its files, its process, what it uses. */
#include "bench.h"

#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { START_MS = 10000, STOP_MS = 10000, STEP_MS = 10 };

uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool complain(const char *what)
{
    const char *why = carehub_error();
    fprintf(stderr, "carehub-bench: %s%s%s\n", what, why && *why ? ": " : "", why ? why : "");
    return false;
}

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

/* ---- Its files -------------------------------------------------------------------------------------------------- */

static bool write_text(const struct hub_process *hub, const char *name, const char *text)
{
    char path[2 * BENCH_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", hub->dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    size_t size = strlen(text);
    bool written = fd >= 0 && write(fd, text, size) == (ssize_t)size;
    if (fd >= 0)
        close(fd);
    return written || complain("cannot write the hub's files");
}

static bool write_keys(struct hub_process *hub)
{
    char path[2 * BENCH_PATH_BYTES], hex[2 * CAREHUB_KEY_BYTES + 1];
    uint8_t master[CAREHUB_KEY_BYTES];
    snprintf(path, sizeof path, "%s/hub.key", hub->dir);
    if (carehub_keygen(&hub->key) != CAREHUB_OK || carehub_keygen(&hub->operator_key) != CAREHUB_OK ||
        carehub_key_save(&hub->key, path) != CAREHUB_OK)
        return complain("cannot make keys");
    randombytes_buf(master, sizeof master);
    sodium_bin2hex(hex, sizeof hex, master, sizeof master);
    return write_text(hub, "master.key", hex);
}

static bool write_configuration(struct hub_process *hub, const struct bench_options *options)
{
    char hex[2 * CAREHUB_KEY_BYTES + 1], conf[2048 + PATH_MAX];
    char *policy = realpath(options->policy, NULL);
    if (!policy)
        return fprintf(stderr, "carehub-bench: there is no policy file %s\n", options->policy), false;
    sodium_bin2hex(hex, sizeof hex, hub->operator_key.public_key, CAREHUB_KEY_BYTES);
    snprintf(conf, sizeof conf,
             "name = bench\nlisten = tcp://127.0.0.1:*\ndatabase = hub.db\nkey-file = hub.key\n"
             "master-key-file = master.key\npolicy-file = %s\nfirst-operator = %s\nendpoint-file = endpoint\n"
             "log-level = warning\n",
             policy, hex);
    free(policy);
    return write_text(hub, "hub.conf", conf);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    (void)info, (void)type, (void)at;
    return remove(path);
}

/* ---- Its process ------------------------------------------------------------------------------------------------ */

static bool read_endpoint(struct hub_process *hub)
{
    char path[2 * BENCH_PATH_BYTES];
    snprintf(path, sizeof path, "%s/endpoint", hub->dir);
    FILE *file = fopen(path, "re");
    bool there = file && fgets(hub->endpoint, sizeof hub->endpoint, file) != NULL;
    if (file)
        fclose(file);
    if (there)
        hub->endpoint[strcspn(hub->endpoint, "\n")] = '\0';
    return there && hub->endpoint[0] != '\0';
}

static bool await_endpoint(struct hub_process *hub)
{
    for (int waited = 0; waited < START_MS; waited += STEP_MS) {
        if (read_endpoint(hub))
            return true;
        if (waitpid(hub->pid, NULL, WNOHANG) == hub->pid) {
            hub->pid = 0;
            return fputs("carehub-bench: the hub ended; it says why above\n", stderr), false;
        }
        rest();
    }
    return fputs("carehub-bench: the hub does not come up\n", stderr), false;
}

bool hub_start(struct hub_process *hub, const struct bench_options *options)
{
    char conf[2 * BENCH_PATH_BYTES];
    struct statfs fs;
    snprintf(hub->dir, sizeof hub->dir, "%s/carehub-bench-XXXXXX", options->dir);
    if (!mkdtemp(hub->dir)) {
        hub->dir[0] = '\0';
        return fprintf(stderr, "carehub-bench: cannot make a directory in %s\n", options->dir), false;
    }
    if (statfs(hub->dir, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
        fprintf(stderr, "carehub-bench: %s is tmpfs, where fsync costs nothing; --dir names another place\n",
                options->dir);
    if (!write_keys(hub) || !write_configuration(hub, options))
        return false;
    snprintf(conf, sizeof conf, "%s/hub.conf", hub->dir);
    fflush(NULL);
    hub->pid = fork();
    if (hub->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* not to outlive a benchmark that was killed */
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl(options->hubd, options->hubd, "--config", conf, (char *)NULL);
        fprintf(stderr, "carehub-bench: cannot start %s\n", options->hubd);
        _exit(127);
    }
    return hub->pid > 0 && await_endpoint(hub);
}

void hub_stop(struct hub_process *hub)
{
    bool ended = hub->pid <= 0;
    if (!ended)
        kill(hub->pid, SIGTERM);
    for (int waited = 0; !ended && waited < STOP_MS; waited += STEP_MS) {
        ended = waitpid(hub->pid, NULL, WNOHANG) == hub->pid;
        if (!ended)
            rest();
    }
    if (!ended) {
        fputs("carehub-bench: the hub does not end when asked to; killed\n", stderr);
        kill(hub->pid, SIGKILL);
        waitpid(hub->pid, NULL, 0);
    }
    if (hub->dir[0])
        nftw(hub->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    sodium_memzero(hub, sizeof *hub);
}

/* ---- What it uses ----------------------------------------------------------------------------------------------- */

double process_cpu_s(pid_t pid)
{
    char path[64], text[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t n = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[n] = '\0';
    const char *after_name = strrchr(text, ')'); /* the name may hold anything */
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void memory_of(pid_t pid, struct sample *sample)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        uint64_t kib;
        if (sscanf(line, "VmRSS: %" SCNu64, &kib) == 1)
            sample->hub_rss_bytes = kib * 1024;
        else if (sscanf(line, "VmHWM: %" SCNu64, &kib) == 1)
            sample->hub_peak_bytes = kib * 1024;
    }
    if (file)
        fclose(file);
}

static bool ask_status(struct run *run, struct sample *sample)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__StatusQuery status = CAREHUB__V1__STATUS_QUERY__INIT;
    Carehub__V1__Answer *answer = NULL;
    query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
    query.status = &status;
    if (carehub_ask(run->operator_client, &query, BENCH_TIMEOUT_MS, &answer) != CAREHUB_OK)
        return complain("the hub does not answer");
    bool there = answer->answer_case == CAREHUB__V1__ANSWER__ANSWER_STATUS;
    if (there) {
        sample->commits = answer->status->commits;
        sample->events = answer->status->events;
        sample->deliveries = answer->status->deliveries;
        sample->acks = answer->status->acks;
        sample->undelivered = answer->status->undelivered;
        sample->database_bytes = answer->status->database_bytes;
        sample->wal_bytes = answer->status->wal_bytes;
    }
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return there;
}

bool hub_sample(struct run *run, struct sample *sample)
{
    struct rusage usage;
    bool answered = ask_status(run, sample);
    getrusage(RUSAGE_SELF, &usage);
    sample->at_ns = now_ns();
    sample->load_cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    sample->hub_cpu_s = process_cpu_s(run->hub.pid);
    memory_of(run->hub.pid, sample);
    return answered;
}
