/* query.h - what the answers to operators' questions are made with. */
#ifndef CAREHUB_QUERY_H
#define CAREHUB_QUERY_H

#include "core_private.h"

/* A new message of that type, in the batch's arena. */
#define NEW(core, type, name)                                                                                          \
    Carehub__V1__##type *name = arena_alloc(&(core)->batch, sizeof *name);                                             \
    protobuf_c_message_init(&type##_DESCRIPTOR, name)

#define StatusAnswer_DESCRIPTOR carehub__v1__status_answer__descriptor
#define TailAnswer_DESCRIPTOR carehub__v1__tail_answer__descriptor
#define TraceLine_DESCRIPTOR carehub__v1__trace_line__descriptor
#define ListAnswer_DESCRIPTOR carehub__v1__list_answer__descriptor
#define ListedActor_DESCRIPTOR carehub__v1__listed_actor__descriptor
#define ListedClient_DESCRIPTOR carehub__v1__listed_client__descriptor
#define ListedInbox_DESCRIPTOR carehub__v1__listed_inbox__descriptor
#define ListedMember_DESCRIPTOR carehub__v1__listed_member__descriptor
#define LanePosition_DESCRIPTOR carehub__v1__lane_position__descriptor
#define PatientAnswer_DESCRIPTOR carehub__v1__patient_answer__descriptor
#define InboxItemsAnswer_DESCRIPTOR carehub__v1__inbox_items_answer__descriptor
#define ExportAnswer_DESCRIPTOR carehub__v1__export_answer__descriptor
#define OpenAnswer_DESCRIPTOR carehub__v1__open_answer__descriptor

/* An array of so many strings, in the batch's arena. */
char **strings(struct arena *arena, size_t n);
void list_query(struct core *core, const Carehub__V1__Query *query, Carehub__V1__Answer *answer);

#endif
