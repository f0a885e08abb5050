"""The device's day: what its operator sends comes to be in its storage; its next credential it asks for."""

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from iotkm import (
    CredentialAnswer,
    CredentialDue,
    Established,
    Event,
    Holder,
    IotkmError,
    Received,
    Refusal,
    Resumed,
    RevocationList,
    Ticket,
    TicketRefusedError,
    Wallet,
    write_ticket_message,
)
from iotkm.aio._said import name, read

if TYPE_CHECKING:
    from iotkm.aio._hub import Hub
    from iotkm.aio._peer import Peer

_log = logging.getLogger("iotkm.aio")

_LONGEST = 32.0
"""A request goes out again after `again` seconds, then twice that and so on, at most this many times it."""
_WEEK = 7 * 86_400.0
_LOOK = 3600.0
"""Seconds after which the clock is looked at again: it may be set."""


class Receiver:
    """The device's side: takes in what its operator sends (its next ticket or credential, the newest revocation list), stores
    it, says so, and has the hub act on it: `Hub.recheck`, `Hub.install`. What cannot be stored is not acknowledged, so it will
    come again. To be used as ``async with``, inside the hub's.

    A credential it asks for itself, a part of the key being the device's: in time, or when the operator says so, and again
    until there is an answer, also after a restart.

    Args:
        hub: with this device's wallet or holder, which it stores; for the next credential it has to have `key_slots` too.
        wallet: the device's wallet, or its holder.
        operator: the operator's id among the hub's peers.
        now: seconds since 1970, for a device with a holder that has a clock; others ask when the operator says so.
        lead: how many seconds before its end the next credential is asked for; never in the first half of its life.
        again: seconds after which a request without an answer goes out again; each time twice as many, up to 32 times.
    """

    def __init__(
        self,
        hub: "Hub",
        wallet: Wallet | Holder,
        operator: str,
        *,
        now: Callable[[], float] | None = None,
        lead: float = _WEEK,
        again: float = 2.0,
    ) -> None:
        self._hub, self._held, self._operator = hub, wallet, operator
        self._now, self._lead, self._again = now, lead, again
        self._asks = isinstance(wallet, Holder) and hub._private is not None
        asked = CredentialAnswer | CredentialDue | Refusal
        own = Ticket if isinstance(wallet, Wallet) else asked if self._asks else RevocationList
        self._takes = own | RevocationList
        self._work: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()
        self._asking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._hub._takers.append(self._take)
        if self._asks and isinstance(self._held, Holder):
            self._hub._listeners.append(self._event)
            self._asking = asyncio.create_task(self._ask(self._held))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._takers.remove(self._take)
        if self._asking is not None:
            self._hub._listeners.remove(self._event)
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)

    def wake(self) -> None:
        """The clock was set."""
        self._changed.set()

    # ---- the next credential ----

    async def _ask(self, holder: Holder) -> None:
        """Asks for the next credential when it is time, and goes on with what was asked before a restart."""
        wait = self._again
        while True:
            self._changed.clear()
            delay: float | None = None
            if not holder.is_asking and self._now is not None:
                delay = holder.due_at(int(self._lead)) - self._now()
                if delay <= 0:
                    self._begin(holder)
            if holder.is_asking:
                await self._say_request(holder)
                delay, wait = wait, min(2 * wait, _LONGEST * self._again)
            else:
                delay, wait = None if delay is None else min(max(delay, 0.1), _LOOK), self._again
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
                wait = self._again
            except TimeoutError:
                pass

    def _begin(self, holder: Holder) -> None:
        try:
            holder.ask()
        except IotkmError as error:
            _log.error("the next credential cannot be asked for: %s", error)

    async def _say_request(self, holder: Holder) -> None:
        try:
            peer = self._hub.peer(self._operator)
        except KeyError:
            return
        if not peer.is_established:
            return
        try:
            await self._hub._kept.store()
        except Exception as error:
            _log.error("the request for the next credential waits: it cannot be stored: %s", error)
            return
        if (request := holder.request()) is not None:
            await self._say(peer, request)

    def _event(self, peer: "Peer", event: Event) -> None:
        if name(peer) == self._operator and isinstance(event, Established | Resumed):
            self._changed.set()

    # ---- what comes ----

    def _take(self, peer: "Peer", received: Received) -> bool:
        said = read(received)
        if name(peer) != self._operator or not isinstance(said, self._takes):
            return False
        if isinstance(said, CredentialDue):
            assert isinstance(self._held, Holder)
            if not self._held.is_asking:
                self._begin(self._held)
                self._changed.set()
            return True
        if isinstance(said, Refusal):
            _log.error("the operator refuses this device's request for a credential: %d", said.code)
            return True
        task = asyncio.create_task(self._accept(peer, received.payload))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return True

    async def _accept(self, peer: "Peer", message: bytes) -> None:
        async with self._order:
            try:
                told = self._held.handle(message)
                if isinstance(told, tuple):
                    await self._hub.install(*told)
                    self._changed.set()
                else:
                    await self._hub._kept.store()
            except TicketRefusedError as refused:
                _log.error("what the operator sent is not taken: %s", refused)
                await self._say(peer, write_ticket_message(Refusal(refused.code)))
                return
            except Exception as error:
                _log.error("that cannot be stored, the operator will send it again: %s", error)
                return
            answer = self._held.acknowledgement()
            if told and answer is not None:
                await self._say(peer, answer)
            if told is True:
                await self._hub.recheck()

    async def _say(self, peer: "Peer", message: bytes) -> None:
        try:
            await peer.send(message)
        except IotkmError as error:
            _log.info("%s: %s", self._operator, error)  # what is not acknowledged comes again
