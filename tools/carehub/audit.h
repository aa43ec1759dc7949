/* audit.h - what the verbs of `carehub audit` do; each is in a file of its own. For audit.c only. */
#ifndef CAREHUB_CLI_AUDIT_H
#define CAREHUB_CLI_AUDIT_H

#include "args.h"

int run_audit_report(const struct args *args);
int run_audit_checkpoint(const struct args *args);
int run_audit_verify(const struct args *args);
int run_audit_prove(const struct args *args);
int run_audit_check_receipt(const struct args *args);
int run_audit_consistency(const struct args *args);
int run_audit_export(const struct args *args);
int run_audit_witness(const struct args *args);
int run_audit_resume(const struct args *args);

#endif
