#!/usr/bin/env python3
"""A small system to look at: nginx and redis in one network namespace, their clients in another, all in a cgroup of
their own. A few requests a second, some of which fail. Uses the wiregauge that runs already, or starts one for itself.
Ctrl-C, or any error, removes everything."""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests/tools"))
import netns_pair  # noqa: E402
from nginx import Nginx  # noqa: E402

DEFAULT_URL = "http://127.0.0.1:10420"
ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
FIRST_FIGURES_SECONDS = 30  # until every example below has been seen; usually 5

# What a newcomer should see first: how many and how slow, what fails, what TCP does below.
EXAMPLES = [
    ("requests answered by nginx", ['http_server_request_duration_seconds_count{', 'http_route="/ok"',
                                    'http_response_status_code="200"']),
    ("requests that failed", ['http_server_request_duration_seconds_count{', 'http_response_status_code="500"']),
    ("bytes that redis sent", ['wiregauge_tcp_sent_bytes_total{', 'role="server"', 'redis']),
]


def fetch(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return answer.read().decode()


def running_wiregauge():
    with contextlib.suppress(OSError):
        fetch(DEFAULT_URL + "/-/ready")
        return DEFAULT_URL
    return None


def start_wiregauge(cgroup, folder, undo):
    """A wiregauge of the demo's own, on the demo's cgroup; its URL once it listens."""
    command = [os.path.join(ROOT, "build/wiregauge"), "--web.listen-address=127.0.0.1:0",
               f"--exporter.cgroup={cgroup.path}", f"--storage.path={folder}/data"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    undo.callback(stop, process)
    for line in process.stderr:
        if 'msg="Listening on"' in line:
            # From here on its log has no reader: let it go to this terminal's file instead of filling the pipe.
            drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=open(f"{folder}/wiregauge.log", "w"),
                                     start_new_session=True)
            undo.callback(stop, drain)
            return "http://" + line.rpartition("address=")[2].split()[0]
        sys.stderr.write(line)
    raise RuntimeError(f"wiregauge ended with exit status {process.wait()}")


def stop(process):
    process.terminate()
    process.wait()


def start_system(pair, cgroup, folder):
    Nginx(os.path.join(folder, "nginx"), pair.a, cgroup)
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "start_new_session": True}
    pair.a.start(["redis-server", "--bind", pair.a.address, "--port", "6379", "--save", "", "--protected-mode", "no",
                  "--dir", folder], cgroup, **quiet)
    pair.b.start([sys.executable, os.path.join(ROOT, "deploy/demo/client.py"), pair.a.address], cgroup, **quiet)


def first_figures(url):
    """One line of /metrics for each example, None where there was none in time."""
    deadline = time.monotonic() + FIRST_FIGURES_SECONDS
    while True:
        lines = fetch(url + "/metrics").splitlines()
        found = [next((line for line in lines if all(part in line for part in parts)), None) for _, parts in EXAMPLES]
        if all(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.5)


def show(url, borrowed):
    print(f"\nnginx, redis and their clients are running; wiregauge{' (yours)' if borrowed else ''} shows them at\n"
          f"  {url}/metrics\n")
    found = first_figures(url)
    for (what, _), line in zip(EXAMPLES, found):
        print(f"# {what}\n{line or 'nothing yet'}\n")
    if not any(found) and borrowed:
        print("The running wiregauge does not see the demo: is it limited to another cgroup?")
    print("Ctrl-C removes it all.", flush=True)


def run():
    with contextlib.ExitStack() as undo:
        folder = undo.enter_context(tempfile.TemporaryDirectory(prefix="wiregauge-demo-"))
        os.mkdir(os.path.join(folder, "nginx"))
        os.chmod(folder, 0o755)
        cgroup = undo.enter_context(netns_pair.Cgroup())
        pair = undo.enter_context(netns_pair.NetnsPair())
        borrowed = running_wiregauge()
        url = borrowed or start_wiregauge(cgroup, folder, undo)
        undo.callback(ignore_signals)  # first to run: a second Ctrl-C waits until everything is gone
        start_system(pair, cgroup, folder)
        show(url, borrowed)
        signal.pause()


def ignore_signals():
    for number in ENDING_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def interrupt(*_):
    raise KeyboardInterrupt


def main():
    reason = netns_pair.cannot_run()
    if reason:
        print(f"demo: {reason}", file=sys.stderr)
        return 1
    # SIGINT too: a shell that starts us in the background has it ignored.
    for number in ENDING_SIGNALS:
        signal.signal(number, interrupt)
    netns_pair.sweep()
    try:
        run()
    except KeyboardInterrupt:
        print("\ndemo: removed")
    except (RuntimeError, OSError) as error:
        print(f"demo: {error}; removed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
