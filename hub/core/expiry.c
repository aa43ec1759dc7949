/* expiry.c - what ends by its date: memberships, grants, consents, restrictions. Deciding looks at the dates itself;
 * here the end becomes an entry of the log, taken first in the batch in which it is due, and leaves the card. */
#include "facts/facts.h"

typedef Carehub__V1__ExpiryEntry__Ended Ended;
typedef Carehub__V1__ExpiryEntry Expiry;
typedef Carehub__V1__PatientCard Card;
typedef Carehub__V1__PatientCard__Member Member;

enum {
    AT_ONCE = 256, /* persons of one batch; the others follow in the next ones */
    ENDED_MAX = 2 * MEMBERS_MAX + SETTINGS_MAX + CONSENTS_MAX,
};

struct ending_list {
    struct core *core;
    Expiry *entry;
    Ended *ended; /* ENDED_MAX of them */
};

static bool has_ended(const struct core *core, int64_t until_ms)
{
    return until_ms != 0 && until_ms <= core->now_ms;
}

static Ended *add(struct ending_list *list, Carehub__V1__ExpiryEntry__Ended__Kind kind, uint64_t since,
                  int64_t until_ms)
{
    Ended *ended = &list->ended[list->entry->n_ended];
    carehub__v1__expiry_entry__ended__init(ended);
    ended->kind = kind;
    ended->since = since;
    ended->until_ms = until_ms;
    list->entry->ended[list->entry->n_ended++] = ended;
    return ended;
}

static size_t end_relations(struct ending_list *list, size_t n, Member **relations,
                            Carehub__V1__ExpiryEntry__Ended__Kind kind)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (!has_ended(list->core, relations[i]->until_ms)) {
            relations[kept++] = relations[i];
            continue;
        }
        Ended *ended = add(list, kind, relations[i]->since, relations[i]->until_ms);
        ended->actor = relations[i]->actor;
        ended->role = relations[i]->role;
    }
    return kept;
}

static void *copy_list(struct arena *arena, size_t n, void *list)
{
    return n ? arena_copy(arena, list, n * sizeof(void *)) : list;
}

/* Takes what has ended off the card, whose lists are the arena's. */
static void end_all(struct ending_list *list, Card *card)
{
    const Card old = *card;
    card->n_members =
        end_relations(list, card->n_members, card->members, CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__MEMBERSHIP);
    card->n_grants = end_relations(list, card->n_grants, card->grants, CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__GRANT);
    card->n_consents = card->n_settings = 0;
    for (size_t i = 0; i < old.n_consents; i++)
        if (has_ended(list->core, old.consents[i]->until_ms))
            add(list, CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__CONSENT, old.consents[i]->since,
                old.consents[i]->until_ms);
        else
            card->consents[card->n_consents++] = old.consents[i];
    for (size_t i = 0; i < old.n_settings; i++)
        if (has_ended(list->core, old.settings[i]->until_ms))
            add(list, CAREHUB__V1__EXPIRY_ENTRY__ENDED__KIND__SETTING, old.settings[i]->since,
                old.settings[i]->until_ms);
        else
            card->settings[card->n_settings++] = old.settings[i];
}

/* What was queued on the strength of what has ended does not go out any more, even if it begins again. */
static void stop_queued(struct fact_context *context, const Card *before, Card *card, const Expiry *entry)
{
    for (size_t i = 0; i < entry->n_ended; i++)
        if (entry->ended[i]->actor)
            person_card_stop(context, card, entry->ended[i]->actor, REASON(RELATION_ENDED));
    if (card->n_consents < before->n_consents)
        person_card_stop_unconsented(context, card);
    for (size_t i = 0; i < before->n_settings; i++)
        if (has_ended(context->core, before->settings[i]->until_ms))
            person_card_stop_setting(context, card, before->settings[i]);
}

void expire_person(struct core *core, struct person *person)
{
    if (core->clock_suspect || !person_has_dates(person) || person->stable_since_ms == 0)
        return;
    struct arena *arena = &core->scratch;
    Card card = *person->card;
    Expiry what = CAREHUB__V1__EXPIRY_ENTRY__INIT;
    struct ending_list list = {.core = core, .entry = &what, .ended = arena_alloc(arena, ENDED_MAX * sizeof(Ended))};
    what.ended = arena_alloc(arena, ENDED_MAX * sizeof *what.ended);
    card.members = copy_list(arena, card.n_members, card.members);
    card.grants = copy_list(arena, card.n_grants, card.grants);
    card.consents = copy_list(arena, card.n_consents, card.consents);
    card.settings = copy_list(arena, card.n_settings, card.settings);
    const Card before = *person->card;
    end_all(&list, &card);
    if (what.n_ended == 0)
        return;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    entry.patient = person->number;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_EXPIRY;
    entry.expiry = &what;
    struct fact_context context = {.core = core, .person = person};
    context.place = batch_append(core, &entry, person, NULL, 0);
    stop_queued(&context, &before, &card, &what);
    person_card_put(&context, person, &card);
}

void expire_due(struct core *core)
{
    uint64_t number;
    int64_t at_ms;
    for (int i = 0; i < AT_ONCE && !core->clock_suspect; i++) {
        if (!store_due_next(core->store, core->now_ms, &number, &at_ms))
            break;
        batch_open(core);
        store_due_remove(core->store, number, at_ms);
        struct person *person = person_get(core, number);
        if (!person)
            continue;
        expire_person(core, person);
        if (person->stable_until_ms != INT64_MAX)
            store_due_put(core->store, number, person->stable_until_ms);
    }
}
