"""unbound as the name server that the tests observe: answers when the constructor returns, ended with its cgroup."""
import os
import socket
import struct
import subprocess

CONFIG = """
server:
  interface: 0.0.0.0
  port: {port}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  logfile: "{folder}/unbound.log"
  num-threads: 1
  {tls}
  access-control: 0.0.0.0/0 allow
  access-control: {refused} refuse
  module-config: "iterator"
  do-ip6: no
  root-hints: ""
  local-zone: "example.test." static
  local-data: "db.example.test. 60 IN A 10.213.7.1"
  local-data: "www.example.test. 60 IN A 10.213.7.1"
  local-data: "www.example.test. 60 IN A 10.213.7.9"
  local-zone: "refused.test." always_refuse
  local-zone: "silent.test." always_deny
  do-not-query-address: 0.0.0.0/0
remote-control:
  control-enable: yes
  control-interface: "{folder}/control"
  control-use-cert: no
"""
TLS = """
  tls-port: {}
  tls-service-pem: "{}"
  tls-service-key: "{}"
"""


def question(name, number=1, kind=1):
    """A DNS query on the wire."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    return struct.pack(">HHHHHH", number, 0x0100, 1, 0, 0, 0) + labels + struct.pack(">HH", kind, 1)


class Unbound:
    """Knows db.example.test and www.example.test; NXDOMAIN for the rest of example.test, REFUSED below refused.test and
    for clients of `refused`, SERVFAIL for every other name, no answer at all below silent.test. `tls` is a pair of
    paths, certificate and key: it speaks nothing but DNS over TLS then. `environment` are words before its command."""

    def __init__(self, folder, namespace, cgroup, port=53, refused="192.0.2.0/24", tls=(), environment=()):
        self._folder = folder
        path = os.path.join(folder, "unbound.conf")
        with open(path, "w") as file:
            file.write(CONFIG.format(folder=folder, port=port, refused=refused,
                                     tls=TLS.format(port, *tls) if tls else ""))
        self.process = namespace.start([*environment, "unbound", "-d", "-c", path], cgroup, stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(1000):  # the control socket answers once the server does
            done = subprocess.run(["unbound-control", "-c", path, "status"], capture_output=True, text=True)
            if done.returncode == 0:
                break
            if self.process.poll() is not None:
                raise RuntimeError(f"unbound: {self.process.stderr.read()}")
        else:
            raise RuntimeError(f"unbound does not answer: {done.stdout}{done.stderr}")

    def queries(self):
        """Its own account: queries since the start."""
        done = subprocess.run(["unbound-control", "-c", os.path.join(self._folder, "unbound.conf"), "stats_noreset"],
                              capture_output=True, text=True, check=True)
        return int(dict(line.split("=") for line in done.stdout.splitlines())["total.num.queries"].split(".")[0])

    def close(self):
        self.process.terminate()
        self.process.communicate()


def ask_by_tcp(address, names, port=53):
    """Sends all questions, then reads all answers, on one connection; the codes by name."""
    codes = {}
    with socket.create_connection((address, port), timeout=20) as connection:
        wire = b""
        for number, name in enumerate(names):
            message = question(name, number)
            wire += struct.pack(">H", len(message)) + message
        connection.sendall(wire)
        file = connection.makefile("rb")
        for _ in names:
            size = struct.unpack(">H", file.read(2))[0]
            answer = file.read(size)
            number, flags = struct.unpack(">HH", answer[:4])
            codes[names[number]] = flags & 15
    return codes
