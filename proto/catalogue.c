#include "catalogue.h"

#include <string.h>

/* Rows in the order of the catalogue; index = type. */
static const struct {
    const char *name;
    Carehub__V1__Urgency urgency;
} types[EVENT_TYPE_MAX + 1] = {
    [1] = {"InclusionFlagged", CAREHUB__V1__URGENCY__SAME_DAY},
    [2] = {"HospitalDischarge", CAREHUB__V1__URGENCY__IMMEDIATE},
    [3] = {"MedicationChanged", CAREHUB__V1__URGENCY__SAME_DAY},
    [4] = {"FallReported", CAREHUB__V1__URGENCY__SAME_DAY},
    [5] = {"HospitalAdmission", CAREHUB__V1__URGENCY__SAME_DAY},
    [6] = {"EmergencyVisit", CAREHUB__V1__URGENCY__IMMEDIATE},
    [7] = {"CareTransition", CAREHUB__V1__URGENCY__SAME_DAY},
    [8] = {"MedicationReviewed", CAREHUB__V1__URGENCY__ROUTINE},
    [9] = {"AdherenceConcern", CAREHUB__V1__URGENCY__ROUTINE},
    [10] = {"ConditionChanged", CAREHUB__V1__URGENCY__SAME_DAY},
    [11] = {"FallAdviceIssued", CAREHUB__V1__URGENCY__ROUTINE},
    [12] = {"AssessmentCompleted", CAREHUB__V1__URGENCY__ROUTINE},
    [13] = {"CarePlanUpdated", CAREHUB__V1__URGENCY__ROUTINE},
    [14] = {"GoalUpdated", CAREHUB__V1__URGENCY__ROUTINE},
    [15] = {"TaskAssigned", CAREHUB__V1__URGENCY__ROUTINE},
    [16] = {"CaseConference", CAREHUB__V1__URGENCY__ROUTINE},
    [17] = {"CoordinationChanged", CAREHUB__V1__URGENCY__ROUTINE},
    [18] = {"ReferralMade", CAREHUB__V1__URGENCY__ROUTINE},
    [19] = {"TeamMessage", CAREHUB__V1__URGENCY__ROUTINE},
    [20] = {"CarerStrain", CAREHUB__V1__URGENCY__SAME_DAY},
    [21] = {"AdvanceCarePlanUpdated", CAREHUB__V1__URGENCY__SAME_DAY},
    [22] = {"CrisisReferral", CAREHUB__V1__URGENCY__IMMEDIATE},
    [23] = {"PatientReported", CAREHUB__V1__URGENCY__ROUTINE},
    [24] = {"VaccinationStatus", CAREHUB__V1__URGENCY__ROUTINE},
    [25] = {"PatientDeceased", CAREHUB__V1__URGENCY__IMMEDIATE},
    [26] = {"EmergencyAccessUsed", CAREHUB__V1__URGENCY__SAME_DAY},
};

const char *event_type_name(Carehub__V1__EventType type)
{
    return (int)type >= 1 && (int)type <= EVENT_TYPE_MAX ? types[type].name : NULL;
}

Carehub__V1__EventType event_type_by_name(const char *name)
{
    for (int type = 1; type <= EVENT_TYPE_MAX; type++)
        if (strcmp(types[type].name, name) == 0)
            return (Carehub__V1__EventType)type;
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value_by_name(&carehub__v1__event_type__descriptor, name);
    return value ? (Carehub__V1__EventType)value->value : CAREHUB__V1__EVENT_TYPE__EVENT_TYPE_UNSPECIFIED;
}

Carehub__V1__Urgency event_urgency(const Carehub__V1__Event *event)
{
    if (event->urgency != CAREHUB__V1__URGENCY__URGENCY_UNSPECIFIED)
        return event->urgency;
    /* A fall with an injury cannot wait for the evening. */
    if (event->body_case == CAREHUB__V1__EVENT__BODY_FALL_REPORTED &&
        event->fall_reported->injury >= CAREHUB__V1__FALL_REPORTED__INJURY__MINOR_INJURY)
        return CAREHUB__V1__URGENCY__IMMEDIATE;
    return event_type_name(event->type) ? types[event->type].urgency : CAREHUB__V1__URGENCY__ROUTINE;
}

Carehub__V1__Level field_class(uint32_t field_number)
{
    if (field_number < 16)
        return CAREHUB__V1__LEVEL__LEVEL_ADMINISTRATIVE;
    return field_number < 64 ? CAREHUB__V1__LEVEL__LEVEL_CARE : CAREHUB__V1__LEVEL__LEVEL_CLINICAL;
}

/* ---- Views ------------------------------------------------------------------------------------------------------ */

static size_t varint_read(const uint8_t *at, size_t size, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < size && i < 10; i++) {
        *value |= (uint64_t)(at[i] & 0x7f) << (7 * i);
        if (!(at[i] & 0x80))
            return i + 1;
    }
    return 0;
}

static size_t varint_write(uint8_t *to, uint64_t value)
{
    size_t n = 0;
    while (value >= 0x80) {
        to[n++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    to[n++] = (uint8_t)value;
    return n;
}

struct field {
    uint32_t number;
    const uint8_t *content; /* of a length-delimited field */
    size_t content_size;
    size_t size; /* of the whole field, tag included */
};

static bool field_read(const uint8_t *at, size_t size, struct field *field)
{
    uint64_t tag, length = 0;
    size_t n = varint_read(at, size, &tag);
    if (n == 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX)
        return false;
    field->number = (uint32_t)(tag >> 3);
    field->content = NULL;
    switch (tag & 7) {
    case 0: {
        size_t used = varint_read(at + n, size - n, &length);
        if (used == 0)
            return false;
        n += used;
        break;
    }
    case 1:
        n += 8;
        break;
    case 2: {
        size_t used = varint_read(at + n, size - n, &length);
        if (used == 0 || length > size - n - used)
            return false;
        field->content = at + n + used;
        field->content_size = (size_t)length;
        n += used + (size_t)length;
        break;
    }
    case 5:
        n += 4;
        break;
    default:
        return false;
    }
    field->size = n;
    return n <= size;
}

static ptrdiff_t fields_cut(const uint8_t *in, size_t size, Carehub__V1__Level level, uint8_t *out)
{
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        struct field field;
        if (!field_read(in + at, size - at, &field))
            return -1;
        if (field_class(field.number) <= level) {
            memcpy(out + written, in + at, field.size);
            written += field.size;
        }
        at += field.size;
    }
    return (ptrdiff_t)written;
}

ptrdiff_t event_view(const uint8_t *event, size_t size, Carehub__V1__Level level, uint8_t *out)
{
    size_t written = 0;
    for (size_t at = 0; at < size;) {
        struct field field;
        if (!field_read(event + at, size - at, &field))
            return -1;
        bool body = field.number > EVENT_BODY_FIELD_BASE && field.content;
        if (body) {
            /* The cut body is never longer than the whole one, so its length prefix isn't either: cut it to
             * where it would stand behind the longest prefix, then move it up. */
            uint8_t prefix[20];
            size_t head = field.size - field.content_size;
            ptrdiff_t cut = fields_cut(field.content, field.content_size, level, out + written + head);
            if (cut < 0)
                return -1;
            size_t n = varint_write(prefix, (uint64_t)field.number << 3 | 2);
            n += varint_write(prefix + n, (uint64_t)cut);
            if (n > head)
                return -1; /* cannot be: head held the same number and a longer length */
            memcpy(out + written, prefix, n);
            memmove(out + written + n, out + written + head, (size_t)cut);
            written += n + (size_t)cut;
        } else if (field_class(field.number) <= level) {
            memcpy(out + written, event + at, field.size);
            written += field.size;
        }
        at += field.size;
    }
    return (ptrdiff_t)written;
}
