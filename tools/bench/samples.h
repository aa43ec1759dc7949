/* samples.h - native messages of invented patients, as many different ones as wanted. */
#ifndef CAREHUB_BENCH_SAMPLES_H
#define CAREHUB_BENCH_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

enum { SAMPLE_MAX_BYTES = 64 << 10, SAMPLE_SSIN_BYTES = 12 };

/* What one sample is about. */
struct sample_of {
    uint64_t number;  /* no two messages have the same */
    uint32_t patient; /* below 20 million */
    uint32_t version; /* of this patient's medication scheme, from 1; each changes one line */
    int64_t now_s;    /* since 1970 */
};

/* Writes a message into `out`, SAMPLE_MAX_BYTES large; its length. */
typedef size_t sample_fn(char *out, const struct sample_of *of);

sample_fn sample_adt_a03, sample_rde_o11, sample_kmehr_scheme, sample_fhir_fall, sample_fhir_message, sample_plain_json;

/* A valid Belgian national number that nobody has. */
void sample_ssin(uint32_t patient, char ssin[SAMPLE_SSIN_BYTES]);

#endif
