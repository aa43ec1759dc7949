/* later.h - an event is delivered after its own decision: replays (replay.c), what was not read in time (unread.c), new
 * members (joiner.c), what was verified; and who is told of an emergency access (emergency.c). Core thread only. */
#ifndef CAREHUB_LATER_H
#define CAREHUB_LATER_H

#include "core/core_private.h"

/* A delivery after the event's own decisions: to whom and why. */
struct later {
    uint32_t actor, instead_of;
    Carehub__V1__Cause cause;
    uint64_t because;
};

/* Decides as things stand, without any effect. False: there is nothing to decide, because something of the event is
 * held for the actor already, or nothing of it was kept. In the scratch arena. */
bool later_decide(struct core *core, const Entry *event, uint32_t actor, struct route_decision *decided);
/* Logs the decision, and puts the delivery into the inboxes. The batch is open. */
void later_deliver(struct core *core, const Entry *event, const struct later *later,
                   const struct route_decision *decided);
/* Says in the log that nobody was left to be told. */
void later_nobody(struct core *core, const Entry *event, const struct later *later);
/* An amendment is decided like any event, whoever had the original; a retraction is for those who had it. */
static inline void route_input_later(struct route_input *input)
{
    if (!input->retracts)
        input->original = NULL;
}

/* Its last correction, or 0. */
uint64_t event_corrected_by(struct core *core, uint64_t place);
/* What stands in the place of an event: itself, or its last amendment; 0: it was retracted. */
uint64_t event_current(struct core *core, uint64_t place);
/* Brings an event's decisions up to date: what has become of those that held, and later ones. The entry is the scratch
 * arena's. */
void decisions_since(struct core *core, Entry *event);
/* Is an event in the log with its content? A correction that went out as notices only has been cut to what those say.
 */
bool event_whole(struct core *core, const Entry *event);
/* Has the actor been sent the event, or is that held, by its own decisions or later ones (brought up to date)? */
bool has_received(const Entry *event, uint32_t actor);
/* The fact by which a professional stood for an unverified event first: an EventVerified; NULL: nobody has, by the end
 * of place `through`. In the scratch arena. */
const Entry *event_verified(struct core *core, uint64_t event_place, uint64_t through);
/* Sends the event, whose decisions are up to date, again to those who received it; for the verification at a place. */
void later_verified(struct core *core, const Entry *event, uint64_t because);
/* The name of the actor that has not read what a LaterEntry is about; "" if none. In the scratch arena. */
const char *later_instead_of(struct core *core, uint64_t place);
/* The next LaterEntry about an event behind a place, which is set to its own; NULL: that was the last. */
const Entry *later_next(struct core *core, uint64_t event_place, uint64_t *place, struct arena *arena);

/* ---- Worked off behind the hot path ------------------------------------------------------------------------------ */

/* Each does a little of what is due, and returns how much it has looked at; at most `max` or a little more (behind.c).
 */
size_t replays_work(struct core *core, size_t max);
size_t joiners_work(struct core *core, size_t max);
size_t unread_work(struct core *core, size_t max);
void replay_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                  Carehub__V1__Answer *answer);
/* A member was added by the fact at a place, from from_ms on: it will be given what the policy gives to new ones. */
void joiner_add(struct core *core, uint64_t place, int64_t from_ms);
/* Notes what must be read by a time, of an entry that holds decisions. */
void unread_note(struct core *core, const Entry *entry);
/* Is all noted of an event that is still to be read by a time? */
bool unread_is_noted(struct core *core, const Entry *entry);
/* Emergency accesses are listed separately: notes that one was given at a place; what ends those on the card that an
 * actor has in a role (empty: in any) before their time, at a place. Who asks for them: emergency_query. */
void emergency_given(struct core *core, uint64_t place);
void emergency_ended(struct core *core, const struct person *person, uint32_t actor, const char *role, uint64_t place);
/* Tells the team and the person of an emergency access that was just given. */
void emergency_tell(struct core *core, struct person *person, const struct actor *who,
                    const Carehub__V1__GrantGiven *given);
/* Logs an event of the hub's own about a person, and puts it into the inboxes. Nothing if nobody is to be told. */
void take_own_event(struct core *core, Carehub__V1__Event *event, struct person *person);

#endif
