/* carehub audit checkpoint, resume: what was signed, and beginning anew after a loss. */
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

/* Does what the hub says cover so many of its entries? A log that it has just left, or is about to, does not: its name
 * is not that of the log that grows, no checkpoint is signed, or it covers more than the hub has. */
static int covers(struct session *session, const Carehub__V1__CheckpointAnswer *said, uint64_t size, bool *yes)
{
    struct note note;
    struct checkpoint checkpoint;
    struct vkey key;
    uint64_t last = 0;
    *yes = checkpoint_note_parse(said->checkpoint, strlen(said->checkpoint), &note, &checkpoint) &&
           vkey_parse(said->key, &key) && audit_generation(checkpoint.origin, &key) == said->generation &&
           !said->not_signing[0] && checkpoint.size >= size;
    int code = *yes ? last_place(session, &last) : EXIT_OK;
    *yes = *yes && checkpoint.size <= last;
    return code;
}

static int not_covered(const Carehub__V1__CheckpointAnswer *said, uint64_t size)
{
    char count[COUNT_CHARS];
    if (said->not_signing[0])
        return fail(EXIT_NO, NULL, "there is no checkpoint of the hub's %s entries: %s", count_text(size, count),
                    said->not_signing);
    return fail(EXIT_TIMED_OUT, "Give it more time with --timeout: checkpoints are signed now and then.",
                "there is no checkpoint of %s entries yet", count_text(size, count));
}

/* Asks until the checkpoint covers so many entries. */
static int ask_for_size(struct session *session, uint64_t size, Carehub__V1__Answer **answer)
{
    int64_t from_ms = monotonic_ms(), until_ms = from_ms + session->timeout_ms;
    bool said = false, yes = false;
    for (;;) {
        int code = audit_ask_checkpoint(session, 0, answer);
        if (code == EXIT_OK)
            code = covers(session, (*answer)->checkpoint, size, &yes);
        if (code == EXIT_OK && !yes && ((*answer)->checkpoint->not_signing[0] || monotonic_ms() >= until_ms))
            code = not_covered((*answer)->checkpoint, size);
        if (code || yes)
            return code;
        answer_free(answer);
        audit_waiting(from_ms, &said);
        usleep(ASK_AGAIN_MS * 1000);
    }
}

static int show_note(const Carehub__V1__CheckpointAnswer *said)
{
    if (said->checkpoint[0] == '\0')
        return fail(EXIT_NO, NULL, "there is no checkpoint%s%s", said->not_signing[0] ? ": " : " yet",
                    said->not_signing);
    fputs(said->checkpoint, stdout);
    return EXIT_OK;
}

static int show_witnessed(const Carehub__V1__CheckpointAnswer *said)
{
    if (said->witnessed[0] == '\0')
        return fail(EXIT_NO,
                    said->n_witnesses ? "Ask them with: carehub audit witness"
                                      : "hub.conf names no witness; see there.",
                    "no witness has cosigned a checkpoint of this log");
    fputs(said->witnessed, stdout);
    return EXIT_OK;
}

static int show_checkpoint(const struct args *args, const Carehub__V1__CheckpointAnswer *said)
{
    int code = EXIT_OK;
    if (args_flag(args, "json"))
        print_json(&said->base);
    else if (args_flag(args, "key"))
        puts(said->key);
    else
        code = args_flag(args, "witnessed") ? show_witnessed(said) : show_note(said);
    if (code == EXIT_OK && !args_flag(args, "json") && said->not_signing[0])
        fail(EXIT_NO, NULL, "no new checkpoint is signed: %s", said->not_signing);
    return code;
}

int run_audit_checkpoint(const struct args *args)
{
    struct session session = {0};
    Carehub__V1__Answer *answer = NULL;
    uint64_t size = 0;
    int code = session_open(&session, args);
    bool wait = args_flag(args, "wait");
    if (code == EXIT_OK && wait)
        code = last_place(&session, &size);
    if (code == EXIT_OK)
        code = wait ? ask_for_size(&session, size, &answer) : audit_ask_checkpoint(&session, 0, &answer);
    if (code == EXIT_OK)
        code = show_checkpoint(args, answer->checkpoint);
    answer_free(&answer);
    session_close(&session);
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
