"""Devices with credentials over UDP; what a hub stores of wallet and holder, and what comes back after a restart."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers import Proxy, run

from iotkm import (
    SUITE_2,
    CredentialRequest,
    Holder,
    Operator,
    Platform,
    RevocationList,
    StaticKey,
    Ticket,
    TicketRefusedError,
    Wallet,
    WrongStateError,
    sim,
)
from iotkm.aio import Directory, Distributor, FailedError, Hub, Receiver

LOOPBACK = ("127.0.0.1", 0)
KEY = 20_000
"""Where a device keeps its private key: above the hub's own slots."""


class Device:
    """A device with a credential: what is stored, and the program around it."""

    def __init__(self, issuer: sim.Issuer, folder: Path, name: str) -> None:
        self.issuer, self.folder, self.name = issuer, folder / name, name
        self.wall = sim.NOW * 1000

    @contextlib.asynccontextmanager
    async def __call__(self) -> AsyncIterator[Hub]:
        with Directory(self.folder) as storage:
            platform = Platform(storage.device_secret(), wall=lambda: self.wall)
            self.holder = Holder(platform, device=self.name, operator=self.issuer.operator)
            key = storage.read(KEY)
            if key is None:
                asked = CredentialRequest(platform, self.name, suite=self.issuer.suite)
                credential, made = self.holder.accept(asked, self.issuer.answer(asked.request))
                storage.write(KEY, made.seal(platform))
                platform.set_key(0, made)
                self.holder.install(credential)
            else:
                platform.set_key(0, StaticKey.restore(platform, "p256", key))
            hub = Hub(
                storage, own_id=self.name.encode(), bind=LOOPBACK, platform=platform, holder=self.holder,
                epochs=(1, 1000), capacity=8, tries=6,
            )  # fmt: skip
            async with hub:
                yield hub


def test_two_devices_and_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        issuer = sim.Issuer(SUITE_2)
        gateway, meter = Device(issuer, tmp_path, "gateway"), Device(issuer, tmp_path, "meter")
        async with gateway() as middle, Proxy(middle.address, loss=4, duplicate=0.2) as link:
            at_gateway = await middle.expect("meter")
            with pytest.raises(WrongStateError):
                await middle.expect("meter", scheme="interactive")
            async with meter() as hub:
                peer = await hub.expect("gateway")
                assert await hub.expect("gateway") is peer
                assert await peer.connect(link.address) == await at_gateway.established()
                await peer.send(b"first")
                credential = meter.holder.credential
                assert at_gateway.credential_info.credential == credential
            # Its program ended: holder, peer and progression come back from storage, without a handshake.
            seen = len(link.seen)
            async with meter() as hub:
                assert meter.holder.credential == credential and meter.holder.floor == sim.NOW
                peer = hub.peer("gateway")
                await peer.connect()
                assert peer.is_established
                assert not any(data[:2] == b"\x12\x12" for data in link.seen[seen:]), "no M1"
                for _ in range(20):
                    await peer.send(b"second")
                while (await anext(at_gateway)).payload != b"second":
                    pass
                before = peer.noninteractive.epoch or 0
                while (peer.noninteractive.epoch or 0) < before + 2:
                    await asyncio.sleep(0.1)
                for _ in range(20):
                    await at_gateway.send(b"third")
                assert (await anext(peer)).payload == b"third"

    run(work())


def test_a_revocation_is_stored_and_counts_after_a_restart(tmp_path: Path) -> None:
    async def work() -> None:
        issuer = sim.Issuer(SUITE_2)
        gateway, meter = Device(issuer, tmp_path, "gateway"), Device(issuer, tmp_path, "meter")
        async with meter() as other:
            async with gateway() as middle:
                at_gateway, peer = await middle.expect("meter"), await other.expect("gateway")
                await peer.connect(middle.address)
                await at_gateway.established()
                stolen = meter.holder.credential
                assert stolen is not None
                later = sim.NOW + 10
                revoked = RevocationList.issue(
                    sim.AGENT, agent="agent", number=1, issued_at=later, serials=[stolen.serial]
                )
                gateway.holder.revoke(revoked)
                await middle.recheck()
                assert not at_gateway.is_established and not gateway.holder.needs_store
            async with gateway() as middle:
                assert gateway.holder.list_number == 1 and gateway.holder.floor == later
                with pytest.raises((FailedError, TimeoutError)):
                    async with asyncio.timeout(2):
                        await peer.connect(middle.address)
                assert not middle.peer("meter").is_established

    run(work())


def test_a_storage_that_fails_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotkm.aio._kept._AGAIN", 0.05)

    async def work() -> None:
        issuer = sim.Issuer(SUITE_2)
        meter = Device(issuer, tmp_path, "meter")
        async with meter() as hub:
            write, fails = hub.storage.write, [2]

            def flaky(slot: int, data: bytes) -> None:
                if slot > 32_767 and fails[0]:
                    fails[0] -= 1
                    raise OSError("no space left")
                write(slot, data)

            monkeypatch.setattr(hub.storage, "write", flaky)
            meter.holder.revoke(
                RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW, serials=[])
            )
            with pytest.raises(OSError, match="space"):
                await hub.recheck()
            while meter.holder.needs_store:
                hub._pump()
                await asyncio.sleep(0.02)
            assert not fails[0]
        async with meter():
            assert meter.holder.list_number == 1

    run(work())


def test_a_revocation_list_comes_over_the_association(tmp_path: Path) -> None:
    """From an operator whose devices have credentials; one of them is away when it comes out."""

    async def work() -> None:
        issuer = sim.Issuer(SUITE_2)
        office, meter, lock = (Device(issuer, tmp_path, name) for name in ("operator", "meter", "lock"))
        revoked = RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW, serials=[77])

        async def issue(_: str) -> Ticket:
            raise AssertionError("nobody has a ticket here")

        async with office() as hub, Distributor(
            hub, Operator(capacity=4, lead=1, retry=1), issue, now=lambda: sim.NOW, again=0.1
        ) as distributor:
            for name in ("meter", "lock"):
                await hub.expect(name)
            async with meter() as own, Receiver(own, meter.holder, "operator"):
                await (await own.expect("operator")).connect(hub.address)
                distributor.revoke(revoked)
                while meter.holder.list_number != 1 or distributor._has_list.get("meter") != 1:
                    await asyncio.sleep(0.02)
                assert not meter.holder.needs_store
            assert "lock" not in distributor._has_list
            async with lock() as own, Receiver(own, lock.holder, "operator"):
                await (await own.expect("operator")).connect(hub.address)
                while distributor._has_list.get("lock") != 1:
                    await asyncio.sleep(0.02)
                assert lock.holder.list_number == 1 and not distributor.refused

    run(work())


def test_what_is_stored_and_what_is_new_come_together(tmp_path: Path) -> None:
    issuer = sim.Issuer(SUITE_2)
    platform = Platform(bytes(32), wall=lambda: sim.NOW * 1000)

    def holder() -> Holder:
        return Holder(platform, device="lamp", operator=issuer.operator)

    def issued(to: Holder, hours: int) -> None:
        asked = CredentialRequest(platform, "lamp", suite=SUITE_2)
        to.install(to.accept(asked, issuer.answer(asked.request, hours=hours))[0])

    first = holder()
    issued(first, 10)
    first.revoke(RevocationList.issue(sim.AGENT, agent="agent", number=3, issued_at=sim.NOW + 7, serials=[99]))
    blob, _ = first.seal()
    plain = holder()
    plain.load(blob)
    assert plain.credential == first.credential and plain.list_number == 3 and not plain.needs_store
    newer = holder()
    issued(newer, 20)
    newer.revoke(RevocationList.issue(sim.AGENT, agent="agent", number=2, issued_at=sim.NOW, serials=[]))
    own = newer.credential
    newer.load(blob)
    assert newer.credential == own and newer.list_number == 3 and newer.floor == sim.NOW + 7 and newer.needs_store
    older = holder()
    issued(older, 5)
    older.load(blob)
    assert older.credential == first.credential
    for wrong in (b"", blob[:-1]):
        with pytest.raises(ValueError, match="does not open|blob"):
            newer.load(wrong)
    assert newer.credential == own

    agent = sim.AGENT.public_key
    wallet = Wallet(platform, device="lamp", agent="agent", key=agent)
    key = StaticKey("x25519", bytes([7]) * 32)
    tickets = [sim.ticket("lamp", key, serial, days=serial) for serial in (1, 2, 3)]
    wallet.install(tickets[0])
    wallet.install(tickets[1])
    blob, _ = wallet.seal()
    again = Wallet(platform, device="lamp", agent="agent", key=agent)
    again.install(tickets[2])
    again.load(blob)
    assert again.tickets == [tickets[2], tickets[1]]
    other = Wallet(platform, device="lamp", agent="another", key=agent)
    with pytest.raises(ValueError, match="does not open|blob"):
        other.load(blob)
    with pytest.raises(TicketRefusedError):
        other.install(tickets[0])


def test_a_gateway_with_tickets_restarts(tmp_path: Path) -> None:
    """Its wallet comes back by itself: tickets, list, floor time."""

    async def work() -> None:
        key = StaticKey("x25519", bytes([7]) * 32)
        with Directory(tmp_path) as storage:
            platform = Platform(storage.device_secret(), wall=lambda: sim.NOW * 1000, keys={0: key})
            for start in range(2):
                wallet = Wallet(platform, device="gateway", agent="agent", key=sim.AGENT.public_key)
                if start == 0:
                    wallet.install(sim.ticket("gateway", key, 1))
                async with Hub(storage, own_id=b"gateway", bind=LOOPBACK, platform=platform, wallet=wallet) as hub:
                    assert wallet.ticket is not None and not wallet.needs_store
                    if start == 0:
                        await hub.expect("lamp")
                        revoked = RevocationList.issue(
                            sim.AGENT, agent="agent", number=4, issued_at=sim.NOW + 9, serials=[2]
                        )
                        wallet.revoke(revoked)  # stored at the end, if not before
                    else:
                        assert (wallet.list_number, wallet.floor) == (4, sim.NOW + 9)
                        assert hub.peer("lamp").interactive.peer.own_id == "gateway"

    run(work())
