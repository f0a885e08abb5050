"""An operator's day: a lamp's first ticket, its renewal while the lamp is asleep, and a switch that was stolen.

    python operator_day.py

Messages go from hand to hand here; in the field they are the payloads of associations: agent and operator, operator and
device. Time is played, so that a year passes at once.
"""

import secrets
from datetime import UTC, datetime

from iotkm import (
    Operator,
    Platform,
    RevocationList,
    SigningKey,
    StaticKey,
    Ticket,
    TicketAgent,
    TicketRefusedError,
    TicketRequest,
    VerifyKey,
    Wallet,
    read_ticket_message,
    write_ticket_message,
)

DAY = 86_400


class Clock:
    """What time it is, for everybody."""

    now = 1_800_000_000

    def wall(self) -> int:
        return self.now * 1000

    def __str__(self) -> str:
        return datetime.fromtimestamp(self.now, UTC).strftime("%Y-%m-%d")


CLOCK = Clock()


class Agent:
    """Issues tickets. Its key could be in a token: iotkm.pkcs11."""

    def __init__(self) -> None:
        self.platform = Platform(secrets.token_bytes(32))
        self.key = SigningKey("EdDSA", secrets.token_bytes(32))
        self.numbers = TicketAgent("acme")
        self.storage, _ = self.numbers.seal(self.platform)  # stored before a number is given out
        self.numbers.persisted()

    def answer(self, message: bytes) -> bytes:
        request = read_ticket_message(message)
        assert isinstance(request, TicketRequest)
        return write_ticket_message(self.numbers.issue(self.key, request, now=CLOCK.now))

    def revoke(self, *serials: int) -> bytes:
        return write_ticket_message(self.numbers.revoke(self.key, sorted(serials), now=CLOCK.now))


class Device:
    """A lamp or a switch: a static key, a wallet, a place to store it."""

    def __init__(self, name: str, agent: VerifyKey) -> None:
        self.name = name
        self.key = StaticKey("x25519", secrets.token_bytes(32))
        self.platform = Platform(secrets.token_bytes(32), wall=CLOCK.wall, keys={0: self.key})
        self.wallet = Wallet(self.platform, device=name, agent="acme", key=agent)

    def request(self) -> TicketRequest:
        return TicketRequest(self.name, self.key.group, self.key.public_key, lifetime=365 * DAY, scope="light")

    def receive(self, message: bytes) -> bytes | None:
        """What an operator pushed: taken in, stored, acknowledged."""
        self.wallet.handle(message)
        self.storage, _ = self.wallet.seal()
        self.wallet.persisted()
        return self.wallet.acknowledgement()


def ticket_in(message: bytes, key: VerifyKey) -> Ticket:
    """The agent's answer, verified."""
    ticket = read_ticket_message(message)
    assert isinstance(ticket, Ticket)
    return Ticket.verify(bytes(ticket), "acme", key)


def main() -> None:
    agent = Agent()
    public = agent.key.public_key
    lamp, switch = Device("lamp", public), Device("switch", public)
    operator = Operator(capacity=10_000, lead=30 * DAY, retry=DAY)
    to_push: dict[bytes, bytes] = {}

    # The factory: each device gets its first ticket.
    for device in (lamp, switch):
        answer = agent.answer(write_ticket_message(device.request()))
        operator.knows(ticket_in(answer, public))
        device.receive(answer)
        print(CLOCK, "issued ", device.wallet.ticket)
    stolen = switch.wallet.ticket
    assert stolen is not None
    lamp.wallet.check(stolen)  # as the lamp does when the switch connects

    # Eleven months later: what ends within 30 days is asked for.
    CLOCK.now += 340 * DAY
    while (name := operator.ask(CLOCK.now)) is not None:
        device = lamp if name == "lamp" else switch
        answer = agent.answer(write_ticket_message(device.request()))
        ticket = ticket_in(answer, public)
        operator.issued(ticket)
        to_push[ticket.reference] = answer
    print(CLOCK, "waiting", [renewal.device for renewal in operator.devices if renewal.waiting])

    # The lamp sleeps; when it comes up, it gets what waits for it, and says so once it is stored.
    CLOCK.now += 10 * DAY
    waiting = operator.waiting_for("lamp")
    assert waiting is not None
    acknowledgement = lamp.receive(to_push[waiting])
    assert acknowledgement is not None and operator.handle("lamp", acknowledgement)
    print(CLOCK, "renewed", lamp.wallet.ticket, f"({len(lamp.wallet.tickets)} in the overlap)")

    # The switch was stolen: its tickets are revoked, and every device hears of it.
    its = [stolen, *(ticket for ticket in (ticket_in(m, public) for m in to_push.values()) if ticket.device == "switch")]
    message = agent.revoke(*(ticket.serial for ticket in its))
    operator.forget("switch")
    lamp.receive(message)
    revoked = read_ticket_message(message)
    assert isinstance(revoked, RevocationList)
    try:
        lamp.wallet.check(stolen)
    except TicketRefusedError as refused:
        print(CLOCK, "revoked", revoked.serials, "- the lamp turns the switch away:", refused.reason)


if __name__ == "__main__":
    main()
