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

enum { ASK_AGAIN_MS = 200, WITNESSES_MAX = 16 };

static const int JSON_STYLE = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE;

/* ---- prove ------------------------------------------------------------------------------------------------------ */

/* The latest entries are not under a checkpoint yet: asks until they are. */
static int ask_proof(struct session *session, Carehub__V1__Query *query, Carehub__V1__Answer **answer)
{
    int64_t until_ms = monotonic_ms() + session->timeout_ms;
    for (;;) {
        *answer = NULL;
        int result = carehub_ask(session->client, query, session->timeout_ms, answer);
        bool wait = *answer && (*answer)->error && (*answer)->error->code == CAREHUB__V1__ERROR_CODE__BUSY;
        if (!wait || monotonic_ms() >= until_ms)
            return session_asked(session, result, CAREHUB__V1__ANSWER__ANSWER_PROVE, answer);
        answer_free(answer);
        usleep(ASK_AGAIN_MS * 1000);
    }
}

static int write_receipt(const Carehub__V1__ProveAnswer *proved, const char *path)
{
    struct json_object *json = receipt_file_json(proved);
    const char *text = json_object_to_json_string_ext(json, JSON_STYLE);
    int code = EXIT_OK;
    if (!path)
        code = puts(text) >= 0 && fflush(stdout) == 0 ? EXIT_OK : fail(EXIT_NO, NULL, "cannot write the receipt");
    else
        code = file_write(path, 0600, text, strlen(text));
    json_object_put(json);
    if (code == EXIT_OK && path)
        fprintf(stderr, "The receipt is in %s. Your name and the entry are now in the log.\n", path);
    return code;
}

int run_audit_prove(const struct args *args)
{
    struct event_input event;
    struct session session = {0};
    Carehub__V1__ProveQuery prove = CAREHUB__V1__PROVE_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer = NULL;
    int code = input_event(args_value(args, 0), &event);
    prove.place = event.place;
    if (!event.place)
        prove.event_id = (ProtobufCBinaryData){INPUT_ID_BYTES, event.id};
    prove.without_content = args_flag(args, "no-content");
    prove.purpose = field(args_option(args, "purpose"));
    query.query_case = CAREHUB__V1__QUERY__QUERY_PROVE;
    query.prove = &prove;
    if (code == EXIT_OK)
        code = session_open(&session, args);
    if (code == EXIT_OK)
        code = ask_proof(&session, &query, &answer);
    if (code == EXIT_OK)
        code = write_receipt(answer->prove, args_option(args, "out"));
    answer_free(&answer);
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
        return fail(EXIT_NO, NULL, "the entry is not in the log: it, its content or the proof was altered");
    default:
        return EXIT_OK;
    }
}

/* An entry says itself at which place it is. */
static int check_place(const struct receipt *receipt)
{
    Carehub__V1__Entry *entry = carehub__v1__entry__unpack(NULL, receipt->entry_size, receipt->entry);
    if (!entry)
        return fail(EXIT_NO, "A later version of this tool may.", "the entry is in the log, but cannot be read");
    bool good = entry->place == receipt->proof.index + 1;
    carehub__v1__entry__free_unpacked(entry, NULL);
    return good ? EXIT_OK : fail(EXIT_NO, NULL, "the entry is in the log, but at another place than it says");
}

/* The witnesses that were named and have cosigned; -1: one of their cosignatures is wrong, or a name is no key. */
static int count_witnesses(const struct args *args, const struct receipt *receipt, int *code)
{
    const char *names[WITNESSES_MAX];
    size_t n = args_all(args, "witness", names, WITNESSES_MAX);
    struct note note;
    int cosigned = 0;
    note_parse(receipt->proof.checkpoint, receipt->proof.checkpoint_size, &note);
    for (size_t i = 0; i < n && i < WITNESSES_MAX && *code == EXIT_OK; i++) {
        struct vkey key;
        if (!vkey_parse(names[i], &key) || key.type != NOTE_COSIGNATURE)
            *code = fail(EXIT_USAGE, NULL, "“%s” is no witness's verifier key", names[i]);
        else if (note_verify(&note, &key, NULL) == NOTE_GOOD)
            cosigned++;
        else
            *code = fail(EXIT_NO, NULL, "the checkpoint is not cosigned by %s", key.name);
    }
    return cosigned;
}

static int show_receipt(const struct args *args, const struct receipt *receipt, const struct checkpoint *checkpoint)
{
    char size[COUNT_CHARS];
    int code = EXIT_OK, witnesses = count_witnesses(args, receipt, &code);
    if (code)
        return code;
    struct json_object *readable = receipt_readable(
        receipt->entry, receipt->entry_size, receipt->has_payload ? receipt->payload : NULL, receipt->payload_size);
    if (!args_flag(args, "json")) {
        printf("Entry #%llu is in the log %s: under a checkpoint of %s entries that its key has signed",
               (unsigned long long)receipt->proof.index + 1, checkpoint->origin, count_text(checkpoint->size, size));
        if (witnesses)
            printf(" and %d named %s cosigned", witnesses, witnesses == 1 ? "witness has" : "witnesses have");
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
