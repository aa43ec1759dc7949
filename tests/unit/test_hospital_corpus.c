// The public sample messages through all mappings of the hospital, if they are at hand: $CAREHUB_CORPORA, or
// ../shared/corpora beside the source tree. Exits with 77, which CTest reports as skipped, when they are not. Prints
// what came of them, by kind and outcome.
#include "hospital_case.h"

#include <ftw.h>
#include <unistd.h>

#include "eventid.h"
#include "mdm.h"
#include "merge.h"
#include "rx.h"

#define EXIT_SKIPPED 77
#define CELLS_MAX 512
#define OPEN_DIRECTORIES_MAX 8
#define EVENT_MAX_BYTES 65536u

static struct cell {
    char kind[16];
    const char *why;
    unsigned count;
} cells[CELLS_MAX];
static size_t cell_count;
static unsigned messages, unreadable, files, batches_at_odds;

static void count(const char *kind, const char *why)
{
    size_t i = 0;
    while (i < cell_count && (strcmp(cells[i].kind, kind) != 0 || strcmp(cells[i].why, why) != 0))
        i++;
    assert_true(i < CELLS_MAX);
    if (i == cell_count) {
        snprintf(cells[i].kind, sizeof cells[i].kind, "%s", kind);
        cells[i].why = why;
        cell_count++;
    }
    cells[i].count++;
}

static unsigned count_of(const char *type, const char *why)
{
    unsigned sum = 0;
    for (size_t i = 0; i < cell_count; i++)
        if (strncmp(cells[i].kind, type, strlen(type)) == 0 && strcmp(cells[i].why, why) == 0)
            sum += cells[i].count;
    return sum;
}

// What the hub asks of every event.
static void check_event(const char *path, Carehub__V1__Event *event)
{
    size_t size = carehub__v1__event__get_packed_size(event);
    if (event->id.len != EVENTID_BYTES || !eventid_valid(event->id.data) || event->patient == NULL ||
        event->patient->n_identifiers == 0 || event->occurred_at == NULL || size > EVENT_MAX_BYTES ||
        (int)event->body_case != 1000 + (int)event->type)
        fail_msg("%s: the hub would not take its event", path);
    for (size_t i = 0;
         event->type == CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED && i < event->medication_changed->n_changes; i++)
        if (event->medication_changed->changes[i]->medicine == NULL ||
            event->medication_changed->changes[i]->kind == CAREHUB__V1__MEDICATION_CHANGE__KIND__KIND_UNSPECIFIED)
            fail_msg("%s: change %zu says nothing", path, i);
    uint8_t *bytes = malloc(size);
    carehub__v1__event__pack(event, bytes);
    Carehub__V1__Event *again = carehub__v1__event__unpack(NULL, size, bytes);
    assert_non_null(again);
    carehub__v1__event__free_unpacked(again, NULL);
    free(bytes);
}

static void map(const char *path, const struct hl7v2_message *message)
{
    struct adt_input input = hospital_input(message);
    struct merge_facts facts = {0};
    char type[8], trigger[8], kind[16];
    hl7v2_text(message, "MSH-9.1", type, sizeof type, NULL);
    adt_trigger(message, trigger, sizeof trigger);
    snprintf(kind, sizeof kind, "%.3s^%.3s", type, trigger);
    struct adt_result result = merge_takes(message) ? merge_map(&input, &facts)
                               : mdm_takes(message) ? mdm_map(&input)
                               : rx_takes(message)  ? rx_map(&input, &hospital_states.memory)
                                                    : adt_map(&input);
    count(kind, result.why);
    if (result.event != NULL) {
        check_event(path, result.event);
        carehub__v1__event__free_unpacked(result.event, NULL);
    }
    merge_facts_clear(&facts);
}

static void map_file(const char *path, const void *bytes, size_t len)
{
    size_t position = 0, piece_len;
    const void *piece;
    batches_at_odds += !hl7v2_batch_check(bytes, len, NULL);
    while (hl7v2_split_next(bytes, len, &position, &piece, &piece_len)) {
        struct hl7v2_message *message = hl7v2_parse(piece, piece_len, NULL, NULL);
        messages++;
        if (message != NULL && hl7v2_check_header(message, &(struct hl7v2_error){0}))
            map(path, message);
        else
            unreadable++;
        hl7v2_message_destroy(&message);
    }
    hospital_forget(NULL); // orders of different files have nothing to do with each other
}

static int add_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    if (type != FTW_F || info->st_size == 0)
        return 0;
    size_t size = (size_t)info->st_size;
    void *bytes = malloc(size);
    FILE *file = fopen(path, "re");
    assert_true(bytes != NULL && file != NULL && fread(bytes, 1, size, file) == size);
    fclose(file);
    files++;
    map_file(path, bytes, size);
    free(bytes);
    return 0;
}

static int by_kind(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;
    int order = strcmp(x->kind, y->kind);
    return order != 0 ? order : strcmp(x->why, y->why);
}

static const char *folder;

static void every_sample_comes_to_something(void **state)
{
    (void)state;
    // Patients of anyone, and every document: so that as much as possible is mapped.
    free(hospital_sender->rules[0].authorities.items[0]);
    hospital_sender->rules[0].authorities.count = 0;
    adt_list_add(&hospital_sender->letter_types, "*");
    assert_int_equal(nftw(folder, add_file, OPEN_DIRECTORIES_MAX, FTW_PHYS), 0);
    qsort(cells, cell_count, sizeof cells[0], by_kind);
    for (size_t i = 0; i < cell_count; i++)
        print_message("%-8s %-24s %5u\n", cells[i].kind, cells[i].why, cells[i].count);
    print_message("%u files, %u messages, %u of them unreadable; %u files are not what they say of themselves\n", files,
                  messages, unreadable, batches_at_odds);
    assert_true(messages > 0);
    assert_int_equal(count_of("", "no-memory"), 0);
    assert_true(count_of("RDE", "event") > 0 && count_of("RDS", "event") > 0 && count_of("OMP", "event") > 0);
    assert_true(count_of("MDM", "event") > 0 && count_of("ADT^A40", "event") > 0);
}

int main(void)
{
    static char path[4096];
    const char *root = getenv("CAREHUB_CORPORA");
    snprintf(path, sizeof path, "%s/hl7v2", root != NULL ? root : CAREHUB_CORPORA_DEFAULT);
    if (access(path, R_OK) != 0) {
        printf("skipped: there are no sample messages in %s\n", path);
        return EXIT_SKIPPED;
    }
    folder = path;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_sample_comes_to_something)};
    return cmocka_run_group_tests(tests, hospital_set_up, hospital_tear_down);
}
