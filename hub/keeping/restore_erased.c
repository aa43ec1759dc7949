#include "restore_erased.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "carehub/v1/log.pb-c.h"

/* ---- In the other process --------------------------------------------------------------------------------------- */

static void add(struct restore_erasures *erasures, uint64_t person, uint32_t actor)
{
    for (size_t i = 0; i < erasures->n; i++)
        if (erasures->erased[i].person == person && erasures->erased[i].actor == actor)
            return;
    if (erasures->n == RESTORE_ERASED_MAX) {
        erasures->more = true;
        return;
    }
    erasures->erased[erasures->n].person = person;
    erasures->erased[erasures->n++].actor = actor;
}

static void add_all(struct restore_erasures *erasures, const uint64_t *persons, size_t n, uint32_t actor)
{
    for (size_t i = 0; i < n; i++)
        add(erasures, persons[i], 0);
    if (actor)
        add(erasures, 0, actor);
}

/* What is confirmed, and not done yet. */
static void add_under_way(struct restore_erasures *erasures, struct store *store, struct arena *arena)
{
    struct card row;
    int64_t at_ms = INT64_MIN;
    uint64_t place = 0;
    while (store_work_next(store, WORK_ERASURE, INT64_MAX, &at_ms, &place, arena, &row) == STORE_OK) {
        const Carehub__V1__ErasureCard *card = carehub__v1__erasure_card__unpack(&arena->protobuf, row.size, row.body);
        if (card)
            add_all(erasures, card->numbers, card->n_numbers, card->actor);
        arena_reset(arena);
    }
}

static void look(struct store *store, uint64_t since, struct restore_erasures *erasures)
{
    struct log *log = log_sqlite_open(store);
    struct log_record record;
    struct arena arena;
    int64_t at_ms;
    uint64_t last = log->functions->last(log, &at_ms);
    arena_init(&arena);
    erasures->known = log->functions->leaves(log, since, 1, &erasures->leaf) == 1;
    for (uint64_t place = since + 1; place <= last; place++) {
        const Carehub__V1__Entry *entry =
            log->functions->read(log, place, &arena, &record) == STORE_OK
                ? carehub__v1__entry__unpack(&arena.protobuf, record.entry_size, record.entry)
                : NULL;
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_ERASED)
            add_all(erasures, entry->erased->numbers, entry->erased->n_numbers, entry->erased->of_actor);
        arena_reset(&arena);
    }
    add_under_way(erasures, store, &arena);
    arena_fini(&arena);
    log->functions->close(&log);
}

/* Only a database of this version is read: opening an older one would rewrite it. */
static _Noreturn void read_and_tell(const struct restore *restore, int to)
{
    static struct restore_erasures erasures;
    char error[STORE_ERROR_BYTES];
    if (!freopen("/dev/null", "w", stderr)) /* what is wrong with it is nobody's concern any more */
        _exit(1);
    struct vault *vault = vault_new(restore->master_key);
    struct store *store =
        store_is_current(restore->database_path) ? store_open(restore->database_path, vault, NULL, error) : NULL;
    if (store) {
        look(store, restore->place, &erasures);
        store_close(&store);
    }
    const uint8_t *bytes = (const uint8_t *)&erasures;
    size_t done = 0;
    for (ssize_t n; done < sizeof erasures && (n = write(to, bytes + done, sizeof erasures - done)) > 0;)
        done += (size_t)n;
    _exit(done < sizeof erasures);
}

/* ---- In this one ------------------------------------------------------------------------------------------------ */

static bool receive(int from, struct restore_erasures *erasures)
{
    uint8_t *bytes = (uint8_t *)erasures;
    size_t done = 0;
    for (ssize_t n; done<sizeof *erasures; done += n> 0 ? (size_t)n : 0)
        if ((n = read(from, bytes + done, sizeof *erasures - done)) == 0 || (n < 0 && errno != EINTR))
            return false;
    return true;
}

void restore_erasures_read(const struct restore *restore, struct restore_erasures *erasures)
{
    int ends[2], status = 1;
    *erasures = (struct restore_erasures){0};
    if (access(restore->database_path, F_OK) != 0 || pipe2(ends, O_CLOEXEC) != 0)
        return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        read_and_tell(restore, ends[1]);
    close(ends[1]);
    bool received = child > 0 && receive(ends[0], erasures);
    close(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (!received || status != 0)
        *erasures = (struct restore_erasures){0};
}

static void name_actor(struct restore_erased *erased, struct store *store, struct arena *arena)
{
    struct card row;
    const Carehub__V1__ActorCard *card = NULL;
    if (store_card_get(store, CARD_ACTOR, erased->actor, PLACE_LATEST, arena, &row) == STORE_OK)
        card = carehub__v1__actor_card__unpack(&arena->protobuf, row.size, row.body);
    snprintf(erased->name, sizeof erased->name, "%s", card ? card->name : "");
}

void restore_erasures_take(struct restore *restore, const struct restore_erasures *erasures, struct store *store,
                           struct log *log)
{
    struct arena arena;
    struct card row;
    uint8_t leaf[1][LEAF_BYTES];
    restore->erased_known = erasures->known && log->functions->leaves(log, restore->place, 1, leaf) == 1 &&
                            memcmp(leaf[0], erasures->leaf, LEAF_BYTES) == 0;
    arena_init(&arena);
    for (size_t i = 0; restore->erased_known && i < erasures->n; i++) {
        struct restore_erased *erased = &restore->erased[restore->n_erased];
        *erased = (struct restore_erased){.person = erasures->erased[i].person, .actor = erasures->erased[i].actor};
        if (erased->person)
            restore->n_erased +=
                store_card_get(store, CARD_PATIENT, erased->person, PLACE_LATEST, &arena, &row) == STORE_OK;
        else
            name_actor(erased, store, &arena);
        restore->n_erased += erased->name[0] != '\0';
        arena_reset(&arena);
    }
    restore->erased_more = erasures->more;
    arena_fini(&arena);
}
