"""A client of plain sockets that sends exactly the HTTP/2 frames that it is told to, and reads until a stream has ended.
Header blocks are written by hand: no Huffman code, indices as asked for."""
import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 7, 8
END_STREAM, ACK, END_HEADERS = 1, 1, 4
INITIAL_WINDOW_SIZE = 4
CANCEL = 8
GET = b"\x82\x86"  # :method GET, :scheme http


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def indexed(index):
    assert index < 127
    return bytes([0x80 | index])


def literal(name, value, add=False):
    """A field with its name; with `add`, one that joins the dynamic table."""
    name, value = name.encode(), value.encode()
    assert len(name) < 127 and len(value) < 127
    return bytes([0x40 if add else 0, len(name)]) + name + bytes([len(value)]) + value


class Client:
    """Connected, and its settings are acknowledged, when the constructor returns."""

    def __init__(self, address, port, window=None):
        self._socket = socket.create_connection((address, port), timeout=20)
        self._rest = b""
        self.ended = {}  # stream -> how: "end", or the error code of RST_STREAM
        self.goaway = None  # (last stream, error code)
        settings = b"" if window is None else struct.pack(">HI", INITIAL_WINDOW_SIZE, window)
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings))
        acknowledged = False
        while not acknowledged:
            acknowledged = self._read() == (SETTINGS, ACK)

    def send(self, data):
        self._socket.sendall(data)

    def headers(self, stream, block, flags=END_HEADERS | END_STREAM):
        self.send(frame(HEADERS, flags, stream, block))

    def reset(self, stream, error=CANCEL):
        self.send(frame(RST_STREAM, 0, stream, struct.pack(">I", error)))

    def wait(self, *streams):
        """Until all of them have ended; returns how."""
        while not all(stream in self.ended for stream in streams):
            self._read()
        return [self.ended[stream] for stream in streams]

    def wait_data(self, *streams):
        """Until something of the body of each has come."""
        missing = set(streams)
        while missing:
            kind, _, stream = self._read_frame()[:3]
            if kind == DATA:
                missing.discard(stream)

    def wait_goaway(self):
        while self.goaway is None:
            self._read()
        return self.goaway

    def close(self):
        self._socket.close()

    def _read(self):
        kind, flags, stream, payload = self._read_frame()
        if kind in (DATA, HEADERS) and flags & END_STREAM:
            self.ended[stream] = "end"
        elif kind == RST_STREAM:
            self.ended[stream] = struct.unpack(">I", payload)[0]
        elif kind == GOAWAY:
            self.goaway = struct.unpack(">II", payload[:8])
        elif kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        if kind == DATA and payload:
            self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload))))
        return kind, flags

    def _read_frame(self):
        head = self._take(9)
        length = int.from_bytes(head[:3], "big")
        return head[3], head[4], int.from_bytes(head[5:9], "big") & 0x7fffffff, self._take(length)

    def _take(self, size):
        while len(self._rest) < size:
            more = self._socket.recv(65536)
            if not more:
                raise ConnectionError("closed by the server")
            self._rest += more
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken
