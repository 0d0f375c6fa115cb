#!/usr/bin/env python3
"""A bounded HTTP/1.1 load over TLS with exact accounts, by Python's ssl: so many requests, each answer checked, none
retried. Prints what http_load prints. With --wait it makes no connection before a line comes on stdin; with --hold its
connections stay open until stdin ends; with --again there is a run for each line on stdin."""
import argparse
import asyncio
import collections
import json
import socket
import ssl
import sys
import threading
import time


class Account:
    def __init__(self):
        self.answers = collections.Counter()
        self.mismatched = 0
        self.seconds = 0.0
        self.lock = threading.Lock()

    def add(self, request, status, size, seconds):
        method, path, want_status, want_size = request
        with self.lock:
            self.answers[method, path, status] += 1
            self.seconds += seconds
            if status != want_status or size != want_size:
                self.mismatched += 1

    def report(self):
        return {"answered": sum(self.answers.values()), "mismatched": self.mismatched,
                "duration_seconds_sum": self.seconds,
                "answers": [{"method": method, "path": path, "status": status, "count": count}
                            for (method, path, status), count in self.answers.items()]}


def context(version):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version:
        made.minimum_version = made.maximum_version = getattr(ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
    return made


def message(request, options):
    method, path = request[:2]
    body = b"x" * options.send_bytes if method in ("POST", "PUT", "PATCH") else b""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: load\r\n{length}\r\n".encode() + body


def split_head(head):
    lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
    return int(lines[0].split()[1]), int(fields.get("content-length", 0))


class Blocking:
    """A connection with a socket of its own, or with a memory BIO between it and the library."""

    def __init__(self, options, tls):
        self.raw = socket.create_connection((options.host, options.port))
        self.raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.memory = options.mode == "memory"
        self.rest = b""
        if self.memory:
            self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = tls.wrap_bio(self.incoming, self.outgoing, server_hostname="load")
            self.pump(self.tls.do_handshake)
        else:
            self.tls = tls.wrap_socket(self.raw, server_hostname="load")

    def pump(self, call, *arguments):
        while True:
            try:
                result = call(*arguments)
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.incoming.write(self.raw.recv(65536))
        self.flush()
        return result

    def flush(self):
        while self.outgoing.pending:
            self.raw.sendall(self.outgoing.read())

    def send(self, data):
        if self.memory:
            self.pump(self.tls.write, data)
        else:
            self.tls.sendall(data)

    def receive(self):
        got = self.pump(self.tls.read, 65536) if self.memory else self.tls.recv(65536)
        if not got:
            raise ConnectionError("the server closed the connection")
        return got

    def answer(self, method):
        while b"\r\n\r\n" not in self.rest:
            self.rest += self.receive()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        status, size = split_head(head)
        want = 0 if method == "HEAD" or status in (204, 304) else size
        left = want - len(self.rest)
        while left > 0:
            left -= len(self.receive())
        self.rest = self.rest[want:] if left == want - len(self.rest) else b""
        return status, want

    def close(self):
        self.raw.close()


def run_blocking(options, requests, account, opened):
    tls = context(options.tls)
    connection = None
    for request in requests:
        if connection is None or options.close:
            if connection:
                connection.close()
            connection = Blocking(options, tls)
        began = time.monotonic()
        connection.send(message(request, options))
        account.add(request, *connection.answer(request[0]), time.monotonic() - began)
    opened.append(connection)


async def run_asyncio(options, requests, account, opened):
    tls = context(options.tls)
    writer = None
    for request in requests:
        if writer is None or options.close:
            if writer:
                writer.close()
            reader, writer = await asyncio.open_connection(options.host, options.port, ssl=tls, server_hostname="load")
        began = time.monotonic()
        writer.write(message(request, options))
        await writer.drain()
        status, size = split_head(await reader.readuntil(b"\r\n\r\n"))
        want = 0 if request[0] == "HEAD" or status in (204, 304) else size
        await reader.readexactly(want)
        account.add(request, status, want, time.monotonic() - began)
    opened.append(writer)


def shares(options):
    """Each connection's contiguous share of the run."""
    mix = []
    for text in options.request:
        method, path, status, size = text.split()
        mix.append((method, path, int(status), int(size)))
    run = [mix[k % len(mix)] for k in range(options.requests)]
    size = -(-len(run) // options.connections)
    return [run[i:i + size] for i in range(0, len(run), size)]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("-n", "--requests", type=int, required=True)
    parser.add_argument("-c", "--connections", type=int, default=1)
    parser.add_argument("-r", "--request", action="append", required=True, help="METHOD PATH STATUS BODY-BYTES")
    parser.add_argument("--mode", choices=["socket", "memory", "asyncio"], default="socket")
    parser.add_argument("--tls", default="", help="1.2 or 1.3")
    parser.add_argument("--send-bytes", type=int, default=0)
    parser.add_argument("--close", action="store_true", help="one request a connection")
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--hold", action="store_true")
    parser.add_argument("--again", action="store_true", help="a run for each line on stdin")
    options = parser.parse_args()
    if options.again:
        for _ in sys.stdin:
            run(options)
        return
    if options.wait:
        sys.stdin.readline()
    run(options)


def run(options):
    account, opened = Account(), []

    def finish():
        print(json.dumps(account.report()), flush=True)
        if options.hold:
            sys.stdin.read()

    if options.mode == "asyncio":
        async def gather():
            await asyncio.gather(*(run_asyncio(options, share, account, opened) for share in shares(options)))
            await asyncio.get_running_loop().run_in_executor(None, finish)
        asyncio.run(gather())
        return
    threads = [threading.Thread(target=run_blocking, args=(options, share, account, opened))
               for share in shares(options)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    finish()


if __name__ == "__main__":
    main()
