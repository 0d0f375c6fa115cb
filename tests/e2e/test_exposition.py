#!/usr/bin/env python3
"""What Prometheus 2.42 makes of the exposition: it scrapes native histograms and exemplars, and its answers are those
that follow from what was sent."""
import contextlib
import http.client
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from prometheus import Prometheus  # noqa: E402

CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: wiregauge
  static_configs: [{{targets: ["{wiregauge}"]}}]
"""
# A server that answers GET /N after N milliseconds, in the test's cgroup, and says where it listens.
SERVER = """
import http.server, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        time.sleep(float(self.path.rsplit("/", 1)[1]) / 1000)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"""
FAMILY = "http_server_request_duration_seconds"
DELAYS_MS = [2] * 60 + [20] * 30 + [200] * 10
TRACES = {20: "4bf92f3577b34da6a3ce929d0e0e4736", 200: "0af7651916cd43dd8448eb211c80319c"}
SPANS = {20: "00f067aa0ba902b7", 200: "b7ad6b7169203331"}
NOT_SAMPLED = "11111111111111111111111111111111"
SCHEMA_WIDTH = 2 ** (1 / 8)  # of a bucket


def traceparent(number, delay_ms):
    """The last request of a delay carries its trace; another one a trace that nobody keeps."""
    if number == DELAYS_MS.index(delay_ms):
        return f"00-{NOT_SAMPLED}-{'2' * 16}-00"
    last = number == len(DELAYS_MS) - 1 - DELAYS_MS[::-1].index(delay_ms)
    return f"00-{TRACES[delay_ms]}-{SPANS[delay_ms]}-01" if last and delay_ms in TRACES else None


class Scraped(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stack = contextlib.ExitStack()
        cls.addClassCleanup(cls.stack.close)
        folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        cgroup = cls.stack.enter_context(netns_pair.Cgroup())
        cls.wiregauge = cls.stack.enter_context(Wiregauge(f"--exporter.cgroup={cgroup.path}", exporter=True))
        cls.begin = time.time()
        cls.send(cgroup)
        cls.prometheus = cls.stack.enter_context(Prometheus(
            folder, "native", CONFIG.format(wiregauge=cls.wiregauge.address),
            ["--enable-feature=native-histograms,exemplar-storage"]))
        cls.classic = cls.stack.enter_context(Prometheus(
            folder, "classic", CONFIG.format(wiregauge=cls.wiregauge.address), ["--enable-feature=exemplar-storage"]))
        for prometheus in (cls.prometheus, cls.classic):
            wait_until(lambda p=prometheus: p.query("up == 1 and scrape_samples_scraped > 0", time.time()), "a scrape")
        cls.now = time.time()

    @classmethod
    def send(cls, cgroup):
        """Runs the server and the requests in the cgroup; durations as the client saw them."""
        server = cls.stack.enter_context(cgroup_process(cgroup, [sys.executable, "-c", SERVER]))
        port = int(server.stdout.readline())
        cls.client_seconds = []
        cls.kept = {}  # (trace, span) -> the least and the most that its request can have taken
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for number, delay_ms in enumerate(DELAYS_MS):
            trace = traceparent(number, delay_ms)
            begin = time.monotonic()
            connection.request("GET", f"/wait/{delay_ms}", headers={"traceparent": trace} if trace else {})
            answer = connection.getresponse()
            answer.read()
            cls.client_seconds.append(time.monotonic() - begin)
            assert answer.status == 200
            if trace and NOT_SAMPLED not in trace:
                cls.kept[TRACES[delay_ms], SPANS[delay_ms]] = delay_ms / 1000, cls.client_seconds[-1]
        connection.close()
        cls.certain = set(cls.kept)
        if max(cls.kept[TRACES[20], SPANS[20]]) > 0.1:  # on a busy machine the later one can have taken its place
            cls.certain.discard((TRACES[20], SPANS[20]))
        wait_until(lambda: cls.wiregauge.metrics().sum(f"{FAMILY}_count") == len(DELAYS_MS), "all requests are counted")

    def value(self, promql, prometheus=None):
        found = (prometheus or self.prometheus).query(promql, self.now)
        self.assertEqual(len(found), 1, f"{promql}: {found}")
        return float(next(iter(found.values()))[1])

    def test_counts_and_sums_of_the_native_histogram_are_exact(self):
        self.assertEqual(self.value(f"histogram_count(sum({FAMILY}))"), len(DELAYS_MS))
        text = self.wiregauge.metrics()
        self.assertEqual(text.sum(f"{FAMILY}_count"), len(DELAYS_MS))
        self.assertAlmostEqual(self.value(f"histogram_sum(sum({FAMILY}))"), text.sum(f"{FAMILY}_sum"), places=9)
        self.assertLess(self.value(f"histogram_sum(sum({FAMILY}))"), sum(self.client_seconds))
        # Up to a bound of its buckets: at most what slept no longer, at least what the client had by then.
        for bound in (2 ** -10, 2 ** -6, 2 ** -3, 16):
            told = round(self.value(f"histogram_fraction(0, {bound}, sum({FAMILY}))") * len(DELAYS_MS), 6)
            self.assertEqual(told, int(told), bound)
            self.assertLessEqual(told, sum(delay_ms / 1000 <= bound for delay_ms in DELAYS_MS), bound)
            self.assertGreaterEqual(told, sum(seconds <= bound for seconds in self.client_seconds), bound)

    def test_quantiles_are_those_of_the_client(self):
        for quantile in (0.3, 0.5, 0.75, 0.95, 0.99):
            told = self.value(f"histogram_quantile({quantile}, sum({FAMILY}))")
            ordered = sorted(self.client_seconds)
            seen = ordered[int(quantile * len(ordered))]
            least = sorted(DELAYS_MS)[int(quantile * len(DELAYS_MS)) - 1] / 1000
            self.assertGreaterEqual(told, least / SCHEMA_WIDTH, quantile)
            self.assertLessEqual(told, seen * SCHEMA_WIDTH, quantile)

    def test_without_the_feature_the_classic_buckets_are_there(self):
        self.assertEqual(self.value(f"sum({FAMILY}_count)", self.classic), len(DELAYS_MS))
        self.assertEqual(self.value(f'sum({FAMILY}_bucket{{le="+Inf"}})', self.classic), len(DELAYS_MS))
        self.assertEqual(self.classic.query(f"histogram_count({FAMILY})", self.now), {})

    def test_exemplars_are_the_traces_that_were_sent(self):
        for prometheus, name in ((self.prometheus, FAMILY), (self.classic, f"{FAMILY}_bucket")):
            def exemplars(prometheus=prometheus, name=name):
                data = prometheus.api("query_exemplars", query=name, start=self.begin - 60, end=time.time() + 60)
                return [(e["labels"], float(e["value"]), float(e["timestamp"]))
                        for series in data for e in series["exemplars"]]
            found = wait_until(exemplars, "exemplars are stored")
            traces = {(labels["trace_id"], labels["span_id"]) for labels, _, _ in found}
            self.assertLessEqual(traces, set(self.kept), name)
            if prometheus is self.classic:  # 2.42 takes one of them a scrape from a native histogram's buckets
                self.assertLessEqual(self.certain, traces)
            for labels, value, timestamp in found:
                least, most = self.kept[labels["trace_id"], labels["span_id"]]
                self.assertGreaterEqual(value, least)
                self.assertLessEqual(value, most)
                self.assertGreater(timestamp, self.begin - 1)
                self.assertLess(timestamp, self.now + 1)

    def test_the_page_of_each_format(self):
        """Exemplars are in OpenMetrics and in no text; protobuf is answered when asked for, with and without gzip."""
        text = self.wiregauge.get("/metrics", {"Accept": "text/plain"}).text
        self.assertNotIn("trace_id", text)
        page = self.wiregauge.get("/metrics", {"Accept": "application/openmetrics-text"}).text
        lines = re.findall(
            FAMILY + r'_bucket\{.*le="([^"]+)"\} \d+ # \{span_id="(\w+)",trace_id="(\w+)"\} (\S+) \S+', page)
        traces = {(trace, span) for _, span, trace, _ in lines}
        self.assertLessEqual(self.certain, traces)
        self.assertLessEqual(traces, set(self.kept))
        for bound, _, _, value in lines:
            self.assertLessEqual(float(value), float(bound))
        self.assertNotIn(NOT_SAMPLED, page)
        wanted = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
        plain = self.wiregauge.get("/metrics", {"Accept": wanted})
        self.assertEqual(plain.headers["Content-Type"], wanted.replace(";", "; "))
        self.assertIn(FAMILY.encode(), plain.body)
        packed = self.wiregauge.get("/metrics", {"Accept": wanted, "Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertLess(len(packed.body), len(plain.body) / 2)


@contextlib.contextmanager
def cgroup_process(cgroup, command):
    process = subprocess.Popen(cgroup.wrap(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    netns_pair.sweep()
    unittest.main()
