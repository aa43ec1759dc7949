#include "eventid.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define COUNTER_MAX 0xFFFu
// A fresh millisecond starts its counter in the lower half: at least 2,048 ids before it must borrow from the
// next millisecond, and still not guessable.
#define COUNTER_START_MASK 0x7FFu

#define DERIVE_LABEL "carehub event id v1"

static struct {
    pthread_mutex_t mutex;
    uint64_t time_ms; // of the last id
    unsigned counter; // of the last id, at most COUNTER_MAX
} last = {.mutex = PTHREAD_MUTEX_INITIALIZER};

const char *eventid_status_text(enum eventid_status status)
{
    switch (status) {
    case EVENTID_OK:
        return "ok";
    case EVENTID_TIME_RANGE:
        return "the time does not fit in 48 bits of milliseconds";
    case EVENTID_PART_SIZE:
        return "the sender and native id are empty, or a part is longer than 1,024 bytes";
    case EVENTID_NO_RANDOM:
        return "the system gave no random bytes";
    case EVENTID_NO_DIGEST:
        return "libcrypto could not compute SHA-256";
    }
    return "unknown status";
}

static void put_time(uint8_t id[EVENTID_BYTES], uint64_t time_ms)
{
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(time_ms >> (40 - 8 * i));
}

static void put_version(uint8_t id[EVENTID_BYTES], unsigned version)
{
    id[6] = (uint8_t)(version << 4 | (id[6] & 0x0F));
    id[8] = (uint8_t)(0x80 | (id[8] & 0x3F));
}

static bool fill_random(uint8_t *out, size_t len)
{
    ssize_t n;
    do
        n = getrandom(out, len, 0);
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)len; // up to 256 bytes come whole: getrandom(2)
}

enum eventid_status eventid_new_at(uint8_t id[EVENTID_BYTES], uint64_t time_ms)
{
    if (time_ms > EVENTID_TIME_MAX_MS)
        return EVENTID_TIME_RANGE;
    uint8_t bits[EVENTID_BYTES];
    if (!fill_random(bits, sizeof bits))
        return EVENTID_NO_RANDOM;

    enum eventid_status status = EVENTID_OK;
    pthread_mutex_lock(&last.mutex);
    if (time_ms > last.time_ms) {
        last.time_ms = time_ms;
        last.counter = ((unsigned)bits[6] << 8 | bits[7]) & COUNTER_START_MASK;
    } else if (last.counter < COUNTER_MAX) {
        last.counter++;
    } else if (last.time_ms < EVENTID_TIME_MAX_MS) {
        last.time_ms++;
        last.counter = ((unsigned)bits[6] << 8 | bits[7]) & COUNTER_START_MASK;
    } else {
        status = EVENTID_TIME_RANGE;
    }
    uint64_t used_ms = last.time_ms;
    unsigned counter = last.counter;
    pthread_mutex_unlock(&last.mutex);
    if (status != EVENTID_OK)
        return status;

    put_time(bits, used_ms);
    bits[6] = (uint8_t)(counter >> 8);
    bits[7] = (uint8_t)counter;
    put_version(bits, 7);
    memcpy(id, bits, sizeof bits);
    return EVENTID_OK;
}

enum eventid_status eventid_new(uint8_t id[EVENTID_BYTES])
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now); // fails only for an unknown clock
    return eventid_new_at(id, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

// Appends len (4 bytes, big-endian) and the bytes to buf at *used. False when the part is too long.
static bool append_part(uint8_t *buf, size_t *used, const char *part)
{
    size_t len = part ? strnlen(part, EVENTID_PART_MAX_BYTES + 1) : 0;
    if (len > EVENTID_PART_MAX_BYTES)
        return false;
    for (int i = 0; i < 4; i++)
        buf[(*used)++] = (uint8_t)(len >> (24 - 8 * i));
    if (len > 0)
        memcpy(buf + *used, part, len);
    *used += len;
    return true;
}

enum eventid_status eventid_derive(uint8_t id[EVENTID_BYTES], uint64_t time_ms, const struct eventid_native *native)
{
    uint8_t framed[sizeof DERIVE_LABEL + 3 * (4 + EVENTID_PART_MAX_BYTES)];
    size_t used = sizeof DERIVE_LABEL; // its NUL included: it ends the label
    bool named = (native->sender && native->sender[0]) || (native->id && native->id[0]);

    if (time_ms > EVENTID_TIME_MAX_MS)
        return EVENTID_TIME_RANGE;
    memcpy(framed, DERIVE_LABEL, used);
    if (!named || !append_part(framed, &used, native->sender) || !append_part(framed, &used, native->id) ||
        !append_part(framed, &used, native->time))
        return EVENTID_PART_SIZE;

    uint8_t digest[EVP_MAX_MD_SIZE];
    if (EVP_Digest(framed, used, digest, NULL, EVP_sha256(), NULL) != 1)
        return EVENTID_NO_DIGEST;

    // The digest's first 80 bits, of which version and variant overwrite six.
    memcpy(id + 6, digest, EVENTID_BYTES - 6);
    put_time(id, time_ms);
    put_version(id, 8);
    return EVENTID_OK;
}

bool eventid_valid(const uint8_t id[EVENTID_BYTES])
{
    unsigned version = id[6] >> 4;
    return (version == 7 || version == 8) && (id[8] & 0xC0) == 0x80;
}

uint64_t eventid_time_ms(const uint8_t id[EVENTID_BYTES])
{
    uint64_t time_ms = 0;
    for (int i = 0; i < 6; i++)
        time_ms = time_ms << 8 | id[i];
    return time_ms;
}

static bool dash_before(size_t byte)
{
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

void eventid_format(const uint8_t id[EVENTID_BYTES], char text[EVENTID_TEXT_CHARS])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < EVENTID_BYTES; i++) {
        if (dash_before(i))
            *text++ = '-';
        *text++ = digits[id[i] >> 4];
        *text++ = digits[id[i] & 15];
    }
    *text = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool eventid_parse(const char *text, size_t len, uint8_t id[EVENTID_BYTES])
{
    uint8_t out[EVENTID_BYTES];

    if (len != EVENTID_TEXT_CHARS - 1)
        return false;
    for (size_t i = 0; i < EVENTID_BYTES; i++) {
        if (dash_before(i) && *text++ != '-')
            return false;
        int high = hex_digit(text[0]);
        int low = hex_digit(text[1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    memcpy(id, out, sizeof out);
    return true;
}
