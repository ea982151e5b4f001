"""A file system of our own on a loop device, that can lose its power, fill up, and come back."""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path

from harness.process import wait_until

# XFS_IOC_GOINGDOWN and EXT4_IOC_SHUTDOWN are one number; 2 = NOLOGFLUSH: what was not synced is gone, as in a power cut.
GOINGDOWN = 0x8004587D
NO_LOG_FLUSH = 2


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout.strip()


def reason_to_skip() -> str | None:
    """Why no loop device can be had here, or nothing."""
    if os.geteuid() != 0:
        return "mounting a file system needs root"
    if not Path("/dev/loop-control").exists():
        return "this machine has no loop devices"
    return None


class LoopDisk:
    """An ext4 or XFS of `megabytes` (at least 300 for XFS) in a sparse file, mounted at `directory/mnt`."""

    def __init__(self, directory: Path, kind: str, megabytes: int = 2048):
        directory.mkdir(parents=True, exist_ok=True)
        self.kind = kind
        self.image = directory / f"{kind}.img"
        self.mount_point = directory / "mnt"
        self.mount_point.mkdir(exist_ok=True)
        with open(self.image, "wb") as image:
            image.truncate(megabytes << 20)
        options = ["-q", "-F", "-m", "0"] if kind == "ext4" else ["-q", "-f"]
        run(f"/usr/sbin/mkfs.{kind}", *options, str(self.image))
        self.mounted = False
        self.keep = False  # True: the image outlives the check, to be looked into.

    def __enter__(self) -> "LoopDisk":
        self.mount()
        return self

    def __exit__(self, *_) -> None:
        if self.mounted:
            # A check that failed may leave its broker running: its mount must not outlive the check.
            run("umount", "--lazy", str(self.mount_point))
        if not self.keep:
            self.image.unlink()

    def mount(self) -> None:
        """Replays the file system's own journal, as a start after a power cut does."""
        run("mount", "-o", "loop", str(self.image), str(self.mount_point))
        self.mounted = True

    def unmount(self) -> None:
        """Waits a little for the last file of a process just killed to be closed."""
        for _ in range(200):
            done = subprocess.run(["umount", str(self.mount_point)], capture_output=True, text=True)
            if done.returncode == 0:
                self.mounted = False
                self._wait_until_detached()
                return
            time.sleep(0.05)
        raise AssertionError(f"umount: {done.stderr}")

    def _wait_until_detached(self) -> None:
        """A container started meanwhile holds a copy of the mount until it ends; mounted before that, the file system is still the one cut off."""
        wait_until(lambda: not run("losetup", "--associated", str(self.image)), 120, f"nobody holds {self.image} any more", pause=0.02)

    def cut_power(self) -> None:
        """From this moment no write and no sync reaches the disk, and both fail."""
        handle = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, GOINGDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(handle)

    def come_back(self) -> None:
        self.unmount()
        self.mount()

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.mount_point).free
