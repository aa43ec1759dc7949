/* service.h - how the daemon behaves as a process: what it may do, where it is locked, whom it tells. */
#ifndef CAREHUB_SERVICE_H
#define CAREHUB_SERVICE_H

#include <stdbool.h>

enum { SERVICE_ERROR_BYTES = 1024 };

/* No core dumps, files for this user only, no death by SIGPIPE, as many descriptors as the system allows.
 * First thing in main. */
void service_harden(void);

/* Becomes `user`, for good; only root can. NULL: stays who it is. False with the reason in `error`. */
bool service_become(const char *user, char error[SERVICE_ERROR_BYTES]);

/* Takes the lock next to the database ("hub.db.lock"), so that two hubs never open one database. It is held
 * until the process ends, in whatever way. False with the reason in `error`. */
bool service_lock(const char *database, char error[SERVICE_ERROR_BYTES]);

/* Replaces a file by one line of text, whole or not at all. False with the reason in `error`. */
bool service_write_file(const char *path, const char *line, char error[SERVICE_ERROR_BYTES]);

/* Tells systemd "READY=1" or the like (sd_notify(3)); nothing happens if nobody wants to know. */
void service_notify(const char *state);

#endif
