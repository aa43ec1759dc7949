/* What another policy would have changed. Every event of a period is decided twice, on the state as it was at its
 * place: under the policy in force, and under the other. What differs is counted in patients.
 *
 * The work is done in slices, between the core's other work, so that nobody waits for it; nothing is kept but counts.
 * And nobody is told more than ranges: an actor that is a person in care or an informal carer stands for one patient,
 * so these are counted together. */
#include <stdlib.h>

#include "as_of.h"
#include "route/policy_compare.h"
#include "query.h"

enum {
    SLICE_EVENTS = 4,        /* decided in one turn: about a millisecond */
    SLICE_ENTRIES = 256,     /* looked at in one turn */
    SLICE_PAIRS = 16384,     /* added up in one turn */
    PROGRESS_EVERY_MS = 200, /* told to whoever asked */
    CHANGES_A_PAGE = 1000,
    CHANGES_MAX = 1 << 16,
    PAIRS_MAX = 1 << 20, /* of a change and a patient: at most 32 MiB, and never long to enlarge */
    PATIENTS_MIN = 5,    /* fewer are not told apart */
    PAIR_PATIENT_BITS = 40,
};

/* One kind of change for one actor: of how many patients? */
struct change {
    uint32_t actor; /* 0: all of that kind */
    Carehub__V1__ActorKind kind;
    Carehub__V1__EventType type;
    Carehub__V1__Gets before, after;
    uint32_t patients;
};

struct policy_diff {
    session_id session;
    uint64_t ref;
    struct policy *in_force, *other;
    struct as_of at;
    int64_t since_ms, told_ms;
    uint64_t from, to, next; /* places; `next` is looked at next */
    uint64_t events, not_kept;
    struct change *changes;
    size_t n_changes, changes_capacity;
    struct u64map numbers;         /* what kind of change → its number, from 1 */
    struct u64map pairs;           /* change and patient, once each */
    struct u64map gaining, losing; /* patients of the changes that are shown */
    size_t at_pair;                /* added up so far */
    size_t shown;                  /* changes sent so far */
    bool added_up;
};

static void *const THERE = (void *)1; /* in a map that is a set */

void policy_diff_end(struct core *core)
{
    struct policy_diff *diff = core->policy_diff;
    if (!diff)
        return;
    policy_destroy(&diff->in_force);
    policy_destroy(&diff->other);
    as_of_close(&diff->at);
    u64map_fini(&diff->numbers);
    u64map_fini(&diff->pairs);
    u64map_fini(&diff->gaining);
    u64map_fini(&diff->losing);
    free(diff->changes);
    free(diff);
    core->policy_diff = NULL;
}

/* ---- Counting --------------------------------------------------------------------------------------------------- */

static Carehub__V1__Gets gets(const struct route_decision *decision)
{
    if (!decision || decision->outcome == OUTCOME(WITHHOLD))
        return CAREHUB__V1__GETS__GETS_NOTHING;
    if (decision->outcome == OUTCOME(HOLD))
        return CAREHUB__V1__GETS__GETS_HELD;
    if (decision->notice)
        return CAREHUB__V1__GETS__GETS_NOTICE;
    return (Carehub__V1__Gets)(CAREHUB__V1__GETS__GETS_NOTICE + (int)decision->level);
}

/* The number of a kind of change; 0: there are too many. */
static size_t change_number(struct policy_diff *diff, const struct change *kind)
{
    uint64_t key = (uint64_t)kind->actor << 24 | (uint64_t)kind->kind << 16 | (uint64_t)kind->type << 8 |
                   (uint64_t)kind->before << 4 | (uint64_t)kind->after;
    size_t number = (size_t)u64map_get(&diff->numbers, key);
    if (number || diff->n_changes == CHANGES_MAX)
        return number;
    GROW(diff->changes, diff->n_changes, diff->changes_capacity);
    diff->changes[diff->n_changes++] = *kind;
    u64map_set(&diff->numbers, key, (void *)diff->n_changes);
    return diff->n_changes;
}

static bool count(struct core *core, uint32_t number, Carehub__V1__EventType type, uint64_t patient,
                  Carehub__V1__Gets before, Carehub__V1__Gets after)
{
    struct policy_diff *diff = core->policy_diff;
    const struct actor *actor = registry_actor(&core->registry, number);
    Carehub__V1__ActorKind kind = actor ? actor->card->kind : CAREHUB__V1__ACTOR_KIND__ACTOR_KIND_UNSPECIFIED;
    bool stands_for_one = kind == CAREHUB__V1__ACTOR_KIND__PERSON || kind == CAREHUB__V1__ACTOR_KIND__INFORMAL_CARER;
    struct change what = {stands_for_one ? 0 : number, kind, type, before, after, 0};
    size_t change = change_number(diff, &what);
    if (!change || diff->pairs.count >= PAIRS_MAX)
        return false;
    if (!u64map_set(&diff->pairs, (uint64_t)change << PAIR_PATIENT_BITS | patient, THERE))
        diff->changes[change - 1].patients++;
    return true;
}

static const struct route_decision *decision_of(const struct route_decision *decisions, int n, uint32_t actor)
{
    for (int i = 0; i < n; i++)
        if (decisions[i].actor == actor)
            return &decisions[i];
    return NULL;
}

/* Under both policies the candidates are the same: the team, the grants, and who received the original. */
static bool compare(struct core *core, const Entry *entry)
{
    struct policy_diff *diff = core->policy_diff;
    struct route_input input;
    struct route_original original;
    struct route_decision *before = arena_alloc(&core->scratch, ROUTE_DECISIONS_MAX * sizeof *before);
    struct route_decision *after = arena_alloc(&core->scratch, ROUTE_DECISIONS_MAX * sizeof *after);
    as_of_go(&diff->at, entry->place, &core->scratch);
    as_of_input(&diff->at, entry, &input, &original);
    input.policy = diff->in_force;
    int n_before = route_event(&input, before, ROUTE_DECISIONS_MAX);
    input.policy = diff->other;
    int n_after = route_event(&input, after, ROUTE_DECISIONS_MAX);
    uint64_t patient = persons_survivor(&core->persons, entry->patient, core->now_ms); /* one person counts once */
    for (int i = 0; i < n_before; i++) {
        Carehub__V1__Gets was = gets(&before[i]), is = gets(decision_of(after, n_after, before[i].actor));
        if (was != is && !count(core, before[i].actor, input.type, patient, was, is))
            return false;
    }
    return true;
}

/* A patient counts among those of whom someone gains or loses if a change that is shown says so: no sum tells of those
 * that are not. */
static void add_up(struct policy_diff *diff)
{
    uint64_t pair;
    void *there;
    for (int i = 0; i < SLICE_PAIRS; i++) {
        if (!u64map_next(&diff->pairs, &diff->at_pair, &pair, &there)) {
            diff->added_up = true;
            return;
        }
        const struct change *change = &diff->changes[(pair >> PAIR_PATIENT_BITS) - 1];
        if (change->patients >= PATIENTS_MIN)
            u64map_set(change->after > change->before ? &diff->gaining : &diff->losing,
                       pair & ((UINT64_C(1) << PAIR_PATIENT_BITS) - 1), THERE);
    }
}

/* ---- Answering -------------------------------------------------------------------------------------------------- */

static void answer_now(struct core *core, Carehub__V1__PolicyDiffAnswer *body, Error *error, bool more)
{
    struct policy_diff *diff = core->policy_diff;
    Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
    answer.ref = diff->ref;
    answer.more = more;
    answer.error = error;
    if (body) {
        body->done = diff->next - diff->from;
        body->total = diff->to + 1 - diff->from;
        answer.answer_case = CAREHUB__V1__ANSWER__ANSWER_POLICY_DIFF;
        answer.policy_diff = body;
    }
    answer_at_once(core, diff->session, &answer);
}

static void give_up(struct core *core, Carehub__V1__ErrorCode code, const char *why)
{
    Error *error;
    refuse(core, &error, code, "policyDiff", "%s", why);
    answer_now(core, NULL, error, false);
    policy_diff_end(core);
}

static Carehub__V1__PatientRange *range(struct core *core, uint64_t patients)
{
    if (patients == 0)
        return NULL;
    Carehub__V1__PatientRange *range = arena_alloc(&core->scratch, sizeof *range);
    carehub__v1__patient_range__init(range);
    range->at_least = patients < PATIENTS_MIN ? 1 : patients - patients % PATIENTS_MIN;
    range->at_most = patients - patients % PATIENTS_MIN + PATIENTS_MIN - 1;
    return range;
}

static int by_actor_and_type(const void *one, const void *other)
{
    const struct change *a = one, *b = other;
    int64_t order = (int64_t)a->actor - (int64_t)b->actor;
    if (order == 0)
        order = (int64_t)a->kind - (int64_t)b->kind;
    if (order == 0)
        order = (int64_t)a->type - (int64_t)b->type;
    if (order == 0)
        order = ((int64_t)a->before - (int64_t)b->before) * 16 + ((int64_t)a->after - (int64_t)b->after);
    return order < 0 ? -1 : order > 0;
}

static void page(struct core *core, Carehub__V1__PolicyDiffAnswer *answer)
{
    struct policy_diff *diff = core->policy_diff;
    size_t n = diff->n_changes - diff->shown;
    n = n < CHANGES_A_PAGE ? n : CHANGES_A_PAGE;
    answer->changes = arena_alloc(&core->scratch, (n + 1) * sizeof *answer->changes);
    for (; answer->n_changes < n; diff->shown++) {
        const struct change *from = &diff->changes[diff->shown];
        Carehub__V1__PolicyChange *to = arena_alloc(&core->scratch, sizeof *to);
        carehub__v1__policy_change__init(to);
        if (from->actor)
            to->actor = registry_actor(&core->registry, from->actor)->card->name;
        to->kind = from->kind;
        to->type = from->type;
        to->before = from->before;
        to->after = from->after;
        to->patients = range(core, from->patients);
        answer->changes[answer->n_changes++] = to;
    }
}

static void conclude(struct core *core)
{
    struct policy_diff *diff = core->policy_diff;
    const char *sections[POLICY_SECTIONS_MAX];
    Carehub__V1__PolicyDiffAnswer answer = CAREHUB__V1__POLICY_DIFF_ANSWER__INIT;
    page(core, &answer);
    if (diff->shown < diff->n_changes) {
        answer_now(core, &answer, NULL, true);
        return;
    }
    answer.policy = (char *)policy_name(diff->in_force);
    answer.other_policy = (char *)policy_name(diff->other);
    answer.since_ms = diff->since_ms;
    answer.from_place = diff->from;
    answer.to_place = diff->to;
    answer.events = diff->events;
    answer.not_kept = diff->not_kept;
    answer.gaining = range(core, diff->gaining.count);
    answer.losing = range(core, diff->losing.count);
    answer.n_sections = policy_sections_differ(diff->in_force, diff->other, sections);
    answer.sections = (char **)sections;
    answer_now(core, &answer, NULL, false);
    policy_diff_end(core);
}

/* ---- Working ---------------------------------------------------------------------------------------------------- */

static bool still_asked(const struct core *core, const struct policy_diff *diff)
{
    return session_may_ask(core, diff->session, CAREHUB__V1__QUERY__QUERY_POLICY_DIFF);
}

/* Looks at the next entries. False: it cannot go on, and whoever asked has been told. */
static bool look(struct core *core)
{
    struct policy_diff *diff = core->policy_diff;
    int events = 0;
    for (int i = 0; i < SLICE_ENTRIES && events < SLICE_EVENTS && diff->next <= diff->to; i++, diff->next++) {
        const Entry *entry = entry_read(core, diff->next, &core->scratch);
        if (!entry) {
            give_up(core, ERROR_CODE(INTERNAL), "an entry of the period is damaged: see the hub's own log");
            return false;
        }
        diff->not_kept += entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT;
        if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT)
            continue;
        events++;
        diff->events++;
        if (!compare(core, entry)) {
            give_up(core, ERROR_CODE(TOO_MANY), "the policies differ in too much to be counted: ask for fewer days");
            return false;
        }
    }
    return true;
}

void policy_diff_step(struct core *core)
{
    struct policy_diff *diff = core->policy_diff;
    if (!diff)
        return;
    if (!still_asked(core, diff)) {
        policy_diff_end(core);
        return;
    }
    if (core->output.room(core->output.ctx) <= DELIVER_FRAME_MAX_BYTES)
        return; /* it goes on when there is some */
    if (diff->next <= diff->to) {
        if (look(core) && core->real_ms >= diff->told_ms + PROGRESS_EVERY_MS) {
            Carehub__V1__PolicyDiffAnswer progress = CAREHUB__V1__POLICY_DIFF_ANSWER__INIT;
            diff->told_ms = core->real_ms;
            answer_now(core, &progress, NULL, true);
        }
        return;
    }
    if (diff->added_up) {
        conclude(core);
        return;
    }
    add_up(diff);
    if (diff->added_up && diff->n_changes)
        qsort(diff->changes, diff->n_changes, sizeof *diff->changes, by_actor_and_type);
}

/* ---- Starting --------------------------------------------------------------------------------------------------- */

static struct policy *policy_asked(struct core *core, const Carehub__V1__PolicyDiffQuery *asked, Error **error)
{
    char why[POLICY_ERROR_BYTES];
    size_t size = strlen(asked->text);
    struct policy *policy = size <= POLICY_MAX_BYTES ? policy_read(asked->text, size, why) : NULL;
    if (size > POLICY_MAX_BYTES)
        refuse(core, error, ERROR_CODE(TOO_LARGE), "text", "the policy is longer than %d KiB", POLICY_MAX_BYTES >> 10);
    else if (!policy)
        refuse(core, error, ERROR_CODE(INVALID), "text", "%s", why);
    return policy;
}

void policy_diff_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                       Carehub__V1__Answer *answer)
{
    const Carehub__V1__PolicyDiffQuery *asked = query->policy_diff;
    if (core->policy_diff && still_asked(core, core->policy_diff)) {
        refuse(core, &answer->error, ERROR_CODE(BUSY), "policyDiff",
               "the hub is comparing policies for somebody else: try again when it is done");
        return;
    }
    policy_diff_end(core);
    struct policy *other = policy_asked(core, asked, &answer->error);
    if (!other)
        return;
    struct policy_diff *diff = core->policy_diff = xcalloc(1, sizeof *diff);
    diff->session = session->id;
    diff->ref = query->ref;
    diff->other = other;
    diff->to = core->committed_place; /* what is only in the open batch may yet be gone */
    as_of_open(&diff->at, core);
    as_of_go(&diff->at, diff->to, &core->scratch);
    diff->in_force = as_of_policy(&diff->at);
    if (!diff->in_force) {
        refuse(core, &answer->error, ERROR_CODE(INTERNAL), "policyDiff", "the policy in force cannot be read");
        policy_diff_end(core);
        return;
    }
    diff->since_ms = asked->since_ms > 0 ? asked->since_ms - asked->since_ms % DAY_MS : 0;
    diff->from = diff->next = diff->since_ms ? as_of_moment(core, diff->since_ms - 1) + 1 : 1;
    if (diff->from > diff->to + 1)
        diff->from = diff->next = diff->to + 1;
    diff->told_ms = core->real_ms;
    NEW(core, PolicyDiffAnswer, started);
    started->total = diff->to + 1 - diff->from;
    answer->more = true;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_POLICY_DIFF;
    answer->policy_diff = started;
}
