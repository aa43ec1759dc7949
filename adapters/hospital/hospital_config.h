// The hl7v2 format's part of an adapter's configuration. See hospital.conf.example.
#ifndef CAREHUB_HOSPITAL_CONFIG_H
#define CAREHUB_HOSPITAL_CONFIG_H

#include <stdbool.h>

#include "adt_sender.h"
#include "carehub_adapter.h"

#define HOSPITAL_SENDERS_MAX 64

// A message whose patient has no identifier that may be used.
enum hospital_unidentified { UNIDENTIFIED_SKIP, UNIDENTIFIED_REFUSE, UNIDENTIFIED_HOLD };

struct hospital_sender {
    struct adt_sender *adt;
    enum hospital_unidentified unidentified;
    bool reject_unsupported; // AR instead of AA for what is no event of ours
    bool confirm_by_spool;
    bool skip_merges;           // A40: the hub does not take facts of identity from this adapter
    struct adt_list processing; // MSH-11.1 that are taken; empty: all
};

struct hospital {
    struct hospital_sender senders[HOSPITAL_SENDERS_MAX];
    size_t sender_count;                                       // 0: it only writes
    struct adt_list receiving_application, receiving_facility; // MSH-5, MSH-6; empty: any
    struct hl7v2_zone *zone;                                   // of the times that are written
};

// Reads the section "format". NULL with the reason in error. Free with hospital_config_destroy.
struct hospital *hospital_config_read(const struct carehub_setting *section, char error[CAREHUB_ERROR_BYTES]);
void hospital_config_destroy(struct hospital **self);

#endif
