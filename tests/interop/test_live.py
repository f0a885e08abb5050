"""The second implementation with the package, in memory, in both roles."""

from random import Random

import iotkm
import pytest
from iotkm import Failed, Hub, PeerMoved, Reason, Terminated
from live import Clock, Link, Wheel, node, wheel_history, wheel_pairing, wheel_platform
from second import cpace, pairing, records, update
from second.crypto import SUITES, Triple
from second.exchange import Pair
from second.node import Pairing

# History runs on curves alone.
NAMES = [f"{number}{twin}" for number in SUITES if number >= 0 for twin in ("", "_SYMMETRIC")]
TRIPLE = Triple(b"\x11" * 32, b"\x22" * 32, b"\x33" * 32)
WHO = ["mine", "theirs"]


def theirs(name):
    return getattr(iotkm, f"SUITE_{name}")


def pair_of(name, lower=True, psk=None):
    """The second implementation's view; it has the lower id or not."""
    ids = (b"gateway", b"sensor") if lower else (b"sensor", b"gateway")
    number, _, symmetric = name.partition("_")
    return Pair(*ids, SUITES[int(number)], not symmetric, psk)


def link_of(name="0", lower=True, psk=None, mine=None, options=None, **wire):
    pair, clock = pair_of(name, lower, psk), Clock()
    wheel = wheel_history(pair, theirs(name), TRIPLE, clock, **(options or {}))
    return Link(node(pair, TRIPLE, clock, **(mine or {})), wheel, clock, **wire)


def agreed(link):
    session = link.mine.session
    return session is not None and link.theirs.association.fingerprint == records.readable(session.fingerprint)


def generation(link, number):
    return agreed(link) and (link.mine.triple.generation, link.theirs.association.peer.generation) == (number, number)


def talk(link, count=3):
    for n in range(count):
        link.clock.now += 7
        link.say(link.mine, b"21.%d C" % n)
        link.say(link.theirs, b"thanks, %d" % n)


@pytest.mark.parametrize("lower", [True, False], ids=["lower", "higher"])
@pytest.mark.parametrize("first", WHO)
@pytest.mark.parametrize("name", NAMES)
def test_life(name, first, lower):
    link = link_of(name, lower)
    first = getattr(link, first)
    second = link.other(first)
    link.call(first, "connect")
    assert agreed(link) and link.mine.session.initiator == (first is link.mine)
    talk(link)
    for label, context, length in ((b"mqtt", b"room 5", 40), (b"", b"", 1), (b"x" * 255, b"y" * 300, 100)):
        assert link.mine.exporter(label, context, length) == link.theirs.association.exporter(label, context, length)
    for place, asker in enumerate((first, second, first), 1):
        link.call(asker, "update")
        assert generation(link, place)
        assert link.mine.session.initiator == (asker is link.mine)
        talk(link)
    for restarted in (second, first, second):
        before = link.mine.session.fingerprint
        if restarted is link.mine:
            link.carry(link.mine, link.mine.restart(link.mine.export()))
        else:
            link.carry(link.theirs, link.theirs.restarted())
        assert agreed(link) and link.mine.session.fingerprint != before
        assert not link.mine.r3
        talk(link)
        assert link.mine.exporter(b"a", b"b", 32) == link.theirs.association.exporter(b"a", b"b", 32)
    link.call(first, "update")
    assert generation(link, 4)
    link.call(second, "connect")
    assert generation(link, 4)
    talk(link)
    assert not link.theirs.saw(Failed) and not any(link.theirs.association.drops.values())
    assert not [event for event in link.mine.events if event[0] == "dropped"]


@pytest.mark.parametrize("first", WHO)
@pytest.mark.parametrize("name", ["0", "5_SYMMETRIC"])
def test_psk_connection_ids_small_datagrams(name, first):
    link = link_of(name, psk=b"\x44" * 32, mine={"cid": b"\xa1", "mtu": 48}, options={"cid": b"\xb1\xb2\xb3", "mtu": 40})
    first = getattr(link, first)
    link.call(first, "connect")
    assert agreed(link)
    for place, asker in enumerate((first, link.other(first)), 1):
        for end in (first, link.other(first)):
            link.carry(end, [end.send(b"!")])
        link.call(asker, "update")
        assert generation(link, place)
    assert max(len(datagram) for end, datagram in link.seen if end is link.theirs) <= 40


@pytest.mark.parametrize("first", WHO)
@pytest.mark.parametrize("name", ["1", "3_SYMMETRIC"])
def test_loss(name, first):
    for seed in range(10):
        lossy_life(link_of(name, loss=0.3, seed=seed), first)


def lossy_life(link, first):
    first = getattr(link, first)
    link.call(first, "connect")
    link.wait(lambda: agreed(link))
    for n in range(12):
        for end in (link.mine, link.theirs):
            link.carry(end, [end.send(b"%d" % n)])
    link.call(link.other(first), "update")
    link.wait(lambda: generation(link, 1))


@pytest.mark.parametrize("lower", [True, False], ids=["lower", "higher"])
def test_both_at_once(lower):
    link = link_of(lower=lower)
    mine, yours = link.mine.connect(), link.theirs.connect()
    link.carry(link.mine, mine)
    link.carry(link.theirs, yours)
    assert agreed(link)
    assert link.mine.session.initiator == lower
    talk(link)
    mine, yours = link.mine.update(), link.theirs.update()
    link.carry(link.mine, mine)
    link.carry(link.theirs, yours)
    link.wait(lambda: generation(link, 1))
    assert link.mine.session.initiator == lower
    mine = link.mine.restart(link.mine.export())
    yours = link.theirs.restarted()
    link.carry(link.mine, mine)
    link.carry(link.theirs, yours)
    link.wait(lambda: agreed(link))
    talk(link)


@pytest.mark.parametrize("first", WHO)
def test_generations(first):
    link = link_of(options={"rekey_after": 4})
    link.call(getattr(link, first), "connect")
    start = link.mine.session.out.generation
    talk(link, 20)
    assert link.mine.session.out.generation >= start + 4
    # This side's turn: moves first, and the wheel follows.
    for _ in range(3):
        before = link.mine.session.out.generation
        link.mine.session.advance()
        talk(link)
        assert link.mine.session.back.generation > before


def test_record_numbers_wrap():
    link = link_of("4")
    link.call(link.mine, "connect")
    for number in (0x7FFF, 0xFFFE, 0x17FFF, 0x1FFFE):
        link.mine.session.out.next = number
        talk(link, 4)
    for _ in range(66_000):
        record = link.theirs.send(b"")
    link.carry(link.theirs, [record])
    link.mine.session.back.next = 65_900  # as one that got them would be
    talk(link, 200)
    assert link.mine.session.back.next > 0x10000


def test_a_record_moves_the_peer():
    link = link_of()
    link.call(link.mine, "connect")
    (challenge,) = link.theirs.input(link.mine.send(b"from elsewhere"), b"another")
    (response,) = link.mine.input(challenge)
    link.theirs.input(response, b"another")
    assert link.theirs.saw(PeerMoved)[0].to == b"another"


def test_a_challenge_is_answered():
    link = link_of()
    link.call(link.mine, "connect")
    (answer,) = link.theirs.input(link.mine._inside(bytes([records.CHALLENGE]) + b"12345678")[0])
    assert link.mine.session.open(answer)[:2] == (True, bytes([records.RESPONSE]) + b"12345678")


@pytest.mark.parametrize("first", WHO)
def test_close(first):
    link = link_of()
    link.call(link.theirs, "connect")
    if first == "mine":
        link.carry(link.mine, link.mine._inside(bytes([records.CLOSED_SESSION])))
    else:
        link.theirs.association.close()
        link.carry(link.theirs, link.theirs.drained())
        assert link.mine.session is None
    assert link.theirs.saw(Terminated) and not link.theirs.association.is_established


def test_mine_was_rolled_back():
    link = link_of()
    link.call(link.mine, "connect")
    talk(link)
    link.call(link.theirs, "update")
    assert generation(link, 1)
    run = link.mine.run
    link.mine = node(link.mine.pair, TRIPLE, link.clock)
    link.mine.run = run
    link.call(link.mine, "connect")
    assert link.mine.events == [("rolled back",)]


def test_theirs_was_rolled_back():
    link = link_of()
    link.call(link.theirs, "connect")
    talk(link)
    old = link.theirs.stored[1]
    link.call(link.mine, "update")
    assert generation(link, 1)
    platform = link.theirs.platform
    link.theirs = Wheel(iotkm.History(platform, iotkm.Peer.restore(platform, slot=1, blob=old)), platform)
    link.call(link.theirs, "connect")
    assert [event.reason for event in link.theirs.saw(Failed)] == [Reason.PAIR_AGAIN]


def test_refused():
    link = link_of()
    link.call(link.mine, "connect")
    talk(link)
    # Records that the wheel never sent, then one that it did.
    real = dict(link.mine.received)
    link.mine.received = {(1, 0, n): tuple(bytes([n, part]) * 8 for part in range(3)) for n in range(100, 103)} | real
    link.mine.attempt = 7
    link.call(link.mine, "update")
    assert generation(link, 1)


def test_refused_for_its_attempt():
    link = link_of()
    link.call(link.mine, "connect")
    talk(link)
    link.mine.attempt = 6
    ask = link.mine.update()
    (answer,) = link.theirs.input(ask[0])
    (again,) = link.theirs.input(link.mine.timeout()[0])
    assert link.mine.session.open(answer)[1] == link.mine.session.open(again)[1]
    # As if it had never asked and forgotten more: refused with what was answered, and asked above that.
    link.mine.attempt, heard = 4, []
    refuse = link.mine._refuse
    link.mine._refuse = lambda body: heard.append(update.read_refuse(link.mine.session, body)) or refuse(body)
    link.call(link.mine, "update")
    assert heard == [(5, 7, 0)]
    assert generation(link, 1)
    # Neither the record nor the attempt: the attempt counts first. A refusal is no answer.
    talk(link)
    link.mine.attempt, link.mine.received = 6, {(9, 9, 9): (bytes(16),) * 3}
    link.mine._refuse = lambda body: heard.append(update.read_refuse(link.mine.session, body)) or []
    for _ in range(2):
        link.mine.attempt = 2
        link.call(link.mine, "update")
    assert heard[1:] == [(3, 0, 1)] * 2


@pytest.mark.parametrize("run", [15, 16, 0x12345678, 0xFFFF_FFF0])
def test_run_numbers(run):
    link = link_of()
    link.mine.run = run
    link.call(link.mine, "connect")
    assert agreed(link)
    talk(link)
    link.call(link.mine, "update")
    assert generation(link, 1)


def test_a_busy_hub_wants_a_cookie():
    clock = Clock()
    pairs = [pair_of("0"), Pair(b"tracker", b"sensor", SUITES[0], True)]
    platform = wheel_platform(clock)
    wheels = [wheel_history(pair, theirs("0"), TRIPLE, clock, platform) for pair in pairs]
    hub = Hub(platform, capacity=2, busy=0)
    for wheel in wheels:
        hub.insert(wheel.association)
    busy, mine = (node(pair, TRIPLE, clock) for pair in pairs)

    def through(source, datagrams):
        answers = []
        for datagram in datagrams:
            hub.handle_input(source, datagram)
            while not isinstance((output := hub.poll())[1], iotkm.Idle):
                if isinstance(output[1], iotkm.Datagram):
                    answers.append(output[1].data)
        return answers

    through(b"busy", busy.connect())
    sent, cookies = mine.connect(), 0
    while sent:
        answers = through(b"mine", sent)
        cookies += sum(answer[:2] == b"\x10\x20" for answer in answers)
        sent = [datagram for answer in answers for datagram in mine.input(answer)]
    assert mine.session and cookies == 1


PAIRINGS = [("0", "ristretto255"), ("4_SYMMETRIC", "ristretto255"), ("2", "P-256"), ("5", "P-256"), ("1_SYMMETRIC", "P-256")]


def paired(name, group, initiator, ids, sk=b"correct horse", times=(0, 0)):
    clock, draw = Clock(), Random(5).randbytes
    number, _, symmetric = name.partition("_")
    wheel = wheel_pairing(ids[1], theirs(name), group, clock)
    role = pairing.Initiator if initiator else pairing.Responder
    side = role(ids[0], SUITES[int(number)], not symmetric, cpace.GROUPS[group], sk, draw)
    mine = Pairing(side, b"roof", lambda: clock.unix() + times[0])
    link = Link(mine, wheel, clock)
    if initiator:
        wheel.association.listen(b"correct horse", window_ms=60_000)
        link.carry(wheel, wheel.drained())
        link.carry(mine, mine.start())
    else:
        wheel.association.start(b"second", b"correct horse")
        link.carry(wheel, wheel.drained())
    return link, wheel


@pytest.mark.parametrize("ids", [(b"a", b"sensor-number-16"), (b"sensor-number-16", b"a")], ids=["lower", "higher"])
@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
@pytest.mark.parametrize("name,group", PAIRINGS)
def test_pairing(name, group, initiator, ids):
    for earlier in (-5, 0, 5):
        link, wheel = paired(name, group, initiator, ids, times=(earlier, 0))
        assert wheel.saw(iotkm.Paired)[0].fingerprint == records.readable(link.mine.fingerprint)
        peer = wheel.association.take_peer()
        number, _, symmetric = name.partition("_")
        pair = Pair(ids[0], link.mine.side.peer, SUITES[int(number)], not symmetric)
        assert pair.peer == ids[1] and peer.info.id == ids[0]
        history = Wheel(iotkm.History(wheel.platform, peer), wheel.platform)
        talking = Link(node(pair, link.mine.triple, link.clock), history, link.clock)
        talking.call(talking.mine, "connect")
        assert agreed(talking)


@pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])
def test_pairing_with_another_secret(initiator):
    link, wheel = paired("0", "ristretto255", initiator, (b"a", b"b"), sk=b"battery staple")
    assert link.mine.triple is None and not wheel.saw(iotkm.Paired)
