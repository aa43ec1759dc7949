/* What is due by the clock, looked at once a second. */
#include "core_private.h"

enum { FORGET_EVERY_MS = 60000, FORGET_AT_ONCE = 5000 };

/* Forgets ids of entries that are older than the window in which a repeat is recognised. From then on an event with an
 * id of that time is refused as too old, since it could be a repeat. Ids of younger entries are kept, however old the
 * ids themselves are. */
static void ids_forget(struct core *core)
{
    int64_t known_from_ms = core->now_ms - IDS_KEPT_MS;
    uint64_t young = place_from(core, known_from_ms);
    if (young == 1)
        return;
    batch_open(core);
    if (store_ids_forget(core->store, known_from_ms, young, FORGET_AT_ONCE) == 0)
        return;
    core->ids_known_from_ms = known_from_ms;
    store_number_put(core->store, "ids-known-from-ms", known_from_ms);
}

/* Events stop first; acknowledgements, withdrawals and revocations go on from what is left. */
static void look_at_disk(struct core *core)
{
    bool low = store_free_bytes(core->store) < core->disk_reserve_bytes;
    if (low != core->disk_low)
        say(low ? 2 : 5,
            low ? "less than %llu MB are free on the database's disk: no more events are taken. Make room"
                : "there is room again on the database's disk (over %llu MB): events are taken",
            (unsigned long long)(core->disk_reserve_bytes >> 20));
    core->disk_low = low;
}

void sweep(struct core *core)
{
    look_at_disk(core);
    if (core->clock_suspect)
        return;
    expire_due(core);
    for (size_t i = 0; i < core->registry.n_inboxes; i++) {
        for (int lane = 0; lane < LANES; lane++)
            expire_lane(core, core->registry.inboxes[i], lane);
        expire_retries(core, core->registry.inboxes[i]);
    }
    held_take_due(core);
    if (core->now_ms >= core->next_forget_ms) {
        core->next_forget_ms = core->now_ms + FORGET_EVERY_MS;
        ids_forget(core);
    }
    arena_reset(&core->scratch);
}
