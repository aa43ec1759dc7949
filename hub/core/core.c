/* The core itself: the batch. A batch is a transaction: it opens with the first message that changes anything, takes
 * the hub's own due work first, and is made durable by core_commit. Only then is anything said. */
#include "core_private.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <sodium.h>

#include "identifier.h"
#include "keeping/erasure.h"
#include "keeping/keeping.h"
#include "keeping/tlog.h"
#include "query/query.h"

enum { SWEEP_EVERY_MS = 1000 };

void say(int level, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(stderr, "<%d>carehubd: ", level); /* the journal's priority prefix */
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* The hub's time: the real one, never decreasing within the log. A jump against the clock since boot is noticed; from
 * then on time goes on from before the jump, so that no entry bears a time that may be wrong, till an operator has set
 * the clock and started the hub again. */
void time_take(struct core *core, struct core_time now)
{
    int64_t jump = now.real_ms - now.boot_ms - core->clock_offset_ms;
    if ((jump > CLOCK_JUMP_MAX_MS || jump < -CLOCK_JUMP_MAX_MS) && !core->clock_suspect) {
        core->clock_suspect = true;
        say(3, "the clock jumped by %lld s: what depends on dates waits. Set the clock and start again",
            (long long)jump / 1000);
    }
    core->real_ms = core->clock_suspect ? now.boot_ms + core->clock_offset_ms : now.real_ms;
    if (!core->open && core->real_ms > core->now_ms)
        core->now_ms = core->real_ms;
}

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

bool error_retries(Carehub__V1__ErrorCode code)
{
    return code == ERROR_CODE(BUSY) || code == ERROR_CODE(DISK_FULL) || code == ERROR_CODE(SHUTTING_DOWN) ||
           code == ERROR_CODE(NO_HELLO);
}

bool refuse(struct core *core, Error **error, Carehub__V1__ErrorCode code, const char *field, const char *format, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    *error = arena_alloc(&core->batch, sizeof **error);
    carehub__v1__error__init(*error);
    (*error)->code = code;
    (*error)->text = arena_strdup(&core->batch, text);
    (*error)->field = arena_strdup(&core->batch, field);
    (*error)->retry = error_retries(code);
    return false;
}

/* ---- What is sent after the commit ------------------------------------------------------------------------------ */

void send_later(struct core *core, session_id to, Carehub__V1__ToClient *message)
{
    GROW(core->outbox, core->n_outbox, core->outbox_capacity);
    core->outbox[core->n_outbox++] = (struct output_message){to, message};
}

void send_error(struct core *core, session_id to, const Error *error)
{
    Carehub__V1__ToClient *message = arena_alloc(&core->batch, sizeof *message);
    carehub__v1__to_client__init(message);
    message->message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR;
    message->error = (Error *)error;
    send_later(core, to, message);
}

void mark_ready(struct core *core, struct inbox *inbox)
{
    if (inbox->ready || inbox->session == 0)
        return;
    GROW(core->ready, core->n_ready, core->ready_capacity);
    core->ready[core->n_ready++] = inbox;
    inbox->ready = true;
}

void mark_touched(struct core *core, struct inbox *inbox)
{
    if (inbox->touched)
        return;
    GROW(core->touched, core->n_touched, core->touched_capacity);
    core->touched[core->n_touched++] = inbox;
    inbox->touched = true;
}

/* ---- The batch -------------------------------------------------------------------------------------------------- */

void batch_open(struct core *core)
{
    if (core->open)
        return;
    core->log->functions->begin(core->log);
    core->open = true;
    core->opened_ms = core->real_ms;
    if (core->commit_time_place) {
        store_commit_time_put(core->store, core->commit_time_place, core->commit_time_ms);
        core->commit_time_place = 0;
    }
    endings_take(core);
    expire_due(core);
}

uint64_t batch_append(struct core *core, Entry *entry, const struct person *person, const void *payload,
                      size_t payload_size)
{
    assert(core->open);
    uint8_t named_key[VAULT_KEY_BYTES];
    uint64_t names = actor_named(entry);
    if (names) /* what names an actor who is a natural person goes with that actor's key, all of it */
        actor_key(core->store, names, named_key);
    if (!person && entry->patient) /* whatever is said of a person goes with that person's key */
        person = person_get(core, entry->patient);
    entry->format = 1;
    entry->place = ++core->last_place;
    entry->at_ms = core->now_ms;
    size_t size = carehub__v1__entry__get_packed_size(entry);
    uint8_t *packed = arena_alloc(&core->scratch, size);
    carehub__v1__entry__pack(entry, packed);
    struct log_record record = {.place = entry->place,
                                .at_ms = entry->at_ms,
                                .entry = packed,
                                .entry_size = size,
                                .names = names,
                                .payload = payload,
                                .payload_size = payload_size};
    core->log->functions->append(core->log, &record, names ? named_key : person ? person->key : core->hub_key);
    sodium_memzero(named_key, sizeof named_key);
    tlog_leaf(core->tlog, entry->place, record.leaf);
    return entry->place;
}

Entry *entry_read(struct core *core, uint64_t place, struct arena *arena)
{
    struct log_record record;
    enum store_result result = core->log->functions->read(core->log, place, arena, &record);
    Entry *entry =
        result == STORE_OK ? carehub__v1__entry__unpack(&arena->protobuf, record.entry_size, record.entry) : NULL;
    if (result == STORE_DAMAGED)
        say(2, "entry %llu of the log is damaged or was altered; it is not used", (unsigned long long)place);
    return entry;
}

enum store_result entry_open(struct core *core, uint64_t place, struct arena *arena, struct log_record *record,
                             Entry **entry)
{
    uint8_t key[VAULT_KEY_BYTES];
    *entry = NULL;
    enum store_result result = core->log->functions->read(core->log, place, arena, record);
    if (result != STORE_OK)
        return result;
    *entry = carehub__v1__entry__unpack(&arena->protobuf, record->entry_size, record->entry);
    if (!*entry)
        return STORE_DAMAGED;
    struct person *person = person_get(core, (*entry)->patient);
    if ((*entry)->patient && !person)
        return STORE_NONE;
    memcpy(key, person ? person->key : core->hub_key, sizeof key);
    if (record->names)
        result = store_subject_key(core->store, record->names, key);
    if (result == STORE_OK)
        result = core->log->functions->payload(core->log, key, arena, record);
    sodium_memzero(key, sizeof key);
    return result;
}

Entry *entry_read_payload(struct core *core, uint64_t place, struct arena *arena, const uint8_t **payload, size_t *size)
{
    struct log_record record;
    Entry *entry;
    enum store_result opened = entry_open(core, place, arena, &record, &entry);
    if (opened == STORE_DAMAGED)
        say(2, "entry %llu of the log or its payload is damaged or was altered; it is not used",
            (unsigned long long)place);
    *payload = record.payload;
    *size = record.payload_size;
    return opened == STORE_OK ? entry : NULL;
}

static bool entry_before(struct core *core, uint64_t place, int64_t at_ms)
{
    struct log_record record;
    enum store_result read = core->log->functions->read(core->log, place, &core->scratch, &record);
    arena_reset(&core->scratch);
    return read == STORE_NONE ? place <= core->pruned_place /* no longer kept */
                              : read != STORE_DAMAGED && record.at_ms < at_ms;
}

uint64_t place_from(struct core *core, int64_t at_ms)
{
    uint64_t low = 1, high = core->last_place + 1;
    while (low < high) {
        uint64_t middle = (low + high) / 2;
        if (entry_before(core, middle, at_ms))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct person *person_get(struct core *core, uint64_t number)
{
    bool damaged;
    struct person *person = persons_get(&core->persons, number, core->now_ms, &damaged);
    if (damaged)
        say(2, "the card of P%llu is damaged or was altered; nothing is delivered of this person",
            (unsigned long long)number);
    return person;
}

struct person *person_deciding(struct core *core, uint64_t number)
{
    return person_get(core, persons_survivor(&core->persons, number, core->now_ms));
}

uint64_t patient_find(struct core *core, const Carehub__V1__PatientRef *ref)
{
    if (!ref->identifier)
        return ref->number;
    struct identifier checked;
    char system[IDENTIFIER_SYSTEM_CHARS];
    enum identifier_status status = identifier_check(ref->identifier->system, ref->identifier->value, &checked);
    if (!identifier_usable(status) || !identifier_system_normalise(ref->identifier->system, system))
        return 0;
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    identifier.system = system;
    identifier.value = checked.value;
    bool damaged;
    uint64_t number = persons_find(&core->persons, &identifier, &damaged);
    if (damaged)
        say(2, "the row that leads from an identifier to its person is damaged or was altered, and is not used");
    return ref->number && ref->number != number ? 0 : number;
}

uint64_t patient_resolve(struct core *core, const Carehub__V1__PatientRef *ref)
{
    if (!ref->identifier)
        return ref->number;
    Carehub__V1__PatientRef by_identifier = *ref;
    by_identifier.number = 0;
    uint64_t number = patient_find(core, &by_identifier);
    if (number)
        number = persons_survivor(&core->persons, number, core->now_ms);
    return ref->number && ref->number != number ? 0 : number;
}

/* ---- Committing ------------------------------------------------------------------------------------------------- */

static void send_confirmations(struct core *core)
{
    for (size_t i = 0; i < core->n_confirming; i++) {
        struct session *session = core->confirming[i];
        for (size_t at = 0; at < session->n_confirmations; at += BATCH_MAX_ITEMS) {
            size_t n = session->n_confirmations - at;
            Carehub__V1__Confirm confirm = CAREHUB__V1__CONFIRM__INIT;
            Carehub__V1__ToClient message = CAREHUB__V1__TO_CLIENT__INIT;
            confirm.n_confirmations = n < BATCH_MAX_ITEMS ? n : BATCH_MAX_ITEMS;
            confirm.confirmations = session->confirmations + at;
            message.message_case = CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM;
            message.confirm = &confirm;
            core->output.send(core->output.ctx, session->id, &message);
        }
        core->output.settled(core->output.ctx, session->id, session->settled_items, session->settled_bytes);
        session->n_confirmations = session->confirmations_capacity = 0;
        session->settled_items = session->settled_bytes = 0;
        session->listed = false;
    }
    core->n_confirming = 0;
}

/* Acknowledgements are the only thing in a batch that is not an entry yet. Nobody waits for them: they wait a moment,
 * for company, and cost no commit of their own. */
static bool only_acknowledgements(const struct core *core)
{
    return core->last_place == core->committed_place && core->n_confirming == 0 && core->n_outbox == 0;
}

static int64_t commit_due_ms(const struct core *core)
{
    return only_acknowledgements(core) ? core->opened_ms + core->ack_delay_ms : 0;
}

static void commit_batch(struct core *core, struct core_time now)
{
    acks_flush(core);
    for (size_t i = 0; i < core->n_touched; i++) {
        inbox_flush(core->touched[i], core->store);
        core->touched[i]->touched = false;
    }
    core->n_touched = 0;
    if (core->commit_delay_us)
        usleep(core->commit_delay_us);
    core->log->functions->commit(core->log);
    core->open = false;
    time_take(core, core->output.clock ? core->output.clock(core->output.ctx) : now);
    if (core->last_place > core->committed_place) {
        core->commit_time_place = core->last_place;
        core->commit_time_ms = core->now_ms;
    }
    core->committed_place = core->last_place;
    core->counters.commits++;
}

/* Says what waited for the commit. */
static void speak(struct core *core)
{
    if (core->registry.standings_changed)
        send_standings(core);
    send_confirmations(core);
    for (size_t i = 0; i < core->n_outbox; i++)
        core->output.send(core->output.ctx, core->outbox[i].to, core->outbox[i].message);
    core->n_outbox = 0;
    if (core->n_tail_lines > 0)
        tail_flush(core);
    arena_reset(&core->batch);
    arena_reset(&core->scratch);
}

void core_commit(struct core *core, struct core_time now)
{
    time_take(core, now);
    if (core->n_endings > 0) {
        batch_open(core);
        endings_take(core);
    }
    if (core->now_ms >= core->next_sweep_ms) {
        sweep(core);
        core->next_sweep_ms = core->now_ms + SWEEP_EVERY_MS;
    }
    if (core->now_ms >= core->next_behind_ms)
        behind(core);
    if (core->registry.standings_changed)
        drop_revoked(core);
    if (core->open && (now.real_ms >= commit_due_ms(core) || now.real_ms < core->opened_ms))
        commit_batch(core, now);
    if (!core->open)
        keys_change_now(core);
    speak(core);
    push_all(core);
    policy_diff_step(core);
    report_run_step(core);
    verify_step(core);
    backup_step(core);
    arena_reset(&core->scratch);
}

void core_finish(struct core *core, struct core_time now)
{
    core->ack_delay_ms = 0;
    core_commit(core, now);
}

int64_t core_next_due_ms(const struct core *core)
{
    if ((core->open && commit_due_ms(core) == 0) || core->n_endings > 0 || backup_copies(core) ||
        ((core->n_ready > 0 || core->policy_diff || core->report_run || core->verify) &&
         core->output.room(core->output.ctx) > DELIVER_FRAME_MAX_BYTES))
        return 0;
    int64_t due = core->next_retry_ms < core->next_sweep_ms ? core->next_retry_ms : core->next_sweep_ms;
    if (core->next_behind_ms < due)
        due = core->next_behind_ms;
    return core->open && commit_due_ms(core) < due ? commit_due_ms(core) : due;
}
