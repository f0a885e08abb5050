"""A centre on a UDP socket, and ``iotkm centre``."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import free_port, run
from test_cli import iotkm, running

pytest.importorskip("argon2")

from town import CHEAP, City, Lamp  # noqa: E402

from iotkm import (  # noqa: E402
    Authenticated,
    BadArgumentError,
    Chip,
    Datagram,
    Established,
    Event,
    Failed,
    Idle,
    Microcert,
    Persist,
    Platform,
    Received,
    WrongStateError,
)
from iotkm.aio import Address  # noqa: E402
from iotkm.centre import CentreEvent, Control, FileKeyStore, OpenDesk, RemoteDesk, Server, StoreFailedError  # noqa: E402

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
        self.busy = True

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
                    self.busy = wake_at is not None
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


def test_many_devices_over_udp(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        city = City(tmp_path)
        started = time.time()
        # The city's clock as it is here.
        lamps = [Lamp(city, b"lamp-%d" % n) for n in range(20)]
        events: list[tuple[bytes, CentreEvent]] = []
        heard: list[tuple[bytes, bytes]] = []
        trouble: list[Exception] = []

        def told(error: Exception) -> None:
            trouble.append(error)
            raise OSError("the log's disk is full too")

        server = Server(
            city.centre,
            city.platform,
            bind=("127.0.0.1", 0),
            on_event=lambda id, event: events.append((id, event)),
            on_message=lambda id, message: heard.append((id, message.payload)),
            on_trouble=told,
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
    assert {record.message for record in caplog.records} == {"a callback failed"}, "and it ends nothing"


def test_what_nobody_should_say_to_the_control_socket(tmp_path: Path) -> None:
    """It is the same user's; still a slip ends nothing, and calls are those that there are."""
    folder = tmp_path / ("a folder whose name is longer than what a Unix socket may have" * 3)
    folder.mkdir()
    city = City(tmp_path)
    Lamp(city, b"lamp")

    async def work() -> None:
        def ask(lines: list[bytes]) -> list[bytes]:
            desk = RemoteDesk(folder / "control")
            for line in lines:
                desk._file.write(line + b"\n")
            desk._file.flush()
            answers = [desk._file.readline() for _ in lines]
            desk.close()
            return answers

        def use() -> None:
            desk = RemoteDesk(folder / "control")
            found = desk.device(b"lamp")
            assert found == city.centre.device(b"lamp") and [one.id for one in desk.page(None)] == [b"lamp"]
            assert desk.page(b"lamp") == [] and desk.device(b"nobody") is None
            with pytest.raises(BadArgumentError, match="nobody"):
                desk.revoke(b"nobody")
            assert isinstance(desk.invite([b"lamp"], "SUITE_0_SYMMETRIC", False)[0], WrongStateError)
            assert desk.verify(bytes(40), b"") is None
            desk.close()

        (folder / "control").write_bytes(b"left by one that was killed")
        platform = city.platform
        async with Server(city.centre, platform, bind=("127.0.0.1", 0)) as server:
            async with Control(folder / "control", OpenDesk(city.centre), server.work):
                slips = [b"", b"1", b"[]", b"{", b'["close"]', b'["__init__"]', b'["device"]', b'["device", 7]', b'["page", "x"]',
                         b'["invite", [1], "x", 2]', b'["revoke", {"hex": "zz"}]', b'["enrol", [{"hex": "00"}, 1]]']  # fmt: skip
                said = await asyncio.to_thread(ask, slips)
                assert all(one.endswith(b"\n") for one in said) and sum(b'"error"' in one for one in said) >= 9, said
                await asyncio.to_thread(use)
            with pytest.raises(FileNotFoundError):
                RemoteDesk(folder / "control")

    run(work())
    city.close()


def test_a_centre_that_ends_while_it_is_asked(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as serving:
        serving.bind(str(tmp_path / "control"))
        serving.listen()
        desk = RemoteDesk(tmp_path / "control")
        serving.accept()[0].close()
        for _ in range(2):
            with pytest.raises(ConnectionError):
                desk.device(b"lamp")
        desk.close()
        assert desk._socket.fileno() == -1


def test_centre_on_the_command_line(tmp_path: Path) -> None:
    city, kept = tmp_path / "city", tmp_path / "kept"
    word = ("--passphrase-file", "-")

    def centre(*arguments: str | Path, status: int = 0) -> str:
        command, *rest = arguments
        return iotkm("centre", command, city, *rest, *word, given=WORD, status=status)

    (tmp_path / "file").touch()
    assert "file" in centre("init", "--id", "city", "--backups", tmp_path / "file", status=1)
    assert not (city / "keys").exists(), "no keys before all else is right"
    assert "--passphrase-file" in iotkm("centre", "init", city, "--id", "city", status=1)
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
        assert "another process" in centre("serve", "--bind", where, status=1)
        iotkm("centre", "init", tmp_path / "other", "--id", "other", *word, given=WORD)
        assert f"{where}, over UDP" in iotkm("centre", "serve", tmp_path / "other", "--bind", where, *word, given=WORD, status=1)
        # Through the one that serves; the passphrase is not asked for, and not known.
        assert (city / "control").stat().st_mode & 0o777 == 0o600

        def ask(command: str, *arguments: str | Path, status: int = 0) -> str:
            return iotkm("centre", command, city, *arguments, status=status)

        counters = [json.loads(line)["counter"] for line in ask("status", "--json").splitlines()]
        assert counters == [1, 2] and "not enrolled" in ask("status", "nobody", status=1)
        assert "not enrolled" in ask("update", "nobody", status=1) and "forget" in ask("invite", "lamp-7", "--out", city, status=1)
        ask("invite", "lamp-9", "--out", tmp_path / "invitation", "--suite", "4s")
        chip = Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=(tmp_path / "invitation").read_bytes())
        (tmp_path / "deposit").write_bytes(chip.deposit())
        ask("enrol", tmp_path / "deposit", "--out", tmp_path / "confirmation")
        chip.confirm((tmp_path / "confirmation").read_bytes())
        third = Device(platform, chip, ("127.0.0.1", int(where.rpartition(":")[2])))
        third.a.authenticate(b"centre")
        run(until([third], lambda: third.saw(Authenticated)))
        for name, data in (("text", b"20.5 degrees"), ("signature", third.a.sign(b"20.5 degrees"))):
            (tmp_path / name).write_bytes(data)
        assert json.loads(ask("verify", tmp_path / "text", tmp_path / "signature", "--json"))["device"] == "lamp-9"
        assert json.loads(ask("update", "lamp-9", "--json"))["updating"]
        third.a.authenticate(b"centre")
        run(until([third], lambda: third.a.chip.generation == 1 and not third.busy))
        assert json.loads(ask("status", "lamp-9", "--json"))["generation"] == 1
        assert json.loads(ask("revoke", "lamp-9", "--json"))["standing"] == "revoked"
        third.a.authenticate(b"centre")
        run(until([third], lambda: third.saw(Failed)))
        ask("forget", "lamp-9")
        third.close()
        assert json.loads(centre("audit", "--json"))["rows"] == 2
        assert len([*kept.glob("snapshot-*.db")]) == 1, "it makes one when it is time, so when there is none"
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


def test_alarms_are_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    from iotkm.cli._centre_serve import _Said

    said = _Said(False, True, True)
    for event in CentreEvent:
        said.event(b"lamp", event)
    levels = {line["event"]: line["level"] for line in map(json.loads, capsys.readouterr().err.splitlines())}
    assert levels.keys() == {event.value for event in CentreEvent} - {"authenticated"}, "which --quiet leaves out"
    assert {event for event, level in levels.items() if level == "warning"} == {"clone_suspected", "tampered"}


def test_metrics_and_a_log_without_secrets(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client")
    city = tmp_path / "city"
    word = ("--passphrase-file", "-")
    iotkm("centre", "init", city, "--id", "city", *word, given=WORD)
    where, metrics = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    serve = ("centre", "serve", city, "--bind", where, "--log-json", "--metrics", metrics, *word)
    platform = Platform(b"device's secret, of 32 bytes ...")
    with running(*serve, given=WORD) as serving:
        desk = RemoteDesk(city / "control")
        [invitation] = desk.invite([b"lamp-7"], "SUITE_0_SYMMETRIC", False)
        assert isinstance(invitation, bytes)
        chip = Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=invitation)
        deposit = chip.deposit()
        [taken] = desk.enrol([deposit])
        assert isinstance(taken, tuple)
        chip.confirm(taken[1])
        device = Device(platform, chip, ("127.0.0.1", int(where.rpartition(":")[2])))
        device.a.connect(b"centre")
        run(until([device], lambda: device.saw(Established)))
        device.socket.send(device.a.send(b"open sesame").data)
        device.socket.send(b"noise")
        desk.revoke(b"lamp-7")
        device.a.authenticate(b"centre")
        run(until([device], lambda: device.saw(Failed)))
        with urllib.request.urlopen(f"http://{metrics}/metrics") as answer:
            shown = answer.read().decode()
        desk.close()
        device.close()
        serving.send_signal(signal.SIGTERM)
        assert serving.wait(30) == 0 and serving.stderr is not None and serving.stdout is not None
        log, out = serving.stderr.read(), serving.stdout.read()
    figures = {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", shown, re.M)}
    assert figures['iotkm_centre_events_total{event="authenticated"}'] == 1
    assert figures['iotkm_centre_events_total{event="revoked"}'] >= 1 and figures["iotkm_centre_devices"] == 1
    assert figures["iotkm_centre_messages_total"] == 1 and figures["iotkm_centre_troubles_total"] == 0
    assert figures["iotkm_centre_datagrams_total"] >= figures["iotkm_centre_batches_total"] >= 2
    # Whoever is revoked has no session any more.
    assert figures["iotkm_centre_sessions"] == 0 and "process_resident_memory_bytes" in figures
    lines = [json.loads(line) for line in log.splitlines()]
    assert out == b"" and all({"time", "level", "event"} <= line.keys() for line in lines)
    events = [line["event"] for line in lines]
    assert {"authenticated", "message", "control", "stopped"} <= {*events}, events
    assert {"call": "enrol", "device": "lamp-7"}.items() <= next(one for one in lines if one.get("call") == "enrol").items()
    assert {"call": "revoke", "device": "lamp-7"}.items() <= next(one for one in lines if one.get("call") == "revoke").items()

    # Nothing that is secret, in no form, in what leaves the process.
    with FileKeyStore(city / "keys", WORD.strip()) as keys:
        secrets = [bytes(key.key) for key in keys._keys.values()]
        secrets += [invitation[-16:], deposit[-984:], (city / "device.key").read_bytes()]
    secrets += [WORD.strip(), b"open sesame", taken[1]]
    said = log + out + shown.encode()
    for secret in secrets:
        for part in (secret, secret[:12], secret[-12:]):
            for form in (part, part.hex().encode(), base64.b64encode(part)[:12], repr(part).encode()):
                assert form.lower() not in said.lower(), "a secret is in the log"
