#include "folder_report.h"

#include <stdio.h>

#include "shown_id.h"

static size_t add_line(char *out, size_t used, const char *name, const char *text)
{
    int len = text[0] ? snprintf(out + used, FOLDER_REPORT_BYTES - used, "%-6s %s\n", name, text) : 0;
    return used + (size_t)len < FOLDER_REPORT_BYTES ? used + (size_t)len : FOLDER_REPORT_BYTES - 1;
}

void folder_report(const struct arrival *arrival, const struct carehub_message *message,
                   const struct carehub_outcome *outcome, char out[FOLDER_REPORT_BYTES])
{
    bool native = outcome->fault == CAREHUB_FAULT_NATIVE && message->problem.what[0];
    char id[CAREHUB_NATIVE_ID_BYTES];
    size_t used = 0;
    shown_id(message->native_id, id);
    if (arrival->n_messages > 1)
        used = (size_t)snprintf(out, FOLDER_REPORT_BYTES,
                                "%zu of the file's %zu messages were refused, the others were taken; the adapter's log "
                                "names each.\nThe first of them:\n",
                                arrival->n_refused, arrival->n_messages);
    used = add_line(out, used, "which:", arrival->n_messages > 1 ? id : "");
    used = add_line(out, used, "where:", native ? message->problem.where : "");
    used = add_line(out, used, "what:", native ? message->problem.what : outcome->text);
    add_line(out, used, "rule:", native ? message->problem.rule : "");
}
