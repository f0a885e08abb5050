"""Self-certified credentials, one handshake, and then keys without messages.

    python credentials_and_epochs.py

An operator issues by split issue: each device draws its part of its private key, the operator never learns the whole. The
two devices meet once; from then on both compute the key of every epoch by themselves. The meter sleeps, restarts, and is
where the gateway is after a few short messages. The transport is two lists, the clock a number.
"""

import secrets

from iotkm import (
    SUITE_2,
    CredentialOperator,
    CredentialPeer,
    CredentialRequest,
    Datagram,
    Event,
    Holder,
    Idle,
    Noninteractive,
    OperatorKey,
    Persist,
    Platform,
    SigningKey,
    TicketAgent,
    inspect,
)

NOW = 1_800_000_000
EPOCH = 900
"""Seconds."""


class Operator:
    """Numbers and issues; `iotkm ca --scheme noninteractive` does it on a command line, with records."""

    def __init__(self) -> None:
        self.platform = Platform(secrets.token_bytes(32))
        self.numbers = TicketAgent("acme")
        self.stored = self.numbers.seal(self.platform)  # a real one is stored before the next line
        self.numbers.persisted()
        self.key = OperatorKey.generate(self.platform, suite=SUITE_2)
        lists = SigningKey("EdDSA", secrets.token_bytes(32))  # signs revocation lists
        self.public = CredentialOperator("acme", key=self.key.public_key, lists=lists.public_key, suite=SUITE_2)

    def answer(self, request: bytes) -> bytes:
        return self.key.issue(self.platform, self.numbers, request, now=NOW, life=24 * 30)


class Device:
    """A device with a credential, a storage, and an association with one peer."""

    def __init__(self, name: str, operator: Operator) -> None:
        self.name, self.now = name, 0
        self.storage: dict[object, bytes] = {}
        self.air: list[bytes] = []
        self.operator = operator.public
        self.platform = Platform(secrets.token_bytes(32), clock=lambda: self.now, wall=lambda: NOW * 1000 + self.now)

        self.holder = Holder(self.platform, device=name, operator=self.operator)
        asked = CredentialRequest(self.platform, name, suite=SUITE_2)
        answer = operator.answer(asked.request)  # on a bench, or over an association: neither is secret
        credential, key = self.holder.accept(asked, answer)
        self.storage["key"] = key.seal(self.platform)
        self.platform.set_key(0, key)
        self.holder.install(credential)
        self.storage["holder"], _ = self.holder.seal()
        self.holder.persisted()
        print(f"{name:7} has    {credential}, {len(bytes(credential))} bytes")

    def meets(self, other: str) -> None:
        self.use(CredentialPeer.named(slot=1, own_id=self.name, id=other, suite=SUITE_2))

    def restart(self) -> None:
        """Everything but the storage is gone."""
        self.use(CredentialPeer.restore(self.platform, slot=1, blob=self.storage[1], suite=SUITE_2))
        self.association.go_on()

    def use(self, peer: CredentialPeer) -> None:
        self.association = Noninteractive(self.platform, peer, self.holder, interval=EPOCH, length=1000)

    def drain(self) -> None:
        """Sends, stores and reports what there is."""
        while True:
            match self.association.poll():
                case Datagram(_, data):
                    print(f"{self.name:7} sends  {inspect(data).get('message', 'record')}, {len(data)} bytes")
                    self.air.append(data)
                case Persist(slot, _, data):
                    self.storage[slot] = data
                    self.association.persisted(slot)
                case Event() as event:
                    print(f"{self.name:7} sees   {event}")
                case Idle():
                    return

    def say(self, text: bytes) -> None:
        self.air.append(self.association.send(text).data)


def carry(one: Device, other: Device) -> None:
    """Carries datagrams until there are none."""
    for device in (one, other):
        device.association.handle_timeout()
        device.drain()
    while one.air or other.air:
        for sender, receiver in ((one, other), (other, one)):
            while sender.air:
                message = receiver.association.handle_input(b"radio", sender.air.pop(0))
                if message is not None:
                    print(f"{receiver.name:7} gets   {message.payload!r} in epoch {receiver.association.epoch}")
                receiver.association.handle_timeout()
                receiver.drain()


def main() -> None:
    operator = Operator()
    gateway, meter = Device("gateway", operator), Device("meter", operator)
    gateway.meets("meter")
    meter.meets("gateway")

    meter.association.connect(b"radio")
    carry(meter, gateway)
    assert meter.association.fingerprint == gateway.association.fingerprint

    for device in (gateway, meter):
        device.now += 3 * EPOCH * 1000
    carry(meter, gateway)
    print("three epochs later, and nothing was sent:", meter.association.epoch, gateway.association.epoch)
    meter.say(b"1.2 kWh")
    carry(meter, gateway)

    print("the meter loses its power for a day")
    for device in (gateway, meter):
        device.now += 86_400_000
    meter.restart()
    carry(meter, gateway)
    gateway.say(b"are you there?")
    carry(meter, gateway)
    print("both are in epoch", meter.association.epoch, gateway.association.epoch)


if __name__ == "__main__":
    main()
