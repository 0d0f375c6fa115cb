"""What servers and clients of a test need to speak TLS while it is read: a library of their own and a certificate."""
import subprocess

from harness import make_certificate
from libraries import private_libraries

PYTHON = "/usr/bin/python3"  # Debian's: its ssl module is OpenSSL's shared library
KEEPER = "import ssl, sys; print('ready', flush=True); sys.stdin.read()"


class Clear:
    """No TLS."""
    environment = []  # the words before a command
    arguments = []  # wiregauge's
    key_pair = ()  # paths of a certificate and its key


class InTls:
    """A file is observed while a process in scope maps it; one does from now on, so that wiregauge, started after this,
    reads the first call of every program that comes later."""

    def __init__(self, stack, folder, namespace, cgroup):
        self.libraries, self.environment = private_libraries(folder)
        self.key_pair = make_certificate(folder)
        self.arguments = ["--exporter.tls=library"]
        keeper = namespace.start([*self.environment, PYTHON, "-c", KEEPER], cgroup, stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        stack.callback(keeper.communicate)
        if keeper.stdout.readline() != "ready\n":
            raise RuntimeError("Python has no TLS")


def tls_or_clear(tls, *place):
    """One of the two; `place` is what InTls takes."""
    return InTls(*place) if tls else Clear
