// Orders as they stand, in the host's memory. Each is kept as an event of one change, its last: with the patient, so
// that a number that a hospital gives out again never brings one person's medicine to another.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rx_internal.h"

// With who gave it out (EI); "" if there is none, or it is too long to be told from others.
static void read_number(const struct adt_job *job, ptrdiff_t orc, unsigned field, char out[RX_NUMBER_BYTES])
{
    char number[RX_NUMBER_BYTES], space[RX_NUMBER_BYTES];
    adt_copy(job, adt_at(job, orc, field, 1), number, sizeof number);
    adt_copy(job, adt_at(job, orc, field, 2), space, sizeof space);
    int len = snprintf(out, RX_NUMBER_BYTES, "%s%s%s", space, space[0] != '\0' ? ":" : "", number);
    if (number[0] == '\0' || len >= (int)RX_NUMBER_BYTES - 1)
        out[0] = '\0';
}

void rx_read_numbers(const struct adt_job *job, ptrdiff_t orc, struct rx_numbers *numbers)
{
    read_number(job, orc, 2, numbers->placer);
    read_number(job, orc, 3, numbers->filler);
}

const char *rx_line(const struct rx_numbers *numbers)
{
    return numbers->placer[0] != '\0' ? numbers->placer : numbers->filler;
}

static void memory_name(const struct adt_job *job, char kind, const char *number, char out[RX_NAME_BYTES])
{
    const struct adt_sender *sender = job->in->sender;
    snprintf(out, RX_NAME_BYTES, "rx/%.128s/%c/%s", sender->actor != NULL ? sender->actor : sender->name, kind, number);
}

static bool share_identifier(const Carehub__V1__Patient *a, const Carehub__V1__Patient *b)
{
    for (size_t i = 0; a != NULL && b != NULL && i < a->n_identifiers; i++)
        for (size_t k = 0; k < b->n_identifiers; k++)
            if (strcmp(a->identifiers[i]->system, b->identifiers[k]->system) == 0 &&
                strcmp(a->identifiers[i]->value, b->identifiers[k]->value) == 0)
                return true;
    return false;
}

static Carehub__V1__MedicationChange *load(const struct adt_job *job, struct carehub_memory *memory, char kind,
                                           const char *number, const Carehub__V1__Patient *patient)
{
    char name[RX_NAME_BYTES];
    size_t len = 0;
    memory_name(job, kind, number, name);
    const void *bytes = number[0] != '\0' ? memory->load(memory, name, &len) : NULL;
    Carehub__V1__Event *kept = bytes != NULL ? carehub__v1__event__unpack(NULL, len, bytes) : NULL;
    Carehub__V1__MedicationChange *change = NULL;
    if (kept == NULL)
        return NULL;
    if (kept->body_case == CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED && kept->medication_changed->n_changes == 1 &&
        share_identifier(kept->patient, patient)) {
        change = kept->medication_changed->changes[0];
        kept->medication_changed->n_changes = 0;
    }
    carehub__v1__event__free_unpacked(kept, NULL);
    return change;
}

Carehub__V1__MedicationChange *rx_recall(const struct adt_job *job, struct carehub_memory *memory,
                                         struct rx_numbers *numbers, const Carehub__V1__Patient *patient)
{
    Carehub__V1__MedicationChange *known = load(job, memory, 'p', numbers->placer, patient);
    if (known == NULL)
        known = load(job, memory, 'f', numbers->filler, patient);
    // What the pharmacy sends may name its own number only; the order's name stays the placer's.
    if (known != NULL && numbers->placer[0] == '\0' && strcmp(known->line_id, numbers->filler) != 0)
        snprintf(numbers->placer, sizeof numbers->placer, "%s", known->line_id);
    return known;
}

static void store(struct adt_job *job, struct carehub_memory *memory, char kind, const char *number,
                  const Carehub__V1__Event *kept)
{
    char name[RX_NAME_BYTES];
    if (number[0] == '\0')
        return;
    size_t size = carehub__v1__event__get_packed_size(kept);
    uint8_t *bytes = malloc(size);
    memory_name(job, kind, number, name);
    if (bytes != NULL)
        carehub__v1__event__pack(kept, bytes);
    if (bytes == NULL || !memory->store(memory, name, bytes, size))
        job->no_memory = true;
    free(bytes);
}

void rx_keep(struct adt_job *job, struct carehub_memory *memory, const struct rx_numbers *numbers,
             Carehub__V1__Patient *patient, const Carehub__V1__MedicationChange *change)
{
    Carehub__V1__Event kept = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__MedicationChanged body = CAREHUB__V1__MEDICATION_CHANGED__INIT;
    Carehub__V1__MedicationChange standing = *change, *changes[] = {&standing};
    standing.previous_medicine = NULL;
    standing.previous_posology = NULL;
    body.changes = changes;
    body.n_changes = 1;
    kept.patient = patient;
    kept.body_case = CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED;
    kept.medication_changed = &body;
    store(job, memory, 'p', numbers->placer, &kept);
    store(job, memory, 'f', numbers->filler, &kept);
}
