/* carehub audit export: the log's files, fetched from the hub: what is not there yet, or is damaged there, of what the
 * hub has not pruned. A directory whose log was begun before that keeps what is no longer the hub's. The whole
 * directory is checked before its checkpoint is replaced. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "audit_check.h"
#include "nouns.h"

/* Files that are wrong are fetched again, so many at a time, as long as that helps. */
enum { MEND_MAX = 4096 };

struct export
{
    struct hub_tiles hub;
    const char *path;
    int directory;
    struct vkey key;
    uint64_t from, to; /* the sizes of the log that is there, and of the hub's */
    struct tile asked[HUB_TILES_MAX];
    size_t n_asked;
    uint8_t(*bytes)[TILE_MAX_BYTES]; /* HUB_TILES_MAX of them */
    uint64_t files, mended;
    struct tile *wrong; /* MEND_MAX of them */
    size_t n_wrong;
    struct progress progress;
};

static int flush(struct export *export)
{
    char path[TILE_PATH_BYTES];
    if (export->n_asked == 0)
        return EXIT_OK;
    int code = hub_tiles_read(&export->hub, export->asked, export->n_asked, export->bytes);
    for (size_t i = 0; i < export->n_asked && code == EXIT_OK; i++) {
        const struct tile *tile = &export->asked[i];
        if (!tile_put(export->directory, tile, export->bytes[i]))
            code = fail(EXIT_NO, NULL, "cannot write %s/%s: %s", export->path, tile_path(tile, path), strerror(errno));
    }
    export->files += export->n_asked;
    export->n_asked = 0;
    progress_step(&export->progress, export->files);
    return code;
}

static int ask_for(struct export *export, struct tile tile)
{
    export->asked[export->n_asked++] = tile;
    return export->n_asked == HUB_TILES_MAX ? flush(export) : EXIT_OK;
}

static bool there(const struct export *export, const struct tile *tile)
{
    char path[TILE_PATH_BYTES];
    struct stat info;
    return fstatat(export->directory, tile_path(tile, path), &info, 0) == 0 && info.st_size == (off_t)tile_bytes(tile);
}

/* Fetches the tiles of a level that were not full yet, or are not there, or not of their size. */
static int export_level(struct export *export, int level)
{
    uint64_t grown = tile_first(level, export->from);
    int code = EXIT_OK;
    for (uint64_t index = tile_first(level, export->hub.minimum); code == EXIT_OK; index++) {
        struct tile tile = {level, index, tile_width(level, index, export->to)};
        if (tile.width == 0)
            break;
        if (index >= grown || !there(export, &tile))
            code = ask_for(export, tile);
    }
    return code ? code : flush(export);
}

/* Is the hub's log the one that is there, with entries added? Before a file is written. */
static int goes_on(struct export *export, const struct checkpoint *old, const struct checkpoint *new)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_proof proof;
    struct merkle_hash root;
    if (!nodes)
        abort();
    tile_nodes_init(nodes, hub_tiles_source(&export->hub), new->size);
    struct merkle_source source = tile_nodes_source(nodes);
    int code = EXIT_OK;
    if (!merkle_root(&source, new->size, &root) || !merkle_prove_consistency(&source, old->size, new->size, &proof))
        code = EXIT_NO; /* it has been said why */
    else if (!merkle_equal(&root, &new->root))
        code =
            fail(EXIT_NO, "Nothing was changed here. `carehub audit verify` says which of the hub's files is damaged.",
                 "the hub's files are not what its checkpoint says");
    else if (!merkle_consistency_holds(old->size, &old->root, new->size, &new->root, &proof))
        code = fail(EXIT_NO,
                    "Nothing was changed here. Keep the directory: with the hub's checkpoint it proves that the log "
                    "was altered.",
                    "the hub's log does not begin with the one in %s", export->path);
    free(nodes);
    return code;
}

/* ---- Mending ---------------------------------------------------------------------------------------------------- */

static void on_wrong(void *ctx, const struct check_fault *fault)
{
    struct export *export = ctx;
    const struct tile *tile = &fault->tile;
    if (tile->width > 0 && tile->width <= tile_width(tile->level, tile->index, export->to) &&
        !tile_was_pruned(tile, export->hub.minimum) && export->n_wrong < MEND_MAX)
        export->wrong[export->n_wrong++] = *tile;
}

/* Fetches what was found wrong. */
static int mend(struct export *export)
{
    int code = EXIT_OK;
    progress_start(&export->progress, "mending files", 0);
    for (size_t i = 0; i < export->n_wrong && code == EXIT_OK; i++)
        code = ask_for(export, export->wrong[i]);
    if (code == EXIT_OK)
        code = flush(export);
    progress_end(&export->progress);
    export->mended += export->n_wrong;
    return code;
}

static int not_sound(const struct export *export, const struct directory_check *found)
{
    fail(EXIT_NO, NULL, "no export: the files in %s are not what the hub's checkpoint says, which was not put there",
         export->path);
    return directory_tell(
        found, "`carehub audit verify` says whether the hub's own files are damaged. A file that the log has "
               "no place for has to be removed by hand.");
}

/* Checks the whole directory, and mends it as long as that makes less wrong. */
static int check_and_mend(struct export *export, const struct checkpoint *new, uint64_t minimum)
{
    struct directory_check *found = calloc(1, sizeof *found);
    uint64_t before = UINT64_MAX;
    int code = EXIT_OK;
    bool sound = false;
    if (!found)
        abort();
    *found = (struct directory_check){.path = export->path, .each = on_wrong, .ctx = export};
    found->check.checkpoint = *new;
    found->check.minimum = minimum;
    while (code == EXIT_OK && !sound) {
        export->n_wrong = 0;
        sound = directory_check(found);
        if (sound)
            break;
        code = export->n_wrong == 0 || found->check.faults >= before ? not_sound(export, found) : mend(export);
        before = found->check.faults;
    }
    free(found);
    return code;
}

/* Partial tiles that are full by now, which no one needs any more. */
static void remove_partials(const struct export *export)
{
    for (int level = TILE_ENTRIES; level < TILE_LEVELS; level++)
        for (uint64_t index = tile_first(level, export->from); tile_width(level, index, export->to) == TILE_WIDTH;
             index++)
            tile_remove_partial(export->directory, level, index);
}

static int put_note(const struct export *export, const char *name, const char *text)
{
    return tile_file_replace(export->path, name, text, strlen(text))
               ? EXIT_OK
               : fail(EXIT_NO, NULL, "cannot write %s/%s: %s", export->path, name, strerror(errno));
}

/* The last checkpoint that witnesses have cosigned, which may be older than the last one. */
static int put_witnessed(const struct export *export, const struct checkpoint *new, const char *text)
{
    struct checkpoint_file witnessed = {0};
    if (text[0] == '\0')
        return EXIT_OK;
    int code = checkpoint_file_take(&witnessed, strdup(text), "the hub's cosigned checkpoint");
    if (code == EXIT_OK)
        code = checkpoint_file_verify(&witnessed, &export->key, "the hub's cosigned checkpoint");
    if (code == EXIT_OK && (strcmp(witnessed.checkpoint.origin, new->origin) != 0 ||
                            !directory_begins_with(export->path, new->size, &witnessed.checkpoint)))
        code = fail(EXIT_NO, "Keep the directory: if both are signed, the log was altered.",
                    "the hub's cosigned checkpoint is not one of the log that is now in %s", export->path);
    checkpoint_file_end(&witnessed);
    return code ? code : put_note(export, WITNESSED_FILE, text);
}

/* How far the log that is there was pruned when it was begun. */
static int own_minimum(const struct export *export, const struct checkpoint *new, uint64_t *minimum)
{
    *minimum = export->hub.minimum;
    return export->from == 0 ? EXIT_OK : minimum_read(export->path, new, &export->key, minimum);
}

/* A log that begins here where the hub's is pruned says so; its checkpoint comes last. */
static int fetch(struct export *export, const struct checkpoint_file *old, const struct checkpoint_file *new,
                 const Carehub__V1__CheckpointAnswer *said)
{
    uint64_t minimum = 0;
    export->from = old->checkpoint.size;
    export->to = new->checkpoint.size;
    int code = own_minimum(export, &new->checkpoint, &minimum);
    if (code == EXIT_OK && export->from > 0)
        code = goes_on(export, &old->checkpoint, &new->checkpoint);
    progress_start(&export->progress, "fetching files", 0);
    for (int level = TILE_ENTRIES; level < TILE_LEVELS && code == EXIT_OK; level++)
        code = export_level(export, level);
    progress_end(&export->progress);
    if (code == EXIT_OK)
        code = check_and_mend(export, &new->checkpoint, minimum);
    if (code == EXIT_OK && syncfs(export->directory) != 0)
        code = fail(EXIT_NO, NULL, "cannot write the files in %s: %s", export->path, strerror(errno));
    if (code == EXIT_OK && export->from == 0 && minimum > 0)
        code = put_note(export, MINIMUM_FILE, said->minimum);
    if (code == EXIT_OK)
        code = put_note(export, CHECKPOINT_FILE, new->text);
    if (code == EXIT_OK)
        remove_partials(export);
    return code ? code : put_witnessed(export, &new->checkpoint, said->witnessed);
}

/* The checkpoint that is there; none is one of size 0. */
static int read_old(const char *directory, struct checkpoint_file *old)
{
    char path[SESSION_PATH_BYTES];
    snprintf(path, sizeof path, "%s/" CHECKPOINT_FILE, directory);
    return access(path, F_OK) == 0 ? checkpoint_file_read(old, path) : EXIT_OK;
}

static int check_new(struct export *export, const struct checkpoint_file *old, const struct checkpoint_file *new,
                     const Carehub__V1__CheckpointAnswer *said)
{
    char there[COUNT_CHARS], pruned[COUNT_CHARS];
    if (!vkey_parse(said->key, &export->key))
        return fail(EXIT_NO, NULL, "the hub's verifier key cannot be read");
    int code = checkpoint_file_verify(new, &export->key, "the hub's checkpoint");
    if (code == EXIT_OK && audit_generation(new->checkpoint.origin, &export->key) != said->generation)
        return fail(EXIT_NO, "Try again in a moment.", "the hub has begun a new log, and has no checkpoint of it yet");
    if (code == EXIT_OK && old->text && strcmp(old->checkpoint.origin, new->checkpoint.origin) != 0)
        code = fail(EXIT_NO, "Export into another directory; --generation names a log before the one that grows.",
                    "the log that is there is %s, the hub's is %s", old->checkpoint.origin, new->checkpoint.origin);
    if (code == EXIT_OK && old->text)
        code = checkpoint_file_verify(old, &export->key, "the checkpoint that is there");
    if (code == EXIT_OK && old->checkpoint.size > new->checkpoint.size)
        code = fail(EXIT_NO, "Was an older backup of the hub put back? Keep the directory: it proves what was lost.",
                    "the log that is there is longer than the hub's");
    if (code == EXIT_OK)
        code = minimum_take(said->minimum, &new->checkpoint, &export->key, "the hub's minimum index",
                            &export->hub.minimum);
    if (code == EXIT_OK && old->checkpoint.size > 0 && old->checkpoint.size < tile_first_entry(export->hub.minimum))
        return fail(EXIT_NO, "Keep the directory, and export into another one: what is between the two has gone.",
                    "the log that is there has %s entries, and the hub has pruned the first %s",
                    count_text(old->checkpoint.size, there), count_text(export->hub.minimum, pruned));
    return code;
}

static void conclude(const struct export *export, const struct checkpoint *checkpoint,
                     const Carehub__V1__CheckpointAnswer *said)
{
    char files[COUNT_CHARS], entries[COUNT_CHARS], pruned[COUNT_CHARS], mended[COUNT_CHARS];
    uint64_t without = export->from == 0 ? tile_first_entry(export->hub.minimum) : 0;
    if (export->hub.session->json) {
        print_json_pairs("origin", checkpoint->origin, "key", said->key, "entries",
                         digits_text(checkpoint->size, entries), "files", digits_text(export->files, files), "mended",
                         digits_text(export->mended, mended), "pruned", digits_text(without, pruned), NULL);
        return;
    }
    printf("%s: %s entries are in %s, %s files fetched. Its key: %s\n", checkpoint->origin,
           count_text(checkpoint->size, entries), export->path, count_text(export->files, files), said->key);
    if (export->mended)
        printf("%s of them were damaged here. Did a disk fail, or did somebody alter them?\n",
               count_text(export->mended, mended));
    if (without)
        printf(
            "The first %s of them are pruned: the hub has no more of them than the tree's hashes, and nor has this.\n",
            count_text(without, pruned));
    if (said->not_signing[0])
        fail(EXIT_NO, NULL, "the hub signs no new checkpoint: %s", said->not_signing);
}

static int export_to(struct export *export)
{
    struct checkpoint_file old = {0}, new = {0};
    Carehub__V1__Answer *answer = NULL;
    int code = read_old(export->path, &old);
    if (code == EXIT_OK)
        code = audit_ask_checkpoint(export->hub.session, export->hub.generation, &answer);
    if (code == EXIT_OK && answer->checkpoint->checkpoint[0] == '\0')
        code = fail(EXIT_NO, NULL, "there is no checkpoint%s%s", answer->checkpoint->not_signing[0] ? ": " : " yet",
                    answer->checkpoint->not_signing);
    if (code == EXIT_OK)
        code = checkpoint_file_take(&new, strdup(answer->checkpoint->checkpoint), "what the hub sent");
    if (code == EXIT_OK)
        code = check_new(export, &old, &new, answer->checkpoint);
    if (code == EXIT_OK)
        code = fetch(export, &old, &new, answer->checkpoint);
    if (code == EXIT_OK)
        conclude(export, &new.checkpoint, answer->checkpoint);
    answer_free(&answer);
    checkpoint_file_end(&old);
    checkpoint_file_end(&new);
    return code;
}

int run_audit_export(const struct args *args)
{
    struct session session = {0};
    struct export export = {.hub.session = &session, .path = args_option(args, "tiles"), .directory = -1};
    const char *generation = args_option(args, "generation");
    if (generation && (!decimal_read(generation, strlen(generation), &export.hub.generation) || !export.hub.generation))
        return fail(EXIT_USAGE, NULL, "--generation is a number from 1: 2 is the log after the first loss");
    if (mkdir(export.path, 0755) != 0 && errno != EEXIST)
        return fail(EXIT_NO, NULL, "cannot make the directory %s: %s", export.path, strerror(errno));
    export.directory = open(export.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (export.directory < 0)
        return fail(EXIT_NO, NULL, "cannot open the directory %s: %s", export.path, strerror(errno));
    export.bytes = calloc(HUB_TILES_MAX, sizeof *export.bytes);
    export.wrong = calloc(MEND_MAX, sizeof *export.wrong);
    if (!export.bytes || !export.wrong)
        abort();
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = export_to(&export);
    session_close(&session);
    free(export.bytes);
    free(export.wrong);
    close(export.directory);
    return code;
}
