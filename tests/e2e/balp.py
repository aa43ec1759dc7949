"""Checks AuditEvents against IHE ITI Basic Audit Log Patterns (BALP), as its profiles were read from the publication's
sources: PatientRead, PatientQuery, PrivacyDisclosure.Source and .Recipient; and against what FHIR R4 itself demands of an
AuditEvent and of a Bundle. Written from those documents, without a look at the code that makes the resources."""
import re

BASE = "https://profiles.ihe.net/ITI/BALP/StructureDefinition/IHE.BasicAudit."
DCM = "http://dicom.nema.org/resources/ontology/DCM"
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
OBJECT_ROLE = "http://terminology.hl7.org/CodeSystem/object-role"
RESTFUL = "http://hl7.org/fhir/restful-interaction"
EVENT_TYPE = "http://terminology.hl7.org/CodeSystem/audit-event-type"
LIFECYCLE = "http://terminology.hl7.org/CodeSystem/iso-21089-lifecycle"
SNOMED = "http://snomed.info/sct"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")

# Elements of R4's AuditEvent: name, whether it must be there, whether it repeats.
EVENT = {"resourceType": (1, 0), "id": (0, 0), "meta": (0, 0), "type": (1, 0), "subtype": (0, 1), "action": (0, 0),
         "period": (0, 0), "recorded": (1, 0), "outcome": (0, 0), "outcomeDesc": (0, 0), "purposeOfEvent": (0, 1),
         "agent": (1, 1), "source": (1, 0), "entity": (0, 1)}
AGENT = {"type": (0, 0), "role": (0, 1), "who": (0, 0), "altId": (0, 0), "name": (0, 0), "requestor": (1, 0),
         "location": (0, 0), "policy": (0, 1), "media": (0, 0), "network": (0, 0), "purposeOfUse": (0, 1)}
SOURCE = {"site": (0, 0), "observer": (1, 0), "type": (0, 1)}
ENTITY = {"what": (0, 0), "type": (0, 0), "role": (0, 0), "lifecycle": (0, 0), "securityLabel": (0, 1), "name": (0, 0),
          "description": (0, 0), "query": (0, 0), "detail": (0, 1)}
NETWORK = {"address": (0, 0), "type": (0, 0)}
DETAIL = {"type": (1, 0), "valueString": (0, 0), "valueBase64Binary": (0, 0)}
CODING = {"system": (0, 0), "version": (0, 0), "code": (0, 0), "display": (0, 0)}
CONCEPT = {"coding": (0, 1), "text": (0, 0)}
REFERENCE = {"reference": (0, 0), "type": (0, 0), "identifier": (0, 0), "display": (0, 0)}
IDENTIFIER = {"use": (0, 0), "type": (0, 0), "system": (0, 0), "value": (0, 0)}


class Checker:
    def __init__(self, event, where):
        self.event, self.where, self.found = event, where, []

    def must(self, condition, what):
        if not condition:
            self.found.append(f"{self.where}: {what}")

    # -- R4

    def shape(self, element, shape, where):
        self.must(isinstance(element, dict) and element, f"{where} is not an object with content")
        for name, (needed, repeats) in shape.items():
            self.must(not needed or name in element, f"{where}.{name} is missing")
            if name in element:
                self.must(isinstance(element[name], list) == bool(repeats), f"{where}.{name}: repeats or not")
                self.must(element[name] not in ([], {}, "", None), f"{where}.{name} is empty")
        for name in element:
            self.must(name in shape, f"{where}.{name}: no such element")

    def reference(self, value, where):
        self.shape(value, REFERENCE, where)
        if "identifier" in value:
            self.shape(value["identifier"], IDENTIFIER, f"{where}.identifier")

    def concept(self, value, where):
        self.shape(value, CONCEPT, where)
        for coding in value.get("coding", []):
            self.shape(coding, CODING, f"{where}.coding")

    def r4(self):
        event = self.event
        self.shape(event, EVENT, "AuditEvent")
        self.must(ID.fullmatch(event.get("id", "x")), "id")
        self.must(INSTANT.fullmatch(event.get("recorded", "")), "recorded is not an instant")
        self.must(event.get("action", "C") in "CRUDE", "action")
        self.must(event.get("outcome", "0") in ("0", "4", "8", "12"), "outcome")
        self.shape(event["type"], CODING, "type")
        for coding in event.get("subtype", []):
            self.shape(coding, CODING, "subtype")
        for concept in event.get("purposeOfEvent", []):
            self.concept(concept, "purposeOfEvent")
        for agent in event["agent"]:
            self.shape(agent, AGENT, "agent")
            self.must(isinstance(agent.get("requestor"), bool), "agent.requestor")
            if "type" in agent:
                self.concept(agent["type"], "agent.type")
            for role in agent.get("role", []):
                self.concept(role, "agent.role")
            if "who" in agent:
                self.reference(agent["who"], "agent.who")
            if "network" in agent:
                self.shape(agent["network"], NETWORK, "agent.network")
                self.must(agent["network"].get("type") in ("1", "2", "3", "4", "5"), "agent.network.type")
        self.must(sum(a["requestor"] for a in event["agent"]) <= 1, "more than one agent asked for it")
        self.shape(event["source"], SOURCE, "source")
        self.reference(event["source"]["observer"], "source.observer")
        for entity in event.get("entity", []):
            self.shape(entity, ENTITY, "entity")
            self.must(not ("name" in entity and "query" in entity), "sev-1: a name and a query")
            if "what" in entity:
                self.reference(entity["what"], "entity.what")
            for name in ("type", "role"):
                if name in entity:
                    self.shape(entity[name], CODING, f"entity.{name}")
            for detail in entity.get("detail", []):
                self.shape(detail, DETAIL, "entity.detail")
                self.must(("valueString" in detail) != ("valueBase64Binary" in detail), "entity.detail.value")

    # -- BALP

    def type_is(self, system, code):
        self.must((self.event["type"].get("system"), self.event["type"].get("code")) == (system, code), "type")

    def subtype_in(self, system, *codes):
        found = [c for c in self.event.get("subtype", []) if c.get("system") == system and c.get("code") in codes]
        self.must(len(found) == 1, f"subtype: one of {codes}")

    def agent(self, system, code, network=True, least=1):
        found = [a for a in self.event["agent"]
                 if any((c.get("system"), c.get("code")) == (system, code)
                        for c in a.get("type", {}).get("coding", []))]
        self.must(least <= len(found) <= 1, f"agent {code}: {len(found)} of them")
        for agent in found:
            self.must("who" in agent, f"agent {code}: who")
            self.must(not network or "network" in agent, f"agent {code}: network")
        return found[0] if found else {}

    def entities(self, code):
        return [e for e in self.event.get("entity", [])
                if (e.get("type", {}).get("system"), e.get("type", {}).get("code")) == (ENTITY_TYPE, code)]

    def patient(self):
        found = self.entities("1")
        self.must(len(found) == 1, "one entity is the patient")
        for entity in found:
            self.must((entity.get("role", {}).get("system"), entity["role"].get("code")) == (OBJECT_ROLE, "1"),
                      "the patient's role")
            what = entity.get("what", {})
            self.must(what.get("type", "Patient") == "Patient" and ("reference" in what or "identifier" in what),
                      "the patient is a reference to a Patient")

    def rest(self, action):
        self.type_is(EVENT_TYPE, "rest")
        self.must(self.event.get("action") == action, f"action {action}")
        self.must(self.event.get("outcome") == "0", "outcome: success")
        user = self.agent(PARTICIPATION, "IRCP", network=False, least=0)
        self.must(not user or user.get("requestor") is True, "the user asked for it")

    def patient_read(self):
        self.rest("R")
        self.subtype_in(RESTFUL, "read", "vread")
        self.must("media" not in self.agent(DCM, "110152"), "client.media")
        self.must("media" not in self.agent(DCM, "110153"), "server.media")
        data = self.entities("2")
        self.must(len(data) == 1 and "what" in data[0], "one entity is the data, with what")
        self.must("role" not in data[0] or (data[0]["role"]["system"] == OBJECT_ROLE and
                                            data[0]["role"]["code"] in ("4", "3", "20")), "the data's role")
        self.patient()

    def patient_query(self):
        self.rest("E")
        self.subtype_in(RESTFUL, "search", "search-type", "search-system")
        self.agent(DCM, "110153")
        self.agent(DCM, "110152")
        query = self.entities("2")
        self.must(len(query) == 1 and "query" in query[0], "one entity is the query")
        self.must(query[0].get("role", {}).get("system") == OBJECT_ROLE and query[0]["role"].get("code") == "24",
                  "the query's role")
        for name in ("what", "lifecycle", "detail"):
            self.must(name not in query[0], f"the query has no {name}")
        self.patient()

    def disclosure(self, code, action, self_agent):
        self.type_is(DCM, code)
        self.must(self.event.get("action") == action, f"action {action}")
        self.subtype_in(LIFECYCLE, "disclose")
        self.must("outcome" in self.event, "outcome")
        self.must("modifierExtension" not in self.event, "modifierExtension")
        self.must(len(self.event["agent"]) >= 2 and len(self.event.get("entity", [])) >= 2, "two agents, two entities")
        own = {"110153": self.agent(DCM, "110153"), "110152": self.agent(DCM, "110152")}[self_agent]
        self.must(own.get("who") == self.event["source"]["observer"], "val-audit-source")
        self.agent(SNOMED, "159541003", network=False, least=0)
        self.agent(SNOMED, "429577009", network=False, least=0)
        self.patient()

    PROFILES = {"PatientRead": patient_read, "PatientQuery": patient_query,
                "PrivacyDisclosure.Source": lambda self: self.disclosure("110106", "R", "110153"),
                "PrivacyDisclosure.Recipient": lambda self: self.disclosure("110107", "C", "110152")}

    def check(self):
        self.r4()
        for profile in self.event.get("meta", {}).get("profile", []):
            self.must(profile.startswith(BASE) and profile[len(BASE):] in self.PROFILES, f"profile {profile}")
            if profile[len(BASE):] in self.PROFILES:
                self.PROFILES[profile[len(BASE):]](self)
        return self.found


def problems(bundle):
    """What is wrong with a Bundle of AuditEvents: a list of texts."""
    found = []
    if bundle.get("resourceType") != "Bundle" or bundle.get("type") != "collection":
        found.append("not a collection")
    if "total" in bundle:
        found.append("bdl-1: total in a collection")
    if "entry" in bundle and not bundle["entry"]:
        found.append("entry is empty")
    for i, entry in enumerate(bundle.get("entry", [])):
        resource = entry["resource"]
        if resource.get("resourceType") != "AuditEvent":
            found.append(f"entry {i}: {resource.get('resourceType')}")
            continue
        if entry.get("fullUrl") != f"urn:uuid:{resource.get('id')}":
            found.append(f"entry {i}: fullUrl and id differ")
        found += Checker(resource, f"entry {i}").check()
    return found
