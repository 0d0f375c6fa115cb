#!/usr/bin/env python3
"""Redis through a real redis-server: what is counted is what INFO commandstats says that the server did, command for
command and error for error, and what the clients sent."""
import collections
import contextlib
import multiprocessing
import os
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from redis_server import Client, Error, Push, Redis, later  # noqa: E402

PORT = 6379
SERVER = "db_server_operation_duration_seconds"
CLIENT = "db_client_operation_duration_seconds"


class Scene:
    """redis-server in namespace a, clients in namespace b, wiregauge on their cgroup."""

    def __init__(self, stack, redis_arguments=(), join_later=False):
        self.stack = stack
        self.folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.pair = stack.enter_context(netns_pair.NetnsPair())
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.wiregauge = None
        if not join_later:
            self.observe()
        self.redis = self.start_redis(PORT, *redis_arguments)
        self.address = self.pair.a.address

    def start_redis(self, port, *arguments, ready="PONG"):
        redis = Redis(self.folder, self.pair.a, self.cgroup, port, arguments, ready)
        self.stack.callback(redis.close)
        return redis

    def observe(self):
        self.wiregauge = self.stack.enter_context(Wiregauge(
            # redis-benchmark leaves it no time on a busy machine with few processors.
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", exporter=True))

    def metrics(self):
        return self.wiregauge.metrics()

    def benchmark(self, *arguments):
        self.pair.b.run(["redis-benchmark", "-h", self.address, "-p", str(PORT), "-q", *arguments], self.cgroup)

    def in_client(self, function, *arguments):
        """function(address, *arguments) in namespace b and the cgroup."""
        return self.pair.b.call(function, self.cgroup, self.address, *arguments)


def told(metrics, family, **labels):
    """(command, code) -> calls, of which error_type says the same as the code."""
    counts = collections.Counter()
    for found, value in metrics.matching(f"{family}_count", db_system_name="redis", **labels):
        code = found.get("db_response_status_code", "")
        assert found.get("error_type", "") == code or not code, found
        counts[found["db_operation_name"], found.get("error_type", "")] += int(value)
    return counts


def by_error(counts):
    errors = collections.Counter()
    for (_, error), count in counts.items():
        if error:
            errors[error] += count
    return dict(errors)


class Checks(unittest.TestCase):
    maxDiff = None

    def check_told(self, scene, expected):
        """Waits until both ends are told as expected, (command, error_type) -> count; returns the metrics."""
        expected = {key: count for key, count in expected.items() if count}
        latest = None

        def as_expected():
            nonlocal latest
            latest = scene.metrics()
            return latest if told(latest, SERVER) == expected == told(latest, CLIENT) else None
        try:
            wait_until(as_expected, "both ends are told as expected", deadline_s=15)
        except AssertionError:
            self.check_nothing_lost(latest)  # why, perhaps
            self.assertEqual(told(latest, SERVER), expected)
            self.assertEqual(told(latest, CLIENT), expected)
            raise
        return latest

    def check_nothing_lost(self, metrics):
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)
        for labels, value in metrics.matching("wiregauge_capture_completeness_ratio"):
            self.assertEqual(value, 1, labels)


class Benchmark(Checks):
    def run_benchmark(self, pipeline, requests, connections):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.redis.cli("CONFIG", "RESETSTAT")
            tests = "set,get,incr,lpush,rpop,sadd,hset,zadd,mset"
            scene.benchmark("-P", str(pipeline), "-n", str(requests), "-c", str(connections), "-t", tests)
            stats = scene.redis.command_stats()
            for command in tests.upper().split(","):
                self.assertEqual(stats[command], (requests, 0))
            expected = {(command, ""): calls for command, (calls, _) in stats.items() if command != "INFO"}
            expected["CONFIG", ""] -= 1  # the reset itself, which counts after it has been done
            self.check_nothing_lost(self.check_told(scene, expected))

    def test_one_at_a_time(self):
        self.run_benchmark(1, 2_000, 10)

    def test_16_in_a_pipeline(self):
        self.run_benchmark(16, 16_000, 10)

    def test_64_in_a_pipeline(self):
        self.run_benchmark(64, 12_800, 10)


def every_error(address):
    client = Client(address)
    got = collections.Counter()

    def call(*arguments):
        answer = client.call(*arguments)
        got[arguments[0].upper(), answer.split()[0] if isinstance(answer, Error) else ""] += 1
        return answer

    call("SET", "string", "1")
    call("LPUSH", "string", "x")                      # WRONGTYPE
    call("INCR", "string", "x")                       # ERR wrong number of arguments
    call("EVALSHA", "0" * 40, "0")                    # NOSCRIPT
    call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
    call("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")  # BUSYGROUP
    call("XREADGROUP", "GROUP", "none", "c", "STREAMS", "s", ">")  # NOGROUP
    call("CONFIG", "SET", "maxmemory", "1")
    call("SET", "more", "x" * 1000)                   # OOM
    call("CONFIG", "SET", "maxmemory", "0")
    call("CONFIG", "SET", "min-replicas-to-write", "1")
    call("SET", "more", "x")                          # NOREPLICAS
    call("CONFIG", "SET", "min-replicas-to-write", "0")
    call("HELLO", "9")                                # NOPROTO
    call("ACL", "SETUSER", "limited", "on", ">secret", "+ping", "+auth")
    call("AUTH", "limited", "wrong")                  # WRONGPASS
    call("AUTH", "limited", "secret")
    call("GET", "string")                             # NOPERM
    call("EVAL", "return redis.error_reply('MYERR made up')", "0")  # NOPERM
    call("RESET")
    call("GET", "string")
    call("EVAL", "return redis.error_reply('MYERR made up')", "0")
    call("HELLO", "3")
    call("LPUSH", "string", "x")
    call("HGETALL", "none")
    call("MULTI")
    call("INCR", "string")
    call("LPUSH", "string", "x")
    call("EXEC")
    call("MULTI")
    call("nonsense")
    call("EXEC")                                      # EXECABORT
    client.close()
    return dict(got)


class Errors(Checks):
    def test_each_by_its_word(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            got = scene.in_client(every_error)
            expected = collections.Counter()
            for (command, error), count in got.items():
                command = "_OTHER" if command == "NONSENSE" else command
                expected[command, "_OTHER" if error == "MYERR" else error] += count
            # The client sees an array; the error in it is told of EXEC.
            expected["EXEC", ""] -= 1
            expected["EXEC", "WRONGTYPE"] += 1
            expected += collections.Counter()
            metrics = self.check_told(scene, expected)
            errors = by_error(expected)
            for word in ("WRONGTYPE", "ERR", "NOSCRIPT", "BUSYGROUP", "NOGROUP", "OOM", "NOREPLICAS", "NOPROTO",
                         "WRONGPASS", "NOPERM", "EXECABORT"):
                self.assertIn(word, errors)
            # The server's own account, which knows made-up words too.
            stats = scene.redis.error_stats()
            stats["_OTHER"] = stats.pop("MYERR")
            self.assertEqual(errors, stats)
            self.check_nothing_lost(metrics)

    def test_of_a_cluster(self):
        with contextlib.ExitStack() as stack:
            cluster = ["--cluster-enabled", "yes", "--cluster-config-file"]
            scene = Scene(stack, [*cluster, "one.conf"])
            other = scene.start_redis(PORT + 1, *cluster, "two.conf")
            scene.redis.cli("CLUSTER", "ADDSLOTSRANGE", "0", "10000")
            other.cli("CLUSTER", "ADDSLOTSRANGE", "10001", "16000")
            for redis in (scene.redis, other):
                redis.cli("CONFIG", "SET", "cluster-require-full-coverage", "no")
            scene.redis.cli("CLUSTER", "MEET", scene.address, str(PORT + 1))
            wait_until(lambda: "cluster_slots_assigned:16001" in scene.redis.cli("CLUSTER", "INFO") and
                       "cluster_state:ok" in scene.redis.cli("CLUSTER", "INFO"), "the cluster is up")
            keys = {}
            for number in range(500):
                slot = int(scene.redis.cli("CLUSTER", "KEYSLOT", f"key{number}"))
                keys.setdefault("here" if slot <= 10000 else "there" if slot <= 16000 else "nowhere", []).append(number)
                if all(len(keys.get(where, ())) > 1 for where in ("here", "there", "nowhere")):
                    break
            words = scene.in_client(cluster_errors, {where: f"key{numbers[0]}" for where, numbers in keys.items()},
                                    [f"key{number}" for number in keys["here"][:2]])
            scene.redis.cli("CONFIG", "SET", "requirepass", "secret")
            words += scene.in_client(noauth_errors)
            self.assertEqual(set(words), {"NOAUTH", "CLUSTERDOWN", "CROSSSLOT", "MOVED"})
            expected = collections.Counter(words)
            metrics = wait_until(lambda: self._when_errors(scene, len(words)), "all errors are told")
            self.assertEqual(by_error(told(metrics, SERVER)), expected)
            self.assertEqual(by_error(told(metrics, CLIENT)), expected)

    @staticmethod
    def _when_errors(scene, count):
        metrics = scene.metrics()
        return metrics if sum(by_error(told(metrics, CLIENT)).values()) >= count else None

    def test_while_loading(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.redis.cli("MSET", *(part for number in range(100) for part in (f"key{number}", os.urandom(500).hex())))
            scene.redis.cli("SAVE")
            scene.redis.close()
            scene.start_redis(PORT, "--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024",
                              ready="LOADING")
            answers = scene.in_client(while_loading)
            self.check_told(scene, {("GET", "LOADING"): answers["LOADING"], ("GET", ""): answers[""]})
            self.assertGreater(answers["LOADING"], 0)


def while_loading(address):
    client, answers = Client(address), collections.Counter()
    while not answers[""]:
        answer = client.call("GET", "key1")
        answers["LOADING" if isinstance(answer, Error) and answer.startswith("LOADING") else ""] += 1
        time.sleep(0.01)
    client.close()
    return answers


def cluster_errors(address, keys, two_here):
    client = Client(address)
    words = [client.call(*command).split()[0]
             for command in (("GET", keys["there"]), ("SET", keys["there"], 1), ("GET", keys["nowhere"]),
                             ("MGET", *two_here), ("MGET", *two_here), ("MGET", *two_here))]
    client.close()
    return words


def noauth_errors(address):
    client = Client(address)
    words = [client.call("GET", "foo").split()[0] for _ in range(3)]
    client.close()
    return words


def modes(address):
    """Everything that has several answers, none, or some that nobody asked for. Returns command -> count."""
    sent = collections.Counter()
    subscriber, publisher, tracker = Client(address), Client(address), Client(address)

    def call(client, *arguments, answers=1):
        sent[arguments[0]] += 1
        client.send(client.encode(*arguments))
        return [client.read() for _ in range(answers)]

    call(subscriber, "SUBSCRIBE", "a", "b", "c", answers=3)
    call(subscriber, "PSUBSCRIBE", "p*", answers=1)
    for i in range(50):
        call(publisher, "PUBLISH", "a" if i % 2 else "pattern", "hello")
        assert subscriber.read()[0] in (b"message", b"pmessage")
    call(subscriber, "PING")
    call(subscriber, "UNSUBSCRIBE", answers=3)
    call(subscriber, "PUNSUBSCRIBE", "p*")
    call(subscriber, "GET", "a")

    call(tracker, "HELLO", 3)
    call(tracker, "CLIENT", "TRACKING", "ON")
    for i in range(20):
        call(tracker, "GET", "tracked")
        call(publisher, "SET", "tracked", i)
        assert isinstance(tracker.read(), Push)
    call(tracker, "SUBSCRIBE", "x", "y", answers=2)
    call(publisher, "PUBLISH", "x", "hello")
    assert isinstance(tracker.read(), Push)
    call(tracker, "GET", "tracked")

    call(publisher, "CLIENT", "REPLY", "SKIP", answers=0)
    call(publisher, "SET", "quiet", 1, answers=0)
    call(publisher, "CLIENT", "REPLY", "OFF", answers=0)
    for i in range(30):
        call(publisher, "INCR", "quiet", answers=0)
    call(publisher, "CLIENT", "REPLY", "ON")
    call(publisher, "GET", "quiet")
    monitor = Client(address)
    call(monitor, "MONITOR")
    for i in range(10):
        call(publisher, "SET", "watched", i)
        assert monitor.read().startswith(b"1")
    publisher.send(b"PING\r\nset inline 'a b'\r\nget inline\r\n")
    assert [publisher.read() for _ in range(3)] == [b"PONG", b"OK", b"a b"]
    sent.update(["PING", "SET", "GET"])
    for client in (subscriber, publisher, tracker, monitor):
        client.close()
    return dict(sent)


class Modes(Checks):
    def test_several_answers_and_none(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            sent = scene.in_client(modes)
            metrics = self.check_told(scene, {(command, ""): count for command, count in sent.items()})
            stats = {name: calls for name, (calls, _) in scene.redis.command_stats().items() if name in sent}
            stats["PING"] = sent["PING"]  # others asked over the UNIX socket
            self.assertEqual(stats, sent)
            self.check_nothing_lost(metrics)

    def test_redis_cli_in_resp3(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            for command in (["SET", "a", "1"], ["HSET", "h", "f", "1", "g", "2"], ["HGETALL", "h"], ["COMMAND", "DOCS", "GET", "SET"],
                            ["ZADD", "z", "1.5", "m"], ["ZSCORE", "z", "m"], ["SMEMBERS", "none"], ["INFO"]):
                scene.pair.b.run(["redis-cli", "-3", "-h", scene.address, *command], scene.cgroup)
            counts = dict.fromkeys(("SET", "HSET", "HGETALL", "ZADD", "ZSCORE", "SMEMBERS", "INFO", "COMMAND"), 1)
            counts["HELLO"] = sum(counts.values())
            metrics = self.check_told(scene, {(command, ""): count for command, count in counts.items()})
            self.check_nothing_lost(metrics)


def large_values(address):
    client = Client(address)
    value = os.urandom(1_000_000)
    for i in range(10):
        assert client.call("SET", f"large{i}", value) == b"OK"
        assert client.call("GET", f"large{i}") == value
        assert client.call("PING") == b"PONG"
    client.call("RPUSH", "list", *[b"value"] * 50_000)
    for _ in range(3):
        assert len(client.call("LRANGE", "list", 0, -1)) == 50_000
        client.call("PING")
    client.close()
    return {"SET": 10, "GET": 10, "PING": 13, "RPUSH": 1, "LRANGE": 3}


def timed(address, commands):
    """(sum of the client's own durations by command, count)."""
    client, blocked = Client(address), Client(address)
    sums = collections.Counter()
    for _ in range(commands):
        for command in (("SET", "k", "v"), ("GET", "k")):
            begin = time.monotonic()
            client.call(*command)
            sums[command[0]] += time.monotonic() - begin
    later(0.4, lambda: client.call("LPUSH", "queue", "job"))
    begin = time.monotonic()
    assert blocked.call("BLPOP", "queue", 5) == [b"queue", b"job"]
    sums["BLPOP"] = time.monotonic() - begin
    begin = time.monotonic()
    assert blocked.call("BLPOP", "queue", 0.3) is None
    sums["BLPOP"] += time.monotonic() - begin
    client.send(b"".join(client.encode("DEBUG", "SLEEP", 0.2) for _ in range(3)))
    for _ in range(3):
        assert client.read() == b"OK"
    client.close()
    blocked.close()
    return dict(sums)


class Durations(Checks):
    def test_are_the_clients_own(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, ["--enable-debug-command", "yes"])
            sums = scene.in_client(timed, 1_000)
            metrics = self.check_told(scene, {("SET", ""): 1000, ("GET", ""): 1000, ("BLPOP", ""): 2, ("LPUSH", ""): 1,
                                              ("DEBUG", ""): 3})
            for command in ("SET", "GET", "BLPOP"):
                server = metrics.sum(f"{SERVER}_sum", db_operation_name=command)
                client = metrics.sum(f"{CLIENT}_sum", db_operation_name=command)
                self.assertGreater(server, 0)
                self.assertLess(server, client)
                self.assertLess(client, sums[command])
            self.assertAlmostEqual(metrics.sum(f"{CLIENT}_sum", db_operation_name="BLPOP"), sums["BLPOP"], delta=0.05)
            # 0.6 s each: Redis sends the answers to a pipeline when it has done all of it.
            for family in (SERVER, CLIENT):
                self.assertAlmostEqual(metrics.sum(f"{family}_sum", db_operation_name="DEBUG"), 1.8, delta=0.1)
                self.assertEqual(metrics.sum(f"{family}_count", db_operation_name="DEBUG"), 3)
            # What the server says it worked is less than what it took.
            usec = next(int(line.split("usec=")[1].split(",")[0]) for line in
                        scene.redis.cli("INFO", "commandstats").splitlines() if line.startswith("cmdstat_get:"))
            self.assertGreater(metrics.sum(f"{SERVER}_sum", db_operation_name="GET"), usec / 1e6)
            self.check_nothing_lost(metrics)

    def test_large_values(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            sent = scene.in_client(large_values)
            self.check_told(scene, {(command, ""): count for command, count in sent.items()})


def join_in_the_middle(address, begin, go_on, done):
    clients = [Client(address) for _ in range(5)]
    for client in clients:
        client.call("SET", "before", 1)
    begin.set()
    go_on.wait(60)
    for _ in range(100):
        for client in clients:
            client.send(client.encode("GET", "before") + client.encode("INCR", "n"))
        for client in clients:
            client.read()
            client.read()
    for client in clients:
        client.close()
    done.set()


class MidStream(Checks):
    def test_counts_and_declared_loss_are_the_truth(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, join_later=True)
            begin, go_on, done = (multiprocessing.Event() for _ in range(3))

            def run():
                scene.cgroup.join()
                scene.pair.b.enter()
                join_in_the_middle(scene.address, begin, go_on, done)

            process = multiprocessing.Process(target=run)
            process.start()
            self.assertTrue(begin.wait(30))
            scene.observe()
            go_on.set()
            self.assertTrue(done.wait(60))
            process.join()
            metrics = self.check_told(scene, {("GET", ""): 495, ("INCR", ""): 495})
            self.assertEqual(metrics.sum("wiregauge_events_lost_total", reason="unpaired"), 2 * 5 * 2)
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
