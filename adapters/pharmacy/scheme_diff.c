// From two versions of a scheme to the list of what changed: which lines belong together, and which version is newer.
#include "scheme_change.h"

#include <stdlib.h>
#include <string.h>

#include "scheme_build.h"
#include "scheme_state.h"

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;
typedef struct scheme_comparison Comparison;

// ---- Matching

// How well two lines go together: an element that two lines share (it happens) is matched with the one most like it.
static int likeness(const Line *a, const Line *b)
{
    if (!scheme_same_key(a, b))
        return 0;
    bool medicine = scheme_same_medicine(a->medicine, b->medicine);
    return 1 + 2 * medicine + (medicine && scheme_same_posology(a->posology, b->posology) && scheme_same_period(a, b));
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

static void tell_all(Comparison *d)
{
    static const Scheme nothing = CAREHUB__PHARMACY__V1__SCHEME__INIT;
    const Scheme *before = d->before != NULL ? d->before : &nothing;
    const Line **match = calloc(d->now->n_lines + 1, sizeof *match);
    bool *used = calloc(before->n_lines + 1, sizeof *used);
    if (match != NULL && used != NULL) {
        match_lines(before, d->now, match, used);
        for (size_t i = 0; i < d->now->n_lines; i++) {
            if (match[i] != NULL)
                scheme_tell_line(d, match[i], d->now->lines[i]);
            else
                scheme_tell_new(d, d->now->lines[i]);
        }
        for (size_t j = 0; d->now->complete && j < before->n_lines; j++)
            if (!used[j])
                scheme_tell_absent(d, before->lines[j]);
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

static bool fill(Comparison *d)
{
    d->body = malloc(sizeof *d->body);
    if (d->body == NULL)
        return false;
    carehub__v1__medication_changed__init(d->body);
    scheme_tell_set(d, &d->body->scheme_id, d->now->id);
    scheme_tell_set(d, &d->body->scheme_version, d->now->version);
    if (d->before != NULL)
        scheme_tell_set(d, &d->body->previous_version, d->before->version);
    d->body->at = scheme_tell_time(d, d->now->recorded, false);
    tell_all(d);
    return !d->no_memory && scheme_fit(d->body);
}

static struct scheme_result result(enum scheme_outcome outcome, const char *why)
{
    return (struct scheme_result){.outcome = outcome, .why = why};
}

static struct scheme_result no_memory(Comparison *d)
{
    if (d->body != NULL)
        carehub__v1__medication_changed__free_unpacked(d->body, NULL);
    return result(SCHEME_NO_MEMORY, "the adapter is out of memory; send it again");
}

struct scheme_result scheme_diff(const Scheme *before, const Scheme *now, scheme_offset_fn *offset, const void *arg)
{
    Comparison d = {.before = before, .now = now, .offset = offset, .arg = arg};
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
