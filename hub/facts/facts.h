/* facts.h - one kind of registry fact: who may submit it, what is checked, and what it does. A fact is checked against
 * the state at its place; then it is logged; then applied, which cannot fail. */
#ifndef CAREHUB_FACTS_H
#define CAREHUB_FACTS_H

#include "core/core_private.h"

struct fact_context {
    struct core *core;
    const struct client *client; /* NULL: the hub itself */
    const Fact *fact;            /* as submitted */
    const void *message;         /* the fact's own message */
    uint64_t place;              /* when it is applied */
    struct person *person;       /* of a fact with a `patient` field */
    struct person *other;        /* … of one with a `merged` field too */
    struct actor *actor;         /* of a fact with an `actor` field, … */
    struct client *subject;      /* … a `client` field */
    int64_t until_ms;            /* the end of a MemberAdded, its own or by the policy */
    uint32_t number;             /* for log and answer: of what it registers */
    struct policy *policy;       /* read while checking a PolicyAdopted */
    const Entry *event;          /* found while checking an EventVerified; in the scratch arena */
    Error **error;
};

struct fact_kind {
    Carehub__V1__Fact__FactCase kind;
    Carehub__V1__OperatorRole role;
    bool (*check)(struct fact_context *context);
    void (*apply)(struct fact_context *context);
    bool stops_deliveries; /* the answer says how many of the person's are in flight */
    bool alone;            /* changes queues at once, which cannot be taken back: not one of several items */
};

struct fact_table {
    const struct fact_kind *kinds;
    const size_t *n;
};

extern const struct fact_kind registry_facts[], identity_facts[], person_facts[], consent_facts[], verify_facts[],
    operator_facts[], audit_facts[], erasure_facts[];
extern const size_t n_registry_facts, n_identity_facts, n_person_facts, n_consent_facts, n_verify_facts,
    n_operator_facts, n_audit_facts, n_erasure_facts;

/* Refuses the fact of a context; always false. */
#define REFUSE(context, code, field, ...)                                                                              \
    refuse((context)->core, (context)->error, ERROR_CODE(code), field, __VA_ARGS__)

/* Takes over a changed copy of the person's card, made of borrowed parts. */
void person_card_put(struct fact_context *context, struct person *person, const Carehub__V1__PatientCard *changed);

/* Forgets a restriction or relaxation, but not that what is queued goes by it: by the one it is held back for good, by
 * the other it was allowed. */
void person_card_stop_setting(struct fact_context *context, Carehub__V1__PatientCard *card,
                              const Carehub__V1__PatientCard__Setting *setting);

/* From here on nothing that is queued goes out to the actor (0: to all who are entitled by consent). The stop is the
 * last of the list. */
void person_card_stop(struct fact_context *context, Carehub__V1__PatientCard *card, uint32_t actor,
                      Carehub__V1__Reason reason);

/* The same for all whose deliveries rest on a consent that is not in force: for continuity of care, or for the purpose
 * of a grant for secondary use. */
void person_card_stop_unconsented(struct fact_context *context, Carehub__V1__PatientCard *card);

/* facts_audit.c: what the hub knows better than the auditor. */
void log_resumed_fill(struct core *core, Carehub__V1__LogResumed *resumed);

/* replay.c */
bool check_replayed(struct fact_context *context);
void apply_replayed(struct fact_context *context);

bool check_period(struct fact_context *context, int64_t from_ms, int64_t until_ms);
bool check_name(struct fact_context *context, const char *name);
bool check_text(struct fact_context *context, const char *field, const char *text, size_t max);

#endif
