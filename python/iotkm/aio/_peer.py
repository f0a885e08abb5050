"""One known device, and those who wait for what happens to it."""

import asyncio
import ipaddress
import logging
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import iotkm
from iotkm import (
    Assurance,
    CredentialPeerInfo,
    Established,
    Event,
    Failed,
    Hint,
    History,
    Interactive,
    IotkmError,
    KeyReplaced,
    Noninteractive,
    Paired,
    PeerAlive,
    PeerInfo,
    Reason,
    Received,
    Resumed,
    Stage,
    TicketPeerInfo,
    UpdateFailed,
)

if TYPE_CHECKING:
    from iotkm.aio import _hub

Address = tuple[str, int]
"""Host name or IP address, and UDP port."""

_log = logging.getLogger("iotkm.aio")

_RESUME = 8.0
"""Seconds that a stored session is given to go on before an exchange."""
_QUEUE = 1024
"""Messages that wait for the application, each peer; then the oldest go."""


class FailedError(IotkmError, ConnectionError):
    """A run ended without its goal; `stage` says which and `reason` why."""

    code = -114

    def __init__(self, stage: Stage, reason: Reason) -> None:
        super().__init__(f"{stage} failed: {_WHY.get(reason, reason)}")
        self.stage = stage
        self.reason = reason


_WHY = {
    Reason.NO_ANSWER: "no answer; is the peer on, the address right, and does it still know this device?",
    Reason.PAIR_AGAIN: "the peer has moved on to a newer key (this state is an old copy): pair again",
    Reason.UNKNOWN: "the peer does not have what was named",
    Reason.SUPERSEDED: "the other side's run went first",
    Reason.WRONG_SECRET: "the secret is not the same on both sides",
    Reason.LOCKED: "too many failed attempts: ask the user, then unlock",
    Reason.NO_RECORD: "the log holds no record that can be used: exchange messages first",
    Reason.CANCELLED: "it was cancelled",
    Reason.RESOURCE: "randomness or storage failed",
    Reason.NO_SUITE: "no suite in common",
    Reason.CREDENTIAL: "a ticket or a credential is not accepted, or is over",
    Reason.PSK: "one side has a psk for the other, which has none",
}


def encode(address: tuple[Any, ...]) -> bytes:
    """A socket address as the core's opaque bytes."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    port = struct.pack("!H", address[1])
    return ip.packed + port + (struct.pack("!I", address[3]) if ip.version == 6 else b"")


def decode(address: bytes) -> tuple[Any, ...]:
    if len(address) == 6:
        return socket.inet_ntop(socket.AF_INET, address[:4]), struct.unpack("!H", address[4:])[0]
    port, scope = struct.unpack("!HI", address[16:])
    return socket.inet_ntop(socket.AF_INET6, address[:16]), port, 0, scope


class Waiters:
    """Those who wait for an event: each looks at every event until it has its answer."""

    def __init__(self) -> None:
        self._all: list[tuple[asyncio.Future[Event], Callable[[Event], Event | IotkmError | None]]] = []

    def add(self, look: Callable[[Event], Event | IotkmError | None]) -> "asyncio.Future[Event]":
        future: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._all.append((future, look))
        return future

    def tell(self, event: Event) -> None:
        for future, look in self._all:
            answer = None if future.done() else look(event)
            if isinstance(answer, IotkmError):
                future.set_exception(answer)
            elif answer is not None:
                future.set_result(answer)
        self._all = [(future, look) for future, look in self._all if not future.done()]

    def end(self) -> None:
        for future, _ in self._all:
            if not future.done():
                future.set_exception(iotkm.WrongStateError("the hub was closed, or the peer forgotten"))
        self._all.clear()

    def __bool__(self) -> bool:
        return any(not future.done() for future, _ in self._all)


class Peer:
    """A device that was paired, or that has a ticket or a credential. `async for` over it gives its messages (`Received`) as
    they come, until the hub is closed."""

    def __init__(self, hub: "_hub.Hub", association: History | Interactive | Noninteractive) -> None:
        self._hub = hub
        self._association = association
        self._waiters = Waiters()
        self._messages: deque[Received] = deque(maxlen=_QUEUE)
        self._arrived = asyncio.Event()
        self.missed = 0
        """Messages that nobody took in time."""

    @property
    def id(self) -> bytes:
        """The peer's id; of one with a ticket or a credential its name in UTF-8, empty while nobody has come."""
        id = self._association.peer.id
        return id if isinstance(id, bytes) else (id or "").encode()

    @property
    def info(self) -> PeerInfo:
        """What may be shown of a paired device."""
        return self.history.peer

    @property
    def ticket_info(self) -> TicketPeerInfo:
        """What may be shown of a device with a ticket."""
        return self.interactive.peer

    @property
    def credential_info(self) -> CredentialPeerInfo:
        """What may be shown of a device with a credential."""
        return self.noninteractive.peer

    @property
    def _slot(self) -> int:
        return self._association.peer.slot

    @property
    def association(self) -> History | Interactive | Noninteractive:
        """The association: for its exporter, fingerprint and drop counters."""
        return self._association

    @property
    def history(self) -> History:
        """The association of a paired device."""
        if not isinstance(self._association, History):
            raise iotkm.WrongStateError("this device was not paired: it has a ticket or a credential")
        return self._association

    @property
    def interactive(self) -> Interactive:
        """The association of a device with a ticket."""
        if not isinstance(self._association, Interactive):
            raise iotkm.WrongStateError("this device has no ticket: it was paired, or has a credential")
        return self._association

    @property
    def noninteractive(self) -> Noninteractive:
        """The association of a device with a credential."""
        if not isinstance(self._association, Noninteractive):
            raise iotkm.WrongStateError("this device has no credential: it was paired, or has a ticket")
        return self._association

    @property
    def is_established(self) -> bool:
        """Whether there is a session to send on."""
        return self._association.is_established

    @property
    def fingerprint(self) -> str | None:
        """The session's fingerprint, the same on both sides."""
        return self._association.fingerprint

    @property
    def assurance(self) -> Assurance | None:
        """The session's standing."""
        return self._association.assurance

    @property
    def address(self) -> Address | None:
        """Where the peer was last."""
        address = self._association.peer_addr
        return None if address is None else decode(address)[:2]

    async def connect(self, address: Address | None = None) -> str:
        """Comes to a new session with the peer at this address (``None``: where it was last); its fingerprint.

        While a stored session is being resumed, that is waited for; an exchange follows only where it fails. Give it a
        limit with `asyncio.timeout`: by default the peer is called for about three minutes.

        Raises:
            FailedError: the peer does not answer, or this state is too old.
            WrongStateError: another `connect` is under way, or the address is not known.
            OSError: the name cannot be resolved.
        """
        to = await self._hub._resolve(address) if address is not None else self._association.peer_addr
        self._hub._check_open()
        if self._slot in self._hub._resuming:
            try:
                async with asyncio.timeout(_RESUME):
                    await self._waiters.add(_resumed)
                return self.fingerprint or ""
            except (FailedError, TimeoutError):
                _log.info("%r: the stored session cannot go on; a new exchange", self)
                self._hub._resuming.discard(self._slot)
                self._association.wipe()
        if to is None:
            raise iotkm.WrongStateError("the peer's address is not known yet: give one")
        address_of_peer = to
        await self._until(_established, lambda: self._association.connect(address_of_peer))
        return self.fingerprint or ""

    async def established(self) -> str:
        """Waits until there is a session, whoever starts it; its fingerprint."""
        if not self.is_established:
            await self._waiters.add(lambda event: event if isinstance(event, Established | Resumed) else None)
        return self.fingerprint or ""

    async def send(self, payload: bytes) -> None:
        """Sends a message. Like any datagram it may be lost, repeated or overtaken, but never be read or forged.

        Raises:
            NotEstablishedError: there is no session.
            TooLongError: it does not fit a datagram; `max` says what does.
        """
        self._hub._check_open()
        await self._hub._writable.wait()
        datagram = self._association.send(payload)
        self._hub._send(datagram.to, datagram.data)
        self._hub._pump()

    async def update(self) -> int:
        """Replaces the long-term key by one from the log of what was said; its generation. The session ends, and another
        one begins under the new key.

        Raises:
            NotEstablishedError, NoRecordError, WrongStateError: as `History.update`.
            FailedError: the peer does not answer, or does not have the record.
        """
        event = await self._until(_replaced, lambda: self.history.update())
        return event.generation if isinstance(event, KeyReplaced) else 0

    async def ping(self, address: Address | None = None) -> None:
        """Asks whether the device with a ticket is there and has the common key.

        Raises:
            FailedError: it does not answer.
            NotEstablishedError: there is no common key yet.
            WrongStateError: it was paired; the address is not known; another `ping` is out.
        """
        to = await self._hub._resolve(address) if address is not None else self._association.peer_addr
        if to is None:
            raise iotkm.WrongStateError("the peer's address is not known yet: give one")
        await self._until(_alive, lambda: self.interactive.ping(to))

    async def _until(self, look: Callable[[Event], Event | IotkmError | None], begin: Callable[[], None]) -> Event:
        self._hub._check_open()
        done = self._waiters.add(look)
        try:
            begin()
            self._hub._pump()
            return await done
        finally:
            done.cancel()

    async def close(self) -> None:
        """Ends the session; the peer is told."""
        self._association.close()
        self._hub._pump()

    def __aiter__(self) -> AsyncIterator[Received]:
        return self

    async def __anext__(self) -> Received:
        while not self._messages:
            if self._hub._closed:
                raise StopAsyncIteration
            self._arrived.clear()
            await self._arrived.wait()
        return self._messages.popleft()

    def _take(self, message: Received) -> None:
        if len(self._messages) == _QUEUE:
            self.missed += 1
        self._messages.append(message)
        self._arrived.set()

    def _end(self) -> None:
        self._waiters.end()
        self._arrived.set()

    def __repr__(self) -> str:
        return f"<Peer {self._association!r}>"


def _established(event: Event) -> Event | IotkmError | None:
    match event:
        case Established():
            return event
        case Failed((Stage.EXCHANGE | Stage.AUTHENTICATION) as stage, reason):
            return FailedError(stage, reason)
    return None


def _resumed(event: Event) -> Event | IotkmError | None:
    match event:
        case Established() | Resumed():
            return event
        case Failed(Stage.RESUME as stage, reason):
            return FailedError(stage, reason)
    return None


def _alive(event: Event) -> Event | IotkmError | None:
    match event:
        case PeerAlive():
            return event
        case Failed(Stage.PING as stage, reason):
            return FailedError(stage, reason)
    return None


def _replaced(event: Event) -> Event | IotkmError | None:
    match event:
        case KeyReplaced():
            return event
        case UpdateFailed(reason):
            return FailedError(Stage.UPDATE, reason)
        case Failed(stage, reason):
            return FailedError(stage, reason)
    return None


def paired() -> Callable[[Event], Event | IotkmError | None]:
    """Looks for the end of a pairing. A hint that nobody vouches for ends nothing, but says why nothing came of it."""
    hinted: Reason | None = None

    def look(event: Event) -> Event | IotkmError | None:
        nonlocal hinted
        match event:
            case Paired():
                return event
            case Hint(reason):
                hinted = reason
            case Failed(Stage.PAIRING, Reason.WRONG_SECRET):
                hinted = Reason.WRONG_SECRET  # one attempt; the window stays open
            case Failed(Stage.PAIRING as stage, Reason.NO_ANSWER):
                return FailedError(stage, hinted or Reason.NO_ANSWER)
            case Failed(Stage.PAIRING as stage, reason):
                return FailedError(stage, reason)
        return None

    return look
