"""ConsumerGroupHeartbeat by hand (flexible encoding), for requests that no client would send."""

import struct

from harness.wire import Connection

CONSUMER_GROUP_HEARTBEAT = 68


def _varint(number: int) -> bytes:
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def _text(value: str | None) -> bytes:
    return _varint(0) if value is None else _varint(len(value.encode()) + 1) + value.encode()


def _list(values: list | None, item) -> bytes:
    return _varint(0) if values is None else _varint(len(values) + 1) + b"".join(item(v) for v in values)


def _partitions(topic: tuple[bytes, list[int]]) -> bytes:
    return topic[0] + _list(topic[1], lambda n: struct.pack(">i", n)) + b"\0"


class Member:
    """One connection that speaks as members of one group."""

    def __init__(self, port: int, group: str):
        self.connection, self.group = Connection(port), group

    def beat(self, member: str, epoch: int, version: int = 1, **said) -> tuple[int, int, dict[bytes, list[int]] | None]:
        """Error code, member epoch and assignment. `said`: instance, rack, timeout, topics, regex, assignor, reads, group."""
        body = _text(said.get("group", self.group)) + _text(member) + struct.pack(">i", epoch)
        body += _text(said.get("instance")) + _text(said.get("rack")) + struct.pack(">i", said.get("timeout", -1))
        body += _list(said.get("topics"), _text)
        if version >= 1:
            body += _text(said.get("regex"))
        body += _text(said.get("assignor")) + _list(said.get("reads"), _partitions) + b"\0"
        # Header version 2: no client id changes, no tagged fields.
        self.connection.correlation_id += 1
        header = struct.pack(">hhi", CONSUMER_GROUP_HEARTBEAT, version, self.connection.correlation_id) + struct.pack(">h", -1) + b"\0"
        self.connection.send_raw(struct.pack(">i", len(header) + len(body)) + header + body)
        return _answer(self.connection.receive())

    def join(self, member: str, version: int = 1, **said) -> tuple[int, int, dict[bytes, list[int]] | None]:
        return self.beat(member, 0, version, **{"timeout": 60_000, "topics": [], "reads": [], **said})


class _Bytes:
    def __init__(self, data: bytes):
        self.data, self.at = data, 0

    def take(self, layout: str):
        (value,) = struct.unpack_from(">" + layout, self.data, self.at)
        self.at += struct.calcsize(">" + layout)
        return value

    def varint(self) -> int:
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str | None:
        length = self.varint() - 1
        if length < 0:
            return None
        return self.take(f"{length}s").decode()


def _answer(frame: bytes) -> tuple[int, int, dict[bytes, list[int]] | None]:
    found = _Bytes(frame)
    assert found.varint() == 0, "no tagged fields in the header"
    found.take("i")
    code = found.take("h")
    found.text(), found.text()
    epoch, _ = found.take("i"), found.take("i")
    if found.take("b") < 0:
        return code, epoch, None
    assignment = {}
    for _ in range(found.varint() - 1):
        topic = found.take("16s")
        assignment[topic] = [found.take("i") for _ in range(found.varint() - 1)]
        found.varint()
    return code, epoch, assignment
