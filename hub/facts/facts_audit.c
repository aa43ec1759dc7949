/* What auditors decide about the audit log itself: that it goes on after a loss. */
#include "facts.h"
#include "keeping/tlog.h"

static bool check_log_resumed(struct fact_context *context)
{
    const Carehub__V1__LogResumed *resumed = context->message;
    struct tlog_view view;
    tlog_view(context->core->tlog, &view);
    if (!view.lost && !view.refuses)
        return REFUSE(
            context, INVALID, "fact",
            "there is nothing to resume: what was published of the audit log is what the hub has, and no witness "
            "has refused it");
    if (resumed->reason[0] == '\0' || strlen(resumed->reason) > TEXT_MAX_BYTES)
        return REFUSE(context, INVALID, "reason", "say what happened, in 1 to %d bytes: it is recorded",
                      TEXT_MAX_BYTES);
    return true;
}

void log_resumed_fill(struct core *core, Carehub__V1__LogResumed *resumed)
{
    struct tlog_view view;
    tlog_view(core->tlog, &view);
    resumed->lost_size = view.checkpoint.size;
    resumed->lost_root.len = MERKLE_HASH_BYTES;
    resumed->lost_root.data = arena_copy(&core->scratch, view.checkpoint.root.bytes, MERKLE_HASH_BYTES);
    resumed->seen_size = view.refuses ? view.refuses->refused_size : 0;
    resumed->generation = tlog_next_generation(core->tlog);
}

static void apply_log_resumed(struct fact_context *context)
{
    tlog_resume(context->core, tlog_next_generation(context->core->tlog));
}

const struct fact_kind audit_facts[] = {
    {CAREHUB__V1__FACT__FACT_LOG_RESUMED, CAREHUB__V1__OPERATOR_ROLE__AUDITOR, check_log_resumed, apply_log_resumed,
     false, true},
};
const size_t n_audit_facts = sizeof audit_facts / sizeof *audit_facts;
