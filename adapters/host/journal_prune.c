/* journal_prune.c - what is too old goes; and how old things are, when the clock may be wrong. */
#include "journal_internal.h"

/* Time passes at most so many times as fast as this process has seen it pass. Faster than once, for adapters that do
 * not always run. */
enum { TIME_SPEED_MAX = 24 };
/* A clock that said less was not set: it is not what is believed. */
#define TIME_EARLIEST_MS INT64_C(1735689600000) /* 2025 */

/* What was believed last; or, before anything was, when the newest entry was made; or what the clock says. */
static int64_t last_time(struct journal *self, int64_t wall_ms)
{
    sqlite3_stmt *s = journal_statement(self, TIME_GET);
    int64_t last = sqlite3_step(s) == SQLITE_ROW && sqlite3_column_type(s, 0) != SQLITE_NULL
                       ? sqlite3_column_int64(s, 0)
                       : wall_ms;
    sqlite3_reset(s);
    return last;
}

int64_t journal_time(struct journal *self, int64_t wall_ms, int64_t boot_ms)
{
    if (self->time_seen_ms == 0) {
        self->time_ms = last_time(self, wall_ms);
        self->time_seen_ms = boot_ms;
    }
    int64_t passed_ms = boot_ms > self->time_seen_ms ? boot_ms - self->time_seen_ms : 0;
    int64_t latest_ms = self->time_ms < TIME_EARLIEST_MS ? wall_ms : self->time_ms + TIME_SPEED_MAX * passed_ms;
    self->time_ms = wall_ms < latest_ms ? wall_ms : latest_ms;
    self->time_seen_ms = boot_ms;
    sqlite3_stmt *s = journal_statement(self, TIME_PUT);
    sqlite3_bind_int64(s, 1, self->time_ms);
    journal_run(self, s, "be written to"); /* if not, it is believed a little less after the next start */
    return self->time_ms;
}

int journal_prune(struct journal *self, int64_t before_ms, int *held)
{
    static const enum statement all[] = {PRUNE, STATE_PRUNE, SENT_PRUNE, HELD_PRUNE};
    int forgotten = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        sqlite3_stmt *s = journal_statement(self, all[i]);
        sqlite3_bind_int64(s, 1, before_ms);
        if (!journal_run(self, s, "be pruned"))
            return -1;
        *held = sqlite3_changes(self->db);
        forgotten += *held;
    }
    self->held_known = self->held_known && *held == 0;
    return forgotten;
}
