#include "pharmacy_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "scheme_build.h"

typedef Carehub__Pharmacy__V1__Scheme Scheme;
typedef Carehub__Pharmacy__V1__Line Line;
typedef Carehub__V1__Identifier Identifier;
typedef Carehub__V1__MedicationChanged Changed;

enum { STATE_NAME_BYTES = 16 + 2 * crypto_hash_sha256_BYTES };

static struct followed nothing(const char *why)
{
    return (struct followed){.as = FOLLOWED_NOTHING, .why = why, .text = ""};
}

static struct followed failed(void)
{
    return (struct followed){
        .as = FOLLOWED_FAILED, .why = "memory", .text = "what was seen cannot be kept now; send it again"};
}

// ---- What is kept

// The one by which all senders know the patient, else the first in an order that does not depend on the sender's.
static const Identifier *patient_of(const Scheme *scheme)
{
    const Identifier *found = scheme->patient[0];
    for (size_t i = 0; i < scheme->n_patient; i++) {
        const Identifier *other = scheme->patient[i];
        if (strcmp(other->system, "ssin") == 0)
            return other;
        int order = strcmp(other->system, found->system);
        if (order < 0 || (order == 0 && strcmp(other->value, found->value) < 0))
            found = other;
    }
    return found;
}

static void digest_part(crypto_hash_sha256_state *state, const char *text)
{
    crypto_hash_sha256_update(state, (const uint8_t *)text, strlen(text) + 1);
}

static void name_state(const char *kind, const Scheme *scheme, const char *id, const char *sender,
                       char name[STATE_NAME_BYTES])
{
    const Identifier *patient = patient_of(scheme);
    uint8_t digest[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    digest_part(&state, patient->system);
    digest_part(&state, patient->value);
    digest_part(&state, id);
    digest_part(&state, sender);
    crypto_hash_sha256_final(&state, digest);
    int used = snprintf(name, STATE_NAME_BYTES, "%s:", kind);
    sodium_bin2hex(name + used, STATE_NAME_BYTES - (size_t)used, digest, sizeof digest);
}

// NULL when nothing is kept, also when what is kept cannot be read any more: then comparing begins anew.
static Scheme *load(struct carehub_memory *memory, const char *name)
{
    size_t len;
    const void *bytes = memory->load(memory, name, &len);
    Scheme *kept = bytes != NULL ? carehub__pharmacy__v1__scheme__unpack(NULL, len, bytes) : NULL;
    if (kept == NULL || kept->n_lines <= SCHEME_LINES_MAX)
        return kept;
    carehub__pharmacy__v1__scheme__free_unpacked(kept, NULL);
    return NULL;
}

static bool store(struct carehub_memory *memory, const char *name, const Scheme *scheme)
{
    size_t len = carehub__pharmacy__v1__scheme__get_packed_size(scheme);
    uint8_t *bytes = len <= CAREHUB_STATE_MAX_BYTES ? malloc(len + 1) : NULL;
    bool done = bytes != NULL && memory->store(memory, name, bytes, carehub__pharmacy__v1__scheme__pack(scheme, bytes));
    free(bytes);
    return done;
}

static void release(Scheme *scheme)
{
    if (scheme != NULL)
        carehub__pharmacy__v1__scheme__free_unpacked(scheme, NULL);
}

// ---- Whole schemes

// Everything in a first version, as added.
static struct scheme_result tell_all(const struct pharmacy_sender *sender, const Scheme *now)
{
    Scheme empty = *now;
    empty.n_lines = 0;
    empty.version = (char *)protobuf_c_empty_string;
    return scheme_diff(&empty, now, pharmacy_offset, sender->zone);
}

static struct followed judge(const struct pharmacy_sender *sender, const Scheme *now, struct scheme_result result)
{
    if (result.outcome == SCHEME_FIRST && sender->tell_first)
        result = tell_all(sender, now);
    switch (result.outcome) {
    case SCHEME_CHANGED:
        return (struct followed){.as = FOLLOWED_CHANGED, .why = "", .text = "", .body = result.body};
    case SCHEME_FIRST:
        return nothing("first-version");
    case SCHEME_UNCHANGED:
        return nothing("unchanged");
    case SCHEME_SAME_VERSION: {
        struct followed same = nothing(result.differs ? "same-version-other-content" : "same-version");
        same.notable = result.differs;
        return same;
    }
    case SCHEME_OLDER:
    case SCHEME_OTHER:
        return (struct followed){
            .as = FOLLOWED_REFUSED, .why = scheme_outcome_name(result.outcome), .text = result.why};
    case SCHEME_NO_MEMORY:
        break;
    }
    return failed();
}

static struct followed follow_scheme(const struct pharmacy_sender *sender, const Scheme *now,
                                     struct carehub_memory *memory)
{
    char name[STATE_NAME_BYTES];
    name_state("scheme", now, now->id, now->id[0] != '\0' ? "" : sender->name, name);
    Scheme *before = load(memory, name);
    struct scheme_result result = scheme_diff(before, now, pharmacy_offset, sender->zone);
    bool newer =
        result.outcome == SCHEME_CHANGED || result.outcome == SCHEME_UNCHANGED || result.outcome == SCHEME_FIRST;
    struct followed made = judge(sender, now, result);
    release(before);
    if (!newer || made.as == FOLLOWED_FAILED || store(memory, name, now))
        return made;
    if (made.body != NULL)
        carehub__v1__medication_changed__free_unpacked(made.body, NULL);
    return failed();
}

// ---- Single lines

struct lines {
    const struct pharmacy_sender *sender;
    Scheme *now, *kept;
    bool fresh[SCHEME_LINES_MAX]; // of kept: the line is of this message
    Changed *body;                // of all changes; NULL: none yet
    size_t told;                  // lines of which something is told
    const char *why;              // of a line of which nothing is told
    bool notable;
};

static int64_t recorded_ms(const Line *line)
{
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    return scheme_time(line->recorded, NULL, NULL, &time) ? time.unix_ms : INT64_MAX;
}

static int by_time(const void *a, const void *b)
{
    int64_t x = recorded_ms(*(Line *const *)a), y = recorded_ms(*(Line *const *)b);
    return (x > y) - (x < y);
}

// A scheme of one line, which lends what it has; NULL stays NULL. Each line has its own versions.
static const Scheme *alone(const Scheme *of, Line **line, Scheme *made)
{
    if (*line == NULL)
        return NULL;
    *made = *of;
    made->id = (char *)protobuf_c_empty_string;
    made->version = (*line)->version;
    made->recorded = (*line)->recorded;
    made->n_lines = 1;
    made->lines = line;
    made->complete = false;
    return made;
}

static size_t find_kept(const Scheme *kept, const Line *line)
{
    size_t i = 0;
    while (i < kept->n_lines && !scheme_same_key(kept->lines[i], line))
        i++;
    return i;
}

// Adds the changes of `more` to the whole, and frees it.
static bool gather(struct lines *self, Changed *more)
{
    self->told++;
    if (self->body == NULL) {
        self->body = more;
        return true;
    }
    bool done = true;
    for (size_t i = 0; i < more->n_changes && done; i++) {
        done = scheme_append(&self->body->changes, &self->body->n_changes, more->changes[i]);
        if (done)
            more->changes[i] = NULL;
    }
    size_t left = 0;
    for (size_t i = 0; i < more->n_changes; i++)
        if (more->changes[i] != NULL)
            more->changes[left++] = more->changes[i];
    more->n_changes = left;
    carehub__v1__medication_changed__free_unpacked(more, NULL);
    return done;
}

// Puts the line at `from` of now at the end of what is kept, in place of the one at `at`. Those that have not been
// heard of for the longest time make room.
static bool keep(struct lines *self, size_t at, size_t from)
{
    Scheme *kept = self->kept;
    if (at == kept->n_lines && kept->n_lines == SCHEME_LINES_MAX)
        at = 0;
    if (at < kept->n_lines) {
        size_t behind = kept->n_lines - at - 1;
        carehub__pharmacy__v1__line__free_unpacked(kept->lines[at], NULL);
        memmove(&kept->lines[at], &kept->lines[at + 1], behind * sizeof(Line *));
        memmove(&self->fresh[at], &self->fresh[at + 1], behind * sizeof(bool));
        kept->n_lines--;
    }
    if (!scheme_append(&kept->lines, &kept->n_lines, self->now->lines[from]))
        return false;
    self->now->lines[from] = NULL;
    self->fresh[kept->n_lines - 1] = true;
    return true;
}

static struct followed follow_line(struct lines *self, size_t from)
{
    Scheme one_before, one_now;
    Line *line = self->now->lines[from];
    size_t at = find_kept(self->kept, line);
    Line *seen = at < self->kept->n_lines ? self->kept->lines[at] : NULL;
    const Scheme *before = alone(self->kept, &seen, &one_before), *now = alone(self->now, &line, &one_now);
    struct scheme_result result = scheme_diff(before, now, pharmacy_offset, self->sender->zone);
    // Of a line that is in the message twice, such as a prescription and its dispense, the later one counts.
    if (result.outcome == SCHEME_OLDER && self->fresh[at])
        return nothing("unchanged");
    struct followed made = judge(self->sender, now, result);
    if (made.as == FOLLOWED_REFUSED || made.as == FOLLOWED_FAILED)
        return made;
    if (made.as == FOLLOWED_CHANGED && !gather(self, made.body))
        return failed();
    self->notable = self->notable || made.notable;
    if (made.as == FOLLOWED_NOTHING && (self->why == NULL || made.notable))
        self->why = made.why;
    return result.outcome == SCHEME_SAME_VERSION || keep(self, at, from) ? made : failed();
}

static struct followed finish(struct lines *self)
{
    Changed *body = self->body;
    if (body == NULL) {
        struct followed made = nothing(self->why != NULL ? self->why : "nothing-taken");
        made.notable = self->notable;
        return made;
    }
    // Versions are the lines' own: of several lines none says anything of the whole.
    if (self->told > 1 && !(scheme_set(&body->scheme_version, "") && scheme_set(&body->previous_version, "")))
        return failed();
    if (!scheme_fit(body))
        return failed();
    self->body = NULL;
    return (struct followed){.as = FOLLOWED_CHANGED, .why = "", .text = "", .body = body};
}

static Scheme *begin_kept(void)
{
    Scheme *kept = malloc(sizeof *kept);
    if (kept != NULL)
        carehub__pharmacy__v1__scheme__init(kept);
    return kept;
}

// What of the lines was taken out of now.
static void close_up(Scheme *now)
{
    size_t left = 0;
    for (size_t i = 0; i < now->n_lines; i++)
        if (now->lines[i] != NULL)
            now->lines[left++] = now->lines[i];
    now->n_lines = left;
}

static struct followed follow_lines(const struct pharmacy_sender *sender, Scheme *now, struct carehub_memory *memory)
{
    struct lines self = {.sender = sender, .now = now};
    struct followed made = nothing("nothing-taken");
    char name[STATE_NAME_BYTES];
    name_state("lines", now, "", "", name);
    self.kept = load(memory, name);
    if (self.kept == NULL)
        self.kept = begin_kept();
    if (self.kept == NULL)
        return failed();
    qsort(now->lines, now->n_lines, sizeof *now->lines, by_time);
    bool taken = true;
    for (size_t i = 0; i < now->n_lines && taken; i++) {
        made = follow_line(&self, i);
        taken = made.as == FOLLOWED_CHANGED || made.as == FOLLOWED_NOTHING;
    }
    close_up(now);
    self.kept->seen_ms = now->seen_ms;
    if (taken)
        made = store(memory, name, self.kept) ? finish(&self) : failed();
    if (self.body != NULL)
        carehub__v1__medication_changed__free_unpacked(self.body, NULL);
    release(self.kept);
    return made;
}

struct followed pharmacy_follow(const struct pharmacy_sender *sender, Scheme *now, struct carehub_memory *memory)
{
    return now->complete ? follow_scheme(sender, now, memory) : follow_lines(sender, now, memory);
}
