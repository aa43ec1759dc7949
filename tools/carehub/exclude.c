/* carehub exclude: actors that a person shuts out. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

static int run_list(const struct args *args)
{
    return show_patient(args, card_excluded);
}

static int run_add(const struct args *args)
{
    struct patient_input who;
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__ExclusionSet set = CAREHUB__V1__EXCLUSION_SET__INIT;
    set.patient = &who.ref;
    set.actor = field(args_value(args, 1));
    Carehub__V1__Fact fact = FACT(EXCLUSION_SET, exclusion_set, &set);
    return submit_fact(args, &fact, "%s is shut out", set.actor);
}

static int run_lift(const struct args *args)
{
    struct patient_input who;
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__ExclusionLifted lifted = CAREHUB__V1__EXCLUSION_LIFTED__INIT;
    lifted.patient = &who.ref;
    lifted.actor = field(args_value(args, 1));
    Carehub__V1__Fact fact = FACT(EXCLUSION_LIFTED, exclusion_lifted, &lifted);
    return submit_fact(args, &fact, "%s is no longer shut out", lifted.actor);
}

const struct command exclude_commands[] = {
    {
        .verb = "add",
        .summary = "shut an actor out: it is told of nothing about this person",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .example = "carehub exclude add P42 apotheek-peeters",
        .run = run_add,
    },
    {
        .verb = "lift",
        .summary = "lift an exclusion",
        .arguments = {PATIENT_ARGUMENT, ACTOR_ARGUMENT},
        .example = "carehub exclude lift P42 apotheek-peeters",
        .run = run_lift,
    },
    {
        .verb = "list",
        .summary = "whom a person has shut out",
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .example = "carehub exclude list P42",
        .run = run_list,
    },
    {0},
};
