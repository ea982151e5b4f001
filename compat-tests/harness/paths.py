"""Where things are: the repository, the cache that `run` fills, the binary under test."""

import os
from pathlib import Path

COMPAT = Path(__file__).resolve().parent.parent
REPOSITORY = COMPAT.parent
CACHE = Path(os.environ.get("MSGLOOP_COMPAT_CACHE", COMPAT / ".cache"))
KAFKA_LIBS = CACHE / "kafka" / "libs"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))

# Brokers built in another way than the one under test; `run` builds those that the chosen checks need.
VARIANTS = TARGET / "variants"
GLOMMIO = VARIANTS / "msgloop-glommio"
# It acknowledges before it writes: what a durability check must not stay green with.
EARLY_ACKNOWLEDGER = VARIANTS / "msgloop-acknowledges-early"
# As the container images package it.
STATIC = VARIANTS / "msgloop-static"


def msgloop_binary(backend: str = "auto") -> Path:
    """The binary that `run` built: one profile for tests and checks, another build only for glommio."""
    if "MSGLOOP_BIN" in os.environ:
        return Path(os.environ["MSGLOOP_BIN"])
    return GLOMMIO if backend == "glommio" else TARGET / "debug" / "msgloop"


def environment() -> dict[str, str]:
    """For programs of the checks: they find the cache where this run has it."""
    return {**os.environ, "MSGLOOP_COMPAT_CACHE": str(CACHE)}
