/* Questions of operators: who may ask what, and the plain answers. Traces and explanations are in files of their own.
 */
#include "keeping/erasure.h"
#include "keeping/index.h"
#include "query.h"

#include <stdlib.h>

#include "eventid.h"
#include "later/later.h"

enum { ITEMS_PAGE = 1000, EXPORT_PAGE = 1000, EXPORT_PAGE_BYTES = 512 << 10, TAIL_LINES_MAX = 4096 };

/* Answers point into the state, which the rest of the batch may change before they are sent: a copy is sent. */
void answer_send(struct core *core, struct session *session, uint64_t ref, Carehub__V1__Answer *answer)
{
    answer->ref = ref;
    size_t size = carehub__v1__answer__get_packed_size(answer);
    uint8_t *packed = arena_alloc(&core->batch, size);
    carehub__v1__answer__pack(answer, packed);
    Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
    carehub__v1__to_client__init(message);
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER;
    message->answer = carehub__v1__answer__unpack(&core->batch.protobuf, size, packed);
    send_later(core, session->id, message);
}

/* ---- Status ----------------------------------------------------------------------------------------------------- */

static void status_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                         Carehub__V1__Answer *answer)
{
    (void)session, (void)query;
    const struct registry *registry = &core->registry;
    NEW(core, StatusAnswer, status);
    status->hub = core->hub_name;
    status->version = (char *)CAREHUB_VERSION;
    status->now_ms = core->now_ms;
    status->started_ms = core->started_ms;
    status->last_place = core->last_place;
    status->events = core->counters.events;
    status->not_kept = core->counters.not_kept;
    status->repeats = core->counters.repeats;
    status->rejects = core->counters.rejects;
    status->facts = core->counters.facts;
    status->deliveries = core->counters.deliveries;
    status->acks = core->counters.acks;
    status->commits = core->counters.commits;
    status->sessions = (uint32_t)core->sessions.count;
    status->attachments = (uint32_t)core->n_attachments;
    status->actors = registry->n_actors;
    status->clients = registry->n_clients;
    status->patients = core->persons.last_number;
    status->held = core->n_held;
    for (size_t i = 0; i < registry->n_inboxes; i++) {
        status->inboxes += !registry->inboxes[i]->card->closed;
        status->dead += registry->inboxes[i]->n_dead;
        status->undelivered += inbox_undelivered(registry->inboxes[i]);
    }
    status->database_bytes = store_size_bytes(core->store);
    status->wal_bytes = store_wal_bytes(core->store);
    status->policy_name = (char *)policy_name(registry->policy);
    status->policy_place = registry->policy_place;
    status->clock_suspect = core->clock_suspect;
    status->unread = store_unread_count(core->store);
    status->replays = store_work_count(core->store, WORK_REPLAY);
    status->indexed_place = core->indexed_place;
    status->checking = core->real_ms >= core->next_scrub_ms;
    status->checked_place = core->scrub.place;
    status->checked_ms = core->scrubbed_ms;
    status->damaged = core->scrub.damaged;
    status->backed_up_ms = core->backed_up_ms;
    status_of_log(core, status);
    status->epoch = vault_epoch_current(core->vault);
    status->rewrapping = keys_rewrapping(core);
    status->erasures_asked = store_work_count(core->store, WORK_ERASURE_ASKED);
    status->erasures = store_work_count(core->store, WORK_ERASURE);
    status->retained_place = core->retained_place;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_STATUS;
    answer->status = status;
}

/* ---- Tail ------------------------------------------------------------------------------------------------------- */

static void tail_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                       Carehub__V1__Answer *answer)
{
    bool start = !query->tail->stop;
    if (start != session->tailing)
        core->n_tails = start ? core->n_tails + 1 : core->n_tails - 1;
    session->tailing = start;
    session->tail_ref = query->ref;
    NEW(core, TailAnswer, tail);
    answer->more = start;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_TAIL;
    answer->tail = tail;
}

void tail_end(struct core *core, struct session *session)
{
    core->n_tails -= session->tailing;
    session->tailing = false;
}

void tail_decision(struct core *core, const Entry *entry, const Decision *decision)
{
    if (core->n_tail_lines >= TAIL_LINES_MAX)
        return;
    const struct actor *actor = registry_actor(&core->registry, decision->actor);
    Carehub__V1__TraceLine *line = trace_line(core, entry, CAREHUB__V1__TRACE_LINE__STEP__DECIDED, entry->at_ms);
    line->actor = arena_strdup(&core->batch, actor ? actor->card->name : "?");
    line->role = arena_strdup(&core->batch, decision->role);
    line->outcome = decision->outcome;
    line->reason = decision->reason;
    line->level = decision->level;
    line->notice = decision->notice;
    if (decision->n_slots > 0) {
        line->inbox =
            arena_strdup(&core->batch, registry_inbox(&core->registry, decision->slots[0]->inbox)->card->name);
        line->lane = decision->slots[0]->lane;
        line->number = decision->slots[0]->number;
    }
    GROW(core->tail_lines, core->n_tail_lines, core->tail_lines_capacity);
    core->tail_lines[core->n_tail_lines++] = line;
}

void tail_not_kept(struct core *core, const Entry *entry, Carehub__V1__EventType type)
{
    if (core->n_tail_lines >= TAIL_LINES_MAX)
        return;
    GROW(core->tail_lines, core->n_tail_lines, core->tail_lines_capacity);
    Carehub__V1__TraceLine *line = trace_line(core, entry, CAREHUB__V1__TRACE_LINE__STEP__NOT_KEPT_STEP, entry->at_ms);
    line->type = type;
    core->tail_lines[core->n_tail_lines++] = line;
}

void answer_at_once(struct core *core, session_id to, Carehub__V1__Answer *answer)
{
    Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
    message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ANSWER;
    message.answer = answer;
    core->output.send(core->output.ctx, to, &message);
}

bool session_may_ask(const struct core *core, session_id id, Carehub__V1__Query__QueryCase what)
{
    const struct session *session = u64map_get(&core->sessions, id);
    const struct client *client = session ? registry_client(&core->registry, session->client) : NULL;
    return client && may_ask(client, what);
}

void tail_flush(struct core *core)
{
    uint64_t id;
    void *value;
    for (size_t at = 0; core->n_tail_lines > 0 && u64map_next(&core->sessions, &at, &id, &value);) {
        struct session *session = value;
        if (!session->tailing)
            continue;
        if (core->output.room(core->output.ctx) < OUTBOUND_MAX_BYTES / 2) { /* deliveries go first */
            session->tail_missed += core->n_tail_lines;
            continue;
        }
        Carehub__V1__TailAnswer tail = CAREHUB__V1__TAIL_ANSWER__INIT;
        Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
        tail.n_lines = core->n_tail_lines;
        tail.lines = core->tail_lines;
        tail.missed = session->tail_missed;
        answer.ref = session->tail_ref;
        answer.more = true;
        answer.answer_case = CAREHUB__V1__ANSWER__ANSWER_TAIL;
        answer.tail = &tail;
        answer_at_once(core, session->id, &answer);
        session->tail_missed = 0;
    }
    core->n_tail_lines = 0;
}

/* ---- What is in an inbox ---------------------------------------------------------------------------------------- */

struct items {
    struct core *core;
    Carehub__V1__InboxItemsAnswer *answer;
    size_t max;
    uint32_t actor; /* 0: of all */
};

static Carehub__V1__TraceLine *item_line(struct items *items, uint64_t place, Carehub__V1__TraceLine__Step step)
{
    if (items->answer->n_lines >= items->max) {
        items->answer->more = true;
        return NULL;
    }
    Entry *entry = entry_read(items->core, place, &items->core->batch);
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT)
        return NULL;
    Carehub__V1__TraceLine *line = trace_line(items->core, entry, step, entry->at_ms);
    items->answer->lines[items->answer->n_lines++] = line;
    return line;
}

static bool held_line(void *ctx, uint32_t actor, const struct card *row)
{
    struct items *items = ctx;
    if (items->actor && items->actor != actor)
        return true;
    Carehub__V1__HeldCard *card = carehub__v1__held_card__unpack(&items->core->batch.protobuf, row->size, row->body);
    Carehub__V1__TraceLine *line = item_line(items, row->number, CAREHUB__V1__TRACE_LINE__STEP__HELD_BACK);
    if (line && card) {
        line->actor = registry_actor(&items->core->registry, actor)->card->name;
        line->role = card->role;
        line->reason = card->reason;
        line->outcome = OUTCOME(HOLD);
        line->deadline_ms = card->deadline_ms;
    }
    return line != NULL;
}

static void queued_lines(struct items *items, struct inbox *inbox)
{
    struct core *core = items->core;
    bool full;
    for (int which = LANES; which-- > 0;) {
        const struct lane *lane = &inbox->lanes[which];
        for (uint64_t number = lane->settled + 1; number < lane->next; number++) {
            const struct exception *exception = inbox_exception(inbox, which, number);
            if (exception)
                continue;
            const struct item *item = inbox_item(inbox, core->store, which, number, &full);
            Carehub__V1__TraceLine *line = item
                                               ? item_line(items, item->place,
                                                           number <= lane->sent ? CAREHUB__V1__TRACE_LINE__STEP__SENT
                                                                                : CAREHUB__V1__TRACE_LINE__STEP__QUEUED)
                                               : NULL;
            if (!line) {
                items->answer->more |= full;
                break;
            }
            line->inbox = inbox->card->name;
            line->lane = (Carehub__V1__Lane)which;
            line->number = number;
            line->level = (Carehub__V1__Level)item->level;
            line->notice = item->notice;
        }
    }
}

static void exception_lines(struct items *items, const struct inbox *inbox, Carehub__V1__ExceptionCard__State state,
                            Carehub__V1__TraceLine__Step step)
{
    for (size_t i = 0; i < inbox->n_exceptions; i++) {
        const struct exception *exception = &inbox->exceptions[i];
        if (exception->state != state)
            continue;
        Carehub__V1__TraceLine *line = item_line(items, exception->item.place, step);
        if (!line)
            continue;
        line->inbox = inbox->card->name;
        line->lane = (Carehub__V1__Lane)exception->lane;
        line->number = exception->number;
        line->level = (Carehub__V1__Level)exception->item.level;
        line->reason = exception->reason;
        line->attempts = exception->attempts;
        line->code = arena_strdup(&items->core->batch, exception->code);
        line->deadline_ms = exception->retry_at_ms;
    }
}

static void inbox_items_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                              Carehub__V1__Answer *answer)
{
    (void)session;
    const Carehub__V1__InboxItemsQuery *asked = query->inbox_items;
    struct inbox *inbox = registry_inbox_named(&core->registry, asked->inbox);
    bool held = asked->which == CAREHUB__V1__INBOX_ITEMS_QUERY__WHICH__HELD_ITEMS;
    if (!inbox && !(held && asked->inbox[0] == '\0')) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "inbox", "there is no inbox “%.*s”", NAME_MAX_BYTES,
               asked->inbox);
        return;
    }
    NEW(core, InboxItemsAnswer, list);
    struct items items = {.core = core,
                          .answer = list,
                          .max = asked->max && asked->max < ITEMS_PAGE ? asked->max : ITEMS_PAGE,
                          .actor = inbox ? inbox->card->actor : 0};
    list->lines = arena_alloc(&core->batch, items.max * sizeof *list->lines);
    if (held) {
        store_held_each(core->store, &core->scratch, held_line, &items);
    } else if (asked->which == CAREHUB__V1__INBOX_ITEMS_QUERY__WHICH__DEAD_ITEMS) {
        exception_lines(&items, inbox, CAREHUB__V1__EXCEPTION_CARD__STATE__DEAD, CAREHUB__V1__TRACE_LINE__STEP__END);
    } else {
        exception_lines(&items, inbox, CAREHUB__V1__EXCEPTION_CARD__STATE__RETRY,
                        CAREHUB__V1__TRACE_LINE__STEP__WAITING_RETRY);
        queued_lines(&items, inbox);
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_INBOX_ITEMS;
    answer->inbox_items = list;
}

/* ---- The log itself --------------------------------------------------------------------------------------------- */

/* All that is left of it. */
static Entry *entry_erased(struct core *core, const struct log_record *record)
{
    Entry *entry = arena_alloc(&core->batch, sizeof *entry);
    carehub__v1__entry__init(entry);
    entry->place = record->place;
    entry->at_ms = record->at_ms;
    return entry;
}

static void export_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                         Carehub__V1__Answer *answer)
{
    (void)session;
    size_t max = query->export_log->max && query->export_log->max < EXPORT_PAGE ? query->export_log->max : EXPORT_PAGE,
           bytes = 0;
    uint64_t place = query->export_log->from_place ? query->export_log->from_place : 1;
    NEW(core, ExportAnswer, export);
    export->entries = arena_alloc(&core->batch, max * sizeof *export->entries);
    export->leaves = arena_alloc(&core->batch, max * sizeof *export->leaves);
    for (; place <= core->last_place && export->n_entries < max && bytes < EXPORT_PAGE_BYTES; place++) {
        struct log_record record;
        enum store_result read = core->log->functions->read(core->log, place, &core->batch, &record);
        Entry *entry = read == STORE_ERASED ? entry_erased(core, &record)
                       : read == STORE_OK
                           ? carehub__v1__entry__unpack(&core->batch.protobuf, record.entry_size, record.entry)
                           : NULL;
        if (read == STORE_NONE && place <= core->pruned_place)
            continue; /* no longer kept */
        if (!entry) {
            say(2, "entry %llu of the log is missing, damaged or altered: restore the database from its last backup",
                (unsigned long long)place);
            refuse(core, &answer->error, ERROR_CODE(INTERNAL), "fromPlace",
                   "entry %llu is missing, damaged or altered: restore the database from its last backup",
                   (unsigned long long)place);
            return;
        }
        export->entries[export->n_entries++] = entry;
        export->leaves[export->n_leaves++] =
            (ProtobufCBinaryData){LEAF_BYTES, arena_copy(&core->batch, record.leaf, LEAF_BYTES)};
        bytes += record.entry_size + LEAF_BYTES;
    }
    export->next_place = place <= core->last_place ? place : 0;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_EXPORT_LOG;
    answer->export_log = export;
}

uint64_t event_place_of(struct core *core, const ProtobufCBinaryData *id, uint64_t place)
{
    if (id->len != EVENTID_BYTES)
        return place <= core->last_place ? place : 0;
    place = store_id_find(core->store, id->data);
    const Entry *entry = place ? entry_read(core, place, &core->scratch) : NULL;
    return !entry || entry_has_id(entry, id) ? place : 0;
}

static void open_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                       Carehub__V1__Answer *answer)
{
    uint64_t place = event_place_of(core, &query->open->event_id, 0);
    if (query->open->purpose[0] == '\0' || strlen(query->open->purpose) > TEXT_MAX_BYTES) {
        refuse(core, &answer->error, ERROR_CODE(INVALID), "purpose",
               "opening an event needs a purpose: it is recorded");
        return;
    }
    const uint8_t *bytes;
    size_t size;
    Entry *entry = place ? entry_read_payload(core, place, &core->batch, &bytes, &size) : NULL;
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT) {
        refuse(core, &answer->error, ERROR_CODE(UNKNOWN_NAME), "eventId",
               "there is no such event, or its content is gone");
        return;
    }
    log_reading(core, session, query->open->purpose, entry->patient, place, 0);
    NEW(core, OpenAnswer, open);
    open->event = (ProtobufCBinaryData){size, (uint8_t *)bytes};
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_OPEN;
    answer->open = open;
}

/* ---- Who may ask what ------------------------------------------------------------------------------------------- */

#define ROLE(name) (1u << CAREHUB__V1__OPERATOR_ROLE__##name)
#define ONLOOKERS (ROLE(VIEWER) | ROLE(AUDITOR))
#define ANYBODY                                                                                                        \
    (1u << CAREHUB__V1__OPERATOR_ROLE__OPERATOR_ROLE_UNSPECIFIED) /* the answer itself looks at who asks               \
                                                                   */
#define QUERY(name) CAREHUB__V1__QUERY__QUERY_##name

static const struct question {
    Carehub__V1__Query__QueryCase what;
    unsigned roles; /* one of these */
    void (*answer)(struct core *core, struct session *session, const Carehub__V1__Query *query,
                   Carehub__V1__Answer *answer);
} questions[] = {
    {QUERY(STATUS), ONLOOKERS | ROLE(OPERATOR) | ROLE(REGISTRAR), status_query},
    {QUERY(LIST), ONLOOKERS | ROLE(OPERATOR) | ROLE(REGISTRAR), list_query},
    {QUERY(PATIENT), ONLOOKERS | ROLE(REGISTRAR), patient_query},
    {QUERY(EMERGENCY), ONLOOKERS | ROLE(REGISTRAR), emergency_query},
    {QUERY(TAIL), ONLOOKERS, tail_query},
    {QUERY(TRACE), ONLOOKERS, trace_query},
    {QUERY(EXPLAIN), ONLOOKERS, explain_query},
    {QUERY(EXPORT_LOG), ONLOOKERS, export_query},
    {QUERY(INBOX_ITEMS), ONLOOKERS | ROLE(OPERATOR), inbox_items_query},
    {QUERY(REPLAY), ONLOOKERS | ROLE(OPERATOR), replay_query},
    {QUERY(OPEN), ROLE(AUDITOR), open_query},
    {QUERY(CHECKPOINT), ONLOOKERS | ROLE(OPERATOR) | ROLE(REGISTRAR), checkpoint_query},
    {QUERY(TILES), ONLOOKERS | ROLE(OPERATOR) | ROLE(REGISTRAR), tiles_query},
    {QUERY(COSIGNED), ONLOOKERS | ROLE(OPERATOR), cosigned_query},
    {QUERY(PROVE), ROLE(AUDITOR), prove_query},
    {QUERY(VERIFY), ROLE(AUDITOR), verify_query},
    {QUERY(ACCESS_REPORT), ANYBODY, access_report_query},
    {QUERY(POLICY_DIFF), ROLE(OPERATOR) | ROLE(REGISTRAR), policy_diff_query},
    {QUERY(BACKUP), ROLE(OPERATOR), backup_query},
    {QUERY(KEYS), ROLE(OPERATOR) | ROLE(AUDITOR) | ROLE(REGISTRAR), keys_query},
};

static const struct question *question_of(Carehub__V1__Query__QueryCase what)
{
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (questions[i].what == what)
            return &questions[i];
    return NULL;
}

bool may_ask(const struct client *client, Carehub__V1__Query__QueryCase what)
{
    const struct question *question = question_of(what);
    if (question && question->roles == ANYBODY)
        return true;
    for (size_t i = 0; question && i < client->card->n_roles; i++)
        if (client->card->roles[i] <= CAREHUB__V1__OPERATOR_ROLE__REGISTRAR &&
            question->roles >> client->card->roles[i] & 1)
            return true;
    return false;
}

void query(struct core *core, struct session *session, const Carehub__V1__Query *query)
{
    Carehub__V1__Answer *answer = arena_alloc(&core->batch, sizeof *answer);
    carehub__v1__answer__init(answer);
    const struct question *question = question_of(query->query_case);
    const struct client *client = registry_client(&core->registry, session->client);
    if (!question)
        refuse(core, &answer->error, ERROR_CODE(INVALID), "query", "this hub does not know the question");
    else if (!may_ask(client, query->query_case))
        refuse(core, &answer->error, ERROR_CODE(NOT_ALLOWED), "query",
               "client %s has not the operator role that this question needs; ask the registrar", client->card->name);
    else
        question->answer(core, session, query, answer);
    if (answer->error || answer->answer_case != CAREHUB__V1__ANSWER__ANSWER__NOT_SET)
        answer_send(core, session, query->ref, answer); /* others are answered when it is done */
}
