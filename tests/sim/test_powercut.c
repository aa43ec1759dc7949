/* The power fails, or the disk, at any write or sync: what was confirmed is there, and what was acknowledged does not
 * come again. And the test of the test: with a WAL that is never synced (as with PRAGMA synchronous=NORMAL) confirmed
 * events do get lost, and are missed here.
 *
 *     test_powercut [--cuts N] [--seed N] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core_fixture.h"
#include "vfs_powercut.h"

enum {
    COMMITS = 18, /* enough for a checkpoint */
    BATCH = 16,
    EVENTS = COMMITS * BATCH,
    NOTE_BYTES = 60000,
    LATE_EXIT = 87, /* said something after an error */
    DONE_EXIT = 88
};

/* What the world outside has been told: survives the process. */
struct told {
    uint64_t places[EVENTS]; /* of confirmed events, by number; 0: not confirmed */
    uint64_t acknowledged;   /* committed, up to here */
    uint64_t calls, syncs;
};

static struct told *told;
static struct hub *hub;
static uint8_t *template_bytes;
static size_t template_size;

static _Noreturn void give_up(const char *what, const struct powercut *plan, uint64_t number)
{
    fprintf(stderr, "test_powercut: cut at %llu, error at %llu, %s, seed %llu: %s (%llu)\n",
            (unsigned long long)plan->cut_at, (unsigned long long)plan->error_at, plan->torn ? "torn" : "clean",
            (unsigned long long)plan->seed, what, (unsigned long long)number);
    exit(1);
}

/* ---- The load ---------------------------------------------------------------------------------------------------------- */

static void publish(size_t number)
{
    static char note[NOTE_BYTES];
    static uint8_t packed[NOTE_BYTES + 1000];
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    Carehub__V1__HospitalDischarge body = CAREHUB__V1__HOSPITAL_DISCHARGE__INIT;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish message = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub to_hub = CAREHUB__V1__TO_HUB__INIT;
    uint8_t id[16];
    event_id(hub, (uint8_t)number, id);
    id[14] = (uint8_t)(number >> 8);
    memset(note, 'n', sizeof note - 1);
    identifier.system = (char *)"ssin";
    identifier.value = (char *)"38041299949";
    patient.n_identifiers = 1;
    patient.identifiers = identifiers;
    event.id = (ProtobufCBinaryData){16, id};
    event.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    event.patient = &patient;
    event.occurred_at = &time;
    body.note = note;
    event.body_case = CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE;
    event.hospital_discharge = &body;
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event = (ProtobufCBinaryData){carehub__v1__event__pack(&event, packed), packed};
    publication.ref = number + 1000;
    publication.n_items = 1;
    publication.items = items;
    message.n_publications = 1;
    message.publications = publications;
    to_hub.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    to_hub.publish = &message;
    hub_handle(hub, HOSPITAL, &to_hub);
}

/* The confirmations since hub_clear go to `places`. */
static void confirmed(uint64_t *places)
{
    for (size_t i = 0; i < hub->n_sent; i++) {
        const Carehub__V1__ToClient *sent = hub->sent[i].message;
        for (size_t c = 0;
             sent->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM && c < sent->confirm->n_confirmations; c++)
            if (sent->confirm->confirmations[c]->ref >= 1000 && sent->confirm->confirmations[c]->place)
                places[sent->confirm->confirmations[c]->ref - 1000] = sent->confirm->confirmations[c]->place;
    }
    if (powercut_failed() && hub->n_sent > 0)
        _exit(LATE_EXIT);
}

static _Noreturn void load(const struct powercut *plan)
{
    powercut_install(plan);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
    uint64_t epoch = hub_attach(hub, GP, "gp", 0);
    for (size_t commit = 0; commit < COMMITS; commit++) {
        for (size_t i = 0; i < BATCH; i++)
            publish(commit * BATCH + i);
        hub_clear(hub);
        hub_commit(hub);
        confirmed(told->places);
        uint64_t to = commit * BATCH + BATCH / 2;
        hub_ack(hub, GP, epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, 0, to);
        told->acknowledged = to;
        hub_clear(hub);
        told->calls = powercut_calls();
        told->syncs = powercut_syncs();
    }
    _exit(DONE_EXIT);
}

/* ---- What is left --------------------------------------------------------------------------------------------------------- */

static void database_restore(void)
{
    char wal[128];
    snprintf(wal, sizeof wal, "%s-wal", hub->database);
    unlink(wal);
    FILE *file = fopen(hub->database, "w");
    if (!file || fwrite(template_bytes, 1, template_size, file) != template_size)
        abort();
    fclose(file);
}

static int run(const struct powercut *plan)
{
    int status;
    memset(told, 0, sizeof *told);
    database_restore();
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        load(plan);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
        give_up("the process was killed, or could not be started", plan, (uint64_t)status);
    return WEXITSTATUS(status);
}

/* How many confirmed events are missing or elsewhere; and one more if what was acknowledged comes again. */
static size_t losses(const struct powercut *plan)
{
    static uint64_t places[EVENTS];
    size_t lost = 0;
    memset(places, 0, sizeof places);
    hub_open(hub);
    for (session_id session = OPERATOR; session < SESSIONS; session++)
        hub_hello(hub, session);
    for (size_t i = 0; i < EVENTS; i++)
        if (told->places[i])
            publish(i); /* the same again: the place must be the same */
    hub_clear(hub);
    hub_commit(hub);
    confirmed(places);
    for (size_t i = 0; i < EVENTS; i++)
        lost += told->places[i] && places[i] != told->places[i];
    hub_clear(hub);
    hub_attach(hub, GP, "gp", 0);
    const Carehub__V1__Delivery *first = hub_delivery(hub, GP, 0);
    bool again = first && first->number <= told->acknowledged;
    if (again && !plan->deaf_to_wal)
        give_up("what was acknowledged comes again", plan, first->number);
    lost += again;
    hub_clear(hub);
    core_close(&hub->core);
    return lost;
}

/* ---- The faults ------------------------------------------------------------------------------------------------------------- */

static uint64_t dice(uint64_t *seed)
{
    uint64_t x = *seed += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

/* Cuts the power n times; how often that cost something. */
static size_t cuts(uint64_t n, struct powercut plan, uint64_t calls)
{
    size_t with_losses = 0;
    for (uint64_t i = 0; i < n; i++) {
        plan.cut_at = 1 + dice(&plan.seed) % calls;
        int status = run(&plan);
        if (status != POWERCUT_EXIT)
            give_up("the power did not fail", &plan, (uint64_t)status);
        size_t lost = losses(&plan);
        with_losses += lost > 0;
        if (lost && !plan.deaf_to_wal)
            give_up("confirmed events are lost", &plan, lost);
    }
    return with_losses;
}

static void error_at(uint64_t call, bool syncs_only)
{
    struct powercut plan = {.error_at = call, .syncs_only = syncs_only};
    int status = run(&plan);
    if (status != 74 && status != 255) /* 255: while it was being opened; the fixture gives up */
        give_up("the process went on after an error of the disk", &plan, (uint64_t)status);
    size_t lost = losses(&plan);
    if (lost)
        give_up("confirmed events are lost", &plan, lost);
}

int main(int argc, char **argv)
{
    uint64_t n = 12, seed = 1;
    void *state;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--cuts") == 0)
            n = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seed") == 0)
            seed = strtoull(argv[i + 1], NULL, 10);
    }
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    hub_setup(&state);
    hub = state;
    hub_region(hub);
    core_close(&hub->core);
    FILE *file = fopen(hub->database, "r");
    template_bytes = malloc(4 << 20);
    if (told == MAP_FAILED || !file || !template_bytes)
        abort();
    template_size = fread(template_bytes, 1, 4 << 20, file);
    fclose(file);

    struct powercut none = {0};
    if (run(&none) != DONE_EXIT)
        give_up("the load does not run", &none, 0);
    uint64_t calls = told->calls, syncs = told->syncs;
    if (losses(&none))
        give_up("events are lost without any fault", &none, 0);
    cuts(n, (struct powercut){.seed = seed}, calls);
    cuts(n, (struct powercut){.seed = seed + 1, .torn = true}, calls);
    cuts(n, (struct powercut){.seed = seed + 2, .torn = true, .syncs_only = true}, syncs);
    for (uint64_t i = 0; i < n; i++)
        error_at(1 + dice(&seed) % calls, false);
    for (uint64_t sync = 1; sync <= syncs; sync++)
        error_at(sync, true);
    size_t missed = cuts(n / 4 + 4, (struct powercut){.seed = seed, .deaf_to_wal = true}, calls);
    if (missed == 0)
        give_up("a WAL that is never synced loses nothing here: this test sees nothing", &none, 0);
    printf(
        "%llu writes, %llu syncs; %llu cuts, %llu errors: nothing confirmed was lost. Without syncs of the WAL: losses "
        "at %zu of %llu cuts\n",
        (unsigned long long)(calls - syncs), (unsigned long long)syncs, (unsigned long long)(3 * n),
        (unsigned long long)(n + syncs), missed, (unsigned long long)(n / 4 + 4));
    free(template_bytes);
    hub_open(hub);
    hub_teardown(&state);
    return 0;
}
