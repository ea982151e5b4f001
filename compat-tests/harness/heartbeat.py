"""ConsumerGroupHeartbeat by hand, for requests that no client would send."""

from harness import flexible
from harness.flexible import int32, items, text
from harness.wire import Connection

CONSUMER_GROUP_HEARTBEAT = 68


def _partitions(topic: tuple[bytes, list[int]]) -> bytes:
    return topic[0] + items(topic[1], int32) + b"\0"


class Member:
    """One connection that speaks as members of one group."""

    def __init__(self, port: int, group: str):
        self.connection, self.group = Connection(port), group

    def beat(self, member: str, epoch: int, version: int = 1, **said) -> tuple[int, int, dict[bytes, list[int]] | None]:
        """Error code, member epoch and assignment. `said`: instance, rack, timeout, topics, regex, assignor, reads, group."""
        body = text(said.get("group", self.group)) + text(member) + int32(epoch)
        body += text(said.get("instance")) + text(said.get("rack")) + int32(said.get("timeout", -1))
        body += items(said.get("topics"), text)
        if version >= 1:
            body += text(said.get("regex"))
        body += text(said.get("assignor")) + items(said.get("reads"), _partitions) + b"\0"
        return _answer(flexible.ask(self.connection, CONSUMER_GROUP_HEARTBEAT, version, body))

    def join(self, member: str, version: int = 1, **said) -> tuple[int, int, dict[bytes, list[int]] | None]:
        return self.beat(member, 0, version, **{"timeout": 60_000, "topics": [], "reads": [], **said})


def _answer(found: flexible.Reader) -> tuple[int, int, dict[bytes, list[int]] | None]:
    found.take("i")
    code = found.take("h")
    found.text(), found.text()
    epoch, _ = found.take("i"), found.take("i")
    if found.take("b") < 0:
        return code, epoch, None
    assignment = {}
    for _ in range(found.unsigned() - 1):
        topic = found.take("16s")
        assignment[topic] = found.items(lambda each: each.take("i"))
        found.unsigned()
    return code, epoch, assignment
