"""An MQTT publisher and a subscriber in one process (Debian's python3-paho-mqtt) that keep an account of every packet
that they send or receive, from paho's own log. Prints one line of JSON: {"PUBLISH": [sent, received], ...} over both,
and the seconds that publishing took, from the call to the last acknowledgement, as "publish_seconds".

    mqtt_client.py PORT VERSION QOS MESSAGES TOPIC [USER PASSWORD]    VERSION: 3, 4 (3.1.1) or 5
    mqtt_client.py PORT 5 QOS MESSAGES TOPIC USER PASSWORD alias      names the topic once, then by its alias
    mqtt_client.py --tls=CERTIFICATE ...                              speaks TLS with who has it
"""
import argparse
import collections
import json
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

DEADLINE_S = 30


class Client:
    def __init__(self, name, version, user, password, packets, certificate):
        self.client = mqtt.Client(name, protocol=version)
        if certificate:
            self.client.tls_set(certificate)
        self.client.username_pw_set(user, password)
        self.packets = packets
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        self.code = None
        self.received = 0
        self.acknowledged = {}
        self.client.on_log = self._on_log
        self.client.on_connect = self._on_connect
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        self.client.on_publish = self._on_publish
        self.client.on_message = self._on_message

    def _on_log(self, _client, _data, _level, text):
        words = text.split()
        if len(words) > 1 and words[0] in ("Sending", "Received"):
            self.packets[words[1].rstrip(",")][words[0] == "Received"] += 1

    def _on_connect(self, _client, _data, _flags, code, _properties=None):
        self.code = getattr(code, "value", code)
        self.connected.set()

    def _on_publish(self, _client, _data, number):
        self.acknowledged[number] = time.monotonic()

    def _on_message(self, _client, _data, _message):
        self.received += 1

    def connect(self, port):
        self.client.connect("127.0.0.1", port, keepalive=60)
        self.client.loop_start()
        assert self.connected.wait(DEADLINE_S), "no CONNACK"
        return self.code == 0

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


def wait(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def alias_properties(number):
    properties = Properties(PacketTypes.PUBLISH)
    properties.TopicAlias = number
    return properties


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls")
    for name in ("port", "version", "qos", "messages"):
        parser.add_argument(name, type=int)
    parser.add_argument("topic")
    parser.add_argument("user", nargs="?", default="writer")
    parser.add_argument("password", nargs="?", default="secret")
    parser.add_argument("alias", nargs="?", choices=["alias"])
    arguments = parser.parse_args()
    port, version, qos, messages = arguments.port, arguments.version, arguments.qos, arguments.messages
    topic, user, alias = arguments.topic, arguments.user, arguments.alias
    packets = collections.defaultdict(lambda: [0, 0])
    publisher = Client("publisher", version, user, arguments.password, packets, arguments.tls)
    subscriber = Client("subscriber", version, "reader", "secret", packets, arguments.tls)
    seconds = 0.0
    if publisher.connect(port) and subscriber.connect(port):
        subscriber.client.subscribe(topic, qos)
        assert subscriber.subscribed.wait(DEADLINE_S), "no SUBACK"
        started = {}
        for i in range(messages):
            begin = time.monotonic()
            name = "" if alias and i > 0 else topic
            properties = alias_properties(1) if alias else None
            started[publisher.client.publish(name, b"m" * 100, qos, properties=properties).mid] = begin
            if i % 20 == 19:
                wait(lambda: len(publisher.acknowledged) == len(started), "acknowledgements")
        wait(lambda: len(publisher.acknowledged) == messages, "acknowledgements")
        seconds = sum(publisher.acknowledged[number] - begin for number, begin in started.items())
        if user == "writer":
            wait(lambda: subscriber.received == messages, "messages")
            time.sleep(0.2 if qos == 2 else 0)  # the last PUBCOMP has no callback
        subscriber.close()
    publisher.close()
    print(json.dumps({**packets, "publish_seconds": seconds}))


main()
