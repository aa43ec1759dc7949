/* The question for an access report: who may ask it, and page by page which entries are in it. */
#include "report.h"

#include "as_of.h"

enum { CONTINUE_MAX_MS = 60 * 60 * 1000 }; /* so long after it began a report can be gone on with */

typedef Carehub__V1__AccessReportQuery Asked;
typedef Carehub__V1__AccessReportAnswer Report;

/* ---- Who may ask -------------------------------------------------------------------------------------------------- */

/* Does the client speak for the person itself? The person's actor is in the person's own team, by that role. */
static bool speaks_for_person(struct core *core, const struct client *client, uint64_t number)
{
    const struct person *person = number ? person_deciding(core, number) : NULL;
    for (size_t i = 0; person && i < person->card->n_members; i++) {
        const Carehub__V1__PatientCard__Member *member = person->card->members[i];
        const struct actor *actor = registry_actor(&core->registry, member->actor);
        if (strcmp(member->role, "person") == 0 && actor->card->kind == CAREHUB__V1__ACTOR_KIND__PERSON &&
            actor->card->standing == CAREHUB__V1__STANDING__ACTIVE && client_speaks_for(client, member->actor) &&
            member->from_ms <= core->now_ms && (!member->until_ms || core->now_ms < member->until_ms))
            return true;
    }
    return false;
}

static bool check_asked(struct core *core, const Asked *asked, bool auditor, Error **error)
{
    if (auditor && (asked->purpose[0] == '\0' || strlen(asked->purpose) > TEXT_MAX_BYTES))
        return refuse(core, error, ERROR_CODE(INVALID), "purpose",
                      "an access report needs a purpose, in 1 to %d bytes: it is recorded", TEXT_MAX_BYTES);
    if (asked->from_ms < 0 || asked->to_ms < 0 || (asked->to_ms && asked->to_ms <= asked->from_ms))
        return refuse(core, error, ERROR_CODE(INVALID), "toMs", "the period ends before it begins");
    for (size_t i = 0; i < asked->n_types; i++)
        if (!event_type_by_name(asked->types[i]))
            return refuse(core, error, ERROR_CODE(INVALID), "types", "there is no event type “%.*s”", NAME_MAX_BYTES,
                          asked->types[i]);
    return true;
}

static bool names_event(const Asked *asked)
{
    return asked->event_place || asked->event_id.len > 0;
}

/* The person of a reference; without one, of the event that is asked for. 0: unknown. */
static uint64_t person_asked(struct core *core, const Asked *asked)
{
    if (asked->patient)
        return patient_resolve(core, asked->patient);
    uint64_t place = names_event(asked) ? event_place_of(core, &asked->event_id, asked->event_place) : 0;
    const Entry *entry = place ? entry_read(core, place, &core->batch) : NULL;
    return entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT ? entry->patient : 0;
}

/* Who asks, and for whom; *number is 0 if the hub does not know the person. Who may not ask learns nothing of that. */
static bool check_right(struct core *core, const struct client *client, const Asked *asked, bool *auditor,
                        uint64_t *number, Error **error)
{
    *auditor = client_has_role(client, CAREHUB__V1__OPERATOR_ROLE__AUDITOR);
    *number = person_asked(core, asked);
    if (!*auditor && (asked->all_names || !speaks_for_person(core, client, *number)))
        return refuse(core, error, ERROR_CODE(NOT_ALLOWED), "accessReport",
                      "an access report is for auditors, and for the person whom it is about");
    if (*number)
        *number = persons_survivor(&core->persons, *number, core->now_ms);
    return check_asked(core, asked, *auditor, error);
}

/* ---- The entry that a report leaves ------------------------------------------------------------------------------- */

static const char *question_of(struct core *core, const Asked *asked, bool auditor)
{
    return arena_printf(&core->batch, "report%s%s%s%s", auditor ? "" : " by the person",
                        asked->all_names ? " with all names" : "", asked->purpose[0] ? ": " : "",
                        asked->purpose[0] ? asked->purpose : "");
}

/* A page that goes on must be of a report that this client began, about this person and for this purpose. */
static bool check_reading(struct core *core, const struct session *session, uint64_t number, const char *question,
                          uint64_t reading, Error **error)
{
    const Entry *entry = reading <= core->last_place ? entry_read(core, reading, &core->batch) : NULL;
    if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_READING && entry->client == session->client &&
        entry->patient == number && entry->at_ms + CONTINUE_MAX_MS > core->now_ms &&
        strcmp(entry->reading->question, question) == 0)
        return true;
    return refuse(core, error, ERROR_CODE(INVALID), "reading",
                  "that is not the place of a report which this client began within the hour, about this person and "
                  "for this purpose: begin again");
}

/* ---- A page ------------------------------------------------------------------------------------------------------- */

/* The next entry of the person that can be found by it; 0: none that far. */
static uint64_t next_place(struct report *report, uint64_t from)
{
    struct core *core = report->core;
    uint64_t first = 0;
    for (size_t i = 0; i < report->n_numbers; i++) {
        uint64_t place = store_of_person_next(core->store, report->numbers[i], from);
        first = place && (!first || place < first) ? place : first;
    }
    report->work -= (int)report->n_numbers;
    return first && first <= core->indexed_place && first < report->end ? first : 0;
}

/* Fills the page, and says how far it came. */
static void page(struct report *report, uint64_t from, uint32_t access)
{
    struct core *core = report->core;
    Report *answer = report->answer;
    store_mark(core->store); /* all looks in one transaction: that is quicker than one for each */
    uint64_t place = next_place(report, from);
    while (place && report->work > 0 && answer->n_items < REPORT_PAGE_ITEMS) {
        bool whole = report_add(report, place, &access);
        arena_reset(&core->scratch);
        if (!whole)
            break;
        place = next_place(report, place + 1);
    }
    store_release(core->store);
    answer->next_place = place;
    answer->next_access = access;
    answer->complete_place = place ? place - 1 : report->end - 1;
    if (!place && core->indexed_place + 1 < report->end) {
        answer->waiting = true;
        answer->next_place = from > core->indexed_place + 1 ? from : core->indexed_place + 1;
        answer->complete_place = answer->next_place - 1;
        core->next_behind_ms = 0; /* somebody waits for it */
    }
    answer->complete_ms = as_of_written_ms(core, answer->complete_place);
}

static void report_open(struct report *report, struct core *core, const Asked *asked, Report *answer)
{
    *report =
        (struct report){.core = core,
                        .asked = asked,
                        .answer = answer,
                        .every_type = asked->n_types == 0,
                        .names = asked->all_names ? REPORT_NAMES_PERSON : policy_report_names(core->registry.policy),
                        .work = REPORT_PAGE_WORK};
    for (size_t i = 0; i < asked->n_types; i++)
        report->types |= 1U << event_type_by_name(asked->types[i]);
    if (names_event(asked)) {
        report->event = event_place_of(core, &asked->event_id, asked->event_place);
        report->event = report->event ? report->event : UINT64_MAX; /* then nothing concerns it */
    }
    report->n_numbers = person_numbers(core, answer->person, report->numbers);
    uint64_t before = asked->to_ms ? place_from(core, asked->to_ms) : answer->reading + 1;
    report->end = before < answer->reading + 1 ? before : answer->reading + 1;
    answer->hub = core->hub_name;
    answer->n_records = report->n_numbers;
    answer->records = arena_copy(&core->batch, report->numbers, report->n_numbers * sizeof *answer->records);
    answer->items = arena_alloc(&core->batch, REPORT_PAGE_ITEMS * sizeof(void *));
}

/* Known, or erased: then its entries are no more than that. */
static bool person_known(struct core *core, uint64_t number)
{
    return number && (person_get(core, number) || store_of_person_next(core->store, number, 1));
}

void access_report_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                         Carehub__V1__Answer *answer)
{
    const Asked *asked = query->access_report;
    const struct client *client = registry_client(&core->registry, session->client);
    struct report report;
    uint64_t number;
    bool auditor;
    if (!check_right(core, client, asked, &auditor, &number, &answer->error))
        return;
    const char *question = question_of(core, asked, auditor);
    bool known = person_known(core, number);
    if (asked->reading && !check_reading(core, session, number, question, asked->reading, &answer->error))
        return;
    if (!asked->reading)
        log_reading(core, session, question, known ? number : 0, 0, 0);
    if (!known) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), asked->patient ? "patient" : "eventId",
               asked->patient ? "the hub does not know this person"
                              : "the hub has no such event; was it published, and with this id?");
        return;
    }
    NEW(core, AccessReportAnswer, answered);
    answered->person = number;
    answered->reading = asked->reading ? asked->reading : core->last_place;
    report_open(&report, core, asked, answered);
    uint64_t first = asked->from_ms ? place_from(core, asked->from_ms) : 1;
    first = report.event > first ? report.event : first;
    bool goes_on = asked->reading && asked->from_place > first;
    page(&report, goes_on ? asked->from_place : first, goes_on ? asked->from_access : 0);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_ACCESS_REPORT;
    answer->access_report = answered;
    report_run_begin(core, session, query, answer);
}
