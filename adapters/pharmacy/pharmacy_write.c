// Events on their way out: changes of medication in the form that the receiver wants, anything else as FHIR has it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json_object.h>

#include "catalogue.h"
#include "eventid.h"
#include "medication_fhir.h"
#include "medication_kmehr.h"
#include "pharmacy_message.h"

static enum carehub_written fail(struct carehub_parcel *parcel, const char *where, const char *what)
{
    snprintf(parcel->problem.where, sizeof parcel->problem.where, "%s", where);
    snprintf(parcel->problem.what, sizeof parcel->problem.what, "%.*s", (int)sizeof parcel->problem.what - 1, what);
    return CAREHUB_WRITTEN_ERROR;
}

static enum carehub_written finish(const uint8_t id[EVENTID_BYTES], const Carehub__V1__Event *event, const char *ending,
                                   struct carehub_parcel *parcel)
{
    char text[EVENTID_TEXT_CHARS];
    eventid_format(id, text);
    snprintf(parcel->kind, sizeof parcel->kind, "%s", event_type_name(event->type));
    snprintf(parcel->file_name, sizeof parcel->file_name, "%s-%s%s", text, parcel->kind, ending);
    return CAREHUB_WRITTEN;
}

static enum carehub_written write_fhir(const struct pharmacy *self, const struct pharmacy_receiver *receiver,
                                       const struct carehub_departure *departure, struct carehub_parcel *parcel)
{
    const Carehub__V1__Event *event = departure->event;
    const struct fhir_route route = {.endpoint = self->endpoint,
                                     .name = self->name,
                                     .receiver_endpoint = receiver->endpoint,
                                     .receiver_name = receiver->name,
                                     .now_ms = departure->now_ms,
                                     .verified_by = departure->notice ? "" : departure->verified_by};
    uint8_t id[EVENTID_BYTES];
    struct problems problems = {0};
    size_t len = 0;
    bool medication = event->type == CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED;
    if (!medication && !fhir_writes(event->type))
        return CAREHUB_WRITTEN_NOTHING;
    struct json_object *message = medication ? medication_fhir_message(event, departure->original, &route, &problems)
                                             : fhir_message(event, departure->original, &route, &problems);
    const char *text =
        message != NULL
            ? json_object_to_json_string_length(message, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len)
            : NULL;
    parcel->bytes = text != NULL ? malloc(len) : NULL;
    if (parcel->bytes != NULL)
        memcpy(parcel->bytes, text, len);
    json_object_put(message);
    if (parcel->bytes == NULL)
        return fail(parcel, "", problems.count > 0 ? problems.list[0].diagnostics : "out of memory");
    parcel->len = len;
    parcel->content_type = "application/fhir+json";
    fhir_message_id(event, route.verified_by, id);
    eventid_format(id, parcel->native_id);
    return finish(id, event, ".json", parcel);
}

static enum carehub_written write_kmehr(const struct pharmacy *self, const struct pharmacy_receiver *receiver,
                                        const struct carehub_departure *departure, struct carehub_parcel *parcel)
{
    const struct kmehr_route route = {.name = self->name,
                                      .nihdi = self->nihdi,
                                      .cbe = self->cbe,
                                      .receiver_name = receiver->name,
                                      .receiver_nihdi = receiver->nihdi,
                                      .receiver_kind = receiver->hcparty,
                                      .zone = self->zone,
                                      .now_ms = departure->now_ms};
    char id[MEDICATION_KMEHR_ID_BYTES];
    if (departure->event->type != CAREHUB__V1__EVENT_TYPE__MEDICATION_CHANGED)
        return CAREHUB_WRITTEN_NOTHING;
    parcel->bytes = medication_kmehr_message(departure->event, departure->original, &route, &parcel->len, id);
    if (parcel->bytes == NULL)
        return fail(parcel, "", "out of memory");
    parcel->content_type = "application/xml";
    snprintf(parcel->native_id, sizeof parcel->native_id, "%s", id);
    return finish(departure->event->id.data, departure->event, ".xml", parcel);
}

enum carehub_written pharmacy_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel)
{
    struct pharmacy_receiver receiver;
    char error[CAREHUB_ERROR_BYTES];
    enum carehub_written written;
    if (departure->event->id.len != EVENTID_BYTES)
        return fail(parcel, "Event.id", "the event has no id");
    if (!pharmacy_receiver_read(departure->receiver, &receiver, error))
        written = fail(parcel, "receiver", error);
    else if (receiver.form == PHARMACY_KMEHR)
        written = write_kmehr(self, &receiver, departure, parcel);
    else
        written = write_fhir(self, &receiver, departure, parcel);
    pharmacy_receiver_clear(&receiver);
    return written;
}

bool pharmacy_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES])
{
    struct pharmacy_receiver read;
    bool good = pharmacy_receiver_read(receiver, &read, error);
    pharmacy_receiver_clear(&read);
    return good;
}
