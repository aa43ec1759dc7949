/* carehub-bench: measures a hub, the way of a run is in measure(); formats (formats.c); and adapters (adapter.c). */
#include "bench.h"
#include "native.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { STEP_NS = 2000000, EVENTS_PER_S_MAX = 400000 };

/* Address space only: pages that are never touched cost nothing. */
static void *reserve(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

static bool prepare(struct run *run)
{
    const struct bench_options *o = run->options;
    double most = o->duration_s * (o->rate > 0 ? o->rate + 1 : EVENTS_PER_S_MAX);
    run->capacity = o->events > 0 ? o->events : most < BENCH_EVENTS_MAX ? (uint64_t)most : BENCH_EVENTS_MAX;
    run->sent_ns = reserve(run->capacity * sizeof *run->sent_ns);
    run->seen = reserve(run->capacity * sizeof *run->seen);
    randombytes_buf(run->nonce, sizeof run->nonce);
    return (run->sent_ns && run->seen) || complain("not enough memory for so many events");
}

/* Until everything sent is settled and everything expected has come, or nothing moves any more. */
static void await_quiet(struct run *run)
{
    uint64_t sent = publishers_sent(run), last_count = 0, moved_ns = now_ns();
    for (;;) {
        uint64_t settled = publishers_settled(run), received = receivers_received(run), now = now_ns();
        uint64_t expected = (sent - publishers_refused(run)) * run->options->members;
        if (settled >= sent && run->confirmed_ns == 0)
            run->confirmed_ns = now;
        if (settled >= sent && received >= expected)
            break;
        if (settled + received != last_count)
            moved_ns = now;
        else if (now - moved_ns > BENCH_STALL_MS * 1000000ull)
            break;
        last_count = settled + received;
        nanosleep(&(struct timespec){.tv_nsec = STEP_NS}, NULL);
    }
    run->delivered_ns = now_ns();
    if (run->confirmed_ns == 0)
        run->confirmed_ns = run->delivered_ns;
}

/* The last acknowledgements have to be entries of the log before the hub has done all its work. */
static bool await_acknowledged(struct run *run)
{
    uint64_t from = now_ns();
    do {
        if (!hub_sample(run, &run->after))
            return false;
        if (run->after.undelivered == 0)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = 5 * STEP_NS}, NULL);
    } while (now_ns() - from < BENCH_STALL_MS * 1000000ull);
    return true; /* the report says so */
}

static bool measure(struct run *run)
{
    if (!prepare(run) || !hub_start(&run->hub, run->options) || !region_register(run) || !receivers_open(run) ||
        !publishers_open(run) || !hub_sample(run, &run->before) || !publishers_start(run))
        return false;
    publishers_join(run);
    await_quiet(run);
    return await_acknowledged(run);
}

int main(int argc, char **argv)
{
    static struct run run; /* zero: what was never opened is closed without harm */
    struct bench_options options;
    if (argc > 1 && strcmp(argv[1], "formats") == 0)
        return formats_main(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "adapter") == 0)
        return adapter_main(argc - 1, argv + 1);
    int status = options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    if (sodium_init() < 0)
        return complain("the cryptographic library cannot be started"), EXIT_FAILURE;
    run.options = &options;
    bool measured = measure(&run);
    publishers_close(&run);
    receivers_close(&run);
    carehub_close(&run.operator_client);
    hub_stop(&run.hub);
    return measured && report(&run) ? EXIT_SUCCESS : EXIT_FAILURE;
}
