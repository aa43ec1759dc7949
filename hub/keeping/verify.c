/* Verification of the whole store, for an auditor who asks for it: every entry is opened and compared with its leaf,
 * the leaves with those that were published, every tile of hashes with the leaves, and the root over all of them with
 * the checkpoint. A slice after each commit, behind everything else, like the comparison of policies. One at a time.
 *
 * An entry and its published leaf that differ are told apart by the tile of hashes: it goes with one of the two. */
#include "query/query.h"

#include <stdlib.h>

#include "keeping.h"
#include "audit/check_walk.h"
#include "tlog.h"

enum { LOOKED_AT_ONCE = 64, TOLD_EVERY_MS = 500 };

static const uint8_t NO_CONTENT[CONTENT_BYTES], NO_LEAF[LEAF_BYTES];

struct verify {
    session_id session;
    uint64_t ref;
    uint64_t place, to; /* the last one that was looked at, and the last one to be */
    struct checkpoint checkpoint;
    struct tile_source files;
    struct check_walk *walk; /* of the checkpoint's entries */
    char *note, *path;
    uint8_t published[TILE_WIDTH][LEAF_BYTES]; /* the leaves of one bundle */
    size_t n_published;
    uint64_t erased, pruned, without_content, wrong, first_wrong;
    uint64_t wrong_files, wrong_bundle; /* … the bundle that was counted last */
    struct tile wrong_file;             /* the first one */
    uint64_t minimum; /* the first entry whose leaf is in the tiles; what is before it counts as pruned */
    bool agrees;
    int64_t told_ms;
};

void verify_end(struct core *core)
{
    if (!core->verify)
        return;
    check_walk_destroy(&core->verify->walk);
    free(core->verify->note);
    free(core->verify->path);
    free(core->verify);
    core->verify = NULL;
}

static void answer_now(struct core *core, bool more)
{
    const struct verify *verify = core->verify;
    Carehub__V1__VerifyAnswer said = CAREHUB__V1__VERIFY_ANSWER__INIT;
    Carehub__V1__Answer answer = CAREHUB__V1__ANSWER__INIT;
    char path[TILE_PATH_BYTES];
    said.wrong_files = verify->wrong_files;
    if (verify->wrong_files > 0)
        said.wrong_file = (char *)tile_path(&verify->wrong_file, path);
    said.checked = verify->place;
    said.total = verify->to;
    said.erased = verify->erased;
    said.pruned = verify->pruned;
    said.without_content = verify->without_content;
    said.wrong = verify->wrong;
    said.first_wrong = verify->first_wrong;
    said.checkpoint = verify->note;
    said.agrees = verify->agrees;
    said.minimum = verify->minimum;
    answer.ref = verify->ref;
    answer.more = more;
    answer.answer_case = CAREHUB__V1__ANSWER__ANSWER_VERIFY;
    answer.verify = &said;
    answer_at_once(core, verify->session, &answer);
}

static void wrong_file(struct verify *verify, const struct tile *tile)
{
    if (verify->wrong_files++ == 0)
        verify->wrong_file = *tile;
}

/* The leaf that was published for a place, or NULL. */
static const uint8_t *published_leaf(struct verify *verify, uint64_t place)
{
    uint64_t index = place - 1, size = verify->checkpoint.size;
    struct tile bundle = {TILE_ENTRIES, index / TILE_WIDTH, tile_width(TILE_ENTRIES, index / TILE_WIDTH, size)};
    if (index >= size)
        return NULL;
    if (index % TILE_WIDTH == 0) {
        verify->n_published = tile_leaves(&verify->files, index, size, TILE_WIDTH, verify->published);
        if (verify->n_published < bundle.width)
            wrong_file(verify, &bundle);
    }
    return index % TILE_WIDTH < verify->n_published ? verify->published[index % TILE_WIDTH] : NULL;
}

/* What the store has of an entry: NULL if nothing that its leaf could be told from. */
static const uint8_t *stored_leaf(struct core *core, uint64_t place, uint8_t leaf[LEAF_BYTES], bool *sound)
{
    struct verify *verify = core->verify;
    struct log_record record;
    Entry *entry;
    enum store_result result = entry_open(core, place, &core->scratch, &record, &entry);
    bool known = entry || result == STORE_ERASED;
    if (known)
        memcpy(leaf, record.leaf, LEAF_BYTES);
    *sound = result != STORE_DAMAGED;
    verify->erased += result == STORE_ERASED;
    verify->pruned += result == STORE_NONE && !entry;
    verify->without_content += entry && result == STORE_NONE && memcmp(record.content, NO_CONTENT, CONTENT_BYTES) != 0;
    arena_reset(&core->scratch);
    return known ? leaf : NULL;
}

static bool is_hash_of(const struct merkle_hash *hash, const uint8_t leaf[LEAF_BYTES])
{
    struct merkle_hash of;
    merkle_leaf(leaf, LEAF_BYTES, &of);
    return hash && merkle_equal(hash, &of);
}

/* Which of the two is the one of the tree, where they differ: a bundle can be damaged as well as the store. */
static const uint8_t *right_leaf(struct verify *verify, const uint8_t *stored, const uint8_t *published, bool *sound)
{
    uint64_t index = verify->place - 1;
    if (stored && published && memcmp(stored, published, LEAF_BYTES) != 0) {
        *sound &= is_hash_of(check_walk_next(verify->walk), stored);
        if (*sound && index / TILE_WIDTH != verify->wrong_bundle) {
            verify->wrong_bundle = index / TILE_WIDTH;
            wrong_file(verify, &(struct tile){TILE_ENTRIES, index / TILE_WIDTH,
                                              tile_width(TILE_ENTRIES, index / TILE_WIDTH, verify->checkpoint.size)});
        }
    }
    *sound &= stored || published;
    return stored && (*sound || !published) ? stored : published;
}

static void look_at(struct core *core, uint64_t place)
{
    struct verify *verify = core->verify;
    uint8_t leaf[LEAF_BYTES];
    bool sound, covered = place <= verify->checkpoint.size;
    const uint8_t *published = published_leaf(verify, place), *stored = stored_leaf(core, place, leaf, &sound);
    if (covered) {
        const uint8_t *right = right_leaf(verify, stored, published, &sound);
        check_walk_leaf(verify->walk, right ? right : NO_LEAF);
    } else {
        sound &= stored != NULL;
    }
    if (!sound)
        verify->first_wrong = verify->wrong++ ? verify->first_wrong : place;
    if (place == verify->checkpoint.size) {
        struct tile first;
        verify->agrees = check_walk_end(verify->walk);
        uint64_t wrong = check_walk_wrong(verify->walk, &first);
        if (wrong > 0 && verify->wrong_files == 0)
            verify->wrong_file = first;
        verify->wrong_files += wrong;
    }
}

static void look(struct core *core)
{
    struct verify *verify = core->verify;
    for (size_t n = 0; n < LOOKED_AT_ONCE && verify->place < verify->to; n++)
        look_at(core, ++verify->place);
}

void verify_step(struct core *core)
{
    struct verify *verify = core->verify;
    if (!verify)
        return;
    if (!session_may_ask(core, core->verify->session, CAREHUB__V1__QUERY__QUERY_VERIFY)) {
        verify_end(core);
        return;
    }
    if (core->output.room(core->output.ctx) <= DELIVER_FRAME_MAX_BYTES)
        return; /* it goes on when there is some */
    look(core);
    if (verify->place < verify->to) {
        if (core->real_ms >= verify->told_ms + TOLD_EVERY_MS) {
            verify->told_ms = core->real_ms;
            answer_now(core, true);
        }
        return;
    }
    answer_now(core, false);
    if (verify->wrong_files > 0 && verify->wrong == 0 && verify->agrees)
        tlog_mend(core);
    verify_end(core);
}

void verify_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                  Carehub__V1__Answer *answer)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    if (core->verify && session_may_ask(core, core->verify->session, CAREHUB__V1__QUERY__QUERY_VERIFY)) {
        refuse(core, &answer->error, ERROR_CODE(BUSY), "verify",
               "the hub is verifying its store for somebody else: try again when it is done");
        return;
    }
    if (!view.note) {
        refuse(core, &answer->error, view.not_signing[0] ? ERROR_CODE(INTERNAL) : ERROR_CODE(BUSY), "verify",
               "there is no checkpoint to compare with%s%s", view.not_signing[0] ? ": " : " yet", view.not_signing);
        return;
    }
    verify_end(core);
    struct verify *verify = core->verify = xcalloc(1, sizeof *verify);
    verify->session = session->id;
    verify->ref = query->ref;
    verify->to = core->committed_place;
    verify->note = strdup(view.note);
    verify->path = strdup(view.path);
    verify->told_ms = core->real_ms;
    if (!verify->note || !verify->path)
        abort();
    verify->checkpoint = view.checkpoint;
    verify->files = tile_source_directory(verify->path);
    verify->place = verify->pruned = verify->minimum = tile_first_entry(view.minimum);
    verify->wrong_bundle = UINT64_MAX;
    verify->walk = check_walk_new(verify->files, &verify->checkpoint, view.minimum);
    if (!verify->walk) {
        refuse(core, &answer->error, ERROR_CODE(INTERNAL), "verify",
               "the tiles of the audit log cannot be read: check them with `carehub audit verify --tiles`");
        verify_end(core);
        return;
    }
    NEW(core, VerifyAnswer, started);
    started->total = verify->to;
    answer->more = true;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_VERIFY;
    answer->verify = started;
}
