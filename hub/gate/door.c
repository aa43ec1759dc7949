#include "gate/door.h"

#include <stdlib.h>
#include <string.h>

void door_update(struct door *door, struct standings *standings)
{
    free(door->standings);
    door->standings = standings;
}

void door_fini(struct door *door)
{
    door_update(door, NULL);
}

static int compare_key(const void *key, const void *standing)
{
    return memcmp(key, ((const struct standing *)standing)->key, KEY_BYTES);
}

bool door_knows(const struct door *door, const uint8_t key[KEY_BYTES])
{
    const struct standings *standings = door->standings;

    return standings && bsearch(key, standings->keys, standings->n, sizeof standings->keys[0], compare_key);
}

static bool take_seat(struct door *door, const uint8_t key[KEY_BYTES], int64_t now_ms)
{
    for (size_t i = 0; i < SESSIONS_UNENROLLED_MAX; i++) {
        struct door_seat *seat = &door->seats[i];
        if (seat->until_ms > now_ms)
            continue;
        memcpy(seat->key, key, KEY_BYTES);
        seat->until_ms = now_ms + SESSION_SILENT_MAX_MS;
        return true;
    }
    return false;
}

static bool enrolment_open(const struct door *door)
{
    return door->standings && door->standings->enrolment_open;
}

bool door_admit(struct door *door, const uint8_t key[KEY_BYTES], int64_t now_ms)
{
    if (door_knows(door, key))
        return true;
    return enrolment_open(door) && take_seat(door, key, now_ms);
}

bool door_may_enrol(struct door *door, const uint8_t key[KEY_BYTES], int64_t now_ms)
{
    bool seated = false;

    if (!enrolment_open(door))
        return false;
    for (size_t i = 0; i < SESSIONS_UNENROLLED_MAX; i++) {
        struct door_seat *seat = &door->seats[i];
        if (seat->until_ms <= now_ms || memcmp(seat->key, key, KEY_BYTES) != 0)
            continue;
        seat->until_ms = now_ms + SESSION_SILENT_MAX_MS;
        seated = true;
    }
    return seated || take_seat(door, key, now_ms);
}
