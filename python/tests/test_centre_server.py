"""A centre on a UDP socket, and ``iotkm centre``."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import free_port, run
from test_cli import iotkm, running

pytest.importorskip("argon2")

from town import CHEAP, City, Lamp  # noqa: E402

from iotkm import Authenticated, Chip, Datagram, Established, Event, Idle, Microcert, Persist, Platform, Received  # noqa: E402
from iotkm.aio import Address  # noqa: E402
from iotkm.centre import CentreEvent, FileKeyStore, Server, StoreFailedError  # noqa: E402

WORD = b"correct horse\n"


class Device:
    """A chip with a socket of its own."""

    def __init__(self, platform: Platform, chip: Chip, to: Address) -> None:
        self.a = Microcert(platform, chip)
        self.events: list[Event] = []
        self.received: list[Received] = []
        self.stored: dict[int, bytes] = {}
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(to)
        self.socket.setblocking(False)

    def close(self) -> None:
        self.socket.close()

    def step(self) -> None:
        """Sends and takes in what there is now."""
        while True:
            match self.a.poll():
                case Datagram(_, data):
                    self.socket.send(data)
                case Persist(slot, _, data):
                    self.stored[slot] = data
                    self.a.persisted(slot)
                case Event() as event:
                    self.events.append(event)
                case Idle(wake_at):
                    break
        if wake_at is not None and wake_at <= self.a.platform.now():
            self.a.handle_timeout()
            return
        try:
            received = self.a.handle_input(b"centre", self.socket.recv(2048))
        except (BlockingIOError, ConnectionError):
            return
        self.received += [received] if received else []

    def saw(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


async def until(devices: list[Device], done: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            for device in devices:
                device.step()
            await asyncio.sleep(0.01)


def test_many_devices_over_udp(tmp_path: Path) -> None:
    async def work() -> None:
        city = City(tmp_path)
        started = time.time()
        # The city's clock as it is here.
        lamps = [Lamp(city, b"lamp-%d" % n) for n in range(20)]
        events: list[tuple[bytes, CentreEvent]] = []
        heard: list[tuple[bytes, bytes]] = []
        trouble: list[Exception] = []
        server = Server(
            city.centre,
            city.platform,
            bind=("127.0.0.1", 0),
            on_event=lambda id, event: events.append((id, event)),
            on_message=lambda id, message: heard.append((id, message.payload)),
            on_trouble=trouble.append,
            batch=8,
            sessions=10,
        )

        def clock() -> None:
            city.clock.now = 5_000 + int((time.time() - started) * 1_000)

        async with server:
            devices = [Device(lamp.platform, lamp.chip(), server.address) for lamp in lamps]

            def all_saw(kind: type[Event]) -> bool:
                clock()
                return all(device.saw(kind) for device in devices)

            for device in devices:
                device.a.authenticate(b"centre")
            await until(devices, lambda: all_saw(Authenticated))
            assert {id for id, event in events if event == CentreEvent.AUTHENTICATED} == {lamp.name for lamp in lamps}

            for device in devices:
                device.a.connect(b"centre")
            await until(devices, lambda: all_saw(Established))
            assert len(server.sessions) == 10, "there is room for so many"
            talking = [device for device in devices if device.a.chip.id in server.sessions]
            for device in talking:
                device.socket.send(device.a.send(b"20.5 degrees").data)
                await server.send(device.a.chip.id, b"open the window")
            await until(talking, lambda: all(device.received for device in talking) and len(heard) == 10)
            assert {device.received[0].payload for device in talking} == {b"open the window"}
            with pytest.raises(KeyError):
                await server.send(b"nobody", b"")

            # The disk is full: silence, and told; then it goes on.
            city.store.error = StoreFailedError("the disk is full")
            device = devices[0]
            device.events.clear()
            device.a.authenticate(b"centre")
            await until([device], lambda: bool(trouble))
            assert not device.saw(Authenticated) and "disk is full" in str(trouble[0])
            city.store.error = None

            def saw() -> bool:
                clock()
                return device.saw(Authenticated)

            await until([device], saw)
            for garbage in (b"", b"\x15", b"\x18", b"\x10\x40", bytes(2000)):
                device.socket.send(garbage)
            device.events.clear()
            device.a.authenticate(b"centre")
            await until([device], saw)
            for device in devices:
                device.close()
        assert server.lost == 0
        city.close()

    run(work(), 120)


def test_centre_on_the_command_line(tmp_path: Path) -> None:
    city, kept = tmp_path / "city", tmp_path / "kept"
    word = ("--passphrase-file", "-")

    def centre(*arguments: str | Path, status: int = 0) -> str:
        command, *rest = arguments
        return iotkm("centre", command, city, *rest, *word, given=WORD, status=status)

    made = json.loads(centre("init", "--id", "city", "--backups", kept, "--json"))
    assert made["centre"] == "city" and made["backups"] == str(kept)
    assert "already" in centre("init", "--id", "city", status=1)
    assert (city / "device.key").stat().st_mode & 0o77 == 0
    # The same keys behind a passphrase that is quick to try: it is asked for many times here.
    with FileKeyStore(city / "keys", WORD.strip()) as keys, keys.copy(city / "quick", WORD.strip(), cost=CHEAP):
        os.replace(city / "quick", city / "keys")

    platform = Platform(bytes(32))
    chips = []
    for name in ("lamp-7", "lamp-8"):
        invitation, deposit, word_of_it = (tmp_path / f"{name}.{part}" for part in ("invitation", "deposit", "confirmation"))
        centre("invite", name, "--out", invitation)
        assert invitation.stat().st_mode & 0o77 == 0
        chip = Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=invitation.read_bytes())
        deposit.write_bytes(chip.deposit())
        assert json.loads(centre("enrol", deposit, "--out", word_of_it, "--json"))["device"] == name
        chip.confirm(word_of_it.read_bytes())
        chips.append(chip)
    assert "forget" in centre("invite", "lamp-7", "--out", tmp_path / "again", status=1)

    where = f"127.0.0.1:{free_port()}"
    serve = ("centre", "serve", city, "--bind", where, "--json", *word)
    with running(*serve, given=WORD) as serving:
        devices = [Device(platform, chip, ("127.0.0.1", int(where.rpartition(":")[2]))) for chip in chips]
        devices[0].a.connect(b"centre")
        devices[1].a.authenticate(b"centre")
        run(until(devices, lambda: devices[0].saw(Established) and devices[1].saw(Authenticated)))
        devices[0].socket.send(devices[0].a.send(b"20.5 degrees").data)
        devices[1].a.authenticate(b"centre")
        devices[1].events.clear()
        run(until(devices, lambda: devices[1].saw(Authenticated)))
        assert "another process" in centre("status", status=1)
        assert json.loads(centre("audit", "--json"))["rows"] == 2
        centre("backup")
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0 and serving.stdout is not None
        said = [json.loads(line) for line in serving.stdout.read().splitlines()]
    assert {"device": "lamp-8", "event": "authenticated"} in said
    assert [one["text"] for one in said if one["event"] == "message"] == ["20.5 degrees"]

    stands = [json.loads(line) for line in centre("status", "--json").splitlines()]
    assert [(one["device"], one["standing"], one["counter"]) for one in stands] == [
        ("lamp-7", "enrolled", 1),
        ("lamp-8", "enrolled", 2),
    ]
    assert "lamp-8" in centre("status") and "never" not in centre("status", "lamp-8")
    assert json.loads(centre("update", "lamp-7", "--json"))["updating"]
    assert json.loads(centre("revoke", "lamp-8", "--json"))["standing"] == "revoked"
    assert "not enrolled" in centre("revoke", "nobody", status=1)

    for device in devices:
        device.step()
    signature, text = tmp_path / "signature", tmp_path / "text"
    text.write_bytes(b"20.5 degrees")
    signature.write_bytes(devices[0].a.sign(b"20.5 degrees"))
    assert json.loads(centre("verify", text, signature, "--json"))["device"] == "lamp-7"
    text.write_bytes(b"20.6 degrees")
    assert "no signature" in centre("verify", text, signature, status=1)
    for device in devices:
        device.close()

    assert "all that was written" in centre("audit")
    for lost in city.glob("centre.db*"):
        lost.unlink()
    assert json.loads(centre("restore", "--json")) == {"rows": 2, "lost": [], "proven": True}
    assert "audit" in centre("restore", status=1)
    assert json.loads(centre("status", "lamp-8", "--json"))["standing"] == "revoked"
    centre("forget", "lamp-8")
    assert "not enrolled" in centre("status", "lamp-8", status=1)
    assert "no centre" in iotkm("centre", "status", tmp_path / "elsewhere", status=1)
