"""Two network namespaces joined by a cable, and a cgroup v2 folder: a place of its own for each end-to-end test, gone
without a trace when the `with` ends, whatever happened inside. Needs root.

    with Cgroup() as cgroup, NetnsPair() as pair:
        pair.a.start([...], cgroup)             # a process in namespace a and in the cgroup, ended with the cgroup
        pair.b.run(["curl", f"http://{pair.a.address}/"])
        with lossy_link(pair.b, every=20, program="build/release/tests/tools/drop_nth") as link: ...
        link.counts()                           # {"segments": .., "dropped": .., "joined": 0}, once the block has ended
        settled_tcp_totals(pair.a, "sport = :80")  # the kernel's own figures of those sockets, summed

Commands enter a namespace by nsenter, not by `ip netns exec`: that hides /sys/fs/cgroup behind a new /sys.
"""
import contextlib
import ctypes
import itertools
import json
import multiprocessing
import os
import re
import select
import signal
import subprocess
import time

_numbers = itertools.count()
CLONE_NEWNET = 0x40000000
START_SECONDS = 30  # for a server to listen
CLEANUP_SECONDS = 10  # for the processes of a cgroup to be gone after SIGKILL


def cgroup2_mount():
    """Where cgroup v2 is mounted: /sys/fs/cgroup, or /sys/fs/cgroup/unified on a hybrid system. Raises OSError."""
    with open("/proc/self/mountinfo") as mounts:
        for line in mounts:
            fields, _, rest = line.partition(" - ")
            if rest.split()[0] == "cgroup2":
                return fields.split()[4]
    raise OSError("no cgroup v2 file system is mounted")


def cannot_run():
    """Why namespaces, cgroups and eBPF cannot be used here, or None: tests print it and exit with 77."""
    if os.geteuid() != 0:
        return "needs root"
    try:
        mount = cgroup2_mount()
        with Cgroup():
            pass
    except OSError as error:
        return f"needs a writable cgroup v2: {error}"
    with open("/proc/self/status") as status:
        effective = int(re.search(r"^CapEff:\s*(\w+)", status.read(), re.MULTILINE)[1], 16)
    for bit, name in ((12, "CAP_NET_ADMIN"), (21, "CAP_SYS_ADMIN"), (39, "CAP_BPF")):
        if not effective >> bit & 1:
            return f"needs {name} (cgroup v2 at {mount})"
    return None


def unique_name(what):
    return f"wg-{what}-{os.getpid()}-{next(_numbers)}"


def sweep():
    """Removes what earlier processes of ours left that were killed before their `with` could end."""
    def orphans(names):
        for name in names:
            made = re.fullmatch(r"wg-\w+-(\d+)-\d+", name)
            if made and not os.path.exists(f"/proc/{made[1]}"):
                yield name

    for name in orphans(os.listdir(cgroup2_mount())):
        _empty_and_remove(os.path.join(cgroup2_mount(), name))
    for name in orphans(os.listdir("/run/netns") if os.path.isdir("/run/netns") else []):
        _check(["ip", "netns", "del", name])


def _cgroup_pids(path):
    with open(os.path.join(path, "cgroup.procs")) as procs:
        return [int(line) for line in procs]


def _kill_all(path):
    for pid in _cgroup_pids(path):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _empty_and_remove(path):
    deadline = time.monotonic() + CLEANUP_SECONDS
    with open(os.path.join(path, "cgroup.events")) as events:
        changes = select.poll()
        changes.register(events, select.POLLPRI)
        while "populated 1" in events.read():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path}: processes {_cgroup_pids(path)} do not end")
            _kill_all(path)
            changes.poll(100)
            events.seek(0)
    while True:
        try:
            return os.rmdir(path)
        except OSError:  # a process that was just being forked
            if time.monotonic() > deadline:
                raise
            _kill_all(path)


class Cgroup:
    """A new folder in the cgroup v2 tree. `path` is what --exporter.cgroup takes."""

    def __init__(self, parent=None):
        self.path = os.path.join(parent or cgroup2_mount(), unique_name("test"))
        os.mkdir(self.path)

    def wrap(self, command):
        """The command, joining this folder before it begins: sockets belong to the cgroup they are made in."""
        return ["sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"', self.path, *command]

    def join(self):
        """Moves the calling process into this folder."""
        with open(os.path.join(self.path, "cgroup.procs"), "w") as procs:
            procs.write(str(os.getpid()))

    def pids(self):
        return _cgroup_pids(self.path)

    def close(self):
        """Ends what still runs in the folder and removes it."""
        _empty_and_remove(self.path)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Namespace:
    """A network namespace with its loopback up and, as half of a pair, one end of a cable."""

    def __init__(self):
        self.name = unique_name("ns")
        self.interface = self.address = self.address6 = None
        _check(["ip", "netns", "add", self.name])
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments):
        _check(["ip", "-n", self.name, *arguments])

    def wrap(self, command, cgroup=None):
        inside = ["nsenter", f"--net=/run/netns/{self.name}", *command]
        return cgroup.wrap(inside) if cgroup else inside

    def run(self, command, cgroup=None, check=True, **options):
        """subprocess.run with captured text output; raises with both outputs in the message when it fails."""
        return _check(self.wrap(command, cgroup), check=check, **options)

    def start(self, command, cgroup, **options):
        """subprocess.Popen, in the cgroup when this returns. The cgroup must outlive it: its end ends the process."""
        # Not by wrap(): its shell would join some time later, perhaps after the cgroup's end looked for processes.
        return subprocess.Popen(self.wrap(command), preexec_fn=cgroup.join, **options)

    def start_server(self, command, cgroup, port, **options):
        """start(), without input and output unless asked for, that returns when something listens on the TCP port."""
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.DEVNULL)
        server = self.start(command, cgroup, **options)
        deadline = time.monotonic() + START_SECONDS
        while not self.run(["ss", "-Hltn", f"sport = :{port}"]).stdout:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{' '.join(command)} does not listen on {port}")
            time.sleep(0.01)
        return server

    def enter(self):
        """Moves the calling process into the namespace."""
        with open(f"/run/netns/{self.name}") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error))

    def call(self, function, cgroup, *arguments, timeout_s=100):
        """function(*arguments) in a process of its own in the namespace and in the cgroup. Its result; raises what it
        raised as an AssertionError."""
        results = multiprocessing.Queue()

        def run():
            try:
                cgroup.join()
                self.enter()
                results.put((None, function(*arguments)))
            except BaseException as error:  # pylint: disable=broad-except
                results.put((repr(error), None))

        process = multiprocessing.get_context("fork").Process(target=run)
        process.start()
        error, result = results.get(timeout=timeout_s)
        process.join()
        if error:
            raise AssertionError(error)
        return result

    def close(self):
        _check(["ip", "netns", "del", self.name])


class NetnsPair:
    """Namespaces `a` and `b`, joined by a cable that carries single segments of at most the MTU, as a real one does:
    segmentation and receive offloads are off at both ends."""

    NETWORK = "10.213.7."  # nobody else's: the namespaces have no other network
    NETWORK6 = "fd13:7::"

    def __init__(self):
        with contextlib.ExitStack() as undo:
            self.a, self.b = Namespace(), None
            undo.callback(self.a.close)
            self.b = Namespace()
            undo.callback(self.b.close)
            self.a.ip("link", "add", "wg0", "type", "veth", "peer", "name", "wg0", "netns", self.b.name)
            self._set_up(self.a, 1)
            self._set_up(self.b, 2)
            undo.pop_all()

    def _set_up(self, side, number):
        side.interface = "wg0"
        side.address, side.address6 = f"{self.NETWORK}{number}", f"{self.NETWORK6}{number}"
        side.ip("address", "add", f"{side.address}/24", "dev", "wg0")
        side.ip("address", "add", f"{side.address6}/64", "dev", "wg0", "nodad")
        side.run(["ethtool", "-K", "wg0", "tso", "off", "gso", "off", "gro", "off"])
        side.ip("link", "set", "wg0", "up")

    def close(self):
        try:
            self.a.close()
        finally:
            self.b.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class LossyLink:
    """drop_nth on the ingress of a namespace's end of the cable, while the `with` block runs."""

    def __init__(self, namespace, every, program, port):
        command = [program, "--interface", namespace.interface, "--every", str(every), "--port", str(port)]
        self._process = subprocess.Popen(namespace.wrap(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._counts = None
        if self._process.stdout.readline() != "attached\n":
            self._process.wait()
            raise RuntimeError(f"drop_nth did not attach to {namespace.name}")

    def counts(self):
        return self._counts

    def close(self):
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise RuntimeError(f"drop_nth: exit status {self._process.returncode}: {output}")
        self._counts = json.loads(output)


@contextlib.contextmanager
def lossy_link(namespace, every, program, port=0):
    """Drops every Nth segment with payload that arrives at the namespace (of that port at either end, 0 = all)."""
    link = LossyLink(namespace, every, program, port)
    try:
        yield link
    finally:
        link.close()


# What `ss -i` calls a figure -> what TCP_INFO calls it. A figure that is 0 is not printed.
_SS_NUMBERS = ("bytes_acked", "bytes_received", "bytes_sent", "bytes_retrans", "segs_out", "segs_in", "data_segs_out",
               "data_segs_in", "rcv_ooopack", "unacked")


def tcp_totals(namespace, filter):
    """Sums of TCP_INFO over the namespace's connected sockets that match the ss filter; "sockets" is how many, and
    "total_retrans" counts segments. bytes_acked counts a client's SYN as one byte."""
    output = namespace.run(["ss", "-tinHO", "state", "connected", filter]).stdout
    totals = dict.fromkeys(("sockets", "total_retrans", *_SS_NUMBERS), 0)
    for line in output.splitlines():
        totals["sockets"] += 1
        for name in _SS_NUMBERS:
            found = re.search(rf"\s{name}:(\d+)", line)
            totals[name] += int(found[1]) if found else 0
        found = re.search(r"\sretrans:\d+/(\d+)", line)
        totals["total_retrans"] += int(found[1]) if found else 0
    return totals


def settled_tcp_totals(namespace, filter, timeout_s=10):
    """tcp_totals once everything sent is acknowledged: an answer that has been read may still lack its delayed ACK."""
    deadline = time.monotonic() + timeout_s
    while True:
        totals = tcp_totals(namespace, filter)
        if totals["unacked"] == 0:
            return totals
        if time.monotonic() > deadline:
            raise TimeoutError(f"{totals['unacked']} segments unacknowledged after {timeout_s} s")


def _check(command, check=True, **options):
    done = subprocess.run(command, capture_output=True, text=True, stdin=options.pop("stdin", subprocess.DEVNULL),
                          **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done
