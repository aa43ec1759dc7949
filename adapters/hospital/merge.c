#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adt_internal.h"

bool merge_takes(const struct hl7v2_message *message)
{
    char type[8], trigger[8];
    hl7v2_text(message, "MSH-9.1", type, sizeof type, NULL);
    adt_trigger(message, trigger, sizeof trigger);
    return strcmp(type, "ADT") == 0 && (strcmp(trigger, "A40") == 0 || strcmp(trigger, "A34") == 0);
}

void merge_facts_clear(struct merge_facts *facts)
{
    while (facts->count > 0)
        carehub__v1__fact__free_unpacked(facts->facts[--facts->count], NULL);
}

// ---- Who is who

static const Carehub__V1__Identifier *of_system(const Carehub__V1__Patient *patient, const char *system)
{
    for (size_t i = 0; i < patient->n_identifiers; i++)
        if (strcmp(patient->identifiers[i]->system, system) == 0)
            return patient->identifiers[i];
    return NULL;
}

static bool has(const Carehub__V1__Patient *patient, const Carehub__V1__Identifier *identifier)
{
    for (size_t i = 0; i < patient->n_identifiers; i++)
        if (strcmp(patient->identifiers[i]->system, identifier->system) == 0 &&
            strcmp(patient->identifiers[i]->value, identifier->value) == 0)
            return true;
    return false;
}

struct pair {
    const Carehub__V1__Identifier *survivor, *prior;
};

// False when all that the prior patient is called the survivor is called too.
static bool choose(const Carehub__V1__Patient *survivor, const Carehub__V1__Patient *prior, struct pair *pair)
{
    *pair = (struct pair){0};
    for (size_t i = 0; i < prior->n_identifiers; i++) {
        const Carehub__V1__Identifier *same = of_system(survivor, prior->identifiers[i]->system);
        if (has(survivor, prior->identifiers[i]) || (pair->prior != NULL && same == NULL))
            continue;
        pair->prior = prior->identifiers[i];
        pair->survivor = same != NULL ? same : survivor->identifiers[0];
        if (same != NULL)
            break;
    }
    return pair->prior != NULL;
}

// ---- The facts

static Carehub__V1__PatientRef *reference(struct adt_job *job, const Carehub__V1__Identifier *identifier)
{
    Carehub__V1__PatientRef *made = adt_message_new(job, &carehub__v1__patient_ref__descriptor);
    if (made != NULL)
        made->identifier = adt_message_copy(job, &identifier->base);
    return made;
}

static void add_fact(struct adt_job *job, const struct pair *pair, struct merge_facts *facts)
{
    char part[ADT_ID_PART_BYTES];
    Carehub__V1__Fact *fact = adt_message_new(job, &carehub__v1__fact__descriptor);
    if (fact == NULL)
        return;
    snprintf(part, sizeof part, "|merge %zu", facts->count);
    facts->facts[facts->count++] = fact;
    fact->patients_merged = adt_message_new(job, &carehub__v1__patients_merged__descriptor);
    if (fact->patients_merged == NULL)
        return;
    fact->fact_case = CAREHUB__V1__FACT__FACT_PATIENTS_MERGED;
    fact->patients_merged->patient = reference(job, pair->survivor);
    fact->patients_merged->merged = reference(job, pair->prior);
    adt_derive_id(job, part, &fact->id);
}

enum pair_outcome { PAIR_TAKEN, PAIR_ITSELF, PAIR_UNIDENTIFIED };

static enum pair_outcome map_pair(struct adt_job *job, ptrdiff_t pid, ptrdiff_t mrg, struct merge_facts *facts)
{
    Carehub__V1__Patient *survivor = adt_patient_of(job, pid), *prior = adt_prior_patient_of(job, mrg);
    enum pair_outcome outcome = PAIR_UNIDENTIFIED;
    struct pair pair;
    if (survivor != NULL && prior != NULL)
        outcome = choose(survivor, prior, &pair) ? PAIR_TAKEN : PAIR_ITSELF;
    if (outcome == PAIR_TAKEN)
        add_fact(job, &pair, facts);
    if (survivor != NULL)
        carehub__v1__patient__free_unpacked(survivor, NULL);
    if (prior != NULL)
        carehub__v1__patient__free_unpacked(prior, NULL);
    return outcome;
}

static struct adt_result say(const struct adt_job *job, enum adt_outcome outcome, const char *why)
{
    struct adt_result result = adt_result_of(job, outcome, NULL);
    if (result.outcome == outcome && why != NULL)
        result.why = why;
    result.notable = outcome == ADT_NOTHING && strcmp(result.why, "merge-of-itself") != 0;
    return result;
}

// Each MRG belongs to the PID before it; one PID may have several.
struct adt_result merge_map(const struct adt_input *input, struct merge_facts *facts)
{
    struct adt_job job = {.in = input, .message = input->message};
    size_t count = hl7v2_segment_count(input->message), outcomes[PAIR_UNIDENTIFIED + 1] = {0};
    ptrdiff_t pid = -1;
    *facts = (struct merge_facts){0};
    if (!merge_takes(input->message))
        return say(&job, ADT_UNSUPPORTED, NULL);
    for (size_t i = 0; i < count && !job.no_memory; i++) {
        const char *name = hl7v2_segment_name(input->message, i);
        if (strcmp(name, "PID") == 0)
            pid = (ptrdiff_t)i;
        if (strcmp(name, "MRG") != 0)
            continue;
        if (facts->count == MERGE_FACTS_MAX) {
            merge_facts_clear(facts);
            return say(&job, ADT_NOTHING, "merge-too-many");
        }
        outcomes[map_pair(&job, pid, (ptrdiff_t)i, facts)]++;
    }
    if (job.no_memory)
        merge_facts_clear(facts);
    if (facts->count > 0)
        return adt_result_of(&job, ADT_EVENT, NULL);
    if (outcomes[PAIR_UNIDENTIFIED] > 0)
        return say(&job, ADT_UNIDENTIFIED, NULL);
    return say(&job, ADT_NOTHING, outcomes[PAIR_ITSELF] > 0 ? "merge-of-itself" : "merge-without-prior");
}
