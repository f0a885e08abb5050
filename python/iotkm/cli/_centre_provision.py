"""``iotkm centre``: devices by the thousand, written by a third party, or one on a serial line."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from iotkm import IotkmError, serial
from iotkm.cli._ca import Passphrase
from iotkm.cli._centre_open import Device, Files, Folder, desk, needs_library, tracked
from iotkm.cli._common import Json, console, fail, friendly, id_of, show, suite_of, text_of


@friendly
def export(
    folder: Folder,
    devices: Annotated[Path, typer.Argument(help="The devices' ids, one a line, 0x for hex; - is standard input.")],
    to: Annotated[Path, typer.Option(help="The third party's public key (PEM, X25519): iotkm chip key.")],
    out: Annotated[Path, typer.Option(help="Where to write the batch.")],
    suite: Annotated[str, typer.Option(help="0s to 5s: all work without Diffie-Hellman.")] = "0s",
    clockless: Annotated[bool, typer.Option("--clockless", help="These devices have no clock.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also devices of a batch that was lost on its way.")] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Write the invitations of many devices, sealed to who writes their chips. Tell him the digest another way than the file
    goes."""
    needs_library()
    from iotkm.centre.batch import Ledger, export_batch, public_key

    text = sys.stdin.read() if str(devices) == "-" else devices.read_text()
    ids = [id_of(line.strip()) for line in text.splitlines() if line.strip()]
    key = public_key(to.read_bytes())
    files = Files.read(folder)
    with desk(folder, passphrase_file) as centre, Ledger(files.ledger) as ledger, tracked("devices", as_json) as progress:
        digest = export_batch(
            centre, ledger, files.id, ids, key, out,
            suite=suite_of(suite).name, clockless=clockless, again=again, progress=progress,
        )  # fmt: skip
    show({"devices": len(ids), "batch": str(out), "digest": digest}, as_json)


@friendly
def import_(
    folder: Folder,
    deposits: Annotated[Path, typer.Argument(help="The deposits, as who wrote the chips sent them back.")],
    out: Annotated[Path, typer.Option(help="Where to write the confirmations, for the chips; what is in it stays.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Take the deposits of a batch, and confirm each. Interrupted, it goes on where it was when called again. Status 1 where some
    were refused."""
    needs_library()
    from iotkm.centre.batch import Ledger, import_deposits

    files = Files.read(folder)
    with desk(folder, passphrase_file) as centre, Ledger(files.ledger) as ledger, tracked("devices", as_json) as progress:
        done = import_deposits(centre, ledger, deposits, out, progress=progress)
    refused = [{"device": text_of(id), "why": why} for id, why in done.refused]
    if as_json:
        show({"taken": done.taken, "before": done.before, "refused": refused, "confirmations": str(out)}, True)
    else:
        for one in refused:
            console(True).print(f"{one['device']}: {one['why']}", markup=False, highlight=False)
        show({"taken": done.taken, "before": done.before, "refused": len(refused), "confirmations": str(out)}, False)
    if refused:
        raise typer.Exit(1)


@friendly
def batches(folder: Folder, as_json: Json = False) -> None:
    """Say which batches have left, and how many of their devices have come back."""
    needs_library()
    from iotkm.centre.batch import Ledger

    with Ledger(Files.read(folder).ledger) as ledger:
        for one in ledger.batches():
            made = one.made if as_json else f"{datetime.fromtimestamp(one.made, UTC):%Y-%m-%d %H:%M:%S} UTC"
            show({"batch": one.batch.hex(), "made": made, "devices": one.devices, "back": one.back, "digest": one.digest}, as_json)


@friendly
def provision(
    folder: Folder,
    device: Device,
    port: Annotated[Path, typer.Option(help="The serial port that leads to the device.")],
    speed: Annotated[int, typer.Option(help="Its speed in baud.")] = 115_200,
    seconds: Annotated[float, typer.Option(help="How long to wait for the device.")] = 60,
    suite: Annotated[str, typer.Option(help="0s to 5s: all work without Diffie-Hellman.")] = "0s",
    clockless: Annotated[bool, typer.Option("--clockless", help="The device has no clock: it is always challenged.")] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Enrol the device at the other end of a serial line: invite it, take its deposit, confirm it."""
    with desk(folder, passphrase_file) as centre, serial.Line(port, speed) as line:
        [invitation] = centre.invite([id_of(device)], suite_of(suite).name, clockless)
        if isinstance(invitation, IotkmError):
            raise invitation
        _, deposit = line.ask(serial.INVITATION, invitation, (serial.DEPOSIT,), seconds)
        [taken] = centre.enrol([deposit])
        if isinstance(taken, IotkmError):
            raise taken
        if taken[0] != id_of(device):
            fail(f"that device has an invitation of {text_of(taken[0])}'s, under which it is enrolled now")
        line.ask(serial.CONFIRMATION, taken[1], (serial.DONE,), seconds)
        show({"device": device, "enrolled": True}, as_json)
