#!/usr/bin/python3
"""What an operator is told after a backup was put back: who was erased since and is there again, that the audit log has
to be begun anew, and what the old databases beside it still hold. And that what the hub then says of its safety is true
of the database that is there now."""
import shutil
import subprocess
import time
import unittest

import client as c
import harness
import test_audit_log as audit
import tlog_verifier as tlog
from carehub.v1 import registry_pb2 as reg


class RestoredTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region(settings=audit.EVERY_SECOND)
        self.addCleanup(self.region.close)
        self.hub = self.region.hub
        self.region.actor("gp")
        self.region.patient("first", team=[("gp", "gp")])
        self.region.patient("second", team=[("gp", "gp")])
        keys = self.region.register_client("auditor", [], roles=[reg.AUDITOR])
        harness.write_key(self.hub.dir / "auditor.key", keys)
        self.auditor = self.hub.dir / "auditor.conf"
        self.hub.write_client_conf(self.auditor, "auditor.key")
        self.backup = self.hub.dir / "hub.backup"
        self.hub.cli("backup", self.backup)

    def erase(self, *whom):
        """Asks, then runs the command that it was told; waits for the end."""
        said = self.hub.cli("erase", *whom, "--reason", "asked for")
        command = said.splitlines()[-1].split()
        self.assertEqual(command[:3], ["carehub", "erase", "--confirm"])
        self.hub.cli(*command[1:], config=self.auditor)
        harness.until(lambda: "none is under way" in self.hub.cli("erase", "--list"), what="the end of the erasure")

    def restore(self):
        argv = [str(harness.CLI), "restore", str(self.backup), "--hub-config", str(self.hub.dir / "hub.conf"), "--carehubd",
                str(harness.HUBD)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_it_says_who_is_back_and_what_has_to_be_done(self):
        self.region.patient("third", team=[("gp", "gp")])
        self.erase("--patient", "P2")
        self.erase("--patient", "P3")  # is not in the backup
        self.hub.cli("audit", "checkpoint", "--wait")
        self.hub.kill()
        said = self.restore()
        self.assertIn("carehub erase --patient P2 --reason", said)
        self.assertNotIn("P1 ", said)
        self.assertNotIn("P3 ", said)
        self.assertIn("carehub audit resume --reason", said)
        self.assertIn(".replaced-", said)
        self.assertIn("holds everything that it held", said)

        self.hub.start()
        status = self.hub.cli_json("status")
        self.assertIn("carehub audit resume", status["notSigning"])
        self.assertGreater(int(status["backedUpMs"]), 0)  # the one that was put back
        harness.until(lambda: int(self.hub.cli_json("status")["checkedMs"]) >= int(status["startedMs"]),
                      what="a look at all that is stored, of this database")
        self.erase("--patient", "P2")
        self.hub.cli("audit", "resume", "--reason", "a backup was put back", config=self.auditor)
        self.assertIn("/2\n", self.hub.cli("audit", "checkpoint", "--wait"))

    def test_nobody_and_unknown_are_told_apart(self):
        self.hub.kill()
        self.assertIn("Nobody who is in it has been erased since", self.restore())
        for harm in (lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:5000] + bytes(90000))):
            harm(self.hub.dir / "hub.db")
            time.sleep(1.1)  # what is kept is named by the second
            self.assertIn("is in the hub again. Erase them once more", self.restore())
        self.hub.start()

    def test_a_lost_directory_of_the_audit_log_is_named(self):
        self.hub.kill()
        shutil.rmtree(self.hub.dir / "hub.db.tlog")
        self.assertIn("hub.db.tlog is not there", self.restore())
        self.hub.start()

    def test_who_is_not_there_cannot_be_erased(self):
        argv = [str(harness.CLI), "erase", "--patient", "P99", "--reason", "x", "--config",
                str(self.hub.dir / "carehub.conf")]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is nothing to erase", done.stderr)


class SnapshotTest(unittest.TestCase):
    """The hub is put back with its audit log, as a snapshot of its machine: nothing there shows it, a witness does."""

    def test_a_witness_lets_the_log_be_begun_anew(self):
        witness = audit.Witness().start()
        self.addCleanup(witness.stop)
        log = audit.Log(audit.EVERY_SECOND + f'witness = "{witness.vkey} {witness.url}"\n')
        self.addCleanup(log.close)
        witness.log_key = log.key
        log.events(5)
        log.checkpoint()
        log.hub.stop()
        shutil.copytree(log.hub.dir, log.hub.dir.parent / "snapshot", ignore=shutil.ignore_patterns("snapshot"))
        self.addCleanup(shutil.rmtree, log.hub.dir.parent / "snapshot")
        log.hub.start()
        log.again()
        log.events(10)
        log.checkpoint()
        log.hub.cli("audit", "witness")
        self.assertTrue((log.directory / "checkpoint.witnessed").exists())  # as soon as it says so
        self.assertRegex(log.hub.cli("status", "--check"), "is well(.|\n)* under a witnessed one, cosigned .* ago")
        log.hub.cli("audit", "resume", "--reason", "x", status=4)  # there is nothing to resume

        log.hub.stop()
        for name in ("hub.db", "hub.db-wal", "hub.db.tlog"):
            path, kept = log.hub.dir / name, log.hub.dir.parent / "snapshot" / name
            (shutil.rmtree if path.is_dir() else lambda p: p.unlink(missing_ok=True))(path)
            if kept.is_dir():
                shutil.copytree(kept, path)
            elif kept.exists():
                shutil.copy2(kept, path)
        log.hub.start()
        log.again()
        for more in (1, 20):  # shorter than what the witness has seen, and then longer, but another one
            log.events(more)
            log.checkpoint()
            log.hub.cli("audit", "witness", status=1)
            status = log.hub.cli("status", "--check", status=1)
            self.assertIn("needs attention", status)
            self.assertIn("A witness refuses the audit log", status)
            self.assertIn("carehub audit resume", status)
        log.hub.cli("audit", "resume", "--reason", "a snapshot was put back")
        second = tlog.Checkpoint(log.checkpoint().encode())
        self.assertTrue(second.origin.endswith("/2"))
        self.assertNotIn("A witness refuses", log.hub.cli("status"))


if __name__ == "__main__":
    unittest.main()
