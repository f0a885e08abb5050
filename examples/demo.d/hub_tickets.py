"""The hub of the demo's fleet: takes whoever its agent vouches for, brings devices what their operator has for them, and turns
away whose ticket was revoked.

    python hub_tickets.py FOLDER PORT

What its operator does comes as lines on standard input: ``provision NAME AGENT KEY``, ``ticket MESSAGE``, ``expect DEVICE
MESSAGE``, ``give MESSAGE``, ``close``; messages are in hexadecimal digits. At the end of input it ends.
"""

import asyncio
import contextlib
import secrets
import sys
import time

from lines import run, say, typed

from iotkm import (
    SUITE_4,
    Established,
    Event,
    Failed,
    KeyReplaced,
    Operator,
    Platform,
    Reason,
    Resumed,
    RevocationList,
    StaticKey,
    Terminated,
    Ticket,
    TicketRefusedError,
    TicketRequest,
    VerifyKey,
    Wallet,
    aio,
    read_ticket_message,
    write_ticket_message,
)

DAY = 86_400


def happened(peer: aio.Peer | None, event: Event) -> None:
    match event:
        case Established(fingerprint):
            say("session", fingerprint)
        case Resumed(generation):
            say("resumed", generation)
        case KeyReplaced(generation):
            say("keys", generation)
        case Terminated() if peer is not None:
            say("ended", peer.id.decode())
        case Failed(_, Reason.CREDENTIAL) if peer is not None:
            say("turned-away", peer.id.decode())
        case Failed(stage, reason):
            say("failed", f"{stage}: {reason}")


class Fleet:
    """This hub, its wallet, and the devices that its operator named."""

    def __init__(self, folder: str, port: int, name: str, agent: str, key: VerifyKey) -> None:
        self.storage = aio.Directory(folder)
        self.key = StaticKey("x25519", secrets.token_bytes(32))  # one that stays would be in a token: iotkm.pkcs11
        self.platform = Platform(self.storage.device_secret(), keys={0: self.key})
        self.wallet = Wallet(self.platform, device=name, agent=agent, key=key)
        self.agent = (agent, key)
        self.operator = Operator(capacity=16, lead=30 * DAY, retry=DAY)
        self.tickets: dict[str, Ticket] = {}
        self.hub = aio.Hub(
            self.storage, own_id=name.encode(), bind=("127.0.0.1", port), platform=self.platform, wallet=self.wallet,
            suites=[SUITE_4], on_event=happened,
        )  # fmt: skip
        self.distributor = aio.Distributor(self.hub, self.operator, self.ask, now=time.time, again=1.0)

    async def ask(self, device: str) -> Ticket:
        raise LookupError(f"the ticket of {device} ends: nobody asked the agent")

    def request(self) -> bytes:
        """Asks the agent for this hub's own ticket."""
        return write_ticket_message(
            TicketRequest(self.wallet.device, self.key.group, self.key.public_key, lifetime=365 * DAY, scope="demo")
        )

    def read(self, message: str) -> Ticket | RevocationList:
        """What the agent says, if it was the agent."""
        match read_ticket_message(bytes.fromhex(message)):
            case Ticket() as ticket:
                return Ticket.verify(bytes(ticket), *self.agent)
            case RevocationList() as revoked:
                return RevocationList.verify(bytes(revoked), *self.agent)
            case other:
                raise ValueError(f"not from an agent: {other!r}")

    async def give(self, message: Ticket | RevocationList) -> None:
        """The agent's news: to the device that it is for, or to everybody."""
        if isinstance(message, Ticket):
            self.distributor.give(message)
            await self.delivered(message)
            return
        self.wallet.revoke(message)
        await self.hub.recheck()
        for ticket in self.tickets.values():
            try:
                self.wallet.check(ticket)
            except TicketRefusedError as refused:
                say("refuses", f"the {ticket.device}: ticket {ticket.serial} is {refused.reason}")
        self.distributor.revoke(message)

    async def delivered(self, ticket: Ticket) -> None:
        """The device has acknowledged its ticket to its operator, and shown it to this hub as its peer."""
        device = self.hub.peer(ticket.device)
        while ticket.device in self.distributor.waiting or device.ticket_info.ticket != ticket:
            await asyncio.sleep(0.05)
        say("delivered", f"{ticket.serial} for {ticket.device}")

    async def answer(self, device: aio.Peer) -> None:
        """Notes each reading, and tells the device so."""
        count = 0
        async for message in device:
            count += 1
            say("heard", f"{device.id.decode()}: {message.payload.decode()}")
            if device.is_established:
                await device.send(b"noted %d" % count)


async def work(fleet: Fleet, lines: asyncio.StreamReader, tasks: asyncio.TaskGroup) -> None:
    hub = fleet.hub
    answering = []
    while line := (await lines.readline()).decode().rstrip("\n"):
        match line.split(" "):
            case ["ticket", message]:
                ticket = fleet.read(message)
                assert isinstance(ticket, Ticket)
                fleet.wallet.install(ticket)
                say("has", f"{ticket.serial} for {ticket.device}, {len(bytes(ticket))} bytes")
            case ["expect", device, message]:
                ticket = fleet.read(message)
                assert isinstance(ticket, Ticket)
                fleet.operator.knows(ticket)
                fleet.tickets[device] = ticket
                answering.append(tasks.create_task(fleet.answer(await hub.expect(device))))
                say("expects", device)
            case ["give", message]:
                await fleet.give(fleet.read(message))
            case ["close"]:
                drops = sum(peer.association.drops.get("replayed", 0) for peer in hub)
                say("refused", drops)
    for task in answering:
        task.cancel()


async def main(folder: str, port: int) -> None:
    lines = await typed()
    say("ready")
    _, name, agent, key = (await lines.readline()).decode().split()
    fleet = Fleet(folder, port, name, agent, VerifyKey("EdDSA", bytes.fromhex(key)))
    with contextlib.closing(fleet.storage):
        async with fleet.hub, fleet.distributor, asyncio.TaskGroup() as tasks:
            say("bound", fleet.hub.address[1])
            say("request", fleet.request().hex())
            await work(fleet, lines, tasks)


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
