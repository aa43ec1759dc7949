#include "audit_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Files ------------------------------------------------------------------------------------------------------ */

int audit_read_file(const char *path, size_t max, char **text)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    *text = NULL;
    if (!file)
        return fail(EXIT_NO, NULL, "cannot open %s: %s", path, strerror(errno));
    char *read = calloc(1, max + 2);
    if (!read)
        abort();
    size_t size = fread(read, 1, max + 1, file);
    bool good = !ferror(file) && size <= max && strlen(read) == size;
    if (file != stdin)
        fclose(file);
    if (!good) {
        free(read);
        return fail(EXIT_NO, NULL, "%s is no text, or too large to be the right file", path);
    }
    *text = read;
    return EXIT_OK;
}

int checkpoint_file_take(struct checkpoint_file *file, char *text, const char *whence)
{
    file->text = text;
    if (!checkpoint_note_parse(text, strlen(text), &file->note, &file->checkpoint))
        return fail(EXIT_NO, "A checkpoint is a text of at least five lines, as `carehub audit checkpoint` prints it.",
                    "%s is no checkpoint", whence);
    return EXIT_OK;
}

int checkpoint_file_read(struct checkpoint_file *file, const char *path)
{
    char *text;
    int code = audit_read_file(path, NOTE_MAX_BYTES, &text);
    return code ? code : checkpoint_file_take(file, text, path);
}

void checkpoint_file_end(struct checkpoint_file *file)
{
    free(file->text);
    file->text = NULL;
}

int checkpoint_file_verify(const struct checkpoint_file *file, const struct vkey *key, const char *whence)
{
    if (!origin_of_key(file->checkpoint.origin, key))
        return fail(EXIT_NO, NULL, "%s is of the log %s, and the key is that of %s", whence, file->checkpoint.origin,
                    key->name);
    switch (note_verify(&file->note, key, NULL)) {
    case NOTE_GOOD:
        return EXIT_OK;
    case NOTE_FORGED:
        return fail(EXIT_NO, NULL, "the signature of %s is wrong: the checkpoint was altered, or it is forged", whence);
    default:
        return fail(EXIT_NO, NULL, "%s is not signed with this key", whence);
    }
}

int audit_key(const struct args *args, struct vkey *key, bool *given)
{
    const char *text = args_option(args, "key");
    *given = text != NULL;
    if (text && !vkey_parse(text, key))
        return fail(EXIT_USAGE, "`carehub audit checkpoint --key` prints the hub's.", "“%s” is no verifier key", text);
    return EXIT_OK;
}

/* ---- The hub ---------------------------------------------------------------------------------------------------- */

int audit_ask_checkpoint(struct session *session, Carehub__V1__Answer **answer)
{
    Carehub__V1__CheckpointQuery checkpoint = CAREHUB__V1__CHECKPOINT_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_CHECKPOINT;
    query.checkpoint = &checkpoint;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_CHECKPOINT, answer);
}

int hub_tiles_read(struct session *session, const struct tile *tiles, size_t n, uint8_t (*bytes)[TILE_MAX_BYTES])
{
    Carehub__V1__TileName names[HUB_TILES_MAX], *list[HUB_TILES_MAX];
    Carehub__V1__TilesQuery asked = CAREHUB__V1__TILES_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    for (size_t i = 0; i < n; i++) {
        carehub__v1__tile_name__init(&names[i]);
        names[i].level = tiles[i].level;
        names[i].index = tiles[i].index;
        names[i].width = tiles[i].width;
        list[i] = &names[i];
    }
    asked.n_tiles = n;
    asked.tiles = list;
    query.query_case = CAREHUB__V1__QUERY__QUERY_TILES;
    query.tiles = &asked;
    Carehub__V1__Answer *answer;
    int code = session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_TILES, &answer);
    for (size_t i = 0; i < n && code == EXIT_OK; i++) {
        char path[TILE_PATH_BYTES];
        if (i >= answer->tiles->n_tiles || answer->tiles->tiles[i].len != tile_bytes(&tiles[i]))
            code = fail(EXIT_NO, "Its directory is damaged: `carehub audit verify` there says more.",
                        "the hub does not have %s", tile_path(&tiles[i], path));
        else
            memcpy(bytes[i], answer->tiles->tiles[i].data, tile_bytes(&tiles[i]));
    }
    answer_free(&answer);
    return code;
}

static bool read_one(void *ctx, const struct tile *tile, uint8_t *bytes)
{
    struct hub_tiles *tiles = ctx;
    uint8_t read[1][TILE_MAX_BYTES];
    tiles->code = hub_tiles_read(tiles->session, tile, 1, read);
    if (tiles->code == EXIT_OK)
        memcpy(bytes, read[0], tile_bytes(tile));
    return tiles->code == EXIT_OK;
}

struct tile_source hub_tiles_source(struct hub_tiles *tiles)
{
    return (struct tile_source){read_one, tiles};
}
