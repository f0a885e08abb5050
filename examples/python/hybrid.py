"""Tickets and a secret of another scheme: what is agreed stays secret if one of the two falls, to a quantum computer, say.

    python hybrid.py

A sensor and a hub were once paired by their user (the history scheme, without Diffie-Hellman: symmetric only). The exporter
of that session gives the psk of the interactive scheme, which authenticates by tickets. The transport is two lists.
"""

import secrets
import time

from iotkm import (
    SUITE_0_SYMMETRIC,
    SUITE_2,
    Datagram,
    Event,
    History,
    Idle,
    Interactive,
    Peer,
    Persist,
    Platform,
    SigningKey,
    StaticKey,
    Ticket,
    TicketPeer,
    Triple,
    Wallet,
    inspect,
)

AGENT = SigningKey("EdDSA", secrets.token_bytes(32))
NOW = int(time.time())


class Device:
    """A device with a ticket, whatever association it has now."""

    def __init__(self, name: str, serial: int) -> None:
        self.name = name
        self.key = StaticKey("p256", secrets.token_bytes(32))
        self.platform = Platform(secrets.token_bytes(32), keys={0: self.key})
        self.wallet = Wallet(self.platform, device=name, agent="acme", key=AGENT.public_key)
        ticket = Ticket.issue(
            AGENT, agent="acme", device=name, group="p256", key=self.key.public_key, serial=serial, issued_at=NOW,
            expires=NOW + 86_400,
        )  # fmt: skip
        self.wallet.install(ticket)
        self.storage: dict[int, bytes] = {}
        self.association: History | Interactive
        self.air: list[bytes] = []

    def drain(self) -> None:
        """Sends, stores and reports what there is."""
        while True:
            match self.association.poll():
                case Datagram(_, data):
                    print(f"{self.name:6} sends {inspect(data).get('message', 'record')}, {len(data)} bytes")
                    self.air.append(data)
                case Persist(slot, _, data):
                    self.storage[slot] = data
                    self.association.persisted(slot)
                case Event() as event:
                    print(f"{self.name:6} sees  {event}")
                case Idle():
                    return


def deliver(one: Device, other: Device) -> None:
    """Carries datagrams until there are none."""
    one.drain()
    while one.air or other.air:
        for sender, receiver in ((one, other), (other, one)):
            while sender.air:
                message = receiver.association.handle_input(b"radio", sender.air.pop(0))
                if message is not None:
                    print(f"{receiver.name} gets  {message.payload!r}")
                receiver.drain()


def main() -> None:
    hub, sensor = Device("hub", 1), Device("sensor", 2)

    # Paired once: the triple is what their user's secret made.
    triple = Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
    for device, other in ((hub, sensor), (sensor, hub)):
        own, its = device.name.encode(), other.name.encode()
        peer = Peer.provisioned(slot=1, own_id=own, id=its, triple=triple, suite=SUITE_0_SYMMETRIC)
        device.association = History(device.platform, peer)
    assert isinstance(sensor.association, History)
    sensor.association.connect(b"radio")
    deliver(sensor, hub)
    psks = [device.association.exporter(b"psk of tickets", b"", 32) for device in (hub, sensor)]
    print("a psk from the paired session:", psks[0] == psks[1])

    # Tickets and that psk: phase 1, then session keys.
    for device, other, psk in ((hub, sensor, psks[0]), (sensor, hub, psks[1])):
        peer_with_ticket = TicketPeer.named(slot=2, own_id=device.name, id=other.name, psk=psk)
        device.association = Interactive(device.platform, peer_with_ticket, device.wallet, suites=[SUITE_2])
    assert isinstance(sensor.association, Interactive)
    sensor.association.connect(b"radio")
    deliver(sensor, hub)
    assert sensor.association.fingerprint == hub.association.fingerprint
    sensor.air.append(sensor.association.send(b"21.5 C").data)
    deliver(sensor, hub)


if __name__ == "__main__":
    main()
