/* Which epochs there are, and which erasures wait or are under way. */
#include "keeping/erasure.h"
#include "query.h"

enum { ERASURES_LISTED = 2000 };

typedef Carehub__V1__KeysAnswer__Erasure KeysErasure;
typedef Carehub__V1__KeysAnswer__Epoch KeysEpoch;

static const char *client_name(const struct core *core, uint32_t number)
{
    const struct client *client = registry_client(&core->registry, number);
    return client ? client->card->name : "";
}

static KeysErasure *listed(struct core *core, const Carehub__V1__ErasureCard *card)
{
    const struct actor *actor = registry_actor(&core->registry, card->actor);
    KeysErasure *erasure = arena_alloc(&core->batch, sizeof *erasure);
    protobuf_c_message_init(&KeysErasure_DESCRIPTOR, erasure);
    erasure->request = card->requested;
    erasure->patient = card->n_numbers > 0 ? card->numbers[0] : 0;
    erasure->actor = (char *)(actor ? actor->card->name : "");
    erasure->requested_by = (char *)client_name(core, card->requested_by);
    erasure->requested_ms = card->requested_ms;
    erasure->confirmed_by = (char *)client_name(core, card->confirmed_by);
    erasure->entries = card->entries;
    return erasure;
}

static void list_erasures(struct core *core, enum work_kind kind, Carehub__V1__KeysAnswer *keys)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    while (keys->n_erasures < ERASURES_LISTED &&
           store_work_next(core->store, kind, INT64_MAX, &at_ms, &place, &core->batch, &row) == STORE_OK) {
        const Carehub__V1__ErasureCard *card =
            carehub__v1__erasure_card__unpack(&core->batch.protobuf, row.size, row.body);
        if (card)
            keys->erasures[keys->n_erasures++] = listed(core, card);
    }
}

void keys_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                Carehub__V1__Answer *answer)
{
    (void)session;
    (void)query;
    NEW(core, KeysAnswer, keys);
    const struct vault_epoch *epochs = vault_epochs(core->vault, &keys->n_epochs);
    keys->epochs = arena_alloc(&core->batch, keys->n_epochs * sizeof *keys->epochs);
    for (size_t i = 0; i < keys->n_epochs; i++) {
        KeysEpoch *epoch = keys->epochs[i] = arena_alloc(&core->batch, sizeof *epoch);
        protobuf_c_message_init(&KeysEpoch_DESCRIPTOR, epoch);
        epoch->number = epochs[i].number;
        epoch->created_ms = epochs[i].created_ms;
    }
    keys->rewrapping = keys_rewrapping(core);
    keys->erasures = arena_alloc(&core->batch, ERASURES_LISTED * sizeof *keys->erasures);
    list_erasures(core, WORK_ERASURE, keys);
    list_erasures(core, WORK_ERASURE_ASKED, keys);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_KEYS;
    answer->keys = keys;
}
