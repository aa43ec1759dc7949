/* carehub keys: the keys that seal what is stored. No key ever goes over the wire. */
#include <stdio.h>

#include "facts.h"
#include "keys_answer.h"
#include "nouns.h"

int show_keys(const struct args *args, void (*print)(const Carehub__V1__KeysAnswer *keys))
{
    Carehub__V1__KeysQuery asked = CAREHUB__V1__KEYS_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer = NULL;
    struct session session = {0};
    query.query_case = CAREHUB__V1__QUERY__QUERY_KEYS;
    query.keys = &asked;
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = session_ask(&session, &query, CAREHUB__V1__ANSWER__ANSWER_KEYS, &answer);
    if (code == EXIT_OK && session.json)
        print_json_line(&answer->keys->base);
    else if (code == EXIT_OK)
        print(answer->keys);
    if (answer)
        answer_free(&answer);
    session_close(&session);
    return code;
}

static void print_epochs(const Carehub__V1__KeysAnswer *keys)
{
    for (size_t i = 0; i < keys->n_epochs; i++) {
        const Carehub__V1__KeysAnswer__Epoch *epoch = keys->epochs[i];
        char when[WHEN_CHARS];
        bool current = i + 1 == keys->n_epochs;
        printf("epoch %u  since %s%s\n", epoch->number,
               epoch->created_ms ? when_text(epoch->created_ms, when) : "the hub was made", current ? "  in use" : "");
    }
    if (keys->rewrapping)
        puts("Persons' keys are being wrapped with the key of the last one; the others can be destroyed after that.");
}

static int run_list(const struct args *args)
{
    return show_keys(args, print_epochs);
}

static int submit(const struct args *args, Carehub__V1__KeysRotated__What what, uint64_t epoch, const char *done)
{
    Carehub__V1__KeysRotated change = CAREHUB__V1__KEYS_ROTATED__INIT;
    change.what = what;
    change.epoch = (uint32_t)epoch;
    change.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(KEYS_ROTATED, keys_rotated, &change);
    return submit_fact(args, &fact, "%s", done);
}

static int run_rotate_epoch(const struct args *args)
{
    return submit(
        args, CAREHUB__V1__KEYS_ROTATED__WHAT__EPOCH, 0,
        "A new epoch begins; persons' keys are wrapped anew beside the hub's other work. Keep a new copy of the "
        "keyring");
}

static int run_rotate_master(const struct args *args)
{
    return submit(
        args, CAREHUB__V1__KEYS_ROTATED__WHAT__MASTER, 0,
        "The keyring is being sealed with the next master key; the hub's own log says when it is done, in a second or "
        "two. Then make that key or passphrase the one in its configuration, and keep a new copy of it and of the "
        "keyring");
}

static int run_destroy_epoch(const struct args *args)
{
    uint64_t epoch;
    int code = input_number(args_value(args, 0), "EPOCH", UINT32_MAX, &epoch);
    return code ? code
                : submit(
                      args, CAREHUB__V1__KEYS_ROTATED__WHAT__DESTROY_EPOCH, epoch,
                      "The epoch's key is destroyed in the hub's keyring. Destroy the copies of the keyring that still "
                      "have it too");
}

const struct command keys_commands[] = {
    {
        .verb = "list",
        .summary = "the epochs whose keys the hub has",
        .example = "carehub keys list",
        .run = run_list,
    },
    {
        .verb = "rotate-epoch",
        .summary = "begin a new epoch: from now on its key wraps persons' keys, and seals backups",
        .options = {REASON_REQUIRED},
        .example = "carehub keys rotate-epoch --reason 'every quarter'",
        .run = run_rotate_epoch,
    },
    {
        .verb = "destroy-epoch",
        .summary = "destroy an epoch's key: backups and copies of that time open no more",
        .arguments = {{"EPOCH", "its number, from `carehub keys list`; not the one in use"}},
        .options = {REASON_REQUIRED},
        .detail = "Needs the roles operator and registrar. It cannot be undone. Whoever was erased is in no backup any "
                  "more once the epochs of all backups of before are destroyed: carehub-erase(1) has the order.",
        .example = "carehub keys destroy-epoch 1 --reason 'backups of before June'",
        .run = run_destroy_epoch,
    },
    {
        .verb = "rotate-master",
        .summary = "change the master key to the next one that the hub's configuration names",
        .options = {REASON_REQUIRED},
        .detail = "The new key is read by the hub on its own machine, from a file with mode 0600 that carehubd's "
                  "configuration names before it is started: next-master-key-file with 64 hexadecimal digits, or "
                  "next-master-key-passphrase-file with a passphrase in its first line. Only the keyring is rewritten, "
                  "beside the traffic. Until the configuration is changed the hub starts with either.",
        .example = "carehub keys rotate-master --reason 'an operator has left'",
        .run = run_rotate_master,
    },
    {0},
};
