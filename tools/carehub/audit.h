/* audit.h - what the verbs of `carehub audit` do; each is in a file of its own. For these files only. */
#ifndef CAREHUB_CLI_AUDIT_H
#define CAREHUB_CLI_AUDIT_H

#include "args.h"
#include "report.h"
#include "session.h"

int run_audit_report(const struct args *args);
int run_audit_checkpoint(const struct args *args);
int run_audit_verify(const struct args *args);
/* … --tiles: a directory. Returns an exit code, and has said what is wrong. */
int audit_verify_files(const struct args *args, const char *directory);
int run_audit_prove(const struct args *args);
int run_audit_check_receipt(const struct args *args);
int run_audit_consistency(const struct args *args);
int run_audit_export(const struct args *args);
int run_audit_witness(const struct args *args);
int run_audit_resume(const struct args *args);

/* Asks for the proof of an entry, waits for a checkpoint over it, and writes the receipt to a file that only its owner
 * can read; NULL: to stdout. Returns an exit code, and has said what is wrong. */
int receipt_fetch(struct session *session, Carehub__V1__ProveQuery *prove, const char *path);

/* Writes a receipt into a directory for each entry that a report rests on: those it shows, those that say what became
 * of an access, its grounds, and the policies. They show no content. The same. */
int report_prove(struct session *session, const struct report *report, char *purpose, const char *directory);

#endif
