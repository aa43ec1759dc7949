/* demo.h - the invented region of `carehub init --demo`. */
#ifndef CAREHUB_CLI_DEMO_H
#define CAREHUB_CLI_DEMO_H

#include "conf.h"

/* Makes DIR/demo: the region's facts, the clients' keys and configurations, a discharge as HL7 v2, events as
 * JSON. `hub` says how the clients reach the hub. Returns an exit code. */
int demo_make(const char *dir, const struct conf *hub);

#endif
