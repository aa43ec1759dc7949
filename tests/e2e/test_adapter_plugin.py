#!/usr/bin/python3
"""A format of somebody else's, built with a compiler and the header alone, from files in a folder to a real hub: single
events, groups of events and facts, what the hub refuses, and what is remembered meanwhile. Persons are invented."""
import json
import subprocess
import unittest

import client as c
import harness
from carehub.v1 import event_pb2 as ev

BEFORE, OTHER = "4711", "4712"

# A message is words. "two": two events; "fact": a fact goes with them; the messages are counted in a state,
# which shows in fallsPastYear.
FORMAT = r"""
#include <carehub_adapter.h>
#include <stdio.h>
#include <string.h>

static bool open_words(const void *self, struct carehub_message *m)
{
    strcpy(m->sender, "words");
    strcpy(m->kind, "words");
    snprintf(m->native_id, sizeof m->native_id, "%s", m->native->name);
    return true;
}

static bool says(const struct carehub_message *m, const char *word)
{
    return memmem(m->native->bytes, m->native->len, word, strlen(word)) != NULL;
}

static void translate(const void *self, struct carehub_message *m, struct carehub_memory *memory)
{
    Carehub__V1__Identifier identifier = CAREHUB__V1__IDENTIFIER__INIT, other = identifier;
    Carehub__V1__Identifier *identifiers[] = {&identifier};
    Carehub__V1__Patient patient = CAREHUB__V1__PATIENT__INIT;
    Carehub__V1__Time when = CAREHUB__V1__TIME__INIT;
    Carehub__V1__FallReported fall = CAREHUB__V1__FALL_REPORTED__INIT;
    Carehub__V1__Event event = CAREHUB__V1__EVENT__INIT;
    Carehub__V1__PatientRef reference = CAREHUB__V1__PATIENT_REF__INIT;
    Carehub__V1__IdentifierAdded added = CAREHUB__V1__IDENTIFIER_ADDED__INIT;
    Carehub__V1__Fact fact = CAREHUB__V1__FACT__INIT;
    size_t len;
    const int *stored = memory->load(memory, "count", &len);
    int count = (stored ? *stored : 0) + 1;
    memory->store(memory, "count", &count, sizeof count);
    identifier.system = other.system = "PATIENT-SYSTEM";
    identifier.value = "BEFORE", other.value = "OTHER";
    patient.n_identifiers = 1, patient.identifiers = identifiers;
    when.unix_ms = m->native->received_ms;
    fall.falls_past_year = (uint32_t)count;
    event.patient = &patient, event.occurred_at = &when, event.fall_reported = &fall;
    event.body_case = CAREHUB__V1__EVENT__BODY_FALL_REPORTED;
    reference.identifier = &identifier;
    added.patient = &reference, added.identifier = &other;
    fact.fact_case = CAREHUB__V1__FACT__FACT_IDENTIFIER_ADDED, fact.identifier_added = &added;
    if (memory->emit(memory, &event, NULL) && says(m, "two"))
        memory->emit(memory, &event, NULL);
    if (says(m, "fact"))
        memory->emit_fact(memory, &fact);
}

CAREHUB_FORMAT_EXPORT const struct carehub_format carehub_format = {
    .abi = CAREHUB_FORMAT_ABI, .name = "words", .open = open_words, .translate = translate};
"""

CONFIG = """state-dir = state
status-file = status.json
confirm-timeout-ms = 3000
hub
    client-config = client.conf
format
    plugin = ./words.so
in
    transport = folder
    path = drop
    settle-ms = 0
"""


def build(folder):
    """The plug-in, from the sources' header and the build's library, as they will be installed."""
    (folder / "words.c").write_text(FORMAT.replace("PATIENT-SYSTEM", c.SYSTEM).replace("BEFORE", BEFORE)
                                    .replace("OTHER", OTHER))
    done = subprocess.run(["cc", "-D_GNU_SOURCE", "-shared", "-fPIC", "-Wl,-z,defs,-z,now", "words.c",
                           f"-I{harness.ROOT / 'adapters' / 'sdk'}", f"-I{harness.BUILD / 'proto'}",
                           f"-L{harness.BUILD / 'adapters' / 'sdk'}", "-lcarehub", "-lprotobuf-c", "-o", "words.so"],
                          cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


class PluginTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region = c.Region()
        cls.addClassCleanup(cls.region.close)
        cls.region.actor("home-care", inbox=False)
        cls.region.actor("pharmacy")
        cls.region.patient(BEFORE, team=[("pharmacy", "pharmacist"), ("home-care", "home-nurse")])
        cls.receiver = cls.region.client("pharmacy-software", ["pharmacy"])
        cls.attached = cls.receiver.attach("pharmacy")
        cls.n = 0

    def start(self, **rights):
        type(self).n += 1
        keys = self.region.register_client(f"adapter-{self.n}", ["home-care"], publishes=["FallReported"], **rights)
        self.dir = harness.scratch_dir()
        build(self.dir)
        harness.write_key(self.dir / "client.key", keys)
        self.region.hub.write_client_conf(self.dir / "client.conf", "client.key", "spool-dir = spool\n")
        (self.dir / "adapter.conf").write_text(CONFIG)
        (self.dir / "drop").mkdir()
        self.addCleanup(lambda: self.adapter.stop())
        self.run_adapter()

    def run_adapter(self):
        self.adapter = harness.Process([harness.ADAPTER, "--config", self.dir / "adapter.conf"], self.dir, "carehub-adapter")

    def drop(self, name, text):
        (self.dir / "drop" / ".new").write_text(text)
        (self.dir / "drop" / ".new").rename(self.dir / "drop" / name)

    def put_away(self, name):
        harness.until(lambda: not (self.dir / "drop" / name).exists(), 15, f"{name} to be put away:\n{self.adapter.said()}")
        return "failed" if (self.dir / "drop" / "failed" / name).exists() else "done"

    def received(self, count):
        deliveries = self.receiver.deliveries(self.attached, count)
        for delivery in deliveries:
            self.receiver.ack(self.attached, delivery.lane, delivery.number, delivery.number)
        return [ev.Event.FromString(d.event) for d in deliveries]

    def counters(self, **wanted):
        def there():
            path = self.dir / "status.json"
            counts = json.loads(path.read_text())["counters"] if path.exists() else {}
            return all(counts.get(name.replace("_", "-")) == value for name, value in wanted.items())
        harness.until(there, 10, f"the counters {wanted}")

    def test_events_of_one_file_are_taken_together(self):
        self.start()
        self.drop("1", "one")
        self.assertEqual(self.put_away("1"), "done")
        self.assertEqual(len(self.received(1)), 1)
        self.drop("2", "two")
        self.assertEqual(self.put_away("2"), "done")
        first, second = self.received(2)
        self.assertNotEqual(first.id, second.id)
        self.assertEqual({first.source.native_id, second.source.native_id}, {"2"})
        self.assertEqual(first.source.native_format, "words")
        self.counters(received=2, events=3)

    def test_without_the_right_to_a_fact_nothing_is_taken_and_nothing_remembered(self):
        self.start()
        self.drop("1", "two and a fact")
        self.assertEqual(self.put_away("1"), "failed")
        self.assertTrue(self.receiver.silent(0.6, "deliver"))
        self.assertIn("(NOT_ALLOWED)", self.adapter.said())
        self.counters(refused=1, refused_by_hub=3)
        self.drop("2", "one")
        self.assertEqual(self.put_away("2"), "done")
        event, = self.received(1)
        self.assertEqual(event.fall_reported.falls_past_year, 1)  # the state had gone back
        self.counters(received=2, events=1, facts=0)

    def test_events_and_a_fact_are_taken_together(self):
        self.start(facts=["identifier_added"])
        self.drop("1", "two and a fact")
        self.assertEqual(self.put_away("1"), "done")
        self.assertEqual([e.fall_reported.falls_past_year for e in self.received(2)], [1, 1])
        self.drop("2", "one")
        self.assertEqual(self.put_away("2"), "done")
        self.assertEqual([e.fall_reported.falls_past_year for e in self.received(1)], [2])
        self.counters(received=2, events=3, facts=1)

    def test_what_comes_again_is_recognised_and_what_waits_survives_a_kill(self):
        self.start()
        self.drop("1", "two")
        self.assertEqual(self.put_away("1"), "done")
        self.received(2)
        self.adapter.kill()
        self.drop("1", "two")
        self.run_adapter()
        self.assertEqual(self.put_away("1"), "done")
        self.counters(received=1, repeats=1)
        self.assertTrue(self.receiver.silent(0.6, "deliver"))


if __name__ == "__main__":
    unittest.main()
