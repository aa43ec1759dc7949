/* Persons, from the store through their cache: what is cached, what was pushed out of it and what is on disk is one. */
#include "core_fixture.h"

#include <stdio.h>

#include <sqlite3.h>

#include "core/core_private.h"

enum { PERSONS = 70000, MEMBERS = 3 }; /* more than are cached */

static void identifier_of(uint32_t i, char value[16], Carehub__V1__Identifier *identifier)
{
    carehub__v1__identifier__init(identifier);
    snprintf(value, 16, "%u", i);
    identifier->system = (char *)"urn:test";
    identifier->value = value;
}

/* A card that only this person has: members of its own, with roles of different lengths, and many stops. */
static void put(struct persons *persons, struct person *person, size_t n_stops, uint64_t place)
{
    static char *const roles[MEMBERS] = {"gp", "informal-carer", "a-role-with-a-rather-long-name"};
    Carehub__V1__PatientCard card = CAREHUB__V1__PATIENT_CARD__INIT;
    Carehub__V1__PatientCard__Member members[MEMBERS], *list[MEMBERS];
    Carehub__V1__PatientCard__Stop stops[STOPS_MAX], *stop_list[STOPS_MAX];
    for (size_t i = 0; i < MEMBERS; i++) {
        carehub__v1__patient_card__member__init(&members[i]);
        members[i].actor = (uint32_t)(person->number * MEMBERS + i);
        members[i].role = roles[i];
        list[i] = &members[i];
    }
    for (size_t i = 0; i < n_stops; i++) {
        carehub__v1__patient_card__stop__init(&stops[i]);
        stops[i].actor = (uint32_t)i + 1;
        stop_list[i] = &stops[i];
    }
    card.n_members = MEMBERS;
    card.members = list;
    card.n_stops = n_stops;
    card.stops = stop_list;
    persons_put(persons, person, &card, place, 1);
}

static void assert_is(struct persons *persons, uint64_t number, size_t n_stops)
{
    bool damaged;
    const struct person *person = persons_get(persons, number, 1, &damaged);
    assert_non_null(person);
    assert_int_equal(person->number, number);
    assert_int_equal(person->card->n_members, MEMBERS);
    assert_int_equal(person->card->n_stops, n_stops);
    for (size_t i = 0; i < MEMBERS; i++)
        assert_int_equal(person->card->members[i]->actor, number * MEMBERS + i);
    for (size_t i = 0; i < n_stops; i++)
        assert_int_equal(person->card->stops[i]->actor, i + 1);
}

/* The keys too: they seal what is on disk already. */
static void persons_that_left_the_cache_are_read_again(void **state)
{
    struct hub *hub = *state;
    struct persons *persons = &hub->core->persons;
    uint8_t first_key[VAULT_KEY_BYTES] = {0};
    uint64_t first = 0;
    bool damaged;
    char value[16];
    Carehub__V1__Identifier identifier;
    store_begin(hub->core->store);
    for (uint32_t i = 0; i < PERSONS; i++) {
        struct person *person = persons_create(persons);
        identifier_of(i, value, &identifier);
        persons_identify(persons, &identifier, person->number);
        put(persons, person, person->number % 5, 1);
        if (i == 0) {
            first = person->number;
            memcpy(first_key, person->key, sizeof first_key);
        }
    }
    store_commit(hub->core->store);
    for (uint32_t i = 0; i < PERSONS; i += 7) {
        identifier_of(i, value, &identifier);
        assert_int_equal(persons_find(persons, &identifier, &damaged), first + i);
        assert_is(persons, first + i, (first + i) % 5);
    }
    assert_memory_equal(persons_get(persons, first, 1, &damaged)->key, first_key, sizeof first_key);
}

static void a_card_grows_and_shrinks_in_place(void **state)
{
    struct hub *hub = *state;
    struct persons *persons = &hub->core->persons;
    store_begin(hub->core->store);
    struct person *person = persons_create(persons);
    uint64_t number = person->number;
    for (size_t n = 0; n <= STOPS_MAX; n += 32) {
        put(persons, person, n, n + 1);
        assert_is(persons, number, n);
    }
    /* `changed` may be the card itself, or borrow from it. */
    persons_put(persons, person, person->card, STOPS_MAX + 2, 1);
    assert_is(persons, number, STOPS_MAX);
    put(persons, person, 0, STOPS_MAX + 3);
    store_commit(hub->core->store);
    persons_forget(persons);
    assert_is(persons, number, 0);
}

static void an_identifier_that_was_removed_leads_nowhere(void **state)
{
    struct hub *hub = *state;
    struct persons *persons = &hub->core->persons;
    char value[16];
    Carehub__V1__Identifier identifier;
    bool damaged;
    identifier_of(1, value, &identifier);
    store_begin(hub->core->store);
    uint64_t one = persons_create(persons)->number, other = persons_create(persons)->number;
    assert_int_equal(persons_find(persons, &identifier, &damaged), 0);
    persons_identify(persons, &identifier, one);
    assert_int_equal(persons_find(persons, &identifier, &damaged), one);
    persons_unidentify(persons, &identifier);
    assert_int_equal(persons_find(persons, &identifier, &damaged), 0);
    persons_identify(persons, &identifier, other);
    assert_int_equal(persons_find(persons, &identifier, &damaged), other);
    persons_forget(persons);
    assert_int_equal(persons_find(persons, &identifier, &damaged), other);
    store_commit(hub->core->store);
}

static int64_t number_from(struct hub *hub, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    assert_int_equal(sqlite3_prepare_v2(store_database(hub->core->store), sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void a_persons_row_has_the_latest_version_of_its_card(void **state)
{
    struct hub *hub = *state;
    hub_region(hub);
    hub_fact_good(hub, "{\"memberEnded\":{\"patient\":{\"identifier\":{\"system\":\"ssin\",\"value\":\"38041299949\"}},"
                       "\"actor\":\"gp\"}}");
    assert_true(number_from(hub, "SELECT count(*) FROM card WHERE kind = 4") > 1);
    assert_int_equal(number_from(hub, "SELECT count(*) FROM subject WHERE card IS NOT NULL"), 1);
    assert_int_equal(number_from(hub,
                                 "SELECT count(*) FROM subject s JOIN card c ON c.kind = 4 AND c.number = s.subject"
                                 " AND c.from_place = s.from_place AND c.body = s.card AND s.from_place ="
                                 " (SELECT max(from_place) FROM card WHERE kind = 4 AND number = s.subject)"),
                     1);
}

/* Of another person, of an earlier place, or altered: none opens. */
static void a_card_in_the_wrong_place_is_damaged(void **state)
{
    static const char *const wrongs[] = {
        "UPDATE subject SET card = (SELECT card FROM subject WHERE subject = ?1 + 1) WHERE subject = ?1",
        "UPDATE subject SET from_place = from_place - 1 WHERE subject = ?1",
        "UPDATE subject SET card = zeroblob(length(card)) WHERE subject = ?1",
        "UPDATE subject SET card = x'00' WHERE subject = ?1",
        "UPDATE subject SET wrapped = zeroblob(length(wrapped)) WHERE subject = ?1",
    };
    struct hub *hub = *state;
    hub->damaged = true;
    struct persons *persons = &hub->core->persons;
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        bool damaged;
        sqlite3_stmt *statement = NULL;
        store_begin(hub->core->store);
        struct person *one = persons_create(persons);
        uint64_t number = one->number;
        put(persons, one, 0, 2);
        put(persons, persons_create(persons), 0, 2);
        assert_int_equal(sqlite3_prepare_v2(store_database(hub->core->store), wrongs[i], -1, &statement, NULL),
                         SQLITE_OK);
        sqlite3_bind_int64(statement, 1, (int64_t)number);
        assert_int_equal(sqlite3_step(statement), SQLITE_DONE);
        sqlite3_finalize(statement);
        persons_forget(persons);
        assert_null(persons_get(persons, number, 1, &damaged));
        assert_true(damaged);
        assert_is(persons, number + 1, 0);
        assert_null(persons_get(persons, number + 2, 1, &damaged));
        assert_false(damaged); /* there is none */
        store_commit(hub->core->store);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, hub_setup, hub_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(persons_that_left_the_cache_are_read_again),   TEST(a_card_grows_and_shrinks_in_place),
        TEST(an_identifier_that_was_removed_leads_nowhere), TEST(a_persons_row_has_the_latest_version_of_its_card),
        TEST(a_card_in_the_wrong_place_is_damaged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
