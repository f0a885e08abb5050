"""Devices by the thousand, on a serial line; a second card."""

import json
import os
import pty
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from helpers import free_port
from softhsm import PIN, SO_PIN, SoftHsm
from test_cli import ENVIRONMENT, iotkm, running

pytest.importorskip("argon2")
pytest.importorskip("cryptography.hazmat.primitives.hpke")

from town import CHEAP, City  # noqa: E402

from iotkm import BadArgumentError, Chip, IotkmError, Microcert, Platform, StoreError, serial  # noqa: E402
from iotkm.centre import FileKeyStore, OpenDesk  # noqa: E402
from iotkm.centre._center import Enrolled  # noqa: E402
from iotkm.centre.batch import (  # noqa: E402
    Ledger,
    digest_of,
    export_batch,
    import_deposits,
    make_key,
    open_batch,
    public_key,
    read_confirmations,
    write_lines,
)

WORD = b"correct horse\n"
SUITE = "SUITE_0_SYMMETRIC"


class Full(OpenDesk):
    """Its disk is full after so many deposits."""

    room = 0

    def enrol(self, deposits: Sequence[bytes]) -> list[Enrolled | IotkmError]:
        if self.room < len(deposits):
            raise StoreError("the disk is full")
        self.room -= len(deposits)
        return super().enrol(deposits)


def test_a_batch_is_used_once(tmp_path: Path) -> None:
    city = City(tmp_path)
    desk, out, deposits = Full(city.centre), tmp_path / "batch", tmp_path / "deposits"
    ids = [b"device %03d" % number for number in range(250)]
    make_key(tmp_path / "key", tmp_path / "key.pub")
    make_key(tmp_path / "other", tmp_path / "other.pub")
    assert (tmp_path / "key").stat().st_mode & 0o77 == 0
    with pytest.raises(FileExistsError):
        make_key(tmp_path / "key", tmp_path / "new.pub")
    key = public_key((tmp_path / "key.pub").read_bytes())
    with pytest.raises(BadArgumentError):
        public_key((tmp_path / "key").read_bytes())
    with Ledger(tmp_path / "batches.db") as ledger:
        seen: list[tuple[int, int]] = []
        digest = export_batch(desk, ledger, b"city", ids, key, out, progress=lambda *how: seen.append(how))
        assert seen[-1] == (250, 250) and digest == digest_of(out.read_bytes())
        for some in ([ids[0]], [b"a", b"a"], [], [b"city"], [b"x" * 17]):
            with pytest.raises(BadArgumentError):
                export_batch(desk, ledger, b"city", some, key, tmp_path / "no")
        assert not (tmp_path / "no").exists()

        private, data = (tmp_path / "key").read_bytes(), out.read_bytes()
        for wrong in ((data, private, "00" * 32), (data[:-1], private, digest), (data, (tmp_path / "other").read_bytes(), digest)):
            with pytest.raises(BadArgumentError):
                open_batch(*wrong)
        for place in (30, len(data) - 1):
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(BadArgumentError):
                open_batch(bytes(changed), private, digest_of(bytes(changed)))
        opened = open_batch(data, private, digest)
        assert [one.id for one in opened.devices] == ids

        chips = {
            id: Chip.enrol(city.platform, seed_slot=1, state_slot=2, invitation=invitation) for id, invitation in opened.devices
        }
        again = Chip.enrol(city.platform, seed_slot=1, state_slot=2, invitation=opened.devices[0].invitation)
        stranger = Chip.enrol(city.platform, seed_slot=1, state_slot=2, invitation=city.centre.invite(b"stranger"))
        lines = [(id, chip.deposit()) for id, chip in chips.items()]
        bad = bytearray(lines[7][1])
        bad[-1] ^= 1
        # One altered, one under another's name, one of no batch, one that was written twice.
        lines[7] = (ids[7], bytes(bad))
        lines[8] = (ids[8], lines[9][1])
        lines += [(b"stranger", stranger.deposit()), (ids[0], again.deposit())]
        write_lines(deposits, opened.batch, "deposit", lines)

        # The disk is full in the middle; a line is half written; then it goes on.
        confirmations = tmp_path / "confirmations"
        desk.room = 150
        with pytest.raises(StoreError):
            import_deposits(desk, ledger, deposits, confirmations)
        assert city.store.count() == len(read_confirmations(confirmations)) == 98
        with open(confirmations, "ab") as file:
            file.write(b'{"device": "00')
        desk.room = 1_000
        done = import_deposits(desk, ledger, deposits, confirmations)
        assert (done.taken, done.before) == (150, 99)
        assert {id for id, _ in done.refused} == {ids[7], ids[8], b"stranger"}
        confirmed = read_confirmations(confirmations)
        assert len(confirmed) == 248 == city.store.count()
        for id, confirmation in confirmed.items():
            chips[id].confirm(confirmation)
        # Stored, and the word of it lost: it is said again. Nothing is taken twice.
        confirmations.unlink()
        done = import_deposits(desk, ledger, deposits, confirmations)
        assert done.taken == 248 and city.store.count() == 248
        [sent] = ledger.batches()
        assert (sent.devices, sent.back, sent.digest) == (250, 248, digest)
        with pytest.raises(BadArgumentError, match="enrolled"):
            export_batch(desk, ledger, b"city", [ids[0]], key, tmp_path / "no")
        # Forgotten since: the deposit that made it a device does not make it one again.
        desk.forget(ids[3])
        confirmations.unlink()
        done = import_deposits(desk, ledger, deposits, confirmations)
        assert done.taken == 247 == city.store.count() and ids[3] in {id for id, _ in done.refused}
        write_lines(tmp_path / "others", bytes(16), "deposit", lines)
        with pytest.raises(BadArgumentError, match="no batch of this centre"):
            import_deposits(desk, ledger, tmp_path / "others", tmp_path / "no")
        with pytest.raises(BadArgumentError, match="not come back"):
            export_batch(desk, ledger, b"city", [ids[7]], key, tmp_path / "no")
        export_batch(desk, ledger, b"city", [ids[7]], key, tmp_path / "second", again=True)
        with pytest.raises(BadArgumentError):
            import_deposits(desk, ledger, tmp_path / "key", tmp_path / "no")
    lamp = Microcert(city.platform, chips[ids[9]])
    assert lamp.chip.confirmed
    city.close()


def test_a_batch_on_the_command_line(tmp_path: Path) -> None:
    city, word = tmp_path / "city", ("--passphrase-file", "-")
    iotkm("centre", "init", city, "--id", "city", *word, given=WORD)
    with FileKeyStore(city / "keys", WORD.strip()) as keys, keys.copy(city / "quick", WORD.strip(), cost=CHEAP):
        os.replace(city / "quick", city / "keys")
    iotkm("chip", "key", tmp_path / "key", tmp_path / "key.pub")
    (tmp_path / "ids").write_text("lamp-1\nlamp-2\n0x00ff\n")
    batch, chips, deposits, back = (tmp_path / name for name in ("batch", "chips", "deposits", "back"))
    export = ("centre", "export", city, tmp_path / "ids", "--to", tmp_path / "key.pub", "--out", batch, "--json", *word)
    digest = json.loads(iotkm(*export, given=WORD))["digest"]
    assert "--again" in iotkm(*export, given=WORD, status=1)
    write = ("chip", "batch", batch, "--key", tmp_path / "key", "--chips", chips, "--out", deposits, "--json", "--digest")
    assert "another file" in iotkm(*write, digest[::-1], status=1)
    for _ in range(2):  # as if it had been interrupted
        assert json.loads(iotkm(*write, digest))["devices"] == 3
    assert sorted(path.name for path in chips.iterdir()) == ["0x00ff", "lamp-1", "lamp-2"]
    where = f"127.0.0.1:{free_port()}"
    with running("centre", "serve", city, "--bind", where, *word, given=WORD):
        said = json.loads(iotkm("centre", "import", city, deposits, "--out", back, "--json"))
        assert (said["taken"], said["before"], said["refused"]) == (3, 0, [])
        assert json.loads(iotkm("centre", "import", city, deposits, "--out", back, "--json"))["before"] == 3
        assert json.loads(iotkm("chip", "confirm-batch", back, "--chips", chips, "--json")) == {"confirmed": 3}
        shown = json.loads(iotkm("chip", "authenticate", chips / "lamp-2", where, "--json"))
        assert shown["said"] == "authenticated" and shown["device"] == "lamp-2" and shown["confirmed"]
        iotkm("centre", "revoke", city, "lamp-1")
        shown = json.loads(iotkm("chip", "authenticate", chips / "lamp-1", where, "--json", status=1) or "{}")
        assert json.loads(iotkm("chip", "show", chips / "lamp-1", "--json"))["revoked"]
    assert json.loads(iotkm("centre", "batches", city, "--json"))["back"] == 3


def test_a_device_on_a_serial_line(tmp_path: Path) -> None:
    """Two ports and a cable between them, on which there is noise."""
    city, word = tmp_path / "city", ("--passphrase-file", "-")
    iotkm("centre", "init", city, "--id", "city", *word, given=WORD)
    pairs = [pty.openpty(), pty.openpty()]
    ours, theirs = (os.ttyname(slave) for _, slave in pairs)
    done = threading.Event()

    def cable() -> None:
        count = 0
        os.write(pairs[0][0], b"login: \xff\xfe\niotkm DEPOSIT 00 00000000\r\n")
        while not done.is_set():
            for n, (master, _) in enumerate(pairs):
                if select.select([master], [], [], 0.02)[0]:
                    data = bytearray(os.read(master, 256))
                    count += 1
                    if count == 3:
                        data[0] ^= 1  # a bit flips: the line is asked for again
                    os.write(pairs[1 - n][0], data)

    thread = threading.Thread(target=cable)
    thread.start()
    try:
        command = [sys.executable, "-P", "-m", "iotkm", "chip", "provision", str(tmp_path / "lamp"), "--port", theirs, "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT) as chip:
            said = iotkm("centre", "provision", city, "lamp-7", "--port", ours, "--json", *word, given=WORD)
            assert json.loads(said) == {"device": "lamp-7", "enrolled": True}
            assert chip.wait(30) == 0 and chip.stdout is not None
            assert json.loads(chip.stdout.read())["confirmed"]
        assert json.loads(iotkm("centre", "status", city, "lamp-7", "--json", *word, given=WORD))["standing"] == "enrolled"
        with serial.Line(ours) as line, pytest.raises(serial.SerialError):
            line.ask(serial.INVITATION, b"x", (serial.DEPOSIT,), 0.1)
    finally:
        done.set()
        thread.join()
        for master, slave in pairs:
            os.close(master)
            os.close(slave)


def test_a_second_card(softhsm: SoftHsm, tmp_path: Path) -> None:
    city, pin, officer = tmp_path / "city", f"{PIN}\n".encode(), f"{SO_PIN}\n".encode()
    read = ("--passphrase-file", "-")
    second = ("--pkcs11", softhsm.module, "--token", "second", *read)
    name = ("--key-label", "of a city")
    iotkm(
        "centre", "init", city, "--id", "city", "--pkcs11", softhsm.module, "--token", "main", *name, *read, given=pin
    )  # fmt: skip
    iotkm("centre", "invite", city, "lamp", "--out", tmp_path / "invitation", *read, given=pin)
    chip = Chip.enrol(Platform(bytes(32)), seed_slot=1, state_slot=2, invitation=(tmp_path / "invitation").read_bytes())
    (tmp_path / "deposit").write_bytes(chip.deposit())
    iotkm("centre", "enrol", city, tmp_path / "deposit", *read, given=pin)

    order, copy = tmp_path / "order", tmp_path / "copy"
    digest = json.loads(iotkm("centre", "card", "order", order, *second, *name, "--json", given=pin))["digest"]
    assert "trust" in iotkm("centre", "card", "copy", city, order, "--out", copy, *read, given=pin, status=1)
    trust = ("centre", "card", "trust", city, order, *read, "--digest")
    assert "another order" in iotkm(*trust, digest[::-1], given=officer, status=1)
    iotkm(*trust, digest, given=officer)
    iotkm("centre", "card", "copy", city, order, "--out", copy, *read, given=pin)
    iotkm("centre", "card", "install", copy, *second, *name, given=pin)
    said = json.loads(iotkm("centre", "card", "use", city, *second, "--json", given=pin))
    assert said == {"token": "second", "rows": 1, "clean": True}
    assert json.loads((city / "centre.json").read_bytes())["token"][1] == "second"
    iotkm("centre", "update", city, "lamp", *read, given=pin)
    iotkm("centre", "audit", city, *read, given=pin)
    plain = tmp_path / "plain"
    iotkm("centre", "init", plain, "--id", "city", *read, given=WORD)
    assert "in a file" in iotkm("centre", "card", "copy", plain, order, "--out", copy, *read, given=WORD, status=1)
