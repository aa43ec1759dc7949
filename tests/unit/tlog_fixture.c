#include "tlog_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/check.h"
#include "audit/minimum.h"
#include "audit/note.h"

const Carehub__V1__StatusAnswer *tlog_status(struct hub *hub)
{
    return hub_ask(hub, "{\"status\": {}}")->status;
}

void tlog_pass(struct hub *hub, int64_t ms)
{
    for (int64_t until = hub->now_ms + ms; hub->now_ms < until; hub->now_ms += 100)
        hub_commit(hub);
}

/* ---- What was published ----------------------------------------------------------------------------------------- */

static size_t read_text(const char *directory, const char *name, char *text, size_t size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int fd = open(path, O_RDONLY);
    ssize_t n = fd < 0 ? 0 : read(fd, text, size);
    if (fd >= 0)
        close(fd);
    return n > 0 ? (size_t)n : 0;
}

bool tlog_checkpoint(const char *directory, struct checkpoint *checkpoint)
{
    char text[4096];
    struct note note;
    size_t n = read_text(directory, "checkpoint", text, sizeof text);
    return n > 0 && checkpoint_note_parse(text, n, &note, checkpoint);
}

uint64_t tlog_minimum(const char *directory)
{
    char text[4096];
    struct note note;
    struct minimum minimum;
    size_t n = read_text(directory, MINIMUM_FILE, text, sizeof text);
    if (n == 0)
        return 0;
    assert_true(minimum_note_parse(text, n, &note, &minimum));
    return minimum.index;
}

void tlog_assert_sound(const char *directory)
{
    struct check check = {.source = tile_source_directory(directory), .minimum = tlog_minimum(directory)};
    assert_true(tlog_checkpoint(directory, &check.checkpoint));
    assert_true(check.minimum <= check.checkpoint.size);
    assert_int_equal(check_tiles(&check), CHECK_SOUND);
}

void tlog_assert_leaves(struct hub *hub, const char *directory)
{
    char question[64];
    struct checkpoint checkpoint;
    uint8_t leaves[TILE_WIDTH][LEAF_DATA_BYTES];
    struct tile_source source = tile_source_directory(directory);
    assert_true(tlog_checkpoint(directory, &checkpoint));
    for (uint64_t index = tile_first_entry(tlog_minimum(directory)), n; index < checkpoint.size; index += n) {
        n = tile_leaves(&source, index, checkpoint.size, TILE_WIDTH, leaves);
        assert_true(n > 0);
        for (uint64_t done = 0; done < n;) {
            snprintf(question, sizeof question, "{\"exportLog\": {\"fromPlace\": %llu, \"max\": 64}}",
                     (unsigned long long)(index + done + 1));
            const Carehub__V1__ExportAnswer *page = hub_ask(hub, question)->export_log;
            assert_true(page->n_leaves > 0);
            for (size_t i = 0; i < page->n_leaves && done < n; i++) {
                uint64_t at = page->entries[i]->place - 1 - index; /* what is no longer kept cannot be compared */
                if (at < n)
                    assert_memory_equal(page->leaves[i].data, leaves[at], LEAF_DATA_BYTES);
                done = at + 1;
            }
            hub_clear(hub);
        }
    }
}

/* ---- Copies ----------------------------------------------------------------------------------------------------- */

void tlog_copy_file(const char *from, const char *to)
{
    static char bytes[1 << 24];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n = in < 0 ? 0 : read(in, bytes, sizeof bytes);
    assert_true(n < (ssize_t)sizeof bytes);
    assert_int_equal(write(out, bytes, (size_t)n), n);
    if (in >= 0)
        close(in);
    close(out);
}

void tlog_keep_database(struct hub *hub, bool back)
{
    static const char *const suffixes[] = {"", "-wal"};
    core_close(&hub->core);
    for (int i = 0; i < 2; i++) {
        char live[160], kept[160];
        snprintf(live, sizeof live, "%s%s", hub->database, suffixes[i]);
        snprintf(kept, sizeof kept, "%s/kept%s", hub->directory, suffixes[i]);
        if (back)
            unlink(live);
        tlog_copy_file(back ? kept : live, back ? live : kept);
    }
}

void tlog_start(struct hub *hub)
{
    hub_clear(hub);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
}

/* ---- Questions -------------------------------------------------------------------------------------------------- */

const Carehub__V1__VerifyAnswer *tlog_verified(struct hub *hub)
{
    const Carehub__V1__VerifyAnswer *said = NULL;
    hub_clear(hub);
    hub_ask(hub, "{\"verify\": {}}");
    for (int round = 0; round < 1000 && !said; round++) {
        hub_commit(hub);
        for (size_t i = 0; i < hub->n_sent; i++) {
            const Carehub__V1__ToClient *message = hub->sent[i].message;
            if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER &&
                message->answer->answer_case == CAREHUB__V1__ANSWER__ANSWER_VERIFY && !message->answer->more)
                said = message->answer->verify;
        }
    }
    assert_non_null(said);
    return said;
}
