/* What witnesses say of the audit log: their cosignatures, which are published; and that one refuses it. */
#include "tlog_private.h"

#include <stdlib.h>

/* How far a cosignature's time may be from the hub's: what goes wrong between the two takes seconds. */
enum { COSIGNED_AWAY_MAX_MS = DAY_MS };

/* ---- Cosignatures ----------------------------------------------------------------------------------------------- */

static bool is_near(const struct core *core, int64_t cosigned_s)
{
    return cosigned_s > (core->now_ms - COSIGNED_AWAY_MAX_MS) / 1000 &&
           cosigned_s < (core->now_ms + COSIGNED_AWAY_MAX_MS) / 1000;
}

/* How many of the configured witnesses have cosigned it; 0 also if one of them has not, in its name. */
static unsigned cosignatures(struct core *core, const struct note *note, bool by[])
{
    struct tlog *tlog = core->tlog;
    unsigned sound = 0;
    for (size_t i = 0; i < tlog->n_witnesses; i++) {
        int64_t cosigned_s;
        enum note_verdict verdict = note_verify(note, &tlog->witnesses[i].key, &cosigned_s);
        if (verdict == NOTE_FORGED || (verdict == NOTE_GOOD && !is_near(core, cosigned_s)))
            return 0;
        by[i] = verdict == NOTE_GOOD;
        sound += verdict == NOTE_GOOD;
    }
    return sound;
}

enum tlog_cosigned tlog_cosigned(struct core *core, const char *text, size_t size, struct tlog_bringer bringer)
{
    struct tlog *tlog = core->tlog;
    struct note note;
    struct checkpoint checkpoint;
    char origin[NOTE_NAME_BYTES];
    if (tlog->state != TLOG_GROWING)
        return TLOG_COSIGNED_BUSY;
    bool *by = arena_alloc(&core->scratch, (tlog->n_witnesses + 1) * sizeof *by);
    tlog_generation_origin(tlog, tlog->generation, origin);
    if (!checkpoint_note_parse(text, size, &note, &checkpoint) || strcmp(checkpoint.origin, origin) != 0 ||
        note_verify(&note, &tlog->key, NULL) != NOTE_GOOD || checkpoint.size > tlog->checkpoint.size ||
        checkpoint.size < tlog->witnessed.size)
        return TLOG_COSIGNED_UNSOUND;
    unsigned sound = cosignatures(core, &note, by);
    if (sound == 0)
        return TLOG_COSIGNED_UNSOUND;
    if (tlog->cosigned_note)
        return TLOG_COSIGNED_BUSY;
    for (size_t i = 0; i < tlog->n_witnesses; i++)
        tlog->witnesses[i].refuses &= !by[i];
    tlog->cosigned_note = xcalloc(1, size + 1);
    memcpy(tlog->cosigned_note, text, size);
    tlog->cosigned_by = sound;
    tlog->bringer = bringer;
    core->next_behind_ms = 0;
    return TLOG_COSIGNED_TAKEN;
}

static void cosigned_published(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct note note;
    checkpoint_note_parse(tlog->cosigned_note, strlen(tlog->cosigned_note), &note, &tlog->witnessed);
    if (tlog->job.n_files > 1) {
        free(tlog->note);
        tlog->note = tlog_copy(tlog->cosigned_note);
    }
    free(tlog->witnessed_note);
    tlog->witnessed_note = tlog->cosigned_note;
    tlog->cosigned_note = NULL;
    tlog->witnessed_ms = tlog_cosigned_ms(tlog);
    tlog_cosigned_told(core, tlog->bringer, tlog->cosigned_by, "");
}

bool tlog_publish_cosigned(struct core *core)
{
    struct tlog *tlog = core->tlog;
    struct note note;
    struct checkpoint checkpoint;
    if (!tlog->cosigned_note)
        return false;
    checkpoint_note_parse(tlog->cosigned_note, strlen(tlog->cosigned_note), &note, &checkpoint);
    bool last = checkpoint.size == tlog->checkpoint.size;
    tlog_write_note(core, tlog->cosigned_note, WITNESSED_FILE, last ? CHECKPOINT_FILE : NULL, cosigned_published);
    return true;
}

void tlog_cosigned_fails(struct core *core, const char *why)
{
    struct tlog *tlog = core->tlog;
    if (!tlog->cosigned_note)
        return;
    free(tlog->cosigned_note);
    tlog->cosigned_note = NULL;
    tlog_cosigned_told(core, tlog->bringer, 0, why);
}

int64_t tlog_cosigned_ms(const struct tlog *tlog)
{
    struct note note;
    int64_t last_s = 0, cosigned_s;
    if (!tlog->witnessed_note || !note_parse(tlog->witnessed_note, strlen(tlog->witnessed_note), &note))
        return 0;
    for (size_t i = 0; i < tlog->n_witnesses; i++)
        if (note_verify(&note, &tlog->witnesses[i].key, &cosigned_s) == NOTE_GOOD && cosigned_s > last_s)
            last_s = cosigned_s;
    return last_s < INT64_MAX / 1000 ? last_s * 1000 : 0;
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

/* Who asked it need not have had the last checkpoint: only what is more than that counts. */
void tlog_refused(struct core *core, const char *name, uint64_t size, bool forked)
{
    struct tlog *tlog = core->tlog;
    for (size_t i = 0; tlog && tlog->state == TLOG_GROWING && i < tlog->n_witnesses; i++) {
        struct tlog_witness *witness = &tlog->witnesses[i];
        if (strcmp(witness->key.name, name) != 0 || (!forked && size <= tlog->checkpoint.size))
            continue;
        if (!witness->refuses)
            say(3, "witness %s refuses the audit log: it has seen another one of its name, or a longer one", name);
        witness->refuses = true;
        witness->forked = forked;
        witness->refused_size = size;
    }
}

void tlog_refusals_forget(struct tlog *tlog)
{
    for (size_t i = 0; i < tlog->n_witnesses; i++)
        tlog->witnesses[i].refuses = false;
}
