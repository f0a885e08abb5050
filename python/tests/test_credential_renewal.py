"""Credentials over associations: the device asks, the operator answers once, whatever is lost or cut off."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers import Proxy, run

from iotkm import (
    SUITE_2,
    BadArgumentError,
    Credential,
    CredentialAsked,
    CredentialRequest,
    Holder,
    Operator,
    Platform,
    RevocationList,
    Ticket,
    TicketRefusedError,
    WrongStateError,
    read_ticket_message,
    sim,
    write_ticket_message,
)
from iotkm.aio import KEY_SLOTS, Address, Directory, Distributor, Hub, Receiver
from iotkm.aio._hub import _HOLDER

LOOPBACK = ("127.0.0.1", 0)
HOUR = 3600
LIFE = 240


class World:
    """An operator's key and its records, and what time it is."""

    def __init__(self) -> None:
        self.now = sim.NOW
        self.issuer = sim.Issuer(SUITE_2)
        self.records: dict[tuple[str, bytes], bytes] = {}

    def wall(self) -> int:
        return self.now * 1000

    async def answer(self, device: str, request: bytes) -> tuple[Credential, bytes]:
        if (device, request) not in self.records:
            self.records[device, request] = self.issuer.answer(request, self.now, LIFE)
        answer = self.records[device, request]
        return Credential(answer[:-32], suite=SUITE_2), answer


class Device:
    """What is stored of a device, and the program around it."""

    def __init__(self, world: World, folder: Path, name: str, life: int = LIFE) -> None:
        self.world, self.folder, self.name = world, folder / name, name
        self.failures = 0
        with Directory(self.folder) as storage:
            platform = Platform(storage.device_secret(), wall=world.wall)
            asked = CredentialRequest(platform, name, suite=SUITE_2)
            holder = Holder(platform, device=name, operator=world.issuer.operator)
            self.first, key = holder.accept(asked, world.issuer.answer(asked.request, world.now, life))
            holder.install(self.first)
            storage.write(KEY_SLOTS[0], key.seal(platform))
            storage.write(_HOLDER, holder.seal()[0])

    @contextlib.asynccontextmanager
    async def on(self) -> AsyncIterator[Hub]:
        with Directory(self.folder) as storage:
            write = storage.write

            def store(slot: int, data: bytes) -> None:
                if slot in (_HOLDER, *KEY_SLOTS) and self.failures > 0:
                    self.failures -= 1
                    raise OSError("no space left")
                write(slot, data)

            storage.write = store  # type: ignore[method-assign]
            platform = Platform(storage.device_secret(), wall=self.world.wall)
            self.holder = Holder(platform, device=self.name, operator=self.world.issuer.operator)
            async with Hub(
                storage, own_id=self.name.encode(), bind=LOOPBACK, platform=platform, holder=self.holder, capacity=8,
                tries=8, keys=(0, 1), key_slots=KEY_SLOTS,
            ) as hub:  # fmt: skip
                yield hub

    @contextlib.asynccontextmanager
    async def up(self, operator: Address, clock: bool = True) -> AsyncIterator[Hub]:
        """In a session with its operator."""
        async with self.on() as hub:
            now = (lambda: self.world.now) if clock else None
            async with Receiver(hub, self.holder, "operator", now=now, lead=100 * HOUR, again=0.1):
                await (await hub.expect("operator")).connect(operator)
                yield hub

    @property
    def renewed(self) -> bool:
        return self.holder.credential != self.first and not self.holder.needs_store


@contextlib.asynccontextmanager
async def operating(world: World, folder: Path, *devices: Device) -> AsyncIterator[tuple[Hub, Distributor]]:
    here = Device(world, folder, "operator", life=10_000)
    operator = Operator(capacity=8, lead=50 * HOUR, retry=1)
    for device in devices:
        operator.knows(device.first)
    async with here.on() as hub:
        for device in devices:
            await hub.expect(device.name)
        async with Distributor(hub, operator, now=lambda: world.now, again=0.1, answer=world.answer) as distributor:
            yield hub, distributor


async def until(true: object) -> None:
    """Turns of the loop are counted, not seconds: a busy machine makes them long."""
    assert callable(true)
    for _ in range(2000):
        if true():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError


async def said(own: Hub, hub: Hub, text: bytes) -> None:
    """The lamp says it until it is heard: a record may be lost."""
    for _ in range(100):
        await own.peer("operator").send(text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while (await anext(hub.peer("lamp"))).payload != text:
                    pass
                return
    raise TimeoutError


def test_the_next_credential_comes_through_a_lossy_link_and_is_used(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        async with operating(world, tmp_path, lamp) as (hub, distributor):
            async with Proxy(hub.address, seed=3, loss=4, duplicate=0.3) as link, lamp.up(link.address) as own:
                receivers = [taker.__self__ for taker in own._takers]  # type: ignore[attr-defined]
                await asyncio.sleep(0.1)
                assert not lamp.holder.is_asking, "it is not time"
                world.now += 150 * HOUR
                receivers[0].wake()
                await until(lambda: lamp.renewed and not distributor.waiting)
                assert len(world.records) == 1 and not lamp.holder.is_asking
                serial = lamp.holder.credential and lamp.holder.credential.serial
                # A handshake under the new one follows by itself.
                await until(lambda: (seen := hub.peer("lamp").credential_info.credential) and seen.serial == serial)
                await said(own, hub, b"22 W")
            # Both keys come back from the storage, and the old credential's end ends nothing.
            world.now += 100 * HOUR
            async with lamp.up(hub.address) as own:
                assert lamp.holder.credential and lamp.holder.credential.serial == serial
                await said(own, hub, b"23 W")

    run(work(), 300)


def test_a_device_without_a_clock_is_told_and_one_that_is_away_is_told_later(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp, switch = (Device(world, tmp_path, name) for name in ("lamp", "switch"))
        async with operating(world, tmp_path, lamp, switch) as (hub, distributor):
            async with lamp.up(hub.address, clock=False):
                world.now += 200 * HOUR
                distributor.wake()
                distributor.revoke(RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW, serials=[]))
                await until(lambda: lamp.renewed and lamp.holder.list_number == 1)
                await until(lambda: not distributor.waiting and distributor._has_list["lamp"] == 1)
            async with switch.up(hub.address, clock=False):
                await until(lambda: switch.renewed and not distributor.waiting)
        assert len(world.records) == 2

    run(work())


def test_a_device_that_was_cut_off_goes_on_with_the_same_request(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        world.now += 200 * HOUR
        answer, asked = world.answer, []

        async def lost(device: str, request: bytes) -> tuple[Credential, bytes]:
            asked.append(request)
            await answer(device, request)
            raise OSError("the power went right after it was stored")

        world.answer = lost  # type: ignore[method-assign]
        async with operating(world, tmp_path, lamp) as (hub, _), lamp.up(hub.address):
            await until(lambda: len(asked) > 1)
        assert len(world.records) == 1
        world.answer = answer  # type: ignore[method-assign]
        # The operator has forgotten all but its records, the device all but its storage.
        async with operating(world, tmp_path, lamp) as (hub, distributor), lamp.up(hub.address, clock=False):
            await until(lambda: lamp.renewed and not distributor.waiting)
        assert len({*asked}) == len(world.records) == 1

    run(work())


def test_what_was_not_stored_is_not_said(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        async with operating(world, tmp_path, lamp) as (hub, distributor), lamp.up(hub.address) as own:
            lamp.failures = 3
            world.now += 150 * HOUR
            own._takers[0].__self__.wake()  # type: ignore[attr-defined]
            await until(lambda: lamp.failures == 0 and lamp.renewed and not distributor.waiting)
            assert len(world.records) == 1

    run(work())


def test_who_asks_in_anothers_name_or_too_often_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        async with operating(world, tmp_path, lamp) as (hub, distributor), lamp.on() as own:
            peer = await own.expect("operator")
            await peer.connect(hub.address)

            async def ask(name: str) -> None:
                asked = CredentialRequest(own.platform, name, suite=SUITE_2)
                await peer.send(write_ticket_message(CredentialAsked(asked.request)))

            await ask("door")
            assert (await anext(peer)).payload.hex() == "820438ce", "subject"
            await ask("lamp")
            await until(lambda: len(world.records) == 1)
            await ask("lamp")
            await asyncio.sleep(0.3)
            assert len(world.records) == 1
            world.now += HOUR
            await ask("lamp")
            await until(lambda: len(world.records) == 2)
            # Nobody acknowledges: it is sent until somebody does.
            assert "lamp" in distributor.waiting and "door" not in distributor.waiting

    run(work())


def test_an_answer_to_nothing_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        world.now += 200 * HOUR
        async with operating(world, tmp_path, lamp) as (hub, distributor), lamp.up(hub.address, clock=False):
            wrong = CredentialRequest(hub.platform, "lamp", suite=SUITE_2)
            credential, answer = await world.answer("lamp", wrong.request)
            before = lamp.holder.credential
            distributor._answer = lambda _, __: world.answer("lamp", wrong.request)
            distributor.wake()
            await until(lambda: distributor.refused == {"lamp": -208})
            assert lamp.holder.credential == before and lamp.holder.is_asking

    run(work())


def test_misuse(tmp_path: Path) -> None:
    async def issue(_: str) -> Ticket:
        raise AssertionError

    async def work() -> None:
        world = World()
        lamp = Device(world, tmp_path, "lamp")
        platform = Platform(bytes(32))
        for keys, slots in (((0, 0), KEY_SLOTS), ((0, 1), (32_000, 32_000)), ((0, 1), (3, 32_000)), ((0, 1), (32_000, 65_000))):
            with pytest.raises(BadArgumentError):
                Hub(tmp_path / "other", own_id=b"x", platform=platform, capacity=8, keys=keys, key_slots=slots)
        async with lamp.on() as own:
            for some in ({}, {"issue": issue, "answer": world.answer}):
                with pytest.raises(BadArgumentError):
                    Distributor(own, Operator(capacity=1, lead=1, retry=1), now=lambda: 0, **some)  # type: ignore[arg-type]
            asked = CredentialRequest(own.platform, "lamp", suite=SUITE_2)
            credential, key = lamp.holder.accept(asked, world.issuer.answer(asked.request, world.now, LIFE))
            other = CredentialRequest(own.platform, "lamp", suite=SUITE_2)
            _, wrong = lamp.holder.accept(other, world.issuer.answer(other.request, world.now, LIFE))
            with pytest.raises(BadArgumentError):
                await own.install(credential, wrong)
            await own.install(credential, key)
            assert lamp.holder.credential == credential
            own._private = None
            with pytest.raises(WrongStateError, match="key_slots"):
                await own.install(credential, key)

    run(work())


def test_the_holder_by_itself() -> None:
    world = World()
    platform = Platform(bytes(32), wall=world.wall)
    holder = Holder(platform, device="lamp", operator=world.issuer.operator)
    assert holder.due_at(5) == 0 and holder.request() is None and holder.acknowledgement() is None
    holder.ask()
    assert holder.is_asking and holder.needs_store and holder.request() is None
    blob, _ = holder.seal()
    holder.persisted()
    message = holder.request()
    assert message is not None and message == holder.request()
    again = Holder.restore(platform, device="lamp", operator=world.issuer.operator, blob=blob)
    assert again.is_asking and again.request() == message
    asked = read_ticket_message(message)
    assert isinstance(asked, CredentialAsked)
    answer = world.issuer.answer(asked.request, world.now, LIFE)
    pushed = bytes.fromhex("820758") + bytes([len(answer)]) + answer
    told = holder.handle(pushed)
    assert isinstance(told, tuple)
    credential, key = told
    assert world.issuer.operator.public_key(credential) == key.public_key
    holder.install(credential)
    assert holder.handle(pushed) is True and holder.acknowledgement() is None and not holder.is_asking
    holder.seal()
    holder.persisted()
    assert holder.acknowledgement() is not None
    assert holder.due_at(10 * HOUR) == credential.expires - 10 * HOUR
    assert holder.due_at(1000 * HOUR) == credential.expires - LIFE // 2 * HOUR
    assert holder.handle(bytes.fromhex("8105")) is False
    with pytest.raises(TicketRefusedError, match="signature"):
        holder.handle(bytes.fromhex("820758") + bytes([len(answer)]) + answer[:5] + b"\xff" + answer[6:])
    assert "k1" not in repr(holder)
