/* carehub audit checkpoint, consistency, resume: what was signed, and that it is one log. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "audit_files.h"
#include "facts.h"
#include "nouns.h"

enum { ASK_AGAIN_MS = 200 };

/* ---- checkpoint ------------------------------------------------------------------------------------------------- */

static int last_place(struct session *session, uint64_t *place)
{
    Carehub__V1__StatusQuery status = CAREHUB__V1__STATUS_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer;
    query.query_case = CAREHUB__V1__QUERY__QUERY_STATUS;
    query.status = &status;
    int code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_STATUS, &answer);
    if (code == EXIT_OK)
        *place = answer->status->last_place;
    answer_free(&answer);
    return code;
}

static uint64_t size_of(const Carehub__V1__CheckpointAnswer *said)
{
    struct note note;
    struct checkpoint checkpoint;
    return checkpoint_note_parse(said->checkpoint, strlen(said->checkpoint), &note, &checkpoint) ? checkpoint.size : 0;
}

/* Asks until the checkpoint covers so many entries. */
static int ask_for_size(struct session *session, uint64_t size, Carehub__V1__Answer **answer)
{
    int64_t until_ms = monotonic_ms() + session->timeout_ms;
    for (;;) {
        int code = audit_ask_checkpoint(session, answer);
        if (code || size_of((*answer)->checkpoint) >= size)
            return code;
        bool hopeless = (*answer)->checkpoint->not_signing[0] != '\0';
        if (hopeless || monotonic_ms() >= until_ms) {
            code = fail(hopeless ? EXIT_NO : EXIT_TIMED_OUT,
                        hopeless ? NULL : "Give it more time with --timeout: checkpoints are signed now and then.",
                        "there is no checkpoint of %llu entries%s%s", (unsigned long long)size,
                        hopeless ? ": " : " yet", (*answer)->checkpoint->not_signing);
            answer_free(answer);
            return code;
        }
        answer_free(answer);
        usleep(ASK_AGAIN_MS * 1000);
    }
}

static int show_checkpoint(const struct session *session, const Carehub__V1__CheckpointAnswer *said, bool key)
{
    if (session->json)
        print_json(&said->base);
    else if (key)
        puts(said->key);
    else if (said->checkpoint[0] == '\0')
        return fail(EXIT_NO, NULL, "there is no checkpoint%s%s", said->not_signing[0] ? ": " : " yet",
                    said->not_signing);
    else
        fputs(said->checkpoint, stdout);
    if (!session->json && said->not_signing[0])
        fail(EXIT_NO, NULL, "no new checkpoint is signed: %s", said->not_signing);
    return EXIT_OK;
}

int run_audit_checkpoint(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    uint64_t size = 0;
    int code = session_open(&session, args);
    if (code == EXIT_OK && args_flag(args, "wait"))
        code = last_place(&session, &size);
    if (code == EXIT_OK)
        code = ask_for_size(&session, size, &answer);
    if (code == EXIT_OK)
        code = show_checkpoint(&session, answer->checkpoint, args_flag(args, "key"));
    answer_free(&answer);
    session_close(&session);
    return code;
}

/* ---- consistency ------------------------------------------------------------------------------------------------ */

/* The tree of the newer checkpoint has to begin with that of the older one. The proof is made from the tiles, and
 * checked against both roots: wrong tiles cannot make it hold. */
static int compare(const struct checkpoint_file *old, const struct checkpoint_file *new, struct tile_source tiles,
                   bool json)
{
    const struct checkpoint *a = &old->checkpoint, *b = &new->checkpoint;
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_proof proof;
    if (!nodes)
        abort();
    tile_nodes_init(nodes, tiles, b->size);
    struct merkle_source source = tile_nodes_source(nodes);
    bool proved = merkle_prove_consistency(&source, a->size, b->size, &proof);
    bool holds = proved && merkle_consistency_holds(a->size, &a->root, b->size, &b->root, &proof);
    char path[TILE_PATH_BYTES];
    int code = EXIT_OK;
    if (!proved)
        code = fail(EXIT_NO, NULL, "%s is missing or not of its size", tile_path(&nodes->missing, path));
    else if (!holds)
        code = fail(EXIT_NO,
                    "Either the tiles are not those of the newer one (`carehub audit verify --tiles` shows it), or the "
                    "log was altered: keep both.",
                    "the log of %llu entries does not begin with that of %llu", (unsigned long long)b->size,
                    (unsigned long long)a->size);
    else if (json)
        print_json_pairs("consistent", "yes", "origin", b->origin, NULL);
    else
        printf("The log %s of %llu entries begins with that of %llu: nothing was changed or taken away.\n", b->origin,
               (unsigned long long)b->size, (unsigned long long)a->size);
    free(nodes);
    return code;
}

static int check_both(const struct args *args, const struct checkpoint_file *old, const struct checkpoint_file *new)
{
    struct vkey key;
    bool given;
    int code = audit_key(args, &key, &given);
    if (code == EXIT_OK && given)
        code = checkpoint_file_verify(old, &key, args_value(args, 0));
    if (code == EXIT_OK && given)
        code = checkpoint_file_verify(new, &key, args_value(args, 1));
    if (code)
        return code;
    if (strcmp(old->checkpoint.origin, new->checkpoint.origin) != 0)
        return fail(EXIT_NO, NULL, "the checkpoints are of two logs: %s and %s", old->checkpoint.origin,
                    new->checkpoint.origin);
    if (old->checkpoint.size > new->checkpoint.size)
        return fail(EXIT_USAGE, "Name the older one first.", "%s is the newer one", args_value(args, 0));
    return EXIT_OK;
}

int run_audit_consistency(const struct args *args)
{
    struct checkpoint_file old = {0}, new = {0};
    struct session session = {0};
    struct hub_tiles tiles = {.session = &session};
    const char *directory = args_option(args, "tiles");
    int code = checkpoint_file_read(&old, args_value(args, 0));
    if (code == EXIT_OK)
        code = checkpoint_file_read(&new, args_value(args, 1));
    if (code == EXIT_OK)
        code = check_both(args, &old, &new);
    if (code == EXIT_OK && !directory)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = compare(&old, &new, directory ? tile_source_directory(directory) : hub_tiles_source(&tiles),
                       args_flag(args, "json"));
    session_close(&session);
    checkpoint_file_end(&old);
    checkpoint_file_end(&new);
    return code;
}

/* ---- resume ----------------------------------------------------------------------------------------------------- */

int run_audit_resume(const struct args *args)
{
    Carehub__V1__LogResumed resumed = CAREHUB__V1__LOG_RESUMED__INIT;
    resumed.reason = field(args_option(args, "reason"));
    Carehub__V1__Fact fact = FACT(LOG_RESUMED, log_resumed, &resumed);
    return submit_fact(args, &fact, "a new audit log begins; what was published of the old one stays as it is");
}
