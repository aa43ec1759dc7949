#!/usr/bin/python3
"""A stay and its corrections leave the hub by the adapters: as HL7 v2 to servers that are not ours (@medplum/hl7,
node-hl7-server), as FHIR messages by webhook and into a folder. Hub and adapters are real, persons invented."""
import hashlib
import hmac
import http.server
import json
import pathlib
import shutil
import subprocess
import threading
import time
import unittest

import hl7

import client as c
import harness
from carehub.v1 import event_pb2 as ev
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

HERE = pathlib.Path(__file__).resolve().parent
SSIN = "38041200177"


class Outlet:
    """An adapter with a client of its own that speaks for `actor`; `conf` is what follows the hub's section."""

    def __init__(self, region, actor, conf, **rights):
        self.dir = harness.scratch_dir()
        keys = region.register_client(f"{actor}-adapter", [actor], **rights)
        harness.write_key(self.dir / "client.key", keys)
        region.hub.write_client_conf(self.dir / "client.conf", "client.key", "spool-dir = spool\n")
        (self.dir / "adapter.conf").write_text(
            f"state-dir = state\nstatus-file = status.json\nendpoint-file = endpoint\nhub\n    client-config = client.conf\n{conf}")
        self.start()

    def start(self):
        self.process = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir,
                                       "carehub-adapter")

    def url(self):
        path = self.dir / "endpoint"
        return harness.until(lambda: path.exists() and path.read_text().strip(), what="the endpoint").rstrip("/")


class Hl7Server:
    def __init__(self, kind, answers=""):
        self.port = harness.free_port()
        self.process = subprocess.Popen(["node", HERE / "node" / "hl7_server.mjs", kind, str(self.port), answers],
                                        stdout=subprocess.PIPE, text=True)
        self.messages = []
        assert json.loads(self.process.stdout.readline()) == "ready"
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.process.stdout:
            self.messages.append(hl7.parse(json.loads(line)))

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


class Webhook(http.server.BaseHTTPRequestHandler):
    """Answers with the statuses it is told to, then 200; keeps what came."""
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.came.append((status, dict(self.headers), body, self.path))
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def webhook(*statuses):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    server.statuses, server.came = list(statuses), []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


class OutTest(unittest.TestCase):
    def setUp(self):
        self.region = region = c.Region()
        self.addCleanup(region.close)
        region.actor("hospital", inbox=False)
        self.hospital = region.client("hospital-software", ["hospital"])
        region.actor("gp")
        region.operator.fact(patient_registered=reg.PatientRegistered(
            identifiers=[{"system": "ssin", "value": SSIN}, {"system": c.SYSTEM, "value": "p"}]))
        region.give_consent("p")
        region.operator.fact(member_added=reg.MemberAdded(patient=c.patient_ref("p"), actor="gp", role="gp"))

    def publish(self, **corrects):
        event = c.discharge("p", note="thuis, met wijkverpleging | ^ & ~ \\ é")
        event.patient.identifiers.add(system="ssin", value=SSIN)
        event.hospital_discharge.discharged_at.unix_ms = int(time.time() * 1000)
        for name, value in corrects.items():
            setattr(event, name, value)
        self.hospital.publish_one(event)
        return event

    def outlet(self, conf, **rights):
        outlet = Outlet(self.region, "gp", conf, **rights)
        self.addCleanup(outlet.process.stop)
        return outlet

    def inbox(self):
        return self.region.operator.ask(list=wire.ListQuery(kind=wire.LIST_INBOXES, name="gp")).inboxes[0]

    def await_inbox(self, **expected):
        harness.until(lambda: all(getattr(self.inbox(), k) == v for k, v in expected.items()), 40,
                      f"an inbox with {expected}; it is {self.inbox()}")


@unittest.skipUnless(shutil.which("node") and (HERE / "node_modules" / "node-hl7-server").is_dir(), "no node packages")
class Hl7OutTest(OutTest):
    def out(self, server):
        return self.outlet(f"out\n    transport = mllp\n    inbox = gp\n    endpoint = 127.0.0.1:{server.port}\n"
                           "format\n    plugin = hospital\n")

    def check_stay(self, kind):
        server = Hl7Server(kind)
        self.addCleanup(server.stop)
        self.out(server)
        first = self.publish()
        self.publish(amends=first.id)
        self.publish(retracts=first.id)
        self.await_inbox(undelivered=0, dead=0)
        came = {str(m["MSH"][0][10]): m for m in server.messages}  # node-hl7-server hands on earlier ones again
        self.assertEqual([str(m["MSH"][0][9][0][1]) for m in came.values()], ["A03", "A08", "A13"])
        for message in came.values():
            self.assertIn(SSIN, str(message["PID"][0][3]))
        self.assertIn("\\F\\ \\S\\ \\T\\ \\R\\ \\E\\ é", str(next(iter(came.values()))))

    def test_a_stay_reaches_medplum(self):
        self.check_stay("medplum")

    def test_a_stay_reaches_node_hl7_server(self):
        self.check_stay("node-hl7-server")


class WebhookTest(OutTest):
    KEY = "a key that both sides know"

    def out(self, server):
        key = harness.scratch_dir() / "hmac.key"
        key.write_text(self.KEY + "\n")
        key.chmod(0o600)
        return self.outlet(f"out\n    transport = http\n    inbox = gp\n    url = http://127.0.0.1:{server.server_port}/in\n"
                           f"    hmac-key-file = {key}\n"
                           "format\n    plugin = homecare\n    endpoint = http://hub.example/fhir\n    senders\n        x\n"
                           "            role = home-nurse\n")

    def check_signature(self, headers, body):
        parts = dict(p.split("=", 1) for p in headers["X-Carehub-Signature"].split(","))
        wanted = hmac.new(self.KEY.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
        self.assertTrue(hmac.compare_digest(wanted, parts["v1"]))

    def test_a_stay_with_corrections_goes_out_signed_as_fhir_messages(self):
        server = webhook(503, 500)
        self.addCleanup(server.shutdown)
        self.out(server)
        first = self.publish()
        self.publish(amends=first.id)
        self.publish(retracts=first.id)
        self.await_inbox(undelivered=0, dead=0)
        self.assertEqual([status for status, *_ in server.came], [503, 500, 200, 200, 200])
        codes = []
        for _, headers, body, path in server.came:
            self.assertEqual(path, "/in")
            self.check_signature(headers, body)
            bundle = json.loads(body)
            self.assertEqual((bundle["resourceType"], bundle["type"]), ("Bundle", "message"))
            header = bundle["entry"][0]["resource"]
            codes.append(header["eventCoding"]["code"])
        self.assertEqual(codes, ["notification-discharge"] * 5)
        self.assertEqual(server.came[0][1]["Idempotency-Key"], server.came[2][1]["Idempotency-Key"])


class FolderOutTest(OutTest):
    def test_events_land_as_whole_files_in_order(self):
        folder = harness.scratch_dir()
        self.outlet(f"out\n    transport = folder\n    inbox = gp\n    path = {folder}\n"
                    "format\n    plugin = homecare\n    senders\n        x\n            role = home-nurse\n")
        events = [self.publish() for _ in range(5)]
        self.await_inbox(undelivered=0)
        files = sorted(p for p in folder.iterdir() if p.is_file())
        self.assertEqual(len(files), 5, files)
        ids = [json.loads(p.read_text())["entry"][0]["resource"]["id"].replace("-", "") for p in files]
        self.assertEqual(ids, [e.id.hex() for e in events])


if __name__ == "__main__":
    unittest.main()
