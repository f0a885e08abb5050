"""The second implementation of the noninteractive scheme with the package, in memory, in both roles."""

from functools import partial
from random import Random

import iotkm
import pytest
from iotkm import RekeyNeeded, Resumed, RevocationList, Terminated, sim
from live import noninteractive_link
from second import records
from second.crypto import SUITES, Watch

MINUTE = 60_000
NUMBERS = [number for number in SUITES if number >= 0]
WHO = ["mine", "theirs"]


def link_of(number=0, **wanted):
    Watch.see = None
    return noninteractive_link(number, getattr(iotkm, f"SUITE_{number}"), **wanted)


def agreed(link):
    session = link.mine.session
    return session is not None and link.theirs.association.fingerprint == records.readable(session.fingerprint)


def both_in(link, epoch):
    return agreed(link) and (link.mine.session.epoch, link.theirs.epoch) == (epoch, epoch)


def say(link, end, text):
    """A message that must arrive at once."""
    link.carry(end, [end.send(text)])
    got = link.theirs.payloads[-1][2] if end is link.mine else link.mine.payloads[-1]
    assert got == text


def talk(link):
    for n, end in enumerate((link.mine, link.theirs) * 2):
        say(link, end, b"21.%d C" % n)


def pass_time(link, clocks, epochs=1):
    """For both, minute by minute: nobody says anything."""
    before = len(link.seen)
    for _ in range(epochs):
        for clock in clocks:
            clock.now += MINUTE
        for end in (link.mine, link.theirs):
            link.call(end, "timeout")
    assert len(link.seen) == before


def undisturbed(link):
    return not any(link.theirs.association.drops.values()) and not [e for e in link.mine.events if e[0] == "dropped"]


# ristretto255 is slow in Python: suites 1 and 4 begin at one side only.
LIVES = [(number, first) for number in NUMBERS for first in WHO if (number, first) not in ((1, "mine"), (4, "theirs"))]


@pytest.mark.parametrize("number,first", LIVES)
def test_life(number, first):
    # Who starts, who has the lower name and who is the operator: each is the second implementation, or the package.
    lower, ours = number in (0, 3, 4), (number < 3) == (first == "mine")
    link, clocks = link_of(number, lower=lower, ours=ours)
    first = getattr(link, first)
    second = link.other(first)
    link.call(first, "connect")
    assert both_in(link, 1) and len(link.seen) == 4
    talk(link)
    exporter = link.mine.session.exporter(b"mqtt", b"room 5", 40)
    assert exporter == link.theirs.association.exporter(b"mqtt", b"room 5", 40)
    pass_time(link, clocks)
    assert both_in(link, 2)
    talk(link)
    pass_time(link, clocks, 3)
    assert both_in(link, 5)
    talk(link)
    # A handshake again, by reference, by the other.
    before, fingerprint = sum(len(datagram) for _, datagram in link.seen[:4]), link.mine.session.fingerprint
    at = len(link.seen)
    link.call(second, "connect")
    assert both_in(link, 1) and link.mine.session.fingerprint != fingerprint
    assert sum(len(datagram) for _, datagram in link.seen[at:]) < before
    talk(link)
    pass_time(link, clocks)
    talk(link)
    assert both_in(link, 2) and undisturbed(link)


@pytest.mark.parametrize("first", WHO)
@pytest.mark.parametrize("number", [3, 4])
def test_one_is_an_epoch_ahead(number, first):
    """Its first record takes the other along, and what was on its way still arrives."""
    link, clocks = link_of(number)
    link.call(link.mine, "connect")
    ahead = getattr(link, first)
    behind, late = link.other(ahead), link.other(ahead).send(b"late")
    clocks[WHO.index(first)].now += MINUTE
    link.call(ahead, "timeout")
    say(link, ahead, b"in the next")
    assert both_in(link, 2)
    link.carry(behind, [late])
    assert (link.mine.payloads[-1] if ahead is link.mine else link.theirs.payloads[-1][2]) == b"late"
    talk(link)
    assert undisturbed(link)


@pytest.mark.parametrize("slept", [2, 21])
@pytest.mark.parametrize("sleeper", WHO)
def test_a_clock_that_stood_still(sleeper, slept):
    """A record that the sleeper cannot open, its LAG, the other's, and it is there too."""
    link, clocks = link_of(2)
    link.call(link.mine, "connect")
    talk(link)
    awake = "theirs" if sleeper == "mine" else "mine"
    sleeper, (awake, clock) = getattr(link, sleeper), (getattr(link, awake), clocks[WHO.index(awake)])
    for _ in range(slept):
        clock.now += MINUTE
        link.call(awake, "timeout")
    at = len(link.seen)
    for end in (awake, sleeper):
        link.carry(end, [end.send(b"lost")])
        for both in clocks:
            both.now += 1_000
        for one in (link.mine, link.theirs):
            link.call(one, "timeout")
    assert both_in(link, 1 + slept)
    assert [datagram[1] >> 4 for _, datagram in link.seen[at:] if not datagram[0] & 8] == [5, 5]
    talk(link)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_resume(number):
    """Each in its turn, after its power was cut, at once and for a while."""
    link, clocks = link_of(number)
    link.call(link.mine, "connect")
    talk(link)
    for off in (0, 3):
        for who in WHO:
            pass_time(link, clocks)
            talk(link)
            fingerprint = link.mine.session.fingerprint
            if who == "theirs":
                back = link.theirs.restarted
            else:
                back = partial(mine_restarted, link, link.mine.stored())
            awake = link.other(getattr(link, who))
            for _ in range(off):
                for clock in clocks:
                    clock.now += MINUTE
                link.call(awake, "timeout")
            link.carry(getattr(link, who), back())
            assert agreed(link) and link.mine.session.fingerprint != fingerprint
            talk_again(link, clocks)
    assert link.theirs.saw(Resumed)


def mine_restarted(link, stored):
    return link.mine.restart(stored) + link.mine.go_on()


def talk_again(link, clocks):
    """One may be ahead of the other, which a record or a LAG tells it."""
    for end in (link.mine, link.theirs):
        link.carry(end, [end.send(b"back")])
        for clock in clocks:
            clock.now += 1_000
        for one in (link.mine, link.theirs):
            link.call(one, "timeout")
    assert link.mine.session.epoch == link.theirs.epoch
    talk(link)


@pytest.mark.parametrize("first", WHO)
def test_psk_connection_ids_small_datagrams(first):
    link, clocks = link_of(
        5, psk=b"\x44" * 32, mine={"cid": b"\xa1", "mtu": 48}, options={"cid": b"\xb1\xb2\xb3", "mtu": 40}
    )
    link.call(getattr(link, first), "connect")
    for epoch in range(1, 4):
        assert both_in(link, epoch)
        for end in (link.mine, link.theirs):
            say(link, end, b"!")
        pass_time(link, clocks)
    assert max(len(datagram) for end, datagram in link.seen if end is link.theirs) <= 40


@pytest.mark.parametrize("first", WHO)
def test_it_ends_with_the_last_epoch(first):
    link, clocks = link_of(4, terms=(0, 60, 3))
    link.call(getattr(link, first), "connect")
    pass_time(link, clocks, 2)
    assert both_in(link, 3) and link.theirs.saw(RekeyNeeded) and ("rekey_needed",) in link.mine.events
    talk(link)
    pass_time(link, clocks)
    assert link.mine.session is None and link.theirs.epoch is None and link.theirs.saw(Terminated)
    link.call(getattr(link, first), "connect")
    assert both_in(link, 1)
    talk(link)


@pytest.mark.parametrize("first", WHO)
def test_used_up_keys(first):
    link, _ = link_of(0, mine={"rekey": 4}, options={"rekey_after": 4})
    link.call(getattr(link, first), "connect")
    for _ in range(8):
        talk(link)
    assert link.mine.session.epoch == link.theirs.epoch > 2


@pytest.mark.parametrize("first", WHO)
def test_loss(first):
    for seed in range(3):
        lossy_life(*link_of(3, loss=0.3, seed=seed), first)


def lossy_life(link, clocks, first):
    link.call(getattr(link, first), "connect")
    wait(link, clocks, lambda: agreed(link))
    wait(link, clocks, lambda: link.mine.session.epoch > 3 and link.theirs.epoch > 3)
    link.loss = 0
    talk_again(link, clocks)


def wait(link, clocks, until):
    for _ in range(600):
        if until():
            return
        for clock in clocks:
            clock.now += 1_000
        for end in (link.mine, link.theirs):
            link.call(end, "timeout")
    raise AssertionError(link.mine.events)


@pytest.mark.parametrize("revoked", WHO)
def test_a_revoked_credential_ends_it(revoked):
    """One list, which both have: neither goes on with it."""
    link, _ = link_of(2, ours=False)
    link.call(link.mine, "connect")
    credential = link.mine.ticket if revoked == "mine" else link.theirs.holder.credential
    serials = [credential.serial]
    issued_at = link.clock.unix() // 1000
    listed = RevocationList.issue(sim.AGENT, agent="agent", number=1, issued_at=issued_at, serials=serials)
    other = link.mine if revoked == "theirs" else link.theirs
    if other is link.mine:
        link.carry(link.mine, link.mine.revoke(bytes(listed)))
        assert link.mine.session is None
        assert link.theirs.epoch is None and link.theirs.saw(Terminated)
    else:
        link.theirs.holder.revoke(listed)
        link.theirs.association.recheck()
        link.carry(link.theirs, link.theirs.drained())
        assert link.theirs.epoch is None and link.theirs.saw(Terminated)
        assert link.mine.session is None
    link.call(link.other(other), "connect")
    assert other.session is None if other is link.mine else other.epoch is None


def test_what_is_forged_changes_nothing():
    link, clocks = link_of(0)
    link.call(link.mine, "connect")
    talk(link)
    random, payloads = Random(1), (len(link.mine.payloads), len(link.theirs.payloads))
    for end, datagram in list(link.seen):
        forged = bytearray(datagram)
        forged[random.randrange(len(forged))] ^= 1 << random.randrange(8)
        receiver = link.other(end)
        link.carry(receiver, receiver.input(bytes(forged)))
    assert (len(link.mine.payloads), len(link.theirs.payloads)) == payloads and both_in(link, 1)
    # What could not be opened may be answered with a LAG.
    for clock in clocks:
        clock.now += MINUTE
    for end in (link.mine, link.theirs):
        link.call(end, "timeout")
    assert both_in(link, 2)
    talk(link)
