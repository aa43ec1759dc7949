/* What operators do: put dead letters back, settle what is held. */
#include "facts.h"

static bool is_dead(const struct inbox *inbox, uint64_t place)
{
    for (size_t i = 0; i < inbox->n_exceptions; i++)
        if (inbox->exceptions[i].state == CAREHUB__V1__EXCEPTION_CARD__STATE__DEAD &&
            inbox->exceptions[i].item.place == place)
            return true;
    return false;
}

static bool check_dead_retried(struct fact_context *context)
{
    const Carehub__V1__DeadRetried *retried = context->message;
    const struct inbox *inbox = registry_inbox_named(&context->core->registry, retried->inbox);
    if (!inbox || inbox->card->closed)
        return REFUSE(context, UNKNOWN_NAME, "inbox", "there is no open inbox “%.*s”", NAME_MAX_BYTES, retried->inbox);
    if (inbox->n_dead == 0)
        return REFUSE(context, INVALID, "inbox", "inbox %s has no dead letters", inbox->card->name);
    for (size_t i = 0; i < retried->n_places; i++)
        if (!is_dead(inbox, retried->places[i]))
            return REFUSE(context, UNKNOWN_NAME, "places", "#%llu is not dead in inbox %s",
                          (unsigned long long)retried->places[i], inbox->card->name);
    return check_text(context, "reason", retried->reason, TEXT_MAX_BYTES);
}

static void apply_dead_retried(struct fact_context *context)
{
    dead_retry(context->core, context->message);
}

static bool check_held_settled(struct fact_context *context)
{
    const Carehub__V1__HeldSettled *settled = context->message;
    if (settled->reason[0] == '\0' || strlen(settled->reason) > TEXT_MAX_BYTES)
        return REFUSE(context, INVALID, "reason", "say why, in 1 to %d bytes: it is recorded", TEXT_MAX_BYTES);
    return held_may_settle(context->core, settled->place, context->actor->number, settled->release, context->error);
}

static void apply_held_settled(struct fact_context *context)
{
    const Carehub__V1__HeldSettled *settled = context->message;
    held_settle(context->core, settled->place, context->actor->number, settled->release,
                REASON(END_REFUSED_BY_OPERATOR));
}

#define KIND(name) CAREHUB__V1__FACT__FACT_##name
#define OPERATOR CAREHUB__V1__OPERATOR_ROLE__OPERATOR

const struct fact_kind operator_facts[] = {
    {KIND(DEAD_RETRIED), OPERATOR, check_dead_retried, apply_dead_retried, false, true},
    {KIND(HELD_SETTLED), OPERATOR, check_held_settled, apply_held_settled, false, false},
    {KIND(REPLAYED), OPERATOR, check_replayed, apply_replayed, false, false},
};
const size_t n_operator_facts = sizeof operator_facts / sizeof *operator_facts;
