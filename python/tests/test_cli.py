"""The command, as people call it."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers import free_port

from iotkm import Peer, Platform, Triple, sim

pytest.importorskip("typer")

from typer.testing import CliRunner  # noqa: E402

from iotkm import cli  # noqa: E402

ENVIRONMENT = {**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "120", "TERM": "dumb"}


def iotkm(*arguments: str | Path, given: bytes = b"", status: int = 0, stderr: bool = False) -> str:
    """Runs it in this process; what it printed, on standard error where it failed or that is asked for."""
    done = CliRunner().invoke(cli.app, [*map(str, arguments)], input=given, env=ENVIRONMENT, prog_name="iotkm")
    assert done.exit_code == status, done.output
    return done.stderr if status or stderr else done.stdout


@contextmanager
def running(*arguments: str | Path, given: bytes = b"") -> Iterator["subprocess.Popen[bytes]"]:
    """Runs it beside the test, until it says where it listens."""
    command = [sys.executable, "-P", "-m", "iotkm", *map(str, arguments)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=ENVIRONMENT) as process:
        try:
            assert process.stdin is not None and process.stderr is not None
            process.stdin.write(given)
            process.stdin.close()
            assert b"127.0.0.1" in process.stderr.readline()
            yield process
        finally:
            process.kill()


def ended(process: "subprocess.Popen[bytes]") -> str:
    assert process.wait(30) == 0 and process.stdout is not None
    return process.stdout.read().decode()


def test_pair_talk_update_show(tmp_path: Path) -> None:
    lamp, phone = tmp_path / "lamp", tmp_path / "phone"
    where = f"127.0.0.1:{free_port()}"
    pair = ("history", "pair", "--secret-file", "-", "--json")
    with running(*pair, "--state", lamp, "--id", "lamp", "--bind", where, given="our caf\u00e9\n".encode()) as waiting:
        mine = json.loads(iotkm(*pair, where, "--state", phone, "--id", "phone", given="our cafe\u0301\n".encode()))
        theirs = json.loads(ended(waiting))
    assert mine["peer"] == "lamp" and theirs["peer"] == "phone" and mine["fingerprint"] == theirs["fingerprint"]
    assert json.loads(iotkm("history", "show", "--state", phone, "--json"))["fingerprint"] == mine["fingerprint"]

    listen = ("history", "listen", "--state", lamp, "--bind", where, "--echo", "--count", "2", "--json")
    with running(*listen) as listening:
        connect = ("history", "connect", "lamp", where, "--state", phone, "--place", "hall", "--json")
        said = iotkm(*connect, given=b"on\noff\n")
        heard = ended(listening)
    assert [json.loads(line)["text"] for line in said.splitlines()] == ["on", "off"]
    assert [json.loads(line)["text"] for line in heard.splitlines()] == ["on", "off"]
    assert json.loads(heard.splitlines()[0])["place"] == "hall"

    with running("history", "listen", "--state", lamp, "--bind", where, "--echo") as listening:
        iotkm("history", "connect", "lamp", where, "--state", phone, "--update", given=b"more\n")
    shown = json.loads(iotkm("history", "show", "--state", phone, "--json"))
    assert shown["generation"] + (shown["pending"] != "none") == 1

    peer = next(phone.glob("slot-00001"))
    opened = json.loads(iotkm("inspect", peer, "--state", phone, "--json"))
    assert opened["peer"] == "lamp" and "not shown" in opened["keys"]
    iotkm("history", "forget", "lamp", "--state", phone)
    assert iotkm("history", "show", "--state", phone) == ""
    printed = said + heard + json.dumps([mine, theirs, shown, opened])
    for key in ("our caf", *((state / "device.key").read_bytes().hex() for state in (lamp, phone))):
        assert key not in printed
    assert "nobody" in iotkm("history", "connect", "lamp", where, "--state", phone, status=1)


def test_inspect(tmp_path: Path) -> None:
    net = sim.history_pair()
    net.a.connect(net.b.address)
    net.drive(until=lambda: net.a.is_established and net.b.is_established)
    c1 = net.trace[0].data
    seen = json.loads(iotkm("inspect", "-", "--json", given=c1))
    assert seen["message"] == "C1" and seen["scheme"] == "history" and seen["bytes"] == len(c1)
    assert iotkm("inspect", c1.hex()) == iotkm("inspect", "-", given=c1.hex().encode())
    net.a.send(b"a secret message")
    assert "sealed bytes" in iotkm("inspect", "1e0001" + "00" * 200), "longer than a file's name can be"
    record = json.loads(iotkm("inspect", net.trace[-1].data.hex(), "--json"))
    assert record["what"] == "record" and not record["control"]
    key = bytes(range(32))
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=Triple(key, key, key))
    blob, _ = peer.seal(Platform(key))
    file = tmp_path / "blob"
    file.write_bytes(blob)
    text = iotkm("inspect", file)
    assert "stored peer" in text and key.hex() not in text
    assert "no file" in iotkm("inspect", "no-such-file", status=1)
    assert "neither" in iotkm("inspect", "-", given=b"\xff\xff", status=1)
    assert "does not open" in iotkm("inspect", file, "--state", tmp_path / "other", status=1)


def test_simulate(tmp_path: Path) -> None:
    first = iotkm("simulate", "--runs", "8", "--seed", "3", "--json")
    assert first == iotkm("simulate", "--runs", "8", "--seed", "3", "--json")
    assert json.loads(first)["established"] == 8
    assert json.loads(iotkm("simulate", "--runs", "2", "--loss", "0", "--suite", "4s", "--json"))["datagrams_mean"] == 6
    assert "seconds median" in iotkm("simulate", "--runs", "3")
    assert "no suite 9" in iotkm("simulate", "--suite", "9", status=1)
    assert "shorter" in iotkm("simulate", "--delay", "9", "1", status=1)
    plot = ("simulate", "--runs", "2", "--plot", tmp_path / "plot.png")
    if importlib.util.find_spec("matplotlib") is None:
        assert "iotkm[plot]" in iotkm(*plot, status=1)
    else:
        iotkm(*plot)
        assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_help_and_version() -> None:
    for arguments in ((), ("history",), ("history", "pair"), ("inspect",), ("simulate",)):
        assert "Usage" in iotkm(*arguments, "--help")
    command = [sys.executable, "-P", "-m", "iotkm", "--version"]
    done = subprocess.run(command, capture_output=True, timeout=60, env=ENVIRONMENT, check=True)
    assert re.fullmatch(rb"\d+\.\d+\.\d+\n", done.stdout)


def test_errors_are_one_line(tmp_path: Path) -> None:
    for arguments in (
        ("history", "show", "--state", tmp_path / "none"),
        ("history", "pair", "nowhere", "--state", tmp_path / "a", "--secret-file", "-"),
        ("history", "listen", "--state", tmp_path / "a", "--bind", "127.0.0.1:0"),
    ):
        message = iotkm(*arguments, given=b"secret\n", status=1)
        assert message.startswith("iotkm: ") and message.count("\n") == 1, message
