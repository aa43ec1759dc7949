/* forget_command.c - what carehub-adapter --forget says. */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "forget.h"

struct line {
    const char *name, *text;
    uint64_t count;
};

enum { LINES = 8, EXIT_WRONG_PATIENT = 2 };

static void lines_of(const struct forgotten *f, struct line lines[LINES])
{
    const struct line all[LINES] = {
        {"items", "events and facts that it made of messages", f->items},
        {"states", "states that its format remembers, such as medication schemes", f->states},
        {"sent", "events as they were sent out", f->sent},
        {"held", "held messages", f->held},
        {"subscriptionEvents", "events of subscriptions", f->subscription_events},
        {"spooled", "events in the spool, refused ones included", f->spooled},
        {"doneFiles", "files in done/ of its drop folders", f->done_files},
        {"failedFiles", "files in failed/ of its drop folders", f->failed_files},
    };
    for (int i = 0; i < LINES; i++)
        lines[i] = all[i];
}

static void print_json(const struct forgotten *f, const struct line lines[LINES], bool really)
{
    struct json_object *answer = json_object_new_object();
    json_object_object_add(answer, "forgotten", json_object_new_boolean(really));
    for (int i = 0; i < LINES; i++)
        json_object_object_add(answer, lines[i].name, json_object_new_int64((int64_t)lines[i].count));
    json_object_object_add(answer, "otherIdentifiers", json_object_new_int64((int64_t)f->other_identifiers));
    puts(json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(answer);
}

static void print_text(const struct forgotten *f, const struct line lines[LINES], bool really)
{
    uint64_t all = 0;
    for (int i = 0; i < LINES; i++)
        all += lines[i].count;
    if (all == 0)
        puts("This adapter keeps nothing of that person.");
    else
        puts(really ? "Forgotten, for good:" : "This adapter keeps of that person:");
    for (int i = 0; i < LINES; i++)
        if (lines[i].count > 0)
            printf("%8" PRIu64 "  %s%s\n", lines[i].count, lines[i].text,
                   i == LINES - 1 && really ? " (still there)" : "");
    if (f->other_identifiers > 0)
        printf("Looked for by the %zu other identifiers, too, that stand beside this one in events.\n",
               f->other_identifiers);
    if (f->failed_files > 0)
        puts("What is in failed/ may hold messages about others that somebody is to put right: look, and remove it "
             "yourself.");
    if (all > 0 && !really)
        puts("Nothing was changed. With --yes it goes for good.");
}

int forget_command(const struct host_config *config, const char *patient, bool really, bool json)
{
    struct forgotten forgotten;
    struct line lines[LINES];
    struct person person;
    char error[CAREHUB_ERROR_BYTES];
    const char *wrong = person_parse(patient, &person);
    if (wrong) {
        fprintf(stderr, "carehub-adapter: that is not an identifier of a person: %s\n", wrong);
        return EXIT_WRONG_PATIENT;
    }
    if (!forget_person(config, &person, !really, &forgotten, error)) {
        fprintf(stderr,
                "carehub-adapter: %s\n"
                "carehub-adapter: not all was looked through%s. The adapter must not run meanwhile: stop it (systemctl "
                "stop carehub-adapter@NAME), do this again, and start it; senders send again what comes meanwhile\n",
                error, really ? ", and what is to go may be there still" : "");
        return EXIT_FAILURE;
    }
    lines_of(&forgotten, lines);
    if (json)
        print_json(&forgotten, lines, really);
    else
        print_text(&forgotten, lines, really);
    return EXIT_SUCCESS;
}
