#!/usr/bin/python3
"""A random scenario through the real hub; then every decision again, from the exported log alone, by a model of the rules
that shares nothing with the hub's code. It has to agree with what was recorded, and with `carehub explain` for every pair
of event and actor.

CAREHUB_SEED: the scenario (1). CAREHUB_SCENARIO_STEPS: its length (800)."""
import os
import random
import time
import unittest

import client as c
import harness
import model
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

STEPS = int(os.environ.get("CAREHUB_SCENARIO_STEPS", "800"))
ACTORS = [f"actor-{i}" for i in range(12)]
PATIENTS = [f"patient-{i}" for i in range(6)]
TYPES = [ev.INCLUSION_FLAGGED, ev.INCLUSION_FLAGGED, ev.HOSPITAL_DISCHARGE, ev.MEDICATION_CHANGED, ev.FALL_REPORTED, ev.HOSPITAL_ADMISSION,
         ev.CARE_TRANSITION, ev.TEAM_MESSAGE, ev.PATIENT_DECEASED]
ROLES = ["gp", "gp", "pharmacist", "home-nurse", "home-care", "coordinator", "informal-carer", "physiotherapist",
         "social-worker"]
CARERS = ACTORS[9:]  # who enters for themselves, or for somebody close: the others are organisations
LEVELS = [reg.LEVEL_NONE, reg.LEVEL_ADMINISTRATIVE, reg.LEVEL_CARE, reg.LEVEL_CLINICAL]
SUBSCRIPTIONS = [["*"], ["HospitalDischarge", "FallReported"], ["InclusionFlagged", "MedicationChanged"]]


class Scenario:
    """What happens at random. Much of it is refused, and that is right."""

    def __init__(self, region, seed):
        self.region, self.random = region, random.Random(seed)
        self.events = {}    # id -> (patient, publisher)
        self.originals = {} # id -> id of what it corrects
        self.types = {}     # id -> name of its type
        self.refusals = {}
        for name in ACTORS:
            region.actor(name, self.random.choice(SUBSCRIPTIONS), inbox=self.random.random() < 0.9,
                         kind=reg.INFORMAL_CARER if name in CARERS else reg.ORGANISATION)
        self.publisher = region.client("everybody", ACTORS)
        self.numbers = {patient: region.patient(patient, consent=self.random.random() < 0.7) for patient in PATIENTS}
        for _ in range(30):
            self.member_added()
        for patient, carer in zip(PATIENTS * 2, CARERS * 4):
            self.fact(member_added=reg.MemberAdded(patient=c.patient_ref(patient), actor=carer, role="informal-carer",
                                                   basis=reg.CHOSEN_BY_PERSON))

    def patient(self):
        return c.patient_ref(self.random.choice(PATIENTS))

    def actor(self):
        return self.random.choice(ACTORS)

    def period(self):
        """Mostly without an end; some begin or end within the scenario."""
        now, kind = int(time.time() * 1000), self.random.random()
        if kind < 0.7:
            return {}
        if kind < 0.85:
            return {"until_ms": now + self.random.randint(200, 3000)}
        return {"from_ms": now + self.random.randint(100, 2000)}

    def fact(self, **fact):
        try:
            self.region.operator.fact(**fact)
        except c.Refused as refused:
            self.refused(refused)

    def refused(self, refused):
        assert refused.code in (wire.INVALID, wire.UNKNOWN_NAME, wire.CORRECTION_UNKNOWN, wire.NOT_ALLOWED), refused
        self.refusals[refused.code] = self.refusals.get(refused.code, 0) + 1

    def member_added(self):
        self.fact(member_added=reg.MemberAdded(patient=self.patient(), actor=self.actor(),
                                               role=self.random.choice(ROLES), basis=reg.CHOSEN_BY_PERSON,
                                               **self.scope(), **self.period()))

    def scope(self):
        """Mostly everything."""
        if self.random.random() < 0.7:
            return {}
        return {"max_level": self.random.choice(LEVELS),
                "types": self.random.choice([[], ["FallReported", "TeamMessage"], ["HospitalDischarge"]])}

    def member_ended(self):
        self.fact(member_ended=reg.MemberEnded(patient=self.patient(), actor=self.actor(),
                                               role=self.random.choice(["", *ROLES])))

    def consent_given(self):
        self.fact(consent_given=reg.ConsentGiven(
            patient=self.patient(), purposes=self.random.choice([["continuity-of-care"], ["research"],
                                                                 ["quality", "continuity-of-care"]]),
            classes=self.random.choice(LEVELS), given_by="person", **self.period()))

    def consent_withdrawn(self):
        self.fact(consent_withdrawn=reg.ConsentWithdrawn(
            patient=self.patient(), purposes=self.random.choice([[], ["research"], ["continuity-of-care"]])))

    def exclusion_set(self):
        self.fact(exclusion_set=reg.ExclusionSet(patient=self.patient(), actor=self.actor()))

    def exclusion_lifted(self):
        self.fact(exclusion_lifted=reg.ExclusionLifted(patient=self.patient(), actor=self.actor()))

    def access_set(self):
        self.fact(access_set=reg.AccessSet(
            patient=self.patient(), name=self.random.choice(["one", "two", "three"]),
            actor_name=self.random.choice(["", self.actor()]), role=self.random.choice(["", *ROLES]),
            type=self.random.choice(["", "HospitalDischarge", "FallReported"]), level=self.random.choice(LEVELS),
            relaxes=self.random.random() < 0.5, **self.period()))

    def access_lifted(self):
        self.fact(access_lifted=reg.AccessLifted(patient=self.patient(),
                                                 name=self.random.choice(["one", "two", "three"])))

    def merge(self):
        self.fact(patients_merged=reg.PatientsMerged(patient=self.patient(), merged=self.patient()))

    def separate(self):
        self.fact(patients_separated=reg.PatientsSeparated(patient=self.patient(), merged=self.patient()))

    def grant_given(self):
        kind, role = self.random.choice([(reg.CASE_MANAGEMENT, "case-manager"), (reg.INSURANCE, "insurer"),
                                         (reg.REFERRAL, "referral-target"), (reg.REFERRAL, "psychologist"),
                                         (reg.EMERGENCY_ACCESS, "emergency-physician"),
                                         (reg.SECONDARY_USE, "researcher"), (reg.SECONDARY_USE, "gp")])
        until = int(time.time() * 1000) + self.random.choice([1500, 3600000])
        self.fact(grant_given=reg.GrantGiven(patient=self.patient(), actor=self.actor(), role=role, kind=kind,
                                             max_level=self.random.choice(LEVELS), until_ms=until,
                                             purpose=self.random.choice(["research", "research", "quality"]),
                                             justification="test"))

    def grant_ended(self):
        self.fact(grant_ended=reg.GrantEnded(patient=self.patient(), actor=self.actor()))

    def standing(self):
        self.fact(actor_standing=reg.ActorStanding(name=self.actor(), reason="test",
                                                   standing=self.random.choice([reg.ACTIVE] * 3 + [reg.SUSPENDED])))

    def inbox(self):
        name = self.actor()
        self.fact(inbox_set=reg.InboxSet(name=name, actor=name, types=self.random.choice(SUBSCRIPTIONS)))

    def replay(self):
        self.fact(replayed=reg.Replayed(patient=self.patient() if self.random.random() < 0.7 else None,
                                        actor_name=self.actor(), reason="test",
                                        types=self.random.choice([[], [], ["HospitalDischarge", "TeamMessage"]])))

    def replay_to_all(self):
        self.fact(replayed=reg.Replayed(patient=self.patient(), reason="test"))

    def verify(self):
        """Of what was entered lately; who stands for it has mostly not received it, and is refused."""
        unverified = [(event_id, about) for event_id, about in list(self.events.items())[-40:] if about[1] in CARERS]
        if not unverified:
            return
        event_id, _ = self.random.choice(unverified)
        for actor in ACTORS:
            self.fact(event_verified=reg.EventVerified(event_id=event_id, actor_name=actor))

    def death(self):
        self.fact(death_recorded=reg.DeathRecorded(patient=self.patient(), mistaken=self.random.random() < 0.6))

    def policy(self):
        """Another policy, in which one cell is different."""
        text = harness.POLICY.read_text().replace("gp                     = clinical, restricted",
                                                  self.random.choice(["gp                     = care",
                                                                      "gp                     = none"]), 1)
        self.fact(policy_adopted=reg.PolicyAdopted(text=text if self.random.random() < 0.5
                                                   else harness.POLICY.read_text()))

    def event(self):
        kind, patient, author = self.random.choice(TYPES), self.random.choice(PATIENTS), self.actor()
        if self.random.random() < 0.2:
            author = self.random.choice(CARERS)
        e = ev.Event(id=c.uuid7(), type=kind, urgency=self.random.choice([0, 0, 0, 1, 2, 3]),
                     confidentiality=self.random.choice([0, 0, 0, 0, ev.NORMAL, ev.RESTRICTED]))
        e.patient.identifiers.add(system=c.SYSTEM, value=patient)
        e.author.actor = author
        e.occurred_at.unix_ms = int(time.time() * 1000)
        body = next(f for f in ev.Event.DESCRIPTOR.fields if f.number == 1000 + kind)
        getattr(e, body.name).SetInParent()
        if self.random.random() < 0.15:
            e.addressees.add(actor=self.actor())
            e.addressees.add(role=self.random.choice(ROLES))
        if self.random.random() < 0.3 and self.events:
            self.correct(e)
        try:
            self.publisher.publish_one(e)
            self.events[e.id] = e.patient.identifiers[0].value, e.author.actor
            self.types[e.id] = model.type_name(kind)
            self.originals[e.id] = e.amends or e.retracts
        except c.Refused as refused:
            self.refused(refused)

    def correct(self, e):
        """Of an earlier event; mostly by its own publisher and about the same person, or it is refused."""
        original = self.random.choice(list(self.events))
        patient, author = self.events[original]
        if self.random.random() < 0.9:
            e.author.actor = author
            e.patient.identifiers[0].value = patient
        if self.random.random() < 0.5:
            e.amends = original
        else:
            e.retracts = original

    def run(self):
        steps = ([self.event] * 50 + [self.member_added] * 8 + [self.member_ended] * 3 + [self.consent_given] * 5 +
                 [self.consent_withdrawn] * 3 + [self.exclusion_set] * 2 + [self.exclusion_lifted] * 5 +
                 [self.grant_given] * 5 + [self.grant_ended] * 2 + [self.standing] * 3 + [self.inbox] * 2 +
                 [self.death] * 2 + [self.policy] + [self.access_set] * 5 + [self.access_lifted] * 2 + [self.merge] +
                 [self.separate] * 2 + [self.replay] * 3 + [self.replay_to_all] + [self.verify] * 12)
        for _ in range(STEPS):
            self.random.choice(steps)()
            if self.random.random() < 0.05:
                time.sleep(0.05)  # so that something begins and ends by its date


class RecomputeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.scenario = Scenario(cls.region, harness.SEED)
        cls.scenario.run()
        time.sleep(2)  # the last replays come to their end
        cls.entries = cls.region.operator.export()

    def questions(self):
        """Each event's entry with the state at its place, in order."""
        state = model.State()
        for entry in self.entries:
            if entry.HasField("event"):
                yield state, entry, model.Question(state, entry)
            state.apply(entry)

    def test_the_log_is_in_order_and_without_gaps(self):
        self.assertEqual([e.place for e in self.entries], list(range(1, len(self.entries) + 1)))
        times = [e.at_ms for e in self.entries]
        self.assertEqual(times, sorted(times))

    def test_every_recorded_decision_can_be_computed_from_the_log_alone(self):
        seen = {}
        for _, entry, question in self.questions():
            recorded = {d.actor: model.Decision.recorded(d) for d in entry.event.decisions}
            self.assertEqual(len(recorded), len(entry.event.decisions), "one decision for each candidate")
            for actor, decision in question.decide_all().items():
                self.assertEqual(recorded.get(actor), decision, self.about(entry, actor))
                name = log.Reason.Name(decision.reason)
                seen[name] = seen.get(name, 0) + 1
            self.assertEqual(recorded.keys(), question.candidates(), self.about(entry, 0))
            self.assertTrue(question.kept(), f"place {entry.place} should not have been kept")
        print(f"    {sum(seen.values())} decisions: " + ", ".join(f"{n} {r}" for r, n in sorted(seen.items())))
        self.assertGreater(len(seen), 12, "the scenario is too tame to show anything")

    def test_every_later_decision_can_be_computed_too(self):
        state, seen, corrected = model.State(), {}, set()
        for entry in self.entries:
            if entry.HasField("event"):
                corrected |= {entry.event.amends, entry.event.retracts}
            if entry.HasField("later") and entry.later.decision.actor:
                later = entry.later
                event = state.events[later.event_place][0]
                decision = model.Question(state, event, entry).decide(later.decision.actor)
                self.assertEqual(model.Decision.recorded(later.decision), decision,
                                 f"place {entry.place}, {self.about(event, later.decision.actor)}")
                self.assertNotIn(later.event_place, corrected, "what was corrected is not delivered later")
                name = log.Cause.Name(later.cause), log.Outcome.Name(decision.outcome)
                seen[name] = seen.get(name, 0) + 1
            state.apply(entry)
        print("    " + ", ".join(f"{n} {cause} {outcome}" for (cause, outcome), n in sorted(seen.items())))
        self.assertIn(("REPLAY", "DELIVER"), seen)
        self.assertIn(("LATE_JOINER", "DELIVER"), seen)
        self.assertIn(("VERIFIED", "DELIVER"), seen)

    def test_a_verification_goes_to_all_who_received_the_event_once(self):
        state, told, expected = model.State(), {}, {}
        for entry in self.entries:
            if entry.HasField("fact") and entry.fact.fact.HasField("event_verified"):
                place, event, decisions = next((place, event, decisions) for place, (event, decisions)
                                               in state.events.items()
                                               if event.event.id == entry.fact.fact.event_verified.event_id)
                received = {a for a, d in decisions.items() if d.outcome == log.DELIVER and not d.notice}
                verifier = state.names[entry.fact.fact.event_verified.actor_name]
                self.assertIn(verifier, received, "it has received the event")
                self.assertFalse(state.actors[verifier].enters_unverified())
                self.assertEqual(entry.patient, event.patient)
                self.assertTrue(event.event.unverified)
                decided = model.Question(state, event, entry).decide(verifier)
                self.assertTrue(decided.outcome == log.DELIVER or decided.reason in (log.NOT_SUBSCRIBED, log.INBOX_FULL),
                                f"place {entry.place}: {decided}")
                expected[entry.place] = received if place not in state.verified else set()
            elif entry.HasField("later") and entry.later.cause == log.VERIFIED:
                told.setdefault(entry.later.because, set()).add(entry.later.decision.actor)
            state.apply(entry)
        self.assertTrue(expected, "nothing was verified")
        self.assertEqual({place: told.get(place, set()) for place in expected}, expected)
        print(f"    {len(expected)} verifications, {sum(map(len, told.values()))} told")

    def test_what_the_person_or_a_carer_enters_is_unverified_and_of_their_own_people(self):
        seen = 0
        for state, entry, question in self.questions():
            publisher = state.actors.get(entry.actor)
            self.assertEqual(entry.event.unverified, bool(publisher and publisher.enters_unverified()))
            self.assertTrue(question.may_enter(), f"place {entry.place}")
            seen += entry.event.unverified
        self.assertGreater(seen, 5)

    def test_every_replay_ends_and_says_what_came_of_it(self):
        counts, ends = {}, {}
        for entry in self.entries:
            if entry.HasField("fact") and entry.fact.fact.HasField("replayed"):
                counts[entry.place] = {log.DELIVER: 0, log.WITHHOLD: 0, log.HOLD: 0}
            elif entry.HasField("later") and entry.later.cause == log.REPLAY:
                counts[entry.later.because][entry.later.decision.outcome] += 1
            elif entry.HasField("replay_end"):
                count = entry.replay_end.count
                ends[entry.replay_end.because] = {log.DELIVER: count.delivered, log.WITHHOLD: count.withheld,
                                                  log.HOLD: count.held}
        self.assertTrue(counts)
        self.assertEqual(counts, ends)

    def test_what_was_not_kept_did_not_have_to_be(self):
        """The log no longer says of whom it was; the test's own notes do."""
        state, not_kept = model.State(), set()
        for entry in self.entries:
            if entry.HasField("not_kept"):
                event_id = entry.not_kept.id
                self.assertEqual(entry.patient, 0, "nothing of the person stays")
                original = self.scenario.originals[event_id]
                not_kept.add(event_id)
                if original in not_kept:
                    continue  # a later consent does not revive it
                patient, publisher = self.scenario.events[event_id]
                person = state.deciding(self.scenario.numbers[patient])
                if publisher in CARERS and not any(
                        r.actor == state.names[publisher] and model.in_force(r, entry.at_ms)
                        and (not r.types or self.scenario.types[event_id] in r.types)
                        for r in person.members + person.grants):
                    continue  # nobody of theirs
                in_force = [x for x in person.consents
                            if model.in_force(x, entry.at_ms) and model.CONTINUITY in x.purposes]
                self.assertEqual(in_force, [], f"place {entry.place}: there was consent")
            state.apply(entry)
        self.assertTrue(not_kept)

    def test_every_explanation_agrees(self):
        pairs = 0
        for state, entry, question in self.questions():
            candidates = question.candidates()
            for number, actor in state.actors.items():
                answer = self.region.operator.ask(explain=wire.ExplainQuery(event_id=entry.event.id,
                                                                            actor=actor.name))
                expected, about = question.decide(number), self.about(entry, number)
                self.assertEqual(answer.candidate, number in candidates, about)
                self.assertEqual(answer.HasField("recorded"), number in candidates, about)
                explained = answer.recomputed
                self.assertEqual((explained.outcome, explained.reason, explained.level, explained.notice),
                                 (expected.outcome, expected.reason, expected.level, expected.notice), about)
                self.assertEqual([rule.decided for rule in answer.rules],
                                 [False] * (len(answer.rules) - 1) + [True], f"{about}: the last rule decides")
                pairs += 1
        print(f"    {pairs} pairs of event and actor")

    def test_the_command_line_explains_the_same(self):
        chosen = random.Random(harness.SEED)
        sample = [(entry, number, question.decide(number), state.actors[number].name)
                  for state, entry, question in self.questions() for number in state.actors]
        for entry, number, expected, name in chosen.sample(sample, 20):
            answer = self.region.hub.cli_json("explain", f"#{entry.place}", name)
            self.assertEqual(answer["recomputed"]["reason"], log.Reason.Name(expected.reason), self.about(entry, number))
            self.assertEqual(answer["recomputed"]["outcome"], log.Outcome.Name(expected.outcome))

    def test_the_command_line_exports_the_same(self):
        lines = self.region.hub.cli_json("log", "export", "--to", "50")
        self.assertEqual([int(line["entry"]["place"]) for line in lines], list(range(1, 51)))
        self.assertTrue(all(len(line["leaf"]) == 64 for line in lines))
        text = self.region.hub.cli("log", "export")
        for patient in PATIENTS:
            self.assertNotIn(f'"{patient}"', text, "an identifier of a person in the export")

    def about(self, entry, actor):
        return f"place {entry.place}, {model.type_name(entry.event.type)}, actor {actor}, seed {harness.SEED}"


if __name__ == "__main__":
    unittest.main()
