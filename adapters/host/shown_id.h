/* shown_id.h - what a message says of itself as it may be shown: in the log, the status file and lists. Some senders
 * build their message ids from the patient's national number (KMEHR's medication schemes do); what could be one is
 * blotted out. Pure. */
#ifndef CAREHUB_SHOWN_ID_H
#define CAREHUB_SHOWN_ID_H

#include "carehub_adapter.h"

/* The digits of every SSIN in it become '*', with or without punctuation between them. */
void shown_blot(char *text);
/* Copies a sender's message id, and blots it. */
void shown_id(const char *id, char out[CAREHUB_NATIVE_ID_BYTES]);

#endif
