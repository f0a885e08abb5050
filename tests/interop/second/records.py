"""Section 6: records, generations, the log, exporter and fingerprint."""

import base64

from .crypto import expand, halves, require, short, u16, u32, u64
from .wire import Reader, cut, is_record

NOTHING, CHALLENGE, RESPONSE, CLOSED_SESSION = range(4)
ASK, ANSWER, REFUSE, CLOSE, CLOSED = range(8, 13)
PIECE = 16

WINDOW = 64


class Way:
    """One direction: root, key and iv of a generation, and the next number."""

    def __init__(self, pair, first, generation, root, key, iv):
        self.pair, self.suite, self.first = pair, pair.suite, first  # first: the initiator's direction
        self.generation, self.root, self.key, self.iv = generation, root, key, iv
        self.next, self.seen = 0, set()

    def following(self):
        expand, suite = self.pair.expand, self.suite
        root = expand(self.root, "next")
        place = 0 if self.first else 1
        key = halves(expand(root, "key", b"", 2 * suite.key))[place]
        iv = halves(expand(root, "iv", b"", 2 * suite.nonce))[place]
        return Way(self.pair, self.first, self.generation + 1, root, key, iv)

    def nonce(self, number):
        return bytes(a ^ b for a, b in zip(self.iv, bytes(self.suite.nonce - 4) + u32(number), strict=True))

    def sealing(self, head, number):
        """Key, nonce and associated data."""
        return self.key, self.nonce(number), head, u32(self.generation)

    def witness(self, number, record):
        """What stands for the data of a record, which ends in its tag, in the log."""
        tag = record[-self.suite.tag :].ljust(16, b"\0")
        return bytes(a ^ b for a, b in zip(tag, self.nonce(number).ljust(16, b"\0"), strict=True))

    def nearest(self, low):
        """The number nearest to the next one whose low 16 bits are these."""
        near = (self.next & ~0xFFFF) | low
        return min((n for n in (near - 0x10000, near, near + 0x10000) if 0 <= n < 2**32), key=lambda n: abs(n - self.next))

    def check_new(self, number):
        require(number not in self.seen and number > self.next - 1 - WINDOW, "replayed or too old")

    def mark(self, number):
        self.seen.add(number)
        self.next = max(self.next, number + 1)


class Session:
    """Seals and opens; knows no meaning of control records."""

    def __init__(self, pair, schedule, th, initiator, number, generation, my_cid, peer_cid):
        self.pair, self.suite = pair, pair.suite
        self.master, self.th, self.initiator = schedule.master, th, initiator
        self.number, self.my_cid, self.peer_cid = number, my_cid, peer_cid
        mine, theirs = (0, 1) if initiator else (1, 0)
        self.out = Way(pair, initiator, generation, schedule.root, schedule.keys[mine], schedule.ivs[mine])
        self.back = Way(pair, not initiator, generation, schedule.root, schedule.keys[theirs], schedule.ivs[theirs])
        self.last = None

    @property
    def side(self):
        return int(self.initiator)

    def overhead(self):
        return 3 + len(self.peer_cid) + self.suite.tag

    def seal(self, text, control=False):
        number = self.out.next
        self.out.next += 1
        head = bytes([0x18 | control << 2 | self.out.generation & 3]) + self.peer_cid + u16(number & 0xFFFF)
        key, nonce, head, generation = self.out.sealing(head, number)
        return head + self.suite.seal(key, nonce, text, head + generation)

    def control(self, body, mtu):
        return [self.seal(piece, True) for piece in cut(body, mtu - self.overhead())]

    def data(self, time, place, payload):
        """A record, where in the log it is, and what stands there for the data."""
        where = (self.number, self.out.generation, self.out.next)
        record = self.seal(u64(time) + short(place) + payload)
        return record, where, self.out.witness(where[2], record)

    def advance(self):
        """Moves sending to the next generation."""
        require(self.out.generation <= self.back.generation, "at most one ahead")
        self.out = self.out.following()

    def open(self, record):
        """(is control, text, where in the log, what stands there for the data, whether the receiver moved)."""
        reader = Reader(record)
        require(len(record) > 0 and is_record(record), "not a record")
        first = reader.number(1)
        require(reader.take(len(self.my_cid)) == self.my_cid, "connection id")
        low = reader.number(2)
        head = record[: reader.at]
        step = (first & 3) - self.back.generation & 3
        require(step < (3 if self.out.generation > self.back.generation else 2), "generation")
        way = self.back
        for _ in range(step):
            way = way.following()
        number = way.nearest(low)
        way.check_new(number)
        key, nonce, head, generation = way.sealing(head, number)
        text = self.suite.open(key, nonce, reader.rest(), head + generation)
        way.mark(number)
        self.back = way
        followed = self.out.generation < way.generation
        while self.out.generation < way.generation:
            self.out = self.out.following()
        return bool(first & 4), text, (self.number, way.generation, number), way.witness(number, record), followed

    def exporter(self, label, context, length):
        expand = self.pair.expand
        return expand(expand(self.master, "exp"), "exporter", short(label) + context, length)

    @property
    def fingerprint(self):
        return self.th[:10]


def parse_data(text):
    reader = Reader(text)
    return reader.number(8), reader.short(32), reader.rest()


def digests(aux, time, place, witness):
    """d_T, d_LI, d_D."""
    return (
        expand(aux, "log.t", u64(time), 16),
        expand(aux, "log.li", place, 16),
        expand(aux, "log.data", witness, 16),
    )


def session_number(run, initiator_lower):
    return (run << 1 | initiator_lower) & 0xFFFF_FFFF


def readable(fingerprint):
    text = base64.b32encode(fingerprint).decode()
    return "-".join(text[i : i + 4] for i in range(0, len(text), 4))


