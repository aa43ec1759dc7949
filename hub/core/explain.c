/* Why an actor was told of an event, or was not: the decision taken again, on the state as it was at the event's own
 * place (or at any other), with every rule that was looked at. Also for an actor that never was a candidate. */
#include "core_private.h"

/* The state at a place, as routing asks for it. */
struct as_of {
    struct core *core;
    uint64_t place;
};

/* An actor and its inboxes as they were. Whether an inbox was full is not known afterwards. */
static bool actor_as_of(void *ctx, uint32_t number, struct route_actor *found)
{
    const struct as_of *at = ctx;
    struct core *core = at->core;
    struct arena *arena = &core->batch;
    struct card row;
    if (store_card_get(core->store, CARD_ACTOR, number, at->place, arena, &row) != STORE_OK)
        return false;
    Carehub__V1__ActorCard *card = carehub__v1__actor_card__unpack(&arena->protobuf, row.size, row.body);
    if (!card)
        return false;
    struct route_inbox *inboxes = arena_alloc(arena, ROUTE_SLOTS_MAX * sizeof *inboxes);
    size_t n = 0;
    for (size_t i = 0; i < core->registry.n_inboxes && n < ROUTE_SLOTS_MAX; i++) {
        const struct inbox *inbox = core->registry.inboxes[i];
        if (inbox->card->actor != number ||
            store_card_get(core->store, CARD_INBOX, inbox->number, at->place, arena, &row) != STORE_OK)
            continue;
        Carehub__V1__InboxCard *then = carehub__v1__inbox_card__unpack(&arena->protobuf, row.size, row.body);
        if (then && !then->closed)
            inboxes[n++] = (struct route_inbox){.inbox = inbox->number, .types = type_bits(then->n_types, then->types)};
    }
    *found = (struct route_actor){.name = card->name, .standing = card->standing, .n_inboxes = n, .inboxes = inboxes};
    return true;
}

/* The policy in force at a place; the caller destroys it. */
static struct policy *policy_as_of(struct core *core, uint64_t place)
{
    struct card row;
    char why[POLICY_ERROR_BYTES];
    if (store_card_get(core->store, CARD_POLICY, 1, place, &core->batch, &row) != STORE_OK)
        return NULL;
    const Carehub__V1__PolicyCard *card = carehub__v1__policy_card__unpack(&core->batch.protobuf, row.size, row.body);
    return card ? policy_read(card->text, strlen(card->text), why) : NULL;
}

static Carehub__V1__PatientCard *patient_as_of(struct core *core, uint64_t patient, uint64_t place)
{
    struct card row;
    return store_card_get(core->store, CARD_PATIENT, patient, place, &core->batch, &row) == STORE_OK
               ? carehub__v1__patient_card__unpack(&core->batch.protobuf, row.size, row.body)
               : NULL;
}

static void add_rules(struct core *core, Carehub__V1__ExplainAnswer *explained, const struct route_rule *rules, int n)
{
    struct arena *arena = &core->batch;
    explained->rules = arena_alloc(arena, (size_t)n * sizeof *explained->rules + 1);
    for (int i = 0; i < n; i++) {
        Carehub__V1__Rule *rule = arena_alloc(arena, sizeof *rule);
        carehub__v1__rule__init(rule);
        rule->code = rules[i].code;
        rule->passed = rules[i].passed;
        rule->decided = rules[i].decided;
        rule->role = arena_strdup(arena, rules[i].role);
        rule->finding = arena_strdup(arena, rules[i].finding);
        explained->rules[explained->n_rules++] = rule;
    }
}

static Decision *decision_message(struct core *core, const struct route_decision *from)
{
    Decision *decision = arena_alloc(&core->batch, sizeof *decision);
    carehub__v1__decision__init(decision);
    decision->actor = from->actor;
    decision->outcome = from->outcome;
    decision->reason = from->reason;
    decision->level = from->level;
    decision->role = arena_strdup(&core->batch, from->role ? from->role : "");
    decision->ground = from->ground;
    decision->consent = from->consent;
    decision->notice = from->notice;
    return decision;
}

/* At its own place an event is decided on the state before it; at a later one, on the state then. */
static void recompute(struct core *core, const Entry *entry, const struct actor *actor, uint64_t at_place,
                      Carehub__V1__ExplainAnswer *explained)
{
    struct as_of at = {core, at_place ? at_place : entry->place};
    struct route_input input;
    struct route_original original;
    struct route_decision decision;
    struct route_rule *rules = arena_alloc(&core->batch, ROUTE_RULES_MAX * sizeof *rules);
    route_input_of(core, entry, &input, &original);
    struct policy *policy = policy_as_of(core, at.place);
    if (!policy)
        return;
    input.policy = policy;
    input.patient = patient_as_of(core, entry->patient, at.place);
    input.now_ms = entry->at_ms;
    const Entry *then = at_place ? entry_read(core, at_place, &core->batch) : NULL;
    if (then)
        input.now_ms = then->at_ms;
    input.actor = actor_as_of;
    input.ctx = &at;
    int n = route_explain(&input, actor->number, &decision, rules, ROUTE_RULES_MAX);
    add_rules(core, explained, rules, n);
    explained->recomputed = decision_message(core, &decision);
    policy_destroy(&policy);
}

void explain_query(struct core *core, const Carehub__V1__ExplainQuery *query, Carehub__V1__Answer *answer)
{
    uint64_t place = event_place_of(core, &query->event_id, query->place);
    const Entry *entry = place ? entry_read(core, place, &core->batch) : NULL;
    const struct actor *actor = registry_actor_named(&core->registry, query->actor);
    if (!entry ||
        (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT && entry->what_case != CAREHUB__V1__ENTRY__WHAT_NOT_KEPT)) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "eventId", "the hub has no such event");
        return;
    }
    if (!actor) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "actor", "there is no actor “%.*s”", NAME_MAX_BYTES,
               query->actor);
        return;
    }
    Carehub__V1__ExplainAnswer *explained = arena_alloc(&core->batch, sizeof *explained);
    carehub__v1__explain_answer__init(explained);
    explained->place = place;
    explained->actor = arena_strdup(&core->batch, actor->card->name);
    explained->patient = entry->patient;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_EXPLAIN;
    answer->explain = explained;
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT) {
        explained->not_kept = true;
        return;
    }
    explained->type = entry->event->type;
    recompute(core, entry, actor, query->at_place, explained);
    Carehub__V1__TraceAnswer trace = CAREHUB__V1__TRACE_ANSWER__INIT;
    trace.lines = arena_alloc(&core->batch, 4096 * sizeof *trace.lines);
    for (size_t i = 0; i < entry->event->n_decisions; i++) {
        if (entry->event->decisions[i]->actor != actor->number)
            continue;
        explained->candidate = true;
        explained->recorded = entry->event->decisions[i];
        trace_decision(core, entry, entry->event->decisions[i], &trace);
    }
    explained->n_lines = trace.n_lines;
    explained->lines = trace.lines;
}
