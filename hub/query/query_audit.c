/* Questions about the audit log: its checkpoint, its files, and the proof of one entry. */
#include "query.h"

#include <stdlib.h>

#include "audit/proof.h"
#include "keeping/tlog.h"

enum { TILES_MAX = 64 };

void status_of_log(struct core *core, Carehub__V1__StatusAnswer *status)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    status->tree_size = view.size;
    status->checkpoint_size = view.checkpoint.size;
    status->checkpoint_ms = view.checkpoint_ms;
    status->witnessed_size = view.witnessed.size;
    status->not_signing = arena_strdup(&core->batch, view.not_signing);
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

void checkpoint_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                      Carehub__V1__Answer *answer)
{
    (void)session, (void)query;
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    NEW(core, CheckpointAnswer, said);
    said->checkpoint = text_of(core, view.note);
    said->witnessed = text_of(core, view.witnessed_note);
    said->key = key_text(core, view.key);
    said->not_signing = text_of(core, view.not_signing);
    said->witnesses = arena_alloc(&core->batch, (view.n_witnesses + 1) * sizeof *said->witnesses);
    for (size_t i = 0; i < view.n_witnesses; i++) {
        NEW(core, AuditWitness, witness);
        witness->key = key_text(core, &view.witnesses[i].key);
        witness->url = text_of(core, view.witnesses[i].url);
        said->witnesses[said->n_witnesses++] = witness;
    }
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_CHECKPOINT;
    answer->checkpoint = said;
}

void cosigned_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                    Carehub__V1__Answer *answer)
{
    (void)session;
    const char *text = query->cosigned->checkpoint;
    unsigned sound = core->tlog ? tlog_cosigned(core->tlog, text, strlen(text)) : 0;
    if (sound == 0) {
        refuse(core, &answer->error, ERROR_CODE(INVALID), "checkpoint",
               "this is no checkpoint of this hub that a witness of its configuration has cosigned, or a later one is "
               "there already");
        return;
    }
    NEW(core, CosignedAnswer, said);
    said->witnesses = sound;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_COSIGNED;
    answer->cosigned = said;
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
    tlog_view(core->tlog, &view);
    if (asked->n_tiles > TILES_MAX) {
        refuse(core, &answer->error, ERROR_CODE(TOO_LARGE), "tiles", "at most %d tiles at a time", TILES_MAX);
        return;
    }
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
}

/* ---- Proofs ----------------------------------------------------------------------------------------------------- */

/* The proof that an entry is under a checkpoint, from the files; NULL: they cannot be read. */
static char *inclusion(struct core *core, const struct tlog_view *view, uint64_t index, uint64_t size, const char *note)
{
    struct tlog_proof proof = {.index = index, .checkpoint = note, .checkpoint_size = strlen(note)};
    struct tile_nodes *nodes = arena_alloc(&core->scratch, sizeof *nodes);
    tile_nodes_init(nodes, tile_source_directory(view->path), size);
    struct merkle_source source = tile_nodes_source(nodes);
    if (!merkle_prove_inclusion(&source, index, size, &proof.inclusion))
        return NULL;
    char *text = arena_alloc(&core->batch, TLOG_PROOF_MAX_BYTES);
    size_t used = tlog_proof_text(&proof, text, TLOG_PROOF_MAX_BYTES - 1);
    text[used] = '\0';
    return used > 0 ? text : NULL;
}

/* The checkpoint that says most of an entry: a witnessed one, if there is one over it. */
static char *proof_of(struct core *core, uint64_t place, Error **error)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    bool witnessed = view.witnessed_note && place <= view.witnessed.size;
    if (!witnessed && place > view.checkpoint.size) {
        refuse(core, error, view.not_signing[0] ? ERROR_CODE(INTERNAL) : ERROR_CODE(BUSY), "place",
               "entry #%llu is not under a checkpoint yet%s%s", (unsigned long long)place,
               view.not_signing[0] ? ": no checkpoint is signed, because " : "; there will be one in a moment",
               view.not_signing);
        return NULL;
    }
    char *proof = inclusion(core, &view, place - 1, witnessed ? view.witnessed.size : view.checkpoint.size,
                            witnessed ? view.witnessed_note : view.note);
    if (!proof)
        refuse(core, error, ERROR_CODE(INTERNAL), "place",
               "the tiles of the audit log cannot be read: check them with `carehub audit verify --tiles`");
    return proof;
}

static ProtobufCBinaryData bytes_of(struct core *core, const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, arena_copy(&core->batch, bytes, size)};
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
    if (strlen(asked->purpose) > TEXT_MAX_BYTES || !entry) {
        refuse(core, &answer->error, entry ? ERROR_CODE(TOO_LARGE) : ERROR_CODE(UNKNOWN_NAME),
               entry ? "purpose" : "place",
               entry                     ? "the purpose is too long"
               : opened == STORE_ERASED  ? "the entry has been erased: only its leaf is left"
               : opened == STORE_DAMAGED ? "the entry is damaged or was altered: restore the database from a backup"
                                         : "there is no such entry, or it is no longer kept");
        return;
    }
    NEW(core, ProveAnswer, said);
    said->proof = proof_of(core, place, &answer->error);
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
    log_reading(core, session, asked->purpose[0] ? asked->purpose : "receipt", entry->patient, place, 0);
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_PROVE;
    answer->prove = said;
}
