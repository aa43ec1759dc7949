/* region.c - actors, clients, inboxes and patients, registered as a registrar would: by facts, over the
 * protocol. */
#include "bench.h"
#include "samples.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ITEMS_MAX = 2 + BENCH_MEMBERS_MAX, ON_THEIR_WAY_MAX = 1024 };

const char patient_system[] = "urn:bench:patient";

/* Roles that learn of a discharge, of which some get a reduced view. */
static char *const roles[] = {"gp",         "pharmacist",   "home-nurse", "coordinator", "informal-carer",
                              "specialist", "nursing-home", "home-care"};

void actor_name(uint32_t actor, char name[BENCH_NAME_BYTES])
{
    snprintf(name, BENCH_NAME_BYTES, "actor-%05u", actor);
}

void patient_value(uint32_t patient, char value[BENCH_NAME_BYTES])
{
    snprintf(value, BENCH_NAME_BYTES, "%010u", patient);
}

/* Spread evenly, and the same every time (the multiplier is Knuth's, prime to 2^32). */
uint32_t patient_of_event(const struct bench_options *options, uint64_t event)
{
    return (uint32_t)event * 2654435761u % options->patients;
}

static uint32_t team_actor(const struct bench_options *options, uint32_t patient, uint32_t position)
{
    return (uint32_t)(((uint64_t)patient * options->members + position) % options->inboxes);
}

int team_position(const struct bench_options *options, uint32_t patient, uint32_t actor)
{
    uint32_t first = team_actor(options, patient, 0);
    uint32_t position = (actor + options->inboxes - first) % options->inboxes;
    return position < options->members ? (int)position : -1;
}

/* ---- Submitting facts, many on their way ------------------------------------------------------------------------ */

/* One group of facts on its way to the hub. */
struct group {
    Carehub__V1__Item items[ITEMS_MAX], *list[ITEMS_MAX];
    Carehub__V1__Fact facts[ITEMS_MAX];
    uint8_t ids[ITEMS_MAX][CAREHUB_ID_BYTES];
    size_t n;
};

struct registering {
    carehub_client *client;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t on_their_way;
    char refusal[256]; /* the first */
};

static void on_confirmed(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct registering *r = arg;
    (void)confirmation;
    pthread_mutex_lock(&r->lock);
    if (status != CAREHUB_OK && !r->refusal[0])
        snprintf(r->refusal, sizeof r->refusal, "%s", carehub_error());
    r->on_their_way--;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static Carehub__V1__Fact *next_fact(struct group *g, Carehub__V1__Fact__FactCase kind)
{
    size_t i = g->n++;
    carehub__v1__fact__init(&g->facts[i]);
    carehub__v1__item__init(&g->items[i]);
    carehub_new_id(g->ids[i]);
    g->facts[i].id = (ProtobufCBinaryData){CAREHUB_ID_BYTES, g->ids[i]};
    g->facts[i].fact_case = kind;
    g->items[i].item_case = CAREHUB__V1__ITEM__ITEM_FACT;
    g->items[i].fact = &g->facts[i];
    g->list[i] = &g->items[i];
    return &g->facts[i];
}

/* Waits until fewer than `below` groups are on their way; false if one was refused. */
static bool await_fewer(struct registering *r, uint32_t below)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += BENCH_TIMEOUT_MS / 1000;
    int waited = 0;
    pthread_mutex_lock(&r->lock);
    while (r->on_their_way >= below && !r->refusal[0] && waited == 0)
        waited = pthread_cond_clockwait(&r->changed, &r->lock, CLOCK_MONOTONIC, &until);
    bool good = !r->refusal[0] && waited == 0;
    if (!good)
        fprintf(stderr, "carehub-bench: the region cannot be registered: %s\n",
                r->refusal[0] ? r->refusal : "the hub does not answer");
    pthread_mutex_unlock(&r->lock);
    return good;
}

static bool submit(struct registering *r, struct group *g)
{
    if (!await_fewer(r, ON_THEIR_WAY_MAX))
        return false;
    pthread_mutex_lock(&r->lock);
    r->on_their_way++;
    pthread_mutex_unlock(&r->lock);
    if (carehub_publish_group(r->client, (const Carehub__V1__Item *const *)g->list, g->n, on_confirmed, r) ==
        CAREHUB_OK)
        return true;
    pthread_mutex_lock(&r->lock);
    r->on_their_way--;
    pthread_mutex_unlock(&r->lock);
    return complain("the region cannot be registered");
}

/* ---- What is registered ----------------------------------------------------------------------------------------- */

static bool register_actor(struct registering *r, uint32_t actor)
{
    char name[BENCH_NAME_BYTES];
    struct group g = {.n = 0};
    Carehub__V1__ActorSet set = CAREHUB__V1__ACTOR_SET__INIT;
    Carehub__V1__InboxSet inbox = CAREHUB__V1__INBOX_SET__INIT;
    actor_name(actor, name);
    set.name = inbox.name = inbox.actor = name;
    set.kind = CAREHUB__V1__ACTOR_KIND__ORGANISATION;
    set.display = name;
    inbox.n_types = 1;
    inbox.types = (char *[]){"*"};
    inbox.max_undelivered = 10000000;
    next_fact(&g, CAREHUB__V1__FACT__FACT_ACTOR_SET)->actor_set = &set;
    next_fact(&g, CAREHUB__V1__FACT__FACT_INBOX_SET)->inbox_set = &inbox;
    return submit(r, &g);
}

static bool register_hospital(struct registering *r)
{
    struct group g = {.n = 0};
    Carehub__V1__ActorSet set = CAREHUB__V1__ACTOR_SET__INIT;
    set.name = "hospital";
    set.kind = CAREHUB__V1__ACTOR_KIND__ORGANISATION;
    set.display = "hospital";
    next_fact(&g, CAREHUB__V1__FACT__FACT_ACTOR_SET)->actor_set = &set;
    return submit(r, &g);
}

static bool register_patient(struct registering *r, const struct bench_options *options, uint32_t patient)
{
    char value[BENCH_NAME_BYTES], names[BENCH_MEMBERS_MAX][BENCH_NAME_BYTES];
    struct group g = {.n = 0};
    char ssin[SAMPLE_SSIN_BYTES];
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, national = CAREHUB__V1__IDENTIFIER__INIT;
    Carehub__V1__PatientRef ref = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__PatientRegistered registered = CAREHUB__V1__PATIENT_REGISTERED__INIT;
    Carehub__V1__ConsentGiven consent = CAREHUB__V1__CONSENT_GIVEN__INIT;
    Carehub__V1__MemberAdded members[BENCH_MEMBERS_MAX];
    patient_value(patient, value);
    identifier.system = (char *)patient_system;
    identifier.value = value;
    ref.identifier = &identifier;
    sample_ssin(patient, ssin);
    national.system = "ssin";
    national.value = ssin;
    registered.n_identifiers = options->national ? 2 : 1;
    registered.identifiers = (Carehub__V1__Identifier *[]){&identifier, &national};
    consent.patient = &ref;
    consent.n_purposes = 1;
    consent.purposes = (char *[]){"continuity-of-care"};
    consent.given_by = "person";
    next_fact(&g, CAREHUB__V1__FACT__FACT_PATIENT_REGISTERED)->patient_registered = &registered;
    next_fact(&g, CAREHUB__V1__FACT__FACT_CONSENT_GIVEN)->consent_given = &consent;
    for (uint32_t i = 0; i < options->members; i++) {
        carehub__v1__member_added__init(&members[i]);
        actor_name(team_actor(options, patient, i), names[i]);
        members[i].patient = &ref;
        members[i].actor = names[i];
        members[i].role = roles[i];
        members[i].basis = CAREHUB__V1__RELATION_BASIS__THERAPEUTIC_RELATION;
        next_fact(&g, CAREHUB__V1__FACT__FACT_MEMBER_ADDED)->member_added = &members[i];
    }
    return submit(r, &g);
}

static bool register_all(struct registering *r, const struct bench_options *options)
{
    bool good = register_hospital(r);
    for (uint32_t i = 0; i < options->inboxes && good; i++)
        good = register_actor(r, i);
    for (uint32_t i = 0; i < options->patients && good; i++)
        good = register_patient(r, options, i);
    return good && await_fewer(r, 1);
}

/* ---- Clients ---------------------------------------------------------------------------------------------------- */

static carehub_client *open_client(const struct run *run, const struct carehub_keypair *key)
{
    carehub_client *client = NULL;
    struct carehub_options options = {.endpoint = run->hub.endpoint, .key = *key, .software = "carehub-bench"};
    memcpy(options.hub_key, run->hub.key.public_key, CAREHUB_KEY_BYTES);
    if (carehub_open(&client, &options) == CAREHUB_OK && carehub_wait_connected(client, BENCH_TIMEOUT_MS) == CAREHUB_OK)
        return client;
    complain("cannot connect to the hub");
    carehub_close(&client);
    return NULL;
}

static bool register_client(struct run *run, Carehub__V1__ClientSet *set, const struct carehub_keypair *key)
{
    Carehub__V1__Fact fact = CAREHUB__V1__FACT__INIT, key_fact = CAREHUB__V1__FACT__INIT;
    Carehub__V1__ClientKeyAdded added = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_SET;
    fact.client_set = set;
    added.client = set->name;
    added.public_key = (ProtobufCBinaryData){CAREHUB_KEY_BYTES, (uint8_t *)key->public_key};
    key_fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED;
    key_fact.client_key_added = &added;
    return (carehub_submit_fact(run->operator_client, &fact, BENCH_TIMEOUT_MS, NULL) == CAREHUB_OK &&
            carehub_submit_fact(run->operator_client, &key_fact, BENCH_TIMEOUT_MS, NULL) == CAREHUB_OK) ||
           complain("cannot register a client");
}

carehub_client *region_client(struct run *run, const char *name, bool publishes, uint32_t from, uint32_t to)
{
    struct carehub_keypair key;
    size_t n = publishes ? 1 : to - from;
    char(*names)[BENCH_NAME_BYTES] = calloc(n, sizeof *names);
    char **actors = calloc(n, sizeof *actors);
    Carehub__V1__ClientSet set = CAREHUB__V1__CLIENT_SET__INIT;
    for (size_t i = 0; names && actors && i < n; i++) {
        actors[i] = names[i];
        if (publishes)
            snprintf(names[i], sizeof names[i], "hospital");
        else
            actor_name(from + (uint32_t)i, names[i]);
    }
    set.name = (char *)name;
    set.n_actors = n;
    set.actors = actors;
    set.n_publishes = publishes ? 1 : 0;
    set.publishes = (char *[]){"HospitalDischarge"};
    bool good = names && actors && carehub_keygen(&key) == CAREHUB_OK && register_client(run, &set, &key);
    free(names);
    free(actors);
    return good ? open_client(run, &key) : NULL;
}

bool region_publisher(struct run *run, const char *name, struct carehub_keypair *key)
{
    Carehub__V1__ClientSet set = CAREHUB__V1__CLIENT_SET__INIT;
    set.name = (char *)name;
    set.n_actors = 1;
    set.actors = (char *[]){"hospital"};
    set.n_publishes = 1;
    set.publishes = (char *[]){"*"};
    return carehub_keygen(key) == CAREHUB_OK && register_client(run, &set, key);
}

bool region_register(struct run *run)
{
    struct registering r = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
    run->operator_client = open_client(run, &run->hub.operator_key);
    if (!run->operator_client)
        return false;
    uint64_t from = now_ns();
    fprintf(stderr, "registering %u inboxes and %u patients with %u members each", run->options->inboxes,
            run->options->patients, run->options->members);
    r.client = run->operator_client;
    bool good = register_all(&r, run->options);
    fprintf(stderr, good ? ": %.1f s\n" : "\n", (double)(now_ns() - from) / 1e9);
    if (!good) /* callbacks on their way must not outlive r */
        carehub_close(&run->operator_client);
    return good;
}
