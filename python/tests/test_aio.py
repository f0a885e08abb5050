"""Hubs over real UDP on loopback."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from helpers import Proxy, run

import iotkm
from iotkm import Event, Paired, Resumed, Triple, aio, sim, storage
from iotkm.aio import Directory, Hub

LOOPBACK = ("127.0.0.1", 0)


def triple() -> Triple:
    return Triple(secrets.token_bytes(32), secrets.token_bytes(32), secrets.token_bytes(32))


@contextlib.asynccontextmanager
async def two(folder: Path) -> AsyncIterator[tuple[Hub, Hub]]:
    """Two hubs that know each other."""
    with Directory(folder / "a") as storage_a, Directory(folder / "b") as storage_b:
        async with (
            Hub(storage_a, own_id=b"gateway", bind=LOOPBACK, place=b"hall") as a,
            Hub(storage_b, own_id=b"sensor", bind=LOOPBACK) as b,
        ):
            shared = triple()
            await a.provision(b"sensor", shared)
            await b.provision(b"gateway", shared)
            yield a, b


async def power_off(hub: Hub) -> None:
    """Nothing more comes from it or reaches it; what it was about to write is written."""
    hub._closed = True
    while hub._writes:
        await asyncio.sleep(0.01)
    assert isinstance(hub.storage, Directory)
    hub.storage.close()


async def receive(peer: aio.Peer, count: int) -> list[bytes]:
    got: list[bytes] = []
    async for message in peer:
        got.append(message.payload)
        if len(got) == count:
            break
    return got


def test_talk_update_close(tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (a, b):
            to_b, to_a = a.peer(b"sensor"), b.peer(b"gateway")
            with pytest.raises(iotkm.WrongStateError, match="address"):
                await to_b.connect()
            with pytest.raises(iotkm.NotEstablishedError):
                await to_b.send(b"too early")
            assert await to_b.connect(b.address) == await to_a.established() == to_a.fingerprint
            await to_b.send(b"how warm?")
            message = await anext(to_a)
            assert message.payload == b"how warm?" and message.place == b"hall" and message.time
            await to_a.send(b"21.5 C")
            assert await receive(to_b, 1) == [b"21.5 C"]
            assert await to_b.update() == 1
            assert to_b.info.fingerprint == to_a.info.fingerprint
            await to_a.established()
            await to_a.send(b"still 21.5 C")
            assert await receive(to_b, 1) == [b"still 21.5 C"]
            with pytest.raises(iotkm.TooLongError):
                await to_a.send(bytes(1_300))
            await to_b.close()
            while to_a.is_established:
                await asyncio.sleep(0.01)
            assert to_b.address == b.address
            assert "gateway" in repr(to_a) and "1 peers" in repr(a)
            with pytest.raises(KeyError):
                a.peer(b"nobody")

    run(work())


def test_many_devices_through_lossy_links(tmp_path: Path) -> None:
    async def device(n: int, gateway: Hub, done: list[int]) -> None:
        async with Proxy(gateway.address, seed=n, loss=4, duplicate=0.1) as link:
            with Directory(tmp_path / f"device-{n}") as storage:
                async with Hub(storage, own_id=b"device-%d" % n, bind=LOOPBACK) as hub:
                    shared = triple()
                    mine = await hub.provision(b"gateway", shared)
                    theirs = await gateway.provision(b"device-%d" % n, shared)
                    await mine.connect(link.address)
                    # A datagram may be lost: say it until the answer comes.
                    answer = asyncio.create_task(anext(mine))
                    while not answer.done():
                        await mine.send(b"%d" % n)
                        await asyncio.wait([answer], timeout=0.2)
                    assert answer.result().payload == b"to %d" % n
                    assert theirs.is_established
                    done.append(link.lost)

    async def answer(peer: aio.Peer) -> None:
        async for message in peer:
            await peer.send(b"to " + message.payload)

    async def work() -> None:
        with Directory(tmp_path / "gateway") as storage:
            async with Hub(storage, own_id=b"gateway", bind=LOOPBACK, capacity=16) as gateway:
                done: list[int] = []
                work = asyncio.gather(*(device(n, gateway, done) for n in range(12)))
                answering: dict[bytes, asyncio.Task[None]] = {}
                while not work.done():
                    for peer in gateway:
                        if peer.id not in answering:
                            answering[peer.id] = asyncio.create_task(answer(peer))
                    await asyncio.sleep(0.05)
                await work
                assert len(done) == 12 and sum(done) > 12
            # Iterations end with their hub.
            await asyncio.gather(*answering.values())

    run(work())


def test_pairing_over_udp(tmp_path: Path) -> None:
    events: list[Event] = []

    async def work() -> None:
        with Directory(tmp_path / "a") as sa, Directory(tmp_path / "b") as sb:
            async with (
                Hub(sa, own_id=b"phone", bind=LOOPBACK, on_event=lambda peer, event: events.append(event)) as a,
                Hub(sb, own_id=b"lamp", bind=LOOPBACK) as b,
                Proxy(b.address, seed=5, loss=3) as link,
            ):
                window = asyncio.create_task(b.listen("our caf\u00e9"))
                await asyncio.sleep(0.05)
                with pytest.raises(iotkm.WrongStateError):
                    await b.listen("our caf\u00e9")
                lamp = await a.pair(link.address, "our cafe\u0301")
                phone = await window
                assert lamp.info.fingerprint == phone.info.fingerprint
                assert Paired(lamp.info.fingerprint) in events
                await lamp.connect(link.address)
                # Once more: the new pair replaces the old one.
                window = asyncio.create_task(b.listen("another"))
                await asyncio.sleep(0.05)
                again = await a.pair(b.address, "another")
                await window
                assert again.info.fingerprint != lamp.info.fingerprint
                assert [peer.id for peer in a] == [b"lamp"] and [peer.id for peer in b] == [b"phone"]
                await b.peer(b"phone").connect(a.address)
            assert [slot for slot in sa.slots() if 0 < slot < 0x8000] == [2]

    run(work())


def test_pairing_with_another_secret_locks(tmp_path: Path) -> None:
    async def work() -> None:
        with Directory(tmp_path / "a") as sa, Directory(tmp_path / "b") as sb:
            async with Hub(sa, own_id=b"phone", bind=LOOPBACK, tries=1) as a, Hub(sb, own_id=b"lamp", bind=LOOPBACK) as b:
                window = asyncio.create_task(b.listen("right"))
                await asyncio.sleep(0.05)
                for _ in range(5):
                    with pytest.raises(aio.FailedError) as caught:
                        await a.pair(b.address, "wrong")
                    assert caught.value.stage == "pairing"
                    assert caught.value.reason in (iotkm.Reason.WRONG_SECRET, iotkm.Reason.NO_ANSWER)
                    await a.unlock()
                with pytest.raises(aio.FailedError) as caught:
                    await window
                assert caught.value.reason == iotkm.Reason.LOCKED
                with pytest.raises(iotkm.LockedError):
                    await b.listen("right")
            # A restart does not help; the user does.
            async with Hub(sb, own_id=b"lamp", bind=LOOPBACK) as b:
                with pytest.raises(iotkm.LockedError):
                    await b.listen("right")
                await b.unlock()
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await b.listen("right")

    run(work())


def test_a_restart_goes_on(tmp_path: Path) -> None:
    async def work() -> None:
        events: list[Event] = []
        async with two(tmp_path) as (a, b):
            to_b = a.peer(b"sensor")
            await to_b.connect(b.address)
            # The sensor is switched off without a word, and comes back at another address.
            await power_off(b)
            with Directory(tmp_path / "b") as storage:
                async with Hub(
                    storage, own_id=b"sensor", bind=LOOPBACK, on_event=lambda peer, event: events.append(event)
                ) as again:
                    to_a = again.peer(b"gateway")
                    assert await to_a.connect() == to_a.fingerprint
                    assert any(isinstance(event, Resumed) for event in events)
                    await to_a.send(b"back")
                    assert await receive(to_b, 1) == [b"back"]
                    await to_b.send(b"good")
                    assert await receive(to_a, 1) == [b"good"]

    run(work())


def test_a_session_that_the_peer_forgot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotkm.aio._peer._RESUME", 0.3)

    async def work() -> None:
        async with two(tmp_path) as (a, b):
            await a.peer(b"sensor").connect(b.address)
            a.peer(b"sensor").history.wipe()
            await power_off(b)
            with Directory(tmp_path / "b") as storage:
                async with Hub(storage, own_id=b"sensor", bind=LOOPBACK) as again:
                    await again.peer(b"gateway").connect()
                    assert a.peer(b"sensor").is_established

    run(work())


def test_state_that_does_not_open_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path):
            pass
        (tmp_path / "a" / "slot-00001").write_bytes(b"damaged")
        with Directory(tmp_path / "a") as storage:
            async with Hub(storage, own_id=b"gateway", bind=LOOPBACK) as a:
                assert not a.peers and isinstance(a.unreadable[1], iotkm.BadBlobError)
                await a.provision(b"another", triple())
                assert storage.read(1) == b"damaged"

    run(work())


def test_a_storage_that_fails_for_a_while(tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (a, b):
            write = a.storage.write
            failures = 0

            def broken(slot: int, data: bytes) -> None:
                nonlocal failures
                failures += 1
                if failures > 1:
                    a.storage.write = write  # type: ignore[method-assign]
                raise OSError("disk full")

            a.storage.write = broken  # type: ignore[method-assign]
            await a.peer(b"sensor").connect(b.address)
            assert failures == 2

    run(work())


def test_garbage_from_strangers(tmp_path: Path) -> None:
    async def work() -> None:
        async with two(tmp_path) as (a, b):
            await a.peer(b"sensor").connect(b.address)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for n in range(300):
                    stranger.sendto(secrets.token_bytes(n % 90), a.address)
                    stranger.sendto(b"\x16\x10" + secrets.token_bytes(n % 60), a.address)
                    stranger.sendto(b"\x18\x00\x01" + secrets.token_bytes(n % 60), a.address)
            await asyncio.sleep(0.2)
            await b.peer(b"gateway").send(b"still here")
            assert await receive(a.peer(b"sensor"), 1) == [b"still here"]
            assert sum(a.drops.values()) > 100

    run(work())


def test_nobody_there(tmp_path: Path) -> None:
    async def work() -> None:
        with Directory(tmp_path / "a") as storage:
            async with Hub(storage, own_id=b"gateway", bind=LOOPBACK, tries=1) as a:
                peer = await a.provision(b"sensor", triple())
                with pytest.raises(aio.FailedError) as caught:
                    await peer.connect(("127.0.0.1", 9))
                assert caught.value.reason == iotkm.Reason.NO_ANSWER and isinstance(caught.value, ConnectionError)
                with pytest.raises(OSError):
                    await peer.connect(("no-such-host.invalid", 9))
                connecting = asyncio.create_task(peer.connect(("127.0.0.1", 9)))
                await asyncio.sleep(0.05)
        with pytest.raises(iotkm.WrongStateError, match="closed"):
            await connecting
        with pytest.raises(iotkm.WrongStateError, match="closed"):
            await peer.connect(("127.0.0.1", 9))
        with pytest.raises(StopAsyncIteration):
            await anext(peer)

    run(work())


def test_a_folder_is_opened_and_closed(tmp_path: Path) -> None:
    async def work() -> None:
        for _ in range(2):
            async with Hub(tmp_path / "a", own_id=b"gateway", bind=LOOPBACK) as a:
                with pytest.raises(storage.StorageInUseError):
                    Directory(tmp_path / "a")
                if not a.peers:
                    await a.provision(b"sensor", triple())
            assert "closed" in repr(a)
        with pytest.raises(iotkm.BadArgumentError):
            Hub(tmp_path / "a", own_id=b"gateway", place=bytes(33))
        with pytest.raises(iotkm.BadArgumentError):
            Hub(tmp_path / "a", own_id=b"gateway", capacity=0)
        Directory(tmp_path / "a").close()

    run(work())


def test_capacity_and_forgetting(tmp_path: Path) -> None:
    async def work() -> None:
        with Directory(tmp_path / "a") as storage:
            async with Hub(storage, own_id=b"gateway", bind=LOOPBACK, capacity=3) as a:
                for n in range(3):
                    await a.provision(b"device-%d" % n, triple())
                with pytest.raises(iotkm.FullError):
                    await a.provision(b"one more", triple())
                await a.forget(b"device-1")
                await a.provision(b"one more", triple())
                assert storage.slots() == [1, 2, 3]
            async with Hub(storage, own_id=b"gateway", bind=LOOPBACK, capacity=3) as a:
                assert sorted(peer.id for peer in a) == [b"device-0", b"device-2", b"one more"]

    run(work())


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")
def test_ipv6(tmp_path: Path) -> None:
    async def work() -> None:
        with Directory(tmp_path / "a") as sa, Directory(tmp_path / "b") as sb:
            async with Hub(sa, own_id=b"a", bind=("::1", 0)) as a, Hub(sb, own_id=b"b", bind=("::1", 0)) as b:
                shared = triple()
                peer = await a.provision(b"b", shared)
                await b.provision(b"a", shared)
                await peer.connect(b.address)
                assert peer.address == b.address

    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("no IPv6 on loopback")
    run(work())



def test_devices_with_tickets(tmp_path: Path) -> None:
    """First contact, a message, a ping, a restart, and a device of the wrong kind."""
    keys = {name: iotkm.StaticKey("x25519", bytes([number + 1]) * 32) for number, name in enumerate(["hub", "lamp"])}

    def opened(storage: Directory, name: str) -> Hub:
        platform = iotkm.Platform(storage.device_secret(), keys={0: keys[name]})
        wallet = iotkm.Wallet(platform, device=name, agent="agent", key=sim.AGENT.public_key)
        wallet.install(sim.ticket(name, keys[name], len(name), days=36_500))
        return Hub(storage, own_id=name.encode(), bind=("127.0.0.1", 0), platform=platform, wallet=wallet)

    async def life() -> None:
        with Directory(tmp_path / "hub") as one, Directory(tmp_path / "lamp") as other:
            async with opened(one, "hub") as hub:
                of_hub = await hub.expect("lamp")
                assert await hub.expect("lamp") is of_hub
                async with opened(other, "lamp") as lamp:
                    of_lamp = await lamp.expect("hub")
                    assert await of_lamp.connect(hub.address) == await of_hub.established()
                    await of_lamp.send(b"on")
                    assert (await anext(of_hub)).payload == b"on"
                    await of_lamp.ping()
                    assert of_lamp.ticket_info.id == "hub" and of_hub.id == b"lamp"
                    for wrong in (lambda: of_lamp.info, lambda: of_lamp.history):
                        with pytest.raises(iotkm.WrongStateError):
                            wrong()
                async with opened(other, "lamp") as lamp:
                    again = lamp.peer("hub")
                    await again.connect(hub.address)
                    await again.send(b"off")
                    assert (await anext(of_hub)).payload == b"off"
            async with Hub(other, own_id=b"lamp", bind=("127.0.0.1", 0)) as without:
                assert not without.peers and 1 in without.unreadable
                with pytest.raises(iotkm.WrongStateError):
                    await without.expect("hub")

    run(life())
