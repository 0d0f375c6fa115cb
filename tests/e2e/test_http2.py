#!/usr/bin/env python3
"""HTTP/2 through real servers and clients: nghttpd, nginx and nghttpx; h2load, nghttp and curl. What is counted at both
ends is what the client says that it got, request for request and status for status."""
import collections
import contextlib
import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import http2_client  # noqa: E402
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import tls_or_clear  # noqa: E402
from nginx import Nginx  # noqa: E402

PORT = 8080
SERVER = "http_server_request_duration_seconds"
CLIENT = "http_client_request_duration_seconds"


class Scene:
    """Servers in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, join_later=False, tls=False):
        self.stack = stack
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.address = self.pair.a.address
        self.tls = tls_or_clear(tls, stack, self.folder, self.pair.a, self.cgroup)
        self.wiregauge = None
        if not join_later:
            self.observe()

    def observe(self):
        # Clients that never sleep leave it no time on a busy machine with few processors.
        self.wiregauge = self.stack.enter_context(Wiregauge(
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", *self.tls.arguments,
            exporter=True))

    def url(self, path, port=PORT):
        return f"{'https' if self.tls.key_pair else 'http'}://{self.address}:{port}{path}"

    def write_file(self, name, size):
        with open(os.path.join(self.folder, name), "wb") as file:
            file.write(b"x" * size)

    def start(self, command, port=PORT):
        """A server in namespace a that listens on `port` when this returns."""
        server = self.pair.a.start_server([*self.tls.environment, *command], self.cgroup, port)
        self.stack.callback(end, server)
        return server

    def start_nghttpd(self, *arguments, port=PORT):
        if not self.tls.key_pair:
            arguments = ("--no-tls", *arguments)
        return self.start(["nghttpd", "-m", "1000", "-d", self.folder, *arguments, str(port),
                           *reversed(self.tls.key_pair)], port)

    def start_nginx(self, extra=""):
        return Nginx(self.folder, self.pair.a, self.cgroup, port=PORT, http2=True, extra=extra, tls=self.tls.key_pair,
                     program=[*self.tls.environment, "nginx"])

    def run_client(self, *command):
        return self.pair.b.run([*self.tls.environment, *command], self.cgroup).stdout

    def h2load(self, *arguments):
        """Runs it; returns its count of requests by class of status."""
        said = self.run_client("h2load", *arguments)
        totals = re.search(r"requests: (\d+) total, (\d+) started, (\d+) done, \d+ succeeded, \d+ failed, (\d+) errored, "
                           r"(\d+) timeout", said)
        assert totals and totals[1] == totals[3] and totals[4] == totals[5] == "0", said
        statuses = re.search(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
        return {name: int(statuses[i + 1]) for i, name in enumerate(("2xx", "3xx", "4xx", "5xx")) if statuses[i + 1] != "0"}

    def in_client(self, function, *arguments):
        """Runs function(address, *arguments) in a process of namespace b and of the cgroup; its result."""
        return self.pair.b.call(function, self.cgroup, self.address, *arguments)


def end(process):
    process.terminate()
    process.wait()


def told(metrics, family, **labels):
    """(method, route, status, error_type) -> requests of HTTP/2."""
    counts = collections.Counter()
    for found, value in metrics.matching(f"{family}_count", network_protocol_version="2", **labels):
        counts[found["http_request_method"], found.get("http_route", ""), found.get("http_response_status_code", ""),
               found.get("error_type", "")] += int(value)
    return counts


def by_class(counts):
    classes = collections.Counter()
    for (_, _, status, _), count in counts.items():
        classes[f"{status[:1]}xx"] += count
    return dict(classes)


class Checks(unittest.TestCase):
    maxDiff = None

    def wait_told(self, scene, read, expected, **labels):
        """Waits until read(counts) is as expected at both ends; returns the metrics."""
        server, client = {"service_name": labels.get("server")}, {"service_name": labels.get("client")}
        server = {k: v for k, v in server.items() if v}
        client = {k: v for k, v in client.items() if v}
        latest = None

        def as_expected():
            nonlocal latest
            latest = scene.wiregauge.metrics()
            both = read(told(latest, SERVER, **server)), read(told(latest, CLIENT, **client))
            return latest if both == (expected, expected) else None
        try:
            wait_until(as_expected, "both ends are told as expected", deadline_s=15)
        except AssertionError:
            self.check_nothing_lost(latest)  # why, perhaps
            self.assertEqual(read(told(latest, SERVER, **server)), expected)
            self.assertEqual(read(told(latest, CLIENT, **client)), expected)
            raise
        return latest

    def check_nothing_lost(self, metrics):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual({str(labels): value for labels, value in metrics.matching("wiregauge_unparsed_bytes_total")
                          if value}, {})

    def check_all_parsed(self, metrics):
        for labels, value in metrics.matching("wiregauge_capture_completeness_ratio"):
            self.assertEqual(value, 1, labels)


class Load(Checks):
    TLS = False

    def test_nghttpd_and_h2load(self):
        """256 streams in flight on each of 4 connections, of three paths, one of which is missing."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            scene.write_file("small", 100)
            scene.write_file("larger", 20_000)
            scene.start_nghttpd("--encoder-header-table-size=16384", "-c", "8192")
            done = scene.h2load("-n", "12000", "-c", "4", "-m", "256", scene.url("/small"), scene.url("/larger"),
                                scene.url("/missing"))
            self.assertEqual(sum(done.values()), 12_000)
            metrics = self.wait_told(scene, by_class, done)
            self.check_nothing_lost(metrics)
            self.check_all_parsed(metrics)
            for family, error in ((SERVER, ""), (CLIENT, "404")):
                counts = told(metrics, family)
                self.assertEqual(set(counts), {("GET", "/small", "200", ""), ("GET", "/larger", "200", ""),
                                               ("GET", "/missing", "404", error)})
                self.assertLessEqual(max(counts.values()) - min(counts.values()), 12)

    def test_posts_with_padding_and_trailers(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            scene.write_file("body", 40_000)
            scene.start_nghttpd("-b", "101", "--trailer", "x-checksum: 1", "--echo-upload")
            done = scene.h2load("-n", "500", "-c", "3", "-m", "50", "-d", f"{scene.folder}/body", scene.url("/upload"))
            self.assertEqual(done, {"2xx": 500})
            metrics = self.wait_told(scene, dict, {("POST", "/upload", "200", ""): 500})
            self.check_nothing_lost(metrics)
            self.check_all_parsed(metrics)

    def test_nginx(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            nginx = scene.start_nginx()
            nginx.write_file("big", 200_000)
            paths = ["/ok", "/items/1042", "/missing", "/broken", "/files/big"]
            done = scene.h2load("-n", "2000", "-c", "5", "-m", "100", *(scene.url(path) for path in paths))
            self.assertEqual(done, {"2xx": 1200, "4xx": 400, "5xx": 400})
            metrics = self.wait_told(scene, by_class, done)
            self.check_nothing_lost(metrics)
            self.check_all_parsed(metrics)
            self.assertEqual(told(metrics, SERVER), {
                ("GET", "/ok", "200", ""): 400, ("GET", "/items/{id}", "200", ""): 400, ("GET", "/missing", "404", ""): 400,
                ("GET", "/broken", "500", "500"): 400, ("GET", "/files/big", "200", ""): 400})

    def test_durations_are_the_clients_own(self):
        """h2load times each request in its own process; the tap sits below it, so it can only see less."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            scene.start_nginx()
            log = f"{scene.folder}/h2load.log"
            done = scene.h2load("-n", "3000", "-c", "1", "-m", "1", f"--log-file={log}", scene.url("/ok"))
            self.assertEqual(done, {"2xx": 3000})
            metrics = self.wait_told(scene, by_class, done)
            with open(log) as lines:
                h2load = sum(int(line.split("\t")[2]) for line in lines) / 1e6
            client, server = metrics.sum(f"{CLIENT}_sum"), metrics.sum(f"{SERVER}_sum")
            self.assertGreater(server, 0)
            self.assertLess(server, client)
            self.assertLess(client, h2load)
            self.assertGreater(client, h2load / 10)


class Upgrades(Checks):
    def test_h2c(self):
        """curl and nghttp ask in HTTP/1.1 and are answered in HTTP/2: one request each, not two. nghttpx speaks it."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.write_file("page", 30_000)
            scene.start_nghttpd(port=PORT + 1)
            scene.start(["nghttpx", f"-f{scene.address},{PORT};no-tls", f"-b127.0.0.1,{PORT + 1};;proto=h2", "-n1",
                         "--no-ocsp", "--errorlog-file=/dev/null", "--accesslog-file=/dev/null", "--single-process"])
            for _ in range(7):
                said = scene.run_client("curl", "-sS", "--http2", "-o", "/dev/null", "-w", "%{http_version} %{http_code}",
                                        scene.url("/page"))
                self.assertEqual(said, "2 200")
            scene.run_client("curl", "-sS", "--http2-prior-knowledge", "-o", "/dev/null", scene.url("/missing"))
            # The first is the upgraded one, the rest follow on its connection.
            scene.run_client("nghttp", "-u", "-n", scene.url("/page"), scene.url("/page?2"), scene.url("/missing"))
            expected = {("GET", "/page", "200"): 9, ("GET", "/missing", "404"): 2}
            read = lambda counts: {key[:3]: count for key, count in counts.items()}  # noqa: E731
            latest = None

            def as_expected():
                nonlocal latest
                latest = scene.wiregauge.metrics()
                clients = read(told(latest, CLIENT, service_name="curl") + told(latest, CLIENT, service_name="nghttp"))
                return (read(told(latest, SERVER, service_name="nghttpx")), clients) == (expected, expected)
            try:
                wait_until(as_expected, "both ends are told", deadline_s=10)
            except AssertionError:
                self.fail(f"{told(latest, SERVER)} {told(latest, CLIENT)}")
            self.assertEqual(read(told(latest, CLIENT, service_name="nghttpx")), expected)
            self.assertEqual(read(told(latest, SERVER, service_name="nghttpd")), expected)
            self.assertEqual(latest.matching(f"{SERVER}_count", network_protocol_version="1.1"), [])
            self.check_nothing_lost(latest)
            self.check_all_parsed(latest)


def reset_streams(address):
    """Asks for a body that no window lets through, and loses interest in ten of twelve."""
    client = http2_client.Client(address, PORT, window=1_000)
    streams = range(1, 25, 2)
    for stream in streams:
        client.headers(stream, http2_client.GET + http2_client.literal(":path", "/files/big") +
                       http2_client.literal(":authority", "a"))
    client.wait_data(*streams)
    for stream in list(streams)[:10]:
        client.reset(stream)
    client.headers(25, http2_client.GET + http2_client.literal(":path", "/ok") + http2_client.literal(":authority", "a"))
    client.wait(25)
    client.close()


def more_than_is_served(address):
    """Eight requests at once on a connection that the server ends after five."""
    client = http2_client.Client(address, PORT)
    block = http2_client.GET + http2_client.literal(":path", "/ok") + http2_client.literal(":authority", "a")
    flags = http2_client.END_HEADERS | http2_client.END_STREAM
    client.send(b"".join(http2_client.frame(http2_client.HEADERS, flags, stream, block) for stream in range(1, 17, 2)))
    last_stream, error = client.wait_goaway()
    served = [stream for stream in range(1, 17, 2) if stream <= last_stream]
    client.wait(*served)
    client.close()
    return len(served), error


class Errors(Checks):
    def test_reset_streams_are_errors(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.start_nginx().write_file("big", 50_000)
            scene.in_client(reset_streams)
            metrics = self.wait_told(scene, dict, {
                ("GET", "/files/big", "200", "CANCEL"): 10, ("GET", "/files/big", "200", "connection_closed"): 2,
                ("GET", "/ok", "200", ""): 1})
            self.check_nothing_lost(metrics)

    def test_streams_above_goaway_are_errors(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.start_nginx("keepalive_requests 5;")
            served, error = scene.in_client(more_than_is_served)
            self.assertEqual(error, 0)
            self.assertIn(served, range(5, 8))
            metrics = self.wait_told(scene, dict, {("GET", "/ok", "200", ""): served,
                                                   ("GET", "/ok", "", "NO_ERROR"): 8 - served})
            self.check_nothing_lost(metrics)

    def test_a_server_that_dies_leaves_its_streams_closed(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.write_file("big", 50_000_000)
            server = scene.start_nghttpd()
            client = scene.pair.b.start(["nghttp", "-n", "-w", "10", scene.url("/big"), scene.url("/big?2")], scene.cgroup,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            stack.callback(end, client)
            wait_until(lambda: scene.wiregauge.metrics().sum("wiregauge_tcp_sent_bytes_total", service_name="nghttpd") > 1e5,
                       "bodies are under way")
            server.kill()
            server.wait()
            client.wait()
            read = lambda counts: sum(count for key, count in counts.items()  # noqa: E731
                                      if key[:3] == ("GET", "/big", "200") and key[3] in ("reset", "connection_closed"))
            metrics = self.wait_told(scene, read, 2)
            self.check_nothing_lost(metrics)


def joined_later(address, go_on):
    """A request before the tap, three after it: by a table entry that is older, by one that is newer, by a literal."""
    client = http2_client.Client(address, PORT)
    authority = http2_client.literal(":authority", "a")
    client.headers(1, http2_client.GET + http2_client.literal(":path", "/items/1", add=True) + authority)
    client.wait(1)
    go_on.acquire()
    client.headers(3, http2_client.GET + http2_client.indexed(62) + authority)
    client.wait(3)
    client.headers(5, http2_client.GET + http2_client.literal(":path", "/missing", add=True) + authority)
    client.wait(5)
    client.headers(7, http2_client.GET + http2_client.indexed(62) + authority)
    client.wait(7)
    client.headers(9, http2_client.GET + http2_client.indexed(63) + authority)
    client.wait(9)
    client.close()


class JoinedInTheMiddle(Checks):
    def test_names_are_unknown_not_wrong(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, join_later=True)
            scene.start_nginx()
            go_on = multiprocessing.Semaphore(0)
            client = multiprocessing.Process(target=scene.in_client, args=(joined_later, go_on))
            client.start()
            established = ["ss", "-Htn", "state", "established", f"sport = :{PORT}"]
            wait_until(lambda: scene.pair.a.run(established).stdout, "the client is connected")
            scene.observe()
            go_on.release()
            client.join()
            self.assertEqual(client.exitcode, 0)
            read = lambda counts: {key[:3]: count for key, count in counts.items()}  # noqa: E731
            metrics = self.wait_told(scene, read, {("GET", "", "200"): 2, ("GET", "/missing", "404"): 2})
            degraded = metrics.sum("wiregauge_events_lost_total", stage="match_name", reason="degraded")
            self.assertEqual(degraded, 4)  # two requests, both ends


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
