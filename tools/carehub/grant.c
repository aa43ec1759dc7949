/* carehub grant: access from outside the care team. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

static int ask_emergency(struct session *session, Carehub__V1__EmergencyQuery *ask, Carehub__V1__Answer **answer)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_EMERGENCY;
    query.emergency = ask;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_EMERGENCY, answer);
}

static int list_emergency(const struct args *args)
{
    struct patient_input who;
    struct session session = {0};
    const char *patient = args_value(args, 0);
    Carehub__V1__EmergencyQuery ask = CAREHUB__V1__EMERGENCY_QUERY__INIT;
    int code = patient ? input_patient(patient, &who) : EXIT_OK;
    if (code == EXIT_OK)
        code = input_moment(args_option(args, "since"), &ask.since_ms);
    if (code)
        return code;
    ask.patient = patient ? &who.ref : NULL;
    code = session_open(&session, args);
    struct table *table = session.json || code ? NULL : emergency_table(session.style);
    while (code == EXIT_OK) {
        Carehub__V1__Answer *answer;
        code = ask_emergency(&session, &ask, &answer);
        if (code)
            break;
        for (size_t i = 0; i < answer->emergency->n_accesses; i++)
            if (session.json)
                print_json(&answer->emergency->accesses[i]->base);
            else
                emergency_row(table, answer->emergency->accesses[i], session.style);
        ask.after_place = answer->emergency->next;
        answer_free(&answer);
        if (!ask.after_place)
            break;
    }
    if (code == EXIT_OK && table)
        emergency_print(table, stdout, session.style);
    table_destroy(&table);
    session_close(&session);
    return code;
}

static int run_list(const struct args *args)
{
    if (args_flag(args, "emergency"))
        return args_option(args, "at")
                   ? fail(EXIT_USAGE, "Use --since TIME.", "--emergency has no --at: it lists past ones too")
                   : list_emergency(args);
    if (!args_value(args, 0))
        return fail(EXIT_USAGE, "Name the patient; or give --emergency, for the emergency accesses of all.",
                    "whose grants?");
    if (args_option(args, "since"))
        return fail(EXIT_USAGE, "Give --emergency as well, or --at WHEN.", "--since is for emergency accesses");
    return show_patient(args, card_grants);
}

static int run_give(const struct args *args)
{
    struct patient_input who;
    Carehub__V1__GrantGiven given = CAREHUB__V1__GRANT_GIVEN__INIT;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &given.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "until"), &given.until_ms);
    if (code)
        return code;
    given.patient = &who.ref;
    given.actor = field(args_value(args, 1));
    given.role = field(args_option(args, "role"));
    given.kind =
        (Carehub__V1__GrantKind)input_enum(&carehub__v1__grant_kind__descriptor, "", args_option(args, "kind"));
    given.max_level =
        (Carehub__V1__Level)input_enum(&carehub__v1__level__descriptor, "LEVEL_", args_option(args, "up-to"));
    given.purpose = field(args_option(args, "purpose"));
    given.justification = field(args_option(args, "justification"));
    Carehub__V1__Fact fact = FACT(GRANT_GIVEN, grant_given, &given);
    return submit_fact(args, &fact, "%s has access as %s", given.actor, given.role);
}

static int run_end(const struct args *args)
{
    struct patient_input who;
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__GrantEnded ended = CAREHUB__V1__GRANT_ENDED__INIT;
    ended.patient = &who.ref;
    ended.actor = field(args_value(args, 1));
    ended.role = field(args_option(args, "role"));
    ended.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(GRANT_ENDED, grant_ended, &ended);
    return submit_fact(args, &fact, "the grant to %s is ended", ended.actor);
}

const struct command grant_commands[] = {
    {
        .verb = "give",
        .summary = "give an actor outside the team access, for a time and a purpose",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .options = {{"role", "ROLE", "the role it acts in, as the policy names it", .required = true},
                    {"kind", "KIND", "what kind of grant", .required = true,
                     .words = "case-management insurance referral emergency-access secondary-use"},
                    {"until", "TIME", "when it ends: 2026-12-31, or +30d"},
                    {"from", "TIME", "when it starts; without it: now"},
                    {"up-to", "LEVEL", "the highest class it gives (as the policy says)",
                     .words = "administrative care clinical"},
                    {"purpose", "TEXT", "what for; of secondary use: the purpose of the consent (quality, research…)"},
                    {"justification", "TEXT", "why now; needed for emergency access"}},
        .detail =
            "Case management needs an end; emergency access a purpose and a justification, and lasts a "
            "day at "
            "most; insurance gives administrative data only. Secondary use needs an end, a level and a purpose, and "
            "the patient's consent for that purpose.",
        .example = "carehub grant give P42 ziekenfonds-demo --role insurer --kind insurance --until +365d",
        .run = run_give,
    },
    {
        .verb = "end",
        .summary = "end a grant",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .options = {{"role", "ROLE", "the role of the grant, where there are several"}, REASON_OPTION},
        .example = "carehub grant end P42 ziekenfonds-demo",
        .run = run_end,
    },
    {
        .verb = "list",
        .summary = "who has access to a person's events from outside the care team",
        .arguments = {{"PATIENT", "ssin:NUMBER, SYSTEM|VALUE, or the pseudonym P42", .optional = true}},
        .options = {AT_OPTION,
                    {"emergency", NULL, "emergency accesses instead, past ones too; without PATIENT: of all"},
                    {"since", "TIME", "those given since then: 2026-12-31, 2026-12-31T18:00, or 7d ago"},
                    LANG_OPTION},
        .detail = "Emergency accesses are listed separately: who had access to whose data, from when until when, and "
                  "what for. The justification is shown to auditors alone.",
        .example = "carehub grant list --emergency --since 30d",
        .run = run_list,
    },
    {0},
};
