"""What the end-to-end tests share: a hub in a temporary directory, the command line, and what is left behind: nothing.

The schema for Python is made by protoc when this is imported; nothing of the C code is used. The programs are those of
the build directory in $CAREHUB_BUILD (run_all.py --build), by default build/release.
"""
import atexit
import ctypes
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

import zmq
from zmq.utils import z85

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CAREHUB_BUILD", ROOT / "build" / "release")).resolve()
HUBD = BUILD / "hub" / "carehubd"
CLI = BUILD / "tools" / "carehub" / "carehub"
ADAPTER = BUILD / "adapters" / "host" / "carehub-adapter"
POLICY = ROOT / "hub" / "policy" / "default.policy"
CORPORA = ROOT.parent / "shared" / "corpora"
SEED = int(os.environ.get("CAREHUB_SEED", "1"))
START_S = 20

_scratch = tempfile.mkdtemp(prefix="carehub-e2e-")
atexit.register(shutil.rmtree, _scratch, ignore_errors=True)


def _compile_schema():
    out = os.path.join(_scratch, "schema")
    os.mkdir(out)
    protos = sorted(str(p) for p in (ROOT / "proto" / "carehub" / "v1").glob("*.proto"))
    subprocess.run(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}", *protos], check=True)
    sys.path.insert(0, out)


_compile_schema()


def scratch_dir():
    return pathlib.Path(tempfile.mkdtemp(dir=_scratch))


def keypair():
    """A CURVE key pair: 32 bytes each."""
    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def write_key(path, pair):
    path.write_text(f"public-key = {pair[0].hex()}\nsecret-key = {pair[1].hex()}\n")
    path.chmod(0o600)


def until(condition, seconds=20, what="what was waited for"):
    """Waits for condition() to be true, and returns its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {seconds} s")
        time.sleep(0.02)


# ---- Processes --------------------------------------------------------------------------------------------------------

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_running = []


def _end_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program with its output in a file. stop() demands that it ends in order and that no sanitizer complained."""

    def __init__(self, argv, directory, name, environment=None):
        self.name = name
        self.log = directory / f"{name}.log"
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})}, preexec_fn=_end_with_parent)
        _running.append(self)

    def alive(self):
        return self.process.poll() is None

    def said(self):
        return self.log.read_text(errors="replace")

    def kill(self):
        if self.alive():
            self.process.kill()
        self.process.wait(10)
        self._check()

    def stop(self, seconds=20):
        if self.alive():
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise AssertionError(f"{self.name} does not end when asked to:\n{self.said()[-2000:]}") from None
        self._check()
        assert status == 0, f"{self.name} ended with status {status}:\n{self.said()[-4000:]}"

    def _check(self):
        if self in _running:
            _running.remove(self)
        text = self.said()
        for mark in ("Sanitizer", "runtime error:", "assertion"):
            assert mark not in text, f"{self.name}:\n{text[-6000:]}"


@atexit.register
def _kill_what_is_left():
    for process in list(_running):
        process.process.kill()
        process.process.wait(10)


# ---- The hub ----------------------------------------------------------------------------------------------------------

class Hub:
    """A carehubd of its own. It gets any free port at first, and keeps it when it is started again."""

    def __init__(self, policy=POLICY, settings="", database="hub.db", environment=None):
        self.dir = scratch_dir()
        self.database = database
        self.environment = environment
        self.keys = keypair()
        self.operator_keys = keypair()
        self.settings = settings
        self.policy = pathlib.Path(policy).resolve()
        self.listen = "tcp://127.0.0.1:*"
        self.process = None
        write_key(self.dir / "hub.key", self.keys)
        write_key(self.dir / "operator.key", self.operator_keys)
        master = self.dir / "master.key"
        master.write_text(os.urandom(32).hex() + "\n")
        master.chmod(0o600)

    @property
    def public_key(self):
        return self.keys[0]

    def start(self):
        endpoint_file = self.dir / "endpoint"
        endpoint_file.unlink(missing_ok=True)
        (self.dir / "hub.conf").write_text(
            f"name = e2e\nlisten = {self.listen}\ndatabase = {self.database}\nkey-file = hub.key\n"
            f"master-key-file = master.key\npolicy-file = {self.policy}\n"
            f"first-operator = {self.operator_keys[0].hex()}\nendpoint-file = endpoint\n{self.settings}")
        self.process = Process([HUBD, "--config", self.dir / "hub.conf"], self.dir, "carehubd", self.environment)

        def ready():
            if not self.process.alive():
                raise AssertionError(f"the hub ended:\n{self.process.said()[-4000:]}")
            return endpoint_file.exists() and endpoint_file.read_text().strip()

        self.listen = until(ready, START_S, "the hub's endpoint")
        self.write_client_conf(self.dir / "carehub.conf", self.dir / "operator.key")
        return self

    @property
    def endpoint(self):
        return self.listen

    def write_client_conf(self, path, key_file, more=""):
        path.write_text(f"endpoint = {self.endpoint}\nhub-key = {self.public_key.hex()}\nkey-file = {key_file}\n{more}")

    def kill(self):
        self.process.kill()

    def stop(self):
        self.process.stop()

    def cli(self, *arguments, config=None, status=0):
        """Runs the command line; returns what it printed."""
        argv = [str(CLI), *map(str, arguments), "--config", str(config or self.dir / "carehub.conf")]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{' '.join(argv[1:])}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def cli_json(self, *arguments, **options):
        """The same, parsed: one document, or a list if it printed a line for each item."""
        lines = self.cli(*arguments, "--json", **options).splitlines()
        return json.loads(lines[0]) if len(lines) == 1 else [json.loads(line) for line in lines]


class FakeClock:
    """The clock of a hub under libfaketime, ahead of ours (or behind) by an offset that a file sets: Hub(environment=
    clock.environment). The clock since boot stays as it is, so a running hub does not believe a jump: set it between
    two lives of the hub. Skips the test where there is no such library, or where it cannot be."""

    LIBRARY = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)

    def __init__(self, seconds=0):
        if not self.LIBRARY:
            raise unittest.SkipTest("libfaketime is not installed")
        if b"libasan" in subprocess.run(["ldd", HUBD], capture_output=True, check=True).stdout:
            raise unittest.SkipTest("libfaketime and the sanitizers do not go together")
        self.file = scratch_dir() / "offset"
        self.environment = {
            "LD_PRELOAD": str(self.LIBRARY), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.set(seconds)

    def set(self, seconds):
        self.file.write_text(f"{seconds:+d}\n")


# ---- The hospital's adapter -------------------------------------------------------------------------------------------

def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Adapter:
    """A carehub-adapter for one hospital, whose client is known to the hub by `keys`. `senders` is what is in the
    configuration's section of that name, indented by four spaces."""

    def __init__(self, hub, keys, senders, settings=""):
        self.dir = scratch_dir()
        self.port = free_port()
        write_key(self.dir / "client.key", keys)
        hub.write_client_conf(self.dir / "client.conf", "client.key", "spool-dir = spool\n")
        (self.dir / "hospital.conf").write_text(
            f"state-dir = state\nstatus-file = status.json\n{settings}hub\n    client-config = client.conf\n"
            f"in\n    transport = mllp\n    endpoint = 127.0.0.1:{self.port}\n"
            "format\n    plugin = hospital\n" + textwrap.indent(f"senders\n{senders}", "    "))
        self.process = None

    def start(self):
        self.process = Process([ADAPTER, "--config", self.dir / "hospital.conf"], self.dir, "carehub-adapter")

        def listens():
            if not self.process.alive():
                raise AssertionError(f"the adapter ended:\n{self.process.said()[-4000:]}")
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", self.port)) == 0

        until(listens, START_S, "the adapter's port")
        return self

    def stop(self):
        self.process.stop()
