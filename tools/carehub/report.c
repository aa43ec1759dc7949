#include "report.h"

#include <stdlib.h>
#include <string.h>

#define KIND(name) CAREHUB__V1__REPORT_KIND__REPORT_##name

typedef Carehub__V1__AccessReportAnswer Page;

/* ---- Pages -------------------------------------------------------------------------------------------------------- */

void report_begin(struct report *report)
{
    arena_init(&report->arena);
}

bool report_add(struct report *report, const Carehub__V1__Answer *page)
{
    size_t size = carehub__v1__answer__get_packed_size(page);
    if (report->n_items + page->access_report->n_items > REPORT_ITEMS_MAX)
        return false;
    if (report->n_pages == report->capacity) {
        report->capacity = report->capacity ? 2 * report->capacity : 16;
        report->pages = reallocarray(report->pages, report->capacity, sizeof *report->pages);
        if (!report->pages)
            abort();
    }
    uint8_t *packed = malloc(size + 1);
    if (!packed)
        abort();
    carehub__v1__answer__pack(page, packed);
    Carehub__V1__Answer *copy = carehub__v1__answer__unpack(&report->arena.protobuf, size, packed);
    free(packed);
    if (!copy)
        abort();
    report->pages[report->n_pages++] = copy;
    report->n_items += page->access_report->n_items;
    return true;
}

const Page *report_last(const struct report *report)
{
    return report_page(report, report->n_pages - 1);
}

void report_clear(struct report *report)
{
    arena_fini(&report->arena);
    free(report->pages);
    free(report->actors);
    free(report->grounds);
    free(report->policies);
    *report = (struct report){0};
}

/* ---- Tables ------------------------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    const Carehub__V1__ReportActor *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int by_number(uint64_t x, uint64_t y)
{
    return x < y ? -1 : x > y;
}

static int by_ground(const void *a, const void *b)
{
    const Carehub__V1__ReportGround *const *x = a, *const *y = b;
    return by_number((*x)->place, (*y)->place);
}

static int by_policy(const void *a, const void *b)
{
    const Carehub__V1__ReportPolicy *const *x = a, *const *y = b;
    return by_number((*x)->place, (*y)->place);
}

static void *room(size_t n)
{
    void *memory = calloc(n + 1, sizeof(void *));
    if (!memory)
        abort();
    return memory;
}

/* Pages name what they need: each of them stays once. */
static size_t unique(const void **pointers, size_t n, int (*compare)(const void *, const void *))
{
    size_t kept = 0;
    qsort(pointers, n, sizeof *pointers, compare);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || compare(&pointers[kept - 1], &pointers[i]) != 0)
            pointers[kept++] = pointers[i];
    return kept;
}

void report_end(struct report *report)
{
    size_t actors = 0, grounds = 0, policies = 0;
    for (size_t i = 0; i < report->n_pages; i++) {
        actors += report_page(report, i)->n_actors;
        grounds += report_page(report, i)->n_grounds;
        policies += report_page(report, i)->n_policies;
        report->names_kept |= report_page(report, i)->names_kept;
    }
    report->actors = room(actors);
    report->grounds = room(grounds);
    report->policies = room(policies);
    for (size_t i = 0; i < report->n_pages; i++) {
        const Page *page = report_page(report, i);
        for (size_t n = 0; n < page->n_actors; n++)
            report->actors[report->n_actors++] = page->actors[n];
        for (size_t n = 0; n < page->n_grounds; n++)
            report->grounds[report->n_grounds++] = page->grounds[n];
        for (size_t n = 0; n < page->n_policies; n++)
            report->policies[report->n_policies++] = page->policies[n];
    }
    report->n_actors = unique((const void **)report->actors, report->n_actors, by_name);
    report->n_grounds = unique((const void **)report->grounds, report->n_grounds, by_ground);
    report->n_policies = unique((const void **)report->policies, report->n_policies, by_policy);
}

const Carehub__V1__ReportActor *report_actor_of(const struct report *report, const char *name)
{
    const Carehub__V1__ReportActor key = {.name = (char *)name}, *pointer = &key;
    const Carehub__V1__ReportActor **found =
        bsearch(&pointer, report->actors, report->n_actors, sizeof *report->actors, by_name);
    return found ? *found : NULL;
}

const Carehub__V1__ReportGround *report_ground_of(const struct report *report, uint64_t place)
{
    const Carehub__V1__ReportGround key = {.place = place}, *pointer = &key;
    const Carehub__V1__ReportGround **found =
        bsearch(&pointer, report->grounds, report->n_grounds, sizeof *report->grounds, by_ground);
    return found ? *found : NULL;
}

const Carehub__V1__ReportPolicy *report_policy_of(const struct report *report, uint64_t place)
{
    const Carehub__V1__ReportPolicy key = {.place = place}, *pointer = &key;
    const Carehub__V1__ReportPolicy **found =
        bsearch(&pointer, report->policies, report->n_policies, sizeof *report->policies, by_policy);
    return found ? *found : NULL;
}

/* ---- Rows --------------------------------------------------------------------------------------------------------- */

/* How many rows an item comes to. An event has one of its own, unless it was on the page before. */
static size_t parts(const Carehub__V1__ReportItem *item)
{
    switch (item->kind) {
    case KIND(EVENT):
        return item->n_accesses + !item->continued;
    case KIND(LATER):
    case KIND(RELEASED):
        return item->n_accesses;
    case KIND(EXPIRY):
        return item->n_ends;
    default:
        return 1;
    }
}

static void fill(struct report_row *row)
{
    const Carehub__V1__ReportItem *item = row->item;
    size_t own = item->kind == KIND(EVENT) && !item->continued;
    row->access = item->n_accesses && row->part >= own ? item->accesses[row->part - own] : NULL;
    row->end = item->kind == KIND(EXPIRY) ? item->ends[row->part] : NULL;
}

bool report_next(const struct report *report, struct report_row *row)
{
    if (row->begun)
        row->part++;
    row->begun = true;
    for (; row->page < report->n_pages; row->page++, row->at = 0)
        for (; row->at < report_page(report, row->page)->n_items; row->at++, row->part = 0) {
            row->item = report_page(report, row->page)->items[row->at];
            if (row->part < parts(row->item)) {
                fill(row);
                return true;
            }
        }
    return false;
}
