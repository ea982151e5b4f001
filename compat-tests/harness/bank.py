"""A bank on a topic: accounts are partitions, a transfer is a transaction that writes to two of them, a log entry on each side.

Every transfer takes an amount from one account and adds it to another. An audit reads all partitions up to their last stable
offsets of one moment and beyond, until the entries it has seen balance: each transfer's two sides are in, or neither. A transfer of
which one side only is ever seen is a broken transaction.
"""

import json
import random
import threading
import time
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, Producer, TopicPartition

from harness import admin

TOPIC = "bank"
ACCOUNTS = 8
SETTLE_SECONDS = 90


@dataclass
class Report:
    transfers: int = 0
    aborted: int = 0
    unknown: int = 0
    audits: int = 0
    wrong: list = field(default_factory=list)


class Teller(threading.Thread):
    """Moves money until told to stop; aborts every fifth transfer."""

    def __init__(self, bootstrap: str, number: int, seed: int):
        super().__init__(daemon=True)
        self.bootstrap, self.number = bootstrap, number
        self.chance = random.Random(seed * 100 + number)
        self.stopping = threading.Event()
        self.committed, self.aborted, self.unknown = set(), set(), set()
        self.failure = None

    def run(self) -> None:
        count = 0
        while not self.stopping.is_set():
            try:
                producer = Producer({
                    "bootstrap.servers": self.bootstrap, "transactional.id": f"teller-{self.number}", "linger.ms": 0, "transaction.timeout.ms": 20000,
                })
                producer.init_transactions(60)
                while not self.stopping.is_set():
                    count += 1
                    self.transfer(producer, f"{self.number}-{count}")
            except KafkaException as error:
                if self.stopping.is_set():
                    return
                self.failure = error
                time.sleep(0.5)

    def transfer(self, producer: Producer, name: str) -> None:
        source, target = self.chance.sample(range(ACCOUNTS), 2)
        amount = self.chance.randint(1, 100)
        producer.begin_transaction()
        for account, change in ((source, -amount), (target, amount)):
            producer.produce(TOPIC, json.dumps([name, change]).encode(), partition=account)
        if self.chance.random() < 0.2:
            producer.flush(10)
            try:
                producer.abort_transaction(60)
                self.aborted.add(name)
            except KafkaException:
                self.unknown.add(name)
                raise
            return
        try:
            while True:
                try:
                    producer.commit_transaction(60)
                    break
                except KafkaException as error:
                    if error.args[0].retriable():
                        continue
                    if error.args[0].txn_requires_abort():
                        producer.abort_transaction(60)
                        self.aborted.add(name)
                        return
                    raise
            self.committed.add(name)
        except KafkaException:
            self.unknown.add(name)
            raise


class Auditor(threading.Thread):
    """Reads everything again and again; the sum over all accounts, at each moment when no transfer is halfway, is zero.

    Partitions are read one after the other, so a transfer may be committed between two of them: its other side must come soon."""

    def __init__(self, bootstrap: str, isolation: str):
        super().__init__(daemon=True)
        self.bootstrap, self.isolation = bootstrap, isolation
        self.stopping = threading.Event()
        self.sides: dict[str, dict[int, int]] = {}
        self.audits = 0
        self.wrong: list = []

    def run(self) -> None:
        reader = Consumer({
            "bootstrap.servers": self.bootstrap, "group.id": "audit", "isolation.level": self.isolation, "enable.auto.commit": False,
        })
        reader.assign([TopicPartition(TOPIC, account, OFFSET_BEGINNING) for account in range(ACCOUNTS)])
        while not self.stopping.is_set():
            for message in reader.consume(500, timeout=0.2):
                if not message.error():
                    self.note(message)
            self.audits += 1
        reader.close()

    def note(self, message) -> None:
        name, change = json.loads(message.value())
        sides = self.sides.setdefault(name, {})
        if message.partition() in sides:
            self.wrong.append(f"{name} is there twice in {message.partition()}")
        sides[message.partition()] = change


def run(broker, clients: int, kills: int, seed: int, isolation: str = "read_committed", seconds: float = 0) -> Report:
    chance = random.Random(seed)
    admin.create_topic(broker.bootstrap, TOPIC, ACCOUNTS)
    tellers = [Teller(broker.bootstrap, number, seed) for number in range(clients)]
    auditor = Auditor(broker.bootstrap, isolation)
    for thread in [*tellers, auditor]:
        thread.start()
    for _ in range(kills):
        before = sum(len(teller.committed) for teller in tellers)
        deadline = time.monotonic() + 60
        while sum(len(teller.committed) for teller in tellers) < before + 10:
            assert time.monotonic() < deadline, f"no transfer succeeds: {[teller.failure for teller in tellers]}"
            time.sleep(0.05)
        time.sleep(chance.uniform(0, 0.5))
        broker.kill()
        broker.start()
    time.sleep(max(2, seconds))
    for teller in tellers:
        teller.stopping.set()
    for teller in tellers:
        teller.join(SETTLE_SECONDS)
    committed = set().union(*(teller.committed for teller in tellers))
    aborted = set().union(*(teller.aborted for teller in tellers))
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and not all(len(auditor.sides.get(name, {})) == 2 for name in committed):
        time.sleep(0.2)
    auditor.stopping.set()
    auditor.join(30)
    # A fresh reader sees the same, from the disk.
    again = Auditor(broker.bootstrap, isolation)
    again.start()
    while time.monotonic() < deadline + 10 and not all(len(again.sides.get(name, {})) == 2 for name in committed):
        time.sleep(0.2)
    again.stopping.set()
    again.join(30)
    report = Report(
        transfers=len(committed), aborted=len(aborted), unknown=sum(len(teller.unknown) for teller in tellers), audits=auditor.audits + again.audits,
        wrong=[*auditor.wrong, *again.wrong],
    )
    for reader in (auditor, again):
        for name, sides in reader.sides.items():
            if len(sides) != 2 or sum(sides.values()) != 0:
                report.wrong.append(f"one side of {name}: {sides}")
            if name in aborted:
                report.wrong.append(f"{name} was aborted and is seen")
        report.wrong += [f"{name} was committed and is not seen" for name in committed if name not in reader.sides]
        if sum(sum(sides.values()) for sides in reader.sides.values()) != 0:
            report.wrong.append("the total is not zero")
    return report
