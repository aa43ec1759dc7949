/* reasons.c - what each reason is called, amounts to, and says to an operator. */
#include "route_rules.h"

#include <string.h>

static const struct reason {
    Carehub__V1__Reason reason;
    const char *text;
} reasons[] = {
    {REASON(REASON_UNSPECIFIED), "No reason is recorded."},
    {REASON(MEMBER_WITH_CONSENT), "Member of the care team, with the person's consent."},
    {REASON(MEMBER_BY_RELATION), "Member of the care team; for this type the care relation alone is enough."},
    {REASON(GRANT_WITH_CONSENT), "Has a grant in force, with the person's consent."},
    {REASON(GRANT_BY_RELATION), "Has a grant in force, which alone is enough for this type."},
    {REASON(CORRECTION_OF_RECEIVED), "Received the original, so receives its correction."},
    {REASON(CORRECTION_NOTICE),
     "Received the original but is no longer entitled: told of the correction, without content."},
    {REASON(NO_CONSENT), "The person has no consent for continuity of care in force that covers this."},
    {REASON(NO_RELATION), "Neither in the person's care team nor holder of a grant."},
    {REASON(RELATION_NOT_STARTED), "The membership or grant has not started yet."},
    {REASON(RELATION_ENDED), "The membership or grant has ended."},
    {REASON(EXCLUDED_BY_PERSON), "The person has excluded this actor."},
    {REASON(CELL_NONE), "The access matrix gives this role nothing of this type."},
    {REASON(NOT_ADDRESSED), "The event is addressed to others only."},
    {REASON(RESTRICTED_EVENT), "The event is confidential, and the role's cell does not say 'restricted'."},
    {REASON(NOT_SUBSCRIBED), "Entitled, but has no open inbox that takes this type: set one up or add the type."},
    {REASON(OWN_EVENT), "Published it, so does not receive it."},
    {REASON(ACTOR_ENDED), "The actor's registration has ended."},
    {REASON(PERSON_DECEASED), "The person has died; this type is not sent after death."},
    {REASON(NOTHING_TO_RETRACT), "Never received what is taken back."},
    {REASON(UNKNOWN_ACTOR), "No such actor is registered."},
    {REASON(INBOX_FULL), "Entitled, but every inbox that takes this type is full: let it drain, or raise its limit."},
    {REASON(DECISION_FAILED),
     "The registry holds something that contradicts itself, so nothing was given out: have it mended."},
    {REASON(RESTRICTED_BY_PERSON), "The person has set that this actor or role gets nothing of this type."},
    {REASON(NOBODY_IN_LINE), "It was not read in time, and nobody is left to be told instead."},
    {REASON(OUTSIDE_SCOPE), "The membership is for other types of event only."},
    {REASON(NO_CONSENT_FOR_PURPOSE),
     "The person has no consent in force for the purpose of this grant that covers this."},
    {REASON(ACTOR_SUSPENDED), "The actor is suspended; waits until that is over, or the deadline."},
    {REASON(ROLE_UNKNOWN),
     "The access matrix does not know the role; adopt a policy that does, or mend the membership."},
    {REASON(PERSONAL_WITHOUT_INBOX),
     "Must be told personally but has no inbox that takes this type: set one up, or tell them."},
    {REASON(END_ACKNOWLEDGED), "Acknowledged by the receiver."},
    {REASON(END_WITHDRAWN), "Withdrawn before it was handed over: the entitlement had gone."},
    {REASON(END_SUPERSEDED), "Replaced by a newer version before it was handed over."},
    {REASON(END_EXPIRED), "Nobody fetched it within its time to live."},
    {REASON(END_DEAD_REFUSED), "The receiver refused it for good."},
    {REASON(END_DEAD_RETRIES), "The receiver refused it too often."},
    {REASON(END_DEAD_HELD), "Held past its deadline."},
    {REASON(END_REFUSED_BY_OPERATOR), "An operator refused it."},
    {REASON(END_INBOX_CLOSED), "The inbox was closed."},
    {REASON(END_ERASED), "Its person has been erased."},
};

enum { LAST_DELIVERED = 19, LAST_WITHHELD = 49, LAST_HELD = 69 };

/* Reasons come in ranges (see log.proto). A full inbox only puts off: see check_inbox. */
Carehub__V1__Outcome reason_outcome(Carehub__V1__Reason reason)
{
    if (reason == REASON(INBOX_FULL))
        return OUTCOME(HOLD);
    if (reason > REASON(REASON_UNSPECIFIED) && (int)reason <= LAST_DELIVERED)
        return OUTCOME(DELIVER);
    return (int)reason > LAST_WITHHELD && (int)reason <= LAST_HELD ? OUTCOME(HOLD) : OUTCOME(WITHHOLD);
}

const char *reason_name(Carehub__V1__Reason reason)
{
    const ProtobufCEnumValue *value =
        protobuf_c_enum_descriptor_get_value(&carehub__v1__reason__descriptor, (int)reason);
    return value ? value->name : "UNKNOWN_REASON";
}

const char *reason_text(Carehub__V1__Reason reason)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].reason == reason)
            return reasons[i].text;
    return "A reason that this version does not know.";
}
