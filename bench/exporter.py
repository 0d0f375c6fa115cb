#!/usr/bin/env python3
"""What observing costs the observed: requests per second of real servers with wiregauge on, off, and with empty
programs on the same hooks, in alternating rounds on the same two cores; and nanoseconds a packet of each program.

    bench/exporter.py [--rounds 6] [--seconds 4] [--server nginx|nginx_tls|nghttpd|redis|redis_pipelined|postgresql|all]

Beside throughput it says the CPU time of a request: client, server and, when it is on, wiregauge, in all. With both
cores busy the two say the same; CPU time still does when other work runs beside.

Prints one JSON object. Client and server are both observed. The namespaces, the cgroup and every process are the
bench's own and are gone at its end."""
import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "tools"), os.path.join(HERE, "..", "tests", "e2e")]
import netns_pair  # noqa: E402
import postgres_server  # noqa: E402
from harness import Wiregauge, make_certificate  # noqa: E402
from libraries import private_libraries  # noqa: E402
from nginx import Nginx  # noqa: E402

BUILD = os.environ.get("WIREGAUGE_BUILD", os.path.join(HERE, "..", "build", "release"))
os.environ.setdefault("WIREGAUGE_BIN", os.path.join(BUILD, "wiregauge"))


class NginxLoad:
    name = "nginx"
    arguments = ()

    def __init__(self, folder, namespace, cgroup):
        Nginx(folder, namespace, cgroup, port=8080, address="127.0.0.1")
        self._namespace, self._cgroup = namespace, cgroup

    def run(self, seconds):
        """Requests per second, and how many there were."""
        done = self._namespace.run(["wrk", "-t1", "-c32", f"-d{seconds}", "http://127.0.0.1:8080/ok"], self._cgroup)
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
                int(re.search(r"(\d+) requests in", done.stdout)[1]))


class NginxTlsLoad:
    """Both ends load a private copy of OpenSSL's libraries, which alone is observed."""
    name = "nginx_tls"
    arguments = ("--exporter.tls=library",)

    def __init__(self, folder, namespace, cgroup):
        _, environment = private_libraries(folder)
        Nginx(folder, namespace, cgroup, port=8443, address="127.0.0.1", tls=make_certificate(folder),
              program=[*environment, "nginx"])
        self._wrk = [*environment, "wrk", "-t1", "-c32"]
        self._namespace, self._cgroup = namespace, cgroup

    def run(self, seconds):
        """Requests per second, and how many there were."""
        done = self._namespace.run([*self._wrk, f"-d{seconds}", "https://127.0.0.1:8443/ok"], self._cgroup)
        return (float(re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)[1]),
                int(re.search(r"(\d+) requests in", done.stdout)[1]))


class RedisLoad:
    name = "redis"
    arguments = ()
    depth = 1
    REQUESTS_A_SECOND = 60_000  # redis-benchmark takes a count: enough for about the seconds asked

    def __init__(self, folder, namespace, cgroup):
        self._namespace, self._cgroup = namespace, cgroup
        namespace.start(["redis-server", "--port", "6379", "--save", "", "--appendonly", "no", "--dir", folder,
                         "--bind", "127.0.0.1"], cgroup, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while "PONG" not in namespace.run(["redis-cli", "ping"], cgroup, check=False).stdout:
            pass

    def run(self, seconds):
        requests = seconds * self.REQUESTS_A_SECOND
        done = self._namespace.run(["redis-benchmark", "-t", "get", "-c", "32", "-n", str(requests), "--csv", "-P",
                                    str(self.depth)], self._cgroup)
        return float(done.stdout.splitlines()[-1].split(",")[1].strip('"')), requests


class RedisPipelinedLoad(RedisLoad):
    name = "redis_pipelined"
    depth = 16
    REQUESTS_A_SECOND = 600_000


class NghttpdLoad:
    """HTTP/2 in the clear, 16 streams in flight on each connection."""
    name = "nghttpd"
    arguments = ()

    def __init__(self, folder, namespace, cgroup):
        with open(os.path.join(folder, "ok"), "w") as file:
            file.write("hello")
        self._namespace, self._cgroup = namespace, cgroup
        namespace.start(["nghttpd", "--no-tls", "-a", "127.0.0.1", "-d", folder, "8080"], cgroup,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not namespace.run(["ss", "-Hltn", "sport = :8080"], check=False).stdout:
            pass

    def run(self, seconds):
        done = self._namespace.run(["h2load", "-c8", "-m16", f"-D{seconds}", "http://127.0.0.1:8080/ok"], self._cgroup)
        requests = int(re.search(r"(\d+) done", done.stdout)[1])
        return requests / seconds, requests


class PostgresqlLoad:
    """pgbench's selects by primary key, prepared."""
    name = "postgresql"
    arguments = ()

    def __init__(self, folder, namespace, cgroup):
        self._namespace, self._cgroup = namespace, cgroup
        made, copy = (os.path.join(folder, name) for name in ("made", "copy"))
        os.chmod(folder, 0o755)
        for path in (made, copy):
            os.mkdir(path)
        postgres_server.Cluster(made).copy(copy)
        postgres_server.Postgres(copy, 5432, namespace, cgroup)
        self._pgbench = [f"{postgres_server.BIN}/pgbench", "-h", "127.0.0.1", "-U", "load"]

    def run(self, seconds):
        done = self._namespace.run([*self._pgbench, "-n", "-S", "-M", "prepared", "-c8", f"-T{seconds}", "postgres"],
                                   self._cgroup)
        return (float(re.search(r"tps = ([\d.]+) \(without", done.stdout)[1]),
                int(re.search(r"actually processed: (\d+)", done.stdout)[1]))


LOADS = (NginxLoad, NginxTlsLoad, NghttpdLoad, RedisLoad, RedisPipelinedLoad, PostgresqlLoad)


@contextlib.contextmanager
def off(_cgroup, **_):
    yield None


@contextlib.contextmanager
def empty(cgroup, stats=False, **_):
    program = subprocess.Popen([os.path.join(BUILD, "bench", "empty_tap"), cgroup.path, *(["--stats"] if stats else [])],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert program.stdout.readline() == "attached\n"
    result = {}
    yield result
    result.update(json.loads(program.communicate()[0]))


@contextlib.contextmanager
def on(cgroup, stats=False, arguments=()):
    flag = ["--exporter.bpf-statistics"] if stats else []
    with Wiregauge(f"--exporter.cgroup={cgroup.path}", *arguments, *flag, exporter=True) as wiregauge:
        yield wiregauge


def cgroup_cpu_us(cgroup):
    with open(os.path.join(cgroup.path, "cpu.stat")) as stat:
        return int(stat.readline().split()[1])


def process_cpu_us(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1_000_000 // os.sysconf("SC_CLK_TCK")


def one_run(load, cgroup, seconds, state):
    """Requests per second and CPU microseconds a request: client, server, and wiregauge when it is on."""
    with state(cgroup, arguments=load.arguments) as running:
        pid = running.process.pid if isinstance(running, Wiregauge) else None
        before = cgroup_cpu_us(cgroup) + (process_cpu_us(pid) if pid else 0)
        per_second, requests = load.run(seconds)
        return per_second, (cgroup_cpu_us(cgroup) + (process_cpu_us(pid) if pid else 0) - before) / requests


def paired(load, cgroup, rounds, seconds):
    states = {"off": off, "empty": empty, "on": on}
    figures = {name: [] for name in states}
    for _ in range(rounds):
        for name, state in states.items():
            figures[name].append(one_run(load, cgroup, seconds, state))
    result = {}
    for name in states:
        result[f"requests_per_second_{name}"] = round(statistics.median(run[0] for run in figures[name]))
        result[f"cpu_us_a_request_{name}"] = round(statistics.median(run[1] for run in figures[name]), 3)
    for name in ("empty", "on"):
        rounds_of = list(zip(figures[name], figures["off"]))
        throughput = [here[0] / there[0] for here, there in rounds_of]
        cpu = [there[1] / here[1] for here, there in rounds_of]
        result[f"{name}_to_off"] = round(statistics.median(throughput), 3)
        result[f"{name}_to_off_rounds"] = [round(value, 3) for value in throughput]
        result[f"{name}_to_off_by_cpu"] = round(statistics.median(cpu), 3)
        result[f"{name}_to_off_by_cpu_rounds"] = [round(value, 3) for value in cpu]
    return result


def per_packet(load, cgroup, seconds):
    """ns a packet, with the kernel's own clock on: it adds some 20 ns to each run, the empty program's included."""
    with empty(cgroup, stats=True) as floor:
        load.run(seconds)
    result = {"empty_ingress_ns": round(floor["ingress_ns"] / floor["ingress_runs"], 1),
              "empty_egress_ns": round(floor["egress_ns"] / floor["egress_runs"], 1)}
    with on(cgroup, stats=True, arguments=load.arguments) as wiregauge:
        before = wiregauge.metrics()  # attaching has its own cost
        load.run(seconds)
        metrics = wiregauge.metrics()
        for program in ("tap_ingress", "tap_egress"):
            run_time = metrics.value("wiregauge_bpf_program_run_time_seconds_total", program=program)
            result[f"{program}_ns"] = round(1e9 * run_time / metrics.value("wiregauge_bpf_program_runs_total",
                                                                          program=program), 1)
        told = metrics.value("wiregauge_events_total", stage="match_request")
        if told:
            cpu = metrics.value("process_cpu_seconds_total") - before.value("process_cpu_seconds_total")
            result["user_space_us_per_told_request"] = round(1e6 * cpu / told, 3)
            result["told_requests"] = told
        result["events_lost"] = metrics.sum("wiregauge_events_lost_total")
        result["resident_bytes"] = metrics.value("process_resident_memory_bytes")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--server", choices=(*(load.name for load in LOADS), "all"), default="all")
    options = parser.parse_args()
    reason = netns_pair.cannot_run()
    if reason:
        sys.exit(f"bench/exporter.py: {reason}")
    report = {}
    for kind in LOADS:
        if options.server not in (kind.name, "all"):
            continue
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            namespace = netns_pair.Namespace()
            stack.callback(namespace.close)
            cgroup = stack.enter_context(netns_pair.Cgroup())
            load = kind(folder, namespace, cgroup)
            load.run(1)  # warm
            report[kind.name] = {**paired(load, cgroup, options.rounds, options.seconds),
                                 **per_packet(load, cgroup, options.seconds)}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
