#!/usr/bin/env python3
"""MQTT: mosquitto with clients that count what they send. What the exporter tells is what was sent, packet for packet,
at both ends, in versions 3.1, 3.1.1 and 5 and with every quality of service."""
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
from harness import Wiregauge, wait_until  # noqa: E402
from in_tls import PYTHON, Clear, tls_or_clear  # noqa: E402

PORT = 1883
FAMILIES = {"server": "messaging_server_operation_duration_seconds",
            "client": "messaging_client_operation_duration_seconds"}
CONFIG = """
user root
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwords
acl_file {folder}/acl
max_queued_messages 0
log_dest none
"""
TLS = """
certfile {}
keyfile {}
"""
ACL = """
user writer
topic readwrite #
user reader
topic read #
"""
# Who may read but not write is "reader".
USERS = {"writer": "secret", "reader": "secret"}


def start_mosquitto(folder, namespace, cgroup, tls=Clear):
    """The broker, which listens when this returns."""
    with open(f"{folder}/passwords", "w") as passwords:
        passwords.writelines(f"{user}:{password}\n" for user, password in USERS.items())
    subprocess.run(["mosquitto_passwd", "-U", f"{folder}/passwords"], check=True)
    config = CONFIG.format(port=PORT, folder=folder) + (TLS.format(*tls.key_pair) if tls.key_pair else "")
    for name, text in (("acl", ACL), ("config", config)):
        with open(f"{folder}/{name}", "w") as file:
            file.write(text)
        os.chmod(f"{folder}/{name}", 0o600)
    return namespace.start_server([*tls.environment, "mosquitto", "-c", f"{folder}/config"], cgroup, PORT)


def run_script(namespace, cgroup, script, *arguments, tls=Clear):
    """What it prints."""
    command = [*tls.environment, PYTHON, os.path.join(HERE, script), *map(str, arguments)]
    return namespace.run(command, cgroup, timeout=60).stdout


def run_clients(namespace, cgroup, *arguments, tls=Clear):
    """Runs mqtt_client.py to its end and returns its account."""
    certificate = [f"--tls={tls.key_pair[0]}"] if tls.key_pair else []
    return json.loads(run_script(namespace, cgroup, "mqtt_client.py", *certificate, PORT, *arguments, tls=tls))


def operations(account):
    """What the packets that the clients sent and received are told as."""
    return {"connect": account["CONNECT"][0], "disconnect": account["DISCONNECT"][0],
            "subscribe": account.get("SUBSCRIBE", [0])[0], "ping": account.get("PINGREQ", [0])[0],
            "publish": account.get("PUBLISH", [0, 0])[0], "deliver": account.get("PUBLISH", [0, 0])[1]}


class Scene:
    """mosquitto and its clients in one namespace, wiregauge on their cgroup."""

    def __init__(self, stack, tls=False):
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        self.namespace = netns_pair.Namespace()
        stack.callback(self.namespace.close)
        self.cgroup = stack.enter_context(netns_pair.Cgroup())
        self.tls = tls_or_clear(tls, stack, folder, self.namespace, self.cgroup)
        self.wiregauge = stack.enter_context(Wiregauge(
            f"--exporter.cgroup={self.cgroup.path}", "--exporter.ring-bytes=67108864", *self.tls.arguments,
            exporter=True))
        broker = start_mosquitto(folder, self.namespace, self.cgroup, self.tls)
        stack.callback(broker.wait)
        stack.callback(broker.terminate)

    def clients(self, *arguments):
        return run_clients(self.namespace, self.cgroup, *arguments, tls=self.tls)

    def flood(self, messages):
        tls = ["--tls"] if self.tls.key_pair else []
        run_script(self.namespace, self.cgroup, "mqtt_flood.py", *tls, PORT, messages, tls=self.tls)

    def mosquitto(self, name, *arguments):
        """The command of one of mosquitto's own clients."""
        tls = ["--cafile", self.tls.key_pair[0]] if self.tls.key_pair else []
        return [*self.tls.environment, f"mosquitto_{name}", "-h", "127.0.0.1", "-p", str(PORT), *tls, *arguments]

    def metrics_when_closed(self):
        """The page when every connection has ended, so that what has no answer has been told too."""
        def closed():
            metrics = self.wiregauge.metrics()
            opened = metrics.sum("wiregauge_tcp_connections_opened_total")
            all_closed = opened and opened == metrics.sum("wiregauge_tcp_connections_closed_total")
            counted = metrics.value("wiregauge_capture_completeness_ratio", service_name="mosquitto") is not None
            return metrics if all_closed and counted else None
        return wait_until(closed, "all connections are closed")


def counts(metrics, role, label="messaging_operation_name", **labels):
    found = collections.Counter()
    for labels_found, value in metrics.matching(f"{FAMILIES[role]}_count", messaging_system="mqtt", **labels):
        found[labels_found.get(label)] += value
    return dict(found)


class Mqtt(unittest.TestCase):
    maxDiff = None
    TLS = False

    def check_exact(self, metrics, *accounts):
        """Every operation that the clients' packets make, once, at both ends."""
        expected = collections.Counter()
        for account in accounts:
            expected.update(operations(account))
        expected = {operation: count for operation, count in expected.items() if count}
        for role in FAMILIES:
            self.assertEqual(counts(metrics, role), expected, role)
        lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
        self.assertEqual(lost, {})
        self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total", service_name="mosquitto"), 0)
        self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name="mosquitto"), 1)
        # paho wakes its thread through a TCP connection to itself, one byte each time.
        unparsed = {labels["reason"] for labels, value in metrics.matching("wiregauge_unparsed_bytes_total") if value}
        self.assertLessEqual(unparsed, {"unknown_protocol"})

    def test_every_quality_of_service_in_every_version(self):
        for version in (3, 4, 5):
            with self.subTest(version=version), contextlib.ExitStack() as stack:
                scene = Scene(stack, tls=self.TLS)
                accounts = [scene.clients(version, qos, 1_000, f"sensors/{qos}/temperature") for qos in (0, 1, 2)]
                self.assertEqual([account["PUBLISH"] for account in accounts], [[1_000, 1_000]] * 3)
                metrics = scene.metrics_when_closed()
                self.check_exact(metrics, *accounts)
                for role in FAMILIES:
                    for operation in ("publish", "deliver"):
                        topics = counts(metrics, role, "messaging_destination_name", messaging_operation_name=operation)
                        self.assertEqual(topics, {f"sensors/{qos}/temperature": 1_000 for qos in (0, 1, 2)})
                    self.assertEqual(counts(metrics, role, "error_type").keys(), {None})
                # paho's clock runs longer: before it writes, and after it has read. QoS 0 ends when it is written.
                for qos, account in enumerate(accounts):
                    told = metrics.sum(f"{FAMILIES['client']}_sum", messaging_operation_name="publish",
                                       messaging_destination_name=f"sensors/{qos}/temperature")
                    self.assertLess(told, account["publish_seconds"])
                    if qos > 0:
                        self.assertGreater(told, 0.05 * account["publish_seconds"])

    def test_refused_connections(self):
        for version in (4, 5):
            with self.subTest(version=version), contextlib.ExitStack() as stack:
                scene = Scene(stack, tls=self.TLS)
                account = scene.clients(version, 0, 0, "a", "writer", "wrong")
                metrics = scene.metrics_when_closed()
                for role in FAMILIES:
                    self.assertEqual(counts(metrics, role, "error_type", messaging_operation_name="connect"),
                                     {"Not authorized": account["CONNECT"][0]})

    def test_a_publish_that_is_not_allowed(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            publish = scene.mosquitto("pub", "-u", "reader", "-P", "secret", "-V", "5", "-t", "secrets", "-m", "x")
            for qos in (1, 2):
                for _ in range(3):
                    scene.namespace.run([*publish, "-q", str(qos)], scene.cgroup, check=False, timeout=30)
            metrics = scene.metrics_when_closed()
            for role in FAMILIES:
                told = counts(metrics, role)
                told.pop("disconnect", None)  # the client does not always come to send it
                self.assertEqual(told, {"connect": 6, "publish": 6})
                self.assertEqual(counts(metrics, role, "error_type", messaging_operation_name="publish"),
                                 {"Not authorized": 6})

    def test_topic_alias(self):
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            account = scene.clients(5, 1, 100, "a/long/topic", "writer", "secret", "alias")
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, account)
            for role in FAMILIES:
                topics = counts(metrics, role, "messaging_destination_name", messaging_operation_name="publish")
                self.assertEqual(topics, {"a/long/topic": 100})

    def test_mosquittos_own_clients(self):
        """A large message too, most of which is not looked at."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            user = ["-u", "writer", "-P", "secret", "-V", "5", "-q", "1", "-t", "lines"]
            subscriber = scene.namespace.start(scene.mosquitto("sub", *user, "-C", "21", "-F", "%l"), scene.cgroup,
                                               stdout=subprocess.PIPE, text=True)
            wait_until(lambda: scene.wiregauge.metrics().sum(f"{FAMILIES['server']}_count",
                                                             messaging_operation_name="subscribe"), "it is subscribed")
            publisher = scene.namespace.start(scene.mosquitto("pub", *user, "-l"), scene.cgroup, stdin=subprocess.PIPE)
            publisher.communicate(b"".join(b"line %d\n" % i for i in range(20)), timeout=30)
            big = scene.namespace.start(scene.mosquitto("pub", *user, "-s"), scene.cgroup, stdin=subprocess.PIPE)
            big.communicate(b"x" * 3_000_000, timeout=30)
            self.assertEqual((publisher.returncode, big.returncode), (0, 0))
            received = subscriber.communicate(timeout=30)[0].split()
            self.assertEqual(received[-1], "3000000")
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, {"CONNECT": [3], "DISCONNECT": [3], "SUBSCRIBE": [1], "PUBLISH": [21, 21]})

    def test_a_flood_that_is_never_answered(self):
        """Much more than a burst's limit, in one write."""
        with contextlib.ExitStack() as stack:
            scene = Scene(stack, tls=self.TLS)
            scene.flood(9_000)
            metrics = scene.metrics_when_closed()
            self.check_exact(metrics, {"CONNECT": [1], "DISCONNECT": [1], "PUBLISH": [9_000, 0]})


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
