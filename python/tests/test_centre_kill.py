"""``iotkm centre serve`` killed at any moment, and on a disk that is full or read-only."""

import json
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import pytest
from helpers import free_port
from test_cli import ENVIRONMENT, iotkm

pytest.importorskip("argon2")

from town import CHEAP  # noqa: E402

from iotkm import Authenticated, Chip, Datagram, Event, Failed, Idle, IotkmError, Microcert, Persist, Platform  # noqa: E402
from iotkm._iotkm import read_row  # noqa: E402
from iotkm.centre import FileKeyStore, RemoteDesk  # noqa: E402
from iotkm.centre._sqlite import Rows  # noqa: E402

KILLS = int(os.environ.get("IOTKM_KILLS", "200" if os.environ.get("CI") == "true" else "25"))
SEED = int(os.environ.get("IOTKM_SEED", time.time_ns() % 1_000_000))
DEVICES = 40
WORD = b"correct horse"
SUITE = "SUITE_0_SYMMETRIC"


class Town:
    """A centre's folder, its devices' sockets, and a monotonic clock that can be turned on: so nobody waits for a resend."""

    def __init__(
        self, folder: Path, tmp_path: Path, command: Callable[..., str] = iotkm, seen: Callable[[Path], Path] = Path
    ) -> None:
        """`command` calls iotkm; `seen` says where this process sees a file."""
        self.city, self.word = folder / "city", tmp_path / "word"
        self.word.write_bytes(WORD)
        command("centre", "init", self.city, "--id", "city", "--backups", folder / "kept", "--passphrase-file", self.word)
        # Quick to open: it is opened often here.
        keys = seen(self.city / "keys")
        with FileKeyStore(keys, WORD) as made, made.copy(keys.with_name("quick"), WORD, cost=CHEAP):
            os.replace(keys.with_name("quick"), keys)
        self.control = seen(self.city / "control")
        self.ahead = 0
        self.platform = Platform(bytes(32), clock=lambda: time.monotonic_ns() // 1_000_000 + self.ahead)
        self.port = free_port()
        self.devices: list[Device] = []

    def command(self) -> list[str]:
        bind = ["--bind", f"127.0.0.1:{self.port}", "--batch", "16"]
        return ["centre", "serve", str(self.city), *bind, "--json", "--passphrase-file", str(self.word)]

    def enrol(self, name: bytes, desk: RemoteDesk) -> None:
        [invitation] = desk.invite([name], SUITE, False)
        if isinstance(invitation, IotkmError):
            raise invitation
        chip = Chip.enrol(self.platform, seed_slot=1, state_slot=2, invitation=invitation)
        [taken] = desk.enrol([chip.deposit()])
        # From here on it must be there.
        assert isinstance(taken, tuple), taken
        chip.confirm(taken[1])
        self.devices.append(Device(self, chip))

    def keys(self) -> FileKeyStore:
        return FileKeyStore(self.city / "keys", WORD)

    def close(self) -> None:
        for device in self.devices:
            device.socket.close()


class Device:
    """One that authenticates itself again and again."""

    def __init__(self, town: Town, chip: Chip) -> None:
        self.id = chip.info.id
        self.a = Microcert(town.platform, chip)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", town.port))
        self.socket.setblocking(False)
        self.count = self.failed = 0
        self.busy = False
        self.said: list[Event] = []

    def step(self) -> None:
        if not self.busy:
            self.a.authenticate(b"centre")
            self.busy = True
        while True:
            match self.a.poll():
                case Datagram(_, data):
                    with suppress(OSError):
                        self.socket.send(data)
                case Persist(slot, _, _):
                    self.a.persisted(slot)
                case Event() as event:
                    self.said.append(event)
                    self.count += isinstance(event, Authenticated)
                    self.failed += isinstance(event, Failed)
                case Idle(wake_at):
                    # After an update was agreed on it begins anew by itself.
                    self.busy = wake_at is not None
                    break
        if wake_at is not None and wake_at <= self.a.platform.now():
            self.a.handle_timeout()
        for _ in range(4):
            try:
                self.a.handle_input(b"centre", self.socket.recv(2048))
            except OSError:  # nothing, or nobody there
                return


def serve(command: list[str], where: str) -> None:
    """A process of its own: as ``iotkm centre serve``, quicker to start."""
    with open(where, "ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    from iotkm import cli

    cli.app(command, prog_name="iotkm")


@contextmanager
def desk_of(town: Town, seconds: float = 30) -> Iterator[RemoteDesk]:
    end = time.monotonic() + seconds
    while True:
        try:
            desk = RemoteDesk(town.control)
            break
        except OSError:
            if time.monotonic() >= end:
                raise TimeoutError("it does not serve") from None
            time.sleep(0.01)
    try:
        yield desk
    finally:
        desk.close()


def test_killed_at_any_moment(tmp_path: Path) -> None:
    print(f"IOTKM_SEED={SEED} IOTKM_KILLS={KILLS}")
    random = Random(SEED)
    said = tmp_path / "said"
    town = Town(tmp_path, tmp_path)
    forks = multiprocessing.get_context("forkserver")
    forks.set_forkserver_preload(["iotkm.cli", "iotkm.centre", "iotkm.aio"])

    def start() -> "multiprocessing.process.BaseProcess":
        process = forks.Process(target=serve, args=(town.command(), str(said)), daemon=True)
        process.start()
        return process

    def stop(process: "multiprocessing.process.BaseProcess") -> None:
        process.terminate()
        process.join(30)
        assert process.exitcode == 0, said.read_text()

    process = start()
    with desk_of(town) as desk:
        for number in range(DEVICES):
            town.enrol(b"device %d" % number, desk)
    stop(process)

    counters: dict[bytes, tuple[int, int]] = {}
    under_load = enrolled = updates = 0
    with town.keys() as keys:
        for _ in range(KILLS):
            process = start()
            # Nine of ten while it works, the others while it starts.
            if random.random() < 0.9:
                with desk_of(town):
                    pass
            timer = threading.Timer(random.uniform(0, 0.4), process.kill)
            timer.start()
            town.ahead += 8_000
            before = sum(device.count for device in town.devices)
            while process.is_alive():
                for device in list(town.devices):
                    device.step()
                if random.random() < 0.3:
                    with suppress(OSError), desk_of(town, 0) as desk:
                        if random.random() < 0.2:
                            enrolled += 1
                            town.enrol(b"late %d" % enrolled, desk)
                        else:
                            desk.update(random.choice(town.devices).id)
                            updates += 1
            timer.join()
            process.join()
            under_load += sum(device.count for device in town.devices) > before
            rows = Rows(town.city / "centre.db", keys, read_only=True)
            for device in town.devices:
                leaf = rows.leaf(device.id)
                assert leaf is not None, f"{device.id!r} is lost"
                seed = rows.seed(leaf)
                assert seed is not None, f"the seed of {device.id!r} is lost"
                info = read_row(leaf.state, seed)
                assert info.counter >= device.count, "a counter that was used is not stored"
                now = (info.generation, info.counter)
                assert now >= counters.get(device.id, (0, 0)), "a counter or a seed went back"
                counters[device.id] = now
            rows.close()

    process = start()
    with desk_of(town) as desk:
        before_end = {device.id: device.count for device in town.devices}
        end = time.monotonic() + 60
        while any(device.count == before_end[device.id] for device in town.devices):
            late = [(device.a.chip, device.said[-4:]) for device in town.devices if device.count == before_end[device.id]]
            assert time.monotonic() < end, f"not authenticated: {late}"
            for device in town.devices:
                device.step()
            town.ahead += 20  # and what it took
        generations = sum(device.a.chip.generation for device in town.devices)
    stop(process)
    authenticated = sum(device.count for device in town.devices)
    print(
        f"{KILLS} kills, {under_load} with answers before; {authenticated} authentications of {len(town.devices)} devices; "
        f"{len(town.devices) - DEVICES} enrolled and {updates} updates wanted meanwhile, {generations} seeds replaced"
    )
    assert under_load >= KILLS // 4 and updates and generations
    assert "Traceback" not in said.read_text(), said.read_text()
    iotkm("centre", "audit", town.city, "--passphrase-file", town.word)
    assert not any(device.a.chip.revoked for device in town.devices)
    town.close()


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[tuple[int, Callable[[str], None]]]:
    """A disk of its own, for who enters this process's namespaces; what changes how it is mounted."""
    script = (
        f"mount -t tmpfs -o size={kilobytes}k,mode=700 none {folder} || exit 1; echo; "
        f"while read -r how; do mount -o remount,$how {folder}; echo; done"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen(["unshare", "--map-root-user", "--mount", "sh", "-c", script], stdin=pipe, stdout=pipe) as holder:
        assert holder.stdin is not None and holder.stdout is not None
        stdin, stdout = holder.stdin, holder.stdout

        def remount(how: str) -> None:
            stdin.write(how.encode() + b"\n")
            stdin.flush()
            assert stdout.readline()

        try:
            if not stdout.readline():
                pytest.skip("nobody may mount a disk here: unshare --map-root-user --mount")
            yield holder.pid, remount
        finally:
            stdin.close()
            holder.kill()


@contextmanager
def killed_at_the_end(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()


def test_a_disk_that_is_full_or_read_only(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    with small_disk(tmp_path / "disk", 8_000) as (holder, remount):
        there = ["nsenter", f"--target={holder}", "--user", "--mount", "--preserve-credentials"]
        there += [sys.executable, "-P", "-m", "iotkm"]

        def seen(path: Path) -> Path:
            return Path(f"/proc/{holder}/root{path}")

        def call(*arguments: str | Path, status: int = 0) -> str:
            done = subprocess.run([*there, *map(str, arguments)], capture_output=True, text=True, env=ENVIRONMENT)
            assert done.returncode == status, done.stderr
            return done.stderr if status else done.stdout

        town = Town(tmp_path / "disk", tmp_path, call, seen)
        word = ("--passphrase-file", town.word)
        rest = seen(tmp_path / "disk" / "rest")
        metrics = f"127.0.0.1:{free_port()}"

        def authenticated(seconds: float) -> bool:
            for device in town.devices:
                device.count = 0
            end = time.monotonic() + seconds
            while not all(device.count for device in town.devices) and time.monotonic() < end:
                town.ahead += 20
                for device in town.devices:
                    device.step()
                time.sleep(0.005)
            return all(device.count for device in town.devices)

        def figures() -> dict[str, float]:
            with urllib.request.urlopen(f"http://{metrics}/metrics") as answer:
                shown = answer.read().decode()
            return {name: float(value) for name, value in re.findall(r"^([^#\s]\S*) (\S+)$", shown, re.M)}

        def fill() -> None:
            with open(rest, "ab", buffering=0) as file:
                for size in (65_536, 512, 1):
                    with suppress(OSError):
                        while True:
                            file.write(bytes(size))

        with (
            open(tmp_path / "said", "wb") as said_by,
            subprocess.Popen([*there, *town.command(), "--metrics", metrics], stdout=said_by, stderr=said_by, env=ENVIRONMENT) as serving,
            killed_at_the_end(serving),
            desk_of(town) as desk,
        ):
            for number in range(8):
                town.enrol(b"device %d" % number, desk)
            assert authenticated(20)
            before = [desk.device(device.id) for device in town.devices]
            fill()
            assert not authenticated(0.5)
            with pytest.raises(IotkmError, match="cannot be written"):
                desk.update(b"device 1")
            rest.unlink()
            assert authenticated(20), "there is room again"
            for was, device in zip(before, town.devices, strict=True):
                now = desk.device(device.id)
                assert was is not None and now is not None and now.counter > was.counter

            # None of its writes goes through any more, wherever and to whatever file, its log's too.
            limits = resource.prlimit(serving.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, (0, limits[1]))
            authenticated(0.5)  # what was on its way
            before = [desk.device(device.id) for device in town.devices]
            assert not authenticated(1.5) and not any(device.count or device.failed for device in town.devices)
            for wanted in (desk.update, desk.revoke, desk.forget):
                with pytest.raises(IotkmError, match="cannot be written"):
                    wanted(b"device 2")
            assert [desk.device(device.id) for device in town.devices] == before
            assert figures()["iotkm_centre_database_failing"] == 1 and figures()["iotkm_centre_troubles_total"] > 1
            resource.prlimit(serving.pid, resource.RLIMIT_FSIZE, limits)
            assert authenticated(20), "it may be written again"
            assert figures()["iotkm_centre_database_failing"] == 0
            desk.update(b"device 1")
            serving.terminate()
            assert serving.wait(30) == 0
            noise = (tmp_path / "said").read_text()
            assert "cannot be written" in noise and "Traceback" not in noise and "it goes on" in noise
            assert len(noise) < 20_000, "the same again and again"

        remount("ro")
        for name, *more in (("update", "device 1"), ("status",), ("audit", "--repair")):
            said = call("centre", name, town.city, *more, *word, status=1)
            assert "cannot be" in said and "nothing was changed" in said, said
        remount("rw")
        fill()
        said = call("centre", "revoke", town.city, "device 1", *word, status=1)
        assert "cannot be" in said or "No space" in said, said
        rest.unlink()
        call("centre", "audit", town.city, *word)
        said = call("centre", "status", town.city, "--json", *word)
        assert [json.loads(line)["standing"] for line in said.splitlines()] == ["enrolled"] * 8
        town.close()
