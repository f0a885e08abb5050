"""The interactive scheme: two devices with tickets, from first contact to a stolen one's end."""

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
    Established,
    Failed,
    Hub,
    Interactive,
    KeyReplaced,
    NoCredentialError,
    NotEstablishedError,
    PeerAlive,
    Platform,
    Reason,
    RevocationList,
    Stage,
    StaticKey,
    Suite,
    SuiteMismatchError,
    Terminated,
    TicketPeer,
    Wallet,
    WrongStateError,
    sim,
)


def up(net: sim.Net) -> None:
    net.a.connect(net.b.address)
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    net.drive(ms=20_000)


def talk(net: sim.Net) -> None:
    for sender, receiver in ((net.a, net.b), (net.b, net.a)):
        before = len(receiver.received)
        sender.send(b"text")
        assert net.drive(until=lambda: len(receiver.received) > before, ms=5_000)
        assert receiver.received[-1].payload == b"text"


def names(net: sim.Net) -> list[str]:
    return [sim.name(step.data) for step in net.trace]


@pytest.mark.parametrize("suite", [SUITE_0, SUITE_1, SUITE_2, SUITE_4, SUITE_FFC2048, SUITE_FFC3072], ids=str)
def test_first_contact_and_again(suite: Suite) -> None:
    net = sim.interactive_pair(suites=[suite])
    up(net)
    assert net.a.association.fingerprint == net.b.association.fingerprint
    assert net.a.saw(Established) and net.b.saw(Established)
    for node in (net.a, net.b):
        assurance, peer = node.association.assurance, node.interactive.peer
        assert assurance is not None and assurance.authenticated == "holder"
        assert peer.suite == suite.name and peer.generation == 2 and peer.ticket is not None
    assert net.a.interactive.peer.ticket == (net.b.wallet and net.b.wallet.ticket)
    talk(net)
    exporter = net.a.association.exporter(b"label", b"", 32)
    assert exporter == net.b.association.exporter(b"label", b"", 32)
    # The next time there is a common key: no tickets, and both keys are new.
    net.trace.clear()
    net.b.connect(net.a.address)
    assert net.drive(until=lambda: net.b.interactive.peer.generation == 3)
    net.drive(ms=20_000)
    assert [name for name in names(net) if name[0] in "MK"] == ["K1", "K2", "K3", "K4"]
    assert net.b.saw(KeyReplaced) and net.a.association.exporter(b"label", b"", 32) != exporter
    talk(net)


def test_a_bad_link() -> None:
    for seed in range(5):
        net = sim.interactive_pair(seed, sim.BAD)
        net.a.connect(net.b.address)
        assert net.drive(until=lambda: net.a.is_established and net.b.is_established), seed


def test_ping() -> None:
    net = sim.interactive_pair()
    with pytest.raises(NotEstablishedError):
        net.a.ping(net.b.address)
    up(net)
    net.trace.clear()
    net.a.ping(net.b.address)
    with pytest.raises(WrongStateError):
        net.a.ping(net.b.address)
    assert net.drive(until=lambda: net.a.saw(PeerAlive))
    assert names(net)[:2] == ["PING", "PONG"]
    net.link = sim.Link(loss=1.0)
    net.a.ping(net.b.address)
    assert net.drive(until=lambda: Failed(Stage.PING, Reason.NO_ANSWER) in net.a.events)
    net.link = sim.GOOD
    talk(net)


def test_a_ticket_is_renewed_on_a_living_association() -> None:
    net = sim.interactive_pair(days=10)
    up(net)
    assert net.a.wallet is not None and net.a.key is not None
    new = sim.ticket("device-a", net.a.key, 9, days=20)
    net.a.wallet.install(new)
    net.trace.clear()
    net.a.recheck()
    assert net.drive(until=lambda: net.b.interactive.peer.ticket == new)
    assert set(names(net)) == {"control"}
    talk(net)


def test_a_revoked_device_is_turned_away() -> None:
    net = sim.interactive_pair()
    up(net)
    revoked = RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=sim.NOW, serials=[2])
    assert net.a.wallet is not None
    net.a.wallet.revoke(revoked)
    net.a.recheck()
    assert net.a.saw(Terminated) and not net.a.is_established
    net.b.connect(net.a.address)
    net.drive()
    assert not net.a.is_established and any(isinstance(event, Failed) for event in net.b.events)
    # By name beforehand: it is no stranger, and still does not get in.
    net.b.authenticate(net.a.address)
    net.drive()
    assert not net.a.is_established


def test_a_ticket_that_is_over() -> None:
    net = sim.interactive_pair(days=1)
    up(net)
    net.now += 86_400_000
    net.drive(ms=4_000_000)
    assert net.a.saw(Terminated) or not net.a.is_established
    with pytest.raises(NoCredentialError):
        net.a.connect(net.b.address)


def test_psk_on_both_sides_or_none() -> None:
    net = sim.interactive_pair(psk=bytes([3]) * 32)
    up(net)
    net = sim.interactive_pair(psk=bytes([3]) * 32)
    assert net.b.wallet is not None
    other = TicketPeer.named(slot=1, own_id="device-b", id="device-a", psk=bytes([4]) * 32)
    net.b.association = Interactive(net.b.platform, other, net.b.wallet)
    net.a.connect(net.b.address)
    net.drive()
    assert not net.a.is_established and not net.b.is_established


def test_a_restart() -> None:
    net = sim.interactive_pair()
    up(net)
    for node in (net.a, net.b):
        assert node.wallet is not None
        peer = TicketPeer.restore(node.platform, slot=1, blob=node.stored[1])
        assert peer.info.generation == 2 and "device-" in repr(peer)
        seen = iotkm.inspect(node.stored[1])
        assert seen["what"] == "stored interactive peer" and seen["ticket"]["bytes"] > 150
        assert seen["bytes"] == 1 + 4 + 16 + seen["sealed_bytes"] + seen["ticket"]["bytes"] + 2
        node.association = Interactive(node.platform, peer, node.wallet)
    net.cut()
    net.trace.clear()
    up(net)
    assert "M1" not in names(net)
    talk(net)


def test_resumes_from_an_export() -> None:
    net = sim.interactive_pair()
    up(net)
    blob = net.b.association.export()
    assert net.b.wallet is not None
    peer = TicketPeer.restore(net.b.platform, slot=1, blob=net.b.stored[1])
    net.b.association = Interactive(net.b.platform, peer, net.b.wallet)
    net.b.association.restore(blob)
    net.b.drain()
    net.drive(ms=20_000)
    talk(net)


def test_refused() -> None:
    net = sim.interactive_pair()
    wallet, platform = net.a.wallet, net.a.platform
    assert wallet is not None

    def peer() -> TicketPeer:
        return TicketPeer.named(slot=1, own_id="device-a", id="device-b")

    for suites in ([], [SUITE_0_SYMMETRIC], [SUITE_0, SUITE_2], [SUITE_0, SUITE_0], [SUITE_0] * 9):
        with pytest.raises(BadArgumentError):
            Interactive(platform, peer(), wallet, suites=suites)
    given = peer()
    Interactive(platform, given, wallet)
    assert "given away" in repr(given)
    with pytest.raises(WrongStateError):
        Interactive(platform, given, wallet)
    for own, other in (("a", "a"), ("", "b"), ("a", "b" * 33)):
        with pytest.raises(BadArgumentError):
            TicketPeer.named(slot=1, own_id=own, id=other)
    with pytest.raises(BadArgumentError):
        TicketPeer.named(slot=1, own_id="a", id="b", psk=bytes(31))
    with pytest.raises(BadArgumentError):
        TicketPeer.anyone(slot=1, own_id="a", scope="x" * 33)
    with pytest.raises(BadArgumentError):
        iotkm.Peer.provisioned(
            slot=1, own_id=b"a", id=b"b", triple=iotkm.Triple(*[bytes([n]) * 32 for n in (1, 2, 3)]), suite=SUITE_FFC2048
        )
    empty = Wallet(platform, device="device-a", agent="agent", key=sim.AGENT.public_key)
    with pytest.raises(NoCredentialError):
        Interactive(platform, peer(), empty).connect(b"address")
    up(net)
    stored = TicketPeer.restore(platform, slot=1, blob=net.a.stored[1])
    with pytest.raises(SuiteMismatchError):
        Interactive(platform, stored, wallet, suites=[SUITE_4])
    assert stored.info.id == "device-b", "what was refused leaves the peer where it was"


def test_keys_that_live_elsewhere() -> None:
    asked: list[bytes] = []

    def external(node: sim.Node, key: StaticKey) -> StaticKey:
        def agree(share: bytes) -> bytes:
            asked.append(share)
            if len(asked) == 1:
                raise BlockingIOError("a slow token")
            return key.agree(share)

        return StaticKey.external("p256", key.public_key, agree)

    net = sim.interactive_pair(suites=[SUITE_2])
    node = net.a
    assert node.key is not None
    platform = Platform(
        bytes([1]) * 32, clock=lambda: net.now, wall=lambda: sim.NOW * 1000 + net.now, keys={0: external(node, node.key)}
    )
    node.platform = platform
    wallet = Wallet(platform, device="device-a", agent="agent", key=sim.AGENT.public_key)
    wallet.install(sim.ticket("device-a", node.key, 1))
    node.association = Interactive(
        platform, TicketPeer.named(slot=1, own_id="device-a", id="device-b"), wallet, suites=[SUITE_2]
    )
    up(net)
    talk(net)
    assert len(asked) == 3 and {len(share) for share in asked} == {65}  # the first came to nothing
    # What it shares with the peer's own key is remembered: the second time one question is enough.
    node.authenticate(net.b.address)
    net.drive(ms=20_000)
    assert len(asked) == 4
    talk(net)


def test_many_in_a_hub() -> None:
    """Devices with tickets around one hub, beside one of the history scheme."""
    clock = [1000]
    keys = {name: StaticKey("x25519", bytes([number + 1]) * 32) for number, name in enumerate(["hub", "d0", "d1", "d2"])}

    def platform(name: str) -> Platform:
        secret = keys[name].public_key
        return Platform(secret, clock=lambda: clock[0], wall=lambda: sim.NOW * 1000 + clock[0], keys={0: keys[name]})

    def wallet(of: Platform, name: str, serial: int) -> Wallet:
        made = Wallet(of, device=name, agent="agent", key=sim.AGENT.public_key)
        made.install(sim.ticket(name, keys[name], serial))
        return made

    middle = platform("hub")
    purse, hub = wallet(middle, "hub", 1), Hub(middle, capacity=10)
    at_hub, devices = [], []
    for number in range(3):
        name = f"d{number}"
        at_hub.append(Interactive(middle, TicketPeer.named(slot=number, own_id="hub", id=name), purse))
        hub.insert(at_hub[-1])
        own = platform(name)
        peer = TicketPeer.named(slot=0, own_id=name, id="hub")
        devices.append(Interactive(own, peer, wallet(own, name, number + 2)))
    triple = iotkm.Triple(*[bytes([n]) * 32 for n in (1, 2, 3)])
    hub.insert(iotkm.History(middle, iotkm.Peer.provisioned(slot=9, own_id=b"hub", id=b"lamp", triple=triple)))

    to_hub: list[tuple[int, bytes]] = []
    from_hub: list[tuple[int, bytes]] = []
    got: list[tuple[object, bytes]] = []

    def pump() -> None:
        for number, device in enumerate(devices):
            while not isinstance(output := device.poll(), iotkm.Idle):
                match output:
                    case iotkm.Datagram(_, data):
                        to_hub.append((number, data))
                    case iotkm.Persist(slot):
                        device.persisted(slot)
        while True:
            member, output = hub.poll()
            match output:
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
        pump()
        for number, data in to_hub[:]:
            to_hub.remove((number, data))
            found = hub.handle_input(bytes([number]), data)
            if found is not None:
                got.append((found[0], found[1].payload))
            pump()
        for number, data in from_hub[:]:
            from_hub.remove((number, data))
            devices[number].handle_input(b"hub", data)
            pump()
    assert all(device.is_established for device in devices) and all(member.is_established for member in at_hub)
    for number, device in enumerate(devices):
        found = hub.handle_input(bytes([number]), device.send(b"text %d" % number).data)
        assert found is not None and found[0] is at_hub[number] and found[1].payload == b"text %d" % number
