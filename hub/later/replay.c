/* Replays: events that are in the log, delivered once more to those who are entitled to them now. A replay is a fact;
 * it is worked off behind the hot path, a little at a time, and its end is an entry. A dry run says what would come of
 * it, or what was decided at the events' own places. */
#include "facts/facts.h"

#include "later.h"
#include "query/query.h"

typedef Carehub__V1__Replayed Replayed;
typedef Carehub__V1__ReplayCount Count;

enum { DRY_EVENTS_MAX = 500, DRY_LINES_MAX = 2000 };

/* What is asked for. */
struct range {
    struct core *core;
    uint32_t actor; /* 0: all who stand on the person's card */
    size_t n_numbers;
    uint64_t numbers[PERSON_NUMBERS_MAX]; /* of the person; none: of all */
    uint32_t types;                       /* bit n: type n */
    uint64_t first, end;                  /* places; the end is not in it */
};

/* ---- What is asked for ------------------------------------------------------------------------------------------ */

/* Who stands by an identifier is for those to know who may ask that. */
static bool check_asked(struct core *core, const struct client *client, const Replayed *asked, Error **error)
{
    bool named = asked->patient && asked->patient->identifier;
    if (named && client && !client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR) &&
        !client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__AUDITOR))
        return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "patient",
                      "naming a person by identifier needs the role registrar or auditor; use the pseudonym (P42)");
    if (!asked->patient && asked->actor_name[0] == '\0')
        return refuse(core, error, ERROR_CODE(INVALID), "patient", "say whose events, or to whom, or both");
    if (asked->actor_name[0] && !registry_actor_named(&core->registry, asked->actor_name))
        return refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "actorName", "there is no actor “%.*s”", NAME_MAX_BYTES,
                      asked->actor_name);
    for (size_t i = 0; i < asked->n_types; i++)
        if (!event_type_by_name(asked->types[i]))
            return refuse(core, error, ERROR_CODE(INVALID), "types", "there is no event type “%.*s”", NAME_MAX_BYTES,
                          asked->types[i]);
    if (asked->since_ms < 0 || asked->before_ms < 0 || (asked->before_ms && asked->before_ms <= asked->since_ms))
        return refuse(core, error, ERROR_CODE(INVALID), "beforeMs", "the period ends before it begins");
    return true;
}

/* The range that is asked for, of places before `end`. Resets the scratch arena. */
static struct range range_of(struct core *core, const Replayed *asked, uint64_t patient, uint64_t end)
{
    struct range range = {.core = core};
    if (asked->actor_name[0])
        range.actor = registry_actor_named(&core->registry, asked->actor_name)->number;
    if (patient)
        range.n_numbers = person_numbers(core, patient, range.numbers);
    for (size_t i = 0; i < asked->n_types; i++)
        range.types |= 1U << event_type_by_name(asked->types[i]);
    range.types = asked->n_types ? range.types : ~0U;
    range.first = asked->since_ms ? place_from(core, asked->since_ms) : 1;
    uint64_t before = asked->before_ms ? place_from(core, asked->before_ms) : end;
    range.end = before < end ? before : end;
    return range;
}

/* The next place to look at: of a person's entries as far as they can be found by the person, else each. */
static uint64_t range_next(const struct range *range, uint64_t from)
{
    struct core *core = range->core;
    uint64_t first = 0;
    if (range->n_numbers == 0 || from > core->indexed_place)
        return from;
    for (size_t i = 0; i < range->n_numbers; i++) {
        uint64_t place = store_of_person_next(core->store, range->numbers[i], from);
        first = place && (!first || place < first) ? place : first;
    }
    return first ? first : core->indexed_place + 1;
}

static bool range_holds(const struct range *range, const Entry *entry)
{
    bool its = range->n_numbers == 0;
    for (size_t i = 0; i < range->n_numbers; i++)
        its |= range->numbers[i] == entry->patient;
    return its && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT && (range->types >> entry->event->type & 1);
}

/* The event at a place, or what took its place, unless that is in the range and has its own turn; NULL: nothing. */
static Entry *event_for(const struct range *range, uint64_t place)
{
    struct core *core = range->core;
    Entry *event = entry_read(core, place, &core->scratch);
    uint64_t by = event && range_holds(range, event) ? event_corrected_by(core, place) : 0;
    if (by == 0)
        return event && range_holds(range, event) ? event : NULL;
    const Entry *correction = entry_read(core, by, &core->scratch);
    if (!correction || (by < range->end && range_holds(range, correction)))
        return NULL;
    uint64_t current = event_current(core, place);
    return current ? entry_read(core, current, &core->scratch) : NULL;
}

/* ---- To whom ---------------------------------------------------------------------------------------------------- */

static bool listed(size_t n, const uint32_t *actors, uint32_t actor)
{
    for (size_t i = 0; i < n; i++)
        if (actors[i] == actor)
            return true;
    return false;
}

static size_t stand_on_card(struct core *core, uint64_t patient, uint32_t actors[2 * MEMBERS_MAX])
{
    const struct person *person = person_deciding(core, patient);
    size_t n = 0;
    for (size_t i = 0; person && i < person->card->n_members; i++)
        if (!listed(n, actors, person->card->members[i]->actor))
            actors[n++] = person->card->members[i]->actor;
    for (size_t i = 0; person && i < person->card->n_grants; i++)
        if (!listed(n, actors, person->card->grants[i]->actor))
            actors[n++] = person->card->grants[i]->actor;
    return n;
}

/* Who is no candidate is not worth an entry; nor is that one has one's own events. */
static bool worth_saying(const struct range *range, const struct route_decision *decided)
{
    return decided->reason != REASON(OWN_EVENT) && decided->reason != REASON(NOTHING_TO_RETRACT) &&
           (decided->reason != REASON(NO_RELATION) || range->n_numbers > 0);
}

static void add_up(Count *count, Carehub__V1__Outcome outcome)
{
    count->delivered += outcome == OUTCOME(DELIVER);
    count->withheld += outcome == OUTCOME(WITHHOLD);
    count->held += outcome == OUTCOME(HOLD);
}

typedef void decided_fn(void *ctx, const Entry *event, const struct route_decision *decided);

/* Decides for all of whom an event is asked for; returns how many it looked at. */
static size_t decide_all(const struct range *range, const Entry *event, Count *count, decided_fn *each, void *ctx)
{
    uint32_t actors[2 * MEMBERS_MAX] = {range->actor};
    size_t n = range->actor ? 1 : stand_on_card(range->core, event->patient, actors);
    count->events++;
    for (size_t i = 0; i < n; i++) {
        struct route_decision decided;
        if (!later_decide(range->core, event, actors[i], &decided) || !worth_saying(range, &decided))
            continue;
        add_up(count, decided.outcome);
        each(ctx, event, &decided);
    }
    return n;
}

/* ---- The fact --------------------------------------------------------------------------------------------------- */

bool check_replayed(struct fact_context *context)
{
    const Replayed *asked = context->message;
    if (!check_asked(context->core, context->client, asked, context->error))
        return false;
    if (asked->reason[0] == '\0' || strlen(asked->reason) > TEXT_MAX_BYTES)
        return REFUSE(context, INVALID, "reason", "say why, in 1 to %d bytes: it is recorded", TEXT_MAX_BYTES);
    return store_work_count(context->core->store, WORK_REPLAY) < REPLAYS_MAX
               ? true
               : REFUSE(context, TOO_MANY, "", "%d replays wait already: come back when some are done", REPLAYS_MAX);
}

void apply_replayed(struct fact_context *context)
{
    store_work_put(context->core->store, WORK_REPLAY, context->core->now_ms, context->place, "", 0);
    context->core->next_behind_ms = 0;
}

/* ---- Working it off --------------------------------------------------------------------------------------------- */

struct work {
    struct core *core;
    uint64_t because;
};

static void work_deliver(void *ctx, const Entry *event, const struct route_decision *decided)
{
    const struct work *work = ctx;
    struct later later = {.actor = decided->actor, .cause = CAREHUB__V1__CAUSE__REPLAY, .because = work->because};
    later_deliver(work->core, event, &later, decided);
}

static void work_end(struct core *core, const Entry *fact, Count *count)
{
    Carehub__V1__ReplayEndEntry what = CAREHUB__V1__REPLAY_END_ENTRY__INIT;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    what.because = fact->place;
    what.count = count;
    entry.patient = fact->patient;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_REPLAY_END;
    entry.replay_end = &what;
    uint64_t place = batch_append(core, &entry, NULL, NULL, 0);
    store_step_put(core->store, 0, STEP_LANE_REPLAY_END, fact->place, place);
}

static void work_store(struct core *core, int64_t at_ms, uint64_t place, const Carehub__V1__WorkCard *card)
{
    size_t size = carehub__v1__work_card__get_packed_size(card);
    uint8_t *body = arena_alloc(&core->scratch, size + 1);
    carehub__v1__work_card__pack(card, body);
    store_work_put(core->store, WORK_REPLAY, at_ms, place, body, size);
}

/* The replays are done one after the other. */
size_t replays_work(struct core *core, size_t max)
{
    int64_t at_ms = INT64_MIN;
    uint64_t because = 0;
    struct card row;
    size_t looked = 0;
    if (store_work_next(core->store, WORK_REPLAY, core->now_ms, &at_ms, &because, &core->batch, &row) != STORE_OK)
        return 0;
    Carehub__V1__WorkCard *card = carehub__v1__work_card__unpack(&core->batch.protobuf, row.size, row.body);
    const Entry *fact = entry_read(core, because, &core->batch);
    if (!card || !fact || (fact->patient && core->indexed_place < because))
        return 0;
    batch_open(core);
    struct range range = range_of(core, fact->fact->fact->replayed, fact->patient, because);
    struct work work = {core, because};
    Count count = CAREHUB__V1__REPLAY_COUNT__INIT;
    card->count = card->count ? card->count : &count;
    uint64_t place = card->next > range.first ? card->next : range.first;
    for (; looked < max && (place = range_next(&range, place)) < range.end; place++, looked++) {
        const Entry *event = event_for(&range, place);
        looked += event ? decide_all(&range, event, card->count, work_deliver, &work) : 0;
    }
    card->next = place;
    if (place < range.end) {
        work_store(core, at_ms, because, card);
        return max;
    }
    work_end(core, fact, card->count);
    store_work_remove(core->store, WORK_REPLAY, at_ms, because);
    return max; /* there may be another */
}

/* ---- Questions -------------------------------------------------------------------------------------------------- */

static void progress(struct core *core, uint64_t place, Carehub__V1__ReplayAnswer *replay)
{
    int64_t at_ms = INT64_MIN;
    uint64_t found = 0;
    struct card row;
    while (store_work_next(core->store, WORK_REPLAY, INT64_MAX, &at_ms, &found, &core->batch, &row) == STORE_OK)
        if (found == place) {
            const Carehub__V1__WorkCard *card =
                carehub__v1__work_card__unpack(&core->batch.protobuf, row.size, row.body);
            replay->count = card ? card->count : NULL;
            return;
        }
    const Entry *end = store_steps_of(core->store, 0, STEP_LANE_REPLAY_END, place, 0, &found, 1) == 1
                           ? entry_read(core, found, &core->batch)
                           : NULL;
    replay->done = true;
    replay->count = end && end->what_case == CAREHUB__V1__ENTRY__WHAT_REPLAY_END && end->replay_end->because == place
                        ? end->replay_end->count
                        : NULL;
}

struct dry {
    struct core *core;
    Carehub__V1__ReplayAnswer *answer;
};

static void dry_line(struct dry *dry, const Entry *event, const Decision *decision)
{
    dry->answer->lines[dry->answer->n_lines++] = decision_line(dry->core, event, decision, event->at_ms);
}

static void dry_decided(void *ctx, const Entry *event, const struct route_decision *decided)
{
    Decision decision = CAREHUB__V1__DECISION__INIT;
    decision.actor = decided->actor;
    decision.outcome = decided->outcome;
    decision.reason = decided->reason;
    decision.level = decided->level;
    decision.role = (char *)(decided->role ? decided->role : "");
    decision.notice = decided->notice;
    dry_line(ctx, event, &decision);
}

/* What was decided at the event's own place is in its entry. Who is not in it had no relation. */
static void dry_then(const struct range *range, const Entry *event, struct dry *dry)
{
    bool found = false;
    dry->answer->count->events++;
    for (size_t i = 0; i < event->event->n_decisions; i++) {
        const Decision *decision = event->event->decisions[i];
        if (range->actor && range->actor != decision->actor)
            continue;
        found = true;
        add_up(dry->answer->count, decision->outcome);
        dry_line(dry, event, decision);
    }
    const struct route_decision none = {
        .actor = range->actor, .outcome = OUTCOME(WITHHOLD), .reason = REASON(NO_RELATION)};
    if (found || !range->actor || !worth_saying(range, &none))
        return;
    add_up(dry->answer->count, none.outcome);
    dry_decided(dry, event, &none);
}

static void dry_run(const struct range *range, const Carehub__V1__ReplayQuery *query, Carehub__V1__ReplayAnswer *answer)
{
    struct core *core = range->core;
    struct dry dry = {core, answer};
    uint64_t place = query->from_place > range->first ? query->from_place : range->first;
    answer->lines = arena_alloc(&core->batch, (DRY_LINES_MAX + ROUTE_DECISIONS_MAX) * sizeof *answer->lines);
    for (int looked = 0; (place = range_next(range, place)) < range->end; place++, looked++) {
        if (looked == DRY_EVENTS_MAX || answer->n_lines >= DRY_LINES_MAX) {
            answer->next_place = place;
            break;
        }
        Entry *event = query->as_then ? entry_read(core, place, &core->scratch) : event_for(range, place);
        if (event && query->as_then && range_holds(range, event))
            dry_then(range, event, &dry);
        else if (event && !query->as_then)
            decide_all(range, event, answer->count, dry_decided, &dry);
        arena_reset(&core->scratch);
    }
    answer->done = answer->next_place == 0;
}

void replay_query(struct core *core, struct session *session, const Carehub__V1__Query *question,
                  Carehub__V1__Answer *answer)
{
    const Carehub__V1__ReplayQuery *query = question->replay;
    const Replayed *asked = query->replay;
    NEW(core, ReplayAnswer, replay);
    NEW(core, ReplayCount, count);
    replay->count = count;
    if (query->place) {
        progress(core, query->place, replay);
    } else if (!asked) {
        refuse(core, &answer->error, ERROR_CODE(INVALID), "replay", "say what to replay, or the place of a replay");
        return;
    } else if (!check_asked(core, registry_client(&core->registry, session->client), asked, &answer->error)) {
        return;
    } else {
        uint64_t patient = asked->patient ? patient_resolve(core, asked->patient) : 0;
        if (asked->patient && !person_get(core, patient)) {
            refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "patient", "the hub does not know this person");
            return;
        }
        struct range range = range_of(core, asked, patient, core->last_place + 1);
        if (query->from_place == 0)
            log_reading(core, session, query->as_then ? "replay, dry run as then" : "replay, dry run", patient, 0,
                        range.actor);
        dry_run(&range, query, replay);
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_REPLAY;
    answer->replay = replay;
}
