#!/usr/bin/env python3
"""What a sample costs a receiver of remote write: CPU, memory and disk of wiregauge, and of Debian's VictoriaMetrics and
Prometheus on the same requests in the same run. Series exist before the measured part begins.

    bench/remote_write.py [--rounds 3] [--series 100000] [--ticks 40] [--only wiregauge,victoria-metrics,prometheus]

Prints one JSON object: medians over the rounds. Each round gives every receiver a new folder."""
import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tests", "tools"), os.path.join(HERE, "..", "tests", "e2e")]
from harness import Wiregauge, wait_until  # noqa: E402
from prometheus import free_port  # noqa: E402

BUILD = os.environ.get("WIREGAUGE_BUILD", os.path.join(HERE, "..", "build", "release"))
os.environ.setdefault("WIREGAUGE_BIN", os.path.join(BUILD, "wiregauge"))
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS:"))


def folder_bytes(folder):
    return sum(os.lstat(os.path.join(root, name)).st_blocks * 512
               for root, _, names in os.walk(folder) for name in names)


class Server:
    """A peer as a process of ours, ended by pid."""

    def __init__(self, command, port, health):
        self.port = port
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        self.pid = self.process.pid
        wait_until(lambda: self._answers(health), f"{command[0]} answers")

    def _answers(self, path):
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status == 200
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait()


class WiregaugeServer:
    def __init__(self, folder):
        self._daemon = Wiregauge(remote_write=True, folder=folder)
        self._daemon.start()
        self._daemon.wait_ready()
        self.port, self.pid = self._daemon.port, self._daemon.process.pid

    def stop(self):
        self._daemon.stop()


def victoria_metrics(folder):
    port = free_port()
    return Server(["victoria-metrics", f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}",
                   "-retentionPeriod=1y"], port, "/health")


def prometheus(folder):
    port = free_port()
    config = os.path.join(folder, "prometheus.yml")
    with open(config, "w") as file:
        file.write("{}\n")
    return Server(["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
                   f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"], port, "/-/ready")


RECEIVERS = {"wiregauge": WiregaugeServer, "victoria-metrics": victoria_metrics, "prometheus": prometheus}
SETTLE_S = 8  # what a receiver still does for the load after its last answer belongs to it


def measure(start, options):
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        server = start(folder)
        try:
            idle = resident_bytes(server.pid)
            load = subprocess.Popen([os.path.join(BUILD, "bench", "write_load"), "--port", str(server.port), "--series",
                                     str(options.series), "--ticks", str(options.ticks)],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert load.stdout.readline() == "warm\n"
            before = cpu_seconds(server.pid)
            load.stdin.write("\n")
            load.stdin.flush()
            report = json.loads(load.stdout.readline())
            loaded = cpu_seconds(server.pid)
            load.communicate()
            time.sleep(SETTLE_S)
            settled, resident = cpu_seconds(server.pid), resident_bytes(server.pid)
        finally:
            server.stop()
        millions = report["samples"] / 1e6
        all_samples = options.series * (options.ticks + 5)
        return {"cpu_s_per_million": (loaded - before) / millions,
                "cpu_s_per_million_settled": (settled - before) / millions,
                "samples_per_second": report["samples"] / report["seconds"],
                "p50_ms": report["p50_ms"], "p99_ms": report["p99_ms"], "refused": report["refused"],
                "resident_bytes_per_series": (resident - idle) / options.series,
                "disk_bytes_per_sample_after_stop": folder_bytes(os.path.join(folder, "data")) / all_samples}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--series", type=int, default=100_000)
    parser.add_argument("--ticks", type=int, default=40)
    parser.add_argument("--only", default=",".join(RECEIVERS))
    parser.add_argument("--folder", default=None, help="where stores are made; default the system's temporary folder")
    options = parser.parse_args()
    names = [name for name in options.only.split(",") if name == "wiregauge" or shutil.which(name)]
    rounds = {name: [] for name in names}
    for _ in range(options.rounds):
        for name in names:
            rounds[name].append(measure(RECEIVERS[name], options))
    print(json.dumps({name: {key: round(statistics.median(one[key] for one in figures), 3) for key in figures[0]}
                      for name, figures in rounds.items()}, indent=1))


if __name__ == "__main__":
    main()
