/* Changes of keys, once they are entries: a new epoch, an epoch's key destroyed, another master key; and the subjects'
 * keys, which are wrapped anew behind the hot path. The entry comes first and is durable, then the keyring changes: a
 * crash in between finds the work still to be done, and what of it is done already. Whoever asked is told when the
 * keyring has changed; but for the master key, which may take a second or two. */
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
    core->keys_asked = true;
}

bool keys_may_change_master(struct core *core, Error **error)
{
    char why[CORE_ERROR_BYTES] = "the hub's configuration names none";
    bool good =
        core->next_master_key && core->next_master_key(core->next_master_key_ctx, NULL, NULL, why) != CORE_NEXT_NONE;
    return good ? true : refuse(core, error, ERROR_CODE(INVALID), "what", "there is no next master key: %s", why);
}

static enum core_next change_master(struct core *core, char *why)
{
    uint8_t key[VAULT_KEY_BYTES];
    struct keyring_kdf kdf;
    enum core_next next =
        core->next_master_key ? core->next_master_key(core->next_master_key_ctx, key, &kdf, why) : CORE_NEXT_NONE;
    if (next == CORE_NEXT_THERE && !keyring_master_replace(store_keyring(core->store), key, &kdf, why))
        next = CORE_NEXT_NONE;
    sodium_memzero(key, sizeof key);
    return next;
}

/* Had the change that was asked for then been made, when the process ended? */
static bool epoch_began(const struct core *core, int64_t asked_ms)
{
    size_t n;
    const struct vault_epoch *epochs = vault_epochs(core->vault, &n);
    return n > 0 && epochs[n - 1].number > 1 && epochs[n - 1].created_ms >= asked_ms;
}

/* Makes one change. What fails is said, and not tried again: the operator asks once more when it is mended. False: it
 * has to wait. */
static bool change(struct core *core, int64_t asked_ms, uint64_t place, const Carehub__V1__KeysRotated *what)
{
    struct keyring *keyring = store_keyring(core->store);
    char why[CORE_ERROR_BYTES] = "";
    enum core_next next;
    bool good = true;
    switch (what->what) {
    case CAREHUB__V1__KEYS_ROTATED__WHAT__EPOCH:
        if (!epoch_began(core, asked_ms))
            good = keyring_epoch_add(keyring, core->now_ms, why);
        break;
    case CAREHUB__V1__KEYS_ROTATED__WHAT__DESTROY_EPOCH:
        if (vault_epoch_key(core->vault, what->epoch) && !keys_rewrapping(core) &&
            what->epoch != vault_epoch_current(core->vault))
            good = keyring_epoch_destroy(keyring, what->epoch, why);
        break;
    case CAREHUB__V1__KEYS_ROTATED__WHAT__MASTER:
        next = change_master(core, why);
        if (next == CORE_NEXT_LATER)
            return false;
        good = next == CORE_NEXT_THERE;
        break;
    default:
        break;
    }
    if (good)
        say(5, "the change of keys of #%llu is made", (unsigned long long)place);
    else
        say(3, "the change of keys of #%llu could not be made: %s. Mend that, then ask for it again",
            (unsigned long long)place, why);
    return true;
}

/* The master key takes longer, and is left to keys_work. What a crash leaves undone is, too. */
void keys_change_now(struct core *core)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    if (!core->keys_asked)
        return;
    core->keys_asked = false;
    while (store_work_next(core->store, WORK_KEYS, INT64_MAX, &at_ms, &place, &core->scratch, &row) == STORE_OK) {
        const Card *card = carehub__v1__keys_card__unpack(&core->scratch.protobuf, row.size, row.body);
        if (place <= core->keys_changed_place || !card || !card->change)
            continue;
        if (card->change->what == CAREHUB__V1__KEYS_ROTATED__WHAT__MASTER)
            break;
        change(core, at_ms, place, card->change);
        core->keys_changed_place = place;
    }
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
        if (card && card->change && place > core->keys_changed_place && !change(core, at_ms, place, card->change))
            break;
        batch_open(core);
        store_work_remove(core->store, WORK_KEYS, at_ms, place);
        arena_reset(&core->scratch);
    }
    return rewrap_some(core, max);
}
