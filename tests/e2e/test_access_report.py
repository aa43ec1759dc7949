#!/usr/bin/python3
"""`carehub audit report` on a real hub: who was told what, in four forms and four languages; and the FHIR form against
the profiles of IHE BALP, as they were read from its publication (balp.py)."""
import csv
import html.parser
import io
import json
import shutil
import stat
import subprocess
import time
import unittest

import balp
import client as c
import harness
import test_fhir_valid
from carehub.v1 import event_pb2 as ev
from carehub.v1 import log_pb2 as log
from carehub.v1 import registry_pb2 as reg
from carehub.v1 import wire_pb2 as wire

HOSTILE = '<script>alert("x")</script>=1+1,\n"&amp;'
PATIENT = f"{c.SYSTEM}|one"


class Page(html.parser.HTMLParser):
    """What stands in a page, and that its elements are closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.lang = [], [], "", None
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "html":
            self.lang = dict(attrs)["lang"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def event(kind, **body):
    e = ev.Event(id=c.uuid7(), type=kind)
    e.patient.identifiers.add(system=c.SYSTEM, value="one")
    e.occurred_at.unix_ms = int(time.time() * 1000)
    for name, value in body.items():
        getattr(e, name).CopyFrom(value)
    return e


def region_where_everything_happens():
    """A region in which everything happens once to a person; and the confirmation of its first event."""
    region = c.Region()
    for name in ("hospital", "gp", "pharmacy", "nurse", "mug", "coordinator"):
        region.actor(name)
    region.operator.fact(actor_set=reg.ActorSet(
        name="gp", kind=reg.PROFESSIONAL, display="Dr. Janssens",
        identifiers=[{"system": "nihdi", "value": "10012345001"}]))
    region.operator.fact(actor_set=reg.ActorSet(name="nurse", kind=reg.ORGANISATION, display=HOSTILE))
    hospital = region.client("hospital", ["hospital"])
    gp = region.client("gp", ["gp"])
    region.client("pharmacy", ["pharmacy"])
    region.patient("one", team=[("gp", "gp"), ("pharmacy", "pharmacist")])
    discharge = c.discharge("one", note="CLINICAL")
    discharge.author.professional.name = "Dr. Writer"
    discharge.author.role = "specialist"
    first = hospital.publish_one(discharge)
    attached = gp.attach("gp")
    gp.deliveries(attached, 1)
    gp.ack(attached, log.LANE_IMMEDIATE, 1, 1, log.READ)
    # told later: a new member, a replay, an emergency
    operator = region.operator
    operator.fact(member_added=reg.MemberAdded(patient=c.patient_ref("one"), actor="nurse", role="home-nurse",
                                               basis=reg.CHOSEN_BY_PERSON))
    operator.fact(replayed=reg.Replayed(patient=c.patient_ref("one"), actor_name="pharmacy", reason="lost it"))
    operator.fact(grant_given=reg.GrantGiven(
        patient=c.patient_ref("one"), actor="mug", role="emergency-physician", kind=reg.EMERGENCY_ACCESS,
        until_ms=int(time.time() * 1000) + 3600000, purpose="acute care", justification="found unconscious"))
    crisis = event(ev.CRISIS_REFERRAL)
    crisis.crisis_referral.SetInParent()
    hospital.publish_one(crisis)
    # readings, and a second record of the same person
    region.hub.cli("open", str(first.place), "--purpose", "complaint 17")
    region.hub.cli("patient", "show", PATIENT)
    region.patient("other")
    operator.fact(patients_merged=reg.PatientsMerged(patient=c.patient_ref("one"),
                                                     merged=c.patient_ref("other")))
    operator.fact(exclusion_set=reg.ExclusionSet(patient=c.patient_ref("one"), actor="pharmacy"))
    hospital.publish_one(c.discharge("one"))
    time.sleep(0.5)
    return region, first


class AccessReportTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.region, cls.first = region_where_everything_happens()

    @classmethod
    def tearDownClass(cls):
        cls.region.close()

    def report(self, *more, **options):
        return self.region.hub.cli("audit", "report", "--patient", PATIENT, "--purpose", "asked for it", *more,
                                   **options)

    def items(self, *more):
        pages = self.region.hub.cli_json("audit", "report", "--patient", PATIENT, "--purpose", "asked for it", *more)
        return [item for page in (pages if isinstance(pages, list) else [pages]) for item in page["items"]]

    def test_everything_that_happened_is_in_it(self):
        items = self.items()
        kinds = {item["kind"] for item in items}
        self.assertEqual(kinds, {"REPORT_EVENT", "REPORT_LATER", "REPORT_CHANGE", "REPORT_READING"})
        first = next(i for i in items if i["place"] == str(self.first.place))
        gp = next(a for a in first["accesses"] if a["actor"] == "gp")
        self.assertGreater(int(gp["readMs"]), int(first["atMs"]))
        self.assertEqual(first["author"]["professional"], "Dr. Writer")
        causes = {i["cause"] for i in items if i["kind"] == "REPORT_LATER"}
        self.assertIn("REPLAY", causes)
        questions = [i["question"] for i in items if i["kind"] == "REPORT_READING"]
        self.assertEqual(questions[0], "complaint 17")
        self.assertIn("patient", questions)
        self.assertEqual(len({i["record"] for i in items}), 2, "both records")
        places = [int(i["place"]) for i in items]
        self.assertEqual(places, sorted(places))
        self.assertNotIn("found unconscious", json.dumps(items), "what names a person stays sealed")

    def test_denials_are_there_on_request(self):
        def withheld(items):
            return {(a["actor"], a["reason"]) for i in items for a in i["accesses"] if a["outcome"] != "DELIVER"}
        self.assertEqual(withheld(self.items()), set())
        self.assertIn(("pharmacy", "EXCLUDED_BY_PERSON"), withheld(self.items("--denials")))

    def test_of_one_type(self):
        types = {i["type"] for i in self.items("--type", "HospitalDischarge")}
        self.assertEqual(types, {"HOSPITAL_DISCHARGE"})

    def test_who_learned_of_one_event_with_a_receipt_for_each_line(self):
        hub, directory = self.region.hub, harness.scratch_dir() / "receipts"
        ask = ("audit", "report", "--event", self.first.place, "--purpose", "complaint 17")
        text = " ".join(hub.cli(*ask, "--proof", directory, "--lang", "en").split())
        self.assertIn("Dr. Janssens was told of: discharge from hospital", text)
        self.assertIn(f"(No. {self.first.place})", text)
        self.assertNotIn("crisis team", text)
        rows = list(csv.DictReader(io.StringIO(hub.cli(*ask, "--format", "csv"), newline="")))
        self.assertEqual({row["event_place"] for row in rows}, {str(self.first.place)})
        told = [row for row in rows if row["handed_over"]]
        needed = {place for row in told for place in [row["place"], row["ground"], row["consent"], row["policy"],
                                                      *row["said_by"].split()]}
        self.assertGreater(len(needed), 4, "the event, a membership, the consent, the policy, an acknowledgement")
        receipts = {path.name: path for path in directory.iterdir()}
        self.assertTrue({f"entry-{place}.receipt" for place in needed} <= set(receipts), (needed, sorted(receipts)))
        key = hub.cli("audit", "checkpoint", "--key").strip()
        for path in receipts.values():
            self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
            self.assertNotIn('"CLINICAL"', path.read_text(), "what was said is not in it")
            hub.cli("audit", "check-receipt", path, "--key", key)
        self.assertIn("had it proved that entry", self.report("--lang", "en"))
        self.assertEqual(hub.cli(*ask[:2], "--purpose", "x", status=2), "")

    def test_text_in_four_languages(self):
        said = {"nl": "kreeg bericht van: ontslag uit het ziekenhuis", "fr": "a été informé de ceci",
                "de": "erhielt Nachricht von", "en": "was told of: discharge from hospital"}
        for language, sentence in said.items():
            text = self.report("--lang", language, "--denials")
            self.assertIn("Dr. Janssens", text)
            self.assertIn(sentence, text)
            self.assertNotRegex(text, r"\{[a-z]+\}", "a place that nobody filled in")
            self.assertNotIn("\x1b", text)
            self.assertNotIn("report.", text)
        self.assertIn("Emergency access", self.report("--lang", "en"))

    def test_html_is_sound_and_says_nothing_of_its_own(self):
        out = self.region.hub.dir / "report.html"
        for language in ("nl", "fr", "de", "en"):
            self.report("--format", "html", "--lang", language, "--denials", "--out", out)
            self.assertEqual(stat.S_IMODE(out.stat().st_mode), 0o600)
            text = out.read_text(encoding="utf-8")
            page = Page(text)
            self.assertEqual(page.lang, language)
            self.assertFalse([t for t, _ in page.tags if t in ("script", "img", "link", "iframe")])
            self.assertNotIn("<script", text)
            self.assertIn('<script>alert("x")</script>', page.text, "a hostile name is shown, not run")
            for tag, attributes in page.tags:
                self.assertFalse([a for a in attributes if a.startswith("on")])
                if tag == "th":
                    self.assertIn(attributes["scope"], ("col", "row"))

    def test_csv_has_the_same_columns_everywhere_and_no_formulas(self):
        rows = list(csv.DictReader(io.StringIO(self.report("--format", "csv", "--lang", "nl"), newline=""),
                                   strict=True))
        self.assertTrue(all(None not in row and None not in row.values() for row in rows))
        gp = next(r for r in rows if r["receiver"] == "gp" and r["read_at"])
        self.assertEqual((gp["receiver_name"], gp["type"], gp["view"], gp["reason"]),
                         ("Dr. Janssens", "HOSPITAL_DISCHARGE", "clinical", "MEMBER_WITH_CONSENT"))
        self.assertTrue(gp["ground"] and gp["consent"] and gp["policy_name"] == "default")
        self.assertTrue([r for r in rows if r["emergency"] == "yes"])
        for row in rows:
            for cell in row.values():
                self.assertFalse(cell[:1] in ("=", "+", "-", "@"), cell)

    def test_fhir_follows_the_profiles(self):
        def no_key_twice(pairs):
            self.assertEqual(len(pairs), len({key for key, _ in pairs}), pairs)
            return dict(pairs)
        bundle = json.loads(self.report("--format", "fhir", "--denials"), object_pairs_hook=no_key_twice)
        self.assertEqual(balp.problems(bundle), [])
        profiles = {p.rsplit(".BasicAudit.")[1] for e in bundle["entry"]
                    for p in e["resource"].get("meta", {}).get("profile", [])}
        self.assertEqual(profiles, {"PrivacyDisclosure.Source", "PrivacyDisclosure.Recipient", "PatientRead",
                                    "PatientQuery"})
        self.assertEqual(len({e["fullUrl"] for e in bundle["entry"]}), len(bundle["entry"]))
        again = json.loads(self.report("--format", "fhir", "--denials"))
        known = [e["fullUrl"] for e in again["entry"]]
        self.assertTrue({e["fullUrl"] for e in bundle["entry"]} <= set(known), "the same rows have the same ids")

    def test_fhir_is_valid_by_a_validator_that_is_not_ours(self):
        if not shutil.which("node") or not (test_fhir_valid.HERE / "node_modules" / "@medplum").is_dir():
            self.skipTest("node or @medplum/core is not installed (npm ci in tests/e2e)")
        out = harness.scratch_dir() / "report.json"
        self.report("--format", "fhir", "--denials", "--out", out)
        looked, wrong = test_fhir_valid.validate(out)
        self.assertGreater(looked, 30)
        self.assertEqual(wrong, [], json.dumps(wrong[:5], indent=1))

    def test_the_checker_of_profiles_finds_what_is_wrong(self):
        bundle = json.loads(self.report("--format", "fhir"))
        told = next(e["resource"] for e in bundle["entry"]
                    if "PrivacyDisclosure.Source" in str(e["resource"].get("meta")))
        for spoil in (lambda e: e.pop("outcome"), lambda e: e["agent"].pop(0), lambda e: e.update(action="C"),
                      lambda e: e["entity"].pop(0), lambda e: e["subtype"].pop(),
                      lambda e: e["source"]["observer"].update(display="somebody else"),
                      lambda e: e["agent"][1].pop("network"), lambda e: e.update(recorded="yesterday"),
                      lambda e: e.update(surplus=1)):
            spoilt = json.loads(json.dumps(told))
            spoil(spoilt)
            self.assertTrue(balp.Checker(spoilt, "spoilt").check())

    def test_a_person_may_ask_and_leaves_an_entry(self):
        operator = self.region.operator
        operator.fact(actor_set=reg.ActorSet(name="person-one", kind=reg.PERSON, display="One"))
        operator.fact(member_added=reg.MemberAdded(patient=c.patient_ref("one"), actor="person-one", role="person",
                                                   basis=reg.CHOSEN_BY_PERSON))
        portal = self.region.client("portal", ["person-one"])
        answer = portal.ask(access_report=wire.AccessReportQuery(patient=c.patient_ref("one")))
        self.assertTrue(answer.items)
        stranger = self.region.client("stranger", ["coordinator"])
        with self.assertRaises(c.Refused) as refused:
            stranger.ask(access_report=wire.AccessReportQuery(patient=c.patient_ref("one"), purpose="curious"))
        self.assertEqual(refused.exception.code, wire.NOT_ALLOWED)
        self.assertIn("report by the person", json.dumps(self.items()))

    def test_after_an_erasure_it_says_that(self):
        region, operator = self.region, self.region.operator
        number = region.patient("gone", team=[("gp", "gp")])
        auditor = region.client("second-auditor", [], roles=[reg.AUDITOR])
        request = operator.fact(erasure_requested=reg.ErasureRequested(patient=c.patient_ref("gone"),
                                                                       reason="asked for it")).place
        auditor.fact(erasure_confirmed=reg.ErasureConfirmed(request=request))

        def erased():
            argv = [str(harness.CLI), "audit", "report", "--patient", f"P{number}", "--purpose", "asked", "--lang", "en",
                    "--config", str(region.hub.dir / "carehub.conf")]
            text = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False).stdout
            return text if "was erased" in text else None

        text = " ".join(harness.until(erased, what="the erasure").split())
        self.assertIn('Asked for by "first-operator"', text)
        self.assertIn('confirmed by "second-auditor"', text)
        self.assertNotIn("care team (GP", text)

    def test_what_is_wrong_is_said(self):
        hub = self.region.hub
        hub.cli("audit", "report", "--patient", PATIENT, status=4)
        hub.cli("audit", "report", "--patient", "urn:x|nobody", "--purpose", "x", status=1)
        hub.cli("audit", "report", "--purpose", "x", status=2)
        hub.cli("audit", "report", "--patient", PATIENT, "--purpose", "x", "--out", "/nowhere/report", status=1)


if __name__ == "__main__":
    unittest.main()
