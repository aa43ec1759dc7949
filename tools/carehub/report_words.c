/* What a row of a report says: plain sentences, to the person whom it is about. */
#include "report.h"

#include <string.h>
#include <time.h>

#include "story_parts.h"
#include "utf8.h"

#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name
#define FACT_IS(fact, NAME) ((fact)->fact_case == CAREHUB__V1__FACT__FACT_##NAME)

typedef Carehub__V1__ReportAccess Access;
typedef Carehub__V1__ReportItem Item;

/* ---- Dates -------------------------------------------------------------------------------------------------------- */

const char *report_day(struct style style, int64_t unix_ms, char out[DATE_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    char day[16], month[24], year[16], text[TEXT_BYTES];
    if (unix_ms == 0 || !localtime_r(&seconds, &local))
        return date_text(style, 0, out);
    snprintf(day, sizeof day, "%d", local.tm_mday);
    snprintf(month, sizeof month, "month.%d", local.tm_mon + 1);
    snprintf(year, sizeof year, "%d", local.tm_year + 1900);
    text_fill(style, text, "report.day", "day", local.tm_mday == 1 ? text_find(style, "date.first-day") : day, "month",
              text_find(style, month), "year", year, NULL);
    snprintf(out, DATE_CHARS, "%.*s", DATE_CHARS - 1, text);
    return out;
}

const char *report_clock(int64_t unix_ms, char out[DATE_CHARS])
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm local;
    if (!localtime_r(&seconds, &local) || strftime(out, DATE_CHARS, "%H:%M", &local) == 0)
        snprintf(out, DATE_CHARS, "-");
    return out;
}

/* ---- Building ----------------------------------------------------------------------------------------------------- */

/* Adds a sentence behind what is there. What was cut ends with a whole character. */
static void add(char *to, size_t size, const char *text)
{
    size_t used = strlen(to);
    if (!text || !*text)
        return;
    snprintf(to + used, size - used, "%s%s", used ? " " : "", text);
    to[utf8_valid_prefix(to, strlen(to))] = '\0';
}

#define SAY(to, ...)                                                                                                   \
    do {                                                                                                               \
        char said_[TEXT_BYTES];                                                                                        \
        add(to, sizeof(to), text_fill(style, said_, __VA_ARGS__, NULL));                                               \
    } while (0)

/* An actor by its name; without a name, what is known of it. */
static const char *actor_text(const struct report *report, const char *name, const char *role, struct style style)
{
    const Carehub__V1__ReportActor *actor = *name ? report_actor_of(report, name) : NULL;
    if (actor && *actor->display)
        return actor->display;
    if (*name)
        return name;
    return *role ? story_role(role, style) : text_find(style, "report.somebody");
}

static void number(uint64_t value, char text[24])
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
    const char *role = *access->role ? story_role(access->role, style) : text_find(style, "report.somebody");
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
        add(words->happened, sizeof words->happened, text_find(style, "report.released"));
    if (!cause || item->cause == CAREHUB__V1__CAUSE__CAUSE_UNSPECIFIED)
        return;
    snprintf(code, sizeof code, "report.cause.%s", cause->name);
    number(item->because, because_of);
    text_fill(style, text, code, "because", because_of, "actor", actor_text(report, item->instead_of, "", style), NULL);
    add(words->happened, sizeof words->happened, text);
}

static void say_policy(const struct report *report, const Access *access, struct style style,
                       struct report_words *words)
{
    const Carehub__V1__ReportPolicy *policy = access->policy ? report_policy_of(report, access->policy) : NULL;
    char place[24];
    number(access->policy, place);
    if (policy && report->n_policies > 1) /* the only one is named once for all */
        SAY(words->after, "report.rules", "policy", policy->name, "place", place);
}

static void say_after(const struct report *report, const Access *access, struct style style,
                      struct report_words *words)
{
    char when[DATE_CHARS];
    if (access->stored_ms)
        SAY(words->after, "report.after.stored", "date", date_text(style, access->stored_ms, when));
    if (access->read_ms)
        SAY(words->after, "report.after.read", "date", date_text(style, access->read_ms, when));
    if (access->ended_ms)
        SAY(words->after, access->why ? "report.after.ended-why" : "report.after.ended", "date",
            date_text(style, access->ended_ms, when), "end", story_reason(access->end, style), "reason",
            story_reason(access->why, style));
    else if (access->why)
        SAY(words->after, "report.after.will-not", "reason", story_reason(access->why, style));
    else if (access->handed_over && !access->stored_ms && !access->read_ms)
        SAY(words->after, "report.after.handed-over");
    if (*access->organisation)
        SAY(words->after, "report.after.for", "organisation", actor_text(report, access->organisation, "", style));
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
        SAY(words->happened, "report.reason", "reason", story_reason(access->reason, style));
}

static void say_access(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Access *access = row->access;
    const char *type = story_type(row->item->type, style);
    snprintf(words->who, sizeof words->who, "%s", actor_text(report, access->actor, access->role, style));
    if (access->outcome == CAREHUB__V1__OUTCOME__DELIVER) {
        say_told(report, row, style, words);
    } else {
        words->what = REPORT_NOT_TOLD;
        SAY(words->happened,
            access->outcome == CAREHUB__V1__OUTCOME__HOLD ? "report.held" : "report.not-told", "who", words->who, "type",
            type);
        SAY(words->happened, "report.reason", "reason", story_reason(access->reason, style));
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
    const char *who = *item->actor ? actor_text(report, item->actor, "", style) : "";
    char place[24];
    if (!*who && author)
        who = *author->organisation ? author->organisation : author->professional;
    if (!*who)
        who = *item->client ? text_find(style, "report.somebody") : text_find(style, "report.hub");
    snprintf(words->who, sizeof words->who, "%s", who);
    number(item->amends ? item->amends : item->retracts, place);
    const char *code = item->retracts ? "report.event.retraction" : item->amends ? "report.event.correction"
                                                                                  : "report.event";
    SAY(words->happened, code, "who", words->who, "type", story_type(item->type, style), "place", place);
    if (author && *author->professional && strcmp(author->professional, words->who) != 0)
        SAY(words->happened, "report.event.author", "author", author->professional, "role",
            *author->role ? story_role(author->role, style) : text_find(style, "report.somebody"));
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
    bool own = begins(item->question, "report by the person");
    words->what = REPORT_ASKED;
    text_fill(style, words->who, own ? "report.yourself" : "report.operator", "client", item->client, NULL);
    number(item->event_place, place);
    const char *code = item->event_place                      ? "report.reading.open"
                       : own                                  ? "report.reading.own-report"
                       : begins(item->question, "report")     ? "report.reading.report"
                       : strcmp(item->question, "patient") == 0 ? "report.reading.patient"
                                                              : "report.reading.other";
    SAY(words->happened, code, "who", words->who, "type", story_type(item->type, style), "place", place, "question",
        item->question);
    if (item->event_place || (purpose && begins(item->question, "report")))
        SAY(words->happened, "report.purpose", "purpose", item->event_place ? item->question : purpose + 2);
    if (*item->organisation)
        SAY(words->after, "report.after.for", "organisation", actor_text(report, item->organisation, "", style));
}

/* ---- A change of the person's own data ---------------------------------------------------------------------------- */

/* The parts that a fact may have: whatever its kind, they have the same names. */
struct change {
    const char *actor, *role, *type, *reason, *purpose, *given_by;
    int64_t until_ms;
    int level, grant, basis;
    bool mistaken, relaxes;
};

static const void *part(const ProtobufCMessage *message, const char *name, ProtobufCType type)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(message->descriptor, name);
    return field && field->type == type && field->label != PROTOBUF_C_LABEL_REPEATED
               ? (const uint8_t *)message + field->offset
               : NULL;
}

static const char *part_text(const ProtobufCMessage *message, const char *name)
{
    const char *const *text = part(message, name, PROTOBUF_C_TYPE_STRING);
    return text && *text ? *text : "";
}

static int part_enum(const ProtobufCMessage *message, const char *name)
{
    const int *value = part(message, name, PROTOBUF_C_TYPE_ENUM);
    return value ? *value : 0;
}

static bool part_bool(const ProtobufCMessage *message, const char *name)
{
    const protobuf_c_boolean *value = part(message, name, PROTOBUF_C_TYPE_BOOL);
    return value && *value;
}

static struct change change_of(const ProtobufCMessage *message)
{
    const int64_t *until_ms = part(message, "until_ms", PROTOBUF_C_TYPE_SINT64);
    struct change change = {.actor = part_text(message, "actor"),
                            .role = part_text(message, "role"),
                            .type = part_text(message, "type"),
                            .reason = part_text(message, "reason"),
                            .purpose = part_text(message, "purpose"),
                            .given_by = part_text(message, "given_by"),
                            .until_ms = until_ms ? *until_ms : 0,
                            .level = part_enum(message, "level"),
                            .basis = part_enum(message, "basis"),
                            .mistaken = part_bool(message, "mistaken"),
                            .relaxes = part_bool(message, "relaxes")};
    if (!*change.actor)
        change.actor = part_text(message, "actor_name");
    if (message->descriptor == &carehub__v1__grant_given__descriptor)
        change.grant = part_enum(message, "kind");
    return change;
}

/* The text of a kind of change: by the fact's name, and what it is a special case of. */
static void change_code(const char *name, const struct change *change, bool emergency, struct style style,
                        char code[TEXT_CODE_BYTES])
{
    const char *special = emergency                                                  ? ".emergency"
                          : change->mistaken                                         ? ".mistaken"
                          : change->relaxes                                          ? ".relaxes"
                          : *change->given_by && strcmp(change->given_by, "person") != 0 ? ".other"
                                                                                     : "";
    snprintf(code, TEXT_CODE_BYTES, "report.change.%s%s", name, special);
    if (!text_find(style, code))
        snprintf(code, TEXT_CODE_BYTES, "report.change.%s", name);
    if (!text_find(style, code))
        snprintf(code, TEXT_CODE_BYTES, "report.change");
}

static void say_change(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Item *item = row->item;
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(&carehub__v1__fact__descriptor, (unsigned)item->change->fact_case);
    if (!field)
        return;
    const ProtobufCMessage *message =
        *(const ProtobufCMessage *const *)((const uint8_t *)item->change + field->offset);
    struct change change = change_of(message);
    char code[TEXT_CODE_BYTES], until[DATE_CHARS], type[TEXT_BYTES];
    bool emergency = report_is_emergency(report, row);
    words->what = emergency ? REPORT_EMERGENCY : REPORT_CHANGED;
    text_fill(style, words->who, *item->client ? "report.operator" : "report.hub", "client", item->client, NULL);
    change_code(field->name, &change, emergency, style, code);
    snprintf(type, sizeof type, "%s",
             *change.type ? text_named(style, "type", change.type) : text_find(style, "report.everything"));
    SAY(words->happened, code, "actor", actor_text(report, change.actor, change.role, style), "role",
        *change.role ? story_role(change.role, style) : text_find(style, "report.somebody"), "type", type, "level",
        story_level((Carehub__V1__Level)change.level, style), "grant",
        text_enum(style, "grant", &carehub__v1__grant_kind__descriptor, change.grant), "basis",
        text_enum(style, "basis", &carehub__v1__relation_basis__descriptor, change.basis), "until",
        report_day(style, change.until_ms, until), "name", field->name);
    if (*change.purpose)
        SAY(words->happened, "report.purpose", "purpose", text_named(style, "purpose", change.purpose));
    if (*change.reason)
        SAY(words->happened, "report.reason", "reason", change.reason);
    SAY(words->after, "report.recorded-by", "who", words->who);
}

/* ---- What ended, what was erased ---------------------------------------------------------------------------------- */

static void say_expiry(const struct report *report, const struct report_row *row, struct style style,
                       struct report_words *words)
{
    const Carehub__V1__ReportEnd *end = row->end;
    char code[TEXT_CODE_BYTES];
    const ProtobufCEnumValue *kind =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__expiry_entry__ended__kind__descriptor, (int)end->kind);
    words->what = REPORT_CHANGED;
    snprintf(words->who, sizeof words->who, "%s", text_find(style, "report.hub"));
    snprintf(code, sizeof code, "report.expiry.%s", kind ? kind->name : "SETTING");
    SAY(words->happened, code, "actor", actor_text(report, end->actor, end->role, style), "role",
        *end->role ? story_role(end->role, style) : text_find(style, "report.somebody"));
}

static void say_erased(const Item *item, struct style style, struct report_words *words)
{
    char n[24], date[DATE_CHARS];
    words->what = REPORT_CHANGED;
    snprintf(words->who, sizeof words->who, "%s", text_find(style, "report.hub"));
    number(item->erased, n);
    SAY(words->happened, "report.erased", "n", n, "requested", item->requested_by, "date",
        date_text(style, item->requested_ms, date), "confirmed", item->confirmed_by);
    number(item->taken_back, n);
    if (item->taken_back)
        SAY(words->after, "report.erased.told", "n", n);
}

void report_words(const struct report *report, const struct report_row *row, struct style style,
                  struct report_words *words)
{
    *words = (struct report_words){0};
    if (row->access)
        say_access(report, row, style, words);
    else if (row->end)
        say_expiry(report, row, style, words);
    else if (row->item->kind == KIND(EVENT))
        say_event(report, row->item, style, words);
    else if (row->item->kind == KIND(READING))
        say_reading(report, row->item, style, words);
    else if (row->item->kind == KIND(CHANGE) && row->item->change)
        say_change(report, row, style, words);
    else if (row->item->kind == KIND(ERASED))
        say_erased(row->item, style, words);
    words->who[utf8_valid_prefix(words->who, strlen(words->who))] = '\0';
}

/* ---- About the whole report --------------------------------------------------------------------------------------- */

const char *report_subject(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    const Carehub__V1__AccessReportAnswer *page = report_page(report, 0);
    char patient[24], others[16 * 24] = "";
    snprintf(patient, sizeof patient, "P%llu", (unsigned long long)page->person);
    for (size_t i = 1; i < page->n_records && strlen(others) + 24 < sizeof others; i++)
        snprintf(others + strlen(others), sizeof others - strlen(others), "%sP%llu", i > 1 ? ", " : "",
                 (unsigned long long)page->records[i]);
    return text_fill(style, out, *others ? "report.subject.merged" : "report.subject", "patient", patient, "others",
                     others, "hub", page->hub, NULL);
}

const char *report_period(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    char from[DATE_CHARS], to[DATE_CHARS];
    snprintf(from, sizeof from, "%s", text_find(style, "report.from-the-beginning"));
    snprintf(to, sizeof to, "%s", text_find(style, "report.up-to-now"));
    if (report->from_ms)
        date_text(style, report->from_ms, from);
    if (report->to_ms)
        date_text(style, report->to_ms, to);
    return text_fill(style, out, "report.period", "from", from, "to", to, NULL);
}

const char *report_extent(const struct report *report, struct style style, char out[TEXT_BYTES])
{
    const Carehub__V1__AccessReportAnswer *last = report_last(report);
    char place[24], date[DATE_CHARS], made[DATE_CHARS];
    number(last->complete_place, place);
    return text_fill(style, out, last->waiting || last->next_place ? "report.incomplete" : "report.complete", "place",
                     place, "until", date_text(style, last->complete_ms, date), "made",
                     date_text(style, report->made_ms, made), NULL);
}

struct counts {
    size_t told, read, waiting, emergency, asked, not_told;
};

static struct counts count(const struct report *report)
{
    struct counts counts = {0};
    for (struct report_row row = {0}; report_next(report, &row);) {
        const Access *access = row.access;
        bool meant = access && access->outcome == CAREHUB__V1__OUTCOME__DELIVER;
        bool told = meant && report_handed_over(access), waiting = meant && !told && !access->ended_ms && !access->why;
        counts.told += told;
        counts.read += told && access->read_ms;
        counts.waiting += waiting;
        counts.not_told += access && !told && !waiting;
        counts.emergency += report_is_emergency(report, &row);
        counts.asked += row.item->kind == KIND(READING);
    }
    return counts;
}

const char *report_summary(const struct report *report, struct style style, size_t i, char out[TEXT_BYTES])
{
    struct counts c = count(report);
    const struct {
        const char *code;
        size_t n;
        bool always;
    } lines[] = {{"report.summary.told", c.told, true},
                 {"report.summary.read", c.read, true},
                 {"report.summary.waiting", c.waiting, c.waiting > 0},
                 {"report.summary.emergency", c.emergency, true},
                 {"report.summary.asked", c.asked, true},
                 {"report.summary.not-told", c.not_told, report->denials},
                 {"report.rules", 0, report->n_policies == 1},
                 {"report.denials-left-out", 0, !report->denials},
                 {"report.names-kept", 0, report->names_kept}};
    char n[24], place[24];
    number(report->n_policies == 1 ? report->policies[0]->place : 0, place);
    for (size_t at = 0; at < sizeof lines / sizeof *lines; at++) {
        if (!lines[at].always || i-- > 0)
            continue;
        number(lines[at].n, n);
        return text_fill(style, out, lines[at].code, "n", n, "policy",
                         report->n_policies ? report->policies[0]->name : "", "place", place, NULL);
    }
    return NULL;
}
