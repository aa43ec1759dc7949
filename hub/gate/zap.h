/* zap.h - answers libzmq's questions about who may connect (ZAP 1.0, rfc.zeromq.org/spec/27).
 *
 * libzmq lets any key in as long as nobody is bound to inproc://zeromq.zap.01, so this has to be open before
 * a socket is bound. It is only the door: the gate checks standing again on each message, the core for each
 * entry. */
#ifndef CAREHUB_ZAP_H
#define CAREHUB_ZAP_H

#include "gate/door.h"

#define ZAP_DOMAIN "carehub"

struct zap;

/* Binds the handler in this libzmq context. `door` is borrowed. NULL with errno set if it cannot. */
struct zap *zap_open(void *context, struct door *door);

/* NULL is ignored. Before the end of the context. */
void zap_close(struct zap **zap);

/* The socket, for polling. */
void *zap_socket(const struct zap *zap);

/* Answers every question that is waiting. */
void zap_answer(struct zap *zap, int64_t now_ms);

#endif
