/* registry.h - actors, clients and inboxes as they stand, in memory, and the policy in force; loaded from their cards.
 * Numbers start at 1 and are never reused; names neither. Core thread only. */
#ifndef CAREHUB_REGISTRY_H
#define CAREHUB_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <czmq.h>

#include "carehub/v1/log.pb-c.h"
#include "route/policy.h"
#include "route/route.h"
#include "store/store.h"

struct inbox; /* inbox.h */

struct actor {
    uint32_t number;
    uint64_t from_place; /* of this version of the card */
    Carehub__V1__ActorCard *card;
    struct route_inbox *inboxes; /* open ones; `full` is kept by inbox.c */
    size_t n_inboxes;
};

struct client {
    uint32_t number;
    uint64_t from_place;
    Carehub__V1__ClientCard *card;
    uint32_t types; /* bit n: may publish type n; bit 0: all */
};

struct registry {
    struct store *store;
    struct actor **actors; /* [number - 1] */
    struct client **clients;
    struct inbox **inboxes;
    size_t n_actors, n_clients, n_inboxes;
    zhashx_t *actor_names, *client_names, *inbox_names;
    struct policy *policy;
    uint64_t policy_place;
    uint64_t changed_place; /* of the last fact about an actor, inbox or the policy: deliveries that were decided
                               later need no second look on their account */
    bool standings_changed; /* keys or offers: the gate needs a new snapshot */
};

/* Loads everything from the store. False and a reason: a card is damaged. */
bool registry_open(struct registry *registry, struct store *store, char *error, size_t error_size);
void registry_close(struct registry *registry);
/* Reads the cards again after a rollback; what was registered since is gone. Lanes are not touched. */
void registry_reload(struct registry *registry);

struct actor *registry_actor(const struct registry *registry, uint32_t number); /* NULL: none */
struct client *registry_client(const struct registry *registry, uint32_t number);
struct inbox *registry_inbox(const struct registry *registry, uint32_t number);
struct actor *registry_actor_named(const struct registry *registry, const char *name);
struct client *registry_client_named(const struct registry *registry, const char *name);
struct inbox *registry_inbox_named(const struct registry *registry, const char *name);

/* Takes over `card` (unpacked with the default allocator) as the version of its number from `place` on, in memory and
 * in the store. A new number is the next one. */
struct actor *registry_put_actor(struct registry *registry, uint32_t number, Carehub__V1__ActorCard *card,
                                 uint64_t place);
struct client *registry_put_client(struct registry *registry, uint32_t number, Carehub__V1__ClientCard *card,
                                   uint64_t place);
struct inbox *registry_put_inbox(struct registry *registry, uint32_t number, Carehub__V1__InboxCard *card,
                                 uint64_t place);
/* The text has been checked before it became an entry. */
void registry_put_policy(struct registry *registry, struct policy *policy, const char *text, uint64_t place);

/* The client with that key, if it is in standing; else NULL. */
struct client *registry_client_by_key(const struct registry *registry, const uint8_t key[32]);
bool client_in_standing(const struct client *client, const uint8_t key[32]);
bool client_has_role(const struct client *client, Carehub__V1__OperatorRole role);
bool client_speaks_for(const struct client *client, uint32_t actor);

/* A person in care or an informal carer: what they enter needs a relation, and is unverified. */
bool actor_enters_unverified(const struct actor *actor);

/* Tells routing what it asks of an actor (route_actor_fn; ctx is the registry). */
bool registry_route_actor(void *registry, uint32_t number, struct route_actor *found);
/* The same for what is in an inbox already: it needs no room any more. */
bool registry_route_queued(void *registry, uint32_t number, struct route_actor *found);

/* Bits of a list of event types; the number 0 stands for all. */
uint32_t type_bits(size_t n, const uint32_t *types);

/* A deep copy of a message, with the default allocator. */
void *message_copy(const void *message);

#endif
