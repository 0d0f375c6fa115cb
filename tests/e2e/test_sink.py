"""The sink over real HTTP and a real store: what is written comes back bit for bit, also after kill -9; hostile requests
get the status of the interface, cost no memory, and never cost the valid part."""

import concurrent.futures
import re
import socket
import struct
import time
import unittest
import urllib.parse

import remote_write as rw
from harness import Wiregauge

PROTOBUF = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
MIB = 1 << 20
# What the process may grow by over any number of hostile requests that never get past their claims.
FLAT_BYTES = 48 * MIB


def now_ms():
    return int(time.time() * 1000)


def bits(value):
    return struct.unpack("<Q", struct.pack("<d", value))[0]


class Sink(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.daemon = Wiregauge(remote_write=True)
        cls.daemon.__enter__()
        cls.addClassCleanup(cls.daemon.__exit__)
        cls.daemon.wait_ready()

    def write(self, *series, headers=None):
        return self.daemon.request("POST", "/api/v1/write", rw.snappy(b"".join(series)), headers or PROTOBUF)

    def read(self, *matchers, first_ms=0, last_ms=1 << 61):
        answer = self.daemon.request("POST", "/api/v1/read", rw.snappy(rw.read_request(first_ms, last_ms, *matchers)),
                                     PROTOBUF)
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers["Content-Encoding"], "snappy")
        return rw.read_response(rw.unsnappy(answer.body))

    def samples_of(self, name):
        return [samples for _, samples in self.read((0, "__name__", name))]

    def resident_bytes(self):
        with open(f"/proc/{self.daemon.pid}/status", encoding="ascii") as file:
            return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) * 1024


class Writing(Sink):
    def test_values_come_back_bit_for_bit(self):
        start = now_ms() - 60_000
        values = [1.5, 0.0, -0.0, float("inf"), float("-inf"), 5e-324, 2.0 ** 53 + 2, 1e300]
        stale = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
        payload = struct.unpack("<d", struct.pack("<Q", 0xFFF8DEAD0000BEEF))[0]
        written = [(start + i, value) for i, value in enumerate([*values, stale, payload])]
        self.assertEqual(self.write(rw.series({"__name__": "bits", "job": "e2e"}, written)).status, 204)
        self.assertEqual(self.samples_of("bits"), [[(t, bits(v)) for t, v in written]])

    def test_writing_again_changes_nothing(self):
        one = rw.series({"__name__": "again"}, [(now_ms() // 1000 * 1000, 7.0)])
        for _ in range(3):
            self.assertEqual(self.write(one, one).status, 204)
        self.assertEqual([len(samples) for samples in self.samples_of("again")], [1])

    def test_out_of_order_inside_retention(self):
        now = now_ms()
        for offset in (0, -3_600_000, -86_400_000, -1):
            answer = self.write(rw.series({"__name__": "disorder"}, [(now + offset, float(offset))]))
            self.assertEqual(answer.status, 204, answer)
        self.assertEqual([t for t, _ in self.samples_of("disorder")[0]], [now - 86_400_000, now - 3_600_000, now - 1, now])

    def test_both_write_paths_and_the_label_questions(self):
        now = now_ms()
        for job in ("b", "a"):
            answer = self.daemon.request("POST", "/api/v1/prometheus",
                                         rw.snappy(rw.series({"__name__": "asked", "job": job, "q": "1"}, [(now, 1.0)])),
                                         PROTOBUF)
            self.assertEqual(answer.status, 204, answer)
        selector = urllib.parse.quote('asked{job=~"a|b"}')
        self.assertEqual(self.daemon.get(f"/api/v1/series?match[]={selector}").json()["data"],
                         [{"__name__": "asked", "job": "a", "q": "1"}, {"__name__": "asked", "job": "b", "q": "1"}])
        self.assertEqual(self.daemon.get("/api/v1/label/job/values?match[]=asked").json()["data"], ["a", "b"])
        self.assertEqual(self.daemon.get("/api/v1/label/job/values?match[]=asked&end=1").json()["data"], [])
        self.assertEqual(self.daemon.get("/api/v1/labels?match[]=asked").json()["data"], ["__name__", "job", "q"])
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = self.daemon.request("POST", "/api/v1/series", "match[]=asked", form)
        self.assertEqual(len(answer.json()["data"]), 2)
        self.assertEqual(self.daemon.get("/api/v1/series").json()["error"], "no match[] parameter provided")
        self.assertEqual(self.daemon.request("POST", "/api/v1/label/job/values").status, 405)

    def test_metadata_is_served(self):
        entry = b"\x08\x01" + rw.field(2, b"described_total") + rw.field(4, b"What it is.")
        self.assertEqual(self.write(rw.field(3, entry)).status, 204)
        self.assertEqual(self.daemon.get("/api/v1/metadata?metric=described_total").json()["data"],
                         {"described_total": [{"type": "counter", "help": "What it is.", "unit": ""}]})

    def test_concurrent_writers_of_the_same_new_series(self):
        now = now_ms()
        requests = [rw.snappy(b"".join(rw.series({"__name__": "raced", "i": str(i)}, [(now + w, float(w))])
                                       for i in range(300))) for w in range(8)]
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda body: self.daemon.request("POST", "/api/v1/write", body, PROTOBUF), requests))
        self.assertEqual({answer.status for answer in answers}, {204})
        found = self.read((0, "__name__", "raced"))
        self.assertEqual(len(found), 300)
        self.assertEqual({len(samples) for _, samples in found}, {8})


class Hostile(Sink):
    """Each request with a good series beside the bad one, where the protocol lets the good one live."""

    def setUp(self):
        self.good = rw.series({"__name__": "good", "test": self.id()}, [(now_ms(), 1.0)])

    def stored(self):
        return len(self.read((0, "__name__", "good"), (0, "test", self.id())))

    def assert_partly_refused(self, bad, reason):
        answer = self.write(self.good, bad, self.good)
        self.assertEqual(answer.status, 400, answer)
        self.assertRegex(answer.text.splitlines()[0], rf"^refused \d+ \(\d+ {reason}\), stored 2 samples$")
        self.assertLess(len(answer.body), 1024)
        self.assertEqual(self.stored(), 1, "the valid part is stored")

    def test_headers_decide_before_the_body(self):
        for headers in ({"Content-Type": "application/json"}, {"Content-Type": "image/png"},
                        {"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"},
                        {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"},
                        {"Content-Type": "application/x-protobuf", "Content-Encoding": "zstd"}):
            answer = self.daemon.request("POST", "/api/v1/write", b"corrupt", headers)
            self.assertEqual(answer.status, 415, headers)
            self.assertIn("prometheus.WriteRequest", answer.text)

    def test_other_methods_are_405(self):
        for method in ("GET", "PUT", "DELETE"):
            self.assertEqual(self.daemon.request(method, "/api/v1/write").status, 405)

    def test_truncated_bodies_are_400(self):
        body = rw.snappy(self.good)
        for cut in range(0, len(body), 3):
            self.assertEqual(self.daemon.request("POST", "/api/v1/write", body[:cut], PROTOBUF).status, 400, cut)
        self.assertEqual(self.write(self.good[:-1]).status, 400)
        self.assertEqual(self.write(self.good, b"\x0a\x7f").status, 400)
        self.assertEqual(self.stored(), 0)

    def test_framed_snappy_is_400(self):
        answer = self.daemon.request("POST", "/api/v1/write", b"\xff\x06\x00\x00sNaPpY" + b"x" * 40, PROTOBUF)
        self.assertEqual(answer.status, 400)
        self.assertIn("framed", answer.text)

    def test_bombs_that_only_claim_cost_nothing(self):
        bomb = b"\xff\xff\xff\xff\x0f" + b"x" * 15  # 20 bytes that claim 4 GiB - 1
        smaller = b"\x80\x80\x80\x10" + b"x" * 16  # 32 MiB, the most that is allowed to be claimed
        before = self.resident_bytes()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            bodies = [bomb, smaller] * 100
            answers = list(pool.map(lambda body: self.daemon.request("POST", "/api/v1/write", body, PROTOBUF), bodies))
        self.assertEqual({answer.status for answer in answers}, {400})
        self.assertLess(self.resident_bytes() - before, FLAT_BYTES)

    def test_real_bombs_are_bounded_and_given_back(self):
        body = rw.snappy_zeros(32 * MIB)
        self.assertLess(len(body), 2 * MIB)
        before = self.resident_bytes()
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda _: self.daemon.request("POST", "/api/v1/write", body, PROTOBUF), range(48)))
        self.assertLessEqual({answer.status for answer in answers}, {400, 503})
        self.assertIn(400, {answer.status for answer in answers})
        for answer in answers:
            if answer.status == 503:
                self.assertIsNotNone(answer.headers["Retry-After"])
        self.assertLess(self.resident_bytes() - before, FLAT_BYTES)
        self.assertEqual(self.write(self.good).status, 204)

    def test_oversized_bodies_are_413_before_they_are_sent(self):
        with self.daemon.socket() as connection:
            connection.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
            self.assertTrue(connection.makefile("rb").readline().startswith(b"HTTP/1.1 413"))

    def test_claims_over_the_decoded_limit_are_400(self):
        answer = self.daemon.request("POST", "/api/v1/write", rw.snappy_zeros(33 * MIB), PROTOBUF)
        self.assertEqual(answer.status, 400)
        self.assertIn("max 33554432", answer.text)

    def test_label_bombs(self):
        now = now_ms()
        many = [("__name__", "bomb")] + [(f"l{i}", "v") for i in range(10_000)]
        self.assert_partly_refused(rw.series(many, [(now, 1.0)]), "too_many_labels")
        self.assert_partly_refused(rw.series({"__name__": "bomb", "a": "x" * (4 * MIB)}, [(now, 1.0)]),
                                   "label_value_too_long")
        self.assert_partly_refused(rw.series({"__name__": "bomb", "a" * MIB: "x"}, [(now, 1.0)]), "label_name_too_long")
        self.assertEqual(self.samples_of("bomb"), [])

    def test_bad_label_sets(self):
        now = now_ms()
        cases = {
            "duplicate_label": [("__name__", "bad"), ("a", "1"), ("a", "2")],
            "missing_metric_name": [("a", "1")],
            "empty_label_name": [("__name__", "bad"), ("", "x")],
            "invalid_utf8": [("__name__", "bad"), ("a", b"\xff\xfe")],
            "invalid_label_name": [("__name__", "bad"), ("a-b", "x")],
            "invalid_metric_name": [("__name__", "bad name")],
        }
        for reason, labels in cases.items():
            self.assert_partly_refused(rw.series(labels, [(now, 1.0)]), reason)
        self.assert_partly_refused(rw.series([], [(now, 1.0)]), "missing_metric_name")

    def test_timestamps_that_would_poison_a_store(self):
        now = now_ms()
        for future in (now + 86_400_000, now + 365 * 86_400_000, (1 << 63) - 1):
            self.assert_partly_refused(rw.series({"__name__": "time"}, [(future, 1.0)]), "too_far_in_future")
        for past in (0, -1, -(1 << 63), now - 10 * 365 * 86_400_000):
            self.assert_partly_refused(rw.series({"__name__": "time"}, [(past, 1.0)]), "too_old")
        self.assertEqual(self.write(rw.series({"__name__": "time"}, [(now, 1.0)])).status, 204, "honest samples go on")

    def test_exemplars_and_histograms_are_never_lost_silently(self):
        now = now_ms()
        labels = rw.label("__name__", "rich")
        self.assert_partly_refused(rw.field(1, labels + rw.field(4, b"\x78\x01")), "histogram_unsupported")
        self.assert_partly_refused(rw.field(1, labels + rw.field(3, b"")), "exemplar_unsupported")
        with_sample = rw.field(1, labels + rw.sample(now, 1.0) + rw.field(3, b""))
        self.assertEqual(self.write(with_sample).status, 400)
        self.assertEqual(len(self.samples_of("rich")), 1)

    def test_refusals_are_counted(self):
        before = self.daemon.metrics()
        self.write(self.good, rw.series({"job": "nameless"}, [(now_ms(), 1.0), (now_ms(), 2.0)]))
        after = self.daemon.metrics()
        grew = lambda name, **labels: (after.value(name, **labels) or 0) - (before.value(name, **labels) or 0)
        self.assertEqual(grew("wiregauge_samples_rejected_total", reason="missing_metric_name"), 2)
        self.assertEqual(grew("wiregauge_samples_written_total"), 1)
        self.assertEqual(grew("wiregauge_write_requests_total", code="400"), 1)

    def test_hostile_questions(self):
        now = now_ms()
        for selector in ("{}", "up[5m]", '{a=~"("}', "x" * 200_000, '{a=""}', "\x00", "{a=\"\\xff\"}"):
            query = urllib.parse.urlencode({"match[]": selector})
            form = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self.daemon.request("POST", "/api/v1/series", query, form)
            self.assertEqual((answer.status, answer.json()["errorType"]), (400, "bad_data"), selector[:50])
        for body in (b"", b"corrupt", b"\xff\xff\xff\xff\x0f", rw.snappy(b"\x0a\x7f"),
                     rw.snappy(rw.read_request(0, now, (2, "a", "("))), rw.snappy(rw.read_request(0, now, (9, "a", "b")))):
            answer = self.daemon.request("POST", "/api/v1/read", body, PROTOBUF)
            self.assertEqual(answer.status, 400, body[:20])

    def test_connection_that_dies_in_its_body(self):
        connection = self.daemon.socket()
        connection.sendall(b"POST /api/v1/write HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\npart")
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
        self.assertEqual(self.write(self.good).status, 204)


class Restart(unittest.TestCase):
    def test_series_and_samples_survive_kill_9(self):
        with Wiregauge(remote_write=True) as daemon:
            now = now_ms()
            for round_ in range(3):
                daemon.wait_ready()
                body = rw.snappy(b"".join(rw.series({"__name__": "kept", "i": str(i)}, [(now + round_, float(i))])
                                          for i in range(50 * (round_ + 1))))
                self.assertEqual(daemon.request("POST", "/api/v1/write", body, PROTOBUF).status, 204)
                daemon.kill()
                daemon.start()
            daemon.wait_ready()
            answer = daemon.request("POST", "/api/v1/read",
                                    rw.snappy(rw.read_request(0, 1 << 61, (0, "__name__", "kept"))), PROTOBUF)
            found = {labels["i"]: samples for labels, samples in rw.read_response(rw.unsnappy(answer.body))}
            self.assertEqual(len(found), 150)
            for i in range(150):
                rounds = [r for r in range(3) if i < 50 * (r + 1)]
                self.assertEqual(found[str(i)], [(now + r, bits(float(i))) for r in rounds])
            self.assertEqual(daemon.metrics().value("wiregauge_active_series"), 150)


del Sink  # a base class, not a test

if __name__ == "__main__":
    unittest.main()
