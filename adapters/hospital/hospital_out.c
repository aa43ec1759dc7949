#include "hospital_out.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "catalogue.h"
#include "eventid.h"
#include "hospital_out_internal.h"

#define NAME_BYTES 64u

// ---- Which message

enum shape { SHAPE_ADT, SHAPE_RDE, SHAPE_ORU, SHAPE_ORGANISATION };

static enum shape shape_of(Carehub__V1__EventType type)
{
    switch (type) {
    case CAREHUB__V1__EVENT_TYPE__HOSPITAL_ADMISSION:
    case CAREHUB__V1__EVENT_TYPE__CARE_TRANSITION:
    case CAREHUB__V1__EVENT_TYPE__HOSPITAL_DISCHARGE:
    case CAREHUB__V1__EVENT_TYPE__EMERGENCY_VISIT:
    case CAREHUB__V1__EVENT_TYPE__PATIENT_DECEASED:
        return SHAPE_ADT;
    case CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED:
        return SHAPE_RDE;
    case CAREHUB__V1__EVENT_TYPE__INCLUSION_FLAGGED:
    case CAREHUB__V1__EVENT_TYPE__TASK_ASSIGNED:
    case CAREHUB__V1__EVENT_TYPE__CASE_CONFERENCE:
    case CAREHUB__V1__EVENT_TYPE__COORDINATION_CHANGED:
    case CAREHUB__V1__EVENT_TYPE__REFERRAL_MADE:
    case CAREHUB__V1__EVENT_TYPE__EMERGENCY_ACCESS_USED:
        return SHAPE_ORGANISATION;
    default:
        return SHAPE_ORU;
    }
}

const ProtobufCMessage *out_body(const Carehub__V1__Event *event)
{
    // The members of the oneof are pointers in one union, so that any of them gives all.
    return event->body_case != CAREHUB__V1__EVENT__BODY__NOT_SET ? (const ProtobufCMessage *)event->hospital_discharge
                                                                 : NULL;
}

// ---- Segments that all messages have

// 20 characters in Crockford's base 32: the 48 bits of the id's time, then the id's last 50 bits, which are random or
// of a digest. So they sort by time, and are the same whenever the event is sent. Once it is verified it is sent as
// another message, or the receiver would take it for a repeat.
static void message_id(const Carehub__V1__Event *event, bool verified, char out[OUT_ID_CHARS])
{
    static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint64_t time = 0, rest = 0;
    for (size_t i = 0; i < 6; i++)
        time = time << 8 | event->id.data[i];
    for (size_t i = 9; i < 16; i++)
        rest = rest << 8 | event->id.data[i];
    rest ^= verified;
    for (size_t i = 0; i < 10; i++) {
        out[9 - i] = digits[time & 31];
        out[19 - i] = digits[rest & 31];
        time >>= 5;
        rest >>= 5;
    }
    out[20] = '\0';
}

// When it was recorded; of an event that does not say so, what its id says.
Carehub__V1__Time out_recorded_at(const Carehub__V1__Event *event)
{
    Carehub__V1__Time time = CAREHUB__V1__TIME__INIT;
    if (event->recorded_at != NULL)
        return *event->recorded_at;
    time.unix_ms = (int64_t)eventid_time_ms(event->id.data);
    time.precision = CAREHUB__V1__PRECISION__PRECISION_SECOND;
    return time;
}

void out_header(struct out_job *job, const char *type, const char *trigger, const char *structure)
{
    const struct out_receiver *receiver = job->receiver;
    const Carehub__V1__Time made = out_recorded_at(job->event);
    job->type = type;
    job->trigger = trigger;
    hl7v2_write_segment(job->writer, "MSH");
    out_text(job, 3, 1, receiver->sending_application);
    out_text(job, 4, 1, receiver->sending_facility);
    out_text(job, 5, 1, receiver->application);
    out_text(job, 6, 1, receiver->facility);
    out_time(job, 7, &made);
    out_text(job, 9, 1, type);
    out_text(job, 9, 2, trigger);
    out_text(job, 9, 3, structure);
    out_text(job, 10, 1, job->id);
    out_text(job, 11, 1, out_receiver_processing(receiver));
    out_text(job, 12, 1, out_receiver_version(receiver));
    out_text(job, 18, 1, receiver->latin1 ? "8859/1" : "UNICODE UTF-8");
    if (job->event->labels != NULL)
        out_text(job, 19, 1, job->event->labels->language);
}

static const Carehub__V1__Patient *patient_of(const struct out_job *job)
{
    if (job->event->patient != NULL && job->event->patient->n_identifiers > 0)
        return job->event->patient;
    return job->original != NULL ? job->original->patient : NULL;
}

void out_patient(struct out_job *job)
{
    const Carehub__V1__Patient *patient = patient_of(job);
    hl7v2_write_segment(job->writer, "PID");
    out_text(job, 1, 1, "1");
    for (unsigned i = 0; patient != NULL && i < patient->n_identifiers; i++)
        out_identifier(job, 3, i + 1, patient->identifiers[i]);
    hl7v2_write(job->writer, hl7v2_at(5, 2, 7, 1), "U"); // required; names do not travel
}

void out_note(struct out_job *job, unsigned number, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    hl7v2_write_segment(job->writer, "NTE");
    hl7v2_write_number(job->writer, hl7v2_at(1, 1, 1, 1), number);
    hl7v2_write_formatted(job->writer, hl7v2_at(3, 1, 1, 1), text);
}

// ---- ORU^R01

// "FallReported" as people read it: "Fall reported".
static void type_label(const char *name, char out[NAME_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; name[i] != '\0' && used + 3 < NAME_BYTES; i++) {
        bool word = i > 0 && isupper((unsigned char)name[i]);
        if (word)
            out[used++] = ' ';
        out[used++] = word ? (char)tolower((unsigned char)name[i]) : name[i];
    }
    out[used] = '\0';
}

// The report's own number, the same in all that is said of it: the event's id, or that of what it corrects.
static void put_report_number(struct out_job *job)
{
    const ProtobufCBinaryData *corrected = job->correction == OUT_AMENDS ? &job->event->amends : &job->event->retracts;
    const uint8_t *id = job->correction == OUT_IS_NEW ? job->event->id.data : corrected->data;
    char text[EVENTID_TEXT_CHARS];
    eventid_format(id, text);
    out_text(job, 3, 1, text);
    out_text(job, 3, 2, job->receiver->sending_application);
}

const char *out_verified_by(const struct out_job *job)
{
    const char *name = job->departure->verified_by;
    return name != NULL && name[0] != '\0' && !job->departure->notice ? name : NULL;
}

bool out_is_unverified(const struct out_job *job)
{
    const Carehub__V1__Author *author = job->event->author;
    return author != NULL && author->unverified && out_verified_by(job) == NULL && job->correction == OUT_IS_NEW;
}

static void put_obr(struct out_job *job, const char *name)
{
    static const char *const statuses[] = {[OUT_IS_NEW] = "F", [OUT_AMENDS] = "C", [OUT_RETRACTS] = "X"};
    char label[NAME_BYTES];
    type_label(name, label);
    hl7v2_write_segment(job->writer, "OBR");
    out_text(job, 1, 1, "1");
    put_report_number(job);
    out_text(job, 4, 1, name);
    out_text(job, 4, 2, label);
    out_text(job, 4, 3, OUT_LOCAL_CODES);
    out_time(job, 7, job->event->occurred_at);
    out_time(job, 22, job->event->recorded_at);
    out_text(job, 25, 1, out_is_unverified(job) ? "R" : statuses[job->correction]);
    if (out_verified_by(job) == NULL)
        return;
    char note[NAME_BYTES * 2];
    snprintf(note, sizeof note, "Verified by %s", out_verified_by(job));
    hl7v2_write_segment(job->writer, "NTE");
    out_text(job, 1, 1, "1");
    out_text(job, 3, 1, note);
}

static void put_urgency(struct out_job *job)
{
    static const char *const priorities[] = {[CAREHUB__V1__URGENCY__ROUTINE] = "R",
                                             [CAREHUB__V1__URGENCY__SAME_DAY] = "A",
                                             [CAREHUB__V1__URGENCY__IMMEDIATE] = "S"}; // table 0485
    Carehub__V1__Urgency urgency = event_urgency(job->event);
    if ((size_t)urgency >= sizeof priorities / sizeof priorities[0] || priorities[urgency] == NULL)
        return;
    hl7v2_write_segment(job->writer, "TQ1");
    out_text(job, 1, 1, "1");
    out_text(job, 9, 1, priorities[urgency]);
}

// That the whole report was wrong, without repeating what it said.
static void put_retraction(struct out_job *job, const char *name)
{
    hl7v2_write_segment(job->writer, "OBX");
    out_text(job, 1, 1, "1");
    out_text(job, 3, 1, name);
    out_text(job, 3, 3, OUT_LOCAL_CODES);
    out_text(job, 11, 1, "W");
}

bool out_oru(struct out_job *job)
{
    const char *name = event_type_name(job->event->type);
    const ProtobufCMessage *body = out_body(job->event);
    job->observations_only = true;
    out_header(job, "ORU", "R01", "ORU_R01");
    out_patient(job);
    put_obr(job, name);
    put_urgency(job);
    if (job->correction == OUT_RETRACTS)
        put_retraction(job, name);
    else if (body != NULL && !job->departure->notice) {
        out_observe(job, body, NULL);
        out_observe_references(job);
    }
    return true;
}

// ---- Writing

static enum carehub_written refuse(struct carehub_problem *problem, const char *where, const char *what)
{
    snprintf(problem->where, sizeof problem->where, "%s", where);
    snprintf(problem->what, sizeof problem->what, "%.*s", (int)sizeof problem->what - 1, what);
    return CAREHUB_WRITTEN_ERROR;
}

static enum carehub_written finish(struct out_job *job, struct carehub_parcel *parcel)
{
    if (job->receiver->latin1)
        hl7v2_writer_to_latin1(job->writer);
    enum hl7v2_write_status status = job->writer->status;
    parcel->bytes = hl7v2_writer_take(job->writer, &parcel->len);
    if (parcel->bytes == NULL)
        return refuse(&parcel->problem, "Event",
                      status == HL7V2_WRITE_TOO_LARGE ? "the message would be larger than 4 MB"
                                                      : "the adapter is out of memory");
    parcel->content_type =
        job->receiver->latin1 ? "application/hl7-v2; charset=iso-8859-1" : "application/hl7-v2; charset=utf-8";
    snprintf(parcel->native_id, sizeof parcel->native_id, "%s", job->id);
    snprintf(parcel->kind, sizeof parcel->kind, "%s^%s", job->type, job->trigger);
    snprintf(parcel->file_name, sizeof parcel->file_name, "%s-%s-%s.hl7", job->id, job->type, job->trigger);
    return CAREHUB_WRITTEN;
}

static enum carehub_written write_job(struct out_job *job, struct carehub_parcel *parcel)
{
    enum shape shape = shape_of(job->event->type);
    bool changes = job->event->body_case == CAREHUB__V1__EVENT__BODY_MEDICATION_CHANGED &&
                   job->event->medication_changed->n_changes > 0;
    if (shape == SHAPE_ORGANISATION && !job->receiver->organisation)
        return CAREHUB_WRITTEN_NOTHING;
    if (event_type_name(job->event->type) == NULL)
        return refuse(&parcel->problem, "Event.type", "this version does not know events of this type");
    const Carehub__V1__Patient *patient = patient_of(job);
    if (patient == NULL || patient->n_identifiers == 0)
        return refuse(&parcel->problem, "Event.patient",
                      "it corrects an event that is not known here any more, and does not say whose; tell the receiver "
                      "yourself");
    message_id(job->event, out_verified_by(job) != NULL, job->id);
    // Undoing what a medication message ordered is for people: which state it left is not for us to say.
    bool orders = shape == SHAPE_RDE && changes && job->correction != OUT_RETRACTS && !job->departure->notice;
    bool ok = shape == SHAPE_ADT ? out_adt(job) : orders ? out_rde(job) : out_oru(job);
    return ok ? finish(job, parcel) : CAREHUB_WRITTEN_ERROR;
}

static bool type_fits_body(const Carehub__V1__Event *event)
{
    return event->body_case == CAREHUB__V1__EVENT__BODY__NOT_SET ||
           (int)event->body_case == EVENT_BODY_FIELD_BASE + (int)event->type;
}

enum carehub_written hospital_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel)
{
    const Carehub__V1__Event *event = departure->event;
    struct out_receiver receiver;
    struct hl7v2_writer writer;
    char error[CAREHUB_ERROR_BYTES];
    if (event->id.len != EVENTID_BYTES || (event->amends.len != 0 && event->amends.len != EVENTID_BYTES) ||
        (event->retracts.len != 0 && event->retracts.len != EVENTID_BYTES))
        return refuse(&parcel->problem, "Event.id", "it has to be 16 bytes");
    if (!type_fits_body(event))
        return refuse(&parcel->problem, "Event.type", "it is not that of the event's body");
    if (!out_receiver_read(&receiver, departure->receiver, error)) {
        out_receiver_clear(&receiver);
        return refuse(&parcel->problem, "receiver", error);
    }
    hl7v2_writer_init(&writer, 0);
    struct out_job job = {
        .writer = &writer,
        .settings = self,
        .receiver = &receiver,
        .departure = departure,
        .event = event,
        .original = departure->original != NULL && type_fits_body(departure->original) ? departure->original : NULL,
        .correction = event->retracts.len > 0 ? OUT_RETRACTS
                      : event->amends.len > 0 ? OUT_AMENDS
                                              : OUT_IS_NEW,
        .problem = &parcel->problem};
    enum carehub_written written = write_job(&job, parcel);
    hl7v2_writer_clear(&writer);
    out_receiver_clear(&receiver);
    return written;
}

bool hospital_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES])
{
    struct out_receiver read;
    bool ok = out_receiver_read(&read, receiver, error);
    out_receiver_clear(&read);
    return ok;
}
