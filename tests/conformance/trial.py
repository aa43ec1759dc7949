"""Runs `carehub-adapter --test` on one file, and reads what it says. Each file has a run of its own: what an adapter
remembers of one sample must not decide about another."""
import json
import pathlib
import re
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
STARTED_MS = time.time() * 1000
OUTCOMES = "refused|rejected|no event|held|cannot be handled"
TIMEOUT_S = 60


class Trial:
    """What became of one file. `said`: (native id, kind, outcome, detail) of each message that gave no event."""

    def __init__(self, events, said, counts, faults):
        self.events, self.said, self.counts, self.faults = events, said, counts, faults

    @property
    def refusals(self):
        return [(kind, detail) for _, kind, outcome, detail in self.said if outcome in ("refused", "rejected")]

    @property
    def without_event(self):
        return [detail for _, _, outcome, detail in self.said if outcome in ("no event", "held")]

    @property
    def foreign(self):
        """Nothing in it is of a kind that the format takes."""
        return not self.events and bool(self.said) and all(said[2] == "rejected" for said in self.said)

    def essence(self):
        """What must be the same in every guise: events without what names the bytes, and outcomes with their reason.
        Why something is refused may differ: in an envelope another rule is the first that it breaks."""
        return ([json.dumps(plain(event), sort_keys=True) for event in self.events],
                sorted((outcome, detail) if outcome in ("no event", "held") else ("refused", "")
                       for _, _, outcome, detail in self.said))


# What is made of the message's bytes or of its envelope, and remarks on how it was encoded.
SKIPPED = {"id", "recordedAt", "nativeSha256", "sha256", "sizeBytes", "nativeId", "remarks"}


def plain(event):
    """An event without that, and with the time of this run as "now"."""
    if isinstance(event, list):
        return [plain(item) for item in event]
    if not isinstance(event, dict):
        return event
    return {name: "now" if name == "unixMs" and int(value) >= STARTED_MS - 1000 else plain(value)
            for name, value in event.items() if name not in SKIPPED}


def rule_of(detail):
    """The rule at the end of "where: what (rule)"; "" without one."""
    if not detail.endswith(")"):
        return ""
    depth = 0
    for i in range(len(detail) - 1, -1, -1):
        depth += (detail[i] == ")") - (detail[i] == "(")
        if depth == 0:
            return detail[i + 1:-1]
    return ""


def complete(detail):
    """Whether a refusal says where, what and by which rule."""
    where, _, what = detail.partition(": ")
    return bool(where and what and rule_of(detail))


def try_file(adapter, plugin, path):
    argv = [str(adapter), "--config", str(HERE / f"{plugin}.conf"), "--test", str(path)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    said, counts, faults = [], {}, []
    line_of = re.compile(rf"message (?:\d+: )?(.*?) \(([^()]*)\): ({OUTCOMES})(?:: (.*))?$", re.S)
    for line in done.stderr.decode(errors="replace").split("\n"):
        if line.startswith(f"{path}: "):
            found = line_of.match(line[len(str(path)) + 2:])
            if found:
                said.append((found[1], found[2], found[3], found[4] or ""))
            else:
                faults.append(line)
        elif re.match(r"(accepted|received) +\d+$", line):
            counts[line.split()[0]] = int(line.split()[1])
    if done.returncode != (1 if any(outcome in ("refused", "rejected") for _, _, outcome, _ in said) else 0):
        faults.append(f"exit status {done.returncode}: {done.stderr.decode(errors='replace')[-2000:]}")
    faults += [f"refusal without where, what or rule: {detail}" for _, _, outcome, detail in said
               if outcome in ("refused", "rejected") and not complete(detail)]
    faults += [f"{kind}: {outcome}: {detail}" for _, kind, outcome, detail in said if outcome == "cannot be handled"]
    return Trial([json.loads(line) for line in done.stdout.splitlines() if line], said, counts, faults)
