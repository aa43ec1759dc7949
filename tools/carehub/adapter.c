/* carehub adapter: tries formats and checks configurations of adapters. carehub-adapter does it; this finds it and
 * becomes it, so that there is one implementation. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "nouns.h"
#include "term.h"

#ifndef CAREHUB_SBIN_DIR
#define CAREHUB_SBIN_DIR "/usr/local/sbin"
#endif

static char program[] = "carehub-adapter";

/* Beside this program, where it is installed with it, or in the build tree; then wherever the shell would find it.
 * Returns only when there is none that runs. */
static int become(char *const argv[])
{
    static const char *const places[] = {"", "/../sbin", "/../../adapters/host"}; /* from our own directory */
    char own[PATH_MAX], path[2 * PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", own, sizeof own - 1);
    fflush(NULL);
    own[len > 0 ? len : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash) {
        *slash = '\0';
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            snprintf(path, sizeof path, "%s%s/%s", own, places[i], program);
            execv(path, argv);
        }
    }
    execv(CAREHUB_SBIN_DIR "/carehub-adapter", argv);
    execvp(program, argv);
    return fail(EXIT_NO, "It is installed with the hub's adapters; see that it is in your PATH.",
                "carehub-adapter cannot be started: %s", strerror(errno));
}

static int run_test(const struct args *args)
{
    static char plugin[] = "--plugin", config[] = "--config", test[] = "--test", end[] = "--";
    static char *argv[ARGS_VALUES_MAX + 8];
    const char *settings = args_option(args, "settings");
    size_t n = 0;
    argv[n++] = program;
    argv[n++] = plugin;
    argv[n++] = (char *)args_value(args, 0);
    if (settings) {
        argv[n++] = config;
        argv[n++] = (char *)settings;
    }
    argv[n++] = test;
    argv[n++] = end;
    for (size_t i = 1; i < args->n_values; i++)
        argv[n++] = (char *)args->values[i];
    argv[n] = NULL;
    return become(argv);
}

static int run_check(const struct args *args)
{
    static char config[] = "--config", check[] = "--check", json[] = "--json";
    char *const argv[] = {program, config, (char *)args_value(args, 0), check, args_flag(args, "json") ? json : NULL,
                          NULL};
    return become(argv);
}

static int run_forget(const struct args *args)
{
    static char config[] = "--config", forget[] = "--forget", yes[] = "--yes", json[] = "--json";
    char *argv[] = {program, config, (char *)args_value(args, 0), forget, (char *)args_option(args, "patient"), NULL,
                    NULL,    NULL};
    size_t n = 5;
    if (args_flag(args, "yes"))
        argv[n++] = yes;
    if (args_flag(args, "json"))
        argv[n] = json;
    return become(argv);
}

static int run_plugins(const struct args *args)
{
    static char list[] = "--list-plugins", json[] = "--json";
    char *const argv[] = {program, list, args_flag(args, "json") ? json : NULL, NULL};
    return become(argv);
}

const struct command adapter_commands[] = {
    {
        .verb = "test",
        .summary = "run a format on files, and show the events",
        .arguments = {{"PLUGIN", "the format: a name (hospital), or a file with a slash in it (./falls_csv.so)"},
                      {"FILE", "messages, as the format knows them", .repeats = true}},
        .options = {{"settings", "CONFIG",
                     "an adapter's configuration, for formats that need settings: its section 'format' is read"}},
        .detail =
            "Neither hub nor network is needed, and nothing is kept. Events come on standard output, one in each "
            "line, as JSON. Standard error has what became of the other messages (the file, the message, where in "
            "it, what is wrong, and which rule says so), and a table of all.\n"
            "The files are one sender's, in their order: a correction finds its original in an earlier one.\n"
            "The exit status is 0 if all messages were taken, 1 if one was refused or a file cannot be read, 2 if the "
            "format cannot be used.",
        .example = "carehub adapter test hospital --settings /etc/carehub/adapters/hospital.conf discharge.hl7",
        .run = run_test,
    },
    {
        .verb = "check",
        .summary = "check an adapter's configuration",
        .arguments = {{"CONFIG", "the configuration that carehub-adapter is started with"}},
        .detail = "Reads all of it as the adapter would, certificates and the client's key included, and says what is "
                  "wrong: run it as the user that the adapter runs as. Nothing is started, and the hub is not asked: "
                  "whether it allows the adapter what it does shows when it runs.\n"
                  "The exit status is 0 if it is in order, 2 if not.",
        .example = "carehub adapter check /etc/carehub/adapters/hospital.conf",
        .run = run_check,
    },
    {
        .verb = "forget",
        .summary = "have an adapter that does not run forget a person",
        .arguments = {{"CONFIG", "the configuration that carehub-adapter is started with"}},
        .options = {{"patient", "PATIENT", "who: ssin:NUMBER, or SYSTEM|VALUE", .required = true},
                    {"yes", NULL, "do it; without this it is only counted"}},
        .detail =
            "An erasure at the hub does not reach what adapters keep: what they made of which messages, medication "
            "schemes and other states of formats, messages that are held, events as they were sent out, events of "
            "subscriptions, and what waits in the spool or was refused. This takes it out of all of them, by the "
            "number, and by others that stand beside it in events; the files are written anew, so that nothing of it "
            "stays in them. Files in done/ of drop folders that have the number go too; those in failed/ are only "
            "counted.\n"
            "Stop the adapter first, and run this as the user that it runs as. Senders send again what comes "
            "meanwhile. "
            "What comes later of that person begins anew: it is not recognised as the repeat or correction of what was "
            "forgotten.\n"
            "Not reached: backups of the adapter's folders, files in the drop folder itself and in folders that "
            "receivers take from, and what receivers keep.\n"
            "The exit status is 0 if it was done or counted, 1 if not all could be looked through, 2 if the patient or "
            "the configuration is wrong.",
        .example = "carehub adapter forget /etc/carehub/adapters/pharmacy.conf --patient ssin:85073003328",
        .run = run_forget,
    },
    {
        .verb = "plugins",
        .summary = "list the formats that are there",
        .example = "carehub adapter plugins",
        .run = run_plugins,
    },
    {0},
};
