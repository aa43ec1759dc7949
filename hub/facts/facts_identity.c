/* Facts about who is who among the persons in care: registering, identifiers, and records that turn out to be one
 * person's. */
#include "facts.h"

#include "identifier.h"

#define MESSAGE(context, type) ((const Carehub__V1__##type *)(context)->message)

typedef Carehub__V1__PatientCard Card;
typedef Carehub__V1__PatientCard__Merge Merge;

/* The identifier in normal form, in the scratch arena; NULL and an error if it cannot be used. */
static Carehub__V1__Identifier *normal(struct fact_context *context, const Carehub__V1__Identifier *identifier)
{
    struct identifier checked;
    char system[IDENTIFIER_SYSTEM_CHARS];
    enum identifier_status status =
        identifier ? identifier_check(identifier->system, identifier->value, &checked) : IDENTIFIER_NO_VALUE;
    if (!identifier_usable(status) || !identifier_system_normalise(identifier->system, system)) {
        REFUSE(context, INVALID, "identifier", "not a usable identifier: %s", identifier_status_text(status));
        return NULL;
    }
    Carehub__V1__Identifier *found = arena_alloc(&context->core->scratch, sizeof *found);
    carehub__v1__identifier__init(found);
    found->system = arena_strdup(&context->core->scratch, system);
    found->value = arena_strdup(&context->core->scratch, checked.value);
    return found;
}

/* Whose identifier it is, if anybody's. Of what is damaged nobody can tell: then it is nobody else's to have. */
static bool check_sound(struct fact_context *context, const Carehub__V1__Identifier *identifier, uint64_t *number)
{
    bool damaged;
    *number = persons_find(&context->core->persons, identifier, &damaged);
    return !damaged || REFUSE(context, INTERNAL, "identifier",
                              "the hub's record of whose identifier this is, is damaged or was altered: restore the "
                              "database from a backup");
}

static bool check_free(struct fact_context *context, const Carehub__V1__Identifier *identifier)
{
    Carehub__V1__Identifier *checked = normal(context, identifier);
    if (!checked)
        return false;
    uint64_t taken;
    if (!check_sound(context, checked, &taken))
        return false;
    return taken == 0 ? true
                      : REFUSE(context, INVALID, "identifier", "this identifier is already that of P%llu",
                               (unsigned long long)taken);
}

static bool check_patient_registered(struct fact_context *context)
{
    const Carehub__V1__PatientRegistered *registered = MESSAGE(context, PatientRegistered);
    if (registered->n_identifiers == 0 || registered->n_identifiers > IDENTIFIERS_MAX)
        return REFUSE(context, INVALID, "identifiers", "a patient has 1 to %d identifiers", IDENTIFIERS_MAX);
    if (registered->number)
        return REFUSE(context, INVALID, "number", "the hub assigns the number");
    for (size_t i = 0; i < registered->n_identifiers; i++)
        if (!check_free(context, registered->identifiers[i]))
            return false;
    return true;
}

static void apply_patient_registered(struct fact_context *context)
{
    const Carehub__V1__PatientRegistered *registered = MESSAGE(context, PatientRegistered);
    for (size_t i = 0; i < registered->n_identifiers; i++)
        persons_identify(&context->core->persons, normal(context, registered->identifiers[i]), context->person->number);
    person_card_put(context, context->person, context->person->card);
}

static bool check_identifier_added(struct fact_context *context)
{
    return check_free(context, MESSAGE(context, IdentifierAdded)->identifier);
}

static void apply_identifier_added(struct fact_context *context)
{
    persons_identify(&context->core->persons, normal(context, MESSAGE(context, IdentifierAdded)->identifier),
                     context->person->number);
    person_card_put(context, context->person, context->person->card);
}

static bool check_identifier_removed(struct fact_context *context)
{
    Carehub__V1__Identifier *checked = normal(context, MESSAGE(context, IdentifierRemoved)->identifier);
    if (!checked)
        return false;
    uint64_t number;
    if (!check_sound(context, checked, &number))
        return false;
    return number == context->person->number
               ? true
               : REFUSE(context, UNKNOWN_NAME, "identifier", "this is not an identifier of P%llu",
                        (unsigned long long)context->person->number);
}

static void apply_identifier_removed(struct fact_context *context)
{
    persons_unidentify(&context->core->persons, normal(context, MESSAGE(context, IdentifierRemoved)->identifier));
    person_card_put(context, context->person, context->person->card);
}

/* ---- Merging -------------------------------------------------------------------------------------------------------- */

/* The one that is known gets the identifier of the one that is not. That neither is known is no error, and nothing is
 * kept of it: hospitals send all their mergings, and an error would tell them who is known here. */
static bool check_alias(struct fact_context *context, const Carehub__V1__PatientRef *unknown)
{
    if (!unknown || !unknown->identifier)
        return REFUSE(context, UNKNOWN_NAME, "patient",
                      "the hub does not know this person; give an identifier, or register the patient first");
    const Carehub__V1__Identifier *checked = normal(context, unknown->identifier);
    uint64_t number;
    return checked && check_sound(context, checked, &number);
}

static size_t excluded_by_other(const struct fact_context *context, uint32_t *only_there)
{
    const Card *card = context->person->card, *other = context->other->card;
    size_t n = 0;
    for (size_t i = 0; i < other->n_excluded; i++) {
        size_t at = 0;
        while (at < card->n_excluded && card->excluded[at] != other->excluded[i])
            at++;
        if (at == card->n_excluded)
            only_there[n++] = other->excluded[i];
    }
    return n;
}

static bool check_patients_merged(struct fact_context *context)
{
    const Carehub__V1__PatientsMerged *merged = MESSAGE(context, PatientsMerged);
    uint32_t excluded[EXCLUSIONS_MAX];
    if (!merged->patient || !merged->merged)
        return REFUSE(context, INVALID, merged->patient ? "merged" : "patient", "say who survives, and who is merged");
    if (context->other)
        context->other = person_deciding(context->core, context->other->number);
    if (!context->person)
        return check_alias(context, merged->patient) && (context->other || check_alias(context, merged->merged));
    if (!context->other)
        return check_alias(context, merged->merged);
    if (context->person->card->merged_into)
        return REFUSE(context, INVALID, "patient", "P%llu was itself merged into P%llu: name that one",
                      (unsigned long long)context->person->number,
                      (unsigned long long)context->person->card->merged_into);
    if (context->person->card->n_merges >= MERGES_MAX)
        return REFUSE(context, TOO_MANY, "patient", "%d others have been merged into this person, the most",
                      MERGES_MAX);
    return excluded_by_other(context, excluded) + context->person->card->n_excluded <= EXCLUSIONS_MAX
               ? true
               : REFUSE(context, TOO_MANY, "merged", "together they have more than %d exclusions", EXCLUSIONS_MAX);
}

/* Both are known, and are not one person already. */
static void merge(struct fact_context *context)
{
    struct arena *arena = &context->core->scratch;
    Card card = *context->person->card, other = *context->other->card;
    Merge added = CAREHUB__V1__PATIENT_CARD__MERGE__INIT;
    added.number = context->other->number;
    added.excluded = arena_alloc(arena, EXCLUSIONS_MAX * sizeof *added.excluded);
    added.n_excluded = excluded_by_other(context, added.excluded);
    card.merges = arena_alloc(arena, (card.n_merges + 1) * sizeof(Merge *));
    for (size_t i = 0; i < card.n_merges; i++)
        card.merges[i] = context->person->card->merges[i];
    card.merges[card.n_merges++] = &added;
    card.excluded = arena_alloc(arena, EXCLUSIONS_MAX * sizeof *card.excluded);
    for (size_t i = 0; i < card.n_excluded; i++)
        card.excluded[i] = context->person->card->excluded[i];
    for (size_t i = 0; i < added.n_excluded; i++)
        card.excluded[card.n_excluded++] = added.excluded[i];
    other.merged_into = context->person->number;
    person_card_put(context, context->person, &card);
    person_card_put(context, context->other, &other);
}

static void apply_patients_merged(struct fact_context *context)
{
    const Carehub__V1__PatientsMerged *merged = MESSAGE(context, PatientsMerged);
    struct persons *persons = &context->core->persons;
    if (context->person && context->other) {
        if (context->person != context->other)
            merge(context);
    } else if (context->person) {
        persons_identify(persons, normal(context, merged->merged->identifier), context->person->number);
        person_card_put(context, context->person, context->person->card);
    } else if (context->other) {
        persons_identify(persons, normal(context, merged->patient->identifier), context->other->number);
        person_card_put(context, context->other, context->other->card);
    }
}

static bool check_patients_separated(struct fact_context *context)
{
    return context->person && context->other && context->other->card->merged_into == context->person->number
               ? true
               : REFUSE(context, UNKNOWN_NAME, "merged", "there is no such merging to take back");
}

static bool came_with(const Merge *merge, uint32_t actor)
{
    for (size_t i = 0; i < merge->n_excluded; i++)
        if (merge->excluded[i] == actor)
            return true;
    return false;
}

static void apply_patients_separated(struct fact_context *context)
{
    struct arena *arena = &context->core->scratch;
    const Card *old = context->person->card;
    Card card = *old, other = *context->other->card;
    const Merge *undone = NULL;
    card.merges = arena_alloc(arena, (old->n_merges + 1) * sizeof(Merge *));
    card.n_merges = 0;
    for (size_t i = 0; i < old->n_merges; i++) {
        if (old->merges[i]->number == context->other->number)
            undone = old->merges[i];
        else
            card.merges[card.n_merges++] = old->merges[i];
    }
    card.excluded = arena_alloc(arena, (old->n_excluded + 1) * sizeof *card.excluded);
    card.n_excluded = 0;
    for (size_t i = 0; i < old->n_excluded; i++)
        if (!undone || !came_with(undone, old->excluded[i]))
            card.excluded[card.n_excluded++] = old->excluded[i];
    other.merged_into = 0;
    person_card_put(context, context->person, &card);
    person_card_put(context, context->other, &other);
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name
#define REGISTRAR CAREHUB__V1__OPERATOR_ROLE__REGISTRAR

const struct fact_kind identity_facts[] = {
    {KIND(PATIENT_REGISTERED), REGISTRAR, check_patient_registered, apply_patient_registered, false, false},
    {KIND(IDENTIFIER_ADDED), REGISTRAR, check_identifier_added, apply_identifier_added, false, false},
    {KIND(IDENTIFIER_REMOVED), REGISTRAR, check_identifier_removed, apply_identifier_removed, false, false},
    {KIND(PATIENTS_MERGED), REGISTRAR, check_patients_merged, apply_patients_merged, true, false},
    {KIND(PATIENTS_SEPARATED), REGISTRAR, check_patients_separated, apply_patients_separated, true, false},
};
const size_t n_identity_facts = sizeof identity_facts / sizeof *identity_facts;
