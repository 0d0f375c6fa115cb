"""Remote-write 1.0 and remote-read messages in pure Python, right or wrong at will: protobuf by hand, and snappy blocks
made of literals only, which every decoder takes."""

import struct


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def _bytes(text):
    return text if isinstance(text, bytes) else text.encode()


def label(name, value):
    return field(1, field(1, _bytes(name)) + field(2, _bytes(value)))


def sample(timestamp_ms, value):
    return field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(timestamp_ms))


def series(labels, samples):
    """labels: pairs or a dict; samples: (timestamp_ms, value) pairs."""
    pairs = labels.items() if isinstance(labels, dict) else labels
    return field(1, b"".join(label(n, v) for n, v in pairs) + b"".join(sample(t, v) for t, v in samples))


def snappy(message):
    """A snappy block of literals."""
    out = bytearray(varint(len(message)))
    for start in range(0, len(message), 65536):
        literal = message[start:start + 65536]
        out += b"\xf4" + struct.pack("<H", len(literal) - 1)  # a literal with its length in two bytes
        out += literal
    return bytes(out)


def snappy_zeros(count):
    """A small block that really becomes `count` zero bytes: a literal and copies of it."""
    out = bytearray(varint(count)) + b"\x00\x00"
    left = count - 1
    while left > 0:
        size = min(left, 64)
        out += bytes([(size - 1) << 2 | 2]) + struct.pack("<H", 1)
        left -= size
    return bytes(out)


def unsnappy(block):
    """The message of any snappy block."""
    length, at = read_varint(block, 0)
    out = bytearray()
    while at < len(block):
        tag = block[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            size = tag >> 2
            if size >= 60:
                extra = size - 59
                size = int.from_bytes(block[at:at + extra], "little")
                at += extra
            out += block[at:at + size + 1]
            at += size + 1
            continue
        if kind == 1:
            size, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | block[at]
            at += 1
        else:
            width = 2 if kind == 2 else 4
            size, offset = (tag >> 2) + 1, int.from_bytes(block[at:at + width], "little")
            at += width
        for _ in range(size):
            out.append(out[-offset])
    if len(out) != length:
        raise ValueError(f"snappy block of {len(out)} bytes, claimed {length}")
    return bytes(out)


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def fields(message):
    """(number, value) of each field: bytes for lengths, int for varints, 8 raw bytes for fixed64."""
    at = 0
    while at < len(message):
        tag, at = read_varint(message, at)
        if tag & 7 == 0:
            value, at = read_varint(message, at)
        elif tag & 7 == 1:
            value, at = message[at:at + 8], at + 8
        elif tag & 7 == 2:
            size, at = read_varint(message, at)
            value, at = message[at:at + size], at + size
        else:
            raise ValueError(f"wire type {tag & 7}")
        yield tag >> 3, value


def read_request(first_ms, last_ms, *matchers):
    """A ReadRequest of one query; matchers are (type, name, value), type 0 =, 1 !=, 2 =~, 3 !~."""
    query = b"\x08" + varint(first_ms) + b"\x10" + varint(last_ms)
    for kind, name, value in matchers:
        query += field(3, b"\x08" + varint(kind) + field(2, _bytes(name)) + field(3, _bytes(value)))
    return field(1, query)


def read_response(message):
    """A list of (labels as a dict, [(timestamp_ms, value bits)]) from the first result of a ReadResponse."""
    out = []
    for _, result in list(fields(message))[:1]:
        for _, one in fields(result):
            labels, samples = {}, []
            for number, content in fields(one):
                parts = dict(fields(content))
                if number == 1:
                    labels[parts[1].decode()] = parts[2].decode()
                else:
                    samples.append((parts.get(2, 0), struct.unpack("<Q", parts.get(1, bytes(8)))[0]))
            out.append((labels, samples))
    return out
