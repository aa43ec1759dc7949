#!/usr/bin/python3
"""The audit log's files in other hands: that `carehub audit verify --tiles` looks at every file there is and says what is
wrong with which, that `audit export` never leaves a directory that does not verify, and that what they say of an older
state of things is no more than it proves.

CAREHUB_SEED: the order of things that are random (1)."""
import base64
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import time
import unittest

import harness
import tlog_verifier as tlog
from test_audit_log import EVERY_SECOND, Log, Witness


def flip(path, at=8):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def run(log, *arguments, hub=False):
    """Exit status, what was printed, and what was said of it; without any hub unless it is asked for."""
    config = log.hub.dir / ("carehub.conf" if hub else "nowhere.conf")
    argv = [str(harness.CLI), *map(str, arguments), "--config", str(config)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


class Shared(unittest.TestCase):
    """One hub, and what was exported of it at three sizes: into one directory after the other, and the last into both."""

    @classmethod
    def setUpClass(cls):
        cls.log = Log()
        cls.addClassCleanup(cls.log.close)
        cls.base = cls.log.hub.dir / "base"
        cls.checkpoints = []
        for number, count in enumerate((20, 5, 600)):
            cls.log.events(count)
            path = cls.log.hub.dir / f"checkpoint-{number}"
            path.write_text(cls.log.checkpoint())
            cls.checkpoints.append(path)
            cls.log.hub.cli("audit", "export", "--tiles", cls.base)
            if number == 1:
                cls.partial = cls.log.hub.dir / "partial"
                shutil.copytree(cls.base, cls.partial)

    def setUp(self):
        self.files = harness.scratch_dir() / "files"
        shutil.copytree(self.base, self.files)

    def verify(self, *more, directory=None):
        return run(self.log, "audit", "verify", "--tiles", directory or self.files, "--key", self.log.key_text, *more)

    def assert_wrong(self, said, *names):
        status, out, error = said
        self.assertEqual((status, out), (1, ""), error)
        for name in names:
            self.assertIn(name, error)


class VerifyTest(Shared):
    def test_older_partial_tiles_are_verified_too(self):
        chosen = random.Random(harness.SEED)
        older = [p for p in self.partial.rglob("*.p/*") if len(list(p.parent.iterdir())) > 1]
        self.assertEqual(len(older), 4)
        self.assertEqual(self.verify(directory=self.partial)[0], 0)
        for path in older:
            whole = path.read_bytes()
            for at in chosen.sample(range(len(whole)), 20):
                flip(path, at)
                self.assert_wrong(self.verify(directory=self.partial), str(path.relative_to(self.partial)))
                path.write_bytes(whole)
            path.write_bytes(whole[:-1])
            self.assert_wrong(self.verify(directory=self.partial), str(path.relative_to(self.partial)))
            path.write_bytes(whole)

    def test_all_that_is_wrong_is_listed_with_its_entries(self):
        flip(self.files / "tile/entries/000", 40 * 34 + 9)
        flip(self.files / "tile/0/001", 3 * 32)
        (self.files / "tile/entries/001").unlink()
        self.assert_wrong(self.verify(), "3 things are wrong",
                          "tile/entries/000 is not what tile/0/000 says: entry #41\n",
                          "tile/entries/001 is missing: the entries #257 to #512\n",
                          "tile/0/001 is not what tile/1/000.p/2 says: the entries #257 to #512\n")

    def test_the_list_is_bounded(self):
        for at in range(200):
            (self.files / f"tile/0/junk-{at}").touch()
        error = self.verify()[2]
        self.assertIn("200 things are wrong", error)
        self.assertIn("and 180 more", error)
        self.assertLess(len(error.splitlines()), 30)

    def test_an_old_checkpoint_beside_a_larger_tree_is_said(self):
        shutil.copy(self.checkpoints[0], self.files / "checkpoint")
        self.assert_wrong(self.verify(), "more than the checkpoint", "put an old checkpoint in its place")
        self.assertNotIn("altered", self.verify()[2])

    def test_what_is_beyond_the_checkpoint_is_found(self):
        for name in ("tile/0/777", "tile/entries/777", "tile/5/000.p/1", "tile/01/000.p/1", "tile/0/index.html"):
            path = self.files / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(bytes(32))
            self.assert_wrong(self.verify(), name)
            path.unlink()
        self.assertEqual(self.verify()[0], 0)

    def test_two_checkpoints_that_are_mixed_up_prove_nothing(self):
        self.assert_wrong(self.verify("--since", self.checkpoints[2], directory=self.partial), "proves nothing")
        self.assertEqual(self.verify("--since", self.checkpoints[0])[0], 0)

    def test_damaged_files_are_no_proof_that_the_log_was_altered(self):
        flip(self.files / "tile/entries/000")
        self.assert_wrong(self.verify("--since", self.checkpoints[0]), "tile/entries/000 is not what")
        self.assertNotIn("proof", self.verify("--since", self.checkpoints[0])[2])

    def test_consistency_says_what_was_not_checked_and_what_cannot_be_said(self):
        old, middle, last = self.checkpoints
        code, out, _ = run(self.log, "audit", "consistency", old, middle, "--tiles", self.files)
        self.assertEqual(code, 0)
        self.assertIn("was not checked", out)
        self.assertIn('"signatures":"not checked"',
                      run(self.log, "audit", "consistency", old, middle, "--tiles", self.files, "--json")[1])
        self.assert_wrong(run(self.log, "audit", "consistency", old, last, "--tiles", self.partial),
                          "Export the log again")
        larger = self.log.hub.dir / "larger"
        lines = last.read_text().split("\n")
        larger.write_text("\n".join([lines[0], str(int(lines[1]) + 10 ** 6)] + lines[2:]))
        self.assert_wrong(run(self.log, "audit", "consistency", old, larger, hub=True), "the hub's log has",
                          "another hub's log")
        forked = self.log.hub.dir / "forked"
        forked.write_text("\n".join(lines[:2] + [base64.b64encode(os.urandom(32)).decode()] + lines[3:]))
        self.assert_wrong(run(self.log, "audit", "consistency", old, forked, hub=True), "other tiles")


class ExportTest(Shared):
    def export(self):
        return run(self.log, "audit", "export", "--tiles", self.files, hub=True)

    def assert_mended(self):
        code, _, error = self.export()
        self.assertEqual(code, 0, error)
        self.assertEqual(self.verify()[0], 0)
        tlog.verify_tiles(self.files, self.log.key)

    def test_what_is_damaged_there_is_fetched_again(self):
        for name in ("tile/entries/000", "tile/0/000", "tile/0/001", "tile/1/000.p/2"):
            flip(self.files / name, 50)
        self.assert_mended()

    def test_what_is_lost_or_cut_there_is_fetched_again(self):
        (self.files / "tile/entries/000").unlink()
        (self.files / "tile/0/001").unlink()
        cut = self.files / "tile/entries/001"
        cut.write_bytes(cut.read_bytes()[:100])
        self.assert_mended()
        shutil.rmtree(self.files / "tile")
        self.assert_mended()

    def test_an_older_partial_tile_that_was_damaged_is_put_right(self):
        older = self.files / "tile/entries/002.p/1"
        older.write_bytes(bytes(34))
        self.assert_mended()
        self.assertEqual(older.read_bytes(), max(older.parent.iterdir(), key=lambda p: int(p.name)).read_bytes()[:34])

    def test_a_checkpoint_that_was_damaged_there_accuses_nobody(self):
        lines = (self.files / "checkpoint").read_text().split("\n")
        lines[2] = base64.b64encode(bytes(32)).decode()
        (self.files / "checkpoint").write_text("\n".join(lines))
        code, _, error = self.export()
        self.assertEqual(code, 1)
        self.assertIn("the signature of the checkpoint that is there is wrong", error)
        self.assertNotIn("proves", error)

    def test_a_directory_that_does_not_verify_is_no_export(self):
        (self.files / "tile/0/junk").touch()
        code, out, error = self.export()
        self.assertEqual((code, out), (1, ""))
        self.assertIn("tile/0/junk", error)


class DamagedHubTest(unittest.TestCase):
    def test_what_a_damaged_hub_sends_is_not_taken(self):
        log = Log()
        self.addCleanup(log.close)
        log.events(300)
        log.checkpoint()
        files = log.hub.dir / "files"
        log.hub.cli("audit", "export", "--tiles", files)
        before = (files / "checkpoint").read_text()
        new = log.hub.dir / "new"
        for name in ("tile/entries/000", "tile/0/000"):
            flip(log.directory / name, 50)
            code, out, error = run(log, "audit", "export", "--tiles", new, hub=True)
            self.assertEqual((code, out), (1, ""), name)
            self.assertIn("audit verify", error)
            self.assertFalse((new / "checkpoint").exists())
            shutil.rmtree(new)
            flip(log.directory / name, 50)
        run(log, "audit", "export", "--tiles", files, hub=True)
        self.assertEqual(tlog.verify_tiles(files, log.key)[0].size, int(before.split("\n")[1]))


class OtherLogTest(unittest.TestCase):
    """After an older copy of the database was put back."""

    def test_neither_waiting_nor_verifying_takes_one_log_for_the_other(self):
        log = Log()
        self.addCleanup(log.close)
        log.checkpoint()
        log.hub.stop()
        kept = log.hub.dir / "kept"
        kept.mkdir()
        for path in log.hub.dir.glob("hub.db*"):
            if path.is_file() and not path.name.endswith(".lock"):
                shutil.copy2(path, kept / path.name)
        log.hub.start()
        log.again()
        log.events(10)
        lost = log.checkpoint().split("\n")
        log.hub.stop()
        for suffix in ("", "-wal", "-shm"):
            (log.hub.dir / f"hub.db{suffix}").unlink(missing_ok=True)
        for path in kept.iterdir():
            shutil.copy2(path, log.hub.dir / path.name)
        log.hub.start()
        log.again()
        code, out, error = run(log, "audit", "checkpoint", "--wait", "--timeout", "5", hub=True)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("there is no checkpoint of the hub's", error)
        log.hub.cli("audit", "resume", "--reason", "disk failure")
        self.assertEqual(log.checkpoint().split("\n")[0], "e2e/2")
        self.verify_both(log, lost)

    def verify_both(self, log, lost):
        copy = log.hub.dir / "copy"
        shutil.copytree(log.directory, copy)
        code, out, error = run(log, "audit", "verify", "--tiles", copy, "--key", log.key_text)
        self.assertEqual(code, 0, error)
        self.assertIn(f"e2e: {lost[1]} entries", out)
        self.assertIn("e2e/2: ", out)
        self.assertIn("not the first log of that name but number 2", out)
        code, out, _ = run(log, "audit", "verify", "--tiles", copy / "2", "--key", log.key_text, "--json")
        self.assertEqual((code, json.loads(out)["log"]), (0, "2"))
        flip(next((copy / "2/tile/entries").rglob("000*/*")))
        code, out, error = run(log, "audit", "verify", "--tiles", copy, "--key", log.key_text)
        self.assertEqual(code, 1)
        self.assertIn(f"e2e: {lost[1]} entries", out)
        self.assertIn("/2: tile/entries/000", error)


class CosignedTest(unittest.TestCase):
    def setUp(self):
        self.witness = Witness().start()
        self.addCleanup(self.witness.stop)
        self.log = Log(EVERY_SECOND + f'witness = "{self.witness.vkey} {self.witness.url}"\n')
        self.addCleanup(self.log.close)
        self.witness.log_key = self.log.key
        self.log.events(5)
        self.log.checkpoint()

    def cosigned(self):
        """A checkpoint that is cosigned, and entries after it."""
        self.log.hub.cli("audit", "witness")
        path = self.log.directory / "checkpoint.witnessed"
        harness.until(path.exists, what="the cosigned checkpoint")
        return path

    def test_cosignatures_reach_who_verifies_the_files(self):
        self.cosigned()
        self.log.events(5)
        self.log.checkpoint()
        files = self.log.hub.dir / "files"
        self.log.hub.cli("audit", "export", "--tiles", files)
        arguments = ("audit", "verify", "--tiles", files, "--key", self.log.key_text, "--witness")
        code, out, error = run(self.log, *arguments, self.witness.vkey)
        self.assertEqual(code, 0, error)
        self.assertIn(f"cosigned by {self.witness.name}", out)
        self.assertEqual(run(self.log, *arguments, Witness().vkey)[0], 1)
        witnessed = files / "checkpoint.witnessed"
        self.assertEqual(self.log.hub.cli("audit", "checkpoint", "--witnessed"), witnessed.read_text())
        self.flipped_cosignature(witnessed, arguments)

    def flipped_cosignature(self, witnessed, arguments):
        head, _, line = witnessed.read_text().rpartition("— ")
        name, text = line.split()
        signature = bytearray(base64.b64decode(text))
        for at in range(4, len(signature)):
            signature[at] ^= 1
            witnessed.write_text(f"{head}— {name} {base64.b64encode(signature).decode()}\n")
            code, out, error = run(self.log, *arguments, self.witness.vkey)
            self.assertEqual((code, out), (1, ""), f"byte {at}")
            self.assertIn("cosignature", error)
            signature[at] ^= 1

    def test_the_newer_of_two_checkpoints_can_be_asked_for_cosigned(self):
        path = self.cosigned()
        first = self.log.hub.dir / "first"
        shutil.copy(path, first)
        arguments = ("audit", "consistency", first, first, "--key", self.log.key_text, "--witness")
        self.assertEqual(run(self.log, *arguments, self.witness.vkey, hub=True)[0], 0)
        self.assertEqual(run(self.log, *arguments, Witness().vkey, hub=True)[0], 1)

    def test_a_cosignature_of_another_day_is_not_published(self):
        for moment in (0, 5, int(time.time()) + 10 ** 8):
            self.witness.cosign = lambda checkpoint, at=moment: self.dated(checkpoint, at)
            code, _, error = run(self.log, "audit", "witness", hub=True)
            self.assertEqual(code, 1)
            self.assertIn("clock", error)
            self.witness.seen = (0, tlog.tree_hash([]))
        self.assertFalse((self.log.directory / "checkpoint.witnessed").exists())

    def dated(self, checkpoint, at):
        signature = self.witness.private.sign(f"cosignature/v1\ntime {at}\n".encode() + checkpoint.text)
        line = base64.b64encode(self.witness.id + struct.pack(">Q", at) + signature).decode()
        return f"— {self.witness.name} {line}\n"

    def test_a_witness_is_asked_again_and_says_that_it_has_seen_more(self):
        self.log.checkpoint()
        self.cosigned()
        harness.until(lambda: "as before" in run(self.log, "audit", "witness", hub=True)[1],
                      what="the checkpoint that is cosigned")
        self.witness.seen = (10 ** 6, b"\x01" * 32)
        self.assertEqual(run(self.log, "audit", "witness", hub=True)[0], 1)


class NameTest(unittest.TestCase):
    def test_no_hub_is_made_whose_name_the_hub_refuses(self):
        for name in ("a/b", "a+b", "a b", "", "x" * 65, "é"):
            directory = pathlib.Path(harness.scratch_dir()) / "hub"
            done = subprocess.run([str(harness.CLI), "init", str(directory), "--name", name], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 2, name)
            self.assertFalse(directory.exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
