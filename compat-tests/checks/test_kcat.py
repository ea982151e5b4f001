"""kcat as Debian ships it (librdkafka 2.0.2): the old client that must be at home."""

import json
import subprocess

import pytest

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def kcat(*arguments: str, stdin: str | None = None, seconds: float = 30) -> str:
    done = subprocess.run(["kcat", *arguments], input=stdin or "", capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, f"kcat {' '.join(arguments)} ended with {done.returncode}: {done.stderr}"
    return done.stdout


def consume(broker, topic: str, layout: str, *more: str) -> list[str]:
    return kcat("-b", broker.bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", layout + "\\n", *more).splitlines()


@pytest.mark.smoke
def test_lists_brokers_and_topics(broker, topic):
    wanted = topic(partitions=3)
    listed = kcat("-b", broker.bootstrap, "-L")
    assert "1 brokers:" in listed
    assert broker.bootstrap in listed
    assert f'topic "{wanted}" with 3 partitions' in listed


def test_metadata_as_json(broker, topic):
    wanted = topic(partitions=2)
    listed = json.loads(kcat("-b", broker.bootstrap, "-L", "-J", "-t", wanted))
    assert [b["name"] for b in listed["brokers"]] == [broker.bootstrap]
    (found,) = listed["topics"]
    assert found["topic"] == wanted
    node = listed["brokers"][0]["id"]
    assert [p["partition"] for p in found["partitions"]] == [0, 1]
    assert all(p["leader"] == node for p in found["partitions"])
    assert all(p["replicas"] == [{"id": node}] and p["isrs"] == [{"id": node}] for p in found["partitions"])


@pytest.mark.smoke
@pytest.mark.parametrize("codec", CODECS)
def test_produces_and_consumes(broker, topic, codec):
    wanted = topic()
    lines = [f"key-{i}\t" + f"value {i} " * 20 for i in range(500)]
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-K", "\t", "-z", codec, stdin="\n".join(lines))
    assert consume(broker, wanted, "%o %k\\t%s") == [f"{i} {line}" for i, line in enumerate(lines)]


def test_keys_headers_nulls_and_timestamps(broker, topic):
    wanted = topic()
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-k", "the-key", "-H", "a=1", "-H", "b=two", "-H", "empty", stdin="with headers")
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-K", ":", "-Z", stdin="null-value:\n:null-key")
    records = [json.loads(line) for line in consume_json(broker, wanted)]
    assert records[0]["key"] == "the-key"
    assert records[0]["headers"] == ["a", "1", "b", "two", "empty", None]
    assert records[0]["tstype"] == "create"
    assert records[0]["ts"] > 1_600_000_000_000
    assert (records[1]["key"], records[1]["payload"]) == ("null-value", None)
    assert (records[2]["key"], records[2]["payload"]) == (None, "null-key")


def consume_json(broker, topic: str) -> list[str]:
    return kcat("-b", broker.bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-J").splitlines()


def test_creates_a_topic_by_producing(broker, name):
    kcat("-b", broker.bootstrap, "-P", "-t", f"{name}-auto", stdin="one\ntwo")
    assert consume(broker, f"{name}-auto", "%s") == ["one", "two"]


def test_consumes_from_the_end_backwards_and_by_count(broker, topic):
    wanted = topic()
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, stdin="\n".join(str(i) for i in range(100)))
    last = kcat("-b", broker.bootstrap, "-C", "-t", wanted, "-o", "-5", "-e", "-q").splitlines()
    assert last == ["95", "96", "97", "98", "99"]
    counted = kcat("-b", broker.bootstrap, "-C", "-t", wanted, "-o", "40", "-c", "3", "-q").splitlines()
    assert counted == ["40", "41", "42"]


def test_queries_offsets_by_time(broker, topic):
    wanted = topic()
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, stdin="a\nb\nc")
    stamps = [int(t) for t in consume(broker, wanted, "%T")]
    assert f"{wanted} [0] offset 0" in kcat("-b", broker.bootstrap, "-Q", "-t", f"{wanted}:0:{stamps[0]}")
    assert f"{wanted} [0] offset 3" in kcat("-b", broker.bootstrap, "-Q", "-t", f"{wanted}:0:-1")
    assert f"{wanted} [0] offset 0" in kcat("-b", broker.bootstrap, "-Q", "-t", f"{wanted}:0:-2")


def test_consumes_in_a_group_and_goes_on_where_it_was(broker, topic, name):
    wanted = topic(partitions=2)
    group = ["-b", broker.bootstrap, "-G", name, "-X", "auto.offset.reset=earliest", "-q"]
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-p", "0", stdin="a\nb\nc")
    assert kcat(*group, "-c", "3", wanted).split() == ["a", "b", "c"]
    kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-p", "1", stdin="d\ne")
    assert kcat(*group, "-c", "2", wanted).split() == ["d", "e"]


def test_acks_none_one_and_all(broker, topic):
    wanted = topic()
    for acks in ["0", "1", "all"]:
        kcat("-b", broker.bootstrap, "-P", "-t", wanted, "-X", f"acks={acks}", stdin=f"acks {acks}")
    assert sorted(consume(broker, wanted, "%s")) == ["acks 0", "acks 1", "acks all"]
