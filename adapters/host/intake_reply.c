/* intake_reply.c - what a sender is told: the format's replies. Whoever is given none is answered by its transport. */
#include "intake_internal.h"

struct carehub_outcome intake_outcome(const struct exchange *x, uint64_t number)
{
    return (struct carehub_outcome){
        .fault = x->fault,
        .text = x->text,
        .repeat = x->translation.repeat,
        .spooled = x->fault == CAREHUB_FAULT_NONE && x->n_ids > 0 && x->translation.message.confirm_by_spool,
        .now_ms = wall_clock_ms(),
        .number = number,
        .n_ids = x->fault == CAREHUB_FAULT_NONE ? x->n_ids : 0,
        .ids = x->ids,
    };
}

static void on_reply(void *arg, const struct carehub_reply *given)
{
    struct arrival *arrival = arg;
    arrival->transport->reply(arrival, given);
}

void intake_reply(const struct exchange *x, const struct carehub_outcome *outcome)
{
    const struct carehub_format *format = x->translation.format;
    if (x->translation.is_open && format->reply)
        format->reply(x->translation.self, &x->translation.message, outcome, on_reply, x->reception->arrival);
}
