// When it happened, and how we know.
#include "adt_internal.h"

#include <stdlib.h>
#include <string.h>

#define TIME_TEXT_BYTES 64

bool adt_read_time(const struct adt_job *job, struct hl7v2_value value, struct hl7v2_time *time)
{
    char text[TIME_TEXT_BYTES];
    adt_copy(job, value, text, sizeof text);
    return text[0] != '\0' && hl7v2_time_parse(text, strlen(text), job->in->sender->zone, time) == NULL;
}

// A date at least: shorter numbers are codes.
bool adt_looks_like_time(const struct adt_job *job, struct hl7v2_value value)
{
    struct hl7v2_time time;
    return adt_read_time(job, value, &time) && time.precision >= HL7V2_PRECISION_DAY && time.year >= 1900 &&
           time.year < 2200;
}

static Carehub__V1__Time *time_new(struct adt_job *job, int64_t unix_ms, int offset, Carehub__V1__Precision precision)
{
    Carehub__V1__Time *time = malloc(sizeof *time);
    if (time == NULL) {
        job->no_memory = true;
        return NULL;
    }
    carehub__v1__time__init(time);
    time->unix_ms = unix_ms;
    time->offset_minutes = offset;
    time->precision = precision;
    return time;
}

static Carehub__V1__Time *time_from(struct adt_job *job, const struct hl7v2_time *from)
{
    static const Carehub__V1__Precision precisions[] = {
        [HL7V2_PRECISION_YEAR] = CAREHUB__V1__PRECISION__PRECISION_YEAR,
        [HL7V2_PRECISION_MONTH] = CAREHUB__V1__PRECISION__PRECISION_MONTH,
        [HL7V2_PRECISION_DAY] = CAREHUB__V1__PRECISION__PRECISION_DAY,
        [HL7V2_PRECISION_MINUTE] = CAREHUB__V1__PRECISION__PRECISION_MINUTE,
        [HL7V2_PRECISION_SECOND] = CAREHUB__V1__PRECISION__PRECISION_SECOND,
    };
    if (from->ambiguous)
        adt_remark(job, "local-time-twice");
    if (from->skipped)
        adt_remark(job, "local-time-skipped");
    return time_new(job, from->utc_ms, from->offset_minutes, precisions[from->precision]);
}

Carehub__V1__Time *adt_time_copy(struct adt_job *job, const Carehub__V1__Time *time)
{
    return time != NULL ? time_new(job, time->unix_ms, time->offset_minutes, time->precision) : NULL;
}

static void replace(Carehub__V1__Time **time, Carehub__V1__Time *by)
{
    if (*time != NULL)
        carehub__v1__time__free_unpacked(*time, NULL);
    *time = by;
}

bool adt_take_time(struct adt_job *job, Carehub__V1__Time **time, struct hl7v2_value value)
{
    struct hl7v2_time read;
    if (!adt_read_time(job, value, &read)) {
        if (value.presence == HL7V2_VALUED)
            adt_remark(job, "time-unreadable");
        if (value.presence == HL7V2_NULL)
            replace(time, NULL);
        return false;
    }
    replace(time, time_from(job, &read));
    return true;
}

void adt_take_event_time(struct adt_job *job, unsigned pv1_field, Carehub__V1__Time **time,
                         Carehub__V1__TimeOrigin *origin)
{
    static const struct {
        const char *segment;
        unsigned field;
        Carehub__V1__TimeOrigin origin;
    } others[] = {
        {"EVN", 6, CAREHUB__V1__TIME_ORIGIN__EVENT_OCCURRED},
        {"EVN", 2, CAREHUB__V1__TIME_ORIGIN__EVENT_RECORDED},
        {"MSH", 7, CAREHUB__V1__TIME_ORIGIN__MESSAGE_CREATED},
    };
    struct hl7v2_value stated = {0};
    if (pv1_field != 0)
        stated = adt_get(job, "PV1", pv1_field, 1);
    if (stated.presence != HL7V2_NULL && adt_take_time(job, time, stated)) {
        *origin = CAREHUB__V1__TIME_ORIGIN__STATED;
        return;
    }
    if (job->amending && *time != NULL) // that it happened is not in doubt: "" for its time changes nothing
        return;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (adt_take_time(job, time, adt_get(job, others[i].segment, others[i].field, 1))) {
            *origin = others[i].origin;
            return;
        }
    replace(time, adt_received_time(job));
    *origin = CAREHUB__V1__TIME_ORIGIN__TIME_ORIGIN_UNSPECIFIED;
}

Carehub__V1__Time *adt_received_time(struct adt_job *job)
{
    adt_remark(job, "no-time-in-message");
    return time_new(job, job->in->received_ms, 0, CAREHUB__V1__PRECISION__PRECISION_SECOND);
}

Carehub__V1__Time *adt_recorded_time(struct adt_job *job)
{
    Carehub__V1__Time *time = NULL;
    if (!adt_take_time(job, &time, adt_get(job, "EVN", 2, 1)))
        adt_take_time(job, &time, adt_get(job, "MSH", 7, 1));
    return time;
}
