"""A client in Python, written from proto/PROTOCOL.md and the .proto files alone."""
import collections
import itertools
import os
import threading
import time

import zmq
from zmq.utils import z85

import harness  # makes the schema
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

EVERYTHING = 1 << 14  # credit that tests don't run out of
REJECTED = wire.Confirmation.REJECTED
CONFIRMED = wire.Confirmation.CONFIRMED
REPEATED = wire.Confirmation.REPEATED

_last_ms, _id_lock = 0, threading.Lock()


def uuid7(unix_ms=None):
    b = bytearray((unix_ms or int(time.time() * 1000)).to_bytes(6, "big") + os.urandom(10))
    b[6] = 0x70 | b[6] & 0x0F
    b[8] = 0x80 | b[8] & 0x3F
    return bytes(b)


class Refused(Exception):
    def __init__(self, error):
        super().__init__(f"{wire.ErrorCode.Name(error.code)}: {error.text}")
        self.error = error
        self.code = error.code


class Client:
    """One connection. hear() gives the next message; expect() the next of a kind, keeping the others for later."""

    def __init__(self, endpoint, hub_key, keys, routing_id=None):
        self.socket = zmq.Context.instance().socket(zmq.DEALER)
        self.socket.curve_serverkey = z85.encode(hub_key)
        self.socket.curve_publickey = z85.encode(keys[0])
        self.socket.curve_secretkey = z85.encode(keys[1])
        self.socket.linger = 1000
        self.socket.maxmsgsize = 2 << 20
        if routing_id:
            self.socket.routing_id = routing_id
        self.socket.connect(endpoint)
        self.kept = collections.deque()
        self.refs = itertools.count(1)
        self.welcome = None

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def say(self, **message):
        self.socket.send(wire.ToHub(**message).SerializeToString())

    def _receive(self, timeout_s):
        if not self.socket.poll(int(timeout_s * 1000)):
            return None
        return wire.ToClient.FromString(self.socket.recv())

    def hear(self, timeout_s=10):
        return self.kept.popleft() if self.kept else self._receive(timeout_s)

    def expect(self, *kinds, timeout_s=15):
        """The next message of one of these kinds. An error of the session is raised, unless it is expected."""
        for i, message in enumerate(self.kept):
            if message.WhichOneof("message") in kinds:
                del self.kept[i]
                return getattr(message, message.WhichOneof("message"))
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            message = self._receive(deadline - time.monotonic())
            kind = message and message.WhichOneof("message")
            if kind in kinds:
                return getattr(message, kind)
            if kind == "error":
                raise Refused(message.error)
            if kind:
                self.kept.append(message)
        raise TimeoutError(f"no {' or '.join(kinds)} within {timeout_s} s")

    # -- session

    def hello(self, timeout_s=15):
        self.say(hello=wire.Hello(min_version=1, max_version=1, software="e2e"))
        self.welcome = self.expect("welcome", timeout_s=timeout_s)
        return self.welcome

    # -- publishing

    def send(self, *items_lists):
        """Sends one frame of publications, each a list of items; returns their refs."""
        publications = [wire.Publication(ref=next(self.refs), items=items) for items in items_lists]
        self.say(publish=wire.Publish(publications=publications))
        return [p.ref for p in publications]

    def confirmations(self, refs, timeout_s=15):
        """Waits for all of these; returns them in the order of refs."""
        got, wanted = {}, set(refs)
        while wanted - got.keys():
            for confirmation in self.expect("confirm", timeout_s=timeout_s).confirmations:
                got[confirmation.ref] = confirmation
        assert got.keys() == wanted, "confirmations that nobody waits for"
        return [got[ref] for ref in refs]

    def publish(self, *events):
        """Publishes events in one frame; returns their confirmations."""
        return self.confirmations(self.send(*[[event_item(e)] for e in events]))

    def publish_one(self, event):
        confirmation = self.publish(event)[0]
        if confirmation.status == REJECTED:
            raise Refused(confirmation.error)
        return confirmation

    def fact(self, **fact):
        """Submits one fact: fact(consent_given=reg.ConsentGiven(…))."""
        confirmation = self.confirmations(self.send([fact_item(**fact)]))[0]
        if confirmation.status == REJECTED:
            raise Refused(confirmation.error)
        return confirmation

    # -- receiving

    def attach(self, inbox, events=EVERYTHING, size=16 << 20):
        self.say(attach=wire.Attach(inbox=inbox, credit_events=events, credit_bytes=size))
        answer = self.expect("attached", "detached")
        if isinstance(answer, wire.Detached):
            assert (answer.handle, answer.inbox) == (0, inbox), "a refusal names the inbox"
            raise Refused(answer.error)
        return answer

    def ack(self, attached, lane, first, last, kind=log.STORED):
        ack = wire.Ack(handle=attached.handle, epoch=attached.epoch)
        ack.ranges.add(**{"lane": lane, "from": first, "to": last, "kind": kind})
        self.say(ack=ack)

    def credit(self, attached, events, size=1 << 20):
        self.say(credit=wire.Credit(handle=attached.handle, epoch=attached.epoch, events=events, bytes=size))

    def deliveries(self, attached, count, timeout_s=15):
        """The next `count` deliveries of an attachment."""
        got = []
        deadline = time.monotonic() + timeout_s
        while len(got) < count:
            message = self.expect("deliver", timeout_s=max(0.01, deadline - time.monotonic()))
            assert (message.handle, message.epoch) == (attached.handle, attached.epoch)
            got.extend(message.deliveries)
        assert len(got) == count, f"{len(got)} deliveries instead of {count}"
        return got

    def silent(self, seconds, *kinds):
        """True if no message of these kinds comes for so long."""
        try:
            self.expect(*kinds, timeout_s=seconds)
        except TimeoutError:
            return True
        return False

    # -- questions

    def ask(self, timeout_s=15, **question):
        ref = next(self.refs)
        self.say(query=wire.Query(ref=ref, **question))
        answer = self.expect("answer", timeout_s=timeout_s)
        assert answer.ref == ref
        if answer.HasField("error"):
            raise Refused(answer.error)
        return getattr(answer, answer.WhichOneof("answer"))

    def export(self):
        """All entries of the log."""
        entries, place = [], 1
        while place:
            page = self.ask(export_log=wire.ExportQuery(from_place=place, max=256))
            entries.extend(page.entries)
            place = page.next_place
        return entries


def event_item(event):
    return wire.Item(event=event if isinstance(event, bytes) else event.SerializeToString())


def fact_item(**fact):
    return wire.Item(fact=reg.Fact(id=uuid7(), **fact))


# ---- Events and patients ----------------------------------------------------------------------------------------------

SYSTEM = "urn:e2e:patient"


def patient_ref(value, system=SYSTEM):
    return reg.PatientRef(identifier={"system": system, "value": value})


def discharge(patient, actor="", note="", event_id=None):
    """A discharge: travels in the immediate lane."""
    e = ev.Event(id=event_id or uuid7(), type=ev.HOSPITAL_DISCHARGE)
    e.patient.identifiers.add(system=SYSTEM, value=patient)
    e.author.actor = actor
    e.occurred_at.unix_ms = int(time.time() * 1000)
    e.hospital_discharge.encounter_id = "E-1"
    e.hospital_discharge.location.ward = "W3"
    e.hospital_discharge.note = note
    return e


def enrol(ticket):
    """Enrols a new key with a ticket; returns endpoint, hub key and key pair."""
    head, hub_key, token = ticket.strip().rsplit(":", 2)
    endpoint = head.removeprefix("carehub-ticket:v1:")
    keys = harness.keypair()
    with Client(endpoint, bytes.fromhex(hub_key), keys) as c:
        c.say(enrol=wire.Enrol(token=bytes.fromhex(token)))
        name = c.expect("enrolled").client
    return name, keys


# ---- A region to test in ----------------------------------------------------------------------------------------------

class Region:
    """A hub with a registry that the tests fill: actors with an inbox of their own name, clients, patients."""

    def __init__(self, **hub):
        self.hub = harness.Hub(**hub).start()
        self.operator = self.connect(self.hub.operator_keys)
        self.clients = []

    def connect(self, keys, hello=True):
        client = Client(self.hub.endpoint, self.hub.public_key, keys)
        if hello:
            client.hello()
        return client

    def close(self):
        for client in [self.operator, *self.clients]:
            client.close()
        self.hub.stop()

    def actor(self, name, types=("*",), inbox=True, kind=reg.ORGANISATION):
        self.operator.fact(actor_set=reg.ActorSet(name=name, kind=kind, display=name))
        if inbox:
            self.operator.fact(inbox_set=reg.InboxSet(name=name, actor=name, types=types))

    def register_client(self, name, actors, publishes=("*",), **rights):
        """Registers a client with a new key; returns the key pair."""
        keys = harness.keypair()
        self.operator.fact(client_set=reg.ClientSet(name=name, actors=actors, publishes=publishes, **rights))
        self.operator.fact(client_key_added=reg.ClientKeyAdded(client=name, public_key=keys[0]))
        return keys

    def client(self, name, actors, **rights):
        client = self.connect(self.register_client(name, actors, **rights))
        self.clients.append(client)
        return client

    def patient(self, value, team=(), consent=True, system=SYSTEM):
        """Registers a patient; `team` is pairs of actor and role. Returns the hub's number."""
        number = self.operator.fact(patient_registered=reg.PatientRegistered(
            identifiers=[{"system": system, "value": value}])).number
        if consent:
            self.give_consent(value, system)
        for actor, role in team:
            self.operator.fact(member_added=reg.MemberAdded(patient=patient_ref(value, system), actor=actor,
                                                            role=role, basis=reg.THERAPEUTIC_RELATION))
        return number

    def give_consent(self, value, system=SYSTEM):
        return self.operator.fact(consent_given=reg.ConsentGiven(
            patient=patient_ref(value, system), purposes=["continuity-of-care"], given_by="person"))
