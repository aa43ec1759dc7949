// Event ids: 16 bytes that sort by time. Source: RFC 9562, sections 5.7 (version 7) and 5.8 (version 8).
//
//   bytes 0-5   Unix time in milliseconds, big-endian
//   byte 6      version in the high nibble: 7 or 8
//   byte 8      variant in the two high bits: 10
//   the rest    74 bits: version 7: a counter within the millisecond (12 bits) and random bits (62);
//               version 8: the first bits of a SHA-256 over what names the native message
//
// A publisher that makes events itself takes version 7. An adapter derives version 8 from the native message,
// so that the same message sent again, even after a crash, gets the same id and the hub sees the repeat.
#ifndef CAREHUB_EVENTID_H
#define CAREHUB_EVENTID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTID_BYTES 16
// Characters of the text form, with its terminating NUL: 8-4-4-4-12 lower-case hexadecimal digits.
#define EVENTID_TEXT_CHARS 37
// The largest time that 48 bits hold: in the year 10889.
#define EVENTID_TIME_MAX_MS ((UINT64_C(1) << 48) - 1)
// The longest part that an id is derived from, in bytes.
#define EVENTID_PART_MAX_BYTES 1024

enum eventid_status {
    EVENTID_OK = 0,
    EVENTID_TIME_RANGE, // the time is above EVENTID_TIME_MAX_MS
    EVENTID_PART_SIZE,  // a part is longer than EVENTID_PART_MAX_BYTES, or sender and native id are both empty
    EVENTID_NO_RANDOM,  // the system's random source failed
    EVENTID_NO_DIGEST,  // libcrypto could not do SHA-256
};

// What names a native message. NUL-terminated UTF-8, owned by the caller; NULL counts as empty.
struct eventid_native {
    const char *sender; // who assigned native_id: for HL7 v2 MSH-3 and MSH-4
    const char *id;     // the native message's id: for HL7 v2 MSH-10
    const char *time;   // its time exactly as it was written: for HL7 v2 MSH-7. Senders restart their counters
};

// A sentence for a status. Static storage.
const char *eventid_status_text(enum eventid_status status);

// A new version 7 id of this moment. Within a process ids increase strictly, also when the clock stands still
// or goes back (RFC 9562 section 6.2, method 1). Safe from any thread, and after fork: the random part is
// taken anew for each id. Fails with EVENTID_NO_RANDOM only, and for a clock that is beyond range.
enum eventid_status eventid_new(uint8_t id[EVENTID_BYTES]);

// The same for a given time, in ms since 1970. An earlier time than that of the last id is raised to it.
enum eventid_status eventid_new_at(uint8_t id[EVENTID_BYTES], uint64_t time_ms);

// The version 8 id of a native message with source time time_ms (ms since 1970, UTC). The digest is over a
// fixed label and the three parts, each preceded by its length in 4 bytes, big-endian, so that no two
// different triples give the same bytes. Deterministic; safe from any thread.
enum eventid_status eventid_derive(uint8_t id[EVENTID_BYTES], uint64_t time_ms, const struct eventid_native *native);

// True when id has version 7 or 8 and the variant of RFC 9562.
bool eventid_valid(const uint8_t id[EVENTID_BYTES]);

// The id's time in ms since 1970. Meaningful only where eventid_valid.
uint64_t eventid_time_ms(const uint8_t id[EVENTID_BYTES]);

// Writes the text form with its NUL. Any 16 bytes have one.
void eventid_format(const uint8_t id[EVENTID_BYTES], char text[EVENTID_TEXT_CHARS]);

// Reads exactly 36 characters of the text form, in either case. False when text[0..len) is not that; then id
// is untouched. Doesn't look at version or variant: see eventid_valid.
bool eventid_parse(const char *text, size_t len, uint8_t id[EVENTID_BYTES]);

#endif
