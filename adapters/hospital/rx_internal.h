// Between the files of the medication mapping; no part of its interface.
#ifndef CAREHUB_RX_INTERNAL_H
#define CAREHUB_RX_INTERNAL_H

#include "adt_internal.h"
#include "rx.h"

#define RX_TIMINGS_MAX 16u   // TQ1 segments, or repetitions of TQ, of one order
#define RX_INTAKES_MAX 48u   // of one order
#define RX_NUMBER_BYTES 256u // an order's number with its terminating zero
#define RX_NAME_BYTES (RX_NUMBER_BYTES + 160u)
#define RX_BODY_MAX_BYTES 60000u // of an event
#define RX_CODES_MAX 3u          // codings of one CWE

// One order: an ORC and what follows it up to the next. Indexes of segments; -1: there is none.
struct rx_group {
    ptrdiff_t orc, rxo, rxe, rxd, rxr;
    ptrdiff_t notes[RX_TIMINGS_MAX]; // NTE
    size_t note_count;
    ptrdiff_t timings[RX_TIMINGS_MAX]; // TQ1: those of the last of RXO, RXE and RXD that has any, else of the ORC
    size_t timing_count;
};

// Finds the order that begins at or after *at, and moves *at behind it. False when there is none.
bool rx_next_group(struct adt_job *job, size_t *at, struct rx_group *group);

// ---- Texts

// Pieces of text, each once, joined with "; " within ADT_TEXT_MAX_BYTES.
struct rx_text {
    char bytes[ADT_TEXT_MAX_BYTES + 1];
};
void rx_text_add(struct adt_job *job, struct rx_text *text, const char *piece);

// The text of a coded element (CE, CWE): its text, else its original text, else its code.
void rx_coded_text(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned repetition, char *out,
                   size_t size);

// ---- Orders as they stand (rx_memory.c)

// Each with who gave it out, "" if there is none.
struct rx_numbers {
    char placer[RX_NUMBER_BYTES], filler[RX_NUMBER_BYTES];
};

void rx_read_numbers(const struct adt_job *job, ptrdiff_t orc, struct rx_numbers *numbers);

// The order's name for people and programs.
const char *rx_line(const struct rx_numbers *numbers);

// The order as it stood, of this patient; its kind is that of its last change, its times are those of the order. NULL
// if it is not known. The caller frees it. Completes the numbers with the placer's, if that is known.
Carehub__V1__MedicationChange *rx_recall(const struct adt_job *job, struct carehub_memory *memory,
                                         struct rx_numbers *numbers, const Carehub__V1__Patient *patient);
void rx_keep(struct adt_job *job, struct carehub_memory *memory, const struct rx_numbers *numbers,
             Carehub__V1__Patient *patient, const Carehub__V1__MedicationChange *change);

// ---- What is ordered (rx_order.c). Each gives memory of its own, or NULL when the message does not say.

Carehub__V1__Medicine *rx_medicine(struct adt_job *job, const struct rx_group *group);
Carehub__V1__Posology *rx_posology(struct adt_job *job, const struct rx_group *group);
void rx_reason(struct adt_job *job, const struct rx_group *group, bool with_indication, char *out, size_t size);

// ---- When and how much (rx_timing.c)

#define RX_AMOUNT_BYTES 32u
#define RX_UNIT_BYTES 64u

struct rx_dose {
    char amount[RX_AMOUNT_BYTES], unit[RX_UNIT_BYTES];
};

// A unit by its code, or by its text where the code is a number or missing.
void rx_unit(const struct adt_job *job, struct hl7v2_value code, struct hl7v2_value text, char out[RX_UNIT_BYTES]);

// Fills in frequency and regimen, and adds to the text what fits in neither. dose: of each intake, where the timing
// does not say another.
void rx_timing(struct adt_job *job, const struct rx_group *group, const struct rx_dose *dose,
               Carehub__V1__Posology *posology, struct rx_text *text);

// When the order begins and ends; NULL where that is not said.
void rx_period(struct adt_job *job, const struct rx_group *group, Carehub__V1__Time **from, Carehub__V1__Time **until);

#endif
