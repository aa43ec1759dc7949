/* One access: a decision, what it rests on, and what became of its deliveries. */
#include "report.h"

#include "keeping/index.h"

enum {
    STEPS_LOOKED_AT = 32, /* refusals and ends from one delivery on */
    STANDING_WORK = 16,   /* one that waits is decided anew */
    SLOTS_FOLLOWED = 8,   /* a dead delivery that was put back goes on in another slot */
    SAID_BY_MAX = 16
};

typedef Carehub__V1__ReportAccess Access;
typedef Carehub__V1__Slot Slot;

static void earliest(int64_t *at_ms, int64_t found_ms)
{
    if (found_ms && (!*at_ms || found_ms < *at_ms))
        *at_ms = found_ms;
}

/* ---- Where it is found -------------------------------------------------------------------------------------------- */

enum { STEPS = -1 }; /* besides the kinds of acknowledgement */

/* What is known of a lane already, or room for it. */
static struct report_found *found_of(struct report *report, const Slot *slot, int what)
{
    size_t at = (slot->inbox * 8 + (size_t)slot->lane * 4 + (size_t)(what + 1)) % REPORT_FOUND;
    struct report_found *found = &report->found[at];
    if (found->inbox != slot->inbox || found->lane != slot->lane || found->what != what)
        *found = (struct report_found){.inbox = slot->inbox, .lane = slot->lane, .what = what, .from = UINT64_MAX};
    return found;
}

static bool holds(const struct report_found *found, uint64_t number, uint64_t after)
{
    return found->from <= number && number <= found->to && found->after <= after &&
           (!found->place || after < found->place);
}

/* The end of the range that was found for a number. */
static uint64_t range_end(struct report *report, uint64_t place, const Slot *slot, Carehub__V1__AckKind kind)
{
    const Entry *entry = report_read_kept(report, place);
    uint64_t end = UINT64_MAX;
    for (size_t i = 0; entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_ACK && i < entry->ack->n_ranges; i++) {
        const Carehub__V1__AckedRange *range = entry->ack->ranges[i];
        if (range->lane == slot->lane && range->kind == kind && slot->number <= range->to && range->to < end)
            end = range->to;
    }
    return end < UINT64_MAX ? end : slot->number;
}

static uint64_t acked_place(struct report *report, const Slot *slot, Carehub__V1__AckKind kind, uint64_t after)
{
    struct report_found *found = found_of(report, slot, (int)kind);
    if (holds(found, slot->number, after))
        return found->place;
    report->work -= REPORT_WORK_LOOKUP;
    found->place = store_acked_find(report->core->store, slot->inbox, (int)slot->lane, (int)kind, slot->number, after);
    found->from = slot->number;
    found->to = found->place ? range_end(report, found->place, slot, kind) : UINT64_MAX;
    found->after = after;
    return found->place;
}

/* Refusals, ends and new starts from a number on. */
static int step_places(struct report *report, const Slot *slot, uint64_t places[STEPS_LOOKED_AT])
{
    struct report_found *found = found_of(report, slot, STEPS);
    if (holds(found, slot->number, 0))
        return 0;
    report->work -= REPORT_WORK_LOOKUP;
    int n = store_steps_find(report->core->store, slot->inbox, (int)slot->lane, slot->number, places, STEPS_LOOKED_AT);
    if (n == 0) { /* then there are none farther on either */
        found->from = slot->number;
        found->to = UINT64_MAX;
    }
    return n;
}

static void said_by(struct report *report, const Entry *entry, Access *access)
{
    if (!access->said_by)
        access->said_by = arena_alloc(&report->core->batch, SAID_BY_MAX * sizeof *access->said_by);
    if (access->n_said_by < SAID_BY_MAX)
        access->said_by[access->n_said_by++] = entry->place;
}

/* ---- Acknowledged ------------------------------------------------------------------------------------------------- */

static bool acknowledged(struct report *report, const Slot *slot, Carehub__V1__AckKind kind, uint64_t after,
                         Access *access)
{
    struct core *core = report->core;
    uint64_t place = acked_place(report, slot, kind, after);
    const Entry *entry = place ? report_read_kept(report, place) : NULL;
    const Carehub__V1__AckedRange *range = entry ? entry_acks(entry, slot, (int)kind) : NULL;
    if (!range)
        return false;
    said_by(report, entry, access);
    bool read = kind == CAREHUB__V1__ACK_KIND__READ;
    earliest(read ? &access->read_ms : &access->stored_ms, entry->at_ms);
    earliest(&access->sent_ms, range->first_sent_ms);
    access->handed_over = true;
    const struct actor *actor = registry_actor(&core->registry, entry->actor);
    if (actor && !report_hides(report, actor))
        access->client = report_client(report, entry->client);
    if (!actor || actor->card->kind != CAREHUB__V1__ACTOR_KIND__ORGANISATION) /* which receives for itself */
        access->organisation = report_organisation(report, entry->client, entry->actor);
    return true;
}

/* ---- Ended otherwise ---------------------------------------------------------------------------------------------- */

static void ended(Access *access, int64_t at_ms, Carehub__V1__Reason end, Carehub__V1__Reason why, bool was_sent)
{
    access->ended_ms = at_ms;
    access->end = end;
    access->why = why;
    access->handed_over |= was_sent;
}

/* One step of a slot: a refusal, an end, or a new start, in the slot that is then *slot. False: it goes on there. */
static bool step(struct report *report, const Entry *entry, Slot *slot, Access *access)
{
    said_by(report, entry, access);
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_NACK:
        access->handed_over = true;
        if (entry->nack->retry_at_ms == 0)
            ended(access, entry->at_ms, REASON(END_DEAD_REFUSED), 0, true);
        return true;
    case CAREHUB__V1__ENTRY__WHAT_END:
        ended(access, entry->at_ms, entry->end->end, entry->end->why, entry->end->was_sent);
        return true;
    default:
        ended(access, 0, 0, 0, false);
        *slot = *entry->retry->new_slot;
        return false;
    }
}

/* Ends are of ranges that do not overlap, and come in the order of their numbers: behind one of later numbers there is
 * nothing of this one. */
static bool is_beyond(const Entry *entry, const Slot *slot)
{
    return entry->what_case == CAREHUB__V1__ENTRY__WHAT_END && slot->number < entry->end->from;
}

static void steps(struct report *report, Slot *slot, Access *access)
{
    uint64_t places[STEPS_LOOKED_AT];
    int n = step_places(report, slot, places);
    for (int i = 0; i < n; i++) {
        const Entry *entry = report_read_kept(report, places[i]);
        if (entry && is_beyond(entry, slot))
            return;
        if (entry && entry_of_slot(entry, slot) && !step(report, entry, slot, access))
            return;
    }
}

/* Of what waits in its inbox: it is under way now, or it will be withdrawn when its turn comes. */
static void standing(struct report *report, const Slot *slot, Access *access)
{
    struct core *core = report->core;
    struct inbox *inbox = registry_inbox(&core->registry, slot->inbox);
    int which = (int)slot->lane;
    bool full;
    if (!inbox || slot->number <= inbox->lanes[which].settled || slot->number >= inbox->lanes[which].next ||
        inbox_exception(inbox, which, slot->number))
        return;
    if (inbox->session && slot->number <= inbox->lanes[which].sent) {
        access->handed_over = true;
        return;
    }
    report->work -= STANDING_WORK;
    const struct item *item = inbox_item(inbox, core->store, which, slot->number, &full);
    Carehub__V1__Reason why = 0;
    if (item && !still_entitled(core, inbox, item, &why))
        access->why = why;
}

/* An end goes before an acknowledgement: receivers acknowledge ranges, in which there are numbers that were skipped. */
static void follow(struct report *report, const Slot *from, uint64_t after, Access *access)
{
    Slot slot = *from;
    uint64_t number = 0;
    for (int i = 0; i < SLOTS_FOLLOWED && slot.number != number; i++) {
        number = slot.number;
        steps(report, &slot, access);
    }
    if (access->ended_ms)
        return;
    bool read = acknowledged(report, &slot, CAREHUB__V1__ACK_KIND__READ, after, access);
    bool stored = acknowledged(report, &slot, CAREHUB__V1__ACK_KIND__STORED, after, access);
    if (!read && !stored)
        standing(report, &slot, access);
}

/* ---- The access --------------------------------------------------------------------------------------------------- */

Access *report_access(struct report *report, uint64_t event_place, const Decision *decision, uint64_t policy)
{
    struct core *core = report->core;
    const struct actor *actor = registry_actor(&core->registry, decision->actor);
    bool hidden = actor && report_hides(report, actor);
    NEW(core, ReportAccess, access);
    report->work -= REPORT_WORK_ACCESS;
    access->actor = report_actor(report, decision->actor);
    access->kind = actor ? actor->card->kind : CAREHUB__V1__ACTOR_KIND__ACTOR_KIND_UNSPECIFIED;
    if (!hidden || report->names == REPORT_NAMES_ROLE)
        access->role = arena_strdup(&core->batch, decision->role);
    access->outcome = decision->outcome;
    access->reason = decision->reason;
    access->level = decision->level;
    access->notice = decision->notice;
    access->ground = decision->ground;
    access->consent = decision->consent;
    access->policy = policy;
    report_ground(report, decision->ground);
    report_ground(report, decision->consent);
    report_policy(report, policy);
    for (size_t i = 0; i < decision->n_slots; i++) {
        ended(access, 0, 0, 0, false);
        follow(report, decision->slots[i], event_place, access);
    }
    if (access->stored_ms || access->read_ms) /* in one of its inboxes: that counts */
        ended(access, 0, 0, 0, true);
    return access;
}
