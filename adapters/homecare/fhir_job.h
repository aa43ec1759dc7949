// Between the files of the mapping from FHIR; no part of its interface.
#ifndef CAREHUB_FHIR_JOB_H
#define CAREHUB_FHIR_JOB_H

#include "fhir_node.h"
#include "fhir_read.h"

#define FHIR_REMARKS_MAX 8u
#define FHIR_LIST_MAX 64u        // elements of any list that is taken over
#define FHIR_IDENTIFIERS_MAX 15u // of a patient: the hub takes 16

#define SYSTEM_SNOMED "http://snomed.info/sct"
#define SYSTEM_LOINC "http://loinc.org"
#define SYSTEM_UCUM "http://unitsofmeasure.org"
#define SYSTEM_ACT_CODE "http://terminology.hl7.org/CodeSystem/v3-ActCode"
#define SYSTEM_DISCHARGE "http://terminology.hl7.org/CodeSystem/discharge-disposition"
#define SYSTEM_FALL_DETAIL "urn:carehub:fall"      // components of a fall: see fhir_fall.c
#define SYSTEM_ACTOR "urn:carehub:actor"           // identifiers of recipients that the hub knows
#define SYSTEM_ROLE "urn:carehub:role"             // the same, of everybody of a role
#define SYSTEM_MESSAGE_KIND "urn:carehub:message"  // categories of a message: note, question, report
#define SYSTEM_EVENT_TYPE "urn:carehub:event-type" // names of the event catalogue
#define SYSTEM_REFERRAL "urn:carehub:referral"     // how far a referral is: made, accepted, refused

struct fhir_entry {
    struct fhir_node node;     // Bundle.entry[i]
    struct fhir_node resource; // its resource, or nothing
    const char *full_url, *type, *id;
};

struct fhir_kind;

// Something that may become events.
struct fhir_wanted {
    size_t entry;
    const struct fhir_kind *kind; // NULL: refused
    bool named;                   // by an identifier of its own
    char identity[FHIR_EPISODE_CHARS];
    char episode[FHIR_EPISODE_CHARS];
};

enum fhir_bundle {
    FHIR_NO_BUNDLE,
    FHIR_MESSAGE,
    FHIR_TRANSACTION,
    FHIR_BATCH,
    FHIR_COLLECTION, // or the answer to a search: what somebody's system has
};

struct fhir_document {
    const struct fhir_intake *in;
    struct json_object *tree;
    struct fhir_node root;
    enum fhir_bundle bundle;
    char kind[64];
    uint8_t digest[FHIR_KEY_BYTES];
    size_t n_entries;
    struct fhir_entry entries[FHIR_ENTRIES_MAX]; // without a Bundle the resource alone
    size_t n_wanted;
    struct fhir_wanted wanted[FHIR_ENTRIES_MAX];
};

// One resource on its way to events.
struct fhir_job {
    const struct fhir_document *document;
    const struct fhir_wanted *wanted;
    const struct fhir_node *resource;
    const Carehub__V1__Event *const *past;
    size_t past_count;
    struct fhir_result *result;
    struct problems *problems;
    const char *remarks[FHIR_REMARKS_MAX]; // static texts
    size_t remark_count;
    bool no_memory; // sticky
};

// A resource type that may become events. `translate` adds events to the result, or gives why nothing comes of it;
// NULL with no event added means that it was refused.
struct fhir_kind {
    const char *type;
    const char *const *authored; // elements that say when it was written, best first; then when it happened
    const char *(*translate)(struct fhir_job *job);
};

// ---- Documents (fhir_read.c, fhir_bundle.c)

#define FHIR_TAKEN "taken are Observation, QuestionnaireResponse, AdverseEvent, Communication, Encounter and Flag"

// NULL for a type that is not taken.
const struct fhir_kind *fhir_kind_of(const char *type);

// A member's string, "" if there is none, without complaint: whoever uses the element complains.
const char *fhir_quiet_text(const struct fhir_node *from, const char *name);

// Has an entry translated; false if it is already wanted.
bool fhir_want(struct fhir_document *document, size_t entry);

// Looks through a Bundle. What is wrong with it as a whole is a problem.
void fhir_want_bundle(struct fhir_document *document, struct problems *problems);

// The resource that a Reference leads to, within the resource or its Bundle; NULL json if none.
struct fhir_node fhir_resolve(const struct fhir_job *job, const struct fhir_node *reference);
const char *fhir_type_of(const struct fhir_node *resource);

// ---- Identity (fhir_identity.c)

// Fills in identity and episode.
void fhir_identify(const struct fhir_document *document, struct fhir_wanted *wanted);
void fhir_hex(const uint8_t *bytes, size_t len, char *out); // 2 * len + 1 characters

// ---- Envelope (fhir_event.c)

enum fhir_verb { FHIR_REPORT, FHIR_CORRECT, FHIR_RETRACT };

// An empty event of a type, with patient; NULL (and a problem, or no_memory) if it cannot be. *body is its body.
Carehub__V1__Event *fhir_event_new(struct fhir_job *job, Carehub__V1__EventType type, ProtobufCMessage **body);
void fhir_event_discard(Carehub__V1__Event **event);

// Adds an event as it is, with its id, author and source; takes it over.
void fhir_publish(struct fhir_job *job, Carehub__V1__Event *event);

// The same for the one event of a resource, which may be in force already: then it amends, or yields nothing. Gives why
// nothing came of it, or NULL.
const char *fhir_settle(struct fhir_job *job, Carehub__V1__Event *event, bool correction);

// Takes the one event of a resource back. Gives why nothing came of it, or NULL.
const char *fhir_withdraw(struct fhir_job *job);

// Whether the resource was written before something of its episode that is in force: it came late, and undoes nothing.
bool fhir_outdated(struct fhir_job *job);

// Compares with an event in force, and publishes what differs as its amendment.
const char *fhir_amend(struct fhir_job *job, Carehub__V1__Event *event, const Carehub__V1__Event *original);

// Publishes the retraction of an event in force, with a body that names the encounter at most.
void fhir_retract(struct fhir_job *job, const Carehub__V1__Event *original);

// When the resource was written: of its message, itself, or what it tells. False if it says nothing.
bool fhir_authored(struct fhir_job *job, struct fhir_time *time);

void fhir_add_remark(struct fhir_job *job, const char *remark);

// ---- Values (fhir_values.c). Messages are owned by the event; NULL when there is nothing, or no memory.

void *fhir_new(struct fhir_job *job, const ProtobufCMessageDescriptor *descriptor);
void fhir_set_text(struct fhir_job *job, char **text, const char *value);
void fhir_set_bytes(struct fhir_job *job, ProtobufCBinaryData *place, const void *bytes, size_t len);
void fhir_append(struct fhir_job *job, void *array, size_t *count, void *element); // NULL: nothing
void fhir_set_time(struct fhir_job *job, Carehub__V1__Time **place, const struct fhir_time *time);
bool fhir_take_time(struct fhir_job *job, Carehub__V1__Time **place, const struct fhir_node *from, const char *name);
Carehub__V1__Coded *fhir_coded_new(struct fhir_job *job, const char *system, const char *code, const char *display);
Carehub__V1__Coded *fhir_coding(struct fhir_job *job, const struct fhir_node *coding);
Carehub__V1__Coded *fhir_concept(struct fhir_job *job, const struct fhir_node *concept);
Carehub__V1__Coded *fhir_take_concept(struct fhir_job *job, const struct fhir_node *from, const char *name);
Carehub__V1__Coded *fhir_first_concept(struct fhir_job *job, const struct fhir_node *from, const char *name);
Carehub__V1__Quantity *fhir_quantity(struct fhir_job *job, const struct fhir_node *quantity);
Carehub__V1__Reference *fhir_attachment(struct fhir_job *job, const struct fhir_node *attachment);

// The notes (Annotation) of a resource, one a line.
void fhir_take_notes(struct fhir_job *job, char **text, const struct fhir_node *from, const char *name);

// A value[x] as text: of a quantity its number, of a concept its code or text. False if there is none.
bool fhir_value_text(struct fhir_job *job, const struct fhir_node *from, char *out, size_t size);

// Whether a CodeableConcept has the code, and where.
bool fhir_concept_has(struct fhir_job *job, const struct fhir_node *concept, const char *system, const char *code);

// ---- People (fhir_people.c)

Carehub__V1__Patient *fhir_patient(struct fhir_job *job, bool *deceased);
Carehub__V1__Party *fhir_party(struct fhir_job *job, const struct fhir_node *reference);

// Fills in who answers for the event: professional, organisation, verified or not.
void fhir_author(struct fhir_job *job, Carehub__V1__Author *author);

// ---- Kinds

const char *fhir_observation(struct fhir_job *job);
const char *fhir_adverse_event(struct fhir_job *job);
const char *fhir_flag(struct fhir_job *job);
const char *fhir_communication(struct fhir_job *job);
const char *fhir_encounter(struct fhir_job *job);
const char *fhir_questionnaire_response(struct fhir_job *job);

// Calls for each part of an Observation that has a code and value of its own: its components, then its members
// (hasMember) as far as they are in the Bundle or contained, and what their own components are.
typedef void fhir_part_fn(struct fhir_job *job, void *arg, const struct fhir_node *part);
void fhir_each_part(struct fhir_job *job, fhir_part_fn *fn, void *arg);

// Adds a score with a value to a list of an event; nothing without a value. `item` is taken over.
void fhir_add_score(struct fhir_job *job, Carehub__V1__Score ***scores, size_t *count, Carehub__V1__Coded *item,
                    const char *value);

// The event type that a concept stands for, 0 if no rule and no known code says; *coding is the one that did.
Carehub__V1__EventType fhir_type_by_code(struct fhir_job *job, const struct fhir_node *concept,
                                         Carehub__V1__Coded **coded);

// Parts of a fall that are components of an Observation (fhir_fall.c).
void fhir_fall_components(struct fhir_job *job, Carehub__V1__FallReported *fall);

// A status and what it means; ends with a NULL status.
struct fhir_status {
    const char *status;
    enum fhir_verb verb;
    const char *nothing; // why nothing comes of it, or NULL
};

// Looks the resource's status up. NULL, with a problem, if it has none that is known.
const struct fhir_status *fhir_status_of(struct fhir_job *job, const struct fhir_status *table);

#endif
