/* carehub grant: access from outside the care team. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

static int run_list(const struct args *args)
{
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
                     .words = "case-management insurance referral emergency-access"},
                    {"until", "TIME", "when it ends: 2026-12-31, or +30d"},
                    {"from", "TIME", "when it starts; without it: now"},
                    {"up-to", "LEVEL", "the highest class it gives (as the policy says)",
                     .words = "administrative care clinical"},
                    {"purpose", "TEXT", "what for"},
                    {"justification", "TEXT", "why now; needed for emergency access"}},
        .detail = "Case management needs an end; emergency access a purpose and a justification, and lasts a "
                  "day at "
                  "most; insurance gives administrative data only.",
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
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .example = "carehub grant list P42",
        .run = run_list,
    },
    {0},
};
