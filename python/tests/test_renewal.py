"""Tickets and revocation lists over associations, between hubs on loopback."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers import Proxy, run

from iotkm import Operator, Platform, RevocationList, SigningKey, StaticKey, Ticket, TooLongError, Wallet
from iotkm.aio import Address, Directory, Distributor, Hub, Receiver
from iotkm.aio._hub import _WALLET

LOOPBACK = ("127.0.0.1", 0)
DAY = 86_400


class World:
    """An agent, and what time it is."""

    def __init__(self) -> None:
        self.now = 1_800_000_000
        self.key = SigningKey("EdDSA", secrets.token_bytes(32))
        self.keys: dict[str, StaticKey] = {}
        self.serial = 0

    def wall(self) -> int:
        return self.now * 1000

    def issue(self, device: str, days: int = 30) -> Ticket:
        self.serial += 1
        key = self.keys[device]
        return Ticket.issue(
            self.key, agent="acme", device=device, group=key.group, key=key.public_key, serial=self.serial,
            issued_at=self.now, expires=self.now + days * DAY,
        )  # fmt: skip

    def revoked(self, number: int, *serials: int) -> RevocationList:
        return RevocationList.issue(self.key, agent="acme", number=number, issued_at=self.now, serials=sorted(serials))


class Device:
    """A hub, a wallet, and where that is stored."""

    def __init__(self, world: World, name: str, folder: Path) -> None:
        world.keys[name] = key = StaticKey("x25519", secrets.token_bytes(32))
        self.storage = Directory(folder / name)
        self.platform = Platform(self.storage.device_secret(), wall=world.wall, keys={0: key})
        self.wallet = Wallet(self.platform, device=name, agent="acme", key=world.key.public_key)
        self.first = world.issue(name)
        self.wallet.install(self.first)
        self.hub = Hub(self.storage, own_id=name.encode(), bind=LOOPBACK, platform=self.platform, wallet=self.wallet)
        self.failures = 0
        self.stored: list[bytes] = []
        self.write = self.storage.write
        self.storage.write = self.store  # type: ignore[method-assign]

    def store(self, slot: int, data: bytes) -> None:
        if slot == _WALLET and self.failures > 0:
            self.failures -= 1
            raise OSError("no space left")
        if slot == _WALLET:
            self.stored.append(data)
        self.write(slot, data)

    @contextlib.asynccontextmanager
    async def up(self, operator: Address) -> AsyncIterator[Hub]:
        """The device, in a session with its operator."""
        async with self.hub as hub, Receiver(hub, self.wallet, "operator"):
            await (await hub.expect("operator")).connect(operator)
            yield hub


@contextlib.asynccontextmanager
async def operating(world: World, folder: Path, *names: str) -> AsyncIterator[tuple[Device, Distributor, list[Device]]]:
    """An operator that knows these devices; they are off."""
    devices = [Device(world, name, folder) for name in names]
    here = Device(world, "operator", folder)
    operator = Operator(capacity=8, lead=10 * DAY, retry=1)
    for device in devices:
        operator.knows(device.first)

    async def issue(name: str) -> Ticket:
        return world.issue(name)

    async with here.hub as hub, Distributor(hub, operator, issue, now=lambda: world.now, again=0.1) as distributor:
        for name in names:
            await hub.expect(name)
        yield here, distributor, devices
    for device in (here, *devices):
        device.storage.close()


async def until(true: object) -> None:
    assert callable(true)
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.01)


def test_the_next_ticket_comes_before_the_old_one_ends_through_a_lossy_link(tmp_path: Path) -> None:
    world = World()

    async def work() -> None:
        async with operating(world, tmp_path, "lamp") as (here, distributor, [lamp]):
            async with Proxy(here.hub.address, seed=3, loss=4) as link, lamp.up(link.address):
                assert not distributor.waiting
                world.now += 25 * DAY
                distributor.wake()
                await until(lambda: len(lamp.wallet.tickets) == 2 and not distributor.waiting)
                assert [ticket.serial for ticket in lamp.wallet.tickets] == [world.serial, lamp.first.serial]
                key, storage = world.key.public_key, lamp.stored[-1]
                again = Wallet.restore(lamp.platform, device="lamp", agent="acme", key=key, blob=storage)
                assert [ticket.serial for ticket in again.tickets] == [world.serial, lamp.first.serial]

    run(work())


def test_a_device_that_is_away_gets_it_when_it_comes_up(tmp_path: Path) -> None:
    world = World()

    async def work() -> None:
        async with operating(world, tmp_path, "lamp", "switch") as (here, distributor, [lamp, switch]):
            async with lamp.up(here.hub.address):
                world.now += 25 * DAY
                distributor.wake()
                distributor.revoke(world.revoked(1, 77))
                await until(lambda: lamp.wallet.list_number == 1 and [*distributor.waiting] == ["switch"])
            async with switch.up(here.hub.address):
                await until(lambda: switch.wallet.list_number == 1 and not distributor.waiting)
                # What comes twice, or late, changes nothing.
                before = len(switch.stored)
                distributor.revoke(world.revoked(1, 78))
                await asyncio.sleep(0.3)
                assert len(switch.stored) == before

    run(work())


def test_what_was_not_stored_is_not_acknowledged(tmp_path: Path) -> None:
    world = World()

    async def work() -> None:
        async with operating(world, tmp_path, "lamp") as (here, distributor, [lamp]):
            async with lamp.up(here.hub.address):
                lamp.failures, before = 2, len(lamp.stored)
                distributor.give(world.issue("lamp", days=60))
                await until(lambda: not distributor.waiting)
                assert lamp.failures == 0 and len(lamp.stored) == before + 1 and not distributor.refused

    run(work())


def test_what_a_device_refuses_holds_nothing_else_up(tmp_path: Path) -> None:
    world = World()

    async def work() -> None:
        async with operating(world, tmp_path, "lamp") as (here, distributor, [lamp]):
            async with lamp.up(here.hub.address):
                # A list that no datagram holds, and a ticket of another key.
                distributor.revoke(world.revoked(1, *range(1, 1000)))
                await until(lambda: distributor.refused == {"lamp": TooLongError.code})
                distributor.give(world.issue("lamp", days=60))
                await until(lambda: not distributor.waiting)
                world.key = SigningKey("EdDSA", secrets.token_bytes(32))
                distributor.revoke(world.revoked(2))
                await until(lambda: len(distributor._refused["lamp"]) == 2)
                assert lamp.wallet.list_number == 0

    run(work())


def test_messages_of_the_application_go_to_the_application(tmp_path: Path) -> None:
    world = World()

    async def work() -> None:
        async with operating(world, tmp_path, "lamp") as (here, _, [lamp]):
            async with lamp.up(here.hub.address) as hub:
                mine, theirs = hub.peer("operator"), here.hub.peer("lamp")
                await mine.send(b"22 W")
                assert (await anext(theirs)).payload == b"22 W"
                await theirs.send(b"\x82off")
                assert (await anext(mine)).payload == b"\x82off"

    run(work())


def test_an_agent_that_fails_is_asked_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    asked: list[str] = []

    async def issue(name: str) -> Ticket:
        asked.append(name)
        if len(asked) == 1:
            raise OSError("the agent is not there")
        return world.issue(name)

    async def work() -> None:
        lamp, here = Device(world, "lamp", tmp_path), Device(world, "operator", tmp_path)
        operator = Operator(capacity=1, lead=40 * DAY, retry=1)
        operator.knows(lamp.first)
        async with here.hub as hub, Distributor(hub, operator, issue, now=lambda: world.now) as distributor:
            await until(lambda: asked)
            world.now += 2
            distributor.wake()
            await until(lambda: distributor.waiting)
        lamp.storage.close()
        here.storage.close()

    run(work())
    assert "the agent is not there" in caplog.text
