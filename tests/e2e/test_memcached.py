#!/usr/bin/env python3
"""memcached through a real memcached: what is counted is what a client of plain sockets sent and got, command for
command and answer for answer, and what the server's own `stats` say."""
import collections
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402

PORT = 11211
SERVER = "db_server_operation_duration_seconds"
CLIENT = "db_client_operation_duration_seconds"


class Client:
    """One connection. `sent` counts (command, code) of what was sent and how it was answered."""

    def __init__(self, address, port=PORT):
        self._socket = socket.create_connection((address, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")
        self.sent = collections.Counter()
        self.seconds = 0.0

    def send(self, data):
        self._socket.sendall(data)

    def line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the server closed behind {line}")
        return line[:-2].decode()

    def answer(self):
        """The code of one answer, as it is told: the last line's first word; VALUE when values came before END."""
        values = False
        while True:
            line = self.line()
            word = line.split(" ")[0]
            if word in ("VALUE", "VA"):
                self._file.read(int(line.split()[3 if word == "VALUE" else 1]) + 2)
                if word == "VA":
                    return word
                values = True
            elif word == "END":
                return "VALUE" if values else "END"
            elif word not in ("STAT", "ITEM"):
                return "" if word.isdigit() else word

    def call(self, text, value=None):
        """Sends a command, reads its answer, counts both."""
        data = text.encode() + b"\r\n" + (b"" if value is None else value + b"\r\n")
        begin = time.monotonic()
        self.send(data)
        code = self.answer()
        self.seconds += time.monotonic() - begin
        self.sent[text.split(" ")[0], code] += 1
        return code

    def close(self):
        self._file.close()
        self._socket.close()


class Scene:
    """memcached in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.wiregauge = stack.enter_context(Wiregauge(
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", exporter=True))
        self.address = self.pair.a.address
        # Its own figures are asked for on a port that nothing observes: a process outside the cgroup.
        self.process = self.pair.a.start(["memcached", "-u", "root", "-p", str(PORT), "-U", "0", "-l", "0.0.0.0", "-t", "2",
                                          "-I", "2m", "-P", os.path.join(folder, "pid")], self.cgroup,
                                         stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(self._end)
        listening = ["ss", "-tlnHO", f"sport = :{PORT}"]
        wait_until(lambda: self.pair.a.run(listening).stdout, "memcached listens")

    def _end(self):
        self.process.terminate()
        self.process.wait()

    def in_client(self, function, *arguments):
        """function(address, *arguments) in namespace b and the cgroup."""
        return self.pair.b.call(function, self.cgroup, self.address, *arguments)


def told(metrics, family):
    """(command, code) -> calls; the error_type of an error is its code."""
    counts = collections.Counter()
    for found, value in metrics.matching(f"{family}_count", db_system_name="memcached"):
        code = found.get("db_response_status_code", "")
        assert found.get("error_type", "") == (code if code.endswith("ERROR") else ""), found
        counts[found["db_operation_name"], code] += int(value)
    return counts


def statistics(address):
    """`stats` as a dictionary, and the answer's count."""
    client = Client(address)
    client.send(b"stats\r\n")
    stats = {}
    while True:
        line = client.line()
        if line == "END":
            client.close()
            return stats
        _, name, value = line.split(" ", 2)
        stats[name] = value


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


def every_command(address):
    client = Client(address)
    for _ in range(20):
        client.call("set a 0 0 5", b"hello")
        client.call("get a")
        client.call("get none")
        client.call("gets a b none c")
        client.call("add a 0 0 1", b"x")
        client.call("add fresh 0 0 1", b"x")
        client.call("replace a 1 0 5", b"END\r\n")
        client.call("append a 0 0 1", b"x")
        client.call("prepend none 0 0 1", b"x")
        client.call("cas a 0 0 1 1", b"x")
        client.call("cas none 0 0 1 1", b"x")
        client.call("set n 0 0 1", b"1")
        client.call("incr n 41")
        client.call("decr n 2")
        client.call("incr none 1")
        client.call("touch a 100")
        client.call("touch none 100")
        client.call("gat 100 a n")
        client.call("delete fresh")
        client.call("delete none")
        client.call("version")
        client.call("verbosity 0")
        client.call("stats")
        client.call("stats settings")
        client.call("nonsense")
        client.call("incr a 1")                        # CLIENT_ERROR
        client.call("set huge 0 0 3000000", b"x" * 3000000)  # SERVER_ERROR
        client.call("ms m 2 T0", b"hi")
        client.call("mg m v k O9")
        client.call("mg m")
        client.call("mg none v")
        client.call("ms m 2 ME", b"hi")                # NS
        client.call("ms m 2 C1", b"hi")                # EX
        client.call("ma n")
        client.call("ma n v")
        client.call("ma none")
        client.call("md m")
        client.call("md m")
        client.call("mn")
    client.call("flush_all")
    client.close()
    return client.sent


def load(address, connections, turns, pipeline):
    """Pipelines of `pipeline` commands on each of the connections."""
    clients = [Client(address) for _ in range(connections)]
    value = b"v" * 100
    for turn in range(turns):
        for client in clients:
            burst = []
            for i in range(pipeline):
                key = f"key{i % 7}"
                burst.append([f"set {key} 0 0 100\r\n".encode() + value + b"\r\n", f"get {key}\r\n".encode(),
                              f"get none{i}\r\n".encode(), f"get key0 key1 none{i}\r\n".encode()][(turn + i) % 4])
            client.send(b"".join(burst))
        for client in clients:
            for i in range(pipeline):
                client.sent[("set", "get", "get", "get")[(turn + i) % 4], client.answer()] += 1
    for client in clients:
        client.close()
    return sum((client.sent for client in clients), collections.Counter())


def silent(address):
    """noreply and quiet commands; returns how often each is to be told."""
    client, sent = Client(address), collections.Counter()
    for i in range(50):
        client.send(b"set quiet 0 0 1 noreply\r\nx\r\ndelete quiet noreply\r\nset quiet 0 0 1 noreply\r\ny\r\n")
        sent.update({("set", ""): 2, ("delete", ""): 1})
        client.send(b"mg quiet v q O1\r\nmg none v q O2\r\nmg quiet v q k\r\nms new 1 q\r\nx\r\nms new 1 q ME O3\r\nx\r\nmn\r\n")
        assert [client.answer() for _ in range(4)] == ["VA", "VA", "NS", "MN"]
        sent.update({("mg", "VA"): 2, ("mg", "EN"): 1, ("ms", "HD"): 1, ("ms", "NS"): 1, ("mn", "MN"): 1})
    client.send(b"quit\r\n")
    sent["quit", ""] += 1
    client.close()
    return sent


def large_values(address):
    client = Client(address)
    value = os.urandom(1_000_000)
    for i in range(10):
        client.call(f"set large{i} 0 0 {len(value)}", value)
        client.call(f"get large{i}")
        client.call("get none")
    client.close()
    return client.sent


def timed(address):
    client = Client(address)
    for _ in range(1_000):
        client.call("get none")
    client.close()
    return client.sent, client.seconds


class Exactness(Checks):
    def test_every_command(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            sent = scene.in_client(every_command)
            for code in ("STORED", "NOT_STORED", "EXISTS", "NOT_FOUND", "HD", "EN", "NF", "NS", "EX", "ERROR",
                         "CLIENT_ERROR", "SERVER_ERROR"):
                self.assertIn(code, {code for _, code in sent})
            expected = collections.Counter()
            for (command, code), count in sent.items():
                expected["_OTHER" if command == "nonsense" else command, code] += count
            self.check_told(scene, expected)

    def run_load(self, connections, turns, pipeline):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            sent = scene.in_client(load, connections, turns, pipeline)
            self.assertEqual(sum(sent.values()), connections * turns * pipeline)
            stats = scene.in_client(statistics)
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
            scene = Scene(stack)
            self.check_told(scene, scene.in_client(silent))

    def test_large_values(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            self.check_told(scene, scene.in_client(large_values))

    def test_durations_are_the_clients_own(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            sent, seconds = scene.in_client(timed)
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
            scene.in_client(binary_noops)
            metrics = wait_until(lambda: self._when_unparsed(scene), "its bytes are counted")
            self.assertEqual(told(metrics, SERVER), {})
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total", reason="unknown_protocol"), 2 * 2 * 24 * 10)

    @staticmethod
    def _when_unparsed(scene):
        metrics = scene.wiregauge.metrics()
        return metrics if metrics.sum("wiregauge_unparsed_bytes_total") >= 2 * 2 * 24 * 10 else None


def binary_noops(address):
    with socket.create_connection((address, PORT), timeout=30) as connection:
        for _ in range(10):
            connection.sendall(b"\x80\x0a" + bytes(22))
            answer = b""
            while len(answer) < 24:
                answer += connection.recv(24)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
