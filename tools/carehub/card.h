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

/* Runs a command that asks for the patient in its first argument (as of --at, if it has that option) and
 * shows it. */
int show_patient(const struct args *args, card_fn *show);

#endif
