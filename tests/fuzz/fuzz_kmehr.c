// Any bytes as a KMEHR message: what is read can be kept, read back, and compared with itself without a difference.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kmehr.h"
#include "scheme.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void keep_and_compare(const Carehub__Pharmacy__V1__Scheme *scheme)
{
    size_t len = carehub__pharmacy__v1__scheme__get_packed_size(scheme);
    uint8_t *bytes = malloc(len + 1);
    assert(bytes != NULL);
    carehub__pharmacy__v1__scheme__pack(scheme, bytes);
    Carehub__Pharmacy__V1__Scheme *kept = carehub__pharmacy__v1__scheme__unpack(NULL, len, bytes);
    free(bytes);
    assert(kept != NULL);
    struct scheme_result same = scheme_diff(kept, scheme, NULL, NULL);
    assert(same.outcome == (scheme->complete ? SCHEME_SAME_VERSION : SCHEME_UNCHANGED) && !same.differs);
    if (kept->version[0] != '\0')
        kept->version[0] = '\0';
    for (size_t i = 0; i < kept->n_lines; i++)
        if (kept->lines[i]->begin[0] != '\0') // an empty one may be shared
            kept->lines[i]->begin[0] = '\0';
    struct scheme_result other = scheme_diff(kept, scheme, NULL, NULL);
    if (other.body != NULL)
        carehub__v1__medication_changed__free_unpacked(other.body, NULL);
    carehub__pharmacy__v1__scheme__free_unpacked(kept, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct kmehr_options strict = {.strict = true};
    struct medication_error error;
    struct medication_remarks remarks;
    Carehub__Pharmacy__V1__Scheme *scheme = kmehr_read(data, size, NULL, &error, &remarks);
    assert((scheme == NULL) == (error.fault != MEDICATION_FAULT_NONE));
    assert(scheme != NULL || (error.text[0] != '\0' && error.rule[0] != '\0'));
    bool remarked = remarks.count > 0;
    if (scheme != NULL) {
        keep_and_compare(scheme);
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
        scheme = kmehr_read(data, size, &strict, &error, NULL);
        assert((scheme == NULL) == remarked);
        if (scheme != NULL)
            carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
    }
    return 0;
}
