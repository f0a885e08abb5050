"""The interactive scheme's page, section 4: M1 to M4. One class a side; `Node` in tickets.py puts them to use. The noninteractive
scheme says by its `Style` what is different."""

from dataclasses import dataclass

from .crypto import SUITES, extract, kdf, lv, require, same, seen, sha256, short, u16, u32
from .hpke import KEMS
from .wire import Reader

SCHEME = b"inter"
M1, M2, M3, M4, K1, K2, K3, K4, HINT, GONE, REFUSE, PING, PONG = range(1, 14)
TICKET, KNOWN, REKEY, PSK = 1, 2, 4, 8
LONG = 16



class Style:
    def __init__(self, scheme, number, suites, kems, terms):
        self.scheme, self.suites, self.kems = scheme, suites, kems
        self.terms = terms  # bytes before g^NA in M3
        self.expand, self.first = kdf(scheme), 0x10 | number  # version 1, no record

    def head(self, message, nibble):
        return bytes([self.first, message << 4 | nibble & 15])


INTERACTIVE = Style(SCHEME, 1, SUITES, KEMS, 4)
expand, head, FIRST = INTERACTIVE.expand, INTERACTIVE.head, INTERACTIVE.first


def long(data):
    return u16(len(data)) + data


def signed(byte):
    return byte - 256 if byte > 127 else byte


def groups(ticket):
    """The suites of its group."""
    of = {"x25519": (0, 1, 4), "p256": (2, 3, 5), "ffc2048": (-21,), "ffc3072": (-22,)}
    return of[ticket.group]


def aux(pmk, step):
    return expand(pmk, "aux", u32(step))


def hint_of(auxiliary, side):
    return expand(auxiliary, "hint", bytes([side]), 4)


@dataclass
class Origin:
    """What phase 1 leaves, beside PMK."""

    bind: bytes
    n0: bytes
    suite: object
    psk: bool
    was_a: bool
    life: int


@dataclass
class Master:
    key: bytes
    step: int
    origin: Origin

    @property
    def aux(self):
        return aux(self.key, self.step)

    def hint(self, by_me):
        """Of a first message, this side's or the other's."""
        return hint_of(self.aux, int(self.origin.was_a == by_me))


class Offer:
    """M1, taken apart."""

    def __init__(self, message, style=INTERACTIVE):
        reader = Reader(message)
        self.message, header, self.flags = message, reader.take(2), reader.number(1)
        self.r = reader.take(8)
        require(header == style.head(M1, self.r[-1]) and self.flags < 16, "header")
        self.suites = [signed(byte) for byte in reader.short(8)]
        require(self.suites and len(set(self.suites)) == len(self.suites), "suites")
        self.cid = reader.short(8)
        self.ticket = reader.take(reader.number(2)) if self.flags & TICKET else None
        self.ref = None if self.flags & TICKET else reader.take(8)
        self.known = reader.take(8) if self.flags & KNOWN else None
        self.hint = self.attempt = None
        self.tag = b""
        if self.flags & REKEY:
            self.hint, self.attempt, self.tag = reader.take(4), reader.number(2), reader.take(LONG)
        reader.end()

    @property
    def body(self):
        return self.message[: len(self.message) - len(self.tag)]


class _Run:
    rekey = False

    def mac(self):
        return LONG if self.rekey else self.suite.mac

    def numbers(self, exported):
        return exported[:16], exported[16:48], exported[48:64]

    def finish(self, th_3, psk, dh, terms, was_a):
        """PMK, tag_3, tag_4."""
        expand = self.style.expand
        prk = extract(b"", self.n_a[1], self.n_s[1], seen("dh", dh), psk or b"")
        pmk = expand(prk, "pmk", th_3)
        twos = self.n_a[2] + self.n_s[2]
        self.tag_3 = expand(pmk, "m3", th_3 + twos, self.mac())
        m4 = self.style.head(M4, self.r[-1])
        th_4 = sha256(th_3, self.tag_3, m4)
        self.m4 = m4 + expand(pmk, "m4", th_4 + twos, self.mac())
        self.terms, life = terms, int.from_bytes(terms[:4], "big")
        origin = Origin(th_4, self.n_a[0] + self.n_s[0], self.suite, psk is not None, was_a, life)
        self.master = Master(pmk, 0, origin)


class Asking(_Run):
    """A. `static` is (agree, share)."""

    def __init__(self, ticket, static, suites, cid, draw, by_value, known=None, rekey=None, psk=None, style=INTERACTIVE):
        self.style = style
        self.ticket, self.static, self.suites, self.cid = ticket, static, suites, cid
        self.known, self.old, self.psk = known, rekey, psk
        self.r, self.by_value, self.m2 = draw(8), by_value, None
        self.write()

    def write(self):
        """M1, also once more with the ticket itself."""
        flags = (self.by_value and TICKET) | (KNOWN if self.known else 0)
        flags |= (REKEY if self.old else 0) | (PSK if self.psk is not None else 0)
        self.rekey = self.old is not None
        head, expand = self.style.head, self.style.expand
        body = head(M1, self.r[-1]) + bytes([flags]) + self.r + short(bytes(s & 0xFF for s in self.suites))
        body += short(self.cid) + (long(self.ticket.data) if self.by_value else self.ticket.ref)
        body += self.known.ref if self.known else b""
        if self.old:
            master, attempt = self.old
            body += master.hint(True) + u16(attempt)
        th_0 = sha256(lv(self.style.scheme, b"\x01\x01"))
        self.th = sha256(th_0, self.ticket.cred, body)
        self.tag_1 = expand(self.old[0].key, "m1", self.th, LONG) if self.old else b""
        self.m1 = body + self.tag_1

    def on_m2(self, message, accept, draw, terms):
        """M3. `accept` verifies S's ticket."""
        head, expand = self.style.head, self.style.expand
        reader = Reader(message)
        require(reader.take(2) == head(M2, self.r[-1]), "header")
        flags, number = reader.number(1), signed(reader.number(1))
        require(number in self.suites and flags in (0, TICKET), "suite")
        self.suite = suite = self.style.suites[number]
        self.peer_cid = reader.short(8)
        theirs = accept(reader.take(reader.number(2))) if flags & TICKET else self.known
        require(theirs is not None, "no ticket")
        before = message[: reader.at]
        share, tag = reader.take(suite.share), reader.take(suite.mac)
        reader.end()
        kem = self.style.kems[number]
        info = sha256(self.th, self.tag_1, theirs.cred, before)
        export = kem.receive(share, self.static, info, theirs.key)
        exported = export(b"m2", 96)
        th_2 = sha256(info, share)
        require(same(tag, expand(exported[64:], "m2", th_2, suite.mac)), "M2")
        self.n_s, self.peer, self.m2 = self.numbers(exported), theirs, message
        self.scalar = scalar = suite.group.scalar(draw)
        self.share = share
        mine = suite.group.share(scalar)
        start = head(M3, self.r[-1]) + terms
        info = sha256(th_2, tag, start)
        self.n_a = self.numbers(kem.send(scalar, mine, theirs.key, info)(b"m3", 64))
        h_3 = sha256(info, mine)
        pre = expand(exported[64:], "m3", h_3, 4)
        th_3 = sha256(h_3, pre)
        self.finish(th_3, self.psk, suite.group.secret(scalar, share), terms, True)
        self.m3 = start + mine + pre + self.tag_3
        return self.m3

    def on_m4(self, message):
        require(self.m2 is not None and same(message, self.m4), "M4")


class Answering(_Run):
    """S, to an M1 that it has looked through: `theirs` is A's ticket, `old` the PMK that a tag_1 verified under."""

    def __init__(self, offer, theirs, ticket, static, suite, cid, draw, with_ticket, old=None, psk=None, style=INTERACTIVE):
        self.style, head, expand = style, style.head, style.expand
        self.offer, self.r, self.suite, self.peer, self.cid, self.old = offer, offer.r, suite, theirs, cid, old
        self.rekey, self.psk, self.static, self.peer_cid = bool(offer.flags & REKEY), psk, static, offer.cid
        th_0 = sha256(lv(style.scheme, b"\x01\x01"))
        th_1 = sha256(th_0, theirs.cred, offer.body)
        if old:
            require(same(offer.tag, expand(old.key, "m1", th_1, LONG)), "M1")
        before = head(M2, self.r[-1]) + bytes([with_ticket and TICKET, suite.number & 0xFF]) + short(cid)
        before += long(ticket.data) if with_ticket else b""
        self.scalar = suite.group.scalar(draw)
        share = suite.group.share(self.scalar)
        info = sha256(th_1, offer.tag, ticket.cred, before)
        export = style.kems[suite.number].send(self.scalar, share, theirs.key, info, static)
        exported = export(b"m2", 96)
        self.n_s, self.e_2 = self.numbers(exported), exported[64:]
        th_2 = sha256(info, share)
        self.tag_2 = expand(self.e_2, "m2", th_2, suite.mac)
        self.th = th_2
        self.m2, self.m3 = before + share + self.tag_2, None

    def on_m3(self, message):
        if message == self.m3:
            return self.m4
        reader, suite, expand = Reader(message), self.suite, self.style.expand
        start = reader.take(2 + self.style.terms)
        require(self.m3 is None and start[:2] == self.style.head(M3, self.r[-1]), "header")
        share, pre, tag = reader.take(suite.share), reader.take(4), reader.take(self.mac())
        reader.end()
        info = sha256(self.th, self.tag_2, start)
        h_3 = sha256(info, share)
        require(same(pre, expand(self.e_2, "m3", h_3, 4)), "pre")
        self.n_a = self.numbers(self.style.kems[suite.number].receive(share, self.static, info)(b"m3", 64))
        th_3 = sha256(h_3, pre)
        self.finish(th_3, self.psk, suite.group.secret(self.scalar, share), start[2:], False)
        require(same(tag, self.tag_3), "M3")
        self.share = share
        self.m3 = message
        return self.m4
