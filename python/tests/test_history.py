"""The history scheme between two associations in memory."""

import pytest

import iotkm
from iotkm import Established, Failed, History, Paired, Peer, Reason, Stage, StoreFailed, Suite, Terminated, sim

SUITES = [getattr(iotkm, f"SUITE_{n}{twin}") for n in range(6) for twin in ("", "_SYMMETRIC")]


def connected(net: sim.Net) -> bool:
    return net.a.is_established and net.b.is_established and net.a.history.fingerprint == net.b.history.fingerprint


def connect(net: sim.Net) -> None:
    net.a.connect(net.b.address)
    assert net.drive(until=lambda: connected(net))


def updated(net: sim.Net, generation: int) -> bool:
    both = (net.a.history.peer.generation, net.b.history.peer.generation)
    return both == (generation, generation) and connected(net)


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_exchange_data_update(suite: Suite) -> None:
    net = sim.history_pair(suite=suite)
    connect(net)
    net.a.send(b"21.5 C")
    net.b.send(b"noted")
    net.drive(1_000)
    assert [m.payload for m in net.b.received] == [b"21.5 C"]
    assert [m.payload for m in net.a.received] == [b"noted"]
    assert net.b.received[0].place == b"lab"
    assert net.b.received[0].time == 1_750_000_000_000 + net.trace[6].at
    before = net.a.history.peer.fingerprint
    net.b.update()
    assert net.drive(until=lambda: updated(net, 1))
    assert net.a.history.peer.fingerprint == net.b.history.peer.fingerprint != before
    net.a.send(b"again")
    net.drive(1_000)
    assert net.b.received[-1].payload == b"again"
    assert not any(net.a.history.drops.values()) and not any(net.b.history.drops.values())


def test_what_both_sides_see() -> None:
    net = sim.history_pair()
    assert net.a.history.fingerprint is None and net.a.history.assurance is None and net.a.history.peer_addr is None
    connect(net)
    a, b = net.a.history, net.b.history
    assert a.exporter(b"label", b"context", 40) == b.exporter(b"label", b"context", 40)
    assert a.exporter(b"label", b"context", 40) != a.exporter(b"label", b"other", 40)
    assert a.peer_addr == net.b.address
    assert a.assurance is not None and a.assurance.authenticated == "paired_peer" and a.assurance.budget > 1_000_000
    assert net.a.events == [Established(a.fingerprint or "", True)]
    assert net.b.events == [Established(a.fingerprint or "", False)]
    net.a.close()
    net.drive(10_000)
    assert net.a.saw(Terminated) and net.b.saw(Terminated)
    assert not net.a.is_established and not net.b.is_established


@pytest.mark.parametrize("suite", [iotkm.SUITE_0, iotkm.SUITE_0_SYMMETRIC], ids=str)
def test_bad_link(suite: Suite) -> None:
    outcomes = [sim.exchange(seed, sim.BAD, suite) for seed in range(60)]
    assert all(outcome.established for outcome in outcomes)
    assert sum(outcome.lost for outcome in outcomes) > 100
    assert outcomes[7] == sim.exchange(7, sim.BAD, suite), "the same seed plays the same run"


def test_update_on_a_bad_link() -> None:
    for seed in range(15):
        net = sim.history_pair(seed, sim.BAD)
        connect(net)
        for n in range(12):
            net.a.send(b"%d" % n)
            net.b.send(b"%d" % -n)
        net.drive(5_000)
        net.a.update()
        net.drive(600_000, lambda: updated(net, 1))
        # Given up or done: they agree in the end.
        net.link = sim.GOOD
        if not connected(net):
            net.a.connect(net.b.address)
        assert net.drive(600_000, lambda: connected(net)), seed
        assert net.a.history.peer.generation == net.b.history.peer.generation, seed


def test_export_and_restore() -> None:
    net = sim.history_pair()
    connect(net)
    blob = net.a.history.export()
    old = net.a.history.fingerprint
    peer = Peer.restore(net.a.platform, slot=1, blob=net.a.stored[1])
    net.a.association = History(net.a.platform, peer)
    net.a.history.restore(blob)
    net.a.drain()
    assert net.drive(until=lambda: connected(net))
    assert net.a.history.fingerprint != old
    assert [sim.name(step.data) for step in net.trace[6:9]] == ["RESUME_1", "RESUME_2", "RESUME_3"]
    net.b.send(b"still here")
    net.drive(1_000)
    assert net.a.received[-1].payload == b"still here"


def test_an_old_session_blob_gives_no_old_keys() -> None:
    net = sim.history_pair()
    connect(net)
    blob = net.a.history.export()
    for _ in range(3):
        net.a.association = History(net.a.platform, Peer.restore(net.a.platform, slot=1, blob=net.a.stored[1]))
        net.a.history.restore(blob)
        net.a.drain()
        net.drive(30_000, lambda: connected(net))
    connect(net)


@pytest.mark.parametrize("who", ["a", "b"])
def test_power_cut_at_every_write(who: str) -> None:
    for writes in range(12):
        net = sim.history_pair(seed=writes)
        node = getattr(net, who)
        node.writes_left = writes
        net.a.connect(net.b.address)
        net.drive(60_000, lambda: connected(net) or node.dead)
        for generation in (1, 2):
            if connected(net) and not node.dead:
                net.a.send(b"one")
                net.b.send(b"two")
                net.drive(1_000)
                net.b.update()
                net.drive(60_000, lambda: node.dead or updated(net, generation))
        # Power is back: what was stored is all there is.
        node.writes_left = None
        node.association = History(node.platform, Peer.restore(node.platform, slot=1, blob=node.stored[1]))
        for _ in range(3):
            if not connected(net):
                net.a.connect(net.b.address)
                net.drive(600_000, lambda: connected(net))
        assert connected(net), (who, writes, net.a.events, net.b.events)
        assert net.a.history.peer.fingerprint == net.b.history.peer.fingerprint


def test_a_store_that_refuses() -> None:
    net = sim.history_pair()
    net.a.store_broken = True
    net.a.connect(net.b.address)
    assert not net.trace, "nothing leaves before it is stored"
    assert net.a.saw(StoreFailed)
    net.a.store_broken = False
    assert net.drive(until=lambda: connected(net))


def test_garbage_is_dropped_and_counted() -> None:
    net = sim.history_pair()
    connect(net)
    net.a.send(b"x")
    record = net.trace[-1].data
    history = net.b.history
    before = history.fingerprint
    for data in (b"", b"\x00", b"\xff" * 40, record[:-1], record[:-1] + bytes([record[-1] ^ 1]), record[:2]):
        assert history.handle_input(b"stranger", data) is None
    drops = history.drops
    assert drops["version"] and drops["forged"] and drops["malformed"] and sum(drops.values()) == 6
    assert history.fingerprint == before
    assert history.handle_input(net.a.address, record) is not None
    assert history.handle_input(net.a.address, record) is None
    assert history.drops["replayed"] == 1


def test_psk_has_to_be_the_same() -> None:
    def peer_with(node: sim.Node, psk: bytes) -> None:
        peer = Peer.restore(node.platform, slot=1, blob=node.stored[1])
        peer.set_psk(psk)
        node.association = History(node.platform, peer)

    net = sim.history_pair()
    peer_with(net.a, b"1" * 32)
    net.a.connect(net.b.address)
    assert not net.drive(30_000, lambda: connected(net))
    net = sim.history_pair()
    peer_with(net.a, b"1" * 32)
    peer_with(net.b, b"1" * 32)
    connect(net)


def paired(net: sim.Net) -> bool:
    return net.a.saw(Paired) and net.b.saw(Paired)


@pytest.mark.parametrize("suite", [iotkm.SUITE_0, iotkm.SUITE_2, iotkm.SUITE_4_SYMMETRIC], ids=str)
def test_pairing_then_exchange(suite: Suite) -> None:
    net = sim.pairing_pair(suite=suite, link=sim.Link(loss=0.2))
    net.b.listen(b"our secret")
    assert net.a.pairing.take_peer() is None
    net.a.pair(net.b.address, b"our secret")
    assert net.drive(until=lambda: paired(net))
    assert net.a.events == net.b.events
    for node in (net.a, net.b):
        peer = node.pairing.take_peer()
        assert peer is not None and peer.info.suite == suite.name
        stored = Peer.restore(node.platform, slot=1, blob=node.stored[1])
        assert stored.info == peer.info
        node.association = History(node.platform, peer)
    connect(net)


def test_pairing_with_another_secret() -> None:
    net = sim.pairing_pair()
    for attempt in range(iotkm.Pairing.ATTEMPTS):
        net.b.pairing.cancel()
        net.b.drain()
        net.b.listen(b"our secret")
        net.a.pairing.unlock()
        net.a.drain()
        net.a.events.clear()
        net.a.pair(net.b.address, b"another")
        net.drive(600_000, lambda: net.a.saw(Failed))
        assert net.a.saw(Failed) and not paired(net)
        if attempt < iotkm.Pairing.ATTEMPTS - 1:
            assert net.b.pairing.attempts == attempt + 1
    assert Failed(Stage.PAIRING, Reason.LOCKED) in net.b.events
    with pytest.raises(iotkm.LockedError):
        net.b.pairing.listen(b"our secret", window_ms=1_000)
    # A restart does not help the attacker; the user does.
    net.b.association = iotkm.Pairing(net.b.platform, own_id=b"device-b", peer_slot=1, attempts_slot=0)
    net.b.pairing.restore_attempts(net.b.stored[0])
    with pytest.raises(iotkm.LockedError):
        net.b.pairing.listen(b"our secret", window_ms=1_000)
    net.b.pairing.unlock()
    net.b.drain()
    net.b.listen(b"our secret")
