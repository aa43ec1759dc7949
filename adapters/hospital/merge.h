// Patients whom a hospital has found to be one: ADT^A40 (and A34, its older name) to registry facts.
//
// Each pair of PID and MRG gives a PatientsMerged: who PID names survives, who MRG names was the same person. Each is
// named by one identifier that the sender's rules let be used; where both have one of the same system (the hospital's
// own numbers, most often) by these. MRG numbers that the survivor has as well say nothing and are passed over.
//
// A hospital sends the merges of everyone. The hub takes those of people it does not know too, and keeps nothing. The
// adapter's client needs patients_merged among its facts. There is no message that undoes a merge: a registrar does
// that.
//
// Source: HL7 v2.5.1 chapter 3: 3.3.40 (A40), 3.4.9 (MRG), 3.6.2 (merging); ADT_A39.
//
// Threads: any; a call touches its arguments only.
#ifndef CAREHUB_MERGE_H
#define CAREHUB_MERGE_H

#include "adt.h"
#include "carehub/v1/registry.pb-c.h"

#define MERGE_FACTS_MAX 16u // of one message: what the hub takes as one

struct merge_facts {
    Carehub__V1__Fact *facts[MERGE_FACTS_MAX];
    size_t count;
};

bool merge_takes(const struct hl7v2_message *message);

// The facts of a message; past is not used. outcome is
//     ADT_EVENT         there are facts. Pairs of which nothing can be made are left out
//     ADT_UNIDENTIFIED  of no pair both have an identifier that may be used
//     ADT_NOTHING       why: "merge-of-itself", all numbers of MRG are the survivor's; "merge-without-prior", no pairs;
//                       "merge-too-many", more than MERGE_FACTS_MAX: of such a message nothing is taken
//     ADT_UNSUPPORTED, ADT_NO_MEMORY
// result.event is always NULL. The caller clears facts, whatever the outcome.
struct adt_result merge_map(const struct adt_input *input, struct merge_facts *facts);

void merge_facts_clear(struct merge_facts *facts);

#endif
