#!/usr/bin/python3
"""The master key is changed while the hub runs: from a key in a file to a passphrase, to another passphrase, and back. At
every moment the hub starts with what it has been changed to, whatever the configuration still says, and no longer with
what it was changed from."""
import os
import subprocess
import time
import unittest

import harness

PASSPHRASES = ("a first passphrase of five words", "a second one, héél anders")


class MasterKeyTest(unittest.TestCase):
    def setUp(self):
        credentials = harness.scratch_dir()
        self.credential = credentials / "master-key-passphrase"
        self.hub = harness.Hub(environment={"CREDENTIALS_DIRECTORY": str(credentials)})
        self.next_passphrase = self.hub.dir / "next-passphrase"
        self.addCleanup(self.hub_ends)

    def hub_ends(self):
        if self.hub.process and self.hub.process.alive():
            self.hub.kill()

    def write(self, path, text, mode=0o600):
        path.write_text(text + "\n")
        path.chmod(mode)

    def configure(self, passphrase=None, next_passphrase=None, next_key=None):
        """Of the configuration and of what it names. No passphrase: the key is in master.key."""
        self.hub.settings = ""
        if passphrase:
            self.write(self.credential, passphrase)
            self.hub.settings += "master-key-passphrase = credential\n"
        if next_passphrase:
            self.write(self.next_passphrase, next_passphrase)
            self.hub.settings += "next-master-key-passphrase-file = next-passphrase\n"
        if next_key:
            self.write(self.hub.dir / "next.key", next_key)
            self.hub.settings += "next-master-key-file = next.key\n"

    def start(self, **configuration):
        self.configure(**configuration)
        self.hub.start()
        self.assertEqual(self.hub.cli_json("status")["damaged"], "0")

    def does_not_start(self, **configuration):
        self.configure(**configuration)
        with self.assertRaises(AssertionError):
            self.hub.start()
        self.assertIn("does not open", self.hub.process.said()[-1000:])

    def keyring(self):
        return (self.hub.dir / "hub.db.keyring").read_bytes()

    def rotate(self):
        """Returns the longest time that the hub took for an answer meanwhile, and how long it all took."""
        before, longest, asked = self.keyring(), 0, time.monotonic()
        self.hub.cli("keys", "rotate-master", "--reason", "test")

        def changed():
            nonlocal longest
            begun = time.monotonic()
            self.hub.cli("status")
            longest = max(longest, time.monotonic() - begun)
            return self.keyring() != before

        harness.until(changed, 30, "the changed keyring")
        return longest, time.monotonic() - asked

    def test_from_a_key_to_a_passphrase_to_another_and_back(self):
        first, second = PASSPHRASES
        self.start(next_passphrase=first)
        longest, whole = self.rotate()
        self.assertLess(longest, 0.6 * whole)  # the passphrase becomes a key beside the traffic
        self.hub.kill()
        self.start(next_passphrase=first)  # nobody has got to the configuration yet
        self.assertIn("set master-key-passphrase", self.hub.process.said())
        self.hub.stop()
        self.does_not_start()  # the old key alone
        self.does_not_start(passphrase="another")
        self.start(passphrase=first, next_passphrase=second)
        self.rotate()
        self.hub.stop()
        self.start(passphrase=first, next_passphrase=second)
        self.hub.stop()
        self.does_not_start(passphrase=first)
        key = os.urandom(32).hex()
        self.start(passphrase=second, next_key=key)
        self.rotate()
        self.hub.kill()
        self.start(passphrase=second, next_key=key)
        self.hub.stop()
        self.write(self.hub.dir / "master.key", key)
        self.start()
        self.hub.stop()

    def test_killed_at_any_moment_it_starts_with_one_or_the_other(self):
        for delay in (0, 0.6, 1.2):
            with self.subTest(delay=delay):
                self.hub = harness.Hub(environment=self.hub.environment)
                self.next_passphrase = self.hub.dir / "next-passphrase"
                self.start(next_passphrase=PASSPHRASES[0])
                before = self.keyring()
                self.hub.cli("keys", "rotate-master", "--reason", "test")
                time.sleep(delay)
                self.hub.kill()
                self.start(next_passphrase=PASSPHRASES[0])  # what was asked for is made good
                harness.until(lambda before=before: self.keyring() != before, 30, "the changed keyring")
                self.hub.stop()
                self.start(passphrase=PASSPHRASES[0])
                self.hub.stop()

    def test_what_cannot_be_used_is_refused_and_changes_nothing(self):
        self.start(next_passphrase=PASSPHRASES[0])
        before = self.keyring()
        for text, mode, says in (("", 0o600, "no passphrase"), (PASSPHRASES[0], 0o644, "can be read by others")):
            self.write(self.next_passphrase, text, mode)
            argv = [str(harness.CLI), "keys", "rotate-master", "--reason", "test", "--config",
                    str(self.hub.dir / "carehub.conf")]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(says, done.stdout + done.stderr)
        self.assertEqual(self.keyring(), before)
        self.hub.stop()
        self.start()
        self.hub.stop()

    def test_no_passphrase_is_in_any_file_of_the_hub_or_its_log(self):
        self.start(next_passphrase=PASSPHRASES[0])
        self.rotate()
        self.hub.kill()
        self.next_passphrase.unlink()
        for path in self.hub.dir.rglob("*"):
            if path.is_file():
                self.assertNotIn(PASSPHRASES[0].encode(), path.read_bytes(), path)


if __name__ == "__main__":
    unittest.main()
