/* Facts about persons in care: their care teams and grants. All of it is on the person's card.
 * Lists on a card are changed by building the new one; what has ended is not kept on it, since earlier versions of the
 * card are. */
#include "facts.h"

#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

typedef Carehub__V1__PatientCard Card;
typedef Carehub__V1__PatientCard__Member Member;

void person_card_put(struct fact_context *context, struct person *person, const Card *changed)
{
    Card *old = person->card;
    person->card = message_copy(changed);
    carehub__v1__patient_card__free_unpacked(old, NULL);
    persons_put(&context->core->persons, person, context->place, context->core->now_ms);
}

static void put_card(struct fact_context *context, const Card *changed)
{
    person_card_put(context, context->person, changed);
}

void person_card_stop(struct fact_context *context, Card *card, uint32_t actor, Carehub__V1__Reason reason)
{
    struct arena *arena = &context->core->scratch;
    Carehub__V1__PatientCard__Stop **stops = arena_alloc(arena, (card->n_stops + 1) * sizeof *stops);
    size_t n = 0;
    for (size_t i = card->n_stops < STOPS_MAX ? 0 : 1; i < card->n_stops; i++)
        if (card->stops[i]->setting || card->stops[i]->actor != actor || card->stops[i]->reason != reason)
            stops[n++] = card->stops[i];
    Carehub__V1__PatientCard__Stop *stop = stops[n++] = arena_alloc(arena, sizeof *stop);
    carehub__v1__patient_card__stop__init(stop);
    stop->actor = actor;
    stop->place = context->place;
    stop->reason = reason;
    card->n_stops = n;
    card->stops = stops;
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

/* Said anew so that it begins later: what it carried until now has ended, and what is queued on it goes without. */
static void stop_if_put_off(struct fact_context *context, Card *card, size_t n, Member *const *before,
                            const Member *anew)
{
    for (size_t i = 0; i < n; i++)
        if (same_role(before[i], anew->actor, anew->role) && anew->from_ms > context->core->now_ms)
            person_card_stop(context, card, anew->actor, REASON(RELATION_NOT_STARTED));
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

static bool check_member_added(struct fact_context *context)
{
    const Carehub__V1__MemberAdded *added = MESSAGE(context, MemberAdded);
    const Card *card = context->person->card;
    if (!check_name(context, added->role) || !check_period(context, added->from_ms, added->until_ms) ||
        !check_text(context, "proof", added->proof, NAME_MAX_BYTES))
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
    stop_if_put_off(context, &card, card.n_members, card.members, &member);
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
    if (given->kind == CAREHUB__V1__GRANT_KIND__GRANT_KIND_UNSPECIFIED)
        return REFUSE(context, INVALID, "kind",
                      "say what the grant is for: case management, insurance, referral or emergency access");
    if (manages_case(given->kind, given->role) && !given->until_ms)
        return REFUSE(context, INVALID, "untilMs", "a case manager's grant has an end");
    if (given->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS && !check_emergency(context, given))
        return false;
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
    stop_if_put_off(context, &card, card.n_grants, card.grants, &grant);
    card.grants = relist(context, &card.n_grants, card.grants, grant.actor, given->role, &grant);
    put_card(context, &card);
    if (given->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS)
        emergency_tell(context->core, context->person, context->actor, given);
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
