/* What a row of a report says: plain sentences, to the person whom it is about. */
#include "report_parts.h"

#include <string.h>

#include "route/route.h"
#include "utf8.h"

typedef Carehub__V1__ReportAccess Access;
typedef Carehub__V1__ReportItem Item;

/* ---- Building ----------------------------------------------------------------------------------------------------- */

void report_sentence(char *to, size_t size, const char *text)
{
    size_t used = strlen(to), length = text ? strlen(text) : 0;
    if (length == 0 || used + 2 > size)
        return;
    if (used)
        to[used++] = ' ';
    size_t room = size - used - 1;
    length = utf8_valid_prefix(text, length < room ? length : room);
    memcpy(to + used, text, length);
    to[used + length] = '\0';
}

/* Other tables speak of the patient; a report speaks to the patient, where there is a text that does. */
static const char *to_you(const char *table, const char *name, struct style style)
{
    char code[TEXT_CODE_BYTES];
    snprintf(code, sizeof code, "report.you.%s.%s", table, name);
    const char *text = text_find(style, code);
    return text ? text : text_named(style, table, name);
}

const char *report_reason(Carehub__V1__Reason reason, struct style style)
{
    return to_you("reason", reason_name(reason), style);
}

const char *report_role(const char *role, struct style style)
{
    return *role ? to_you("role", role, style) : text_find(style, "report.somebody");
}

const char *report_basis(int basis, struct style style)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__relation_basis__descriptor, basis);
    return to_you("basis", value ? value->name : "?", style);
}

const char *report_actor_text(const struct report *report, const char *name, const char *role, struct style style)
{
    const Carehub__V1__ReportActor *actor = *name ? report_actor_of(report, name) : NULL;
    if (actor && *actor->display)
        return actor->display;
    if (*name)
        return name;
    return report_role(role, style);
}

void report_number(uint64_t value, char text[24])
{
    snprintf(text, 24, "%llu", (unsigned long long)value);
}

/* ---- What an access rests on -------------------------------------------------------------------------------------- */

static const Carehub__V1__Fact *fact_of(const struct report *report, uint64_t place)
{
    const Carehub__V1__ReportGround *ground = place ? report_ground_of(report, place) : NULL;
    return ground ? ground->fact : NULL;
}

const Carehub__V1__MemberAdded *report_membership(const struct report *report, const Access *access)
{
    const Carehub__V1__Fact *fact = fact_of(report, access->ground);
    return fact && FACT_IS(fact, MEMBER_ADDED) ? fact->member_added : NULL;
}

const Carehub__V1__GrantGiven *report_grant(const struct report *report, const Access *access)
{
    const Carehub__V1__Fact *fact = fact_of(report, access->ground);
    return fact && FACT_IS(fact, GRANT_GIVEN) ? fact->grant_given : NULL;
}

const Carehub__V1__ConsentGiven *report_consent(const struct report *report, const Access *access)
{
    const Carehub__V1__Fact *fact = fact_of(report, access->consent);
    return fact && FACT_IS(fact, CONSENT_GIVEN) ? fact->consent_given : NULL;
}

bool report_is_emergency(const struct report *report, const struct report_row *row)
{
    const Carehub__V1__GrantGiven *grant = row->access ? report_grant(report, row->access) : NULL;
    const Carehub__V1__Fact *change = row->item->change;
    if (!grant && change && FACT_IS(change, GRANT_GIVEN))
        grant = change->grant_given;
    if (row->access && row->access->outcome != CAREHUB__V1__OUTCOME__DELIVER)
        return false;
    return grant && grant->kind == CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS;
}

bool report_handed_over(const Access *access)
{
    return access->handed_over || access->stored_ms || access->read_ms;
}

/* "they have been in your care team since …": follows "because". Empty if it is not known. */
static void because(const struct report *report, const Access *access, struct style style, char out[TEXT_BYTES])
{
    const Carehub__V1__MemberAdded *member = report_membership(report, access);
    const Carehub__V1__GrantGiven *grant = report_grant(report, access);
    const Carehub__V1__ConsentGiven *consent = report_consent(report, access);
    char since[DATE_CHARS], given[DATE_CHARS], ground[TEXT_BYTES] = "";
    const Carehub__V1__ReportGround *from = access->ground ? report_ground_of(report, access->ground) : NULL;
    int64_t since_ms = member && member->from_ms ? member->from_ms : grant && grant->from_ms ? grant->from_ms : 0;
    report_day(style, since_ms ? since_ms : from ? from->recorded_ms : 0, since);
    const char *role = report_role(access->role, style);
    if (strcmp(access->role, "person") == 0)
        text_fill(style, ground, "report.because.self", NULL);
    else if (member)
        text_fill(style, ground, "report.because.member", "since", since, "role", role, NULL);
    else if (grant)
        text_fill(style, ground, "report.because.grant", "since", since, "role", role, "grant",
                  text_enum(style, "grant", &carehub__v1__grant_kind__descriptor, (int)grant->kind), NULL);
    if (!*ground || !consent) {
        snprintf(out, TEXT_BYTES, "%s", ground);
        return;
    }
    bool own = !*consent->given_by || strcmp(consent->given_by, "person") == 0;
    const Carehub__V1__ReportGround *recorded = report_ground_of(report, access->consent);
    report_day(style, consent->from_ms ? consent->from_ms : recorded->recorded_ms, given);
    text_fill(style, out, own ? "report.because.consent" : "report.because.consent-other", "ground", ground, "consent",
              given, NULL);
}

/* ---- An access ---------------------------------------------------------------------------------------------------- */

static const char *view_text(const Access *access, struct style style)
{
    return access->notice ? text_find(style, "view.notice")
                          : text_enum(style, "view", &carehub__v1__level__descriptor, (int)access->level);
}

static void say_cause(const struct report *report, const Item *item, struct style style, struct report_words *words)
{
    char code[TEXT_CODE_BYTES], because_of[24], text[TEXT_BYTES];
    const ProtobufCEnumValue *cause =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__cause__descriptor, (int)item->cause);
    if (item->kind == KIND(RELEASED))
        report_sentence(words->happened, sizeof words->happened, text_find(style, "report.released"));
    if (!cause || item->cause == CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED)
        return;
    snprintf(code, sizeof code, "report.cause.%s", cause->name);
    report_number(item->because, because_of);
    text_fill(style, text, code, "because", because_of, "actor", report_actor_text(report, item->instead_of, "", style),
              NULL);
    report_sentence(words->happened, sizeof words->happened, text);
}

static void say_policy(const struct report *report, const Access *access, struct style style,
                       struct report_words *words)
{
    const Carehub__V1__ReportPolicy *policy = access->policy ? report_policy_of(report, access->policy) : NULL;
    char place[24];
    report_number(access->policy, place);
    if (policy && report->n_policies > 1) /* the only one is named once for all */
        SAY(words->after, "report.rules", "policy", policy->name, "place", place);
}

static void say_after(const struct report *report, const Access *access, struct style style, struct report_words *words)
{
    char when[DATE_CHARS];
    if (access->stored_ms)
        SAY(words->after, "report.after.stored", "date", report_moment(style, access->stored_ms, when));
    if (access->read_ms)
        SAY(words->after, "report.after.read", "date", report_moment(style, access->read_ms, when));
    if (access->ended_ms)
        SAY(words->after, access->why ? "report.after.ended-why" : "report.after.ended", "date",
            report_moment(style, access->ended_ms, when), "end", report_reason(access->end, style), "reason",
            report_reason(access->why, style));
    else if (access->why)
        SAY(words->after, "report.after.will-not", "reason", report_reason(access->why, style));
    else if (access->handed_over && !access->stored_ms && !access->read_ms)
        SAY(words->after, "report.after.handed-over");
    if (*access->organisation)
        SAY(words->after, "report.after.for", "organisation",
            report_actor_text(report, access->organisation, "", style));
}

static void say_told(const struct report *report, const struct report_row *row, struct style style,
                     struct report_words *words)
{
    const Access *access = row->access;
    const char *type = story_type(row->item->type, style);
    char why[TEXT_BYTES];
    bool handed = report_handed_over(access);
    because(report, access, style, why);
    if (access->reason == CAREHUB__V1__REASON__CORRECTION_OF_RECEIVED || access->notice || !*why)
        snprintf(why, sizeof why, "%s", "");
    bool over = access->ended_ms || access->why;
    words->what = handed ? REPORT_TOLD : over ? REPORT_NOT_TOLD : REPORT_WAITING;
    const char *code = !handed ? (over ? "report.not-handed-over" : "report.to-be-told")
                       : *why  ? "report.told-because"
                               : "report.told";
    SAY(words->happened, code, "who", words->who, "type", type, "view", view_text(access, style), "why", why);
    if (!*why)
        SAY(words->happened, "report.reason", "reason", report_reason(access->reason, style));
}

static void say_access(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Access *access = row->access;
    const char *type = story_type(row->item->type, style);
    snprintf(words->who, sizeof words->who, "%s", report_actor_text(report, access->actor, access->role, style));
    if (access->outcome == CAREHUB__V1__OUTCOME__DELIVER) {
        say_told(report, row, style, words);
    } else {
        words->what = REPORT_NOT_TOLD;
        SAY(words->happened, access->outcome == CAREHUB__V1__OUTCOME__HOLD ? "report.held" : "report.not-told", "who",
            words->who, "type", type);
        SAY(words->happened, "report.reason", "reason", report_reason(access->reason, style));
    }
    say_cause(report, row->item, style, words);
    if (access->outcome == CAREHUB__V1__OUTCOME__DELIVER)
        say_after(report, access, style, words);
    say_policy(report, access, style, words);
    if (report_is_emergency(report, row))
        words->what = REPORT_EMERGENCY;
}

/* ---- An event that came in ---------------------------------------------------------------------------------------- */

static void say_event(const struct report *report, const Item *item, struct style style, struct report_words *words)
{
    const Carehub__V1__ReportAuthor *author = item->author;
    const char *who = *item->actor ? report_actor_text(report, item->actor, "", style) : "";
    char place[24];
    if (!*who && author)
        who = *author->organisation ? author->organisation : author->professional;
    if (!*who)
        who = *item->client ? text_find(style, "report.somebody") : text_find(style, "report.hub");
    snprintf(words->who, sizeof words->who, "%s", who);
    report_number(item->amends ? item->amends : item->retracts, place);
    const char *code = item->retracts ? "report.event.retraction"
                       : item->amends ? "report.event.correction"
                                      : "report.event";
    SAY(words->happened, code, "who", words->who, "type", story_type(item->type, style), "place", place);
    if (author && *author->professional && strcmp(author->professional, words->who) != 0)
        SAY(words->happened, "report.event.author", "author", author->professional, "role",
            report_role(author->role, style));
    if (author && *author->on_behalf_of)
        SAY(words->happened, "report.event.on-behalf", "who", author->on_behalf_of);
    if (author && author->unverified)
        SAY(words->happened, "report.event.unverified");
    if (item->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED)
        SAY(words->happened, "report.event.restricted");
}

/* ---- A reading ---------------------------------------------------------------------------------------------------- */

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void say_reading(const struct report *report, const Item *item, struct style style, struct report_words *words)
{
    char place[24];
    const char *purpose = strstr(item->question, ": ");
    bool own = begins(item->question, "report by the person"), proof = begins(item->question, "proof: ");
    words->what = REPORT_ASKED;
    text_fill(style, words->who, own ? "report.yourself" : "report.operator", "client", item->client, NULL);
    report_number(item->event_place, place);
    const char *code = proof                                    ? "report.reading.proof"
                       : item->event_place                      ? "report.reading.open"
                       : own                                    ? "report.reading.own-report"
                       : begins(item->question, "report")       ? "report.reading.report"
                       : strcmp(item->question, "patient") == 0 ? "report.reading.patient"
                                                                : "report.reading.other";
    SAY(words->happened, code, "who", words->who, "type", story_type(item->type, style), "place", place, "question",
        item->question);
    if (item->event_place || (purpose && begins(item->question, "report")))
        SAY(words->happened, "report.purpose", "purpose", item->event_place && !proof ? item->question : purpose + 2);
    if (*item->organisation)
        SAY(words->after, "report.after.for", "organisation", report_actor_text(report, item->organisation, "", style));
}

/* ---- A row -------------------------------------------------------------------------------------------------------- */

void report_words(const struct report *report, const struct report_row *row, struct style style,
                  struct report_words *words)
{
    *words = (struct report_words){0};
    if (row->access)
        say_access(report, row, style, words);
    else if (row->end)
        report_say_expiry(report, row, style, words);
    else if (row->item->kind == KIND(EVENT))
        say_event(report, row->item, style, words);
    else if (row->item->kind == KIND(READING))
        say_reading(report, row->item, style, words);
    else if (row->item->kind == KIND(CHANGE) && row->item->change)
        report_say_change(report, row, style, words);
    else if (row->item->kind == KIND(ERASED))
        report_say_erased(row->item, style, words);
    words->who[utf8_valid_prefix(words->who, strlen(words->who))] = '\0';
}
