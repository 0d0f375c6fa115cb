"""Debian's Prometheus and node_exporter as the end-to-end tests run them: on free ports, in a folder of the test's own,
ended by pid."""
import json
import os
import socket
import subprocess
import urllib.parse
import urllib.request

from harness import wait_until


def free_port():
    """A port that was free a moment ago: for programs that cannot tell which one the kernel gave them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class _Program:
    def __init__(self, command, log_path):
        self._log_path = log_path
        with open(log_path, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log_text(self):
        with open(self._log_path) as log:
            return log.read()

    def answers(self, url):
        if self.process.poll() is not None:
            raise AssertionError(f"it ended by itself:\n{self.log_text()}")
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def close(self):
        self.process.terminate()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class NodeExporter(_Program):
    def __init__(self, folder):
        self.address = f"127.0.0.1:{free_port()}"
        super().__init__(["prometheus-node-exporter", f"--web.listen-address={self.address}"],
                         os.path.join(folder, "node_exporter.log"))
        wait_until(lambda: self.answers(f"http://{self.address}/metrics"), "node_exporter answers")


class Prometheus(_Program):
    """`config` is the text of its YAML file, in which OWN_ADDRESS is where it listens. Ready when the constructor
    returns."""

    def __init__(self, folder, name, config, arguments=()):
        self.address = f"127.0.0.1:{free_port()}"
        home = os.path.join(folder, name)
        os.makedirs(home)
        path = os.path.join(home, "prometheus.yml")
        with open(path, "w") as file:
            file.write(config.replace("OWN_ADDRESS", self.address))
        super().__init__(["prometheus", f"--config.file={path}", f"--storage.tsdb.path={home}/data",
                          f"--web.listen-address={self.address}", *arguments], os.path.join(home, "log"))
        wait_until(lambda: self.answers(f"http://{self.address}/-/ready"), f"Prometheus {name} is ready")

    def api(self, path, **parameters):
        """The `data` of an API answer."""
        query = urllib.parse.urlencode(parameters, doseq=True)
        with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}?{query}", timeout=60) as answer:
            return json.load(answer)["data"]

    def query(self, promql, at):
        """label set -> value or list of samples, for an instant query at a Unix time."""
        data = self.api("query", query=promql, time=at)
        if data["resultType"] == "scalar":
            return {(): data["result"]}
        field = "value" if data["resultType"] == "vector" else "values"
        return {tuple(sorted(series["metric"].items())): series[field] for series in data["result"]}

    def own_metric(self, name):
        """A metric without or with one label set from its own page, or None."""
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=5) as page:
            for line in page.read().decode().splitlines():
                if line.split("{")[0].split(" ")[0] == name:
                    return float(line.rsplit(" ", 1)[1])
        return None
