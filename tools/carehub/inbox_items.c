#include "inbox_items.h"

#include <stdlib.h>

#include "route/route.h"
#include "facts.h"

enum { ITEMS_DEFAULT = 100, ITEMS_MAX = 10000, PLACES_MAX = 256 };

static void add_item(struct table *table, const Carehub__V1__TraceLine *line)
{
    char when[WHEN_CHARS], number[COUNT_CHARS] = "";
    if (line->number)
        snprintf(number, sizeof number, "%s %llu", line->lane ? "immediate" : "ordinary",
                 (unsigned long long)line->number);
    table_cell(table, TONE_STRONG, "#%llu", (unsigned long long)line->place);
    table_cell(table, TONE_PLAIN, "%.19s", when_text(line->at_ms, when));
    table_cell(table, TONE_PLAIN, "%s", type_text(line->type));
    table_cell(table, TONE_PLAIN, "P%llu", (unsigned long long)line->patient);
    table_cell(table, TONE_STRONG, "%s", *line->actor ? line->actor : line->inbox);
    table_cell(table, TONE_PLAIN, "%s", number);
    if (line->attempts)
        table_cell(table, TONE_PLAIN, "%u", line->attempts);
    else
        table_cell(table, TONE_PLAIN, "%s", "");
    table_cell(table, TONE_PLAIN, "%.19s", line->deadline_ms ? when_text(line->deadline_ms, when) : "");
    table_cell(table, TONE_PLAIN, "%s%s%s", line->code, *line->code && line->reason ? ": " : "",
               line->reason ? reason_text(line->reason) : "");
}

static void print_items(const Carehub__V1__InboxItemsAnswer *items, const char *nothing, struct style style)
{
    static const char *const headings[] = {"place",  "since",    "type",  "of",  "for",
                                           "number", "attempts", "until", "why", NULL};
    if (items->n_lines == 0) {
        puts(nothing);
        return;
    }
    struct table *table = table_new(headings);
    for (size_t i = 0; i < items->n_lines; i++)
        add_item(table, items->lines[i]);
    table_print(table, stdout, style);
    table_destroy(&table);
    char when[WHEN_CHARS];
    int64_t first = 0;
    for (size_t i = 0; i < items->n_lines; i++)
        if (items->lines[i]->step == CAREHUB__V1__TRACE_LINE__STEP__HELD_BACK &&
            (first == 0 || items->lines[i]->deadline_ms < first))
            first = items->lines[i]->deadline_ms;
    if (first)
        printf("  The first of these becomes dead at %.19s.\n", when_text(first, when));
    if (items->more)
        puts("  There are more: see --max.");
}

static int show_items(const struct args *args, Carehub__V1__InboxItemsQuery__Which which, const char *nothing)
{
    Carehub__V1__InboxItemsQuery items = CAREHUB__V1__INBOX_ITEMS_QUERY__INIT;
    uint64_t max;
    int code = input_number(args_option(args, "max"), "--max", ITEMS_MAX, &max);
    if (code)
        return code;
    items.inbox = field(args_value(args, 0));
    items.which = which;
    items.max = max ? (uint32_t)max : ITEMS_DEFAULT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_INBOX_ITEMS;
    query.inbox_items = &items;
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    code = session_open(&session, args);
    if (code == EXIT_OK)
        code = session_ask(&session, &query, CAREHUB__V1__ANSWER__ANSWER_INBOX_ITEMS, &answer);
    if (code == EXIT_OK && session.json)
        print_json(&answer->inbox_items->base);
    else if (code == EXIT_OK)
        print_items(answer->inbox_items, nothing, session.style);
    answer_free(&answer);
    session_close(&session);
    return code;
}

int inbox_show(const struct args *args)
{
    return show_items(args, CAREHUB__V1__INBOX_ITEMS_QUERY__WHICH__QUEUED_ITEMS, "Nothing waits in this inbox.");
}

int inbox_dead(const struct args *args)
{
    return show_items(args, CAREHUB__V1__INBOX_ITEMS_QUERY__WHICH__DEAD_ITEMS, "Nothing is dead in this inbox.");
}

int inbox_held(const struct args *args)
{
    return show_items(args, CAREHUB__V1__INBOX_ITEMS_QUERY__WHICH__HELD_ITEMS, "Nothing is held.");
}

int inbox_retry(const struct args *args)
{
    uint64_t places[PLACES_MAX];
    Carehub__V1__DeadRetried retried = CAREHUB__V1__DEAD_RETRIED__INIT;
    for (size_t i = 1; i < args->n_values; i++) {
        int code = input_place(args->values[i], &places[i - 1]);
        if (code)
            return code;
    }
    retried.inbox = field(args_value(args, 0));
    retried.places = places;
    retried.n_places = args->n_values - 1;
    retried.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(DEAD_RETRIED, dead_retried, &retried);
    return submit_fact(args, &fact, "back in %s", retried.inbox);
}

static int settle(const struct args *args, bool release)
{
    Carehub__V1__HeldSettled settled = CAREHUB__V1__HELD_SETTLED__INIT;
    int code = input_place(args_value(args, 0), &settled.place);
    if (code)
        return code;
    settled.actor = field(args_value(args, 1));
    settled.release = release;
    settled.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(HELD_SETTLED, held_settled, &settled);
    return submit_fact(args, &fact, release ? "#%llu is decided again for %s" : "#%llu is ended: %s will not be told",
                       (unsigned long long)settled.place, settled.actor);
}

int inbox_release(const struct args *args)
{
    return settle(args, true);
}

int inbox_refuse(const struct args *args)
{
    return settle(args, false);
}
