"""``iotkm chip``: a device with a key seed, and who writes thousands of them."""

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from iotkm import (
    Authenticated,
    Chip,
    ChipInfo,
    Datagram,
    Event,
    Failed,
    Idle,
    Microcert,
    Persist,
    Platform,
    serial,
)
from iotkm.cli._centre_open import needs_library, tracked, when, years_of
from iotkm.cli._common import Json, address_of, fail, friendly, show, text_of
from iotkm.storage import Directory, replace_file

app = typer.Typer(
    help="A device with a key seed (microcert): enrol it, have it authenticate itself. Or write thousands, for a centre.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Folder of the device's state; made where missing.")]
Port = Annotated[Path, typer.Option(help="The serial port that leads to the centre.")]
Speed = Annotated[int, typer.Option(help="Its speed in baud.")]
_SEED, _STATE = 1, 2


class _Stored:
    """A chip in a folder."""

    def __init__(self, storage: Directory) -> None:
        self.storage = storage
        self.platform = Platform(storage.device_secret())

    def find(self) -> Chip | None:
        seed, state = self.storage.read(_SEED), self.storage.read(_STATE)
        if seed is None or state is None:
            return None
        return Chip.restore(self.platform, seed_slot=_SEED, state_slot=_STATE, seed=seed, state=state)

    def chip(self) -> Chip:
        chip = self.find()
        if chip is None:
            fail(f"no chip is enrolled in {self.storage.path}: iotkm chip enrol")
        return chip

    def enrol(self, invitation: bytes) -> Chip:
        """Enrols it; the same again where it was interrupted."""
        chip = self.find()
        if chip is not None and chip.info.confirmed:
            fail(f"the chip in {self.storage.path} is enrolled already: take an empty folder")
        if chip is None:
            chip = Chip.enrol(self.platform, seed_slot=_SEED, state_slot=_STATE, invitation=invitation)
            self.write(chip)
        return chip

    def write(self, chip: Chip) -> None:
        while chip.needs_store:
            made = chip.seal(self.platform)
            self.storage.write(made.slot, made.data)
            chip.persisted()

    def confirm(self, chip: Chip, confirmation: bytes) -> None:
        if not chip.info.confirmed:
            chip.confirm(confirmation)
            self.write(chip)


@contextlib.contextmanager
def _stored(folder: Path) -> Iterator[_Stored]:
    with Directory(folder) as storage:
        yield _Stored(storage)


def _about(info: ChipInfo, as_json: bool) -> dict[str, Any]:
    return {
        "device": text_of(info.id),
        "centre": text_of(info.centre),
        "suite": info.suite,
        "confirmed": info.confirmed,
        "generation": info.generation,
        "pending": info.pending,
        "years": info.years if as_json else years_of(info.years),
        "at_least": info.floor if as_json else when(info.floor),
        "clockless": info.clockless,
        "revoked": info.revoked,
    }


@app.command()
@friendly
def enrol(
    folder: Folder,
    invitation: Annotated[Path, typer.Argument(help="The centre's invitation; erase it then.")],
    out: Annotated[Path, typer.Option(help="Where to write the deposit, for the centre.")],
    as_json: Json = False,
) -> None:
    """Make the key seed of this device as a centre's invitation says, and write the deposit for the centre."""
    data = invitation.read_bytes()
    with _stored(folder) as stored:
        chip = stored.enrol(data)
        replace_file(out, chip.deposit())
        show(_about(chip.info, as_json), as_json)


@app.command()
@friendly
def confirm(
    folder: Folder,
    confirmation: Annotated[Path, typer.Argument(help="The centre's word that it has the seed.")],
    as_json: Json = False,
) -> None:
    """Take in the centre's confirmation: the transport key is erased."""
    data = confirmation.read_bytes()
    with _stored(folder) as stored:
        chip = stored.chip()
        stored.confirm(chip, data)
        show(_about(chip.info, as_json), as_json)


@app.command("show")
@friendly
def show_(folder: Folder, as_json: Json = False) -> None:
    """Say how this device stands."""
    with _stored(folder) as stored:
        show(_about(stored.chip().info, as_json), as_json)


@app.command()
@friendly
def provision(folder: Folder, port: Port, speed: Speed = 115_200, seconds: float = 60, as_json: Json = False) -> None:
    """Be enrolled over a serial line, with `iotkm centre provision` at its other end."""
    with _stored(folder) as stored, serial.Line(port, speed) as line:
        chip, end = stored.find(), time.monotonic() + seconds
        while True:
            heard = line.hear((serial.INVITATION, serial.CONFIRMATION), max(0.0, end - time.monotonic()))
            if heard is None:
                raise serial.SerialError("no centre was heard on the serial line")
            kind, data = heard
            if kind == serial.INVITATION:
                chip = stored.enrol(data)
                line.say(serial.DEPOSIT, chip.deposit())
            elif chip is not None:
                stored.confirm(chip, data)
                line.say(serial.DONE)
                # The word may be lost, and is asked for again then.
                while line.hear((serial.CONFIRMATION,), 1.5) is not None:
                    line.say(serial.DONE)
                show(_about(chip.info, as_json), as_json)
                return


@app.command()
@friendly
def authenticate(
    folder: Folder,
    to: Annotated[str, typer.Argument(help="The centre's address and port.")],
    seconds: Annotated[float, typer.Option(help="How long to try.")] = 60,
    as_json: Json = False,
) -> None:
    """Authenticate this device at its centre, and the centre at the device. Status 1 where that fails."""
    host, port = address_of(to)
    with _stored(folder) as stored:
        device = Microcert(stored.platform, stored.chip())
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, socket.SOCK_DGRAM) as line:
            line.connect(address)
            device.authenticate(b"centre")
            said = _talk(stored, device, line, time.monotonic() + seconds)
        info = device.chip
        show({"said": said or "nothing", **_about(info, as_json)}, as_json)
        if said is None:
            fail(f"no centre answered at {to} within {seconds:g} s")
        if said != "authenticated":
            raise typer.Exit(1)


def _talk(stored: _Stored, device: Microcert, line: socket.socket, end: float) -> str | None:
    """Until it is authenticated, or not; what is to be stored then is."""
    said = None
    while time.monotonic() < end:
        match device.poll():
            case Persist(slot, _, data):
                stored.storage.write(slot, data)
                device.persisted(slot)
            case Datagram(_, data):
                with contextlib.suppress(OSError):
                    line.send(data)
            case Authenticated():
                said = "authenticated"
            case Failed() as failed:
                said = str(failed.reason)
            case Event():
                pass
            case Idle(wake_at):
                if said is not None:
                    return said
                now = stored.platform.now()
                line.settimeout(max(0.001, min((wake_at - now) / 1000 if wake_at is not None else 1.0, end - time.monotonic())))
                try:
                    device.handle_input(b"centre", line.recv(2048))
                except OSError:  # nothing came; or nobody is there now
                    time.sleep(0.01)
                    device.handle_timeout()
    return said


def _folder(chips: Path, id: bytes) -> Path:
    name = text_of(id)
    return chips / (name if "/" not in name and not name.startswith(".") else f"0x{id.hex()}")


@app.command("key")
@friendly
def key(
    private: Annotated[Path, typer.Argument(help="Where to write the private key (PEM); it stays with who writes chips.")],
    public: Annotated[Path, typer.Argument(help="Where to write the public one, for the centre.")],
) -> None:
    """Make the key to which a centre seals its batches."""
    needs_library()
    from iotkm.centre.batch import make_key

    make_key(private, public)


@app.command()
@friendly
def batch(
    file: Annotated[Path, typer.Argument(help="The batch, as the centre exported it.")],
    key: Annotated[Path, typer.Option(help="The private key (PEM).")],
    digest: Annotated[str, typer.Option(help="The batch's digest, as the centre told it another way.")],
    chips: Annotated[Path, typer.Option(help="Folder of the chips' states, one folder a device.")],
    out: Annotated[Path, typer.Option(help="Where to write the deposits, for the centre.")],
    as_json: Json = False,
) -> None:
    """Write all chips of a batch, each to a folder of its own. Interrupted, it goes on where it was when called again."""
    needs_library()
    from iotkm.centre.batch import open_batch, write_lines

    opened = open_batch(file.read_bytes(), key.read_bytes(), digest)
    deposits = []
    with tracked("chips", as_json) as progress:
        for number, (id, invitation) in enumerate(opened.devices, 1):
            with _stored(_folder(chips, id)) as stored:
                there = stored.find()
                if there is None or not there.info.confirmed:
                    deposits.append((id, stored.enrol(invitation).deposit()))
            progress(number, len(opened.devices))
    write_lines(out, opened.batch, "deposit", deposits)
    show({"devices": len(deposits), "deposits": str(out)}, as_json)


@app.command()
@friendly
def confirm_batch(
    confirmations: Annotated[Path, typer.Argument(help="The confirmations, as the centre's import wrote them.")],
    chips: Annotated[Path, typer.Option(help="Folder of the chips' states.")],
    as_json: Json = False,
) -> None:
    """Take in the centre's confirmations of a batch: the chips' transport keys are erased."""
    needs_library()
    from iotkm.centre.batch import read_confirmations

    found = read_confirmations(confirmations)
    with tracked("chips", as_json) as progress:
        for number, (id, confirmation) in enumerate(found.items(), 1):
            with _stored(_folder(chips, id)) as stored:
                stored.confirm(stored.chip(), confirmation)
            progress(number, len(found))
    show({"confirmed": len(found)}, as_json)
