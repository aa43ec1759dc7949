/* card.h - shows what the hub knows of a patient, part by part. Pure: writes to `out` only. */
#ifndef CAREHUB_CLI_CARD_H
#define CAREHUB_CLI_CARD_H

#include "carehub/v1/wire.pb-c.h"
#include "term.h"

typedef void card_fn(const Carehub__V1__PatientAnswer *patient, FILE *out, struct style style);

card_fn card_head; /* "P42, registered at #12" */
card_fn card_team;
card_fn card_consents;
card_fn card_excluded;
card_fn card_grants;
card_fn card_settings;
card_fn card_all;

/* Emergency accesses, row by row, of however many answers. table_destroy frees the table. */
struct table *emergency_table(struct style style);
void emergency_row(struct table *table, const Carehub__V1__EmergencyAccess *access, struct style style);
void emergency_print(const struct table *table, FILE *out, struct style style);

/* Runs a command that asks for the patient in its first argument (as of --at, if it has that option) and
 * shows it. */
int show_patient(const struct args *args, card_fn *show);

#endif
