/* Facts about what a person in care allows: consents, exclusions, restrictions and relaxations. All of it is on the
 * person's card. */
#include "facts.h"

#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

typedef Carehub__V1__PatientCard Card;
typedef Carehub__V1__PatientCard__Consent Consent;
typedef Carehub__V1__PatientCard__Setting Setting;

/* ---- Consent ---------------------------------------------------------------------------------------------------------- */

static bool check_consent_given(struct fact_context *context)
{
    const Carehub__V1__ConsentGiven *given = MESSAGE(context, ConsentGiven);
    if (given->n_purposes == 0 || given->n_purposes > 16)
        return REFUSE(context, INVALID, "purposes",
                      "consent is for 1 to 16 purposes; “continuity-of-care” is what care asks for");
    for (size_t i = 0; i < given->n_purposes; i++)
        if (!check_name(context, given->purposes[i]))
            return false;
    if (context->person->card->n_consents >= CONSENTS_MAX)
        return REFUSE(context, TOO_MANY, "patient",
                      "the person has %d consents, the most: withdraw those that are superseded", CONSENTS_MAX);
    return check_period(context, given->from_ms, given->until_ms) &&
           check_text(context, "givenBy", given->given_by, NAME_MAX_BYTES);
}

static void apply_consent_given(struct fact_context *context)
{
    const Carehub__V1__ConsentGiven *given = MESSAGE(context, ConsentGiven);
    Card card = *context->person->card;
    Consent consent = CAREHUB__V1__PATIENT_CARD__CONSENT__INIT;
    consent.since = context->place;
    consent.n_purposes = given->n_purposes;
    consent.purposes = given->purposes;
    consent.classes = given->classes;
    consent.from_ms = given->from_ms;
    consent.until_ms = given->until_ms;
    consent.given_by = given->given_by;
    card.consents = arena_alloc(&context->core->scratch, (card.n_consents + 1) * sizeof *card.consents);
    if (card.n_consents)
        memcpy(card.consents, context->person->card->consents, card.n_consents * sizeof *card.consents);
    person_card_stop_unconsented(context, &card); /* there was none, or it had lapsed: what is queued goes without */
    card.consents[card.n_consents++] = &consent;
    person_card_put(context, context->person, &card);
}

static bool named(size_t n, char *const *names, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static bool check_consent_withdrawn(struct fact_context *context)
{
    if (context->person->card->n_consents == 0)
        return REFUSE(context, INVALID, "patient", "there is no consent to withdraw");
    return check_text(context, "reason", MESSAGE(context, ConsentWithdrawn)->reason, TEXT_MAX_BYTES);
}

/* Takes the purposes out of every consent; one without purposes is gone. */
static void apply_consent_withdrawn(struct fact_context *context)
{
    const Carehub__V1__ConsentWithdrawn *withdrawn = MESSAGE(context, ConsentWithdrawn);
    struct arena *arena = &context->core->scratch;
    Card card = *context->person->card;
    Consent **kept = arena_alloc(arena, card.n_consents * sizeof *kept);
    size_t n_kept = 0;
    for (size_t i = 0; i < card.n_consents && withdrawn->n_purposes > 0; i++) {
        Consent *consent = arena_copy(arena, card.consents[i], sizeof *consent);
        char **purposes = arena_alloc(arena, consent->n_purposes * sizeof *purposes);
        size_t n = 0;
        for (size_t p = 0; p < consent->n_purposes; p++)
            if (!named(withdrawn->n_purposes, withdrawn->purposes, consent->purposes[p]))
                purposes[n++] = consent->purposes[p];
        consent->n_purposes = n;
        consent->purposes = purposes;
        if (n > 0)
            kept[n_kept++] = consent;
    }
    card.n_consents = n_kept;
    card.consents = kept;
    person_card_stop_unconsented(context, &card); /* another may come into force by its date */
    person_card_put(context, context->person, &card);
}

/* ---- Exclusions -------------------------------------------------------------------------------------------------------- */

static size_t excluded_at(const Card *card, uint32_t actor)
{
    size_t at = 0;
    while (at < card->n_excluded && card->excluded[at] != actor)
        at++;
    return at;
}

static bool check_exclusion_set(struct fact_context *context)
{
    const Card *card = context->person->card;
    if (excluded_at(card, context->actor->number) < card->n_excluded)
        return REFUSE(context, INVALID, "actor", "%s is excluded already", context->actor->card->name);
    return card->n_excluded < EXCLUSIONS_MAX
               ? true
               : REFUSE(context, TOO_MANY, "actor", "the person has %d exclusions, the most", EXCLUSIONS_MAX);
}

static void apply_exclusion_set(struct fact_context *context)
{
    Card card = *context->person->card;
    card.excluded = arena_alloc(&context->core->scratch, (card.n_excluded + 1) * sizeof *card.excluded);
    if (card.n_excluded)
        memcpy(card.excluded, context->person->card->excluded, card.n_excluded * sizeof *card.excluded);
    card.excluded[card.n_excluded++] = context->actor->number;
    person_card_stop(context, &card, context->actor->number, REASON(EXCLUDED_BY_PERSON));
    person_card_put(context, context->person, &card);
}

static bool check_exclusion_lifted(struct fact_context *context)
{
    const Card *card = context->person->card;
    return excluded_at(card, context->actor->number) < card->n_excluded
               ? true
               : REFUSE(context, UNKNOWN_NAME, "actor", "%s is not excluded", context->actor->card->name);
}

/* One that came with a merging is lifted there too: set again, it must not go when the merging is taken back. */
static void lift_from_merges(struct fact_context *context, Card *card, uint32_t actor)
{
    struct arena *arena = &context->core->scratch;
    Carehub__V1__PatientCard__Merge **merges = arena_alloc(arena, (card->n_merges + 1) * sizeof *merges);
    for (size_t i = 0; i < card->n_merges; i++) {
        Carehub__V1__PatientCard__Merge *merge = merges[i] = arena_copy(arena, card->merges[i], sizeof *merge);
        uint32_t *kept = arena_alloc(arena, (merge->n_excluded + 1) * sizeof *kept);
        size_t n = 0;
        for (size_t e = 0; e < merge->n_excluded; e++)
            if (merge->excluded[e] != actor)
                kept[n++] = merge->excluded[e];
        merge->n_excluded = n;
        merge->excluded = kept;
    }
    card->merges = merges;
}

static void apply_exclusion_lifted(struct fact_context *context)
{
    Card card = *context->person->card;
    size_t at = excluded_at(&card, context->actor->number);
    card.excluded = arena_copy(&context->core->scratch, card.excluded, card.n_excluded * sizeof *card.excluded);
    card.excluded[at] = card.excluded[--card.n_excluded];
    lift_from_merges(context, &card, context->actor->number);
    person_card_put(context, context->person, &card);
}

/* ---- Restrictions and relaxations ---------------------------------------------------------------------------------- */

static size_t setting_at(const Card *card, const char *name)
{
    size_t at = 0;
    while (at < card->n_settings && strcmp(card->settings[at]->name, name) != 0)
        at++;
    return at;
}

static bool check_access_set(struct fact_context *context)
{
    const Carehub__V1__AccessSet *set = MESSAGE(context, AccessSet);
    const Card *card = context->person->card;
    if (!check_name(context, set->name) || !check_period(context, set->from_ms, set->until_ms))
        return false;
    if (set->actor_name[0] && !registry_actor_named(&context->core->registry, set->actor_name))
        return REFUSE(context, UNKNOWN_NAME, "actorName", "there is no actor “%.*s”", NAME_MAX_BYTES, set->actor_name);
    if (set->role[0] && policy_role(context->core->registry.policy, set->role) == POLICY_ROLE_UNKNOWN)
        return REFUSE(context, UNKNOWN_NAME, "role", "the policy in force knows no role “%.*s”", NAME_MAX_BYTES,
                      set->role);
    if (set->type[0] && !event_type_by_name(set->type))
        return REFUSE(context, INVALID, "type", "there is no event type “%.*s”", NAME_MAX_BYTES, set->type);
    if (set->level > CAREHUB__V1__LEVEL__LEVEL_CLINICAL || (set->relaxes && !set->level))
        return REFUSE(context, INVALID, "level", "a relaxation goes up to administrative, care or clinical");
    return setting_at(card, set->name) < card->n_settings || card->n_settings < SETTINGS_MAX
               ? true
               : REFUSE(context, TOO_MANY, "name", "the person has %d settings, the most", SETTINGS_MAX);
}

void person_card_stop_setting(struct fact_context *context, Card *card, const Setting *setting)
{
    if (setting->from_ms > context->core->now_ms)
        return;
    Setting *gone = arena_copy(&context->core->scratch, setting, sizeof *gone);
    gone->from_ms = gone->until_ms = 0;
    person_card_stop(context, card, gone->actor, REASON(RESTRICTED_BY_PERSON));
    card->stops[card->n_stops - 1]->setting = gone;
}

/* A relaxation that is said anew and allows no less. */
static bool goes_on(const struct fact_context *context, const Setting *before, const Setting *anew)
{
    return before->relaxes && anew && anew->relaxes && anew->from_ms <= context->core->now_ms &&
           anew->actor == before->actor && anew->type == before->type && strcmp(anew->role, before->role) == 0 &&
           anew->level >= before->level;
}

/* The settings without the one at `at`, in the place of which comes `anew` (NULL: nothing). What a restriction kept
 * from being delivered does not come after it either, nor what a relaxation allowed. */
static void drop_setting(struct fact_context *context, Card *card, size_t at, const Setting *anew)
{
    struct arena *arena = &context->core->scratch;
    Setting **kept = arena_alloc(arena, (card->n_settings + 1) * sizeof *kept);
    size_t n = 0;
    for (size_t i = 0; i < card->n_settings; i++)
        if (i != at)
            kept[n++] = card->settings[i];
    if (at < card->n_settings && !goes_on(context, card->settings[at], anew))
        person_card_stop_setting(context, card, card->settings[at]);
    card->settings = kept;
    card->n_settings = n;
}

static void apply_access_set(struct fact_context *context)
{
    const Carehub__V1__AccessSet *set = MESSAGE(context, AccessSet);
    Card card = *context->person->card;
    Setting setting = CAREHUB__V1__PATIENT_CARD__SETTING__INIT;
    setting.name = set->name;
    setting.actor = set->actor_name[0] ? registry_actor_named(&context->core->registry, set->actor_name)->number : 0;
    setting.role = set->role;
    setting.type = set->type[0] ? (uint32_t)event_type_by_name(set->type) : 0;
    setting.level = set->level;
    setting.relaxes = set->relaxes;
    setting.since = context->place;
    setting.from_ms = set->from_ms;
    setting.until_ms = set->until_ms;
    drop_setting(context, &card, setting_at(&card, set->name), &setting);
    card.settings[card.n_settings++] = &setting;
    person_card_put(context, context->person, &card);
}

static bool check_access_lifted(struct fact_context *context)
{
    const Card *card = context->person->card;
    const char *name = MESSAGE(context, AccessLifted)->name;
    return setting_at(card, name) < card->n_settings
               ? true
               : REFUSE(context, UNKNOWN_NAME, "name", "the person has no setting “%.*s”", NAME_MAX_BYTES, name);
}

static void apply_access_lifted(struct fact_context *context)
{
    Card card = *context->person->card;
    drop_setting(context, &card, setting_at(&card, MESSAGE(context, AccessLifted)->name), NULL);
    person_card_put(context, context->person, &card);
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name
#define REGISTRAR CAREHUB__V1__OPERATOR_ROLE__REGISTRAR

const struct fact_kind consent_facts[] = {
    {KIND(CONSENT_GIVEN), REGISTRAR, check_consent_given, apply_consent_given, false, false},
    {KIND(CONSENT_WITHDRAWN), REGISTRAR, check_consent_withdrawn, apply_consent_withdrawn, true, false},
    {KIND(EXCLUSION_SET), REGISTRAR, check_exclusion_set, apply_exclusion_set, true, false},
    {KIND(EXCLUSION_LIFTED), REGISTRAR, check_exclusion_lifted, apply_exclusion_lifted, false, false},
    {KIND(ACCESS_SET), REGISTRAR, check_access_set, apply_access_set, true, false},
    {KIND(ACCESS_LIFTED), REGISTRAR, check_access_lifted, apply_access_lifted, true, false},
};
const size_t n_consent_facts = sizeof consent_facts / sizeof *consent_facts;
