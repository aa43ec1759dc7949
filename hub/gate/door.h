/* door.h - which keys may come in: those in the core's snapshot of standings, and, while an enrolment token
 * is outstanding, a few unknown ones that may knock to enrol. On the gate's thread. */
#ifndef CAREHUB_DOOR_H
#define CAREHUB_DOOR_H

#include "core/core.h"
#include "hub_limits.h"

/* A place for one connection of an unknown key. It is free again when nothing was heard from the key for a
 * while. */
struct door_seat {
    uint8_t key[KEY_BYTES];
    int64_t until_ms;
};

struct door {
    struct standings *standings; /* owned; NULL before the first snapshot: nobody comes in */
    struct door_seat seats[SESSIONS_UNENROLLED_MAX];
};

/* Takes over a new snapshot and frees the one before. */
void door_update(struct door *door, struct standings *standings);
void door_fini(struct door *door);

/* Is the key in standing? */
bool door_knows(const struct door *door, const uint8_t key[KEY_BYTES]);

/* May a connection with this key come in now? An unknown key takes a seat. Times are of one clock, in ms. */
bool door_admit(struct door *door, const uint8_t key[KEY_BYTES], int64_t now_ms);

/* Does the key have a seat (or enrolment is open and there is one left)? If so it keeps it. */
bool door_may_enrol(struct door *door, const uint8_t key[KEY_BYTES], int64_t now_ms);

#endif
