"""The second implementation of the interactive scheme, both sides of it, through a life."""

from random import Random

import pytest

from second.crypto import SUITES
from second.ticket import Ticket
from second.tickets import Node

GROUPS = {0: "x25519", 1: "x25519", 4: "x25519", 2: "p256", 3: "p256", 5: "p256", -21: "ffc2048", -22: "ffc3072"}


def device(name, number, draw):
    """A ticket, nobody's signature in it, and the static key."""
    group = SUITES[number].group
    scalar = group.scalar(draw)
    share = group.share(scalar)
    ticket = Ticket(name.encode() * 40, name, 1, 0, 0, 9, "", GROUPS[number], share)
    return ticket, (lambda theirs: group.secret(scalar, theirs), share)


def pair(number, psk=None):
    draw = Random(number).randbytes
    (lamp, of_lamp), (hub, of_hub) = (device(name, number, draw) for name in ("lamp", "hub"))
    a = Node("lamp", [lamp], of_lamp, None, [number], draw, "hub", psk=psk)
    s = Node("hub", [hub], of_hub, None, [number], draw, "lamp", psk=psk)
    a.kept, s.kept = hub, lamp
    return a, s


def carry(sender, receiver, datagrams):
    waiting = [(receiver, datagram) for datagram in datagrams]
    while waiting:
        to, datagram = waiting.pop(0)
        waiting += [(sender if to is receiver else receiver, answer) for answer in to.input(datagram)]


@pytest.mark.parametrize("number,psk", [(0, bytes(32)), *((number, None) for number in SUITES)])
def test_a_life(number, psk):
    a, s = pair(number, psk)
    carry(a, s, a.connect())
    for sender, receiver in ((a, s), (s, a)) * 2:
        carry(sender, receiver, sender.rekey())
        carry(sender, receiver, [sender.send(b"a word")])
        carry(sender, receiver, sender.ping())
    old = a.session.fingerprint
    carry(s, a, s.authenticate())
    carry(s, a, [s.send(b"after phase 1")])
    assert a.payloads == [b"a word"] * 2 + [b"after phase 1"] and s.payloads == [b"a word"] * 2
    assert a.session.fingerprint == s.session.fingerprint != old
    assert (a.peer.current.key, a.peer.current.step) == (s.peer.current.key, s.peer.current.step)
    assert not [event for event in a.events + s.events if event[0] == "dropped"]


def test_a_psk_on_one_side_only():
    a, s = pair(0)
    s.psk = bytes(32)
    carry(a, s, a.connect())
    assert a.events == [("hint", 4)] and not s.session


def sent(a, s, datagrams):
    """The lengths of all messages, a's first."""
    lengths, waiting, to, other = [], datagrams, s, a
    while waiting:
        lengths += map(len, waiting)
        waiting, to, other = [answer for one in waiting for answer in to.input(one)], other, to
    return lengths


def test_lengths():
    """Section 10."""
    lengths = {}
    for number in (2, -21, -22):
        a, s = pair(number)
        a.known_to_peer, s.known_to_peer = {a.ticket.ref}, {s.ticket.ref}
        lengths[number] = sent(a, s, a.connect())[:4], sent(a, s, a.rekey())
    assert lengths[2][0] == [30, 45, 50, 10]
    assert lengths[-21][1] == [274, 267, 18, 18] and lengths[-22][1] == [402, 395, 18, 18]
