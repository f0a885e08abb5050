"""A bad link between a device and a hub on this machine: what it is given on one UDP port comes out of another, or not.

It loses, delays, overtakes and repeats datagrams, each direction by a random sequence of its own: the same seed does the
same to the n-th datagram of a direction.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

Address = tuple[str, int]


@dataclass(frozen=True)
class Passed:
    """What the link did to a datagram."""

    at: float
    """When it came, on the event loop's clock."""
    from_device: bool
    data: bytes
    lost: bool
    twice: bool
    overtakes: bool
    """Whether it arrives before one that was sent earlier."""
    again: bool
    """Whether the same bytes were sent before."""


class Direction:
    """One way of the link."""

    def __init__(self, seed: str, name: str, loss: float) -> None:
        self.random = Random(f"{seed} {name}")
        self.loss = loss
        self.latest = 0.0
        self.seen: set[bytes] = set()

    def fate(self, now: float, data: bytes, from_device: bool) -> tuple[Passed, list[float]]:
        """What becomes of it, and after how many seconds it arrives."""
        # All is drawn, whatever comes of it, so that one fate does not change the next.
        lost, twice, slow = (self.random.random() for _ in range(3))
        delays = [self.random.uniform(0.01, 0.05) for _ in range(2)]
        if slow < 0.1:
            delays[0] += 0.12
        arrives = [] if lost < self.loss else delays if twice < self.loss / 3 else delays[:1]
        first = now + min(arrives, default=0.0)
        overtakes = bool(arrives) and first < self.latest
        if arrives:
            self.latest = max(self.latest, first)
        again = data in self.seen
        self.seen.add(data)
        return Passed(now, from_device, data, not arrives, len(arrives) == 2, overtakes, again), arrives


class Link:
    """The link. The device sends to `address`; the hub gets everything from one address, too."""

    def __init__(self, hub: Address, seed: str, loss: float, watch: Callable[[Passed], None]) -> None:
        self.hub = hub
        self.watch = watch
        self.to_hub = Direction(seed, "device to hub", loss)
        self.to_device = Direction(seed, "hub to device", loss)
        self.device: Any = None
        self._ends: list[asyncio.DatagramTransport] = []

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        for from_device in (True, False):
            end, _ = await loop.create_datagram_endpoint(partial(_End, self, from_device), local_addr=("127.0.0.1", 0))
            self._ends.append(end)

    def close(self) -> None:
        for end in self._ends:
            end.close()

    @property
    def address(self) -> Address:
        address: Address = self._ends[0].get_extra_info("sockname")
        return address

    def came(self, data: bytes, source: Any, from_device: bool) -> None:
        loop = asyncio.get_running_loop()
        if from_device:
            self.device = source
        direction = self.to_hub if from_device else self.to_device
        passed, arrives = direction.fate(loop.time(), data, from_device)
        for delay in arrives:
            loop.call_later(delay, self._deliver, data, from_device)
        self.watch(passed)

    def _deliver(self, data: bytes, from_device: bool) -> None:
        to = self.hub if from_device else self.device
        end = self._ends[1 if from_device else 0]
        if to is not None and not end.is_closing():
            end.sendto(data, to)


class _End(asyncio.DatagramProtocol):
    def __init__(self, link: Link, from_device: bool) -> None:
        self._link = link
        self._from_device = from_device

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._link.came(data, addr, self._from_device)
