"""A thousand devices of the demo's city, each with a socket of its own.

    python crowd.py

Lines on standard input: ``enrol FILE OUT`` (invitations, one a line; deposits), ``confirm FILE``, ``authenticate PORT [NUMBER]``
(all at once, or one); at the end of input it ends.
"""

import asyncio
import secrets
import time
from pathlib import Path

from lines import run, say, typed

from iotkm import Authenticated, Chip, Datagram, Failed, Idle, Microcert, Persist, Platform


class Device(asyncio.DatagramProtocol):
    """One of them."""

    def __init__(self, platform: Platform, chip: Chip) -> None:
        self.a = Microcert(platform, chip)
        self.bytes = 0

    async def authenticate(self, port: int) -> str:
        """How it ended."""
        loop = asyncio.get_running_loop()
        self.done: asyncio.Future[str] = loop.create_future()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=("127.0.0.1", port))
        self.line, self.bytes = transport, 0
        self.a.authenticate(b"centre")
        try:
            while not self.done.done():
                wake_at = self.work()
                if self.done.done():
                    break
                wait = 1.0 if wake_at is None else max(0.0, (wake_at - self.a.platform.now()) / 1000)
                await asyncio.wait([self.done], timeout=wait)
                if not self.done.done():
                    self.a.handle_timeout()
            return self.done.result()
        finally:
            transport.close()

    def work(self) -> int | None:
        while True:
            match self.a.poll():
                case Datagram(_, data):
                    self.bytes += len(data)
                    self.line.sendto(data)
                case Persist(slot, _, _):
                    self.a.persisted(slot)
                case Authenticated() if not self.done.done():
                    self.done.set_result("authenticated")
                case Failed() as failed if not self.done.done():
                    self.done.set_result(str(failed.reason))
                case Idle(wake_at):
                    return wake_at

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.bytes += len(data)
        self.a.handle_input(b"centre", data)
        self.work()

    def error_received(self, exc: Exception) -> None:
        """As a lost datagram."""


async def main() -> None:
    lines = await typed()
    platform = Platform(secrets.token_bytes(32))
    chips: list[Chip] = []
    devices: list[Device] = []
    say("ready")
    while line := (await lines.readline()).decode().rstrip("\n"):
        match line.split(" "):
            case ["enrol", file, out]:
                for text in Path(file).read_text().splitlines():
                    chips.append(Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=bytes.fromhex(text)))
                Path(out).write_text("\n".join(chip.deposit().hex() for chip in chips))
                say("deposited", len(chips))
            case ["confirm", file]:
                for chip, text in zip(chips, Path(file).read_text().splitlines(), strict=True):
                    chip.confirm(bytes.fromhex(text))
                devices = [Device(platform, chip) for chip in chips]
                say("confirmed", len(devices))
            case ["authenticate", port, *numbers]:
                chosen = [devices[int(number)] for number in numbers] or devices
                before = time.monotonic()
                ends = await asyncio.gather(*(device.authenticate(int(port)) for device in chosen))
                spent, size = time.monotonic() - before, max(device.bytes for device in chosen)
                say("ends", ends.count("authenticated"), f"{spent:.1f}", size, *{end for end in ends if end != "authenticated"})


if __name__ == "__main__":
    run(main())
