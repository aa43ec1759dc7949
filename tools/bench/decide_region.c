/* The region that decisions are measured in: actors by facts, patients through the store's own functions. */
#include "decide.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/core_private.h"
#include "eventid.h"

enum { FILL_PATIENTS = 50000, FILL_CACHE_KIB = 1 << 20, ROLES = DECIDE_MEMBERS_MAX };

const char decide_system[] = "urn:bench:patient";
const uint8_t decide_master_key[32] = {7};

static const char *const roles[ROLES] = {"gp",         "pharmacist",   "home-nurse", "coordinator", "informal-carer",
                                         "specialist", "nursing-home", "home-care"};

void decide_actor_name(uint32_t actor, char name[32])
{
    snprintf(name, 32, "actor-%05u", actor);
}

void decide_patient_value(uint32_t patient, char value[32])
{
    snprintf(value, 32, "%010u", patient);
}

void decide_key(uint32_t client, uint8_t key[32])
{
    memset(key, 0, 32);
    memcpy(key, &client, sizeof client);
    key[31] = 1;
}

static struct core_time now(void)
{
    struct timespec real, boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (struct core_time){(int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000,
                              (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000};
}

/* ---- Actors ------------------------------------------------------------------------------------------------------ */

/* Takes a fact as the hub takes its own: what is measured here is not registration. */
static bool take(struct core *core, Fact *fact, Carehub__V1__Fact__FactCase kind)
{
    uint8_t id[EVENTID_BYTES];
    struct taken taken = {0};
    Error *error = NULL;
    if (eventid_new(id) != EVENTID_OK)
        return false;
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    fact->fact_case = kind;
    batch_open(core);
    bool good = take_own_fact(core, fact, &taken, &error);
    if (!good)
        fprintf(stderr, "carehub-bench-decide: the region cannot be registered: %s\n", error->text);
    arena_reset(&core->scratch);
    return good;
}

static bool register_actor(struct core *core, const char *name, bool receives)
{
    Carehub__V1__ActorSet actor = CAREHUB__V1__ACTOR_SET__INIT;
    Carehub__V1__InboxSet inbox = CAREHUB__V1__INBOX_SET__INIT;
    Fact fact = CAREHUB__V1__FACT__INIT;
    actor.name = inbox.name = inbox.actor = (char *)name;
    actor.kind = CAREHUB__V1__ACTOR_KIND__ORGANISATION;
    actor.display = (char *)name;
    inbox.n_types = 1;
    inbox.types = (char *[]){"*"};
    inbox.max_undelivered = 10000000;
    fact.actor_set = &actor;
    if (!take(core, &fact, CAREHUB__V1__FACT__FACT_ACTOR_SET))
        return false;
    fact.inbox_set = &inbox;
    return !receives || take(core, &fact, CAREHUB__V1__FACT__FACT_INBOX_SET);
}

/* Speaks for the actors `from` to `to` - 1; the publisher for the one that publishes. */
static bool register_client(struct core *core, uint32_t number, uint32_t from, uint32_t to)
{
    static char names[DECIDE_CLIENT_ACTORS][32];
    static char *list[DECIDE_CLIENT_ACTORS];
    Carehub__V1__ClientSet client = CAREHUB__V1__CLIENT_SET__INIT;
    Carehub__V1__ClientKeyAdded added = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    Fact fact = CAREHUB__V1__FACT__INIT;
    char name[32];
    uint8_t key[32];
    bool publishes = number == DECIDE_PUBLISHER;
    snprintf(name, sizeof name, "client-%u", number);
    client.name = added.client = name;
    client.n_actors = publishes ? 1 : to - from;
    client.actors = list;
    client.n_publishes = publishes ? 1 : 0;
    client.publishes = (char *[]){"HospitalDischarge"};
    for (uint32_t i = 0; i < client.n_actors; i++) {
        list[i] = names[i];
        if (publishes)
            strcpy(names[i], "hospital");
        else
            decide_actor_name(from + i, names[i]);
    }
    fact.client_set = &client;
    if (!take(core, &fact, CAREHUB__V1__FACT__FACT_CLIENT_SET))
        return false;
    decide_key(number, key);
    added.public_key = (ProtobufCBinaryData){sizeof key, key};
    fact.client_key_added = &added;
    return take(core, &fact, CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED);
}

bool decide_register(struct core *core, const struct decide_size *size)
{
    bool good = true;
    char name[32];
    for (uint32_t i = 0; i < size->actors && good; i++) { /* actor i has number i + 1 */
        decide_actor_name(i, name);
        good = register_actor(core, name, true);
        if (i % 1000 == 999)
            core_commit(core, now());
    }
    good = good && register_actor(core, "hospital", false) && register_client(core, DECIDE_PUBLISHER, 0, 0);
    for (uint32_t from = 0, client = DECIDE_RECEIVERS; from < size->actors && good; client++) {
        uint32_t to = from + DECIDE_CLIENT_ACTORS < size->actors ? from + DECIDE_CLIENT_ACTORS : size->actors;
        good = register_client(core, client, from, to);
        from = to;
    }
    core_commit(core, now());
    return good;
}

/* ---- Patients ---------------------------------------------------------------------------------------------------- */

struct identified {
    uint8_t hash[DIGEST_BYTES];
    uint32_t patient;
};

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct identified *)a)->hash, ((const struct identified *)b)->hash, DIGEST_BYTES);
}

/* In order of their hashes: the index is written from end to end, instead of all over, once for each transaction. */
static bool fill_identifiers(struct persons *persons, const struct decide_size *size)
{
    struct identified *all = malloc(size->patients * sizeof *all);
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    char value[32];
    identifier.system = (char *)decide_system;
    identifier.value = value;
    if (!all)
        return fputs("carehub-bench-decide: not enough memory for so many patients\n", stderr), false;
    for (uint32_t i = 0; i < size->patients; i++) {
        decide_patient_value(i, value);
        vault_identifier_hash(store_vault(persons->store), decide_system, value, all[i].hash);
        all[i].patient = i;
    }
    qsort(all, size->patients, sizeof *all, compare);
    for (uint32_t i = 0; i < size->patients; i++) {
        if (i % FILL_PATIENTS == 0)
            store_begin(persons->store);
        decide_patient_value(all[i].patient, value);
        persons_identify(persons, &identifier, all[i].patient + 1);
        if (i % FILL_PATIENTS == FILL_PATIENTS - 1 || i == size->patients - 1)
            store_commit(persons->store);
    }
    free(all);
    return true;
}

/* The versions of a card: registered, with consent, then one member more each. */
static void fill_patient(struct persons *persons, const struct decide_size *size, uint32_t patient, int64_t now_ms)
{
    Carehub__V1__PatientCard card = CAREHUB__V1__PATIENT_CARD__INIT;
    Carehub__V1__PatientCard__Consent consent = CAREHUB__V1__PATIENT_CARD__CONSENT__INIT, *consents[] = {&consent};
    Carehub__V1__PatientCard__Member members[DECIDE_MEMBERS_MAX], *list[DECIDE_MEMBERS_MAX];
    struct person *person = persons_create(persons);
    uint64_t place = 1;
    consent.since = place + 1;
    consent.n_purposes = 1;
    consent.purposes = (char *[]){"continuity-of-care"};
    consent.given_by = "person";
    card.consents = consents;
    card.members = list;
    for (uint32_t i = 0; i < size->members; i++) {
        list[i] = &members[i];
        carehub__v1__patient_card__member__init(&members[i]);
        members[i].actor = 1 + (uint32_t)(((uint64_t)patient * size->members + i) % size->actors);
        members[i].role = (char *)roles[i];
        members[i].since = place + 2 + i;
        members[i].basis = CAREHUB__V1__RELATION_BASIS__THERAPEUTIC_RELATION;
    }
    uint32_t all = 2 + size->members, first = size->versions < all ? all - size->versions : 0;
    for (uint32_t version = first; version < all; version++) {
        card.n_consents = version > 0;
        card.n_members = version > 1 ? version - 1 : 0;
        persons_put(persons, person, &card, place + version, now_ms);
    }
}

static bool fill(struct persons *persons, const struct decide_size *size)
{
    int64_t now_ms = now().real_ms;
    bool shown = size->patients >= 1000000 && isatty(STDERR_FILENO);
    for (uint32_t i = 0; i < size->patients; i++) {
        if (i % FILL_PATIENTS == 0)
            store_begin(persons->store);
        fill_patient(persons, size, i, now_ms);
        if (i % FILL_PATIENTS == FILL_PATIENTS - 1 || i == size->patients - 1)
            store_commit(persons->store);
        if (shown && i % 500000 == 499999)
            fprintf(stderr, "\r%u of %u patients ", i + 1, size->patients);
    }
    bool good = fill_identifiers(persons, size);
    if (shown)
        fputs("\r                                \r", stderr);
    return good;
}

bool decide_fill(struct core *core, const struct decide_size *size)
{
    char cache[64];
    core_commit(core, now());
    snprintf(cache, sizeof cache, "PRAGMA cache_size=-%d", FILL_CACHE_KIB);
    return !core->open && sqlite3_exec(store_database(core->store), cache, NULL, NULL, NULL) == SQLITE_OK &&
           fill(&core->persons, size);
}
