/* Registry facts: the rights to submit one, repeats, the entry, and the answer. What each kind checks and does is in
 * facts_registry.c, facts_person.c and facts_operator.c. */
#include "facts.h"

#include <stddef.h>

#include "eventid.h"

static const struct fact_kind *kind_of(Carehub__V1__Fact__FactCase kind)
{
    static const struct fact_table tables[] = {{registry_facts, &n_registry_facts}, {identity_facts, &n_identity_facts},
                                               {person_facts, &n_person_facts},     {consent_facts, &n_consent_facts},
                                               {verify_facts, &n_verify_facts},     {operator_facts, &n_operator_facts},
                                               {erasure_facts, &n_erasure_facts},   {audit_facts, &n_audit_facts}};
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < *tables[t].n; i++)
            if (tables[t].kinds[i].kind == kind)
                return &tables[t].kinds[i];
    return NULL;
}

/* The fact's own message and its name ("consent_given"). */
static const void *message_of(const Fact *fact, const char **name)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)fact->fact_case);
    *name = field->name;
    return *(void *const *)((const char *)fact + field->offset);
}

/* A pointer to a message's field, or NULL if it has none of that name. */
static void *field_of(const void *message, const char *name)
{
    const ProtobufCMessage *base = message;
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(base->descriptor, name);
    return field ? (char *)message + field->offset : NULL;
}

bool check_name(struct fact_context *context, const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > NAME_MAX_BYTES || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") != length)
        return REFUSE(context, INVALID, "name", "a name is 1 to %d of a to z, 0 to 9, '-' and '.'", NAME_MAX_BYTES);
    return true;
}

bool check_text(struct fact_context *context, const char *field, const char *text, size_t max)
{
    return strlen(text) <= max ? true : REFUSE(context, TOO_LARGE, field, "at most %zu bytes", max);
}

/* What a client may say without a right to it: its own keys, and that an actor whom it speaks for verifies an event. */
static bool is_its_own(const struct fact_context *context, const struct fact_kind *kind)
{
    const struct client *client = context->client;
    const struct actor *actor;
    switch (kind->kind) {
    case CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED:
    case CAREHUB__V1__FACT__FACT_CLIENT_KEY_REVOKED:
        return strcmp(*(char **)field_of(context->message, "client"), client->card->name) == 0;
    case CAREHUB__V1__FACT__FACT_EVENT_VERIFIED:
        actor = registry_actor_named(&context->core->registry, *(char **)field_of(context->message, "actor_name"));
        return actor && client_speaks_for(client, actor->number);
    default:
        return false;
    }
}

/* Registrars register, operators operate; a client may be listed for single facts. */
static bool check_rights(struct fact_context *context, const struct fact_kind *kind, const char *name)
{
    const struct client *client = context->client;
    if (!client || client_has_role(client, kind->role))
        return true;
    for (size_t i = 0; i < client->card->n_facts; i++)
        if (strcmp(client->card->facts[i], name) == 0)
            return true;
    if (is_its_own(context, kind))
        return true;
    const ProtobufCEnumValue *role =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__operator_role__descriptor, (int)kind->role);
    return REFUSE(context, NOT_ALLOWED, "fact",
                  "client %s may not submit %s: it needs the role %s, or the fact in its list", client->card->name,
                  name, role->name);
}

/* Of a record that was merged into another nothing decides any more: what is said of it would have no effect, and
 * whoever withdraws a consent must not believe that it had. By an identifier the other record is found anyway. */
static bool check_decides(struct fact_context *context, const struct fact_kind *kind)
{
    bool of_person = kind >= person_facts && kind < person_facts + n_person_facts;
    bool of_consent = kind >= consent_facts && kind < consent_facts + n_consent_facts;
    uint64_t into = context->person ? context->person->card->merged_into : 0;
    if (!into || (!of_person && !of_consent))
        return true;
    return REFUSE(context, INVALID, "patient",
                  "P%llu was merged into P%llu, whose team and consent decide: name that one",
                  (unsigned long long)context->person->number, (unsigned long long)into);
}

/* Finds whom and what the fact is about. */
static bool resolve(struct fact_context *context)
{
    struct registry *registry = &context->core->registry;
    Carehub__V1__PatientRef **patient = field_of(context->message, "patient");
    Carehub__V1__PatientRef **merged = field_of(context->message, "merged");
    if (merged && *merged)
        context->other = person_get(context->core, patient_find(context->core, *merged));
    bool of_all = patient && !*patient &&
                  (context->fact->fact_case == CAREHUB__V1__FACT__FACT_REPLAYED ||
                   context->fact->fact_case == CAREHUB__V1__FACT__FACT_ERASURE_REQUESTED);
    if (patient && !of_all) {
        uint64_t number = *patient ? patient_resolve(context->core, *patient) : 0;
        context->person = person_get(context->core, number);
        if (context->person)
            expire_person(context->core, context->person);
        if (!context->person && !merged)
            return REFUSE(context, UNKNOWN_NAME, "patient",
                          context->fact->fact_case == CAREHUB__V1__FACT__FACT_ERASURE_REQUESTED
                              ? "the hub does not know this person: there is nothing to erase"
                              : "the hub does not know this person; register the patient first");
    }
    char **actor = field_of(context->message, "actor");
    if (actor && !(context->actor = registry_actor_named(registry, *actor)))
        return REFUSE(context, UNKNOWN_NAME, "actor", "there is no actor “%.*s”", NAME_MAX_BYTES, *actor);
    char **client = field_of(context->message, "client");
    if (client && !(context->subject = registry_client_named(registry, *client)))
        return REFUSE(context, UNKNOWN_NAME, "client", "there is no client “%.*s”", NAME_MAX_BYTES, *client);
    return true;
}

static void without_identifier(Carehub__V1__PatientRef **ref, const struct person *person)
{
    if (!ref || !*ref)
        return;
    (*ref)->identifier = NULL;
    (*ref)->number = person ? person->number : 0;
}

/* The fact without what names a person in care; that is in the payload alone. */
static Fact *without_identifiers(struct fact_context *context, const uint8_t *packed, size_t size)
{
    Fact *fact = carehub__v1__fact__unpack(&context->core->scratch.protobuf, size, packed);
    const char *name;
    const void *message = message_of(fact, &name);
    without_identifier(field_of(message, "patient"), context->person);
    without_identifier(field_of(message, "merged"), context->other);
    switch (fact->fact_case) {
    case CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED:
        fact->patient_registered->n_identifiers = 0;
        fact->patient_registered->number = context->core->persons.last_number + 1;
        break;
    case CAREHUB__V1__FACT__FACT_IDENTIFIER_ADDED:
        fact->identifier_added->identifier = NULL;
        break;
    case CAREHUB__V1__FACT__FACT_IDENTIFIER_REMOVED:
        fact->identifier_removed->identifier = NULL;
        break;
    case CAREHUB__V1__FACT__FACT_MEMBER_ADDED:
        fact->member_added->until_ms = context->until_ms; /* as it is in force */
        break;
    case CAREHUB__V1__FACT__FACT_LOG_RESUMED:
        log_resumed_fill(context->core, fact->log_resumed);
        break;
    case CAREHUB__V1__FACT__FACT_GRANT_GIVEN:
        fact->grant_given->justification = (char *)"";
        break;
    default:
        break;
    }
    return fact;
}

static void log_fact(struct fact_context *context, const struct fact_kind *kind, const uint8_t *packed, size_t size,
                     const uint8_t digest[DIGEST_BYTES])
{
    struct core *core = context->core;
    Carehub__V1__FactEntry what = CAREHUB__V1__FACT_ENTRY__INIT;
    what.fact = without_identifiers(context, packed, size);
    what.digest = (ProtobufCBinaryData){DIGEST_BYTES, (uint8_t *)digest};
    what.number = context->number;
    Entry entry = CAREHUB__V1__ENTRY__INIT;
    entry.client = context->client ? context->client->number : 0;
    entry.what_case = CAREHUB__V1__ENTRY__WHAT_FACT;
    entry.fact = &what;
    if (kind->kind == CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED)
        context->person = persons_create(&core->persons);
    entry.patient = context->person ? context->person->number : 0;
    bool of_nobody = kind->kind == CAREHUB__V1__FACT__FACT_PATIENTS_MERGED && !context->person && !context->other;
    context->place = batch_append(core, &entry, context->person, packed, of_nobody ? 0 : size);
    store_id_put(core->store, context->fact->id.data, context->place);
}

static bool take(struct core *core, const struct client *client, const Fact *fact, struct taken *taken, Error **error)
{
    struct fact_context context = {.core = core, .client = client, .fact = fact, .error = error};
    const struct fact_kind *kind = kind_of(fact->fact_case);
    const char *name;
    if (!kind)
        return REFUSE(&context, INVALID, "fact", "the fact says nothing that this hub knows");
    if (fact->id.len != EVENTID_BYTES || !eventid_valid(fact->id.data))
        return REFUSE(&context, INVALID, "id", "a fact's id is 16 bytes, a UUIDv7");
    context.message = message_of(fact, &name);
    if (!check_rights(&context, kind, name))
        return false;
    if (kind->alone && core->remember_added)
        return REFUSE(&context, INVALID, "fact", "%s cannot be one of several items of a publication", name);

    size_t size = carehub__v1__fact__get_packed_size(fact);
    uint8_t *packed = arena_alloc(&core->scratch, size), digest[DIGEST_BYTES];
    carehub__v1__fact__pack(fact, packed);
    vault_digest(core->vault, packed, size, digest);
    bool found;
    if (!take_repeat(core, &fact->id, digest, &found, taken, error) || found)
        return found && taken->status == CAREHUB__V1__CONFIRMATION__STATUS__REPEATED;
    if (client && (int64_t)eventid_time_ms(fact->id.data) < core->ids_known_from_ms)
        return REFUSE(&context, TOO_OLD, "id", "the hub no longer knows ids this old, and could not tell a repeat");
    if (!resolve(&context) || !check_decides(&context, kind) || !kind->check(&context))
        return false;
    log_fact(&context, kind, packed, size, digest);
    kind->apply(&context);
    core->counters.facts++;
    *taken = (struct taken){
        .status = CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED,
        .place = context.place,
        .number = context.person ? context.person->number : context.number,
        .in_flight = kind->stops_deliveries && context.person ? in_flight_of(core, context.person->number) : 0};
    if (core->any_blocked) { /* what waits for a change may have got it */
        for (size_t i = 0; i < core->registry.n_inboxes; i++)
            mark_ready(core, core->registry.inboxes[i]);
        core->any_blocked = false;
    }
    return true;
}

bool take_fact(struct core *core, const struct client *client, const Fact *fact, struct taken *taken, Error **error)
{
    return take(core, client, fact, taken, error);
}

bool take_own_fact(struct core *core, const Fact *fact, struct taken *taken, Error **error)
{
    return take(core, NULL, fact, taken, error);
}
