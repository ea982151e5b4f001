"""What coordinators cost: transactions, committed offsets, groups, and how soon they answer after a start."""

import itertools
import shutil
import statistics
import time

from bench import coordinator_requests as ask
from bench.brokers import Cost
from bench.conversations import Pause, hold
from bench.scenarios import alternate, scenario
from harness.admin import create_topic
from harness.process import wait_until

TOPIC = "load"
# One partition of either topic: the rate of one coordinator, and one log to fill.
ONE_OF_EACH = {"offsets.topic.num.partitions": "1", "transaction.state.log.num.partitions": "1"}
COORDINATOR_LOAD_IN_PROGRESS, CONCURRENT_TRANSACTIONS, REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION = 14, 51, 27, 22


def prepared(pair, partitions: int, settings: dict[str, str] | None = None):
    """What `alternate` is to do with a broker that has started: the topics are there and both coordinators answer."""
    for broker in pair.each():
        broker.overrides.update(settings or {})

    def prepare(broker) -> None:
        create_topic(broker.bootstrap, TOPIC, partitions)
        wait_until(lambda: coordinators_answer(broker), 60, f"{broker.kind} has coordinators")

    return prepare


def coordinators_answer(broker) -> bool:
    """Whether an offset can be read and a producer id be had."""
    codes = []

    def client():
        codes.append(ask.find_coordinator_code((yield ask.find_coordinator("group", of_transactions=False))))
        codes.append(ask.find_coordinator_code((yield ask.find_coordinator("id", of_transactions=True))))
        codes.append(ask.offset_fetched((yield ask.offset_fetch("group", TOPIC, 0)))[0])
        codes.append(ask.producer_id((yield ask.init_producer_id("id")))[0])

    hold(broker.port, [client()])
    return not any(codes)


class Counted:
    """What clients did until the time was over."""

    def __init__(self, seconds: float):
        self.seconds, self.count, self.began = seconds, 0, time.monotonic()
        self.took_ms = []

    def goes_on(self) -> bool:
        return time.monotonic() - self.began < self.seconds

    def done(self, since: float) -> None:
        self.count += 1
        self.took_ms.append((time.monotonic() - since) * 1000)

    def figures(self, cost: Cost) -> dict[str, float]:
        elapsed, took_ms = time.monotonic() - self.began, sorted(self.took_ms)
        return {
            "per_second": self.count / elapsed,
            "cpu_us_each": cost.process_seconds / self.count * 1e6,
            "p50_ms": took_ms[len(took_ms) // 2],
            "p99_ms": took_ms[len(took_ms) * 99 // 100],
        }


def rate(broker, seconds: float, clients: int, client) -> dict[str, float]:
    """`client(number, counted)` are the conversations, each to end when the time is over."""
    with Cost(broker) as cost:
        counted = Counted(seconds)
        hold(broker.port, [client(number, counted) for number in range(clients)])
    return counted.figures(cost)


def alternate_rate(pair, options, clients: int, client, partitions: int, settings: dict[str, str] | None = None) -> dict:
    set_up = prepared(pair, partitions, settings)

    def prepare(broker):
        set_up(broker)
        rate(broker, options.warm_up, clients, client)

    return alternate(pair, options, lambda broker: rate(broker, options.seconds, clients, client), prepare)


# Over three partitions as from a stream task: two of an output and one of a changelog.
TRANSACTION_PARTITIONS = {0: 4, 1: 3, 2: 3}
RECORD = b"x" * 100


def transactions_of_10(number: int, counted: Counted):
    """A producer of the newer protocol (KIP-890): ten records of 100 B in three partitions, then the commit."""
    name = f"producer-{number}"
    code, *producer = ask.producer_id((yield from until_settled(ask.init_producer_id(name), ask.producer_id)))
    ask.expect_none(code, "InitProducerId")
    sequence = {partition: 0 for partition in TRANSACTION_PARTITIONS}
    while counted.goes_on():
        began = time.monotonic()
        batches = {one: ((*producer, sequence[one]), [RECORD] * count) for one, count in TRANSACTION_PARTITIONS.items()}
        frame = ask.transactional_produce(name, TOPIC, batches)
        answer = yield from until_settled(frame, lambda answer: [ask.transactional_produce_code(answer, TOPIC)])
        ask.expect_none(ask.transactional_produce_code(answer, TOPIC), "Produce")
        code, *ended = ask.transaction_ended((yield ask.end_transaction(name, tuple(producer))))
        ask.expect_none(code, "EndTxn")
        # The epoch rises with each transaction, until there is a new id.
        sequence = {one: 0 if ended != producer else sequence[one] + count for one, count in TRANSACTION_PARTITIONS.items()}
        producer = ended
        counted.done(began)


def until_settled(frame, codes):
    """Asks again while the transaction before is being completed, or Kafka fetches a block of producer ids. Clients do so as well, at
    first after 20 ms or `retry.backoff.ms`; here it is 5 ms, so that the broker is measured and not the pause."""
    while True:
        answer = yield frame
        if codes(answer)[0] not in (CONCURRENT_TRANSACTIONS, COORDINATOR_LOAD_IN_PROGRESS):
            return answer
        yield Pause(0.005)


RATE_GOAL = ">= {} (ours)"


@scenario("transactions_8", "transactions of 10 records in 3 partitions, 8 producers", per_second=RATE_GOAL.format(2000))
def transactions_8(pair, options):
    return alternate_rate(pair, options, 8, transactions_of_10, partitions=3)


@scenario("transactions_1", "transactions of 10 records in 3 partitions, 1 producer", per_second=RATE_GOAL.format(500))
def transactions_1(pair, options):
    return alternate_rate(pair, options, 1, transactions_of_10, partitions=3)


COMMITTERS = 64


def commits_of(partitions: int):
    """A client that commits as fast as answers come, each for a group of its own."""

    def client(number: int, counted: Counted):
        # Made once: to put 100 partitions together took the client longer than the broker took for the request.
        frame, offset = bytearray(ask.offset_commit(f"group-{number}", TOPIC, range(partitions), 0)), 0
        while counted.goes_on():
            began, offset = time.monotonic(), offset + 1
            ask.set_first_offset(frame, partitions, offset)
            answer = yield frame
            ask.expect_none(ask.offset_commit_code(answer), "OffsetCommit")
            counted.done(began)

    return client


@scenario("commits_1", f"OffsetCommit of 1 partition, {COMMITTERS} groups of one coordinator", per_second=RATE_GOAL.format(15000))
def commits_1(pair, options):
    return alternate_rate(pair, options, COMMITTERS, commits_of(1), partitions=1, settings=ONE_OF_EACH)


@scenario("commits_100", f"OffsetCommit of 100 partitions, {COMMITTERS} groups of one coordinator", per_second=RATE_GOAL.format(3000))
def commits_100(pair, options):
    return alternate_rate(pair, options, COMMITTERS, commits_of(100), partitions=100, settings=ONE_OF_EACH)


GROUPS, GROUP_CONNECTIONS = 10_000, 100
SESSION_MS = 30 * 60 * 1000
METADATA = ask.subscription(TOPIC)
ASSIGNMENT = ask.assignment(TOPIC, 0)


def groups_of_one(number: int):
    """One connection's share of the groups: a member each, with an assignment and ten committed offsets."""
    for group in (f"group-{one}" for one in range(number, GROUPS, GROUP_CONNECTIONS)):
        joined = ask.joined((yield ask.join_group(group, "", METADATA, SESSION_MS, 60_000)))
        code, generation, _, member, _ = joined
        ask.expect_none(code, "JoinGroup")
        answer = yield ask.sync_group(group, generation, member, {member: ASSIGNMENT})
        ask.expect_none(ask.code_after_throttle(answer), "SyncGroup")
        answer = yield ask.offset_commit(group, TOPIC, range(10), 1, generation, member)
        ask.expect_none(ask.offset_commit_code(answer), "OffsetCommit")


def fresh(broker, prepare) -> None:
    """A broker that has seen nothing yet."""
    broker.kill()
    for entry in [*broker.log_dirs, broker.directory / "server.properties"]:
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink(missing_ok=True)
    prepare(broker.start())


@scenario(
    "groups_10000",
    "10,000 groups of a member and 10 offsets: resident memory they add",
    "{pairs} times",
    rss_added_mb="<= 200 (ours)",
)
def groups_10000(pair, options):
    def run(broker):
        fresh(broker, prepare)
        time.sleep(5)
        before, began = broker.rss_bytes(), time.monotonic()
        hold(broker.port, [groups_of_one(number) for number in range(GROUP_CONNECTIONS)])
        took = time.monotonic() - began
        time.sleep(15)
        after = broker.rss_bytes()
        return {"rss_added_mb": (after - before) / 1e6, "rss_mb": after / 1e6, "groups_per_second": GROUPS / took}

    prepare = prepared(pair, 10)
    return alternate(pair, options, run)


MEMBERS = 500
# Clients learn of a rebalance by a heartbeat; their default of 3 s would be most of what is measured.
HEARTBEAT_SECONDS = 0.25


class Group:
    """What the members of one group have come to, and how long each of its rebalances took."""

    def __init__(self, rebalances: int):
        self.rebalances, self.took = rebalances, []
        self.generations, self.began, self.settled_at = {}, time.monotonic(), None

    def settled(self, number: int, generation: int) -> None:
        """A member has its assignment; the group has settled when all have one of the same generation."""
        self.generations[number] = generation
        if len(self.generations) == MEMBERS and len(set(self.generations.values())) == 1:
            self.settled_at = time.monotonic()

    def begin(self) -> None:
        """Called by the leader once the group has settled, before it joins again."""
        self.took.append(self.settled_at - self.began)
        self.generations, self.began, self.settled_at = {}, time.monotonic(), None

    def is_over(self) -> bool:
        return len(self.took) > self.rebalances


def member_of(group: Group, number: int):
    """Joins, and again whenever the group rebalances; the leader has it do so."""
    member = ""
    while not group.is_over():
        answer = yield ask.join_group("group", member, METADATA, SESSION_MS, 60_000)
        code, generation, leader, member, members = ask.joined(answer)
        ask.expect_none(code, "JoinGroup")
        assignments = dict.fromkeys(members, ASSIGNMENT)
        code = ask.code_after_throttle((yield ask.sync_group("group", generation, member, assignments)))
        if code == 0:
            group.settled(number, generation)
        while code == 0 and not group.is_over():
            yield Pause(HEARTBEAT_SECONDS)
            if leader == member and group.settled_at:
                group.begin()
                break
            code = ask.code_after_throttle((yield ask.heartbeat("group", generation, member)))
        if code not in (REBALANCE_IN_PROGRESS, ILLEGAL_GENERATION):
            ask.expect_none(code, "SyncGroup or Heartbeat")


@scenario(
    "rebalance_500",
    "a group of 500 members, classic protocol, heartbeats each 0.25 s: from the leader's rejoining to the last one's assignment",
    "{pairs} times, median of 5",
    rebalance_seconds="<= 3 (ours)",
)
def rebalance_500(pair, options):
    def run(broker):
        fresh(broker, prepare)
        group = Group(rebalances=5)
        hold(broker.port, [member_of(group, number) for number in range(MEMBERS)])
        # The first time they arrive one by one.
        return {"rebalance_seconds": statistics.median(group.took[1:]), "first_join_seconds": group.took[0]}

    prepare = prepared(pair, 1)
    return alternate(pair, options, run)


# Nearly a segment of the internal topics (`offsets.topic.segment.bytes`, `transaction.state.log.segment.bytes`), which is compacted only
# when it is full.
FULL_BYTES = 88 * 1024 * 1024


def producer_ids(number: int, counted: Counted):
    """A client that asks for producer ids as fast as answers come, for a hundred transactional ids in turn."""
    for turn in itertools.count():
        if not counted.goes_on():
            return
        began = time.monotonic()
        answer = yield from until_settled(ask.init_producer_id(f"producer-{number}-{turn % 100}"), ask.producer_id)
        ask.expect_none(ask.producer_id(answer)[0], "InitProducerId")
        counted.done(began)


def log_bytes(broker, topic: str) -> int:
    return sum(log.stat().st_size for log in (broker.log_dirs[0] / f"{topic}-0").glob("*.log"))


def fill(broker, topic: str, client) -> None:
    while log_bytes(broker, topic) < FULL_BYTES:
        counted = Counted(0.5)
        hold(broker.port, [client(number, counted) for number in range(COMMITTERS)])


@scenario(
    "start_coordinators",
    "88 MiB that cannot be compacted yet in each coordinator's log: start to first answers",
    "{pairs} starts",
    ready_seconds="<= 1 (ours)",
)
def start_coordinators(pair, options):
    def run(broker):
        broker.stop()
        began = time.monotonic()
        broker.start()
        ready = time.monotonic() - began
        wait_until(lambda: coordinators_answer(broker), 120, f"{broker.kind} has coordinators", pause=0.01)
        loaded = time.monotonic() - began
        return {"ready_seconds": ready, "coordinators_seconds": loaded, "rss_peak_mb": broker.rss_peak_bytes() / 1e6}

    set_up = prepared(pair, 100, ONE_OF_EACH)

    def prepare(broker):
        set_up(broker)
        fill(broker, "__consumer_offsets", commits_of(100))
        fill(broker, "__transaction_state", producer_ids)

    return alternate(pair, options, run, prepare)
