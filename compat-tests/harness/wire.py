"""Kafka's protocol by hand, written from its published layout: what a hostile or careless client would send.

Deliberately small and independent of every client library and of the broker under test: non-flexible request
versions only, big-endian, `classic` strings and arrays, record batches of format 2.
"""

import socket
import struct

import crc32c

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, CREATE_TOPICS = 0, 1, 2, 3, 18, 19


class Closed(Exception):
    """The broker closed the connection instead of answering."""


class Connection:
    """One TCP connection to a broker; requests are answered in order."""

    def __init__(self, port: int, seconds: float = 10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.correlation_id = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send_raw(self, data: bytes) -> None:
        self.socket.sendall(data)

    def send(self, key: int, version: int, body: bytes) -> None:
        """Sends a request with header version 1."""
        self.correlation_id += 1
        header = struct.pack(">hhi", key, version, self.correlation_id) + string("compat")
        self.send_raw(struct.pack(">i", len(header) + len(body)) + header + body)

    def receive(self) -> bytes:
        """The next response after its correlation id; `Closed` when the broker hung up."""
        size = struct.unpack(">i", self._exactly(4))[0]
        frame = self._exactly(size)
        assert struct.unpack(">i", frame[:4])[0] == self.correlation_id, "answers in request order"
        return frame[4:]

    def ask(self, key: int, version: int, body: bytes) -> bytes:
        self.send(key, version, body)
        return self.receive()

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            try:
                part = self.socket.recv(count - len(data))
            except ConnectionResetError:
                raise Closed from None
            if not part:
                raise Closed
            data += part
        return data


class Reader:
    """Takes values off the front of a response, in classic (non-flexible) encoding."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0

    def take(self, layout: str):
        values = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return values[0] if len(values) == 1 else values

    def string(self) -> str | None:
        length = self.take("h")
        if length < 0:
            return None
        self.at += length
        return self.data[self.at - length : self.at].decode()

    def rest(self) -> bytes:
        return self.data[self.at :]


def string(text: str | None) -> bytes:
    if text is None:
        return struct.pack(">h", -1)
    return struct.pack(">h", len(text.encode())) + text.encode()


def array(items: list[bytes]) -> bytes:
    return struct.pack(">i", len(items)) + b"".join(items)


def varint(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63)
    out = b""
    while zigzag > 0x7F:
        out += bytes([zigzag & 0x7F | 0x80])
        zigzag >>= 7
    return out + bytes([zigzag])


def record(offset_delta: int, key: bytes | None, value: bytes | None) -> bytes:
    def field(data: bytes | None) -> bytes:
        return varint(-1) if data is None else varint(len(data)) + data

    body = b"\0" + varint(0) + varint(offset_delta) + field(key) + field(value) + varint(0)
    return varint(len(body)) + body


def batch(values: list[bytes], **changes) -> bytes:
    """A record batch of format 2; `changes` overrides single header fields to make it a wrong one.

    Known: crc, magic, attributes, count, last_offset_delta, base_offset, producer (id, epoch, sequence), body, length_delta.
    """
    body = changes.get("body", b"".join(record(i, None, v) for i, v in enumerate(values)))
    count = changes.get("count", len(values))
    last = changes.get("last_offset_delta", len(values) - 1)
    producer = changes.get("producer", (-1, -1, -1))
    timestamp = changes.get("timestamp", 1_700_000_000_000)
    covered = struct.pack(">hiqqqhii", changes.get("attributes", 0), last, timestamp, timestamp, *producer, count) + body
    crc = changes.get("crc", crc32c.crc32c(covered))
    length = 4 + 1 + 4 + len(covered) + changes.get("length_delta", 0)
    return struct.pack(">qiibI", changes.get("base_offset", 0), length, 0, changes.get("magic", 2), crc) + covered


def produce(topic: str, partition: int, records: bytes | None, acks: int = -1, timeout_ms: int = 5000) -> bytes:
    """The body of Produce, versions 3 to 8."""
    data = struct.pack(">i", -1) if records is None else struct.pack(">i", len(records)) + records
    return string(None) + struct.pack(">hi", acks, timeout_ms) + array([string(topic) + array([struct.pack(">i", partition) + data])])


def produce_answer(answer: bytes) -> tuple[int, int]:
    """(error code, base offset) of the only partition in a Produce answer, versions 3 to 8."""
    reader = Reader(answer)
    assert reader.take("i") == 1
    reader.string()
    assert reader.take("i") == 1
    _, code, base_offset = reader.take("ihq")
    return code, base_offset


def fetch(topic: str, partition: int, offset: int, max_bytes: int = 1 << 20) -> bytes:
    """The body of Fetch version 4."""
    wanted = array([string(topic) + array([struct.pack(">iqi", partition, offset, max_bytes)])])
    return struct.pack(">iiiib", -1, 500, 1, max_bytes, 0) + wanted


def metadata(topics: list[str] | None) -> bytes:
    """The body of Metadata version 4, without auto-creation."""
    wanted = struct.pack(">i", -1) if topics is None else array([string(t) for t in topics])
    return wanted + b"\0"


def answers_api_versions(port: int) -> bool:
    """True once a broker on `port` speaks the protocol."""
    try:
        with Connection(port, seconds=2) as connection:
            return connection.ask(API_VERSIONS, 0, b"")[:2] == b"\0\0"
    except (OSError, Closed, AssertionError):
        return False


def api_versions(port: int) -> dict[int, tuple[int, int]]:
    """The advertised version range of each API key (ApiVersions version 0)."""
    with Connection(port) as connection:
        reader = Reader(connection.ask(API_VERSIONS, 0, b""))
    assert reader.take("h") == 0
    return {key: (low, high) for key, low, high in (reader.take("hhh") for _ in range(reader.take("i")))}
