#!/usr/bin/env python3
"""Kafka: librdkafka's mock cluster and a client that counts what it sends. What the exporter tells is what was sent,
API by API, at both ends, and every error code that the cluster was made to answer is found in its answer."""
import collections
import contextlib
import json
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402

TOOLS = os.environ.get("WIREGAUGE_TOOLS", "")
# The protocol guide's numbers.
APIS = {0: "Produce", 1: "Fetch", 2: "ListOffsets", 3: "Metadata", 8: "OffsetCommit", 9: "OffsetFetch",
        10: "FindCoordinator", 11: "JoinGroup", 12: "Heartbeat", 13: "LeaveGroup", 14: "SyncGroup", 18: "ApiVersions",
        22: "InitProducerId", 24: "AddPartitionsToTxn", 25: "AddOffsetsToTxn", 26: "EndTxn", 28: "TxnOffsetCommit"}
FAMILIES = {"server": "messaging_server_operation_duration_seconds",
            "client": "messaging_client_operation_duration_seconds"}
SERVICES = {"server": "kafka_mock", "client": "kafka_load"}


class Scene:
    """The mock cluster and its clients in one namespace, wiregauge on their cgroup."""

    def __init__(self, stack, brokers=1):
        self.namespace = netns_pair.Namespace()
        stack.callback(self.namespace.close)
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={self.cgroup.path}", exporter=True))
        self.mock = self.namespace.start([f"{TOOLS}/kafka_mock", str(brokers)], self.cgroup, stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        stack.callback(self._end_mock)
        self.servers = self.mock.stdout.readline().strip()
        assert self.servers, "the mock cluster did not start"

    def _end_mock(self):
        self.mock.communicate(timeout=30)

    def tell(self, line):
        self.mock.stdin.write(line + "\n")
        self.mock.stdin.flush()
        answer = self.mock.stdout.readline().strip()
        assert answer == "done", f"{line}: {answer}"

    def load(self, what, topic, messages, *settings, error_text=None):
        """Runs a client to its end and returns its account, with the APIs by name."""
        arguments = [part for setting in settings for part in ("-X", setting)]
        done = self.namespace.run([f"{TOOLS}/kafka_load", self.servers, what, topic, str(messages), *arguments],
                                  self.cgroup, timeout=60)
        account = json.loads(done.stdout)
        for by_api in ("sent", "answered", "rtt_us"):
            account[by_api] = {APIS[int(key)]: value for key, value in account[by_api].items()}
        return account

    def metrics_when_closed(self):
        """The page when every connection has ended, so that the requests without an answer have been told too."""
        def closed():
            metrics = self.wiregauge.metrics()
            opened = metrics.sum("wiregauge_tcp_connections_opened_total")
            counted = all(metrics.value("wiregauge_capture_completeness_ratio", service_name=service) is not None
                          for service in SERVICES.values())
            all_closed = opened and opened == metrics.sum("wiregauge_tcp_connections_closed_total")
            return metrics if all_closed and counted else None
        return wait_until(closed, "all connections are closed")


def counts(metrics, role, label, **labels):
    """Requests told at that end, by a label's value."""
    found = collections.Counter()
    for labels_found, value in metrics.matching(f"{FAMILIES[role]}_count", service_name=SERVICES[role],
                                                messaging_system="kafka", **labels):
        found[labels_found.get(label)] += value
    return dict(found)


class Kafka(unittest.TestCase):
    maxDiff = None

    def check_exact(self, metrics, *accounts, expected_loss=None):
        """Every request that the clients sent, once, at both ends; those without an answer are errors."""
        sent = collections.Counter()
        answered = collections.Counter()
        for account in accounts:
            sent.update(account["sent"])
            answered.update(account["answered"])
        lost = {labels["reason"]: value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, expected_loss or {})
        self.assertEqual({str(labels): value for labels, value in metrics.matching("wiregauge_unparsed_bytes_total")
                          if value}, {})
        for service in SERVICES.values():
            self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name=service), 1)
        for role in FAMILIES:
            self.assertEqual(counts(metrics, role, "messaging_operation_name"), dict(sent), role)
            ended = collections.Counter()
            for why in ("connection_closed", "reset"):
                ended.update(counts(metrics, role, "messaging_operation_name", error_type=why))
            expected = {api: count - answered[api] for api, count in sent.items() if count != answered[api]}
            self.assertEqual({api: count for api, count in ended.items() if count}, expected, role)

    def test_produce(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, brokers=2)
            scene.tell("topic orders 4")
            account = scene.load("produce", "orders", 20_000, "batch.num.messages=10", "linger.ms=1")
            self.assertEqual((account["delivered"], account["failed"]), (20_000, {}))
            self.assertGreaterEqual(account["sent"]["Produce"], 2_000)
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, account)
            for role in FAMILIES:
                produce = {"messaging_operation_name": "Produce"}
                self.assertEqual(counts(metrics, role, "messaging_destination_name", **produce),
                                 {"orders": account["sent"]["Produce"]})
                self.assertEqual(counts(metrics, role, "error_type", **produce).keys(), {None})
            # The client's clock starts when a request is written and stops when its thread has read the answer.
            told = metrics.sum(f"{FAMILIES['client']}_sum", messaging_operation_name="Produce")
            own = account["rtt_us"]["Produce"] / 1e6
            self.assertLessEqual(told, own + 0.0002 * account["sent"]["Produce"])
            self.assertGreater(told, 0.2 * own)

    def test_produce_without_acks(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.tell("topic orders 4")
            account = scene.load("produce", "orders", 10_000, "batch.num.messages=10", "linger.ms=1", "acks=0")
            self.assertEqual(account["delivered"], 10_000)
            metrics = scene.metrics_when_closed()
            produced = account["sent"]["Produce"]
            self.assertGreaterEqual(produced, 1_000)
            account["answered"]["Produce"] = produced  # none has an answer to wait for, so none is missing
            # The mock cluster answers nevertheless, which no broker does: answers to nothing, at both ends; the client
            # may close before the last.
            unmatched = metrics.sum("wiregauge_events_lost_total", reason="unmatched")
            self.assertLessEqual(unmatched, 2 * produced)
            self.check_exact(metrics, account, expected_loss={"unmatched": unmatched})

    def test_consumer_group(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, brokers=2)
            scene.tell("topic orders 4")
            produced = scene.load("produce", "orders", 5_000)
            consumed = scene.load("consume", "orders", 5_000, "heartbeat.interval.ms=100", "fetch.wait.max.ms=50")
            self.assertEqual(consumed["consumed"], 5_000)
            for api in ("FindCoordinator", "JoinGroup", "SyncGroup", "Heartbeat", "OffsetFetch", "ListOffsets", "Fetch",
                        "OffsetCommit", "LeaveGroup"):
                self.assertIn(api, consumed["sent"])
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, produced, consumed)
            fetches = counts(metrics, "client", "messaging_destination_name", messaging_operation_name="Fetch")
            self.assertEqual(fetches, {"orders": consumed["sent"]["Fetch"]})
            told = metrics.sum(f"{FAMILIES['client']}_sum", messaging_operation_name="JoinGroup")
            own = consumed["rtt_us"]["JoinGroup"] / 1e6
            self.assertAlmostEqual(told, own, delta=0.05)  # the group waits three seconds for its members

    def test_large_batches(self):
        """Records go by in pieces that are not captured whole; what is in front of them and behind them is."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.tell("topic orders 1")
            produced = scene.load("produce", "orders", 40_000, "linger.ms=20")  # it keeps 5 MB
            consumed = scene.load("consume", "orders", 40_000)
            self.check_exact(scene.metrics_when_closed(), produced, consumed)

    def test_errors_inside_answers(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.tell("topic orders 1")
            scene.tell("errors 0 6 19 19 7")
            produced = scene.load("produce", "orders", 100, "batch.num.messages=1", "max.in.flight=1",
                                  "retry.backoff.ms=1")
            self.assertEqual((produced["delivered"], produced["failed"]), (100, {}))
            for line in ("errors 10 15", "errors 11 14", "errors 2 6", "errors 1 9 9", "errors 8 12"):
                scene.tell(line)
            consumed = scene.load("consume", "orders", 100, "heartbeat.interval.ms=50")
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, produced, consumed)
            expected = {"Produce": {"NOT_LEADER_OR_FOLLOWER": 1, "NOT_ENOUGH_REPLICAS": 2, "REQUEST_TIMED_OUT": 1},
                        "FindCoordinator": {"COORDINATOR_NOT_AVAILABLE": 1},
                        "JoinGroup": {"COORDINATOR_LOAD_IN_PROGRESS": 1},
                        "ListOffsets": {"NOT_LEADER_OR_FOLLOWER": 1},
                        "Fetch": {"REPLICA_NOT_AVAILABLE": 2},
                        "OffsetCommit": {"OFFSET_METADATA_TOO_LARGE": 1}}
            for role in FAMILIES:
                for api, errors in expected.items():
                    told = counts(metrics, role, "error_type", messaging_operation_name=api)
                    told = {error: count for error, count in told.items() if error not in (None, "connection_closed")}
                    self.assertEqual(told, errors, f"{api} at the {role}")

    def test_idempotent_producer(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.tell("topic orders 2")
            account = scene.load("produce", "orders", 1_000, "enable.idempotence=true", "batch.num.messages=10")
            self.assertIn("InitProducerId", account["sent"])
            self.check_exact(scene.metrics_when_closed(), account)

    def test_kcat(self):
        """Another client, whose own account is the messages that it moved."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack)
            scene.tell("topic orders 1")
            kcat = ["kcat", "-b", scene.servers, "-t", "orders"]
            sent = "".join(f"message {i}\n" for i in range(50))
            producer = scene.namespace.start([*kcat, "-P", "-X", "batch.num.messages=1"], scene.cgroup,
                                             stdin=subprocess.PIPE, text=True)
            producer.communicate(sent, timeout=30)
            self.assertEqual(producer.returncode, 0)
            got = scene.namespace.run([*kcat, "-C", "-o", "beginning", "-c", "50", "-q"], scene.cgroup)
            self.assertEqual(got.stdout, sent)

            def told():
                metrics = scene.wiregauge.metrics()
                ended = metrics.sum("wiregauge_tcp_connections_closed_total", service_name="kcat")
                return metrics if ended and not metrics.sum("wiregauge_tcp_connections_active") else None
            metrics = wait_until(told, "kcat's connections are closed")
            labels = {"service_name": "kcat", "messaging_operation_name": "Produce",
                      "messaging_destination_name": "orders"}
            self.assertEqual(metrics.sum(f"{FAMILIES['client']}_count", **labels), 50)
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
