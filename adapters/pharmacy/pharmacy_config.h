// The pharmacy format's section of the configuration (pharmacy.conf.example).
#ifndef CAREHUB_PHARMACY_CONFIG_H
#define CAREHUB_PHARMACY_CONFIG_H

#include "carehub_adapter.h"
#include "settings.h"
#include "hl7v2_zone.h"
#include "kmehr.h"

enum { PHARMACY_SENDERS_MAX = 256 };

enum pharmacy_unidentified { PHARMACY_SKIP, PHARMACY_REFUSE, PHARMACY_HOLD };

struct pharmacy_sender {
    char name[CAREHUB_NAME_BYTES];
    struct setting_list peers;            // names of credentials; none: the sender's own name
    char *actor, *role, *zone_name, *xsd; // any may be NULL
    int strict;                           // 0 or 1, as the next two
    int confirm_by_spool;
    int tell_first; // a first version is told as added
    int unidentified;
    struct hl7v2_zone *own_zone;
    const struct hl7v2_zone *zone; // its own or the format's
    struct kmehr_schema *schema;   // NULL: messages are not validated
};

struct pharmacy {
    char *plugin;         // the host's
    char *default_sender; // of messages of which the transport does not know whose they are; may be NULL
    char *zone_name;      // may be NULL
    char *name;           // ours, in what is written; never NULL, as the endpoint
    char *endpoint;
    char *nihdi, *cbe; // ours, as KMEHR names a sender; either may be NULL
    struct hl7v2_zone *zone;
    size_t n_senders;
    struct pharmacy_sender *senders;
};

// What a receiver is to get, and how it is named in it: section "receiver" of an outgoing transport.
enum pharmacy_form { PHARMACY_FHIR, PHARMACY_KMEHR };

struct pharmacy_receiver {
    int form;
    char *name, *endpoint, *nihdi; // any may be NULL
    char *hcparty;                 // of CD-HCPARTY; never NULL
};

// NULL with error. To be called while no other thread reads XML.
struct pharmacy *pharmacy_config_read(const struct carehub_setting *section, const char *folder,
                                      char error[CAREHUB_ERROR_BYTES]);
void pharmacy_config_destroy(struct pharmacy **self);

// The sender whose peer that is, or the default one when it is empty. NULL: there is none.
const struct pharmacy_sender *pharmacy_sender_find(const struct pharmacy *self, const char *peer);

// False with error. To be cleared in any case. section may be NULL.
bool pharmacy_receiver_read(const struct carehub_setting *section, struct pharmacy_receiver *receiver,
                            char error[CAREHUB_ERROR_BYTES]);
void pharmacy_receiver_clear(struct pharmacy_receiver *receiver);

// Minutes east of UTC in a zone (struct hl7v2_zone): a scheme_offset_fn.
int32_t pharmacy_offset(const void *zone, int64_t unix_s);

#endif
