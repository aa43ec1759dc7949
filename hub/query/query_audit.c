/* Questions about the audit log: its checkpoint, its files, and the proof of one entry. */
#include "query.h"

#include <stdlib.h>

#include "audit/proof.h"
#include "keeping/tlog.h"

enum { TILES_MAX = 64 };

/* What the operator of a hub that a witness refuses has to know. */
static char *refusal_text(struct core *core, const struct tlog_view *view)
{
    const struct tlog_witness *witness = view->refuses;
    if (!witness)
        return arena_strdup(&core->batch, "");
    return arena_printf(&core->batch,
                        "%s has seen a checkpoint of %llu entries, %s. If an older copy of the hub and its audit log "
                        "was put back, put the newer one back instead; if that is lost, say so with: carehub audit "
                        "resume --reason TEXT",
                        witness->key.name, (unsigned long long)witness->refused_size,
                        witness->forked ? "and that is not the beginning of this log" : "more than this log has");
}

void status_of_log(struct core *core, Carehub__V1__StatusAnswer *status)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    status->tree_size = view.size;
    status->checkpoint_size = view.checkpoint.size;
    status->checkpoint_ms = view.checkpoint_ms;
    status->witnessed_size = view.witnessed.size;
    status->not_signing = arena_strdup(&core->batch, view.not_signing);
    status->mended_files = view.mended;
    status->witnesses = (uint32_t)view.n_witnesses;
    status->witnessed_ms = view.witnessed_ms;
    status->witness_refuses = refusal_text(core, &view);
}

static char *text_of(struct core *core, const char *text)
{
    return arena_strdup(&core->batch, text ? text : "");
}

static char *key_text(struct core *core, const struct vkey *key)
{
    char text[VKEY_BYTES];
    return arena_strdup(&core->batch, key ? vkey_text(key, text) : "");
}

/* What is asked about: the log that grows, or one before it, whose files are read. False: refused. */
static bool generation_of(struct core *core, uint64_t generation, struct tlog_view *view,
                          struct tlog_published *published, Error **error)
{
    *published = (struct tlog_published){0};
    tlog_view(core->tlog, view);
    if (generation == 0 || generation == view->generation)
        return true;
    if (generation > view->generation)
        return refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "generation",
                      "there is no log of that number; the last one is %llu", (unsigned long long)view->generation);
    if (tlog_published_read(core->tlog, generation, published) != TLOG_READ) {
        tlog_published_end(published);
        return refuse(core, error, ERROR_CODE(INTERNAL), "generation",
                      "what was published of that log cannot be read, or is not of this hub");
    }
    view->checkpoint = published->checkpoint;
    view->note = published->note;
    view->witnessed_note = published->witnessed_note;
    view->minimum_note = published->minimum_note;
    view->path = published->path;
    view->not_signing = "";
    view->n_witnesses = 0; /* there is nothing left to cosign */
    view->generation = generation;
    return true;
}

void checkpoint_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                      Carehub__V1__Answer *answer)
{
    (void)session;
    struct tlog_view view;
    struct tlog_published published;
    if (!generation_of(core, query->checkpoint->generation, &view, &published, &answer->error))
        return;
    NEW(core, CheckpointAnswer, said);
    said->checkpoint = text_of(core, view.note);
    said->witnessed = text_of(core, view.witnessed_note);
    said->key = key_text(core, view.key);
    said->not_signing = text_of(core, view.not_signing);
    said->generation = view.generation;
    said->minimum = text_of(core, view.minimum_note);
    said->witnesses = arena_alloc(&core->batch, (view.n_witnesses + 1) * sizeof *said->witnesses);
    for (size_t i = 0; i < view.n_witnesses; i++) {
        NEW(core, AuditWitness, witness);
        witness->key = key_text(core, &view.witnesses[i].key);
        witness->url = text_of(core, view.witnesses[i].url);
        said->witnesses[said->n_witnesses++] = witness;
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_CHECKPOINT;
    answer->checkpoint = said;
    tlog_published_end(&published);
}

static void cosigned_answer(struct core *core, unsigned witnesses, Carehub__V1__Answer *answer)
{
    NEW(core, CosignedAnswer, said);
    said->witnesses = witnesses;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_COSIGNED;
    answer->cosigned = said;
}

void tlog_cosigned_told(struct core *core, struct tlog_bringer bringer, unsigned witnesses, const char *why)
{
    Carehub__V1__Answer *answer = arena_alloc(&core->batch, sizeof *answer);
    struct session *session = u64map_get(&core->sessions, bringer.session);
    carehub__v1__answer__init(answer);
    if (witnesses > 0)
        cosigned_answer(core, witnesses, answer);
    else
        refuse(core, &answer->error, ERROR_CODE(INTERNAL), "checkpoint", "it could not be published: %s", why);
    if (session)
        answer_send(core, session, bringer.ref, answer);
}

/* Answered when it is published. */
void cosigned_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                    Carehub__V1__Answer *answer)
{
    const Carehub__V1__CosignedQuery *asked = query->cosigned;
    struct tlog_bringer bringer = {session->id, query->ref};
    struct tlog_view view;
    for (size_t i = 0; i < asked->n_refusals; i++)
        tlog_refused(core, asked->refusals[i]->witness, asked->refusals[i]->size, asked->refusals[i]->forked);
    if (asked->checkpoint[0] == '\0') {
        cosigned_answer(core, 0, answer);
        return;
    }
    switch (core->tlog ? tlog_cosigned(core, asked->checkpoint, strlen(asked->checkpoint), bringer)
                       : TLOG_COSIGNED_UNSOUND) {
    case TLOG_COSIGNED_TAKEN:
        break;
    case TLOG_COSIGNED_BUSY:
        tlog_view(core->tlog, &view);
        refuse(core, &answer->error, view.not_signing[0] ? ERROR_CODE(INTERNAL) : ERROR_CODE(BUSY), "checkpoint",
               "it cannot be published now%s%s",
               view.not_signing[0] ? ": " : ", because another one is, or the log is just being opened",
               view.not_signing);
        break;
    case TLOG_COSIGNED_UNSOUND:
        refuse(core, &answer->error, ERROR_CODE(INVALID), "checkpoint",
               "this is no checkpoint of this hub that a witness of its configuration has cosigned, within a day of "
               "the hub's clock; or a later one is there already");
        break;
    }
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Nothing but what a published checkpoint covers. */
static bool tile_published(const struct tile *tile, uint64_t size)
{
    if (tile->level < TILE_ENTRIES || tile->level >= TILE_LEVELS || tile->width == 0 || tile->width > TILE_WIDTH)
        return false;
    return tile->width <= tile_width(tile->level, tile->index, size);
}

void tiles_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                 Carehub__V1__Answer *answer)
{
    (void)session;
    const Carehub__V1__TilesQuery *asked = query->tiles;
    struct tlog_view view;
    struct tlog_published published;
    if (asked->n_tiles > TILES_MAX) {
        refuse(core, &answer->error, ERROR_CODE(TOO_LARGE), "tiles", "at most %d tiles at a time", TILES_MAX);
        return;
    }
    if (!generation_of(core, asked->generation, &view, &published, &answer->error))
        return;
    NEW(core, TilesAnswer, said);
    said->n_tiles = asked->n_tiles;
    said->tiles = arena_alloc(&core->batch, (asked->n_tiles + 1) * sizeof *said->tiles);
    struct tile_source files = tile_source_directory(view.path ? view.path : "");
    for (size_t i = 0; i < asked->n_tiles; i++) {
        struct tile tile = {asked->tiles[i]->level, asked->tiles[i]->index, asked->tiles[i]->width};
        said->tiles[i] = (ProtobufCBinaryData){0};
        if (!tile_published(&tile, view.checkpoint.size))
            continue;
        uint8_t *bytes = arena_alloc(&core->batch, tile_bytes(&tile));
        if (files.read(files.ctx, &tile, bytes))
            said->tiles[i] = (ProtobufCBinaryData){tile_bytes(&tile), bytes};
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_TILES;
    answer->tiles = said;
    tlog_published_end(&published);
}

/* ---- Proofs ----------------------------------------------------------------------------------------------------- */

/* The proof that an entry is under a checkpoint, from the files; NULL: they do not lead from its leaf to the root. */
static char *inclusion(struct core *core, const char *path, const struct log_record *record,
                       const struct checkpoint *checkpoint, const char *note)
{
    struct tlog_proof proof = {.index = record->place - 1, .checkpoint = note, .checkpoint_size = strlen(note)};
    struct tile_nodes *nodes = arena_alloc(&core->scratch, sizeof *nodes);
    struct merkle_hash leaf;
    tile_nodes_init(nodes, tile_source_directory(path), checkpoint->size);
    struct merkle_source source = tile_nodes_source(nodes);
    merkle_leaf(record->leaf, LEAF_BYTES, &leaf);
    if (!merkle_prove_inclusion(&source, proof.index, checkpoint->size, &proof.inclusion) ||
        !merkle_inclusion_holds(proof.index, checkpoint->size, &leaf, &proof.inclusion, &checkpoint->root))
        return NULL;
    char *text = arena_alloc(&core->batch, TLOG_PROOF_MAX_BYTES);
    size_t used = tlog_proof_text(&proof, text, TLOG_PROOF_MAX_BYTES - 1);
    text[used] = '\0';
    return used > 0 ? text : NULL;
}

/* The checkpoint that says most of an entry: a witnessed one, if there is one over it. */
static char *proof_of(struct core *core, const struct log_record *record, Error **error)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    unsigned long long place = record->place;
    bool witnessed = view.witnessed_note && place <= view.witnessed.size;
    if (!witnessed && place > view.checkpoint.size) {
        refuse(core, error, view.not_signing[0] ? ERROR_CODE(INTERNAL) : ERROR_CODE(BUSY), "place",
               "entry #%llu is not under a checkpoint yet%s%s", place,
               view.not_signing[0] ? ": no checkpoint is signed, because " : "; there will be one in a moment",
               view.not_signing);
        return NULL;
    }
    char *proof = inclusion(core, view.path, record, witnessed ? &view.witnessed : &view.checkpoint,
                            witnessed ? view.witnessed_note : view.note);
    if (!proof && view.lost)
        refuse(core, error, ERROR_CODE(INTERNAL), "place",
               "entry #%llu is not the one that was published at its place: %s", place, view.not_signing);
    else if (!proof)
        refuse(
            core, error, ERROR_CODE(INTERNAL), "place",
            "the files of the audit log do not lead from entry #%llu to the checkpoint: find out with `carehub audit "
            "verify` which of them are damaged",
            place);
    return proof;
}

static ProtobufCBinaryData bytes_of(struct core *core, const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, arena_copy(&core->batch, bytes, size)};
}

/* A receipt shows the entry; without it there is none. What can still be proved of it is said. */
static void refuse_without_entry(struct core *core, const Carehub__V1__ProveQuery *asked, uint64_t place,
                                 enum store_result opened, Error **error)
{
    static const char LEFT[] = "its leaf is in the tree as before. A receipt that was made before still proves it; "
                               "without one, nobody can show any more what it said";
    struct tlog_view view;
    unsigned long long number = place ? place : asked->place;
    tlog_view(core->tlog, &view);
    if (opened == STORE_DAMAGED)
        refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "place",
               "entry #%llu is damaged or was altered: restore the database from a backup", number);
    else if (opened == STORE_ERASED)
        refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "place", "entry #%llu has been erased: %s", number, LEFT);
    else if (number == 0)
        refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "eventId",
               "there is no such event, or its id is no longer known: name it by its place in the log");
    else if (number > core->pruned_place)
        refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "place", "there is no entry #%llu: the log has %llu entries",
               number, (unsigned long long)core->committed_place);
    else
        refuse(core, error, ERROR_CODE(UNKNOWN_NAME), "place", "entry #%llu is too old to be kept%s: %s", number,
               place <= tile_first_entry(view.minimum) ? ", and was pruned from the audit log's files" : "", LEFT);
}

void prove_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                 Carehub__V1__Answer *answer)
{
    const Carehub__V1__ProveQuery *asked = query->prove;
    uint64_t place = event_place_of(core, &asked->event_id, asked->place);
    struct log_record record;
    Entry *entry = NULL;
    enum store_result opened =
        place && place <= core->committed_place ? entry_open(core, place, &core->batch, &record, &entry) : STORE_NONE;
    if (!entry) {
        refuse_without_entry(core, asked, place, opened, &answer->error);
        return;
    }
    if (strlen(asked->purpose) > TEXT_MAX_BYTES) {
        refuse(core, &answer->error, ERROR_CODE(TOO_LARGE), "purpose", "the purpose is too long");
        return;
    }
    NEW(core, ProveAnswer, said);
    said->proof = proof_of(core, &record, &answer->error);
    if (!said->proof)
        return;
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    said->key = key_text(core, view.key);
    said->entry = bytes_of(core, record.entry, record.entry_size);
    said->salt = bytes_of(core, record.salt, sizeof record.salt);
    said->content = bytes_of(core, record.content, sizeof record.content);
    said->has_payload = opened == STORE_OK && !asked->without_content;
    if (said->has_payload) {
        said->payload_salt = bytes_of(core, record.payload_salt, sizeof record.payload_salt);
        said->payload = bytes_of(core, record.payload, record.payload_size);
    }
    const char *purpose = asked->purpose[0] ? asked->purpose : "receipt";
    log_reading(core, session, said->has_payload ? purpose : arena_printf(&core->batch, "proof: %s", purpose),
                entry->patient, place, 0);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_PROVE;
    answer->prove = said;
}
