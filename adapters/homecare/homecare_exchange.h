// Between the files of the home-care plug-in: a message on its way, and its answer.
#ifndef CAREHUB_HOMECARE_EXCHANGE_H
#define CAREHUB_HOMECARE_EXCHANGE_H

#include "carehub_adapter.h"
#include "fhir_read.h"
#include "homecare_config.h"
#include "problems.h"

struct exchange {
    bool plain;  // an event in plain JSON; else FHIR
    int refused; // the HTTP status of a refusal that has one of its own; else 0
    const struct homecare_sender *sender;
    struct fhir_intake intake;
    struct problems problems;

    Carehub__V1__Event *event; // plain; NULL when it was emitted

    struct fhir_document *document; // FHIR; NULL once slim
    size_t n_entries;
    bool looked;               // result has the items
    struct fhir_result result; // without events once they were emitted
};

// Where a request goes, by its path.
struct homecare_target {
    bool plain, by_content; // by_content: FHIR or plain, as the message turns out
    bool update;
    const char *type; // that the resource has to have, not terminated; NULL: any
    size_t type_len;
    const char *id; // that it has to have; NULL: any
};

// homecare_route.c: false with a problem and x->refused.
bool homecare_route(const struct carehub_native *native, struct homecare_target *target, struct exchange *x);

// homecare_reply.c. A repeat was not translated: look finds again what of a Bundle was refused then, for its answer.
void homecare_look(struct exchange *x);
void homecare_reply(const void *self, const struct carehub_message *message, const struct carehub_outcome *outcome,
                    carehub_reply_fn *fn, void *arg);

// homecare_documents.c
bool homecare_get(const void *self, const char *path, carehub_reply_fn *fn, void *arg);

// homecare_out.c
enum carehub_written homecare_write(const void *self, const struct carehub_departure *departure,
                                    struct carehub_parcel *parcel);
enum carehub_judgement homecare_judge(const void *self, const struct carehub_parcel *parcel, const void *answer,
                                      size_t len, struct carehub_problem *problem);
bool homecare_check_receiver(const struct carehub_setting *receiver, char error[CAREHUB_ERROR_BYTES]);

#endif
