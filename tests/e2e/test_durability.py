#!/usr/bin/env python3
"""204 means on disk: writers send while the program is killed with -9 at random moments, twenty times. After each start
every acknowledged sample is there, once, with the same bits; what was sent again because nobody answered is there once
as well; and nothing is there that was never sent."""
import contextlib
import http.client
import os
import random
import struct
import threading
import time
import unittest

import remote_write as rw
from harness import Wiregauge

ROUNDS = 20
WRITERS = 3
SERIES = 8       # a writer
SAMPLES = 25     # of each series in a request
STEP_MS = 100
START_BEFORE_MS = 86_400_000  # a day, in steps of 2.5 s a request: no writer gets to the future in its second
LOAD_S = (0.05, 0.7)  # how long before the kill
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
SPECIAL = [0x7FF0000000000002, 0x7FF8000000000001, 0xFFF8DEAD0000BEEF, 0x8000000000000000, 0x7FF0000000000000,
           0xFFF0000000000000, 1, 0x4340000000000001]


def sample(timestamp_ms, value_bits):
    return rw.field(2, b"\x09" + struct.pack("<Q", value_bits) + b"\x10" + rw.varint(timestamp_ms))


class Writer:
    """Sends request after request until the connection breaks; knows what it sent and what was acknowledged."""

    def __init__(self, seed, number, start_ms):
        self._random = random.Random(seed * 100 + number)
        self._labels = [{"__name__": "crash", "round": str(seed), "writer": str(number), "series": str(i)}
                        for i in range(SERIES)]
        self._next_ms = start_ms
        self.sent = [{} for _ in range(SERIES)]      # timestamp -> bits
        self.acknowledged = [{} for _ in range(SERIES)]
        self.unanswered = None  # the request whose answer never came
        self.requests = 0
        self.refused = None  # an answer that no write here may get

    def _value(self):
        if self._random.random() < 0.1:
            return self._random.choice(SPECIAL)
        return struct.unpack("<Q", struct.pack("<d", self._random.randint(0, 10_000) / 100))[0]

    def _request(self):
        body, batch = b"", []
        for labels, sent in zip(self._labels, self.sent):
            samples = {self._next_ms + i * STEP_MS: self._value() for i in range(SAMPLES)}
            batch.append(samples)
            sent.update(samples)
            body += rw.field(1, b"".join(rw.field(1, rw.field(1, k.encode()) + rw.field(2, v.encode()))
                                         for k, v in labels.items()) +
                             b"".join(sample(t, v) for t, v in samples.items()))
        self._next_ms += SAMPLES * STEP_MS
        return rw.snappy(body), batch

    def run(self, connection):
        with contextlib.closing(connection):
            self._send_until_it_breaks(connection)

    def _send_until_it_breaks(self, connection):
        while True:
            body, batch = self._request()
            self.unanswered = (body, batch)
            try:
                connection.request("POST", "/api/v1/write", body, HEADERS)
                status = connection.getresponse()
                status.read()
            except (OSError, http.client.HTTPException):
                return
            if status.status == 204:
                self._acknowledge(batch)
            elif status.status != 503:  # stopping is no promise and no refusal of the data
                self.refused = status.status
                return

    def _acknowledge(self, batch):
        self.requests += 1
        self.unanswered = None
        for acknowledged, samples in zip(self.acknowledged, batch):
            acknowledged.update(samples)

    def send_again(self, daemon):
        """What a sender does after a restart: the same bytes, until they are acknowledged."""
        if not self.unanswered:
            return
        body, batch = self.unanswered
        assert daemon.request("POST", "/api/v1/write", body, HEADERS).status == 204
        self._acknowledge(batch)


class Kill(unittest.TestCase):
    def read(self, daemon, seed):
        """(writer, series) -> samples of one round."""
        matchers = [(0, "__name__", "crash"), (0, "round", str(seed))]
        answer = daemon.request("POST", "/api/v1/read", rw.snappy(rw.read_request(0, 1 << 61, *matchers)), HEADERS)
        self.assertEqual(answer.status, 200, answer)
        found = {}
        for labels, samples in rw.read_response(rw.unsnappy(answer.body)):
            key = int(labels["writer"]), int(labels["series"])
            self.assertNotIn(key, found, "a series is there twice")
            found[key] = samples
        return found

    def check(self, daemon, seed, writers):
        found = self.read(daemon, seed)
        for number, writer in enumerate(writers):
            for series in range(SERIES):
                samples = found.get((number, series), [])
                stored = dict(samples)
                self.assertEqual(len(stored), len(samples), "a timestamp is there twice")
                lost = writer.acknowledged[series].items() - stored.items()
                self.assertEqual(lost, set(), f"acknowledged and lost or changed: round {seed}, writer {number}")
                self.assertEqual(stored.items() - writer.sent[series].items(), set(), "never sent")

    def test_twenty_kills(self):
        seed = int(os.environ.get("WIREGAUGE_TEST_SEED", time.time_ns() % 1_000_000))
        chance = random.Random(seed)
        history = []
        daemon = Wiregauge(remote_write=True)
        with daemon:
            for round_number in range(ROUNDS):
                daemon.wait_ready()
                start_ms = int(time.time() * 1000) - START_BEFORE_MS
                writers = [Writer(seed + round_number, i, start_ms) for i in range(WRITERS)]
                threads = [threading.Thread(target=w.run, args=(daemon.connection(),)) for w in writers]
                for thread in threads:
                    thread.start()
                time.sleep(chance.uniform(*LOAD_S))  # the random moment
                daemon.kill()
                for thread in threads:
                    thread.join()
                daemon.start()
                daemon.wait_ready()
                self.assertEqual({writer.refused for writer in writers}, {None})
                with self.subTest(seed=seed, round=round_number):
                    self.check(daemon, seed + round_number, writers)
                    for writer in writers:
                        writer.send_again(daemon)
                    self.check(daemon, seed + round_number, writers)
                history.append((seed + round_number, writers))
            self.assertGreater(sum(w.requests for _, writers in history for w in writers), ROUNDS)
            for past_seed, writers in history:
                with self.subTest("at the end", seed=past_seed):
                    self.check(daemon, past_seed, writers)
            self.assertEqual(daemon.stop(), 0)
            daemon.start()
            daemon.wait_ready()
            for past_seed, writers in history:
                with self.subTest("after a clean stop", seed=past_seed):
                    self.check(daemon, past_seed, writers)


if __name__ == "__main__":
    unittest.main()
