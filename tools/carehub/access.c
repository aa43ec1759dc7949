/* carehub access: what a person lets an actor or a role know, beside what the policy says. */
#include <string.h>

#include "card.h"
#include "facts.h"
#include "nouns.h"

static int run_list(const struct args *args)
{
    return show_patient(args, card_settings);
}

static int set(const struct args *args, bool relaxes)
{
    struct patient_input who;
    Carehub__V1__AccessSet body = CAREHUB__V1__ACCESS_SET__INIT;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &body.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "until"), &body.until_ms);
    if (code)
        return code;
    const char *level = args_option(args, "to");
    body.patient = &who.ref;
    body.name = field(args_value(args, 1));
    body.actor_name = field(args_option(args, "actor"));
    body.role = field(args_option(args, "role"));
    body.type = field(args_option(args, "type"));
    body.relaxes = relaxes;
    if (strcmp(level, "nothing") != 0)
        body.level = (Carehub__V1__Level)input_enum(&carehub__v1__level__descriptor, "LEVEL_", level);
    Carehub__V1__Fact fact = FACT(ACCESS_SET, access_set, &body);
    return submit_fact(args, &fact, "the setting is in force, for what is queued too");
}

static int run_restrict(const struct args *args)
{
    return set(args, false);
}

static int run_relax(const struct args *args)
{
    return set(args, true);
}

static int run_lift(const struct args *args)
{
    struct patient_input who;
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__AccessLifted lifted = CAREHUB__V1__ACCESS_LIFTED__INIT;
    lifted.patient = &who.ref;
    lifted.name = field(args_value(args, 1));
    Carehub__V1__Fact fact = FACT(ACCESS_LIFTED, access_lifted, &lifted);
    return submit_fact(args, &fact, "the setting is gone; what a restriction stopped stays stopped");
}

#define SETTING_OPTIONS                                                                                                \
    {"actor", "ACTOR", "for this actor (any)"}, {"role", "ROLE", "for this role (any)"},                               \
        {"type", "TYPE", "for this type of event (any)"}, {"from", "TIME", "2026-12-31, or +30d; without it: now"},    \
    {                                                                                                                  \
        "until", "TIME", "when it ends by itself"                                                                      \
    }
#define NAME_ARGUMENT                                                                                                  \
    {                                                                                                                  \
        "NAME", "the setting's own, such as no-medication-for-carer; one of that name is replaced"                     \
    }

const struct command access_commands[] = {
    {
        .verb = "restrict",
        .summary = "let an actor or a role know less than the policy says",
        .arguments = {PATIENT_ARGUMENT, NAME_ARGUMENT},
        .options = {{"to", "LEVEL", "at most this", .required = true, .words = "nothing administrative care clinical"},
                    SETTING_OPTIONS},
        .detail =
            "A restriction beats every relaxation. It holds from its place in the log on, for what is queued too.",
        .example =
            "carehub access restrict P42 no-falls-for-carer --role informal-carer --type FallReported --to nothing",
        .run = run_restrict,
    },
    {
        .verb = "relax",
        .summary = "let an actor or a role know more than the policy says",
        .arguments = {PATIENT_ARGUMENT, NAME_ARGUMENT},
        .options = {{"to", "LEVEL", "up to this", .required = true, .words = "administrative care clinical"},
                    SETTING_OPTIONS},
        .detail =
            "It gives nothing to who is not in the care team and has no grant, and nothing that the consent does not "
            "cover.",
        .example = "carehub access relax P42 daughter-sees-medication --actor mantelzorger-an --type MedicationChanged "
                   "--to clinical",
        .run = run_relax,
    },
    {
        .verb = "lift",
        .summary = "take a restriction or relaxation away",
        .arguments = {PATIENT_ARGUMENT, {"NAME", "the setting's"}},
        .detail = "What a restriction has stopped stays stopped.",
        .example = "carehub access lift P42 no-falls-for-carer",
        .run = run_lift,
    },
    {
        .verb = "list",
        .summary = "a person's restrictions and relaxations",
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .example = "carehub access list P42",
        .run = run_list,
    },
    {0},
};
