"""The operator's day over associations: next tickets or credentials and revocation lists go to devices, and come to be in
their storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from iotkm import (
    Acknowledged,
    BadArgumentError,
    Credential,
    CredentialAnswer,
    CredentialAsked,
    CredentialDue,
    Established,
    Event,
    IotkmError,
    Operator,
    Received,
    Refusal,
    Resumed,
    RevocationList,
    Ticket,
    TicketRefusedError,
    TooLongError,
    write_ticket_message,
)
from iotkm.aio._said import name, read

if TYPE_CHECKING:
    from iotkm.aio._hub import Hub
    from iotkm.aio._peer import Peer

_log = logging.getLogger("iotkm.aio")

_LONGEST = 32.0
"""What was not acknowledged is sent again after `again` seconds, then twice that and so on, at most this many times it."""
_OTHERS = -207
"""`TicketRefusedError.code` for what is about another device."""
_SELDOM = 3600.0
"""Seconds after which a device may ask with another request: it has lost what it asked with."""


class Distributor:
    """The operator's side. It asks the agent for the next ticket before the one that a device holds ends, and sends what
    waits for a device whenever there is a session with it, until the device says that it is stored. A device that is away
    gets it when it comes up. To be used as ``async with``, inside the hub's; one of them for a hub.

    With credentials (`answer` in place of `issue`) it tells the device to ask, where that has not asked by itself, and answers:
    the same request the same, another one of the same device at most once an hour.

    The associations may be of any scheme, and may carry the application's messages as well: those that are none of
    section *Messages* of the tickets' page reach the application as ever.

    Args:
        hub: its peers' ids are the devices' names.
        operator: what is known of the devices. Say `Operator.knows` for each ticket or credential that there is.
        issue: asks the agent for a device's next ticket, which it returns verified: `Authority.renew`, a message to an agent
            elsewhere. What it raises is logged, and it is asked again (`Operator`'s ``retry``).
        answer: answers a device's request: the credential, and the ANSWER with it, of `OperatorKey.issue`. Before it returns, both
            and the request are stored, and to the same request it returns the same again: `Authority.answer` does. What it
            raises is logged; `TicketRefusedError` is told the device.
        now: seconds since 1970.
        again: seconds after which a device that says nothing is sent the same again; each time twice as many, up to 32
            times.
    """

    def __init__(
        self,
        hub: "Hub",
        operator: Operator,
        issue: Callable[[str], Awaitable[Ticket]] | None = None,
        *,
        now: Callable[[], float],
        again: float = 2.0,
        answer: Callable[[str, bytes], Awaitable[tuple[Credential, bytes]]] | None = None,
    ) -> None:
        if (issue is None) == (answer is None):
            raise BadArgumentError("either issue, for devices with tickets, or answer, for devices with credentials")
        self._hub, self._operator, self._issue, self._now, self._again = hub, operator, issue, now, again
        self._answer = answer
        self._waiting: dict[str, tuple[Ticket | Credential, bytes]] = {}
        self._due: set[str] = set()
        self._asked: dict[str, tuple[bytes, float]] = {}
        self._answering: dict[str, asyncio.Task[None]] = {}
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
        tasks = [task for task in (self._asking, *self._pushing.values(), *self._answering.values()) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def waiting(self) -> dict[str, Ticket | Credential]:
        """The tickets and credentials that wait for their devices, by the device's name."""
        return {device: one for device, (one, _) in self._waiting.items()}

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
        self._give(ticket, write_ticket_message(ticket))

    def _give(self, one: Ticket | Credential, message: bytes) -> None:
        self._operator.issued(one)
        self._waiting[one.device] = one, message
        self._push_to(one.device)

    def revoke(self, revoked: RevocationList) -> None:
        """The newest revocation list, verified: every device gets it. One that is not newer than the last is ignored. A
        list that is too long for a datagram of the hub's ``mtu`` reaches nobody: `refused` says so.
        """
        if self._list is None or revoked.number > self._list.number:
            self._list = revoked
            self._push_to_all()

    async def _ask(self) -> None:
        """Asks for every ticket that is due, has devices ask for their credentials, then sleeps until the next one is due."""
        while True:
            while (device := self._operator.ask(int(self._now()))) is not None:
                if self._issue is None:
                    self._due.add(device)
                    self._push_to(device)
                    continue
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
            self._refused.pop(name(peer), None)
            self._push_to(name(peer))

    def _push_to_all(self) -> None:
        for peer in self._hub:
            self._push_to(name(peer))

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
        if device in self._waiting:
            messages.append(self._waiting[device][1])
        elif device in self._due and device not in self._answering:
            messages.append(write_ticket_message(CredentialDue()))
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
        device = name(peer)
        match read(received):
            case Acknowledged() as said:
                self._operator.handle(device, received.payload)
                if device in self._waiting and self._waiting[device][0].reference == said.ticket:
                    del self._waiting[device]
                self._has_list[device] = max(self._has_list.get(device, 0), said.list_number)
                self._push_to(device)
                self.wake()
                return True
            case Refusal(code):
                self._give_up(device, code)
                self._push_to(device)
                return True
            case CredentialAsked(request) if self._answer is not None:
                self._start_answer(peer, device, request)
                return True
        return False

    def _start_answer(self, peer: "Peer", device: str, request: bytes) -> None:
        before, at = self._asked.get(device, (request, -_SELDOM))
        if device in self._answering or (before != request and self._now() < at + _SELDOM):
            _log.info("%s asks too often", device)
            return
        # Its name stands in front, behind its length.
        if request[:1] != bytes([len(device.encode())]) or request[1 : 1 + request[0]] != device.encode():
            _log.error("%s asks for a credential of another name", device)
            self._answering[device] = asyncio.create_task(self._refuse(peer, device, _OTHERS))
            return
        if before != request or device not in self._asked:
            self._asked[device] = request, self._now()
        self._answering[device] = asyncio.create_task(self._reply(peer, device, request))

    async def _reply(self, peer: "Peer", device: str, request: bytes) -> None:
        assert self._answer is not None
        try:
            credential, answer = await self._answer(device, request)
            self._due.discard(device)
            self._give(credential, write_ticket_message(CredentialAnswer(answer)))
        except TicketRefusedError as refused:
            _log.error("%s gets no credential: %s", device, refused)
            await self._refuse(peer, device, refused.code)
        except Exception as error:
            _log.error("no next credential for %s: %s", device, error)
        finally:
            self._answering.pop(device, None)

    async def _refuse(self, peer: "Peer", device: str, code: int) -> None:
        try:
            await peer.send(write_ticket_message(Refusal(code)))
        except IotkmError as error:
            _log.info("%s: %s", device, error)
        finally:
            self._answering.pop(device, None)

    def _give_up(self, device: str, code: int) -> None:
        _log.error("%s cannot take what it was sent: %d", device, code)
        if (message := self._sent.pop(device, None)) is not None:
            self._refused.setdefault(device, {})[message] = code
