/* carehub patient: persons in care, and their identifiers. */
#include "card.h"
#include "facts.h"
#include "nouns.h"

enum { IDENTIFIERS_GIVEN_MAX = 16 };

static int run_add(const struct args *args)
{
    struct patient_input inputs[IDENTIFIERS_GIVEN_MAX];
    Carehub__V1__Identifier *identifiers[IDENTIFIERS_GIVEN_MAX];
    Carehub__V1__PatientRegistered registered = CAREHUB__V1__PATIENT_REGISTERED__INIT;
    if (args->n_values > IDENTIFIERS_GIVEN_MAX)
        return fail(EXIT_USAGE, NULL, "a person has at most %d identifiers", IDENTIFIERS_GIVEN_MAX);
    for (size_t i = 0; i < args->n_values; i++) {
        int code = input_identifier(args->values[i], &inputs[i]);
        if (code)
            return code;
        identifiers[i] = &inputs[i].identifier;
    }
    registered.n_identifiers = args->n_values;
    registered.identifiers = identifiers;
    Carehub__V1__Fact fact = FACT(PATIENT_REGISTERED, patient_registered, &registered);
    struct session session = {0};
    Carehub__V1__Confirmation *confirmation = NULL;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = session_submit(&session, &fact, &confirmation);
    if (code == EXIT_OK && session.json)
        print_json(&confirmation->base);
    else if (code == EXIT_OK)
        printf("P%llu is registered (#%llu)\n", (unsigned long long)confirmation->number,
               (unsigned long long)confirmation->place);
    confirmation_free(&confirmation);
    session_close(&session);
    return code;
}

static int run_show(const struct args *args)
{
    return show_patient(args, card_all);
}

static int run_identifier_add(const struct args *args)
{
    struct patient_input who, added;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_identifier(args_value(args, 1), &added);
    if (code)
        return code;
    Carehub__V1__IdentifierAdded body = CAREHUB__V1__IDENTIFIER_ADDED__INIT;
    body.patient = &who.ref;
    body.identifier = &added.identifier;
    Carehub__V1__Fact fact = FACT(IDENTIFIER_ADDED, identifier_added, &body);
    return submit_fact(args, &fact, "that person has one identifier more");
}

static int run_identifier_remove(const struct args *args)
{
    struct patient_input who, removed;
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_identifier(args_value(args, 1), &removed);
    if (code)
        return code;
    Carehub__V1__IdentifierRemoved body = CAREHUB__V1__IDENTIFIER_REMOVED__INIT;
    body.patient = &who.ref;
    body.identifier = &removed.identifier;
    Carehub__V1__Fact fact = FACT(IDENTIFIER_REMOVED, identifier_removed, &body);
    return submit_fact(args, &fact, "that identifier no longer names the person");
}

static int read_pair(const struct args *args, struct patient_input *patient, struct patient_input *merged)
{
    int code = input_patient(args_value(args, 0), patient);
    return code ? code : input_patient(args_value(args, 1), merged);
}

static int run_merge(const struct args *args)
{
    struct patient_input who, merged;
    int code = read_pair(args, &who, &merged);
    if (code)
        return code;
    Carehub__V1__PatientsMerged body = CAREHUB__V1__PATIENTS_MERGED__INIT;
    body.patient = &who.ref;
    body.merged = &merged.ref;
    Carehub__V1__Fact fact = FACT(PATIENTS_MERGED, patients_merged, &body);
    return submit_fact(args, &fact, "the two are one person: the first one's team and consent decide for both");
}

static int run_separate(const struct args *args)
{
    struct patient_input who, merged;
    int code = read_pair(args, &who, &merged);
    if (code)
        return code;
    Carehub__V1__PatientsSeparated body = CAREHUB__V1__PATIENTS_SEPARATED__INIT;
    body.patient = &who.ref;
    body.merged = &merged.ref;
    Carehub__V1__Fact fact = FACT(PATIENTS_SEPARATED, patients_separated, &body);
    return submit_fact(args, &fact, "the two are two persons again, each with its own team and consent");
}

static int run_deceased(const struct args *args)
{
    struct patient_input who;
    Carehub__V1__Time at = CAREHUB__V1__TIME__INIT;
    const char *date = args_option(args, "on");
    bool mistaken = args_flag(args, "mistaken");
    if (!date == !mistaken)
        return fail(EXIT_USAGE, NULL, "give the date of death with --on DATE, or --mistaken to take a record back");
    int code = input_patient(args_value(args, 0), &who);
    if (code == EXIT_OK)
        code = input_time(date, &at.unix_ms);
    if (code)
        return code;
    at.precision = CAREHUB__V1__PRECISION__PRECISION_DAY;
    Carehub__V1__DeathRecorded body = CAREHUB__V1__DEATH_RECORDED__INIT;
    body.patient = &who.ref;
    body.at = mistaken ? NULL : &at;
    body.mistaken = mistaken;
    Carehub__V1__Fact fact = FACT(DEATH_RECORDED, death_recorded, &body);
    return submit_fact(args, &fact,
                       mistaken ? "the record of death is taken back" : "the death is recorded: routine events stop");
}

const struct command patient_commands[] = {
    {
        .verb = "add",
        .summary = "register a person",
        .arguments = {{"IDENTIFIER", "ssin:NUMBER or SYSTEM|VALUE; several may name one person", .repeats = true}},
        .detail = "Answers with the pseudonym by which the hub shows the person.",
        .example = "carehub patient add ssin:85073003328 'urn:az-demo:patient|100482'",
        .run = run_add,
    },
    {
        .verb = "show",
        .summary = "consents, care team, grants and exclusions of a person",
        .arguments = {PATIENT_ARGUMENT},
        .options = {AT_OPTION, LANG_OPTION},
        .detail = "Looking a person up by an identifier takes an auditor or registrar, and is recorded.",
        .example = "carehub patient show P42",
        .run = run_show,
    },
    {
        .verb = "identifier add",
        .summary = "give a person one identifier more",
        .arguments = {PATIENT_ARGUMENT, {"IDENTIFIER", "ssin:NUMBER or SYSTEM|VALUE"}},
        .example = "carehub patient identifier add P42 'urn:az-demo:patient|100482'",
        .run = run_identifier_add,
    },
    {
        .verb = "identifier remove",
        .summary = "take an identifier away from a person",
        .arguments = {PATIENT_ARGUMENT, {"IDENTIFIER", "ssin:NUMBER or SYSTEM|VALUE"}},
        .example = "carehub patient identifier remove P42 'urn:az-demo:patient|100482'",
        .run = run_identifier_remove,
    },
    {
        .verb = "merge",
        .summary = "two records are one person's",
        .arguments = {PATIENT_ARGUMENT, {"MERGED", "the other one: an identifier, or P and its number"}},
        .detail =
            "From here on the first one's care team and consent decide for whatever comes or is queued for either; "
            "the other one's team is told nothing more unless it is also in the first one's. The exclusions of "
            "both hold. Look at both first (carehub patient show); `carehub patient separate` takes it back.",
        .example = "carehub patient merge ssin:85073003328 'urn:az-demo:patient|100482'",
        .run = run_merge,
    },
    {
        .verb = "separate",
        .summary = "take a merging back",
        .arguments = {PATIENT_ARGUMENT,
                      {"MERGED", "the one that was merged: an identifier it had, or P and its number"}},
        .detail = "Each has its own care team, consent and exclusions again. What was decided meanwhile stays decided.",
        .example = "carehub patient separate P42 P57",
        .run = run_separate,
    },
    {
        .verb = "deceased",
        .summary = "record a death, or take a mistaken record back",
        .arguments = {PATIENT_ARGUMENT},
        .options = {{"on", "DATE", "the date of death"}, {"mistaken", NULL, "the record was a mistake"}},
        .example = "carehub patient deceased P42 --on 2026-03-01",
        .run = run_deceased,
    },
    {0},
};
