"""The microcert scheme's page, sections 1 to 5 and 8: the seed, CSK, and the messages."""

from dataclasses import dataclass
from datetime import UTC, datetime

from .crypto import Dropped, extract, kdf, lv, require, sha256, short, u16, u32
from .wire import Reader

SCHEME = b"mcert"
expand = kdf(SCHEME)

AUTH, ANSWER, CHALLENGE, PROOF, GONE, DEAD, SIGNATURE = 1, 2, 3, 4, 5, 6, 8
CLOCKLESS, REVOKED = 1, 2
ASK, CLOSE, HASNOT, REVOKE = 1, 2, 3, 4
ROW, YEARS, ROWS = 16, 5, 61


class Pair:
    """What records and resume ask of a scheme."""

    scheme = SCHEME
    expand = staticmethod(expand)

    def __init__(self, suite):
        self.suite = suite


def day(time):
    date = datetime.fromtimestamp(time, UTC)
    return date.year, date.month, date.day


def year(time):
    return day(time)[0]


class Seed:
    """Section 2. `first`: the first year whose row is there."""

    def __init__(self, data, base, first=None):
        assert len(data) == ROWS * ROW
        self.data, self.base, self.first = data, base, base if first is None else first

    def row(self, n):
        return self.data[n * ROW :][:ROW]

    def has(self, time):
        return self.first <= year(time) < self.base + YEARS

    def rows(self, time):
        require(self.has(time), "expired")
        y, m, d = day(time)
        picked = self.row(y - self.base) + self.row(5 + m - 1) + self.row(17 + d - 1)
        return picked + self.data[48 * ROW :]

    @property
    def gone(self):
        return expand(extract(b"", self.data[YEARS * ROW :]), "gone")

    def erase_before(self, year):
        """Whether there was something to erase."""
        first = min(year, self.base + YEARS)
        if first <= self.first:
            return False
        over = (first - self.base) * ROW
        self.data, self.first = bytes(over) + self.data[over:], first
        return True

    @classmethod
    def of_root(cls, root, base):
        return cls(b"".join(expand(root, "row", bytes([n]), ROW) for n in range(ROWS)), base)


@dataclass(frozen=True)
class Enrolment:
    """What both sides know of it."""

    device: bytes
    centre: bytes
    number: int
    flags: int

    def th_0(self, generation):
        about = bytes([1, self.number & 0xFF, self.flags & CLOCKLESS])
        return sha256(lv(SCHEME, about, u32(generation), self.device, self.centre))


@dataclass(frozen=True)
class Stamp:
    time: int
    random: bytes
    counter: int

    def prk(self, rows, challenge=b""):
        return extract(lv(self.random, u32(self.time), u32(self.counter), challenge), rows)


def header(message, low):
    return bytes([0x15, message << 4 | low & 15])


def opened(message):
    """(number, low four bits, reader of the rest)."""
    reader = Reader(message)
    first, second = reader.take(2)
    require(first == 0x15, "version or scheme")
    return second >> 4, second & 15, reader


@dataclass(frozen=True)
class Certificate:
    """AUTH, PROOF, or a signature."""

    message: int
    device: bytes
    serial: int
    stamp: Stamp
    sealed: bytes = b""

    @property
    def clear(self):
        at = self.stamp
        head = header(self.message, len(self.device) - 1) + self.device + bytes([self.serial])
        return head + u32(at.time) + at.random + u32(at.counter)

    @property
    def data(self):
        return self.clear + self.sealed

    def th_1(self, th_0):
        return sha256(th_0, self.clear)

    @classmethod
    def read(cls, data):
        message, low, reader = opened(data)
        require(message in (AUTH, PROOF, SIGNATURE), "message")
        device, serial = reader.take(low + 1), reader.number(1)
        time, random = reader.number(4), reader.take(8)
        return cls(message, device, serial, Stamp(time, random, reader.number(4)), reader.rest())


@dataclass(frozen=True)
class Critical:
    """The device's critical part."""

    session: bytes | None = None  # the connection id
    confirmed: int = 0
    answered: int = 0
    part: tuple | None = None  # attempt, N_D, tag

    def write(self):
        flags, out = 0, b""
        if self.session is not None:
            flags, out = 0x10 | len(self.session), self.session
        if self.confirmed or self.answered:
            flags, out = flags | 0x20, out + u16(self.confirmed) + u16(self.answered)
        if self.part:
            attempt, n_d, tag = self.part
            flags, out = flags | 0x40, out + u16(attempt) + n_d + tag
        return bytes([flags]) + out

    @classmethod
    def read(cls, text):
        reader = Reader(text)
        flags = reader.number(1)
        session, length = None, flags & 15
        require(flags & 0x80 == 0 and length <= 8 and (flags & 0x10 or not length), "flags")
        if flags & 0x10:
            session = reader.take(length)
        confirmed, answered, part = 0, 0, None
        if flags & 0x20:
            confirmed, answered = reader.number(2), reader.number(2)
            require(confirmed or answered, "both 0")
        if flags & 0x40:
            part = reader.number(2), reader.take(16), reader.take(16)
        reader.end()
        return cls(session, confirmed, answered, part)


@dataclass(frozen=True)
class Order:
    what: int
    attempt: int = 0
    n_c: bytes = b""

    def write(self):
        return bytes([self.what]) + (b"" if self.what == REVOKE else u16(self.attempt)) + self.n_c


@dataclass(frozen=True)
class Answer:
    """The centre's critical part."""

    session: bytes | None = None
    time: int | None = None
    order: Order | None = None

    def write(self, tag):
        """`tag`: of an order's bytes."""
        flags, out = 0, b""
        if self.session is not None:
            flags, out = 0x10 | len(self.session), self.session
        if self.time is not None:
            flags, out = flags | 0x20, out + u32(self.time)
        if self.order:
            order = self.order.write()
            flags, out = flags | 0x40, out + order + tag(order)
        return bytes([flags]) + out

    @classmethod
    def read(cls, text, tag):
        reader = Reader(text)
        flags = reader.number(1)
        session, time, order, length = None, None, None, flags & 15
        require(flags & 0x80 == 0 and length <= 8 and (flags & 0x10 or not length), "flags")
        if flags & 0x10:
            session = reader.take(length)
        if flags & 0x20:
            time = reader.number(4)
        if flags & 0x40:
            what = reader.number(1)
            require(what in (ASK, CLOSE, HASNOT, REVOKE), "order")
            order = Order(what, *([] if what == REVOKE else [reader.number(2)]), *([reader.take(16)] if what == ASK else []))
            require(reader.take(16) == tag(order.write()), "order's tag")
        reader.end()
        return cls(session, time, order)


def order_tag(prk, th_2):
    return lambda order: expand(prk, "order", th_2 + order, 16)


def part_tag(prk, th_1, attempt, n_d):
    return expand(prk, "new", th_1 + u16(attempt) + n_d, 16)


def next_root(prk, th_1, attempt, n_c, n_d):
    return expand(prk, "next", th_1 + u16(attempt) + n_c + n_d)


def dead(enrolment, generation, gone):
    tag = expand(gone, "dead", enrolment.th_0(generation), 16)
    return header(DEAD, len(enrolment.device) - 1) + enrolment.device + bytes([generation & 0xFF]) + tag


def gone_tag(gone, th_a, generation):
    return expand(gone, "left", th_a + u32(generation), 16)


def confirmation(enrolment, gone, time):
    return u32(time) + expand(gone, "conf", enrolment.th_0(0) + u32(time), 16)


@dataclass(frozen=True)
class Invitation:
    enrolment: Enrolment
    base: int
    time: int
    key: bytes

    def write(self):
        of = self.enrolment
        head = bytes([1, of.number & 0xFF, of.flags]) + u16(self.base) + u32(self.time)
        return head + short(of.device) + short(of.centre) + self.key

    @classmethod
    def read(cls, data):
        reader = Reader(data)
        require(reader.number(1) == 1, "format")
        number, flags, base, time = reader.number(1), reader.number(1), reader.number(2), reader.number(4)
        device, centre, key = reader.short(16), reader.short(16), reader.take(16)
        reader.end()
        return cls(Enrolment(device, centre, number, flags), base, time, key)


def deposit(invitation, wrapped):
    of = invitation.enrolment
    return bytes([1, of.number & 0xFF, of.flags]) + u16(invitation.base) + short(of.device) + short(of.centre) + wrapped


def read_deposit(data):
    """(enrolment, base year, wrapped)."""
    reader = Reader(data)
    require(reader.number(1) == 1, "format")
    number, flags, base = reader.number(1), reader.number(1), reader.number(2)
    device, centre, wrapped = reader.short(16), reader.short(16), reader.rest()
    if len(wrapped) != 984:
        raise Dropped("length")
    return Enrolment(device, centre, number, flags), base, wrapped
