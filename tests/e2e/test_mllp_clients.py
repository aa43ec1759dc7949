#!/usr/bin/python3
"""MLLP clients that are not ours, against adapter and hub: mllp_send of python3-hl7, @medplum/hl7 and node-hl7-client."""
import json
import pathlib
import random
import shutil
import subprocess
import time
import unittest

import hl7
from hl7.client import MLLPClient, read_loose

import client as c
import harness
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log

HERE = pathlib.Path(__file__).resolve().parent
SSIN = "79120100163"
SENDERS = """\
    az-test
        application = HIS
        facility = AZ-TEST
        actor = az-test
        zone = Europe/Brussels
        identifiers
            local
                system = urn:az-test:patient
                authority = AZTEST
                type = PI
"""
ANYBODY = SENDERS + """\
    others
        application = *
        actor = az-test
"""
GOOD = ("AA", "CA")


def adt(trigger, control_id, visit="V1", name="Peeters^Jan", msh18="UNICODE UTF-8", application="HIS", more=()):
    """An ADT message about the patient that the hub knows."""
    now = time.strftime("%Y%m%d%H%M%S+0000", time.gmtime())
    structure = {"A03": "ADT_A03", "A11": "ADT_A09", "A13": "ADT_A01", "A02": "ADT_A02"}.get(trigger, "ADT_A01")
    pv1 = ["PV1", "1", "I", "W3^201^1^AZ"] + [""] * 15 + [visit] + [""] * 24 + [now, now if trigger == "A03" else ""]
    return "\r".join([
        f"MSH|^~\\&|{application}|AZ-TEST|CAREHUB|REGION|{now}||ADT^{trigger}^{structure}|{control_id}|P|2.5.1|||||BE|{msh18}",
        f"EVN|{trigger}|{now}",
        f"PID|1||100001^^^AZTEST^PI~{SSIN}^^^SSIN^NNBEL||{name}||19791201|M",
        "|".join(pv1), *more]) + "\r"


def fields(reply):
    """(MSA-1, MSA-2, the text of all ERR segments) of a reply."""
    segments = [s.split("|") for s in reply.replace("\n", "\r").split("\r") if s]
    assert segments[0][0] == "MSH", reply
    msa = next(s for s in segments if s[0] == "MSA")
    return msa[1], msa[2], " ".join("|".join(s) for s in segments if s[0] == "ERR")


# ---- The clients: each takes messages, and gives their replies ---------------------------------------------------------

def with_mllp_send(port, messages):
    """The command: one process for all, the messages one after the other in a file in MLLP frames."""
    file = harness.scratch_dir() / "messages"
    file.write_bytes(b"".join(b"\x0b" + m.encode() + b"\x1c\r" for m in messages))
    done = subprocess.run(["mllp_send", "--file", str(file), "--port", str(port), "127.0.0.1"], capture_output=True,
                          timeout=120, check=True)
    return [reply.decode().strip("\x0b\r\n") for reply in done.stdout.split(b"\x1c") if reply.strip(b"\x0b\r\n")]


def with_mllp_send_loose(port, messages):
    """The same for a file as people have them: no frames, line feeds."""
    file = harness.scratch_dir() / "messages"
    file.write_text("".join(m.replace("\r", "\n") for m in messages))
    done = subprocess.run(["mllp_send", "--loose", "--file", str(file), "--port", str(port), "127.0.0.1"],
                          capture_output=True, timeout=120, check=True)
    return [reply.decode().strip("\x0b\r\n") for reply in done.stdout.split(b"\x1c") if reply.strip(b"\x0b\r\n")]


def with_node(script, port, messages, *arguments):
    done = subprocess.run(["node", str(HERE / "node" / script), str(port), *arguments], input=json.dumps(messages),
                          capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def with_medplum(port, messages, *encoding):
    return with_node("medplum.mjs", port, messages, *encoding)


def with_node_hl7_client(port, messages):
    return with_node("node_hl7_client.mjs", port, messages)


CLIENTS = {"mllp_send": with_mllp_send, "mllp_send --loose": with_mllp_send_loose, "@medplum/hl7": with_medplum,
           "node-hl7-client": with_node_hl7_client}


def missing(name):
    """Why a client cannot be tested here, or None."""
    if name.startswith("mllp_send"):
        return None if shutil.which("mllp_send") else "mllp_send is not installed (python3-hl7)"
    if not shutil.which("node"):
        return "node is not installed"
    return None if (HERE / "node_modules" / name).is_dir() else f"{name} is not installed (npm ci in tests/e2e)"


class MllpClientsTest(unittest.TestCase):
    SENDERS = SENDERS

    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.region.actor("az-test", inbox=False)
        cls.region.actor("gp")
        adapter_keys = cls.region.register_client("adapter", ["az-test"])
        cls.region.operator.fact(patient_registered=c.reg.PatientRegistered(
            identifiers=[{"system": "ssin", "value": SSIN}, {"system": "urn:az-test:patient", "value": "100001"}]))
        patient = c.reg.PatientRef(identifier={"system": "ssin", "value": SSIN})
        cls.region.operator.fact(consent_given=c.reg.ConsentGiven(patient=patient, purposes=["continuity-of-care"]))
        cls.region.operator.fact(member_added=c.reg.MemberAdded(patient=patient, actor="gp", role="gp"))
        cls.gp = cls.region.client("gp-software", ["gp"])
        cls.attached = cls.gp.attach("gp")
        cls.adapter = harness.Adapter(cls.region.hub, adapter_keys, cls.SENDERS).start()
        cls.addClassCleanup(cls.adapter.stop)

    def received(self, count):
        """The next so many events that come to the GP, acknowledged; and no more."""
        events = []
        while len(events) < count:
            deliver = self.gp.expect("deliver")
            for delivery in deliver.deliveries:
                events.append(ev.Event.FromString(delivery.event))
                self.gp.ack(self.attached, delivery.lane, delivery.number, delivery.number)
            self.gp.credit(self.attached, len(deliver.deliveries))
        self.assertEqual(len(events), count)
        self.assertTrue(self.gp.silent(0.3, "deliver"), "more events than expected")
        return events

    def with_each_client(self, check):
        """check(number, send) for each client: send(messages) gives the fields of their replies."""
        for number, (name, send) in enumerate(CLIENTS.items()):
            with self.subTest(client=name):
                why = missing(name)
                if why:
                    self.skipTest(why)
                check(number, lambda messages, send=send: [fields(r) for r in send(self.adapter.port, messages)])


class ClientsTest(MllpClientsTest):
    def test_a_stay_from_admission_to_discharge(self):
        def check(number, send):
            visit = f"STAY{number}"
            messages = [adt("A01", f"S{number}-1", visit), adt("A02", f"S{number}-2", visit),
                        adt("A03", f"S{number}-3", visit)]
            replies = send(messages)
            self.assertEqual([(code in GOOD, control) for code, control, _ in replies],
                             [(True, f"S{number}-{i}") for i in (1, 2, 3)], replies)
            events = self.received(3)
            self.assertEqual([e.type for e in events],
                             [ev.HOSPITAL_ADMISSION, ev.CARE_TRANSITION, ev.HOSPITAL_DISCHARGE])
            self.assertEqual(len({e.correlation_id for e in events}), 1, "one episode")
            self.assertEqual([e.source.native_id for e in events], [f"S{number}-{i}" for i in (1, 2, 3)])

        self.with_each_client(check)

    def test_a_message_that_is_sent_again_makes_no_second_event(self):
        def check(number, send):
            message = adt("A01", f"R{number}", f"REPEAT{number}")
            replies = send([message, message, message])
            self.assertEqual([code in GOOD for code, _, _ in replies], [True] * 3, replies)
            self.received(1)

        self.with_each_client(check)

    def test_corrections_reach_those_who_had_the_original(self):
        def check(number, send):
            visit = f"WRONG{number}"
            moved = adt("A08", f"C{number}-2", visit).replace("W3^201", "W9^901")
            replies = send([adt("A01", f"C{number}-1", visit), moved, adt("A11", f"C{number}-3", visit)])
            self.assertEqual([code in GOOD for code, _, _ in replies], [True] * 3, replies)
            admission, amendment, retraction = self.received(3)
            self.assertEqual((admission.type, admission.amends), (ev.HOSPITAL_ADMISSION, b""))
            self.assertEqual(amendment.amends, admission.id)
            self.assertEqual(amendment.hospital_admission.location.ward, "W9")
            self.assertIn(retraction.retracts, (admission.id, amendment.id))

        self.with_each_client(check)

    def test_many_messages_over_one_connection(self):
        def check(number, send):
            messages = [adt("A01", f"M{number}-{i}", f"MANY{number}-{i}") for i in range(100)]
            replies = send(messages)
            self.assertEqual([control for _, control, _ in replies], [f"M{number}-{i}" for i in range(100)])
            self.assertEqual({code in GOOD for code, _, _ in replies}, {True})
            self.assertEqual([e.source.native_id for e in self.received(100)],
                             [f"M{number}-{i}" for i in range(100)], "in the order in which they were sent")

        self.with_each_client(check)

    def test_a_bad_message_is_answered_and_the_next_one_is_taken(self):
        def check(number, send):
            stranger = adt("A01", f"B{number}-1", application="SOMEBODY")
            nobody = adt("A01", f"B{number}-2").replace(f"PID|1||100001^^^AZTEST^PI~{SSIN}^^^SSIN^NNBEL", "PID|1||")
            good = adt("A01", f"B{number}-3", f"BAD{number}")
            replies = send([stranger, nobody, good])
            self.assertEqual([control for _, control, _ in replies], [f"B{number}-{i}" for i in (1, 2, 3)])
            self.assertIn(replies[0][0], ("AR", "CR"), replies)
            self.assertTrue(replies[0][2], "a refusal has an ERR that says why")
            self.assertIn(replies[1][0], GOOD, "a patient without identifiers is everyday, not an error")
            self.assertIn(replies[2][0], GOOD)
            self.received(1)

        self.with_each_client(check)

    def test_letters_beyond_ascii(self):
        why = missing("@medplum/hl7")
        if why:
            self.skipTest(why)
        for number, (encoding, charset) in enumerate((("utf-8", "UNICODE UTF-8"), ("iso-8859-1", "8859/1"))):
            message = adt("A01", f"L{number}", f"LETTERS{number}", msh18=charset,
                          name="Zoë^Anaïs").replace("W3^201", "Gériatrie^201")
            replies = [fields(r) for r in with_medplum(self.adapter.port, [message], encoding)]
            self.assertIn(replies[0][0], GOOD)
            self.assertEqual(self.received(1)[0].hospital_admission.location.ward, "Gériatrie", charset)


class CorporaTest(MllpClientsTest):
    """Messages from public sources: each gets an acknowledgement that is right in itself, and none takes the adapter
    down. What becomes of them is the format's own tests' matter."""

    SENDERS = ANYBODY

    def messages(self):
        folder = harness.CORPORA / "hl7v2"
        if not folder.is_dir():
            self.skipTest("../shared/corpora is not there")
        found = []
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            data = path.read_bytes()
            if b"MSH|^~\\&|" in data:
                with open(path, "rb") as stream:
                    found.extend(read_loose(stream))
        return found

    @staticmethod
    def wants_reply(message):
        """Enhanced mode may ask for no acknowledgement at all, or only in some cases."""
        header = message.split(b"\r", 1)[0].split(b"|")
        return all(len(header) <= i or header[i] in (b"", b"AL") for i in (14, 15))

    def test_each_message_is_answered(self):
        messages = [m for m in self.messages() if self.wants_reply(m)]
        codes = {}
        with MLLPClient("127.0.0.1", self.adapter.port) as mllp:
            mllp.socket.settimeout(15)
            for message in messages:
                reply = mllp.send_message(message).decode(errors="replace").strip("\x0b\x1c\r\n")
                code, control, _ = fields(reply)
                header = message.split(b"\r", 1)[0].split(b"|")
                wanted = header[9].decode(errors="replace").strip() if len(header) > 9 else ""
                if wanted.isascii() and not any(x in wanted for x in "^&~\\"):
                    self.assertEqual(control, wanted, "MSA-2 is MSH-10")
                self.assertIn(code, ("AA", "AE", "AR", "CA", "CE", "CR"))
                hl7.parse(reply.replace("\n", "\r"))
                codes[code] = codes.get(code, 0) + 1
        self.assertTrue(self.adapter.process.alive())
        print(f"    {len(messages)} messages: " + ", ".join(f"{n} {code}" for code, n in sorted(codes.items())))

    def test_each_message_is_answered_to_medplum_too(self):
        why = missing("@medplum/hl7")
        if why:
            self.skipTest(why)
        chosen = [m.decode("utf-8", "replace") for m in self.messages() if self.wants_reply(m)]
        chosen = random.Random(harness.SEED).sample(chosen, 200) if len(chosen) > 200 else chosen
        replies = with_medplum(self.adapter.port, chosen)
        self.assertEqual(len(replies), len(chosen))
        for reply in replies:
            self.assertIn(fields(reply)[0], ("AA", "AE", "AR", "CA", "CE", "CR"))


del MllpClientsTest  # only what the two above share

if __name__ == "__main__":
    unittest.main()
