/* carehub audit prove, check-receipt: the proof of one entry, and checking one without the hub. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "audit_files.h"
#include "conf.h"
#include "facts.h"
#include "input.h"
#include "nouns.h"
#include "receipt_file.h"

enum { ASK_AGAIN_MS = 200 };

static const int JSON_STYLE = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

/* ---- prove ------------------------------------------------------------------------------------------------------ */

/* The latest entries are not under a checkpoint yet: asks until they are. */
static int ask_proof(struct session *session, Carehub__V1__Query *query, Carehub__V1__Answer **answer)
{
    int64_t from_ms = monotonic_ms(), until_ms = from_ms + session->timeout_ms;
    bool said = false;
    for (;;) {
        *answer = NULL;
        int result = carehub_ask(session->client, query, session->timeout_ms, answer);
        bool wait = *answer && (*answer)->error && (*answer)->error->code == CAREHUB__V1__ERROR_CODE__BUSY;
        if (!wait || monotonic_ms() >= until_ms)
            return session_asked(session, result, CAREHUB__V1__ANSWER__ANSWER_PROVE, answer);
        answer_free(answer);
        audit_waiting(from_ms, &said);
        usleep(ASK_AGAIN_MS * 1000);
    }
}

/* What does not verify is not handed out: who files it would learn that years later. */
static int check_own(const char *text, const char *key)
{
    if (receipt_file_holds(text, key))
        return EXIT_OK;
    return fail(EXIT_NO,
                "No receipt was written. `carehub status` says whether checkpoints are signed, `carehub audit verify` "
                "whether the entry or the audit log's files are damaged.",
                "what the hub has sent does not prove that the entry is in the log");
}

static int write_receipt(const Carehub__V1__ProveAnswer *proved, const char *path)
{
    struct json_object *json = receipt_file_json(proved);
    const char *text = json_object_to_json_string_ext(json, JSON_STYLE);
    int code = check_own(text, proved->key);
    if (code == EXIT_OK && path)
        code = file_write(path, 0600, text, strlen(text));
    else if (code == EXIT_OK && (puts(text) < 0 || fflush(stdout) != 0))
        code = fail(EXIT_NO, NULL, "cannot write the receipt");
    json_object_put(json);
    return code;
}

int receipt_fetch(struct session *session, Carehub__V1__ProveQuery *prove, const char *path)
{
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer = NULL;
    query.query_case = CAREHUB__V1__QUERY__QUERY_PROVE;
    query.prove = prove;
    int code = ask_proof(session, &query, &answer);
    if (code == EXIT_OK)
        code = write_receipt(answer->prove, path);
    answer_free(&answer);
    return code;
}

int run_audit_prove(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    Carehub__V1__ProveQuery prove = CAREHUB__V1__PROVE_QUERY__INIT;
    const char *path = args_option(args, "out");
    int code = input_event(args_value(args, 0), &event);
    prove.place = event.place;
    if (!event.place)
        prove.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, event.id};
    prove.without_content = args_flag(args, "no-content");
    prove.purpose = field(args_option(args, "purpose"));
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = receipt_fetch(&session, &prove, path);
    if (code == EXIT_OK && path)
        fprintf(stderr, "The receipt is in %s. Your name and the entry are now in the log.\n", path);
    session_close(&session);
    return code;
}

/* ---- check-receipt ---------------------------------------------------------------------------------------------- */

static int verdict_text(enum receipt_verdict verdict, const struct checkpoint *checkpoint, const struct vkey *key)
{
    switch (verdict) {
    case RECEIPT_NO_CHECKPOINT:
        return fail(EXIT_NO, NULL, "what the receipt has for a checkpoint is none");
    case RECEIPT_UNSIGNED:
        return fail(EXIT_NO, NULL, "the receipt's checkpoint is not signed with this key");
    case RECEIPT_FORGED:
        return fail(EXIT_NO, NULL, "the checkpoint's signature is wrong: it was altered, or it is forged");
    case RECEIPT_OTHER_LOG:
        return fail(EXIT_NO, NULL, "the receipt is of the log %s, and the key is that of %s", checkpoint->origin,
                    key->name);
    case RECEIPT_NOT_INCLUDED:
        return fail(EXIT_NO, NULL,
                    "the entry is not under this checkpoint: it, its content or the proof is not what was logged");
    default:
        return EXIT_OK;
    }
}

/* An entry says itself at which place it is. */
static int check_place(const struct receipt *receipt)
{
    uint64_t place = receipt_place(receipt);
    if (place == 0)
        return fail(EXIT_NO, "A later version of this tool may.", "the entry is in the log, but cannot be read");
    return place == receipt->proof.index + 1
               ? EXIT_OK
               : fail(EXIT_NO, NULL, "the entry is in the log, but at another place than it says");
}

static int show_receipt(const struct args *args, const struct receipt *receipt, const struct checkpoint *checkpoint)
{
    char size[COUNT_CHARS];
    struct witness_keys witnesses;
    struct note note;
    note_parse(receipt->proof.checkpoint, receipt->proof.checkpoint_size, &note);
    int code = witness_keys_read(args, &witnesses);
    if (code == EXIT_OK)
        code = witnesses_check(&witnesses, &note);
    if (code)
        return code;
    struct json_object *readable = receipt_readable(
        receipt->entry, receipt->entry_size, receipt->has_payload ? receipt->payload : NULL, receipt->payload_size);
    if (args_flag(args, "json")) {
        json_object_object_add(readable, "verified", json_object_new_string("yes"));
        json_object_object_add(readable, "origin", json_object_new_string(checkpoint->origin));
        json_object_object_add(readable, "entries", json_object_new_string(digits_text(checkpoint->size, size)));
        json_object_object_add(readable, "witnesses", json_object_new_int((int)witnesses.n));
    } else {
        printf("Entry #%llu is in the log %s: under a checkpoint of %s entries that its key has signed",
               (unsigned long long)receipt->proof.index + 1, checkpoint->origin, count_text(checkpoint->size, size));
        if (witnesses.n)
            printf(" and %zu named %s cosigned", witnesses.n, witnesses.n == 1 ? "witness has" : "witnesses have");
        puts(receipt->has_payload ? ".\nThis is the entry, and what was submitted:"
                                  : ".\nThis is the entry; what was submitted is not in the receipt:");
    }
    puts(json_object_to_json_string_ext(readable, JSON_STYLE));
    json_object_put(readable);
    return EXIT_OK;
}

int run_audit_check_receipt(const struct args *args)
{
    struct receipt_file file = {0};
    struct checkpoint checkpoint;
    struct vkey key;
    bool given;
    char *text = NULL;
    int code = audit_key(args, &key, &given);
    if (code == EXIT_OK)
        code = audit_read_file(args_value(args, 0), RECEIPT_FILE_MAX_BYTES, &text);
    const char *wrong = code == EXIT_OK ? receipt_file_read(&file, text, strlen(text)) : NULL;
    if (wrong)
        code = fail(EXIT_NO, "Receipts are made by `carehub audit prove`.", "%s is no receipt: %s", args_value(args, 0),
                    wrong);
    if (code == EXIT_OK)
        code = verdict_text(receipt_check(&file.receipt, &key, &checkpoint), &checkpoint, &key);
    if (code == EXIT_OK)
        code = check_place(&file.receipt);
    if (code == EXIT_OK)
        code = show_receipt(args, &file.receipt, &checkpoint);
    receipt_file_end(&file);
    free(text);
    return code;
}
