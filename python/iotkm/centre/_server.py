"""A centre on a UDP socket."""

import asyncio
import logging
import socket
import sys
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import lru_cache
from types import TracebackType
from typing import Any, Self

from iotkm._errors import IotkmError, StoreError
from iotkm._iotkm import Platform, Served
from iotkm._outputs import CentreEvent, Datagram, Event, Handled, Idle, Received, Terminated
from iotkm.aio._peer import Address, decode, encode
from iotkm.centre._center import AuthCenter

_log = logging.getLogger(__name__)

_CID = 4
_RECORD = 0x08
_RESUME = (4, 5, 6)
_TICK = 1.0
_BURST = 256
_LONGEST = 2048
_BUFFER = 8 << 20
# What the system grants; then, where we may (Linux, root), more.
_BUFFERS = (socket.SO_RCVBUF, 33) if sys.platform == "linux" else (socket.SO_RCVBUF,)
_encode, _decode = lru_cache(8192)(encode), lru_cache(8192)(decode)


class _Session:
    def __init__(self, served: Served, cid: bytes) -> None:
        self.served, self.cid = served, cid
        self.id = served.id
        self.wake_at: int | None = None
        self.before: bytes | None = None  # the one that it takes the place of once the device is heard in it


class Server:
    """Answers devices on a UDP socket: those that come together, with one commit before any answer leaves. Sessions that they
    start are held here, as many as there is room for; a new one takes the place of that device's last as soon as the device is
    heard in it, and of the one that said nothing for the longest time. Revoking or forgetting a device ends them.

    The work is done in a thread of its own. Callbacks are called in the loop's; one that raises is logged, and ends nothing.

        async with Server(centre, platform, bind=("0.0.0.0", 5683), on_event=print) as server:
            await asyncio.Event().wait()
    """

    def __init__(
        self,
        centre: AuthCenter,
        platform: Platform,
        *,
        bind: Address = ("0.0.0.0", 5683),
        on_event: Callable[[bytes, CentreEvent], None] | None = None,
        on_message: Callable[[bytes, Received], None] | None = None,
        on_trouble: Callable[[IotkmError], None] | None = None,
        batch: int = 256,
        queue: int = 8192,
        sessions: int = 10_000,
    ) -> None:
        """Made, it does nothing before ``async with``.

        Args:
            centre: what answers.
            platform: the same one, for sessions.
            bind: address and port to receive on; port 0: any.
            on_event: is told what happened to a device.
            on_message: is given what devices send in their sessions.
            on_trouble: is told of a database or a keystore that fails: nothing is answered then, and devices ask again.
            batch: how many datagrams one commit is for, at most.
            queue: how many wait, at most; what comes beyond that is lost, as on a line.
            sessions: how many are held, at most.
        """
        self.centre, self.platform = centre, platform
        self._bind, self._batch, self._most, self._room = bind, batch, queue, sessions
        self._on_event, self._on_message, self._on_trouble = on_event, on_message, on_trouble
        self._queue: list[tuple[bytes, bytes]] = []
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()  # by connection id, the quietest first
        self._by_id: dict[bytes, bytes] = {}
        self._worker = ThreadPoolExecutor(1, "iotkm-centre")
        self._working: asyncio.Task[None] | None = None
        self._ticking: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self.lost = 0
        """Datagrams for which there was no room."""
        self.counts = Counts()
        """What was done."""

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(*self._bind, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in _BUFFERS:
                with suppress(OSError):
                    self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            try:
                self._socket.bind(address)
            except OSError as error:
                raise OSError(error.errno, f"{error.strerror}: {self._bind[0]}:{self._bind[1]}, over UDP") from None
            try:
                loop.add_reader(self._socket, self._readable)
            except NotImplementedError:  # Windows
                self._transport, _ = await loop.create_datagram_endpoint(lambda: _Protocol(self), sock=self._socket)
        except BaseException:
            self._socket.close()
            raise
        self._ticking = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Answers what has come, and ends."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
        if self._socket is not None:
            if self._transport is None:
                asyncio.get_running_loop().remove_reader(self._socket)
            while self._working is not None:
                await self._working
            if self._transport is not None:
                self._transport.close()
            else:
                self._socket.close()
            self._socket = self._transport = None
        self._worker.shutdown()

    @property
    def address(self) -> Address:
        """Where it receives."""
        assert self._socket is not None, "use it in async with"
        address: tuple[Any, ...] = self._socket.getsockname()
        return address[:2]

    @property
    def sessions(self) -> list[bytes]:
        """The ids of the devices that have a session."""
        return list(self._by_id)

    async def send(self, id: bytes, payload: bytes) -> None:
        """Sends a message to a device that has a session.

        Raises:
            KeyError: it has none.
            NotEstablishedError: it has ended.
            TooLongError: it does not fit a datagram.
        """
        session = self._sessions[self._by_id[id]]

        def work() -> list[Datagram]:
            sent = session.served.send(payload)
            return [sent, *self._drain(session)[0]]

        self._send(await self.work(work))

    async def work(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Calls this in the thread that answers, in turn with what devices say."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)

    def _readable(self) -> None:
        assert self._socket is not None
        for _ in range(_BURST):
            try:
                data, source = self._socket.recvfrom(_LONGEST)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error: as a lost datagram
                continue
            self._input(data, source)

    def _input(self, data: bytes, source: tuple[Any, ...]) -> None:
        if len(self._queue) >= self._most:
            self.lost += 1
            return
        self.counts.datagrams += 1
        self._queue.append((_encode(source), data))
        if self._working is None:
            self._working = asyncio.create_task(self._work())

    async def _work(self) -> None:
        try:
            while self._queue:
                some, self._queue = self._queue[: self._batch], self._queue[self._batch :]
                self._settle(await self.work(self._handle, some))
        finally:
            self._working = None

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK)
            self._settle(await self.work(self._timeouts))

    # ---- in the worker ----

    def _handle(self, datagrams: Sequence[tuple[bytes, bytes]]) -> "_Outcome":
        outcome = _Outcome()
        self._end_over()
        asking = []
        for source, data in datagrams:
            cid = _cid_of(data)
            if cid is None:
                asking.append((source, data))
            elif (session := self._sessions.get(cid)) is not None:
                self._sessions.move_to_end(cid)
                self._hear(session, source, data, outcome)
        if not asking:
            return outcome
        before = time.perf_counter()
        try:
            handled = self.centre.handle_inputs(asking)
        except StoreError as error:
            outcome.trouble.append(error)
            return outcome
        finally:
            self.counts.batches += 1
            self.counts.asked += len(asking)
            self.counts.seconds += time.perf_counter() - before
        for (source, _), one in zip(asking, handled, strict=True):
            if one.error is not None:
                outcome.trouble.append(one.error)
            if one.id is not None and one.event is not None:
                outcome.events.append((one.id, one.event))
            with outcome.apart():
                self._answer(source, one, outcome)
        return outcome

    def _answer(self, source: bytes, one: Handled, outcome: "_Outcome") -> None:
        if one.id is not None and one.event in (CentreEvent.REVOKED, CentreEvent.KILLED):
            self._end(one.id)
        sent = [] if one.reply is None else [Datagram(source, one.reply)]
        if one.session is not None:
            session = _Session(Served(self.platform, one.session), one.session.cid)
            try:
                sent += self._drain(session)[0]
            except BaseException:
                session.served.wipe()
                raise
            session.before = self._heard_last(session.id)
            while len(self._sessions) >= self._room:
                self._drop(next(iter(self._sessions.values())))
            self._sessions[session.cid] = session
            self._by_id[session.id] = session.cid
        outcome.sent += sent

    def _heard_last(self, id: bytes) -> bytes | None:
        """The session that this device was heard in last, if it has one. Of a later one its answer may have been lost."""
        last = self._sessions.get(self._by_id.get(id, b""))
        if last is None or last.before is None:
            return last.cid if last else None
        self._drop(last)
        return self._by_id.get(id)

    def _hear(self, session: _Session, source: bytes, data: bytes, outcome: "_Outcome") -> None:
        with outcome.apart():
            received = session.served.handle_input(source, data)
            if received is not None:
                outcome.messages.append((session.id, received))
                before, session.before = self._sessions.get(session.before or b""), None
                if before is not None:
                    self._drop(before)
            self._settled(session, outcome)

    def _timeouts(self) -> "_Outcome":
        self._end_over()
        outcome, now = _Outcome(), self.platform.now()
        for session in list(self._sessions.values()):
            if session.wake_at is not None and session.wake_at <= now:
                with outcome.apart():
                    session.served.handle_timeout()
                    self._settled(session, outcome)
        return outcome

    def _settled(self, session: _Session, outcome: "_Outcome") -> None:
        sent, events = self._drain(session)
        outcome.sent += sent
        if any(isinstance(event, Terminated) for event in events):
            self._drop(session)

    def _drain(self, session: _Session) -> tuple[list[Datagram], list[Event]]:
        sent: list[Datagram] = []
        events: list[Event] = []
        while True:
            output = session.served.poll()
            if isinstance(output, Idle):
                session.wake_at = output.wake_at
                return sent, events
            if isinstance(output, Datagram):
                sent.append(output)
            elif isinstance(output, Event):
                events.append(output)

    def _end_over(self) -> None:
        for id in self.centre.over():
            self._end(id)

    def _end(self, id: bytes) -> None:
        """Drops every session of this device's."""
        while (session := self._sessions.get(self._by_id.get(id, b""))) is not None:
            self._drop(session)

    def _drop(self, session: _Session) -> None:
        del self._sessions[session.cid]
        session.served.wipe()
        if self._by_id.get(session.id) == session.cid:
            if session.before is not None and session.before in self._sessions:
                self._by_id[session.id] = session.before
            else:
                del self._by_id[session.id]

    # ---- in the loop ----

    def _settle(self, outcome: "_Outcome") -> None:
        self._send(outcome.sent)
        self.counts.events.update(event.value for _, event in outcome.events)
        self.counts.messages += len(outcome.messages)
        self.counts.troubles += len(outcome.trouble)
        for id, event in outcome.events:
            _tell(self._on_event, id, event)
        for id, message in outcome.messages:
            _tell(self._on_message, id, message)
        for error in outcome.trouble:
            if self._on_trouble is not None:
                _tell(self._on_trouble, error)
            else:
                _log.warning("nothing was answered: %s", error)

    def _send(self, datagrams: Sequence[Datagram]) -> None:
        assert self._socket is not None
        for datagram in datagrams:
            try:
                self._socket.sendto(datagram.data, _decode(datagram.to))
                self.counts.replies += 1
            except OSError as error:
                _log.debug("cannot send: %s", error)  # as if it was lost


class Counts:
    """What a server has done since it began."""

    def __init__(self) -> None:
        self.datagrams = 0
        """Received, and taken in."""
        self.replies = 0
        """Sent."""
        self.batches = 0
        """How often datagrams were answered together, with one commit."""
        self.asked = 0
        """Datagrams in them."""
        self.seconds = 0.0
        """What they took together, commits included."""
        self.messages = 0
        """Messages of sessions received."""
        self.troubles = 0
        """Failures of database, keystore or randomness."""
        self.events: Counter[str] = Counter()
        """What happened to devices, by the event."""


class _Outcome:
    def __init__(self) -> None:
        self.sent: list[Datagram] = []
        self.events: list[tuple[bytes, CentreEvent]] = []
        self.messages: list[tuple[bytes, Received]] = []
        self.trouble: list[IotkmError] = []

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What fails in here takes nothing else with it."""
        try:
            yield
        except IotkmError as error:
            self.trouble.append(error)
        except Exception:
            _log.exception("an answer failed")


def _tell(callback: Callable[..., None] | None, *what: Any) -> None:
    if callback is not None:
        try:
            callback(*what)
        except Exception:
            _log.exception("a callback failed")


def _cid_of(data: bytes) -> bytes | None:
    """The connection id that a record, or a message of a resume, is for."""
    if data[:1] and data[0] & _RECORD:
        return data[1 : 1 + _CID]
    if len(data) > 2 and data[0] & 7 == 0 and data[1] >> 4 in _RESUME:
        return data[2 : 2 + _CID]
    return None


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, server: Server) -> None:
        self._server = server

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._server._input(data, addr)

    def error_received(self, exc: Exception) -> None:
        """An ICMP error: as a lost datagram."""
