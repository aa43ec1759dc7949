/* Nothing of the erased stays in any file of the hub: random histories of random persons, some of whom are erased, with
 * a crash somewhere in between. What is searched for in the raw bytes is what was stored of them before: every sealed
 * row, wrapped key, hash of an identifier and id of an event. What was stored of the others must still be there. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sqlite3.h>

#include "core_fixture.h"
#include "pbjson.h"

enum { AUDITOR = SESSIONS, PERSONS = 24, HISTORY = 500, ROUNDS = 6, PIECE_BYTES = 12, SLOTS = 1 << 18 };

static unsigned seed;

static unsigned chance(unsigned n)
{
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % n;
}

/* ---- Persons and what happens to them ------------------------------------------------------------------------------ */

struct world {
    struct hub *hub;
    uint64_t numbers[PERSONS];
    char ssins[PERSONS][12];
    bool erased[PERSONS];
    struct {
        uint8_t id[16];
        int person;
    } events[HISTORY];
    int n_events;
    uint64_t epoch, got[2]; /* the general practitioner's inbox: acknowledged up to here in each lane */
};

static void make_ssin(int i, char ssin[12])
{
    long base = 380412000L + i * 7 + 1; /* born on 12 April 1938 */
    char text[48];
    snprintf(text, sizeof text, "%09ld%02ld", base, 97 - base % 97);
    memcpy(ssin, text, 11);
    ssin[11] = '\0';
}

static const Carehub__V1__Confirmation *fact(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static const Carehub__V1__Confirmation *fact(struct world *world, const char *format, ...)
{
    char json[700];
    va_list args;
    va_start(args, format);
    vsnprintf(json, sizeof json, format, args);
    va_end(args);
    const Carehub__V1__Confirmation *said = hub_fact(world->hub, json);
    if (said->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
        fail_msg("%s: %s", json, said->error ? said->error->text : "?");
    return said;
}

static void register_person(struct world *world, int i)
{
    make_ssin(i, world->ssins[i]);
    world->numbers[i] =
        fact(world, "{\"patientRegistered\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"%s\"}]}}",
             world->ssins[i])
            ->number;
    unsigned long long number = world->numbers[i];
    fact(world, "{\"consentGiven\":{\"patient\":{\"number\":\"%llu\"},\"purposes\":[\"continuity-of-care\"]}}", number);
    fact(world, "{\"memberAdded\":{\"patient\":{\"number\":\"%llu\"},\"actor\":\"gp\",\"role\":\"gp\"}}", number);
    fact(world,
         "{\"memberAdded\":{\"patient\":{\"number\":\"%llu\"},\"actor\":\"apo\",\"role\":\"pharmacist\","
         "\"untilMs\":\"%lld\"}}",
         number, (long long)world->hub->now_ms + 1000000 + (int64_t)chance(1000000));
}

/* A UUIDv7 of the world's own time. */
static void make_id(const struct world *world, uint8_t id[16])
{
    for (int i = 0; i < 16; i++)
        id[i] = (uint8_t)chance(256);
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(world->hub->now_ms >> (40 - 8 * i));
    id[6] = (uint8_t)(0x70 | (id[6] & 15));
    id[8] = (uint8_t)(0x80 | (id[8] & 63));
}

static void publish(struct world *world, int person)
{
    char json[400];
    struct pbjson_error error;
    Carehub__V1__Publication publication = CAREHUB__V1__PUBLICATION__INIT, *publications[] = {&publication};
    Carehub__V1__Publish all = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    Carehub__V1__Item item = CAREHUB__V1__ITEM__INIT, *items[] = {&item};
    uint8_t *id = world->events[world->n_events].id;
    snprintf(json, sizeof json,
             "{\"type\":\"HOSPITAL_DISCHARGE\",\"patient\":{\"identifiers\":[{\"system\":\"ssin\",\"value\":\"%s\"}]},"
             "\"occurredAt\":{\"unixMs\":\"1795300000000\"},\"hospitalDischarge\":{\"encounterId\":\"E%d\","
             "\"note\":\"%*d\"}}",
             world->ssins[person], world->n_events, (int)chance(200), 7);
    Carehub__V1__Event *event =
        (void *)pbjson_parse(&carehub__v1__event__descriptor, json, strlen(json), PBJSON_UUID, &error);
    assert_non_null(event);
    make_id(world, id);
    event->id = (ProtobufCBinaryData){16, id};
    item.item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
    item.event.len = carehub__v1__event__get_packed_size(event);
    item.event.data = malloc(item.event.len);
    carehub__v1__event__pack(event, item.event.data);
    event->id = (ProtobufCBinaryData){0, NULL};
    carehub__v1__event__free_unpacked(event, NULL);
    publication.ref = ++world->hub->ref;
    publication.n_items = 1;
    publication.items = items;
    all.n_publications = 1;
    all.publications = publications;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &all;
    hub_handle(world->hub, HOSPITAL, &message);
    hub_commit(world->hub);
    free(item.event.data);
    world->events[world->n_events++].person = person;
    for (size_t i = world->hub->n_sent; i-- > 0;) {
        const Carehub__V1__ToClient *sent = world->hub->sent[i].message;
        if (sent->message_case != CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM)
            continue;
        if (sent->confirm->confirmations[0]->status != CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
            fail_msg("%s: %s", json, sent->confirm->confirmations[0]->error->text);
        return;
    }
    fail_msg("no confirmation");
}

static void answer_deliveries(struct world *world)
{
    const Carehub__V1__Delivery *delivery;
    for (size_t i = 0; (delivery = hub_delivery(world->hub, GP, i)); i++)
        if (delivery->number > world->got[delivery->lane])
            world->got[delivery->lane] = delivery->number;
    for (int lane = 0; lane < 2; lane++)
        if (world->got[lane] && chance(5) > 0)
            hub_ack(world->hub, GP, world->epoch, (Carehub__V1__Lane)lane, 1, world->got[lane]);
    if (world->got[1] && chance(3) == 0)
        hub_nack(world->hub, GP, world->epoch, CAREHUB__V1__LANE__LANE_IMMEDIATE, world->got[1], chance(2));
    hub_clear(world->hub);
}

static void happen(struct world *world)
{
    int i = (int)chance(PERSONS);
    unsigned long long number = world->numbers[i];
    world->hub->now_ms += 1 + (int64_t)chance(5000);
    if (world->erased[i])
        return;
    switch (chance(12)) {
    case 0:
        fact(world,
             "{\"memberAdded\":{\"patient\":{\"number\":\"%llu\"},\"actor\":\"nurse\",\"role\":\"coordinator\"}}",
             number);
        break;
    case 1:
        fact(world, "{\"deathRecorded\":{\"patient\":{\"number\":\"%llu\"},\"mistaken\":true}}", number);
        break;
    case 2:
        hub_ask(world->hub, "{\"patient\":{\"patient\":{\"number\":\"1\"}}}");
        break;
    case 3:
        answer_deliveries(world);
        break;
    default:
        if (world->n_events < HISTORY)
            publish(world, i);
    }
}

static void settle(struct hub *hub, int times)
{
    for (int i = 0; i < times; i++) {
        hub->now_ms += 1000;
        hub_commit(hub);
    }
}

/* ---- What is stored of them ------------------------------------------------------------------------------------------ */

struct piece {
    uint8_t bytes[PIECE_BYTES];
    int32_t person; /* -1: free */
    bool found;
};

struct pieces {
    struct piece *slots;
    size_t n;
};

static struct piece *slot_of(struct pieces *pieces, const uint8_t *bytes)
{
    uint64_t key;
    memcpy(&key, bytes, sizeof key);
    size_t at = (size_t)(key * 0x9e3779b97f4a7c15ull >> 46);
    while (pieces->slots[at].person >= 0 && memcmp(pieces->slots[at].bytes, bytes, PIECE_BYTES) != 0)
        at = (at + 1) % SLOTS;
    return &pieces->slots[at];
}

/* Pieces of one stored value: its beginning, its end, and all between at random, so that half of it is found too. */
static void keep(struct pieces *pieces, int person, const uint8_t *bytes, size_t size)
{
    for (size_t at = 0; at + PIECE_BYTES <= size; at += PIECE_BYTES + chance(40)) {
        struct piece *piece = slot_of(pieces, bytes + at);
        if (piece->person < 0)
            pieces->n++;
        memcpy(piece->bytes, bytes + at, PIECE_BYTES);
        piece->person = person;
    }
}

static void collect(struct pieces *pieces, sqlite3 *db, int person, uint64_t number, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    sqlite3_bind_int64(statement, 1, (int64_t)number);
    while (sqlite3_step(statement) == SQLITE_ROW)
        for (int i = 0; i < sqlite3_column_count(statement); i++)
            keep(pieces, person, sqlite3_column_blob(statement, i), (size_t)sqlite3_column_bytes(statement, i));
    sqlite3_finalize(statement);
}

static void copy_file(const char *from_directory, const char *name, const char *to_directory)
{
    char path[400];
    uint8_t block[1 << 16];
    size_t n;
    snprintf(path, sizeof path, "%s/%s", from_directory, name);
    FILE *from = fopen(path, "r");
    if (!from)
        return;
    snprintf(path, sizeof path, "%s/%s", to_directory, name);
    FILE *to = fopen(path, "w");
    assert_non_null(to);
    while ((n = fread(block, 1, sizeof block, from)) > 0)
        assert_int_equal(fwrite(block, 1, n, to), n);
    fclose(from);
    fclose(to);
}

/* The files as they are at this moment: what a process that is killed now leaves. */
static void copy_files(struct hub *hub, char directory[64])
{
    static const char *const names[] = {"hub.db", "hub.db-wal", "hub.db.keyring"};
    snprintf(directory, 64, "/dev/shm/carehub-copy-XXXXXX");
    assert_non_null(mkdtemp(directory));
    for (size_t i = 0; i < 3; i++)
        copy_file(hub->directory, names[i], directory);
}

static void remove_copy(const char *directory)
{
    char command[100];
    snprintf(command, sizeof command, "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

static void collect_all(struct world *world, struct pieces *pieces)
{
    static const char *const rows[] = {
        "SELECT body, payload FROM entry WHERE place IN (SELECT place FROM of_person WHERE person = ?1)",
        "SELECT body FROM card WHERE kind = 4 AND number = ?1",
        "SELECT wrapped, card FROM subject WHERE subject = ?1",
        "SELECT hash FROM identifier WHERE subject = ?1",
        "SELECT id FROM id WHERE place IN (SELECT place FROM of_person WHERE person = ?1)",
        "SELECT body FROM held WHERE place IN (SELECT place FROM of_person WHERE person = ?1)",
    };
    char directory[64], path[100];
    sqlite3 *db;
    copy_files(world->hub, directory);
    snprintf(path, sizeof path, "%s/hub.db", directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    for (int i = 0; i < PERSONS; i++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            collect(pieces, db, i, world->numbers[i], rows[r]);
    sqlite3_close(db);
    remove_copy(directory);
}

static void search(struct pieces *pieces, const char *path)
{
    struct stat about;
    FILE *file = fopen(path, "r");
    if (!file || fstat(fileno(file), &about) != 0 || !S_ISREG(about.st_mode)) {
        if (file)
            fclose(file);
        return;
    }
    size_t size = (size_t)about.st_size;
    uint8_t *bytes = malloc(size + 1);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    for (size_t at = 0; at + PIECE_BYTES <= size; at++) {
        struct piece *piece = slot_of(pieces, bytes + at);
        if (piece->person >= 0)
            piece->found = true;
    }
    free(bytes);
}

static void search_all(struct hub *hub, struct pieces *pieces)
{
    DIR *directory = opendir(hub->directory);
    assert_non_null(directory);
    for (const struct dirent *file; (file = readdir(directory));) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", hub->directory, file->d_name);
        search(pieces, path);
    }
    closedir(directory);
}

/* ---- Erasing --------------------------------------------------------------------------------------------------------- */

static void erase(struct world *world, int person)
{
    unsigned long long request =
        fact(world, "{\"erasureRequested\":{\"patient\":{\"number\":\"%llu\"},\"reason\":\"asked\"}}",
             (unsigned long long)world->numbers[person])
            ->place;
    char json[100];
    snprintf(json, sizeof json, "{\"erasureConfirmed\":{\"request\":\"%llu\"}}", request);
    assert_int_equal(hub_fact_as(world->hub, AUDITOR, json)->status, CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED);
    world->erased[person] = true;
}

static void sessions_open(struct world *world)
{
    for (session_id session = OPERATOR; session <= AUDITOR; session++)
        hub_hello(world->hub, session);
    world->epoch = hub_attach(world->hub, GP, "gp", 0);
    world->got[0] = world->got[1] = 0;
    hub_clear(world->hub);
}

/* As after kill -9: the files of this moment are all that the next process finds. */
static void kill_hub(struct world *world)
{
    struct hub *hub = world->hub;
    char directory[64];
    copy_files(hub, directory);
    core_close(&hub->core);
    hub_clear(hub);
    static const char *const names[] = {"hub.db", "hub.db-wal", "hub.db.keyring"};
    for (size_t i = 0; i < 3; i++) {
        char path[400];
        snprintf(path, sizeof path, "%s/%s", hub->directory, names[i]);
        remove(path);
        copy_file(directory, names[i], hub->directory);
    }
    remove_copy(directory);
    hub_open(hub);
    sessions_open(world);
}

static void check_others(struct world *world)
{
    for (int i = 0; i < world->n_events; i++) {
        char id[40], json[120], *at = id;
        for (int b = 0; b < 16; b++)
            at += sprintf(at, b == 4 || b == 6 || b == 8 || b == 10 ? "-%02x" : "%02x", world->events[i].id[b]);
        snprintf(json, sizeof json, "{\"open\":{\"eventId\":\"%s\",\"purpose\":\"test\"}}", id);
        const Carehub__V1__Answer *answer = hub_ask(world->hub, json);
        bool there = answer->answer_case == CAREHUB__V1__ANSWER__ANSWER_OPEN;
        if (there == world->erased[world->events[i].person])
            fail_msg("event %d of person %d: %s", i, world->events[i].person, there ? "is there" : answer->error->text);
        hub_clear(world->hub);
    }
}

static void check_bytes(struct world *world, struct pieces *pieces)
{
    size_t left = 0, lost = 0;
    for (size_t i = 0; i < SLOTS; i++)
        pieces->slots[i].found = false;
    search_all(world->hub, pieces);
    for (size_t i = 0; i < SLOTS; i++) {
        const struct piece *piece = &pieces->slots[i];
        if (piece->person < 0)
            continue;
        left += piece->found && world->erased[piece->person];
        lost += !piece->found && !world->erased[piece->person];
    }
    if (left > 0 || lost > pieces->n / 4) /* others' rows may have changed since, or be split over pages */
        fail_msg("seed %u: %zu pieces of the erased are still there, %zu of the others are not, of %zu", seed, left,
                 lost, pieces->n);
}

static void one_round(struct hub *hub)
{
    struct world *world = calloc(1, sizeof *world);
    struct pieces pieces = {.slots = malloc(SLOTS * sizeof *pieces.slots)};
    for (size_t i = 0; i < SLOTS; i++)
        pieces.slots[i].person = -1;
    world->hub = hub;
    hub_region(hub);
    fact(world, "{\"clientSet\":{\"name\":\"auditor\",\"roles\":[\"AUDITOR\"]}}");
    fact(world, "{\"clientKeyAdded\":{\"client\":\"auditor\",\"publicKey\":"
                "\"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\"}}");
    sessions_open(world);
    for (int i = 0; i < PERSONS; i++)
        register_person(world, i);
    for (int i = 0; i < HISTORY; i++)
        happen(world);
    settle(hub, 5);
    collect_all(world, &pieces);
    assert_true(pieces.n > 1000);
    for (int i = 0; i < PERSONS; i++)
        if (chance(3) == 0) {
            erase(world, i);
            if (chance(3) == 0)
                kill_hub(world);
            for (int n = (int)chance(20); n > 0; n--)
                happen(world);
        }
    settle(hub, (int)chance(3));
    kill_hub(world);
    settle(hub, 20);
    check_bytes(world, &pieces);
    check_others(world);
    free(pieces.slots);
    free(world);
}

static void nothing_of_the_erased_is_in_any_file(void **state)
{
    one_round(*state);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS, first = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    const struct CMUnitTest test =
        cmocka_unit_test_setup_teardown(nothing_of_the_erased_is_in_any_file, hub_setup, hub_teardown);
    int failed = 0;
    for (unsigned round = first; round < first + rounds && !failed; round++) {
        const struct CMUnitTest tests[] = {test};
        seed = round;
        failed = cmocka_run_group_tests_name("erasure_bytes", tests, NULL, NULL);
    }
    return failed;
}
