"""Figures of the authentication centre, lines of `name value unit` (`tests/bench/run` calls it; it needs a Python that has
iotkm[ca,cli]).

    python tests/bench/centre.py [--devices N] [--seconds S] [--enrol N]

`iotkm centre serve` answers devices on this machine that authenticate again and again, as fast as answers come; beside it in the
same run SQLite's own commits in the same folder. With --enrol: that many devices enrolled, and all their rows audited.
"""

import argparse
import json
import os
import resource
import selectors
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from iotkm import Authenticated, Chip, Datagram, Failed, Idle, Microcert, Persist, Platform
from iotkm.authority import Cost
from iotkm.centre import AuthCenter, Backups, FileKeyStore, SqliteSeedStore

WORD = b"correct horse"


class Device:
    """One that authenticates itself again and again."""

    def __init__(self, platform: Platform, chip: Chip) -> None:
        self.a = Microcert(platform, chip)
        self.count = self.failed = self.sent = 0
        self.wake_at: int | None = None

    def connect(self, to: tuple[str, int]) -> socket.socket:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(to)
        self.socket.setblocking(False)
        return self.socket

    def drain(self, more: bool) -> None:
        while True:
            out = self.a.poll()
            if isinstance(out, Idle):
                self.wake_at = out.wake_at
                if self.wake_at is not None or not more:
                    return
                self.a.authenticate(b"centre")
            elif isinstance(out, Datagram):
                self.sent += 1
                self.socket.send(out.data)
            elif isinstance(out, Persist):
                self.a.persisted(out.slot)
            elif isinstance(out, Authenticated):
                self.count += 1
            elif isinstance(out, Failed):
                self.failed += 1


def drive(devices: list[Device], to: tuple[str, int], seconds: float) -> dict[str, float]:
    """All at once, for so long; then each to the end of what it began."""
    selector = selectors.DefaultSelector()
    for device in devices:
        selector.register(device.connect(to), selectors.EVENT_READ, device)
    platform, began = devices[0].a.platform, time.monotonic()
    for device in devices:
        device.drain(True)
    looked, measured, end = began, 0.0, began + seconds
    while True:
        now = time.monotonic()
        if not measured and now >= end:
            measured, counted = now - began, sum(device.count for device in devices)
        for key, _ in selector.select(0.05):
            try:
                key.data.a.handle_input(b"centre", key.data.socket.recv(2048))
            except OSError:
                continue
            key.data.drain(not measured)
        if now - looked > 0.1:
            looked, ms = now, platform.now()
            for device in devices:
                if device.wake_at is not None and device.wake_at <= ms:
                    device.a.handle_timeout()
                    device.drain(not measured)
        if measured and all(device.wake_at is None for device in devices):
            break
        if now > end + 30:
            raise SystemExit("devices wait for answers still")
    return {
        "seconds": measured,
        "counted": counted,
        "all": sum(device.count for device in devices),
        "failed": sum(device.failed for device in devices),
        "again": sum(device.sent for device in devices) - sum(device.count for device in devices),
        "least": min(device.count for device in devices),
    }


def drive_all(devices: list[Device], to: tuple[str, int], seconds: float, processes: int) -> dict[str, float]:
    """Likewise, from so many processes."""
    pipes = []
    for number in range(processes):
        reading, writing = os.pipe()
        if os.fork() == 0:
            try:
                os.write(writing, json.dumps(drive(devices[number::processes], to, seconds)).encode())
            finally:
                os._exit(0)
        os.close(writing)
        pipes.append(reading)
    said = []
    for reading in pipes:
        with open(reading, "rb") as file:
            said.append(json.loads(file.read()))
        os.wait()
    figures = {name: sum(one[name] for one in said) for name in ("all", "failed", "again")}
    rate = sum(one["counted"] / one["seconds"] for one in said)
    return figures | {"rate": rate, "least": min(one["least"] for one in said)}


def enrolled(folder: Path, count: int, told: bool = False) -> tuple[Platform, list[Chip], float]:
    """A centre in this folder with so many devices; how long it took the centre. Many: their chips are not kept."""
    platform = Platform(bytes(32))
    (folder / "device.key").write_bytes(bytes(32))
    (folder / "centre.json").write_text(
        json.dumps({"id": b"city".hex(), "backups": str(folder / "backups"), "token": None}) + "\n"
    )
    (folder / "word").write_bytes(WORD)
    chips: list[Chip] = []
    spent = 0.0
    with FileKeyStore.create(folder / "keys", WORD, cost=Cost(1, 64, 1)) as keys:
        backups = Backups(folder / "backups", keys)
        with SqliteSeedStore.create(folder / "centre.db", keys, backups=backups) as store:
            centre = AuthCenter(platform, b"city", store, keys)
            for at in range(0, count, 1000):
                ids = [b"device %07d" % number for number in range(at, min(at + 1000, count))]
                before = time.monotonic()
                invitations = centre.invite_all(ids)
                spent += time.monotonic() - before
                made = []
                for invitation in invitations:
                    assert isinstance(invitation, bytes)
                    made.append(Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=invitation))
                deposits = [chip.deposit() for chip in made]
                before = time.monotonic()
                taken = centre.enrol_all(deposits)
                spent += time.monotonic() - before
                for chip, one in zip(made, taken, strict=True):
                    assert isinstance(one, tuple), one
                    chip.confirm(one[1])
                if not told:
                    chips += made
                elif (at + 1000) % 10_000 == 0:
                    mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                    print(f"{at + 1000:8} enrolled in {spent:6.1f} s, {mb:.0f} MB at most", file=sys.stderr, flush=True)
        backups.close()
    return platform, chips, spent


def raw_commits(folder: Path, seconds: float, rows: int) -> float:
    """SQLite's own durable commits a second, of so many small rows each."""
    db = sqlite3.connect(folder / f"raw-{rows}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE row (id INTEGER PRIMARY KEY, state BLOB)")
    db.executemany("INSERT INTO row VALUES (?, ?)", [(n, bytes(250)) for n in range(1000)])
    count, end, began = 0, time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end:
        db.execute("BEGIN IMMEDIATE")
        changes = [(os.urandom(250), (count * rows + n) % 1000) for n in range(rows)]
        db.executemany("UPDATE row SET state = ? WHERE id = ?", changes)
        db.execute("COMMIT")
        count += 1
    db.close()
    return count / (time.monotonic() - began)


def cpu_of(process: int) -> float:
    """Seconds that it has had of the processors."""
    words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def per_second(folder: Path, devices: int, seconds: float) -> dict[str, Any]:
    platform, chips, _ = enrolled(folder, devices)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-P", "-m", "iotkm", "centre", "serve", str(folder), "--bind", f"127.0.0.1:{port}"]
    command += ["--quiet", "--passphrase-file", str(folder / "word")]
    before = os.getloadavg()[0]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as serving:
        assert serving.stderr is not None and serving.stderr.readline().startswith(b"serving")
        began = cpu_of(serving.pid)
        crowd = [Device(platform, chip) for chip in chips]
        figures = drive_all(crowd, ("127.0.0.1", port), seconds, processes=2)
        cpu = (cpu_of(serving.pid) - began) / figures["all"] * 1e6
        serving.terminate()
        serving.wait(60)
    with FileKeyStore(folder / "keys", WORD) as keys, SqliteSeedStore(folder / "centre.db", keys) as store:
        stored = sum(device.counter for device in AuthCenter(platform, b"city", store, keys).devices())
    assert stored >= figures["all"] and figures["failed"] == 0 and figures["least"] > 0, (stored, figures)
    return {
        "value": figures["rate"],
        "cpu": cpu,
        "again": figures["again"],
        "load": before,
        "commits": raw_commits(folder, 2, 1),
        "rows": raw_commits(folder, 2, 256) * 256,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--enrol", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.enrol:
            _, _, spent = enrolled(folder, options.enrol, told=True)
            before = time.monotonic()
            command = [sys.executable, "-P", "-m", "iotkm", "centre", "audit", str(folder)]
            subprocess.run([*command, "--passphrase-file", str(folder / "word")], check=True, stdout=sys.stderr)
            audit = time.monotonic() - before
            own, other = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
            rows = [
                ("centre.sqlite.enrol_per_second", options.enrol / spent, "1/s"),
                ("centre.sqlite.enrol_memory", own, "MB"),
                ("centre.sqlite.audit_seconds", audit, "s"),
                ("centre.sqlite.audit_memory", other, "MB"),
            ]
        else:
            figures = per_second(folder, options.devices, options.seconds)
            rows = [
                ("centre.sqlite.per_second", figures["value"], "1/s"),
                ("centre.sqlite.cpu", figures["cpu"], "us"),
                ("sqlite.commits.per_second", figures["commits"], "1/s"),
                ("sqlite.rows.per_second", figures["rows"], "1/s"),
            ]
            print(
                f"{options.devices} devices at a time, none lost, {figures['again']} datagrams sent again; load before: "
                f"{figures['load']:.1f} on {os.cpu_count()} processors, which the devices share",
                file=sys.stderr,
            )
        for row, value, unit in rows:
            print(row, f"{value:.1f}", unit)


if __name__ == "__main__":
    main()
