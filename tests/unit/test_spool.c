/* test_spool.c - what the spool promises: once appended never lost, in order, and unreadable without its key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "spool_internal.h"

enum { MAX_BYTES = 8 << 20, EVENT_BYTES = 300, KILLS = 25 };
static const char MARKER[] = "79.12.01-001.24 planted marker";

struct folder {
    char dir[64];
};

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/carehub-spool-XXXXXX");
    if (!f || !mkdtemp(f->dir))
        return -1;
    *state = f;
    return 0;
}

static void each_file(const char *dir, void (*fn)(const char *path, void *arg), void *arg)
{
    char path[512];
    DIR *folder = opendir(dir);
    assert_non_null(folder);
    for (struct dirent *e; (e = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.')
            fn(path, arg);
    }
    closedir(folder);
}

static void remove_file(const char *path, void *arg)
{
    (void)arg;
    unlink(path);
}

static int teardown(void **state)
{
    struct folder *f = *state;
    each_file(f->dir, remove_file, NULL);
    rmdir(f->dir);
    free(f);
    return 0;
}

/* ---- Helpers ---------------------------------------------------------------------------------------------------- */

static struct spool *open_spool(const char *dir, uint64_t max_bytes)
{
    struct spool *s = NULL;
    struct spool_config config = {.dir = dir, .max_bytes = max_bytes};
    int result = spool_open(&s, &config);
    if (result != CAREHUB_OK)
        fail_msg("spool_open: %s", carehub_error());
    return s;
}

static int append(struct spool *s, uint64_t number)
{
    uint8_t event[EVENT_BYTES] = {0};
    memcpy(event, &number, sizeof number);
    memcpy(event + 16, MARKER, sizeof MARKER);
    return spool_append(s, event, sizeof event, NULL, NULL);
}

/* Takes the next; 0: there is none. */
static uint64_t take(struct spool *s, uint64_t *ticket)
{
    struct spool_record record;
    uint64_t number;
    if (!spool_peek(s, &record))
        return 0;
    assert_int_equal(record.size, EVENT_BYTES);
    memcpy(&number, record.event, sizeof number);
    spool_take(s, &record);
    if (ticket)
        *ticket = record.ticket;
    return number;
}

static uint64_t count_waiting(struct spool *s)
{
    struct carehub_spool_status status;
    spool_status(s, &status);
    return status.waiting;
}

struct newest {
    char path[512];
};

static void find_newest(const char *path, void *arg)
{
    struct newest *n = arg;
    if (strstr(path, "/segment-") && strcmp(path, n->path) > 0)
        snprintf(n->path, sizeof n->path, "%s", path);
}

static struct newest newest_segment(const char *dir)
{
    struct newest n = {""};
    each_file(dir, find_newest, &n);
    assert_true(n.path[0]);
    return n;
}

static void count_segment(const char *path, void *arg)
{
    *(int *)arg += strstr(path, "/segment-") != NULL;
}

static int count_segments(const char *dir)
{
    int n = 0;
    each_file(dir, count_segment, &n);
    return n;
}

static void count_damaged(const char *path, void *arg)
{
    *(int *)arg += strstr(path, "/damaged-") != NULL;
}

static off_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void flip(const char *path, off_t offset)
{
    uint8_t byte;
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x20;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* ---- The promises ----------------------------------------------------------------------------------------------- */

static void appended_events_come_back_in_order_after_reopening(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 50; i++)
        assert_int_equal(append(s, i), CAREHUB_OK);
    for (uint64_t i = 1; i <= 20; i++)
        assert_int_equal(take(s, NULL), i); /* taken, but not settled */
    spool_close(&s);

    s = open_spool(dir, MAX_BYTES);
    assert_int_equal(count_waiting(s), 50);
    assert_int_equal(append(s, 51), CAREHUB_OK);
    for (uint64_t i = 1; i <= 51; i++)
        assert_int_equal(take(s, NULL), i);
    assert_int_equal(take(s, NULL), 0);
    assert_true(spool_drained(s));
    assert_int_equal(append(s, 52), CAREHUB_OK);
    assert_int_equal(take(s, NULL), 52);
    spool_close(&s);
}

static void settled_events_do_not_come_back_and_their_files_go(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    uint64_t tickets[100];
    struct spool *s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 100; i++)
        assert_int_equal(append(s, i), CAREHUB_OK);
    for (int i = 0; i < 100; i++)
        take(s, &tickets[i]);
    for (int i = 59; i >= 0; i--) /* confirms may come in any order */
        spool_settle(s, tickets[i]);
    spool_close(&s);

    s = open_spool(dir, MAX_BYTES);
    assert_int_equal(count_waiting(s), 40);
    for (uint64_t i = 61; i <= 100; i++) {
        assert_int_equal(take(s, &tickets[0]), i);
        spool_settle(s, tickets[0]);
    }
    assert_int_equal(count_waiting(s), 0);
    spool_close(&s);
    assert_int_equal(count_segments(dir), 0);

    s = open_spool(dir, MAX_BYTES);
    assert_int_equal(take(s, NULL), 0);
    assert_int_equal(append(s, 101), CAREHUB_OK);
    assert_int_equal(take(s, NULL), 101);
    spool_close(&s);
}

static void what_is_not_settled_holds_back_only_the_mark(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    uint64_t first, ticket;
    struct spool *s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 3; i++)
        append(s, i);
    take(s, &first);
    for (int i = 0; i < 2; i++) {
        take(s, &ticket);
        spool_settle(s, ticket);
    }
    assert_int_equal(count_waiting(s), 1);
    spool_close(&s);
    s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 3; i++) /* repeats are harmless, losses are not */
        assert_int_equal(take(s, NULL), i);
    spool_close(&s);
}

static void full_spool_refuses_and_loses_nothing(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, 20000);
    uint64_t n = 0, ticket;
    while (append(s, n + 1) == CAREHUB_OK)
        assert_true(++n < 100);
    assert_int_equal(append(s, n + 1), CAREHUB_SPOOL_FULL);
    assert_non_null(strstr(carehub_error(), "full"));
    assert_int_equal(take(s, &ticket), 1);
    spool_settle(s, ticket);
    assert_int_equal(append(s, n + 1), CAREHUB_OK);
    for (uint64_t i = 2; i <= n + 1; i++)
        assert_int_equal(take(s, NULL), i);
    spool_close(&s);
}

static void find_marker(const char *path, void *arg)
{
    off_t size = size_of(path);
    uint8_t *data = malloc((size_t)size + 1);
    FILE *file = fopen(path, "r");
    assert_int_equal(fread(data, 1, (size_t)size, file), size);
    fclose(file);
    *(int *)arg += memmem(data, (size_t)size, "planted marker", 14) != NULL;
    assert_int_equal(*(int *)arg, 0);
    struct stat st;
    stat(path, &st);
    assert_int_equal(st.st_mode & 0777, 0600);
    free(data);
}

static bool see_refused(void *arg, const Carehub__V1__Error *error, const uint8_t *event, size_t size)
{
    assert_int_equal(error->code, CAREHUB__V1__ERROR_CODE__INVALID);
    assert_non_null(memmem(event, size, "planted marker", 14));
    ++*(int *)arg;
    return true;
}

static void nothing_readable_is_on_disk(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES);
    int found = 0, refused = 0;
    uint64_t ticket;
    struct spool_record record;
    for (uint64_t i = 1; i <= 10; i++)
        append(s, i);
    for (int i = 0; i < 2; i++) {
        Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
        error.code = CAREHUB__V1__ERROR_CODE__INVALID;
        error.text = "planted marker";
        assert_true(spool_peek(s, &record));
        assert_true(spool_refuse(s, &error, record.event, record.size));
        take(s, &ticket);
        spool_settle(s, ticket);
    }
    each_file(dir, find_marker, &found);
    spool_close(&s);
    each_file(dir, find_marker, &found);
    assert_int_equal(carehub_spool_refused(dir, NULL, see_refused, &refused), CAREHUB_OK);
    assert_int_equal(refused, 2);
}

/* The file as a power cut may leave it: cut at any byte of the last record, or with anything in its place. */
static void torn_tail_is_cut_and_the_rest_is_kept(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 4; i++)
        append(s, i);
    spool_close(&s);
    char path[512], original[600];
    snprintf(path, sizeof path, "%s", newest_segment(dir).path);
    off_t size = size_of(path), record = (size - 40) / 4;
    snprintf(original, sizeof original, "cp %s %s/saved", path, dir);
    assert_int_equal(system(original), 0);
    snprintf(original, sizeof original, "cp %s/saved %s", dir, path);

    for (off_t cut = 1; cut <= record; cut += 7) {
        assert_int_equal(system(original), 0);
        if (cut % 2)
            assert_int_equal(truncate(path, size - cut), 0);
        else
            flip(path, size - cut);
        s = open_spool(dir, MAX_BYTES);
        for (uint64_t i = 1; i <= 3; i++)
            assert_int_equal(take(s, NULL), i);
        assert_int_equal(take(s, NULL), 0);
        assert_non_null(spool_remark(s));
        assert_null(spool_remark(s));
        spool_close(&s);
        assert_int_equal(size_of(path), size - record);
    }
}

static void damaged_record_is_skipped_reported_and_its_file_kept(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES);
    for (uint64_t i = 1; i <= 3; i++)
        append(s, i);
    spool_close(&s);
    struct newest segment = newest_segment(dir);
    flip(segment.path, size_of(segment.path) / 2);
    s = open_spool(dir, MAX_BYTES);
    uint64_t ticket;
    int damaged = 0;
    assert_non_null(spool_remark(s));
    assert_int_equal(count_waiting(s), 2);
    assert_int_equal(take(s, &ticket), 1);
    spool_settle(s, ticket);
    assert_int_equal(take(s, &ticket), 3);
    spool_settle(s, ticket);
    assert_int_equal(count_waiting(s), 0);
    spool_close(&s);
    each_file(dir, count_damaged, &damaged);
    assert_int_equal(damaged, 1);
}

/* A child appends and says so; it is killed at some moment; nothing that it said may be missing, and the order holds.
 */
static void append_until_killed(const char *dir, uint64_t first, int fd)
{
    struct spool *s = NULL;
    struct spool_config config = {.dir = dir, .max_bytes = MAX_BYTES};
    if (spool_open(&s, &config) != CAREHUB_OK)
        _exit(1);
    for (uint64_t i = first;; i++)
        if (append(s, i) != CAREHUB_OK || write(fd, &i, sizeof i) != sizeof i)
            _exit(1);
}

static uint64_t run_and_kill(const char *dir, uint64_t first)
{
    int pipe_fds[2];
    uint64_t number, said = first - 1;
    assert_int_equal(pipe(pipe_fds), 0);
    pid_t child = fork();
    if (child == 0)
        append_until_killed(dir, first, pipe_fds[1]);
    close(pipe_fds[1]);
    usleep(2000 + randombytes_uniform(30000));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(pipe_fds[0], &number, sizeof number) == sizeof number)
        said = number;
    close(pipe_fds[0]);
    return said;
}

static void killed_at_any_moment_nothing_appended_is_lost(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    uint64_t first = 1, settled = 0, total = 0;
    for (int i = 0; i < KILLS; i++) {
        uint64_t said = run_and_kill(dir, first), found = settled, number, ticket;
        struct spool *s = open_spool(dir, MAX_BYTES);
        while ((number = take(s, &ticket)) != 0) {
            assert_int_equal(number, found + 1);
            found = number;
            if (number % 50 < 40 && settled + 1 == number) {
                spool_settle(s, ticket);
                settled = number;
            }
        }
        assert_true(found >= said);
        total = found;
        first = found + 1;
        spool_close(&s);
    }
    assert_true(total > KILLS);
}

static void only_one_process_has_it(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES), *other = NULL;
    struct spool_config config = {.dir = dir, .max_bytes = MAX_BYTES};
    assert_int_equal(spool_open(&other, &config), CAREHUB_IO);
    assert_non_null(strstr(carehub_error(), "another client"));
    spool_close(&s);
    s = open_spool(dir, MAX_BYTES);
    spool_close(&s);
}

static void without_its_key_it_is_refused_and_left_alone(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    char key[128], aside[128];
    struct spool *s = open_spool(dir, MAX_BYTES);
    append(s, 1);
    spool_close(&s);
    snprintf(key, sizeof key, "%s/key", dir);
    snprintf(aside, sizeof aside, "%s/aside", dir);
    assert_int_equal(rename(key, aside), 0);
    struct spool_config config = {.dir = dir, .max_bytes = MAX_BYTES};
    assert_int_equal(spool_open(&s, &config), CAREHUB_CONFIG);

    FILE *file = fopen(key, "w");
    fprintf(file, "%064d\n", 7);
    fclose(file);
    chmod(key, 0600);
    assert_int_equal(spool_open(&s, &config), CAREHUB_CONFIG);
    chmod(key, 0644);
    assert_int_equal(spool_open(&s, &config), CAREHUB_CONFIG);

    assert_int_equal(rename(aside, key), 0);
    s = open_spool(dir, MAX_BYTES);
    assert_int_equal(take(s, NULL), 1);
    spool_close(&s);
}

struct appender {
    struct spool *spool;
    uint64_t base;
    int failures;
};

enum { APPENDERS = 8, EACH = 200 };

static void *append_many(void *arg)
{
    struct appender *a = arg;
    for (uint64_t i = 1; i <= EACH; i++)
        a->failures += append(a->spool, a->base + i) != CAREHUB_OK;
    return NULL;
}

static void concurrent_appenders_keep_their_order(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, MAX_BYTES);
    pthread_t threads[APPENDERS];
    struct appender appenders[APPENDERS];
    uint64_t last[APPENDERS] = {0}, number;
    int n = 0;
    for (int i = 0; i < APPENDERS; i++) {
        appenders[i] = (struct appender){s, (uint64_t)(i + 1) << 32, 0};
        pthread_create(&threads[i], NULL, append_many, &appenders[i]);
    }
    while (n < APPENDERS * EACH) { /* read while they write */
        if ((number = take(s, NULL)) == 0)
            continue;
        uint64_t *of = &last[(number >> 32) - 1];
        assert_int_equal(number & UINT32_MAX, *of + 1);
        *of = number & UINT32_MAX;
        n++;
    }
    for (int i = 0; i < APPENDERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(appenders[i].failures, 0);
    }
    assert_int_equal(take(s, NULL), 0);
    spool_close(&s);
}

static void segments_follow_each_other(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, 4 << 20);
    uint64_t ticket;
    enum { MANY = 3000 };
    for (uint64_t i = 1; i <= MANY; i++)
        assert_int_equal(append(s, i), CAREHUB_OK);
    assert_true(count_segments(dir) > 2);
    for (uint64_t i = 1; i <= MANY; i++) {
        assert_int_equal(take(s, &ticket), i);
        spool_settle(s, ticket);
    }
    assert_int_equal(count_segments(dir), 1); /* the one that is being written */
    spool_close(&s);
    assert_int_equal(count_segments(dir), 0);
}

/* ---- Forgetting ------------------------------------------------------------------------------------------------- */

enum { PIECE_BYTES = 16, PIECE_AT = RECORD_HEAD_BYTES + 40, FORGET_MANY = 1200, PIECES_MAX = FORGET_MANY + 16 };

/* What a file's records are on disk, of those that are to go and of the others. */
struct pieces {
    uint8_t key[SPOOL_KEY_BYTES];
    size_t n_gone, n_kept;
    uint8_t gone[PIECES_MAX][PIECE_BYTES], kept[PIECES_MAX][PIECE_BYTES];
};

static bool is_third(void *arg, const uint8_t *event, size_t size)
{
    uint64_t number;
    *(int *)arg += 1;
    assert_int_equal(size, EVENT_BYTES);
    memcpy(&number, event, sizeof number);
    return number % 3 == 0;
}

static void gather_pieces(const char *path, void *arg)
{
    struct pieces *p = arg;
    struct record_reader reader;
    struct stat st;
    int calls = 0;
    bool refused = strstr(path, "/refused") != NULL;
    if (!refused && !strstr(path, "/segment-"))
        return;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && reader_init(&reader, p->key));
    reader_start(&reader, fd, (uint64_t)st.st_size);
    while (reader_next(&reader) == RECORD_OK) {
        const uint8_t *event = reader.plain + (reader.size - EVENT_BYTES); /* behind the reason, if there is one */
        uint64_t at = reader.offset - (reader.size + RECORD_OVERHEAD_BYTES) + PIECE_AT;
        uint8_t *to = is_third(&calls, event, EVENT_BYTES) ? p->gone[p->n_gone++] : p->kept[p->n_kept++];
        assert_int_equal(pread(fd, to, PIECE_BYTES, (off_t)at), PIECE_BYTES);
    }
    reader_fini(&reader);
    close(fd);
}

struct search {
    const struct pieces *pieces;
    size_t found;
};

static void search_pieces(const char *path, void *arg)
{
    struct search *search = arg;
    struct stat st;
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    uint8_t *bytes = malloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, bytes, (size_t)st.st_size), st.st_size);
    close(fd);
    for (size_t i = 0; i < search->pieces->n_gone; i++)
        search->found += memmem(bytes, (size_t)st.st_size, search->pieces->gone[i], PIECE_BYTES) != NULL;
    free(bytes);
}

static size_t count_found(const char *dir, const struct pieces *pieces)
{
    struct search search = {.pieces = pieces};
    each_file(dir, search_pieces, &search);
    return search.found;
}

/* Some settled, two refused (3 and 4), the others waiting. */
static struct pieces *fill_spool(const char *dir)
{
    struct pieces *pieces = calloc(1, sizeof *pieces);
    struct spool *s = open_spool(dir, 4 << 20);
    Carehub__V1__Error error = CAREHUB__V1__ERROR__INIT;
    struct spool_record record;
    uint64_t ticket = 0;
    error.code = CAREHUB__V1__ERROR_CODE__INVALID;
    for (uint64_t i = 1; i <= FORGET_MANY; i++)
        assert_int_equal(append(s, i), CAREHUB_OK);
    for (uint64_t i = 1; i <= 10; i++) {
        assert_true(spool_peek(s, &record));
        if (i == 3 || i == 4)
            assert_true(spool_refuse(s, &error, record.event, record.size));
        assert_int_equal(take(s, &ticket), i);
        spool_settle(s, ticket);
    }
    assert_true(count_segments(dir) > 1);
    memcpy(pieces->key, s->key, sizeof pieces->key);
    spool_close(&s);
    each_file(dir, gather_pieces, pieces);
    assert_true(pieces->n_gone > FORGET_MANY / 3 && count_found(dir, pieces) == pieces->n_gone);
    return pieces;
}

static void what_is_forgotten_is_gone_from_the_files_and_the_rest_goes_on(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    int calls = 0, refused = 0;
    uint64_t count;
    struct pieces *pieces = fill_spool(dir);
    assert_int_equal(carehub_spool_forget(dir, NULL, is_third, &calls, true, &count), CAREHUB_OK);
    assert_int_equal(count, pieces->n_gone);
    assert_int_equal(count_found(dir, pieces), pieces->n_gone); /* only counted */
    char half[128];
    snprintf(half, sizeof half, "%s/new", dir); /* as one leaves it that is killed on the way */
    int fd = open(half, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, pieces->gone[0], PIECE_BYTES), PIECE_BYTES);
    close(fd);
    assert_int_equal(carehub_spool_forget(dir, NULL, is_third, &calls, false, &count), CAREHUB_OK);
    assert_int_equal(count, pieces->n_gone);
    assert_int_equal(count_found(dir, pieces), 0);
    assert_int_equal(carehub_spool_refused(dir, NULL, see_refused, &refused), CAREHUB_OK);
    assert_int_equal(refused, 1);

    struct spool *s = open_spool(dir, 4 << 20);
    uint64_t ticket = 0, number = FORGET_MANY + 1;
    assert_int_equal(append(s, number), CAREHUB_OK);
    for (uint64_t i = 11; i <= FORGET_MANY + 1; i++) {
        if (i % 3 == 0)
            continue;
        assert_int_equal(take(s, &ticket), i);
        spool_settle(s, ticket);
    }
    assert_int_equal(take(s, &ticket), 0);
    assert_int_equal(count_waiting(s), 0);
    assert_null(spool_remark(s));
    spool_close(&s);
    free(pieces);
}

static bool is_any(void *arg, const uint8_t *event, size_t size)
{
    (void)arg, (void)event, (void)size;
    return true;
}

static void a_spool_that_forgot_everything_takes_events_again(void **state)
{
    const char *dir = ((struct folder *)*state)->dir;
    struct spool *s = open_spool(dir, 4 << 20);
    uint64_t count;
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(append(s, i), CAREHUB_OK);
    assert_int_equal(carehub_spool_forget(dir, NULL, is_any, NULL, false, &count), CAREHUB_IO); /* it is in use */
    spool_close(&s);
    assert_int_equal(carehub_spool_forget(dir, NULL, is_any, NULL, false, &count), CAREHUB_OK);
    assert_int_equal(count, 5);
    s = open_spool(dir, 4 << 20);
    assert_int_equal(count_waiting(s), 0);
    assert_int_equal(append(s, 7), CAREHUB_OK);
    assert_int_equal(take(s, NULL), 7);
    spool_close(&s);
    s = open_spool(dir, 4 << 20);
    assert_int_equal(take(s, NULL), 7);
    spool_close(&s);
}

#define PROMISE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROMISE(appended_events_come_back_in_order_after_reopening),
        PROMISE(settled_events_do_not_come_back_and_their_files_go),
        PROMISE(what_is_not_settled_holds_back_only_the_mark),
        PROMISE(full_spool_refuses_and_loses_nothing),
        PROMISE(nothing_readable_is_on_disk),
        PROMISE(torn_tail_is_cut_and_the_rest_is_kept),
        PROMISE(damaged_record_is_skipped_reported_and_its_file_kept),
        PROMISE(killed_at_any_moment_nothing_appended_is_lost),
        PROMISE(only_one_process_has_it),
        PROMISE(without_its_key_it_is_refused_and_left_alone),
        PROMISE(concurrent_appenders_keep_their_order),
        PROMISE(segments_follow_each_other),
        PROMISE(what_is_forgotten_is_gone_from_the_files_and_the_rest_goes_on),
        PROMISE(a_spool_that_forgot_everything_takes_events_again),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}
