/* carehub audit witness: has the hub's checkpoint cosigned by the witnesses of its configuration (C2SP tlog-witness,
 * "add-checkpoint"), and hands the cosignatures to the hub, which publishes them.
 *
 * This is a client of the hub, not a part of it: the hub talks to nobody on its own, asking a slow witness keeps
 * nothing waiting, and the machine that reaches the witnesses need not be the hub's. It is as little trusted as the
 * witnesses' answers: the hub verifies every cosignature itself. Run by a timer, or with --every. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audit.h"
#include "audit_files.h"
#include "audit_http.h"
#include "input.h"
#include "nouns.h"
#include "wait.h"

enum { TRIES_MAX = 3, URL_BYTES = 1024, CLOCKS_DIFFER_S = 86400 };

/* One witness, over all rounds. */
struct witness {
    struct vkey key;
    char *url;
    uint64_t size; /* of the last checkpoint that it has cosigned, as far as known */
    bool refuses;  /* in this round: it has seen a longer log, or … */
    bool forked;   /* … one that is not the beginning of this one … */
    uint64_t seen; /* … of that size */
};

struct round {
    struct session *session;
    struct checkpoint_file checkpoint; /* the hub's, with what has been added to it */
    uint64_t minimum;                  /* of its log */
    uint64_t generation;               /* its number: from 2 on it was begun after a loss */
    char *lines;                       /* cosignatures of this round */
    struct audit_http_answer answer;
    unsigned before; /* witnesses that had cosigned it before this round */
};

/* ---- Asking one witness ----------------------------------------------------------------------------------------- */

/* The request's body; NULL: the hub's tiles cannot be read, which has been said. */
static char *request_body(struct round *round, uint64_t old_size)
{
    const struct checkpoint *checkpoint = &round->checkpoint.checkpoint;
    struct hub_tiles tiles = {.session = round->session, .minimum = round->minimum};
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_proof proof;
    char *body = NULL, hash[BASE64_HASH_CHARS + 1];
    size_t size;
    FILE *out = open_memstream(&body, &size);
    if (!nodes || !out)
        abort();
    tile_nodes_init(nodes, hub_tiles_source(&tiles), checkpoint->size);
    struct merkle_source source = tile_nodes_source(nodes);
    bool proved = merkle_prove_consistency(&source, old_size, checkpoint->size, &proof);
    free(nodes);
    fprintf(out, "old %" PRIu64 "\n", old_size);
    for (size_t i = 0; proved && i < proof.n; i++) {
        base64_write(proof.hashes[i].bytes, MERKLE_HASH_BYTES, hash);
        fprintf(out, "%s\n", hash);
    }
    fprintf(out, "\n%s", round->checkpoint.text);
    if (fclose(out) != 0)
        abort();
    if (proved)
        return body;
    free(body);
    return NULL;
}

static int said(const struct witness *witness, const char *what)
{
    return fail(EXIT_NO, NULL, "%s: %s", witness->key.name, what);
}

/* Is a line a sound cosignature of the checkpoint? One of another day is not of this moment: what verifies later would
 * take it for that. */
static bool cosigns(const struct round *round, const struct witness *witness, const struct note_signature *line)
{
    const struct note *note = &round->checkpoint.note;
    struct note whole;
    char *text;
    int64_t cosigned_s, now_s = (int64_t)time(NULL);
    if (asprintf(&text, "%.*s\n%.*s", (int)note->text_size, note->text, (int)line->line_size, line->line) < 0)
        abort();
    bool good = note_parse(text, strlen(text), &whole) &&
                note_verify(&whole, &witness->key, &cosigned_s) == NOTE_GOOD && cosigned_s >= now_s - CLOCKS_DIFFER_S &&
                cosigned_s <= now_s + CLOCKS_DIFFER_S;
    free(text);
    return good;
}

/* Takes the cosignature of the witness's key out of its answer. Other lines are ignored. */
static int take_cosignature(struct round *round, const struct witness *witness)
{
    struct note lines;
    char *all;
    if (!note_parse_signatures(round->answer.body, round->answer.size, &lines))
        return said(witness, "the answer holds no cosignature");
    for (size_t i = 0; i < lines.n_signatures; i++) {
        const struct note_signature *line = &lines.signatures[i];
        if (!cosigns(round, witness, line))
            continue;
        if (asprintf(&all, "%s%.*s", round->lines, (int)line->line_size, line->line) < 0)
            abort();
        free(round->lines);
        round->lines = all;
        return EXIT_OK;
    }
    return said(witness,
                "the answer holds no sound cosignature of its key of this day (is its clock right, and ours?)");
}

static const char PUT_BACK[] =
    "Was an older copy of hub and audit log put back together? The witness holds the proof of "
    "what was lost. `carehub status` of the hub says how to go on.";

static void refuses(struct witness *witness, uint64_t size, bool forked)
{
    witness->refuses = true;
    witness->forked = forked;
    witness->seen = size;
}

/* The witness has another size than was thought; true: ask again with that one. */
static bool take_size(struct round *round, struct witness *witness, int *code)
{
    size_t length = round->answer.size;
    uint64_t size;
    if (length > 0 && round->answer.body[length - 1] == '\n')
        length--;
    if (!decimal_read(round->answer.body, length, &size)) {
        *code = said(witness, "the answer says conflict, but no size");
        return false;
    }
    if (size > round->checkpoint.checkpoint.size) {
        *code = fail(EXIT_NO, PUT_BACK, "%s has seen a checkpoint of %" PRIu64 " entries, and the hub's has %" PRIu64,
                     witness->key.name, size, round->checkpoint.checkpoint.size);
        refuses(witness, size, false);
        return false;
    }
    if (size == round->checkpoint.checkpoint.size && size == witness->size) { /* that is what it was told */
        *code =
            fail(EXIT_NO, PUT_BACK, "%s has seen another checkpoint of %" PRIu64 " entries", witness->key.name, size);
        refuses(witness, size, true);
        return false;
    }
    witness->size = size;
    return true;
}

static int refused(const struct round *round, struct witness *witness)
{
    switch (round->answer.status) {
    case 0:
        return said(witness, round->answer.error);
    case 403:
        return said(witness, "it does not accept the signature: does it know the hub's key?");
    case 404:
        if (round->generation > 1)
            return fail(EXIT_NO, "Have it added there: name, and the key of `carehub audit checkpoint --key`.",
                        "%s does not know the log %s, which was begun after a loss", witness->key.name,
                        round->checkpoint.checkpoint.origin);
        return said(witness, "it does not know this log, or the URL is wrong");
    case 422:
        refuses(witness, witness->size, true);
        return fail(EXIT_NO, PUT_BACK, "%s: what it has cosigned before is not the beginning of this log",
                    witness->key.name);
    default:
        return fail(EXIT_NO, NULL, "%s: it answers with HTTP status %ld", witness->key.name, round->answer.status);
    }
}

static int ask_witness(struct round *round, struct witness *witness, bool cosigned)
{
    char url[URL_BYTES];
    int code = EXIT_OK;
    size_t length = strlen(witness->url);
    while (length > 0 && witness->url[length - 1] == '/')
        length--;
    snprintf(url, sizeof url, "%.*s/add-checkpoint", (int)length, witness->url);
    if (witness->size > round->checkpoint.checkpoint.size)
        witness->size = 0;
    witness->refuses = false;
    for (int tries = 0; tries < TRIES_MAX && code == EXIT_OK; tries++) {
        char *body = request_body(round, witness->size);
        if (!body)
            return EXIT_NO;
        audit_http_post(url, body, strlen(body), round->session->timeout_ms, &round->answer);
        free(body);
        if (round->answer.status == 200) {
            witness->size = round->checkpoint.checkpoint.size;
            return cosigned ? EXIT_OK : take_cosignature(round, witness);
        }
        if (round->answer.status != 409)
            return refused(round, witness);
        if (!take_size(round, witness, &code))
            return code;
    }
    return said(witness, "it changes its mind about what it has seen: is somebody else asking it?");
}

/* ---- A round ---------------------------------------------------------------------------------------------------- */

static size_t take_refusals(struct witness *witnesses, size_t n, Carehub__V1__WitnessRefusal *refusals)
{
    size_t refuse = 0;
    for (size_t i = 0; i < n; i++) {
        if (!witnesses[i].refuses)
            continue;
        carehub__v1__witness_refusal__init(&refusals[refuse]);
        refusals[refuse].witness = witnesses[i].key.name;
        refusals[refuse].size = witnesses[i].seen;
        refusals[refuse++].forked = witnesses[i].forked;
    }
    return refuse;
}

/* Tells the hub: who has cosigned, and who refuses. */
static int tell_hub(struct round *round, struct witness *witnesses, size_t n, unsigned *sound)
{
    char *text = NULL;
    Carehub__V1__CosignedQuery cosigned = CAREHUB__V1__COSIGNED_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    Carehub__V1__Answer *answer = NULL;
    Carehub__V1__WitnessRefusal *refusals = calloc(n + 1, sizeof *refusals),
                                **pointers = calloc(n + 1, sizeof *pointers);
    if (!refusals || !pointers ||
        (round->lines[0] && asprintf(&text, "%s%s", round->checkpoint.text, round->lines) < 0))
        abort();
    for (size_t i = 0; i < n; i++)
        pointers[i] = &refusals[i];
    cosigned.checkpoint = text ? text : (char *)"";
    cosigned.n_refusals = take_refusals(witnesses, n, refusals);
    cosigned.refusals = pointers;
    query.query_case = CAREHUB__V1__QUERY__QUERY_COSIGNED;
    query.cosigned = &cosigned;
    int code = EXIT_OK;
    if (text || cosigned.n_refusals > 0)
        code = session_ask(round->session, &query, CAREHUB__V1__ANSWER__ANSWER_COSIGNED, &answer);
    if (answer)
        *sound = answer->cosigned->witnesses;
    answer_free(&answer);
    free(refusals);
    free(pointers);
    free(text);
    return code;
}

/* Those that have cosigned this very checkpoint already are asked too: one that has seen more since says so, and that
 * an older copy was put back is noticed though nothing is new. */
static int ask_all(struct round *round, struct witness *witnesses, size_t n)
{
    int worst = EXIT_OK;
    for (size_t i = 0; i < n; i++) {
        bool cosigned = note_verify(&round->checkpoint.note, &witnesses[i].key, NULL) == NOTE_GOOD;
        if (cosigned)
            witnesses[i].size = round->checkpoint.checkpoint.size;
        int code = ask_witness(round, &witnesses[i], cosigned);
        round->before += cosigned && code == EXIT_OK;
        worst = code ? code : worst;
    }
    return worst;
}

static void conclude(const struct round *round, unsigned sound, size_t n)
{
    char size[COUNT_CHARS];
    uint64_t entries = round->checkpoint.checkpoint.size;
    bool all_before = sound == 0;
    unsigned cosigned = all_before ? round->before : sound;
    if (cosigned > 0 && round->session->json)
        print_json_pairs("size", digits_text(entries, size), "cosigned", "yes", NULL);
    else if (cosigned > 0)
        printf("The checkpoint of %s entries is cosigned by %u of %zu witnesses%s.\n", count_text(entries, size),
               cosigned, n, all_before ? ", as before" : "");
}

static int run_round(struct session *session, struct witness *witnesses, size_t n,
                     const Carehub__V1__CheckpointAnswer *hub)
{
    struct round *round = calloc(1, sizeof *round);
    unsigned sound = 0;
    if (!round || !(round->lines = strdup("")))
        abort();
    round->session = session;
    round->generation = hub->generation;
    int code = checkpoint_file_take(&round->checkpoint, strdup(hub->checkpoint), "the hub's checkpoint"),
        published = EXIT_OK;
    if (code == EXIT_OK)
        code =
            minimum_take(hub->minimum, &round->checkpoint.checkpoint, NULL, "the hub's minimum index", &round->minimum);
    if (code == EXIT_OK) {
        code = ask_all(round, witnesses, n);
        published = tell_hub(round, witnesses, n, &sound);
        if (published == EXIT_OK)
            conclude(round, sound, n);
    }
    checkpoint_file_end(&round->checkpoint);
    free(round->lines);
    free(round);
    return published ? published : code;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static int take_witnesses(const Carehub__V1__CheckpointAnswer *answer, struct witness **witnesses)
{
    if (answer->n_witnesses == 0)
        return fail(
            EXIT_NO,
            "Name each there, in quotes: witness = \"KEY URL\" (see hub.conf.example, and README, The audit log).",
            "the hub's configuration names no witness");
    if (*witnesses)
        return EXIT_OK;
    *witnesses = calloc(answer->n_witnesses, sizeof **witnesses);
    if (!*witnesses)
        abort();
    for (size_t i = 0; i < answer->n_witnesses; i++) {
        if (!vkey_parse(answer->witnesses[i]->key, &(*witnesses)[i].key))
            return fail(EXIT_NO, NULL, "a witness's key cannot be read");
        (*witnesses)[i].url = strdup(answer->witnesses[i]->url);
    }
    return EXIT_OK;
}

static int one_round(struct session *session, struct witness **witnesses, size_t *n)
{
    Carehub__V1__Answer *answer;
    int code = audit_ask_checkpoint(session, 0, &answer);
    if (code == EXIT_OK)
        code = take_witnesses(answer->checkpoint, witnesses);
    if (code == EXIT_OK) {
        *n = answer->checkpoint->n_witnesses;
        if (answer->checkpoint->checkpoint[0])
            code = run_round(session, *witnesses, *n, answer->checkpoint);
        else
            code = fail(EXIT_NO, NULL, "there is no checkpoint%s%s", answer->checkpoint->not_signing[0] ? ": " : " yet",
                        answer->checkpoint->not_signing);
    }
    answer_free(&answer);
    fflush(stdout);
    return code;
}

int run_audit_witness(const struct args *args)
{
    struct session session = {0};
    struct wait wait;
    struct witness *witnesses = NULL;
    size_t n = 0;
    int64_t every_ms = 0;
    int code = args_option(args, "every") ? input_duration(args_option(args, "every"), &every_ms) : EXIT_OK;
    if (code == EXIT_OK)
        code = session_open(&session, args);
    wait_start(&wait);
    if (code == EXIT_OK)
        do
            code = one_round(&session, &witnesses, &n);
        while (every_ms > 0 && wait_for(&wait, monotonic_ms() + every_ms) == WAIT_TIMED_OUT);
    session_close(&session);
    wait_end(&wait);
    for (size_t i = 0; i < n; i++)
        free(witnesses[i].url);
    free(witnesses);
    return code;
}
