// Repeat patterns of table 0335 ("BID", "Q8H", "QAM") in common terms.
//
// Source: HL7 v2.5.1, 4.3.2.1 and table 0335. Pure; any thread.
#ifndef CAREHUB_RX_PATTERN_H
#define CAREHUB_RX_PATTERN_H

#include <stdbool.h>

struct rx_pattern {
    char frequency[32]; // UCUM: "2/d", "1/(8.h)"; "" when the pattern says none, or is not known
    char moment[8];     // of FHIR's event-timing: "MORN", "AC"; or ""
    bool as_needed;
};

// Reads one pattern. False when it says nothing that can be told in these terms.
bool rx_pattern_read(const char *code, struct rx_pattern *pattern);

// A period in HL7's units (s, min, h, d, wk, mo, a and how people write them) as UCUM: "1/(180.min)". False when the
// count is no number above 0, or the unit is not known.
bool rx_period_read(const char *count, const char *unit, char frequency[32]);

// The length of a unit in ms, 0 for one that has no fixed length (months, years) or is not known.
long long rx_unit_ms(const char *unit);

#endif
