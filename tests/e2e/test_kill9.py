#!/usr/bin/python3
"""kill -9 of the hub under load, in a loop: what was confirmed is there, what was acknowledged is not repeated, and what
was not comes again with its number. The oracle is here: it believes only what the hub has confirmed.

CAREHUB_KILL_ROUNDS: how many kills (10). CAREHUB_SEED: when they come, and what is sent (1)."""
import os
import random
import threading
import time
import unittest

import client as c
import harness
from carehub.v1 import log_pb2 as log
from carehub.v1 import wire_pb2 as wire

ROUNDS = int(os.environ.get("CAREHUB_KILL_ROUNDS", "10"))
TEAM = (("pharmacy", "pharmacist"), ("gp", "gp"), ("nursing", "home-nurse"))
PATIENT, OUTSIDER = "patient", "outsider"  # the outsider has no consent: nothing of what is sent of it is kept
WINDOW = 400                               # events that are not yet confirmed
LANE = log.LANE_IMMEDIATE


class Life:
    """One life of the hub, as its clients see it."""

    def __init__(self):
        self.ending = threading.Event()  # no new load; bring to an end what is under way
        self.killed = threading.Event()


class Publisher:
    """Sends events as fast as the hub confirms them, and everything unconfirmed again after each kill."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.unconfirmed = {}  # id -> event, in the order in which they were first sent
        self.place = {}        # id -> place, of what was confirmed
        self.repeats = 0

    def run(self, client, life):
        on_their_way = {}

        def send(events):
            refs = client.send(*[[c.event_item(e)] for e in events])
            on_their_way.update(zip(refs, (e.id for e in events)))

        again = list(self.unconfirmed.values())
        for i in range(0, len(again), 50):
            send(again[i:i + 50])
        while on_their_way or not life.ending.is_set():
            if len(on_their_way) < WINDOW and not life.ending.is_set():
                events = [c.discharge(PATIENT, note="x" * self.random.randrange(300))
                          for _ in range(self.random.randint(1, 20))]
                self.unconfirmed.update((e.id, e) for e in events)
                send(events)
            message = client.hear(0.2 if len(on_their_way) >= WINDOW or life.ending.is_set() else 0.001)
            if message and message.WhichOneof("message") == "confirm":
                for confirmation in message.confirm.confirmations:
                    self.confirmed(on_their_way.pop(confirmation.ref), confirmation)
            elif message is None and life.killed.is_set():
                return

    def confirmed(self, event_id, confirmation):
        if confirmation.status == c.REJECTED:
            assert confirmation.error.retry, confirmation.error.text
            return  # stays unconfirmed: sent again in the next round
        self.repeats += confirmation.status == c.REPEATED
        was = self.place.setdefault(event_id, confirmation.place)
        assert was == confirmation.place, "an event has one place"
        del self.unconfirmed[event_id]


class Receiver:
    """Takes deliveries, acknowledges some of them, and knows which acknowledgements must have been safe: those that were
    sent before a publication that the hub then confirmed, on the same connection."""

    def __init__(self, inbox, seed):
        self.inbox = inbox
        self.random = random.Random(f"{seed}-{inbox}")
        self.delivered = {}     # number -> (event id, place)
        self.told = set()       # acknowledged, as far as we know
        self.safe = set()       # and surely in the hub's log
        self.errors = []

    def take(self, delivery, first_time):
        event_id = c.ev.Event.FromString(delivery.event).id
        if delivery.number in self.safe:
            self.errors.append(f"{self.inbox}: {delivery.number} was acknowledged, and came again")
        was = self.delivered.setdefault(delivery.number, (event_id, delivery.place))
        if was != (event_id, delivery.place):
            self.errors.append(f"{self.inbox}: {delivery.number} is another event than before")
        if not first_time:
            self.errors.append(f"{self.inbox}: {delivery.number} came twice on one connection")

    def run(self, client, life, everything=False):
        """Receives until it is told to stop or the hub is gone. With `everything` each delivery is acknowledged."""
        attached = client.attach(self.inbox)
        settled = next(p.settled for p in attached.lanes if p.lane == LANE)
        if self.safe and not set(range(1, settled + 1)) <= set(self.delivered):
            self.errors.append(f"{self.inbox}: settled up to {settled}, which was never delivered")
        here, markers, quiet_since = set(), {}, time.monotonic()
        while not life.ending.is_set() or (everything and time.monotonic() - quiet_since < 1):
            message = client.hear(0.2)
            kind = message and message.WhichOneof("message")
            if kind == "deliver":
                quiet_since = time.monotonic()
                numbers = [d.number for d in message.deliver.deliveries]
                for delivery in message.deliver.deliveries:
                    self.take(delivery, delivery.number not in here)
                here.update(numbers)
                chosen = [n for n in numbers if everything or self.random.random() < 0.8]
                self.acknowledge(client, attached, chosen, markers)
                client.credit(attached, len(numbers))
            elif kind == "confirm":
                for confirmation in message.confirm.confirmations:
                    self.safe |= markers.pop(confirmation.ref)
            elif kind in ("error", "bye", "detached"):
                self.errors.append(f"{self.inbox}: unexpected {kind}")
                return

    def acknowledge(self, client, attached, numbers, markers):
        if not numbers:
            return
        ack = wire.Ack(handle=attached.handle, epoch=attached.epoch)
        for number in numbers:
            ack.ranges.add(**{"lane": LANE, "from": number, "to": number, "kind": log.STORED})
        client.say(ack=ack)
        self.told.update(numbers)
        markers[client.send([c.event_item(c.discharge(OUTSIDER))])[0]] = set(numbers)


class Kill9Test(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.hub.stop)
        self.keys = {}
        self.region.actor("hospital", inbox=False)
        for actor, _ in TEAM:
            self.region.actor(actor)
            self.keys[actor] = self.region.register_client(f"{actor}-software", [actor])
        self.keys["hospital"] = self.region.register_client("hospital-software", ["hospital"])
        self.region.patient(PATIENT, TEAM)
        self.region.patient(OUTSIDER, consent=False)
        self.region.operator.close()

    def start(self, life, publisher, receivers, everything=False):
        """Starts everybody; returns their threads."""
        def run(who, keys, *arguments):
            try:
                with self.region.connect(keys) as client:
                    who.run(client, life, *arguments)
            except Exception as error:  # in a thread: kept for the test
                if not (life.killed.is_set() and isinstance(error, TimeoutError)):
                    self.problems.append(f"{type(who).__name__}: {error!r}")

        threads = [threading.Thread(target=run, args=(publisher, self.keys["hospital"]))]
        threads += [threading.Thread(target=run, args=(r, self.keys[r.inbox], everything)) for r in receivers]
        for thread in threads:
            thread.start()
        return threads

    def test_nothing_confirmed_is_lost_and_nothing_acknowledged_comes_again(self):
        moments = random.Random(harness.SEED)
        publisher = Publisher(harness.SEED)
        receivers = [Receiver(actor, harness.SEED) for actor, _ in TEAM]
        self.problems = []
        for number in range(ROUNDS):
            life = Life()
            threads = self.start(life, publisher, receivers)
            time.sleep(moments.uniform(0.2, 1.2))
            self.region.hub.kill()
            life.killed.set()
            life.ending.set()
            for thread in threads:
                thread.join(60)
            self.assertEqual(self.problems, [], f"round {number}, seed {harness.SEED}")
            self.region.hub.start()

        life = Life()
        life.ending.set()  # nothing new: the rest is sent again, delivered and acknowledged
        for thread in self.start(life, publisher, receivers, True):
            thread.join(120)
        self.assertEqual(self.problems, [])
        self.check(publisher, receivers)

    def check(self, publisher, receivers):
        self.assertEqual(publisher.unconfirmed, {})
        self.assertGreater(len(publisher.place), 100 * ROUNDS, "this was no load")
        entries = {}
        with self.region.connect(self.region.hub.operator_keys) as operator:
            for entry in operator.export():
                if entry.HasField("event"):
                    entries[entry.event.id] = entry.place
            undelivered = operator.ask(status=wire.StatusQuery()).undelivered
        self.assertEqual(entries, publisher.place, "the log holds exactly what was confirmed, where it was confirmed")
        for receiver in receivers:
            self.assertEqual(receiver.errors[:5], [], f"seed {harness.SEED}")
            self.assertEqual(sorted(receiver.delivered), list(range(1, len(entries) + 1)), "numbers have no gap")
            self.assertEqual(dict(receiver.delivered.values()), publisher.place, "each event once")
            self.assertGreater(len(receiver.safe), 0)
        self.assertEqual(undelivered, 0)
        print(f"    {ROUNDS} kills, {len(entries)} events, {publisher.repeats} sent again and recognised, "
              f"{sum(len(r.safe) for r in receivers)} acknowledgements known to be safe")


class OracleTest(unittest.TestCase):
    """The oracle notices what it is there for."""

    def setUp(self):
        self.receiver = Receiver("pharmacy", 1)
        self.event = c.discharge(PATIENT)
        self.receiver.take(self.delivery(1, self.event), True)

    def delivery(self, number, event):
        return wire.Delivery(number=number, place=7, event=event.SerializeToString())

    def test_a_repeat_before_the_acknowledgement_is_right(self):
        self.receiver.take(self.delivery(1, self.event), True)
        self.assertEqual(self.receiver.errors, [])

    def test_a_repeat_after_the_acknowledgement_is_noticed(self):
        self.receiver.safe.add(1)
        self.receiver.take(self.delivery(1, self.event), True)
        self.assertEqual(len(self.receiver.errors), 1)

    def test_another_event_under_the_same_number_is_noticed(self):
        self.receiver.take(self.delivery(1, c.discharge(PATIENT)), True)
        self.assertEqual(len(self.receiver.errors), 1)

    def test_a_repeat_on_the_same_connection_is_noticed(self):
        self.receiver.take(self.delivery(1, self.event), False)
        self.assertEqual(len(self.receiver.errors), 1)


if __name__ == "__main__":
    unittest.main()
