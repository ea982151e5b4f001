"""Wrong use of each API and Kafka's answer to it, as tables: (API, version, condition, request, error codes).

A row's codes are all error codes of the answer in the order they stand in (`messages.codes`). `test_wrong_use.py` sends each row to
the broker under test, so `run --against kafka --only wrong_use` shows whether the table is right.
"""

from dataclasses import dataclass
from typing import Any

# What exists while the rows are sent: `test_wrong_use.py` makes it.
TOPIC, TOPIC_PARTITIONS, TOPIC_RECORDS = "wrong-use", 2, 3
COMPACTED, MISSING_TOPIC = "wrong-use-compacted", "wrong-use-missing"
LIVE_GROUP, LIVE_GENERATION, MODERN_GROUP, MODERN_MEMBER, OLD_GROUP = "wrong-use-live", 1, "wrong-use-modern", "wrong-use-member", "wrong-use-old"
FRESH, ONGOING = "wrong-use-fresh", "wrong-use-ongoing"  # Transactional ids without and with a transaction.


@dataclass(frozen=True)
class Of:
    """A value that is known only when everything exists."""

    name: str


@dataclass(frozen=True)
class Row:
    """One wrong request."""

    api: str
    version: int
    condition: str
    fields: dict
    codes: tuple[str, ...]

    @property
    def id(self) -> str:
        return f"{self.api}-{self.version}: {self.condition}"


def rows(api: str, *wrong: tuple[int | tuple[int, ...], str, dict, str]) -> list[Row]:
    """Rows of one API; each of `wrong` is (version or versions, condition, fields, codes with blanks between)."""
    made = []
    for versions, condition, fields, codes in wrong:
        for version in versions if isinstance(versions, tuple) else (versions,):
            made.append(Row(api, version, condition, fields, tuple(codes.split())))
    return made


def known(value: Any, values: dict) -> Any:
    """`value` with each `Of` replaced."""
    match value:
        case Of(name):
            return values[name]
        case dict():
            return {name: known(each, values) for name, each in value.items()}
        case list():
            return [known(each, values) for each in value]
        case _:
            return value
