"""The Java client (kafka-clients): records, groups, administration; the checks themselves are in compat-tests/java."""

import pytest

from harness import paths, programs
from harness.line_clients import java_command

NAMES = programs.names(*sorted((paths.COMPAT / "java").glob("*Checks.java")))


@pytest.fixture(scope="module")
def outcomes(shared_broker):
    return programs.run([*java_command(), "checks", shared_broker.bootstrap, "java-"])


@pytest.mark.parametrize("check", NAMES)
def test_java(outcomes, check):
    assert outcomes.get(check, "the check did not run") == "", outcomes.get(check)
