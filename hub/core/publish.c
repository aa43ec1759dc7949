/* Publications: one item, or several that are taken as one. */
#include "core_private.h"

/* ---- Groups: all or nothing ------------------------------------------------------------------------------------- */

struct before {
    uint64_t last_place;
    struct counters counters;
    uint64_t n_held;
    size_t n_inboxes, n_tail_lines;
};

/* Takes inboxes that the group registered off a list. */
static void unlist(struct inbox **list, size_t *n, size_t n_inboxes)
{
    size_t kept = 0;
    for (size_t i = 0; i < *n; i++)
        if (list[i]->number <= n_inboxes)
            list[kept++] = list[i];
    *n = kept;
}

static void group_roll_back(struct core *core, const struct before *before)
{
    while (core->n_added > 0) {
        core->n_added--;
        inbox_take_back(core->added[core->n_added].inbox, core->added[core->n_added].lane,
                        core->added[core->n_added].number);
    }
    unlist(core->touched, &core->n_touched, before->n_inboxes);
    unlist(core->ready, &core->n_ready, before->n_inboxes);
    store_rollback_to_mark(core->store);
    core->last_place = before->last_place;
    core->n_held = before->n_held;
    core->n_tail_lines = before->n_tail_lines;
    events_forget_after(core, before->last_place);
    if (core->counters.facts > before->counters.facts) { /* reading it all again is not for anyone to bring about */
        persons_forget(&core->persons);
        registry_reload(&core->registry);
    }
    core->counters = before->counters;
}

static bool take_item(struct core *core, const struct client *client, const Carehub__V1__Item *item, bool first,
                      struct taken *taken, Error **error)
{
    struct taken one = {0};
    bool good;
    if (item->item_case == CAREHUB__V1__ITEM__ITEM_EVENT)
        good = take_event(core, client, &item->event, &one, error);
    else if (item->item_case == CAREHUB__V1__ITEM__ITEM_FACT)
        good = take_fact(core, client, item->fact, &one, error);
    else
        good = refuse(core, error, ERROR_CODE(INVALID), "items", "an item is an event or a fact");
    if (first)
        *taken = one;
    taken->in_flight += first ? 0 : one.in_flight;
    return good;
}

static bool take_group(struct core *core, uint32_t client, const Carehub__V1__Publication *publication,
                       struct taken *taken, Error **error)
{
    struct before before = {core->last_place, core->counters, core->n_held, core->registry.n_inboxes,
                            core->n_tail_lines};
    store_mark(core->store);
    core->remember_added = true;
    core->n_added = 0;
    bool good = true;
    for (size_t i = 0; i < publication->n_items && good; i++) {
        /* Looked up each time: a fact of the group may have changed the client's own rights. */
        good = take_item(core, registry_client(&core->registry, client), publication->items[i], i == 0, taken, error);
        if (!good) {
            char *where =
                arena_printf(&core->batch, "items[%zu]%s%s", i, (*error)->field[0] ? "." : "", (*error)->field);
            (*error)->field = where;
        }
    }
    core->remember_added = false;
    if (good)
        store_release(core->store);
    else
        group_roll_back(core, &before);
    return good;
}

/* ---- One publication -------------------------------------------------------------------------------------------- */

static bool take(struct core *core, uint32_t client, const Carehub__V1__Publication *publication, struct taken *taken,
                 Error **error)
{
    if (publication->n_items == 0)
        return refuse(core, error, ERROR_CODE(INVALID), "items", "a publication has at least one item");
    if (publication->n_items > GROUP_MAX_ITEMS)
        return refuse(core, error, ERROR_CODE(TOO_MANY), "items", "a group has at most %d items", GROUP_MAX_ITEMS);
    batch_open(core);
    if (publication->n_items == 1)
        return take_item(core, registry_client(&core->registry, client), publication->items[0], true, taken, error);
    return take_group(core, client, publication, taken, error);
}

/* The number of the person is told for a fact about somebody, not for an event or a verification of one: it would say
 * who is known here, and by which pseudonym. */
static bool tells_number(const Carehub__V1__Item *item)
{
    return item->item_case == CAREHUB__V1__ITEM__ITEM_FACT &&
           item->fact->fact_case != CAREHUB__V1__FACT__FACT_EVENT_VERIFIED;
}

static void confirm_later(struct core *core, struct session *session, Carehub__V1__Confirmation *confirmation)
{
    if (session->n_confirmations == session->confirmations_capacity) {
        size_t capacity = session->confirmations_capacity ? session->confirmations_capacity * 2 : 64;
        Carehub__V1__Confirmation **grown = arena_alloc(&core->batch, capacity * sizeof *grown);
        if (session->n_confirmations)
            memcpy(grown, session->confirmations, session->n_confirmations * sizeof *grown);
        session->confirmations = grown;
        session->confirmations_capacity = capacity;
    }
    session->confirmations[session->n_confirmations++] = confirmation;
    if (!session->listed) {
        GROW(core->confirming, core->n_confirming, core->confirming_capacity);
        core->confirming[core->n_confirming++] = session;
        session->listed = true;
    }
}

void publish(struct core *core, struct session *session, const Carehub__V1__Publish *message, size_t bytes)
{
    for (size_t i = 0; i < message->n_publications; i++) {
        const Carehub__V1__Publication *publication = message->publications[i];
        Carehub__V1__Confirmation *confirmation = arena_alloc(&core->batch, sizeof *confirmation);
        carehub__v1__confirmation__init(confirmation);
        confirmation->ref = publication->ref;
        struct taken taken = {0};
        if (take(core, session->client, publication, &taken, &confirmation->error)) {
            confirmation->status = taken.status;
            confirmation->place = taken.place;
            confirmation->number = taken.number;
            confirmation->in_flight = taken.in_flight;
        } else {
            confirmation->status = CAREHUB__V1__CONFIRMATION__STATUS__REJECTED;
            core->counters.rejects++;
        }
        if (publication->n_items && !tells_number(publication->items[0]))
            confirmation->number = 0;
        confirm_later(core, session, confirmation);
        session->settled_items += (uint32_t)publication->n_items;
        arena_reset(&core->scratch);
    }
    session->settled_bytes += (uint32_t)bytes;
}
