/* route_explain.c - says what the rules found. It runs the very rules that decide, and only watches. */
#include "route_rules.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define SAY(...) snprintf(to->finding, sizeof to->finding, __VA_ARGS__)

static const char *level_name(int level)
{
    static const char *const names[] = {"none", "administrative", "care", "clinical"};
    return level >= 0 && level < (int)(sizeof names / sizeof *names) ? names[level] : "unknown";
}

enum { DATE_BYTES = 40 };

/* "2026-03-01 09:30 UTC"; `open` if it is 0. */
static const char *date(int64_t ms, const char *open, char text[DATE_BYTES])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;
    if (ms == 0)
        return open;
    if (!gmtime_r(&seconds, &tm) || strftime(text, DATE_BYTES, "%Y-%m-%d %H:%M UTC", &tm) == 0)
        snprintf(text, DATE_BYTES, "%" PRId64 " ms", ms);
    return text;
}

static const char *type_name(const struct look *look)
{
    const char *name = event_type_name(look->question->in->type);
    return name ? name : "this type";
}

/* ---- The actor -------------------------------------------------------------------------------------------------- */

void find_known(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(NOT_REGISTERED) : FOUND(REGISTERED);
    if (denial)
        SAY("no actor has number %" PRIu32, look->number);
    else
        SAY("%s is registered", look->actor.name);
}

void find_received(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(NEVER_RECEIVED) : look->received ? FOUND(RECEIVED) : FOUND(NOTHING_TAKEN_BACK);
    if (denial)
        SAY("%s never received the event that is taken back", look->actor.name);
    else if (look->received)
        SAY("%s received the original", look->actor.name);
    else
        SAY("takes nothing back");
}

void find_standing(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    const ProtobufCEnumValue *standing =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__standing__descriptor, (int)look->actor.standing);
    to->found = denial == PASSED                ? FOUND(REGISTRATION_HOLDS)
                : denial == REASON(ACTOR_ENDED) ? FOUND(REGISTRATION_ENDED)
                                                : FOUND(STANDING_UNKNOWN);
    SAY("standing of %s: %s", look->actor.name, standing ? standing->name : "not a known one");
}

void find_excluded(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(EXCLUDED) : FOUND(NOT_EXCLUDED);
    SAY(denial ? "the person has excluded %s" : "the person has not excluded %s", look->actor.name);
}

/* ---- One relation ----------------------------------------------------------------------------------------------- */

static const char *grant_name(const struct look *look)
{
    const ProtobufCEnumValue *kind =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__grant_kind__descriptor, (int)look->relation->grant);
    return kind ? kind->name : "unknown";
}

static Carehub__V1__Finding relation_found(const struct look *look, Carehub__V1__Reason denial)
{
    switch (denial) {
    case REASON(RELATION_NOT_STARTED):
        return look->grant ? FOUND(GRANT_NOT_STARTED) : FOUND(MEMBER_NOT_STARTED);
    case REASON(RELATION_ENDED):
        return look->grant ? FOUND(GRANT_ENDED) : FOUND(MEMBER_ENDED);
    case REASON(DECISION_FAILED):
        return FOUND(GRANT_UNSOUND);
    default:
        return look->grant ? FOUND(GRANT) : FOUND(MEMBER);
    }
}

void find_relation(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    const Carehub__V1__PatientCard__Member *relation = look->relation;
    if (!relation) {
        to->found = FOUND(NO_RELATION);
        SAY("%s is not in the care team and has no grant", look->actor.name);
        return;
    }
    char from[DATE_BYTES], until[DATE_BYTES];
    const char *what = look->grant ? "grant" : "membership";
    const char *kind = look->grant ? grant_name(look) : "";
    to->found = relation_found(look, denial);
    to->parts.grant = relation->grant;
    to->parts.place = relation->since;
    to->parts.from_ms = relation->from_ms;
    to->parts.until_ms = relation->until_ms;
    if (denial == REASON(DECISION_FAILED))
        SAY("%s %s of place %" PRIu64 " does not count: it has no end, is of no known kind, or belongs to the "
            "person's coordinator",
            kind, what, relation->since);
    else
        SAY("%s%s%s of place %" PRIu64 ", from %s, until %s", kind, *kind ? " " : "", what, relation->since,
            date(relation->from_ms, "then", from), date(relation->until_ms, "further notice", until));
}

void find_addressed(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    size_t n = look->question->in->n_addressees;
    to->found = n == 0 ? FOUND(ADDRESSED_TO_ALL) : denial ? FOUND(NOT_ADDRESSED) : FOUND(ADDRESSED);
    if (n == 0)
        SAY("addressed to nobody in particular");
    else
        SAY("%s among its %zu addressees", denial ? "neither actor nor role is" : "actor or role is", n);
}

void find_role(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(ROLE_UNKNOWN) : FOUND(ROLE_KNOWN);
    to->parts.policy = policy_name(look->question->in->policy);
    SAY("policy '%s' %s the role '%s'", to->parts.policy, denial ? "does not know" : "knows", look->relation->role);
}

void find_cell(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    const Carehub__V1__PatientCard__Member *relation = look->relation;
    Carehub__V1__Level cell = (Carehub__V1__Level)look->cell->level;
    if (denial == REASON(OUTSIDE_SCOPE)) {
        to->found = FOUND(OUTSIDE_SCOPE);
        SAY("the %s is for other types than %s", look->grant ? "grant" : "membership", type_name(look));
        return;
    }
    bool insurance = look->grant && relation->grant == CAREHUB__V1__GRANT_KIND__INSURANCE;
    to->found = look->level > cell   ? FOUND(CELL_LIFTED)
                : look->level < cell ? FOUND(CELL_LOWERED)
                : denial             ? FOUND(CELL_NONE)
                                     : FOUND(CELL);
    to->parts.cell = cell;
    int n = SAY("cell %s/%s: %s%s%s%s", type_name(look), relation->role, level_name((int)cell),
                look->cell->by_relation ? ", by relation" : "", look->cell->restricted ? ", restricted" : "",
                look->cell->personal ? ", personal" : "");
    if (n < 0 || n >= (int)sizeof to->finding)
        return;
    char *rest = to->finding + n;
    size_t room = sizeof to->finding - (size_t)n;
    if (look->level > cell)
        snprintf(rest, room, "; the person's own setting lifts it to %s", level_name((int)look->level));
    if (look->level < cell)
        snprintf(rest, room, "; the %s lowers it to %s",
                 insurance     ? "insurer's grant"
                 : look->grant ? "grant"
                               : "membership",
                 level_name((int)look->level));
}

void find_settings(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    size_t n = 0;
    for (size_t i = 0; i < look->question->card->n_settings; i++)
        n += !look->question->card->settings[i]->relaxes;
    to->found = n == 0 ? FOUND(NO_RESTRICTIONS) : denial ? FOUND(RESTRICTED_TO_NOTHING) : FOUND(RESTRICTIONS);
    if (n == 0)
        SAY("the person has set no restrictions");
    else if (denial)
        SAY("the person has set that %s as %s gets nothing of %s", look->actor.name, look->relation->role,
            type_name(look));
    else
        SAY("%zu restriction%s of the person looked at; view at level %s", n, n == 1 ? "" : "s",
            level_name((int)look->level));
}

void find_restricted(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    bool confidential = is_confidential(look->question->in);
    to->found = !confidential ? FOUND(NOT_CONFIDENTIAL) : denial ? FOUND(CONFIDENTIAL) : FOUND(CONFIDENTIAL_ALLOWED);
    if (!confidential)
        SAY("the event is not confidential");
    else
        SAY("the event is confidential, and the cell %s 'restricted'", denial ? "does not say" : "says");
}

void find_consent(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    const Carehub__V1__PatientCard__Consent *consent = look->consent;
    bool secondary = is_secondary(look);
    const char *purpose = to->parts.purpose = secondary ? look->relation->purpose : CONTINUITY_OF_CARE;
    to->found = look->by_relation ? FOUND(RELATION_ENOUGH)
                : !consent        ? (secondary ? FOUND(NO_CONSENT_FOR_PURPOSE) : FOUND(NO_CONSENT))
                : denial          ? FOUND(CONSENT_COVERS_NOTHING)
                : secondary       ? FOUND(CONSENT_FOR_PURPOSE)
                                  : FOUND(CONSENT);
    if (consent && !look->by_relation) {
        to->parts.place = consent->since;
        to->parts.from_ms = consent->from_ms;
        to->parts.until_ms = consent->until_ms;
    }
    if (look->by_relation)
        SAY("%s; the care relation is enough for this cell",
            consent ? "consent covers less than the cell" : "no consent in force");
    else if (!consent)
        SAY("no consent for %s in force", secondary ? purpose : "continuity of care");
    else if (denial)
        SAY("consent of place %" PRIu64 " covers nothing that is known", consent->since);
    else
        SAY("consent of place %" PRIu64 " for %s; view at level %s", consent->since, purpose,
            level_name((int)look->level));
}

void find_deceased(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    bool deceased = look->question->card->deceased;
    to->found = !deceased ? FOUND(NO_DEATH) : denial ? FOUND(DECEASED) : FOUND(SENT_AFTER_DEATH);
    if (!deceased)
        SAY("no death is recorded");
    else
        SAY("the person has died; %s %s sent after death", type_name(look), denial ? "is not" : "is still");
}

void find_own(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(OWN_EVENT) : FOUND(OTHERS_EVENT);
    SAY(denial ? "%s published it" : "%s did not publish it", look->actor.name);
}

void find_suspended(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    to->found = denial ? FOUND(SUSPENDED) : FOUND(ACTIVE);
    SAY(denial ? "%s is suspended" : "%s is active", look->actor.name);
}

void find_inbox(const struct look *look, Carehub__V1__Reason denial, struct route_rule *to)
{
    const char *same = look->received ? " that had the original" : "";
    to->found = !denial                        ? FOUND(INBOX)
                : denial == REASON(INBOX_FULL) ? FOUND(INBOX_FULL)
                : look->received               ? FOUND(NO_INBOX_OF_ORIGINAL)
                                               : FOUND(NO_INBOX);
    if (!denial)
        SAY("%d open inbox%s%s take%s %s", look->n_inboxes, look->n_inboxes == 1 ? "" : "es", same,
            look->n_inboxes == 1 ? "s" : "", type_name(look));
    else if (denial == REASON(INBOX_FULL))
        SAY("every open inbox%s that takes %s is full", same, type_name(look));
    else
        SAY("none of %zu open inboxes%s takes %s", look->actor.n_inboxes, same, type_name(look));
}

/* ---- Recording -------------------------------------------------------------------------------------------------- */

struct record {
    struct route_rule *rules;
    size_t n;
    size_t max;
};

static struct route_rule *row(struct record *record, const char *role, Carehub__V1__Reason code, bool passed)
{
    assert(record->n < record->max);
    struct route_rule *rule = &record->rules[record->n++];
    rule->code = code;
    rule->passed = passed;
    rule->decided = false;
    snprintf(rule->role, sizeof rule->role, "%s", role ? role : "");
    rule->found = CAREHUB__V1__FINDING__FINDING_UNSPECIFIED;
    rule->parts = (struct route_parts){0};
    rule->finding[0] = '\0';
    return rule;
}

static void seen(void *ctx, const struct look *look, const struct rule *rule, Carehub__V1__Reason denial)
{
    struct route_rule *to =
        row(ctx, look->relation ? look->relation->role : NULL, denial ? denial : rule->code, denial == PASSED);
    to->parts.actor = look->actor.name;
    to->parts.type = look->question->in->type;
    to->parts.level = look->level;
    rule->finding(look, denial, to);
}

static void record_relation(struct record *record, struct look *look, int relation)
{
    size_t passed;
    look_at_relation(look, relation);
    rules_run(relation_rules, RELATION_RULES, look, &passed, seen, record);
}

/* All relations of the actor but the best, which comes last: what does not fit is left out, never the best.
 */
static void record_relations(struct record *record, struct look *look, int best)
{
    for (int i = 0; i < (int)look->question->n_relations; i++)
        if (look->question->actors[i] == look->number && i != best &&
            record->n + (size_t)2 * RELATION_RULES + 2 <= record->max)
            record_relation(record, look, i);
    record_relation(record, look, best);
}

static void record_end(struct record *record, const struct route_decision *decision)
{
    struct route_rule *end = row(record, decision->role, decision->reason, decision->outcome == OUTCOME(DELIVER));
    end->found = decision->outcome != OUTCOME(DELIVER) ? FOUND(NOT_DELIVERED)
                 : decision->notice                    ? FOUND(NOTICE)
                                                       : FOUND(DELIVERED);
    end->parts.level = decision->level;
    if (decision->outcome == OUTCOME(DELIVER))
        snprintf(end->finding, sizeof end->finding, "delivered to %d inbox%s, %s%s", decision->n_inboxes,
                 decision->n_inboxes == 1 ? "" : "es", decision->notice ? "without content" : "at level ",
                 decision->notice ? "" : level_name((int)decision->level));
    else
        snprintf(end->finding, sizeof end->finding, "%s", reason_text(decision->reason));
}

int route_explain(const struct route_input *in, uint32_t actor, struct route_decision *out, struct route_rule *rules,
                  size_t max)
{
    struct record record = {.rules = rules, .max = max};
    struct question question;
    struct look look;
    int best;
    size_t passed;
    if (max < ROUTE_RULES_MIN || !question_open(&question, in))
        return -1;
    look_at_actor(&look, &question, actor);
    decide_ordinary(&look, out, &best);
    look_at_relation(&look, -1);
    if (rules_run(actor_rules, ACTOR_RULES, &look, &passed, seen, &record) == PASSED)
        record_relations(&record, &look, best);
    /* A denial is the last row so far; a delivery, and what becomes of a correction, has a row of its own. */
    bool corrected = decide_correction(&look, out);
    if (corrected || out->outcome == OUTCOME(DELIVER))
        record_end(&record, out);
    record.rules[record.n - 1].decided = true;
    return (int)record.n;
}
