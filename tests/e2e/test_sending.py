#!/usr/bin/env python3
"""Whatever way a program gets its bytes into a socket, and whatever it is written in, the same requests are counted: the
tap sits where packets meet sockets."""
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
import netns_pair  # noqa: E402
from harness import Wiregauge, wait_until  # noqa: E402
from nginx import Nginx  # noqa: E402

TOOLS = os.environ.get("WIREGAUGE_TOOLS", "")
PORT = 8080
REQUESTS = 400

# Each answers GET with 200 and N bytes, keeps connections, and prints "listening".
GO_SERVER = """
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"strconv"
)

func main() {
	bytes, _ := strconv.Atoi(os.Args[2])
	body := make([]byte, bytes)
	for i := range body {
		body[i] = 'x'
	}
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", os.Args[2])
		w.Write(body)
	})
	listener, err := net.Listen("tcp", ":"+os.Args[1])
	if err != nil {
		panic(err)
	}
	fmt.Println("listening")
	http.Serve(listener, nil)
}
"""
NODE_SERVER = """
const [port, bytes] = process.argv.slice(-2).map(Number);
const body = Buffer.alloc(bytes, 'x');
require('http').createServer((request, response) => {
  response.setHeader('Content-Length', bytes);
  response.end(body);
}).listen(port, () => console.log('listening'));
"""
ASYNCIO_SERVER = """
import asyncio, sys
port, size = int(sys.argv[1]), int(sys.argv[2])
ANSWER = b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + b"x" * size

async def serve(reader, writer):
    try:
        while True:
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(ANSWER)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "0.0.0.0", port)
    print("listening", flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


class Sending(unittest.TestCase):
    maxDiff = None

    def check(self, command, service, body_bytes, pipeline=1, path="/some/path"):
        """Starts the server by `command`, sends a counted load, compares."""
        with contextlib.ExitStack() as stack:
            pair = stack.enter_context(netns_pair.NetnsPair())
            cgroup = stack.enter_context(netns_pair.Cgroup())
            wiregauge = stack.enter_context(Wiregauge(f"--exporter.cgroup={cgroup.path}", exporter=True))
            if command:
                server = pair.a.start(command, cgroup, stdout=subprocess.PIPE, text=True)
                stack.callback(self.end, server)
                self.assertEqual(server.stdout.readline(), "listening\n")
            else:
                nginx = Nginx(stack.enter_context(tempfile.TemporaryDirectory()), pair.a, cgroup, port=PORT)
                nginx.write_file("big", body_bytes)
            done = pair.b.run([f"{TOOLS}/http_load", "--host", pair.a.address, "--port", str(PORT), "-n", str(REQUESTS),
                               "-c", "4", "-p", str(pipeline), "-r",
                               f"GET {path} 200 {body_bytes}"], cgroup)
            load = json.loads(done.stdout.splitlines()[0])
            self.assertEqual((load["answered"], load["mismatched"]), (REQUESTS, 0))
            metrics = wait_until(lambda: self._when_closed(wiregauge, 4), "all connections are closed")
            told = {(role, labels["service_name"], labels["http_route"], labels["http_response_status_code"]): value
                    for role in ("server", "client")
                    for labels, value in metrics.matching(f"http_{role}_request_duration_seconds_count")}
            self.assertEqual(told, {("server", service, path, "200"): REQUESTS,
                                    ("client", "http_load", path, "200"): REQUESTS})
            lost = {str(labels): value for labels, value in metrics.matching("wiregauge_events_lost_total") if value}
            self.assertEqual(lost, {})
            self.assertEqual(metrics.sum("wiregauge_unparsed_bytes_total"), 0)
            for name in (service, "http_load"):
                self.assertEqual(metrics.value("wiregauge_capture_completeness_ratio", service_name=name), 1)

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        process.stdout.close()

    @staticmethod
    def _when_closed(wiregauge, connections):
        metrics = wiregauge.metrics()
        return metrics if metrics.sum("wiregauge_tcp_connections_closed_total") >= 2 * connections else None

    def check_way(self, way, body_bytes, **more):
        self.check([f"{TOOLS}/send_ways", "--port", str(PORT), "--body-bytes", str(body_bytes), way], "send_ways",
                   body_bytes, **more)

    def test_writev(self):
        self.check_way("writev", 3_000, pipeline=8)

    def test_sendfile(self):
        self.check_way("sendfile", 300_000)

    def test_nginx_sendfile(self):
        self.check(None, "nginx", 1_000_000, path="/files/big")

    def test_splice(self):
        self.check_way("splice", 300_000)

    def test_zerocopy(self):
        self.check_way("zerocopy", 40_000)

    def test_io_uring(self):
        self.check_way("io_uring", 20_000, pipeline=4)

    def test_a_socket_shared_by_two_processes(self):
        self.check_way("processes", 500, pipeline=4)

    def test_go(self):
        with tempfile.TemporaryDirectory() as folder:
            source = os.path.join(folder, "server.go")
            with open(source, "w") as file:
                file.write(GO_SERVER)
            program = os.path.join(folder, "goserver")
            environment = dict(os.environ, GO111MODULE="off", GOCACHE=os.path.join(folder, "cache"), CGO_ENABLED="0")
            subprocess.run(["go", "build", "-o", program, source], check=True, env=environment)
            self.check([program, str(PORT), "2000"], "goserver", 2_000)

    def test_node(self):
        self.check(["node", "-e", NODE_SERVER, str(PORT), "2000"], "node", 2_000)

    def test_asyncio(self):
        self.check([sys.executable, "-c", textwrap.dedent(ASYNCIO_SERVER), str(PORT), "2000"],
                   os.path.basename(os.path.realpath(sys.executable)), 2_000, pipeline=4)


if __name__ == "__main__":
    reason = netns_pair.cannot_run()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    unittest.main()
