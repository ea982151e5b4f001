"""The two brokers under measurement, each with its own data directory, and the load generator."""

import json
import os
import subprocess
from pathlib import Path

from bench.kernel import kernel_thread_seconds, spent
from harness import jvm
from harness.kafka import Kafka
from harness.msgloop import Msgloop


class MeasuredKafka(Kafka):
    """Kafka as its own start script runs it: 1 GB heap, G1 with a 20 ms pause goal (kafka-run-class.sh)."""

    def start(self, wait: bool = True) -> "MeasuredKafka":
        if not self.properties_path.exists():
            self._format()
        flags = ["-Xmx1G", "-Xms1G", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35",
                 "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true", "-Dorg.apache.logging.log4j.level=WARN"]
        self.spawn(["java", *flags, "-cp", jvm.classpath(), "kafka.Kafka", str(self.properties_path)])
        if wait:
            self.wait_ready()
        return self


# What a topic does not retain goes at once: a minute of load must not wait on the disk for the next look in five minutes.
RETENTION = {"log.retention.check.interval.ms": "5000", "log.segment.delete.delay.ms": "1000"}


class Pair:
    """msgloop and Kafka, both running (an idle broker costs little) or only the one that is measured."""

    def __init__(self, directory: Path):
        self.msgloop = Msgloop(directory / "msgloop", RETENTION)
        self.kafka = MeasuredKafka(directory / "kafka", RETENTION)

    def each(self):
        return [self.msgloop, self.kafka]

    def kill(self) -> None:
        for broker in self.each():
            broker.kill()


def load(broker, *arguments: str, seconds: float) -> dict:
    """Runs the load generator to its end and returns its report."""
    done = subprocess.run(load_command(broker, *arguments), capture_output=True, text=True, timeout=seconds + 120)
    assert done.returncode == 0, f"load ended with {done.returncode}: {done.stderr[-2000:]}\n{broker.tail()}"
    report = json.loads(done.stdout)
    assert not report.get("failed"), f"{report['failed']} records failed: {report['first_error']}\n{broker.tail()}"
    return report


def start_load(broker, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(load_command(broker, *arguments), stdout=subprocess.PIPE, text=True)


def load_command(broker, *arguments: str) -> list[str]:
    return [os.environ["MSGLOOP_LOAD"], "--bootstrap", broker.bootstrap, *arguments]


class Cost:
    """CPU seconds of a broker over a block: its own threads (kernel workers of its io_uring included) and, beside it,
    the kernel threads that write for it (writeback, journal), which belong to no process."""

    def __init__(self, broker):
        self.broker = broker

    def __enter__(self) -> "Cost":
        self.before = (self.broker.cpu_seconds(), kernel_thread_seconds())
        return self

    def __exit__(self, *_) -> None:
        self.process_seconds = self.broker.cpu_seconds() - self.before[0]
        self.kernel_seconds = spent(self.before[1], kernel_thread_seconds())

    def per_gb(self, count: float) -> dict[str, float]:
        """Figures for `count` bytes."""
        gigabytes = count / 1e9
        return {
            "cpu_s_per_gb": self.process_seconds / gigabytes,
            "cpu_s_per_gb_with_kernel_threads": (self.process_seconds + self.kernel_seconds) / gigabytes,
        }
