/* carehub audit export: the log's files, fetched from the hub; only what is not there yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit.h"
#include "audit_files.h"
#include "nouns.h"

struct export
{
    struct session *session;
    const char *path;
    int directory;
    uint64_t from, to; /* the sizes of the log that is there, and of the hub's */
    struct tile asked[HUB_TILES_MAX];
    size_t n_asked;
    uint8_t(*bytes)[TILE_MAX_BYTES]; /* HUB_TILES_MAX of them */
    uint64_t files;
    struct progress progress;
};

static int flush(struct export *export)
{
    char path[TILE_PATH_BYTES];
    if (export->n_asked == 0)
        return EXIT_OK;
    int code = hub_tiles_read(export->session, export->asked, export->n_asked, export->bytes);
    for (size_t i = 0; i < export->n_asked && code == EXIT_OK; i++) {
        const struct tile *tile = &export->asked[i];
        if (!tile_put(export->directory, tile, export->bytes[i]))
            code = fail(EXIT_NO, NULL, "cannot write %s/%s: %s", export->path, tile_path(tile, path), strerror(errno));
        else if (tile->width == TILE_WIDTH)
            tile_remove_partial(export->directory, tile->level, tile->index);
    }
    export->files += export->n_asked;
    export->n_asked = 0;
    progress_step(&export->progress, export->files);
    return code;
}

/* Fetches the tiles of a level that were not full yet, or not there at all. */
static int export_level(struct export *export, int level)
{
    unsigned shift = level == TILE_ENTRIES ? 0 : (unsigned)(TILE_HEIGHT * level);
    int code = EXIT_OK;
    for (uint64_t index = (export->from >> shift) / TILE_WIDTH; code == EXIT_OK; index++) {
        unsigned width = tile_width(level, index, export->to);
        if (width == 0)
            break;
        export->asked[export->n_asked++] = (struct tile){level, index, width};
        if (export->n_asked == HUB_TILES_MAX)
            code = flush(export);
    }
    return code ? code : flush(export);
}

/* Do the files that are there now have both roots? Then the log was only added to. */
static int one_log(const char *path, const struct checkpoint *old, const struct checkpoint *new)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_hash root;
    if (!nodes)
        abort();
    tile_nodes_init(nodes, tile_source_directory(path), new->size);
    struct merkle_source source = tile_nodes_source(nodes);
    int code = EXIT_OK;
    if (!merkle_root(&source, new->size, &root) || !merkle_equal(&root, &new->root))
        code = fail(EXIT_NO, "Its checkpoint was not replaced.", "what the hub sent is not what its checkpoint says");
    else if (old->size && (!merkle_root(&source, old->size, &root) || !merkle_equal(&root, &old->root)))
        code = fail(EXIT_NO, "Keep the directory: with the hub's checkpoint it proves that the log was altered.",
                    "the hub's log does not begin with the one in %s", path);
    free(nodes);
    return code;
}

static int fetch(struct export *export, const struct checkpoint_file *old, const struct checkpoint_file *new)
{
    int code = EXIT_OK;
    export->from = old->checkpoint.size;
    export->to = new->checkpoint.size;
    progress_start(&export->progress, "fetching files", 0);
    for (int level = TILE_ENTRIES; level < TILE_LEVELS && code == EXIT_OK; level++)
        code = export_level(export, level);
    progress_end(&export->progress);
    if (code == EXIT_OK)
        code = one_log(export->path, &old->checkpoint, &new->checkpoint);
    if (code == EXIT_OK && (syncfs(export->directory) != 0 ||
                            !tile_file_replace(export->path, "checkpoint", new->text, strlen(new->text))))
        code = fail(EXIT_NO, NULL, "cannot write %s/checkpoint: %s", export->path, strerror(errno));
    return code;
}

/* The checkpoint that is there; none is one of size 0. */
static int read_old(const char *directory, struct checkpoint_file *old)
{
    char path[SESSION_PATH_BYTES];
    snprintf(path, sizeof path, "%s/checkpoint", directory);
    return access(path, F_OK) == 0 ? checkpoint_file_read(old, path) : EXIT_OK;
}

static int check_new(const struct checkpoint_file *old, const struct checkpoint_file *new,
                     const Carehub__V1__CheckpointAnswer *said)
{
    struct vkey key;
    if (!vkey_parse(said->key, &key))
        return fail(EXIT_NO, NULL, "the hub's verifier key cannot be read");
    int code = checkpoint_file_verify(new, &key, "the hub's checkpoint");
    if (code == EXIT_OK && old->text && strcmp(old->checkpoint.origin, new->checkpoint.origin) != 0)
        return fail(EXIT_NO, "Export into another directory.", "the log that is there is %s, the hub's is %s",
                    old->checkpoint.origin, new->checkpoint.origin);
    if (code == EXIT_OK && old->checkpoint.size > new->checkpoint.size)
        return fail(EXIT_NO, "Was an older backup of the hub put back? Keep the directory: it proves what was lost.",
                    "the log that is there is longer than the hub's");
    return code;
}

static int export_to(struct session *session, struct export *export)
{
    struct checkpoint_file old = {0}, new = {0};
    Carehub__V1__Answer *answer = NULL;
    char files[COUNT_CHARS], entries[COUNT_CHARS];
    int code = read_old(export->path, &old);
    if (code == EXIT_OK)
        code = audit_ask_checkpoint(session, &answer);
    if (code == EXIT_OK && answer->checkpoint->checkpoint[0] == '\0')
        code = fail(EXIT_NO, NULL, "there is no checkpoint%s%s", answer->checkpoint->not_signing[0] ? ": " : " yet",
                    answer->checkpoint->not_signing);
    if (code == EXIT_OK)
        code = checkpoint_file_take(&new, strdup(answer->checkpoint->checkpoint), "what the hub sent");
    if (code == EXIT_OK)
        code = check_new(&old, &new, answer->checkpoint);
    if (code == EXIT_OK)
        code = fetch(export, &old, &new);
    if (code == EXIT_OK && session->json)
        print_json_pairs("origin", new.checkpoint.origin, "key", answer->checkpoint->key, "entries",
                         count_text(new.checkpoint.size, entries), "files", count_text(export->files, files), NULL);
    else if (code == EXIT_OK)
        printf("%s: %s entries are in %s, %s files fetched. Its key: %s\n", new.checkpoint.origin,
               count_text(new.checkpoint.size, entries), export->path, count_text(export->files, files),
               answer->checkpoint->key);
    answer_free(&answer);
    checkpoint_file_end(&old);
    checkpoint_file_end(&new);
    return code;
}

int run_audit_export(const struct args *args)
{
    struct session session = {0};
    struct export export = {.session = &session, .path = args_option(args, "tiles"), .directory = -1};
    if (mkdir(export.path, 0755) != 0 && errno != EEXIST)
        return fail(EXIT_NO, NULL, "cannot make the directory %s: %s", export.path, strerror(errno));
    export.directory = open(export.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (export.directory < 0)
        return fail(EXIT_NO, NULL, "cannot open the directory %s: %s", export.path, strerror(errno));
    export.bytes = calloc(HUB_TILES_MAX, sizeof *export.bytes);
    if (!export.bytes)
        abort();
    int code = session_open(&session, args);
    if (code == EXIT_OK)
        code = export_to(&session, &export);
    session_close(&session);
    free(export.bytes);
    close(export.directory);
    return code;
}
