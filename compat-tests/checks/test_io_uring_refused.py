"""Under a seccomp filter that answers EPERM to io_uring, as container engines do: file threads, said so, same promises."""

import re

import pytest

from harness import admin, campaign, paths
from harness.verifier import Writer, read_all, verify

pytestmark = pytest.mark.msgloop_only("Apache Kafka does not use io_uring")
REFUSER = [str(paths.CACHE / "refuse-io-uring")]


def backend_in_use(broker) -> str:
    metrics = broker.http("/metrics")[1]
    found = re.search(r'^msgloop_io_backend\{[^}]*backend="(\w+)"[^}]*\} 1$', metrics, re.M)
    return found[1] if found else metrics[:2000]


@pytest.fixture
def refused(own_broker):
    return own_broker(launcher=REFUSER, backend="auto")


def test_falls_back_to_file_threads_and_says_so(refused):
    assert backend_in_use(refused) == "threads"
    assert "threads" in refused.tail(), "the choice is logged"


def test_an_explicit_choice_that_cannot_be_had_refuses_to_start(new_broker):
    broker = new_broker(launcher=REFUSER, backend="uring")
    broker.start(wait=False)
    assert broker.wait(20, "refuse to start") == 1
    assert "io_uring" in broker.tail() and "panicked" not in broker.tail()


def test_writes_reads_and_survives_kills(refused):
    def kill(broker):
        broker.kill()
        broker.start()

    report = campaign.run(refused, 3, kill)
    assert report.ok(), str(report)


def test_groups_and_topics_work(refused):
    admin.create_topic(refused.bootstrap, "t", 3)
    writer = Writer(refused.bootstrap, "t", "w", 3)
    writer.start()
    campaign._progress([writer], refused, 0)
    assert writer.finish(30) == 0
    assert verify([writer], read_all(refused.bootstrap, "t", 3)).ok()
