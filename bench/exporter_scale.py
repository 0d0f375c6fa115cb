#!/usr/bin/env python3
"""What the exporter itself takes: CPU at a fixed rate of requests, and memory with many connections and series.

    bench/exporter_scale.py [--rate 50000] [--seconds 10] [--connections 10000] [--series 5000]

Prints one JSON object. The namespaces, the cgroups and every process are the bench's own and are gone at its end."""
import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "tools"), os.path.join(HERE, "..", "tests", "e2e")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

BUILD = os.environ.get("WIREGAUGE_BUILD", os.path.join(HERE, "..", "build", "release"))
TOOLS = os.path.join(BUILD, "tests", "tools")
os.environ.setdefault("WIREGAUGE_BIN", os.path.join(BUILD, "wiregauge"))
CLIENTS = 50
GROUPS = 25  # services at each end: a service has a budget of 100 routes


def cpu_at_rate(rate, seconds, both_ends):
    """nginx and h2load (HTTP/1.1, paced). CPU seconds of wiregauge, kernel side of its own thread included, a second."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        namespace = netns_pair.Namespace()
        stack.callback(namespace.close)
        cgroup = stack.enter_context(netns_pair.Cgroup())
        outside = stack.enter_context(netns_pair.Cgroup())
        wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={cgroup.path}", exporter=True))
        Nginx(folder, namespace, cgroup, port=8080, address="127.0.0.1")
        before = wiregauge.metrics()
        done = namespace.run(["h2load", "--h1", "-c", str(CLIENTS), "-t1", f"--rps={rate // CLIENTS}", "-D", str(seconds),
                              "http://127.0.0.1:8080/ok"], cgroup if both_ends else outside)
        after = wiregauge.metrics()
        told = after.sum("wiregauge_events_total", stage="match_request")
        cpu = after.value("process_cpu_seconds_total") - before.value("process_cpu_seconds_total")
        return {"requests_per_second": float(re.search(r"finished in [\d.]+\w+, ([\d.]+) req/s", done.stdout)[1]),
                "told_requests": told, "cores": round(cpu / seconds, 3), "us_per_told_request": round(1e6 * cpu / told, 3),
                "events_lost": after.sum("wiregauge_events_lost_total")}


def memory(connections, series):
    """Resident bytes with so many observed sockets that have spoken, and so many duration series."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        namespace = netns_pair.Namespace()
        stack.callback(namespace.close)
        cgroup = stack.enter_context(netns_pair.Cgroup())
        wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={cgroup.path}", exporter=True))
        idle = wiregauge.metrics().value("process_resident_memory_bytes")
        each = connections // 2 // GROUPS
        routes = [f"/a{i}b" for i in range(series // 2 // GROUPS)]
        mix = [part for route in routes for part in ("-r", f"GET {route} 200 5")]
        loads = []
        for group in range(GROUPS):
            server, client = os.path.join(folder, f"server{group}"), os.path.join(folder, f"client{group}")
            shutil.copy(f"{TOOLS}/send_ways", server)
            shutil.copy(f"{TOOLS}/http_load", client)
            started = namespace.start([server, "--port", str(9000 + group), "write"], cgroup, stdout=subprocess.PIPE)
            started.stdout.readline()
            load = namespace.start([client, "--port", str(9000 + group), "-c", str(each), "-n", str(2 * max(each, len(routes))),
                                    "--hold", *mix], cgroup, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert json.loads(load.stdout.readline())["mismatched"] == 0
            loads.append(load)
        metrics = wait_until(lambda: settled(wiregauge, 2 * each * GROUPS), "all connections are reported")
        return {"connections": metrics.sum("wiregauge_tcp_connections_active"),
                "decoded_connections": metrics.sum("wiregauge_decoded_connections"),
                "duration_series": sum(metrics.sum("wiregauge_series", family=f"http_{end}_request_duration_seconds")
                                       for end in ("server", "client")),
                "idle_resident_bytes": idle, "resident_bytes": metrics.value("process_resident_memory_bytes"),
                "page_bytes": len(metrics.text)}


def settled(wiregauge, connections):
    metrics = wiregauge.metrics()
    return metrics if metrics.sum("wiregauge_tcp_connections_active") == connections else None


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=10_000)
    parser.add_argument("--series", type=int, default=5_000)
    options = parser.parse_args()
    reason = netns_pair.cannot_run()
    if reason:
        sys.exit(f"bench/exporter_scale.py: {reason}")
    print(json.dumps({
        "server_observed": cpu_at_rate(options.rate, options.seconds, False),
        "both_ends_observed": cpu_at_rate(options.rate, options.seconds, True),
        "memory": memory(options.connections, options.series),
    }, indent=1))


if __name__ == "__main__":
    main()
