// Medication orders to care events: RDE^O11 and O01, RDS^O13 and O01, OMP^O09, and ORM^O01 about medication. A mapping
// without I/O or clock; what it knows of earlier orders it asks of the host's memory.
//
// One message gives one MedicationChanged, with a change for each order that changed. What ORC-1 says decides:
//
//     NW OP RO PY           new, for an outpatient, a replacement: ADDED
//     CA OC CR, DC OD DR    cancelled, discontinued (asked for, or done): STOPPED, as is what is replaced (RP RQ RU)
//     HD OH HR              on hold: SUSPENDED
//     RL OE OR              released: RESUMED
//     XO XX XR              changed: PRODUCT_CHANGED or POSOLOGY_CHANGED, as the content differs from what was in force
//     SC                    as its order status, ORC-5, says: CA, DC and RP stop, HD suspends
//     all others            nothing: refills, confirmations, refusals, results, numbers
//
// An order is known by its placer's number (ORC-2), else its filler's (ORC-3). The memory holds each order as it
// stands. So a request and its confirmation make one event and not two; a change says what it replaces; and a stop that
// names no medicine gets it from the order. A change or release of an order that is not known still tells people what
// the message says; one that names no medicine either comes to nothing.
//
// A change is a new event, never an amendment: HL7 has no correction of an order message, and people have acted upon
// the order as it was. So a new order under a number that is in force, but for the same, is a change of it. That also
// holds for one that says what is known already: it gives nothing. A dispensing (RDS) adds what nobody had ordered; of
// an order that is known it gives nothing.
//
// Sources: HL7 v2.5.1 chapter 4: 4.5.1 (ORC, table 0119), 4.5.4 (TQ1), 4.14 (RXO, RXR, RXE, RXD); v2.3 4.4 for the
// older TQ in ORC-7 and RXE-1; table 0335 for repeat patterns.
//
// Threads: any, if the memory's functions allow it.
#ifndef CAREHUB_RX_H
#define CAREHUB_RX_H

#include <carehub_adapter.h>

#include "adt.h"

#define RX_ORDERS_MAX 64u // of one message that are looked up; what is beyond is left out, with a remark

// Whether a message is one of the above. An ORM^O01 without RXO or RXE orders something else.
bool rx_takes(const struct hl7v2_message *message);

// The event of a message; past is not used. One that would be larger than the hub takes goes without the previous
// posologies, or without any; remarks say so. The orders that changed are stored in memory. The event belongs to no
// episode of the memory's: later messages find the orders, not the event. Of the outcomes ADT_NOTHING means that no
// order changed; why is that of the first order:
//     "order-control"     ORC-1 says nothing that changes medication
//     "order-unchanged"   it says what is known
//     "order-dispensed"   a dispensing of an order that is known
//     "order-unknown"     a stop, hold, release or change of an order that is not known, and it names no medicine
//     "order-inpatient"   the sender's orders for within the hospital are not taken
//     "no-medicine"       a new order that names no medicine
//     "no-order"          no ORC segment
struct adt_result rx_map(const struct adt_input *input, struct carehub_memory *memory);

#endif
