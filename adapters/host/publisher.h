/* publisher.h - hands events and registry facts to the hub through libcarehub, and tells on the loop what became of
 * them.
 *
 * With a spool, appending waits for the disk; that happens on libuv's worker threads, in a few lanes: within a lane
 * events keep their order, and lanes share the disk's syncs. Without one, events go to the library at once. The
 * library's callbacks come from its own thread; they are brought to the loop by uv_async.
 *
 * A group is taken by the hub as a whole or not at all; it never goes through the spool, but keeps its place in its
 * lane.
 *
 * An event or group that is still on its way is not handed over a second time: who wants it again waits for the first.
 * Loop thread only. */
#ifndef CAREHUB_PUBLISHER_H
#define CAREHUB_PUBLISHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "carehub.h"
#include "items.h"

enum { PUBLISHER_LANES = 4, PUBLISHER_TEXT_BYTES = 512, PUBLISHER_BUCKETS = 1024 };

struct publisher;
struct ticket;

/* Somebody who waits for one event or group. Zero it first. */
struct publisher_wait {
    struct publisher_wait *next;
    struct ticket *ticket; /* NULL: does not wait */
    bool for_spool;        /* content when the spool has it; not of groups */
    /* Called once, on the loop, from publisher_publish at the earliest. fault is CAREHUB_FAULT_NONE when it is safe. */
    void (*done)(struct publisher_wait *self, enum carehub_fault fault, const char *text);
    void *arg;
};

/* The hub refused an event or fact for good; also one that an earlier process left in the spool. `code` is the hub's
 * name for it: "ID_CONFLICT". */
typedef void publisher_refused_fn(void *arg, const uint8_t id[CAREHUB_ID_BYTES], const char *code, const char *text);

/* Opens the client. NULL with carehub_error saying why. `options` may be freed afterwards. */
struct publisher *publisher_new(uv_loop_t *loop, const struct carehub_options *options, publisher_refused_fn *refused,
                                void *arg);

/* For what else speaks to the hub; valid until publisher_close. */
carehub_client *publisher_client(struct publisher *self);
bool publisher_has_spool(const struct publisher *self);
bool publisher_connected(const struct publisher *self);

/* Publishes one event, of which it keeps a copy. `lane` is any number: events of the same lane keep their order. */
void publisher_publish(struct publisher *self, const struct item *event, uint64_t lane, struct publisher_wait *wait);
/* The same for several items, which the hub takes together. At least one. */
void publisher_publish_group(struct publisher *self, const struct items *items, uint64_t lane,
                             struct publisher_wait *wait);
/* No longer waits; the event goes on its way all the same. */
void publisher_leave(struct publisher_wait *wait);

/* Closes the client; whoever waits is told CAREHUB_FAULT_UNAVAILABLE. Blocks up to about a second. The handles close in
 * the loop's next turns; then it frees itself. */
void publisher_close(struct publisher **self);

#endif
