/* The power fails at any write, rename, removal or sync of the database or of the audit log's files, while entries come
 * in, tiles and checkpoints are written, and files of old entries are pruned. Whatever the disk has made of it:
 *
 *     no checkpoint that was ever there to be read names an entry that is not in the database afterwards
 *     every tile that the checkpoint needs is there and right
 *     the log goes on by itself, and is one log with every checkpoint of before
 *
 * And the test of the test: on a disk whose syncfs does nothing, this is noticed.
 *
 *     test_tlog_powercut [--cuts N] [--seed N] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../sim/vfs_powercut.h"
#include "audit/check.h"
#include "audit/minimum.h"
#include "tlog_disk.h"
#include "tlog_fixture.h"

enum { OLD_ENTRIES = 2900, ROUNDS = 24, SEEN_MAX = 256, POINTS_MAX = 1024, AROUND = 8, DONE_EXIT = 88 };
#define DAY (24 * 3600 * 1000LL)

/* What the world outside has seen: survives the process. */
struct told {
    struct checkpoint seen[SEEN_MAX];
    size_t n_seen;
    uint64_t minimum, calls;
    uint64_t points[POINTS_MAX]; /* calls at which a file of the log took its name */
    size_t n_points;
};

static struct told *told;
static struct hub *hub;
static struct powercut cut;
static struct disk_plan disk;

static _Noreturn void give_up(const char *what, uint64_t number)
{
    fprintf(stderr, "test_tlog_powercut: cut at %llu, loss %d, seed %llu: %s (%llu)\n", (unsigned long long)cut.cut_at,
            (int)disk.loss, (unsigned long long)disk.seed, what, (unsigned long long)number);
    exit(1);
}

/* ---- The load --------------------------------------------------------------------------------------------------- */

static void named(const char *name, const void *bytes, size_t size)
{
    struct checkpoint *next = &told->seen[told->n_seen];
    struct minimum minimum;
    struct note note;
    if (told->n_points < POINTS_MAX)
        told->points[told->n_points++] = powercut_calls();
    if (strcmp(name, "checkpoint") == 0 && told->n_seen < SEEN_MAX - 1 &&
        checkpoint_note_parse(bytes, size, &note, next))
        told->n_seen++;
    else if (strcmp(name, MINIMUM_FILE) == 0 && minimum_note_parse(bytes, size, &note, &minimum))
        told->minimum = minimum.index;
}

static void enter(size_t n)
{
    for (size_t i = 0; i < n; i++) { /* each leaves an entry */
        hub_ask(hub, "{\"patient\": {\"patient\": {\"number\": 1}}}");
        hub_clear(hub);
    }
}

/* Entries come in, and what is behind the hot path comes to its turn; the old ones are too old by now. */
static void load(void)
{
    hub->now_ms += 90 * DAY;
    tlog_start(hub);
    for (size_t round = 0; round < ROUNDS; round++) {
        enter(3 + round % 5 * 8);
        tlog_pass(hub, 1200);
        hub->now_ms += 61000; /* retention, and then pruning, look again */
        told->calls = powercut_calls();
    }
}

/* ---- Cuts ------------------------------------------------------------------------------------------------------- */

static void template_file(const char *name, bool keep)
{
    char live[200], kept[200], command[700];
    snprintf(live, sizeof live, "%s/%s", hub->directory, name);
    snprintf(kept, sizeof kept, "%s/kept/%s", hub->directory, name);
    snprintf(command, sizeof command, "rm -rf %s && cp -r %s %s", keep ? kept : live, keep ? live : kept,
             keep ? kept : live);
    if (system(command) != 0)
        abort();
}

static int run(void)
{
    static const char *const names[] = {"hub.db", "hub.db.keyring", "log"};
    char wal[128];
    int status;
    memset(told, 0, sizeof *told);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        template_file(names[i], false);
    snprintf(wal, sizeof wal, "%s-wal", hub->database);
    unlink(wal);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        powercut_install(&cut);
        disk_watch(&disk);
        load();
        _exit(DONE_EXIT);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        give_up("the process was killed, or could not be started", (uint64_t)status);
    return WEXITSTATUS(status);
}

/* NULL: all is well. */
static const char *files_wrong(struct checkpoint *checkpoint)
{
    struct check check = {.source = tile_source_directory(hub->tlog), .minimum = tlog_minimum(hub->tlog)};
    if (!tlog_checkpoint(hub->tlog, checkpoint))
        return "there is no checkpoint any more";
    check.checkpoint = *checkpoint;
    return check_tiles(&check) == CHECK_SOUND ? NULL : "the files are not what the checkpoint says";
}

static const char *goes_on(void)
{
    hub->now_ms += 90 * DAY + ROUNDS * 70000LL;
    tlog_start(hub);
    uint64_t last = tlog_status(hub)->last_place;
    for (size_t i = 0; i < told->n_seen; i++)
        if (told->seen[i].size > last)
            return "a checkpoint named entries that were not durable";
    enter(300);
    tlog_pass(hub, 3000);
    if (tlog_status(hub)->not_signing[0])
        return "nothing is signed any more";
    hub->now_ms += 61000;
    enter(3);
    tlog_pass(hub, 3000);
    return tlog_status(hub)->checkpoint_size + 1 >= tlog_status(hub)->last_place ? NULL : "the log does not grow";
}

/* Is it one log with what was seen, as far as that can be said? */
static const char *another_log(const struct checkpoint *last)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    const char *wrong = NULL;
    tile_nodes_init(nodes, tile_source_directory(hub->tlog), last->size);
    struct merkle_source source = tile_nodes_source(nodes);
    for (size_t i = 0; i < told->n_seen && !wrong; i++) {
        struct merkle_hash root;
        if (told->seen[i].size >= tlog_minimum(hub->tlog) &&
            (!merkle_root(&source, told->seen[i].size, &root) || !merkle_equal(&root, &told->seen[i].root)))
            wrong = "it is another log than was seen before";
    }
    free(nodes);
    return wrong;
}

static const char *what_is_wrong(void)
{
    struct checkpoint checkpoint;
    int64_t now_ms = hub->now_ms;
    const char *wrong = files_wrong(&checkpoint);
    if (!wrong)
        wrong = goes_on();
    if (!wrong)
        wrong = files_wrong(&checkpoint);
    if (!wrong)
        wrong = another_log(&checkpoint);
    if (!wrong)
        tlog_assert_leaves(hub, hub->tlog);
    core_close(&hub->core);
    hub_clear(hub);
    hub->now_ms = now_ms;
    return wrong;
}

static uint64_t dice(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

/* Somewhere, or around a name in the log's directory: most calls are the database's. */
static uint64_t point(const struct told *whole, uint64_t *seed)
{
    if (dice(seed) % 4 == 0)
        return 1 + dice(seed) % whole->calls;
    uint64_t at = whole->points[dice(seed) % whole->n_points] + dice(seed) % (2 * AROUND);
    return at <= AROUND ? 1 : at - AROUND < whole->calls ? at - AROUND : whole->calls;
}

/* Cuts the power n times; how often something was wrong then. */
static size_t cuts(uint64_t n, uint64_t seed, const struct told *whole)
{
    size_t bad = 0;
    for (uint64_t i = 0; i < n; i++) {
        cut.cut_at = point(whole, &seed);
        cut.seed = disk.seed = dice(&seed);
        disk.loss = (enum disk_loss)(i % DISK_LOSSES);
        cut.torn = i & 1;
        int status = run();
        if (status != POWERCUT_EXIT)
            give_up("the power did not fail", (uint64_t)status);
        const char *wrong = what_is_wrong();
        bad += wrong != NULL;
        if (wrong && !disk.deaf)
            give_up(wrong, told->n_seen);
    }
    return bad;
}

/* ---- The template ----------------------------------------------------------------------------------------------- */

static void prepare(void **state)
{
    static const char *const names[] = {"hub.db", "hub.db.keyring", "log"};
    char kept[128];
    hub_setup(state);
    hub = *state;
    snprintf(hub->tlog, sizeof hub->tlog, "%s/log", hub->directory);
    hub->prune_tiles = true;
    hub->payload_kept_ms = DAY;
    hub->entry_kept_ms = 60 * DAY;
    hub_crash(hub);
    hub_region(hub);
    enter(OLD_ENTRIES);
    tlog_pass(hub, 3000);
    core_close(&hub->core);
    hub_clear(hub);
    snprintf(kept, sizeof kept, "mkdir %s/kept", hub->directory);
    if (system(kept) != 0)
        abort();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        template_file(names[i], true);
    disk.directory = hub->tlog;
    disk.named = named;
    cut.also = disk_power_fails;
}

int main(int argc, char **argv)
{
    uint64_t n = 45, seed = 1;
    void *state;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cuts") == 0)
            n = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        abort();
    prepare(&state);
    if (run() != DONE_EXIT)
        give_up("the load does not run", 0);
    static struct told whole;
    whole = *told;
    if (told->minimum == 0 || told->n_seen < ROUNDS / 2)
        give_up("the load prunes nothing, or signs nothing", told->n_seen);
    const char *wrong = what_is_wrong();
    if (wrong)
        give_up(wrong, 0);
    cuts(n, seed, &whole);
    disk.deaf = true;
    size_t missed = cuts(n / 4 + 4, seed, &whole);
    if (missed == 0)
        give_up("a disk that syncs nothing is not noticed: this test sees nothing", 0);
    printf(
        "%llu writes, syncs and changes of names; %llu cuts: the log goes on. Without syncs: trouble at %zu of %llu\n",
        (unsigned long long)whole.calls, (unsigned long long)n, missed, (unsigned long long)(n / 4 + 4));
    hub->now_ms += 200 * DAY;
    hub_open(hub);
    hub_teardown(&state);
    return 0;
}
