#!/usr/bin/python3
"""FHIR Subscriptions, from a real hub to a receiver, with the home-care format: registered over HTTP, notified with numbers
without gaps while the adapter is killed, caught up with, ended. Persons are invented."""
import http.server
import json
import re
import shutil
import subprocess
import threading
import time
import unittest

import client as c
import harness
from test_fhir_valid import HERE, validate

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
CONFIG = """state-dir = state
status-file = status.json
hub
    client-config = client.conf
format
    plugin = homecare
    default-sender = gp
    senders
        gp
            role = home-nurse
in
    transport = http
    endpoint = 127.0.0.1:{port}
    credentials = credentials
subscriptions
    endpoint = http://127.0.0.1:{receiver}/hook
    patience-ms = 1000
    subscribers
        ehr = gp
"""


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps what it takes: (type, [(number, focus)], Bundle). Answers `status`."""

    daemon_threads = allow_reuse_address = True

    def __init__(self):
        self.taken, self.status = [], 200
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()

    def types(self):
        return [kind for kind, _, _ in self.taken]

    def events(self):
        return [event for _, events, _ in self.taken for event in events]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        bundle = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.taken.append((*read_status(bundle), bundle))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def read_status(bundle):
    """(type, [(number, focus)]) of a notification."""
    parameters = bundle["entry"][0]["resource"]["parameter"]
    events = []
    for event in (p["part"] for p in parameters if p["name"] == "notification-event"):
        parts = {part["name"]: part for part in event}
        events.append((int(parts["event-number"]["valueString"]),
                       parts.get("focus", {}).get("valueReference", {}).get("reference")))
    return next(p["valueCode"] for p in parameters if p["name"] == "type"), events


class SubscriptionsTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        for name in ("hospital", "gp"):
            self.region.actor(name, inbox=False)
        self.region.patient("4711", team=[("gp", "gp"), ("hospital", "hospital")])
        self.hospital = self.region.client("hospital-software", ["hospital"])
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.adapter = None
        self.addCleanup(lambda: self.adapter and self.adapter.stop())

    def set_up_adapter(self, facts):
        self.dir = harness.scratch_dir()
        self.port = harness.free_port()
        keys = self.region.register_client("gp-adapter", ["gp"], facts=facts)
        harness.write_key(self.dir / "client.key", keys)
        self.region.hub.write_client_conf(self.dir / "client.conf", "client.key")
        self.tokens = {}
        for name in ("ehr", "stranger"):
            made = subprocess.run([harness.ADAPTER, "--new-credential", name, "--credentials", self.dir / "credentials"],
                                  capture_output=True, text=True, timeout=20, check=True)
            self.tokens[name] = re.search(r"(?<![\w-])[\w-]{43}(?![\w-])", made.stdout)[0]
        (self.dir / "adapter.conf").write_text(CONFIG.format(port=self.port, receiver=self.receiver.server_address[1]))
        self.start()

    def start(self):
        self.adapter = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")

        def ready():
            assert self.adapter.alive(), self.adapter.said()
            return self.curl("ehr", "GET", "fhir/Subscription")[0] == 200

        harness.until(ready, what="the adapter's answers")

    def curl(self, who, method, path, body=None):
        """(status, document)."""
        argv = ["curl", "-s", "-X", method, "-H", "Content-Type: application/fhir+json", "-w", "\n%{http_code}", "-H",
                f"Authorization: Bearer {self.tokens[who]}"]
        if body is not None:
            argv += ["--data-binary", "@-"]
        done = subprocess.run([*argv, f"http://127.0.0.1:{self.port}/{path}"], input=json.dumps(body), capture_output=True,
                              text=True, timeout=30, check=False)
        content, _, status = done.stdout.rpartition("\n")
        return int(status), json.loads(content) if content else None

    def subscription(self, content, status="requested", **more):
        payload = {"extension": [{"url": BACKPORT + "backport-payload-content", "valueCode": content}]}
        return {"resourceType": "Subscription", "status": status, "reason": "test", "criteria": "urn:carehub:topic:all",
                "channel": {"type": "rest-hook", "endpoint": f"http://127.0.0.1:{self.receiver.server_address[1]}/hook",
                            "payload": "application/fhir+json", "_payload": payload}, **more}

    def subscribe(self, content="id-only"):
        status, made = self.curl("ehr", "POST", "fhir/Subscription", self.subscription(content))
        self.assertEqual((status, made["status"]), (201, "requested"))
        self.path = f"fhir/Subscription/{made['id']}"
        harness.until(lambda: self.status() == "active", what="an active subscription")
        return made["id"]

    def status(self):
        return self.curl("ehr", "GET", self.path)[1]["status"]

    def publish(self, count):
        for _ in range(count):
            self.hospital.publish_one(c.discharge("4711", "hospital"))

    def check_valid(self, *documents):
        """By a validator that is not ours, if it is there."""
        if not shutil.which("node") or not (HERE / "node_modules" / "@medplum" / "core").is_dir():
            return
        directory = harness.scratch_dir()
        for i, document in enumerate(documents):
            (directory / f"{i}.json").write_text(json.dumps(document))
        self.assertEqual(validate(directory)[1], [])

    def inboxes(self):
        found = self.region.hub.cli_json("inbox", "list")
        return found if isinstance(found, list) else [found]

    def test_a_subscriber_is_notified_and_can_ask(self):
        self.set_up_adapter(["inbox_set", "inbox_closed"])
        self.subscribe("full-resource")
        self.assertEqual(self.receiver.types(), ["handshake"])
        self.publish(5)
        harness.until(lambda: len(self.receiver.events()) == 5, what="five events")
        self.assertEqual([number for number, _ in self.receiver.events()], [1, 2, 3, 4, 5])
        bundle = self.receiver.taken[-1][2]
        self.assertEqual(bundle["entry"][1]["resource"]["type"], "message")
        focus = self.receiver.events()[0][1].split("/", 3)[-1]
        self.assertEqual(self.curl("ehr", "GET", focus)[1]["type"], "message")
        self.assertEqual(self.curl("stranger", "GET", focus)[0], 404)
        self.assertEqual(self.curl("stranger", "GET", "fhir/Subscription")[0], 403)
        _, events = read_status(self.curl("ehr", "GET", f"{self.path}/$events?eventsSinceNumber=4")[1])
        self.assertEqual([number for number, _ in events], [4, 5])
        capabilities = self.curl("ehr", "GET", "fhir/metadata")[1]
        self.assertIn("Subscription", [resource["type"] for resource in capabilities["rest"][0]["resource"]])
        self.check_valid(bundle, capabilities, self.curl("ehr", "GET", f"{self.path}/$events")[1])
        self.assertEqual(self.curl("ehr", "DELETE", self.path)[0], 204)
        self.assertEqual(self.curl("ehr", "GET", self.path)[0], 404)
        harness.until(lambda: all(inbox.get("closed") for inbox in self.inboxes() if ".fhir-" in inbox["name"]),
                      what="a closed inbox")
        self.assertNotIn("4711", self.adapter.said())

    def test_numbers_have_no_gaps_however_often_the_adapter_is_killed(self):
        self.set_up_adapter(["inbox_set", "inbox_closed"])
        self.subscribe()
        publisher = threading.Thread(target=self.publish, args=(80,))
        publisher.start()
        for _ in range(8):
            time.sleep(0.15)
            self.adapter.kill()
            self.start()
        publisher.join()
        harness.until(lambda: len({number for number, _ in self.receiver.events()}) >= 80, 60, "80 events")
        by_number = {}
        for number, focus in self.receiver.events():
            self.assertEqual(by_number.setdefault(number, focus), focus, "a number stays with its event")
        self.assertEqual(sorted(by_number), list(range(1, 81)))
        self.assertEqual(len(set(by_number.values())), 80)

    def test_a_receiver_that_fails_gets_all_when_it_is_back(self):
        self.set_up_adapter(["inbox_set", "inbox_closed"])
        self.subscribe()
        self.receiver.status = 503
        self.publish(5)
        harness.until(lambda: self.status() == "error", what="an error")
        self.receiver.status = 200
        harness.until(lambda: len(self.receiver.events()) >= 5, 60, "five events")  # the hub sends them again
        self.assertEqual(sorted(number for number, _ in self.receiver.events()), [1, 2, 3, 4, 5])
        self.assertEqual(self.status(), "active")

    def test_an_adapter_without_the_right_says_so(self):
        self.set_up_adapter([])
        _, made = self.curl("ehr", "POST", "fhir/Subscription", self.subscription("empty"))
        self.path = f"fhir/Subscription/{made['id']}"
        harness.until(lambda: self.status() == "error", what="an error")
        self.assertIn("inbox", self.curl("ehr", "GET", self.path)[1]["error"])
        self.assertEqual(self.receiver.taken, [])


if __name__ == "__main__":
    unittest.main()
