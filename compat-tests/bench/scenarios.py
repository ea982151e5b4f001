"""What is measured. Each scenario starts what it needs and returns the figures of every run, by broker."""

import json
import os
import time
from dataclasses import dataclass, field

from bench.brokers import Cost, load, start_load
from bench.kernel import drop_page_cache
from harness.admin import create_topic
from harness.process import wait_until

PARTITIONS = 6
# A minute at full speed would fill a disk. Only whole segments go, so they are small.
RETAINED_BYTES = 2 * 1024**3
SEGMENT_BYTES = 128 * 1024**2
ALL = []


LOADS = "{pairs} x {seconds:g} s after {warm_up:g} s"


@dataclass
class Scenario:
    name: str
    what: str
    measure: object
    # How long it ran, for the record: what of the options it makes use of.
    extent: str
    goals: dict[str, str] = field(default_factory=dict)


def scenario(name: str, what: str, extent: str = LOADS, **goals: str):
    def register(measure):
        ALL.append(Scenario(name, what, measure, extent, goals))
        return measure

    return register


def alternate(pair, options, run, prepare=None) -> dict:
    """Starts both, prepares and warms each, then `run(broker)` in turn; both brokers stay up, the idle one idles."""
    for broker in pair.each():
        broker.start()
        if prepare:
            prepare(broker)
    found = {broker.kind: [] for broker in pair.each()}
    for _ in range(options.pairs):
        for broker in pair.each():
            found[broker.kind].append(run(broker))
    return found


def retained(partitions: int) -> dict[str, str]:
    return {"retention.bytes": str(RETAINED_BYTES // partitions), "segment.bytes": str(SEGMENT_BYTES)}


def produce(broker, options, *extra: str, seconds: float | None = None) -> dict:
    seconds = options.seconds if seconds is None else seconds
    with Cost(broker) as cost:
        report = load(broker, "produce", "--topic", "load", "--seconds", str(seconds), *extra, seconds=seconds)
        # What it left in the page cache is written now: half a minute later the kernel would do it under the other's latencies.
        os.sync()
    return {"mb_per_second": report["mb_per_second"], **cost.per_gb(report["bytes"]), **report["latency"]}


def produced(pair, options, *extra: str, partitions: int = PARTITIONS) -> dict:
    def prepare(broker):
        create_topic(broker.bootstrap, "load", partitions, retained(partitions))
        produce(broker, options, *extra, seconds=options.warm_up)

    return alternate(pair, options, lambda broker: produce(broker, options, *extra), prepare)


@scenario("produce_1k", "1 KiB records as fast as acks come", cpu_s_per_gb="<= 0.6")
def produce_1k(pair, options):
    return produced(pair, options, "--record-bytes", "1024")


@scenario("produce_100b", "100 B records as fast as acks come")
def produce_100b(pair, options):
    return produced(pair, options, "--record-bytes", "100")


@scenario("small_batches", "20 MB/s, linger 1 ms, open loop", cpu_s_per_gb="<= 0.5", p99_ms="<= 1.0")
def small_batches(pair, options):
    return produced(pair, options, "--record-bytes", "1024", "--rate-mb", "20", "--linger-ms", "1", "--batch-bytes", "4096")


@scenario("produce_20mb", "20 MB/s, linger 5 ms, open loop", p99_ms="<= 1.0")
def produce_20mb(pair, options):
    return produced(pair, options, "--record-bytes", "1024", "--rate-mb", "20")


# The load generator sends 16 records to a partition before it goes on to the next. All 16 must fit a batch: with room for 15 the
# last one left alone among 1,000 partitions, while among 6 the next round filled its batch up.
BATCHES_OF_16 = ["--record-bytes", "1024", "--rate-mb", "50", "--batch-bytes", "17400", "--linger-ms", "100"]


@scenario("partitions_1000", "1,000 partitions, batches of 16 KiB, 50 MB/s")
def partitions_1000(pair, options):
    return produced(pair, options, *BATCHES_OF_16, "--partitions", "1000", partitions=1000)


@scenario("partitions_6", "6 partitions, batches of 16 KiB, 50 MB/s: what 1,000 are compared with")
def partitions_6(pair, options):
    return produced(pair, options, *BATCHES_OF_16)


def fill(broker, megabytes: int) -> None:
    create_topic(broker.bootstrap, "load", PARTITIONS)
    load(broker, "produce", "--topic", "load", "--total-mb", str(megabytes), "--seconds", "120", seconds=120)


def consume(broker, *extra: str, seconds: float) -> dict:
    with Cost(broker) as cost:
        report = load(broker, "consume", "--topic", "load", "--seconds", str(seconds), *extra, seconds=seconds)
    return {"mb_per_second": report["mb_per_second"], **cost.per_gb(report["bytes"])}


@scenario("fetch_bulk", "reading 1 GB again and again from memory or page cache", cpu_s_per_gb="<= 1.0")
def fetch_bulk(pair, options):
    def prepare(broker):
        fill(broker, 1000)
        consume(broker, "--repeat", seconds=options.warm_up)

    return alternate(pair, options, lambda broker: consume(broker, "--repeat", seconds=options.seconds), prepare)


@scenario("fetch_tail", "reading the newest 50 MB again and again", cpu_s_per_gb="<= 1.0")
def fetch_tail(pair, options):
    def prepare(broker):
        fill(broker, 50)
        consume(broker, "--repeat", seconds=options.warm_up)

    return alternate(pair, options, lambda broker: consume(broker, "--repeat", seconds=options.seconds), prepare)


@scenario("fetch_live", "a live consumer beside 20 MB/s of produce: cost of both", cpu_s_per_gb="<= 0.5")
def fetch_live(pair, options):
    def run(broker):
        rate = ["--rate-mb", "20", "--linger-ms", "5"]
        consumer = start_load(broker, "consume", "--topic", "load", "--live", "--seconds", str(options.seconds + 3))
        time.sleep(1)
        figures = produce(broker, options, *rate)
        live = json.loads(consumer.communicate(timeout=60)[0])
        ends = {f"end_to_end_{k}": v for k, v in live["latency"].items()}
        return {"cpu_s_per_gb": figures["cpu_s_per_gb"], **ends, "received_share": live["records"] / (20e6 / 1024 * options.seconds)}

    def prepare(broker):
        create_topic(broker.bootstrap, "load", PARTITIONS, retained(PARTITIONS))
        produce(broker, options, seconds=options.warm_up)

    return alternate(pair, options, run, prepare)


@scenario("fetch_cold", "reading 2 GB with the page cache dropped and nothing cached by the broker", extent="{pairs} readings")
def fetch_cold(pair, options):
    def run(broker):
        # msgloop lets go of its cache after 10 s without work. No restart: Kafka would be measured before it is warm.
        time.sleep(12)
        drop_page_cache()
        return consume(broker, seconds=120)

    return alternate(pair, options, run, lambda broker: fill(broker, 2000))


@scenario("idle", "resident memory before load and 60 s after", extent="{pairs} x {seconds:g} s of load", rss_idle_mb="<= 40", rss_after_mb="<= 40")
def idle(pair, options):
    def run(broker):
        broker.restart()
        time.sleep(5)
        figures = {"rss_idle_mb": broker.rss_bytes() / 1e6}
        load(broker, "produce", "--topic", "load", "--seconds", str(options.seconds), seconds=options.seconds)
        figures["rss_peak_mb"] = broker.rss_peak_bytes() / 1e6
        time.sleep(60)
        with Cost(broker) as cost:
            time.sleep(10)
        return {**figures, "rss_after_mb": broker.rss_bytes() / 1e6, "cpu_idle_percent": cost.process_seconds * 10}

    return alternate(pair, options, run, lambda broker: create_topic(broker.bootstrap, "load", PARTITIONS))


@scenario("start", "process start to first ack", extent="{pairs} starts", seconds_to_ack="<= 0.3 (ours)")
def start(pair, options):
    def run(broker):
        broker.stop()
        return {"seconds_to_ack": seconds_to_ack(broker)}

    return alternate(pair, options, run, lambda broker: create_topic(broker.bootstrap, "load", PARTITIONS))


@scenario(
    "start_10000",
    "10,000 partitions, 1,000 of them with data: start to first ack, resident memory",
    extent="{pairs} starts",
    seconds_to_ack="<= 2 (ours)",
    rss_mb="<= 200 (ours)",
)
def start_10000(pair, options):
    def run(broker):
        broker.stop()
        took = seconds_to_ack(broker)
        time.sleep(10)
        return {"seconds_to_ack": took, "rss_mb": broker.rss_bytes() / 1e6}

    def prepare(broker):
        create_topic(broker.bootstrap, "load", 1)
        for topic in range(10):
            create_topic(broker.bootstrap, f"many-{topic}", 1000)
        load(broker, "produce", "--topic", "many-0", "--partitions", "1000", "--total-mb", "10", "--seconds", "60", seconds=60)

    return alternate(pair, options, run, prepare)


@scenario("restart_2gb", "start to first ack after kill -9 with 2 GB of data", extent="{pairs} starts", seconds_to_ack="<= 1 (ours)")
def restart_2gb(pair, options):
    def run(broker):
        load(broker, "produce", "--topic", "load", "--total-mb", "100", "--seconds", "60", seconds=60)
        broker.kill()
        return {"seconds_to_ack": seconds_to_ack(broker)}

    return alternate(pair, options, run, lambda broker: fill(broker, 2000))


def seconds_to_ack(broker) -> float:
    """Starts the broker and tries to produce one record until it is acknowledged, with nothing but a socket."""
    from bench.first_ack import produce_one

    began = time.monotonic()
    broker.start(wait=False)
    wait_until(lambda: produce_one(broker.port, "load"), 60, f"{broker.kind} acknowledges a record", pause=0.005)
    return time.monotonic() - began
