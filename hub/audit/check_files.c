#include "check_files.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct scan {
    struct check *check;
    struct check_files *files;
    struct check_fault beyond; /* the first of those files */
    struct tile held;          /* whose file, as it is in the checkpoint's tree, `whole` is; width 0: none */
    uint8_t whole[TILE_MAX_BYTES], bytes[TILE_MAX_BYTES];
};

/* As much of the tile as the checkpoint covers; check_tiles has looked at that. */
static const uint8_t *reference(struct scan *scan, const struct tile *tile, unsigned width)
{
    const struct tile_source *source = &scan->check->source;
    if (scan->held.width == width && scan->held.level == tile->level && scan->held.index == tile->index)
        return scan->whole;
    scan->held = (struct tile){tile->level, tile->index, width};
    if (source->read(source->ctx, &scan->held, scan->whole))
        return scan->whole;
    scan->held.width = 0;
    return NULL; /* it has been told of */
}

static bool read_exactly(const char *path, uint8_t *bytes, size_t size)
{
    FILE *file = fopen(path, "re");
    bool good = file && fread(bytes, 1, size, file) == size && fgetc(file) == EOF && !ferror(file);
    if (file)
        fclose(file);
    return good;
}

static void altered(struct scan *scan, const struct tile *tile, unsigned width)
{
    uint64_t entries = tile->level == TILE_ENTRIES ? 1 : 1ULL << (TILE_HEIGHT * tile->level);
    struct check_fault fault = {.kind = CHECK_ALTERED, .tile = *tile, .other = scan->held, .count = width};
    fault.first = tile->index * TILE_WIDTH * entries + 1;
    fault.last = fault.first + width * entries - 1;
    check_found(scan->check, &fault);
}

static void look_at_beyond(struct scan *scan, const struct tile *tile)
{
    uint64_t reach = tile->index * TILE_WIDTH + tile->width;
    if (scan->files->beyond++ == 0)
        scan->beyond = (struct check_fault){.kind = CHECK_BEYOND, .tile = *tile};
    if (tile->level <= 0 && reach > scan->files->reach)
        scan->files->reach = reach;
}

/* What check_tiles has read is the file of that very width, if that is there and is of its size. */
static void look_at(struct scan *scan, const struct tile *tile, const char *path, off_t size)
{
    const struct check *check = scan->check;
    unsigned width = tile_width(tile->level, tile->index, check->checkpoint.size);
    if (tile->index < tile_first(tile->level, check->minimum)) {
        scan->files->pruned++;
        return;
    }
    bool sized = size == (off_t)tile_bytes(tile);
    if (tile->width > width)
        look_at_beyond(scan, tile);
    if (width == 0 || (tile->width == width && sized))
        return;
    struct tile begin = {tile->level, tile->index, tile->width < width ? tile->width : width};
    const uint8_t *whole = reference(scan, tile, width);
    if (whole && (!sized || !read_exactly(path, scan->bytes, tile_bytes(tile)) ||
                  memcmp(whole, scan->bytes, tile_bytes(&begin)) != 0))
        altered(scan, tile, begin.width);
}

/* A file that was being written when its writer was stopped: "….new" beside its place. Nobody reads it. */
static bool left_over(const char *name)
{
    char stem[TILE_PATH_BYTES + 8];
    struct tile tile;
    size_t length = strlen(name);
    if (length < 4 || length >= sizeof stem || strcmp(name + length - 4, ".new") != 0)
        return false;
    memcpy(stem, name, length - 4);
    stem[length - 4] = '\0';
    return tile_parse(stem, &tile);
}

static void look_at_one(struct scan *scan, const FTSENT *entry, size_t prefix)
{
    const char *name = entry->fts_path + prefix;
    struct tile tile;
    struct stat info; /* of what a link leads to */
    if (left_over(name))
        return;
    if (entry->fts_info == FTS_DNR || !tile_parse(name, &tile))
        check_found(scan->check, &(struct check_fault){.kind = CHECK_STRAY, .name = name});
    else
        look_at(scan, &tile, entry->fts_path, stat(entry->fts_path, &info) == 0 ? info.st_size : -1);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Every file below tile/; that there is none is not for here. */
static void walk(struct scan *scan, const char *directory)
{
    char path[4096];
    char *roots[] = {path, NULL};
    if (snprintf(path, sizeof path, "%s/tile", directory) >= (int)sizeof path)
        return;
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    if (!tree)
        return;
    for (FTSENT *entry; (entry = fts_read(tree));)
        if (entry->fts_level > 0 && entry->fts_info != FTS_D && entry->fts_info != FTS_DP)
            look_at_one(scan, entry, strlen(directory) + 1);
    fts_close(tree);
}

enum check_verdict check_directory(struct check *check, const char *directory, struct check_files *files)
{
    struct scan *scan = calloc(1, sizeof *scan);
    if (!scan)
        abort();
    *files = (struct check_files){0};
    scan->check = check;
    scan->files = files;
    check_tiles(check);
    walk(scan, directory);
    if (files->beyond > 0) {
        scan->beyond.count = files->beyond;
        scan->beyond.last = files->reach;
        check_found(check, &scan->beyond);
    }
    free(scan);
    return check->faults ? check->first.kind : CHECK_SOUND;
}
