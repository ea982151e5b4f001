"""ApiVersions and configs beside the real Apache Kafka: every difference is listed with its reason."""

import re

import pytest
from confluent_kafka.admin import ConfigResource, ResourceType

from harness import admin, configs as raw, differences, paths, wire
from harness.jvm import tool
from harness.kafka import Kafka
from harness.process import wait_until

TABLE = paths.REPOSITORY / "docs" / "differences.md"
pytestmark = pytest.mark.msgloop_only("compares msgloop with Apache Kafka")


@pytest.fixture(scope="module")
def kafka(tmp_path_factory):
    with Kafka(tmp_path_factory.mktemp("kafka")) as started:
        yield started.start()


def api_names(kafka) -> dict[int, str]:
    """Kafka's own names of the API keys, as its tool prints them."""
    printed = tool("BrokerApiVersionsCommand", "--bootstrap-server", kafka.bootstrap)
    return {int(key): name for name, key in re.findall(r"(\w+)\((\d+)\):", printed)}


def test_api_versions(kafka, broker):
    names = api_names(kafka)

    def ranges(port: int) -> dict[str, str]:
        return {names.get(key, str(key)): f"{low}-{high}" for key, (low, high) in wire.api_versions(port).items()}

    differences.check(TABLE, "API", ranges(kafka.port), ranges(broker.port))


@pytest.fixture(scope="module")
def configs(kafka, shared_broker):
    """The topic configs of a new topic: Kafka's and ours."""
    return topic_configs(kafka.bootstrap), topic_configs(shared_broker.bootstrap)


def topic_configs(bootstrap: str) -> dict:
    admin.create_topic(bootstrap, "described")
    client = admin.client(bootstrap)
    resource = ConfigResource(ResourceType.TOPIC, "described")
    return next(iter(client.describe_configs([resource]).values())).result(20)


def test_topic_configs(configs):
    theirs, ours = ({name: config.value or "empty" for name, config in side.items()} for side in configs)
    differences.check(TABLE, "topic config", theirs, ours)


def test_topic_configs_say_where_they_come_from(configs):
    """Source, read-only and sensitive agree for every config both know."""
    theirs, ours = ({name: (c.source, c.is_read_only, c.is_sensitive) for name, c in side.items()} for side in configs)
    wrong = {n: (theirs[n], ours[n]) for n in theirs if n in ours and theirs[n] != ours[n]}
    wrong.pop("min.insync.replicas", None)  # Kafka writes it as a cluster-wide default when it is formatted.
    assert wrong == {}


NODE = "1"


@pytest.fixture(scope="module")
def beside(kafka, new_broker):
    """Kafka and a broker of ours, both for these checks alone."""
    own = new_broker().start()
    yield kafka.port, own.port
    own.kill()


def described(ports, kind: int, name: str) -> list[dict[str, raw.Config]]:
    results = [raw.describe(port, kind, name) for port in ports]
    assert all(code == 0 for code, _, _ in results), results
    return [configs for _, _, configs in results]


@pytest.mark.parametrize("subject, kind, name", [("broker config", raw.BROKER, NODE), ("group config", raw.GROUP, "g"), ("client metrics config", raw.CLIENT_METRICS, "m")])
def test_configs_of(beside, subject, kind, name):
    """Names and defaults differ where it is listed; what kind of config each is, nowhere."""
    theirs, ours = described(beside, kind, name)
    # Group configs carry the name of the broker's setting for their default.
    default = lambda config: config.default if kind == raw.BROKER else config.value or "empty"
    differences.check(TABLE, subject, *({name: default(config) for name, config in side.items()} for side in (theirs, ours)))
    about = lambda config: (config.read_only, config.sensitive, config.type, [s for s in config.synonyms if s[2] == raw.DEFAULT and config.name not in ELSEWHERE])
    assert {n: (about(theirs[n]), about(ours[n])) for n in theirs if about(theirs[n]) != about(ours[n])} == {}


# Their defaults differ, as the table says.
ELSEWHERE = {"listeners", "log.dir", "node.id"}

# What is altered, on which resource, and where one looks for it afterwards.
ALTERED = {
    (raw.BROKER, ""): {"message.max.bytes": "2000000", "log.retention.ms": "7200000", "group.consumer.session.timeout.ms": None, "log.cleaner.threads": "2"},
    (raw.BROKER, NODE): {"message.max.bytes": "3000000", "background.threads": "11", "log.segment.bytes": None},
    (raw.GROUP, "g"): {"consumer.session.timeout.ms": "50000"},
    (raw.CLIENT_METRICS, "m"): {"interval.ms": "1000", "match": "client_id=a, client_software_name=b"},
    (raw.TOPIC, "altered"): {"retention.ms": "3600000", "cleanup.policy": "compact, delete", "segment.bytes": None},
}


def test_altered_configs_say_where_they_come_from(beside, kafka):
    """Value, source and synonyms of each config that was altered, or that falls back on one that was."""
    for port in beside:
        admin.create_topic(f"127.0.0.1:{port}", "altered")
        for (kind, name), values in ALTERED.items():
            assert raw.alter(port, kind, name, values) == (0, None)
    look_at = {**{at: set(values) for at, values in ALTERED.items()}, (raw.BROKER, NODE): {*ALTERED[raw.BROKER, ""], *ALTERED[raw.BROKER, NODE], "log.retention.minutes", "log.retention.hours"}}
    look_at[raw.TOPIC, "altered"] = {"retention.ms", "cleanup.policy", "segment.bytes", "max.message.bytes"}
    for (kind, name), names in look_at.items():
        show = lambda side: {n: (side[n].value, side[n].source, side[n].synonyms) for n in names if n in side}

        def same():
            theirs, ours = described(beside, kind, name)
            return show(theirs) == show(ours)

        try:
            # A change is in force on Kafka's broker some time after its controller has answered.
            wait_until(same, 5, f"both tell the same of {name}", pause=0.2)
        except TimeoutError:
            theirs, ours = (show(side) for side in described(beside, kind, name))
            assert ours == theirs


WRONG = [(raw.BROKER, "2"), (raw.BROKER, "x"), (raw.BROKER_LOGGER, "2"), (raw.BROKER_LOGGER, ""), (raw.GROUP, ""), (raw.CLIENT_METRICS, ""), (raw.TOPIC, ""), (raw.TOPIC, "absent"), (raw.TOPIC, "a b"), (1, "x"), (0, ""), (3, "x")]


@pytest.mark.parametrize("kind, name", WRONG)
def test_what_cannot_be_described_is_refused_in_the_same_words(beside, kind, name):
    theirs, ours = (raw.describe(port, kind, name)[:2] for port in beside)
    assert ours == theirs


WRONG_CHANGES = [
    (raw.BROKER, "2", {"log.retention.ms": "1"}),
    (raw.BROKER, "x", {"log.retention.ms": "1"}),
    (raw.BROKER, NODE, {"num.partitions": "2"}),
    (raw.BROKER, NODE, {"message.max.bytes": "-1"}),
    (raw.BROKER, NODE, {"message.max.bytes": "many"}),
    (raw.BROKER, "", {"ssl.keystore.location": "x"}),
    (raw.GROUP, "", {"consumer.session.timeout.ms": "50000"}),
    (raw.GROUP, "g", {"consumer.session.timeout.ms": "many"}),
    (raw.GROUP, "g", {"unheard.of": "1"}),
    (raw.CLIENT_METRICS, "", {"interval.ms": "1000"}),
    (raw.CLIENT_METRICS, "m", {"interval.ms": "99"}),
    (raw.CLIENT_METRICS, "m", {"interval.ms": "many"}),
    (raw.CLIENT_METRICS, "m", {"metrics": "a,,b"}),
    (raw.CLIENT_METRICS, "m", {"match": "client_id"}),
    (raw.CLIENT_METRICS, "m", {"unheard.of": "1"}),
    (raw.TOPIC, "absent", {"retention.ms": "1"}),
    (raw.TOPIC, "", {"retention.ms": "1"}),
    (3, "x", {"a": "1"}),
]


@pytest.mark.parametrize("kind, name, values", WRONG_CHANGES)
def test_what_cannot_be_set_is_refused_in_the_same_words(beside, kind, name, values):
    theirs, ours = (raw.alter(port, kind, name, values) for port in beside)
    assert ours == theirs


# By type, values at and beyond the bounds that configs have, and some that are of no type.
TRIED = {
    1: ["x", "TRUE", ""],
    2: ["x", ""],
    3: ["x", "-2147483648", "2147483648", "0", "-1", "1", " 5 "],
    4: ["x", "99999"],
    5: ["x", "-9223372036854775808", "9223372036854775808", "0", "-1", " 7"],
    6: ["x", "-1", "2", "NaN"],
    7: ["x", "", "a,,b", "a,a"],
    8: ["x"],
    9: ["x"],
}
# Differences that the table has in words: of the config, or of the value.
IN_WORDS = re.compile(
    r"(advertised\.)?listener.*|.*\.class|metric\.reporters|config\.providers|min\.insync\.replicas|num\.(io|network|replica|recovery)\..*|background\.threads"
    r"|remote\.log\..*(threads|pool\.size)|log\.cleaner\.threads|log\.local\.retention\..*|.*=NaN|max\.connections\.per\.ip\.overrides=.*"
    r"|(consumer|share|streams)\.(heartbeat|session)\..*|streams\.num\.standby\.replicas.*"
)


@pytest.mark.full
@pytest.mark.parametrize("kind, name", [(raw.BROKER, NODE), (raw.BROKER, ""), (raw.GROUP, "g"), (raw.CLIENT_METRICS, "m"), (raw.TOPIC, "tried")])
def test_every_value_is_taken_or_refused_in_the_same_words(beside, kind, name):
    """Each config of the resource, set to values of all sorts; what is taken is unset again."""
    if kind == raw.TOPIC:
        for port in beside:
            admin.create_topic(f"127.0.0.1:{port}", name)
    configs, _ = described(beside, kind, name or NODE)
    tried = [(config, value) for config in sorted(configs) for value in TRIED.get(configs[config].type, ["x"])]
    tried = [(config, value) for config, value in tried if not (IN_WORDS.fullmatch(config) or IN_WORDS.fullmatch(f"{config}={value}"))]
    assert len(tried) > 2

    def told(port: int, config: str, value: str) -> tuple[int, str | None]:
        answer = raw.alter(port, kind, name, {config: value})
        if answer[0] == 0:
            assert raw.alter(port, kind, name, {config: None}) == answer
        return answer

    wrong = []
    for config, value in tried:
        theirs, ours = (told(port, config, value) for port in beside)
        if theirs != ours:
            wrong.append(f"{config}={value}: Kafka {theirs}, msgloop {ours}")
    assert wrong == [], "\n".join(wrong)
