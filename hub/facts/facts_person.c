/* Facts about persons in care: their care teams and grants. All of it is on the person's card.
 * Lists on a card are changed by building the new one; what has ended is not kept on it, since earlier versions of the
 * card are. */
#include "facts.h"
#include "later/later.h"

#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

typedef Carehub__V1__PatientCard Card;
typedef Carehub__V1__PatientCard__Member Member;

void person_card_put(struct fact_context *context, struct person *person, const Card *changed)
{
    persons_put(&context->core->persons, person, changed, context->place, context->core->now_ms);
}

static void put_card(struct fact_context *context, const Card *changed)
{
    person_card_put(context, context->person, changed);
}

static void stop(struct fact_context *context, Card *card, uint32_t actor, Carehub__V1__Reason reason,
                 const char *purpose)
{
    struct arena *arena = &context->core->scratch;
    Carehub__V1__PatientCard__Stop **stops = arena_alloc(arena, (card->n_stops + 1) * sizeof *stops);
    size_t n = 0;
    for (size_t i = card->n_stops < STOPS_MAX ? 0 : 1; i < card->n_stops; i++)
        if (card->stops[i]->setting || card->stops[i]->n_types || card->stops[i]->actor != actor ||
            card->stops[i]->reason != reason || strcmp(card->stops[i]->purpose, purpose) != 0)
            stops[n++] = card->stops[i];
    Carehub__V1__PatientCard__Stop *added = stops[n++] = arena_alloc(arena, sizeof *added);
    carehub__v1__patient_card__stop__init(added);
    added->actor = actor;
    added->place = context->place;
    added->reason = reason;
    added->purpose = (char *)purpose;
    card->n_stops = n;
    card->stops = stops;
}

void person_card_stop(struct fact_context *context, Card *card, uint32_t actor, Carehub__V1__Reason reason)
{
    stop(context, card, actor, reason, "");
}

void person_card_stop_unconsented(struct fact_context *context, Card *card)
{
    int64_t now_ms = context->core->now_ms;
    if (!route_consent(card, now_ms))
        stop(context, card, 0, REASON(NO_CONSENT), "");
    for (size_t i = 0; i < card->n_grants; i++) {
        const char *purpose = card->grants[i]->purpose;
        if (purpose[0] && !route_consent_for(card, purpose, now_ms))
            stop(context, card, card->grants[i]->actor, REASON(NO_CONSENT_FOR_PURPOSE), purpose);
    }
}

static bool check_nothing(struct fact_context *context)
{
    (void)context;
    return true;
}

static void apply_death_recorded(struct fact_context *context)
{
    Card card = *context->person->card;
    card.deceased = !MESSAGE(context, DeathRecorded)->mistaken;
    put_card(context, &card);
}

/* ---- Members and grants: lists of the same kind ------------------------------------------------------------------------ */

static bool same_role(const Member *member, uint32_t actor, const char *role)
{
    return member->actor == actor && (role[0] == '\0' || strcmp(member->role, role) == 0);
}

static bool check_level(struct fact_context *context, Carehub__V1__Level level)
{
    return level >= CAREHUB__V1__LEVEL__LEVEL_NONE && level <= CAREHUB__V1__LEVEL__LEVEL_CLINICAL
               ? true
               : REFUSE(context, INVALID, "maxLevel", "a level is administrative, care or clinical");
}

bool check_period(struct fact_context *context, int64_t from_ms, int64_t until_ms)
{
    if (from_ms < 0 || until_ms < 0)
        return REFUSE(context, INVALID, from_ms < 0 ? "fromMs" : "untilMs", "a time before 1970");
    if (until_ms && until_ms <= (from_ms ? from_ms : context->core->now_ms))
        return REFUSE(context, INVALID, "untilMs", "it ends before it begins, or has ended already");
    return true;
}

/* The list without the actor in that role, and with `added` behind it if that is not NULL. */
static Member **relist(struct fact_context *context, size_t *n, Member *const *members, uint32_t actor,
                       const char *role, Member *added)
{
    Member **list = arena_alloc(&context->core->scratch, (*n + 1) * sizeof *list);
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (!same_role(members[i], actor, role))
            list[kept++] = members[i];
    if (added)
        list[kept++] = added;
    *n = kept;
    return list;
}

static bool is_narrower(const Member *before, const Member *anew)
{
    bool narrower = before->n_types == 0 && anew->n_types > 0;
    for (size_t i = 0; i < before->n_types && anew->n_types > 0; i++) {
        bool kept = false;
        for (size_t k = 0; k < anew->n_types; k++)
            kept |= anew->types[k] == before->types[i];
        narrower |= !kept;
    }
    return narrower;
}

/* Said anew so that it begins later, is for something else or for fewer types: what it carried until now has ended, and
 * what is queued on it goes without. */
static void stop_if_other(struct fact_context *context, Card *card, size_t n, Member *const *before, const Member *anew)
{
    for (size_t i = 0; i < n; i++) {
        if (!same_role(before[i], anew->actor, anew->role))
            continue;
        if (anew->from_ms > context->core->now_ms)
            person_card_stop(context, card, anew->actor, REASON(RELATION_NOT_STARTED));
        if (strcmp(before[i]->purpose, anew->purpose) != 0)
            person_card_stop(context, card, anew->actor, REASON(RELATION_ENDED));
        if (is_narrower(before[i], anew)) {
            person_card_stop(context, card, anew->actor, REASON(OUTSIDE_SCOPE));
            card->stops[card->n_stops - 1]->n_types = anew->n_types;
            card->stops[card->n_stops - 1]->types = anew->types;
        }
    }
}

static bool listed(size_t n, Member *const *members, uint32_t actor, const char *role)
{
    for (size_t i = 0; i < n; i++)
        if (same_role(members[i], actor, role))
            return true;
    return false;
}

/* A case manager by kind of grant or by role: either is bound to what holds of one. */
static bool manages_case(Carehub__V1__GrantKind kind, const char *role)
{
    return kind == CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT || strcmp(role, "case-manager") == 0;
}

static bool is_case_manager(const Card *card, uint32_t actor)
{
    for (size_t i = 0; i < card->n_grants; i++)
        if (card->grants[i]->actor == actor && manages_case(card->grants[i]->grant, card->grants[i]->role))
            return true;
    return false;
}

/* What a membership is limited to. */
static bool check_scope(struct fact_context *context, const Carehub__V1__MemberAdded *added)
{
    if (added->n_types > EVENT_TYPE_MAX)
        return REFUSE(context, TOO_MANY, "types", "there are only %d types of event", EVENT_TYPE_MAX);
    for (size_t i = 0; i < added->n_types; i++)
        if (!event_type_by_name(added->types[i]))
            return REFUSE(context, INVALID, "types", "there is no event type “%.*s”", NAME_MAX_BYTES, added->types[i]);
    return check_level(context, added->max_level);
}

static bool check_member_added(struct fact_context *context)
{
    const Carehub__V1__MemberAdded *added = MESSAGE(context, MemberAdded);
    const Card *card = context->person->card;
    if (!check_name(context, added->role) || !check_period(context, added->from_ms, added->until_ms) ||
        !check_text(context, "proof", added->proof, NAME_MAX_BYTES) || !check_scope(context, added))
        return false;
    if (policy_role(context->core->registry.policy, added->role) == POLICY_ROLE_UNKNOWN)
        return REFUSE(context, UNKNOWN_NAME, "role", "the policy in force knows no role “%s”", added->role);
    if (strcmp(added->role, "case-manager") == 0)
        return REFUSE(context, INVALID, "role", "a case manager stands outside the team: give a grant with an end");
    if (strcmp(added->role, "coordinator") == 0 && is_case_manager(card, context->actor->number))
        return REFUSE(context, INVALID, "actor", "%s is this person's case manager, and cannot be the coordinator too",
                      context->actor->card->name);
    context->until_ms = added->until_ms;
    if (!added->until_ms && added->basis == CAREHUB__V1__RELATION_BASIS__THERAPEUTIC_RELATION)
        context->until_ms = policy_relation_until_ms(context->core->registry.policy, added->proof,
                                                     added->from_ms ? added->from_ms : context->core->now_ms);
    if (context->until_ms && context->until_ms <= context->core->now_ms)
        return REFUSE(context, INVALID, "fromMs", "with this proof it has ended already: say until when it holds");
    if (card->n_members >= MEMBERS_MAX)
        return REFUSE(context, TOO_MANY, "actor", "the care team has %d members, the most", MEMBERS_MAX);
    return true;
}

static void apply_member_added(struct fact_context *context)
{
    const Carehub__V1__MemberAdded *added = MESSAGE(context, MemberAdded);
    Card card = *context->person->card;
    Member member = CAREHUB__V1__PATIENT_CARD__MEMBER__INIT;
    member.actor = context->actor->number;
    member.role = added->role;
    member.since = context->place;
    member.from_ms = added->from_ms;
    member.until_ms = context->until_ms;
    member.basis = added->basis;
    member.proof = added->proof;
    member.max_level = added->max_level;
    member.types = arena_alloc(&context->core->scratch, (added->n_types + 1) * sizeof *member.types);
    for (size_t i = 0; i < added->n_types; i++)
        member.types[member.n_types++] = (uint32_t)event_type_by_name(added->types[i]);
    stop_if_other(context, &card, card.n_members, card.members, &member);
    card.members = relist(context, &card.n_members, card.members, member.actor, added->role, &member);
    put_card(context, &card);
    joiner_add(context->core, context->place, added->from_ms);
}

static bool check_member_ended(struct fact_context *context)
{
    const Carehub__V1__MemberEnded *ended = MESSAGE(context, MemberEnded);
    const Card *card = context->person->card;
    return listed(card->n_members, card->members, context->actor->number, ended->role)
               ? true
               : REFUSE(context, UNKNOWN_NAME, "actor", "%s is not a member of this care team%s%s",
                        context->actor->card->name, ended->role[0] ? " as " : "", ended->role);
}

static void apply_member_ended(struct fact_context *context)
{
    Card card = *context->person->card;
    card.members = relist(context, &card.n_members, card.members, context->actor->number,
                          MESSAGE(context, MemberEnded)->role, NULL);
    person_card_stop(context, &card, context->actor->number, REASON(RELATION_ENDED));
    put_card(context, &card);
}

static bool check_emergency(struct fact_context *context, const Carehub__V1__GrantGiven *given)
{
    int64_t from_ms = given->from_ms ? given->from_ms : context->core->now_ms;
    if (given->purpose[0] == '\0' || given->justification[0] == '\0')
        return REFUSE(context, INVALID, "justification", "emergency access needs a purpose and a justification");
    if (!given->until_ms || given->until_ms - from_ms > EMERGENCY_ACCESS_MAX_MS)
        return REFUSE(context, INVALID, "untilMs", "emergency access ends within 24 hours");
    return true;
}

/* Quality, research…: what for is the purpose of a consent, and how much, and how long, has to be said. */
static bool check_secondary(struct fact_context *context, const Carehub__V1__GrantGiven *given)
{
    if (given->purpose[0] == '\0' || strcmp(given->purpose, CONTINUITY_OF_CARE) == 0)
        return REFUSE(context, INVALID, "purpose",
                      "secondary use needs the purpose of a consent: “quality”, “research”…; not care itself");
    if (!given->until_ms)
        return REFUSE(context, INVALID, "untilMs", "a grant for secondary use has an end");
    if (given->max_level == CAREHUB__V1__LEVEL__LEVEL_NONE)
        return REFUSE(context, INVALID, "maxLevel", "say up to which level: administrative, care or clinical");
    return check_name(context, given->purpose);
}

static bool check_kind(struct fact_context *context, const Carehub__V1__GrantGiven *given)
{
    switch (given->kind) {
    case CAREHUB__V1__GRANT_KIND__CASE_MANAGEMENT:
    case CAREHUB__V1__GRANT_KIND__INSURANCE:
    case CAREHUB__V1__GRANT_KIND__REFERRAL:
        return true;
    case CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS:
        return check_emergency(context, given);
    case CAREHUB__V1__GRANT_KIND__SECONDARY_USE:
        return check_secondary(context, given);
    default:
        return REFUSE(context, INVALID, "kind",
                      "say what the grant is for: case management, insurance, referral, emergency access or "
                      "secondary use");
    }
}

static bool check_grant_given(struct fact_context *context)
{
    const Carehub__V1__GrantGiven *given = MESSAGE(context, GrantGiven);
    const Card *card = context->person->card;
    if (!check_name(context, given->role) || !check_period(context, given->from_ms, given->until_ms) ||
        !check_text(context, "purpose", given->purpose, TEXT_MAX_BYTES) ||
        !check_text(context, "justification", given->justification, TEXT_MAX_BYTES))
        return false;
    if (policy_role(context->core->registry.policy, given->role) == POLICY_ROLE_UNKNOWN)
        return REFUSE(context, UNKNOWN_NAME, "role", "the policy in force knows no role “%s”", given->role);
    if (!check_kind(context, given) || !check_level(context, given->max_level))
        return false;
    if (manages_case(given->kind, given->role) && !given->until_ms)
        return REFUSE(context, INVALID, "untilMs", "a case manager's grant has an end");
    if (manages_case(given->kind, given->role) &&
        listed(card->n_members, card->members, context->actor->number, "coordinator"))
        return REFUSE(context, INVALID, "actor", "%s is this person's coordinator, and cannot be the case manager too",
                      context->actor->card->name);
    if (card->n_grants >= MEMBERS_MAX)
        return REFUSE(context, TOO_MANY, "actor", "the person has %d grants, the most", MEMBERS_MAX);
    return true;
}

static void apply_grant_given(struct fact_context *context)
{
    const Carehub__V1__GrantGiven *given = MESSAGE(context, GrantGiven);
    Card card = *context->person->card;
    Member grant = CAREHUB__V1__PATIENT_CARD__MEMBER__INIT;
    grant.actor = context->actor->number;
    grant.role = given->role;
    grant.since = context->place;
    grant.from_ms = given->from_ms;
    grant.until_ms = given->until_ms;
    grant.grant = given->kind;
    grant.max_level = given->max_level;
    if (given->kind == CAREHUB__V1__GRANT_KIND__SECONDARY_USE)
        grant.purpose = given->purpose;
    stop_if_other(context, &card, card.n_grants, card.grants, &grant);
    emergency_ended(context->core, context->person, grant.actor, given->role, context->place); /* it replaces that */
    card.grants = relist(context, &card.n_grants, card.grants, grant.actor, given->role, &grant);
    put_card(context, &card);
    if (given->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS) {
        emergency_given(context->core, context->place);
        emergency_tell(context->core, context->person, context->actor, given);
    }
}

static bool check_grant_ended(struct fact_context *context)
{
    const Card *card = context->person->card;
    return listed(card->n_grants, card->grants, context->actor->number, MESSAGE(context, GrantEnded)->role)
               ? true
               : REFUSE(context, UNKNOWN_NAME, "actor", "%s has no such grant", context->actor->card->name);
}

static void apply_grant_ended(struct fact_context *context)
{
    Card card = *context->person->card;
    emergency_ended(context->core, context->person, context->actor->number, MESSAGE(context, GrantEnded)->role,
                    context->place);
    card.grants =
        relist(context, &card.n_grants, card.grants, context->actor->number, MESSAGE(context, GrantEnded)->role, NULL);
    person_card_stop(context, &card, context->actor->number, REASON(RELATION_ENDED));
    put_card(context, &card);
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name
#define REGISTRAR CAREHUB__V1__OPERATOR_ROLE__REGISTRAR

const struct fact_kind person_facts[] = {
    {KIND(DEATH_RECORDED), REGISTRAR, check_nothing, apply_death_recorded, false, false},
    {KIND(MEMBER_ADDED), REGISTRAR, check_member_added, apply_member_added, false, false},
    {KIND(MEMBER_ENDED), REGISTRAR, check_member_ended, apply_member_ended, true, false},
    {KIND(GRANT_GIVEN), REGISTRAR, check_grant_given, apply_grant_given, false, false},
    {KIND(GRANT_ENDED), REGISTRAR, check_grant_ended, apply_grant_ended, true, false},
};
const size_t n_person_facts = sizeof person_facts / sizeof *person_facts;
