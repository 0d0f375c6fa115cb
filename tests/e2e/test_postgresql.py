#!/usr/bin/env python3
"""PostgreSQL through a real server: what is counted is what pgbench says that it did and what pg_stat_statements says
that the server did, statement for statement, and each error by its SQLSTATE. Each test has a server, namespaces and a
cgroup of its own; nothing else is observed."""
import collections
import concurrent.futures
import contextlib
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
import postgres_server  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import tls_or_clear  # noqa: E402
from postgres_server import BIN, Cluster, Postgres, Pq  # noqa: E402

PORT = 5432
SERVER = "db_server_operation_duration_seconds"
CLIENT = "db_client_operation_duration_seconds"

cluster = None


def setUpModule():
    global cluster
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    cluster = Cluster(folder.name)


class Scene:
    """postgres in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, observed=True, tls=False):
        self.stack = stack
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        cluster.copy(self.folder)
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.tls = tls_or_clear(tls, stack, self.folder, self.pair.a, self.cgroup)
        self.wiregauge = None
        if observed:
            self.observe()
        self.postgres = Postgres(self.folder, PORT, self.pair.a, self.cgroup, self.tls.key_pair, self.tls.environment)
        stack.callback(self.postgres.close)
        self.postgres.ask("select pg_stat_statements_reset()")
        self.environment = dict(os.environ, PGHOST=self.pair.a.address, PGPORT=str(PORT), PGUSER="load",
                                PGDATABASE="postgres", PGCONNECT_TIMEOUT="20",
                                PGSSLMODE="require" if tls else "prefer")

    def observe(self):
        self.wiregauge = self.stack.enter_context(
            Wiregauge(f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", *self.tls.arguments,
                      exporter=True))

    def metrics(self):
        return self.wiregauge.metrics()

    def run(self, program, *arguments, **options):
        options.setdefault("env", self.environment)
        return self.pair.b.run([*self.tls.environment, f"{BIN}/{program}", *arguments], self.cgroup, **options)

    def psql(self, *statements, check=False, **options):
        """One connection; each statement is one Query. The last one's output."""
        arguments = [part for statement in statements for part in ("-c", statement)]
        return self.run("psql", "-X", "-q", "-A", "-t", *arguments, check=check, **options)

    def pgbench(self, *arguments, script=None):
        """pgbench's own account: (transactions, seconds of latency on average)."""
        if script:
            path = f"{self.folder}/script.sql"
            with open(path, "w") as file:
                file.write(script)
            arguments = ("-f", path, *arguments)
        said = self.run("pgbench", "-n", *arguments).stdout
        transactions = int(re.search(r"actually processed: (\d+)", said)[1])
        return transactions, float(re.search(r"latency average = ([\d.]+) ms", said)[1]) / 1e3

    def conninfo(self, **more):
        fields = {"host": self.pair.a.address, "port": PORT, "user": "load", "dbname": "postgres", **more}
        return " ".join(f"{key}={value}" for key, value in fields.items())

    def in_client(self, function):
        """function() in a process of namespace b and of the cgroup."""
        return self.pair.b.call(function, self.cgroup)


def told(metrics, family):
    """(operation, error_type) -> calls, where the status code is the same as the error, if it is a SQLSTATE."""
    counts = collections.Counter()
    for labels, value in metrics.matching(f"{family}_count", db_system_name="postgresql"):
        error = labels.get("error_type", "")
        code = labels.get("db_response_status_code", "")
        assert code == (error if re.fullmatch("[0-9A-Z]{5}", error) else ""), labels
        if value:
            counts[labels["db_operation_name"], error] += int(value)
    return counts


class Checks(unittest.TestCase):
    """What the cases below compare; no case of its own."""
    maxDiff = None
    TLS = False

    def check(self, scene, expected):
        """Client and server tell exactly this; nothing is lost, and every byte is understood. Returns the metrics."""
        expected = collections.Counter({key if isinstance(key, tuple) else (key, ""): n for key, n in expected.items()})
        with contextlib.suppress(AssertionError):
            wait_until(lambda: all(told(scene.metrics(), family) == expected for family in (SERVER, CLIENT)),
                       "all calls are told", deadline_s=10)
        metrics = scene.metrics()
        self.assertEqual(dict(told(metrics, SERVER)), dict(expected))
        self.assertEqual(dict(told(metrics, CLIENT)), dict(expected))
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        return metrics

    def check_bytes(self, metrics):
        self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)
        for labels, value in metrics.matching("wiregauge_capture_completeness_ratio"):
            self.assertEqual(value, 1, labels)


class Pgbench(Checks):
    CLIENTS = 4
    TRANSACTIONS = 250

    def run_mode(self, mode, each, script=None, before=0):
        """`each`: statements of a transaction by verb; `before`: SELECTs with which pgbench begins."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            n, _ = scene.pgbench("-M", mode, "-c", str(self.CLIENTS), "-j", "2", "-t", str(self.TRANSACTIONS),
                                 script=script)
            self.assertEqual(n, self.CLIENTS * self.TRANSACTIONS)
            done = {verb: n * count for verb, count in each.items()}
            done["SELECT"] += before
            expected = {"CONNECT": self.CLIENTS + 1, **done}
            if mode == "prepared":
                expected["PREPARE"] = self.CLIENTS * sum(each.values())
                # A plan that is kept is counted by its query id, which pg_stat_statements clears in that of BEGIN.
                done |= {verb: self.CLIENTS for verb in each if verb in ("BEGIN", "END")}
            self.assertEqual(scene.postgres.statements(), done)
            self.check_bytes(self.check(scene, expected))

    def run_tpcb(self, mode):
        self.run_mode(mode, {"BEGIN": 1, "UPDATE": 3, "SELECT": 1, "INSERT": 1, "END": 1}, before=2)

    def test_simple(self):
        self.run_tpcb("simple")

    def test_extended(self):
        self.run_tpcb("extended")

    def test_prepared(self):
        self.run_tpcb("prepared")

    PIPELINE = """\\set id random(1, 1000)
\\startpipeline
select abalance from pgbench_accounts where aid = :id;
update pgbench_accounts set abalance = abalance + 1 where aid = :id;
insert into pgbench_history (tid, bid, aid, delta, mtime) values (1, 1, :id, 1, now());
select 1;
delete from pgbench_history where aid = -1;
\\endpipeline
"""

    def run_pipeline(self, mode):
        self.run_mode(mode, {"SELECT": 2, "UPDATE": 1, "INSERT": 1, "DELETE": 1}, self.PIPELINE)

    def test_pipeline_extended(self):
        self.run_pipeline("extended")

    def test_pipeline_prepared(self):
        self.run_pipeline("prepared")

    def test_durations_are_pgbenchs(self):
        """The server sleeps 100 ms in each statement: what pgbench adds on top is small beside it."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            n, latency_s = scene.pgbench("-M", "prepared", "-c", "4", "-t", "6", script="select pg_sleep(0.1);\n")
            metrics = self.check(scene, {"CONNECT": 5, "PREPARE": 4, "SELECT": n})
            for family in (SERVER, CLIENT):
                # pgbench's first transaction of a connection includes its PREPARE.
                told_s = metrics.sum(f"{family}_sum", db_operation_name="SELECT")
                self.assertGreaterEqual(told_s, n * 0.1)
                self.assertLessEqual(told_s, n * latency_s)
                self.assertGreater(told_s, n * latency_s * 0.8)


class Psql(Checks):
    def test_errors_by_sqlstate(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            raising = "do $$ begin raise exception 'no' using errcode = '%s'; end $$"
            scene.psql("selec 1", "select * from missing", "select missing from items", "select 1/0",
                       "insert into items values (1, 'again')", "insert into items values (3, null)",
                       "select * from pg_authid", raising % "P0001", raising % "TS001", raising % "ZZ999",
                       "insert into children values (1)", "begin", "select 1/0", "select 1", "commit")
            self.assertEqual(scene.psql("select 1", env=dict(scene.environment, PGDATABASE="none")).returncode, 2)
            guarded = dict(scene.environment, PGUSER="guarded")
            self.assertEqual(scene.psql("select 1", env=dict(guarded, PGPASSWORD="wrong")).returncode, 2)
            self.assertEqual(scene.psql("select 1", env=dict(guarded, PGPASSWORD="secret")).stdout, "1\n")
            metrics = self.check(scene, {
                "CONNECT": 2, ("CONNECT", "3D000"): 1, ("CONNECT", "28P01"): 1, ("_OTHER", "42601"): 1,
                ("SELECT", "42P01"): 1, ("SELECT", "42703"): 1, ("SELECT", "22012"): 2, ("SELECT", "42501"): 1,
                ("SELECT", "25P02"): 1, "SELECT": 1, ("INSERT", "23505"): 1, ("INSERT", "23502"): 1,
                ("INSERT", "23503"): 1, ("DO", "P0001"): 1, ("DO", "TS001"): 1, ("DO", "ZZ999"): 1, "BEGIN": 1,
                "COMMIT": 1})
            self.check_bytes(metrics)

    def test_copy_large_results_and_several_statements(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            rows = "".join(f"{i}\tname {i}\n" for i in range(10, 60_010))
            scene.psql("copy items from stdin", input=rows, check=True, stdin=None)
            self.assertEqual(len(scene.psql("copy items to stdout", check=True).stdout.splitlines()), 60_002)
            scene.psql("copy items from stdin", input="x\ty\n", stdin=None)
            for _ in range(3):
                said = scene.psql("select i, 'row ' || i from generate_series(1, 100000) i", "select 1", check=True)
                self.assertEqual(len(said.stdout.splitlines()), 100_001)
            scene.psql("insert into items values (3, 'three'); update items set name = 'x' where id = 3; select 1; ;",
                       ";", "delete from items where id = 3; select 1/0", check=False)
            # What is captured of a long answer is the first 64 KiB, and 256 bytes of each segment after it.
            self.check_bytes(self.check(scene, {"CONNECT": 7, "COPY": 2, ("COPY", "22P02"): 1, "SELECT": 6, "INSERT": 1,
                                                "_OTHER": 1, ("DELETE", "22012"): 1}))


class Statements(Checks):
    def test_notifications_are_no_answers(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)

            def notify():
                listener, speaker = Pq(scene.conninfo()), Pq(scene.conninfo())
                listener.query("listen news")
                for i in range(200):
                    speaker.query(f"notify news, '{i}'")
                    listener.query("do $$ begin raise notice 'so'; end $$")
                listener.close()
                speaker.close()

            scene.in_client(notify)
            self.check_bytes(self.check(scene, {"CONNECT": 2, "LISTEN": 1, "NOTIFY": 200, "DO": 200}))

    def test_cancel(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)

            def cancel():
                import psycopg2
                connection = psycopg2.connect(scene.conninfo())
                connection.autocommit = True
                canceller = threading.Thread(target=self.cancel, args=(scene, connection))
                canceller.start()
                with contextlib.suppress(psycopg2.errors.QueryCanceled):
                    connection.cursor().execute("select pg_sleep(30)")
                    raise AssertionError("was not cancelled")
                canceller.join()
                connection.close()

            scene.in_client(cancel)
            self.check_bytes(self.check(scene, {"CONNECT": 1, ("SELECT", "57014"): 1, "CANCEL": 1}))

    @staticmethod
    def cancel(scene, connection):
        wait_until(lambda: scene.postgres.ask("select 1 from pg_stat_activity where query like 'select pg_sleep%' "
                                              "and wait_event = 'PgSleep'"), "the server sleeps")
        connection.cancel()

    def test_encryption_is_asked_for_and_refused(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            for mode, code in (("prefer", 0), ("disable", 0), ("allow", 0), ("require", 2)):
                done = scene.psql("select 1", env=dict(scene.environment, PGSSLMODE=mode))
                self.assertEqual(done.returncode, code, done.stderr)
            self.check_bytes(self.check(scene, {"CONNECT": 3, "SELECT": 3}))


class ExtendedProtocol(Checks):
    def test_a_pipeline_that_fails(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)

            def run():
                pq = Pq(scene.conninfo())
                ok, failed, aborted = Pq.TUPLES_OK, Pq.FATAL_ERROR, Pq.PIPELINE_ABORTED
                for _ in range(50):
                    answers = pq.pipeline(["select 1", "select 1/0", "select 2", "delete from items"], ["select 3"],
                                          ["insert into items values (1, 'again')", "select 4"])
                    assert answers == [[ok, failed, aborted, aborted], [ok], [failed, aborted]], answers
                pq.close()

            scene.in_client(run)
            self.check_bytes(self.check(scene, {
                "CONNECT": 1, "SELECT": 100, ("SELECT", "22012"): 50, ("SELECT", "pipeline_aborted"): 100,
                ("DELETE", "pipeline_aborted"): 50, ("INSERT", "23505"): 50}))
            self.assertEqual(scene.postgres.statements(), {"SELECT": 100})

    def test_a_batch_larger_than_the_burst(self):
        """A driver's batch: thousands of statements before one Sync. Once a client was seen not to wait for its answers
        all is captured; the kernel looks for that at each 64th segment."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            seen = multiprocessing.Event()

            def run():
                pq = Pq(scene.conninfo())
                assert pq.pipeline(["select 1", "select 2", "select 3"]) == [[Pq.TUPLES_OK] * 3]
                assert seen.wait(30)
                for size in [3] * 70 + [4_000] * 3:
                    answers = pq.pipeline(["select id from items where id = 1"] * size)
                    assert answers == [[Pq.TUPLES_OK] * size]
                pq.close()

            with concurrent.futures.ThreadPoolExecutor() as pool:
                client = pool.submit(scene.in_client, run)
                wait_until(lambda: all(told(scene.wiregauge.metrics(), family)["SELECT", ""] == 3
                                       for family in (SERVER, CLIENT)), "the first pipeline is told at both ends")
                seen.set()
                client.result()
            self.check_bytes(self.check(scene, {"CONNECT": 1, "SELECT": 3 + 210 + 12_000}))

    def test_prepare_describe_copy_and_a_commit_that_fails(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)

            def run():
                pq = Pq(scene.conninfo())
                assert pq.prepare("good", "select * from items") == Pq.COMMAND_OK
                assert pq.prepare("good", "delete from items") == Pq.FATAL_ERROR
                assert pq.prepare("bad", "select * from missing") == Pq.FATAL_ERROR
                assert pq.describe_prepared("good") == Pq.COMMAND_OK
                assert pq.describe_prepared("bad") == Pq.FATAL_ERROR
                assert pq.execute_prepared("good") == Pq.TUPLES_OK
                assert pq.execute_prepared("bad") == Pq.FATAL_ERROR
                assert pq.execute("copy items from stdin") == Pq.COPY_IN
                assert pq.copy_in(b"10\tten\n") == Pq.COMMAND_OK
                assert pq.execute("copy items from stdin") == Pq.COPY_IN
                assert pq.copy_in(b"x\tten\n") == Pq.FATAL_ERROR
                assert pq.execute("insert into children values (7)") == Pq.FATAL_ERROR
                assert pq.execute("select 1") == Pq.TUPLES_OK
                pq.close()

            scene.in_client(run)
            self.check_bytes(self.check(scene, {
                "CONNECT": 1, "PREPARE": 1, ("PREPARE", "42P05"): 1, ("PREPARE", "42P01"): 1, "DESCRIBE": 1,
                ("DESCRIBE", "26000"): 1, "SELECT": 2, ("_OTHER", "26000"): 1, "COPY": 1, ("COPY", "22P02"): 1,
                ("INSERT", "23503"): 1}))

    def test_connections_older_than_the_tap(self):
        """Prepared before anyone looked: the server's answers say what they were."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, observed=False)
            ready, go = os.pipe(), os.pipe()

            def run():
                pq = Pq(scene.conninfo())
                pq.prepare("read", "select * from items")
                pq.prepare("write", "update items set name = name")
                os.write(ready[1], b"r")
                os.read(go[0], 1)
                for _ in range(100):
                    assert pq.execute_prepared("read") == Pq.TUPLES_OK
                    assert pq.execute_prepared("write") == Pq.COMMAND_OK
                pq.close()

            client = threading.Thread(target=scene.in_client, args=(run,))
            client.start()
            os.read(ready[0], 1)
            scene.observe()
            os.write(go[1], b"g")
            client.join()
            self.check(scene, {"SELECT": 100, "UPDATE": 100})


if __name__ == "__main__":
    reason = netns_pair.cannot_run() or postgres_server.missing()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
