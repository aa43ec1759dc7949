/* histogram.h - counts of durations in buckets of equal relative width (1/64), from 1 ns to 2^63 ns. Fixed
 * size; not for several threads. */
#ifndef CAREHUB_BENCH_HISTOGRAM_H
#define CAREHUB_BENCH_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_BUCKETS = 64 * 64 };

struct histogram {
    uint64_t n;
    uint64_t max; /* exact */
    uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The value that `fraction` (0 to 1) of all are not above; 0 if there are none. */
uint64_t histogram_at(const struct histogram *h, double fraction);

#endif
