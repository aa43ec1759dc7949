#!/usr/bin/python3
"""The hospital's adapter over MLLP: without a hub (it answers when its spool has the event), and with one.

Senders are python3-hl7's client and mllp_send, and plain sockets for what no client does. Persons are invented.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import textwrap
import time
import unittest

import hl7
from hl7.client import MLLPClient

import client as c
import harness
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log

SB, EB, CR = b"\x0b", b"\x1c", b"\r"
SSIN = "38041200177"
BAD_SSIN = "38041200178"

SENDERS = """
senders
    az-test
        application = HIS
        facility = AZ-TEST
        actor = hospital
        confirm = {confirm}
        processing = P
        identifiers
            local
                system = urn:e2e:patient
                authority = AZT
        disposition
            01 = home Home
    strict
        application = STRICT
        actor = hospital
        confirm = {confirm}
        unidentified = refuse
        unsupported = reject
    holding
        application = HOLDING
        actor = hospital
        confirm = {confirm}
        unidentified = hold
{more}"""


def message(trigger, control_id, pid=f"4711^^^AZT^PI~{SSIN}^^^NISS^NN", sender="HIS|AZ-TEST", pv1=None, msh="",
            made=None, kind="ADT"):
    """One message, in the standard's form. pv1: fields by number."""
    made = made or time.strftime("%Y%m%d%H%M%S")
    fields = {1: "1", 2: "I", 3: "GER^201^1", 19: "V1", **(pv1 or {})}
    visit = "|".join(fields.get(i, "") for i in range(1, 46))
    return (f"MSH|^~\\&|{sender}|HUB|REGION|{made}||{kind}^{trigger}|{control_id}|P|2.5.1{msh}\r"
            f"EVN|{trigger}|{made}\rPID|1||{pid}||Voorbeeld^Jan\rPV1|{visit}\r")


def frame(text):
    return SB + (text.encode() if isinstance(text, str) else text) + EB + CR


class Sender:
    """A plain socket, and the answers that come on it."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=15)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def answer(self, timeout_s=15):
        """The next answer; None when the connection has ended."""
        self.socket.settimeout(timeout_s)
        while EB + CR not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                return None
            self.buffer += more
        one, self.buffer = self.buffer.split(EB + CR, 1)
        assert one.startswith(SB), one
        return hl7.parse(one[1:].decode())


def code_of(answer):
    return str(answer.segment("MSA")[1])


def id_of(answer):
    return str(answer.segment("MSA")[2])


def condition_of(answer):
    return str(answer.segment("ERR")[3])


class Adapter:
    """An adapter of its own, in its own directory."""

    def __init__(self, endpoint="tcp://127.0.0.1:9", hub_key=bytes(32), keys=None, confirm="spool", spool=True, settings="",
                 more=""):
        self.dir = harness.scratch_dir()
        harness.write_key(self.dir / "client.key", keys or harness.keypair())
        (self.dir / "client.conf").write_text(f"endpoint = {endpoint}\nhub-key = {hub_key.hex()}\nkey-file = client.key\n"
                                              + ("spool-dir = spool\n" if spool else ""))
        self.config = self.dir / "adapter.conf"
        self.configure(confirm, settings, more)
        self.process = None
        self.messages = 0

    def configure(self, confirm="spool", settings="", more=""):
        self.config.write_text("state-dir = state\nstatus-file = status.json\nendpoint-file = endpoint\n" + settings +
                               "hub\n    client-config = client.conf\nin\n    transport = mllp\n    endpoint = 127.0.0.1:0\n"
                               "    frame-timeout-ms = 1000\n    message-max-bytes = 65536\n    connections-max = 8\n"
                               "format\n    plugin = hospital"
                               + textwrap.indent(SENDERS.format(confirm=confirm, more=more), "    "))

    def start(self):
        endpoint = self.dir / "endpoint"
        endpoint.unlink(missing_ok=True)
        self.process = harness.Process([harness.ADAPTER, "--config", self.config], self.dir, "carehub-adapter")

        def ready():
            assert self.process.alive(), self.process.said()
            return endpoint.exists() and endpoint.read_text().strip()

        self.port = int(harness.until(ready, what="the adapter's endpoint").rsplit(":", 1)[1])
        return self

    def stop(self):
        self.process.stop()

    def send(self, text):
        """With python3-hl7's client; returns the answer."""
        with MLLPClient("127.0.0.1", self.port) as sender:
            reply = sender.send_message(text)
        return hl7.parse(reply.strip(SB + EB + CR).decode())

    def run(self, *arguments, statuses=(0,)):
        done = subprocess.run([str(harness.ADAPTER), "--config", str(self.config), *map(str, arguments)],
                              capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode in statuses, done.stderr[-2000:]
        assert "Sanitizer" not in done.stderr and "runtime error" not in done.stderr, done.stderr[-2000:]
        return done

    def status(self, **expected):
        """The status file, once its counters are these."""
        def read():
            try:
                status = json.loads((self.dir / "status.json").read_text())
            except FileNotFoundError:
                return None
            found = {**status["counters"], **status["noEvent"]}
            return status if all(found.get(k.replace("_", "-"), 0) == v for k, v in expected.items()) else None
        return harness.until(read, what=f"a status with {expected}")


class WithoutHubTest(unittest.TestCase):
    """confirm = spool: the hub is away all the time."""

    def setUp(self):
        self.adapter = Adapter().start()

    def tearDown(self):
        self.adapter.stop()
        text = self.adapter.process.said() + (self.adapter.dir / "status.json").read_text()
        for secret in (SSIN, BAD_SSIN, "Voorbeeld", "4711"):
            self.assertNotIn(secret, text)

    def test_a_discharge_is_answered_with_its_own_id(self):
        answer = self.adapter.send(message("A03", "M1"))
        self.assertEqual((code_of(answer), id_of(answer)), ("AA", "M1"))
        self.assertEqual(str(answer.segment("MSH")[5]), "HIS")
        self.adapter.status(received=1, events=1)

    def test_the_answer_is_what_msh_15_and_16_ask_for(self):
        for number, (msh, codes) in enumerate([("|||AL|NE", ["CA"]), ("|||NE|AL", ["AA"]), ("|||AL|AL", ["CA", "AA"]),
                                               ("|||ER|NE", []), ("|||NE|NE", [])]):
            with self.subTest(msh), Sender(self.adapter.port) as sender:
                sender.send(frame(message("A03", f"M{number}", msh=msh)) + frame(message("A03", f"N{number}")))
                self.assertEqual([code_of(sender.answer()) for _ in codes], codes)
                self.assertEqual(id_of(sender.answer()), f"N{number}")

    def test_senders_have_their_own_rules(self):
        cases = [
            ("A03", "HIS|AZ-TEST", SSIN + "^^^NISS", "AA", None),
            ("A03", "HIS|AZ-TEST", BAD_SSIN + "^^^NISS", "AA", None),
            ("A03", "STRICT|X", BAD_SSIN + "^^^NISS", "AE", "204"),
            ("A03", "HOLDING|X", BAD_SSIN + "^^^NISS", "AA", None),
            ("A05", "HIS|AZ-TEST", SSIN + "^^^NISS", "AA", None),
            ("A05", "STRICT|X", SSIN + "^^^NISS", "AR", "201"),
            ("A03", "NOBODY|X", SSIN + "^^^NISS", "AR", "103"),
        ]
        for number, (trigger, sender, pid, code, condition) in enumerate(cases):
            with self.subTest(number):
                answer = self.adapter.send(message(trigger, f"M{number}", pid, sender))
                self.assertEqual((code_of(answer), id_of(answer)), (code, f"M{number}"))
                if condition:
                    self.assertTrue(condition_of(answer).startswith(condition), condition_of(answer))
        answer = self.adapter.send(message("R01", "ORU", sender="STRICT|X", kind="ORU"))
        self.assertTrue(condition_of(answer).startswith("200"))
        status = self.adapter.status(received=8, events=1, held=1, refused=4, unidentified=2, unsupported=1)
        self.assertEqual([n["id"] for n in status["notKept"]], ["M1", "M3"])
        self.assertEqual(status["heldNow"], 1)

    def test_what_cannot_be_read_is_answered_with_what_is_wrong(self):
        cases = [
            (message("A03", ""), "AE", "", "101"),
            (message("A03", "M1").replace("ADT^A03", ""), "AE", "M1", "101"),
            (message("A03", "M2").replace("|2.5.1", "|3.0"), "AR", "M2", "203"),
            (message("A03", "M3").replace("|P|2", "|D|2"), "AR", "M3", "202"),
            (message("A03", "M4") + "not a segment\r", "AE", "M4", ""),
            ("nonsense", None, "", ""),
        ]
        for text, code, control_id, condition in cases:
            with self.subTest(text[:60]):
                answer = self.adapter.send(text)
                self.assertIn(code_of(answer), [code] if code else ["AE", "AR"])
                self.assertEqual(id_of(answer), control_id)
                self.assertTrue(condition_of(answer).startswith(condition), condition_of(answer))

    def test_messages_may_come_in_any_number_of_pieces(self):
        whole = b"".join(frame(message("A03", f"P{i}")) for i in range(5))
        with Sender(self.adapter.port) as sender:
            for byte in whole:
                sender.send(bytes([byte]))
            for i in range(5):
                self.assertEqual(id_of(sender.answer()), f"P{i}")
            sender.send(b"\r\n".join(frame(message("A03", f"Q{i}")) for i in range(5)))
            for i in range(5):
                self.assertEqual(id_of(sender.answer()), f"Q{i}")

    def test_many_unanswered_messages_are_answered_in_their_order(self):
        count = 300
        with Sender(self.adapter.port) as sender, Sender(self.adapter.port) as other:
            sender.send(b"".join(frame(message("A03", f"W{i}")) for i in range(count)))
            other.send(frame(message("A03", "other")))
            self.assertEqual(id_of(other.answer()), "other")
            for i in range(count):
                self.assertEqual(id_of(sender.answer()), f"W{i}")

    def test_bad_framing_is_logged_with_its_place_and_ends_the_connection(self):
        good = frame(message("A03", "G1"))
        cases = [(b"MSH|^~\\&|", len(good)), (SB + b"MSH|" + SB, len(good) + 5), (SB + b"MSH|" + EB + b"x", len(good) + 6),
                 (SB + b"M" * 70000, None)]
        for number, (bad, place) in enumerate(cases):
            with self.subTest(number), Sender(self.adapter.port) as sender:
                sender.send(good + bad)
                self.assertEqual(code_of(sender.answer()), "AA")
                try:
                    self.assertIsNone(sender.answer())
                except ConnectionResetError:
                    pass
                if place:
                    self.assertIn(f"at byte {place} of the connection", self.adapter.process.said())
        self.adapter.status(broken_frames=len(cases))

    def test_half_a_message_does_not_hold_a_connection_for_ever(self):
        with Sender(self.adapter.port) as sender:
            sender.send(SB + b"MSH|^~\\&|HIS")
            self.assertIsNone(sender.answer())

    def test_a_sender_that_stops_sending_still_gets_its_answer(self):
        with Sender(self.adapter.port) as sender:
            sender.send(frame(message("A03", "M1")))
            sender.socket.shutdown(socket.SHUT_WR)
            self.assertEqual(id_of(sender.answer()), "M1")
            self.assertIsNone(sender.answer())

    def test_connections_have_a_limit(self):
        with Sender(self.adapter.port) as first:
            others = [Sender(self.adapter.port) for _ in range(8)]
            self.assertIsNone(others[-1].answer())
            first.send(frame(message("A03", "M1")))
            self.assertEqual(code_of(first.answer()), "AA")
            for other in others:
                other.socket.close()

    def test_a_resent_message_is_recognised_also_after_a_crash(self):
        text = message("A03", "M1")
        self.assertEqual(code_of(self.adapter.send(text)), "AA")
        self.adapter.status(received=1, repeats=0)
        self.adapter.process.kill()
        self.adapter.start()
        self.assertEqual(code_of(self.adapter.send(text)), "AA")
        self.assertEqual(code_of(self.adapter.send(message("A08", "M2", pv1={3: "REVA"}))), "AA")
        self.assertEqual(code_of(self.adapter.send(message("A13", "M3"))), "AA")
        self.assertEqual(code_of(self.adapter.send(message("A13", "M4"))), "AA")
        self.adapter.status(received=4, repeats=1, events=3, nothing_to_correct=1)

    def test_held_messages_are_tried_again_with_another_configuration(self):
        self.assertEqual(code_of(self.adapter.send(message("A03", "H1", "4711^^^NEW^PI", "HOLDING|X"))), "AA")
        self.assertIn("H1", self.adapter.run("--list-held").stdout)
        self.adapter.run("--retry-held")
        harness.until(lambda: "stays held" in self.adapter.process.said(), what="the vain attempt")
        self.adapter.stop()
        self.adapter.configure(more="        identifiers\n            new\n                system = urn:e2e:patient\n"
                                    "                authority = NEW\n")
        self.adapter.start()
        self.adapter.run("--retry-held")
        self.adapter.status(events=1)
        self.assertIn("0 held", self.adapter.run("--list-held").stdout)

    def test_counters_are_printed_when_asked_and_at_the_end(self):
        self.adapter.send(message("A03", "M1"))
        self.adapter.process.process.send_signal(signal.SIGUSR1)
        harness.until(lambda: re.search(r"received +1\b", self.adapter.process.said()), what="the counters")

    def test_a_second_adapter_on_one_state_is_refused(self):
        done = subprocess.run([str(harness.ADAPTER), "--config", str(self.adapter.config)], capture_output=True, text=True,
                              timeout=20, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another adapter", done.stderr)

    def test_public_samples_are_all_answered(self):
        folder = harness.CORPORA / "hl7v2"
        if not folder.is_dir():
            self.skipTest(f"no sample messages at {folder}")
        self.adapter.stop()
        self.adapter.configure(more="    any\n        application = *\n        confirm = spool\n        identifiers\n            local\n"
                                    "                system = urn:e2e:patient\n")
        self.adapter.start()
        sent = 0
        with Sender(self.adapter.port) as sender:
            for path in sorted(p for p in folder.rglob("*") if p.is_file()):
                data = path.read_bytes()
                if any(b in data for b in (SB, EB)):
                    continue
                messages = [m for m in re.split(rb"(?m)^(?=MSH)", data.replace(b"\r\n", b"\r").replace(b"\n", b"\r"))
                            if m.startswith(b"MSH")]
                messages = messages or [m for m in re.split(rb"(?<=[\r\n])(?=MSH)", data) if m.startswith(b"MSH")]
                for one in messages:
                    if len(one) > 60000 or re.search(rb"(?:^|\r)(?:MSH[^\r]*\r[^\r]*)*[BF]TS", one):
                        continue
                    fields = re.split(b"[\r\n]", one)[0].split(one[3:4])
                    if len(fields) > 15 and any(fields[14:16]):
                        continue  # wants an answer of another kind, or none
                    sender.send(frame(one))
                    answer = sender.answer()
                    sent += 1
                    wanted = fields[9].decode("utf-8", "replace").strip() if len(fields) > 9 else ""
                    if "\\" not in wanted and len(wanted) < 200:
                        self.assertEqual(id_of(answer), wanted, path)
                    self.assertIn(code_of(answer), ("AA", "AE", "AR"))
        self.assertGreater(sent, 100)


class ConfigurationTest(unittest.TestCase):
    def check(self, old, new, complaint):
        adapter = Adapter()
        text = adapter.config.read_text()
        self.assertIn(old, text)
        adapter.config.write_text(text.replace(old, new, 1))
        done = subprocess.run([str(harness.ADAPTER), "--config", str(adapter.config), "--check"], capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 2 if complaint else 0, done.stderr)
        self.assertIn(complaint, done.stderr)

    def test_a_wrong_configuration_is_refused_by_name(self):
        self.check("127.0.0.1:0", "127.0.0.1:0", "")
        self.check("127.0.0.1:0", "0.0.0.0:0", "beyond-loopback")
        self.check("127.0.0.1:0", "0.0.0.0:0\n    beyond-loopback = yes", "yes, in clear")
        self.check("127.0.0.1:0", '0.0.0.0:0\n    beyond-loopback = "yes, in clear"', "")
        self.check("127.0.0.1:0", "localhost", "ADDRESS:PORT")
        self.check("state-dir = state", "state_dir = state", "there is no setting 'state_dir'")
        self.check("confirm = spool", "confirm = maybe", "hub or spool")
        self.check("system = urn:e2e:patient", "sistem = urn:e2e:patient", "there is no setting 'sistem'")
        self.check("application = HIS\n            facility = AZ-TEST", "zone = Europe/Brussels", "application")
        self.check("actor = hospital", "zone = Europe/Atlantis", "no time zone")
        self.check("unidentified = refuse", "unidentified = ignore", "skip, refuse or hold")

    def test_confirm_spool_needs_a_spool(self):
        adapter = Adapter(spool=False)
        done = subprocess.run([str(harness.ADAPTER), "--config", str(adapter.config), "--check"], capture_output=True,
                              text=True, timeout=20, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("spool-dir", done.stderr)


class FilesTest(unittest.TestCase):
    def test_files_are_tried_without_hub_or_network(self):
        adapter = Adapter()
        path = adapter.dir / "messages.hl7"
        path.write_text(message("A01", "1") + message("A03", "2") + message("A08", "3", pv1={3: "REVA"}) +
                        message("A13", "4") + message("A03", "2"))
        done = adapter.run("--test", path)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([e["type"] for e in events], ["HOSPITAL_ADMISSION"] + 3 * ["HOSPITAL_DISCHARGE"] +
                         ["HOSPITAL_DISCHARGE"])
        self.assertEqual(events[2]["amends"], events[1]["id"])
        self.assertEqual(events[3]["retracts"], events[1]["id"])
        self.assertEqual(events[4], events[1])

    def test_public_samples_are_mapped(self):
        folder = harness.CORPORA / "hl7v2"
        if not folder.is_dir():
            self.skipTest(f"no sample messages at {folder}")
        adapter = Adapter()
        adapter.configure(more="    any\n        application = *\n        confirm = spool\n        identifiers\n            local\n"
                               "                system = urn:e2e:patient\n")
        done = adapter.run("--test", *sorted(p for p in folder.rglob("*") if p.is_file()), statuses=(0, 1))
        print(done.stderr[done.stderr.index("\nfiles"):], flush=True)
        self.assertGreater(len(done.stdout.splitlines()), 100)


class WithHubTest(unittest.TestCase):
    """A real hub: the answer comes after the hub's confirm."""

    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.region.actor("hospital", inbox=False)
        cls.keys = cls.region.register_client("hospital-adapter", ["hospital"], publishes=[
            "HospitalAdmission", "HospitalDischarge", "CareTransition"])
        cls.region.actor("pharmacy")
        cls.region.patient("4711", team=[("pharmacy", "pharmacist")])
        cls.receiver = cls.region.client("pharmacy-software", ["pharmacy"])
        cls.attached = cls.receiver.attach("pharmacy")

    def setUp(self):
        self.visit = f"V{time.monotonic_ns()}"
        self.adapter = self.make()

    def make(self, **options):
        adapter = Adapter(self.region.hub.endpoint, self.region.hub.public_key, self.keys, **{"confirm": "hub", "spool": False,
                          "settings": "confirm-timeout-ms = 3000\n", **options}).start()
        self.addCleanup(adapter.stop)
        return adapter

    def message(self, trigger, control_id, **options):
        pv1 = {19: self.visit, **options.pop("pv1", {})}
        return message(trigger, f"{self.visit}-{control_id}", options.pop("pid", "4711^^^AZT^PI"), pv1=pv1, **options)

    def received(self, count):
        deliveries = self.receiver.deliveries(self.attached, count)
        for delivery in deliveries:
            self.receiver.ack(self.attached, delivery.lane, delivery.number, delivery.number)
        return [ev.Event.FromString(d.event) for d in deliveries]

    def test_a_discharge_reaches_the_pharmacy_once(self):
        text = self.message("A03", 1, pv1={36: "01", 45: "202603011145"})
        self.assertEqual([code_of(self.adapter.send(text)) for _ in range(3)], ["AA"] * 3)
        event, = self.received(1)
        self.assertEqual(event.hospital_discharge.encounter_id, self.visit)
        self.assertEqual(event.hospital_discharge.discharged_at.unix_ms, 1772361900000)
        self.assertTrue(self.receiver.silent(0.6, "deliver"))
        self.adapter.status(received=3, repeats=2)

    def test_mllp_send_gets_its_answer(self):
        if not shutil.which("mllp_send"):
            self.skipTest("mllp_send (python3-hl7) is not installed")
        path = self.adapter.dir / "discharge.hl7"
        path.write_bytes(self.message("A03", 1).encode())
        done = subprocess.run(["mllp_send", "--loose", "--file", str(path), "--port", str(self.adapter.port), "127.0.0.1"],
                              capture_output=True, timeout=30, check=True)
        self.assertIn(f"MSA|AA|{self.visit}-1", done.stdout.decode())
        self.received(1)

    def test_corrections_follow_their_original(self):
        for trigger, fields in [("A01", {}), ("A03", {45: "202603011145"}), ("A08", {45: "202603011130"}), ("A13", {})]:
            self.assertEqual(code_of(self.adapter.send(self.message(trigger, trigger, pv1=fields))), "AA", trigger)
        events = {(e.amends and "amends") or (e.retracts and "retracts") or ev.EventType.Name(e.type): e
                  for e in self.received(4)}
        discharge = events["HOSPITAL_DISCHARGE"]
        self.assertEqual(events["amends"].amends, discharge.id)
        self.assertEqual(events["amends"].hospital_discharge.discharged_at.unix_ms, 1772361000000)
        self.assertEqual(events["retracts"].retracts, discharge.id)
        self.assertEqual(events["HOSPITAL_ADMISSION"].correlation_id, discharge.correlation_id)

    def test_somebody_unknown_to_the_hub_is_answered_like_anybody(self):
        self.assertEqual(code_of(self.adapter.send(self.message("A03", 1, pid="999^^^AZT^PI"))), "AA")
        self.assertEqual(code_of(self.adapter.send(self.message("A13", 2, pid="999^^^AZT^PI"))), "AA")
        self.assertTrue(self.receiver.silent(0.6, "deliver"))

    def test_what_the_hub_does_not_take_is_refused_with_its_reason(self):
        visit = self.adapter.send(self.message("A04", 1, pv1={2: "E"}))  # EmergencyVisit: not in the client's list
        self.assertEqual(code_of(visit), "AR")
        self.assertIn("may not publish", str(visit.segment("ERR")[7]))
        ahead = self.adapter.send(self.message("A03", 2, made=time.strftime("%Y%m%d%H%M%S", time.localtime(time.time() + 90000))))
        self.assertEqual(code_of(ahead), "AE")
        self.assertIn("clock", str(ahead.segment("ERR")[7]))
        self.assertEqual(code_of(self.adapter.send(self.message("A11", 3, pv1={2: "E"}))), "AA")  # nothing is left to retract
        self.adapter.status(refused_by_hub=2, refused=2, nothing_to_correct=1)

    def test_while_the_hub_is_away_nothing_is_accepted_and_a_resend_is_safe(self):
        text = self.message("A03", 1)
        os.kill(self.region.hub.process.process.pid, signal.SIGSTOP)
        try:
            started = time.monotonic()
            answer = self.adapter.send(text)
            self.assertEqual(code_of(answer), "AE")
            self.assertTrue(condition_of(answer).startswith("207"))
            self.assertTrue(2.5 < time.monotonic() - started < 8)
        finally:
            os.kill(self.region.hub.process.process.pid, signal.SIGCONT)
        harness.until(lambda: code_of(self.adapter.send(text)) == "AA", 30, "the hub's return")
        self.received(1)
        self.assertTrue(self.receiver.silent(0.6, "deliver"))

    def test_a_spool_delivers_when_the_hub_is_back(self):
        adapter = self.make(confirm="spool", spool=True)
        os.kill(self.region.hub.process.process.pid, signal.SIGSTOP)
        try:
            for i in range(20):
                self.assertEqual(code_of(adapter.send(self.message("A02", i, pv1={3: f"W{i}"}))), "AA")
        finally:
            os.kill(self.region.hub.process.process.pid, signal.SIGCONT)
        wards = [e.care_transition.encounter_id for e in self.received(20)]
        self.assertEqual(wards, [self.visit] * 20)


if __name__ == "__main__":
    unittest.main()
