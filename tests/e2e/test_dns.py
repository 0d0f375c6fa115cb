#!/usr/bin/env python3
"""DNS through a real unbound: lookups are what dnsperf says that it sent and got, at both ends, by code; what gets no
answer, what is asked again, and what a resolver asks on its way through a search list are told apart."""
import collections
import contextlib
import os
import re
import socket
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import tls_or_clear  # noqa: E402
from nginx import Nginx  # noqa: E402
from unbound_server import Unbound, ask_by_tcp, question  # noqa: E402

CLIENT = "dns_lookup_duration_seconds"
SERVER = "dns_server_lookup_duration_seconds"
TIMEOUT_S = 10  # of a lookup


class Scene:
    """unbound in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, *arguments, tls=False):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.tls = tls_or_clear(tls, stack, self.folder, self.pair.a, self.cgroup)
        self.wiregauge = stack.enter_context(
            Wiregauge(f"--exporter.cgroup={self.cgroup.path}", *arguments, *self.tls.arguments, exporter=True))
        self.port = 853 if tls else 53
        self.unbound = Unbound(self.folder, self.pair.a, self.cgroup, self.port, tls=self.tls.key_pair,
                               environment=self.tls.environment)
        stack.callback(self.unbound.close)
        self.address = self.pair.a.address

    def dnsperf(self, questions, count, *arguments):
        """dnsperf's own account: (sent, completed, code -> answers, average latency in seconds)."""
        path = os.path.join(self.folder, "questions")
        with open(path, "w") as file:
            file.writelines(f"{line}\n" for line in questions)
        said = self.pair.b.run([*self.tls.environment, "dnsperf", "-s", self.address, "-p", str(self.port), "-d", path,
                                "-n", str(count // len(questions)), "-c", "4", "-q", "50", *arguments],
                               self.cgroup).stdout
        codes = re.search(r"Response codes:\s+(.*)", said)[1]
        return (int(re.search(r"Queries sent:\s+(\d+)", said)[1]), int(re.search(r"Queries completed:\s+(\d+)", said)[1]),
                {code: int(n) for code, n in re.findall(r"(\w+) (\d+) \(", codes)},
                float(re.search(r"Average Latency \(s\):\s+([\d.]+)", said)[1]))

    def in_client(self, function):
        """function() in a process of namespace b and of the cgroup."""
        return self.pair.b.call(function, self.cgroup)

    def ask(self, *names, wait=True):
        """One process asks for one name after the other by UDP, a socket a question."""
        def run():
            for number, name in enumerate(names):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                    asking.settimeout(10)
                    asking.connect((self.address, 53))
                    asking.send(question(name, number))
                    if wait:
                        asking.recv(4096)
        self.in_client(run)


def told(metrics, family):
    """(code, error_type) -> lookups."""
    counts = collections.Counter()
    for labels, value in metrics.matching(f"{family}_count"):
        if value:
            counts[labels.get("dns_response_code", ""), labels.get("error_type", "")] += int(value)
    return dict(counts)


class Checks(unittest.TestCase):
    maxDiff = None
    TLS = False

    def check(self, scene, expected, deadline_s=10):
        """Both ends tell exactly this, and nothing is lost."""
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(told(scene.wiregauge.metrics(), family) == expected for family in (CLIENT, SERVER)),
                       "all lookups are told", deadline_s)
        metrics = scene.wiregauge.metrics()
        self.assertEqual(told(metrics, CLIENT), expected)
        self.assertEqual(told(metrics, SERVER), expected)
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        return metrics

    def check_dnsperf_by_stream(self, mode):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            sent, completed, codes, _ = scene.dnsperf(["db.example.test A", "x.refused.test A"], 4_000, "-m", mode)
            self.assertEqual((sent, completed, codes), (4_000, 4_000, {"NOERROR": 2_000, "REFUSED": 2_000}))
            metrics = self.check(scene, {("NOERROR", ""): 2_000, ("REFUSED", "REFUSED"): 2_000})
            self.assertEqual(scene.unbound.queries(), 4_000)
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)
            for service in ("dnsperf", "unbound"):
                self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name=service), 1)


class Dns(Checks):
    def test_dnsperf_by_tcp(self):
        self.check_dnsperf_by_stream("tcp")

    def test_dnsperf_by_udp(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            questions = ["db.example.test A", "www.example.test A", "www.example.test AAAA", "x.refused.test A",
                         "x.elsewhere.org A", "nothere.example.test A"]
            sent, completed, codes, latency = scene.dnsperf(questions, 12_000)
            self.assertEqual((sent, completed), (12_000, 12_000))
            expected = {(code, "" if code == "NOERROR" else code): count for code, count in codes.items()}
            self.assertEqual(set(expected), {("NOERROR", ""), ("REFUSED", "REFUSED"), ("SERVFAIL", "SERVFAIL"),
                                             ("NXDOMAIN", "NXDOMAIN")})
            metrics = self.check(scene, expected)
            self.assertEqual(scene.unbound.queries(), 12_000)
            for family, service in ((CLIENT, "dnsperf"), (SERVER, "unbound")):
                self.assertEqual(metrics.sum(f"{family}_count", service_name=service), 12_000)
            # The tap sits below the client, so it can only see less than the client does.
            self.assertLess(metrics.sum(f"{CLIENT}_sum"), latency * 12_000 * 1.01)
            self.assertLess(metrics.sum(f"{SERVER}_sum"), metrics.sum(f"{CLIENT}_sum"))
            self.assertGreater(metrics.sum(f"{SERVER}_sum"), 0)

    def test_questions_sent_ahead_by_tcp(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            names = ["db.example.test", "no.example.test", "x.refused.test", "www.example.test"]

            def run():
                assert ask_by_tcp(scene.address, names) == dict(zip(names, (0, 3, 5, 0)))
            scene.in_client(run)
            self.check(scene, {("NOERROR", ""): 2, ("NXDOMAIN", "NXDOMAIN"): 1, ("REFUSED", "REFUSED"): 1})

    def test_no_answer_is_a_timeout(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.ask("a.silent.test", "b.silent.test", wait=False)
            scene.ask("db.example.test")
            self.check(scene, {("NOERROR", ""): 1, ("", "timeout"): 2}, deadline_s=TIMEOUT_S + 10)

    def test_a_search_list_is_no_error(self):
        """What a resolver with `search shop.example.test example.test` asks for `db`."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.ask("db.shop.example.test", "db.example.test")
            scene.ask("gone.shop.example.test", "gone.example.test")
            self.check(scene, {("NOERROR", ""): 1, ("NXDOMAIN", ""): 2, ("NXDOMAIN", "NXDOMAIN"): 1})

    def test_a_question_sent_again_is_one_lookup(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)

            def run():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
                    asking.connect((scene.address, 53))
                    asking.settimeout(10)
                    asking.send(question("late.silent.test", 7))
                    asking.send(question("late.silent.test", 7))
                    asking.send(question("db.example.test", 8))
                    asking.recv(4096)
            scene.in_client(run)
            self.check(scene, {("NOERROR", ""): 1, ("", "timeout"): 1}, deadline_s=TIMEOUT_S + 10)

    def test_the_question_is_a_label_when_asked_for(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, "--exporter.dns-question-name")
            scene.ask("db.example.test", "db.example.test", "www.example.test")
            self.check(scene, {("NOERROR", ""): 3})
            metrics = scene.wiregauge.metrics()
            self.assertEqual(metrics.sum(f"{CLIENT}_count", dns_question_name="db.example.test"), 2)

    def test_an_answer_names_the_server_of_later_connections(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            Nginx(scene.folder, scene.pair.a, scene.cgroup, port=80)
            load = [f"{os.environ['WIREGAUGE_TOOLS']}/http_load", "--host", scene.address, "--port", "80", "-n", "3",
                    "-r", "GET /ok 200 5"]
            scene.pair.b.run(load, scene.cgroup)
            scene.ask("db.example.test")
            self.check(scene, {("NOERROR", ""): 1})
            scene.pair.b.run(load, scene.cgroup)
            metrics = scene.wiregauge.metrics()
            family = "http_client_request_duration_seconds_count"
            self.assertEqual({labels["server_address"]: value for labels, value in metrics.matching(family)},
                             {scene.address: 3, "db.example.test": 3})


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
