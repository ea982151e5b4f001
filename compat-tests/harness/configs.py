"""DescribeConfigs and IncrementalAlterConfigs by hand: every field of the answers, and requests no client would send."""

from harness.flexible import Reader, ask, items, text, unsigned
from harness.wire import Connection

DESCRIBE, INCREMENTAL_ALTER = 32, 44
TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
DEFAULT = 5  # the ConfigSource of defaults


class Config:
    """One row; `synonyms` are (name, value, source), the winner first."""

    def __init__(self, row: Reader):
        self.name, self.value = row.text(), row.text()
        self.read_only, self.source, self.sensitive = row.take("b"), row.take("b"), row.take("b")
        self.synonyms = row.items(_synonym)
        self.type, self.documentation = row.take("b"), row.text()
        row.unsigned()

    @property
    def default(self) -> str:
        """What it is when nothing is set, as far as the answer tells."""
        found = [value for name, value, source in self.synonyms if source == DEFAULT and name == self.name]
        return "none" if not found or found[0] is None else found[0] or "empty"


def _synonym(row: Reader) -> tuple[str, str | None, int]:
    synonym = row.text(), row.text(), row.take("b")
    row.unsigned()
    return synonym


def _result(row: Reader) -> tuple[int, str | None, dict[str, Config]]:
    code, message, _, _ = row.take("h"), row.text(), row.take("b"), row.text()
    configs = row.items(Config)
    row.unsigned()
    return code, message, {config.name: config for config in configs or []}


def describe(port: int, kind: int, name: str) -> tuple[int, str | None, dict[str, Config]]:
    """Code, message and configs by name."""
    resource = bytes([kind]) + text(name) + unsigned(0) + b"\0"
    with Connection(port) as connection:
        answer = ask(connection, DESCRIBE, 4, items([resource], bytes) + b"\1\0\0")
    answer.take("i")
    (result,) = answer.items(_result)
    return result


def alter(port: int, kind: int, name: str, configs: dict[str, str | None]) -> tuple[int, str | None]:
    """Sets what has a value and unsets the rest; code and message."""

    def config(pair) -> bytes:
        return text(pair[0]) + (b"\1" if pair[1] is None else b"\0") + text(pair[1]) + b"\0"

    resource = bytes([kind]) + text(name) + items(list(configs.items()), config) + b"\0"
    with Connection(port) as connection:
        answer = ask(connection, INCREMENTAL_ALTER, 1, items([resource], bytes) + b"\0\0")
    answer.take("i")
    (result,) = answer.items(lambda row: (row.take("h"), row.text(), row.take("b"), row.text(), row.unsigned())[:2])
    return result
