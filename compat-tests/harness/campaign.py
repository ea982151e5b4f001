"""A crash campaign: idempotent producers write while the broker is ended again and again; then everything is verified."""

import random
import time

from harness import admin
from harness.process import wait_until
from harness.verifier import Report, Writer, read_all, verify

PARTITIONS = 6
WRITERS = 3
ROUND_SECONDS = 120
SETTLE_SECONDS = 120
# Enough to keep commits on their way all the time; more only makes the reading at the end longer.
PER_SECOND = 600


def run(broker, rounds: int, crash, topic: str = "campaign", configs: dict | None = None, seed: int = 0) -> Report:
    """`crash(broker)` ends the broker and starts it again; each round must have acknowledged something before it."""
    chance = random.Random(seed)
    admin.create_topic(broker.bootstrap, topic, PARTITIONS, configs)
    writers = [Writer(broker.bootstrap, topic, f"w{i}", PARTITIONS, per_second=PER_SECOND) for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    before, stopped = None, None
    try:
        for at in range(rounds):
            _progress(writers, broker, at)
            time.sleep(chance.uniform(0, 0.4))
            if at == rounds // 2:
                before = read_all(broker.bootstrap, topic, PARTITIONS)
            crash(broker)
        _progress(writers, broker, rounds)
    except (AssertionError, TimeoutError) as error:
        stopped = error
    deadline = time.monotonic() + (5 if stopped else SETTLE_SECONDS)
    open_ = sum(writer.finish(max(1, deadline - time.monotonic())) for writer in writers)
    if stopped and not broker.alive():
        raise stopped
    report = verify(writers, read_all(broker.bootstrap, topic, PARTITIONS), before)
    fatal = [w.fatal for w in writers if w.fatal]
    assert not stopped and not fatal, f"{stopped}\na producer gave up: {fatal}\n{report}"
    assert open_ == 0, f"{open_} records were never answered; {report}"
    return report


def _progress(writers: list[Writer], broker, at: int) -> None:
    """A round that acknowledges nothing would prove nothing."""
    floor = [len(w.acknowledged) + 20 for w in writers]

    def moved() -> bool:
        assert broker.alive(), f"round {at}: the broker ended by itself\n{broker.tail()}"
        assert not any(w.fatal for w in writers), [w.fatal for w in writers]
        return all(len(w.acknowledged) >= least for w, least in zip(writers, floor))

    wait_until(moved, ROUND_SECONDS, f"round {at}: each producer is acknowledged")
