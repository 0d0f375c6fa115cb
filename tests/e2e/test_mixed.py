#!/usr/bin/env python3
"""All servers at once: a minute of loads of every protocol side by side, each with its own account, and at the end the
exporter's is the same, at both ends. Then again with a ring that is far too small: what is told and what is declared as
lost come to what was sent."""
import collections
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
import postgres_server  # noqa: E402
import test_memcached  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402
from redis_server import Redis  # noqa: E402
from test_kafka import APIS  # noqa: E402
from unbound_server import Unbound  # noqa: E402

TOOLS = os.environ.get("WIREGAUGE_TOOLS", "")
SECONDS = 60
# Family at the server and at the client, and the label whose values are compared.
HTTP = ("http_server_request_duration_seconds", "http_client_request_duration_seconds", "http_request_method")
DB = ("db_server_operation_duration_seconds", "db_client_operation_duration_seconds", "db_operation_name")
MESSAGING = ("messaging_server_operation_duration_seconds", "messaging_client_operation_duration_seconds",
             "messaging_operation_name")
DNS = ("dns_server_lookup_duration_seconds", "dns_lookup_duration_seconds", "dns_response_code")


class Load:
    """A server in namespace a and rounds of a bounded load from namespace b. `sent` is the load's own account: value of
    the compared label -> requests. `labels` are those of its series."""
    family = DB
    labels = {}

    def __init__(self, scene):
        self.scene = scene
        self.sent = collections.Counter()

    def run(self, *command):
        return self.scene.pair.b.run(list(command), self.scene.cgroup, timeout=100).stdout

    def round(self):
        """Sends some thousand requests and adds them to `sent`."""

    def account(self):
        """What is to be told, once no round runs any more."""
        return self.sent


class Http(Load):
    family = HTTP
    labels = {"network_protocol_version": "1.1"}

    def __init__(self, scene):
        super().__init__(scene)
        Nginx(scene.folder, scene.pair.a, scene.cgroup)

    def round(self):
        done = json.loads(self.run(f"{TOOLS}/http_load", "--host", self.scene.address, "--port", "80", "-n", "4000", "-c", "8",
                                   "-r", "GET /ok 200 5", "-r", "POST /created 201 4", "--send-bytes", "300").splitlines()[0])
        for answer in done["answers"]:
            self.sent[answer["method"]] += answer["count"]


class RedisLoad(Load):
    labels = {"db_system_name": "redis"}

    def __init__(self, scene):
        super().__init__(scene)
        self.server = Redis(scene.folder, scene.pair.a, scene.cgroup)
        scene.stack.callback(self.server.close)

    def round(self):
        self.run("redis-benchmark", "-h", self.scene.address, "-q", "-t", "set,get", "-n", "4000", "-c", "8", "-P", "16")

    def account(self):
        """The server's: by what its UNIX socket was asked it has no SET, GET and CONFIG."""
        return {command: calls for command, (calls, _) in self.server.command_stats().items()
                if command not in ("PING", "INFO")}


class Memcached(Load):
    labels = {"db_system_name": "memcached"}

    def __init__(self, scene):
        super().__init__(scene)
        server = scene.pair.a.start(["memcached", "-u", "root", "-p", "11211", "-U", "0", "-l", "0.0.0.0", "-t", "2"],
                                    scene.cgroup, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        scene.stack.callback(server.wait)
        scene.stack.callback(server.terminate)
        wait_until(lambda: scene.pair.a.run(["ss", "-tlnHO", "sport = :11211"]).stdout, "memcached listens")

    def round(self):
        sent = self.scene.pair.b.call(test_memcached.load, self.scene.cgroup, self.scene.address, 4, 20, 16)
        for (command, _), count in sent.items():
            self.sent[command] += count


class Postgres(Load):
    labels = {"db_system_name": "postgresql"}

    def __init__(self, scene):
        super().__init__(scene)
        cluster = tempfile.TemporaryDirectory()
        scene.stack.callback(cluster.cleanup)
        folder = scene.stack.enter_context(tempfile.TemporaryDirectory())
        postgres_server.Cluster(cluster.name).copy(folder)
        self.server = postgres_server.Postgres(folder, 5432, scene.pair.a, scene.cgroup)
        scene.stack.callback(self.server.close)
        self.server.ask("select pg_stat_statements_reset()")

    def round(self):
        self.run(f"{postgres_server.BIN}/pgbench", "-n", "-S", "-M", "prepared", "-c", "4", "-t", "300", "-h",
                 self.scene.address, "-U", "load", "postgres")
        self.sent.update({"CONNECT": 1 + 4, "PREPARE": 4})  # one connection to look at the tables before

    def account(self):
        return {**self.sent, **self.server.statements()}


class Kafka(Load):
    family = MESSAGING
    labels = {"messaging_system": "kafka"}

    def __init__(self, scene):
        super().__init__(scene)
        self.mock = scene.pair.a.start([f"{TOOLS}/kafka_mock", "1"], scene.cgroup, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        scene.stack.callback(self.mock.communicate)
        self.servers = self.mock.stdout.readline().strip()
        self.mock.stdin.write("topic orders 4\n")
        self.mock.stdin.flush()
        self.mock.stdout.readline()

    def round(self):
        done = self.scene.pair.a.run([f"{TOOLS}/kafka_load", self.servers, "produce", "orders", "2000", "-X",
                                      "batch.num.messages=10", "-X", "linger.ms=1"], self.scene.cgroup, timeout=60)
        for api, count in json.loads(done.stdout)["sent"].items():
            self.sent[APIS[int(api)]] += count


class Dns(Load):
    family = DNS

    def __init__(self, scene):
        super().__init__(scene)
        scene.stack.callback(Unbound(scene.folder, scene.pair.a, scene.cgroup).close)
        self.questions = os.path.join(scene.folder, "questions")
        with open(self.questions, "w") as file:
            file.write("db.example.test A\nx.refused.test A\nnothere.example.test A\n")

    def round(self):
        said = self.run("dnsperf", "-s", self.scene.address, "-d", self.questions, "-n", "500", "-c", "4", "-q", "20")
        for code, count in re.findall(r"(\w+) (\d+) \(", re.search(r"Response codes:\s+(.*)", said)[1]):
            self.sent[code] += int(count)


LOADS = (Http, RedisLoad, Memcached, Postgres, Kafka, Dns)


class Scene:
    """Servers in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, *arguments):
        self.stack = stack
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.address = self.pair.a.address
        self.wiregauge = stack.enter_context(
            Wiregauge(f"--exporter.cgroup={self.cgroup.path}", *arguments, exporter=True))
        self.loads = [load(self) for load in LOADS]

    def run_for(self, seconds):
        """Rounds of all loads side by side until the time is over."""
        end = time.monotonic() + seconds
        failures = []

        def rounds(load):
            try:
                while time.monotonic() < end:
                    load.round()
            except BaseException as error:  # pylint: disable=broad-except
                failures.append(error)

        threads = [threading.Thread(target=rounds, args=(load,)) for load in self.loads]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]

    def told(self, load, metrics, end):
        """By the compared label: requests at the server (0) or the client (1)."""
        counts = collections.Counter()
        for labels, value in metrics.matching(f"{load.family[end]}_count", **load.labels):
            if value:
                counts[labels.get(load.family[2], "")] += int(value)
        return dict(counts)


class Mixed(unittest.TestCase):
    maxDiff = None

    def test_every_protocol_for_a_minute(self):
        with contextlib.ExitStack() as stack:
            # Loads without pause leave the exporter no time on a busy machine with few processors.
            scene = Scene(stack, "--exporter.ring-bytes=67108864")
            scene.run_for(SECONDS)
            expected = {type(load).__name__: dict(load.account()) for load in scene.loads}

            def told(end):
                metrics = scene.wiregauge.metrics()
                return {type(load).__name__: scene.told(load, metrics, end) for load in scene.loads}
            with contextlib.suppress(AssertionError):
                wait_until(lambda: told(0) == expected == told(1), "everything is told", deadline_s=10)
            metrics = scene.wiregauge.metrics()
            lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
            unparsed = {str(labels): value for labels, value in metrics.matching("wiregauge_unparsed_bytes_total") if value}
            self.assertEqual((told(0), told(1), lost, unparsed), (expected, expected, {}, {}))
            for load in expected.values():
                self.assertGreater(sum(load.values()), 1_000)

    def test_a_ring_far_too_small_loses_and_says_so(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, "--exporter.ring-bytes=16384")
            scene.run_for(SECONDS // 4)
            sent = sum(sum(load.account().values()) for load in scene.loads)
            metrics = scene.wiregauge.metrics()
            lost = metrics.sum("wiregauge_events_lost_total")
            self.assertGreater(lost, 0)
            for end in (0, 1):
                told = sum(sum(scene.told(load, metrics, end).values()) for load in scene.loads)
                self.assertLess(told, sent)
                self.assertGreaterEqual(told + lost, sent)
            for load in scene.loads:
                account = load.account()
                for end in (0, 1):
                    told = scene.told(load, metrics, end)
                    self.assertLessEqual(sum(told.values()), sum(account.values()), type(load).__name__)
                    # A statement whose preparation was lost has no name; no other name is told more often than sent.
                    for name, count in told.items():
                        if name not in ("_OTHER", ""):
                            self.assertLessEqual(count, account.get(name, 0), f"{type(load).__name__}: more {name}")


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
