"""Metrics that clients push (KIP-714): who is asked for what, what is refused, and what becomes of it."""

import gzip
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from confluent_kafka import Producer

from harness import configs
from harness.admin import create_topic
from harness.flexible import Reader, ask, int32, unsigned
from harness.jvm import tool
from harness.line_clients import java_command
from harness.process import wait_until
from harness.wire import Connection

GET_SUBSCRIPTIONS, PUSH = 71, 72
BYTES_MAX = 20_000
# Long enough that nothing is due again while a check runs.
INTERVAL = {"interval.ms": "60000"}

NONE, INVALID_CONFIG, INVALID_REQUEST, UNSUPPORTED_COMPRESSION, INVALID_RECORD, THROTTLED, UNKNOWN, TOO_LARGE = 0, 40, 42, 76, 87, 89, 117, 118


@pytest.fixture(scope="module")
def pushed_to(new_broker, tmp_path_factory):
    """A broker that takes metrics; Kafka needs a plug-in for that, which writes to a file."""
    received = tmp_path_factory.mktemp("telemetry") / "received"
    received.touch()
    overrides = {"metric.reporters": "TelemetryReceiver", "telemetry.receiver.file": str(received), "telemetry.max.bytes": str(BYTES_MAX)}
    broker = new_broker(overrides=overrides).start()
    broker.received = received
    yield broker
    broker.kill()


@pytest.fixture
def subscribe(pushed_to):
    """A function that sets a subscription's configs, and returns the error; subscriptions end with the check."""
    names = []

    def alter(name: str, values: dict[str, str | None]) -> int:
        names.append(name)
        return configs.alter(pushed_to.port, configs.CLIENT_METRICS, name, values)[0]

    yield alter
    for name in filter(None, set(names)):
        alter(name, {"metrics": None, "interval.ms": None, "match": None})
    wait_until(lambda: told(pushed_to) == ([], 300_000), 20, "the subscriptions are gone")


class Subscription:
    def __init__(self, answer: Reader):
        answer.take("i")
        self.error = answer.take("h")
        self.client = answer.take("16s")
        self.id = answer.take("i")
        self.codecs = answer.items(lambda row: row.take("b"))
        self.interval_ms = answer.take("i")
        self.bytes_max = answer.take("i")
        self.delta = answer.take("b")
        self.metrics = answer.items(lambda row: row.text())


def question(connection: Connection, client: bytes = bytes(16)) -> Subscription:
    return Subscription(ask(connection, GET_SUBSCRIPTIONS, 0, client + b"\0"))


def push(connection: Connection, client: bytes, subscription: int, data: bytes = b"", codec: int = 0, last: bool = False) -> int:
    body = client + int32(subscription) + bytes([last, codec]) + unsigned(len(data) + 1) + data + b"\0"
    answer = ask(connection, PUSH, 0, body)
    answer.take("i")
    return answer.take("h")


def told(broker) -> tuple[list[str], int]:
    """What a new client is asked to push, and how often."""
    with Connection(broker.port) as connection:
        answer = question(connection)
        return sorted(answer.metrics), answer.interval_ms


@pytest.fixture
def subscribed(pushed_to, subscribe):
    assert subscribe("everything", {"metrics": "*", **INTERVAL}) == NONE
    wait_until(lambda: told(pushed_to) == (["*"], 60_000), 20, "the subscription is in force")


def test_a_client_is_told_what_to_push(pushed_to, subscribe):
    assert told(pushed_to) == ([], 300_000)
    subscribe("first", {"metrics": "a.,b.", "interval.ms": "5000"})
    subscribe("second", {"metrics": "b.,c.", "interval.ms": "4000"})
    subscribe("others", {"metrics": "d.", "interval.ms": "100", "match": "client_source_address=192\\.0\\.2\\..*"})
    wait_until(lambda: told(pushed_to) == (["a.", "b.", "c."], 4000), 20, "both subscriptions are in force")
    with Connection(pushed_to.port) as connection:
        answer = question(connection)
        assert (answer.error, answer.codecs, answer.bytes_max, answer.delta) == (NONE, [4, 3, 1, 2], BYTES_MAX, 1)
        assert answer.client != bytes(16)
        chosen = uuid.uuid4().bytes
        assert question(connection, chosen).client == chosen
    subscribe("second", {"metrics": "*"})
    wait_until(lambda: told(pushed_to) == (["*"], 4000), 20, "all metrics are wanted")


FOLDED = gzip.compress(bytes(BYTES_MAX + 1))

# What a client does one after the other, and the code it is told.
STEPS = {
    "pushes too often": [("ask", NONE), ("push", NONE), ("push", THROTTLED), ("last", NONE), ("push", INVALID_REQUEST), ("ask", THROTTLED)],
    "asks too often": [("ask", NONE), ("ask", THROTTLED), ("push", NONE), ("ask", THROTTLED)],
    "does not ask": [("foreign", UNKNOWN), ("ask", NONE), ("push", THROTTLED)],
    "does not ask and goes": [("foreign", UNKNOWN), ("ask", NONE), ("last", NONE)],
    "has another codec": [("ask", NONE), ("codec", UNSUPPORTED_COMPRESSION), ("ask", NONE), ("ask", THROTTLED)],
    "pushes too much": [("ask", NONE), ("large", TOO_LARGE), ("ask", THROTTLED)],
    "pushes what does not unfold": [("ask", NONE), ("broken", INVALID_RECORD), ("ask", THROTTLED)],
    "pushes what unfolds to too much": [("ask", NONE), ("folded", INVALID_RECORD)],
    "pushes nothing": [("ask", NONE), ("empty", NONE), ("empty", THROTTLED)],
}


@pytest.mark.parametrize("client", STEPS)
def test_a_client_that(pushed_to, subscribed, client):
    with Connection(pushed_to.port) as other:
        instance = uuid.uuid4().bytes
        subscription = question(other, instance).id
    # Forgotten with its connection; a subscription's id depends on nothing but the client and what is wanted.
    with Connection(pushed_to.port) as connection:
        wait_until(lambda: question(connection, uuid.uuid4().bytes).error == NONE, 5, "an answer")
        time.sleep(0.5)
        actions = {
            "ask": lambda: question(connection, instance).error,
            "push": lambda: push(connection, instance, subscription, gzip.compress(b""), codec=1),
            "last": lambda: push(connection, instance, subscription, last=True),
            "empty": lambda: push(connection, instance, subscription),
            "foreign": lambda: push(connection, instance, subscription ^ 1),
            "codec": lambda: push(connection, instance, subscription, b"x", codec=9),
            "large": lambda: push(connection, instance, subscription, bytes(BYTES_MAX + 1)),
            "broken": lambda: push(connection, instance, subscription, b"no gzip", codec=1),
            "folded": lambda: push(connection, instance, subscription, FOLDED, codec=1),
        }
        assert [(step, actions[step]()) for step, _ in STEPS[client]] == STEPS[client]


def test_reserved_ids_are_no_clients(pushed_to):
    with Connection(pushed_to.port) as connection:
        for reserved in bytes(16), bytes(15) + b"\1":
            assert push(connection, reserved, 0) == INVALID_REQUEST


def test_a_client_may_ask_again_when_subscriptions_have_changed(pushed_to, subscribed, subscribe):
    with Connection(pushed_to.port) as connection:
        first = question(connection)
        assert question(connection, first.client).error == THROTTLED
        subscribe("more", {"metrics": "x.", "interval.ms": "50000"})
        wait_until(lambda: told(pushed_to) == (["*"], 50_000), 20, "the change is in force")
        again = question(connection, first.client)
        assert (again.error, again.interval_ms) == (NONE, 50_000) and again.id != first.id
        assert push(connection, first.client, first.id) == UNKNOWN


@pytest.mark.parametrize(
    "values, expected",
    [
        ({"interval.ms": "100"}, NONE),
        ({"interval.ms": "99"}, INVALID_REQUEST),
        ({"interval.ms": "3600000"}, NONE),
        ({"interval.ms": "3600001"}, INVALID_REQUEST),
        ({"interval.ms": "soon"}, INVALID_CONFIG),
        ({"unheard.of": "1"}, INVALID_REQUEST),
        ({"metrics": ""}, NONE),
        ({"metrics": "a.,,b."}, INVALID_CONFIG),
        ({"match": "client_id=a.*,client_software_name=x"}, NONE),
        ({"match": "client_instance_id=x,client_software_version=1,client_source_port=1,client_source_address=::1"}, NONE),
        ({"match": "client_id=a=b"}, INVALID_CONFIG),
        ({"match": "client_id=a="}, NONE),
        ({"match": "client_id="}, INVALID_CONFIG),
        ({"match": "client_id"}, INVALID_CONFIG),
        ({"match": "client_id=("}, INVALID_CONFIG),
        ({"match": "client_rack=a"}, INVALID_CONFIG),
    ],
)
def test_what_a_subscription_may_be(subscribe, values, expected):
    assert subscribe("tried", values) == expected


def test_a_subscription_has_a_name(subscribe):
    assert subscribe("", {"metrics": "a."}) == INVALID_REQUEST


def has_been_pushed(broker, against: str, metric: str, software: str):
    """Whether a client with this software pushed a metric of this name."""
    if against == "kafka":
        return metric.encode() in broker.received.read_bytes()
    lines = broker.http("/client-metrics")[1].splitlines()
    ids = {line.split('client_instance_id="')[1][:22] for line in lines if line.startswith("msgloop_client_info") and f'client_software_name="{software}"' in line}
    name = metric.replace(".", "_")
    return [line for line in lines if line.startswith((name + "{", name + "_total{")) and line.split('client_instance_id="')[1][:22] in ids]


def test_the_java_client_pushes_its_metrics(pushed_to, against, tmp_path):
    tool("ClientMetricsCommand", "--bootstrap-server", pushed_to.bootstrap, "--alter", "--name", "java", "--metrics", "*", "--interval", "500", "--match", "client_software_name=apache-kafka-java")
    create_topic(pushed_to.bootstrap, "measured")
    with open(tmp_path / "said", "wb") as said:
        producer = subprocess.Popen([*java_command(), "produce", pushed_to.bootstrap, "measured", "none"], stdin=subprocess.PIPE, stderr=said)
        found = lambda: has_been_pushed(pushed_to, against, "org.apache.kafka.producer.record.send.total", "apache-kafka-java")

        def feed():
            producer.stdin.write(b"key\tvalue\n")
            producer.stdin.flush()
            return found()

        try:
            wait_until(feed, 60, "metrics have been pushed", pause=0.1)
            producer.stdin.close()
            assert producer.wait(60) == 0, Path(tmp_path / "said").read_text()
        finally:
            producer.kill()
    tool("ClientMetricsCommand", "--bootstrap-server", pushed_to.bootstrap, "--delete", "--name", "java")
    if against == "msgloop":
        page = pushed_to.http("/client-metrics")[1]
        assert "# TYPE org_apache_kafka_producer_record_send_total counter" in page
        # What came in differences is added up: at least what was fed until it was first seen.
        assert float(found()[0].rsplit(" ", 1)[1]) > 0


def test_librdkafka_pushes_its_metrics(pushed_to, subscribe, against):
    subscribe("librdkafka", {"metrics": "*", "interval.ms": "500", "match": "client_software_name=(librdkafka|confluent-kafka-python)"})
    create_topic(pushed_to.bootstrap, "measured-as-well")
    producer = Producer({"bootstrap.servers": pushed_to.bootstrap, "client.id": "measured"})

    def found():
        producer.produce("measured-as-well", b"value")
        producer.poll(0.1)
        return has_been_pushed(pushed_to, against, "org.apache.kafka.producer.connection.creation.rate", "confluent-kafka-python")

    wait_until(found, 60, "metrics have been pushed")
    assert producer.flush(30) == 0
