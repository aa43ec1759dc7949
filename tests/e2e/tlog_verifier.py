"""A verifier of tiled transparency logs and of the hub's receipts, written from the specifications alone: RFC 6962
section 2.1, C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-proof and tlog-cosignature, and the leaf as PROTOCOL.md
defines it. It shares nothing with the hub's code, and does everything the slow and obvious way.

    python3 tlog_verifier.py tiles DIRECTORY VKEY
    python3 tlog_verifier.py receipt FILE VKEY
"""
import base64
import hashlib
import json
import pathlib
import re
import struct
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256


class Wrong(Exception):
    """What is wrong, and where."""


# ---- RFC 6962 ---------------------------------------------------------------------------------------------------------

def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(data):
    return sha256(b"\x00", data)


def node_hash(left, right):
    return sha256(b"\x01", left, right)


def tree_hash(hashes):
    """MTH, of leaf hashes."""
    if not hashes:
        return sha256()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return node_hash(tree_hash(hashes[:k]), tree_hash(hashes[k:]))


def root_from_path(index, size, leaf, path):
    """The root that an audit path leads to (section 2.1.1), by its recursive definition."""
    if size == 1:
        if path:
            raise Wrong("the inclusion proof is too long")
        return leaf
    if not path:
        raise Wrong("the inclusion proof is too short")
    k = 1
    while k * 2 < size:
        k *= 2
    if index < k:
        return node_hash(root_from_path(index, k, leaf, path[:-1]), path[-1])
    return node_hash(path[-1], root_from_path(index - k, size - k, leaf, path[:-1]))


def consistency_path(m, hashes):
    """PROOF(m, D[n]) (section 2.1.2)."""
    def sub(m, part, whole):
        if m == len(part):
            return [] if whole else [tree_hash(part)]
        k = 1
        while k * 2 < len(part):
            k *= 2
        if m <= k:
            return sub(m, part[:k], whole) + [tree_hash(part[k:])]
        return sub(m - k, part[k:], False) + [tree_hash(part[:k])]
    return sub(m, hashes, True)


def check_consistency(m, n, old_root, root, path):
    """RFC 9162, section 2.1.4.2."""
    if m == n:
        if path or old_root != root:
            raise Wrong("two trees of one size have different roots")
        return
    if m == 0:
        if path:
            raise Wrong("a proof where none is needed")
        return
    path = list(path)
    if m & (m - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise Wrong("the consistency proof is empty")
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            raise Wrong("the consistency proof is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    if fr != old_root or sr != root or sn != 0:
        raise Wrong("the consistency proof does not hold")


# ---- signed-note, tlog-checkpoint, tlog-cosignature -------------------------------------------------------------------

def b64(text):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Wrong(f"bad base64: {error}") from None
    if base64.b64encode(data).decode() != text:
        raise Wrong("base64 that is not canonical")
    return data


class VKey:
    def __init__(self, text):
        self.name, key_id, key = text.split("+", 2)
        key = b64(key)
        self.type, self.key = key[0], key[1:]
        self.id = sha256(self.name.encode(), b"\n", key)[:4]
        if self.id.hex() != key_id or len(self.key) != 32 or self.type not in (1, 4):
            raise Wrong("not a verifier key")

    def verify(self, text, signature):
        public = Ed25519PublicKey.from_public_bytes(self.key)
        try:
            if self.type == 4:
                time, signature = struct.unpack(">Q", signature[:8])[0], signature[8:]
                text = f"cosignature/v1\ntime {time}\n".encode() + text
            public.verify(signature, text)
        except InvalidSignature:
            raise Wrong(f"the signature of {self.name} is wrong") from None


class Note:
    def __init__(self, data):
        text = data.decode()
        if any(ord(c) < 0x20 and c != "\n" for c in text) or not text.endswith("\n"):
            raise Wrong("control characters, or no newline at the end")
        body, blank, signatures = text.rpartition("\n\n")
        if not blank:
            raise Wrong("no signatures")
        self.text = (body + "\n").encode()
        self.signatures = []
        for line in signatures.splitlines():
            match = re.fullmatch("— ([^ +]+) ([A-Za-z0-9+/]+=*)", line)
            if not match:
                raise Wrong(f"no signature line: {line!r}")
            data = b64(match[2])
            self.signatures.append((match[1], data[:4], data[4:]))

    def verify(self, vkey):
        found = [s for name, key_id, s in self.signatures if name == vkey.name and key_id == vkey.id]
        if not found:
            raise Wrong(f"not signed by {vkey.name}")
        for signature in found:
            vkey.verify(self.text, signature)


class Checkpoint(Note):
    def __init__(self, data):
        super().__init__(data)
        lines = self.text.decode().split("\n")
        if len(lines) < 4 or not lines[0] or any(not line for line in lines[:-1]):
            raise Wrong("not a checkpoint")
        self.origin = lines[0]
        if not re.fullmatch("0|[1-9][0-9]*", lines[1]):
            raise Wrong("the tree size is no number")
        self.size, self.root = int(lines[1]), b64(lines[2])
        if len(self.root) != 32:
            raise Wrong("the root is no hash")

    def verify_log(self, vkey):
        if not re.fullmatch(re.escape(vkey.name) + "(/[0-9]+)?", self.origin):
            raise Wrong(f"a checkpoint of {self.origin}, not of {vkey.name}")
        self.verify(vkey)
        return self


# ---- tlog-tiles -------------------------------------------------------------------------------------------------------

def tile_path(level, index, width):
    groups = [f"{index % 1000:03}"]
    while index >= 1000:
        index //= 1000
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/" + "/".join(groups) + (f".p/{width}" if width < WIDTH else "")


def tiles_of(count):
    """The tiles of a level that has so many hashes: index and width."""
    return [(i, min(WIDTH, count - i * WIDTH)) for i in range((count + WIDTH - 1) // WIDTH)]


def read_bundles(directory, first, size):
    """The entries from one on, the first of a bundle."""
    leaves = []
    for index, width in tiles_of(size)[first // WIDTH:]:
        path = tile_path("entries", index, width)
        data, at = (directory / path).read_bytes(), 0
        for _ in range(width):
            length, = struct.unpack_from(">H", data, at)
            leaves.append(data[at + 2:at + 2 + length])
            if len(leaves[-1]) != length:
                raise Wrong(f"{path} is cut off")
            at += 2 + length
        if at != len(data):
            raise Wrong(f"{path} is too long")
    return leaves


def check_level(directory, level, first, known, count, minimum):
    """Compares the tiles of a level with the hashes known of it, which are those from `first` on. Of a pruned log the
    first tile that is there begins before that; what it has in front is returned before them."""
    begin = (minimum >> 8 * (level + 1)) * WIDTH
    front = []
    for index, width in tiles_of(count)[begin // WIDTH:]:
        path = tile_path(level, index, width)
        data = (directory / path).read_bytes()
        if len(data) != 32 * width:
            raise Wrong(f"{path} is not of its size")
        there = [data[i:i + 32] for i in range(0, len(data), 32)]
        new = max(0, first - index * WIDTH)
        front += there[:new]
        at = index * WIDTH + new - first
        if there[new:] != known[at:at + width - new]:
            raise Wrong(f"{path} does not hold the hashes of what is below it")
    return begin, front + known


def root_of(levels, begin, end):
    """MTH(D[begin:end]), from what the tiles of the levels have: {level: (index of the first, hashes)}."""
    size = end - begin
    level = next((n for n in range(8) if size == WIDTH ** n), None)
    if level in levels and begin % size == 0 and begin // size >= levels[level][0]:
        return levels[level][1][begin // size - levels[level][0]]
    if size <= 1:
        raise Wrong(f"there is no hash of entry {begin}")
    k = 1
    while k * 2 < size:
        k *= 2
    return node_hash(root_of(levels, begin, begin + k), root_of(levels, begin + k, end))


def verify_pruned(directory, vkey, minimum):
    """As verify_tiles, of a log that was pruned up to a minimum index (tlog-tiles, "Pruning"): everything that has to be
    there. Returns checkpoint, index of the first entry, and entries."""
    directory = pathlib.Path(directory)
    try:
        checkpoint = Checkpoint((directory / "checkpoint").read_bytes()).verify_log(vkey)
        if minimum > checkpoint.size:
            raise Wrong("the minimum index is behind the end")
        start = first = minimum // WIDTH * WIDTH
        leaves = read_bundles(directory, first, checkpoint.size)
        level, known, levels = 0, [leaf_hash(leaf) for leaf in leaves], {}
        while checkpoint.size >> 8 * level:
            count = checkpoint.size >> 8 * level
            first, known = check_level(directory, level, first, known, count, minimum)
            levels[level] = (first, known)
            below = minimum >> 8 * (level + 1)  # the first tile of this level that is there
            known = [tree_hash(known[i:i + WIDTH]) for i in range(0, (count // WIDTH - below) * WIDTH, WIDTH)]
            first = below
            level += 1
        root = root_of(levels, 0, checkpoint.size) if checkpoint.size else sha256()
    except (OSError, UnicodeDecodeError, struct.error) as error:
        raise Wrong(str(error)) from None
    if root != checkpoint.root:
        raise Wrong("the tiles have another root than the checkpoint")
    return checkpoint, start, leaves


def verify_tiles(directory, vkey):
    """Everything that a checkpoint covers: signature, entries, every tile, root. Returns checkpoint and leaves."""
    checkpoint, _, leaves = verify_pruned(directory, vkey, 0)
    if tree_hash([leaf_hash(leaf) for leaf in leaves]) != checkpoint.root:
        raise Wrong("the entries have another root than the checkpoint")
    return checkpoint, leaves


def read_minimum(directory, vkey):
    """How far the hub says that it has pruned (PROTOCOL.md, section 17)."""
    path = pathlib.Path(directory) / "minimum-index"
    if not path.exists():
        return 0
    note = Note(path.read_bytes())
    note.verify(vkey)
    lines = note.text.decode().split("\n")
    if lines[0] != "carehub minimum index 1" or len(lines) != 4 or not re.fullmatch("0|[1-9][0-9]*", lines[2]):
        raise Wrong("not a minimum index")
    return int(lines[2])


# ---- tlog-proof, and the hub's receipts -------------------------------------------------------------------------------

def check_proof(text, leaf, vkey):
    head, blank, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not blank or lines[0] != "c2sp.org/tlog-proof@v1":
        raise Wrong("not a tlog-proof")
    lines = lines[1:]
    if lines and lines[0].startswith("extra "):
        lines = lines[1:]
    match = re.fullmatch("index (0|[1-9][0-9]*)", lines[0] if lines else "")
    if not match:
        raise Wrong("no index")
    checkpoint = Checkpoint(checkpoint.encode()).verify_log(vkey)
    index = int(match[1])
    if index >= checkpoint.size:
        raise Wrong("the index is not in the tree")
    path = [b64(line) for line in lines[1:]]
    if root_from_path(index, checkpoint.size, leaf_hash(leaf), path) != checkpoint.root:
        raise Wrong("the entry is not in the tree")
    return index, checkpoint


def check_receipt(data, vkey):
    """Returns the entry's bytes, its payload's (or None), its index and the checkpoint."""
    receipt = json.loads(data)
    entry, salt = b64(receipt["entry"]), b64(receipt["salt"])
    payload = b64(receipt["payload"]) if "payload" in receipt else None
    content = b64(receipt["content"])
    if payload is not None and sha256(b64(receipt["payloadSalt"]), payload) != content:
        raise Wrong("the payload is not the entry's")
    leaf = sha256(salt, struct.pack("<Q", len(entry)), entry, content)
    if len(salt) != 32 or len(content) != 32:
        raise Wrong("a salt or hash of another length")
    index, checkpoint = check_proof(receipt["proof"], leaf, vkey)
    return entry, payload, index, checkpoint


def main():
    what, path, key = sys.argv[1:]
    try:
        if what == "tiles":
            checkpoint, first, leaves = verify_pruned(path, VKey(key), read_minimum(path, VKey(key)))
            print(f"sound: {first + len(leaves)} entries, the first {first} pruned, root {checkpoint.root.hex()}")
        else:
            _, payload, index, checkpoint = check_receipt(pathlib.Path(path).read_bytes(), VKey(key))
            print(f"sound: entry {index} of {checkpoint.size}, {'with' if payload else 'without'} its content")
    except Wrong as wrong:
        sys.exit(f"wrong: {wrong}")


if __name__ == "__main__":
    main()
