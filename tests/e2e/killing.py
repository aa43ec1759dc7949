"""What the tests that kill adapters share: an adapter that comes back with what it had, threads whose failures are the
test's, and the hub's own account of what it took."""
import os
import random
import threading
import time

import harness
from carehub.v1 import event_pb2 as ev

# How long the load goes on, in each test.
SECONDS = float(os.environ.get("CAREHUB_OFFLINE_SECONDS", "3"))


class Worker(threading.Thread):
    """Runs a function; join() raises what it raised."""

    def __init__(self, run, *arguments):
        super().__init__(daemon=True)
        self.run_it, self.arguments, self.error = run, arguments, None

    def run(self):
        try:
            self.run_it(*self.arguments)
        except BaseException as error:  # for join
            self.error = error

    def join(self, timeout=120):
        super().join(timeout)
        if self.error:
            raise self.error
        assert not self.is_alive(), f"{self.run_it.__name__} does not come to its end"


class Adapter:
    """An adapter with its state and spool in a directory of its own. `text` is its configuration, without what all have;
    `power`: from power_cut, what becomes of the directory when it is killed."""

    def __init__(self, endpoint, hub_key, keys, text, client_settings="spool-dir = spool\n"):
        self.dir = harness.scratch_dir()
        self.power = None
        self.process = None
        self.kills = 0
        self.address = None
        harness.write_key(self.dir / "client.key", keys)
        (self.dir / "client.conf").write_text(f"endpoint = {endpoint}\nhub-key = {hub_key.hex()}\n"
                                              f"key-file = client.key\n{client_settings}")
        (self.dir / "drop").mkdir()
        (self.dir / "adapter.conf").write_text("state-dir = state\nstatus-file = status.json\nendpoint-file = endpoint\n"
                                               "hub\n    client-config = client.conf\n" + text)

    def start(self):
        endpoint = self.dir / "endpoint"
        endpoint.unlink(missing_ok=True)
        self.process = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter",
                                       self.power and self.power.environment)

        def ready():
            assert self.process.alive(), self.process.said()[-2000:]
            return endpoint.exists() and endpoint.read_text().strip()

        self.address = harness.until(ready, what="the adapter's endpoint")
        return self

    def kill(self):
        self.process.kill()
        self.kills += 1
        if self.power:
            self.power.cut()

    def stop(self):
        if self.process:
            self.process.stop()

    def put(self, name, text):
        """Drops a file, whole."""
        making = self.dir / "drop" / f".{name}"
        making.write_text(text)
        making.rename(self.dir / "drop" / name)

    def names(self, folder):
        return {p.name for p in (self.dir / "drop" / folder).glob("*")}

    def waiting(self):
        return {p.name for p in (self.dir / "drop").iterdir() if p.is_file() and not p.name.startswith(".")}


class Chaos:
    """A load in threads of its own, while things are done to it at random moments. These are done by the thread that
    calls go(): what it starts would otherwise end with its thread."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.over = threading.Event()
        self.workers = []
        self.actions = []  # (when, average pause, what)

    def load(self, do, *arguments):
        """do() is to end soon after `over` is set."""
        self.workers.append(Worker(do, *arguments))

    def every(self, seconds, do):
        """Calls do() again and again, after a random time that is so long on average."""
        self.actions.append([self.random.random() * 2 * seconds, seconds, do])

    def go(self, seconds, repair=lambda: None):
        """repair() is called when it is over, before the load ends: it may need what was taken down."""
        began = time.monotonic()
        for worker in self.workers:
            worker.start()
        while time.monotonic() - began < seconds:
            for action in self.actions:
                if action[0] < time.monotonic() - began:
                    action[2]()
                    action[0] = time.monotonic() - began + self.random.random() * 2 * action[1]
            time.sleep(0.01)
        self.over.set()
        repair()
        for worker in self.workers:
            worker.join()


class HubKiller:
    """Kills the hub at one call, and starts it again at the next. Its clients have to come back by themselves."""

    def __init__(self, region):
        self.region, self.kills, self.is_down = region, 0, False

    def __call__(self):
        if self.is_down:
            self.region.hub.start()
        else:
            self.region.hub.kill()
            self.kills += 1
        self.is_down = not self.is_down

    def end(self):
        if self.is_down:
            self()


def reconnect(region):
    region.operator.close()
    region.operator = region.connect(region.hub.operator_keys)


def taken_by(region, keys, inbox, count, seconds=45):
    """Waits until the hub has delivered `count` events into an inbox, and nothing more comes; returns them in their
    order. Each is there once, and in the hub's log, which holds no other."""
    reconnect(region)
    came, deadline, quiet_since = [], time.monotonic() + seconds, time.monotonic()
    with region.connect(keys) as receiver:
        attached = receiver.attach(inbox)
        while time.monotonic() < deadline and (len(came) < count or time.monotonic() - quiet_since < 1):
            message = receiver.hear(0.2)
            if message and message.WhichOneof("message") == "deliver":
                quiet_since = time.monotonic()
                came += message.deliver.deliveries
                receiver.credit(attached, len(message.deliver.deliveries))
    assert len({d.lane for d in came}) <= 1, "all in one lane"
    assert [d.number for d in came] == list(range(1, len(came) + 1)), "numbers have no gaps and do not repeat"
    assert [d.place for d in came] == sorted(d.place for d in came), "in the order of the log"
    logged = [e.event.id for e in region.operator.export() if e.HasField("event")]
    events = [ev.Event.FromString(d.event) for d in came]
    assert len(set(logged)) == len(logged), "no event is in the log twice"
    assert [e.id for e in events] == logged, f"the inbox has {len(events)} events, the log {len(logged)}"
    return events
