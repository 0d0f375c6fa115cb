"""Runs wiregauge for the end-to-end tests: starts it on ports of the kernel's choice, waits for its log lines, asks it
over HTTP, reads its metrics, and stops it by pid. Standard library only.

    with Wiregauge(remote_write=True) as daemon:
        answer = daemon.request("POST", "/api/v1/write", body=..., headers=...)
        assert answer.status == 204
        assert daemon.metrics().value("wiregauge_samples_written_total", protocol="...") == 2000

Every wait has a deadline and ends with an AssertionError that shows the log; nothing sleeps for a fixed time.
"""

import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

DEADLINE_S = 30  # of everything that should be done at once: generous, since sanitizer builds on busy machines are slow


def binary():
    """The program under test, from WIREGAUGE_BIN."""
    path = os.environ.get("WIREGAUGE_BIN")
    if not path:
        raise unittest.SkipTest("WIREGAUGE_BIN is not set")
    return path


def clean_environment(extra=None):
    """This process's environment without what would configure wiregauge."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("WIREGAUGE_", "NOTIFY_SOCKET"))}
    environment.update(extra or {})
    return environment


def wait_until(condition, what, deadline_s=DEADLINE_S, interval_s=0.01):
    """The first true value of condition(); AssertionError naming `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"after {deadline_s} s still not: {what}")
        time.sleep(interval_s)


def run(*arguments, environment=None, cwd=None):
    """Runs a command that ends by itself; returns its CompletedProcess with text output."""
    return subprocess.run([binary(), *arguments], env=clean_environment(environment), cwd=cwd, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S, check=False)


class Answer:
    """An HTTP answer: status, headers (any case), body as bytes."""

    def __init__(self, response, body):
        self.status = response.status
        self.headers = response.headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \S+)?$")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)",?')
_ESCAPE = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Metrics:
    """A page in the text format 0.0.4, parsed strictly: `samples` is a list of (name, labels, value)."""

    def __init__(self, text):
        self.text = text
        self.types = {}
        self.samples = []
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line[7:].split(" ")
                self.types[name] = kind
            elif line and not line.startswith("#"):
                self.samples.append(self._parse(line))

    @staticmethod
    def _parse(line):
        match = _SAMPLE.match(line)
        if not match:
            raise AssertionError(f"not a sample line: {line!r}")
        name, label_text, value = match.groups()
        labels = {}
        for key, escaped in _LABEL.findall(label_text or ""):
            labels[key] = re.sub(r'\\[\\"n]', lambda m: _ESCAPE[m.group()], escaped)
        return name, labels, float(value)

    def matching(self, name, **labels):
        """Samples of that name whose labels include the given ones; None as a value means: without that label."""
        return [(found, value) for sample, found, value in self.samples
                if sample == name and all(found.get(k) == v for k, v in labels.items())]

    def value(self, name, **labels):
        """The value of the one sample that matches, or None when none does."""
        found = self.matching(name, **labels)
        if len(found) > 1:
            raise AssertionError(f"{name}{labels}: {len(found)} samples match")
        return found[0][1] if found else None

    def sum(self, name, **labels):
        """The sum over all samples that match; 0 when none does."""
        return math.fsum(value for _, value in self.matching(name, **labels))


class Wiregauge:
    """One running wiregauge, as a context manager. Both planes are off unless asked for, so that a test starts in
    milliseconds and needs no rights; `folder` is its working directory and holds its store."""

    def __init__(self, *arguments, exporter=False, remote_write=False, listen=("127.0.0.1:0",), environment=None,
                 folder=None, tls=None, start_deadline_s=DEADLINE_S):
        self._own_folder = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="wiregauge-test-")
        self.arguments = [binary(), *(f"--web.listen-address={address}" for address in listen),
                          "--exporter" if exporter else "--no-exporter",
                          "--remote-write" if remote_write else "--no-remote-write",
                          f"--storage.path={self.folder}/data", *arguments]
        self.environment = clean_environment(environment)
        self.tls = tls  # an ssl.SSLContext when it serves HTTPS
        self.start_deadline_s = start_deadline_s
        self.addresses = []  # as logged: "127.0.0.1:34567", "[::1]:34568"; one a listener, in order
        self.log = []
        self.process = None
        self._listeners = len(listen)
        self._changed = threading.Condition()
        self._reader = None
        self._ended = False

    # Life.

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process and self.process.poll() is None:
            self.stop()
        if self._own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        """Starts it (again) and waits until every listener is announced."""
        self.log, self._ended = [], False
        self.process = subprocess.Popen(self.arguments, env=self.environment, cwd=self.folder,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read_log, args=(self.process.stderr,), daemon=True)
        self._reader.start()
        self.addresses = [self.wait_log(self._listening(i), self.start_deadline_s) for i in range(self._listeners)]

    def _listening(self, index):
        def found(lines):
            events = [parse_log(line) for line in lines if "Listening on" in line]
            return events[index]["address"] if len(events) > index else None
        return found

    def stop(self, how=signal.SIGTERM, deadline_s=DEADLINE_S):
        """Sends the signal and returns the exit code (negative: ended by that signal)."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.wait(deadline_s)

    def kill(self):
        """kill -9."""
        return self.stop(signal.SIGKILL)

    def wait(self, deadline_s=DEADLINE_S):
        """Waits for the end of the process and of its log; the exit code."""
        try:
            code = self.process.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end within {deadline_s} s\n{self.log_text()}") from None
        self._reader.join(deadline_s)
        self.process.stderr.close()
        return code

    @property
    def pid(self):
        return self.process.pid

    # Its log.

    def _read_log(self, stream):
        for raw in stream:
            with self._changed:
                self.log.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def log_text(self):
        with self._changed:
            return "\n".join(self.log)

    def wait_log(self, wanted, deadline_s=DEADLINE_S):
        """The first line that holds the text `wanted`; or, for a function of all lines so far, its first true
        value."""
        find = wanted if callable(wanted) else lambda lines: next((line for line in lines if wanted in line), None)
        end = time.monotonic() + deadline_s
        with self._changed:
            while True:
                found = find(self.log)
                if found:
                    return found
                left = end - time.monotonic()
                if self._ended or left <= 0:
                    why = "it ended" if self._ended else f"{deadline_s} s passed"
                    raise AssertionError(f"{why} and the log lacks {wanted!r}:\n" + "\n".join(self.log))
                self._changed.wait(left)

    # Asking it.

    @property
    def address(self):
        return self.addresses[0]

    @property
    def port(self):
        return port_of(self.address)

    def url(self, path="/", listener=0):
        return f"{'https' if self.tls else 'http'}://{self.addresses[listener]}{path}"

    def connection(self, listener=0, host=None, timeout_s=DEADLINE_S):
        """A kept-alive http.client connection to a listener; `host` replaces the address it is reached at."""
        address = self.addresses[listener]
        host = host or address.rsplit(":", 1)[0].strip("[]")
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        if self.tls:
            return http.client.HTTPSConnection(host, port_of(address), timeout=timeout_s, context=self.tls)
        return http.client.HTTPConnection(host, port_of(address), timeout=timeout_s)

    def socket(self, listener=0, timeout_s=DEADLINE_S):
        """A bare TCP connection, for requests that no client library would send."""
        address = self.addresses[listener]
        host = {"0.0.0.0": "127.0.0.1", "[::]": "::1"}.get(address.rsplit(":", 1)[0], address.rsplit(":", 1)[0])
        return socket.create_connection((host.strip("[]"), port_of(address)), timeout=timeout_s)

    def request(self, method, path, body=None, headers=None, listener=0, timeout_s=DEADLINE_S):
        """One request on a connection of its own."""
        connection = self.connection(listener, timeout_s=timeout_s)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return Answer(response, response.read())
        except ConnectionError as error:
            if self.process.poll() is None:
                raise
            raise AssertionError(f"ended with {self.process.returncode}:\n{self.log_text()}") from error
        finally:
            connection.close()

    def get(self, path, headers=None, listener=0):
        return self.request("GET", path, headers=headers, listener=listener)

    def metrics(self, headers=None):
        """The parsed page of /metrics; AssertionError unless it answers 200."""
        answer = self.get("/metrics", headers=headers)
        if answer.status != 200:
            raise AssertionError(f"/metrics: {answer}\n{self.log_text()}")
        return Metrics(answer.text)

    def wait_ready(self, deadline_s=DEADLINE_S):
        """Waits until /-/ready answers 200."""
        wait_until(lambda: self.get("/-/ready").status == 200, "/-/ready answers 200", deadline_s)


def port_of(address):
    return int(address.rsplit(":", 1)[1])


_PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)(?: |$)')


def parse_log(line):
    """A log line of either format as a dictionary of texts."""
    if line.startswith("{"):
        return json.loads(line)
    return {key: json.loads(value) if value.startswith('"') else value for key, value in _PAIR.findall(line)}


def make_certificate(folder, name="localhost", signer=None):
    """Makes folder/NAME.pem and folder/NAME.key for NAME and 127.0.0.1 with the openssl command; signed by itself, or
    by the pair that an earlier call returned. Returns (certificate path, key path)."""
    certificate, key = os.path.join(folder, f"{name}.pem"), os.path.join(folder, f"{name}.key")
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
               "-keyout", key, "-out", certificate, "-subj", f"/CN={name}",
               "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"]
    if signer:
        command += ["-CA", signer[0], "-CAkey", signer[1], "-addext", "basicConstraints=critical,CA:FALSE"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return certificate, key


def client_context(ca_file, certificate=None, key=None):
    """A TLS client that trusts that file and, when given, presents a certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context
