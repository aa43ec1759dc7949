/* route_rules.c - the rules, in their order. Deny is the default: only what is recognised passes. */
#include "route_rules.h"

#include <string.h>

typedef Carehub__V1__PatientCard__Member Relation;
typedef Carehub__V1__PatientCard__Consent Consent;
typedef Carehub__V1__PatientCard__Setting Setting;

const char CONTINUITY_OF_CARE[] = "continuity-of-care";
static const char COORDINATOR[] = "coordinator";

/* From `from_ms` on, and before `until_ms`; 0 leaves that side open. */
static bool started(int64_t from_ms, int64_t now_ms)
{
    return from_ms <= now_ms;
}

static bool ended(int64_t until_ms, int64_t now_ms)
{
    return until_ms != 0 && until_ms <= now_ms;
}

static bool in_force(int64_t from_ms, int64_t until_ms, int64_t now_ms)
{
    return started(from_ms, now_ms) && !ended(until_ms, now_ms);
}

/* A ceiling as a card states it: unset is none at all, and what is no level lets nothing through. */
static Carehub__V1__Level ceiling(Carehub__V1__Level stated)
{
    if (stated == LEVEL(LEVEL_NONE))
        return LEVEL(LEVEL_CLINICAL);
    return stated >= LEVEL(LEVEL_ADMINISTRATIVE) && stated <= LEVEL(LEVEL_CLINICAL) ? stated : LEVEL(LEVEL_NONE);
}

static Carehub__V1__Level lesser(Carehub__V1__Level a, Carehub__V1__Level b)
{
    return a < b ? a : b;
}

/* ---- The actor -------------------------------------------------------------------------------------------------- */

static Carehub__V1__Reason check_known(struct look *look)
{
    return look->known ? PASSED : REASON(UNKNOWN_ACTOR);
}

/* What was never received cannot be taken back, and must not be announced by taking it back. */
static Carehub__V1__Reason check_received(struct look *look)
{
    return !look->question->in->retracts || look->received ? PASSED : REASON(NOTHING_TO_RETRACT);
}

static Carehub__V1__Reason check_standing(struct look *look)
{
    switch (look->actor.standing) {
    case CAREHUB__V1__STANDING__ACTIVE:
    case CAREHUB__V1__STANDING__SUSPENDED: /* has a rule of its own */
        return PASSED;
    case CAREHUB__V1__STANDING__ENDED:
        return REASON(ACTOR_ENDED);
    default:
        return REASON(DECISION_FAILED);
    }
}

static Carehub__V1__Reason check_excluded(struct look *look)
{
    const Carehub__V1__PatientCard *card = look->question->card;
    for (size_t i = 0; i < card->n_excluded; i++)
        if (card->excluded[i] == look->number)
            return REASON(EXCLUDED_BY_PERSON);
    return PASSED;
}

/* ---- One relation ----------------------------------------------------------------------------------------------- */

static bool coordinates(const struct look *look)
{
    const Carehub__V1__PatientCard *card = look->question->card;
    for (size_t i = 0; i < card->n_members; i++) {
        const Relation *member = card->members[i];
        if (member->actor == look->number && strcmp(member->role, COORDINATOR) == 0 &&
            in_force(member->from_ms, member->until_ms, look->question->in->now_ms))
            return true;
    }
    return false;
}

/* Grants that the registry should never have let in do not count: a case manager's, and emergency access,
 * have an end, and nobody is coordinator and case manager of one person. */
static bool grant_is_sound(const struct look *look)
{
    switch (look->relation->grant) {
    case CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT:
        return look->relation->until_ms != 0 && !coordinates(look);
    case CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS:
        return look->relation->until_ms != 0;
    case CAREHUB__V1__GRANT_KIND__SECONDARY_USE:
        return look->relation->until_ms != 0 && look->relation->max_level != LEVEL(LEVEL_NONE) &&
               look->relation->purpose[0] != '\0';
    case CAREHUB__V1__GRANT_KIND__INSURANCE:
    case CAREHUB__V1__GRANT_KIND__REFERRAL:
        return true;
    default:
        return false;
    }
}

static Carehub__V1__Reason check_relation(struct look *look)
{
    const Relation *relation = look->relation;
    int64_t now_ms = look->question->in->now_ms;
    if (!relation)
        return REASON(NO_RELATION);
    if (ended(relation->until_ms, now_ms))
        return REASON(RELATION_ENDED);
    if (!started(relation->from_ms, now_ms))
        return REASON(RELATION_NOT_STARTED);
    return !look->grant || grant_is_sound(look) ? PASSED : REASON(DECISION_FAILED);
}

static Carehub__V1__Reason check_addressed(struct look *look)
{
    const struct route_input *in = look->question->in;
    for (size_t i = 0; i < in->n_addressees; i++) {
        const Carehub__V1__Addressee *to = in->addressees[i];
        if ((to->to_case == CAREHUB__V1__ADDRESSEE__TO_ACTOR && strcmp(to->actor, look->actor.name) == 0) ||
            (to->to_case == CAREHUB__V1__ADDRESSEE__TO_ROLE && strcmp(to->role, look->relation->role) == 0))
            return PASSED;
    }
    return in->n_addressees == 0 ? PASSED : REASON(NOT_ADDRESSED);
}

static Carehub__V1__Reason check_role(struct look *look)
{
    const struct route_input *in = look->question->in;
    int role = policy_role(in->policy, look->relation->role);
    if (role == POLICY_ROLE_UNKNOWN)
        return REASON(ROLE_UNKNOWN);
    look->cell = policy_cell(in->policy, role, in->type);
    return PASSED;
}

static bool setting_applies(const struct look *look, const Setting *setting)
{
    const struct route_input *in = look->question->in;
    return (setting->actor == 0 || setting->actor == look->number) &&
           (setting->role[0] == '\0' || strcmp(setting->role, look->relation->role) == 0) &&
           (setting->type == 0 || (Carehub__V1__EventType)setting->type == in->type) &&
           in_force(setting->from_ms, setting->until_ms, in->now_ms);
}

static bool covers(const Relation *relation, Carehub__V1__EventType type)
{
    for (size_t i = 0; i < relation->n_types; i++)
        if (relation->types[i] == (uint32_t)type)
            return true;
    return relation->n_types == 0;
}

/* The widest relaxation that applies lifts what the matrix says; then the narrowest ceiling counts. */
static Carehub__V1__Reason check_cell(struct look *look)
{
    const Carehub__V1__PatientCard *card = look->question->card;
    if (!covers(look->relation, look->question->in->type))
        return REASON(OUTSIDE_SCOPE);
    look->level = (Carehub__V1__Level)look->cell->level;
    for (size_t i = 0; i < card->n_settings; i++)
        if (card->settings[i]->relaxes && card->settings[i]->level > look->level &&
            setting_applies(look, card->settings[i]))
            look->level = card->settings[i]->level;
    look->level = lesser(look->level, ceiling(look->relation->max_level));
    if (look->grant && look->relation->grant == CAREHUB__V1__GRANT_KIND__INSURANCE)
        look->level = lesser(look->level, LEVEL(LEVEL_ADMINISTRATIVE));
    return look->level > LEVEL(LEVEL_NONE) ? PASSED : REASON(CELL_NONE);
}

static Carehub__V1__Reason check_settings(struct look *look)
{
    const Carehub__V1__PatientCard *card = look->question->card;
    for (size_t i = 0; i < card->n_settings; i++)
        if (!card->settings[i]->relaxes && setting_applies(look, card->settings[i]))
            look->level = lesser(look->level, card->settings[i]->level);
    return look->level > LEVEL(LEVEL_NONE) ? PASSED : REASON(RESTRICTED_BY_PERSON);
}

bool is_confidential(const struct route_input *in)
{
    return in->confidentiality != CAREHUB__V1__CONFIDENTIALITY__CONFIDENTIALITY_UNSPECIFIED &&
           in->confidentiality != CAREHUB__V1__CONFIDENTIALITY__NORMAL;
}

static Carehub__V1__Reason check_restricted(struct look *look)
{
    return !is_confidential(look->question->in) || look->cell->restricted ? PASSED : REASON(RESTRICTED_EVENT);
}

static bool has_purpose(const Consent *consent, const char *purpose)
{
    for (size_t i = 0; i < consent->n_purposes; i++)
        if (strcmp(consent->purposes[i], purpose) == 0)
            return true;
    return false;
}

/* Of several in force the one given last counts: it is the person's last word, wider or narrower. */
static const Consent *consent_in_force(const Carehub__V1__PatientCard *card, const char *purpose, int64_t now_ms)
{
    const Consent *last = NULL;
    for (size_t i = 0; i < card->n_consents; i++) {
        const Consent *consent = card->consents[i];
        if (in_force(consent->from_ms, consent->until_ms, now_ms) && (!purpose || has_purpose(consent, purpose)) &&
            (!last || consent->since >= last->since))
            last = consent;
    }
    return last;
}

static const Consent *consent_for(const struct route_input *in, const Carehub__V1__PatientCard *card,
                                  const char *purpose)
{
    for (size_t i = 0; i < in->n_stopped; i++)
        if (strcmp(in->stopped[i][0] ? in->stopped[i] : CONTINUITY_OF_CARE, purpose) == 0)
            return NULL;
    return consent_in_force(card, purpose, in->now_ms);
}

bool is_secondary(const struct look *look)
{
    return look->grant && look->relation->grant == CAREHUB__V1__GRANT_KIND__SECONDARY_USE;
}

/* Consent can only add: where the relation alone carries the whole cell, a narrow consent does not lower it.
 * Otherwise withdrawing that consent would show more. */
static Carehub__V1__Reason check_consent(struct look *look)
{
    bool secondary = is_secondary(look);
    const Consent *consent = look->consent =
        secondary ? consent_for(look->question->in, look->question->card, look->relation->purpose)
                  : look->question->consent;
    Carehub__V1__Level covered = consent ? lesser(look->level, ceiling(consent->classes)) : LEVEL(LEVEL_NONE);
    look->by_relation = look->cell->by_relation && !secondary && covered < look->level;
    if (!look->by_relation)
        look->level = covered;
    if (look->level > LEVEL(LEVEL_NONE))
        return PASSED;
    return secondary ? REASON(NO_CONSENT_FOR_PURPOSE) : REASON(NO_CONSENT);
}

static Carehub__V1__Reason check_deceased(struct look *look)
{
    const struct route_input *in = look->question->in;
    return !look->question->card->deceased || policy_after_death(in->policy, in->type) ? PASSED
                                                                                       : REASON(PERSON_DECEASED);
}

static Carehub__V1__Reason check_own(struct look *look)
{
    return look->number != look->question->in->publisher ? PASSED : REASON(OWN_EVENT);
}

/* Asked behind all that denies: what a suspended actor could not get anyhow is not kept for it, to come out when there
 * is consent for it one day. */
Carehub__V1__Reason check_suspended(struct look *look)
{
    return look->actor.standing != CAREHUB__V1__STANDING__SUSPENDED ? PASSED : REASON(ACTOR_SUSPENDED);
}

static bool takes(const struct route_inbox *inbox, Carehub__V1__EventType type)
{
    return (inbox->types & 1) || ((int)type >= 1 && (int)type <= EVENT_TYPE_MAX && (inbox->types >> type & 1));
}

/* A correction goes where the original went, and nowhere else: another inbox of the same actor never had it.
 */
static bool had_original(const struct look *look, uint32_t inbox)
{
    if (!look->received)
        return true;
    for (size_t i = 0; i < look->received->n_slots; i++)
        if (look->received->slots[i]->inbox == inbox)
            return true;
    return false;
}

/* A full inbox holds the delivery instead of dropping it: its actor is entitled and subscribed, so the event
 * must come to an end that someone sees (it is released when there is room, or dead at its deadline, and
 * listed). Withholding would lose it without a trace in the actor's inbox. It is no way round the inbox's
 * limit: a hold ends after the policy's hold time, which is shorter than the time to live of what it waits
 * behind. */
Carehub__V1__Reason check_inbox(struct look *look)
{
    bool subscribed = false;
    look->n_inboxes = 0;
    for (size_t i = 0; i < look->actor.n_inboxes; i++) {
        const struct route_inbox *inbox = &look->actor.inboxes[i];
        if (!takes(inbox, look->question->in->type) || !had_original(look, inbox->inbox))
            continue;
        subscribed = true;
        /* The registry keeps an actor's inboxes within this; its oldest ones would go on working. */
        if (!inbox->full && look->n_inboxes < ROUTE_SLOTS_MAX)
            look->inboxes[look->n_inboxes++] = inbox->inbox;
    }
    if (look->n_inboxes > 0)
        return PASSED;
    if (subscribed)
        return REASON(INBOX_FULL);
    return look->cell && look->cell->personal ? REASON(PERSONAL_WITHOUT_INBOX) : REASON(NOT_SUBSCRIBED);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

const struct rule actor_rules[ACTOR_RULES] = {
    {REASON(UNKNOWN_ACTOR), check_known, find_known},
    {REASON(NOTHING_TO_RETRACT), check_received, find_received},
    {REASON(ACTOR_ENDED), check_standing, find_standing},
    {REASON(EXCLUDED_BY_PERSON), check_excluded, find_excluded},
};

const struct rule relation_rules[RELATION_RULES] = {
    {REASON(NO_RELATION), check_relation, find_relation},
    {REASON(NOT_ADDRESSED), check_addressed, find_addressed},
    {REASON(ROLE_UNKNOWN), check_role, find_role},
    {REASON(CELL_NONE), check_cell, find_cell},
    {REASON(RESTRICTED_BY_PERSON), check_settings, find_settings},
    {REASON(RESTRICTED_EVENT), check_restricted, find_restricted},
    {REASON(NO_CONSENT), check_consent, find_consent},
    {REASON(PERSON_DECEASED), check_deceased, find_deceased},
    {REASON(OWN_EVENT), check_own, find_own},
    {REASON(ACTOR_SUSPENDED), check_suspended, find_suspended},
    {REASON(NOT_SUBSCRIBED), check_inbox, find_inbox},
};

Carehub__V1__Reason rules_run(const struct rule *rules, size_t n, struct look *look, size_t *passed, rule_seen_fn *seen,
                              void *ctx)
{
    Carehub__V1__Reason denial = PASSED;
    size_t i = 0;
    for (; i < n; i++) {
        denial = rules[i].check(look);
        if (seen)
            seen(ctx, look, &rules[i], denial);
        if (denial != PASSED)
            break;
    }
    *passed = i;
    return denial;
}

/* ---- What the rules look at ------------------------------------------------------------------------------------- */

uint64_t route_consent(const Carehub__V1__PatientCard *patient, int64_t now_ms)
{
    return route_consent_for(patient, CONTINUITY_OF_CARE, now_ms);
}

uint64_t route_consent_for(const Carehub__V1__PatientCard *patient, const char *purpose, int64_t now_ms)
{
    const Consent *consent = patient ? consent_in_force(patient, purpose, now_ms) : NULL;
    return consent ? consent->since : 0;
}

bool route_may_enter(const Carehub__V1__PatientCard *patient, uint32_t actor, Carehub__V1__EventType type,
                     int64_t now_ms)
{
    for (size_t i = 0; i < patient->n_members + patient->n_grants; i++) {
        const Relation *relation =
            i < patient->n_members ? patient->members[i] : patient->grants[i - patient->n_members];
        if (relation->actor == actor && in_force(relation->from_ms, relation->until_ms, now_ms) &&
            covers(relation, type))
            return true;
    }
    return false;
}

bool question_open(struct question *question, const struct route_input *in)
{
    static const Carehub__V1__PatientCard nobody = CAREHUB__V1__PATIENT_CARD__INIT;
    const Carehub__V1__PatientCard *card = in->patient ? in->patient : &nobody;
    if (card->n_members > MEMBERS_MAX || card->n_grants > MEMBERS_MAX)
        return false;
    question->in = in;
    question->card = card;
    question->consent = consent_for(in, card, CONTINUITY_OF_CARE);
    question->n_relations = 0;
    for (size_t i = 0; i < card->n_members; i++)
        question->actors[question->n_relations++] = card->members[i]->actor;
    for (size_t i = 0; i < card->n_grants; i++)
        question->actors[question->n_relations++] = card->grants[i]->actor;
    return true;
}

void look_at_actor(struct look *look, const struct question *question, uint32_t actor)
{
    const struct route_original *original = question->in->original;
    look->question = question;
    look->number = actor;
    look->actor = (struct route_actor){0};
    look->known = question->in->actor(question->in->ctx, actor, &look->actor);
    look->received = NULL;
    for (size_t i = 0; original && i < original->n_decisions; i++)
        if (original->decisions[i]->actor == actor && original->decisions[i]->outcome == OUTCOME(DELIVER))
            look->received = original->decisions[i];
    look_at_relation(look, -1);
}

void look_at_relation(struct look *look, int relation)
{
    const Carehub__V1__PatientCard *card = look->question->card;
    look->relation = NULL;
    look->grant = relation >= (int)card->n_members;
    if (relation >= 0)
        look->relation = look->grant ? card->grants[relation - (int)card->n_members] : card->members[relation];
    look->cell = NULL;
    look->level = LEVEL(LEVEL_NONE);
    look->consent = NULL;
    look->by_relation = false;
    look->n_inboxes = 0;
}
