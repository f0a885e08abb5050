"""What tests share."""

import asyncio
import socket
from collections.abc import Coroutine
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from iotkm.aio import Address

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], limit: float = 60) -> T:
    """Runs a coroutine, not for ever."""

    async def limited() -> T:
        async with asyncio.timeout(limit):
            return await work

    return asyncio.run(limited())


def free_port() -> int:
    """A UDP port that nobody uses now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Proxy(asyncio.DatagramProtocol):
    """A UDP proxy in this process that loses, repeats and reorders by a seed, between one device and `target`."""

    def __init__(self, target: Address, seed: int = 0, loss: int = 0, duplicate: float = 0.0) -> None:
        """Loses every `loss`-th datagram."""
        self.target = target
        self.loss = loss
        self.duplicate = duplicate
        self.seen: list[bytes] = []
        self.lost = 0
        self._random = Random(seed)
        self._device: Any = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.close()

    @property
    def address(self) -> Address:
        name: tuple[str, int] = self._transport.get_extra_info("sockname")[:2]
        return name

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if addr != self.target:
            self._device = addr
        to = self._device if addr == self.target else self.target
        self.seen.append(data)
        if to is None or (self.loss and len(self.seen) % self.loss == 0):
            self.lost += 1
            return
        for _ in range(1 + (self._random.random() < self.duplicate)):
            delay = self._random.random() * 0.02
            asyncio.get_running_loop().call_later(delay, self._transport.sendto, data, to)
