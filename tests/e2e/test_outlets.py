#!/usr/bin/python3
"""The way out over HTTP and into a folder, from a real hub: signatures as a receiver verifies them, receivers that are
down, adapters that are killed. Persons are invented."""
import hashlib
import hmac
import http.server
import json
import os
import threading
import time
import unittest

import client as c
import harness

KEY = "0123456789abcdef0123456789abcdef"
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
out
    inbox = gp
"""
WEBHOOK = CONFIG + """    transport = http
    url = http://127.0.0.1:{port}/in
    hmac-key-file = hmac.key
    bearer-token-file = token
"""
FOLDER = CONFIG + """    transport = folder
    path = out
"""


class Receiver(http.server.ThreadingHTTPServer):
    """Keeps the posts; answers with the statuses in `answers`, then 200."""

    daemon_threads = allow_reuse_address = True

    def __init__(self, port=0):
        self.posts, self.answers = [], []
        super().__init__(("127.0.0.1", port), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((dict(self.headers), body))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class OutletTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        self.region.actor("hospital", inbox=False)
        self.region.actor("gp")
        self.region.patient("4711", team=[("gp", "gp"), ("hospital", "hospital")])
        self.hospital = self.region.client("hospital-software", ["hospital"])
        self.dir = harness.scratch_dir()
        harness.write_key(self.dir / "client.key", self.region.register_client("gp-adapter", ["gp"]))
        self.region.hub.write_client_conf(self.dir / "client.conf", "client.key")
        for name, text in (("hmac.key", KEY + "\n"), ("token", "letmein\n")):
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o600)
        (self.dir / "out").mkdir()
        self.adapter = None
        self.addCleanup(lambda: self.adapter and self.adapter.stop())

    def start(self, config):
        (self.dir / "adapter.conf").write_text(config)
        self.adapter = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")

    def publish(self, count):
        for _ in range(count):
            self.hospital.publish_one(c.discharge("4711", "hospital"))

    def out(self):
        """The adapter's own account of its outlet."""
        try:
            return json.loads((self.dir / "status.json").read_text())["out"][0]
        except (FileNotFoundError, ValueError, KeyError, IndexError):
            return {}

    def receiver(self, port=0):
        receiver = Receiver(port)
        self.addCleanup(receiver.close)
        return receiver

    def test_a_webhook_is_signed_and_named(self):
        receiver = self.receiver()
        self.start(WEBHOOK.format(port=receiver.server_address[1]))
        self.publish(5)
        harness.until(lambda: len(receiver.posts) == 5)
        for headers, body in receiver.posts:
            signature = dict(part.split("=", 1) for part in headers["X-Carehub-Signature"].split(","))
            wanted = hmac.new(KEY.encode(), signature["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
            self.assertEqual(signature["v1"], wanted)
            self.assertLess(abs(int(signature["t"]) - time.time()), 60)
            self.assertEqual(headers["Authorization"], "Bearer letmein")
            self.assertEqual(headers["X-Carehub-Delivery"], headers["Idempotency-Key"])
            self.assertEqual(json.loads(body)["resourceType"], "Bundle")
        self.assertEqual(len({headers["Idempotency-Key"] for headers, _ in receiver.posts}), 5)
        for secret in ("4711", KEY, "letmein"):
            self.assertNotIn(secret, self.adapter.said())

    def test_a_receiver_that_is_down_gets_all_in_order_when_it_is_back(self):
        port = harness.free_port()
        self.start(WEBHOOK.format(port=port))
        self.publish(20)
        harness.until(lambda: self.out().get("downSinceMs"), what="the adapter's notice that it is down")
        self.assertEqual(self.out()["lastError"], "unreachable")
        receiver = self.receiver(port)
        receiver.answers = [503, 200, 429]
        harness.until(lambda: len(receiver.posts) >= 22, 60)
        ids = [headers["Idempotency-Key"] for headers, _ in receiver.posts]
        self.assertEqual((ids[0], ids[2]), (ids[1], ids[3]), "the same ones again, in place")
        self.assertEqual(len(set(ids)), 20)
        harness.until(lambda: self.out().get("sent") == 20 and self.out()["downSinceMs"] == 0)

    def test_what_is_gone_is_dead_and_what_is_not_taken_comes_again(self):
        receiver = self.receiver()
        receiver.answers = [410, 422]
        self.start(WEBHOOK.format(port=receiver.server_address[1]))
        self.publish(3)
        harness.until(lambda: len(receiver.posts) == 4, 30)  # the second once more, some seconds later
        ids = [headers["Idempotency-Key"] for headers, _ in receiver.posts]
        self.assertEqual(ids[3], ids[1])
        self.assertEqual(len(set(ids)), 3)
        harness.until(lambda: self.out().get("sent") == 2)
        self.assertEqual((self.out()["failed"], self.out()["again"]), (1, 1))
        self.assertIn("http-410", self.region.hub.cli("inbox", "dead", "gp"))

    def test_files_are_whole_and_in_order_however_often_it_is_killed(self):
        self.start(FOLDER)
        publisher = threading.Thread(target=self.publish, args=(60,))
        publisher.start()
        for _ in range(8):
            time.sleep(0.15)
            self.adapter.kill()
            self.start(FOLDER)
        publisher.join()

        def names():
            return sorted(n for n in os.listdir(self.dir / "out") if not n.endswith(".tmp"))

        harness.until(lambda: len(names()) >= 60, 30)
        time.sleep(1)
        self.assertEqual(len(names()), 60, "one file for each, also for what was sent again")
        for name in names():
            json.loads((self.dir / "out" / name).read_text())
        self.adapter.stop()
        self.assertEqual(len(os.listdir(self.dir / "out")), 60, "no leftovers")


if __name__ == "__main__":
    unittest.main()
