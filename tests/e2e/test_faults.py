#!/usr/bin/python3
"""What the hub promises when the world around it fails: the disk fills up, the clock jumps, a receiver hangs, the network
drops and stalls. Each promise is in the name of its test."""
import errno
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import unittest

import client as c
import harness
import network
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

IMMEDIATE = log.LANE_IMMEDIATE


def make_region(**hub):
    """A hospital that publishes about one patient, and a GP that is told."""
    region = c.Region(**hub)
    region.actor("hospital", inbox=False)
    region.hospital_keys = region.register_client("hospital-software", ["hospital"])
    region.actor("gp")
    region.gp_keys = region.register_client("gp-software", ["gp"])
    region.patient("p", [("gp", "gp")])
    return region


class DiskFullTest(unittest.TestCase):
    """A small disk of its own, which a file fills up."""

    SIZE_MB, RESERVE_MB = 420, 256

    def setUp(self):
        self.disk = harness.scratch_dir() / "disk"
        self.disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self.SIZE_MB}m,mode=0700", "tmpfs", self.disk],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.disk)], check=True)
        self.region = make_region(database=self.disk / "hub.db")
        self.hospital = self.region.connect(self.region.hospital_keys)
        self.addCleanup(self.hospital.close)

    def fill(self, leaving_mb):
        """The hub writes meanwhile: what is free is asked again if it was too much."""
        with open(self.disk / "filler", "wb") as filler:
            def filled():
                free = os.statvfs(self.disk)
                size = free.f_bavail * free.f_frsize - leaving_mb * (1 << 20)
                try:
                    os.posix_fallocate(filler.fileno(), 0, max(size, 1))
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    return False
                return True

            harness.until(filled, 5, "a full disk")

    def make_room(self):
        (self.disk / "filler").unlink()

    def refused(self):
        confirmation = self.hospital.publish(c.discharge("p"))[0]
        return confirmation.status == c.REJECTED and confirmation.error.code == wire.DISK_FULL and confirmation.error

    def accepted(self):
        return self.hospital.publish(c.discharge("p"))[0].status == c.CONFIRMED

    def test_publishing_stops_first_and_withdrawals_acks_and_deliveries_go_on(self):
        self.addCleanup(self.region.close)
        self.assertTrue(self.accepted())
        self.fill(leaving_mb=self.RESERVE_MB - 20)
        error = harness.until(self.refused, what="the refusal of an event")
        self.assertTrue(error.retry)
        self.assertIn("disk", error.text)
        gp = self.region.connect(self.region.gp_keys)
        self.addCleanup(gp.close)
        attached = gp.attach("gp")
        taken = self.region.operator.ask(status=wire.StatusQuery()).undelivered
        gp.deliveries(attached, taken)
        gp.ack(attached, IMMEDIATE, 1, taken)
        withdrawn = self.region.operator.fact(consent_withdrawn=reg.ConsentWithdrawn(patient=c.patient_ref("p")))
        self.assertEqual(withdrawn.status, c.CONFIRMED)
        status = self.region.operator.ask(status=wire.StatusQuery())
        self.assertEqual(status.undelivered, 0)
        self.region.give_consent("p")
        self.make_room()
        harness.until(self.accepted, what="an event taken again, by itself")

    def test_when_the_reserve_is_gone_too_it_stops_and_has_lost_nothing_confirmed(self):
        confirmed = [e for e in (c.discharge("p") for _ in range(50)) if self.hospital.publish(e)[0].status == c.CONFIRMED]
        self.assertEqual(len(confirmed), 50)
        self.fill(leaving_mb=0)
        for _ in range(5000):  # withdrawals still go into the reserve; there is none
            if not self.region.hub.process.alive():
                break
            fact = c.fact_item(consent_given=reg.ConsentGiven(patient=c.patient_ref("p"), purposes=["continuity-of-care"]))
            try:
                self.region.operator.confirmations(self.region.operator.send([fact]), timeout_s=1)
            except TimeoutError:
                break
        harness.until(lambda: not self.region.hub.process.alive(), what="the hub's end")
        said = self.region.hub.process.said()
        self.assertIn("full", said)
        harness._running.remove(self.region.hub.process)
        self.make_room()
        self.region.hub.start()
        self.addCleanup(self.region.hub.stop)
        gp = self.region.connect(self.region.gp_keys)
        self.addCleanup(gp.close)
        came = {c.ev.Event.FromString(d.event).id for d in gp.deliveries(gp.attach("gp"), 50)}
        self.assertEqual(came, {e.id for e in confirmed})
        self.region.operator.close()


class ClockTest(unittest.TestCase):
    """The clock jumps while the hub runs."""

    def setUp(self):
        self.clock = harness.FakeClock()
        self.region = make_region(environment=self.clock.environment)
        self.addCleanup(self.region.close)
        self.hospital = self.region.connect(self.region.hospital_keys)
        self.addCleanup(self.hospital.close)
        self.gp = self.region.connect(self.region.gp_keys)
        self.addCleanup(self.gp.close)

    def suspect(self):
        return self.region.operator.ask(status=wire.StatusQuery()).clock_suspect

    def check_jump(self, seconds):
        """An undated member gets its events throughout; one whose membership ends by date waits."""
        until_ms = int(time.time() + 3600) * 1000
        self.region.actor("nurse")
        nurse_keys = self.region.register_client("nurse-software", ["nurse"])
        self.region.patient("dated")
        self.region.operator.fact(member_added=reg.MemberAdded(
            patient=c.patient_ref("dated"), actor="nurse", role="home-nurse", until_ms=until_ms))
        first = self.hospital.publish_one(c.discharge("p"))
        self.hospital.publish_one(c.discharge("dated"))
        self.clock.set(seconds)
        harness.until(self.suspect, what="the jump being noticed")
        second = self.hospital.publish_one(c.discharge("p"))
        self.assertGreater(second.place, first.place)
        came = self.gp.deliveries(self.gp.attach("gp"), 2)
        self.assertEqual([d.place for d in came], [first.place, second.place], "order unchanged, nothing lost")
        nurse = self.region.connect(nurse_keys)
        self.addCleanup(nurse.close)
        nurse.attach("nurse")
        self.assertTrue(nurse.silent(1.5, "deliver", "skip"), "neither delivered nor taken for expired")
        self.assertLess(abs(self.region.operator.export()[-1].at_ms / 1000 - time.time()), 60, "no entry bears a wrong time")
        self.clock.set(0)
        self.region.hub.stop()
        self.region.hub.start()
        self.region.operator.close()
        self.region.operator = self.region.connect(self.region.hub.operator_keys)
        self.assertFalse(self.suspect(), "right again after the operator's restart")
        nurse = self.region.connect(nurse_keys)
        self.addCleanup(nurse.close)
        self.assertEqual(len(nurse.deliveries(nurse.attach("nurse"), 1)), 1)

    def test_a_jump_ahead_loses_nothing_and_expires_nothing(self):
        self.check_jump(2 * 3600)

    def test_a_jump_back_loses_nothing(self):
        self.check_jump(-2 * 3600)


RECEIVER = """
import sys
sys.path.insert(0, {here!r})
import client, harness
with client.Client({endpoint!r}, bytes.fromhex({hub_key!r}), tuple(map(bytes.fromhex, {keys!r}))) as c:
    c.hello()
    attached = c.attach("gp")
    print("attached", flush=True)
    while True:
        batch = c.expect("deliver", timeout_s=3600).deliveries
"""


class SlowReceiverTest(unittest.TestCase):
    """A receiver that is stopped in its tracks while much is published: twice as much as the hub's caches hold."""

    EVENTS, NOTE, BATCH = 4000, "x" * 40000, 20
    ALLOWED_MB = EVENTS * len(NOTE) // 4 // 1_000_000

    def setUp(self):
        self.region = region = make_region(environment={"ASAN_OPTIONS": "quarantine_size_mb=4"})
        self.addCleanup(region.close)
        region.actor("pharmacy")
        pharmacy_keys = region.register_client("pharmacy-software", ["pharmacy"])
        region.operator.fact(member_added=reg.MemberAdded(patient=c.patient_ref("p"), actor="pharmacy",
                                                          role="pharmacist"))
        script = RECEIVER.format(here=str(pathlib.Path(__file__).parent), endpoint=region.hub.endpoint,
                                 hub_key=region.hub.public_key.hex(), keys=[k.hex() for k in region.gp_keys])
        hung = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        self.addCleanup(hung.wait)
        self.addCleanup(hung.kill)
        self.addCleanup(hung.stdout.close)
        self.assertEqual(hung.stdout.readline().strip(), "attached")
        hung.send_signal(signal.SIGSTOP)
        self.hospital, self.pharmacy = region.connect(region.hospital_keys), region.connect(pharmacy_keys)
        self.addCleanup(self.hospital.close)
        self.addCleanup(self.pharmacy.close)
        self.attached = self.pharmacy.attach("pharmacy")

    def publish(self, count):
        """Publishes so many; the other receiver gets each at once."""
        for _ in range(count // self.BATCH):
            refs = self.hospital.send(*[[c.event_item(c.discharge("p", note=self.NOTE))] for _ in range(self.BATCH)])
            self.assertEqual({x.status for x in self.hospital.confirmations(refs)}, {c.CONFIRMED})
            got = self.pharmacy.deliveries(self.attached, self.BATCH)
            self.pharmacy.ack(self.attached, IMMEDIATE, got[0].number, got[-1].number)
            self.pharmacy.credit(self.attached, len(got), 4 << 20)

    def test_a_hung_receiver_costs_disk_not_memory_and_harms_nobody(self):
        self.publish(self.EVENTS)
        before = self.rss_mb(self.region)
        self.publish(self.EVENTS)
        after = self.rss_mb(self.region)
        self.assertLess(after - before, self.ALLOWED_MB, f"grew from {before} to {after} MB")

    @staticmethod
    def rss_mb(region):
        with open(f"/proc/{region.hub.process.process.pid}/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE") >> 20


class LossyNetworkTest(unittest.TestCase):
    """Publishers and receivers that only reach the hub over a network that drops and stalls."""

    EVENTS = 400

    def publish_all(self, proxy, region, events):
        """Sends each again, with the same id, until it is confirmed."""
        waiting = {e.id: e for e in events}
        while waiting:
            with c.Client(proxy.endpoint, region.hub.public_key, region.hospital_keys) as client:
                try:
                    client.hello(timeout_s=2)
                    while waiting:
                        batch = list(waiting.values())[:10]
                        refs = client.send(*[[c.event_item(e)] for e in batch])
                        for event, answer in zip(batch, client.confirmations(refs, timeout_s=1.5)):
                            assert answer.status in (c.CONFIRMED, c.REPEATED), answer.error.text
                            del waiting[event.id]
                except (TimeoutError, c.Refused):
                    continue

    def receive_all(self, proxy, region, wanted):
        """Attaches again after each break. What was acknowledged does not come again."""
        came, numbers = {}, {}
        deadline = time.monotonic() + 90
        while wanted - came.keys() and time.monotonic() < deadline:
            with c.Client(proxy.endpoint, region.hub.public_key, region.gp_keys) as client:
                try:
                    client.hello(timeout_s=2)
                    attached = client.attach("gp", events=20)
                    while wanted - came.keys():
                        for d in client.expect("deliver", timeout_s=1.5).deliveries:
                            event = c.ev.Event.FromString(d.event).id
                            assert numbers.setdefault(d.number, event) == event, "a number stands for one event only"
                            came[event] = came.get(event, 0) + 1
                            client.ack(attached, IMMEDIATE, d.number, d.number)
                            client.credit(attached, 1)
                except (TimeoutError, c.Refused):
                    continue
        return came

    def test_nothing_is_lost_and_only_what_was_not_acknowledged_comes_again(self):
        region = make_region()
        self.addCleanup(region.close)
        port = int(region.hub.endpoint.rsplit(":", 1)[1])
        proxy = network.LossyProxy(("127.0.0.1", port), harness.SEED)
        proxy.start()
        self.addCleanup(proxy.stop)
        events = [c.discharge("p") for _ in range(self.EVENTS)]
        publisher = threading.Thread(target=self.publish_all, args=(proxy, region, events))
        publisher.start()
        came = self.receive_all(proxy, region, {e.id for e in events})
        publisher.join(60)
        self.assertEqual(came.keys(), {e.id for e in events})
        self.assertGreater(proxy.cuts + proxy.stalls, 5, "the network was bad")
        proxy.lossy = False
        time.sleep(0.3)
        with c.Client(proxy.endpoint, region.hub.public_key, region.gp_keys) as client:
            client.hello()
            client.attach("gp")
            self.assertTrue(client.silent(0.5, "skip"))
            rest = [m for m in client.kept if m.WhichOneof("message") == "deliver"]
            self.assertLessEqual(sum(len(m.deliver.deliveries) for m in rest), 20, "at most one window")


if __name__ == "__main__":
    unittest.main()
