"""The verifier itself: each anomaly, made by hand, is found and named; a good history is not blamed."""

import pytest

from harness.verifier import NAMES, payload, verify


class FakeWriter:
    def __init__(self, acknowledged: dict, sent: int):
        self.name_, self.acknowledged, self.sent = "p", acknowledged, sent


def record(offset: int, number: int, producer: str = "p") -> tuple:
    return offset, payload(producer, number, 60)


GOOD = {0: [record(0, 0), record(1, 1), record(2, 2)]}
ACKNOWLEDGED = {0: (0, 0), 1: (0, 1), 2: (0, 2)}
CASES = {
    "lost": ({0: [record(0, 0), record(1, 1)]}, None),
    "duplicate": ({0: [record(0, 0), record(1, 1), record(2, 2), record(3, 2)]}, None),
    "wrong-offset": ({0: [record(0, 0), record(1, 2), record(2, 1)]}, None),
    "gap": ({0: [record(0, 0), record(1, 1), record(2, 2), record(5, 3)]}, None),
    "disorder": ({0: [record(0, 1), record(1, 0), record(2, 2)]}, None),
    "foreign": ({0: [*GOOD[0], record(3, 0, "q")]}, None),
    "moved": (GOOD, {0: [record(1, 0)]}),
}


def test_good_history():
    report = verify([FakeWriter(ACKNOWLEDGED, 3)], GOOD, GOOD)
    assert report.ok() and report.count == 3, str(report)


@pytest.mark.parametrize("anomaly", NAMES)
def test_anomaly_is_found(anomaly):
    log, before = CASES[anomaly]
    report = verify([FakeWriter(ACKNOWLEDGED, 4)], log, before)
    assert report.anomalies[anomaly], str(report)


def test_damaged_payload_is_foreign():
    damaged = payload("p", 1, 60)[:-1] + b"!"
    report = verify([FakeWriter(ACKNOWLEDGED, 3)], {0: [record(0, 0), (1, damaged), record(2, 2)]})
    assert report.anomalies["foreign"]
