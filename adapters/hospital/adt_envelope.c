// The envelope of an event: what it is called, who answers for it, and what it was made of.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adt_internal.h"
#include "hl7v2_time.h"

#define SENDER_BYTES ADT_NATIVE_SENDER_BYTES

static const char author_role[] = "hospital";

// The components between ^, whatever the message has between them.
static void copy_whole(const struct adt_job *job, unsigned field, char *out, size_t size)
{
    char between = hl7v2_delimiters(job->in->message)->component;
    adt_copy(job, adt_get(job, "MSH", field, 0), out, size);
    for (; *out != '\0'; out++)
        if (*out == between)
            *out = '^';
}

// Who numbered the message: MSH-3 and MSH-4, whole, so that a universal id counts as well.
void adt_native_sender(const struct adt_job *job, char out[SENDER_BYTES])
{
    char application[SENDER_BYTES / 2 - 1], facility[SENDER_BYTES / 2 - 1];
    copy_whole(job, 3, application, sizeof application);
    copy_whole(job, 4, facility, sizeof facility);
    snprintf(out, SENDER_BYTES, "%s|%s", application, facility);
}

// The id's time is MSH-7's, so that a resent message gets the same id wherever and whenever it is read again. Only a
// message without one gets the time at which it came in; a clock that runs ahead is no reason to make up another.
static uint64_t id_time_ms(struct adt_job *job)
{
    struct hl7v2_time time;
    if (adt_read_time(job, adt_get(job, "MSH", 7, 1), &time) && time.utc_ms >= 0)
        return (uint64_t)time.utc_ms;
    adt_remark(job, "message-without-time");
    return job->in->received_ms > 0 ? (uint64_t)job->in->received_ms : 0;
}

void adt_derive_id(struct adt_job *job, const char *part, ProtobufCBinaryData *place)
{
    char sender[SENDER_BYTES], control_id[HL7V2_CONTROL_ID_MAX_BYTES + 1], made[64];
    char id[HL7V2_CONTROL_ID_MAX_BYTES + 2 * ADT_SHA256_BYTES + ADT_ID_PART_BYTES + 2];
    uint8_t derived[EVENTID_BYTES];
    adt_native_sender(job, sender);
    adt_copy(job, adt_get(job, "MSH", 10, 1), control_id, sizeof control_id);
    adt_copy(job, adt_get(job, "MSH", 7, 1), made, sizeof made);
    int len = snprintf(id, sizeof id, "%s", control_id);
    if (job->in->control_id_reused) {
        id[len++] = '|';
        for (size_t i = 0; i < ADT_SHA256_BYTES; i++, len += 2)
            snprintf(id + len, 3, "%02x", job->in->sha256[i]);
        adt_remark(job, "control-id-reused");
    }
    snprintf(id + len, sizeof id - (size_t)len, "%s", part);
    const struct eventid_native native = {.sender = sender, .id = id, .time = made};
    if (eventid_derive(derived, id_time_ms(job), &native) == EVENTID_OK)
        adt_set_bytes(job, place, derived, sizeof derived);
    else
        job->no_memory = true; // the only way left for it to fail: all parts are bounded, and there is a control id
}

void adt_set_bytes(struct adt_job *job, ProtobufCBinaryData *place, const uint8_t *bytes, size_t len)
{
    place->data = malloc(len);
    place->len = place->data != NULL ? len : 0;
    if (place->data != NULL)
        memcpy(place->data, bytes, len);
    else
        job->no_memory = true;
}

static void note_remarks(struct adt_job *job)
{
    static const struct {
        unsigned note;
        const char *remark;
    } notes[] = {
        {HL7V2_NOTE_UTF8_UNDECLARED, "charset-overruled"},
        {HL7V2_NOTE_CHARSET_ASSUMED, "charset-assumed"},
        {HL7V2_NOTE_CHARSET_UNKNOWN, "charset-unknown"},
        {HL7V2_NOTE_BYTES_REPLACED, "bytes-replaced"},
    };
    for (size_t i = 0; i < sizeof notes / sizeof notes[0]; i++)
        if ((hl7v2_notes(job->message) & notes[i].note) != 0)
            adt_remark(job, notes[i].remark);
}

static void set_source(struct adt_job *job, Carehub__V1__Event *event)
{
    char system[SENDER_BYTES];
    Carehub__V1__Source *source = event->source = malloc(sizeof *source);
    if (source == NULL) {
        job->no_memory = true;
        return;
    }
    carehub__v1__source__init(source);
    adt_native_sender(job, system);
    *strchr(system, '|') = '/';
    adt_set_text(job, &source->system, system);
    adt_take_text(job, &source->native_id, adt_get(job, "MSH", 10, 1));
    adt_set_text(job, &source->native_format, "hl7v2");
    adt_take_text(job, &source->native_version, adt_get(job, "MSH", 12, 1));
    adt_set_bytes(job, &source->native_sha256, job->in->sha256, ADT_SHA256_BYTES);
    adt_set_text(job, &source->adapter_version, job->in->adapter_version);
    note_remarks(job);
    source->remarks = calloc(ADT_REMARKS_MAX, sizeof *source->remarks);
    for (size_t i = 0; source->remarks != NULL && i < job->remark_count; i++) {
        source->remarks[i] = strdup(job->remarks[i]);
        if (source->remarks[i] == NULL)
            break;
        source->n_remarks++;
    }
    job->no_memory = job->no_memory || source->n_remarks != job->remark_count;
}

static void set_author(struct adt_job *job, Carehub__V1__Event *event)
{
    Carehub__V1__Author *author = event->author = malloc(sizeof *author);
    if (author == NULL) {
        job->no_memory = true;
        return;
    }
    carehub__v1__author__init(author);
    if (job->in->sender->actor != NULL)
        adt_set_text(job, &author->actor, job->in->sender->actor);
    adt_set_text(job, &author->role, author_role);
    author->organisation = adt_hospital(job);
}

void adt_set_envelope(struct adt_job *job, Carehub__V1__Event *event)
{
    char episode[ADT_EPISODE_CHARS];
    adt_episode(job->message, job->in->sender, episode);
    adt_set_text(job, &event->correlation_id, episode);
    event->recorded_at = adt_recorded_time(job);
    adt_derive_id(job, "", &event->id);
    set_author(job, event);
    set_source(job, event); // last: it takes the remarks along
}

void adt_set_professional(Carehub__V1__Event *event, Carehub__V1__Party *professional)
{
    if (event->author != NULL)
        event->author->professional = professional;
    else if (professional != NULL) // no memory for an author: there will be no event either
        carehub__v1__party__free_unpacked(professional, NULL);
}
