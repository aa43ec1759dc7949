#!/usr/bin/python3
"""What another policy would have changed: the hub's answer, against an independent computation from the exported log by
the model of the rules. The scenario is that of test_recompute: teams, consents, grants, corrections, merged records.

CAREHUB_SEED: the scenario (1). CAREHUB_SCENARIO_STEPS: its length (400)."""
import random
import unittest

import client as c
import harness
import model
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire
from test_recompute import CARERS, Scenario

DIFFERENT = 6  # the exit status
POLICIES = 12
TOGETHER = {**dict.fromkeys(CARERS, reg.INFORMAL_CARER), "actor-0": reg.PERSON, "actor-1": reg.INFORMAL_CARER}
SHARE = {0: wire.GETS_NOTHING, 1: wire.GETS_ADMINISTRATIVE, 2: wire.GETS_CARE, 3: wire.GETS_CLINICAL}


def gets(decision):
    if decision.outcome == log.HOLD:
        return wire.GETS_HELD
    if decision.outcome == log.WITHHOLD:
        return wire.GETS_NOTHING
    return wire.GETS_NOTICE if decision.notice else SHARE[decision.level]


def span(patients):
    low = len(patients) // 5 * 5
    return max(low, 1), low + 4


def another_policy(chosen, text):
    """The policy with the levels of some cells changed, and sometimes a type that goes on after death."""
    lines, matrix = [], False
    for line in text.splitlines():
        section = line[:1].isalpha()
        matrix = line == "matrix" if section else matrix
        name, equals, value = line.partition("= ")
        if matrix and equals and chosen.random() < 0.1:
            level = chosen.choice(["none", "administrative", "care", "clinical", "clinical, personal",
                                   "care, by relation"])
            line = f"{name}= {level}"
        lines.append(line)
        if line == "after-death" and chosen.random() < 0.3:
            lines.append("    HospitalDischarge")
    return "\n".join(lines) + "\n"


class PolicyDiffTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        Scenario(cls.region, harness.SEED).run()
        for name, kind in TOGETHER.items():
            cls.region.operator.fact(actor_set=reg.ActorSet(name=name, kind=kind, display=name))
        cls.entries = cls.region.operator.export()
        cls.end = model.State()
        for entry in cls.entries:
            cls.end.apply(entry)
        cls.text = harness.POLICY.read_text()
        cls.region.operator.fact(policy_adopted=reg.PolicyAdopted(text=cls.text))
        cls.directory = harness.scratch_dir()

    def survivor(self, number):
        while self.end.people[number].merged_into:
            number = self.end.people[number].merged_into
        return number

    def expected(self, new):
        """Each change, with its patients."""
        changes, state = {}, model.State()
        old, new = model.Policy(self.text), model.Policy(new)
        for entry in self.entries:
            if entry.HasField("event"):
                then, decisions = state.policy, []
                for state.policy in (old, new):
                    decisions.append(model.Question(state, entry).decide_all())
                state.policy = then
                for number, before in decisions[0].items():
                    was, now = gets(before), gets(decisions[1][number])
                    if was == now:
                        continue
                    name = state.actors[number].name
                    who = ("", TOGETHER[name]) if name in TOGETHER else (name, reg.ORGANISATION)
                    changes.setdefault((*who, entry.event.type, was, now), set()).add(self.survivor(entry.patient))
            state.apply(entry)
        return changes

    def compared(self, name, text, status):
        path = self.directory / f"{name}.policy"
        path.write_text(text)
        return wire_answer(self.region.hub.cli_json("policy", "diff", path, status=status))

    def test_it_agrees_with_a_computation_from_the_log_alone(self):
        chosen, seen = random.Random(harness.SEED), 0
        for i in range(POLICIES):
            new = another_policy(chosen, self.text)
            expected = self.expected(new)
            answer = self.compared(f"new-{i}", new, DIFFERENT if expected else 0)
            found = {(x.actor, x.kind, x.type, x.before, x.after): (x.patients.at_least, x.patients.at_most)
                     for x in answer.changes}
            self.assertEqual(found, {key: span(patients) for key, patients in expected.items()},
                             f"policy {i}, seed {harness.SEED}")
            self.check_totals(answer, expected)
            self.assertEqual(answer.events, sum(e.HasField("event") for e in self.entries))
            self.assertEqual(answer.not_kept, sum(e.HasField("not_kept") for e in self.entries))
            seen += len(found)
        print(f"    {seen} changes under {POLICIES} policies")
        self.assertGreater(seen, POLICIES, "the policies are too alike to show anything")

    def check_totals(self, answer, expected):
        for total, is_in in ((answer.gaining, lambda was, now: now > was), (answer.losing, lambda was, now: now < was)):
            shown = [patients for (*_, was, now), patients in expected.items()
                     if len(patients) >= 5 and is_in(was, now)]
            together = set().union(*shown)
            self.assertEqual((total.at_least, total.at_most), span(together) if together else (0, 0))

    def test_the_policy_in_force_is_no_different_from_itself(self):
        answer = self.compared("same", self.text, 0)
        self.assertEqual(len(answer.changes) + len(answer.sections), 0)

    def test_no_number_under_five_is_told(self):
        chosen = random.Random(harness.SEED + 1)
        path = self.directory / "shown.policy"
        path.write_text(another_policy(chosen, self.text))
        answer = self.compared("few", path.read_text(), DIFFERENT)
        for patients in [change.patients for change in answer.changes]:
            self.assertIn((patients.at_least % 5, patients.at_most % 5), ((0, 4), (1, 4)))
            self.assertEqual(patients.at_most - patients.at_least, 3 if patients.at_least == 1 else 4)
        shown = self.region.hub.cli("policy", "diff", path, status=DIFFERENT)
        self.assertNotRegex(shown, r"(?m)  [1-4]( to \d+)?$")

    def test_what_is_applied_is_different_no_more(self):
        hub = c.Region()
        self.addCleanup(hub.close)
        path = self.directory / "applied.policy"
        path.write_text(self.text.replace("hold-days = 14", "hold-days = 7"))
        self.assertIn("hold-days", hub.hub.cli("policy", "diff", path, status=DIFFERENT))
        hub.hub.cli("policy", "apply", path)
        hub.hub.cli("policy", "diff", path)


def wire_answer(document):
    """From the JSON of the command line."""
    from google.protobuf import json_format
    return json_format.ParseDict(document, wire.PolicyDiffAnswer())


if __name__ == "__main__":
    unittest.main()
