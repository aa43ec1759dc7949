/* route.h - the routing decision, as a pure function: an event, the person's care team and consents, the
 * policy and the actors' inboxes give one decision for each candidate, with its reason. Deny is the default.
 *
 * It keeps nothing, does no I/O, and looks only at what it is given: the same input gives the same output,
 * today or in a recomputation years later. Its cost depends on the size of the care team alone. */
#ifndef CAREHUB_ROUTE_H
#define CAREHUB_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/event.pb-c.h"
#include "carehub/v1/log.pb-c.h"
#include "carehub/v1/wire.pb-c.h"
#include "hub_limits.h"
#include "policy.h"

/* What routing has to know of an actor and of one of its inboxes. */
struct route_inbox {
    uint32_t inbox;
    bool full;
    uint32_t types; /* bit n: takes type n; bit 0: takes all */
};

struct route_actor {
    const char *name;
    Carehub__V1__Standing standing;
    size_t n_inboxes;
    const struct route_inbox *inboxes; /* open ones, in order of their numbers */
};

/* Finds an actor; returns false if there is none of that number. */
typedef bool route_actor_fn(void *ctx, uint32_t actor, struct route_actor *found);

/* What was decided for the original of a correction, as it stands now: a hold that was released since is a
 * DELIVER with its slots. One still held counts as not received; whoever holds it must see to it that a later
 * release does not deliver what has been corrected. */
struct route_original {
    size_t n_decisions;
    Carehub__V1__Decision *const *decisions;
};

struct route_input {
    /* the event */
    Carehub__V1__EventType type;
    Carehub__V1__Urgency urgency;
    Carehub__V1__Confidentiality confidentiality;
    uint32_t publisher; /* actor */
    size_t n_addressees;
    Carehub__V1__Addressee *const *addressees;
    const struct route_original *original; /* of an amendment or retraction, else NULL */
    bool retracts;
    /* the state at its place */
    int64_t now_ms;
    const Carehub__V1__PatientCard *patient; /* NULL: not known to the hub */
    const struct policy *policy;
    route_actor_fn *actor;
    void *ctx;
    size_t n_stopped; /* consents for these purposes do not count: they were stopped; "" is continuity of care */
    const char *const *stopped;
};

enum { ROUTE_SLOTS_MAX = 8, ROUTE_DECISIONS_MAX = 2 * MEMBERS_MAX + 64 };

struct route_decision {
    uint32_t actor;
    Carehub__V1__Outcome outcome;
    Carehub__V1__Reason reason;
    Carehub__V1__Level level;
    const char *role; /* borrowed from the patient's card; NULL: no relation was looked at */
    uint64_t ground;  /* place of the membership or grant; 0: none */
    uint64_t consent; /* place of the consent that it rests on; 0: none, or by relation */
    bool notice;      /* without content; then the level is none */
    uint8_t n_inboxes;
    uint32_t inboxes[ROUTE_SLOTS_MAX]; /* of a DELIVER: where to; the first that take the type and have room */
};

/* Decides for every candidate: all members and grants on the card (one decision for each actor, by its best
 * role), and those who received the original of a correction. Returns the number of decisions, at most `max`;
 * -1 if there would be more, or the card holds more than MEMBERS_MAX members or grants (then the event is
 * refused: nothing is cut off silently). */
int route_event(const struct route_input *in, struct route_decision *out, size_t max);

/* Decides for one actor alone, candidate or not: the same rules, the same answer as route_event gives for it.
 * A card with more than MEMBERS_MAX members or grants, which the registry never lets in, is DECISION_FAILED
 * for everyone. */
void route_one(const struct route_input *in, uint32_t actor, struct route_decision *out);

/* Is there consent for continuity of care in force? Its place, or 0. Of several the one given last counts. */
uint64_t route_consent(const Carehub__V1__PatientCard *patient, int64_t now_ms);
/* The same for a purpose; NULL: for any at all. */
uint64_t route_consent_for(const Carehub__V1__PatientCard *patient, const char *purpose, int64_t now_ms);
extern const char CONTINUITY_OF_CARE[];

/* May the actor, a person in care or an informal carer, enter something of that type about this person? It needs a
 * membership or grant in force that is not for other types. An exclusion is about what the actor is told, not this. */
bool route_may_enter(const Carehub__V1__PatientCard *patient, uint32_t actor, Carehub__V1__EventType type,
                     int64_t now_ms);

/* ---- Explaining ------------------------------------------------------------------------------------------------- */

/* What a finding names, besides the role; see FindingParts in wire.proto. Borrowed from what the input points to. */
struct route_parts {
    const char *actor, *policy, *purpose;
    Carehub__V1__EventType type;
    Carehub__V1__Level level, cell;
    Carehub__V1__GrantKind grant;
    uint64_t place;
    int64_t from_ms, until_ms;
};

/* One rule that was looked at. */
struct route_rule {
    Carehub__V1__Reason code; /* what it says when it denies; or what grants */
    bool passed;
    bool decided;
    char role[NAME_MAX_BYTES + 1]; /* the role that it was looked at for, or "" */
    Carehub__V1__Finding found;    /* what was found, for any language … */
    struct route_parts parts;
    char finding[200]; /* … and for people, in English; names actors, never patients */
};

enum { ROUTE_RULES_MIN = 20, ROUTE_RULES_MAX = 64 };

/* As route_one, and says which rules were looked at, in order, and which one decided: always the last. An
 * actor with several roles is looked at in each, in the one that served it best last; roles for which `max`
 * (at least ROUTE_RULES_MIN, or it returns -1; ROUTE_RULES_MAX is ample) leaves no room are left out. Returns
 * their number; -1 as well for a card that is too large. */
int route_explain(const struct route_input *in, uint32_t actor, struct route_decision *out, struct route_rule *rules,
                  size_t max);

/* Stable name of a reason ("NO_CONSENT") and one English sentence for it. Static. */
const char *reason_name(Carehub__V1__Reason reason);
const char *reason_text(Carehub__V1__Reason reason);

#endif
