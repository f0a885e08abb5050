"""The interactive scheme's page, section 5: K1 to K4, and what else is said under a PMK."""

from .crypto import extract, lv, require, same, seen, sha256, short, u16, u32
from .exchange import schedule
from .phase1 import GONE, K1, K2, K3, K4, LONG, Master, PING, PONG, REFUSE, SCHEME, expand, head
from .wire import Reader

LONG_TAGS, HOLDS = 1, 2


class Start:
    """K1, taken apart."""

    def __init__(self, message, suite):
        reader = Reader(message)
        self.message, header, self.flags = message, reader.take(2), reader.number(1)
        self.hint, self.attempt = reader.take(4), reader.number(2)
        require(header == head(K1, self.attempt) and self.flags < 4, "header")
        self.cid, self.share = reader.short(8), reader.take(suite.share)
        self.tag = reader.take(self.mac(suite))
        reader.end()

    def mac(self, suite):
        return LONG if self.flags & LONG_TAGS else suite.mac

    @property
    def body(self):
        return self.message[: -len(self.tag)]


def th_1(master, side, body):
    """`side`: whether A is who was A in phase 1."""
    origin = master.origin
    kind = bytes([1, 2, origin.suite.number & 0xFF, origin.psk])
    return sha256(sha256(lv(SCHEME, kind, u32(master.step), bytes([side]), origin.bind)), body)


class _Run:
    def finish(self, master, th_2, tag_2, scalar, share):
        suite = master.origin.suite
        th_3 = sha256(th_2, tag_2)
        prk = extract(expand(master.key, "n0", master.origin.n0), seen("dh", suite.group.secret(scalar, share)))
        tags = expand(prk, "tag", th_3, 2 * LONG)
        self.k3 = head(K3, self.attempt) + tags[:LONG]
        self.k4 = head(K4, self.attempt) + tags[LONG:]
        self.next = Master(expand(prk, "pmk", th_3), master.step + 1, master.origin)
        self.schedule = schedule(suite, prk, th_3, expand)
        self.th, self.master = th_3, master


class Starting(_Run):
    """A, under this PMK."""

    def __init__(self, master, attempt, long_tags, holds, cid, draw):
        suite = master.origin.suite
        self.under, self.attempt, self.cid, self.long_tags = master, attempt, cid, long_tags
        self.scalar = suite.group.scalar(draw)
        flags = (LONG_TAGS if long_tags else 0) | (HOLDS if holds else 0)
        body = head(K1, attempt) + bytes([flags]) + master.hint(True) + u16(attempt) + short(cid)
        body += suite.group.share(self.scalar)
        self.th_1 = th_1(master, int(master.origin.was_a), body)
        self.tag_1 = expand(master.key, "k1", self.th_1, LONG if long_tags else suite.mac)
        self.k1, self.k2 = body + self.tag_1, None

    def on_k2(self, message):
        reader, suite = Reader(message), self.under.origin.suite
        require(self.k2 is None and reader.take(2) == head(K2, self.attempt), "header")
        self.peer_cid, share = reader.short(8), reader.take(suite.share)
        tag = reader.take(len(self.tag_1))
        reader.end()
        th_2 = sha256(self.th_1, self.tag_1, message[: -len(tag)])
        require(same(tag, expand(self.under.key, "k2", th_2, len(tag))), "K2")
        self.finish(self.under, th_2, tag, self.scalar, share)
        self.k2 = message
        return self.k3


class Replying(_Run):
    """S, to a K1 that verifies under this PMK."""

    def __init__(self, start, master, cid):
        self.start, self.attempt, self.cid, self.peer_cid = start, start.attempt, cid, start.cid
        self.under, suite = master, master.origin.suite
        self.th_1 = th_1(master, int(not master.origin.was_a), start.body)
        require(same(start.tag, expand(master.key, "k1", self.th_1, start.mac(suite))), "K1")
        self.k2, self.done = None, False

    def answer(self, draw):
        suite = self.under.origin.suite
        scalar = suite.group.scalar(draw)
        body = head(K2, self.attempt) + short(self.cid) + suite.group.share(scalar)
        th_2 = sha256(self.th_1, self.start.tag, body)
        tag = expand(self.under.key, "k2", th_2, self.start.mac(suite))
        self.k2 = body + tag
        self.finish(self.under, th_2, tag, scalar, self.start.share)
        return self.k2


def gone(auxiliary, th, tag_1, attempt):
    return head(GONE, attempt) + expand(auxiliary, "gone", th + tag_1, 16)


def refuse(auxiliary, th, tag_1, attempt, answered):
    return head(REFUSE, attempt) + u16(answered) + expand(auxiliary, "ref", th + tag_1 + u16(answered), 16)


def ping(master, draw):
    r = draw(8)
    tag = expand(master.aux, "ping", r, master.origin.suite.mac)
    return head(PING, r[-1]) + master.hint(True) + r + tag, pong(master.aux, tag, r)


def pong(auxiliary, tag, r):
    return head(PONG, r[-1]) + expand(auxiliary, "pong", tag + r, len(tag))


