// The hospital adapter's part of the configuration: the sections "senders" and "receiver". See hospital.conf.example.
#ifndef CAREHUB_HOSPITAL_CONFIG_H
#define CAREHUB_HOSPITAL_CONFIG_H

#include <stdbool.h>

#include "adt_sender.h"
#include "format.h"

#define HOSPITAL_SENDERS_MAX 64

// A message whose patient has no identifier that may be used.
enum hospital_unidentified { UNIDENTIFIED_SKIP, UNIDENTIFIED_REFUSE, UNIDENTIFIED_HOLD };

struct hospital_sender {
    struct adt_sender *adt;
    enum hospital_unidentified unidentified;
    bool reject_unsupported; // AR instead of AA for what is no event of ours
    bool confirm_by_spool;
    struct adt_list processing; // MSH-11.1 that are taken; empty: all
};

struct hospital {
    struct hospital_sender senders[HOSPITAL_SENDERS_MAX];
    size_t sender_count;
    struct adt_list receiving_application, receiving_facility; // MSH-5, MSH-6; empty: any
};

// NULL with the reason in error. Free with hospital_config_destroy.
struct hospital *hospital_config_read(zconfig_t *root, char error[FORMAT_ERROR_BYTES]);
void hospital_config_destroy(struct hospital **self);

#endif
