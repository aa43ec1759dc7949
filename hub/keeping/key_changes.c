/* Changes of keys, once they are entries: a new epoch, an epoch's key destroyed, another master key; and the subjects'
 * keys, which are wrapped anew behind the hot path. The entry comes first and is durable, then the keyring changes: a
 * crash in between finds the work still to be done. Done twice it does no harm. */
#include "erasure.h"
#include "keeping.h"

#include <sodium.h>

typedef Carehub__V1__KeysCard Card;

static const char REWRAPPED[] = "rewrapped-to", REWRAPPED_EPOCH[] = "rewrapped-epoch";

void keys_change_later(struct core *core, uint64_t place, const Carehub__V1__KeysRotated *change)
{
    Card card = CAREHUB__V1__KEYS_CARD__INIT;
    Carehub__V1__KeysRotated without_reason = *change;
    without_reason.reason = (char *)"";
    card.change = &without_reason;
    size_t size = carehub__v1__keys_card__get_packed_size(&card);
    uint8_t *body = arena_alloc(&core->scratch, size);
    carehub__v1__keys_card__pack(&card, body);
    store_work_put(core->store, WORK_KEYS, core->now_ms, place, body, size);
    core->next_behind_ms = 0;
}

bool keys_may_change_master(struct core *core, Error **error)
{
    uint8_t key[VAULT_KEY_BYTES];
    char why[KEYRING_ERROR_BYTES] = "next-master-key-file is not set in the hub's configuration";
    bool good = core->next_master_key && core->next_master_key(core->next_master_key_ctx, key, why);
    sodium_memzero(key, sizeof key);
    return good ? true : refuse(core, error, ERROR_CODE(INVALID), "what", "there is no next master key: %s", why);
}

static bool change_master(struct core *core, char *why)
{
    uint8_t key[VAULT_KEY_BYTES];
    bool good = core->next_master_key && core->next_master_key(core->next_master_key_ctx, key, why) &&
                keyring_master_replace(store_keyring(core->store), key, why);
    sodium_memzero(key, sizeof key);
    return good;
}

/* Makes one change. What fails is said, and not tried again: the operator asks once more when it is mended. */
static void change(struct core *core, uint64_t place, const Carehub__V1__KeysRotated *what)
{
    struct keyring *keyring = store_keyring(core->store);
    char why[KEYRING_ERROR_BYTES] = "";
    bool good = true;
    switch (what->what) {
    case CAREHUB__V1__KEYS_ROTATED__WHAT__EPOCH:
        good = keyring_epoch_add(keyring, core->now_ms, why);
        break;
    case CAREHUB__V1__KEYS_ROTATED__WHAT__DESTROY_EPOCH:
        if (!keys_rewrapping(core) && what->epoch != vault_epoch_current(core->vault))
            good = keyring_epoch_destroy(keyring, what->epoch, why);
        break;
    case CAREHUB__V1__KEYS_ROTATED__WHAT__MASTER:
        good = change_master(core, why);
        break;
    default:
        break;
    }
    if (good)
        say(5, "the change of keys of #%llu is made", (unsigned long long)place);
    else
        say(3, "the change of keys of #%llu could not be made: %s. Mend that, then ask for it again",
            (unsigned long long)place, why);
}

bool keys_rewrapping(const struct core *core)
{
    return store_number_get(core->store, REWRAPPED_EPOCH, 1) != vault_epoch_current(core->vault);
}

/* A slice of the subjects; what is behind the last one was wrapped by the current epoch when it was made. */
static size_t rewrap_some(struct core *core, size_t max)
{
    if (!keys_rewrapping(core))
        return 0;
    batch_open(core);
    int64_t last = store_number_get(core->store, REWRAPPED, -1);
    size_t n = store_subjects_rewrap(core->store, last, max, &last);
    store_number_put(core->store, REWRAPPED, n < max ? -1 : last);
    if (n < max) {
        store_number_put(core->store, REWRAPPED_EPOCH, vault_epoch_current(core->vault));
        store_truncate_wal(core->store);
        say(5, "all subjects' keys are wrapped by epoch %u", vault_epoch_current(core->vault));
    }
    return n;
}

size_t keys_work(struct core *core, size_t max)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    while (store_work_next(core->store, WORK_KEYS, INT64_MAX, &at_ms, &place, &core->scratch, &row) == STORE_OK &&
           place <= core->committed_place) {
        const Card *card = carehub__v1__keys_card__unpack(&core->scratch.protobuf, row.size, row.body);
        batch_open(core);
        if (card && card->change)
            change(core, place, card->change);
        store_work_remove(core->store, WORK_KEYS, at_ms, place);
        arena_reset(&core->scratch);
    }
    return rewrap_some(core, max);
}
