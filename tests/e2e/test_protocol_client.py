#!/usr/bin/python3
"""The protocol, as proto/PROTOCOL.md has it, spoken by a client that uses none of the C code."""
import subprocess
import time
import unittest

import zmq
from zmq.utils.monitor import recv_monitor_message

import client as c
import harness
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

IMMEDIATE, ORDINARY = log.LANE_IMMEDIATE, log.LANE_ORDINARY
QUIET_S = 0.6  # long enough for something that should not come, were it to come


class ProtocolTest(unittest.TestCase):
    """One hub for all; each test registers its own patient, and its own receiver where it needs one."""

    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.region.actor("hospital", inbox=False)
        cls.publisher_keys = cls.region.register_client("hospital-software", ["hospital"])
        cls.count = 0

    def setUp(self):
        type(self).count += 1
        self.name = f"pharmacy-{self.count}"
        self.patient = f"patient-{self.count}"
        self.publisher = self.connect(self.publisher_keys)

    def connect(self, keys, hello=True):
        client = self.region.connect(keys, hello)
        self.addCleanup(client.close)
        return client

    def receiver(self, **rights):
        """An actor with an inbox, in the team of this test's patient, and its client."""
        self.region.actor(self.name)
        self.region.patient(self.patient, [(self.name, "pharmacist")])
        self.keys = self.region.register_client(f"{self.name}-software", [self.name], **rights)
        return self.connect(self.keys)

    def publish_discharges(self, n):
        events = [c.discharge(self.patient) for _ in range(n)]
        for confirmation in self.publisher.publish(*events):
            self.assertEqual(confirmation.status, c.CONFIRMED, confirmation.error.text)
        return events

    def assertRefused(self, code):
        test = self

        class Expect:
            def __enter__(self):
                return self

            def __exit__(self, kind, refused, _):
                test.assertIs(kind, c.Refused, f"not refused with {wire.ErrorCode.Name(code)}")
                test.assertEqual(refused.code, code, str(refused))
                test.assertTrue(refused.error.text, "a refusal says what to do")
                self.error = refused.error
                return True

        return Expect()

    # -- transport and session

    def test_welcome_says_who_the_client_is_and_what_the_limits_are(self):
        welcome = self.publisher.welcome
        self.assertEqual((welcome.version, welcome.client, list(welcome.actors)),
                         (1, "hospital-software", ["hospital"]))
        self.assertEqual(welcome.limits.frame_max_bytes, 1 << 20)
        self.assertEqual(welcome.limits.batch_max_items, 256)
        self.assertLess(abs(welcome.hub_time_ms - time.time() * 1000), 5000)

    def test_a_client_that_sets_a_routing_id_is_refused(self):
        own = c.Client(self.region.hub.endpoint, self.region.hub.public_key, self.publisher_keys, b"hospital")
        self.addCleanup(own.close)
        own.say(hello=wire.Hello(min_version=1, max_version=1))
        message = own.hear(1.5)
        self.assertTrue(message is None or message.WhichOneof("message") == "error")

    def test_anything_before_hello_is_refused(self):
        client = self.connect(self.publisher_keys, hello=False)
        client.send([c.event_item(c.discharge("nobody"))])
        with self.assertRefused(wire.NO_HELLO) as refusal:
            client.expect("confirm")
        self.assertTrue(refusal.error.retry)
        client.hello()

    def test_a_version_that_the_hub_does_not_speak_is_refused(self):
        client = self.connect(self.publisher_keys, hello=False)
        client.say(hello=wire.Hello(min_version=90, max_version=99))
        with self.assertRefused(wire.VERSION_UNSUPPORTED):
            client.expect("welcome")

    def test_an_empty_frame_is_answered_with_an_empty_frame(self):
        self.publisher.socket.send(b"")
        self.assertEqual(self.publisher.socket.poll(5000), 1)
        self.assertEqual(self.publisher.socket.recv(), b"")

    def test_malformed_frames_are_refused_and_harm_nobody(self):
        client = self.connect(self.publisher_keys)
        hello = wire.ToHub(hello=wire.Hello(min_version=1, max_version=1)).SerializeToString()
        for frame in (b"\xff\xff\xff", b"\x0a\x7f", hello + hello, b"\x1a\x05\x0a\x03\x12\x01\xff", b"\x08" * 1000):
            client.socket.send(frame)
            with self.assertRefused(wire.MALFORMED):
                client.expect("welcome")
        self.publisher.socket.send(b"")
        self.assertEqual(self.publisher.socket.poll(5000), 1, "another client is still served")

    def test_a_frame_in_two_parts_is_refused(self):
        client = self.connect(self.publisher_keys)
        client.socket.send_multipart([b"\x12", b"\x00"])
        with self.assertRefused(wire.MALFORMED):
            client.expect("welcome")

    # -- enrolment and keys

    def test_a_ticket_enrols_a_key_once(self):
        self.region.operator.fact(client_set=reg.ClientSet(name=f"new-{self.count}", actors=["hospital"]))
        ticket = self.region.hub.cli_json("client", "ticket", f"new-{self.count}")["ticket"]
        name, keys = c.enrol(ticket)
        self.assertEqual(name, f"new-{self.count}")
        self.assertEqual(self.connect(keys).welcome.client, name)
        self.region.hub.cli("client", "ticket", f"new-{self.count}")  # keeps the door open for keys that are unknown
        with self.assertRefused(wire.TOKEN_INVALID):
            c.enrol(ticket)

    def test_a_key_that_is_not_enrolled_may_only_enrol(self):
        self.region.operator.fact(client_set=reg.ClientSet(name=f"new-{self.count}", actors=["hospital"]))
        self.region.hub.cli("client", "ticket", f"new-{self.count}")
        stranger = self.connect(harness.keypair(), hello=False)
        stranger.say(hello=wire.Hello(min_version=1, max_version=1))
        with self.assertRefused(wire.NOT_ENROLLED):
            stranger.expect("welcome")

    def test_a_client_rotates_its_own_key(self):
        receiver = self.receiver()
        name, new = f"{self.name}-software", harness.keypair()
        receiver.fact(client_key_added=reg.ClientKeyAdded(client=name, public_key=new[0]))
        renewed = self.connect(new)
        self.assertEqual(renewed.welcome.client, name)
        attached = renewed.attach(self.name)
        renewed.fact(client_key_revoked=reg.ClientKeyRevoked(client=name, public_key=self.keys[0]))
        self.publish_discharges(1)
        self.assertEqual(len(renewed.deliveries(attached, 1)), 1)
        with self.assertRefused(wire.REVOKED):
            receiver.say(attach=wire.Attach(inbox=self.name, credit_events=1, credit_bytes=1))
            receiver.expect("attached")

    def test_a_third_key_is_refused(self):
        receiver = self.receiver()
        name = f"{self.name}-software"
        receiver.fact(client_key_added=reg.ClientKeyAdded(client=name, public_key=harness.keypair()[0]))
        with self.assertRefused(wire.TOO_MANY):
            receiver.fact(client_key_added=reg.ClientKeyAdded(client=name, public_key=harness.keypair()[0]))

    def test_a_client_cannot_touch_the_keys_of_another(self):
        with self.assertRefused(wire.NOT_ALLOWED):
            self.publisher.fact(client_key_added=reg.ClientKeyAdded(client="first-operator",
                                                                    public_key=harness.keypair()[0]))

    # -- publishing

    def test_one_event_is_confirmed_with_its_place(self):
        self.region.patient(self.patient)
        first = self.publisher.publish_one(c.discharge(self.patient))
        second = self.publisher.publish_one(c.discharge(self.patient))
        self.assertEqual(first.status, c.CONFIRMED)
        self.assertLess(first.place, second.place)

    def test_a_batch_is_confirmed_in_order(self):
        self.region.patient(self.patient)
        confirmations = self.publisher.publish(*[c.discharge(self.patient) for _ in range(200)])
        places = [confirmation.place for confirmation in confirmations]
        self.assertEqual(places, sorted(set(places)))

    def test_a_repeat_is_recognised_and_another_content_is_refused(self):
        self.region.patient(self.patient)
        event = c.discharge(self.patient)
        first = self.publisher.publish_one(event)
        again = self.publisher.publish_one(event)
        self.assertEqual((again.status, again.place), (c.REPEATED, first.place))
        event.hospital_discharge.encounter_id = "E-2"
        with self.assertRefused(wire.ID_CONFLICT) as refusal:
            self.publisher.publish_one(event)
        self.assertFalse(refusal.error.retry)

    def test_a_repeat_within_one_frame_is_recognised(self):
        self.region.patient(self.patient)
        event = c.discharge(self.patient)
        first, second = self.publisher.publish(event, event)
        self.assertEqual((first.status, second.status), (c.CONFIRMED, c.REPEATED))
        self.assertEqual(first.place, second.place)

    def test_what_breaks_a_rule_is_refused_alone(self):
        self.region.patient(self.patient)
        wrong = [c.discharge(self.patient) for _ in range(6)]
        wrong[0].id = b"short"
        wrong[1].ClearField("occurred_at")
        wrong[2].ClearField("patient")
        wrong[3].patient.identifiers.add(system="ssin", value="85073003329")  # check digits
        wrong[4].type = 5                                                     # not the body's
        wrong[5].id = c.uuid7(int(time.time() * 1000) + 15 * 60 * 1000)       # too far ahead
        good = [c.discharge(self.patient) for _ in range(2)]
        confirmations = self.publisher.publish(good[0], *wrong, good[1])
        self.assertEqual([confirmations[0].status, confirmations[-1].status], [c.CONFIRMED, c.CONFIRMED])
        for confirmation in confirmations[1:-1]:
            self.assertEqual((confirmation.status, confirmation.error.code), (c.REJECTED, wire.INVALID))
            self.assertTrue(confirmation.error.text)
            self.assertNotIn("85073003329", confirmation.error.text, "an error does not repeat an identifier")

    def test_a_client_publishes_only_what_it_may_and_for_whom_it_may(self):
        self.region.patient(self.patient)
        self.region.actor(self.name)
        limited = self.connect(self.region.register_client(f"{self.name}-software", [self.name],
                                                           publishes=["FallReported"]))
        with self.assertRefused(wire.NOT_ALLOWED):
            limited.publish_one(c.discharge(self.patient))
        with self.assertRefused(wire.NOT_ALLOWED):
            self.publisher.publish_one(c.discharge(self.patient, actor=self.name))

    def test_a_group_is_taken_as_a_whole_or_not_at_all(self):
        self.receiver()
        half = [c.fact_item(consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref(self.patient))),
                c.fact_item(member_added=reg.MemberAdded(patient=c.patient_ref(self.patient), actor="nobody-at-all",
                                                         role="gp"))]
        refused = self.region.operator.confirmations(self.region.operator.send(half))[0]
        self.assertEqual(refused.status, c.REJECTED)
        self.publish_discharges(1)
        self.assertEqual(self.region.operator.ask(list=wire.ListQuery(kind=wire.LIST_INBOXES, name=self.name))
                         .inboxes[0].undelivered, 1, "the consent is still there")

    # -- receiving

    def test_deliveries_are_numbered_from_one_without_gaps(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name)
        events = self.publish_discharges(20)
        got = receiver.deliveries(attached, 20)
        self.assertEqual([d.number for d in got], list(range(1, 21)))
        self.assertEqual({d.lane for d in got}, {IMMEDIATE})
        self.assertEqual([c.ev.Event.FromString(d.event).id for d in got], [e.id for e in events])
        self.assertTrue(all(d.attempt == 1 and d.decided_through >= d.place for d in got))

    def test_a_view_holds_nothing_above_its_level(self):
        receiver = self.receiver()
        self.region.actor(f"{self.name}-care")
        self.region.operator.fact(member_added=reg.MemberAdded(patient=c.patient_ref(self.patient), role="home-care",
                                                               actor=f"{self.name}-care"))
        welfare = self.connect(self.region.register_client(f"{self.name}-care-software", [f"{self.name}-care"]))
        attached = receiver.attach(self.name), welfare.attach(f"{self.name}-care")
        self.publisher.publish_one(c.discharge(self.patient, note="clinical words"))
        clinical = receiver.deliveries(attached[0], 1)[0]
        care = welfare.deliveries(attached[1], 1)[0]
        self.assertEqual((clinical.level, care.level), (reg.LEVEL_CLINICAL, reg.LEVEL_CARE))
        self.assertIn(b"clinical words", clinical.event)
        self.assertNotIn(b"clinical words", care.event)
        self.assertEqual(c.ev.Event.FromString(care.event).hospital_discharge.location.ward, "W3")

    def test_unacknowledged_deliveries_come_again_with_their_numbers(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name)
        self.publish_discharges(6)
        first = receiver.deliveries(attached, 6)
        receiver.ack(attached, IMMEDIATE, 0, 2)  # everything up to 2
        receiver.ack(attached, IMMEDIATE, 4, 4)  # and 4 alone
        self.settled(2)
        receiver.close()
        again = self.connect(self.keys)
        attached = again.attach(self.name)
        self.assertEqual([(p.lane, p.settled, p.next) for p in attached.lanes if p.lane == IMMEDIATE],
                         [(IMMEDIATE, 2, 7)])
        got = again.deliveries(attached, 3)
        self.assertEqual([d.number for d in got], [3, 5, 6])
        self.assertEqual([d.event for d in got], [first[i].event for i in (2, 4, 5)])
        self.assertTrue(all(d.attempt > 1 for d in got))
        again.ack(attached, IMMEDIATE, 0, 6, log.READ)
        self.settled(6)

    def settled(self, number, lane=IMMEDIATE):
        """Waits until the hub has taken the acknowledgements."""
        def lanes():
            inbox = self.region.operator.ask(list=wire.ListQuery(kind=wire.LIST_INBOXES, name=self.name)).inboxes[0]
            return [p.settled for p in inbox.lanes if p.lane == lane] == [number]
        harness.until(lanes, what="the acknowledgement")

    def test_the_hub_sends_no_more_than_there_is_credit_for(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name, events=3)
        self.publish_discharges(8)
        receiver.deliveries(attached, 3)
        self.assertTrue(receiver.silent(QUIET_S, "deliver"))
        receiver.ack(attached, IMMEDIATE, 0, 3)
        self.assertTrue(receiver.silent(QUIET_S, "deliver"), "acknowledging alone gives no credit")
        receiver.credit(attached, 2)
        self.assertEqual([d.number for d in receiver.deliveries(attached, 2)], [4, 5])
        self.assertTrue(receiver.silent(QUIET_S, "deliver"))
        receiver.credit(attached, 100)
        self.assertEqual([d.number for d in receiver.deliveries(attached, 3)], [6, 7, 8])

    def test_credit_in_bytes_may_be_overdrawn_once(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name, events=100, size=1)
        self.publish_discharges(3)
        receiver.deliveries(attached, 1)
        self.assertTrue(receiver.silent(QUIET_S, "deliver"))
        receiver.credit(attached, 0, 1 << 20)
        receiver.deliveries(attached, 2)

    def test_the_newest_attachment_wins(self):
        old = self.receiver()
        was = old.attach(self.name)
        self.publish_discharges(2)
        old.deliveries(was, 2)
        new = self.connect(self.keys)
        now = new.attach(self.name)
        self.assertGreater(now.epoch, was.epoch)
        detached = old.expect("detached")
        self.assertEqual((detached.inbox, detached.error.code), (self.name, wire.STALE_EPOCH))
        new.deliveries(now, 2)
        old.ack(was, IMMEDIATE, 0, 2)  # of an attachment that has ended: without effect
        time.sleep(QUIET_S)
        new.say(detach=wire.Detach(handle=now.handle, epoch=now.epoch))
        new.expect("detached")
        self.assertEqual(len(new.deliveries(new.attach(self.name), 2)), 2)

    def test_somebody_elses_inbox_cannot_be_attached(self):
        self.receiver()
        for name in (self.name, "no-such-inbox"):
            with self.assertRefused(wire.UNKNOWN_NAME):
                self.publisher.attach(name)

    def test_a_refused_delivery_comes_again_with_its_number(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name)
        self.publish_discharges(3)
        got = receiver.deliveries(attached, 3)
        receiver.ack(attached, IMMEDIATE, 1, 1)
        receiver.ack(attached, IMMEDIATE, 3, 3)
        since = time.monotonic()
        receiver.say(nack=wire.Nack(handle=attached.handle, epoch=attached.epoch, lane=IMMEDIATE, number=2,
                                    code="printer-jam"))
        self.publish_discharges(1)
        self.assertEqual(receiver.deliveries(attached, 1)[0].number, 4, "it is out of the way of what follows")
        again = receiver.deliveries(attached, 1, timeout_s=20)[0]
        self.assertEqual((again.number, again.event), (2, got[1].event))
        self.assertGreater(again.attempt, 1)
        self.assertGreater(time.monotonic() - since, 4)

    def test_a_delivery_refused_for_good_is_a_dead_letter_that_can_be_put_back(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name)
        self.publish_discharges(1)
        event = receiver.deliveries(attached, 1)[0].event
        receiver.say(nack=wire.Nack(handle=attached.handle, epoch=attached.epoch, lane=IMMEDIATE, number=1,
                                    code="unreadable", final=True))
        harness.until(lambda: "unreadable" in self.region.hub.cli("inbox", "dead", self.name), what="the dead letter")
        self.assertTrue(receiver.silent(QUIET_S, "deliver"))
        self.region.hub.cli("inbox", "retry", self.name, "--reason", "the software was mended")
        again = receiver.deliveries(attached, 1)[0]
        self.assertEqual(again.event, event)
        self.assertGreater(again.number, 1, "put back, it has a new number")

    def test_what_is_withdrawn_is_announced_by_a_skip(self):
        receiver = self.receiver()
        self.publish_discharges(3)
        self.region.operator.fact(consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref(self.patient)))
        self.patient += "-other"
        self.region.patient(self.patient, [(self.name, "pharmacist")])
        attached = receiver.attach(self.name)
        self.publish_discharges(1)
        self.assertEqual(receiver.deliveries(attached, 1)[0].number, 4)
        position = next(p for p in attached.lanes if p.lane == IMMEDIATE)
        skipped = set(range(1, position.settled + 1))
        while skipped != {1, 2, 3}:
            skip = receiver.expect("skip")
            self.assertEqual((skip.lane, skip.epoch), (IMMEDIATE, attached.epoch))
            skipped |= set(range(getattr(skip, "from"), skip.to + 1))

    def test_a_correction_goes_to_those_who_had_the_original(self):
        receiver = self.receiver()
        attached = receiver.attach(self.name)
        original = self.publish_discharges(1)[0]
        correction = c.discharge(self.patient)
        correction.amends = original.id
        self.publisher.publish_one(correction)
        got = receiver.deliveries(attached, 2)
        self.assertEqual(c.ev.Event.FromString(got[1].event).amends, original.id)
        stray = c.discharge(self.patient)
        stray.retracts = c.uuid7()
        with self.assertRefused(wire.CORRECTION_UNKNOWN):
            self.publisher.publish_one(stray)

    # -- questions

    def test_questions_are_for_those_with_a_role(self):
        with self.assertRefused(wire.NOT_ALLOWED):
            self.publisher.ask(status=wire.StatusQuery())
        self.region.actor(self.name)
        viewer = self.connect(self.region.register_client(f"{self.name}-viewer", [], publishes=[], roles=[reg.VIEWER]))
        self.assertGreater(viewer.ask(status=wire.StatusQuery()).last_place, 0)
        with self.assertRefused(wire.NOT_ALLOWED):
            viewer.ask(open=wire.OpenQuery(event_id=c.uuid7(), purpose="curiosity"))
        with self.assertRefused(wire.NOT_ALLOWED):
            viewer.fact(consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref("anyone")))

    def test_the_tail_shows_decisions_as_they_are_taken(self):
        self.receiver()
        viewer = self.connect(self.region.hub.operator_keys)
        ref = next(viewer.refs)
        viewer.say(query=wire.Query(ref=ref, tail=wire.TailQuery()))
        time.sleep(0.2)
        event = self.publish_discharges(1)[0]
        lines = []
        while not any(line.event_id == event.id and line.actor == self.name for line in lines):
            answer = viewer.expect("answer")
            self.assertEqual((answer.ref, answer.more), (ref, True))
            lines.extend(answer.tail.lines)

    # -- the document itself

    def test_the_example_in_the_document_works(self):
        text = (harness.ROOT / "proto" / "PROTOCOL.md").read_text()
        program = text[text.index("```python\n") + len("```python\n"):]
        program = program[:program.index("```")]
        self.region.actor(self.name)
        self.region.operator.fact(client_set=reg.ClientSet(name=f"{self.name}-software", actors=[self.name],
                                                           publishes=["*"]))
        ticket = self.region.hub.cli_json("client", "ticket", f"{self.name}-software")["ticket"]
        example = harness.scratch_dir() / "example.py"
        example.write_text(program)
        import carehub  # where protoc has put it
        schema = str(list(carehub.__path__)[0]).rsplit("/", 1)[0]
        process = subprocess.Popen(["/usr/bin/python3", "-u", str(example), ticket], env={"PYTHONPATH": schema},
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            self.assertIn(f"{self.name}-software speaks for {self.name}", process.stdout.readline())
            self.assertRegex(process.stdout.readline(), r"^CONFIRMED \d+")
        finally:
            process.kill()
            process.wait(10)
            process.stdout.close()


class ClosedDoorTest(unittest.TestCase):
    def test_an_unknown_key_is_refused_in_the_handshake_while_no_enrolment_is_open(self):
        region = c.Region()
        self.addCleanup(region.close)
        stranger = region.connect(harness.keypair(), hello=False)
        self.addCleanup(stranger.close)
        events = stranger.socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_SUCCEEDED)
        stranger.say(hello=wire.Hello(min_version=1, max_version=1))
        self.assertTrue(events.poll(5000))
        seen = recv_monitor_message(events)
        stranger.socket.disable_monitor()
        self.assertEqual((seen["event"], seen["value"]), (zmq.EVENT_HANDSHAKE_FAILED_AUTH, 400))
        self.assertIsNone(stranger.hear(0.5))


if __name__ == "__main__":
    unittest.main()
