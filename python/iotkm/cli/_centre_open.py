"""What the commands of ``iotkm centre`` share: the folder, the centre in it, or the one that serves it."""

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iotkm import Platform
from iotkm.cli._ca import _passphrase, _wanting
from iotkm.cli._common import console, fail, text_of
from iotkm.storage import replace_file

if TYPE_CHECKING:
    from iotkm._outputs import DeviceInfo
    from iotkm.centre import AuthCenter, Backups, Desk, KeyStore, SqliteSeedStore

Folder = Annotated[Path, typer.Argument(help="The centre's folder.")]
Device = Annotated[str, typer.Argument(help="The device's id; 0x for hex.")]

class Files(NamedTuple):
    """What lies in a centre's folder, and where its back-ups and its token are."""

    folder: Path
    id: bytes
    backups: Path
    token: tuple[str, str, str] | None

    @classmethod
    def read(cls, folder: Path) -> "Files":
        try:
            said = json.loads((folder / "centre.json").read_bytes())
            token = said["token"]
            return cls(folder, bytes.fromhex(said["id"]), Path(said["backups"]), tuple(token) if token else None)
        except FileNotFoundError:
            fail(f"there is no centre in {folder}: iotkm centre init")
        except (ValueError, KeyError, TypeError):
            fail(f"{folder / 'centre.json'} was changed: it does not say where keys and back-ups are")

    def write(self) -> None:
        said = {"id": self.id.hex(), "backups": str(self.backups), "token": self.token}
        replace_file(self.folder / "centre.json", json.dumps(said).encode() + b"\n")

    @property
    def rows(self) -> Path:
        return self.folder / "centre.db"

    @property
    def control(self) -> Path:
        """The socket of the process that serves."""
        return self.folder / "control"

    @property
    def ledger(self) -> Path:
        """Which devices are in which batch."""
        return self.folder / "batches.db"

    def platform(self) -> Platform:
        return Platform((self.folder / "device.key").read_bytes())

    def keys(self, passphrase_file: Path | None, *, create: bool = False) -> "KeyStore":
        from iotkm.centre import FileKeyStore

        word = _passphrase(passphrase_file, create and self.token is None)
        if self.token is None:
            path = self.folder / "keys"
            return FileKeyStore.create(path, word) if create else FileKeyStore(path, word)
        module, label, name = self.token

        def in_token() -> "KeyStore":
            from iotkm.centre.token import TokenKeyStore
            from iotkm.pkcs11 import Token

            return TokenKeyStore(Token(module, label, word.decode()), name, create=create)

        return _wanting(in_token)


def needs_library() -> None:
    try:
        import iotkm.centre  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in ("argon2", "cryptography"):
            raise
        fail(f"iotkm centre needs {error.name}, which is not installed: pip install 'iotkm[ca]'")


class Open(NamedTuple):
    """A centre that this process has to itself."""

    files: Files
    keys: "KeyStore"
    backups: "Backups"
    store: "SqliteSeedStore"
    centre: "AuthCenter"
    platform: Platform


@contextlib.contextmanager
def opened_keys(folder: Path, passphrase_file: Path | None) -> Iterator[tuple[Files, "KeyStore", "Backups"]]:
    needs_library()
    from iotkm.centre import Backups

    files = Files.read(folder)
    with files.keys(passphrase_file) as keys, contextlib.closing(Backups(files.backups, keys)) as backups:
        yield files, keys, backups


@contextlib.contextmanager
def opened(folder: Path, passphrase_file: Path | None, *, answers: int = 16) -> Iterator[Open]:
    with opened_keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import AuthCenter, SqliteSeedStore

        with SqliteSeedStore(files.rows, keys, backups=backups) as store:
            platform = files.platform()
            shares = max(65_536, 4 * store.count())
            centre = AuthCenter(platform, files.id, store, keys, answers=answers, shares=shares)
            yield Open(files, keys, backups, store, centre, platform)


@contextlib.contextmanager
def desk(folder: Path, passphrase_file: Path | None) -> "Iterator[Desk]":
    """The centre that serves this folder, which asks for no passphrase; else the one in it, opened."""
    needs_library()
    from iotkm.centre import OpenDesk
    from iotkm.centre._control import remote

    with remote(Files.read(folder).control) as serving:
        if serving is not None:
            yield serving
            return
    with opened(folder, passphrase_file) as at:
        yield OpenDesk(at.centre)


def when(seconds: int | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def years_of(years: tuple[int, int]) -> str:
    return f"{years[0]} to {years[1]}" if years[0] <= years[1] else "none"


def about(device: "DeviceInfo", as_json: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "device": text_of(device.id),
        "standing": device.standing,
        "seen": device.seen if as_json else when(device.seen),
        "generation": device.generation,
        "pending": device.pending,
        "updating": device.updating,
        "years": device.years if as_json else years_of(device.years),
        "counter": device.counter,
        "suite": device.suite,
        "clockless": device.clockless,
    }
    return said


@contextlib.contextmanager
def tracked(what: str, as_json: bool) -> Iterator[Callable[[int, int], None]]:
    """Tells (done, of how many) on standard error: a bar where that is a terminal."""
    if as_json or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    columns = TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console(True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
