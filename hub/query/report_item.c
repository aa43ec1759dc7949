/* One entry of the log as it stands in a report. */
#include "report.h"
#include "keeping/index.h"

typedef Carehub__V1__ReportItem Item;

static bool of_types(const struct report *report, Carehub__V1__EventType type)
{
    return report->every_type || (report->types >> type & 1);
}

/* Who is not told is in the report on request only. */
static bool in_report(const struct report *report, const Decision *decision)
{
    return decision->outcome == OUTCOME(DELIVER) || report->asked->denials;
}

static Item *item_new(struct report *report, const Entry *entry, Carehub__V1__ReportKind kind)
{
    struct core *core = report->core;
    NEW(core, ReportItem, item);
    item->kind = kind;
    item->place = entry->place;
    item->at_ms = entry->at_ms;
    item->record = entry->patient;
    item->client = report_client(report, entry->client);
    item->actor = report_actor(report, entry->actor);
    return item;
}

static void item_put(struct report *report, Item *item)
{
    report->answer->items[report->answer->n_items++] = item;
}

/* What a report says of the event that an item is about. */
static void about_event(Item *item, const Entry *event)
{
    item->event_place = event->place;
    item->type = event->event->type;
    item->event_id = event->event->id;
    item->event_ms = event->event->received_ms;
    item->confidentiality = event->event->confidentiality;
    item->amends = event->event->amends;
    item->retracts = event->event->retracts;
}

static const Entry *event_of(struct report *report, uint64_t place)
{
    const Entry *event = place ? report_read_kept(report, place) : NULL;
    return event && event->what_case == CAREHUB__V1__ENTRY__WHAT_EVENT ? event : NULL;
}

/* ---- Events ------------------------------------------------------------------------------------------------------- */

static char *party_name(struct core *core, const Carehub__V1__Party *party)
{
    return arena_strdup(&core->batch, party && party->name ? party->name : "");
}

/* By the event's own word; nothing once its content is gone. The policy that keeps professionals' names from reports
 * keeps those of authors, too. */
static Carehub__V1__ReportAuthor *author_of(struct report *report, const struct log_record *record)
{
    struct core *core = report->core;
    const Carehub__V1__Event *event =
        record->payload ? carehub__v1__event__unpack(&core->scratch.protobuf, record->payload_size, record->payload)
                        : NULL;
    if (!event || !event->author)
        return NULL;
    NEW(core, ReportAuthor, author);
    author->role = arena_strdup(&core->batch, event->author->role);
    author->organisation = party_name(core, event->author->organisation);
    author->unverified = event->author->unverified;
    if (report->names == REPORT_NAMES_PERSON) {
        author->professional = party_name(core, event->author->professional);
        author->on_behalf_of = party_name(core, event->author->on_behalf_of);
    } else {
        report->answer->names_kept |= event->author->professional || event->author->on_behalf_of;
    }
    return author;
}

static bool add_event(struct report *report, const Entry *entry, const struct log_record *record, uint32_t *from)
{
    struct core *core = report->core;
    const Carehub__V1__EventEntry *event = entry->event;
    uint32_t at = *from;
    *from = 0;
    if (!of_types(report, event->type))
        return true;
    Item *item = item_new(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_EVENT);
    about_event(item, entry);
    item->continued = at > 0;
    item->author = author_of(report, record);
    item->accesses = arena_alloc(&core->batch, (event->n_decisions + 1) * sizeof *item->accesses);
    for (uint32_t first = at; at < event->n_decisions && (report->work > 0 || at == first); at++) /* at least one */
        if (in_report(report, event->decisions[at]))
            item->accesses[item->n_accesses++] =
                report_access(report, entry->place, event->decisions[at], event->policy);
    item_put(report, item);
    *from = at < event->n_decisions ? at : 0;
    return *from == 0;
}

/* A decision that is an entry of its own. */
static Item *add_decision(struct report *report, const Entry *entry, Carehub__V1__ReportKind kind, uint64_t event_place,
                          const Decision *decision)
{
    const Entry *event = in_report(report, decision) ? event_of(report, event_place) : NULL;
    if (!event || !of_types(report, event->event->type))
        return NULL;
    Item *item = item_new(report, entry, kind);
    about_event(item, event);
    item->accesses = arena_alloc(&report->core->batch, sizeof *item->accesses);
    item->accesses[item->n_accesses++] =
        report_access(report, event_place, decision, report_policy_at(report, entry->place));
    item_put(report, item);
    return item;
}

static void add_later(struct report *report, const Entry *entry)
{
    const Carehub__V1__LaterEntry *later = entry->later;
    Item *item =
        add_decision(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_LATER, later->event_place, later->decision);
    if (!item)
        return;
    item->cause = later->cause;
    item->because = later->because;
    item->instead_of = report_actor(report, later->instead_of);
}

/* ---- The rest ----------------------------------------------------------------------------------------------------- */

static void add_change(struct report *report, const Entry *entry)
{
    Item *item = item_new(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_CHANGE);
    item->change = report_fact(report, entry->fact->fact);
    item_put(report, item);
}

static void add_reading(struct report *report, const Entry *entry)
{
    const Entry *event = event_of(report, entry->reading->event_place);
    if (!report->every_type && !(event && of_types(report, event->event->type)))
        return;
    Item *item = item_new(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_READING);
    if (event)
        about_event(item, event);
    item->event_place = entry->reading->event_place;
    item->question = entry->reading->question;
    item->organisation = report_organisation(report, entry->client, 0);
    item_put(report, item);
}

static void add_expiry(struct report *report, const Entry *entry)
{
    struct core *core = report->core;
    const Carehub__V1__ExpiryEntry *expiry = entry->expiry;
    Item *item = item_new(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_EXPIRY);
    item->ends = arena_alloc(&core->batch, (expiry->n_ended + 1) * sizeof *item->ends);
    for (size_t i = 0; i < expiry->n_ended; i++) {
        const Carehub__V1__ExpiryEntry__Ended *from = expiry->ended[i];
        NEW(core, ReportEnd, end);
        end->kind = from->kind;
        end->actor = report_actor(report, from->actor);
        end->role = from->role;
        end->since = from->since;
        end->until_ms = from->until_ms;
        item->ends[item->n_ends++] = end;
    }
    item_put(report, item);
}

/* What is left of a person who was erased: that, when and by whom. */
static void add_erased(struct report *report, const Entry *entry)
{
    const Carehub__V1__ErasedEntry *erased = entry->erased;
    Item *item = item_new(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_ERASED);
    item->erased = erased->entries;
    item->taken_back = erased->told;
    item->requested_by = report_client(report, erased->requested_by);
    item->requested_ms = erased->requested_ms;
    item->confirmed_by = report_client(report, erased->confirmed_by);
    item_put(report, item);
}

/* Is it in a report of one event only? */
static bool of_event(const struct report *report, const Entry *entry)
{
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        return entry->place == report->event;
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        return entry->later->event_place == report->event;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        return entry->held->event_place == report->event;
    case CAREHUB__V1__ENTRY__WHAT_READING:
        return entry->reading->event_place == report->event;
    default:
        return false;
    }
}

/* The entry, and its payload if that is still there. */
static const Entry *open_whole(struct report *report, uint64_t place, struct log_record *record)
{
    struct core *core = report->core;
    Entry *entry;
    report->work -= REPORT_WORK_READ + REPORT_WORK_LOOKUP;
    enum store_result opened = entry_open(core, place, &core->batch, record, &entry);
    if (opened == STORE_DAMAGED)
        say(2, "entry %llu of the log or its payload is damaged or was altered; it is not used",
            (unsigned long long)place);
    if (opened != STORE_OK)
        record->payload = NULL;
    return entry;
}

bool report_add(struct report *report, uint64_t place, uint32_t *access)
{
    struct log_record record;
    const Entry *entry = open_whole(report, place, &record);
    if (!entry || !entry_concerns(entry, report->numbers, report->n_numbers))
        return true;
    if (report->event && !of_event(report, entry))
        return true;
    switch (entry->what_case) {
    case CAREHUB__V1__ENTRY__WHAT_EVENT:
        return add_event(report, entry, &record, access);
    case CAREHUB__V1__ENTRY__WHAT_LATER:
        add_later(report, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_HELD:
        add_decision(report, entry, CAREHUB__V1__REPORT_KIND__REPORT_RELEASED, entry->held->event_place,
                     entry->held->decision);
        break;
    case CAREHUB__V1__ENTRY__WHAT_READING:
        add_reading(report, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_FACT:
        if (report->every_type)
            add_change(report, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_EXPIRY:
        if (report->every_type)
            add_expiry(report, entry);
        break;
    case CAREHUB__V1__ENTRY__WHAT_ERASED:
        add_erased(report, entry);
        break;
    default: /* acknowledgements and ends stand with the access that they are about */
        break;
    }
    return true;
}
