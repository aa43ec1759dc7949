/* The model's past: each version of its world, and whether a ground for a delivery held all the time between two. */
#include "rules_game.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct game game;

_Noreturn void broken(const char *format, ...)
{
    va_list args;
    void *state = game.hub;
    va_start(args, format);
    fprintf(stderr, "step %zu: ", game.step + 1);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    hub_teardown(&state);
    _exit(1);
}

const struct world *latest(void)
{
    struct world *world = game.versions[game.n_versions - 1].world;
    for (int actor = 1; actor <= ACTORS; actor++)
        world->waiting[actor] = game.receivers[actor].waiting;
    return world;
}

size_t version_at(uint64_t place)
{
    size_t i = game.n_versions - 1;
    while (i > 0 && game.versions[i].place > place)
        i--;
    return i;
}

struct world *change(const struct op *op, uint64_t place, int64_t at)
{
    struct world *world = malloc(sizeof *world);
    if (!world)
        abort();
    if (game.n_versions)
        *world = *latest();
    else
        world_begin(world);
    game.versions[game.n_versions++] = (struct version){.place = place, .at = at, .op = *op, .world = world};
    return world;
}

struct event *event_at(uint64_t place)
{
    for (size_t i = 1; i <= OPS + game.n_own; i++)
        if (game.events[i].kept && game.events[i].place == place)
            return &game.events[i];
    return NULL;
}

const struct event *original_of(const struct event *event)
{
    const struct event *original = event->op.v[ORIGINAL] ? &game.events[event->op.v[ORIGINAL]] : NULL;
    return original && original->kept ? original : NULL;
}

const struct event *original_for(const struct event *event, bool later)
{
    return later && !event->op.v[RETRACTS] ? NULL : original_of(event);
}

static bool concerns(const struct op *op, const struct world *world, const struct event *event)
{
    return op->kind == OP_KINDS || root_of(world, (int)op->v[PERSON]) == root_of(world, event->person);
}

static bool merged_since(uint64_t from, uint64_t through)
{
    for (size_t i = version_at(from) + 1; i < game.n_versions && game.versions[i].place <= through; i++)
        if (game.versions[i].op.kind == MERGE || game.versions[i].op.kind == SEPARATE)
            return true;
    return false;
}

/* Was there a ground for it all the time since it was decided? With a merging in between it is as if the survivor's
 * team had been this person's all the time: only what holds in the end is asked. */
bool ground_held(const struct event *event, int actor, uint64_t from, uint64_t through, int64_t now)
{
    bool merged = merged_since(from, through);
    for (size_t i = version_at(from) + 1; i < game.n_versions && game.versions[i].place <= through; i++)
        if (!merged && !ground_of(game.versions[i - 1].world, event, actor, game.versions[i].at))
            return false;
    return ground_of(game.versions[version_at(through)].world, event, actor, now) > 0;
}

static bool began_since(const struct world *world, const struct event *event, int actor, int64_t at)
{
    const struct record *record = &world->persons[root_of(world, event->person)];
    for (size_t i = 0; i < record->n_relations; i++)
        if (record->relations[i].actor == actor && record->relations[i].from > at)
            return true;
    return false;
}

/* After something was taken away, what is younger than the event, or has begun since it was decided, does not count: a
 * ground that took over from another without a gap may be lost with it. That errs on the safe side. */
bool ground_changed(const struct event *event, int actor, const struct slot *slot)
{
    uint64_t from = slot->place;
    for (size_t i = version_at(from); i < game.n_versions; i++)
        if (began_since(game.versions[i].world, event, actor, slot->decided_at))
            return true;
    for (size_t i = version_at(from) + 1; i < game.n_versions; i++) {
        const struct op *op = &game.versions[i].op;
        bool person = op->kind == CONSENT || op->kind == WITHDRAW;
        bool related = (op->kind == MEMBER || op->kind == GRANT) && op->v[ACTOR] == actor;
        if ((person || related || op->kind == SETTING) && concerns(op, game.versions[i - 1].world, event))
            return true;
    }
    return merged_since(from, UINT64_MAX);
}
