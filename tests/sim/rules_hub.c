/* Plays a scenario on the hub's core. What it confirms, logs and delivers is compared with the model, in the order of
 * the log's places. */
#include "rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core_fixture.h"
#include "pbjson.h"

#define STATUS(name) CAREHUB__V1__CONFIRMATION__STATUS__##name

typedef Carehub__V1__Entry Entry;
typedef Carehub__V1__Decision Decision;

enum {
    FIRST_NUMBER = 2, /* of our persons: the fixture has one of its own */
    NUMBERS = 8192,   /* of a lane */
    PENDING = 256,
    OWN_EVENTS = 1024, /* that the hub makes itself */
    TAKEN_MAX = 4096,  /* entries of one commit */
};
static const int64_t WINDOW_MS = 90LL * 24 * 3600000; /* of rule 7; a delivery lives as long */

struct slot {
    uint64_t place, decided; /* of the event, and of the entry that decided: its own, a release, or a later one */
    bool ended;
    bool later;
};

struct lane {
    struct slot slots[NUMBERS];
    uint64_t last, cursor;
};

struct receiver {
    bool attached;
    uint32_t handle;
    uint64_t epoch;
    struct lane lanes[LANES_OF];
};

struct submitted {
    struct op op;
    uint64_t ref;
    int64_t at;
    const Carehub__V1__Confirmation *answer;
};

struct version {
    uint64_t place;
    int64_t at;
    struct op op; /* that led to it; kind OP_KINDS: an expiry */
    struct world *world;
};

static struct {
    struct hub *hub;
    size_t step;
    struct event events[OPS + 1 + OWN_EVENTS]; /* by id; then those of the hub's own making */
    size_t n_own;
    struct version *versions;
    size_t n_versions;
    struct submitted pending[PENDING];
    size_t n_pending;
    const Entry *entries[TAKEN_MAX];
    size_t n_entries, at_entry;
    uint64_t followed, promised; /* places: of the log, and confirmed to somebody */
    struct receiver receivers[ACTORS + 1];
    struct {
        int actor;
        uint64_t place;
    } refused; /* by an operator, just now */
    struct counts *counts;
} game;

static _Noreturn void broken(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void broken(const char *format, ...)
{
    va_list args;
    void *state = game.hub;
    va_start(args, format);
    fprintf(stderr, "step %zu: ", game.step + 1);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    hub_teardown(&state);
    _exit(1);
}

/* ---- The model's past ------------------------------------------------------------------------------------------- */

static const struct world *latest(void)
{
    return game.versions[game.n_versions - 1].world;
}

static size_t version_at(uint64_t place)
{
    size_t i = game.n_versions - 1;
    while (i > 0 && game.versions[i].place > place)
        i--;
    return i;
}

/* A new version of the world, to be changed in place. */
static struct world *change(const struct op *op, uint64_t place, int64_t at)
{
    struct world *world = malloc(sizeof *world);
    if (!world)
        abort();
    if (game.n_versions)
        *world = *latest();
    else
        world_begin(world);
    game.versions[game.n_versions++] = (struct version){.place = place, .at = at, .op = *op, .world = world};
    return world;
}

static struct event *event_at(uint64_t place)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        if (game.events[i].kept && game.events[i].place == place)
            return &game.events[i];
    return NULL;
}

static const struct event *original_of(const struct event *event)
{
    const struct event *original = event->op.v[ORIGINAL] ? &game.events[event->op.v[ORIGINAL]] : NULL;
    return original && original->kept ? original : NULL;
}

/* What is delivered after its own decision is decided as an ordinary event, but for a retraction: that goes to those
 * alone who had what it takes back. */
static const struct event *original_for(const struct event *event, bool later)
{
    return later && !event->op.v[RETRACTS] ? NULL : original_of(event);
}

static bool concerns(const struct op *op, const struct world *world, const struct event *event)
{
    return op->kind == OP_KINDS || root_of(world, (int)op->v[PERSON]) == root_of(world, event->person);
}

static bool merged_since(uint64_t from, uint64_t through)
{
    for (size_t i = version_at(from) + 1; i < game.n_versions && game.versions[i].place <= through; i++)
        if (game.versions[i].op.kind == MERGE || game.versions[i].op.kind == SEPARATE)
            return true;
    return false;
}

/* Was there a ground for it all the time since it was decided? With a merging in between it is as if the survivor's
 * team had been this person's all the time: only what holds in the end is asked. */
static bool ground_held(const struct event *event, int actor, uint64_t from, uint64_t through, int64_t now)
{
    uint64_t why = 0;
    for (size_t i = version_at(from) + 1; i < game.n_versions && game.versions[i].place <= through; i++)
        if (!merged_since(from, through) &&
            !ground_of(game.versions[i - 1].world, event, actor, game.versions[i].at, &why))
            return false;
    return ground_of(game.versions[version_at(through)].world, event, actor, now, &why) > 0;
}

/* After something was taken away, what is younger than the event does not count: a ground that took over from another
 * without a gap may be lost with it. That errs on the safe side. */
static bool ground_changed(const struct event *event, int actor, uint64_t from)
{
    for (size_t i = version_at(from) + 1; i < game.n_versions; i++) {
        const struct op *op = &game.versions[i].op;
        bool person = op->kind == CONSENT || op->kind == WITHDRAW;
        bool related = (op->kind == MEMBER || op->kind == GRANT) && op->v[ACTOR] == actor;
        if ((person || related || op->kind == SETTING) && concerns(op, game.versions[i - 1].world, event))
            return true;
    }
    return merged_since(from, UINT64_MAX);
}

/* ---- What is said to the hub ------------------------------------------------------------------------------------ */

static session_id session_of(int actor)
{
    return (session_id)(HOSPITAL + actor - 1);
}

static void id_bytes(long long id, int64_t ms, uint8_t bytes[16])
{
    memset(bytes, 0, 16);
    for (int i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    bytes[6] = bytes[8] = 0x80; /* UUIDv8 */
    for (int i = 0; i < 4; i++)
        bytes[12 + i] = (uint8_t)(id >> (24 - 8 * i));
}

static void *parse(const ProtobufCMessageDescriptor *descriptor, const char *json)
{
    struct pbjson_error error;
    void *message = pbjson_parse(descriptor, json, strlen(json), PBJSON_UUID, &error);
    char text[400];
    if (!message) {
        pbjson_error_format(&error, text, sizeof text);
        broken("%s: %s", text, json);
    }
    return message;
}

/* Takes over `item`'s content. */
static void submit(session_id session, const struct op *op, Carehub__V1__Item *item)
{
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item *items[] = {item};
    game.pending[game.n_pending++] = (struct submitted){.op = *op, .ref = ++game.hub->ref, .at = game.hub->now_ms};
    publication.ref = game.hub->ref;
    publication.n_items = 1;
    publication.items = items;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    hub_handle(game.hub, session, &message);
    if (item->item_case == CAREHUB__V1__ITEM__ITEM_EVENT)
        free(item->event.data);
    else
        carehub__v1__fact__free_unpacked(item->fact, NULL);
}

/* Something of each class, where the type has it. */
static const char *const bodies[TYPES] = {
    "",
    "\"inclusionFlagged\":{\"programme\":\"p\",\"targetGroup\":{\"code\":\"t\"},\"note\":\"n\"}",
    "\"hospitalDischarge\":{\"encounterId\":\"E\",\"location\":{\"ward\":\"w\"},\"note\":\"n\"}",
    "\"medicationChanged\":{\"schemeId\":\"s\",\"scheme\":{\"id\":\"r\"},\"note\":\"n\"}",
    "\"fallReported\":{\"fellAt\":{\"unixMs\":\"1\"},\"witnessed\":true,\"note\":\"n\"}",
    "\"patientDeceased\":{\"at\":{\"unixMs\":\"1\"},\"place\":{\"code\":\"c\"}}",
    ""};
static const char *const type_enums[TYPES] = {"",
                                              "INCLUSION_FLAGGED",
                                              "HOSPITAL_DISCHARGE",
                                              "MEDICATION_CHANGED",
                                              "FALL_REPORTED",
                                              "PATIENT_DECEASED",
                                              "EMERGENCY_ACCESS_USED"};

static void publish_event(const struct op *op, const struct event *event)
{
    const struct op *said = &event->op;
    char json[1200], to_role[96] = "", to_actor[96] = "";
    uint8_t id[16], original[16];
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    if (said->v[TO_ROLE])
        snprintf(to_role, sizeof to_role, "{\"role\":\"%s\"}%s", role_names[said->v[TO_ROLE]],
                 said->v[TO_ACTOR] ? "," : "");
    if (said->v[TO_ACTOR])
        snprintf(to_actor, sizeof to_actor, "{\"actor\":\"%s\"}", actor_names[said->v[TO_ACTOR]]);
    snprintf(json, sizeof json,
             "{\"type\":\"%s\",\"urgency\":\"%s\",\"confidentiality\":\"%s\",\"addressees\":[%s%s],"
             "\"patient\":{\"identifiers\":[{\"system\":\"urn:sim\",\"value\":\"person-%lld\"}]},"
             "\"occurredAt\":{\"unixMs\":\"%d\"},%s}",
             type_enums[said->v[TYPE]], said->v[URGENT] ? "IMMEDIATE" : "ROUTINE",
             said->v[CONFIDENTIAL] ? "RESTRICTED" : "NORMAL", to_role, to_actor, said->v[PERSON],
             op->kind == CONFLICT ? 2 : 1, bodies[said->v[TYPE]]);
    Carehub__V1__Event *message = parse(&carehub__v1__event__descriptor, json);
    id_bytes(said->v[ID], event->id_ms, id);
    message->id = (ProtobufCBinaryData){sizeof id, id};
    if (said->v[ORIGINAL]) {
        int64_t ms = game.events[said->v[ORIGINAL]].id_ms;
        id_bytes(said->v[ORIGINAL], ms ? ms : event->id_ms, original);
        *(said->v[RETRACTS] ? &message->retracts : &message->amends) = (ProtobufCBinaryData){16, original};
    }
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event.len = carehub__v1__event__get_packed_size(message);
    item.event.data = malloc(item.event.len);
    carehub__v1__event__pack(message, item.event.data);
    message->id = message->amends = message->retracts = (ProtobufCBinaryData){0, NULL};
    carehub__v1__event__free_unpacked(message, NULL);
    submit(session_of((int)said->v[ACTOR]), op, &item);
}

static void fact_json(const struct op *op, char *json, size_t size)
{
    static const char *const levels[] = {"LEVEL_NONE", "LEVEL_ADMINISTRATIVE", "LEVEL_CARE", "LEVEL_CLINICAL"};
    static const char *const grants[] = {"GRANT_KIND_UNSPECIFIED", "CASE_MANAGEMENT", "INSURANCE", "REFERRAL",
                                         "EMERGENCY_ACCESS"};
    static const char *const purposes[] = {"", "\"continuity-of-care\"", "\"research\"",
                                           "\"continuity-of-care\",\"research\""};
    const char *actor = actor_names[op->v[ACTOR]], *role = role_names[op->v[ROLE]], *level = levels[op->v[LEVEL]];
    char patient[100], other[100], when[100];
    snprintf(patient, sizeof patient, "\"patient\":{\"identifier\":{\"system\":\"urn:sim\",\"value\":\"person-%lld\"}}",
             op->v[PERSON]);
    snprintf(other, sizeof other, "\"merged\":{\"identifier\":{\"system\":\"urn:sim\",\"value\":\"person-%lld\"}}",
             op->v[OTHER]);
    snprintf(when, sizeof when, "\"fromMs\":\"%lld\",\"untilMs\":\"%lld\"", op->v[FROM], op->v[UNTIL]);
    switch (op->kind) {
    case CONSENT:
        snprintf(json, size, "{\"consentGiven\":{%s,\"purposes\":[%s],\"classes\":\"%s\",%s}}", patient,
                 purposes[op->v[PURPOSES]], level, when);
        break;
    case WITHDRAW:
        snprintf(json, size, "{\"consentWithdrawn\":{%s,\"purposes\":[%s]}}", patient, purposes[op->v[PURPOSES]]);
        break;
    case MEMBER:
        snprintf(json, size, "{\"memberAdded\":{%s,\"actor\":\"%s\",\"role\":\"%s\",%s%s}}", patient, actor, role, when,
                 op->v[PROOF] ? ",\"basis\":\"THERAPEUTIC_RELATION\",\"proof\":\"referral\"" : "");
        break;
    case GRANT:
        snprintf(json, size,
                 "{\"grantGiven\":{%s,\"actor\":\"%s\",\"role\":\"%s\",\"kind\":\"%s\",\"maxLevel\":\"%s\",%s,"
                 "\"purpose\":\"p\",\"justification\":\"j\"}}",
                 patient, actor, role, grants[op->v[KIND]], level, when);
        break;
    case LEAVE:
    case REVOKE:
        snprintf(json, size, "{\"%s\":{%s,\"actor\":\"%s\",\"role\":\"%s\"}}",
                 op->kind == LEAVE ? "memberEnded" : "grantEnded", patient, actor, role);
        break;
    case EXCLUDE:
    case READMIT:
        snprintf(json, size, "{\"%s\":{%s,\"actor\":\"%s\"}}", op->kind == EXCLUDE ? "exclusionSet" : "exclusionLifted",
                 patient, actor);
        break;
    case SETTING:
        snprintf(json, size,
                 "{\"accessSet\":{%s,\"name\":\"s%lld\",\"actorName\":\"%s\",\"role\":\"%s\",\"type\":\"%s\","
                 "\"level\":\"%s\",\"relaxes\":%s,%s}}",
                 patient, op->v[NAME], actor, role, type_names[op->v[TYPE]], level, op->v[RELAXES] ? "true" : "false",
                 when);
        break;
    case LIFT:
        snprintf(json, size, "{\"accessLifted\":{%s,\"name\":\"s%lld\"}}", patient, op->v[NAME]);
        break;
    case DEATH:
        snprintf(json, size, "{\"deathRecorded\":{%s,\"mistaken\":%s}}", patient, op->v[YES] ? "true" : "false");
        break;
    case MERGE:
    case SEPARATE:
        snprintf(json, size, "{\"%s\":{%s,%s}}", op->kind == MERGE ? "patientsMerged" : "patientsSeparated", patient,
                 other);
        break;
    case STANDING:
        snprintf(json, size, "{\"actorStanding\":{\"name\":\"%s\",\"standing\":\"%s\"}}", actor,
                 op->v[YES] ? "SUSPENDED" : "ACTIVE");
        break;
    case SUBSCRIBE:
        snprintf(json, size, "{\"inboxSet\":{\"name\":\"%s\",\"actor\":\"%s\",\"types\":[\"%s\"]}}", actor, actor,
                 op->v[YES] ? "PatientDeceased" : "*");
        break;
    case REPLAY:
        snprintf(json, size, "{\"replayed\":{%s,\"actorName\":\"%s\",\"reason\":\"sim\"}}", patient, actor);
        break;
    case SETTLE:
        snprintf(json, size,
                 "{\"heldSettled\":{\"place\":\"%llu\",\"actor\":\"%s\",\"release\":%s,\"reason\":\"sim\"}}",
                 (unsigned long long)game.events[op->v[ID]].place, actor, op->v[YES] ? "true" : "false");
        break;
    default:
        broken("no fact");
    }
}

static void publish_fact(const struct op *op)
{
    static long long n = 1 << 20;
    char json[800];
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    struct op said = *op;
    if (said.v[FROM])
        said.v[FROM] += game.hub->now_ms;
    if (said.v[UNTIL])
        said.v[UNTIL] += game.hub->now_ms;
    fact_json(&said, json, sizeof json);
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = parse(&carehub__v1__fact__descriptor, json);
    item.fact->id.data = malloc(16);
    item.fact->id.len = 16;
    id_bytes(++n, game.hub->now_ms, item.fact->id.data);
    submit(OPERATOR, &said, &item);
}

/* ---- What was decided ------------------------------------------------------------------------------------------- */

static const Decision *decision_for(const Entry *entry, int actor)
{
    const Decision *found = NULL;
    for (size_t i = 0; i < entry->event->n_decisions; i++)
        if (entry->event->decisions[i]->actor == (uint32_t)actor) {
            if (found)
                broken("place %llu: decided twice for %s", (unsigned long long)entry->place, actor_names[actor]);
            found = entry->event->decisions[i];
        }
    return found;
}

static void check_ground(const struct event *event, int actor, const Decision *decision, int64_t now)
{
    int level, person = root_of(latest(), event->person);
    uint64_t consent = consent_of(latest(), person, now, &level);
    if (!relation_at(latest(), person, actor, decision->ground, now))
        broken("event %lld for %s: its ground, place %llu, is no relation in force", event->op.v[ID],
               actor_names[actor], (unsigned long long)decision->ground);
    if (decision->consent ? decision->consent != consent : !type_by_relation((int)event->op.v[TYPE]))
        broken("event %lld for %s: its consent, place %llu, is not the one in force, %llu", event->op.v[ID],
               actor_names[actor], (unsigned long long)decision->consent, (unsigned long long)consent);
}

static void check_decision(const struct event *event, int actor, const Decision *decision,
                           const struct verdict *verdict, int64_t now)
{
    static const char *const names[] = {"withhold", "hold", "a notice", "deliver"};
    int is = decision->outcome == CAREHUB__V1__OUTCOME__HOLD      ? HELD
             : decision->outcome != CAREHUB__V1__OUTCOME__DELIVER ? WITHHELD
             : decision->notice                                   ? NOTICE
                                                                  : DELIVERED;
    if (is != (int)verdict->is || (is == DELIVERED && (int)decision->level != verdict->level))
        broken("event %lld for %s: the hub says %s (reason %d, level %d), the rules say %s (level %d)", event->op.v[ID],
               actor_names[actor], names[is], (int)decision->reason, (int)decision->level, names[verdict->is],
               verdict->level);
    if (is <= HELD && !(verdict->reasons >> decision->reason & 1))
        broken("event %lld for %s: %s with reason %d, which is not true", event->op.v[ID], actor_names[actor],
               names[is], (int)decision->reason);
    if (decision->n_slots != (is >= NOTICE))
        broken("event %lld for %s: %s, in %zu inboxes", event->op.v[ID], actor_names[actor], names[is],
               decision->n_slots);
    if (is == DELIVERED)
        check_ground(event, actor, decision, now);
}

/* What was received stays received, in the wider view of several. */
static void take_decision(struct event *event, int actor, const Decision *decision, uint64_t place, bool later)
{
    event->held[actor] = decision->outcome == CAREHUB__V1__OUTCOME__HOLD;
    event->held_until[actor] = decision->deadline_ms;
    game.counts->held += event->held[actor];
    if (decision->n_slots == 0)
        return;
    const Carehub__V1__Slot *slot = decision->slots[0];
    struct lane *lane = &game.receivers[actor].lanes[slot->lane];
    if (slot->inbox != (uint32_t)actor || slot->number != lane->last + 1 || slot->number >= NUMBERS ||
        (slot->lane == CAREHUB__V1__LANE__LANE_IMMEDIATE) != (event->op.v[URGENT] != 0))
        broken("event %lld for %s: inbox %u, lane %d, number %llu after %llu", event->op.v[ID], actor_names[actor],
               slot->inbox, (int)slot->lane, (unsigned long long)slot->number, (unsigned long long)lane->last);
    lane->slots[++lane->last] = (struct slot){.place = event->place, .decided = place, .later = later};
    if (!decision->notice)
        event->got[actor] = GOT_CONTENT;
    else if (event->got[actor] == GOT_NOTHING)
        event->got[actor] = GOT_NOTICE;
    if ((int)decision->level > event->got_level[actor])
        event->got_level[actor] = (int)decision->level;
}

/* What the rules say of the event: is anything of it kept? */
enum fate { FATE_KEPT, FATE_NOT_KEPT, FATE_REFUSED, FATE_ANY };

static enum fate fate_of(const struct event *event, struct verdict verdicts[ACTORS + 1], int64_t now)
{
    const struct world *world = latest();
    const struct op *op = &event->op;
    int level;
    bool consent = consent_of(world, event->person, now, &level), any = false;
    const struct event *original = op->v[ORIGINAL] ? &game.events[op->v[ORIGINAL]] : NULL;
    bool there = original && original->known && original->op.v[ACTOR] == op->v[ACTOR];
    if (event->person == PERSONS)
        return FATE_NOT_KEPT;
    if (there && now - original->at_ms >= WINDOW_MS)
        return FATE_ANY; /* it may have been forgotten */
    if (there && !original->kept)
        return FATE_NOT_KEPT;
    if (original && (!there || root_of(world, original->person) != event->person))
        return consent ? FATE_REFUSED : FATE_NOT_KEPT;
    if (!consent && !original && !type_by_relation((int)op->v[TYPE]))
        return FATE_NOT_KEPT;
    for (int actor = 1; actor <= ACTORS; actor++) {
        bool candidate = is_candidate(world, event->person, actor, now) || (original && original->got[actor]);
        verdicts[actor] = judge(world, event, original, actor, now);
        any |= candidate && verdicts[actor].is != WITHHELD;
    }
    return consent || any ? FATE_KEPT : FATE_NOT_KEPT;
}

static void take_event(struct event *event, const Entry *entry, const struct verdict verdicts[ACTORS + 1], bool sure)
{
    struct event *original = event->op.v[ORIGINAL] ? &game.events[event->op.v[ORIGINAL]] : NULL;
    event->kept = true;
    if (entry->patient != (uint64_t)event->person + FIRST_NUMBER)
        broken("event %lld is filed under P%llu", event->op.v[ID], (unsigned long long)entry->patient);
    for (int actor = 1; actor <= ACTORS; actor++) {
        const Decision *decision = decision_for(entry, actor);
        bool candidate = is_candidate(latest(), event->person, actor, entry->at_ms) ||
                         (original && original->kept && original->got[actor]);
        if (sure && (decision != NULL) != candidate)
            broken("event %lld: %s is%s a candidate, and a decision was%s recorded", event->op.v[ID],
                   actor_names[actor], candidate ? "" : " not", decision ? "" : " not");
        if (!decision)
            continue;
        if (sure)
            check_decision(event, actor, decision, &verdicts[actor], entry->at_ms);
        take_decision(event, actor, decision, entry->place, false);
    }
    if (original)
        original->corrected = true;
    game.counts->events++;
}

/* ---- The log ---------------------------------------------------------------------------------------------------- */

static struct slot *slot_of(int actor, int lane, uint64_t number)
{
    if (actor < 1 || actor > ACTORS || number < 1 || number > game.receivers[actor].lanes[lane].last)
        broken("the log speaks of a delivery that never was: %d/%d/%llu", actor, lane, (unsigned long long)number);
    return &game.receivers[actor].lanes[lane].slots[number];
}

static void end_slot(int actor, int lane, uint64_t number)
{
    struct slot *slot = slot_of(actor, lane, number);
    if (slot->ended)
        broken("%s lane %d: %llu ends twice", actor_names[actor], lane, (unsigned long long)number);
    slot->ended = true;
}

/* What was held and released is looked at from its event's place on: that, too, errs on the safe side. */
static void check_withdrawn(const Entry *entry, int actor, const struct slot *slot)
{
    const struct event *event = event_at(slot->place);
    struct verdict verdict = judge(latest(), event, original_for(event, slot->later), actor, entry->at_ms);
    game.counts->withdrawn++;
    if (verdict.is == DELIVERED && !ground_changed(event, actor, slot->place) &&
        ground_held(event, actor, slot->place, entry->place - 1, entry->at_ms))
        broken("event %lld was withdrawn from %s (reason %d), who has had every right to it", event->op.v[ID],
               actor_names[actor], (int)entry->end->why);
}

static void take_end(const Entry *entry)
{
    const Carehub__V1__EndEntry *end = entry->end;
    for (uint64_t number = end->from; number <= end->to; number++) {
        struct slot *slot = slot_of((int)end->inbox, (int)end->lane, number);
        end_slot((int)end->inbox, (int)end->lane, number);
        if (end->end == CAREHUB__V1__REASON__END_WITHDRAWN)
            check_withdrawn(entry, (int)end->inbox, slot);
        else if (end->end != CAREHUB__V1__REASON__END_EXPIRED ||
                 entry->at_ms - event_at(slot->place)->at_ms < WINDOW_MS)
            broken("%s lane %d: %llu ends with %d", actor_names[end->inbox], (int)end->lane, (unsigned long long)number,
                   (int)end->end);
    }
}

static void take_ack(const Entry *entry)
{
    for (size_t i = 0; i < entry->ack->n_ranges; i++)
        for (uint64_t number = entry->ack->ranges[i]->from; number <= entry->ack->ranges[i]->to; number++)
            end_slot((int)entry->ack->inbox, (int)entry->ack->ranges[i]->lane, number);
}

static void take_held(const Entry *entry)
{
    struct event *event = event_at(entry->held->event_place);
    const Decision *decision = entry->held->decision;
    int actor = (int)decision->actor;
    if (!event || actor < 1 || actor > ACTORS || !event->held[actor])
        broken("place %llu settles what is not held", (unsigned long long)entry->place);
    bool refused = game.refused.place == event->place && game.refused.actor == actor;
    bool ended = decision->reason == CAREHUB__V1__REASON__END_REFUSED_BY_OPERATOR ? refused
                 : decision->reason == CAREHUB__V1__REASON__END_DEAD_HELD ? entry->at_ms >= event->held_until[actor]
                                                                          : event->corrected;
    struct verdict verdict = judge(latest(), event, original_for(event, event->held_later[actor]), actor, entry->at_ms);
    if (decision->reason < CAREHUB__V1__REASON__END_ACKNOWLEDGED && !ended)
        check_decision(event, actor, decision, &verdict, entry->at_ms);
    else if (!ended || decision->outcome != CAREHUB__V1__OUTCOME__WITHHOLD)
        broken("event %lld, held for %s, ends with %d", event->op.v[ID], actor_names[actor], (int)decision->reason);
    game.refused.place = 0;
    take_decision(event, actor, decision, entry->place, event->held_later[actor]);
}

/* Delivered after its own decision: replayed, not read by another, or to a new member. As things stand then; nothing
 * that was corrected, and nothing that is held. */
static void take_later(const Entry *entry)
{
    const Decision *decision = entry->later->decision;
    struct event *event = event_at(entry->later->event_place);
    int actor = (int)decision->actor, person;
    if (actor == 0)
        return; /* nobody was left in line */
    if (!event || actor > ACTORS || event->corrected || event->held[actor])
        broken("place %llu delivers later what is unknown, corrected or held", (unsigned long long)entry->place);
    struct verdict verdict = judge(latest(), event, original_for(event, true), actor, entry->at_ms);
    person = root_of(latest(), event->person);
    check_decision(event, actor, decision, &verdict, entry->at_ms);
    if (entry->later->cause == CAREHUB__V1__CAUSE__ESCALATION && !next_in_line(latest(), person, actor, entry->at_ms))
        broken("event %lld goes on to %s, who is not in line", event->op.v[ID], actor_names[actor]);
    if (entry->later->cause == CAREHUB__V1__CAUSE__LATE_JOINER &&
        (event->got[actor] == GOT_CONTENT ||
         !relation_at(latest(), person, actor, entry->later->because, entry->at_ms)))
        broken("event %lld is given to %s, who is no new member, or has it", event->op.v[ID], actor_names[actor]);
    take_decision(event, actor, decision, entry->place, true);
    event->held_later[actor] = event->held[actor];
    game.counts->later++;
}

static void take_event(struct event *event, const Entry *entry, const struct verdict verdicts[ACTORS + 1], bool sure);

/* The hub itself tells the team of an emergency access. */
static void take_own(const Entry *entry)
{
    if (entry->event->type != CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED || entry->client ||
        game.n_own == OWN_EVENTS)
        broken("place %llu holds an event that nobody was confirmed", (unsigned long long)entry->place);
    struct verdict verdicts[ACTORS + 1] = {{0}};
    struct event *event = &game.events[OPS + ++game.n_own];
    event->op.v[ID] = OPS + (long long)game.n_own;
    event->op.v[TYPE] = EMERGENCY_T;
    event->op.v[URGENT] = entry->event->urgency == CAREHUB__V1__URGENCY__IMMEDIATE;
    event->op.v[CONFIDENTIAL] = entry->event->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED;
    event->person = (int)entry->patient - FIRST_NUMBER;
    event->place = entry->place;
    event->at_ms = entry->at_ms;
    event->known = true;
    for (int actor = 1; actor <= ACTORS; actor++)
        verdicts[actor] = judge(latest(), event, NULL, actor, entry->at_ms);
    take_event(event, entry, verdicts, true);
}

static void take_expiry(const Entry *entry)
{
    struct world *world = change(&(struct op){.kind = OP_KINDS}, entry->place, entry->at_ms);
    int person = (int)entry->patient - FIRST_NUMBER;
    for (size_t i = 0; i < entry->expiry->n_ended; i++, game.counts->expired++)
        if (person < 0 || person >= PERSONS ||
            !expire(&world->persons[person], entry->expiry->ended[i]->since, entry->at_ms))
            broken("place %llu: an end by date, of P%llu, of what has not ended", (unsigned long long)entry->place,
                   (unsigned long long)entry->patient);
}

/* What ends by its date is first in its batch: nothing else comes after the date and before it. */
static void check_first(const Entry *entry)
{
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EXPIRY && overdue(latest(), entry->at_ms))
        broken("place %llu (a %d) came before what ended by its date is in the log", (unsigned long long)entry->place,
               (int)entry->what_case);
}

static void take_entry(const Entry *entry)
{
    if (entry->place != game.followed + 1)
        broken("place %llu after %llu", (unsigned long long)entry->place, (unsigned long long)game.followed);
    game.followed = entry->place;
    check_first(entry);
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_END:
        take_end(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_ACK:
        take_ack(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        take_held(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_EXPIRY:
        take_expiry(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        take_later(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        take_own(entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_NOT_KEPT:
        broken("place %llu holds an event that nobody was confirmed", (unsigned long long)entry->place);
    default:
        break;
    }
}

/* Up to `place`, which is not taken but returned. */
static const Entry *take_until(uint64_t place)
{
    while (game.at_entry < game.n_entries && game.entries[game.at_entry]->place < place)
        take_entry(game.entries[game.at_entry++]);
    if (game.at_entry == game.n_entries || game.entries[game.at_entry]->place != place)
        broken("place %llu was confirmed, and is not in the log", (unsigned long long)place);
    game.followed = place;
    check_first(game.entries[game.at_entry]);
    return game.entries[game.at_entry++];
}

/* ---- Answers ---------------------------------------------------------------------------------------------------- */

static bool code_is(const Carehub__V1__Confirmation *answer, Carehub__V1__ErrorCode code)
{
    return answer->status == STATUS(REJECTED) && answer->error && answer->error->code == code;
}

/* Rule 7: the same again gives the same answer, other content is refused, and what is too old to know is refused. */
static void repeated(const struct submitted *s, const struct event *event)
{
    bool old = s->at - event->id_ms >= WINDOW_MS && code_is(s->answer, CAREHUB__V1__ERROR_CODE__TOO_OLD);
    bool good = s->op.kind == CONFLICT ? code_is(s->answer, CAREHUB__V1__ERROR_CODE__ID_CONFLICT)
                                       : s->answer->status == STATUS(REPEATED) && s->answer->place == event->place;
    game.counts->refused += s->answer->status == STATUS(REJECTED);
    if (!good && !old)
        broken("event %lld %s: status %d", event->op.v[ID], s->op.kind == CONFLICT ? "with other content" : "again",
               (int)s->answer->status);
}

static void not_kept(const struct submitted *s, struct event *event, const Entry *entry)
{
    bool told = event->op.v[ACTOR] == GP_A;
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_NOT_KEPT || entry->patient)
        broken("event %lld: there is no consent, and something is kept of it", event->op.v[ID]);
    if (s->answer->status != (told ? STATUS(NOT_KEPT) : STATUS(CONFIRMED)))
        broken("event %lld was not kept: %s is%s told", event->op.v[ID], actor_names[event->op.v[ACTOR]],
               told ? " not" : "");
    game.counts->not_kept++;
}

static void event_answered(const struct submitted *s)
{
    struct event *event = &game.events[s->op.v[ID]];
    struct verdict verdicts[ACTORS + 1] = {{0}};
    int actor = (int)event->op.v[ACTOR];
    bool allowed = may_publish(actor, (int)event->op.v[TYPE]) && !latest()->suspended[actor];
    bool refused = s->answer->status == STATUS(REJECTED);
    if (!allowed) {
        if (!code_is(s->answer, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED))
            broken("event %lld: %s may not publish it", event->op.v[ID], actor_names[actor]);
        game.counts->refused++;
        return;
    }
    if (event->known) {
        repeated(s, event);
        return;
    }
    if (code_is(s->answer, CAREHUB__V1__ERROR_CODE__TOO_OLD) && s->at - event->id_ms >= WINDOW_MS)
        return;
    event->person = root_of(latest(), (int)event->op.v[PERSON]);
    if (!refused) {
        const Entry *entry = take_until(s->answer->place); /* what ends by its date comes first */
        event->person = root_of(latest(), (int)event->op.v[PERSON]);
        enum fate fate = fate_of(event, verdicts, s->at);
        if (fate == FATE_REFUSED)
            broken("event %lld corrects what there is not, and was taken", event->op.v[ID]);
        event->known = true;
        event->place = s->answer->place;
        event->at_ms = s->at;
        if (fate == FATE_NOT_KEPT || (fate == FATE_ANY && entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT))
            not_kept(s, event, entry);
        else if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || s->answer->status != STATUS(CONFIRMED))
            broken("event %lld was not kept, though there is consent or someone to tell", event->op.v[ID]);
        else
            take_event(event, entry, verdicts, fate == FATE_KEPT);
        return;
    }
    enum fate fate = fate_of(event, verdicts, s->at);
    game.counts->refused++;
    if (fate != FATE_REFUSED && fate != FATE_ANY)
        broken("event %lld was refused: %s", event->op.v[ID], s->answer->error ? s->answer->error->text : "?");
}

static bool settle_good(const struct op *op, int64_t now)
{
    const struct event *event = &game.events[op->v[ID]];
    int actor = (int)op->v[ACTOR];
    if (!event->kept || !event->held[actor])
        return false;
    return !op->v[YES] || event->corrected ||
           judge(latest(), event, original_for(event, event->held_later[actor]), actor, now).is != HELD;
}

static void fact_answered(const struct submitted *s)
{
    bool taken = s->answer->status == STATUS(CONFIRMED);
    char line[400];
    if (taken)
        take_until(s->answer->place);
    bool good = s->op.kind == SETTLE ? settle_good(&s->op, s->at) : fact_good(latest(), &s->op, s->at);
    op_write(&s->op, line, sizeof line);
    if (taken != good)
        broken("the hub %s “%s”, the rules %s it%s%s", taken ? "takes" : "refuses", line, good ? "allow" : "forbid",
               s->answer->error ? ": " : "", s->answer->error ? s->answer->error->text : "");
    game.counts->facts += taken;
    game.counts->refused += !taken;
    if (taken && s->op.kind == SETTLE && !s->op.v[YES]) {
        game.refused.place = game.events[s->op.v[ID]].place;
        game.refused.actor = (int)s->op.v[ACTOR];
    }
    if (taken && s->op.kind != SETTLE && s->op.kind != REPLAY)
        fact_apply(change(&s->op, s->answer->place, s->at), &s->op, s->answer->place, s->at);
}

/* ---- Deliveries ------------------------------------------------------------------------------------------------- */

static int actor_of(session_id session)
{
    return (int)session - HOSPITAL + 1;
}

/* The highest class of what is there of the body; -1: no body. */
static int classes_in(const Carehub__V1__Event *event)
{
    switch (event->body_case) {
    case CAREHUB__V1__EVENT__BODY_INCLUSION_FLAGGED:
        return event->inclusion_flagged->note[0] ? 3 : event->inclusion_flagged->target_group ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE:
        return event->hospital_discharge->note[0] ? 3 : event->hospital_discharge->location ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED:
        return event->medication_changed->note[0] ? 3 : event->medication_changed->scheme ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_FALL_REPORTED:
        return event->fall_reported->note[0] ? 3 : event->fall_reported->witnessed ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_PATIENT_DECEASED:
        return event->patient_deceased->place ? 2 : 1;
    case CAREHUB__V1__EVENT__BODY_EMERGENCY_ACCESS_USED:
        return event->emergency_access_used->justification[0] ? 3 : 1;
    default:
        return -1;
    }
}

static void check_content(const struct event *event, int actor, const Carehub__V1__Delivery *delivery)
{
    Carehub__V1__Event *content = carehub__v1__event__unpack(NULL, delivery->event.len, delivery->event.data);
    uint8_t id[16];
    id_bytes(event->op.v[ID], event->id_ms, id);
    if (!content || content->id.len != 16 || (event->id_ms && memcmp(content->id.data, id, 16) != 0))
        broken("%s gets another event than that of its place", actor_names[actor]);
    int most = event->op.v[TYPE] == DECEASED_T ? 2 : 3, level = (int)delivery->level, there = classes_in(content);
    if (event->op.v[TYPE] == EMERGENCY_T && level == 2)
        level = 1; /* it has nothing of the class between */
    if (delivery->notice ? there != -1 || content->patient : there != (level < most ? level : most))
        broken("event %lld for %s at level %d: the content goes up to class %d", event->op.v[ID], actor_names[actor],
               level, there);
    carehub__v1__event__free_unpacked(content, NULL);
}

static void check_entitled(const struct event *event, int actor, const struct slot *slot,
                           const Carehub__V1__Delivery *delivery)
{
    uint64_t through = delivery->decided_through;
    const struct event *original = original_for(event, slot->later);
    int64_t now = game.hub->now_ms;
    if (through < game.promised)
        broken("event %lld for %s: decided through %llu, when %llu was confirmed already", event->op.v[ID],
               actor_names[actor], (unsigned long long)through, (unsigned long long)game.promised);
    if (delivery->notice) {
        game.counts->notices++;
        if (!original || !original->got[actor])
            broken("event %lld for %s: a notice of no correction", event->op.v[ID], actor_names[actor]);
        return;
    }
    struct verdict verdict = judge(game.versions[version_at(through)].world, event, original, actor, now);
    if (verdict.is != DELIVERED || (int)delivery->level > verdict.level)
        broken("event %lld went to %s at level %d, decided through %llu; the rules say %d (level %d)", event->op.v[ID],
               actor_names[actor], (int)delivery->level, (unsigned long long)through, (int)verdict.is, verdict.level);
    if (!ground_held(event, actor, slot->decided, through, now))
        broken("event %lld went to %s although what it rested on was gone in between", event->op.v[ID],
               actor_names[actor]);
}

static void delivered(session_id session, const Carehub__V1__Deliver *deliver)
{
    int actor = actor_of(session);
    struct receiver *receiver = &game.receivers[actor];
    for (size_t i = 0; i < deliver->n_deliveries; i++) {
        const Carehub__V1__Delivery *delivery = deliver->deliveries[i];
        struct lane *lane = &receiver->lanes[delivery->lane];
        const struct event *event = event_at(delivery->place);
        if (!event || !receiver->attached || delivery->number != lane->cursor + 1 || delivery->number > lane->last ||
            lane->slots[delivery->number].place != delivery->place)
            broken("%s gets number %llu of lane %d after %llu", actor_names[actor],
                   (unsigned long long)delivery->number, (int)delivery->lane, (unsigned long long)lane->cursor);
        const struct slot *slot = &lane->slots[++lane->cursor];
        if (slot->ended)
            broken("event %lld comes to %s after its end", event->op.v[ID], actor_names[actor]);
        check_entitled(event, actor, slot, delivery);
        check_content(event, actor, delivery);
        game.counts->deliveries++;
    }
}

static void skipped(session_id session, const Carehub__V1__Skip *skip)
{
    int actor = actor_of(session);
    struct lane *lane = &game.receivers[actor].lanes[skip->lane];
    if (!game.receivers[actor].attached || skip->from > lane->cursor + 1 || skip->to > lane->last || skip->from < 1 ||
        skip->to < skip->from)
        broken("%s is told to skip %llu to %llu of lane %d after %llu", actor_names[actor],
               (unsigned long long)skip->from, (unsigned long long)skip->to, (int)skip->lane,
               (unsigned long long)lane->cursor);
    for (uint64_t number = skip->from; number <= skip->to; number++)
        if (!lane->slots[number].ended)
            broken("%s is told to skip %llu of lane %d, which has not ended", actor_names[actor],
                   (unsigned long long)number, (int)skip->lane);
    lane->cursor = skip->to > lane->cursor ? skip->to : lane->cursor;
}

static void attached(session_id session, const Carehub__V1__Attached *message)
{
    struct receiver *receiver = &game.receivers[actor_of(session)];
    receiver->attached = true;
    receiver->handle = message->handle;
    receiver->epoch = message->epoch;
    for (int lane = 0; lane < LANES_OF; lane++)
        receiver->lanes[message->lanes[lane]->lane].cursor = message->lanes[lane]->settled;
}

static void hear(session_id to, const Carehub__V1__ToClient *message)
{
    switch (message->message_case) {
    case CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM:
        for (size_t i = 0; i < message->confirm->n_confirmations; i++)
            if (message->confirm->confirmations[i]->place > game.promised)
                game.promised = message->confirm->confirmations[i]->place;
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED:
        attached(to, message->attached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER:
        delivered(to, message->deliver);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP:
        skipped(to, message->skip);
        break;
    default:
        break;
    }
}

/* ---- Committing ------------------------------------------------------------------------------------------------- */

static void find_answers(void)
{
    for (size_t i = 0; i < game.hub->n_sent; i++) {
        const Carehub__V1__ToClient *message = game.hub->sent[i].message;
        for (size_t c = 0;
             message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM && c < message->confirm->n_confirmations;
             c++)
            for (size_t p = 0; p < game.n_pending; p++)
                if (game.pending[p].ref == message->confirm->confirmations[c]->ref)
                    game.pending[p].answer = message->confirm->confirmations[c];
    }
}

/* The answers to it are the hub's own until it is cleared. */
static void read_log(void)
{
    game.n_entries = game.at_entry = 0;
    for (uint64_t next = game.followed + 1; next;) {
        char json[80];
        snprintf(json, sizeof json, "{\"exportLog\":{\"fromPlace\":\"%llu\"}}", (unsigned long long)next);
        const Carehub__V1__Answer *answer = hub_ask(game.hub, json);
        if (answer->error)
            broken("the log: %s", answer->error->text);
        for (size_t i = 0; i < answer->export_log->n_entries; i++) {
            if (game.n_entries == TAKEN_MAX)
                broken("too many entries at a time");
            game.entries[game.n_entries++] = answer->export_log->entries[i];
        }
        next = answer->export_log->next_place;
    }
}

static void commit(void)
{
    hub_commit(game.hub);
    find_answers();
    size_t n = game.hub->n_sent;
    read_log();
    for (size_t i = 0; i < game.n_pending; i++) {
        const struct submitted *s = &game.pending[i];
        if (!s->answer)
            broken("a publication was not answered");
        if (s->op.kind <= CONFLICT)
            event_answered(s);
        else
            fact_answered(s);
    }
    game.n_pending = 0;
    while (game.at_entry < game.n_entries)
        take_entry(game.entries[game.at_entry++]);
    for (size_t i = 0; i < n; i++)
        hear(game.hub->sent[i].to, game.hub->sent[i].message);
    for (size_t i = n; i < game.hub->n_sent; i++) /* the questions can have brought something on its way */
        hear(game.hub->sent[i].to, game.hub->sent[i].message);
    hub_clear(game.hub);
}

/* ---- Steps ------------------------------------------------------------------------------------------------------ */

static void attach(int actor)
{
    commit();
    game.receivers[actor].attached = false;
    hub_attach(game.hub, session_of(actor), actor_names[actor], 0);
    commit();
}

static void detach(int actor)
{
    Carehub__V1__Detach detach = CAREHUB__V1__DETACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    commit();
    if (!game.receivers[actor].attached)
        return;
    detach.handle = game.receivers[actor].handle;
    detach.epoch = game.receivers[actor].epoch;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_DETACH;
    message.detach = &detach;
    hub_handle(game.hub, session_of(actor), &message);
    game.receivers[actor].attached = false;
}

static void acknowledge(int actor)
{
    struct receiver *receiver = &game.receivers[actor];
    commit();
    for (int lane = 0; receiver->attached && lane < LANES_OF; lane++)
        if (receiver->lanes[lane].cursor > 0)
            hub_ack(game.hub, session_of(actor), receiver->epoch, (Carehub__V1__Lane)lane, 0,
                    receiver->lanes[lane].cursor);
    commit();
}

static void crash(void)
{
    hub_crash(game.hub);
    game.n_pending = 0;
    for (int actor = 1; actor <= ACTORS; actor++)
        game.receivers[actor].attached = false;
    game.counts->crashes++;
}

/* What is held has a deadline, and is not held after it. */
static void deadlines_kept(void)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        for (int actor = 1; actor <= ACTORS; actor++)
            if (game.events[i].held[actor] && game.events[i].held_until[actor] <= game.hub->now_ms)
                broken("event %zu is held for %s past its deadline", i, actor_names[actor]);
}

static void step(const struct op *op)
{
    struct event *event = op->v[ID] > 0 && op->v[ID] <= OPS ? &game.events[op->v[ID]] : NULL;
    int actor = (int)op->v[ACTOR];
    if (game.n_pending == PENDING / 2)
        commit();
    switch (op->kind) {
    case EVENT:
        event->op = *op;
        event->id_ms = game.hub->now_ms;
        publish_event(op, event);
        break;
    case AGAIN:
    case CONFLICT:
        commit();
        if (event->id_ms && (event->known || op->kind == AGAIN))
            publish_event(op, event);
        break;
    case SETTLE:
        commit();
        if (event->kept)
            publish_fact(op);
        break;
    case ATTACH:
        attach(actor);
        break;
    case DETACH:
        detach(actor);
        break;
    case ACK:
        acknowledge(actor);
        break;
    case WAIT_MS:
        commit();
        game.hub->now_ms += op->v[MS];
        commit();
        deadlines_kept();
        break;
    case COMMIT:
        commit();
        break;
    case CRASH:
        crash();
        break;
    default:
        publish_fact(op);
        break;
    }
}

static void nothing_held(void)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        for (int actor = 1; actor <= ACTORS; actor++)
            if (game.events[i].held[actor])
                broken("event %zu is still held for %s, though nothing stands in its way", i, actor_names[actor]);
}

/* Everybody is there, takes and acknowledges everything: in the end nothing may wait, or be held. */
static void drain(void)
{
    for (int actor = 1; actor <= ACTORS; actor++) {
        step(&(struct op){.kind = STANDING, .v[ACTOR] = actor});
        step(&(struct op){.kind = SUBSCRIBE, .v[ACTOR] = actor});
    }
    commit();
    step(&(struct op){.kind = WAIT_MS, .v[MS] = 1000});
    nothing_held();
    for (int round = 0; round < 4; round++) {
        for (int actor = 1; actor <= ACTORS; actor++)
            attach(actor);
        for (int actor = 1; actor <= ACTORS; actor++)
            acknowledge(actor);
        step(&(struct op){.kind = WAIT_MS, .v[MS] = 1000});
    }
    for (int actor = 1; actor <= ACTORS; actor++)
        for (int lane = 0; lane < LANES_OF; lane++)
            for (uint64_t n = 1; n <= game.receivers[actor].lanes[lane].last; n++)
                if (!game.receivers[actor].lanes[lane].slots[n].ended)
                    broken("%s lane %d: %llu (event %lld) never came to an end", actor_names[actor], lane,
                           (unsigned long long)n, event_at(game.receivers[actor].lanes[lane].slots[n].place)->op.v[ID]);
}

static void register_persons(void)
{
    char json[200];
    hub_fact_good(game.hub,
                  "{\"clientSet\":{\"name\":\"gp\",\"actors\":[\"gp\"],\"publishes\":[\"*\"],\"toldNotKept\":true}}");
    for (int i = 0; i < PERSONS; i++) {
        snprintf(json, sizeof json,
                 "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"urn:sim\",\"value\":\"person-%d\"}]}}", i);
        const Carehub__V1__Confirmation *answer = hub_fact(game.hub, json);
        if (answer->number != (uint64_t)i + FIRST_NUMBER)
            broken("person %d is P%llu", i, (unsigned long long)answer->number);
    }
    game.followed = hub_ask(game.hub, "{\"status\":{}}")->status->last_place;
    hub_clear(game.hub);
}

void play(const struct op *ops, size_t n, struct counts *counts)
{
    void *state;
    game.counts = counts;
    game.versions = calloc(2 * n + 4096, sizeof *game.versions);
    hub_setup(&state);
    game.hub = state;
    hub_region(game.hub);
    register_persons();
    change(&(struct op){.kind = OP_KINDS}, 0, 0);
    for (game.step = 0; game.step < n; game.step++)
        step(&ops[game.step]);
    drain();
    hub_teardown(&state);
}
