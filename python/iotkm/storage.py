"""Where a device keeps its state: numbered slots, each written whole or not at all.

>>> import tempfile
>>> with tempfile.TemporaryDirectory() as folder, Directory(folder) as storage:
...     storage.write(1, b"state")
...     storage.read(1), storage.read(2), storage.slots()
(b'state', None, [1])
"""

import contextlib
import os
import secrets
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from iotkm._errors import IotkmError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


class Storage(Protocol):
    """What `iotkm.aio` needs of a storage. Calls may block: they are made from a thread, one at a time."""

    def read(self, slot: int) -> bytes | None:
        """What the slot (0 to 65535) holds; ``None``: nothing."""

    def write(self, slot: int, data: bytes) -> None:
        """Replaces what the slot holds: after a power cut it holds the old or the new bytes, and once this returns the
        new ones. Raises OSError where it cannot."""

    def erase(self, slot: int) -> None:
        """Empties the slot; an empty one is no error."""

    def slots(self) -> list[int]:
        """The slots that hold something, in order."""

    def device_secret(self) -> bytes:
        """The device's own 32 secret bytes, always the same."""


class StorageInUseError(IotkmError, BlockingIOError):
    """Another process uses this storage: two devices with one state would repeat each other's numbers."""

    code = -112


class Directory:
    """Slots as files of one directory, which only its owner may read; for one process at a time.

    The device's secret lies beside them in ``device.key``, made at the first use: a device with a secure element has
    its own class with `Storage`'s methods instead.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the directory, making it where there is none.

        Raises:
            StorageInUseError: another process has it open.
            OSError: it cannot be made or written.
        """
        self.path = Path(path)
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock: IO[bytes] | None = lock_file(self.path / "lock")
        for rest in self.path.glob("*.new"):
            rest.unlink()

    def close(self) -> None:
        """Lets another process have it."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Directory({str(self.path)!r})"

    def _file(self, slot: int) -> Path:
        return self.path / f"slot-{slot:05}"

    def read(self, slot: int) -> bytes | None:
        """See `Storage.read`."""
        try:
            return self._file(slot).read_bytes()
        except FileNotFoundError:
            return None

    def write(self, slot: int, data: bytes) -> None:
        """See `Storage.write`."""
        replace_file(self._file(slot), data)

    def erase(self, slot: int) -> None:
        """See `Storage.erase`."""
        with contextlib.suppress(FileNotFoundError):
            self._file(slot).unlink()
            sync_directory(self.path)

    def slots(self) -> list[int]:
        """See `Storage.slots`."""
        names = (path.name.removeprefix("slot-") for path in self.path.glob("slot-*"))
        return sorted(int(name) for name in names if name.isdigit())

    def device_secret(self) -> bytes:
        """See `Storage.device_secret`."""
        file = self.path / "device.key"
        try:
            secret = file.read_bytes()
        except FileNotFoundError:
            secret = secrets.token_bytes(32)
            replace_file(file, secret)
        return secret


def lock_file(path: Path) -> IO[bytes]:
    """Locks what this file stands for; closing it lets go.

    Raises:
        StorageInUseError: another process has the lock.
        OSError: the file cannot be written.
    """
    lock = open(path, "ab")  # noqa: SIM115
    if fcntl is not None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise StorageInUseError(f"another process uses {path.parent}: end it, or give this one its own") from None
    return lock


def replace_file(file: Path, data: bytes) -> None:
    """Replaces what a file holds, whole or not at all; once this returns, the disk has it.

    Raises:
        OSError: it cannot be written; the file is as it was.
    """
    # Written beside it, forced to the disk, then renamed over it.
    new = file.with_name(file.name + ".new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with open(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(new, file)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_directory(file.parent)


def sync_directory(path: Path) -> None:
    """Forces to the disk which files a directory has."""
    with contextlib.suppress(PermissionError):  # Windows cannot
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
