"""The example programs run, and show what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import free_port, run

from iotkm.aio import Directory, Hub

FOLDER = Path(__file__).parents[2] / "examples" / "python"
ENVIRONMENT = {**os.environ, "PYTHONUNBUFFERED": "1"}
SHOWS = {
    "one.py": [],
    "pair_and_talk.py": ["both show", "lamp   got b'on' from b'kitchen'", "generation 1", "got b'done: on again'"],
    "credentials_and_epochs.py": [
        "gateway sends  M4, 10 bytes",
        "nothing was sent: 4 4",
        "gets   b'1.2 kWh' in epoch 4",
        "meter   sees   Resumed",
        "both are in epoch 101 101",
    ],
    "credential_service.py": ["lamp   has credential 4", "lamp   was issued 2 in all", "switch has credential 5"],
    "hybrid.py": ["M1", "K4", "a psk from the paired session: True", "hub gets  b'21.5 C'"],
    "tickets_and_talk.py": ["lamp session", "gateway is there", "the switch is turned away", "gateway and lamp: True"],
    "operator_day.py": ["issued", "waiting ['lamp', 'switch']", "(2 in the overlap)", "[2, 4] - the lamp turns", "revoked"],
    "operator_service.py": ["lamp has ticket 4", "waits for switch", "switch has ticket 5", "switch: this device has no"],
    "own_transport.py": ["panel sees  Established", "pump  gets  b'run at 40 %'", "panel gets  b'2.1 bar'", "session"],
}


@pytest.mark.parametrize("name", SHOWS)
def test_example(name: str) -> None:
    command = [sys.executable, "-P", str(FOLDER / name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    for text in SHOWS[name]:
        assert text in done.stdout, done.stdout


def test_every_example_is_tested() -> None:
    assert {path.name for path in FOLDER.glob("*.py")} == {*SHOWS, "gateway.py"}


def test_gateway(tmp_path: Path) -> None:
    port = free_port()

    def gateway(*arguments: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-P", str(FOLDER / "gateway.py"), str(tmp_path / "gateway"), str(port), *arguments]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=ENVIRONMENT)
        assert process.stderr is not None
        assert process.stderr.readline().startswith(("waiting", "listening"))
        return process

    async def pair() -> None:
        with Directory(tmp_path / "device") as storage:
            async with Hub(storage, own_id=b"meter", bind=("127.0.0.1", 0), place=b"cellar") as hub:
                await hub.pair(("127.0.0.1", port), "our secret")

    async def speak() -> None:
        with Directory(tmp_path / "device") as storage:
            async with Hub(storage, own_id=b"meter", bind=("127.0.0.1", 0), place=b"cellar") as hub:
                peer = hub.peer(b"gateway")
                await peer.connect(("127.0.0.1", port))
                await peer.send(b"230 V")
                await peer.send(b"231 V")

    with gateway("pair", "our secret") as process:
        run(pair())
        out, err = process.communicate(timeout=30)
        assert "meter is known now" in out, err
    with gateway("listen", "2") as process:
        run(speak())
        out, err = process.communicate(timeout=30)
    rows = [line.split(",")[1:] for line in out.splitlines()]
    assert rows == [["device", "place", "reading"], ["meter", "cellar", "230 V"], ["meter", "cellar", "231 V"]], err
