#!/usr/bin/python3
"""The GP is told personally: what no human there has read in its time goes to the next in line, once. With the policy as it
comes (a discharge: 24 hours), and a hub whose clock is ahead of ours from one life to the next."""
import unittest

import client as c
import harness
from carehub.v1 import log_pb2 as log
from carehub.v1 import wire_pb2 as wire

HOUR = 3600
PATIENT = "p"


class UnreadTest(unittest.TestCase):
    def setUp(self):
        self.clock = harness.FakeClock()
        self.region = region = c.Region(environment=self.clock.environment)
        self.addCleanup(region.close)
        self.keys = {}
        for name in ("gp", "coordinator"):
            region.actor(name)
            self.keys[name] = region.register_client(f"{name}-software", [name])
        region.actor("hospital", inbox=False)
        region.patient(PATIENT, team=[("gp", "gp"), ("coordinator", "coordinator")])
        hospital = region.client("hospital-software", ["hospital"])
        self.read, self.unread = (hospital.publish_one(c.discharge(PATIENT)).place for _ in range(2))

    def open(self, name):
        client = self.region.connect(self.keys[name])
        self.addCleanup(client.close)
        return client, client.attach(name)

    def receive(self, name, count):
        """Stores what has come, which does not yet say that anybody has read it."""
        client, inbox = self.open(name)
        came = client.deliveries(inbox, count)
        client.ack(inbox, log.LANE_IMMEDIATE, came[0].number, came[-1].number)
        return client, inbox, came

    def hours_later(self, hours):
        harness.until(lambda: self.region.operator.ask(status=wire.StatusQuery()).undelivered == 0, what="the acknowledgements")
        self.region.hub.stop()
        self.clock.set(hours * HOUR)
        self.region.hub.start()
        self.region.operator.close()
        self.region.operator = self.region.connect(self.region.hub.operator_keys)

    def test_what_is_not_read_goes_to_the_next_in_line_once(self):
        gp, inbox, came = self.receive("gp", 2)
        self.assertEqual([d.place for d in came], [self.read, self.unread])
        gp.ack(inbox, log.LANE_IMMEDIATE, came[0].number, came[0].number, log.READ)
        self.receive("coordinator", 2)

        self.hours_later(23)
        coordinator, _ = self.open("coordinator")
        self.assertTrue(coordinator.silent(1.5, "deliver"), "its time is not over")

        self.hours_later(25)
        coordinator, _, came = self.receive("coordinator", 1)
        self.assertEqual(came[0].place, self.unread)
        self.assertEqual(came[0].cause, log.ESCALATION)
        self.assertEqual(came[0].instead_of, "gp")
        self.assertTrue(coordinator.silent(1.5, "deliver"), "what was read is not escalated")
        story = self.region.hub.cli_json("trace", self.unread)
        self.assertIn("ESCALATION", str(story))
        self.assertNotIn("ESCALATION", str(self.region.hub.cli_json("trace", self.read)))

        self.hours_later(75)
        coordinator, _ = self.open("coordinator")
        self.assertTrue(coordinator.silent(1.5, "deliver"), "once each")


if __name__ == "__main__":
    unittest.main()
