"""redis-server as the server that the tests observe: answers when the constructor returns, ended with its cgroup. And a
client of plain sockets that sends exactly what it is told, times each command, and counts what it got."""
import os
import socket
import subprocess
import threading
import time

START_SECONDS = 20


class Redis:
    """Listens on `port` of the namespace and has answered PING with `ready`; `cli()` asks it through a UNIX socket,
    which nothing observes."""

    def __init__(self, folder, namespace, cgroup, port=6379, arguments=(), ready="PONG",
                 program=("redis-server",)):
        self._socket = os.path.join(folder, f"redis-{port}.sock")
        self._log = open(os.path.join(folder, f"redis-{port}.log"), "w+")
        command = [*program, "--port", str(port), "--bind", "0.0.0.0", "--protected-mode", "no", "--save", "",
                   "--unixsocket", self._socket, "--dir", folder, *arguments]
        self.process = namespace.start(command, cgroup, stdin=subprocess.DEVNULL, stdout=self._log,
                                       stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_SECONDS
        while ready not in self.cli("PING", check=False):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self._log.seek(0)
                raise RuntimeError(f"redis-server does not answer: {self._log.read()}")
            time.sleep(0.05)

    def close(self):
        self.process.terminate()
        self.process.wait()
        self._log.close()

    def cli(self, *arguments, check=True):
        done = subprocess.run(["redis-cli", "-s", self._socket, *arguments], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if check and done.returncode != 0:
            raise RuntimeError(f"redis-cli {arguments}: {done.stdout}")
        return done.stdout

    def command_stats(self):
        """command -> (calls, rejected and failed calls), containers summed over their subcommands."""
        stats = {}
        for line in self.cli("INFO", "commandstats").splitlines():
            if not line.startswith("cmdstat_"):
                continue
            name, _, figures = line[len("cmdstat_"):].partition(":")
            figures = dict(part.split("=") for part in figures.strip().split(","))
            name = name.split("|")[0].upper()
            calls, errors = stats.get(name, (0, 0))
            stats[name] = (calls + int(figures["calls"]), errors + int(figures["rejected_calls"]) +
                           int(figures["failed_calls"]))
        return stats

    def error_stats(self):
        """error word -> count."""
        return {line[len("errorstat_"):].split(":")[0]: int(line.strip().rsplit("=", 1)[1])
                for line in self.cli("INFO", "errorstats").splitlines() if line.startswith("errorstat_")}


class Client:
    """One connection, in the namespace and cgroup of the calling process."""

    def __init__(self, address, port=6379, timeout_s=30):
        self._socket = socket.create_connection((address, port), timeout=timeout_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""

    @staticmethod
    def encode(*arguments):
        parts = [argument if isinstance(argument, bytes) else str(argument).encode() for argument in arguments]
        return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)

    def send(self, data):
        self._socket.sendall(data)

    def _line(self):
        while b"\r\n" not in self._buffer:
            more = self._socket.recv(1 << 16)
            if not more:
                raise EOFError("the server closed")
            self._buffer += more
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _bytes(self, count):
        while len(self._buffer) < count + 2:
            more = self._socket.recv(1 << 20)
            if not more:
                raise EOFError("the server closed")
            self._buffer += more
        data, self._buffer = self._buffer[:count], self._buffer[count + 2:]
        return data

    def read(self):
        """One value of RESP2 or RESP3: errors as Error, pushes as Push."""
        line = self._line()
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            return Error(rest.decode())
        if kind in (b"$", b"=", b"!"):
            data = None if rest == b"-1" else self._bytes(int(rest))
            return Error(data.decode()) if kind == b"!" else data
        if kind in (b"*", b"~", b">"):
            values = None if rest == b"-1" else [self.read() for _ in range(int(rest))]
            return Push(values) if kind == b">" else values
        if kind == b"%":
            return {str(self.read()): self.read() for _ in range(int(rest))}
        if kind == b"|":
            for _ in range(2 * int(rest)):
                self.read()
            return self.read()
        return int(rest) if kind == b":" else rest

    def call(self, *arguments):
        self.send(self.encode(*arguments))
        return self.read()

    def close(self):
        self._socket.close()


class Error(str):
    pass


class Push(list):
    pass


def later(seconds, function):
    """Calls it in a thread of its own."""
    timer = threading.Timer(seconds, function)
    timer.start()
    return timer
