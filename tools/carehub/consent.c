/* carehub consent: what a person has consented to. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

enum { PURPOSES_MAX = 16 };

static int run_show(const struct args *args)
{
    return show_patient(args, card_consents);
}

static int run_give(const struct args *args)
{
    static char continuity[] = "continuity-of-care";
    struct patient_input who;
    char *purposes[PURPOSES_MAX] = {continuity};
    Carehub__V1__ConsentGiven given = CAREHUB__V1__CONSENT_GIVEN__INIT;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "from"), &given.from_ms);
    if (code == EXIT_OK)
        code = input_time(args_option(args, "until"), &given.until_ms);
    if (code)
        return code;
    given.patient = &who.ref;
    given.n_purposes = args_all(args, "purpose", (const char **)purposes, PURPOSES_MAX);
    given.n_purposes += given.n_purposes == 0;
    given.purposes = purposes;
    given.classes =
        (Carehub__V1__Level)input_enum(&carehub__v1__level__descriptor, "LEVEL_", args_option(args, "up-to"));
    given.given_by = field(args_option(args, "by"));
    Carehub__V1__Fact fact = FACT(CONSENT_GIVEN, consent_given, &given);
    return submit_fact(args, &fact, "the consent is in force");
}

static int run_withdraw(const struct args *args)
{
    struct patient_input who;
    char *purposes[PURPOSES_MAX];
    int code = input_patient(args_value(args, 0), &who);
    if (code)
        return code;
    Carehub__V1__ConsentWithdrawn withdrawn = CAREHUB__V1__CONSENT_WITHDRAWN__INIT;
    withdrawn.patient = &who.ref;
    withdrawn.n_purposes = args_all(args, "purpose", (const char **)purposes, PURPOSES_MAX);
    withdrawn.purposes = purposes;
    withdrawn.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(CONSENT_WITHDRAWN, consent_withdrawn, &withdrawn);
    return submit_fact(args, &fact, "the consent is withdrawn: nothing more is delivered on it");
}

const struct command consent_commands[] = {
    {
        .verb = "show",
        .summary = "the consents of a person that are in force",
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .example = "carehub consent show P42",
        .run = run_show,
    },
    {
        .verb = "give",
        .summary = "record that a person consents",
        .arguments = {PATIENT_ARGUMENT},
        .options = {{"by", "WHO", "who gave it: person, representative…", .required = true},
                    {"purpose", "PURPOSE", "continuity-of-care (if none is given), quality, research…; several",
                     .repeats = true},
                    {"up-to", "LEVEL", "the highest class that it covers (clinical)",
                     .words = "administrative care clinical"},
                    {"from", "TIME", "2026-12-31, or +30d; without it: now"},
                    {"until", "TIME", "when it ends by itself"}},
        .example = "carehub consent give P42 --by person",
        .run = run_give,
    },
    {
        .verb = "withdraw",
        .summary = "record that a person withdraws a consent",
        .arguments = {PATIENT_ARGUMENT},
        .options = {{"purpose", "PURPOSE", "for this purpose only; several; without it: all", .repeats = true},
                    REASON_OPTION},
        .detail = "It holds from its place in the log on, for what is queued too. The answer says how many "
                  "deliveries "
                  "were already sent and are not yet acknowledged.",
        .example = "carehub consent withdraw P42 --purpose research",
        .run = run_withdraw,
    },
    {0},
};
