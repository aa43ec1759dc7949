/* forget.h - makes an adapter that does not run forget a person: carehub-adapter --forget. What it keeps of people is
 * in its journal, its store of subscriptions, its client's spool, and the files that it has put away in done/ and
 * failed/ of its drop folders. */
#ifndef CAREHUB_FORGET_H
#define CAREHUB_FORGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host_config.h"
#include "person.h"

struct forgotten {
    uint64_t items, states, sent, held; /* of the journal */
    uint64_t subscription_events;
    uint64_t spooled;         /* waiting, refused, or in damaged files */
    uint64_t done_files;      /* removed as a whole */
    uint64_t failed_files;    /* only counted: they may hold others' messages, which somebody is to put right */
    size_t other_identifiers; /* that the person is known by too */
};

/* Looks for the person in all that the adapter keeps, and unless `only_count`, takes it away. Read the configuration
 * with HOST_CONFIG_KEPT. False with `error`: not all was done; doing it again is right. */
bool forget_person(const struct host_config *config, struct person *person, bool only_count,
                   struct forgotten *forgotten, char error[CAREHUB_ERROR_BYTES]);

/* The same for one drop folder. A folder that is not there holds nothing. */
bool forget_in_folder(const char *path, const struct person *person, bool only_count, struct forgotten *forgotten,
                      char error[CAREHUB_ERROR_BYTES]);

/* carehub-adapter --forget: does it (`really`) or counts, and prints. Returns the exit status. */
int forget_command(const struct host_config *config, const char *patient, bool really, bool json);

#endif
