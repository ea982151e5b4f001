"""franz-go and kafkajs: their own checks, in compat-tests/go and compat-tests/node."""

import pytest

from harness import paths, programs
from harness.line_clients import client

GO = programs.names(paths.COMPAT / "go" / "checks.go", pattern=r'\{"([a-z_]+)", [a-zA-Z]+\}')
NODE = programs.names(paths.COMPAT / "node" / "client.js", pattern=r"async ([a-z]+_[a-z_]+)\(kafka")


@pytest.fixture(scope="module")
def go_outcomes(shared_broker):
    return programs.run([str(paths.CACHE / "go" / "franz-client"), "checks", shared_broker.bootstrap, "go-"])


@pytest.fixture(scope="module")
def node_outcomes(shared_broker):
    return programs.run(["node", str(paths.CACHE / "node" / "client.js"), "checks", shared_broker.bootstrap, "node-"])


@pytest.mark.parametrize("check", GO)
def test_franz_go(go_outcomes, check):
    assert go_outcomes.get(check, "the check did not run") == "", go_outcomes.get(check)


@pytest.mark.parametrize("check", NODE)
def test_kafkajs(node_outcomes, check):
    assert node_outcomes.get(check, "the check did not run") == "", node_outcomes.get(check)


@pytest.mark.parametrize("writer,reader", [("franz-go", "kcat"), ("kcat", "franz-go"), ("kafkajs", "kcat"), ("kcat", "kafkajs")])
def test_exchange_lines_with_kcat(broker, topic, tmp_path, writer, reader):
    wanted = topic(partitions=3)
    lines = tmp_path / "lines"
    lines.write_bytes(b"".join(b"key-%d\tvalue %d\n" % (i % 50, i) for i in range(3000)))
    client(writer).produce(broker.bootstrap, wanted, "gzip", lines)
    found = client(reader).consume(broker.bootstrap, wanted, 3000)
    assert sorted(line.split(b"\t", 2)[2] for line in found) == sorted(lines.read_bytes().splitlines())
