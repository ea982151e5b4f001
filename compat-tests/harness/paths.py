"""Where things are: the repository, the cache that `run` fills, the binary under test."""

import os
from pathlib import Path

COMPAT = Path(__file__).resolve().parent.parent
REPOSITORY = COMPAT.parent
CACHE = Path(os.environ.get("MSGLOOP_COMPAT_CACHE", COMPAT / ".cache"))
KAFKA_LIBS = CACHE / "kafka" / "libs"
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))


def msgloop_binary(backend: str = "auto") -> Path:
    """The binary that `run` built: one profile for tests and checks, a second build only for glommio."""
    if "MSGLOOP_BIN" in os.environ:
        return Path(os.environ["MSGLOOP_BIN"])
    if backend == "glommio":
        return CACHE / "glommio-target" / "debug" / "msgloop"
    return TARGET / "debug" / "msgloop"
