/* carehub audit report --proof: a receipt of each entry that a report rests on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "audit.h"

enum { RECEIPTS_MAX = 1000, PATH_BYTES = 4096 };

/* Places, each once. */
struct places {
    size_t n;
    uint64_t places[RECEIPTS_MAX];
    bool too_many;
};

static void add(struct places *places, uint64_t place)
{
    for (size_t i = 0; i < places->n; i++)
        if (places->places[i] == place)
            return;
    if (place == 0)
        return;
    places->too_many |= places->n == RECEIPTS_MAX;
    if (!places->too_many)
        places->places[places->n++] = place;
}

static void add_access(struct places *places, const Carehub__V1__ReportAccess *access)
{
    for (size_t i = 0; i < access->n_said_by; i++)
        add(places, access->said_by[i]);
    add(places, access->ground);
    add(places, access->consent);
    add(places, access->policy);
}

/* What was erased cannot be proved by its content any more: its entry says that it was. */
static void add_item(struct places *places, const Carehub__V1__ReportItem *item)
{
    add(places, item->place);
    for (size_t i = 0; i < item->n_accesses; i++)
        add_access(places, item->accesses[i]);
}

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

int report_prove(struct session *session, const struct report *report, char *purpose, const char *directory)
{
    struct places *places = calloc(1, sizeof *places);
    struct progress progress;
    char path[PATH_BYTES];
    int code = EXIT_OK;
    if (!places)
        abort();
    for (size_t i = 0; i < report->n_pages && !places->too_many; i++)
        for (size_t n = 0; n < report_page(report, i)->n_items && !places->too_many; n++)
            add_item(places, report_page(report, i)->items[n]);
    qsort(places->places, places->n, sizeof *places->places, by_place);
    if (places->too_many)
        code = fail(EXIT_NO, "Ask for one event, with --event, or for a shorter period.",
                    "the report rests on more than %d entries", RECEIPTS_MAX);
    else if (mkdir(directory, 0700) != 0 && errno != EEXIST)
        code = fail(EXIT_NO, "Name a directory that can be written.", "%s: %s", directory, strerror(errno));
    progress_start(&progress, "fetching receipts", places->n);
    for (size_t i = 0; i < places->n && code == EXIT_OK; i++) {
        Carehub__V1__ProveQuery prove = CAREHUB__V1__PROVE_QUERY__INIT;
        prove.place = places->places[i];
        prove.purpose = purpose;
        prove.without_content = true;
        snprintf(path, sizeof path, "%s/entry-%llu.receipt", directory, (unsigned long long)prove.place);
        code = receipt_fetch(session, &prove, path);
        progress_step(&progress, i + 1);
    }
    progress_end(&progress);
    if (code == EXIT_OK)
        fprintf(stderr,
                "%zu receipts are in %s, one for each entry that the report rests on; see `carehub audit "
                "check-receipt`.\n",
                places->n, directory);
    free(places);
    return code;
}
