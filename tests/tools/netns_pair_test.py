#!/usr/bin/env python3
"""The tests' own ground: what the lossy link drops is what TCP sent again, and nothing stays behind."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import netns_pair  # noqa: E402
from nginx import Nginx  # noqa: E402

PROGRAMS = sys.argv.pop(1) if len(sys.argv) > 1 else "build/release/tests/tools"
LOAD = ["-n", "400", "-c", "4", "-r", "GET /files/big 200 100000", "-r", "GET /missing 404 4"]


def cables():
    return subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout.count(f"-{os.getpid()}-")


class Ground(unittest.TestCase):
    def test_a_lossy_link_is_seen_in_tcp_info(self):
        with tempfile.TemporaryDirectory() as folder, netns_pair.NetnsPair() as pair, netns_pair.Cgroup() as cgroup:
            Nginx(folder, pair.a, cgroup).write_file("big", 100_000)
            with netns_pair.lossy_link(pair.b, 50, f"{PROGRAMS}/drop_nth", port=80) as link:
                load = pair.b.start([f"{PROGRAMS}/http_load", "--host", pair.a.address, "--port", "80", "--hold", *LOAD],
                                    cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
                done = json.loads(load.stdout.readline())
                server = netns_pair.settled_tcp_totals(pair.a, "sport = :80")
                load.communicate()
            counts = link.counts()
        self.assertEqual((load.returncode, done["answered"], done["mismatched"]), (0, 400, 0))
        # 400 answers, 20,033,200 bytes in segments of at most 1,448: the link saw each one, and each retransmission.
        self.assertEqual(counts["segments"], server["data_segs_out"])
        self.assertGreater(counts["segments"], 13_000)
        self.assertEqual(counts["dropped"], counts["segments"] // 50)
        self.assertEqual(counts["joined"], 0)
        self.assertEqual(server["sockets"], 4)
        self.assertGreaterEqual(server["total_retrans"], counts["dropped"])
        self.assertEqual(server["bytes_acked"], done["received_bytes"])
        self.assertEqual(server["bytes_received"], done["sent_bytes"])

    def test_nothing_stays_behind(self):
        for error in (None, RuntimeError):
            with self.subTest(error), tempfile.TemporaryDirectory() as folder:
                try:
                    with netns_pair.NetnsPair() as pair, netns_pair.Cgroup() as cgroup:
                        Nginx(folder, pair.a, cgroup)
                        self.assertGreaterEqual(len(cgroup.pids()), 1)
                        path, sleeper = cgroup.path, pair.b.start(["sleep", "600"], cgroup)
                        if error:
                            raise error
                except RuntimeError:
                    pass
                self.assertEqual(sleeper.wait(30), -9)
                self.assertFalse(os.path.exists(path))
                self.assertEqual(cables(), 0)

    def test_what_a_killed_process_left_is_swept(self):
        leave = "import os, subprocess, netns_pair; cgroup = netns_pair.Cgroup(); pair = netns_pair.NetnsPair(); " \
                "pair.a.start(['sleep', '600'], cgroup, stdout=subprocess.DEVNULL); " \
                "print(cgroup.path, pair.a.name, flush=True); os.kill(os.getpid(), 9)"
        died = subprocess.run([sys.executable, "-c", leave], cwd=os.path.dirname(os.path.abspath(__file__)),
                              stdout=subprocess.PIPE, text=True)
        path, namespace = died.stdout.split()
        self.assertTrue(os.path.isdir(path) and os.path.exists(f"/run/netns/{namespace}"))
        with netns_pair.NetnsPair() as pair, netns_pair.Cgroup() as cgroup:
            netns_pair.sweep()
            self.assertFalse(os.path.isdir(path) or os.path.exists(f"/run/netns/{namespace}"))
            pair.a.run(["true"], cgroup)  # the living keep theirs

    def test_the_namespaces_see_the_cgroup_tree(self):
        with netns_pair.NetnsPair() as pair, netns_pair.Cgroup() as cgroup:
            own = pair.a.run(["cat", "/proc/self/cgroup"], cgroup).stdout
            self.assertIn(os.path.basename(cgroup.path), own)
            pair.a.run(["ls", cgroup.path])


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
