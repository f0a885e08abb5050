"""Section 4: P1 to P6."""

from itertools import count

from . import cpace, wire
from .crypto import Dropped, Triple, expand, extract, lv, require, same, seen, sha256, short, u64
from .wire import Reader, header


def body(n_i, me, suite, dh, group):
    return n_i + short(me) + bytes([suite.number & 0xFF, dh, group.number])


def following(secret, from_):
    """Randomness that follows from a secret and a message, so that the same question gets the same answer: draw(count)."""
    draws = count(0)
    return lambda length: expand(secret, "rand", bytes([next(draws)]) + from_, length)


class _Keys:
    """K_P and the transcript, from P3 on."""

    def __init__(self, suite, isk, body, p2, y_i):
        self.suite, self.k_p = suite, expand(extract(b"", seen("isk", isk)), "pair")
        th_3 = sha256(lv(b"history", b"pairing", body, p2, y_i))
        self.tag_3 = expand(self.k_p, "p3", th_3, 16)
        self.th = sha256(th_3, self.tag_3)

    def sealed(self, message, label, text):
        """P4 or P5."""
        head = header(message)
        h = sha256(self.th, head)
        sealed = self.suite.once(expand(self.k_p, label + ".k", h), text)
        return head + sealed + self._tag(h, label, sealed)

    def open(self, message, label, datagram):
        require(len(datagram) > 18 and datagram[:2] == header(message), "header")
        sealed, tag = datagram[2:-16], datagram[-16:]
        h, th = sha256(self.th, datagram[:2]), self.th
        text = Reader(self.suite.open_once(expand(self.k_p, label + ".k", h), sealed))
        time, place = text.number(8), text.short(32)
        text.end()
        if not same(tag, self._tag(h, label, sealed)):
            self.th = th
            require(False, label)
        return time, place

    def _tag(self, h, label, sealed):
        h = sha256(h, sealed)
        tag = expand(self.k_p, label, h, 16)
        self.th = sha256(h, tag)
        return tag

    def p6(self):
        return header(wire.P6) + expand(self.k_p, "p6", self.th, 16)

    def triple(self, sk, mine, theirs, lower):
        """`mine` and `theirs` are (T, LI)."""
        if mine[0] != theirs[0]:
            time, place = max(mine, theirs)
        else:
            time, place = mine if lower else theirs
        k_p = self.k_p
        return Triple(expand(k_p, "sk", sk), expand(k_p, "t", u64(time)), expand(k_p, "li", place))


class Initiator:
    def __init__(self, me, suite, dh, group, sk, draw):
        self.me, self.suite, self.group, self.sk = me, suite, group, sk
        self.n_i, self.secret = draw(16), draw(32)
        self.body = body(self.n_i, me, suite, dh, group)
        self.p1 = header(wire.P1) + self.body
        self.runs = {}

    def on_p2(self, message):
        """P2, answered with P3, once. P4 may follow from whoever sent any of them."""
        require(message not in self.runs, "answered")
        reader = Reader(message)
        require(reader.take(2) == header(wire.P2), "header")
        n_r, peer, y_r = reader.take(16), reader.short(16), reader.take(32)
        reader.end()
        require(peer and peer != self.me, "id")
        sid = self.n_i + n_r
        generator = self.group.generator(self.sk, short(self.me) + short(peer), sid)
        scalar = self.group.scalar(following(self.secret, message))
        y_i = self.group.share(scalar, generator)
        isk = cpace.isk(self.group, sid, scalar, y_r, y_i, self.body, y_r, message[:-32])
        keys = _Keys(self.suite, isk, self.body, message, y_i)
        self.runs[message] = peer, keys
        return header(wire.P3) + self.body + y_i + keys.tag_3

    def on_p4(self, message, time, place):
        """P4, answered with P5."""
        for peer, keys in self.runs.values():
            try:
                theirs = keys.open(wire.P4, "p4", message)
                break
            except Dropped:
                pass
        else:
            raise Dropped("P4")
        self.peer, self.keys = peer, keys
        p5 = self.keys.sealed(wire.P5, "p5", u64(time) + short(place))
        self.triple = self.keys.triple(self.sk, (time, place), theirs, self.me < self.peer)
        return p5

    def on_p6(self, message):
        require(same(message, self.keys.p6()), "P6")


class Responder:
    def __init__(self, me, suite, dh, group, sk, draw):
        self.me, self.suite, self.dh, self.group, self.sk, self.secret = me, suite, dh, group, sk, draw(32)

    def _agreed(self, message):
        """The initiator's N and id, from a body that is what this side wants."""
        reader = Reader(message)
        n_i, peer = reader.take(16), reader.short(16)
        rest = reader.take(3)
        require(rest == bytes([self.suite.number & 0xFF, self.dh, self.group.number]), "suite")
        require(peer and peer != self.me, "id")
        return n_i, peer, reader

    def _p2(self, n_i, peer, their_body):
        draw = following(self.secret, their_body)
        n_r, scalar = draw(16), self.group.scalar(draw)
        sid = n_i + n_r
        generator = self.group.generator(self.sk, short(peer) + short(self.me), sid)
        y_r = self.group.share(scalar, generator)
        return header(wire.P2) + n_r + short(self.me) + y_r, sid, scalar

    def on_p1(self, message):
        require(message[:2] == header(wire.P1), "header")
        n_i, peer, reader = self._agreed(message[2:])
        reader.end()
        return self._p2(n_i, peer, message[2:])[0]

    def on_p3(self, message, time, place):
        """P3, answered with P4, or with P2 again."""
        require(message[:2] == header(wire.P3), "header")
        n_i, peer, reader = self._agreed(message[2:])
        their_body = message[2 : 2 + reader.at]
        y_i, tag = reader.take(32), reader.take(16)
        reader.end()
        p2, sid, scalar = self._p2(n_i, peer, their_body)
        isk = cpace.isk(self.group, sid, scalar, y_i, y_i, their_body, p2[-32:], p2[:-32])
        keys = _Keys(self.suite, isk, their_body, p2, y_i)
        if not same(tag, keys.tag_3):
            return p2
        self.keys, self.peer, self.mine = keys, peer, (time, place)
        return keys.sealed(wire.P4, "p4", u64(time) + short(place))

    def on_p5(self, message):
        """P5, answered with P6."""
        theirs = self.keys.open(wire.P5, "p5", message)
        self.triple = self.keys.triple(self.sk, self.mine, theirs, self.me < self.peer)
        return self.keys.p6()
