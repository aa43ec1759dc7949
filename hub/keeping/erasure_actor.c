/* What names an actor who is a natural person: display name, identifiers, language. All of it is sealed with the
 * actor's own key. Erasing the actor destroys that key, and what it sealed; the actor's registered name stays, since
 * clients and care teams refer to it, says "erased", and has ended. */
#include "erasure.h"

#include <sodium.h>

static const char ERASED[] = "erased";

uint64_t actor_named(const Entry *entry)
{
    bool set = entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT &&
               entry->fact->fact->fact_case == CAREHUB__V1__FACT__FACT_ACTOR_SET;
    return set && entry->fact->fact->actor_set->kind != CAREHUB__V1__ACTOR_KIND__ORGANISATION
               ? STORE_ACTOR_SUBJECTS + entry->fact->number
               : 0;
}

void actor_key(struct store *store, uint64_t subject, uint8_t key[VAULT_KEY_BYTES])
{
    enum store_result found = store_subject_key(store, subject, key);
    if (found == STORE_NONE)
        store_subject_create(store, subject, key);
    else if (found != STORE_OK) /* of the erased no fact is taken any more */
        store_fail(store, "reading an actor's key");
}

bool actor_erased(struct core *core, uint32_t number)
{
    uint8_t key[VAULT_KEY_BYTES];
    enum store_result found = store_subject_key(core->store, STORE_ACTOR_SUBJECTS + number, key);
    sodium_memzero(key, sizeof key);
    return found == STORE_ERASED;
}

/* ---- Erasing ----------------------------------------------------------------------------------------------------- */

/* The key goes first: the card that says "erased" is sealed with the hub's own. */
void actor_erase(struct core *core, uint32_t number, uint64_t place)
{
    const struct actor *actor = registry_actor(&core->registry, number);
    Carehub__V1__ActorCard card = CAREHUB__V1__ACTOR_CARD__INIT;
    card.name = actor->card->name;
    card.kind = actor->card->kind;
    card.display = (char *)ERASED;
    card.standing = CAREHUB__V1__STANDING__ENDED;
    store_subject_erase(core->store, STORE_ACTOR_SUBJECTS + number);
    registry_put_actor(&core->registry, number, message_copy(&card), place);
}

/* The entry that made a version of the card, if it named the actor. Nobody can read it any more, not even its id: that
 * is forgotten with the others of its time. */
static bool erase_naming(struct core *core, uint32_t number, uint64_t place)
{
    struct log_record record;
    if (core->log->functions->read(core->log, place, &core->scratch, &record) != STORE_ERASED ||
        record.names != STORE_ACTOR_SUBJECTS + number)
        return false;
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
        card->entries += erase_naming(core, card->actor, row.from_place);
        store_card_remove(core->store, CARD_ACTOR, card->actor, row.from_place);
        arena_reset(&core->scratch);
    }
    return n;
}
