"""The noninteractive scheme's page, sections 5 and 6: the way from epoch to epoch, and records in three of them."""

from .crypto import Dropped, extract, halves, require, seen, u16, u32
from .powers import expand
from .records import Session, Way
from .wire import Reader


class Progress:
    """One side's, at an epoch."""

    def __init__(self, group, bind, was_a, x, y, chain, k, r):
        self.group, self.bind, self.was_a = group, bind, was_a
        self.x, self.y = x, y  # x_A,0 and y_S,0, an element
        self.epoch, self.chain, self.k, self.r = 0, chain, k, r
        self.advance(1)

    def advance(self, to):
        """V are multiplied first; r moves once."""
        product = 1
        while self.epoch < to:
            self.epoch += 1
            self.chain = expand(self.chain, "chain")
            product = product * self.group.hashed(self.chain, "v") % self.group.order
        self.k = self.k * product % self.group.order
        self.r = self.group.power(self.r, product)

    def step(self, r, side):
        return self.group.hashed(extract(b"", self.bind, r), "step", bytes([side]) + u32(self.epoch))

    def key(self):
        """K_t."""
        group = self.group
        own = seen("r", group.base(self.k))
        seen("r", self.r)
        x = (self.x * self.step(own, int(self.was_a)) + self.k) % group.order
        y = group.product(group.power(self.y, self.step(self.r, int(not self.was_a))), self.r)
        product = seen("product", group.power(y, x))
        return expand(extract(self.chain, product), "epoch", u32(self.epoch))

    def lag_tag(self, side, epoch):
        """Of an epoch that is not before this one: by hashing."""
        chain = self.chain
        for _ in range(epoch - self.epoch):
            chain = expand(chain, "chain")
        return expand(chain, "lag", bytes([side]) + u32(epoch), 16)


class Epoch(Session):
    """A session whose generations are epochs: this one, and those beside it where their keys are there."""

    def __init__(self, pair, salt, master, th, initiator, number, my_cid, peer_cid):
        self.pair, self.suite, self.salt = pair, pair.suite, salt
        self.master, self.th, self.initiator = master, th, initiator
        self.number, self.my_cid, self.peer_cid = number, my_cid, peer_cid
        self.epoch, self.out, self.back, self.left, self.coming = 0, None, None, None, None

    def _ways(self, epoch, key):
        prk, suite = extract(self.salt, key), self.suite
        keys = halves(expand(prk, "key", b"", 2 * suite.key))
        ivs = halves(expand(prk, "iv", b"", 2 * suite.nonce))
        ways = [Way(self.pair, first, epoch, None, *both) for first, both in zip((True, False), zip(keys, ivs), strict=True)]
        return ways if self.initiator else ways[::-1]

    def enter(self, epoch, key):
        self.left = self.back if self.epoch + 1 == epoch else None
        self.epoch = epoch
        self.out, self.back = self._ways(epoch, key)

    def open(self, record, coming):
        """(is control, text, whether the next epoch has begun by it). `coming` is K_{t+1}, where there is one."""
        reader = Reader(record)
        first = reader.number(1)
        require(reader.take(len(self.my_cid)) == self.my_cid, "connection id")
        low, head = reader.number(2), record[: reader.at]
        distance = (first & 3) - self.epoch & 3
        ways = {0: self.back}
        if self.left:
            ways[3] = self.left
        if coming:
            ways[1] = self._ways(self.epoch + 1, coming)[1]
        require(distance in ways, "no key")
        way = ways[distance]
        number = way.nearest(low)
        key, nonce, head, generation = way.sealing(head, number)
        text = self.suite.open(key, nonce, reader.rest(), head + generation)
        if number in way.seen or number <= way.next - 1 - 64:
            raise Replayed("replayed")
        if distance == 1:
            self.enter(self.epoch + 1, coming)
            way = self.back
        way.mark(number)
        return bool(first & 4), text, distance == 1


class Replayed(Dropped):
    """Nobody lags for it."""


def pre(root, side, epoch):
    return expand(root, "pre", bytes([side]) + u32(epoch), 4)


def terms(life, interval, length):
    return u32(life) + u32(interval) + u16(length)


def last(life, interval, length):
    return min(length, -(-life // interval)) if life else length
