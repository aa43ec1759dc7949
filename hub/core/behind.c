/* What is worked out from the log behind the hot path, a little at a time: which entries concern which person, and what
 * has to be read by when; then the later deliveries that are due; and whether all that is stored is sound. How far it
 * has come is in the store, with what it made: after a crash it goes on from there. */
#include "core_private.h"
#include "keeping/keeping.h"
#include "keeping/index.h"
#include "keeping/tlog.h"
#include "later/later.h"

enum {
    EVERY_MS = 1000,
    BUSY_MAX = 64, /* at a time, beside traffic: about a millisecond's work … */
    BUSY_MS = 50,  /* … so often, while there is more to do */
    IDLE_MAX = 512,
    IDLE_MS = 10,
};

static size_t index_some(struct core *core, size_t max)
{
    uint64_t persons[PERSON_NUMBERS_MAX];
    size_t n = 0;
    if (core->indexed_place >= core->last_place)
        return 0;
    batch_open(core);
    for (; n < max && core->indexed_place < core->last_place; n++) {
        uint64_t place = ++core->indexed_place;
        const Entry *entry = entry_read(core, place, &core->scratch);
        size_t n_persons = entry ? entry_persons(entry, persons) : 0;
        for (size_t i = 0; i < n_persons; i++)
            store_of_person_put(core->store, persons[i], place);
        if (entry && place > core->unread_from_place)
            unread_note(core, entry);
        arena_reset(&core->scratch);
    }
    store_number_put(core->store, "indexed-place", (int64_t)core->indexed_place);
    return n;
}

/* A pass over all that is stored, now and then: damage has to show before somebody needs the row. */
static size_t check_some(struct core *core, size_t max)
{
    if (core->real_ms < core->next_scrub_ms)
        return 0;
    core->scrub.pruned = core->pruned_place;
    if (scrub_some(&core->scrub, core->store, core->log, core->committed_place, max))
        return max;
    batch_open(core);
    core->scrubbed_ms = core->now_ms;
    core->next_scrub_ms = core->now_ms + SCRUB_EVERY_MS;
    store_number_put(core->store, "scrubbed-ms", core->scrubbed_ms);
    return 0;
}

void behind(struct core *core)
{
    size_t (*const works[])(struct core *, size_t) = {joiners_work, unread_work, replays_work, retention_work};
    bool busy = core->open;
    size_t max = busy ? BUSY_MAX : IDLE_MAX, most = 0;
    core->next_behind_ms = core->now_ms + EVERY_MS;
    if (core->disk_low)
        return; /* what is left of the disk is for what cannot wait */
    most = index_some(core, max);
    size_t erased = erasures_work(core, max), wrapped = keys_work(core, max);
    most = erased > most ? erased : most;
    most = wrapped > most ? wrapped : most;
    arena_reset(&core->scratch);
    for (size_t i = 0; i < sizeof works / sizeof *works && !core->clock_suspect; i++) {
        size_t n = works[i](core, max);
        most = n > most ? n : most;
        arena_reset(&core->scratch);
    }
    size_t checked = check_some(core, max), grown = tlog_work(core, max);
    most = checked > most ? checked : most;
    most = grown > most ? grown : most;
    if (most >= max)
        core->next_behind_ms = core->now_ms + (busy ? BUSY_MS : IDLE_MS);
}

size_t person_numbers(struct core *core, uint64_t number, uint64_t numbers[PERSON_NUMBERS_MAX])
{
    size_t n = 0;
    numbers[n++] = number;
    for (size_t at = 0; at < n; at++) {
        const struct person *person = person_get(core, numbers[at]);
        for (size_t i = 0; person && i < person->card->n_merges && n < PERSON_NUMBERS_MAX; i++)
            numbers[n++] = person->card->merges[i]->number;
    }
    return n;
}
