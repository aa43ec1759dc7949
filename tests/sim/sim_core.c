/* Seeded random operations on a core, with crashes; see sim.h. A failure prints the seed and the number of the
 * operation: the same arguments do the same again.
 *
 *     sim_core [--seed N] [--seeds N] [--ops N] [--verbose] */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const party_names[PARTIES] = {"az", "gp", "apo", "nurse", "kas"};
const char *const inbox_names[INBOXES] = {"az", "gp", "apo", "nurse", "kas", "gp-night"};
const enum party inbox_actors[INBOXES] = {AZ, GPS, APO, NURSES, KAS, GPS};
const char *const role_names[ROLES_SIM] = {"gp", "pharmacist", "coordinator", "home-care", "insurer"};

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "sim_core --seed %llu: operation %llu (%s): ", (unsigned long long)sim->seed,
            (unsigned long long)sim->op, sim->doing);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    for (size_t i = 0; i < sim->n_facts && getenv("SIM_FACTS"); i++)
        fprintf(stderr, "  %llu at %lld: fact %d patient %d actor %d role %d inbox %d until %lld value %d\n",
                (unsigned long long)sim->facts[i].place, (long long)sim->facts[i].at_ms, (int)sim->facts[i].kind,
                sim->facts[i].patient, sim->facts[i].actor, sim->facts[i].role, sim->facts[i].inbox,
                (long long)sim->facts[i].until_ms, sim->facts[i].value);
    exit(1);
}

uint64_t sim_random(struct sim *sim, uint64_t below)
{
    uint64_t x = sim->random += 0x9e3779b97f4a7c15ULL; /* splitmix64 */
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return (x ^ x >> 31) % below;
}

static bool chance(struct sim *sim, unsigned percent)
{
    return sim_random(sim, 100) < percent;
}

static void new_id(struct sim *sim, uint8_t id[16])
{
    memset(id, 0, 16);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(sim->hub->now_ms >> (40 - 8 * i));
    id[6] = id[8] = 0x80; /* UUIDv8 */
    sim->counter++;
    for (int i = 0; i < 4; i++)
        id[12 + i] = (uint8_t)(sim->counter >> (24 - 8 * i));
}

/* ---- Sessions -------------------------------------------------------------------------------------------------------------- */

static void hello(struct sim *sim, uint64_t session, int key)
{
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    hello.min_version = hello.max_version = 1;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    sim_handle(sim, session, key, &message);
}

static void session_end(struct sim *sim, int at)
{
    uint64_t id = sim->live[at].id;
    if (!id)
        return;
    sim_commit(sim);
    core_session_gone(sim->hub->core, id, (struct core_time){sim->hub->now_ms, sim->hub->now_ms - 1000000});
    sim->live[at].id = 0;
    for (int i = 0; i < INBOXES; i++)
        if (sim->inboxes[i].session == id)
            client_forget(&sim->inboxes[i]);
}

/* A session of that party: one that is there, or a new one. */
static uint64_t session_of(struct sim *sim, enum party party, bool fresh)
{
    int empty = -1;
    for (int i = 0; i < LIVES; i++) {
        if (sim->live[i].id == 0)
            empty = i;
        else if (sim->live[i].party == party && !fresh)
            return sim->live[i].id;
    }
    if (empty < 0)
        session_end(sim, empty = (int)sim_random(sim, LIVES));
    sim->live[empty].id = ++sim->next_session;
    sim->live[empty].party = party;
    hello(sim, sim->live[empty].id, sim_key(party));
    return sim->live[empty].id;
}

/* ---- Publishing ------------------------------------------------------------------------------------------------------------- */

static int new_event(struct sim *sim)
{
    struct event_sim *event = &sim->events[sim->n_events];
    if (sim->n_events == EVENTS_MAX)
        sim_fail(sim, "too many events for the model");
    *event = (struct event_sim){.publisher = chance(sim, 70) ? AZ : GPS,
                                .patient = (int)sim_random(sim, PATIENTS),
                                .type = (enum type_sim)sim_random(sim, TYPES_SIM),
                                .immediate = chance(sim, 50),
                                .restricted = chance(sim, 10),
                                .addressed = chance(sim, 10) ? (int)sim_random(sim, ROLES_SIM) : ROLE_ANY,
                                .variant = (int)sim_random(sim, 1000) * 2};
    new_id(sim, event->id);
    if (sim->n_events > 0 && chance(sim, 15)) {
        size_t original = sim_random(sim, sim->n_events);
        event->corrects = (int)original + 1;
        event->retracts = chance(sim, 40);
        event->publisher = sim->events[original].publisher;
        event->patient = sim->events[original].patient;
        event->type = sim->events[original].type;
    }
    return (int)sim->n_events++;
}

static struct fact_sim new_fact(struct sim *sim)
{
    struct fact_sim fact = {.kind = (enum fact_sim_kind)sim_random(sim, EXCLUSION_LIFTED_F + 1),
                            .patient = (int)sim_random(sim, PATIENTS),
                            .actor = (int)sim_random(sim, PARTIES),
                            .role = (int)sim_random(sim, ROLE_INSURER)};
    if (fact.kind == GRANT_GIVEN_F || fact.kind == GRANT_ENDED_F)
        fact.role = ROLE_INSURER;
    if (fact.kind == CONSENT_WITHDRAWN_F && chance(sim, 50))
        fact.kind = CONSENT_GIVEN_F;
    if (fact.kind == MEMBER_ENDED_F && chance(sim, 30))
        fact.role = ROLE_ANY;
    if ((fact.kind == CONSENT_GIVEN_F || fact.kind == MEMBER_ADDED_F || fact.kind == GRANT_GIVEN_F) && chance(sim, 30))
        fact.until_ms = sim->hub->now_ms + 1 + (int64_t)sim_random(sim, 100000);
    if (fact.kind == CONSENT_GIVEN_F && chance(sim, 20))
        fact.value = (int)sim_random(sim, 3);
    new_id(sim, fact.id);
    return fact;
}

static void publish_event(struct sim *sim)
{
    struct pending pending = {.n = 1};
    size_t confirmed = 0;
    int how = (int)sim_random(sim, 10);
    for (size_t i = 0; i < sim->n_events; i++)
        confirmed += sim->events[i].place != 0;
    int repeat = confirmed && how < 3 ? (int)sim_random(sim, sim->n_events) : -1;
    if (repeat >= 0 && sim->events[repeat].place) {
        pending.items[0].event = repeat;
        pending.expect = how == 0 ? EXPECT_CONFLICT : EXPECT_REPEAT;
    } else {
        pending.items[0].event = repeat >= 0 ? repeat : new_event(sim); /* of unknown outcome: again */
        if (repeat >= 0)
            sim_commit(sim);
        if (repeat >= 0 && sim->events[repeat].place)
            pending.expect = EXPECT_REPEAT;
    }
    enum party publisher = sim->events[pending.items[0].event].publisher;
    sim_publish(sim, session_of(sim, publisher, false), sim_key(publisher), &pending,
                pending.expect == EXPECT_CONFLICT);
}

static void publish_fact(struct sim *sim)
{
    struct pending pending = {.n = 1};
    pending.items[0].event = -1;
    pending.items[0].fact = new_fact(sim);
    sim_publish(sim, OPERATOR, OPERATOR, &pending, false);
}

/* Two events, or facts, as one; often with a last item that has to be refused, so that all is taken back. */
static void publish_group(struct sim *sim)
{
    struct pending pending = {.n = 2 + sim_random(sim, 2)};
    bool refused = chance(sim, 50), facts = chance(sim, 50);
    for (size_t i = 0; i < pending.n; i++) {
        pending.items[i].event = -1;
        if (facts)
            pending.items[i].fact = new_fact(sim);
        else
            do
                pending.items[i].event = new_event(sim);
            while (sim->events[pending.items[i].event].publisher != AZ || sim->events[pending.items[i].event].corrects);
    }
    struct fact_sim wrong = {.kind = MEMBER_ENDED_F, .patient = PATIENTS /* nobody */, .role = ROLE_ANY};
    new_id(sim, wrong.id);
    if (refused) {
        pending.items[pending.n - 1].event = -1;
        pending.items[pending.n - 1].fact = wrong;
        pending.expect = EXPECT_REFUSED;
    }
    sim_publish(sim, facts ? OPERATOR : session_of(sim, AZ, false), facts ? OPERATOR : sim_key(AZ), &pending, false);
}

/* Facts that are not about persons, and what operators do. Committed at once: they change who may say what. */
static void operate(struct sim *sim)
{
    struct pending pending = {.n = 1};
    struct fact_sim *fact = &pending.items[0].fact;
    pending.items[0].event = -1;
    *fact = (struct fact_sim){.patient = (int)sim_random(sim, PATIENTS), .role = ROLE_ANY};
    new_id(sim, fact->id);
    switch (sim_random(sim, 9)) {
    case 0:
        fact->kind = STANDING_F;
        fact->actor = chance(sim, 50) ? APO : NURSES;
        fact->value = chance(sim, 40) ? 2 : 1;
        break;
    case 1:
        fact->kind = CLIENT_STANDING_F;
        fact->actor = APO;
        fact->value = chance(sim, 40) ? 2 : 1;
        break;
    case 2:
        fact->kind = INBOX_TYPES_F;
        fact->inbox = 1 + (int)sim_random(sim, INBOXES - 1);
        fact->value = fact->inbox == 1 || chance(sim, 60) ? -1 : 1 + 2 * (int)sim_random(sim, 2);
        fact->until_ms = chance(sim, 30) ? 20000 + (int64_t)sim_random(sim, 400000) : 0;
        break;
    case 3:
        fact->kind = chance(sim, 10) ? INBOX_CLOSED_F : DEAD_RETRIED_F;
        fact->inbox = fact->kind == INBOX_CLOSED_F ? INBOXES - 1 : (int)sim_random(sim, INBOXES);
        break;
    case 8:
        fact->kind = REPLAYED_F;
        fact->actor = chance(sim, 80) ? (int)sim_random(sim, PARTIES) : -1;
        break;
    case 4:
        fact->kind = DECEASED_F;
        fact->value = chance(sim, 85);
        break;
    case 5:
    case 6:
        if (sim->n_held == 0)
            return;
        fact->kind = HELD_SETTLED_F;
        size_t which = sim_random(sim, sim->n_held);
        fact->held_place = sim->held[which].place;
        fact->actor = sim->held[which].actor;
        fact->value = chance(sim, 80);
        break;
    default:
        fact->kind = DEAD_RETRIED_F;
        fact->inbox = (int)sim_random(sim, INBOXES);
        break;
    }
    sim_commit(sim);
    sim_publish(sim, OPERATOR, OPERATOR, &pending, false);
    sim_commit(sim);
    for (int i = 0; i < LIVES && fact->kind == CLIENT_STANDING_F; i++)
        if (sim->live[i].id && sim->live[i].party == (enum party)fact->actor)
            session_end(sim, i);
}

/* ---- Receiving ----------------------------------------------------------------------------------------------------------------- */

static void attach(struct sim *sim, int which, uint32_t credit, bool fresh)
{
    Carehub__V1__Attach attach = CAREHUB__V1__ATTACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    enum party party = inbox_actors[which];
    uint64_t session = session_of(sim, party, fresh);
    attach.inbox = (char *)inbox_names[which];
    attach.credit_events = credit;
    attach.credit_bytes = 60 << 20;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ATTACH;
    message.attach = &attach;
    client_forget(&sim->inboxes[which]); /* what was attached is over */
    sim->inboxes[which].credit = credit;
    sim_handle(sim, session, sim_key(party), &message);
    if (chance(sim, 50))
        sim_commit(sim);
}

static void detach(struct sim *sim, int which)
{
    Carehub__V1__Detach detach = CAREHUB__V1__DETACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    struct inbox_sim *inbox = &sim->inboxes[which];
    detach.handle = inbox->handle;
    detach.epoch = inbox->epoch;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_DETACH;
    message.detach = &detach;
    sim_handle(sim, inbox->session, sim_key(inbox_actors[which]), &message);
    client_forget(inbox);
}

static void credit(struct sim *sim, int which)
{
    Carehub__V1__Credit credit = CAREHUB__V1__CREDIT__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    struct inbox_sim *inbox = &sim->inboxes[which];
    credit.handle = inbox->handle;
    credit.epoch = inbox->epoch;
    credit.events = 1 + (uint32_t)sim_random(sim, 20);
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_CREDIT;
    message.credit = &credit;
    inbox->credit += credit.events;
    sim_handle(sim, inbox->session, sim_key(inbox_actors[which]), &message);
}

static void receive(struct sim *sim)
{
    int which = (int)sim_random(sim, INBOXES), lane = (int)sim_random(sim, LANES_SIM), what = (int)sim_random(sim, 100);
    struct inbox_sim *inbox = &sim->inboxes[which];
    if (!inbox->session) {
        attach(sim, which, 1 + (uint32_t)sim_random(sim, 12), chance(sim, 50));
        return;
    }
    uint64_t number = client_pick(sim, inbox, lane);
    if (what < 4)
        attach(sim, which, 1 + (uint32_t)sim_random(sim, 12), chance(sim, 50));
    else if (what < 6)
        detach(sim, which);
    else if (what < 25)
        credit(sim, which);
    else if (!number)
        return;
    else if (what < 45 && number <= inbox->cursor[lane]) /* nobody says “everything up to” over a gap */
        client_ack(sim, which, lane, 0, number, chance(sim, 30));
    else if (what < 65)
        client_ack(sim, which, lane, number, number, chance(sim, 30));
    else if (what < 75 && number > 1 && number <= inbox->cursor[lane])
        client_ack(sim, which, lane, number - sim_random(sim, number < 4 ? number : 4), number, false);
    else
        client_nack(sim, which, lane, number, chance(sim, 25));
}

/* ---- Time and crashes -------------------------------------------------------------------------------------------------------------- */

static void pass_time(struct sim *sim)
{
    static const int64_t steps[] = {1, 900, 5000, 20000, 100000, 3600000};
    sim_commit(sim);
    sim->hub->now_ms += (int64_t)sim_random(sim, (uint64_t)steps[sim_random(sim, sizeof steps / sizeof *steps)]) + 1;
    sim_commit(sim);
}

static void start(struct sim *sim)
{
    memset(&sim->since_open, 0, sizeof sim->since_open);
    sim->next_session = SESSIONS; /* numbers are the process's own */
    hello(sim, OPERATOR, OPERATOR);
}

static void crash(struct sim *sim)
{
    client_committed(sim, false);
    core_close(&sim->hub->core);
    hub_clear(sim->hub);
    sim->n_pending = 0;
    memset(sim->live, 0, sizeof sim->live);
    for (int i = 0; i < INBOXES; i++)
        client_forget(&sim->inboxes[i]);
    if (chance(sim, 20))
        sim->hub->now_ms += (int64_t)sim_random(sim, 600000);
    hub_open(sim->hub);
    start(sim);
    sim->n_crashes++;
}

/* ---- The run ---------------------------------------------------------------------------------------------------------------------- */

static void region(struct sim *sim)
{
    char json[300];
    hub_region(sim->hub);
    snprintf(json, sizeof json, "{\"inboxSet\":{\"name\":\"gp-night\",\"actor\":\"gp\",\"types\":[\"*\"]}}");
    hub_fact_good(sim->hub, json);
    hub_fact_good(sim->hub,
                  "{\"inboxSet\":{\"name\":\"nurse\",\"actor\":\"nurse\",\"types\":[\"*\"],\"maxUndelivered\":\"4\"}}");
    for (int i = 0; i < PATIENTS; i++) {
        snprintf(json, sizeof json,
                 "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:sim\",\"value\":\"patient-%d\"}]}}", i);
        hub_fact_good(sim->hub, json);
    }
    core_close(&sim->hub->core);
    hub_clear(sim->hub);
    hub_open(sim->hub);
    start(sim);
    log_follow(sim);
    sim->since_open.facts = 0; /* those are of the process before */
}

/* A team that is likely to receive something. */
static void first_facts(struct sim *sim)
{
    static const int roles[PARTIES] = {ROLE_HOME_CARE, ROLE_GP, ROLE_PHARMACIST, ROLE_COORDINATOR, ROLE_INSURER};
    for (int patient = 0; patient < PATIENTS; patient++)
        for (int i = -1; i < PARTIES; i++) {
            struct pending pending = {.n = 1};
            struct fact_sim *fact = &pending.items[0].fact;
            pending.items[0].event = -1;
            *fact = (struct fact_sim){.kind = i < 0      ? CONSENT_GIVEN_F
                                              : i == KAS ? GRANT_GIVEN_F
                                                         : MEMBER_ADDED_F,
                                      .patient = patient,
                                      .actor = i < 0 ? 0 : i,
                                      .role = i < 0 ? 0 : roles[i]};
            new_id(sim, fact->id);
            sim_publish(sim, OPERATOR, OPERATOR, &pending, false);
        }
    sim_commit(sim);
}

/* Everybody is there, takes and acknowledges everything: in the end nothing may wait. */
static void drain(struct sim *sim)
{
    sim->doing = "draining";
    sim_commit(sim);
    for (int actor = APO; actor <= NURSES; actor++)
        for (int client = 0; client < 2; client++) {
            struct pending pending = {.n = 1};
            pending.items[0].event = -1;
            pending.items[0].fact = (struct fact_sim){
                .kind = client ? CLIENT_STANDING_F : STANDING_F, .actor = actor, .role = ROLE_ANY, .value = 1};
            new_id(sim, pending.items[0].fact.id);
            sim_publish(sim, OPERATOR, OPERATOR, &pending, false);
        }
    sim_commit(sim);
    for (int i = 0; i < LIVES; i++)
        session_end(sim, i); /* some had no client */
    for (int round = 0; round < 40; round++) {
        for (int which = 0; which < INBOXES; which++) {
            if (model_closed(sim, which, sim->followed))
                continue;
            if (round % 10 == 0)
                attach(sim, which, 60000, false);
            sim_commit(sim);
            for (int lane = 0; lane < LANES_SIM; lane++)
                for (uint64_t n; (n = client_pick(sim, &sim->inboxes[which], lane));)
                    client_ack(sim, which, lane, n, n, false);
        }
        sim_commit(sim);
        sim->hub->now_ms += 3600000;
        sim_commit(sim);
    }
    log_check(sim, true);
}

static void step(struct sim *sim)
{
    static const struct {
        int weight;
        const char *name;
        void (*act)(struct sim *);
    } acts[] = {{30, "publish", publish_event}, {12, "fact", publish_fact}, {4, "group", publish_group},
                {6, "operate", operate},        {40, "receive", receive},   {10, "commit", sim_commit},
                {5, "time", pass_time},         {2, "crash", crash}};
    int total = 0, at = 0;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        total += acts[i].weight;
    int pick = (int)sim_random(sim, (uint64_t)total);
    while (pick >= acts[at].weight)
        pick -= acts[at++].weight;
    sim->doing = acts[at].name;
    acts[at].act(sim);
    if (chance(sim, 2))
        session_end(sim, (int)sim_random(sim, LIVES));
}

static void run(uint64_t seed, uint64_t ops, bool verbose)
{
    void *state;
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim)
        abort();
    sim->seed = sim->random = seed;
    sim->doing = "start";
    hub_setup(&state);
    sim->hub = state;
    region(sim);
    first_facts(sim);
    for (sim->op = 1; sim->op <= ops; sim->op++) {
        step(sim);
        if (sim->op % 50 == 0)
            log_check(sim, false);
    }
    log_check(sim, false);
    drain(sim);
    if (verbose)
        printf(
            "seed %llu: %zu events, %zu facts, %llu places, %llu deliveries, %llu acknowledged, %llu ended otherwise, "
            "%llu crashes; later: %llu replayed, %llu escalated, %llu to late joiners\n",
            (unsigned long long)seed, sim->n_events, sim->n_facts, (unsigned long long)sim->followed,
            (unsigned long long)sim->n_delivered, (unsigned long long)sim->n_ended[0],
            (unsigned long long)sim->n_ended[1], (unsigned long long)sim->n_crashes,
            (unsigned long long)sim->n_later[1], (unsigned long long)sim->n_later[2],
            (unsigned long long)sim->n_later[3]);
    hub_teardown(&state);
    free(sim);
}

int main(int argc, char **argv)
{
    uint64_t seed = 1, seeds = 20, ops = 400;
    bool verbose = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0)
            verbose = true;
        else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--ops") == 0)
            ops = strtoull(argv[++i], NULL, 10);
        else {
            fprintf(stderr, "usage: sim_core [--seed N] [--seeds N] [--ops N] [--verbose]\n");
            return 2;
        }
    }
    for (uint64_t i = 0; i < seeds; i++)
        run(seed + i, ops, verbose);
    printf("%llu seeds from %llu, %llu operations each: all promises kept\n", (unsigned long long)seeds,
           (unsigned long long)seed, (unsigned long long)ops);
    return 0;
}
