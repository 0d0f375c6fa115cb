#!/usr/bin/env python3
"""memcached through a real memcached: what is counted is what a client of plain sockets sent and got, command for
command and answer for answer, and what the server's own `stats` say."""
import ast
import collections
import contextlib
import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import memcached_client  # noqa: E402
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import PYTHON, tls_or_clear  # noqa: E402
from memcached_client import PORT  # noqa: E402

SERVER = "db_server_operation_duration_seconds"
CLIENT = "db_client_operation_duration_seconds"


class Scene:
    """memcached in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, tls=False):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.tls = tls_or_clear(tls, stack, folder, self.pair.a, self.cgroup)
        self.wiregauge = stack.enter_context(Wiregauge(
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", *self.tls.arguments,
            exporter=True))
        command = ["memcached", "-u", "root", "-p", str(PORT), "-U", "0", "-l", "0.0.0.0", "-t", "2", "-I", "2m", "-P",
                   os.path.join(folder, "pid")]
        if tls:
            command += ["-Z", "-o", "ssl_chain_cert={},ssl_key={}".format(*self.tls.key_pair)]
        self.process = self.pair.a.start_server([*self.tls.environment, *command], self.cgroup, PORT)
        stack.callback(self._end)

    def _end(self):
        self.process.terminate()
        self.process.wait()

    def in_client(self, client, *numbers):
        """What that client of memcached_client.py returns, in namespace b and the cgroup."""
        command = [*self.tls.environment, PYTHON, memcached_client.__file__, *(["--tls"] if self.tls.key_pair else []),
                   self.pair.a.address, client.__name__, *map(str, numbers)]
        return ast.literal_eval(self.pair.b.run(command, self.cgroup, timeout=100).stdout)


def told(metrics, family):
    """(command, code) -> calls; the error_type of an error is its code."""
    counts = collections.Counter()
    for found, value in metrics.matching(f"{family}_count", db_system_name="memcached"):
        code = found.get("db_response_status_code", "")
        assert found.get("error_type", "") == (code if code.endswith("ERROR") else ""), found
        counts[found["db_operation_name"], code] += int(value)
    return counts


class Checks(unittest.TestCase):
    maxDiff = None

    def check_told(self, scene, expected):
        """Waits until both ends are told as expected, and nothing else; returns the metrics."""
        latest = None

        def as_expected():
            nonlocal latest
            latest = scene.wiregauge.metrics()
            return latest if told(latest, SERVER) == expected == told(latest, CLIENT) else None
        try:
            wait_until(as_expected, "both ends are told as expected", deadline_s=15)
        except AssertionError:
            self.check_nothing_lost(latest)  # why, perhaps
            self.assertEqual(told(latest, SERVER), expected)
            self.assertEqual(told(latest, CLIENT), expected)
            raise
        self.check_nothing_lost(latest)
        return latest

    def check_nothing_lost(self, metrics):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)
        for labels, value in metrics.matching("wiregauge_capture_completeness_ratio"):
            self.assertEqual(value, 1, labels)


class Exactness(Checks):
    TLS = False

    def test_every_command(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            sent = scene.in_client(memcached_client.every_command)
            for code in ("STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "HD", "EN", "NF", "NS", "EX", "ERROR",
                         "CLIENT_ERROR", "SERVER_ERROR"):
                self.assertIn(code, {code for _, code in sent})
            expected = collections.Counter()
            for (command, code), count in sent.items():
                expected["_OTHER" if command == "nonsense" else command, code] += count
            self.check_told(scene, expected)

    def run_load(self, connections, turns, pipeline):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            sent = collections.Counter(scene.in_client(memcached_client.load, connections, turns, pipeline))
            self.assertEqual(sum(sent.values()), connections * turns * pipeline)
            stats = scene.in_client(memcached_client.statistics)
            self.assertEqual(int(stats["cmd_set"]), sent["set", "STORED"])
            self.assertGreater(int(stats["cmd_get"]), sum(sent["get", code] for code in ("VALUE", "END")))
            sent["stats", "END"] += 1
            self.check_told(scene, sent)

    def test_one_at_a_time(self):
        self.run_load(10, 400, 1)

    def test_pipelined(self):
        self.run_load(10, 40, 64)

    def test_no_answers(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            self.check_told(scene, scene.in_client(memcached_client.silent))

    def test_large_values(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            self.check_told(scene, scene.in_client(memcached_client.large_values))

    def test_durations_are_the_clients_own(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            sent, seconds = scene.in_client(memcached_client.timed)
            metrics = self.check_told(scene, sent)
            server, client = metrics.sum(f"{SERVER}_sum"), metrics.sum(f"{CLIENT}_sum")
            self.assertGreater(server, 0)
            self.assertLess(server, client)
            self.assertLess(client, seconds)
            self.assertGreater(client, seconds / 10)


class BinaryProtocol(Checks):
    def test_is_counted_as_unparsed(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.in_client(memcached_client.binary_noops)
            metrics = wait_until(lambda: self._when_unparsed(scene), "its bytes are counted")
            self.assertEqual(told(metrics, SERVER), {})
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total", reason="unknown_protocol"), 2 * 2 * 24 * 10)

    @staticmethod
    def _when_unparsed(scene):
        metrics = scene.wiregauge.metrics()
        return metrics if metrics.sum("wiregauge_unparsed_bytes_total") >= 2 * 2 * 24 * 10 else None


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
