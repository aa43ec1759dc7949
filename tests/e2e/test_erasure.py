#!/usr/bin/python3
"""Erasure from the command line, with a registrar who asks and an auditor who confirms: of a person whose record was
merged with another's, and of what names a carer. Afterwards nothing of it is in any file of the hub, nor in a copy of
the database of before once the epoch of that time is destroyed."""
import json
import shutil
import subprocess
import unittest
import uuid

import client as c
import harness
from carehub.v1 import registry_pb2 as reg

MARKER = "Vandermarkeling"


class ErasureTest(unittest.TestCase):
    def setUp(self):
        self.begin()
        self.addCleanup(self.end)

    def begin(self):
        self.region = c.Region()
        self.hub = self.region.hub
        for name in ("hospital", "gp"):
            self.region.actor(name)
        self.hospital = self.region.client("hospital", ["hospital"])
        self.region.patient("first", team=[("gp", "gp")])
        self.region.patient("second", team=[("gp", "gp")])
        keys = self.region.register_client("auditor", [], roles=[reg.AUDITOR])
        harness.write_key(self.hub.dir / "auditor.key", keys)
        self.auditor = self.hub.dir / "auditor.conf"
        self.hub.write_client_conf(self.auditor, "auditor.key")

    def end(self):
        for connected in (self.region.operator, *self.region.clients):
            connected.close()
        if self.hub.process.alive():
            self.hub.stop()

    def publish(self, patient, note):
        event = c.discharge(patient, note=note)
        self.hospital.confirmations(self.hospital.send([c.event_item(event)]))
        return event.id

    def erase(self, *whom):
        self.hub.cli("erase", *whom, "--reason", "asked for")
        waiting = self.hub.cli("erase", "--list", config=self.auditor).split()[0]
        self.hub.cli("erase", "--confirm", waiting, config=self.auditor)
        harness.until(lambda: "none is under way" in self.hub.cli("erase", "--list"), what="the end of the erasure")

    def opens(self, event_id):
        argv = [str(harness.CLI), "open", str(uuid.UUID(bytes=event_id)), "--purpose", "test", "--config", str(self.auditor)]
        return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0

    def known(self, patient):
        argv = [str(harness.CLI), "patient", "show", f"{c.SYSTEM}|{patient}", "--config",
                str(self.hub.dir / "carehub.conf")]
        return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0

    def merge(self, verb):
        self.hub.cli("patient", verb, f"{c.SYSTEM}|first", "P2")

    def test_merged_person_goes_whole_by_either_number(self):
        for number in ("P1", "P2"):
            with self.subTest(number=number):
                events = [self.publish("first", "a"), self.publish("second", "b")]
                self.merge("merge")
                events += [self.publish("first", "c"), self.publish("second", "d")]
                self.assertTrue(all(self.opens(event) for event in events))
                self.erase("--patient", number)
                self.assertFalse(any(self.opens(event) for event in events))
                self.assertFalse(self.known("first") or self.known("second"))
                self.end()
                self.begin()

    def test_separated_again_each_goes_alone(self):
        before = self.publish("first", "a"), self.publish("second", "b")
        self.merge("merge")
        meanwhile = self.publish("first", "c"), self.publish("second", "d")
        self.merge("separate")
        after = self.publish("first", "e"), self.publish("second", "f")
        self.erase("--patient", "P2")
        for first, second in (before, meanwhile, after):
            self.assertTrue(self.opens(first))
            self.assertFalse(self.opens(second))
        self.assertTrue(self.known("first"))
        self.assertFalse(self.known("second"))
        self.hub.kill()
        self.hub.start()
        self.assertEqual(self.hub.cli_json("status")["damaged"], "0")
        self.assertFalse(any(self.opens(second) for _, second in (before, meanwhile, after)))

    def holding(self, text):
        return [path.name for path in self.hub.dir.rglob("*")
                if path.is_file() and text.encode() in path.read_bytes() and path.name != "carehubd.log"]

    def test_carers_name_is_in_no_file_before_and_after(self):
        self.hub.cli("actor", "add", "dr-m", "--kind", "professional", "--display", f"Dr {MARKER}")
        self.hub.cli("actor", "set", "dr-m", "--display", f"Prof {MARKER}")
        self.assertIn(MARKER, self.hub.cli("actor", "list"))
        self.assertEqual(self.holding(MARKER), [])
        self.erase("--actor", "dr-m")
        self.assertNotIn(MARKER, self.hub.cli("actor", "list") + self.hub.cli("log", "export"))
        self.assertEqual(self.holding(MARKER), [])
        self.hub.kill()
        self.assertEqual(self.holding(MARKER), [])
        self.assertNotIn(MARKER, self.hub.process.said())
        self.hub.start()
        self.assertEqual(self.hub.cli_json("status")["damaged"], "0")

    def test_copy_of_before_opens_no_more_once_its_epoch_is_destroyed(self):
        self.publish("first", MARKER)
        self.hub.kill()
        for name in ("hub.db", "hub.db-wal"):
            if (self.hub.dir / name).exists():
                shutil.copy(self.hub.dir / name, self.hub.dir / f"{name}.before")
        self.hub.start()
        self.erase("--patient", "P1")
        self.hub.cli("keys", "rotate-epoch", "--reason", "test")
        harness.until(lambda: not json.loads(self.hub.cli("keys", "list", "--json")).get("rewrapping"),
                      what="the keys wrapped anew")
        harness.until(lambda: "epoch 2" in self.hub.cli("keys", "list"), what="the second epoch")
        self.hub.cli("keys", "destroy-epoch", "1", "--reason", "test")
        harness.until(lambda: "epoch 1 " not in self.hub.cli("keys", "list"), what="the end of the first epoch")
        self.hub.kill()
        for name in ("hub.db", "hub.db-wal"):
            (self.hub.dir / name).unlink(missing_ok=True)
            if (self.hub.dir / f"{name}.before").exists():
                shutil.copy(self.hub.dir / f"{name}.before", self.hub.dir / name)
        with self.assertRaises(AssertionError):
            self.hub.start()
        self.assertIn("is not the keyring of", self.hub.process.said()[-2000:])


if __name__ == "__main__":
    unittest.main()
