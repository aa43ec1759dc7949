// HL7 v2 times: TS and DTM, YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ].
//
// Source: HL7 v2.5.1 chapter 2A, sections 2.A.22 (DTM) and 2.A.77 (TS).
#ifndef CAREHUB_HL7V2_TIME_H
#define CAREHUB_HL7V2_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hl7v2_zone.h"

enum hl7v2_precision {
    HL7V2_PRECISION_YEAR,
    HL7V2_PRECISION_MONTH,
    HL7V2_PRECISION_DAY,
    HL7V2_PRECISION_MINUTE, // also for times that say only the hour: see hour_only
    HL7V2_PRECISION_SECOND  // and better
};

struct hl7v2_time {
    int64_t utc_ms;         // since 1970-01-01 00:00 UTC; of a date, its first moment in its zone
    int16_t offset_minutes; // east of UTC, as sent or as the zone had it
    enum hl7v2_precision precision;
    bool zone_assumed; // no offset was sent: the default zone's was used
    bool ambiguous;    // the zone had this local time twice; the earlier is given
    bool skipped;      // the zone never had this local time; read with the offset from before the change
    bool hour_only;    // HH without MM
    int16_t year;      // as sent, in its own zone
    uint8_t month, day, hour, minute, second;
    uint16_t millisecond;
};

// Parses the text of a time, the first component of a TS. Spaces around it are tolerated, as are up to
// nine digits after the point, of which three are kept. zone applies when no offset was sent; NULL is
// UTC. Returns NULL when *out is valid, else the reason, a sentence that quotes nothing.
const char *hl7v2_time_parse(const char *text, size_t len, const struct hl7v2_zone *zone, struct hl7v2_time *out);

// Room for YYYYMMDDHHMMSS+ZZZZ and a zero.
#define HL7V2_TIME_TEXT_BYTES 20u

// Writes a moment as HL7 does, to the second, in the local time of an offset. Years 0 to 9999.
void hl7v2_time_format(int64_t utc_ms, int offset_minutes, char out[HL7V2_TIME_TEXT_BYTES]);

#endif
