#!/usr/bin/python3
"""The home-care adapter on a tablet that is often offline: what it has accepted, over HTTP or from its drop folder,
reaches the hub once and in order, whatever is killed, cut or switched off meanwhile. Persons are invented.

CAREHUB_SEED: when and what is killed and cut (1). CAREHUB_OFFLINE_SECONDS: how long it goes on, in each test (3)."""
import hashlib
import http.client
import json
import random
import secrets
import time
import unittest
import uuid

import client as c
import harness
import killing
import network
import power_cut
from carehub.v1 import event_pb2 as ev

SSIN = "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
PERSON = "38041200177"
TABLETS = ("tablet-1", "tablet-2")
CONFIG = """confirm-timeout-ms = 3000
in
    transport = http
    endpoint = 127.0.0.1:0
    credentials = credentials
in
    transport = folder
    path = drop
    settle-ms = 0
format
    plugin = homecare
    default-sender = office
    senders
        tablet-1
            actor = nursing
            role = home-nurse
            confirm = spool
        tablet-2
            actor = nursing
            role = home-nurse
            confirm = spool
        office
            actor = nursing
            role = home-nurse
            confirm = spool
"""


def fall(note):
    return json.dumps({
        "resourceType": "Observation", "status": "final", "subject": {"identifier": {"system": SSIN, "value": PERSON}},
        "identifier": [{"system": "urn:e2e:fall", "value": note}], "note": [{"text": note}],
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "1912002"}]},
        "effectiveDateTime": "2026-03-01T12:05:00+01:00"})


class Tablet:
    """Posts falls one after another, each again with its key until it is accepted."""

    def __init__(self, name, token, adapter):
        self.name, self.token, self.adapter = name, token, adapter
        self.accepted = []  # (note, event id), in order
        self.attempts = 0

    def post(self, note):
        """(status, id of the event); status 0: no answer."""
        self.attempts += 1
        to = http.client.HTTPConnection(self.adapter.address.split("//")[1].rstrip("/"), timeout=5)
        try:
            to.request("POST", "/fhir/Observation", fall(note), {
                "Content-Type": "application/fhir+json", "Authorization": f"Bearer {self.token}", "Idempotency-Key": note})
            answer = to.getresponse()
            location = answer.getheader("Location", "")
            answer.read()
            return answer.status, location.rsplit("/", 1)[-1]
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            to.close()

    def post_next(self):
        """Posts the next one. True if it is accepted."""
        note = f"{self.name} {len(self.accepted) + 1}"
        status, event_id = self.post(note)
        if status in (201, 202):
            self.accepted.append((note, event_id))
            return True
        assert status in (0, 503), f"{note}: {status}"
        time.sleep(0.02)
        return False

    def run(self, over):
        while not over.is_set():
            harness.until(self.post_next, 30, f"{self.name}'s being answered")


class Office:
    """Drops files of one to five falls."""

    def __init__(self, adapter, seed):
        self.adapter, self.random = adapter, random.Random(seed)
        self.files = []  # (name, notes)
        self.number = 0

    def drop(self):
        notes = [f"office {self.number + i + 1}" for i in range(self.random.randint(1, 5))]
        self.number += len(notes)
        name = f"{len(self.files) + 1:06}.ndjson"
        self.adapter.put(name, "\n".join(map(fall, notes)))
        self.files.append((name, notes))

    def run(self, over):
        while not over.wait(self.random.random() * 0.05):
            self.drop()

    def done(self):
        done = self.adapter.names("done")
        return [note for name, notes in self.files if name in done for note in notes]


class OfflineCase(unittest.TestCase):
    SPOOL = "spool-dir = spool\n"

    def setUp(self):
        self.region = c.Region()
        self.addCleanup(lambda: self.region.hub.stop())
        self.addCleanup(lambda: self.region.operator.close())
        self.region.actor("nursing", inbox=False)
        self.region.actor("gp")
        self.gp_keys = self.region.register_client("gp-software", ["gp"])
        self.region.patient(PERSON, [("gp", "gp"), ("nursing", "home-nurse")], system="ssin")
        self.proxy = network.LossyProxy(("127.0.0.1", int(self.region.hub.endpoint.rsplit(":", 1)[1])), harness.SEED)
        self.proxy.start()
        self.addCleanup(self.proxy.stop)
        self.adapter = killing.Adapter(self.proxy.endpoint, self.region.hub.public_key,
                                       self.region.register_client("nursing-tablet", ["nursing"]), CONFIG, self.SPOOL)
        tokens = {name: secrets.token_urlsafe(32) for name in TABLETS}
        credentials = self.adapter.dir / "credentials"
        credentials.write_text("".join(f"{n} {hashlib.sha256(t.encode()).hexdigest()}\n" for n, t in tokens.items()))
        credentials.chmod(0o600)
        self.addCleanup(self.adapter.stop)
        self.tablets = [Tablet(name, token, self.adapter) for name, token in tokens.items()]
        self.office = Office(self.adapter, harness.SEED)
        self.chaos = killing.Chaos(harness.SEED)
        self.addCleanup(self.chaos.over.set)

    def send_under(self, seconds, repair=lambda: None):
        for tablet in self.tablets:
            self.chaos.load(tablet.run, self.chaos.over)
        self.chaos.load(self.office.run, self.chaos.over)
        self.chaos.go(seconds, repair)

    def restart(self):
        self.adapter.kill()
        self.adapter.start()

    def expected(self):
        return sum(len(t.accepted) for t in self.tablets) + len(self.office.done())

    def lost(self, events):
        """What was accepted and did not come."""
        came = {e.fall_reported.note for e in events}
        accepted = [note for tablet in self.tablets for note, _ in tablet.accepted] + self.office.done()
        return [note for note in accepted if note not in came]

    def check(self):
        """Everything that was accepted is at the hub, once, in order, and nothing else."""
        self.assertEqual(self.adapter.names("failed"), set())
        events = killing.taken_by(self.region, self.gp_keys, "gp", self.expected())
        self.assertEqual(self.lost(events), [], f"seed {harness.SEED}")
        self.assertEqual({e.type for e in events}, {ev.FALL_REPORTED})
        notes = [e.fall_reported.note for e in events]
        ids = {e.fall_reported.note: str(uuid.UUID(bytes=e.id)) for e in events}
        for tablet in self.tablets:
            self.assertEqual([n for n in notes if n.startswith(tablet.name)], [n for n, _ in tablet.accepted])
            self.assertEqual({n: ids[n] for n, _ in tablet.accepted}, dict(tablet.accepted), "under the id that was answered")
        self.assertEqual([n for n in notes if n.startswith("office")], self.office.done())
        self.assertEqual(len(notes), self.expected(), "nothing else")

    def say(self, what):
        posts = sum(t.attempts for t in self.tablets)
        print(f"    seed {harness.SEED}: {what}; {sum(len(t.accepted) for t in self.tablets)} falls accepted of {posts} posts, "
              f"{len(self.office.files)} files with {self.office.number} falls", flush=True)

    def all_files_done(self):
        harness.until(lambda: not self.adapter.waiting(), 30, "the drop folder being worked through")


class KillTest(OfflineCase):
    def test_nothing_accepted_is_lost_however_often_adapter_hub_and_network_fail(self):
        self.adapter.start()
        hub = killing.HubKiller(self.region)
        self.chaos.every(0.4, self.restart)
        self.chaos.every(0.6, hub)
        self.send_under(killing.SECONDS, hub.end)
        self.proxy.lossy = False
        self.all_files_done()
        self.check()
        self.say(f"{self.adapter.kills} kills of the adapter, {hub.kills} of the hub, {self.proxy.cuts} cuts, "
                 f"{self.proxy.stalls} stalls")


@unittest.skipUnless(power_cut.available(), power_cut.WHY_NOT)
class PowerCutTest(OfflineCase):
    def test_power_cuts_lose_nothing_that_was_accepted(self):
        self.cut_power()
        self.check()
        self.say(f"{self.adapter.kills} power cuts, {self.adapter.power.undone} changes lost")

    def cut_power(self):
        """The hub can be reached now and then only, so that the spool is in use."""
        self.adapter.power = power_cut.Power(self.adapter.dir, random.Random(harness.SEED))
        self.adapter.start()
        self.chaos.every(0.3, self.restart)
        self.chaos.every(0.7, lambda: setattr(self.proxy, "away", not self.proxy.away))
        self.send_under(killing.SECONDS / 2)
        self.proxy.away = True
        for tablet in self.tablets:
            harness.until(tablet.post_next, 30, "its being accepted")
        self.adapter.power.worst = True
        self.restart()
        self.proxy.away = self.proxy.lossy = False
        self.all_files_done()


class FullSpoolTest(OfflineCase):
    SPOOL = "spool-dir = spool\nspool-max-bytes = 20000\n"

    def test_a_full_spool_refuses_and_loses_nothing(self):
        self.proxy.lossy, self.proxy.away = False, True
        self.adapter.start()
        tablet = self.tablets[0]
        while tablet.post_next():
            pass
        self.assertGreater(len(tablet.accepted), 10)
        self.assertIn("spool is full", self.adapter.process.said())
        for _ in range(3):
            self.restart()
            self.assertFalse(tablet.post_next(), "it is full after a restart, too")
        self.office.drop()
        time.sleep(0.5)
        self.assertEqual(self.office.done(), [], "the file waits")
        self.proxy.away = False
        harness.until(tablet.post_next, 30, "its being accepted")
        self.all_files_done()
        self.check()
        self.say("the spool was full")


if __name__ == "__main__":
    unittest.main()
