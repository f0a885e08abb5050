"""A hub and two devices with tickets over UDP: first contact, a message, a ping, a new ticket, a stolen device.

    python tickets_and_talk.py

Nobody was paired: each trusts whom the agent vouches for. In real life every device has its own program and folder.
"""

import asyncio
import secrets
import tempfile
import time

from iotkm import Platform, RevocationList, SigningKey, StaticKey, Ticket, VerifyKey, Wallet
from iotkm.aio import Directory, FailedError, Hub

LOCAL = ("127.0.0.1", 0)
NOW = int(time.time())


class Agent:
    """Issues tickets: `iotkm ca` on a command line, `iotkm.authority` with records."""

    def __init__(self) -> None:
        self.key = SigningKey("EdDSA", secrets.token_bytes(32))
        self.serial = 0

    def issue(self, device: str, key: StaticKey, days: int) -> Ticket:
        self.serial += 1
        return Ticket.issue(
            self.key, agent="acme", device=device, group=key.group, key=key.public_key, serial=self.serial,
            issued_at=NOW, expires=NOW + days * 86_400,
        )  # fmt: skip


class Device:
    """A static key, a wallet with a ticket, a socket."""

    def __init__(self, name: str, folder: str, agent: Agent) -> None:
        verify: VerifyKey = agent.key.public_key
        self.storage = storage = Directory(f"{folder}/{name}")
        self.key = StaticKey("x25519", secrets.token_bytes(32))  # a real device keeps it: iotkm.pkcs11 has one in a token
        self.platform = Platform(storage.device_secret(), keys={0: self.key})
        self.wallet = Wallet(self.platform, device=name, agent="acme", key=verify)
        self.wallet.install(agent.issue(name, self.key, days=30))
        self.hub = Hub(storage, own_id=name.encode(), bind=LOCAL, platform=self.platform, wallet=self.wallet)


async def main(folder: str) -> None:
    agent = Agent()
    gateway, lamp, switch = (Device(name, folder, agent) for name in ("gateway", "lamp", "switch"))
    with gateway.storage, lamp.storage, switch.storage:
        async with gateway.hub, lamp.hub, switch.hub:
            await talk(agent, gateway, lamp, switch)


async def talk(agent: Agent, gateway: Device, lamp: Device, switch: Device) -> None:
    for device in (lamp, switch):
        await gateway.hub.expect(device.wallet.device)
        to_gateway = await device.hub.expect("gateway")
        print(device.wallet.device, "session", await to_gateway.connect(gateway.hub.address))
        await to_gateway.send(b"hello")
        print("gateway got", (await anext(gateway.hub.peer(device.wallet.device))).payload)

    await lamp.hub.peer("gateway").ping()
    print("gateway is there")

    # The operator pushed the lamp's next ticket: whoever is connected gets it at once.
    lamp.wallet.install(agent.issue("lamp", lamp.key, days=60))
    await lamp.hub.recheck()
    seen = gateway.hub.peer("lamp")
    while (ticket := seen.ticket_info.ticket) is None or ticket.serial != agent.serial:
        await asyncio.sleep(0.05)
    print("gateway has", ticket)

    # The switch was stolen.
    stolen = switch.wallet.tickets[0].serial
    revoked = RevocationList.issue(agent.key, agent="acme", number=1, issued_at=NOW, serials=[stolen])
    gateway.wallet.revoke(revoked)
    await gateway.hub.recheck()
    print("gateway and switch:", gateway.hub.peer("switch").is_established)
    try:
        async with asyncio.timeout(4):
            await switch.hub.peer("gateway").connect()
    except (FailedError, TimeoutError):
        print("the switch is turned away")
    print("gateway and lamp:", gateway.hub.peer("lamp").is_established)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))
