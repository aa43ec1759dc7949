#include "gate/sessions.h"

#include <assert.h>
#include <string.h>

#include "gate/memory.h"

enum { PLACES = 2 * SESSIONS_MAX, PLACE_MASK = PLACES - 1 };

_Static_assert((SESSIONS_MAX & (SESSIONS_MAX - 1)) == 0, "slots and places are masked out of numbers");
_Static_assert(SESSIONS_MAX < UINT16_MAX, "a slot fits into a place");

/* ---- By routing id: linear probing. Automatic ids count up, so their low bits spread evenly. -------------------- */

static size_t place_of(uint32_t routing)
{
    return routing & PLACE_MASK;
}

static struct session *at_place(const struct sessions *sessions, size_t place)
{
    return sessions->by_routing[place] ? sessions->slots[sessions->by_routing[place] - 1] : NULL;
}

static void routing_add(struct sessions *sessions, uint32_t routing, size_t slot)
{
    size_t place = place_of(routing);

    while (sessions->by_routing[place]) /* never full: there are twice as many places as slots */
        place = (place + 1) & PLACE_MASK;
    sessions->by_routing[place] = (uint16_t)(slot + 1);
}

/* Moves up those behind that could not be found across the gap. */
static void routing_remove(struct sessions *sessions, uint32_t routing)
{
    size_t gap = place_of(routing);

    while (at_place(sessions, gap)->routing != routing)
        gap = (gap + 1) & PLACE_MASK;
    for (size_t place = (gap + 1) & PLACE_MASK; sessions->by_routing[place]; place = (place + 1) & PLACE_MASK) {
        size_t wanted = place_of(at_place(sessions, place)->routing);
        if (((place - wanted) & PLACE_MASK) < ((place - gap) & PLACE_MASK))
            continue; /* it is at or behind its own place even so */
        sessions->by_routing[gap] = sessions->by_routing[place];
        gap = place;
    }
    sessions->by_routing[gap] = 0;
}

struct session *sessions_by_routing(const struct sessions *sessions, uint32_t routing)
{
    for (size_t place = place_of(routing); sessions->by_routing[place]; place = (place + 1) & PLACE_MASK) {
        struct session *session = at_place(sessions, place);
        if (session->routing == routing)
            return session;
    }
    return NULL;
}

/* ---- By number: the low bits are the slot, the rest counts up, so a number is never used again ------------------ */

struct session *sessions_by_id(const struct sessions *sessions, session_id id)
{
    struct session *session = sessions->slots[id & (SESSIONS_MAX - 1)];

    return session && session->id == id ? session : NULL;
}

struct session *sessions_open(struct sessions *sessions, uint32_t routing)
{
    if (sessions->n == SESSIONS_MAX)
        return NULL;
    assert(!sessions_by_routing(sessions, routing));
    sessions->opened++;
    size_t slot = sessions->opened & (SESSIONS_MAX - 1);
    while (sessions->slots[slot])
        slot = (slot + 1) & (SESSIONS_MAX - 1);

    struct session *session = memory_get_zeroed(1, sizeof *session);
    session->id = sessions->opened * SESSIONS_MAX + slot;
    session->routing = routing;
    session->gone = frame_gone(session->id);
    sessions->slots[slot] = session;
    sessions->n++;
    routing_add(sessions, routing, slot);
    return session;
}

void sessions_close(struct sessions *sessions, struct session *session)
{
    struct out *out;

    routing_remove(sessions, session->routing);
    sessions->slots[session->id & (SESSIONS_MAX - 1)] = NULL;
    sessions->n--;
    while ((out = session_next(session)) != NULL)
        out_free(out);
    frame_free(session->gone);
    free(session);
}

size_t sessions_of_key(const struct sessions *sessions, const uint8_t key[KEY_BYTES])
{
    size_t n = 0;

    for (size_t slot = 0; slot < SESSIONS_MAX; slot++)
        n += sessions->slots[slot] && memcmp(sessions->slots[slot]->key, key, KEY_BYTES) == 0;
    return n;
}

/* ---- What waits for the socket ---------------------------------------------------------------------------------- */

void session_wait(struct session *session, struct out *out)
{
    out->node.next = NULL;
    if (session->waiting_first)
        session->waiting_last->next = &out->node;
    else
        session->waiting_first = &out->node;
    session->waiting_last = &out->node;
    if (!out->delivery)
        session->waiting_answers_bytes += out->size;
}

void session_wait_first(struct session *session, struct out *out)
{
    out->node.next = session->waiting_first;
    if (!session->waiting_first)
        session->waiting_last = &out->node;
    session->waiting_first = &out->node;
    if (!out->delivery)
        session->waiting_answers_bytes += out->size;
}

struct out *session_waiting(const struct session *session)
{
    return (struct out *)session->waiting_first;
}

struct out *session_next(struct session *session)
{
    struct out *out = (struct out *)session->waiting_first;

    if (!out)
        return NULL;
    session->waiting_first = out->node.next;
    if (!out->delivery)
        session->waiting_answers_bytes -= out->size;
    return out;
}
