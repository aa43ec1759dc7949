#!/usr/bin/python3
"""What lies on disk of a hub and of adapters of each kind says nothing of people: numbers, names, texts and medicines are
planted in messages, everything is killed in the middle, and then every byte of every file is searched. And what an
operator has an adapter forget is gone from it. Persons are invented."""
import json
import os
import subprocess
import time
import unittest

import client as c
import harness
import killing
import markers
from markers import FAMILY, MEDICINE, PHONE, PUNCTUATED, SSIN, TEXT, UMLAUT
from test_adapter_mllp import Sender, code_of, frame
from test_homecare import fall as plain_fall
from test_killed_adapters import kmehr
from test_subscriptions import Receiver

OTHER = "38041200276"  # somebody else, who is not forgotten
# What lies there by the sender's own act, or for the receiver to take.
SHARED = ("drop", "out")

FORMAT = {
    "hospital": """
    senders
        his
            application = HIS
            actor = hospital
            confirm = hub
            identifiers
                local
                    system = urn:e2e:hospital
                    authority = AZT
        holding
            application = HOLDING
            actor = hospital
            confirm = hub
            unidentified = hold
""",
    "pharmacy": """
    default-sender = pharmacy
    senders
        pharmacy
            actor = pharmacy
            confirm = hub
            first = tell
""",
    "homecare": """
    default-sender = homecare
    senders
        homecare
            role = home-nurse
            actor = homecare
            confirm = spool
""",
}
COMMON = """confirm-timeout-ms = 1500
in
    transport = {transport}
    endpoint = 127.0.0.1:0
{more}in
    transport = folder
    path = drop
    settle-ms = 0
out
    transport = folder
    path = out
    inbox = {name}
out
    transport = {out}
    inbox = {name}-2
format
    plugin = {name}{format}"""
OUT_MLLP = "mllp\n    endpoint = 127.0.0.1:{port}\n    timeout-ms = 1000"
OUT_HTTP = "http\n    url = http://127.0.0.1:{port}/in"
SUBSCRIPTIONS = """subscriptions
    endpoint = http://127.0.0.1:{port}/hook
    patience-ms = 500
    subscribers
        ehr = pharmacy
"""


def adt(trigger, control, name, ssin=SSIN, application="HIS", charset="UNICODE UTF-8", local="4711", note=TEXT):
    made = time.strftime("%Y%m%d%H%M%S")
    identifiers = f"{local}^^^AZT^PI" + (f"~{ssin}^^^NISS^NN" if ssin else "")
    return (f"MSH|^~\\&|{application}|AZ|HUB|REGION|{made}||ADT^{trigger}|{control}|P|2.5.1||||||{charset}\rEVN||{made}\r"
            f"PID|1||{identifiers}||{name}^Jan||19380412|M|||Straat 1^^Gent^^9000||{PHONE}\r"
            f"PV1|1|I|GER^201^1||||||||||||||||V{local}|{'|' * 24}{made}\rPV2|||{note}\r")


def fall(note, ssin=SSIN, **more):
    subject = {"identifier": {"system": "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin", "value": ssin},
               "display": FAMILY}
    return plain_fall(note, subject=subject, **more)


class World:
    """A hub, and an adapter of each kind. Their receivers are away."""

    def __init__(self, test):
        self.region = c.Region()
        test.addCleanup(self.region.hub.kill)
        test.addCleanup(lambda: self.region.operator.close())
        self.adapters = {}
        self.subscriber = Receiver()
        test.addCleanup(self.subscriber.close)
        for name in FORMAT:
            for inbox in (name, f"{name}-2"):
                self.region.actor(inbox)
        team = [("hospital", "hospital"), ("pharmacy", "pharmacist"), ("homecare", "home-nurse"),
                ("hospital-2", "gp"), ("pharmacy-2", "pharmacist"), ("homecare-2", "home-nurse")]
        for ssin in (SSIN, OTHER):
            self.region.patient(ssin, team, system="ssin")
        for name in FORMAT:
            self.adapters[name] = self.make(name)
            test.addCleanup(lambda adapter=self.adapters[name]: adapter.process.kill())

    def make(self, name):
        rights = {"publishes": ["FallReported"]} if name == "homecare" else {"facts": ["inbox_set", "inbox_closed"]}
        keys = self.region.register_client(f"{name}-adapter", [name, f"{name}-2"], **rights)
        port = harness.free_port()
        out = (OUT_MLLP if name == "hospital" else OUT_HTTP).format(port=port)
        config = COMMON.format(name=name, out=out, format=FORMAT[name], transport="mllp" if name == "hospital" else "http",
                               more="    credentials = credentials\n" if name == "pharmacy" else "")
        if name == "pharmacy":
            config += SUBSCRIPTIONS.format(port=self.subscriber.server_address[1])
        adapter = killing.Adapter(self.region.hub.endpoint, self.region.hub.public_key, keys, config)
        (adapter.dir / "out").mkdir()
        if name == "pharmacy":
            self.tokens = {who: subprocess.run([harness.ADAPTER, "--new-credential", who, "--credentials",
                                                adapter.dir / "credentials"], capture_output=True, text=True, timeout=20,
                                               check=True).stdout.strip() for who in ("ehr", "pharmacy")}
        return adapter.start()

    def restart(self):
        """kill -9 of everything, and again."""
        for adapter in self.adapters.values():
            adapter.kill()
        self.region.hub.kill()
        self.region.hub.start()
        self.region.operator.close()
        self.region.operator = self.region.connect(self.region.hub.operator_keys)
        for adapter in self.adapters.values():
            adapter.start()

    def stop(self):
        for adapter in self.adapters.values():
            adapter.stop()
        self.region.hub.stop()

    # -- What is said to them

    def hospital(self, data):
        with Sender(int(self.adapters["hospital"].address.rsplit(":", 1)[1])) as sender:
            sender.send(frame(data))
            return code_of(sender.answer())

    def http(self, name, path, body, kind="application/fhir+json", who=None):
        url = f"{self.adapters[name].address.rstrip('/')}/{path}"
        argv = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "-H", f"Content-Type: {kind}", "--data-binary", "@-",
                "-H", f"Idempotency-Key: {time.monotonic_ns()}"]
        if who:
            argv += ["-H", f"Authorization: Bearer {self.tokens[who]}"]
        text = body if isinstance(body, str) else json.dumps(body)
        done = subprocess.run([*argv, url], input=text, capture_output=True, text=True, timeout=30, check=True)
        return int(done.stdout)

    def scheme(self, version, lines, ssin=SSIN):
        text = kmehr(ssin, version, lines).replace("Medicine", MEDICINE)
        return text.replace("</patient>", f"<firstname>Jan</firstname><familyname>{FAMILY}</familyname></patient>")

    def send_while_all_is_well(self, test):
        test.assertEqual(self.hospital(adt("A01", "1", FAMILY)), "AA")
        test.assertEqual(self.hospital(adt("A03", "2", UMLAUT, charset="8859/1").encode("latin-1")), "AA")
        self.others = adt("A01", "3", "Anders", OTHER, local="4712", note="anders")
        test.assertEqual(self.hospital(self.others), "AA")
        # Without a number of the person's: held.
        held = adt("A01", "4", FAMILY, None, "HOLDING", note=f"{TEXT} {PUNCTUATED}").replace("4711^^^AZT^PI", "")
        test.assertEqual(self.hospital(held), "AA")
        test.assertEqual(self.http("pharmacy", "kmehr", self.scheme(1, [(1, 1)]), "application/xml", "pharmacy"), 201)
        test.assertEqual(self.http("pharmacy", "kmehr", self.scheme(2, [(1, 2), (2, 1)]), "application/xml", "pharmacy"), 201)
        test.assertEqual(self.http("pharmacy", "kmehr", self.scheme(1, [(3, 1)], OTHER), "application/xml", "pharmacy"), 201)
        test.assertEqual(self.http("homecare", "fhir/Observation", fall(TEXT)), 202)
        # The hub does not take this of this client: refused for good.
        event = {"patient": {"identifiers": [{"system": "ssin", "value": SSIN}]}, "carerStrain": {"score": "41"},
                 "occurredAt": {"unixMs": "1772353800000"}}
        test.assertEqual(self.http("homecare", "events", event, "application/json"), 202)
        self.adapters["pharmacy"].put(f"scheme-{PUNCTUATED}.xml", self.scheme(3, [(1, 3)]))
        self.adapters["homecare"].put(f"{FAMILY}.json", json.dumps({"resourceType": "Observation", "note": [{"text": TEXT}]}))
        self.adapters["homecare"].put("falls.json", json.dumps(fall("from the folder")))

    def subscribe(self, test):
        payload = {"extension": [{"url": "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
                                         "backport-payload-content", "valueCode": "full-resource"}]}
        hook = f"http://127.0.0.1:{self.subscriber.server_address[1]}/hook"
        body = {"resourceType": "Subscription", "status": "requested", "reason": "test", "criteria": "urn:carehub:topic:all",
                "channel": {"type": "rest-hook", "endpoint": hook, "payload": "application/fhir+json", "_payload": payload}}
        test.assertEqual(self.http("pharmacy", "fhir/Subscription", body, who="ehr"), 201)
        harness.until(lambda: self.subscriber.taken, 20, "the handshake")
        self.subscriber.status = 503

    def send_while_the_hub_is_away(self, test):
        for i in range(3):
            test.assertEqual(self.http("homecare", "fhir/Observation", fall(f"{TEXT} {PUNCTUATED} {i}")), 202)
        test.assertEqual(self.http("homecare", "fhir/Observation", fall("anders", OTHER)), 202)
        test.assertNotEqual(self.hospital(adt("A01", "5", FAMILY, local="4713")), "AA")
        test.assertEqual(self.http("pharmacy", "kmehr", self.scheme(4, [(2, 2)]), "application/xml", "pharmacy"), 503)

    def handled_files(self):
        drops = [self.adapters[name].dir / "drop" for name in ("pharmacy", "homecare")]
        return not any(p.is_file() and not p.name.startswith(".") for drop in drops for p in drop.iterdir())

    def out_files(self):
        return [len(list((adapter.dir / "out").iterdir())) for adapter in self.adapters.values()]


class NothingReadableTest(unittest.TestCase):
    def search(self, world):
        """Everything but what lies there for others; and that the search does find what lies there."""
        for name, adapter in world.adapters.items():
            self.assertEqual(markers.readable(adapter.dir, SHARED), [], name)
        self.assertEqual(markers.readable(world.region.hub.dir), [], "hub")

    def test_the_search_finds_what_is_written_in_any_of_its_spellings(self):
        for text in markers.ALL:
            for piece in markers.spellings(text):
                self.assertIn(text, markers.found_in(b"abc" + piece + b"def"))
        self.assertEqual(markers.found_in(os.urandom(1 << 16)), set())

    def test_no_file_of_hub_or_adapters_says_anything_of_a_person(self):
        world = World(self)
        world.subscribe(self)
        world.send_while_all_is_well(self)
        harness.until(world.handled_files, 30, "the drop folders being worked through")
        harness.until(lambda: all(world.out_files()), 30, "files that went out")
        world.region.hub.kill()
        world.send_while_the_hub_is_away(self)
        self.search(world)
        world.restart()
        done = sum(len(list((a.dir / "drop" / "done").glob("*"))) for a in world.adapters.values())
        self.assertEqual(done, 2)
        harness.until(lambda: (world.adapters["homecare"].dir / "spool" / "refused").exists(), 20, "the refused file")
        # It is there, where it may be: so the search does look.
        shared = set().union(*(found for a in world.adapters.values() for _, found in markers.readable(a.dir)))
        self.assertTrue({SSIN, FAMILY, MEDICINE, TEXT} <= shared, shared)
        world.stop()
        self.search(world)

    def forget(self, world, name, *more, status=0):
        argv = [harness.CLI, "adapter", "forget", world.adapters[name].dir / "adapter.conf", "--patient", f"ssin:{PUNCTUATED}",
                "--json", *more]
        done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(markers.found_in((done.stdout + done.stderr).encode()), set())
        return json.loads(done.stdout) if status == 0 else None

    def test_an_adapter_forgets_a_person_and_nobody_else(self):
        world = World(self)
        world.subscribe(self)
        world.send_while_all_is_well(self)
        harness.until(world.handled_files, 30, "the drop folders being worked through")
        harness.until(lambda: all(world.out_files()), 30, "files that went out")
        harness.until(lambda: (world.adapters["homecare"].dir / "spool" / "refused").exists(), 20, "the refused file")
        world.region.hub.kill()
        world.send_while_the_hub_is_away(self)
        self.forget(world, "hospital", status=1)  # it runs
        for adapter in world.adapters.values():
            adapter.kill()
        before = {name: self.forget(world, name) for name in world.adapters}
        for name, kept in before.items():
            self.assertFalse(kept["forgotten"])
            self.assertGreater(kept["items"], 1, name)
            self.assertGreater(kept["sent"], 0, name)
        self.assertEqual((before["hospital"]["held"], before["hospital"]["otherIdentifiers"]), (1, 2))
        self.assertEqual(before["pharmacy"]["states"], 1)
        self.assertGreater(before["pharmacy"]["subscriptionEvents"], 0)
        self.assertEqual(before["pharmacy"]["doneFiles"], 1)
        self.assertGreaterEqual(before["homecare"]["spooled"], 4)  # waiting, refused, and what is settled but still there
        self.assertEqual(before["homecare"]["doneFiles"], 1)
        for name, kept in before.items():
            self.assertEqual(self.forget(world, name, "--yes"), {**kept, "forgotten": True})
            left = self.forget(world, name)
            self.assertEqual({k for k, v in left.items() if v}, {"failedFiles"} if kept["failedFiles"] else set(), name)
        # The other one is still known, and everything goes on.
        world.region.hub.start()
        self.assertEqual(self.forget(world, "hospital")["items"], 0)
        for adapter in world.adapters.values():
            adapter.start()
        self.assertEqual(world.hospital(world.others), "AA")
        self.assertEqual(world.http("pharmacy", "kmehr", world.scheme(2, [(3, 2)], OTHER), "application/xml", "pharmacy"), 201)

        def repeats():
            return json.loads((world.adapters["hospital"].dir / "status.json").read_text())["counters"]["repeats"] == 1

        harness.until(repeats, 10, "the other's message being recognised")
        world.stop()


if __name__ == "__main__":
    unittest.main()
