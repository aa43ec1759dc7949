/* A professional stands for what the person or an informal carer entered. It needs a relation to the event, not a
 * right: who received it, and is entitled to it now, may say so. */
#include "facts.h"

#include "eventid.h"
#include "keeping/index.h"
#include "later/later.h"

static bool is_professional(const struct actor *actor)
{
    return actor->card->kind == CAREHUB__V1__ACTOR_KIND__PROFESSIONAL ||
           actor->card->kind == CAREHUB__V1__ACTOR_KIND__ORGANISATION;
}

/* The event, with its decisions brought up to date; NULL: there is none. In the scratch arena. */
static Entry *event_of(struct core *core, const ProtobufCBinaryData *id)
{
    uint64_t place = id->len == EVENTID_BYTES ? store_id_find(core->store, id->data) : 0;
    Entry *entry = place ? entry_read(core, place, &core->scratch) : NULL;
    if (!entry || entry->what_case != CAREHUB__V1__ENTRY__WHAT_EVENT || !entry_has_id(entry, id))
        return NULL;
    decisions_since(core, entry);
    return entry;
}

static bool was_delivered(const Entry *event, uint32_t actor)
{
    for (size_t i = 0; i < event->event->n_decisions; i++) {
        const Decision *decision = event->event->decisions[i];
        if (decision->actor == actor)
            return decision->outcome == OUTCOME(DELIVER) && !decision->notice;
    }
    return false;
}

/* That nothing can be put into its inbox for now does not make it less entitled. */
static bool is_entitled(struct core *core, const Entry *event, uint32_t actor)
{
    struct route_decision decided;
    if (!later_decide(core, event, actor, &decided))
        return false;
    return (decided.outcome == OUTCOME(DELIVER) && !decided.notice) || decided.reason == REASON(NOT_SUBSCRIBED) ||
           decided.reason == REASON(INBOX_FULL) || decided.reason == REASON(PERSONAL_WITHOUT_INBOX);
}

static bool has_verified(struct core *core, const Entry *event, const char *name)
{
    uint64_t place = 0;
    while (store_steps_of(core->store, 0, STEP_LANE_VERIFIED, event->place, place, &place, 1) == 1) {
        const Entry *entry = entry_read(core, place, &core->scratch);
        if (entry && entry->what_case == CAREHUB__V1__ENTRY__WHAT_FACT &&
            entry->fact->fact->fact_case == CAREHUB__V1__FACT__FACT_EVENT_VERIFIED &&
            entry_has_id(event, &entry->fact->fact->event_verified->event_id) &&
            strcmp(entry->fact->fact->event_verified->actor_name, name) == 0)
            return true;
    }
    return false;
}

static bool check_verifier(struct fact_context *context, const char *name)
{
    context->actor = registry_actor_named(&context->core->registry, name);
    if (!context->actor)
        return REFUSE(context, UNKNOWN_NAME, "actorName", "there is no actor “%.*s”", NAME_MAX_BYTES, name);
    if (!is_professional(context->actor))
        return REFUSE(context, INVALID, "actorName", "%s is no professional or organisation, and cannot verify",
                      context->actor->card->name);
    if (context->actor->card->standing != CAREHUB__V1__STANDING__ACTIVE)
        return REFUSE(context, INVALID, "actorName", "actor %s is suspended or has ended", context->actor->card->name);
    return true;
}

/* An event that is not there is refused as one that was not received: the answer tells nobody what there is. */
static bool check_event_verified(struct fact_context *context)
{
    const Carehub__V1__EventVerified *verified = context->message;
    struct core *core = context->core;
    if (!check_verifier(context, verified->actor_name))
        return false;
    Entry *event = event_of(core, &verified->event_id);
    struct person *deciding = event ? person_deciding(core, event->patient) : NULL;
    if (deciding)
        expire_person(core, deciding);
    if (!deciding || !was_delivered(event, context->actor->number) || !is_entitled(core, event, context->actor->number))
        return REFUSE(context, UNKNOWN_NAME, "eventId",
                      "%s has received no such event, or is not entitled to it any more", context->actor->card->name);
    if (event_current(core, event->place) != event->place)
        return REFUSE(context, INVALID, "eventId", "the event was corrected since: verify what took its place");
    if (!event->event->unverified || event->event->retracts)
        return REFUSE(context, INVALID, "eventId", "there is nothing to verify: a professional entered this event");
    if (has_verified(core, event, context->actor->card->name))
        return REFUSE(context, INVALID, "eventId", "%s has verified this event already", context->actor->card->name);
    context->person = person_get(core, event->patient);
    context->event = event;
    return true;
}

static void apply_event_verified(struct fact_context *context)
{
    struct core *core = context->core;
    bool first = !event_verified(core, context->event->place, context->place);
    store_step_put(core->store, 0, STEP_LANE_VERIFIED, context->event->place, context->place);
    if (first)
        later_verified(core, context->event, context->place);
}

const struct fact_kind verify_facts[] = {
    {CAREHUB__V1__FACT__FACT_EVENT_VERIFIED, CAREHUB__V1__OPERATOR_ROLE__REGISTRAR, check_event_verified,
     apply_event_verified, false, false},
};
const size_t n_verify_facts = sizeof verify_facts / sizeof *verify_facts;
