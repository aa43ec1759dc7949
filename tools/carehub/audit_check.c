#include "audit_check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- One fault -------------------------------------------------------------------------------------------------- */

enum { PLACES_CHARS = 96 };

/* "entry #41", "3 of the entries #41 to #80", "the entries #1 to #256". */
static const char *places_text(const struct check_fault *fault, char text[PLACES_CHARS])
{
    unsigned long long first = fault->first, last = fault->last, count = fault->count;
    if (first == last)
        snprintf(text, PLACES_CHARS, "entry #%llu", first);
    else if (fault->kind != CHECK_MISSING && fault->tile.level <= 0 && fault->other.level <= 0 &&
             count < last - first + 1)
        snprintf(text, PLACES_CHARS, "%llu of the entries #%llu to #%llu", count, first, last);
    else
        snprintf(text, PLACES_CHARS, "the entries #%llu to #%llu", first, last);
    return text;
}

/* A file that is not there, or not of its size. */
static void absent_text(const char *directory, const char *name, const struct check_fault *fault, const char *places,
                        char text[FAULT_CHARS])
{
    char path[SESSION_PATH_BYTES];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (stat(path, &info) != 0)
        snprintf(text, FAULT_CHARS, "%s is missing: %s", name, places);
    else
        snprintf(text, FAULT_CHARS, "%s has %lld bytes instead of %zu: %s", name, (long long)info.st_size,
                 tile_bytes(&fault->tile), places);
}

static void beyond_text(const struct directory_check *directory, const struct check_fault *fault, const char *name,
                        char text[FAULT_CHARS])
{
    char count[COUNT_CHARS], size[COUNT_CHARS], reach[COUNT_CHARS];
    int used =
        snprintf(text, FAULT_CHARS, "%s %s more than the checkpoint of %s entries covers (%s%s)",
                 count_text(fault->count, count), fault->count == 1 ? "file holds" : "files hold",
                 count_text(directory->check.checkpoint.size, size), fault->count == 1 ? "" : "the first is ", name);
    if (fault->last)
        snprintf(text + used, FAULT_CHARS - (size_t)used, ": the log was of %s at least",
                 count_text(fault->last, reach));
}

static void fault_text(const struct directory_check *directory, const struct check_fault *fault, char text[FAULT_CHARS])
{
    char name[TILE_PATH_BYTES] = "", other[TILE_PATH_BYTES] = "", places[PLACES_CHARS], size[COUNT_CHARS];
    if (fault->tile.width > 0)
        tile_path(&fault->tile, name);
    if (fault->other.width > 0)
        tile_path(&fault->other, other);
    places_text(fault, places);
    switch (fault->kind) {
    case CHECK_MISSING:
        absent_text(directory->path, name, fault, places, text);
        return;
    case CHECK_NO_ENTRY:
        snprintf(text, FAULT_CHARS, "%s: %s is none of this log's: not of 32 bytes", name, places);
        return;
    case CHECK_HASH:
        snprintf(text, FAULT_CHARS, "%s is not what %s says: %s", name, other, places);
        return;
    case CHECK_ALTERED:
        snprintf(text, FAULT_CHARS, "%s is not the beginning of %s: %s", name, other, places);
        return;
    case CHECK_STRAY:
        snprintf(text, FAULT_CHARS, "%s: a log has no such file", fault->name);
        return;
    case CHECK_BEYOND:
        beyond_text(directory, fault, name, text);
        return;
    case CHECK_NEWER:
        snprintf(text, FAULT_CHARS, "the older checkpoint covers more entries than the one that is there, which has %s",
                 count_text(directory->check.checkpoint.size, size));
        return;
    case CHECK_SINCE:
        snprintf(text, FAULT_CHARS, "the files are sound, but do not begin with what the older checkpoint covers");
        return;
    case CHECK_PRUNED:
        snprintf(text, FAULT_CHARS,
                 "the older checkpoint covers only entries that have been pruned since: the two "
                 "cannot be compared any more");
        return;
    default:
        snprintf(text, FAULT_CHARS,
                 "the files fit together, but are not what the checkpoint says: entries were "
                 "altered, removed, inserted or put in another order, and the tiles with them");
    }
}

static const char *advice_on(enum check_verdict kind)
{
    switch (kind) {
    case CHECK_BEYOND:
        return "The checkpoint is an older one than belongs there. A copy of a hub's directory that was made while it "
               "was writing, and an export that broke off, look like this: export again. Else somebody put an old "
               "checkpoint in its place: keep the directory.";
    case CHECK_NEWER:
        return "That proves nothing. Are the two mixed up, or was the log not exported since?";
    case CHECK_SINCE:
        return "Keep both: this is a proof that the log was altered after the older checkpoint, if both are signed.";
    case CHECK_PRUNED:
        return "A copy of the files that was made before can still show it; or name a newer checkpoint.";
    case CHECK_ROOT:
        return "Keep the directory as it is, and compare it with another copy: who altered it?";
    default:
        return "A file that was lost or damaged in copying is fetched anew by `carehub audit export` into the same "
               "directory. Was it altered? Then keep a copy of the directory as it is, and find out by whom.";
    }
}

/* ---- The check -------------------------------------------------------------------------------------------------- */

static void on_fault(void *ctx, const struct check_fault *fault)
{
    struct directory_check *directory = ctx;
    uint64_t before = directory->check.faults - 1;
    if (before < FAULTS_TOLD_MAX)
        fault_text(directory, fault, directory->told[before]);
    if (directory->each)
        directory->each(directory->ctx, fault);
}

static void on_progress(void *ctx, uint64_t entries)
{
    struct directory_check *directory = ctx;
    progress_step(&directory->progress, entries);
}

bool directory_check(struct directory_check *directory)
{
    struct check *check = &directory->check;
    check->source = tile_source_directory(directory->path);
    check->progress = on_progress;
    check->fault = on_fault;
    check->ctx = directory;
    progress_start(&directory->progress, "verifying", check->checkpoint.size);
    enum check_verdict verdict = check_directory(check, directory->path, &directory->files);
    progress_end(&directory->progress);
    return verdict == CHECK_SOUND;
}

int directory_tell(const struct directory_check *directory, const char *advice)
{
    const char *todo = advice ? advice : advice_on(directory->check.first.kind);
    uint64_t faults = directory->check.faults;
    char count[COUNT_CHARS];
    if (faults == 1)
        return fail(EXIT_NO, todo, "%s: %s", directory->path, directory->told[0]);
    fail(EXIT_NO, NULL, "%s: %s things are wrong", directory->path, count_text(faults, count));
    for (uint64_t i = 0; i < faults && i < FAULTS_TOLD_MAX; i++) {
        fputs("  ", stderr);
        put_safe(stderr, directory->told[i]);
        fputc('\n', stderr);
    }
    if (faults > FAULTS_TOLD_MAX)
        fprintf(stderr, "  and %s more\n", count_text(faults - FAULTS_TOLD_MAX, count));
    fprintf(stderr, "  %s\n", todo);
    return EXIT_NO;
}

bool directory_begins_with(const char *path, uint64_t size, const struct checkpoint *checkpoint)
{
    struct tile_nodes *nodes = malloc(sizeof *nodes);
    struct merkle_hash root;
    if (!nodes)
        abort();
    tile_nodes_init(nodes, tile_source_directory(path), size);
    struct merkle_source source = tile_nodes_source(nodes);
    bool same = checkpoint->size <= size && merkle_root(&source, checkpoint->size, &root) &&
                merkle_equal(&root, &checkpoint->root);
    free(nodes);
    return same;
}
