/* What the hub answers to a publication, against what the rules say. */
#include "rules_game.h"

static bool code_is(const Carehub__V1__Confirmation *answer, Carehub__V1__ErrorCode code)
{
    return answer->status == STATUS(REJECTED) && answer->error && answer->error->code == code;
}

/* Rule 7: the same again gives the same answer, other content is refused, and what is too old to know is refused. */
static void repeated(const struct submitted *s, const struct event *event)
{
    bool old = s->at - event->id_ms >= WINDOW_MS && code_is(s->answer, CAREHUB__V1__ERROR_CODE__TOO_OLD);
    bool good = s->op.kind == CONFLICT ? code_is(s->answer, CAREHUB__V1__ERROR_CODE__ID_CONFLICT)
                                       : s->answer->status == STATUS(REPEATED) && s->answer->place == event->place;
    game.counts->refused += s->answer->status == STATUS(REJECTED);
    if (!good && !old)
        broken("event %lld %s: status %d", event->op.v[ID], s->op.kind == CONFLICT ? "with other content" : "again",
               (int)s->answer->status);
}

static void not_kept(const struct submitted *s, struct event *event, const Entry *entry)
{
    bool told = event->op.v[ACTOR] == GP_A;
    if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_NOT_KEPT || entry->patient)
        broken("event %lld: there is no consent, and something is kept of it", event->op.v[ID]);
    if (s->answer->status != (told ? STATUS(NOT_KEPT) : STATUS(CONFIRMED)))
        broken("event %lld was not kept: %s is%s told", event->op.v[ID], actor_names[event->op.v[ACTOR]],
               told ? " not" : "");
    game.counts->not_kept++;
}

void event_answered(const struct submitted *s)
{
    struct event *event = &game.events[s->op.v[ID]];
    struct verdict verdicts[ACTORS + 1] = {{0}};
    int actor = (int)event->op.v[ACTOR];
    bool allowed = may_publish(actor, (int)event->op.v[TYPE]) && !latest()->suspended[actor] && !latest()->ended[actor];
    bool refused = s->answer->status == STATUS(REJECTED);
    if (!allowed) {
        if (!code_is(s->answer, CAREHUB__V1__ERROR_CODE__NOT_ALLOWED))
            broken("event %lld: %s may not publish it", event->op.v[ID], actor_names[actor]);
        game.counts->refused++;
        return;
    }
    if (event->known) {
        repeated(s, event);
        return;
    }
    if (code_is(s->answer, CAREHUB__V1__ERROR_CODE__TOO_OLD) && s->at - event->id_ms >= WINDOW_MS)
        return;
    event->person = root_of(latest(), (int)event->op.v[PERSON]);
    if (!refused) {
        const Entry *entry = follow_until(s->answer->place); /* what ends by its date comes first */
        event->person = root_of(latest(), (int)event->op.v[PERSON]);
        enum fate fate = fate_of(event, verdicts, s->at);
        if (fate == FATE_REFUSED)
            broken("event %lld corrects what there is not, and was taken", event->op.v[ID]);
        event->known = true;
        event->place = s->answer->place;
        event->at_ms = s->at;
        if (fate == FATE_NOT_KEPT || (fate == FATE_ANY && entry->what_case == CAREHUB__V1__ENTRY__WHAT_NOT_KEPT))
            not_kept(s, event, entry);
        else if (entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || s->answer->status != STATUS(CONFIRMED))
            broken("event %lld was not kept, though there is consent or someone to tell", event->op.v[ID]);
        else
            follow_event(event, entry, verdicts, fate == FATE_KEPT);
        return;
    }
    enum fate fate = fate_of(event, verdicts, s->at);
    game.counts->refused++;
    if (fate != FATE_REFUSED && fate != FATE_ANY)
        broken("event %lld was refused: %s", event->op.v[ID], s->answer->error ? s->answer->error->text : "?");
}

static bool settle_good(const struct op *op, int64_t now)
{
    const struct event *event = &game.events[op->v[ID]];
    int actor = (int)op->v[ACTOR];
    if (!event->kept || !event->held[actor])
        return false;
    return !op->v[YES] || event->corrected ||
           judge(latest(), event, original_for(event, event->held_later[actor]), actor, now).is != HELD;
}

void fact_answered(const struct submitted *s)
{
    bool taken = s->answer->status == STATUS(CONFIRMED);
    char line[400];
    if (taken)
        follow_until(s->answer->place);
    bool good = s->op.kind == SETTLE   ? settle_good(&s->op, s->at)
                : s->op.kind == VERIFY ? verify_good(&s->op, s->at)
                                       : fact_good(latest(), &s->op, s->at);
    bool forgotten = s->op.kind == VERIFY && s->at - game.events[s->op.v[ID]].id_ms >= WINDOW_MS;
    op_write(&s->op, line, sizeof line);
    if (taken != good && !(forgotten && !taken))
        broken("the hub %s “%s”, the rules %s it%s%s", taken ? "takes" : "refuses", line, good ? "allow" : "forbid",
               s->answer->error ? ": " : "", s->answer->error ? s->answer->error->text : "");
    (taken ? game.counts->taken : game.counts->refusals)[s->op.kind]++;
    game.counts->facts += taken;
    game.counts->refused += !taken;
    if (taken && s->op.kind == SETTLE) {
        game.settled.place = game.events[s->op.v[ID]].place;
        game.settled.actor = (int)s->op.v[ACTOR];
        game.settled.release = s->op.v[YES];
    }
    if (taken && s->op.kind == VERIFY)
        follow_verified(&s->op, s->answer->place);
    if (taken && s->op.kind != SETTLE && s->op.kind != REPLAY && s->op.kind != VERIFY)
        fact_apply(change(&s->op, s->answer->place, s->at), &s->op, s->answer->place, s->at);
}
