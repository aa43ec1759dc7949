"""The rules of routing, written a second time and independently: from the design's rules, the .proto files and the policy
file's own comments. It reads nothing but entries of the log, in order, and says what had to be decided."""
import dataclasses
import re

import harness  # makes the schema
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg

LEVELS = {"none": 0, "administrative": 1, "care": 2, "clinical": 3}
CONTINUITY = "continuity-of-care"


# ---- The policy file ----------------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Cell:
    level: int = 0
    by_relation: bool = False
    restricted: bool = False
    personal: bool = False


class Policy:
    def __init__(self, text):
        self.roles, self.after_death, self.cells = set(), set(), {}
        section = row = None
        for line in text.splitlines():
            line = line.split("#", 1)[0].rstrip()
            if not line:
                continue
            depth = (len(line) - len(line.lstrip())) // 4
            name, _, value = (part.strip() for part in line.partition("="))
            if depth == 0:
                section = name
            elif section == "roles":
                self.roles.add(name)
            elif section == "after-death":
                self.after_death.add(name)
            elif section == "matrix" and depth == 1:
                row = name
            elif section == "matrix":
                level, *marks = (part.strip() for part in value.split(","))
                self.cells[row, name] = Cell(LEVELS[level], "by relation" in marks, "restricted" in marks,
                                             "personal" in marks)

    def cell(self, role, event_type):
        return self.cells.get((type_name(event_type), role), Cell())


def type_name(event_type):
    """HOSPITAL_DISCHARGE → HospitalDischarge."""
    return re.sub(r"(?:^|_)([A-Z])([A-Z]*)", lambda m: m[1] + m[2].lower(), ev.EventType.Name(event_type))


# ---- The state, as facts make it ------------------------------------------------------------------------------------------

@dataclasses.dataclass
class Relation:
    actor: int
    role: str
    since: int
    from_ms: int
    until_ms: int
    grant: int = 0  # its kind; 0: a membership
    max_level: int = 0
    types: tuple = ()  # names; none: all
    purpose: str = ""  # of secondary use: the consent that it needs


@dataclasses.dataclass
class Consent:
    since: int
    purposes: list
    classes: int
    from_ms: int
    until_ms: int


@dataclasses.dataclass
class Setting:
    actor: int  # 0: any
    role: str
    type: str
    level: int
    relaxes: bool
    from_ms: int
    until_ms: int


@dataclasses.dataclass
class Person:
    members: list = dataclasses.field(default_factory=list)
    grants: list = dataclasses.field(default_factory=list)
    consents: list = dataclasses.field(default_factory=list)
    excluded: set = dataclasses.field(default_factory=set)
    settings: dict = dataclasses.field(default_factory=dict)
    deceased: bool = False
    merged_into: int = 0
    merges: dict = dataclasses.field(default_factory=dict)  # number -> exclusions that came with it

    def relations(self, now_ms):
        """Those that have not ended by their date; what has is no relation any more."""
        return [r for r in self.members + self.grants if not r.until_ms or now_ms < r.until_ms]


@dataclasses.dataclass
class Actor:
    number: int
    name: str
    kind: int
    standing: int = reg.ACTIVE

    def enters_unverified(self):
        return self.kind in (reg.PERSON, reg.INFORMAL_CARER)


@dataclasses.dataclass
class Inbox:
    actor: int
    types: list
    closed: bool = False

    def takes(self, event_type):
        return "*" in self.types or type_name(event_type) in self.types


def in_force(thing, now_ms):
    return thing.from_ms <= now_ms and (thing.until_ms == 0 or now_ms < thing.until_ms)


class State:
    def __init__(self):
        self.actors, self.names, self.inboxes, self.inbox_names, self.people = {}, {}, {}, {}, {}
        self.policy = None
        self.events = {}  # place -> (entry, {actor: decision as it stands now})
        self.verified = {}  # place of an event -> names of who stood for it, the first one first

    def apply(self, entry):
        what = entry.WhichOneof("what")
        if what == "fact":
            kind = entry.fact.fact.WhichOneof("fact")
            handler = getattr(self, f"_{kind}", None)
            if handler:
                handler(entry, getattr(entry.fact.fact, kind))
        elif what == "event":
            self.events[entry.place] = entry, {d.actor: d for d in entry.event.decisions}
        elif what == "expiry":
            self._check_expiry(entry)
        elif what == "held":
            self._fold(entry.held.event_place, entry.held.decision)
        elif what == "later" and entry.later.decision.actor:
            self._fold(entry.later.event_place, entry.later.decision)

    def _fold(self, event_place, later):
        """What was delivered stays delivered; delivered twice, it was received in the wider view, in all the inboxes."""
        decisions = self.events[event_place][1]
        before = decisions.get(later.actor)
        if before is None or before.outcome != log.DELIVER:
            decisions[later.actor] = later
        elif later.outcome == log.DELIVER:
            both = log.Decision()
            both.CopyFrom(later)
            both.level = max(before.level, later.level)
            both.notice = before.notice and later.notice
            both.slots.extend(before.slots)
            decisions[later.actor] = both

    def _person(self, entry):
        return self.people[entry.patient]

    def deciding(self, number):
        """The person whose team and consent decide: itself, or the one that it was merged into."""
        while self.people[number].merged_into:
            number = self.people[number].merged_into
        return self.people[number]

    def _check_expiry(self, entry):
        """It names what was due, and nothing else."""
        person, kinds = self._person(entry), log.ExpiryEntry.Ended
        lists = {kinds.MEMBERSHIP: person.members, kinds.GRANT: person.grants, kinds.CONSENT: person.consents,
                 kinds.SETTING: person.settings.values()}
        due = {(kind, thing.since) for kind, things in lists.items() if kind != kinds.SETTING for thing in things
               if thing.until_ms and thing.until_ms <= entry.at_ms}
        named = {(ended.kind, ended.since) for ended in entry.expiry.ended if ended.kind != kinds.SETTING}
        assert named <= due, f"place {entry.place}: {named - due} was not due"
        for things in (person.members, person.grants, person.consents):
            things[:] = [thing for thing in things if not thing.until_ms or thing.until_ms > entry.at_ms]

    def _actor_set(self, entry, fact):
        if fact.name not in self.names:
            number = entry.fact.number
            self.names[fact.name] = number
            self.actors[number] = Actor(number, fact.name, fact.kind)
        self.actors[self.names[fact.name]].kind = fact.kind

    def _actor_standing(self, entry, fact):
        self.actors[self.names[fact.name]].standing = fact.standing

    def _inbox_set(self, entry, fact):
        number = self.inbox_names.setdefault(fact.name, entry.fact.number)
        self.inboxes[number] = Inbox(self.names[fact.actor], list(fact.types))

    def _inbox_closed(self, entry, fact):
        self.inboxes[self.inbox_names[fact.name]].closed = True

    def _patient_registered(self, entry, fact):
        self.people[entry.patient] = Person()

    def _death_recorded(self, entry, fact):
        self._person(entry).deceased = not fact.mistaken

    def _relation(self, entry, fact, relations, **more):
        actor = self.names[fact.actor]
        relations[:] = [r for r in relations if (r.actor, r.role) != (actor, fact.role)]
        relations.append(Relation(actor, fact.role, entry.place, fact.from_ms, fact.until_ms, **more))

    def _member_added(self, entry, fact):
        self._relation(entry, fact, self._person(entry).members, max_level=fact.max_level, types=tuple(fact.types))

    def _grant_given(self, entry, fact):
        self._relation(entry, fact, self._person(entry).grants, grant=fact.kind, max_level=fact.max_level,
                       purpose=fact.purpose if fact.kind == reg.SECONDARY_USE else "")

    def _ended(self, fact, relations):
        actor = self.names[fact.actor]
        relations[:] = [r for r in relations if r.actor != actor or fact.role not in ("", r.role)]

    def _member_ended(self, entry, fact):
        self._ended(fact, self._person(entry).members)

    def _grant_ended(self, entry, fact):
        self._ended(fact, self._person(entry).grants)

    def _consent_given(self, entry, fact):
        self._person(entry).consents.append(
            Consent(entry.place, list(fact.purposes), fact.classes, fact.from_ms, fact.until_ms))

    def _consent_withdrawn(self, entry, fact):
        person = self._person(entry)
        for consent in person.consents:
            consent.purposes = [p for p in consent.purposes if fact.purposes and p not in fact.purposes]
        person.consents = [consent for consent in person.consents if consent.purposes]

    def _event_verified(self, entry, fact):
        place = next(place for place, (event, _) in self.events.items() if event.event.id == fact.event_id)
        self.verified.setdefault(place, []).append(fact.actor_name)

    def _exclusion_set(self, entry, fact):
        self._person(entry).excluded.add(self.names[fact.actor])

    def _exclusion_lifted(self, entry, fact):
        self._person(entry).excluded.discard(self.names[fact.actor])

    def _access_set(self, entry, fact):
        self._person(entry).settings[fact.name] = Setting(self.names.get(fact.actor_name, 0), fact.role, fact.type,
                                                          fact.level, fact.relaxes, fact.from_ms, fact.until_ms)

    def _access_lifted(self, entry, fact):
        del self._person(entry).settings[fact.name]

    def _patients_merged(self, entry, fact):
        if fact.patient.number == fact.merged.number or not fact.merged.number:
            return  # one person already
        survivor, other = self.people[fact.patient.number], self.people[fact.merged.number]
        survivor.merges[fact.merged.number] = other.excluded - survivor.excluded
        survivor.excluded |= other.excluded
        other.merged_into = fact.patient.number

    def _patients_separated(self, entry, fact):
        survivor = self.people[fact.patient.number]
        survivor.excluded -= survivor.merges.pop(fact.merged.number)
        self.people[fact.merged.number].merged_into = 0

    def _policy_adopted(self, entry, fact):
        self.policy = Policy(fact.text)


# ---- The decision ---------------------------------------------------------------------------------------------------------

@dataclasses.dataclass(frozen=True)
class Decision:
    outcome: int
    reason: int
    level: int = 0
    role: str = ""
    ground: int = 0
    consent: int = 0
    notice: bool = False
    inboxes: tuple = ()

    @staticmethod
    def recorded(d):
        return Decision(d.outcome, d.reason, d.level, d.role, d.ground, d.consent, d.notice,
                        tuple(slot.inbox for slot in d.slots))


def outcome_of(reason):
    if reason == log.INBOX_FULL or 50 <= reason < 70:
        return log.HOLD
    return log.DELIVER if reason < 20 else log.WITHHOLD


def ceiling(level):
    return level or reg.LEVEL_CLINICAL


class Question:
    """One event, against the state at its place."""

    def __init__(self, state, entry, later=None):
        """As of the event's own entry, or of one that decides about it later: then as if it came now, but for a
        retraction, which is for those who had the original."""
        self.state, self.entry, self.event = state, entry, entry.event
        self.now_ms = (later or entry).at_ms
        self.person = state.deciding(entry.patient) if later else state.people.get(entry.patient, Person())
        original = state.events.get(self.event.retracts if later else self.event.amends or self.event.retracts)
        self.original = original[1] if original else {}
        self.has_original = original is not None
        self.corrects = bool(self.event.amends or self.event.retracts)
        self.consent = self.consent_for(CONTINUITY)

    def consent_for(self, purpose):
        """The last one given of those in force."""
        consents = [c for c in self.person.consents if in_force(c, self.now_ms) and purpose in c.purposes]
        return max(consents, key=lambda c: c.since, default=None)

    def candidates(self):
        numbers = {r.actor for r in self.person.relations(self.now_ms)}
        return numbers | {number for number, d in self.original.items() if d.outcome == log.DELIVER}

    def received(self, actor):
        decision = self.original.get(actor.number)
        return decision if decision is not None and decision.outcome == log.DELIVER else None

    def decide(self, number):
        actor = self.state.actors.get(number)
        if actor is None:
            return Decision(log.WITHHOLD, log.UNKNOWN_ACTOR)
        decision = self.ordinary(actor)
        return self.correction(actor, decision) if self.received(actor) is not None else decision

    def ordinary(self, actor):
        reason = self.actor_alone(actor)
        if reason:
            return Decision(outcome_of(reason), reason)
        looks = [self.relation(actor, r) for r in self.person.relations(self.now_ms)
                 if r.actor == actor.number]
        if not looks:
            return Decision(log.WITHHOLD, log.NO_RELATION)
        rank = {log.DELIVER: 2, log.HOLD: 1, log.WITHHOLD: 0}
        best = looks[0]
        for look in looks[1:]:  # the first of equals stays
            if (rank[look[0].outcome], look[0].level, look[1]) > (rank[best[0].outcome], best[0].level, best[1]):
                best = look
        return best[0]

    def actor_alone(self, actor):
        if self.event.retracts and self.received(actor) is None:
            return log.NOTHING_TO_RETRACT
        if actor.standing == reg.ENDED:
            return log.ACTOR_ENDED
        return log.EXCLUDED_BY_PERSON if actor.number in self.person.excluded else 0

    def relation(self, actor, relation):
        """The decision by one relation, and how many rules it passed."""
        passed = 0
        for step in self.steps(actor, relation):
            if isinstance(step, Decision):
                return step, passed
            if step:
                return Decision(outcome_of(step), step, role=relation.role, ground=relation.since), passed
            passed += 1
        raise AssertionError("the steps end with a decision")

    def steps(self, actor, relation):
        policy, event = self.state.policy, self.event
        if relation.from_ms > self.now_ms:
            yield log.RELATION_NOT_STARTED
        yield 0
        yield 0 if self.addressed(actor, relation) else log.NOT_ADDRESSED
        yield 0 if relation.role in policy.roles else log.ROLE_UNKNOWN
        cell = policy.cell(relation.role, event.type)
        settings = [s for s in self.person.settings.values() if self.applies(s, actor, relation)]
        level = max([cell.level] + [s.level for s in settings if s.relaxes])
        level = min(level, ceiling(relation.max_level))
        if relation.grant == reg.INSURANCE:
            level = min(level, reg.LEVEL_ADMINISTRATIVE)
        if relation.types and type_name(event.type) not in relation.types:
            yield log.OUTSIDE_SCOPE
        yield 0 if level else log.CELL_NONE
        level = min([level] + [s.level for s in settings if not s.relaxes])
        yield 0 if level else log.RESTRICTED_BY_PERSON
        restricted = event.confidentiality not in (ev.CONFIDENTIALITY_UNSPECIFIED, ev.NORMAL)
        yield log.RESTRICTED_EVENT if restricted and not cell.restricted else 0
        secondary = relation.grant == reg.SECONDARY_USE
        consent = self.consent_for(relation.purpose) if secondary else self.consent
        covered = min(level, ceiling(consent.classes)) if consent else 0
        by_relation = cell.by_relation and covered < level and not secondary
        level = level if by_relation else covered
        yield 0 if level else log.NO_CONSENT_FOR_PURPOSE if secondary else log.NO_CONSENT
        after_death = type_name(event.type) in policy.after_death
        yield log.PERSON_DECEASED if self.person.deceased and not after_death else 0
        yield log.OWN_EVENT if actor.number == self.entry.actor else 0
        yield log.ACTOR_SUSPENDED if actor.standing == reg.SUSPENDED else 0
        inboxes = self.inboxes(actor)
        if not inboxes:
            yield log.PERSONAL_WITHOUT_INBOX if cell.personal else log.NOT_SUBSCRIBED
        yield 0
        if relation.grant:
            reason = log.GRANT_BY_RELATION if by_relation else log.GRANT_WITH_CONSENT
        else:
            reason = log.MEMBER_BY_RELATION if by_relation else log.MEMBER_WITH_CONSENT
        yield Decision(log.DELIVER, reason, level, relation.role, relation.since,
                       0 if by_relation else consent.since, False, inboxes)

    def applies(self, setting, actor, relation):
        return (in_force(setting, self.now_ms) and setting.actor in (0, actor.number)
                and setting.role in ("", relation.role) and setting.type in ("", type_name(self.event.type)))

    def addressed(self, actor, relation):
        to = self.event.addressees
        return not to or any(a.actor == actor.name if a.HasField("actor") else a.role == relation.role for a in to)

    def inboxes(self, actor):
        """Open ones that take the type; for a correction of what was received, only those that received it."""
        received = self.received(actor)
        had = None if received is None else {slot.inbox for slot in received.slots}
        return tuple(number for number, inbox in sorted(self.state.inboxes.items())
                     if inbox.actor == actor.number and not inbox.closed and inbox.takes(self.event.type)
                     and (had is None or number in had))

    def correction(self, actor, decision):
        """For whoever received the original: the lesser view, or a notice."""
        if decision.outcome == log.HOLD or decision.reason == log.NOT_SUBSCRIBED or actor.number == self.entry.actor:
            return decision
        received = self.received(actor)
        then = 0 if received.notice else received.level
        if decision.outcome == log.DELIVER and then:
            return dataclasses.replace(decision, reason=log.CORRECTION_OF_RECEIVED, level=min(then, decision.level))
        if actor.standing == reg.SUSPENDED:
            return Decision(log.HOLD, log.ACTOR_SUSPENDED, role=decision.role, notice=True)
        inboxes = self.inboxes(actor)
        if not inboxes:
            return Decision(log.WITHHOLD, log.NOT_SUBSCRIBED, role=decision.role)
        return Decision(log.DELIVER, log.CORRECTION_NOTICE, role=decision.role, notice=True, inboxes=inboxes)

    def decide_all(self):
        return {number: self.decide(number) for number in self.candidates()}

    def may_enter(self):
        """The person and informal carers enter something only of those to whom they have a relation in force, of the types
        that it is for; what they entered they may take back."""
        publisher = self.state.actors.get(self.entry.actor)
        if publisher is None or not publisher.enters_unverified() or (self.event.retracts and self.has_original):
            return True
        return any(r.actor == publisher.number and in_force(r, self.now_ms)
                   and (not r.types or type_name(self.event.type) in r.types)
                   for r in self.person.members + self.person.grants)

    def kept(self):
        """Without consent nothing is kept, unless someone is to be told all the same. That a role is unknown is no reason
        to keep what could only rest on a consent."""
        if not self.may_enter():
            return False
        policy, name = self.state.policy, type_name(self.event.type)
        relation_may_do = any(cell.by_relation for (row, _), cell in policy.cells.items() if row == name)
        decisions = self.decide_all().values()
        return bool(self.consent) or any(
            d.outcome != log.WITHHOLD and (d.reason != log.ROLE_UNKNOWN or self.corrects or relation_may_do)
            for d in decisions)
