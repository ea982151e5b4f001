"""Other people's test suites, which know nothing of msgloop: see peers/<suite>/run.

A suite passes when every case of it does, but for those its file `skipped` names with a reason. The brokers start empty, one a suite.
"""

import subprocess

import pytest

from harness import paths

PEERS = paths.COMPAT / "peers"
SUITE_SECONDS = 1800


def outcomes(suite: str, bootstrap: str, quick: bool, log) -> dict[str, list[str]]:
    """{ok, FAIL or skip: the rest of each such line}."""
    directory, variant = VARIANTS.get(suite, (suite, {}))
    command = [str(PEERS / directory / "run"), *(["--quick"] if quick else []), bootstrap]
    environment = {**paths.environment(), **variant, "PEER_LOG": str(log)}
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SUITE_SECONDS, env=environment)
    found: dict[str, list[str]] = {"ok": [], "FAIL": [], "skip": []}
    for line in done.stdout.splitlines():
        word, _, rest = line.partition(" ")
        if word in found:
            found[word].append(rest)
    assert found["ok"] or found["FAIL"], f"{suite} said nothing: {done.stdout[-1000:]}{done.stderr[-2000:]}"
    return found


# A suite run in a second way: where it is, what its environment has besides.
VARIANTS = {"librdkafka-consumer": ("librdkafka", {"TEST_CONSUMER_GROUP_PROTOCOL": "consumer"})}
SUITES = sorted([*(p.parent.name for p in PEERS.glob("*/run")), *VARIANTS])
# Built from source, and mostly waiting: minutes each.
LONG = {suite: [pytest.mark.full] for suite in ("librdkafka", *VARIANTS)}
# Some cases name broker 0; others expect two consumers that subscribe one after the other to join in one rebalance.
SETTINGS = {"node.id": "0", "num.partitions": "4", "group.initial.rebalance.delay.ms": "1000"}
# The crate's own compose file has three partitions, which many of its tests count.
OTHERWISE = {"rdkafka": {"num.partitions": "3"}}


@pytest.mark.parametrize("suite", [pytest.param(suite, marks=LONG.get(suite, [])) for suite in SUITES])
def test_suite(own_broker, full, suite, tmp_path, record_property):
    broker = own_broker({**SETTINGS, **OTHERWISE.get(suite, {})})
    found = outcomes(suite, broker.bootstrap, not full, tmp_path / "log")
    record_property("peer", f"{suite}: {len(found['ok'])} passed, {len(found['FAIL'])} failed, {len(found['skip'])} skipped")
    assert not found["FAIL"], "\n".join([f"{len(found['ok'])} passed; failed (log: {tmp_path / 'log'}):", *found["FAIL"]])
