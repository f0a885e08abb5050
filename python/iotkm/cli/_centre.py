"""``iotkm centre``: an authentication centre on the command line."""

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from iotkm import IotkmError
from iotkm.cli import _centre_card, _centre_provision, _centre_serve
from iotkm.cli._ca import Passphrase
from iotkm.cli._centre_open import Device, Files, Folder, about, desk, needs_library, opened_keys, tracked, when
from iotkm.cli._common import Json, console, fail, friendly, id_of, show, suite_of, text_of
from iotkm.storage import replace_file

if TYPE_CHECKING:
    from iotkm.centre import Desk

app = typer.Typer(
    help="An authentication centre of devices with a key seed (microcert): enrol, authenticate, revoke them.",
    no_args_is_help=True,
)

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
    needs_library()
    from iotkm.centre import AuthCenter, Backups, SqliteSeedStore

    if pkcs11 is not None and token is None:
        fail("--pkcs11 wants --token too: the token's label")
    if (folder / "centre.json").exists():
        fail(f"there is a centre in {folder} already")
    place = (str(pkcs11.absolute()), token, key_label) if pkcs11 is not None and token is not None else None
    files = Files(folder, id_of(id), (backups or folder / "backups").absolute(), place)
    if (folder / "keys").exists():
        fail(
            f"{folder} has the keys of a centre whose centre.json is lost, or that was not finished: bring centre.json back, or "
            f"remove {folder}, if no device was enrolled there"
        )
    # What can be wrong with them shows before there are keys.
    for place_of in (folder, files.backups):
        place_of.mkdir(mode=0o700, parents=True, exist_ok=True)
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
    with desk(folder, passphrase_file) as centre:
        [made] = centre.invite([id_of(device)], suite_of(suite).name, clockless)
        if isinstance(made, IotkmError):
            raise made
        replace_file(out, made)
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
    with desk(folder, passphrase_file) as centre:
        [taken] = centre.enrol([data])
        if isinstance(taken, IotkmError):
            raise taken
        id, confirmation = taken
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
    with desk(folder, passphrase_file) as centre:
        if device is not None:
            found = centre.device(id_of(device))
            if found is None:
                fail(f"{device} is not enrolled here")
            show(about(found, as_json), as_json)
            return
        count, after = 0, None
        while page := centre.page(after):
            count, after = count + len(page), page[-1].id
            for one in page:
                if as_json:
                    show(about(one, True), True)
                else:
                    line = f"{text_of(one.id):16}  {one.standing:8}  {when(one.seen):23}  generation {one.generation}"
                    console().print(line, markup=False, highlight=False)
        if not as_json:
            console(True).print(f"{count} device{'s' * (count != 1)}", highlight=False)


@app.command()
@friendly
def update(folder: Folder, device: Device, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Want a new key seed of a device: it is asked for when the device comes next."""
    with desk(folder, passphrase_file) as centre:
        centre.update(_known(centre, device))
        _show(centre, device, as_json)


@app.command()
@friendly
def revoke(folder: Folder, device: Device, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Revoke a device: it is not authenticated any more, and is told to kill its seed when it comes next."""
    with desk(folder, passphrase_file) as centre:
        centre.revoke(_known(centre, device))
        _show(centre, device, as_json)


@app.command()
@friendly
def forget(folder: Folder, device: Device, passphrase_file: Passphrase = None) -> None:
    """Remove a device's row: its id may be invited again."""
    with desk(folder, passphrase_file) as centre:
        centre.forget(_known(centre, device))


def _known(centre: "Desk", device: str) -> bytes:
    id = id_of(device)
    if centre.device(id) is None:
        fail(f"{device} is not enrolled here: iotkm centre status says who is")
    return id


def _show(centre: "Desk", device: str, as_json: bool) -> None:
    found = centre.device(id_of(device))
    if found is not None:
        show(about(found, as_json), as_json)


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
    with desk(folder, passphrase_file) as centre:
        found = centre.verify(signed, text)
        if found is None:
            fail("this is no signature of that by a device that is enrolled here now")
        time = found.time if as_json else when(found.time)
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
    with opened_keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import audit as look

        with tracked("rows", as_json) as progress:
            report = look(files.rows, keys, backups, repair=repair, discard=discard, progress=progress)
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
    with opened_keys(folder, passphrase_file) as (files, _, backups):
        show({"snapshot": str(backups.snapshot(files.rows))}, as_json)


@app.command()
@friendly
def restore(folder: Folder, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Make a key database that was lost anew from its back-ups. Status 1 where something newer than they are is lost."""
    with opened_keys(folder, passphrase_file) as (files, keys, backups):
        from iotkm.centre import restore as bring_back

        try:
            with tracked("rows", as_json) as progress:
                report = bring_back(files.rows, keys, backups, progress=progress)
        except FileExistsError:
            fail(f"there is a {files.rows}: iotkm centre audit --repair mends it; or move it away")
        lost = [text_of(one.id) for one in report.findings]
        show({"rows": report.rows, "lost": lost, "proven": report.proven}, as_json)
    if not report.proven:
        raise typer.Exit(1)


app.command()(_centre_serve.serve)
app.command("export")(_centre_provision.export)
app.command("import")(_centre_provision.import_)
app.command()(_centre_provision.batches)
app.command()(_centre_provision.provision)
app.add_typer(_centre_card.app, name="card")
