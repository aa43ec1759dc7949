#!/usr/bin/python3
"""The audit log of a hub whose first entries are too old to be kept, and are pruned from its files (prune-tiles): what can
still be proved, what cannot be any more and how that is said, and that nobody else can call it pruning when files are
missing. The hub has been there for 100 days: its clock is libfaketime's."""
import json
import shutil
import subprocess
import unittest

import client as c
import harness
import tlog_verifier as tlog
from test_audit_log import Log, PERSON
from test_audit_sumdb import Verifier, available

DAY = 86400
ENTRIES = 3000  # the last 2000 always stay
SETTINGS = ("checkpoint-every-seconds = 1\npayload-retention-days = 1\nentry-retention-days = 30\nprune-tiles = yes\n")


class AgedLog(Log):
    def __init__(self):
        self.clock = harness.FakeClock(-100 * DAY)
        super().__init__(SETTINGS, environment=self.clock.environment)

    def readings(self, count):
        """Each leaves an entry."""
        for _ in range(count):
            self.operator.ask(patient=c.wire.PatientQuery(patient=c.patient_ref(PERSON)))

    def age(self):
        """100 days go by in a restart; then minute after minute, until the files have gone."""
        self.hub.stop()
        self.clock.set(0)
        self.hub.start()
        self.again()
        for minute in range(1, 12):
            self.clock.set(61 * minute)
            try:
                harness.until(lambda: tlog.read_minimum(self.directory, self.key) and
                              not (self.directory / "tile/entries/000").exists(), 2)
                return tlog.read_minimum(self.directory, self.key)
            except TimeoutError:
                pass
        raise AssertionError(f"nothing was pruned:\n{self.hub.process.said()[-2000:]}")


class PrunedTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = log = AgedLog()
        cls.addClassCleanup(log.close)
        cls.dir = log.hub.dir
        log.readings(100)
        cls.first = cls.write("first-checkpoint", log.checkpoint())
        log.hub.cli("audit", "export", "--tiles", cls.dir / "early")
        cls.receipt = cls.write("old-receipt", log.hub.cli("audit", "prove", 50))
        log.readings(ENTRIES)
        cls.full = cls.write("full-checkpoint", log.checkpoint())
        log.hub.cli("audit", "export", "--tiles", cls.dir / "archive")
        cls.minimum = log.age()
        log.readings(10)
        cls.last = cls.write("last-checkpoint", log.checkpoint())

    @classmethod
    def write(cls, name, text):
        path = cls.dir / name
        path.write_text(text)
        return path

    def cli(self, *arguments, status=0):
        """What it says, on either stream."""
        argv = [str(harness.CLI), *map(str, arguments), "--config", str(self.dir / "carehub.conf")]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def copy(self, name):
        self.log.checkpoint()  # so that nothing is replaced meanwhile
        shutil.copytree(self.log.directory, self.dir / name)
        return self.dir / name

    def test_what_is_left_is_a_sound_log_to_anybody(self):
        self.assertGreater(self.minimum, 256)
        self.assertEqual(self.minimum % 256, 0)
        copy = self.copy("copy")
        checkpoint, first, leaves = tlog.verify_pruned(copy, self.log.key, self.minimum)
        self.assertEqual(first, self.minimum)
        self.assertEqual(first + len(leaves), checkpoint.size)
        said = self.cli("audit", "verify", "--tiles", copy, "--key", self.log.key_text, "--since", self.full)
        self.assertIn(f"But for the first {self.minimum:,}, which are pruned", said)
        said = json.loads(self.cli("audit", "verify", "--tiles", copy, "--json"))
        self.assertEqual((said["pruned"], said["entries"]), (str(self.minimum), str(checkpoint.size)))

    @unittest.skipUnless(available(), "needs golang.org/x/mod/sumdb")
    def test_what_is_left_is_a_sound_log_to_the_go_library(self):
        verifier = Verifier()
        self.addCleanup(verifier.close)
        copy = self.copy("go-copy")
        self.assertIn(f"from {self.minimum} ", verifier.tiles(copy, self.log.key_text, 1, self.minimum))
        with self.assertRaises(tlog.Wrong):
            verifier.tiles(copy, self.log.key_text, 100, self.minimum - 256)
        verifier.ask("consistency", self.full, self.last, copy, self.log.key_text)
        with self.assertRaises(tlog.Wrong):
            verifier.ask("consistency", self.first, self.last, copy, self.log.key_text)

    def test_the_store_is_verified_and_says_what_is_pruned(self):
        said = self.cli("audit", "verify")
        self.assertIn(f"The first {self.minimum:,} are too old to be kept, and pruned", said)
        said = json.loads(self.cli("audit", "verify", "--json"))
        self.assertTrue(said["agrees"])
        self.assertEqual((said["wrong"], said["minimum"]), ("0", str(self.minimum)))
        self.assertGreaterEqual(int(said["pruned"]), self.minimum)

    def test_receipts_of_before_stay_valid_and_new_ones_are_of_what_is_kept(self):
        self.assertIn("Entry #50 is in the log",
                      self.cli("audit", "check-receipt", self.receipt, "--key", self.log.key_text))
        self.assertIn("entry #50 is too old to be kept, and was pruned", self.cli("audit", "prove", 50, status=1))
        kept = json.loads(self.cli("log", "export").splitlines()[0])["entry"]["place"]
        tlog.check_receipt(self.log.hub.cli("audit", "prove", kept), self.log.key)

    def test_old_checkpoints_are_compared_while_that_can_be_done(self):
        self.cli("audit", "consistency", self.full, self.last, "--key", self.log.key_text)
        said = self.cli("audit", "consistency", self.first, self.last, status=1)
        self.assertIn("the hub has pruned", said)
        self.assertIn("A copy of its files that was made before still has it", said)
        copy = self.copy("copy-of-tiles")
        self.assertIn("was pruned with", self.cli("audit", "consistency", self.first, self.last, "--tiles", copy, status=1))
        said = self.cli("audit", "verify", "--tiles", copy, "--since", self.first, status=1)
        self.assertIn("covers only entries that have been pruned", said)

    def test_an_export_of_before_goes_on_and_keeps_everything(self):
        archive = self.dir / "archive"
        self.cli("audit", "export", "--tiles", archive)
        checkpoint, leaves = tlog.verify_tiles(archive, self.log.key)
        self.assertEqual(len(leaves), checkpoint.size)
        self.assertNotIn("pruned", self.cli("audit", "verify", "--tiles", archive, "--since", self.first))
        self.cli("audit", "consistency", self.first, self.last, "--tiles", archive)

    def test_a_new_export_says_what_it_lacks_and_goes_on(self):
        new = self.dir / "new"
        self.assertIn(f"The first {self.minimum:,} of them are pruned", self.cli("audit", "export", "--tiles", new))
        self.assertEqual(tlog.read_minimum(new, self.log.key), self.minimum)
        self.log.readings(5)
        self.log.checkpoint()
        self.cli("audit", "export", "--tiles", new)
        tlog.verify_pruned(new, self.log.key, self.minimum)

    def test_an_export_that_is_too_far_behind_is_kept_as_it_is(self):
        early = self.dir / "early"
        self.assertIn("and the hub has pruned the first", self.cli("audit", "export", "--tiles", early, status=1))
        tlog.verify_tiles(early, self.log.key)

    def test_nobody_else_can_call_it_pruning(self):
        copy = self.copy("robbed")
        self.cli("audit", "verify", "--tiles", copy, "--key", self.log.key_text)
        note = (copy / "minimum-index").read_text()
        gone = copy / tlog.tile_path("entries", self.minimum // 256, 256)
        gone.unlink()
        self.assertIn("missing", self.cli("audit", "verify", "--tiles", copy, "--key", self.log.key_text, status=1))
        (copy / "minimum-index").write_text(note.replace(f"\n{self.minimum}\n", f"\n{self.minimum + 256}\n"))
        self.assertIn("not signed", self.cli("audit", "verify", "--tiles", copy, "--key", self.log.key_text, status=1))
        (copy / "minimum-index").unlink()
        self.assertIn("missing", self.cli("audit", "verify", "--tiles", copy, "--key", self.log.key_text, status=1))


class ResumedTest(unittest.TestCase):
    def test_a_new_log_begins_with_the_tree_and_the_old_one_is_exported(self):
        log = AgedLog()
        self.addCleanup(log.close)
        log.readings(ENTRIES)
        log.checkpoint()
        minimum = log.age()
        log.hub.stop()
        shutil.copy2(log.hub.dir / "hub.db", log.hub.dir / "backup")
        log.hub.start()
        log.again()
        log.readings(20)
        lost = tlog.Checkpoint(log.checkpoint().encode())
        log.hub.stop()
        for suffix in ("-wal", "-shm"):
            (log.hub.dir / f"hub.db{suffix}").unlink(missing_ok=True)
        shutil.copy2(log.hub.dir / "backup", log.hub.dir / "hub.db")
        log.hub.start()
        log.again()
        harness.until(log.not_signing, what="the hub's refusal to sign")
        log.hub.cli("audit", "resume", "--reason", "an old backup was put back")
        harness.until((log.directory / "2" / "checkpoint").exists, what="the new log's checkpoint")
        second, first = log.hub.dir / "second", log.hub.dir / "first"
        log.hub.cli("audit", "export", "--tiles", second)
        log.hub.cli("audit", "export", "--tiles", first, "--generation", "1")
        for directory, origin in ((second, "e2e/2"), (first, "e2e")):
            checkpoint, _, _ = tlog.verify_pruned(directory, log.key, minimum)
            self.assertEqual(checkpoint.origin, origin)
            self.assertEqual(tlog.read_minimum(directory, log.key), minimum)
            log.hub.cli("audit", "verify", "--tiles", directory, "--key", log.key_text)
        self.assertEqual(tlog.Checkpoint((first / "checkpoint").read_bytes()).root, lost.root)
        log.hub.cli("audit", "consistency", first / "checkpoint", first / "checkpoint")
        log.hub.cli("audit", "export", "--tiles", log.hub.dir / "third", "--generation", "3", status=1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
