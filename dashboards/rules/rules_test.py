#!/usr/bin/env python3
"""The rules in this folder: made by their script, accepted by promtool, and right about made-up series. Exit 77: skipped,
with the reason."""
import os
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def promtool(*arguments):
    done = subprocess.run(["promtool", *arguments], cwd=HERE, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


class Rules(unittest.TestCase):
    maxDiff = None

    def test_the_file_is_what_the_script_makes(self):
        made = subprocess.run([sys.executable, "make_rules.py"], cwd=HERE, check=True, capture_output=True, text=True)
        with open(os.path.join(HERE, "wiregauge.rules.yml")) as file:
            self.assertEqual(file.read(), made.stdout)

    def test_promtool_accepts_every_file(self):
        for name in sorted(os.listdir(HERE)):
            if name.endswith(".rules.yml"):
                code, said = promtool("check", "rules", name)
                self.assertEqual(code, 0, said)

    def test_unit_tests_of_the_rules(self):
        for name in sorted(os.listdir(HERE)):
            if name.endswith(".test.yml"):
                code, said = promtool("test", "rules", name)
                self.assertEqual(code, 0, said)


if __name__ == "__main__":
    if shutil.which("promtool") is None:
        print("skipped: no promtool (Debian: prometheus)")
        sys.exit(77)
    unittest.main()
