/* report.h - access reports: who was told what of a person, when and on which ground. Inside the hub; core thread only.
 *
 *     query_report.c   the question: who may ask, and page by page which entries
 *     report_item.c    one entry as it stands in the report
 *     report_access.c  one decision of it, and what became of it
 *     report_names.c   who is named, and what each access rests on
 *
 * A page is a bounded piece of work, counted by what costs time: nobody else waits long for it. What is in the answer,
 * and what is looked at more than once, lives in the batch's arena; the rest in the scratch arena. */
#ifndef CAREHUB_REPORT_H
#define CAREHUB_REPORT_H

#include "core/core_private.h"
#include "query.h"

enum {                         /* of about 4 µs each */
       REPORT_WORK_ACCESS = 1, /* it is written down, and sent */
       REPORT_WORK_LOOKUP = 1,
       REPORT_WORK_READ = 4, /* an entry is found, deciphered, compared with its leaf, and unpacked */
       REPORT_PAGE_WORK = 256,
       REPORT_PAGE_ITEMS = REPORT_PAGE_WORK / REPORT_WORK_READ,
       REPORT_KEPT = 64, /* entries that a page keeps: acknowledgements are of ranges */
       REPORT_FOUND = 61 /* a prime, so that lanes in whatever rhythm come to different ones */
};

/* What a look into the index of acknowledgements, or of steps, said of a lane: it says the same for the numbers from
 * `from` to `to` of events at `after` or later. */
struct report_found {
    uint32_t inbox; /* 0: nothing */
    Carehub__V1__Lane lane;
    int what;
    uint64_t from, to, after;
    uint64_t place; /* 0: there is none */
};

/* One page in the making. */
struct report {
    struct core *core;
    const Carehub__V1__AccessReportQuery *asked;
    Carehub__V1__AccessReportAnswer *answer;
    uint32_t types; /* bit n: type n */
    bool every_type;
    enum policy_report_names names;
    size_t n_numbers;
    uint64_t numbers[PERSON_NUMBERS_MAX]; /* of the person */
    uint64_t end;                         /* the first place that is not in it */
    uint64_t event;                       /* only what concerns the event at this place; 0: everything */
    int work;                             /* left for this page */
    struct {
        uint64_t place; /* 0: none */
        const Entry *entry;
    } kept[REPORT_KEPT];                     /* by place, modulo their number */
    struct report_found found[REPORT_FOUND]; /* by inbox, lane and what, alike */
    size_t actors_capacity, grounds_capacity, policies_capacity;
};

/* Grows an array of an arena so that it has room for one more. */
#define ARENA_GROW(arena, array, n, capacity)                                                                          \
    do {                                                                                                               \
        if ((n) == (capacity)) {                                                                                       \
            void *old_ = (array);                                                                                      \
            (capacity) = (capacity) ? 2 * (capacity) : 16;                                                             \
            (array) = arena_alloc((arena), (capacity) * sizeof *(array));                                              \
            if (n)                                                                                                     \
                memcpy((array), old_, (n) * sizeof *(array));                                                          \
        }                                                                                                              \
    } while (0)

/* ---- report_item.c ----------------------------------------------------------------------------------------------- */

/* Adds the entry of a place, from its access number *access on. False: the page is full within it, and *access is
 * where the next one goes on; else *access is 0. */
bool report_add(struct report *report, uint64_t place, uint32_t *access);

/* ---- report_access.c --------------------------------------------------------------------------------------------- */

/* One decision about the event at a place, taken under the policy of `policy`, and what became of it. */
Carehub__V1__ReportAccess *report_access(struct report *report, uint64_t event_place, const Decision *decision,
                                         uint64_t policy);

/* ---- report_names.c ---------------------------------------------------------------------------------------------- */

/* The name of an actor, which the answer then lists; "" if the policy keeps it from the report, or there is none. */
char *report_actor(struct report *report, uint32_t number);
/* Is the actor's name kept from the report? */
bool report_hides(const struct report *report, const struct actor *actor);
/* A client's name, and the one organisation that it speaks for besides the actor; "" if there is none or several. */
char *report_client(const struct report *report, uint32_t number);
char *report_organisation(struct report *report, uint32_t client, uint32_t besides_actor);
/* A fact for the report: no actor is named in it that the policy hides. Changes it. */
Carehub__V1__Fact *report_fact(struct report *report, Carehub__V1__Fact *fact);
/* Lists the fact at a place, on which an access rests. */
void report_ground(struct report *report, uint64_t place);
/* The place of the policy in force at a place. */
uint64_t report_policy_at(struct report *report, uint64_t place);
/* Lists the policy of a place, by name. */
void report_policy(struct report *report, uint64_t place);
/* Reads an entry, and counts it; NULL: erased or damaged. What is kept may have been read for this page already. */
Entry *report_read(struct report *report, uint64_t place, struct arena *arena);
const Entry *report_read_kept(struct report *report, uint64_t place);

#endif
