/* Whatever the text, the policy reader either refuses it and says why, or yields a policy that answers every
 * question within its bounds. Nothing that passes the syntax check may be refused by CZMQ's reader, which
 * can't say why. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "route/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char unread[] = "the policy could not be read";
    char error[POLICY_ERROR_BYTES];
    struct policy *policy = policy_read((const char *)data, size, error);
    if (!policy) {
        MUST(*error && memchr(error, '\0', sizeof error));
        MUST(strncmp(error, unread, sizeof unread - 1) != 0);
        return 0;
    }
    MUST(*policy_name(policy) && policy_hold_ms(policy) > 0);
    int roles = 0;
    for (const char *name; (name = policy_role_name(policy, roles)) != NULL; roles++) {
        MUST(policy_role(policy, name) == roles);
        for (int type = 0; type <= EVENT_TYPE_MAX + 1; type++) {
            const struct policy_cell *cell = policy_cell(policy, roles, (Carehub__V1__EventType)type);
            MUST(cell->level <= CAREHUB__V1__LEVEL__LEVEL_CLINICAL);
            MUST(!cell->by_relation || policy_any_by_relation(policy, (Carehub__V1__EventType)type));
        }
    }
    MUST(roles > 0 && roles <= POLICY_ROLES_MAX);
    policy_destroy(&policy);
    return 0;
}
