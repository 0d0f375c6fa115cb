#!/usr/bin/env python3
"""Clients of memcached that count what they send and what they get.

    memcached_client.py [--tls] ADDRESS CLIENT [NUMBER...]

CLIENT is the name of a function below; what it returns is printed as a Python literal. With --tls it speaks TLS and
trusts whatever it meets."""
import argparse
import collections
import os
import socket
import ssl
import time

PORT = 11211


def connect(address, port=PORT):
    plain = socket.create_connection((address, port), timeout=30)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return plain


def connect_in_tls(address, port=PORT):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connect(address, port))


class Client:
    """One connection. `sent` counts (command, code) of what was sent and how it was answered."""

    connect = staticmethod(connect)

    def __init__(self, address):
        self._socket = self.connect(address)
        self._file = self._socket.makefile("rb")
        self.sent = collections.Counter()
        self.seconds = 0.0

    def send(self, data):
        self._socket.sendall(data)

    def line(self):
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the server closed behind {line}")
        return line[:-2].decode()

    def answer(self):
        """The code of one answer, as it is told: the last line's first word; VALUE when values came before END."""
        values = False
        while True:
            line = self.line()
            word = line.split(" ")[0]
            if word in ("VALUE", "VA"):
                self._file.read(int(line.split()[3 if word == "VALUE" else 1]) + 2)
                if word == "VA":
                    return word
                values = True
            elif word == "END":
                return "VALUE" if values else "END"
            elif word not in ("STAT", "ITEM"):
                return "" if word.isdigit() else word

    def call(self, text, value=None):
        """Sends a command, reads its answer, counts both."""
        data = text.encode() + b"\r\n" + (b"" if value is None else value + b"\r\n")
        begin = time.monotonic()
        self.send(data)
        code = self.answer()
        self.seconds += time.monotonic() - begin
        self.sent[text.split(" ")[0], code] += 1
        return code

    def close(self):
        self._file.close()
        self._socket.close()


def statistics(address):
    """`stats` as a dictionary, and the answer's count."""
    client = Client(address)
    client.send(b"stats\r\n")
    stats = {}
    while True:
        line = client.line()
        if line == "END":
            client.close()
            return stats
        _, name, value = line.split(" ", 2)
        stats[name] = value


def every_command(address):
    client = Client(address)
    for _ in range(20):
        client.call("set a 0 0 5", b"hello")
        client.call("get a")
        client.call("get none")
        client.call("gets a b none c")
        client.call("add a 0 0 1", b"x")
        client.call("add fresh 0 0 1", b"x")
        client.call("replace a 1 0 5", b"END\r\n")
        client.call("append a 0 0 1", b"x")
        client.call("prepend none 0 0 1", b"x")
        client.call("cas a 0 0 1 1", b"x")
        client.call("cas none 0 0 1 1", b"x")
        client.call("set n 0 0 1", b"1")
        client.call("incr n 41")
        client.call("decr n 2")
        client.call("incr none 1")
        client.call("touch a 100")
        client.call("touch none 100")
        client.call("gat 100 a n")
        client.call("delete fresh")
        client.call("delete none")
        client.call("version")
        client.call("verbosity 0")
        client.call("stats")
        client.call("stats settings")
        client.call("nonsense")
        client.call("incr a 1")                        # CLIENT_ERROR
        client.call("set huge 0 0 3000000", b"x" * 3000000)  # SERVER_ERROR
        client.call("ms m 2 T0", b"hi")
        client.call("mg m v k O9")
        client.call("mg m")
        client.call("mg none v")
        client.call("ms m 2 ME", b"hi")                # NS
        client.call("ms m 2 C1", b"hi")                # EX
        client.call("ma n")
        client.call("ma n v")
        client.call("ma none")
        client.call("md m")
        client.call("md m")
        client.call("mn")
    client.call("flush_all")
    client.close()
    return client.sent


def load(address, connections, turns, pipeline):
    """Pipelines of `pipeline` commands on each of the connections."""
    clients = [Client(address) for _ in range(connections)]
    value = b"v" * 100
    for turn in range(turns):
        for client in clients:
            burst = []
            for i in range(pipeline):
                key = f"key{i % 7}"
                burst.append([f"set {key} 0 0 100\r\n".encode() + value + b"\r\n", f"get {key}\r\n".encode(),
                              f"get none{i}\r\n".encode(), f"get key0 key1 none{i}\r\n".encode()][(turn + i) % 4])
            client.send(b"".join(burst))
        for client in clients:
            for i in range(pipeline):
                client.sent[("set", "get", "get", "get")[(turn + i) % 4], client.answer()] += 1
    for client in clients:
        client.close()
    return sum((client.sent for client in clients), collections.Counter())


def silent(address):
    """noreply and quiet commands; returns how often each is to be told."""
    client, sent = Client(address), collections.Counter()
    for i in range(50):
        client.send(b"set quiet 0 0 1 noreply\r\nx\r\ndelete quiet noreply\r\nset quiet 0 0 1 noreply\r\ny\r\n")
        sent.update({("set", ""): 2, ("delete", ""): 1})
        client.send(b"mg quiet v q O1\r\nmg none v q O2\r\nmg quiet v q k\r\nms new 1 q\r\nx\r\nms new 1 q ME O3\r\nx\r\nmn\r\n")
        assert [client.answer() for _ in range(4)] == ["VA", "VA", "NS", "MN"]
        sent.update({("mg", "VA"): 2, ("mg", "EN"): 1, ("ms", "HD"): 1, ("ms", "NS"): 1, ("mn", "MN"): 1})
    client.send(b"quit\r\n")
    sent["quit", ""] += 1
    client.close()
    return sent


def large_values(address):
    client = Client(address)
    value = os.urandom(1_000_000)
    for i in range(10):
        client.call(f"set large{i} 0 0 {len(value)}", value)
        client.call(f"get large{i}")
        client.call("get none")
    client.close()
    return client.sent


def timed(address):
    client = Client(address)
    for _ in range(1_000):
        client.call("get none")
    client.close()
    return client.sent, client.seconds


def binary_noops(address):
    with socket.create_connection((address, PORT), timeout=30) as connection:
        for _ in range(10):
            connection.sendall(b"\x80\x0a" + bytes(22))
            answer = b""
            while len(answer) < 24:
                answer += connection.recv(24)


CLIENTS = (statistics, every_command, load, silent, large_values, timed, binary_noops)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("address")
    parser.add_argument("client", choices=[client.__name__ for client in CLIENTS])
    parser.add_argument("numbers", type=int, nargs="*")
    arguments = parser.parse_args()
    if arguments.tls:
        Client.connect = staticmethod(connect_in_tls)
    client = next(client for client in CLIENTS if client.__name__ == arguments.client)
    print(literal(client(arguments.address, *arguments.numbers)))


def literal(result):
    if isinstance(result, tuple):
        return tuple(literal(part) for part in result)
    return dict(result) if isinstance(result, collections.Counter) else result


if __name__ == "__main__":
    main()
