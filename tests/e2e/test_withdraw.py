#!/usr/bin/python3
"""Withdraw a consent, remove a member, let a membership end by its date, restrict, exclude, merge, suspend, revoke a key, in
mid-stream at full speed: not one delivery that was decided after its place in the log, and the trace says why."""
import threading
import time
import unittest

import client as c
import harness
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

LANE = log.LANE_IMMEDIATE
STREAM_S = 0.7  # before and after
BATCH = 25
WINDOW = 500


class Stream(threading.Thread):
    """Publishes about both patients in turn, at full speed."""

    def __init__(self, region, keys, patients):
        super().__init__()
        self.client = region.connect(keys)
        self.patients = patients
        self.published = {}  # id -> (patient, place)
        self.ending = threading.Event()
        self.failure = None

    def run(self):
        try:
            self.publish()
        except Exception as error:  # in a thread: kept for the test
            self.failure = error
        self.client.close()

    def publish(self):
        waiting = {}
        while waiting or not self.ending.is_set():
            if len(waiting) < WINDOW and not self.ending.is_set():
                events = [(self.patients[i % 2], c.discharge(self.patients[i % 2])) for i in range(BATCH)]
                refs = self.client.send(*[[c.event_item(e)] for _, e in events])
                waiting.update((ref, (patient, e.id)) for ref, (patient, e) in zip(refs, events))
            for confirmation in self.client.expect("confirm").confirmations:
                patient, event_id = waiting.pop(confirmation.ref)
                assert confirmation.status == c.CONFIRMED, confirmation.error.text
                self.published[event_id] = (patient, confirmation.place)

    def finish(self):
        self.ending.set()
        self.join(30)
        if self.failure:
            raise self.failure


class Receiver(threading.Thread):
    """Takes everything and acknowledges it; keeps what came and what was skipped."""

    def __init__(self, client, inbox, credit):
        super().__init__()
        self.client, self.inbox, self.credit = client, inbox, credit
        self.attached = client.attach(inbox, events=credit)
        self.deliveries, self.skipped, self.refusals = [], set(), []
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            message = self.client.hear(0.1)
            kind = message and message.WhichOneof("message")
            if kind == "deliver":
                batch = message.deliver.deliveries
                self.deliveries.extend(batch)
                self.client.ack(self.attached, LANE, 0, batch[-1].number)
                self.client.credit(self.attached, len(batch))
            elif kind == "skip":
                self.skipped |= set(range(getattr(message.skip, "from"), message.skip.to + 1))
            elif kind == "error":
                self.refusals.append(message.error)
            elif kind == "detached":
                self.refusals.append(message.detached.error)

    def finish(self):
        self.ending.set()
        self.join(30)

    def events(self):
        return {c.ev.Event.FromString(d.event).id: d for d in self.deliveries}


class WithdrawTest(unittest.TestCase):
    """Two patients with the same team. What is withdrawn concerns the first; the second's stream must not be harmed."""

    PATIENTS = ("withdrawn", "untouched")

    def setUp(self):
        self.region = region = c.Region()
        self.addCleanup(region.close)
        region.actor("hospital", inbox=False)
        self.hospital = region.register_client("hospital-software", ["hospital"])
        self.keys = {}
        for actor in ("pharmacy", "gp"):
            region.actor(actor)
            self.keys[actor] = region.register_client(f"{actor}-software", [actor])
        for patient in self.PATIENTS:
            region.patient(patient, [("pharmacy", "pharmacist"), ("gp", "gp")])

    def receiver(self, actor, credit=4000):
        client = self.region.connect(self.keys[actor])
        self.addCleanup(client.close)
        receiver = Receiver(client, actor, credit)
        receiver.start()
        self.addCleanup(receiver.finish)
        return receiver

    def in_mid_stream(self, **fact):
        """Publishes, submits the fact in the middle of it, publishes on, and waits until all is delivered. The GP has
        little credit, so that much is queued for it. Returns stream, the fact's confirmation, pharmacy and GP."""
        pharmacy, gp = self.receiver("pharmacy"), self.receiver("gp", credit=2)
        stream = Stream(self.region, self.hospital, self.PATIENTS)
        stream.start()
        time.sleep(STREAM_S)
        confirmation = self.region.operator.fact(**fact)
        time.sleep(STREAM_S)
        stream.finish()
        gp.client.credit(gp.attached, c.EVERYTHING * 2, 60 << 20)
        return stream, confirmation, pharmacy, gp

    def await_drained(self):
        harness.until(lambda: self.region.operator.ask(status=wire.StatusQuery()).undelivered == 0, 60,
                      "the end of all deliveries")
        time.sleep(0.5)  # skips may come behind

    def check_numbers(self, receiver):
        numbers = [d.number for d in receiver.deliveries]
        self.assertEqual(len(numbers), len(set(numbers)), "no number twice")
        everything = set(numbers) | receiver.skipped
        gaps = sorted(set(range(1, max(everything, default=0) + 1)) - everything)
        self.assertEqual(gaps[:20], [], f"{len(gaps)} of {len(everything)} neither came nor were skipped")

    def check_untouched(self, stream, receiver):
        came = receiver.events()
        wanted = {e for e, (patient, _) in stream.published.items() if patient == "untouched"}
        self.assertEqual(wanted - came.keys(), set(), "the other patient's events all came")

    def check_withdrawn(self, stream, receiver, place):
        """Of the first patient nothing that was decided at or after that place."""
        before = after = 0
        for event_id, delivery in receiver.events().items():
            if stream.published[event_id][0] != "withdrawn":
                continue
            self.assertLess(delivery.place, place)
            self.assertLess(delivery.decided_through, place, "decided after the withdrawal, delivered all the same")
            before += 1
        after = sum(patient == "withdrawn" and at > place for patient, at in stream.published.values())
        self.assertGreater(before, 0, "deliveries had begun")
        self.assertGreater(after, 0, "publishing went on")

    def trace_of_queued(self, stream, receiver, place, actor):
        """The trace of an event that was queued for the actor when the withdrawal came."""
        came = receiver.events()
        queued = [e for e, (patient, at) in stream.published.items()
                  if patient == "withdrawn" and 0 < at < place and e not in came]
        self.assertTrue(queued, "something was queued at that moment")
        lines = self.region.operator.ask(trace=wire.TraceQuery(event_id=queued[0])).lines
        ends = [line for line in lines if line.actor == actor and line.step == wire.TraceLine.END]
        self.assertEqual([line.reason for line in ends], [log.END_WITHDRAWN], lines)
        text = self.region.hub.cli("trace", f"#{stream.published[queued[0]][1]}")
        self.assertIn("withdrawn", text)
        return ends[0]

    def test_a_consent_withdrawn_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref("withdrawn"), reason="asked for it"))
        self.await_drained()
        for receiver in (pharmacy, gp):
            self.check_withdrawn(stream, receiver, confirmation.place)
            self.check_untouched(stream, receiver)
            self.check_numbers(receiver)
        self.assertEqual(self.trace_of_queued(stream, gp, confirmation.place, "gp").why, log.NO_CONSENT)
        sent = sum(stream.published[e][0] == "withdrawn" for e in pharmacy.events().keys() | gp.events().keys())
        self.assertLessEqual(confirmation.in_flight, 2 * sent)

    def test_a_member_removed_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            member_ended=reg.MemberEnded(patient=c.patient_ref("withdrawn"), actor="gp", reason="changed GP"))
        self.await_drained()
        self.check_withdrawn(stream, gp, confirmation.place)
        self.check_untouched(stream, gp)
        self.check_numbers(gp)
        self.assertEqual(self.trace_of_queued(stream, gp, confirmation.place, "gp").why, log.NO_RELATION)
        self.assertEqual(set(pharmacy.events()), set(stream.published), "another member is not harmed")

    def test_an_actor_excluded_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            exclusion_set=reg.ExclusionSet(patient=c.patient_ref("withdrawn"), actor="gp"))
        self.await_drained()
        self.check_withdrawn(stream, gp, confirmation.place)
        self.check_untouched(stream, gp)
        self.assertEqual(self.trace_of_queued(stream, gp, confirmation.place, "gp").why, log.EXCLUDED_BY_PERSON)
        self.assertEqual(set(pharmacy.events()), set(stream.published))

    def test_a_membership_that_ends_by_its_date_in_mid_stream(self):
        """What counts is the place of the hub's own entry, which is there without anybody's asking."""
        member = self.region.operator.fact(member_added=reg.MemberAdded(
            patient=c.patient_ref("withdrawn"), actor="gp", role="gp",
            until_ms=int(1000 * (time.time() + STREAM_S + 0.5))))
        stream, _, pharmacy, gp = self.in_mid_stream(
            actor_set=reg.ActorSet(name="bystander", kind=reg.ORGANISATION, display="bystander"))
        self.await_drained()
        expiry = self.expiry_after(member.place)
        self.check_withdrawn(stream, gp, expiry.place)
        self.check_untouched(stream, gp)
        self.check_numbers(gp)
        self.assertIn(self.trace_of_queued(stream, gp, expiry.place, "gp").why, (log.NO_RELATION, log.RELATION_ENDED))
        self.assertEqual(set(pharmacy.events()), set(stream.published), "another member is not harmed")

    def expiry_after(self, place):
        """The first entry behind it that says that something has ended by its date."""
        while place:
            page = self.region.operator.ask(export_log=wire.ExportQuery(from_place=place, max=256))
            for entry in page.entries:
                if entry.HasField("expiry"):
                    return entry
            place = page.next_place
        return self.fail("the log has no expiry")

    def test_a_restriction_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            access_set=reg.AccessSet(patient=c.patient_ref("withdrawn"), name="not-this-gp", actor_name="gp"))
        self.await_drained()
        self.check_withdrawn(stream, gp, confirmation.place)
        self.check_untouched(stream, gp)
        self.check_numbers(gp)
        self.assertEqual(self.trace_of_queued(stream, gp, confirmation.place, "gp").why, log.RESTRICTED_BY_PERSON)
        self.assertEqual(set(pharmacy.events()), set(stream.published))

    def test_a_restriction_to_a_lesser_view_in_mid_stream(self):
        """Nothing is stopped, but from its place on nothing of a higher class leaves, queued or new."""
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            access_set=reg.AccessSet(patient=c.patient_ref("withdrawn"), name="less", level=reg.LEVEL_ADMINISTRATIVE))
        self.await_drained()
        for receiver in (pharmacy, gp):
            self.assertEqual(set(receiver.events()), set(stream.published))
            for event_id, delivery in receiver.events().items():
                if stream.published[event_id][0] == "withdrawn" and delivery.decided_through >= confirmation.place:
                    self.assertEqual(delivery.level, reg.LEVEL_ADMINISTRATIVE)
                    event = c.ev.Event.FromString(delivery.event)
                    self.assertFalse(event.hospital_discharge.HasField("location"))

    def test_a_merging_in_mid_stream(self):
        """The survivor's team decides of all that is queued and all that comes: the GP is not in it."""
        self.region.patient("survivor", [("pharmacy", "pharmacist")])
        stream, confirmation, pharmacy, gp = self.in_mid_stream(patients_merged=reg.PatientsMerged(
            patient=c.patient_ref("survivor"), merged=c.patient_ref("withdrawn")))
        self.await_drained()
        self.check_withdrawn(stream, gp, confirmation.place)
        self.check_untouched(stream, gp)
        self.check_numbers(gp)
        self.assertEqual(self.trace_of_queued(stream, gp, confirmation.place, "gp").why, log.NO_RELATION)
        self.assertEqual(set(pharmacy.events()), set(stream.published), "who is in both teams goes on")

    def test_an_actor_suspended_in_mid_stream(self):
        """Nothing more is decided for it while it is suspended, and nothing is lost by it."""
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            actor_standing=reg.ActorStanding(name="gp", standing=reg.SUSPENDED, reason="under investigation"))
        time.sleep(0.5)
        for delivery in list(gp.deliveries):
            self.assertLess(delivery.decided_through, confirmation.place, "decided after the suspension")
        before = len(gp.deliveries)
        self.assertGreater(before, 0)
        self.region.operator.fact(actor_standing=reg.ActorStanding(name="gp", standing=reg.ACTIVE))
        harness.until(lambda: self.region.operator.ask(status=wire.StatusQuery()).held == 0, 30, "the end of all holds")
        self.await_drained()
        self.assertEqual(set(gp.events()), set(stream.published), "all of it came in the end")
        self.assertEqual(set(pharmacy.events()), set(stream.published))
        self.check_numbers(gp)

    def test_a_grant_revoked_in_mid_stream(self):
        self.region.operator.fact(member_ended=reg.MemberEnded(patient=c.patient_ref("withdrawn"), actor="gp"))
        self.region.operator.fact(grant_given=reg.GrantGiven(
            patient=c.patient_ref("withdrawn"), actor="gp", role="specialist", kind=reg.REFERRAL))
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            grant_ended=reg.GrantEnded(patient=c.patient_ref("withdrawn"), actor="gp"))
        self.await_drained()
        self.check_withdrawn(stream, gp, confirmation.place)
        self.check_untouched(stream, gp)
        self.check_numbers(gp)
        self.assertEqual(set(pharmacy.events()), set(stream.published))

    def test_a_key_revoked_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            client_key_revoked=reg.ClientKeyRevoked(client="gp-software", public_key=self.keys["gp"][0],
                                                    reason="laptop stolen"))
        time.sleep(0.5)
        gp.finish()
        for delivery in gp.deliveries:
            self.assertLess(delivery.decided_through, confirmation.place)
        self.assertTrue(gp.deliveries)
        self.assertIn(wire.REVOKED, [error.code for error in gp.refusals])
        with self.region.connect(self.keys["gp"], hello=False) as revoked:
            revoked.say(hello=wire.Hello(min_version=1, max_version=1))
            message = revoked.hear(1)
            self.assertTrue(message is None or message.error.code in (wire.REVOKED, wire.NOT_ENROLLED))

        new = harness.keypair()
        self.region.operator.fact(client_key_added=reg.ClientKeyAdded(client="gp-software", public_key=new[0]))
        self.keys["gp"] = new
        renewed = self.receiver("gp")
        self.await_drained()
        self.assertEqual(set(renewed.events()) | set(gp.events()), set(stream.published), "nothing is lost by it")
        self.assertEqual(set(pharmacy.events()), set(stream.published))

    def test_a_client_revoked_in_mid_stream(self):
        stream, confirmation, pharmacy, gp = self.in_mid_stream(
            client_standing=reg.ClientStanding(name="gp-software", standing=reg.ENDED, reason="contract ended"))
        time.sleep(0.5)
        for delivery in gp.deliveries:
            self.assertLess(delivery.decided_through, confirmation.place)
        self.assertIn(wire.REVOKED, [error.code for error in gp.refusals])
        harness.until(lambda: set(pharmacy.events()) == set(stream.published), what="the other receiver's deliveries")

    def test_giving_consent_again_does_not_revive_what_was_withdrawn(self):
        with self.region.connect(self.hospital) as publisher:
            publisher.publish(*[c.discharge("withdrawn") for _ in range(3)])
            withdrawal = self.region.operator.fact(
                consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref("withdrawn")))
            self.region.give_consent("withdrawn")
            publisher.publish(c.discharge("withdrawn"))
        gp = self.receiver("gp")
        harness.until(lambda: gp.deliveries and len(gp.deliveries) + len(gp.skipped) >= 1, what="a delivery")
        time.sleep(0.5)
        self.assertEqual([d.number for d in gp.deliveries], [4])
        self.assertGreater(gp.deliveries[0].place, withdrawal.place)


if __name__ == "__main__":
    unittest.main()
