// Follows schemes and single lines through their versions: what was seen last is kept in the host's memory, and each
// new version is told by what it changes.
//
// A scheme that has a name is one, whoever sends it: the next version may well come from another pharmacy. One without
// a name, such as the list of an application, is its sender's own. Single lines are kept together by patient, and each
// is compared with what was seen of it.
#ifndef CAREHUB_PHARMACY_FOLLOW_H
#define CAREHUB_PHARMACY_FOLLOW_H

#include "carehub_adapter.h"
#include "pharmacy_config.h"
#include "scheme.h"

enum followed_as {
    FOLLOWED_CHANGED, // `body`
    FOLLOWED_NOTHING, // `why`
    FOLLOWED_REFUSED, // `text`, and `why` as the name of the rule
    FOLLOWED_FAILED,  // no memory, or the host does not take the state
};

struct followed {
    enum followed_as as;
    const char *why;                      // stable, short; static, as the text
    const char *text;                     // for an operator
    bool notable;                         // with NOTHING
    Carehub__V1__MedicationChanged *body; // the caller's
};

// Compares with what was seen, and stores what is to be seen next. `now` has a patient; its lines may be moved about
// and taken out.
struct followed pharmacy_follow(const struct pharmacy_sender *sender, Carehub__Pharmacy__V1__Scheme *now,
                                struct carehub_memory *memory);

#endif
