"""``iotkm centre``: an authentication centre on the command line."""

import asyncio
import contextlib
import json
import secrets
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from iotkm import IotkmError, Platform, Received
from iotkm.cli._ca import Passphrase, _passphrase, _wanting
from iotkm.cli._common import Json, address_of, console, fail, friendly, id_of, show, suite_of, text_of
from iotkm.storage import replace_file

if TYPE_CHECKING:
    from iotkm._outputs import DeviceInfo
    from iotkm.centre import AuthCenter, Backups, CentreEvent, KeyStore, SqliteSeedStore

app = typer.Typer(
    help="An authentication centre of devices with a key seed (microcert): enrol, authenticate, revoke them.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="The centre's folder.")]
Device = Annotated[str, typer.Argument(help="The device's id; 0x for hex.")]

_SNAPSHOT_SECONDS = 600.0


class _Files(NamedTuple):
    """What lies in a centre's folder, and where its back-ups and its token are."""

    folder: Path
    id: bytes
    backups: Path
    token: tuple[str, str, str] | None

    @classmethod
    def read(cls, folder: Path) -> "_Files":
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


def _needs_library() -> None:
    try:
        import iotkm.centre  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name not in ("argon2", "cryptography"):
            raise
        fail(f"iotkm centre needs {error.name}, which is not installed: pip install 'iotkm[ca]'")


class _Open(NamedTuple):
    files: _Files
    keys: "KeyStore"
    backups: "Backups"
    store: "SqliteSeedStore"
    centre: "AuthCenter"
    platform: Platform


@contextlib.contextmanager
def _keys(folder: Path, passphrase_file: Path | None) -> Iterator[tuple[_Files, "KeyStore", "Backups"]]:
    _needs_library()
    from iotkm.centre import Backups

    files = _Files.read(folder)
    with files.keys(passphrase_file) as keys, contextlib.closing(Backups(files.backups, keys)) as backups:
        yield files, keys, backups


@contextlib.contextmanager
def _centre(folder: Path, passphrase_file: Path | None) -> Iterator[_Open]:
    with _keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import AuthCenter, SqliteSeedStore

        with SqliteSeedStore(files.rows, keys, backups=backups) as store:
            platform = files.platform()
            yield _Open(files, keys, backups, store, AuthCenter(platform, files.id, store, keys), platform)


def _when(seconds: int | None) -> str:
    return "never" if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _about(device: "DeviceInfo", as_json: bool) -> dict[str, Any]:
    said: dict[str, Any] = {
        "device": text_of(device.id),
        "standing": device.standing,
        "seen": device.seen if as_json else _when(device.seen),
        "generation": device.generation,
        "pending": device.pending,
        "updating": device.updating,
        "years": device.years if as_json else f"{device.years[0]} to {device.years[1]}",
        "counter": device.counter,
        "suite": device.suite,
        "clockless": device.clockless,
    }
    return said


@app.command()
@friendly
def init(
    folder: Folder,
    id: Annotated[str, typer.Option("--id", help="The centre's id, 1 to 16 bytes, as devices know it; 0x for hex.")],
    backups: Annotated[Path | None, typer.Option(help="Folder of the back-ups, on another disk; else in the centre's.")] = None,
    pkcs11: Annotated[
        Path | None, typer.Option(help="The PKCS#11 library of a token that makes the keys and keeps them.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="The token's label.")] = None,
    key_label: Annotated[str, typer.Option(help="What the labels of the keys in the token begin with.")] = "iotkm",
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Make a new centre. Its keys lie in the folder, sealed under the passphrase, or in a token, which the PIN opens."""
    _needs_library()
    from iotkm.centre import AuthCenter, Backups, SqliteSeedStore

    if pkcs11 is not None and token is None:
        fail("--pkcs11 wants --token too: the token's label")
    if (folder / "centre.json").exists():
        fail(f"there is a centre in {folder} already")
    place = (str(pkcs11.absolute()), token, key_label) if pkcs11 is not None and token is not None else None
    files = _Files(folder, id_of(id), (backups or folder / "backups").absolute(), place)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    device_key = folder / "device.key"
    if not device_key.exists():
        replace_file(device_key, secrets.token_bytes(32))
    with files.keys(passphrase_file, create=True) as keys, contextlib.closing(Backups(files.backups, keys)) as kept:
        with SqliteSeedStore.create(files.rows, keys, backups=kept) as store:
            AuthCenter(files.platform(), files.id, store, keys)
        files.write()
        where = {"token": place[1], "key": key_label} if place else {"keys": str(folder / "keys")}
        show({"centre": text_of(files.id), **where, "backups": str(files.backups)}, as_json)


@app.command()
@friendly
def invite(
    folder: Folder,
    device: Device,
    out: Annotated[Path, typer.Option(help="Where to write the invitation; it holds the device's transport key.")],
    suite: Annotated[str, typer.Option(help="0s to 5s: all work without Diffie-Hellman.")] = "0s",
    clockless: Annotated[bool, typer.Option("--clockless", help="The device has no clock: it is always challenged.")] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Write what makes a chip one of this centre's. Bring it there, not over a network, and erase it; the chip answers with its
    deposit."""
    with _centre(folder, passphrase_file) as at:
        replace_file(out, at.centre.invite(id_of(device), suite=suite_of(suite), clockless=clockless))
        show({"device": device, "invitation": str(out), "transport_key_in_it": "erase it once the chip has it"}, as_json)


@app.command()
@friendly
def enrol(
    folder: Folder,
    deposit: Annotated[Path, typer.Argument(help="The chip's answer to its invitation.")],
    out: Annotated[Path | None, typer.Option(help="Where to write the confirmation for the chip.")] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Take a chip's deposit: from now on the device can be authenticated."""
    data = deposit.read_bytes()
    with _centre(folder, passphrase_file) as at:
        id, confirmation = at.centre.enrol(data)
        if out is not None:
            replace_file(out, confirmation)
        show({"device": text_of(id), "confirmation": confirmation.hex() if out is None else str(out)}, as_json)


@app.command()
@friendly
def status(
    folder: Folder,
    device: Annotated[str | None, typer.Argument(help="The device's id; none: all of them.")] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Say how devices stand."""
    with _centre(folder, passphrase_file) as at:
        if device is not None:
            found = at.centre.device(id_of(device))
            if found is None:
                fail(f"{device} is not enrolled here")
            show(_about(found, as_json), as_json)
            return
        for one in at.centre.devices():
            if as_json:
                show(_about(one, True), True)
            else:
                seen = _when(one.seen)
                console().print(
                    f"{text_of(one.id):16}  {one.standing:8}  {seen:23}  generation {one.generation}",
                    markup=False, highlight=False,
                )  # fmt: skip
        if not as_json:
            console(True).print(f"{at.store.count()} devices", highlight=False)


@app.command()
@friendly
def update(folder: Folder, device: Device, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Want a new key seed of a device: it is asked for when the device comes next."""
    with _centre(folder, passphrase_file) as at:
        at.centre.update(_known(at.centre, device))
        _show(at.centre, device, as_json)


@app.command()
@friendly
def revoke(folder: Folder, device: Device, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Revoke a device: it is not authenticated any more, and is told to kill its seed when it comes next."""
    with _centre(folder, passphrase_file) as at:
        at.centre.revoke(_known(at.centre, device))
        _show(at.centre, device, as_json)


@app.command()
@friendly
def forget(folder: Folder, device: Device, passphrase_file: Passphrase = None) -> None:
    """Remove a device's row: its id may be invited again."""
    with _centre(folder, passphrase_file) as at:
        at.centre.forget(_known(at.centre, device))


def _known(centre: "AuthCenter", device: str) -> bytes:
    id = id_of(device)
    if centre.device(id) is None:
        fail(f"{device} is not enrolled here: iotkm centre status says who is")
    return id


def _show(centre: "AuthCenter", device: str, as_json: bool) -> None:
    found = centre.device(id_of(device))
    if found is not None:
        show(_about(found, as_json), as_json)


@app.command()
@friendly
def verify(
    folder: Folder,
    data: Annotated[Path, typer.Argument(help="What was signed.")],
    signature: Annotated[Path, typer.Argument(help="The signature.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Say who signed something, and when; status 1 where nobody of this centre's did."""
    text, signed = data.read_bytes(), signature.read_bytes()
    with _centre(folder, passphrase_file) as at:
        found = at.centre.verify(signed, text)
        if found is None:
            fail("this is no signature of that by a device that is enrolled here now")
        time = found.time if as_json else _when(found.time)
        show({"device": text_of(found.id), "time": time, "counter": found.counter}, as_json)


@app.command()
@friendly
def audit(
    folder: Folder,
    repair: Annotated[bool, typer.Option("--repair", help="Bring back what belongs there; the centre must not run.")] = False,
    discard: Annotated[
        bool, typer.Option("--discard", help="With --repair: remove changed rows that no back-up has; enrol those devices anew.")
    ] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Look at every row of the key database: is it what was written? Status 1 where it is not, and was not repaired."""
    from_here = "repair" if repair else "audit"
    with _keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import audit as look

        report = look(files.rows, keys, backups, repair=repair, discard=discard)
        found = [{"device": text_of(one.id), "what": one.what, "mendable": one.mendable} for one in report.findings]
        left = [one for one in report.findings if not (one.mendable or discard)]
        ok = report.clean or (repair and report.proven and not left)
        if as_json:
            said = {"rows": report.rows, "findings": found, "proven": report.proven, "head_wrong": report.head_wrong}
            show({**said, "did": from_here, "ok": ok}, True)
        else:
            for one in found:
                console().print(f"{one['device']}: {one['what']}", markup=False, highlight=False)
            words = "all that was written is there" if report.proven else "something that was written is lost"
            head = ", its version and root were changed or are old" if report.head_wrong else ""
            console().print(f"{report.rows} rows, {len(found)} of them wrong{head}; {words}", highlight=False)
    if not ok:
        raise typer.Exit(1)


@app.command()
@friendly
def backup(folder: Folder, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Write a snapshot of the key database now, also beside a centre that runs."""
    with _keys(folder, passphrase_file) as (files, _, backups):
        show({"snapshot": str(backups.snapshot(files.rows))}, as_json)


@app.command()
@friendly
def restore(folder: Folder, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Make a key database that was lost anew from its back-ups. Status 1 where something newer than they are is lost."""
    with _keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import restore as bring_back

        try:
            report = bring_back(files.rows, keys, backups)
        except FileExistsError:
            fail(f"there is a {files.rows}: iotkm centre audit --repair mends it; or move it away")
        lost = [text_of(one.id) for one in report.findings]
        show({"rows": report.rows, "lost": lost, "proven": report.proven}, as_json)
    if not report.proven:
        raise typer.Exit(1)


@app.command()
@friendly
def serve(
    folder: Folder,
    bind: Annotated[str, typer.Option(help="Address and port to receive on.")] = "0.0.0.0:5683",
    batch: Annotated[int, typer.Option(min=1, help="How many datagrams one commit is for, at most.")] = 256,
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions are held, at most.")] = 10_000,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Authenticate devices over UDP, and print what happens, until Ctrl-C or SIGTERM."""
    address = address_of(bind)

    def on_event(id: bytes, event: "CentreEvent") -> None:
        if as_json:
            show({"device": text_of(id), "event": event.value}, True)
        else:
            console().print(f"{text_of(id)}: {event.value.replace('_', ' ')}", markup=False, highlight=False)

    def on_message(id: bytes, message: Received) -> None:
        text = message.payload.decode(errors="replace")
        if as_json:
            said = {"time": message.time, "place": message.place.decode(errors="replace"), "text": text}
            show({"device": text_of(id), "event": "message", **said, "hex": message.payload.hex()}, True)
        else:
            console().print(f"{text_of(id)}> {text}", markup=False, highlight=False)

    def on_trouble(error: IotkmError) -> None:
        print(f"iotkm: {error}", file=sys.stderr, flush=True)

    async def run(at: _Open) -> None:
        from iotkm.centre import Server

        done = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(number, done.set)
        server = Server(
            at.centre,
            at.platform,
            bind=address,
            on_event=on_event,
            on_message=on_message,
            on_trouble=on_trouble,
            batch=batch,
            sessions=sessions,
        )
        async with server:
            host, port = server.address
            console(True).print(f"serving on {host}:{port}", highlight=False)
            copying = asyncio.create_task(_snapshots(at, on_trouble))
            await done.wait()
            copying.cancel()
            await asyncio.gather(copying, return_exceptions=True)

    with _centre(folder, passphrase_file) as at:
        asyncio.run(run(at))


async def _snapshots(at: _Open, on_trouble: Any) -> None:
    while True:
        if at.backups.snapshot_due():
            try:
                await asyncio.to_thread(at.backups.snapshot, at.files.rows)
            except IotkmError as error:
                on_trouble(error)
        await asyncio.sleep(_SNAPSHOT_SECONDS)
