/* carehub policy: who may know what. */
#include <stdlib.h>
#include <string.h>

#include "catalogue.h"
#include "facts.h"
#include "nouns.h"
#include "policy_diff.h"
#include "policy_file.h"

static int count_roles(const struct policy *policy)
{
    int n = 0;
    while (policy_role_name(policy, n))
        n++;
    return n;
}

static int run_check(const struct args *args)
{
    char *text;
    struct policy *policy;
    int code = policy_file_read(args_value(args, 0), &text, &policy);
    if (code)
        return code;
    if (args_flag(args, "json"))
        print_json_pairs("name", policy_name(policy), NULL);
    else
        printf("%s is sound: policy '%s', %d roles\n", args_value(args, 0), policy_name(policy), count_roles(policy));
    policy_destroy(&policy);
    free(text);
    return EXIT_OK;
}

static int run_apply(const struct args *args)
{
    char *text;
    struct policy *policy;
    int code = policy_file_read(args_value(args, 0), &text, &policy);
    if (code)
        return code;
    Carehub__V1__PolicyAdopted adopted = CAREHUB__V1__POLICY_ADOPTED__INIT;
    adopted.text = text;
    Carehub__V1__Fact fact = FACT(POLICY_ADOPTED, policy_adopted, &adopted);
    code = submit_fact(args, &fact, "policy '%s' is in force", policy_name(policy));
    policy_destroy(&policy);
    free(text);
    return code;
}

/* ---- What is in force ------------------------------------------------------------------------------------------- */

static int ask_place(struct session *session, uint64_t *place)
{
    Carehub__V1__StatusQuery status = CAREHUB__V1__STATUS_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
    query.status = &status;
    Carehub__V1__Answer *answer;
    int code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_STATUS, &answer);
    if (code == EXIT_OK)
        *place = answer->status->policy_place;
    answer_free(&answer);
    return code;
}

/* The text that the log's entry at that place adopted; belongs to the answer. NULL if it is another entry. */
static const char *adopted_text(const Carehub__V1__Answer *answer)
{
    const Carehub__V1__ExportAnswer *page = answer->export_log;
    const Carehub__V1__Entry *entry = page->n_entries ? page->entries[0] : NULL;
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_FACT || !entry->fact->fact ||
        entry->fact->fact->fact_case != CAREHUB__V1__FACT__FACT_POLICY_ADOPTED)
        return NULL;
    return entry->fact->fact->policy_adopted->text;
}

static int text_in_force(struct session *session, Carehub__V1__Answer **answer, const char **text)
{
    Carehub__V1__ExportQuery range = CAREHUB__V1__EXPORT_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    int code = ask_place(session, &range.from_place);
    if (code)
        return code;
    range.max = 1;
    query.query_case = CAREHUB__V1__QUERY__QUERY_EXPORT_LOG;
    query.export_log = &range;
    code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_EXPORT_LOG, answer);
    if (code)
        return code;
    *text = adopted_text(*answer);
    return *text ? EXIT_OK
                 : fail(EXIT_NO, NULL, "the log has no policy at #%llu", (unsigned long long)range.from_place);
}

static void print_role(const struct policy *policy, int role, struct style style)
{
    static const char *const headings[] = {"type", "level", "besides", NULL};
    struct table *table = table_new(headings);
    for (int type = 1; type <= EVENT_TYPE_MAX; type++) {
        const struct policy_cell *cell = policy_cell(policy, role, (Carehub__V1__EventType)type);
        table_cell(table, TONE_PLAIN, "%s", type_text((Carehub__V1__EventType)type));
        table_cell(table, cell->level ? TONE_GOOD : TONE_DIM, "%s", level_text(cell->level));
        table_cell(table, TONE_PLAIN, "%s%s%s", cell->by_relation ? "by relation " : "",
                   cell->restricted ? "restricted " : "", cell->personal ? "personal" : "");
    }
    table_print(table, stdout, style);
    table_destroy(&table);
}

static int show_role(const char *text, const char *role, struct style style)
{
    char error[POLICY_ERROR_BYTES];
    struct policy *policy = policy_read(text, strlen(text), error);
    if (!policy)
        return fail(EXIT_NO, "The hub is of another version than this tool.", "the policy in force: %s", error);
    int number = policy_role(policy, role), code = EXIT_OK;
    if (number == POLICY_ROLE_UNKNOWN)
        code = fail(EXIT_NO, "`carehub policy show` lists the roles.", "the policy has no role '%s'", role);
    else
        print_role(policy, number, style);
    policy_destroy(&policy);
    return code;
}

static int run_show(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    const char *text = NULL, *role = args_option(args, "role");
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = text_in_force(&session, &answer, &text);
    if (code == EXIT_OK && session.json)
        print_json(&answer->export_log->entries[0]->fact->fact->policy_adopted->base);
    else if (code == EXIT_OK && role)
        code = show_role(text, role, session.style);
    else if (code == EXIT_OK)
        fputs(text, stdout);
    answer_free(&answer);
    session_close(&session);
    return code;
}

const struct command policy_commands[] = {
    {
        .verb = "check",
        .summary = "check a policy file, without a hub",
        .arguments = {{"FILE", "the policy"}},
        .example = "carehub policy check access.policy",
        .run = run_check,
    },
    {
        .verb = "show",
        .summary = "show the policy in force",
        .options = {{"role", "ROLE", "as a table, what this role gets"}},
        .example = "carehub policy show --role pharmacist",
        .run = run_show,
    },
    {
        .verb = "diff",
        .summary = "what a new policy would change: a period's decisions taken again",
        .arguments = {{"NEW", "the policy, a file"}},
        .options = {{"since", "AGE", "how far back: 7d (if none is given), 24h…; begins at 0:00 UTC of that day"},
                    LANG_OPTION},
        .detail =
            "Decides each event of the period twice, as the state was then: under the policy in force, and as if the "
            "new one had been adopted right before the event. Lists who would have got more or less of which type of "
            "event, and of how many patients. Patients are counted in steps of 5, so that no number tells of a few; "
            "persons in care and informal carers are counted together. Events of persons without consent cannot be "
            "compared: nothing is known of them. What comes after an event's own decision (what was unread, late "
            "joiners, "
            "replays) is not compared.\n"
            "Exit status: 0 if nothing is different, 6 if something is; others as in carehub(1).",
        .example = "carehub policy diff access.policy --since 14d",
        .run = run_policy_diff,
    },
    {
        .verb = "apply",
        .summary = "check a policy file and put it in force",
        .arguments = {{"NEW", "the policy, a file"}},
        .detail = "It is in force from its place in the log on. What is queued is looked at again with it before it is "
                  "delivered. See what it changes first: carehub policy diff.",
        .example = "carehub policy apply access.policy",
        .run = run_apply,
    },
    {0},
};
