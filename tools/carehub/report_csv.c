/* A report as a table of comma-separated values (RFC 4180): one line for each row, the same columns in any language,
 * and the sentence for people last. */
#include <string.h>
#include <time.h>

#include "route/route.h"
#include "eventid.h"
#include "report.h"

typedef Carehub__V1__ReportAccess Access;

/* What is being written: nothing yet on this line, or something. */
struct csv {
    FILE *out;
    bool begun;
};

/* A cell in quotes. What a spreadsheet would take for a formula becomes text, by an apostrophe in front. */
static void cell(struct csv *csv, const char *text)
{
    fputs(csv->begun ? ",\"" : "\"", csv->out);
    csv->begun = true;
    if (*text && strchr("=+-@\t\r\n|%", *text))
        fputc('\'', csv->out);
    while (*text) {
        size_t plain = strcspn(text, "\"\r"); /* line breaks within a cell are LF alone: CRLF ends a record */
        fwrite(text, 1, plain, csv->out);
        text += plain;
        if (*text == '"')
            fputs("\"\"", csv->out);
        text += *text != '\0';
    }
    fputc('"', csv->out);
}

static void end_line(struct csv *csv)
{
    fputs("\r\n", csv->out);
    csv->begun = false;
}

static void cell_number(struct csv *csv, uint64_t number)
{
    char text[24] = "";
    if (number)
        snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    cell(csv, text);
}

static void cell_time(struct csv *csv, int64_t unix_ms)
{
    char text[40] = "";
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm utc;
    size_t n = unix_ms && gmtime_r(&seconds, &utc) ? strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc) : 0;
    if (n)
        snprintf(text + n, sizeof text - n, ".%03dZ", (int)(unix_ms % 1000));
    cell(csv, text);
}

static void cell_enum(struct csv *csv, const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = value ? protobuf_c_enum_descriptor_get_value(type, value) : NULL;
    cell(csv, found ? found->name : "");
}

/* ---- The columns -------------------------------------------------------------------------------------------------- */

static const char *const COLUMNS[] = {"place",
                                      "at",
                                      "record",
                                      "kind",
                                      "event_place",
                                      "event_id",
                                      "type",
                                      "confidential",
                                      "from_client",
                                      "from_actor",
                                      "from_role",
                                      "from_professional",
                                      "from_organisation",
                                      "from_on_behalf_of",
                                      "receiver",
                                      "receiver_name",
                                      "receiver_kind",
                                      "receiver_role",
                                      "receiver_client",
                                      "receiver_organisation",
                                      "outcome",
                                      "reason",
                                      "view",
                                      "notice",
                                      "ground",
                                      "ground_kind",
                                      "ground_since",
                                      "consent",
                                      "policy",
                                      "policy_name",
                                      "emergency",
                                      "cause",
                                      "because",
                                      "instead_of",
                                      "handed_over",
                                      "sent_at",
                                      "stored_at",
                                      "read_at",
                                      "ended_at",
                                      "end",
                                      "why",
                                      "said_by",
                                      "question",
                                      "what_happened",
                                      "afterwards"};

static void item_cells(struct csv *csv, const Carehub__V1__ReportItem *item)
{
    char id[EVENTID_TEXT_CHARS] = "";
    const Carehub__V1__ReportAuthor *author = item->author;
    if (item->event_id.len == EVENTID_BYTES)
        eventid_format(item->event_id.data, id);
    cell_number(csv, item->place);
    cell_time(csv, item->at_ms);
    cell_number(csv, item->record);
    cell_enum(csv, &carehub__v1__report_kind__descriptor, (int)item->kind);
    cell_number(csv, item->event_place);
    cell(csv, id);
    cell_enum(csv, &carehub__v1__event_type__descriptor, (int)item->type);
    cell(csv, item->confidentiality == CAREHUB__V1__CONFIDENTIALITY__RESTRICTED ? "yes" : "");
    cell(csv, item->client);
    cell(csv, item->actor);
    cell(csv, author ? author->role : "");
    cell(csv, author ? author->professional : "");
    cell(csv, author ? author->organisation : "");
    cell(csv, author ? author->on_behalf_of : "");
}

static void ground_cells(struct csv *csv, const struct report *report, const Access *access)
{
    const Carehub__V1__ReportGround *ground = access->ground ? report_ground_of(report, access->ground) : NULL;
    const Carehub__V1__ReportPolicy *policy = access->policy ? report_policy_of(report, access->policy) : NULL;
    const Carehub__V1__GrantGiven *grant = report_grant(report, access);
    const Carehub__V1__MemberAdded *member = report_membership(report, access);
    int64_t from_ms = grant ? grant->from_ms : member ? member->from_ms : 0;
    cell_number(csv, access->ground);
    if (grant)
        cell_enum(csv, &carehub__v1__grant_kind__descriptor, (int)grant->kind);
    else
        cell_enum(csv, &carehub__v1__relation_basis__descriptor, member ? (int)member->basis : 0);
    cell_time(csv, from_ms ? from_ms : ground ? ground->recorded_ms : 0);
    cell_number(csv, access->consent);
    cell_number(csv, access->policy);
    cell(csv, policy ? policy->name : "");
}

static void access_cells(struct csv *csv, const struct report *report, const struct report_row *row)
{
    static const Access none = CAREHUB__V1__REPORT_ACCESS__INIT;
    const Access *access = row->access ? row->access : &none;
    const Carehub__V1__ReportActor *actor = *access->actor ? report_actor_of(report, access->actor) : NULL;
    cell(csv, access->actor);
    cell(csv, actor ? actor->display : "");
    cell_enum(csv, &carehub__v1__actor_kind__descriptor, (int)access->kind);
    cell(csv, access->role);
    cell(csv, access->client);
    cell(csv, access->organisation);
    cell_enum(csv, &carehub__v1__outcome__descriptor, (int)access->outcome);
    cell(csv, access->reason ? reason_name(access->reason) : "");
    cell(csv, access->level ? level_text(access->level) : "");
    cell(csv, access->notice ? "yes" : "");
    ground_cells(csv, report, access);
    cell(csv, report_is_emergency(report, row) ? "yes" : "");
    cell_enum(csv, &carehub__v1__cause__descriptor, row->access ? (int)row->item->cause : 0);
    cell_number(csv, row->access ? row->item->because : 0);
    cell(csv, row->access ? row->item->instead_of : "");
    cell(csv, row->access && report_handed_over(access) ? "yes" : "");
    cell_time(csv, access->sent_ms);
    cell_time(csv, access->stored_ms);
    cell_time(csv, access->read_ms);
    cell_time(csv, access->ended_ms);
    cell(csv, access->end ? reason_name(access->end) : "");
    cell(csv, access->why ? reason_name(access->why) : "");
}

/* "42 57": places in the log. */
static void cell_places(struct csv *csv, size_t n, const uint64_t *places)
{
    char text[16 * 24] = "";
    size_t used = 0;
    for (size_t i = 0; i < n && used + 24 < sizeof text; i++)
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%llu", i ? " " : "", (unsigned long long)places[i]);
    cell(csv, text);
}

void report_csv(const struct report *report, FILE *out, struct style style)
{
    struct csv csv = {out, false};
    struct report_words words;
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++)
        cell(&csv, COLUMNS[i]);
    end_line(&csv);
    for (struct report_row row = {0}; report_next(report, &row);) {
        report_words(report, &row, style, &words);
        item_cells(&csv, row.item);
        access_cells(&csv, report, &row);
        cell_places(&csv, row.access ? row.access->n_said_by : 0, row.access ? row.access->said_by : NULL);
        cell(&csv, row.item->question);
        cell(&csv, words.happened);
        cell(&csv, words.after);
        end_line(&csv);
    }
}
