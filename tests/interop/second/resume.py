"""Section 8: R1, R2, R3."""

from dataclasses import dataclass

from . import wire
from .crypto import extract, lv, require, same, sha256, u32
from .exchange import schedule
from .records import Session
from .wire import Reader, engine_header


@dataclass(frozen=True)
class Export:
    """What a session leaves for later."""

    root: bytes
    session: int
    generation: int  # that this side sends under
    initiator: bool  # whether this side started the session
    my_cid: bytes
    peer_cid: bytes


def export(session):
    return Export(
        session.pair.expand(session.master, "resume"),
        session.number,
        session.out.generation,
        session.initiator,
        session.my_cid,
        session.peer_cid,
    )


def _th_0(pair, old, side):
    return sha256(lv(pair.scheme, b"resume", u32(old.session), bytes([side])))


def _tag(pair, old, label, th):
    return pair.expand(old.root, label, th, 16)


def _session(make, pair, old, salt_a, salt_b, th, generation):
    keys = schedule(pair.suite, extract(old.root, salt_a, salt_b), th, pair.expand)
    return make(pair, keys, th, old.initiator, old.session, generation, old.my_cid, old.peer_cid)


class Restarted:
    """A."""

    def __init__(self, pair, old, draw, make=Session):
        self.make, self.pair, self.old = make, pair, old
        self.salt = draw(8)
        self.th_0 = _th_0(pair, old, old.initiator)
        self.r1 = engine_header(wire.R1) + old.peer_cid + self.salt + _tag(pair, old, "r1", sha256(self.th_0, self.salt))

    def on_r2(self, message):
        """R2: the new session; R3 is in self.r3."""
        old, reader = self.old, Reader(message)
        require(reader.take(2) == engine_header(wire.R2) and reader.take(len(old.my_cid)) == old.my_cid, "header")
        require(reader.take(8) == self.salt, "salt")
        salt_b, generation, tag = reader.take(8), reader.number(4), reader.take(16)
        reader.end()
        th = sha256(self.th_0, self.salt, salt_b, u32(generation))
        require(same(tag, _tag(self.pair, old, "r2", th)), "R2")
        self.r3 = engine_header(wire.R3) + old.peer_cid + self.salt + _tag(self.pair, old, "r3", th)
        return _session(self.make, self.pair, old, self.salt, salt_b, th, generation)


class Running:
    """B: one of these for a resume; it answers any number of R1."""

    def __init__(self, pair, old, draw, make=Session):
        self.make, self.pair, self.old, self.draw = make, pair, old, draw
        self.th_0 = _th_0(pair, old, not old.initiator)
        self.random, self.offers = None, {}

    def on_r1(self, message):
        old, reader = self.old, Reader(message)
        require(reader.take(2) == engine_header(wire.R1) and reader.take(len(old.my_cid)) == old.my_cid, "header")
        salt_a, tag = reader.take(8), reader.take(16)
        reader.end()
        require(same(tag, _tag(self.pair, old, "r1", sha256(self.th_0, salt_a))), "R1")
        self.random = self.random or self.draw(16)
        salt_b, generation = self.pair.expand(old.root, "salt", self.random + salt_a, 8), old.generation + 1
        th = sha256(self.th_0, salt_a, salt_b, u32(generation))
        self.offers[salt_a] = salt_b, generation, th
        return engine_header(wire.R2) + old.peer_cid + salt_a + salt_b + u32(generation) + _tag(self.pair, old, "r2", th)

    def on_r3(self, message):
        """R3: the new session, and the record that followed (perhaps empty)."""
        old, reader = self.old, Reader(message)
        require(reader.take(2) == engine_header(wire.R3) and reader.take(len(old.my_cid)) == old.my_cid, "header")
        salt_a, tag = reader.take(8), reader.take(16)
        require(salt_a in self.offers, "salt")
        salt_b, generation, th = self.offers[salt_a]
        require(same(tag, _tag(self.pair, old, "r3", th)), "R3")
        return _session(self.make, self.pair, old, salt_a, salt_b, th, generation), reader.rest()
