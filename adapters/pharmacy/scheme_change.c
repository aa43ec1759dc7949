// What there is to say of one line of a scheme: as changes of medication.
#include "scheme_change.h"

#include <stdlib.h>
#include <string.h>

#include "scheme_build.h"
#include "scheme_state.h"

#define DAY_MS (24LL * 60 * 60 * 1000)

typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__Pharmacy__V1__Suspension Suspension;
typedef Carehub__V1__MedicationChange Change;

// ---- Copies, through their packed form

static ProtobufCMessage *copy(struct scheme_comparison *d, const ProtobufCMessage *message)
{
    if (message == NULL)
        return NULL;
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = malloc(len + 1);
    ProtobufCMessage *made = NULL;
    if (bytes != NULL)
        made = protobuf_c_message_unpack(message->descriptor, NULL, protobuf_c_message_pack(message, bytes), bytes);
    free(bytes);
    d->no_memory = d->no_memory || made == NULL;
    return made;
}

static Carehub__V1__Medicine *copy_medicine(struct scheme_comparison *d, const Carehub__V1__Medicine *medicine)
{
    return (Carehub__V1__Medicine *)copy(d, (const ProtobufCMessage *)medicine);
}

static Carehub__V1__Posology *copy_posology(struct scheme_comparison *d, const Carehub__V1__Posology *posology)
{
    return (Carehub__V1__Posology *)copy(d, (const ProtobufCMessage *)posology);
}

void scheme_tell_set(struct scheme_comparison *d, char **field, const char *text)
{
    if (text[0] != '\0' && !scheme_set(field, text))
        d->no_memory = true;
}

Carehub__V1__Time *scheme_tell_time(struct scheme_comparison *d, const char *iso, bool after)
{
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    if (!scheme_time(iso, d->offset, d->arg, &time))
        return NULL;
    time.unix_ms += after && time.precision == CAREHUB__V1__PRECISION__PRECISION_DAY ? DAY_MS : 0;
    Carehub__V1__Time *made = malloc(sizeof *made);
    if (made == NULL)
        d->no_memory = true;
    else
        *made = time;
    return made;
}

// ---- Changes

static Change *add(struct scheme_comparison *d, Carehub__V1__MedicationChange__Kind kind, const Line *line)
{
    Change *change = malloc(sizeof *change);
    if (change == NULL) {
        d->no_memory = true;
        return NULL;
    }
    carehub__v1__medication_change__init(change);
    if (!scheme_append(&d->body->changes, &d->body->n_changes, change)) {
        d->no_memory = true;
        free(change);
        return NULL;
    }
    change->kind = kind;
    change->medicine = copy_medicine(d, line->medicine);
    scheme_tell_set(d, &change->line_id, line->id);
    return change;
}

static void add_taken(struct scheme_comparison *d, Carehub__V1__MedicationChange__Kind kind, const Line *line,
                      const Line *before)
{
    Change *change = add(d, kind, line);
    if (change == NULL)
        return;
    change->posology = copy_posology(d, line->posology);
    change->from = scheme_tell_time(d, line->begin, false);
    change->until = scheme_tell_time(d, line->end, false);
    if (kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED)
        change->previous_medicine = copy_medicine(d, before->medicine);
    if (kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED)
        change->previous_posology = copy_posology(d, before->posology);
}

static void add_state(struct scheme_comparison *d, const Line *line, const struct scheme_state *state)
{
    bool stopped = state->state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED;
    Change *change = add(
        d, stopped ? CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED : CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED,
        line);
    if (change == NULL)
        return;
    change->from = scheme_tell_time(d, state->since, state->after);
    if (change->from == NULL)
        change->from = scheme_tell_time(d, d->now->recorded, false);
    change->until = scheme_tell_time(d, state->until, false);
    scheme_tell_set(d, &change->reason, state->reason);
}

static void add_suspension(struct scheme_comparison *d, const Line *line, const Suspension *suspension)
{
    struct scheme_state state = {suspension->definitive ? CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED
                                                        : CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED,
                                 suspension->begin, false, suspension->end, suspension->reason};
    add_state(d, line, &state);
}

// From the day after the suspension where it ran its course; else from when somebody said so.
static void add_resumed(struct scheme_comparison *d, const Line *line, const struct scheme_state *before)
{
    int64_t end;
    Change *change = add(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED, line);
    if (change == NULL)
        return;
    change->posology = copy_posology(d, line->posology);
    if (scheme_day(before->until, &end) && end < d->day_now)
        change->from = scheme_tell_time(d, before->until, true);
    else
        change->from = scheme_tell_time(d, d->now->recorded, false);
    change->until = scheme_tell_time(d, line->end, false);
}

// ---- One line

static bool has_suspension(const Line *line, const Suspension *suspension)
{
    for (size_t i = 0; i < line->n_suspensions; i++)
        if (scheme_same_suspension(line->suspensions[i], suspension))
            return true;
    return false;
}

// Tells planned suspensions of `line` that `before` (NULL: none) does not have.
static size_t tell_planned(struct scheme_comparison *d, const Line *line, const Line *before)
{
    size_t told = 0;
    for (size_t i = 0; i < line->n_suspensions; i++) {
        const Suspension *suspension = line->suspensions[i];
        if (!scheme_is_planned(suspension, d->day_now) || (before != NULL && has_suspension(before, suspension)))
            continue;
        add_suspension(d, line, suspension);
        told++;
    }
    return told;
}

static bool called_off(const struct scheme_comparison *d, const Line *before, const Line *now)
{
    for (size_t i = 0; i < before->n_suspensions; i++)
        if (scheme_is_planned(before->suspensions[i], d->day_now) && !has_suspension(now, before->suspensions[i]))
            return true;
    return false;
}

static void tell_state(struct scheme_comparison *d, const Line *before, const Line *now)
{
    const Carehub__Pharmacy__V1__Line__State active = CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE;
    struct scheme_state was = scheme_state_on(before, d->day_before);
    struct scheme_state is = scheme_state_on(now, d->day_now);
    bool changed = was.state != is.state;
    if (is.state == CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED)
        changed = changed || strcmp(was.since, is.since) != 0 || strcmp(was.until, is.until) != 0;
    if (changed && is.state == active)
        add_resumed(d, now, &was);
    else if (changed)
        add_state(d, now, &is);
    size_t told = tell_planned(d, now, before);
    if (!changed && told == 0 && is.state == active && called_off(d, before, now))
        add_resumed(d, now, &was);
}

bool scheme_same_period(const Line *a, const Line *b)
{
    return strcmp(a->begin, b->begin) == 0 && strcmp(a->end, b->end) == 0;
}

void scheme_tell_line(struct scheme_comparison *d, const Line *before, const Line *now)
{
    size_t told = d->body->n_changes;
    tell_state(d, before, now);
    told = d->body->n_changes - told;
    if (!scheme_same_medicine(before->medicine, now->medicine))
        add_taken(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED, now, before);
    // A period that moved is told by the stop or the resumption that comes of it, if one does.
    if (!scheme_same_posology(before->posology, now->posology) || (told == 0 && !scheme_same_period(before, now)))
        add_taken(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED, now, before);
}

// A new line that has a past end is told as added, with its end.
void scheme_tell_new(struct scheme_comparison *d, const Line *line)
{
    struct scheme_state state = scheme_state_on(line, d->day_now);
    bool alone = !d->now->complete && d->before == NULL;
    bool ended = state.state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED;
    if (!alone || state.state == CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE || state.after)
        add_taken(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__ADDED, line, NULL);
    if (state.state != CAREHUB__PHARMACY__V1__LINE__STATE__ACTIVE &&
        !(ended && state.after && line->state != CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED))
        add_state(d, line, &state);
    tell_planned(d, line, NULL);
}

void scheme_tell_absent(struct scheme_comparison *d, const Line *line)
{
    struct scheme_state was = scheme_state_on(line, d->day_before);
    bool known = was.state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED &&
                 (!was.after || line->state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED);
    if (known)
        return;
    struct scheme_state gone = {CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED, "", false, "", ""};
    if (was.state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED)
        gone = was;
    add_state(d, line, &gone);
}
