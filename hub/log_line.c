#include "log_line.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct {
    const char *name;
    int priority; /* syslog(3) */
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", 3},
    [LOG_LEVEL_WARNING] = {"warning", 4},
    [LOG_LEVEL_INFO] = {"info", 6},
    [LOG_LEVEL_DEBUG] = {"debug", 7},
};

static atomic_int level_max = LOG_LEVEL_INFO;

void log_line_set_level(enum log_level level)
{
    atomic_store(&level_max, (int)level);
}

bool log_level_by_name(const char *name, enum log_level *level)
{
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static int64_t monotonic_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* May this site write now? `left_out` is what it was not allowed to before. Threads that race may write a
 * line more. */
static bool allowed(struct log_site *site, unsigned *left_out)
{
    int64_t now_ms = monotonic_ms();

    *left_out = 0;
    if (now_ms - atomic_load(&site->period_start_ms) >= LOG_PERIOD_MS) {
        atomic_store(&site->period_start_ms, now_ms);
        atomic_store(&site->said, 0);
        *left_out = atomic_exchange(&site->left_out, 0);
    }
    if (atomic_fetch_add(&site->said, 1) < LOG_BURST)
        return true;
    atomic_fetch_add(&site->left_out, 1);
    return false;
}

static size_t write_head(char *line, size_t size, enum log_level level)
{
    struct timespec now;
    struct tm utc;
    char date[32];

    if (getenv("JOURNAL_STREAM"))
        return (size_t)snprintf(line, size, "<%d>", levels[level].priority);
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc);
    return (size_t)snprintf(line, size, "%s.%03ldZ %s ", date, now.tv_nsec / 1000000, levels[level].name);
}

/* Some texts hold what a peer has sent (an address): it must not make lines of its own. */
static void make_one_line(char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7F)
            *text = '?';
    }
}

void log_line_at(struct log_site *site, enum log_level level, const char *format, ...)
{
    char line[LOG_LINE_BYTES];
    unsigned left_out;
    va_list arguments;

    if ((int)level > atomic_load(&level_max) || !allowed(site, &left_out))
        return;
    size_t used = write_head(line, sizeof line, level);
    size_t room = sizeof line - 64; /* for what follows the text */
    va_start(arguments, format);
    vsnprintf(line + used, room - used, format, arguments);
    va_end(arguments);
    make_one_line(line);
    used = strlen(line);
    if (left_out > 0)
        used += (size_t)snprintf(line + used, sizeof line - used, " (%u like this were left out before)", left_out);
    line[used++] = '\n';
    if (write(STDERR_FILENO, line, used) < 0) {
        /* there is nobody left to tell */
    }
}
