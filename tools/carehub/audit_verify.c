/* carehub audit verify: the hub's whole store, or the files of a log alone, on any machine. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "audit_files.h"
#include "nouns.h"
#include "wait.h"

/* ---- Files alone ------------------------------------------------------------------------------------------------ */

static void checked(void *ctx, uint64_t entries)
{
    progress_step(ctx, entries);
}

static int wrong_file(const struct check *check, enum check_verdict verdict, const char *directory)
{
    char path[TILE_PATH_BYTES];
    unsigned long long index = check->index;
    tile_path(&check->wrong, path);
    switch (verdict) {
    case CHECK_MISSING:
        return fail(EXIT_NO, NULL, "%s/%s is missing, or not of its size", directory, path);
    case CHECK_NO_ENTRY:
        return fail(EXIT_NO, NULL, "%s/%s: entry %llu (#%llu) is none of this log's", directory, path, index,
                    index + 1);
    case CHECK_HASH:
        return fail(EXIT_NO, NULL,
                    check->wrong.level == 0 ? "%s/%s: hash %llu is not that of the entry: one of them was altered"
                                            : "%s/%s: hash %llu is not that of the tile below it: one was altered",
                    directory, path, index);
    case CHECK_SINCE:
        return fail(EXIT_NO, "Keep both: this is a proof that the log was altered after the older checkpoint.",
                    "%s does not begin with what the older checkpoint covers", directory);
    default:
        return fail(EXIT_NO, NULL,
                    "the files in %s fit together, but are not what the checkpoint says: entries were altered, "
                    "removed, inserted or put in another order",
                    directory);
    }
}

static int sound(const struct check *check, bool json, bool signed_)
{
    char size[COUNT_CHARS];
    if (json) {
        print_json_pairs("verified", "yes", "origin", check->checkpoint.origin, "entries",
                         count_text(check->checkpoint.size, size), "signature", signed_ ? "good" : "not checked", NULL);
        return EXIT_OK;
    }
    printf("%s: %s entries, every one of them and every tile is what the checkpoint says%s.\n",
           check->checkpoint.origin, count_text(check->checkpoint.size, size),
           check->since ? ", and the log begins with the older one" : "");
    if (!signed_)
        puts("Whether the hub signed the checkpoint was not checked: that needs --key.");
    return EXIT_OK;
}

static int verify_files(const struct args *args, const char *directory)
{
    struct checkpoint_file checkpoint = {0}, since = {0};
    struct progress progress;
    struct vkey key;
    bool given;
    char path[SESSION_PATH_BYTES];
    snprintf(path, sizeof path, "%s/checkpoint", directory);
    int code = audit_key(args, &key, &given);
    if (code == EXIT_OK)
        code = checkpoint_file_read(&checkpoint, path);
    if (code == EXIT_OK && given)
        code = checkpoint_file_verify(&checkpoint, &key, path);
    if (code == EXIT_OK && args_option(args, "since"))
        code = checkpoint_file_read(&since, args_option(args, "since"));
    if (code == EXIT_OK && since.text && given)
        code = checkpoint_file_verify(&since, &key, args_option(args, "since"));
    if (code == EXIT_OK && since.text && strcmp(since.checkpoint.origin, checkpoint.checkpoint.origin) != 0)
        code = fail(EXIT_NO, NULL, "the older checkpoint is of another log: %s", since.checkpoint.origin);
    if (code == EXIT_OK) {
        struct check check = {.source = tile_source_directory(directory),
                              .checkpoint = checkpoint.checkpoint,
                              .since = since.text ? &since.checkpoint : NULL,
                              .progress = checked,
                              .ctx = &progress};
        progress_start(&progress, "verifying", check.checkpoint.size);
        enum check_verdict verdict = check_tiles(&check);
        progress_end(&progress);
        code = verdict == CHECK_SOUND ? sound(&check, args_flag(args, "json"), given)
                                      : wrong_file(&check, verdict, directory);
    }
    checkpoint_file_end(&checkpoint);
    checkpoint_file_end(&since);
    return code;
}

/* ---- The hub's store -------------------------------------------------------------------------------------------- */

/* Written by the client's thread; read when `code` is set, or when that thread has ended. */
struct verifying {
    struct session *session;
    struct wait wait;
    struct progress progress;
    Carehub__V1__VerifyAnswer said; /* its checkpoint is a copy */
    char *checkpoint;
    _Atomic int64_t heard_ms;
    _Atomic int code; /* -1: it goes on */
};

static bool done(struct verifying *verifying, int code)
{
    atomic_store(&verifying->code, code);
    wait_wake(&verifying->wait);
    return false;
}

static bool on_answer(void *arg, int status, const Carehub__V1__Answer *answer)
{
    struct verifying *verifying = arg;
    if (atomic_load(&verifying->code) >= 0)
        return false;
    if (answer && answer->error)
        return done(verifying, session_refused(verifying->session, answer->error));
    if (status != CAREHUB_OK || !answer || answer->answer_case != CAREHUB__V1__ANSWER__ANSWER_VERIFY)
        return done(verifying, session_failed(verifying->session, status, "verifying"));
    atomic_store(&verifying->heard_ms, monotonic_ms());
    verifying->said = *answer->verify;
    free(verifying->checkpoint);
    verifying->said.checkpoint = verifying->checkpoint = strdup(answer->verify->checkpoint);
    if (!verifying->checkpoint)
        abort();
    verifying->progress.total = answer->verify->total;
    progress_step(&verifying->progress, answer->verify->checked);
    return answer->more || done(verifying, EXIT_OK);
}

static int ask(struct verifying *verifying)
{
    Carehub__V1__VerifyQuery verify = CAREHUB__V1__VERIFY_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_VERIFY;
    query.verify = &verify;
    progress_start(&verifying->progress, "verifying", 0);
    atomic_store(&verifying->heard_ms, monotonic_ms());
    int result = carehub_query(verifying->session->client, &query, on_answer, verifying);
    if (result != CAREHUB_OK)
        return session_failed(verifying->session, result, "verifying");
    while (atomic_load(&verifying->code) < 0) {
        int64_t until_ms = atomic_load(&verifying->heard_ms) + verifying->session->timeout_ms;
        enum wait_result why = wait_for(&verifying->wait, until_ms);
        if (why == WAIT_INTERRUPTED)
            return fail(EXIT_NO, NULL, "interrupted");
        if (why == WAIT_TIMED_OUT && atomic_load(&verifying->heard_ms) + verifying->session->timeout_ms == until_ms)
            return session_failed(verifying->session, CAREHUB_TIMEOUT, "verifying");
    }
    return atomic_load(&verifying->code);
}

static int conclude(const Carehub__V1__VerifyAnswer *said)
{
    char a[COUNT_CHARS], b[COUNT_CHARS];
    if (said->wrong)
        return fail(EXIT_NO, "Restore the database from a backup, or find out who altered it.",
                    "%s of %s entries are damaged, or are not what the tree says; the first is #%llu",
                    count_text(said->wrong, a), count_text(said->total, b), (unsigned long long)said->first_wrong);
    if (!said->agrees)
        return fail(EXIT_NO, "See `carehub audit verify --tiles` on the hub's machine.",
                    "the entries have another root than the checkpoint");
    printf("%s entries: every one is what its leaf says, and all of them have the checkpoint's root.\n",
           count_text(said->checked, a));
    if (said->without_content)
        printf("  %s are without their content, which is no longer kept.\n", count_text(said->without_content, a));
    if (said->erased)
        printf("  %s were erased: their leaves are still there.\n", count_text(said->erased, a));
    if (said->pruned)
        printf("  %s are no longer kept: their leaves are, in the tiles.\n", count_text(said->pruned, a));
    return EXIT_OK;
}

static int verify_hub(const struct args *args)
{
    struct session session = {0};
    struct verifying verifying = {.session = &session, .code = -1};
    int code = session_open(&session, args);
    wait_start(&verifying.wait);
    if (code == EXIT_OK)
        code = ask(&verifying);
    progress_end(&verifying.progress);
    bool json = session.json;
    session_close(&session); /* from here on nothing is added */
    wait_end(&verifying.wait);
    if (code == EXIT_OK && json)
        print_json(&verifying.said.base);
    if (code == EXIT_OK)
        code = !json ? conclude(&verifying.said) : verifying.said.wrong || !verifying.said.agrees ? EXIT_NO : EXIT_OK;
    free(verifying.checkpoint);
    return code;
}

int run_audit_verify(const struct args *args)
{
    const char *directory = args_option(args, "tiles");
    if (directory)
        return verify_files(args, directory);
    if (args_option(args, "since") || args_option(args, "key"))
        return fail(EXIT_USAGE, NULL, "--since and --key are for --tiles");
    return verify_hub(args);
}
