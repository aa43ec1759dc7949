// Any bytes as FHIR medication: what is read can be kept, read back, and compared with itself without a difference.
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "fhir_medication.h"
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
    assert(same.outcome == SCHEME_SAME_VERSION || same.outcome == SCHEME_UNCHANGED);
    assert(!same.differs && same.body == NULL);
    struct scheme_result alone = scheme_diff(NULL, scheme, NULL, NULL);
    if (alone.body != NULL)
        carehub__v1__medication_changed__free_unpacked(alone.body, NULL);
    carehub__pharmacy__v1__scheme__free_unpacked(kept, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct medication_error error;
    struct medication_remarks remarks;
    Carehub__Pharmacy__V1__Scheme *scheme = fhir_medication_read(data, size, NULL, &error, &remarks);
    assert((scheme == NULL) == (error.fault != MEDICATION_FAULT_NONE));
    assert(scheme != NULL || (error.text[0] != '\0' && error.rule[0] != '\0'));
    if (scheme != NULL) {
        keep_and_compare(scheme);
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
    }
    return 0;
}
