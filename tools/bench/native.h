/* native.h - what the benchmarks of formats and of adapters share: the kinds of native messages, and configurations. */
#ifndef CAREHUB_BENCH_NATIVE_H
#define CAREHUB_BENCH_NATIVE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "bench.h"
#include "histogram.h"
#include "samples.h"

/* Sections 'format' that take the samples. */
extern const char native_hospital_conf[], native_homecare_conf[], native_pharmacy_conf[];

/* The adapter that is measured. Zero it first. */
struct adapter_process {
    pid_t pid;
    char dir[BENCH_PATH_BYTES];
    char endpoint[BENCH_PATH_BYTES]; /* as it says itself; of a folder, its path */
};

/* Starts an adapter that is `name` to the hub, with these lines in its sections 'in' and 'format'. */
bool adapter_start(struct adapter_process *adapter, struct run *run, const char *name, const char *in,
                   const char *format);
void adapter_stop(struct adapter_process *adapter); /* and removes its directory */

/* What senders do to one adapter, and what comes of it. */
struct load {
    const struct sending *how;
    const struct adapter_process *adapter;
    uint32_t senders, patients;
    uint64_t started_ns, until_ns;
    int64_t now_s;
    atomic_ullong number;                   /* of messages that were begun */
    uint64_t answered, refused, elapsed_ns; /* once it is over */
    struct histogram latency;               /* ns */
};

/* A way to bring messages to an adapter, and the messages. */
struct sending {
    const char *name; /* for people */
    const char *in, *format;
    sample_fn *sample;
    void (*send)(struct load *load, uint32_t sender, struct histogram *latency, uint64_t *refused);
};

/* By MLLP, by HTTP with a connection that is kept, and into a folder. */
extern const struct sending sendings[];
enum { SENDINGS = 3 };

/* Lets the senders loose until the time is over. */
bool load_run(struct load *load);

/* The subcommands; argv[0] is their name. Exit status. */
int formats_main(int argc, char **argv);
int adapter_main(int argc, char **argv);

#endif
