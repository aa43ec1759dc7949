/* formats.c - carehub-bench formats: how many messages each format reads and maps, and writes, in a second of one
 * core's time (so that a busy machine shows the same). The plug-in is loaded as the adapter host loads it; no journal,
 * no hub, no transport. */
#include <getopt.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "native.h"
#include "plugin.h"
#include "settings.h"

enum { DIFFERENT = 256, STATES_MAX = 8, EXIT_USAGE = 2, BATCH = 16 };

const char native_hospital_conf[] = "format\n    plugin = hospital\n    senders\n        bench\n"
                                    "            application = BENCH\n            actor = hospital\n"
                                    "            identifiers\n                local\n"
                                    "                    system = urn:bench:patient\n"
                                    "                    authority = BENCH\n"
                                    "            disposition\n                01 = home Home\n";
const char native_homecare_conf[] = "format\n    plugin = homecare\n    default-sender = bench\n    senders\n"
                                    "        bench\n            actor = hospital\n            role = home-nurse\n";
const char native_pharmacy_conf[] = "format\n    plugin = pharmacy\n    default-sender = bench\n    senders\n"
                                    "        bench\n            actor = hospital\n            first = tell\n";

/* ---- The memory of a message, in memory ------------------------------------------------------------------------- */

struct state {
    char name[CAREHUB_EPISODE_BYTES];
    void *bytes;
    size_t len;
};

struct memory_here {
    struct carehub_memory base; /* first */
    struct state states[STATES_MAX];
    size_t n_states, next;
    uint64_t emitted;
    uint8_t *event; /* the last, packed */
    size_t event_len;
    bool keep_event;
};

static size_t no_past(struct carehub_memory *memory, const char *episode, Carehub__V1__Event *const **events)
{
    (void)memory;
    (void)episode;
    (void)events;
    return 0;
}

static struct state *state_named(struct memory_here *self, const char *name)
{
    for (size_t i = 0; i < self->n_states; i++)
        if (strcmp(self->states[i].name, name) == 0)
            return &self->states[i];
    return NULL;
}

static const void *load(struct carehub_memory *memory, const char *name, size_t *len)
{
    const struct state *state = state_named((struct memory_here *)memory, name);
    *len = state ? state->len : 0;
    return state ? state->bytes : NULL;
}

/* The oldest makes room. */
static bool store(struct carehub_memory *memory, const char *name, const void *bytes, size_t len)
{
    struct memory_here *self = (struct memory_here *)memory;
    struct state *state = state_named(self, name);
    void *copy = malloc(len + 1);
    if (!copy)
        return false;
    if (!state) {
        state = &self->states[self->next];
        self->next = (self->next + 1) % STATES_MAX;
        self->n_states += self->n_states < STATES_MAX;
        snprintf(state->name, sizeof state->name, "%s", name);
    }
    memcpy(copy, bytes, len);
    free(state->bytes);
    state->bytes = copy;
    state->len = len;
    return true;
}

/* Packs it, as the host does with what it is given. */
static bool emit(struct carehub_memory *memory, const Carehub__V1__Event *event, const char *episode)
{
    struct memory_here *self = (struct memory_here *)memory;
    (void)episode;
    free(self->event);
    self->event_len = carehub__v1__event__get_packed_size(event);
    self->event = malloc(self->event_len + 1);
    if (!self->event)
        return false;
    carehub__v1__event__pack(event, self->event);
    self->emitted++;
    return true;
}

static bool emit_fact(struct carehub_memory *memory, const Carehub__V1__Fact *fact)
{
    (void)memory;
    (void)fact;
    return true;
}

static void forget(struct memory_here *self)
{
    for (size_t i = 0; i < self->n_states; i++)
        free(self->states[i].bytes);
    memset(self->states, 0, sizeof self->states);
    self->n_states = self->next = 0;
}

/* ---- What is measured ------------------------------------------------------------------------------------------- */

struct kind {
    const char *name, *plugin, *conf;
    sample_fn *sample;
    bool one_patient; /* each message is the next version of one scheme */
};

static const struct kind kinds[] = {
    {"HL7 ADT^A03", "hospital", native_hospital_conf, sample_adt_a03, false},
    {"HL7 RDE^O11", "hospital", native_hospital_conf, sample_rde_o11, false},
    {"KMEHR, next version, 20 lines", "pharmacy", native_pharmacy_conf, sample_kmehr_scheme, true},
    {"FHIR Observation, a fall", "homecare", native_homecare_conf, sample_fhir_fall, false},
    {"FHIR message, a discharge", "homecare", native_homecare_conf, sample_fhir_message, false},
    {"plain JSON, a fall", "homecare", native_homecare_conf, sample_plain_json, false},
};

struct way_out {
    const char *name, *plugin, *conf;
    const char *receiver; /* its section, or NULL */
    size_t from;          /* the kind whose event is written */
};

static const struct way_out ways_out[] = {
    {"to HL7 ADT^A03", "hospital", native_hospital_conf,
     "receiver\n    application = EPD\n    facility = GP\n    sending-facility = REGION\n", 0},
    {"to a FHIR message", "homecare", native_homecare_conf, NULL, 0},
    {"to KMEHR", "pharmacy", native_pharmacy_conf, "receiver\n    form = kmehr\n    name = Pharmacy\n", 2},
};

struct formats {
    double seconds;
    const char *only; /* kinds whose names have this in them; "": all, and the ways out */
    char dir[BENCH_PATH_BYTES];
    char *texts[DIFFERENT];
    size_t lens[DIFFERENT];
    struct memory_here memory;
    Carehub__V1__Event *events[sizeof kinds / sizeof kinds[0]];
};

static bool tree_of(struct formats *self, const char *text, struct carehub_setting **tree)
{
    char path[BENCH_PATH_BYTES + 16], error[CAREHUB_ERROR_BYTES];
    snprintf(path, sizeof path, "%s/settings", self->dir);
    FILE *file = fopen(path, "we");
    bool written = file && fputs(text, file) >= 0;
    written = file && fclose(file) == 0 && written;
    *tree = written ? settings_tree_load(path, error) : NULL;
    unlink(path);
    return *tree || complain(written ? error : "cannot write the configuration");
}

static bool load_format(struct formats *self, const char *name, const char *conf, struct plugin *plugin)
{
    char path[BENCH_PATH_BYTES], error[CAREHUB_ERROR_BYTES];
    struct carehub_setting *tree;
    snprintf(path, sizeof path, "%s/%s.so", BENCH_PLUGINS, name);
    memset(plugin, 0, sizeof *plugin);
    if (!plugin_load(plugin, path, "", error))
        return complain(error);
    bool ok = tree_of(self, conf, &tree);
    if (ok && !plugin_configure(plugin, setting_named(tree, "format"), self->dir, error))
        ok = complain(error);
    settings_tree_free(&tree);
    return ok;
}

static bool make_samples(struct formats *self, const struct kind *kind)
{
    for (uint32_t i = 0; i < DIFFERENT; i++) {
        struct sample_of of = {
            .number = i + 1, .patient = kind->one_patient ? 0 : i, .version = i + 1, .now_s = (int64_t)time(NULL)};
        self->texts[i] = malloc(SAMPLE_MAX_BYTES);
        if (!self->texts[i])
            return complain("out of memory");
        self->lens[i] = kind->sample(self->texts[i], &of);
    }
    return true;
}

static void drop_samples(struct formats *self)
{
    for (uint32_t i = 0; i < DIFFERENT; i++) {
        free(self->texts[i]);
        self->texts[i] = NULL;
    }
}

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void print_line(const char *name, uint64_t messages, uint64_t bytes, uint64_t ns)
{
    double s = (double)ns / 1e9;
    printf("%-32s %8.0f %12.0f %10.1f %10.1f\n", name, (double)bytes / (double)messages, (double)messages / s,
           (double)bytes / s / 1e6, (double)ns / 1e3 / (double)messages);
}

/* ---- In --------------------------------------------------------------------------------------------------------- */

static bool one_in(struct formats *self, const struct plugin *plugin, const struct kind *kind, size_t i)
{
    struct carehub_native native = {.bytes = self->texts[i],
                                    .len = self->lens[i],
                                    .received_ms = (int64_t)time(NULL) * 1000,
                                    .transport = "folder",
                                    .peer = "",
                                    .name = "",
                                    .method = "",
                                    .content_type = "",
                                    .idempotency_key = ""};
    struct carehub_message message = {.native = &native};
    uint64_t emitted = self->memory.emitted;
    if (plugin->format->open && !plugin->format->open(plugin->self, &message))
        return complain("out of memory");
    if (message.verdict == CAREHUB_MESSAGE_OPENED)
        plugin->format->translate(plugin->self, &message, &self->memory.base);
    if (plugin->format->close)
        plugin->format->close(&message);
    if (self->memory.emitted > emitted)
        return true;
    fprintf(stderr, "carehub-bench: %s, sample %zu gives no event: %s%s %s\n", kind->name, i + 1,
            message.why ? message.why : "", message.problem.where, message.problem.what);
    return false;
}

static bool measure_in(struct formats *self, size_t k)
{
    struct plugin plugin;
    uint64_t messages = 0, bytes = 0, from, until;
    bool ok = load_format(self, kinds[k].plugin, kinds[k].conf, &plugin) && make_samples(self, &kinds[k]);
    from = until = cpu_ns();
    while (ok && (double)(until - from) < self->seconds * 1e9) {
        for (size_t n = 0; ok && n < BATCH; n++, messages++) {
            size_t i = messages % DIFFERENT;
            if (i == 0)
                forget(&self->memory); /* versions begin anew */
            ok = one_in(self, &plugin, &kinds[k], i);
            bytes += self->lens[i];
        }
        until = cpu_ns();
    }
    if (ok) {
        print_line(kinds[k].name, messages, bytes, until - from);
        self->events[k] = carehub__v1__event__unpack(NULL, self->memory.event_len, self->memory.event);
        ok = self->events[k] != NULL;
    }
    forget(&self->memory);
    drop_samples(self);
    plugin_unload(&plugin);
    return ok;
}

/* ---- Out -------------------------------------------------------------------------------------------------------- */

/* What the host would have filled in. */
static void complete(Carehub__V1__Event *event)
{
    if (event->id.len == 0) {
        event->id.data = malloc(CAREHUB_ID_BYTES);
        event->id.len = event->id.data ? CAREHUB_ID_BYTES : 0;
        if (event->id.data)
            carehub_new_id(event->id.data);
    }
    if (!event->recorded_at && (event->recorded_at = malloc(sizeof *event->recorded_at)) != NULL) {
        carehub__v1__time__init(event->recorded_at);
        event->recorded_at->unix_ms = (int64_t)time(NULL) * 1000;
        event->recorded_at->precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    }
}

static bool measure_out(struct formats *self, const struct way_out *way)
{
    struct plugin plugin;
    struct carehub_setting *tree = NULL;
    uint64_t messages = 0, bytes = 0, from, until;
    bool ok = load_format(self, way->plugin, way->conf, &plugin) &&
              (!way->receiver || tree_of(self, way->receiver, &tree)) && self->events[way->from];
    if (ok)
        complete(self->events[way->from]);
    from = until = cpu_ns();
    while (ok && (double)(until - from) < self->seconds * 1e9) {
        for (size_t n = 0; ok && n < BATCH; n++, messages++) {
            struct carehub_parcel parcel = {0};
            struct carehub_departure departure = {.event = self->events[way->from],
                                                  .receiver = setting_named(tree, "receiver"),
                                                  .number = messages + 1,
                                                  .attempt = 1,
                                                  .now_ms = (int64_t)time(NULL) * 1000};
            ok = plugin.format->write(plugin.self, &departure, &parcel) == CAREHUB_WRITTEN;
            if (!ok)
                fprintf(stderr, "carehub-bench: %s: nothing is written: %s\n", way->name, parcel.problem.what);
            bytes += parcel.len;
            free(parcel.bytes);
        }
        until = cpu_ns();
    }
    if (ok)
        print_line(way->name, messages, bytes, until - from);
    settings_tree_free(&tree);
    plugin_unload(&plugin);
    return ok;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static const char usage[] = "usage: carehub-bench formats [--seconds S] [--only TEXT]\n"
                            "\n"
                            "How many messages each format reads and turns into events, and writes, in a second of one "
                            "core: samples of its own,\n"
                            "the plug-in loaded as the adapter host does. Not in the figures: transport, journal, hub "
                            "(carehub-bench adapter).\n"
                            "\n"
                            "  --seconds S   for how long each (1)\n"
                            "  --only TEXT   only what is read and has this in its name: for profiling\n";

static int read_options(struct formats *self, int argc, char **argv)
{
    static const struct option options[] = {
        {"seconds", required_argument, NULL, 's'},
        {"only", required_argument, NULL, 'o'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        if (option == 'h')
            return fputs(usage, stdout), EXIT_SUCCESS;
        if (option == 'o')
            self->only = optarg;
        else
            self->seconds = option == 's' ? strtod(optarg, NULL) : 0;
        if (!(self->seconds > 0 && self->seconds <= 3600))
            return fputs(usage, stderr), EXIT_USAGE;
    }
    return optind == argc ? -1 : (fputs(usage, stderr), EXIT_USAGE);
}

int formats_main(int argc, char **argv)
{
    static struct formats self = {
        .seconds = 1,
        .only = "",
        .memory.base = {.past = no_past, .load = load, .store = store, .emit = emit, .emit_fact = emit_fact}};
    int status = read_options(&self, argc, argv);
    const char *tmp = getenv("TMPDIR");
    bool ok = true;
    if (status >= 0)
        return status;
    snprintf(self.dir, sizeof self.dir, "%s/carehub-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (sodium_init() < 0 || !mkdtemp(self.dir))
        return complain("cannot make a temporary directory"), EXIT_FAILURE;
    printf("%-32s %8s %12s %10s %10s\n", "in: parse and map", "bytes", "messages/s", "MB/s", "us each");
    for (size_t k = 0; ok && k < sizeof kinds / sizeof kinds[0]; k++)
        ok = !strstr(kinds[k].name, self.only) || measure_in(&self, k);
    if (!*self.only)
        printf("%-32s %8s %12s %10s %10s\n", "out: write", "bytes", "messages/s", "MB/s", "us each");
    for (size_t w = 0; ok && !*self.only && w < sizeof ways_out / sizeof ways_out[0]; w++)
        ok = measure_out(&self, &ways_out[w]);
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        if (self.events[k])
            carehub__v1__event__free_unpacked(self.events[k], NULL);
    free(self.memory.event);
    rmdir(self.dir);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
