/* carehub audit verify: the hub's whole store. What it does with --tiles is audit_verify_files.c. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "audit.h"
#include "audit_files.h"
#include "nouns.h"
#include "wait.h"

/* Written by the client's thread; read when `code` is set, or when that thread has ended. */
struct verifying {
    struct session *session;
    struct wait wait;
    struct progress progress;
    Carehub__V1__VerifyAnswer said; /* its texts are copies */
    char *checkpoint, *wrong_file;
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
    free(verifying->wrong_file);
    verifying->said.checkpoint = verifying->checkpoint = strdup(answer->verify->checkpoint);
    verifying->said.wrong_file = verifying->wrong_file = strdup(answer->verify->wrong_file);
    if (!verifying->checkpoint || !verifying->wrong_file)
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
    struct note note;
    struct checkpoint checkpoint = {0};
    checkpoint_note_parse(said->checkpoint, strlen(said->checkpoint), &note, &checkpoint);
    if (said->wrong)
        return fail(EXIT_NO,
                    "The audit log's files are the witness here: keep them. Restore the database from a backup, and "
                    "find out who "
                    "altered it.",
                    "%s of %s entries in the database are damaged, or are not what the tree says; the first is #%llu",
                    count_text(said->wrong, a), count_text(said->total, b), (unsigned long long)said->first_wrong);
    if (said->wrong_files)
        return fail(EXIT_NO,
                    "Leave the database as it is: the hub writes them anew from it now. Look again in a moment; what "
                    "is still named then comes back from an export of the log, while the hub is stopped.",
                    "every entry in the database is sound, but %s of the audit log's files %s damaged or "
                    "missing; the first is %s",
                    count_text(said->wrong_files, a), said->wrong_files == 1 ? "is" : "are", said->wrong_file);
    if (!said->agrees)
        return fail(EXIT_NO, "See `carehub audit verify --tiles` on the hub's machine.",
                    "the entries have another root than the checkpoint");
    printf(
        "%s entries: every one is what its leaf says. The checkpoint is of %s of them, and its root and every tile are "
        "theirs.\n",
        count_text(said->checked, a), count_text(checkpoint.size, b));
    if (said->without_content)
        printf("  %s are without their content, which is no longer kept.\n", count_text(said->without_content, a));
    if (said->erased)
        printf("  %s were erased: their leaves are still there.\n", count_text(said->erased, a));
    if (said->pruned > said->minimum)
        printf("  %s are too old to be kept: their leaves are still there, in the tiles.\n",
               count_text(said->pruned - said->minimum, a));
    if (said->minimum)
        printf("  The first %s are too old to be kept, and pruned from the tiles: only hashes over them are left.\n",
               count_text(said->minimum, a));
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
        code = !json ? conclude(&verifying.said)
               : verifying.said.wrong || verifying.said.wrong_files || !verifying.said.agrees ? EXIT_NO
                                                                                              : EXIT_OK;
    free(verifying.checkpoint);
    free(verifying.wrong_file);
    return code;
}

int run_audit_verify(const struct args *args)
{
    const char *directory = args_option(args, "tiles");
    if (directory)
        return audit_verify_files(args, directory);
    if (args_option(args, "since") || args_option(args, "key") || args_option(args, "witness"))
        return fail(EXIT_USAGE, NULL, "--since, --key and --witness are for --tiles");
    return verify_hub(args);
}
