/* carehub log: the log of all entries. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>
#include <sodium.h>

#include "facts.h"
#include "nouns.h"
#include "pbjson.h"

enum { EXPORT_PAGE_MAX = 256 };

/* One entry as {"entry": …, "leaf": hex}. */
static bool print_entry(const Carehub__V1__ExportAnswer *page, size_t i)
{
    struct json_object *line = json_object_new_object();
    if (!line)
        abort();
    json_object_object_add(line, "entry", pbjson_object(&page->entries[i]->base, PBJSON_UUID));
    if (i < page->n_leaves && page->leaves[i].len == 32) {
        char leaf[2 * 32 + 1];
        sodium_bin2hex(leaf, sizeof leaf, page->leaves[i].data, 32);
        json_object_object_add(line, "leaf", json_object_new_string(leaf));
    }
    int written = puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(line);
    return written >= 0;
}

static int print_page(const Carehub__V1__ExportAnswer *page, uint64_t to)
{
    for (size_t i = 0; i < page->n_entries && (!to || page->entries[i]->place <= to); i++)
        if (!print_entry(page, i))
            return fail(EXIT_NO, NULL, "cannot write what was exported");
    return EXIT_OK;
}

static int exportfrom(struct session *session, uint64_t from, uint64_t to)
{
    struct progress progress;
    progress_start(&progress, "exporting", to);
    bool show = !isatty(STDOUT_FILENO); /* else the lines themselves are the progress */
    int code = EXIT_OK;
    while (from && code == EXIT_OK) {
        Carehub__V1__ExportQuery range = CAREHUB__V1__EXPORT_QUERY__INIT;
        range.from_place = from;
        range.max = EXPORT_PAGE_MAX;
        Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
        query.query_case = CAREHUB__V1__QUERY__QUERY_EXPORT_LOG;
        query.export_log = &range;
        Carehub__V1__Answer *answer;
        code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_EXPORT_LOG, &answer);
        if (code)
            break;
        code = print_page(answer->export_log, to);
        uint64_t next = answer->export_log->next_place;
        from = next > from && !(to && next > to) ? next : 0;
        answer_free(&answer);
        if (show)
            progress_step(&progress, from);
    }
    progress_end(&progress);
    return code ? code : (fflush(stdout) == 0 ? EXIT_OK : fail(EXIT_NO, NULL, "cannot write what was exported"));
}

static int run_export(const struct args *args)
{
    uint64_t from = 1, to = 0;
    int code = EXIT_OK;
    if (args_option(args, "from"))
        code = input_place(args_option(args, "from"), &from);
    if (code == EXIT_OK && args_option(args, "to"))
        code = input_place(args_option(args, "to"), &to);
    struct session session = {0};
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = exportfrom(&session, from, to);
    session_close(&session);
    return code;
}

const struct command log_commands[] = {
    {
        .verb = "export",
        .summary = "write the log as JSON lines, in order",
        .options = {{"from", "PLACE", "begin there (1)"}, {"to", "PLACE", "end there (the last)"}},
        .detail = "Each line holds one entry, and the data of its leaf in the audit tree, in hexadecimal. Persons are "
                  "surrogate "
                  "numbers; the content of events is not in it.",
        .example = "carehub log export --from 1000 > log.jsonl",
        .run = run_export,
    },
    {0},
};
