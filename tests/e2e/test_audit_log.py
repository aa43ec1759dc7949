#!/usr/bin/python3
"""The audit log as others see it: its files, receipts and checkpoints, verified by tlog_verifier.py, which was written from
the specifications alone, and by the command line beside it; what happens to it in crashes and after losses; and a witness
of this test's own (C2SP tlog-witness).

CAREHUB_SEED: the order of things that are random (1). CAREHUB_AUDIT_KILLS: how often the hub is killed (6)."""
import base64
import hashlib
import http.server
import json
import os
import random
import shutil
import struct
import threading
import time
import unittest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives import serialization

import client as c
import harness
import tlog_verifier as tlog
from tlog_verifier import Wrong

KILLS = int(os.environ.get("CAREHUB_AUDIT_KILLS", "6"))
EVERY_SECOND = "checkpoint-every-seconds = 1\n"
PERSON = "38041299949"


class Log(c.Region):
    """A hub with one hospital, one doctor and one patient."""

    def __init__(self, settings=EVERY_SECOND, **hub):
        super().__init__(settings=settings, **hub)
        self.actor("az")
        self.actor("gp")
        self.hospital_keys = self.register_client("az-software", ["az"])
        self.hospital = self.connect(self.hospital_keys)
        self.patient(PERSON, [("gp", "gp")])
        self.directory = self.hub.dir / "hub.db.tlog"
        self.key_text = self.hub.cli("audit", "checkpoint", "--key").strip()
        self.key = tlog.VKey(self.key_text)

    def events(self, count):
        for _ in range(count):
            self.hospital.publish_one(c.discharge(PERSON, "az"))

    def checkpoint(self):
        """The text of one that covers everything there is."""
        return self.hub.cli("audit", "checkpoint", "--wait", "--timeout", "30")

    def again(self):
        """Connects again after the hub was ended."""
        self.hospital.close()
        self.operator.close()
        self.hospital = self.connect(self.hospital_keys)
        self.operator = self.connect(self.hub.operator_keys)

    def close(self):
        self.hospital.close()
        super().close()

    def not_signing(self):
        return self.hub.cli_json("audit", "checkpoint").get("notSigning", "")


class FilesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = Log()
        cls.addClassCleanup(cls.log.close)
        cls.log.events(20)
        cls.first = cls.log.checkpoint()
        cls.small = cls.log.hub.dir / "small"
        cls.log.hub.cli("audit", "export", "--tiles", cls.small)
        cls.log.events(600)
        cls.last = cls.log.checkpoint()
        cls.files = cls.log.hub.dir / "files"
        shutil.copytree(cls.small, cls.files)
        cls.log.hub.cli("audit", "export", "--tiles", cls.files)
        cls.old = cls.log.hub.dir / "old-checkpoint"
        cls.old.write_text(cls.first)

    def cli(self, *arguments, status=0):
        """Without any hub: the configuration is not even there."""
        return self.log.hub.cli(*arguments, config=self.log.hub.dir / "nowhere.conf", status=status)

    def test_an_export_is_a_sound_log_to_anybody(self):
        checkpoint, leaves = tlog.verify_tiles(self.files, self.log.key)
        self.assertGreater(checkpoint.size, 600)
        self.assertTrue(all(len(leaf) == 32 for leaf in leaves))
        self.cli("audit", "verify", "--tiles", self.files, "--key", self.log.key_text, "--since", self.old)
        old, old_leaves = tlog.verify_tiles(self.small, self.log.key)
        self.assertEqual(old_leaves, leaves[:old.size])

    def test_the_hubs_own_directory_is_one_as_well(self):
        shutil.copytree(self.log.directory, self.log.hub.dir / "copy")
        checkpoint, _ = tlog.verify_tiles(self.log.hub.dir / "copy", self.log.key)
        self.assertGreaterEqual(checkpoint.size, 600)

    def test_leaves_are_those_of_the_log_in_order(self):
        _, leaves = tlog.verify_tiles(self.files, self.log.key)
        exported = [json.loads(line)["leaf"] for line in self.log.hub.cli("log", "export").splitlines()]
        self.assertEqual([leaf.hex() for leaf in leaves], exported[:len(leaves)])

    def test_every_flipped_byte_is_found(self):
        tried = 0
        for path in sorted(p for p in self.small.rglob("*") if p.is_file()):
            whole = path.read_bytes()
            for at in range(len(whole)):
                path.write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1:])
                with self.assertRaises(Wrong, msg=f"byte {at} of {path}"):
                    tlog.verify_tiles(self.small, self.log.key)
                if at % 211 == 0:
                    self.cli("audit", "verify", "--tiles", self.small, "--key", self.log.key_text, status=1)
                tried += 1
            path.write_bytes(whole)
        self.assertGreater(tried, 2000)
        tlog.verify_tiles(self.small, self.log.key)

    def test_removed_inserted_reordered_and_cut_entries_are_found(self):
        checkpoint, _ = tlog.verify_tiles(self.small, self.log.key)
        path = self.small / tlog.tile_path("entries", 0, checkpoint.size)
        hashes = self.small / tlog.tile_path(0, 0, checkpoint.size)
        whole, tile = path.read_bytes(), hashes.read_bytes()
        entries = [whole[i:i + 34] for i in range(0, len(whole), 34)]
        changed = [entries[:5] + entries[6:], entries[:5] + [entries[9]] + entries[5:], entries[::-1], entries[:-1],
                   entries + entries[-1:], [], entries[:3] + [entries[4], entries[3]] + entries[5:]]
        for case in changed:
            for tiles_too in (False, True):  # whoever alters entries may alter the tiles with them
                path.write_bytes(b"".join(case))
                if tiles_too:
                    hashes.write_bytes(b"".join(tlog.leaf_hash(entry[2:]) for entry in case))
                with self.assertRaises(Wrong):
                    tlog.verify_tiles(self.small, self.log.key)
                self.cli("audit", "verify", "--tiles", self.small, "--key", self.log.key_text, status=1)
                hashes.write_bytes(tile)
        path.write_bytes(whole)
        tlog.verify_tiles(self.small, self.log.key)

    def test_the_newer_log_goes_on_from_the_older(self):
        new = self.log.hub.dir / "new-checkpoint"
        new.write_text(self.last)
        for where in ((), ("--tiles", self.files)):
            self.log.hub.cli("audit", "consistency", self.old, new, "--key", self.log.key_text, *where)
        forged = self.log.hub.dir / "forged-checkpoint"
        lines = self.first.split("\n")
        lines[2] = base64.b64encode(os.urandom(32)).decode()
        forged.write_text("\n".join(lines))
        self.log.hub.cli("audit", "consistency", forged, new, status=1)
        self.log.hub.cli("audit", "consistency", forged, new, "--key", self.log.key_text, status=1)

    def test_the_whole_store_is_what_the_tree_says(self):
        said = self.log.hub.cli_json("audit", "verify")
        self.assertTrue(said["agrees"])
        self.assertEqual(int(said["wrong"]), 0)
        self.assertEqual(said["checked"], said["total"])

    def test_another_log_is_not_exported_over_it(self):
        other = Log()
        self.addCleanup(other.close)
        other.checkpoint()
        other.hub.cli("audit", "export", "--tiles", self.small, status=1)
        tlog.verify_tiles(self.small, self.log.key)


class ReceiptTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.log = Log()
        cls.addClassCleanup(cls.log.close)
        cls.log.events(30)
        cls.place = cls.log.hospital.publish_one(c.discharge(PERSON, "az", note="marker")).place

    def prove(self, *more):
        return self.log.hub.cli("audit", "prove", self.place, "--timeout", "30", *more)

    def check(self, text, key=None, status=0):
        path = self.log.hub.dir / "some.receipt"
        path.write_text(text)
        return self.log.hub.cli("audit", "check-receipt", path, "--key", key or self.log.key_text,
                                config=self.log.hub.dir / "nowhere.conf", status=status)

    def test_a_receipt_is_checked_by_anybody(self):
        receipt = self.prove()
        entry, payload, index, _ = tlog.check_receipt(receipt, self.log.key)
        self.assertEqual(index, self.place - 1)
        self.assertIn(PERSON.encode(), payload)
        self.assertNotIn(PERSON.encode(), entry)
        self.assertIn(f"Entry #{self.place} is in the log", self.check(receipt))

    def test_an_entry_is_proved_without_its_content(self):
        receipt = self.prove("--no-content")
        self.assertNotIn(PERSON, receipt)
        _, payload, _, _ = tlog.check_receipt(receipt, self.log.key)
        self.assertIsNone(payload)
        self.check(receipt)

    def test_it_leaves_an_entry(self):
        before = len(self.log.operator.export())
        self.prove("--purpose", "complaint 2026-17")
        entry = self.log.operator.export()[before]
        self.assertEqual(entry.reading.question, "complaint 2026-17")
        self.assertEqual(entry.reading.event_place, self.place)

    def test_nothing_else_is_taken_for_one(self):
        receipt = json.loads(self.prove())
        chosen = random.Random(harness.SEED)
        for name in ("entry", "salt", "content", "payload", "payloadSalt", "proof"):
            data = bytearray(receipt[name].encode() if name == "proof" else base64.b64decode(receipt[name]))
            places = range(len(data)) if len(data) <= 64 else sorted(chosen.sample(range(len(data)), 60))
            for number, at in enumerate(places):
                changed = bytes(data[:at]) + bytes([data[at] ^ 1]) + bytes(data[at + 1:])
                try:
                    text = changed.decode() if name == "proof" else base64.b64encode(changed).decode()
                except UnicodeDecodeError:
                    continue
                altered = json.dumps({**receipt, name: text})
                with self.assertRaises(Wrong, msg=f"{name}, byte {at}"):
                    tlog.check_receipt(altered, self.log.key)
                if number % 20 == 0:
                    self.check(altered, status=1)

    def test_another_hubs_key_does_not_verify_it(self):
        other = Log()
        self.addCleanup(other.close)
        self.check(self.prove(), key=other.key_text, status=1)


class LossTest(unittest.TestCase):
    def keep(self, log, name):
        for path in log.hub.dir.glob("hub.db*"):
            if path.is_file() and not path.name.endswith(".lock"):
                shutil.copy2(path, log.hub.dir / f"{name}-{path.name}")

    def put_back(self, log, name):
        for suffix in ("", "-wal", "-shm"):
            (log.hub.dir / f"hub.db{suffix}").unlink(missing_ok=True)
        for path in log.hub.dir.glob(f"{name}-hub.db*"):
            shutil.copy2(path, log.hub.dir / path.name.removeprefix(f"{name}-"))

    def test_an_older_copy_signs_nothing_until_told_why(self):
        log = Log()
        self.addCleanup(log.close)
        log.checkpoint()
        log.hub.stop()
        self.keep(log, "backup")
        log.hub.start()
        log.again()
        log.events(10)
        published = log.checkpoint()
        log.hub.stop()
        self.put_back(log, "backup")
        log.hub.start()
        log.again()
        harness.until(log.not_signing, what="the hub's refusal to sign")
        self.assertIn("the database has only", log.not_signing())
        self.assertIn("No checkpoint of the audit log is signed", log.hub.cli("status"))
        log.events(30)
        log.hub.stop()  # and not when it is longer than what was published, either
        log.hub.start()
        log.again()
        harness.until(log.not_signing, what="the hub's refusal to sign")
        self.assertIn("is not the one that was published", log.not_signing())
        self.assertEqual((log.directory / "checkpoint").read_text(), published)
        log.hub.cli("audit", "resume", "--reason", "disk failure; backup of yesterday put back")
        log.checkpoint()
        resumed, leaves = tlog.verify_tiles(log.directory / "2", log.key)
        self.assertEqual(resumed.origin, "e2e/2")
        self.assertEqual(resumed.size, len(leaves))
        lost, _ = tlog.verify_tiles(log.directory, log.key)
        fact = next(e.fact.fact.log_resumed for e in log.operator.export()
                    if e.fact.fact.WhichOneof("fact") == "log_resumed")
        self.assertEqual((fact.lost_size, fact.lost_root, fact.generation), (lost.size, lost.root, 2))
        log.hub.cli("audit", "resume", "--reason", "again", status=4)

    def test_a_hub_that_is_killed_signs_one_log(self):
        chosen = random.Random(harness.SEED)
        log = Log()
        self.addCleanup(log.close)
        log.events(240)
        checkpoints = [tlog.Checkpoint(log.checkpoint().encode())]
        for _ in range(KILLS):
            stop = time.monotonic() + chosen.uniform(0.2, 2.5)
            while time.monotonic() < stop:
                log.events(5)
            log.hub.kill()
            checkpoints.append(tlog.Checkpoint((log.directory / "checkpoint").read_bytes()))
            log.hub.start()
            log.again()
        log.events(3)
        log.checkpoint()
        last, leaves = tlog.verify_tiles(log.directory, log.key)
        for checkpoint in checkpoints:
            checkpoint.verify_log(log.key)
            self.assertLessEqual(checkpoint.size, last.size)
            self.assertEqual(tlog.tree_hash([tlog.leaf_hash(leaf) for leaf in leaves[:checkpoint.size]]),
                             checkpoint.root)


# ---- A witness --------------------------------------------------------------------------------------------------------

class Witness:
    """tlog-witness, "add-checkpoint", as it is written there."""

    def __init__(self, name="witness.example/w1"):
        self.name = name
        self.private = Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.id = hashlib.sha256(name.encode() + b"\n\x04" + raw).digest()[:4]
        self.vkey = f"{name}+{self.id.hex()}+{base64.b64encode(bytes([4]) + raw).decode()}"
        self.log_key = None
        self.seen = (0, tlog.tree_hash([]))
        self.statuses = []
        self.server = None

    def start(self):
        witness = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):  # pylint: disable=invalid-name
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = witness.add(body) if self.path == "/w/add-checkpoint" else (404, b"")
                witness.statuses.append(status)
                self.send_response(status)
                self.send_header("Content-Type", "text/x.tlog.size" if status == 409 else "text/plain")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}/w/"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def add(self, body):
        head, _, text = body.decode().partition("\n\n")
        lines = head.split("\n")
        old, path = int(lines[0].removeprefix("old ")), [tlog.b64(line) for line in lines[1:]]
        try:
            checkpoint = tlog.Checkpoint(text.encode()).verify_log(self.log_key)
        except Wrong:
            return 403, b""
        if old > checkpoint.size:
            return 400, b""
        if old != self.seen[0]:
            return 409, f"{self.seen[0]}\n".encode()
        try:
            tlog.check_consistency(old, checkpoint.size, self.seen[1], checkpoint.root, path)
        except Wrong:
            return 422, b""
        self.seen = (checkpoint.size, checkpoint.root)
        return 200, self.cosign(checkpoint).encode()

    def cosign(self, checkpoint):
        now = int(time.time())
        signature = self.private.sign(f"cosignature/v1\ntime {now}\n".encode() + checkpoint.text)
        line = base64.b64encode(self.id + struct.pack(">Q", now) + signature).decode()
        return f"— {self.name} {line}\n"


class WitnessTest(unittest.TestCase):
    def setUp(self):
        self.witnesses = [Witness("witness.example/w1").start(), Witness("witness.example/w2").start()]
        self.log = Log(EVERY_SECOND + "".join(f'witness = "{w.vkey} {w.url}"\n' for w in self.witnesses))
        for witness in self.witnesses:
            witness.log_key = self.log.key
            self.addCleanup(witness.stop)
        self.addCleanup(self.log.close)

    def test_witnesses_cosign_one_checkpoint_after_the_other(self):
        for round_ in range(3):
            self.log.events(90)
            self.log.checkpoint()
            self.log.hub.cli("audit", "witness")

            def published():
                path = self.log.directory / "checkpoint.witnessed"
                checkpoint = path.exists() and tlog.Checkpoint(path.read_bytes())
                return checkpoint and checkpoint.size == self.witnesses[0].seen[0] and checkpoint

            checkpoint = harness.until(published, what=f"the cosigned checkpoint {round_}")
            checkpoint.verify_log(self.log.key)
            for witness in self.witnesses:
                checkpoint.verify(tlog.VKey(witness.vkey))
        for witness in self.witnesses:
            self.assertEqual(witness.statuses.count(200), 3)
        receipt = self.log.hub.cli("audit", "prove", 12)
        path = self.log.hub.dir / "witnessed.receipt"
        path.write_text(receipt)
        said = self.log.hub.cli("audit", "check-receipt", path, "--key", self.log.key_text, "--witness",
                                self.witnesses[0].vkey, "--witness", self.witnesses[1].vkey)
        self.assertIn("2 named witnesses have cosigned", said)

    def test_a_witness_that_saw_more_is_believed(self):
        self.log.events(5)
        self.log.checkpoint()
        self.witnesses[0].seen = (10 ** 6, b"\x01" * 32)
        self.log.hub.cli("audit", "witness", status=1)
        self.assertEqual(self.witnesses[1].statuses[-1], 200)  # the other one is asked all the same

    def test_a_witness_that_saw_another_log_does_not_cosign(self):
        self.log.events(5)
        self.log.checkpoint()
        self.witnesses[0].seen = (3, b"\x01" * 32)
        self.log.hub.cli("audit", "witness", status=1)
        self.assertEqual(self.witnesses[0].statuses[-1], 422)

    def test_what_a_witness_did_not_sign_is_not_published(self):
        self.log.events(5)
        self.log.checkpoint()
        self.witnesses[0].private = Ed25519PrivateKey.generate()
        self.witnesses[1].private = Ed25519PrivateKey.generate()
        self.log.hub.cli("audit", "witness", status=1)
        self.assertFalse((self.log.directory / "checkpoint.witnessed").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
