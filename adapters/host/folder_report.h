/* folder_report.h - the text beside a file that was refused. */
#ifndef CAREHUB_FOLDER_REPORT_H
#define CAREHUB_FOLDER_REPORT_H

#include "transport.h"

enum {
    FOLDER_REPORT_BYTES = CAREHUB_ERROR_BYTES + CAREHUB_NATIVE_ID_BYTES + CAREHUB_WHERE_BYTES + CAREHUB_RULE_BYTES + 256
};

/* Which message, where, what and by which rule; nothing of what is in the file. */
void folder_report(const struct arrival *arrival, const struct carehub_message *message,
                   const struct carehub_outcome *outcome, char out[FOLDER_REPORT_BYTES]);

#endif
