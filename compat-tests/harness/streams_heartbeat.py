"""StreamsGroupHeartbeat (KIP-1071) by hand, for requests that no client would send."""

import struct
from dataclasses import dataclass

from harness import flexible
from harness.flexible import int32, items, text
from harness.wire import Connection

STREAMS_GROUP_HEARTBEAT = 88

Tasks = list[tuple[str, list[int]]]


def _tasks(subtopology: tuple[str, list[int]]) -> bytes:
    return text(subtopology[0]) + items(subtopology[1], int32) + b"\0"


def _topic(topic: tuple[str, int]) -> bytes:
    return text(topic[0]) + int32(topic[1]) + struct.pack(">h", 0) + items([], text) + b"\0"


def _offset(offset: tuple[str, int, int]) -> bytes:
    return text(offset[0]) + struct.pack(">iq", *offset[1:]) + b"\0"


@dataclass
class Subtopology:
    """One part of a topology; topics that the broker makes are pairs of name and partitions."""

    sources: list[str]
    patterns: tuple = ()
    changelogs: tuple = ()
    sinks: tuple = ()
    repartitions: tuple = ()

    def encode(self, number: int) -> bytes:
        body = text(str(number)) + items(self.sources, text) + items(self.patterns, text) + items(self.changelogs, _topic)
        return body + items(self.sinks, text) + items(self.repartitions, _topic) + items([], text) + b"\0"


def _topology(parts: list[Subtopology] | None, epoch: int) -> bytes:
    if parts is None:
        return struct.pack(">b", -1)
    numbered = [part.encode(number) for number, part in enumerate(parts)]
    return struct.pack(">b", 1) + int32(epoch) + items(numbered, bytes) + b"\0"


@dataclass
class Answer:
    code: int
    epoch: int
    active: Tasks | None


class StreamsMember:
    """One connection that speaks as members of one group."""

    def __init__(self, port: int, group: str):
        self.connection, self.group = Connection(port), group

    def beat(self, member: str, epoch: int, **said) -> Answer:
        """`said`: group, instance, rack, timeout, topology, topology_epoch, active, standby, warmup, process, offsets."""
        body = text(said.get("group", self.group)) + text(member) + int32(epoch) + int32(0)
        body += text(said.get("instance")) + text(said.get("rack")) + int32(said.get("timeout", -1))
        body += _topology(said.get("topology"), said.get("topology_epoch", 0))
        for kind in ("active", "standby", "warmup"):
            body += items(said.get(kind), _tasks)
        # No endpoint, no tags, no end offsets, no wish to shut down.
        body += text(said.get("process")) + struct.pack(">b", -1) + items(None, text)
        body += items(said.get("offsets"), _offset) + items(None, _offset) + b"\0\0"
        return _answer(flexible.ask(self.connection, STREAMS_GROUP_HEARTBEAT, 0, body))


def _answer(found: flexible.Reader) -> Answer:
    found.take("i")
    code = found.take("h")
    found.text(), found.text()
    epoch = found.take("i")
    found.take("i"), found.take("i"), found.take("i")

    def status(each: flexible.Reader) -> None:
        each.take("b"), each.text(), each.unsigned()

    def tasks(each: flexible.Reader) -> tuple[str, list[int]]:
        subtopology = each.text(), each.items(lambda one: one.take("i"))
        each.unsigned()
        return subtopology

    found.items(status)
    return Answer(code, epoch, found.items(tasks))
