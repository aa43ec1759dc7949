#include "forget.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal.h"
#include "settings.h"
#include "subscription_store.h"

static bool complain(char error[CAREHUB_ERROR_BYTES], const char *text)
{
    snprintf(error, CAREHUB_ERROR_BYTES, "%s", text);
    return false;
}

/* Files are made anew: they are to be the adapter's user's. */
static bool is_ours(const struct host_config *config, char error[CAREHUB_ERROR_BYTES])
{
    char path[PATH_MAX];
    struct stat st;
    snprintf(path, sizeof path, "%s/journal.db", config->state_dir);
    if (stat(path, &st) != 0)
        return settings_complain(error, path, "%s; no adapter has run on this state-dir yet", strerror(errno));
    return st.st_uid == geteuid() ||
           settings_complain(error, path,
                             "belongs to another user (number %u); do this as the user that the adapter "
                             "runs as, such as runuser -u carehub-adapter -- …",
                             (unsigned)st.st_uid);
}

/* ---- Where it may be -------------------------------------------------------------------------------------------- */

static bool in_journal(struct journal *journal, struct person *person, bool only_count, struct forgotten *forgotten,
                       char error[CAREHUB_ERROR_BYTES])
{
    struct journal_person_count count = {0};
    bool ok = journal_person_forget(journal, person, only_count, &count);
    forgotten->items = count.items;
    forgotten->states = count.states;
    forgotten->sent = count.sent;
    forgotten->held = count.held;
    return ok || complain(error, journal_error(journal));
}

static bool in_subscriptions(const struct host_config *config, const struct person *person, bool only_count,
                             struct forgotten *forgotten, char error[CAREHUB_ERROR_BYTES])
{
    char path[PATH_MAX], why[STORE_ERROR_BYTES];
    snprintf(path, sizeof path, "%s/subscriptions.db", config->state_dir);
    if (access(path, F_OK) != 0)
        return errno == ENOENT || settings_complain(error, path, "%s", strerror(errno));
    struct subscription_store *store = store_open(config->state_dir, why);
    if (!store)
        return complain(error, why);
    bool ok = store_person_forget(store, person, only_count, &forgotten->subscription_events) ||
              complain(error, store_error(store));
    store_close(&store);
    return ok;
}

static bool is_about(void *arg, const uint8_t *bytes, size_t size)
{
    const struct person *person = arg;
    Carehub__V1__Event *event = carehub__v1__event__unpack(NULL, size, bytes);
    bool found = event ? person_in_message(person, &event->base) : person_in_bytes(person, true, bytes, size);
    if (event)
        carehub__v1__event__free_unpacked(event, NULL);
    return found;
}

static bool in_spool(const struct host_config *config, struct person *person, bool only_count,
                     struct forgotten *forgotten, char error[CAREHUB_ERROR_BYTES])
{
    const struct carehub_options *hub = &config->hub;
    if (!hub->spool_dir || (access(hub->spool_dir, F_OK) != 0 && errno == ENOENT))
        return true;
    return carehub_spool_forget(hub->spool_dir, hub->spool_key_file, is_about, person, only_count,
                                &forgotten->spooled) == CAREHUB_OK ||
           complain(error, carehub_error());
}

static bool in_folders(const struct host_config *config, const struct person *person, bool only_count,
                       struct forgotten *forgotten, char error[CAREHUB_ERROR_BYTES])
{
    bool ok = true;
    for (const struct carehub_setting *in = config->tree->first; ok && in; in = in->next) {
        const struct carehub_setting *transport = setting_named(in, "transport"), *path = setting_named(in, "path");
        char full[PATH_MAX];
        if (strcmp(in->name, "in") != 0 || !transport || strcmp(transport->value, "folder") != 0 || !path)
            continue;
        snprintf(full, sizeof full, "%s%s%s", path->value[0] == '/' ? "" : config->folder,
                 path->value[0] == '/' ? "" : "/", path->value);
        ok = forget_in_folder(full, person, only_count, forgotten, error);
    }
    return ok;
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

bool forget_person(const struct host_config *config, struct person *person, bool only_count,
                   struct forgotten *forgotten, char error[CAREHUB_ERROR_BYTES])
{
    char why[JOURNAL_ERROR_BYTES];
    *forgotten = (struct forgotten){0};
    if (!is_ours(config, error))
        return false;
    /* Files are written anew by way of others, for which /tmp may have no room. */
    setenv("SQLITE_TMPDIR", config->state_dir, false);
    struct journal *journal = journal_open(config->state_dir, true, why); /* with it the lock on all that is here */
    if (!journal)
        return complain(error, why);
    /* The journal last: by which other numbers the person is known has to be there still if this is done again. */
    bool ok = (journal_person_learn(journal, person) || complain(error, journal_error(journal))) &&
              in_subscriptions(config, person, only_count, forgotten, error) &&
              in_spool(config, person, only_count, forgotten, error) &&
              in_folders(config, person, only_count, forgotten, error) &&
              in_journal(journal, person, only_count, forgotten, error);
    forgotten->other_identifiers = person->count - person->n_given;
    journal_close(&journal);
    return ok;
}
