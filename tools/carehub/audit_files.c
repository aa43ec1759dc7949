#include "audit_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

int witness_keys_read(const struct args *args, struct witness_keys *witnesses)
{
    const char *texts[WITNESS_KEYS_MAX + 1];
    size_t n = args_all(args, "witness", texts, WITNESS_KEYS_MAX + 1);
    if (n > WITNESS_KEYS_MAX)
        return fail(EXIT_USAGE, NULL, "at most %d witnesses can be named", WITNESS_KEYS_MAX);
    for (witnesses->n = 0; witnesses->n < n; witnesses->n++) {
        struct vkey *key = &witnesses->keys[witnesses->n];
        if (!vkey_parse(texts[witnesses->n], key) || key->type != NOTE_COSIGNATURE)
            return fail(EXIT_USAGE, "It is NAME+ID+BASE64, of type Ed25519 (0x04): no other type is known here.",
                        "“%s” is no witness's verifier key", texts[witnesses->n]);
    }
    return EXIT_OK;
}

size_t witnesses_cosigned(const struct witness_keys *witnesses, const struct note *note)
{
    size_t cosigned = 0;
    for (size_t i = 0; i < witnesses->n; i++)
        cosigned += note_verify(note, &witnesses->keys[i], NULL) == NOTE_GOOD;
    return cosigned;
}

int witnesses_check(const struct witness_keys *witnesses, const struct note *note)
{
    for (size_t i = 0; i < witnesses->n; i++) {
        enum note_verdict verdict = note_verify(note, &witnesses->keys[i], NULL);
        if (verdict == NOTE_FORGED)
            return fail(EXIT_NO, NULL, "the cosignature of %s is wrong: it was altered, or it is forged",
                        witnesses->keys[i].name);
        if (verdict != NOTE_GOOD)
            return fail(EXIT_NO, NULL, "the checkpoint is not cosigned by %s", witnesses->keys[i].name);
    }
    return EXIT_OK;
}

int minimum_take(const char *text, const struct checkpoint *of, const struct vkey *key, const char *whence,
                 uint64_t *minimum)
{
    struct note note;
    struct minimum said;
    *minimum = 0;
    if (text[0] == '\0')
        return EXIT_OK;
    if (!minimum_note_parse(text, strlen(text), &note, &said) || strcmp(said.origin, of->origin) != 0)
        return fail(EXIT_NO, NULL, "%s does not say how far the log %s was pruned", whence, of->origin);
    if (key && note_verify(&note, key, NULL) != NOTE_GOOD)
        return fail(EXIT_NO, "Files that are missing were not removed by the hub.",
                    "%s is not signed with this key: it was altered, or it is forged", whence);
    *minimum = said.index;
    return EXIT_OK;
}

int minimum_read(const char *directory, const struct checkpoint *of, const struct vkey *key, uint64_t *minimum)
{
    char path[SESSION_PATH_BYTES], *text;
    snprintf(path, sizeof path, "%s/" MINIMUM_FILE, directory);
    *minimum = 0;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return EXIT_OK;
    int code = audit_read_file(path, NOTE_MAX_BYTES, &text);
    if (code == EXIT_OK)
        code = minimum_take(text[0] ? text : "?", of, key, path, minimum); /* an empty file says nothing */
    free(text);
    return code;
}

bool tile_was_pruned(const struct tile *tile, uint64_t minimum)
{
    return tile->index < tile_first(tile->level, minimum);
}

const char *digits_text(uint64_t number, char text[COUNT_CHARS])
{
    snprintf(text, COUNT_CHARS, "%llu", (unsigned long long)number);
    return text;
}

/* ---- The hub's -------------------------------------------------------------------------------------------------- */

int audit_ask_checkpoint(struct session *session, uint64_t generation, Carehub__V1__Answer **answer)
{
    Carehub__V1__CheckpointQuery checkpoint = CAREHUB__V1__CHECKPOINT_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    query.query_case = CAREHUB__V1__QUERY__QUERY_CHECKPOINT;
    query.checkpoint = &checkpoint;
    checkpoint.generation = generation;
    return session_ask(session, &query, CAREHUB__V1__ANSWER__ANSWER_CHECKPOINT, answer);
}

uint64_t audit_generation(const char *origin, const struct vkey *key)
{
    size_t name = strlen(key->name);
    uint64_t generation = 1;
    if (!origin_of_key(origin, key))
        return 0;
    if (origin[name] == '/')
        decimal_read(origin + name + 1, strlen(origin + name + 1), &generation);
    return generation;
}

void audit_waiting(int64_t since_ms, bool *said)
{
    if (*said || monotonic_ms() - since_ms < 2000 || !isatty(STDERR_FILENO))
        return;
    *said = true;
    fputs("Waiting for the hub's next checkpoint: it signs one every few seconds (checkpoint-every-seconds).\n",
          stderr);
}

/* Why there is a tile missing. */
static int not_there(const struct hub_tiles *tiles, const struct tile *tile)
{
    char path[TILE_PATH_BYTES], minimum[COUNT_CHARS];
    tile_path(tile, path);
    if (tile_was_pruned(tile, tiles->minimum))
        return fail(EXIT_NO,
                    "A copy of its files that was made before still has it (`carehub audit export`, a witness's or an "
                    "auditor's own).",
                    "the hub has pruned %s with the first %s entries of its audit log, which are too old to be kept",
                    path, count_text(tiles->minimum, minimum));
    return fail(EXIT_NO,
                "If it was pruning just now (setting prune-tiles), ask again. Otherwise its directory is damaged: "
                "`carehub audit verify --tiles` there says more.",
                "the hub does not have %s", path);
}

int hub_tiles_read(const struct hub_tiles *tiles, const struct tile *tile, size_t n, uint8_t (*bytes)[TILE_MAX_BYTES])
{
    Carehub__V1__TileName names[HUB_TILES_MAX], *list[HUB_TILES_MAX];
    Carehub__V1__TilesQuery asked = CAREHUB__V1__TILES_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    for (size_t i = 0; i < n; i++) {
        carehub__v1__tile_name__init(&names[i]);
        names[i].level = tile[i].level;
        names[i].index = tile[i].index;
        names[i].width = tile[i].width;
        list[i] = &names[i];
    }
    asked.n_tiles = n;
    asked.tiles = list;
    asked.generation = tiles->generation;
    query.query_case = CAREHUB__V1__QUERY__QUERY_TILES;
    query.tiles = &asked;
    Carehub__V1__Answer *answer;
    int code = session_ask(tiles->session, &query, CAREHUB__V1__ANSWER__ANSWER_TILES, &answer);
    for (size_t i = 0; i < n && code == EXIT_OK; i++) {
        if (i >= answer->tiles->n_tiles || answer->tiles->tiles[i].len != tile_bytes(&tile[i]))
            code = not_there(tiles, &tile[i]);
        else
            memcpy(bytes[i], answer->tiles->tiles[i].data, tile_bytes(&tile[i]));
    }
    answer_free(&answer);
    return code;
}

static bool read_one(void *ctx, const struct tile *tile, uint8_t *bytes)
{
    struct hub_tiles *tiles = ctx;
    uint8_t read[1][TILE_MAX_BYTES];
    tiles->code = hub_tiles_read(tiles, tile, 1, read);
    if (tiles->code == EXIT_OK)
        memcpy(bytes, read[0], tile_bytes(tile));
    return tiles->code == EXIT_OK;
}

struct tile_source hub_tiles_source(struct hub_tiles *tiles)
{
    return (struct tile_source){read_one, tiles};
}
