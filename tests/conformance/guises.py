"""The same message in other guises: other line ends, encodings, prefixes, delimiters, envelopes. What a format makes of
it has to stay the same. Each guise gives the bytes of the new file, or None where it has nothing to change."""
import copy
import json
import re
import xml.etree.ElementTree as ET

BOM = b"\xef\xbb\xbf"
KMEHR = "http://www.ehealth.fgov.be/standards/kmehr/schema/v1"


# ---- Any text ---------------------------------------------------------------------------------------------------------

def with_line_ends(end):
    def change(data):
        changed = re.sub(rb"\r\n|\r|\n", lambda _: end, data)
        return changed if changed != data else None
    return change


def with_bom(data):
    return None if data.startswith(BOM) else BOM + data


# ---- HL7 v2 -----------------------------------------------------------------------------------------------------------

def other_delimiters(data):
    """|^~\\ replaced by four others that the file does not use; & stays, for many write it where it means itself."""
    headers = re.findall(rb"(?:^|[\r\n\x0b])(?:MSH|FHS|BHS)(.{5})", data)
    free = [c for c in b"!#$%*+;<=>?@_`{}" if c not in data]
    if not headers or set(headers) != {b"|^~\\&"} or len(free) < 4:
        return None
    return data.translate(bytes.maketrans(b"|^~\\", bytes(free[:4])))


def framed(data):
    """As MLLP would carry it: for files of one message."""
    if data.count(b"MSH|") != 1 or not data.startswith(b"MSH|"):
        return None
    return b"\x0b" + data + b"\x1c\r"


def with_blank_lines(data):
    return data + b"\r\r\n" if re.search(rb"^(MSH|FHS|BHS)", data) else None


def declared_latin1(data):
    """MSH-18 says 8859/1, and so it is."""
    try:
        text = data.decode()
        text.encode("latin-1")
    except UnicodeError:
        return None
    lines = re.split(r"(\r\n|\r|\n)", text)
    if not lines[0].startswith("MSH|^~\\&|") or data.count(b"MSH|") != 1:
        return None
    fields = lines[0].split("|")
    fields += [""] * (18 - len(fields))
    fields[17] = "8859/1"
    lines[0] = "|".join(fields)
    return "".join(lines).encode("latin-1")


# ---- XML --------------------------------------------------------------------------------------------------------------

def without_declaration(text):
    return re.sub(r"^\ufeff?\s*<\?xml[^>]*\?>\s*", "", text)


def in_encoding(name):
    def change(data):
        text = without_declaration(data.decode())
        try:
            return f'<?xml version="1.0" encoding="{name}"?>\n{text}'.encode(name)
        except UnicodeEncodeError:
            return f'<?xml version="1.0" encoding="{name}"?>\n{text}'.encode(name, "xmlcharrefreplace")
    return change


def tree_of(data):
    return ET.fromstring(data.decode().lstrip("\ufeff").encode())


def with_prefix(prefix):
    def change(data):
        ET.register_namespace(prefix, KMEHR)
        return ET.tostring(tree_of(data), encoding="utf-8", xml_declaration=True)
    return change


def in_soap(data):
    text = without_declaration(data.decode())
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
            '<s:Header/><s:Body><put xmlns="urn:conformance:service">' + text + "</put></s:Body></s:Envelope>").encode()


def without_indentation(data):
    tree = tree_of(data)
    for element in tree.iter():
        if len(element) and not (element.text or "").strip():
            element.text = None
        if not (element.tail or "").strip():
            element.tail = None
    return ET.tostring(tree, encoding="utf-8", xml_declaration=True)


# ---- FHIR -------------------------------------------------------------------------------------------------------------

def parsed(data):
    return json.loads(data.decode("utf-8-sig"))


def minified(data):
    changed = json.dumps(parsed(data), ensure_ascii=False, separators=(",", ":")).encode()
    return changed if changed != data else None


def escaped(data):
    """Every character beyond ASCII as an escape, and members in another order."""
    return json.dumps(parsed(data), sort_keys=True).encode()


def in_bundle(kind):
    def change(data):
        resource = parsed(data)
        if resource.get("resourceType") == "Bundle":
            return None
        url = "urn:uuid:5f0c1c52-0a4b-4d0e-9a55-6ad3d5a9c001"
        entries = [{"fullUrl": url, "resource": resource}]
        if kind == "transaction":
            entries[0]["request"] = {"method": "POST", "url": resource["resourceType"]}
        if kind == "searchset":
            entries[0]["search"] = {"mode": "match"}
        if kind == "message":
            header = {"resourceType": "MessageHeader", "eventUri": "urn:conformance:event",
                      "source": {"endpoint": "urn:conformance:source"}, "focus": [{"reference": url}]}
            entries.insert(0, {"fullUrl": "urn:uuid:5f0c1c52-0a4b-4d0e-9a55-6ad3d5a9c002", "resource": header})
        return json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}).encode()
    return change


def retyped(kind):
    """A collection of resources sent as another type of Bundle."""
    def change(data):
        bundle = copy.deepcopy(parsed(data))
        if bundle.get("resourceType") != "Bundle" or bundle.get("type") not in ("collection", "transaction"):
            return None
        if bundle["type"] == kind:
            return None
        bundle["type"] = kind
        for entry in bundle.get("entry", []):
            for name in ("request", "response", "search"):
                entry.pop(name, None)
            if kind == "transaction":
                entry["request"] = {"method": "POST", "url": entry["resource"]["resourceType"]}
        return json.dumps(bundle).encode()
    return change


LINE_ENDS = {"LF": with_line_ends(b"\n"), "CR LF": with_line_ends(b"\r\n")}
GUISES = {
    "hl7": {**LINE_ENDS, "CR": with_line_ends(b"\r"), "byte order mark": with_bom, "other delimiters": other_delimiters,
            "MLLP frame": framed, "blank lines": with_blank_lines, "ISO 8859-1": declared_latin1},
    "kmehr": {**LINE_ENDS, "byte order mark": with_bom, "ISO 8859-1": in_encoding("ISO-8859-1"), "prefix": with_prefix("kmehr"), "SOAP": in_soap,
              "no indentation": without_indentation},
    "fhir": {**LINE_ENDS, "byte order mark": with_bom, "minified": minified, "escaped, reordered": escaped,
             **{f"in a {kind}": in_bundle(kind) for kind in ("message", "transaction", "collection", "searchset")},
             **{f"as a {kind}": retyped(kind) for kind in ("transaction", "collection", "searchset")}},
}

# Where another guise says another thing, so that other events may come of it.
OTHERWISE = {
    ("pharmacy", "as a transaction"): "single lines, no longer the whole scheme",
    ("pharmacy", "in a collection"): "a whole scheme, no longer a single line",
    ("pharmacy", "in a searchset"): "a whole scheme, no longer a single line",
    ("homecare", "in a collection"): "only message, transaction and batch are taken",
    ("homecare", "in a searchset"): "only message, transaction and batch are taken",
}
