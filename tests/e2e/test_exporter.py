#!/usr/bin/env python3
"""The exporter against real servers: what it counts is what was sent, request for request, and what the kernel says of
the same sockets, byte for byte. Each test has namespaces and a cgroup of its own; nothing else is observed."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from http_counts import expected_counts, told_counts  # noqa: E402
from nginx import Nginx  # noqa: E402

TOOLS = os.environ.get("WIREGAUGE_TOOLS", "")
PORT = 80
# Request, route that it must be told under.
MIX = [
    ("GET /ok 200 5", "/ok"),
    ("GET /items/1042 200 4", "/items/{id}"),
    ("HEAD /ok 200 0", "/ok"),
    ("GET /items/7?color=red 200 4", "/items/{id}"),
    ("GET /missing 404 4", "/missing"),
    ("GET /broken 500 6", "/broken"),
    ("GET /empty 204 0", "/empty"),
    ("POST /created 201 4", "/created"),
]
ROUTES = {request.split()[1]: route for request, route in MIX}


class Scene:
    """nginx in namespace a, a client in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, exporter_arguments=(), address="0.0.0.0", listen_options=""):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.wiregauge = stack.enter_context(
            Wiregauge(f"--exporter.cgroup={self.cgroup.path}", *exporter_arguments, exporter=True))
        self.nginx = Nginx(folder, self.pair.a, self.cgroup, port=f"{PORT} {listen_options}", address=address)
        self.server_address = self.pair.a.address6 if ":" in address else self.pair.a.address
        self.client = self.pair.b  # the client's namespace

    def load(self, *arguments):
        command = [f"{TOOLS}/http_load", "--host", self.server_address, "--port", str(PORT), "--hold", *arguments]
        return self.client.start(command, self.cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def metrics(self):
        return self.wiregauge.metrics()


def mix_arguments(mix=None):
    return [part for request, _ in mix or MIX for part in ("-r", request)]


class Checks(unittest.TestCase):
    """What the cases below compare; no case of its own."""
    maxDiff = None

    def check_requests(self, metrics, done):
        expected = expected_counts(done, ROUTES)
        self.assertEqual(told_counts(metrics, "http_server_request_duration_seconds", "nginx"), expected)
        self.assertEqual(told_counts(metrics, "http_client_request_duration_seconds", "http_load"), expected)

    def check_nothing_lost(self, metrics):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)

    def check_bytes(self, metrics, client, server):
        """`client` and `server`: TCP_INFO sums of all sockets, which are open. TCP_INFO counts the SYN as a byte."""
        told = {}
        for role, service in (("client", "http_load"), ("server", "nginx")):
            for name in ("sent_bytes", "received_bytes", "segments_sent", "retransmitted_segments",
                         "out_of_order_segments", "connections_active", "connections_opened"):
                suffix = "" if name == "connections_active" else "_total"
                told[role, name] = metrics.sum(f"wiregauge_tcp_{name}{suffix}", role=role, service_name=service)
        kernel = {}
        for role, info in (("client", client), ("server", server)):
            kernel.update({
                (role, "sent_bytes"): info["bytes_acked"] - (info["sockets"] if role == "client" else 0),
                (role, "received_bytes"): info["bytes_received"],
                (role, "segments_sent"): info["segs_out"],
                (role, "retransmitted_segments"): info["total_retrans"],
                (role, "out_of_order_segments"): info["rcv_ooopack"],
                (role, "connections_active"): info["sockets"],
                (role, "connections_opened"): info["sockets"],
            })
        self.assertEqual(told, kernel)

    def run_load(self, scene, connections, pipeline, requests):
        """Runs the load and checks while its connections are still open, then again when they are closed."""
        load = scene.load("-n", str(requests), "-c", str(connections), "-p", str(pipeline), "--send-bytes", "100",
                          *mix_arguments())
        done = json.loads(load.stdout.readline())
        self.assertEqual((done["answered"], done["mismatched"]), (requests, 0))
        server = netns_pair.settled_tcp_totals(scene.pair.a, f"sport = :{PORT}")
        client = netns_pair.settled_tcp_totals(scene.client, f"dport = :{PORT}")
        self.assertEqual(server["sockets"], connections)
        metrics = wait_until(lambda: self._when_settled(scene, connections), "all connections are reported")
        self.check_nothing_lost(metrics)
        self.check_requests(metrics, done)
        self.check_bytes(metrics, client, server)
        load.communicate()
        self.assertEqual(load.returncode, 0)
        closed = wait_until(lambda: self._when_closed(scene, connections), "all connections are closed")
        self.check_requests(closed, done)
        self.assertEqual(closed.sum("wiregauge_tcp_sent_bytes_total"), metrics.sum("wiregauge_tcp_sent_bytes_total"))
        self.assertEqual(closed.sum("wiregauge_tcp_received_bytes_total"),
                         metrics.sum("wiregauge_tcp_received_bytes_total"))
        for service in ("nginx", "http_load"):
            self.assertEqual(closed.value("wiregauge_capture_completeness_ratio", service_name=service), 1)

    @staticmethod
    def _when_settled(scene, connections):
        metrics = scene.metrics()
        return metrics if metrics.sum("wiregauge_tcp_connections_active") == 2 * connections else None

    @staticmethod
    def _when_closed(scene, connections):
        metrics = scene.metrics()
        return metrics if metrics.sum("wiregauge_tcp_connections_closed_total") == 2 * connections else None


class LoopbackScene(Scene):
    """nginx and its client in one namespace, over loopback: the kernel side tells one end for both."""

    def __init__(self, stack, exporter_arguments=(), address="127.0.0.1", listen_options=""):
        super().__init__(stack, exporter_arguments, address, listen_options)
        self.server_address = address.strip("[]")
        self.client = self.pair.a


class Exactness(Checks):
    def test_loopback(self):
        for address in ("127.0.0.1", "[0:0:0:0:0:0:0:1]"):  # "Host: ::1" would be no host
            with self.subTest(address=address), contextlib.ExitStack() as stack:
                scene = LoopbackScene(stack, address=address)
                self.run_load(scene, connections=16, pipeline=1, requests=16 * 400)
                opened = scene.metrics().value("wiregauge_events_total", stage="kernel_open")
                self.assertEqual(opened, 16, "each connection is told once, not by each end")

    def test_loopback_pipelined(self):
        with contextlib.ExitStack() as stack:
            self.run_load(LoopbackScene(stack), connections=8, pipeline=16, requests=8 * 16 * 100)

    def test_one_connection(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack), connections=1, pipeline=1, requests=4_000)

    def test_64_connections(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack), connections=64, pipeline=1, requests=64 * 400)

    def test_one_connection_pipelined(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack), connections=1, pipeline=64, requests=16_000)

    def test_64_connections_pipelined(self):
        with contextlib.ExitStack() as stack:
            # The load leaves the exporter little time on a busy machine with few processors.
            scene = Scene(stack, ["--exporter.ring-bytes=67108864"])
            self.run_load(scene, connections=64, pipeline=16, requests=64 * 800)

    def test_a_connection_a_request(self):
        for place, told in ((Scene, 2 * 2000), (LoopbackScene, 2000)):
            with self.subTest(place), contextlib.ExitStack() as stack:
                scene = place(stack)
                load = scene.load("-n", "2000", "-c", "8", "--close", *mix_arguments())
                done = json.loads(load.stdout.readline())
                load.communicate()
                self.assertEqual(load.returncode, 0)
                metrics = wait_until(lambda: self._when_closed(scene, 2000), "all connections are closed")
                self.check_requests(metrics, done)
                self.check_nothing_lost(metrics)
                self.assertEqual(metrics.value("wiregauge_events_total", stage="kernel_open"), told)
                for role, service, peer in (("client", "http_load", "nginx"), ("server", "nginx", "http_load")):
                    labels = {"role": role, "service_name": service, "peer": peer}
                    self.assertEqual(metrics.value("wiregauge_tcp_connections_opened_total", **labels), 2000)
                self.assertEqual(metrics.sum("wiregauge_tcp_connect_duration_seconds_count"), 2000)

    def test_ipv6(self):
        with contextlib.ExitStack() as stack:
            self.run_load(Scene(stack, address="[::]"), connections=8, pipeline=4, requests=8 * 800)

    def test_deferred_accept(self):
        """The first request of each connection reaches the listening socket: with `deferred`, nginx is woken only by
        data, so the handshake's third ACK is thrown away and the request makes the connection."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, listen_options="deferred")
            load = scene.load("-n", "500", "-c", "4", "--close", *mix_arguments())
            done = json.loads(load.stdout.readline())
            load.communicate()
            self.assertEqual(load.returncode, 0)
            metrics = wait_until(lambda: self._when_closed(scene, 500), "all connections are closed")
            self.check_requests(metrics, done)
            self.check_nothing_lost(metrics)

    def test_large_bodies(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.nginx.write_file("big", 3_000_000)
            load = scene.load("-n", "60", "-c", "4", "-r", "GET /files/big 200 3000000", "-r", "GET /ok 200 5")
            done = json.loads(load.stdout.readline())
            load.communicate()
            self.assertEqual(load.returncode, 0)
            metrics = wait_until(lambda: self._when_closed(scene, 4), "all connections are closed")
            self.check_requests(metrics, done)
            self.check_nothing_lost(metrics)
            self.assertEqual(metrics.sum("wiregauge_tcp_sent_bytes_total", service_name="nginx"),
                             done["received_bytes"])

    def test_durations_are_the_clients_own(self):
        """The client times each request in its own process; the tap sits below it, so it can only see less."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            load = scene.load("-n", "5000", "-c", "1", *mix_arguments())
            done = json.loads(load.stdout.readline())
            load.communicate()
            metrics = scene.metrics()
            client = metrics.sum("http_client_request_duration_seconds_sum", service_name="http_load")
            server = metrics.sum("http_server_request_duration_seconds_sum", service_name="nginx")
            self.assertGreater(server, 0)
            self.assertLess(server, client)
            self.assertLess(client, done["duration_seconds_sum"])
            self.assertGreater(client, done["duration_seconds_sum"] / 10)


class Names(unittest.TestCase):
    def test_a_process_that_is_gone_is_named_like_a_living_one(self):
        """wiregauge sleeps while each program lives: /proc has nothing to say when it looks."""
        names = ["brief_client", "a-program-with-a-name-much-longer-than-a-thread-may-have-" + "x" * 60]
        with contextlib.ExitStack() as stack:
            scene = LoopbackScene(stack)
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            for name in names:
                program = shutil.copy(f"{TOOLS}/brief_client", os.path.join(folder, name))
                self._stop(scene.wiregauge)
                try:
                    scene.client.run([program, scene.server_address, str(PORT)], scene.cgroup)
                finally:
                    scene.wiregauge.process.send_signal(signal.SIGCONT)
            closed = wait_until(lambda: Checks._when_closed(scene, 2), "all connections are closed")
            for name in names:
                for what in ("http_client_request_duration_seconds_count", "wiregauge_tcp_connections_opened_total"):
                    self.assertEqual(closed.sum(what, service_name=name), 1, closed.text)
                self.assertEqual(closed.sum("wiregauge_tcp_connections_opened_total", peer=name), 1)
            told = {labels["service_name"] for labels, _ in closed.matching("wiregauge_tcp_connections_opened_total")}
            self.assertEqual(told, {"nginx", *names})

    @staticmethod
    def _stop(wiregauge):
        wiregauge.process.send_signal(signal.SIGSTOP)

        def stopped():
            for task in os.listdir(f"/proc/{wiregauge.pid}/task"):
                with open(f"/proc/{wiregauge.pid}/task/{task}/stat") as stat:
                    if stat.read().rpartition(")")[2].split()[0] != "T":
                        return False
            return True

        wait_until(stopped, "all threads are stopped")


class LoopbackEnds(unittest.TestCase):
    """Over loopback the server's end tells for both; what only one of them sees is that one's alone."""
    SERVER, CLIENT = (f"http_{role}_request_duration_seconds_count" for role in ("server", "client"))

    def run_scenario(self, scenario):
        with contextlib.ExitStack() as stack:
            namespace = netns_pair.Namespace()
            stack.callback(namespace.close)
            cgroup = stack.enter_context(netns_pair.Cgroup())
            wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={cgroup.path}", exporter=True))
            namespace.call(scenario, cgroup)

            def closed():
                metrics = wiregauge.metrics()
                return metrics if metrics.sum("wiregauge_tcp_connections_closed_total") == 2 else None
            metrics = wait_until(closed, "both ends are closed")
            self.assertEqual(metrics.value("wiregauge_events_total", stage="kernel_open"), scenario.told)
            self.assertEqual(metrics.sum("wiregauge_events_lost_total"), 0)
            return [sorted((found["http_route"], found.get("http_response_status_code"), found.get("error_type"), value)
                           for found, value in metrics.matching(family)) for family in (self.SERVER, self.CLIENT)]

    def test_an_answer_to_a_client_that_is_gone(self):
        server, client = self.run_scenario(answer_late)
        self.assertEqual(server, [("/late", "200", None, 1), ("/ok", "200", None, 1)])
        self.assertEqual(client, [("/late", None, "connection_closed", 1), ("/ok", "200", None, 1)])

    def test_a_request_to_a_server_that_is_gone(self):
        server, client = self.run_scenario(ask_late)
        self.assertEqual(server, [("/ok", "200", None, 1)])
        self.assertEqual(client, [("/late", None, "reset", 1), ("/ok", "200", None, 1)])


ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
FIN_WAIT1 = "04"


def exchange_once():
    """A client's and a server's socket over loopback, after one request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server = listener.accept()[0]
    ask(client, "/ok")
    server.recv(4096)
    server.sendall(ANSWER)
    client.recv(4096)
    return client, server


def ask(client, path):
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def close_and_wait(leaving, other):
    """Closes one end, which is gone when the other's kernel has acknowledged that."""
    leaving.close()
    assert other.recv(4096) == b""

    def acknowledged():
        with open("/proc/thread-self/net/tcp") as table:
            return FIN_WAIT1 not in {line.split()[3] for line in table.readlines()[1:]}
    wait_until(acknowledged, "the FIN is acknowledged")


def answer_late():
    client, server = exchange_once()
    ask(client, "/late")
    server.recv(4096)
    close_and_wait(client, server)
    server.sendall(ANSWER)
    server.close()


def ask_late():
    client, server = exchange_once()
    close_and_wait(server, client)
    ask(client, "/late")
    with contextlib.suppress(ConnectionError):
        client.recv(4096)
    client.close()


answer_late.told = 1
ask_late.told = 2  # the client tells of its last request itself


class LossyLink(Checks):
    def test_retransmissions_are_the_kernels(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.nginx.write_file("big", 100_000)
            program = f"{TOOLS}/drop_nth"
            stack.enter_context(netns_pair.lossy_link(scene.pair.b, 20, program, port=PORT))  # answers
            stack.enter_context(netns_pair.lossy_link(scene.pair.a, 7, program, port=PORT))  # requests
            load = scene.load("-n", "400", "-c", "8", "-r", "GET /files/big 200 100000", *mix_arguments())
            done = json.loads(load.stdout.readline())
            self.assertEqual((done["answered"], done["mismatched"]), (400, 0))
            server = netns_pair.settled_tcp_totals(scene.pair.a, f"sport = :{PORT}")
            client = netns_pair.settled_tcp_totals(scene.client, f"dport = :{PORT}")
            self.assertGreater(server["total_retrans"], 50)
            self.assertGreater(client["total_retrans"], 5)
            metrics = wait_until(lambda: self._when_settled(scene, 8), "all connections are reported")
            self.check_bytes(metrics, client, server)
            self.check_requests(metrics, done)
            self.check_nothing_lost(metrics)
            load.communicate()


class WithoutRights(unittest.TestCase):
    def test_the_sink_runs_and_the_page_says_what_is_off(self):
        wiregauge = Wiregauge(exporter=True, remote_write=True)
        wiregauge.arguments[:0] = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
        with wiregauge:
            off = wiregauge.wait_log(lambda lines: next((line for line in lines if "level=error" in line), None))
            self.assertIn("CAP_BPF", off)
            self.assertIn("CAP_NET_ADMIN", off)
            wiregauge.wait_ready()
            attached = wiregauge.metrics().matching("wiregauge_bpf_program_attached")
            self.assertGreaterEqual(len(attached), 6)
            self.assertEqual({value for _, value in attached}, {0})

    def test_rights_are_given_up_after_attach(self):
        """Later attaches to TLS libraries need CAP_PERFMON, and nothing else of these."""
        network, admin, monitor = (12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (38, "CAP_PERFMON")
        for tls, given_up in (("off", [network, admin, monitor]), ("auto", [network, admin])):
            with self.subTest(tls), netns_pair.Cgroup() as cgroup, \
                    Wiregauge(f"--exporter.cgroup={cgroup.path}", f"--exporter.tls={tls}", exporter=True) as wiregauge:
                folder = f"/proc/{wiregauge.process.pid}/task"
                for task in os.listdir(folder):
                    with open(f"{folder}/{task}/status") as status:
                        effective = int(next(line for line in status if line.startswith("CapEff:")).split()[1], 16)
                    for bit, name in given_up:
                        self.assertFalse(effective >> bit & 1, f"thread {task} keeps {name}")
                attached = wiregauge.metrics().matching("wiregauge_bpf_program_attached")
                self.assertEqual({value for _, value in attached}, {1})

    def test_doctor_says_yes_and_no(self):
        with netns_pair.Cgroup() as cgroup:
            command = [os.environ["WIREGAUGE_BIN"], "doctor", f"--exporter.cgroup={cgroup.path}"]
            yes = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(yes.returncode, 0, yes.stdout + yes.stderr)
            self.assertNotIn("MISSING", yes.stdout)
            no = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", *command], capture_output=True,
                                text=True)
            self.assertEqual(no.returncode, 1)
            self.assertIn("MISSING  CAP_BPF", no.stdout)

    def test_explain_knows_inside_from_outside(self):
        with netns_pair.Cgroup() as cgroup, netns_pair.NetnsPair() as pair:
            inside = pair.a.start(["sleep", "60"], cgroup)
            for pid, verdict in ((inside.pid, "observed: it is in"), (os.getpid(), "not observed")):
                said = subprocess.run([os.environ["WIREGAUGE_BIN"], "explain", "--pid", str(pid),
                                       f"--exporter.cgroup={cgroup.path}"], capture_output=True, text=True)
                self.assertEqual(said.returncode, 0, said.stderr)
                self.assertIn(f"verdict      {verdict}", said.stdout)
            inside.kill()
            inside.wait()


class Pages(unittest.TestCase):
    def test_promtool_has_nothing_to_say(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            load = scene.load("-n", "80", *mix_arguments())
            load.stdout.readline()
            load.communicate()
            checked = subprocess.run(["promtool", "check", "metrics"], input=scene.metrics().text, text=True,
                                     capture_output=True)
            self.assertEqual((checked.returncode, checked.stdout, checked.stderr), (0, "", ""))


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
