"""Power cuts for programs in a test: power_cut.c, preloaded, notes what they change; cut() puts their folder back to
what was synced. The program has been killed before.

How much of what was not synced is lost differs from cut to cut, and from file to file: all of it, or what was written
after some moment. Power.worst: all of it, always."""
import contextlib
import os
import pathlib
import struct
import subprocess

import harness

CHANGED, RENAMED, UNLINKED, SYNCED = 1, 2, 3, 4
RECORD = struct.Struct("<IIQQQQQ")


WHY_NOT = "a preloaded library and the sanitizers do not go together"


def available():
    return b"libasan" not in subprocess.run(["ldd", harness.ADAPTER], capture_output=True, check=True).stdout


class Power:
    """lies: syncs of files whose path contains this do nothing."""

    def __init__(self, root, random, lies=None):
        self.root, self.random = pathlib.Path(root), random
        self.dir = harness.scratch_dir()
        self.log = self.dir / "undo"
        shim = self.dir / "power_cut.so"
        source = pathlib.Path(__file__).with_suffix(".c")
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-shared", "-fPIC", "-o", shim, source], check=True)
        self.environment = {"LD_PRELOAD": str(shim), "POWER_CUT_ROOT": str(self.root), "POWER_CUT_LOG": str(self.log)}
        if lies:
            self.environment["POWER_CUT_LIES"] = lies
        self.worst = False
        self.undone = 0  # changes, in all cuts

    def records(self):
        data, at = self.log.read_bytes(), 0
        while at + RECORD.size <= len(data):
            kind, text_len, number, inode, offset, length, size = RECORD.unpack_from(data, at)
            at += RECORD.size
            text, old = data[at:at + text_len], data[at + text_len:at + text_len + length]
            at += text_len + length
            if at > len(data):  # killed while it was written: the change was not made
                return
            yield kind, number, inode, offset, old, size, [os.fsdecode(t) for t in text.split(b"\0")]

    def files(self):
        """By inode. Others may be writing into the folder, too."""
        found = {}
        for folder in (self.root, self.dir):
            for path in folder.rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    found[path.stat().st_ino] = path
        return found

    def cut(self):
        records = list(self.records())
        synced, changes = {}, {}
        for kind, number, inode, *_ in records:
            if kind == SYNCED:
                synced[inode] = max(number, synced.get(inode, 0))
        for record in records:
            if record[0] != SYNCED and record[1] > synced.get(record[2], 0):
                changes.setdefault(record[2], []).append(record)
        kept_until = {inode: 0 if self.worst else self.random.choice((0, self.random.choice(of)[1]))
                      for inode, of in changes.items()}
        files = self.files()
        for record in sorted((r for of in changes.values() for r in of), key=lambda r: -r[1]):
            if record[1] > kept_until[record[2]]:
                self.undo(record, files)
        for shared_memory in self.root.rglob("*-shm"):
            shared_memory.unlink()
        self.log.unlink()
        self.log.touch()

    def undo(self, record, files):
        kind, _, inode, offset, old, size, text = record
        self.undone += 1
        if kind == CHANGED:
            if inode in files and files[inode].exists():
                with open(files[inode], "r+b") as file:
                    file.seek(offset)
                    file.write(old)
                    file.truncate(size)
            return
        before, after, grave = text[:3]
        if kind == RENAMED and os.path.exists(after):
            os.rename(after, before)
            files[os.stat(before).st_ino] = pathlib.Path(before)
        lost = before if kind == UNLINKED else after
        if grave and not os.path.exists(lost):
            os.rename(grave, lost)
            files[os.stat(lost).st_ino] = pathlib.Path(lost)
