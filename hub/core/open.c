/* Opening and closing: the database, its state, the end of the log, and what an empty log begins with. */
#include "core_private.h"

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "eventid.h"
#include "keeping/erasure.h"
#include "keeping/index.h"
#include "keeping/keeping.h"
#include "keeping/tlog.h"
#include "query/query.h"

enum { TAIL_VERIFIED_ENTRIES = 1000, DAMAGE_SAID_MAX = 20 };

static bool own_fact(struct core *core, Fact *fact, char *error)
{
    uint8_t id[EVENTID_BYTES];
    struct taken taken = {0};
    Error *why = NULL;
    if (eventid_new(id) != EVENTID_OK)
        abort();
    fact->id = (ProtobufCBinaryData){sizeof id, id};
    bool good = take_own_fact(core, fact, &taken, &why);
    if (!good)
        snprintf(error, CORE_ERROR_BYTES, "%s", why->text);
    return good;
}

/* What an empty log starts with: the rules, and somebody who may register the rest. */
static bool first_entries(struct core *core, const struct core_config *config, char *error)
{
    Carehub__V1__PolicyAdopted policy = CAREHUB__V1__POLICY_ADOPTED__INIT;
    Fact fact = CAREHUB__V1__FACT__INIT;
    policy.text = (char *)config->policy_text;
    fact.fact_case = CAREHUB__V1__FACT__FACT_POLICY_ADOPTED;
    fact.policy_adopted = &policy;
    batch_open(core);
    if (!own_fact(core, &fact, error))
        return false;
    if (!config->first_operator)
        return true;

    Carehub__V1__OperatorRole roles[] = {CAREHUB__V1__OPERATOR_ROLE__VIEWER, CAREHUB__V1__OPERATOR_ROLE__OPERATOR,
                                         CAREHUB__V1__OPERATOR_ROLE__AUDITOR, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR};
    Carehub__V1__ClientSet client = CAREHUB__V1__CLIENT_SET__INIT;
    client.name = (char *)"first-operator";
    client.n_roles = sizeof roles / sizeof *roles;
    client.roles = roles;
    fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_SET;
    fact.client_set = &client;
    if (!own_fact(core, &fact, error))
        return false;
    Carehub__V1__ClientKeyAdded key = CAREHUB__V1__CLIENT_KEY_ADDED__INIT;
    key.client = client.name;
    key.public_key = (ProtobufCBinaryData){KEY_BYTES, (uint8_t *)config->first_operator};
    fact.fact_case = CAREHUB__V1__FACT__FACT_CLIENT_KEY_ADDED;
    fact.client_key_added = &key;
    return own_fact(core, &fact, error);
}

/* The end of the log is where a crash or a damaged disk shows. */
static bool tail_verify(struct core *core, char *error)
{
    uint64_t first = core->last_place > TAIL_VERIFIED_ENTRIES ? core->last_place - TAIL_VERIFIED_ENTRIES + 1 : 1;
    for (uint64_t place = first; place <= core->last_place; place++) {
        struct log_record record;
        enum store_result read = core->log->functions->read(core->log, place, &core->scratch, &record);
        if (read != STORE_OK && read != STORE_ERASED && place > core->pruned_place) {
            snprintf(error, CORE_ERROR_BYTES,
                     "entry %llu of the log is missing, damaged or altered. Restore the database from its last backup",
                     (unsigned long long)place);
            return false;
        }
        arena_reset(&core->scratch);
    }
    return true;
}

static bool count_held(void *ctx, uint32_t actor, const struct card *card)
{
    (void)actor;
    (void)card;
    ((struct core *)ctx)->n_held++;
    return true;
}

/* Says where, so that it can be looked into; not more often than anybody would read. */
static void damage_found(void *ctx, const char *what, const int64_t key[3])
{
    const struct core *core = ctx;
    if (core->scrub.damaged <= DAMAGE_SAID_MAX)
        say(2, "%s %lld/%lld/%lld is damaged or was altered, and is not used. Restore the database from a backup", what,
            (long long)key[0], (long long)key[1], (long long)key[2]);
}

static bool state_load(struct core *core, struct core_time now, char *error)
{
    int64_t last_at_ms;
    core->last_place = core->committed_place = core->log->functions->last(core->log, &last_at_ms);
    core->now_ms = now.real_ms > last_at_ms ? now.real_ms : last_at_ms;
    core->started_ms = now.real_ms;
    core->clock_offset_ms = now.real_ms - now.boot_ms;
    core->clock_suspect = last_at_ms > now.real_ms + CLOCK_JUMP_MAX_MS;
    core->ids_known_from_ms = store_number_get(core->store, "ids-known-from-ms", 0);
    retention_open(core);
    core->indexed_place = (uint64_t)store_number_get(core->store, "indexed-place", 0);
    core->unread_from_place = (uint64_t)store_number_get(core->store, "unread-from-place", 0);
    core->backed_up_ms = store_number_get(core->store, "backed-up-ms", 0);
    core->scrubbed_ms = store_number_get(core->store, "scrubbed-ms", 0);
    core->next_scrub_ms = core->scrubbed_ms ? core->scrubbed_ms + SCRUB_EVERY_MS : 0;
    core->scrub.found = damage_found;
    core->scrub.follows = index_follows;
    core->scrub.person = index_follows_person;
    core->scrub.rest = index_check_some;
    core->scrub.ctx = core;
    persons_open(&core->persons, core->store);
    if (!registry_open(&core->registry, core->store, error, CORE_ERROR_BYTES) || !tail_verify(core, error))
        return false;
    if (store_held_each(core->store, &core->batch, count_held, core) != STORE_OK) {
        snprintf(error, CORE_ERROR_BYTES,
                 "a held delivery's row is damaged. Restore the database from its last backup");
        return false;
    }
    return true;
}

static bool open_all(struct core *core, const struct core_config *config, struct core_time now, char *error)
{
    core->vault = vault_new(config->master_key);
    core->store = store_open(config->database_path, core->vault, config->kdf, error);
    if (!core->store)
        return false;
    backup_tidy(core);
    core->log = log_sqlite_open(core->store);
    if (store_subject_key(core->store, 0, core->hub_key) != STORE_OK) {
        snprintf(error, CORE_ERROR_BYTES, "the hub's own payload key is damaged");
        return false;
    }
    convert_stored(core->store, core->log);
    core->tlog = tlog_new(core, &config->tlog);
    if (!state_load(core, now, error))
        return false;
    core->registry.standings_changed = true;
    if (core->last_place == 0 && !first_entries(core, config, error))
        return false;
    core_commit(core, now);
    if (core->clock_suspect)
        say(3, "the clock is before the log's last entry: what depends on dates waits. Set the clock and start again");
    return true;
}

struct core *core_open(const struct core_config *config, const struct core_output *output, struct core_time now,
                       char error[CORE_ERROR_BYTES])
{
    struct core *core = xcalloc(1, sizeof *core);
    arena_init(&core->scratch);
    arena_init(&core->batch);
    core->output = *output;
    core->commit_delay_us = config->commit_delay_us;
    core->ack_delay_ms = config->ack_delay_ms;
    core->hub_name = strdup(config->hub_name);
    core->next_retry_ms = INT64_MAX;
    core->payload_kept_ms = config->payload_kept_ms;
    core->entry_kept_ms = config->entry_kept_ms;
    core->next_master_key = config->next_master_key;
    core->next_master_key_ctx = config->next_master_key_ctx;
    core->disk_reserve_bytes = config->disk_reserve_bytes ? config->disk_reserve_bytes : DISK_RESERVE_BYTES;
    if (config->next_hub_key) {
        memcpy(core->next_hub_key, config->next_hub_key, KEY_BYTES);
        core->has_next_hub_key = true;
    }
    if (!core->hub_name || !open_all(core, config, now, error))
        core_close(&core);
    return core;
}

void core_close(struct core **core_p)
{
    struct core *core = *core_p;
    if (!core)
        return;
    core_sessions_close(core);
    policy_diff_end(core);
    report_run_end(core);
    verify_end(core);
    backup_end(core);
    events_forget(core);
    u64map_fini(&core->events);
    persons_close(&core->persons);
    if (core->registry.actor_names)
        registry_close(&core->registry);
    tlog_destroy(&core->tlog);
    if (core->log)
        core->log->functions->close(&core->log);
    store_close(&core->store);
    vault_destroy(&core->vault);
    arena_fini(&core->scratch);
    arena_fini(&core->batch);
    free(core->hub_name);
    free(core->confirming);
    free(core->outbox);
    free(core->ready);
    free(core->touched);
    free(core->added);
    free(core->endings);
    free(core->tail_lines);
    sodium_memzero(core, sizeof *core);
    free(core);
    *core_p = NULL;
}
