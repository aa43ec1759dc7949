#!/usr/bin/python3
"""kill -9 of adapters that answer only when the hub has it, and of the hub: a pharmacy's, which compares each version
of a scheme with the last one, and a hospital's over MLLP with TLS. Nothing is lost, doubled, or compared with the wrong
version. Persons are invented.

CAREHUB_SEED: when and what is killed and sent (1). CAREHUB_OFFLINE_SECONDS: how long it goes on, in each test (3)."""
import random
import shutil
import socket
import ssl
import subprocess
import time
import unittest

import hl7

import client as c
import harness
import killing
import network
import power_cut
from carehub.v1 import bodies_pb2 as bodies
from test_adapter_mllp import CR, EB, SB, code_of, message

PHARMACY = """confirm-timeout-ms = 3000
in
    transport = folder
    path = drop
    settle-ms = 0
format
    plugin = pharmacy
    default-sender = pharmacy
    senders
        pharmacy
            actor = pharmacy
            confirm = hub
"""
HOSPITAL = """confirm-timeout-ms = 2000
in
    transport = mllp
    endpoint = 127.0.0.1:0
    tls-certificate = server.pem
    tls-key = server.key
    tls-client-ca = authority.pem
format
    plugin = hospital
    senders
        all
            application = *
            actor = hospital
            confirm = hub
            identifiers
                local
                    system = urn:e2e:patient
                    authority = AZT
"""


class KilledCase(unittest.TestCase):
    """A hub whose gp is told; the adapter of `actor` behind a bad network."""

    def prepare(self, actor, role, config, **patients):
        self.region = c.Region()
        self.addCleanup(lambda: self.region.hub.stop())
        self.addCleanup(lambda: self.region.operator.close())
        self.region.actor(actor, inbox=False)
        self.region.actor("gp")
        self.gp_keys = self.region.register_client("gp-software", ["gp"])
        for patient in patients["numbers"]:
            self.region.patient(patient, [("gp", "gp"), (actor, role)], system=patients["system"])
        self.proxy = network.LossyProxy(("127.0.0.1", int(self.region.hub.endpoint.rsplit(":", 1)[1])), harness.SEED)
        self.proxy.start()
        self.addCleanup(self.proxy.stop)
        self.adapter = killing.Adapter(self.proxy.endpoint, self.region.hub.public_key,
                                       self.region.register_client(f"{actor}-adapter", [actor]), config, "")
        self.addCleanup(self.adapter.stop)
        self.chaos = killing.Chaos(harness.SEED)
        self.addCleanup(self.chaos.over.set)
        self.hub = killing.HubKiller(self.region)

    def restart(self):
        self.adapter.kill()
        self.adapter.start()

    def go(self):
        self.adapter.start()
        self.chaos.every(0.3, self.restart)
        self.chaos.every(0.8, self.hub)
        self.chaos.go(killing.SECONDS, self.hub.end)
        self.proxy.lossy = False

    def say(self, what):
        print(f"    seed {harness.SEED}: {self.adapter.kills} kills of the adapter, {self.hub.kills} of the hub, "
              f"{self.proxy.cuts} cuts; {what}", flush=True)


# ---- Schemes -----------------------------------------------------------------------------------------------------------

ADDED, STOPPED, POSOLOGY = (bodies.MedicationChange.ADDED, bodies.MedicationChange.STOPPED,
                            bodies.MedicationChange.POSOLOGY_CHANGED)


def ssin(serial):
    """A national number with its check digits; of nobody, there is no such date."""
    return f"{serial:09}{97 - serial % 97:02}"


def kmehr(patient, version, lines):
    """Lines: (number, times a day) in any order."""
    def transaction(kind, when, rest):
        return (f'<transaction>{rest[0]}<cd S="CD-TRANSACTION">{kind}</cd><date>{when[0]}</date><time>{when[1]}</time>'
                f"{rest[1]}</transaction>")

    def line(number, times):
        uri = f"/subject/{patient}/medication-scheme/{number}/1"
        return transaction("medicationschemeelement", ("2026-01-01", "09:00:00"), (
            f'<id S="ID-KMEHR">{number}</id><id S="LOCAL" SL="vitalinkuri">{uri}</id>',
            '<item><cd S="CD-ITEM">medication</cd><content><medicinalproduct>'
            f'<intendedcd S="CD-DRUG-CNK">{1000000 + number}</intendedcd><intendedname>Medicine {number}</intendedname>'
            "</medicinalproduct></content><beginmoment><date>2026-01-01</date></beginmoment>"
            f'<posology><text L="nl">{times} per day</text></posology></item>'))

    made = ("2026-08-01", f"{10 + version // 3600:02}:{version // 60 % 60:02}:{version % 60:02}")
    return ("<kmehrmessage xmlns='http://www.ehealth.fgov.be/standards/kmehr/schema/v1'><header>"
            f'<id S="ID-KMEHR" SV="1.0">{patient}.{version}</id></header><folder>'
            f'<patient><id S="ID-PATIENT" SV="1.0">{patient}</id></patient>'
            + transaction("medicationscheme", made, ("", f"<version>{version}</version>"))
            + "".join(line(*one) for one in lines) + "</folder></kmehrmessage>")


class Scheme:
    """A patient's scheme as it changes; says what each version changed."""

    def __init__(self, patient, chance):
        self.patient, self.random = patient, chance
        self.lines, self.version = {}, 0
        self.expected = []  # (version, previous version, changes)
        self.told_version = None

    def next_version(self):
        before = dict(self.lines)
        for number in self.random.sample(range(1, 9), self.random.randint(0, 3)):
            if number in self.lines and self.random.random() < 0.4:
                del self.lines[number]
            else:
                self.lines[number] = self.random.randint(1, 3)
        changes = {(ADDED, n) for n in self.lines.keys() - before.keys()}
        changes |= {(STOPPED, n) for n in before.keys() - self.lines.keys()}
        changes |= {(POSOLOGY, n) for n in self.lines.keys() & before.keys() if self.lines[n] != before[n]}
        self.version += 1
        if self.version > 1 and changes:
            self.expected.append((str(self.version), str(self.version - 1), changes))
        return self.document()

    def document(self):
        lines = list(self.lines.items())
        self.random.shuffle(lines)
        return kmehr(self.patient, self.version, lines)


class SchemesTest(KilledCase):
    def test_each_new_version_is_told_once_by_what_it_changes_however_often_it_is_killed(self):
        self.send()
        for scheme in self.schemes:
            self.assertEqual(self.told(scheme), scheme.expected, f"seed {harness.SEED}")
        self.assertEqual(len(self.events), sum(len(s.expected) for s in self.schemes), "nothing else")

    @unittest.skipUnless(power_cut.available(), power_cut.WHY_NOT)
    def test_power_cuts_do_not_bring_an_old_version_back(self):
        self.send(lambda folder: power_cut.Power(folder, random.Random(harness.SEED)))
        for scheme in self.schemes:
            self.assertEqual(self.told(scheme), scheme.expected, f"seed {harness.SEED}")

    @unittest.skipUnless(power_cut.available(), power_cut.WHY_NOT)
    def test_a_journal_that_is_not_synced_does_and_that_is_noticed(self):
        def lying(folder):
            power = power_cut.Power(folder, random.Random(harness.SEED), "/state/journal.db")
            power.worst = True
            return power

        self.send(lying, wait_s=3)
        self.assertNotEqual([self.told(s) for s in self.schemes], [s.expected for s in self.schemes])

    def told(self, scheme):
        bodies_told = [e.medication_changed for e in self.events if e.patient.identifiers[0].value == scheme.patient]
        return [(b.scheme_version, b.previous_version, {(x.kind, int(x.medicine.name.split()[1])) for x in b.changes})
                for b in bodies_told]

    def send(self, power=None, wait_s=45):
        """Drops versions while it all goes wrong; `events` are those that came of them."""
        chance = random.Random(harness.SEED)
        self.schemes = [Scheme(ssin(990000000 + i), chance) for i in range(5)]
        self.prepare("pharmacy", "pharmacist", PHARMACY, system="ssin", numbers=[s.patient for s in self.schemes])
        self.adapter.power = power and power(self.adapter.dir)
        self.files = 0
        self.chaos.load(self.drop, self.schemes, chance)
        self.go()
        harness.until(lambda: not self.adapter.waiting(), 40, "the drop folder being worked through")
        expected = sum(len(s.expected) for s in self.schemes)
        self.events = killing.taken_by(self.region, self.gp_keys, "gp", expected, seconds=wait_s)
        self.say(f"{self.files} files with {sum(s.version for s in self.schemes)} versions of {len(self.schemes)} schemes, "
                 f"{len(self.events)} that changed something")

    def drop(self, schemes, chance):
        """New versions, and now and then the last one again, in another order and under another name."""
        while not self.chaos.over.wait(chance.random() * 0.04):
            scheme = chance.choice(schemes)
            again = scheme.version > 0 and chance.random() < 0.2
            self.files += 1
            self.adapter.put(f"{self.files:06}.xml", scheme.document() if again else scheme.next_version())


# ---- MLLP --------------------------------------------------------------------------------------------------------------

def make_certificates(folder):
    """authority, server and sender: NAME.pem and NAME.key."""
    def run(*arguments):
        subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, check=True)

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("req", "-x509", *key, "-subj", "/CN=authority", "-days", "2", "-keyout", "authority.key", "-out", "authority.pem")
    for name, extension in (("server", "subjectAltName=IP:127.0.0.1"), ("sender", "extendedKeyUsage=clientAuth")):
        run("req", *key, "-subj", f"/CN={name}", "-addext", extension, "-keyout", f"{name}.key", "-out", f"{name}.req")
        run("x509", "-req", "-in", f"{name}.req", "-CA", "authority.pem", "-CAkey", "authority.key", "-days", "2",
            "-copy_extensions", "copy", "-out", f"{name}.pem")


class Hospital:
    """Sends one message after another over TLS, each again until it is answered AA."""

    def __init__(self, name, adapter):
        self.name, self.adapter = name, adapter
        self.accepted, self.sent, self.text = [], 0, None
        self.tls = ssl.create_default_context(cafile=str(adapter.dir / "authority.pem"))
        self.tls.load_cert_chain(str(adapter.dir / "sender.pem"), str(adapter.dir / "sender.key"))
        self.socket, self.buffer = None, b""

    def answer(self):
        while EB + CR not in self.buffer:
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionResetError
            self.buffer += more
        one, self.buffer = self.buffer.split(EB + CR, 1)
        return hl7.parse(one[1:].decode())

    def send_next(self):
        visit = f"{self.name}-{len(self.accepted) + 1}"
        self.text = self.text or message("A02", visit, "4711^^^AZT^PI", sender=f"{self.name}|AZ", pv1={19: visit})
        try:
            if not self.socket:
                host, port = self.adapter.address.rsplit(":", 1)
                plain = socket.create_connection((host, int(port)), timeout=6)
                self.buffer = b""
                self.socket = self.tls.wrap_socket(plain, server_hostname="127.0.0.1")
            self.sent += 1
            self.socket.sendall(SB + self.text.encode() + EB + CR)
            code = code_of(self.answer())
        except OSError:
            self.close()
            return False
        assert code in ("AA", "AE"), code
        if code == "AA":
            self.accepted.append(visit)
            self.text = None
        return code == "AA"

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None

    def run(self, over):
        while not over.is_set():
            harness.until(self.send_next, 40, f"{self.name}'s being answered")
        self.close()


@unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
class MllpTest(KilledCase):
    def test_every_message_that_was_answered_is_at_the_hub_once_and_in_order(self):
        self.prepare("hospital", "hospital", HOSPITAL, system=c.SYSTEM, numbers=["4711"])
        make_certificates(self.adapter.dir)
        hospitals = [Hospital(name, self.adapter) for name in ("NORTH", "SOUTH", "WEST")]
        for hospital in hospitals:
            self.chaos.load(hospital.run, self.chaos.over)
        self.go()
        accepted = sum(len(h.accepted) for h in hospitals)
        events = killing.taken_by(self.region, self.gp_keys, "gp", accepted)
        visits = [e.care_transition.encounter_id for e in events]
        for hospital in hospitals:
            self.assertEqual([v for v in visits if v.startswith(hospital.name)], hospital.accepted, f"seed {harness.SEED}")
        self.assertEqual(len(visits), accepted, "nothing else")
        self.say(f"{accepted} messages taken of {sum(h.sent for h in hospitals)} sent")

    def test_without_a_certificate_nobody_is_heard(self):
        self.prepare("hospital", "hospital", HOSPITAL, system=c.SYSTEM, numbers=["4711"])
        make_certificates(self.adapter.dir)
        self.adapter.start()
        stranger = Hospital("STRANGER", self.adapter)
        stranger.tls = ssl.create_default_context(cafile=str(self.adapter.dir / "authority.pem"))
        self.assertFalse(stranger.send_next())
        time.sleep(0.3)
        self.assertEqual(stranger.accepted, [])


if __name__ == "__main__":
    unittest.main()
