/* Verification of the whole store, for an auditor who asks for it: every entry is opened and compared with its leaf,
 * the leaves with those that were published, and the root over all of them with the checkpoint. A slice after each
 * commit, behind everything else, like the comparison of policies. One at a time. */
#include "query/query.h"

#include <stdlib.h>

#include "keeping.h"
#include "tlog.h"

enum { LOOKED_AT_ONCE = 64, TOLD_EVERY_MS = 500 };

static const uint8_t NO_CONTENT[CONTENT_BYTES];

struct verify {
    session_id session;
    uint64_t ref;
    uint64_t place, to; /* the last one that was looked at, and the last one to be */
    struct checkpoint checkpoint;
    char *note, *path;
    struct merkle_frontier tree;
    uint8_t published[TILE_WIDTH][LEAF_BYTES]; /* the leaves of one bundle */
    size_t n_published;
    uint64_t erased, pruned, without_content, wrong, first_wrong;
    bool agrees;
    int64_t told_ms;
};

void verify_end(struct core *core)
{
    if (!core->verify)
        return;
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
    said.checked = verify->place;
    said.total = verify->to;
    said.erased = verify->erased;
    said.pruned = verify->pruned;
    said.without_content = verify->without_content;
    said.wrong = verify->wrong;
    said.first_wrong = verify->first_wrong;
    said.checkpoint = verify->note;
    said.agrees = verify->agrees;
    answer.ref = verify->ref;
    answer.more = more;
    answer.answer_case = CAREHUB__V1__ANSWER__ANSWER_VERIFY;
    answer.verify = &said;
    answer_at_once(core, verify->session, &answer);
}

/* The leaf that was published for a place, or NULL. */
static const uint8_t *published_leaf(struct verify *verify, uint64_t place)
{
    uint64_t index = place - 1;
    const struct tile_source files = tile_source_directory(verify->path);
    if (index >= verify->checkpoint.size)
        return NULL;
    if (index % TILE_WIDTH == 0)
        verify->n_published = tile_leaves(&files, index, verify->checkpoint.size, TILE_WIDTH, verify->published);
    return index % TILE_WIDTH < verify->n_published ? verify->published[index % TILE_WIDTH] : NULL;
}

/* True: the entry at the place is what its leaf says, as far as it is still there. */
static bool entry_sound(struct core *core, uint64_t place, const uint8_t *published, uint8_t leaf[LEAF_BYTES])
{
    struct verify *verify = core->verify;
    struct log_record record;
    Entry *entry;
    enum store_result result = entry_open(core, place, &core->scratch, &record, &entry);
    bool known = entry || result == STORE_ERASED;
    memcpy(leaf, known ? record.leaf : published ? published : NO_CONTENT, LEAF_BYTES);
    verify->erased += result == STORE_ERASED;
    verify->pruned += result == STORE_NONE && !entry && published;
    verify->without_content += entry && result == STORE_NONE && memcmp(record.content, NO_CONTENT, CONTENT_BYTES) != 0;
    arena_reset(&core->scratch);
    return result != STORE_DAMAGED && (known || published) && (!published || memcmp(leaf, published, LEAF_BYTES) == 0);
}

static void look(struct core *core)
{
    struct verify *verify = core->verify;
    for (size_t n = 0; n < LOOKED_AT_ONCE && verify->place < verify->to; n++) {
        uint64_t place = ++verify->place;
        uint8_t leaf[LEAF_BYTES];
        const uint8_t *published = published_leaf(verify, place);
        bool covered = place <= verify->checkpoint.size;
        if (!entry_sound(core, place, published, leaf) || (covered && !published)) {
            verify->first_wrong = verify->wrong++ ? verify->first_wrong : place;
        }
        if (covered) {
            struct merkle_hash hash;
            merkle_leaf(leaf, sizeof leaf, &hash);
            merkle_append(&verify->tree, &hash);
        }
    }
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
    struct merkle_hash root;
    merkle_frontier_root(&verify->tree, &root);
    verify->agrees = verify->tree.size == verify->checkpoint.size && merkle_equal(&root, &verify->checkpoint.root);
    answer_now(core, false);
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
        refuse(core, &answer->error, ERROR_CODE(BUSY), "verify", "there is no checkpoint to compare with yet%s%s",
               view.not_signing[0] ? ": " : "", view.not_signing);
        return;
    }
    verify_end(core);
    struct verify *verify = core->verify = xcalloc(1, sizeof *verify);
    verify->session = session->id;
    verify->ref = query->ref;
    verify->to = core->committed_place;
    verify->checkpoint = view.checkpoint;
    verify->note = strdup(view.note);
    verify->path = strdup(view.path);
    verify->told_ms = core->real_ms;
    if (!verify->note || !verify->path)
        abort();
    NEW(core, VerifyAnswer, started);
    started->total = verify->to;
    answer->more = true;
    answer->answer_case = CAREHUB__V1__ANSWER__ANSWER_VERIFY;
    answer->verify = started;
}
