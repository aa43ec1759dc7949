"""KMEHR and FHIR forms of the same scheme (output__ms__X.xml and output__fhir-ms__X.json): both have to give the same
changes. They may differ in what the translation, which is not ours, leaves out or says more coarsely; this is listed."""
import collections

KMEHR_NAME, FHIR_NAME = "output__ms__", "output__fhir-ms__"
# Moments that the FHIR side tells as the meal before.
COARSER = {"betweenbreakfastandlunch": "CM", "betweenlunchanddinner": "CD", "betweendinnerandsleep": "CV"}
LEFT_OUT = {"route": "no route", "unit": "no unit", "from": "no date", "until": "no date", "reason": "no reason",
            "display": "other display"}


def known(path, a, b):
    """Why a difference is none of ours, or None. `path` names the members down to the value, without indices."""
    name = path[-1]
    if a is not None and b is None and name in LEFT_OUT:
        return LEFT_OUT[name]
    if path[0] == "from":
        return "date of what was written instead"  # of a stop whose date FHIR leaves out
    if name == "display":
        return "other display"
    if path[-2:] == ["moment", "code"] and COARSER.get(a) == b or path[-2:] == ["moment", "system"]:
        return "coarser moment"
    if path[-2:] == ["codes", "system"]:
        return "code system"
    if path[-2:] == ["codes", "code"] and str(a).lstrip("0") == str(b).lstrip("0"):
        return "leading zeros"
    if path[-2:] == ["quantity", "value"] and float(a) == float(b):
        return "decimals"
    if name == "text" and (b or "").removeprefix(a or "").strip() == "as needed":
        return "as needed"
    if name == "lineId":
        return "other line id"
    return None


def differences(a, b, path=()):
    """(path, a, b) wherever two values differ; None is what is not there."""
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(a.keys() | b.keys()):
            yield from differences(a.get(name), b.get(name), (*path, name))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for one, other in zip(a, b):
            yield from differences(one, other, path)
    elif a != b:
        yield list(path), a, b


def changes_of(trial):
    return [change for event in trial.events for change in event.get("medicationChanged", {}).get("changes", [])]


def without_endless_suspensions(kmehr, fhir):
    """A suspension that is over is no change; where FHIR leaves its end out, it looks as if it went on."""
    suspended = {change["medicine"]["name"] for change in kmehr if change["kind"] == "SUSPENDED"}
    return [change for change in fhir if change["kind"] != "SUSPENDED" or "until" in change or
            change["medicine"]["name"] in suspended]


def check(found, trials):
    """The table; returns what is different for no known reason."""
    names = {path.name: path for _, form, path, _ in found if form in ("kmehr", "fhir")}
    faults, lines, pairs = [], 0, 0
    for name, path in sorted(names.items()):
        other = names.get(FHIR_NAME + name.removeprefix(KMEHR_NAME).removesuffix(".xml") + ".json")
        if not name.startswith(KMEHR_NAME) or other is None:
            continue
        if pairs == 0:
            print("\nPairs of KMEHR and FHIR")
        kmehr, fhir = changes_of(trials[str(path), "pharmacy"]), changes_of(trials[str(other), "pharmacy"])
        alike = without_endless_suspensions(kmehr, fhir)
        reasons, unexplained = collections.Counter({"suspension without its end": len(fhir) - len(alike)}), []
        for at, a, b in differences(kmehr, alike):
            why = known(at or ["lines"], a, b)
            reasons[why or "DIFFERENT"] += 1
            if not why:
                unexplained.append(f"{'.'.join(at)}: KMEHR {a!r:.60}, FHIR {b!r:.60}")
        pairs, lines = pairs + 1, lines + len(kmehr)
        listed = ", ".join(f"{count} {why}" for why, count in sorted(reasons.items()) if count)
        print(f"  {name.removeprefix(KMEHR_NAME):45} {len(kmehr):3} and {len(fhir):3} changes  {listed or 'the same'}")
        faults += [f"{name}: {difference}" for difference in unexplained]
    if pairs:
        print(f"  {pairs} pairs, {lines} changes, {len(faults)} differ without a known reason")
    return faults
