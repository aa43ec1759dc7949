/* Who is named in a report, and what its accesses rest on. */
#include "report.h"

enum { POLICY_WORK = 128 }; /* a policy of former times is read whole for its name */

Entry *report_read(struct report *report, uint64_t place, struct arena *arena)
{
    report->work -= REPORT_WORK_READ;
    return entry_read(report->core, place, arena);
}

const Entry *report_read_kept(struct report *report, uint64_t place)
{
    size_t at = place % REPORT_KEPT;
    if (report->kept[at].place != place) {
        report->kept[at].entry = report_read(report, place, &report->core->batch);
        report->kept[at].place = place;
    }
    return report->kept[at].entry;
}

/* ---- Actors ------------------------------------------------------------------------------------------------------ */

/* Organisations are always named; so are the person, and the informal carers that the person has chosen. */
bool report_hides(const struct report *report, const struct actor *actor)
{
    return report->names != REPORT_NAMES_PERSON && actor->card->kind == CAREHUB__V1__ACTOR_KIND__PROFESSIONAL;
}

char *report_actor(struct report *report, uint32_t number)
{
    struct core *core = report->core;
    Carehub__V1__AccessReportAnswer *answer = report->answer;
    const struct actor *actor = registry_actor(&core->registry, number);
    if (!actor)
        return (char *)"";
    if (report_hides(report, actor)) {
        answer->names_kept = true;
        return (char *)"";
    }
    for (size_t i = 0; i < answer->n_actors; i++)
        if (strcmp(answer->actors[i]->name, actor->card->name) == 0)
            return answer->actors[i]->name;
    NEW(core, ReportActor, listed);
    listed->name = actor->card->name;
    listed->kind = actor->card->kind;
    listed->display = actor->card->display;
    listed->n_identifiers = actor->card->n_identifiers;
    listed->identifiers = actor->card->identifiers;
    ARENA_GROW(&core->batch, answer->actors, answer->n_actors, report->actors_capacity);
    answer->actors[answer->n_actors++] = listed;
    return listed->name;
}

char *report_client(const struct report *report, uint32_t number)
{
    const struct client *client = registry_client(&report->core->registry, number);
    return client ? client->card->name : (char *)"";
}

char *report_organisation(struct report *report, uint32_t number, uint32_t besides_actor)
{
    const struct registry *registry = &report->core->registry;
    const struct client *client = registry_client(registry, number);
    uint32_t found = 0;
    for (size_t i = 0; client && i < client->card->n_actors; i++) {
        const struct actor *actor = registry_actor(registry, client->card->actors[i]);
        if (!actor || actor->number == besides_actor || actor->card->kind != CAREHUB__V1__ACTOR_KIND__ORGANISATION)
            continue;
        if (found)
            return (char *)"";
        found = actor->number;
    }
    return report_actor(report, found);
}

/* Whatever stands in a fact by the name of an actor, in whichever field. */
static void hide_names(struct report *report, const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (field->type != PROTOBUF_C_TYPE_STRING || field->label == PROTOBUF_C_LABEL_REPEATED)
            continue;
        char **value = (char **)((uint8_t *)message + field->offset);
        const struct actor *actor = *value && **value ? registry_actor_named(&report->core->registry, *value) : NULL;
        if (actor)
            *value = report_actor(report, actor->number);
    }
}

Fact *report_fact(struct report *report, Fact *fact)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)fact->fact_case);
    const ProtobufCMessage *message =
        field ? *(const ProtobufCMessage *const *)((const uint8_t *)fact + field->offset) : NULL;
    if (message)
        hide_names(report, message);
    return fact;
}

/* ---- Grounds ----------------------------------------------------------------------------------------------------- */

void report_ground(struct report *report, uint64_t place)
{
    struct core *core = report->core;
    Carehub__V1__AccessReportAnswer *answer = report->answer;
    for (size_t i = 0; i < answer->n_grounds; i++)
        if (answer->grounds[i]->place == place)
            return;
    Entry *entry = place ? report_read(report, place, &core->batch) : NULL;
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_FACT)
        return;
    NEW(core, ReportGround, ground);
    ground->place = place;
    ground->recorded_ms = entry->at_ms;
    ground->fact = report_fact(report, entry->fact->fact);
    ARENA_GROW(&core->batch, answer->grounds, answer->n_grounds, report->grounds_capacity);
    answer->grounds[answer->n_grounds++] = ground;
}

uint64_t report_policy_at(struct report *report, uint64_t place)
{
    struct core *core = report->core;
    struct card row;
    if (core->registry.policy_place <= place)
        return core->registry.policy_place;
    report->work -= REPORT_WORK_LOOKUP;
    return store_card_get(core->store, CARD_POLICY, 1, place, &core->scratch, &row) == STORE_OK ? row.from_place : 0;
}

/* The name that a policy had; "" if it cannot be read any more. */
static char *former_name(struct report *report, uint64_t place)
{
    struct core *core = report->core;
    struct card row;
    char why[POLICY_ERROR_BYTES];
    report->work -= POLICY_WORK;
    const Carehub__V1__PolicyCard *card =
        store_card_get(core->store, CARD_POLICY, 1, place, &core->scratch, &row) == STORE_OK
            ? carehub__v1__policy_card__unpack(&core->scratch.protobuf, row.size, row.body)
            : NULL;
    struct policy *policy = card ? policy_read(card->text, strlen(card->text), why) : NULL;
    char *name = policy ? arena_strdup(&core->batch, policy_name(policy)) : (char *)"";
    policy_destroy(&policy);
    return name;
}

void report_policy(struct report *report, uint64_t place)
{
    struct core *core = report->core;
    Carehub__V1__AccessReportAnswer *answer = report->answer;
    for (size_t i = 0; i < answer->n_policies; i++)
        if (answer->policies[i]->place == place)
            return;
    if (place == 0)
        return;
    NEW(core, ReportPolicy, listed);
    listed->place = place;
    listed->name =
        place == core->registry.policy_place ? (char *)policy_name(core->registry.policy) : former_name(report, place);
    ARENA_GROW(&core->batch, answer->policies, answer->n_policies, report->policies_capacity);
    answer->policies[answer->n_policies++] = listed;
}
