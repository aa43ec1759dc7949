// Encounter: a stay in hospital, a visit to an emergency department, and leave from a stay.
//
// An Encounter is a state; what happened is the difference from what is in force of its episode, unless the message
// says it outright (the trigger, which decides, never a field):
//
//     trigger                              status                               what happened
//     notification-admit, A01              any                                  arrival
//     notification-transfer, A02           any                                  transfer
//     notification-discharge, A03          any                                  leaving
//     A11, A12, A13; cancel-… (MedCom)     any                                  the last such is taken back
//     another or none                      entered-in-error, cancelled          all in force is taken back
//                                          arrived, triaged, in-progress        arrival; of someone who is in already:
//                                                                               the end of leave, a transfer if the
//                                                                               place is another, a discharge taken
//                                                                               back, or an amendment
//                                          onleave                              transition home
//                                          finished                             leaving
//                                          planned                              nothing yet
//
// Only stays and emergency visits are taken: what happens in an outpatient visit is not an event of the catalogue.
//
// Sources: FHIR R4 8.11; MedCom HospitalNotification (one message for each change, Provenance.activity names it, an
// extension has the period of leave); Da Vinci Unsolicited Notifications (eventCoding names it).
#include <string.h>

#include <json-c/json_object.h>

#include "fhir_encounter.h"

// ---- What happened, as the message says

static enum encounter_trigger trigger_named(const char *code)
{
    static const struct {
        const char *code;
        enum encounter_trigger is;
    } codes[] = {
        {"notification-admit", TRIGGER_ARRIVAL},
        {"A01", TRIGGER_ARRIVAL},
        {"notification-transfer", TRIGGER_TRANSFER},
        {"A02", TRIGGER_TRANSFER},
        {"notification-discharge", TRIGGER_LEAVING},
        {"A03", TRIGGER_LEAVING},
        {"A11", TRIGGER_NO_ARRIVAL},
        {"A12", TRIGGER_NO_TRANSFER},
        {"A13", TRIGGER_NO_LEAVING},
    };
    static const struct {
        const char *prefix;
        enum encounter_trigger is;
    } prefixes[] = {
        {"cancel-admit", TRIGGER_NO_ARRIVAL},        {"cancel-discharge", TRIGGER_NO_LEAVING},
        {"cancel-start-leave", TRIGGER_NO_TRANSFER}, {"cancel-end-leave", TRIGGER_NO_TRANSFER},
        {"cancel-transfer", TRIGGER_NO_TRANSFER},
    };
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (strcmp(codes[i].code, code) == 0)
            return codes[i].is;
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(code, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
            return prefixes[i].is;
    return TRIGGER_NONE;
}

// Whether a Provenance is about the message's header, of which there may be several generations in one message.
static bool is_of_header(const struct fhir_job *job, struct problems *problems, const struct fhir_node *provenance)
{
    struct fhir_node targets = fhir_get(provenance, "target");
    size_t count = fhir_count(problems, &targets, FHIR_LIST_MAX);
    for (size_t i = 0; i < count; i++) {
        struct fhir_node one = fhir_at(&targets, i), found = fhir_resolve(job, &one);
        if (found.json == job->document->entries[0].resource.json)
            return true;
    }
    return false;
}

static enum encounter_trigger trigger_of_provenance(struct fhir_job *job)
{
    const struct fhir_document *d = job->document;
    for (size_t i = 0; i < d->n_entries; i++) {
        const struct fhir_node *provenance = &d->entries[i].resource;
        if (strcmp(d->entries[i].type, "Provenance") != 0 || !is_of_header(job, job->problems, provenance))
            continue;
        struct fhir_node activity = fhir_get(provenance, "activity"), codings = fhir_get(&activity, "coding");
        size_t count = fhir_count(job->problems, &codings, FHIR_LIST_MAX);
        for (size_t k = 0; k < count; k++) {
            struct fhir_node coding = fhir_at(&codings, k);
            enum encounter_trigger trigger = trigger_named(fhir_text(job->problems, &coding, "code"));
            if (trigger != TRIGGER_NONE)
                return trigger;
        }
    }
    return TRIGGER_NONE;
}

static enum encounter_trigger trigger_of(struct fhir_job *job)
{
    if (job->document->bundle != FHIR_MESSAGE)
        return TRIGGER_NONE;
    struct fhir_node coding = fhir_choice(&job->document->entries[0].resource, "event", "eventCoding");
    enum encounter_trigger trigger = trigger_named(fhir_text(job->problems, &coding, "code"));
    return trigger != TRIGGER_NONE ? trigger : trigger_of_provenance(job);
}

// ---- What is in force

static bool is_arrival(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION ||
           (event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT && event->emergency_visit->left_at == NULL);
}

static bool is_transfer(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_CARE_TRANSITION;
}

static bool is_leaving(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE ||
           (event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT && event->emergency_visit->left_at != NULL);
}

static bool is_going_home(const Carehub__V1__Event *event)
{
    return is_transfer(event) && event->care_transition->to == CAREHUB__V1__CARE_TRANSITION__SETTING__HOME;
}

static bool is_emergency(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY_EMERGENCY_VISIT;
}

// Whether an event is of this Encounter: emergency visit and stay may share an episode, and each has its own arrival
// and leaving.
static bool is_own(const struct encounter *e, const Carehub__V1__Event *event)
{
    return is_emergency(event) == e->emergency;
}

// The last event in force of the kind.
static const Carehub__V1__Event *last(const struct encounter *e, bool (*is)(const Carehub__V1__Event *event))
{
    for (size_t i = e->job->past_count; i-- > 0;)
        if (is(e->job->past[i]) && is_own(e, e->job->past[i]))
            return e->job->past[i];
    return NULL;
}

static const char *retract_last(struct encounter *e, bool (*is)(const Carehub__V1__Event *event))
{
    const Carehub__V1__Event *original = last(e, is);
    if (original == NULL)
        return "nothing-to-correct";
    fhir_retract(e->job, original);
    return NULL;
}

// The newest first: a discharge of somebody who was never admitted would be strange to read in between.
static const char *retract_all(struct encounter *e)
{
    const char *why = "nothing-to-correct";
    for (size_t i = e->job->past_count; i-- > 0;) {
        if (!is_own(e, e->job->past[i]))
            continue;
        fhir_retract(e->job, e->job->past[i]);
        why = NULL;
    }
    return why;
}

// ---- What comes of it

static const char *report(struct encounter *e, Carehub__V1__EventType type, encounter_fill_fn *fill,
                          const Carehub__V1__Event *original)
{
    ProtobufCMessage *body;
    Carehub__V1__Event *event = fhir_event_new(e->job, type, &body);
    if (event == NULL)
        return NULL;
    fill(e, body, &event->occurred_at);
    if (original != NULL)
        return fhir_amend(e->job, event, original);
    fhir_publish(e->job, event);
    return NULL;
}

static const char *arrive(struct encounter *e)
{
    const Carehub__V1__Event *original = last(e, is_arrival);
    if (e->emergency)
        return report(e, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, encounter_fill_emergency, original);
    return report(e, CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, encounter_fill_admission, original);
}

static const char *leave(struct encounter *e)
{
    const Carehub__V1__Event *original = last(e, is_leaving);
    e->leaving = true;
    if (e->emergency)
        return report(e, CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, encounter_fill_emergency, original);
    return report(e, CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, encounter_fill_discharge, original);
}

static const char *move(struct encounter *e, Carehub__V1__CareTransition__Setting from,
                        Carehub__V1__CareTransition__Setting to, const Carehub__V1__Event *original)
{
    e->from = from;
    e->to = to;
    return report(e, CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, encounter_fill_transition, original);
}

// Where the patient was last known to be. NULL if nobody said.
static const Carehub__V1__Location *last_location(const struct encounter *e)
{
    for (size_t i = e->job->past_count; i-- > 0;) {
        const Carehub__V1__Event *past = e->job->past[i];
        const Carehub__V1__Location *location =
            past->body_case == CAREHUB__V1__EVENT__BODY_CARE_TRANSITION      ? past->care_transition->to_location
            : past->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_ADMISSION ? past->hospital_admission->location
                                                                             : NULL;
        if (location != NULL)
            return location;
    }
    return NULL;
}

enum place { PLACE_UNKNOWN, PLACE_SAME, PLACE_OTHER };

// Whether the patient is where they were last known to be.
static enum place place_of(struct encounter *e)
{
    const Carehub__V1__Location *before = e->was_at = last_location(e);
    Carehub__V1__Location *now = encounter_location(e->job, NULL);
    enum place place = PLACE_UNKNOWN;
    if (before != NULL && now != NULL)
        place = strcmp(before->ward, now->ward) == 0 && strcmp(before->room, now->room) == 0 &&
                        strcmp(before->bed, now->bed) == 0 && strcmp(before->facility, now->facility) == 0
                    ? PLACE_SAME
                    : PLACE_OTHER;
    if (now != NULL)
        carehub__v1__location__free_unpacked(now, NULL);
    return place;
}

static const char *transfer(struct encounter *e)
{
    const Carehub__V1__CareTransition__Setting ward = CAREHUB__V1__CARE_TRANSITION__SETTING__HOSPITAL_WARD;
    if (place_of(e) == PLACE_SAME && last(e, is_transfer) != NULL)
        return "unchanged";
    return move(e, ward, ward, NULL);
}

static const char *be_there(struct encounter *e)
{
    const Carehub__V1__Event *newest = e->job->past_count > 0 ? e->job->past[e->job->past_count - 1] : NULL;
    if (last(e, is_leaving) != NULL)
        return retract_last(e, is_leaving);
    if (newest != NULL && is_going_home(newest))
        return move(e, CAREHUB__V1__CARE_TRANSITION__SETTING__HOME,
                    CAREHUB__V1__CARE_TRANSITION__SETTING__HOSPITAL_WARD, NULL);
    if (!e->emergency && last(e, is_arrival) != NULL && place_of(e) == PLACE_OTHER)
        return transfer(e);
    if (last(e, is_transfer) != NULL) // the place is the transfer's now: amending the admission by it would be wrong
        return "unchanged";
    return arrive(e);
}

static const char *be_on_leave(struct encounter *e)
{
    const Carehub__V1__Event *newest = e->job->past_count > 0 ? e->job->past[e->job->past_count - 1] : NULL;
    return move(e, CAREHUB__V1__CARE_TRANSITION__SETTING__HOSPITAL_WARD, CAREHUB__V1__CARE_TRANSITION__SETTING__HOME,
                newest != NULL && is_going_home(newest) ? newest : NULL);
}

// ---- The Encounter

static const struct state {
    const char *status;
    const char *(*become)(struct encounter *e);
    const char *nothing;
} states[] = {
    {"planned", NULL, "planned"},     {"arrived", be_there, NULL},
    {"triaged", be_there, NULL},      {"in-progress", be_there, NULL},
    {"onleave", be_on_leave, NULL},   {"finished", leave, NULL},
    {"cancelled", retract_all, NULL}, {"entered-in-error", retract_all, NULL},
};

static const struct state *state_of(struct fhir_job *job)
{
    struct fhir_node node = fhir_get(job->resource, "status");
    const char *status = fhir_text(job->problems, job->resource, "status");
    for (size_t i = 0; i < sizeof states / sizeof states[0]; i++)
        if (strcmp(states[i].status, status) == 0)
            return &states[i];
    FHIR_PROBLEM(job->problems, PROBLEM_ERROR, status[0] == '\0' ? PROBLEM_REQUIRED : PROBLEM_VALUE, &node,
                 "the status must be one of planned, arrived, triaged, in-progress, onleave, finished, cancelled and "
                 "entered-in-error");
    return NULL;
}

// Stays and emergency visits. *why says why nothing comes of others.
static bool class_is_taken(struct fhir_job *job, struct encounter *e, const char **why)
{
    struct fhir_node class = fhir_get(job->resource, "class");
    const char *code = fhir_text(job->problems, &class, "code");
    *why = NULL;
    e->class = encounter_class(code);
    e->emergency = e->class == CAREHUB__V1__PATIENT_CLASS__EMERGENCY;
    if (code[0] == '\0')
        FHIR_PROBLEM(job->problems, PROBLEM_ERROR, PROBLEM_REQUIRED, &class,
                     "the class must be there: it tells a stay (IMP) from an emergency visit (EMER)");
    else if (e->class == CAREHUB__V1__PATIENT_CLASS__OUTPATIENT || e->class == CAREHUB__V1__PATIENT_CLASS__OTHER_CLASS)
        *why = "not-a-stay";
    else if (e->class == CAREHUB__V1__PATIENT_CLASS__PREADMISSION)
        *why = "planned";
    return code[0] != '\0' && *why == NULL;
}

const char *fhir_encounter(struct fhir_job *job)
{
    struct encounter e = {.job = job};
    const struct state *state = state_of(job);
    const char *why;
    if (state == NULL || !class_is_taken(job, &e, &why))
        return state != NULL ? why : NULL;
    if (fhir_outdated(job))
        return "outdated";
    bool in_error = state->become == retract_all;
    switch (trigger_of(job)) {
    case TRIGGER_NO_ARRIVAL:
        return in_error ? retract_all(&e) : retract_last(&e, is_arrival);
    case TRIGGER_NO_TRANSFER:
        return retract_last(&e, is_transfer);
    case TRIGGER_NO_LEAVING:
        return retract_last(&e, is_leaving);
    case TRIGGER_ARRIVAL:
        return in_error ? retract_last(&e, is_arrival) : arrive(&e);
    case TRIGGER_TRANSFER:
        return in_error ? retract_last(&e, is_transfer) : transfer(&e);
    case TRIGGER_LEAVING:
        return in_error ? retract_last(&e, is_leaving) : leave(&e);
    case TRIGGER_NONE:
        break;
    }
    return state->become != NULL ? state->become(&e) : state->nothing;
}
