/* carehub erase: what goes for good. It takes two. */
#include <stdio.h>

#include "facts.h"
#include "keys_answer.h"
#include "nouns.h"

static int ask_for_it(const struct args *args)
{
    const char *patient = args_option(args, "patient"), *actor = args_option(args, "actor");
    struct patient_input who;
    int code = patient ? input_patient(patient, &who) : EXIT_OK;
    if (code)
        return code;
    if (!args_option(args, "reason"))
        return fail(EXIT_USAGE, "Give --reason: it is kept in the log until the erasure is done.",
                    "an erasure needs a reason");
    Carehub__V1__ErasureRequested asked = CAREHUB__V1__ERASURE_REQUESTED__INIT;
    asked.patient = patient ? &who.ref : NULL;
    asked.actor_name = field(actor);
    asked.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(ERASURE_REQUESTED, erasure_requested, &asked);
    struct session session = {0};
    Carehub__V1__Confirmation *confirmation = NULL;
    code = session_open(&session, args);
    if (code == EXIT_OK)
        code = session_submit(&session, &fact, &confirmation);
    if (confirmation && session.json)
        print_json(&confirmation->base);
    else if (confirmation)
        printf("It is asked for. Nothing is erased before an auditor, another client, confirms it within 30 days:\n"
               "  carehub erase --confirm %llu\n",
               (unsigned long long)confirmation->place);
    confirmation_free(&confirmation);
    session_close(&session);
    return code;
}

static int confirm(const struct args *args)
{
    Carehub__V1__ErasureConfirmed confirmed = CAREHUB__V1__ERASURE_CONFIRMED__INIT;
    int code = input_number(args_option(args, "confirm"), "--confirm", UINT64_MAX, &confirmed.request);
    if (code)
        return code;
    Carehub__V1__Fact fact = FACT(ERASURE_CONFIRMED, erasure_confirmed, &confirmed);
    return submit_fact(
        args, &fact,
        "It is confirmed: the hub knows nobody of that name any more. What is left in the log goes within "
        "a few minutes; `carehub erase --list` shows what is not done yet. What adapters keep of that person goes when "
        "each "
        "is told so, where it runs: `carehub adapter forget CONFIG --patient ssin:NUMBER`");
}

static void print_erasures(const Carehub__V1__KeysAnswer *keys)
{
    if (keys->n_erasures == 0)
        puts("No erasure waits, and none is under way.");
    for (size_t i = 0; i < keys->n_erasures; i++) {
        const Carehub__V1__KeysAnswer__Erasure *erasure = keys->erasures[i];
        char when[WHEN_CHARS], patient[32];
        snprintf(patient, sizeof patient, "P%llu", (unsigned long long)erasure->patient);
        printf("%llu  %s, asked for by %s on %s: ", (unsigned long long)erasure->request,
               erasure->actor[0] ? erasure->actor : patient, erasure->requested_by,
               when_text(erasure->requested_ms, when));
        if (erasure->confirmed_by[0])
            printf("confirmed by %s, %llu entries erased so far\n", erasure->confirmed_by,
                   (unsigned long long)erasure->entries);
        else
            puts("waits for an auditor");
    }
}

static int run_erase(const struct args *args)
{
    int ways = (args_option(args, "patient") != NULL) + (args_option(args, "actor") != NULL) +
               (args_option(args, "confirm") != NULL) + args_flag(args, "list");
    if (ways != 1)
        return fail(EXIT_USAGE, "Give one of --patient, --actor, --confirm and --list.", "what is to be erased?");
    if (args_flag(args, "list"))
        return show_keys(args, print_erasures);
    return args_option(args, "confirm") ? confirm(args) : ask_for_it(args);
}

const struct command erase_commands[] = {
    {
        .summary = "erase a person, or what names an actor, for good",
        .options = {{"patient", "PATIENT", "ask for this person: ssin:NUMBER, SYSTEM|VALUE, or the pseudonym P42"},
                    {"actor", "ACTOR", "ask for what names this actor, a natural person; the actor ends"},
                    {"reason", "TEXT", "why; it is kept in the log (no names of patients)"},
                    {"confirm", "NUMBER", "confirm what was asked for: by an auditor, who is another client"},
                    {"list", NULL, "what waits to be confirmed, and what is not done yet"}},
        .detail =
            "A registrar asks for it, an auditor confirms it. With that the person is unknown to the hub. Entries of "
            "the log keep their place, time and leaf, so that every proof of others stays valid; an entry says when "
            "it was done and by whom.\nReceivers of events are told, without content, that these are taken back, for "
            "the types that the policy names in its section `erasure`. What they do with their own records is for "
            "them to decide.\nAdapters keep something of those whose messages pass through them; they are told one "
            "by one, where they run: carehub adapter forget (carehub-adapter(1)).\nBackups still hold what was "
            "erased, and open with the keyring of their time. To end that too, in this order: (1) erase, until "
            "`carehub erase --list` says that none is under way; (2) carehub keys rotate-epoch, until `carehub keys "
            "list` no longer says that keys are being wrapped; (3) carehub backup, a new one, and a new copy of the "
            "keyring; (4) carehub keys destroy-epoch, for every older epoch; (5) destroy the older copies of the "
            "keyring, and the databases that restores have put aside (DATABASE.replaced-…). The older backups open "
            "no more. Until then whoever puts one back erases again, as `carehub restore` says.",
        .example = "carehub erase --patient P42 --reason 'asked for by the person'",
        .run = run_erase,
    },
    {0},
};
