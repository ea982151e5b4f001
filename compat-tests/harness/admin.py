"""Topic administration through librdkafka, for the set-up of other checks."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from harness.process import wait_until

ADMIN_SECONDS = 20


def client(bootstrap: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap})


def create_topic(bootstrap: str, name: str, partitions: int = 1, configs: dict | None = None) -> None:
    admin = client(bootstrap)
    new = NewTopic(name, num_partitions=partitions, replication_factor=1, config=configs or {})
    admin.create_topics([new])[name].result(ADMIN_SECONDS)
    wait_until(lambda: _leaders(admin, name) == partitions, ADMIN_SECONDS, f"{name} has leaders")


def _leaders(admin: AdminClient, name: str) -> int:
    try:
        found = admin.list_topics(name, timeout=5).topics[name]
    except KafkaException:
        return 0
    return 0 if found.error else sum(p.leader >= 0 for p in found.partitions.values())
