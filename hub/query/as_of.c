#include "as_of.h"

#include <stdlib.h>

void as_of_open(struct as_of *at, struct core *core)
{
    const struct registry *registry = &core->registry;
    *at = (struct as_of){.core = core, .n_actors = registry->n_actors};
    at->first = xcalloc(registry->n_actors + 1, sizeof *at->first);
    at->next = xcalloc(registry->n_inboxes + 1, sizeof *at->next);
    for (size_t i = registry->n_inboxes; i-- > 0;) { /* backwards: each chain is in the order of numbers */
        const struct inbox *inbox = registry->inboxes[i];
        at->next[inbox->number] = at->first[inbox->card->actor];
        at->first[inbox->card->actor] = inbox->number;
    }
}

void as_of_close(struct as_of *at)
{
    free(at->first);
    free(at->next);
    *at = (struct as_of){0};
}

void as_of_go(struct as_of *at, uint64_t place, struct arena *arena)
{
    at->place = place;
    at->arena = arena;
    at->seen = NULL;
    at->n_seen = at->seen_capacity = 0;
}

static bool card_get(struct as_of *at, enum card_kind kind, uint64_t number, struct card *card)
{
    return store_card_get(at->core->store, kind, number, at->place, at->arena, card) == STORE_OK;
}

static bool actor_get(struct as_of *at, uint32_t number, struct route_actor *found)
{
    struct arena *arena = at->arena;
    struct card row;
    if (!card_get(at, CARD_ACTOR, number, &row))
        return false;
    Carehub__V1__ActorCard *card = carehub__v1__actor_card__unpack(&arena->protobuf, row.size, row.body);
    if (!card)
        return false;
    struct route_inbox *inboxes = arena_alloc(arena, ROUTE_SLOTS_MAX * sizeof *inboxes);
    size_t n = 0;
    for (uint32_t inbox = number <= at->n_actors ? at->first[number] : 0; inbox && n < ROUTE_SLOTS_MAX;
         inbox = at->next[inbox]) {
        if (!card_get(at, CARD_INBOX, inbox, &row))
            continue;
        Carehub__V1__InboxCard *then = carehub__v1__inbox_card__unpack(&arena->protobuf, row.size, row.body);
        if (then && !then->closed)
            inboxes[n++] = (struct route_inbox){.inbox = inbox, .types = type_bits(then->n_types, then->types)};
    }
    *found = (struct route_actor){.name = card->name, .standing = card->standing, .n_inboxes = n, .inboxes = inboxes};
    return true;
}

/* A decision asks for an actor by each of its relations, and under each policy: the cards are read once. */
static bool actor_as_of(void *ctx, uint32_t number, struct route_actor *found)
{
    struct as_of *at = ctx;
    size_t i = 0;
    while (i < at->n_seen && at->seen[i].number != number)
        i++;
    if (i == at->n_seen) {
        if (i == at->seen_capacity) {
            struct as_of_actor *old = at->seen;
            at->seen_capacity = i ? 2 * i : 16;
            at->seen = arena_alloc(at->arena, at->seen_capacity * sizeof *at->seen);
            if (i)
                memcpy(at->seen, old, i * sizeof *old);
        }
        at->seen[i].number = number;
        at->seen[i].known = actor_get(at, number, &at->seen[i].found);
        at->n_seen++;
    }
    *found = at->seen[i].found;
    return at->seen[i].known;
}

struct policy *as_of_policy(struct as_of *at)
{
    struct card row;
    char why[POLICY_ERROR_BYTES];
    if (!card_get(at, CARD_POLICY, 1, &row))
        return NULL;
    const Carehub__V1__PolicyCard *card = carehub__v1__policy_card__unpack(&at->arena->protobuf, row.size, row.body);
    return card ? policy_read(card->text, strlen(card->text), why) : NULL;
}

Carehub__V1__PatientCard *as_of_patient(struct as_of *at, uint64_t patient)
{
    struct card row;
    return card_get(at, CARD_PATIENT, patient, &row)
               ? carehub__v1__patient_card__unpack(&at->arena->protobuf, row.size, row.body)
               : NULL;
}

void as_of_input(struct as_of *at, const Entry *entry, struct route_input *input, struct route_original *original)
{
    route_input_of(at->core, entry, input, original);
    input->patient = as_of_patient(at, entry->patient);
    input->now_ms = entry->at_ms;
    if (at->place != entry->place)
        input->now_ms = as_of_written_ms(at->core, at->place);
    input->actor = actor_as_of;
    input->ctx = at;
}

/* ---- Places and moments ----------------------------------------------------------------------------------------- */

int64_t as_of_written_ms(struct core *core, uint64_t place)
{
    struct log_record record;
    enum store_result read = place ? core->log->functions->read(core->log, place, &core->scratch, &record) : STORE_NONE;
    return read == STORE_OK || read == STORE_ERASED ? record.at_ms : 0;
}

uint64_t as_of_moment(struct core *core, int64_t at_ms)
{
    uint64_t low = 0, high = core->last_place; /* entry `low` is not later; all behind `high` are */
    while (low < high) {
        uint64_t middle = low + (high - low + 1) / 2;
        if (as_of_written_ms(core, middle) <= at_ms)
            low = middle;
        else
            high = middle - 1;
    }
    return low;
}

bool as_of_asked(struct core *core, uint64_t at_place, int64_t at_ms, uint64_t *place, Error **error)
{
    *place = at_place;
    if (at_place > core->last_place)
        return refuse(core, error, ERROR_CODE(INVALID), "atPlace", "the log ends at %llu: name a place up to that one",
                      (unsigned long long)core->last_place);
    if (at_place || !at_ms)
        return true;
    if (at_ms > core->now_ms)
        return refuse(core, error, ERROR_CODE(INVALID), "atMs", "that moment is still to come: name one that has been");
    *place = as_of_moment(core, at_ms);
    return *place || refuse(core, error, ERROR_CODE(INVALID), "atMs", "the log of this hub begins later than that");
}
