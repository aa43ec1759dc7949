#!/usr/bin/python3
"""What an adapter has remembered as told reaches the hub: when it was away, when nobody asks again, after a kill. Lines of
medication come over HTTP without a version and without a key, so that sending one again says nothing new."""
import json
import unittest
import urllib.error
import urllib.request

import client as c
import harness
from client import ev

PATIENT = "83051839468"
SSIN = "https://www.ehealth.fgov.be/standards/fhir/core/NamingSystem/ssin"
CONFIG = """state-dir = state
status-file = status.json
endpoint-file = endpoint
confirm-timeout-ms = 700
hub
    client-config = client.conf
in
    transport = http
    endpoint = 127.0.0.1:0
format
    plugin = pharmacy
    default-sender = north
    senders
        north
            role = pharmacist
            first = tell
"""


def line(name):
    return {"resourceType": "MedicationStatement", "status": "active",
            "subject": {"identifier": {"system": SSIN, "value": PATIENT}},
            "medicationCodeableConcept": {"text": name}}


class OutboxTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(lambda: self.region.close())
        self.region.actor("north", inbox=False)
        self.region.actor("gp")
        self.region.operator.fact(patient_registered=c.reg.PatientRegistered(
            identifiers=[{"system": "ssin", "value": PATIENT}]))
        ref = c.reg.PatientRef(identifier={"system": "ssin", "value": PATIENT})
        self.region.operator.fact(consent_given=c.reg.ConsentGiven(
            patient=ref, purposes=["continuity-of-care"], given_by="person"))
        for actor, role in (("gp", "gp"), ("north", "pharmacist")):
            self.region.operator.fact(member_added=c.reg.MemberAdded(patient=ref, actor=actor, role=role,
                                                                     basis=c.reg.THERAPEUTIC_RELATION))
        self.gp_keys = self.region.register_client("gp-software", ["gp"])
        keys = self.region.register_client("adapter", ["north"], publishes=["MedicationChanged"])
        self.dir = harness.scratch_dir()
        harness.write_key(self.dir / "client.key", keys)
        self.region.hub.write_client_conf(self.dir / "client.conf", "client.key")
        (self.dir / "adapter.conf").write_text(CONFIG)
        self.addCleanup(lambda: self.adapter.stop())
        self.start()

    def start(self):
        endpoint = self.dir / "endpoint"
        endpoint.unlink(missing_ok=True)
        self.adapter = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")
        self.url = harness.until(lambda: endpoint.exists() and endpoint.read_text().strip(), what="the adapter's endpoint")

    def post(self, resource):
        request = urllib.request.Request(f"{self.url}fhir/MedicationStatement", json.dumps(resource).encode(),
                                         {"Content-Type": "application/fhir+json"})
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def received(self, count):
        """The products of the changes that the gp gets."""
        with c.Client(self.region.hub.endpoint, self.region.hub.public_key, self.gp_keys) as gp:
            gp.hello()
            attached = gp.attach("gp")
            deliveries = gp.deliveries(attached, count)
            for delivery in deliveries:
                gp.ack(attached, delivery.lane, delivery.number, delivery.number)
            self.assertTrue(gp.silent(1.5, "deliver"))
        events = [ev.Event.FromString(d.event) for d in deliveries]
        return sorted(change.medicine.name for event in events for change in event.medication_changed.changes)

    def test_what_the_hub_was_not_there_for_reaches_it_although_it_is_unchanged_when_it_comes_again(self):
        self.region.hub.kill()
        for name in ("first", "second"):
            self.assertEqual(self.post(line(name)), 503)
        self.assertLess(self.post(line("first")), 300)  # nothing new: it is remembered
        self.region.hub.start()
        self.assertEqual(self.received(2), ["first", "second"])

    def test_what_was_not_confirmed_before_a_kill_reaches_the_hub_after_it(self):
        self.region.hub.kill()
        self.assertEqual(self.post(line("first")), 503)
        self.adapter.kill()
        self.region.hub.start()
        self.start()
        self.assertEqual(self.received(1), ["first"])


if __name__ == "__main__":
    unittest.main()
