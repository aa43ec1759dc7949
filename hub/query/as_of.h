/* as_of.h - the state as it was at a place of the log, as routing asks for it: from the versions of the cards. What the
 * log does not say is not known afterwards: whether an inbox was full. Core thread only. */
#ifndef CAREHUB_AS_OF_H
#define CAREHUB_AS_OF_H

#include "core/core_private.h"

struct as_of {
    struct core *core;
    struct arena *arena; /* for all that is answered */
    uint64_t place;
    uint32_t *first, *next; /* inboxes that an actor ever had: first[actor], then next[inbox]; 0 ends */
    size_t n_actors;
    struct as_of_actor {
        uint32_t number;
        bool known;
        struct route_actor found;
    } * seen; /* the actors asked for at this place: in the arena */
    size_t n_seen, seen_capacity;
};

/* Begins; as_of_close frees what it took. */
void as_of_open(struct as_of *at, struct core *core);
void as_of_close(struct as_of *at);
/* Goes to a place. What is answered from here on is in `arena`. */
void as_of_go(struct as_of *at, uint64_t place, struct arena *arena);

/* The policy in force; NULL: none, or damaged. The caller destroys it. */
struct policy *as_of_policy(struct as_of *at);
/* A person's card; NULL: not known yet, or damaged. */
Carehub__V1__PatientCard *as_of_patient(struct as_of *at, uint64_t patient);
/* What routing has to know of an event's entry, but for the policy. An event is decided at its own place on the state
 * before it, at a later one on the state then. `at` has to outlive the input. */
void as_of_input(struct as_of *at, const Entry *entry, struct route_input *input, struct route_original *original);

/* The last place that was written before or at that moment; 0: none. */
uint64_t as_of_moment(struct core *core, int64_t at_ms);
/* When the entry of a place was written; 0: there is none. */
int64_t as_of_written_ms(struct core *core, uint64_t place);
/* Which place a question is about, by place or moment; *place is 0 if it names neither. False, and an error, for what
 * lies beyond the log. */
bool as_of_asked(struct core *core, uint64_t at_place, int64_t at_ms, uint64_t *place, Error **error);

#endif
