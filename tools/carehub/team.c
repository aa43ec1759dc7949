/* carehub team: care teams. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

#include <string.h>

enum { SCOPE_BYTES = 1024, SCOPE_TYPES_MAX = 64 };

static int run_list(const struct args *args)
{
    return show_patient(args, card_team);
}

/* "FallReported,TeamMessage". What is no type is for the hub to say; so are more than there can be. */
static size_t split_types(char *text, char *types[SCOPE_TYPES_MAX])
{
    size_t n = 0;
    char *rest = NULL;
    for (char *type = strtok_r(text, ", ", &rest); type && n < SCOPE_TYPES_MAX; type = strtok_r(NULL, ", ", &rest))
        types[n++] = type;
    return n;
}

static int run_add(const struct args *args)
{
    struct patient_input who;
    char scope[SCOPE_BYTES], *types[SCOPE_TYPES_MAX];
    Carehub__V1__MemberAdded added = CAREHUB__V1__MEMBER_ADDED__INIT;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &added.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "until"), &added.until_ms);
    if (code)
        return code;
    added.patient = &who.ref;
    added.actor = field(args_value(args, 1));
    added.role = field(args_option(args, "role"));
    added.proof = field(args_option(args, "proof"));
    added.max_level =
        (Carehub__V1__Level)input_enum(&carehub__v1__level__descriptor, "LEVEL_", args_option(args, "max-level"));
    snprintf(scope, sizeof scope, "%s", field(args_option(args, "types")));
    added.n_types = split_types(scope, types);
    added.types = types;
    added.basis = (Carehub__V1__RelationBasis)input_enum(&carehub__v1__relation_basis__descriptor, "",
                                                         args_option(args, "basis"));
    Carehub__V1__Fact fact = FACT(MEMBER_ADDED, member_added, &added);
    return submit_fact(args, &fact, "%s is a member of the care team as %s", added.actor, added.role);
}

static int run_remove(const struct args *args)
{
    struct patient_input who;
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__MemberEnded ended = CAREHUB__V1__MEMBER_ENDED__INIT;
    ended.patient = &who.ref;
    ended.actor = field(args_value(args, 1));
    ended.role = field(args_option(args, "role"));
    ended.reason = field(args_option(args, "reason"));
    ended.ended_by = field(args_option(args, "by"));
    Carehub__V1__Fact fact = FACT(MEMBER_ENDED, member_ended, &ended);
    return submit_fact(args, &fact, "%s is no longer a member%s%s", ended.actor, *ended.role ? " as " : "", ended.role);
}

const struct command team_commands[] = {
    {
        .verb = "list",
        .summary = "the members of a person's care team",
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .example = "carehub team list P42",
        .run = run_list,
    },
    {
        .verb = "add",
        .summary = "add a member to a care team",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .options = {{"role", "ROLE", "its role in this team, as the policy names it (`carehub policy show`)",
                     .required = true},
                    {"basis", "BASIS", "what the membership rests on", .required = true,
                     .words = "therapeutic-relation chosen-by-person added-by-coordinator"},
                    {"proof", "KIND", "the kind of proof: eid-read, dispensing, referral…"},
                    {"from", "TIME", "2026-12-31, or +30d; without it: now"},
                    {"until", "TIME", "when it ends by itself"},
                    {"max-level", "LEVEL", "the highest class it is told (as the policy says)",
                     .words = "administrative care clinical"},
                    {"types", "TYPES", "told of these types of event only: FallReported,TeamMessage"}},
        .detail = "The scope of a proxy is set by --max-level and --types. What a patient or an informal carer enters "
                  "through the hub is limited to the same types.",
        .example = "carehub team add P42 apotheek-peeters --role pharmacist --basis chosen-by-person",
        .run = run_add,
    },
    {
        .verb = "remove",
        .summary = "end a membership: from here on nothing more is delivered",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .options = {{"role", "ROLE", "in this role only"}, REASON_OPTION, {"by", "WHO", "who ended it"}},
        .example = "carehub team remove P42 apotheek-peeters --reason 'chose another pharmacy'",
        .run = run_remove,
    },
    {0},
};
