#!/usr/bin/env python3
"""Requests inside TLS, counted like those in the clear: real servers and clients on OpenSSL, with sockets of their own
and with memory BIOs. A library is observed only as a private copy that no other program loads."""
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
from harness import Wiregauge, make_certificate, wait_until  # noqa: E402
from http_counts import expected_counts, told_counts  # noqa: E402
from in_tls import PYTHON  # noqa: E402
from libraries import private_libraries  # noqa: E402
from nginx import Nginx  # noqa: E402
from redis_server import Redis  # noqa: E402

TLS_LOAD = os.path.join(HERE, "..", "tools", "tls_load.py")
PORT = 443
MIX = ["GET /ok 200 5", "GET /items/1042 200 4", "HEAD /ok 200 0", "GET /missing 404 4", "GET /broken 500 6",
       "GET /empty 204 0", "POST /created 201 4"]
ROUTES = {"/items/1042": "/items/{id}"}


@contextlib.contextmanager
def ended(process):
    with process:
        try:
            yield process
        finally:
            process.kill()


class Scene:
    """A server in namespace a, clients in namespace b, wiregauge on their cgroup. `start_server(scene)` is called
    before wiregauge starts: with mode=process only who runs then is observed from its first call."""

    def __init__(self, stack, start_server, mode="library", before=None):
        self.stack = stack
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.libraries, self.environment = private_libraries(self.folder)
        self.certificate, self.key = make_certificate(self.folder)
        self.server = start_server(self)
        self.waiting = before(self) if before else None
        self.wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={self.cgroup.path}",
                                                       f"--exporter.tls={mode}", exporter=True))

    def client(self, *command, **options):
        client = self.pair.b.start([*self.environment, *command], self.cgroup, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True, **options)
        return self.stack.enter_context(ended(client))

    def start_server(self, *command):
        """A server that says that it is ready."""
        server = self.pair.a.start(command, self.cgroup, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        self.stack.enter_context(ended(server))
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"{command[0]} did not start")
        return server

    def load(self, *arguments):
        return self.client(PYTHON, TLS_LOAD, "--host", self.pair.a.address, "--port", str(PORT), *arguments)

    def metrics(self):
        return self.wiregauge.metrics()


def nginx(scene):
    return Nginx(scene.folder, scene.pair.a, scene.cgroup, port=PORT, tls=(scene.certificate, scene.key),
                 program=[*scene.environment, "nginx"])


def mix_arguments(mix=None):
    return [part for request in mix or MIX for part in ("-r", request)]


class Checks(unittest.TestCase):
    maxDiff = None
    CLIENT = "python3.11"

    def when_closed(self, scene, connections):
        """The metrics once both ends of so many connections are closed."""
        def look():
            metrics = scene.metrics()
            return metrics if metrics.sum("wiregauge_tcp_connections_closed_total") == 2 * connections else None
        return wait_until(look, f"{connections} connections are closed")

    def check(self, metrics, expected, server="nginx", client=None):
        told = [told_counts(metrics, f"http_{role}_request_duration_seconds", service)
                for role, service in (("server", server), ("client", client or self.CLIENT))]
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual((told, lost), ([expected, expected], {}))
        self.assertEqual(metrics.matching("wiregauge_unparsed_bytes_total"), [])
        for service in (server, client or self.CLIENT):
            self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name=service), 1)

    def finish(self, load):
        out, _ = load.communicate()
        self.assertEqual(load.returncode, 0)
        done = json.loads(out)
        self.assertEqual(done["mismatched"], 0)
        self.assertGreater(done["answered"], 0)
        return done

    def run_load(self, scene, connections, *arguments, server="nginx"):
        done = self.finish(scene.load("-c", str(connections), *arguments))
        opened = done["answered"] if "--close" in arguments else connections
        metrics = self.when_closed(scene, opened)
        self.check(metrics, expected_counts(done, ROUTES), server=server)
        for role in ("server", "client"):
            seconds = metrics.sum(f"http_{role}_request_duration_seconds_sum")
            self.assertLess(seconds, done["duration_seconds_sum"], role)
        return done, metrics


class Sockets(Checks):
    def test_kept_connections(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version), contextlib.ExitStack() as stack:
                self.run_load(Scene(stack, nginx), 16, "-n", "3200", "--tls", version, "--send-bytes", "100",
                              *mix_arguments())

    def test_a_connection_a_request(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version), contextlib.ExitStack() as stack:
                self.run_load(Scene(stack, nginx), 4, "-n", "280", "--close", "--tls", version, *mix_arguments())

    def test_big_bodies(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx)
            scene.server.write_file("big", 3_000_000)
            self.run_load(scene, 4, "-n", "48", "--send-bytes", "900000",
                          *mix_arguments(["GET /files/big 200 3000000", "GET /ok 200 5", "POST /created 201 4"]))

    def test_durations_are_the_clients_own(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx)
            done, metrics = self.run_load(scene, 1, "-n", "1000", *mix_arguments())
            client = metrics.sum("http_client_request_duration_seconds_sum", service_name=self.CLIENT)
            server = metrics.sum("http_server_request_duration_seconds_sum", service_name="nginx")
            self.assertGreater(server, 0)
            self.assertLess(server, client)
            self.assertLess(client, done["duration_seconds_sum"])
            self.assertGreater(client, done["duration_seconds_sum"] / 10)

    def test_curl(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx)
            urls = [f"https://{scene.pair.a.address}/{path}" for path in ("ok", "items/1042", "missing")]
            for _ in range(10):  # short-lived programs, three requests on a connection each
                done = scene.client("curl", "-sk", *urls, "-o", "/dev/null", "-o", "/dev/null", "-o", "/dev/null")
                done.communicate()
                self.assertEqual(done.returncode, 0)
            self.check(self.when_closed(scene, 10), {("GET", "/ok", "200"): 10, ("GET", "/items/{id}", "200"): 10,
                                                     ("GET", "/missing", "404"): 10}, client="curl")

    def test_openssl_s_client(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx)
            client = scene.client("openssl", "s_client", "-quiet", "-connect", f"{scene.pair.a.address}:{PORT}",
                                  stderr=subprocess.DEVNULL)
            out, _ = client.communicate("GET /ok HTTP/1.1\r\nHost: a\r\n\r\nGET /ok HTTP/1.1\r\nHost: a\r\n"
                                        "Connection: close\r\n\r\n")
            self.assertEqual(out.count("200 OK"), 2)
            self.check(self.when_closed(scene, 1), {("GET", "/ok", "200"): 2}, client="openssl")


class MemoryBios(Checks):
    """The library writes to memory; the program sends it afterwards."""

    def test_asyncio(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack, nginx), 16, "-n", "1600", "--mode", "asyncio", *mix_arguments())

    def test_asyncio_with_a_connection_a_request(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack, nginx), 8, "-n", "160", "--mode", "asyncio", "--close", *mix_arguments())

    def test_threads(self):
        for version in ("1.2", "1.3"):
            with self.subTest(version), contextlib.ExitStack() as stack:
                self.run_load(Scene(stack, nginx), 8, "-n", "800", "--mode", "memory", "--tls", version,
                              "--send-bytes", "40000", *mix_arguments())


NODE = """
const [certificate, key, port] = process.argv.slice(2);
const fs = require("fs");
const answers = {"/ok": [200, "hello"], "/items/1042": [200, "item"], "/missing": [404, "none"],
                 "/broken": [500, "broken"], "/empty": [204, ""], "/created": [201, "made"],
                 "/files/big": [200, "x".repeat(3000000)]};
require("https").createServer({cert: fs.readFileSync(certificate), key: fs.readFileSync(key)}, (request, response) => {
  request.resume();
  request.on("end", () => {
    const [status, body] = answers[request.url];
    response.writeHead(status, status === 204 ? {} : {"Content-Length": Buffer.byteLength(body)});
    response.end(request.method === "HEAD" ? "" : body);
  });
}).listen(+port, "0.0.0.0", () => console.log("ready"));
"""


def node(scene):
    script = os.path.join(scene.folder, "server.js")
    with open(script, "w") as file:
        file.write(NODE)
    return scene.start_server("node", script, scene.certificate, scene.key, str(PORT))


def waiting_load(*arguments):
    """A load that runs when wiregauge starts, and begins when it is told to."""
    return lambda scene: scene.load("--wait", *arguments)


class Processes(Checks):
    """One process at a time: a program that has the library in itself, and programs that share one."""

    def run_waiting(self, server, service, connections, *arguments):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, server, mode="process", before=waiting_load("-c", str(connections), *arguments))
            done = self.finish(scene.waiting)
            opened = done["answered"] if "--close" in arguments else connections
            self.check(self.when_closed(scene, opened), expected_counts(done, ROUTES), server=service)

    def test_node(self):
        self.run_waiting(node, "node", 8, "-n", "800", "--send-bytes", "20000", *mix_arguments())

    def test_node_with_a_connection_a_request(self):
        self.run_waiting(node, "node", 4, "-n", "140", "--close", *mix_arguments())

    def test_node_and_big_bodies(self):
        self.run_waiting(node, "node", 2, "-n", "12", *mix_arguments(["GET /files/big 200 3000000", "GET /ok 200 5"]))

    def test_nginx(self):
        self.run_waiting(nginx, "nginx", 8, "-n", "800", "--mode", "asyncio", *mix_arguments())

    def test_a_program_that_comes_later(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx, mode="process")
            before = scene.metrics().value("wiregauge_tls_attached")
            load = scene.load("--wait", "-n", "100", *mix_arguments())
            # Its own library and the one that writes its records.
            wait_until(lambda: scene.metrics().value("wiregauge_tls_attached") == before + 2, "it is observed")
            done = self.finish(load)
            self.check(self.when_closed(scene, 1), expected_counts(done, ROUTES))
            wait_until(lambda: scene.metrics().value("wiregauge_tls_attached") == before, "it is let go")

    def test_outside_the_scope_nothing_is_attached(self):
        with contextlib.ExitStack() as stack:
            outside = stack.enter_context(netns_pair.Cgroup())
            scene = Scene(stack, nginx, mode="process")
            before = scene.metrics().value("wiregauge_tls_attached")
            load = scene.pair.b.start([*scene.environment, PYTHON, TLS_LOAD, "--host", scene.pair.a.address, "--port",
                                       str(PORT), "-n", "50", *mix_arguments()], outside, stdout=subprocess.PIPE)
            with load:
                done = json.loads(load.stdout.read())
            wait_until(lambda: scene.metrics().sum("wiregauge_tcp_connections_closed_total") == 1, "it is closed")
            metrics = scene.metrics()
            self.assertEqual(metrics.value("wiregauge_tls_attached"), before)
            self.assertEqual(told_counts(metrics, "http_server_request_duration_seconds", "nginx"),
                             expected_counts(done, ROUTES))
            self.assertEqual(metrics.matching("http_client_request_duration_seconds_count"), [])


FORKING = """
import os, signal, socket, ssl, sys, time
certificate, key, port = sys.argv[1:]
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(certificate, key)
listener = socket.create_server(("0.0.0.0", int(port)), backlog=64)
print("ready", flush=True)
while True:
    accepted, _ = listener.accept()
    connection = tls.wrap_socket(accepted, server_side=True)  # the handshake, before the fork
    if os.fork():
        connection.close()  # the next session has the same address, before this child has used its own
        continue
    time.sleep(0.02)
    while b"\\r\\n\\r\\n" in connection.recv(65536):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 5\\r\\n\\r\\nhello")
    os._exit(0)
"""


def forking(scene):
    script = os.path.join(scene.folder, "forking.py")
    with open(script, "w") as file:
        file.write(FORKING)
    return scene.start_server(*scene.environment, PYTHON, script, scene.certificate, scene.key, str(PORT))


class HandedOver(Checks):
    def test_fork_after_the_handshake(self):
        """Child after child has the session at the same address, and none the other's bytes."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, forking)
            for _ in range(12):
                load = scene.load("-n", "18", "-c", "6", "-r", "GET /ok 200 5")
                self.finish(load)
            metrics = self.when_closed(scene, 72)
            self.check(metrics, {("GET", "/ok", "200"): 216}, server=self.CLIENT)


def redis(scene):
    return Redis(scene.folder, scene.pair.a, scene.cgroup, 0, [
        "--tls-port", "6379", "--tls-cert-file", scene.certificate, "--tls-key-file", scene.key, "--tls-auth-clients",
        "no", "--tls-ca-cert-file", scene.certificate], program=[*scene.environment, "redis-server"])


class RedisInTls(Checks):
    def run_benchmark(self, *arguments):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, redis)
            stack.callback(scene.server.close)
            load = scene.client("redis-benchmark", "-h", scene.pair.a.address, "--tls", "--insecure", "-q", "-t",
                                "set,get,incr", *arguments)
            load.communicate()
            self.assertEqual(load.returncode, 0)
            expected = {name: calls for name, (calls, _) in scene.server.command_stats().items()}
            for command in ("INFO", "PING"):  # asked for through the UNIX socket
                expected.pop(command, None)
            self.assertGreater(expected["GET"], 0)

            def told(family):
                counts = collections.Counter()
                for labels, value in scene.metrics().matching(f"{family}_count", db_system_name="redis"):
                    counts[labels["db_operation_name"]] += int(value)
                return dict(counts)
            for family in ("db_server_operation_duration_seconds", "db_client_operation_duration_seconds"):
                wait_until(lambda family=family: told(family) == expected, f"{family} {expected}")
            metrics = scene.metrics()
            lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
            self.assertEqual(lost, {})
            self.assertEqual(metrics.matching("wiregauge_unparsed_bytes_total"), [])

    def test_one_by_one(self):
        self.run_benchmark("-n", "3000", "-c", "8")

    def test_pipelined(self):
        self.run_benchmark("-n", "8000", "-c", "4", "-P", "16")


class NotRead(unittest.TestCase):
    def test_without_the_option_bytes_are_counted_as_encrypted(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx, mode="off")
            load = scene.load("-n", "20", *mix_arguments())
            load.communicate()
            self.assertEqual(load.returncode, 0)
            wait_until(lambda: scene.metrics().sum("wiregauge_tcp_connections_closed_total") == 2, "it is closed")
            metrics = scene.metrics()
            self.assertEqual(metrics.matching("http_server_request_duration_seconds_count"), [])
            carried = metrics.sum("wiregauge_tcp_sent_bytes_total") + metrics.sum("wiregauge_tcp_received_bytes_total")
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total", reason="encrypted"), carried)
            self.assertIsNone(metrics.value("wiregauge_bpf_program_attached", program="tls_plaintext"))

    def test_doctor_and_explain_say_what_is_read(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, nginx, mode="process")
            command = [os.environ["WIREGAUGE_BIN"], "doctor", f"--exporter.cgroup={scene.cgroup.path}"]
            said = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(said.returncode, 0, said.stdout)
            self.assertRegex(said.stdout, r"ok +tls_plaintext")
            self.assertRegex(said.stdout, r"ok +TLS +read in [1-9]")
            off = subprocess.run([*command, "--exporter.tls=off"], capture_output=True, text=True)
            self.assertRegex(off.stdout, r"off +TLS +connections are counted")
            explained = subprocess.run([os.environ["WIREGAUGE_BIN"], "explain", "--pid", str(scene.cgroup.pids()[0])],
                                       capture_output=True, text=True)
            self.assertIn(f"TLS          {scene.libraries}/libssl.so", explained.stdout)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main(verbosity=2)
