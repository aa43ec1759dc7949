/* “Told personally” means read: what is delivered at once to a role that has to read it in time, and is not, goes to
 * the next in line, or the log says that nobody was left. Once each. */
#include "rules_game.h"

#include <stdlib.h>
#include <string.h>

void watch_add(const struct event *event, int actor, const Decision *decision, uint64_t place, int64_t at)
{
    static size_t capacity;
    int role = 0;
    for (int i = 1; i < ROLES; i++)
        if (strcmp(role_names[i], decision->role) == 0)
            role = i;
    int64_t within = unread_ms(role, (int)event->op.v[TYPE]);
    if (!within || decision->notice || decision->n_slots == 0 || !event->op.v[URGENT])
        return;
    if (game.n_watches == capacity) {
        capacity = capacity ? 2 * capacity : 256;
        game.watches = realloc(game.watches, capacity * sizeof *game.watches);
        if (!game.watches)
            abort();
    }
    game.watches[game.n_watches++] = (struct watch){.place = place,
                                                    .event = (size_t)(event - game.events),
                                                    .actor = actor,
                                                    .lane = (enum lane_is)decision->slots[0]->lane,
                                                    .number = decision->slots[0]->number,
                                                    .due = at + within};
}

void watch_read(int actor, int lane, uint64_t number)
{
    for (size_t i = 0; i < game.n_watches; i++)
        if (game.watches[i].actor == actor && (int)game.watches[i].lane == lane && game.watches[i].number == number)
            game.watches[i].read = true;
}

/* Nobody who stands further in front, and could be told, was passed over. */
static void check_first_in_line(struct event *event, const Entry *entry)
{
    int told = (int)entry->later->decision->actor, instead = (int)entry->later->instead_of;
    int person = root_of(latest(), event->person);
    int at = told ? next_in_line(latest(), person, told, entry->at_ms) : IN_LINE + 1;
    if (!at || (told && event->in_line >> told & 1))
        broken("event %lld goes on to %s, who is not in line, or has been told", event->op.v[ID], actor_names[told]);
    for (int actor = 1; actor <= ACTORS; actor++) {
        int before = next_in_line(latest(), person, actor, entry->at_ms);
        if (!before || before >= at || actor == instead || event->held[actor] || event->in_line >> actor & 1)
            continue;
        if (judge(latest(), event, original_for(event, true), actor, entry->at_ms).is == DELIVERED)
            broken("event %lld, not read by %s, goes on to %s: %s comes first", event->op.v[ID], actor_names[instead],
                   told ? actor_names[told] : "nobody", actor_names[actor]);
    }
    event->in_line |= 1u << instead | (told ? 1u << told : 0);
}

void watch_escalated(const Entry *entry)
{
    const Carehub__V1__LaterEntry *later = entry->later;
    for (size_t i = 0; i < game.n_watches; i++) {
        struct watch *watch = &game.watches[i];
        if (watch->place != later->because || watch->actor != (int)later->instead_of)
            continue;
        bool again = watch->told || (watch->nobody && later->decision->actor == 0);
        if (watch->read || again || entry->at_ms < watch->due)
            broken("place %llu: event %lld goes on from %s, %s", (unsigned long long)entry->place,
                   game.events[watch->event].op.v[ID], actor_names[watch->actor],
                   watch->read ? "who has read it"
                   : again     ? "for the second time"
                               : "before the time is over");
        check_first_in_line(&game.events[watch->event], entry);
        watch->told = later->decision->actor != 0;
        watch->nobody |= !watch->told; /* then it is looked at again, from time to time */
        return;
    }
    broken("place %llu: an escalation of what nobody has to read", (unsigned long long)entry->place);
}

void watches_kept(int64_t at)
{
    for (size_t i = 0; i < game.n_watches; i++) {
        const struct watch *watch = &game.watches[i];
        if (!watch->read && !watch->told && !watch->nobody && watch->due <= at && !game.events[watch->event].corrected)
            broken("event %lld was not read by %s in time, and went on to nobody", game.events[watch->event].op.v[ID],
                   actor_names[watch->actor]);
    }
}
