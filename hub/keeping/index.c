#include "index.h"

#include "eventid.h"
#include "erasure.h"
#include "facts/facts.h"
#include "later/later.h"

/* Rows are looked up in their own order, entries then lie anywhere: fewer at a time. */
enum { FEWER = 8 };

typedef struct index_row Row;

/* ---- The rows of an entry ---------------------------------------------------------------------------------------- */

struct rows {
    struct core *core;
    const Entry *entry;
    bool (*each)(void *ctx, const struct rows *rows, const Row *row, uint64_t about);
    void *ctx;
};

/* One row; `about`: the event that it is about, with which it goes; 0: none. Returns false to end it. */
static bool row(const struct rows *rows, enum index_table table, int64_t a, int64_t b, int64_t c, int64_t d,
                uint64_t about)
{
    const Row row = {.table = table, .key = {a, b, c, d}, .place = rows->entry->place};
    return rows->each(rows->ctx, rows, &row, about);
}

static bool of_event(const struct rows *rows, int lane, uint64_t event_place)
{
    return row(rows, INDEX_STEP, 0, lane, (int64_t)event_place, 0, event_place);
}

static bool of_slot(const struct rows *rows, const Carehub__V1__Slot *slot, uint64_t event_place)
{
    return row(rows, INDEX_STEP, slot->inbox, slot->lane, (int64_t)slot->number, 0, event_place);
}

static bool with_id(const struct rows *rows)
{
    const ProtobufCBinaryData *id = entry_id(rows->entry);
    Row row = {.table = INDEX_ID, .place = rows->entry->place};
    if (id->len != sizeof row.id)
        return true;
    memcpy(row.id, id->data, sizeof row.id);
    return rows->each(rows->ctx, rows, &row, 0);
}

static bool of_persons(const struct rows *rows)
{
    uint64_t numbers[PERSON_NUMBERS_MAX];
    size_t n = entry_persons(rows->entry, numbers);
    for (size_t i = 0; i < n; i++)
        if (!row(rows, INDEX_OF_PERSON, (int64_t)numbers[i], 0, 0, 0, 0))
            return false;
    return true;
}

static bool fact_rows(const struct rows *rows)
{
    const Fact *fact = rows->entry->fact->fact;
    if (!with_id(rows))
        return false;
    switch (fact->fact_case) {
    case CAREHUB__V1__FACT__FACT_EVENT_VERIFIED: {
        uint64_t event_place = store_id_find(rows->core->store, fact->event_verified->event_id.data);
        return event_place == 0 || of_event(rows, STEP_LANE_VERIFIED, event_place);
    }
    case CAREHUB__V1__FACT__FACT_GRANT_GIVEN:
        return fact->grant_given->kind != CAREHUB__V1__GRANT_KIND__EMERGENCY_ACCESS ||
               row(rows, INDEX_STEP, 0, STEP_LANE_EMERGENCY, 0, 0, 0);
    default:
        return true;
    }
}

/* The notice of an erasure is an event of nobody, and by nothing found again. */
static bool event_rows(const struct rows *rows)
{
    const Carehub__V1__EventEntry *event = rows->entry->event;
    uint64_t original = event->amends ? event->amends : event->retracts;
    return rows->entry->patient == 0 ||
           (with_id(rows) && (original == 0 || of_event(rows, STEP_LANE_CORRECTED, original)));
}

static bool ack_rows(const struct rows *rows)
{
    const Carehub__V1__AckEntry *ack = rows->entry->ack;
    for (size_t i = 0; i < ack->n_ranges; i++)
        if (!row(rows, INDEX_ACKED, ack->inbox, ack->ranges[i]->lane, ack->ranges[i]->kind, (int64_t)ack->ranges[i]->to,
                 0))
            return false;
    return true;
}

/* Calls each with every row of the index that follows from an entry, till it returns false. */
static bool all_rows(const struct rows *rows)
{
    const Entry *entry = rows->entry;
    if (!of_persons(rows))
        return false;
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        return event_rows(rows);
    case CAREHUB__V1__ENTRY__WHAT_NOT_KEPT:
        return with_id(rows);
    case CAREHUB__V1__ENTRY__WHAT_FACT:
        return fact_rows(rows);
    case CAREHUB__V1__ENTRY__WHAT_ACK:
        return ack_rows(rows);
    case CAREHUB__V1__ENTRY__WHAT_NACK:
        return of_slot(rows, entry->nack->slot, entry->nack->event_place);
    case CAREHUB__V1__ENTRY__WHAT_RETRY:
        return of_slot(rows, entry->retry->old_slot, entry->retry->event_place);
    case CAREHUB__V1__ENTRY__WHAT_END:
        return row(rows, INDEX_STEP, entry->end->inbox, entry->end->lane, (int64_t)entry->end->to, 0,
                   entry->end->event_place);
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        return of_event(rows, STEP_LANE_HELD, entry->held->event_place);
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        return of_event(rows, STEP_LANE_LATER, entry->later->event_place);
    case CAREHUB__V1__ENTRY__WHAT_REPLAY_END:
        return of_event(rows, STEP_LANE_REPLAY_END, entry->replay_end->because);
    default:
        return true;
    }
}

/* ---- Is there all that follows from an entry? -------------------------------------------------------------------- */

/* Ids are forgotten when both the id and its entry are old. */
static bool id_forgotten(const struct core *core, const Entry *entry, const uint8_t id[16])
{
    return entry->at_ms < core->ids_known_from_ms && (int64_t)eventid_time_ms(id) < core->ids_known_from_ms;
}

/* What is about an event that has gone goes with it; acknowledgements go from the first of their lane on. */
static bool may_be_gone(const struct rows *rows, const Row *row, uint64_t about)
{
    struct core *core = rows->core;
    switch (row->table) {
    case INDEX_ID:
        return id_forgotten(core, rows->entry, row->id);
    case INDEX_STEP:
        if (about)
            return !entry_read(core, about, &core->scratch);
        return row->key[0] != 0 && core->pruned_place > 0;
    case INDEX_ACKED:
        return core->pruned_place > 0 && (uint64_t)row->key[3] < store_acked_first(core->store, (uint32_t)row->key[0],
                                                                                   (int)row->key[1], (int)row->key[2]);
    case INDEX_OF_PERSON: /* of an erasure older versions put its first number only */
        return rows->entry->what_case == CAREHUB__V1__ENTRY__WHAT_ERASED &&
               row->key[0] != (int64_t)rows->entry->patient;
    default:
        return false;
    }
}

static bool is_there(void *ctx, const struct rows *rows, const Row *row, uint64_t about)
{
    (void)ctx;
    return store_index_has(rows->core->store, row) || may_be_gone(rows, row, about);
}

/* The version of a card that a fact has made, by its kind and number; 0: it has made none for certain. */
static uint64_t card_made(const struct core *core, const Entry *entry, enum card_kind *kind)
{
    const struct registry *registry = &core->registry;
    const Fact *fact = entry->fact->fact;
    const struct client *client = NULL;
    const struct actor *actor = NULL;
    const struct inbox *inbox = NULL;
    for (size_t i = 0; i < n_person_facts + n_consent_facts; i++)
        if ((i < n_person_facts ? person_facts[i] : consent_facts[i - n_person_facts]).kind == fact->fact_case) {
            *kind = CARD_PATIENT;
            return entry->patient;
        }
    switch (fact->fact_case) {
    case CAREHUB__V1__FACT__FACT_ACTOR_SET:
        actor = registry_actor(registry, entry->fact->number);
        break;
    case CAREHUB__V1__FACT__FACT_ACTOR_STANDING:
        actor = registry_actor_named(registry, fact->actor_standing->name);
        break;
    case CAREHUB__V1__FACT__FACT_CLIENT_SET:
        client = registry_client(registry, entry->fact->number);
        break;
    case CAREHUB__V1__FACT__FACT_CLIENT_STANDING:
        client = registry_client_named(registry, fact->client_standing->name);
        break;
    case CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED:
        client = registry_client_named(registry, fact->client_key_added->client);
        break;
    case CAREHUB__V1__FACT__FACT_CLIENT_KEY_REVOKED:
        client = registry_client_named(registry, fact->client_key_revoked->client);
        break;
    case CAREHUB__V1__FACT__FACT_INBOX_SET:
    case CAREHUB__V1__FACT__FACT_INBOX_CLOSED:
        inbox = registry_inbox(registry, entry->fact->number);
        break;
    case CAREHUB__V1__FACT__FACT_POLICY_ADOPTED:
        *kind = CARD_POLICY;
        return 1;
    default:
        break;
    }
    *kind = actor ? CARD_ACTOR : client ? CARD_CLIENT : CARD_INBOX;
    return actor ? actor->number : client ? client->number : inbox ? inbox->number : 0;
}

static bool card_is_there(struct core *core, const Entry *entry)
{
    enum card_kind kind = CARD_PATIENT;
    struct card card;
    uint64_t number = entry->what_case == CAREHUB__V1__ENTRY__WHAT_EXPIRY ? entry->patient
                      : entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT ? card_made(core, entry, &kind)
                                                                          : 0;
    if (number == 0 || entry->place <= core->pruned_place)
        return true;
    if (kind == CARD_ACTOR && actor_erased(core, (uint32_t)number))
        return true;
    return store_card_get(core->store, kind, number, entry->place, &core->scratch, &card) != STORE_NONE &&
           card.from_place == entry->place;
}

bool index_follows(void *ctx, const Entry *entry)
{
    struct core *core = ctx;
    const struct rows rows = {.core = core, .entry = entry, .each = is_there};
    bool sound = entry->place > core->indexed_place ||
                 (all_rows(&rows) && card_is_there(core, entry) && unread_is_noted(core, entry));
    arena_reset(&core->scratch);
    return sound;
}

/* The next date of the card; an earlier one that has not had its turn yet says nothing of it. */
bool index_follows_person(void *ctx, const struct card *row)
{
    struct core *core = ctx;
    uint64_t number;
    int64_t at_ms;
    struct person person = {.number = row->number,
                            .card = carehub__v1__patient_card__unpack(&core->scratch.protobuf, row->size, row->body)};
    bool sound = person.card != NULL;
    if (sound && !core->clock_suspect && !store_due_next(core->store, core->now_ms, &number, &at_ms)) {
        person_find_dates(&person, core->now_ms);
        sound =
            person.stable_until_ms == INT64_MAX || store_due_has(core->store, person.number, person.stable_until_ms);
    }
    arena_reset(&core->scratch);
    return sound;
}

/* ---- Does a row follow from its entry? --------------------------------------------------------------------------- */

static bool differs(void *ctx, const struct rows *rows, const Row *row, uint64_t about)
{
    (void)rows;
    (void)about;
    const Row *wanted = ctx;
    return row->table != wanted->table || memcmp(row->key, wanted->key, sizeof row->key) != 0 ||
           memcmp(row->id, wanted->id, sizeof row->id) != 0;
}

/* These rows say more than their entry: of which emergency access it was the end, and of which event a verification is
 * whose id has been forgotten. They are about the same person. */
static bool about_same_person(struct core *core, const Row *row, const Entry *entry)
{
    if (row->table != INDEX_STEP || row->key[0] != 0 ||
        (row->key[1] != STEP_LANE_EMERGENCY_ENDED && row->key[1] != STEP_LANE_VERIFIED))
        return false;
    const Entry *other = entry_read(core, (uint64_t)row->key[2], &core->scratch);
    return !other || other->patient == entry->patient;
}

/* Rows whose entry has been erased or pruned stay, and lead to nothing. */
static bool row_follows(struct core *core, const Row *row)
{
    struct log_record record;
    enum store_result read = row->place <= core->last_place
                                 ? core->log->functions->read(core->log, row->place, &core->scratch, &record)
                                 : STORE_DAMAGED;
    if (read != STORE_OK)
        return read == STORE_ERASED || (read == STORE_NONE && row->place <= core->pruned_place);
    const Entry *entry = carehub__v1__entry__unpack(&core->scratch.protobuf, record.entry_size, record.entry);
    const struct rows rows = {.core = core, .entry = entry, .each = differs, .ctx = (void *)row};
    return entry && (!all_rows(&rows) || about_same_person(core, row, entry));
}

static void look_at_row(void *ctx, const Row *row)
{
    static const char *const names[] = {"of_person", "id", "step", "acked"};
    struct core *core = ctx;
    if (!row)
        scrub_damaged(&core->scrub, "index", 0, 0, 0);
    else if (!row_follows(core, row))
        scrub_damaged(&core->scrub, names[row->table], row->key[0], row->key[2], (int64_t)row->place);
    arena_reset(&core->scratch);
}

bool index_check_some(void *ctx, size_t max)
{
    struct core *core = ctx;
    max = max / FEWER + 1;
    return store_index_walk(core->store, &core->index_walk, max, look_at_row, core) == max;
}
