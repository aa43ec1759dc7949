/* carehub backup: an online copy of the hub's database, sealed; carehub restore: puts one back, with carehubd. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "nouns.h"
#include "session.h"
#include "wait.h"

enum { LOOK_EVERY_MS = 200 };

/* ---- The file: under another name until it is whole and on disk ------------------------------------------------- */

struct out {
    const char *path;
    char part[PATH_MAX];
    int fd;
};

static int out_failed(const struct out *out, const char *doing)
{
    return fail(EXIT_NO, "Give another FILE, on a disk with room.", "cannot %s %s: %s", doing, out->path,
                strerror(errno));
}

static int out_open(struct out *out, const char *path)
{
    struct stat status;
    *out = (struct out){.path = path, .fd = -1};
    if (stat(path, &status) == 0)
        return fail(EXIT_NO, "Name a file that is not there yet: a backup replaces none.", "%s is there already", path);
    if ((size_t)snprintf(out->part, sizeof out->part, "%s.part", path) >= sizeof out->part)
        return fail(EXIT_USAGE, NULL, "the file's name is too long");
    out->fd = open(out->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return out->fd >= 0 ? EXIT_OK : out_failed(out, "write");
}

static int out_add(struct out *out, const ProtobufCBinaryData *bytes)
{
    for (size_t done = 0; done < bytes->len;) {
        ssize_t n = write(out->fd, bytes->data + done, bytes->len - done);
        if (n < 0 && errno != EINTR)
            return out_failed(out, "write");
        done += n > 0 ? (size_t)n : 0;
    }
    return EXIT_OK;
}

/* On disk, and then by its name: also when the power fails right after we have said so. */
static int out_keep(struct out *out)
{
    char *slash = strrchr(out->part, '/');
    if (fsync(out->fd) != 0 || rename(out->part, out->path) != 0)
        return out_failed(out, "keep");
    if (slash)
        slash[slash == out->part] = '\0';
    int directory = open(slash ? out->part : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = directory < 0 || fsync(directory) != 0;
    if (directory >= 0)
        close(directory);
    return failed ? out_failed(out, "keep") : EXIT_OK;
}

static void out_close(struct out *out, int code)
{
    if (out->fd < 0)
        return;
    close(out->fd);
    if (code != EXIT_OK)
        unlink(out->part);
}

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

struct job {
    struct session *session;
    uint8_t id[16];
    uint64_t size;
    Carehub__V1__BackupQuery asked;
    Carehub__V1__Answer *answer;
    const Carehub__V1__BackupAnswer *got;
};

static int ask_backup(struct job *job)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_BACKUP;
    query.backup = &job->asked;
    answer_free(&job->answer);
    int code = session_ask(job->session, &query, CAREHUB__V1__ANSWER__ANSWER_BACKUP, &job->answer);
    job->got = code == EXIT_OK ? job->answer->backup : NULL;
    return code;
}

/* Begins it, and waits until the hub has its copy. */
static int wait_for_copy(struct job *job)
{
    struct progress progress;
    struct wait wait;
    int code = ask_backup(job);
    if (code == EXIT_OK && job->got->id.len != sizeof job->id)
        return fail(EXIT_NO, NULL, "the hub's answer cannot be understood");
    if (code)
        return code;
    memcpy(job->id, job->got->id.data, sizeof job->id);
    job->asked.id = (ProtobufCBinaryData){sizeof job->id, job->id};
    wait_start(&wait);
    progress_start(&progress, "copying the database", 0);
    while (code == EXIT_OK && job->got->size == 0) {
        progress.total = job->got->pages;
        progress_step(&progress, job->got->pages_copied);
        if (wait_for(&wait, monotonic_ms() + LOOK_EVERY_MS) == WAIT_INTERRUPTED)
            code = fail(EXIT_NO, NULL, "interrupted; there is no backup");
        else
            code = ask_backup(job);
    }
    progress_end(&progress);
    wait_end(&wait);
    return code;
}

/* The first piece came with the answer that said that the copy is whole. */
static int fetch(struct job *job, struct out *out)
{
    struct progress progress;
    int code = EXIT_OK;
    job->size = job->got->size;
    progress_start(&progress, "fetching the backup", job->size);
    while (code == EXIT_OK) {
        code = out_add(out, &job->got->piece);
        job->asked.offset += job->got->piece.len;
        progress_step(&progress, job->asked.offset);
        if (code || job->asked.offset >= job->size)
            break;
        code = ask_backup(job);
        if (code == EXIT_OK && job->got->piece.len == 0)
            code = fail(EXIT_NO, "Try again.", "the hub's answer holds no piece of the backup");
    }
    progress_end(&progress);
    return code;
}

static int report(struct job *job, const char *path, uint64_t place, int64_t taken_ms, uint32_t epoch)
{
    char size[SIZE_CHARS], when[WHEN_CHARS], count[COUNT_CHARS], number[16];
    snprintf(number, sizeof number, "%u", epoch);
    if (job->session->json) {
        char bytes[24], at[24];
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)job->size);
        snprintf(at, sizeof at, "%llu", (unsigned long long)place);
        print_json_pairs("file", path, "bytes", bytes, "place", at, "epoch", number, NULL);
        return EXIT_OK;
    }
    printf("%s: %s, the hub up to #%s (%.19s), sealed with the key of epoch %s.\n", path, size_text(job->size, size),
           count_text(place, count), when_text(taken_ms, when), number);
    puts("It opens only with the hub's keyring and master key: keep copies of those elsewhere.");
    return EXIT_OK;
}

static int back_up(struct session *session, struct out *out)
{
    struct job job = {.session = session, .asked = CAREHUB__V1__BACKUP_QUERY__INIT};
    uint64_t place = 0;
    int64_t taken_ms = 0;
    uint32_t epoch = 0;
    int code = wait_for_copy(&job);
    if (code == EXIT_OK) {
        place = job.got->place;
        taken_ms = job.got->taken_ms;
        epoch = job.got->epoch;
        code = fetch(&job, out);
    }
    if (code == EXIT_OK)
        code = out_keep(out);
    if (code == EXIT_OK) { /* only now is it one: the hub notes when */
        job.asked.end = true;
        code = ask_backup(&job);
    }
    if (code == EXIT_OK)
        code = report(&job, out->path, place, taken_ms, epoch);
    answer_free(&job.answer);
    return code;
}

static int run_backup(const struct args *args)
{
    struct session session = {0};
    struct out out;
    int code = out_open(&out, args_value(args, 0));
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = back_up(&session, &out);
    session_close(&session);
    out_close(&out, code);
    return code;
}

/* ---- Restoring -------------------------------------------------------------------------------------------------- */

/* It takes the keys and the database's place: both are the daemon's, whose configuration names them. */
static int run_restore(const struct args *args)
{
    const char *daemon = args_option(args, "carehubd");
    const char *configuration = args_option(args, "hub-config"), *file = args_value(args, 0);
    char *argv[] = {"carehubd", "--config", (char *)configuration, "--restore", (char *)file, NULL};
    execv(daemon ? daemon : CAREHUB_SBIN_DIR "/carehubd", argv);
    if (!daemon)
        execvp("carehubd", argv);
    return fail(EXIT_NO, "Name it with --carehubd.", "carehubd, which restores, cannot be run: %s", strerror(errno));
}

const struct command backup_commands[] = {
    {
        .summary = "write a backup of the hub to a file",
        .arguments = {{"FILE", "to be made; it must not be there yet"}},
        .detail = "The hub goes on meanwhile. It makes a copy beside its database first, and needs room for that; then "
                  "the copy is sealed and fetched. FILE is there only when it is whole and on disk.\n"
                  "What is erased afterwards is still in an older backup, until the key of its epoch is destroyed: see "
                  "carehub-erase(1).",
        .example = "carehub backup /mnt/backups/hub-2026-11-22.backup",
        .run = run_backup,
    },
    {0},
};

const struct command restore_commands[] = {
    {
        .summary = "put a backup back, in place of the hub's database",
        .arguments = {{"FILE", "what `carehub backup` wrote"}},
        .options = {{"hub-config", "FILE", "the configuration of carehubd: it names the database and the keys",
                     .required = true},
                    {"carehubd", "PATH", "the daemon's program, if it is not where it is installed"}},
        .detail =
            "Run it where the hub runs, as its user, while the hub is stopped. The backup is opened and every row of "
            "it checked first; only then does it take the place of the database, which is kept beside it under "
            "another name (DATABASE.replaced-…; it holds what it held: remove it when it is needed no more).\nOn "
            "another machine the hub's configuration, keys and keyring have to be there first, and the directory of "
            "the audit log (DATABASE.tlog), if it can still be had.\nTwo things are to be done afterwards, and it "
            "says so. Who was erased since the backup is in the hub again: it names them if the old database tells, "
            "and each is erased once more. And the audit log that was published goes further than the backup: an "
            "auditor says what happened (carehub audit resume), and a new log begins.",
        .example = "carehub restore hub-2026-11-22.backup --hub-config /etc/carehub/hub.conf",
        .run = run_restore,
    },
    {0},
};
