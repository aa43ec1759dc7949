#!/usr/bin/python3
"""What FHIR subscriptions answer and send is valid R4, by a validator that is not ours (@medplum/core): Subscriptions,
notifications of every kind and content, statuses, the CapabilityStatement, OperationOutcomes."""
import json
import shutil
import subprocess
import unittest

import harness
from test_fhir_valid import HERE, validate

UNIT = harness.BUILD / "tests" / "unit"
MAKERS = [UNIT / "test_subscription", UNIT / "test_subscription_life"]
SAMPLES_MIN = 25


class SubscriptionValidTest(unittest.TestCase):
    def test_what_subscriptions_answer_and_send_is_valid(self):
        if not shutil.which("node") or not (HERE / "node_modules" / "@medplum" / "core").is_dir():
            self.skipTest("node or @medplum/core is not installed (npm ci in tests/e2e)")
        directory = harness.scratch_dir()
        for maker in MAKERS:
            subprocess.run([str(maker), "--samples", str(directory)], check=True, timeout=60)
        files = list(directory.iterdir())
        self.assertGreater(len(files), SAMPLES_MIN)
        looked, wrong = validate(directory)
        self.assertGreater(looked, len(files))
        self.assertEqual(wrong, [], json.dumps(wrong[:20], indent=1))


if __name__ == "__main__":
    unittest.main()
