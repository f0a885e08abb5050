"""The noninteractive scheme: credentials, one handshake, then epochs without a message, to the last one."""

import sys
from collections.abc import Callable

import pytest

import iotkm
from iotkm import (
    SUITE_0,
    SUITE_0_SYMMETRIC,
    SUITE_1,
    SUITE_2,
    SUITE_4,
    SUITE_FFC2048,
    SUITE_FFC3072,
    BadArgumentError,
    BadBlobError,
    BlobRolledBackError,
    CredentialOperator,
    CredentialPeer,
    CredentialRequest,
    Established,
    Failed,
    Holder,
    Hub,
    KeyFailedError,
    NoCredentialError,
    Noninteractive,
    NotEstablishedError,
    OperatorKey,
    Platform,
    Reason,
    Rekeyed,
    RekeyNeeded,
    Resumed,
    RevocationList,
    RngError,
    Stage,
    StaticKey,
    Suite,
    Terminated,
    TicketAgent,
    TicketRefusedError,
    WrongStateError,
    requested_device,
    sim,
)

MINUTE = 60_000
SUITES = [SUITE_0, SUITE_1, SUITE_2, SUITE_4, SUITE_FFC2048, SUITE_FFC3072]


def up(net: sim.Net) -> None:
    net.a.connect(net.b.address)
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    net.drive(ms=2_000)


def talk(net: sim.Net) -> None:
    for sender, receiver in ((net.a, net.b), (net.b, net.a)):
        before = len(receiver.received)
        sender.send(b"text")
        assert net.drive(until=lambda: len(receiver.received) > before, ms=5_000)
        assert receiver.received[-1].payload == b"text"


def names(net: sim.Net) -> list[str]:
    return [sim.name(step.data) for step in net.trace]


def restart(net: sim.Net, node: sim.Node) -> None:
    """As after a power cut: from what is stored."""
    assert node.holder is not None and net.issuer is not None
    peer = CredentialPeer.restore(node.platform, slot=1, blob=node.stored[1], suite=net.issuer.suite)
    node.association = Noninteractive(node.platform, peer, node.holder, interval=60)


# ---- the association ----


@pytest.mark.parametrize("suite", SUITES, ids=str)
def test_one_handshake_then_nothing(suite: Suite) -> None:
    net = sim.noninteractive_pair(suite=suite, interval=60)
    up(net)
    assert names(net) == ["M1", "M2", "M3", "M4"]
    assert net.a.association.fingerprint == net.b.association.fingerprint
    for node, other in ((net.a, net.b), (net.b, net.a)):
        assurance, peer = node.association.assurance, node.noninteractive.peer
        assert assurance is not None and assurance.authenticated == "holder"
        assert node.saw(Established) and peer.epoch == 1 and peer.credential is not None
        assert other.holder is not None and peer.credential == other.holder.credential
        assert peer.credential.group == (node.key and node.key.group)
    talk(net)
    exporter = net.a.association.exporter(b"label", b"", 32)
    assert exporter == net.b.association.exporter(b"label", b"", 32)
    net.trace.clear()
    assert net.drive(ms=4 * MINUTE, until=lambda: net.a.noninteractive.epoch == net.b.noninteractive.epoch == 4)
    assert not net.trace and Rekeyed(4) in net.a.events and Rekeyed(4) in net.b.events
    talk(net)
    assert names(net) == ["record", "record"] and "epoch=4" in repr(net.a.association)


def test_a_bad_link() -> None:
    for seed in range(5):
        net = sim.noninteractive_pair(seed, sim.BAD, interval=60)
        net.a.connect(net.b.address)
        assert net.drive(until=lambda: net.a.is_established and net.b.is_established), seed
        net.drive(ms=5 * MINUTE)
        net.link = sim.GOOD
        talk(net)


def test_by_reference_the_second_time() -> None:
    net = sim.noninteractive_pair()
    up(net)
    first = len(net.trace[0].data)
    net.trace.clear()
    fingerprint = net.a.association.fingerprint
    net.b.connect(net.a.address)
    assert net.drive(until=lambda: net.a.association.fingerprint not in (None, fingerprint))
    net.drive(ms=2_000)
    assert names(net)[:4] == ["M1", "M2", "M3", "M4"] and len(net.trace[0].data) < first
    talk(net)


def test_both_at_once() -> None:
    net = sim.noninteractive_pair()
    net.a.connect(net.b.address)
    net.b.connect(net.a.address)
    net.drive(until=lambda: net.a.is_established and net.b.is_established)
    net.drive(ms=20_000)
    assert net.a.association.fingerprint == net.b.association.fingerprint
    talk(net)


def test_it_ends_with_the_last_epoch() -> None:
    net = sim.noninteractive_pair(interval=60, length=3)
    up(net)
    assert net.drive(ms=3 * MINUTE, until=lambda: net.a.saw(RekeyNeeded)) and net.a.noninteractive.epoch == 3
    talk(net)
    assert net.drive(ms=2 * MINUTE, until=lambda: net.a.saw(Terminated))
    net.drive(ms=MINUTE)
    assert not net.a.is_established and not net.b.is_established and net.a.noninteractive.epoch is None
    assert net.a.noninteractive.peer.epoch is None
    with pytest.raises(NotEstablishedError):
        net.a.send(b"text")
    with pytest.raises(NotEstablishedError):
        net.a.go_on()
    up(net)
    talk(net)


def test_used_up_keys_begin_the_next_epoch() -> None:
    net = sim.noninteractive_pair()
    assert net.a.holder is not None
    peer = CredentialPeer.named(slot=1, own_id="device-a", id="device-b")
    net.a.association = Noninteractive(net.a.platform, peer, net.a.holder, rekey_after=4)
    up(net)
    for _ in range(10):
        net.a.send(b"text")
        net.drive(ms=100)
    assert len(net.b.received) == 10 and (net.b.noninteractive.epoch or 0) > 2
    talk(net)


def test_a_device_that_slept() -> None:
    """Its clock stood still for many epochs: a few messages, and it is where the other is."""
    net = sim.noninteractive_pair(interval=60)
    up(net)
    net.b.dead = True
    net.drive(ms=30 * MINUTE)
    net.b.dead = False
    assert net.a.noninteractive.epoch == 31 and net.b.noninteractive.epoch == 1
    net.trace.clear()
    net.a.send(b"lost")
    net.drive(ms=3_000)
    assert net.b.noninteractive.epoch == 31
    talk(net)
    assert len(net.trace) <= 6, names(net)


# ---- loss, copies, forgery ----


def test_what_is_replayed_or_forged_changes_nothing() -> None:
    net = sim.noninteractive_pair(interval=60)
    up(net)
    net.a.send(b"text")
    net.drive(ms=1_000)
    spare = [step.data for step in net.trace]
    for data in spare:
        for forged in (data, data[:-1], data[:-1] + bytes([data[-1] ^ 1]), data[:3], data + b"x"):
            net.b._input(net.a.address, forged)
            net.a._input(net.b.address, forged)
            net.drive(ms=100)
    net.drive(ms=30_000)
    assert len(net.b.received) == 1 and sum(net.b.association.drops.values()) > 10
    assert net.a.is_established and net.b.is_established
    talk(net)
    # Of an epoch that is long over.
    net.drive(ms=5 * MINUTE)
    before = net.b.noninteractive.epoch
    net.b._input(net.a.address, spare[-1])
    assert net.b.noninteractive.epoch == before and len(net.b.received) == 2
    talk(net)


def test_no_answer() -> None:
    net = sim.noninteractive_pair(link=sim.Link(loss=1.0))
    net.a.connect(net.b.address)
    with pytest.raises(WrongStateError):
        net.a.connect(net.b.address)
    assert net.drive(until=lambda: Failed(Stage.AUTHENTICATION, Reason.NO_ANSWER) in net.a.events)
    net.link = sim.GOOD
    up(net)


# ---- storage ----


@pytest.mark.parametrize("late", [0, 20 * MINUTE])
def test_a_restart(late: int) -> None:
    net = sim.noninteractive_pair(interval=60)
    up(net)
    net.drive(ms=3 * MINUTE)
    net.cut()
    net.b.dead = True
    net.drive(ms=late)
    restart(net, net.b)
    net.trace.clear()
    net.b.go_on()
    with pytest.raises(WrongStateError):
        net.b.go_on()
    assert net.drive(ms=20_000, until=lambda: net.b.saw(Resumed))
    net.drive(ms=5_000)
    assert "M1" not in names(net)
    talk(net)  # one may be an epoch ahead: what it says brings the other there
    assert net.a.noninteractive.epoch == net.b.noninteractive.epoch


def test_resumes_from_an_export() -> None:
    net = sim.noninteractive_pair(interval=60)
    up(net)
    net.drive(ms=3 * MINUTE)
    blob = net.b.association.export()
    restart(net, net.b)
    net.b.association.restore(blob)
    net.b.drain()
    net.drive(ms=20_000)
    talk(net)


@pytest.mark.parametrize("who", ["a", "b"])
def test_a_power_cut_at_every_write(who: str) -> None:
    for writes in range(5):
        net = sim.noninteractive_pair(writes, interval=60)
        node: sim.Node = getattr(net, who)
        node.writes_left = writes
        net.a.connect(net.b.address)
        net.drive(ms=5 * MINUTE, until=lambda: node.dead)
        assert node.dead, writes
        node.writes_left = None
        net.cut()
        restart(net, node)
        if node.noninteractive.peer.epoch is not None:
            node.go_on()
            net.drive(ms=60_000)
        if not node.is_established:
            # The other one may first have to give up what it had begun.
            for _ in range(2):
                node.connect((net.b if node is net.a else net.a).address)
                net.drive(until=lambda: net.a.is_established and net.b.is_established)
        net.drive(ms=2_000)
        assert net.a.is_established and net.b.is_established, writes
        talk(net)


def test_a_store_that_fails_keeps_back_what_depends_on_it() -> None:
    net = sim.noninteractive_pair()
    net.b.store_broken = True
    net.a.connect(net.b.address)
    net.drive(ms=10_000)
    assert "M4" not in names(net) and not net.a.is_established
    net.b.store_broken = False
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    talk(net)


def test_blobs() -> None:
    net = sim.noninteractive_pair(suite=SUITE_2)
    up(net)
    blob = net.a.stored[1]
    assert len(blob) <= CredentialPeer.BLOB_MAX
    again = CredentialPeer.restore(net.a.platform, slot=1, blob=blob, suite=SUITE_2)
    assert again.info == net.a.noninteractive.peer
    for suite in (SUITE_0, SUITE_FFC2048, SUITE_FFC3072):
        with pytest.raises(BadBlobError):
            CredentialPeer.restore(net.a.platform, slot=1, blob=blob, suite=suite)
    for wrong in (blob[:-1], blob + b"x", b"", bytes([blob[0]]) + bytes(len(blob) - 1)):
        with pytest.raises(BadBlobError):
            CredentialPeer.restore(net.a.platform, slot=1, blob=wrong, suite=SUITE_2)
    with pytest.raises(BlobRolledBackError):
        CredentialPeer.restore(net.a.platform, slot=1, blob=blob, suite=SUITE_2, floor=99)


# ---- the end of a credential ----


def test_a_revoked_device_is_turned_away() -> None:
    net = sim.noninteractive_pair()
    up(net)
    assert net.a.holder is not None and net.b.holder is not None and net.b.holder.credential is not None
    serial = net.b.holder.credential.serial
    revoked = RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW, serials=[serial])
    assert net.a.holder.revoke(revoked) and not net.a.holder.revoke(revoked) and net.a.holder.list_number == 1
    net.a.recheck()
    assert net.a.saw(Terminated) and not net.a.is_established
    net.b.connect(net.a.address)
    net.drive()
    assert not net.a.is_established and any(isinstance(event, Failed) for event in net.b.events)
    # Who learns that it is revoked itself has no credential.
    net.b.holder.revoke(revoked)
    net.b.recheck()
    with pytest.raises(NoCredentialError):
        net.b.connect(net.a.address)
    for number, agent in ((0, "agent"), (2, "another")):
        other = RevocationList.issue(sim.AGENT, agent=agent, number=number, issued_at=sim.NOW, serials=[])
        with pytest.raises(TicketRefusedError):
            net.a.holder.revoke(other)


def test_a_credential_that_is_over() -> None:
    net = sim.noninteractive_pair(hours=2)
    up(net)
    net.drive(ms=3 * 3600_000)
    assert net.a.saw(Terminated) and net.b.saw(Terminated)
    with pytest.raises(NoCredentialError):
        net.a.connect(net.b.address)


def test_a_credential_is_renewed_under_another_key() -> None:
    net = sim.noninteractive_pair(hours=48)
    up(net)
    assert net.issuer is not None and net.a.holder is not None
    before = net.a.holder.credential
    net.issuer.renew(net.a, slot=1, hours=100)
    talk(net)  # under the old key, to its end
    renewed = net.a.holder.credential
    assert renewed is not None and renewed != before
    peer = CredentialPeer.restore(net.a.platform, slot=1, blob=net.a.stored[1])
    net.a.association = Noninteractive(net.a.platform, peer, net.a.holder, key=0, next_key=1)
    up(net)
    assert net.b.noninteractive.peer.credential == renewed
    talk(net)


def test_without_a_clock_what_was_seen_moves_the_floor() -> None:
    net = sim.noninteractive_pair()
    assert net.issuer is not None
    platform = Platform(bytes([5]) * 32, wall=lambda: None)
    holder = Holder(platform, device="lamp", operator=net.issuer.operator)
    asked = CredentialRequest(platform, "lamp")
    credential, _ = holder.accept(asked, net.issuer.answer(asked.request, hours=10))
    holder.install(credential)
    assert holder.floor == sim.NOW
    later = RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW + 40_000, serials=[])
    assert holder.revoke(later) and holder.floor == sim.NOW + 40_000
    asked = CredentialRequest(platform, "lamp")
    with pytest.raises(TicketRefusedError, match="expired"):
        holder.accept(asked, net.issuer.answer(asked.request, hours=1))


# ---- issuing ----


def test_a_split_issue_refuses_what_is_not_its_answer() -> None:
    issuer, other = sim.Issuer(SUITE_2, 1), sim.Issuer(SUITE_2, 2)
    platform = Platform(bytes(32), wall=lambda: sim.NOW * 1000)
    holder = Holder(platform, device="lamp", operator=issuer.operator)
    asked = CredentialRequest(platform, "lamp", suite=SUITE_2)
    assert requested_device(asked.request, suite=SUITE_2) == asked.device == "lamp"
    answer = issuer.answer(asked.request)
    credential, key = holder.accept(asked, answer)
    assert issuer.operator.public_key(credential) == key.public_key and bytes(credential) == answer[:-32]
    again = CredentialRequest(platform, "lamp", suite=SUITE_2)
    stranger = CredentialRequest(platform, "lock", suite=SUITE_2)
    for wrong in (
        other.answer(asked.request), issuer.answer(again.request), issuer.answer(stranger.request), answer[:-1], b"",
        answer[:-1] + bytes([answer[-1] ^ 1]), bytes([answer[0] ^ 1]) + answer[1:],
    ):  # fmt: skip
        with pytest.raises(TicketRefusedError):
            holder.accept(asked, wrong)
    with pytest.raises(TicketRefusedError, match="not yet valid"):
        holder.accept(asked, issuer.answer(asked.request, issued_at=sim.NOW + 10_000))
    for request in (b"", asked.request[:-1], asked.request + b"x", b"\x00" + asked.request[5:]):
        with pytest.raises(TicketRefusedError):
            issuer.answer(request)
        with pytest.raises(TicketRefusedError):
            requested_device(request, suite=SUITE_2)
    with pytest.raises(TicketRefusedError):
        issuer.answer(asked.request, hours=0)
    with pytest.raises(BadArgumentError):
        holder.accept(CredentialRequest(platform, "lamp", suite=SUITE_0), answer)
    with pytest.raises(TicketRefusedError):
        CredentialRequest(platform, "")


def test_a_request_and_its_key_survive_a_restart() -> None:
    for suite in SUITES:
        issuer = sim.Issuer(suite)
        platform = Platform(bytes(32), wall=lambda: sim.NOW * 1000)
        holder = Holder(platform, device="lamp", operator=issuer.operator)
        asked = CredentialRequest(platform, "lamp", suite=suite)
        answer = issuer.answer(asked.request)
        restored = CredentialRequest.restore(platform, blob=asked.seal(platform), device="lamp", suite=suite)
        assert restored.request == asked.request
        credential, key = holder.accept(restored, answer)
        again = StaticKey.restore(platform, key.group, key.seal(platform))
        assert again.public_key == key.public_key and again.can_step
        with pytest.raises(BadBlobError):
            StaticKey.restore(Platform(bytes([1]) * 32), key.group, key.seal(platform))
        with pytest.raises(BadBlobError):
            StaticKey.restore(platform, "x25519", key.seal(platform))
        holder.check(credential, again)
        holder.install(credential)
        assert holder.needs_store
        blob, _ = holder.seal()
        holder.persisted()
        other = Holder.restore(platform, device="lamp", operator=issuer.operator, blob=blob)
        assert other.credential == credential and not other.needs_store and other.floor == sim.NOW
        with pytest.raises(BadBlobError):
            Holder.restore(platform, device="lock", operator=issuer.operator, blob=blob)
        key_again = OperatorKey.restore(platform, blob=issuer.key.seal(platform), suite=suite)
        assert key_again.public_key == issuer.key.public_key


def test_numbers_come_once() -> None:
    platform, agent = Platform(bytes(32)), TicketAgent("agent")
    key = OperatorKey.generate(platform, suite=SUITE_2)
    asked = CredentialRequest(platform, "lamp", suite=SUITE_2)
    with pytest.raises(WrongStateError, match="seal"):
        key.issue(platform, agent, asked.request, now=sim.NOW, life=1)
    agent.seal(platform)
    agent.persisted()
    answers = [key.issue(platform, agent, asked.request, now=sim.NOW, life=1) for _ in range(3)]
    assert len({answer[:4] for answer in answers}) == 3
    broken = Platform(bytes(32), rng=lambda n: b"")
    with pytest.raises(RngError):
        key.issue(broken, agent, asked.request, now=sim.NOW, life=1)
    with pytest.raises(RngError):
        CredentialRequest(broken, "lamp")


def test_issued_as_printed() -> None:
    platform, agent = Platform(bytes(32), wall=lambda: sim.NOW * 1000), TicketAgent("agent")
    agent.seal(platform)
    agent.persisted()
    for suite in (SUITE_0, SUITE_2, SUITE_FFC2048):
        key = OperatorKey.generate(platform, suite=suite)
        operator = CredentialOperator("agent", key=key.public_key, lists=sim.AGENT.public_key, suite=suite)
        issue = key.issue_printed_knowing_the_private_key
        credential, secret = issue(platform, agent, "lamp", now=sim.NOW, life=1)
        holder = Holder(platform, device="lamp", operator=operator)
        holder.check(credential, secret)
        other, _ = issue(platform, agent, "lamp", now=sim.NOW, life=1)
        with pytest.raises(TicketRefusedError):
            holder.check(other, secret)
        with pytest.raises(TicketRefusedError):
            holder.check(credential, StaticKey("x25519", bytes([7]) * 32))
        outside = StaticKey.external(secret.group, secret.public_key, power=lambda point: point)
        with pytest.raises(KeyFailedError):
            holder.check(credential, outside)
        holder.install(credential)


def test_keys_show_nothing() -> None:
    key = OperatorKey(bytes([7]) * 32, suite=SUITE_2)
    assert "07070707" not in repr(key) and repr(key).startswith("<OperatorKey of SUITE_2 ")
    platform = Platform(bytes(32))
    assert repr(CredentialRequest(platform, "lamp")) == "<CredentialRequest of 'lamp', SUITE_0>"
    for wrong in (bytes(32), b"\xff" * 32):
        with pytest.raises(BadArgumentError):
            OperatorKey(wrong, suite=SUITE_2)
    with pytest.raises(BadArgumentError):
        OperatorKey(bytes([7]) * 31)


# ---- arguments ----


def test_psk_on_both_sides_or_none() -> None:
    up(sim.noninteractive_pair(psk=bytes([3]) * 32))
    net = sim.noninteractive_pair(psk=bytes([3]) * 32)
    assert net.b.holder is not None
    other = CredentialPeer.named(slot=1, own_id="device-b", id="device-a", psk=bytes([4]) * 32)
    net.b.association = Noninteractive(net.b.platform, other, net.b.holder)
    net.a.connect(net.b.address)
    net.drive()
    assert not net.a.is_established and not net.b.is_established


def test_refused() -> None:
    net = sim.noninteractive_pair()
    holder, platform = net.a.holder, net.a.platform
    assert holder is not None and net.issuer is not None

    def peer() -> CredentialPeer:
        return CredentialPeer.named(slot=1, own_id="device-a", id="device-b")

    calls: list[Callable[[], object]] = [
        lambda: Noninteractive(platform, peer(), holder, interval=0),
        lambda: Noninteractive(platform, peer(), holder, length=0),
        lambda: Noninteractive(platform, peer(), holder, mtu=3),
        lambda: Noninteractive(platform, peer(), holder, tries=0),
    ]
    for refused in calls:
        with pytest.raises(BadArgumentError):
            refused()
    given = peer()
    Noninteractive(platform, given, holder)
    assert "given away" in repr(given)
    with pytest.raises(WrongStateError):
        Noninteractive(platform, given, holder)
    with pytest.raises(BadArgumentError, match="group"):
        Noninteractive(platform, CredentialPeer.named(slot=1, own_id="a", id="b", suite=SUITE_2), holder)
    with pytest.raises(BadArgumentError, match="suites"):
        CredentialPeer.named(slot=1, own_id="a", id="b", suite=SUITE_0_SYMMETRIC)
    for own, other in (("a", "a"), ("", "b"), ("a", "b" * 33)):
        with pytest.raises(BadArgumentError):
            CredentialPeer.named(slot=1, own_id=own, id=other)
    with pytest.raises(BadArgumentError):
        CredentialOperator("acme", key=bytes(31), lists=sim.AGENT.public_key)
    with pytest.raises(BadArgumentError):
        CredentialOperator("x" * 33, key=net.issuer.key.public_key, lists=sim.AGENT.public_key)
    with pytest.raises(BadArgumentError):
        Holder(platform, device="", operator=net.issuer.operator)
    empty = Holder(platform, device="device-a", operator=net.issuer.operator)
    assert empty.credential is None and "no credential" in repr(empty)
    with pytest.raises(NoCredentialError):
        Noninteractive(platform, peer(), empty).connect(b"address")
    assert net.a.holder is not None and net.b.holder is not None and net.b.holder.credential is not None
    with pytest.raises(TicketRefusedError, match="subject"):
        empty.install(net.b.holder.credential)
    with pytest.raises(NotEstablishedError):
        Noninteractive(platform, peer(), holder).go_on()


# ---- keys that live elsewhere ----


@pytest.mark.parametrize("suite", [SUITE_0, SUITE_2, SUITE_FFC2048], ids=str)
def test_a_key_that_gives_whole_points(suite: Suite) -> None:
    """A token that raises a whole point to the key, and is slow at times. Here its arithmetic is Python's own."""
    net = sim.noninteractive_pair(suite=suite, interval=60)
    asked, key = [0], net.a.key
    assert key is not None

    def power(point: bytes) -> bytes:
        asked[0] += 1
        if asked[0] % 3 == 1:
            raise BlockingIOError("a slow token")
        return whole(key, suite, point)

    net.a.platform.set_key(0, StaticKey.external(key.group, key.public_key, power=power))
    up(net)
    assert net.drive(ms=4 * MINUTE, until=lambda: net.a.noninteractive.epoch == net.b.noninteractive.epoch == 3)
    talk(net)
    assert asked[0] > 6


def whole(key: StaticKey, suite: Suite, point: bytes) -> bytes:
    """The whole element: elsewhere than in P-256 it is the shared secret."""
    secret = key.agree(point)
    if suite is not SUITE_2:
        return secret
    # Of the two points with this x the one that belongs to the key: P^k G^k = (P G)^k tells them apart.
    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    base = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )
    own = _lift(int.from_bytes(key.public_key), p)
    sum_of = _add((int.from_bytes(point[1:33]), int.from_bytes(point[33:])), base, p)
    x = int.from_bytes(secret)
    both = int.from_bytes(key.agree(b"\x04" + sum_of[0].to_bytes(32) + sum_of[1].to_bytes(32)))
    y = next(y for y in (_lift(x, p)[1], p - _lift(x, p)[1]) if _add((x, y), own, p)[0] == both)
    return b"\x04" + x.to_bytes(32) + y.to_bytes(32)


def _lift(x: int, p: int) -> tuple[int, int]:
    y = pow(x**3 - 3 * x + 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B, (p + 1) // 4, p)
    return x, y if y % 2 == 0 else p - y


def _add(one: tuple[int, int], other: tuple[int, int], p: int) -> tuple[int, int]:
    slope = (other[1] - one[1]) * pow(other[0] - one[0], -1, p) % p
    x = (slope * slope - one[0] - other[0]) % p
    return x, (slope * (one[0] - x) - one[1]) % p


def test_a_token_that_gives_x_alone_is_refused() -> None:
    net = sim.noninteractive_pair(suite=SUITE_2)
    key, holder = net.a.key, net.a.holder
    assert key is not None and holder is not None
    peer = CredentialPeer.named(slot=1, own_id="device-a", id="device-b", suite=SUITE_2)
    net.a.platform.set_key(0, StaticKey.external("p256", key.public_key, lambda point: key.agree(point)))
    with pytest.raises(BadArgumentError, match="x alone"):
        Noninteractive(net.a.platform, peer, holder)
    net.a.platform.set_key(0, key)
    assert peer.info.id == "device-b", "what was refused leaves the peer where it was"
    Noninteractive(net.a.platform, peer, holder)
    with pytest.raises(BadArgumentError, match="callable"):
        StaticKey.external("p256", key.public_key)
    with pytest.raises(BadArgumentError, match="x25519"):
        StaticKey.external("x25519", StaticKey("x25519", bytes([7]) * 32).public_key, power=lambda point: point)
    with pytest.raises(WrongStateError):
        StaticKey.external("p256", key.public_key, power=lambda point: point).seal(net.a.platform)


def test_a_token_that_fails_ends_what_needed_it() -> None:
    net = sim.noninteractive_pair(interval=60)
    up(net)
    assert net.a.key is not None

    def power(_: bytes) -> bytes:
        raise OSError("the token was pulled")

    net.a.platform.set_key(0, StaticKey.external("ristretto255", net.a.key.public_key, power=power))
    with Raised():
        net.drive(ms=4 * MINUTE)
    assert Failed(Stage.AUTHENTICATION, Reason.RESOURCE) in net.a.events and not net.a.is_established
    net.a.platform.set_key(0, net.a.key)
    up(net)
    talk(net)


class Raised:
    """What a token raises is told by `sys.unraisablehook`."""

    def __enter__(self) -> None:
        self.told: list[object] = []
        self.before, sys.unraisablehook = sys.unraisablehook, self.told.append

    def __exit__(self, *_: object) -> None:
        sys.unraisablehook = self.before
        assert self.told


# ---- many ----


def test_many_in_a_hub() -> None:
    """Devices with credentials around one hub, beside others with tickets and of the history scheme."""
    clock = [1000]
    issuer = sim.Issuer()

    def made(name: str) -> tuple[Platform, Holder]:
        secret = name.encode().ljust(32)
        platform = Platform(secret, clock=lambda: clock[0], wall=lambda: sim.NOW * 1000 + clock[0])
        holder = Holder(platform, device=name, operator=issuer.operator)
        asked = CredentialRequest(platform, name)
        credential, key = holder.accept(asked, issuer.answer(asked.request))
        platform.set_key(0, key)
        holder.install(credential)
        return platform, holder

    middle, own = made("hub")
    hub = Hub(middle, capacity=10)
    at_hub, devices = [], []
    for number in range(3):
        name = f"d{number}"
        at_hub.append(Noninteractive(middle, CredentialPeer.named(slot=number, own_id="hub", id=name), own))
        hub.insert(at_hub[-1])
        platform, holder = made(name)
        devices.append(Noninteractive(platform, CredentialPeer.named(slot=0, own_id=name, id="hub"), holder))
    wallet = iotkm.Wallet(middle, device="hub", agent="agent", key=sim.AGENT.public_key)
    hub.insert(iotkm.Interactive(middle, iotkm.TicketPeer.named(slot=8, own_id="hub", id="d1"), wallet))
    triple = iotkm.Triple(*[bytes([n]) * 32 for n in (1, 2, 3)])
    hub.insert(iotkm.History(middle, iotkm.Peer.provisioned(slot=9, own_id=b"hub", id=b"d1", triple=triple)))

    to_hub: list[tuple[int, bytes]] = []
    from_hub: list[tuple[int, bytes]] = []

    def pump() -> None:
        for number, device in enumerate(devices):
            while not isinstance(output := device.poll(), iotkm.Idle):
                match output:
                    case iotkm.Datagram(_, data):
                        to_hub.append((number, data))
                    case iotkm.Persist(slot):
                        device.persisted(slot)
        while True:
            member, out = hub.poll()
            match out:
                case iotkm.Datagram(to, data):
                    from_hub.append((to[0], data))
                case iotkm.Persist(slot):
                    assert member is not None
                    member.persisted(slot)
                case iotkm.Idle():
                    return

    for device in devices:
        device.connect(b"hub")
    for _ in range(20):
        clock[0] += 10
        for device in devices:
            device.handle_timeout()
        hub.handle_timeout()
        pump()
        for number, data in to_hub[:]:
            to_hub.remove((number, data))
            hub.handle_input(bytes([number]), data)
            pump()
        for number, data in from_hub[:]:
            from_hub.remove((number, data))
            devices[number].handle_input(b"hub", data)
            pump()
    assert all(device.is_established for device in devices) and all(member.is_established for member in at_hub)
    for number, device in enumerate(devices):
        found = hub.handle_input(bytes([number]), device.send(b"text %d" % number).data)
        assert found is not None and found[0] is at_hub[number] and found[1].payload == b"text %d" % number
