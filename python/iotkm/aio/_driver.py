"""What moves a hub: its socket, its timer, its writes. What comes of that is the hub's."""

import asyncio
import logging
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import iotkm
from iotkm import Datagram, Event, Idle, IotkmError, Persist, Platform, Received
from iotkm.aio._peer import Address, decode, encode
from iotkm.storage import Storage

_T = TypeVar("_T")
_log = logging.getLogger("iotkm.aio")


class Driver(ABC):
    """The core's hub of `capacity` places on a socket and a storage, while it is open."""

    def __init__(self, platform: Platform, storage: Storage, capacity: int) -> None:
        self.platform, self.storage = platform, storage
        self._hub = iotkm.Hub(platform, capacity=capacity)
        self._transport: asyncio.DatagramTransport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="iotkm-storage")
        self._writes: set[asyncio.Task[None]] = set()
        self._writable = asyncio.Event()
        self._writable.set()
        self._family = socket.AF_INET
        self._closed = True

    @abstractmethod
    def _received(self, association: iotkm.Association, message: Received) -> None:
        """A payload came."""

    @abstractmethod
    def _event(self, association: iotkm.Association | None, event: Event) -> None:
        """Something happened."""

    @abstractmethod
    def _before(self) -> None:
        """Before what there is is sent."""

    async def _open(self, bind: Address) -> None:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*bind, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        self._family = family
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: _Protocol(self), family=family, local_addr=(str(address[0]), int(address[1]))
        )
        self._closed = False

    async def _close(self) -> None:
        """Once the writes that are under way have ended."""
        await self._written()
        if self._transport is not None:
            self._transport.close()

    @property
    def address(self) -> Address:
        """Where it receives."""
        assert self._transport is not None, "use the hub as `async with`"
        address: tuple[Any, ...] = self._transport.get_extra_info("sockname")
        return address[:2]

    @property
    def drops(self) -> dict[str, int]:
        """Datagrams that were for nobody, by reason; each peer's association counts its own."""
        return self._hub.drops

    def _check_open(self) -> None:
        if self._closed:
            raise iotkm.WrongStateError("the hub is closed: use it as `async with`")

    async def _resolve(self, address: Address) -> bytes:
        flags = socket.AI_V4MAPPED if self._family == socket.AF_INET6 else 0
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*address, family=self._family, type=socket.SOCK_DGRAM, flags=flags)
        return encode(found[0][4])

    async def _in_writer(self, call: Callable[..., _T], *arguments: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, call, *arguments)

    async def _written(self) -> None:
        """Writes that are under way have ended."""
        while self._writes:
            await asyncio.gather(*self._writes, return_exceptions=True)

    def _send(self, to: bytes, data: bytes) -> None:
        assert self._transport is not None
        try:
            self._transport.sendto(data, decode(to))
        except OSError as error:
            _log.warning("cannot send: %s", error)  # as if it was lost

    def _input(self, data: bytes, source: tuple[Any, ...]) -> None:
        if self._closed:
            return
        try:
            received = self._hub.handle_input(encode(source), data)
        except IotkmError as error:
            _log.warning("a datagram was not taken in: %s", error)
            received = None
        if received is not None:
            self._received(*received)
        self._pump()

    def _pump(self) -> None:
        """Sends, stores and tells what there is, then sleeps until the next timer."""
        if not self._closed:
            self._before()
        while not self._closed:
            association, output = self._hub.poll()
            match output:
                case Datagram(to, data):
                    self._send(to, data)
                case Persist(slot, _, data):
                    self._start_write(association, slot, data)
                case Event():
                    self._event(association, output)
                case Idle(wake_at):
                    self._sleep(wake_at)
                    return

    def _sleep(self, wake_at: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            delay = max(0, wake_at - self.platform.now()) / 1000
            self._timer = asyncio.get_running_loop().call_later(delay, self._timeout)

    def _timeout(self) -> None:
        try:
            self._hub.handle_timeout()
        except IotkmError as error:
            _log.warning("a timer could not do its work: %s", error)
        self._pump()

    def _start_write(self, association: iotkm.Association | None, slot: int, data: bytes) -> None:
        task = asyncio.get_running_loop().create_task(self._write(association, slot, data))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)

    async def _write(self, association: iotkm.Association | None, slot: int, data: bytes) -> None:
        try:
            await self._in_writer(self.storage.write, slot, data)
            stored = True
        except Exception as error:
            again = "" if association is None else ", will be tried again"
            _log.error("slot %d cannot be stored%s: %s", slot, again, error)
            stored = False
        if association is not None:
            association.persisted(slot, stored)
            self._pump()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, hub: Driver) -> None:
        self._hub = hub

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._hub._input(data, addr)

    def error_received(self, exc: Exception) -> None:
        _log.debug("the network says: %s", exc)  # an ICMP message proves nothing

    def pause_writing(self) -> None:
        self._hub._writable.clear()

    def resume_writing(self) -> None:
        self._hub._writable.set()
