// The public FHIR samples, if they are at hand: $CAREHUB_CORPORA, or ../shared/corpora beside the source tree. Exits
// with 77, which CTest reports as skipped, when they are not. Each file is sent on its own; the resources that a
// Bundle of another type holds are sent one by one as well.
#include "fhir_case.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "catalogue.h"

#define EXIT_SKIPPED 77
#define FILES_MAX 2000u
#define OPEN_DIRECTORIES_MAX 8
#define REASONS_MAX 24u

static char *paths[FILES_MAX];
static size_t file_count;

static struct {
    char text[PROBLEM_EXPRESSION_CHARS + PROBLEM_DIAGNOSTICS_CHARS + 32];
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
    return forget(NULL);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = malloc(FHIR_BODY_MAX_BYTES + 1);
    size_t len = fread(text, 1, FHIR_BODY_MAX_BYTES, file);
    text[len] = '\0';
    fclose(file);
    return text;
}

static void count_reason(const char *text)
{
    size_t i = 0;
    while (i < reason_count && strcmp(reasons[i].text, text) != 0)
        i++;
    if (i == REASONS_MAX)
        return;
    if (i == reason_count)
        snprintf(reasons[reason_count++].text, sizeof reasons[0].text, "%s", text);
    reasons[i].count++;
}

// By the type of the file's resource, not by every place in it.
static void count_problem(const struct problem *problem)
{
    char text[sizeof reasons[0].text];
    snprintf(text, sizeof text, "%s %s: %s", problem->expression, problem_code_name(problem->code),
             problem->diagnostics);
    count_reason(text);
}

static void every_file_is_taken_or_refused_with_a_reason(void **state)
{
    (void)state;
    size_t accepted = 0, nothing = 0, refused = 0, by_type[EVENT_TYPE_MAX + 1] = {0}, events = 0;
    for (size_t i = 0; i < file_count; i++) {
        char *text = read_file(paths[i]);
        bool ok = send_text(text);
        free(text);
        if (!ok) {
            assert_true(problems.count > 0 && problems.list[0].diagnostics[0] != '\0');
            count_problem(&problems.list[0]);
            refused++;
            continue;
        }
        accepted += result.n_events > 0;
        nothing += result.n_events == 0;
        if (result.n_events == 0)
            count_reason(result.items[0].why);
        for (size_t k = 0; k < result.n_events; k++, events++)
            by_type[result.events[k]->type]++;
        for (size_t k = 0; k < result.n_events; k++)
            assert_true(result.events[k]->id.len == 16 && result.events[k]->patient->n_identifiers > 0);
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
    (void)state;
    size_t messages = 0;
    for (size_t i = 0; i < file_count; i++) {
        if (strstr(paths[i], "hospitalnotification/Bundle-") == NULL)
            continue;
        char *text = read_file(paths[i]);
        bool cancels = strstr(text, "cancel-") != NULL;
        if (!send_text(text))
            fail_msg("%s: %s: %s", paths[i], problems.list[0].expression, problems.list[0].diagnostics);
        if (!cancels && result.n_events != 1)
            fail_msg("%s: %zu events", paths[i], result.n_events);
        if (cancels)
            assert_string_equal(result.items[0].why, "nothing-to-correct");
        free(text);
        messages++;
    }
    print_message("%zu messages\n", messages);
}

// One stay in the order in which it was told: an emergency visit, an admission that is revised and cancelled, leave and
// return of another that was not told, and its discharge.
static void the_danish_messages_in_their_order_tell_a_stay(void **state)
{
    (void)state;
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
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        size_t k = 0;
        while (k < file_count && strstr(paths[k], steps[i].file) == NULL)
            k++;
        if (k == file_count)
            skip();
        char *text = read_file(paths[k]);
        const Carehub__V1__Event *event = one(text);
        char sign = event->amends.len > 0 ? '~' : event->retracts.len > 0 ? '-' : '+';
        free(text);
        if (event->type != steps[i].type || sign != steps[i].sign)
            fail_msg("%s: %c%s", steps[i].file, sign, event_type_name(event->type));
        confirm();
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_file_is_taken_or_refused_with_a_reason, reset, forget),
        cmocka_unit_test_setup_teardown(every_danish_message_but_cancellations_of_the_unknown_is_one_event, reset,
                                        forget),
        cmocka_unit_test_setup_teardown(the_danish_messages_in_their_order_tell_a_stay, reset, forget),
    };
    return cmocka_run_group_tests_name("fhir_corpus", tests, NULL, free_files);
}
