/* What was published of the audit log, by this generation or an older one: names, checkpoint, minimum index. */
#include "tlog_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

char *tlog_copy(const char *text)
{
    char *copy = strdup(text);
    if (!copy)
        abort();
    return copy;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

char *tlog_generation_path(const struct tlog *tlog, uint64_t generation)
{
    char *path;
    int n = generation == 1 ? asprintf(&path, "%s", tlog->directory)
                            : asprintf(&path, "%s/%llu", tlog->directory, (unsigned long long)generation);
    if (n < 0)
        abort();
    return path;
}

void tlog_generation_origin(const struct tlog *tlog, uint64_t generation, char origin[NOTE_NAME_BYTES])
{
    if (generation == 1)
        snprintf(origin, NOTE_NAME_BYTES, "%s", tlog->origin);
    else
        snprintf(origin, NOTE_NAME_BYTES, "%.*s/%llu", TLOG_ORIGIN_MAX, tlog->origin, (unsigned long long)generation);
}

uint64_t tlog_next_generation(const struct tlog *tlog)
{
    uint64_t generation = tlog->generation;
    bool taken;
    do { /* a database that was put back twice does not know of the log that was begun in between */
        char *path = tlog_generation_path(tlog, ++generation);
        taken = access(path, F_OK) == 0;
        free(path);
    } while (taken);
    return generation;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Reads a file of at most NOTE_MAX_BYTES as text; NULL: errno says why not. */
static char *read_text(const char *directory, const char *name)
{
    char *path, *text = NULL;
    if (asprintf(&path, "%s/%s", directory, name) < 0)
        abort();
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    free(path);
    if (fd < 0)
        return NULL;
    text = xcalloc(1, NOTE_MAX_BYTES + 1);
    size_t used = 0;
    ssize_t n;
    while (used < NOTE_MAX_BYTES &&
           ((n = read(fd, text + used, NOTE_MAX_BYTES - used)) > 0 || (n < 0 && errno == EINTR)))
        used += n > 0 ? (size_t)n : 0;
    close(fd);
    return text;
}

/* Is it a checkpoint of that generation, signed by this hub? */
static bool own_checkpoint(const struct tlog *tlog, const char *origin, const char *text, struct checkpoint *checkpoint)
{
    struct note note;
    return checkpoint_note_parse(text, strlen(text), &note, checkpoint) && strcmp(checkpoint->origin, origin) == 0 &&
           note_verify(&note, &tlog->key, NULL) == NOTE_GOOD;
}

/* Did it sign that when its log had another name? */
static bool renamed(const struct tlog *tlog, const char *text, struct checkpoint *checkpoint)
{
    struct note note;
    bool signed_by_it = false;
    if (!checkpoint_note_parse(text, strlen(text), &note, checkpoint))
        return false;
    for (size_t i = 0; i < note.n_signatures && !signed_by_it; i++) {
        char name[NOTE_NAME_BYTES];
        struct vkey key;
        snprintf(name, sizeof name, "%.*s", (int)note.signatures[i].name_size, note.signatures[i].name);
        signed_by_it =
            vkey_make(&key, name, NOTE_ED25519, tlog->key.public_key) && note_verify(&note, &key, NULL) == NOTE_GOOD;
    }
    return signed_by_it;
}

static bool own_minimum(const struct tlog *tlog, const char *origin, const char *text, struct minimum *minimum)
{
    struct note note;
    return minimum_note_parse(text, strlen(text), &note, minimum) && strcmp(minimum->origin, origin) == 0 &&
           note_verify(&note, &tlog->key, NULL) == NOTE_GOOD;
}

/* What is not this hub's is as good as none. */
static void forget_text(char **text)
{
    free(*text);
    *text = NULL;
}

enum tlog_read tlog_published_read(const struct tlog *tlog, uint64_t generation, struct tlog_published *published)
{
    struct minimum minimum;
    char origin[NOTE_NAME_BYTES];
    tlog_generation_origin(tlog, generation, origin);
    *published = (struct tlog_published){.path = tlog_generation_path(tlog, generation)};
    published->note = read_text(published->path, CHECKPOINT_FILE);
    if (!published->note && errno != ENOENT)
        return TLOG_UNREADABLE;
    if (published->note && !own_checkpoint(tlog, origin, published->note, &published->checkpoint)) {
        enum tlog_read read = renamed(tlog, published->note, &published->checkpoint) ? TLOG_RENAMED : TLOG_FOREIGN;
        forget_text(&published->note);
        published->checkpoint.size = 0;
        return read;
    }
    published->witnessed_note = read_text(published->path, WITNESSED_FILE);
    if (published->witnessed_note && !own_checkpoint(tlog, origin, published->witnessed_note, &published->witnessed)) {
        forget_text(&published->witnessed_note);
        published->witnessed = (struct checkpoint){0};
    }
    published->minimum_note = read_text(published->path, MINIMUM_FILE);
    if (published->minimum_note && !own_minimum(tlog, origin, published->minimum_note, &minimum))
        forget_text(&published->minimum_note);
    published->minimum = published->minimum_note ? minimum.index : 0;
    return TLOG_READ;
}

void tlog_published_end(struct tlog_published *published)
{
    free(published->path);
    free(published->note);
    free(published->witnessed_note);
    free(published->minimum_note);
    *published = (struct tlog_published){0};
}
