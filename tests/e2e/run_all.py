#!/usr/bin/python3
"""Runs the end-to-end tests. The last line is 'N passed, N failed, N skipped'."""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class Progress(unittest.TestResult):
    """One line for each test, as it ends."""

    def __init__(self):
        super().__init__()
        self.passed = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def _say(self, test, outcome, why=""):
        name = test.id() if hasattr(test, "id") else str(test)
        seconds = time.monotonic() - getattr(self, "started", time.monotonic())
        print(f"  {outcome:8}{name:78} {seconds:6.1f} s" + (f"  {why}" if why else ""), flush=True)

    def addSuccess(self, test):
        self.passed += 1
        self._say(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._say(test, "FAILED")
        print("".join(f"    {line}\n" for line in self.failures[-1][1].splitlines()), flush=True)

    def addError(self, test, err):
        super().addError(test, err)
        self._say(test, "FAILED")
        print("".join(f"    {line}\n" for line in self.errors[-1][1].splitlines()), flush=True)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._say(subtest, "FAILED")
            failure = (self.failures if issubclass(err[0], test.failureException) else self.errors)[-1]
            print("".join(f"    {line}\n" for line in failure[1].splitlines()), flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say(test, "skipped", reason)


def run_here(names):
    """Each module after the other, in this process."""
    result = Progress()
    for name in names:
        unittest.defaultTestLoader.loadTestsFromName(name).run(result)
    return result.passed, len(result.failures) + len(result.errors), len(result.skipped)


def run_apart(name):
    """A module in a process of its own, what it says in one piece. A module that does not come to its end has failed."""
    process = subprocess.run([sys.executable, "-B", __file__, "--jobs", "1", name], text=True, errors="replace",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    *said, last = process.stdout.splitlines() or [""]
    counts = re.fullmatch(r"(\d+) passed, (\d+) failed, (\d+) skipped", last)
    if not counts:
        said += [last, f"  FAILED  {name}: it did not come to its end (exit status {process.returncode})"]
    print("\n".join(said), flush=True)
    return tuple(map(int, counts.groups())) if counts else (0, 1, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", help="build directory whose programs are tested (build/release)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="modules at once (as many as processors)")
    parser.add_argument("tests", nargs="*", help="modules, such as test_kill9 (all)")
    arguments = parser.parse_args()
    if arguments.build:
        os.environ["CAREHUB_BUILD"] = str(pathlib.Path(arguments.build).resolve())
    sys.path.insert(0, str(HERE))
    names = arguments.tests or sorted(p.stem for p in HERE.glob("test_*.py"))
    if arguments.jobs > 1 and len(names) > 1:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            counts = list(pool.map(run_apart, names))
    else:
        counts = [run_here(names)]
    passed, failed, skipped = map(sum, zip(*counts))
    print(f"{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
