#!/usr/bin/env python3
"""Builds and runs every test and ends with one line: `N passed, N failed, N skipped`.

Suites, in this order (name some as arguments to run only these):
  release   unit tests, fuzz replays and end-to-end tests of the program as users get it (build/release)
  asan      unit tests and fuzz replays under AddressSanitizer + UndefinedBehaviorSanitizer (build/asan)
  tsan      unit tests under ThreadSanitizer (build/tsan)
  fuzz      each libFuzzer target for a few seconds (build/fuzz); --fuzz-seconds for more
  kernels   load, attach and exactness on each kernel of tests/kernels/kernels.list, in qemu

The debug preset (dev) is not among them: its assertions of the standard library are on in asan too.
The numbers are counted from ctest's JUnit files and from the kernels' consoles, which stay in build/test-results with
the full logs. A test that cannot run here says why by exit code 77; the reason is printed. Exit status 1 when
anything failed, did not build, or nothing ran.
"""
import argparse
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "runner"))
import results  # noqa: E402
import suites  # noqa: E402


def run_suite(suite, options):
    """All cases of one suite; says on stdout how it went."""
    print(f"== {suite.name}", flush=True)
    began = time.monotonic()
    cases = suite.run(options)
    if not cases and not options.filter:
        cases = [results.Case(suite.name, results.FAILED, 0, "ran no test")]
    tally = results.count(cases)
    for case in cases:
        if case.status == results.SKIPPED:
            print(f"   skipped {case.name}: {case.reason}")
    print(f"   {tally} in {time.monotonic() - began:.0f} s", flush=True)
    return cases


def print_failures(cases):
    for case in cases:
        if case.status != results.FAILED:
            continue
        print(f"\n--- FAILED {case.name}: {case.reason}")
        print(results.tail(case.output))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help="default: all")
    parser.add_argument("--fuzz-seconds", type=int, default=None, help="run each fuzzer so long, from a random seed")
    parser.add_argument("--filter", default=None, help="ctest -R: only tests whose name matches")
    arguments = parser.parse_args()
    unknown = set(arguments.suites) - {suite.name for suite in suites.ALL}
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(s.name for s in suites.ALL)}")
    return arguments


def main():
    options = parse_arguments()
    os.chdir(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    wanted = [s for s in suites.ALL if not options.suites or s.name in options.suites]
    cases = [case for suite in wanted for case in run_suite(suite, options)]
    print_failures(cases)
    tally = results.count(cases)
    if tally.failed:
        print("\nFailed: " + " ".join(case.name for case in cases if case.status == results.FAILED))
        print(f"Full logs: {suites.RESULTS}/")
    if tally.passed + tally.failed == 0:
        print("\nNothing ran")
    print(tally, flush=True)
    return 0 if tally.passed > 0 and tally.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
