/* names.h - what a hub and its audit log may be called: the same for the daemon's configuration and for those who
 * write one. Any thread. */
#ifndef CAREHUB_NAMES_H
#define CAREHUB_NAMES_H

#include <stdbool.h>

#define HUB_NAME_RULE "1 to 64 letters, digits, dots or dashes"
#define LOG_ORIGIN_RULE                                                                                                \
    "a name of at most 200 bytes like log.example.org/my-region: without https://, spaces, '+', a '/' at its end, or " \
    "a "                                                                                                               \
    "number behind the last '/' (which is how a log is named that was begun after a loss)"

bool hub_name_usable(const char *name);
/* C2SP tlog-checkpoint: the origin, "a schema-less URL", which is also the name of the log's key. */
bool log_origin_usable(const char *origin);

#endif
