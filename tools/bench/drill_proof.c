/* Who learned of one event, with a receipt for each line: what `carehub audit report --event --proof` asks. */
#include "drill_core.h"

#include <stdio.h>

enum { PLACES_MAX = 1000 };

typedef Carehub__V1__AccessReportQuery Asked;

struct places {
    uint64_t places[PLACES_MAX];
    size_t n;
};

static void add(struct places *places, uint64_t place)
{
    for (size_t i = 0; i < places->n; i++)
        if (places->places[i] == place)
            return;
    if (place && places->n < PLACES_MAX)
        places->places[places->n++] = place;
}

static void add_item(struct places *places, const Carehub__V1__ReportItem *item)
{
    add(places, item->place);
    for (size_t i = 0; i < item->n_accesses; i++) {
        const Carehub__V1__ReportAccess *access = item->accesses[i];
        for (size_t n = 0; n < access->n_said_by; n++)
            add(places, access->said_by[n]);
        add(places, access->ground);
        add(places, access->consent);
        add(places, access->policy);
    }
}

static bool fetch_receipt(struct drill *drill, uint64_t place)
{
    Carehub__V1__ProveQuery prove = CAREHUB__V1__PROVE_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    prove.place = place;
    prove.purpose = (char *)"drill";
    prove.without_content = true;
    query.query_case = CAREHUB__V1__QUERY__QUERY_PROVE;
    query.prove = &prove;
    const Carehub__V1__Answer *answer = drill_ask(drill, &query);
    if (answer && answer->prove && *answer->prove->proof)
        return true;
    fprintf(stderr, "carehub-bench-drill: no receipt of #%llu: %s\n", (unsigned long long)place,
            answer && answer->error ? answer->error->text : "no answer");
    return false;
}

bool drill_who(struct drill *drill, uint64_t event_place, struct drill_who *who)
{
    Asked asked = CAREHUB__V1__ACCESS_REPORT_QUERY__INIT;
    Carehub__V1__Query query = CAREHUB__V1__QUERY__INIT;
    struct places places = {.n = 0};
    asked.event_place = event_place;
    asked.purpose = (char *)"drill";
    query.query_case = CAREHUB__V1__QUERY__QUERY_ACCESS_REPORT;
    query.access_report = &asked;
    *who = (struct drill_who){0};
    do {
        const Carehub__V1__Answer *answer = drill_ask(drill, &query);
        if (!answer || answer->error || !answer->access_report) {
            fprintf(stderr, "carehub-bench-drill: %s\n", answer && answer->error ? answer->error->text : "no answer");
            return false;
        }
        const Carehub__V1__AccessReportAnswer *page = answer->access_report;
        for (size_t i = 0; i < page->n_items; i++) {
            add_item(&places, page->items[i]);
            who->lines += page->items[i]->n_accesses;
        }
        asked.reading = page->reading;
        asked.from_place = page->next_place;
        asked.from_access = page->next_access;
        drill->now_ms += page->waiting ? 10 : 0;
    } while (asked.from_place);
    for (; who->receipts < places.n; who->receipts++)
        if (!fetch_receipt(drill, places.places[who->receipts]))
            return false;
    return true;
}
