"""An operator renews its devices' tickets over associations: one is on, one sleeps, one is stolen.

    python operator_service.py

`operator_day.py` shows the messages by hand; here `Distributor` and `Receiver` bring them over UDP, again and again where
they are lost, until they are in the device's storage. Time is played: a month passes at once.
"""

import asyncio
import secrets
import tempfile
from pathlib import Path

from iotkm import NoCredentialError, Operator, Platform, RevocationList, SigningKey, StaticKey, Ticket, Wallet
from iotkm.aio import Address, Directory, Distributor, Hub, Receiver

LOCAL = ("127.0.0.1", 0)
DAY = 86_400


class World:
    """What time it is, and the agent: in real life `iotkm.authority` with its file, asked by the operator."""

    def __init__(self) -> None:
        self.now = 1_800_000_000
        self.key = SigningKey("EdDSA", secrets.token_bytes(32))
        self.serial = 0

    def issue(self, device: str, key: StaticKey) -> Ticket:
        self.serial += 1
        return Ticket.issue(
            self.key, agent="acme", device=device, group=key.group, key=key.public_key, serial=self.serial,
            issued_at=self.now, expires=self.now + 30 * DAY,
        )  # fmt: skip


class Device:
    """A lamp, a switch, or the operator's own server: a key, a wallet, a folder, a socket."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder / name
        self.key = StaticKey("x25519", secrets.token_bytes(32))
        self.storage = Directory(self.folder)
        self.platform = Platform(self.storage.device_secret(), wall=lambda: world.now * 1000, keys={0: self.key})
        self.wallet = Wallet(self.platform, device=name, agent="acme", key=world.key.public_key)
        self.wallet.install(world.issue(name, self.key))
        self.hub = Hub(self.storage, own_id=name.encode(), bind=LOCAL, platform=self.platform, wallet=self.wallet)

    async def run(self, operator: Address, stop: asyncio.Event) -> None:
        """Comes up, says hello to the operator, and takes what it sends until told to stop."""
        async with self.hub as hub, Receiver(hub, self.wallet, "operator"):
            await hub.expect("lamp" if self.name == "switch" else "switch")
            await (await hub.expect("operator")).connect(operator)
            await stop.wait()


async def main(folder: Path) -> None:
    world = World()
    lamp, switch = Device(world, "lamp", folder), Device(world, "switch", folder)
    here = Device(world, "operator", folder)
    keys = {device.name: device.key for device in (lamp, switch)}  # the agent has them from its records
    operator = Operator(capacity=10_000, lead=7 * DAY, retry=DAY)
    for device in (lamp, switch):
        assert device.wallet.ticket is not None
        operator.knows(device.wallet.ticket)

    async def issue(name: str) -> Ticket:
        return world.issue(name, keys[name])

    stop = asyncio.Event()
    with lamp.storage, switch.storage, here.storage:
        async with here.hub as hub, Distributor(hub, operator, issue, now=lambda: world.now) as distributor:
            await hub.expect("lamp")
            await hub.expect("switch")
            async with asyncio.TaskGroup() as running:
                running.create_task(lamp.run(hub.address, stop))
                await hub.peer("lamp").established()
                world.now += 25 * DAY
                distributor.wake()
                await report(lamp, distributor)
                print("waits for", *distributor.waiting)
                running.create_task(switch.run(hub.address, stop))
                await report(switch, distributor)

                # The switch is stolen. Whoever is on hears of it now, the others when they come up. (The switch hears of it
                # too; a thief would keep that from it, and be turned away by the lamp.)
                serials = sorted(ticket.serial for ticket in switch.wallet.tickets)
                distributor.revoke(RevocationList.issue(world.key, agent="acme", number=1, issued_at=world.now, serials=serials))
                while lamp.wallet.list_number == 0:
                    await asyncio.sleep(0.01)
                print("lamp has list", lamp.wallet.list_number)
                while switch.wallet.list_number == 0:
                    await asyncio.sleep(0.01)
                try:
                    await switch.hub.peer("lamp").connect(lamp.hub.address)
                except NoCredentialError as error:
                    print("switch:", error)
                stop.set()


async def report(device: Device, distributor: Distributor) -> None:
    while device.name in distributor.waiting or len(device.wallet.tickets) < 2:
        await asyncio.sleep(0.01)
    assert device.wallet.ticket is not None
    print(device.name, "has ticket", device.wallet.tickets[0].serial)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
