#!/usr/bin/env python3
"""MySQL's protocol as a real MariaDB server and its clients speak it: each command is told once, on both sides, under
its verb, table and error, and the server's own counters agree."""
import collections
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL_SOURCES = os.path.join(HERE, "..", "tools")
sys.path[:0] = [HERE, TOOL_SOURCES]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import PYTHON, tls_or_clear  # noqa: E402
from mariadb import Mariadb  # noqa: E402

TOOLS = os.environ.get("WIREGAUGE_TOOLS", "")
RAW = os.path.basename(os.path.realpath(PYTHON))
SERVICES = {"server": "mariadbd", "client": "mysql_calls"}
# Statements that have a counter of their own in the server, and the operation that they are told as.
COUNTERS = {"SELECT": ["select"], "INSERT": ["insert"], "UPDATE": ["update"], "DELETE": ["delete"], "LOAD": ["load"],
            "CALL": ["call_procedure"], "ROLLBACK": ["rollback"], "START TRANSACTION": ["begin"]}


class Server:
    """mariadbd in namespace a and a cgroup, for all tests: it takes seconds to begin."""

    def __init__(self, stack, tls):
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.tls = tls_or_clear(tls, stack, self.folder, self.pair.a, self.cgroup)
        self.mariadb = Mariadb(self.folder, self.pair.a, self.cgroup, tls=self.tls.key_pair,
                               environment=self.tls.environment)
        self.file = os.path.join(self.folder, "lines")
        with open(self.file, "w") as file:
            file.writelines(f"{i}\t{'w' * (i % 100)}\n" for i in range(5_000))


STACK = contextlib.ExitStack()
SERVER = None


def setUpModule(tls=False):
    global SERVER
    unittest.addModuleCleanup(STACK.close)
    SERVER = Server(STACK, tls)


class Scene:
    """Clients of SERVER in namespace b, and a wiregauge on their cgroup."""

    def __init__(self, stack, observe=True):
        self._stack = stack
        self.wiregauge = None
        if observe:
            self.observe()

    def observe(self):
        self.wiregauge = self._stack.enter_context(
            Wiregauge(f"--exporter.cgroup={SERVER.cgroup.path}", *SERVER.tls.arguments, exporter=True))

    @staticmethod
    def tls(*arguments):
        """These, of a client, when the server speaks TLS."""
        return arguments if SERVER.tls.key_pair else ()

    @staticmethod
    def calls(*arguments):
        """What mysql_calls did."""
        return json.loads(Scene.run(f"{TOOLS}/mysql_calls", "--host", SERVER.pair.a.address, "--file", SERVER.file,
                                    *Scene.tls("--tls"), *arguments).stdout)

    @staticmethod
    def run(*command):
        """A client's command, in its namespace."""
        return SERVER.pair.b.run([*SERVER.tls.environment, *command], SERVER.cgroup)

    @staticmethod
    def start_raw(*arguments):
        command = [*SERVER.tls.environment, PYTHON, os.path.join(TOOL_SOURCES, "mysql_raw.py"), SERVER.pair.a.address,
                   *Scene.tls("--tls"), *arguments]
        return SERVER.pair.b.start(command, SERVER.cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def metrics(self):
        return self.wiregauge.metrics()

    def metrics_after(self, connections):
        """The page when so many connections are closed at both ends."""
        def closed():
            metrics = self.metrics()
            return metrics if metrics.sum("wiregauge_tcp_connections_closed_total") == 2 * connections else None
        return wait_until(closed, f"{connections} connections are closed")


def told(metrics, role, service=None):
    """(operation, table, error) -> calls."""
    counts = collections.Counter()
    for labels, value in metrics.matching(f"db_{role}_operation_duration_seconds_count", db_system_name="mysql",
                                          service_name=service or SERVICES[role]):
        error = labels.get("error_type", "")
        assert labels.get("db_response_status_code", "_OTHER" if error == "_OTHER" else "") == error, labels
        counts[labels["db_operation_name"], labels.get("db_collection_name", ""), error] += int(value)
    return counts


def expected_counts(done):
    """The same, from what mysql_calls says it did."""
    counts = collections.Counter()
    for call in done["calls"]:
        counts[call["operation"], call["table"], call["error"]] += call["count"]
    return counts


def sums(metrics, role, operation=None):
    labels = {"db_operation_name": operation} if operation else {}
    return metrics.sum(f"db_{role}_operation_duration_seconds_sum", db_system_name="mysql", **labels)


class Checks(unittest.TestCase):
    maxDiff = None

    def check_nothing_lost(self, metrics, services=("mariadbd",)):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        unparsed = {str(labels): value for labels, value in metrics.matching("wiregauge_unparsed_bytes_total") if value}
        self.assertEqual(unparsed, {})
        for service in services:
            self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name=service), 1)

    def check_calls(self, metrics, done, client=None):
        expected = expected_counts(done)
        for role, service in (("server", None), ("client", client)):
            self.assertEqual(sorted(told(metrics, role, service).items()), sorted(expected.items()), role)
        return expected


class Calls(Checks):
    def test_of_the_c_library(self):
        """Errors, several results, prepared statements, cursors, long data, files, pipelining, other users."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            before = SERVER.mariadb.status()
            done = scene.calls("--rounds", "20")
            after = SERVER.mariadb.status()
            metrics = scene.metrics_after(40)
            expected = self.check_calls(metrics, done)
            self.assertEqual(len(expected), 27)
            self.check_nothing_lost(metrics, SERVICES.values())
            # The server's own account. It counts a statement of several as several, and one in a procedure too.
            of_several = 2 * 20 + 20 + 3 * 20
            for operation, counters in COUNTERS.items():
                counted = sum(after[f"Com_{name}"] - before[f"Com_{name}"] for name in counters)
                operations = sum(count for (name, _, _), count in expected.items() if name == operation)
                self.assertEqual(counted, operations + (of_several if operation == "SELECT" else 0), operation)
            prepares = sum(count for (name, _, _), count in expected.items() if name == "PREPARE")
            self.assertEqual(after["Com_stmt_prepare"] - before["Com_stmt_prepare"], prepares)
            # The library times each call; the tap sees a little less at the client, and less again at the server.
            self.assertLess(sums(metrics, "client"), done["elapsed_seconds"])
            self.assertLess(sums(metrics, "server"), sums(metrics, "client"))

    def test_large_answers_and_statements(self):
        """More than the kernel captures of one burst: rows, a result that ends with an error, statements of one and of
        several packets."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            done = scene.calls("--rounds", "2", "--large-rows", "300000", "--large-insert-bytes", "40000000")
            metrics = scene.metrics_after(4)
            expected = expected_counts(done)
            for role in SERVICES:
                counts = told(metrics, role)
                # The number of an error behind that many rows may be where segments are not captured.
                counts["CALL", "", "1644"] += counts.pop(("CALL", "", "_OTHER"), 0)
                self.assertEqual(sorted(counts.items()), sorted(expected.items()), role)
            self.assertEqual(metrics.sum("wiregauge_events_lost_total"), 0)
            # Only the end that was not seen of the rows before the error.
            unparsed = metrics.sum("wiregauge_unparsed_bytes_total")
            self.assertEqual(unparsed, metrics.sum("wiregauge_unparsed_bytes_total", reason="gap"))
            self.assertLessEqual(unparsed, metrics.sum("wiregauge_tcp_sent_bytes_total", service_name="mariadbd"))

    def test_long_values(self):
        """Parts of a long value are commands without an answer, whose beginnings are not captured, nor is perhaps the
        command behind them: what is told and what is said to be lost is what was done."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            done = scene.calls("--rounds", "5", "--long-data-bytes", "100000")
            metrics = scene.metrics_after(10)
            expected = expected_counts(done)
            inserts = 2 * expected.pop(("INSERT", "texts", ""))
            told_inserts = 0
            for role in SERVICES:
                counts = told(metrics, role)
                told_inserts += counts.pop(("INSERT", "texts", ""), 0)
                self.assertEqual(sorted(counts.items()), sorted(expected.items()), role)
            lost = metrics.sum("wiregauge_events_lost_total")
            self.assertEqual(lost, metrics.sum("wiregauge_events_lost_total", reason="unmatched"))
            self.assertEqual(told_inserts + lost, inserts)

    def test_durations(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.run("mariadb", "--no-defaults", *scene.tls("--ssl"), "-h", SERVER.pair.a.address, "-utester",
                      "-psecret", "-e", "DO SLEEP(0.2); " * 5)
            metrics = scene.metrics_after(1)
            for role in ("server", "client"):
                self.assertGreaterEqual(sums(metrics, role, "DO"), 1.0)
                self.assertLess(sums(metrics, role, "DO"), 1.2)
                self.assertEqual(metrics.sum(f"db_{role}_operation_duration_seconds_count", db_operation_name="DO"), 5)


class OlderThanTheTap(Checks):
    def test_a_connection_older_than_the_tap(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, observe=False)
            raw = scene.start_raw("--rounds", "5", "--pause")
            self.assertEqual(raw.stdout.readline(), "paused\n")
            scene.observe()
            done = json.loads(raw.communicate("go on\n")[0])
            metrics = wait_until(lambda: self._when_told(scene, sum(call["count"] for call in done["calls"])),
                                 "all calls are told")
            self.check_calls(metrics, done, client=RAW)
            self.check_nothing_lost(metrics, ())

    @staticmethod
    def _when_told(scene, calls):
        metrics = scene.metrics()
        told_calls = metrics.sum("db_server_operation_duration_seconds_count")
        return metrics if told_calls >= calls else None


class Raw(Checks):
    def test_new_form_of_eof_and_commands_at_once(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            raw = scene.start_raw("--rounds", "20")
            done = json.loads(raw.communicate()[0])
            metrics = scene.metrics_after(1)
            self.check_calls(metrics, done, client=RAW)
            self.check_nothing_lost(metrics, ("mariadbd", RAW))


class Load(Checks):
    STATEMENTS = ["SELECT word FROM words WHERE id = 3", "SELECT w.word, v.id FROM words w, words v",
                  "INSERT INTO texts VALUES ('text')", "UPDATE words SET word = 'changed' WHERE id = 4",
                  "SELECT * FROM missing_not WHERE 0"]

    def run_slap(self, connections, queries):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            SERVER.mariadb.query("CREATE TABLE IF NOT EXISTS test.missing_not (a int)")
            before = SERVER.mariadb.status()
            scene.run("mysqlslap", "--no-defaults", *scene.tls("--ssl"), "-h", SERVER.pair.a.address, "-utester",
                      "-psecret", "--create-schema=test", "--no-drop", f"--concurrency={connections}",
                      f"--number-of-queries={queries}", "--delimiter=;", f"--query={';'.join(self.STATEMENTS)}")
            after = SERVER.mariadb.status()
            metrics = scene.metrics_after(after["Connections"] - before["Connections"] - 1)
            self.check_nothing_lost(metrics, ("mariadbd", "mysqlslap"))
            each = queries // len(self.STATEMENTS)
            for role, service in (("server", "mariadbd"), ("client", "mysqlslap")):
                counts = told(metrics, role, service)
                for operation, table in (("SELECT", "words"), ("SELECT", "missing_not"), ("INSERT", "texts"),
                                         ("UPDATE", "words")):
                    expected = 2 * each if (operation, table) == ("SELECT", "words") else each
                    self.assertEqual(counts.pop((operation, table, "")), expected, (role, operation, table))
                # What is left is mysqlslap's own: the server's counters know it, and all of the above.
                others = sum(count for (operation, _, _), count in counts.items() if operation != "CONNECT")
                questions = after["Questions"] - before["Questions"] - 2  # status() asks, and quits
                quits = counts["CONNECT", "", ""]
                self.assertEqual(queries + others + quits, questions)
                self.assertEqual(quits, after["Connections"] - before["Connections"] - 1)
                self.assertEqual(counts[("_OTHER", "", "")], 0)

    def test_one_connection(self):
        self.run_slap(1, 5_000)

    def test_16_connections(self):
        self.run_slap(16, 20_000)


class NotRead(Checks):
    def test_compressed(self):
        """The login is told, what follows is counted as bytes that are not understood."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.run("mariadb", "--no-defaults", "--compress", "-h", SERVER.pair.a.address, "-utester", "-psecret", "-e",
                      "SELECT * FROM test.words; " * 20)
            metrics = scene.metrics_after(1)
            self.assertEqual(told(metrics, "server"), {("CONNECT", "", ""): 1})
            self.assertGreater(metrics.sum("wiregauge_unparsed_bytes_total", reason="compressed"), 300)
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"),
                             metrics.sum("wiregauge_unparsed_bytes_total", reason="compressed"))
            self.assertLess(metrics.value("wiregauge_capture_completeness_ratio", service_name="mariadbd"), 0.5)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
