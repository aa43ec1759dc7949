/* publish.c - publishers: each a connection, and a thread that hands it events as fast as rate and window let
 * it. */
#include "bench.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ID_OFFSET = 2 }; /* the id is the event's first field: one byte of tag, one of length */

/* A serialised event, in which only id and patient change. */
struct template
{
    uint8_t *bytes;
    size_t size;
    uint8_t *patient; /* where its identifier's value is */
};

/* ---- The event -------------------------------------------------------------------------------------------------- */

/* Packs a discharge with a note of so many characters; returns its size. */
static size_t pack(struct template *t, size_t note_bytes, int64_t now_ms)
{
    static uint8_t id[CAREHUB_ID_BYTES];
    char value[BENCH_NAME_BYTES], *note = calloc(1, note_bytes + 1);
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT;
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Author author = CAREHUB__V1__AUTHOR__INIT;
    Carehub__V1__Time now = CAREHUB__V1__TIME__INIT;
    Carehub__V1__HospitalDischarge discharge = CAREHUB__V1__HOSPITAL_DISCHARGE__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    if (!note)
        abort();
    memset(note, 'x', note_bytes);
    patient_value(0, value);
    identifier.system = (char *)patient_system;
    identifier.value = value;
    patient.n_identifiers = 1;
    patient.identifiers = (Carehub__V1__Identifier *[]){&identifier};
    author.actor = "hospital";
    author.role = "hospital";
    now.unix_ms = now_ms;
    now.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    discharge.encounter_id = "V100001";
    discharge.discharged_at = &now;
    discharge.note = note;
    event.id = (ProtobufCBinaryData){sizeof id, id};
    event.type = CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE;
    event.patient = &patient;
    event.author = &author;
    event.occurred_at = event.recorded_at = &now;
    event.body_case = CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE;
    event.hospital_discharge = &discharge;
    t->size = carehub__v1__event__get_packed_size(&event);
    t->bytes = realloc(t->bytes, t->size);
    if (!t->bytes)
        abort();
    carehub__v1__event__pack(&event, t->bytes);
    t->patient = memmem(t->bytes, t->size, value, strlen(value));
    free(note);
    return t->size;
}

/* A first try shows what everything but the note takes. */
static void make_template(struct template *t, size_t payload)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000;
    size_t bare = pack(t, 0, now_ms), note = payload > bare ? payload - bare : 0;
    while (note > 0 && pack(t, note, now_ms) > payload)
        note--;
}

/* A version 7 id with our own numbers where its random bits would be. */
static void fill_in(struct template *t, const struct run *run, uint64_t event)
{
    struct timespec now;
    char value[BENCH_NAME_BYTES];
    uint8_t *id = t->bytes + ID_OFFSET;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (int i = 0; i < 6; i++)
        id[i] = (uint8_t)(ms >> (40 - 8 * i));
    id[6] = 0x70;
    id[8] = 0x80;
    memcpy(id + 9, run->nonce, sizeof run->nonce);
    for (int i = 0; i < 4; i++)
        id[12 + i] = (uint8_t)(event >> (24 - 8 * i));
    patient_value(patient_of_event(run->options, event), value);
    memcpy(t->patient, value, strlen(value));
}

/* ---- The loop --------------------------------------------------------------------------------------------------- */

/* What a confirmation needs to know is packed into its argument: it comes back on the client's thread. */
struct waiting {
    struct publisher *publisher;
    uint64_t due_ns;
};

static void on_confirmed(void *arg, int status, const Carehub__V1__Confirmation *confirmation)
{
    struct waiting *waiting = arg;
    struct publisher *p = waiting->publisher;
    uint64_t now = now_ns();
    histogram_add(&p->latency, now > waiting->due_ns ? now - waiting->due_ns : 0);
    bool good =
        status == CAREHUB_OK && confirmation && confirmation->status == CAREHUB__V1__CONFIRMATION__STATUS__CONFIRMED;
    free(waiting);
    pthread_mutex_lock(&p->lock);
    p->in_flight--;
    if (p->in_flight <= p->run->options->window / 2) /* woken for a bundle, not for each */
        pthread_cond_signal(&p->room);
    pthread_mutex_unlock(&p->lock);
    atomic_fetch_add(good ? &p->confirmed : &p->refused, 1);
}

static void await_room(struct publisher *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->in_flight >= p->run->options->window)
        while (p->in_flight > p->run->options->window / 2)
            pthread_cond_wait(&p->room, &p->lock);
    p->in_flight++;
    pthread_mutex_unlock(&p->lock);
}

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000u), .tv_nsec = (long)(at_ns % 1000000000u)};
    while (now_ns() < at_ns)
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
}

/* When the event is due; 0: the run is over. */
static uint64_t next_due(const struct run *run, uint64_t event)
{
    const struct bench_options *o = run->options;
    uint64_t due = o->rate > 0 ? run->started_ns + (uint64_t)((double)event * 1e9 / o->rate) : now_ns();
    uint64_t end = run->started_ns + (uint64_t)(o->duration_s * 1e9);
    bool over = event >= run->capacity || (o->events > 0 && event >= o->events) || (o->duration_s > 0 && due >= end);
    return over ? 0 : due;
}

static void *publisher_main(void *arg)
{
    struct publisher *p = arg;
    struct run *run = p->run;
    struct template template = {0};
    make_template(&template, run->options->payload);
    uint64_t due;
    for (uint64_t event = p->index; (due = next_due(run, event)) > 0; event += run->options->publishers) {
        struct waiting *waiting = malloc(sizeof *waiting);
        if (!waiting)
            abort();
        sleep_until(due);
        await_room(p);
        if (run->options->rate == 0)
            due = now_ns(); /* the wait for room is the window's doing */
        *waiting = (struct waiting){p, due};
        fill_in(&template, run, event);
        atomic_store(&run->sent_ns[event], due);
        if (carehub_publish_bytes(p->client, template.bytes, template.size, on_confirmed, waiting) != CAREHUB_OK) {
            complain("cannot publish");
            atomic_fetch_add(&p->refused, 1);
            p->sent++;
            free(waiting);
            break;
        }
        p->sent++;
    }
    free(template.bytes);
    return NULL;
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

bool publishers_open(struct run *run)
{
    for (uint32_t i = 0; i < run->options->publishers; i++) {
        struct publisher *p = &run->publishers[i];
        char name[BENCH_NAME_BYTES];
        snprintf(name, sizeof name, "publisher-%02u", i);
        p->run = run;
        p->index = i;
        pthread_mutex_init(&p->lock, NULL);
        pthread_cond_init(&p->room, NULL);
        if (!(p->client = region_client(run, name, true, 0, 0)))
            return false;
    }
    return true;
}

bool publishers_start(struct run *run)
{
    run->started_ns = now_ns();
    for (uint32_t i = 0; i < run->options->publishers; i++)
        if (pthread_create(&run->publishers[i].thread, NULL, publisher_main, &run->publishers[i]) != 0)
            abort(); /* those that run already cannot be called back */
    return true;
}

void publishers_join(struct run *run)
{
    for (uint32_t i = 0; i < run->options->publishers; i++)
        pthread_join(run->publishers[i].thread, NULL);
}

void publishers_close(struct run *run)
{
    for (uint32_t i = 0; i < run->options->publishers; i++)
        carehub_close(&run->publishers[i].client);
}

uint64_t publishers_sent(const struct run *run)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < run->options->publishers; i++)
        n += run->publishers[i].sent;
    return n;
}

uint64_t publishers_refused(const struct run *run)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < run->options->publishers; i++)
        n += atomic_load(&run->publishers[i].refused);
    return n;
}

uint64_t publishers_settled(const struct run *run)
{
    uint64_t n = publishers_refused(run);
    for (uint32_t i = 0; i < run->options->publishers; i++)
        n += atomic_load(&run->publishers[i].confirmed);
    return n;
}
