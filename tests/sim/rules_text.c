/* Scenarios as text: an operation to a line, its fields by name, what is 0 left out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rules.h"

const char *const actor_names[ACTORS + 1] = {"", "az", "gp", "apo", "nurse", "kas", "mia"};
const char *const role_names[ROLES] = {"",
                                       "gp",
                                       "pharmacist",
                                       "home-nurse",
                                       "home-care",
                                       "coordinator",
                                       "case-manager",
                                       "insurer",
                                       "referral-target",
                                       "emergency-physician",
                                       "informal-carer"};
const char *const type_names[TYPES] = {"",
                                       "InclusionFlagged",
                                       "HospitalDischarge",
                                       "MedicationChanged",
                                       "FallReported",
                                       "PatientDeceased",
                                       "EmergencyAccessUsed"};
static const char *const level_names[] = {"", "administrative", "care", "clinical"};
static const char *const grant_names[] = {"",         "case-management",  "insurance",
                                          "referral", "emergency-access", "secondary-use"};

const char *const kind_names[OP_KINDS] = {
    [EVENT] = "event",       [AGAIN] = "again",     [CONFLICT] = "conflict", [CONSENT] = "consent",
    [WITHDRAW] = "withdraw", [MEMBER] = "member",   [LEAVE] = "leave",       [GRANT] = "grant",
    [REVOKE] = "revoke",     [EXCLUDE] = "exclude", [READMIT] = "readmit",   [SETTING] = "setting",
    [LIFT] = "lift",         [DEATH] = "death",     [MERGE] = "merge",       [SEPARATE] = "separate",
    [STANDING] = "standing", [SUBSCRIBE] = "inbox", [SETTLE] = "settle",     [REPLAY] = "replay",
    [END_ACTOR] = "end",     [CLOSE] = "close",     [POLICY] = "policy",     [VERIFY] = "verify",
    [ATTACH] = "attach",     [DETACH] = "detach",   [ACK] = "ack",           [WAIT_MS] = "wait",
    [COMMIT] = "commit",     [CRASH] = "crash"};

#define NAMES(list) list, (int)(sizeof(list) / sizeof *(list))

static const struct {
    const char *name;
    const char *const *values;
    int n;
} fields[FIELDS] = {
    [ID] = {"id", NULL, 0},
    [ACTOR] = {"actor", NAMES(actor_names)},
    [PERSON] = {"person", NULL, 0},
    [OTHER] = {"other", NULL, 0},
    [ROLE] = {"role", NAMES(role_names)},
    [TYPE] = {"type", NAMES(type_names)},
    [LEVEL] = {"level", NAMES(level_names)},
    [KIND] = {"kind", NAMES(grant_names)},
    [FROM] = {"from-ms", NULL, 0},
    [UNTIL] = {"until-ms", NULL, 0},
    [ORIGINAL] = {"original", NULL, 0},
    [PURPOSES] = {"purposes", NULL, 0},
    [NAME] = {"name", NULL, 0},
    [TO_ROLE] = {"to-role", NAMES(role_names)},
    [TO_ACTOR] = {"to-actor", NAMES(actor_names)},
    [PROOF] = {"proof", NULL, 0},
    [URGENT] = {"urgent", NULL, 0},
    [CONFIDENTIAL] = {"confidential", NULL, 0},
    [RETRACTS] = {"retracts", NULL, 0},
    [RELAXES] = {"relaxes", NULL, 0},
    [YES] = {"yes", NULL, 0},
    [SCOPE] = {"scope", NULL, 0},
    [ROOM] = {"room", NULL, 0},
    [MS] = {"ms", NULL, 0},
};

void op_write(const struct op *op, char *line, size_t size)
{
    size_t n = (size_t)snprintf(line, size, "%s", kind_names[op->kind]);
    for (int field = 0; field < FIELDS && n < size; field++) {
        if (!op->v[field])
            continue;
        if (fields[field].values)
            n += (size_t)snprintf(line + n, size - n, " %s=%s", fields[field].name, fields[field].values[op->v[field]]);
        else
            n += (size_t)snprintf(line + n, size - n, " %s=%lld", fields[field].name, op->v[field]);
    }
}

static bool field_read(const char *word, struct op *op)
{
    size_t length = strcspn(word, "=");
    for (int field = 0; field < FIELDS; field++) {
        if (strlen(fields[field].name) != length || strncmp(word, fields[field].name, length) != 0)
            continue;
        if (!fields[field].values)
            return op->v[field] = strtoll(word + length + 1, NULL, 10), true;
        for (int i = 0; i < fields[field].n; i++)
            if (strcmp(fields[field].values[i], word + length + 1) == 0)
                return op->v[field] = i, true;
    }
    return false;
}

bool op_read(const char *line, struct op *op)
{
    char copy[512], *rest = NULL;
    snprintf(copy, sizeof copy, "%s", line);
    *op = (struct op){.kind = OP_KINDS};
    const char *word = strtok_r(copy, " \n", &rest);
    for (int kind = 0; word && kind < OP_KINDS; kind++)
        if (strcmp(word, kind_names[kind]) == 0)
            op->kind = (enum op_kind)kind;
    if (op->kind == OP_KINDS)
        return false;
    while ((word = strtok_r(NULL, " \n", &rest)))
        if (!strchr(word, '=') || !field_read(word, op))
            return false;
    return true;
}
