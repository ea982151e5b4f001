"""The image and the compose file on a container engine of our own, with and without io_uring: see docker/check."""

import os

import pytest

from harness import paths, programs

pytestmark = [
    pytest.mark.msgloop_only("msgloop's own image"),
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a container engine of our own needs root"),
]


@pytest.fixture(scope="module")
def outcomes():
    return programs.run([str(paths.COMPAT / "docker" / "check"), "--binary", str(paths.STATIC)])


@pytest.mark.parametrize("profile", ["default-profile", "io-uring-refused"])
def test_compose_up_serves_the_host(outcomes, profile):
    assert outcomes.get(profile, "the check did not run") == "", outcomes.get(profile)
