/* adapter_process.c - a carehub-adapter of our own: its files and its process. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "native.h"

enum { START_MS = 10000, STOP_MS = 20000, STEP_MS = 10, OPEN_DIRECTORIES_MAX = 8 };

static void rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = STEP_MS * 1000000L}, NULL);
}

/* ---- Its files -------------------------------------------------------------------------------------------------- */

static bool write_text(const struct adapter_process *adapter, const char *name, const char *text)
{
    char path[2 * BENCH_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", adapter->dir, name);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    if (file)
        written = fclose(file) == 0 && written;
    return written || complain("cannot write the adapter's files");
}

static bool write_files(const struct adapter_process *adapter, const struct run *run, const struct carehub_keypair *key,
                        const char *in, const char *format)
{
    char text[4096], path[2 * BENCH_PATH_BYTES], hex[2 * CAREHUB_KEY_BYTES + 1];
    sodium_bin2hex(hex, sizeof hex, run->hub.key.public_key, CAREHUB_KEY_BYTES);
    snprintf(text, sizeof text, "endpoint = %s\nhub-key = %s\nkey-file = client.key\n", run->hub.endpoint, hex);
    if (!write_text(adapter, "client.conf", text))
        return false;
    snprintf(text, sizeof text,
             "state-dir = state\nendpoint-file = endpoint\nlog-level = warning\nhub\n    client-config = client.conf\n"
             "in\n%s%s",
             in, format);
    if (!write_text(adapter, "adapter.conf", text))
        return false;
    snprintf(path, sizeof path, "%s/drop", adapter->dir);
    if (mkdir(path, 0700) != 0)
        return complain("cannot write the adapter's files");
    snprintf(path, sizeof path, "%s/client.key", adapter->dir);
    return carehub_key_save(key, path) == CAREHUB_OK || complain("cannot save the adapter's key");
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)info;
    (void)type;
    (void)ftw;
    remove(path);
    return 0;
}

/* ---- Its process ------------------------------------------------------------------------------------------------ */

static bool read_endpoint(struct adapter_process *adapter)
{
    char path[2 * BENCH_PATH_BYTES];
    snprintf(path, sizeof path, "%s/endpoint", adapter->dir);
    FILE *file = fopen(path, "re");
    bool there = file && fgets(adapter->endpoint, sizeof adapter->endpoint, file) != NULL;
    if (file)
        fclose(file);
    if (there)
        adapter->endpoint[strcspn(adapter->endpoint, "\n")] = '\0';
    return there && adapter->endpoint[0] != '\0';
}

static bool await_endpoint(struct adapter_process *adapter)
{
    for (int waited = 0; waited < START_MS; waited += STEP_MS) {
        if (read_endpoint(adapter))
            return true;
        if (waitpid(adapter->pid, NULL, WNOHANG) == adapter->pid) {
            adapter->pid = 0;
            return fputs("carehub-bench: the adapter ended; it says why above\n", stderr), false;
        }
        rest();
    }
    return fputs("carehub-bench: the adapter does not come up\n", stderr), false;
}

bool adapter_start(struct adapter_process *adapter, struct run *run, const char *name, const char *in,
                   const char *format)
{
    char conf[2 * BENCH_PATH_BYTES];
    struct carehub_keypair key;
    snprintf(adapter->dir, sizeof adapter->dir, "%s/carehub-bench-XXXXXX", run->options->dir);
    if (!mkdtemp(adapter->dir)) {
        adapter->dir[0] = '\0';
        return complain("cannot make a temporary directory");
    }
    if (!region_publisher(run, name, &key) || !write_files(adapter, run, &key, in, format))
        return false;
    snprintf(conf, sizeof conf, "%s/adapter.conf", adapter->dir);
    fflush(NULL);
    adapter->pid = fork();
    if (adapter->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* not to outlive a benchmark that was killed */
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO); /* the counters, at its end */
        execl(BENCH_ADAPTER, BENCH_ADAPTER, "--config", conf, (char *)NULL);
        fprintf(stderr, "carehub-bench: cannot start %s\n", BENCH_ADAPTER);
        _exit(127);
    }
    return adapter->pid > 0 && await_endpoint(adapter);
}

void adapter_stop(struct adapter_process *adapter)
{
    bool ended = adapter->pid <= 0;
    if (!ended)
        kill(adapter->pid, SIGTERM);
    for (int waited = 0; !ended && waited < STOP_MS; waited += STEP_MS) {
        ended = waitpid(adapter->pid, NULL, WNOHANG) == adapter->pid;
        if (!ended)
            rest();
    }
    if (!ended) {
        fputs("carehub-bench: the adapter does not end when asked to; killed\n", stderr);
        kill(adapter->pid, SIGKILL);
        waitpid(adapter->pid, NULL, 0);
    }
    if (adapter->dir[0])
        nftw(adapter->dir, remove_one, OPEN_DIRECTORIES_MAX, FTW_DEPTH | FTW_PHYS);
    memset(adapter, 0, sizeof *adapter);
}
