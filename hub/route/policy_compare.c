#include "policy_compare.h"

#include <string.h>

#include "policy_internal.h"

static const struct policy_proof *proof_find(const struct policy *policy, const char *name)
{
    for (int i = 0; i < policy->n_proofs; i++)
        if (strcmp(policy->proofs[i].name, name) == 0)
            return &policy->proofs[i];
    return NULL;
}

static bool proofs_same(const struct policy *a, const struct policy *b)
{
    for (int i = 0; i < a->n_proofs; i++) {
        const struct policy_proof *other = proof_find(b, a->proofs[i].name);
        if (!other || other->days != a->proofs[i].days || other->months != a->proofs[i].months)
            return false;
    }
    return a->n_proofs == b->n_proofs;
}

/* All that `a` watches, `b` watches as long. Roles are the same by their names. */
static bool unread_within(const struct policy *a, const struct policy *b)
{
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        for (int role = 0; role < a->n_roles; role++)
            if (a->unread_ms[type][role] && policy_unread_ms(b, policy_role(b, a->roles[role]),
                                                             (Carehub__V1__EventType)type) != a->unread_ms[type][role])
                return false;
    return true;
}

static bool next_same(const struct policy *a, const struct policy *b)
{
    for (int i = 0; i < a->n_next && i < b->n_next; i++)
        if (strcmp(a->roles[a->next[i]], b->roles[b->next[i]]) != 0)
            return false;
    return a->n_next == b->n_next;
}

size_t policy_sections_differ(const struct policy *a, const struct policy *b, const char *sections[POLICY_SECTIONS_MAX])
{
    size_t n = 0;
    if (a->hold_ms != b->hold_ms)
        sections[n++] = "hold-days";
    if (a->report_names != b->report_names)
        sections[n++] = "report-names";
    if (!proofs_same(a, b))
        sections[n++] = "relations";
    if (!unread_within(a, b) || !unread_within(b, a))
        sections[n++] = "unread";
    if (!next_same(a, b))
        sections[n++] = "next-in-line";
    if (memcmp(a->late_ms, b->late_ms, sizeof a->late_ms) != 0)
        sections[n++] = "late-joiner";
    return n;
}
