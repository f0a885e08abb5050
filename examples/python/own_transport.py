"""Over a transport of one's own (serial line, LoRa, MQTT, ...): the verbs without asyncio.

    python own_transport.py

The loop at `drain` is all that there is to it: send, store and report what `poll` hands out, until it is idle. Here the
transport is two lists.
"""

import secrets

from iotkm import Datagram, Event, History, Idle, Peer, Persist, Platform, Triple


class Device:
    """One device with one peer."""

    def __init__(self, name: str, history: History, air: list[bytes]) -> None:
        self.name = name
        self.history = history
        self.air = air
        self.storage: dict[int, bytes] = {}

    def drain(self) -> None:
        while True:
            match self.history.poll():
                case Datagram(_, data):
                    print(f"{self.name} sends {len(data):3} bytes")
                    self.air.append(data)
                case Persist(slot, _, data):
                    self.storage[slot] = data  # whole or not at all; what depends on it waits for the answer
                    self.history.persisted(slot)
                case Event() as event:
                    print(f"{self.name} sees  {event}")
                case Idle(wake_at):
                    self.wake_at = wake_at  # call handle_timeout then, if nothing came before
                    return

    def receive(self, data: bytes) -> None:
        message = self.history.handle_input(b"radio", data)
        if message is not None:
            print(f"{self.name} gets  {message.payload!r}")
        self.drain()

    def send(self, payload: bytes) -> None:
        self.air.append(self.history.send(payload).data)
        self.drain()


def main() -> None:
    # A factory gives both devices the same three keys; pairing makes them from a user's secret.
    triple = Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))
    to_pump: list[bytes] = []
    to_panel: list[bytes] = []

    def device(name: str, own: bytes, other: bytes, air: list[bytes]) -> Device:
        platform = Platform(secrets.token_bytes(32), place=b"cellar")
        peer = Peer.provisioned(slot=1, own_id=own, id=other, triple=triple)
        return Device(name, History(platform, peer, mtu=64), air)

    panel = device("panel", b"panel", b"pump", to_pump)
    pump = device("pump ", b"pump", b"panel", to_panel)

    def deliver() -> None:
        while to_pump or to_panel:
            if to_pump:
                pump.receive(to_pump.pop(0))
            if to_panel:
                panel.receive(to_panel.pop(0))

    panel.history.connect(b"radio")
    panel.drain()
    deliver()
    panel.send(b"run at 40 %")
    deliver()
    pump.send(b"2.1 bar")
    deliver()
    assert panel.history.fingerprint == pump.history.fingerprint
    print("session", panel.history.fingerprint)


if __name__ == "__main__":
    main()
