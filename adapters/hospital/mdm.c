#include "mdm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mdm_internal.h"

#define CODE_BYTES 16u

enum doing { ADDS, ADDS_TO, REPLACES, CANCELS };

static const struct trigger {
    const char *name;
    enum doing doing;
} triggers[] = {
    {"T01", ADDS},     {"T02", ADDS},     {"T03", ADDS},     {"T04", ADDS},     {"T05", ADDS_TO}, {"T06", ADDS_TO},
    {"T07", REPLACES}, {"T08", REPLACES}, {"T09", REPLACES}, {"T10", REPLACES}, {"T11", CANCELS},
};

// What a message says of a document.
struct document {
    enum doing doing;
    ptrdiff_t txa;
    char id[MDM_ID_BYTES];
    char replaced[MDM_ID_BYTES]; // its parent where that is replaced, or ""
    bool restricted;
    Carehub__V1__Reference *reference;
};

static const struct trigger *find_trigger(const struct hl7v2_message *message)
{
    char type[CODE_BYTES], name[CODE_BYTES];
    hl7v2_text(message, "MSH-9.1", type, sizeof type, NULL);
    adt_trigger(message, name, sizeof name);
    for (size_t i = 0; i < sizeof triggers / sizeof triggers[0]; i++)
        if (strcmp(type, "MDM") == 0 && strcmp(triggers[i].name, name) == 0)
            return &triggers[i];
    return NULL;
}

bool mdm_takes(const struct hl7v2_message *message)
{
    return find_trigger(message) != NULL;
}

// ---- The document

static bool is_one_of(const struct adt_job *job, ptrdiff_t txa, unsigned field, const char *const codes[3])
{
    char code[CODE_BYTES];
    adt_copy(job, adt_at(job, txa, field, 1), code, sizeof code);
    for (size_t i = 0; i < 3 && codes[i] != NULL; i++)
        if (strcmp(codes[i], code) == 0)
            return true;
    return false;
}

// Reads the TXA. Gives why the document is not taken, or NULL.
static const char *read_document(struct adt_job *job, const struct trigger *trigger, struct document *document)
{
    static const char *const unfinished[3] = {"DI", "IP", "IN"}, *const gone[3] = {"CA", "OB"},
                             *const confidential[3] = {"R", "V"};
    char type[ADT_CODE_MAX_BYTES + 1];
    ptrdiff_t txa = hl7v2_segment_find(job->message, "TXA", 0);
    *document = (struct document){.doing = trigger->doing, .txa = txa};
    mdm_number(job, txa, 12, document->id);
    if (document->id[0] == '\0')
        return "document-without-number";
    adt_copy(job, adt_at(job, txa, 2, 1), type, sizeof type);
    if (!adt_sender_is_letter(job->in->sender, type))
        return "document-type";
    if (is_one_of(job, txa, 19, gone))
        document->doing = CANCELS;
    if (document->doing != CANCELS && is_one_of(job, txa, 17, unfinished))
        return "document-unfinished";
    if (document->doing == REPLACES)
        mdm_number(job, txa, 13, document->replaced);
    document->restricted = is_one_of(job, txa, 18, confidential);
    return NULL;
}

static bool is_it(const struct document *document, const Carehub__V1__Reference *reference)
{
    return strcmp(reference->id, document->id) == 0 ||
           (document->replaced[0] != '\0' && strcmp(reference->id, document->replaced) == 0);
}

// ---- Where it is told of

// The document, or what it replaces, among the references of a discharge or a team message; NULL: it is not there.
static const Carehub__V1__Reference *find_reference(const struct document *document, const Carehub__V1__Event *event)
{
    const Carehub__V1__Reference *first = NULL;
    if (event->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE)
        first = event->hospital_discharge->letter;
    else if (event->body_case == CAREHUB__V1__EVENT__BODY_TEAM_MESSAGE && event->team_message->n_attachments > 0)
        first = event->team_message->attachments[0];
    if (first != NULL && is_it(document, first))
        return first;
    for (size_t i = 0; i < event->n_references; i++)
        if (is_it(document, event->references[i]))
            return event->references[i];
    return NULL;
}

// The discharge that has it, for a cancellation, or is to have it; NULL: none.
static const Carehub__V1__Event *find_discharge(const struct adt_input *in, const struct document *document)
{
    for (size_t i = in->past_count; i-- > 0;)
        if (in->past[i]->body_case == CAREHUB__V1__EVENT__BODY_HOSPITAL_DISCHARGE &&
            (document->doing == CANCELS ? find_reference(document, in->past[i]) != NULL : !document->restricted))
            return in->past[i];
    return NULL;
}

static const Carehub__V1__Event *find_team_message(const struct adt_input *in, const struct document *document)
{
    for (size_t i = in->past_count; i-- > 0;)
        if (in->past[i]->body_case == CAREHUB__V1__EVENT__BODY_TEAM_MESSAGE &&
            find_reference(document, in->past[i]) != NULL)
            return in->past[i];
    return NULL;
}

// ---- In a discharge

static void drop_reference(Carehub__V1__Event *event, size_t index)
{
    carehub__v1__reference__free_unpacked(event->references[index], NULL);
    event->n_references--;
    memmove(event->references + index, event->references + index + 1,
            (event->n_references - index) * sizeof *event->references);
}

// Takes the document, and what it replaces, out of the references and the letter's place.
static void take_out(Carehub__V1__Event *event, const struct document *document)
{
    Carehub__V1__HospitalDischarge *body = event->hospital_discharge;
    for (size_t i = event->n_references; i-- > 0;)
        if (is_it(document, event->references[i]))
            drop_reference(event, i);
    if (body->letter != NULL && is_it(document, body->letter)) {
        carehub__v1__reference__free_unpacked(body->letter, NULL);
        body->letter = NULL;
    }
}

static void add_reference(struct adt_job *job, Carehub__V1__Event *event, Carehub__V1__Reference *reference)
{
    if (event->n_references == MDM_REFERENCES_MAX) {
        drop_reference(event, 0);
        adt_remark(job, "references-cut");
    }
    Carehub__V1__Reference **grown = realloc(event->references, (event->n_references + 1) * sizeof *event->references);
    if (grown == NULL) {
        carehub__v1__reference__free_unpacked(reference, NULL);
        job->no_memory = true;
        return;
    }
    event->references = grown;
    event->references[event->n_references++] = reference;
}

// The document stays where it is, if it is there already. A new one is the letter, and the one before becomes one of
// the references; an addendum goes among these at once.
static void put_in(struct adt_job *job, Carehub__V1__Event *event, struct document *document)
{
    Carehub__V1__HospitalDischarge *body = event->hospital_discharge;
    const Carehub__V1__Reference *known = find_reference(document, event);
    bool was_letter = known != NULL && known == body->letter;
    bool beside = known != NULL ? !was_letter : document->doing == ADDS_TO && body->letter != NULL;
    Carehub__V1__Reference *reference = document->reference;
    document->reference = NULL;
    take_out(event, document);
    if (reference == NULL)
        return;
    if (beside) {
        add_reference(job, event, reference);
        return;
    }
    if (body->letter != NULL)
        add_reference(job, event, body->letter);
    body->letter = reference;
}

static enum adt_outcome amend_discharge(struct adt_job *job, Carehub__V1__Event *event,
                                        const Carehub__V1__Event *original, struct document *document)
{
    adt_start_from(job, event, original, true);
    if (job->no_memory)
        return ADT_NO_MEMORY;
    put_in(job, event, document);
    if (adt_same_content(event, original))
        return ADT_UNCHANGED;
    event->type = original->type;
    adt_set_bytes(job, &event->amends, original->id.data, original->id.len);
    return ADT_EVENT;
}

// ---- As a message to the team

// What people call it: TXA-2 where it has a text, or the name of what came along.
static void set_subject(struct adt_job *job, const struct document *document, Carehub__V1__TeamMessage *body)
{
    adt_take_text(job, &body->subject, adt_at(job, document->txa, 2, 2));
    if (body->subject[0] == '\0')
        adt_take_text(job, &body->subject, adt_get(job, "OBX", 3, 2));
}

static void fill_team_message(struct adt_job *job, Carehub__V1__Event *event, struct document *document)
{
    char episode[ADT_EPISODE_CHARS];
    Carehub__V1__TeamMessage *body = adt_message_new(job, &carehub__v1__team_message__descriptor);
    event->type = CAREHUB__V1__EVENT_TYPE__TEAM_MESSAGE;
    if (body == NULL)
        return;
    event->body_case = CAREHUB__V1__EVENT__BODY_TEAM_MESSAGE;
    event->team_message = body;
    adt_episode(job->message, job->in->sender, episode);
    adt_set_text(job, &body->thread_id, episode);
    body->kind = CAREHUB__V1__TEAM_MESSAGE__KIND__REPORT;
    if (document->reference == NULL)
        return; // a retraction says what it takes back by its id
    set_subject(job, document, body);
    body->attachments = malloc(sizeof *body->attachments);
    if (body->attachments == NULL) {
        job->no_memory = true;
        return;
    }
    body->attachments[body->n_attachments++] = document->reference;
    document->reference = NULL;
    if (document->restricted)
        event->confidentiality = CAREHUB__V1__CONFIDENTIALITY__RESTRICTED;
}

// When it was written: TXA-6, or last changed: TXA-8; else when the message was made, or came in.
static void set_occurred(struct adt_job *job, Carehub__V1__Event *event, ptrdiff_t txa)
{
    static const unsigned fields[] = {8, 6, 4};
    bool read = false;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && !read; i++)
        read = adt_take_time(job, &event->occurred_at, adt_at(job, txa, fields[i], 1));
    if (event->occurred_at == NULL)
        event->occurred_at = adt_recorded_time(job);
    if (event->occurred_at == NULL)
        event->occurred_at = adt_received_time(job);
}

static enum adt_outcome tell_team(struct adt_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original,
                                  struct document *document)
{
    if (original != NULL)
        adt_start_from(job, event, original, false);
    if (!adt_set_patient(job, event))
        return ADT_UNIDENTIFIED;
    fill_team_message(job, event, document);
    if (job->no_memory)
        return ADT_NO_MEMORY;
    set_occurred(job, event, document->txa);
    if (original == NULL)
        return ADT_EVENT;
    bool cancels = document->doing == CANCELS;
    if (!cancels && event->confidentiality == original->confidentiality &&
        adt_message_same((ProtobufCMessage *)event->team_message, (ProtobufCMessage *)original->team_message))
        return ADT_UNCHANGED;
    adt_set_bytes(job, cancels ? &event->retracts : &event->amends, original->id.data, original->id.len);
    return ADT_EVENT;
}

// ---- The message

static enum adt_outcome make(struct adt_job *job, Carehub__V1__Event *event, struct document *document)
{
    const Carehub__V1__Event *discharge = find_discharge(job->in, document);
    const Carehub__V1__Event *told = discharge == NULL ? find_team_message(job->in, document) : NULL;
    if (document->doing == CANCELS && discharge == NULL && told == NULL)
        return ADT_NOTHING_TO_CORRECT;
    if (document->doing != CANCELS)
        document->reference = mdm_reference(job, document->txa);
    if (job->no_memory)
        return ADT_NO_MEMORY;
    const Carehub__V1__Event *holder = discharge != NULL ? discharge : told;
    const Carehub__V1__Reference *known = holder != NULL ? find_reference(document, holder) : NULL;
    if (document->doing == ADDS && known != NULL && document->reference->sha256.len == 0)
        return ADT_UNCHANGED; // a notification of what was sent with its content
    return discharge != NULL ? amend_discharge(job, event, discharge, document) : tell_team(job, event, told, document);
}

// Who signed it, else who wrote it.
static Carehub__V1__Party *author_of(struct adt_job *job, ptrdiff_t txa)
{
    static const unsigned fields[] = {22, 9, 5};
    Carehub__V1__Party *author = NULL;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0] && author == NULL; i++)
        author = adt_doctor(job, txa, fields[i]);
    return author;
}

static struct adt_result map_document(struct adt_job *job, struct document *document)
{
    Carehub__V1__Event *event = adt_message_new(job, &carehub__v1__event__descriptor);
    enum adt_outcome outcome = event != NULL ? make(job, event, document) : ADT_NO_MEMORY;
    if (document->reference != NULL)
        carehub__v1__reference__free_unpacked(document->reference, NULL);
    if (outcome == ADT_EVENT) {
        Carehub__V1__Party *author = author_of(job, document->txa);
        adt_set_envelope(job, event);
        adt_set_professional(event, author);
    }
    return adt_result_of(job, outcome, event);
}

struct adt_result mdm_map(const struct adt_input *input)
{
    struct adt_job job = {.in = input, .message = input->message};
    const struct trigger *trigger = find_trigger(input->message);
    struct document document;
    if (trigger == NULL)
        return adt_result_of(&job, ADT_UNSUPPORTED, NULL);
    const char *why = read_document(&job, trigger, &document);
    if (why == NULL)
        return map_document(&job, &document);
    struct adt_result result = adt_result_of(&job, ADT_NOTHING, NULL);
    result.why = why;
    result.notable = strcmp(why, "document-without-number") == 0;
    return result;
}
