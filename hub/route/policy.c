#include "policy_internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct policy_cell CELL_NONE = {0};

/* ---- Asking ----------------------------------------------------------------------------------------------------- */

/* The length and both ends of a role's name tell roles apart well enough; where they do not, one more probe
 * does. */
static size_t role_hash(const char *role, size_t length)
{
    uint64_t head = 0, tail = 0;
    if (length >= sizeof head) {
        memcpy(&head, role, sizeof head);
        memcpy(&tail, role + length - sizeof tail, sizeof tail);
    } else {
        for (size_t i = 0; i < length; i++)
            head = head << 8 | (uint8_t)role[i];
    }
    return (size_t)((head * 31 + tail + length) * 0x9e3779b97f4a7c15u >> 56) %
           ROLE_TABLE_SLOTS; /* the upper bits are the mixed ones */
}

const char *policy_name(const struct policy *policy)
{
    return policy->name;
}

enum policy_report_names policy_report_names(const struct policy *policy)
{
    return policy->report_names;
}

size_t policy_role_slot(const struct policy *policy, const char *role)
{
    size_t length = strlen(role), slot = role_hash(role, length);
    for (; policy->role_table[slot]; slot = (slot + 1) % ROLE_TABLE_SLOTS) {
        int found = policy->role_table[slot] - 1;
        if (policy->role_lengths[found] == length && memcmp(policy->roles[found], role, length) == 0)
            break;
    }
    return slot;
}

int policy_role(const struct policy *policy, const char *role)
{
    return policy->role_table[policy_role_slot(policy, role)] - 1; /* an empty slot is 0 */
}

const char *policy_role_name(const struct policy *policy, int role)
{
    return role >= 0 && role < policy->n_roles ? policy->roles[role] : NULL;
}

static bool type_valid(Carehub__V1__EventType type)
{
    return (int)type >= 1 && (int)type <= EVENT_TYPE_MAX;
}

const struct policy_cell *policy_cell(const struct policy *policy, int role, Carehub__V1__EventType type)
{
    return role >= 0 && role < policy->n_roles && type_valid(type) ? &policy->cells[type][role] : &CELL_NONE;
}

bool policy_retracts_erased(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) && (policy->retracts_erased >> type & 1);
}

bool policy_after_death(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) && (policy->after_death >> type & 1);
}

bool policy_any_by_relation(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) && (policy->by_relation >> type & 1);
}

int64_t policy_hold_ms(const struct policy *policy)
{
    return policy->hold_ms;
}

int64_t policy_relation_until_ms(const struct policy *policy, const char *proof, int64_t from_ms)
{
    for (int i = 0; i < policy->n_proofs; i++) {
        if (strcmp(policy->proofs[i].name, proof) != 0)
            continue;
        time_t from_s = (time_t)(from_ms / 1000);
        struct tm day;
        if (!gmtime_r(&from_s, &day))
            return 0;
        day.tm_mon += policy->proofs[i].months;
        day.tm_mday += policy->proofs[i].days;
        return (int64_t)timegm(&day) * 1000 + from_ms % 1000;
    }
    return 0;
}

int64_t policy_unread_ms(const struct policy *policy, int role, Carehub__V1__EventType type)
{
    return role >= 0 && role < policy->n_roles && type_valid(type) ? policy->unread_ms[type][role] : 0;
}

int policy_next_in_line(const struct policy *policy, int i)
{
    return i >= 0 && i < policy->n_next ? policy->next[i] : POLICY_ROLE_UNKNOWN;
}

int64_t policy_late_ms(const struct policy *policy, Carehub__V1__EventType type)
{
    return type_valid(type) ? policy->late_ms[type] : 0;
}

void policy_destroy(struct policy **policy)
{
    free(*policy);
    *policy = NULL;
}
