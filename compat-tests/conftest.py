"""Options and fixtures shared by all checks: one broker for the run, one topic name a test."""

import re
import shutil
from pathlib import Path

import pytest

from harness import paths
from harness.broker import Broker
from harness.kafka import Kafka
from harness.msgloop import Msgloop


def pytest_addoption(parser):
    parser.addoption("--against", choices=["kafka", "msgloop"], default="msgloop", help="the broker under test")
    parser.addoption("--backend", choices=["auto", "uring", "threads", "glommio"], default="auto", help="msgloop.io.backend")
    parser.addoption("--full", action="store_true", help="the whole matrix and the long campaigns")


def pytest_collection_modifyitems(config, items):
    against = config.getoption("--against")
    for item in items:
        for other in ("msgloop", "kafka"):
            mark = item.get_closest_marker(f"{other}_only")
            if mark and against != other:
                item.add_marker(pytest.mark.skip(reason=mark.args[0]))
        if item.get_closest_marker("full") and not config.getoption("--full"):
            item.add_marker(pytest.mark.skip(reason="long: `run --all` only"))


@pytest.fixture(scope="session")
def full(request) -> bool:
    """True in `run --all`: campaigns take their full length."""
    return request.config.getoption("--full")


@pytest.fixture(scope="session")
def against(request) -> str:
    return request.config.getoption("--against")


@pytest.fixture(scope="session")
def new_broker(request, tmp_path_factory):
    """A function that makes (not starts) a broker of the kind under test; all are ended with the run."""
    backend = request.config.getoption("--backend")
    made: list[Broker] = []

    def make(directory: Path | None = None, overrides: dict | None = None, **named) -> Broker:
        directory = directory or tmp_path_factory.mktemp("broker")
        if request.config.getoption("--against") == "kafka":
            named.pop("backend", None), named.pop("launcher", None)
            broker = Kafka(directory, overrides, **named)
        else:
            broker = Msgloop(directory, overrides, **{"backend": backend, **named})
        made.append(broker)
        return broker

    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def own_broker(new_broker):
    """A started broker for one test alone, given settings; its data is removed afterwards."""
    started: list[Broker] = []

    def start(overrides: dict | None = None, **named) -> Broker:
        started.append(new_broker(overrides=overrides, **named).start())
        return started[-1]

    yield start
    for broker in started:
        broker.kill()
        shutil.rmtree(broker.directory / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def shared_broker(new_broker):
    """The broker most checks share; they keep apart by topic and group names."""
    return new_broker().start()


@pytest.fixture
def broker(shared_broker):
    if not shared_broker.alive():
        pytest.fail(f"the shared broker ended before this check\n{shared_broker.tail()}")
    yield shared_broker
    if not shared_broker.alive():
        tail = shared_broker.tail()
        shared_broker.start()
        pytest.fail(f"the broker ended during this check (started again for the next)\n{tail}")


@pytest.fixture
def name(request) -> str:
    """A name for topics and groups that no other check uses, legal in Kafka."""
    module = request.node.module.__name__.removeprefix("test_")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{module}-{request.node.name.removeprefix('test_')}").strip("-")[:200]


@pytest.fixture
def topic(broker, name):
    """A function that creates topic `NAME[-suffix]` and returns its name."""
    from harness.admin import create_topic

    def make(suffix: str = "", partitions: int = 1, **configs: str) -> str:
        full_name = f"{name}-{suffix}" if suffix else name
        create_topic(broker.bootstrap, full_name, partitions, {k.replace("_", "."): v for k, v in configs.items()})
        return full_name

    return make


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed check shows the end of its brokers' logs."""
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        item.failed = True
        for value in item.funcargs.values():
            if isinstance(value, Broker):
                report.sections.append((f"log of {value.name} at {value.bootstrap}", value.tail()))


def pytest_report_header(config):
    return f"against {config.getoption('--against')}, backend {config.getoption('--backend')}, cache {paths.CACHE}"
