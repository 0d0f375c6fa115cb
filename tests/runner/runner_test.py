#!/usr/bin/env python3
"""The test runner's own test: what it counts is what a real ctest did."""
import argparse
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import results  # noqa: E402
import suites  # noqa: E402

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(sample NONE)
enable_testing()
add_test(NAME good COMMAND sh -c "echo fine")
add_test(NAME bad COMMAND sh -c "echo the reason it broke; exit 3")
add_test(NAME skips COMMAND sh -c "echo skipped: needs root; exit 77")
set_tests_properties(skips PROPERTIES SKIP_RETURN_CODE 77)
add_test(NAME says_skip_but_passes COMMAND sh -c "echo skipped: not really")
add_test(NAME gtest_skips COMMAND printf "[ RUN      ] A.B\\na_test.cc:7: Skipped\\nno cgroup v2\\n\\n[  SKIPPED ] A.B\\n")
set_tests_properties(gtest_skips PROPERTIES SKIP_REGULAR_EXPRESSION "\\\\[  SKIPPED \\\\]")
add_test(NAME missing COMMAND no_such_program)
add_test(NAME hangs COMMAND sleep 60)
set_tests_properties(hangs PROPERTIES TIMEOUT 1)
add_test(NAME setup COMMAND false)
set_tests_properties(setup PROPERTIES FIXTURES_SETUP ground)
add_test(NAME without_its_fixture COMMAND true)
set_tests_properties(without_its_fixture PROPERTIES FIXTURES_REQUIRED ground)
"""
STATUSES = {"good": results.PASSED, "bad": results.FAILED, "skips": results.SKIPPED,
            "says_skip_but_passes": results.PASSED, "gtest_skips": results.SKIPPED, "missing": results.FAILED,
            "hangs": results.FAILED, "setup": results.FAILED, "without_its_fixture": results.FAILED}


def run(project, wrapper=(), filter=None):
    """suites.ctest on a CMake project of this text, as the suite `sample`."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            with open("CMakeLists.txt", "w") as file:
                file.write(project)
            subprocess.run(["cmake", "-S", ".", "-B", "build/sample"], check=True, capture_output=True)
            return suites.ctest("sample", "all", [], argparse.Namespace(filter=filter), wrapper)
        finally:
            os.chdir(before)


class Runner(unittest.TestCase):
    def test_every_outcome_is_what_ctest_saw(self):
        cases = {case.name.removeprefix("sample."): case for case in run(PROJECT)}
        self.assertEqual({name: case.status for name, case in cases.items()}, STATUSES)
        self.assertEqual(str(results.count(cases.values())), "2 passed, 5 failed, 2 skipped")
        self.assertIn("the reason it broke", cases["bad"].output)
        self.assertEqual(cases["skips"].reason, "skipped: needs root")
        self.assertEqual(cases["gtest_skips"].reason, "no cgroup v2")

    def test_the_filter_selects(self):
        self.assertEqual([case.name for case in run(PROJECT, filter="^good$")], ["sample.good"])

    def test_a_ctest_that_dies_is_a_failure(self):
        cases = run(PROJECT, wrapper=["false"])
        self.assertEqual([case.status for case in cases], [results.FAILED])

    def test_no_test_is_no_case(self):
        self.assertEqual(run('cmake_minimum_required(VERSION 3.25)\nproject(sample NONE)\nenable_testing()\n'), [])

    def test_the_tail_says_what_it_cut(self):
        text = "\n".join(str(line) for line in range(100))
        self.assertEqual(results.tail(text, 2), "[98 lines before this are in the log]\n98\n99")
        self.assertEqual(results.tail("a\nb\n", 2), "a\nb")


if __name__ == "__main__":
    unittest.main()
