// From two versions of a scheme to the list of what changed.
#include "scheme.h"

#include <stdlib.h>
#include <string.h>

#include "scheme_build.h"
#include "scheme_state.h"

#define DAY_MS (24LL * 60 * 60 * 1000)

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__Pharmacy__V1__Suspension Suspension;
typedef Carehub__V1__MedicationChange Change;

struct diff {
    const Scheme *before, *now; // before may be NULL
    int64_t day_before, day_now;
    scheme_offset_fn *offset;
    const void *arg;
    Carehub__V1__MedicationChanged *body;
    bool no_memory; // sticky
};

// ---- Copies, through their packed form

static ProtobufCMessage *copy(struct diff *d, const ProtobufCMessage *message)
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

static Carehub__V1__Medicine *copy_medicine(struct diff *d, const Carehub__V1__Medicine *medicine)
{
    return (Carehub__V1__Medicine *)copy(d, (const ProtobufCMessage *)medicine);
}

static Carehub__V1__Posology *copy_posology(struct diff *d, const Carehub__V1__Posology *posology)
{
    return (Carehub__V1__Posology *)copy(d, (const ProtobufCMessage *)posology);
}

static void set(struct diff *d, char **field, const char *text)
{
    if (text[0] != '\0' && !scheme_set(field, text))
        d->no_memory = true;
}

// NULL when iso is no time. With `after`, the day behind it.
static Carehub__V1__Time *time_of(struct diff *d, const char *iso, bool after)
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

static Change *add(struct diff *d, Carehub__V1__MedicationChange__Kind kind, const Line *line)
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
    set(d, &change->line_id, line->id);
    return change;
}

static void add_taken(struct diff *d, Carehub__V1__MedicationChange__Kind kind, const Line *line, const Line *before)
{
    Change *change = add(d, kind, line);
    if (change == NULL)
        return;
    change->posology = copy_posology(d, line->posology);
    change->from = time_of(d, line->begin, false);
    change->until = time_of(d, line->end, false);
    if (kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED)
        change->previous_medicine = copy_medicine(d, before->medicine);
    if (kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED)
        change->previous_posology = copy_posology(d, before->posology);
}

static void add_state(struct diff *d, const Line *line, const struct scheme_state *state)
{
    bool stopped = state->state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED;
    Change *change = add(
        d, stopped ? CAREHUB__V1__MEDICATION_CHANGE__KIND__STOPPED : CAREHUB__V1__MEDICATION_CHANGE__KIND__SUSPENDED,
        line);
    if (change == NULL)
        return;
    change->from = time_of(d, state->since, state->after);
    if (change->from == NULL)
        change->from = time_of(d, d->now->recorded, false);
    change->until = time_of(d, state->until, false);
    set(d, &change->reason, state->reason);
}

static void add_suspension(struct diff *d, const Line *line, const Suspension *suspension)
{
    struct scheme_state state = {suspension->definitive ? CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED
                                                        : CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED,
                                 suspension->begin, false, suspension->end, suspension->reason};
    add_state(d, line, &state);
}

// From the day after the suspension where it ran its course; else from when somebody said so.
static void add_resumed(struct diff *d, const Line *line, const struct scheme_state *before)
{
    int64_t end;
    Change *change = add(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__RESUMED, line);
    if (change == NULL)
        return;
    change->posology = copy_posology(d, line->posology);
    if (scheme_day(before->until, &end) && end < d->day_now)
        change->from = time_of(d, before->until, true);
    else
        change->from = time_of(d, d->now->recorded, false);
    change->until = time_of(d, line->end, false);
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
static size_t tell_planned(struct diff *d, const Line *line, const Line *before)
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

static bool called_off(const struct diff *d, const Line *before, const Line *now)
{
    for (size_t i = 0; i < before->n_suspensions; i++)
        if (scheme_is_planned(before->suspensions[i], d->day_now) && !has_suspension(now, before->suspensions[i]))
            return true;
    return false;
}

static void tell_state(struct diff *d, const Line *before, const Line *now)
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

static bool same_period(const Line *a, const Line *b)
{
    return strcmp(a->begin, b->begin) == 0 && strcmp(a->end, b->end) == 0;
}

static void tell_line(struct diff *d, const Line *before, const Line *now)
{
    size_t told = d->body->n_changes;
    tell_state(d, before, now);
    told = d->body->n_changes - told;
    if (!scheme_same_medicine(before->medicine, now->medicine))
        add_taken(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__PRODUCT_CHANGED, now, before);
    // A period that moved is told by the stop or the resumption that comes of it, if one does.
    if (!scheme_same_posology(before->posology, now->posology) || (told == 0 && !same_period(before, now)))
        add_taken(d, CAREHUB__V1__MEDICATION_CHANGE__KIND__POSOLOGY_CHANGED, now, before);
}

// A new line that has a past end is told as added, with its end.
static void tell_new(struct diff *d, const Line *line)
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

static void tell_absent(struct diff *d, const Line *line)
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

// ---- Matching

// How well two lines go together: an element that two lines share (it happens) is matched with the one most like it.
static int likeness(const Line *a, const Line *b)
{
    if (!scheme_same_key(a, b))
        return 0;
    bool medicine = scheme_same_medicine(a->medicine, b->medicine);
    return 1 + 2 * medicine + (medicine && scheme_same_posology(a->posology, b->posology) && same_period(a, b));
}

// For each line of now, in match[], its line before: those most alike first. NULL: it is new.
static void match_lines(const Scheme *before, const Scheme *now, const Line **match, bool *used)
{
    static const int levels[] = {4, 3, 1};
    for (size_t level = 0; level < sizeof levels / sizeof levels[0]; level++)
        for (size_t i = 0; i < now->n_lines; i++)
            for (size_t j = 0; match[i] == NULL && j < before->n_lines; j++)
                if (!used[j] && likeness(now->lines[i], before->lines[j]) >= levels[level]) {
                    match[i] = before->lines[j];
                    used[j] = true;
                }
}

static void tell_all(struct diff *d)
{
    static const Scheme nothing = CAREHUB__PHARMACY__V1__SCHEME__INIT;
    const Scheme *before = d->before != NULL ? d->before : &nothing;
    const Line **match = calloc(d->now->n_lines + 1, sizeof *match);
    bool *used = calloc(before->n_lines + 1, sizeof *used);
    if (match != NULL && used != NULL) {
        match_lines(before, d->now, match, used);
        for (size_t i = 0; i < d->now->n_lines; i++) {
            if (match[i] != NULL)
                tell_line(d, match[i], d->now->lines[i]);
            else
                tell_new(d, d->now->lines[i]);
        }
        for (size_t j = 0; d->now->complete && j < before->n_lines; j++)
            if (!used[j])
                tell_absent(d, before->lines[j]);
    } else {
        d->no_memory = true;
    }
    free(match);
    free(used);
}

// ---- Versions

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static int compare_numbers(const char *a, const char *b)
{
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t a_len = strlen(a), b_len = strlen(b);
    return a_len != b_len ? (a_len > b_len) - (a_len < b_len) : strcmp(a, b);
}

// Below, at or above 0: before, the same as, or after. Without versions, what differs is newer, unless its time is
// earlier: two versions may well have been made on one day.
static int compare_versions(const Scheme *before, const Scheme *now)
{
    Carehub__V1__Time then = CAREHUB__V1__TIME__INIT, later = CAREHUB__V1__TIME__INIT;
    if (is_number(before->version) && is_number(now->version))
        return compare_numbers(now->version, before->version);
    if (before->version[0] != '\0' && strcmp(before->version, now->version) == 0)
        return 0;
    if (scheme_time(before->recorded, NULL, NULL, &then) && scheme_time(now->recorded, NULL, NULL, &later))
        return later.unix_ms < then.unix_ms ? -1 : 1;
    return 1;
}

static bool same_patient(const Scheme *a, const Scheme *b)
{
    bool shared = false;
    for (size_t i = 0; i < a->n_patient; i++)
        for (size_t j = 0; j < b->n_patient; j++) {
            if (strcmp(a->patient[i]->system, b->patient[j]->system) != 0)
                continue;
            if (strcmp(a->patient[i]->value, b->patient[j]->value) == 0)
                return true;
            shared = true;
        }
    return !shared;
}

// ---- The body

static void drop_regimen(Carehub__V1__Posology *posology)
{
    for (size_t i = 0; posology != NULL && i < posology->n_regimen; i++)
        carehub__v1__intake__free_unpacked(posology->regimen[i], NULL);
    if (posology == NULL)
        return;
    free(posology->regimen);
    posology->regimen = NULL;
    posology->n_regimen = 0;
}

bool scheme_fit(Carehub__V1__MedicationChanged *body)
{
    if (carehub__v1__medication_changed__get_packed_size(body) <= SCHEME_BODY_MAX_BYTES)
        return true;
    for (size_t i = 0; i < body->n_changes; i++) {
        drop_regimen(body->changes[i]->posology);
        drop_regimen(body->changes[i]->previous_posology);
    }
    return scheme_set(&body->note,
                      "Too much changed for one message: the times of intake are left out. Read the scheme itself.");
}

static bool fill(struct diff *d)
{
    d->body = malloc(sizeof *d->body);
    if (d->body == NULL)
        return false;
    carehub__v1__medication_changed__init(d->body);
    set(d, &d->body->scheme_id, d->now->id);
    set(d, &d->body->scheme_version, d->now->version);
    if (d->before != NULL)
        set(d, &d->body->previous_version, d->before->version);
    d->body->at = time_of(d, d->now->recorded, false);
    tell_all(d);
    return !d->no_memory && scheme_fit(d->body);
}

static struct scheme_result result(enum scheme_outcome outcome, const char *why)
{
    return (struct scheme_result){.outcome = outcome, .why = why};
}

static struct scheme_result no_memory(struct diff *d)
{
    if (d->body != NULL)
        carehub__v1__medication_changed__free_unpacked(d->body, NULL);
    return result(SCHEME_NO_MEMORY, "the adapter is out of memory; send it again");
}

struct scheme_result scheme_diff(const Scheme *before, const Scheme *now, scheme_offset_fn *offset, const void *arg)
{
    struct diff d = {.before = before, .now = now, .offset = offset, .arg = arg};
    if (before == NULL && now->complete)
        return result(SCHEME_FIRST, "this is the first version seen of this scheme; the next one is compared with it");
    if (before != NULL && (strcmp(before->id, now->id) != 0 || !same_patient(before, now)))
        return result(SCHEME_OTHER, "it is another scheme, or another patient's, than the one it is compared with");
    int order = before != NULL ? compare_versions(before, now) : 1;
    if (order < 0)
        return result(SCHEME_OLDER,
                      "a newer version of this scheme has been seen; read the scheme again and send that");
    d.day_now = scheme_day_of(now);
    d.day_before = before != NULL ? scheme_day_of(before) : d.day_now;
    if (order == 0)
        d.day_now = d.day_before;
    if (!fill(&d))
        return no_memory(&d);
    struct scheme_result made = result(SCHEME_CHANGED, "");
    made.body = d.body;
    if (d.body->n_changes > 0 && order > 0)
        return made;
    made = result(order > 0 ? SCHEME_UNCHANGED : SCHEME_SAME_VERSION,
                  order > 0 ? "nothing in it that matters is different" : "this version has been seen");
    made.differs = d.body->n_changes > 0;
    if (made.differs)
        made.why = "this version has been seen, with other content; a change needs a new version";
    carehub__v1__medication_changed__free_unpacked(d.body, NULL);
    return made;
}

const char *scheme_outcome_name(enum scheme_outcome outcome)
{
    static const char *const names[] = {
        [SCHEME_CHANGED] = "changed",           [SCHEME_UNCHANGED] = "unchanged", [SCHEME_FIRST] = "first",
        [SCHEME_SAME_VERSION] = "same-version", [SCHEME_OLDER] = "older",         [SCHEME_OTHER] = "other",
        [SCHEME_NO_MEMORY] = "no-memory",
    };
    return (size_t)outcome < sizeof names / sizeof names[0] ? names[outcome] : "unknown";
}
