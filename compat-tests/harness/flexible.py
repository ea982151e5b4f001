"""Kafka's flexible encoding by hand, for requests that no client would send: compact strings and arrays, tagged fields left empty."""

import struct

from harness.wire import Connection


def unsigned(number: int) -> bytes:
    """An unsigned varint."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def text(value: str | None) -> bytes:
    return unsigned(0) if value is None else unsigned(len(value.encode()) + 1) + value.encode()


def items(values: list | None, item) -> bytes:
    return unsigned(0) if values is None else unsigned(len(values) + 1) + b"".join(item(v) for v in values)


def int32(number: int) -> bytes:
    return struct.pack(">i", number)


class Reader:
    """Takes values off the front of an answer."""

    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, layout: str):
        (value,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return value

    def unsigned(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str | None:
        length = self.unsigned() - 1
        return None if length < 0 else self.take(f"{length}s").decode()

    def items(self, item) -> list | None:
        count = self.unsigned() - 1
        return None if count < 0 else [item(self) for _ in range(count)]


def classic(value: str | None) -> bytes:
    """As headers have the client id, in every version."""
    return struct.pack(">h", -1) if value is None else struct.pack(">h", len(value.encode())) + value.encode()


def ask(connection: Connection, key: int, version: int, body: bytes, client: str | None = None) -> Reader:
    """Sends a request under header version 2; the answer, after its header."""
    connection.correlation_id += 1
    header = struct.pack(">hhi", key, version, connection.correlation_id) + classic(client) + b"\0"
    connection.send_raw(struct.pack(">i", len(header) + len(body)) + header + body)
    found = Reader(connection.receive())
    assert found.unsigned() == 0, "no tagged fields in the header"
    return found
