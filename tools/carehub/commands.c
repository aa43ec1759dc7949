#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "nouns.h"

const struct option common_options[] = {
    {"config", "FILE", "where the hub is and which key to use (see FILES in carehub(1))"},
    {"json", NULL, "answer as JSON: one document, or one line for each item"},
    {"timeout", "SECONDS", "how long to wait for the hub (10)"},
    {"help", NULL, "show this"},
    {0},
};

const struct noun nouns[] = {
    {"init", "make the files that a new hub needs", "Run it once, as the user that the hub runs as.", init_commands},
    {"keygen", "make a key pair", "A key pair is a client's identity: its hub knows it by the public half.",
     keygen_commands},
    {"status", "how the hub is doing", "Shows what an operator looks at first.", status_commands},
    {"tail", "decisions, live", "Shows each decision as it is taken, until Ctrl-C.", tail_commands},
    {"trace", "the whole way of one event",
     "Shows who was told, who was not and why, and what became of each delivery.", trace_commands},
    {"explain", "why an actor was told of an event, or was not",
     "Works for any actor, also for one that never was a candidate.", explain_commands},
    {"open", "open an event's content", "For auditors. It leaves an entry in the log that names you and the event.",
     open_commands},
    {"verify", "a professional stands for what a patient or a carer entered",
     "What patients and informal carers enter is unverified until a professional who received it verifies it.",
     verify_commands},
    {"publish", "send events", "Reads events in the JSON form of their protobuf messages.", publish_commands},
    {"subscribe", "receive what is in an inbox", "Attaches to an inbox and prints what comes.", subscribe_commands},
    {"inbox", "inboxes, and what waits, is held or is dead in them",
     "An inbox is the durable queue of one actor. What is dead was refused for good or too often; what is "
     "held "
     "cannot be decided for now and has a deadline.",
     inbox_commands},
    {"replay", "deliver what is in the log once more",
     "For a receiver that lost what it had, or came too late. By person, actor, type of event and period.",
     replay_commands},
    {"actor", "persons and organisations in care",
     "Actors belong to care teams, and have inboxes. Software that speaks for them is a client.", actor_commands},
    {"client", "software that may connect, and its keys",
     "A client publishes and receives for the actors listed for it. It is known by its key; two keys may be "
     "valid at a "
     "time, so that one can be replaced without a pause.",
     client_commands},
    {"patient", "persons in care, and their identifiers",
     "A patient is named by an identifier (ssin:85073003328, or SYSTEM|VALUE) or by the hub's pseudonym "
     "(P42), and "
     "always shown as the pseudonym.",
     patient_commands},
    {"team", "care teams", "Members of a person's care team are told of events, as far as policy and consent go.",
     team_commands},
    {"consent", "what a person has consented to",
     "Without consent for continuity of care nothing of a person is kept, except what the policy gives to a "
     "care "
     "relation alone.",
     consent_commands},
    {"exclude", "actors that a person shuts out", "An exclusion beats everything else.", exclude_commands},
    {"access", "what a person lets others know, beside the policy",
     "Restrictions and relaxations by actor, role and type of event. An exclusion beats them all.", access_commands},
    {"grant", "access from outside the care team", "Grants have an end, and a purpose.", grant_commands},
    {"erase", "erase a person, or what names an actor, for good",
     "It takes two: a registrar asks for it, an auditor confirms it.", erase_commands},
    {"keys", "the keys that seal what is stored",
     "The master key seals the keyring; epochs' keys in it wrap a key for each person. No key ever leaves the hub's "
     "machine.",
     keys_commands},
    {"policy", "who may know what: the access matrix",
     "The policy is a file: it says which role gets which part of which type of event. It is in force from "
     "the place "
     "in the log at which it was applied.",
     policy_commands},
    {"log", "the log of all entries", "Every fact and every decision is an entry; entries are never changed.",
     log_commands},
    {"audit", "what the log proves, and what it says of a person",
     "The log is made so that nobody has to take its operator's word for what is in it.", audit_commands},
    {"backup", "write a backup of the hub to a file",
     "A backup is a copy of the database, sealed. It opens only with the hub's keyring and its master key, which are "
     "not "
     "in it.\nThe drill, to be tried before it is needed: stop carehubd; `carehub restore FILE --hub-config CONFIG`; "
     "start carehubd; `carehub status`. On another machine: install carehubd, put its configuration, the master key "
     "and "
     "the keyring (the database's name with .keyring) in their places first. What was published after the backup is "
     "not "
     "in it: publishers that kept it send it again, and the hub takes each event once.",
     backup_commands},
    {"restore", "put a backup back",
     "Verifies a backup before it replaces anything. The drill is described in carehub-backup(1).", restore_commands},
    {"registry", "load many facts at once", "Reads registry facts in the JSON form of their protobuf messages.",
     registry_commands},
    {"adapter", "formats and configurations of adapters, tried without a hub",
     "An adapter pairs existing software with the hub: see carehub-adapter(8), and carehub-formats(7) for how to write "
     "a "
     "format.",
     adapter_commands},
    {0},
};

const struct noun *noun_find(const char *name)
{
    for (const struct noun *n = nouns; n->name; n++)
        if (strcmp(n->name, name) == 0)
            return n;
    return NULL;
}

__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list list;
    va_start(list, format);
    vsnprintf(text + used, size - used, format, list);
    va_end(list);
}

void command_synopsis(const struct noun *noun, const struct command *command, char *text, size_t size)
{
    bool more = false;
    text[0] = '\0';
    append(text, size, "carehub %s", noun->name);
    if (command->verb)
        append(text, size, " %s", command->verb);
    for (const struct argument *a = command->arguments; a->name; a++)
        append(text, size, a->optional ? " [%s%s]" : " %s%s", a->name, a->repeats ? "..." : "");
    for (const struct option *o = command->options; o->name; o++) {
        if (o->required)
            append(text, size, " --%s %s", o->name, o->value);
        else
            more = true;
    }
    if (more)
        append(text, size, " [OPTIONS]");
}
