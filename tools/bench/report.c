/* report.c - the figures, and whether anything is missing or doubled. */
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const double fractions[] = {0.50, 0.95, 0.99};

struct figures {
    uint64_t sent, confirmed, received, expected;
    double publish_s, deliver_s, wall_s;
    struct histogram confirm, deliver;
    double hub_cpu_s, load_cpu_s;
    uint64_t commits;
};

static uint64_t count_missing(const struct run *run)
{
    uint64_t missing = 0;
    for (uint64_t i = 0; i < run->capacity; i++)
        if (atomic_load(&run->sent_ns[i]) > 0)
            missing += run->options->members - (unsigned)__builtin_popcount(atomic_load(&run->seen[i]));
    return missing;
}

static bool all_there(const struct run *run, uint64_t missing)
{
    const struct faults *f = &run->faults;
    return missing + publishers_refused(run) + atomic_load(&f->doubled) + atomic_load(&f->misdelivered) +
               atomic_load(&f->gaps) + atomic_load(&f->skips) + atomic_load(&f->unknown) + run->after.undelivered ==
           0;
}

static void collect(const struct run *run, struct figures *f)
{
    *f = (struct figures){0};
    f->sent = publishers_sent(run);
    f->confirmed = publishers_settled(run) - publishers_refused(run);
    f->received = receivers_received(run);
    f->expected = f->confirmed * run->options->members;
    f->publish_s = (double)(run->confirmed_ns - run->started_ns) / 1e9;
    f->deliver_s = (double)(run->delivered_ns - run->started_ns) / 1e9;
    f->wall_s = (double)(run->after.at_ns - run->before.at_ns) / 1e9;
    f->hub_cpu_s = run->after.hub_cpu_s - run->before.hub_cpu_s;
    f->load_cpu_s = run->after.load_cpu_s - run->before.load_cpu_s;
    f->commits = run->after.commits - run->before.commits;
    for (uint32_t i = 0; i < run->options->publishers; i++)
        histogram_merge(&f->confirm, &run->publishers[i].latency);
    for (uint32_t i = 0; i < run->options->receivers; i++)
        histogram_merge(&f->deliver, &run->receivers[i].latency);
}

static double per(double value, double of)
{
    return of > 0 ? value / of : 0;
}

static void print_latency(const char *name, const struct histogram *h)
{
    printf("  %-20s", name);
    for (size_t i = 0; i < sizeof fractions / sizeof *fractions; i++)
        printf("  p%.0f %.3f ms", 100 * fractions[i], (double)histogram_at(h, fractions[i]) / 1e6);
    printf("  max %.3f ms\n", (double)h->max / 1e6);
}

static void print_text(const struct run *run, const struct figures *f)
{
    const struct bench_options *o = run->options;
    printf("%s: %u patients, %u inboxes, %u to an event; %u publishers, %u receivers, %u bytes, window %u, ",
           o->scenario, o->patients, o->inboxes, o->members, o->publishers, o->receivers, o->payload, o->window);
    if (o->rate > 0)
        printf("%.0f events/s wanted\n", o->rate);
    else
        printf("as fast as possible\n");
    printf("included: CURVE, authorisation, routing decision, encryption at rest, audit log, fsync before "
           "confirm,\n"
           "          libcarehub on both sides; load and hub share %ld cores\n\n",
           sysconf(_SC_NPROCESSORS_ONLN));
    printf("  events               %.0f/s  (%" PRIu64 " confirmed in %.2f s)\n",
           per((double)f->confirmed, f->publish_s), f->confirmed, f->publish_s);
    printf("  deliveries           %.0f/s  (%" PRIu64 " in %.2f s, each acknowledged)\n",
           per((double)f->received, f->deliver_s), f->received, f->deliver_s);
    print_latency("publish to confirm", &f->confirm);
    print_latency("publish to deliver", &f->deliver);
    printf("  hub                  %.0f%% of a core, %.1f us an event; memory %.0f MB, at most %.0f MB\n",
           100 * per(f->hub_cpu_s, f->wall_s), 1e6 * per(f->hub_cpu_s, (double)f->confirmed),
           (double)run->after.hub_rss_bytes / 1e6, (double)run->after.hub_peak_bytes / 1e6);
    printf("  load generators      %.0f%% of a core, %.1f us an event\n", 100 * per(f->load_cpu_s, f->wall_s),
           1e6 * per(f->load_cpu_s, (double)f->confirmed));
    printf("  commits              %" PRIu64 ", an fsync each (checkpoints come on top); %.1f events to a commit\n",
           f->commits, per((double)f->confirmed, (double)f->commits));
    printf("  disk                 database %.0f MB, write-ahead log %.0f MB; %.0f bytes an event\n\n",
           (double)run->after.database_bytes / 1e6, (double)run->after.wal_bytes / 1e6,
           per((double)run->after.database_bytes - (double)run->before.database_bytes, (double)f->confirmed));
}

static void print_faults(const struct run *run, const struct figures *f, uint64_t missing)
{
    const struct faults *x = &run->faults;
    if (all_there(run, missing)) {
        printf("all there: each of %" PRIu64 " deliveries came exactly once, numbers have no gap, all acknowledged\n",
               f->expected);
        return;
    }
    printf("WRONG: %" PRIu64 " missing, %llu doubled, %llu to the wrong inbox, %llu gaps in the numbers, %llu skips, "
           "%llu unknown, %" PRIu64 " publications refused, %" PRIu64 " not acknowledged\n",
           missing, atomic_load(&x->doubled), atomic_load(&x->misdelivered), atomic_load(&x->gaps),
           atomic_load(&x->skips), atomic_load(&x->unknown), publishers_refused(run), run->after.undelivered);
}

static void json_latency(const char *name, const struct histogram *h)
{
    printf("\"%s\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f},", name, (double)histogram_at(h, 0.50) / 1e6,
           (double)histogram_at(h, 0.95) / 1e6, (double)histogram_at(h, 0.99) / 1e6, (double)h->max / 1e6);
}

static void print_json(const struct run *run, const struct figures *f, uint64_t missing)
{
    const struct bench_options *o = run->options;
    const struct faults *x = &run->faults;
    printf("{\"scenario\":\"%s\",\"patients\":%u,\"inboxes\":%u,\"members\":%u,\"publishers\":%u,"
           "\"receivers\":%u,"
           "\"payload_bytes\":%u,\"window\":%u,\"rate\":%.0f,",
           o->scenario, o->patients, o->inboxes, o->members, o->publishers, o->receivers, o->payload, o->window,
           o->rate);
    printf("\"events\":%" PRIu64 ",\"events_per_s\":%.0f,\"deliveries\":%" PRIu64 ",\"deliveries_per_s\":%.0f,",
           f->confirmed, per((double)f->confirmed, f->publish_s), f->received, per((double)f->received, f->deliver_s));
    json_latency("publish_to_confirm_ms", &f->confirm);
    json_latency("publish_to_deliver_ms", &f->deliver);
    printf("\"hub_cpu_percent\":%.1f,\"load_cpu_percent\":%.1f,\"hub_rss_bytes\":%" PRIu64
           ",\"hub_peak_bytes\":%" PRIu64 ",\"commits\":%" PRIu64 ",\"fsyncs\":%" PRIu64 ",\"database_bytes\":%" PRIu64
           ",",
           100 * per(f->hub_cpu_s, f->wall_s), 100 * per(f->load_cpu_s, f->wall_s), run->after.hub_rss_bytes,
           run->after.hub_peak_bytes, f->commits, f->commits, run->after.database_bytes);
    printf("\"missing\":%" PRIu64 ",\"doubled\":%llu,\"misdelivered\":%llu,\"gaps\":%llu,\"refused\":%" PRIu64
           ",\"all_there\":%s}\n",
           missing, atomic_load(&x->doubled), atomic_load(&x->misdelivered), atomic_load(&x->gaps),
           publishers_refused(run), all_there(run, missing) ? "true" : "false");
}

bool report(const struct run *run)
{
    static struct figures figures;
    uint64_t missing = count_missing(run);
    collect(run, &figures);
    if (run->options->json)
        print_json(run, &figures, missing);
    else
        print_text(run, &figures);
    if (!run->options->json)
        print_faults(run, &figures, missing);
    return all_there(run, missing);
}
