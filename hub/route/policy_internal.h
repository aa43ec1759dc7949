/* policy_internal.h - a policy as it is kept; between policy.c, which answers, and policy_read.c, which reads. */
#ifndef CAREHUB_POLICY_INTERNAL_H
#define CAREHUB_POLICY_INTERNAL_H

#include "hub_limits.h"
#include "policy.h"

enum {
    ROLE_TABLE_SLOTS = 256, /* a power of two, four times the roles: a probe or two finds any */
    HOLD_MAX_DAYS = 365,
    POLICY_PROOFS_MAX = 32,
};

_Static_assert(EVENT_TYPE_MAX < 32, "sets of types are 32 bits wide");

/* A kind of proof of a therapeutic relation, and how long that lasts. */
struct policy_proof {
    char name[NAME_MAX_BYTES + 1];
    int days, months;
};

struct policy {
    char name[NAME_MAX_BYTES + 1];
    int64_t hold_ms;
    enum policy_report_names report_names;
    uint32_t after_death; /* bit n: type n */
    uint32_t retracts_erased;
    uint32_t by_relation; /* bit n: some role gets type n on the relation alone */
    int n_roles;
    char roles[POLICY_ROLES_MAX][NAME_MAX_BYTES + 1];
    uint8_t role_lengths[POLICY_ROLES_MAX];
    uint8_t role_table[ROLE_TABLE_SLOTS]; /* open addressing; role + 1, 0: empty */
    struct policy_cell cells[EVENT_TYPE_MAX + 1][POLICY_ROLES_MAX];
    int n_proofs;
    struct policy_proof proofs[POLICY_PROOFS_MAX];
    int64_t unread_ms[EVENT_TYPE_MAX + 1][POLICY_ROLES_MAX];
    int n_next;
    int next[POLICY_ROLES_MAX]; /* roles in line */
    int64_t late_ms[EVENT_TYPE_MAX + 1];
};

/* Where a role stands, or would stand, in the table. */
size_t policy_role_slot(const struct policy *policy, const char *role);

#endif
