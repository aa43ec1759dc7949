#!/usr/bin/python3
"""Events to a receiver that speaks only HL7: over MLLP, judged by its acknowledgements, read by parsers that are not ours.

The receiver is a plain server here, so that it can answer anything; what it gets is read by python3-hl7 and by
@medplum/core. Persons are invented.
"""
import json
import pathlib
import re
import shutil
import socketserver
import subprocess
import threading
import time
import unittest

import hl7

import client as c
import harness
from carehub.v1 import event_pb2 as ev

HERE = pathlib.Path(__file__).resolve().parent
SB, EB = b"\x0b", b"\x1c\r"
AWKWARD = 'a|b^c~d\\e&f "" \\.br\\ Zoë ≥ 5'

CONFIG = """
state-dir = state
status-file = status.json
hub
    client-config = client.conf
format
    plugin = hospital
out
    transport = mllp
    inbox = gp
    endpoint = 127.0.0.1:{port}
    receiver
        application = EPD
        facility = GP
        identifiers
            local
                system = urn:e2e:patient
                authority = E2E
                type = MR
"""


class Receiver(socketserver.ThreadingTCPServer):
    """Keeps the messages, and answers with what is next in `answers`: a code, a code and a condition, or a function."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        self.messages, self.answers = [], []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        buffer = b""
        while more := self.request.recv(65536):
            buffer += more
            while EB in buffer:
                one, buffer = buffer.split(EB, 1)
                self.server.messages.append(one.lstrip(SB).decode())
                code, *condition = self.server.answers.pop(0) if self.server.answers else ("AA",)
                wanted = one.split(b"|")[9].decode()
                ack = (f"MSH|^~\\&|EPD|GP|CAREHUB||{time.strftime('%Y%m%d%H%M%S')}||ACK|{time.monotonic_ns()}|P|2.5.1\r"
                       f"MSA|{code}|{wanted}\r" + "".join(f"ERR|||{n}|E\r" for n in condition))
                self.request.sendall(SB + ack.encode() + EB)


def with_python_hl7(message):
    """All values after MSH, by place, as python3-hl7 sees them."""
    found = {}
    for index, segment in enumerate(hl7.parse(message)[1:]):
        for f, field in enumerate(segment[1:], 1):
            for r, repetition in enumerate(field, 1):
                components = repetition if isinstance(repetition, hl7.Repetition) else [repetition]
                for k, component in enumerate(components, 1):
                    parts = component if isinstance(component, hl7.Component) else [component]
                    for s, value in enumerate(parts, 1):
                        if str(value):
                            found[(index, str(segment[0]), f, r, k, s)] = str(value)
    return found


class OutTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.region.actor("hospital", inbox=False)
        cls.region.actor("gp")
        cls.region.patient("4711", team=[("gp", "gp"), ("hospital", "hospital")])
        cls.hospital = cls.region.client("hospital-software", ["hospital"])
        cls.keys = cls.region.register_client("gp-adapter", ["gp"])

    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.send_to(self.receiver.server_address[1])

    def send_to(self, port):
        self.dir = harness.scratch_dir()
        harness.write_key(self.dir / "client.key", self.keys)
        self.region.hub.write_client_conf(self.dir / "client.conf", "client.key")
        (self.dir / "adapter.conf").write_text(CONFIG.format(port=port))
        self.process = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")
        self.addCleanup(self.stop)

    def stop(self):
        self.process.stop()
        text = self.process.said()
        for secret in ("4711", "Zoë", "een letsel"):
            self.assertNotIn(secret, text)

    def event(self, kind, **more):
        e = ev.Event(id=c.uuid7(), type=kind, **more)
        e.patient.identifiers.add(system=c.SYSTEM, value="4711")
        e.author.actor = "hospital"
        e.occurred_at.unix_ms = int(time.time() * 1000)
        return e

    def published(self, *events):
        for event in events:
            self.hospital.publish_one(event)
        return events

    def messages(self, count):
        harness.until(lambda: len(self.receiver.messages) >= count, 20, f"{count} messages at the receiver")
        time.sleep(0.3)
        self.assertEqual(len(self.receiver.messages), count, "more messages than expected")
        return self.receiver.messages

    def test_a_stay_and_what_else_happens_comes_as_hl7(self):
        admission = self.event(ev.HOSPITAL_ADMISSION)
        admission.hospital_admission.encounter_id = "V1"
        admission.hospital_admission.location.ward = AWKWARD
        fall = self.event(ev.FALL_REPORTED)
        fall.fall_reported.injury_detail = AWKWARD
        fall.fall_reported.note = "een letsel\r\ntwee"
        medication = self.event(ev.MEDICATION_CHANGED)
        change = medication.medication_changed.changes.add(kind="ADDED")
        change.medicine.name = AWKWARD
        change.posology.regimen.add().quantity.value = "1"
        leaving = c.discharge("4711", "hospital", AWKWARD)
        taken_back = self.event(ev.HOSPITAL_DISCHARGE, retracts=leaving.id)
        taken_back.hospital_discharge.encounter_id = "E-1"
        self.published(admission, fall, medication, leaving)
        self.messages(4)
        self.published(taken_back)
        messages = self.messages(5)
        types = [re.match(r"MSH(\|[^|]*){8}", m).group(1)[1:] for m in messages]
        self.assertEqual(sorted(types), ["ADT^A01^ADT_A01", "ADT^A03^ADT_A03", "ADT^A13^ADT_A01", "ORU^R01^ORU_R01",
                                         "RDE^O11^RDE_O11"])
        escaped = AWKWARD.replace("\\", "\\E\\").translate(str.maketrans({"|": "\\F\\", "^": "\\S\\", "~": "\\R\\", "&": "\\T\\"}))
        for message, kind in zip(messages, types):
            values = with_python_hl7(message)
            self.assertEqual(values[(next(i for i, n, *_ in values if n == "PID"), "PID", 3, 1, 1, 1)], "4711")
            if kind != "ADT^A13^ADT_A01":
                self.assertIn(escaped, values.values(), kind)
                self.assertIn(AWKWARD, [str(hl7.parse(message).unescape(v)) for v in values.values()], kind)
        self.assertTrue(any("een letsel\\.br\\twee" in m for m in messages))
        if not shutil.which("node") or not (HERE / "node_modules" / "@medplum" / "core").is_dir():
            return
        done = subprocess.run(["node", str(HERE / "node" / "hl7_parse.mjs")], input=json.dumps(messages), text=True,
                              capture_output=True, timeout=60, check=True)
        for message, theirs in zip(messages, json.loads(done.stdout)):
            ours = [[n, f, r, k, s, v] for (_, n, f, r, k, s), v in with_python_hl7(message).items()]
            self.assertEqual(theirs, ours, "two parsers that are not ours see the same")

    def test_what_may_succeed_later_is_sent_again_as_the_same_message(self):
        self.receiver.answers = [("AE", 207), ("AR", 206), ("AA",)]
        self.published(c.discharge("4711", "hospital"))
        messages = self.messages_in_time(3)
        self.assertEqual(len(set(messages)), 1, "the same message, byte for byte")

    def messages_in_time(self, count):
        harness.until(lambda: len(self.receiver.messages) >= count, 90, f"{count} messages at the receiver")
        return self.receiver.messages[:count]

    def test_what_is_refused_is_not_sent_again(self):
        self.receiver.answers = [("AE", 204), ("AR",), ("AA",)]
        self.published(*[c.discharge("4711", "hospital") for _ in range(3)])
        messages = self.messages(3)
        self.assertEqual(len(set(messages)), 3)

    def test_a_server_that_is_not_ours_takes_the_messages(self):
        if not shutil.which("node") or not (HERE / "node_modules" / "@medplum" / "hl7").is_dir():
            self.skipTest("@medplum/hl7 is not installed (npm ci in tests/e2e)")
        port = harness.free_port()
        with subprocess.Popen(["node", str(HERE / "node" / "medplum_server.mjs"), str(port)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True) as server:
            watchdog = threading.Timer(60, server.kill)
            watchdog.start()
            self.addCleanup(watchdog.cancel)
            self.assertEqual(json.loads(server.stdout.readline()), "ready")
            self.process.stop()
            self.send_to(port)
            self.published(*[c.discharge("4711", "hospital", AWKWARD) for _ in range(20)])
            got = [json.loads(server.stdout.readline()) for _ in range(20)]
            server.stdin.close()
        self.assertEqual({kind for kind, _ in got}, {"ADT^A03^ADT_A03"})
        self.assertEqual(len({control for _, control in got}), 20)


if __name__ == "__main__":
    unittest.main()
