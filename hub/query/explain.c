/* Why an actor was told of an event, or was not: the decision taken again, on the state as it was at the event's own
 * place (or at any other), with every rule that was looked at. Also for an actor that never was a candidate. */
#include "as_of.h"
#include "later/later.h"
#include "query.h"

/* When a membership or consent was recorded is in the log, which routing does not look at. */
static Carehub__V1__FindingParts *parts_message(struct core *core, const struct route_rule *rule)
{
    struct arena *arena = &core->batch;
    const struct route_parts *from = &rule->parts;
    Carehub__V1__FindingParts *parts = arena_alloc(arena, sizeof *parts);
    carehub__v1__finding_parts__init(parts);
    if (from->actor)
        parts->actor = arena_strdup(arena, from->actor);
    if (from->policy)
        parts->policy = arena_strdup(arena, from->policy);
    if (from->purpose)
        parts->purpose = arena_strdup(arena, from->purpose);
    parts->role = arena_strdup(arena, rule->role);
    parts->type = from->type;
    parts->level = from->level;
    parts->cell = from->cell;
    parts->grant = from->grant;
    parts->place = from->place;
    parts->recorded_ms = as_of_written_ms(core, from->place);
    parts->from_ms = from->from_ms ? from->from_ms : parts->recorded_ms;
    parts->until_ms = from->until_ms;
    return parts;
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
        rule->found = rules[i].found;
        rule->parts = parts_message(core, &rules[i]);
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

static void recompute(struct core *core, const Entry *entry, const struct actor *actor, uint64_t at_place,
                      Carehub__V1__ExplainAnswer *explained)
{
    struct as_of at;
    struct route_input input;
    struct route_original original;
    struct route_decision decision;
    struct route_rule *rules = arena_alloc(&core->batch, ROUTE_RULES_MAX * sizeof *rules);
    as_of_open(&at, core);
    as_of_go(&at, at_place ? at_place : entry->place, &core->batch);
    as_of_input(&at, entry, &input, &original);
    struct policy *policy = as_of_policy(&at);
    explained->at_ms = input.now_ms;
    if (policy) {
        input.policy = policy;
        int n = route_explain(&input, actor->number, &decision, rules, ROUTE_RULES_MAX);
        add_rules(core, explained, rules, n);
        explained->recomputed = decision_message(core, &decision);
    }
    policy_destroy(&policy);
    as_of_close(&at);
}

void explain_query(struct core *core, struct session *session, const Carehub__V1__Query *asked,
                   Carehub__V1__Answer *answer)
{
    (void)session;
    const Carehub__V1__ExplainQuery *query = asked->explain;
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
    uint64_t at_place;
    if (!as_of_asked(core, query->at_place, query->at_ms, &at_place, &answer->error))
        return;
    Carehub__V1__ExplainAnswer *explained = arena_alloc(&core->batch, sizeof *explained);
    carehub__v1__explain_answer__init(explained);
    explained->place = place;
    explained->actor = arena_strdup(&core->batch, actor->card->name);
    explained->display = arena_strdup(&core->batch, actor->card->display);
    explained->patient = entry->patient;
    explained->at_place = at_place;
    explained->event_ms = entry->at_ms;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_EXPLAIN;
    answer->explain = explained;
    if (entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT) {
        const struct actor *author = registry_actor(&core->registry, entry->actor);
        explained->not_kept = true;
        explained->unverified = author && actor_enters_unverified(author);
        return;
    }
    explained->type = entry->event->type;
    explained->unverified = entry->event->unverified;
    const Entry *verified = event_verified(core, place, core->last_place);
    if (verified) {
        explained->verified_by = arena_strdup(&core->batch, verified->fact->fact->event_verified->actor_name);
        explained->verified_ms = verified->at_ms;
    }
    recompute(core, entry, actor, at_place, explained);
    Carehub__V1__TraceAnswer trace = CAREHUB__V1__TRACE_ANSWER__INIT;
    trace.lines = arena_alloc(&core->batch, 4096 * sizeof *trace.lines);
    for (size_t i = 0; i < entry->event->n_decisions; i++) {
        if (entry->event->decisions[i]->actor != actor->number)
            continue;
        explained->candidate = true;
        explained->recorded = entry->event->decisions[i];
        trace_decision(core, entry, entry->event->decisions[i], &trace);
    }
    trace_later(core, entry, actor->number, &trace);
    explained->n_lines = trace.n_lines;
    explained->lines = trace.lines;
}
