/* carehub audit consistency: that the log of one checkpoint goes on from that of another. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "audit_files.h"

struct consistency {
    struct checkpoint_file old, new;
    struct vkey key;
    bool key_given;
    struct witness_keys witnesses;
    uint64_t minimum; /* up to where the tiles were pruned */
    struct tile_source tiles;
    const char *directory; /* of the tiles; NULL: they are the hub's, which says itself what is missing */
};

static int not_proved(const struct consistency *c, const struct tile *missing)
{
    char path[TILE_PATH_BYTES], minimum[COUNT_CHARS];
    if (!c->directory)
        return EXIT_NO;
    tile_path(missing, path);
    if (tile_was_pruned(missing, c->minimum))
        return fail(EXIT_NO, "A copy of the files that was made before can still show it.",
                    "%s was pruned with the first %s entries of the log: they cannot be compared any more", path,
                    count_text(c->minimum, minimum));
    return fail(EXIT_NO, NULL, "%s/%s is missing or not of its size", c->directory, path);
}

/* The tree of the newer checkpoint has to begin with that of the older one. The proof is made from the tiles, and
 * checked against both roots: wrong tiles cannot make it hold. */
static int compare(const struct consistency *c, bool json)
{
    const struct checkpoint *a = &c->old.checkpoint, *b = &c->new.checkpoint;
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_proof proof;
    char old[COUNT_CHARS], new[COUNT_CHARS];
    if (!nodes)
        abort();
    tile_nodes_init(nodes, c->tiles, b->size);
    struct merkle_source source = tile_nodes_source(nodes);
    struct merkle_hash root;
    bool proved = merkle_root(&source, b->size, &root) && merkle_prove_consistency(&source, a->size, b->size, &proof);
    struct tile missing = nodes->missing;
    free(nodes);
    if (!proved)
        return not_proved(c, &missing);
    if (!merkle_equal(&root, &b->root))
        return fail(EXIT_NO,
                    "Either they are of another log, or damaged (`carehub audit verify` shows it), or the newer "
                    "checkpoint is of a log that went another way after the older one: keep both.",
                    "%s has other tiles than those of the newer checkpoint: nothing can be said",
                    c->directory ? c->directory : "the hub");
    if (!merkle_consistency_holds(a->size, &a->root, b->size, &b->root, &proof))
        return fail(EXIT_NO, "Keep both: if both are signed (--key), this is a proof that the log was altered.",
                    "the log of %s entries does not begin with that of %s", count_text(b->size, new),
                    count_text(a->size, old));
    if (json)
        print_json_pairs("consistent", "yes", "origin", b->origin, "old", digits_text(a->size, old), "new",
                         digits_text(b->size, new), "signatures", c->key_given ? "good" : "not checked", NULL);
    else
        printf("The log %s of %s entries begins with that of %s: nothing was changed or taken away.\n%s", b->origin,
               count_text(b->size, new), count_text(a->size, old),
               c->key_given ? "" : "Whether the hub signed the two was not checked: that needs --key.\n");
    return EXIT_OK;
}

static int check_both(const struct args *args, struct consistency *c)
{
    const struct checkpoint_file *old = &c->old, *new = &c->new;
    int code = audit_key(args, &c->key, &c->key_given);
    if (code == EXIT_OK && c->key_given)
        code = checkpoint_file_verify(old, &c->key, args_value(args, 0));
    if (code == EXIT_OK && c->key_given)
        code = checkpoint_file_verify(new, &c->key, args_value(args, 1));
    if (code == EXIT_OK)
        code = witness_keys_read(args, &c->witnesses);
    if (code == EXIT_OK)
        code = witnesses_check(&c->witnesses, &new->note);
    if (code)
        return code;
    if (strcmp(old->checkpoint.origin, new->checkpoint.origin) != 0)
        return fail(EXIT_NO, "A log that was begun after a loss has a number behind its name; each is one log.",
                    "the checkpoints are of two logs: %s and %s", old->checkpoint.origin, new->checkpoint.origin);
    if (old->checkpoint.size > new->checkpoint.size)
        return fail(EXIT_USAGE, "Name the older one first.", "%s is the newer one", args_value(args, 0));
    return EXIT_OK;
}

/* Are the tiles of a log that has so many entries? */
static int check_reach(const struct consistency *c, const char *whose, const struct checkpoint *last)
{
    char there[COUNT_CHARS], wanted[COUNT_CHARS];
    if (strcmp(last->origin, c->new.checkpoint.origin) != 0)
        return fail(EXIT_NO, NULL, "%s is of the log %s, and the checkpoints are of %s", whose, last->origin,
                    c->new.checkpoint.origin);
    if (last->size >= c->new.checkpoint.size)
        return EXIT_OK;
    return fail(EXIT_NO,
                c->directory ? "Export the log again, or name a directory with more of it."
                             : "It is a checkpoint of another hub's log, or the hub was put back to an older state: "
                               "keep it. With its key and tiles (--key, --tiles) more can be said.",
                "%s has %s entries, and the newer checkpoint covers %s", whose, count_text(last->size, there),
                count_text(c->new.checkpoint.size, wanted));
}

/* The tiles of a directory; its checkpoint, if there is one, says how far they go. */
static int open_directory(struct consistency *c)
{
    char path[SESSION_PATH_BYTES];
    struct checkpoint_file last = {0};
    c->tiles = tile_source_directory(c->directory);
    snprintf(path, sizeof path, "%s/" CHECKPOINT_FILE, c->directory);
    int code = access(path, F_OK) == 0 ? checkpoint_file_read(&last, path) : EXIT_OK;
    if (code == EXIT_OK && last.text)
        code = check_reach(c, c->directory, &last.checkpoint);
    checkpoint_file_end(&last);
    return code ? code : minimum_read(c->directory, &c->new.checkpoint, NULL, &c->minimum);
}

/* The hub's tiles of the log that the checkpoints are of, which need not be the one that grows. */
static int ask_tiles(struct hub_tiles *tiles, struct consistency *c)
{
    Carehub__V1__Answer *answer;
    struct vkey key;
    int code = audit_ask_checkpoint(tiles->session, 0, &answer);
    if (code == EXIT_OK && (!vkey_parse(answer->checkpoint->key, &key) ||
                            !(tiles->generation = audit_generation(c->new.checkpoint.origin, &key))))
        code = fail(EXIT_NO, "Name the directory with its tiles: --tiles DIRECTORY.",
                    "the checkpoints are of the log %s, which is not this hub's", c->new.checkpoint.origin);
    if (code == EXIT_OK && tiles->generation != answer->checkpoint->generation) {
        answer_free(&answer);
        code = audit_ask_checkpoint(tiles->session, tiles->generation, &answer);
    }
    struct note note;
    struct checkpoint last;
    if (code == EXIT_OK &&
        checkpoint_note_parse(answer->checkpoint->checkpoint, strlen(answer->checkpoint->checkpoint), &note, &last))
        code = check_reach(c, "the hub's log", &last);
    if (code == EXIT_OK)
        code = minimum_take(answer->checkpoint->minimum, &c->new.checkpoint, NULL, "the hub's minimum index",
                            &tiles->minimum);
    answer_free(&answer);
    c->tiles = hub_tiles_source(tiles);
    return code;
}

int run_audit_consistency(const struct args *args)
{
    struct session session = {0};
    struct hub_tiles tiles = {.session = &session};
    struct consistency c = {.directory = args_option(args, "tiles")};
    int code = checkpoint_file_read(&c.old, args_value(args, 0));
    if (code == EXIT_OK)
        code = checkpoint_file_read(&c.new, args_value(args, 1));
    if (code == EXIT_OK)
        code = check_both(args, &c);
    if (code == EXIT_OK && c.directory) {
        code = open_directory(&c);
    } else if (code == EXIT_OK) {
        code = session_open(&session, args);
        code = code ? code : ask_tiles(&tiles, &c);
    }
    if (code == EXIT_OK)
        code = compare(&c, args_flag(args, "json"));
    session_close(&session);
    checkpoint_file_end(&c.old);
    checkpoint_file_end(&c.new);
    return code;
}
