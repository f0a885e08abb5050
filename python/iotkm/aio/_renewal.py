"""The operator's day over associations: next tickets and revocation lists go to devices, and come to be in their storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from iotkm import (
    Acknowledged,
    Established,
    Event,
    Holder,
    IotkmError,
    Operator,
    Received,
    Refusal,
    Resumed,
    RevocationList,
    Ticket,
    TicketRefusedError,
    TooLongError,
    Wallet,
    read_ticket_message,
    write_ticket_message,
)

if TYPE_CHECKING:
    from iotkm.aio._hub import Hub
    from iotkm.aio._peer import Peer

_log = logging.getLogger("iotkm.aio")

_LONGEST = 32.0
"""What was not acknowledged is sent again after `again` seconds, then twice that and so on, at most this many times it."""


class Distributor:
    """The operator's side. It asks the agent for the next ticket before the one that a device holds ends, and sends what
    waits for a device whenever there is a session with it, until the device says that it is stored. A device that is away
    gets it when it comes up. To be used as ``async with``, inside the hub's.

    The associations may be of any scheme, and may carry the application's messages as well: those that are none of
    section *Messages* of the tickets' page reach the application as ever.

    Args:
        hub: its peers' ids are the devices' names.
        operator: what is known of the devices. Say `Operator.knows` for each ticket that there is.
        issue: asks the agent for a device's next ticket, which it returns verified: `Authority.renew`, a message to an agent
            elsewhere. What it raises is logged, and it is asked again (`Operator`'s ``retry``).
        now: seconds since 1970.
        again: seconds after which a device that says nothing is sent the same again; each time twice as many, up to 32
            times.
    """

    def __init__(
        self,
        hub: "Hub",
        operator: Operator,
        issue: Callable[[str], Awaitable[Ticket]],
        *,
        now: Callable[[], float],
        again: float = 2.0,
    ) -> None:
        self._hub, self._operator, self._issue, self._now, self._again = hub, operator, issue, now, again
        self._tickets: dict[str, Ticket] = {}
        self._list: RevocationList | None = None
        self._has_list: dict[str, int] = {}
        self._pushing: dict[str, asyncio.Task[None]] = {}
        self._asking: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self._sent: dict[str, bytes] = {}
        self._refused: dict[str, dict[bytes, int]] = {}

    async def __aenter__(self) -> Self:
        self._hub._listeners.append(self._event)
        self._hub._takers.append(self._take)
        self._asking = asyncio.create_task(self._ask())
        self._push_to_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._listeners.remove(self._event)
        self._hub._takers.remove(self._take)
        tasks = [task for task in (self._asking, *self._pushing.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> dict[str, Ticket]:
        """The tickets that wait for their devices, by the device's name."""
        return dict(self._tickets)

    @property
    def refused(self) -> dict[str, int]:
        """Devices that did not take something, and why: `TicketRefusedError.code`, or `TooLongError.code`. They are sent
        it again in their next session."""
        return {device: code for device, messages in self._refused.items() for code in messages.values()}

    def give(self, ticket: Ticket) -> None:
        """A verified ticket for a device that the operator knows, from wherever; it goes to the device as one asked for.

        Raises:
            BadArgumentError: there is no such device, or it has one that ends later.
        """
        self._operator.issued(ticket)
        self._tickets[ticket.device] = ticket
        self._push_to(ticket.device)

    def revoke(self, revoked: RevocationList) -> None:
        """The newest revocation list, verified: every device gets it. One that is not newer than the last is ignored. A
        list that is too long for a datagram of the hub's ``mtu`` reaches nobody: `refused` says so.
        """
        if self._list is None or revoked.number > self._list.number:
            self._list = revoked
            self._push_to_all()

    async def _ask(self) -> None:
        """Asks for every ticket that is due, then sleeps until the next one is."""
        while True:
            while (device := self._operator.ask(int(self._now()))) is not None:
                try:
                    self.give(await self._issue(device))
                except Exception as error:
                    _log.error("no next ticket for %s: %s", device, error)
            wake_at = self._operator.wake_at
            delay = None if wake_at is None else max(0.1, wake_at - self._now())
            self._changed.clear()
            try:
                async with asyncio.timeout(delay):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def wake(self) -> None:
        """The operator was told of more devices (`Operator.knows`), or the clock was set."""
        self._changed.set()

    # ---- to devices ----

    def _event(self, peer: "Peer", event: Event) -> None:
        if peer.is_established and isinstance(event, Established | Resumed):
            self._refused.pop(_name(peer), None)
            self._push_to(_name(peer))

    def _push_to_all(self) -> None:
        for peer in self._hub:
            self._push_to(_name(peer))

    def _push_to(self, device: str) -> None:
        """Starts sending to a device, or what is under way again from the start."""
        if (task := self._pushing.pop(device, None)) is not None:
            task.cancel()
        try:
            peer = self._hub.peer(device)
        except KeyError:
            return
        if peer.is_established and self._waits(device):
            self._pushing[device] = asyncio.create_task(self._push(peer, device))

    def _waits(self, device: str) -> list[bytes]:
        """The messages that a device lacks, the newest list first: it may be about others' tickets."""
        messages = []
        if self._list is not None and self._has_list.get(device, 0) < self._list.number:
            messages.append(write_ticket_message(self._list))
        if (ticket := self._tickets.get(device)) is not None:
            messages.append(write_ticket_message(ticket))
        refused = self._refused.get(device, {})
        return [message for message in messages if message not in refused]

    async def _push(self, peer: "Peer", device: str) -> None:
        wait = self._again
        while peer.is_established and (messages := self._waits(device)):
            # One at a time: what comes of the first starts this anew.
            self._sent[device] = messages[0]
            try:
                await peer.send(messages[0])
            except TooLongError as error:
                self._give_up(device, error.code)
                continue
            except IotkmError as error:
                _log.info("%s: %s", device, error)
            await asyncio.sleep(wait)
            wait = min(2 * wait, _LONGEST * self._again)

    def _take(self, peer: "Peer", received: Received) -> bool:
        device = _name(peer)
        match _read(received):
            case Acknowledged() as said:
                self._operator.handle(device, received.payload)
                if device in self._tickets and self._tickets[device].reference == said.ticket:
                    del self._tickets[device]
                self._has_list[device] = max(self._has_list.get(device, 0), said.list_number)
                self._push_to(device)
                self.wake()
                return True
            case Refusal(code):
                self._give_up(device, code)
                self._push_to(device)
                return True
        return False

    def _give_up(self, device: str, code: int) -> None:
        _log.error("%s cannot take what it was sent: %d", device, code)
        if (message := self._sent.pop(device, None)) is not None:
            self._refused.setdefault(device, {})[message] = code


class Receiver:
    """The device's side: takes in what its operator sends (its next ticket, the newest revocation list; with a holder the list
    alone: the next credential begins with a request of the device's), stores it, says so,
    and has the hub act on it: `Hub.recheck`. What cannot be stored is not acknowledged, so it will come again. To be used as
    ``async with``, inside the hub's.

    Args:
        hub: with this device's wallet or holder, which it stores.
        wallet: the device's wallet, or its holder.
        operator: the operator's id among the hub's peers.
    """

    def __init__(self, hub: "Hub", wallet: Wallet | Holder, operator: str) -> None:
        self._hub, self._held, self._operator = hub, wallet, operator
        self._takes = Ticket | RevocationList if isinstance(wallet, Wallet) else RevocationList
        self._work: set[asyncio.Task[None]] = set()
        self._order = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._hub._takers.append(self._take)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hub._takers.remove(self._take)
        while self._work:
            await asyncio.gather(*self._work, return_exceptions=True)

    def _take(self, peer: "Peer", received: Received) -> bool:
        if _name(peer) != self._operator or not isinstance(_read(received), self._takes):
            return False
        task = asyncio.create_task(self._accept(peer, received.payload))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return True

    async def _accept(self, peer: "Peer", message: bytes) -> None:
        async with self._order:
            try:
                due = self._handle(message)
            except TicketRefusedError as refused:
                _log.error("what the operator sent is not taken: %s", refused)
                await self._say(peer, write_ticket_message(Refusal(refused.code)))
                return
            try:
                await self._hub._kept.store()
            except Exception as error:
                _log.error("that cannot be stored, the operator will send it again: %s", error)
                return
            answer = self._acknowledgement()
            if due and answer is not None:
                await self._say(peer, answer)
            await self._hub.recheck()

    def _handle(self, message: bytes) -> bool:
        """Takes a message in; whether an acknowledgement is due."""
        if isinstance(self._held, Wallet):
            return self._held.handle(message)
        read = read_ticket_message(message)
        if isinstance(read, RevocationList):
            self._held.revoke(read)
        return isinstance(read, RevocationList)

    def _acknowledgement(self) -> bytes | None:
        if isinstance(self._held, Wallet):
            return self._held.acknowledgement()
        credential = self._held.credential
        if credential is None:
            return None
        return write_ticket_message(Acknowledged(credential.reference, self._held.list_number))

    async def _say(self, peer: "Peer", message: bytes) -> None:
        try:
            await peer.send(message)
        except IotkmError as error:
            _log.info("%s: %s", self._operator, error)  # what is not acknowledged comes again


def _name(peer: "Peer") -> str:
    return peer.id.decode(errors="replace")


def _read(received: Received) -> object:
    """What a payload is of the tickets' messages; ``None``: none of them."""
    try:
        return read_ticket_message(received.payload)
    except TicketRefusedError:
        return None
