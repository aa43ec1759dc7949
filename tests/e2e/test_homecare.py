#!/usr/bin/python3
"""The home-care adapter over HTTP and from a folder, without a hub: it answers when its spool has the event. Senders are
curl and fhir-kit-client. Persons are invented."""
import json
import pathlib
import shutil
import subprocess
import unittest

import harness

HERE = pathlib.Path(__file__).resolve().parent
SSIN = "38041200177"
SUBJECT = {"identifier": {"system": "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin", "value": SSIN}}
CONFIG = """state-dir = state
status-file = status.json
endpoint-file = endpoint
hub
    client-config = client.conf
in
    transport = http
    endpoint = 127.0.0.1:0
in
    transport = folder
    path = drop
    settle-ms = 0
format
    plugin = homecare
    default-sender = north
    senders
        north
            role = home-nurse
            confirm = spool
"""


def fall(note="on the stairs", **more):
    return {"resourceType": "Observation", "status": "final", "subject": SUBJECT,
            "code": {"coding": [{"system": "http://snomed.info/sct", "code": "1912002"}]},
            "effectiveDateTime": "2026-03-01T12:05:00+01:00", "note": [{"text": note}], **more}


def entry(resource):
    return {"resource": resource, "request": {"method": "POST", "url": resource["resourceType"]}}


class HomeCareTest(unittest.TestCase):
    def setUp(self):
        self.dir = harness.scratch_dir()
        harness.write_key(self.dir / "client.key", harness.keypair())
        (self.dir / "client.conf").write_text(f"endpoint = tcp://127.0.0.1:9\nhub-key = {bytes(32).hex()}\n"
                                              "key-file = client.key\nspool-dir = spool\n")
        (self.dir / "drop").mkdir()
        (self.dir / "adapter.conf").write_text(CONFIG)
        self.start()
        self.addCleanup(lambda: self.adapter.stop())

    def start(self):
        endpoint = self.dir / "endpoint"
        endpoint.unlink(missing_ok=True)
        self.adapter = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")

        def ready():
            assert self.adapter.alive(), self.adapter.said()
            return endpoint.exists() and endpoint.read_text().strip()

        self.url = harness.until(ready, what="the adapter's endpoint").rstrip("/")

    def curl(self, method, path, body=None, *headers):
        """(status, location, body)."""
        text = body if isinstance(body, (str, type(None))) else json.dumps(body)
        kind = "application/json" if path == "events" else "application/fhir+json"
        argv = ["curl", "-sS", "-X", method, "-H", f"Content-Type: {kind}", "-w", "\n%{http_code} %header{location}"]
        for header in headers:
            argv += ["-H", header]
        if text is not None:
            argv += ["--data-binary", "@-"]
        done = subprocess.run([*argv, f"{self.url}/{path}"], input=text, capture_output=True, text=True, timeout=30, check=True)
        content, _, last = done.stdout.rpartition("\n")
        status, _, location = last.partition(" ")
        return int(status), location, json.loads(content)

    def counters(self, **expected):
        def read():
            try:
                found = json.loads((self.dir / "status.json").read_text())["counters"]
            except FileNotFoundError:
                return None
            return all(found.get(k, 0) == v for k, v in expected.items())
        harness.until(read, what=f"a status with {expected}")

    def test_what_the_spool_has_is_accepted_once_and_for_all(self):
        first = self.curl("POST", "fhir/Observation", fall(), "Idempotency-Key: k1")
        self.assertEqual(first[0], 202, first)
        self.assertRegex(first[1], r"/fhir/Observation/[0-9a-f-]{36}$")
        self.assertEqual(self.curl("POST", "fhir/Observation", fall(), "Idempotency-Key: k1")[:2], first[:2])
        self.adapter.kill()
        self.start()
        again = self.curl("POST", "fhir/Observation", fall(), "Idempotency-Key: k1")
        self.assertEqual((again[0], again[1].split("/", 3)[-1]), (202, first[1].split("/", 3)[-1]))
        status, _, outcome = self.curl("POST", "fhir/Observation", fall("elsewhere"), "Idempotency-Key: k1")
        self.assertEqual((status, outcome["issue"][0]["code"]), (409, "duplicate"))

    def test_refusals_say_where_and_what_and_quote_nothing(self):
        wrong = fall(subject={"identifier": {**SUBJECT["identifier"], "value": "38041200178"}})
        for method, path, body, expected in (("POST", "fhir/Observation", wrong, 422), ("POST", "fhir/Observation", "{", 400),
                                             ("POST", "fhir/Patient", {"resourceType": "Patient"}, 422),
                                             ("PUT", "fhir/Observation/2", fall(id="1"), 400),
                                             ("POST", "nowhere", {}, 404), ("POST", "events", "{}", 422)):
            status, _, answer = self.curl(method, path, body)
            self.assertEqual(status, expected, answer)
            self.assertNotIn("3804", json.dumps(answer))
        self.assertNotIn("3804", self.adapter.said())

    def test_plain_events_and_files_come_in_too(self):
        event = {"patient": {"identifiers": [{"system": "ssin", "value": SSIN}]}, "carerStrain": {"score": "41"},
                 "occurredAt": {"unixMs": "1772353800000"}}
        status, _, answer = self.curl("POST", "events", event, "Idempotency-Key: p1")
        self.assertEqual((status, answer["outcome"], len(answer["events"])), (202, "stored", 1))
        lines = "\n".join(json.dumps(fall(id=str(i), identifier=[{"system": "urn:t", "value": str(i)}])) for i in range(3))
        (self.dir / "drop" / ".two").write_text(lines)
        (self.dir / "drop" / ".two").rename(self.dir / "drop" / "falls.ndjson")
        (self.dir / "drop" / "wrong.json").write_text("{}")
        harness.until(lambda: list((self.dir / "drop" / "done").glob("falls*")), what="the file in done/")
        harness.until(lambda: list((self.dir / "drop" / "failed").glob("wrong*")), what="the file in failed/")
        self.counters(received=5, events=4)

    @unittest.skipUnless(shutil.which("node") and (HERE / "node_modules" / "fhir-kit-client").is_dir(),
                         "fhir-kit-client is not installed (npm ci in tests/e2e)")
    def test_fhir_kit_client_understands_the_answers(self):
        calls = [{"call": "capabilityStatement"},
                 {"call": "create", "resourceType": "Observation", "body": fall()},
                 {"call": "update", "resourceType": "Observation", "id": "7", "body": fall(id="7")},
                 {"call": "update", "resourceType": "Observation", "id": "7", "body": fall("in bed", id="7")},
                 {"call": "create", "resourceType": "Observation", "body": {"resourceType": "Observation"}},
                 {"call": "transaction", "body": {"resourceType": "Bundle", "type": "transaction",
                                                  "entry": [entry(fall("a")), entry(fall("b"))]}},
                 {"call": "batch", "body": {"resourceType": "Bundle", "type": "batch",
                                            "entry": [entry(fall("c")), entry({"resourceType": "Patient"}),
                                                      entry({"resourceType": "Observation"})]}},
                 {"call": "read", "resourceType": "CodeSystem", "id": "carehub-fall"},
                 {"call": "read", "resourceType": "CodeSystem", "id": "other"}]
        done = subprocess.run(["node", str(HERE / "node" / "fhir_kit.mjs"), f"{self.url}/fhir"], input=json.dumps(calls),
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        answers = json.loads(done.stdout)
        self.assertEqual([a["status"] for a in answers], [200, 202, 202, 202, 422, 202, 202, 200, 404])
        self.assertEqual(answers[0]["body"]["fhirVersion"], "4.0.1")
        self.assertEqual(answers[5]["body"]["type"], "transaction-response")
        self.assertEqual([e["response"]["status"][:3] for e in answers[6]["body"]["entry"]], ["202", "200", "422"])
        self.assertEqual(answers[7]["body"]["url"], "urn:carehub:fall")


if __name__ == "__main__":
    unittest.main()
