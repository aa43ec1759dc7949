// Time zones by IANA name, without TZ, tzset or any other state of the process.
//
// Source: RFC 8536 (TZif) for the file, POSIX.1-2017 section 8.3 for the rule in its footer, of which
// the Mm.w.d form is supported: the only one that zones in use have.
#ifndef CAREHUB_HL7V2_ZONE_H
#define CAREHUB_HL7V2_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HL7V2_ZONE_DIRECTORY "/usr/share/zoneinfo"
#define HL7V2_ZONE_FILE_MAX_BYTES 65536u
#define HL7V2_ZONE_NAME_MAX_BYTES 64u
#define HL7V2_ZONE_DEFAULT "Europe/Brussels"

struct hl7v2_zone;

// Reads the zone of that name from HL7V2_ZONE_DIRECTORY: the one function here that does I/O.
// Returns NULL when there is no such zone, the name is no plain zone name, or the file is not TZif
// version 2 or later. The caller owns it: hl7v2_zone_destroy. Immutable, so threads may share it.
struct hl7v2_zone *hl7v2_zone_load(const char *name);

// The same, from the bytes of a TZif file; the zone keeps no reference to them.
struct hl7v2_zone *hl7v2_zone_parse(const void *bytes, size_t len);

void hl7v2_zone_destroy(struct hl7v2_zone **self);

// Seconds east of UTC that were or will be in force at a moment, in seconds since 1970 UTC.
int32_t hl7v2_zone_offset(const struct hl7v2_zone *self, int64_t utc_seconds);

enum hl7v2_zone_fit {
    HL7V2_ZONE_ONCE,    // the local time exists once
    HL7V2_ZONE_TWICE,   // in the hour that autumn repeats: the earlier of both is given
    HL7V2_ZONE_SKIPPED, // in the hour that spring skips: read with the offset from before it
};

// The offset, in seconds, of a local time, given in seconds since 1970-01-01 00:00 local.
enum hl7v2_zone_fit hl7v2_zone_local(const struct hl7v2_zone *self, int64_t local_seconds, int32_t *offset);

// Days since 1970-01-01 of a date of the Gregorian calendar, which is taken to reach back for ever.
int64_t hl7v2_days_from_date(int year, unsigned month, unsigned day);

#endif
