#include "term.h"

#include <ctype.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "catalogue.h"

struct style style_of(FILE *out)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    bool wanted = !(no_colour && *no_colour) && term && strcmp(term, "dumb") != 0;
    return (struct style){
        .colour = wanted && isatty(fileno(out)),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
}

const char *tone_on(struct style style, enum tone tone)
{
    static const char *const sequences[] = {
        [TONE_PLAIN] = "",        [TONE_GOOD] = "\033[32m", [TONE_BAD] = "\033[31m",
        [TONE_WAIT] = "\033[33m", [TONE_DIM] = "\033[2m",   [TONE_STRONG] = "\033[1m",
    };
    return style.colour ? sequences[tone] : "";
}

const char *tone_off(struct style style, enum tone tone)
{
    return style.colour && tone != TONE_PLAIN ? "\033[0m" : "";
}

const char *mark_text(struct style style, enum mark mark)
{
    static const char *const marks[][2] = {
        [MARK_YES] = {"+", "✓"},    [MARK_NO] = {"x", "✗"},   [MARK_WAIT] = {"~", "…"},
        [MARK_ARROW] = {"<-", "←"}, [MARK_DASH] = {"-", "·"},
    };
    return marks[mark][style.utf8];
}

void put_safe(FILE *out, const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        bool c1_control = c[0] == 0xC2 && c[1] >= 0x80 && c[1] < 0xA0;
        fputc(iscntrl(*c) || c1_control ? '?' : *c, out);
        c += c1_control;
    }
}

static const char *local_time(int64_t unix_ms, const char *format, char text[WHEN_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    snprintf(text, WHEN_CHARS, "-");
    if (unix_ms == 0 || !localtime_r(&seconds, &local))
        return text;
    size_t n = strftime(text, WHEN_CHARS, format, &local);
    snprintf(text + n, WHEN_CHARS - n, ".%03d", (int)(unix_ms % 1000));
    return text;
}

const char *when_text(int64_t unix_ms, char text[WHEN_CHARS])
{
    return local_time(unix_ms, "%Y-%m-%d %H:%M:%S", text);
}

const char *clock_text(int64_t unix_ms, char text[WHEN_CHARS])
{
    return local_time(unix_ms, "%H:%M:%S", text);
}

const char *count_text(uint64_t count, char text[COUNT_CHARS])
{
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)count);
    char *out = text;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0)
            *out++ = ',';
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

const char *size_text(uint64_t bytes, char text[SIZE_CHARS])
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 1000 && unit + 1 < sizeof units / sizeof units[0]; unit++)
        size /= 1000;
    snprintf(text, SIZE_CHARS, unit == 0 ? "%.0f %s" : "%.1f %s", size, units[unit]);
    return text;
}

const char *lasted_text(int64_t ms, char text[LASTED_CHARS])
{
    long long s = ms / 1000;
    if (s >= 86400)
        snprintf(text, LASTED_CHARS, "%lld d %lld h", s / 86400, s % 86400 / 3600);
    else if (s >= 3600)
        snprintf(text, LASTED_CHARS, "%lld h %lld min", s / 3600, s % 3600 / 60);
    else if (s >= 60)
        snprintf(text, LASTED_CHARS, "%lld min", s / 60);
    else
        snprintf(text, LASTED_CHARS, "%lld s", s);
    return text;
}

const char *enum_text(const ProtobufCEnumDescriptor *type, int value, char text[ENUM_CHARS])
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    if (found)
        snprintf(text, ENUM_CHARS, "%s", found->name);
    else
        snprintf(text, ENUM_CHARS, "%d", value);
    for (char *c = text; *c; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    return text;
}

const char *level_text(Carehub__V1__Level level)
{
    switch (level) {
    case CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE:
        return "administrative";
    case CAREHUB__V1__LEVEL__LEVEL_CARE:
        return "care";
    case CAREHUB__V1__LEVEL__LEVEL_CLINICAL:
        return "clinical";
    default:
        return "none";
    }
}

const char *type_text(Carehub__V1__EventType type)
{
    const char *name = event_type_name(type);
    return name ? name : "event";
}

int fail(enum exit_code code, const char *advice, const char *format, ...)
{
    char what[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(what, sizeof what, format, list);
    va_end(list);
    struct style style = style_of(stderr);
    fflush(stdout);
    fprintf(stderr, "%scarehub:%s ", tone_on(style, TONE_BAD), tone_off(style, TONE_BAD));
    put_safe(stderr, what);
    fputc('\n', stderr);
    if (advice) {
        fputs("  ", stderr);
        put_safe(stderr, advice);
        fputc('\n', stderr);
    }
    return code;
}

int64_t monotonic_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

enum { PROGRESS_AFTER_MS = 2000, PROGRESS_EVERY_MS = 200 };

void progress_start(struct progress *progress, const char *doing, uint64_t total)
{
    *progress = (struct progress){.doing = doing, .total = total, .started_ms = monotonic_ms()};
}

void progress_step(struct progress *progress, uint64_t done)
{
    int64_t now = monotonic_ms();
    if (now - progress->started_ms < PROGRESS_AFTER_MS || now - progress->shown_ms < PROGRESS_EVERY_MS ||
        !isatty(STDERR_FILENO))
        return;
    progress->shown_ms = now;
    char count[COUNT_CHARS], total[COUNT_CHARS], rate[COUNT_CHARS];
    count_text(done, count);
    count_text(done * 1000 / (uint64_t)(now - progress->started_ms), rate);
    if (progress->total)
        fprintf(stderr, "\r\033[K%s: %s of %s, %s/s", progress->doing, count, count_text(progress->total, total), rate);
    else
        fprintf(stderr, "\r\033[K%s: %s, %s/s", progress->doing, count, rate);
}

void progress_end(struct progress *progress)
{
    if (progress->shown_ms)
        fputs("\r\033[K", stderr);
    progress->shown_ms = 0;
}
