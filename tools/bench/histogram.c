#include "histogram.h"

#include <math.h>

enum { STEPS_BITS = 6, STEPS = 1 << STEPS_BITS };

/* The values below 64 have a bucket each; then each doubling has 64 of them. */
static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned shift = 63 - (unsigned)__builtin_clzll(value) - STEPS_BITS;
    unsigned bucket = (shift + 1) * STEPS + (unsigned)((value >> shift) & (STEPS - 1));
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The largest value of a bucket. */
static uint64_t top_of(unsigned bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = bucket / STEPS - 1;
    return ((uint64_t)(STEPS + bucket % STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->n++;
    h->counts[bucket_of(value)]++;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    into->n += from->n;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->counts[i] += from->counts[i];
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_at(const struct histogram *h, double fraction)
{
    uint64_t rank = (uint64_t)ceil(fraction * (double)h->n), seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->n > 0; i++) {
        seen += h->counts[i];
        if (seen >= rank)
            return top_of(i) < h->max ? top_of(i) : h->max;
    }
    return h->max;
}
