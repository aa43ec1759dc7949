// The hl7v2 format: HL7 v2 in, by MLLP, HTTP or files, and HL7 v2 out for receivers that speak nothing else.
#include "carehub_adapter.h"
#include "hospital_config.h"
#include "hospital_in.h"
#include "hospital_out.h"

#ifndef CAREHUB_VERSION
#define CAREHUB_VERSION "0.1.0"
#endif

static void *configure(const struct carehub_setting *section, const char *folder, char error[CAREHUB_ERROR_BYTES])
{
    (void)folder; // it names no files
    return hospital_config_read(section, error);
}

static void destroy(void *self)
{
    struct hospital *hospital = self;
    hospital_config_destroy(&hospital);
}

static bool needs_spool(const void *self)
{
    const struct hospital *hospital = self;
    for (size_t i = 0; i < hospital->sender_count; i++)
        if (hospital->senders[i].confirm_by_spool)
            return true;
    return false;
}

static bool split(const void *self, const void *bytes, size_t len, size_t *position, const void **message,
                  size_t *message_len)
{
    (void)self;
    return hl7v2_split_checked(bytes, len, position, message, message_len);
}

CAREHUB_FORMAT_EXPORT const struct carehub_format carehub_format = {
    .abi = CAREHUB_FORMAT_ABI,
    .name = "hl7v2",
    .version = CAREHUB_VERSION,
    .summary = "HL7 v2: ADT, medication orders, documents and merges in; ADT, RDE and ORU out",
    .configure = configure,
    .destroy = destroy,
    .needs_spool = needs_spool,
    .split = split,
    .open = hospital_open,
    .translate = hospital_translate,
    .slim = hospital_slim,
    .reply = hospital_reply,
    .close = hospital_close,
    .write = hospital_write,
    .judge = hospital_judge,
    .check_receiver = hospital_check_receiver,
};
