#include "scheme_state.h"

#include <string.h>

#define DAY_MS (24LL * 60 * 60 * 1000)

typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__Pharmacy__V1__Suspension Suspension;

bool scheme_is_planned(const Suspension *suspension, int64_t day)
{
    int64_t begin;
    return scheme_day(suspension->begin, &begin) && begin > day;
}

static bool holds(const Suspension *suspension, int64_t day)
{
    int64_t end;
    if (scheme_is_planned(suspension, day))
        return false;
    return suspension->definitive || !scheme_day(suspension->end, &end) || end >= day;
}

// Of several definitive ones the earliest counts.
static const Suspension *find(const Line *line, int64_t day, bool definitive)
{
    const Suspension *found = NULL;
    for (size_t i = 0; i < line->n_suspensions; i++) {
        const Suspension *suspension = line->suspensions[i];
        if (suspension->definitive == definitive && holds(suspension, day) &&
            (found == NULL || strcmp(suspension->begin, found->begin) < 0))
            found = suspension;
    }
    return found;
}

struct scheme_state scheme_state_on(const Line *line, int64_t day)
{
    struct scheme_state state = {CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED, "", false, "", line->reason};
    int64_t end;
    const Suspension *suspension = find(line, day, true);
    if (suspension != NULL) {
        state.since = suspension->begin;
        state.reason = suspension->reason;
        return state;
    }
    if (scheme_day(line->end, &end) && (end < day || line->state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED)) {
        state.since = line->end;
        state.after = true;
        return state;
    }
    if (line->state == CAREHUB__PHARMACY__V1__LINE__STATE__STOPPED)
        return state;
    suspension = find(line, day, false);
    state.state = line->state;
    if (suspension != NULL) {
        state.state = CAREHUB__PHARMACY__V1__LINE__STATE__SUSPENDED;
        state.since = suspension->begin;
        state.until = suspension->end;
        state.reason = suspension->reason;
    }
    return state;
}

int64_t scheme_day_of(const Carehub__Pharmacy__V1__Scheme *scheme)
{
    int64_t day;
    return scheme_day(scheme->recorded, &day) ? day : scheme->seen_ms / DAY_MS;
}

bool scheme_same_suspension(const Suspension *a, const Suspension *b)
{
    return a->definitive == b->definitive && strcmp(a->begin, b->begin) == 0 && strcmp(a->end, b->end) == 0;
}
