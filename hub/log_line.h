/* log_line.h - the one logger of the daemon: lines on stderr, for a journal or a terminal.
 *
 *     2026-03-01T12:00:00.123Z warning refused a connection from 10.0.0.7: …
 *
 * Under systemd a line begins with its priority (sd-daemon(3)) instead of its time, which the journal adds.
 * Each place in the code may write LOG_BURST lines in LOG_PERIOD_MS; what it wanted to say beyond that is
 * counted and the number written later. Never log a payload, a key or an identifier of a person. Any thread.
 */
#ifndef CAREHUB_LOG_LINE_H
#define CAREHUB_LOG_LINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

enum { LOG_BURST = 10, LOG_PERIOD_MS = 10000, LOG_LINE_BYTES = 1024 };

/* A place in the code that logs. */
struct log_site {
    atomic_int_fast64_t period_start_ms;
    atomic_uint said, left_out;
};

#define LOG_LINE(level, ...)                                                                                           \
    do {                                                                                                               \
        static struct log_site log_site_here;                                                                          \
        log_line_at(&log_site_here, (level), __VA_ARGS__);                                                             \
    } while (0)

/* Lines above this level are not written; LOG_LEVEL_INFO at first. */
void log_line_set_level(enum log_level level);

/* The level of that name ("error", "warning", "info", "debug"). False if there is none. */
bool log_level_by_name(const char *name, enum log_level *level);

void log_line_at(struct log_site *site, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
