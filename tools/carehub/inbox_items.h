/* inbox_items.h - the commands about what is in an inbox. For inbox.c. */
#ifndef CAREHUB_CLI_INBOX_ITEMS_H
#define CAREHUB_CLI_INBOX_ITEMS_H

#include "args.h"

int inbox_show(const struct args *args);
int inbox_dead(const struct args *args);
int inbox_held(const struct args *args);
int inbox_retry(const struct args *args);
int inbox_release(const struct args *args);
int inbox_refuse(const struct args *args);

#endif
