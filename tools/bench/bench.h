/* bench.h - what the parts of the benchmark share. One run: a hub of its own, a region, publishers,
 * receivers. */
#ifndef CAREHUB_BENCH_H
#define CAREHUB_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <carehub.h>

#include "histogram.h"

enum {
    BENCH_MEMBERS_MAX = 8,    /* with patient and consent they fit in one group of facts */
    BENCH_INBOXES_MAX = 4096, /* what one client may speak for */
    BENCH_PATIENTS_MAX = 10000000,
    BENCH_PUBLISHERS_MAX = 64,
    BENCH_RECEIVERS_MAX = 1024,
    BENCH_ATTACHMENTS_MAX = 64, /* of one session, as the hub has it */
    BENCH_EVENTS_MAX = 40000000,
    BENCH_PATH_BYTES = 512,
    BENCH_NAME_BYTES = 32,
    BENCH_TIMEOUT_MS = 30000, /* for one step of setting up */
    BENCH_STALL_MS = 15000,   /* without any progress, what is missing is missing */
};

struct bench_options {
    const char *scenario;
    const char *hubd;
    const char *policy;
    const char *dir; /* the hub's database is made below it */
    uint32_t patients;
    uint32_t inboxes;
    uint32_t members; /* of each care team: so many inboxes get each event */
    uint32_t publishers;
    uint32_t receivers;
    uint32_t window;   /* events of one publisher that are not yet confirmed; 1: one event in a frame */
    uint32_t credit;   /* deliveries of one inbox that are on their way */
    uint32_t payload;  /* bytes of a serialised event */
    double rate;       /* events per second, of all publishers; 0: as fast as possible */
    double duration_s; /* 0: until all events are sent */
    uint64_t events;   /* 0: until the duration is over */
    bool json;
    bool national; /* patients have a national number too, as native messages name them (samples.h) */
};

/* The hub that is measured. */
struct hub_process {
    pid_t pid;
    char dir[BENCH_PATH_BYTES];
    char endpoint[BENCH_PATH_BYTES];
    struct carehub_keypair key, operator_key;
};

/* A moment's counters, of both sides. */
struct sample {
    uint64_t at_ns;
    double hub_cpu_s, load_cpu_s;
    uint64_t hub_rss_bytes, hub_peak_bytes;
    uint64_t commits, events, deliveries, acks, undelivered;
    uint64_t database_bytes, wal_bytes;
};

struct run;

struct publisher {
    struct run *run;
    uint32_t index;
    carehub_client *client;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t room;
    uint32_t in_flight; /* under lock */
    uint64_t sent;      /* of the publisher's thread */
    atomic_ullong confirmed;
    atomic_ullong refused;
    struct histogram latency; /* publish to confirm, ns; of the client's thread */
};

/* One inbox, as its receiver sees it. */
struct receiving {
    struct receiver *receiver;
    uint32_t inbox;
    carehub_subscription *subscription;
    uint64_t last[2]; /* number, of each lane */
};

struct receiver {
    struct run *run;
    uint32_t index;
    carehub_client *client;
    struct receiving *inboxes;
    uint32_t n_inboxes;
    atomic_ullong received;
    struct histogram latency; /* publish to deliver, ns; of the client's thread */
};

/* What must not happen. */
struct faults {
    atomic_ullong doubled, misdelivered, gaps, skips, unknown;
    uint64_t missing;
};

struct run {
    const struct bench_options *options;
    struct hub_process hub;
    carehub_client *operator_client;
    uint8_t nonce[3];          /* in each event's id: no event of another run is taken for ours */
    uint64_t capacity;         /* events that there is room for */
    _Atomic uint64_t *sent_ns; /* of each event: when it was due; 0: not sent */
    _Atomic uint32_t *seen;    /* of each event: one bit for each member that has it */
    struct publisher publishers[BENCH_PUBLISHERS_MAX];
    struct receiver receivers[BENCH_RECEIVERS_MAX];
    atomic_uint attached;
    uint64_t started_ns, confirmed_ns, delivered_ns;
    struct faults faults;
    struct sample before, after;
};

/* ---- options.c: exit status, or -1 to go on --------------------------------------------------------------------- */
int options_read(struct bench_options *options, int argc, char **argv);

/* ---- hub_process.c ---------------------------------------------------------------------------------------------- */
bool hub_start(struct hub_process *hub, const struct bench_options *options);
void hub_stop(struct hub_process *hub); /* and removes its directory */
bool hub_sample(struct run *run, struct sample *sample);
uint64_t now_ns(void); /* CLOCK_MONOTONIC */
double process_cpu_s(pid_t pid);

/* ---- region.c: who is who, by number ---------------------------------------------------------------------------- */
void actor_name(uint32_t actor, char name[BENCH_NAME_BYTES]); /* its inbox has the same name */
void patient_value(uint32_t patient, char value[BENCH_NAME_BYTES]);
extern const char patient_system[];
/* The patient of an event, and the place of an actor in a patient's team; -1: not a member. */
uint32_t patient_of_event(const struct bench_options *options, uint64_t event);
int team_position(const struct bench_options *options, uint32_t patient, uint32_t actor);
bool region_register(struct run *run);
/* Opens a client of the region. `name` is registered with its key, publishing or speaking for actors [from,
 * to). */
carehub_client *region_client(struct run *run, const char *name, bool publishes, uint32_t from, uint32_t to);
/* Registers a client that publishes for the hospital, and gives its new key. */
bool region_publisher(struct run *run, const char *name, struct carehub_keypair *key);
bool complain(const char *what); /* says what failed, with the library's reason; false */

/* ---- publish.c, receive.c --------------------------------------------------------------------------------------- */
bool publishers_open(struct run *run);
bool publishers_start(struct run *run);
void publishers_join(struct run *run);
void publishers_close(struct run *run);
uint64_t publishers_sent(const struct run *run);
uint64_t publishers_settled(const struct run *run); /* confirmed or refused */
uint64_t publishers_refused(const struct run *run);
bool receivers_open(struct run *run);
void receivers_close(struct run *run);
uint64_t receivers_received(const struct run *run);

/* ---- report.c --------------------------------------------------------------------------------------------------- */
bool report(const struct run *run); /* true: nothing is missing or doubled */

#endif
