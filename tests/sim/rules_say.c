/* What the scenario says to the hub: events and facts, as its clients write them. */
#include "rules_game.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pbjson.h"

session_id session_of(int actor)
{
    return (session_id)(HOSPITAL + actor - 1);
}

void id_bytes(long long id, int64_t ms, uint8_t bytes[16])
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

void publish_event(const struct op *op, const struct event *event)
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

/* What a grant is for; the first is what emergency access says. */
static const char *const purpose_names[] = {[0] = "p",
                                            [CARE_P] = "continuity-of-care",
                                            [RESEARCH_P] = "research",
                                            [CARE_P | RESEARCH_P] = "p",
                                            [QUALITY_P] = "quality"};

static void purposes_json(int purposes, char *json, size_t size)
{
    *json = '\0';
    for (int one = CARE_P; one <= QUALITY_P; one *= 2)
        if (purposes & one)
            snprintf(json + strlen(json), size - strlen(json), "%s\"%s\"", *json ? "," : "", purpose_names[one]);
}

static void types_json(unsigned types, char *json, size_t size)
{
    *json = '\0';
    for (int type = 1; type < TYPES; type++)
        if (types >> type & 1)
            snprintf(json + strlen(json), size - strlen(json), "%s\"%s\"", *json ? "," : "", type_names[type]);
}

static const char *const levels[] = {"LEVEL_NONE", "LEVEL_ADMINISTRATIVE", "LEVEL_CARE", "LEVEL_CLINICAL"};

static void relation_json(const struct op *op, const char *patient, const char *when, char *json, size_t size)
{
    static const char *const grants[] = {"GRANT_KIND_UNSPECIFIED", "CASE_MANAGEMENT", "INSURANCE", "REFERRAL",
                                         "EMERGENCY_ACCESS",       "SECONDARY_USE"};
    const char *actor = actor_names[op->v[ACTOR]], *role = role_names[op->v[ROLE]], *level = levels[op->v[LEVEL]];
    char types[200];
    types_json((unsigned)op->v[SCOPE], types, sizeof types);
    switch (op->kind) {
    case MEMBER:
        snprintf(json, size,
                 "{\"memberAdded\":{%s,\"actor\":\"%s\",\"role\":\"%s\",%s,\"maxLevel\":\"%s\",\"types\":[%s]%s}}",
                 patient, actor, role, when, level, types,
                 op->v[PROOF] ? ",\"basis\":\"THERAPEUTIC_RELATION\",\"proof\":\"referral\"" : "");
        break;
    case GRANT:
        snprintf(json, size,
                 "{\"grantGiven\":{%s,\"actor\":\"%s\",\"role\":\"%s\",\"kind\":\"%s\",\"maxLevel\":\"%s\",%s,"
                 "\"purpose\":\"%s\",\"justification\":\"j\"}}",
                 patient, actor, role, grants[op->v[KIND]], level, when, purpose_names[op->v[PURPOSES]]);
        break;
    default:
        snprintf(json, size, "{\"%s\":{%s,\"actor\":\"%s\",\"role\":\"%s\"}}",
                 op->kind == LEAVE ? "memberEnded" : "grantEnded", patient, actor, role);
        break;
    }
}

static void registry_json(const struct op *op, char *json, size_t size)
{
    const char *actor = actor_names[op->v[ACTOR]];
    switch (op->kind) {
    case STANDING:
    case END_ACTOR:
        snprintf(json, size, "{\"actorStanding\":{\"name\":\"%s\",\"standing\":\"%s\"}}", actor,
                 op->kind == END_ACTOR ? "ENDED"
                 : op->v[YES]          ? "SUSPENDED"
                                       : "ACTIVE");
        break;
    case SUBSCRIBE:
        snprintf(json, size,
                 "{\"inboxSet\":{\"name\":\"%s\",\"actor\":\"%s\",\"types\":[\"%s\"],\"maxUndelivered\":\"%lld\"}}",
                 actor, actor, op->v[YES] ? "PatientDeceased" : "*", op->v[ROOM]);
        break;
    case CLOSE:
        snprintf(json, size, "{\"inboxClosed\":{\"name\":\"%s\",\"reason\":\"sim\"}}", actor);
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

static void fact_json(const struct op *op, char *json, size_t size)
{
    const char *actor = actor_names[op->v[ACTOR]], *role = role_names[op->v[ROLE]], *level = levels[op->v[LEVEL]];
    char patient[100], other[100], when[100], purposes[100];
    purposes_json((int)op->v[PURPOSES], purposes, sizeof purposes);
    snprintf(patient, sizeof patient, "\"patient\":{\"identifier\":{\"system\":\"urn:sim\",\"value\":\"person-%lld\"}}",
             op->v[PERSON]);
    snprintf(other, sizeof other, "\"merged\":{\"identifier\":{\"system\":\"urn:sim\",\"value\":\"person-%lld\"}}",
             op->v[OTHER]);
    snprintf(when, sizeof when, "\"fromMs\":\"%lld\",\"untilMs\":\"%lld\"", op->v[FROM], op->v[UNTIL]);
    switch (op->kind) {
    case CONSENT:
        snprintf(json, size, "{\"consentGiven\":{%s,\"purposes\":[%s],\"classes\":\"%s\",%s}}", patient, purposes,
                 level, when);
        break;
    case WITHDRAW:
        snprintf(json, size, "{\"consentWithdrawn\":{%s,\"purposes\":[%s]}}", patient, purposes);
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
    case REPLAY:
        snprintf(json, size, "{\"replayed\":{%s,\"actorName\":\"%s\",\"reason\":\"sim\"}}", patient, actor);
        break;
    case MEMBER:
    case GRANT:
    case LEAVE:
    case REVOKE:
        relation_json(op, patient, when, json, size);
        break;
    default:
        registry_json(op, json, size);
        break;
    }
}

/* The hub's policy, or the same without a line about home-care. Owned by the caller. */
static char *policy_text(bool without)
{
    char *text = strdup(game.hub->policy), *to = text;
    for (const char *line = game.hub->policy, *end; without && *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (strncmp(line + strspn(line, " "), "home-care ", 10) == 0)
            continue;
        memcpy(to, line, (size_t)(end - line));
        to += end - line;
        *to = '\0';
    }
    return text;
}

/* Those that are not said as JSON: too long, or with an id in them. */
static Carehub__V1__Fact *fact_of(const struct op *op)
{
    char json[1000];
    if (op->kind != POLICY && op->kind != VERIFY) {
        fact_json(op, json, sizeof json);
        return parse(&carehub__v1__fact__descriptor, json);
    }
    Carehub__V1__Fact *fact =
        parse(&carehub__v1__fact__descriptor, op->kind == POLICY ? "{\"policyAdopted\":{}}" : "{\"eventVerified\":{}}");
    if (op->kind == POLICY) {
        fact->policy_adopted->text = policy_text(op->v[YES]);
        return fact;
    }
    ProtobufCBinaryData *id = &fact->event_verified->event_id;
    id->len = 16;
    id->data = malloc(id->len);
    id_bytes(op->v[ID], game.events[op->v[ID]].id_ms, id->data);
    fact->event_verified->actor_name = strdup(actor_names[op->v[ACTOR]]);
    return fact;
}

void publish_fact(const struct op *op)
{
    static long long n = 1 << 20;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    struct op said = *op;
    if (said.v[FROM])
        said.v[FROM] += game.hub->now_ms;
    if (said.v[UNTIL])
        said.v[UNTIL] += game.hub->now_ms;
    item.item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    item.fact = fact_of(&said);
    item.fact->id.data = malloc(16);
    item.fact->id.len = 16;
    id_bytes(++n, game.hub->now_ms, item.fact->id.data);
    submit(op->kind == VERIFY ? session_of((int)op->v[ACTOR]) : OPERATOR, &said, &item);
}
