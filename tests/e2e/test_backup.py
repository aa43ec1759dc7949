#!/usr/bin/python3
"""The drill: a backup is made while events come in, the database is lost, the backup is put back, and the hub goes on; what
was published after the backup is sent again and taken. A backup that is damaged is refused, and changes nothing."""
import os
import subprocess
import threading
import unittest

import client as c
import harness
from carehub.v1 import event_pb2 as ev


class BackupTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        self.hub = self.region.hub
        for name in ("hospital", "gp"):
            self.region.actor(name)
        self.keys = {name: self.region.register_client(name, [name]) for name in ("hospital", "gp")}
        self.hospital = self.connect("hospital")
        self.region.patient("one", team=[("gp", "gp")])
        self.sent = []

    def connect(self, name):
        client = self.region.connect(self.keys[name])
        self.region.clients.append(client)
        return client

    def send(self, items):
        for i in range(0, len(items), 250):
            self.hospital.confirmations(self.hospital.send(*[[item] for item in items[i:i + 250]]))

    def publish(self, count):
        """Publishes, and remembers what was confirmed."""
        items = [c.event_item(c.discharge("one")) for _ in range(count)]
        self.send(items)
        self.sent += items

    def restore(self, backup, status=0):
        argv = [str(harness.CLI), "restore", str(backup), "--hub-config", str(self.hub.dir / "hub.conf"), "--carehubd",
                str(harness.HUBD)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def files(self):
        return {path.name: path.read_bytes() for path in self.hub.dir.glob("hub.db*")
                if path.is_file() and path.suffix != ".lock"}

    def back_up_in_traffic(self):
        backup = self.hub.dir / "hub.backup"
        stop = threading.Event()

        def go_on():
            while not stop.is_set():
                self.publish(50)

        traffic = threading.Thread(target=go_on)
        traffic.start()
        try:
            self.assertIn("sealed with the key of epoch 1", self.hub.cli("backup", backup))
        finally:
            stop.set()
            traffic.join()
        return backup

    def test_the_drill(self):
        self.publish(2000)
        backup = self.back_up_in_traffic()
        self.assertEqual(os.stat(backup).st_mode & 0o777, 0o600)
        self.assertFalse([name for name in os.listdir(self.hub.dir) if name.startswith("hub.db.backup")])
        self.hub.cli("backup", backup, status=1)  # it replaces no file
        self.publish(300)
        self.assertIn("another", self.restore(backup, status=1))  # not while the hub runs

        self.hub.kill()
        for suffix in ("", "-wal", "-shm"):
            (self.hub.dir / f"hub.db{suffix}").unlink(missing_ok=True)
        self.assertIn("all sound", self.restore(backup))
        self.hub.start()
        self.hospital = self.connect("hospital")
        self.send(self.sent)  # what was in the backup is known again, what came after it is taken
        gp = self.connect("gp")
        attached = gp.attach("gp")
        ids = {ev.Event.FromString(d.event).id for d in gp.deliveries(attached, len(self.sent), timeout_s=30)}
        self.assertTrue(ids == {ev.Event.FromString(item.event).id for item in self.sent}, "not what was published")
        self.assertTrue(gp.silent(0.3, "deliver"))

    def test_a_damaged_backup_changes_nothing(self):
        self.publish(500)
        backup = self.hub.dir / "hub.backup"
        self.hub.cli("backup", backup)
        self.publish(10)
        self.region.operator.close()
        self.hub.stop()
        content = bytearray(backup.read_bytes())
        content[len(content) // 2] ^= 1
        backup.write_bytes(content)
        before = self.files()
        self.assertIn("damaged, was altered or cut short", self.restore(backup, status=1))
        self.assertTrue(self.files() == before, "something has changed")
        self.hub.start()


if __name__ == "__main__":
    unittest.main()
