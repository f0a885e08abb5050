"""Slots as files: whole or not at all, one process at a time, for the owner's eyes only."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from iotkm.storage import Directory, StorageInUseError


def test_read_write_erase(tmp_path: Path) -> None:
    with Directory(tmp_path / "new" / "state") as storage:
        assert storage.read(7) is None and storage.slots() == []
        storage.write(7, b"one")
        storage.write(65_535, b"two")
        storage.write(7, b"three")
        assert storage.read(7) == b"three" and storage.slots() == [7, 65_535]
        storage.erase(7)
        storage.erase(7)
        assert storage.read(7) is None
        secret = storage.device_secret()
        assert len(secret) == 32 and storage.device_secret() == secret
        assert secret.hex() not in repr(storage)
    with Directory(tmp_path / "new" / "state") as storage:
        assert storage.device_secret() == secret and storage.slots() == [65_535]


@pytest.mark.parametrize("point", ["write", "fsync", "replace"])
def test_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    """The process dies at each point of a write: the old bytes or the new ones are there, never a part."""
    with Directory(tmp_path) as storage:
        storage.write(1, b"old" * 100)
    program = f"""
import os, sys
from iotkm.storage import Directory
storage = Directory({str(tmp_path)!r})
def die(*arguments, **keywords):
    os._exit(9)
if {point!r} == "write":
    os.open = die
elif {point!r} == "fsync":
    os.fsync = die
else:
    os.replace = die
storage.write(1, b"new" * 100)
"""
    assert subprocess.run([sys.executable, "-P", "-c", program], check=False).returncode == 9
    with Directory(tmp_path) as storage:
        assert storage.read(1) == b"old" * 100
        assert [path.name for path in tmp_path.iterdir() if path.suffix == ".new"] == []
        storage.write(1, b"new" * 100)
        assert storage.read(1) == b"new" * 100


def test_a_full_disk_leaves_the_old_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Directory(tmp_path) as storage:
        storage.write(1, b"old")

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                storage.write(1, b"new")
        assert storage.read(1) == b"old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lock", "slot-00001"]


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with Directory(tmp_path):
        with pytest.raises(StorageInUseError, match="another process"):
            Directory(tmp_path)
    Directory(tmp_path).close()


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_only_the_owner_reads(tmp_path: Path) -> None:
    with Directory(tmp_path / "state") as storage:
        storage.device_secret()
        storage.write(1, b"x")
    for path in (tmp_path / "state", tmp_path / "state" / "device.key", tmp_path / "state" / "slot-00001"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0
