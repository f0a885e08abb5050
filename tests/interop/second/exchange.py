"""Section 5: C1 to ACK."""

from dataclasses import dataclass

from . import wire
from .crypto import Suite, expand, extract, halves, lv, require, same, seen, sha256, short, u32
from .wire import Reader, header

HINT = 4


@dataclass(frozen=True)
class Pair:
    """What a device and its peer agreed upon, as seen by the device."""

    me: bytes
    peer: bytes
    suite: Suite
    dh: bool
    psk: bytes | None = None
    scheme = b"history"
    expand = staticmethod(expand)

    @property
    def lower(self):
        """Whether this side has the lower id."""
        return self.me < self.peer


@dataclass(frozen=True)
class Schedule:
    """Keys and IVs (the initiator's first), root and master."""

    keys: tuple
    ivs: tuple
    root: bytes
    master: bytes


def schedule(suite, prk, th, expand=expand):
    return Schedule(
        halves(expand(prk, "key", th, 2 * suite.key)),
        halves(expand(prk, "iv", th, 2 * suite.nonce)),
        expand(prk, "root", th),
        expand(prk, "mast", th),
    )


def hint(triple, initiator_lower, run, unused):
    hints = expand(triple.aux, "hint", bytes([initiator_lower]) + u32(run >> 4), 12)
    return hints[HINT * unused :][:HINT]


def th_0(pair, triple, initiator, responder):
    flags = pair.dh | (pair.psk is not None) << 1
    return sha256(lv(b"history", bytes([1, pair.suite.number & 0xFF, flags]), u32(triple.generation), initiator, responder))


class _Run:
    """What both roles compute."""

    def __init__(self, pair, triple, initiator, responder, run, unused):
        self.pair, self.triple, self.run = pair, triple, run
        self.unused = triple.keys[unused]
        self.pair_of_keys = b"".join(key for place, key in enumerate(triple.keys) if place != unused)
        self.th = th_0(pair, triple, initiator, responder)
        self.scalar = None

    def add(self, *parts):
        self.th = sha256(self.th, *parts)

    def tag_1(self):
        return expand(self.pair_of_keys, "c1", self.th, self.pair.suite.mac)

    def k2(self):
        return expand(self.unused, "c2", self.th)

    def k3(self):
        return expand(self.unused + self.r_r, "c3", self.th)

    def my_share(self, draw):
        if not self.pair.dh:
            return b""
        self.scalar = self.pair.suite.group.scalar(draw)
        return self.pair.suite.group.share(self.scalar)

    def read_share(self, reader):
        self.theirs = reader.take(32) if self.pair.dh else b""
        reader.end()

    def finish(self):
        """At th_4: the tags and the session's keys."""
        suite, psk = self.pair.suite, self.pair.psk
        prk = self.unused + self.r_i + self.r_r
        if self.pair.dh or psk is not None:
            dh = seen("dh", suite.group.secret(self.scalar, self.theirs)) if self.pair.dh else b""
            prk = extract(prk, dh, psk or b"")
        tags = expand(prk, "tag", self.th, 3 * suite.mac)
        self.tag_4, self.tag_5, self.tag_6 = (tags[i * suite.mac :][: suite.mac] for i in range(3))
        self.schedule = schedule(suite, prk, self.th)


class Initiator(_Run):
    def __init__(self, pair, triple, run, cid, draw):
        random = draw(25)
        n_i, self.r_i, unused = random[:8], random[8:24], random[24] % 3
        super().__init__(pair, triple, pair.me, pair.peer, run, unused)
        self.my_cid = cid
        body = header(wire.C1, run) + u32(run) + hint(triple, pair.lower, run, unused) + n_i + short(cid)
        self.add(body)
        self.th_1 = self.th
        self.c1 = body + self.tag_1()
        self.c3 = self.c5 = None

    def on_c2(self, message, draw):
        """C2, answered with C3."""
        reader = Reader(message)
        require(self.c3 is None and reader.take(2) == header(wire.C2, self.run), "header")
        n_r, sealed = reader.take(8), reader.rest()
        th = sha256(self.th, self.tag_1(), message[:2], n_r)
        text = Reader(self.pair.suite.open_once(expand(self.unused, "c2", th), sealed))
        self.r_r, self.peer_cid = text.take(16), text.short(8)
        self.read_share(text)
        head = header(wire.C3, self.run)
        self.th = sha256(th, sealed, head)
        sealed = self.pair.suite.once(self.k3(), self.r_i + self.my_share(draw))
        self.c3 = head + sealed
        self.add(sealed)
        self.finish()
        return self.c3

    def on_c4(self, message):
        """C4, answered with C5."""
        require(self.c3 is not None, "early")
        require(same(message, header(wire.C4, self.run) + self.tag_4), "C4")
        self.c5 = header(wire.C5, self.run) + self.tag_5
        return self.c5

    def on_ack(self, message):
        require(self.c5 is not None, "early")
        require(same(message, header(wire.ACK, self.run) + self.tag_6), "ACK")

    def is_gone(self, message):
        """Whether this says that the triple has been replaced."""
        tag = expand(self.triple.aux, "gone", self.th_1 + self.c1[-self.pair.suite.mac :], 16)
        return same(message, header(wire.GONE, self.run) + tag)


class Responder(_Run):
    """Made from a C1 that verifies."""

    def __init__(self, pair, triples, c1, cid, draw):
        reader = Reader(c1)
        head = reader.take(2)
        run, name, n_i = reader.number(4), reader.take(HINT), reader.take(8)
        peer_cid, tag = reader.short(8), reader.take(pair.suite.mac)
        reader.end()
        require(head == header(wire.C1, run), "header")
        triple, unused = self.named(pair, triples, run, name)
        super().__init__(pair, triple, pair.peer, pair.me, run, unused)
        self.c1, self.n_i, self.my_cid, self.peer_cid = c1, n_i, cid, peer_cid
        self.add(c1[: -len(tag)])
        require(same(tag, self.tag_1()), "C1")
        random = draw(24)
        n_r, self.r_r = random[:8], random[8:]
        head = header(wire.C2, run)
        self.add(tag, head, n_r)
        sealed = pair.suite.once(self.k2(), self.r_r + short(cid) + self.my_share(draw))
        self.c2 = head + n_r + sealed
        self.add(sealed, header(wire.C3, run))
        self.c4 = self.ack = None

    @staticmethod
    def named(pair, triples, run, name):
        for triple in triples:
            for unused in range(3):
                if same(name, hint(triple, not pair.lower, run, unused)):
                    return triple, unused
        require(False, "hint")

    def on_c3(self, message):
        require(self.c4 is None and message[:2] == header(wire.C3, self.run), "header")
        text = Reader(self.pair.suite.open_once(self.k3(), message[2:]))
        self.r_i = text.take(16)
        self.read_share(text)
        self.c3 = message
        self.add(message[2:])
        self.finish()
        self.c4 = header(wire.C4, self.run) + self.tag_4
        return self.c4

    def on_c5(self, message):
        require(self.c4 is not None, "early")
        require(same(message, header(wire.C5, self.run) + self.tag_5), "C5")
        self.ack = header(wire.ACK, self.run) + self.tag_6
        return self.ack


def gone(pair, replaced, c1):
    """The answer of a side that replaced the triple which this C1 names."""
    mac = pair.suite.mac
    run, name = int.from_bytes(c1[2:6], "big"), c1[6:10]
    old, _ = Responder.named(pair, [replaced], run, name)
    th_1 = sha256(th_0(pair, old, pair.peer, pair.me), c1[:-mac])
    return header(wire.GONE, run) + expand(old.aux, "gone", th_1 + c1[-mac:], 16)
