"""Apache Kafka from its published jars: one node, broker and controller in one JVM."""

import base64
import subprocess
import uuid

from harness import jvm, paths
from harness.broker import Broker
from harness.process import free_port, wait_until
from harness.wire import answers_api_versions

PROPERTIES = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
}


class Kafka(Broker):
    kind = "kafka"

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.controller_port = free_port()

    @property
    def properties_path(self):
        return self.directory / "server.properties"

    def start(self, wait: bool = True) -> "Kafka":
        if not self.properties_path.exists():
            self._format()
        # With the plug-ins among the Java programs of the checks.
        self.spawn(jvm.command("kafka.Kafka", [str(self.properties_path)], heap="512m", extra=(paths.CACHE / "java" / "classes",)))
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self) -> None:
        def ready():
            assert self.alive(), f"kafka ended while starting\n{self.tail()}"
            return answers_api_versions(self.port)

        wait_until(ready, self.ready_seconds, f"kafka answers on {self.bootstrap}")

    def _format(self) -> None:
        self.properties_path.write_text("".join(f"{k}={v}\n" for k, v in self._properties().items()))
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        format_arguments = ["format", "--standalone", f"--cluster-id={cluster_id}", "-c", str(self.properties_path)]
        done = subprocess.run(jvm.command("kafka.tools.StorageTool", format_arguments), capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr

    def _properties(self) -> dict[str, str]:
        controller = f"127.0.0.1:{self.controller_port}"
        listeners = f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}"
        own = {
            "controller.quorum.bootstrap.servers": controller,
            "listeners": listeners,
            "advertised.listeners": listeners,
            "log.dirs": ",".join(str(d) for d in self.log_dirs),
        }
        known = {k: v for k, v in self.overrides.items() if not k.startswith("msgloop.")}
        return {**PROPERTIES, **own, **known}
