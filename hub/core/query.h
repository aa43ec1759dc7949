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
#define PolicyDiffAnswer_DESCRIPTOR carehub__v1__policy_diff_answer__descriptor
#define ReplayAnswer_DESCRIPTOR carehub__v1__replay_answer__descriptor
#define ReplayCount_DESCRIPTOR carehub__v1__replay_count__descriptor
#define OpenAnswer_DESCRIPTOR carehub__v1__open_answer__descriptor

/* An array of so many strings, in the batch's arena. */
char **strings(struct arena *arena, size_t n);
/* Who asks about a person leaves an entry. */
void log_reading(struct core *core, const struct session *session, const char *question, uint64_t patient,
                 uint64_t event_place, uint32_t of_actor);
void patient_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                   Carehub__V1__Answer *answer);
/* Starts it; the rest is done by policy_diff_step (core_private.h). */
void policy_diff_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                       Carehub__V1__Answer *answer);
void list_query(struct core *core, const Carehub__V1__Query *query, Carehub__V1__Answer *answer);

#endif
