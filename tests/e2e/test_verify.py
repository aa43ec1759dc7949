#!/usr/bin/python3
"""What an informal carer enters is unverified until a professional who received it stands for it; a hub that is killed
knows it; and the command line verifies, lists emergency accesses, and sets the scope of a proxy."""
import time
import unittest

import client as c
import harness
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire


class VerifyTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        self.region.actor("daughter", kind=reg.INFORMAL_CARER)
        for name in ("gp", "nurse", "hospital"):
            self.region.actor(name)
        self.carer = self.region.client("carer-app", ["daughter"])
        self.gp = self.region.client("gp", ["gp"])
        self.number = self.region.patient("one", team=[("daughter", "informal-carer"), ("gp", "gp"),
                                                       ("nurse", "home-nurse")])

    def fall(self):
        e = ev.Event(id=c.uuid7(), type=ev.FALL_REPORTED)
        e.patient.identifiers.add(system=c.SYSTEM, value="one")
        e.occurred_at.unix_ms = int(time.time() * 1000)
        e.fall_reported.help_needed = True
        return e

    def test_who_received_it_is_sent_it_again_also_after_a_kill(self):
        fall, keys = self.fall(), self.region.register_client("nurse", ["nurse"])
        self.carer.publish_one(fall)
        attached = self.gp.attach("gp")
        delivery, = self.gp.deliveries(attached, 1)
        self.assertTrue(ev.Event.FromString(delivery.event).author.unverified)
        self.assertEqual(delivery.verified_by, "")
        with self.assertRaises(c.Refused) as refused:  # a client that speaks for nobody who received it
            self.carer.fact(event_verified=reg.EventVerified(event_id=fall.id, actor_name="gp"))
        self.assertEqual(refused.exception.code, wire.NOT_ALLOWED)
        self.gp.fact(event_verified=reg.EventVerified(event_id=fall.id, actor_name="gp"))
        again, = self.gp.deliveries(attached, 1)
        self.assertEqual((again.place, again.cause, again.verified_by), (delivery.place, log.VERIFIED, "gp"))
        self.region.hub.kill()
        self.region.hub.start()
        nurse = self.region.connect(keys)
        self.addCleanup(nurse.close)
        first, second = nurse.deliveries(nurse.attach("nurse"), 2)
        self.assertEqual((first.verified_by, second.verified_by), ("gp", "gp"))

    def test_the_command_line_verifies_and_says_so(self):
        place = self.carer.publish_one(self.fall()).place
        self.assertIn("unverified", self.region.hub.cli("trace", str(place)))
        self.region.hub.cli("verify", str(place), "--actor", "hospital", status=1)
        self.assertIn("gp has verified the event", self.region.hub.cli("verify", str(place), "--actor", "gp"))
        self.assertIn("verified by gp on", self.region.hub.cli("explain", str(place), "nurse", "--lang", "en"))

    def test_a_proxy_enters_and_is_told_what_its_scope_says(self):
        self.region.hub.cli("team", "add", f"P{self.number}", "daughter", "--role", "informal-carer", "--basis",
                            "chosen-by-person", "--max-level", "administrative", "--types",
                            "HospitalDischarge,CarerStrain")
        place = self.carer.publish_one(self.fall()).place
        self.assertIn("not kept", self.region.hub.cli("trace", str(place)))
        hospital = self.region.client("hospital", ["hospital"])
        place = hospital.publish_one(c.discharge("one")).place
        answer = self.region.hub.cli_json("explain", str(place), "daughter")
        self.assertEqual(answer["recorded"]["level"], "LEVEL_ADMINISTRATIVE")

    def test_emergency_accesses_are_listed_separately(self):
        self.region.hub.cli("grant", "give", f"P{self.number}", "hospital", "--role", "emergency-physician", "--kind",
                            "emergency-access", "--until", "+2h", "--purpose", "acute care", "--justification",
                            "found unconscious")
        self.region.hub.cli("grant", "list", status=2)
        listed = self.region.hub.cli("grant", "list", "--emergency", "--since", "1h")
        self.assertIn("found unconscious", listed)
        self.assertIn(f"P{self.number}", listed)
        self.assertIn("in force", listed)


if __name__ == "__main__":
    unittest.main()
