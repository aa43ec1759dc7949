/* query.h - operators' questions: what the core calls, and what the answers are made with. Core thread only. */
#ifndef CAREHUB_QUERY_H
#define CAREHUB_QUERY_H

#include "core/core_private.h"

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
#define BackupAnswer_DESCRIPTOR carehub__v1__backup_answer__descriptor
#define CheckpointAnswer_DESCRIPTOR carehub__v1__checkpoint_answer__descriptor
#define AuditWitness_DESCRIPTOR carehub__v1__audit_witness__descriptor
#define CosignedAnswer_DESCRIPTOR carehub__v1__cosigned_answer__descriptor
#define ProveAnswer_DESCRIPTOR carehub__v1__prove_answer__descriptor
#define TilesAnswer_DESCRIPTOR carehub__v1__tiles_answer__descriptor
#define VerifyAnswer_DESCRIPTOR carehub__v1__verify_answer__descriptor
#define OpenAnswer_DESCRIPTOR carehub__v1__open_answer__descriptor
#define AccessReportAnswer_DESCRIPTOR carehub__v1__access_report_answer__descriptor
#define ReportActor_DESCRIPTOR carehub__v1__report_actor__descriptor
#define ReportGround_DESCRIPTOR carehub__v1__report_ground__descriptor
#define ReportPolicy_DESCRIPTOR carehub__v1__report_policy__descriptor
#define ReportAccess_DESCRIPTOR carehub__v1__report_access__descriptor
#define ReportItem_DESCRIPTOR carehub__v1__report_item__descriptor
#define ReportAuthor_DESCRIPTOR carehub__v1__report_author__descriptor
#define ReportEnd_DESCRIPTOR carehub__v1__report_end__descriptor

#define KeysAnswer_DESCRIPTOR carehub__v1__keys_answer__descriptor
#define KeysEpoch_DESCRIPTOR carehub__v1__keys_answer__epoch__descriptor
#define KeysErasure_DESCRIPTOR carehub__v1__keys_answer__erasure__descriptor
#define EmergencyAccess_DESCRIPTOR carehub__v1__emergency_access__descriptor
#define EmergencyAnswer_DESCRIPTOR carehub__v1__emergency_answer__descriptor

/* ---- What the core calls ------------------------------------------------------------------------------------------ */

void query(struct core *core, struct session *session, const Carehub__V1__Query *query);
void answer_send(struct core *core, struct session *session, uint64_t ref, Carehub__V1__Answer *answer);
void tail_flush(struct core *core);
void tail_end(struct core *core, struct session *session);
bool may_ask(const struct client *client, Carehub__V1__Query__QueryCase what);
void trace_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                 Carehub__V1__Answer *answer);
void explain_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                   Carehub__V1__Answer *answer);
/* The line of one decision; its trace goes on with what became of it. */
Carehub__V1__TraceLine *decision_line(struct core *core, const Entry *entry, const Decision *decision, int64_t at_ms);
/* The lines of decisions after an event's own, and of what became of them; actor 0: of all. */
void trace_later(struct core *core, const Entry *event, uint32_t actor, Carehub__V1__TraceAnswer *answer);
/* Goes on with the comparison of policies that is under way: a slice, after everything else. */
void policy_diff_step(struct core *core);
void policy_diff_end(struct core *core);
/* Sends the next page of a report, if one is under way. */
void report_run_step(struct core *core);
void report_run_end(struct core *core);
/* The lines of what became of one decision. */
void trace_decision(struct core *core, const Entry *entry, const Decision *decision, Carehub__V1__TraceAnswer *answer);
Carehub__V1__TraceLine *trace_line(struct core *core, const Entry *entry, Carehub__V1__TraceLine__Step step,
                                   int64_t at_ms);
uint64_t event_place_of(struct core *core, const ProtobufCBinaryData *id, uint64_t place);
void tail_decision(struct core *core, const Entry *entry, const Decision *decision);
void tail_not_kept(struct core *core, const Entry *entry, Carehub__V1__EventType type);

/* ---- Answers ------------------------------------------------------------------------------------------------------ */

/* Sends an answer outside of any batch: what has taken long, or goes on. It is only borrowed. */
void answer_at_once(struct core *core, session_id to, Carehub__V1__Answer *answer);
/* Is that session still there, and its client entitled to ask this? */
bool session_may_ask(const struct core *core, session_id id, Carehub__V1__Query__QueryCase what);
/* An array of so many strings, in the batch's arena. */
char **strings(struct arena *arena, size_t n);
/* Who asks about a person leaves an entry. */
void log_reading(struct core *core, const struct session *session, const char *question, uint64_t patient,
                 uint64_t event_place, uint32_t of_actor);
void patient_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                   Carehub__V1__Answer *answer);
/* Starts it; the rest is done by policy_diff_step. */
void policy_diff_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                       Carehub__V1__Answer *answer);
void keys_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                Carehub__V1__Answer *answer);
void access_report_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                         Carehub__V1__Answer *answer);
/* Its next pages follow by report_run_step, if they were asked for. */
void report_run_begin(struct core *core, const struct session *session, const Carehub__V1__Query *query,
                      Carehub__V1__Answer *answer);
/* Emergency accesses to anybody's data, or to one person's. */
void emergency_query(struct core *core, struct session *session, const Carehub__V1__Query *question,
                     Carehub__V1__Answer *answer);
void list_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                Carehub__V1__Answer *answer);
/* An online copy of the database, handed out piece by piece: backup.c. */
void backup_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                  Carehub__V1__Answer *answer);

/* query_audit.c, verify.c */
void status_of_log(struct core *core, Carehub__V1__StatusAnswer *status);
void checkpoint_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                      Carehub__V1__Answer *answer);
void tiles_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                 Carehub__V1__Answer *answer);
void cosigned_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                    Carehub__V1__Answer *answer);
void prove_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                 Carehub__V1__Answer *answer);
/* Starts it; the rest is done by verify_step. */
void verify_query(struct core *core, struct session *session, const Carehub__V1__Query *query,
                  Carehub__V1__Answer *answer);

#endif
