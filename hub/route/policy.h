/* policy.h - the access matrix: which role may know what of which type of event. Data, read from a file.
 *
 * The file is in ZPL, the format of the hub's other configuration (RFC 4 of the ZeroMQ project: indented name
 * = value):
 *
 *     policy
 *         name = region-2026
 *         hold-days = 14                   # 1 to 365; may be left out
 *         report-names = person            # in access reports: person, role-and-organisation or organisation;
 *                                          # may be left out
 *     roles                                # every role that the matrix speaks of
 *         gp
 *         insurer
 *     after-death                          # types that still go out for a person who has died
 *         PatientDeceased
 *     matrix                               # one row for each event type; a role that a row does not name gets none
 *         InclusionFlagged
 *             gp = clinical, by relation, personal
 *             insurer = administrative
 *     relations                            # how long a therapeutic relation lasts, by its kind of proof
 *         eid-read = 15 months
 *     unread                               # what nobody has read in this time goes to the next in line as well
 *         HospitalDischarge
 *             gp = 4 hours
 *     next-in-line                         # in this order: whoever of the team is entitled
 *         coordinator
 *     late-joiner                          # a new member is given the last one, if it is not older
 *         HospitalDischarge = 30 days
 *     erasure                              # when a person is erased, those who received one of these are told, without
 *         HospitalDischarge                # content, that it is taken back
 *
 * The last five may be left out. So may the rows of types that are younger than the policy: nobody gets those.
 *
 * A policy never changes once it is read. Pure, thread-safe. */
#ifndef CAREHUB_POLICY_H
#define CAREHUB_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "carehub/v1/registry.pb-c.h"
#include "catalogue.h"

/* What an access report says of the professionals in it: all, their role and organisation, or their organisation. */
enum policy_report_names { REPORT_NAMES_PERSON, REPORT_NAMES_ROLE, REPORT_NAMES_ORGANISATION };

enum { POLICY_ROLES_MAX = 64, POLICY_ROLE_UNKNOWN = -1, POLICY_ERROR_BYTES = 512 };

/* One cell of the matrix: what a role gets of a type. */
struct policy_cell {
    uint8_t level;    /* Carehub__V1__Level */
    bool by_relation; /* the care relation is enough; otherwise consent for continuity of care is needed */
    bool restricted;  /* also confidential events */
    bool personal;    /* must be told personally: without an inbox it is held, not dropped */
};

struct policy;

/* Reads a policy of at most POLICY_MAX_BYTES; `text` need not end in a NUL. Returns NULL and says in `error`
 * what is wrong, where (the line, or a path such as "matrix/FallReported/gp"), and what would be right. It is
 * all or nothing: an unknown section, role or type, a name that stands twice, a type without a row: each
 * refuses the whole file. Free with policy_destroy. */
struct policy *policy_read(const char *text, size_t size, char error[POLICY_ERROR_BYTES]);
void policy_destroy(struct policy **policy);

const char *policy_name(const struct policy *policy);
enum policy_report_names policy_report_names(const struct policy *policy);

/* The number of a role (0 to POLICY_ROLES_MAX - 1), or POLICY_ROLE_UNKNOWN. */
int policy_role(const struct policy *policy, const char *role);
const char *policy_role_name(const struct policy *policy, int role); /* NULL past the last */

/* The cell for a role and a type. Never NULL: what the file does not say is none, and so is a role or type
 * that does not exist. */
const struct policy_cell *policy_cell(const struct policy *policy, int role, Carehub__V1__EventType type);

/* Types that still go out for a person who has died. */
bool policy_after_death(const struct policy *policy, Carehub__V1__EventType type);

/* True if any role gets this type on the care relation alone. */
bool policy_any_by_relation(const struct policy *policy, Carehub__V1__EventType type);

/* How long a hold lasts before it is dead, in ms. */
int64_t policy_hold_ms(const struct policy *policy);

/* When a relation that begins at from_ms and has this kind of proof ends by itself; 0: it does not. */
int64_t policy_relation_until_ms(const struct policy *policy, const char *proof, int64_t from_ms);

/* How long a delivery of this type to this role may stay unread; 0: it is not watched. */
int64_t policy_unread_ms(const struct policy *policy, int role, Carehub__V1__EventType type);
/* The i-th role in line for what was not read; POLICY_ROLE_UNKNOWN past the last. */
int policy_next_in_line(const struct policy *policy, int i);

/* Are the receivers of such an event told when its person is erased? */
bool policy_retracts_erased(const struct policy *policy, Carehub__V1__EventType type);

/* How old an event of this type may be to be given to a new member; 0: it is not. */
int64_t policy_late_ms(const struct policy *policy, Carehub__V1__EventType type);

#endif
