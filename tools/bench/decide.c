/* Measures one size: a core of its own, events of uniformly random patients, receivers that acknowledge. */
#include "decide.h"

#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "core/core_private.h"
#include "route/route.h"
#include "eventid.h"

enum {
    BATCH_EVENTS = 256, /* in one commit */
    FRAME_EVENTS = 64,
    NOTE_BYTES = 300, /* an event of about 500 bytes */
    ROOM_BYTES = 128 << 20,
    LOOKED_AT = 32, /* decisions that are timed together */
    CREDIT_EVENTS = 65536,
    CREDIT_BYTES = 64 << 20,
};

/* What an inbox's receiver knows. */
struct receiver {
    session_id session;
    uint32_t handle;
    uint64_t epoch;
    uint64_t to[LANES]; /* received up to there */
    uint32_t events, bytes;
    bool waiting; /* has something to acknowledge: is on the list */
};

struct bench {
    const struct decide_size *size;
    struct core *core;
    char directory[DECIDE_TEXT_BYTES], database[DECIDE_TEXT_BYTES + 16], audit_log[DECIDE_TEXT_BYTES + 16];
    double apart; /* time of another thread's jobs, s */
    char *policy;
    struct receiver
        *receivers; /* by session and handle: [(session - DECIDE_RECEIVERS) * ATTACHMENTS_MAX + handle - 1] */
    uint32_t *waiting;
    uint32_t n_receivers, n_waiting;
    uint64_t random;
    uint64_t confirmed, deliveries;
    char refusal[DECIDE_TEXT_BYTES];
    int instructions; /* counter's descriptor, or -1 */
};

/* ---- Time and counters -------------------------------------------------------------------------------------------- */

static struct core_time now(void)
{
    struct timespec real, boot;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_BOOTTIME, &boot);
    return (struct core_time){(int64_t)real.tv_sec * 1000 + real.tv_nsec / 1000000,
                              (int64_t)boot.tv_sec * 1000 + boot.tv_nsec / 1000000};
}

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int instructions_open(void)
{
    struct perf_event_attr what = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof what, .config = PERF_COUNT_HW_INSTRUCTIONS, .exclude_hv = 1};
    return (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, 0);
}

static double instructions(const struct bench *bench)
{
    uint64_t n = 0;
    return bench->instructions >= 0 && read(bench->instructions, &n, sizeof n) == sizeof n ? (double)n : 0;
}

static uint64_t resident_bytes(void)
{
    unsigned long total = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file && fscanf(file, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* xorshift64*: the same patients in every run. */
static uint32_t random_patient(struct bench *bench)
{
    bench->random ^= bench->random >> 12;
    bench->random ^= bench->random << 25;
    bench->random ^= bench->random >> 27;
    return (uint32_t)((bench->random * 2685821657736338717ULL >> 32) * bench->size->patients >> 32);
}

/* ---- What the core calls ------------------------------------------------------------------------------------------ */

static void on_confirm(struct bench *bench, const Carehub__V1__Confirm *confirm)
{
    for (size_t i = 0; i < confirm->n_confirmations; i++) {
        const Carehub__V1__Confirmation *one = confirm->confirmations[i];
        if (one->status == CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED)
            bench->confirmed++;
        else if (!bench->refusal[0])
            snprintf(bench->refusal, sizeof bench->refusal, "%s", one->error ? one->error->text : "not kept");
    }
}

static struct receiver *receiver_of(struct bench *bench, session_id session, uint32_t handle)
{
    return &bench->receivers[(session - DECIDE_RECEIVERS) * ATTACHMENTS_MAX + handle - 1];
}

static void on_deliver(struct bench *bench, session_id session, const Carehub__V1__Deliver *deliver)
{
    struct receiver *receiver = receiver_of(bench, session, deliver->handle);
    if (!receiver->waiting)
        bench->waiting[bench->n_waiting++] = (uint32_t)(receiver - bench->receivers);
    receiver->waiting = true;
    receiver->events += (uint32_t)deliver->n_deliveries;
    for (size_t i = 0; i < deliver->n_deliveries; i++) {
        const Carehub__V1__Delivery *delivery = deliver->deliveries[i];
        receiver->bytes += (uint32_t)delivery->event.len;
        receiver->to[delivery->lane] = delivery->number;
    }
    bench->deliveries += deliver->n_deliveries;
}

static void on_send(void *ctx, session_id to, const Carehub__V1__ToClient *message)
{
    struct bench *bench = ctx;
    if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_CONFIRM)
        on_confirm(bench, message->confirm);
    else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_DELIVER)
        on_deliver(bench, to, message->deliver);
    else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ATTACHED)
        *receiver_of(bench, to, message->attached->handle) =
            (struct receiver){.session = to, .handle = message->attached->handle, .epoch = message->attached->epoch};
    else if (message->message_case == CAREHUB__V1__TO_CLIENT__MESSAGE_ERROR && !bench->refusal[0])
        snprintf(bench->refusal, sizeof bench->refusal, "%s", message->error->text);
}

static void on_session(void *ctx, session_id session, uint32_t client)
{
    (void)ctx, (void)session, (void)client;
}

static void on_settled(void *ctx, session_id session, uint32_t items, uint32_t bytes)
{
    (void)ctx, (void)session, (void)items, (void)bytes;
}

static void on_standings(void *ctx, struct standings *standings)
{
    (void)ctx;
    free(standings);
}

static size_t on_room(void *ctx)
{
    (void)ctx;
    return ROOM_BYTES;
}

/* ---- Sessions ----------------------------------------------------------------------------------------------------- */

static uint32_t client_of(session_id session)
{
    return session < DECIDE_RECEIVERS
               ? (uint32_t)session
               : DECIDE_RECEIVERS + (uint32_t)(session - DECIDE_RECEIVERS) * ATTACHMENTS_MAX / DECIDE_CLIENT_ACTORS;
}

static void handle(struct bench *bench, session_id session, Carehub__V1__ToHub *message, size_t bytes)
{
    uint8_t key[32];
    decide_key(client_of(session), key);
    core_handle(bench->core, session, key, message, bytes, now());
}

static void hello(struct bench *bench, session_id session)
{
    Carehub__V1__Hello hello = CAREHUB__V1__HELLO__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    hello.min_version = hello.max_version = PROTOCOL_VERSION_MAX;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_HELLO;
    message.hello = &hello;
    handle(bench, session, &message, 16);
}

static void attach_all(struct bench *bench)
{
    Carehub__V1__Attach attach = CAREHUB__V1__ATTACH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    char name[32];
    attach.inbox = name;
    attach.credit_events = CREDIT_EVENTS;
    attach.credit_bytes = CREDIT_BYTES;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ATTACH;
    message.attach = &attach;
    for (uint32_t actor = 0; actor < bench->size->actors; actor++) {
        session_id session = DECIDE_RECEIVERS + actor / ATTACHMENTS_MAX;
        if (actor % ATTACHMENTS_MAX == 0)
            hello(bench, session);
        decide_actor_name(actor, name);
        handle(bench, session, &message, 64);
        if (actor % 1000 == 999)
            core_commit(bench->core, now());
    }
    core_commit(bench->core, now());
}

static void acknowledge_one(struct bench *bench, struct receiver *receiver)
{
    Carehub__V1__AckRange ranges[LANES], *list[LANES];
    Carehub__V1__Ack ack = CAREHUB__V1__ACK__INIT;
    Carehub__V1__Credit credit = CAREHUB__V1__CREDIT__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    ack.handle = credit.handle = receiver->handle;
    ack.epoch = credit.epoch = receiver->epoch;
    ack.ranges = list;
    for (int lane = 0; lane < LANES; lane++) {
        if (receiver->to[lane] == 0)
            continue;
        Carehub__V1__AckRange *range = list[ack.n_ranges] = &ranges[ack.n_ranges];
        ack.n_ranges++;
        carehub__v1__ack_range__init(range);
        range->lane = (Carehub__V1__Lane)lane;
        range->to = receiver->to[lane];
        receiver->to[lane] = 0;
    }
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_ACK;
    message.ack = &ack;
    handle(bench, receiver->session, &message, 32);
    credit.events = receiver->events;
    credit.bytes = receiver->bytes;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_CREDIT;
    message.credit = &credit;
    handle(bench, receiver->session, &message, 16);
    receiver->events = receiver->bytes = 0;
    receiver->waiting = false;
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

/* A frame of publications, as it would come in. */
struct frame {
    Carehub__V1__Publication publications[FRAME_EVENTS], *list[FRAME_EVENTS];
    Carehub__V1__Item items[FRAME_EVENTS], *one_item[FRAME_EVENTS];
    size_t bytes;
};

static ProtobufCBinaryData pack_event(struct bench *bench)
{
    static char note[NOTE_BYTES + 1];
    char value[32];
    uint8_t id[EVENTID_BYTES];
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, *identifiers[] = {&identifier};
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__Time at = CAREHUB__V1__TIME__INIT;
    Carehub__V1__HospitalDischarge discharge = CAREHUB__V1__HOSPITAL_DISCHARGE__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    memset(note, 'x', NOTE_BYTES);
    decide_patient_value(random_patient(bench), value);
    identifier.system = (char *)decide_system;
    identifier.value = value;
    patient.n_identifiers = 1;
    patient.identifiers = identifiers;
    author.actor = author.role = "hospital";
    at.unix_ms = now().real_ms;
    at.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    discharge.encounter_id = "V100001";
    discharge.discharged_at = &at;
    discharge.note = note;
    eventid_new(id);
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    event.patient = &patient;
    event.author = &author;
    event.occurred_at = event.recorded_at = &at;
    event.body_case = CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE;
    event.hospital_discharge = &discharge;
    ProtobufCBinaryData packed = {carehub__v1__event__get_packed_size(&event), NULL};
    packed.data = xcalloc(1, packed.len);
    carehub__v1__event__pack(&event, packed.data);
    return packed;
}

static void frame_fill(struct bench *bench, struct frame *frame)
{
    frame->bytes = 0;
    for (int i = 0; i < FRAME_EVENTS; i++) {
        carehub__v1__publication__init(&frame->publications[i]);
        carehub__v1__item__init(&frame->items[i]);
        frame->list[i] = &frame->publications[i];
        frame->one_item[i] = &frame->items[i];
        frame->items[i].item_case = CAREHUB__V1__ITEM__ITEM_EVENT;
        frame->items[i].event = pack_event(bench);
        frame->publications[i].n_items = 1;
        frame->publications[i].items = &frame->one_item[i];
        frame->bytes += frame->items[i].event.len + 32;
    }
}

static void frame_publish(struct bench *bench, struct frame *frame)
{
    Carehub__V1__Publish publish = CAREHUB__V1__PUBLISH__INIT;
    Carehub__V1__ToHub message = CAREHUB__V1__TO_HUB__INIT;
    publish.n_publications = FRAME_EVENTS;
    publish.publications = frame->list;
    message.message_case = CAREHUB__V1__TO_HUB__MESSAGE_PUBLISH;
    message.publish = &publish;
    handle(bench, DECIDE_PUBLISHER, &message, frame->bytes);
}

/* Adds the thread's time since *at to *sum, and starts again. */
static void lap(double *at, double *sum)
{
    double time = seconds(CLOCK_THREAD_CPUTIME_ID);
    *sum += time - *at;
    *at = time;
}

/* So many events, in commits of BATCH_EVENTS; all that is delivered is acknowledged in the next one. */
static void run(struct bench *bench, uint32_t events, struct decided *sum)
{
    static struct frame frames[BATCH_EVENTS / FRAME_EVENTS];
    for (uint32_t done = 0; done < events && !bench->refusal[0]; done += BATCH_EVENTS) {
        for (int i = 0; i < BATCH_EVENTS / FRAME_EVENTS; i++)
            frame_fill(bench, &frames[i]);
        double counted = instructions(bench), at = seconds(CLOCK_THREAD_CPUTIME_ID);
        bench->apart = 0;
        for (int i = 0; i < BATCH_EVENTS / FRAME_EVENTS; i++)
            frame_publish(bench, &frames[i]);
        lap(&at, &sum->taken);
        for (uint32_t i = 0; i < bench->n_waiting; i++)
            acknowledge_one(bench, &bench->receivers[bench->waiting[i]]);
        bench->n_waiting = 0;
        lap(&at, &sum->acknowledged);
        do
            core_commit(bench->core, now());
        while (core_next_due_ms(bench->core) == 0);
        lap(&at, &sum->pushed);
        sum->pushed -= bench->apart;
        sum->apart += bench->apart;
        sum->instructions += instructions(bench) - counted;
        for (int i = 0; i < BATCH_EVENTS; i++)
            free(frames[i / FRAME_EVENTS].items[i % FRAME_EVENTS].event.data);
    }
}

/* ---- The decision alone ------------------------------------------------------------------------------------------- */

static void decide_some(struct bench *bench, struct decided *sum)
{
    static struct route_decision decisions[ROUTE_DECISIONS_MAX];
    struct core *core = bench->core;
    struct person *persons[LOOKED_AT];
    char values[LOOKED_AT][32];
    bool damaged;
    for (int i = 0; i < LOOKED_AT; i++)
        decide_patient_value(random_patient(bench), values[i]);
    double at = seconds(CLOCK_THREAD_CPUTIME_ID);
    for (int i = 0; i < LOOKED_AT; i++) {
        Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
        identifier.system = (char *)decide_system;
        identifier.value = values[i];
        persons[i] =
            persons_get(&core->persons, persons_find(&core->persons, &identifier, &damaged), core->now_ms, &damaged);
    }
    lap(&at, &sum->looked_up);
    for (int i = 0; i < LOOKED_AT; i++) {
        struct route_input input = {.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE,
                                    .urgency = CAREHUB__V1__URGENCY__ROUTINE,
                                    .publisher = bench->size->actors + 1,
                                    .now_ms = core->now_ms,
                                    .patient = persons[i]->card,
                                    .policy = core->registry.policy,
                                    .actor = registry_route_actor,
                                    .ctx = &core->registry};
        route_event(&input, decisions, ROUTE_DECISIONS_MAX);
    }
    lap(&at, &sum->routed);
}

/* ---- One size ----------------------------------------------------------------------------------------------------- */

static bool open_core(struct bench *bench)
{
    char error[CORE_ERROR_BYTES] = "";
    uint8_t registrar[32];
    decide_key(DECIDE_REGISTRAR, registrar);
    struct core_config config = {.hub_name = "bench",
                                 .database_path = bench->database,
                                 .master_key = decide_master_key,
                                 .policy_text = bench->policy,
                                 .first_operator = registrar,
                                 .tlog = {.directory = bench->size->audit_log ? bench->audit_log : NULL,
                                          .origin = "bench",
                                          .every_s = 1,
                                          .every_entries = CHECKPOINT_EVERY_ENTRIES}};
    struct core_output output = {.work = decide_work_apart,
                                 .work_ctx = &bench->apart,
                                 .send = on_send,
                                 .session = on_session,
                                 .settled = on_settled,
                                 .standings = on_standings,
                                 .room = on_room,
                                 .ctx = bench};
    bench->core = core_open(&config, &output, now(), error);
    if (!bench->core)
        fprintf(stderr, "carehub-bench-decide: %s\n", error);
    return bench->core;
}

/* Into the system's cache, as far as there is room: as it is where the hub has been in service for a while. */
static void read_through(const char *path)
{
    static char block[1 << 20];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && read(fd, block, sizeof block) > 0)
        continue;
    if (fd >= 0)
        close(fd);
}

static bool make(struct bench *bench, struct decided *decided)
{
    double from = seconds(CLOCK_MONOTONIC);
    bool good = open_core(bench) && decide_register(bench->core, bench->size) && decide_fill(bench->core, bench->size);
    core_close(&bench->core);
    read_through(bench->database);
    decided->made_s = seconds(CLOCK_MONOTONIC) - from;
    return good && open_core(bench);
}

static void sizes(struct bench *bench, struct decided *decided)
{
    int used = 0, most = 0;
    sqlite3_db_status(store_database(bench->core->store), SQLITE_DBSTATUS_CACHE_USED, &used, &most, 0);
    decided->page_cache_bytes = (uint64_t)used;
    decided->resident_bytes = resident_bytes();
    decided->database_bytes = store_size_bytes(bench->core->store);
}

/* One measurement. False: an event was refused, or not confirmed, or nothing was delivered. */
static bool measure_once(struct bench *bench, struct decided *once)
{
    const struct decide_size *size = bench->size;
    struct rusage before, after;
    uint64_t confirmed = bench->confirmed, deliveries = bench->deliveries;
    getrusage(RUSAGE_THREAD, &before);
    run(bench, size->events, once);
    getrusage(RUSAGE_THREAD, &after);
    int rounds = (int)(size->events / LOOKED_AT) + 1;
    for (int i = 0; i < rounds; i++)
        decide_some(bench, once);
    double events = (double)(bench->confirmed - confirmed);
    once->event = once->taken + once->acknowledged + once->pushed;
    once->disk_reads = (double)(after.ru_inblock - before.ru_inblock) / events;
    double *sums[] = {&once->taken, &once->acknowledged, &once->pushed, &once->event, &once->apart};
    for (size_t i = 0; i < sizeof sums / sizeof *sums; i++)
        *sums[i] *= 1e6 / events;
    once->instructions /= events;
    once->looked_up *= 1e6 / rounds / LOOKED_AT;
    once->routed *= 1e6 / rounds / LOOKED_AT;
    return !bench->refusal[0] && events >= size->events && (!size->receivers || bench->deliveries > deliveries);
}

static void lower(double *lowest, double value)
{
    if (*lowest == 0 || value < *lowest)
        *lowest = value;
}

static bool measure(struct bench *bench, struct decided *decided)
{
    struct decided once = {0};
    hello(bench, DECIDE_PUBLISHER);
    if (bench->size->receivers)
        attach_all(bench);
    sizes(bench, decided); /* as large as the patients make it, without what the measurement adds */
    uint64_t database_bytes = decided->database_bytes;
    run(bench, bench->size->warm_up, &once);
    for (uint32_t i = 0; i < bench->size->repeats; i++) {
        once = (struct decided){0};
        if (!measure_once(bench, &once))
            return fprintf(stderr, "carehub-bench-decide: the core did not take all events: %s\n",
                           bench->refusal[0] ? bench->refusal : "some were not confirmed, or nothing was delivered"),
                   false;
        lower(&decided->taken, once.taken);
        lower(&decided->acknowledged, once.acknowledged);
        lower(&decided->pushed, once.pushed);
        lower(&decided->event, once.event);
        lower(&decided->apart, once.apart);
        lower(&decided->instructions, once.instructions);
        lower(&decided->looked_up, once.looked_up);
        lower(&decided->routed, once.routed);
        decided->disk_reads = once.disk_reads;
    }
    sizes(bench, decided);
    decided->database_bytes = database_bytes;
    decided->leaf = decide_leaf(bench->core->vault);
    return true;
}

static bool prepare(struct bench *bench)
{
    const struct decide_size *size = bench->size;
    snprintf(bench->directory, sizeof bench->directory, "%s/carehub-bench-XXXXXX", size->dir);
    FILE *policy = fopen(size->policy, "r");
    bench->policy = xcalloc(1, POLICY_MAX_BYTES + 1);
    bench->receivers = xcalloc(size->actors + ATTACHMENTS_MAX, sizeof *bench->receivers);
    bench->waiting = xcalloc(size->actors + ATTACHMENTS_MAX, sizeof *bench->waiting);
    bench->random = 0x9e3779b97f4a7c15ULL;
    bench->instructions = instructions_open();
    bool good = policy && fread(bench->policy, 1, POLICY_MAX_BYTES, policy) > 0 && mkdtemp(bench->directory);
    if (policy)
        fclose(policy);
    snprintf(bench->database, sizeof bench->database, "%s/hub.db", bench->directory);
    snprintf(bench->audit_log, sizeof bench->audit_log, "%s/log", bench->directory);
    if (!good)
        fprintf(stderr, "carehub-bench-decide: cannot read the policy %s, or make a directory below %s\n", size->policy,
                size->dir);
    return good;
}

static void clean_up(struct bench *bench)
{
    core_close(&bench->core);
    decide_remove(bench->directory);
    free(bench->policy);
    free(bench->receivers);
    free(bench->waiting);
    if (bench->instructions >= 0)
        close(bench->instructions);
}

bool decide_measure(const struct decide_size *size, struct decided *decided)
{
    struct bench bench = {.size = size};
    *decided = (struct decided){0};
    bool good = prepare(&bench) && make(&bench, decided) && measure(&bench, decided);
    clean_up(&bench);
    return good;
}
