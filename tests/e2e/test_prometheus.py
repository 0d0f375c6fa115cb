#!/usr/bin/env python3
"""Debian's Prometheus as it is used: it scrapes wiregauge and node_exporter and remote-writes to wiregauge for a minute;
a second one, with nothing of its own, reads it all back and answers the same PromQL with the same values."""
import contextlib
import os
import shutil
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from prometheus import NodeExporter, Prometheus  # noqa: E402

WRITE_SECONDS = 60
WRITER = """
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
- job_name: node
  static_configs: [{{targets: ["{node}"]}}]
- job_name: prometheus
  static_configs: [{{targets: ["OWN_ADDRESS"]}}]
- job_name: wiregauge
  static_configs: [{{targets: ["{wiregauge}"]}}]
remote_write:
- url: http://{wiregauge}/api/v1/write
"""
READER = """
remote_read:
- url: http://{wiregauge}/api/v1/read
  read_recent: true
"""
RANGE = f"{WRITE_SECONDS + 10}s"
QUERIES = [
    f'{{__name__=~".+"}}[{RANGE}]',  # every sample of every series
    'up',
    'sum by (mode) (rate(node_cpu_seconds_total[30s]))',
    'node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes',
    'histogram_quantile(0.9, sum by (le) (rate(prometheus_http_request_duration_seconds_bucket[1m])))',
    'count by (__name__) ({job="wiregauge"})',
    'topk(5, scrape_samples_scraped)',
    'max_over_time(scrape_duration_seconds{job!="node"}[1m])',
    '{__name__=~"node_network_.*_total",device="lo"}',
    'node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs",mountpoint=~"/.*"}',
    'absent(nothing_of_this_name{job="node"})',
    'label_replace(wiregauge_build_info, "short", "$1", "version", "(\\\\d+)\\\\..*")',
]


class RoundTrip(unittest.TestCase):
    maxDiff = 2_000

    def test_what_one_prometheus_wrote_another_reads(self):
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            flags = []
            with_exporter = not netns_pair.cannot_run()
            if with_exporter:
                flags.append(f"--exporter.cgroup={stack.enter_context(netns_pair.Cgroup()).path}")
            wiregauge = stack.enter_context(
                Wiregauge(*flags, exporter=with_exporter, remote_write=True, folder=folder))
            node = stack.enter_context(NodeExporter(folder))
            addresses = {"node": node.address, "wiregauge": wiregauge.addresses[0]}
            writer = stack.enter_context(Prometheus(folder, "writer", WRITER.format(**addresses)))
            time.sleep(WRITE_SECONDS)  # what is tested: a minute of scrapes
            now = int(time.time())
            self.wait_written(writer, wiregauge, now)
            self.check_scrapes(writer, now)
            reader = stack.enter_context(Prometheus(folder, "reader", READER.format(**addresses)))
            for query in QUERIES:
                with self.subTest(query):
                    expected = writer.query(query, now)
                    self.assertNotEqual(expected, {})
                    self.assertEqual(reader.query(query, now), expected)
            samples = sum(len(values) for values in writer.query(QUERIES[0], now).values())
            self.assertGreater(samples, WRITE_SECONDS * 500)
            self.check_names(writer, wiregauge)

    def wait_written(self, writer, wiregauge, now):
        """Until the remote-write queue has sent everything up to `now`."""
        def sent():
            newest = writer.own_metric("prometheus_remote_storage_queue_highest_sent_timestamp_seconds")
            return newest is not None and newest > now + 1
        wait_until(sent, "the remote-write queue has passed the moment of the queries", interval_s=0.2)
        self.assertEqual(wiregauge.metrics().sum("wiregauge_samples_rejected_total"), 0)

    def check_scrapes(self, writer, now):
        for target in writer.api("targets")["activeTargets"]:
            self.assertEqual((target["health"], target["lastError"]), ("up", ""), target["scrapeUrl"])
        # Prometheus asks for OpenMetrics first; what it stored of ours says which types it understood.
        metadata = writer.api("targets/metadata", match_target='{job="wiregauge"}', metric="wiregauge_build_info")
        self.assertEqual(metadata[0]["type"], "gauge")
        self.assertEqual(set(value[1] for value in writer.query('up', now).values()), {"1"})

    def check_names(self, writer, wiregauge):
        """The label API of wiregauge says what the writer's says."""
        for path in ("labels", "label/__name__/values", "label/job/values", "label/device/values"):
            ours = wiregauge.request("GET", f"/api/v1/{path}").json()
            self.assertEqual(ours["status"], "success")
            self.assertEqual(ours["data"], writer.api(path), path)
        selector = 'node_cpu_seconds_total{mode=~"idle|user"}'
        ours = wiregauge.request("GET", "/api/v1/series?match[]=node_cpu_seconds_total%7Bmode%3D~%22idle%7Cuser%22%7D")
        order = lambda series: sorted(map(sorted, (labels.items() for labels in series)))  # noqa: E731
        self.assertEqual(order(ours.json()["data"]), order(writer.api("series", **{"match[]": selector})))


if __name__ == "__main__":
    missing = [name for name in ("prometheus", "prometheus-node-exporter") if not shutil.which(name)]
    if missing:
        print(f"skipped: needs {', '.join(missing)}")
        sys.exit(77)
    unittest.main()
