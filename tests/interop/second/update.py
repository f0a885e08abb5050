"""Section 7: ASK, ANSWER and what follows, as bodies of control records."""

from . import records
from .crypto import Triple, expand, extract, lv, require, same, seen, sha256, u16, u32
from .wire import Reader

HIDDEN = range(3)  # 0 T, 1 LI, 2 data


def tagged(master, label, side, body):
    return body + expand(master, label, bytes([side]) + body, 16)


def check(master, label, side, message):
    """The message without its tag, as a reader behind the kind."""
    require(len(message) > 16 and same(message, tagged(master, label, side, message[:-16])), label)
    reader = Reader(message[:-16])
    reader.take(1)
    return reader


def shown(digests, hidden):
    return b"".join(digest for place, digest in enumerate(digests) if place != hidden)


def choose(received, random):
    """A record whose two shown digests no other has: (where, digests, hidden)."""
    entries = list(received.items())
    first, start = random[0], int.from_bytes(random[1:3], "big")
    for turn in HIDDEN:
        hidden = (first + turn) % 3
        for step in range(len(entries)):
            where, digests = entries[(start + step) % len(entries)]
            if sum(shown(other, hidden) == shown(digests, hidden) for _, other in entries) == 1:
                return where, digests, hidden
    return None


def successor(triple, digests, master, ask, answer, dh):
    th = sha256(sha256(lv(b"history", b"update")), ask)
    th = sha256(th, answer[:-16])
    chain = expand(extract(expand(master, "chain"), dh), "upd", th)
    d_t, d_li, d_d = digests
    return Triple(
        expand(chain, "sk", d_d), expand(chain, "t", d_t), expand(chain, "li", d_li), triple.generation + 1
    )


class Asker:
    def __init__(self, session, triple, attempt, received, draw):
        self.session, self.triple, self.attempt = session, triple, attempt
        chosen = choose(received, draw(3))
        require(chosen is not None, "no record to ask for")
        (number, generation, record), self.digests, self.hidden = chosen
        pair = session.pair
        self.scalar = pair.suite.group.scalar(draw) if pair.dh else None
        share = pair.suite.group.share(self.scalar) if pair.dh else b""
        body = bytes([records.ASK]) + u32(triple.generation) + u16(attempt) + u32(number) + u32(generation) + u32(record)
        body += bytes([self.hidden]) + shown(self.digests, self.hidden) + share
        self.ask = tagged(session.master, "ask", session.side, body)

    def on_answer(self, message):
        """ANSWER: the next triple."""
        pair, master = self.session.pair, self.session.master
        reader = check(master, "ans", 1 - self.session.side, message)
        attempt, third = reader.number(2), reader.take(16)
        theirs = reader.take(32) if pair.dh else b""
        reader.end()
        require(attempt == self.attempt and same(third, self.digests[self.hidden]), "answer")
        dh = seen("dh", pair.suite.group.secret(self.scalar, theirs)) if pair.dh else b""
        return successor(self.triple, self.digests, master, self.ask, message, dh)


def answer(session, triple, ask, answered, sent, draw):
    """(message, attempt, next triple or None): ANSWER or REFUSE to an ASK."""
    pair, master = session.pair, session.master
    reader = check(master, "ask", 1 - session.side, ask)
    generation, attempt = reader.number(4), reader.number(2)
    where = reader.number(4), reader.number(4), reader.number(4)
    hidden, two = reader.number(1), reader.take(32)
    theirs = reader.take(32) if pair.dh else b""
    reader.end()
    require(generation == triple.generation and hidden in HIDDEN, "ask")
    digests = sent.get(where)
    reason = 0 if attempt <= answered else 1 if digests is None or not same(two, shown(digests, hidden)) else None
    if reason is not None:
        body = bytes([records.REFUSE]) + u16(attempt) + u16(0 if reason else answered) + bytes([reason])
        return tagged(master, "ref", session.side, body), attempt, None
    scalar = pair.suite.group.scalar(draw) if pair.dh else None
    share = pair.suite.group.share(scalar) if pair.dh else b""
    dh = seen("dh", pair.suite.group.secret(scalar, theirs)) if pair.dh else b""
    message = tagged(master, "ans", session.side, bytes([records.ANSWER]) + u16(attempt) + digests[hidden] + share)
    return message, attempt, successor(triple, digests, master, ask, message, dh)


def close(session, triple, attempt):
    """`triple` is the one that the update replaces."""
    return tagged(session.master, "cls", session.side, bytes([records.CLOSE]) + u32(triple.generation) + u16(attempt))


def closed(session, generation, attempt, has_it):
    body = bytes([records.CLOSED]) + u32(generation) + u16(attempt) + bytes([has_it])
    return tagged(session.master, "clsd", session.side, body)


def read_close(session, message):
    """(generation, attempt)."""
    reader = check(session.master, "cls", 1 - session.side, message)
    generation, attempt = reader.number(4), reader.number(2)
    reader.end()
    return generation, attempt


def read_closed(session, message):
    """(generation, attempt, whether the peer has the triple)."""
    reader = check(session.master, "clsd", 1 - session.side, message)
    generation, attempt, has_it = reader.number(4), reader.number(2), reader.number(1)
    reader.end()
    require(has_it < 2, "has it")
    return generation, attempt, bool(has_it)


def read_refuse(session, message):
    """(attempt, highest answered, reason)."""
    reader = check(session.master, "ref", 1 - session.side, message)
    attempt, answered, reason = reader.number(2), reader.number(2), reader.number(1)
    reader.end()
    return attempt, answered, reason
