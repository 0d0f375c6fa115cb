#!/usr/bin/env python3
"""A MySQL client that speaks the protocol itself, for what the C library does not do: the new form of EOF
(CLIENT_DEPRECATE_EOF), commands sent without waiting for answers, a connection that is used again later.

    mysql_raw.py HOST [--tls] [--pause]

Prints what it did as mysql_calls does: {"calls": [...]}. With --pause it prepares a statement, prints "paused" and goes
on when a line comes on stdin; then only what comes behind the pause is said."""
import argparse
import collections
import hashlib
import json
import socket
import ssl
import struct

USER, PASSWORD, DATABASE = b"tester", b"secret", b"test"
CLIENT_SSL = 1 << 11
CLIENT_DEPRECATE_EOF = 1 << 24
# LONG_PASSWORD, CONNECT_WITH_DB, LOCAL_FILES, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, MULTI_STATEMENTS,
# MULTI_RESULTS, PS_MULTI_RESULTS, PLUGIN_AUTH
CAPABILITIES = 0x1 | 0x8 | 0x80 | 0x200 | 0x2000 | 0x8000 | 0x10000 | 0x20000 | 0x40000 | 0x80000
MORE_RESULTS = 0x8
LAST_PREPARED = b"\xff\xff\xff\xff"


def packet(payload, sequence=0):
    return struct.pack("<I", len(payload))[:3] + bytes([sequence]) + payload


def execute(statement, *integers, cursor=False):
    values = b"".join(struct.pack("<i", value) for value in integers)
    types = b"\0\1" + b"\3\0" * len(integers) if integers else b""
    return b"\x17" + statement + bytes([cursor]) + b"\1\0\0\0" + types + values


class Client:
    def __init__(self, host, port, tls):
        self.calls = collections.Counter()
        self._socket = socket.create_connection((host, port))
        self._file = self._socket.makefile("rb")
        greeting = self._read()
        at = greeting.index(0, 1) + 5
        salt = greeting[at:at + 8] + greeting[at + 27:at + 39]
        once = hashlib.sha1(PASSWORD).digest()
        mask = hashlib.sha1(salt + hashlib.sha1(once).digest()).digest()
        answer = bytes(a ^ b for a, b in zip(once, mask))
        capabilities = CAPABILITIES | CLIENT_DEPRECATE_EOF | (CLIENT_SSL if tls else 0)
        login = struct.pack("<IIB23x", capabilities, 1 << 24, 45)
        if tls:
            self._socket.sendall(packet(login, 1))
            self._begin_tls()
        login += USER + b"\0\x14" + answer + DATABASE + b"\0mysql_native_password\0"
        self._socket.sendall(packet(login, 2 if tls else 1))
        assert self._read()[0] == 0
        self._count("CONNECT", "")

    def _begin_tls(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self._socket = context.wrap_socket(self._socket)
        self._file = self._socket.makefile("rb")

    def send(self, *commands):
        self._socket.sendall(b"".join(packet(command) for command in commands))

    def _read(self):
        header = self._file.read(4)
        return self._file.read(header[0] | header[1] << 8 | header[2] << 16)

    def _count(self, operation, table, payload=b""):
        error = str(struct.unpack_from("<H", payload, 1)[0]) if payload[:1] == b"\xff" else ""
        self.calls[operation, table, error] += 1

    @staticmethod
    def _status(payload):  # of an OK packet whose numbers are below 251
        return struct.unpack_from("<H", payload, 3)[0]

    def results(self, operation, table):
        """Reads the answer to a statement."""
        while True:
            payload = self._read()
            if payload[0] not in (0, 0xff):
                for _ in range(payload[0]):
                    self._read()
                payload = self._read()
                while not (payload[0] == 0xfe and len(payload) < 9) and payload[0] != 0xff:
                    payload = self._read()
            if payload[0] == 0xff or not self._status(payload) & MORE_RESULTS:
                return self._count(operation, table, payload)

    def prepared(self, table):
        """Reads the answer to a PREPARE; the statement's id."""
        payload = self._read()
        columns, parameters = struct.unpack_from("<HH", payload, 5)
        for _ in range(columns + parameters):
            self._read()
        self._count("PREPARE", table)
        return payload[1:5]

    def one(self, operation, table=""):
        self._count(operation, table, self._read())

    def close(self):
        self.send(b"\x01")
        self._socket.close()


def use(client, rounds):
    for _ in range(rounds):
        client.send(b"\x03SELECT * FROM words")
        client.results("SELECT", "words")
        client.send(b"\x03SELECT * FROM words WHERE 0")
        client.results("SELECT", "words")
        client.send(b"\x03CALL results()")
        client.results("CALL", "")
        client.send(b"\x03DO 1; SELECT 1; SELECT * FROM missing")
        client.results("DO", "")
        client.send(b"\x16SELECT word FROM words WHERE id < ?")
        statement = client.prepared("words")
        client.send(execute(statement, 9))
        client.results("SELECT", "words")
        client.send(execute(statement, 9, cursor=True))
        client.results("SELECT", "words")
        client.send(b"\x1c" + statement + b"\3\0\0\0")  # 3 rows
        while client._read()[0] != 0xfe:
            pass
        client._count("FETCH", "words")
        client.send(b"\x19" + statement)
        # Ten commands at once.
        commands = [b"\x16UPDATE words SET word = 'new' WHERE id = ?", execute(LAST_PREPARED, 3), b"\x03SELECT 7 FROM words",
                    b"\x0e", b"\x03SELECT missing FROM words"]
        client.send(*commands, *commands)
        for _ in range(2):
            client.prepared("words")
            client.results("UPDATE", "words")
            client.results("SELECT", "words")
            client.one("PING")
            client.results("SELECT", "words")
        client.send(b"\x04words\0")
        while client._read()[0] != 0xfe:
            pass
        client._count("FIELD_LIST", "")
        client.send(b"\x77")
        client.one("_OTHER")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("--port", type=int, default=3306)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--pause", action="store_true")
    arguments = parser.parse_args()
    client = Client(arguments.host, arguments.port, arguments.tls)
    if arguments.pause:
        client.send(b"\x16SELECT id FROM words")
        statement = client.prepared("words")
        print("paused", flush=True)
        input()
        client.calls.clear()
        client.send(execute(statement))
        client.results("_OTHER", "")  # prepared before anybody looked
    use(client, arguments.rounds)
    client.close()
    print(json.dumps({"calls": [{"operation": operation, "table": table, "error": error, "count": count}
                                for (operation, table, error), count in client.calls.items()]}))


if __name__ == "__main__":
    main()
