#!/usr/bin/python3
"""`carehub replay`: whoever lost what it had gets it again, marked as a replay; a replay goes on after kill -9; and an
emergency access is told to the team."""
import time
import unittest

import client as c
import harness
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg

EVENTS = 3000


class ReplayTest(unittest.TestCase):
    def setUp(self):
        self.region = c.Region()
        self.addCleanup(self.region.close)
        for name in ("hospital", "gp", "physician"):
            self.region.actor(name)
        self.hospital = self.region.client("hospital", ["hospital"])
        self.gp = self.region.client("gp", ["gp"])
        self.number = self.region.patient("one", team=[("gp", "gp")])

    def publish(self, count):
        for _ in range(count // 250):
            refs = self.hospital.send(*[[c.event_item(c.discharge("one"))] for _ in range(250)])
            self.hospital.confirmations(refs)

    def take_all(self, count):
        attached = self.gp.attach("gp")
        self.gp.deliveries(attached, count)
        self.gp.ack(attached, log.LANE_IMMEDIATE, 1, count)
        return attached

    def test_the_command_line_tries_replays_and_tells(self):
        self.hospital.publish_one(c.discharge("one"))
        attached = self.take_all(1)
        ask = ("replay", "--patient", f"P{self.number}", "--actor", "gp")
        tried = self.region.hub.cli_json(*ask, "--dry-run")
        self.assertEqual((tried[0]["actor"], tried[0]["outcome"], tried[-1]["delivered"]), ("gp", "DELIVER", "1"))
        then = self.region.hub.cli_json(*ask, "--as-then")
        self.assertEqual(then[-1]["delivered"], "1")
        self.region.hub.cli(*ask, status=2)  # without a reason
        told = self.region.hub.cli(*ask, "--reason", "lost its disk", "--since", "1d", "--type", "HospitalDischarge")
        self.assertIn("1 events: 1 put into inboxes", told)
        delivery, = self.gp.deliveries(attached, 1)
        self.assertEqual((delivery.number, delivery.cause), (2, log.REPLAY))
        event = ev.Event.FromString(delivery.event)
        story = self.region.hub.cli("trace", str(delivery.place))
        self.assertIn("on request (#", story)
        self.assertEqual(event.type, ev.HOSPITAL_DISCHARGE)
        readings = [e.reading.question for e in self.region.operator.export() if e.HasField("reading")]
        self.assertEqual(readings, ["replay, dry run", "replay, dry run as then"])

    def test_a_replay_goes_on_after_a_kill(self):
        self.publish(EVENTS)
        self.take_all(EVENTS)
        time.sleep(0.5)
        place = self.region.operator.fact(replayed=reg.Replayed(actor_name="gp", reason="test")).place
        self.region.hub.kill()
        self.region.hub.start()
        operator = self.region.connect(self.region.hub.operator_keys)
        self.addCleanup(operator.close)
        for _ in range(200):
            answer = operator.ask(replay={"place": place})
            if answer.done:
                break
            time.sleep(0.1)
        self.assertEqual((answer.done, answer.count.delivered), (True, EVENTS))
        laters = [e.later for e in operator.export() if e.HasField("later")]
        self.assertEqual(len(laters), EVENTS)
        self.assertEqual(len({later.event_place for later in laters}), EVENTS, "each once")

    def test_the_team_is_told_of_an_emergency_access(self):
        attached = self.gp.attach("gp")
        self.region.operator.fact(grant_given=reg.GrantGiven(
            patient=c.patient_ref("one"), actor="physician", role="emergency-physician", kind=reg.EMERGENCY_ACCESS,
            until_ms=int(time.time() * 1000) + 3600000, purpose="acute care", justification="found unconscious"))
        delivery, = self.gp.deliveries(attached, 1)
        event = ev.Event.FromString(delivery.event)
        self.assertEqual(event.type, ev.EMERGENCY_ACCESS_USED)
        self.assertEqual([(i.system, i.value) for i in event.patient.identifiers], [(c.SYSTEM, "one")])
        self.assertEqual(event.emergency_access_used.justification, "found unconscious")


if __name__ == "__main__":
    unittest.main()
