/* Two years of a region, through the core's own interface. */
#include "drill_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub_limits.h"

enum { BATCH = 32, READ_EVERY = 3 };

static const char system_name[] = "urn:bench:patient";
static const char *const roles[DRILL_MEMBERS] = {"gp", "pharmacist", "home-nurse", "coordinator", "home-care"};

static uint64_t random_below(struct drill *drill, uint64_t below)
{
    drill->random = drill->random * 6364136223846793005ULL + 1442695040888963407ULL;
    return (drill->random >> 33) % below;
}

/* The members of a person's team: the same each time it is asked. */
static uint32_t member_of(uint32_t patient, uint32_t i)
{
    return (patient * 7 + i * (DRILL_ACTORS / DRILL_MEMBERS) + patient / 11) % DRILL_ACTORS;
}

/* ---- The region --------------------------------------------------------------------------------------------------- */

static char *name_of(bool hospital, uint32_t number, char name[32])
{
    snprintf(name, 32, "%s-%03u", hospital ? "hospital" : "actor", number);
    return name;
}

static void register_actors(struct drill *drill)
{
    for (uint32_t i = 0; i < DRILL_ACTORS + DRILL_HOSPITALS; i++) {
        bool hospital = i >= DRILL_ACTORS;
        char name[32], display[64];
        Carehub__V1__ActorSet actor = CAREHUB__V1__ACTOR_SET__INIT;
        Carehub__V1__InboxSet inbox = CAREHUB__V1__INBOX_SET__INIT;
        actor.name = inbox.name = inbox.actor = name_of(hospital, hospital ? i - DRILL_ACTORS : i, name);
        snprintf(display, sizeof display, "%s of the simulated region", name);
        actor.display = display;
        actor.kind = CAREHUB__V1__ACTOR_KIND__ORGANISATION;
        FACT(drill, ACTOR_SET, actor_set, &actor);
        inbox.n_types = 1;
        inbox.types = (char *[]){(char *)"*"};
        if (!hospital)
            FACT(drill, INBOX_SET, inbox_set, &inbox);
    }
    drill_commit(drill);
}

static void register_client(struct drill *drill, session_id session, uint32_t from, uint32_t to, bool hospitals)
{
    char names[DRILL_INBOXES_MAX][32], *list[DRILL_INBOXES_MAX], name[32];
    Carehub__V1__ClientSet client = CAREHUB__V1__CLIENT_SET__INIT;
    Carehub__V1__ClientKeyAdded added = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    uint8_t key[KEY_BYTES];
    snprintf(name, sizeof name, "client-%u", (unsigned)session);
    client.name = added.client = name;
    for (uint32_t i = from; i < to; i++)
        list[client.n_actors++] = name_of(hospitals, i, names[i - from]);
    client.actors = list;
    client.n_publishes = hospitals;
    client.publishes = (char *[]){(char *)"*"};
    FACT(drill, CLIENT_SET, client_set, &client);
    drill_key(session, key);
    added.public_key = (ProtobufCBinaryData){sizeof key, key};
    FACT(drill, CLIENT_KEY_ADDED, client_key_added, &added);
    drill_commit(drill);
    drill_hello(drill, session);
}

static void attach(struct drill *drill, session_id session, uint32_t from, uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        char name[32];
        Carehub__V1__Attach body = CAREHUB__V1__ATTACH__INIT;
        Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
        body.inbox = name_of(false, i, name);
        body.credit_events = CREDIT_EVENTS_MAX;
        body.credit_bytes = CREDIT_BYTES_MAX;
        message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ATTACH;
        message.attach = &body;
        drill_say(drill, session, &message);
        drill_commit(drill);
    }
}

static void register_patient(struct drill *drill, uint32_t patient)
{
    char value[32], name[32];
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__PatientRef ref = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__PatientRegistered registered = CAREHUB__V1__PATIENT_REGISTERED__INIT;
    Carehub__V1__ConsentGiven consent = CAREHUB__V1__CONSENT_GIVEN__INIT;
    snprintf(value, sizeof value, "%u", patient);
    identifier.system = (char *)system_name;
    identifier.value = value;
    ref.identifier = &identifier;
    registered.n_identifiers = 1;
    registered.identifiers = identifiers;
    FACT(drill, PATIENT_REGISTERED, patient_registered, &registered);
    consent.patient = &ref;
    consent.n_purposes = 1;
    consent.purposes = (char *[]){(char *)"continuity-of-care"};
    consent.given_by = (char *)"person";
    FACT(drill, CONSENT_GIVEN, consent_given, &consent);
    for (uint32_t i = 0; i < DRILL_MEMBERS; i++) {
        Carehub__V1__MemberAdded member = CAREHUB__V1__MEMBER_ADDED__INIT;
        member.patient = &ref;
        member.actor = name_of(false, member_of(patient, i), name);
        member.role = (char *)roles[i];
        member.basis = CAREHUB__V1__RELATION_BASIS__THERAPEUTIC_RELATION;
        FACT(drill, MEMBER_ADDED, member_added, &member);
    }
}

/* ---- The years ---------------------------------------------------------------------------------------------------- */

/* A member leaves, and comes back: teams change. */
static void change_team(struct drill *drill, uint32_t patient)
{
    char value[32], name[32];
    uint32_t i = (uint32_t)random_below(drill, DRILL_MEMBERS);
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    Carehub__V1__PatientRef ref = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__MemberEnded ended = CAREHUB__V1__MEMBER_ENDED__INIT;
    Carehub__V1__MemberAdded added = CAREHUB__V1__MEMBER_ADDED__INIT;
    snprintf(value, sizeof value, "%u", patient);
    identifier.system = (char *)system_name;
    identifier.value = value;
    ref.identifier = &identifier;
    ended.patient = added.patient = &ref;
    ended.actor = added.actor = name_of(false, member_of(patient, i), name);
    ended.role = added.role = (char *)roles[i];
    ended.reason = (char *)"moved";
    added.basis = CAREHUB__V1__RELATION_BASIS__CHOSEN_BY_PERSON;
    FACT(drill, MEMBER_ENDED, member_ended, &ended);
    FACT(drill, MEMBER_ADDED, member_added, &added);
}

static Carehub__V1__EventType type_of(struct drill *drill)
{
    static const struct {
        Carehub__V1__EventType type;
        unsigned of_hundred;
    } mix[] = {{CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, 5}, {CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, 5},
               {CAREHUB__V1__EVENT_TYPE__FALL_REPORTED, 10},     {CAREHUB__V1__EVENT_TYPE__CONDITION_CHANGED, 20},
               {CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE, 20},      {CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED, 40}};
    uint64_t drawn = random_below(drill, 100);
    size_t i = 0;
    for (; drawn >= mix[i].of_hundred; i++)
        drawn -= mix[i].of_hundred;
    return mix[i].type;
}

static void publish_event(struct drill *drill, uint32_t patient)
{
    char value[32], hospital[32];
    uint8_t id[EVENTID_BYTES];
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__Patient person = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__Party writer = CAREHUB__V1__PARTY__INIT;
    Carehub__V1__Time at = CAREHUB__V1__TIME__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    snprintf(value, sizeof value, "%u", patient);
    identifier.system = (char *)system_name;
    identifier.value = value;
    person.n_identifiers = 1;
    person.identifiers = identifiers;
    writer.name = (char *)"Dr. Peeters";
    author.actor = name_of(true, patient % DRILL_HOSPITALS, hospital);
    author.role = (char *)"hospital";
    author.professional = &writer;
    at.unix_ms = drill->now_ms - 60000;
    drill_id(drill, id);
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = type_of(drill);
    event.patient = &person;
    event.author = &author;
    event.occurred_at = &at;
    /* The body of a type has the number 1000 + type. */
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&carehub__v1__event__descriptor, 1000 + (unsigned)event.type);
    const ProtobufCMessageDescriptor *descriptor = field->descriptor;
    ProtobufCMessage *body = calloc(1, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, body);
    memcpy((uint8_t *)&event + field->offset, &body, sizeof body);
    event.body_case = (Carehub__V1__Event__BodyCase)field->id;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT;
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event.len = carehub__v1__event__get_packed_size(&event);
    item.event.data = malloc(item.event.len);
    carehub__v1__event__pack(&event, item.event.data);
    drill_publish(drill, DRILL_PUBLISHER, &item);
    free(item.event.data);
    free(body);
}

/* Every receiver has what it was sent; of what is immediate a third is read. */
static void acknowledge(struct drill *drill)
{
    for (uint32_t i = 0; i < DRILL_ACTORS; i++) {
        struct drill_inbox *inbox = &drill->inboxes[i];
        session_id session = DRILL_FIRST_RECEIVER + i / DRILL_INBOXES_MAX;
        for (int lane = 0; lane < 2; lane++) {
            Carehub__V1__AckRange range = CAREHUB__V1__ACK_RANGE__INIT, *ranges[] = {&range};
            Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
            Carehub__V1__Credit credit = CAREHUB__V1__CREDIT__INIT;
            Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
            if (inbox->last[lane] == inbox->stored[lane])
                continue;
            range.lane = (Carehub__V1__Lane)lane;
            range.from = inbox->stored[lane] + 1;
            range.to = inbox->last[lane];
            range.kind = random_below(drill, READ_EVERY) ? CAREHUB__V1__ACK_KIND__STORED : CAREHUB__V1__ACK_KIND__READ;
            ack.handle = credit.handle = inbox->handle;
            ack.epoch = credit.epoch = inbox->epoch;
            ack.n_ranges = 1;
            ack.ranges = ranges;
            message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
            message.ack = &ack;
            drill_say(drill, session, &message);
            credit.events = (uint32_t)(range.to - range.from + 1);
            credit.bytes = credit.events * 1024;
            message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_CREDIT;
            message.credit = &credit;
            drill_say(drill, session, &message);
            inbox->stored[lane] = inbox->last[lane];
        }
    }
}

static void progress(const char *doing, uint32_t done, uint32_t total)
{
    if (isatty(STDERR_FILENO) && total >= 20 && done % (total / 20) == 0)
        fprintf(stderr, "\r%s: %u%%%s", doing, done / (total / 100 ? total / 100 : 1), done == total ? "\n" : "");
}

/* So many events over so much time; of one patient, or of any. */
static void live(struct drill *drill, uint32_t events, int64_t pause_ms, bool first_patient, const char *doing)
{
    for (uint32_t i = 1; i <= events && drill->rejected == 0; i++) {
        uint32_t patient = first_patient ? 0 : (uint32_t)random_below(drill, drill->size.patients);
        if (i % BATCH == 1) /* what is committed together has one time */
            drill->now_ms += pause_ms * BATCH;
        publish_event(drill, patient);
        if (i % 100 == 0 && !first_patient)
            change_team(drill, patient);
        if (i % BATCH == 0 || i == events) {
            drill_commit(drill);
            acknowledge(drill);
            drill_commit(drill);
        }
        progress(doing, i, events);
    }
}

/* ---- The whole ------------------------------------------------------------------------------------------------------- */

bool drill_make(struct drill *drill)
{
    drill->random = 1;
    drill->discharges = calloc(drill->size.patients, sizeof *drill->discharges);
    if (!drill->discharges || !drill_open(drill))
        return false;
    drill_hello(drill, DRILL_OPERATOR);
    register_actors(drill);
    register_client(drill, DRILL_PUBLISHER, 0, DRILL_HOSPITALS, true);
    for (uint32_t i = 0; i < DRILL_RECEIVERS; i++) {
        uint32_t from = i * DRILL_INBOXES_MAX, to = from + DRILL_INBOXES_MAX;
        to = to < DRILL_ACTORS ? to : DRILL_ACTORS;
        register_client(drill, DRILL_FIRST_RECEIVER + i, from, to, false);
        attach(drill, DRILL_FIRST_RECEIVER + i, from, to);
    }
    for (uint32_t i = 0; i < drill->size.patients; i++) {
        drill->now_ms += 1000;
        register_patient(drill, i);
        drill_commit(drill);
    }
    live(drill, drill->size.events, drill->size.days * DAY_MS / (drill->size.events + 1), false, "years");
    live(drill, drill->size.heavy, 1000, true, "one patient");
    return drill->rejected == 0 && drill_settle(drill);
}
