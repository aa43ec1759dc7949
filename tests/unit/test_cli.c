/* The command line: the table of commands, parsing, and what people type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "help.h"
#include "input.h"
#include "json_input.h"
#include "term.h"

#include <cmocka.h> /* last: it has a macro fail() */

enum { WORDS_MAX = 16 };

/* Splits a line at its blanks and parses it. The words stay valid until the next call. */
static enum args_status parse(struct args *args, const char *line, char error[ARGS_ERROR_BYTES])
{
    static char copy[512];
    char *words[WORDS_MAX] = {NULL};
    int n = 0;
    snprintf(copy, sizeof copy, "carehub %s", line);
    for (char *word = strtok(copy, " "); word && n < WORDS_MAX; word = strtok(NULL, " "))
        words[n++] = word;
    return args_parse(args, n, words, error);
}

static void command_lines_parse_as_the_table_says(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        enum args_status status;
        const char *verb;  /* of the command found; NULL: it stands alone, or there is none */
        const char *error; /* a part of it */
    } cases[] = {
        {"status", ARGS_OK, NULL, NULL},
        {"status --watch --json", ARGS_OK, NULL, NULL},
        {"status --config=x.conf", ARGS_OK, NULL, NULL},
        {"client keys add pharmis --key k", ARGS_OK, "keys add", NULL},
        {"client keys pharmis", ARGS_OK, "keys", NULL},
        {"client list", ARGS_OK, "list", NULL},
        {"inbox retry i 1 2 3 --reason r", ARGS_OK, "retry", NULL},
        {"explain -- 12 apotheek", ARGS_OK, NULL, NULL},
        {"publish -", ARGS_OK, NULL, NULL},
        {"--help", ARGS_HELP, NULL, NULL},
        {"actor --help", ARGS_HELP, NULL, NULL},
        {"actor add --help", ARGS_HELP, "add", NULL},
        {"trace -h", ARGS_HELP, NULL, NULL},
        {"", ARGS_WRONG, NULL, "say what to do"},
        {"nonsense", ARGS_WRONG, NULL, "no command 'nonsense'"},
        {"actor", ARGS_WRONG, NULL, "say what to do with 'actor'"},
        {"actor fly", ARGS_WRONG, NULL, "no 'actor fly'"},
        {"trace", ARGS_WRONG, NULL, "EVENT is missing"},
        {"trace 1 2", ARGS_WRONG, NULL, "'2' is one argument too many"},
        {"status --nonsense", ARGS_WRONG, NULL, "no option --nonsense"},
        {"status -j", ARGS_WRONG, NULL, "two dashes"},
        {"status --json=yes", ARGS_WRONG, NULL, "--json takes no value"},
        {"status --json --json", ARGS_WRONG, NULL, "--json is given twice"},
        {"status --timeout", ARGS_WRONG, NULL, "--timeout needs a value"},
        {"status --timeout soon", ARGS_WRONG, NULL, "not a number of seconds"},
        {"status --timeout 0", ARGS_WRONG, NULL, "not a number of seconds"},
        {"status --timeout nan", ARGS_WRONG, NULL, "not a number of seconds"},
        {"actor add x", ARGS_WRONG, "add", "--kind KIND is missing"},
        {"actor add x --kind fish", ARGS_WRONG, "add", "--kind cannot be 'fish'"},
        {"open 12", ARGS_WRONG, NULL, "--purpose TEXT is missing"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct args args;
        char error[ARGS_ERROR_BYTES];
        print_message("  carehub %s\n", cases[i].line);
        assert_int_equal(parse(&args, cases[i].line, error), cases[i].status);
        if (cases[i].verb)
            assert_string_equal(args.command->verb, cases[i].verb);
        if (cases[i].error)
            assert_non_null(strstr(error, cases[i].error));
    }
}

static void values_are_where_the_command_looks_for_them(void **state)
{
    (void)state;
    struct args args;
    char error[ARGS_ERROR_BYTES];
    const char *actors[4];
    assert_int_equal(parse(&args, "client add pharmis --actor a --json --actor=b --timeout 2.5", error), ARGS_OK);
    assert_string_equal(args_value(&args, 0), "pharmis");
    assert_null(args_value(&args, 1));
    assert_int_equal(args_all(&args, "actor", actors, 4), 2);
    assert_string_equal(actors[0], "a");
    assert_string_equal(actors[1], "b");
    assert_true(args_flag(&args, "json"));
    assert_false(args_flag(&args, "help"));
    assert_null(args_option(&args, "fact"));
    assert_int_equal(args_timeout_ms(&args), 2500);
}

static void more_than_the_limits_is_refused_not_cut(void **state)
{
    (void)state;
    char *words[ARGS_VALUES_MAX + 8];
    size_t n = 0;
    words[n++] = "carehub", words[n++] = "inbox", words[n++] = "retry", words[n++] = "i";
    while (n < sizeof words / sizeof words[0])
        words[n++] = "1";
    struct args args;
    char error[ARGS_ERROR_BYTES];
    assert_int_equal(args_parse(&args, (int)n, words, error), ARGS_WRONG);
    char expected[64];
    snprintf(expected, sizeof expected, "more than %d arguments", ARGS_VALUES_MAX);
    assert_non_null(strstr(error, expected));
}

/* What holds for every row of the table, so that help, pages and completion are never empty. */
static void every_command_has_help_and_an_example_that_parses_up_to_quoting(void **state)
{
    (void)state;
    for (const struct noun *noun = nouns; noun->name; noun++) {
        assert_non_null(noun->detail);
        for (const struct command *c = noun->commands; c->run; c++) {
            char synopsis[256], begin[128];
            command_synopsis(noun, c, synopsis, sizeof synopsis);
            snprintf(begin, sizeof begin, "carehub %s%s%s", noun->name, c->verb ? " " : "", c->verb ? c->verb : "");
            assert_non_null(c->summary);
            assert_non_null(c->example);
            assert_int_equal(strncmp(c->example, begin, strlen(begin)), 0);
            assert_int_equal(strncmp(synopsis, begin, strlen(begin)), 0);
            if (!strpbrk(c->example, "'<>")) {
                struct args args;
                char error[ARGS_ERROR_BYTES];
                print_message("  %s\n", c->example);
                assert_int_equal(parse(&args, c->example + strlen("carehub "), error), ARGS_OK);
                assert_ptr_equal(args.command, c);
            }
        }
    }
}

static void words_that_may_come_next_are_offered(void **state)
{
    (void)state;
    static const struct {
        char *words[6];
        const char *offered;
    } cases[] = {
        {{"tr"}, "trace\n"},
        {{"grant", ""}, "give\nend\nlist\n"},
        {{"patient", "identifier", ""}, "add\nremove\n"},
        {{"patient", "id"}, "identifier\n"},
        {{"actor", "add", "x", "--ki"}, "--kind\n"},
        {{"actor", "add", "x", "--kind", "p"}, "professional\nperson\n"},
        {{"trace", ""}, ""},
        {{"nonsense", ""}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *text = NULL;
        size_t size, n = 0;
        while (n < 6 && cases[i].words[n])
            n++;
        FILE *out = open_memstream(&text, &size);
        complete_print((int)n, cases[i].words, out);
        fclose(out);
        assert_string_equal(text, cases[i].offered);
        free(text);
    }
}

/* Says nothing on stderr while it runs. */
static int quiet_stderr(void)
{
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    assert_non_null(freopen("/dev/null", "w", stderr));
    return kept;
}

static void loud_stderr(int kept)
{
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
}

static void patients_are_named_in_three_ways(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool right;
        uint64_t number;
        const char *system, *value;
    } cases[] = {
        {"P42", true, 42, NULL, NULL},
        {"p7", true, 7, NULL, NULL},
        {"ssin:85073003328", true, 0, "ssin", "85073003328"},
        {"ssin:85.07.30-033.28", true, 0, "ssin", "85073003328"},
        {"ssin|85073003328", true, 0, "ssin", "85073003328"},
        {"urn:az-demo:patient|100001", true, 0, "urn:az-demo:patient", "100001"},
        {"https://az.example/id|7", true, 0, "https://az.example/id", "7"},
        {"ssin:85073003329", false, 0, NULL, NULL},
        {"urn:az-demo:patient:100001", false, 0, NULL, NULL},
        {"85073003328", false, 0, NULL, NULL},
        {"P0", false, 0, NULL, NULL},
        {"P4x", false, 0, NULL, NULL},
        {"P99999999999999999999999", false, 0, NULL, NULL},
        {"ssin:", false, 0, NULL, NULL},
        {"", false, 0, NULL, NULL},
    };
    int kept = quiet_stderr();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct patient_input in;
        int code = input_patient(cases[i].text, &in);
        assert_int_equal(code, cases[i].right ? EXIT_OK : EXIT_USAGE);
        if (!cases[i].right)
            continue;
        assert_int_equal(in.ref.number, cases[i].number);
        assert_int_equal(in.ref.identifier != NULL, cases[i].system != NULL);
        if (cases[i].system) {
            assert_string_equal(in.ref.identifier->system, cases[i].system);
            assert_string_equal(in.ref.identifier->value, cases[i].value);
        }
    }
    loud_stderr(kept);
}

static void events_are_a_uuid_or_a_place(void **state)
{
    (void)state;
    struct event_input event;
    int kept = quiet_stderr();
    assert_int_equal(input_event("01a20090-c721-7698-bd44-cbc3a72b8141", &event), EXIT_OK);
    assert_int_equal(event.place, 0);
    assert_int_equal(event.id[0], 0x01);
    assert_int_equal(input_event("#123", &event), EXIT_OK);
    assert_int_equal(event.place, 123);
    assert_int_equal(input_event("123", &event), EXIT_OK);
    assert_int_equal(event.place, 123);
    static const char *const wrong[] = {"", "0", "#", "#0", "12x", "-1", "01a20090", "99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(input_event(wrong[i], &event), EXIT_USAGE);
    loud_stderr(kept);
}

static void times_are_dates_or_durations_from_now(void **state)
{
    (void)state;
    int64_t ms, now = (int64_t)time(NULL) * 1000;
    int kept = quiet_stderr();
    assert_int_equal(input_time("2026-03-01", &ms), EXIT_OK);
    assert_int_equal(ms, 1772323200000);
    assert_int_equal(input_time("2026-03-01T06:30", &ms), EXIT_OK);
    assert_int_equal(ms, 1772346600000);
    assert_int_equal(input_time("+2d", &ms), EXIT_OK);
    assert_in_range(ms - now, 2 * 86400000, 2 * 86400000 + 5000);
    assert_int_equal(input_time(NULL, &ms), EXIT_OK);
    assert_int_equal(ms, 0);
    static const char *const wrong[] = {"", "2026-02-30", "2026-13-01", "tomorrow", "+2", "+d", "+-1d", "01/03/2026"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(input_time(wrong[i], &ms), EXIT_USAGE);
    loud_stderr(kept);
}

static void as_of_when_is_a_place_or_a_time(void **state)
{
    (void)state;
    uint64_t place;
    int64_t ms;
    int kept = quiet_stderr();
    assert_int_equal(input_as_of("#123", &place, &ms), EXIT_OK);
    assert_true(place == 123 && ms == 0);
    assert_int_equal(input_as_of("2026", &place, &ms), EXIT_OK);
    assert_true(place == 2026 && ms == 0);
    assert_int_equal(input_as_of("2026-03-01", &place, &ms), EXIT_OK);
    assert_true(place == 0 && ms == 1772323200000);
    assert_int_equal(input_as_of(NULL, &place, &ms), EXIT_OK);
    assert_true(place == 0 && ms == 0);
    static const char *const wrong[] = {"", "#", "0", "yesterday", "12x"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_int_equal(input_as_of(wrong[i], &place, &ms), EXIT_USAGE);
    loud_stderr(kept);
}

/* Reads all objects of a text; returns how many, or -1 on an error. */
static int count_objects(const char *text)
{
    char path[] = "/tmp/test_cli_XXXXXX";
    int fd = mkstemp(path), n = 0, code;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    struct json_input in;
    struct json_object *object = NULL;
    assert_int_equal(json_input_open(&in, path), EXIT_OK);
    while ((code = json_input_next(&in, &object)) == EXIT_OK && object) {
        json_object_put(object);
        n++;
    }
    json_input_close(&in);
    unlink(path);
    return code ? -1 : n;
}

static void json_is_read_as_one_object_as_lines_or_as_an_array(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int objects;
    } cases[] = {
        {"", 0},
        {" \n\n", 0},
        {"{}", 1},
        {"{\n \"a\": 1\n}\n", 1},
        {"{}\n{}\n\n{}", 3},
        {"{}{}", 2},
        {"[{},{}]", 2},
        {"[]", 0},
        {"[{},{}]\n{}", 3},
        {"[1]", -1},
        {"{", -1},
        {"{}\nnonsense", -1},
        {"\"text\" ", -1},
        {"null ", -1},
        {"[null]", -1},
        {"{\"a\":1,}", -1},
    };
    int kept = quiet_stderr();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_int_equal(count_objects(cases[i].text), cases[i].objects);
    loud_stderr(kept);
}

static void objects_longer_than_a_chunk_are_read_whole(void **state)
{
    (void)state;
    enum { LONG = 200000 };
    char *text = malloc(2 * LONG);
    assert_non_null(text);
    int n = snprintf(text, 2 * LONG, "{\"a\":\"");
    memset(text + n, 'x', LONG);
    snprintf(text + n + LONG, LONG, "\"}\n{}");
    assert_int_equal(count_objects(text), 2);
    free(text);
}

static void text_from_elsewhere_cannot_steer_the_terminal(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    put_safe(out, "a\033[31mb\nc\xc2\x9b"
                  "31m\u00e9");
    fclose(out);
    assert_string_equal(text, "a?[31mb?c?31m\u00e9");
    free(text);
}

static void columns_align_by_characters_not_by_bytes(void **state)
{
    (void)state;
    static const char *const headings[] = {"name", "n", NULL};
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    struct table *table = table_new(headings);
    table_cell(table, TONE_PLAIN, "%s", "Zorgcoördinatie");
    table_cell(table, TONE_PLAIN, "%d", 1);
    table_cell(table, TONE_BAD, "%s", "x");
    table_cell(table, TONE_PLAIN, "%d", 2);
    table_print(table, out, (struct style){0});
    table_destroy(&table);
    fclose(out);
    assert_string_equal(text, "name             n\nZorgcoördinatie  1\nx                2\n");
    free(text);
}

static void numbers_are_written_for_people(void **state)
{
    (void)state;
    char text[64];
    assert_string_equal(count_text(0, text), "0");
    assert_string_equal(count_text(999, text), "999");
    assert_string_equal(count_text(1234567, text), "1,234,567");
    assert_string_equal(count_text(UINT64_MAX, text), "18,446,744,073,709,551,615");
    assert_string_equal(size_text(999, text), "999 bytes");
    assert_string_equal(size_text(1500000, text), "1.5 MB");
    assert_string_equal(lasted_text(59000, text), "59 s");
    assert_string_equal(lasted_text(90000000, text), "1 d 1 h");
    assert_string_equal(when_text(0, text), "-");
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(command_lines_parse_as_the_table_says),
        cmocka_unit_test(values_are_where_the_command_looks_for_them),
        cmocka_unit_test(more_than_the_limits_is_refused_not_cut),
        cmocka_unit_test(every_command_has_help_and_an_example_that_parses_up_to_quoting),
        cmocka_unit_test(words_that_may_come_next_are_offered),
        cmocka_unit_test(patients_are_named_in_three_ways),
        cmocka_unit_test(events_are_a_uuid_or_a_place),
        cmocka_unit_test(times_are_dates_or_durations_from_now),
        cmocka_unit_test(as_of_when_is_a_place_or_a_time),
        cmocka_unit_test(json_is_read_as_one_object_as_lines_or_as_an_array),
        cmocka_unit_test(objects_longer_than_a_chunk_are_read_whole),
        cmocka_unit_test(text_from_elsewhere_cannot_steer_the_terminal),
        cmocka_unit_test(columns_align_by_characters_not_by_bytes),
        cmocka_unit_test(numbers_are_written_for_people),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
