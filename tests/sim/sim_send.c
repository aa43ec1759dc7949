/* Messages to the core, and what its answers must be. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pbjson.h"

#define STATUS(name) CAREHUB__V1__CONFIRMATION__STATUS__##name

int sim_key(enum party party)
{
    return (int)party + HOSPITAL; /* as core_fixture.c makes them */
}

void sim_handle(struct sim *sim, uint64_t session, int key_number, Carehub__V1__ToHub *message)
{
    uint8_t key[32];
    memset(key, key_number, sizeof key);
    struct core_time now = {sim->hub->now_ms, sim->hub->now_ms - 1000000};
    core_handle(sim->hub->core, session, key, message, carehub__v1__to_hub__get_packed_size(message), now);
}

/* ---- Events and facts ------------------------------------------------------------------------------------------------------ */

static void hex_id(const uint8_t id[16], char text[40])
{
    size_t n = 0;
    for (int i = 0; i < 16; i++)
        n += (size_t)sprintf(text + n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
}

static void event_json(const struct sim *sim, const struct event_sim *event, int variant, char *json, size_t size)
{
    static const char *const types[] = {"INCLUSION_FLAGGED", "HOSPITAL_DISCHARGE", "MEDICATION_CHANGED",
                                        "FALL_REPORTED"};
    static const char *const bodies[] = {"\"inclusionFlagged\":{\"programme\":\"p%d\"}",
                                         "\"hospitalDischarge\":{\"encounterId\":\"E%d\",\"note\":\"n\"}",
                                         "\"medicationChanged\":{\"schemeId\":\"s%d\"}",
                                         "\"fallReported\":{\"fallsPastYear\":%d}"};
    char id[40], correction[80] = "", addressee[80] = "", body[128];
    if (event->corrects) {
        hex_id(sim->events[event->corrects - 1].id, id);
        snprintf(correction, sizeof correction, "\"%s\":\"%s\",", event->retracts ? "retracts" : "amends", id);
    }
    if (event->addressed != ROLE_ANY)
        snprintf(addressee, sizeof addressee, "\"addressees\":[{\"role\":\"%s\"}],", role_names[event->addressed]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(body, sizeof body, bodies[event->type], variant);
#pragma GCC diagnostic pop
    hex_id(event->id, id);
    snprintf(
        json, size,
        "{\"id\":\"%s\",\"type\":\"%s\",%s%s\"urgency\":\"%s\",\"confidentiality\":\"%s\",\"patient\":{"
        "\"identifiers\":[{\"system\":\"urn:sim\",\"value\":\"patient-%d\"}]},\"occurredAt\":{\"unixMs\":\"1\"},%s}",
        id, types[event->type], correction, addressee, event->immediate ? "IMMEDIATE" : "ROUTINE",
        event->restricted ? "RESTRICTED" : "NORMAL", event->patient, body);
}

static void fact_json(const struct fact_sim *fact, char *json, size_t size)
{
    static const char *const standings[] = {"", "ACTIVE", "SUSPENDED", "ENDED"};
    static const char *const classes[] = {"LEVEL_NONE", "ADMINISTRATIVE", "CARE", "CLINICAL"};
    const char *actor = fact->actor >= 0 ? party_names[fact->actor] : "",
               *role = fact->role >= 0 ? role_names[fact->role] : "";
    char patient[80], types[120] = "";
    snprintf(patient, sizeof patient, "\"patient\":{\"identifier\":{\"system\":\"urn:sim\",\"value\":\"patient-%d\"}}",
             fact->patient);
    switch (fact->kind) {
    case CONSENT_GIVEN_F:
        snprintf(
            json, size,
            "{\"consentGiven\":{%s,\"purposes\":[\"continuity-of-care\"],\"untilMs\":\"%lld\",\"classes\":\"%s%s\"}}",
            patient, (long long)fact->until_ms, fact->value ? "LEVEL_" : "", classes[fact->value]);
        break;
    case CONSENT_WITHDRAWN_F:
        snprintf(json, size, "{\"consentWithdrawn\":{%s}}", patient);
        break;
    case MEMBER_ADDED_F:
        snprintf(json, size, "{\"memberAdded\":{%s,\"actor\":\"%s\",\"role\":\"%s\",\"untilMs\":\"%lld\"}}", patient,
                 actor, role, (long long)fact->until_ms);
        break;
    case MEMBER_ENDED_F:
        snprintf(json, size, "{\"memberEnded\":{%s,\"actor\":\"%s\",\"role\":\"%s\"}}", patient, actor, role);
        break;
    case GRANT_GIVEN_F:
        snprintf(json, size,
                 "{\"grantGiven\":{%s,\"actor\":\"%s\",\"role\":\"%s\",\"kind\":\"INSURANCE\",\"untilMs\":\"%lld\"}}",
                 patient, actor, role, (long long)fact->until_ms);
        break;
    case GRANT_ENDED_F:
        snprintf(json, size, "{\"grantEnded\":{%s,\"actor\":\"%s\",\"role\":\"%s\"}}", patient, actor, role);
        break;
    case EXCLUDED_F:
    case EXCLUSION_LIFTED_F:
        snprintf(json, size, "{\"%s\":{%s,\"actor\":\"%s\"}}",
                 fact->kind == EXCLUDED_F ? "exclusionSet" : "exclusionLifted", patient, actor);
        break;
    case DECEASED_F:
        snprintf(json, size, "{\"deathRecorded\":{%s,\"mistaken\":%s}}", patient, fact->value ? "true" : "false");
        break;
    case STANDING_F:
    case CLIENT_STANDING_F:
        snprintf(json, size, "{\"%s\":{\"name\":\"%s\",\"standing\":\"%s\"}}",
                 fact->kind == STANDING_F ? "actorStanding" : "clientStanding", actor, standings[fact->value]);
        break;
    case INBOX_TYPES_F:
        if (fact->value == -1)
            strcpy(types, "\"*\"");
        else
            snprintf(types, sizeof types, "\"InclusionFlagged\"%s",
                     fact->value >> DISCHARGE_T & 1 ? ",\"HospitalDischarge\"" : "");
        snprintf(json, size,
                 "{\"inboxSet\":{\"name\":\"%s\",\"actor\":\"%s\",\"types\":[%s],\"timeToLiveMs\":\"%lld\","
                 "\"maxUndelivered\":\"%d\"}}",
                 inbox_names[fact->inbox], party_names[inbox_actors[fact->inbox]], types, (long long)fact->until_ms,
                 fact->inbox == NURSES ? 4 : 0);
        break;
    case INBOX_CLOSED_F:
        snprintf(json, size, "{\"inboxClosed\":{\"name\":\"%s\"}}", inbox_names[fact->inbox]);
        break;
    case DEAD_RETRIED_F:
        snprintf(json, size, "{\"deadRetried\":{\"inbox\":\"%s\",\"reason\":\"sim\"}}", inbox_names[fact->inbox]);
        break;
    case HELD_SETTLED_F:
        snprintf(json, size,
                 "{\"heldSettled\":{\"place\":\"%llu\",\"actor\":\"%s\",\"release\":%s,\"reason\":\"sim\"}}",
                 (unsigned long long)fact->held_place, actor, fact->value ? "true" : "false");
        break;
    case REPLAYED_F:
        snprintf(json, size, "{\"replayed\":{%s%s%s%s,\"reason\":\"sim\"}}", patient, *actor ? ",\"actorName\":\"" : "",
                 actor, *actor ? "\"" : "");
        break;
    case FACT_KINDS:
        break;
    }
}

static void *parse(const struct sim *sim, const ProtobufCMessageDescriptor *descriptor, const char *json)
{
    struct pbjson_error error;
    void *message = pbjson_parse(descriptor, json, strlen(json), PBJSON_UUID, &error);
    if (!message) {
        char text[400];
        pbjson_error_format(&error, text, sizeof text);
        sim_fail(sim, "%s: %s", text, json);
    }
    return message;
}

static void item_make(struct sim *sim, const struct pending *pending, size_t i, bool conflict, Carehub__V1__Item *item)
{
    char json[1000];
    carehub__v1__item__init(item);
    if (pending->items[i].event < 0) {
        fact_json(&pending->items[i].fact, json, sizeof json);
        Carehub__V1__Fact *fact = parse(sim, &carehub__v1__fact__descriptor, json);
        fact->id.data = malloc(16);
        fact->id.len = 16;
        memcpy(fact->id.data, pending->items[i].fact.id, 16);
        item->item_case = CAREHUB__V1__ITEM__ITEM_FACT;
        item->fact = fact;
        return;
    }
    const struct event_sim *event = &sim->events[pending->items[i].event];
    event_json(sim, event, event->variant + conflict, json, sizeof json);
    Carehub__V1__Event *parsed = parse(sim, &carehub__v1__event__descriptor, json);
    item->item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item->event.len = carehub__v1__event__get_packed_size(parsed);
    item->event.data = malloc(item->event.len);
    carehub__v1__event__pack(parsed, item->event.data);
    carehub__v1__event__free_unpacked(parsed, NULL);
}

void sim_publish(struct sim *sim, uint64_t session, int key, struct pending *pending, bool conflict)
{
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item items[GROUP_SIM], *pointers[GROUP_SIM];
    if (sim->n_pending == PENDING_MAX)
        sim_commit(sim);
    pending->session = session;
    pending->ref = publication.ref = ++sim->next_ref;
    for (size_t i = 0; i < pending->n; i++) {
        item_make(sim, pending, i, conflict, &items[i]);
        pointers[i] = &items[i];
    }
    publication.n_items = pending->n;
    publication.items = pointers;
    publish.n_publications = 1;
    publish.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    sim->pending[sim->n_pending++] = *pending;
    sim_handle(sim, session, key, &message);
    for (size_t i = 0; i < pending->n; i++) {
        if (items[i].item_case == CAREHUB__V1__ITEM__ITEM_EVENT)
            free(items[i].event.data);
        else
            carehub__v1__fact__free_unpacked(items[i].fact, NULL);
    }
}

/* ---- Answers ----------------------------------------------------------------------------------------------------------------- */

static void revoked(struct sim *sim, const struct fact_sim *fact)
{
    for (int which = 0; which < INBOXES; which++)
        if (inbox_actors[which] == (enum party)fact->actor)
            client_forget(&sim->inboxes[which]);
}

static void taken(struct sim *sim, const struct pending *pending, uint64_t place)
{
    for (size_t i = 0; i < pending->n; i++, place++) {
        if (pending->items[i].event >= 0) {
            sim->events[pending->items[i].event].place = place;
            continue;
        }
        struct fact_sim fact = pending->items[i].fact;
        fact.place = place;
        fact.at_ms = sim->hub->now_ms;
        model_add(sim, &fact);
        if (fact.kind == CLIENT_STANDING_F && fact.value != 1)
            revoked(sim, &fact);
    }
}

static void confirmed(struct sim *sim, uint64_t session, const Carehub__V1__Confirmation *confirmation)
{
    size_t at = 0;
    while (at < sim->n_pending && (sim->pending[at].ref != confirmation->ref || sim->pending[at].session != session))
        at++;
    if (at == sim->n_pending)
        sim_fail(sim, "a confirmation of what was not asked");
    struct pending pending = sim->pending[at];
    memmove(&sim->pending[at], &sim->pending[at + 1], (--sim->n_pending - at) * sizeof sim->pending[0]);
    const char *text = confirmation->error ? confirmation->error->text : "";
    sim->since_open.repeats += confirmation->status == STATUS(REPEATED);
    sim->since_open.rejects += confirmation->status == STATUS(REJECTED);
    const struct event_sim *event = pending.items[0].event >= 0 ? &sim->events[pending.items[0].event] : NULL;
    switch (pending.expect) {
    case EXPECT_REPEAT:
        if (confirmation->status != STATUS(REPEATED) || confirmation->place != event->place)
            sim_fail(sim, "a repeat of event %llu: status %d, place %llu %s", (unsigned long long)event->place,
                     (int)confirmation->status, (unsigned long long)confirmation->place, text);
        return;
    case EXPECT_CONFLICT:
        if (confirmation->status != STATUS(REJECTED) ||
            confirmation->error->code != CAREHUB__V1__ERROR_CODE__ID_CONFLICT)
            sim_fail(sim, "the same id with other content was not refused");
        return;
    case EXPECT_REFUSED:
        if (confirmation->status != STATUS(REJECTED))
            sim_fail(sim, "a group with an item that must be refused was taken");
        return;
    case EXPECT_ANY:
        break;
    }
    if (confirmation->status == STATUS(CONFIRMED))
        taken(sim, &pending, confirmation->place);
    else if (event && !event->corrects && pending.n == 1 && confirmation->status != STATUS(REPEATED))
        sim_fail(sim, "an ordinary event was refused: %s", text);
}

static void received(struct sim *sim, uint64_t session, const Carehub__V1__ToClient *message)
{
    switch (message->message_case) {
    case CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED:
        client_attached(sim, session, message->attached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DETACHED:
        client_detached(sim, session, message->detached);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER:
        client_deliver(sim, session, message->deliver);
        break;
    case CAREHUB__V1__TO_CLIENT__MESSAGE_SKIP:
        client_skip(sim, session, message->skip);
        break;
    default:
        break;
    }
}

void sim_commit(struct sim *sim)
{
    struct hub *hub = sim->hub;
    hub_commit(hub);
    client_committed(sim, true);
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *message = hub->sent[i].message;
        if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM)
            for (size_t c = 0; c < message->confirm->n_confirmations; c++)
                confirmed(sim, hub->sent[i].to, message->confirm->confirmations[c]);
    }
    size_t n = hub->n_sent; /* what the questions of log_follow bring is looked at the next time */
    log_follow(sim);
    for (size_t i = 0; i < n; i++)
        received(sim, hub->sent[i].to, hub->sent[i].message);
    for (size_t i = 0; i < n; i++)
        carehub__v1__to_client__free_unpacked(hub->sent[i].message, NULL);
    memmove(hub->sent, hub->sent + n, (hub->n_sent - n) * sizeof hub->sent[0]);
    hub->n_sent -= n;
}

const Carehub__V1__Answer *sim_ask(struct sim *sim, const char *json)
{
    sim_commit(sim);
    const Carehub__V1__Answer *answer = hub_ask(sim->hub, json);
    if (answer->error)
        sim_fail(sim, "%s: %s", json, answer->error->text);
    return answer;
}
