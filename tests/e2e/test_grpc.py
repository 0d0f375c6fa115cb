#!/usr/bin/env python3
"""gRPC through its own C++ server and client: every call is counted once at both ends, by method and by the status that
the client got, however the call streams and ends, and its duration is the client's own."""
import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import tls_or_clear  # noqa: E402

PROGRAM = os.path.join(os.environ.get("WIREGAUGE_TOOLS", ""), "grpc_echo")
PORT = 50051
SERVER = "rpc_server_call_duration_seconds"
CLIENT = "rpc_client_call_duration_seconds"
METHODS = {"unary": "Echo/Unary", "client": "Echo/ClientStream", "server": "Echo/ServerStream", "chat": "Echo/Chat",
           "missing": "Absent/Unary"}
CODES = ["OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
         "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
         "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"]
SERVER_ERRORS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}


class Scene:
    """The server in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, join_later=False, tls=False):
        self.stack = stack
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.wiregauge = None
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.tls = tls_or_clear(tls, stack, folder, self.pair.a, self.cgroup)
        if not join_later:
            self.observe()
        address = f"{self.pair.a.address}:{PORT}"
        self.server = self.start(self.pair.a, "serve", address)
        assert self.server.stdout.readline() == "listening\n"
        self.address = address

    def observe(self):
        self.wiregauge = self.stack.enter_context(Wiregauge(
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", *self.tls.arguments,
            exporter=True))

    def start(self, namespace, *arguments):
        tls = ["--tls", *self.tls.key_pair] if self.tls.key_pair else []
        command = [*self.tls.environment, PROGRAM, *tls, *arguments]
        process = namespace.start(command, self.cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL, text=True)
        self.stack.callback(process.communicate)
        return process

    def start_call(self, *plans):
        return self.start(self.pair.b, "call", self.address, *plans)

    def call(self, *plans):
        """(method, code) -> (calls, seconds), as the client counted and timed them. It stays connected."""
        return outcomes(self.start_call(*plans))


def outcomes(client):
    return {(f"wiregauge.test.{METHODS[one['method']]}", CODES[one["code"]]): (one["calls"], one["seconds"])
            for one in json.loads(client.stdout.readline())}


def told(metrics, family, what="count"):
    """(method, code) -> calls, or their seconds."""
    counts = collections.Counter()
    for found, value in metrics.matching(f"{family}_{what}", rpc_system_name="grpc"):
        code = found.get("rpc_response_status_code", "")
        is_error = code in SERVER_ERRORS if family == SERVER else code != "OK"
        assert found.get("error_type", "") == (code if is_error else ""), found
        counts[found["rpc_method"], code] += value
    return dict(counts)


class Checks(unittest.TestCase):
    maxDiff = None
    TLS = False

    def wait_told(self, scene, expected, read=lambda counts: counts):
        latest = None

        def as_expected():
            nonlocal latest
            latest = scene.wiregauge.metrics()
            return latest if read(told(latest, SERVER)) == expected == read(told(latest, CLIENT)) else None
        try:
            return wait_until(as_expected, "both ends are told as expected", deadline_s=15)
        except AssertionError:
            self.check_nothing_lost(latest)  # why, perhaps
            self.assertEqual(read(told(latest, SERVER)), expected)
            self.assertEqual(read(told(latest, CLIENT)), expected)
            raise

    def check_nothing_lost(self, metrics):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual({str(labels): value for labels, value in metrics.matching("wiregauge_unparsed_bytes_total")
                          if value}, {})


class Calls(Checks):
    def test_every_kind_and_every_status(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            plans = [f"{method}:{20 + code}:{code}" for method in ("unary", "client", "server", "chat")
                     for code in range(len(CODES))]
            done = scene.call(*plans, "missing:7:0")
            self.assertEqual({key: calls for key, (calls, _) in done.items()}, {
                **{(f"wiregauge.test.{METHODS[method]}", name): 20 + code
                   for method in ("unary", "client", "server", "chat") for code, name in enumerate(CODES)},
                ("wiregauge.test.Absent/Unary", "UNIMPLEMENTED"): 7})
            metrics = self.wait_told(scene, {key: calls for key, (calls, _) in done.items()})
            self.check_nothing_lost(metrics)
            for labels, value in metrics.matching("wiregauge_capture_completeness_ratio"):
                self.assertEqual(value, 1, labels)
            self.assertEqual(metrics.matching("http_server_request_duration_seconds_count", network_protocol_version="2"),
                             [])
            for key, seconds in told(metrics, CLIENT, "sum").items():
                self.assertGreater(seconds, 0)
                self.assertLess(seconds, done[key][1], key)
            for key, seconds in told(metrics, SERVER, "sum").items():
                self.assertLess(seconds, done[key][1], key)

    def test_slow_calls_last_as_long_as_the_client_says(self):
        """Streaming calls too: they end at the trailers, not at the first message."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            done = scene.call(*(f"{method}:20:0:slow" for method in ("unary", "client", "server", "chat")))
            metrics = self.wait_told(scene, {key: calls for key, (calls, _) in done.items()})
            for family in (CLIENT, SERVER):
                for key, seconds in told(metrics, family, "sum").items():
                    self.assertGreaterEqual(seconds, 20 * 0.030, key)
                    self.assertLess(seconds, done[key][1], key)
            self.check_nothing_lost(metrics)

    def test_cancelled_calls(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            # The first connects: a call that is cancelled before that is not sent.
            done = scene.call("unary:1:0", *(f"{method}:5:0:cancel" for method in ("unary", "server", "chat")))
            self.assertEqual({code for _, code in done}, {"OK", "CANCELLED"})
            metrics = self.wait_told(scene, {key: calls for key, (calls, _) in done.items()})
            self.check_nothing_lost(metrics)

    def test_deadlines(self):
        """The client gives up and resets the call, or the server's own clock was quicker: that is all the wire says."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            # As above.
            done = scene.call("unary:1:0", "unary:20:0:deadline")
            self.assertEqual(set(done), {("wiregauge.test.Echo/Unary", "OK"),
                                         ("wiregauge.test.Echo/Unary", "DEADLINE_EXCEEDED")})
            metrics = self.wait_told(scene, {"wiregauge.test.Echo/Unary": 20}, lambda counts: {
                method: sum(count for (other, code), count in counts.items() if other == method and
                            code in ("CANCELLED", "DEADLINE_EXCEEDED")) for method, _ in counts})
            self.check_nothing_lost(metrics)
            self.assertGreaterEqual(metrics.sum(f"{CLIENT}_sum"), 20 * 0.045)


class JoinedInTheMiddle(Checks):
    def test_method_and_status_are_unknown(self):
        """Method and status are in the table of a connection that is older: unknown, not wrong; and it is gRPC still."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, join_later=True)
            client = scene.start_call("unary:3:0", "unary:3:5", "wait:0:0", "unary:10:0", "unary:10:5", "client:10:3")
            self.assertEqual(client.stdout.readline(), "waiting\n")
            scene.observe()
            client.stdin.write("\n")
            client.stdin.flush()
            self.assertEqual(sum(calls for calls, _ in outcomes(client).values()), 6 + 30)
            metrics = self.wait_told(scene, 30, lambda counts: sum(counts.values()))
            for family in (SERVER, CLIENT):
                calls = told(metrics, family)
                # Unary is in the table of before, as are its statuses; ClientStream is new to it.
                self.assertEqual(calls["_OTHER", ""], 20, calls)
                self.assertEqual(calls["wiregauge.test.Echo/ClientStream", "INVALID_ARGUMENT"], 10, calls)
            self.assertGreater(metrics.sum("wiregauge_events_lost_total", stage="match_name", reason="degraded"), 0)
            self.assertEqual(metrics.matching("http_server_request_duration_seconds_count", network_protocol_version="2"),
                             [])


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
