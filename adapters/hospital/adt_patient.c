// Who the patient is: identifiers by configured authority and type, then by check digits.
#include "adt_internal.h"

#include <stdlib.h>
#include <string.h>

#include "identifier.h"

#define PART_BYTES 257

// A CX: id, its check digit and scheme, assigning authority, type (2.A.14).
struct cx {
    char value[PART_BYTES];
    char space[PART_BYTES], universal[PART_BYTES]; // the authority's two names
    char type[PART_BYTES];
};

struct gathering {
    struct adt_job *job;
    Carehub__V1__Patient *patient;
};

static struct cx read_cx(const struct adt_job *job, ptrdiff_t segment, unsigned field, unsigned repetition)
{
    struct cx cx;
    const struct hl7v2_message *m = job->message;
    size_t at = (size_t)segment;
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 1, 1), cx.value, sizeof cx.value);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 4, 1), cx.space, sizeof cx.space);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 4, 2), cx.universal, sizeof cx.universal);
    adt_copy(job, hl7v2_segment_get(m, at, field, repetition, 5, 1), cx.type, sizeof cx.type);
    return cx;
}

static bool has(const Carehub__V1__Patient *patient, const char *system, const char *value)
{
    for (size_t i = 0; i < patient->n_identifiers; i++)
        if (strcmp(patient->identifiers[i]->system, system) == 0 && strcmp(patient->identifiers[i]->value, value) == 0)
            return true;
    return false;
}

static void add(struct gathering *g, const char *system, const char *value)
{
    char normal[IDENTIFIER_SYSTEM_CHARS];
    struct identifier checked;
    enum identifier_status status = identifier_check(system, value, &checked);
    if (!identifier_usable(status) || !identifier_system_normalise(system, normal)) {
        adt_remark(g->job, checked.system == IDENTIFIER_SSIN ? "ssin-invalid" : "identifier-invalid");
        return;
    }
    if (has(g->patient, normal, checked.value))
        return;
    if (g->patient->n_identifiers == ADT_IDENTIFIERS_MAX) {
        adt_remark(g->job, "identifiers-cut");
        return;
    }
    Carehub__V1__Identifier *identifier = adt_identifier(g->job, normal, checked.value);
    if (identifier != NULL)
        g->patient->identifiers[g->patient->n_identifiers++] = identifier;
}

static bool is_ssin(const char *value)
{
    struct identifier checked;
    return identifier_usable(identifier_check_ssin(value, &checked));
}

static void add_cx(struct gathering *g, const struct cx *cx)
{
    const struct adt_sender *sender = g->job->in->sender;
    const struct adt_rule *rule = adt_sender_rule(sender, cx->space, cx->universal, cx->type);
    if (cx->value[0] == '\0')
        return;
    if (sender->ssin_by_shape && is_ssin(cx->value))
        add(g, "ssin", cx->value);
    else if (rule != NULL)
        add(g, rule->system, cx->value);
}

// Two numbers that are both valid cannot both be the patient's; which one is not for us to say.
static void drop_two_ssins(struct gathering *g)
{
    Carehub__V1__Patient *patient = g->patient;
    size_t ssins = 0, kept = 0;
    for (size_t i = 0; i < patient->n_identifiers; i++)
        ssins += strcmp(patient->identifiers[i]->system, "ssin") == 0;
    if (ssins < 2)
        return;
    for (size_t i = 0; i < patient->n_identifiers; i++) {
        if (strcmp(patient->identifiers[i]->system, "ssin") == 0)
            carehub__v1__identifier__free_unpacked(patient->identifiers[i], NULL);
        else
            patient->identifiers[kept++] = patient->identifiers[i];
    }
    patient->n_identifiers = kept;
    adt_remark(g->job, "ssin-ambiguous");
}

// PID-19 is a national person number without an authority; ours only if it is one by its digits.
static void add_national_number(struct gathering *g, ptrdiff_t pid)
{
    struct cx national = read_cx(g->job, pid, 19, 1);
    if (is_ssin(national.value))
        add(g, "ssin", national.value);
    else if (national.value[0] != '\0')
        adt_remark(g->job, "national-number-not-used");
}

static void gather(struct gathering *g, ptrdiff_t segment, const unsigned fields[3], bool is_pid)
{
    for (size_t i = 0; i < 3; i++) {
        unsigned count = hl7v2_repetition_count(g->job->message, (size_t)segment, fields[i]);
        for (unsigned repetition = 1; repetition <= count; repetition++) {
            struct cx cx = read_cx(g->job, segment, fields[i], repetition);
            add_cx(g, &cx);
        }
    }
    if (is_pid)
        add_national_number(g, segment);
    drop_two_ssins(g);
}

static Carehub__V1__Patient *patient_of(struct adt_job *job, ptrdiff_t segment, const unsigned fields[3], bool is_pid)
{
    struct gathering g = {.job = job};
    if (segment < 0 || (g.patient = adt_message_new(job, &carehub__v1__patient__descriptor)) == NULL)
        return NULL;
    g.patient->identifiers = calloc(ADT_IDENTIFIERS_MAX, sizeof *g.patient->identifiers);
    if (g.patient->identifiers != NULL)
        gather(&g, segment, fields, is_pid);
    else
        job->no_memory = true;
    if (g.patient->n_identifiers > 0)
        return g.patient;
    carehub__v1__patient__free_unpacked(g.patient, NULL);
    return NULL;
}

Carehub__V1__Patient *adt_patient_of(struct adt_job *job, ptrdiff_t pid)
{
    static const unsigned fields[] = {3, 2, 4}; // the list, and the older external and alternate ids
    return patient_of(job, pid, fields, true);
}

Carehub__V1__Patient *adt_prior_patient_of(struct adt_job *job, ptrdiff_t mrg)
{
    static const unsigned fields[] = {1, 2, 4}; // the list, and the older alternate and internal ids
    return patient_of(job, mrg, fields, false);
}

Carehub__V1__Patient *adt_patient(struct adt_job *job)
{
    return adt_patient_of(job, hl7v2_segment_find(job->message, "PID", 0));
}
