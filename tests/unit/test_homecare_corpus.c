// The public FHIR samples through the plug-in, if they are at hand: $CAREHUB_CORPORA, or ../shared/corpora beside the
// source tree. Exits with 77, which CTest reports as skipped, when they are not. Each file is a message of its own.
#include "homecare_case.h"

#include <ftw.h>
#include <unistd.h>

#include "catalogue.h"
#include "fhir_read.h"

#define EXIT_SKIPPED 77
#define FILES_MAX 2000u
#define OPEN_DIRECTORIES_MAX 8
#define REASONS_MAX 64u

static char *paths[FILES_MAX];
static size_t file_count;
static void *self;

static struct {
    char text[256];
    size_t count;
} reasons[REASONS_MAX];
static size_t reason_count;

static int add_file(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    (void)ftw;
    size_t len = strlen(path);
    if (type == FTW_F && info->st_size > 0 && file_count < FILES_MAX && len > 5 && strcmp(path + len - 5, ".json") == 0)
        paths[file_count++] = strdup(path);
    return 0;
}

static int free_files(void **state)
{
    (void)state;
    while (file_count > 0)
        free(paths[--file_count]);
    return 0;
}

static int configure(void **state)
{
    const struct carehub_setting role = {"role", "hospital", NULL, NULL}, sender = {"az", "", &role, NULL},
                                 senders = {"senders", "", &sender, NULL},
                                 fallback = {"default-sender", "az", NULL, &senders},
                                 format = {"format", "", &fallback, NULL};
    char error[CAREHUB_ERROR_BYTES];
    (void)state;
    reason_count = 0;
    self = carehub_format.configure(&format, "", error);
    return self != NULL ? 0 : -1;
}

static int done(void **state)
{
    forget_all(state);
    carehub_format.destroy(self);
    return 0;
}

static void send_file(const char *path, bool by_http)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = malloc(FHIR_BODY_MAX_BYTES + 1);
    size_t len = fread(text, 1, FHIR_BODY_MAX_BYTES, file);
    fclose(file);
    struct carehub_native native = native_of(text, len);
    if (by_http) {
        native.transport = "http";
        native.method = "POST";
        native.name = "fhir/$process-message";
    }
    hand_over(self, &native, &no_fault);
    free(text);
}

static void count_reason(const char *where, const char *what)
{
    char text[sizeof reasons[0].text];
    size_t i = 0;
    snprintf(text, sizeof text, "%s%s%.120s", where, where[0] != '\0' ? ": " : "", what);
    while (i < reason_count && strcmp(reasons[i].text, text) != 0)
        i++;
    if (i == REASONS_MAX)
        return;
    if (i == reason_count)
        snprintf(reasons[reason_count++].text, sizeof reasons[0].text, "%s", text);
    reasons[i].count++;
}

static void every_file_is_taken_or_refused_with_a_reason(void **state)
{
    size_t accepted = 0, nothing = 0, refused = 0, by_type[EVENT_TYPE_MAX + 1] = {0}, events = 0;
    for (size_t i = 0; i < file_count; i++) {
        forget_all(state);
        send_file(paths[i], false);
        accepted += last.verdict == CAREHUB_MESSAGE_EVENTS;
        nothing += last.verdict == CAREHUB_MESSAGE_NOTHING;
        if (last.verdict == CAREHUB_MESSAGE_NOTHING) {
            count_reason("", last.why);
        } else if (last.verdict != CAREHUB_MESSAGE_EVENTS) {
            assert_true(last.problem.what[0] != '\0' && last.problem.rule[0] != '\0');
            count_reason(last.problem.where, last.problem.what);
            refused++;
        }
        for (size_t k = 0; k < last.n_events; k++, events++)
            by_type[last.events[k]->type]++;
    }
    print_message("files %zu, with events %zu, right but without %zu, refused %zu; events %zu\n", file_count, accepted,
                  nothing, refused, events);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        if (by_type[type] > 0)
            print_message("  %6zu %s\n", by_type[type], event_type_name((Carehub__V1__EventType)type));
    for (size_t i = 0; i < reason_count; i++)
        print_message("  %6zu %s\n", reasons[i].count, reasons[i].text);
    assert_int_equal(accepted + nothing + refused, file_count);
}

// The messages of one hospital about one patient each tell one thing.
static void every_danish_message_but_cancellations_of_the_unknown_is_one_event(void **state)
{
    size_t count = 0;
    for (size_t i = 0; i < file_count; i++) {
        if (strstr(paths[i], "hospitalnotification/Bundle-") == NULL)
            continue;
        forget_all(state);
        send_file(paths[i], true);
        if (last.status == 200)
            assert_string_equal(last.why, "nothing-to-correct");
        else if (last.status != 201 || last.n_events != 1)
            fail_msg("%s: %d %s", paths[i], last.status, last.text);
        count++;
    }
    print_message("%zu messages\n", count);
}

// One stay in the order in which it was told: an emergency visit, an admission that is revised and cancelled, leave and
// return of another that was not told, and its discharge. Then all of it once more, which changes nothing.
static void the_danish_messages_in_their_order_tell_a_stay(void **state)
{
    static const struct {
        const char *file;
        Carehub__V1__EventType type;
        char sign; // + new, ~ amends, - retracts
    } steps[] = {
        {"Bundle-h1c8e4a8", CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, '+'},
        {"Bundle-kcab461b", CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT, '+'},
        {"Bundle-a5e5b880", CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, '+'},
        {"Bundle-bfab3e80", CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, '~'},
        {"Bundle-c83671a4", CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION, '-'},
        {"Bundle-d3128d9b", CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, '+'},
        {"Bundle-e94de8ee", CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION, '+'},
        {"Bundle-f4aa42a4", CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE, '+'},
    };
    (void)state;
    for (size_t i = 0; i < 2 * (sizeof steps / sizeof steps[0]); i++) {
        size_t step = i % (sizeof steps / sizeof steps[0]), k = 0;
        while (k < file_count && strstr(paths[k], steps[step].file) == NULL)
            k++;
        if (k == file_count)
            skip();
        send_file(paths[k], true);
        assert_int_equal(last.repeat, i != step);
        if (last.repeat)
            continue;
        assert_int_equal(last.n_events, 1);
        const Carehub__V1__Event *event = last.events[0];
        char sign = event->amends.len > 0 ? '~' : event->retracts.len > 0 ? '-' : '+';
        if (event->type != steps[step].type || sign != steps[step].sign)
            fail_msg("%s: %c%s", steps[step].file, sign, event_type_name(event->type));
    }
}

int main(void)
{
    const char *corpora = getenv("CAREHUB_CORPORA");
    char path[4096];
    snprintf(path, sizeof path, "%s/fhir", corpora != NULL ? corpora : CAREHUB_CORPORA_DEFAULT);
    if (access(path, R_OK) != 0) {
        printf("skipped: no sample messages at %s (set CAREHUB_CORPORA)\n", path);
        return EXIT_SKIPPED;
    }
    if (nftw(path, add_file, OPEN_DIRECTORIES_MAX, FTW_PHYS) != 0) {
        printf("cannot read %s\n", path);
        return EXIT_FAILURE;
    }
#define TEST(name) cmocka_unit_test_setup_teardown(name, configure, done)
    const struct CMUnitTest tests[] = {
        TEST(every_file_is_taken_or_refused_with_a_reason),
        TEST(every_danish_message_but_cancellations_of_the_unknown_is_one_event),
        TEST(the_danish_messages_in_their_order_tell_a_stay),
    };
    return cmocka_run_group_tests_name("homecare_corpus", tests, NULL, free_files);
}
