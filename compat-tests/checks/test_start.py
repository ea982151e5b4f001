"""Starting: by `cargo run`, quick, with a Kafka properties file, and with one clear sentence when it cannot be."""

import json
import os
import shutil
import socket
import subprocess

import pytest

from harness import paths, wire
from harness.kafka import Kafka
from harness.process import free_port, wait_until

pytestmark = pytest.mark.msgloop_only("msgloop's own command line")


def refusal(*arguments: str, code: int = 1) -> str:
    """What `msgloop` says when it refuses to start: one sentence, the exit code, no panic, no backtrace."""
    done = subprocess.run([str(paths.msgloop_binary()), *arguments], capture_output=True, text=True, timeout=20)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"{done.returncode}: {said}"
    assert "panicked" not in said and "backtrace" not in said, said
    return said


def overrides(directory, **more: str) -> list[str]:
    settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{free_port()}", "msgloop.admin.listener": f"127.0.0.1:{free_port()}", "log.dirs": str(directory), **more,
    }
    return [part for key, value in settings.items() for part in ("--override", f"{key}={value}")]


def snapshot(directory) -> dict:
    return {str(p): p.read_bytes() for p in sorted(directory.rglob("*")) if p.is_file()}


def test_cargo_run_means_the_broker():
    # The first command of the README; with a second program to choose from, cargo runs none.
    asked = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    workspace = json.loads(subprocess.run(asked, cwd=paths.REPOSITORY, capture_output=True, check=True, timeout=60).stdout)
    ran = [p for p in workspace["packages"] if p["id"] in workspace["workspace_default_members"]]
    assert [t["name"] for p in ran for t in p["targets"] if "bin" in t["kind"]] == ["msgloop"]


def test_help_and_version():
    for flag, expected in [("--help", "--override"), ("--version", "msgloop 0.")]:
        assert expected in refusal(flag, code=0)


@pytest.mark.parametrize("setting", ["num.partitions=many", "msgloop.io.backend=floppy", "listeners=nonsense", "log.segment.bytes=-5"])
def test_bad_config(tmp_path, setting):
    key, value = setting.split("=")
    said = refusal(*overrides(tmp_path / "data", **{key: value}))
    assert key in said
    assert not (tmp_path / "data").exists() or snapshot(tmp_path / "data") == {}


@pytest.mark.parametrize("setting, scheme", [("listeners", "PLAINTEXT://"), ("msgloop.admin.listener", "")])
def test_taken_port_leaves_the_disk_alone(tmp_path, setting, scheme):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refusal(*overrides(tmp_path / "data", **{setting: f"{scheme}127.0.0.1:{port}"}))
    assert str(port) in said
    assert not (tmp_path / "data").exists()


def test_locked_directory(own_broker):
    broker = own_broker()
    said = refusal(*overrides(broker.log_dirs[0]))
    assert str(broker.log_dirs[0]) in said
    assert broker.alive()


def test_directory_that_cannot_be_written(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a directory")
    assert str(blocked) in refusal(*overrides(blocked / "data"))


def test_foreign_directory_is_left_untouched(tmp_path):
    with Kafka(tmp_path / "kafka") as kafka:
        kafka.start()
        kafka.stop()
    before = snapshot(kafka.log_dirs[0])
    said = refusal(*overrides(kafka.log_dirs[0]))
    assert str(kafka.log_dirs[0]) in said
    assert snapshot(kafka.log_dirs[0]) == before


def test_kafkas_own_properties_file(tmp_path):
    """Taken as it is: controller settings get a warning each, an unknown key names its nearest neighbour."""
    kafka = Kafka(tmp_path / "kafka")
    properties = {**kafka._properties(), "listeners": f"PLAINTEXT://127.0.0.1:{kafka.port}", "advertised.listeners": f"PLAINTEXT://127.0.0.1:{kafka.port}", "num.partitons": "3"}
    path = tmp_path / "server.properties"
    path.write_text("".join(f"{k}={v}\n" for k, v in properties.items()))
    log = tmp_path / "log"
    with open(log, "wb") as out:
        child = subprocess.Popen(
            [str(paths.msgloop_binary()), "--config", str(path), "--override", f"msgloop.admin.listener=127.0.0.1:{free_port()}"],
            stdout=out, stderr=subprocess.STDOUT, env={**os.environ, "NO_COLOR": "1"},
        )
    try:
        wait_until(lambda: wire.answers_api_versions(kafka.port) or child.poll() is not None, 20, "it answers")
        said = log.read_text()
        assert child.poll() is None, said
    finally:
        child.kill()
        child.wait()
    assert "process.roles" in said
    assert "num.partitons" in said and "num.partitions" in said


def test_start_prints_what_a_newcomer_needs(own_broker):
    broker = own_broker()
    said = broker.tail()
    for expected in [str(broker.port), str(broker.admin_port), "kcat"]:
        assert expected in said, said


def test_stop_is_clean_and_check_agrees(own_broker):
    broker = own_broker()
    from harness import admin
    from harness.verifier import Writer

    admin.create_topic(broker.bootstrap, "t", 3)
    writer = Writer(broker.bootstrap, "t", "w", 3)
    writer.start()
    wait_until(lambda: len(writer.acknowledged) > 1000, 30, "acknowledged")
    assert writer.finish(30) == 0
    assert broker.stop() == 0
    check = subprocess.run([str(paths.msgloop_binary()), "check", str(broker.log_dirs[0])], capture_output=True, text=True, timeout=60)
    assert check.returncode == 0, check.stdout + check.stderr
    segment = max(broker.log_dirs[0].rglob("t-*/*.log"), key=lambda p: p.stat().st_size)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(data)
    check = subprocess.run([str(paths.msgloop_binary()), "check", str(broker.log_dirs[0])], capture_output=True, text=True, timeout=60)
    assert check.returncode != 0 and segment.name in check.stdout + check.stderr, check.stdout + check.stderr
    shutil.rmtree(broker.log_dirs[0])


def test_health_and_metrics(own_broker):
    broker = own_broker()
    assert broker.http("/healthz")[0] == 200
    assert broker.http("/readyz")[0] == 200
    status, metrics = broker.http("/metrics")
    assert status == 200
    assert "# TYPE msgloop_" in metrics
