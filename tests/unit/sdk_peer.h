/* sdk_peer.h - a scripted peer in place of a hub: a ROUTER with CURVE that says what the test tells it to, and hands
 * the test what clients say. Runs in the test's own thread. Heartbeats are answered by the way. */
#ifndef SDK_PEER_H
#define SDK_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "carehub.h"

enum { PATIENCE_MS = 8000, QUIET_MS = 150, IDENTITY_MAX_BYTES = 255 };

struct peer {
    void *context;
    void *socket;
    char endpoint[128];
    struct carehub_keypair key;
    uint8_t identity[IDENTITY_MAX_BYTES]; /* of the client heard last */
    size_t identity_size;
    bool mute;                  /* leaves heartbeats unanswered */
    Carehub__V1__Limits limits; /* for Welcome */
};

void peer_start(struct peer *peer);
/* Ends, as a hub that is killed; a peer_start afterwards comes back on the same port with the same key. */
void peer_kill(struct peer *peer);
void peer_free(struct peer *peer);

/* What the client says next; fails the test if it is not a `kind` (TO_HUB__MESSAGE_…). The test frees it. */
Carehub__V1__ToHub *peer_hear(struct peer *peer, Carehub__V1__ToHub__MessageCase kind);
/* Nothing (but heartbeats) may come for QUIET_MS. */
void peer_hear_nothing(struct peer *peer);
void peer_forget(Carehub__V1__ToHub *heard);

void peer_say(struct peer *peer, Carehub__V1__ToClient__MessageCase kind, void *message);
void peer_say_error(struct peer *peer, Carehub__V1__ErrorCode code, bool retry);
/* Hears Hello, says Welcome. */
void peer_welcome(struct peer *peer);
void peer_confirm(struct peer *peer, uint64_t ref, Carehub__V1__Confirmation__Status status);
void peer_reject(struct peer *peer, uint64_t ref, Carehub__V1__ErrorCode code, bool retry);
/* Hears Attach for an inbox, says Attached. */
void peer_attach(struct peer *peer, uint32_t handle, uint64_t epoch, uint64_t settled);
/* Delivers a minimal event with this number in the ordinary lane. */
void peer_deliver(struct peer *peer, uint32_t handle, uint64_t epoch, uint64_t number);

#endif
