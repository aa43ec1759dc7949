#!/usr/bin/python3
"""The audit log verified with what others wrote for another log of the same kind: golang.org/x/mod/sumdb, in a small
program (sumdb_verifier.go) that Debian's golang-go and golang-golang-x-mod-dev build. Every change of any byte, and
entries removed, inserted, put in another order or cut off, are found by it: one by one in a small log, by samples in
one with tiles of three levels.

CAREHUB_SEED: the samples (1). CAREHUB_AUDIT_ENTRIES: of the large log (70200)."""
import base64
import json
import os
import pathlib
import random
import shutil
import subprocess
import unittest

import client as c
import harness
import tlog_verifier as tlog
from test_audit_log import Log, PERSON

GOPATH = "/usr/share/gocode"  # where Debian puts libraries
LIBRARY = pathlib.Path(GOPATH, "src/golang.org/x/mod/sumdb/tlog")
WHY_NOT = "needs the Debian packages golang-go and golang-golang-x-mod-dev"
LARGE = int(os.environ.get("CAREHUB_AUDIT_ENTRIES", "70200"))
SAMPLES = 40
FRAME = 256  # events in a message, at most


def available():
    return shutil.which("go") is not None and LIBRARY.is_dir()


class Verifier:
    """The program, which answers a line to each."""

    def __init__(self):
        directory = harness.scratch_dir()
        environment = {**os.environ, "GO111MODULE": "off", "GOPATH": GOPATH, "GOCACHE": str(directory / "cache"),
                       "GOFLAGS": ""}
        subprocess.run(["go", "build", "-o", directory / "verifier", pathlib.Path(__file__).parent / "sumdb_verifier.go"],
                       env=environment, check=True)
        self.process = subprocess.Popen([directory / "verifier"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        bufsize=1)

    def ask(self, *words):
        """What was looked at; or raises Wrong."""
        self.process.stdin.write("\t".join(map(str, words)) + "\n")
        verdict, _, said = self.process.stdout.readline().rstrip("\n").partition(" ")
        if verdict != "sound":
            raise tlog.Wrong(said)
        return said

    def tiles(self, directory, key, every=1, minimum=0):
        return self.ask("tiles", directory, key, every, minimum)

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def files_of(directory):
    return sorted(p for p in directory.rglob("*") if p.is_file())


def same_signature(text, changed):
    """Is it another spelling of the same signature? Base64 has bits of its last character to spare, which the library
    does not look at (and the hub's own verification does)."""
    try:
        was, is_ = (t.decode().rpartition(" ") for t in (text, changed))
        return was[0] == is_[0] and base64.b64decode(was[2]) == base64.b64decode(is_[2], validate=True)
    except ValueError:
        return False


def changes_of(entries):
    """Entries removed, doubled, in another order, cut off, added."""
    some = len(entries) // 2
    yield entries[1:]
    yield entries[:some] + entries[some + 1:]
    yield entries[:some] + [entries[0]] + entries[some:]
    yield entries[:some - 1] + [entries[some], entries[some - 1]] + entries[some + 1:]
    yield entries[::-1]
    yield entries[:-1]
    yield entries + [entries[-1]]
    yield entries[:-1] + [entries[-1][:-1]]
    yield []


@unittest.skipUnless(available(), WHY_NOT)
class Sumdb(unittest.TestCase):
    """What the two logs have in common."""
    events = 0

    @classmethod
    def setUpClass(cls):
        cls.verifier = Verifier()
        cls.addClassCleanup(cls.verifier.close)
        cls.log = Log()
        cls.addClassCleanup(cls.log.close)
        cls.log.events(5)
        cls.old = cls.log.hub.dir / "old-checkpoint"
        cls.old.write_text(cls.log.checkpoint())
        for done in range(0, cls.events, FRAME):
            events = [c.discharge(PERSON, "az") for _ in range(min(FRAME, cls.events - done))]
            assert all(confirmed.status == c.CONFIRMED for confirmed in cls.log.hospital.publish(*events))
        cls.new = cls.log.hub.dir / "new-checkpoint"
        cls.new.write_text(cls.log.checkpoint())
        cls.files = cls.log.hub.dir / "files"
        cls.log.hub.cli("audit", "export", "--tiles", cls.files)
        cls.size = tlog.Checkpoint((cls.files / "checkpoint").read_bytes()).size
        cls.key = cls.log.key_text

    def assert_found(self, what, every=1000):
        with self.assertRaises(tlog.Wrong, msg=what):
            self.verifier.tiles(self.files, self.key, every)

    def assert_bundle_changes_are_found(self, index, width):
        path = self.files / tlog.tile_path("entries", index, width)
        hashes = self.files / tlog.tile_path(0, index, width)
        whole, tile = path.read_bytes(), hashes.read_bytes()
        entries = [whole[i:i + 34] for i in range(0, len(whole), 34)]
        for number, case in enumerate(changes_of(entries)):
            for tiles_too in (False, True):  # whoever changes entries may change the tiles with them
                path.write_bytes(b"".join(case))
                if tiles_too:
                    hashes.write_bytes(b"".join(tlog.leaf_hash(entry[2:]) for entry in case))
                self.assert_found(f"change {number} of bundle {index}")
                hashes.write_bytes(tile)
        path.write_bytes(whole)

    def flip(self, path, at):
        """False: what is there now says the same."""
        whole = path.read_bytes()
        changed = whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:]
        path.write_bytes(changed)
        same = path.name == "checkpoint" and same_signature(whole, changed)
        if not same:
            self.assert_found(f"byte {at} of {path}")
        path.write_bytes(whole)
        return not same


class SmallLogTest(Sumdb):
    events = 8

    def test_every_record_is_proved(self):
        self.assertEqual(self.verifier.tiles(self.files, self.key),
                         f"entries {self.size} from 0 tiles 1 proofs {self.size}")

    def test_every_flipped_byte_is_found(self):
        flipped = sum(self.flip(path, at) for path in files_of(self.files) for at in range(path.stat().st_size))
        self.assertGreater(flipped, 1500)
        self.verifier.tiles(self.files, self.key)

    def test_every_change_of_the_entries_is_found(self):
        self.assert_bundle_changes_are_found(0, self.size)
        self.verifier.tiles(self.files, self.key)

    def test_every_missing_or_cut_file_is_found(self):
        for path in files_of(self.files):
            whole = path.read_bytes()
            for cut in {0, 1, len(whole) // 2, len(whole) - 34, len(whole) - 1}:
                path.write_bytes(whole[:cut])
                self.assert_found(f"{path} cut at {cut}")
            path.unlink()
            self.assert_found(f"no {path}")
            path.write_bytes(whole)

    def test_the_newer_log_goes_on_from_the_older(self):
        said = self.verifier.ask("consistency", self.old, self.new, self.files, self.key)
        self.assertTrue(said.endswith(f"to {self.size}"))
        for path in files_of(self.files / "tile" / "0"):
            whole = path.read_bytes()
            path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
            with self.assertRaises(tlog.Wrong):
                self.verifier.ask("consistency", self.old, self.new, self.files, self.key)
            path.write_bytes(whole)

    def test_receipts_are_proofs(self):
        self.log.again()  # who says nothing for long has no session
        place = self.log.hospital.publish_one(c.discharge(PERSON, "az", note="marker")).place
        path = self.log.hub.dir / "some.receipt"
        for options in ((), ("--no-content",)):
            text = self.log.hub.cli("audit", "prove", place, "--timeout", "30", *options)
            path.write_text(text)
            self.assertTrue(self.verifier.ask("receipt", path, self.key).startswith(f"entry {place} of "))
        self.assertNotIn("payload", json.loads(text))

    def test_nothing_else_is_taken_for_a_receipt(self):
        path = self.log.hub.dir / "altered.receipt"
        receipt = json.loads(self.log.hub.cli("audit", "prove", 12, "--timeout", "30"))
        for name in ("entry", "salt", "content", "payload", "payloadSalt"):
            data = base64.b64decode(receipt.get(name, ""))
            for at in range(len(data)):
                changed = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
                path.write_text(json.dumps({**receipt, name: base64.b64encode(changed).decode()}))
                with self.assertRaises(tlog.Wrong, msg=f"{name}, byte {at}"):
                    self.verifier.ask("receipt", path, self.key)
        proof = receipt["proof"]
        for at in range(0, len(proof)):
            changed = proof[:at] + chr(ord(proof[at]) ^ 1) + proof[at + 1:]
            if same_signature(proof.rstrip("\n").encode(), changed.rstrip("\n").encode()):
                continue
            path.write_text(json.dumps({**receipt, "proof": changed}))
            with self.assertRaises(tlog.Wrong, msg=f"proof, byte {at}: {changed}"):
                self.verifier.ask("receipt", path, self.key)


class LargeLogTest(Sumdb):
    events = LARGE

    def test_records_of_all_tiles_are_proved(self):
        every = 97
        said = self.verifier.tiles(self.files, self.key, every).split()
        self.assertEqual(int(said[1]), self.size)
        self.assertGreater(int(said[7]), self.size // every)
        self.assertTrue((self.files / "tile/2/000.p/1").exists() or LARGE < 65536, "a tile of the third level")

    def test_flipped_bytes_are_found(self):
        """In each file of the upper levels and at the edges, and in files at random."""
        chosen = random.Random(harness.SEED)
        paths = files_of(self.files)
        some = [p for p in paths if p.parts[-2] != "0" and "entries" not in p.parts and ".p" not in p.parts[-2]]
        some += [p for p in paths if p.parts[-2].endswith(".p")] + chosen.sample(paths, SAMPLES)
        for path in some:
            self.flip(path, chosen.randrange(path.stat().st_size))
        self.verifier.tiles(self.files, self.key, 1000)

    def test_changes_of_entries_are_found(self):
        for index in (0, 255, self.size // tlog.WIDTH):
            self.assert_bundle_changes_are_found(index, min(tlog.WIDTH, self.size - index * tlog.WIDTH))
        self.verifier.tiles(self.files, self.key, 1000)

    def test_tiles_in_another_place_are_found(self):
        for level in ("entries", 0):
            paths = [self.files / tlog.tile_path(level, index, tlog.WIDTH) for index in (3, 7)]
            texts = [p.read_bytes() for p in paths]
            for path, text in zip(paths, texts[::-1]):
                path.write_bytes(text)
            self.assert_found(f"two tiles of level {level} exchanged")
            for path, text in zip(paths, texts):
                path.write_bytes(text)

    def test_the_newer_log_goes_on_from_the_older(self):
        self.verifier.ask("consistency", self.old, self.new, self.files, self.key)


del Sumdb  # it is no test by itself

if __name__ == "__main__":
    unittest.main(verbosity=2)
