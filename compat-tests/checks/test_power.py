"""Power cuts: the file system under the data directory stops at once, without a word to the disk, and comes back.

The cut is the shutdown ioctl of ext4 and XFS on a loop mount: nothing after it reaches the disk, and after umount and mount
only what was synced is there. The broker is frozen first, as a power cut stops processor and disk together: a write with
RWF_DSYNC that is on its way during the ioctl can return success on XFS and be gone after the mount (7 of 17 such writes into
unwritten extents, Linux 6.18; none of 10,000 that returned before), and a broker that ran on would pass this on to its clients.
"""

import os
import random

import pytest

from harness import admin, campaign, paths
from harness.kafka import Kafka
from harness.loopfs import LoopDisk, reason_to_skip
from harness.process import wait_until
from harness.verifier import Writer, read_all, verify

pytestmark = [pytest.mark.needs_root, pytest.mark.skipif(reason_to_skip() is not None, reason=reason_to_skip() or "")]


@pytest.fixture
def disk(request, tmp_path):
    with LoopDisk(tmp_path, request.param) as made:
        yield made
        made.keep = getattr(request.node, "failed", False)


def power_cycle(disk: LoopDisk):
    def cut(broker) -> None:
        broker.freeze()
        disk.cut_power()
        broker.kill()
        disk.come_back()
        broker.start()

    return cut


@pytest.mark.campaign
@pytest.mark.smoke
@pytest.mark.parametrize("disk", ["ext4", "xfs"], indirect=True)
@pytest.mark.msgloop_only("Apache Kafka does not sync before it acknowledges: see the check below")
def test_power_cuts_lose_nothing(disk, own_broker, full):
    rounds = 100 if full else 4
    broker = own_broker(log_dirs=[disk.mount_point / "data"])
    report = campaign.run(broker, rounds, power_cycle(disk), configs={"segment.bytes": "1048576"}, seed=random.randrange(1 << 30))
    assert report.ok(), str(report)


@pytest.mark.parametrize("disk", ["ext4", "xfs"], indirect=True)
def test_the_check_sees_a_broker_that_does_not_sync(disk, tmp_path):
    """The same cut under Apache Kafka, which acknowledges from the page cache: a check that stays green proves nothing."""
    metadata = {"metadata.log.dir": str(tmp_path / "metadata")}
    with Kafka(tmp_path / "kafka", metadata, log_dirs=[disk.mount_point / "data"]) as broker:
        broker.start()
        admin.create_topic(broker.bootstrap, "kept", campaign.PARTITIONS)
        os.sync()  # The empty topic outlives the cut; Kafka would not start again otherwise.
        report = one_cut(broker, disk)
    assert report.anomalies["lost"], str(report)


@pytest.mark.msgloop_only("Apache Kafka loses them: see the check before")
@pytest.mark.parametrize("disk", ["ext4", "xfs"], indirect=True)
def test_a_cut_right_after_the_acknowledgement(disk, own_broker):
    broker = own_broker(log_dirs=[disk.mount_point / "data"])
    admin.create_topic(broker.bootstrap, "kept", campaign.PARTITIONS)
    report = one_cut(broker, disk)
    assert report.ok(), str(report)


@pytest.mark.msgloop_only("a build of msgloop that lies")
@pytest.mark.parametrize("disk", ["ext4", "xfs"], indirect=True)
def test_a_broker_that_acknowledges_early_is_seen(disk, own_broker, full):
    """The same cuts under a msgloop built to acknowledge a moment before it writes: the checks above must be able to fail."""
    broker = own_broker(log_dirs=[disk.mount_point / "data"], binary=paths.EARLY_ACKNOWLEDGER)
    assert "FOR TESTS ONLY" in broker.tail(), "this is the build that lies"
    for cut in range(5 if full else 1):
        admin.create_topic(broker.bootstrap, f"kept-{cut}", campaign.PARTITIONS)
        report = one_cut(broker, disk, f"kept-{cut}")
        assert report.anomalies["lost"], f"cut {cut}: {report}"
    if full:
        # The campaign's producers write on after a loss; the broker lacks what they were told it has, and they give up.
        with pytest.raises(AssertionError, match="OUT_OF_ORDER_SEQUENCE_NUMBER"):
            campaign.run(broker, 10, power_cycle(disk))


def one_cut(broker, disk: LoopDisk, topic: str = "kept"):
    """Writes, waits for every acknowledgement, cuts the power in that moment, and verifies after the restart."""
    writer = Writer(broker.bootstrap, topic, "w", campaign.PARTITIONS)
    writer.start()
    wait_until(lambda: len(writer.acknowledged) > 2000, 30, "the producer is acknowledged")
    assert writer.finish(30) == 0
    power_cycle(disk)(broker)
    return verify([writer], read_all(broker.bootstrap, topic, campaign.PARTITIONS))
