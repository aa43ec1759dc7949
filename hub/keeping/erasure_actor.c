/* Erasing what names an actor who is a natural person: display name, identifiers, language. The actor's registered name
 * stays, since clients and care teams refer to it; it says "erased" and has ended. */
#include "erasure.h"

static const char ERASED[] = "erased";

void actor_erase(struct core *core, uint32_t number, uint64_t place)
{
    const struct actor *actor = registry_actor(&core->registry, number);
    Carehub__V1__ActorCard card = CAREHUB__V1__ACTOR_CARD__INIT;
    card.name = actor->card->name;
    card.kind = actor->card->kind;
    card.display = (char *)ERASED;
    card.standing = CAREHUB__V1__STANDING__ENDED;
    registry_put_actor(&core->registry, number, message_copy(&card), place);
}

/* The fact that made a version of the card, if it named the actor. */
static bool erase_fact(struct core *core, uint64_t place)
{
    const Entry *entry = entry_read(core, place, &core->scratch);
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_FACT ||
        entry->fact->fact->fact_case != CAREHUB__V1__FACT__FACT_ACTOR_SET)
        return false;
    store_id_remove(core->store, entry->fact->fact->id.data);
    core->log->functions->erase(core->log, place);
    return true;
}

size_t actor_erase_rest(struct core *core, Carehub__V1__ErasureCard *card, size_t max)
{
    struct card row;
    size_t n = 0;
    for (; n < max; n++) {
        enum store_result found =
            store_card_get(core->store, CARD_ACTOR, card->actor, card->confirmed - 1, &core->scratch, &row);
        if (found == STORE_NONE)
            break;
        card->entries += erase_fact(core, row.from_place);
        store_card_remove(core->store, CARD_ACTOR, card->actor, row.from_place);
        arena_reset(&core->scratch);
    }
    return n;
}
