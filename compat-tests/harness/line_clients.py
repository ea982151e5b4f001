"""Every client behind one contract: lines in, lines out.

`produce` takes lines `KEY<tab>VALUE` and returns when the broker has acknowledged them all; `consume` returns lines
`PARTITION<tab>OFFSET<tab>KEY<tab>VALUE` of a whole topic, in the order in which each partition gave them. An empty key is
a null key. The clients that are programs of their own take the same three arguments: BOOTSTRAP TOPIC CODEC or COUNT.
"""

import subprocess
from pathlib import Path

from harness import jvm, paths

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
CLIENT_SECONDS = 600


class LineClient:
    """One client library; `codecs` are those it can write and read here, the rest have a reason in `without`."""

    def __init__(self, name: str, produce, consume, codecs=tuple(CODECS), without: str = ""):
        self.name = name
        self.produce = produce
        self.consume = consume
        self.codecs = codecs
        self.without = without


def program(command) -> tuple:
    """The two functions for a client program; `command()` is its command line, known only after it was built."""

    def produce(bootstrap: str, topic: str, codec: str, lines: Path) -> None:
        with open(lines, "rb") as source:
            _run([*command(), "produce", bootstrap, topic, codec], source)

    def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
        return _run([*command(), "consume", bootstrap, topic, str(count)], subprocess.DEVNULL).splitlines()

    return produce, consume


def _run(command: list[str], source) -> bytes:
    done = subprocess.run(command, stdin=source, capture_output=True, timeout=CLIENT_SECONDS)
    assert done.returncode == 0, f"{command[:6]} ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
    return done.stdout


def kcat_produce(bootstrap: str, topic: str, codec: str, lines: Path) -> None:
    with open(lines, "rb") as source:
        _run(["kcat", "-b", bootstrap, "-P", "-t", topic, "-K", "\t", "-Z", "-z", codec, "-X", "acks=all"], source)


def kcat_consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    out = _run(["kcat", "-b", bootstrap, "-C", "-t", topic, "-o", "beginning", "-e", "-q", "-f", "%p\\t%o\\t%k\\t%s\\n"], subprocess.DEVNULL)
    return out.splitlines()


def read_lines(lines: Path):
    """(key or None, value) of each line."""
    with open(lines, "rb") as source:
        for line in source:
            key, value = line.rstrip(b"\n").split(b"\t", 1)
            yield key or None, value


def confluent_produce(bootstrap: str, topic: str, codec: str, lines: Path) -> None:
    from confluent_kafka import Producer

    failures = []
    producer = Producer({
        "bootstrap.servers": bootstrap,
        "compression.type": codec,
        "enable.idempotence": True,
        "linger.ms": 20,
        "queue.buffering.max.messages": 1_000_000,
    })
    for key, value in read_lines(lines):
        producer.produce(topic, value, key, on_delivery=lambda error, _: error and failures.append(error))
        producer.poll(0)
    assert producer.flush(CLIENT_SECONDS) == 0, "everything is acknowledged"
    assert not failures, failures[:3]


def confluent_consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "unused", "enable.auto.commit": False, "check.crcs": True})
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, p, OFFSET_BEGINNING) for p in partitions])
    found = []
    while len(found) < count:
        messages = consumer.consume(10_000, timeout=10)
        assert messages, f"{len(found)} of {count} records, then nothing for 10 s"
        for m in messages:
            assert m.error() is None, m.error()
            found.append(b"%d\t%d\t%s\t%s" % (m.partition(), m.offset(), m.key() or b"", m.value()))
    consumer.close()
    return found


def kafka_python_produce(bootstrap: str, topic: str, codec: str, lines: Path) -> None:
    from kafka import KafkaProducer

    producer = KafkaProducer(
        bootstrap_servers=bootstrap, compression_type=None if codec == "none" else codec, acks="all", linger_ms=20,
    )
    waiting = [producer.send(topic, value=value, key=key) for key, value in read_lines(lines)]
    producer.flush(CLIENT_SECONDS)
    for future in waiting:
        future.get(0)
    producer.close()


def kafka_python_consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    from kafka import KafkaConsumer

    consumer = KafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, group_id=None,
        consumer_timeout_ms=20_000, check_crcs=True,
    )
    found = []
    for m in consumer:
        found.append(b"%d\t%d\t%s\t%s" % (m.partition, m.offset, m.key or b"", m.value))
        if len(found) == count:
            break
    consumer.close()
    return found


def java_command(heap: str = "512m") -> list[str]:
    return jvm.command("Main", [], heap=heap, extra=(paths.CACHE / "java" / "classes",))


def rdkafka_binary() -> Path:
    return paths.CACHE / "rdkafka-target" / "debug" / "rdkafka-client"


CLIENTS = [
    LineClient("kcat", kcat_produce, kcat_consume),
    LineClient("confluent-kafka", confluent_produce, confluent_consume),
    LineClient("kafka-python", kafka_python_produce, kafka_python_consume),
    LineClient("java", *program(java_command)),
    LineClient("franz-go", *program(lambda: [str(paths.CACHE / "go" / "franz-client")])),
    LineClient(
        "kafkajs", *program(lambda: ["node", str(paths.CACHE / "node" / "client.js")]),
        codecs=("none", "gzip"), without="kafkajs brings no codec but gzip",
    ),
    LineClient("rdkafka", *program(lambda: [str(rdkafka_binary())])),
]


def client(name: str) -> LineClient:
    return next(c for c in CLIENTS if c.name == name)
