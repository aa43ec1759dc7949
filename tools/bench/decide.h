/* decide.h - what one decision costs, by the number of patients and actors: the hub's core in this process, on this
 * thread, without sockets; so its cost is this thread's processor time, whatever else the machine does. */
#ifndef CAREHUB_BENCH_DECIDE_H
#define CAREHUB_BENCH_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DECIDE_MEMBERS_MAX = 8,
    DECIDE_SIZES_MAX = 8,
    DECIDE_PATIENTS_MAX = 20000000,
    DECIDE_ACTORS_MAX = 99000, /* with their publisher below what a hub has room for */
    DECIDE_TEXT_BYTES = 512,
};

struct decide_size {
    uint32_t patients, actors, members;
    uint32_t events, warm_up; /* measured; before them, so that caches are as they are in service */
    uint32_t versions;        /* of each card, the last ones: as its facts leave them */
    uint32_t repeats;         /* of the measurement; each time is the lowest: what else the machine does only adds */
    bool receivers;           /* each inbox is attached, and acknowledges what it gets */
    bool audit_log;           /* there is one, as in every hub */
    const char *dir, *policy;
};

/* Of one size. Times are of this thread, in µs for an event; instructions likewise, 0 where they cannot be counted. */
struct decided {
    double made_s;       /* until the patients were there */
    double taken;        /* core_handle of publications */
    double acknowledged; /* … of acknowledgements */
    double pushed;       /* core_commit */
    double event;        /* all three, in one measurement */
    double instructions; /* of all three */
    double apart;        /* what the hub's other thread does for the audit log: tiles, checkpoints */
    double leaf;         /* of `taken`: salts and hashes of a leaf, which every entry has */
    double looked_up;    /* of one decision: identifier, card and key … */
    double routed;       /* … and route_event */
    uint64_t resident_bytes, page_cache_bytes, database_bytes;
    double disk_reads; /* of an event: blocks of 512 bytes that were not in the system's own cache */
};

/* Makes the region in a directory of its own below size->dir, measures, and removes it. False: it has said why. */
bool decide_measure(const struct decide_size *size, struct decided *decided);

/* ---- decide_audit.c: one thread does what in the hub another one does, and the time is taken apart ---------------- */

struct vault;

/* The cost of one leaf, in µs. */
double decide_leaf(struct vault *vault);
/* Does a job at once; ctx is a double, to which its time is added (s). */
void decide_work_apart(void *ctx, void (*job)(void *arg), void *arg);
void decide_remove(const char *directory);

/* ---- decide_region.c --------------------------------------------------------------------------------------------- */

struct core;

/* Registers actors with an inbox each, and the clients that speak for them, as a registrar would: by facts. */
bool decide_register(struct core *core, const struct decide_size *size);
/* Puts the patients into the database through the store's own functions: each with an identifier, a key, and the
 * versions of its card that a consent and one fact for each member leave. The core is to be opened anew after it. */
bool decide_fill(struct core *core, const struct decide_size *size);

void decide_actor_name(uint32_t actor, char name[32]);
void decide_patient_value(uint32_t patient, char value[32]);
/* The key of a session: 0 the registrar's, 1 the publisher's, from 2 on the receiving clients'. */
void decide_key(uint32_t client, uint8_t key[32]);

enum { DECIDE_CLIENT_ACTORS = 4096, DECIDE_REGISTRAR = 0, DECIDE_PUBLISHER = 1, DECIDE_RECEIVERS = 2 };
extern const char decide_system[];
extern const uint8_t decide_master_key[32];

#endif
